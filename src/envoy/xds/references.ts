import { type Message } from '@bufbuild/protobuf'
import { type Any } from '@bufbuild/protobuf/wkt'
import { unpack } from '../any.ts'
import { Cluster_DiscoveryType, type Cluster } from '../messages/envoy/config/cluster/v3/cluster_pb.ts'
import { SocketAddress_Protocol, type Address } from '../messages/envoy/config/core/v3/address_pb.ts'
import type { ConfigSource, ExtensionConfigSource } from '../messages/envoy/config/core/v3/config_source_pb.ts'
import type { GrpcService_EnvoyGrpc } from '../messages/envoy/config/core/v3/grpc_service_pb.ts'
import type { HttpUri } from '../messages/envoy/config/core/v3/http_uri_pb.ts'
import type { Filter } from '../messages/envoy/config/listener/v3/listener_components_pb.ts'
import type { Listener } from '../messages/envoy/config/listener/v3/listener_pb.ts'
import type {
  RouteAction,
  RouteAction_RequestMirrorPolicy,
  WeightedCluster_ClusterWeight,
} from '../messages/envoy/config/route/v3/route_components_pb.ts'
import type { ScopedRouteConfiguration } from '../messages/envoy/config/route/v3/scoped_route_pb.ts'
import type { HttpFilter, Rds } from '../messages/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { SdsSecretConfig } from '../messages/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { keyOf, type Need } from './types.ts'

/** Whether what is configured this way comes over the same stream as the rest. */
function isOurs(source: ConfigSource | undefined): boolean {
  const kind = source?.configSourceSpecifier.case
  return kind === 'ads' || kind === 'self'
}

function cluster(name: string): readonly Need[] {
  return name === '' ? [] : [{ kind: 'cluster', name }]
}

function extension(name: string, source: ExtensionConfigSource | undefined): readonly Need[] {
  return isOurs(source?.configSource) ? [{ kind: 'extension', name }] : []
}

function by<M extends Message>(
  type: M['$typeName'],
  needs: (message: M) => readonly Need[],
): [string, (message: Message) => readonly Need[]] {
  return [type, (message) => needs(message as M)]
}

/** Each message that names another resource, and what it names. */
const NAMING = new Map<string, (message: Message) => readonly Need[]>([
  by<Cluster>('envoy.config.cluster.v3.Cluster', ({ name, clusterDiscoveryType: type, edsClusterConfig: eds }) =>
    type.case === 'type' && type.value === Cluster_DiscoveryType.EDS && isOurs(eds?.edsConfig)
      ? [{ kind: 'endpoints', name: eds?.serviceName === '' || eds === undefined ? name : eds.serviceName }]
      : [],
  ),
  by<Rds>('envoy.extensions.filters.network.http_connection_manager.v3.Rds', ({ routeConfigName: name, configSource }) =>
    isOurs(configSource) ? [{ kind: 'route', name }] : [],
  ),
  by<ScopedRouteConfiguration>('envoy.config.route.v3.ScopedRouteConfiguration', ({ routeConfigurationName: name }) =>
    name === '' ? [] : [{ kind: 'route', name }],
  ),
  by<HttpFilter>('envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter', ({ name, configType: config }) =>
    config.case === 'configDiscovery' ? extension(name, config.value) : [],
  ),
  by<Filter>('envoy.config.listener.v3.Filter', ({ name, configType: config }) =>
    config.case === 'configDiscovery' ? extension(name, config.value) : [],
  ),
  by<SdsSecretConfig>('envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig', ({ name, sdsConfig }) =>
    isOurs(sdsConfig) ? [{ kind: 'secret', name }] : [],
  ),
  by<RouteAction>('envoy.config.route.v3.RouteAction', ({ clusterSpecifier: to }) => (to.case === 'cluster' ? cluster(to.value) : [])),
  by<WeightedCluster_ClusterWeight>('envoy.config.route.v3.WeightedCluster.ClusterWeight', ({ name }) => cluster(name)),
  by<RouteAction_RequestMirrorPolicy>('envoy.config.route.v3.RouteAction.RequestMirrorPolicy', (mirror) => cluster(mirror.cluster)),
  by<GrpcService_EnvoyGrpc>('envoy.config.core.v3.GrpcService.EnvoyGrpc', ({ clusterName }) => cluster(clusterName)),
  by<HttpUri>('envoy.config.core.v3.HttpUri', ({ httpUpstreamType: to }) => (to.case === 'cluster' ? cluster(to.value) : [])),
])

/**
 * What a resource needs to be there, each once; packed messages are looked into.
 * @throws OstiaryError `xds/message` for a packed message that can't be looked into: nobody could say what it needs
 */
export function needsOf(message: Message): readonly Need[] {
  const found = new Map<string, Need>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
    const { $typeName: type } = value as Partial<Message>
    if (type === 'google.protobuf.Any') return visit(unpack(value as Any))
    for (const need of NAMING.get(type ?? '')?.(value as Message) ?? []) found.set(keyOf(need), need)
    for (const inner of Object.values(value)) visit(inner)
  }
  visit(message)
  return [...found.values()]
}

/** Where a listener listens; a port that the system chooses is no one's. */
export function addressesOf({ address, additionalAddresses }: Listener): readonly string[] {
  return [address, ...additionalAddresses.map((more) => more.address)].flatMap((one) => (one === undefined ? [] : addressOf(one)))
}

function addressOf({ address }: Address): readonly string[] {
  switch (address.case) {
    case 'socketAddress': {
      const { address: host, portSpecifier: port, protocol } = address.value
      return port.case === undefined || port.value === 0
        ? []
        : [`${host}:${port.value}${protocol === SocketAddress_Protocol.UDP ? ' (UDP)' : ''}`]
    }
    case 'pipe':
      return [address.value.path]
    case 'envoyInternalAddress':
    case undefined:
      return []
  }
}
