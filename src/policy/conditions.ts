import { diagnostic } from '../core/errors.ts'
import type { ClaimType } from '../config/schema.ts'
import { vocabularyOf } from './actions/index.ts'
import { BUILT_IN_ROLES, type PlacedPattern, type Role } from './model.ts'
import type { Findings } from './names.ts'
import { placeWithin } from './place.ts'
import type { PolicyFile } from './read.ts'
import { checkCondition, type Finding, type Scope } from './when/check.ts'
import { Condition } from './when/condition.ts'
import { parseCondition } from './when/parse.ts'
import type { Type } from './when/types.ts'
import type { World } from './world.ts'

/** Whom and what a condition can meet. */
export interface Meets {
  readonly roles: readonly string[]
  readonly resources: readonly string[]
  readonly actions: readonly PlacedPattern[]
}

interface Context {
  readonly file: PolicyFile
  readonly findings: Findings
  readonly world: World
  readonly roles: ReadonlyMap<string, Role>
  /** Those that were read before, by what they say and read: large policies say the same often. */
  readonly conditions: Map<string, Condition>
}

/** Reads and checks a `when`. Findings point at the characters inside the YAML string. */
export function resolveCondition(
  text: string | undefined,
  where: string,
  path: readonly PropertyKey[],
  meets: Meets,
  context: Context,
): Condition | undefined {
  if (text === undefined) return undefined
  const scalar = context.findings.span(path)
  const place = ({ from, to }: { from: number; to: number }) => placeWithin(context.file.source, scalar, text, from, to)
  const parsed = parseCondition(text)
  if ('problem' in parsed) {
    context.findings.diagnostics.push(
      diagnostic('policy/condition', { where, problem: parsed.problem }, place(parsed), { help: parsed.help }),
    )
    return undefined
  }
  const scope = scopeOf(meets, context)
  const checked = checkCondition(parsed, text, scope)
  for (const finding of checked.findings) context.findings.diagnostics.push(told(finding, where, place(finding)))
  if (checked.findings.length > 0) return undefined
  const claims = new Map(checked.claims.map((name): [string, ClaimType] => [name, scope.claims.get(name) as ClaimType]))
  const key = JSON.stringify([text, [...claims], checked.usesParameters])
  const known = context.conditions.get(key)
  if (known !== undefined) return known
  const condition = new Condition(text, parsed, claims, checked.usesParameters)
  context.conditions.set(key, condition)
  return condition
}

function told(finding: Finding, where: string, span: ReturnType<typeof placeWithin>) {
  const inside = `\`when\` of ${where}`
  switch (finding.kind) {
    case 'claim':
      return diagnostic('policy/unknown-claim', { name: finding.name, where: inside }, span, { help: finding.help })
    case 'field':
      return diagnostic('policy/unknown-field', { name: finding.name, where: inside, known: finding.known ?? '' }, span, {
        help: finding.help,
      })
    case 'parameter':
      return diagnostic('policy/unknown-parameter', { name: finding.name, where: inside }, span, { help: finding.help })
    case 'type':
      return diagnostic('policy/condition-type', { where, problem: finding.problem }, span, { help: finding.help })
  }
}

/** What a condition may speak of, by whom and what it can meet. */
export function scopeOf({ roles, resources, actions }: Meets, { world, roles: declared }: Pick<Context, 'world' | 'roles'>): Scope {
  const issuers = new Set<string>()
  for (const role of roles) {
    if (BUILT_IN_ROLES.includes(role)) for (const name of Object.keys(world.issuers)) issuers.add(name)
    else for (const { issuer } of declared.get(role)?.bindings ?? []) issuers.add(issuer)
  }
  const accepted = resources.map((name) => world.resources[name]!.issuers)
  const coming = [...issuers].filter((name) => accepted.some((one) => one === undefined || one.includes(name)))
  const claims = new Map<string, ClaimType | 'conflict'>()
  // Where nobody can come, the names are still checked, against all that the roles could have brought.
  for (const name of coming.length === 0 ? issuers : coming)
    for (const [claim, { type }] of Object.entries(world.issuers[name]?.claims ?? {})) {
      const known = claims.get(claim)
      claims.set(claim, known === undefined || known === type ? type : 'conflict')
    }
  const [first, ...others] = actions
  const parameters = new Set(first?.pattern.parameters ?? [])
  for (const { pattern } of others) for (const name of parameters) if (!pattern.parameters.includes(name)) parameters.delete(name)
  return { claims, parameters, request: requestFields(resources.map((name) => world.resources[name]!.protocol)) }
}

/** Fields of `request` that every protocol has which it can meet, of the same type. */
function requestFields(protocols: readonly string[]): ReadonlyMap<string, Type> {
  const [first, ...others] = [...new Set(protocols.length === 0 ? ['http'] : protocols)].map(
    (protocol) => vocabularyOf(protocol)?.fields ?? {},
  )
  return new Map(Object.entries(first ?? {}).filter(([name, type]) => others.every((one) => one[name] === type)))
}
