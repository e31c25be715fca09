/** Small resources for tests, each as the JSON that Envoy's own documentation would show. */
import type { JsonValue } from '@bufbuild/protobuf'
import { fromReadable } from '../any.ts'
import type { Cluster } from '../messages/envoy/config/cluster/v3/cluster_pb.ts'
import type { TypedExtensionConfig } from '../messages/envoy/config/core/v3/extension_pb.ts'
import type { ClusterLoadAssignment } from '../messages/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { Listener } from '../messages/envoy/config/listener/v3/listener_pb.ts'
import type { RouteConfiguration } from '../messages/envoy/config/route/v3/route_pb.ts'
import type { Secret } from '../messages/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { SCHEMAS, snapshotOf, type Messages, type Snapshot } from './snapshot.ts'

const ADS = { resourceApiVersion: 'V3', ads: {} }
const FILTERS = 'type.googleapis.com/envoy.extensions.filters'

function endpointsAt(clusterName: string, port: number): JsonValue {
  const address = { socketAddress: { address: '127.0.0.1', portValue: port } }
  return { clusterName, endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] }
}

/** A cluster with its endpoint in it, or with its endpoints to be asked for where `port` is `eds`. */
export function cluster(name: string, port: number | 'eds', seconds = 1): Cluster {
  const where =
    port === 'eds' ? { type: 'EDS', edsClusterConfig: { edsConfig: ADS } } : { type: 'STATIC', loadAssignment: endpointsAt(name, port) }
  return fromReadable(SCHEMAS.cluster, { name, connectTimeout: `${seconds}s`, ...where })
}

export function endpoints(name: string, port: number): ClusterLoadAssignment {
  return fromReadable(SCHEMAS.endpoints, endpointsAt(name, port))
}

export function secret(name: string, text: string): Secret {
  return fromReadable(SCHEMAS.secret, { name, genericSecret: { secret: { inlineString: text } } })
}

/** Where a path leads: to a cluster, or to an answer of the node's own. */
export type To = { readonly cluster: string } | { readonly status: number; readonly body: string }

function action(to: To): Record<string, JsonValue> {
  return 'cluster' in to ? { route: { cluster: to.cluster } } : { directResponse: { status: to.status, body: { inlineString: to.body } } }
}

/** Routes by prefix, the first that fits. */
export function route(name: string, to: Readonly<Record<string, To>>): RouteConfiguration {
  const routes = Object.entries(to).map(([prefix, target]) => ({ match: { prefix }, ...action(target) }))
  return fromReadable(SCHEMAS.route, { name, virtualHosts: [{ name: 'all', domains: ['*'], routes }] })
}

/** One that has a regular expression. */
export function regexRoute(name: string, regex: string): RouteConfiguration {
  const routes = [{ match: { safeRegex: { regex } }, ...action({ status: 200, body: 'regex' }) }]
  return fromReadable(SCHEMAS.route, { name, virtualHosts: [{ name: 'all', domains: ['*'], routes }] })
}

/** A filter that lets through what carries the header `x-pass: <value>`. */
export function extension(name: string, value: string): TypedExtensionConfig {
  const principal = { header: { name: 'x-pass', stringMatch: { exact: value } } }
  const policies = { pass: { permissions: [{ any: true }], principals: [principal] } }
  return fromReadable(SCHEMAS.extension, {
    name,
    typedConfig: { '@type': `${FILTERS}.http.rbac.v3.RBAC`, rules: { action: 'ALLOW', policies } },
  })
}

export interface ListenerParts {
  readonly port: number
  readonly route: string
  readonly extensions?: readonly string[]
  readonly secret?: string
  /** A cluster that a filter in the listener itself asks. */
  readonly asks?: string
}

export function listener(name: string, parts: ListenerParts): Listener {
  const discovered = (parts.extensions ?? []).map((extension) => ({
    name: extension,
    configDiscovery: { configSource: ADS, typeUrls: [`${FILTERS}.http.rbac.v3.RBAC`] },
  }))
  const asking = (parts.asks === undefined ? [] : [parts.asks]).map((clusterName) => ({
    name: 'asks',
    typedConfig: {
      '@type': `${FILTERS}.http.ext_authz.v3.ExtAuthz`,
      transportApiVersion: 'V3',
      grpcService: { envoyGrpc: { clusterName } },
    },
  }))
  const typedConfig = {
    '@type': `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
    statPrefix: name,
    rds: { routeConfigName: parts.route, configSource: ADS },
    httpFilters: [...discovered, ...asking, { name: 'router', typedConfig: { '@type': `${FILTERS}.http.router.v3.Router` } }],
  }
  const tls = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
    commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: parts.secret ?? '', sdsConfig: ADS }] },
  }
  const socket = parts.secret === undefined ? {} : { transportSocket: { name: 'tls', typedConfig: tls } }
  return fromReadable(SCHEMAS.listener, {
    name,
    address: { socketAddress: { address: '127.0.0.1', portValue: parts.port } },
    filterChains: [{ filters: [{ name: 'http', typedConfig }], ...socket }],
  })
}

/** A small whole: one listener with one route configuration, leading where it is told. */
export function small(to: Readonly<Record<string, To>>, more: Messages = {}, port = 10_000): Snapshot {
  return snapshotOf({ listener: [listener('in', { port, route: 'ways' })], route: [route('ways', to)], ...more })
}
