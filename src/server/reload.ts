import type { Timer } from '../core/clock.ts'
import { diagnostic, DiagnosticsError, OstiaryError, type Diagnostic } from '../core/errors.ts'
import type { HttpDoor } from '../doors/http/door.ts'
import type { EnvoyFeed } from './envoy.ts'
import { openApiFiles } from '../config/openapi.ts'
import type { Wiring } from '../config/schema.ts'
import type { Sources } from '../config/wiring.ts'
import type { CompiledPolicy } from '../policy/index.ts'
import type { ReloadStatus } from './admin/parts.ts'
import { Candidate, candidateLimits, type Answer, type CandidateLimits } from './candidate/candidate.ts'
import type { Question, SharedSources } from './candidate/messages.ts'
import { unpacked } from './candidate/unpacked.ts'
import { fingerprintOf, lookAt, lookBy } from './look.ts'
import { httpResources, withoutDoor, type Parts } from './parts.ts'
import { watchFolder } from './watch.ts'

type Ready = Extract<Answer, { readonly kind: 'ready' }>

/** What is in force, and what it was made of. */
export interface Running {
  readonly wiring: Wiring
  readonly sources: SharedSources
}

export interface ReloaderParts {
  readonly parts: Parts
  readonly environment: string | undefined
  /** In place of reading the folder. */
  readonly read: (() => Sources) | undefined
  readonly running: Running
  /** What was found about it at start. */
  readonly diagnostics: readonly Diagnostic[]
  /** What the folder held at start, whether that is what runs or was refused. */
  readonly known: Sources
  readonly door: HttpDoor | undefined
  readonly envoys: EnvoyFeed | undefined
  readonly watch: boolean
  /** What reading a configuration may cost at most. */
  readonly limits?: CandidateLimits | undefined
}

const TIDY_MS = 3_600_000

/** Wiring that is read once: a change of it is reported, and waits for a restart. */
const FIXED = ['name', 'dataDir', 'issuers', 'doors', 'admin', 'audit', 'sessions', 'outbound'] as const

/** Takes on changed configurations, whole or not at all, one after the other. */
export class Reloader {
  readonly #parts: ReloaderParts
  readonly #watcher: { close(): void } | undefined
  #running: Running
  #status: ReloadStatus
  /** OpenAPI documents that the folder's wiring names. */
  #documents: readonly string[]
  #queue: Promise<unknown> = Promise.resolve()
  /** The reload that waits for its turn: whoever asks meanwhile gets what comes of it. */
  #next: Promise<ReloadStatus> | undefined
  /** What is being read. */
  #candidate: Candidate | undefined
  #expiry: Timer | undefined
  #tidying: Timer | undefined
  #closed = false

  constructor(parts: ReloaderParts) {
    this.#parts = parts
    const { known, read, running, environment } = parts
    const { folder, clock, policies } = parts.parts
    this.#running = running
    this.#documents = openApiFiles(known)
    this.#status = { time: clock.now(), accepted: true, version: policies.current.version, diagnostics: parts.diagnostics }
    const look = () => (read === undefined ? lookAt(folder, environment, this.#documents) : lookBy(read))
    this.#watcher = parts.watch ? watchFolder(folder, fingerprintOf(known), look, clock, () => void this.reload()) : undefined
  }

  /** Access that ends by itself ends on time, and policy versions that nothing cites any more go. Called once all runs. */
  begin(): void {
    this.#awaitExpiry()
    this.#tidyLater()
  }

  get status(): ReloadStatus {
    return this.#status
  }

  /** Reads the folder and takes it on if nothing in it is wrong. Never rejects; the status says what came of it. */
  reload(): Promise<ReloadStatus> {
    if (this.#next !== undefined) return this.#next
    const next = this.#queue.then(() => {
      this.#next = undefined
      return this.#reload()
    })
    this.#queue = this.#next = next
    return next
  }

  /** A configuration that was found wrong elsewhere, at start. */
  refused(diagnostics: readonly Diagnostic[]): void {
    this.#refuse(diagnostics)
  }

  /** Resolves when nothing is being read any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#watcher?.close()
    this.#expiry?.cancel()
    this.#tidying?.cancel()
    await this.#candidate?.end()
    await this.#queue.catch(() => undefined)
  }

  async #reload(): Promise<ReloadStatus> {
    const { environment, read, parts } = this.#parts
    const { clock, log, policies } = parts
    const failed = (message: string, diagnostics: readonly Diagnostic[]): ReloadStatus => {
      log(`reload: ${message}`)
      return (this.#status = { time: clock.now(), accepted: false, version: policies.current.version, diagnostics })
    }
    try {
      return await this.#reading({ environment, sources: read?.() }, (answer, candidate) => {
        const { diagnostics } = answer
        if (answer.kind === 'unreadable') return failed(answer.message, diagnostics)
        this.#documents = answer.documents
        if (answer.kind === 'refused') return this.#refuse(diagnostics)
        if (answer.kind === 'same') return (this.#status = { time: clock.now(), accepted: true, version: answer.version, diagnostics })
        return this.#adopt(answer, candidate)
      })
    } catch (error) {
      if (this.#closed) return this.#status
      // What came of reading it can't be told of a place in it.
      const told = error instanceof OstiaryError ? [diagnostic(error.code, error.details, undefined)] : []
      return failed(error instanceof Error ? error.message : String(error), error instanceof DiagnosticsError ? error.diagnostics : told)
    }
  }

  /** Reads a configuration in a thread of its own, which is gone when this is over. Rejects where the gateway ends meanwhile. */
  async #reading<T>(
    what: Pick<Question, 'environment' | 'sources'>,
    use: (answer: Answer, candidate: Candidate) => T | Promise<T>,
  ): Promise<T> {
    const { parts, limits = candidateLimits() } = this.#parts
    const { folder, clock, policies, versions } = parts
    this.#open()
    const question = { ...what, folder, now: clock.now(), running: policies.current.version, versions: versions.dir }
    const candidate = (this.#candidate = new Candidate(question, clock, limits))
    try {
      const answer = await candidate.answer
      this.#open()
      return await use(answer, candidate)
    } finally {
      this.#candidate = undefined
      await candidate.end()
    }
  }

  /** What was read while the gateway ended is nobody's any more. */
  #open(): void {
    if (this.#closed) throw new Error('the gateway ends')
  }

  async #adopt(answer: Ready, candidate: Candidate): Promise<ReloadStatus> {
    const { parts, door, envoys } = this.#parts
    const { clock, audit, policies, log } = parts
    const { wiring, diagnostics } = answer
    const held = FIXED.filter((key) => JSON.stringify(wiring[key]) !== JSON.stringify(this.#running.wiring[key]))
    const policy = await unpacked(answer.policy, policies.current)
    try {
      // Before it is in force it is kept: no record may cite a version that nobody can look up.
      await candidate.keep()
      await audit.noteDurably({
        kind: 'policy-changed',
        time: clock.now(),
        details: { from: policies.current.version, to: policy.version, needsRestart: held },
      })
      this.#open()
      door?.update(httpResources(wiring))
      envoys?.update(wiring)
    } catch (error) {
      if (this.#closed) return this.#status
      log(`reload: refused, ${error instanceof Error ? error.message : String(error)}`)
      return (this.#status = { time: clock.now(), accepted: false, version: policies.current.version, diagnostics })
    }
    this.#run(policy, answer)
    for (const key of held) log(`reload: a change of \`${key}\` takes effect only after a restart`)
    for (const line of withoutDoor(wiring)) log(line)
    log(`policy ${policy.version.slice(0, 19)} is in force`)
    return (this.#status = { time: clock.now(), accepted: true, version: policy.version, diagnostics })
  }

  #run(policy: CompiledPolicy, { wiring, sources }: Running): void {
    this.#parts.parts.policies.swap(policy)
    this.#running = { wiring, sources }
    this.#awaitExpiry()
  }

  /** A binding that ends makes another version of what is running, whatever the folder holds by then. */
  #awaitExpiry(): void {
    const { clock, policies } = this.#parts.parts
    this.#expiry?.cancel()
    const { changesAt } = policies.current
    if (changesAt === undefined) return
    this.#expiry = clock.after(Math.max(0, changesAt - clock.now()), () => {
      this.#queue = this.#queue.then(() => this.#expire()).catch((error: unknown) => this.#expiryFailed(error))
    })
  }

  /** Decisions look at the time themselves; what is open is ended by the next attempt. Later reloads must not wait for it. */
  #expiryFailed(error: unknown): void {
    const { clock, log } = this.#parts.parts
    if (this.#closed) return
    log(`policy: what has ended could not be taken on: ${error instanceof Error ? error.message : String(error)}`)
    this.#expiry = clock.after(1000, () => this.#awaitExpiry())
  }

  async #expire(): Promise<void> {
    const { parts } = this.#parts
    // Decisions look at the time themselves: what is open ends now, however long the version that says so takes.
    parts.pipeline.open.redecide()
    await this.#reading({ environment: undefined, sources: this.#running.sources }, async (answer, candidate) => {
      // The same sources compiled before; should they not now, waiting a second is better than spinning.
      if (answer.kind !== 'ready') {
        this.#expiry = parts.clock.after(1000, () => this.#awaitExpiry())
        return
      }
      const policy = await unpacked(answer.policy, parts.policies.current)
      // Access ends on time even where the version that ends it can't be kept.
      await candidate.keep().catch((error: Error) => parts.log(`policy versions: ${error.message}`))
      this.#open()
      parts.audit.note({
        kind: 'policy-changed',
        time: policy.loadedAt,
        details: { from: parts.policies.current.version, to: policy.version, why: 'a binding or an observation has ended' },
      })
      this.#run(policy, answer)
    })
  }

  #tidyLater(): void {
    const { clock, audit, versions, log } = this.#parts.parts
    this.#tidying = clock.after(TIDY_MS, () => {
      audit
        .cited()
        .then((cited) => versions.prune(cited))
        .catch((error: unknown) => log(`policy versions: ${error instanceof Error ? error.message : String(error)}`))
        .finally(() => this.#tidyLater())
    })
  }

  #refuse(diagnostics: readonly Diagnostic[]): ReloadStatus {
    const { clock, audit, policies, log } = this.#parts.parts
    const errors = diagnostics.filter(({ severity }) => severity === 'error')
    for (const { message, span } of errors.slice(0, 5))
      log(`reload: ${span === undefined ? '' : `${span.file}:${span.line}:${span.column} `}${message}`)
    log(`reload: refused whole, version ${policies.current.version.slice(0, 19)} stays in force`)
    audit.note({
      kind: 'policy-refused',
      time: clock.now(),
      details: { errors: errors.slice(0, 20).map(({ code, message }) => `${code}: ${message}`) },
    })
    return (this.#status = { time: clock.now(), accepted: false, version: policies.current.version, diagnostics })
  }
}
