/** What the API of Kubernetes has of its own, so that a slip is told from a custom resource. */

/** Verbs of requests for resources. */
export const REQUEST_VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const
/** Verbs by which the API server asks for more: whoever has one can come to have everything. */
export const GUARDED_VERBS = ['impersonate', 'escalate', 'bind', 'approve', 'sign', 'attest'] as const
export const VERBS: readonly string[] = [...REQUEST_VERBS, ...GUARDED_VERBS, 'use']
/** Verbs of requests for paths. `HEAD` is `get`. */
export const PATH_VERBS: readonly string[] = ['get', 'post', 'put', 'patch', 'delete', 'options']
/** Verbs that are about one object, which has a name. */
export const OF_ONE: ReadonlySet<string> = new Set(['get', 'update', 'patch', 'delete'])

/** Ways into a container, a pod or a service. By WebSocket they come as GET, over SPDY as POST: here they are always `create`. */
export const STREAMS: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy'])
/** Subresources that a rule has to name: they give a way in, or credentials. */
export const GUARDED_SUBRESOURCES: readonly string[] = [...STREAMS, 'ephemeralcontainers', 'token', 'approval']

const NAMESPACED: Readonly<Record<string, readonly string[]>> = {
  '': [
    'bindings',
    'configmaps',
    'endpoints',
    'events',
    'limitranges',
    'persistentvolumeclaims',
    'pods',
    'podtemplates',
    'replicationcontrollers',
    'resourcequotas',
    'secrets',
    'serviceaccounts',
    'services',
  ],
  apps: ['controllerrevisions', 'daemonsets', 'deployments', 'replicasets', 'statefulsets'],
  autoscaling: ['horizontalpodautoscalers'],
  batch: ['cronjobs', 'jobs'],
  'coordination.k8s.io': ['leases'],
  'discovery.k8s.io': ['endpointslices'],
  'networking.k8s.io': ['ingresses', 'networkpolicies'],
  policy: ['poddisruptionbudgets'],
  'rbac.authorization.k8s.io': ['rolebindings', 'roles'],
}
const IN_NO_NAMESPACE: Readonly<Record<string, readonly string[]>> = {
  // Users and groups are there to be impersonated.
  '': ['componentstatuses', 'namespaces', 'nodes', 'persistentvolumes', 'users', 'groups'],
  'admissionregistration.k8s.io': ['mutatingwebhookconfigurations', 'validatingadmissionpolicies', 'validatingwebhookconfigurations'],
  'apiextensions.k8s.io': ['customresourcedefinitions'],
  'apiregistration.k8s.io': ['apiservices'],
  'authentication.k8s.io': ['selfsubjectreviews', 'tokenreviews', 'uids', 'userextras'],
  'authorization.k8s.io': ['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'subjectaccessreviews'],
  'certificates.k8s.io': ['certificatesigningrequests', 'signers'],
  'networking.k8s.io': ['ingressclasses'],
  'node.k8s.io': ['runtimeclasses'],
  'rbac.authorization.k8s.io': ['clusterrolebindings', 'clusterroles'],
  'scheduling.k8s.io': ['priorityclasses'],
  'storage.k8s.io': ['csidrivers', 'csinodes', 'storageclasses', 'volumeattachments'],
}

const SHORT: Readonly<Record<string, string>> = {
  cm: 'configmaps',
  crd: 'customresourcedefinitions.apiextensions.k8s.io',
  cj: 'cronjobs.batch',
  deploy: 'deployments.apps',
  ds: 'daemonsets.apps',
  ep: 'endpoints',
  ev: 'events',
  hpa: 'horizontalpodautoscalers.autoscaling',
  ing: 'ingresses.networking.k8s.io',
  netpol: 'networkpolicies.networking.k8s.io',
  no: 'nodes',
  ns: 'namespaces',
  pdb: 'poddisruptionbudgets.policy',
  po: 'pods',
  pv: 'persistentvolumes',
  pvc: 'persistentvolumeclaims',
  quota: 'resourcequotas',
  rs: 'replicasets.apps',
  sa: 'serviceaccounts',
  sc: 'storageclasses.storage.k8s.io',
  sts: 'statefulsets.apps',
  svc: 'services',
}

function has(table: Readonly<Record<string, readonly string[]>>, group: string, resource: string): boolean {
  return Object.hasOwn(table, group) && table[group]!.includes(resource)
}

/** Whether the resource is known to be in namespaces, or in none; undefined for what isn't known. */
export function isNamespaced(group: string, resource: string): boolean | undefined {
  return has(NAMESPACED, group, resource) ? true : has(IN_NO_NAMESPACE, group, resource) ? false : undefined
}

/** Everything in the core group, which nobody can add to. */
export const CORE: readonly string[] = [...NAMESPACED['']!, ...IN_NO_NAMESPACE['']!]

/** Every resource that is known, by group and plural name. */
export const RESOURCES: readonly (readonly [group: string, resource: string])[] = [
  ...Object.entries(NAMESPACED),
  ...Object.entries(IN_NO_NAMESPACE),
].flatMap(([group, resources]) => resources.map((resource) => [group, resource] as const))

/** How a resource is written that is known by another name, or in another group. */
export function writtenAs(resource: string): string | undefined {
  if (Object.hasOwn(SHORT, resource)) return SHORT[resource]
  for (const [group, resources] of [...Object.entries(NAMESPACED), ...Object.entries(IN_NO_NAMESPACE)]) {
    const found = resources.find((one) => one === resource || one === `${resource}s` || one === `${resource}es`)
    if (found !== undefined) return group === '' ? found : `${found}.${group}`
  }
  return undefined
}
