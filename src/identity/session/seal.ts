import { createCipheriv, createDecipheriv, hash } from 'node:crypto'
import type { Entropy } from '../../core/clock.ts'
import type { Secret } from '../../core/secret.ts'

/** A key that seals, or that opens what it sealed before it was replaced. 32 octets. */
export interface SealingKey {
  readonly key: Secret<Uint8Array>
}

/** What something was sealed for: what was sealed for one purpose doesn't open for another. */
export type Purpose = `session ${string}` | 'attempt' | 'dpop nonce'

const VERSION = 1
const HINT = 4
const NONCE = 12
const TAG = 16

/**
 * Seals with AES-256-GCM: what was changed, cut or moved elsewhere doesn't open. The form is one octet of version, four that hint at the
 * key, the nonce, the ciphertext and the tag.
 */
export class Seal {
  readonly #keys: () => readonly SealingKey[]
  readonly #entropy: Entropy

  /** @param keys The sealing key first; asked at each use, so that a rotated one is picked up. */
  constructor(keys: () => readonly SealingKey[], entropy: Entropy) {
    this.#keys = keys
    this.#entropy = entropy
  }

  seal(purpose: Purpose, content: Uint8Array): Uint8Array {
    const key = this.#keys()[0]!.key.reveal()
    const nonce = this.#entropy.bytes(NONCE)
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(purpose))
    const sealed = [cipher.update(content), cipher.final()]
    return Buffer.concat([Buffer.of(VERSION), hintOf(key), nonce, ...sealed, cipher.getAuthTag()])
  }

  /** The content; undefined for whatever wasn't sealed here for that purpose. One answer for all of it. */
  open(purpose: Purpose, sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < 1 + HINT + NONCE + TAG || sealed[0] !== VERSION) return undefined
    const hint = Buffer.from(sealed.subarray(1, 1 + HINT))
    for (const { key } of this.#keys()) {
      const octets = key.reveal()
      if (!hint.equals(hintOf(octets))) continue
      const content = open(octets, purpose, sealed.subarray(1 + HINT))
      if (content !== undefined) return content
    }
    return undefined
  }
}

function open(key: Uint8Array, purpose: Purpose, sealed: Uint8Array): Uint8Array | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE), { authTagLength: TAG })
  decipher.setAAD(Buffer.from(purpose)).setAuthTag(sealed.subarray(sealed.length - TAG))
  const content = decipher.update(sealed.subarray(NONCE, sealed.length - TAG))
  try {
    return Buffer.concat([content, decipher.final()])
  } catch {
    return undefined
  }
}

/** Tells keys apart without saying anything of them. */
function hintOf(key: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from('ostiary sealing key'), key]), 'buffer').subarray(0, HINT)
}
