import type { Grant } from './decision.ts'

/** The kinds of principal that the design knows. `anonymous` is the absence of a credential, not an identity. */
export type PrincipalKind = 'human' | 'workload' | 'managed-identity' | 'agent' | 'human-via-agent' | 'anonymous'

/** A claim's value after its issuer's declared types were applied. */
export type ClaimValue = string | number | boolean | readonly string[]

/** Claims by declared name. Has no prototype, so that `constructor` is no claim. */
export type Claims = Readonly<Record<string, ClaimValue>>

/** Who was proven, before any policy: what an authenticator answers. Immutable. */
export interface Identity {
  /** The configured name of the issuer (`entra`), not its URL. */
  readonly issuer: string
  /** The stable key within the issuer: `tid/oid` for Entra, `sub` elsewhere. Never an email or a display name. */
  readonly subject: string
  readonly kind: Exclude<PrincipalKind, 'anonymous'>
  readonly claims: Claims
  /** Declared claims whose value can't be known now, such as `groups` after an overage: roles over them are *unknown*. */
  readonly unknownClaims: ReadonlySet<string>
  /** Why a claim is unknown, by its name, where more can be said than that the token leaves it open. For explanations. */
  readonly unknownBecause?: Readonly<Record<string, string>>
  /** What values of claims are called, such as groups by their id. For people to read; nothing is decided on it. */
  readonly valueNames?: ReadonlyMap<string, string>
  /** Scopes of a delegated token; undefined where the token is not delegated or has no notion of scopes. */
  readonly scopes: readonly string[] | undefined
  /** True for a token that a client got for itself. It holds `authenticated` only with a role of its own or as a listed client. */
  readonly appOnly: boolean
  /** True for an app-only caller whose client is listed in the issuer's `clients`. */
  readonly listedClient: boolean
  /** The party acting for this one (RFC 8693 `act`), itself proven by the same credential. Chains have at most four parties. */
  readonly actor: Identity | undefined
  /** For people to read in records; mutable at the provider, so nothing is ever decided on it. */
  readonly display: string | undefined
  /** What was presented, for the record and the explanation. Holds no token. */
  readonly evidence: Evidence
}

/** A key that a credential is bound to (RFC 7800), and how its possession is proven. */
export interface Confirmation {
  /** By a proof with each request (RFC 9449), or by the certificate of the connection (RFC 8705). */
  readonly method: 'dpop' | 'mtls'
  /** SHA-256 of the key (RFC 7638) or of the certificate, base64url. */
  readonly thumbprint: string
}

/** How an identity was proven. */
export interface Evidence {
  /** `bearer`, `session`, … */
  readonly credential: string
  /** The issuer's own URL as verified. */
  readonly issuerUrl: string
  readonly audience: string
  /** Client (application) that got the token: `azp`, `appid` or `client_id`. */
  readonly client: string | undefined
  /** `jti` or `uti`. */
  readonly tokenId: string | undefined
  readonly keyId: string | undefined
  readonly algorithm: string | undefined
  /** Milliseconds since the epoch. */
  readonly issuedAt: number | undefined
  readonly expiresAt: number
  /** Browser session, where there is one. */
  readonly sessionId: string | undefined
  /** The key that the credential is bound to; absent for what anybody could use who has it. */
  readonly confirmation?: Confirmation | undefined
}

/** Why a role is or isn't held: which binding, which claim, which value. */
export interface RoleProvenance {
  readonly role: string
  readonly state: 'held' | 'unknown'
  /** Claim that the binding read; undefined for built-in roles. */
  readonly claim: string | undefined
  /** The value that matched, for a role that is held. */
  readonly value: string | undefined
  /** Of a role that is active for a time: until when, in milliseconds since the epoch. */
  readonly until?: number
}

/** An identity with the roles that one policy version gives it. Made by the policy, cached per version. */
export interface Principal {
  readonly issuer: string
  readonly subject: string
  readonly kind: PrincipalKind
  readonly claims: Claims
  /** Names of roles held, sorted. */
  readonly roles: readonly string[]
  /** Names of roles that can't be told, sorted. */
  readonly unknownRoles: readonly string[]
  readonly provenance: readonly RoleProvenance[]
  /** When one of its roles, or of who acts for it, ends by itself, in milliseconds since the epoch. Absent where none does. */
  readonly rolesUntil?: number
  /** What makes eligible roles active for this party. Absent for none. */
  readonly activated?: readonly Grant[]
  readonly actor: Principal | undefined
  /** Undefined only for the anonymous principal. */
  readonly identity: Identity | undefined
  readonly policyVersion: string
}
