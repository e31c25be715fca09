/** Base64 (RFC 4648 §4) that comes in pieces of any length. */
import { Undecodable } from './events.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const VALUES = Int8Array.from({ length: 256 }, (_, byte) => ALPHABET.indexOf(String.fromCharCode(byte)))

const PADDING = 0x3d

/** Decodes one message. Strict: what another decoder could read otherwise is not decoded. */
export class Base64Pieces {
  #bits = 0
  #count = 0
  #padding = 0

  /** @throws Undecodable */
  decode(text: Uint8Array): Uint8Array {
    const plain = new Uint8Array(Math.ceil(((this.#count + text.length) * 3) / 4))
    let length = 0
    for (const byte of text) {
      if (byte === PADDING) {
        // `=` only where two or three characters stand before.
        if (++this.#padding > 2 || this.#count + this.#padding > 4 || this.#count < 2) throw notBase64()
        if (this.#padding > 1) continue
        const known = this.#count - 1
        const bits = this.#bits << ((4 - this.#count) * 6)
        if ((bits & (known === 1 ? 0xffff : 0xff)) !== 0) throw notBase64()
        for (let i = 0; i < known; i++) plain[length++] = (bits >> (16 - i * 8)) & 0xff
        continue
      }
      const value = VALUES[byte]!
      if (value < 0 || this.#padding > 0) throw notBase64()
      this.#bits = (this.#bits << 6) | value
      if (++this.#count < 4) continue
      plain[length++] = (this.#bits >> 16) & 0xff
      plain[length++] = (this.#bits >> 8) & 0xff
      plain[length++] = this.#bits & 0xff
      this.#bits = 0
      this.#count = 0
    }
    return plain.subarray(0, length)
  }

  /** @throws Undecodable where the message breaks off */
  end(): void {
    if (this.#count === 0 ? this.#padding > 0 : this.#count + this.#padding !== 4) throw notBase64()
  }
}

function notBase64(): Undecodable {
  return new Undecodable('a message is not base64')
}
