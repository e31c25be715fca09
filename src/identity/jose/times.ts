import { CLOCK_SKEW_MS } from '../../core/clock.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { Refusal } from './refusal.ts'

/** When a token was issued and when it ends, in milliseconds since the epoch. */
export interface Times {
  /** Undefined only where the issuer need not say. */
  readonly issuedAt: number | undefined
  /** Skew included: the first instant at which it is no longer good. */
  readonly expiresAt: number
}

/**
 * Judges `iat`, `nbf` and `exp` (RFC 7519 §4.1.4 to §4.1.6) at `now`, with 30 s of skew either way. `exp` and `iat` must be
 * there, and between them at most `maxLifetime` milliseconds.
 * @throws Refusal `claim`, `expired`, `not-yet-valid`, `issued-in-future`, `lifetime`
 */
export function checkTimes(payload: JsonObject, now: number, maxLifetime: number): Times {
  const exp = numericDate(payload['exp'], 'exp')
  const iat = numericDate(payload['iat'], 'iat')
  const nbf = payload['nbf'] === undefined ? iat : numericDate(payload['nbf'], 'nbf')
  if (exp + CLOCK_SKEW_MS <= now) throw new Refusal('expired')
  if (iat - CLOCK_SKEW_MS > now) throw new Refusal('issued-in-future')
  if (nbf - CLOCK_SKEW_MS > now) throw new Refusal('not-yet-valid')
  if (exp - iat > maxLifetime) throw new Refusal('lifetime')
  return { issuedAt: iat, expiresAt: exp + CLOCK_SKEW_MS }
}

/** Seconds since the epoch, perhaps with a fraction → milliseconds (RFC 7519 §2). @throws Refusal `claim` */
export function numericDate(value: JsonValue | undefined, claim: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw new Refusal('claim', claim)
  return value * 1000
}
