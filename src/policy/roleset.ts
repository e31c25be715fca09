import type { Grant } from '../core/decision.ts'
import type { Identity, RoleProvenance } from '../core/principal.ts'
import { AUTHENTICATED } from './model.ts'
import { quickRoles, type QuickRoles } from './quick.ts'

/** A role that is held or can't be told, and until when: milliseconds since the epoch, or infinity. */
export interface Held {
  readonly index: number
  readonly role: string
  readonly until: number
}

/** A role that may be activated for a party, and what that makes of it. */
export interface Eligible extends Held {
  /** The role to activate: this one, or one that includes it. */
  readonly by: string
  readonly state: 'held' | 'unknown'
  /** By what the claim has, not by what it lacks. */
  readonly shown: boolean
}

/** What one party is to a compiled policy. */
export interface PartyState {
  /** By index, ascending, which is the order of names. */
  readonly held: readonly Held[]
  readonly heldByIndex: ReadonlyMap<number, Held>
  /** Roles that can't be told, and until when: also a breakGlass binding over such a claim ends. */
  readonly unknown: readonly Held[]
  readonly unknownByIndex: ReadonlyMap<number, Held>
  readonly eligible: readonly Eligible[]
  /** Where a party alone holds what it holds without end, and nothing of it is unknown. */
  readonly quick: QuickRoles | undefined
  readonly identity: Identity | undefined
  /** Who acts for this one. */
  readonly actor: PartyState | undefined
  readonly name: string
}

/** The party with the roles that are activated for it now. Itself, where there are none. */
export function activated(
  party: PartyState,
  { grants, time }: { readonly grants?: readonly Grant[] | undefined; readonly time: number },
  authenticatedIndex: number,
): PartyState {
  const { identity, eligible } = party
  if (grants === undefined || eligible.length === 0 || identity === undefined) return party
  const ends = new Map<string, number>()
  for (const grant of grants)
    if (isActive(grant, identity, time)) ends.set(grant.role, Math.max(grant.until, ends.get(grant.role) ?? grant.until))
  const active = eligible.flatMap((one) => {
    const end = Math.min(one.until, ends.get(one.by) ?? Number.NEGATIVE_INFINITY)
    return time < end ? [{ ...one, until: end }] : []
  })
  if (active.length === 0) return party
  // A role of its own is what an app-only party needs to be `authenticated`.
  const roles = (state: Eligible['state']): readonly Held[] => {
    const more = active.filter((one) => one.state === state)
    const until = Math.max(...more.filter(({ shown }) => shown).map((one) => one.until))
    return until === Number.NEGATIVE_INFINITY ? more : [...more, { index: authenticatedIndex, role: AUTHENTICATED, until }]
  }
  return stateOf(latest([...party.held, ...roles('held')]), latest([...party.unknown, ...roles('unknown')]), [], identity, party.actor)
}

/** Roles that no claim of the party gives. */
export function unproven({ held, unknown }: Pick<PartyState, 'held' | 'unknown'>): readonly RoleProvenance[] {
  const told = (state: RoleProvenance['state'], all: readonly Held[]): readonly RoleProvenance[] =>
    all.map(({ role, until }) => ({
      role,
      state,
      claim: undefined,
      value: undefined,
      ...(until === Number.POSITIVE_INFINITY ? {} : { until }),
    }))
  return [...told('held', held), ...told('unknown', unknown)]
}

/** Whether it is this party's, and now. */
export function isActive({ issuer, subject, from, until }: Grant, identity: Identity | undefined, time: number): boolean {
  return issuer === identity?.issuer && subject === identity.subject && from <= time && time < until
}

/** Each role once, until its latest end. */
function latest(all: readonly Held[]): readonly Held[] {
  const byIndex = new Map<number, Held>()
  for (const one of all) if ((byIndex.get(one.index)?.until ?? Number.NEGATIVE_INFINITY) < one.until) byIndex.set(one.index, one)
  return [...byIndex.values()]
}

/** @param held In any order */
export function stateOf(
  held: readonly Held[],
  unknown: readonly Held[],
  eligible: readonly Eligible[],
  identity: Identity | undefined,
  actor: PartyState | undefined,
): PartyState {
  const sorted = held.toSorted((a, b) => a.index - b.index)
  const unsure = unknown.toSorted((a, b) => a.index - b.index)
  return {
    held: sorted,
    heldByIndex: new Map(sorted.map((one) => [one.index, one])),
    unknown: unsure,
    unknownByIndex: new Map(unsure.map((one) => [one.index, one])),
    eligible,
    quick: actor === undefined && unknown.length === 0 ? quickRoles(sorted) : undefined,
    identity,
    actor,
    name: identity === undefined ? 'anonymous' : `${identity.issuer}/${identity.subject}`,
  }
}
