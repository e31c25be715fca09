/** The base protocol of LSP 3.17: messages behind a `Content-Length` header. It knows nothing of what they say. */

/** A message larger than this, in bytes, is passed over. */
export const MAX_MESSAGE = 96 * 1024 * 1024
const MAX_HEADER = 8 * 1024

/** The stream can't be read on: where the next message begins is unknown. */
export class BrokenStream extends Error {}

export interface Frames {
  /** The bytes of one message, without its header. */
  message(bytes: Buffer): void
  /** A message that was too large is passed over. */
  skipped(bytes: number): void
}

/** Cuts a stream into messages. Memory is bounded by the largest message that is accepted, whatever a header promises. */
export class FrameReader {
  readonly #frames: Frames
  readonly #most: number
  #header: Buffer = Buffer.alloc(0)
  #body: Buffer[] = []
  /** Bytes of the current body that are still to come; undefined while a header is read. */
  #missing: number | undefined
  #skipping = 0

  constructor(frames: Frames, most = MAX_MESSAGE) {
    this.#frames = frames
    this.#most = most
  }

  /** @throws BrokenStream where a header is not one */
  push(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0) rest = this.#missing === undefined ? this.#takeHeader(rest) : this.#takeBody(rest, this.#missing)
  }

  #takeHeader(chunk: Buffer): Buffer {
    const known = this.#header.length
    const all = known === 0 ? chunk : Buffer.concat([this.#header, chunk])
    const end = all.indexOf('\r\n\r\n', Math.max(0, known - 3), 'latin1')
    if (end === -1 ? all.length > MAX_HEADER : end > MAX_HEADER) throw new BrokenStream(`a header is longer than ${MAX_HEADER} bytes`)
    if (end === -1) {
      this.#header = all
      return Buffer.alloc(0)
    }
    const length = lengthOf(all.toString('latin1', 0, end))
    this.#header = Buffer.alloc(0)
    this.#missing = length
    this.#skipping = length > this.#most ? length : 0
    if (length === 0) this.#finish()
    return all.subarray(end + 4)
  }

  #takeBody(chunk: Buffer, missing: number): Buffer {
    const part = chunk.subarray(0, missing)
    if (this.#skipping === 0) this.#body.push(part)
    this.#missing = missing - part.length
    if (this.#missing === 0) this.#finish()
    return chunk.subarray(part.length)
  }

  #finish(): void {
    const [body, skipped] = [this.#body, this.#skipping]
    this.#body = []
    this.#skipping = 0
    this.#missing = undefined
    if (skipped > 0) this.#frames.skipped(skipped)
    else this.#frames.message(body.length === 1 ? body[0]! : Buffer.concat(body))
  }
}

function lengthOf(header: string): number {
  let length: number | undefined
  for (const line of header.split('\r\n')) {
    const [, name, value] = /^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    if (name === undefined) throw new BrokenStream('a header line has no name')
    if (name.toLowerCase() !== 'content-length') continue
    if (length !== undefined || !/^\d{1,15}$/.test(value!)) throw new BrokenStream('`Content-Length` is not one number')
    length = Number(value)
  }
  if (length === undefined) throw new BrokenStream('`Content-Length` is missing')
  return length
}

/** One message as it goes over the wire. */
export function frame(message: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(message), 'utf8')
  return Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`, 'latin1'), body])
}
