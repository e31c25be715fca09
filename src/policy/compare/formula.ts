/** One policy in one cell, as formulas over facts. */
import type { MaskedField } from '../../core/decision.ts'
import { AUTHENTICATED, EVERYONE, type Guardrail, type Rule } from '../model.ts'
import { describeLimit } from '../obligations.ts'
import { describeDemand, type Demand } from '../require.ts'
import type { World } from '../world.ts'
import { inNetwork } from './addresses.ts'
import { ALWAYS, NEVER, type Bdd, type Node } from './bdd.ts'
import type { ActionCell } from '../actions/cells.ts'
import { Conditions } from './conditions.ts'
import { ANONYMOUS, NotComparable } from './fact.ts'
import type { Facts } from './facts.ts'
import { Restrictions, type Restriction } from './restrictions.ts'
import { foreignKeys, type RoleDefinition } from './roles.ts'

/** A rule or guardrail by a pattern of its that covers the cell. */
export interface CellStatement {
  readonly statement: Rule | Guardrail
  /** The cell's number of the pattern. */
  readonly pattern: number
}

/** One version in one cell. */
export interface Side {
  readonly world: World
  readonly roles: ReadonlyMap<string, RoleDefinition>
  /** Undefined where the version has no such resource. */
  readonly resource: World['resources'][string] | undefined
  readonly statements: readonly CellStatement[]
  /** Scopes that cover the cell. */
  readonly scopes: readonly string[]
}

export const STATEMENT = ['id', 'description', 'resources', 'actions', 'when', 'span', 'resourceSpan', 'kind', 'roles']
const RULE = new Set([...STATEMENT, 'peer'])
const GUARDRAIL = new Set([...STATEMENT, 'who', 'denies', 'requires', 'approval', 'masks', 'limit', 'strict', 'observedUntil'])
const RESOURCE = new Set(['protocol', 'labels', 'scopes', 'issuers', 'operations', 'observedUntil'])
const DEMANDS: ReadonlySet<string> = new Set(['mfa', 'auth-context', 'proof-of-possession', 'device', 'network', 'justification'])

/** Says what of one version in a cell is not understood here; undefined where all of it is. */
export function notUnderstood({ statements, resource, roles }: Side): string | undefined {
  const [ofResource] = resource === undefined ? [] : foreignKeys(resource, RESOURCE)
  if (ofResource !== undefined) return `\`${ofResource}\` of the resource is not compared yet`
  for (const { statement } of statements) {
    const key = foreignKey(statement)
    if (key !== undefined) return `\`${key}\` of \`${statement.id}\` is not compared yet`
    for (const role of [...statement.roles, ...(statement.kind === 'rule' ? (statement.peer ?? []) : [])]) {
      const found = roles.get(role)?.foreign
      if (found !== undefined) return `\`${found}\` of role \`${role}\` is not compared yet`
    }
  }
  return undefined
}

const foreign = new WeakMap<object, string | undefined>()

/** What a statement has that is not understood here. Statements don't change, and are in many cells. */
function foreignKey(statement: Rule | Guardrail): string | undefined {
  if (!foreign.has(statement))
    foreign.set(statement, foreignKeys(withoutNothing(statement), statement.kind === 'rule' ? RULE : GUARDRAIL)[0])
  return foreign.get(statement)
}

/** Without what says nothing: false, an empty list. */
function withoutNothing(statement: object): object {
  return Object.fromEntries(
    Object.entries(statement).filter(([, value]) => value !== false && !(Array.isArray(value) && value.length === 0)),
  )
}

/** Makes the formulas of one version. First `expect`, for both versions; then `restrictions`. */
export class Formulas {
  readonly #side: Side
  readonly #facts: Facts
  readonly #bdd: Bdd
  readonly #conditions: Conditions
  readonly #peer: Facts
  readonly #told: (definition: RoleDefinition) => boolean

  /**
   * @param peer What can be so of the other end of the connection
   * @param told Whether a role may be told by its name
   */
  constructor(side: Side, facts: Facts, peer: Facts, cell: ActionCell, told: (definition: RoleDefinition) => boolean) {
    this.#side = side
    this.#facts = facts
    this.#peer = peer
    this.#bdd = facts.bdd
    this.#conditions = new Conditions(side.world, facts, cell)
    this.#told = told
  }

  /** Announces everything that the formulas will ask for. */
  expect(): void {
    for (const definition of usedRoles(this.#side)) this.#facts.expectRole(definition)
    for (const definition of peerRoles(this.#side)) this.#peer.expectRole(definition)
    const { resource } = this.#side
    if (resource?.observedUntil !== undefined) this.#facts.expectCut(resource.observedUntil)
    for (const { statement, pattern } of this.#side.statements) {
      if (statement.kind === 'guardrail' && statement.observedUntil !== undefined) this.#facts.expectCut(statement.observedUntil)
      if (statement.when !== undefined) this.#conditions.expect(statement.when, pattern)
      for (const demand of requiresOf(statement)) {
        for (const [issuer, { claim, values }] of demand.byIssuer) this.#facts.claims.expectValues(issuer, claim, values)
        if (demand.kind === 'network') for (const network of networksOf(demand)) this.#facts.expectNetwork(network)
      }
    }
  }

  /** Masks that can be asked for. */
  get masks(): readonly MaskedField[] {
    return this.#side.statements.flatMap(({ statement }) => (statement.kind === 'guardrail' ? statement.masks : []))
  }

  /**
   * All that stands in the way, the denial first.
   * @param masks Those of both versions
   */
  restrictions(masks: readonly MaskedField[]): readonly Restriction[] {
    const bdd = this.#bdd
    const { statements, resource } = this.#side
    const rules = statements.filter((one): one is CellStatement & { readonly statement: Rule } => one.statement.kind === 'rule')
    const guardrails = statements
      .filter((one): one is CellStatement & { readonly statement: Guardrail } => one.statement.kind === 'guardrail')
      .map(({ statement, pattern }) => ({ guardrail: statement, applies: this.#applies(statement, pattern) }))
    const grants = bdd.any(rules.map(({ statement, pattern }) => this.#grants(statement, pattern)))
    const denies = bdd.any(guardrails.map(({ guardrail, applies }) => (guardrail.denies ? applies : NEVER)))
    const { known, accepted, inScope } = this.#admitted()
    const denied = bdd.any([bdd.not(accepted), bdd.not(inScope), bdd.not(grants), denies])
    // Until then, what the policy would stop is let through, as long as the credential is good.
    const enforced = resource?.observedUntil === undefined ? ALWAYS : this.#facts.from(resource.observedUntil)
    const found = new Restrictions(bdd)
    found.add({ layer: 'deny', key: 'deny', of: undefined, said: 'deny', shows: 'deny' }, bdd.or(bdd.not(known), bdd.and(enforced, denied)))
    for (const { guardrail, applies } of guardrails) {
      const met = bdd.and(applies, enforced)
      for (const demand of guardrail.requires) {
        const said = describeDemand(demand)
        const shows = `${demand.kind} ${demand.name}`
        found.add({ layer: 'challenge', key: shows, of: undefined, said, shows }, bdd.minus(met, this.#met(demand)))
      }
      if (guardrail.approval !== undefined) {
        const { from, count } = guardrail.approval
        const said = `${count === 1 ? 'an approval' : `${count} approvals`} by ${from.map((role) => `\`${role}\``).join(' or ')}`
        const shows = JSON.stringify([count, from])
        found.add(
          { layer: 'approval', key: shows, of: undefined, said, shows },
          bdd.minus(met, this.#facts.said(`approval ${shows}`, said)),
        )
      }
      // Whoever is let through by observation alone is obliged as well.
      const obliged = bdd.and(applies, bdd.or(accepted, bdd.not(enforced)))
      if (guardrail.strict)
        found.add({ layer: 'obligation', key: 'record', of: undefined, said: 'a strict record', shows: 'record' }, obliged)
      if (guardrail.limit !== undefined) {
        const { requests, window } = guardrail.limit
        const said = `at most ${describeLimit(guardrail.limit)}`
        found.add({ layer: 'obligation', key: said, of: undefined, said, shows: `limit ${requests} ${window}` }, obliged)
      }
      for (const field of guardrail.masks) found.mask(field, obliged)
    }
    return found.all(masks)
  }

  /** What the resource itself lets in: known issuers that it accepts, and of delegated tokens those with a scope for this. */
  #admitted(): { readonly known: Node; readonly accepted: Node; readonly inScope: Node } {
    const bdd = this.#bdd
    const { resource, world, scopes } = this.#side
    const known = this.#facts.issuer((one) => one === ANONYMOUS || Object.hasOwn(world.issuers, one))
    if (resource === undefined) return { known: NEVER, accepted: NEVER, inScope: NEVER }
    const { issuers } = resource
    const accepted = issuers === undefined ? ALWAYS : this.#facts.issuer((one) => one === ANONYMOUS || issuers.includes(one))
    const covered = (): Node => bdd.any(scopes.map((scope) => this.#facts.scope(scope)))
    return { known, accepted, inScope: resource.scopes === undefined ? ALWAYS : bdd.or(bdd.not(this.#facts.delegated), covered()) }
  }

  #role(name: string): { readonly held: Node; readonly maybe: Node } {
    const definition = definitionOf(name, this.#side)
    return this.#facts.role(definition, this.#told(definition), this.#side.world)
  }

  #grants({ roles, peer, when }: Rule, pattern: number): Node {
    const bdd = this.#bdd
    const held = bdd.any(roles.map((role) => this.#role(role).held))
    const met = peer === undefined ? held : bdd.and(held, this.#peerHolds(peer))
    return when === undefined ? met : bdd.and(met, this.#conditions.meaning(when, pattern).yes)
  }

  /** Roles that are activated are no roles of a peer. */
  #peerHolds(roles: readonly string[]): Node {
    const held = roles.map((name) => {
      const definition = asPeer(definitionOf(name, this.#side))
      return this.#peer.role(definition, this.#told(definition), this.#side.world).held
    })
    return this.#bdd.minus(this.#bdd.any(held), this.#peer.anonymous)
  }

  #applies({ who, roles, when, observedUntil }: Guardrail, pattern: number): Node {
    const bdd = this.#bdd
    const meets =
      who === 'for' ? bdd.any(roles.map((role) => this.#role(role).maybe)) : bdd.not(bdd.any(roles.map((role) => this.#role(role).held)))
    const met = when === undefined ? meets : bdd.minus(meets, this.#conditions.meaning(when, pattern).no)
    return observedUntil === undefined ? met : bdd.and(met, this.#facts.from(observedUntil))
  }

  #met(demand: Demand): Node {
    const { kind, name, byIssuer } = demand
    if (!DEMANDS.has(kind)) throw new NotComparable(`\`require\` of \`${kind}\` is not compared yet`)
    switch (kind) {
      case 'proof-of-possession':
        return this.#facts.possession((method) => method !== 'none' && (name === 'any' || name === method))
      case 'network':
        return this.#facts.address((text) => networksOf(demand).some((network) => inNetwork(text, network) === true))
      case 'justification':
        return this.#facts.justified(name)
      default:
        return this.#bdd.any([...byIssuer].map(([issuer, { claim, values }]) => this.#facts.claims.hasValue(issuer, claim, values)))
    }
  }
}

export function definitionOf(name: string, { roles }: Pick<Side, 'roles'>): RoleDefinition {
  return roles.get(name) ?? { name, id: -1, bindings: [], foreign: name === EVERYONE || name === AUTHENTICATED ? undefined : name }
}

export function usedRoles(side: Side): readonly RoleDefinition[] {
  const names = new Set(side.statements.flatMap(({ statement }) => statement.roles))
  names.delete(EVERYONE)
  return [...names].map((name) => definitionOf(name, side))
}

function requiresOf(statement: Rule | Guardrail): readonly Demand[] {
  return statement.kind === 'rule' ? [] : statement.requires
}

function networksOf({ name }: Demand): readonly string[] {
  return name.split(', ')
}

/** Roles that peers are asked for. */
export function peerRoles(side: Side): readonly RoleDefinition[] {
  const names = new Set(side.statements.flatMap(({ statement }) => (statement.kind === 'rule' ? (statement.peer ?? []) : [])))
  names.delete(EVERYONE)
  return [...names].map((name) => asPeer(definitionOf(name, side)))
}

/** A peer activates nothing. */
function asPeer(definition: RoleDefinition): RoleDefinition {
  return { ...definition, bindings: definition.bindings.filter(({ eligible }) => eligible === undefined) }
}
