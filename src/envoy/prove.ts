/** What three `rbac` filters let through, read back from what an Envoy is sent, as the prover wants it. */
import { all, any, ALWAYS, isNever, NEVER, not, test, type Formula, type NativeIssuer, type TokenTest } from '../core/token.ts'
import type { HttpPattern } from '../policy/actions/http/template.ts'
import { Bdd, NEVER as NO, ALWAYS as YES, type Node } from '../policy/compare/bdd.ts'
import type { Enforced, Told } from '../policy/compare/enforced.ts'
import { NOBODY, type NativeResource } from '../policy/native/native.ts'
import { CANONICAL_METHOD, CANONICAL_PATH, TOKEN_FORM } from './policies.ts'
import type { Json } from './rbac.ts'
import {
  asRead,
  readFilter,
  requestAtoms,
  settled,
  testsOf,
  type PathTemplate,
  type Read,
  type ReadFilter,
  type ReadWith,
  type RequestAtom,
} from './read.ts'

/** `rules` of the filters, in protobuf's JSON, as they were sent. */
export interface SentFilters {
  readonly callers: Json
  readonly guardrails: Json
  readonly rules: Json
}

export interface ReadResource {
  readonly enforced: Enforced
  /** The issuers with their questions as they are read back. */
  readonly issuers: readonly NativeIssuer[]
  /** What lets in somebody whom the policy isn't even asked about. */
  readonly problems: readonly string[]
}

/** Where filters serve several resources, that of one. */
export interface Place {
  /** In lower case. */
  readonly host: string
  readonly port: number
  /** All whose policies are in the same filters. */
  readonly among: readonly NativeResource[]
}

/**
 * @param native What the policy comes to: only its questions are used, to find them again in conditions
 * @throws NotRead
 */
export function readResource(sent: SentFilters, native: NativeResource, place?: Place): ReadResource {
  const options = optionsFor(place?.among ?? [native])
  const [callers, guardrails, rules] = [sent.callers, sent.guardrails, sent.rules].map((one) => readFilter(one, options))
  const filters: Filters = { callers: callers!, guardrails: guardrails!, rules: rules! }
  const paths = pathsOf(filters)
  const numbers: PathNumbers = new Map(paths.map(({ text }, number) => [text, number]))
  const answers = new Answers(filters, native.issuers, numbers)
  return {
    enforced: {
      paths,
      methods: [...atomsOf(filters)].flatMap((atom) => (atom.about === 'method' ? [atom.is] : [])),
      allows: (form, method, covering) => answers.of(form, { method, place, covering, credential: form !== NOBODY }),
    },
    issuers: native.issuers.map(readable),
    problems: problemsOf(filters, native.issuers, place),
  }
}

function optionsFor(natives: readonly NativeResource[]): ReadWith {
  return {
    canonical: { path: CANONICAL_PATH, method: CANONICAL_METHOD, token: TOKEN_FORM },
    asked: natives.flatMap((one) => [...questionsOf(one)]),
  }
}

/** Numbers of path templates, by their texts. */
type PathNumbers = ReadonlyMap<string, number>

interface Filters {
  readonly callers: ReadFilter
  readonly guardrails: ReadFilter
  readonly rules: ReadFilter
}

interface Indexed {
  readonly action: ReadFilter['action']
  readonly policies: ReadFilter['policies']
  /** Policies by a path without which they match nothing. */
  readonly byPath: ReadonlyMap<number, readonly number[]>
  /** Those of which that can't be said. */
  readonly others: readonly number[]
}

/** What guardrails and rules come to, by class of caller that is let in at all. What they ask of a token is put together once. */
class Answers {
  readonly #filters: readonly Indexed[]
  readonly #issuers: ReadonlyMap<string, NativeIssuer>
  readonly #paths: (template: PathTemplate) => number
  readonly #known = new Map<string, WeakMap<Read, Formula>>()

  constructor({ guardrails, rules }: Filters, issuers: readonly NativeIssuer[], numbers: PathNumbers) {
    this.#issuers = new Map(issuers.map((issuer) => [issuer.form, issuer]))
    const known = new WeakMap<PathTemplate, number>()
    this.#paths = (template) => {
      let number = known.get(template)
      if (number === undefined) known.set(template, (number = numbers.get(textOf(template))!))
      return number
    }
    this.#filters = [guardrails, rules].map((filter) => this.#indexed(filter))
  }

  #indexed({ action, policies }: ReadFilter): Indexed {
    const byPath = new Map<number, number[]>()
    const others: number[] = []
    for (const [number, { matches }] of policies.entries()) {
      const needed = pathsNeeded(matches, this.#paths)
      if (needed === undefined) others.push(number)
      for (const path of needed ?? []) {
        const list = byPath.get(path)
        if (list === undefined) byPath.set(path, [number])
        else list.push(number)
      }
    }
    return { action, policies, byPath, others }
  }

  of(form: string, asked: Asked): Told {
    const request = requestOf(asked, this.#paths)
    const matched = this.#filters.map(({ policies, byPath, others }) => {
      const candidates = new Set([...others, ...[...asked.covering].flatMap((path) => byPath.get(path) ?? [])])
      return [...candidates]
        .toSorted((one, other) => one - other)
        .flatMap((number) => this.#policy(form, policies[number]!.matches, number, request))
    })
    return {
      key: JSON.stringify(matched.map((all) => all.map(({ key }) => key))),
      formula: () =>
        all(
          ...this.#filters.map(({ action }, number) => {
            const some = any(...matched[number]!.map(({ formula }) => formula()))
            return action === 'ALLOW' ? some : not(some)
          }),
        ),
    }
  }

  /** A policy is all of several parts, each of which asks about the request or about the token. Nothing for one that never matches. */
  #policy(form: string, matches: Read, number: number, request: (atom: RequestAtom) => boolean): readonly Part[] {
    const token = (one: TokenTest): Formula => asRead(ofClass(one, this.#issuers.get(form)))
    const made: Formula[] = []
    // What is always asked of the same is known by its number, and nothing else is.
    let key = `${number}`
    for (const part of 'all' in matches ? matches.all : [matches]) {
      const one = asks(part).request ? settled(part, request, token) : this.#ofToken(form, part, token)
      if (isNever(one)) return []
      if (asks(part).request && asks(part).token) key += JSON.stringify(one)
      made.push(one)
    }
    return [{ key, formula: () => all(...made) }]
  }

  #ofToken(form: string, part: Read, token: (test: TokenTest) => Formula): Formula {
    let known = this.#known.get(form)
    if (known === undefined) this.#known.set(form, (known = new WeakMap()))
    let made = known.get(part)
    if (made === undefined) known.set(part, (made = settled(part, () => false, token)))
    return made
  }
}

interface Part {
  readonly key: string
  readonly formula: () => Formula
}

/** Paths one of which has to cover a request that matches; undefined where that can't be said. */
function pathsNeeded(read: Read, number: (template: PathTemplate) => number): ReadonlySet<number> | undefined {
  if ('request' in read) return read.request.about === 'path' ? new Set([number(read.request.template)]) : undefined
  if ('all' in read) return read.all.map((one) => pathsNeeded(one, number)).find((one) => one !== undefined)
  if (!('any' in read)) return undefined
  const each = read.any.map((one) => pathsNeeded(one, number))
  return each.every((one) => one !== undefined) ? new Set(each.flatMap((one) => [...one])) : undefined
}

const asking = new WeakMap<Read, { readonly request: boolean; readonly token: boolean }>()

function asks(read: Read): { readonly request: boolean; readonly token: boolean } {
  let known = asking.get(read)
  if (known === undefined) {
    const parts = 'all' in read ? read.all : 'any' in read ? read.any : 'not' in read ? [read.not] : []
    const within = parts.map(asks)
    known = { request: 'request' in read || within.some((one) => one.request), token: 'token' in read || within.some((one) => one.token) }
    asking.set(read, known)
  }
  return known
}

interface Asked {
  readonly method: string
  readonly place: Place | undefined
  /** Numbers of paths that cover it. */
  readonly covering: ReadonlySet<number>
  readonly credential: boolean
  /** What of the request is not in its one form; default: all of it is. */
  readonly odd?: 'path' | 'method'
  readonly oneToken?: boolean
  /** Whether the connection is to become another; default: not. */
  readonly upgrade?: boolean
}

function requestOf(
  { method, place, covering, credential, odd, oneToken = credential, upgrade = false }: Asked,
  number: (template: PathTemplate) => number,
): (atom: RequestAtom) => boolean {
  return (atom) => {
    switch (atom.about) {
      case 'path':
        return covering.has(number(atom.template))
      case 'method':
        return atom.is === method
      case 'canonical':
        return atom.of !== odd
      case 'credential':
        return credential
      case 'one-token':
        return oneToken
      case 'host':
        return atom.is === place?.host
      case 'port':
        return atom.is === place?.port
      case 'upgrade':
        return upgrade
    }
  }
}

/** A token of a class has its issuer's name, and who shows none has nothing. */
function ofClass(one: TokenTest, issuer: NativeIssuer | undefined): Formula {
  if (one.is === 'address' || one.is === 'before') return test(one)
  if (issuer === undefined) return NEVER
  const { part, names } = one.path
  if (part !== 'payload' || names.length !== 1 || names[0] !== 'iss') return test(one)
  if (one.is === 'present') return ALWAYS
  if (one.is === 'value') return one.type === 'string' && one.values.includes(issuer.iss) ? ALWAYS : NEVER
  return test(one)
}

function readable(issuer: NativeIssuer): NativeIssuer {
  return {
    ...issuer,
    credential: asRead(issuer.credential),
    appOnly: asRead(issuer.appOnly),
    listedClient: asRead(issuer.listedClient),
    capped: asRead(issuer.capped),
    hasScope: (scope) => asRead(issuer.hasScope(scope)),
    kinds: Object.fromEntries(Object.entries(issuer.kinds).map(([kind, formula]) => [kind, asRead(formula)])),
    claims: Object.fromEntries(
      Object.entries(issuer.claims).map(([name, claim]) => [
        name,
        claim.isTrue === undefined ? claim : { ...claim, isTrue: asRead(claim.isTrue) },
      ]),
    ),
  }
}

/** Whom the first filter lets in: those who show nothing, and tokens that the issuer's form lets in. */
function problemsOf(
  { callers, guardrails, rules }: Filters,
  issuers: readonly NativeIssuer[],
  place: Place | undefined,
): readonly string[] {
  const problems: string[] = []
  if (callers.action !== 'ALLOW' || rules.action !== 'ALLOW' || guardrails.action !== 'DENY')
    problems.push('a filter has another action than it must have')
  if (callers.policies.some(({ matches }) => [...requestAtoms(matches)].some(({ about }) => about === 'path' || about === 'method')))
    problems.push('who is let in at all depends on the path or the method')
  const open = (issuer: NativeIssuer | undefined, asked: Partial<Asked> = {}): Formula => {
    const request = requestOf({ method: '', place, covering: new Set(), credential: issuer !== undefined, ...asked }, () => -1)
    return any(...callers.policies.map(({ matches }) => settled(matches, request, (one) => asRead(ofClass(one, issuer)))))
  }
  if (propositional([open(undefined)])[0] !== YES) problems.push('callers without a credential are never let in')
  const isPossible = (formula: Formula): boolean => propositional([formula])[0] !== NO
  if (isPossible(open(undefined, { credential: true, oneToken: true }))) problems.push('a credential that nobody verified is let in')
  for (const issuer of [undefined, ...issuers])
    if (isPossible(all(open(issuer, { upgrade: true }), not(open(issuer)))))
      problems.push('a connection that is to become another is let in where no other is')
  if (
    [...requestAtoms({ any: [...guardrails.policies, ...rules.policies].map(({ matches }) => matches) })].some(
      ({ about }) => about === 'upgrade',
    )
  )
    problems.push('what is granted depends on whether the connection is to become another')
  for (const issuer of [undefined, ...issuers])
    for (const odd of ['path', 'method'] as const)
      if (isPossible(open(issuer, { odd }))) problems.push(`a request whose ${odd} is not in the one form is let in`)
  for (const issuer of issuers) {
    if (isPossible(open(issuer, { oneToken: false })))
      problems.push(`\`${issuer.form}\`: more than one token, or another scheme, is let in`)
    const [found, meant] = propositional([open(issuer), asRead(issuer.credential)])
    if (found !== meant) problems.push(`\`${issuer.form}\`: other tokens are let in than those that Ostiary accepts`)
  }
  return [...new Set(problems)]
}

/** Formulas as functions of their questions, each of which may be so or not whatever the others are. */
function propositional(formulas: readonly Formula[]): readonly Node[] {
  const bdd = new Bdd(1_000_000)
  const variables = new Map<string, number>()
  const node = (formula: Formula): Node => {
    if ('all' in formula) return bdd.all(formula.all.map(node))
    if ('any' in formula) return bdd.any(formula.any.map(node))
    if ('not' in formula) return bdd.not(node(formula.not))
    const key = JSON.stringify(formula.test)
    let variable = variables.get(key)
    if (variable === undefined) variables.set(key, (variable = bdd.variable()))
    return bdd.node(variable, NO, YES)
  }
  // In one order for all of them.
  for (const formula of formulas) for (const one of testsOf(formula)) node(test(one))
  return formulas.map(node)
}

function* atomsOf({ callers, guardrails, rules }: Filters): Generator<RequestAtom> {
  for (const { policies } of [callers, guardrails, rules]) for (const { matches } of policies) yield* requestAtoms(matches)
}

function pathsOf(filters: Filters): readonly HttpPattern[] {
  const found = new Map<string, HttpPattern>()
  for (const atom of atomsOf(filters)) {
    if (atom.about !== 'path') continue
    const text = textOf(atom.template)
    const segments = atom.template.segments.map((one, index) =>
      one.kind === 'literal' ? one : { kind: 'parameter' as const, name: `p${index}` },
    )
    const parameters = segments.flatMap((one) => (one.kind === 'parameter' ? [one.name] : []))
    found.set(text, { protocol: 'http', text, method: '*', segments, rest: atom.template.rest, parameters })
  }
  return [...found.values()]
}

function textOf({ segments, rest }: PathTemplate): string {
  return JSON.stringify([rest, ...segments.map((one) => (one.kind === 'literal' ? one.text : null))])
}

/** Every question that the policy asks of tokens of this resource. */
function* questionsOf({ issuers, rules, guardrails, scopes }: NativeResource): Generator<TokenTest> {
  for (const { credential } of issuers) yield* testsOf(credential)
  for (const { applies } of [...rules, ...guardrails]) for (const formula of applies.values()) yield* testsOf(formula)
  if (scopes === undefined) return
  for (const formula of scopes.capped.values()) yield* testsOf(formula)
  for (const { has } of scopes.scopes) for (const formula of has.values()) yield* testsOf(formula)
}

/** Whether tokens are verified as the forms of the issuers say. @param requirement Of `jwt_authn`, for the requests in question */
export function tokenProblems(issuers: readonly NativeIssuer[], providers: Json, requirement: unknown): readonly string[] {
  const problems: string[] = []
  const { requiresAny } = (requirement ?? {}) as { readonly requiresAny?: { readonly requirements: readonly Json[] } }
  const named = (requiresAny?.requirements ?? []).flatMap((one) => (one['allowMissing'] === undefined ? [one['providerName']] : []))
  if (
    !isSame(
      named,
      issuers.map(({ form }) => form),
    )
  )
    problems.push('tokens of other issuers are let in')
  for (const { form, iss, audiences, algorithms } of issuers) {
    const provider = ((providers as Readonly<Record<string, Json>>)[form] ?? {}) as Json
    const { inlineString = '{"keys":[]}' } = (provider['localJwks'] ?? {}) as { readonly inlineString?: string }
    const { keys } = JSON.parse(inlineString) as { readonly keys: readonly Json[] }
    const isRight =
      provider['issuer'] === iss &&
      audiences.length > 0 &&
      isSame((provider['audiences'] ?? []) as readonly string[], audiences) &&
      provider['requireExpiration'] === true &&
      provider['clockSkewSeconds'] === 30 &&
      JSON.stringify(provider['fromHeaders']) === JSON.stringify([{ name: 'authorization', valuePrefix: 'Bearer ' }]) &&
      provider['fromParams'] === undefined &&
      provider['fromCookies'] === undefined &&
      keys.every(({ kty, alg, d, k }) => kty !== 'oct' && algorithms.includes(String(alg)) && d === undefined && k === undefined)
    if (!isRight) problems.push(`tokens of \`${form}\` are not verified as they must be`)
  }
  return problems
}

function isSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  return JSON.stringify([...one].toSorted()) === JSON.stringify([...other].toSorted())
}

/** Whether anybody is let in at all at a place. @throws NotRead */
export function isAnybodyLetIn(callers: Json, native: NativeResource, place: Place): boolean {
  const filter = readFilter(callers, optionsFor(place.among))
  return [undefined, ...native.issuers].some((issuer) => {
    const request = requestOf({ method: '', place, covering: new Set(), credential: issuer !== undefined }, () => -1)
    const open = filter.policies.map(({ matches }) => settled(matches, request, (one) => asRead(ofClass(one, issuer))))
    return filter.action !== 'ALLOW' || propositional([any(...open)])[0] !== NO
  })
}
