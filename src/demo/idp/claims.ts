/**
 * What Entra puts into a token, claim by claim, for each kind of caller and both versions. Written from Microsoft's
 * documented samples and from nothing of the gateway's, so that the two can't agree on a mistake.
 */
import { createHash } from 'node:crypto'
import type { Entropy } from '../../core/clock.ts'
import { AGENT_BLUEPRINT, HOME_TENANT, type Account } from './accounts.ts'
import { audienceOf, findApi, type Api, type Client } from './registrations.ts'

export type Claims = Record<string, unknown>

/** Where the provider is, without trailing slash: `http://127.0.0.1:8082`. */
export type Authority = string

/** `{authority}/{tid}/v2.0`, without trailing slash. */
export function issuerV2(authority: Authority, tenant: string): string {
  return `${authority}/${tenant}/v2.0`
}

/** The counterpart of `https://sts.windows.net/{tid}/`, with its trailing slash. */
export function issuerV1(authority: Authority, tenant: string): string {
  return `${authority}/sts/${tenant}/`
}

/** Everything that a token's claims depend on. */
export interface Grant {
  readonly authority: Authority
  readonly account: Account
  readonly client: Client
  readonly api: Api
  /** Scopes of a delegated token, by their short names. */
  readonly scopes: readonly string[]
  /** Seconds since the epoch. */
  readonly issuedAt: number
  /** Seconds. */
  readonly life: number
}

/** Life of an access token: between 60 and 90 minutes at random, in seconds. */
export function accessTokenLife(entropy: Entropy): number {
  const [high = 0, low = 0] = entropy.bytes(2)
  return 3600 + (((high << 8) | low) % 1801)
}

/** Managed identities' tokens live for 24 hours and 5 minutes, whatever anybody configures. */
export const MANAGED_IDENTITY_LIFE = 86_700

/** Claims of an access token for `grant`, in the order in which the documentation prints them. */
export function accessTokenClaims(grant: Grant, entropy: Entropy): Claims {
  const user = isUser(grant.account)
  if (grant.api.version === '2.0') return user ? v2User(grant, entropy) : v2App(grant, entropy)
  return user ? v1User(grant, entropy) : v1App(grant, entropy)
}

/** Claims of a v2 ID token, without those that the protocol adds (`nonce`, `auth_time`). */
export function idTokenClaims(grant: Omit<Grant, 'api' | 'scopes'>, entropy: Entropy): Claims {
  const { account, client, authority } = grant
  return {
    aud: client.clientId,
    iss: issuerV2(authority, account.tenant),
    ...times(grant),
    aio: opaque(entropy, 24),
    ...guestClaims(grant),
    ...membership(account),
    name: account.name,
    oid: account.oid,
    preferred_username: userName(account),
    rh: resourceHint(entropy),
    // Roles are those of the app that the token is for, and here that is the client.
    ...(findApi(client.clientId) === undefined ? {} : roles(account)),
    sub: pairwise(account, client.clientId),
    tid: account.tenant,
    uti: opaque(entropy, 16),
    ver: '2.0',
  }
}

/** `sub` of a user: one per person and app, so that two apps can't compare notes. */
export function pairwise(account: Account, app: string): string {
  return createHash('sha256').update(`${account.tenant}/${account.oid}/${app}`).digest('base64url')
}

function isUser({ kind }: Account): boolean {
  return kind === 'user' || kind === 'guest' || kind === 'agent-for-user' || kind === 'agent-user'
}

function v2User(grant: Grant, entropy: Entropy): Claims {
  const { account, client, api, authority } = grant
  return {
    aud: audienceOf(api),
    iss: issuerV2(authority, account.tenant),
    ...times(grant),
    aio: opaque(entropy, 24),
    azp: client.clientId,
    azpacr: client.authentication,
    ...guestClaims(grant),
    ...membership(account),
    name: account.name,
    oid: account.oid,
    preferred_username: userName(account),
    rh: resourceHint(entropy),
    ...roles(account),
    scp: grant.scopes.join(' '),
    sub: pairwise(account, api.clientId),
    tid: account.tenant,
    uti: opaque(entropy, 16),
    ver: '2.0',
    ...agentMarkers(account),
  }
}

function v1User(grant: Grant, entropy: Entropy): Claims {
  const { account, client, api, authority } = grant
  return {
    aud: audienceOf(api),
    iss: issuerV1(authority, account.tenant),
    ...times(grant),
    acr: '1',
    aio: opaque(entropy, 24),
    amr: ['pwd'],
    appid: client.clientId,
    appidacr: client.authentication,
    ...guestClaims(grant),
    family_name: 'Demo',
    given_name: account.name,
    ...membership(account),
    ipaddr: '127.0.0.1',
    name: account.name,
    oid: account.oid,
    rh: resourceHint(entropy),
    ...roles(account),
    scp: grant.scopes.join(' '),
    sub: pairwise(account, api.clientId),
    tid: account.tenant,
    unique_name: userName(account),
    uti: opaque(entropy, 16),
    ver: '1.0',
    ...agentMarkers(account),
  }
}

function v1App(grant: Grant, entropy: Entropy): Claims {
  const { client, authority, account } = grant
  return appOnly(grant, entropy, issuerV1(authority, account.tenant), { appid: client.clientId, appidacr: client.authentication }, '1.0')
}

function v2App(grant: Grant, entropy: Entropy): Claims {
  const { client, authority, account } = grant
  return appOnly(grant, entropy, issuerV2(authority, account.tenant), { azp: client.clientId, azpacr: client.authentication }, '2.0')
}

function appOnly(grant: Grant, entropy: Entropy, iss: string, party: Claims, ver: string): Claims {
  const { account, api, authority, client } = grant
  return {
    aud: audienceOf(api),
    iss,
    ...times(grant),
    ...party,
    idp: issuerV1(authority, account.tenant),
    idtyp: 'app',
    oid: account.oid,
    sub: account.oid,
    ...roles(account),
    rh: resourceHint(entropy),
    tid: account.tenant,
    uti: opaque(entropy, 16),
    ver,
    ...(account.kind === 'managed-identity' ? { xms_mirid: managedIdentityResource(client.name) } : {}),
    ...agentMarkers(account),
  }
}

function times({ issuedAt, life }: { readonly issuedAt: number; readonly life: number }): Claims {
  return { iat: issuedAt, nbf: issuedAt, exp: issuedAt + life }
}

/** Absent, not empty, where nothing was assigned. */
function roles({ roles: assigned }: Account): Claims {
  return assigned.length === 0 ? {} : { roles: [...assigned] }
}

/** A guest is told by an `idp` that isn't the issuing tenant, and has its email by default. */
function guestClaims({ account, authority }: { readonly account: Account; readonly authority: Authority }): Claims {
  return account.kind === 'guest' ? { email: userName(account), idp: issuerV1(authority, account.home) } : {}
}

function userName({ name, home }: Account): string {
  return `${name}@${home === HOME_TENANT ? 'home.example' : 'partner.example'}`
}

/** Above 200 groups Entra names none, and says where to ask instead: an address of an API that is long gone. */
function membership({ groups, tenant, oid }: Account): Claims {
  if (groups !== 'overage') return groups.length === 0 ? {} : { groups: [...groups] }
  return {
    _claim_names: { groups: 'src1' },
    _claim_sources: { src1: { endpoint: `https://graph.windows.net/${tenant}/users/${oid}/getMemberObjects` } },
  }
}

/** Entra Agent ID: `xms_act_fct` 11 says that an agent acts, `xms_sub_fct` 11 or 13 that it is the subject too. */
function agentMarkers({ kind }: Account): Claims {
  switch (kind) {
    case 'agent':
      return { scp: '/', xms_act_fct: '11', xms_idrel: '7', xms_par_app_azp: AGENT_BLUEPRINT, xms_sub_fct: '11' }
    case 'agent-for-user':
      return { idtyp: 'user', xms_act_fct: '11', xms_idrel: '1', xms_par_app_azp: AGENT_BLUEPRINT }
    case 'agent-user':
      return { idtyp: 'user', xms_act_fct: '11', xms_idrel: '1', xms_par_app_azp: AGENT_BLUEPRINT, xms_sub_fct: '13' }
    case 'user':
    case 'guest':
    case 'app':
    case 'managed-identity':
      return {}
  }
}

function managedIdentityResource(name: string): string {
  return `/subscriptions/0571a27e-0004-4000-8000-000000000001/resourcegroups/demo/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`
}

/** `aio`, `rh` and `uti` mean nothing to anybody but Entra; only `uti` is unique. */
function opaque(entropy: Entropy, length: number): string {
  return Buffer.from(entropy.bytes(length)).toString('base64url')
}

function resourceHint(entropy: Entropy): string {
  return `1.${opaque(entropy, 18)}.`
}
