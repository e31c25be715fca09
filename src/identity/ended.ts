import type { RevocationTarget } from '../store/revocations.ts'

/** What a provider says has ended. */
export interface ProviderEnd {
  /** Configured name of the issuer. */
  readonly issuer: string
  /** How it said so, from a closed set: `back-channel-logout`, `front-channel-logout`, or the name of a security event. */
  readonly event: string
  readonly target: RevocationTarget
}

/** Records and carries it out, on every door and open stream. @throws OstiaryError where it can't be recorded or kept; nothing has ended then */
export type EndAccess = (end: ProviderEnd) => Promise<void>
