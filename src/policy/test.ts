import { readDocument, spanOf, type Located } from '../config/document.ts'
import { didYouMean } from '../config/didyoumean.ts'
import { validate } from '../config/validate.ts'
import type { SourceFile } from '../config/wiring.ts'
import type { Action } from '../core/action.ts'
import type { Decision, Grant } from '../core/decision.ts'
import type { Diagnostic } from '../core/errors.ts'
import type { ClaimValue, Identity } from '../core/principal.ts'
import type { Span } from '../core/span.ts'
import { MAX_PARTIES } from './bind.ts'
import { readAction, vocabularyOf } from './actions/index.ts'
import type { CompiledPolicy } from './compiled.ts'
import { Findings, instantOf } from './names.ts'
import { policyTestSchema, type PartyText, type PolicyTestText, type TestCaseText } from './schema.ts'
import { isOfType } from './when/condition.ts'
import { parseAddress } from './when/cidr.ts'

export interface PolicyTestResult {
  readonly name: string
  readonly span: Span
  readonly passed: boolean
  readonly expected: string
  readonly actual: string
  /** What to print of a failure; empty for a case that passed. */
  readonly message: string
  readonly decision: Decision
}

export interface PolicyTestRun {
  readonly results: readonly PolicyTestResult[]
  /** Test files and cases that could not be run at all. */
  readonly diagnostics: readonly Diagnostic[]
}

/** Which rules and guardrails the cases were decided by. */
export interface PolicyTestCoverage {
  readonly rules: number
  readonly guardrails: number
  /** Ids that no case was decided by: a rule that granted nothing, a guardrail that took nothing away. Sorted. */
  readonly uncovered: { readonly rules: readonly string[]; readonly guardrails: readonly string[] }
}

/** Reasons that name a guardrail, besides those that say so. */
const GUARDING: ReadonlySet<string> = new Set(['requirement', 'approval', 'obligation'])

/** What of the policy the cases have shown. Every rule that would have granted counts, not the first alone. */
export function coverageOf({ rules, guardrails }: CompiledPolicy, results: readonly PolicyTestResult[]): PolicyTestCoverage {
  const seen = new Set(
    results.flatMap(({ decision }) => [
      ...decision.rules,
      ...obliging(decision),
      ...[...decision.reasons, ...(decision.observed?.reasons ?? [])].flatMap(({ code, id }) =>
        id !== undefined && (GUARDING.has(code) || code.startsWith('guardrail')) ? [id] : [],
      ),
    ]),
  )
  const unseen = (all: readonly { readonly id: string }[]): string[] => all.flatMap(({ id }) => (seen.has(id) ? [] : [id]))
  return { rules: rules.length, guardrails: guardrails.length, uncovered: { rules: unseen(rules), guardrails: unseen(guardrails) } }
}

const DEFAULT_ADDRESS = '192.0.2.1'

/** Runs the cases of `*.test.yaml` files. `now` is the time of cases without `at:`, in milliseconds since the epoch. */
export function runPolicyTests(policy: CompiledPolicy, files: readonly SourceFile[], now: number): PolicyTestRun {
  const results: PolicyTestResult[] = []
  const diagnostics: Diagnostic[] = []
  for (const { path, text } of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const document = readDocument(path, text)
    diagnostics.push(...document.diagnostics)
    if (document.root === undefined) continue
    const checked = validate(policyTestSchema, document.root)
    diagnostics.push(...checked.diagnostics)
    for (const [i, test] of (checked.value?.tests ?? []).entries())
      for (const one of casesOf(test, ['tests', i])) {
        const result = runOne(policy, one, document.root, diagnostics, now)
        if (result !== undefined) results.push(result)
      }
  }
  return { results, diagnostics }
}

/** One case with everything that it says, and where each part of it is written. */
interface Case extends TestCaseText {
  readonly name: string
  readonly place: (part: string) => readonly PropertyKey[]
}

/** The test itself, or the rows of its table: a row says what differs. */
function casesOf({ cases, name, ...shared }: PolicyTestText, path: readonly PropertyKey[]): readonly Case[] {
  if (cases === undefined) return [{ ...shared, name, place: (part) => [...path, part] }]
  return cases.map((row, i) => {
    const own = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as TestCaseText
    return {
      ...shared,
      ...own,
      name: `${name}: ${own.does ?? shared.does ?? i + 1}`,
      place: (part) => (part === 'name' ? [...path, 'cases', i] : part in own ? [...path, 'cases', i, part] : [...path, part]),
    }
  })
}

function runOne(policy: CompiledPolicy, test: Case, root: Located, diagnostics: Diagnostic[], now: number): PolicyTestResult | undefined {
  const findings = new Findings(root, diagnostics)
  const { place, principal: who, does, on, expect } = test
  const missing = Object.entries({ principal: who, does, on, expect }).flatMap(([part, value]) =>
    value === undefined ? [`\`${part}\``] : [],
  )
  if (who === undefined || does === undefined || on === undefined || expect === undefined) {
    findings.add('policy/test-incomplete', { name: test.name, missing: missing.join(', ') }, place('name'))
    return undefined
  }
  const before = diagnostics.length
  const where = `test \`${test.name}\``
  const { resources } = policy.model.world
  const protocol = findings.known('policy/unknown-resource', on, resources, where, place('on')) ? resources[on]!.protocol : 'http'
  const action = readAction(does, protocol)
  if ('problem' in action) {
    const help = action.help ?? `write for example \`${vocabularyOf(protocol)?.exampleAction}\``
    findings.add('policy/action', { text: does, protocol, problem: action.problem }, place('does'), help)
  }
  const time = test.at === undefined ? now : instantOf(test.at)
  if (time === undefined) findings.add('policy/break-glass-time', { text: test.at ?? '' }, place('at'))
  if (test.from !== undefined && parseAddress(test.from) === undefined)
    findings.add('policy/test-principal', { name: test.name, problem: `\`${test.from}\` is not an address` }, place('from'))
  const identity = who === 'anonymous' ? undefined : partyOf(policy, who, test.name, place('principal'), findings)
  const peer = test.peer === undefined || test.peer === 'none' ? undefined : partyOf(policy, test.peer, test.name, place('peer'), findings)
  for (const [i, role] of (test.active ?? []).entries())
    findings.known('policy/unknown-role', role, policy.model.roles, where, [...place('active'), i])
  for (const [i, id] of (test.approved ?? []).entries())
    if (!policy.guardrails.some((one) => one.id === id && one.approval !== undefined))
      findings.add('policy/test-principal', { name: test.name, problem: `no guardrail \`${id}\` asks for an approval` }, [
        ...place('approved'),
        i,
      ])
  if (diagnostics.length > before || 'problem' in action || time === undefined) return undefined

  const principal = identity === undefined ? policy.anonymous : policy.bind(identity)
  const decision = policy.decide(principal, action, on, {
    time,
    ip: test.from ?? DEFAULT_ADDRESS,
    peer: peer === undefined ? undefined : policy.bind(peer),
    justification: test.justification,
    approved: new Set(test.approved),
    grants: grantsOf(identity, test.active, time),
  })
  const because = test.because === undefined || isBecause(decision, test.because)
  const would = decision.observed?.effect
  const observed = test.observed === undefined || test.observed === (would ?? 'nothing')
  const passed = decision.effect === expect && because && observed
  const expected = test.because === undefined ? expect : `${expect} because ${test.because}`
  const actual = `${decision.effect} because ${reasonsOf(decision)}`
  const watched = observed ? '' : `; expected ${test.observed} without observation, but got ${would ?? 'no difference'}`
  const message = passed ? '' : `expected ${expected}, but got ${actual}${because ? '' : hint(policy, test.because)}${watched}`
  return { name: test.name, span: spanOf(root, place('name')), passed, expected, actual, message, decision }
}

/** An id or code among the reasons; of an allow, any granting rule. */
function isBecause(decision: Decision, because: string): boolean {
  const { effect, rules, reasons, observed } = decision
  return (
    (effect === 'allow' && (rules.includes(because) || obliging(decision).includes(because))) ||
    [...reasons, ...(observed?.reasons ?? [])].some(({ code, id }) => code === because || id === because)
  )
}

/** Guardrails whose obligations come with an allow. */
function obliging({ obligations }: Decision): readonly string[] {
  return obligations.flatMap((one) => (one.kind === 'limit' ? [one.id] : one.ids))
}

/** Roles that are active for the principal of a case, at its time. */
function grantsOf(identity: Identity | undefined, roles: readonly string[] | undefined, time: number): readonly Grant[] | undefined {
  if (identity === undefined || roles === undefined) return undefined
  const { issuer, subject } = identity
  return roles.map((role) => ({ issuer, subject, role, from: time, until: time + 1 }))
}

function reasonsOf({ reasons }: Decision): string {
  return reasons
    .map(({ code, id, role }) =>
      [code, ...(id === undefined ? [] : [`\`${id}\``]), ...(role === undefined ? [] : [`(role \`${role}\`)`])].join(' '),
    )
    .join(', ')
}

/** A `because` that names nothing is the likelier mistake than a policy that changed. */
function hint(policy: CompiledPolicy, because: string | undefined): string {
  const ids = [...policy.rules, ...policy.guardrails].map(({ id }) => id)
  if (because === undefined || ids.includes(because)) return ''
  const near = didYouMean(because, ids)
  return near === undefined ? '' : `; ${near}`
}

/** A concrete action as people write it, or what is wrong with the text. @param protocol Of the resource that it is on. */
export function actionOf(text: string, protocol: string): Action | string {
  const action = readAction(text, protocol)
  return 'problem' in action ? [action.problem, ...(action.help === undefined ? [] : [action.help])].join('; ') : action
}

/** The identity that a party describes; what is wrong with it is added to `findings`. @param test What the party is of, for those. */
export function partyOf(
  policy: CompiledPolicy,
  party: PartyText,
  test: string,
  path: readonly PropertyKey[],
  findings: Findings,
  number = 1,
): Identity | undefined {
  const where = `test \`${test}\``
  const { issuers } = policy.model.world
  if (number > MAX_PARTIES + 1) {
    findings.add('policy/test-principal', { name: test, problem: 'the chain is too long' }, path)
    return undefined
  }
  const actor = party.actor === undefined ? undefined : partyOf(policy, party.actor, test, [...path, 'actor'], findings, number + 1)
  if (!findings.known('policy/unknown-issuer', party.issuer, issuers, where, [...path, 'issuer'])) return undefined
  const known = issuers[party.issuer]!.claims
  const claims = Object.create(null) as Record<string, ClaimValue>
  for (const [name, value] of Object.entries(party.claims)) {
    const at = findings.span([...path, 'claims', name], 'key')
    if (!findings.known('policy/unknown-claim', name, known, where, at)) continue
    if (isOfType(value, known[name]!.type)) claims[name] = value
    else findings.add('policy/binding-type', { claim: name, type: known[name]!.type, value: String(value) }, [...path, 'claims', name])
  }
  for (const [i, name] of party.unknown.entries()) findings.known('policy/unknown-claim', name, known, where, [...path, 'unknown', i])
  return {
    issuer: party.issuer,
    subject: party.subject,
    kind: party.kind ?? (party.appOnly ? 'workload' : 'human'),
    claims,
    unknownClaims: new Set(party.unknown),
    scopes: party.scopes,
    appOnly: party.appOnly,
    listedClient: party.listedClient,
    actor,
    display: undefined,
    evidence: {
      credential: 'test',
      issuerUrl: party.issuer,
      audience: '',
      client: undefined,
      tokenId: undefined,
      keyId: undefined,
      algorithm: undefined,
      issuedAt: undefined,
      expiresAt: Number.POSITIVE_INFINITY,
      sessionId: undefined,
    },
  }
}
