import { isIP } from 'node:net'
import type { Readable } from 'node:stream'
import { buildConnector, Pool, type Dispatcher } from 'undici'
import type { Clock } from '../core/clock.ts'
import type { RequestBody } from './body.ts'
import type { Fields, UpstreamRequest, UpstreamTarget } from './engine.ts'
import { H2Upstream } from './h2upstream.ts'
import { loopbackLookup } from './lookup.ts'
import { plainCall } from './plain.ts'

export type UpstreamFailure = 'upstream-failed' | 'upstream-timeout' | 'upstream-busy'

/** What is told of a call, in this order: `continued`?, `head`, `data`*, `ended`; or `failed` at any time, and then nothing more. */
export interface UpstreamHandler {
  continued(): void
  head(status: number, fields: Fields): void
  /** False asks for a pause until `resume`. */
  data(chunk: Buffer): boolean
  ended(trailers: Fields): void
  failed(failure: UpstreamFailure): void
}

export interface UpstreamCall {
  resume(): void
  /** Breaks off; the connection is not used again. Nothing is told any more. */
  abort(): void
}

/** Bytes of a response head that are read. */
const MAX_RESPONSE_HEAD = 64 * 1024

interface Entry {
  readonly pool: Pool
  readonly h2: H2Upstream | undefined
  inFlight: number
}

/** Connections to upstreams, one pool per target: name, authorities and identity of a connection never mix. */
export class Upstreams {
  readonly #entries = new Map<UpstreamTarget, Entry>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  call(target: UpstreamTarget, request: UpstreamRequest, body: RequestBody | undefined, handler: UpstreamHandler): UpstreamCall {
    const entry = this.#entry(target)
    if (entry.inFlight >= target.connections * (target.http2 ? 100 : 1) + target.pending) {
      handler.failed('upstream-busy')
      return { resume: () => undefined, abort: () => undefined }
    }
    entry.inFlight++
    const over = (): void => void entry.inFlight--
    // undici can send neither `Expect`, nor request trailers, nor `OPTIONS *`.
    if (!target.http2 && (request.expectsContinue || request.announcesTrailers || request.target === '*'))
      return plainCall(this.#clock, target, request, body, handler, over)
    if (request.expectsContinue) handler.continued()
    const pooled = (): UpstreamCall => {
      const call = new PooledCall(entry.pool, target, request, body, handler, over)
      call.dispatch()
      return call
    }
    return entry.h2 === undefined ? pooled() : entry.h2.call(request, body, handler, over, pooled)
  }

  #entry(target: UpstreamTarget): Entry {
    const known = this.#entries.get(target)
    if (known !== undefined) return known
    const apart = target.http2 && target.secure && target.separateFields === true
    // Of a server that speaks no HTTP/2, the other pool is used: HTTP/1.1 has lines.
    const pool = poolFor(apart ? { ...target, http2: false } : target)
    const entry: Entry = { pool, h2: apart ? new H2Upstream(target, this.#clock) : undefined, inFlight: 0 }
    this.#entries.set(target, entry)
    return entry
  }

  /** Lets go of pools that serve none of these; what is under way there finishes first. */
  keep(targets: ReadonlySet<UpstreamTarget>): void {
    for (const [target, { pool, h2 }] of this.#entries) {
      if (targets.has(target)) continue
      this.#entries.delete(target)
      pool.close().catch(() => undefined)
      h2?.finish()
    }
  }

  async close(): Promise<void> {
    const pools = [...this.#entries.values()].map(({ pool }) => pool)
    for (const { h2 } of this.#entries.values()) h2?.destroy()
    this.#entries.clear()
    await Promise.all(pools.map((pool) => pool.destroy().catch(() => undefined)))
  }
}

function poolFor(target: UpstreamTarget): Pool {
  const host = target.hostname.includes(':') ? `[${target.hostname}]` : target.hostname
  const connect = buildConnector({
    timeout: target.connectTimeout,
    allowH2: target.http2,
    lookup: loopbackLookup,
    ...(target.socketPath === undefined ? {} : { socketPath: target.socketPath }),
    ...(target.http2 ? { preferH2: true, useH2c: !target.secure } : {}),
    ...(target.ca === undefined ? {} : { ca: target.ca }),
    ...target.client,
    ...(isIP(target.serverName) === 0 ? { servername: target.serverName } : {}),
  })
  return new Pool(`${target.secure ? 'https' : 'http'}://${host}:${target.port}`, {
    connections: target.connections,
    ...(target.http2 ? { maxConcurrentStreams: 100 } : { pipelining: 1 }),
    allowH2: target.http2,
    headersTimeout: target.headersTimeout,
    bodyTimeout: target.idleTimeout,
    maxHeaderSize: MAX_RESPONSE_HEAD,
    // The name asked for in TLS is the target's, whatever host the request is for.
    connect: (options, callback) =>
      connect({ ...options, servername: isIP(target.serverName) === 0 ? target.serverName : '' }, (...result) => {
        const [, socket] = result
        socket?.on('error', (error: SocketTrouble) => void (error.bytesRead = socket.bytesRead))
        callback(...result)
      }),
  })
}

/** Errors of a socket, with how much it had read before: more than nothing means that it had served a request. */
interface SocketTrouble extends Error {
  code?: string
  bytesRead?: number
  socket?: { bytesRead?: number }
}

class PooledCall implements UpstreamCall, Dispatcher.DispatchHandler {
  readonly #pool: Pool
  readonly #target: UpstreamTarget
  readonly #request: UpstreamRequest
  readonly #body: Readable | undefined
  readonly #handler: UpstreamHandler
  readonly #over: () => void
  #released = false
  #controller: Dispatcher.DispatchController | undefined
  #finished = false
  #answered = false
  #retried = false

  constructor(
    pool: Pool,
    target: UpstreamTarget,
    request: UpstreamRequest,
    body: Readable | undefined,
    handler: UpstreamHandler,
    over: () => void,
  ) {
    this.#pool = pool
    this.#target = target
    this.#request = request
    this.#body = body
    this.#handler = handler
    this.#over = over
  }

  dispatch(): void {
    const { method, target, host, fields, body, acceptsTrailers } = this.#request
    const headers = ['Host', host, ...fields]
    if (typeof body === 'number') headers.push('Content-Length', String(body))
    if (acceptsTrailers && this.#target.http2) headers.push('TE', 'trailers')
    // One name for all requests: a change of it would make undici reconnect.
    const { serverName: servername } = this.#target
    const options: Dispatcher.DispatchOptions & { readonly servername: string } = {
      method,
      path: target,
      headers,
      body: this.#body ?? null,
      servername,
    }
    try {
      this.#pool.dispatch(options, this)
    } catch {
      this.#fail('upstream-failed')
    }
  }

  resume(): void {
    this.#controller?.resume()
  }

  abort(): void {
    if (this.#finished) return
    this.#finished = true
    // One that still waits for a connection keeps its place in the count until undici lets go of it.
    if (this.#controller === undefined) return
    this.#release()
    this.#controller.abort(new Error('aborted'))
  }

  #finish(): void {
    this.#finished = true
    this.#release()
  }

  #release(): void {
    if (this.#released) return
    this.#released = true
    this.#over()
  }

  #fail(failure: UpstreamFailure): void {
    if (this.#finished) return
    this.#finish()
    this.#handler.failed(failure)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (!this.#finished) return
    this.#release()
    controller.abort(new Error('aborted'))
  }

  onResponseStarted(): void {
    this.#answered = true
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    this.#answered = true
    // Interim responses speak of the connection to the upstream; the caller gets the final one.
    if (this.#finished || status < 200) return
    this.#handler.head(status, flat(controller.rawHeaders ?? headers))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#finished && !this.#handler.data(chunk)) controller.pause()
  }

  onResponseEnd(controller: Dispatcher.DispatchController, trailers: Record<string, string | string[] | undefined>): void {
    if (this.#finished) return
    this.#finish()
    this.#handler.ended(flat(controller.rawTrailers ?? trailers))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: SocketTrouble): void {
    if (this.#finished) {
      this.#release()
      return
    }
    if (this.#mayRetry(error)) {
      this.#retried = true
      this.#controller = undefined
      this.dispatch()
      return
    }
    this.#fail(/TIMEOUT|TIMEDOUT/.test(error.code ?? '') ? 'upstream-timeout' : 'upstream-failed')
  }

  /** A kept connection may be closed by the server just as it is used again. Only what changes nothing is sent once more. */
  #mayRetry(error: SocketTrouble): boolean {
    const { method, body } = this.#request
    if (this.#retried || this.#answered || this.#body !== undefined || body === 'until-end') return false
    if (method !== 'GET' && method !== 'HEAD') return false
    const broken = error.code === 'UND_ERR_SOCKET' || error.code === 'ECONNRESET' || error.code === 'EPIPE'
    return broken && (error.bytesRead ?? error.socket?.bytesRead ?? 0) > 0
  }
}

type RawFields = readonly Buffer[] | readonly string[] | Readonly<Record<string, string | string[] | undefined>>

/** Fields as alternating names and values, one byte per character. */
function flat(raw: RawFields): string[] {
  if (Array.isArray(raw))
    return (raw as readonly (Buffer | string)[]).map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
  const fields: string[] = []
  for (const [name, value] of Object.entries(raw as Readonly<Record<string, string | string[] | undefined>>)) {
    if (value === undefined || name.startsWith(':')) continue
    for (const one of Array.isArray(value) ? value : [value]) fields.push(name, one)
  }
  return fields
}
