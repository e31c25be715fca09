/** What is put into the inbounds of dataplanes: one chain of filters for all of their resources, which are told apart by port and host. */
import type { NativeIssuer } from '../../core/token.ts'
import { FILTERS, HTTP, JWT, RBAC, TYPE } from '../../envoy/filters.ts'
import { CHECKS_CLUSTER, gatewayCluster } from '../../envoy/gateway.ts'
import { IDENTITY_HEADERS, saidOf, WRITTEN } from '../../envoy/identity.ts'
import { accessLogOf, checksOf, oneReading, UNAUTHENTICATED } from '../../envoy/manager.ts'
import { OBSERVED, UNGRANTED } from '../../envoy/metadata.ts'
import { ANYBODY, CANONICAL, callersOf, checkedOf, guardrailsOf, observedOf, observedRulesOf, rulesOf } from '../../envoy/policies.ts'
import { bothPermissions, eitherPermission, noPermission, type Json, type Policies } from '../../envoy/rbac.ts'
import { hasKeys, providerOf, requirementOf } from '../../envoy/tokens.ts'
import type { NativeResource } from '../../policy/native/native.ts'
import type { KeySets } from '../target.ts'
import type { KumaPeer, KumaTarget } from './schema.ts'

/** A resource as dataplanes carry it. */
export interface Inbound {
  readonly native: NativeResource
  readonly delegated: boolean
  readonly hosts: readonly string[]
  readonly port: number
  /** Undefined for whoever the mesh lets in. */
  readonly peers: readonly KumaPeer[] | undefined
  readonly websocket: boolean
}

/** The resources of the same dataplanes. */
export interface Dataplanes {
  readonly inbounds: readonly Inbound[]
  readonly forwardAuthorization: boolean
}

type Around = Pick<KumaTarget, 'mesh' | 'gateway' | 'logs' | 'maxDuration'> & { readonly name: string; readonly keys: KeySets }

/** The first of our filters, which looks at who is at the other end. */
export const PEERS_FILTER = 'ostiary.peers'

/** The last of them, which says who calls. */
export const HEADERS_FILTER = 'ostiary.headers'

/** `spec.default.appendModifications` of a MeshProxyPatch. */
export function modificationsOf({ inbounds, forwardAuthorization }: Dataplanes, around: Around): readonly Json[] {
  const { gateway, logs } = around
  const asked = inbounds.find(({ delegated }) => delegated)
  const tells = logs !== undefined && 'gateway' in logs
  const filters = [
    ...(inbounds.some(({ peers }) => peers !== undefined)
      ? [rbac(PEERS_FILTER, 'ALLOW', inbounds, (one) => peersOf(one, around.mesh))]
      : []),
    { name: FILTERS.tokens, typedConfig: tokensOf(inbounds, around.keys) },
    rbac(FILTERS.callers, 'ALLOW', inbounds, admittedBy),
    rbac(FILTERS.guardrails, 'DENY', inbounds, ({ native }) => guardrailsOf(native), [OBSERVED.prefix, ({ native }) => observedOf(native)]),
    ...(asked === undefined ? [] : [checksOf(CHECKS_CLUSTER)]),
    rbac(
      FILTERS.rules,
      'ALLOW',
      inbounds,
      ({ native, delegated }) => (delegated ? checked(native.name) : rulesOf(native)),
      inbounds.some(({ native }) => native.observed !== undefined)
        ? // Of those that are enforced, whatever would be denied is.
          [UNGRANTED.prefix, ({ native, delegated }) => (delegated ? checked(native.name) : (observedRulesOf(native) ?? rulesOf(native)))]
        : undefined,
    ),
    { name: HEADERS_FILTER, typedConfig: headersOf(inbounds, forwardAuthorization) },
  ]
  return [
    ...(gateway !== undefined && (tells || asked !== undefined)
      ? [{ cluster: { operation: 'Add', value: text(gatewayCluster(CHECKS_CLUSTER, gateway, gateway.tls)) } }]
      : []),
    {
      networkFilter: {
        operation: 'Patch',
        match: { name: MANAGER, origin: 'inbound' },
        value: text({ name: MANAGER, typedConfig: managerOf(around, tells) }),
      },
    },
    // Each lands after the one before it.
    ...filters.map((filter) => ({
      httpFilter: { operation: 'AddBefore', match: { name: ROUTER, origin: 'inbound' }, value: text(filter) },
    })),
    ...(asked === undefined
      ? []
      : [{ virtualHost: { operation: 'Patch', match: { origin: 'inbound' }, value: text({ typedPerFilterConfig: askedOf(asked) }) } }]),
  ]
}

const MANAGER = 'envoy.filters.network.http_connection_manager'
const ROUTER = 'envoy.filters.http.router'

/**
 * JSON, because its YAML would be read by older rules, to which `yes` is a truth value and `0123` a number. What is no character to YAML
 * is escaped.
 */
function text(value: Json): string {
  return `${JSON.stringify(value).replaceAll(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, escaped)}\n`
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function managerOf({ name, mesh, maxDuration }: Around, tells: boolean): Json {
  return {
    '@type': `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    ...oneReading(maxDuration),
    localReplyConfig: { mappers: [UNAUTHENTICATED] },
    ...(tells ? { accessLog: [accessLogOf(`${mesh}/${name}`, CHECKS_CLUSTER)] } : {}),
  }
}

/**
 * Verifies the tokens of each resource's issuers. Of what the gateway is asked about, nothing is looked at here. An issuer without keys is
 * none: Envoy takes no empty set of keys, and would go on with what it had, or without any filter. Its tokens are refused as a stranger's.
 */
function tokensOf(inbounds: readonly Inbound[], keys: KeySets): Json {
  const own = inbounds.filter(({ delegated }) => !delegated)
  const known = ({ form }: NativeIssuer): boolean => hasKeys(keys.get(form))
  const issuers = new Map(own.flatMap(({ native }) => native.issuers.filter(known).map((issuer) => [issuer.form, issuer] as const)))
  return {
    '@type': JWT,
    providers: Object.fromEntries([...issuers].map(([form, issuer]) => [form, providerOf(issuer, keys.get(form))])),
    rules: own.flatMap(({ native, hosts }) =>
      hosts.map((host) => ({
        match: { prefix: '/', headers: [authority(host)] },
        requires: requirementOf(native.issuers.filter(known)),
      })),
    ),
  }
}

function authority(host: string): Json {
  return { name: ':authority', stringMatch: { exact: host, ignoreCase: true } }
}

/**
 * A filter that decides for each resource by the policies of that resource: no other's has anything to say there. What resources have in
 * common is written once, because what tells a good token from others is long.
 */
function rbac(
  name: string,
  action: 'ALLOW' | 'DENY',
  inbounds: readonly Inbound[],
  policiesOf: (one: Inbound) => Policies,
  observed?: readonly [prefix: string, policiesOf: (one: Inbound) => Policies],
): Json {
  const watched = observed === undefined ? {} : merged(inbounds, observed[1])
  // Nothing that would be denied is nothing to say; nothing that would be granted is.
  const hasShadow = observed !== undefined && (action === 'ALLOW' || Object.keys(watched).length > 0)
  const shadow = hasShadow ? { shadowRules: { action, policies: watched }, shadowRulesStatPrefix: observed[0] } : {}
  return { name, typedConfig: { '@type': RBAC, rules: { action, policies: merged(inbounds, policiesOf) }, ...shadow } }
}

function merged(inbounds: readonly Inbound[], policiesOf: (one: Inbound) => Policies): Json {
  const all = new Map<string, Policies[number]>()
  for (const inbound of inbounds) {
    const names = new Set<string>()
    for (const [id, { permissions, ...rest }] of policiesOf(inbound)) {
      // Of two with one name, one would be lost.
      if (names.has(id)) throw new Error(`two policies are called \`${id}\``)
      names.add(id)
      const key = JSON.stringify([id, rest])
      // What follows a `#` is no part of the statement's name.
      const [called, before] = all.get(key) ?? [`${id}#${inbound.native.name}`, { permissions: [] }]
      const here = (permissions as readonly Json[]).map((one) => bothPermissions(placeOf(inbound), one))
      all.set(key, [called, { ...rest, permissions: [...(before['permissions'] as readonly Json[]), ...here] }])
    }
  }
  return Object.fromEntries(all.values())
}

/** The host alone would not do: on another port it leads to something else. */
function placeOf({ hosts, port }: Inbound): Json {
  return bothPermissions({ destinationPort: port }, eitherPermission(...hosts.map((host) => ({ header: authority(host) }))))
}

/** Who may call at all by the mesh's own certificates, whatever else lets callers into the mesh. */
function peersOf({ peers }: Inbound, mesh: string): Policies {
  return [['peer', { permissions: [ANYBODY], principals: peers === undefined ? [ANYBODY] : [...peerIds(peers, mesh)] }]]
}

function peerIds(peers: readonly KumaPeer[], mesh: string): readonly Json[] {
  return peers.map((peer) => ({ authenticated: { principalName: nameOf(peer, mesh) } }))
}

function admittedBy({ native, delegated, websocket }: Inbound): Policies {
  const admitted: Policies = delegated ? [['canonical', { permissions: [CANONICAL], principals: [ANYBODY] }]] : callersOf(native)
  if (websocket) return admitted
  return admitted.map(([id, policy]) => [
    id,
    { ...policy, permissions: (policy['permissions'] as readonly Json[]).map((one) => bothPermissions(NO_UPGRADE, one)) },
  ])
}

const NO_UPGRADE = noPermission({ header: { name: 'upgrade', presentMatch: true } })

function nameOf(peer: KumaPeer, mesh: string): Json {
  // Without workload identity, the certificate names the service so.
  return 'service' in peer ? { exact: `spiffe://${mesh}/${peer.service}` } : { ...peer }
}

/** What the gateway let through. Should the filter that asks ever be missing, nothing passes. */
function checked(resource: string): Policies {
  return [['checked', { permissions: [checkedOf(resource)], principals: [ANYBODY] }]]
}

function askedOf({ native }: Inbound): Json {
  return {
    [FILTERS.checks]: {
      '@type': `${HTTP}.ext_authz.v3.ExtAuthzPerRoute`,
      checkSettings: { contextExtensions: { resource: native.name }, disableRequestBodyBuffering: true },
    },
  }
}

/** Removes what callers could say of themselves, and says who calls. */
function headersOf(inbounds: readonly Inbound[], forwardAuthorization: boolean): Json {
  const asked = inbounds.some(({ delegated }) => delegated)
  const removed = [
    // What the gateway writes when it is asked has been written by now, over whatever the caller sent.
    ...(asked ? IDENTITY_HEADERS.filter((header) => !WRITTEN.has(header)) : IDENTITY_HEADERS),
    ...(forwardAuthorization ? [] : ['authorization']),
  ]
  const said = asked ? [] : saidOf(inbounds.flatMap(({ native }) => native.issuers))
  return {
    '@type': `${HTTP}.header_mutation.v3.HeaderMutation`,
    mutations: { requestMutations: [...removed.map((remove) => ({ remove })), ...said.map((append) => ({ append }))] },
  }
}
