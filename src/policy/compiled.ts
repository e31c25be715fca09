import type { Action } from '../core/action.ts'
import type { Decision, DecisionContext, Grant } from '../core/decision.ts'
import type { Policy } from '../core/policy.ts'
import { atOnce, type Gradual } from '../core/gradual.ts'
import type { Identity, Principal } from '../core/principal.ts'
import { vocabularyOf, type RecordIndex } from './actions/index.ts'
import { accessOf, type Access } from './access.ts'
import { Binder } from './bind.ts'
import { Bindings, bindingsOf, flatBindings } from './bindings.ts'
import { Cells, type KnownCells } from './cells.ts'
import { compile, roleIndexes, type CompiledResource } from './compile.ts'
import { decideCompiled, type Deciding } from './decide.ts'
import { explain, type Explanation } from './explain.ts'
import { AUTHENTICATED, BUILT_IN_ROLES, type Guardrail, type Model, type Role, type Rule } from './model.ts'
import { statementsOn } from './statements.ts'
import { whoCan, type WhoCan } from './whocan.ts'
import { nextExpiry } from './version.ts'
import type { ResourceInfo } from './world.ts'

/** What a policy is made of besides its model. */
export interface Prepared {
  readonly binder: Binder
  /** Index of that role. */
  readonly authenticated: number
  readonly cells: Cells
  readonly resources: ReadonlyMap<string, CompiledResource>
  readonly changesAt: number | undefined
}

/** What was made before: indexes of resources and the cells that they are about, and the bindings. @param indexes Of every role */
type Known = (indexes: ReadonlyMap<string, number>) => {
  readonly actions: KnownCells & { of(resource: string): RecordIndex | undefined }
  readonly bindings: Bindings
}

/** Makes it, with a pause after each part. */
export function* preparing(model: Model, version: string, now: number, changesAt: number | undefined, known?: Known): Gradual<Prepared> {
  const indexes = roleIndexes([...model.roles.keys(), ...BUILT_IN_ROLES])
  const names = [...indexes.keys()]
  yield
  const before = known?.(indexes)
  yield
  const binder = new Binder(version, indexes, before?.bindings ?? readBindings(model, indexes, names, now))
  yield
  const cells = new Cells(version, names, before?.actions)
  yield
  const resources = compile(model, indexes, cells, before?.actions)
  return { binder, authenticated: indexes.get(AUTHENTICATED)!, cells, resources, changesAt }
}

function readBindings(model: Model, indexes: ReadonlyMap<string, number>, names: readonly string[], now: number): Bindings {
  const all = bindingsOf(model)
  return new Bindings(flatBindings(model, indexes, now), names, (place) => all[place]!)
}

interface Widened {
  readonly rules: readonly { readonly roles: readonly string[]; readonly patterns: readonly unknown[] }[]
  readonly denials: readonly {
    readonly applies: (held: (roles: readonly string[]) => boolean) => boolean
    readonly patterns: readonly unknown[]
  }[]
}

/** Denies whatever else is known. */
function isPlainDenial({ denies, when, observedUntil }: Guardrail): boolean {
  return denies && when === undefined && observedUntil === undefined
}

/** One immutable version of the policy. */
export class CompiledPolicy implements Policy {
  readonly version: string
  readonly anonymous: Principal
  /** Milliseconds since the epoch: when access next changes by itself, as a breakGlass binding ends. Load anew then. */
  readonly changesAt: number | undefined
  readonly model: Model
  /** Milliseconds since the epoch: what had ended by then gives nothing. */
  readonly loadedAt: number
  readonly #binder: Binder
  readonly #deciding: Deciding
  readonly #widened = new Map<string, Widened>()

  constructor(model: Model, version: string, now: number, prepared = atOnce(preparing(model, version, now, nextExpiry(model, now)))) {
    this.version = version
    this.loadedAt = now
    this.model = model
    this.changesAt = prepared.changesAt
    this.#binder = prepared.binder
    const { authenticated, cells, resources } = prepared
    this.#deciding = { version, authenticated, cells, resources, stateOf: (principal) => this.#binder.stateOf(principal) }
    this.anonymous = this.#binder.anonymous
  }

  /** Resources that were decided about. */
  get asked(): readonly string[] {
    return [...this.#deciding.resources].filter(([, { isReady }]) => isReady).map(([name]) => name)
  }

  /** Makes what is needed to decide about a resource, which otherwise whoever asks about it first waits for. */
  prepare(resource: string): void {
    this.#deciding.resources.get(resource)?.makeReady()
  }

  bind(identity: Identity): Principal {
    return this.#binder.bind(identity)
  }

  activate(principal: Principal, grants: readonly Grant[], time: number): Principal {
    return this.#binder.activate(principal, grants, time)
  }

  /** Roles that somebody may have activated for a time, sorted. Not those of which that can't be told, nor of who acts for them. */
  eligibleRoles(identity: Identity, now: number): readonly string[] {
    const { eligible } = this.#binder.stateOf(this.#binder.bind(identity))
    return [...new Set(eligible.filter(({ state, until }) => state === 'held' && now < until).map(({ by }) => by))].toSorted()
  }

  /**
   * Somebody as another tells of them who has verified who they are: these roles, those that are active for them at `time`, and every claim
   * of the issuer is unknown.
   */
  holding(issuer: string, subject: string, roles: readonly string[], grants: readonly Grant[] = [], time = 0): Principal {
    const { issuers } = this.model.world
    const own = issuers[issuer]
    const claims = own === undefined ? Object.values(issuers).flatMap((one) => Object.keys(one.claims)) : Object.keys(own.claims)
    // Whoever was let in by an issuer that is gone from here is `authenticated` to others alone.
    const known = own === undefined ? roles.filter((role) => role !== AUTHENTICATED) : roles
    return this.#binder.holding({ issuer, subject, roles: known, claims }, grants, time)
  }

  /** Whether a guardrail that is enforced may be about it, whatever its condition: also of what nothing grants, where none is named. */
  isGuarded(principal: Principal, action: Action, resource: string, now: number): boolean {
    const vocabulary = vocabularyOf(action.protocol)
    if (vocabulary === undefined) return true
    const { roles, unknownRoles } = principal
    const mayMeet = vocabulary.mayMeet ?? vocabulary.matches
    return statementsOn(this.model, resource).guardrails.some(
      ({ who, roles: named, actions, observedUntil }) =>
        !(observedUntil !== undefined && now < observedUntil) &&
        (who === 'for'
          ? named.some((role) => roles.includes(role) || unknownRoles.includes(role))
          : !named.some((role) => roles.includes(role))) &&
        actions.some(({ pattern }) => mayMeet(pattern, action)),
    )
  }

  decide(principal: Principal, action: Action, resource: string, context: DecisionContext): Decision {
    try {
      return decideCompiled(this.#deciding, this.#binder.stateOf(principal), action, resource, context)
    } catch {
      // Nothing of the above throws on what the types allow. Whatever else came in is not allowed.
      return {
        effect: 'deny',
        rule: undefined,
        rules: [],
        reasons: [{ code: 'condition-error' }],
        obligations: [],
        policyVersion: this.version,
      }
    }
  }

  mayInPart(principal: Principal, action: Action, resource: string): boolean {
    const vocabulary = vocabularyOf(action.protocol)
    const partly = vocabulary?.partly
    if (vocabulary === undefined || partly === undefined) return false
    const { rules, denials } = this.#widened.get(resource) ?? this.#widen(resource)
    const held = (roles: readonly string[]): boolean => roles.some((name) => principal.roles.includes(name))
    // What all of it is denied by leaves no part of it.
    if (denials.some(({ applies, patterns }) => applies(held) && patterns.some((pattern) => vocabulary.matches(pattern as never, action))))
      return false
    return rules.some(({ roles, patterns }) => held(roles) && patterns.some((pattern) => partly(pattern as never, action)))
  }

  /** What rules grant on a resource, read as guardrails are: they meet what is about more than they name. And guardrails as rules are. */
  #widen(resource: string): Widened {
    const { rules, guardrails } = statementsOn(this.model, resource)
    const read = (actions: (typeof rules)[number]['actions'], side: 'grants' | 'takes'): readonly unknown[] =>
      actions.flatMap(({ pattern }) => {
        const { pattern: other } = vocabularyOf(pattern.protocol)!.parse(pattern.text, side)
        return other === undefined ? [] : [other]
      })
    const widened: Widened = {
      rules: rules.map(({ roles, actions }) => ({ roles, patterns: read(actions, 'takes') })),
      denials: guardrails.flatMap((one) =>
        isPlainDenial(one) ? [{ applies: (held) => held(one.roles) === (one.who === 'for'), patterns: read(one.actions, 'grants') }] : [],
      ),
    }
    this.#widened.set(resource, widened)
    return widened
  }

  /** Why the decision is what it is, and what would change it. Slower than `decide`, and independent of its index. */
  explain(principal: Principal, action: Action, resource: string, context: DecisionContext): Explanation {
    return explain(this.model, this.version, this.loadedAt, this.#binder.stateOf(principal).identity, action, resource, context)
  }

  /** Who can do it, in roles and bindings; undefined for a resource that isn't known. @param now Milliseconds since the epoch. */
  whoCan(action: Action, resource: string, now: number): WhoCan | undefined {
    return whoCan(this.model, action, resource, now)
  }

  /** What somebody has access to, and by what. @param context Its time is what roles are looked at by. */
  access(identity: Identity, context: DecisionContext): Access {
    return accessOf(this.model, this.loadedAt, identity, context)
  }

  /** Sorted by name. */
  get roles(): readonly Role[] {
    return [...this.model.roles.values()]
  }

  /** Sorted by id. */
  get rules(): readonly Rule[] {
    return this.model.rules
  }

  /** Sorted by id. */
  get guardrails(): readonly Guardrail[] {
    return this.model.guardrails
  }

  /** Sorted by name. `exampleAction` is one of its protocol, to show to whoever is to write one. */
  get resources(): readonly (ResourceInfo & { readonly name: string; readonly exampleAction: string })[] {
    return Object.entries(this.model.world.resources)
      .map(([name, info]) => ({ name, ...info, exampleAction: vocabularyOf(info.protocol)?.exampleAction ?? '' }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }
}
