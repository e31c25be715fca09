/** Characters that base64url without padding may end with, by how many there are beyond groups of four: the bits left over are zero. */
const LAST = ['', '', 'AQgw', 'AEIMQUYcgkosw048'] as const

/**
 * Memory that texts are decoded into, one after the other: what is read from a token at once needs none of its own, which the engine
 * would have to collect. What it answers holds until the next text is decoded.
 */
export class Octets {
  readonly #memory: Buffer

  /** @param longest Characters of a text at most. */
  constructor(longest: number) {
    this.#memory = Buffer.allocUnsafeSlow(longest)
  }

  /** The octets of base64url without padding in the one form that they have (RFC 7515 §2, RFC 4648 §3.5); undefined for any other text. */
  ofBase64url(text: string): Buffer | undefined {
    const beyond = text.length & 3
    if (text.length > this.#memory.length || beyond === 1) return undefined
    // Of a character beyond 255 Node's decoder sees the lower half.
    if (Buffer.byteLength(text) !== text.length) return undefined
    // What isn't of the alphabet is passed over, and then there are fewer; but for the two characters of the other alphabet.
    const length = this.#memory.write(text, 'base64url')
    if (length !== Math.floor((text.length * 3) / 4) || text.includes('+') || text.includes('/')) return undefined
    if (beyond !== 0 && !LAST[beyond]!.includes(text.charAt(text.length - 1))) return undefined
    return this.#memory.subarray(0, length)
  }

  /** The octets of a text of which each character is one. @throws RangeError for a longer one: its beginning is another text */
  ofLatin1(text: string): Buffer {
    if (text.length > this.#memory.length) throw new RangeError('a text is longer than there is memory for it')
    return this.#memory.subarray(0, this.#memory.write(text, 'latin1'))
  }
}
