import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { API } from '../../../src/testing/tokens.ts'
import { RULES, type Rule } from '../workload.ts'
import type { Candidate, Place } from './candidate.ts'

const TYPE = 'type.googleapis.com/envoy.extensions'

function bootstrap({ folder, port, upstreamPort }: Place, filters: readonly unknown[]): unknown {
  const manager = {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: 'REJECT_REQUEST',
    common_http_protocol_options: { headers_with_underscores_action: 'REJECT_REQUEST' },
    access_log: [
      {
        name: 'envoy.access_loggers.file',
        typed_config: {
          '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`,
          path: join(folder, 'access.log'),
          log_format: {
            json_format: {
              time: '%START_TIME%',
              method: '%REQ(:METHOD)%',
              path: '%REQ(:PATH)%',
              status: '%RESPONSE_CODE%',
              details: '%RESPONSE_CODE_DETAILS%',
            },
          },
        },
      },
    ],
    route_config: {
      virtual_hosts: [{ name: 'orders', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'orders' } }] }],
    },
    http_filters: [...filters, { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } }],
  }
  return {
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: { socket_address: { address: '127.0.0.1', port_value: port } },
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'orders',
          type: 'STATIC',
          connect_timeout: '5s',
          circuit_breakers: { thresholds: [{ max_connections: 4096, max_pending_requests: 4096, max_requests: 4096 }] },
          load_assignment: {
            cluster_name: 'orders',
            endpoints: [
              { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: upstreamPort } } } }] },
            ],
          },
        },
      ],
    },
  }
}

/** The issuer's tokens, verified against keys in the configuration, cached by token. */
function jwtAuthn({ workload }: Place, cached: boolean): unknown {
  return {
    name: 'jwt_authn',
    typed_config: {
      '@type': `${TYPE}.filters.http.jwt_authn.v3.JwtAuthentication`,
      providers: {
        idp: {
          issuer: workload.issuer,
          audiences: [API],
          local_jwks: { inline_string: JSON.stringify({ keys: [workload.key.jwk] }) },
          require_expiration: true,
          clock_skew_seconds: 30,
          from_headers: [{ name: 'Authorization', value_prefix: 'Bearer ' }],
          payload_in_metadata: 'payload',
          ...(cached ? { jwt_cache_config: { jwt_cache_size: 10_000, jwt_max_token_size: 16_384 } } : {}),
        },
      },
      rules: [{ match: { prefix: '/' }, requires: { provider_name: 'idp' } }],
    },
  }
}

function permission({ template }: Rule): unknown {
  return {
    and_rules: {
      rules: [
        { header: { name: ':method', string_match: { exact: 'GET' } } },
        template.includes('{') || template.includes('**')
          ? {
              uri_template: {
                name: 'template',
                typed_config: {
                  '@type': `${TYPE}.path.match.uri_template.v3.UriTemplateMatchConfig`,
                  path_template: template.replaceAll(/\{\w+\}/g, '*'),
                },
              },
            }
          : { url_path: { path: { exact: template } } },
      ],
    },
  }
}

/** The same hundred rules as the other candidates' policy. */
function rbac(): unknown {
  const policies = Object.fromEntries(
    RULES.map((rule) => [
      rule.id,
      {
        permissions: [permission(rule)],
        principals: [
          {
            sourced_metadata: {
              metadata_matcher: {
                filter: 'envoy.filters.http.jwt_authn',
                path: [{ key: 'payload' }, { key: 'roles' }],
                value: { list_match: { one_of: { string_match: { exact: rule.role } } } },
              },
            },
          },
        ],
      },
    ]),
  )
  return { name: 'rbac', typed_config: { '@type': `${TYPE}.filters.http.rbac.v3.RBAC`, rules: { action: 'ALLOW', policies } } }
}

function envoy(
  id: string,
  name: string,
  does: string,
  enforces: Candidate['enforces'],
  filters: (place: Place) => readonly unknown[],
): Candidate {
  return {
    id,
    name,
    does,
    tool: 'envoy',
    enforces,
    prepare(place, tool) {
      const config = join(place.folder, 'envoy.json')
      writeFileSync(config, JSON.stringify(bootstrap(place, filters(place))))
      return {
        file: tool!.path,
        args: ['-c', config, '--concurrency', '1', '--base-id', String(place.port % 30_000), '--log-level', 'warning'],
      }
    },
  }
}

export const envoyPlain = envoy('envoy', 'Envoy, plain proxy', 'no authentication; JSON access log', 'nothing', () => [])

export const envoyAuthorizing = envoy(
  'envoy-rbac',
  'Envoy, jwt_authn (cached) and rbac',
  'verifies, the same 100 templates; JSON access log',
  'tokens and policy',
  (place) => [jwtAuthn(place, true), rbac()],
)

export const envoyUncached = envoy(
  'envoy-rbac-uncached',
  'Envoy, jwt_authn (default) and rbac',
  'verifies every request, the same 100 templates; JSON access log',
  'tokens and policy',
  (place) => [jwtAuthn(place, false), rbac()],
)
