import type { Clock } from '../core/clock.ts'

/** How many verifications that end in nothing a source may cause. */
export interface BudgetLimits {
  /** Per second, in the long run. */
  readonly rate: number
  /** At once. */
  readonly burst: number
  /** Sources that are told apart at most. */
  readonly sources: number
}

interface Bucket {
  tokens: number
  /** Monotonic milliseconds. */
  at: number
}

/**
 * A token bucket per source. With more sources than are told apart, the buckets of those that were quiet longest are forgotten, which
 * is as if they had refilled.
 */
export class Budget {
  readonly #clock: Clock
  readonly #limits: BudgetLimits
  #young = new Map<string, Bucket>()
  #old = new Map<string, Bucket>()

  constructor(clock: Clock, limits: BudgetLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Takes one from the bucket of `address`; false if there is none left. */
  take(address: string): boolean {
    const { rate, burst } = this.#limits
    const now = this.#clock.monotonic()
    const bucket = this.#bucket(sourceOf(address), now)
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * rate)
    bucket.at = now
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  /** Puts one back: what it was taken for was worth it. */
  giveBack(address: string): void {
    const bucket = this.#bucket(sourceOf(address), this.#clock.monotonic())
    bucket.tokens = Math.min(this.#limits.burst, bucket.tokens + 1)
  }

  #bucket(source: string, now: number): Bucket {
    const known = this.#young.get(source)
    if (known !== undefined) return known
    const bucket = this.#old.get(source) ?? { tokens: this.#limits.burst, at: now }
    if (this.#young.size >= this.#limits.sources / 2) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(source, bucket)
    return bucket
  }
}

/** An IPv4 address; of IPv6 the first 64 bits, since a caller has all of the rest to choose from. */
export function sourceOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.toLowerCase().split('::', 2)
  const groups = head === '' ? [] : head.split(':')
  if (tail === undefined) return groups.slice(0, 4).join(':')
  const after = tail === '' ? [] : tail.split(':')
  const embedded = tail.includes('.') ? 1 : 0 // the last group stands for two then
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - after.length - embedded) }, () => '0')
  const all = [...groups, ...zeros, ...after]
  // All of IPv4 in one bucket would be one caller's to empty.
  if (embedded === 1 && all[5] === 'ffff') return all.at(-1)!
  return all.slice(0, 4).join(':')
}
