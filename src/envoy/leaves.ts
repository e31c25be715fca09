/**
 * A tree of routes by how paths begin, read back: what is said at one place and not at another must not be able to meet a path that
 * comes there. Then all that is said anywhere, in one list, means the same as the tree.
 */
import type { Json } from './rbac.ts'
import { NotRead, permissionRead, templatesNeeded, type PathTemplate } from './read.ts'

/** `rules` of the two filters that depend on the path, for paths that begin so and with no longer beginning of another leaf. */
export interface SentLeaf {
  readonly prefix: string
  readonly guardrails: Json
  readonly rules: Json
}

export interface Joined {
  readonly guardrails: Json
  readonly rules: Json
  /** Where something is not said that could matter there. */
  readonly gaps: readonly string[]
}

/** Gaps that are told, at most. */
const MAX_TOLD = 20

/** @throws NotRead */
export function joined(leaves: readonly SentLeaf[]): Joined {
  const prefixes = leaves.map(({ prefix }) => prefix)
  for (const prefix of prefixes)
    // The query stands behind the path there.
    if (!/^\/[^?#]*$/.test(prefix)) throw new NotRead(`a route for \`${prefix}\``)
  const regions = prefixes.map((prefix) => ({ prefix, longer: prefixes.filter((one) => one !== prefix && one.startsWith(prefix)) }))
  // What comes to no leaf is denied: only what grants can be missing there.
  const nowhere = { prefix: '', longer: prefixes }
  const one = (filter: 'guardrails' | 'rules'): { readonly all: Json; readonly gaps: readonly string[] } => {
    const found = regions.map((region, index) => ({ ...region, statements: statementsOf(leaves[index]![filter]) }))
    const all = new Map(found.flatMap(({ statements }) => [...statements.policies]))
    const actions = new Set(found.map(({ statements }) => statements.action))
    if (actions.size > 1) throw new NotRead('leaves of different actions')
    const places =
      filter === 'rules' ? [...found, { ...nowhere, statements: { action: '', policies: new Map<string, Statement>() } }] : found
    const gaps = places.flatMap(({ prefix, longer, statements: { policies } }) =>
      [...all].flatMap(([text, { name, templates }]) =>
        policies.has(text) || templates?.every((template) => isApart(template, prefix, longer))
          ? []
          : [`what \`${name}\` says elsewhere is not said of paths that begin with \`${prefix}\``],
      ),
    )
    return { all: { action: [...actions][0], policies: together([...all.values()]) }, gaps }
  }
  const [guardrails, rules] = [one('guardrails'), one('rules')]
  return { guardrails: guardrails.all, rules: rules.all, gaps: [...guardrails.gaps, ...rules.gaps].slice(0, MAX_TOLD) }
}

/** Policies with all the permissions that they have in one leaf or another. */
function together(statements: readonly Statement[]): Json {
  const each = [...Map.groupBy(statements, ({ others }) => others).values()]
  return Object.fromEntries(
    each.map((all, index) => [`${all[0]!.name} ${index}`, { ...all[0]!.policy, permissions: all.map(({ permission }) => permission) }]),
  )
}

/** A policy with one of its permissions: one that is enough to match. */
interface Statement {
  readonly name: string
  readonly permission: Json
  /** The policy as it stands there, and all of it but its permissions as text. */
  readonly policy: Json
  readonly others: string
  /** One of which covers whatever matches; undefined where that can't be said. */
  readonly templates: readonly PathTemplate[] | undefined
}

function statementsOf({ action = 'ALLOW', policies = {}, ...further }: Json): {
  readonly action: string
  readonly policies: ReadonlyMap<string, Statement>
} {
  const [more] = Object.keys(further)
  if (more !== undefined) throw new NotRead(`\`${more}\``)
  const found = Object.entries(policies as Json).flatMap(([name, policy]) => {
    const { permissions, ...rest } = policy as { readonly permissions: readonly Json[] }
    const others = JSON.stringify([name, rest])
    return permissions.flatMap(alternatives).map((permission): [string, Statement] => {
      const templates = templatesNeeded(permissionRead(permission))
      return [`${others} ${JSON.stringify(permission)}`, { name, permission, policy: policy as Json, others, templates }]
    })
  })
  return { action: String(action), policies: new Map(found) }
}

function alternatives(permission: Json): readonly Json[] {
  const { orRules, ...rest } = permission
  if (orRules === undefined || Object.keys(rest).length > 0) return [permission]
  return (orRules as { readonly rules: readonly Json[] }).rules.flatMap(alternatives)
}

/** Whether no path that the template covers begins with the prefix and with none of the longer ones. */
function isApart(template: PathTemplate, prefix: string, longer: readonly string[]): boolean {
  const signs = signsOf(template)
  const at = after(signs, prefix)
  if (at === undefined) return true
  const end = signs.findIndex((sign, index) => index >= at && typeof sign !== 'string')
  const certain = prefix + signs.slice(at, end === -1 ? signs.length : end).join('')
  return longer.some((one) => certain.startsWith(one))
}

/** One character but a slash; any number of these; any number of any. */
const ONE: unique symbol = Symbol('one')
const MORE: unique symbol = Symbol('more')
const ANY: unique symbol = Symbol('any')
type Sign = string | typeof ONE | typeof MORE | typeof ANY

const known = new WeakMap<PathTemplate, readonly Sign[]>()

function signsOf(template: PathTemplate): readonly Sign[] {
  let signs = known.get(template)
  if (signs === undefined) {
    const { segments, rest } = template
    const each = segments.flatMap<Sign>((one) => (one.kind === 'literal' ? ['/', ...one.text.split('')] : ['/', ONE, MORE]))
    known.set(template, (signs = rest ? [...each, '/', ANY] : each))
  }
  return signs
}

/** Where a path that begins so stands in the template; undefined where it covers none of them. */
function after(signs: readonly Sign[], prefix: string): number | undefined {
  let at = 0
  for (let index = 0; index < prefix.length; index++) {
    const character = prefix[index]!
    if (signs[at] === MORE && character === '/') at++
    const sign = signs[at]
    if (sign === ANY) return at
    if (sign === MORE) continue
    if (sign === ONE ? character === '/' : sign !== character) return undefined
    at++
  }
  return at
}
