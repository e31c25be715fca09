import { CLOCK_SKEW_MS } from '../../core/clock.ts'
import type { AuthResult, Verified } from '../../core/credential.ts'
import type { Identity } from '../../core/principal.ts'
import type { Standing } from '../revocations/revocations.ts'

/** How long before its proof ends a session is proven anew: this long, or a quarter of what is left. In milliseconds. */
const AHEAD_MS = CLOCK_SKEW_MS + 60_000

export interface LiveState {
  readonly key: string
  readonly identity: Identity
  /** Milliseconds since the epoch: when it ends at the latest, and when it was used last. */
  readonly endsAt: number
  readonly seenAt: number
  /** Milliseconds without a request after which it ends before `endsAt`. */
  readonly idle: number
  readonly standing: Standing
  /** Of what is stored. */
  readonly version: number
  /** When it has to be proven anew, in milliseconds since the epoch; undefined where it doesn't. */
  readonly provenUntil: number | undefined
  /** Has it proven anew, which is asked for ahead of `provenUntil`, while it is in use. Undefined where nothing can. */
  readonly renew: ((session: LiveSession) => void) | undefined
  readonly now: () => number
}

/** A session that is in use: the one object that all its requests and streams share, so that ending it ends them all. */
export class LiveSession implements Verified {
  readonly key: string
  readonly identity: Identity
  /** Milliseconds since the epoch, of the last request; and of the last one that the store knows of. */
  seenAt: number
  notedAt: number
  readonly answer: AuthResult
  readonly #state: LiveState
  #version: number
  #provenUntil: number
  #renewAt: number
  #revoked = false

  constructor(state: LiveState) {
    const { key, identity, seenAt, version, provenUntil = Number.POSITIVE_INFINITY } = state
    this.key = key
    this.identity = identity
    this.seenAt = seenAt
    this.notedAt = seenAt
    this.answer = { outcome: 'verified', verified: this }
    this.#state = state
    this.#version = version
    this.#provenUntil = provenUntil
    this.#renewAt = this.#ahead()
  }

  get revoked(): boolean {
    return this.#revoked || this.#state.standing.ended
  }

  set revoked(value: boolean) {
    this.#revoked = value
  }

  get version(): number {
    return this.#version
  }

  get provenUntil(): number | undefined {
    return Number.isFinite(this.#provenUntil) ? this.#provenUntil : undefined
  }

  /** Moves with every request. An open stream is none: it ends with a session that nobody uses otherwise. */
  get expiresAt(): number {
    return Math.min(this.#endsAt, this.#provenUntil)
  }

  /** It is good as it is. */
  isCurrent(now: number): boolean {
    return !this.revoked && now < this.expiresAt
  }

  /** It is good for nothing any more, not even if it were proven anew. */
  isOver(now: number): boolean {
    return this.revoked || now >= this.#endsAt || (this.#state.renew === undefined && now >= this.#provenUntil)
  }

  inUse(): void {
    const { renew, now } = this.#state
    if (renew === undefined || now() < this.#renewAt) return
    this.#renewAt = Number.POSITIVE_INFINITY
    renew(this)
  }

  /** Nobody could say: it is asked for again from `at` on. */
  renewAgain(at: number): void {
    this.#renewAt = at
  }

  /** The same was proven anew. */
  extend(provenUntil: number | undefined, version: number): void {
    this.#provenUntil = provenUntil ?? Number.POSITIVE_INFINITY
    this.#version = version
    this.#renewAt = this.#ahead()
  }

  get #endsAt(): number {
    return Math.min(this.#state.endsAt, this.seenAt + this.#state.idle)
  }

  #ahead(): number {
    return this.#provenUntil - Math.min(AHEAD_MS, (this.#provenUntil - this.#state.now()) / 4)
  }
}

/**
 * The sessions in use. Those used last are held on to, in two generations; one that fell out is still found as long as a request or a
 * stream holds on to it, so that there are never two objects for one session.
 */
export class LiveSessions {
  readonly #half: number
  #young = new Map<string, LiveSession>()
  #old = new Map<string, LiveSession>()
  readonly #all = new Map<string, WeakRef<LiveSession>>()
  readonly #gone = new FinalizationRegistry<string>((key) => {
    if (this.#all.get(key)?.deref() === undefined) this.#all.delete(key)
  })

  /** @param size Sessions that are held on to at most. */
  constructor(size: number) {
    this.#half = Math.max(1, Math.floor(size / 2))
  }

  get(key: string): LiveSession | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const other = this.#old.get(key) ?? this.#all.get(key)?.deref()
    if (other !== undefined) this.#hold(other)
    return other
  }

  add(session: LiveSession): void {
    this.#all.set(session.key, new WeakRef(session))
    this.#gone.register(session, session.key)
    this.#hold(session)
  }

  remove(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
    this.#all.delete(key)
  }

  *[Symbol.iterator](): IterableIterator<LiveSession> {
    for (const reference of this.#all.values()) {
      const session = reference.deref()
      if (session !== undefined) yield session
    }
  }

  #hold(session: LiveSession): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#old.delete(session.key)
    this.#young.set(session.key, session)
  }
}
