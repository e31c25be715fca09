import { BUILT_IN_ROLES } from '../../policy/model.ts'
import { completeAction } from './actions.ts'
import { completeCondition } from './condition.ts'
import { cursorAt } from './cursor.ts'
import type { FileKind } from './folder.ts'
import type { Lines, Range } from './lines.ts'
import { namePlaceAt, type NameKind } from './names.ts'
import type { Project } from './project.ts'
import { ITEM, type Asked, type Proposal } from './proposal.ts'
import { schemasAt, type JsonSchema } from './schemas.ts'

export interface CompletionItem {
  readonly label: string
  readonly kind: number
  readonly detail?: string
  readonly documentation?: string
  readonly filterText: string
  readonly sortText: string
  readonly textEdit: { readonly range: Range; readonly newText: string }
}

export interface CompletionList {
  readonly isIncomplete: boolean
  readonly items: readonly CompletionItem[]
}

/** Longer lists are cut, and asked for again as more is written. */
const MAX_ITEMS = 1000

export function complete(project: Project, kind: FileKind, lines: Lines, offset: number): CompletionList {
  const cursor = cursorAt(lines.text, offset)
  if (cursor === undefined) return { isIncomplete: false, items: [] }
  const asked: Asked = { project, kind, cursor }
  const condition = namePlaceAt(kind, cursor.path, cursor.at)?.kind === 'condition' ? completeCondition(asked) : undefined
  const proposals = condition?.proposals ?? [...names(asked), ...fromSchema(asked)]
  const written = condition?.prefix ?? cursor.prefix
  const range = condition === undefined ? lines.rangeOf(cursor.from, cursor.to) : lines.rangeOf(offset - written.length, cursor.to)
  const unique = new Map(proposals.filter(({ label }) => fits(label, written)).map((one) => [one.label, one]))
  const items = [...unique.values()].slice(0, MAX_ITEMS).map((one, i) => ({
    label: one.label,
    kind: one.kind,
    ...(one.detail === undefined ? {} : { detail: one.detail }),
    ...(one.documentation === undefined ? {} : { documentation: one.documentation }),
    filterText: one.label,
    sortText: String(i).padStart(5, '0'),
    textEdit: { range, newText: one.text ?? one.label },
  }))
  return { isIncomplete: unique.size > MAX_ITEMS, items }
}

/** All letters of what is written, in their order. */
function fits(label: string, written: string): boolean {
  const text = label.toLowerCase()
  let at = 0
  for (const char of written.trimStart().toLowerCase()) {
    at = text.indexOf(char, at) + 1
    if (at === 0) return false
  }
  return true
}

function names({ project, kind, cursor }: Asked): readonly Proposal[] {
  const place = namePlaceAt(kind, cursor.path, cursor.at)
  if (place === undefined || place.declares) return []
  const proposals = PROPOSE[place.kind]({ project, kind, cursor })
  // A name that is a key wants its value behind it.
  return cursor.at === 'key' ? proposals.map((one) => ({ ...one, text: `${one.text ?? one.label}: ` })) : proposals
}

const PROPOSE: Readonly<Record<NameKind, (asked: Asked) => readonly Proposal[]>> = {
  role: roles,
  statement: ({ project, cursor }) =>
    [...project.names('statement')]
      .filter(({ declares, path }) => declares && (!cursor.path.includes('approved') || path[0] === 'guardrails'))
      .map(({ text, path }) => ({ label: text, kind: ITEM.constant, detail: path[0] === 'rules' ? 'rule' : 'guardrail' })),
  resource: ({ project }) => resources(project),
  issuer: ({ project }) =>
    Object.entries(project.analysis.world?.issuers ?? {}).map(([label, { kind }]) => ({ label, kind: ITEM.module, detail: kind })),
  claim: claims,
  label: ({ project }) => labels(project).map(([label]) => ({ label, kind: ITEM.property })),
  'label-value': ({ project, cursor }) =>
    labels(project)
      .filter(([key]) => key === cursor.path.at(-1))
      .map(([, label]) => ({ label, kind: ITEM.value })),
  'protocol-action': (asked) => completeAction(asked, 'pattern'),
  'test-action': (asked) => completeAction(asked, 'action'),
  condition: () => [],
  team: () => [],
}

function roles({ project, kind, cursor }: Asked): readonly Proposal[] {
  // What is included, activated or bound is always declared.
  const declaredOnly = kind !== 'policy' || cursor.path.includes('includes')
  const builtIn = declaredOnly ? [] : BUILT_IN_ROLES.map((label) => ({ label, kind: ITEM.class, detail: 'built in' }))
  const declared = [...project.names('role')].filter(({ declares }) => declares)
  return [
    ...declared.map(({ text }) => ({
      label: text,
      kind: ITEM.class,
      detail: 'role',
      documentation: project.analysis.policy?.model.roles.get(text)?.description,
    })),
    ...builtIn,
  ]
}

function resources(project: Project): readonly Proposal[] {
  return Object.entries(project.analysis.world?.resources ?? {}).map(([label, { protocol }]) => ({
    label,
    kind: ITEM.variable,
    detail: protocol,
  }))
}

/** Of the issuer that is written beside it; of all, where none is. */
function claims({ project, cursor }: Asked): readonly Proposal[] {
  const issuers = project.analysis.world?.issuers ?? {}
  const written = cursor.around.map((one) => one['issuer'] ?? undefined).find((one) => one !== undefined)
  // Under `issuers.<name>` the claims are those of that issuer itself.
  const name = cursor.path[0] === 'issuers' ? cursor.path[1] : written
  const own = typeof name === 'string' && Object.hasOwn(issuers, name) ? { [name]: issuers[name]! } : issuers
  return Object.entries(own).flatMap(([issuer, { claims: known }]) =>
    Object.entries(known).map(([label, { type, mayBeUnknown }]) => ({
      label,
      kind: ITEM.field,
      detail: `${type} of ${issuer}${mayBeUnknown ? ', may be unknown' : ''}`,
    })),
  )
}

function labels(project: Project): readonly (readonly [string, string])[] {
  return Object.values(project.analysis.world?.resources ?? {}).flatMap(({ labels: own }) => Object.entries(own))
}

/** Keys that the schema knows and that are not there yet, or values that it lists. */
function fromSchema({ kind, cursor }: Asked): readonly Proposal[] {
  const { path, at, around, first } = cursor
  if (at === 'key') return keysOf(schemasAt(kind, path.slice(0, -1), around), around[0])
  const here = schemasAt(kind, path, around)
  // A line of which nothing is written yet but a word may become a map.
  return [...here.flatMap(valuesOf), ...(first ? keysOf(here, undefined) : [])]
}

function keysOf(schemas: readonly JsonSchema[], written: Readonly<Record<string, unknown>> | undefined): readonly Proposal[] {
  return schemas.flatMap(({ properties, required }) =>
    Object.entries(properties ?? {})
      .filter(([label]) => written === undefined || !Object.hasOwn(written, label))
      .toSorted(([a], [b]) => Number(required?.includes(b) ?? false) - Number(required?.includes(a) ?? false))
      .map(([label, { description }]) => ({
        label,
        kind: ITEM.property,
        detail: required?.includes(label) === true ? 'required' : undefined,
        documentation: description,
        text: `${label}: `,
      })),
  )
}

function valuesOf({ enum: listed, const: constant, type, examples, description }: JsonSchema): readonly Proposal[] {
  const values = listed ?? (constant === undefined ? (type === 'boolean' ? [true, false] : (examples ?? [])) : [constant])
  return values
    .filter((value) => typeof value !== 'object')
    .map((value) => ({ label: String(value), kind: ITEM.enumMember, documentation: description }))
}
