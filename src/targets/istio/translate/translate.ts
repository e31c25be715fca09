/** All that Istio's control plane makes of its resources for one workload, in the order in which a proxy runs through it. */
import { authenticationFilter, type KeySets } from './authentication.ts'
import { authorizationFilters } from './authorization.ts'
import { customFilters } from './extauthz.ts'
import type { Mesh, Workload } from './mesh.ts'
import { authenticationsFor, policiesFor } from './selection.ts'
import type { IstioResource, Json, NamedFilter } from './types.ts'

export interface IstioInput {
  readonly resources: readonly IstioResource[]
  readonly mesh: Mesh
  readonly workload: Workload
  readonly keys: KeySets
}

export interface Translated {
  /** Of the chains that speak HTTP, without the router: what is asked elsewhere, who calls, and what Istio decides by itself. */
  readonly http: readonly NamedFilter[]
  /** Of the chains that don't. */
  readonly tcp: readonly NamedFilter[]
  /** What is set of the HTTP connection manager that changes how a request is read. */
  readonly connection: Json
}

export function translateIstio({ resources, mesh, workload, keys }: IstioInput): Translated {
  const policies = policiesFor(resources, workload, mesh)
  const tokens = authenticationFilter(authenticationsFor(resources, workload, mesh), workload, keys)
  return {
    http: [
      ...customFilters(policies, workload, mesh, 'http'),
      ...(tokens === undefined ? [] : [tokens]),
      ...authorizationFilters(policies, workload, mesh, 'http'),
    ],
    tcp: [...customFilters(policies, workload, mesh, 'tcp'), ...authorizationFilters(policies, workload, mesh, 'tcp')],
    connection: connectionOf(mesh, workload),
  }
}

/**
 * How a path is read. Istio never refuses one for its escaped slashes, compares hosts with their port, and takes names of headers with
 * underscores, except at the edge.
 */
export function connectionOf({ pathNormalization }: Mesh, { kind, isEdge = false }: Workload): Json {
  const useRemoteAddress = kind === 'gateway'
  if (isEdge && kind === 'gateway')
    return {
      normalizePath: true,
      mergeSlashes: true,
      pathWithEscapedSlashesAction: 'UNESCAPE_AND_REDIRECT',
      commonHttpProtocolOptions: { headersWithUnderscoresAction: 'REJECT_REQUEST' },
      useRemoteAddress,
    }
  const merges = pathNormalization === 'MERGE_SLASHES' || pathNormalization === 'DECODE_AND_MERGE_SLASHES'
  return {
    normalizePath: pathNormalization !== 'NONE',
    ...(merges ? { mergeSlashes: true } : {}),
    pathWithEscapedSlashesAction: pathNormalization === 'DECODE_AND_MERGE_SLASHES' ? 'UNESCAPE_AND_FORWARD' : 'KEEP_UNCHANGED',
    useRemoteAddress,
  }
}
