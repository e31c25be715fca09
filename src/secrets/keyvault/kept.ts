import type { Clock, Entropy, Timer } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'
import type { SecretSource } from '../source.ts'
import type { VaultValue } from './vault.ts'

export interface KeptSecretParts {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: (line: string) => void
  /** `keyvault://vault/name`, for the log. */
  readonly label: string
  /** Milliseconds. */
  readonly refreshEvery: number
  readonly ask: () => Promise<VaultValue>
}

/** A secret that ends is read anew this long before, in milliseconds, and not more often than each minute on its account. */
const AHEAD_MS = 1_800_000
const AT_LEAST_MS = 60_000
/** First pause after a failure, and the pause between two readings on demand, in milliseconds. */
const RETRY_MS = 30_000
const COOL_DOWN_MS = 10_000

/** A secret of a vault, read in the background. What was read last stays while the vault is down; it is kept in memory only. */
export class KeptSecret implements SecretSource {
  readonly #parts: KeptSecretParts
  #value: Secret | undefined
  #error: OstiaryError | undefined
  #failures = 0
  #asking: Promise<void> | undefined
  #askedAt = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined
  #closed = false

  constructor(parts: KeptSecretParts) {
    this.#parts = parts
    void this.#ask()
  }

  async read(): Promise<Secret> {
    if (this.#value === undefined && (this.#asking !== undefined || this.#mayAsk())) await this.#ask()
    if (this.#value !== undefined) return this.#value
    throw this.#error ?? new OstiaryError('secrets/vault', { vault: '', name: this.#parts.label, cause: 'not read yet' })
  }

  async refresh(): Promise<void> {
    if (this.#asking !== undefined || this.#mayAsk()) await this.#ask()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #mayAsk(): boolean {
    return !this.#closed && this.#parts.clock.monotonic() - this.#askedAt >= COOL_DOWN_MS
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#read().finally(() => (this.#asking = undefined))
    return this.#asking
  }

  async #read(): Promise<void> {
    const { ask, clock, log, label, refreshEvery } = this.#parts
    this.#timer?.cancel()
    this.#askedAt = clock.monotonic()
    let wait = refreshEvery
    try {
      const { value, expiresAt } = await ask()
      if (this.#error !== undefined) log(`${label}: it is here again`)
      if (this.#value !== undefined && this.#value.reveal() !== value.reveal()) log(`${label}: a newer one is in use`)
      this.#value = value
      this.#error = undefined
      this.#failures = 0
      if (expiresAt !== undefined) wait = Math.min(wait, Math.max(AT_LEAST_MS, expiresAt - clock.now() - AHEAD_MS))
    } catch (error) {
      if (!(error instanceof OstiaryError)) throw error
      const meanwhile = this.#value === undefined ? '' : '; the last one stays in use'
      if (this.#error?.message !== error.message) log(`${label}: ${error.message}${meanwhile}`)
      this.#error = error
      wait = Math.min(wait, RETRY_MS * 2 ** Math.min(this.#failures++, 6))
    }
    if (this.#closed) return
    // Spread, so that many gateways don't ask at once.
    const spread = 0.8 + (this.#parts.entropy.bytes(1)[0]! / 255) * 0.2
    this.#timer = clock.after(wait * spread, () => void this.#ask())
  }
}
