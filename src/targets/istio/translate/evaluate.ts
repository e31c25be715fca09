/** What a proxy with the translated configuration answers to a request: the reference that an emitter and a real Envoy are held against. */
import { matchedPolicy, type EvaluatedRequest, type Regexes } from '../../../envoy/evaluate.ts'
import { shadowsOf } from '../../../envoy/evaluateshadow.ts'
import { JWT_METADATA } from './matchers.ts'
import { isInside } from './networks.ts'
import { readPath } from './paths.ts'
import { BEARER, metadataOf, verifyTokens, type ShownToken, type Verified } from './tokens.ts'
import type { Translated } from './translate.ts'
import type { Json, NamedFilter } from './types.ts'

/** What a connection is known by. */
export interface IstioConnection {
  /** URI in the certificate of the other end, or, at a waypoint, what the tunnel said of it; undefined for none. */
  readonly peer?: string
  /** Of the workload, not of its service. */
  readonly port?: number
  /** Addresses: of the connection, of the client as the proxy has it from `x-forwarded-for`, and of the workload. */
  readonly source?: string
  readonly remote?: string
  readonly destination?: string
  readonly serverName?: string
  /** What a provider of `extensionProviders` answers, by the name in its cluster. Default: no. */
  readonly asks?: (cluster: string) => boolean
}

export interface IstioRequest extends IstioConnection {
  readonly method: string
  /** As sent, with the query. */
  readonly path: string
  /** As sent, with a port if it has one. */
  readonly host: string
  /** Other fields, by their names in small letters; a list for several lines of one name. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly tokens?: readonly ShownToken[]
  /** What other filters left behind, each by its name. A filter that is asked about and isn't here isn't known. */
  readonly metadata?: Json
  /** Milliseconds since the epoch. */
  readonly time: number
}

export interface IstioVerdict {
  readonly allowed: boolean
  /** 200 where the request goes on; 0 for a connection, which is only closed. */
  readonly status: number
  /** Type of the filter that denied, `path` for the connection manager; undefined where none did. */
  readonly filter: 'path' | 'jwt_authn' | 'rbac' | 'ext_authz' | undefined
  /** Name of the policy that denied or, if the last filter is one of `ALLOW`, that allowed; undefined where none did. */
  readonly policy: string | undefined
}

/**
 * What a proxy says of policies that it only tries, by the key that it is left behind under.
 * @throws Error for what it doesn't know
 */
export function triedByIstio(translated: Translated, request: IstioRequest, regexes: Regexes): Readonly<Record<string, string>> {
  const tried: Record<string, string> = {}
  evaluateIstio(translated, request, regexes, (key, value) => {
    // What marks a request to be asked about elsewhere is none of them.
    if (key.startsWith('istio_dry_run_')) tried[key] = value
  })
  return tried
}

/** @param tried Called with what is said of policies that are only tried. @throws Error for what it doesn't know: then nothing is said. */
export function evaluateIstio(
  { http, connection }: Translated,
  request: IstioRequest,
  regexes: Regexes,
  tried?: (key: string, value: string) => void,
): IstioVerdict {
  const { commonHttpProtocolOptions } = connection as { commonHttpProtocolOptions?: { headersWithUnderscoresAction: string } }
  if (commonHttpProtocolOptions !== undefined && Object.keys(request.headers ?? {}).some((name) => name.includes('_')))
    return { allowed: false, status: 400, filter: 'path', policy: undefined }
  const read = readPath(request.path, connection)
  if (!('path' in read)) return { allowed: false, status: read.status, filter: 'path', policy: undefined }
  const shown = request.tokens ?? []
  let verified: Verified = { status: undefined, payload: undefined, removed: new Set(), fields: new Map() }
  const see = (filter: NamedFilter): Seen => {
    if (typeOf(filter) === 'JwtAuthentication')
      verified = verifyTokens(filter.typedConfig, shown, request.time, isUnverified(filter, request, read.path))
    const { payload, removed, fields, status } = verified
    const headers: Record<string, readonly string[]> = linesOf(request.headers)
    for (const { at = BEARER } of shown.filter((token) => !removed.has(token)))
      if (at.kind === 'header') headers[at.name.toLowerCase()] = [...(headers[at.name.toLowerCase()] ?? []), `${at.prefix}…`]
    for (const [name, lines] of fields) headers[name] = lines
    return {
      status,
      seen: {
        method: request.method,
        host: request.host,
        path: read.path,
        authorization: joined(headers['authorization']),
        upgrade: joined(headers['upgrade']),
        token: undefined,
        fields: headers,
        metadata: { ...request.metadata, [JWT_METADATA]: metadataOf(payload) },
        time: request.time,
      },
    }
  }
  return run(http, request, regexes, 403, see, tried)
}

/** As `evaluateIstio`, for a chain that doesn't speak HTTP. */
export function evaluateIstioTcp({ tcp }: Translated, connection: IstioConnection, regexes: Regexes): IstioVerdict {
  const seen = { method: '', host: '', path: '', authorization: undefined, upgrade: undefined, token: undefined, metadata: {}, time: 0 }
  return run(tcp, connection, regexes, 0, () => ({ status: undefined, seen }))
}

interface Seen {
  readonly status: 401 | 403 | undefined
  readonly seen: EvaluatedRequest
}

function run(
  filters: readonly NamedFilter[],
  connection: IstioConnection,
  regexes: Regexes,
  denied: 0 | 403,
  see: (filter: NamedFilter) => Seen,
  tried?: (key: string, value: string) => void,
): IstioVerdict {
  let mark: string | undefined
  let policy: string | undefined
  for (const filter of filters) {
    const { seen, status } = see(filter)
    const { rules, shadowRules } = filter.typedConfig as { readonly rules?: Json; readonly shadowRules?: Json }
    const request: EvaluatedRequest = { ...seen, ...connectionOf(connection) }
    for (const name of metadataAsked(filter))
      if (!Object.hasOwn(request.metadata ?? {}, name)) throw new Error(`what \`${name}\` left behind is not known`)
    switch (typeOf(filter)) {
      case 'JwtAuthentication':
        if (status !== undefined) return { allowed: false, status, filter: 'jwt_authn', policy: undefined }
        break
      case 'RBAC': {
        if (filter.typedConfig['shadowRulesStatPrefix'] === 'istio_ext_authz_' && shadowRules !== undefined)
          mark = matchedPolicy(shadowRules, request, regexes) ?? mark
        if (tried !== undefined && shadowRules !== undefined)
          for (const [key, value] of Object.entries(shadowsOf([['', { ...filter.typedConfig, rules: undefined }]], request, regexes)))
            tried(key, value)
        if (rules === undefined) break
        const matched = matchedPolicy(rules, request, regexes)
        const action = (rules['action'] ?? 'ALLOW') as string
        if (action === 'ALLOW') policy = matched
        if (action !== 'LOG' && (matched !== undefined) !== (action === 'ALLOW'))
          return { allowed: false, status: denied, filter: 'rbac', policy: matched }
        break
      }
      case 'ExtAuthz': {
        const cluster = askedCluster(filter.typedConfig, mark)
        if (cluster !== undefined && connection.asks?.(cluster) !== true)
          return { allowed: false, status: denied, filter: 'ext_authz', policy: mark }
        break
      }
      default:
        throw new Error(`\`${String(filter.typedConfig['@type'])}\` is not known`)
    }
  }
  return { allowed: true, status: denied === 0 ? 0 : 200, filter: undefined, policy }
}

const asked = new WeakMap<NamedFilter, readonly string[]>()

/** Filters whose metadata the rules of this one ask about. */
function metadataAsked(filter: NamedFilter): readonly string[] {
  const known = asked.get(filter)
  if (known !== undefined) return known
  const { rules, shadowRules } = filter.typedConfig
  const found = new Set<string>()
  JSON.stringify({ rules, shadowRules }, (key, value: unknown) => {
    if (key === 'metadata') found.add((value as { readonly filter: string }).filter)
    return value
  })
  asked.set(filter, [...found])
  return [...found]
}

function typeOf({ typedConfig }: NamedFilter): string {
  return (typedConfig['@type'] as string).split('.').at(-1)!
}

/** Fields that Envoy knows by itself: several lines of one are one line, with commas. Of all others each line stands for itself. */
const KNOWN_FIELDS = new Set(
  'accept,authorization,cache-control,connection,content-length,content-type,expect,grpc-timeout,keep-alive,origin,proxy-connection,referer,te,transfer-encoding,upgrade,user-agent,via,x-forwarded-client-cert,x-forwarded-for,x-forwarded-host,x-forwarded-proto,x-request-id'.split(
    ',',
  ),
)

function linesOf(headers: IstioRequest['headers'] = {}): Record<string, readonly string[]> {
  const lines = (name: string, value: string | readonly string[]): readonly string[] =>
    KNOWN_FIELDS.has(name)
      ? [
          [value]
            .flat()
            .filter((line) => line !== '')
            .join(','),
        ]
      : [value].flat()
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, lines(name, value)]))
}

function joined(lines: readonly string[] = []): string | undefined {
  return lines.length === 0 ? undefined : lines.join(',')
}

/** A preflight of CORS passes `jwt_authn` as it is, and so does what has no path. */
function isUnverified({ typedConfig }: NamedFilter, { method, headers = {} }: IstioRequest, path: string): boolean {
  const isPreflight =
    method === 'OPTIONS' &&
    Boolean(joined([headers['origin'] ?? []].flat())) &&
    Boolean(joined([headers['access-control-request-method'] ?? []].flat()))
  return (isPreflight && typedConfig['bypassCorsPreflight'] === true) || !path.startsWith('/')
}

/** The cluster that is asked; undefined where nothing marked the request for it. */
function askedCluster(config: Json, mark: string | undefined): string | undefined {
  const { filterEnabledMetadata, grpcService, httpService } = config as {
    readonly filterEnabledMetadata: { readonly value: { readonly stringMatch: { readonly prefix: string } } }
    readonly grpcService?: { readonly envoyGrpc: { readonly clusterName: string } }
    readonly httpService?: { readonly serverUri: { readonly cluster: string } }
  }
  if (mark === undefined || !mark.startsWith(filterEnabledMetadata.value.stringMatch.prefix)) return undefined
  return grpcService?.envoyGrpc.clusterName ?? httpService!.serverUri.cluster
}

function connectionOf({ peer, port, source, remote, destination, serverName }: IstioConnection): Partial<EvaluatedRequest> {
  const within = (address: string | undefined) =>
    address === undefined ? undefined : (addressPrefix: string, prefixLen: number) => isInside(address, { addressPrefix, prefixLen })
  return {
    peer: peer === undefined ? [] : [peer],
    filterState: peer === undefined ? {} : { 'io.istio.peer_principal': peer },
    ...(port === undefined ? {} : { port }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(source === undefined ? {} : { isFrom: within(source)! }),
    ...(destination === undefined ? {} : { isTo: within(destination)! }),
    isIn: within(remote ?? source) ?? unknown,
  }
}

function unknown(): never {
  throw new Error('the address of the client is not known')
}
