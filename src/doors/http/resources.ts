import { resolve } from 'node:path'
import { OstiaryError } from '../../core/errors.ts'
import type { RecordMode } from '../../core/record.ts'
import { matchesPattern, parsePattern, type HttpPattern } from '../../policy/actions/http/template.ts'
import { readCertificates } from '../../secrets/pem.ts'
import type { UpstreamTarget } from '../../http/engine.ts'
import type { HttpResource } from './schema.ts'
import type { Authority } from '../../http/target.ts'

/** A resource as the request path wants it. */
export interface ServedResource {
  readonly name: string
  readonly config: HttpResource
  readonly target: UpstreamTarget
  /** `Host` to tell the upstream, where it isn't the request's. */
  readonly upstreamHost: string | undefined
  readonly audience: string | undefined
  /** Port of `publicUrl`, if it says one. */
  readonly publicPort: number | undefined
  readonly websocketOrigins: ReadonlySet<string> | undefined
  readonly settings: Settings
  readonly routes: readonly { readonly pattern: HttpPattern; readonly settings: Settings }[]
}

/** What a route may say differently. */
export interface Settings {
  readonly record: RecordMode
  readonly bodyLimit: number
  readonly forwardAuthorization: boolean
  readonly bindAssertion: boolean
}

/** Where a request came in. */
export interface Listener {
  readonly secure: boolean
  readonly localPort: number
}

/** Which resource a host belongs to. */
export interface Directory {
  readonly resources: readonly ServedResource[]
  /** `listener` is the connection's own end. A host without port in the configuration is the host at that port, or at the scheme's. */
  find(authority: Authority, listener: Listener): ServedResource | undefined
}

/**
 * Prepares resources for the request path. `previous` hands over upstreams whose configuration hasn't changed, so that
 * their connections stay. `folder` is where relative CA files are.
 * @throws OstiaryError `http/host-taken`, `http/certificate`
 */
export function directoryOf(
  resources: Readonly<Record<string, HttpResource>>,
  bodyLimit: number,
  folder: string,
  previous?: Directory,
): Directory {
  const before = new Map(previous?.resources.map(({ name, target }) => [name, target]))
  const served = Object.entries(resources).map(([name, config]) => serve(name, config, bodyLimit, folder, before.get(name)))
  const exact = new Map<string, ServedResource>()
  const wildcard = new Map<string, ServedResource>()
  for (const resource of served) {
    for (const host of resource.config.hosts) {
      const map = host.startsWith('*.') ? wildcard : exact
      const key = host.startsWith('*.') ? host.slice(2) : host
      const taken = map.get(key)
      if (taken !== undefined && taken !== resource)
        throw new OstiaryError('http/host-taken', { host, first: taken.name, second: resource.name })
      map.set(key, resource)
    }
  }
  return {
    resources: served,
    find({ host, port }, { secure, localPort }) {
      const bound = `:${port ?? (secure ? 443 : 80)}`
      const dot = host.indexOf('.')
      const parent = dot <= 0 ? undefined : host.slice(dot + 1)
      const atPort = exact.get(host + bound) ?? (parent === undefined ? undefined : wildcard.get(parent + bound))
      if (atPort !== undefined) return atPort
      const found = exact.get(host) ?? (parent === undefined ? undefined : wildcard.get(parent))
      // Another port is another authority, unless it is the one that browsers are told.
      return port === undefined || port === localPort || port === found?.publicPort ? found : undefined
    },
  }
}

function serve(
  name: string,
  config: HttpResource,
  bodyLimit: number,
  folder: string,
  previous: UpstreamTarget | undefined,
): ServedResource {
  const settings: Settings = {
    record: config.record,
    bodyLimit: config.body ?? bodyLimit,
    forwardAuthorization: config.forwardAuthorization,
    bindAssertion: config.assertion !== false && config.assertion.bindTo === 'request',
  }
  const target = targetOf(name, config, folder)
  return {
    name,
    config,
    target: previous !== undefined && JSON.stringify(previous) === JSON.stringify(target) ? previous : target,
    upstreamHost: config.upstream.hostField === 'upstream' ? new URL(config.upstream.url).host : undefined,
    audience: config.assertion === false ? undefined : (config.assertion.audience ?? name),
    publicPort: portOf(config.publicUrl),
    websocketOrigins: config.websocket === false ? undefined : new Set(config.websocket === true ? [] : config.websocket.origins),
    settings,
    routes: config.routes.map((route) => ({
      pattern: parsePattern(`* ${route.path}`).pattern!,
      settings: {
        record: route.record ?? settings.record,
        bodyLimit: route.body ?? settings.bodyLimit,
        forwardAuthorization: route.forwardAuthorization ?? settings.forwardAuthorization,
        bindAssertion: settings.bindAssertion || route.assertion?.bindTo === 'request',
      },
    })),
  }
}

function portOf(url: string | undefined): number | undefined {
  const port = url === undefined ? '' : new URL(url).port
  return port === '' ? undefined : Number(port)
}

function targetOf(name: string, { upstream }: HttpResource, folder: string): UpstreamTarget {
  const url = new URL(upstream.url)
  const secure = url.protocol === 'https:'
  const hostname = url.hostname.replaceAll(/^\[|\]$/g, '')
  return {
    resource: name,
    secure,
    hostname,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    socketPath: upstream.socketPath,
    ca: upstream.ca === undefined ? undefined : readCertificates(resolve(folder, upstream.ca)),
    serverName: upstream.serverName ?? hostname,
    http2: upstream.http2,
    connections: upstream.connections,
    pending: upstream.pending,
    connectTimeout: upstream.connectTimeout,
    headersTimeout: upstream.headersTimeout,
    idleTimeout: upstream.idleTimeout,
  }
}

/** The settings for a path: of the first route that matches it, or the resource's own. */
export function settingsFor(resource: ServedResource, method: string, path: string): Settings {
  for (const { pattern, settings } of resource.routes) if (matchesPattern(pattern, method, path)) return settings
  return resource.settings
}
