import type { Readable, Writable } from 'node:stream'
import { z } from 'zod'
import { BrokenStream, frame, FrameReader } from './wire.ts'

/** Error codes of JSON-RPC 2.0 and of LSP. */
export const PARSE_ERROR = -32_700
export const INVALID_REQUEST = -32_600
export const METHOD_NOT_FOUND = -32_601
export const INVALID_PARAMS = -32_602
export const INTERNAL_ERROR = -32_603
export const NOT_INITIALIZED = -32_002
export const REQUEST_FAILED = -32_803
export const REQUEST_CANCELLED = -32_800

/** What a request is answered with in place of a result. */
export class RpcError extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** What the other side calls: its work, and nothing where there is no such method. */
export interface Service {
  /** Answers a request; undefined for a method that is unknown. Throws RpcError. */
  request(method: string): ((params: unknown) => unknown) | undefined
  /** Takes a notification; undefined for one that is unknown. */
  notification(method: string): ((params: unknown) => void) | undefined
  /** A message was passed over, because it was too large. */
  skipped(bytes: number): void
  /** Something failed that nobody waits for. */
  failed(what: string): void
}

const id = z.union([z.number(), z.string(), z.null()])
const incoming = z.object({
  jsonrpc: z.literal('2.0'),
  id: id.optional(),
  method: z.string().optional(),
  params: z.unknown().optional(),
})
type Incoming = z.output<typeof incoming>
type Id = z.output<typeof id>

/** Messages that wait; beyond them nothing more is read. */
const MAX_WAITING = 1000

/** JSON-RPC 2.0 over two streams: one message after the other, never two at once. */
export class Connection {
  readonly #input: Readable
  readonly #output: Writable
  readonly #service: Service
  readonly #waiting: Incoming[] = []
  readonly #cancelled = new Set<Id>()
  #next = 1
  #running = false
  #ended = false
  #closed!: (reason: string) => void
  /** Why it ended: the input did, or what was read can't be read on. */
  readonly closed = new Promise<string>((resolve) => (this.#closed = resolve))

  constructor(input: Readable, output: Writable, service: Service, most?: number) {
    this.#input = input
    this.#output = output
    this.#service = service
    const reader = new FrameReader({ message: (bytes) => this.#receive(bytes), skipped: (bytes) => service.skipped(bytes) }, most)
    input.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch (error) {
        if (!(error instanceof BrokenStream)) throw error
        input.pause()
        this.close(error.message)
      }
      if (this.#waiting.length > MAX_WAITING) input.pause()
    })
    input.once('end', () => {
      this.#ended = true
      if (!this.#running) this.close('the input ended')
    })
    input.once('error', () => this.close('the input failed'))
    output.once('error', () => this.close('the output failed'))
    output.on('drain', () => input.resume())
  }

  close(reason: string): void {
    this.#waiting.length = 0
    this.#closed(reason)
  }

  notify(method: string, params: unknown): void {
    this.#send({ jsonrpc: '2.0', method, params })
  }

  /** Asks the other side. What it answers makes no difference here. */
  ask(method: string, params: unknown): void {
    this.#send({ jsonrpc: '2.0', id: `ostiary-${this.#next++}`, method, params })
  }

  #send(message: unknown): void {
    // Whoever doesn't read answers is not read either.
    if (!this.#output.write(frame(message))) this.#input.pause()
  }

  #fail(id: Id, code: number, message: string): void {
    this.#send({ jsonrpc: '2.0', id, error: { code, message } })
  }

  #receive(bytes: Buffer): void {
    let value: unknown
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    } catch {
      return this.#fail(null, PARSE_ERROR, 'this is not JSON')
    }
    const message = incoming.safeParse(value)
    if (!message.success) return this.#fail(null, INVALID_REQUEST, 'this is no message of JSON-RPC 2.0')
    const { method, params } = message.data
    // An answer to something that was asked.
    if (method === undefined) return undefined
    if (method === '$/cancelRequest') {
      const cancelled = z.object({ id }).safeParse(params)
      if (cancelled.success && this.#waiting.some((one) => one.id === cancelled.data.id)) this.#cancelled.add(cancelled.data.id)
      return undefined
    }
    this.#waiting.push(message.data)
    if (!this.#running) {
      this.#running = true
      setImmediate(() => this.#work())
    }
  }

  /** One message, and later the next: what cancels it may be read in between. */
  #work(): void {
    const message = this.#waiting.shift()
    if (message !== undefined) this.#handle(message)
    if (this.#waiting.length > 0) return void setImmediate(() => this.#work())
    this.#running = false
    if (this.#ended) this.close('the input ended')
    else if (!this.#output.writableNeedDrain) this.#input.resume()
  }

  #handle({ id, method = '', params }: Incoming): void {
    if (id === undefined) {
      try {
        this.#service.notification(method)?.(params)
      } catch (error) {
        this.#service.failed(`${method}: ${textOf(error)}`)
      }
      return
    }
    if (this.#cancelled.delete(id)) return this.#fail(id, REQUEST_CANCELLED, 'cancelled')
    try {
      const answer = this.#service.request(method)
      if (answer === undefined) return this.#fail(id, METHOD_NOT_FOUND, `there is no method \`${method.slice(0, 100)}\``)
      this.#send({ jsonrpc: '2.0', id, result: answer(params) ?? null })
    } catch (error) {
      if (error instanceof RpcError) this.#fail(id, error.code, error.message)
      else {
        this.#fail(id, INTERNAL_ERROR, 'internal error')
        this.#service.failed(`${method}: ${textOf(error)}`)
      }
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
