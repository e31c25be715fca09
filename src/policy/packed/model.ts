import type { Gradual } from '../../core/gradual.ts'
import type { ActionPattern } from '../actions/index.ts'
import type { Guardrail, Model, Role, Rule } from '../model.ts'
import type { Statements } from '../statements.ts'
import type { IssuerInfo, ResourceInfo, World } from '../world.ts'
import type { Unpacked } from './indexes.ts'
import { countOf, pageAt, pagesOf, type Pages } from './pages.ts'
import { packRoles, UnpackedRoles, type PackedRoles } from './roles.ts'
import { packGuardrail, packRule, unpackGuardrail, unpackRule, type PackedGuardrail, type PackedRule } from './statement.ts'
import { TablesReader, TablesWriter, type Tables } from './tables.ts'

/** A model as arrays of octets and numbers. Operations of OpenAPI documents are left out: what they stand for is in the patterns. */
export interface PackedModel {
  readonly tables: Tables
  readonly issuers: Pages
  readonly resources: Pages
  readonly roles: PackedRoles
  readonly rules: Pages
  readonly guardrails: Pages
  /** Numbers of the statements on each resource, in the order of resources: those of rules, then of guardrails counted on from there. */
  readonly statements: Uint32Array<ArrayBuffer>
  /** Where those of each resource begin, and where the last end. */
  readonly starts: Uint32Array<ArrayBuffer>
}

type PackedResource = readonly [
  name: string,
  info: Omit<ResourceInfo, 'operations'>,
  scopes: readonly (readonly [scope: string, patterns: readonly number[]])[] | null,
]

/** Packs a model that is right: no instant in it is NaN. */
export function packModel(model: Model): PackedModel {
  const { world, rules, guardrails, scopes } = model
  const tables = new TablesWriter()
  const pages = <T>(all: Iterable<T>, pack: (one: T) => unknown): Pages => pagesOf(Array.from(all, (one) => JSON.stringify(pack(one))))
  const resources = pages(
    Object.entries(world.resources),
    ([name, { protocol, labels, scopes: written, issuers, observedUntil }]): PackedResource => {
      const info = { protocol, labels, scopes: written, issuers, ...(observedUntil === undefined ? {} : { observedUntil }) }
      const mine = scopes.get(name)
      const packed = mine && [...mine].map(([scope, all]) => [scope, all.map((one) => tables.pattern(one, 'grants'))] as const)
      return [name, info, packed ?? null]
    },
  )
  return {
    issuers: pages(Object.entries(world.issuers), (one) => one),
    resources,
    roles: packRoles(model, tables),
    rules: pages(rules, (rule) => packRule(rule, tables)),
    guardrails: pages(guardrails, (guardrail) => packGuardrail(guardrail, tables)),
    tables: tables.finish(),
    ...numbersByResource(model),
  }
}

function numbersByResource({ world, rules, guardrails }: Model): Pick<PackedModel, 'statements' | 'starts'> {
  const places = new Map(Object.keys(world.resources).map((name, i) => [name, i]))
  const starts = new Uint32Array(places.size + 1)
  const all = [...rules, ...guardrails]
  for (const { resources } of all) for (const name of resources) starts[places.get(name)! + 1]! += 1
  for (let i = 0; i < places.size; i++) starts[i + 1]! += starts[i]!
  const next = starts.slice()
  const statements = new Uint32Array(starts[places.size]!)
  for (const [number, { resources }] of all.entries())
    for (const name of resources) {
      const place = places.get(name)!
      statements[next[place]!] = number
      next[place]! += 1
    }
  return { statements, starts }
}

/** Pages that are read between two steps. */
const STEP = 64

/** A model of which roles and statements are made when somebody asks for them, and statements not kept: only resources are made at once. */
export function* unpackingModel(packed: PackedModel): Gradual<Unpacked> {
  const tables = new TablesReader(packed.tables)
  const issuers = table<IssuerInfo>()
  for (let i = 0; i < countOf(packed.issuers); i++) {
    const [name, info] = pageAt<readonly [string, IssuerInfo]>(packed.issuers, i)
    issuers[name] = { ...info, claims: Object.assign(table(), info.claims), stepUp: info.stepUp }
  }
  const resources = table<ResourceInfo>()
  const places = new Map<string, number>()
  const scopes = new Map<string, ReadonlyMap<string, readonly ActionPattern[]>>()
  for (let i = 0; i < countOf(packed.resources); i++) {
    if (i % STEP === 0) yield
    const [name, info, covered] = pageAt<PackedResource>(packed.resources, i)
    const { protocol, labels, scopes: written, issuers: accepted, ...observed } = info
    resources[name] = { protocol, labels: Object.assign(table<string>(), labels), scopes: written, issuers: accepted, ...observed }
    places.set(name, i)
    if (covered !== null) scopes.set(name, new Map(covered.map(([scope, all]) => [scope, all.map((one) => tables.pattern(one))])))
  }
  const names = new Map<string, number>()
  for (const [number, name] of packed.roles.names.entries()) {
    if (number % STEP === 0) yield
    names.set(tables.name(name), number)
  }
  const roles = new UnpackedRoles(packed.roles, tables, names)
  const model = new UnpackedModel(packed, tables, { issuers, resources }, roles, scopes, places)
  return { model, statement: (number) => model.statement(number), binding: (place) => roles.binding(place) }
}

class UnpackedModel implements Model {
  readonly world: World
  readonly roles: ReadonlyMap<string, Role>
  readonly scopes: Model['scopes']
  readonly #packed: PackedModel
  readonly #tables: TablesReader
  /** Number of each resource. */
  readonly #places: ReadonlyMap<string, number>
  /** Whoever asks for all of them asks again at once; what nobody holds any more may go. */
  #rules: WeakRef<readonly Rule[]> | undefined
  #guardrails: WeakRef<readonly Guardrail[]> | undefined

  constructor(
    packed: PackedModel,
    tables: TablesReader,
    world: World,
    roles: ReadonlyMap<string, Role>,
    scopes: Model['scopes'],
    places: ReadonlyMap<string, number>,
  ) {
    this.#packed = packed
    this.#tables = tables
    this.world = world
    this.roles = roles
    this.scopes = scopes
    this.#places = places
  }

  get rules(): readonly Rule[] {
    const known = this.#rules?.deref()
    if (known !== undefined) return known
    const all = Array.from({ length: countOf(this.#packed.rules) }, (_, i) => this.#rule(i))
    this.#rules = new WeakRef(all)
    return all
  }

  get guardrails(): readonly Guardrail[] {
    const known = this.#guardrails?.deref()
    if (known !== undefined) return known
    const all = Array.from({ length: countOf(this.#packed.guardrails) }, (_, i) => this.#guardrail(i))
    this.#guardrails = new WeakRef(all)
    return all
  }

  on(resource: string): Statements {
    const place = this.#places.get(resource)
    const { starts, statements, rules: pages } = this.#packed
    const rules: Rule[] = []
    const guardrails: Guardrail[] = []
    const first = countOf(pages)
    for (let i = place === undefined ? 0 : starts[place]!; i < (place === undefined ? 0 : starts[place + 1]!); i++) {
      const number = statements[i]!
      if (number < first) rules.push(this.#rule(number))
      else guardrails.push(this.#guardrail(number - first))
    }
    return { rules, guardrails }
  }

  /** By number, those of guardrails counted on from those of rules. */
  statement(number: number): Rule | Guardrail {
    const first = countOf(this.#packed.rules)
    return number < first ? this.#rule(number) : this.#guardrail(number - first)
  }

  #rule(number: number): Rule {
    return unpackRule(pageAt<PackedRule>(this.#packed.rules, number), this.#tables)
  }

  #guardrail(number: number): Guardrail {
    return unpackGuardrail(pageAt<PackedGuardrail>(this.#packed.guardrails, number), this.#tables)
  }
}

function table<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>
}
