/** Statements of a native policy as policies of Envoy's `rbac` filter, in protobuf's JSON. */
import {
  all,
  ALWAYS,
  any,
  isAlways,
  isNever,
  not,
  payload,
  quoted,
  test,
  type Formula,
  type NativeIssuer,
  type TokenPath,
  type TokenTest,
} from '../core/token.ts'
import { celAll, celOf, celOfPart, numbered, wordPattern, type Cel } from './cel.ts'
import { METADATA, PARTS } from './metadata.ts'
import { booleans, plainOf, TEXT } from './plain.ts'

export type Json = { readonly [name: string]: unknown }

/** Policies of one filter, by name. */
export type Policies = readonly (readonly [name: string, policy: Json])[]

/** What Envoy's matchers can tell by themselves; everything else is a condition. */
const MATCHED: ReadonlySet<TokenTest['is']> = new Set(['present', 'value', 'texts', 'matches', 'word', 'address'])

function isMatched(formula: Formula): boolean {
  if ('test' in formula) return isMatchedTest(formula.test)
  if ('not' in formula) return isMatched(formula.not)
  return ('all' in formula ? formula.all : formula.any).every(isMatched)
}

function isMatchedTest(one: TokenTest): boolean {
  return MATCHED.has(one.is) || (one.is === 'type' && (one.type === 'string' || one.type === 'boolean'))
}

/** What no condition can ask. */
const UNASKED: ReadonlySet<TokenTest['is']> = new Set(['texts', 'address'])

function isUnaskable(formula: Formula): boolean {
  if ('test' in formula) return UNASKED.has(formula.test.is)
  if ('not' in formula) return isUnaskable(formula.not)
  return ('all' in formula ? formula.all : formula.any).some(isUnaskable)
}

/** One of several policies that stand for a formula: what matchers see and what a condition asks, both of which have to be so. */
interface Half {
  readonly matched: Formula
  readonly asked: Formula
}

/** More than this many policies for one statement and class of caller are refused. */
export const MAX_POLICIES = 64

/** @throws RangeError where it would take too many. */
function halves(formula: Formula): readonly Half[] {
  if (isNever(formula)) return []
  if (isMatched(formula)) return [{ matched: formula, asked: ALWAYS }]
  if (!isUnaskable(formula) && !('all' in formula)) return [{ matched: ALWAYS, asked: formula }]
  if ('test' in formula) return [{ matched: ALWAYS, asked: formula }]
  if ('not' in formula) return halves(inverse(formula.not))
  if ('any' in formula) return formula.any.flatMap(halves)
  return formula.all.reduce<readonly Half[]>(
    (before, part) => {
      const next = halves(part)
      if (before.length * next.length > MAX_POLICIES) throw new RangeError('too many policies')
      return before.flatMap((left) =>
        next.map((right) => ({ matched: all(left.matched, right.matched), asked: all(left.asked, right.asked) })),
      )
    },
    [{ matched: ALWAYS, asked: ALWAYS }],
  )
}

/** What is asked of an issuer's tokens is the same for each resource. */
const known = { halves: new WeakMap<Formula, readonly Half[]>(), conditions: new WeakMap<Formula, Cel>() }

function halvesOf(formula: Formula): readonly Half[] {
  let made = known.halves.get(formula)
  if (made === undefined) known.halves.set(formula, (made = halves(formula)))
  return made
}

function conditionOf(asked: Formula): Cel {
  let made = known.conditions.get(asked)
  if (made === undefined) known.conditions.set(asked, (made = numbered(celOf(asked))))
  return made
}

/** Whether a statement takes more policies than are made of one: `policiesOf` throws for it. */
export function takesTooMany(formula: Formula): boolean {
  try {
    halvesOf(formula)
    return false
  } catch (error) {
    if (error instanceof RangeError) return true
    throw error
  }
}

function inverse(formula: Formula): Formula {
  if ('all' in formula) return any(...formula.all.map((one) => not(one)))
  if ('any' in formula) return all(...formula.any.map((one) => not(one)))
  return not(formula)
}

/** How the two sides of a policy, permissions and principals, name what they have in common. */
const PRINCIPAL = {
  all: (ids: readonly Json[]): Json => ({ andIds: { ids } }),
  any: (ids: readonly Json[]): Json => ({ orIds: { ids } }),
  not: (id: Json): Json => ({ notId: id }),
}
const PERMISSION = {
  all: (rules: readonly Json[]): Json => ({ andRules: { rules } }),
  any: (rules: readonly Json[]): Json => ({ orRules: { rules } }),
  not: (rule: Json): Json => ({ notRule: rule }),
}
type Side = typeof PRINCIPAL

const ANYTHING: Json = { any: true }

function matcherOf(formula: Formula, side: Side): Json {
  if ('test' in formula) return ofTest(formula.test, side)
  if ('not' in formula) return side.not(matcherOf(formula.not, side))
  if (isAlways(formula)) return ANYTHING
  if (isNever(formula)) return side.not(ANYTHING)
  return 'all' in formula
    ? side.all(formula.all.map((one) => matcherOf(one, side)))
    : side.any(formula.any.map((one) => matcherOf(one, side)))
}

function metadata({ part, names }: TokenPath, value: Json): Json {
  const path = [PARTS[part], ...names].map((key) => ({ key }))
  return { sourcedMetadata: { metadataMatcher: { filter: METADATA, path, value } } }
}

function oneOf(values: readonly Json[]): Json {
  return values.length === 1 ? values[0]! : { orMatch: { valueMatchers: values } }
}

function valueOf(value: string | number | boolean): Json {
  if (typeof value === 'string') return { stringMatch: { exact: value } }
  return typeof value === 'number' ? { doubleMatch: { exact: value } } : { boolMatch: value }
}

function regex(pattern: string): Json {
  return { stringMatch: { safeRegex: { regex: pattern } } }
}

function ofTest(one: TokenTest, side: Side): Json {
  switch (one.is) {
    case 'present':
      return metadata(one.path, { presentMatch: true })
    case 'value': {
      if (one.values.length === 0) return side.not(ANYTHING)
      // An empty `exact` is none to Envoy.
      const values = oneOf(one.values.map((value) => (value === '' ? regex('') : valueOf(value))))
      return metadata(one.path, one.type === 'list' ? { listMatch: { oneOf: values } } : values)
    }
    case 'address':
      return side.any(one.networks.map(({ address, bits }) => ({ remoteIp: { addressPrefix: address, prefixLen: bits } })))
    case 'texts':
      return metadata(one.path, { listMatch: { oneOf: regex('(?s).*') } })
    case 'matches':
      return metadata(one.path, regex(one.pattern))
    case 'word':
      return metadata(one.path, regex(wordPattern(one.word)))
    case 'type':
      if (one.type === 'boolean') return matcherOf(booleans(one.path), side)
      if (one.type !== 'string') throw new Error(`no matcher tells a ${one.type}`)
      return metadata(one.path, regex(TEXT))
    case 'compare':
      if (one.op !== '>=') throw new Error(`no matcher tells \`${one.op}\``)
      return metadata(one.path, { doubleMatch: { range: { start: one.value, end: 'Infinity' } } })
    default:
      throw new Error(`no matcher tells \`${one.is}\``)
  }
}

/** A path template with its method, as the http vocabulary has them. */
export interface PathPattern {
  readonly method: string
  readonly segments: readonly ({ readonly kind: 'literal'; readonly text: string } | { readonly kind: 'parameter' })[]
  readonly rest: boolean
}

/** Requests that one of the patterns covers. Paths are compared as they are forwarded, without the query. */
export function permissionOf(patterns: readonly PathPattern[]): Json {
  return anyOf(patterns.map((pattern) => allOf([...methodOf(pattern.method), { urlPath: { path: pathOf(pattern) } }])))
}

function allOf(rules: readonly Json[]): Json {
  return rules.length === 1 ? rules[0]! : PERMISSION.all(rules)
}

function anyOf(rules: readonly Json[]): Json {
  return rules.length === 1 ? rules[0]! : PERMISSION.any(rules)
}

function methodOf(method: string): readonly Json[] {
  if (method === '*') return []
  const exactly = (text: string): Json => ({ header: { name: ':method', stringMatch: { exact: text } } })
  return [method === 'GET' ? PERMISSION.any([exactly('GET'), exactly('HEAD')]) : exactly(method)]
}

function pathOf({ segments, rest }: PathPattern): Json {
  const texts = segments.map((segment) => (segment.kind === 'literal' ? segment.text : undefined))
  if (texts.every((text) => text !== undefined)) {
    const path = `/${texts.join('/')}`
    if (!rest) return { exact: path }
    return { prefix: segments.length === 0 ? '/' : `${path}/` }
  }
  const parts = segments.map((segment) => (segment.kind === 'literal' ? quoted(segment.text) : '[^/]+'))
  return { safeRegex: { regex: `/${[...parts, ...(rest ? ['.*'] : [])].join('/')}` } }
}

/** Whether a caller is of an issuer, or nobody. */
function isCaller(issuer: Pick<NativeIssuer, 'iss'> | undefined): Formula {
  const iss = payload('iss')
  return issuer === undefined
    ? not(test({ is: 'present', path: iss }))
    : test({ is: 'value', path: iss, type: 'string', values: [issuer.iss] })
}

/**
 * Policies that match where the formula is true of a caller of that class and the permission of the request; one of them is enough.
 * Their names begin with `name`.
 * @throws RangeError where it would take too many
 */
export function policiesOf(name: string, permission: Json, issuer: NativeIssuer | undefined, formula: Formula): Policies {
  const suffix = issuer === undefined ? '' : `@${issuer.form}`
  return halvesOf(formula).map(({ matched, asked }, index) => {
    const principal = matcherOf(all(isCaller(issuer), matched), PRINCIPAL)
    const condition = isAlways(asked) ? undefined : conditionOf(asked)
    return [
      `${name}${suffix}${index === 0 ? '' : `#${index}`}`,
      { permissions: [permission], principals: [principal], ...(condition === undefined ? {} : { condition }) },
    ] as const
  })
}

/** Of what isn't said to be otherwise, numbers are told by matchers as well: nowhere else, because to them nothing is as large as infinity. */
function isMatchedPlainly(formula: Formula): boolean {
  if ('test' in formula) return isMatchedTest(formula.test) || (formula.test.is === 'compare' && formula.test.op === '>=')
  if ('not' in formula) return isMatched(formula.not)
  return ('all' in formula ? formula.all : formula.any).every(isMatchedPlainly)
}

/**
 * A policy that matches most tokens of which the formula is true, and none else, and costs less than those of `policiesOf`, which it is to
 * stand before. None where it would not cost less.
 */
export function plainPoliciesOf(name: string, permission: Json, issuer: NativeIssuer, formula: Formula): Policies {
  const plain = plainOf(formula, isMatchedPlainly)
  if (plain === undefined) return []
  const principal = matcherOf(all(isCaller(issuer), plain.matched), PRINCIPAL)
  const condition = plain.asked.length === 0 ? {} : { condition: numbered(celAll(...plain.asked.map(celOfPart))) }
  return [[`${name}@${issuer.form}`, { permissions: [permission], principals: [principal], ...condition }]]
}

/** A permission for what may be asked of a token within it, where no condition is needed. @throws Error for a test that only conditions can ask */
export function permissionAbout(formula: Formula): Json {
  return matcherOf(formula, PERMISSION)
}

export function bothPermissions(...rules: readonly Json[]): Json {
  return allOf(rules)
}

export function eitherPermission(...rules: readonly Json[]): Json {
  return rules.length === 0 ? PERMISSION.not(ANYTHING) : anyOf(rules)
}

export function noPermission(rule: Json): Json {
  return PERMISSION.not(rule)
}

/** The name of the statement that a policy stands for. */
export function statementOf(policy: string): string {
  return policy.replace(/[@#].*$/s, '')
}
