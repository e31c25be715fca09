import type { Action } from '../core/action.ts'
import type { DecisionContext, Effect, Reason } from '../core/decision.ts'
import type { PartyState } from './bind.ts'
import { vocabularyOf } from './actions/index.ts'
import { MAX_REASONS, type Slot } from './compile.ts'
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

/** Calls `use` for each entry whose role is held: going through its roles or through the party's, whichever are fewer. */
export function eachHeld<T>(byRole: ReadonlyMap<number, T>, party: PartyState, time: number, use: (entry: T, index: number) => void): void {
  if (byRole.size === 0) return
  if (party.held.length <= byRole.size) {
    for (const { index, until } of party.held) {
      const entry = byRole.get(index)
      if (entry !== undefined && time < until) use(entry, index)
    }
    return
  }
  for (const [index, entry] of byRole) {
    const held = party.heldByIndex.get(index)
    if (held !== undefined && time < held.until) use(entry, index)
  }
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
