/** How an Envoy reaches the gateway and proves itself. */
import { isAddress, TYPE } from './filters.ts'
import type { Json } from './rbac.ts'

/** Files on the machine of an Envoy, and the name in the gateway's certificate. */
export interface GatewayTls {
  readonly cert: string
  readonly key: string
  readonly ca: string
  readonly serverName: string
}

/** The cluster where an Envoy asks the gateway about requests. It is of the bootstrap, which alone knows how an Envoy proves itself. */
export const CHECKS_CLUSTER = 'ostiary.checks'

/** A cluster of the gateway, over HTTP/2. @param tls Undefined for none, on loopback */
export function gatewayCluster(
  name: string,
  { host, port }: { readonly host: string; readonly port: number },
  tls: GatewayTls | undefined,
): Json {
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
