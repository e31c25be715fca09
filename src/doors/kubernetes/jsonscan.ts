/** Finds values in a JSON text as it comes in, without keeping more of it than the one that is looked at (RFC 8259). */

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/** Follows one value from its first byte to its last. It trusts that what it reads is JSON: whoever uses the value parses it. */
export class ValueEnd {
  #depth = 0
  #inString = false
  #escaped = false
  #scalar = false
  #begun = false

  /** Index behind the value's last byte in this chunk; -1 where it goes on. A number ends in front of what isn't of it. */
  feed(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]!
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) this.#escaped = true
        else if (byte === QUOTE) {
          this.#inString = false
          if (this.#depth === 0) return at + 1
        }
        continue
      }
      if (this.#scalar) {
        if (isScalar(byte)) continue
        return at
      }
      if (byte === QUOTE) this.#inString = true
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#depth--
        if (this.#depth === 0) return at + 1
        if (this.#depth < 0) throw new SyntaxError('a bracket too many')
      } else if (!this.#begun && isScalar(byte)) this.#scalar = true
      this.#begun = true
    }
    return -1
  }
}

/** Of numbers and `true`, `false`, `null`. */
function isScalar(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x45
  )
}

export function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** Collects the bytes of one value, bounded. */
export class Collected {
  #chunks: Buffer[] = []
  #length = 0
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  add(bytes: Buffer): void {
    this.#length += bytes.length
    if (this.#length > this.#limit) throw new RangeError('a value is larger than what is looked at')
    this.#chunks.push(bytes)
  }

  take(): Buffer {
    const whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#length)
    this.#chunks = []
    this.#length = 0
    return whole
  }
}
