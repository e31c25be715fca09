import type { Action } from './action.ts'
import type { Clock } from './clock.ts'
import type { Authenticator, Credential, PresentedCertificate, Verified } from './credential.ts'
import type { Decision } from './decision.ts'
import type { Code } from './errors.ts'
import type { Policy, PolicySource } from './policy.ts'
import type { Principal } from './principal.ts'
import type { Outcome, Recorder, RecordMode, Verdict } from './record.ts'
import type { Rostered } from './roster.ts'

/** Why an open exchange was ended by the gateway. */
export type EndCause = 'expired' | 'revoked' | 'policy-changed' | 'shut-down'

/** What a door hands in: its native operation as a canonical action, and what was presented with it. */
export interface Exchange {
  readonly door: string
  readonly resource: string
  readonly action: Action
  /** Undefined where nothing was presented. */
  readonly credential: Credential | undefined
  /** What is wrong with a message that has no canonical form. Its action is for the record only. */
  readonly malformed?: Code | undefined
  /** That the caller proved on its connection. */
  readonly certificate?: PresentedCertificate | undefined
  /** Longest life of a token that the resource accepts, in milliseconds; undefined for whatever its issuer does. */
  readonly maxTokenLifetime?: number | undefined
  /** Caller's address. */
  readonly ip: string
  readonly trace: string | undefined
  readonly recordMode: RecordMode
}

export interface PipelineParts {
  readonly clock: Clock
  readonly newId: () => string
  readonly authenticator: Authenticator
  readonly policies: PolicySource
  readonly recorder: Recorder
}

/** An exchange on its way. Doors read `id`, `verdict` and `principal`; they call `completed` once an allowed one is over. */
export class Passage implements Rostered {
  /** Its place among the open exchanges. */
  slot = -1
  readonly id: string
  readonly time: number
  readonly exchange: Exchange
  readonly parts: PipelineParts
  /** The policy that this exchange is decided by, from start to end. */
  policy: Policy
  verified: Verified | undefined
  principal: Principal
  decision: Decision | undefined
  verdict: Verdict | undefined
  readonly #onCompleted: (passage: Passage) => void
  #listener: ((cause: EndCause) => void) | undefined
  #ended: EndCause | undefined
  #completed = false

  constructor(exchange: Exchange, parts: PipelineParts, onCompleted: (passage: Passage) => void) {
    this.id = parts.newId()
    this.time = parts.clock.now()
    this.exchange = exchange
    this.parts = parts
    this.policy = parts.policies.current
    this.principal = this.policy.anonymous
    this.#onCompleted = onCompleted
  }

  /** The door says how it ends the native exchange once access to it has ended; at once if it has already. Called at most once. */
  whenEnded(listener: (cause: EndCause) => void): void {
    if (this.#ended === undefined) this.#listener = listener
    else listener(this.#ended)
  }

  /** Access to this exchange has ended. */
  end(cause: EndCause): void {
    if (this.#ended !== undefined || this.#completed) return
    this.#ended = cause
    this.#listener?.(cause)
  }

  /** Completes the record of an exchange that was let through. A second call does nothing. */
  completed(outcome: Outcome): void {
    if (this.#completed) return
    this.#completed = true
    this.#onCompleted(this)
    this.parts.recorder.completed(this.id, outcome, this.exchange.recordMode)
  }
}

/** Roles of a verified identity under one policy version, computed once per version. */
const bound = new WeakMap<Verified, Principal>()

export function bind(policy: Policy, verified: Verified): Principal {
  const known = bound.get(verified)
  if (known?.policyVersion === policy.version) return known
  const principal = policy.bind(verified.identity)
  bound.set(verified, principal)
  return principal
}
