/** Kinds of resources in the order in which additions and changes are sent: what is named comes before what names it. */
export const KINDS = ['cluster', 'endpoints', 'secret', 'extension', 'listener', 'scope', 'route'] as const
export type Kind = (typeof KINDS)[number]

const PREFIX = 'type.googleapis.com/'

export const TYPE_URLS: Readonly<Record<Kind, string>> = {
  cluster: `${PREFIX}envoy.config.cluster.v3.Cluster`,
  endpoints: `${PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment`,
  secret: `${PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret`,
  extension: `${PREFIX}envoy.config.core.v3.TypedExtensionConfig`,
  listener: `${PREFIX}envoy.config.listener.v3.Listener`,
  scope: `${PREFIX}envoy.config.route.v3.ScopedRouteConfiguration`,
  route: `${PREFIX}envoy.config.route.v3.RouteConfiguration`,
}

const BY_URL = new Map(KINDS.map((kind) => [TYPE_URLS[kind], kind]))

/** Undefined for a type that isn't served. */
export function kindOf(typeUrl: string): Kind | undefined {
  return BY_URL.get(typeUrl)
}

/** Kinds that a node asks for as a whole: no names mean all of them, and in the state of the world what is missing is gone. */
export function isWhole(kind: Kind): boolean {
  return kind === 'cluster' || kind === 'listener' || kind === 'scope'
}

/** A record with one value for each kind. */
export function eachKind<T>(make: (kind: Kind) => T): Record<Kind, T> {
  return Object.fromEntries(KINDS.map((kind) => [kind, make(kind)])) as Record<Kind, T>
}

/** Another resource that has to be there, by name. */
export interface Need {
  readonly kind: Kind
  readonly name: string
}

export function keyOf({ kind, name }: Need): string {
  return `${kind} ${name}`
}

/** One resource, as it is sent. Immutable. */
export interface Resource {
  readonly kind: Kind
  readonly name: string
  /** Hash of the content: the same content has the same version, also after a restart and on another machine. */
  readonly version: string
  /** The value of its `Any`. */
  readonly bytes: Uint8Array
  readonly needs: readonly Need[]
  /** Of a listener: where it listens. Two listeners can't have one address, not even for a moment. */
  readonly addresses: readonly string[]
}
