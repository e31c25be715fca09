import type { Action } from '../core/action.ts'
import type { DecisionContext, Effect, Reason } from '../core/decision.ts'
import type { PartyState } from './roleset.ts'
import { vocabularyOf } from './actions/index.ts'
import { MAX_REASONS, type ByRole, type Slot } from './cell.ts'
import type { Truth } from './when/condition.ts'

const NO_CLAIMS = Object.freeze(Object.create(null) as Record<string, never>)
const NOTHING_UNKNOWN: ReadonlySet<string> = new Set()

/** From what lets through to what doesn't. */
const EFFECTS: readonly Effect[] = ['allow', 'needs-approval', 'challenge', 'deny']

/** The stricter of two effects. */
export function strictest(a: Effect, b: Effect): Effect {
  return EFFECTS.indexOf(a) < EFFECTS.indexOf(b) ? b : a
}

/** What is asked of a policy, with what does not depend on the party. */
export interface Asked {
  readonly policyVersion: string
  readonly action: Action
  readonly resource: string
  readonly context: DecisionContext
  /** The other end of the connection, bound to this policy. */
  readonly peer: PartyState | undefined
  /** Index of the role `authenticated`. */
  readonly authenticated: number
}

/** So many slots per role that is held, and it is cheaper to look for the roles than to go through the slots. */
const MANY = 4

/** Calls `use` for each slot whose role is held: going through the slots, or looking for the party's roles where slots are many more. */
export function eachHeld<T>({ roles, slots }: ByRole<T>, party: PartyState, time: number, use: (slot: T, index: number) => void): void {
  if (roles.length > MANY * party.held.length) {
    for (const { index, until } of party.held)
      if (time < until) for (let i = firstOf(roles, index); roles[i] === index; i++) use(slots[i]!, index)
    return
  }
  for (let i = 0; i < roles.length; i++) {
    const held = party.heldByIndex.get(roles[i]!)
    if (held !== undefined && time < held.until) use(slots[i]!, held.index)
  }
}

/** Slots of one role. */
export function slotsOf<T>({ roles, slots }: ByRole<T>, index: number): readonly T[] {
  const first = firstOf(roles, index)
  let end = first
  while (roles[end] === index) end++
  return slots.slice(first, end)
}

/** Where the first of a role is, or would be. */
function firstOf(roles: readonly number[], index: number): number {
  let [low, high] = [0, roles.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (roles[middle]! < index) low = middle + 1
    else high = middle
  }
  return low
}

export function isHeld(party: PartyState, index: number, time: number): boolean {
  const held = party.heldByIndex.get(index)
  return held !== undefined && time < held.until
}

export function isUnknown(party: PartyState, index: number, time: number): boolean {
  const unknown = party.unknownByIndex.get(index)
  return unknown !== undefined && time < unknown.until && !isHeld(party, index, time)
}

export function told(reasons: ReadonlyMap<string, Reason>): Reason[] {
  return [...reasons.values()].toSorted(byId).slice(0, MAX_REASONS)
}

export function byId(a: Reason, b: Reason): number {
  return a.id! < b.id! ? -1 : a.id! > b.id! ? 1 : 0
}

export function evaluate(slot: Slot, party: PartyState, { action, context }: Asked): Truth {
  const { identity } = party
  return slot.when!.evaluate({
    claims: identity?.claims ?? NO_CLAIMS,
    unknownClaims: identity?.unknownClaims ?? NOTHING_UNKNOWN,
    time: context.time,
    ip: context.ip,
    action,
    parameters: slot.when!.usesParameters ? vocabularyOf(action.protocol)!.parameters(slot.pattern, action) : NO_PARAMETERS,
  })
}

const NO_PARAMETERS: ReadonlyMap<string, string | undefined> = new Map()
