import { validate } from '../config/validate.ts'
import type { Located } from '../config/document.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { formatSpan, type Span } from '../core/span.ts'
import { z } from 'zod'
import { BUILT_IN_ROLES, type Binding, type BindingMatch, type Role } from './model.ts'
import { Findings, instantOf, sortedUnique } from './names.ts'
import type { PolicyFile } from './read.ts'
import { bindingSchema, type BindingText } from './schema.ts'
import type { World } from './world.ts'

const ROLE_NAME = /^[a-z][a-z0-9-]{0,62}$/

/** Claims that name one person. Kinds of principal that are no person may be bound by `oid` and `sub`. */
const STABLE_PERSON = new Set(['oid', 'sub', 'puid', 'uid', 'user_id'])
const PERSON = new Set([
  'email',
  'emails',
  'mail',
  'upn',
  'preferred_username',
  'unique_name',
  'verified_primary_email',
  'verified_secondary_email',
  'username',
  'user_name',
  'login',
  'login_hint',
  'name',
  'nickname',
  'phone_number',
  'onprem_sam_account_name',
  // Who started a job of GitHub or GitLab.
  'actor',
  'actor_id',
  'user_login',
  'user_email',
])

/** Whether a claim names one person, or may. */
export function namesPerson(claim: string): boolean {
  return PERSON.has(claim) || STABLE_PERSON.has(claim)
}

const NO_PERSON = new Set<string | undefined>(['workload', 'managed-identity', 'agent'])

interface Declared {
  readonly description: string | undefined
  bindings: Binding[]
  /** Names that are roles, sorted. */
  includes: readonly string[]
  readonly span: Span
  /** Some of what it says is wrong, so that what is missing says nothing. */
  wrong: boolean
}

/** Resolves the roles of all files, with the bindings that an environment adds. */
export function resolveRoles(
  files: readonly PolicyFile[],
  environment: Located | undefined,
  world: World,
  diagnostics: Diagnostic[],
): ReadonlyMap<string, Role> {
  const declared = new Map<string, Declared>()
  for (const { root, value } of files) {
    const findings = new Findings(root, diagnostics)
    for (const [name, role] of Object.entries(value.roles)) {
      const span = findings.span(['roles', name], 'key')
      const before = declared.get(name)
      if (BUILT_IN_ROLES.includes(name)) findings.add('policy/reserved-role', { name }, span)
      else if (!ROLE_NAME.test(name)) findings.add('policy/bad-name', { name }, span)
      else if (before !== undefined) findings.add('policy/duplicate-role', { name, place: formatSpan(before.span) }, span)
      const bindings = [
        ...role.bind.map((text, i) => resolveBinding(name, text, ['roles', name, 'bind', i], world, findings)),
        ...role.eligible.map((text, i) => resolveBinding(name, text, ['roles', name, 'eligible', i], world, findings, true)),
      ]
      const right = bindings.filter((binding) => binding !== undefined)
      if (before === undefined)
        declared.set(name, {
          description: role.description,
          bindings: right,
          includes: sortedUnique(role.includes),
          span,
          wrong: right.length < bindings.length,
        })
    }
  }
  if (environment !== undefined) addEnvironment(environment, declared, world, diagnostics)
  includeRoles(files, declared, diagnostics)
  for (const [name, { bindings, span, wrong }] of declared)
    if (bindings.length === 0 && !wrong && !BUILT_IN_ROLES.includes(name))
      diagnostics.push(
        diagnostic('policy/unbound-role', { role: name, where: environment === undefined ? 'here' : 'in this environment' }, span),
      )
  return new Map(
    [...declared]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { description, includes, bindings, span }]) => [
        name,
        { name, description, includes, bindings: bindings.toSorted(byMeaning), span },
      ]),
  )
}

/** A fixed order for bindings, so that provenance doesn't depend on how files are arranged. */
function byMeaning(a: Binding, b: Binding): number {
  const key = (one: Binding): string =>
    JSON.stringify([
      one.issuer,
      one.claim,
      one.match,
      [...one.values].map(String).toSorted(),
      one.kind ?? '',
      one.until ?? 0,
      one.via ?? '',
      one.eligible,
    ])
  const [left, right] = [key(a), key(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

/** Bindings of all roles together at most, those that are there because a role includes another counted as well. */
const MAX_BINDINGS = 500_000

/** Gives each role the bindings of all roles that include it, directly or by way of others. */
function includeRoles(files: readonly PolicyFile[], declared: ReadonlyMap<string, Declared>, diagnostics: Diagnostic[]): void {
  let wrong = false
  for (const { root, value } of files) {
    const findings = new Findings(root, diagnostics)
    for (const [name, { includes }] of Object.entries(value.roles))
      for (const [i, other] of includes.entries()) {
        const at = ['roles', name, 'includes', i]
        const builtIn = BUILT_IN_ROLES.includes(other)
        if (builtIn) findings.add('policy/reserved-role', { name: other }, at)
        if (builtIn || !findings.known('policy/unknown-role', other, declared, `role \`${name}\``, at)) wrong = true
      }
  }
  for (const [first, ...others] of wrong ? [] : circlesOf(declared)) {
    wrong = true
    const chain = [...others, first!].map((one) => `\`${one}\``)
    const shown = chain.length > 8 ? [...chain.slice(0, 8), '…'] : chain
    diagnostics.push(diagnostic('policy/role-cycle', { role: first!, chain: shown.join(', ') }, declared.get(first!)!.span))
  }
  if (wrong) {
    for (const role of declared.values()) role.wrong = true
    return
  }
  let total = 0
  const own = new Map([...declared].map(([name, { bindings }]) => [name, bindings]))
  for (const [name, role] of declared) {
    for (const included of reachOf(name, declared)) {
      const other = declared.get(included)!
      other.wrong ||= role.wrong
      const brought = own.get(name)!.map((binding): Binding => ({ ...binding, role: included, via: name }))
      total += 1 + brought.length
      if (total > MAX_BINDINGS) {
        diagnostics.push(
          diagnostic('policy/limit', { what: 'bindings, with those of roles that include others', limit: MAX_BINDINGS }, role.span),
        )
        return
      }
      other.bindings = [...other.bindings, ...brought]
    }
  }
}

/** Roles that this one includes, directly or by way of others. */
function reachOf(name: string, declared: ReadonlyMap<string, Declared>): ReadonlySet<string> {
  const reached = new Set<string>()
  const waiting = [...(declared.get(name)?.includes ?? [])]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (reached.has(next)) continue
    reached.add(next)
    waiting.push(...(declared.get(next)?.includes ?? []))
  }
  return reached
}

/** Circles of roles that include each other, each told once, from its first role by name on. Takes time by the number of roles. */
function circlesOf(declared: ReadonlyMap<string, Declared>): readonly (readonly string[])[] {
  // Those that lead to no circle are taken away, the last first; what is left leads to one.
  const left = new Map([...declared].map(([name, { includes }]) => [name, new Set(includes)]))
  const including = new Map<string, string[]>()
  for (const [name, { includes }] of declared)
    for (const other of includes) {
      const list = including.get(other)
      if (list === undefined) including.set(other, [name])
      else list.push(name)
    }
  const waiting = [...left].flatMap(([name, to]) => (to.size === 0 ? [name] : []))
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    left.delete(name)
    for (const other of including.get(name) ?? []) {
      const to = left.get(other)
      if (to?.delete(name) === true && to.size === 0) waiting.push(other)
    }
  }
  const circles: string[][] = []
  for (const name of [...left.keys()].toSorted()) {
    const path: string[] = []
    for (let at: string | undefined = name; at !== undefined && left.has(at); at = [...left.get(at)!].find((one) => left.has(one))) {
      const start = path.indexOf(at)
      if (start >= 0) {
        const circle = path.slice(start)
        for (const one of circle) left.delete(one)
        const first = circle.indexOf(circle.toSorted()[0]!)
        circles.push([...circle.slice(first), ...circle.slice(0, first)])
        break
      }
      path.push(at)
    }
  }
  return circles
}

const environmentBindings = z.record(z.string(), z.array(bindingSchema))

function addEnvironment(environment: Located, declared: ReadonlyMap<string, Declared>, world: World, diagnostics: Diagnostic[]): void {
  const checked = validate(environmentBindings, environment)
  diagnostics.push(...checked.diagnostics)
  const findings = new Findings(environment, diagnostics)
  for (const [name, bindings] of Object.entries(checked.value ?? {})) {
    const role = declared.get(name)
    if (role === undefined || BUILT_IN_ROLES.includes(name)) {
      const at = findings.span([name], 'key')
      const problem = BUILT_IN_ROLES.includes(name) ? 'policy/reserved-role' : undefined
      if (problem !== undefined) findings.add(problem, { name }, at)
      else findings.known('policy/unknown-role', name, declared, '`bindings` of the environment', at)
      continue
    }
    for (const [i, text] of bindings.entries()) {
      const binding = resolveBinding(name, text, [name, i], world, findings)
      if (binding === undefined) role.wrong = true
      else role.bindings.push(binding)
    }
  }
  // A role whose bindings could not be read isn't unbound as well.
  if (checked.value === undefined) for (const role of declared.values()) role.wrong = true
}

function resolveBinding(
  role: string,
  text: BindingText,
  path: readonly PropertyKey[],
  world: World,
  findings: Findings,
  eligible = false,
): Binding | undefined {
  const where = `role \`${role}\``
  const given = (['any', 'all', 'none'] as const).filter((match) => text[match] !== undefined)
  const match: BindingMatch | undefined = given[0]
  if (given.length !== 1 || match === undefined) {
    findings.add('policy/binding-values', { role }, path)
    return undefined
  }
  if (!findings.known('policy/unknown-issuer', text.issuer, world.issuers, where, [...path, 'issuer'])) return undefined
  const { claims } = world.issuers[text.issuer]!
  if (!findings.known('policy/unknown-claim', text.claim, claims, where, [...path, 'claim'])) return undefined
  const { type } = claims[text.claim]!
  let right = true
  if (match === 'all' && type !== 'list') {
    findings.add('policy/binding-all', { claim: text.claim, type }, findings.span([...path, 'all'], 'key'))
    right = false
  }
  const values = text[match]!
  const wanted = type === 'list' ? 'string' : type
  for (const [i, value] of values.entries()) {
    if (typeof value === wanted) continue
    findings.add('policy/binding-type', { claim: text.claim, type, value: String(value) }, [...path, match, i])
    right = false
  }
  if (PERSON.has(text.claim) || (STABLE_PERSON.has(text.claim) && !NO_PERSON.has(text.kind))) {
    if (text.breakGlass === undefined) {
      findings.add('policy/person-binding', { role, claim: text.claim }, [...path, 'claim'])
      right = false
    }
  }
  const until = text.breakGlass === undefined ? undefined : instantOf(text.breakGlass.until)
  if (text.breakGlass !== undefined && until === undefined) {
    findings.add('policy/break-glass-time', { text: text.breakGlass.until }, [...path, 'breakGlass', 'until'])
    right = false
  }
  if (!right) return undefined
  const span = findings.span(path)
  return {
    role,
    issuer: text.issuer,
    claim: text.claim,
    type,
    match,
    values: new Set(values),
    kind: text.kind,
    until,
    via: undefined,
    eligible,
    span,
  }
}
