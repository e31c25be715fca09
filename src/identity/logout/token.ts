import type { UnavailableCause } from '../../core/credential.ts'
import type { Jwt } from '../jose/compact.ts'
import { isObject } from '../jose/json.ts'
import { Refusal, type Rejected } from '../jose/refusal.ts'
import { checkTimes } from '../jose/times.ts'
import { checkAudience, readSid, readText, verifyOrigin, type SignedVerifier } from '../signed.ts'

/** Member of `events` that makes it a logout token (OpenID Connect Back-Channel Logout §2.4). */
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** `exp` is meant to be two minutes ahead; this long at most, in milliseconds. */
const MAX_LIFETIME = 3_600_000

/** Whom a provider signs out: one session there, or a subject with all it has. */
export type LogoutResult =
  | {
      readonly outcome: 'logout'
      readonly sid: string | undefined
      readonly subject: string | undefined
      /** `jti`: the same is taken once until `expiresAt` (milliseconds since the epoch). */
      readonly tokenId: string
      readonly expiresAt: number
    }
  | Rejected
  | { readonly outcome: 'unavailable'; readonly cause: UnavailableCause }

/** Judges a logout token (OpenID Connect Back-Channel Logout §2.6). That it is new, only who keeps its `jti` can tell. */
export function verifyLogout(verifier: SignedVerifier, jwt: Jwt, clientId: string): LogoutResult | Promise<LogoutResult> {
  const { header, payload } = jwt
  const checkType = (): void => {
    // Without the type, whatever else the provider signs could pass for one (RFC 8725 §3.11).
    if (header.typ?.toLowerCase().replace(/^application\//, '') !== 'logout+jwt') throw new Refusal('token-type')
  }
  return verifyOrigin(verifier, jwt, checkType, (): LogoutResult => {
    checkAudience(payload['aud'], new Set([clientId]))
    const { expiresAt } = checkTimes(payload, verifier.now(), MAX_LIFETIME)
    const { events } = payload
    if (!isObject(events) || !isObject(events[EVENT])) throw new Refusal('claim', 'events')
    if ('nonce' in payload) throw new Refusal('claim', 'nonce') // an ID token
    const sid = readSid(payload)
    const subject = payload['sub'] === undefined ? undefined : readText(payload, 'sub')
    if (sid === undefined && subject === undefined) throw new Refusal('claim', 'sub')
    return { outcome: 'logout', sid, subject, tokenId: readText(payload, 'jti'), expiresAt }
  })
}
