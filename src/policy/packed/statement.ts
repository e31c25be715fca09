/** Rules and guardrails on a page each, and back. */
import type { MaskedField } from '../../core/decision.ts'
import { demandOf } from '../demands.ts'
import type { Guardrail, Limit, PlacedPattern, Rule } from '../model.ts'
import type { ClaimProof, Demand } from '../require.ts'
import type { PackedSpan, TablesReader, TablesWriter } from './tables.ts'

type PackedProof = readonly [issuer: string, claim: string, values: readonly (string | number)[]]
type PackedDemand = readonly [kind: Demand['kind'], name: string, byIssuer: readonly PackedProof[]]

type Shared = readonly [
  id: string,
  description: string | null,
  resources: number,
  actions: readonly (readonly [pattern: number, span: PackedSpan])[],
  when: number | null,
  span: PackedSpan,
  resourceSpan: PackedSpan,
  roles: number,
]
export type PackedRule = readonly [shared: Shared, peer: number | null]
export type PackedGuardrail = readonly [
  shared: Shared,
  who: Guardrail['who'],
  denies: boolean,
  requires: readonly PackedDemand[],
  approval: Guardrail['approval'] | null,
  masks: readonly MaskedField[],
  limit: Limit | null,
  strict: boolean,
  observedUntil: number | null,
]

function packShared(statement: Rule | Guardrail, tables: TablesWriter): Shared {
  const { kind, id, description, resources, actions, when, span, resourceSpan, roles } = statement
  const side = kind === 'rule' ? 'grants' : 'takes'
  return [
    id,
    description ?? null,
    tables.list(resources),
    actions.map((one) => [tables.pattern(one.pattern, side), tables.span(one.span, span)]),
    when === undefined ? null : tables.condition(when),
    tables.span(span),
    tables.span(resourceSpan, span),
    tables.list(roles),
  ]
}

function unpackShared([id, description, resources, actions, when, place, resourcePlace, roles]: Shared, tables: TablesReader) {
  const span = tables.span(place)
  return {
    id,
    description: description ?? undefined,
    resources: tables.list(resources),
    actions: actions.map(([pattern, at]): PlacedPattern => ({ pattern: tables.pattern(pattern), span: tables.span(at, span) })),
    span,
    resourceSpan: tables.span(resourcePlace, span),
    roles: tables.list(roles),
    when: when === null ? undefined : tables.condition(when),
  }
}

export function packRule(rule: Rule, tables: TablesWriter): PackedRule {
  return [packShared(rule, tables), rule.peer === undefined ? null : tables.list(rule.peer)]
}

export function unpackRule([shared, peer]: PackedRule, tables: TablesReader): Rule {
  return { kind: 'rule', ...unpackShared(shared, tables), peer: peer === null ? undefined : tables.list(peer) }
}

export function packGuardrail(guardrail: Guardrail, tables: TablesWriter): PackedGuardrail {
  const { who, denies, requires, approval, masks, limit, strict, observedUntil } = guardrail
  const demands = requires.map(({ kind, name, byIssuer }): PackedDemand => [
    kind,
    name,
    [...byIssuer].map(([issuer, { claim, values }]): PackedProof => [issuer, claim, [...values]]),
  ])
  return [packShared(guardrail, tables), who, denies, demands, approval ?? null, masks, limit ?? null, strict, observedUntil ?? null]
}

export function unpackGuardrail(packed: PackedGuardrail, tables: TablesReader): Guardrail {
  const [shared, who, denies, requires, approval, masks, limit, strict, observedUntil] = packed
  return {
    kind: 'guardrail',
    ...unpackShared(shared, tables),
    who,
    denies,
    requires: requires.map(([kind, name, proofs]): Demand => ({
      ...demandOf(kind, name),
      byIssuer: new Map(proofs.map(([issuer, claim, values]): [string, ClaimProof] => [issuer, { claim, values: new Set(values) }])),
    })),
    approval: approval ?? undefined,
    masks,
    limit: limit ?? undefined,
    strict,
    observedUntil: observedUntil ?? undefined,
  }
}
