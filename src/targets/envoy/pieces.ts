/** What was emitted, as messages, where most of it is what it was before. Loading this file loads Envoy's messages. */
import { hash } from 'node:crypto'
import type { JsonValue } from '@bufbuild/protobuf'
import { bytesOf, fromReadable } from '../../envoy/any.ts'
import { VirtualHostSchema } from '../../envoy/messages/envoy/config/route/v3/route_components_pb.ts'
import { RouteConfigurationSchema } from '../../envoy/messages/envoy/config/route/v3/route_pb.ts'
import type { Json } from '../../envoy/rbac.ts'
import { needsOf } from '../../envoy/xds/references.ts'
import { resourceOf, SCHEMAS, snapshotFrom, type Snapshot } from '../../envoy/xds/snapshot.ts'
import { keyOf, type Kind, type Need, type Resource } from '../../envoy/xds/types.ts'
import { CHECKS_CLUSTER } from '../../envoy/gateway.ts'
import type { EnvoyConfiguration } from './emit.ts'

interface Piece {
  readonly bytes: Uint8Array
  readonly needs: readonly Need[]
}

/** `repeated VirtualHost virtual_hosts = 2` of a RouteConfiguration, length-delimited. */
const VIRTUAL_HOSTS = 2 * 8 + 2

/**
 * Makes snapshots of one node. A resource or virtual host that is written as it was before is not made again, so that a change costs by
 * what has changed, and not by all that there is.
 */
export class Pieces {
  #resources = new Map<string, Resource>()
  #hosts = new Map<string, Piece>()

  /**
   * A consistent snapshot of what the Envoy is to get, besides what its bootstrap has.
   * @throws OstiaryError `xds/…`
   */
  snapshot({ clusters, listeners, routes, extensions, secrets }: EnvoyConfiguration): Snapshot {
    const resources = new Map<string, Resource>()
    const hosts = new Map<string, Piece>()
    const made = (kind: Kind, all: readonly Json[], make: (json: Json) => Resource): readonly Resource[] =>
      all.map((json) => {
        const key = `${kind} ${JSON.stringify(json)}`
        const resource = this.#resources.get(key) ?? make(json)
        resources.set(key, resource)
        return resource
      })
    const plain = (kind: Exclude<Kind, 'route' | 'endpoints'>, all: readonly Json[]): readonly Resource[] =>
      made(kind, all, (json) => resourceOf(kind, fromReadable(SCHEMAS[kind], json as JsonValue) as never))
    const list = [
      ...plain('cluster', clusters),
      ...plain('listener', listeners),
      ...plain('extension', extensions),
      ...plain('secret', secrets),
      ...routes.map((json) => this.#route(json, hosts)),
    ]
    const snapshot = snapshotFrom(list, { given: [CHECKS_CLUSTER] })
    this.#resources = resources
    this.#hosts = hosts
    return snapshot
  }

  /** A message may be written in parts, one after the other (Protocol Buffers, Encoding: last one wins, repeated fields are joined). */
  #route({ virtualHosts, ...rest }: Json, hosts: Map<string, Piece>): Resource {
    const frame = fromReadable(RouteConfigurationSchema, rest as JsonValue)
    const parts = [bytesOf(RouteConfigurationSchema, frame)]
    const needs = new Map(needsOf(frame).map((need) => [keyOf(need), need]))
    for (const json of virtualHosts as readonly Json[]) {
      const key = JSON.stringify(json)
      const piece = this.#hosts.get(key) ?? pieceOf(json)
      hosts.set(key, piece)
      for (const need of piece.needs) needs.set(keyOf(need), need)
      parts.push(prefix(piece.bytes.length), new Uint8Array(piece.bytes))
    }
    const bytes = new Uint8Array(Buffer.concat(parts))
    return {
      kind: 'route',
      name: frame.name,
      version: hash('sha256', bytes, 'hex').slice(0, 32),
      bytes,
      needs: [...needs.values()],
      addresses: [],
    }
  }
}

function pieceOf(json: Json): Piece {
  const message = fromReadable(VirtualHostSchema, json as JsonValue)
  return { bytes: bytesOf(VirtualHostSchema, message), needs: needsOf(message) }
}

/** Tag and length of what follows. */
function prefix(length: number): Uint8Array<ArrayBuffer> {
  const bytes = [VIRTUAL_HOSTS]
  let rest = length
  while (rest > 127) {
    bytes.push((rest & 127) | 128)
    rest = Math.floor(rest / 128)
  }
  return Uint8Array.from([...bytes, rest])
}
