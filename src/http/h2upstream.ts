/**
 * HTTP/2 to an upstream on Node's own client, which writes every field line as it is: undici makes one line of several of one name, and
 * an API server takes `Impersonate-Group: a, b` for one group.
 */
import { connect as connectSession, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { isIP } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Clock, Timer } from '../core/clock.ts'
import type { RequestBody } from './body.ts'
import type { UpstreamRequest, UpstreamTarget } from './engine.ts'
import { loopbackLookup } from './lookup.ts'
import type { UpstreamCall, UpstreamFailure, UpstreamHandler } from './upstream.ts'

/** Octets that one stream may have under way, and all of a connection: one caller that doesn't read must not stop the others. */
const STREAM_WINDOW = 256 * 1024
const SESSION_WINDOW = 32 * 1024 * 1024
/** Streams of a connection at most, whatever the server takes. */
const STREAMS = SESSION_WINDOW / STREAM_WINDOW
/** How often a connection is asked whether it still lives, and how long it may take to say so, in milliseconds. Watches are silent for hours. */
const PING_MS = 30_000
const PONG_MS = 15_000
/** For how long it is believed of a server that it speaks no HTTP/2, in milliseconds. */
const OTHER_MS = 60_000
const { NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM } = constants

interface Session {
  readonly http2: ClientHttp2Session
  /** Those that are open, and those that a call has taken and not begun. */
  streams: number
}

/** Why there is no connection. */
class Unconnected extends Error {
  readonly failure: UpstreamFailure

  constructor(failure: UpstreamFailure) {
    super(failure)
    this.failure = failure
  }
}

/** Connections to one upstream. */
export class H2Upstream {
  readonly #target: UpstreamTarget
  readonly #clock: Clock
  readonly #sessions = new Set<Session>()
  #opening: Promise<Session | undefined> | undefined
  #otherUntil = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(target: UpstreamTarget, clock: Clock) {
    this.#target = target
    this.#clock = clock
  }

  /** @param over Called once, when it has ended. @param other What to do where the server speaks no HTTP/2 */
  call(
    request: UpstreamRequest,
    body: RequestBody | undefined,
    handler: UpstreamHandler,
    over: () => void,
    other: () => UpstreamCall,
  ): UpstreamCall {
    const call = new H2Call(this.#target, this.#clock, request, body, handler, over)
    void this.#begin(call, other, true)
    return call
  }

  async #begin(call: H2Call, other: () => UpstreamCall, mayRetry: boolean): Promise<void> {
    let session: Session | undefined
    try {
      session = this.#take() ?? (await this.#open(call))
    } catch (error) {
      call.fail(error instanceof Unconnected ? error.failure : 'upstream-failed')
      return
    }
    if (call.over) {
      if (session !== undefined) session.streams--
    } else if (session === undefined) call.handOver(other())
    else {
      const { http2 } = session
      const done = (): void => void session.streams--
      call.start(http2, { done, again: mayRetry ? () => void this.#begin(call, other, false) : undefined })
    }
  }

  /** A place for one stream, which is then the taker's. */
  #take(): Session | undefined {
    for (const session of this.#sessions) {
      const { http2, streams } = session
      if (http2.closed || http2.destroyed || streams >= Math.min(STREAMS, http2.remoteSettings.maxConcurrentStreams ?? STREAMS)) continue
      session.streams++
      return session
    }
    return undefined
  }

  /** One after the other: whoever waits takes a place on the one that is being opened, or waits for the next. */
  async #open(call: H2Call): Promise<Session | undefined> {
    while (!call.over) {
      const free = this.#take()
      if (free !== undefined) return free
      if (this.#clock.monotonic() < this.#otherUntil) return undefined
      this.#opening ??= this.#connect().finally(() => (this.#opening = undefined))
      await this.#opening
    }
    return undefined
  }

  /** Undefined where the server speaks no HTTP/2. */
  async #connect(): Promise<Session | undefined> {
    if (this.#closed) throw new Unconnected('upstream-failed')
    if (this.#sessions.size >= this.#target.connections) throw new Unconnected('upstream-busy')
    const socket = await secured(this.#target, this.#clock)
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy()
      this.#otherUntil = this.#clock.monotonic() + OTHER_MS
      return undefined
    }
    const http2 = connectSession(`https://${this.#target.hostname}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
      maxSessionMemory: 64,
    })
    const session: Session = { http2, streams: 0 }
    http2.on('error', () => undefined)
    http2.on('goaway', () => this.#sessions.delete(session))
    http2.on('close', () => this.#sessions.delete(session))
    http2.setLocalWindowSize(SESSION_WINDOW)
    // How many streams it takes is said there: one too many would wait unseen until another ends, and watches end after hours.
    await settled(http2, this.#target, this.#clock)
    if (this.#closed) {
      http2.destroy()
      throw new Unconnected('upstream-failed')
    }
    this.#sessions.add(session)
    keepAlive(http2, socket, this.#clock)
    return session
  }

  /** What is under way there finishes first. */
  finish(): void {
    this.#closed = true
    for (const { http2 } of this.#sessions) http2.close()
    this.#sessions.clear()
  }

  destroy(): void {
    this.#closed = true
    for (const { http2 } of this.#sessions) http2.destroy()
    this.#sessions.clear()
  }
}

function secured(target: UpstreamTarget, clock: Clock): Promise<TLSSocket> {
  return new Promise((fulfil, reject) => {
    const socket = connectTls({
      host: target.hostname,
      port: target.port,
      lookup: loopbackLookup,
      ALPNProtocols: ['h2', 'http/1.1'],
      servername: isIP(target.serverName) === 0 ? target.serverName : '',
      ...(target.ca === undefined ? {} : { ca: target.ca }),
      ...target.client,
    })
    const timer = clock.after(target.connectTimeout, () => socket.destroy(new Unconnected('upstream-timeout')))
    const failed = (error: Error): void => {
      timer.cancel()
      reject(error)
    }
    socket.once('error', failed)
    socket.once('secureConnect', () => {
      timer.cancel()
      socket.off('error', failed)
      socket.on('error', () => undefined)
      socket.setNoDelay(true)
      fulfil(socket)
    })
  })
}

/** Waits for the server's settings, its first words. */
function settled(http2: ClientHttp2Session, { connectTimeout }: UpstreamTarget, clock: Clock): Promise<void> {
  return new Promise((fulfil, reject) => {
    const timer = clock.after(connectTimeout, () => {
      reject(new Unconnected('upstream-timeout'))
      http2.destroy()
    })
    http2.once('remoteSettings', () => {
      timer.cancel()
      fulfil()
    })
    http2.once('close', () => {
      timer.cancel()
      reject(new Unconnected('upstream-failed'))
    })
  })
}

/** Ends a connection whose other end is gone without a word, so that nobody waits on it. */
function keepAlive(http2: ClientHttp2Session, socket: TLSSocket, clock: Clock): void {
  const next = clock.after(PING_MS, () => {
    // It is over, and waits for the other end to let go: it can't be asked any more.
    if (http2.destroyed) {
      socket.destroy()
      return
    }
    const patience = clock.after(PONG_MS, () => http2.destroy(new Error('no answer to a ping')))
    http2.off('close', stop)
    http2.ping(() => {
      patience.cancel()
      if (!http2.destroyed) keepAlive(http2, socket, clock)
    })
  })
  const stop = (): void => next.cancel()
  http2.once('close', stop)
}

interface Place {
  readonly done: () => void
  /** Sends it on another connection; undefined where that was done already. */
  readonly again: (() => void) | undefined
}

class H2Call implements UpstreamCall {
  over = false
  readonly #target: UpstreamTarget
  readonly #clock: Clock
  readonly #request: UpstreamRequest
  readonly #body: RequestBody | undefined
  readonly #handler: UpstreamHandler
  readonly #released: () => void
  #stream: ClientHttp2Stream | undefined
  #elsewhere: UpstreamCall | undefined
  #waiting: Timer | undefined

  constructor(
    target: UpstreamTarget,
    clock: Clock,
    request: UpstreamRequest,
    body: RequestBody | undefined,
    handler: UpstreamHandler,
    released: () => void,
  ) {
    this.#target = target
    this.#clock = clock
    this.#request = request
    this.#body = body
    this.#handler = handler
    this.#released = released
  }

  start(session: ClientHttp2Session, { done, again }: Place): void {
    const { method, target: path, host, fields, body } = this.#request
    const raw = [':method', method, ':scheme', 'https', ':authority', host, ':path', path]
    for (let i = 0; i + 1 < fields.length; i += 2) raw.push(fields[i]!.toLowerCase(), fields[i + 1]!)
    if (typeof body === 'number') raw.push('content-length', String(body))
    let stream: ClientHttp2Stream
    try {
      stream = session.request(raw, { endStream: this.#body === undefined })
    } catch {
      done()
      if (again !== undefined && this.#body === undefined) again()
      else this.fail('upstream-failed')
      return
    }
    this.#stream = stream
    let answered = false
    let trailers: readonly string[] = []
    this.#waiting = this.#clock.after(this.#target.headersTimeout, () => this.fail('upstream-timeout'))
    stream.on('response', (_headers, _flags, rawHeaders: readonly string[]) => {
      this.#waiting?.cancel()
      answered = true
      if (this.over) return
      stream.setTimeout(this.#target.idleTimeout, () => this.fail('upstream-timeout'))
      const [status, own] = split(rawHeaders)
      this.#handler.head(status, own)
      // Not before: while a write is under way, Node tells bytes that came together with the head ahead of it, and nobody would know yet
      // what has to be left out of them.
      stream.on('data', (chunk: Buffer) => {
        if (!this.over && !this.#handler.data(chunk)) stream.pause()
      })
    })
    stream.on('trailers', (_headers, _flags, rawTrailers: readonly string[]) => (trailers = rawTrailers ?? []))
    stream.on('end', () => {
      // A stream that was reset ends, too; what it had sent is not the whole.
      if (!answered || stream.rstCode !== 0 || stream.aborted || this.over) return
      this.#finish()
      this.#handler.ended(trailers)
    })
    stream.on('error', () => undefined)
    stream.on('close', () => {
      done()
      if (this.over) return
      // What the server says that it did not look at may be sent again.
      if (
        !answered &&
        again !== undefined &&
        this.#body === undefined &&
        (stream.rstCode === NGHTTP2_REFUSED_STREAM || session.closed || session.destroyed)
      ) {
        this.#waiting?.cancel()
        if (this.#request.method === 'GET' || this.#request.method === 'HEAD' || stream.rstCode === NGHTTP2_REFUSED_STREAM) {
          again()
          return
        }
      }
      this.fail('upstream-failed')
    })
    this.#body?.on('error', () => this.fail('upstream-failed'))
    this.#body?.pipe(stream)
  }

  handOver(call: UpstreamCall): void {
    this.#elsewhere = call
  }

  resume(): void {
    this.#elsewhere?.resume()
    this.#stream?.resume()
  }

  abort(): void {
    if (this.over) return
    this.#elsewhere?.abort()
    this.#finish()
    this.#breakOff()
  }

  fail(failure: UpstreamFailure): void {
    if (this.over) return
    this.#finish()
    this.#breakOff()
    this.#handler.failed(failure)
  }

  /** `close` would end the body in good order first, so that half of one looked whole to the server; only an error doesn't. */
  #breakOff(): void {
    const stream = this.#stream
    if (stream === undefined) return
    if (this.#body === undefined || stream.writableEnded) stream.close(NGHTTP2_CANCEL)
    else stream.destroy(new Error('broken off'))
  }

  #finish(): void {
    this.over = true
    this.#waiting?.cancel()
    if (this.#elsewhere === undefined) this.#released()
  }
}

/** The status, and the fields without what HTTP/2 has beside them. */
function split(raw: readonly string[]): readonly [number, string[]] {
  let status = 502
  const fields: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i] === ':status') status = Number(raw[i + 1])
    else if (!raw[i]!.startsWith(':')) fields.push(raw[i]!, raw[i + 1]!)
  }
  return [status, fields]
}
