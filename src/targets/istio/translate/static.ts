/** Translated resources as the static configuration of an Envoy that stands for a workload's proxy, so that a real one can be asked. */
import { translateIstio, type IstioInput } from './translate.ts'
import type { Json, NamedFilter } from './types.ts'

/** A workload and its resources, with the listener that stands for its proxy. */
export interface StaticWorld extends IstioInput {
  /** Of the listener; unlike all others. */
  readonly name: string
  readonly chain: 'http' | 'tcp'
  /** Of loopback; 0 for any. `destination.port` is compared with it. */
  readonly port: number
  /** Port of loopback that everything is forwarded to. */
  readonly upstream: number
  /** Ports of loopback of what is asked about requests, by the cluster's name. */
  readonly asked?: ReadonlyMap<string, number>
  /** PEM; undefined for plain text. Callers needn't show a certificate, as with `PERMISSIVE`. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly authority: string }
}

const TYPE = 'type.googleapis.com/envoy.extensions'

/** Header field of a refusal in which Envoy says why. */
export const DETAILS = 'x-envoy-details'

/** Header fields of an answer of the workload in which Envoy says what policies that are only tried would have done. */
export const TRIED: Readonly<Record<string, string>> = Object.fromEntries(
  ['allow', 'deny'].flatMap((action) =>
    ['engine_result', 'effective_policy_id'].map((what) => [
      `x-tried-${action}-${what.replaceAll('_', '-')}`,
      `istio_dry_run_${action}_shadow_${what}`,
    ]),
  ),
)

/** @returns A bootstrap without `admin` */
export function staticEnvoy(worlds: readonly StaticWorld[]): Json {
  const clusters = new Map(worlds.flatMap(({ upstream, asked }) => [[clusterOf(upstream), upstream] as const, ...(asked ?? [])]))
  return {
    // What Istio's own bootstrap sets of what changes how a request is read.
    layeredRuntime: {
      layers: [
        {
          name: 'istio',
          staticLayer: {
            'envoy.reloadable_features.http_reject_path_with_fragment': false,
            're2.max_program_size.error_level': 32_768,
          },
        },
      ],
    },
    staticResources: {
      listeners: worlds.map(listenerOf),
      clusters: [...clusters].map(([name, port]) => ({
        name,
        type: 'STATIC',
        connectTimeout: '2s',
        loadAssignment: {
          clusterName: name,
          endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: port } } } }] }],
        },
      })),
    },
  }
}

function clusterOf(port: number): string {
  return `upstream-${port}`
}

function listenerOf(world: StaticWorld): Json {
  const translated = translateIstio(world)
  return {
    name: world.name,
    address: { socketAddress: { address: '127.0.0.1', portValue: world.port } },
    // Without this filter a connection asks for no server.
    listenerFilters:
      world.tls === undefined ? [] : [{ name: 'tls', typedConfig: { '@type': `${TYPE}.filters.listener.tls_inspector.v3.TlsInspector` } }],
    filterChains: [
      {
        ...(world.tls === undefined ? {} : { transportSocket: transportSocket(world.tls) }),
        filters:
          world.chain === 'tcp' ? tcpFilters(translated.tcp, world) : [connectionManager(translated.http, translated.connection, world)],
      },
    ],
  }
}

function tcpFilters(filters: readonly NamedFilter[], { upstream, name }: StaticWorld): readonly NamedFilter[] {
  const proxy = { '@type': `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`, statPrefix: name, cluster: clusterOf(upstream) }
  return [...filters, { name: 'tcp_proxy', typedConfig: proxy }]
}

/** What a waypoint is told of its callers by the tunnel that they come through; here they come with their own certificate. */
const TUNNEL: NamedFilter = {
  name: 'tunnel',
  typedConfig: {
    '@type': `${TYPE}.filters.http.set_filter_state.v3.Config`,
    onRequestHeaders: [
      {
        objectKey: 'io.istio.peer_principal',
        factoryKey: 'envoy.string',
        formatString: { textFormatSource: { inlineString: '%DOWNSTREAM_PEER_URI_SAN%' }, omitEmptyValues: true },
        skipIfEmpty: true,
      },
    ],
  },
}

function connectionManager(filters: readonly NamedFilter[], connection: Json, { name, upstream, workload }: StaticWorld): Json {
  return {
    name: 'http',
    typedConfig: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      statPrefix: name,
      ...connection,
      routeConfig: {
        name,
        responseHeadersToAdd: Object.entries(TRIED).map(([key, left]) => ({
          header: { key, value: `%DYNAMIC_METADATA(envoy.filters.http.rbac:${left})%` },
        })),
        virtualHosts: [{ name, domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: clusterOf(upstream) } }] }],
      },
      httpFilters: [
        ...(workload.kind === 'waypoint' ? [TUNNEL] : []),
        ...filters,
        { name: 'router', typedConfig: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
      ],
      localReplyConfig: {
        mappers: [
          {
            filter: { statusCodeFilter: { comparison: { op: 'GE', value: { defaultValue: 300, runtimeKey: 'istio.refused' } } } },
            headersToAdd: [{ header: { key: DETAILS, value: '%RESPONSE_CODE_DETAILS%' } }],
          },
        ],
      },
    },
  }
}

function transportSocket({ cert, key, authority }: NonNullable<StaticWorld['tls']>): Json {
  return {
    name: 'tls',
    typedConfig: {
      '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
      commonTlsContext: {
        tlsCertificates: [{ certificateChain: { inlineString: cert }, privateKey: { inlineString: key } }],
        validationContext: { trustedCa: { inlineString: authority } },
      },
    },
  }
}
