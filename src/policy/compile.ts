import type { Decision, Obligation, Reason } from '../core/decision.ts'
import { vocabularyOf, type ActionIndex, type ActionPattern } from './actions/index.ts'
import type { Guardrail, Model, Rule } from './model.ts'
import { statementsOn } from './statements.ts'
import type { Condition } from './when/condition.ts'

/** Reasons of one decision at most; what a denial lists beyond them helps nobody. */
export const MAX_REASONS = 16

/** A rule or guardrail by one of its patterns, ready to be looked at. */
export interface Slot {
  readonly id: string
  readonly pattern: ActionPattern
  readonly when: Condition | undefined
}

export interface RuleSlot extends Slot {
  readonly roles: readonly string[]
  /** Roles, one of which the peer has to hold; undefined for any peer and none. */
  readonly peer: readonly { readonly index: number; readonly role: string }[] | undefined
  /** What is decided where this rule alone grants, by the place of the role in `roles`. Made once, because most decisions are this one. */
  readonly alone: readonly Decision[]
}

export interface GuardrailSlot extends Slot {
  readonly exempt: readonly { readonly index: number; readonly role: string }[]
  readonly guardrail: Guardrail
  /** Those that don't depend on who asks. */
  readonly obligations: readonly Obligation[]
}

/** Everything that the patterns of one place in the index bring. */
export interface Candidates {
  readonly rulesByRole: ByRole<RuleSlot>
  readonly guardsByRole: ByRole<GuardrailSlot>
  /** Guardrails for everybody but some. */
  readonly guardsButFor: readonly GuardrailSlot[]
  readonly scopes: ReadonlySet<string>
  /** The first rules here, by id, as reasons for who holds none of their roles. */
  readonly uncovered: readonly Reason[]
}

/** Slots by the index of their role, ascending, and of one role by their id. Two lists side by side: most are very short. */
export interface ByRole<T> {
  readonly roles: readonly number[]
  readonly slots: readonly T[]
}

export interface CompiledResource {
  readonly protocol: string
  /** Made when it is first asked for. */
  readonly index: ActionIndex<Candidates>
  readonly isReady: boolean
  makeReady(): void
  /** Issuers whose principals may come; undefined for all. */
  readonly issuers: ReadonlySet<string> | undefined
  /** Delegated tokens are limited to the actions of their scopes. */
  readonly scoped: boolean
  /** Only observed before this instant, milliseconds since the epoch; undefined where it is enforced. */
  readonly observedUntil: number | undefined
}

type Entry =
  | { readonly kind: 'rule'; readonly rule: Rule; readonly slot: RuleSlot }
  | { readonly kind: 'guardrail'; readonly guardrail: Guardrail; readonly slot: GuardrailSlot }
  | { readonly kind: 'scope'; readonly scope: string }

/** Index of each role: the order of their names, so that nothing depends on where they are written. */
export function roleIndexes(roles: Iterable<string>): ReadonlyMap<string, number> {
  return new Map([...new Set(roles)].toSorted().map((role, i) => [role, i]))
}

/** Compiles a model: a resource, and within it a place of its index, when it is first asked about. Most of a large policy waits for long. */
export function compile(model: Model, indexes: ReadonlyMap<string, number>, version: string): ReadonlyMap<string, CompiledResource> {
  const compiled = new Map<string, CompiledResource>()
  for (const [name, { protocol, issuers, scopes, observedUntil }] of Object.entries(model.world.resources)) {
    const vocabulary = vocabularyOf(protocol)
    if (vocabulary === undefined) continue
    const makeIndex = (): CompiledResource['index'] => {
      const { rules, guardrails } = statementsOn(model, name)
      return vocabulary.index(entriesOf([...rules, ...guardrails], model.scopes.get(name), protocol, indexes, version), (values) =>
        candidates(values, indexes),
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
function* entriesOf(
  statements: readonly (Rule | Guardrail)[],
  scopes: ReadonlyMap<string, readonly ActionPattern[]> | undefined,
  protocol: string,
  indexes: ReadonlyMap<string, number>,
  version: string,
): Generator<readonly [ActionPattern, Entry]> {
  const indexed = (roles: readonly string[]) => roles.map((role) => ({ index: indexes.get(role)!, role }))
  const here = ({ actions }: Rule | Guardrail) => actions.filter(({ pattern }) => pattern.protocol === protocol)
  for (const statement of statements) {
    const { id, when, roles } = statement
    if (statement.kind === 'rule') {
      const peer = statement.peer === undefined ? undefined : indexed(statement.peer)
      const alone = roles.map((role) => granted(id, role, version))
      for (const { pattern } of here(statement))
        yield [pattern, { kind: 'rule', rule: statement, slot: { id, pattern, when, roles, peer, alone } }]
    } else {
      const exempt = statement.who === 'allBut' ? indexed(roles) : []
      const obligations = obligationsOf(statement)
      for (const { pattern } of here(statement))
        yield [pattern, { kind: 'guardrail', guardrail: statement, slot: { id, pattern, when, exempt, guardrail: statement, obligations } }]
    }
  }
  for (const [scope, patterns] of scopes ?? []) for (const pattern of patterns) yield [pattern, { kind: 'scope', scope }]
}

function obligationsOf({ id, masks, strict }: Guardrail): readonly Obligation[] {
  return [
    ...(masks.length === 0 ? [] : [{ kind: 'mask', ids: [id], fields: masks } as const]),
    ...(strict ? [{ kind: 'record', ids: [id], mode: 'strict' } as const] : []),
  ]
}

function granted(id: string, role: string, policyVersion: string): Decision {
  const reasons = Object.freeze([Object.freeze({ code: 'granted', id, role } as const)])
  return Object.freeze({ effect: 'allow', rule: id, rules: Object.freeze([id]), reasons, obligations: NONE, policyVersion })
}

const NONE: readonly never[] = Object.freeze([])

function candidates(entries: readonly Entry[], indexes: ReadonlyMap<string, number>): Candidates {
  const rulesByRole = new Map<number, RuleSlot[]>()
  const guardsByRole = new Map<number, GuardrailSlot[]>()
  const guardsButFor: GuardrailSlot[] = []
  const scopes = new Set<string>()
  const uncovered = new Map<string, Reason>()
  for (const entry of entries.toSorted(byId)) {
    switch (entry.kind) {
      case 'rule':
        for (const role of entry.rule.roles) push(rulesByRole, indexes.get(role)!, entry.slot)
        if (uncovered.size < MAX_REASONS && !uncovered.has(entry.rule.id))
          uncovered.set(entry.rule.id, Object.freeze({ code: 'role-not-held', id: entry.rule.id, role: entry.rule.roles[0] ?? '' }))
        break
      case 'guardrail':
        if (entry.guardrail.who === 'allBut') guardsButFor.push(entry.slot)
        else for (const role of entry.guardrail.roles) push(guardsByRole, indexes.get(role)!, entry.slot)
        break
      case 'scope':
        scopes.add(entry.scope)
        break
    }
  }
  return {
    rulesByRole: byIndex(rulesByRole),
    guardsByRole: byIndex(guardsByRole),
    guardsButFor,
    scopes,
    uncovered: [...uncovered.values()],
  }
}

/** Roles in the order of their names, so that the role told for a grant is always the same. */
function byIndex<T>(map: ReadonlyMap<number, readonly T[]>): ByRole<T> {
  const sorted = [...map].toSorted(([a], [b]) => a - b)
  return { roles: sorted.flatMap(([role, slots]) => slots.map(() => role)), slots: sorted.flatMap(([, slots]) => slots) }
}

function byId(a: Entry, b: Entry): number {
  const [left, right] = [a, b].map((one) => (one.kind === 'scope' ? one.scope : one.slot.id))
  return left! < right! ? -1 : left! > right! ? 1 : 0
}

function push<T>(map: Map<number, T[]>, key: number, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
