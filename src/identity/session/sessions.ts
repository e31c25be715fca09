import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock, Entropy, Timer } from '../../core/clock.ts'
import type { AuthResult, Presentation } from '../../core/credential.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Meter } from '../../core/meter.ts'
import type { Identity } from '../../core/principal.ts'
import type { Secret } from '../../core/secret.ts'
import type { SessionPage, SessionStore, StoredSession } from '../../store/sessions.ts'
import { Budget } from '../budget.ts'
import { Standing, type Revocations } from '../revocations/revocations.ts'
import { keyOf, newHandle } from './handle.ts'
import { readIdentity, writeIdentity } from './kept.ts'
import { LiveSession, LiveSessions } from './live.ts'
import type { Seal } from './seal.ts'

/** Times are in milliseconds. */
export interface SessionLimits {
  /** A session ends after this long without a request, and this long after it began. */
  readonly idle: number
  readonly absolute: number
  /** Sessions kept at most. */
  readonly maximum: number
}

export interface SessionParts {
  readonly store: SessionStore
  readonly seal: Seal
  readonly clock: Clock
  readonly entropy: Entropy
  readonly meter: Meter
  readonly limits: SessionLimits
  readonly revocations: Revocations
  /** Whether an identity that was proven before the start still counts: its issuer may be gone, or another provider by now. */
  readonly accepts: (identity: Identity) => boolean
}

/** A session that has just begun. The handle goes to the browser and nowhere else. */
export interface NewSession {
  /** Names it in records. */
  readonly id: string
  readonly handle: Secret
  readonly identity: Identity
}

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
/** Sessions held in memory at most; the others are in the store. */
const HELD = 10_000
/** How often what is over is removed. */
const SWEEP_MS = 60_000
/** The store learns of the use of a session at most this often. */
const NOTE_MS = 60_000
/** Look-ups in the store that find nothing that one source may cause, and sessions that are being looked up at most. */
const COLD = { rate: 200, burst: 400, sources: 10_000 }
const LOADING = 1_000
/** Ended sessions remembered at most while the store can't be told. */
const UNTOLD = 10_000

const unknown: AuthResult = { outcome: 'rejected', reason: 'session-unknown' }
const expired: AuthResult = { outcome: 'rejected', reason: 'session-expired' }
const revoked: AuthResult = { outcome: 'rejected', reason: 'revoked' }
const noStore: AuthResult = { outcome: 'unavailable', cause: 'store' }
const overloaded: AuthResult = { outcome: 'unavailable', cause: 'overloaded' }

/** Browser sessions: server-side, found by the hash of a random handle, each one object for as long as it is in use. */
export class Sessions {
  readonly #parts: SessionParts
  readonly #live = new LiveSessions(HELD)
  readonly #loading = new Map<string, Promise<AuthResult>>()
  /** Ended here, which the store may not know yet: whatever it answers, they are over. */
  readonly #ended = new Set<string>()
  readonly #budget: Budget
  readonly #noteEvery: number
  #timer: Timer | undefined
  #closed = false

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.#budget = new Budget(parts.clock, COLD)
    this.#noteEvery = Math.min(NOTE_MS, parts.limits.idle / 10)
    this.#schedule()
  }

  /**
   * Begins a session for an identity that was just proven. @param endsAt In place of the configured lifetime.
   * @throws OstiaryError `identity/revoked`, `identity/too-many-sessions`; whatever the store throws
   */
  async create(identity: Identity, endsAt?: number): Promise<NewSession> {
    const { store, seal, clock, entropy, meter, limits, revocations } = this.#parts
    const now = clock.now()
    if (revocations.hits(identity, now)) throw new OstiaryError('identity/revoked')
    const until = endsAt ?? now + limits.absolute
    const handle = newHandle(entropy)
    const key = keyOf(handle)!
    const id = Buffer.from(entropy.bytes(12)).toString('base64url')
    const own: Identity = { ...identity, evidence: { ...identity.evidence, sessionId: id, expiresAt: until } }
    const sealed = seal.seal(`session ${key}`, writeIdentity(own))
    const session: StoredSession = {
      key,
      id,
      issuer: own.issuer,
      sealed,
      tokens: undefined,
      providerSession: undefined,
      version: 0,
      createdAt: now,
      seenAt: now,
      endsAt: until,
    }
    if ((await store.add(session, limits.maximum, now)) === 'full') {
      meter.count('identity_sessions', { event: 'refused' })
      throw new OstiaryError('identity/too-many-sessions', { limit: limits.maximum })
    }
    meter.count('identity_sessions', { event: 'began' })
    this.#live.add(new LiveSession(key, own, until, now, limits.idle, new Standing(revocations, own, now)))
    return { id, handle, identity: own }
  }

  /** Whose session it is: at once where it is in use. */
  authenticate(handle: Secret, at: Presentation): AuthResult | Promise<AuthResult> {
    const key = keyOf(handle)
    if (key === undefined) return unknown
    const live = this.#live.get(key)
    const now = this.#parts.clock.now()
    if (live !== undefined && isCurrent(live, now)) return this.#use(live, now)
    if (this.#ended.has(key)) return unknown
    const loading = this.#loading.get(key)
    if (loading !== undefined) return loading
    if (!this.#budget.take(at.source) || this.#loading.size >= LOADING) {
      this.#parts.meter.count('identity_limit', { limit: 'session' })
      return overloaded
    }
    return this.#load(key).then((result) => {
      // Nobody has a good handle but who was given it: a browser that comes back is no attacker.
      if (result.outcome === 'verified') this.#budget.giveBack(at.source)
      return result
    })
  }

  /**
   * Ends a session at once: what it has open is closed, whether or not the store can be reached. Answers the issuer that proved it, or
   * undefined if there was no such session. @throws what the store throws; the session stays ended here, and the store is told again
   */
  async end(handle: Secret): Promise<string | undefined> {
    const key = keyOf(handle)
    return key === undefined ? undefined : this.#end(key)
  }

  /** The same for the session of this public id; false if there is none. @throws what the store throws */
  async endNamed(id: string): Promise<boolean> {
    const stored = await this.#parts.store.named(id)
    if (stored === undefined) return false
    await this.#end(stored.key)
    return true
  }

  /**
   * Sessions that are good now, the newest first: a page of those that match, and where the next one starts, if there may be more. Each has
   * to be opened to be known, so a page looks at 5,000 at most and may be short or empty.
   * @throws what the store throws
   */
  async list({ issuer, subject, limit, after }: SessionQuery): Promise<SessionList> {
    const { store, clock } = this.#parts
    const sessions: SessionInfo[] = []
    let place = after
    for (let looked = 0; looked < LOOKED; looked += BATCH) {
      const batch = await store.list(BATCH, place)
      for (const stored of batch) {
        place = { createdAt: stored.createdAt, id: stored.id }
        const live = this.#live.get(stored.key) ?? (this.#ended.has(stored.key) ? undefined : this.#open(stored))
        if (live === undefined || !isCurrent(live, clock.now())) continue
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

  /** When the session of this public id ends at the latest; undefined if there is none. @throws what the store throws */
  async endOf(id: string): Promise<number | undefined> {
    return (await this.#parts.store.named(id))?.endsAt
  }

  /** When the last session ends, of those that are kept. @throws what the store throws */
  lastEnd(): Promise<number | undefined> {
    return this.#parts.store.lastEnd()
  }

  /** Sessions that are held in memory or by an open stream. */
  get inUse(): number {
    return [...this.#live].length
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await Promise.allSettled(this.#loading.values())
    await this.#parts.store.close()
  }

  #use(live: LiveSession, now: number): AuthResult {
    live.seenAt = Math.max(live.seenAt, now)
    if (live.seenAt - live.notedAt >= this.#noteEvery) {
      live.notedAt = live.seenAt
      this.#parts.store.seen(live.key, live.seenAt).catch(() => this.#storeFailed())
    }
    return live.answer
  }

  #load(key: string): Promise<AuthResult> {
    const loading = this.#loading.get(key)
    if (loading !== undefined) return loading
    const answer = this.#ask(key).finally(() => this.#loading.delete(key))
    this.#loading.set(key, answer)
    return answer
  }

  async #ask(key: string): Promise<AuthResult> {
    const { store, clock } = this.#parts
    let stored: StoredSession | undefined
    try {
      stored = await store.find(key)
    } catch {
      this.#storeFailed()
      return noStore
    }
    // It may have been ended, here, while the store was asked.
    if (stored === undefined || this.#ended.has(key)) {
      this.#revoke(key)
      return unknown
    }
    const now = clock.now()
    const known = this.#live.get(key)
    const live = known ?? this.#open(stored)
    if (live === undefined) return unknown
    live.seenAt = Math.max(live.seenAt, stored.seenAt) // another process may have seen it since
    if (!isCurrent(live, now)) {
      const reason = live.revoked ? revoked : expired
      this.#end(key).catch(() => undefined)
      return reason
    }
    if (known === undefined) this.#live.add(live)
    return this.#use(live, now)
  }

  #open({ key, sealed, createdAt, endsAt, seenAt }: StoredSession): LiveSession | undefined {
    const { seal, limits, revocations, accepts } = this.#parts
    const content = seal.open(`session ${key}`, sealed)
    const identity = content === undefined ? undefined : readIdentity(content)
    if (identity === undefined || !accepts(identity)) return undefined
    // Who can write to the store but not seal can't make a session last.
    const until = Math.min(endsAt, identity.evidence.expiresAt)
    return new LiveSession(key, identity, until, seenAt, limits.idle, new Standing(revocations, identity, createdAt))
  }

  async #end(key: string): Promise<string | undefined> {
    const { store, meter } = this.#parts
    this.#ended.add(key)
    const issuer = this.#revoke(key)
    try {
      const stored = issuer === undefined ? await store.find(key) : undefined
      const found = await store.end(key)
      await this.#loading.get(key) // what was asked of the store before it knew
      this.#revoke(key)
      this.#ended.delete(key)
      if (found) meter.count('identity_sessions', { event: 'ended' })
      return issuer ?? stored?.issuer
    } catch (error) {
      this.#storeFailed()
      if (this.#ended.size > UNTOLD) this.#ended.delete(this.#ended.values().next().value!)
      throw error
    }
  }

  /** Ends the object that requests and streams share; answers whose it was. */
  #revoke(key: string): string | undefined {
    const live = this.#live.get(key)
    if (live === undefined) return undefined
    live.revoked = true
    this.#live.remove(key)
    return live.identity.issuer
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = this.#parts.clock.after(SWEEP_MS, () => {
      void this.#sweep().finally(() => this.#schedule())
    })
  }

  async #sweep(): Promise<void> {
    const { store, clock, limits, meter } = this.#parts
    const now = clock.now()
    for (const live of this.#live) if (!isCurrent(live, now)) await this.#load(live.key)
    try {
      for (const key of this.#ended) await this.#end(key)
      const removed = await store.sweep(now, now - limits.idle - this.#noteEvery)
      if (removed > 0) meter.count('identity_sessions', { event: 'expired' }, removed)
    } catch {
      this.#storeFailed()
    }
  }

  #storeFailed(): void {
    this.#parts.meter.count('identity_store_failures')
  }
}

function isCurrent({ revoked, expiresAt }: LiveSession, now: number): boolean {
  return !revoked && now < expiresAt
}

function infoOf({ id, createdAt, endsAt }: StoredSession, { identity, seenAt }: LiveSession): SessionInfo {
  const { issuer, subject, display, kind, evidence } = identity
  return { id, issuer, subject, display, kind, createdAt, seenAt, endsAt: Math.min(endsAt, evidence.expiresAt) }
}
