/** Connections to ports of a pod, with what went through them. */
import { Beginning } from './bounded.ts'
import type { Sink } from './events.ts'
import { shortened } from './terminal.ts'

/** Of what the server says of a connection that failed. */
const ERROR_LIMIT = 4096

/** One connection that is open. */
export class PortConnection {
  readonly port: number
  readonly connection: string
  readonly #sink: Sink
  readonly #error = new Beginning(ERROR_LIMIT)
  #bytesIn = 0
  #bytesOut = 0
  #closed = false

  constructor(port: number, connection: string, sink: Sink) {
    this.port = port
    this.connection = connection
    this.#sink = sink
    sink({ kind: 'port-opened', port, connection })
  }

  carriedIn(bytes: number): void {
    this.#bytesIn += bytes
  }

  carriedOut(bytes: number): void {
    this.#bytesOut += bytes
  }

  failed(bytes: Uint8Array): void {
    this.#error.add(bytes)
  }

  /** Tells that it is closed; again, it tells nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    const error = this.#error.length === 0 ? undefined : shortened(this.#error.text())
    const { port, connection } = this
    this.#sink({ kind: 'port-closed', port, connection, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut, error })
  }
}
