import type { Decision, Obligation, Reason } from '../core/decision.ts'
import type { ActionPattern } from './actions/index.ts'
import type { Guardrail } from './model.ts'
import type { Condition } from './when/condition.ts'

/** Reasons of one decision at most; what a denial lists beyond them helps nobody. */
export const MAX_REASONS = 16

/** A rule or guardrail by one of its patterns, ready to be looked at. */
export interface Slot {
  readonly id: string
  readonly pattern: ActionPattern
  readonly when: Condition | undefined
  /** Indexes of its roles. */
  readonly indexes: readonly number[]
}

export interface RuleSlot extends Slot {
  readonly kind: 'rule'
  /** The first of its roles by name, for who holds none of them. */
  readonly role: string
  /** Roles, one of which the peer has to hold; undefined for any peer and none. */
  readonly peer: readonly { readonly index: number; readonly role: string }[] | undefined
}

export interface GuardrailSlot extends Slot {
  readonly kind: 'guardrail'
  readonly exempt: readonly { readonly index: number; readonly role: string }[]
  readonly guardrail: Guardrail
  /** Those that don't depend on who asks. */
  readonly obligations: readonly Obligation[]
}

/** Actions that a scope of the resource covers. */
export interface ScopeSlot {
  readonly kind: 'scope'
  readonly id: string
}

/** Slots by the index of their role, ascending, and of one role by their id. Two lists side by side: most are very short. */
export interface ByRole<T> {
  readonly roles: readonly number[]
  readonly slots: readonly T[]
}

const NONE: readonly never[] = Object.freeze([])
const NOBODY: ByRole<never> = Object.freeze({ roles: NONE, slots: NONE })
const NO_SCOPES: ReadonlySet<string> = new Set()

/** Everything that the patterns of one place in the index bring. */
export class Cell {
  readonly rulesByRole: ByRole<RuleSlot>
  readonly guardsByRole: ByRole<GuardrailSlot>
  /** Guardrails for everybody but some. */
  readonly guardsButFor: readonly GuardrailSlot[]
  readonly scopes: ReadonlySet<string>
  #uncovered: readonly Reason[] | undefined

  constructor(all: readonly (RuleSlot | GuardrailSlot | ScopeSlot)[]) {
    const rules: RuleSlot[] = []
    const guardsFor: GuardrailSlot[] = []
    const guardsButFor: GuardrailSlot[] = []
    const scopes: string[] = []
    for (const slot of inOrder(all, byId))
      if (slot.kind === 'rule') rules.push(slot)
      else if (slot.kind === 'scope') scopes.push(slot.id)
      else if (slot.guardrail.who === 'for') guardsFor.push(slot)
      else guardsButFor.push(slot)
    this.rulesByRole = byRole(rules)
    this.guardsByRole = byRole(guardsFor)
    this.guardsButFor = guardsButFor.length === 0 ? NONE : guardsButFor
    this.scopes = scopes.length === 0 ? NO_SCOPES : new Set(scopes)
  }

  /** The first rules here, by id, as reasons for who holds none of their roles. */
  get uncovered(): readonly Reason[] {
    return (this.#uncovered ??= uncovered(this.rulesByRole.slots))
  }
}

/** An allow by one rule, without anything else. */
export function granted(id: string, role: string, policyVersion: string): Decision {
  const reasons = Object.freeze([Object.freeze({ code: 'granted', id, role } as const)])
  return Object.freeze({ effect: 'allow', rule: id, rules: Object.freeze([id]), reasons, obligations: NONE, policyVersion })
}

/** A denial because of nothing but roles that aren't held. */
export function notGranted(reasons: readonly Reason[], policyVersion: string): Decision {
  return Object.freeze({ effect: 'deny', rule: undefined, rules: NONE, reasons, obligations: NONE, policyVersion })
}

function uncovered(slots: readonly RuleSlot[]): readonly Reason[] {
  const byRule = new Map(slots.map(({ id, role }) => [id, role]))
  const first = [...byRule].toSorted(([a], [b]) => (a < b ? -1 : 1)).slice(0, MAX_REASONS)
  return Object.freeze(first.map(([id, role]) => Object.freeze({ code: 'role-not-held', id, role } as const)))
}

/** Roles in the order of their names, so that the role told for a grant is always the same. */
function byRole<T extends Slot>(slots: readonly T[]): ByRole<T> {
  if (slots.length === 0) return NOBODY
  const roles: number[] = []
  const theirs: T[] = []
  for (const slot of slots)
    for (const index of slot.indexes) {
      roles.push(index)
      theirs.push(slot)
    }
  if (isInOrder(roles, ascending)) return { roles, slots: theirs }
  const places = roles.map((_, i) => i).toSorted((a, b) => roles[a]! - roles[b]!)
  return { roles: places.map((i) => roles[i]!), slots: places.map((i) => theirs[i]!) }
}

/** Mostly it is in order already, and making it anew for each of very many cells would cost more than all the rest. */
function inOrder<T>(all: readonly T[], compare: (a: T, b: T) => number): readonly T[] {
  return isInOrder(all, compare) ? all : all.toSorted(compare)
}

function isInOrder<T>(all: readonly T[], compare: (a: T, b: T) => number): boolean {
  for (let i = 1; i < all.length; i++) if (compare(all[i - 1]!, all[i]!) > 0) return false
  return true
}

function ascending(a: number, b: number): number {
  return a - b
}

function byId({ id: a }: { readonly id: string }, { id: b }: { readonly id: string }): number {
  return a < b ? -1 : a > b ? 1 : 0
}
