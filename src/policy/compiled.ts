import type { Action } from '../core/action.ts'
import type { Decision, DecisionContext } from '../core/decision.ts'
import type { Policy } from '../core/policy.ts'
import { atOnce, type Gradual } from '../core/gradual.ts'
import type { Identity, Principal } from '../core/principal.ts'
import { vocabularyOf } from './actions/index.ts'
import { accessOf, type Access } from './access.ts'
import { Binder } from './bind.ts'
import { Cells } from './cells.ts'
import { compile, roleIndexes, type CompiledResource } from './compile.ts'
import { decideCompiled } from './decide.ts'
import { explain, type Explanation } from './explain.ts'
import { AUTHENTICATED, BUILT_IN_ROLES, type Binding, type Guardrail, type Model, type Role, type Rule } from './model.ts'
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

/** Makes it, some bindings at a time. */
export function* preparing(model: Model, version: string, now: number, changesAt: number | undefined): Gradual<Prepared> {
  const indexes = roleIndexes([...model.roles.keys(), ...BUILT_IN_ROLES])
  yield
  const binder = yield* Binder.making(version, indexes, liveBindings(model, now))
  yield
  const cells = new Cells(version, [...indexes.keys()])
  return { binder, authenticated: indexes.get(AUTHENTICATED)!, cells, resources: compile(model, indexes, cells), changesAt }
}

function* liveBindings({ roles }: Model, now: number): Iterable<Binding> {
  for (const { bindings } of roles.values()) for (const one of bindings) if (one.until === undefined || now < one.until) yield one
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
  /** Index of that role. */
  readonly #authenticated: number
  readonly #cells: Cells
  readonly #resources: ReadonlyMap<string, CompiledResource>

  constructor(model: Model, version: string, now: number, prepared = atOnce(preparing(model, version, now, nextExpiry(model, now)))) {
    this.version = version
    this.loadedAt = now
    this.model = model
    this.changesAt = prepared.changesAt
    this.#binder = prepared.binder
    this.#authenticated = prepared.authenticated
    this.#cells = prepared.cells
    this.#resources = prepared.resources
    this.anonymous = this.#binder.anonymous
  }

  /** Resources that were decided about. */
  get asked(): readonly string[] {
    return [...this.#resources].filter(([, { isReady }]) => isReady).map(([name]) => name)
  }

  /** Makes what is needed to decide about a resource, which otherwise whoever asks about it first waits for. */
  prepare(resource: string): void {
    this.#resources.get(resource)?.makeReady()
  }

  bind(identity: Identity): Principal {
    return this.#binder.bind(identity)
  }

  decide(principal: Principal, action: Action, resource: string, context: DecisionContext): Decision {
    try {
      return decideCompiled(this.#resources, this.#binder.stateOf(principal), {
        policyVersion: this.version,
        action,
        resource,
        context,
        peer: context.peer === undefined ? undefined : this.#binder.stateOf(context.peer),
        authenticated: this.#authenticated,
        cells: this.#cells,
      })
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
