import { CLOCK_SKEW_MS } from '../../core/clock.ts'
import type { RevocationTarget } from '../../store/revocations.ts'

/** What decides how long a revocation can still end anything. Times are in milliseconds. */
export interface Lifetimes {
  readonly now: number
  /** Longest life of what the issuer issues; undefined where there is no limit. */
  readonly maxLifetime: number | undefined
  /** The latest end of any session that is kept, and how long one that begins now may last. */
  readonly lastSessionEnd: number | undefined
  readonly sessionLifetime: number
}

/** A limit of a thousand years is none. */
const LAST_DATE = Date.UTC(9999, 0)

/** The latest instant at which anything that a revocation ends could be valid; undefined where there is none. */
export function keptUntil(target: RevocationTarget, { now, maxLifetime, lastSessionEnd, sessionLifetime }: Lifetimes): number | undefined {
  switch (target.kind) {
    case 'subject':
    case 'client':
      return undefined // new tokens come every day
    case 'session':
      return lastSessionEnd ?? now + sessionLifetime
    case 'token':
    case 'issued-before': {
      if (maxLifetime === undefined) return undefined
      // A token may be dated ahead by the skew, and lives on for the skew after its end.
      const start = target.kind === 'token' ? now : Math.max(now, target.before)
      const until = Math.max(start + maxLifetime + 2 * CLOCK_SKEW_MS, lastSessionEnd ?? 0, start + CLOCK_SKEW_MS + sessionLifetime)
      return until < LAST_DATE ? Math.ceil(until) : undefined
    }
  }
}
