import type { Action } from './action.ts'
import type { Clock } from './clock.ts'
import type { Authenticator, Credential, PresentedCertificate, Verified } from './credential.ts'
import type { Decision, DecisionContext, Grant } from './decision.ts'
import type { Code } from './errors.ts'
import type { Limiter } from './limiter.ts'
import type { GrantSource, Policy, PolicySource } from './policy.ts'
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
  /** What the caller says that it is for. Nothing is believed of it. */
  readonly justification?: string | undefined
  /** The credential of the other end of the connection, beside the caller's own. One that isn't good is none. */
  readonly peer?: Credential | undefined
  /** That the caller proved on its connection. */
  readonly certificate?: PresentedCertificate | undefined
  /** Longest life of a token that the resource accepts, in milliseconds; undefined for whatever its issuer does. */
  readonly maxTokenLifetime?: number | undefined
  /** The door leaves out of the answer whatever is not allowed by itself (`Passage.decideAlso`). */
  readonly inPart?: true | undefined
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
  /** Without it, no eligible role is active. */
  readonly grants?: GrantSource | undefined
  readonly recorder: Recorder
  /** Counts what guardrails limit. Without it, what is limited is refused. */
  readonly limiter?: Limiter | undefined
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
  /** The other end of the connection, where it is proven. */
  peer: Verified | undefined
  /** How much this exchange insists on its record: as its route does, or as the policy does where that is more. */
  recordMode: RecordMode
  readonly #onCompleted: (passage: Passage) => void
  #listener: ((cause: EndCause) => void) | undefined
  #ended: EndCause | undefined
  #completed = false
  #along: readonly Passage[] | undefined

  constructor(exchange: Exchange, parts: PipelineParts, onCompleted: (passage: Passage) => void) {
    this.id = parts.newId()
    this.time = parts.clock.now()
    this.exchange = exchange
    this.parts = parts
    this.policy = parts.policies.current
    this.recordMode = exchange.recordMode
    this.principal = this.policy.anonymous
    this.#onCompleted = onCompleted
  }

  /** The caller with the roles that this policy gives it at this time. */
  principalBy(policy: Policy, time: number): Principal {
    return this.verified === undefined ? policy.anonymous : bindAt(policy, this.verified, this.parts.grants, time)
  }

  /** What a decision by this policy, at this time, is about besides who and what. */
  context(policy: Policy, time: number): DecisionContext {
    const { ip, justification } = this.exchange
    const { peer } = this
    if (peer === undefined && justification === undefined) return { time, ip }
    return { time, ip, justification, peer: peer === undefined ? undefined : bind(policy, peer) }
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

  /** What else the same native exchange does: ended with it, and completed with it. Called at most once. */
  takeAlong(others: readonly Passage[]): void {
    this.#along = others
    for (const other of others) other.whenEnded((cause) => this.end(cause))
  }

  /** What the policy in force now says of another action of the same caller. Nothing of it is recorded. */
  decideAlso(action: Action): Decision {
    const policy = this.parts.policies.current
    const now = this.parts.clock.now()
    return policy.decide(this.principalBy(policy, now), action, this.exchange.resource, this.context(policy, now))
  }

  /** Completes the record of an exchange that was let through. A second call does nothing. */
  completed(outcome: Outcome): void {
    if (this.#completed) return
    this.#completed = true
    this.#onCompleted(this)
    this.parts.recorder.completed(this.id, outcome, this.recordMode)
    for (const other of this.#along ?? []) other.completed(outcome)
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

/** By what somebody's roles were last made active, and the principal that came of it. */
const active = new WeakMap<Verified, { readonly bound: Principal; readonly grants: readonly Grant[]; readonly principal: Principal }>()

/** As `bind`, with the eligible roles that are active at `time`. */
export function bindAt(policy: Policy, verified: Verified, source: GrantSource | undefined, time: number): Principal {
  const principal = bind(policy, verified)
  const grants = source?.of(verified.identity, time)
  if (grants === undefined || policy.activate === undefined) return principal
  const known = active.get(verified)
  if (known?.bound === principal && known.grants === grants) return known.principal
  const made = policy.activate(principal, grants, time)
  active.set(verified, { bound: principal, grants, principal: made })
  return made
}
