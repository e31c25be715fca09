import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { OstiaryError } from '../../core/errors.ts'
import type { Passage } from '../../core/passage.ts'
import { accessRoutes } from './access.ts'
import { activationRoutes } from './activations.ts'
import { authzenRoutes } from './authzen.ts'
import { askRoutes } from './ask.ts'
import { clusterRoutes } from './clusters.ts'
import { consoleFiles } from './console.ts'
import type { AdminParts } from './parts.ts'
import { auditRoutes } from './audit.ts'
import { gatewayRoutes } from './gateway.ts'

export interface AdminEnv {
  Variables: { passage: Passage }
}

/**
 * The admin API and the console, as an application behind the gateway's own HTTP door: whoever gets here was decided by
 * the policy on the resource `ostiary`, and the record has it. It listens on a socket that only the gateway's user can open.
 */
export function adminApp(parts: AdminParts): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>()

  app.use(async (context, next) => {
    const passage = parts.passage(context.req.header('ostiary-decision') ?? '')
    if (passage === undefined) throw new OstiaryError('server/host')
    // A session cookie travels along with requests that other sites cause: those may not change anything.
    const origin = context.req.header('origin')
    const site = context.req.header('sec-fetch-site')
    if (context.req.method !== 'GET' && context.req.method !== 'HEAD') {
      if (origin !== undefined && !parts.origins().includes(origin)) throw new OstiaryError('server/origin')
      if (origin === undefined && site !== undefined && site !== 'same-origin' && site !== 'none') throw new OstiaryError('server/origin')
    }
    context.set('passage', passage)
    await next()
    context.header('cache-control', context.res.headers.get('cache-control') ?? 'no-store')
    context.header('x-content-type-options', 'nosniff')
    context.header('x-frame-options', 'DENY')
    context.header('referrer-policy', 'same-origin')
    context.header('cross-origin-opener-policy', 'same-origin')
  })

  app.route('/api', gatewayRoutes(parts))
  app.route('/api', auditRoutes(parts))
  app.route('/api', accessRoutes(parts))
  app.route('/api', activationRoutes(parts))
  app.route('/api', askRoutes(parts))
  app.route('/api', clusterRoutes(parts))
  app.route('/', authzenRoutes(parts))
  app.get('/metrics', async (context) => context.body(await parts.metrics.render(), 200, { 'content-type': parts.metrics.contentType }))
  app.route('/', consoleFiles(parts.consoleFolder))

  app.notFound(() => {
    throw new OstiaryError('server/not-found')
  })
  app.onError((error, context) => {
    const known = error instanceof OstiaryError ? error : undefined
    const status = known?.status ?? (error instanceof HTTPException ? error.status : 500)
    if (status >= 500) parts.fault(error)
    const body = {
      type: `urn:ostiary:${known?.code ?? 'internal'}`,
      title: known?.message ?? 'internal error',
      status,
      detail: known?.help,
      ...known?.details,
    }
    return context.body(JSON.stringify(body), status as ContentfulStatusCode, { 'content-type': 'application/problem+json' })
  })
  return app
}
