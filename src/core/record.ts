import type { Action } from './action.ts'
import type { RejectReason, UnavailableCause } from './credential.ts'
import type { Decision } from './decision.ts'
import type { Code } from './errors.ts'
import type { Principal } from './principal.ts'

/**
 * How much a route insists on its record:
 * - `strict`: durable before the effect, or no effect (503).
 * - `spool`: in the write queue before the effect, on disk within 200 ms; a queue that is full refuses (503).
 * - `best-effort`: may be dropped, which is counted and itself recorded.
 */
export type RecordMode = 'strict' | 'spool' | 'best-effort'

/** What is known of an exchange when its decision is recorded. */
export interface DecisionEvent {
  /** Decision id, also in the response. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly door: string
  readonly resource: string
  readonly action: Action
  readonly principal: Principal
  /** Caller's address. */
  readonly ip: string
  readonly trace: string | undefined
  /** The other end of the connection, where it was proven beside the caller. */
  readonly peer?: Principal | undefined
  /** What the caller says that it is for. */
  readonly justification?: string | undefined
  readonly policyVersion: string
  readonly verdict: Verdict
}

/** How an exchange was answered. Only `allowed` has an effect at the resource. */
export type Verdict =
  | { readonly kind: 'allowed'; readonly decision: Decision }
  | { readonly kind: 'denied'; readonly decision: Decision }
  /** Allowed but for a limit of the policy that is used up. */
  | {
      readonly kind: 'limited'
      readonly decision: Decision
      /** The guardrail. */
      readonly limit: string
      /** Milliseconds until it is worth asking again. */
      readonly retryAfter: number
    }
  | { readonly kind: 'unauthenticated'; readonly reason: 'no-credential'; readonly decision: Decision }
  | {
      readonly kind: 'rejected'
      readonly reason: RejectReason
      readonly claim?: string | undefined
      /** For the answer, not for the record. */
      readonly nonce?: string | undefined
    }
  | { readonly kind: 'unavailable'; readonly cause: UnavailableCause }
  /** No operation could be read from it, so neither credential nor policy was looked at. */
  | { readonly kind: 'malformed'; readonly code: Code }

export const verdictKinds = [
  'allowed',
  'denied',
  'limited',
  'unauthenticated',
  'rejected',
  'unavailable',
  'malformed',
] as const satisfies readonly Verdict['kind'][]

/** What came of an exchange that was let through. */
export interface Outcome {
  /** `completed`, or why it ended early. */
  readonly result:
    | 'completed'
    | 'client-aborted'
    | 'upstream-failed'
    | 'revoked'
    | 'expired'
    | 'policy-changed'
    | 'timed-out'
    | 'refused'
    | 'shut-down'
    /** Let through by somebody else who asked: what came of it is not known here. */
    | 'handed-over'
  /** Status in the door's protocol; NaN, as the numbers below, where it is not known. */
  readonly status: number
  /** Body bytes from the caller and to the caller. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Milliseconds. */
  readonly duration: number
}

/** Something that happened to the gateway itself: start, stop, policy change, sign-in, key rotation, a read of the record. */
export interface GatewayEvent {
  readonly kind: string
  readonly time: number
  readonly principal?: Principal | undefined
  readonly details: Readonly<Record<string, string | number | boolean | readonly string[]>>
}

/** Takes records. Throws (or rejects) `OstiaryError` `audit/unavailable` where the mode demands a record that can't be had. */
export interface Recorder {
  /** Records the decision before its effect. A promise only where it must be waited for (`strict`). */
  decided(event: DecisionEvent, mode: RecordMode): void | Promise<void>
  /** Completes the record of decision `id`. Never throws: the effect has happened. */
  completed(id: string, outcome: Outcome, mode: RecordMode): void
  /** Records an event of the gateway, spooled. */
  note(event: GatewayEvent): void
  /** Same, and resolves when it is durable. */
  noteDurably(event: GatewayEvent): Promise<void>
}
