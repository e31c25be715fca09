import type { ClaimType } from '../../config/schema.ts'
import type { Binding, BindingMatch, Role } from '../model.ts'
import type { PackedSpan, TablesReader, TablesWriter } from './tables.ts'

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
export type PackedRole = readonly [
  name: number,
  description: string | null,
  includes: number,
  bindings: readonly PackedBinding[],
  span: PackedSpan,
]

export function packRole({ name, description, includes, bindings, span }: Role, tables: TablesWriter): PackedRole {
  return [
    tables.name(name),
    description ?? null,
    tables.list(includes),
    bindings.map((one): PackedBinding => [
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
      tables.span(one.span, span),
    ]),
    tables.span(span),
  ]
}

export function unpackRole([name, description, includes, bindings, place]: PackedRole, tables: TablesReader): Role {
  const span = tables.span(place)
  return {
    name: tables.name(name),
    description: description ?? undefined,
    includes: tables.list(includes),
    bindings: bindings.map(([role, issuer, claim, type, match, values, kind, until, via, eligible, at]): Binding => ({
      role: tables.name(role),
      issuer: tables.name(issuer),
      claim: tables.name(claim),
      type,
      match,
      values: new Set(values),
      kind: kind ?? undefined,
      until: until ?? undefined,
      via: via === null ? undefined : tables.name(via),
      eligible,
      span: tables.span(at, span),
    })),
    span,
  }
}
