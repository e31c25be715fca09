/** HTTP/2 on Node's own session: from its streams to raw requests and downstreams. Only ever over TLS. */
import { answerOwn } from './ownbody.ts'
import { certificateOf } from './clientcert.ts'
import { constants, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../core/clock.ts'
import type { Meter } from '../core/meter.ts'
import type { Answer, Gate, Plan, RawRequest, UpgradeProtocol } from './engine.ts'
import { Exchange, type Downstream, type ExchangeParts } from './exchange.ts'
import type { HttpLimits } from './schema.ts'
import { carryUpgrade, type UpgradeClient, type UpgradeParts } from './upgrade.ts'

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR } = constants

export interface H2Parts {
  readonly gate: Gate
  readonly exchange: ExchangeParts
  readonly upgrade: UpgradeParts
  readonly limits: HttpLimits
  readonly clock: Clock
  readonly meter: Meter
}

/** Window in which resets of streams are counted, in milliseconds. */
const RESET_WINDOW_MS = 10_000
/** Megabytes that one session may hold in memory. */
const SESSION_MEMORY = 10

export interface H2Server {
  /** Takes a connection on which HTTP/2 was agreed. */
  take(socket: TLSSocket): void
  readonly sessions: ReadonlySet<ServerHttp2Session>
}

export function serveH2(parts: H2Parts): H2Server {
  const { limits, clock, meter } = parts
  const sessions = new Set<ServerHttp2Session>()
  const server: Http2Server = createServer({
    settings: {
      enableConnectProtocol: true,
      enablePush: false,
      maxConcurrentStreams: limits.streams,
      maxHeaderListSize: limits.fields,
      initialWindowSize: 256 * 1024,
    },
    // Crumbs of a cookie count as fields here, so this is only a bound; the canonical request counts exactly.
    maxHeaderListPairs: limits.fieldCount + 8,
    maxSessionMemory: SESSION_MEMORY,
    maxSettings: 32,
    maxOutstandingPings: 10,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    streamResetBurst: limits.resets,
    streamResetRate: Math.max(1, Math.floor(limits.resets / 10)),
  } as Parameters<typeof createServer>[0])
  server.on('session', (session) => {
    sessions.add(session)
    session.setTimeout(limits.keepAlive, () => session.close())
    session.on('close', () => sessions.delete(session))
    session.on('error', () => meter.count('http_connection_errors', { version: '2' }))
  })
  server.on('sessionError', () => undefined)
  const resets = new WeakMap<ServerHttp2Session, number[]>()
  const countReset = (session: ServerHttp2Session): void => {
    const now = clock.monotonic()
    const recent = (resets.get(session) ?? []).filter((at) => at > now - RESET_WINDOW_MS)
    recent.push(now)
    resets.set(session, recent)
    if (recent.length <= limits.resets || session.destroyed) return
    meter.count('http_limit', { limit: 'resets' })
    session.goaway(NGHTTP2_ENHANCE_YOUR_CALM)
    session.destroy()
  }
  server.on('stream', (stream, _headers, _flags, rawHeaders) => {
    const session = stream.session as ServerHttp2Session | undefined
    stream.on('error', () => undefined)
    if (session === undefined) {
      stream.destroy()
      return
    }
    stream.setTimeout(limits.idle, () => breakOff(stream))
    stream.on('aborted', () => countReset(session))
    const raw = rawRequest(stream, rawHeaders)
    const plan = parts.gate.admit(raw)
    if (plan instanceof Promise) void plan.then((settled) => carryOut(settled, stream, raw, parts))
    else carryOut(plan, stream, raw, parts)
  })
  return { take: (socket) => void server.emit('connection', socket), sessions }
}

function carryOut(plan: Plan, stream: ServerHttp2Stream, raw: RawRequest, parts: H2Parts): void {
  const down = new Downstream2(stream, raw.method === 'HEAD', plan.kind === 'forward' && plan.request.acceptsTrailers)
  if (plan.kind === 'answer') down.answer(plan)
  else if (plan.kind === 'own') answerOwn(plan, down, parts.clock)
  else if (plan.upgrade !== undefined) carryUpgrade(plan, new StreamClient(stream, down), parts.upgrade)
  else new Exchange(plan, down, parts.exchange).start()
}

function rawRequest(stream: ServerHttp2Stream, rawHeaders: readonly string[]): RawRequest {
  const fields: string[] = []
  const pseudo = new Map<string, string>()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.startsWith(':')) pseudo.set(name, rawHeaders[i + 1]!)
    else fields.push(name, rawHeaders[i + 1]!)
  }
  const socket = stream.session?.socket as TLSSocket | undefined
  const name: unknown = socket?.servername
  return {
    version: '2',
    method: pseudo.get(':method') ?? '',
    target: pseudo.get(':path') ?? '',
    rawHeaders: fields,
    authority: pseudo.get(':authority'),
    scheme: pseudo.get(':scheme'),
    protocol: pseudo.get(':protocol'),
    endStream: stream.endAfterHeaders,
    secure: true,
    certificate: socket === undefined ? undefined : () => certificateOf(socket),
    serverName: typeof name === 'string' && name !== '' ? name : undefined,
    peer: socket?.remoteAddress ?? '',
    localPort: socket?.localPort ?? 0,
  }
}

/** Fields as HTTP/2 takes them: lower case, repeated ones as lists. */
function toObject(status: number, fields: readonly string[]): Record<string, string | string[] | number> {
  const object: Record<string, string | string[] | number> = Object.create(null)
  object[':status'] = status
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    if (name === 'trailer') continue
    const before = object[name]
    if (before === undefined) object[name] = fields[i + 1]!
    else object[name] = Array.isArray(before) ? [...before, fields[i + 1]!] : [String(before), fields[i + 1]!]
  }
  return object
}

class Downstream2 implements Downstream {
  readonly body: ServerHttp2Stream
  readonly #head: boolean
  readonly #trailers: boolean
  #pending: Record<string, string | string[] | number> | undefined
  #toSend: string[] = []

  constructor(stream: ServerHttp2Stream, head: boolean, trailers: boolean) {
    this.body = stream
    this.#head = head
    this.#trailers = trailers
  }

  get #gone(): boolean {
    return this.body.destroyed || this.body.closed
  }

  continue(): void {
    if (!this.#gone && !this.body.headersSent) this.body.additionalHeaders({ ':status': 100 })
  }

  head(status: number, fields: string[]): void {
    const object = toObject(status, fields)
    if (status === 204) delete object['content-length']
    // gRPC tells a response that is only trailers by the end of the stream on its head, so the head waits for what follows.
    if (object['grpc-status'] !== undefined || this.#head || status === 204 || status === 304) this.#pending = object
    else this.#respond(object, false)
  }

  write(chunk: Buffer): boolean {
    this.#flush(false)
    return this.#gone || this.body.write(chunk)
  }

  onDrain(listener: () => void): void {
    this.body.on('drain', listener)
  }

  end(trailers: string[]): void {
    this.#toSend = trailers
    if (this.#pending !== undefined && trailers.length === 0) this.#flush(true)
    else this.#flush(false)
    if (!this.body.writableEnded) this.body.end()
    this.#stopReading()
  }

  answer({ status, fields, body }: Answer): void {
    if (this.#gone) return
    const object = toObject(status, fields)
    if (status !== 204 && status !== 304) object['content-length'] = Buffer.byteLength(body)
    const empty = this.#head || body === ''
    this.body.respond(object, { endStream: empty })
    if (!empty) this.body.end(body)
    this.#stopReading()
  }

  reset(): void {
    breakOff(this.body)
  }

  onClose(listener: (finished: boolean) => void): void {
    const { body } = this
    if (this.#gone) listener(false)
    else body.once('close', () => listener(body.writableFinished && body.rstCode === NGHTTP2_NO_ERROR))
  }

  #flush(endStream: boolean): void {
    const pending = this.#pending
    this.#pending = undefined
    if (pending !== undefined) this.#respond(pending, endStream)
  }

  #respond(object: Record<string, string | string[] | number>, endStream: boolean): void {
    if (this.#gone) return
    const waitForTrailers = this.#trailers && !endStream
    if (waitForTrailers) this.body.once('wantTrailers', () => this.body.sendTrailers(trailersOf(this.#toSend)))
    this.body.respond(object, { endStream, waitForTrailers })
  }

  /** What is still to come of the request is refused, without taking it for an error (RFC 9113 §8.1). */
  #stopReading(): void {
    const { body } = this
    if (body.endAfterHeaders || body.readableEnded) return
    if (body.writableFinished) body.close(NGHTTP2_NO_ERROR)
    else body.once('finish', () => body.close(NGHTTP2_NO_ERROR))
  }
}

/** Resets the stream. `close` would end it in good order first, so that half a response looked whole; only an error doesn't. */
function breakOff(stream: ServerHttp2Stream): void {
  stream.destroy(new Error('broken off'))
}

function trailersOf(fields: readonly string[]): Record<string, string> {
  const object: Record<string, string> = Object.create(null)
  for (let i = 0; i + 1 < fields.length; i += 2) object[fields[i]!.toLowerCase()] = fields[i + 1]!
  return object
}

/** A WebSocket over a stream (RFC 8441). */
class StreamClient implements UpgradeClient {
  readonly stream: Duplex
  readonly keyless = true
  readonly #http2: ServerHttp2Stream
  readonly #down: Downstream2

  constructor(stream: ServerHttp2Stream, down: Downstream2) {
    this.stream = stream
    this.#http2 = stream
    this.#down = down
    stream.setTimeout(0)
  }

  accept(_protocol: UpgradeProtocol, fields: string[]): void {
    this.head(200, fields)
  }

  head(status: number, fields: string[]): void {
    if (!this.#http2.destroyed) this.#http2.respond(toObject(status, fields))
  }

  answer(answer: Answer): void {
    this.#down.answer(answer)
  }

  end(): void {
    this.stream.end()
  }
}
