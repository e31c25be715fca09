/** An Envoy as somebody would write its configuration by hand for the bench's hundred rules, with nothing in it that a request doesn't need. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { envoyBinary } from '../../../src/testing/envoybinary.ts'
import { API, TENANT } from '../../../src/testing/tokens.ts'
import type { Candidate, Place } from '../candidates/candidate.ts'
import type { Command } from '../processes.ts'
import { HOST, RULES, type Rule } from '../workload.ts'

const TYPE = 'type.googleapis.com/envoy.extensions'
/** Seconds that a token lasts at most: what the policy's issuer says by default. */
const MAX_LIFE = 29 * 3600
const METADATA = 'envoy.filters.http.jwt_authn'

/** Headers that somebody could tell the upstream by who calls; the same that a compiled configuration drops. */
export interface Identity {
  readonly dropped: readonly string[]
  /** By header, the claim. */
  readonly said: Readonly<Record<string, string>>
}

/** What a request is told of, the same for whatever is measured. */
export function accessLog(folder: string): unknown {
  return {
    name: 'envoy.access_loggers.file',
    typedConfig: {
      '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`,
      path: join(folder, 'access.log'),
      logFormat: {
        jsonFormat: {
          time: '%START_TIME%',
          method: '%REQ(:METHOD)%',
          path: '%REQ(:PATH)%',
          status: '%RESPONSE_CODE%',
          details: '%RESPONSE_CODE_DETAILS%',
          issuer: `%DYNAMIC_METADATA(${METADATA}:payload:iss)%`,
          object: `%DYNAMIC_METADATA(${METADATA}:payload:oid)%`,
        },
      },
    },
  }
}

/** An Envoy is started with a configuration in one file. */
export function commandOf({ folder, port }: Place, configuration: unknown): Command {
  const file = join(folder, 'envoy.json')
  writeFileSync(file, JSON.stringify(configuration))
  return {
    file: envoyBinary(),
    args: [
      '-c',
      file,
      '--concurrency',
      '1',
      '--base-id',
      String(port % 30_000),
      '--admin-address-path',
      join(folder, 'admin'),
      '--log-level',
      'warning',
    ],
  }
}

/** @param asMeant Whether it refuses what Ostiary refuses of the issuer's own tokens, or lets in whatever is signed and not expired */
export function writtenByHand(identity: Identity, asMeant: boolean): Candidate {
  return {
    id: asMeant ? 'envoy-by-hand' : 'envoy-by-hand-minimal',
    name: 'Envoy, by hand',
    does: asMeant ? 'jwt_authn, one rbac filter for tokens and one for rules' : 'jwt_authn and one rbac filter',
    tool: undefined,
    enforces: 'tokens and policy',
    prepare: (place) => commandOf(place, configuration(place, identity, asMeant)),
  }
}

function configuration(place: Place, { dropped, said }: Identity, asMeant: boolean): unknown {
  const { folder, port, upstreamPort } = place
  const manager = {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    statPrefix: 'in',
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: 'REJECT_REQUEST',
    stripAnyHostPort: true,
    stripTrailingHostDot: true,
    useRemoteAddress: true,
    commonHttpProtocolOptions: { headersWithUnderscoresAction: 'REJECT_REQUEST', idleTimeout: '300s' },
    requestHeadersTimeout: '15s',
    streamIdleTimeout: '300s',
    accessLog: [accessLog(folder)],
    routeConfig: {
      virtualHosts: [
        {
          name: 'orders',
          domains: [HOST],
          routes: [{ match: { prefix: '/' }, route: { cluster: 'orders', timeout: '0s' } }],
          requestHeadersToRemove: dropped,
          requestHeadersToAdd: Object.entries(said).map(([key, claim]) => ({
            header: { key, value: `%DYNAMIC_METADATA(${METADATA}:payload:${claim})%` },
            appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD',
          })),
        },
      ],
    },
    httpFilters: [
      jwtAuthn(place),
      ...(asMeant ? [tokens()] : []),
      rbac(),
      { name: 'envoy.filters.http.router', typedConfig: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
    ],
  }
  const address = (number: number): unknown => ({ socketAddress: { address: '127.0.0.1', portValue: number } })
  return {
    admin: { address: address(0) },
    staticResources: {
      listeners: [
        {
          name: 'in',
          address: address(port),
          perConnectionBufferLimitBytes: 1_048_576,
          filterChains: [{ filters: [{ name: 'http', typedConfig: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'orders',
          type: 'STATIC',
          connectTimeout: '5s',
          loadAssignment: { clusterName: 'orders', endpoints: [{ lbEndpoints: [{ endpoint: { address: address(upstreamPort) } }] }] },
        },
      ],
    },
  }
}

function jwtAuthn({ workload }: Place): unknown {
  return {
    name: 'jwt_authn',
    typedConfig: {
      '@type': `${TYPE}.filters.http.jwt_authn.v3.JwtAuthentication`,
      providers: {
        idp: {
          issuer: workload.issuer,
          audiences: [API],
          localJwks: { inlineString: JSON.stringify({ keys: [workload.key.jwk] }) },
          requireExpiration: true,
          clockSkewSeconds: 30,
          forward: true,
          fromHeaders: [{ name: 'authorization', valuePrefix: 'Bearer ' }],
          payloadInMetadata: 'payload',
          jwtCacheConfig: { jwtCacheSize: 1000, jwtMaxTokenSize: 16_384 },
        },
      },
      rules: [{ match: { prefix: '/' }, requires: { providerName: 'idp' } }],
    },
  }
}

/** A token of a person of the tenant, for this kind of use, that says of itself all there is, and doesn't last for years. */
function tokens(): unknown {
  const claim = (name: string, value: unknown): unknown => ({
    sourcedMetadata: { metadataMatcher: { filter: METADATA, path: [{ key: 'payload' }, { key: name }], value } },
  })
  const without = (name: string): unknown => ({ notId: claim(name, { presentMatch: true }) })
  const ids = [
    claim('ver', { stringMatch: { exact: '2.0' } }),
    claim('tid', { stringMatch: { exact: TENANT } }),
    claim('oid', { stringMatch: { safeRegex: { regex: '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' } } }),
    ...['_claim_names', 'hasgroups', 'cnf', 'nonce', 'at_hash', 'c_hash', 'xms_act_fct', 'xms_sub_fct'].map(without),
  ]
  return {
    name: 'tokens',
    typedConfig: {
      '@type': `${TYPE}.filters.http.rbac.v3.RBAC`,
      rules: {
        action: 'ALLOW',
        policies: { good: { permissions: [{ any: true }], principals: [{ andIds: { ids } }], condition: timely() } },
      },
    },
  }
}

/** `payload.iat <= now + 30 && payload.exp - payload.iat <= 29 h`, as Envoy wants it. */
function timely(): unknown {
  let id = 0
  const node = (kind: string, value: unknown): unknown => ({ id: String(++id), [kind]: value })
  const call = (name: string, ...args: readonly unknown[]): unknown => node('callExpr', { function: name, args })
  const text = (stringValue: string): unknown => node('constExpr', { stringValue })
  const number = (doubleValue: number): unknown => node('constExpr', { doubleValue })
  const select = (name: string, field: string): unknown => node('selectExpr', { operand: node('identExpr', { name }), field })
  const claim = (name: string): unknown =>
    call('_[_]', call('_[_]', call('_[_]', select('metadata', 'filter_metadata'), text(METADATA)), text('payload')), text(name))
  const now = call('double', call('int', select('request', 'time')))
  return call(
    '_&&_',
    call('_<=_', claim('iat'), call('_+_', now, number(30))),
    call('_<=_', call('_-_', claim('exp'), claim('iat')), number(MAX_LIFE)),
  )
}

function rbac(): unknown {
  const policies = Object.fromEntries(RULES.map((rule) => [rule.id, { permissions: [permission(rule)], principals: [principal(rule)] }]))
  return { name: 'rbac', typedConfig: { '@type': `${TYPE}.filters.http.rbac.v3.RBAC`, rules: { action: 'ALLOW', policies } } }
}

function permission({ template }: Rule): unknown {
  const method = (exact: string): unknown => ({ header: { name: ':method', stringMatch: { exact } } })
  const path =
    template.includes('{') || template.includes('**')
      ? {
          uriTemplate: {
            name: 'template',
            typedConfig: {
              '@type': `${TYPE}.path.match.uri_template.v3.UriTemplateMatchConfig`,
              pathTemplate: template.replaceAll(/\{\w+\}/g, '*'),
            },
          },
        }
      : { urlPath: { path: { exact: template } } }
  return { andRules: { rules: [{ orRules: { rules: [method('GET'), method('HEAD')] } }, path] } }
}

function principal({ role }: Rule): unknown {
  return {
    sourcedMetadata: {
      metadataMatcher: {
        filter: METADATA,
        path: [{ key: 'payload' }, { key: 'roles' }],
        value: { listMatch: { oneOf: { stringMatch: { exact: role } } } },
      },
    },
  }
}
