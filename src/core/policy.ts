import type { Action } from './action.ts'
import type { Decision, DecisionContext, Grant } from './decision.ts'
import type { Identity, Principal } from './principal.ts'

/** One immutable version of the policy, compiled. `decide` is pure and total: it never throws and does no I/O. */
export interface Policy {
  /** `sha256:` and the hex digest over policy, wiring and environment. */
  readonly version: string
  /** The principal of a request without credential. */
  readonly anonymous: Principal
  /** The identity with the roles that this version gives it. */
  bind(identity: Identity): Principal
  /** The principal with the eligible roles that are active for it, or for who acts for it, at `time`. Itself, where there are none. */
  activate?(principal: Principal, grants: readonly Grant[], time: number): Principal
  decide(principal: Principal, action: Action, resource: string, context: DecisionContext): Decision
  /**
   * Whether some rule may grant the action for a part of what it is about, such as a list of everything in one of its namespaces. It may
   * say so where there is no such part; each thing is decided by itself. Default: no.
   */
  mayInPart?(principal: Principal, action: Action, resource: string): boolean
}

/** Which eligible roles are active now. */
export interface GrantSource {
  /** Of somebody and of who acts for them; undefined for none. The same list for as long as nothing about it changes. */
  of(identity: Identity, time: number): readonly Grant[] | undefined
  /** The same of one party alone, by its names. */
  ofSubject(issuer: string, subject: string, time: number): readonly Grant[] | undefined
}

/** Where the running version is read from, afresh for every exchange, and who wants to know of a change. */
export interface PolicySource {
  readonly current: Policy
  /** Calls back after every swap; answers a function that ends it. */
  subscribe(listener: (policy: Policy) => void): () => void
}
