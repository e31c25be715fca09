import type { Credential } from '../core/credential.ts'
import { Secret } from '../core/secret.ts'
import type { CanonicalRequest } from './canonical.ts'
import type { Cookie } from './cookies.ts'

/** RFC 6750 §2.1 and RFC 9449 §7.1: one or more spaces, then a token68. The scheme is case-insensitive (RFC 9110 §11.1). */
const TOKEN = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)$/i

export interface Presented {
  readonly credential: Credential | undefined
  /** The session cookie came twice: it counts for nothing, and the browser is told to forget it. */
  readonly clearSession: boolean
}

/**
 * The one credential of a request: a token in `Authorization`, for DPoP with its proof, or the session cookie. Two of them are ambiguous. A
 * token in the query or the body is none.
 */
export function presented(
  { authorization, dpop, method }: Pick<CanonicalRequest, 'authorization' | 'dpop' | 'method'>,
  url: () => string,
  cookies: readonly Cookie[],
  sessionCookie: string | undefined,
): Presented {
  const sessions = sessionCookie === undefined ? [] : cookies.filter(({ name }) => name === sessionCookie)
  const clearSession = sessions.length > 1
  if (authorization.length > 1 || (authorization.length === 1 && sessions.length > 0))
    return { credential: { kind: 'unusable', reason: 'ambiguous' }, clearSession }
  if (authorization.length === 1) {
    const [, scheme, token] = TOKEN.exec(authorization[0]!) ?? []
    if (token === undefined) return { credential: { kind: 'unusable', reason: 'malformed' }, clearSession }
    if (scheme!.toLowerCase() === 'bearer') return { credential: { kind: 'bearer', token: new Secret(token) }, clearSession }
    // One proof, and no more (RFC 9449 §4.3 no. 1).
    if (dpop.length > 1) return { credential: { kind: 'unusable', reason: 'ambiguous' }, clearSession }
    if (dpop.length === 0) return { credential: { kind: 'unusable', reason: 'unproven' }, clearSession }
    return { credential: { kind: 'dpop', token: new Secret(token), proof: new Secret(dpop[0]!), method, url: url() }, clearSession }
  }
  if (sessions.length === 1) return { credential: { kind: 'session', handle: new Secret(sessions[0]!.value) }, clearSession }
  return { credential: undefined, clearSession }
}
