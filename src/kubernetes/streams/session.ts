/**
 * One session of exec, attach or port-forward on an upgraded connection. The door carries the bytes in both directions as they are
 * and shows each chunk to the session, which says what is in it: nothing waits for the session, and it changes nothing.
 */
import { ChannelSession } from './channels.ts'
import { Undecodable, type Closing, type ClosingStatus, type Sink } from './events.ts'
import type { StreamProtocol } from './protocol.ts'
import { SpdySession } from './spdysession.ts'
import { TunnelSession } from './tunnel.ts'

export type { Closing, ClosingStatus, SessionEvent, SessionExit, Sink } from './events.ts'
export { agreedProtocol, type StreamProtocol } from './protocol.ts'

export interface SessionOptions {
  readonly protocol: StreamProtocol
  readonly kind: 'exec' | 'attach' | 'portforward'
  /** Called while a chunk is decoded, in order. */
  readonly sink: Sink
}

interface Decoder {
  fromClient(chunk: Uint8Array): void
  fromServer(chunk: Uint8Array): void
  ended(): void
  closing(status: ClosingStatus, chunk: Uint8Array): Closing
}

const NOTHING = new Uint8Array(0)

/** Decodes one session. Total: what can't be decoded is told once, as `undecodable`. */
export class StreamSession {
  readonly #sink: Sink
  readonly #decoder: Decoder
  #clientLost = false
  #serverLost = false

  constructor({ protocol, kind, sink }: SessionOptions) {
    const Kind = protocol.form !== 'streams' ? ChannelSession : protocol.carrier === 'spdy' ? SpdySession : TunnelSession
    this.#sink = sink
    this.#decoder = new Kind(protocol, kind === 'portforward', (event) => {
      // Half a session would look like a whole one.
      if (!this.undecodable || event.kind === 'exit' || event.kind === 'port-closed') sink(event)
    })
  }

  /** True once nothing more is understood: where recording is required the door ends the session. */
  get undecodable(): boolean {
    return this.#clientLost || this.#serverLost
  }

  /** Shows what came from the client, before or after it was passed on. What the sink throws comes out here. */
  fromClient(chunk: Uint8Array): void {
    if (this.#clientLost) return
    this.#trying(
      () => this.#decoder.fromClient(chunk),
      () => (this.#clientLost = true),
    )
  }

  /** Shows what came from the server. */
  fromServer(chunk: Uint8Array): void {
    if (this.#serverLost) return
    this.#trying(
      () => this.#decoder.fromServer(chunk),
      () => (this.#serverLost = true),
    )
  }

  /** Tells what is still open as closed. Call it once, when the connection is over, whoever ended it. */
  ended(): void {
    this.#decoder.ended()
  }

  /**
   * Bytes towards the client that end the session as its protocol has it. They may stand only between two frames: while `done` is
   * false the client is in the middle of one, and the next chunk from the server is to be handed to `closing`, not to `fromServer`;
   * `bytes` then holds what is left of that frame, too. Who doesn't want to wait closes the connection without a word; of
   * SPDY kubectl then takes it for a command that succeeded. Where the
   * server's direction can't be decoded there is nothing that could be said.
   */
  closing(status: ClosingStatus, chunk: Uint8Array = NOTHING): Closing {
    let closing: Closing = { bytes: NOTHING, done: true }
    if (this.#serverLost) return closing
    this.#trying(
      () => (closing = this.#decoder.closing(status, chunk)),
      () => (this.#serverLost = true),
    )
    return closing
  }

  #trying(work: () => void, lose: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error
      const first = !this.undecodable
      lose()
      if (first) this.#sink({ kind: 'undecodable', why: error.message })
    }
  }
}
