import type { z } from 'zod'
import type { ClaimType, IssuerBase } from '../config/schema.ts'
import type { Clock, Entropy } from '../core/clock.ts'
import type { PresentedCertificate, RejectReason, UnavailableCause } from '../core/credential.ts'
import type { Meter } from '../core/meter.ts'
import type { Identity } from '../core/principal.ts'
import type { NativeIssuer } from '../core/token.ts'
import type { ClientAuth } from '../secrets/clientauth/index.ts'
import type { Vaults } from '../secrets/keyvault/index.ts'
import type { Jwt } from './jose/compact.ts'
import type { VerificationKey } from './jose/jwk.ts'
import type { LogoutResult } from './logout/token.ts'
import type { Taken } from './taken.ts'

/** A claim that a kind of issuer brings, for policy to speak of. */
export interface ClaimInfo {
  readonly type: ClaimType
  /** True where a token may leave it open, such as `groups` after an overage. */
  readonly mayBeUnknown: boolean
}

/** What issuers are built with. */
export interface IssuerDeps {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly meter: Meter
  /** Where last-known-good keys are kept. */
  readonly dataDir: string
  /** Where relative file names of the configuration start. */
  readonly folder: string
  readonly log: (line: string) => void
  /** Requests of the gateway itself: proxy and private authorities are in it. */
  readonly fetch: typeof fetch
  /** Where `keyvault://` references are read. */
  readonly vaults?: Vaults
}

/** The provider's endpoints, as its discovery document names them (OpenID Connect Discovery §3). */
export interface ProviderMetadata {
  readonly issuer: string
  readonly authorizationEndpoint: string | undefined
  readonly tokenEndpoint: string | undefined
  readonly endSessionEndpoint: string | undefined
  /** How a client secret is sent to the token endpoint (OpenID Connect Core §9): in the header, unless only the body will do. */
  readonly secretIn: 'header' | 'body'
  /** RFC 9207: the authorization response carries `iss`, so one without it is refused. */
  readonly issInResponse: boolean
}

/** What a token proved, or why it didn't. */
export type TokenResult =
  | {
      readonly outcome: 'identity'
      readonly identity: Identity
      readonly expiresAt: number
      /** The proof ends before the token does: while somebody uses it, it is asked for again ahead of its end. */
      readonly renewable?: boolean
      /** Name of the provider's own session (`sid`), where an ID token has one. */
      readonly sid?: string | undefined
    }
  | { readonly outcome: 'rejected'; readonly reason: RejectReason; readonly claim?: string | undefined }
  | { readonly outcome: 'unavailable'; readonly cause: UnavailableCause }

/** What an ID token has to be for. */
export interface IdTokenExpected {
  readonly clientId: string
  readonly nonce: string
  /** It came for a refresh token: then it may leave out the nonce of the sign-in, but may not have another (OpenID Connect Core §12.2). */
  readonly refreshed?: boolean
}

/** Sign-in of browsers and of the command line, from the issuer's `signIn:`. */
export interface SignInSettings {
  readonly clientId: string
  /** How it proves itself at the token endpoint. */
  readonly auth: ClientAuth
  readonly scopes: readonly string[]
  /** Whether sessions are proven anew by a refresh token. */
  readonly refresh: boolean
  /** Scopes that the command line asks for, so that its token is for the gateway. */
  readonly cliScopes: readonly string[]
}

/** One configured issuer. */
export interface Issuer {
  /** Its configured name. */
  readonly name: string
  readonly kind: string
  readonly signIn: SignInSettings | undefined
  /** Longest life of what it issues, in milliseconds: so long is a revocation kept. Without one, until it is lifted. */
  readonly maxLifetime?: number
  /** URL of the discovery document that clients should use. */
  readonly discoveryUrl: string
  /** Whether a token with this `iss` is this issuer's to judge. Tokens are routed by it, never tried. */
  owns(iss: string): boolean
  /** Whether `iss` is of this provider although not owned, such as another tenant's: then this issuer says why it refuses. */
  resembles(iss: string): boolean
  /** Whether a token that is no JWT, and so names no issuer, is this issuer's to judge. Tells by its form alone, asks nobody. */
  claimsToken?(token: string): boolean
  /** Judges an access token. At once where the key is known. `parsed` is the same token, where it was taken apart already. */
  verifyAccessToken(token: string, parsed?: Jwt): TokenResult | Promise<TokenResult>
  /** Judges the certificate of a connection; undefined where no authority of this issuer vouches for it. */
  verifyCertificate?(presented: PresentedCertificate): TokenResult | undefined
  /** Judges an ID token of a sign-in: `aud` is the client, `nonce` the one that was sent (OpenID Connect Core §3.1.3.7). */
  verifyIdToken(token: string, expected: IdTokenExpected): Promise<TokenResult>
  /** Judges a logout token for this client; undefined where the provider sends none. */
  verifyLogoutToken?(token: string, clientId: string): Promise<LogoutResult>
  /** @throws OstiaryError `identity/provider-unavailable` */
  metadata(): Promise<ProviderMetadata>
  /** Keys that sign tokens with this `iss` now, for enforcement points that verify by themselves; none where they aren't known. */
  publicKeys?(iss: string): readonly VerificationKey[]
  /** For readiness: whether keys are at hand, and how old they are. */
  status(): { readonly ready: boolean; readonly detail: string }
  /** Called back with the ids of keys that left: what they signed ends. */
  onKeysLeft(listener: (issuer: string, keyIds: readonly string[]) => void): void
  close(): void
}

/** A kind of issuer: one folder, one line in `index.ts`. */
export interface IssuerKind {
  /** Extends `issuerBase`. */
  readonly schema: z.ZodType
  readonly claims: Readonly<Record<string, ClaimInfo>>
  /** There may be one of this kind only: its tokens don't say which of several they are for. */
  readonly single?: boolean
  /** What makes a token this issuer's, as its configuration says: no other may have the same. */
  readonly takes?: (config: IssuerBase) => Taken
  /** What its tokens look like to an enforcement point that verifies them by itself; or why none can, to stand after its name. */
  readonly native?: (name: string, config: IssuerBase) => readonly NativeIssuer[] | { readonly refused: string }
  create(name: string, config: IssuerBase, deps: IssuerDeps): Issuer
}
