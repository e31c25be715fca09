/**
 * In place of an API server: TLS with HTTP/2 and HTTP/1.1 on Node's own server, which keeps each request field line by field line and
 * answers what a test says. It knows nothing of Kubernetes.
 */
import { createServer as createHttp1 } from 'node:http'
import { createServer as createHttp2, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer } from 'node:tls'
import { certifiedBy, testAuthority } from './pki.ts'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'

/** A request as it arrived; names of fields as they were written. */
export interface ApiRequest {
  readonly version: '1.1' | '2'
  readonly method: string
  readonly path: string
  readonly authority: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Of HTTP/2, for longer conversations. */
  readonly stream: ServerHttp2Stream | undefined
  /** As far as it has come. */
  body: string
}

export interface ApiAnswer {
  readonly status?: number
  readonly fields?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

export interface StandInApiServer {
  readonly port: number
  readonly url: string
  /** PEM of who vouches for it. */
  readonly ca: string
  readonly seen: ApiRequest[]
  readonly sessions: Set<ServerHttp2Session>
  /** Answers once the request is whole; undefined where the test answers on the stream by itself, at once. May be replaced. */
  answer: (request: ApiRequest) => ApiAnswer | undefined
  /** Called for a request to switch protocols over HTTP/1.1. */
  upgrade: (request: ApiRequest, socket: Duplex) => void
  close(): Promise<void>
}

export interface StandInOptions {
  /** Default: both. */
  readonly http2?: boolean
  /** Streams of a connection that it says it takes. Default: as Node's server. */
  readonly streams?: number
}

export const JSON_TYPE = { 'content-type': 'application/json' } as const

/** An answer in JSON. */
export function jsonOf(value: unknown, status = 200): ApiAnswer {
  return { status, fields: JSON_TYPE, body: JSON.stringify(value) }
}

let certified: Promise<{ readonly ca: string; readonly cert: string; readonly key: string }> | undefined

/** One for all tests of the process: making it takes a while. */
function certificate(): NonNullable<typeof certified> {
  certified ??= (async () => {
    const authority = await testAuthority('the stand-in')
    const names = [{ type: 'ip', value: '127.0.0.1' } as const, { type: 'dns', value: 'localhost' } as const]
    const { cert, key } = await certifiedBy(authority, { subject: 'CN=standin', names, usages: [SERVER_AUTH] })
    return { ca: authority.cert, cert, key }
  })()
  return certified
}

export async function standInApiServer(
  answer: StandInApiServer['answer'] = () => jsonOf({}),
  { http2 = true, streams }: StandInOptions = {},
): Promise<StandInApiServer> {
  const { ca, cert, key } = await certificate()
  const h1 = createHttp1()
  const h2 = createHttp2(streams === undefined ? {} : { settings: { maxConcurrentStreams: streams } })
  const server = createServer({ cert, key, ALPNProtocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'] }, (socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.on('close', () => sockets.delete(socket))
    ;(socket.alpnProtocol === 'h2' ? h2 : h1).emit('connection', socket)
  })
  const sockets = new Set<Socket>()
  const sessions = new Set<ServerHttp2Session>()
  h2.on('session', (session) => {
    sessions.add(session.on('error', () => undefined))
    session.on('close', () => sessions.delete(session))
  })
  h2.on('sessionError', () => undefined)
  h2.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: readonly string[]) => {
    stream.on('error', () => undefined)
    const request: ApiRequest = {
      version: '2',
      method: String(headers[':method']),
      path: String(headers[':path']),
      authority: String(headers[':authority']),
      fields: pairs(raw).filter(([name]) => !name.startsWith(':')),
      stream,
      body: '',
    }
    seen.push(request)
    stream.on('data', (chunk: Buffer) => (request.body += chunk.toString()))
    stream.on('end', () => {
      const told = standIn.answer(request)
      if (told === undefined || stream.destroyed) return
      stream.respond({ ':status': told.status ?? 200, ...told.fields })
      stream.end(told.body ?? '')
    })
  })
  h1.on('request', (incoming, outgoing) => {
    const request = readHead(incoming)
    incoming.on('data', (chunk: Buffer) => (request.body += chunk.toString()))
    incoming.on('end', () => {
      const told = standIn.answer(request)
      if (told === undefined) return
      outgoing.writeHead(told.status ?? 200, told.fields ?? {})
      outgoing.end(told.body ?? '')
    })
  })
  h1.on('upgrade', (incoming: Head, socket: Duplex) => {
    socket.on('error', () => undefined)
    standIn.upgrade(readHead(incoming), socket)
  })
  const seen: ApiRequest[] = []
  const readHead = ({ method, url, rawHeaders }: Head): ApiRequest => {
    const fields = pairs(rawHeaders)
    const authority = fields.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? ''
    const request: ApiRequest = { version: '1.1', method: method ?? '', path: url ?? '', authority, fields, stream: undefined, body: '' }
    seen.push(request)
    return request
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const standIn: StandInApiServer = {
    port,
    url: `https://127.0.0.1:${port}`,
    ca,
    seen,
    sessions,
    answer,
    upgrade: (_request, socket) => void socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const session of sessions) session.destroy()
        for (const socket of sockets) socket.destroy()
      }),
  }
  return standIn
}

interface Head {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly rawHeaders: readonly string[]
}

function pairs(raw: readonly string[]): (readonly [string, string])[] {
  const all: (readonly [string, string])[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) all.push([raw[i]!, raw[i + 1]!])
  return all
}

/** The values of a field, one for each line. */
export function linesOf({ fields }: ApiRequest, name: string): readonly string[] {
  return fields.filter(([one]) => one.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
}
