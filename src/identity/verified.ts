import type { Verified } from '../core/credential.ts'
import type { Identity } from '../core/principal.ts'
import { Standing, type Revocations } from './revocations/revocations.ts'

/** A key as far as the tokens are concerned that it signed: whether it is still published. */
export interface KeyState {
  left: boolean
}

/** What a token proved. It ends with its key, and when it is revoked, however long ago it fell out of the cache. */
export class VerifiedToken implements Verified {
  readonly identity: Identity
  readonly key: KeyState
  readonly #standing: Standing
  #expiresAt: number
  #revoked = false
  #renewal: Renewal | undefined

  constructor(identity: Identity, expiresAt: number, key: KeyState, revocations: Revocations) {
    this.identity = identity
    this.#expiresAt = expiresAt
    this.key = key
    this.#standing = new Standing(revocations, identity)
  }

  get expiresAt(): number {
    return this.#expiresAt
  }

  get revoked(): boolean {
    return this.#revoked || this.key.left || this.#standing.ended
  }

  set revoked(value: boolean) {
    this.#revoked = value
  }

  /** Has it proven anew while it is in use. */
  renewBy(renewal: Renewal): void {
    this.#renewal = renewal
  }

  inUse(): void {
    this.#renewal?.use()
  }

  /** It was proven anew, and lasts until then. */
  extend(expiresAt: number): void {
    this.#expiresAt = expiresAt
  }
}

/** How long before its end a proof is asked for again: this long, or a quarter of what is left. In milliseconds. */
const AHEAD_MS = 10_000
/** Until it is asked for once more, where nobody could say. */
const RETRY_MS = 2_000

export interface RenewalParts {
  readonly now: () => number
  /** When the proof ends now, in milliseconds since the epoch. */
  readonly expiresAt: () => number
  /** Asks again. `true`: it was told, for better or worse. Never rejects. */
  readonly ask: () => Promise<boolean>
}

/** When a proof that doesn't last is asked for again: only while somebody uses it, ahead of its end, once at a time. */
export class Renewal {
  readonly #parts: RenewalParts
  #at: number

  constructor(parts: RenewalParts) {
    this.#parts = parts
    this.#at = this.#next()
  }

  use(): void {
    const { now, expiresAt, ask } = this.#parts
    if (now() < this.#at) return
    this.#at = Number.POSITIVE_INFINITY
    const before = expiresAt()
    void ask().then((told) => {
      // What lasts no longer than before has its end: it isn't asked for time and again.
      if (!told) this.#at = now() + RETRY_MS
      else if (expiresAt() > before) this.#at = this.#next()
    })
  }

  #next(): number {
    const left = this.#parts.expiresAt() - this.#parts.now()
    return this.#parts.expiresAt() - Math.min(AHEAD_MS, left / 4)
  }
}

/** Whether two proofs of a token are of the same party in all that anything is decided on. */
export function isSame(one: Identity | undefined, other: Identity | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return JSON.stringify(decisive(one)) === JSON.stringify(decisive(other)) && isSame(one.actor, other.actor)
}

function decisive({ issuer, subject, kind, claims, unknownClaims, scopes, appOnly, listedClient, evidence }: Identity): unknown {
  return [issuer, subject, kind, claims, [...unknownClaims], scopes, appOnly, listedClient, { ...evidence, expiresAt: 0 }]
}
