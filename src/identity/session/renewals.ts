import type { Clock, Entropy } from '../../core/clock.ts'
import { pause } from '../../secrets/request.ts'
import type { SessionStore, StoredSession } from '../../store/sessions.ts'
import { readTokens, writeKept, writeTokens, type Kept, type ProviderTokens } from './kept.ts'
import type { Refresh } from './refresh.ts'
import type { Seal } from './seal.ts'

export interface RenewalParts {
  readonly store: SessionStore
  readonly seal: Seal
  readonly clock: Clock
  readonly entropy: Entropy
  readonly refresh: Refresh
}

/** What came of it. */
export type Renewed =
  /** It was proven anew, by this process or another one. */
  | { readonly outcome: 'stored'; readonly stored: StoredSession }
  /** It is over, says the provider. */
  | { readonly outcome: 'refused'; readonly reason: string }
  /** It has ended meanwhile. */
  | { readonly outcome: 'gone' }
  /** Nobody can say now. */
  | { readonly outcome: 'unavailable' }

export interface Due {
  readonly key: string
  /** Version that is known here. */
  readonly version: number
  readonly kept: Kept
}

/** How long one process may take, longer than a token endpoint is waited for twice; and how long the others wait for it. */
const LEASE_MS = 30_000
const WAIT_MS = 15_000
const LOOK_MS = 100
/** Nobody asks a provider again for so long that could not answer. */
const REST_MS = 5_000
/** A result that the store doesn't take at once is offered so often, so far apart: the refresh token in it is the only one. */
const OFFERS = 5
const OFFER_MS = 300

/**
 * Has sessions proven anew by their refresh tokens: one redemption however many requests and processes want it. A process that holds
 * the store's lease for the session redeems and keeps the result, the rotated refresh token with it, before anybody uses it.
 */
export class Renewals {
  readonly #parts: RenewalParts
  readonly #holder: string
  readonly #running = new Map<string, Promise<Renewed>>()

  constructor(parts: RenewalParts) {
    this.#parts = parts
    this.#holder = Buffer.from(parts.entropy.bytes(12)).toString('base64url')
  }

  /**
   * Proves a session anew. @param wait Whether to wait for another process that is doing it: needless while the proof before is good.
   * @throws what the store throws
   */
  async renew(due: Due, wait: boolean): Promise<Renewed> {
    const id = `${due.key} ${wait}`
    const running = this.#running.get(id)
    if (running !== undefined) return running
    const result = this.#renew(due, wait).finally(() => this.#running.delete(id))
    this.#running.set(id, result)
    return result
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values())
  }

  async #renew({ key, version, kept }: Due, wait: boolean): Promise<Renewed> {
    const { store, clock } = this.#parts
    const deadline = clock.monotonic() + WAIT_MS
    for (;;) {
      const now = clock.now()
      switch (await store.lease(key, version, this.#holder, now + LEASE_MS, now)) {
        case 'given':
          return this.#redeem(key, version, kept)
        case 'changed': {
          const stored = await store.find(key)
          return stored === undefined ? { outcome: 'gone' } : { outcome: 'stored', stored }
        }
        case 'resting':
          return { outcome: 'unavailable' }
        case 'held':
          if (!wait || clock.monotonic() >= deadline) return { outcome: 'unavailable' }
          await pause(clock, LOOK_MS)
      }
    }
  }

  async #redeem(key: string, version: number, kept: Kept): Promise<Renewed> {
    const { store, clock, refresh } = this.#parts
    // What this version has; nobody else can have made another one of it.
    const stored = await store.find(key)
    if (stored === undefined) return { outcome: 'gone' }
    const tokens = this.#open(stored)
    const result = tokens === undefined ? undefined : await refresh(kept.identity, tokens)
    switch (result?.outcome) {
      case 'proven':
        return this.#keep(stored, result, result.tokens)
      case 'refused': {
        // Where the lease was over before the answer came, another process may have been faster with the same refresh token.
        const now = await store.find(key)
        if (now === undefined) return { outcome: 'gone' }
        return now.version === version ? result : { outcome: 'stored', stored: now }
      }
      case 'unavailable':
        if (result.tokens !== undefined) {
          await this.#keep(stored, kept, result.tokens)
          await store.lease(key, version + 1, this.#holder, clock.now() + REST_MS, clock.now())
        }
        await store.rest(key, this.#holder, clock.now() + REST_MS)
        return { outcome: 'unavailable' }
      case undefined:
        return { outcome: 'refused', reason: 'no-refresh-token' }
    }
  }

  /** Keeps the next version. Where there is one already, or the session has ended, that counts. */
  async #keep(stored: StoredSession, kept: Kept, tokens: ProviderTokens): Promise<Renewed> {
    const { store, seal } = this.#parts
    const { key, version } = stored
    const next = {
      sealed: seal.seal(`session ${key}`, writeKept(kept)),
      tokens: seal.seal(`session ${key} tokens`, writeTokens(tokens)),
    }
    if (await this.#offered(() => store.reprove(key, version, next)))
      return { outcome: 'stored', stored: { ...stored, ...next, version: version + 1 } }
    const other = await store.find(key)
    return other === undefined ? { outcome: 'gone' } : { outcome: 'stored', stored: other }
  }

  async #offered<T>(work: () => Promise<T>): Promise<T> {
    for (let left = OFFERS; ; left--) {
      try {
        return await work()
      } catch (error) {
        if (left <= 1) throw error
        await pause(this.#parts.clock, OFFER_MS)
      }
    }
  }

  #open({ key, tokens }: StoredSession): ProviderTokens | undefined {
    const content = tokens && this.#parts.seal.open(`session ${key} tokens`, tokens)
    return content && readTokens(content)
  }
}
