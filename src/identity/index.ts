import type { IssuerBase, Wiring } from '../config/schema.ts'
import type { AuthResult, Authenticator } from '../core/credential.ts'
import { entra } from './entra/index.ts'
import type { Issuer, IssuerDeps, IssuerKind } from './issuer.ts'
import { oidc } from './oidc/index.ts'
import { openOutbound } from './outbound.ts'
import { Tokens, type TokenLimits } from './tokens.ts'

export type { ClaimInfo, Issuer, IssuerDeps, IssuerKind, ProviderMetadata, SignInSettings, TokenResult } from './issuer.ts'

/** Every kind of issuer: a folder and a line here. */
export const issuerKinds: Readonly<Record<string, IssuerKind>> = { entra, oidc }

export interface IdentityOptions {
  readonly wiring: Pick<Wiring, 'issuers' | 'sessions' | 'outbound'>
  readonly deps: Omit<IssuerDeps, 'fetch'> & {
    /** In place of requests through the configured proxy. */
    readonly fetch?: typeof fetch
  }
  readonly limits?: Partial<TokenLimits>
}

/** Credential → identity, for every configured issuer. */
export interface Identities {
  readonly authenticator: Authenticator
  /** In the order of the configuration. */
  readonly issuers: readonly Issuer[]
  /** By issuer, for readiness. */
  status(): Readonly<Record<string, ReturnType<Issuer['status']>>>
  close(): Promise<void>
}

/**
 * Puts issuers, token cache and sessions together. Waits for no provider: keys are asked for in the background, and those kept from
 * an earlier run are known at once.
 * @throws OstiaryError `identity/outbound-ca`, `identity/outbound-proxy`
 */
export function createIdentity({ wiring, deps, limits }: IdentityOptions): Identities {
  const outbound =
    deps.fetch === undefined ? openOutbound(wiring.outbound, deps.folder) : { fetch: deps.fetch, close: () => Promise.resolve() }
  const issuers = Object.entries(wiring.issuers).map(([name, config]) => createIssuer(name, config, { ...deps, fetch: outbound.fetch }))
  const { clock, entropy, meter } = deps
  const tokens = new Tokens({ issuers, clock, entropy, meter, ...(limits === undefined ? {} : { limits }) })
  return {
    authenticator: {
      authenticate(credential, at): AuthResult | Promise<AuthResult> {
        switch (credential.kind) {
          case 'bearer':
            return tokens.authenticate(credential.token, at)
          case 'session':
            return { outcome: 'rejected', reason: 'session-unknown' }
          case 'unusable':
            return { outcome: 'rejected', reason: credential.reason }
        }
      },
    },
    issuers,
    status: () => Object.fromEntries(issuers.map((issuer) => [issuer.name, issuer.status()])),
    async close() {
      for (const issuer of issuers) issuer.close()
      await outbound.close()
    },
  }
}

function createIssuer(name: string, config: IssuerBase, deps: IssuerDeps): Issuer {
  const kind = Object.hasOwn(issuerKinds, config.kind) ? issuerKinds[config.kind] : undefined
  if (kind === undefined) throw new TypeError(`issuer ${name}: no such kind`) // the schema lets no other through
  return kind.create(name, config, deps)
}
