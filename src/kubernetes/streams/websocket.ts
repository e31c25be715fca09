/** WebSocket frames (RFC 6455 §5), read as they pass: payloads are handed on in the pieces in which they come, and never collected. */
import { Undecodable } from './events.ts'

/** Who is told what a direction carries. */
export interface MessageReader {
  begin(text: boolean): void
  /** A piece of the message, a view into the chunk where it wasn't masked. */
  data(bytes: Uint8Array): void
  end(): void
}

export const BINARY = 2
export const TEXT = 1
const CONTINUATION = 0
export const CLOSE = 8

/** Longest payload of a control frame (RFC 6455 §5.5). */
const CONTROL_LIMIT = 125

/** Reads one direction. */
export class WebSocketDecoder {
  readonly #masked: boolean
  readonly #fragments: boolean
  readonly #reader: MessageReader
  readonly #header = new Uint8Array(14)
  #have = 0
  #left = 0
  #opcode = 0
  #final = false
  #inFrame = false
  #inMessage = false
  #closed = false
  readonly #mask = new Uint8Array(4)
  #maskAt = 0

  /**
   * @param masked True for frames from the client (§5.3)
   * @param fragments Whether a message may come in several frames. The channels of Kubernetes begin each message with their number,
   * and its servers look for one in each frame: what a second frame means would depend on who reads it
   */
  constructor(masked: boolean, fragments: boolean, reader: MessageReader) {
    this.#masked = masked
    this.#fragments = fragments
    this.#reader = reader
  }

  /** True where a frame of our own may be put in. */
  get clear(): boolean {
    return this.#have === 0 && !this.#inFrame
  }

  /** True where that may be a message. */
  get betweenMessages(): boolean {
    return this.clear && !this.#inMessage
  }

  /** True once the end of this direction was announced: what follows is nobody's. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Reads a chunk and answers how many of its bytes were read: all, or, with `untilClear`, those up to the next place that is clear.
   * @throws Undecodable
   */
  feed(chunk: Uint8Array, untilClear = false): number {
    let at = 0
    while (at < chunk.length) {
      if (untilClear && this.clear) return at
      if (this.#closed) return chunk.length
      if (this.#inFrame) {
        const take = Math.min(this.#left, chunk.length - at)
        this.#payload(chunk.subarray(at, at + take))
        this.#left -= take
        at += take
      } else {
        this.#header[this.#have++] = chunk[at++]!
        const length = this.#headerLength()
        if (length === undefined || this.#have < length) continue
        this.#begin(length)
      }
      if (this.#inFrame && this.#left === 0) this.#end()
    }
    return at
  }

  #headerLength(): number | undefined {
    if (this.#have < 2) return undefined
    const second = this.#header[1]!
    if (((second & 0x80) !== 0) !== this.#masked) throw new Undecodable('a WebSocket frame is masked as the other side’s are')
    const code = second & 0x7f
    return 2 + (code === 126 ? 2 : code === 127 ? 8 : 0) + (this.#masked ? 4 : 0)
  }

  #begin(headerLength: number): void {
    const [first, second] = this.#header as unknown as [number, number]
    if ((first & 0x70) !== 0) throw new Undecodable('a WebSocket frame uses an extension')
    this.#final = (first & 0x80) !== 0
    this.#opcode = first & 0x0f
    this.#left = this.#payloadLength(second & 0x7f)
    this.#have = 0
    this.#inFrame = true
    this.#mask.set(this.#header.subarray(headerLength - 4, headerLength))
    this.#maskAt = 0
    if (this.#opcode >= CLOSE) {
      if (this.#opcode > 10 || !this.#final || this.#left > CONTROL_LIMIT) throw new Undecodable('a control frame is none of WebSocket')
      return
    }
    if (this.#opcode > BINARY) throw new Undecodable('a WebSocket frame has an unknown opcode')
    if ((this.#opcode === CONTINUATION) !== this.#inMessage) throw new Undecodable('WebSocket messages overlap')
    if (!this.#fragments && !this.#final) throw new Undecodable('a message comes in several frames')
    if (this.#opcode === CONTINUATION) return
    this.#inMessage = true
    this.#reader.begin(this.#opcode === TEXT)
  }

  #payloadLength(code: number): number {
    if (code < 126) return code
    const view = new DataView(this.#header.buffer)
    const length = code === 126 ? view.getUint16(2) : view.getUint32(2) * 2 ** 32 + view.getUint32(6)
    if (length > Number.MAX_SAFE_INTEGER) throw new Undecodable('a WebSocket frame is longer than can be counted')
    return length
  }

  #payload(bytes: Uint8Array): void {
    if (this.#opcode >= CLOSE) return
    this.#reader.data(this.#masked ? this.#unmasked(bytes) : bytes)
  }

  #unmasked(bytes: Uint8Array): Uint8Array {
    const plain = new Uint8Array(bytes.length)
    const mask = this.#mask
    let at = this.#maskAt
    for (let i = 0; i < bytes.length; i++) {
      plain[i] = bytes[i]! ^ mask[at]!
      at = (at + 1) & 3
    }
    this.#maskAt = at
    return plain
  }

  #end(): void {
    this.#inFrame = false
    if (this.#opcode === CLOSE) this.#closed = true
    if (this.#opcode >= CLOSE || !this.#final) return
    this.#inMessage = false
    this.#reader.end()
  }
}

/** A whole unmasked frame, as a server sends it. Of a control frame the payload is at most 125 bytes. */
export function serverFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload
  const header = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : [127, ...bigEndian64(length)]
  const frame = new Uint8Array(1 + header.length + length)
  frame[0] = 0x80 | opcode
  frame.set(header, 1)
  frame.set(payload, 1 + header.length)
  return frame
}

function bigEndian64(value: number): readonly number[] {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, BigInt(value))
  return [...new Uint8Array(view.buffer)]
}

/** A close frame with status code and reason (§5.5.1); what is too long of the reason is left out. */
export function closing(code: number, reason: string): Uint8Array {
  let text = new TextEncoder().encode(reason)
  // Never the half of a character: a client may refuse that.
  for (let length = reason.length; text.length > CONTROL_LIMIT - 2; length--) text = new TextEncoder().encode(reason.slice(0, length))
  const payload = new Uint8Array(2 + text.length)
  payload.set([code >> 8, code & 255])
  payload.set(text, 2)
  return serverFrame(CLOSE, payload)
}
