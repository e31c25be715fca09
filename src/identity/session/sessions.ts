import type { Clock, Entropy, Timer } from '../../core/clock.ts'
import type { AuthResult, Presentation } from '../../core/credential.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Meter } from '../../core/meter.ts'
import type { Identity } from '../../core/principal.ts'
import type { Secret } from '../../core/secret.ts'
import type { SessionStore, StoredSession } from '../../store/sessions.ts'
import { Budget } from '../budget.ts'
import { Standing, type Revocations } from '../revocations/revocations.ts'
import { isSame } from '../verified.ts'
import { keyOf, newHandle, providerKeyOf } from './handle.ts'
import { readKept, readTokens, writeKept, writeTokens, type ProviderTokens } from './kept.ts'
import { listSessions, type SessionList, type SessionQuery } from './listing.ts'
import { LiveSession, LiveSessions } from './live.ts'
import type { Refresh } from './refresh.ts'
import { Renewals } from './renewals.ts'
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
  /** Proves a session anew by its refresh token. */
  readonly refresh: Refresh
  /** Told of a session that its provider no longer stands for. It has ended here; other processes have to be told. Never rejects. */
  readonly onRefused: (identity: Identity, reason: string) => Promise<void>
}

/** What is known of a session that was ended. */
export interface Ended {
  readonly issuer: string
  /** Undefined where it can't be read. */
  readonly identity: Identity | undefined
  /** To sign out at the provider. */
  readonly idToken: string | undefined
}

/** What the provider gave at sign-in. Times are in milliseconds since the epoch. */
export interface Given {
  readonly tokens: ProviderTokens
  /** When what it proves has to be proven anew; undefined where the session lasts without. */
  readonly provenUntil: number | undefined
  /** Its own name of the session (`sid`). */
  readonly sid: string | undefined
}

/** A session that has just begun. The handle goes to the browser and nowhere else. */
export interface NewSession {
  /** Names it in records. */
  readonly id: string
  readonly handle: Secret
  readonly identity: Identity
}

/** Sessions held in memory at most; the others are in the store. */
const HELD = 10_000
/** How often what is over is removed. */
const SWEEP_MS = 60_000
/** The store learns of the use of a session at most this often. */
const NOTE_MS = 60_000
/** Look-ups in the store that find nothing that one source may cause, and sessions that are being looked up at most. */
const COLD = { rate: 200, burst: 400, sources: 10_000 }
const LOADING = 1_000
/** How long until a session is asked about again that nobody could prove anew. */
const RETRY_MS = 5_000
/** Ended sessions remembered at most while the store can't be told. */
const UNTOLD = 10_000

const unknown: AuthResult = { outcome: 'rejected', reason: 'session-unknown' }
const expired: AuthResult = { outcome: 'rejected', reason: 'session-expired' }
const revoked: AuthResult = { outcome: 'rejected', reason: 'revoked' }
const unproven: AuthResult = { outcome: 'unavailable', cause: 'provider' }
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
  readonly #renewals: Renewals
  #timer: Timer | undefined
  #closed = false

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.#budget = new Budget(parts.clock, COLD)
    this.#noteEvery = Math.min(NOTE_MS, parts.limits.idle / 10)
    this.#renewals = new Renewals(parts)
    this.#schedule()
  }

  /**
   * Begins a session for an identity that was just proven. @param endsAt In place of the configured lifetime. @param given By the provider.
   * @throws OstiaryError `identity/revoked`, `identity/too-many-sessions`; whatever the store throws
   */
  async create(identity: Identity, endsAt?: number, given?: Given): Promise<NewSession> {
    const { store, seal, clock, entropy, meter, limits, revocations } = this.#parts
    const now = clock.now()
    if (revocations.hits(identity, now)) throw new OstiaryError('identity/revoked')
    const until = endsAt ?? now + limits.absolute
    const handle = newHandle(entropy)
    const key = keyOf(handle)!
    const id = Buffer.from(entropy.bytes(12)).toString('base64url')
    const own: Identity = { ...identity, evidence: { ...identity.evidence, sessionId: id, expiresAt: until } }
    const session: StoredSession = {
      key,
      id,
      issuer: own.issuer,
      sealed: seal.seal(`session ${key}`, writeKept({ identity: own, provenUntil: given?.provenUntil })),
      tokens: given && seal.seal(`session ${key} tokens`, writeTokens(given.tokens)),
      providerSession: given?.sid === undefined ? undefined : providerKeyOf(own.issuer, given.sid),
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
    this.#live.add(this.#liveOf(session, own, given?.provenUntil))
    return { id, handle, identity: own }
  }

  /** Whose session it is: at once where it is in use. */
  authenticate(handle: Secret, at: Presentation): AuthResult | Promise<AuthResult> {
    const key = keyOf(handle)
    if (key === undefined) return unknown
    const live = this.#live.get(key)
    const now = this.#parts.clock.now()
    if (live !== undefined && live.isCurrent(now)) return this.#use(live, now)
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
   * Ends a session at once: what it has open is closed, whether or not the store can be reached. Answers whose it was, or
   * undefined if there was no such session. @throws what the store throws; the session stays ended here, and the store is told again
   */
  async end(handle: Secret): Promise<Ended | undefined> {
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

  /** Sessions that are good now, the newest first, page by page. @throws what the store throws */
  list(query: SessionQuery): Promise<SessionList> {
    const { store, clock } = this.#parts
    const find = (stored: StoredSession): LiveSession | undefined =>
      this.#live.get(stored.key) ?? (this.#ended.has(stored.key) ? undefined : this.#open(stored))
    return listSessions({ store, now: () => clock.now(), find }, query)
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
    await this.#renewals.settled()
    await this.#parts.store.close()
  }

  #use(live: LiveSession, now: number): AuthResult {
    live.seenAt = Math.max(live.seenAt, now)
    if (live.seenAt - live.notedAt >= this.#noteEvery) {
      live.notedAt = live.seenAt
      this.#parts.store.seen(live.key, live.seenAt).catch(() => this.#storeFailed())
    }
    live.inUse()
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
    const live = this.#take(stored)
    if (live === undefined) return unknown
    live.seenAt = Math.max(live.seenAt, stored.seenAt) // another process may have seen it since
    return this.#judge(live, clock.now())
  }

  #judge(live: LiveSession, now: number): AuthResult | Promise<AuthResult> {
    if (live.isCurrent(now)) return this.#use(live, now)
    if (!live.isOver(now)) return this.#prove(live, true)
    const reason = live.revoked ? revoked : expired
    this.#end(live.key).catch(() => undefined)
    return reason
  }

  /** The session in use that a stored one is. Where it was proven anew since, and says something else by now, what is open of it ends. */
  #take(stored: StoredSession): LiveSession | undefined {
    const known = this.#live.get(stored.key)
    if (known !== undefined && known.version >= stored.version) return known
    const opened = this.#open(stored)
    if (opened === undefined) {
      this.#revoke(stored.key)
      return undefined
    }
    if (known !== undefined) {
      if (isSame(known.identity, { ...opened.identity, evidence: known.identity.evidence })) {
        known.extend(opened.provenUntil, opened.version)
        return known
      }
      opened.seenAt = Math.max(opened.seenAt, known.seenAt)
      known.revoked = true
    }
    this.#live.add(opened)
    return opened
  }

  /** Has a session proven anew. @param wait Whether what it proved before is over, so that its requests have to wait. */
  async #prove(live: LiveSession, wait: boolean): Promise<AuthResult> {
    const { clock, meter, onRefused } = this.#parts
    const { key, identity, version, provenUntil } = live
    let result
    try {
      result = await this.#renewals.renew({ key, version, kept: { identity, provenUntil } }, wait)
    } catch {
      this.#storeFailed()
      live.renewAgain(clock.now() + RETRY_MS)
      return noStore
    }
    meter.count('identity_session_renewals', { outcome: result.outcome })
    if (this.#ended.has(key) || live.revoked) return unknown
    switch (result.outcome) {
      case 'stored': {
        const proven = this.#take(result.stored)
        if (proven === undefined) return unknown
        // A version may hold another refresh token and no newer proof.
        if (proven.isCurrent(clock.now())) return this.#use(proven, clock.now())
        proven.renewAgain(clock.now() + RETRY_MS)
        return unproven
      }
      case 'refused':
        this.#ended.add(key)
        this.#revoke(key)
        // In the store it goes last: whoever tells others has to find it there.
        void onRefused(identity, result.reason).then(() => this.#end(key).catch(() => undefined))
        return expired
      case 'gone':
        this.#revoke(key)
        return unknown
      case 'unavailable':
        live.renewAgain(clock.now() + RETRY_MS)
        return unproven
    }
  }

  #open(stored: StoredSession): LiveSession | undefined {
    const content = this.#parts.seal.open(`session ${stored.key}`, stored.sealed)
    const kept = content && readKept(content)
    if (kept === undefined || !this.#parts.accepts(kept.identity)) return undefined
    return this.#liveOf(stored, kept.identity, kept.provenUntil)
  }

  #liveOf({ key, createdAt, endsAt, seenAt, version }: StoredSession, identity: Identity, provenUntil: number | undefined): LiveSession {
    const { limits, revocations, clock } = this.#parts
    return new LiveSession({
      key,
      identity,
      // Who can write to the store but not seal can't make a session last.
      endsAt: Math.min(endsAt, identity.evidence.expiresAt),
      seenAt,
      idle: limits.idle,
      standing: new Standing(revocations, identity, createdAt),
      version,
      provenUntil,
      renew: provenUntil === undefined ? undefined : (session) => void this.#prove(session, false),
      now: () => clock.now(),
    })
  }

  async #end(key: string): Promise<Ended | undefined> {
    const { store, seal, meter } = this.#parts
    this.#ended.add(key)
    const live = this.#revoke(key)
    try {
      const stored = await store.find(key)
      const found = await store.end(key)
      await this.#loading.get(key) // what was asked of the store before it knew
      this.#revoke(key)
      this.#ended.delete(key)
      if (found) meter.count('identity_sessions', { event: 'ended' })
      const issuer = live?.identity.issuer ?? stored?.issuer
      if (issuer === undefined) return undefined
      const tokens = stored?.tokens && seal.open(`session ${key} tokens`, stored.tokens)
      const identity = live?.identity ?? (stored && this.#open(stored)?.identity)
      return { issuer, identity, idToken: tokens && readTokens(tokens)?.idToken }
    } catch (error) {
      this.#storeFailed()
      if (this.#ended.size > UNTOLD) this.#ended.delete(this.#ended.values().next().value!)
      throw error
    }
  }

  /** Ends the object that requests and streams share; answers it. */
  #revoke(key: string): LiveSession | undefined {
    const live = this.#live.get(key)
    if (live === undefined) return undefined
    live.revoked = true
    this.#live.remove(key)
    return live
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
    for (const live of this.#live) if (live.isOver(now)) await this.#load(live.key)
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
