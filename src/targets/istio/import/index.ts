/**
 * Policies of Istio as policy and wiring of ours: never wider than what was there, and with every loss by document and field. It sees what
 * it is handed and nothing else.
 */
import type { Diagnostic } from '../../../core/errors.ts'
import { callersOf } from './callers.ts'
import { Claims } from './claims.ts'
import { issuersOf } from './issuers.ts'
import { Losses, type Loss } from './losses.ts'
import { readManifests, type ManifestSource } from './manifests.ts'
import { PeerRoles } from './peers.ts'
import { hostGroupsOf, portsOf } from './resources.ts'
import { Roles } from './roles.ts'
import type { Draft } from './drafts.ts'
import { draftsOf } from './statements.ts'
import { nameFrom, Names } from './texts.ts'
import { workloadsOf, type ImportedWorkload } from './workloads.ts'
import { filesOf, type ImportedResource, type NamedDraft } from './files.ts'
import type { WrittenFile } from './written.ts'

export type { Loss, LossKind } from './losses.ts'
export type { ManifestSource } from './manifests.ts'
export type { WrittenFile } from './written.ts'

export interface ImportOptions {
  /** Of documents that name none. */
  readonly namespace?: string | undefined
  /** Root namespace of the mesh; default: what `meshConfig` says, or `istio-system`. */
  readonly rootNamespace?: string | undefined
  /** PEM file with the bundle of the mesh's trust domain, by which peers are told. */
  readonly meshCa?: string | undefined
  /** Whether what lets in a little more than Istio does is written as well. */
  readonly acceptWider?: boolean
}

/** Where a resource of ours was. */
export interface ImportedPlace {
  readonly resource: string
  readonly namespace: string
  readonly selector: Readonly<Record<string, string>> | undefined
  readonly targetRef: { readonly kind: string; readonly name: string } | undefined
  readonly hosts: readonly string[]
  readonly ports: readonly number[]
}

export interface Imported {
  readonly files: readonly WrittenFile[]
  readonly places: readonly ImportedPlace[]
  /** Which address `context.ip` is in what was imported: of the connection, or what trusted proxies say. */
  readonly addresses: 'source' | 'remote'
  readonly losses: readonly Loss[]
  readonly counts: {
    readonly documents: number
    readonly resources: number
    readonly roles: number
    readonly rules: number
    readonly guardrails: number
  }
  /** Errors: then nothing was written. */
  readonly diagnostics: readonly Diagnostic[]
}

const RESERVED_IDS = ['administer']
const MAX_ACTIONS = 1000

export function importIstio(sources: readonly ManifestSource[], options: ImportOptions = {}): Imported {
  const { namespace, rootNamespace, meshCa, acceptWider = false } = options
  const losses = new Losses()
  const read = readManifests(sources, namespace, losses)
  const manifests = rootNamespace === undefined ? read : { ...read, mesh: { ...read.mesh, rootNamespace } }
  const none = { documents: read.resources.length, resources: 0, roles: 0, rules: 0, guardrails: 0 }
  if (read.diagnostics.length > 0)
    return { files: [], places: [], addresses: 'source', losses: [], counts: none, diagnostics: read.diagnostics }
  const workloads = workloadsOf(manifests, losses)
  const issuers = issuersOf(workloads, losses)
  const claims = new Claims(workloads.flatMap((one) => issuers.acceptedAt(one).flatMap(({ words }) => words)))
  const roles = new Roles(claims)
  const peers = new PeerRoles({ ...manifests.mesh, bundle: meshCa })
  const addresses = addressesOf(workloads)
  const names = new Names(['ostiary'])
  const resources = workloads.flatMap((workload): readonly ImportedResource[] => {
    const groups = hostGroupsOf(workload, losses)
    const accepted = issuers.acceptedAt(workload)
    const ports = portsOf(workload, losses)
    return groups.map(({ hosts }) => {
      const wish = groups.length === 1 ? workload.wish : nameFrom(hosts[0]!)
      const name = names.give(wish, nameFrom(`${wish}-${workload.namespace}`))
      const drafts = draftsOf({
        workload,
        host: hosts[0]!,
        ports,
        accepted,
        addresses,
        claims,
        roles,
        peers,
        losses,
        acceptsWider: acceptWider,
      })
      return { name, workload, hosts, ports, accepted, drafts }
    })
  })
  const drafts = named(resources)
  for (const [host, all] of Map.groupBy(
    resources.flatMap(({ name, hosts }) => hosts.map((host) => ({ name, host }))),
    (one) => one.host,
  ))
    if (all.length > 1)
      losses.add(
        'not-carried',
        `host ${host}`,
        '',
        `it is of ${all.map(({ name }) => `\`${name}\``).join(' and ')}: a host has one resource at a door of Ostiary`,
      )
  const files = filesOf({
    resources,
    drafts,
    issuers: issuers.all,
    claims,
    roles,
    peers,
    bundle: meshCa,
    mesh: manifests.mesh,
    addresses,
    losses,
  })
  const rules = drafts.filter(({ draft }) => draft.is === 'rule').length
  const places = resources.map(({ name, hosts, ports, workload: { namespace: own, selector, targetRef } }) => ({
    resource: name,
    namespace: own,
    selector,
    targetRef,
    hosts,
    ports,
  }))
  return {
    files,
    places,
    addresses,
    losses: losses.list(),
    counts: {
      documents: read.resources.length,
      resources: resources.length,
      roles: roles.all().size + peers.all().size,
      rules,
      guardrails: drafts.length - rules,
    },
    diagnostics: [],
  }
}

/** The kind that is asked for more often. */
function addressesOf(workloads: readonly ImportedWorkload[]): 'source' | 'remote' {
  const asked = workloads.flatMap(({ policies, perhaps }) =>
    [...policies, ...perhaps].flatMap(({ rules }) => rules.flatMap((rule) => callersOf(rule, [], '').flatMap((one) => one.addresses))),
  )
  const remote = asked.filter(({ from }) => from === 'remote').length
  return remote > asked.length - remote ? 'remote' : 'source'
}

/** What is the same for several resources is written once. */
function named(resources: readonly ImportedResource[]): readonly NamedDraft[] {
  const all = resources.flatMap(({ name, drafts }) => drafts.flatMap(parted).map((draft) => ({ name, draft })))
  const ids = new Names(RESERVED_IDS)
  return [...Map.groupBy(all, ({ draft }) => keyOf(draft)).values()].map((same) => {
    const [{ draft }] = same as [(typeof same)[number]]
    return { id: ids.give(nameFrom(draft.wish)), draft, resources: [...new Set(same.map(({ name }) => name))] }
  })
}

/** A rule has so many actions at most. */
function parted(draft: Draft): readonly Draft[] {
  const count = Math.ceil(draft.actions.length / MAX_ACTIONS)
  return Array.from({ length: count }, (_, i) => ({ ...draft, actions: draft.actions.slice(i * MAX_ACTIONS, (i + 1) * MAX_ACTIONS) }))
}

function keyOf({ is, wish, origin, actions, roles, who, peer, when }: Draft): string {
  return JSON.stringify([is, wish, origin, actions, roles, who, peer, when])
}
