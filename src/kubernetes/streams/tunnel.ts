/** `SPDY/3.1+portforward.k8s.io`: the bytes of SPDY in binary messages of a WebSocket, cut anywhere. */
import { joined } from './bounded.ts'
import { Undecodable, type Closing, type ClosingStatus, type Sink } from './events.ts'
import type { StreamProtocol } from './protocol.ts'
import { SpdySession } from './spdysession.ts'
import { BINARY, closing, serverFrame, WebSocketDecoder, type MessageReader } from './websocket.ts'

export class TunnelSession {
  readonly #inner: SpdySession
  readonly #client: WebSocketDecoder
  readonly #server: WebSocketDecoder

  constructor(protocol: StreamProtocol, ports: boolean, sink: Sink) {
    this.#inner = new SpdySession(protocol, ports, sink)
    this.#client = new WebSocketDecoder(
      true,
      true,
      binary((bytes) => this.#inner.fromClient(bytes)),
    )
    this.#server = new WebSocketDecoder(
      false,
      true,
      binary((bytes) => this.#inner.fromServer(bytes)),
    )
  }

  fromClient(chunk: Uint8Array): void {
    this.#client.feed(chunk)
  }

  fromServer(chunk: Uint8Array): void {
    this.#server.feed(chunk)
  }

  ended(): void {
    this.#inner.ended()
  }

  closing(status: ClosingStatus, chunk: Uint8Array): Closing {
    const rest = chunk.subarray(0, this.#server.feed(chunk, true))
    if (!this.#server.clear) return { bytes: rest, done: false }
    if (this.#server.closed) return { bytes: rest, done: true }
    const words = this.#server.betweenMessages ? this.#inner.lastWords(status) : undefined
    if (words === undefined) return { bytes: joined([rest, closing(1008, status.message)]), done: true }
    return { bytes: joined([rest, serverFrame(BINARY, words), closing(1000, '')]), done: true }
  }
}

function binary(data: (bytes: Uint8Array) => void): MessageReader {
  return {
    begin(text) {
      if (text) throw new Undecodable('a message of the tunnel is text')
    },
    data,
    end: () => undefined,
  }
}
