import { issuerV1, issuerV2 } from './claims.ts'
import { CLOUD_INSTANCE } from './keys.ts'

/** Said in every document, page and answer of the provider. */
export const DEMO_NOTICE = 'embedded identity provider of Ostiary, for demo and tests only: anybody who reaches it signs in as anybody'

/** Where things are below `/{tid}`, as in Entra. The last two Entra doesn't have. */
export const PATHS = {
  authorize: '/oauth2/v2.0/authorize',
  token: '/oauth2/v2.0/token',
  devicecode: '/oauth2/v2.0/devicecode',
  logout: '/oauth2/v2.0/logout',
  device: '/oauth2/deviceauth',
  keysV2: '/discovery/v2.0/keys',
  keysV1: '/discovery/keys',
  introspect: '/oauth2/v2.0/introspect',
  revoke: '/oauth2/v2.0/revoke',
} as const

/**
 * OpenID Connect metadata of `tenant` (a GUID, or `common` and `organizations`, whose issuer is a template).
 * The v1 document differs in issuer and keys.
 */
export function metadata(authority: string, tenant: string, version: '1.0' | '2.0'): Readonly<Record<string, unknown>> {
  const at = (path: string): string => `${authority}/${tenant}${path}`
  const named = tenant === 'common' || tenant === 'organizations' ? '{tenantid}' : tenant
  return {
    token_endpoint: at(PATHS.token),
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic', 'none'],
    jwks_uri: at(version === '2.0' ? PATHS.keysV2 : PATHS.keysV1),
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: version === '2.0' ? issuerV2(authority, named) : issuerV1(authority, named),
    authorization_endpoint: at(PATHS.authorize),
    device_authorization_endpoint: at(PATHS.devicecode),
    http_logout_supported: false,
    end_session_endpoint: at(PATHS.logout),
    code_challenge_methods_supported: ['S256'],
    claims_supported: [
      'sub',
      'iss',
      'aud',
      'exp',
      'iat',
      'nbf',
      'nonce',
      'name',
      'preferred_username',
      'oid',
      'tid',
      'ver',
      'roles',
      'groups',
    ],
    tenant_region_scope: null,
    cloud_instance_name: CLOUD_INSTANCE,
    // Not in Entra's document: it offers neither. Clients that need them find them here as RFC 8414 says.
    introspection_endpoint: at(PATHS.introspect),
    revocation_endpoint: at(PATHS.revoke),
    ostiary_notice: DEMO_NOTICE,
  }
}
