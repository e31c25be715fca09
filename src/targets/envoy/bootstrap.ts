import type { Json } from '../../envoy/rbac.ts'
import { CHECKS_CLUSTER, gatewayCluster, type GatewayTls } from '../../envoy/gateway.ts'

/** How an Envoy reaches this gateway and proves itself. */
export interface BootstrapInput {
  readonly node: string
  /** Where the gateway listens for Envoys, as they reach it. */
  readonly server: { readonly host: string; readonly port: number }
  /** Files on the machine of the Envoy; undefined for none, on loopback. */
  readonly tls: GatewayTls | undefined
  /** Where the gateway answers questions about requests, as they reach it; default: nowhere. */
  readonly checks?: { readonly host: string; readonly port: number; readonly tls: GatewayTls | undefined } | undefined
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
      clusters: [
        gatewayCluster('ostiary', server, tls),
        ...(checks === undefined ? [] : [gatewayCluster(CHECKS_CLUSTER, checks, checks.tls)]),
      ],
    },
    layeredRuntime: { layers: [{ name: 'static', staticLayer: { 're2.max_program_size.error_level': 1000 } }] },
  }
}
