/** The data types of SSH (RFC 4251 §5), read strictly: one form for each value, and nothing left over. */
import { Refusal } from '../jose/refusal.ts'

/** Reads values one after the other. Every method throws Refusal `malformed` for what isn't there or isn't in its one form. */
export class WireReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#at
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new Refusal('malformed')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  byte(): number {
    return this.take(1)[0]!
  }

  uint32(): number {
    return this.take(4).readUInt32BE()
  }

  uint64(): bigint {
    return this.take(8).readBigUInt64BE()
  }

  string(): Buffer {
    return this.take(this.uint32())
  }

  /** A string that is a name of SSH: visible ASCII, at most 64 (RFC 4251 §6; 128 here, as longer extensions are seen). */
  name(): string {
    const text = this.string().toString('latin1')
    if (!/^[\x21-\x7e]{1,128}$/.test(text)) throw new Refusal('malformed')
    return text
  }

  /** An `mpint` above zero, as its bytes without sign. */
  positive(): Buffer {
    const bytes = this.string()
    const [first, second = 0] = bytes
    if (first === undefined || first > 0x7f || (first === 0 && second < 0x80)) throw new Refusal('malformed')
    return first === 0 ? bytes.subarray(1) : bytes
  }

  /** All that was to be read has been. */
  end(): void {
    if (!this.atEnd) throw new Refusal('malformed')
  }
}

/** A `string`: its length and itself. */
export function wireString(value: Uint8Array | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
