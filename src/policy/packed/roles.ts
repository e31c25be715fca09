/** Roles and their bindings on a page each, and back: somebody who has a few of them is no reason to read the others. */
import type { ClaimType } from '../../config/schema.ts'
import type { Binding, BindingMatch, Model, Role } from '../model.ts'
import { pageAt, pagesOf, type Pages } from './pages.ts'
import type { PackedSpan, TablesReader, TablesWriter } from './tables.ts'

/** Roles in the order of their names, and their bindings one after the other. */
export interface PackedRoles {
  /** Numbers of their names. */
  readonly names: Uint32Array<ArrayBuffer>
  readonly roles: Pages
  readonly bindings: Pages
  /** Where the bindings of each role begin, and where the last end. */
  readonly starts: Uint32Array<ArrayBuffer>
}

type PackedRole = readonly [description: string | null, includes: number, span: PackedSpan]
type PackedBinding = readonly [
  role: number,
  issuer: number,
  claim: number,
  type: ClaimType,
  match: BindingMatch,
  values: readonly (string | number | boolean)[],
  kind: Binding['kind'] | null,
  until: number | null,
  via: number | null,
  eligible: boolean,
  span: PackedSpan,
]

export function packRoles({ roles }: Pick<Model, 'roles'>, tables: TablesWriter): PackedRoles {
  const all = [...roles.values()]
  const starts = new Uint32Array(all.length + 1)
  for (const [i, { bindings }] of all.entries()) starts[i + 1] = starts[i]! + bindings.length
  return {
    names: new Uint32Array(all.map(({ name }) => tables.name(name))),
    roles: pagesOf(all.map((role) => JSON.stringify(packRole(role, tables)))),
    bindings: pagesOf(all.flatMap(({ bindings }) => bindings.map((one) => JSON.stringify(packBinding(one, tables))))),
    starts,
  }
}

function packRole({ description, includes, span }: Role, tables: TablesWriter): PackedRole {
  return [description ?? null, tables.list(includes), tables.span(span)]
}

function packBinding(one: Binding, tables: TablesWriter): PackedBinding {
  return [
    tables.name(one.role),
    tables.name(one.issuer),
    tables.name(one.claim),
    one.type,
    one.match,
    [...one.values],
    one.kind ?? null,
    one.until ?? null,
    one.via === undefined ? null : tables.name(one.via),
    one.eligible,
    tables.span(one.span),
  ]
}

/** Roles that are made when somebody asks for them, and are then kept. */
export class UnpackedRoles implements ReadonlyMap<string, Role> {
  readonly #packed: PackedRoles
  readonly #tables: TablesReader
  /** By name. */
  readonly #numbers: ReadonlyMap<string, number>
  readonly #made = new Map<string, Role>()

  /** @param numbers Of all of them, in their order */
  constructor(packed: PackedRoles, tables: TablesReader, numbers: ReadonlyMap<string, number>) {
    this.#packed = packed
    this.#tables = tables
    this.#numbers = numbers
  }

  get size(): number {
    return this.#numbers.size
  }

  has(name: string): boolean {
    return this.#numbers.has(name)
  }

  get(name: string): Role | undefined {
    const known = this.#made.get(name)
    if (known !== undefined) return known
    const number = this.#numbers.get(name)
    if (number === undefined) return undefined
    const made = this.#role(name, number)
    this.#made.set(name, made)
    return made
  }

  /** By its place among those of all roles. */
  binding(place: number): Binding {
    const [role, issuer, claim, type, match, values, kind, until, via, eligible, span] = pageAt<PackedBinding>(this.#packed.bindings, place)
    return {
      role: this.#tables.name(role),
      issuer: this.#tables.name(issuer),
      claim: this.#tables.name(claim),
      type,
      match,
      values: new Set(values),
      kind: kind ?? undefined,
      until: until ?? undefined,
      via: via === null ? undefined : this.#tables.name(via),
      eligible,
      span: this.#tables.span(span),
    }
  }

  keys(): MapIterator<string> {
    return this.#numbers.keys()
  }

  *entries(): MapIterator<[string, Role]> {
    for (const name of this.#numbers.keys()) yield [name, this.get(name)!]
  }

  *values(): MapIterator<Role> {
    for (const name of this.#numbers.keys()) yield this.get(name)!
  }

  [Symbol.iterator](): MapIterator<[string, Role]> {
    return this.entries()
  }

  forEach(use: (role: Role, name: string, all: ReadonlyMap<string, Role>) => void): void {
    for (const [name, role] of this) use(role, name, this)
  }

  #role(name: string, number: number): Role {
    const { roles, starts } = this.#packed
    const [description, includes, span] = pageAt<PackedRole>(roles, number)
    const bindings: Binding[] = []
    for (let place = starts[number]!; place < starts[number + 1]!; place++) bindings.push(this.binding(place))
    return { name, description: description ?? undefined, includes: this.#tables.list(includes), bindings, span: this.#tables.span(span) }
  }
}
