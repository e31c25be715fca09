import type { Clock } from '../../core/clock.ts'

/**
 * What was used once and is not good a second time, for as long as it could be. Two generations: the older is forgotten whole once
 * nothing in it could still be good. A full memory says so: what can't be remembered must not be let through.
 */
export class Replays {
  readonly #clock: Clock
  readonly #window: number
  readonly #most: number
  #young = new Map<string, true>()
  #old = new Map<string, true>()
  #turned: number

  /** @param window Milliseconds for which something used could be used again. @param most Remembered at most, per generation. */
  constructor(clock: Clock, window: number, most: number) {
    this.#clock = clock
    this.#window = window
    this.#most = most
    this.#turned = clock.now()
  }

  use(id: string): 'first' | 'again' | 'full' {
    const now = this.#clock.now()
    if (now - this.#turned >= this.#window) {
      this.#old = now - this.#turned >= 2 * this.#window ? new Map() : this.#young
      this.#young = new Map()
      this.#turned = now
    }
    if (this.#young.has(id) || this.#old.has(id)) return 'again'
    if (this.#young.size >= this.#most) return 'full'
    this.#young.set(id, true)
    return 'first'
  }
}
