/**
 * HTTP/2 frames on a raw TLS connection (RFC 9113): fields are written as HPACK literals, so that nothing stands
 * between a row and what the gateway receives. Of answers it reads statuses, resets and GOAWAY.
 */
import { connect, type TLSSocket } from 'node:tls'
import type { Target } from './client.ts'

export const FRAME = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8, CONTINUATION: 9 } as const
export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4 } as const

export type Field = readonly [name: string, value: string]

/** A frame with its 9-byte head. */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** An integer with a prefix of `bits` bits (RFC 7541 section 5.1). */
function integer(value: number, bits: number): Buffer {
  const limit = 2 ** bits - 1
  if (value < limit) return Buffer.from([value])
  const bytes = [limit]
  let rest = value - limit
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  return Buffer.concat([integer(bytes.length, 7), bytes])
}

/** Fields as literals without indexing, uncompressed: exactly these bytes, lawful or not. */
export function block(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))
}

/** What became of a stream. */
export interface StreamResult {
  status: number | undefined
  /** Error code of a RST_STREAM from the gateway. */
  reset: number | undefined
  ended: boolean
  body: string
}

export class H2Client {
  readonly #socket: TLSSocket
  readonly streams = new Map<number, StreamResult>()
  /** Error code of the gateway's GOAWAY. */
  goaway: number | undefined
  closed = false
  #rest = Buffer.alloc(0)
  #wake: () => void = () => undefined

  constructor(target: Target) {
    const { ca, servername } = target.tls!
    this.#socket = connect({ port: target.port, host: '127.0.0.1', ca, servername, ALPNProtocols: ['h2'] })
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (bytes: Buffer) => this.#take(bytes))
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => this.#close())
    this.#socket.on('end', () => this.#close())
    this.#socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(FRAME.SETTINGS, 0, 0)]))
  }

  write(...frames: readonly Buffer[]): void {
    if (!this.#socket.destroyed) this.#socket.write(Buffer.concat(frames))
  }

  /** A whole request; the body, if any, in one DATA frame. */
  request(stream: number, fields: readonly Field[], body?: string): void {
    const end = body === undefined ? FLAG.END_STREAM : 0
    this.write(frame(FRAME.HEADERS, FLAG.END_HEADERS | end, stream, block(fields)))
    if (body !== undefined) this.write(frame(FRAME.DATA, FLAG.END_STREAM, stream, Buffer.from(body, 'latin1')))
  }

  /** Waits until the stream has ended, was reset, or the connection is over. */
  async done(stream: number): Promise<StreamResult> {
    const over = (): boolean => {
      const result = this.streams.get(stream)
      return this.closed || this.goaway !== undefined || (result !== undefined && (result.ended || result.reset !== undefined))
    }
    await this.#until(over)
    return this.#of(stream)
  }

  async untilClosed(): Promise<void> {
    await this.#until(() => this.closed)
  }

  close(): void {
    this.#socket.destroy()
  }

  #of(stream: number): StreamResult {
    const known = this.streams.get(stream)
    if (known !== undefined) return known
    const fresh: StreamResult = { status: undefined, reset: undefined, ended: false, body: '' }
    this.streams.set(stream, fresh)
    return fresh
  }

  #close(): void {
    this.closed = true
    this.#wake()
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes])
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < 9 + length) break
      const type = this.#rest.readUInt8(3)
      const flags = this.#rest.readUInt8(4)
      const stream = this.#rest.readUInt32BE(5) & 0x7fff_ffff
      const payload = this.#rest.subarray(9, 9 + length)
      this.#rest = this.#rest.subarray(9 + length)
      this.#handle(type, flags, stream, payload)
    }
    this.#wake()
  }

  #handle(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case FRAME.HEADERS: {
        const result = this.#of(stream)
        const status = statusOf(payload)
        if (status !== undefined && status >= 200) result.status ??= status
        if ((flags & FLAG.END_STREAM) !== 0) result.ended = true
        return
      }
      case FRAME.DATA: {
        const result = this.#of(stream)
        result.body += payload.toString('latin1')
        if ((flags & FLAG.END_STREAM) !== 0) result.ended = true
        return
      }
      case FRAME.RST_STREAM:
        this.#of(stream).reset = payload.readUInt32BE(0)
        return
      case FRAME.GOAWAY:
        this.goaway = payload.readUInt32BE(4)
        return
      case FRAME.SETTINGS:
        if ((flags & FLAG.ACK) === 0) this.write(frame(FRAME.SETTINGS, FLAG.ACK, 0))
        return
      case FRAME.PING:
        if ((flags & FLAG.ACK) === 0) this.write(frame(FRAME.PING, FLAG.ACK, 0, payload))
        return
      default:
    }
  }

  async #until(done: () => boolean): Promise<void> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#wake()
    }, 5000)
    try {
      while (!done()) {
        if (late) throw new Error(`waited in vain on HTTP/2; streams ${JSON.stringify([...this.streams])}`)
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Entries 8 to 14 of HPACK's static table. */
const STATIC_STATUS = [200, 204, 206, 304, 400, 404, 500]
/** Huffman codes of the digits (RFC 7541 appendix B). */
const DIGITS: Readonly<Record<string, string>> = {
  '00000': '0',
  '00001': '1',
  '00010': '2',
  '011001': '3',
  '011010': '4',
  '011011': '5',
  '011100': '6',
  '011101': '7',
  '011110': '8',
  '011111': '9',
}

/** `:status`, which comes first. Undefined in trailers, and where the dynamic table was used: one answer a connection is read. */
function statusOf(payload: Buffer): number | undefined {
  let at = 0
  while (((payload[at] ?? 0) & 0xe0) === 0x20) at++ // changes of the table's size
  const first = payload[at] ?? 0
  if (first >= 0x88 && first <= 0x8e) return STATIC_STATUS[first - 0x88]
  const named = (first & 0xc0) === 0x40 ? first & 0x3f : (first & 0xf0) === 0 || (first & 0xf0) === 0x10 ? first & 0x0f : 0
  if (named < 8 || named > 14) return undefined
  const length = payload[at + 1] ?? 0
  const bytes = payload.subarray(at + 2, at + 2 + (length & 0x7f))
  return Number((length & 0x80) === 0 ? bytes.toString('latin1') : huffmanDigits(bytes))
}

function huffmanDigits(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  let digits = ''
  for (let at = 0; digits.length < 3;) {
    const code = [5, 6].map((length) => bits.slice(at, at + length)).find((candidate) => DIGITS[candidate] !== undefined)
    if (code === undefined) return 'NaN'
    digits += DIGITS[code]!
    at += code.length
  }
  return digits
}
