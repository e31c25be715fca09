import type { IssuerBase } from '../../config/schema.ts'
import type { NativeIssuer } from '../../core/token.ts'
import { declaredClaims } from '../claims.ts'
import { byIssuer } from '../taken.ts'
import type { Issuer, IssuerDeps, IssuerKind } from '../issuer.ts'
import { parseJwt } from '../jose/compact.ts'
import { discoveryUrlOf, publishedKeys } from '../keys/published.ts'
import { verifyLogout } from '../logout/token.ts'
import { attended, signInSettings } from '../signin.ts'
import { oidcClaims } from './claims.ts'
import { nativeOidc } from './native.ts'
import { signingFor } from '../nativekeys.ts'
import { plainJwt, rfc9068 } from './profile.ts'
import { providers } from './providers.ts'
import { oidcSchema, type OidcConfig } from './schema.ts'
import { verifyAccess, verifyId, type OidcVerifier } from './verify.ts'

/** Any OpenID Connect provider: access tokens as RFC 9068 has them, judged as RFC 8725 asks. */
export const oidc: IssuerKind = {
  schema: oidcSchema,
  claims: oidcClaims,
  takes: byIssuer,
  native: (name, config) => nativeForm(name, config as IssuerBase & OidcConfig),
  create: (name, config, deps) => createOidc(name, config as IssuerBase & OidcConfig, deps),
}

function nativeForm(name: string, config: IssuerBase & OidcConfig): readonly NativeIssuer[] | { readonly refused: string } {
  if (config.provider !== undefined)
    return { refused: `has \`provider: ${config.provider}\`, whose way of writing tokens has no native form yet` }
  const { issuer: iss, audiences, algorithms, clients, agents, maxLifetime, acceptPlainJwt } = config
  return [
    nativeOidc({
      name,
      iss,
      audiences,
      algorithms,
      clients,
      agents,
      maxLifetime,
      declared: declaredClaims(oidcClaims, config.claims),
      type: acceptPlainJwt ? { pattern: 'jwt|at\\+jwt', absent: true } : { pattern: 'at\\+jwt', absent: false },
      client: { claim: 'client_id', when: acceptPlainJwt ? 'may-be' : 'always' },
      appOnly: 'by-subject',
    }),
  ]
}

function createOidc(name: string, config: OidcConfig, deps: IssuerDeps): Issuer {
  const discoveryUrl = discoveryUrlOf(config.issuer)
  const keys = publishedKeys({ issuer: name, file: `${name}-oidc`, discoveryUrl, accepts: (issuer) => issuer === config.issuer }, deps)
  const verifier: OidcVerifier = {
    name,
    issuer: config.issuer,
    keys: keys.source,
    algorithms: new Set<string>(config.algorithms),
    audiences: new Set(config.audiences),
    clients: new Set(config.clients),
    agents: new Set(config.agents),
    profile: config.provider === undefined ? (config.acceptPlainJwt ? plainJwt : rfc9068) : providers[config.provider],
    declared: declaredClaims(oidcClaims, config.claims),
    maxLifetime: config.maxLifetime,
    now: () => deps.clock.now(),
  }
  const signIn = signInSettings(name, config.signIn, config.signIn?.scopes ?? [], deps)
  return {
    name,
    kind: 'oidc',
    maxLifetime: config.maxLifetime,
    signIn,
    discoveryUrl,
    owns: (iss) => iss === config.issuer,
    resembles: () => false,
    verifyAccessToken(token, parsed) {
      const jwt = parsed ?? parseJwt(token)
      return 'outcome' in jwt ? jwt : verifyAccess(verifier, jwt)
    },
    async verifyIdToken(token, expected) {
      const jwt = parseJwt(token)
      return 'outcome' in jwt ? jwt : verifyId(verifier, jwt, expected)
    },
    async verifyLogoutToken(token, clientId) {
      const jwt = parseJwt(token)
      return 'outcome' in jwt ? jwt : verifyLogout(verifier, jwt, clientId)
    },
    metadata: () => keys.source.metadata(),
    publicKeys: (iss) => (keys.source.documents === undefined ? [] : signingFor(iss, keys.source.documents.keys.values())),
    status: () => attended(keys.status(), signIn?.auth),
    onKeysLeft: keys.onKeysLeft,
    close() {
      signIn?.auth.close()
      keys.close()
    },
  }
}
