import { formatSpan } from '../../core/span.ts'
import { describeBinding } from '../../policy/considered.ts'
import { AUTHENTICATED, EVERYONE, type Guardrail, type Rule } from '../../policy/model.ts'
import { cursorAt, type Cursor } from './cursor.ts'
import type { FileKind } from './folder.ts'
import type { Lines, Range } from './lines.ts'
import { namePlaceAt, type NameKind } from './names.ts'
import type { Project } from './project.ts'
import { schemasAt } from './schemas.ts'

/** Lines of one list; the first ones tell it. */
const MAX_LISTED = 20

export interface Hover {
  readonly contents: { readonly kind: 'markdown'; readonly value: string }
  readonly range: Range
}

/** What there is to say of the name or key under the cursor. */
export function hoverAt(project: Project, kind: FileKind, lines: Lines, offset: number): Hover | undefined {
  const cursor = cursorAt(lines.text, offset)
  if (cursor === undefined) return undefined
  const place = namePlaceAt(kind, cursor.path, cursor.at)
  if (place?.kind === 'condition') return inCondition(project, cursor, lines, offset)
  const text = (place === undefined ? undefined : TELL[place.kind]?.(project, cursor.whole, cursor)) ?? ofKey(kind, cursor)
  return text === undefined ? undefined : told(text, lines.rangeOf(cursor.from, cursor.to))
}

function told(value: string, range: Range): Hover {
  return { contents: { kind: 'markdown', value }, range }
}

/** What the schema says of a key. */
function ofKey(kind: FileKind, { path, at, around }: Cursor): string | undefined {
  if (at !== 'key') return undefined
  // Around the value of this key stand the same maps.
  const [found] = schemasAt(kind, path, around).filter(({ description }) => description !== undefined)
  return found === undefined ? undefined : `**${path.at(-1)}**: ${found.description}`
}

function inCondition(project: Project, { prefix, whole, around }: Cursor, lines: Lines, offset: number): Hover | undefined {
  const begun = /[\w.]*$/.exec(prefix)![0]
  const rest = /^\w*/.exec(whole.slice(prefix.length))![0]
  const [, claim] = /^claims\.(\w+)$/.exec(begun + rest) ?? []
  if (claim === undefined) return undefined
  const text = ofClaim(project, claim, around)
  return text === undefined ? undefined : told(text, lines.rangeOf(offset - begun.length, offset + rest.length))
}

const TELL: Partial<Readonly<Record<NameKind, (project: Project, name: string, cursor: Cursor) => string | undefined>>> = {
  role: ofRole,
  resource: ofResource,
  statement: ofStatement,
  claim: (project, name, { around }) => ofClaim(project, name, around),
  issuer: ofIssuer,
}

function ofRole(project: Project, name: string): string | undefined {
  if (name === EVERYONE) return '**everyone**, built in: every caller, also without a credential'
  if (name === AUTHENTICATED)
    return '**authenticated**, built in: whoever has a verified credential; an app only with a role, or as a listed client'
  const { policy } = project.analysis
  const role = policy?.model.roles.get(name)
  if (policy === undefined || role === undefined) return undefined
  const uses = [...policy.rules, ...policy.guardrails].filter(
    (one) => one.roles.includes(name) || (one.kind === 'rule' && one.peer?.includes(name) === true),
  )
  return sections(
    `**role ${name}**${role.description === undefined ? '' : `: ${role.description}`}`,
    section('held by', role.bindings.map(describeBinding), 'nobody: nothing gives it here'),
    section(
      'whoever holds it holds as well',
      role.includes.map((one) => `\`${one}\``),
    ),
    section('used by', uses.map(inShort), 'no rule and no guardrail'),
  )
}

function inShort(one: Rule | Guardrail): string {
  return `${one.kind} \`${one.id}\` (${formatSpan(one.span)})`
}

function ofResource(project: Project, name: string): string | undefined {
  const { world, policy } = project.analysis
  const info = world !== undefined && Object.hasOwn(world.resources, name) ? world.resources[name] : undefined
  if (info === undefined) return undefined
  const labels = Object.entries(info.labels).map(([key, value]) => `\`${key}: ${value}\``)
  const about = [...(policy?.rules ?? []), ...(policy?.guardrails ?? [])].filter(({ resources }) => resources.includes(name))
  return sections(
    `**resource ${name}**, protocol ${info.protocol}`,
    labels.length === 0 ? '' : `labels ${labels.join(', ')}`,
    info.issuers === undefined ? '' : `accepts issuers ${info.issuers.map((one) => `\`${one}\``).join(', ')} only`,
    section(
      'scopes of delegated tokens',
      Object.entries(info.scopes ?? {}).map(([scope, actions]) => `\`${scope}\`: ${actions.map((one) => `\`${one}\``).join(', ')}`),
    ),
    section('spoken of by', about.map(inShort), 'no rule and no guardrail'),
  )
}

function ofStatement(project: Project, id: string): string | undefined {
  const { rules = [], guardrails = [] } = project.analysis.policy ?? {}
  const one = [...rules, ...guardrails].find((statement) => statement.id === id)
  if (one === undefined) return undefined
  const roles = one.roles.map((role) => `\`${role}\``).join(', ')
  const whom =
    one.kind === 'rule' ? `grants to ${roles}` : one.who === 'for' ? `for holders of ${roles}` : `for all but holders of ${roles}`
  return sections(
    `**${one.kind} ${id}**${one.description === undefined ? '' : `: ${one.description}`}`,
    `${whom}, on ${one.resources.map((name) => `\`${name}\``).join(', ')}${one.when === undefined ? '' : `, if \`${one.when.text}\``}`,
    section(
      'actions',
      one.actions.map(({ pattern }) => `\`${pattern.text}\``),
    ),
    formatSpan(one.span),
  )
}

function ofClaim(project: Project, name: string, around: Cursor['around']): string | undefined {
  const issuers = project.analysis.world?.issuers ?? {}
  const written = around.map((one) => one['issuer']).find((one) => typeof one === 'string')
  const lines = Object.entries(issuers).flatMap(([issuer, { claims }]) => {
    const info = Object.hasOwn(claims, name) && (written === undefined || written === issuer) ? claims[name] : undefined
    if (info === undefined) return []
    const unknown = info.mayBeUnknown ? '; may be unknown, as when there are too many values: that denies' : ''
    return [`issuer \`${issuer}\`: ${info.type}${unknown}`]
  })
  return lines.length === 0 ? undefined : sections(`**claim ${name}**`, section('type', lines))
}

function ofIssuer(project: Project, name: string): string | undefined {
  const issuers = project.analysis.world?.issuers ?? {}
  const info = Object.hasOwn(issuers, name) ? issuers[name] : undefined
  if (info === undefined) return undefined
  return sections(
    `**issuer ${name}**, kind ${info.kind}`,
    section(
      'claims',
      Object.entries(info.claims).map(
        ([claim, { type, mayBeUnknown }]) => `\`${claim}\`: ${type}${mayBeUnknown ? ', may be unknown' : ''}`,
      ),
    ),
  )
}

function section(head: string, lines: readonly string[], none = ''): string {
  if (lines.length === 0) return none === '' ? '' : `${head} ${none}`
  const more = lines.length > MAX_LISTED ? [`- and ${lines.length - MAX_LISTED} more`] : []
  return `${head}\n\n${[...lines.slice(0, MAX_LISTED).map((line) => `- ${line}`), ...more].join('\n')}`
}

function sections(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n')
}
