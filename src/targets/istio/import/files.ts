/** The files of what was imported: wiring, policy, and the mesh that it came from as a target, in an environment of its own. */
import type { Claims } from './claims.ts'
import { keyFile, type AcceptedIssuer, type ImportedIssuer } from './issuers.ts'
import type { Losses } from './losses.ts'
import type { MeshFacts } from './manifests.ts'
import { MESH_ISSUER, type PeerRoles } from './peers.ts'
import type { Roles } from './roles.ts'
import type { Draft } from './drafts.ts'
import type { ImportedWorkload } from './workloads.ts'
import { commented, listing, section, type Entry, type WrittenFile } from './written.ts'

export interface ImportedResource {
  readonly name: string
  readonly workload: ImportedWorkload
  readonly hosts: readonly string[]
  readonly ports: readonly number[]
  readonly accepted: readonly AcceptedIssuer[]
  readonly drafts: readonly Draft[]
}

export interface NamedDraft {
  readonly id: string
  readonly draft: Draft
  readonly resources: readonly string[]
}

interface Whole {
  readonly resources: readonly ImportedResource[]
  readonly drafts: readonly NamedDraft[]
  readonly issuers: readonly ImportedIssuer[]
  readonly claims: Claims
  readonly roles: Roles
  readonly peers: PeerRoles
  readonly bundle: string | undefined
  readonly mesh: MeshFacts
  readonly addresses: 'source' | 'remote'
  readonly losses: Losses
}

/** The environment that has the mesh as a target. */
export const ENVIRONMENT = 'mesh'
const HEAD = 'apiVersion: ostiary.dev/v1'

export function filesOf(whole: Whole): readonly WrittenFile[] {
  const { issuers } = whole
  const target = targetOf(whole)
  return [
    { path: 'ostiary.yaml', text: wiring(whole) },
    { path: 'policy/imported.yaml', text: policy(whole) },
    ...(target === undefined ? [] : [{ path: `environments/${ENVIRONMENT}.yaml`, text: target }]),
    ...issuers.flatMap((one) => (one.jwks === undefined ? [] : [{ path: keyFile(one), text: `${one.jwks.trim()}\n` }])),
  ]
}

function lines(all: readonly string[]): string {
  return `${all.join('\n').replace(/\n+$/, '')}\n`
}

function wiring({ resources, issuers, claims, peers, bundle, mesh }: Whole): string {
  const believed = new Map<string, Entry>(issuers.map((one) => [one.name, { value: issuerOf(one, claims) }]))
  if (bundle !== undefined && peers.all().size > 0)
    believed.set(MESH_ISSUER, {
      comment: 'Workloads of the mesh, by their certificates',
      value: { kind: 'spiffe', trustDomain: mesh.trustDomain, ca: bundle },
    })
  const guarded = new Map(resources.map((one): [string, Entry] => [one.name, { value: resourceOf(one, believed.size) }]))
  return lines([
    ...commented('Who is believed and what is guarded, imported from policies of Istio. Who may do what is in policy/.', ''),
    HEAD,
    '',
    ...(believed.size === 0 ? ['issuers: {}', ''] : section('issuers', believed)),
    ...(guarded.size === 0 ? ['resources: {}', ''] : section('resources', guarded)),
    'doors: {}',
  ])
}

function issuerOf(issuer: ImportedIssuer, claims: Claims): Readonly<Record<string, unknown>> {
  const { name, iss, kind, audiences } = issuer
  const declared = claims.declaredBy(name)
  return {
    kind,
    issuer: iss,
    audiences,
    // Istio doesn't look at the type of a token.
    ...(kind === 'oidc' ? { acceptPlainJwt: true } : { keys: [{ file: keyFile(issuer) }], principal: 'human' }),
    ...(Object.keys(declared).length === 0 ? {} : { claims: declared }),
  }
}

function resourceOf({ hosts, ports, accepted, workload }: ImportedResource, believed: number): Readonly<Record<string, unknown>> {
  const { services, namespace } = workload
  const isAll = accepted.length === believed
  const [service] = services
  const host = service === undefined ? hosts[0]! : `${service.name}.${namespace}.svc.cluster.local`
  const port = service?.ports.find(({ targetPort, port: own }) => ports.includes(targetPort ?? own))?.port ?? ports[0]!
  return {
    protocol: 'http',
    hosts,
    ...(isAll ? {} : { issuers: accepted.map(({ issuer }) => issuer.name) }),
    upstream: { url: `http://${host}${port === 80 ? '' : `:${port}`}` },
    ...(accepted.some(({ forwards }) => forwards) ? { forwardAuthorization: true } : {}),
  }
}

function policy({ drafts, roles, peers }: Whole): string {
  const bound = new Map<string, Entry>(
    [...roles.all()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, { bind }]) => [name, { value: { bind } }]),
  )
  for (const [name, paths] of peers.all()) bound.set(name, { value: { bind: [{ issuer: MESH_ISSUER, claim: 'path', any: paths }] } })
  bound.set('gateway-admin', {
    comment: 'Whoever used the link that the gateway prints on its terminal',
    value: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
  })
  return lines([
    ...commented('Who may do what, imported from policies of Istio: above each stands where it is from.', ''),
    HEAD,
    '',
    ...section('roles', bound),
    ...listing('rules', [
      ...drafts.filter(({ draft }) => draft.is === 'rule').map(ruleOf),
      { value: { id: 'administer', role: 'gateway-admin', resource: 'ostiary', actions: ['* /**'] } },
    ]),
    ...listing('guardrails', drafts.filter(({ draft }) => draft.is === 'guardrail').map(guardrailOf)),
  ])
}

function ruleOf({ id, draft, resources }: NamedDraft): Entry {
  const { origin, roles, actions, peer, when } = draft
  return { comment: origin, value: { id, role: single(roles), resource: single(resources), actions, ...said({ peer, when }) } }
}

function guardrailOf({ id, draft, resources }: NamedDraft): Entry {
  const { origin, roles, actions, who, when } = draft
  return { comment: origin, value: { id, [who]: roles, resource: single(resources), deny: actions, ...said({ when }) } }
}

function single(all: readonly string[]): string | readonly string[] {
  return all.length === 1 ? all[0]! : all
}

function said(all: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))
}

/** Undefined where none of it can be told to a mesh again. */
function targetOf({ resources, drafts, issuers, peers, mesh, addresses, losses }: Whole): string | undefined {
  const workloads = new Map<string, Entry>()
  for (const one of resources) {
    const why = whyNot(one, mesh)
    const odd = drafts.find(({ draft, resources: of }) => of.includes(one.name) && draft.when !== undefined && !isTold(draft.when))
    const reason = why ?? (odd === undefined ? undefined : `Istio can not be told \`when\` of \`${odd.id}\``)
    if (reason === undefined) workloads.set(one.name, { value: workloadOf(one) })
    else
      losses.add(
        'not-carried',
        `workload ${one.workload.namespace}/${one.workload.wish}`,
        '',
        `\`${one.name}\` is left out of \`targets.mesh.workloads\`: ${reason}`,
      )
  }
  if (workloads.size === 0) return undefined
  const { pathNormalization, rootNamespace, trustDomain } = mesh
  const uris = Object.fromEntries(
    issuers.flatMap(({ name, jwksUri }) => (jwksUri?.startsWith('https://') === true ? [[name, jwksUri]] : [])),
  )
  const hasNetworks = drafts.some(({ draft }) => draft.when?.includes('context.ip') === true)
  const more = {
    ...(rootNamespace === 'istio-system' ? {} : { rootNamespace }),
    ...(trustDomain === 'cluster.local' ? {} : { trustDomain }),
    ...(hasNetworks ? { addresses } : {}),
    ...(Object.keys(uris).length === 0 ? {} : { jwksUris: uris }),
  }
  return lines([
    ...commented(
      'The mesh that the policies came from, as a target: `ostiary compile istio --env mesh` writes them anew, once `assume` says',
      '',
    ),
    ...commented('what Istio can not tell and never comes. What it asks for it names.', ''),
    HEAD,
    '',
    'targets:',
    '  mesh:',
    '    kind: istio',
    "    version: '1.24'",
    `    pathNormalization: ${pathNormalization === 'DEFAULT' ? 'BASE' : pathNormalization}`,
    ...(peers.all().size > 0 ? ['    # For `peer`: write `mtls: strict` where the mesh takes no plaintext.'] : []),
    ...section('more', new Map(Object.entries(more).map(([key, value]) => [key, { value }])))
      .slice(1, -1)
      .map((one) => `  ${one}`),
    '    assume: []',
    ...section('workloads', workloads).map((one) => (one === '' ? '' : `    ${one}`)),
  ])
}

function isTold(when: string): boolean {
  return !/\brequest\.|\.(?:matches|startsWith|endsWith|exists)\(/.test(when)
}

function whyNot({ workload, hosts }: ImportedResource, { rootNamespace }: MeshFacts): string | undefined {
  const { mode, namespace, selector } = workload
  if (hosts.length === 0) return 'it has no hosts'
  if (mode === 'waypoint') return 'a waypoint needs its service account and the labels of the pods behind it'
  if (selector !== undefined && namespace === rootNamespace) return 'a selector in the root namespace is for every namespace'
  return undefined
}

function workloadOf({ workload, ports }: ImportedResource): Readonly<Record<string, unknown>> {
  const { mode, namespace, selector, targetRef } = workload
  return {
    ...(mode === 'sidecar' ? {} : { mode }),
    namespace,
    ...(targetRef === undefined ? { selector } : { targetRef: { kind: targetRef.kind, name: targetRef.name } }),
    ports,
  }
}
