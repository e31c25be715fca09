/**
 * What the ambient mesh's ztunnel reads in policies without a target. It knows connections and no requests: a rule of `ALLOW` that asks
 * about a request is dropped, and one of `DENY` keeps what is left of it, which matches nothing where a part of it is left empty.
 */
import { isDryRun } from './authorization.ts'
import { cidrOf, isInside } from './networks.ts'
import type { Mesh } from './mesh.ts'
import { policiesFor } from './selection.ts'
import type { AuthorizationPolicy, Condition, IstioResource, Operation, Rule, Source } from './types.ts'

/** All of it; in each, one of the first list and none of the second. An empty one matches nothing at all. */
export type ZtunnelMatch = { readonly [K in Field]?: { readonly values: readonly string[]; readonly notValues: readonly string[] } }
type Field = 'principals' | 'namespaces' | 'serviceAccounts' | 'sourceIps' | 'destinationIps' | 'destinationPorts'

export interface ZtunnelPolicy {
  /** `namespace/name` */
  readonly name: string
  readonly action: 'ALLOW' | 'DENY'
  /** One of these rules; in a rule each of the clauses; in a clause one of the matches. No clause at all matches everything. */
  readonly rules: readonly (readonly (readonly ZtunnelMatch[])[])[]
}

export interface ZtunnelReading {
  readonly policies: readonly ZtunnelPolicy[]
  /** What isn't enforced as it is written, with the index of the rule, or undefined for the whole policy. */
  readonly notes: readonly { readonly policy: string; readonly rule: number | undefined; readonly why: ZtunnelNote }[]
}

/** `no-effect`: a rule of `DENY` that matches nothing; `wider`: one that denies more than it says. */
export type ZtunnelNote = 'unsupported-action' | 'dropped' | 'no-effect' | 'wider' | 'trust-domains-ignored'

const L4_KEYS: Readonly<Record<string, Field>> = {
  'source.ip': 'sourceIps',
  'source.namespace': 'namespaces',
  'source.principal': 'principals',
  'destination.ip': 'destinationIps',
  'destination.port': 'destinationPorts',
}

export interface AmbientWorkload {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

export function readByZtunnel(resources: readonly IstioResource[], workload: AmbientWorkload, mesh: Mesh): ZtunnelReading {
  const policies: ZtunnelPolicy[] = []
  const notes: { policy: string; rule: number | undefined; why: ZtunnelNote }[] = []
  for (const policy of policiesFor(resources, { kind: 'sidecar', ...workload }, mesh)) {
    const name = `${policy.metadata.namespace}/${policy.metadata.name}`
    const { action } = policy
    if (action === 'AUDIT' || action === 'CUSTOM') notes.push({ policy: name, rule: undefined, why: 'unsupported-action' })
    if (action === 'AUDIT' || action === 'CUSTOM' || isDryRun(policy)) continue
    const rules = policy.rules.map((rule, index) => {
      const { clauses, why } = clausesOf(rule, policy)
      for (const each of why) notes.push({ policy: name, rule: index, why: each })
      return clauses
    })
    policies.push({ name, action, rules: rules.filter((rule) => rule !== undefined) })
  }
  return { policies, notes }
}

interface Clauses {
  /** Undefined for a rule that is dropped. */
  readonly clauses: readonly (readonly ZtunnelMatch[])[] | undefined
  readonly why: readonly ZtunnelNote[]
}

function clausesOf({ from, to, when }: Rule, { action, metadata: { namespace } }: AuthorizationPolicy): Clauses {
  const isHttp = to.some(asksHttp) || from.some(asksRequest) || when.some(({ key }) => !Object.hasOwn(L4_KEYS, key))
  const trust: readonly ZtunnelNote[] = from.some((each) => each.trustDomains.length + each.notTrustDomains.length > 0)
    ? ['trust-domains-ignored']
    : []
  if (isHttp && action === 'ALLOW') return { clauses: undefined, why: ['dropped', ...trust] }
  const clauses = [
    ...(to.length === 0 ? [] : [to.map(portsOf)]),
    ...(from.length === 0 ? [] : [from.map((source) => sourceOf(source, namespace))]),
    ...when.map((condition) => [conditionOf(condition)]),
  ]
  const isVoid = clauses.some((clause) => clause.every(isEmpty))
  const why: readonly ZtunnelNote[] = isVoid ? (action === 'DENY' ? ['no-effect'] : []) : isHttp ? ['wider'] : []
  return { clauses, why: [...why, ...trust] }
}

function asksHttp(operation: Operation): boolean {
  return Object.entries(operation).some(([key, { length }]) => key !== 'ports' && key !== 'notPorts' && length > 0)
}

function asksRequest({ remoteIpBlocks, notRemoteIpBlocks, requestPrincipals, notRequestPrincipals }: Source): boolean {
  return [remoteIpBlocks, notRemoteIpBlocks, requestPrincipals, notRequestPrincipals].some(({ length }) => length > 0)
}

function match(...fields: readonly (readonly [Field, readonly string[], readonly string[]])[]): ZtunnelMatch {
  return Object.fromEntries(
    fields
      .filter(([, values, notValues]) => values.length + notValues.length > 0)
      .map(([field, values, notValues]) => [field, { values, notValues }]),
  )
}

function portsOf({ ports, notPorts }: Operation): ZtunnelMatch {
  return match(['destinationPorts', ports, notPorts])
}

function sourceOf(source: Source, namespace: string): ZtunnelMatch {
  const whole = (account: string): string => (account.includes('/') ? account : `${namespace}/${account}`)
  return match(
    ['principals', source.principals, source.notPrincipals],
    ['namespaces', source.namespaces, source.notNamespaces],
    ['serviceAccounts', source.serviceAccounts.map(whole), source.notServiceAccounts.map(whole)],
    ['sourceIps', source.ipBlocks, source.notIpBlocks],
  )
}

function conditionOf({ key, values, notValues }: Condition): ZtunnelMatch {
  return Object.hasOwn(L4_KEYS, key) ? match([L4_KEYS[key]!, values, notValues]) : {}
}

function isEmpty(one: ZtunnelMatch): boolean {
  return Object.keys(one).length === 0
}

export interface ZtunnelConnection {
  /** `spiffe://domain/ns/namespace/sa/account`; undefined for one that came in plain text. */
  readonly peer: string | undefined
  readonly source: string
  readonly destination: string
  readonly port: number
}

/** @throws Error for a peer that isn't named as the mesh names its own */
export function evaluateZtunnel(
  { policies }: ZtunnelReading,
  connection: ZtunnelConnection,
): { readonly allowed: boolean; readonly policy: string | undefined } {
  const found = (action: 'ALLOW' | 'DENY'): string | undefined =>
    policies.find((policy) => policy.action === action && isMatched(policy, connection))?.name
  const denied = found('DENY')
  if (denied !== undefined) return { allowed: false, policy: denied }
  if (!policies.some(({ action }) => action === 'ALLOW')) return { allowed: true, policy: undefined }
  const allowed = found('ALLOW')
  return { allowed: allowed !== undefined, policy: allowed }
}

function isMatched({ rules }: ZtunnelPolicy, connection: ZtunnelConnection): boolean {
  const facts = factsOf(connection)
  return rules.some((clauses) => clauses.every((clause) => clause.some((one) => !isEmpty(one) && isAll(one, facts))))
}

type Facts = { readonly [K in Field]: (value: string) => boolean }

function isAll(one: ZtunnelMatch, facts: Facts): boolean {
  return Object.entries(one).every(([field, { values, notValues }]) => {
    const is = facts[field as Field]
    return (values.length === 0 || values.some(is)) && !notValues.some(is)
  })
}

function factsOf({ peer, source, destination, port }: ZtunnelConnection): Facts {
  const [, name = '', namespace = '', account = ''] = /^spiffe:\/\/([^/]+\/ns\/([^/]+)\/sa\/([^/]+))$/.exec(peer ?? '') ?? []
  if (peer !== undefined && name === '') throw new Error('a peer that is not named by namespace and service account is not known')
  const within = (address: string) => (value: string) => {
    const cidr = cidrOf(value)
    return cidr !== undefined && isInside(address, cidr)
  }
  return {
    principals: (value) => name !== '' && isText(value, name),
    namespaces: (value) => isText(value, namespace),
    serviceAccounts: (value) => peer !== undefined && value === `${namespace}/${account}`,
    sourceIps: within(source),
    destinationIps: within(destination),
    destinationPorts: (value) => Number(value) === port,
  }
}

function isText(value: string, text: string): boolean {
  if (value === '*') return text !== ''
  if (value.startsWith('*')) return text.endsWith(value.slice(1))
  return value.endsWith('*') ? text.startsWith(value.slice(0, -1)) : text === value
}
