import { totalmem } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../core/clock.ts'
import { OstiaryError, type Diagnostic } from '../../core/errors.ts'
import type { Wiring } from '../../config/schema.ts'
import type { PackedPolicy } from '../../policy/index.ts'
import type { Question, SharedSources, Told } from './messages.ts'

/** What reading a configuration may cost at most. */
export interface CandidateLimits {
  /** Milliseconds until it has to be read. */
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
  readonly #timer: Timer
  #keeping: { readonly promise: Promise<void>; readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined
  #ended = false
  #fail: (error: Error) => void = () => undefined

  /** @param thread In place of the one that reads: for tests of one that fails */
  constructor(question: Question, clock: Clock, { time, memory }: CandidateLimits, thread = THREAD) {
    this.#worker = new Worker(thread, {
      name: 'ostiary-candidate',
      workerData: question,
      resourceLimits: { maxOldGenerationSizeMb: memory },
    })
    this.answer = this.#answered(memory)
    this.#timer = clock.after(time, () => this.#fail(new OstiaryError('server/reload-time', { limit: `${time / 1000} s` })))
  }

  /** Keeps the version that was answered, durably. Rejects with why it couldn't be. */
  keep(): Promise<void> {
    this.#keeping = Promise.withResolvers<void>()
    this.#keeping.promise.catch(() => undefined)
    if (this.#ended) this.#keeping.reject(ENDED())
    else this.#more()
    return this.#keeping.promise
  }

  /** Ends the thread, whatever it does; but what it writes is written whole. */
  async end(): Promise<void> {
    this.#timer.cancel()
    await this.#keeping?.promise.catch(() => undefined)
    this.#ended = true
    this.#fail(ENDED())
    await this.#worker.terminate()
  }

  #more(): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    this.#worker.postMessage('more')
  }

  #answered(memory: number): Promise<Answer> {
    const diagnostics: Diagnostic[] = []
    const resources: [string, Wiring['resources'][string]][] = []
    let others: Omit<Wiring, 'resources'> | undefined
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    // Whoever awaits it gets it; one that nobody awaits any more is no fault.
    promise.catch(() => undefined)
    this.#fail = (error) => {
      reject(error)
      this.#keeping?.reject(error)
    }
    // The next is asked for once others had their turn: together they would stop decisions for long.
    const more = (): void => void setImmediate(() => this.#more())
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
        case 'ready':
          this.#timer.cancel()
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
