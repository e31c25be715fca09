import type { Obligation } from './decision.ts'

/** One counter to charge. */
export type Limit = Extract<Obligation, { kind: 'limit' }>

/** Which limits are used up, and when it is worth asking again. */
export interface Exceeded {
  readonly limits: readonly Limit[]
  /** Milliseconds. */
  readonly retryAfter: number
}

/** Counts requests against limits. Implementations differ in who shares the counters. */
export interface Limiter {
  /**
   * Charges one request to all of them if none that is enforced is used up, or to none of them. Never more than a limit's `requests` are
   * let through within any of its windows. A counter that can't be had rejects, and whoever asked refuses.
   * @param now Milliseconds since the epoch.
   * @returns Those that are used up, undefined if none is.
   */
  charge(limits: readonly Limit[], now: number): Exceeded | undefined | Promise<Exceeded | undefined>
}
