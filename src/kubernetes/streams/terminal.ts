/** The two side streams of a session: sizes of the terminal, and how the command ended. */
import { Beginning } from './bounded.ts'
import type { ClosingStatus, SessionExit, Sink } from './events.ts'

/** A size of a terminal takes 40 bytes or so; a server that is sent something else stops reading sizes, too. */
const RESIZE_LIMIT = 1024
/** Of what the server says on its error stream. */
const STATUS_LIMIT = 64 * 1024
const MESSAGE_LIMIT = 1024

/** Reads `{"Width":80,"Height":24}` one after the other, as a decoder of a stream of JSON values does. */
export class Resizes {
  readonly #sink: Sink
  #text = ''
  #over = false

  constructor(sink: Sink) {
    this.#sink = sink
  }

  add(bytes: Uint8Array): void {
    if (this.#over) return
    // Sizes are ASCII; what isn't makes no size.
    this.#text += String.fromCharCode(...bytes.subarray(0, RESIZE_LIMIT + 1))
    for (let end = this.#text.indexOf('}'); end !== -1; end = this.#text.indexOf('}')) {
      const size = sizeOf(this.#text.slice(0, end + 1))
      this.#text = this.#text.slice(end + 1)
      if (size === undefined) this.#over = true
      else this.#sink({ kind: 'resize', ...size })
      if (this.#over) break
    }
    if (this.#text.length > RESIZE_LIMIT || bytes.length > RESIZE_LIMIT) this.#over = true
    if (this.#over) this.#text = ''
  }
}

function sizeOf(text: string): { readonly columns: number; readonly rows: number } | undefined {
  const value = parsed(text)
  const [columns, rows] = [member(value, 'Width'), member(value, 'Height')]
  return isSize(columns) && isSize(rows) ? { columns, rows } : undefined
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535
}

/** Reads the error stream: a `metav1.Status` from version 4 of the protocol on, text before. */
export class ExitStatus {
  readonly #version: number
  readonly #sink: Sink
  readonly #said = new Beginning(STATUS_LIMIT)
  #told = false

  constructor(version: number, sink: Sink) {
    this.#version = version
    this.#sink = sink
  }

  add(bytes: Uint8Array): void {
    this.#said.add(bytes)
  }

  /** Tells the exit once all of it is there. @param over True if nothing more can come */
  tell(over: boolean): void {
    if (this.#told || this.#said.length === 0) return
    const exit = this.#version >= 4 ? exitOf(parsed(this.#said.text())) : undefined
    if (exit === undefined && !over) return
    this.#told = true
    this.#sink({ kind: 'exit', exit: exit ?? { code: undefined, message: shortened(this.#said.text()) } })
  }

  get told(): boolean {
    return this.#told
  }
}

/** What a Status says of the command: `Success`, or the cause `ExitCode` of the reason `NonZeroExitCode`. */
function exitOf(status: unknown): SessionExit | undefined {
  const outcome = member(status, 'status')
  if (outcome === 'Success') return { code: 0, message: undefined }
  if (outcome !== 'Failure') return undefined
  const words = member(status, 'message')
  const message = typeof words === 'string' ? shortened(words) : undefined
  if (member(status, 'reason') !== 'NonZeroExitCode') return { code: undefined, message }
  const causes = member(member(status, 'details'), 'causes')
  for (const cause of Array.isArray(causes) ? (causes as readonly unknown[]) : []) {
    const code = member(cause, 'message')
    if (member(cause, 'reason') === 'ExitCode' && typeof code === 'string' && /^\d{1,3}$/.test(code)) return { code: Number(code), message }
  }
  return { code: undefined, message }
}

/** What the gateway says on the error stream when it ends a session itself. */
export function closingText({ reason, message, code }: ClosingStatus, version: number): Uint8Array {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code }
  return new TextEncoder().encode(version >= 4 ? JSON.stringify(status) : message)
}

export function shortened(text: string): string {
  return text.length <= MESSAGE_LIMIT ? text : `${text.slice(0, MESSAGE_LIMIT - 1)}…`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}
