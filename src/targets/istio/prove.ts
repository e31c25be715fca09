/**
 * Proves that what a workload is handed is what the policy says, from the resources of Istio: by what a rule of an AuthorizationPolicy means,
 * without any of what made it. It speaks of tokens that Ostiary accepts, and of requests that the classes of `assume` leave.
 */
import {
  all,
  any,
  ALWAYS,
  NEVER,
  not,
  payload,
  test,
  type Formula,
  type NativeIssuer,
  type TokenPath,
  type TokenTest,
} from '../../core/token.ts'
import { isImplied, readable } from '../../envoy/prove.ts'
import { asRead, NotRead, testsOf } from '../../envoy/read.ts'
import type { HttpPattern } from '../../policy/actions/http/template.ts'
import { proveEnforced, type Enforced } from '../../policy/compare/enforced.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import { observationsOn } from '../../policy/observation.ts'
import type { ResourceProof, TargetDocument, TargetInput } from '../target.ts'
import { settledBy } from './assume.ts'
import { wiredResource } from './carried.ts'
import { attachmentOf, LABELS, RULES } from './documents.ts'
import { splitBy } from './resource.ts'
import type { IstioTarget } from './schema.ts'
import { isDryRun } from './translate/authorization.ts'

interface Condition {
  readonly key: string
  readonly values?: readonly string[]
  readonly notValues?: readonly string[]
}
type Operation = Readonly<Partial<Record<'hosts' | 'notHosts' | 'ports' | 'methods' | 'paths' | 'notPaths', readonly string[]>>>
interface Rule {
  readonly to?: readonly { readonly operation: Operation }[]
  readonly when?: readonly Condition[]
}
interface Policy {
  readonly action: 'ALLOW' | 'DENY'
  readonly rules: readonly Rule[]
}

/** One proof for each resource. */
export function proveIstio(input: TargetInput<IstioTarget>, documents: readonly TargetDocument[], now: number): readonly ResourceProof[] {
  const { config, wiring, policy } = input
  return Object.entries(config.workloads).flatMap(([resource, workload]) => {
    const delegated = config.delegate.includes(resource)
    const nothing = { resource, delegated, classes: 0, cells: 0, comparisons: 0, counterexamples: [], problems: [], notProven: [] }
    const wired = wiredResource(wiring, resource)
    if (wired === undefined) return []
    const attachment = attachmentOf(workload)
    // What holds while something is only observed is looked at until that ends.
    const time = policy.loadedAt
    const until = observationsOn(policy.model, resource, time)[0]?.until
    const here = documents.filter(({ metadata, spec }) => {
      const { selector, targetRefs } = spec as { readonly selector?: unknown; readonly targetRefs?: unknown }
      const at = JSON.stringify(selector === undefined ? { targetRefs } : { selector })
      return (metadata as { readonly namespace: string }).namespace === attachment.namespace && at === JSON.stringify(attachment.spec)
    })
    // What is only tried does nothing: whatever has to be enforced is missing then.
    const own = here.filter((one) => !isTried(one))
    const accepted = acceptedOf(input, resource)
    // A workload verifies tokens for all of its resources.
    const neighbours = Object.entries(config.workloads).flatMap(([one, other]) =>
      attachmentOf(other).key === attachment.key ? acceptedOf(input, one) : [],
    )
    const problems = [
      ...triedInVain(here.filter(isTried), resource, policy),
      ...(own.some(({ kind, spec }) => kind === 'AuthorizationPolicy' && isNothing(spec as object)) ? [] : ['nothing denies by default']),
      ...(delegated || workload.mode === 'ztunnel' ? [] : tokenProblems(accepted, neighbours, own)),
    ]
    if (delegated || workload.mode === 'ztunnel') return [{ ...nothing, problems }]
    if (until !== undefined && until <= now)
      return [{ ...nothing, problems, notProven: [`it was compiled for the time before ${new Date(until).toISOString()}`] }]
    try {
      const asked = config.assume.includes('no-empty-claims') && config.assume.includes('declared-claim-types') ? askedIn(own) : []
      const known = settledBy(new Set(config.assume), () => undefined)
      const forms = accepted.map((issuer) => readable(assumed(issuer, known, asked)))
      let proof: ResourceProof = { ...nothing, problems, classes: forms.length + 1 }
      for (const host of wired.hosts.map((one) => one.toLowerCase()))
        for (const port of workload.ports) {
          const place = {
            host,
            port: String(port),
            split: new Set(['scope', 'permission', ...splitBy(config)]),
            forwards: wired.forwardAuthorization,
          }
          const enforced = enforcedBy(policiesIn(own), accepted, place)
          const one = proveEnforced({ policy, resource, issuers: forms, enforced, now, until })
          const unasked = accepted.flatMap((issuer) => unaskedOf(issuer, enforced.granting(issuer.form)))
          proof = {
            ...proof,
            problems: [...new Set([...proof.problems, ...unasked])],
            cells: proof.cells + one.cells,
            comparisons: proof.comparisons + one.comparisons,
            counterexamples: [...proof.counterexamples, ...one.counterexamples],
            notProven: [...new Set([...proof.notProven, ...one.notProven])],
          }
        }
      return [proof]
    } catch (error) {
      if (!(error instanceof NotRead)) throw error
      return [{ ...nothing, problems, notProven: [`what was compiled can not be read back: ${error.message}`] }]
    }
  })
}

interface Metadata {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

function isTried({ metadata }: TargetDocument): boolean {
  return isDryRun({ metadata: metadata as Metadata })
}

/** Dry runs of what is not observed: of nothing that is said of the resource, or of something that is enforced. */
function triedInVain(tried: readonly TargetDocument[], resource: string, policy: CompiledPolicy): readonly string[] {
  const observed = new Set(observationsOn(policy.model, resource, policy.loadedAt).map(({ guardrail }) => guardrail))
  return tried.flatMap(({ metadata }) => {
    const { name, labels = {}, annotations = {} } = metadata as Metadata
    if (labels[LABELS.resource] !== undefined && labels[LABELS.resource] !== resource) return []
    const isObserved = annotations[RULES] !== undefined && (observed.has(undefined) || observed.has(annotations[RULES]))
    return isObserved ? [] : [`\`${name}\` is only tried, and what it says has to be enforced`]
  })
}

/** Forms of the issuers whose principals may come. */
function acceptedOf({ policy, issuers }: TargetInput<IstioTarget>, resource: string): readonly NativeIssuer[] {
  const { issuers: accepted, observedUntil } = policy.model.world.resources[resource] ?? {}
  // A resource that is only observed lets in whomever it knows.
  const may = observedUntil !== undefined && observedUntil > policy.loadedAt ? undefined : accepted
  return [...issuers].flatMap(([name, forms]) => ('refused' in forms || may?.includes(name) === false ? [] : forms))
}

function isNothing(spec: object): boolean {
  return !('rules' in spec) && !('action' in spec)
}

/** What classes settle of every token. */
function assumed(issuer: NativeIssuer, settled: (test: TokenTest) => boolean | undefined, asked: readonly TokenPath[]): NativeIssuer {
  const formulas = [issuer.credential, issuer.appOnly, issuer.listedClient, ...Object.values(issuer.kinds)]
  const said = formulas.flatMap((formula) =>
    [...testsOf(formula)].flatMap((one) => {
      const answer = settled(one)
      return answer === undefined ? [] : [answer ? test(one) : not(test(one))]
    }),
  )
  // What is there is a text, or a list that has one.
  const whole = asked.map((path) =>
    any(not(test({ is: 'present', path })), test({ is: 'texts', path }), test({ is: 'type', path, type: 'string' })),
  )
  return { ...issuer, credential: all(issuer.credential, ...said, ...whole) }
}

/** Claims of which is asked whether they are there. */
function askedIn(documents: readonly TargetDocument[]): readonly TokenPath[] {
  const keys = policiesIn(documents).flatMap(({ rules }) =>
    rules.flatMap(({ when = [] }) =>
      when.flatMap(({ key, values = [], notValues = [] }) => ([...values, ...notValues].includes('*') ? [key] : [])),
    ),
  )
  return [...new Set(keys)].flatMap((key) => {
    const inner = claimsIn(key)
    return inner === undefined ? [] : [payload(...inner)]
  })
}

/** `request.auth.claims[a][b]` */
function claimsIn(key: string): readonly string[] | undefined {
  const [, inner] = /^request\.auth\.claims((?:\[[^\]]+\])+)$/.exec(key) ?? []
  return inner?.slice(1, -1).split('][')
}

/** Texts that a claim must have, or must not, by which Ostiary knows its tokens: whoever is let in has been asked for them. */
function unaskedOf({ form, credential }: NativeIssuer, granting: readonly Formula[]): readonly string[] {
  const parts = 'all' in credential ? credential.all : [credential]
  return parts.flatMap((part) => {
    const inner = 'not' in part ? part.not : part
    if (!('test' in inner) || inner.test.is !== 'value' || inner.test.type !== 'string' || inner.test.path.part !== 'payload') return []
    const { path, values } = inner.test
    const has = any(
      ...values.flatMap((value) => [
        test({ is: 'value', path, type: 'list', values: [value] }),
        test({ is: 'value', path, type: 'string', values: [value] }),
      ]),
    )
    const isAsked = granting.every((rule) => isImplied('not' in part ? not(has) : has, rule))
    return isAsked ? [] : [`of tokens of \`${form}\`, \`${path.names.join('.')}\` is not asked`]
  })
}

/** Each issuer's tokens are verified, for its audiences and from one place alone. */
function tokenProblems(
  issuers: readonly NativeIssuer[],
  neighbours: readonly NativeIssuer[],
  documents: readonly TargetDocument[],
): readonly string[] {
  const rules = documents.flatMap(({ kind, spec }) =>
    kind === 'RequestAuthentication' ? (spec as { readonly jwtRules: readonly Readonly<Record<string, unknown>>[] }).jwtRules : [],
  )
  const isRight = ({ iss, audiences }: NativeIssuer): boolean =>
    rules.some(
      (rule) =>
        rule['issuer'] === iss &&
        audiences.length > 0 &&
        JSON.stringify([...((rule['audiences'] ?? []) as readonly string[])].toSorted()) === JSON.stringify([...audiences].toSorted()) &&
        Array.isArray(rule['fromHeaders']) &&
        rule['fromParams'] === undefined,
    )
  return [
    ...issuers.flatMap((issuer) => (isRight(issuer) ? [] : [`tokens of \`${issuer.form}\` are not verified as they must be`])),
    ...rules.flatMap((rule) =>
      neighbours.some(({ iss }) => rule['issuer'] === iss) ? [] : [`tokens of ${String(rule['issuer'])} are verified as well`],
    ),
  ]
}

function policiesIn(documents: readonly TargetDocument[]): readonly Policy[] {
  return documents.flatMap(({ kind, spec }) => {
    if (kind !== 'AuthorizationPolicy' || isNothing(spec as object)) return []
    const { action = 'ALLOW', rules = [] } = spec as { readonly action?: string; readonly rules?: readonly Rule[] }
    // What asks the gateway only refuses more.
    if (action === 'CUSTOM') return []
    if (action !== 'ALLOW' && action !== 'DENY') throw new NotRead(`action \`${action}\``)
    return [{ action, rules }]
  })
}

interface Place {
  readonly host: string
  readonly port: string
  /** Claims that are taken apart into words. */
  readonly split: ReadonlySet<string>
  readonly forwards: boolean
}

/** What is let through, and what each rule that allows asks of tokens of a form. */
interface Read extends Enforced {
  readonly granting: (form: string) => readonly Formula[]
}

function enforcedBy(policies: readonly Policy[], issuers: readonly NativeIssuer[], place: Place): Read {
  const rules = policies.flatMap(({ action, rules: all }) => all.map((rule) => ({ action, rule })))
  const texts = new Set(
    rules.flatMap(({ rule }) => (rule.to ?? []).flatMap(({ operation: { paths = [], notPaths = [] } }) => [...paths, ...notPaths])),
  )
  const paths = [...texts].map(templateOf)
  const numbers = new Map([...texts].map((text, number) => [text, number]))
  const known = new Map<string, Formula>()
  const formulaOf = (form: string, number: number): Formula => {
    const key = `${form}\n${number}`
    let made = known.get(key)
    if (made === undefined) {
      const issuer = issuers.find((one) => one.form === form)
      const { when = [], ...rest } = rules[number]!.rule
      if (Object.keys(rest).some((one) => one !== 'to')) throw new NotRead(`\`${Object.keys(rest).join('`, `')}\` of a rule`)
      known.set(key, (made = asRead(all(...when.map((one) => conditionOf(one, issuer, place))))))
    }
    return made
  }
  return {
    granting: (form) => rules.flatMap(({ action }, number) => (action === 'ALLOW' ? [formulaOf(form, number)] : [])),
    paths,
    methods: [...new Set(rules.flatMap(({ rule }) => (rule.to ?? []).flatMap(({ operation }) => operation.methods ?? [])))],
    allows(form, method, covering) {
      const met = rules.flatMap(({ rule: { to } }, number) =>
        to === undefined || to.some(({ operation }) => isMet(operation, method, (path) => covering.has(numbers.get(path)!), place))
          ? [number]
          : [],
      )
      return {
        key: met.join(' '),
        formula: () => {
          const of = (action: Policy['action']): Formula =>
            any(...met.filter((one) => rules[one]!.action === action).map((one) => formulaOf(form, one)))
          return all(of('ALLOW'), not(of('DENY')))
        },
      }
    },
  }
}

/** Fields of an operation have all to be met, by one of their values. */
function isMet(operation: Operation, method: string, covers: (path: string) => boolean, { host, port }: Place): boolean {
  const { hosts, notHosts = [], ports, methods, paths, notPaths = [], ...rest } = operation
  if (Object.keys(rest).length > 0) throw new NotRead(`\`${Object.keys(rest).join('`, `')}\` of an operation`)
  const isHost = (one: string): boolean => {
    if (one.includes('*')) throw new NotRead(`host \`${one}\``)
    return one.toLowerCase() === host
  }
  return (
    (hosts === undefined || hosts.some(isHost)) &&
    !notHosts.some(isHost) &&
    (ports === undefined || ports.includes(port)) &&
    (methods === undefined || methods.includes(method)) &&
    (paths === undefined || paths.some(covers)) &&
    !notPaths.some(covers)
  )
}

/** `/a/b`, `/a/*`, and templates of `{*}` with `{**}` at their end. */
function templateOf(text: string): HttpPattern {
  const isTemplate = text.includes('{')
  const end = isTemplate ? '/{**}' : '/*'
  const rest = text.endsWith(end)
  const path = rest ? text.slice(0, -end.length) : text
  if (!text.startsWith('/') || (!isTemplate && path.endsWith('*')) || (!isTemplate && path.startsWith('*')))
    throw new NotRead(`path \`${text}\``)
  const segments = (path === '' ? [] : path.slice(1).split('/')).map((one, index) => {
    if (isTemplate && one === '{*}') return { kind: 'parameter' as const, name: `p${index}` }
    if (/[{}]/.test(one)) throw new NotRead(`path \`${text}\``)
    return { kind: 'literal' as const, text: one }
  })
  const parameters = segments.flatMap((one) => (one.kind === 'parameter' ? [one.name] : []))
  return { protocol: 'http', text, method: '*', segments, rest, parameters }
}

/** What one entry of `when` asks of callers of a class. */
function conditionOf({ key, values, notValues, ...rest }: Condition, issuer: NativeIssuer | undefined, place: Place): Formula {
  if (Object.keys(rest).length > 0) throw new NotRead(`\`${Object.keys(rest).join('`, `')}\` of a condition`)
  const is = (all: readonly string[]): Formula => oneOf(key, all, issuer, place)
  return all(values === undefined ? ALWAYS : is(values), notValues === undefined ? ALWAYS : not(is(notValues)))
}

function oneOf(key: string, values: readonly string[], issuer: NativeIssuer | undefined, { split, forwards }: Place): Formula {
  const [, header] = /^request\.headers\[([^\]]+)\]$/.exec(key) ?? []
  if (header !== undefined) {
    // Nobody shows no credential; of others it is there unless it was taken away.
    const isThere = header === 'authorization' && issuer !== undefined && forwards
    if (values.length !== 1 || (values[0] !== '*' && !(header === 'authorization' && values[0] === 'Bearer *')))
      throw new NotRead(`\`${key}\``)
    return isThere ? ALWAYS : NEVER
  }
  if (key === 'source.ip' || key === 'remote.ip')
    return test({
      is: 'address',
      networks: values.map((one) => ({ address: one.replace(/\/\d+$/, ''), bits: Number(/\/(\d+)$/.exec(one)?.[1]) })),
    })
  const names = claimsIn(key)
  if (names === undefined) throw new NotRead(`\`${key}\``)
  if (issuer === undefined) return NEVER
  const [name] = names
  if (names.length === 1 && name === 'iss') return values.includes(issuer.iss) || values.includes('*') ? ALWAYS : NEVER
  if (names.length === 1 && name === 'aud') {
    if (!issuer.audiences.every((one) => values.includes(one))) throw new NotRead('audiences')
    return ALWAYS
  }
  const path = payload(...names)
  const words = wordOf(values)
  if (words !== undefined) return test({ is: 'word', path, word: words })
  return any(
    ...values.map((value) => {
      if (value === '*') {
        const above = names.slice(0, -1).map((_, index) => test({ is: 'present', path: payload(...names.slice(0, index + 1)) }))
        const some = any(test({ is: 'texts', path }), test({ is: 'type', path, type: 'string' }))
        return all(...above, test({ is: 'present', path }), some)
      }
      if (value.startsWith('*') || value.endsWith('*')) throw new NotRead(`\`${value}\` of \`${key}\``)
      // Claims that are taken apart are texts of words (`declared-claim-types`).
      if (names.length === 1 && split.has(name!)) return test({ is: 'word', path, word: value })
      return any(test({ is: 'value', path, type: 'list', values: [value] }), test({ is: 'value', path, type: 'string', values: [value] }))
    }),
  )
}

/** A word alone, or first, or last, of a text that the mesh does not take apart. One in the middle it doesn't see: narrower, and said so. */
function wordOf(values: readonly string[]): string | undefined {
  const [word = '', first, last] = values
  return values.length === 3 && first === `${word} *` && last === `* ${word}` ? word : undefined
}
