/**
 * `channel.k8s.io`: the streams of a session as channels of a WebSocket. Each message begins with the number of its channel, as a byte
 * or, in `base64.channel.k8s.io`, as a digit before base64.
 */
import { Base64Pieces } from './base64.ts'
import { joined } from './bounded.ts'
import { Undecodable, type Closing, type ClosingStatus, type Sink } from './events.ts'
import { PortChannels } from './portchannels.ts'
import type { StreamProtocol } from './protocol.ts'
import { closingText, ExitStatus, Resizes } from './terminal.ts'
import { BINARY, closing, serverFrame, TEXT, WebSocketDecoder, type MessageReader } from './websocket.ts'

const STDIN = 0
const STDOUT = 1
const STDERR = 2
const ERROR = 3
const RESIZE = 4
/** From version 5 on: the next byte is a channel that its sender will not write to any more. */
const CLOSE_CHANNEL = 255

/** What the channels of one direction mean. */
export interface Channels {
  /** Bytes of the channel, in pieces. */
  data(channel: number, bytes: Uint8Array): void
  /** A message of the channel is over. */
  end?(channel: number): void
  /** No more will come on the channel. */
  closed?(channel: number): void
}

/** Reads the messages of one direction. */
class ChannelMessages implements MessageReader {
  readonly #protocol: StreamProtocol
  readonly #channels: Channels
  #channel: number | undefined
  #closes: number | undefined
  #base64: Base64Pieces | undefined

  constructor(protocol: StreamProtocol, channels: Channels) {
    this.#protocol = protocol
    this.#channels = channels
  }

  begin(_text: boolean): void {
    // Servers take text for bytes, so the kind of message says nothing.
    this.#channel = undefined
    this.#closes = undefined
    this.#base64 = this.#protocol.form === 'base64' ? new Base64Pieces() : undefined
  }

  data(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (this.#channel === undefined) {
      this.#channel = this.#base64 === undefined ? bytes[0]! : digit(bytes[0]!)
      bytes = bytes.subarray(1)
      if (bytes.length === 0) return
    }
    if (this.#isClosing) {
      if (this.#closes !== undefined || bytes.length > 1) throw new Undecodable('more than one channel is closed at once')
      this.#closes = bytes[0]!
      return
    }
    const plain = this.#base64 === undefined ? bytes : this.#base64.decode(bytes)
    if (plain.length > 0) this.#channels.data(this.#channel, plain)
  }

  end(): void {
    if (this.#channel === undefined) return
    if (this.#isClosing) {
      if (this.#closes === undefined) throw new Undecodable('a message closes no channel')
      this.#channels.closed?.(this.#closes)
      return
    }
    this.#base64?.end()
    this.#channels.end?.(this.#channel)
  }

  get #isClosing(): boolean {
    return this.#protocol.version >= 5 && this.#channel === CLOSE_CHANNEL
  }
}

function digit(byte: number): number {
  if (byte < 0x30 || byte > 0x39) throw new Undecodable('a message does not begin with the digit of its channel')
  return byte - 0x30
}

/** A session whose streams are channels. */
export class ChannelSession {
  readonly #protocol: StreamProtocol
  readonly #client: WebSocketDecoder
  readonly #server: WebSocketDecoder
  readonly #exit: ExitStatus
  readonly #ports: PortChannels | undefined

  constructor(protocol: StreamProtocol, ports: boolean, sink: Sink) {
    this.#protocol = protocol
    this.#exit = new ExitStatus(protocol.version, sink)
    this.#ports = ports ? new PortChannels(sink) : undefined
    const fromClient = this.#ports?.fromClient ?? inputChannels(sink)
    const fromServer = this.#ports?.fromServer ?? outputChannels(sink, this.#exit)
    this.#client = new WebSocketDecoder(true, false, new ChannelMessages(protocol, fromClient))
    this.#server = new WebSocketDecoder(false, true, new ChannelMessages(protocol, fromServer))
  }

  fromClient(chunk: Uint8Array): void {
    this.#client.feed(chunk)
  }

  fromServer(chunk: Uint8Array): void {
    this.#server.feed(chunk)
  }

  ended(): void {
    this.#exit.tell(true)
    this.#ports?.ended()
  }

  closing(status: ClosingStatus, chunk: Uint8Array): Closing {
    const rest = chunk.subarray(0, this.#server.feed(chunk, true))
    if (!this.#server.clear) return { bytes: rest, done: false }
    if (this.#server.closed) return { bytes: rest, done: true }
    // Without its last words a client is told by the close frame alone.
    if (!this.#server.betweenMessages) return { bytes: joined([rest, closing(1008, status.message)]), done: true }
    // The server has said how it ended; two documents would be none.
    if (this.#exit.told) return { bytes: joined([rest, closing(1000, '')]), done: true }
    const text = closingText(status, this.#ports === undefined ? this.#protocol.version : 1)
    const channels = this.#ports?.errorChannels() ?? [ERROR]
    // 1000 as servers have it: with another code kubectl prints that instead of what the error channel says.
    return { bytes: joined([rest, ...channels.map((channel) => this.#message(channel, text)), closing(1000, '')]), done: true }
  }

  #message(channel: number, text: Uint8Array): Uint8Array {
    if (this.#protocol.form === 'base64')
      return serverFrame(TEXT, new TextEncoder().encode(`${channel}${btoa(String.fromCharCode(...text))}`))
    return serverFrame(BINARY, joined([Uint8Array.of(channel), text]))
  }
}

function inputChannels(sink: Sink): Channels {
  const resizes = new Resizes(sink)
  return {
    data(channel, bytes) {
      if (channel === STDIN) sink({ kind: 'input', bytes })
      else if (channel === RESIZE) resizes.add(bytes)
      // Servers pass over what a client sends on channels of theirs.
      else if (channel > RESIZE) throw new Undecodable('a message is for a channel that there is not')
    },
    closed(channel) {
      if (channel === STDIN) sink({ kind: 'input-ended' })
    },
  }
}

function outputChannels(sink: Sink, exit: ExitStatus): Channels {
  return {
    data(channel, bytes) {
      if (channel === STDOUT) sink({ kind: 'output', bytes })
      else if (channel === STDERR) sink({ kind: 'error-output', bytes })
      else if (channel === ERROR) exit.add(bytes)
      else throw new Undecodable('a message is for a channel that there is not')
    },
    end(channel) {
      if (channel === ERROR) exit.tell(false)
    },
  }
}
