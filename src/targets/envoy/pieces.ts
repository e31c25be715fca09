/** What was emitted, as messages, where most of it is what it was before. Loading this file loads Envoy's messages. */
import type { JsonValue } from '@bufbuild/protobuf'
import { fromReadable } from '../../envoy/any.ts'
import type { Json } from '../../envoy/rbac.ts'
import { resourceOf, SCHEMAS, snapshotFrom, type Snapshot } from '../../envoy/xds/snapshot.ts'
import type { Kind, Resource } from '../../envoy/xds/types.ts'
import { CHECKS_CLUSTER } from '../../envoy/gateway.ts'
import type { EnvoyConfiguration } from './emit.ts'

/** Makes snapshots of one node. A resource that is written as it was before is not made again: a change costs by what has changed. */
export class Pieces {
  #resources = new Map<string, Resource>()

  /**
   * A consistent snapshot of what the Envoy is to get, besides what its bootstrap has.
   * @throws OstiaryError `xds/…`
   */
  snapshot({ clusters, listeners, scopes, routes, extensions, secrets }: EnvoyConfiguration): Snapshot {
    const resources = new Map<string, Resource>()
    const made = (kind: Exclude<Kind, 'endpoints'>, all: readonly Json[]): readonly Resource[] =>
      all.map((json) => {
        const key = `${kind} ${JSON.stringify(json)}`
        const resource = this.#resources.get(key) ?? resourceOf(kind, fromReadable(SCHEMAS[kind], json as JsonValue) as never)
        resources.set(key, resource)
        return resource
      })
    const list = [
      ...made('cluster', clusters),
      ...made('listener', listeners),
      ...made('extension', extensions),
      ...made('secret', secrets),
      ...made('scope', scopes),
      ...made('route', routes),
    ]
    const snapshot = snapshotFrom(list, { given: [CHECKS_CLUSTER] })
    this.#resources = resources
    return snapshot
  }
}
