import type { IssuerBase } from '../../config/schema.ts'
import { quoted, type NativeIssuer } from '../../core/token.ts'
import { declaredClaims } from '../claims.ts'
import type { Issuer, IssuerDeps, IssuerKind } from '../issuer.ts'
import { parseJwt } from '../jose/compact.ts'
import { withoutSignIn } from '../nosignin.ts'
import { oidcClaims } from '../oidc/claims.ts'
import { signingFor } from '../nativekeys.ts'
import { nativeOidc } from '../oidc/native.ts'
import { verifyAccess, type OidcVerifier } from '../oidc/verify.ts'
import { byIssuer } from '../taken.ts'
import { FileKeys } from './filekeys.ts'
import { jwtProfile } from './profile.ts'
import { jwtSchema, type JwtConfig } from './schema.ts'

/** Services that sign their own tokens: no provider, no discovery, keys that the operator hands over. */
export const jwt: IssuerKind = {
  schema: jwtSchema,
  claims: oidcClaims,
  takes: byIssuer,
  native: (name, config) => nativeForm(name, config as IssuerBase & JwtConfig),
  create: (name, config, deps) => createJwt(name, config as IssuerBase & JwtConfig, deps),
}

function nativeForm(name: string, config: IssuerBase & JwtConfig): readonly NativeIssuer[] {
  const { issuer: iss, audiences, algorithms, clients, agents, maxLifetime, type, clientClaim, principal } = config
  const wanted = type?.toLowerCase().replace(/^application\//, '')
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
      type: wanted === undefined ? { pattern: 'jwt|at\\+jwt', absent: true } : { pattern: quoted(wanted), absent: false },
      client:
        clientClaim === undefined
          ? { claim: 'client_id', when: principal === 'workload' ? 'or-subject' : 'may-be' }
          : { claim: clientClaim, when: 'always' },
      appOnly: principal === 'workload' ? 'always' : 'never',
    }),
  ]
}

function createJwt(name: string, config: JwtConfig, deps: IssuerDeps): Issuer {
  const { issuer, maxLifetime } = config
  const keys = new FileKeys(name, config.keys, deps)
  const verifier: OidcVerifier = {
    name,
    issuer,
    keys,
    algorithms: new Set<string>(config.algorithms),
    audiences: new Set(config.audiences),
    clients: new Set(config.clients),
    agents: new Set(config.agents),
    profile: jwtProfile(config),
    declared: declaredClaims(oidcClaims, config.claims),
    maxLifetime,
    now: () => deps.clock.now(),
  }
  return {
    name,
    kind: 'jwt',
    maxLifetime,
    ...withoutSignIn(name, issuer),
    discoveryUrl: '',
    owns: (iss) => iss === issuer,
    resembles: () => false,
    verifyAccessToken(token, parsed) {
      const read = parsed ?? parseJwt(token)
      return 'outcome' in read ? read : verifyAccess(verifier, read)
    },
    publicKeys: (iss) => signingFor(iss, keys.all()),
    status: () => keys.status(),
    onKeysLeft: (listener) => keys.onKeysLeft(listener),
    close: () => keys.close(),
  }
}
