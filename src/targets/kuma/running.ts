/** What the Envoys of a mesh are told by their control plane, against what they should be: the only proof that a document has an effect. */
import { fromReadable, bytesOf } from '../../envoy/any.ts'
import { HttpFilterSchema } from '../../envoy/messages/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { JsonValue } from '@bufbuild/protobuf'
import type { TargetDocument } from '../target.ts'
import type { KumaTarget } from './schema.ts'

type Json = { readonly [name: string]: unknown }

export interface Running {
  readonly dataplane: string
  /** What is wrong; empty where it enforces what it should. */
  readonly problems: readonly string[]
}

/** What one group of dataplanes is to enforce. */
export interface Expected {
  readonly labels: Readonly<Record<string, string>>
  readonly inbounds: readonly { readonly port: number; readonly protocol: string }[]
  /** Our filters in their order, and the settings of every http connection manager. */
  readonly filters: readonly Json[]
  readonly manager: Json
}

const MANAGER = 'envoy.filters.network.http_connection_manager'

/** By the documents of one target. @param documents In either form */
export function expectedOf(documents: readonly TargetDocument[], { workloads }: Pick<KumaTarget, 'workloads'>): readonly Expected[] {
  return documents.flatMap((document) => {
    if ((document['type'] ?? document['kind']) !== 'MeshProxyPatch') return []
    const { targetRef, default: changes } = document['spec'] as Json
    const labels = (targetRef as Json)['labels'] as Readonly<Record<string, string>>
    const all = (changes as Json)['appendModifications'] as readonly Json[]
    const valuesOf = (kind: string): readonly Json[] =>
      all.flatMap((one) => (one[kind] === undefined ? [] : [JSON.parse((one[kind] as Json)['value'] as string) as Json]))
    const inbounds = Object.values(workloads)
      .filter((one) => same(one.labels, labels))
      .map(({ inbound: { port, protocol } }) => [port, { port, protocol }] as const)
    const [manager] = valuesOf('networkFilter')
    return [
      {
        labels,
        inbounds: [...new Map(inbounds).values()],
        filters: valuesOf('httpFilter'),
        manager: (manager?.['typedConfig'] ?? {}) as Json,
      },
    ]
  })
}

function same(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([key, value]) => b[key] === value)
}

/** Whether policies for these labels are for a dataplane. */
export function isSelected(dataplane: Json, { labels }: Expected): boolean {
  const own = (dataplane['labels'] ?? {}) as Json
  return Object.entries(labels).every(([key, value]) => own[key] === value)
}

/** What is wrong with how a dataplane describes its own inbounds: without http there are no filters. */
export function describedProblems(dataplane: Json, { inbounds }: Expected, version: KumaTarget['version']): readonly string[] {
  const own = (((dataplane['networking'] ?? {}) as Json)['inbound'] ?? []) as readonly Json[]
  return inbounds.flatMap(({ port, protocol }) => {
    const found = own.find((one) => one['port'] === port)
    if (found === undefined) return [`it has no inbound on port ${port}`]
    const tags = (found['tags'] ?? {}) as Json
    const told = version === '3.0' ? found['protocol'] : (found['protocol'] ?? tags['kuma.io/protocol'])
    if (told === protocol) return []
    return [`its inbound on port ${port} says protocol \`${typeof told === 'string' ? told : 'tcp'}\`, and not \`${protocol}\``]
  })
}

/** What is missing in a configuration, in whatever envelope it comes. */
export function configProblems(config: unknown, { inbounds, filters, manager }: Expected): readonly string[] {
  const listeners = inboundsIn(config)
  const ports = new Set(inbounds.map(({ port }) => port))
  const missing = [...ports].filter((port) => !listeners.some((one) => portOf(one) === port))
  return [
    ...missing.map((port) => `no listener for port ${port}`),
    ...listeners.flatMap((listener) =>
      ((listener['filterChains'] ?? []) as readonly Json[]).flatMap((chain, index) => {
        const where = `\`${String(listener['name'])}\`${index === 0 ? '' : `, filter chain ${index + 1}`}`
        return chainProblems(chain, filters, manager, ports.has(portOf(listener) ?? -1)).map((problem) => `${where}: ${problem}`)
      }),
    ),
  ]
}

/** Every inbound of a dataplane gets its filters; those that aren't of a resource may be anything but http. */
function chainProblems(chain: Json, filters: readonly Json[], settings: Json, isOurs: boolean): readonly string[] {
  const managers = ((chain['filters'] ?? []) as readonly Json[]).filter(({ name }) => name === MANAGER)
  if (managers.length === 0) return isOurs ? ['it does not speak http: nothing is enforced'] : []
  return managers.flatMap((one) => {
    const config = (one['typedConfig'] ?? {}) as Json
    const all = (config['httpFilters'] ?? []) as readonly Json[]
    const names = filters.map(({ name }) => name as string)
    const found = all.map(({ name }) => name as string)
    const ours = found.filter((name) => name.startsWith('ostiary.'))
    if (ours.join() !== names.join())
      return [ours.length === 0 ? 'none of the filters is there' : `filters are ${ours.join(', ')}, and not ${names.join(', ')}`]
    if (found.indexOf('envoy.filters.http.router') < found.indexOf(names.at(-1)!)) return ['its filters come after the router']
    return [
      ...filters.flatMap((filter) =>
        isSame(
          filter,
          all.find(({ name }) => name === filter['name'])!,
        )
          ? []
          : [`\`${String(filter['name'])}\` says something else`],
      ),
      ...settingProblems(settings, config),
    ]
  })
}

/** Settings of ours, field by field; what has its own default may be left out. */
function settingProblems(ours: Json, theirs: unknown, path = ''): readonly string[] {
  const found = (typeof theirs === 'object' && theirs !== null ? theirs : {}) as Json
  return Object.entries(ours).flatMap(([key, value]) => {
    const at = path === '' ? key : `${path}.${key}`
    if (key === '@type' || key === 'accessLog' || key === 'localReplyConfig' || value === false) return []
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return settingProblems(value as Json, found[key], at)
    return found[key] === value ? [] : [`\`${at}\` is not ${JSON.stringify(value)}`]
  })
}

/** Whether two filters are one message: fields may be told in other words, or left out where they have their default. */
function isSame(one: Json, other: Json): boolean {
  try {
    const bytes = (filter: Json): Uint8Array => bytesOf(HttpFilterSchema, fromReadable(HttpFilterSchema, filter as JsonValue))
    return Buffer.from(bytes(one)).equals(bytes(other))
  } catch {
    return false
  }
}

function inboundsIn(value: unknown): readonly Json[] {
  if (typeof value !== 'object' || value === null) return []
  if (!Array.isArray(value) && 'filterChains' in value) {
    const listener = value as Json
    const isInbound = listener['trafficDirection'] === 'INBOUND' || /^(self_)?inbound/.test(String(listener['name']))
    return isInbound ? [listener] : []
  }
  return Object.values(value).flatMap(inboundsIn)
}

function portOf(listener: Json): number | undefined {
  const { socketAddress } = (listener['address'] ?? {}) as { readonly socketAddress?: Json }
  return socketAddress?.['portValue'] as number | undefined
}
