/**
 * An upstream on a raw socket: it keeps every byte it gets, takes requests apart with a parser of its own that notes
 * whatever is ambiguous, and answers bytes that a test hands it, however hostile.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A request as the upstream received it. Text is latin1: one character per byte. */
export interface Seen {
  readonly method: string
  readonly target: string
  readonly version: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly trailers: readonly (readonly [name: string, value: string])[]
  /** Everything of it, from the first byte of the start line. */
  readonly raw: string
  /** Number of the connection it came on, counted from 1. */
  readonly connection: number
}

/** Bytes to answer with. `close` ends the connection after them. */
export interface Answer {
  readonly bytes: string
  readonly close?: boolean
}

export interface Recorder {
  readonly port: number
  /** What to answer; `undefined` is the recorder's own 200, whose body names the request. */
  answer: ((seen: Seen) => Answer) | undefined
  /** Requests since the last call. */
  take(): readonly Seen[]
  /** Whatever was ambiguous or not HTTP since the last call. */
  takeDefects(): readonly string[]
  close(): Promise<void>
}

/** Values of all headers of this name. */
export function valuesOf(seen: Pick<Seen, 'headers'>, name: string): readonly string[] {
  return seen.headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
}

/** What an upstream might take two names for: lower case, and nothing but letters and digits. */
export function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}

export function ok(body: string, ...fields: readonly string[]): string {
  return [`HTTP/1.1 200 OK`, `Content-Length: ${Buffer.byteLength(body, 'latin1')}`, ...fields, '', body].join('\r\n')
}

export async function startRecorder(): Promise<Recorder> {
  let requests: Seen[] = []
  let defects: string[] = []
  let connections = 0
  const sockets = new Set<Socket>()
  const recorder = {
    port: 0,
    answer: undefined as Recorder['answer'],
    take: () => {
      const taken = requests
      requests = []
      return taken
    },
    takeDefects: () => {
      const taken = defects
      defects = []
      return taken
    },
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
  const server: Server = createServer((socket) => {
    const connection = ++connections
    let rest = ''
    /** Head whose body was asked for. */
    let invited: string | undefined
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      rest += bytes.toString('latin1')
      for (;;) {
        const taken = takeRequest(rest, connection, defects)
        if (taken === undefined) {
          const head = /^[^]*?\r\n\r\n/.exec(rest)?.[0]
          if (head !== undefined && head !== invited && /\r\nexpect: *100-continue\r\n/i.test(head)) {
            invited = head
            socket.write('HTTP/1.1 100 Continue\r\n\r\n')
          }
          return
        }
        invited = undefined
        rest = rest.slice(taken.raw.length)
        requests.push(taken)
        const answer = recorder.answer?.(taken) ?? { bytes: ok(`${taken.method} ${taken.target}`) }
        socket.write(answer.bytes, 'latin1')
        if (answer.close === true) socket.end()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  recorder.port = (server.address() as AddressInfo).port
  return recorder
}

function takeRequest(text: string, connection: number, defects: string[]): Seen | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [start = '', ...lines] = text.slice(0, end).split('\r\n')
  if (/[\r\n\0]/.test(text.slice(0, end).replaceAll('\r\n', '')))
    defects.push(`bare CR, LF or NUL in ${JSON.stringify(text.slice(0, end))}`)
  const [, method = '', target = '', version = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\s]+) (HTTP\/1\.[01])$/.exec(start) ?? []
  if (method === '') defects.push(`no start line: ${JSON.stringify(start)}`)
  const headers = lines.map((line) => fieldOf(line, defects))
  const framing = framingOf(headers, defects)
  const body = framing === 'chunked' ? chunkedAt(text, end + 4, defects) : plainAt(text, end + 4, framing)
  if (body === undefined) return undefined
  return { method, target, version, headers, body: body.text, trailers: body.trailers, raw: text.slice(0, body.end), connection }
}

function fieldOf(line: string, defects: string[]): readonly [string, string] {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line)
  if (match === null) defects.push(`no header line: ${JSON.stringify(line)}`)
  return [match?.[1] ?? '', match?.[2] ?? line]
}

function framingOf(headers: Seen['headers'], defects: string[]): number | 'chunked' {
  const lengths = valuesOf({ headers }, 'content-length')
  const encodings = valuesOf({ headers }, 'transfer-encoding')
  if (lengths.length > 1) defects.push(`${lengths.length} content-length headers`)
  if (lengths.length > 0 && encodings.length > 0) defects.push('content-length and transfer-encoding')
  if (lengths.some((value) => !/^\d+$/.test(value))) defects.push(`content-length: ${lengths.join()}`)
  if (encodings.length > 1 || encodings.some((value) => value.toLowerCase() !== 'chunked'))
    defects.push(`transfer-encoding: ${encodings.join()}`)
  const hosts = valuesOf({ headers }, 'host')
  if (hosts.length !== 1) defects.push(`${hosts.length} host headers`)
  return encodings.length > 0 ? 'chunked' : Number(lengths[0] ?? 0)
}

interface Body {
  readonly text: string
  readonly trailers: Seen['trailers']
  readonly end: number
}

function plainAt(text: string, start: number, length: number): Body | undefined {
  if (text.length < start + length) return undefined
  return { text: text.slice(start, start + length), trailers: [], end: start + length }
}

function chunkedAt(text: string, start: number, defects: string[]): Body | undefined {
  let body = ''
  for (let at = start; ;) {
    const line = text.indexOf('\r\n', at)
    if (line === -1) return undefined
    const size = text.slice(at, line)
    if (!/^[0-9a-fA-F]{1,8}$/.test(size)) defects.push(`chunk size ${JSON.stringify(size)}`)
    const length = Number.parseInt(size, 16) || 0
    at = line + 2
    if (length === 0) {
      const trailerEnd = text.startsWith('\r\n', at) ? at : text.indexOf('\r\n\r\n', at)
      if (trailerEnd === -1) return undefined
      const lines = trailerEnd === at ? [] : text.slice(at, trailerEnd).split('\r\n')
      return { text: body, trailers: lines.map((one) => fieldOf(one, defects)), end: trailerEnd + (trailerEnd === at ? 2 : 4) }
    }
    if (text.length < at + length + 2) return undefined
    body += text.slice(at, at + length)
    if (text.slice(at + length, at + length + 2) !== '\r\n') defects.push('chunk without CRLF at its end')
    at += length + 2
  }
}
