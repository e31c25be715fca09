/** `action: CUSTOM`: an `rbac` filter that only marks, and an `ext_authz` filter that asks about what is marked. */
import { isDryRun, RBAC_NAMES, rbacFilter, rulesOf, type Chain } from './authorization.ts'
import { textMatcher } from './matchers.ts'
import type { Mesh, Workload } from './mesh.ts'
import type { AuthorizationPolicy, Json, NamedFilter } from './types.ts'

interface Common {
  /** `namespace/host`, or `host`. */
  readonly service: string
  readonly port: number
  /** Of protobuf's JSON, such as `0.5s`. */
  readonly timeout?: string
  readonly failOpen?: boolean
  readonly clearRouteCache?: boolean
  readonly statusOnError?: string
  readonly includeRequestBodyInCheck?: {
    readonly maxRequestBytes?: number
    readonly allowPartialMessage?: boolean
    readonly packAsBytes?: boolean
  }
}

export interface ExtAuthzHttp extends Common {
  readonly pathPrefix?: string
  readonly includeRequestHeadersInCheck?: readonly string[]
  /** Deprecated, and read where the other one isn't set. */
  readonly includeHeadersInCheck?: readonly string[]
  readonly includeAdditionalHeadersInCheck?: Readonly<Record<string, string>>
  readonly headersToUpstreamOnAllow?: readonly string[]
  readonly headersToDownstreamOnDeny?: readonly string[]
  readonly headersToDownstreamOnAllow?: readonly string[]
}

/** One of `MeshConfig.extensionProviders`, of those that authorize. */
export type ExtensionProvider =
  | { readonly name: string; readonly envoyExtAuthzGrpc: Common }
  | { readonly name: string; readonly envoyExtAuthzHttp: ExtAuthzHttp }

const TYPE = 'type.googleapis.com/envoy.extensions.filters'
/** What the names of marked policies begin with. */
export const MARK = 'istio-ext-authz'
export const MARK_KEY = 'istio_ext_authz_shadow_effective_policy_id'
const BAD = '-deny-due-to-bad-CUSTOM-action'

/** Names of Envoy's `StatusCode`, which protobuf's JSON has instead of numbers. */
const STATUS: Readonly<Record<number, string>> = Object.fromEntries(
  (
    '100 Continue,200 OK,201 Created,202 Accepted,203 NonAuthoritativeInformation,204 NoContent,205 ResetContent,206 PartialContent,' +
    '207 MultiStatus,208 AlreadyReported,226 IMUsed,300 MultipleChoices,301 MovedPermanently,302 Found,303 SeeOther,304 NotModified,' +
    '305 UseProxy,307 TemporaryRedirect,308 PermanentRedirect,400 BadRequest,401 Unauthorized,402 PaymentRequired,403 Forbidden,' +
    '404 NotFound,405 MethodNotAllowed,406 NotAcceptable,407 ProxyAuthenticationRequired,408 RequestTimeout,409 Conflict,410 Gone,' +
    '411 LengthRequired,412 PreconditionFailed,413 PayloadTooLarge,414 URITooLong,415 UnsupportedMediaType,416 RangeNotSatisfiable,' +
    '417 ExpectationFailed,421 MisdirectedRequest,422 UnprocessableEntity,423 Locked,424 FailedDependency,426 UpgradeRequired,' +
    '428 PreconditionRequired,429 TooManyRequests,431 RequestHeaderFieldsTooLarge,500 InternalServerError,501 NotImplemented,' +
    '502 BadGateway,503 ServiceUnavailable,504 GatewayTimeout,505 HTTPVersionNotSupported,506 VariantAlsoNegotiates,' +
    '507 InsufficientStorage,508 LoopDetected,510 NotExtended,511 NetworkAuthenticationRequired'
  )
    .split(',')
    .map((each) => each.split(' '))
    .map(([code, name]) => [Number(code), name!]),
)

/** Filters of what is asked elsewhere. Where that can't be, what would have been asked about is denied. */
export function customFilters(
  policies: readonly AuthorizationPolicy[],
  workload: Workload,
  mesh: Mesh,
  chain: Chain,
): readonly NamedFilter[] {
  const names = [...new Set(policies.filter(({ action }) => action === 'CUSTOM').map(({ provider }) => provider ?? ''))].toSorted()
  const areTooMany = names.length > 1 && !mesh.severalProviders
  return names.flatMap((name) => {
    const of = policies.filter(({ action, provider }) => action === 'CUSTOM' && (provider ?? '') === name)
    const prefix = `${MARK}-${name === '' ? '' : `${name}-`}`
    const rules = rulesOf(
      of.filter((policy) => !isDryRun(policy)),
      'CUSTOM',
      prefix,
      workload,
      mesh,
      chain,
    )
    const tried = rulesOf(of.filter(isDryRun), 'CUSTOM', prefix, workload, mesh, chain)
    const provider = areTooMany ? undefined : providerOf(mesh, name)
    if (provider === undefined) return [rbacFilter(chain, { rules: denied(rules) })]
    const asking = askingFilter(provider, name, chain)
    // There is no asking about a connection by HTTP, and Istio then leaves it be.
    if (asking === undefined) return []
    return [
      rbacFilter(chain, {
        ...('policies' in tried ? { rules: tried } : {}),
        shadowRules: rules,
        shadowRulesStatPrefix: 'istio_ext_authz_',
      }),
      asking,
    ]
  })
}

function denied(rules: Json): Json {
  const policies = Object.entries((rules['policies'] ?? {}) as Json).map(([name, policy]) => [`${name}${BAD}`, policy] as const)
  return { action: 'DENY', ...(policies.length === 0 ? {} : { policies: Object.fromEntries(policies) }) }
}

interface Reached {
  readonly provider: ExtensionProvider
  readonly hostname: string
  readonly cluster: string
}

/** @returns undefined for one that is missing or can't be used */
function providerOf({ extensionProviders }: Mesh, name: string): Reached | undefined {
  const found = extensionProviders.filter((each) => each.name === name)
  const [provider] = found
  if (name === '' || provider === undefined || found.length > 1) return undefined
  const config = 'envoyExtAuthzGrpc' in provider ? provider.envoyExtAuthzGrpc : provider.envoyExtAuthzHttp
  const { service, port, statusOnError = '' } = config
  const match = /^(?:[^/]+\/)?([^/*\s]+)$/.exec(service)
  if (match === null || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined
  if (statusOnError !== '' && !(/^[0-9]+$/.test(statusOnError) && Object.hasOwn(STATUS, Number(statusOnError)))) return undefined
  if ('envoyExtAuthzHttp' in provider && !isUsable(provider.envoyExtAuthzHttp)) return undefined
  const hostname = match[1]!
  return { provider, hostname, cluster: `outbound|${port}||${hostname}` }
}

function isUsable(config: ExtAuthzHttp): boolean {
  if (config.pathPrefix !== undefined && config.pathPrefix !== '' && !config.pathPrefix.startsWith('/')) return false
  return [
    config.includeRequestHeadersInCheck,
    config.includeHeadersInCheck,
    config.headersToUpstreamOnAllow,
    config.headersToDownstreamOnDeny,
    config.headersToDownstreamOnAllow,
  ].every((headers) => !headers?.includes('*'))
}

function askingFilter({ provider, hostname, cluster }: Reached, name: string, chain: Chain): NamedFilter | undefined {
  const isGrpc = 'envoyExtAuthzGrpc' in provider
  const config: Common = isGrpc ? provider.envoyExtAuthzGrpc : provider.envoyExtAuthzHttp
  const { timeout = '600s', failOpen, statusOnError = '', clearRouteCache, includeRequestBodyInCheck: body } = config
  const grpcService = { envoyGrpc: { authority: hostname, clusterName: cluster }, timeout }
  const common = {
    ...(failOpen ? { failureModeAllow: true } : {}),
    transportApiVersion: 'V3',
    filterEnabledMetadata: {
      filter: RBAC_NAMES[chain].name,
      path: [{ key: MARK_KEY }],
      value: { stringMatch: { prefix: `${MARK}-${name}` } },
    },
  }
  if (chain === 'tcp')
    return isGrpc
      ? {
          name: 'envoy.filters.network.ext_authz',
          typedConfig: { '@type': `${TYPE}.network.ext_authz.v3.ExtAuthz`, statPrefix: 'tcp.', grpcService, ...common },
        }
      : undefined
  return {
    name: 'envoy.filters.http.ext_authz',
    typedConfig: {
      '@type': `${TYPE}.http.ext_authz.v3.ExtAuthz`,
      ...common,
      ...(statusOnError === '' ? {} : { statusOnError: { code: STATUS[Number(statusOnError)] } }),
      ...(clearRouteCache ? { clearRouteCache } : {}),
      ...(body === undefined ? {} : { withRequestBody: onlySet({ ...body }) }),
      ...(isGrpc ? { grpcService } : httpService(provider.envoyExtAuthzHttp, hostname, cluster, timeout)),
    },
  }
}

function httpService(config: ExtAuthzHttp, hostname: string, cluster: string, timeout: string): Json {
  const asked = config.includeRequestHeadersInCheck?.length ? config.includeRequestHeadersInCheck : config.includeHeadersInCheck
  const added = Object.entries(config.includeAdditionalHeadersInCheck ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({ key, value }))
  const answered = onlySet({
    allowedUpstreamHeaders: patterns(config.headersToUpstreamOnAllow),
    allowedClientHeaders: patterns(config.headersToDownstreamOnDeny),
    allowedClientHeadersOnSuccess: patterns(config.headersToDownstreamOnAllow),
  })
  return {
    ...onlySet({ allowedHeaders: patterns(asked) }),
    httpService: {
      ...onlySet({ pathPrefix: config.pathPrefix }),
      serverUri: { uri: `http://${hostname}`, cluster, timeout },
      ...(added.length === 0 ? {} : { authorizationRequest: { headersToAdd: added } }),
      ...(Object.keys(answered).length === 0 ? {} : { authorizationResponse: answered }),
    },
  }
}

function patterns(names: readonly string[] | undefined): Json | undefined {
  return names?.length ? { patterns: names.map((name) => ({ ...textMatcher(name), ignoreCase: true })) } : undefined
}

/** Protobuf's JSON leaves out what is as it would be anyway. */
function onlySet(values: Json): Json {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined && value !== false && value !== 0 && value !== ''),
  )
}
