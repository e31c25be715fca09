import type { AuthResult, Verified } from '../../core/credential.ts'
import type { Identity } from '../../core/principal.ts'
import type { Standing } from '../revocations/revocations.ts'

/** A session that is in use: the one object that all its requests and streams share, so that ending it ends them all. */
export class LiveSession implements Verified {
  readonly key: string
  readonly identity: Identity
  /** Milliseconds since the epoch, of the last request; and of the last one that the store knows of. */
  seenAt: number
  notedAt: number
  readonly answer: AuthResult
  readonly #endsAt: number
  readonly #idle: number
  readonly #standing: Standing
  #revoked = false

  /** @param idle Milliseconds without a request after which it ends before `endsAt`. */
  constructor(key: string, identity: Identity, endsAt: number, seenAt: number, idle: number, standing: Standing) {
    this.key = key
    this.#standing = standing
    this.identity = identity
    this.#endsAt = endsAt
    this.#idle = idle
    this.seenAt = seenAt
    this.notedAt = seenAt
    this.answer = { outcome: 'verified', verified: this }
  }

  get revoked(): boolean {
    return this.#revoked || this.#standing.ended
  }

  set revoked(value: boolean) {
    this.#revoked = value
  }

  /** Moves with every request. An open stream is none: it ends with a session that nobody uses otherwise. */
  get expiresAt(): number {
    return Math.min(this.#endsAt, this.seenAt + this.#idle)
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
