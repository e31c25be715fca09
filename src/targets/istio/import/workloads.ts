/** Workloads that policies speak of, and what holds for each: surely, or only for some of its pods. */
import { isDryRun } from '../translate/authorization.ts'
import type { Workload } from '../translate/mesh.ts'
import { authenticationsFor, GATEWAY_NAME, policiesFor } from '../translate/selection.ts'
import { DEFAULT_MESH } from '../translate/mesh.ts'
import type { AuthorizationPolicy, IstioResource, RequestAuthentication, TargetRef } from '../translate/types.ts'
import type { Losses } from './losses.ts'
import type { Manifests, MeshFacts, Service } from './manifests.ts'
import { nameFrom } from './texts.ts'

export interface ImportedWorkload {
  /** What it is called, before names are made one of a kind. */
  readonly wish: string
  readonly namespace: string
  readonly mode: 'sidecar' | 'gateway' | 'waypoint'
  readonly selector: Readonly<Record<string, string>> | undefined
  readonly targetRef: TargetRef | undefined
  /** Enforced policies that hold for all of its pods. */
  readonly policies: readonly AuthorizationPolicy[]
  /** Those that hold for some of them, as far as is known. */
  readonly perhaps: readonly AuthorizationPolicy[]
  readonly authentications: readonly RequestAuthentication[]
  /** Those that hold for some of its pods, as far as is known. */
  readonly authenticationsPerhaps: readonly RequestAuthentication[]
  /** That lead to it. */
  readonly services: readonly Service[]
}

type Labels = Readonly<Record<string, string>>
interface Place {
  readonly namespace: string
  readonly selector: Labels | undefined
  readonly targetRef: TargetRef | undefined
}

export function documentOf({ kind, metadata }: IstioResource): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`
}

export function workloadsOf({ resources, services, mesh }: Manifests, losses: Losses): readonly ImportedWorkload[] {
  for (const one of resources)
    if (one.kind === 'AuthorizationPolicy' && isDryRun(one))
      losses.add('not-carried', documentOf(one), 'metadata.annotations', 'it is only tried (`istio.io/dry-run`), and left out')
  const enforced = resources.filter((one) => one.kind !== 'AuthorizationPolicy' || !isDryRun(one))
  const places = placesOf(enforced, services, mesh)
  const workloads = places.map((place) => workloadOf(place, enforced, services, mesh))
  for (const one of enforced) {
    const holds = workloads.some(
      ({ policies, perhaps, authentications }) =>
        policies.some((each) => each === one) || perhaps.some((each) => each === one) || authentications.some((each) => each === one),
    )
    if (!holds) losses.add('not-carried', documentOf(one), '', 'no workload is known that it holds for: hand its Services in as well')
  }
  return workloads
}

function placesOf(resources: readonly IstioResource[], services: readonly Service[], mesh: MeshFacts): readonly Place[] {
  const places = new Map<string, Place>()
  const add = (place: Place): void => {
    const { namespace, selector, targetRef } = place
    const key = JSON.stringify([
      namespace,
      selector && Object.entries(selector).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      targetRef?.kind,
      targetRef?.name,
    ])
    if (!places.has(key)) places.set(key, place)
  }
  for (const { metadata, selector, targetRefs } of resources) {
    const { namespace } = metadata
    if (selector !== undefined && Object.keys(selector).length > 0) add({ namespace, selector, targetRef: undefined })
    for (const targetRef of targetRefs)
      // A class is of all waypoints, and so of none in particular.
      if (targetRef.kind !== 'GatewayClass') add({ namespace, selector: undefined, targetRef })
  }
  const named = [...places.values()]
  const kept = named.filter((place) => !named.some((other) => other !== place && isPartOf(place, other)))
  const governed = new Set(resources.map(({ metadata }) => metadata.namespace))
  for (const { namespace, selector } of services) {
    const isGoverned = governed.has(namespace) || governed.has(mesh.rootNamespace)
    if (isGoverned && !kept.some((place) => mayBeSame(place, { namespace, selector, targetRef: undefined })))
      kept.push({ namespace, selector, targetRef: undefined })
  }
  return kept
}

/** Whether all pods of the one are pods of the other, which has fewer labels. */
function isPartOf({ namespace, selector }: Place, other: Place): boolean {
  if (selector === undefined || other.selector === undefined || namespace !== other.namespace) return false
  return Object.keys(other.selector).length < Object.keys(selector).length && isInside(selector, other.selector)
}

function isInside(labels: Labels, selector: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)
}

function mayBeSame(a: Place, b: Place): boolean {
  if (a.selector === undefined || b.selector === undefined || a.namespace !== b.namespace) return false
  return isCompatible(a.selector, b.selector)
}

function isCompatible(a: Labels, b: Labels): boolean {
  return Object.entries(a).every(([key, value]) => !Object.hasOwn(b, key) || b[key] === value)
}

function workloadOf(place: Place, resources: readonly IstioResource[], services: readonly Service[], facts: MeshFacts): ImportedWorkload {
  const { namespace, selector, targetRef } = place
  const mesh = { ...DEFAULT_MESH, ...facts }
  // What a Gateway is the name of, an entrance or a waypoint, isn't known: what holds for both surely holds.
  const readings = readingsOf(place)
  const found = readings.map((one) => policiesFor(resources, one, mesh))
  const policies = found[0]!.filter((one) => found.every((all) => all.includes(one)))
  const near = resources.filter((one) => mayHold(one, place, facts))
  const perhaps = [...new Set([...found.flat(), ...near.filter((one) => one.kind === 'AuthorizationPolicy')])]
  const verifying = readings.map((one) => authenticationsFor(resources, one, mesh))
  const authentications = verifying[0]!.filter((one) => verifying.every((all) => all.includes(one)))
  const authenticationsPerhaps = [...new Set([...verifying.flat(), ...near.filter((one) => one.kind === 'RequestAuthentication')])]
  return {
    wish: nameFrom(targetRef?.name ?? calledBy(selector!)),
    namespace,
    mode: targetRef === undefined ? (isGateway(selector!) ? 'gateway' : 'sidecar') : targetRef.kind === 'Gateway' ? 'gateway' : 'waypoint',
    selector,
    targetRef,
    policies,
    perhaps: perhaps.filter((one) => !policies.includes(one)),
    authentications,
    authenticationsPerhaps: authenticationsPerhaps.filter((one) => !authentications.includes(one)),
    services: services.filter(
      (one) =>
        one.namespace === namespace &&
        (selector === undefined ? targetRef?.kind === 'Service' && targetRef.name === one.name : isInside(one.selector, selector)),
    ),
  }
}

function readingsOf({ namespace, selector, targetRef }: Place): readonly [Workload, ...Workload[]] {
  if (targetRef === undefined) {
    const kind = Object.hasOwn(selector!, GATEWAY_NAME) ? ('gateway' as const) : ('sidecar' as const)
    return [{ kind, namespace, labels: selector! }]
  }
  const { kind, name } = targetRef
  if (kind === 'Gateway') {
    const labels = { [GATEWAY_NAME]: name }
    return [
      { kind: 'gateway', namespace, labels },
      { kind: 'waypoint', namespace, labels },
    ]
  }
  const service = { kind: kind === 'ServiceEntry' ? ('ServiceEntry' as const) : ('Service' as const), namespace, name }
  return [{ kind: 'waypoint', namespace, labels: { [GATEWAY_NAME]: '' }, service }]
}

function mayHold({ metadata, selector, targetRefs }: IstioResource, place: Place, { rootNamespace }: MeshFacts): boolean {
  const { namespace } = metadata
  if (namespace !== place.namespace && namespace !== rootNamespace) return false
  if (targetRefs.length > 0)
    return (
      (place.targetRef !== undefined || isGateway(place.selector!)) &&
      targetRefs.some(({ kind }) => kind === 'Gateway' || kind === 'GatewayClass')
    )
  return place.selector !== undefined && isCompatible(selector ?? {}, place.selector)
}

/** As classic gateways and those of the Gateway API are labelled. */
function isGateway(selector: Labels): boolean {
  return Object.keys(selector).some((key) => key === 'istio' || key.startsWith('gateway.'))
}

function calledBy(selector: Labels): string {
  const usual = ['app.kubernetes.io/name', 'app', 'k8s-app', 'istio', GATEWAY_NAME].find((key) => Object.hasOwn(selector, key))
  return usual === undefined ? Object.values(selector)[0]! : selector[usual]!
}
