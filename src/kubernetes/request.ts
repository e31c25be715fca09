/**
 * From the head of a request to an API server to what is decided: what Kubernetes calls request attributes
 * (`k8s.io/apiserver/pkg/endpoints/request`, `RequestInfoFactory.NewRequestInfo`), read so that there is one way to read it. What the API
 * server would take in more than one way, or leniently, is refused.
 */
import { ALL, type KubernetesAction } from '../core/action.ts'

/** Whether a resource is in namespaces, for requests whose path leaves it open; undefined where nobody can tell. */
export type Namespaced = (group: string, version: string, resource: string) => boolean | undefined

/** Ways into a pod that are streams of several channels. */
export type Stream = 'exec' | 'attach' | 'portforward'

export interface ClusterRequest {
  readonly action: KubernetesAction
  /** What the API server may do along with it. Each has to be allowed by itself. */
  readonly also: readonly KubernetesAction[]
  /** API version such as `v1`; empty for a path. */
  readonly version: string
  readonly stream: Stream | undefined
  /** Whether the response has no end of its own: `watch`, `logs -f`. */
  readonly open: boolean
}

/** Why a request is none, in words; what comes first in it is the status that HTTP has for it. */
export interface Misread {
  readonly status: 400 | 405
  readonly problem: string
}

export interface RequestHead {
  readonly method: string
  /** Of the cluster, without what leads to it; percent-encoded as received, canonical (`src/http/target.ts`). */
  readonly path: string
  /** With its `?`, or empty. */
  readonly query: string
  /** `Content-Type`, if any. */
  readonly contentType: string | undefined
}

const VERBS: Readonly<Record<string, string>> = { GET: 'get', HEAD: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }
const PATH_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** Subresources of a namespace; any other third segment is a resource in it. */
const OF_NAMESPACE: ReadonlySet<string> = new Set(['status', 'finalize'])
const STREAMS: ReadonlySet<string> = new Set<Stream>(['exec', 'attach', 'portforward'])
/** Of these it is the same action by whatever method it comes (`core/action.ts`). */
const CONNECTS: ReadonlySet<string> = new Set([...STREAMS, 'proxy'])
const APPLY = /^application\/apply-patch\+(?:yaml|cbor)$/

/**
 * Kinds that an update makes where there is none (`AllowCreateOnUpdate` of their strategies): who may only update must not make new ones.
 * By group.
 */
const MADE_BY_UPDATE: Readonly<Record<string, readonly string[]>> = {
  '': ['endpoints', 'events', 'limitranges', 'services'],
  'coordination.k8s.io': ['leasecandidates', 'leases'],
  'events.k8s.io': ['events'],
  'node.k8s.io': ['runtimeclasses'],
  'rbac.authorization.k8s.io': ['clusterrolebindings', 'clusterroles', 'rolebindings', 'roles'],
}

/** Total. */
export function readRequest(head: RequestHead, namespaced: Namespaced): ClusterRequest | Misread {
  const { method, path } = head
  const parts = segmentsOf(path)
  if (parts === undefined) return bad('its path is encoded in more than one way, or holds what no name may hold')
  if (!PATH_METHODS.has(method)) return { status: 405, problem: 'the API server knows no such method' }
  const grouped = parts[0] === 'apis'
  // `/api/v1` and `/apis/apps/v1` say what there is, and are no resources.
  if (!(grouped || parts[0] === 'api') || parts.length < (grouped ? 4 : 3)) return ofPath(method, path, parts)
  const group = grouped ? parts[1]! : ''
  const version = parts[grouped ? 2 : 1]!
  let rest = parts.slice(grouped ? 3 : 2)
  if (rest.some((part, i) => part === '' && !isBelowProxy(rest, i))) return bad('its path ends with a `/`, or holds an empty segment')
  const legacy = rest[0] === 'watch'
  if (rest[0] === 'proxy') return bad('`/proxy/` at the front is gone from Kubernetes; write it behind the name')
  if (legacy) rest = rest.slice(1)
  if (rest[0] === undefined) return bad('it names no resource')
  const verb = VERBS[method]
  if (verb === undefined || (legacy && verb !== 'get')) return { status: 405, problem: 'the API server knows no such method for resources' }
  return ofResource({ verb, group, version, rest, legacy, head }, namespaced)
}

interface Resource {
  readonly verb: string
  readonly group: string
  readonly version: string
  /** Behind the version, without a `watch` in front. */
  readonly rest: readonly string[]
  readonly legacy: boolean
  readonly head: RequestHead
}

function ofResource({ verb: method, group, version, rest, legacy, head }: Resource, namespaced: Namespaced): ClusterRequest | Misread {
  let parts = rest
  let namespace: string | undefined
  if (parts[0] === 'namespaces' && parts.length > 1) {
    namespace = parts[1]!
    if (parts.length > 2 && !OF_NAMESPACE.has(parts[2]!)) parts = parts.slice(2)
  }
  const [resource = '', named, subresource = '', ...more] = parts
  // In an action it is all of them; to an API server, what somebody may have called so.
  if (named === ALL || namespace === ALL) return bad('`*` is taken for no name')
  // Only what is behind a proxy has a path of its own.
  if (more.length > 0 && subresource !== 'proxy') return bad('its path goes on behind the subresource')
  // Nor has what is behind it a query of the API server's.
  const asked = subresource === 'proxy' ? NOTHING_ASKED : listed(head.query)
  if (typeof asked === 'string') return bad(asked)
  let verb = method
  let name = named ?? ALL
  if (name === ALL && verb === 'get') verb = asked.watch || legacy ? 'watch' : 'list'
  else if (name === ALL && verb === 'delete') verb = 'deletecollection'
  else if (legacy) verb = 'watch'
  if (named === undefined && (verb === 'update' || verb === 'patch'))
    return { status: 405, problem: `\`${verb}\` is about one of them, and it names none` }
  if (named === undefined && (verb === 'list' || verb === 'watch') && asked.name !== undefined) name = asked.name
  if (named !== undefined && asked.watch && verb === 'get' && subresource === '')
    return bad('`watch` with a name in the path is read in two ways; write `fieldSelector=metadata.name=` and the name')
  if (CONNECTS.has(subresource)) verb = 'create'
  const isNamespace = group === '' && resource === 'namespaces'
  // A namespace is in itself.
  const where = isNamespace ? (name === ALL ? '' : name) : (namespace ?? anywhere(named, namespaced(group, version, resource)))
  const action: KubernetesAction = { protocol: 'kubernetes', verb, group, resource, subresource, namespace: where, name, path: '' }
  return {
    action,
    also: makes(action, head) ? [{ ...action, verb: 'create' }] : [],
    version,
    stream: STREAMS.has(subresource) && resource === 'pods' && group === '' ? (subresource as Stream) : undefined,
    open: verb === 'watch' || (subresource === 'log' && asked.follow),
  }
}

/** Where something is whose path names no namespace: in none, or in all of them. */
function anywhere(name: string | undefined, namespaced: boolean | undefined): string {
  // What has a name and no namespace is in none.
  return name !== undefined || namespaced === false ? '' : ALL
}

/** Whether the API server makes one where there is none. */
function makes({ verb, group, resource, subresource }: KubernetesAction, { contentType }: RequestHead): boolean {
  if (subresource !== '') return false
  if (verb === 'patch') return APPLY.test(mediaType(contentType))
  return verb === 'update' && Object.hasOwn(MADE_BY_UPDATE, group) && MADE_BY_UPDATE[group]!.includes(resource)
}

function mediaType(field: string | undefined): string {
  return (field ?? '').split(';')[0]!.trim().toLowerCase()
}

function ofPath(method: string, path: string, parts: readonly string[]): ClusterRequest | Misread {
  if (path !== '/' && parts.includes('')) return bad('its path ends with a `/`')
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
  const action: KubernetesAction = {
    protocol: 'kubernetes',
    verb,
    group: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path: parts.length === 0 ? '/' : `/${parts.join('/')}`,
  }
  return { action, also: [], version: '', stream: undefined, open: false }
}

/** The segments behind the first slash, decoded; none for `/`. Undefined for what no name may hold. */
function segmentsOf(path: string): readonly string[] | undefined {
  if (path === '/') return []
  if (!path.startsWith('/')) return undefined
  const parts: string[] = []
  for (const part of path.slice(1).split('/')) {
    let decoded: string
    try {
      decoded = decodeURIComponent(part)
    } catch {
      return undefined
    }
    // A slash that was encoded would make one segment of two.
    if (/[/\\%\p{Cc}]/u.test(decoded) || decoded === '.' || decoded === '..') return undefined
    parts.push(decoded)
  }
  return parts
}

/** What follows a proxied pod, service or node is its own. */
function isBelowProxy(rest: readonly string[], at: number): boolean {
  const from = rest[0] === 'namespaces' ? 2 : 0
  return rest[from + 2] === 'proxy' && at > from + 2
}

interface Asked {
  readonly watch: boolean
  readonly follow: boolean
  /** That `fieldSelector` names exactly. */
  readonly name: string | undefined
}

const NOTHING_ASKED: Asked = { watch: false, follow: false, name: undefined }

/** Parameters that change what a request is. Twice, or in a spelling that readers take differently, they are refused. */
function listed(query: string): Asked | string {
  const found = new Map<string, string>()
  // Go takes no `;` for a separator, and drops a pair that has one; others take it for one.
  if (query.includes(';')) return 'its query holds a `;`; encode it as `%3B`'
  for (const pair of query.slice(1).split('&')) {
    const cut = pair.indexOf('=')
    const key = decoded(cut === -1 ? pair : pair.slice(0, cut))
    const value = decoded(cut === -1 ? '' : pair.slice(cut + 1))
    if (key === undefined || value === undefined) return 'its query is encoded wrongly'
    if (!DECIDING.has(key)) continue
    if (found.has(key)) return `its query has \`${key}\` twice`
    found.set(key, value)
  }
  const watch = truth(found.get('watch'))
  const follow = truth(found.get('follow'))
  if (watch === undefined || follow === undefined) return '`watch` and `follow` are `true` or `false`'
  const selector = /^metadata\.name==?([A-Za-z0-9._:@~+-]+)$/.exec(found.get('fieldSelector') ?? '')
  return { watch, follow, name: selector?.[1] }
}

const DECIDING: ReadonlySet<string> = new Set(['watch', 'follow', 'fieldSelector'])

function truth(value: string | undefined): boolean | undefined {
  if (value === undefined || value === 'false' || value === '0') return false
  return value === 'true' || value === '1' ? true : undefined
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

function bad(problem: string): Misread {
  return { status: 400, problem }
}

export function isMisread(read: ClusterRequest | Misread): read is Misread {
  return 'problem' in read
}
