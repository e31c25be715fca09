/** What three `rbac` filters let through, read back from what an Envoy is sent, as the prover wants it. */
import { any, all, not, test, type Formula, type NativeIssuer, type TokenTest } from '../core/token.ts'
import type { HttpPattern } from '../policy/actions/http/template.ts'
import { Bdd, NEVER as NO, ALWAYS as YES, type Node } from '../policy/compare/bdd.ts'
import type { Enforced } from '../policy/compare/enforced.ts'
import { NOBODY, type NativeResource } from '../policy/native/native.ts'
import { Answers, ofClass, requestOf, textOf, type Asked, type Filters, type PathNumbers, type Place } from './answers.ts'
import { consequences } from './plain.ts'
import { CANONICAL_METHOD, CANONICAL_PATH, TOKEN_FORM } from './policies.ts'
import type { Json } from './rbac.ts'
import { asRead, readFilter, requestAtoms, settled, testsOf, type ReadWith, type RequestAtom } from './read.ts'

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

/** An issuer with its questions as they are read back. */
export function readable(issuer: NativeIssuer): NativeIssuer {
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
    if (!isAlike(open(issuer), asRead(issuer.credential)))
      problems.push(`\`${issuer.form}\`: other tokens are let in than those that Ostiary accepts`)
  }
  return [...new Set(problems)]
}

/** Each once, those about the same value together. */
function byPath(tests: readonly TokenTest[]): readonly TokenTest[] {
  const found = new Map<string, Map<string, TokenTest>>()
  for (const one of tests) {
    const path = JSON.stringify('path' in one ? one.path : one.is)
    let list = found.get(path)
    if (list === undefined) found.set(path, (list = new Map()))
    list.set(JSON.stringify(one), one)
  }
  return [...found.values()].flatMap((list) => [...list.values()])
}

/** Whether they are true of the same tokens, as far as their questions tell. */
function isAlike(one: Formula, other: Formula): boolean {
  const known = consequences(byPath([...testsOf(one), ...testsOf(other)]))
  return propositional([all(known, any(all(one, not(other)), all(other, not(one))))])[0] === NO
}

/** Whether one formula is true wherever another is, whatever the answers to their questions are. */
export function isImplied(formula: Formula, by: Formula): boolean {
  return propositional([all(by, not(formula))])[0] === NO
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
  // In one order for all of them, and what follows from one another side by side.
  for (const one of byPath(formulas.flatMap((formula) => [...testsOf(formula)]))) node(test(one))
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

/** Every question that the policy asks of tokens of this resource. */
function* questionsOf({ issuers, rules, guardrails, scopes, observed }: NativeResource): Generator<TokenTest> {
  for (const { credential } of issuers) yield* testsOf(credential)
  for (const { applies } of [...rules, ...guardrails]) for (const formula of applies.values()) yield* testsOf(formula)
  for (const one of [observed?.lets, ...guardrails.map((guardrail) => guardrail.observed)])
    for (const formula of one?.values() ?? []) yield* testsOf(formula)
  if (scopes === undefined) return
  for (const formula of [...scopes.capped.values(), ...(scopes.observed?.values() ?? [])]) yield* testsOf(formula)
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
    const provider = (providers as Readonly<Record<string, Json>>)[form] ?? {}
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
  const text = (all: readonly unknown[]): string => JSON.stringify(all.map((entry) => JSON.stringify(entry)).toSorted())
  return text(one) === text(other)
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
