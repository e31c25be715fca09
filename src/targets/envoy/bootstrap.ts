import type { Json } from '../../envoy/rbac.ts'
import { isAddress, TYPE } from '../../envoy/filters.ts'

/** Files on the machine of an Envoy, and the name in the gateway's certificate. */
export interface BootstrapTls {
  readonly cert: string
  readonly key: string
  readonly ca: string
  readonly serverName: string
}

/** The cluster where an Envoy asks the gateway about requests. It is of the bootstrap, which alone knows how an Envoy proves itself. */
export const CHECKS_CLUSTER = 'ostiary.checks'

/** How an Envoy reaches this gateway and proves itself. */
export interface BootstrapInput {
  readonly node: string
  /** Where the gateway listens for Envoys, as they reach it. */
  readonly server: { readonly host: string; readonly port: number }
  /** Files on the machine of the Envoy; undefined for none, on loopback. */
  readonly tls: BootstrapTls | undefined
  /** Where the gateway answers questions about requests, as they reach it; default: nowhere. */
  readonly checks?: { readonly host: string; readonly port: number; readonly tls: BootstrapTls | undefined } | undefined
  /** Where its administration is; undefined for nowhere. */
  readonly admin: { readonly host: string; readonly port: number } | undefined
}

/** What an Envoy is started with: who it is and whom it asks. Everything else it is told, and keeps while nobody answers. */
export function bootstrapOf({ node, server, tls, checks, admin }: BootstrapInput): Json {
  const ads = { resourceApiVersion: 'V3', ads: {} }
  return {
    node: { id: node, cluster: 'ostiary' },
    ...(admin === undefined ? {} : { admin: { address: { socketAddress: { address: admin.host, portValue: admin.port } } } }),
    dynamicResources: {
      adsConfig: {
        apiType: 'DELTA_GRPC',
        transportApiVersion: 'V3',
        setNodeOnFirstMessageOnly: true,
        grpcServices: [{ envoyGrpc: { clusterName: 'ostiary' } }],
      },
      cdsConfig: ads,
      ldsConfig: ads,
    },
    staticResources: {
      clusters: [clusterOf('ostiary', server, tls), ...(checks === undefined ? [] : [clusterOf(CHECKS_CLUSTER, checks, checks.tls)])],
    },
    layeredRuntime: { layers: [{ name: 'static', staticLayer: { 're2.max_program_size.error_level': 1000 } }] },
  }
}

function clusterOf(name: string, { host, port }: BootstrapInput['server'], tls: BootstrapTls | undefined): Json {
  return {
    name,
    type: isAddress(host) ? 'STATIC' : 'STRICT_DNS',
    connectTimeout: '5s',
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}envoy.extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicitHttpConfig: { http2ProtocolOptions: { connectionKeepalive: { interval: '30s', timeout: '10s' } } },
      },
    },
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: host, portValue: port } } } }] }],
    },
    ...(tls === undefined
      ? {}
      : {
          transportSocket: {
            name: 'envoy.transport_sockets.tls',
            typedConfig: {
              '@type': `${TYPE}envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
              sni: tls.serverName,
              commonTlsContext: {
                tlsCertificates: [{ certificateChain: { filename: tls.cert }, privateKey: { filename: tls.key } }],
                validationContext: {
                  trustedCa: { filename: tls.ca },
                  matchTypedSubjectAltNames: [
                    { sanType: isAddress(tls.serverName) ? 'IP_ADDRESS' : 'DNS', matcher: { exact: tls.serverName } },
                  ],
                },
              },
            },
          },
        }),
  }
}
