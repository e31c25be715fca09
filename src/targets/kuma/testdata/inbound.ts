/** An inbound's listener as Kuma makes it before policies change it. */
import type { Json } from '../../../envoy/rbac.ts'

const TYPE = 'type.googleapis.com/envoy.extensions'
const MANAGER = 'envoy.filters.network.http_connection_manager'

/** What stands for the mesh's own TLS in tests that don't speak it. */
export const MESH_TLS: Json = { name: 'envoy.transport_sockets.tls' }

export interface PlainInbound {
  readonly port: number
  /** Where Envoy listens; default: the inbound's port. */
  readonly listen?: number
  readonly service: string
  readonly protocol: 'http' | 'tcp'
  /** One for each filter chain; undefined for one without. */
  readonly transports: readonly (Json | undefined)[]
}

export function plainInbound({ port, listen = port, service, protocol, transports }: PlainInbound): Json {
  const filter =
    protocol === 'tcp'
      ? {
          name: 'envoy.filters.network.tcp_proxy',
          typedConfig: { '@type': `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`, statPrefix: service, cluster: service },
        }
      : {
          name: MANAGER,
          typedConfig: {
            '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
            statPrefix: `localhost_${port}`,
            routeConfig: {
              name: `inbound:${service}`,
              validateClusters: false,
              requestHeadersToRemove: ['x-kuma-tags'],
              virtualHosts: [
                { name: service, domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: service, timeout: '0s' } }] },
              ],
            },
            forwardClientCertDetails: 'SANITIZE_SET',
            setCurrentClientCertDetails: { uri: true },
            upgradeConfigs: [{ upgradeType: 'websocket' }],
            httpFilters: [{ name: 'envoy.filters.http.router', typedConfig: { '@type': `${TYPE}.filters.http.router.v3.Router` } }],
          },
        }
  return {
    name: `inbound:127.0.0.1:${port}`,
    trafficDirection: 'INBOUND',
    address: { socketAddress: { address: '127.0.0.1', portValue: listen } },
    filterChains: transports.map((transportSocket) => ({
      ...(transportSocket === undefined ? {} : { transportSocket }),
      filters: [filter],
    })),
  }
}
