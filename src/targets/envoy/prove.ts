/** Proves that what an Envoy is sent is what the policy says, from the bytes of the messages. */
import { isDeepStrictEqual } from 'node:util'
import { fromBinary, type JsonValue } from '@bufbuild/protobuf'
import type { NativeIssuer } from '../../core/token.ts'
import { readable } from '../../envoy/any.ts'
import { TypedExtensionConfigSchema } from '../../envoy/messages/envoy/config/core/v3/extension_pb.ts'
import { ListenerSchema } from '../../envoy/messages/envoy/config/listener/v3/listener_pb.ts'
import { ScopedRouteConfigurationSchema } from '../../envoy/messages/envoy/config/route/v3/scoped_route_pb.ts'
import { RouteConfigurationSchema } from '../../envoy/messages/envoy/config/route/v3/route_pb.ts'
import { callersFor } from '../../envoy/callers.ts'
import { joined, type SentLeaf } from '../../envoy/leaves.ts'
import { readResource, tokenProblems } from '../../envoy/prove.ts'
import { observationProblems, readSection, type Section, type Sections } from '../../envoy/proveobserved.ts'
import type { Json } from '../../envoy/rbac.ts'
import { NotRead } from '../../envoy/read.ts'
import type { Snapshot } from '../../envoy/xds/snapshot.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import { TooLarge } from '../../policy/compare/bdd.ts'
import { proveEnforced } from '../../policy/compare/enforced.ts'
import { FILTERS } from '../../envoy/filters.ts'
import type { ResourceProof } from '../target.ts'
import type { EnvoyResource } from './emit.ts'

type PerFilter = Readonly<Record<string, Json>>

export interface ProveInput {
  readonly snapshot: Snapshot
  readonly resources: readonly EnvoyResource[]
  readonly policy: CompiledPolicy
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** One proof for each resource. */
export function proveEnvoy({ snapshot, resources, policy, now }: ProveInput): readonly ResourceProof[] {
  const hosts = [...snapshot.resources.route.values()].flatMap(
    ({ bytes }) => json(RouteConfigurationSchema, bytes)['virtualHosts'] as readonly Json[],
  )
  const scopes = [...snapshot.resources.scope.values()].map(({ bytes }) => json(ScopedRouteConfigurationSchema, bytes))
  const tokens = extensionOf(snapshot, FILTERS.tokens)
  const callersSent = extensionOf(snapshot, FILTERS.callers)
  const ofListener = [...snapshot.resources.listener.values()].flatMap(({ bytes }) => listenerProblems(json(ListenerSchema, bytes)))
  return resources.map(({ native, delegated, hosts: domains }) => {
    const { name: resource, issuers } = native
    const nothing = { resource, delegated: delegated === true, classes: 0, cells: 0, comparisons: 0, counterexamples: [] }
    const host = hosts.find(({ name }) => name === resource)
    const config = host?.['typedPerFilterConfig'] as PerFilter | undefined
    if (host === undefined || config === undefined) return { ...nothing, problems: [], notProven: ['it has no virtual host'] }
    const problems = [...ofListener, ...hostProblems(host, domains), ...scopeProblems(resource, domains, scopes)]
    if (delegated === true) return { ...nothing, problems: [...problems, ...delegatedProblems(resource, config)], notProven: [] }
    try {
      const leaves = leavesOf(host, resource)
      const told = leaves === undefined ? { ...sectionsOf(config), gaps: [] } : joinedLeaves(leaves)
      if (config[FILTERS.callers] !== undefined) throw new NotRead('callers of its own')
      const metadata = leaves?.map((leaf) => leaf.metadata) ?? ((host['routes'] ?? []) as readonly Json[]).map((route) => route['metadata'])
      if (!metadata.every((one) => isDeepStrictEqual(one, metadata[0]))) throw new NotRead('routes that let in others than each other')
      const callers = callersFor(metadata[0], readSection(callersSent, FILTERS.callers).rules)
      const read = readResource({ callers, guardrails: told.guardrails.rules, rules: told.rules.rules }, native)
      const proof = proveEnforced({ policy, resource, issuers: read.issuers, enforced: read.enforced, now })
      const { problems: mistold, notProven } = observationProblems({ callers, ...told }, native, policy, now)
      return {
        ...proof,
        notProven: [...new Set([...proof.notProven, ...told.gaps, ...notProven])],
        resource,
        delegated: false,
        classes: issuers.length + 1,
        problems: [...problems, ...verifiedFor(resource, issuers, tokens, config), ...read.problems, ...mistold],
      }
    } catch (error) {
      if (error instanceof TooLarge) return { ...nothing, problems, notProven: [error.message] }
      if (!(error instanceof NotRead)) throw error
      return { ...nothing, problems, notProven: [`what was sent can not be read back: ${error.message}`] }
    }
  })
}

function json(schema: Parameters<typeof fromBinary>[0], bytes: Uint8Array): Json {
  return readable(schema, fromBinary(schema, bytes)) as Record<string, JsonValue>
}

function extensionOf(snapshot: Snapshot, name: string): Json {
  const found = snapshot.resources.extension.get(name)
  return found === undefined ? {} : ((json(TypedExtensionConfigSchema, found.bytes)['typedConfig'] ?? {}) as Json)
}

/** What of the connection manager makes one reading of every request, and denies where nothing else is said. */
function listenerProblems(listener: Json): readonly string[] {
  const chains = listener['filterChains'] as readonly { readonly filters: readonly { readonly typedConfig: Json }[] }[]
  return chains.flatMap(({ filters }) => {
    const manager = filters[0]?.typedConfig ?? {}
    const wanted: Json = {
      normalizePath: true,
      mergeSlashes: true,
      pathWithEscapedSlashesAction: 'REJECT_REQUEST',
      stripAnyHostPort: true,
      stripTrailingHostDot: true,
    }
    const wrong = Object.entries(wanted).filter(([key, value]) => manager[key] !== value)
    const inner = (manager['httpFilters'] ?? []) as readonly { readonly name: string; readonly typedConfig?: Json }[]
    const order = inner.map(({ name }) => name).filter((name) => name !== FILTERS.checks)
    const expected = [FILTERS.tokens, FILTERS.revoked, FILTERS.callers, FILTERS.guardrails, FILTERS.rules, 'envoy.filters.http.router']
    const byDefault = (name: string): Json => (inner.find((one) => one.name === name)?.typedConfig?.['rules'] ?? {}) as Json
    const isOpen = hasAny(byDefault(FILTERS.rules)['policies'])
    return [
      ...wrong.map(([key]) => `the listener’s \`${key}\` is not as it must be`),
      ...(JSON.stringify(order) === JSON.stringify(expected) ? [] : ['the filters are others, or in another order']),
      ...(filters.length === 1 ? [] : ['there is more than one connection manager']),
      ...(isOpen ? ['where a route says nothing, something is let through'] : []),
      ...inner.filter((one) => !isPlain(one)).map(({ name }) => `the filter \`${name}\` is not always what it is sent to be`),
    ]
  })
}

/** What comes apart from the listener, whom it lets in first of all, has nothing in its place until it is there, and no filter is turned off. */
const APART: ReadonlySet<string> = new Set([FILTERS.tokens, FILTERS.revoked, FILTERS.callers])

function isPlain({ name, ...config }: { readonly name: string; readonly [field: string]: unknown }): boolean {
  const { configDiscovery, ...more } = config
  if (!APART.has(name)) return isDeepStrictEqual(Object.keys(config), ['typedConfig'])
  return Object.keys(more).length === 0 && isDeepStrictEqual(Object.keys(configDiscovery ?? {}).toSorted(), ['configSource', 'typeUrls'])
}

function hasAny(policies: unknown): boolean {
  return Object.keys(policies ?? {}).length > 0
}

function sectionOf(config: PerFilter, filter: string): Section {
  return readSection((config[filter]?.['rbac'] ?? {}) as Json, filter)
}

function sectionsOf(config: PerFilter): Sections {
  return { guardrails: sectionOf(config, FILTERS.guardrails), rules: sectionOf(config, FILTERS.rules) }
}

interface Leaf extends Sections {
  readonly prefix: string
  readonly metadata: unknown
}

/** What all leaves say, as one list of what is enforced and one of what is observed. */
function joinedLeaves(leaves: readonly Leaf[]): Sections & { readonly gaps: readonly string[] } {
  const enforced = joined(
    leaves.map(({ prefix, guardrails, rules }) => ({ prefix, guardrails: guardrails.rules, rules: rules.rules }) satisfies SentLeaf),
  )
  const isObserved = (filter: keyof Sections): boolean => leaves.some((leaf) => leaf[filter].observed !== undefined)
  const nothing = { guardrails: { action: 'DENY', policies: {} }, rules: { action: 'ALLOW', policies: {} } }
  const observed = joined(
    leaves.map(({ prefix, guardrails, rules }) => ({
      prefix,
      guardrails: guardrails.observed ?? nothing.guardrails,
      rules: rules.observed ?? nothing.rules,
    })),
  )
  return {
    guardrails: { rules: enforced.guardrails, observed: isObserved('guardrails') ? observed.guardrails : undefined },
    rules: { rules: enforced.rules, observed: isObserved('rules') ? observed.rules : undefined },
    gaps: [...enforced.gaps, ...observed.gaps],
  }
}

function hostProblems(host: Json, domains: readonly string[]): readonly string[] {
  const [found, wanted] = [host['domains'], domains].map((all) => JSON.stringify([...(all as readonly string[])].toSorted()))
  const routes = (host['routes'] ?? []) as readonly { readonly typedPerFilterConfig?: unknown }[]
  return [
    ...(found === wanted ? [] : ['it is reached under other hosts']),
    ...(routes.every((route) => route.typedPerFilterConfig === undefined) ? [] : ['a route has filters of its own']),
    ...(host['matcher'] === undefined || routes.length === 0 ? [] : ['there are routes beside the tree of them']),
  ]
}

const PATH_INPUT = {
  name: 'path',
  typedConfig: { '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput', headerName: ':path' },
}

/** What is said by how paths begin; undefined where it is the same for all of them. @throws NotRead where anything else decides */
function leavesOf(host: Json, resource: string): readonly Leaf[] | undefined {
  if (host['matcher'] === undefined) return undefined
  const { matcherTree } = exactly(host['matcher'], ['matcherTree']) as { readonly matcherTree: unknown }
  const { input, prefixMatchMap } = exactly(matcherTree, ['input', 'prefixMatchMap'])
  if (!isDeepStrictEqual(input, PATH_INPUT)) throw new NotRead('routes by something else than the path')
  const { map } = exactly(prefixMatchMap, ['map'])
  return Object.entries(map as Json).map(([prefix, match]) => {
    const { action } = exactly(match, ['action'])
    const { typedConfig } = exactly(action, ['name', 'typedConfig'])
    const route = exactly(typedConfig, ['@type', 'match', 'metadata', 'name', 'route', 'typedPerFilterConfig'])
    const { cluster, timeout: _, upgradeConfigs: __, ...more } = route['route'] as Json
    if (!isDeepStrictEqual(route['match'], { prefix: '/' }) || cluster !== resource || Object.keys(more).length > 0)
      throw new NotRead(`a route for \`${prefix}\` that does something else`)
    const config = exactly(route['typedPerFilterConfig'], [FILTERS.guardrails, FILTERS.rules]) as PerFilter
    return { prefix, metadata: route['metadata'], ...sectionsOf(config) }
  })
}

/** @throws NotRead unless a message says just these things */
function exactly(message: unknown, fields: readonly string[]): Json {
  const found = Object.keys(typeof message === 'object' && message !== null ? message : {}).toSorted()
  if (!isDeepStrictEqual(found, fields.toSorted())) throw new NotRead(`routes with ${found.map((one) => `\`${one}\``).join(', ')}`)
  return message as Json
}

/** Requests for its hosts, and no others, come to its routes. */
function scopeProblems(resource: string, domains: readonly string[], scopes: readonly Json[]): readonly string[] {
  const own = scopes.filter((scope) => scope['routeConfigurationName'] === resource)
  const keys = own.map(({ key }) => (key as { readonly fragments: readonly Json[] }).fragments.map((one) => one['stringKey']))
  const text = (all: readonly unknown[]): string => JSON.stringify(all.map((one) => JSON.stringify(one)).toSorted())
  return text(keys) === text(domains.map((domain) => [domain])) ? [] : ['requests for other hosts come to its routes']
}

/** Whether tokens are verified for it, as the forms of its issuers say. */
function verifiedFor(resource: string, issuers: readonly NativeIssuer[], tokens: Json, config: PerFilter): readonly string[] {
  const own = config[FILTERS.tokens] ?? {}
  const isOn = own['requirementName'] === resource && own['disabled'] !== true
  const requirement = ((tokens['requirementMap'] ?? {}) as Json)[resource]
  return [...(isOn ? [] : ['tokens are not verified for it']), ...tokenProblems(issuers, (tokens['providers'] ?? {}) as Json, requirement)]
}

function delegatedProblems(resource: string, config: PerFilter): readonly string[] {
  const settings = config[FILTERS.checks]?.['checkSettings'] as { readonly contextExtensions?: Json } | undefined
  return settings?.contextExtensions?.['resource'] === resource && config[FILTERS.checks]?.['disabled'] !== true
    ? []
    : ['the gateway is not asked about it']
}
