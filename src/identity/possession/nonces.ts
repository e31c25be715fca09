import type { Clock } from '../../core/clock.ts'
import type { Seal } from '../session/seal.ts'

/** How long a nonce is good, in milliseconds. */
export const NONCE_MS = 300_000

/** Nonces that nobody has to keep (RFC 9449 §8): each is the time at which it was given, sealed, so every process with the key knows them. */
export class Nonces {
  readonly #seal: Seal
  readonly #clock: Clock

  constructor(seal: Seal, clock: Clock) {
    this.#seal = seal
    this.#clock = clock
  }

  give(): string {
    const time = Buffer.alloc(8)
    time.writeDoubleBE(this.#clock.now())
    return Buffer.from(this.#seal.seal('dpop nonce', time)).toString('base64url')
  }

  isGood(nonce: string): boolean {
    if (nonce.length > 256) return false
    const octets = Buffer.from(nonce, 'base64url')
    const time = octets.toString('base64url') === nonce ? this.#seal.open('dpop nonce', octets) : undefined
    if (time?.length !== 8) return false
    const age = this.#clock.now() - Buffer.from(time).readDoubleBE(0)
    return age >= 0 && age < NONCE_MS
  }
}
