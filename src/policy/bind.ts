import type { Claims, Identity, Principal, PrincipalKind, RoleProvenance } from '../core/principal.ts'
import type { Grant } from '../core/decision.ts'
import type { Bindings } from './bindings.ts'
import { matchedValue } from './holds.ts'
import { AUTHENTICATED, EVERYONE } from './model.ts'
import { activated, isActive, stateOf, unproven, type Eligible, type PartyState } from './roleset.ts'
import { toldIdentity, toldRoles, type Told } from './told.ts'

/** Parties of a chain beyond these are not looked at; the decision is then a denial. */
export const MAX_PARTIES = 4

/** The principal that `Binder` makes: it carries its state for the policy that made it, unseen by anybody else. */
class BoundPrincipal implements Principal {
  readonly issuer: string
  readonly subject: string
  readonly kind: PrincipalKind
  readonly claims: Claims
  readonly roles: readonly string[]
  readonly unknownRoles: readonly string[]
  readonly provenance: readonly RoleProvenance[]
  declare readonly activated?: readonly Grant[]
  declare readonly rolesUntil?: number
  readonly actor: Principal | undefined
  readonly identity: Identity | undefined
  readonly policyVersion: string
  readonly #owner: Binder
  readonly #state: PartyState

  constructor(
    owner: Binder,
    version: string,
    state: PartyState,
    provenance: readonly RoleProvenance[],
    actor: Principal | undefined,
    grants: readonly Grant[] = [],
  ) {
    const { identity } = state
    this.issuer = identity?.issuer ?? ''
    this.subject = identity?.subject ?? ''
    this.kind = identity?.kind ?? 'anonymous'
    this.claims = identity?.claims ?? NO_CLAIMS
    this.roles = state.held.map(({ role }) => role)
    this.unknownRoles = state.unknown.map(({ role }) => role)
    this.provenance = provenance
    this.actor = actor
    this.identity = identity
    this.policyVersion = version
    this.#owner = owner
    this.#state = state
    if (grants.length > 0) this.activated = grants
    // Most have none that ends, which is known of them already.
    const ends = state.quick === undefined ? Math.min(...state.held.map(({ until }) => until)) : Number.POSITIVE_INFINITY
    const first = Math.min(ends, actor?.rolesUntil ?? Number.POSITIVE_INFINITY)
    if (first !== Number.POSITIVE_INFINITY) this.rolesUntil = first
  }

  static stateOf(owner: Binder, principal: Principal): PartyState | undefined {
    return #state in principal && principal.#owner === owner ? principal.#state : undefined
  }
}

const NO_CLAIMS: Claims = Object.freeze(Object.create(null) as Claims)

function first(one: string, other: string | undefined): string {
  return other === undefined || one < other ? one : other
}

/** Gives identities the roles of one policy version. */
export class Binder {
  readonly anonymous: Principal
  readonly #version: string
  readonly #indexes: ReadonlyMap<string, number>
  readonly #bindings: Bindings
  readonly #givenBy = new Map<string, ReadonlyMap<string, number>>()

  /** @param indexes Of every role */
  constructor(version: string, indexes: ReadonlyMap<string, number>, bindings: Bindings) {
    this.#version = version
    this.#indexes = indexes
    this.#bindings = bindings
    const held = [{ index: this.#index(EVERYONE), role: EVERYONE, until: Number.POSITIVE_INFINITY }]
    const provenance: RoleProvenance[] = [{ role: EVERYONE, state: 'held', claim: undefined, value: undefined }]
    this.anonymous = new BoundPrincipal(this, version, stateOf(held, [], [], undefined, undefined), provenance, undefined)
  }

  /** What `principal` is to this policy. One that another policy made is bound anew: its roles are never believed. */
  stateOf(principal: Principal): PartyState {
    const known = BoundPrincipal.stateOf(this, principal)
    if (known !== undefined) return known
    const own = principal.identity === undefined ? this.anonymous : this.bind(principal.identity)
    return BoundPrincipal.stateOf(this, own)!
  }

  bind(identity: Identity): Principal {
    return this.#bind(identity, 1)
  }

  #bind(identity: Identity, party: number): Principal {
    // One party more than allowed is kept, so that the decision sees that there are too many.
    const actor = identity.actor === undefined || party > MAX_PARTIES ? undefined : this.#bind(identity.actor, party + 1)
    const until = new Map<string, number>()
    const unknown = new Map<string, number>()
    const reasons = new Map<string, number>()
    /** By role, the first claim of those that leave it open. */
    const untold = new Map<string, string>()
    const eligible: Eligible[] = []
    const shown = { held: Number.NEGATIVE_INFINITY, unknown: Number.NEGATIVE_INFINITY, 'not-held': 0 }
    const bindings = this.#bindings
    for (const claim of bindings.claimsOf(identity.issuer))
      for (const row of bindings.candidates(claim, identity)) {
        const state = bindings.stateOf(row, claim, identity)
        if (bindings.isEligible(row)) {
          if (state !== 'not-held') eligible.push({ ...this.#eligible(row), state })
          continue
        }
        const [role, ends] = [bindings.role(row), bindings.until(row)]
        // A claim that is not there shows nothing of an app.
        if (bindings.isShown(row)) shown[state] = Math.max(ends, shown[state])
        if (state === 'unknown') {
          unknown.set(role, Math.max(ends, unknown.get(role) ?? ends))
          if (identity.unknownClaims.has(claim.name)) untold.set(role, first(claim.name, untold.get(role)))
        }
        if (state !== 'held') continue
        const before = until.get(role)
        if (before === undefined || ends > before) {
          until.set(role, ends)
          reasons.set(role, row)
        }
      }
    // Known for a time only: after it, the role is as unknown as the other binding leaves it.
    for (const role of unknown.keys()) if (until.get(role) === Number.POSITIVE_INFINITY) unknown.delete(role)
    this.#authenticated(identity, shown, until, unknown)
    until.set(EVERYONE, Number.POSITIVE_INFINITY)

    const held = [...until].map(([role, ends]) => ({ index: this.#index(role), role, until: ends }))
    const unsure = [...unknown].map(([role, ends]) => ({ index: this.#index(role), role, until: ends }))
    const state = stateOf(held, unsure, eligible, identity, actor === undefined ? undefined : this.stateOf(actor))
    const provenance: RoleProvenance[] = [
      ...state.held.map(({ role }): RoleProvenance => {
        const row = reasons.get(role)
        const binding = row === undefined ? undefined : bindings.binding(row)
        return { role, state: 'held', claim: binding?.claim, value: binding === undefined ? undefined : matchedValue(binding, identity) }
      }),
      ...state.unknown.map(({ role }): RoleProvenance => ({
        role,
        state: 'unknown',
        claim: untold.get(role),
        value: undefined,
      })),
    ]
    return new BoundPrincipal(this, this.#version, state, provenance, actor)
  }

  /** With the eligible roles that are active at `time`: they are among its roles, each until its end. */
  activate(principal: Principal, grants: readonly Grant[], time: number): Principal {
    const before = this.stateOf(principal)
    const actor = principal.actor === undefined ? undefined : this.activate(principal.actor, grants, time)
    const own = activated(before, { grants, time }, this.#index(AUTHENTICATED))
    if (own === before && actor === principal.actor) return principal
    const state = stateOf(own.held, own.unknown, own.eligible, own.identity, actor === undefined ? undefined : this.stateOf(actor))
    const known = new Map(principal.provenance.map((one) => [`${one.state} ${one.role}`, one]))
    const provenance = unproven(state).map((one) => known.get(`${one.state} ${one.role}`) ?? one)
    const by = new Set(before.eligible.map((one) => one.by))
    const used = grants.filter((one) => by.has(one.role) && isActive(one, before.identity, time))
    return new BoundPrincipal(this, this.#version, state, provenance, actor, used)
  }

  /**
   * Somebody as another tells of them who has verified who they are. What is active for them was activated by what they proved then: their
   * claims are not there to be looked at again.
   */
  holding(told: Told, grants: readonly Grant[], time: number): Principal {
    const { held, unsure } = toldRoles(told.roles, this.#indexes, this.#given(told.issuer))
    const identity = toldIdentity(told)
    const state = stateOf(held, unsure, grants.length === 0 ? [] : [...this.#eligibleAt(told.issuer)], identity, undefined)
    return this.activate(new BoundPrincipal(this, this.#version, state, unproven(state), undefined), grants, time)
  }

  /** What any claim of an issuer's principals may make them eligible for. */
  *#eligibleAt(issuer: string): Iterable<Eligible> {
    for (const claim of this.#bindings.claimsOf(issuer))
      for (const row of this.#bindings.rowsOf(claim)) if (this.#bindings.isEligible(row)) yield { ...this.#eligible(row), state: 'held' }
  }

  #eligible(row: number): Omit<Eligible, 'state'> {
    const [role, until, by] = [this.#bindings.role(row), this.#bindings.until(row), this.#bindings.by(row)]
    return { index: this.#index(role), role, until, by, shown: this.#bindings.isShown(row) }
  }

  /**
   * Until when each role is given for sure that an issuer's claims give without being activated. By which of its bindings somebody has it,
   * nobody tells: the first that ends counts.
   */
  #given(issuer: string): ReadonlyMap<string, number> {
    const known = this.#givenBy.get(issuer)
    if (known !== undefined) return known
    const made = new Map<string, number>()
    for (const claim of this.#bindings.claimsOf(issuer))
      for (const row of this.#bindings.rowsOf(claim)) {
        if (this.#bindings.isEligible(row)) continue
        const [role, until] = [this.#bindings.role(row), this.#bindings.until(row)]
        made.set(role, Math.min(until, made.get(role) ?? until))
      }
    // Issuers that nobody knows are told of by others, and would be many.
    if (made.size > 0) this.#givenBy.set(issuer, made)
    return made
  }

  /** @param shown Until when roles are held, or can't be told, that something in the identity gives. */
  #authenticated(
    identity: Identity,
    shown: Readonly<Record<'held' | 'unknown', number>>,
    until: Map<string, number>,
    unknown: Map<string, number>,
  ): void {
    const roles = identity.claims['roles']
    const certain = !identity.appOnly || identity.listedClient || (Array.isArray(roles) && roles.length > 0)
    const ends = certain ? Number.POSITIVE_INFINITY : shown.held
    if (ends !== Number.NEGATIVE_INFINITY) until.set(AUTHENTICATED, ends)
    if (ends === Number.POSITIVE_INFINITY) return
    const unsure = identity.unknownClaims.has('roles') ? Number.POSITIVE_INFINITY : shown.unknown
    if (unsure !== Number.NEGATIVE_INFINITY) unknown.set(AUTHENTICATED, unsure)
  }

  #index(role: string): number {
    return this.#indexes.get(role)!
  }
}
