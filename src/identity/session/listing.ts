import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Identity } from '../../core/principal.ts'
import type { SessionPage, SessionStore, StoredSession } from '../../store/sessions.ts'
import type { LiveSession } from './live.ts'

/** What is told of a session. Nothing of it gives a right. Times are in milliseconds since the epoch. */
export interface SessionInfo {
  readonly id: string
  readonly issuer: string
  readonly subject: string
  readonly display: string | undefined
  readonly kind: Identity['kind']
  readonly createdAt: number
  /** Known to the minute where another process serves it. */
  readonly seenAt: number
  /** It ends then at the latest. */
  readonly endsAt: number
}

export interface SessionQuery {
  readonly issuer?: string | undefined
  readonly subject?: string | undefined
  readonly limit: number
  readonly after?: SessionPage | undefined
}

export interface SessionList {
  readonly sessions: readonly SessionInfo[]
  readonly next: SessionPage | undefined
}

/** Stored sessions that a page of the list looks at, at most and in one go. */
const LOOKED = 5_000
const BATCH = 200
export interface ListingParts {
  readonly store: SessionStore
  readonly now: () => number
  /** The session that a stored one is; undefined where it has ended or doesn't open. */
  readonly find: (stored: StoredSession) => LiveSession | undefined
}

/**
 * Sessions that are good now, the newest first: a page of those that match, and where the next one starts, if there may be more. Each has
 * to be opened to be known, so a page looks at 5,000 at most and may be short or empty.
 * @throws what the store throws
 */
export async function listSessions(
  { store, now, find }: ListingParts,
  { issuer, subject, limit, after }: SessionQuery,
): Promise<SessionList> {
  const sessions: SessionInfo[] = []
  let place = after
  for (let looked = 0; looked < LOOKED; looked += BATCH) {
    const batch = await store.list(BATCH, place)
    for (const stored of batch) {
      place = { createdAt: stored.createdAt, id: stored.id }
      const live = find(stored)
      if (live === undefined || live.isOver(now())) continue
      if (issuer !== undefined && live.identity.issuer !== issuer) continue
      if (subject !== undefined && live.identity.subject !== subject) continue
      sessions.push(infoOf(stored, live))
      if (sessions.length === limit) return { sessions, next: place }
    }
    if (batch.length < BATCH) return { sessions, next: undefined }
    await nextTurn()
  }
  return { sessions, next: place }
}

function infoOf({ id, createdAt, endsAt }: StoredSession, { identity, seenAt }: LiveSession): SessionInfo {
  const { issuer, subject, display, kind, evidence } = identity
  return { id, issuer, subject, display, kind, createdAt, seenAt, endsAt: Math.min(endsAt, evidence.expiresAt) }
}
