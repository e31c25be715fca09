import { vocabularyOf, type ActionPattern, type RecordIndex } from './actions/index.ts'
import { recordIndex } from './actions/records.ts'
import type { Cells } from './cells.ts'
import { Cell, type GuardrailSlot, type RuleSlot, type ScopeSlot } from './cell.ts'
import type { Guardrail, Model, Rule } from './model.ts'
import { bringing } from './slots.ts'
import { statementsOn, type Statements } from './statements.ts'

export interface CompiledResource {
  readonly protocol: string
  /** Of cells. Made when it is first asked for. */
  readonly index: RecordIndex
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

/** The indexes of resources that were made before, with the cells that they are about. */
interface Known {
  /** Undefined where it was not made. */
  of(resource: string): RecordIndex | undefined
}

/** Compiles a model: a resource when it is first asked about. Most of a large policy waits for long. */
export function compile(
  model: Model,
  indexes: ReadonlyMap<string, number>,
  cells: Cells,
  known: Known | undefined,
): ReadonlyMap<string, CompiledResource> {
  const compiled = new Map<string, CompiledResource>()
  for (const [name, { protocol, issuers, scopes, observedUntil }] of Object.entries(model.world.resources)) {
    const vocabulary = vocabularyOf(protocol)
    if (vocabulary === undefined) continue
    const makeIndex = (): CompiledResource['index'] => {
      const before = known?.of(name)
      if (before !== undefined) return before
      const slots = slotsOf(statementsOn(model, name), model.scopes.get(name), protocol, indexes)
      return recordIndex(vocabulary, slots, (all) => cells.add(new Cell(all)))
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

type Slotted = readonly [ActionPattern, RuleSlot | GuardrailSlot | ScopeSlot]

/** What the statements on one resource, and its scopes, bring to its index. */
function slotsOf(
  { rules, guardrails }: Statements,
  scopes: ReadonlyMap<string, readonly ActionPattern[]> | undefined,
  protocol: string,
  indexes: ReadonlyMap<string, number>,
): readonly Slotted[] {
  const slots: Slotted[] = []
  const take = (one: Rule | Guardrail): void => {
    const bring = bringing(one, indexes)
    for (const { pattern } of one.actions) if (pattern.protocol === protocol) slots.push([pattern, bring(pattern)])
  }
  for (const one of rules) take(one)
  for (const one of guardrails) take(one)
  for (const [id, patterns] of scopes ?? []) for (const pattern of patterns) slots.push([pattern, { kind: 'scope', id }])
  return slots
}
