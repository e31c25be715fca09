import { hash } from 'node:crypto'
import { isMessage, type DescMessage, type Message, type MessageShape } from '@bufbuild/protobuf'
import { OstiaryError } from '../../core/errors.ts'
import { bytesOf } from '../any.ts'
import { ClusterSchema, type Cluster } from '../messages/envoy/config/cluster/v3/cluster_pb.ts'
import { TypedExtensionConfigSchema, type TypedExtensionConfig } from '../messages/envoy/config/core/v3/extension_pb.ts'
import { ClusterLoadAssignmentSchema, type ClusterLoadAssignment } from '../messages/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema, type Listener } from '../messages/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema, type RouteConfiguration } from '../messages/envoy/config/route/v3/route_pb.ts'
import { ScopedRouteConfigurationSchema, type ScopedRouteConfiguration } from '../messages/envoy/config/route/v3/scoped_route_pb.ts'
import { SecretSchema, type Secret } from '../messages/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { addressesOf, needsOf } from './references.ts'
import { eachKind, KINDS, type Kind, type Need, type Resource } from './types.ts'

/** All that one node gets. Immutable and consistent: every name in it leads to something. */
export interface Snapshot {
  /** Hash of all of it. */
  readonly version: string
  /** Hash of the resources of each kind. */
  readonly versions: Readonly<Record<Kind, string>>
  readonly resources: Readonly<Record<Kind, ReadonlyMap<string, Resource>>>
  /** Clusters that the node has from elsewhere, by name. */
  readonly given: readonly string[]
}

/** What a node is to get, by kind. */
export interface Messages {
  readonly cluster?: readonly Cluster[]
  readonly endpoints?: readonly ClusterLoadAssignment[]
  readonly secret?: readonly Secret[]
  readonly extension?: readonly TypedExtensionConfig[]
  readonly listener?: readonly Listener[]
  readonly scope?: readonly ScopedRouteConfiguration[]
  readonly route?: readonly RouteConfiguration[]
}

export interface SnapshotOptions {
  /** Clusters that the node has from its own configuration, so that they may be named. */
  readonly given?: readonly string[]
  /** Whether nothing at all is meant: what a node has would be taken from it. Default false, and then it is refused. */
  readonly empty?: boolean
  /** Longest sum of the resources' bytes; default 64 MiB. */
  readonly maxBytes?: number
}

export const MAX_SNAPSHOT_BYTES = 64 * 1024 * 1024
/** How many names an error tells. */
const TOLD = 10

export const SCHEMAS = {
  cluster: ClusterSchema,
  endpoints: ClusterLoadAssignmentSchema,
  secret: SecretSchema,
  extension: TypedExtensionConfigSchema,
  listener: ListenerSchema,
  scope: ScopedRouteConfigurationSchema,
  route: RouteConfigurationSchema,
} as const satisfies Record<Kind, DescMessage>

const PLURAL: Readonly<Record<Kind, string>> = {
  cluster: 'clusters',
  endpoints: 'endpoints',
  secret: 'secrets',
  extension: 'extensions',
  listener: 'listeners',
  scope: 'scopes of routes',
  route: 'route configurations',
}

/**
 * Makes a snapshot of messages.
 * @throws OstiaryError `xds/duplicate`, `xds/address`, `xds/missing`, `xds/empty`, `xds/size` or `xds/message`
 */
export function snapshotOf(messages: Messages, options: SnapshotOptions = {}): Snapshot {
  const resources = KINDS.flatMap((kind) => (messages[kind] ?? []).map((message) => resourceOf(kind, message)))
  return snapshotFrom(resources, options)
}

/** Makes a snapshot of resources that were made before; @throws as {@link snapshotOf} does. */
export function snapshotFrom(
  list: readonly Resource[],
  { given = [], empty = false, maxBytes = MAX_SNAPSHOT_BYTES }: SnapshotOptions,
): Snapshot {
  if (list.length === 0 && !empty) throw new OstiaryError('xds/empty')
  const bytes = list.reduce((sum, resource) => sum + resource.bytes.length, 0)
  if (bytes > maxBytes) throw new OstiaryError('xds/size', { bytes, limit: maxBytes })
  const resources = eachKind(() => new Map<string, Resource>())
  for (const resource of list.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const { kind, name } = resource
    if (resources[kind].has(name)) throw new OstiaryError('xds/duplicate', { kind: PLURAL[kind], name })
    resources[kind].set(name, resource)
  }
  refuseSharedAddress(resources.listener.values())
  const missing = dangling(list, ({ kind, name }) => resources[kind].has(name) || (kind === 'cluster' && given.includes(name)))
  if (missing.length > 0) {
    const rest = missing.length > TOLD ? ` and ${missing.length - TOLD} more` : ''
    throw new OstiaryError('xds/missing', { count: missing.length, names: `${missing.slice(0, TOLD).join(', ')}${rest}` })
  }
  const versions = eachKind((kind) => versionOf(resources[kind].values()))
  return {
    version: versionOf(KINDS.map((kind) => ({ name: kind, version: versions[kind] }))),
    versions,
    resources,
    given: [...given].sort(),
  }
}

function refuseSharedAddress(listeners: Iterable<Resource>): void {
  const taken = new Map<string, string>()
  for (const { name, addresses } of listeners)
    for (const address of addresses) {
      const other = taken.get(address)
      if (other !== undefined) throw new OstiaryError('xds/address', { address, name, other })
      taken.set(address, name)
    }
}

/** Each name that leads nowhere with one that names it, in order. */
function dangling(list: readonly Resource[], exists: (need: Need) => boolean): readonly string[] {
  const found = new Map<string, string>()
  for (const { kind, name, needs } of list)
    for (const need of needs) {
      if (exists(need)) continue
      const key = `${need.kind} \`${need.name}\``
      if (!found.has(key)) found.set(key, `${key} (named by ${kind} \`${name}\`)`)
    }
  return [...found.values()].sort()
}

/** A hash over names with their versions, which come in order. */
export function versionOf(parts: Iterable<{ readonly name: string; readonly version: string }>): string {
  return digest(JSON.stringify(Array.from(parts, ({ name, version }) => [name, version])))
}

function digest(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex').slice(0, 32)
}

function nameOf(message: Message): string {
  return isMessage(message, ClusterLoadAssignmentSchema) ? message.clusterName : (message as unknown as { readonly name: string }).name
}

/** One resource of a message. */
export function resourceOf<K extends Kind>(kind: K, message: MessageShape<(typeof SCHEMAS)[K]>): Resource {
  const bytes = bytesOf(SCHEMAS[kind] as DescMessage, message as Message)
  const name = nameOf(message)
  if (name === '') throw new OstiaryError('xds/message', { type: SCHEMAS[kind].typeName, problem: 'it has no name' })
  const addresses = isMessage(message, ListenerSchema) ? addressesOf(message) : []
  return { kind, name, version: digest(bytes), bytes, needs: needsOf(message), addresses }
}

/** What a change brings, by kind; names in order. */
export interface Difference {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

export function difference(before: Snapshot | undefined, after: Snapshot): Readonly<Record<Kind, Difference>> {
  return eachKind((kind) => {
    const [old, now] = [before?.resources[kind] ?? new Map<string, Resource>(), after.resources[kind]]
    return {
      added: [...now.keys()].filter((name) => !old.has(name)),
      changed: [...now.values()].filter(({ name, version }) => old.has(name) && old.get(name)!.version !== version).map(({ name }) => name),
      removed: [...old.keys()].filter((name) => !now.has(name)),
    }
  })
}
