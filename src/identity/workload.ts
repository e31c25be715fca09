import type { IssuerBase } from '../config/schema.ts'
import type { Identity } from '../core/principal.ts'
import { declaredClaims, readClaims, type DeclaredClaim } from './claims.ts'
import type { ClaimInfo, Issuer, IssuerDeps, TokenResult } from './issuer.ts'
import { parseJwt, type Jwt } from './jose/compact.ts'
import type { JsonObject } from './jose/json.ts'
import { Refusal } from './jose/refusal.ts'
import type { Times } from './jose/times.ts'
import { discoveryUrlOf, publishedKeys } from './keys/published.ts'
import { withoutSignIn } from './nosignin.ts'
import { bearerEvidence, checkAudience, verifySigned, type SignedVerifier } from './signed.ts'

/** Who a platform's token is about. */
export interface Workload {
  readonly subject: string
  /** What `clients` and `agents` of the configuration name. */
  readonly client: string
  readonly display: string
  /** The payload with the kind's derived claims. */
  readonly payload: JsonObject
}

/** How a platform that gives its workloads signed tokens differs from others. */
export interface WorkloadKind {
  readonly kind: string
  readonly claims: Readonly<Record<string, ClaimInfo>>
  /** Where the keys are, if not where discovery says. */
  readonly jwksUri?: string | undefined
  /** Who the claims of a proven token are about. @throws Refusal */
  readonly read: (payload: JsonObject) => Workload
  /** A token that isn't this issuer's although it looks so, and why it is refused. */
  readonly resembles?: (iss: string) => boolean
  readonly refuse?: (jwt: Jwt) => TokenResult | undefined
}

export interface WorkloadConfig extends IssuerBase {
  readonly issuer: string
  readonly algorithms: readonly string[]
  readonly maxLifetime: number
}

interface WorkloadVerifier extends SignedVerifier {
  readonly name: string
  readonly audiences: ReadonlySet<string>
  readonly clients: ReadonlySet<string>
  readonly agents: ReadonlySet<string>
  readonly declared: readonly DeclaredClaim[]
  readonly read: WorkloadKind['read']
}

/** An issuer whose tokens are all of workloads, each for itself: no scopes, nobody acting for somebody, no sign-in. */
export function workloadIssuer(name: string, config: WorkloadConfig, deps: IssuerDeps, platform: WorkloadKind): Issuer {
  const { kind, claims, jwksUri, read, refuse } = platform
  const { issuer } = config
  const discoveryUrl = jwksUri ?? discoveryUrlOf(issuer)
  const keys = publishedKeys(
    {
      issuer: name,
      file: `${name}-${kind}`,
      discoveryUrl,
      metadata: jwksUri === undefined ? undefined : { issuer, jwks_uri: jwksUri },
      accepts: (discovered) => discovered === issuer,
    },
    deps,
  )
  const verifier: WorkloadVerifier = {
    name,
    issuer,
    keys: keys.source,
    algorithms: new Set(config.algorithms),
    audiences: new Set(config.audiences),
    clients: new Set(config.clients),
    agents: new Set(config.agents),
    declared: declaredClaims(claims, config.claims),
    maxLifetime: config.maxLifetime,
    now: () => deps.clock.now(),
    read,
  }
  return {
    name,
    kind,
    maxLifetime: config.maxLifetime,
    ...withoutSignIn(name, discoveryUrl),
    discoveryUrl,
    owns: (iss) => iss === issuer,
    resembles: platform.resembles ?? (() => false),
    verifyAccessToken(token, parsed) {
      const jwt = parsed ?? parseJwt(token)
      return 'outcome' in jwt ? jwt : (refuse?.(jwt) ?? verifyWorkload(verifier, jwt))
    },
    status: keys.status,
    onKeysLeft: keys.onKeysLeft,
    close: keys.close,
  }
}

function verifyWorkload(verifier: WorkloadVerifier, jwt: Jwt): TokenResult | Promise<TokenResult> {
  const checkType = (): void => {
    if (jwt.header.typ !== undefined && jwt.header.typ.toUpperCase() !== 'JWT') throw new Refusal('token-type')
  }
  return verifySigned(verifier, jwt, checkType, (times) => {
    const identity = identityOf(verifier, jwt, times)
    return { outcome: 'identity', identity, expiresAt: times.expiresAt }
  })
}

function identityOf(verifier: WorkloadVerifier, { header, payload }: Jwt, times: Times): Identity {
  const audience = checkAudience(payload['aud'], verifier.audiences)
  const { subject, client, display, payload: derived } = verifier.read(payload)
  return {
    issuer: verifier.name,
    subject,
    kind: verifier.agents.has(client) ? 'agent' : 'workload',
    ...readClaims(derived, verifier.declared),
    scopes: undefined,
    appOnly: true,
    listedClient: verifier.clients.has(client),
    actor: undefined,
    display,
    evidence: bearerEvidence(payload, { issuerUrl: verifier.issuer, audience, client, header, ...times }),
  }
}
