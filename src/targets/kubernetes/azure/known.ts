/**
 * What Azure can tell apart in a cluster: the data actions of `Microsoft.ContainerService/managedClusters` as Microsoft lists them, and what
 * Kubernetes 1.30 to 1.36 serves below each resource. Azure looks at no subresource but `pods/exec`: whoever reads a resource reads all
 * that is below it.
 */
import { STREAMS } from '../../../policy/actions/kubernetes/known.ts'

export const PROVIDER = 'Microsoft.ContainerService/managedClusters'

/** A request as an authorizer is asked about it, wherever it is and whatever it names. */
export interface Asked {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource: string
}

interface Known {
  /** Of its data actions, the last part. */
  readonly kinds: readonly string[]
  /** By subresource: verbs that are served. */
  readonly below: Readonly<Record<string, readonly string[]>>
}

/** Verbs by the kind of data action that they are asked as. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  read: ['get', 'list', 'watch'],
  write: ['create', 'update', 'patch'],
  delete: ['delete', 'deletecollection'],
  'bind/action': ['bind'],
  'escalate/action': ['escalate'],
  'impersonate/action': ['impersonate'],
}
const ALL = ['read', 'write', 'delete']
const OBJECT = ['get', 'update', 'patch']
const PROXY = { proxy: ['get', 'create', 'update', 'patch', 'delete'] }

const plain: Known = { kinds: ALL, below: {} }
const withStatus: Known = { kinds: ALL, below: { status: OBJECT } }
const withScale: Known = { kinds: ALL, below: { status: OBJECT, scale: OBJECT } }
const written: Known = { kinds: ['write'], below: {} }
const read: Known = { kinds: ['read'], below: {} }
const impersonated: Known = { kinds: ['impersonate/action'], below: {} }
const roles: Known = { kinds: [...ALL, 'bind/action', 'escalate/action'], below: {} }

const KNOWN: Readonly<Record<string, Readonly<Record<string, Known>>>> = {
  '': {
    bindings: written,
    componentstatuses: plain,
    configmaps: plain,
    endpoints: plain,
    events: plain,
    groups: impersonated,
    limitranges: plain,
    namespaces: { kinds: ALL, below: { status: OBJECT, finalize: ['update'] } },
    nodes: { kinds: ALL, below: { status: OBJECT, ...PROXY } },
    persistentvolumeclaims: withStatus,
    persistentvolumes: withStatus,
    pods: {
      kinds: ALL,
      below: {
        attach: ['get', 'create'],
        binding: ['create'],
        ephemeralcontainers: OBJECT,
        eviction: ['create'],
        exec: ['get', 'create'],
        log: ['get'],
        portforward: ['get', 'create'],
        resize: OBJECT,
        status: OBJECT,
        ...PROXY,
      },
    },
    podtemplates: plain,
    replicationcontrollers: withScale,
    resourcequotas: withStatus,
    secrets: plain,
    serviceaccounts: { kinds: [...ALL, 'impersonate/action'], below: { token: ['create'] } },
    services: { kinds: ALL, below: { status: OBJECT, ...PROXY } },
    users: impersonated,
  },
  'admissionregistration.k8s.io': { mutatingwebhookconfigurations: plain, validatingwebhookconfigurations: plain },
  'apiextensions.k8s.io': { customresourcedefinitions: withStatus },
  'apiregistration.k8s.io': { apiservices: withStatus },
  apps: {
    controllerrevisions: plain,
    daemonsets: withStatus,
    deployments: withScale,
    replicasets: withScale,
    statefulsets: withScale,
  },
  'authentication.k8s.io': { tokenreviews: written },
  'authorization.k8s.io': {
    localsubjectaccessreviews: written,
    selfsubjectaccessreviews: written,
    selfsubjectrulesreviews: written,
    subjectaccessreviews: written,
  },
  autoscaling: { horizontalpodautoscalers: withStatus },
  batch: { cronjobs: withStatus, jobs: withStatus },
  'certificates.k8s.io': { certificatesigningrequests: { kinds: ALL, below: { approval: OBJECT, status: OBJECT } } },
  'coordination.k8s.io': { leases: plain },
  'discovery.k8s.io': { endpointslices: plain },
  'events.k8s.io': { events: plain },
  'flowcontrol.apiserver.k8s.io': { flowschemas: withStatus, prioritylevelconfigurations: withStatus },
  'metrics.k8s.io': { nodes: read, pods: read },
  'networking.k8s.io': { ingressclasses: plain, ingresses: withStatus, networkpolicies: plain },
  'node.k8s.io': { runtimeclasses: plain },
  policy: { poddisruptionbudgets: withStatus },
  'rbac.authorization.k8s.io': { clusterrolebindings: plain, clusterroles: roles, rolebindings: plain, roles },
  'scheduling.k8s.io': { priorityclasses: plain },
  'storage.k8s.io': {
    csidrivers: plain,
    csinodes: plain,
    csistoragecapacities: plain,
    storageclasses: plain,
    volumeattachments: withStatus,
  },
}

function knownOf(group: string, resource: string): Known | undefined {
  const found = Object.hasOwn(KNOWN, group) ? KNOWN[group]! : {}
  return Object.hasOwn(found, resource) ? found[resource] : undefined
}

/** Of every resource that Azure knows and of what is served below it, the verbs that are asked about alike. */
export const SERVED: readonly (Omit<Asked, 'verb'> & { readonly verbs: readonly string[] })[] = Object.entries(KNOWN).flatMap(
  ([group, all]) =>
    Object.entries(all).flatMap(([resource, { kinds, below }]) =>
      Object.entries({ '': Object.values(KINDS).flat(), ...below }).flatMap(([subresource, served]) =>
        kinds.map((kind) => ({ group, resource, subresource, verbs: served.filter((verb) => KINDS[kind]!.includes(verb)) })),
      ),
    ),
)
/** By the last part of a data action. */
export function verbsOf(kind: string): readonly string[] {
  return KINDS[kind] ?? []
}

/** Whether an API server answers it; true for whatever Azure doesn't know, as a custom resource is. */
export function isServed({ verb, group, resource, subresource }: Asked): boolean {
  const known = knownOf(group, resource)
  if (known === undefined) return true
  if (subresource === '') return known.kinds.some((kind) => KINDS[kind]!.includes(verb))
  return Object.hasOwn(known.below, subresource) && known.below[subresource]!.includes(verb)
}

const isExec = ({ group, resource, subresource }: Asked): boolean => group === '' && resource === 'pods' && subresource === 'exec'

/** What Azure asks about it, after the provider: `apps/deployments/read`; undefined where Azure has no word for it. */
export function dataActionOf(asked: Asked): string | undefined {
  if (isExec(asked)) return 'pods/exec/action'
  const kind = knownOf(asked.group, asked.resource)?.kinds.find((one) => KINDS[one]!.includes(asked.verb))
  return kind === undefined ? undefined : nameOf(asked.group, asked.resource, kind)
}

function nameOf(group: string, resource: string, kind: string): string {
  return `${group === '' ? '' : `${group}/`}${resource}/${kind}`
}

/** Everything that is served and that Azure asks about in the same way. @param version Of the API server */
export function askedAlike(asked: Asked, version: string): readonly Asked[] {
  const { group, resource } = asked
  const { kinds, below } = knownOf(group, resource)!
  const own = kinds.flatMap((kind) => KINDS[kind]!.map((verb) => ({ verb, group, resource, subresource: '' })))
  const others = Object.entries(below).flatMap(([subresource, verbs]) => verbs.map((verb) => ({ verb, group, resource, subresource })))
  const action = dataActionOf(asked)
  return [...own, ...others].filter((one) => dataActionOf(one) === action && isEnough(one, version))
}

/** Whether it is a way to something by itself: from 1.35 on, who comes to a container by GET is asked about `create` as well. */
function isEnough({ verb, subresource }: Asked, version: string): boolean {
  return verb !== 'get' || !STREAMS.has(subresource) || subresource === 'proxy' || !asksTwice(version)
}

/** Whether an API server of this version asks about `create` when somebody comes to a container by GET. */
export function asksTwice(version: string): boolean {
  return Number(version.split('.')[1]) >= 35
}

/** Whether it sends a request on to a pod or a service: each method is asked about as what it would be for these. */
export function isSentOn({ group, resource, subresource }: Asked): boolean {
  return group === '' && (resource === 'pods' || resource === 'services') && subresource === 'proxy'
}

/** As a policy writes it. */
export function textOf({ verb, group, resource, subresource }: Asked): string {
  const what = `${resource}${group === '' ? '' : `.${group}`}${subresource === '' ? '' : `/${subresource}`}`
  return `${STREAMS.has(subresource) ? 'create' : verb} ${what}`
}
