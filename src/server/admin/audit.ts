import { Hono } from 'hono'
import { stream } from 'hono/streaming'
import { OstiaryError } from '../../core/errors.ts'
import type { AuditQuery } from '../../audit/index.ts'
import type { AdminEnv } from './app.ts'
import type { AdminParts, ShownRecord } from './parts.ts'
import { queryFrom } from './query.ts'

/** Reading the record: `/api/decisions/{id}`, `/api/audit/search`, `/api/audit/tail`, `/api/audit/verify`. Each read is itself recorded. */
export function auditRoutes(parts: AdminParts): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>()

  routes.get('/decisions/:id', async (context) => {
    const id = context.req.param('id').slice(0, 64)
    const found = await parts.explain(id)
    if (found === undefined) {
      return context.body(
        JSON.stringify({ type: 'urn:ostiary:server/not-found', title: 'there is no such decision in the record', status: 404, id }),
        404,
        { 'content-type': 'application/problem+json' },
      )
    }
    return context.json({ id, text: found.text, explanation: found.explanation, record: found.record })
  })

  routes.get('/audit/search', (context) => lines(context, (query) => parts.search(query)))

  routes.get('/audit/tail', (context) => {
    const follow = context.req.query('follow') === 'true'
    return lines(context, (query, signal) => parts.tail(query, follow, signal))
  })

  routes.post('/audit/verify', async (context) => {
    const result = await parts.verify()
    return context.json(result, result.ok ? 200 : 409)
  })

  return routes
}

type Context = Parameters<Parameters<Hono<AdminEnv>['get']>[1] & ((...all: never) => unknown)>[0]

/** Answers JSON lines, or server-sent events where the caller asks for them (the console's live view). */
function lines(context: Context, read: (query: AuditQuery, signal: AbortSignal) => AsyncIterable<ShownRecord>): Response {
  const query = queryFrom(context.req.query(), Date.now())
  if ('problem' in query) throw new OstiaryError('server/bad-request', { problem: query.problem })
  const events = context.req.header('accept')?.includes('text/event-stream') === true
  context.header('content-type', events ? 'text/event-stream' : 'application/x-ndjson')
  return stream(context, async (out) => {
    const stop = new AbortController()
    out.onAbort(() => stop.abort())
    for await (const { text, record } of read(query.query, stop.signal)) {
      const line = JSON.stringify({ text, ...record })
      await out.write(events ? `data: ${line}\n\n` : `${line}\n`)
    }
  })
}
