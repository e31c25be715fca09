import type { Clock, Entropy, Timer } from '../core/clock.ts'

/** A clock that moves only when told to. Timers that fall due run in order, at their own time. */
export class ManualClock implements Clock {
  #now: number
  #waiting: { at: number; task: () => void }[] = []

  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(delay: number, task: () => void): Timer {
    const entry = { at: this.#now + delay, task }
    this.#waiting.push(entry)
    return { cancel: () => void (this.#waiting = this.#waiting.filter((other) => other !== entry)) }
  }

  /** Moves time forward by `ms`, running what falls due on the way. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#waiting.toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > end) break
      this.#waiting = this.#waiting.filter((other) => other !== next)
      this.#now = Math.max(this.#now, next.at)
      next.task()
    }
    this.#now = end
  }
}

/** Randomness that repeats: a small xorshift from `seed`. */
export function seededEntropy(seed = 1): Entropy {
  let state = seed >>> 0 || 1
  return {
    bytes(length) {
      const bytes = new Uint8Array(length)
      for (let i = 0; i < length; i++) {
        state ^= state << 13
        state ^= state >>> 17
        state ^= state << 5
        state >>>= 0
        bytes[i] = state & 0xff
      }
      return bytes
    },
  }
}
