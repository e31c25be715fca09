/**
 * Frames of SPDY/3.1 as Kubernetes speaks it. The libraries at its ends don't all go by a frame's length where the kind of frame has
 * one of its own; so a frame with any other length is not read here either.
 */
import { Undecodable } from './events.ts'
import { Inflater } from './inflate.ts'
import { SPDY_DICTIONARY } from './spdydictionary.ts'

export const SYN_STREAM = 1
export const SYN_REPLY = 2
export const RST_STREAM = 3
const SETTINGS = 4
const PING = 6
export const GOAWAY = 7
export const HEADERS = 8
const WINDOW_UPDATE = 9
export const FIN = 1

/** Kinds of frames that have one length only. */
const LENGTHS: Readonly<Record<number, number>> = { [RST_STREAM]: 8, [PING]: 4, [GOAWAY]: 8, [WINDOW_UPDATE]: 8 }
/** Where the header block begins in those that have one. */
const HEADERS_AT: Readonly<Record<number, number>> = { [SYN_STREAM]: 10, [SYN_REPLY]: 4, [HEADERS]: 4 }

/** Bytes of a control frame. kubectl's have 100 or so. */
const CONTROL_LIMIT = 16 * 1024
/** Bytes of a decompressed header block. */
const BLOCK_LIMIT = 16 * 1024

export type HeaderFields = ReadonlyMap<string, string>

/** A control frame about a stream. */
export interface ControlFrame {
  readonly type: number
  readonly flags: number
  /** 0 for one that is about none. */
  readonly stream: number
  readonly headers: HeaderFields | undefined
}

export interface SpdyReader {
  control(frame: ControlFrame): void
  /** A piece of a data frame, a view into the chunk. */
  data(stream: number, bytes: Uint8Array): void
  /** A data frame is over. */
  dataEnd(stream: number, fin: boolean): void
}

/** Reads one direction. */
export class SpdyDecoder {
  readonly #reader: SpdyReader
  readonly #headers = new Inflater(SPDY_DICTIONARY, BLOCK_LIMIT)
  readonly #head = new Uint8Array(8)
  #have = 0
  #body: Uint8Array | undefined
  #bodyHave = 0
  #inData = false
  #left = 0

  constructor(reader: SpdyReader) {
    this.#reader = reader
  }

  /** True where a frame of our own may be put in. */
  get clear(): boolean {
    return this.#have === 0
  }

  /**
   * Reads a chunk and answers how many of its bytes were read: all, or, with `untilClear`, those up to the next place that is clear.
   * @throws Undecodable
   */
  feed(chunk: Uint8Array, untilClear = false): number {
    let at = 0
    while (at < chunk.length) {
      if (untilClear && this.clear) return at
      if (this.#have < 8) {
        this.#head[this.#have++] = chunk[at++]!
        if (this.#have < 8) continue
        this.#begin()
      } else {
        const take = Math.min(this.#left, chunk.length - at)
        const piece = chunk.subarray(at, at + take)
        if (this.#inData) this.#reader.data(this.#word(0), piece)
        else this.#body!.set(piece, this.#bodyHave)
        this.#bodyHave += take
        this.#left -= take
        at += take
      }
      if (this.#left === 0) this.#end()
    }
    return at
  }

  #begin(): void {
    const control = (this.#head[0]! & 0x80) !== 0
    this.#left = this.#word(4) & 0xffffff
    this.#inData = !control
    this.#bodyHave = 0
    if (!control) {
      if (this.#word(0) === 0) throw new Undecodable('data of SPDY is for no stream')
      return
    }
    const type = this.#type
    const headersAt = HEADERS_AT[type]
    if (((this.#word(0) >>> 16) & 0x7fff) !== 3) throw new Undecodable('a frame of SPDY has another version')
    if (this.#left > CONTROL_LIMIT) throw new Undecodable('a control frame of SPDY is too long')
    if (headersAt === undefined ? !this.#lengthFits(type) : this.#left < headersAt)
      throw new Undecodable('a control frame of SPDY has another length')
    this.#body = new Uint8Array(this.#left)
  }

  #lengthFits(type: number): boolean {
    return type === SETTINGS ? this.#left >= 4 && this.#left % 8 === 4 : this.#left === LENGTHS[type]
  }

  #end(): void {
    this.#have = 0
    const flags = this.#head[4]!
    if (this.#inData) {
      if ((flags & ~FIN) !== 0) throw new Undecodable('data of SPDY has unknown flags')
      this.#reader.dataEnd(this.#word(0), (flags & FIN) !== 0)
      return
    }
    const type = this.#type
    const body = this.#body!
    this.#body = undefined
    if (type === SETTINGS) {
      // Whoever takes the number of settings at its word must end where the frame does.
      if (wordOf(body, 0) !== (body.length - 4) / 8) throw new Undecodable('a control frame of SPDY has another length')
      return
    }
    if (type === PING || type === WINDOW_UPDATE) return
    const headersAt = HEADERS_AT[type]
    const headers = headersAt === undefined ? undefined : fieldsOf(this.#headers.inflate(body.subarray(headersAt)))
    const stream = type === GOAWAY ? 0 : wordOf(body, 0) & 0x7fffffff
    if (stream === 0 && type !== GOAWAY) throw new Undecodable('a control frame of SPDY is for no stream')
    this.#reader.control({ type, flags, stream, headers })
  }

  #word(at: number): number {
    return wordOf(this.#head, at)
  }

  get #type(): number {
    return this.#word(0) & 0xffff
  }
}

function wordOf(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at)
}

/** Names and values of a header block (SPDY/3.1 §2.6.10), which ends with the last of them. */
function fieldsOf(block: Uint8Array): HeaderFields {
  let at = 0
  const word = (): number => {
    if (at + 4 > block.length) throw badFields()
    at += 4
    return wordOf(block, at - 4)
  }
  const text = (): string => {
    const length = word()
    if (at + length > block.length) throw badFields()
    at += length
    return String.fromCharCode(...block.subarray(at - length, at))
  }
  const fields = new Map<string, string>()
  for (let count = word(); count > 0; count--) {
    const name = text()
    if (name !== name.toLowerCase() || fields.has(name)) throw badFields()
    fields.set(name, text())
  }
  if (at !== block.length) throw badFields()
  return fields
}

function badFields(): Undecodable {
  return new Undecodable('a header block of SPDY is malformed')
}

/** A data frame; `fin` ends this side of the stream. */
export function dataFrame(stream: number, bytes: Uint8Array, fin: boolean): Uint8Array {
  const frame = new Uint8Array(8 + bytes.length)
  const view = new DataView(frame.buffer)
  view.setUint32(0, stream)
  view.setUint32(4, bytes.length)
  frame[4] = fin ? FIN : 0
  frame.set(bytes, 8)
  return frame
}

/** Says that no more streams are taken. @param last The last that was */
export function goAway(last: number): Uint8Array {
  const frame = new Uint8Array(16)
  const view = new DataView(frame.buffer)
  view.setUint32(0, 0x8003_0000 | GOAWAY)
  view.setUint32(4, 8)
  view.setUint32(8, last)
  return frame
}
