import type { Kept, KeptStore } from './kept.ts'

/** What a revocation ends. `issuer` is always the configured name of one. */
export type RevocationTarget =
  /** One browser session, by its public id. */
  | { readonly kind: 'session'; readonly session: string }
  /** Everything of a subject, whenever it was issued: the subject is shut out. */
  | { readonly kind: 'subject'; readonly issuer: string; readonly subject: string }
  /** One token, by its `jti` or `uti`, and the session that began with it. */
  | { readonly kind: 'token'; readonly issuer: string; readonly token: string }
  /** Everything that a client, such as an agent, got or takes part in, whenever it was issued: the client is shut out. */
  | { readonly kind: 'client'; readonly issuer: string; readonly client: string }
  /** Everything of an issuer, or of one subject of it, that was issued at `before` (milliseconds since the epoch) or earlier. */
  | { readonly kind: 'issued-before'; readonly issuer: string; readonly subject?: string | undefined; readonly before: number }

export interface StoredRevocation extends Kept {
  readonly target: RevocationTarget
  /** Why, in the words of whoever revoked. */
  readonly reason: string
  /** Who revoked, as `issuer/subject`. */
  readonly by: string
}

export type RevocationStore = KeptStore<StoredRevocation>
