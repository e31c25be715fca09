import type { Claims, ClaimValue, Identity, Principal, PrincipalKind, RoleProvenance } from '../core/principal.ts'
import type { Grant } from '../core/decision.ts'
import type { Gradual } from '../core/gradual.ts'
import { AUTHENTICATED, EVERYONE, type Binding } from './model.ts'
import { activated, isActive, stateOf, unproven, type Eligible, type PartyState } from './roleset.ts'
import { toldIdentity, toldRoles, type Told } from './told.ts'
import { isOfType } from './when/condition.ts'

export type RoleState = 'held' | 'not-held' | 'unknown'

/** What a binding makes of an identity of its issuer. Expiry is looked at when deciding, because it depends on the time. */
export function holds(binding: Binding, identity: Identity): RoleState {
  if (binding.issuer !== identity.issuer) return 'not-held'
  if (binding.kind !== undefined && binding.kind !== identity.kind) return 'not-held'
  if (identity.unknownClaims.has(binding.claim)) return 'unknown'
  const value = Object.hasOwn(identity.claims, binding.claim) ? identity.claims[binding.claim] : undefined
  if (value === undefined) return binding.match === 'none' ? 'held' : 'not-held'
  // A value of another type than declared says nothing: it neither has the values nor lacks them.
  if (!isOfType(value, binding.type)) return binding.match === 'none' ? 'unknown' : 'not-held'
  return matches(binding, value) ? 'held' : 'not-held'
}

function matches({ match, values }: Binding, value: ClaimValue): boolean {
  const present = typeof value === 'object' ? value : [value]
  switch (match) {
    case 'any':
      return present.some((one) => values.has(one))
    case 'all':
      return [...values].every((one) => present.includes(one as never))
    case 'none':
      return !present.some((one) => values.has(one))
  }
}

/** The value to show for a held role: what the claim has of the wanted. */
export function matchedValue({ match, claim, values }: Binding, identity: Identity): string | undefined {
  const value = identity.claims[claim]
  if (match === 'none' || value === undefined) return undefined
  const present = typeof value === 'object' ? value : [value]
  const matched = present
    .filter((one) => values.has(one))
    .map(String)
    .toSorted()
  return match === 'all' ? matched.join(', ') : matched[0]
}

/** Bindings found by what they look for, so that binding an identity doesn't cost by the number of roles. */
interface ClaimBindings {
  readonly byValue: Map<string | number | boolean, Binding[]>
  /** `none` bindings, and all others of the claim for when it can't be told. */
  readonly none: Binding[]
  readonly every: Binding[]
}

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

/** Bindings between two steps. */
const STEP = 500

const NO_CLAIMS: Claims = Object.freeze(Object.create(null) as Claims)

/** Gives identities the roles of one policy version. */
export class Binder {
  readonly anonymous: Principal
  readonly #version: string
  readonly #indexes: ReadonlyMap<string, number>
  readonly #issuers = new Map<string, Map<string, ClaimBindings>>()
  readonly #givenBy = new Map<string, ReadonlyMap<string, number>>()

  private constructor(version: string, indexes: ReadonlyMap<string, number>) {
    this.#version = version
    this.#indexes = indexes
    const held = [{ index: this.#index(EVERYONE), role: EVERYONE, until: Number.POSITIVE_INFINITY }]
    const provenance: RoleProvenance[] = [{ role: EVERYONE, state: 'held', claim: undefined, value: undefined }]
    this.anonymous = new BoundPrincipal(this, version, stateOf(held, [], [], undefined, undefined), provenance, undefined)
  }

  /** Takes in some bindings at a time. */
  static *making(version: string, indexes: ReadonlyMap<string, number>, bindings: Iterable<Binding>): Gradual<Binder> {
    const binder = new Binder(version, indexes)
    let count = 0
    for (const binding of bindings) {
      if (++count % STEP === 0) yield
      binder.#add(binding)
    }
    return binder
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
    const reasons = new Map<string, Binding>()
    const eligible: Eligible[] = []
    const shown = { held: Number.NEGATIVE_INFINITY, unknown: Number.NEGATIVE_INFINITY, 'not-held': 0 }
    for (const binding of this.#candidates(identity)) {
      const state = holds(binding, identity)
      const ends = binding.until ?? Number.POSITIVE_INFINITY
      if (binding.eligible) {
        if (state !== 'not-held')
          eligible.push({
            index: this.#index(binding.role),
            role: binding.role,
            until: ends,
            by: binding.via ?? binding.role,
            state,
            shown: binding.match !== 'none',
          })
        continue
      }
      // A claim that is not there shows nothing of an app.
      if (binding.match !== 'none') shown[state] = Math.max(ends, shown[state])
      if (state === 'unknown') unknown.set(binding.role, Math.max(ends, unknown.get(binding.role) ?? ends))
      if (state !== 'held') continue
      const before = until.get(binding.role)
      if (before === undefined || ends > before) {
        until.set(binding.role, ends)
        reasons.set(binding.role, binding)
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
        const binding = reasons.get(role)
        return { role, state: 'held', claim: binding?.claim, value: binding === undefined ? undefined : matchedValue(binding, identity) }
      }),
      ...state.unknown.map(({ role }): RoleProvenance => ({
        role,
        state: 'unknown',
        claim: this.#unknownClaim(role, identity),
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
    for (const { every } of this.#issuers.get(issuer)?.values() ?? [])
      for (const { role, via, until = Number.POSITIVE_INFINITY, eligible, match } of every)
        if (eligible) yield { index: this.#index(role), role, until, by: via ?? role, state: 'held', shown: match !== 'none' }
  }

  /**
   * Until when each role is given for sure that an issuer's claims give without being activated. By which of its bindings somebody has it,
   * nobody tells: the first that ends counts.
   */
  #given(issuer: string): ReadonlyMap<string, number> {
    const known = this.#givenBy.get(issuer)
    if (known !== undefined) return known
    const made = new Map<string, number>()
    for (const { every } of this.#issuers.get(issuer)?.values() ?? [])
      for (const { role, until = Number.POSITIVE_INFINITY, eligible } of every)
        if (!eligible) made.set(role, Math.min(until, made.get(role) ?? until))
    // Issuers that nobody knows are told of by others, and would be many.
    if (made.size > 0) this.#givenBy.set(issuer, made)
    return made
  }

  #unknownClaim(role: string, identity: Identity): string | undefined {
    const claims = [...identity.unknownClaims].toSorted()
    return claims.find(
      (claim) =>
        this.#issuers
          .get(identity.issuer)
          ?.get(claim)
          ?.every.some((binding) => binding.role === role) === true,
    )
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

  #add(binding: Binding): void {
    let claims = this.#issuers.get(binding.issuer)
    if (claims === undefined) this.#issuers.set(binding.issuer, (claims = new Map()))
    let found = claims.get(binding.claim)
    if (found === undefined) claims.set(binding.claim, (found = { byValue: new Map(), none: [], every: [] }))
    found.every.push(binding)
    if (binding.match === 'none') found.none.push(binding)
    // Of `all`, any one value is a necessary condition: the first stands for all of them.
    else
      for (const value of binding.match === 'all' ? [...binding.values].slice(0, 1) : binding.values) {
        const list = found.byValue.get(value)
        if (list === undefined) found.byValue.set(value, [binding])
        else list.push(binding)
      }
  }

  *#candidates(identity: Identity): Iterable<Binding> {
    for (const [claim, bindings] of this.#issuers.get(identity.issuer) ?? []) {
      if (identity.unknownClaims.has(claim)) {
        yield* bindings.every
        continue
      }
      yield* bindings.none
      const value = Object.hasOwn(identity.claims, claim) ? identity.claims[claim] : undefined
      if (value === undefined) continue
      for (const one of typeof value === 'object' ? value : [value]) yield* bindings.byValue.get(one) ?? []
    }
  }
}
