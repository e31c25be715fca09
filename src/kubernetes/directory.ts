/**
 * The clusters that somebody may reach through a gateway, as its admin API lists them (`GET /api/clusters`) and as `ostiary kubeconfig`
 * writes them down.
 */
import { isObject, type JsonValue } from '../core/json.ts'

/** How the gateway speaks to the cluster for somebody. */
export type ClusterMode = 'impersonate' | 'pass-through' | 'on-behalf-of'

export interface ListedCluster {
  /** Name of the resource. */
  readonly name: string
  /** Where kubectl reaches it: `https://<door>/clusters/<name>`. */
  readonly server: string
  /** PEM certificates that vouch for the door, where those of the system don't. */
  readonly ca?: string | undefined
  /** The name in the door's certificate, where it isn't that of `server`. */
  readonly tlsServerName?: string | undefined
  /** The namespace to begin with. */
  readonly namespace?: string | undefined
  readonly mode: ClusterMode
  /** What tokens for it are for, where that isn't the gateway: of a cluster that trusts the provider itself. */
  readonly audience?: string | undefined
}

const MAX_CLUSTERS = 10_000
const MAX_CA = 256 * 1024
const MODES: ReadonlySet<unknown> = new Set(['impersonate', 'pass-through', 'on-behalf-of'])
const KNOWN = new Set(['name', 'server', 'ca', 'tlsServerName', 'namespace', 'mode', 'audience'])
const HOST = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i
const CERTIFICATE = /-----BEGIN CERTIFICATE-----\r?\n(?:[A-Za-z0-9+/=]{1,76}\r?\n)+-----END CERTIFICATE-----/g

/** Reads a gateway's answer: what it says goes into a file that kubectl believes. */
export function readDirectory(
  answer: JsonValue | undefined,
): { readonly clusters: readonly ListedCluster[] } | { readonly problem: string } {
  if (!Array.isArray(answer)) return { problem: 'it is no list' }
  if (answer.length > MAX_CLUSTERS) return { problem: `it has more than ${MAX_CLUSTERS} clusters` }
  const clusters: ListedCluster[] = []
  const names = new Set<string>()
  for (const [index, one] of answer.entries()) {
    const problem = isObject(one) ? problemOf(one) : 'is no object'
    if (problem !== undefined) return { problem: `its cluster ${index + 1} ${problem}` }
    const cluster = one as unknown as ListedCluster
    if (names.has(cluster.name)) return { problem: `it has two clusters \`${cluster.name}\`` }
    names.add(cluster.name)
    const known = Object.fromEntries(Object.entries(cluster).filter(([key]) => KNOWN.has(key))) as unknown as ListedCluster
    clusters.push(cluster.ca === undefined ? known : { ...known, ca: certificatesIn(cluster.ca) })
  }
  return { clusters }
}

function problemOf(one: { readonly [key: string]: JsonValue | undefined }): string | undefined {
  const { name, server, ca, tlsServerName, namespace, mode, audience } = one
  if (!isText(name, /^[a-z][a-z0-9-]{0,62}$/)) return 'has no name of a resource'
  if (!isText(server, /^https:\/\/[!-~]{1,2000}$/) || !isPlainUrl(server)) return 'has no server that is reached by https'
  if (ca !== undefined && certificatesIn(ca) === undefined) return 'has a `ca` that is no certificates in PEM'
  if (tlsServerName !== undefined && !isText(tlsServerName, HOST)) return 'has a `tlsServerName` that is no name of a host'
  if (namespace !== undefined && !isText(namespace, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)) return 'has a `namespace` that can be none'
  if (!MODES.has(mode)) return 'has no `mode`'
  if (audience !== undefined && !isText(audience, /^[A-Za-z0-9][\x21-\x7e]{0,511}$/)) return 'has an `audience` that can be none'
  return undefined
}

/** The certificates alone: files have text between them, and must not have keys. */
function certificatesIn(ca: JsonValue): string | undefined {
  if (typeof ca !== 'string' || ca.length > MAX_CA || /PRIVATE KEY/.test(ca)) return undefined
  const found = ca.match(CERTIFICATE)
  return found === null ? undefined : `${found.join('\n')}\n`
}

function isText(value: JsonValue | undefined, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}

/** Without anything that would be sent along unseen. */
function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { username, password, search, hash } = new URL(text)
  return username === '' && password === '' && search === '' && hash === '' && !/[?#@\\]/.test(text)
}
