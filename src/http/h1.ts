/** HTTP/1.1 on Node's own server: from its events to raw requests and downstreams. */
import { answerOwn } from './ownbody.ts'
import { certificateOf } from './clientcert.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../core/clock.ts'
import type { Meter } from '../core/meter.ts'
import { asksForSwitch } from './canonical.ts'
import type { Answer, Gate, Plan, RawRequest, UpgradeProtocol } from './engine.ts'
import { Exchange, type Downstream, type ExchangeParts } from './exchange.ts'
import { linger } from './linger.ts'
import type { HttpLimits } from './schema.ts'
import { carryUpgrade, RawClient, type UpgradeParts } from './upgrade.ts'

export interface H1Parts {
  readonly gate: Gate
  readonly exchange: ExchangeParts
  readonly upgrade: UpgradeParts
  readonly limits: HttpLimits
  readonly clock: Clock
  readonly meter: Meter
  readonly draining: () => boolean
}

/** Options of every server that speaks HTTP/1.1. Node's parser is strict as it comes; nothing here loosens it. */
export function h1Options(limits: HttpLimits, upgrades: ReadonlySet<UpgradeProtocol>) {
  return {
    insecureHTTPParser: false,
    // The canonical request checks url and fields exactly; this only bounds what is buffered before.
    maxHeaderSize: limits.fields + limits.url + 1024,
    headersTimeout: limits.headTimeout,
    requestTimeout: limits.requestTimeout,
    connectionsCheckingInterval: Math.max(100, Math.min(5000, Math.floor(limits.headTimeout / 2))),
    keepAliveTimeout: limits.keepAlive,
    // A missing host is refused with a reason, and recorded like every other refusal.
    requireHostHeader: false,
    noDelay: true,
    keepAlive: true,
    shouldUpgradeCallback: (request: IncomingMessage) => asksForSwitch(request.rawHeaders, upgrades),
  }
}

/** Requests of one connection take turns: the next is begun when the one before is answered, so that effects keep their order. */
interface Turn {
  readonly waiting: (() => void)[]
  current: Downstream1 | undefined
  busy: boolean
}

const turns = new WeakMap<Duplex, Turn>()

export function serveH1(server: Server, parts: H1Parts): void {
  const { gate, limits, meter } = parts
  server.timeout = limits.idle
  server.maxRequestsPerSocket = limits.requestsPerConnection
  // Node drops further fields without a word; the canonical request refuses them instead.
  server.maxHeadersCount = 0

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const turn = turns.get(request.socket) ?? { waiting: [], current: undefined, busy: false }
    turns.set(request.socket, turn)
    const begin = (): void => {
      turn.busy = true
      const down = new Downstream1(request, response, parts, () => {
        turn.current = undefined
        turn.busy = false
        // What waits behind a connection that closes is never begun.
        if (request.socket.destroyed || request.socket.writableEnded) turn.waiting.length = 0
        turn.waiting.shift()?.()
      })
      turn.current = down
      const plan = gate.admit(rawRequest(request))
      if (plan instanceof Promise) void plan.then((settled) => carryOut(settled, down, parts))
      else carryOut(plan, down, parts)
    }
    if (!turn.busy) begin()
    else if (turn.waiting.length < limits.pipelined) turn.waiting.push(begin)
    else {
      meter.count('http_limit', { limit: 'pipelined' })
      request.socket.destroy()
    }
  }

  server.on('request', onRequest)
  server.on('checkContinue', onRequest)
  server.on('checkExpectation', onRequest)
  server.on('timeout', (socket: Socket) => {
    meter.count('http_limit', { limit: 'idle' })
    socket.destroy()
  })
  server.on('dropRequest', () => meter.count('http_limit', { limit: 'requestsPerConnection' }))

  const onSwitch = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => undefined)
    // What an earlier request on this connection has under way can't be answered any more.
    if (turns.get(socket)?.busy === true) {
      socket.destroy()
      return
    }
    if (head.length > 0) socket.unshift(head)
    const client = new RawClient(socket as Socket, parts.clock)
    const plan = gate.admit(rawRequest(request))
    const go = (settled: Plan): void => {
      if (settled.kind === 'answer') client.answer(settled)
      else if (settled.kind === 'own') {
        settled.abandoned?.(undefined)
        socket.destroy()
      } else carryUpgrade(settled, client, parts.upgrade)
    }
    if (plan instanceof Promise) void plan.then(go)
    else go(plan)
  }
  server.on('upgrade', onSwitch)
  server.on('connect', onSwitch)

  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const turn = turns.get(socket)
    // Bytes after a request that was the last one by its own word are nobody's (RFC 9112 §9.6).
    if (error.code === 'HPE_CLOSED_CONNECTION' && turn?.busy === true) return
    if (
      !socket.writable ||
      error.code === 'ECONNRESET' ||
      turn?.current?.headSent === true ||
      (turn?.busy === true && turn.current === undefined)
    ) {
      socket.destroy()
      return
    }
    // The bytes of this connection no longer make sense. A request under way is broken off before the answer goes out.
    turn?.current?.abandon()
    const code = turn?.busy === true ? 'http/malformed' : codeOf(error)
    new RawClient(socket as Socket, parts.clock).answer(gate.unreadable(code))
  })
}

function codeOf(error: NodeJS.ErrnoException): Parameters<Gate['unreadable']>[0] {
  if (error.code === 'HPE_HEADER_OVERFLOW') return 'http/fields-too-large'
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'http/request-timeout'
  return 'http/malformed'
}

function carryOut(plan: Plan, down: Downstream1, parts: H1Parts): void {
  if (plan.kind === 'answer') down.answer(plan)
  else if (plan.kind === 'own') answerOwn(plan, down, parts.clock)
  else new Exchange(plan, down, parts.exchange).start()
}

/** The head as it came in: raw lines and raw target, never Node's merged view of them. */
function rawRequest(request: IncomingMessage): RawRequest {
  const socket = request.socket as TLSSocket
  const name: unknown = socket.servername
  return {
    version: request.httpVersion === '1.1' || request.httpVersion === '1.0' ? request.httpVersion : 'other',
    method: request.method ?? '',
    target: request.url ?? '',
    rawHeaders: request.rawHeaders,
    authority: undefined,
    scheme: undefined,
    protocol: undefined,
    endStream: false,
    secure: 'encrypted' in socket,
    certificate: 'encrypted' in socket ? () => certificateOf(socket) : undefined,
    serverName: typeof name === 'string' && name !== '' ? name : undefined,
    peer: socket.remoteAddress ?? '',
    localPort: socket.localPort ?? 0,
  }
}

class Downstream1 implements Downstream {
  readonly body: IncomingMessage
  headSent = false
  readonly #response: ServerResponse
  readonly #socket: Socket
  readonly #parts: H1Parts
  #closed: ((finished: boolean) => void) | undefined

  constructor(request: IncomingMessage, response: ServerResponse, parts: H1Parts, done: () => void) {
    this.body = request
    this.#response = response
    this.#socket = request.socket
    this.#parts = parts
    if (parts.draining()) response.shouldKeepAlive = false
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    response.once('close', () => {
      this.#closed?.(response.writableFinished)
      done()
    })
  }

  continue(): void {
    if (!this.#response.headersSent) this.#response.writeContinue()
  }

  head(status: number, fields: string[]): void {
    this.headSent = true
    // An answer to half a request may be all there is to it: what the caller still sends can't be told from its next request.
    if (!this.body.complete && announcesBody(this.body.rawHeaders)) this.#response.shouldKeepAlive = false
    this.#response.writeHead(status, framed(status, fields))
  }

  write(chunk: Buffer): boolean {
    return this.#response.write(chunk)
  }

  onDrain(listener: () => void): void {
    this.#response.on('drain', listener)
  }

  end(trailers: string[]): void {
    if (trailers.length > 0 && this.#response.chunkedEncoding) {
      const pairs: [string, string][] = []
      for (let i = 0; i < trailers.length; i += 2) pairs.push([trailers[i]!, trailers[i + 1]!])
      this.#response.addTrailers(pairs)
    }
    this.#stopReading()
    this.#response.end()
  }

  answer(answer: Answer): void {
    this.headSent = true
    const { body, status } = answer
    if (answer.close === true) this.#response.shouldKeepAlive = false
    this.#stopReading()
    const length = status === 204 || status === 304 ? [] : ['Content-Length', String(Buffer.byteLength(body))]
    this.#response.writeHead(status, [...answer.fields, ...length])
    this.#response.end(body)
  }

  reset(): void {
    this.#socket.destroy()
  }

  /** Gives the exchange up without an answer: the connection is about to get one of another kind. */
  abandon(): void {
    this.headSent = true
    this.#closed?.(false)
    this.#closed = undefined
  }

  onClose(listener: (finished: boolean) => void): void {
    this.#closed = listener
    if (this.#response.destroyed || this.#socket.destroyed) listener(false)
  }

  /** A request that isn't wholly in yet is not waited for: the connection closes after the answer. */
  #stopReading(): void {
    if (this.body.complete || !announcesBody(this.body.rawHeaders)) {
      // Unread bytes would hold back the next request of the connection.
      this.body.resume()
      return
    }
    const { clock } = this.#parts
    const socket = this.#socket
    this.#response.shouldKeepAlive = false
    // Node closes the connection with this when the response is out; closing with unread bytes would cost the answer.
    socket.destroySoon = () => {
      this.body.resume()
      linger(socket, clock)
    }
  }
}

/** Whether bytes follow the head. An answer given in the turn that read the head comes before the parser says that none do. */
function announcesBody(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (name === 'transfer-encoding' || (name === 'content-length' && rawHeaders[i + 1] !== '0')) return true
  }
  return false
}

/** A response without content has no length of its own (RFC 9110 §8.6). */
function framed(status: number, fields: string[]): string[] {
  if (status !== 204) return fields
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) if (fields[i]!.toLowerCase() !== 'content-length') kept.push(fields[i]!, fields[i + 1]!)
  return kept
}
