/** Which resources hold for a workload. */
import type { Mesh, Workload } from './mesh.ts'
import type { Attachment, AuthorizationPolicy, IstioResource, Metadata, RequestAuthentication, TargetRef } from './types.ts'

/** By which Istio knows what a gateway of the Gateway API is an instance of. */
export const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name'
const GATEWAY_GROUP = 'gateway.networking.k8s.io'
const WAYPOINT_CLASS = 'istio-waypoint'

export function policiesFor(resources: readonly IstioResource[], workload: Workload, mesh: Mesh): readonly AuthorizationPolicy[] {
  return attached(resources, workload, mesh).filter((each) => each.kind === 'AuthorizationPolicy')
}

export function authenticationsFor(resources: readonly IstioResource[], workload: Workload, mesh: Mesh): readonly RequestAuthentication[] {
  return attached(resources, workload, mesh).filter((each) => each.kind === 'RequestAuthentication')
}

/** The root namespace first, then those of the workload and of what it serves; in each the oldest first. */
function attached(resources: readonly IstioResource[], workload: Workload, mesh: Mesh): readonly IstioResource[] {
  const namespaces = new Set([
    mesh.rootNamespace,
    workload.namespace,
    ...(workload.service === undefined ? [] : [workload.service.namespace]),
  ])
  return [...namespaces].flatMap((namespace) =>
    resources
      .filter((each) => each.metadata.namespace === namespace && isAttached(each, each.metadata, workload, mesh))
      .toSorted((a, b) => older(a.metadata, b.metadata)),
  )
}

function older(a: Metadata, b: Metadata): number {
  const [left, right] = [a, b].map(({ creationTimestamp }) => (creationTimestamp === undefined ? 0 : Date.parse(creationTimestamp)))
  return left! - right! || compare(a.name, b.name)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function isAttached({ selector, targetRefs }: Attachment, { namespace }: Metadata, workload: Workload, mesh: Mesh): boolean {
  const gateway = workload.labels[GATEWAY_NAME]
  // Only what stands for a Gateway is found by a reference.
  if (gateway === undefined) return targetRefs.length === 0 && isSelected(selector, workload)
  if (targetRefs.length === 0) return workload.kind !== 'waypoint' && isSelected(selector, workload)
  return targetRefs.some((ref) => isTarget(ref, namespace, gateway, workload, mesh))
}

function isSelected(selector: Readonly<Record<string, string>> | undefined, { labels }: Workload): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)
}

function isTarget(
  { group, kind, name }: TargetRef,
  namespace: string,
  gateway: string,
  { kind: type, namespace: own, service }: Workload,
  { rootNamespace }: Mesh,
): boolean {
  const isWaypoint = type === 'waypoint'
  const isOf = (ofKind: 'Service' | 'ServiceEntry', groups: readonly string[]): boolean =>
    isWaypoint &&
    kind === ofKind &&
    groups.includes(group) &&
    service?.kind === ofKind &&
    service.name === name &&
    service.namespace === namespace
  if (isOf('Service', ['', 'core']) || isOf('ServiceEntry', ['networking.istio.io'])) return true
  if (group !== GATEWAY_GROUP) return false
  if (kind === 'GatewayClass') return isWaypoint && namespace === rootNamespace && name === WAYPOINT_CLASS
  return kind === 'Gateway' && namespace === own && name === gateway
}
