/**
 * Knows whether a stream of WebSocket frames stands between two of them (RFC 6455 §5.2). It reads lengths and nothing else;
 * the frames themselves pass as they are.
 */
export class FrameBoundary {
  readonly #header = new Uint8Array(14)
  #have = 0
  #payload = 0

  /** True where a frame of our own may be put in. */
  get clear(): boolean {
    return this.#have === 0 && this.#payload === 0
  }

  feed(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#payload > 0) {
        const skip = Math.min(this.#payload, chunk.length - at)
        this.#payload -= skip
        at += skip
        continue
      }
      this.#header[this.#have++] = chunk[at++]!
      const length = this.#headerLength()
      if (length === undefined || this.#have < length) continue
      this.#payload = this.#payloadLength()
      this.#have = 0
    }
  }

  #headerLength(): number | undefined {
    if (this.#have < 2) return undefined
    const code = this.#header[1]! & 0x7f
    return 2 + (code === 126 ? 2 : code === 127 ? 8 : 0) + ((this.#header[1]! & 0x80) === 0 ? 0 : 4)
  }

  #payloadLength(): number {
    const code = this.#header[1]! & 0x7f
    if (code < 126) return code
    const view = new DataView(this.#header.buffer)
    return code === 126 ? view.getUint16(2) : view.getUint32(2) * 2 ** 32 + view.getUint32(6)
  }
}

/** An unmasked close frame, as a server sends it: status code and reason (RFC 6455 §5.5.1). The reason is short ASCII. */
export function closeFrame(code: number, reason: string): Buffer {
  const text = Buffer.from(reason, 'latin1').subarray(0, 123)
  const frame = Buffer.alloc(4 + text.length)
  frame[0] = 0x88
  frame[1] = 2 + text.length
  frame.writeUInt16BE(code, 2)
  text.copy(frame, 4)
  return frame
}
