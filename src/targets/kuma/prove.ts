/** Proves that what dataplanes are given is what the policy says, from the documents. */
import { FILTERS } from '../../envoy/filters.ts'
import { isAnybodyLetIn, readResource, tokenProblems, type SentFilters } from '../../envoy/prove.ts'
import type { Json } from '../../envoy/rbac.ts'
import { observationProblems, readSection, type Section } from '../../envoy/proveobserved.ts'
import { NotRead } from '../../envoy/read.ts'
import { proveEnforced } from '../../policy/compare/enforced.ts'
import type { ResourceProof, TargetDocument, TargetInput } from '../target.ts'
import { carriedOf, type Carried } from '../wired.ts'
import { workloadKey, type KumaTarget, type KumaWorkload } from './schema.ts'

/** One proof for each resource. */
export function proveKuma(input: TargetInput<KumaTarget>, documents: readonly TargetDocument[], now: number): readonly ResourceProof[] {
  const { name: target, config, wiring, policy, issuers } = input
  const all = Object.entries(config.workloads).flatMap(([resource, workload]) => {
    const delegated = config.delegate?.includes(resource) === true
    const { carried } = carriedOf(resource, delegated, { target, wiring, policy, issuers, leave: '', ask: '' })
    return carried === undefined ? [] : [{ resource, workload, delegated, carried }]
  })
  const among = all.flatMap(({ delegated, carried }) => (delegated ? [] : [carried.native]))
  return all.flatMap(({ resource, workload, delegated, carried }) => {
    const nothing = { resource, delegated, classes: 0, cells: 0, comparisons: 0, counterexamples: [], problems: [], notProven: [] }
    try {
      return [proofOf(resource, workload, carried, chainOf(documents, workload, config), { ...input, now, among }, nothing)]
    } catch (error) {
      if (!(error instanceof NotRead)) throw error
      return [{ ...nothing, notProven: [`what was compiled can not be read back: ${error.message}`] }]
    }
  })
}

/** What a MeshProxyPatch puts into inbounds: the settings of the connection manager, and filters in their order. */
interface Chain {
  readonly manager: Json
  readonly filters: readonly { readonly name: string; readonly typedConfig: Json }[]
}

/** The patch of the dataplanes with these labels; there has to be one. */
function chainOf(documents: readonly TargetDocument[], workload: KumaWorkload, { workloads }: KumaTarget): Chain {
  const key = workloadKey(workload)
  const own = documents.filter(({ type, kind, spec }) => {
    if ((type ?? kind) !== 'MeshProxyPatch') return false
    const { labels } = (spec as { readonly targetRef: { readonly labels: Readonly<Record<string, string>> } }).targetRef
    return Object.values(workloads).some((one) => workloadKey(one) === key && isSame(one.labels, labels))
  })
  if (own.length !== 1) throw new NotRead(`${own.length} patches of its dataplanes`)
  const { default: given } = own[0]!['spec'] as { readonly default: { readonly appendModifications: readonly Json[] } }
  const chain: { manager: Json; filters: Chain['filters'][number][] } = { manager: {}, filters: [] }
  for (const modification of given.appendModifications) {
    const [kind, change] = Object.entries(modification)[0] as readonly [
      string,
      { readonly operation: string; readonly match?: Json; readonly value: string },
    ]
    if (kind === 'cluster' || kind === 'virtualHost') continue
    const value = JSON.parse(change.value) as { readonly name: string; readonly typedConfig: Json }
    if (kind === 'networkFilter' && change.operation === 'Patch' && change.match?.['origin'] === 'inbound')
      chain.manager = value.typedConfig
    else if (kind === 'httpFilter' && change.operation === 'AddBefore' && change.match?.['name'] === 'envoy.filters.http.router')
      chain.filters.push(value)
    else throw new NotRead(`${kind} ${change.operation}`)
  }
  return chain
}

function isSame(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const text = (all: Readonly<Record<string, string>>): string =>
    JSON.stringify(
      Object.entries(all)
        .map((entry) => entry.join('='))
        .toSorted(),
    )
  return text(one) === text(other)
}

function proofOf(
  resource: string,
  workload: KumaWorkload,
  { native, wired, delegated }: Carried,
  chain: Chain,
  { policy, now, among }: Pick<TargetInput, 'policy'> & { readonly now: number; readonly among: readonly Carried['native'][] },
  nothing: ResourceProof,
): ResourceProof {
  const section = (filter: string): Section => readSection(chain.filters.find(({ name }) => name === filter)?.typedConfig ?? {}, filter)
  const [callers, guardrails, rules] = [FILTERS.callers, FILTERS.guardrails, FILTERS.rules].map(section) as [Section, Section, Section]
  const sent: SentFilters = { callers: callers.rules, guardrails: guardrails.rules, rules: rules.rules }
  const { port } = workload.inbound
  const problems = [...chainProblems(chain)]
  // Elsewhere nobody is let in: on another port, and for hosts that nothing is wired for.
  for (const place of [
    { host: wired.hosts[0]!, port: -1 },
    { host: '', port },
  ])
    if (!delegated && isAnybodyLetIn(sent.callers, native, { ...place, among })) problems.push('somebody is let in where nothing is wired')
  if (delegated)
    return {
      ...nothing,
      problems: [...problems, ...(chain.filters.some(({ name }) => name === FILTERS.checks) ? [] : ['the gateway is not asked about it'])],
    }
  let proof: ResourceProof = { ...nothing, classes: native.issuers.length + 1 }
  for (const host of wired.hosts.map((one) => one.toLowerCase())) {
    const read = readResource(sent, native, { host, port, among })
    const one = proveEnforced({ policy, resource, issuers: read.issuers, enforced: read.enforced, now })
    const observed = observationProblems({ callers: sent.callers, guardrails, rules }, native, policy, now, { host, port, among })
    problems.push(...read.problems, ...verifiedAt(host, native, chain), ...observed.problems)
    proof = {
      ...proof,
      cells: proof.cells + one.cells,
      comparisons: proof.comparisons + one.comparisons,
      counterexamples: [...proof.counterexamples, ...one.counterexamples],
      notProven: [...proof.notProven, ...one.notProven, ...observed.notProven],
    }
  }
  return { ...proof, problems: [...new Set(problems)], notProven: [...new Set(proof.notProven)] }
}

/** The first rule of `jwt_authn` for the host says whose tokens count. */
function verifiedAt(host: string, native: Carried['native'], { filters }: Chain): readonly string[] {
  const { providers = {}, rules = [] } = (filters.find(({ name }) => name === FILTERS.tokens)?.typedConfig ?? {}) as {
    readonly providers?: Json
    readonly rules?: readonly {
      readonly match: { readonly prefix?: string; readonly headers?: readonly Json[] }
      readonly requires: unknown
    }[]
  }
  const rule = rules.find(({ match: { headers = [] } }) =>
    headers.every(({ name, stringMatch }) => name === ':authority' && String((stringMatch as Json)['exact']).toLowerCase() === host),
  )
  if (rule?.match.prefix !== '/') return ['tokens are not verified for it']
  return tokenProblems(native.issuers, providers, rule.requires)
}

const ORDER = [FILTERS.tokens, FILTERS.callers, FILTERS.guardrails, FILTERS.rules]
const MANAGER: Json = {
  normalizePath: true,
  mergeSlashes: true,
  pathWithEscapedSlashesAction: 'REJECT_REQUEST',
  stripAnyHostPort: true,
  stripTrailingHostDot: true,
}

function chainProblems({ manager, filters }: Chain): readonly string[] {
  const names = filters.map(({ name }) => name).filter((name) => (ORDER as readonly string[]).includes(name))
  return [
    ...Object.entries(MANAGER).flatMap(([key, value]) => (manager[key] === value ? [] : [`the inbound’s \`${key}\` is not as it must be`])),
    ...(JSON.stringify(names) === JSON.stringify(ORDER) ? [] : ['the filters are others, or in another order']),
  ]
}
