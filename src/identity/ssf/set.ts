import type { UnavailableCause } from '../../core/credential.ts'
import { CLOCK_SKEW_MS } from '../../core/clock.ts'
import type { Jwt } from '../jose/compact.ts'
import { isObject, type JsonObject } from '../jose/json.ts'
import { Refusal, type Rejected } from '../jose/refusal.ts'
import { numericDate } from '../jose/times.ts'
import { checkAudience, readText, verifyOrigin, type SignedVerifier } from '../signed.ts'

/** An event that came late is no less true, but one this old ends nothing that could still be good. In milliseconds. */
export const MAX_AGE = 30 * 86_400_000

export interface SetVerifier extends Pick<SignedVerifier, 'issuer' | 'keys' | 'algorithms' | 'now'> {
  readonly audience: string
}

export type SetResult =
  | {
      readonly outcome: 'event'
      readonly id: string
      /** Milliseconds since the epoch. */
      readonly issuedAt: number
      /** URI of its type. */
      readonly type: string
      readonly event: JsonObject
      /** `sub_id`, or the subject inside the event, as older transmitters have it. */
      readonly subject: JsonObject | undefined
    }
  | Rejected
  | { readonly outcome: 'unavailable'; readonly cause: UnavailableCause }

/** Judges a security event token (RFC 8417 §2, as the Shared Signals Framework §4 profiles it). */
export function verifySet(verifier: SetVerifier, jwt: Jwt): SetResult | Promise<SetResult> {
  const { header, payload } = jwt
  const checkType = (): void => {
    if (header.typ?.toLowerCase().replace(/^application\//, '') !== 'secevent+jwt') throw new Refusal('token-type')
  }
  return verifyOrigin(verifier, jwt, checkType, (): SetResult => {
    checkAudience(payload['aud'], new Set([verifier.audience]))
    const id = readText(payload, 'jti')
    const issuedAt = numericDate(payload['iat'], 'iat')
    if (issuedAt > verifier.now() + CLOCK_SKEW_MS) throw new Refusal('issued-in-future')
    if (issuedAt < verifier.now() - MAX_AGE) throw new Refusal('expired')
    if ('exp' in payload) throw new Refusal('claim', 'exp') // what can end is no event
    const { events } = payload
    const [[type, event] = ['', undefined], ...more] = isObject(events) ? Object.entries(events) : []
    if (more.length > 0 || !isObject(event)) throw new Refusal('claim', 'events')
    const subject = payload['sub_id'] ?? event['subject']
    if (subject !== undefined && !isObject(subject)) throw new Refusal('claim', 'sub_id')
    return { outcome: 'event', id, issuedAt, type, event, subject }
  })
}
