import type { IssuerBase } from '../../config/schema.ts'
import { declaredClaims } from '../claims.ts'
import type { Issuer, IssuerDeps, IssuerKind } from '../issuer.ts'
import { parseJwt } from '../jose/compact.ts'
import { KeySource } from '../keys/source.ts'
import { signInSettings } from '../signin.ts'
import { oidcClaims } from './claims.ts'
import { plainJwt, rfc9068 } from './profile.ts'
import { oidcSchema, type OidcConfig } from './schema.ts'
import { verifyAccess, verifyId, type OidcVerifier } from './verify.ts'

/** Any OpenID Connect provider: access tokens as RFC 9068 has them, judged as RFC 8725 asks. */
export const oidc: IssuerKind = {
  schema: oidcSchema,
  claims: oidcClaims,
  create: (name, config, deps) => createOidc(name, config as IssuerBase & OidcConfig, deps),
}

function createOidc(name: string, config: OidcConfig, deps: IssuerDeps): Issuer {
  const listeners: ((issuer: string, keyIds: readonly string[]) => void)[] = []
  const discoveryUrl = `${config.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const keys = new KeySource(
    {
      issuer: name,
      file: `${name}-oidc`,
      discoveryUrl,
      accepts: (issuer) => issuer === config.issuer,
      onLeft(keyIds) {
        for (const listener of listeners) listener(name, keyIds)
      },
    },
    deps,
  )
  const verifier: OidcVerifier = {
    name,
    issuer: config.issuer,
    keys,
    algorithms: new Set<string>(config.algorithms),
    audiences: new Set(config.audiences),
    clients: new Set(config.clients),
    agents: new Set(config.agents),
    profile: config.acceptPlainJwt ? plainJwt : rfc9068,
    declared: declaredClaims(oidcClaims, config.claims),
    maxLifetime: config.maxLifetime,
    now: () => deps.clock.now(),
  }
  keys.start()
  return {
    name,
    kind: 'oidc',
    maxLifetime: config.maxLifetime,
    signIn: signInSettings(config.signIn, config.signIn?.scopes ?? [], deps.folder),
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
    metadata: () => keys.metadata(),
    status() {
      if (keys.documents === undefined) return { ready: false, detail: 'no keys' }
      const detail = `keys got ${Math.round(keys.age / 60_000)} min ago`
      return { ready: true, detail: keys.failure === undefined ? detail : `${detail}; the provider does not answer` }
    },
    onKeysLeft: (listener) => void listeners.push(listener),
    close: () => keys.close(),
  }
}
