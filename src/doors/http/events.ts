/** Where a transmitter posts security events (RFC 8935): `/.ostiary/events/<issuer>`, on the host of any resource. */
import type { CanonicalRequest } from '../../http/canonical.ts'
import { problem } from '../../http/problem.ts'
import type { Answer, OwnRequest } from '../../http/engine.ts'
import { contentTypeOf } from './tokenendpoint.ts'

/** Takes security events, as the door needs it. */
export interface SecurityEvents {
  /** Undefined where no such stream is configured. @param bearer What came in `Authorization`. @param set Body of the request. */
  push(issuer: string, bearer: string | undefined, set: string, source: string): Promise<EventAnswer> | undefined
}

export type EventAnswer =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly err: string; readonly description: string }
  | { readonly kind: 'unavailable' }

const EVENTS_PATH = '/.ostiary/events/'
/** Longest event, in bytes: that of a token. */
const EVENT_BYTES = 16 * 1024

const FIELDS = ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff']

/** What is answered on these paths; undefined elsewhere. `source` is the caller's address. */
export function eventsPath(request: CanonicalRequest, source: string, events: SecurityEvents): Answer | OwnRequest | undefined {
  if (!request.path.startsWith(EVENTS_PATH)) return undefined
  if (request.method !== 'POST' || request.upgrade !== undefined) return problem('http/method-not-allowed', { fields: ['Allow', 'POST'] })
  const issuer = request.path.slice(EVENTS_PATH.length)
  const [authorization, ...more] = request.authorization
  const bearer = more.length > 0 ? undefined : /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  return {
    kind: 'own',
    limit: EVENT_BYTES,
    expectsContinue: request.expectsContinue,
    answer(body) {
      if (!/^application\/secevent\+jwt *(;|$)/i.test(contentTypeOf(request) ?? ''))
        return eventAnswer({ kind: 'refused', err: 'invalid_request', description: 'send the event as application/secevent+jwt' })
      const answer = events.push(issuer, bearer, body.toString('latin1'), source)
      return answer === undefined ? problem('http/not-found', {}) : answer.then(eventAnswer, () => eventAnswer({ kind: 'unavailable' }))
    },
  }
}

function eventAnswer(answer: EventAnswer): Answer {
  switch (answer.kind) {
    case 'taken':
      return { kind: 'answer', status: 202, fields: FIELDS, body: '' }
    case 'refused': {
      const { err, description } = answer
      const failed = err === 'authentication_failed'
      const challenge = failed ? ['WWW-Authenticate', 'Bearer realm="events"'] : []
      const fields = ['Content-Type', 'application/json', 'Content-Language', 'en', ...FIELDS, ...challenge]
      return { kind: 'answer', status: failed ? 401 : 400, fields, body: `${JSON.stringify({ err, description })}\n` }
    }
    case 'unavailable':
      return problem('http/unavailable', { fields: ['Retry-After', '5'] })
  }
}
