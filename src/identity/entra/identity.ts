import type { Claims, Evidence, Identity } from '../../core/principal.ts'
import { bare, readClaims, type DeclaredClaim } from '../claims.ts'
import type { JsonObject, JsonValue } from '../jose/json.ts'
import type { Caller } from './caller.ts'

/** What an identity is made of once its token is proven. */
export interface Proven {
  readonly issuer: string
  readonly payload: JsonObject
  readonly tenant: string
  /** The tenant isn't configured: what its administrators choose counts for nothing. */
  readonly foreign: boolean
  /** Lower case. */
  readonly object: string
  readonly caller: Caller
  readonly declared: readonly DeclaredClaim[]
  readonly listedClients: ReadonlySet<string>
  readonly evidence: Evidence
}

/** Claims that Entra itself decides. All others are up to the administrators of the tenant: roles, groups, names, addresses, how to sign in. */
const NOT_CHOSEN = new Set(['oid', 'tid', 'azp', 'azpacr', 'idtyp', 'acct', 'idp', 'guest', 'xms_mirid'])

/** The identity that a token proves: keyed by tenant and object, never by a name or an address. */
export function identityOf(proven: Proven): Identity {
  const { issuer, payload, tenant, foreign, object, caller, declared, listedClients, evidence } = proven
  const read = readClaims(payload, declared, derivedOf(payload, tenant, caller.client))
  const unknown = hasOverage(payload) || foreign ? widened(proven, read.unknownClaims) : read.unknownClaims
  return {
    issuer,
    subject: `${tenant}/${object}`,
    kind: caller.kind,
    claims: without(read.claims, unknown),
    unknownClaims: unknown,
    scopes: caller.scopes,
    appOnly: caller.appOnly,
    listedClient: caller.appOnly && !foreign && listedClients.has(caller.client.toLowerCase()),
    actor: caller.agent === undefined ? undefined : actorOf(proven),
    display: displayOf(payload, caller),
    evidence,
  }
}

/** With the claims that this token can't tell. */
function widened({ payload, foreign, declared }: Proven, unknownClaims: ReadonlySet<string>): ReadonlySet<string> {
  const unknown = new Set(unknownClaims)
  // Claims of other names may be read from the groups, too.
  if (hasOverage(payload)) for (const { name, path } of declared) if (path[0] === 'groups') unknown.add(name)
  if (foreign) for (const { name, path } of declared) if (!NOT_CHOSEN.has(path[0]!)) unknown.add(name)
  return unknown
}

/** The agent that acts for the subject, as far as the subject's token tells of it. Roles in that token are the subject's. */
function actorOf({ issuer, tenant, caller, evidence }: Proven): Identity {
  const claims = bare<string>()
  claims['azp'] = caller.client
  claims['tid'] = tenant
  // An agent identity's object id is its client id. An application's isn't, and the token doesn't say it.
  const unknown = new Set(['groups', 'wids', 'roles'])
  if (caller.agent === 'identity') claims['oid'] = caller.client
  else unknown.add('oid')
  return {
    issuer,
    subject: `${tenant}/${caller.client.toLowerCase()}`,
    kind: 'agent',
    claims,
    unknownClaims: unknown,
    scopes: caller.scopes,
    appOnly: false,
    listedClient: false,
    actor: undefined,
    display: caller.client,
    evidence,
  }
}

/** The claims that are derived. `azp` and `guest` of the token itself, if any, don't count. */
function derivedOf(payload: JsonObject, tenant: string, client: string): JsonObject {
  // `null` is of no type that `guest` could have: it can't be told.
  const derived = bare<JsonValue>()
  derived['azp'] = client
  derived['guest'] = isGuest(payload, tenant) ?? null
  return derived
}

/** By `acct` (0 member, 1 guest) where the registration asks for it; else by `idp`, which is absent or the tenant's own for members. */
function isGuest({ acct, idp }: JsonObject, tenant: string): boolean | undefined {
  if (acct === 0 || acct === 1) return acct === 1
  if (acct !== undefined) return undefined
  if (idp === undefined) return false
  if (typeof idp !== 'string') return undefined
  return !idp.toLowerCase().split('/').includes(tenant)
}

/** More groups than fit: `hasgroups` in tokens of the implicit flow; `_claim_names` is every claim's and read with them. */
function hasOverage({ hasgroups }: JsonObject): boolean {
  return hasgroups !== undefined && hasgroups !== false
}

function without(claims: Claims, unknown: ReadonlySet<string>): Claims {
  if (unknown.size === 0 || ![...unknown].some((name) => name in claims)) return claims
  return Object.assign(Object.create(null) as object, Object.fromEntries(Object.entries(claims).filter(([name]) => !unknown.has(name))))
}

function displayOf(payload: JsonObject, { appOnly, client }: Caller): string | undefined {
  if (appOnly) return client
  const shown = payload['preferred_username'] ?? payload['unique_name'] ?? payload['name']
  return typeof shown === 'string' ? shown : undefined
}
