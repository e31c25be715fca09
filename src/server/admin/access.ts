import { Hono } from 'hono'
import { OstiaryError } from '../../core/errors.ts'
import type { SessionInfo } from '../../identity/index.ts'
import type { StoredRevocation } from '../../store/revocations.ts'
import type { AdminEnv } from './app.ts'
import { limited, textOf } from './body.ts'
import type { AdminParts } from './parts.ts'
import { readRevocation, shownTarget } from './revocation.ts'
import { sessionQueryFrom, writePlace } from './query.ts'
import type { RevocationAnswer, SessionAnswer, SessionsAnswer } from './shapes.ts'

/** Ending access: `/api/sessions`, `/api/revocations`. */
export function accessRoutes(parts: AdminParts): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>()

  routes.get('/sessions', async (context) => {
    const query = sessionQueryFrom(context.req.query())
    if ('problem' in query) throw new OstiaryError('server/bad-request', { problem: query.problem })
    const { sessions, next } = await parts.sessions(query.query)
    const own = context.get('passage').principal.identity?.evidence.sessionId
    const answer: SessionsAnswer = {
      sessions: sessions.map((session) => sessionAnswer(session, own)),
      next: next === undefined ? undefined : writePlace(next),
    }
    return context.json(answer)
  })

  routes.delete('/sessions/:id', async (context) => {
    const session = context.req.param('id').slice(0, 64)
    await parts.ending.endSession(session, context.get('passage').principal)
    return context.json({ session })
  })

  routes.get('/revocations', (context) => context.json(parts.revocations().map(revocationAnswer)))

  routes.post('/revocations', limited, async (context) => {
    const read = readRevocation(await textOf(context), parts.now(), (name) => parts.kindOfIssuer(name))
    if ('problem' in read) throw new OstiaryError('server/bad-request', { problem: read.problem })
    return context.json(revocationAnswer(await parts.ending.revoke(read.request, context.get('passage').principal)), 201)
  })

  routes.delete('/revocations/:id', async (context) => {
    const id = context.req.param('id').slice(0, 64)
    return context.json(revocationAnswer(await parts.ending.lift(id, context.get('passage').principal)))
  })

  return routes
}

function sessionAnswer({ createdAt, seenAt, endsAt, ...session }: SessionInfo, own: string | undefined): SessionAnswer {
  return {
    ...session,
    createdAt: new Date(createdAt).toISOString(),
    seenAt: new Date(seenAt).toISOString(),
    endsAt: new Date(endsAt).toISOString(),
    own: session.id === own,
  }
}

function revocationAnswer({ id, target, reason, by, createdAt, until }: StoredRevocation): RevocationAnswer {
  return {
    id,
    target: shownTarget(target),
    reason,
    by,
    createdAt: new Date(createdAt).toISOString(),
    until: until === undefined ? undefined : new Date(until).toISOString(),
  }
}
