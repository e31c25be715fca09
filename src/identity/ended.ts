import { OstiaryError } from '../core/errors.ts'
import type { RevocationTarget } from '../store/revocations.ts'
import type { SessionStore } from '../store/sessions.ts'
import { providerKeyOf } from './session/handle.ts'

/** What a provider says has ended. */
export interface ProviderEnd {
  /** Configured name of the issuer. */
  readonly issuer: string
  /** How it said so, from a closed set: `back-channel-logout`, `front-channel-logout`, `refresh-refused`, or the name of a security event. */
  readonly event: string
  readonly target: RevocationTarget
}

/** Records and carries it out, on every door and open stream. @throws OstiaryError where it can't be recorded or kept; nothing has ended then */
export type EndAccess = (end: ProviderEnd) => Promise<void>

/** Sessions here that began with one session at the provider, at most. */
const NAMESAKES = 1_000

/** The sessions that began with the one that the provider calls `sid`. @throws what the store throws */
export async function sessionsOf(store: SessionStore, issuer: string, sid: string): Promise<readonly RevocationTarget[]> {
  const sessions = await store.ofProvider(providerKeyOf(issuer, sid), NAMESAKES)
  return sessions.map(({ id }) => ({ kind: 'session', session: id }))
}

/** Ends one of several: a session that has ended since is no failure. @throws what `end` throws otherwise */
export async function endTarget(end: EndAccess, what: ProviderEnd): Promise<void> {
  try {
    await end(what)
  } catch (error) {
    if (!(error instanceof OstiaryError && error.code === 'identity/no-session')) throw error
  }
}
