/**
 * A policy as configuration of Envoy, in protobuf's JSON. Policy and keys are never in the listener, whose open connections would keep
 * what they began with: policies come with the routes (RDS), whom these let in at all and keys as extension configuration (ECDS), and what
 * has neither denies.
 */
import { FILTERS, HTTP, isAddress, RBAC, SERVER_SECRET, TYPE } from '../../envoy/filters.ts'
import { IDENTITY_HEADERS, saidOf, WRITTEN } from '../../envoy/identity.ts'
import { ANYBODY, CANONICAL, checkedOf, guardrailsOf, observedOf, observedRulesOf, rulesOf } from '../../envoy/policies.ts'
import { filterOf, metadataOf, routeCallersOf, type Callers } from '../../envoy/callers.ts'
import { OBSERVED, UNGRANTED } from '../../envoy/metadata.ts'
import type { Json, Policies } from '../../envoy/rbac.ts'
import { tokensOf } from '../../envoy/tokens.ts'
import type { NativeResource } from '../../policy/native/native.ts'
import type { RevocationTarget } from '../../store/revocations.ts'
import type { KeySets } from '../target.ts'
import { listenerOf } from './listener.ts'
import { revokedOf } from './revoked.ts'
import { leavesOf, type Leaf, type TreeLimits } from './tree.ts'

export { FILTERS } from '../../envoy/filters.ts'

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
  /** Whom routes that the Envoy may still have let in; default: nobody. */
  readonly formerCallers?: Callers
  /** From where on statements of one resource are told apart by how paths begin; default: where that pays. */
  readonly tree?: TreeLimits | undefined
}

/** Everything that one Envoy gets, by the kind of its resources. */
export interface EnvoyConfiguration {
  readonly clusters: readonly Json[]
  readonly listeners: readonly Json[]
  /** Each host has routes of its own, so that a changed rule sends those of one resource. */
  readonly scopes: readonly Json[]
  readonly routes: readonly Json[]
  readonly extensions: readonly Json[]
  readonly secrets: readonly Json[]
}

const ROUTE = `${TYPE}envoy.config.route.v3.Route`
const PATH_INPUT: Json = {
  name: 'path',
  typedConfig: { '@type': `${TYPE}envoy.type.matcher.v3.HttpRequestHeaderMatchInput`, headerName: ':path' },
}
const PER_CHECK = `${HTTP}.ext_authz.v3.ExtAuthzPerRoute`

/** @param routeOf What makes the routes of a resource, for whoever keeps what was made */
export function emitEnvoy(input: EnvoyInput, routeOf: RouteOf = routeConfigurationOf): EnvoyConfiguration {
  const { resources, keys, tls, checks, tree, revoked = [] } = input
  const native = resources.filter(({ delegated }) => delegated !== true)
  const issuers = [...new Map(native.flatMap((one) => one.native.issuers.map((issuer) => [issuer.form, issuer] as const))).values()]
  return {
    clusters: resources.map(clusterOf),
    listeners: [listenerOf(input)],
    scopes: resources.flatMap(({ native: { name: resource }, hosts }) =>
      hosts.map((host) => ({ name: host, routeConfigurationName: resource, key: { fragments: [{ stringKey: host }] } })),
    ),
    routes: resources.map((one) => routeOf(one, checks, tree)),
    extensions: [
      {
        name: FILTERS.tokens,
        typedConfig: tokensOf(
          native.map((one) => one.native),
          issuers,
          keys,
        ),
      },
      { name: FILTERS.revoked, typedConfig: revokedOf(issuers, revoked) },
      {
        name: FILTERS.callers,
        typedConfig: { '@type': RBAC, rules: filterOf(new Map([...(input.formerCallers ?? []), ...callersIn(resources)])) },
      },
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

/** Everybody whom routes of these resources let in. */
export function callersIn(resources: readonly EnvoyResource[]): Callers {
  return new Map(resources.flatMap(({ native, delegated }) => (delegated === true ? [] : [...routeCallersOf(native)])))
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

export type RouteOf = (resource: EnvoyResource, checks: string | undefined, tree?: TreeLimits) => Json

/** Routes of one resource, with what guards them. */
export function routeConfigurationOf(resource: EnvoyResource, checks: string | undefined, tree?: TreeLimits): Json {
  return { name: resource.native.name, virtualHosts: [virtualHostOf(resource, checks, tree)] }
}

function virtualHostOf(resource: EnvoyResource, checks: string | undefined, tree: TreeLimits | undefined): Json {
  const { native, hosts, forwardAuthorization, delegated } = resource
  const leaves = delegated === true ? undefined : leavesOf(native, tree)
  if (delegated === true && checks === undefined) throw new Error(`nobody could be asked about \`${native.name}\``)
  return {
    name: native.name,
    domains: hosts,
    ...(leaves === undefined ? { routes: [routeOf(resource)] } : { matcher: matcherOf(resource, leaves) }),
    requestHeadersToRemove: [
      // What the gateway writes when it is asked has been written by now, over whatever the caller sent.
      ...(delegated === true ? IDENTITY_HEADERS.filter((header) => !WRITTEN.has(header)) : IDENTITY_HEADERS),
      ...(forwardAuthorization ? [] : ['authorization']),
    ],
    ...(delegated === true
      ? { typedPerFilterConfig: askedOf(native.name) }
      : {
          requestHeadersToAdd: saidOf(native.issuers),
          typedPerFilterConfig: {
            [FILTERS.tokens]: { '@type': `${HTTP}.jwt_authn.v3.PerRouteConfig`, requirementName: native.name },
            ...(checks === undefined ? {} : { [FILTERS.checks]: { '@type': PER_CHECK, disabled: true } }),
            // Where there are leaves, each has its own, and a request that comes to none is denied by the listener.
            ...(leaves === undefined ? statementsOf(native) : {}),
          },
        }),
  }
}

function routeOf({ native, websocket, delegated }: EnvoyResource): Json {
  const { name } = native
  return {
    name,
    match: { prefix: '/' },
    ...(delegated === true ? {} : { metadata: metadataOf(routeCallersOf(native)) }),
    route: { cluster: name, timeout: '0s', ...(websocket ? { upgradeConfigs: [{ upgradeType: 'websocket' }] } : {}) },
  }
}

/** The longest beginning that a path has decides. It never holds a question mark, so that the query, which stands behind the path there, makes no difference. */
function matcherOf(resource: EnvoyResource, leaves: readonly Leaf[]): Json {
  const map = Object.fromEntries(
    leaves.map(({ prefix, native }) => [
      prefix,
      { action: { name: 'route', typedConfig: { '@type': ROUTE, ...routeOf(resource), typedPerFilterConfig: statementsOf(native) } } },
    ]),
  )
  return { matcherTree: { input: PATH_INPUT, prefixMatchMap: { map } } }
}

function statementsOf(native: NativeResource): Json {
  const observed = observedOf(native)
  const granting = observedRulesOf(native)
  return {
    [FILTERS.guardrails]: perRoute('DENY', guardrailsOf(native), observed.length === 0 ? undefined : [OBSERVED.prefix, observed]),
    [FILTERS.rules]: perRoute('ALLOW', rulesOf(native), granting && [UNGRANTED.prefix, granting]),
  }
}

/** Each request is put to the gateway. Should the filter that asks ever be missing, nothing passes the last one. */
function askedOf(resource: string): Json {
  return {
    [FILTERS.tokens]: { '@type': `${HTTP}.jwt_authn.v3.PerRouteConfig`, disabled: true },
    [FILTERS.callers]: perRoute('ALLOW', [['canonical', { permissions: [CANONICAL], principals: [ANYBODY] }]]),
    [FILTERS.guardrails]: perRoute('DENY', []),
    [FILTERS.checks]: { '@type': PER_CHECK, checkSettings: { contextExtensions: { resource }, disableRequestBodyBuffering: true } },
    [FILTERS.rules]: perRoute('ALLOW', [['checked', { permissions: [checkedOf(resource)], principals: [ANYBODY] }]]),
  }
}

/** @param observed What would decide, with the prefix of what Envoy says of that */
function perRoute(action: 'ALLOW' | 'DENY', policies: Policies, observed?: readonly [prefix: string, policies: Policies]): Json {
  const shadow =
    observed === undefined ? {} : { shadowRules: { action, policies: byName(observed[1]) }, shadowRulesStatPrefix: observed[0] }
  return { '@type': `${HTTP}.rbac.v3.RBACPerRoute`, rbac: { rules: { action, policies: byName(policies) }, ...shadow } }
}

function byName(policies: Policies): Json {
  const made = Object.fromEntries(policies)
  // Of two with one name, one would be lost.
  if (Object.keys(made).length < policies.length) throw new Error('two policies have the same name')
  return made
}

/** The same as one file that an Envoy without a control plane can be started with: then policies and keys change by a restart alone. */
export function asStatic({ clusters, listeners, scopes, routes, extensions, secrets }: EnvoyConfiguration): Json {
  const found = (all: readonly Json[], name: unknown): Json => all.find((one) => one['name'] === name)!
  const scopedRouteConfigurations = scopes.map(({ routeConfigurationName, ...scope }) => ({
    ...scope,
    routeConfiguration: found(routes, routeConfigurationName),
  }))
  const inline = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inline)
    if (typeof value !== 'object' || value === null) return value
    const { scopedRds, rdsConfigSource: _, configDiscovery, sdsConfig: __, ...rest } = value as Json
    const copy = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, inline(one)]))
    if (scopedRds !== undefined) return { ...copy, scopedRouteConfigurationsList: { scopedRouteConfigurations } }
    return configDiscovery === undefined ? copy : { ...copy, typedConfig: found(extensions, rest['name'])['typedConfig'] }
  }
  return { staticResources: { listeners: listeners.map(inline), clusters, ...(secrets.length === 0 ? {} : { secrets }) } }
}
