import type { Credential } from '../../core/credential.ts'
import { Secret } from '../../core/secret.ts'
import type { Cookie } from './cookies.ts'

/** RFC 6750 §2.1: one or more spaces, then b64token. The scheme is case-insensitive (RFC 9110 §11.1). */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i

export interface Presented {
  readonly credential: Credential | undefined
  /** The session cookie came twice: it counts for nothing, and the browser is told to forget it. */
  readonly clearSession: boolean
}

/**
 * The one credential of a request: a bearer token in `Authorization`, or the session cookie. Two of them are ambiguous. A
 * token in the query or the body is none.
 */
export function presented(authorization: readonly string[], cookies: readonly Cookie[], sessionCookie: string | undefined): Presented {
  const sessions = sessionCookie === undefined ? [] : cookies.filter(({ name }) => name === sessionCookie)
  const clearSession = sessions.length > 1
  if (authorization.length > 1 || (authorization.length === 1 && sessions.length > 0))
    return { credential: { kind: 'unusable', reason: 'ambiguous' }, clearSession }
  if (authorization.length === 1) {
    const token = BEARER.exec(authorization[0]!)?.[1]
    return {
      credential: token === undefined ? { kind: 'unusable', reason: 'malformed' } : { kind: 'bearer', token: new Secret(token) },
      clearSession,
    }
  }
  if (sessions.length === 1) return { credential: { kind: 'session', handle: new Secret(sessions[0]!.value) }, clearSession }
  return { credential: undefined, clearSession }
}
