import { Hono, type Context } from 'hono'
import { stream } from 'hono/streaming'
import { OstiaryError } from '../../core/errors.ts'
import type { AuditQuery } from '../../audit/index.ts'
import type { AdminEnv } from './app.ts'
import type { AdminParts, ShownRecord } from './parts.ts'
import { queryFrom } from './query.ts'
import type { DecisionSummary } from './shapes.ts'
import { summaryOf } from './summary.ts'

function notFound(context: Context<AdminEnv>, title: string, id: string): Response {
  return context.body(JSON.stringify({ type: 'urn:ostiary:server/not-found', title, status: 404, id }), 404, {
    'content-type': 'application/problem+json',
  })
}

/** Reading the record: `/api/decisions`, `/api/requests`, `/api/audit/search`, `/api/audit/tail`, `/api/audit/verify`. Each read is itself recorded. */
export function auditRoutes(parts: AdminParts): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>()

  routes.get('/decisions', async (context) => {
    const query = required(context.req.query())
    const summaries: DecisionSummary[] = []
    for await (const { record, outcome } of parts.search({ ...query, kinds: ['decision'] })) {
      if (record.kind === 'decision') summaries.push(summaryOf(record, outcome))
    }
    return context.json(summaries)
  })

  routes.get('/decisions/live', (context) => {
    const query = required(context.req.query())
    context.header('content-type', 'text/event-stream')
    return stream(context, async (out) => {
      const stop = new AbortController()
      out.onAbort(() => stop.abort())
      for await (const { record } of parts.tail({ ...query, kinds: ['decision'] }, true, stop.signal)) {
        if (record.kind === 'decision') await out.write(`data: ${JSON.stringify(summaryOf(record, undefined))}\n\n`)
      }
    })
  })

  routes.get('/decisions/:id', async (context) => {
    const id = context.req.param('id').slice(0, 64)
    const found = await parts.explain(id)
    if (found === undefined) return notFound(context, 'there is no such decision in the record', id)
    return context.json({
      id: found.summary.id,
      text: found.text,
      explanation: found.explanation,
      decision: found.summary,
      record: found.found.record,
      principal: found.found.principal,
    })
  })

  routes.get('/requests', async (context) => {
    const id = (context.req.query('id') ?? '').slice(0, 640)
    const found = await parts.explainElsewhere(id)
    if (found !== undefined) return context.json(found)
    throw new OstiaryError('server/not-told', { request: id })
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

function required(parameters: Readonly<Record<string, string>>): AuditQuery {
  const query = queryFrom(parameters, Date.now())
  if ('problem' in query) throw new OstiaryError('server/bad-request', { problem: query.problem })
  return query.query
}

/** Answers JSON lines. */
function lines(context: Context<AdminEnv>, read: (query: AuditQuery, signal: AbortSignal) => AsyncIterable<ShownRecord>): Response {
  const query = required(context.req.query())
  context.header('content-type', 'application/x-ndjson')
  return stream(context, async (out) => {
    const stop = new AbortController()
    out.onAbort(() => stop.abort())
    for await (const { text, record, outcome } of read(query, stop.signal))
      await out.write(`${JSON.stringify({ text, record, outcome })}\n`)
  })
}
