/** What was emitted, as messages, where most of it is what it was before. Loading this file loads Envoy's messages. */
import type { JsonValue } from '@bufbuild/protobuf'
import { fromReadable } from '../../envoy/any.ts'
import type { Json } from '../../envoy/rbac.ts'
import { resourceOf, SCHEMAS, snapshotFrom, type Snapshot } from '../../envoy/xds/snapshot.ts'
import type { Kind, Resource } from '../../envoy/xds/types.ts'
import { CHECKS_CLUSTER } from '../../envoy/gateway.ts'
import type { EnvoyConfiguration } from './emit.ts'

/**
 * Makes snapshots. A resource that is written as it was before is not made again, for whichever node: a change costs by what has changed.
 * What is the very same object isn't even looked at.
 */
export class Pieces {
  readonly #known = new WeakMap<Json, Resource>()
  /** By what is written, of this turn and of the one before. */
  #now = new Map<string, Resource>()
  #before: ReadonlyMap<string, Resource> = new Map()

  /** Begins a turn: what was made in neither this nor the last one is forgotten. */
  turn(): void {
    this.#before = this.#now
    this.#now = new Map()
  }

  /**
   * A consistent snapshot of what an Envoy is to get, besides what its bootstrap has.
   * @throws OstiaryError `xds/…`
   */
  snapshot({ clusters, listeners, scopes, routes, extensions, secrets }: EnvoyConfiguration): Snapshot {
    const made = (kind: Exclude<Kind, 'endpoints'>, all: readonly Json[]): readonly Resource[] => all.map((json) => this.make(kind, json))
    const list = [
      ...made('cluster', clusters),
      ...made('listener', listeners),
      ...made('extension', extensions),
      ...made('secret', secrets),
      ...made('scope', scopes),
      ...made('route', routes),
    ]
    return snapshotFrom(list, { given: [CHECKS_CLUSTER] })
  }

  make(kind: Exclude<Kind, 'endpoints'>, json: Json): Resource {
    const same = this.#known.get(json)
    if (same !== undefined) return same
    const key = `${kind} ${JSON.stringify(json)}`
    const made = this.#now.get(key) ?? this.#before.get(key) ?? resourceOf(kind, fromReadable(SCHEMAS[kind], json as JsonValue) as never)
    this.#now.set(key, made)
    this.#known.set(json, made)
    return made
  }
}
