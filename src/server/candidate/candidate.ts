import { totalmem } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../core/clock.ts'
import { OstiaryError, type Diagnostic } from '../../core/errors.ts'
import type { Wiring } from '../../config/schema.ts'
import type { PackedPolicy } from '../../policy/index.ts'
import { unknownChange, type Change } from '../compared.ts'
import type { Asked, Question, SharedSources, Told } from './messages.ts'

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
      readonly sources: SharedSources
      readonly documents: readonly string[]
    }
)

const THREAD = new URL(`./thread${extname(import.meta.url)}`, import.meta.url)

/**
 * A configuration that is read, checked and compiled in a thread of its own, so that decisions go on meanwhile, and whatever is wrong with
 * it, also if it is too large, costs the gateway nothing.
 */
export class Candidate {
  /** Rejects with OstiaryError `server/reload-time`, `server/reload-memory`, `server/reload-ended`. */
  readonly answer: Promise<Answer>
  readonly #worker: Worker
  readonly #question: Question
  readonly #clock: Clock
  readonly #limits: CandidateLimits
  #timer: Timer
  #version: string | undefined
  #comparing: { readonly promise: Promise<Change>; readonly resolve: (change: Change) => void } | undefined
  #keeping: { readonly promise: Promise<void>; readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined
  #ended = false
  #fail: (error: Error) => void = () => undefined

  /** @param thread In place of the one that reads: for tests of one that fails */
  constructor(question: Question, clock: Clock, limits: CandidateLimits, thread = THREAD) {
    const { time, memory } = limits
    this.#question = question
    this.#clock = clock
    this.#limits = limits
    this.#worker = new Worker(thread, {
      name: 'ostiary-candidate',
      workerData: question,
      resourceLimits: { maxOldGenerationSizeMb: memory },
    })
    this.answer = this.#answered()
    this.#timer = clock.after(time, () => this.#fail(new OstiaryError('server/reload-time', { limit: `${time / 1000} s` })))
  }

  /** Keeps the version that was answered, durably. Rejects with why it couldn't be. */
  keep(): Promise<void> {
    this.#keeping = Promise.withResolvers<void>()
    this.#keeping.promise.catch(() => undefined)
    if (this.#ended) this.#keeping.reject(ENDED())
    else this.#ask('keep')
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
      this.#ask('compare')
    }
    return promise
  }

  /** Nobody will know what it changes. */
  #openChange(why: string): void {
    this.#comparing?.resolve(unknownChange(this.#question.running, this.#version ?? 'unknown', why))
  }

  /** Ends the thread, whatever it does; but what it writes is written whole. @param why What there is to say of a comparison that goes on */
  async end(why = 'the gateway ends'): Promise<void> {
    this.#timer.cancel()
    this.#openChange(why)
    await this.#keeping?.promise.catch(() => undefined)
    this.#ended = true
    this.#fail(ENDED())
    await this.#worker.terminate()
  }

  #ask(what: Asked): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#worker.postMessage(what)
  }

  #answered(): Promise<Answer> {
    const { memory } = this.#limits
    const diagnostics: Diagnostic[] = []
    const resources: [string, Wiring['resources'][string]][] = []
    let others: Omit<Wiring, 'resources'> | undefined
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    // Whoever awaits it gets it; one that nobody awaits any more is no fault.
    promise.catch(() => undefined)
    this.#fail = (error) => {
      reject(error)
      this.#keeping?.reject(error)
      const { code, details } = error instanceof OstiaryError ? error : { code: undefined, details: {} }
      const cause = code === 'server/reload-memory' ? `comparing it needs more than ${memory} MiB` : `comparing it ended before its time`
      this.#openChange(code === 'server/reload-ended' ? `${cause} (${String(details['cause'])})` : cause)
    }
    // The next is asked for once others had their turn: together they would stop decisions for long.
    const more = (): void => void setImmediate(() => this.#ask('more'))
    this.#worker.on('message', (told: Told) => {
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
        case 'kept':
          if (told.problem === undefined) this.#keeping?.resolve()
          else this.#keeping?.reject(new Error(told.problem))
          return
        case 'compared':
          this.#timer.cancel()
          this.#comparing?.resolve(told.change)
          return
        case 'ready':
          this.#timer.cancel()
          this.#version = told.policy.version
          return resolve({ ...told, diagnostics, wiring: { ...others!, resources: Object.fromEntries(resources) } })
        default:
          this.#timer.cancel()
          return resolve({ ...told, diagnostics })
      }
    })
    this.#worker.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? new OstiaryError('server/reload-memory', { limit: `${memory} MiB` })
          : new OstiaryError('server/reload-ended', { cause: error.message }),
      ),
    )
    this.#worker.on('exit', (code) => this.#fail(new OstiaryError('server/reload-ended', { cause: `exit code ${code}` })))
    return promise
  }
}
