import type { Clock, Timer } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Meter } from '../../core/meter.ts'
import type { Identity } from '../../core/principal.ts'
import type { RevocationStore, StoredRevocation } from '../../store/revocations.ts'
import { RevocationIndex } from './match.ts'

/** How often the store is asked whether another process changed it: half of the second that the design allows. */
const POLL_MS = 500
/** How often what is over is removed. */
const SWEEP_MS = 60_000
/** Revocations kept at most. */
export const MAX_REVOCATIONS = 50_000

export interface RevocationParts {
  readonly store: RevocationStore
  readonly clock: Clock
  readonly meter: Meter
  readonly log: (line: string) => void
  /** Default: `MAX_REVOCATIONS`. */
  readonly maximum?: number
}

/**
 * What was revoked, in memory: known here at once, and within half a second where another process revoked it. While the store can't
 * be read, what is known holds on, and nothing new is taken.
 */
export class Revocations {
  readonly #parts: RevocationParts
  #known: Map<string, StoredRevocation>
  #index: RevocationIndex
  readonly #listeners: (() => void)[] = []
  #version: number | undefined
  #failing = false
  #sweepAt: number
  #timer: Timer | undefined
  #closed = false
  /** One thing at a time: a list that was read before a revocation must not replace what came after. */
  #queue: Promise<unknown> = Promise.resolve()
  /** Another number after each change. Whoever was found good before then is looked at anew, once. */
  generation = 0

  /** @param known All that the store holds. */
  constructor(parts: RevocationParts, known: readonly StoredRevocation[]) {
    this.#parts = parts
    this.#known = mapOf(known)
    this.#index = indexOf(known)
    this.#sweepAt = parts.clock.now() + SWEEP_MS
    this.#schedule()
  }

  /** Whether an identity, or a party that acts for it, is revoked. @param began When its session began, if it has one. */
  hits(identity: Identity, began?: number): boolean {
    return this.#index.hits(identity, began)
  }

  /** The oldest first. */
  list(): readonly StoredRevocation[] {
    return [...this.#known.values()]
  }

  /**
   * Revokes. What it ends has ended when the promise resolves; a request that is open is ended within a second.
   * @throws OstiaryError `identity/revocations-unavailable`, `identity/too-many-revocations`; nothing has changed then
   */
  add(revocation: StoredRevocation): Promise<void> {
    return this.#next(async () => {
      const { store, clock, meter, maximum = MAX_REVOCATIONS } = this.#parts
      const added = await this.#ask(() => store.add(revocation, maximum, clock.now()))
      if (added === 'full') throw new OstiaryError('identity/too-many-revocations', { limit: maximum })
      this.#known.set(revocation.id, revocation)
      this.#index.add(revocation.target)
      this.generation++
      meter.count('identity_revocations', { event: 'revoked' })
    })
  }

  /**
   * Takes a revocation back: what it ended is good again if it is still valid, but a session that has ended stays ended. Answers
   * false if there is none of this id. @throws OstiaryError `identity/revocations-unavailable`; nothing has changed then
   */
  lift(id: string): Promise<boolean> {
    return this.#next(async () => {
      const { store, meter } = this.#parts
      if (!(await this.#ask(() => store.lift(id)))) return false
      this.#known.delete(id)
      this.#rebuild(this.list())
      meter.count('identity_revocations', { event: 'lifted' })
      return true
    })
  }

  /** Called back after a change that another process made, for whoever holds what is open. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** For readiness. Not healthy: the store can't be read now, so that revocations of other processes are not known. */
  status(): { readonly healthy: boolean; readonly count: number } {
    return { healthy: !this.#failing, count: this.#known.size }
  }

  /** Resolves once all that was begun before is done. */
  async settled(): Promise<void> {
    await this.#queue
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.settled()
    await this.#parts.store.close()
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => undefined)
    return done
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      this.#parts.meter.count('identity_store_failures')
      throw new OstiaryError('identity/revocations-unavailable', {}, { cause: error })
    }
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = this.#parts.clock.after(POLL_MS, () => void this.#next(() => this.#poll()).finally(() => this.#schedule()))
  }

  async #poll(): Promise<void> {
    const { store, clock, meter, log } = this.#parts
    try {
      const version = await store.version()
      if (version !== this.#version || this.#failing) {
        // Read after the version: a change in between has yet another one.
        this.#rebuild(await store.list())
        this.#version = version
        for (const listener of this.#listeners) listener()
      }
      if (clock.now() >= this.#sweepAt) await this.#sweep()
      if (this.#failing) log('revocations: the store can be read again')
      this.#failing = false
    } catch (error) {
      meter.count('identity_store_failures')
      if (!this.#failing) log(`revocations: the store can not be read (${causeOf(error)}); what is known holds on, nothing new is taken`)
      this.#failing = true
    }
  }

  async #sweep(): Promise<void> {
    const { store, clock, meter } = this.#parts
    const now = clock.now()
    this.#sweepAt = now + SWEEP_MS
    const gone = await store.sweep(now)
    if (gone === 0) return
    meter.count('identity_revocations', { event: 'over' }, gone)
    this.#rebuild(await store.list())
  }

  #rebuild(all: readonly StoredRevocation[]): void {
    this.#known = mapOf(all)
    this.#index = indexOf(all)
    this.generation++
  }
}

/**
 * The revocations of a store, all of them known from the start.
 * @throws OstiaryError `store/revocations` where they can't be read: then nobody may be let in
 */
export async function openRevocations(parts: RevocationParts, file: string): Promise<Revocations> {
  let known: readonly StoredRevocation[]
  try {
    known = await parts.store.list()
  } catch (error) {
    await parts.store.close()
    throw new OstiaryError('store/revocations', { file, cause: causeOf(error) })
  }
  return new Revocations(parts, known)
}

/** Where somebody who was proven stands with the revocations: looked up once, and once more after each change of them. */
export class Standing {
  readonly #revocations: Revocations
  readonly #identity: Identity
  readonly #began: number | undefined
  #generation = -1
  #ended = false

  /** @param began When the session of this identity began, if it is one. */
  constructor(revocations: Revocations, identity: Identity, began?: number) {
    this.#revocations = revocations
    this.#identity = identity
    this.#began = began
  }

  /** One comparison of two numbers, unless something was revoked or lifted since. */
  get ended(): boolean {
    const { generation } = this.#revocations
    if (this.#generation !== generation) {
      this.#generation = generation
      this.#ended = this.#revocations.hits(this.#identity, this.#began)
    }
    return this.#ended
  }
}

const mapOf = (all: readonly StoredRevocation[]): Map<string, StoredRevocation> => new Map(all.map((one) => [one.id, one]))
const indexOf = (all: readonly StoredRevocation[]): RevocationIndex => new RevocationIndex(all.map(({ target }) => target))

/** Of the store's error only its kind: nothing that it holds. */
function causeOf(error: unknown): string {
  const { code, errcode } = error as { readonly code?: string; readonly errcode?: number }
  return errcode === undefined ? (code ?? 'unreadable') : `SQLite error ${errcode}`
}
