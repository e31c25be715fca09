/** What the translation has to know of the mesh and of one workload in it. */
import type { ExtensionProvider } from './extauthz.ts'

export type PathNormalization = 'DEFAULT' | 'NONE' | 'BASE' | 'MERGE_SLASHES' | 'DECODE_AND_MERGE_SLASHES'

export interface Mesh {
  /** Of `MeshConfig.rootNamespace`: its policies hold for all namespaces. */
  readonly rootNamespace: string
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
  /** Of `MeshConfig.pathNormalization`. */
  readonly pathNormalization: PathNormalization
  readonly extensionProviders: readonly ExtensionProvider[]
  /** Whether `PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS` is set. */
  readonly severalProviders: boolean
}

/** What Istio does when it is told nothing. */
export const DEFAULT_MESH: Mesh = {
  rootNamespace: 'istio-system',
  trustDomain: 'cluster.local',
  trustDomainAliases: [],
  pathNormalization: 'DEFAULT',
  extensionProviders: [],
  severalProviders: false,
}

export interface Workload {
  /** A gateway of the Gateway API and a waypoint are told apart from classic ones by the label with the name of their Gateway. */
  readonly kind: 'sidecar' | 'gateway' | 'waypoint'
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  /** Of a waypoint: what the request is for. */
  readonly service?: { readonly kind: 'Service' | 'ServiceEntry'; readonly namespace: string; readonly name: string }
  /** Of a gateway whose `ProxyConfig.connectionSettings` have the profile `EDGE`. */
  readonly isEdge?: boolean
}
