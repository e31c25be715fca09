/** Proxies of a mesh that ask this gateway about requests, or tell of them: who they are, and about what they may ask. */
import type { Wiring } from '../config/schema.ts'
import type { IstioTarget } from '../targets/istio/schema.ts'

export interface AskingMesh {
  /** In place of the name of an Envoy; no Envoy is called so. */
  readonly node: string
  readonly identities: ReadonlySet<string>
  readonly resources: ReadonlySet<string>
  /** By host as it is wired: with a port where it is bound to one. */
  readonly byHost: ReadonlyMap<string, string>
}

export function askingMeshes({ targets, resources }: Wiring): readonly AskingMesh[] {
  return Object.entries(targets).flatMap(([name, config]) => {
    if (config.kind !== 'istio') return []
    const { provider, delegate, logs } = config as IstioTarget
    if (provider === undefined || (delegate.length === 0 && !logs)) return []
    const hosts = delegate.flatMap((resource) =>
      ((resources[resource] as { readonly hosts?: readonly string[] } | undefined)?.hosts ?? []).map((host) => [host, resource] as const),
    )
    return [{ node: `targets.${name}`, identities: new Set(provider.identities), resources: new Set(delegate), byHost: new Map(hosts) }]
  })
}

export function meshOf(meshes: readonly AskingMesh[], identity: string): string | undefined {
  return meshes.find(({ identities }) => identities.has(identity))?.node
}

/** Which resource a host is of, for a proxy of a mesh; undefined for an Envoy that is no mesh's. Who proves nothing may be of any mesh. */
export function resourceInMesh(
  meshes: readonly AskingMesh[],
  node: string | undefined,
  host: string,
): { readonly resource: string | undefined } | undefined {
  const asking = meshes.filter((one) => node === undefined || one.node === node)
  if (asking.length === 0) return undefined
  const exact = host.toLowerCase()
  const found = new Set(asking.flatMap(({ byHost }) => byHost.get(exact) ?? byHost.get(exact.replace(/:\d+$/, '')) ?? []))
  return { resource: found.size === 1 ? [...found][0] : undefined }
}

/** Which resource a host is of, with or without a port; undefined where it could be of several. */
export function resourcesByHost({ resources }: Wiring): (host: string) => string | undefined {
  const byHost = new Map<string, string | undefined>()
  for (const [name, resource] of Object.entries(resources))
    for (const host of (resource as { readonly hosts?: readonly string[] }).hosts ?? [])
      byHost.set(host, byHost.has(host) ? undefined : name)
  return (host) => {
    const exact = host.toLowerCase()
    return byHost.get(exact) ?? byHost.get(exact.replace(/:\d+$/, ''))
  }
}
