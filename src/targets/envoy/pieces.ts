/** What was emitted, as messages, where most of it is what it was before. Loading this file loads Envoy's messages. */
import { hash } from 'node:crypto'
import type { JsonValue } from '@bufbuild/protobuf'
import type { NativeIssuer } from '../../core/token.ts'
import { fromReadable } from '../../envoy/any.ts'
import type { Json } from '../../envoy/rbac.ts'
import { resourceOf, SCHEMAS, snapshotFrom, type Snapshot } from '../../envoy/xds/snapshot.ts'
import type { Kind, Resource } from '../../envoy/xds/types.ts'
import { CHECKS_CLUSTER } from '../../envoy/gateway.ts'
import { routeConfigurationOf, type EnvoyConfiguration, type EnvoyResource, type RouteOf } from './emit.ts'

/**
 * Makes snapshots. A resource that is written as it was before is not made again, for whichever node: a change costs by what has changed.
 * What is the very same object isn't even looked at.
 */
export class Pieces {
  readonly #known = new WeakMap<Json, Resource>()
  readonly #issuers = new WeakMap<NativeIssuer, string>()
  /** By what is written, of this turn and of the one before. */
  #now = new Map<string, Resource>()
  #before: ReadonlyMap<string, Resource> = new Map()

  /** Begins a turn: what was made in neither this nor the last one is forgotten. */
  turn(): void {
    this.#before = this.#now
    this.#now = new Map()
  }

  /** For `emitEnvoy`: stands for routes, which are written only where what they are made of has changed. */
  readonly routeOf: RouteOf = (resource, checks, tree) => {
    const made = this.#kept(`route of ${this.#textOf(resource, checks)} ${JSON.stringify(tree ?? null)}`, () =>
      this.#messageOf('route', routeConfigurationOf(resource, checks, tree)),
    )
    const stub: Json = { name: resource.native.name }
    this.#known.set(stub, made)
    return stub
  }

  /**
   * A consistent snapshot of what an Envoy is to get, besides what its bootstrap has.
   * @throws OstiaryError `xds/…`
   */
  snapshot({ clusters, listeners, scopes, routes, extensions, secrets }: EnvoyConfiguration): Snapshot {
    const made = (kind: Exclude<Kind, 'endpoints'>, all: readonly Json[]): readonly Resource[] => all.map((json) => this.#make(kind, json))
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

  #make(kind: Exclude<Kind, 'endpoints'>, json: Json): Resource {
    let made = this.#known.get(json)
    if (made === undefined) {
      made = this.#kept(`${kind} ${JSON.stringify(json)}`, () => this.#messageOf(kind, json))
      this.#known.set(json, made)
    }
    return made
  }

  #kept(text: string, make: () => Resource): Resource {
    const key = hash('sha256', text, 'base64')
    const made = this.#now.get(key) ?? this.#before.get(key) ?? make()
    this.#now.set(key, made)
    return made
  }

  #messageOf(kind: Exclude<Kind, 'endpoints'>, json: Json): Resource {
    return resourceOf(kind, fromReadable(SCHEMAS[kind], json as JsonValue) as never)
  }

  /** All that routes are made of. */
  #textOf({ native, ...rest }: EnvoyResource, checks: string | undefined): string {
    const { issuers, ...own } = native
    return JSON.stringify([checks ?? null, rest, own, issuers.map((issuer) => this.#issuerText(issuer))], (_, value: unknown) =>
      value instanceof Map ? [...(value as ReadonlyMap<unknown, unknown>)] : value,
    )
  }

  #issuerText(issuer: NativeIssuer): string {
    let text = this.#issuers.get(issuer)
    if (text === undefined) this.#issuers.set(issuer, (text = hash('sha256', JSON.stringify(issuer), 'base64')))
    return text
  }
}
