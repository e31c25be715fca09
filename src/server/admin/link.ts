import type { Clock, Entropy } from '../../core/clock.ts'

const LIFETIME_MS = 15 * 60_000

/** Links that sign in once: for whoever can read the terminal that the gateway was started from. */
export class OneTimeLinks {
  readonly #clock: Clock
  readonly #entropy: Entropy
  #code: { readonly value: string; readonly until: number } | undefined

  constructor(clock: Clock, entropy: Entropy) {
    this.#clock = clock
    this.#entropy = entropy
  }

  /** A new code; the one before it ends. */
  make(): string {
    const value = Buffer.from(this.#entropy.bytes(32)).toString('base64url')
    this.#code = { value, until: this.#clock.now() + LIFETIME_MS }
    return value
  }

  /** True once for the code that was made last, while it lasts. */
  take(value: string): boolean {
    const code = this.#code
    // 256 random bits that are good for one try each leave nothing to time.
    if (code === undefined || value !== code.value) return false
    this.#code = undefined
    return this.#clock.now() < code.until
  }
}
