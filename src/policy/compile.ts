import type { Obligation } from '../core/decision.ts'
import { vocabularyOf, type ActionIndex, type ActionPattern } from './actions/index.ts'
import type { Cells } from './cells.ts'
import { Cell, type GuardrailSlot, type RuleSlot, type ScopeSlot } from './cell.ts'
import type { Guardrail, Model, Rule } from './model.ts'
import { statementsOn } from './statements.ts'

export interface CompiledResource {
  readonly protocol: string
  /** Numbers of cells. Made when it is first asked for. */
  readonly index: ActionIndex<number>
  readonly isReady: boolean
  makeReady(): void
  /** Issuers whose principals may come; undefined for all. */
  readonly issuers: ReadonlySet<string> | undefined
  /** Delegated tokens are limited to the actions of their scopes. */
  readonly scoped: boolean
  /** Only observed before this instant, milliseconds since the epoch; undefined where it is enforced. */
  readonly observedUntil: number | undefined
}

/** Index of each role: the order of their names, so that nothing depends on where they are written. */
export function roleIndexes(roles: Iterable<string>): ReadonlyMap<string, number> {
  return new Map([...new Set(roles)].toSorted().map((role, i) => [role, i]))
}

/** Compiles a model: a resource, and within it a place of its index, when it is first asked about. Most of a large policy waits for long. */
export function compile(model: Model, indexes: ReadonlyMap<string, number>, cells: Cells): ReadonlyMap<string, CompiledResource> {
  const compiled = new Map<string, CompiledResource>()
  for (const [name, { protocol, issuers, scopes, observedUntil }] of Object.entries(model.world.resources)) {
    const vocabulary = vocabularyOf(protocol)
    if (vocabulary === undefined) continue
    const makeIndex = (): CompiledResource['index'] => {
      const { rules, guardrails } = statementsOn(model, name)
      return vocabulary.index(slotsOf([...rules, ...guardrails], model.scopes.get(name), protocol, indexes), (slots) =>
        cells.add(new Cell(slots)),
      )
    }
    compiled.set(
      name,
      new LazyResource(protocol, makeIndex, issuers === undefined ? undefined : new Set(issuers), scopes !== undefined, observedUntil),
    )
  }
  return compiled
}

/** A resource whose index is made when it is first asked for. A class, so that all are of one shape to whoever reads them. */
class LazyResource implements CompiledResource {
  readonly protocol: string
  readonly issuers: ReadonlySet<string> | undefined
  readonly scoped: boolean
  readonly observedUntil: number | undefined
  #index: CompiledResource['index'] | undefined
  #makeIndex: (() => CompiledResource['index']) | undefined

  constructor(
    protocol: string,
    makeIndex: () => CompiledResource['index'],
    issuers: ReadonlySet<string> | undefined,
    scoped: boolean,
    observedUntil: number | undefined,
  ) {
    this.protocol = protocol
    this.issuers = issuers
    this.scoped = scoped
    this.observedUntil = observedUntil
    this.#makeIndex = makeIndex
  }

  get index(): CompiledResource['index'] {
    if (this.#index === undefined) this.makeReady()
    return this.#index!
  }

  get isReady(): boolean {
    return this.#index !== undefined
  }

  makeReady(): void {
    this.#index ??= this.#makeIndex!()
    // What it was made of is not needed any more.
    this.#makeIndex = undefined
  }
}

/** What the statements on one resource, and its scopes, bring to its index. */
function* slotsOf(
  statements: readonly (Rule | Guardrail)[],
  scopes: ReadonlyMap<string, readonly ActionPattern[]> | undefined,
  protocol: string,
  indexes: ReadonlyMap<string, number>,
): Generator<readonly [ActionPattern, RuleSlot | GuardrailSlot | ScopeSlot]> {
  const indexed = (roles: readonly string[]) => roles.map((role) => ({ index: indexes.get(role)!, role }))
  for (const statement of statements) {
    const { id, when, roles } = statement
    const shared = { id, when, indexes: roles.map((role) => indexes.get(role)!) }
    const patterns = statement.actions.map(({ pattern }) => pattern).filter((pattern) => pattern.protocol === protocol)
    if (statement.kind === 'rule') {
      const peer = statement.peer === undefined ? undefined : indexed(statement.peer)
      for (const pattern of patterns) yield [pattern, { kind: 'rule', ...shared, pattern, role: roles[0] ?? '', peer }]
    } else {
      const exempt = statement.who === 'allBut' ? indexed(roles) : []
      const obligations = obligationsOf(statement)
      for (const pattern of patterns) yield [pattern, { kind: 'guardrail', ...shared, pattern, exempt, guardrail: statement, obligations }]
    }
  }
  for (const [scope, patterns] of scopes ?? []) for (const pattern of patterns) yield [pattern, { kind: 'scope', id: scope }]
}

function obligationsOf({ id, masks, strict }: Guardrail): readonly Obligation[] {
  return [
    ...(masks.length === 0 ? [] : [{ kind: 'mask', ids: [id], fields: masks } as const]),
    ...(strict ? [{ kind: 'record', ids: [id], mode: 'strict' } as const] : []),
  ]
}
