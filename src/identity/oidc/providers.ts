import { withMembers } from '../claims.ts'
import { isObject } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'
import { checkAudience, readText } from '../signed.ts'
import { plainJwt, refuseIdTokens, type Profile } from './profile.ts'

/** Providers whose ways are known by name. What each of them does differently is told, with its source, in docs/identity.md. */
export const providerNames = ['okta', 'auth0', 'keycloak', 'cognito', 'google'] as const
export type ProviderName = (typeof providerNames)[number]

/**
 * Okta's custom authorization servers: `sub` of an access token is the login, which may change hands; `uid` is who it is, and is what ID
 * tokens have as their `sub`.
 */
const okta: Profile = {
  ...plainJwt,
  checkAccess(payload) {
    const { jti } = payload
    if (typeof jti === 'string' && jti.startsWith('ID.')) throw new Refusal('id-token')
    refuseIdTokens(payload)
  },
  subject: (payload) => readText(payload, 'uid' in payload ? 'uid' : 'sub'),
  client: (payload) => readText(payload, 'cid'),
  clientRequired: true,
  appOnly: (payload, subject, client) => {
    // A login without `uid` would be the key of whoever has it next.
    if (!('uid' in payload) && subject !== client) throw new Refusal('claim', 'uid')
    return !('uid' in payload)
  },
  derive: (payload) => ('uid' in payload ? withMembers(payload, { sub: payload['uid'], preferred_username: payload['sub'] }) : payload),
}

/** Auth0, in its own token profile and in that of RFC 9068: a client that calls for itself is `<client>@clients`. */
const auth0: Profile = {
  ...plainJwt,
  clientRequired: true,
  appOnly: (payload, subject, client) => subject === `${client}@clients` || payload['gty'] === 'client-credentials',
}

/** Keycloak: realm roles are nested, and a client that calls for itself is a user named after it. */
const keycloak: Profile = {
  ...plainJwt,
  checkAccess({ typ, cnf }) {
    // Its own word for it decides: before version 25 a `nonce` was in access tokens too.
    if (typ === 'ID') throw new Refusal('id-token')
    if (typ !== 'Bearer' && !(typ === 'DPoP' && cnf !== undefined)) throw new Refusal('token-type')
  },
  clientRequired: true,
  appOnly(payload, subject, client) {
    const { preferred_username: name, client_id: id } = payload
    if (typeof name === 'string') return name.toLowerCase() === `service-account-${client}`.toLowerCase()
    // Without the name: only service accounts have `client_id`, besides the `azp` of all.
    return subject === client || (id !== undefined && id === client)
  },
  derive(payload) {
    const { roles, realm_access: realm } = payload
    return roles === undefined && isObject(realm) ? withMembers(payload, { roles: realm['roles'] }) : payload
  },
}

/** Amazon Cognito's user pools: access tokens are for the client that got them, unless a resource was asked for. */
const cognito: Profile = {
  ...plainJwt,
  checkAccess(payload) {
    if (payload['token_use'] === 'id') throw new Refusal('id-token')
    if (payload['token_use'] !== 'access') throw new Refusal('token-type')
    refuseIdTokens(payload)
  },
  audience: ({ aud, client_id: client }, accepted) => checkAudience(aud === undefined ? client : aud, accepted),
  client: (payload) => readText(payload, 'client_id'),
  clientRequired: true,
  appOnly: (payload, subject, client) => subject === client || payload['username'] === undefined,
  derive: (payload) =>
    withMembers(payload, {
      groups: payload['groups'] ?? payload['cognito:groups'],
      preferred_username: payload['preferred_username'] ?? payload['cognito:username'] ?? payload['username'],
    }),
}

/** Google: its access tokens are opaque and for Google alone, so every JWT of it is an ID token, and good for signing in only. */
const google: Profile = {
  ...plainJwt,
  checkAccess: () => {
    throw new Refusal('id-token')
  },
}

export const providers: Readonly<Record<ProviderName, Profile>> = { okta, auth0, keycloak, cognito, google }

/** What is wrong with an issuer's URL for this provider; undefined if nothing is. */
export function issuerProblem(provider: ProviderName | undefined, issuer: string): string | undefined {
  switch (provider) {
    case 'auth0':
      return issuer.endsWith('/') ? undefined : 'write it with a slash at the end, as it is in the tokens of Auth0'
    case 'google':
      return issuer === 'https://accounts.google.com' ? undefined : 'write `https://accounts.google.com`'
    case 'keycloak':
      return /\/realms\/[^/]+$/.test(issuer)
        ? undefined
        : 'write it with the realm and without a slash at the end, such as `https://id.example.com/realms/orders`'
    case 'okta':
      return issuer.endsWith('/') ? 'write it without a slash at the end' : undefined
    case 'cognito':
      return /^https?:\/\/[^/]+\/[\w-]+_[A-Za-z0-9]+$/.test(issuer)
        ? undefined
        : 'write it with the user pool, such as `https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Abc123XYZ`'
    case undefined:
      return undefined
  }
}
