/** A browser session as it is kept. Its handle and what it proves are in no readable form here. */
export interface StoredSession {
  /** SHA-256 of the handle, base64url: who reads the store can't use what is in it. */
  readonly key: string
  /** Names the session in lists and records; gives no right. */
  readonly id: string
  /** Configured name of the issuer that proved it. */
  readonly issuer: string
  /** Who was proven, sealed by the gateway. */
  readonly sealed: Uint8Array
  /** What the provider gave to prove it anew and to sign out there, sealed; undefined where there is nothing. */
  readonly tokens: Uint8Array | undefined
  /** Names the session at the provider (`sid`), hashed; undefined where it told none. */
  readonly providerSession: string | undefined
  /** One more each time that it was proven anew; 0 at its beginning. */
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly seenAt: number
  /** It ends then at the latest. */
  readonly endsAt: number
}

/** A place in the list of sessions: what follows it. */
export type SessionPage = Pick<StoredSession, 'createdAt' | 'id'>

/** What is kept anew when a session was proven anew. */
export type Reproven = Pick<StoredSession, 'sealed' | 'tokens'>

/** Whether a lease was given: `held` by somebody else, `resting` after a failure, `changed` where that version is no longer kept. */
export type LeaseAnswer = 'given' | 'held' | 'resting' | 'changed'

/**
 * Where sessions and the state of sign-in are kept. Every implementation passes the suite in `conformance.ts`. A method rejects
 * if the store can't be reached: then nothing is known, which is neither *signed in* nor *signed out*.
 */
export interface SessionStore {
  /** Keeps a new session unless there are `maximum` already. Sessions that have ended by `now` don't count. */
  add(session: StoredSession, maximum: number, now: number): Promise<'added' | 'full'>
  find(key: string): Promise<StoredSession | undefined>
  /** The session with this public id. */
  named(id: string): Promise<StoredSession | undefined>
  /** Sessions with that name at the provider, hashed: at most `limit`. */
  ofProvider(providerSession: string, limit: number): Promise<readonly StoredSession[]>
  /** Sessions by their beginning, the newest first: at most `limit` of those that follow `after`. */
  list(limit: number, after?: SessionPage): Promise<readonly StoredSession[]>
  /** The latest end of any session, in milliseconds since the epoch; undefined where there is none. */
  lastEnd(): Promise<number | undefined>
  /** Notes that the session was used. Never moves the time back, never brings an ended session back. */
  seen(key: string, seenAt: number): Promise<void>
  /**
   * Lets one process alone prove the session anew, until `until`: a process that dies with the lease holds nobody up for longer. Only
   * for the version that it knows.
   */
  lease(key: string, version: number, holder: string, until: number, now: number): Promise<LeaseAnswer>
  /** Gives the lease back without success. Nobody gets it before `until`. Does nothing to the lease of another holder. */
  rest(key: string, holder: string, until: number): Promise<void>
  /** Keeps what was proven anew, as the next version, and ends the lease. False where `version` is no longer kept: nothing changed then. */
  reprove(key: string, version: number, proven: Reproven): Promise<boolean>
  /** Ends a session; false if there is none. */
  end(key: string): Promise<boolean>
  /** Removes sessions over at `now`, or unused since `unusedSince`, and marks that have lapsed; how many sessions were removed. */
  sweep(now: number, unusedSince: number): Promise<number>
  /** True the first time that `mark` is spent; false from then until `until`, at the least. */
  spend(mark: string, until: number, now: number): Promise<boolean>
  /** Whether `mark` was spent and has not lapsed. */
  isSpent(mark: string, now: number): Promise<boolean>
  close(): Promise<void>
}

/** Marks kept at most. When there are more, those that lapse first are forgotten. */
export const MAX_MARKS = 100_000
