/**
 * Port-forward as channels of a WebSocket, as it was before it was tunnelled: two channels for each port that the request names, the
 * even one for its bytes and the odd one for what went wrong. The server begins each with the port's number, little-endian.
 */
import type { Channels } from './channels.ts'
import type { Sink } from './events.ts'
import { PortConnection } from './ports.ts'

interface Pair {
  /** Bytes of the port's number that have come, per channel. */
  readonly heads: [number[], number[]]
  /** Bytes that the client sent before the server said which port it is. */
  early: number
  open: PortConnection | undefined
}

export class PortChannels {
  readonly #sink: Sink
  readonly #pairs = new Map<number, Pair>()

  constructor(sink: Sink) {
    this.#sink = sink
  }

  readonly fromServer: Channels = {
    data: (channel, bytes) => {
      const pair = this.#pair(channel)
      const head = pair.heads[channel & 1 ? 1 : 0]
      while (head.length < 2 && bytes.length > 0) {
        head.push(bytes[0]!)
        bytes = bytes.subarray(1)
      }
      if (head.length < 2) return
      if (pair.open === undefined) {
        pair.open = new PortConnection(head[0]! | (head[1]! << 8), String(channel >> 1), this.#sink)
        pair.open.carriedIn(pair.early)
      }
      if ((channel & 1) === 0) pair.open.carriedOut(bytes.length)
      else pair.open.failed(bytes)
    },
  }

  readonly fromClient: Channels = {
    data: (channel, bytes) => {
      if ((channel & 1) !== 0) return
      const pair = this.#pair(channel)
      if (pair.open === undefined) pair.early += bytes.length
      else pair.open.carriedIn(bytes.length)
    },
  }

  #pair(channel: number): Pair {
    const pair = this.#pairs.get(channel >> 1) ?? { heads: [[], []], early: 0, open: undefined }
    this.#pairs.set(channel >> 1, pair)
    return pair
  }

  /** Channels on which the server can still say what went wrong. */
  errorChannels(): readonly number[] {
    return [...this.#pairs].filter(([, { open }]) => open !== undefined).map(([number]) => number * 2 + 1)
  }

  ended(): void {
    for (const { open } of this.#pairs.values()) open?.close()
  }
}
