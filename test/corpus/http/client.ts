/** A client on a raw socket: it sends exactly the bytes it is told and takes answers apart strictly. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** An answer as the client received it. Text is latin1. */
export interface Response {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  /** False where the connection ended before the body did. */
  readonly complete: boolean
  /** Interim answers that came before it. */
  readonly interim: readonly Response[]
}

export function headerOf(response: Pick<Response, 'headers'>, name: string): string | undefined {
  return response.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
}

/** Time after which a test stops hoping for an answer, in milliseconds. Nothing waits for it unless it fails. */
const PATIENCE_MS = 5000

export interface Target {
  readonly port: number
  /** Speak TLS; trusts `ca` and names `servername`. */
  readonly tls?: { readonly ca: string; readonly servername: string }
}

/** One connection. */
export class Client {
  readonly #socket: Socket
  readonly #methods: string[]
  #text = ''
  #ended = false
  #wake: () => void = () => undefined

  constructor(target: Target, methods: readonly string[]) {
    this.#methods = [...methods]
    this.#socket =
      target.tls === undefined
        ? connect({ port: target.port, host: '127.0.0.1', noDelay: true })
        : connectTls({ port: target.port, host: '127.0.0.1', ...target.tls, ALPNProtocols: ['http/1.1'] })
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1')
      this.#wake()
    })
    // A gateway that refuses closes while the client still writes: reset and end mean the same here.
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
    this.#socket.on('end', () => {
      this.#ended = true
      this.#wake()
    })
  }

  /** The gateway has ended the connection. */
  get ended(): boolean {
    return this.#ended
  }

  /** Everything received so far, as latin1. */
  get text(): string {
    return this.#text
  }

  /** Names the methods of further requests, so that answers to HEAD are taken apart rightly. */
  expect(...methods: readonly string[]): void {
    this.#methods.push(...methods)
  }

  async send(bytes: string): Promise<void> {
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    await new Promise<void>((resolve) => this.#socket.write(bytes, 'latin1', () => resolve()))
  }

  /** Ends this side, and leaves the other open. */
  finish(): void {
    this.#socket.end()
  }

  /** Waits until `count` final answers are there or the connection has ended; rejects when neither comes. */
  async responses(count: number): Promise<readonly Response[]> {
    await this.#until(() => this.#ended || this.#parse().length >= count, `${count} answers`)
    return this.#parse()
  }

  async interim(status: number): Promise<void> {
    await this.#until(() => this.#ended || this.#text.includes(`HTTP/1.1 ${status} `), `an answer with status ${status}`)
  }

  async untilEnded(): Promise<void> {
    await this.#until(() => this.#ended, 'the connection to be closed')
  }

  async untilText(check: (text: string) => boolean, what: string): Promise<void> {
    await this.#until(() => this.#ended || check(this.#text), what)
  }

  close(): void {
    this.#socket.destroy()
  }

  #parse(): readonly Response[] {
    return parseResponses(this.#text, this.#methods, this.#ended)
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    const timer = setTimeout(() => {
      late = true
      this.#wake()
    }, PATIENCE_MS)
    let late = false
    try {
      while (!done()) {
        if (late) throw new Error(`waited in vain for ${what}; received ${JSON.stringify(this.#text.slice(0, 300))}`)
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Whole final answers in `text`, and a cut one at the end if the connection has ended. */
export function parseResponses(text: string, methods: readonly string[], ended: boolean): readonly Response[] {
  const found: Response[] = []
  let interim: Response[] = []
  let at = 0
  while (at < text.length) {
    const end = text.indexOf('\r\n\r\n', at)
    if (end === -1) break
    const [start = '', ...lines] = text.slice(at, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3})(?: [^\r\n]*)?$/.exec(start)?.[1] ?? NaN)
    if (Number.isNaN(status)) throw new Error(`not a status line: ${JSON.stringify(start.slice(0, 200))}`)
    const headers = lines.map((line): readonly [string, string] => {
      const cut = line.indexOf(':')
      if (cut < 1 || /\s/.test(line.slice(0, cut)) || /[\r\n\0]/.test(line)) throw new Error(`not a header line: ${JSON.stringify(line)}`)
      return [line.slice(0, cut), line.slice(cut + 1).trim()]
    })
    if (status < 200 && status !== 101) {
      interim.push({ status, headers, body: '', complete: true, interim: [] })
      at = end + 4
      continue
    }
    const body = bodyAt(text, end + 4, { status, headers, method: methods[found.length] ?? 'GET', ended })
    if (body === undefined) break
    found.push({ status, headers, body: body.text, complete: body.complete, interim })
    interim = []
    at = body.end
  }
  return found
}

interface Framed {
  readonly status: number
  readonly headers: Response['headers']
  readonly method: string
  readonly ended: boolean
}

function bodyAt(text: string, start: number, { status, headers, method, ended }: Framed) {
  const whole = (length: number) => ({ text: text.slice(start, start + length), complete: true, end: start + length })
  const cut = () => (ended ? { text: text.slice(start), complete: false, end: text.length } : undefined)
  if (method === 'HEAD' || status === 204 || status === 304) return whole(0)
  if (status === 101) return whole(text.length - start)
  const lengths = headers.filter(([name]) => name.toLowerCase() === 'content-length')
  const encodings = headers.filter(([name]) => name.toLowerCase() === 'transfer-encoding')
  if (lengths.length > 1 || (lengths.length > 0 && encodings.length > 0)) throw new Error('an answer with two framings')
  if (encodings.length > 0) return chunked(text, start) ?? cut()
  if (lengths.length > 0) {
    const length = Number(lengths[0]![1])
    return text.length >= start + length ? whole(length) : cut()
  }
  return ended ? { text: text.slice(start), complete: true, end: text.length } : undefined
}

function chunked(text: string, start: number) {
  let body = ''
  for (let at = start; ;) {
    const line = text.indexOf('\r\n', at)
    if (line === -1) return undefined
    const length = Number.parseInt(text.slice(at, line), 16)
    if (Number.isNaN(length)) throw new Error(`not a chunk size: ${JSON.stringify(text.slice(at, line))}`)
    at = line + 2
    if (length === 0) {
      const end = text.startsWith('\r\n', at) ? at + 2 : text.indexOf('\r\n\r\n', at) + 4
      return end < 4 ? undefined : { text: body, complete: true, end }
    }
    if (text.length < at + length + 2) return undefined
    body += text.slice(at, at + length)
    at += length + 2
  }
}
