import type { Clock, Timer } from '../core/clock.ts'
import { OstiaryError, type Code } from '../core/errors.ts'
import type { Meter } from '../core/meter.ts'
import type { Kept, KeptStore } from './kept.ts'

/** How often the store is asked whether another process changed it: half of the second that the design allows. */
const POLL_MS = 500
/** How often what is over is removed. */
const SWEEP_MS = 60_000

export interface SharedParts<T extends Kept> {
  readonly store: KeptStore<T>
  readonly clock: Clock
  readonly meter: Meter
  readonly log: (line: string) => void
  /** Kept at most. */
  readonly maximum: number
  /** What it is called in the log, such as `revocations`. */
  readonly name: string
  /** What follows for the operator while the store can't be read. */
  readonly meanwhile: string
  readonly errors: { readonly unavailable: Code; readonly full: Code }
  /** Called before anybody else knows: with what was added, or with all of it after any other change. */
  changed(change: { readonly added: T } | { readonly all: readonly T[] }): void
  /** So many were over and have been removed. */
  swept?(count: number): void
}

/** What is kept, in memory, of one of several processes: known here at once, and within half a second where another process changed it. */
export class Shared<T extends Kept> {
  readonly #parts: SharedParts<T>
  #known: Map<string, T>
  readonly #listeners: (() => void)[] = []
  #version: number | undefined
  #failing = false
  #sweepAt: number
  #timer: Timer | undefined
  #closed = false
  /** One thing at a time: a list that was read before an addition must not replace what came after. */
  #queue: Promise<unknown> = Promise.resolve()

  /** @param known All that the store holds. */
  constructor(parts: SharedParts<T>, known: readonly T[]) {
    this.#parts = parts
    this.#known = mapOf(known)
    this.#sweepAt = parts.clock.now() + SWEEP_MS
    parts.changed({ all: known })
    this.#schedule()
  }

  /** The oldest first. */
  list(): readonly T[] {
    return [...this.#known.values()]
  }

  /** It counts when the promise resolves. Rejects with OstiaryError as the parts name it; nothing has changed then. */
  add(one: T): Promise<void> {
    return this.#next(async () => {
      const { store, clock, maximum, errors } = this.#parts
      const added = await this.#ask(() => store.add(one, maximum, clock.now()))
      if (added === 'full') throw new OstiaryError(errors.full, { limit: maximum })
      this.#known.set(one.id, one)
      this.#parts.changed({ added: one })
    })
  }

  /** It counts no more when the promise resolves. Answers false if there is none of this id. Rejects as `add` does. */
  remove(id: string): Promise<boolean> {
    return this.#next(async () => {
      if (!(await this.#ask(() => this.#parts.store.remove(id)))) return false
      this.#known.delete(id)
      this.#parts.changed({ all: this.list() })
      return true
    })
  }

  /** Called back after a change that another process made, after what is over was removed, and when the store can't be read any more or again. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Not healthy: the store can't be read now, so that changes of other processes are not known. */
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

  #next<R>(work: () => Promise<R>): Promise<R> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => undefined)
    return done
  }

  async #ask<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work()
    } catch (error) {
      this.#parts.meter.count('identity_store_failures')
      throw new OstiaryError(this.#parts.errors.unavailable, {}, { cause: error })
    }
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = this.#parts.clock.after(POLL_MS, () => void this.#next(() => this.#poll()).finally(() => this.#schedule()))
  }

  async #poll(): Promise<void> {
    const { store, clock, meter, log, name, meanwhile } = this.#parts
    try {
      const version = await store.version()
      if (version !== this.#version || this.#failing) {
        // Read after the version: a change in between has yet another one.
        this.#take(await store.list())
        this.#version = version
        if (this.#failing) log(`${name}: the store can be read again`)
        this.#failing = false
        this.#tell()
      }
      if (clock.now() >= this.#sweepAt) await this.#sweep()
    } catch (error) {
      meter.count('identity_store_failures')
      if (this.#failing) return
      this.#failing = true
      log(`${name}: the store can not be read (${causeOf(error)}); ${meanwhile}`)
      this.#tell()
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  async #sweep(): Promise<void> {
    const { store, clock } = this.#parts
    const now = clock.now()
    this.#sweepAt = now + SWEEP_MS
    const gone = await store.sweep(now)
    if (gone === 0) return
    this.#parts.swept?.(gone)
    this.#take(await store.list())
    // What waits for an end may not have come to it yet.
    this.#tell()
  }

  #take(all: readonly T[]): void {
    this.#known = mapOf(all)
    this.#parts.changed({ all })
  }
}

function mapOf<T extends Kept>(all: readonly T[]): Map<string, T> {
  return new Map(all.map((one) => [one.id, one]))
}

/**
 * All that a store holds, before anything may count on it; the store is closed where that can't be read.
 * @throws OstiaryError with the code, `file` and the cause
 */
export async function readKept<T extends Kept>(store: KeptStore<T>, file: string, code: Code): Promise<readonly T[]> {
  try {
    return await store.list()
  } catch (error) {
    await store.close()
    throw new OstiaryError(code, { file, cause: causeOf(error) })
  }
}

/** Of the store's error only its kind: nothing that it holds. */
function causeOf(error: unknown): string {
  const { code, errcode } = error as { readonly code?: string; readonly errcode?: number }
  return errcode === undefined ? (code ?? 'unreadable') : `SQLite error ${errcode}`
}
