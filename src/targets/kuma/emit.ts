/** The policy as documents of a mesh. A pure function of its input. */
import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import type { NativeIssuer } from '../../core/token.ts'
import { ATTRIBUTES } from '../../envoy/attributes.ts'
import type { Json } from '../../envoy/rbac.ts'
import type { KeySets, Residue, TargetDocument, TargetInput, TargetResult } from '../target.ts'
import { carriedOf, type Carried } from '../wired.ts'
import { documentOf, type Described } from './documents.ts'
import { modificationsOf, type Inbound } from './filters.ts'
import { workloadKey, type KumaPeer, type KumaTarget, type KumaWorkload } from './schema.ts'
import { documentProblems } from './validate.ts'

/** Larger documents are refused, in bytes: a Kubernetes API server takes one and a half million. */
const MAX_DOCUMENT = 1_000_000

interface Member {
  readonly resource: string
  readonly workload: KumaWorkload
  readonly carried: Carried
}

/** Resources of the same dataplanes. */
type Group = readonly [Member, ...Member[]]

export function compileKuma(input: TargetInput<KumaTarget>): TargetResult {
  const { name, config, wiring, policy, issuers, keys } = input
  const target = `mesh \`${name}\``
  const leave = `leave it out of \`targets.${name}.workloads\``
  const ask = `add it to \`targets.${name}.delegate\`, which needs \`targets.${name}.gateway\``
  const diagnostics: Diagnostic[] = []
  const groups = new Map<string, Member[]>()
  for (const [resource, workload] of Object.entries(config.workloads).toSorted(byName)) {
    const delegated = config.delegate?.includes(resource) === true
    const { carried, diagnostics: found } = carriedOf(resource, delegated, { target, wiring, policy, issuers, leave, ask })
    diagnostics.push(...found)
    if (carried === undefined) continue
    const key = workloadKey(workload)
    groups.set(key, [...(groups.get(key) ?? []), { resource, workload, carried }])
  }
  const all = [...groups.values()] as unknown as readonly Group[]
  const refuse = (resource: string, why: string): void =>
    void diagnostics.push(diagnostic('target/not-carried', { target, resource, why, leave }, undefined))
  for (const group of all) for (const why of groupProblems(group)) refuse(group[0].resource, why)
  for (const issuer of issuersOf(all)) {
    const why = keyProblem(issuer, keys)
    if (why !== undefined)
      diagnostics.push(diagnostic('target/no-keys', { target, issuer: issuer.name, why, help: LOOK_AT_KEYS }, undefined))
  }
  if (diagnostics.length > 0) return { documents: [], diagnostics, resources: [], residues: [] }

  const described = all.flatMap((group) => describe(group, input, keys ?? new Map<string, string>()))
  const origin = { config, gateway: wiring.name, target: name, revision: input.revision }
  const documents = described.map((one) => documentOf(one, origin))
  for (const [index, document] of documents.entries()) {
    const size = Buffer.byteLength(JSON.stringify(document))
    if (size > MAX_DOCUMENT)
      refuse(described[index]!.workload, `its document would have ${size} bytes, and no more than ${MAX_DOCUMENT} are safe`)
    const [problem] = documentProblems(document, config)
    // What the control plane does not know, it drops without a word: a document that isn't its own is a fault of this compiler.
    if (problem !== undefined) throw new Error(`a document that Kuma ${config.version} doesn't know: ${problem}`)
  }
  return {
    documents: diagnostics.some(({ severity }) => severity === 'error') ? [] : inOrder(documents, described),
    diagnostics,
    resources: all.flatMap((group) =>
      group.map(({ resource, carried: { native, delegated } }) => ({
        name: resource,
        delegated,
        rules: native.rules.length,
        guardrails: native.guardrails.length,
      })),
    ),
    residues: residuesOf(all, config, keys),
  }
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}

function issuersOf(groups: readonly Group[]): readonly NativeIssuer[] {
  const all = groups.flatMap((group) => group.flatMap(({ carried }) => carried.native.issuers))
  return [...new Map(all.map((issuer) => [issuer.form, issuer] as const)).entries()].toSorted(byName).map(([, issuer]) => issuer)
}

const LOOK_AT_KEYS = 'see `ostiary doctor issuer` for what the issuer answers, and `audiences` of the issuer'

/** Why no token of an issuer, or too many, would be good; undefined where nobody asked it. */
function keyProblem({ form, audiences }: NativeIssuer, keys: KeySets | undefined): string | undefined {
  if (audiences.length === 0) return 'it has no audience, and tokens for anybody would count'
  if (keys === undefined) return undefined
  const text = keys.get(form)
  const { keys: all } = (text === undefined ? { keys: [] } : JSON.parse(text)) as { readonly keys: readonly Json[] }
  if (all.length === 0) return 'none came when it was asked'
  // Whoever reads a document must not be able to sign with what is in it.
  const isPublic = all.every((key) => ['RSA', 'EC', 'OKP'].includes(key['kty'] as string) && !('d' in key) && !('k' in key))
  return isPublic ? undefined : 'not all that came are public'
}

/** What resources of the same dataplanes can't differ in, because filters there are for all of them. */
function groupProblems(group: Group): readonly string[] {
  const names = group.map(({ resource }) => `\`${resource}\``).join(', ')
  const forwards = new Set(group.map(({ carried }) => carried.wired.forwardAuthorization))
  return [
    ...(group.length > 1 && group.some(({ carried }) => carried.delegated)
      ? [`${names} have the same dataplanes, and the gateway can be asked about one resource of a dataplane alone`]
      : []),
    ...(forwards.size > 1 ? [`${names} have the same dataplanes, and not the same \`forwardAuthorization\``] : []),
  ]
}

function describe(group: Group, { config }: TargetInput<KumaTarget>, keys: KeySets): readonly Described[] {
  const [first] = group
  const workload = first.resource
  const targetRef = { kind: 'Dataplane', labels: Object.fromEntries(Object.entries(first.workload.labels).toSorted(byName)) }
  const inbounds = group.map(inboundOf)
  const { forwardAuthorization } = first.carried.wired
  const appendModifications = modificationsOf({ inbounds, forwardAuthorization }, { ...config, name: workload, keys })
  const strict = group.some((one) => one.workload.strictTls)
  return [
    ...(strict ? [{ kind: 'MeshTLS' as const, workload, spec: { targetRef, rules: [{ default: { mode: 'Strict' } }] } }] : []),
    { kind: 'MeshProxyPatch' as const, workload, spec: { targetRef, default: { appendModifications } } },
    ...permissionsOf(group).map(({ port, section, peers }) => ({
      kind: 'MeshTrafficPermission' as const,
      workload,
      suffix: String(port),
      spec: { targetRef: { ...targetRef, sectionName: section }, ...letIn(peers) },
    })),
    ...(config.logs === undefined || 'gateway' in config.logs
      ? []
      : [{ kind: 'MeshAccessLog' as const, workload, spec: { targetRef, rules: [{ default: { backends: [backendOf(config.logs)] } }] } }]),
  ]
}

function inboundOf({ workload, carried: { native, delegated, wired } }: Member): Inbound {
  return {
    native,
    delegated,
    hosts: wired.hosts,
    port: workload.inbound.port,
    peers: workload.peers,
    websocket: wired.websocket !== false,
  }
}

/** By inbound: every peer of one of its resources. Which of them may call which resource, the filters tell. */
function permissionsOf(group: Group) {
  const inbounds = new Map<number, { readonly port: number; readonly section: string; readonly peers: readonly KumaPeer[] }>()
  for (const { workload } of group) {
    const { port, name } = workload.inbound
    if (workload.peers !== undefined)
      inbounds.set(port, { port, section: name ?? String(port), peers: [...(inbounds.get(port)?.peers ?? []), ...workload.peers] })
  }
  return [...inbounds.values()].toSorted((a, b) => a.port - b.port)
}

function letIn(peers: readonly KumaPeer[]): Json {
  const once = [...new Map(peers.map((one) => [JSON.stringify(one), one])).entries()].toSorted(byName).map(([, one]) => one)
  const services = once.flatMap((one) => ('service' in one ? [one.service] : []))
  if (services.length > 0)
    return {
      from: services.map((service) => ({
        targetRef: { kind: 'MeshSubset', tags: { 'kuma.io/service': service } },
        default: { action: 'Allow' },
      })),
    }
  const allow = once.flatMap((one) => {
    if ('exact' in one) return [{ spiffeID: { type: 'Exact', value: one.exact } }]
    return 'prefix' in one ? [{ spiffeID: { type: 'Prefix', value: one.prefix } }] : []
  })
  return { rules: [{ default: { allow } }] }
}

function backendOf(logs: Exclude<NonNullable<KumaTarget['logs']>, { readonly gateway: true }>): Json {
  const attributes = Object.entries(ATTRIBUTES).map(([key, value]) => ({ key, value }))
  const where = 'endpoint' in logs ? { endpoint: logs.endpoint } : { backendRef: { kind: 'MeshOpenTelemetryBackend', name: logs.backend } }
  return { type: 'OpenTelemetry', openTelemetry: { ...where, attributes } }
}

/** What is applied first takes away, and what lets callers in comes after it; what only tells comes last. */
const ORDER = ['MeshTLS', 'MeshProxyPatch', 'MeshTrafficPermission', 'MeshAccessLog']

function inOrder(documents: readonly TargetDocument[], described: readonly Described[]): readonly TargetDocument[] {
  return documents
    .map((document, index) => [ORDER.indexOf(described[index]!.kind), document] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, document]) => document)
}

function residuesOf(groups: readonly Group[], { version, workloads }: KumaTarget, keys: KeySets | undefined): readonly Residue[] {
  const narrower = groups.flatMap((group) => group.flatMap(({ carried }) => carried.native.issuers.flatMap((issuer) => issuer.narrower)))
  const protocol = version === '3.0' ? '`networking.inbound[].protocol`' : 'the tag `kuma.io/protocol`'
  const assumed = Object.entries(workloads).map(
    ([resource, { inbound }]) =>
      `the inbound of \`${resource}\` on port ${inbound.port} says ${protocol} ${inbound.protocol}: without it there are no filters on it`,
  )
  return [
    ...[...new Set(narrower)].toSorted().map((one) => ({ effect: 'narrower' as const, text: one })),
    ...(keys === undefined && issuersOf(groups).length > 0
      ? [{ effect: 'narrower' as const, text: 'every token: it was compiled without keys (`--keys` asks the issuers)' }]
      : []),
    ...assumed.toSorted().map((one) => ({ effect: 'assumed' as const, text: one })),
    {
      effect: 'assumed',
      text: 'what serves these resources is reached through its dataplane alone: not by its own address, an excluded port, or a host’s network',
    },
    {
      effect: 'assumed',
      text: 'no other MeshProxyPatch of these dataplanes touches their filters, and nobody else writes to the control plane',
    },
  ]
}
