/** Calls that undici can't make, on Node's own client: `Expect`, request trailers, `OPTIONS *`. Each has a connection of its own. */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { isIP } from 'node:net'
import type { Clock, Timer } from '../core/clock.ts'
import type { RequestBody } from './body.ts'
import type { UpstreamRequest, UpstreamTarget } from './engine.ts'
import { loopbackLookup } from './lookup.ts'
import { isAllowedInTrailers } from './names.ts'
import type { UpstreamCall, UpstreamFailure, UpstreamHandler } from './upstream.ts'

/** A request on a fresh connection to `target`, with exactly these fields. */
export function plainRequest(target: UpstreamTarget, method: string, path: string, headers: readonly string[]): ClientRequest {
  const options = {
    ...(target.socketPath === undefined ? { host: target.hostname, port: target.port } : { socketPath: target.socketPath }),
    method,
    path,
    headers: headers as unknown as Record<string, string>,
    agent: false as const,
    lookup: loopbackLookup as never,
    maxHeaderSize: 64 * 1024,
    timeout: target.headersTimeout,
    setHost: false,
  }
  if (!target.secure) return httpRequest(options)
  const tls: RequestOptions & { readonly ALPNProtocols: string[] } = {
    ...options,
    ALPNProtocols: ['http/1.1'],
    servername: isIP(target.serverName) === 0 ? target.serverName : '',
    ...(target.ca === undefined ? {} : { ca: target.ca }),
    ...target.client,
  }
  return httpsRequest(tls)
}

/** How long a server may think about `Expect` before it gets the body all the same (RFC 9110 §10.1.1). */
const EXPECT_MS = 1000

export function plainCall(
  clock: Clock,
  target: UpstreamTarget,
  request: UpstreamRequest,
  body: RequestBody | undefined,
  handler: UpstreamHandler,
  over: () => void,
): UpstreamCall {
  const headers = ['Host', request.host, ...request.fields]
  if (typeof request.body === 'number') headers.push('Content-Length', String(request.body))
  if (request.body === 'until-end') headers.push('Transfer-Encoding', 'chunked')
  if (request.expectsContinue) headers.push('Expect', '100-continue')
  headers.push('Connection', 'close')
  let response: IncomingMessage | undefined
  let finished = false
  const finish = (): boolean => {
    if (finished) return false
    finished = true
    waiting?.cancel()
    over()
    return true
  }
  let waiting: Timer | undefined
  const outgoing = plainRequest(target, request.method, request.target, headers)
  const fail = (failure: UpstreamFailure): void => {
    if (!finish()) return
    outgoing.destroy()
    handler.failed(failure)
  }
  outgoing.on('error', () => fail('upstream-failed'))
  outgoing.on('timeout', () => fail('upstream-timeout'))
  // Also after a switch of protocols that nobody asked for.
  outgoing.on('close', () => fail('upstream-failed'))
  outgoing.on('response', (incoming) => {
    if (finished) return
    response = incoming
    outgoing.setTimeout(target.idleTimeout)
    handler.head(incoming.statusCode ?? 502, incoming.rawHeaders)
    incoming.on('data', (chunk: Buffer) => {
      if (!finished && !handler.data(chunk)) incoming.pause()
    })
    incoming.on('end', () => {
      if (!incoming.complete) fail('upstream-failed')
      else if (finish()) handler.ended(incoming.rawTrailers)
    })
    incoming.on('error', () => fail('upstream-failed'))
    incoming.on('close', () => fail('upstream-failed'))
  })
  const send = (): void => {
    if (body === undefined) {
      outgoing.end()
      return
    }
    body.on('end', () => {
      const trailers = request.announcesTrailers ? sendable((body.source as IncomingMessage).rawTrailers) : []
      if (trailers.length > 0) outgoing.addTrailers(trailers)
      outgoing.end()
    })
    body.on('error', () => fail('upstream-failed'))
    body.pipe(outgoing, { end: false })
  }
  if (request.expectsContinue) {
    let sending = false
    const proceed = (): void => {
      if (finished || sending || response !== undefined) return
      sending = true
      handler.continued()
      send()
    }
    outgoing.on('continue', proceed)
    waiting = clock.after(EXPECT_MS, proceed)
    outgoing.flushHeaders()
  } else {
    send()
  }
  return {
    resume: () => void response?.resume(),
    abort: () => {
      if (finish()) outgoing.destroy()
    },
  }
}

/** Request trailers that may go on, as pairs. */
function sendable(raw: readonly string[] | undefined): [string, string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i + 1 < (raw?.length ?? 0); i += 2) if (isAllowedInTrailers(raw![i]!)) pairs.push([raw![i]!, raw![i + 1]!])
  return pairs
}
