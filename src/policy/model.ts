import type { ApprovalRequest, MaskedField } from '../core/decision.ts'
import type { Span } from '../core/span.ts'
import type { Identity } from '../core/principal.ts'
import type { ClaimType } from '../config/schema.ts'
import type { ActionPattern } from './actions/index.ts'
import type { Demand } from './require.ts'
import type { Condition } from './when/condition.ts'
import type { World } from './world.ts'

/** Held by everybody, also without a credential. */
export const EVERYONE = 'everyone'
/** Held by every proven identity; by an app-only one only with a role of its own or as a listed client. */
export const AUTHENTICATED = 'authenticated'
export const BUILT_IN_ROLES: readonly string[] = [AUTHENTICATED, EVERYONE]

export type BindingMatch = 'any' | 'all' | 'none'

/** One way to hold a role. */
export interface Binding {
  readonly role: string
  readonly issuer: string
  readonly claim: string
  readonly type: ClaimType
  readonly match: BindingMatch
  readonly values: ReadonlySet<string | number | boolean>
  readonly kind: Identity['kind'] | undefined
  /** Gives nothing from this instant on, milliseconds since the epoch; undefined for ever. */
  readonly until: number | undefined
  /** The role that was bound, where this one is held because that one includes it. */
  readonly via: string | undefined
  /** Gives the role only while it (or `via`) is activated. */
  readonly eligible: boolean
  readonly span: Span
}

export interface Role {
  readonly name: string
  readonly description: string | undefined
  /** Roles that whoever holds this one holds as well, as written, sorted. */
  readonly includes: readonly string[]
  /** Its own, and those of roles that include it. */
  readonly bindings: readonly Binding[]
  readonly span: Span
}

/** A pattern and where it is written. */
export interface PlacedPattern {
  readonly pattern: ActionPattern
  readonly span: Span
}

interface Statement {
  readonly id: string
  readonly description: string | undefined
  /** Names, sorted; selectors resolved. */
  readonly resources: readonly string[]
  readonly actions: readonly PlacedPattern[]
  readonly when: Condition | undefined
  /** Place of the id. */
  readonly span: Span
  readonly resourceSpan: Span
}

/** Grants its actions to whoever holds one of its roles. */
export interface Rule extends Statement {
  readonly kind: 'rule'
  /** Sorted. */
  readonly roles: readonly string[]
  /** Roles, one of which the peer has to hold; sorted. Undefined for any peer and none. */
  readonly peer: readonly string[] | undefined
}

/** Whose requests a limit counts together. */
export type LimitKey = 'principal' | 'client' | 'address' | 'issuer' | 'everyone'

export interface Limit {
  readonly requests: number
  /** Milliseconds. */
  readonly window: number
  readonly per: LimitKey
}

/** Takes its actions away, or asks for more before it lets them be: of holders of a role (`for`), or of everybody but them (`allBut`). */
export interface Guardrail extends Statement {
  readonly kind: 'guardrail'
  readonly who: 'for' | 'allBut'
  /** Denies. It then asks for nothing else. */
  readonly denies: boolean
  /** What has to be proven or said, all of it; empty for nothing. */
  readonly requires: readonly Demand[]
  readonly approval: Pick<ApprovalRequest, 'from' | 'count'> | undefined
  /** Sorted by path; empty for none. */
  readonly masks: readonly MaskedField[]
  readonly limit: Limit | undefined
  /** The record has to be durable before the effect. */
  readonly strict: boolean
  /** Only observed before this instant, milliseconds since the epoch; undefined where it is enforced. */
  readonly observedUntil: number | undefined
  /** Sorted. */
  readonly roles: readonly string[]
}

/** A policy with every name resolved. Sorted throughout, so that nothing depends on the order of files or of their parts. */
export interface Model {
  readonly world: World
  readonly roles: ReadonlyMap<string, Role>
  readonly rules: readonly Rule[]
  readonly guardrails: readonly Guardrail[]
  /** Actions by scope, by resource. */
  readonly scopes: ReadonlyMap<string, ReadonlyMap<string, readonly ActionPattern[]>>
  /** What speaks of one resource, where that is known without all of them; `statementsOn` answers for any model. */
  readonly on?: ((resource: string) => { readonly rules: readonly Rule[]; readonly guardrails: readonly Guardrail[] }) | undefined
}
