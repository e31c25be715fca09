/**
 * A policy as configuration of Envoy, in protobuf's JSON. Policy and keys are never in the listener, whose open connections would keep
 * what they began with: policies come with the routes (RDS), keys as extension configuration (ECDS), and what has neither denies.
 */
import { ALWAYS, any, type NativeIssuer } from '../../core/token.ts'
import { CHECKED, IDENTITY, PARTS } from '../../envoy/metadata.ts'
import {
  bothPermissions,
  eitherPermission,
  noPermission,
  permissionAbout,
  permissionOf,
  policiesOf,
  type Json,
  type Policies,
} from '../../envoy/rbac.ts'
import { NOBODY, type NativeResource } from '../../policy/native/native.ts'
import type { KeySets } from '../target.ts'
import type { RevocationTarget } from '../../store/revocations.ts'
import { FILTERS, HTTP, isAddress, JWT, SERVER_SECRET, TYPE } from './filters.ts'
import { listenerOf } from './listener.ts'
import { revokedOf } from './revoked.ts'

export { FILTERS } from './filters.ts'

/** One resource with what of it isn't policy. */
export interface EnvoyResource {
  readonly native: NativeResource
  /** Whether the gateway is asked about each request, and nothing of its policy is told to Envoy. */
  readonly delegated?: boolean
  readonly hosts: readonly string[]
  readonly upstream: EnvoyUpstream
  readonly websocket: boolean
  readonly forwardAuthorization: boolean
}

export interface EnvoyUpstream {
  readonly host: string
  readonly port: number
  /** `ca`: PEM; undefined for the authorities of the Envoy's machine. */
  readonly tls: { readonly serverName: string; readonly ca: string | undefined } | undefined
  readonly http2: boolean
  /** Milliseconds. */
  readonly connectTimeout: number
}

export interface EnvoyInput {
  readonly name: string
  readonly address: { readonly host: string; readonly port: number }
  readonly resources: readonly EnvoyResource[]
  readonly keys: KeySets
  /** What the listener shows to callers, as PEM; undefined for no TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  /** Name of the cluster that takes access logs; undefined for none. */
  readonly logs: string | undefined
  /** What was revoked; default: nothing. */
  readonly revoked?: readonly RevocationTarget[]
  /** Longest life of a request or an upgraded connection, in milliseconds; default: an hour. */
  readonly maxDuration?: number
  /** Name of the cluster where the gateway is asked about delegated resources; undefined for nowhere. */
  readonly checks?: string | undefined
}

/** Everything that one Envoy gets, by the kind of its resources. */
export interface EnvoyConfiguration {
  readonly clusters: readonly Json[]
  readonly listeners: readonly Json[]
  readonly routes: readonly Json[]
  readonly extensions: readonly Json[]
  readonly secrets: readonly Json[]
}

const PER_CHECK = `${HTTP}.ext_authz.v3.ExtAuthzPerRoute`

/**
 * Paths as they are forwarded: what RFC 3986 allows in a segment stands plain, and nothing else does but an escape in upper case that
 * stands for neither a plain character nor a separator nor a control character. So a template is compared with one spelling only.
 */
const ESCAPES = '%(?:2[0235]|3[CEF]|5[BDE]|60|7[BCD]|[89A-F][0-9A-F])'
export const CANONICAL_PATH = `/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|${ESCAPES})*`

export function emitEnvoy(input: EnvoyInput): EnvoyConfiguration {
  const { name, resources, keys, tls, checks, revoked = [] } = input
  const native = resources.filter(({ delegated }) => delegated !== true)
  const issuers = [...new Map(native.flatMap((one) => one.native.issuers.map((issuer) => [issuer.form, issuer] as const))).values()]
  return {
    clusters: resources.map(clusterOf),
    listeners: [listenerOf(input)],
    routes: [{ name, virtualHosts: resources.map((one) => virtualHostOf(one, checks)) }],
    extensions: [
      { name: FILTERS.tokens, typedConfig: tokensOf(native, issuers, keys) },
      { name: FILTERS.revoked, typedConfig: revokedOf(issuers, revoked) },
    ],
    secrets:
      tls === undefined
        ? []
        : [
            {
              name: SERVER_SECRET,
              tlsCertificate: { certificateChain: { inlineString: tls.cert }, privateKey: { inlineString: tls.key } },
            },
          ],
  }
}

/** What verifies tokens: each resource lets in those of its issuers, and nobody's. */
function tokensOf(resources: readonly EnvoyResource[], issuers: readonly NativeIssuer[], keys: KeySets): Json {
  return {
    '@type': JWT,
    providers: Object.fromEntries(issuers.map((issuer) => [issuer.form, providerOf(issuer, keys.get(issuer.form))])),
    requirementMap: Object.fromEntries(resources.map(({ native }) => [native.name, requirementOf(native.issuers)])),
  }
}

function providerOf({ form, iss, audiences }: NativeIssuer, keys: string | undefined): Json {
  // To Envoy, none named means any.
  if (audiences.length === 0) throw new Error(`tokens of \`${form}\` have no audience`)
  return {
    issuer: iss,
    audiences,
    localJwks: { inlineString: keys ?? '{"keys":[]}' },
    requireExpiration: true,
    clockSkewSeconds: 30,
    forward: true,
    // Named, because by default a token in the query counts as well.
    fromHeaders: [{ name: 'authorization', valuePrefix: 'Bearer ' }],
    payloadInMetadata: PARTS.payload,
    headerInMetadata: PARTS.header,
    jwtCacheConfig: { jwtCacheSize: 1000, jwtMaxTokenSize: 16_384 },
  }
}

function requirementOf(issuers: readonly NativeIssuer[]): Json {
  if (issuers.length === 0) return { allowMissing: {} }
  return { requiresAny: { requirements: [...issuers.map(({ form }) => ({ providerName: form })), { allowMissing: {} }] } }
}

function clusterOf({ native, upstream }: EnvoyResource): Json {
  const { host, port, tls, http2, connectTimeout } = upstream
  return {
    name: native.name,
    type: isAddress(host) ? 'STATIC' : 'STRICT_DNS',
    connectTimeout: `${connectTimeout / 1000}s`,
    loadAssignment: {
      clusterName: native.name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: host, portValue: port } } } }] }],
    },
    ...(http2
      ? {
          typedExtensionProtocolOptions: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': `${TYPE}envoy.extensions.upstreams.http.v3.HttpProtocolOptions`,
              explicitHttpConfig: { http2ProtocolOptions: {} },
            },
          },
        }
      : {}),
    ...(tls === undefined
      ? {}
      : {
          transportSocket: {
            name: 'envoy.transport_sockets.tls',
            typedConfig: {
              '@type': `${TYPE}envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
              sni: tls.serverName,
              commonTlsContext: {
                validationContext: {
                  trustedCa: tls.ca === undefined ? { filename: '/etc/ssl/certs/ca-certificates.crt' } : { inlineString: tls.ca },
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

/** Headers by which somebody could tell the upstream who calls. */
const IDENTITY_HEADERS = [
  'ostiary-decision',
  'ostiary-assertion',
  'ostiary-issuer',
  'ostiary-subject',
  'ostiary-tenant',
  'ostiary-object',
  'ostiary-kind',
  'ostiary-roles',
  'x-forwarded-user',
  'x-forwarded-email',
  'x-forwarded-groups',
  'x-forwarded-preferred-username',
  'x-forwarded-access-token',
  'x-auth-request-user',
  'x-auth-request-email',
  'x-auth-request-groups',
  'x-auth-request-access-token',
  'x-remote-user',
  'remote-user',
  'x-user',
  'x-original-url',
  'x-rewrite-url',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
] as const

const says = (header: string, path: string): Json => ({
  header: { key: header, value: `%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:${path})%` },
  appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD',
  keepEmptyValue: false,
})

function virtualHostOf(resource: EnvoyResource, checks: string | undefined): Json {
  const { native, hosts, websocket, forwardAuthorization, delegated } = resource
  if (delegated === true && checks === undefined) throw new Error(`nobody could be asked about \`${native.name}\``)
  return {
    name: native.name,
    domains: hosts,
    routes: [
      {
        name: native.name,
        match: { prefix: '/' },
        route: { cluster: native.name, timeout: '0s', ...(websocket ? { upgradeConfigs: [{ upgradeType: 'websocket' }] } : {}) },
      },
    ],
    requestHeadersToRemove: [
      // What the gateway writes when it is asked has been written by now, over whatever the caller sent.
      ...(delegated === true ? IDENTITY_HEADERS.filter((header) => !WRITTEN.has(header)) : IDENTITY_HEADERS),
      ...(forwardAuthorization ? [] : ['authorization']),
    ],
    ...(delegated === true
      ? { typedPerFilterConfig: askedOf(native.name) }
      : {
          requestHeadersToAdd: [...new Set(['iss', ...native.issuers.flatMap(({ subject }) => subject)])].map((claim) =>
            says(IDENTITY[claim] ?? `ostiary-${claim}`, claim),
          ),
          typedPerFilterConfig: {
            [FILTERS.tokens]: { '@type': `${HTTP}.jwt_authn.v3.PerRouteConfig`, requirementName: native.name },
            [FILTERS.callers]: perRoute('ALLOW', callersOf(native)),
            [FILTERS.guardrails]: perRoute('DENY', guardrailsOf(native)),
            ...(checks === undefined ? {} : { [FILTERS.checks]: { '@type': PER_CHECK, disabled: true } }),
            [FILTERS.rules]: perRoute('ALLOW', rulesOf(native)),
          },
        }),
  }
}

const WRITTEN: ReadonlySet<string> = new Set([...Object.values(IDENTITY), 'ostiary-decision'])

/** Each request is put to the gateway. Should the filter that asks ever be missing, nothing passes the last one. */
function askedOf(resource: string): Json {
  const answered: Json = {
    sourcedMetadata: {
      metadataMatcher: { filter: CHECKED.filter, path: [{ key: CHECKED.key }], value: { stringMatch: { exact: resource } } },
    },
  }
  return {
    [FILTERS.tokens]: { '@type': `${HTTP}.jwt_authn.v3.PerRouteConfig`, disabled: true },
    [FILTERS.callers]: perRoute('ALLOW', [['canonical', { permissions: [CANONICAL], principals: [ANYBODY] }]]),
    [FILTERS.guardrails]: perRoute('DENY', []),
    [FILTERS.checks]: { '@type': PER_CHECK, checkSettings: { contextExtensions: { resource }, disableRequestBodyBuffering: true } },
    [FILTERS.rules]: perRoute('ALLOW', [['checked', { permissions: [answered], principals: [ANYBODY] }]]),
  }
}

function perRoute(action: 'ALLOW' | 'DENY', policies: Policies): Json {
  const byName = Object.fromEntries(policies)
  // Of two with one name, one would be lost.
  if (Object.keys(byName).length < policies.length) throw new Error('two policies have the same name')
  return { '@type': `${HTTP}.rbac.v3.RBACPerRoute`, rbac: { rules: { action, policies: byName } } }
}

const CANONICAL: Json = bothPermissions(
  { urlPath: { path: { safeRegex: { regex: CANONICAL_PATH } } } },
  { header: { name: ':method', stringMatch: { safeRegex: { regex: '[^a-z]+' } } } },
)
const ANYBODY: Json = { any: true }
const HAS_CREDENTIAL: Json = { header: { name: 'authorization', presentMatch: true } }
/** One of them, and of the one scheme that was looked at. */
const ONE_TOKEN: Json = { header: { name: 'authorization', stringMatch: { safeRegex: { regex: 'Bearer [A-Za-z0-9_.-]+' } } } }

/** Who is let in at all, and with what request: a bad credential is refused also where none is needed. */
function callersOf({ issuers }: NativeResource): Policies {
  return [
    ...policiesOf('nobody', bothPermissions(CANONICAL, noPermission(HAS_CREDENTIAL)), undefined, ALWAYS),
    ...issuers.flatMap((issuer) => policiesOf('token', bothPermissions(CANONICAL, ONE_TOKEN), issuer, issuer.credential)),
  ]
}

function rulesOf({ rules, issuers }: NativeResource): Policies {
  return rules.flatMap(({ id, patterns, applies }) =>
    [...applies].flatMap(([caller, formula]) => policiesOf(id, permissionOf(patterns), issuerOf(caller, issuers), formula)),
  )
}

/** No guardrail can have this name. */
const SCOPE = '(scope)'

function guardrailsOf({ guardrails, issuers, scopes }: NativeResource): Policies {
  const own = guardrails.flatMap(({ id, patterns, applies }) =>
    [...applies].flatMap(([caller, formula]) => policiesOf(id, permissionOf(patterns), issuerOf(caller, issuers), formula)),
  )
  if (scopes === undefined) return own
  const capped = [...scopes.capped].flatMap(([caller, formula]) => {
    const inScope = scopes.scopes.map(({ patterns, has }) =>
      bothPermissions(permissionOf(patterns), permissionAbout(has.get(caller) ?? any())),
    )
    return policiesOf(SCOPE, noPermission(eitherPermission(...inScope)), issuerOf(caller, issuers), formula)
  })
  return [...own, ...capped]
}

function issuerOf(name: string, issuers: readonly NativeIssuer[]): NativeIssuer | undefined {
  if (name === NOBODY) return undefined
  return issuers.find((issuer) => issuer.form === name)!
}

/** The same as one file that an Envoy without a control plane can be started with: then policies and keys change by a restart alone. */
export function asStatic({ clusters, listeners, routes, extensions, secrets }: EnvoyConfiguration): Json {
  const found = (all: readonly Json[], name: unknown): Json => all.find((one) => one['name'] === name)!
  const inline = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inline)
    if (typeof value !== 'object' || value === null) return value
    const { rds, configDiscovery, sdsConfig: _, ...rest } = value as Json
    const copy = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, inline(one)]))
    if (rds !== undefined) return { ...copy, routeConfig: found(routes, (rds as Json)['routeConfigName']) }
    return configDiscovery === undefined ? copy : { ...copy, typedConfig: found(extensions, rest['name'])['typedConfig'] }
  }
  return { staticResources: { listeners: listeners.map(inline), clusters, ...(secrets.length === 0 ? {} : { secrets }) } }
}
