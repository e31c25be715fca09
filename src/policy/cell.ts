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

/** What cells of one policy share. */
export interface CellPolicy {
  readonly version: string
  /** Names of roles by their index. */
  readonly roles: readonly string[]
}

const NONE: readonly never[] = Object.freeze([])
const NOBODY: ByRole<never> = Object.freeze({ roles: NONE, slots: NONE })
const NO_SCOPES: ReadonlySet<string> = new Set()

/** Of a role index and whether what it grants depends on nothing else, one number; -1 for none. */
function wayOf(index: number, { when, peer }: RuleSlot): number {
  return index * 2 + (when === undefined && peer === undefined ? 1 : 0)
}

/**
 * Everything that the patterns of one place in the index bring. What most decisions look at comes first, and of the first two roles in
 * the cell itself: of a large policy, each object on the way has to be fetched from memory by itself.
 */
export class Cell {
  /** Ways to be granted, in the order of `rulesByRole`. */
  readonly firstWay: number
  readonly secondWay: number
  readonly otherWays: readonly number[]
  #firstGrant: Decision | undefined
  #secondGrant: Decision | undefined
  #otherGrants: (Decision | undefined)[] | undefined
  #denied: Decision | undefined
  readonly guardsByRole: ByRole<GuardrailSlot>
  /** Guardrails for everybody but some. */
  readonly guardsButFor: readonly GuardrailSlot[]
  readonly rulesByRole: ByRole<RuleSlot>
  readonly scopes: ReadonlySet<string>
  readonly #policy: CellPolicy
  #uncovered: readonly Reason[] | undefined

  constructor(all: readonly (RuleSlot | GuardrailSlot | ScopeSlot)[], policy: CellPolicy) {
    const slots = all.length < 2 ? all : all.toSorted(byId)
    this.rulesByRole = byRole(slots.filter((slot) => slot.kind === 'rule'))
    const guards = slots.filter((slot) => slot.kind === 'guardrail')
    this.guardsByRole = byRole(guards.filter(({ guardrail }) => guardrail.who === 'for'))
    const butFor = guards.filter(({ guardrail }) => guardrail.who === 'allBut')
    this.guardsButFor = butFor.length === 0 ? NONE : butFor
    const scopes = slots.filter(({ kind }) => kind === 'scope')
    this.scopes = scopes.length === 0 ? NO_SCOPES : new Set(scopes.map(({ id }) => id))
    const [first = -1, second = -1, ...others] = this.rulesByRole.roles.map((index, i) => wayOf(index, this.rulesByRole.slots[i]!))
    this.firstWay = first
    this.secondWay = second
    this.otherWays = others.length === 0 ? NONE : others
    this.#policy = policy
  }

  /** What is decided where this way alone grants. Made once, because most decisions are this one. */
  grantOf(way: number): Decision {
    if (way === 0) return (this.#firstGrant ??= this.#grant(0))
    if (way === 1) return (this.#secondGrant ??= this.#grant(1))
    this.#otherGrants ??= []
    return (this.#otherGrants[way - 2] ??= this.#grant(way))
  }

  /** What is decided where nothing but this has rules, for roles none of which is held. */
  get denied(): Decision {
    return (this.#denied ??= Object.freeze({
      effect: 'deny',
      rule: undefined,
      rules: NONE,
      reasons: this.uncovered,
      obligations: NONE,
      policyVersion: this.#policy.version,
    }))
  }

  /** The first rules here, by id, as reasons for who holds none of their roles. */
  get uncovered(): readonly Reason[] {
    return (this.#uncovered ??= uncovered(this.rulesByRole.slots))
  }

  #grant(way: number): Decision {
    const { roles, slots } = this.rulesByRole
    return granted(slots[way]!.id, this.#policy.roles[roles[way]!]!, this.#policy.version)
  }
}

/** An allow by one rule, without anything else. */
export function granted(id: string, role: string, policyVersion: string): Decision {
  const reasons = Object.freeze([Object.freeze({ code: 'granted', id, role } as const)])
  return Object.freeze({ effect: 'allow', rule: id, rules: Object.freeze([id]), reasons, obligations: NONE, policyVersion })
}

function uncovered(slots: readonly RuleSlot[]): readonly Reason[] {
  const byRule = new Map(slots.map(({ id, role }) => [id, role]))
  const first = [...byRule].toSorted(([a], [b]) => (a < b ? -1 : 1)).slice(0, MAX_REASONS)
  return Object.freeze(first.map(([id, role]) => Object.freeze({ code: 'role-not-held', id, role } as const)))
}

/** Roles in the order of their names, so that the role told for a grant is always the same. */
function byRole<T extends Slot>(slots: readonly T[]): ByRole<T> {
  if (slots.length === 0) return NOBODY
  const pairs = slots.flatMap((slot) => slot.indexes.map((index) => ({ index, slot })))
  const sorted = pairs.length < 2 ? pairs : pairs.toSorted((a, b) => a.index - b.index)
  return { roles: sorted.map(({ index }) => index), slots: sorted.map(({ slot }) => slot) }
}

function byId({ id: a }: { readonly id: string }, { id: b }: { readonly id: string }): number {
  return a < b ? -1 : a > b ? 1 : 0
}
