/** The clusters as the request path wants them. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { OstiaryError } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'
import type { Clock } from '../../core/clock.ts'
import type { UpstreamTarget } from '../../http/engine.ts'
import type { Authority } from '../../http/target.ts'
import { readCertificates } from '../../secrets/pem.ts'
import { resolveSecret } from '../../secrets/references.ts'
import { Discovery } from './discovery.ts'
import type { KubernetesResource } from './schema.ts'

export interface Cluster {
  readonly name: string
  readonly config: KubernetesResource
  readonly target: UpstreamTarget
  /** `Host` to tell the API server. */
  readonly host: string
  /** The gateway's own token there; undefined where it shows a certificate, or is nobody. @throws OstiaryError `secrets/…` */
  readonly token: (() => Secret) | undefined
  readonly discovery: Discovery
}

/** Where a request is for, and what of its path leads there. */
export interface Found {
  readonly cluster: Cluster
  /** Of the cluster, with its leading slash. */
  readonly path: string
  /** Whether the host alone said which it is. */
  readonly byHost: boolean
}

export interface Clusters {
  readonly all: readonly Cluster[]
  find(authority: Authority, path: string): Found | undefined
}

/** A token is read anew after so many milliseconds: a projected one changes every hour or so. */
const TOKEN_MS = 1000
const PREFIX = '/clusters/'

/**
 * @param previous Hands over what hasn't changed, so that connections stay
 * @param folder Where relative file names start
 * @throws OstiaryError `http/host-taken`, `http/certificate`
 */
export function clustersOf(
  resources: Readonly<Record<string, KubernetesResource>>,
  parts: { readonly folder: string; readonly clock: Clock },
  previous?: Clusters,
): Clusters {
  const before = new Map(previous?.all.map((cluster) => [cluster.name, cluster]))
  const all = Object.entries(resources).flatMap(([name, config]) => {
    const cluster = clusterOf(name, config, parts, before.get(name))
    return cluster === undefined ? [] : [cluster]
  })
  const byName = new Map(all.map((cluster) => [cluster.name, cluster]))
  const byHost = new Map<string, Cluster>()
  for (const cluster of all)
    for (const host of cluster.config.hosts) {
      const taken = byHost.get(host)
      if (taken !== undefined && taken !== cluster)
        throw new OstiaryError('http/host-taken', { host, first: taken.name, second: cluster.name })
      byHost.set(host, cluster)
    }
  return {
    all,
    find({ host, port }, path) {
      const dot = host.indexOf('.')
      const parent = dot <= 0 ? undefined : `*${host.slice(dot)}`
      const found = byHost.get(`${host}:${port ?? 443}`) ?? byHost.get(host) ?? (parent === undefined ? undefined : byHost.get(parent))
      if (found !== undefined) return { cluster: found, path, byHost: true }
      if (!path.startsWith(PREFIX)) return undefined
      const end = path.indexOf('/', PREFIX.length)
      const cluster = byName.get(path.slice(PREFIX.length, end === -1 ? undefined : end))
      return cluster === undefined ? undefined : { cluster, path: end === -1 ? '/' : path.slice(end), byHost: false }
    },
  }
}

function clusterOf(
  name: string,
  config: KubernetesResource,
  { folder, clock }: { readonly folder: string; readonly clock: Clock },
  before: Cluster | undefined,
): Cluster | undefined {
  if (config.server === undefined) return undefined
  const url = new URL(config.server)
  const target = targetOf(name, config, url, folder)
  const { credential } = config
  const token = credential !== undefined && 'token' in credential ? kept(() => resolveSecret(credential.token, folder), clock) : undefined
  if (before !== undefined && JSON.stringify([before.config, before.target]) === JSON.stringify([config, target])) return before
  const same = before !== undefined && JSON.stringify(before.target) === JSON.stringify(target)
  const kind = same ? before.target : target
  return { name, config, target: kind, host: url.host, token, discovery: new Discovery({ target: kind, host: url.host, token, clock }) }
}

function targetOf(name: string, config: KubernetesResource, url: URL, folder: string): UpstreamTarget {
  const secure = url.protocol === 'https:'
  const hostname = url.hostname.replaceAll(/^\[|\]$/g, '')
  const { credential } = config
  return {
    resource: name,
    secure,
    hostname,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    socketPath: undefined,
    ca: config.ca === undefined ? undefined : readCertificates(resolve(folder, config.ca)),
    client:
      credential !== undefined && 'certificate' in credential
        ? { cert: textOf(resolve(folder, credential.certificate)), key: textOf(resolve(folder, credential.key)) }
        : undefined,
    serverName: config.serverName ?? hostname,
    http2: secure,
    separateFields: true,
    connections: config.connections,
    pending: config.pending,
    connectTimeout: config.connectTimeout,
    headersTimeout: config.headersTimeout,
    idleTimeout: config.idleTimeout,
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new OstiaryError('http/certificate', { file, cause: (error as NodeJS.ErrnoException).code ?? 'unreadable' }, { cause: error })
  }
}

/** What is read, for a second. */
function kept(read: () => Secret, clock: Clock): () => Secret {
  let known: { readonly secret: Secret; readonly until: number } | undefined
  return () => {
    const now = clock.monotonic()
    if (known === undefined || known.until <= now) known = { secret: read(), until: now + TOKEN_MS }
    return known.secret
  }
}
