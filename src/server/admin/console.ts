import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Hono } from 'hono'
import type { AdminEnv } from './app.ts'

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/** The built console. Every path of its own pages answers the one document; assets carry a hash of their content in their names. */
export function consoleFiles(folder: string): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>()
  routes.get('/assets/:file', async (context, next) => {
    const file = context.req.param('file')
    const match = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.(js|css|svg)$/.exec(file)
    const content = match === null ? undefined : await readFile(join(folder, 'assets', file)).catch(() => undefined)
    if (content === undefined) return next()
    return context.body(new Uint8Array(content), 200, {
      'content-type': TYPES[match![1]!]!,
      'cache-control': 'private, max-age=31536000, immutable',
    })
  })
  for (const path of ['/', '/decisions', '/decisions/:id', '/access', '/policy', '/sessions', '/activations']) {
    routes.get(path, async (context, next) => {
      const page = await readFile(join(folder, 'index.html'), 'utf8').catch(() => undefined)
      if (page === undefined) return next()
      return context.body(page, 200, { 'content-type': TYPES['html']!, 'content-security-policy': POLICY })
    })
  }
  return routes
}
