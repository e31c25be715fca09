/** The listener of an Envoy: what never changes with the policy. */
import { FILTERS, HTTP, JWT, RBAC, SERVER_SECRET, TYPE } from '../../envoy/filters.ts'
import { accessLogOf, checksOf, oneReading, UNAUTHENTICATED } from '../../envoy/manager.ts'
import type { Json } from '../../envoy/rbac.ts'
import type { EnvoyInput } from './emit.ts'

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
              // Hosts are compared as they come, in lower case: another spelling has no routes, and is denied.
              scopedRoutes: {
                name,
                scopeKeyBuilder: { fragments: [{ headerValueExtractor: { name: ':authority', index: 0 } }] },
                rdsConfigSource: ads,
                scopedRds: { scopedRdsConfigSource: ads },
              },
              ...oneReading(maxDuration),
              // Whoever is denied can ask why (`ostiary explain`).
              alwaysSetRequestIdInResponse: true,
              httpFilters: [
                { name: FILTERS.tokens, configDiscovery: { configSource: ads, typeUrls: [JWT] } },
                { name: FILTERS.revoked, configDiscovery: { configSource: ads, typeUrls: [RBAC] } },
                { name: FILTERS.callers, configDiscovery: { configSource: ads, typeUrls: [RBAC] } },
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
