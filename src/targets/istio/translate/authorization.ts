/** AuthorizationPolicies of a workload as Envoy's `rbac` filters, one for each action. */
import { HOST, keyOf, METHOD, named, PATH, type Key, type Surroundings } from './keys.ts'
import { expandPrincipals, expandTrustDomains } from './trustdomains.ts'
import type { Mesh, Workload } from './mesh.ts'
import type { AuthorizationPolicy, Json, NamedFilter, Operation, Rule, Source } from './types.ts'

export type Chain = 'http' | 'tcp'

/** One thing that a rule asks: one of `values`, and none of `notValues`. */
interface Asked {
  readonly key: Key
  readonly values: readonly string[]
  readonly notValues: readonly string[]
}

/** Of which none can be generated, and which a rule that grants therefore can't have. */
class Ungeneratable extends Error {}

/** Nobody ever. */
const NEVER: Json = { permissions: [{ notRule: { any: true } }], principals: [{ notId: { any: true } }] }

export const RBAC_NAMES = {
  http: { name: 'envoy.filters.http.rbac', type: 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC' },
  tcp: { name: 'envoy.filters.network.rbac', type: 'type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC' },
} as const

const DRY_RUN = 'istio.io/dry-run'
const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True'])

/** A policy that is only tried: what it would do is counted, and nothing is done. */
export function isDryRun({ metadata }: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } }): boolean {
  return TRUE.has(metadata.annotations?.[DRY_RUN] ?? '')
}

/** Filters of what Istio decides by itself, in their order: `AUDIT`, `DENY`, `ALLOW`. */
export function authorizationFilters(
  policies: readonly AuthorizationPolicy[],
  workload: Workload,
  mesh: Mesh,
  chain: Chain,
): readonly NamedFilter[] {
  return (['AUDIT', 'DENY', 'ALLOW'] as const).flatMap((action) => {
    const of = policies.filter((policy) => policy.action === action)
    if (of.length === 0) return []
    const enforced = of.filter((policy) => !isDryRun(policy))
    const tried = of.filter(isDryRun)
    const prefix = tried.length === 0 || action === 'ALLOW' ? 'istio_dry_run_allow_' : action === 'DENY' ? 'istio_dry_run_deny_' : undefined
    return [
      rbacFilter(chain, {
        ...(enforced.length === 0 ? {} : { rules: rulesOf(enforced, action, '', workload, mesh, chain) }),
        ...(tried.length === 0 ? {} : { shadowRules: rulesOf(tried, action, '', workload, mesh, chain) }),
        ...(prefix === undefined ? {} : { shadowRulesStatPrefix: prefix }),
      }),
    ]
  })
}

export function rbacFilter(chain: Chain, config: Json): NamedFilter {
  const { name, type } = RBAC_NAMES[chain]
  return { name, typedConfig: { '@type': type, ...config, ...(chain === 'tcp' ? { statPrefix: 'tcp.' } : {}) } }
}

/** `envoy.config.rbac.v3.RBAC`. An external authorization is asked where these would deny. */
export function rulesOf(
  policies: readonly AuthorizationPolicy[],
  action: AuthorizationPolicy['action'],
  prefix: string,
  workload: Workload,
  mesh: Mesh,
  chain: Chain,
): Json {
  const made: Record<string, Json> = {}
  for (const policy of policies) {
    const { namespace, name } = policy.metadata
    const nameOf = (index: number): string => `${prefix}ns[${namespace}]-policy[${name}]-rule[${index}]`
    const where: Surroundings = { namespace, isTcp: chain === 'tcp', peer: workload.kind === 'waypoint' ? 'filterState' : 'certificate' }
    for (const [index, rule] of policy.rules.entries()) {
      const policyOf = generate(rule, action === 'ALLOW', where, [mesh.trustDomain, ...mesh.trustDomainAliases])
      if (policyOf !== undefined) made[nameOf(index)] = policyOf
    }
    if (policy.rules.length === 0) made[nameOf(0)] = NEVER
  }
  const envoyAction = action === 'AUDIT' ? 'LOG' : action === 'ALLOW' ? undefined : 'DENY'
  return { ...(envoyAction && { action: envoyAction }), ...(Object.keys(made).length === 0 ? {} : { policies: made }) }
}

/** `envoy.config.rbac.v3.Policy`; undefined for a rule that would grant by something that can't be asked here. */
function generate(rule: Rule, grants: boolean, where: Surroundings, trustDomains: readonly string[]): Json | undefined {
  try {
    const conditions: readonly Asked[] = rule.when.map(({ key, values, notValues }) => asked(key, values, notValues, trustDomains))
    const of = (side: Key['side']): readonly Asked[] => conditions.filter(({ key }) => key.side === side)
    const froms = rule.from.length === 0 ? [[]] : rule.from.map((source) => sourceOf(source, trustDomains))
    const tos = rule.to.length === 0 ? [[]] : rule.to.map(operationOf)
    return {
      permissions: tos.map((to) => ({ andRules: { rules: matchersOf([...to, ...of('permission')], grants, where) } })),
      principals: froms.map((from) => ({ andIds: { ids: matchersOf([...from, ...of('principal')], grants, where) } })),
    }
  } catch (error) {
    if (error instanceof Ungeneratable) return undefined
    throw error
  }
}

function asked(name: string, values: readonly string[], notValues: readonly string[], trustDomains: readonly string[]): Asked {
  const key = keyOf(name)
  if (key === undefined) throw new Ungeneratable(name)
  const expand = (all: readonly string[]): readonly string[] =>
    name === 'source.principal'
      ? expandPrincipals(all, trustDomains)
      : name === 'source.trustDomain'
        ? expandTrustDomains(all, trustDomains)
        : all
  return { key, values: expand(values), notValues: expand(notValues) }
}

function sourceOf(source: Source, trustDomains: readonly string[]): readonly Asked[] {
  return [
    asked('source.principal', source.principals, source.notPrincipals, trustDomains),
    asked('request.auth.principal', source.requestPrincipals, source.notRequestPrincipals, trustDomains),
    asked('source.trustDomain', source.trustDomains, source.notTrustDomains, trustDomains),
    asked('source.serviceAccount', source.serviceAccounts, source.notServiceAccounts, trustDomains),
    asked('source.namespace', source.namespaces, source.notNamespaces, trustDomains),
    asked('remote.ip', source.remoteIpBlocks, source.notRemoteIpBlocks, trustDomains),
    asked('source.ip', source.ipBlocks, source.notIpBlocks, trustDomains),
  ]
}

function operationOf(operation: Operation): readonly Asked[] {
  return [
    { key: HOST, values: operation.hosts, notValues: operation.notHosts },
    { key: METHOD, values: operation.methods, notValues: operation.notMethods },
    { key: PATH, values: operation.paths, notValues: operation.notPaths },
    { key: named('destination.port'), values: operation.ports, notValues: operation.notPorts },
  ]
}

function matchersOf(all: readonly Asked[], grants: boolean, where: Surroundings): readonly Json[] {
  const matchers = all.flatMap(({ key, values, notValues }) => {
    const either = eitherOf(key, values, grants, where)
    const neither = eitherOf(key, notValues, grants, where)
    return [
      ...(either === undefined ? [] : [either]),
      ...(neither === undefined ? [] : [key.side === 'permission' ? { notRule: neither } : { notId: neither }]),
    ]
  })
  return matchers.length === 0 ? [{ any: true }] : matchers
}

/**
 * One of the values. What can't be generated makes a rule that grants void, so that it grants less, and is left out of one that
 * doesn't, so that it denies more: a `DENY` of methods alone denies everything on a TCP chain.
 * @returns undefined where nothing is asked
 */
function eitherOf(key: Key, values: readonly string[], grants: boolean, where: Surroundings): Json | undefined {
  if (values.length === 0) return undefined
  const usable = (made: Json | undefined): readonly Json[] => {
    if (made !== undefined) return [made]
    if (grants) throw new Ungeneratable()
    return []
  }
  if (key.isHttp && where.isTcp) return usable(undefined)[0]
  if (key.together !== undefined) return usable(key.together(values, where))[0]
  const each = values.flatMap((value) => usable(key.each!(value, where)))
  if (each.length === 0) return undefined
  return key.side === 'permission' ? { orRules: { rules: each } } : { orIds: { ids: each } }
}
