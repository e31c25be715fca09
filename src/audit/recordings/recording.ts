/** One session as it is written: append-only, in the file within a second, hashed on the way. */
import { createHash, type Hash } from 'node:crypto'
import type { Clock, Timer } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { causeOf, writeAll, type Disk } from '../disk.ts'
import type { Redaction } from '../redaction/index.ts'
import { DEFAULT_SIZE, eventLine, headerLine, type CastCode, type CastHeader } from './cast.ts'
import { Texts, type KeptText, type TextKind } from './texts.ts'

/** Written this long after it happened at most. */
const FLUSH_EVERY = 500
/** Written at once when this much has come together. */
const FLUSH_BYTES = 64 * 1024
/** Left for what is said at the end. */
const LAST_WORDS = 4096

/** What a session tells that is recorded. A session of `src/kubernetes/streams` tells this, and more, which is passed over. */
export type RecordedEvent =
  | { readonly kind: 'input' | 'output' | 'error-output'; readonly bytes: Uint8Array }
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'exit'; readonly exit: { readonly code: number | undefined; readonly message: string | undefined } }

/** A recording that is over, as the record vouches for it. */
export interface Recorded {
  readonly id: string
  /** Below the folder of recordings. */
  readonly file: string
  readonly bytes: number
  /** Of the whole file, hexadecimal. */
  readonly sha256: string
  /** Milliseconds. */
  readonly duration: number
  readonly exit: number | undefined
  /** False where it had become too long for the rest. */
  readonly complete: boolean
  /** Bytes of output, and of input whether it is in the recording or not. */
  readonly output: number
  readonly input: number
  /** How often something was left out that looked like a secret. */
  readonly redacted: number
}

export interface RecordingParts {
  readonly clock: Clock
  readonly disk: Disk
  /** Bytes of the file. */
  readonly limit: number
  readonly redaction: Redaction
  /** Called once, as soon as something can't be recorded: nothing more is. */
  readonly failed: (error: OstiaryError) => void
  /** Called for bytes as they are written, and once it is over. */
  readonly wrote: (bytes: number) => void
  readonly over: () => void
  /** Called with the work that is still to be done at the end. */
  readonly finishing: (work: Promise<unknown>) => void
}

/** Takes the events of one session. Never throws: a failure is told to `failed`, once. Made by `Recordings.open`. */
export class Recording {
  readonly #header: CastHeader
  readonly #file: string
  readonly #parts: RecordingParts
  readonly #descriptor: number
  readonly #started: number
  readonly #begun: number
  readonly #hash: Hash = createHash('sha256')
  readonly #texts: Texts
  readonly #counted = { input: 0, output: 0 }
  /** Milliseconds since the beginning: the last event that was told. */
  #last = 0
  #size: { readonly columns: number; readonly rows: number } | undefined
  #headed = false
  #queue: string[] = []
  #queued = 0
  #bytes = 0
  #exit: number | undefined
  #timer: Timer | undefined
  #failure: OstiaryError | undefined
  #over = false

  constructor(header: CastHeader, file: string, descriptor: number, parts: RecordingParts) {
    const { redaction } = parts
    this.#texts = new Texts({ redaction, input: header.input, terminal: header.terminal })
    this.#header = header.command === undefined ? header : { ...header, command: redaction.command(header.command) }
    this.#file = file
    this.#descriptor = descriptor
    this.#parts = parts
    this.#started = parts.clock.now()
    this.#begun = parts.clock.monotonic()
    // Whatever happens next, the file says what it is about.
    this.#later()
  }

  /** Why nothing more is recorded. */
  get failure(): OstiaryError | undefined {
    return this.#failure
  }

  /** Bytes are copied before it returns. */
  take(event: RecordedEvent | { readonly kind: 'input-ended' | 'port-opened' | 'port-closed' | 'undecodable' }): void {
    if (this.#over || this.#failure !== undefined) return
    switch (event.kind) {
      case 'resize':
        // A terminal that has no size says 0 by 0.
        if (event.columns > 0 && event.rows > 0) this.#resize(event.columns, event.rows)
        break
      case 'input':
        this.#counted.input += event.bytes.length
        this.#text('input', event.bytes)
        break
      case 'output':
      case 'error-output':
        this.#counted.output += event.bytes.length
        this.#text(event.kind, event.bytes)
        break
      case 'exit':
        this.#exit = event.exit.code
        this.#write(this.#texts.over(this.#now))
        this.#event('x', event.exit.code === undefined ? '' : String(event.exit.code))
        if (event.exit.message !== undefined && event.exit.code !== 0) this.#event('m', this.#parts.redaction.text(event.exit.message))
        break
      default:
    }
  }

  /** A place that is worth finding again, such as why the gateway ended the session. */
  mark(text: string): void {
    if (!this.#over && this.#failure === undefined) this.#event('m', text)
  }

  /**
   * Ends the recording: resolves when it is durable. Call it once.
   * @throws OstiaryError `recordings/unwritable`: what is there is a readable beginning, for which nobody vouches
   */
  finish(): Promise<Recorded> {
    const work = this.#finish()
    this.#parts.finishing(work)
    return work
  }

  async #finish(): Promise<Recorded> {
    if (!this.#over && this.#failure === undefined) {
      this.#write(this.#texts.over(this.#now))
      this.#flush()
    }
    this.#over = true
    this.#timer?.cancel()
    const { disk } = this.#parts
    try {
      if (this.#failure?.code !== 'recordings/unwritable') await disk.sync(this.#descriptor)
    } catch (error) {
      this.#fail(unwritable(error), true)
    }
    try {
      disk.close(this.#descriptor)
    } catch {
      // What was written is synced, or known not to be.
    }
    this.#parts.over()
    if (this.#failure?.code === 'recordings/unwritable') throw this.#failure
    return {
      id: this.#header.id,
      file: this.#file,
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
      duration: Math.round(this.#parts.clock.monotonic() - this.#begun),
      exit: this.#exit,
      complete: this.#failure === undefined,
      ...this.#counted,
      redacted: this.#texts.redacted,
    }
  }

  #resize(columns: number, rows: number): void {
    // The first size is that of the terminal in which it began.
    if (!this.#headed && this.#queue.length === 0 && this.#size === undefined) this.#size = { columns, rows }
    else this.#event('r', `${columns}x${rows}`)
  }

  /** Milliseconds since the beginning. */
  get #now(): number {
    return this.#parts.clock.monotonic() - this.#begun
  }

  #text(kind: TextKind, bytes: Uint8Array): void {
    this.#write(this.#texts.take(kind, bytes, this.#now))
  }

  #write(texts: readonly KeptText[]): void {
    for (const { kind, at, text } of texts) {
      if (kind === 'error-output') this.#event('e', '', at)
      this.#event(kind === 'input' ? 'i' : 'o', text, at)
    }
  }

  /** @param at Milliseconds since the beginning: what was held came earlier than now, though never before what is written already */
  #event(code: CastCode, text: string, at = this.#now): void {
    if (this.#failure !== undefined) return
    this.#last = Math.max(this.#last, at)
    if (!this.#headed) {
      this.#headed = true
      this.#push(headerLine(this.#header, this.#size ?? DEFAULT_SIZE, this.#started))
    }
    this.#push(eventLine(this.#last, code, text))
    if (this.#queued >= FLUSH_BYTES) this.#flush()
    else this.#later()
  }

  #push(line: string): void {
    this.#queue.push(line)
    // At most three bytes a character: near enough for when to write.
    this.#queued += line.length
  }

  #later(): void {
    this.#timer ??= this.#parts.clock.after(FLUSH_EVERY, () => {
      this.#timer = undefined
      if (!this.#over && this.#failure === undefined) this.#flush()
    })
  }

  #flush(): void {
    if (!this.#headed) {
      this.#headed = true
      this.#queue.unshift(headerLine(this.#header, this.#size ?? DEFAULT_SIZE, this.#started))
    }
    this.#timer?.cancel()
    this.#timer = undefined
    const lines = this.#queue
    this.#queue = []
    this.#queued = 0
    let bytes = Buffer.from(lines.join(''))
    const tooLong = this.#bytes + bytes.length > this.#parts.limit - LAST_WORDS
    if (tooLong) {
      const at = this.#now
      bytes = Buffer.from(
        whole(lines, this.#parts.limit - LAST_WORDS - this.#bytes) + eventLine(at, 'm', 'the recording has become too long'),
      )
    }
    try {
      writeAll(this.#parts.disk, this.#descriptor, bytes)
    } catch (error) {
      this.#fail(unwritable(error))
      return
    }
    this.#hash.update(bytes)
    this.#bytes += bytes.length
    this.#parts.wrote(bytes.length)
    if (tooLong) this.#fail(new OstiaryError('recordings/too-long', { limit: this.#parts.limit }))
  }

  #fail(error: OstiaryError, worse = false): void {
    const told = this.#failure !== undefined
    if (told && !worse) return
    this.#failure = error
    if (told) return
    this.#queue = []
    this.#timer?.cancel()
    this.#parts.failed(error)
  }
}

/** As many whole lines as have room. */
function whole(lines: readonly string[], room: number): string {
  let text = ''
  let left = room
  for (const line of lines) {
    left -= Buffer.byteLength(line)
    if (left < 0) break
    text += line
  }
  return text
}

function unwritable(error: unknown): OstiaryError {
  return new OstiaryError('recordings/unwritable', { cause: causeOf(error) }, { cause: error })
}
