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

export interface StoredRevocation {
  readonly id: string
  readonly target: RevocationTarget
  /** Why, in the words of whoever revoked. */
  readonly reason: string
  /** Who revoked, as `issuer/subject`. */
  readonly by: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** From then on nothing that it ends could be valid any more. Undefined: it holds until it is lifted. */
  readonly until: number | undefined
}

/**
 * Where revocations are kept. Every implementation passes the suite in `revocations.test.ts`. A method rejects if the store
 * can't be reached, and has changed nothing then.
 */
export interface RevocationStore {
  /** Keeps a revocation unless there are `maximum` already. Those that are over at `now` don't count. */
  add(revocation: StoredRevocation, maximum: number, now: number): Promise<'added' | 'full'>
  /** All of them, the oldest first. */
  list(): Promise<readonly StoredRevocation[]>
  /** Removes one; false if there is none. */
  lift(id: string): Promise<boolean>
  /** Removes those that are over at `now`; how many. */
  sweep(now: number): Promise<number>
  /** Another number after each change by somebody else, such as another process. Cheap: it may be asked for twice a second. */
  version(): Promise<number>
  close(): Promise<void>
}
