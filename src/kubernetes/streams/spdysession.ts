/** Sessions whose streams are streams of SPDY: each says in its header `streamType` what it is. */
import { joined } from './bounded.ts'
import { Undecodable, type Closing, type ClosingStatus, type Sink } from './events.ts'
import { PortConnection } from './ports.ts'
import type { StreamProtocol } from './protocol.ts'
import {
  dataFrame,
  FIN,
  goAway,
  GOAWAY,
  HEADERS,
  RST_STREAM,
  SpdyDecoder,
  SYN_REPLY,
  SYN_STREAM,
  type ControlFrame,
  type SpdyReader,
} from './spdy.ts'
import { closingText, ExitStatus, Resizes } from './terminal.ts'

/** Streams that are open at once: port-forward has two for each connection. */
const STREAM_LIMIT = 2048
/** Streams that a command has had: it needs five. */
const COMMAND_STREAM_LIMIT = 16

const TYPES = ['stdin', 'stdout', 'stderr', 'error', 'resize', 'data'] as const
type StreamType = (typeof TYPES)[number]

interface Stream {
  readonly type: StreamType
  /** What a connection to a port is told by. */
  readonly connection: string | undefined
  /** The server has agreed to it: before, nothing may be sent on it. */
  replied: boolean
  clientDone: boolean
  serverDone: boolean
}

/** What the streams of one connection to a port have in common. */
interface Forwarded {
  readonly told: PortConnection
  open: number
}

const UNIDIRECTIONAL = 2

export class SpdySession {
  readonly #protocol: StreamProtocol
  readonly #ports: boolean
  readonly #sink: Sink
  readonly #exit: ExitStatus
  readonly #resizes: Resizes
  readonly #streams = new Map<number, Stream>()
  readonly #connections = new Map<string, Forwarded>()
  readonly #client: SpdyDecoder
  readonly #server: SpdyDecoder
  #last = 0
  #gone = false

  constructor(protocol: StreamProtocol, ports: boolean, sink: Sink) {
    this.#protocol = protocol
    this.#ports = ports
    this.#sink = sink
    this.#exit = new ExitStatus(protocol.version, sink)
    this.#resizes = new Resizes(sink)
    this.#client = new SpdyDecoder(this.#fromClient())
    this.#server = new SpdyDecoder(this.#fromServer())
  }

  fromClient(chunk: Uint8Array): void {
    this.#client.feed(chunk)
  }

  fromServer(chunk: Uint8Array): void {
    this.#server.feed(chunk)
  }

  ended(): void {
    this.#exit.tell(true)
    for (const { told } of this.#connections.values()) told.close()
    this.#connections.clear()
  }

  closing(status: ClosingStatus, chunk: Uint8Array): Closing {
    const rest = chunk.subarray(0, this.#server.feed(chunk, true))
    const words = this.lastWords(status)
    return words === undefined ? { bytes: rest, done: false } : { bytes: joined([rest, words]), done: true }
  }

  /** What to say at the end, which is nothing where the server itself said that it is over; undefined amid a frame. */
  lastWords(status: ClosingStatus): Uint8Array | undefined {
    if (!this.#server.clear) return undefined
    if (this.#gone) return new Uint8Array(0)
    const text = closingText(status, this.#ports ? 1 : this.#protocol.version)
    const frames: Uint8Array[] = []
    const open = [...this.#streams].filter(([, { replied, serverDone }]) => replied && !serverDone)
    // The reason first: a client stops reading it once the output is over.
    for (const [id, { type }] of open) if (type === 'error') frames.push(dataFrame(id, this.#exit.told ? new Uint8Array(0) : text, true))
    for (const [id, { type }] of open) if (type !== 'error') frames.push(dataFrame(id, new Uint8Array(0), true))
    return joined([...frames, goAway(this.#last)])
  }

  #fromClient(): SpdyReader {
    return {
      control: (frame) => {
        if (frame.type === SYN_STREAM) this.#open(frame)
        else if (frame.type === RST_STREAM) this.#clientReset(frame.stream)
        else if (frame.type === HEADERS && (frame.flags & FIN) !== 0) this.#clientDone(frame.stream)
      },
      data: (id, bytes) => {
        const stream = this.#known(id)
        if (stream === undefined) return
        if (stream.type === 'stdin') this.#sink({ kind: 'input', bytes })
        else if (stream.type === 'resize') this.#resizes.add(bytes)
        else if (stream.type === 'data') this.#forwarded(stream)?.told.carriedIn(bytes.length)
      },
      dataEnd: (id, fin) => {
        if (fin) this.#clientDone(id)
      },
    }
  }

  #fromServer(): SpdyReader {
    return {
      control: (frame) => {
        if (frame.type === SYN_STREAM) throw new Undecodable('the server opens a stream of its own')
        if (frame.type === GOAWAY) this.#gone = true
        else if (frame.type === RST_STREAM) this.#drop(frame.stream)
        else {
          const stream = this.#known(frame.stream)
          if (stream !== undefined && frame.type === SYN_REPLY) stream.replied = true
          if ((frame.flags & FIN) !== 0) this.#serverDone(frame.stream)
        }
      },
      data: (id, bytes) => {
        const stream = this.#known(id)
        if (stream === undefined) return
        if (stream.type === 'stdout') this.#sink({ kind: 'output', bytes })
        else if (stream.type === 'stderr') this.#sink({ kind: 'error-output', bytes })
        else if (stream.type === 'data') this.#forwarded(stream)?.told.carriedOut(bytes.length)
        else if (stream.type !== 'error') return
        else if (this.#ports) this.#forwarded(stream)?.told.failed(bytes)
        else this.#exit.add(bytes)
      },
      dataEnd: (id, fin) => {
        if (this.#streams.get(id)?.type === 'error' && !this.#ports) this.#exit.tell(fin)
        if (fin) this.#serverDone(id)
      },
    }
  }

  /** Undefined for a stream that was closed: what is still on its way for it is read by nobody. */
  #known(id: number): Stream | undefined {
    if (id > this.#last || id % 2 === 0) throw new Undecodable('a frame of SPDY is for a stream that there is not')
    return this.#streams.get(id)
  }

  #open({ stream: id, flags, headers }: ControlFrame): void {
    if (id % 2 === 0 || id <= this.#last) throw new Undecodable('streams of SPDY are out of order')
    if ((flags & ~(FIN | UNIDIRECTIONAL)) !== 0) throw new Undecodable('a stream of SPDY has unknown flags')
    if (this.#streams.size >= (this.#ports ? STREAM_LIMIT : COMMAND_STREAM_LIMIT))
      throw new Undecodable('more streams are open than are followed')
    this.#last = id
    const named = headers?.get('streamtype')
    const type = TYPES.find((known) => known === named)
    if (type === undefined || (type === 'data') !== (this.#ports && type !== 'error'))
      throw new Undecodable('a stream of SPDY is of no known type')
    const stream: Stream = {
      type,
      connection: this.#ports ? this.#connect(headers!) : undefined,
      replied: false,
      clientDone: false,
      serverDone: (flags & UNIDIRECTIONAL) !== 0,
    }
    this.#streams.set(id, stream)
    if ((flags & FIN) !== 0) this.#clientDone(id)
  }

  /** The connection that a stream belongs to: the error stream and the data stream of one have the same number. */
  #connect(headers: ReadonlyMap<string, string>): string {
    const port = headers.get('port') ?? ''
    const request = headers.get('requestid') ?? ''
    if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) throw new Undecodable('a stream of SPDY names no port')
    // Clients of Kubernetes before 1.1 had none: they are not followed.
    if (!/^\d{1,10}$/.test(request)) throw new Undecodable('a stream of SPDY has no number of its request')
    const key = `${port}/${request}`
    const known = this.#connections.get(key)
    if (known === undefined) this.#connections.set(key, { told: new PortConnection(Number(port), request, this.#sink), open: 1 })
    else known.open++
    return key
  }

  #forwarded({ connection }: Stream): Forwarded | undefined {
    return connection === undefined ? undefined : this.#connections.get(connection)
  }

  #clientDone(id: number): void {
    const stream = this.#known(id)
    if (stream === undefined) return
    if (stream.type === 'stdin' && !stream.clientDone) this.#sink({ kind: 'input-ended' })
    stream.clientDone = true
    if (stream.serverDone) this.#drop(id)
  }

  /**
   * What the server has sent already still reaches a client that reset the stream, so it is still told: only of connections, which
   * aren't told byte by byte, the stream is forgotten.
   */
  #clientReset(id: number): void {
    const stream = this.#known(id)
    if (stream === undefined) return
    if (this.#ports) this.#drop(id)
    else this.#clientDone(id)
  }

  #serverDone(id: number): void {
    const stream = this.#known(id)
    if (stream === undefined) return
    stream.serverDone = true
    if (stream.clientDone) this.#drop(id)
  }

  #drop(id: number): void {
    const stream = this.#known(id)
    if (stream === undefined) return
    this.#streams.delete(id)
    const forwarded = this.#forwarded(stream)
    if (forwarded === undefined || --forwarded.open > 0) return
    this.#connections.delete(stream.connection!)
    forwarded.told.close()
  }
}
