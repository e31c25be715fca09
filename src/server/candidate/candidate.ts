import { fork, type ChildProcess } from 'node:child_process'
import { totalmem } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock, Timer } from '../../core/clock.ts'
import { OstiaryError, type Diagnostic } from '../../core/errors.ts'
import type { Wiring } from '../../config/schema.ts'
import type { PackedPolicy } from '../../policy/index.ts'
import { unknownChange, type Change } from '../compared.ts'
import type { Asked, PackedSources, Question, Told } from './messages.ts'
import { Coming, octetsOf, putTogether } from './parts.ts'

/** What reading a configuration, and comparing it, may cost at most. */
export interface CandidateLimits {
  /** Milliseconds until it has to be read, and again until it has to be compared. */
  readonly time: number
  /** MiB of heap. */
  readonly memory: number
}

/** So much that the largest policy is read on a slow machine, too. */
const MAX_TIME = 300_000
const MAX_MEMORY = 4096

/** The default: half of the memory that this process may have, and no more than the largest policy needs. */
export function candidateLimits(): CandidateLimits {
  const constrained = process.constrainedMemory()
  const memory = Math.min(constrained > 0 ? constrained : Number.POSITIVE_INFINITY, totalmem()) / 2 ** 20
  return { time: MAX_TIME, memory: Math.max(256, Math.min(MAX_MEMORY, Math.floor(memory / 2))) }
}

const ENDED = (): OstiaryError => new OstiaryError('server/reload-ended', { cause: 'the gateway ends' })

/** What came of reading a configuration. */
export type Answer = { readonly diagnostics: readonly Diagnostic[] } & (
  | { readonly kind: 'unreadable'; readonly message: string }
  /** `documents` are the OpenAPI documents that it names, whether or not they are there. */
  | { readonly kind: 'refused'; readonly documents: readonly string[] }
  | { readonly kind: 'same'; readonly version: string; readonly documents: readonly string[] }
  | {
      readonly kind: 'ready'
      readonly policy: PackedPolicy
      readonly wiring: Wiring
      readonly sources: PackedSources
      readonly documents: readonly string[]
    }
)

const READER = fileURLToPath(new URL(`./reader${extname(import.meta.url)}`, import.meta.url))
/** Of what it writes to standard error, so much is looked at for why it ended. */
const MOST_ERROR = 8 * 1024

/**
 * A configuration that is read, checked and compiled in a process of its own, so that decisions go on meanwhile, and whatever is wrong with
 * it, also if it is too large, costs the gateway nothing. (Of a thread, what its heap was made of is given back by the thread that decides.)
 */
export class Candidate {
  /** Rejects with OstiaryError `server/reload-time`, `server/reload-memory`, `server/reload-ended`. */
  readonly answer: Promise<Answer>
  readonly #process: ChildProcess
  readonly #gone: Promise<void>
  readonly #question: Question
  readonly #clock: Clock
  readonly #limits: CandidateLimits
  #timer: Timer
  #version: string | undefined
  #comparing: { readonly promise: Promise<Change>; readonly resolve: (change: Change) => void } | undefined
  #keeping: { readonly promise: Promise<void>; readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined
  #ended = false
  #fail: (error: Error) => void = () => undefined

  /** @param reader In place of the program that reads: for tests of one that fails */
  constructor(question: Question, clock: Clock, limits: CandidateLimits, reader = READER) {
    const { time, memory } = limits
    this.#question = question
    this.#clock = clock
    this.#limits = limits
    this.#process = fork(reader, [], {
      execArgv: ['--disable-warning=ExperimentalWarning', `--max-old-space-size=${memory}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#gone = promise
    this.#process.once('exit', () => resolve())
    this.#process.once('error', () => resolve())
    this.answer = this.#answered()
    this.#timer = clock.after(time, () => this.#fail(new OstiaryError('server/reload-time', { limit: `${time / 1000} s` })))
    const { sources, before: _, ...asked } = question
    void this.#ask({ kind: 'read', question: asked, given: sources !== undefined }, sources)
  }

  /** Keeps the version that was answered, durably. Rejects with why it couldn't be. */
  keep(): Promise<void> {
    this.#keeping = Promise.withResolvers<void>()
    this.#keeping.promise.catch(() => undefined)
    if (this.#ended) this.#keeping.reject(ENDED())
    else void this.#ask({ kind: 'keep' })
    return this.#keeping.promise
  }

  /** Compares the version that was answered with the one in force. Never rejects: whatever can't be told is not proven. */
  compare(): Promise<Change> {
    const { promise, resolve } = Promise.withResolvers<Change>()
    this.#comparing = { promise, resolve }
    if (this.#ended) this.#openChange('the gateway ends')
    else {
      const { time } = this.#limits
      this.#timer = this.#clock.after(time, () => this.#openChange(`comparing it took longer than ${time / 1000} s`))
      void this.#ask({ kind: 'compare' }, this.#question.before)
    }
    return promise
  }

  /** Nobody will know what it changes. */
  #openChange(why: string): void {
    this.#comparing?.resolve(unknownChange(this.#question.running, this.#version ?? 'unknown', why))
  }

  /** Ends the process, whatever it does; but what it writes is written whole. @param why What there is to say of a comparison that goes on */
  async end(why = 'the gateway ends'): Promise<void> {
    this.#timer.cancel()
    this.#openChange(why)
    await this.#keeping?.promise.catch(() => undefined)
    this.#ended = true
    this.#fail(ENDED())
    this.#process.kill('SIGKILL')
    await this.#gone
  }

  /** Asks for something, after the octets that it needs. Where nobody is there to be asked any more, that is told otherwise. */
  async #ask(what: Asked, octets?: PackedSources): Promise<void> {
    const sent = (one: Asked): Promise<void> => new Promise((resolve) => this.#process.send(one, () => resolve()))
    for (const part of octetsOf(octets === undefined ? [] : [octets])) await sent(part)
    await sent(what)
  }

  #answered(): Promise<Answer> {
    const diagnostics: Diagnostic[] = []
    const resources: [string, Wiring['resources'][string]][] = []
    let others: Omit<Wiring, 'resources'> | undefined
    let shape: unknown
    let coming = new Coming([])
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    // Whoever awaits it gets it; one that nobody awaits any more is no fault.
    promise.catch(() => undefined)
    this.#fail = (error) => {
      reject(error)
      this.#keeping?.reject(error)
      const { code, details } = error instanceof OstiaryError ? error : { code: undefined, details: {} }
      const needs = `comparing it needs more than ${this.#limits.memory} MiB`
      const cause = code === 'server/reload-memory' ? needs : `comparing it ended before its time`
      this.#openChange(code === 'server/reload-ended' ? `${cause} (${String(details['cause'])})` : cause)
    }
    // The next is asked for once others had their turn: together they would stop decisions for long.
    const more = (): void => void setImmediate(() => void this.#ask({ kind: 'more' }))
    this.#process.on('message', (message) => {
      const told = message as Told
      switch (told.kind) {
        case 'diagnostics':
          diagnostics.push(...told.some)
          return more()
        case 'wiring':
          others = told.wiring
          return more()
        case 'resources':
          for (const one of told.some) resources.push([...one])
          return more()
        case 'policy':
          shape = told.shape
          coming = new Coming(told.lengths)
          return more()
        case 'octets':
          coming.take(told)
          return more()
        case 'kept':
          if (told.problem === undefined) this.#keeping?.resolve()
          else this.#keeping?.reject(new Error(told.problem))
          return
        case 'compared':
          this.#timer.cancel()
          this.#comparing?.resolve(told.change)
          return
        case 'ready': {
          this.#timer.cancel()
          this.#version = told.version
          const { whole: arrays } = coming
          if (arrays === undefined) return this.#fail(new OstiaryError('server/reload-ended', { cause: 'it handed over a part of it' }))
          const whole = putTogether<Pick<Extract<Answer, { kind: 'ready' }>, 'policy' | 'sources'>>(shape, arrays)
          const wiring = { ...others!, resources: Object.fromEntries(resources) }
          return resolve({ kind: 'ready', documents: told.documents, ...whole, diagnostics, wiring })
        }
        default:
          this.#timer.cancel()
          return resolve({ ...told, diagnostics })
      }
    })
    this.#watchEnd()
    return promise
  }

  /** An engine that has no memory left for it aborts; a machine that has none kills. */
  #watchEnd(): void {
    let written = ''
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (written = (written + text).slice(-MOST_ERROR)))
    this.#process.on('error', (error) => this.#fail(new OstiaryError('server/reload-ended', { cause: error.message })))
    this.#process.on('close', (code, signal) => {
      if (signal === 'SIGABRT' || signal === 'SIGKILL' || signal === 'SIGTRAP')
        return this.#fail(new OstiaryError('server/reload-memory', { limit: `${this.#limits.memory} MiB` }))
      const fault = /^\w*Error: (.*)$/m.exec(written)?.[1]
      this.#fail(new OstiaryError('server/reload-ended', { cause: fault ?? signal ?? `exit code ${code}` }))
    })
  }
}
