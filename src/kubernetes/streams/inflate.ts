/**
 * Inflate (RFC 1950, RFC 1951) for header blocks of SPDY: one context over all blocks of a direction, each block ending where its
 * sender flushed. Node's own works asynchronously, and can't say whether a block ended whole: what it leaves for the next one would
 * be read otherwise by the receiver.
 */
import { Undecodable } from './events.ts'

const WINDOW = 32 * 1024
const MAX_BITS = 15

const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258]
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
const DISTANCES = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12_289, 16_385,
  24_577,
]
const DISTANCE_BITS = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13]
/** In which order the lengths of the code of lengths stand. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

/** A canonical Huffman code: how many words of each length, and their symbols in order. */
interface Huffman {
  readonly counts: Uint16Array
  readonly symbols: Uint16Array
}

/** Decompresses the blocks of one direction in their order. */
export class Inflater {
  readonly #dictionary: Uint8Array
  readonly #limit: number
  readonly #window = new Uint8Array(WINDOW)
  #windowAt = 0
  #windowLength = 0
  #begun = false
  #input: Uint8Array = new Uint8Array(0)
  #at = 0
  #bits = 0
  #bitCount = 0
  #output: number[] = []

  /** @param limit Bytes that a block may become */
  constructor(dictionary: Uint8Array, limit: number) {
    this.#dictionary = dictionary
    this.#limit = limit
  }

  /** @throws Undecodable where the block is anything but whole and flushed */
  inflate(block: Uint8Array): Uint8Array {
    this.#input = block
    this.#at = 0
    this.#output = []
    if (!this.#begun) this.#begin()
    while (this.#at < block.length || this.#bitCount >= 8) this.#block()
    // Flushed means that the next block begins with a byte of its own.
    if (this.#bitCount > 0) throw broken()
    return Uint8Array.from(this.#output)
  }

  #begin(): void {
    const [method, flags] = [this.#bitsOf(8), this.#bitsOf(8)]
    if ((method & 15) !== 8 || method >> 4 > 7 || (flags & 0x20) === 0 || ((method << 8) | flags) % 31 !== 0) throw broken()
    let id = 0
    for (let i = 0; i < 4; i++) id = id * 256 + this.#bitsOf(8)
    if (id !== adler32(this.#dictionary)) throw broken()
    for (const byte of this.#dictionary) this.#remember(byte)
    this.#begun = true
  }

  #block(): void {
    const last = this.#bitsOf(1) === 1
    // Nothing but a check sum could follow the last block, and no header block after it could be read.
    if (last) throw broken()
    const type = this.#bitsOf(2)
    if (type === 0) this.#stored()
    else if (type === 1) this.#compressed(FIXED_LENGTHS, FIXED_DISTANCES)
    else if (type === 2) this.#dynamic()
    else throw broken()
  }

  #stored(): void {
    this.#bits = 0
    this.#bitCount = 0
    const length = this.#bitsOf(16)
    if (this.#bitsOf(16) !== (~length & 0xffff)) throw broken()
    for (let i = 0; i < length; i++) this.#put(this.#bitsOf(8))
  }

  #dynamic(): void {
    const lengthCount = this.#bitsOf(5) + 257
    const distanceCount = this.#bitsOf(5) + 1
    const codeCount = this.#bitsOf(4) + 4
    if (lengthCount > 286 || distanceCount > 30) throw broken()
    const codeLengths = new Uint8Array(19)
    for (let i = 0; i < codeCount; i++) codeLengths[ORDER[i]!] = this.#bitsOf(3)
    const code = huffman(codeLengths)
    const lengths = new Uint8Array(lengthCount + distanceCount)
    for (let i = 0; i < lengths.length;) {
      const symbol = this.#symbol(code)
      if (symbol < 16) {
        lengths[i++] = symbol
        continue
      }
      if (symbol === 16 && i === 0) throw broken()
      const value = symbol === 16 ? lengths[i - 1]! : 0
      const times = symbol === 16 ? 3 + this.#bitsOf(2) : symbol === 17 ? 3 + this.#bitsOf(3) : 11 + this.#bitsOf(7)
      if (i + times > lengths.length) throw broken()
      lengths.fill(value, i, i + times)
      i += times
    }
    if (lengths[256] === 0) throw broken()
    this.#compressed(huffman(lengths.subarray(0, lengthCount)), huffman(lengths.subarray(lengthCount)))
  }

  #compressed(lengths: Huffman, distances: Huffman): void {
    for (;;) {
      const symbol = this.#symbol(lengths)
      if (symbol === 256) return
      if (symbol < 256) {
        this.#put(symbol)
        continue
      }
      const at = symbol - 257
      if (at >= LENGTHS.length) throw broken()
      const length = LENGTHS[at]! + this.#bitsOf(LENGTH_BITS[at]!)
      const code = this.#symbol(distances)
      if (code >= DISTANCES.length) throw broken()
      const distance = DISTANCES[code]! + this.#bitsOf(DISTANCE_BITS[code]!)
      if (distance > this.#windowLength) throw broken()
      for (let i = 0; i < length; i++) this.#put(this.#window[(this.#windowAt - distance + WINDOW) % WINDOW]!)
    }
  }

  #put(byte: number): void {
    if (this.#output.length >= this.#limit) throw new Undecodable('a header block is too long')
    this.#output.push(byte)
    this.#remember(byte)
  }

  #remember(byte: number): void {
    this.#window[this.#windowAt] = byte
    this.#windowAt = (this.#windowAt + 1) % WINDOW
    if (this.#windowLength < WINDOW) this.#windowLength++
  }

  #bitsOf(count: number): number {
    while (this.#bitCount < count) {
      if (this.#at === this.#input.length) throw broken()
      this.#bits |= this.#input[this.#at++]! << this.#bitCount
      this.#bitCount += 8
    }
    const value = this.#bits & ((1 << count) - 1)
    this.#bits >>>= count
    this.#bitCount -= count
    return value
  }

  #symbol({ counts, symbols }: Huffman): number {
    let code = 0
    let first = 0
    let index = 0
    for (let length = 1; length <= MAX_BITS; length++) {
      code |= this.#bitsOf(1)
      const count = counts[length]!
      if (code - count < first) return symbols[index + (code - first)]!
      index += count
      first = (first + count) << 1
      code <<= 1
    }
    throw broken()
  }
}

/** @throws Undecodable for more words than there can be */
function huffman(lengths: Uint8Array): Huffman {
  const counts = new Uint16Array(MAX_BITS + 1)
  for (const length of lengths) counts[length]!++
  counts[0] = 0
  let left = 1
  for (let length = 1; length <= MAX_BITS; length++) {
    left = left * 2 - counts[length]!
    if (left < 0) throw broken()
  }
  const offsets = new Uint16Array(MAX_BITS + 2)
  for (let length = 1; length <= MAX_BITS; length++) offsets[length + 1] = offsets[length]! + counts[length]!
  const symbols = new Uint16Array(lengths.length)
  for (const [symbol, length] of lengths.entries()) if (length > 0) symbols[offsets[length]!++] = symbol
  return { counts, symbols }
}

const FIXED_LENGTHS = huffman(Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)))
const FIXED_DISTANCES = huffman(new Uint8Array(30).fill(5))

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0]
  for (const byte of bytes) {
    a = (a + byte) % 65_521
    b = (b + a) % 65_521
  }
  return b * 65_536 + a
}

function broken(): Undecodable {
  return new Undecodable('a header block can not be decompressed')
}
