/** A cancellable timer. */
export interface Timer {
  cancel(): void
}

/** Time as the gateway sees it. Injected everywhere, so that no test waits for a clock. */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. */
  now(): number
  /** Monotonic clock in milliseconds, for durations and deadlines. */
  monotonic(): number
  /** Runs `task` once after `delay` milliseconds. Never keeps the process alive. */
  after(delay: number, task: () => void): Timer
}

/** Clock skew allowed in either direction when a token's times are checked, in milliseconds (design, invariant 10). */
export const CLOCK_SKEW_MS = 30_000

interface Unrefable {
  unref?: () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay, task) {
    const handle = setTimeout(task, Math.min(delay, 2_147_483_647))
    ;(handle as unknown as Unrefable).unref?.()
    return { cancel: () => clearTimeout(handle) }
  },
}

/** Source of randomness, injected for the same reason as the clock. */
export interface Entropy {
  /** `length` random bytes. */
  bytes(length: number): Uint8Array
}

export const systemEntropy: Entropy = { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) }
