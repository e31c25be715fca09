/**
 * What a control plane makes of documents for the inbounds of one dataplane, and what an Envoy with those makes of a request: read from the
 * documents alone, after Kuma's published translation. It knows what it has to, and refuses everything else.
 */
import { parse } from 'yaml'
import { evaluateFilters, type Evaluated, type EvaluatedRequest, type Regexes } from '../../envoy/evaluate.ts'

type Json = { readonly [name: string]: unknown }

/** A dataplane as far as policies are matched with it. */
export interface EvaluatedDataplane {
  readonly mesh: string
  readonly labels: Readonly<Record<string, string>>
}

/** One inbound, with the listener that Kuma makes of it before policies change it. */
export interface EvaluatedInbound {
  readonly name?: string
  readonly port: number
  readonly listener: Json
}

export interface Translated {
  /** In the order of the inbounds. */
  readonly listeners: readonly Json[]
  /** Those that policies add. */
  readonly clusters: readonly Json[]
}

/**
 * @param withShadows Whether documents that are only tried count as well
 * @throws Error for documents that would break a proxy's configuration, or that it doesn't know
 */
export function translateKuma(
  documents: readonly Json[],
  dataplane: EvaluatedDataplane,
  inbounds: readonly EvaluatedInbound[],
  withShadows = false,
): Translated {
  const policies = documents
    .map(read)
    .filter(
      ({ mesh, spec, labels }) =>
        mesh === dataplane.mesh && selects(spec['targetRef'] as Json, dataplane) && (withShadows || labels['kuma.io/effect'] !== 'shadow'),
    )
  const ofKind = (kind: string): readonly Policy[] => policies.filter((one) => one.kind === kind)
  const permissions = ofKind('MeshTrafficPermission')
  const isStrict = ofKind('MeshTLS').some(({ spec }) => JSON.stringify(spec['rules'] ?? '').includes('"Strict"'))
  // Policies that change proxies come after all others, one after the other: of the same level, the one with the least name last.
  const modifications = ofKind('MeshProxyPatch')
    .toSorted((a, b) => (a.name > b.name ? -1 : 1))
    .flatMap(({ spec }) => (spec['default'] as Json)['appendModifications'] as readonly Json[])
    .map(readModification)
  const listeners = inbounds.map(({ name, port, listener }) => {
    const section = name ?? String(port)
    const rules = permissions.filter(({ spec }) => {
      const { sectionName } = spec['targetRef'] as Json
      return sectionName === undefined || sectionName === section
    })
    const permitted = withPermissions(isStrict ? withoutPlaintext(listener) : listener, rules, dataplane.mesh)
    return modifications.reduce(modified, permitted)
  })
  const clusters = modifications.flatMap(({ does, value }) => (does === 'cluster Add' ? [value] : []))
  return { listeners, clusters }
}

interface Policy {
  readonly kind: string
  readonly mesh: string
  readonly name: string
  readonly labels: Json
  readonly spec: Json
}

/** Both forms of a document. */
function read(document: Json): Policy {
  if ('type' in document)
    return {
      kind: document['type'] as string,
      mesh: document['mesh'] as string,
      name: document['name'] as string,
      labels: (document['labels'] ?? {}) as Json,
      spec: document['spec'] as Json,
    }
  const metadata = document['metadata'] as Json
  return {
    kind: document['kind'] as string,
    mesh: (metadata['labels'] as Json)['kuma.io/mesh'] as string,
    name: metadata['name'] as string,
    labels: metadata['labels'] as Json,
    spec: document['spec'] as Json,
  }
}

function selects({ kind, labels }: Json, dataplane: EvaluatedDataplane): boolean {
  if (kind === 'Mesh') return true
  if (kind !== 'Dataplane') throw new Error(`\`${String(kind)}\` is not known`)
  return Object.entries(labels as Json).every(([key, value]) => dataplane.labels[key] === value)
}

const MANAGER = 'envoy.filters.network.http_connection_manager'
const RBAC = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC'
const JWT = 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication'

function withoutPlaintext(listener: Json): Json {
  return { ...listener, filterChains: (listener['filterChains'] as readonly Json[]).filter((chain) => 'transportSocket' in chain) }
}

/** Where the mesh has no TLS there are no permissions; where it has, whoever isn't permitted is denied. */
function withPermissions(listener: Json, policies: readonly Policy[], mesh: string): Json {
  const rules = policies.flatMap(({ spec }) => (spec['rules'] ?? []) as readonly Json[]).map((one) => one['default'] as Json)
  const from = policies.flatMap(({ spec }) => (spec['from'] ?? []) as readonly Json[])
  const matched = (lists: readonly string[]): readonly Json[] =>
    rules.flatMap((rule) => lists.flatMap((list) => (rule[list] ?? []) as readonly Json[])).map(principalOf)
  const denied = matched(['deny'])
  // Of both forms, one is dropped: that of services.
  const allowed = rules.length > 0 ? matched(['allow', 'allowWithShadowDeny']) : from.flatMap((one) => serviceOf(one, mesh))
  const filters = [
    { name: 'envoy.filters.http.rbac.deny', typedConfig: rbac('DENY', denied) },
    { name: 'envoy.filters.http.rbac', typedConfig: rbac('ALLOW', allowed) },
  ]
  return inManagers(listener, (manager, chain) =>
    'transportSocket' in chain ? { ...manager, httpFilters: [...filters, ...(manager['httpFilters'] as readonly Json[])] } : manager,
  )
}

function rbac(action: string, principals: readonly Json[]): Json {
  const policies = principals.length === 0 ? {} : { MeshTrafficPermission: { permissions: [{ any: true }], principals } }
  return { '@type': RBAC, rules: { action, policies } }
}

function principalOf({ spiffeID }: Json): Json {
  const { type, value } = spiffeID as Json
  if (type !== 'Exact' && type !== 'Prefix') throw new Error(`\`${String(type)}\` is not known`)
  return { authenticated: { principalName: type === 'Exact' ? { exact: value } : { prefix: value } } }
}

function serviceOf({ targetRef, default: how }: Json, mesh: string): readonly Json[] {
  const { kind, tags } = targetRef as Json
  const { action } = how as Json
  if (kind !== 'MeshSubset') throw new Error(`\`${String(kind)}\` is not known`)
  if (action !== 'Allow') throw new Error(`\`${String(action)}\` is not known`)
  return [{ authenticated: { principalName: { exact: `spiffe://${mesh}/${String((tags as Json)['kuma.io/service'])}` } } }]
}

interface Modification {
  /** `httpFilter AddBefore` */
  readonly does: string
  readonly match: Json
  readonly value: Json
}

/** Values are read by the older YAML. */
function readModification(modification: Json): Modification {
  const [kind, inner] = Object.entries(modification)[0]!
  const { operation, match = {}, value } = inner as Json
  return {
    does: `${kind} ${String(operation)}`,
    match: match as Json,
    value: value === undefined ? {} : (parse(value as string, { version: '1.1' }) as Json),
  }
}

/** What matches nothing changes nothing, and nobody is told. */
function modified(listener: Json, { does, match, value }: Modification): Json {
  const { origin, name, listenerName } = match
  if (origin !== undefined && origin !== 'inbound') return listener
  if (listenerName !== undefined && listenerName !== listener['name']) return listener
  switch (does) {
    case 'cluster Add':
      return listener
    case 'networkFilter Patch':
      return mapped(listener, (filter) => (filter['name'] === name ? (merged(filter, value) as Json) : filter))
    case 'httpFilter AddFirst':
      return inHttpFilters(listener, (all) => [value, ...all])
    case 'httpFilter AddBefore':
      return inHttpFilters(listener, (all) => all.flatMap((one) => (one['name'] === name ? [value, one] : [one])))
    case 'httpFilter Remove':
      return inHttpFilters(listener, (all) => all.filter((one) => one['name'] !== name))
    case 'virtualHost Patch':
      return inManagers(listener, (manager) => {
        const routes = manager['routeConfig'] as Json
        const virtualHosts = (routes['virtualHosts'] as readonly Json[]).map((one) => merged(one, value))
        return { ...manager, routeConfig: { ...routes, virtualHosts } }
      })
    default:
      throw new Error(`\`${does}\` is not known`)
  }
}

function mapped(listener: Json, change: (filter: Json, chain: Json) => Json): Json {
  const filterChains = (listener['filterChains'] as readonly Json[]).map((chain) => ({
    ...chain,
    filters: (chain['filters'] as readonly Json[]).map((filter) => change(filter, chain)),
  }))
  return { ...listener, filterChains }
}

function inManagers(listener: Json, change: (manager: Json, chain: Json) => Json): Json {
  return mapped(listener, (filter, chain) =>
    filter['name'] === MANAGER ? { ...filter, typedConfig: change(filter['typedConfig'] as Json, chain) } : filter,
  )
}

function inHttpFilters(listener: Json, change: (filters: readonly Json[]) => readonly Json[]): Json {
  return inManagers(listener, (manager) => ({ ...manager, httpFilters: change(manager['httpFilters'] as readonly Json[]) }))
}

/** Messages are merged, lists made longer, and all else replaced. Merging two types of message breaks the proxy. */
function merged(into: unknown, from: unknown): unknown {
  if (Array.isArray(into) && Array.isArray(from)) return [...(into as unknown[]), ...(from as unknown[])]
  if (!isMessage(into) || !isMessage(from)) return from
  if (into['@type'] !== undefined && into['@type'] !== from['@type']) throw new Error('two types of message were merged')
  const all = [...Object.entries(into), ...Object.entries(from)]
  return Object.fromEntries(all.map(([key]) => [key, key in into && key in from ? merged(into[key], from[key]) : (from[key] ?? into[key])]))
}

function isMessage(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What the first filter chain of a listener decides; a request of TLS has the mesh's. @throws Error for what it doesn't know */
export function evaluateKuma(listener: Json, request: EvaluatedRequest, regexes: Regexes): Evaluated {
  const chain = (listener['filterChains'] as readonly Json[]).find((one) => 'transportSocket' in one === (request.peer !== undefined))
  if (chain === undefined) return { allowed: false, filter: 'filter chain', policy: undefined }
  const manager = (chain['filters'] as readonly Json[]).find(({ name }) => name === MANAGER)
  // Without http there is nothing that decides.
  if (manager === undefined) return { allowed: true, filter: undefined, policy: undefined }
  const filters = (manager['typedConfig'] as Json)['httpFilters'] as readonly Json[]
  let seen: EvaluatedRequest = { ...request, token: undefined }
  for (const { name, typedConfig } of filters) {
    const config = typedConfig as Json
    if (config['@type'] === JWT) {
      const verified = tokenOf(config, request)
      if (verified === 'refused') return { allowed: false, filter: name as string, policy: undefined }
      seen = { ...seen, token: verified }
    }
    if (config['@type'] !== RBAC) continue
    const decided = evaluateFilters([[name as string, (config['rules'] ?? {}) as Json]], seen, regexes)
    if (!decided.allowed) return decided
  }
  return { allowed: true, filter: undefined, policy: undefined }
}

/** The token where a rule of the filter lets its issuer in. Where no rule is about the request, nothing is verified. */
function tokenOf({ providers, rules }: Json, { host, token }: EvaluatedRequest): EvaluatedRequest['token'] | 'refused' {
  const rule = (rules as readonly Json[]).find(({ match }) => {
    const { prefix, headers = [] } = match as { readonly prefix?: string; readonly headers?: readonly Json[] }
    if (prefix !== '/') throw new Error('a match that is not known')
    return headers.every(({ name, stringMatch }) => {
      if (name !== ':authority' || (stringMatch as Json)['ignoreCase'] !== true) throw new Error('a match that is not known')
      return ((stringMatch as Json)['exact'] as string).toLowerCase() === host.toLowerCase()
    })
  })
  if (rule === undefined || token === undefined) return undefined
  const accepted = namesIn(rule['requires'])
  const { iss } = token.payload as Json
  return accepted.some((name) => ((providers as Json)[name] as Json)['issuer'] === iss) ? token : 'refused'
}

function namesIn(requirement: unknown): readonly string[] {
  if (!isMessage(requirement)) return []
  const { providerName, requiresAny } = requirement
  if (typeof providerName === 'string') return [providerName]
  return requiresAny === undefined ? [] : ((requiresAny as Json)['requirements'] as readonly unknown[]).flatMap(namesIn)
}
