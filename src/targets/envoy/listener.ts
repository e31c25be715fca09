/** The listener of an Envoy: what never changes with the policy. */
import { PARTS } from '../../envoy/metadata.ts'
import type { Json } from '../../envoy/rbac.ts'
import type { EnvoyInput } from './emit.ts'
import { FILTERS, HTTP, JWT, RBAC, SERVER_SECRET, TYPE } from './filters.ts'

export function listenerOf({ name, address, tls, logs, checks, maxDuration = 3_600_000 }: EnvoyInput): Json {
  const deny = (filter: string, action: 'ALLOW' | 'DENY'): Json => ({
    name: filter,
    // Wherever no route says otherwise, everything is denied.
    typedConfig: {
      '@type': RBAC,
      rules: action === 'ALLOW' ? {} : { action, policies: { 'no-policy': { permissions: [{ any: true }], principals: [{ any: true }] } } },
    },
  })
  const ads = { ads: {}, resourceApiVersion: 'V3', initialFetchTimeout: '0s' }
  return {
    name,
    address: { socketAddress: { address: address.host, portValue: address.port } },
    perConnectionBufferLimitBytes: 1_048_576,
    filterChains: [
      {
        ...(tls === undefined
          ? {}
          : {
              transportSocket: {
                name: 'envoy.transport_sockets.tls',
                typedConfig: {
                  '@type': `${TYPE}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
                  commonTlsContext: {
                    tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_2' },
                    alpnProtocols: ['h2', 'http/1.1'],
                    tlsCertificateSdsSecretConfigs: [{ name: SERVER_SECRET, sdsConfig: ads }],
                  },
                },
              },
            }),
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typedConfig: {
              '@type': `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              statPrefix: name,
              rds: { configSource: ads, routeConfigName: name },
              // One reading of every request: what can be refused is, and the rest is decided as it is forwarded.
              normalizePath: true,
              mergeSlashes: true,
              pathWithEscapedSlashesAction: 'REJECT_REQUEST',
              stripAnyHostPort: true,
              stripTrailingHostDot: true,
              useRemoteAddress: true,
              skipXffAppend: false,
              commonHttpProtocolOptions: {
                headersWithUnderscoresAction: 'REJECT_REQUEST',
                idleTimeout: '300s',
                maxHeadersCount: 100,
                // Whoever is denied from now on doesn't go on for ever with what was begun before.
                maxStreamDuration: `${maxDuration / 1000}s`,
              },
              httpProtocolOptions: { acceptHttp10: false },
              requestHeadersTimeout: '15s',
              streamIdleTimeout: '300s',
              httpFilters: [
                { name: FILTERS.tokens, configDiscovery: { configSource: ads, typeUrls: [JWT] } },
                { name: FILTERS.revoked, configDiscovery: { configSource: ads, typeUrls: [RBAC] } },
                deny(FILTERS.callers, 'ALLOW'),
                deny(FILTERS.guardrails, 'DENY'),
                ...(checks === undefined ? [] : [checksOf(checks)]),
                deny(FILTERS.rules, 'ALLOW'),
                { name: 'envoy.filters.http.router', typedConfig: { '@type': `${HTTP}.router.v3.Router` } },
              ],
              localReplyConfig: { mappers: [UNAUTHENTICATED] },
              ...(logs === undefined ? {} : { accessLog: [accessLogOf(name, logs)] }),
            },
          },
        ],
      },
    ],
  }
}

/** How the gateway is asked: with each field as it came, and when it doesn't answer, nothing passes. */
function checksOf(cluster: string): Json {
  return {
    name: FILTERS.checks,
    typedConfig: {
      '@type': `${HTTP}.ext_authz.v3.ExtAuthz`,
      grpcService: { envoyGrpc: { clusterName: cluster }, timeout: '1s' },
      transportApiVersion: 'V3',
      failureModeAllow: false,
      statusOnError: { code: 503 },
      encodeRawHeaders: true,
    },
  }
}

/** Whoever shows no credential and is denied may come back with one (RFC 9110 §15.5.2). */
const UNAUTHENTICATED: Json = {
  filter: {
    andFilter: {
      filters: [
        { statusCodeFilter: { comparison: { op: 'EQ', value: { defaultValue: 403, runtimeKey: 'ostiary.denied' } } } },
        { headerFilter: { header: { name: 'authorization', presentMatch: true, invertMatch: true } } },
      ],
    },
  },
  statusCode: 401,
  headersToAdd: [{ header: { key: 'www-authenticate', value: 'Bearer' } }],
}

function accessLogOf(name: string, cluster: string): Json {
  return {
    name: 'envoy.access_loggers.http_grpc',
    typedConfig: {
      '@type': `${TYPE}envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig`,
      commonConfig: {
        logName: name,
        transportApiVersion: 'V3',
        grpcService: { envoyGrpc: { clusterName: cluster } },
        // Chosen claims, and nothing else of a token.
        customTags: ['iss', 'sub'].map((claim) => ({
          tag: claim,
          metadata: {
            kind: { request: {} },
            metadataKey: { key: 'envoy.filters.http.jwt_authn', path: [{ key: PARTS.payload }, { key: claim }] },
          },
        })),
      },
    },
  }
}
