import type { Secret } from './secret.ts'
import type { Identity } from './principal.ts'

/** What a caller presents, as a door parsed it from its protocol. Strict: ambiguous never gets this far. */
export type Credential =
  | { readonly kind: 'bearer'; readonly token: Secret }
  /** A token that is bound to a key, with the proof of it for this request (RFC 9449 §7.1). */
  | ({ readonly kind: 'dpop'; readonly token: Secret } & DpopProof)
  | { readonly kind: 'session'; readonly handle: Secret }
  /** Nothing but the certificate of the connection. */
  | { readonly kind: 'certificate'; readonly certificate: PresentedCertificate }
  /** Something was presented that can't be used: two credentials, a scheme or a shape that the door doesn't accept. */
  | { readonly kind: 'unusable'; readonly reason: RejectReason }

/** A DPoP proof as a door took it from its protocol, and what it has to be for. */
export interface DpopProof {
  /** Compact JWS. */
  readonly proof: Secret
  /** Method of the request. */
  readonly method: string
  /** Its URL as the caller sees it. */
  readonly url: string
}

/** The certificate by which the caller proved a key on this connection. */
export interface PresentedCertificate {
  /** SHA-256 of its DER form, base64url (RFC 8705 §3.1). */
  readonly thumbprint: string
  /** Whether it leads to an authority that the listener trusts. A token may be bound to one that doesn’t. */
  readonly trusted: boolean
  /** It and what vouches for it, in DER. */
  readonly chain: readonly Uint8Array[]
}

/** Where and when a credential was presented; limits on cold verification are kept per `source`. */
export interface Presentation {
  /** Caller's address. */
  readonly source: string
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Resource that the request is for. */
  readonly resource: string
  /** Of the connection, where the caller brought one. */
  readonly certificate?: PresentedCertificate | undefined
}

/**
 * Why a credential was refused. `caller` marks what may be told to whoever presented it.
 * The set is closed so that texts, metrics and tests can't drift.
 */
export type RejectReason =
  | 'malformed'
  | 'too-large'
  | 'unsigned'
  | 'algorithm'
  | 'unknown-key'
  | 'signature'
  | 'expired'
  | 'not-yet-valid'
  | 'issued-in-future'
  | 'lifetime'
  | 'issuer'
  | 'audience'
  | 'tenant'
  | 'key-issuer'
  | 'cloud'
  | 'client'
  | 'token-type'
  | 'id-token'
  | 'graph-token'
  /** A service-account token without an end, as clusters kept them in secrets. */
  | 'legacy-token'
  | 'claim'
  | 'revoked'
  /** Its provider says that it is not active: it has ended, was revoked, or never was (RFC 7662 §2.2). */
  | 'inactive'
  | 'session-unknown'
  | 'session-expired'
  | 'ambiguous'
  | 'encrypted'
  | 'critical-header'
  | 'too-many-parties'
  /** The token is bound to a key, and nothing proves that the caller has it. */
  | 'unproven'
  /** The proof of possession is wrong; the claim says in what. */
  | 'proof'
  | 'proof-replayed'
  /** It has to hold a nonce that this gateway gave a moment ago. */
  | 'proof-nonce'
  /** The client certificate is of no authority that is believed, or lacks what names its holder. */
  | 'certificate'

/** What could not be reached; the answer is 503, never an allow and never a cleared session. */
export type UnavailableCause = 'keys' | 'provider' | 'store' | 'overloaded' | 'record'

/** Something that was proven and stays so until `expiresAt` or `revoked`. One object per token, shared by its requests. */
export interface Verified {
  readonly identity: Identity
  /** Milliseconds since the epoch; skew already included. Later than it was, where it was proven anew. */
  readonly expiresAt: number
  /** Set by whoever ends it (session store, revocation, key removal); read at every admission and by open streams. */
  revoked: boolean
  /** Called while something holds on to it, such as an open stream: what has to be proven anew from time to time asks ahead of its end. */
  inUse?(): void
}

/** An authenticator's answer. `absent` tries the next; `rejected` is 401 and stops; `unavailable` is 503 and stops. */
export type AuthResult =
  | { readonly outcome: 'absent' }
  | {
      readonly outcome: 'rejected'
      readonly reason: RejectReason
      readonly claim?: string | undefined
      /** With `proof-nonce`, the nonce to use. */
      readonly nonce?: string
    }
  | { readonly outcome: 'unavailable'; readonly cause: UnavailableCause }
  | { readonly outcome: 'verified'; readonly verified: Verified }

/** Turns a credential into who it proves. Answers at once where it can: the path must not pay for a promise it doesn't need. */
export interface Authenticator {
  authenticate(credential: Credential, at: Presentation): AuthResult | Promise<AuthResult>
}
