import type { Timer } from '../core/clock.ts'
import { diagnostic, DiagnosticsError, OstiaryError, type Diagnostic } from '../core/errors.ts'
import type { EnvoyFeed } from './envoy.ts'
import { openApiFiles } from '../config/openapi.ts'
import type { Wiring } from '../config/schema.ts'
import type { Sources } from '../config/wiring.ts'
import type { Principal } from '../core/principal.ts'
import type { CompiledPolicy } from '../policy/index.ts'
import type { ReloadStatus } from './admin/parts.ts'
import { Candidate, candidateLimits, type Answer, type CandidateLimits } from './candidate/candidate.ts'
import { packSources, type PackedSources, type Question } from './candidate/messages.ts'
import { unpacked } from './candidate/unpacked.ts'
import type { Change } from './compared.ts'
import { changeDetails, changeInShort, type Beginning, type Held } from './held.ts'
import { fingerprintOf, lookAt, lookBy } from './look.ts'
import { withoutDoor, type Parts } from './parts.ts'
import { serve, serveAgain, type ServedDoors } from './served.ts'
import { watchFolder } from './watch.ts'

type Ready = Extract<Answer, { readonly kind: 'ready' }>

/** What is in force, and what it was made of. */
export interface Running {
  readonly wiring: Wiring
  readonly sources: PackedSources
}

export interface ReloaderParts extends ServedDoors {
  readonly parts: Parts
  readonly environment: string | undefined
  /** In place of reading the folder. */
  readonly read: (() => Sources) | undefined
  readonly running: Running
  /** What it is next to what was in force before. */
  readonly beginning: Omit<Beginning, 'running'>
  /** What was found about it at start. */
  readonly diagnostics: readonly Diagnostic[]
  /** What the folder held at start, whether that is what runs or was refused. */
  readonly known: Sources
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
  /** What is in force, and is being compared with what was. */
  #comparing: Candidate | undefined
  /** What was read, and waits until somebody releases it. */
  #held: Held | undefined
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
    const { held, change, previous } = this.#parts.beginning
    if (held !== undefined) this.#hold(held, [])
    if (change !== undefined) this.#noteChange(change)
    if (previous === undefined) return
    const { version, sources } = previous
    this.#queue = this.#reading({ sources: this.#running.sources, running: version, before: sources }, (answer, candidate) => {
      if (answer.kind === 'ready') this.#compare(candidate)
    }).catch((error: Error) => this.#closed || this.#parts.parts.log(`policy: what it changes could not be told: ${error.message}`))
  }

  /** Of what is in force. */
  get wiring(): Wiring {
    return this.#running.wiring
  }

  get status(): ReloadStatus {
    if (this.#held === undefined) return this.#status
    const { version, change } = this.#held
    return { ...this.#status, held: { version, change } }
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

  /**
   * Takes on the version that is held.
   * @throws OstiaryError `server/not-held` where it is another, or is not what was compared any more
   */
  release(version: string, by: Principal): Promise<ReloadStatus> {
    const next = this.#queue.then(() => this.#release(version, by))
    this.#queue = next.catch(() => undefined)
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
    await this.#comparing?.end()
    await this.#queue.catch(() => undefined)
  }

  async #reload(): Promise<ReloadStatus> {
    const { environment, read, parts } = this.#parts
    const { clock, log, policies } = parts
    const failed = (message: string, diagnostics: readonly Diagnostic[]): ReloadStatus => {
      log(`reload: ${message}`)
      this.#held = undefined
      return (this.#status = { time: clock.now(), accepted: false, version: policies.current.version, diagnostics })
    }
    try {
      const sources = read === undefined ? undefined : packSources(read())
      return await this.#reading({ environment, sources }, (answer, candidate) => {
        const { diagnostics } = answer
        if (answer.kind === 'unreadable') return failed(answer.message, diagnostics)
        this.#documents = answer.documents
        if (answer.kind === 'refused') return this.#refuse(diagnostics)
        if (answer.kind === 'ready') return this.#adoptOrHold(answer, candidate)
        this.#held = undefined
        return (this.#status = { time: clock.now(), accepted: true, version: answer.version, diagnostics })
      })
    } catch (error) {
      if (this.#closed) return this.#status
      // What came of reading it can't be told of a place in it.
      const told = error instanceof OstiaryError ? [diagnostic(error.code, error.details, undefined)] : []
      return failed(error instanceof Error ? error.message : String(error), error instanceof DiagnosticsError ? error.diagnostics : told)
    }
  }

  /** Reads a configuration in a process of its own, which is gone when this is over, or compared. Rejects where the gateway ends meanwhile. */
  async #reading<T>(
    what: Partial<Pick<Question, 'environment' | 'running' | 'before'>> & Pick<Question, 'sources'>,
    use: (answer: Answer, candidate: Candidate) => T | Promise<T>,
  ): Promise<T> {
    const { parts, limits = candidateLimits() } = this.#parts
    const { folder, clock, policies, versions } = parts
    this.#open()
    // Two at a time would need twice the memory.
    await this.#comparing?.end('another change came before that was known')
    this.#open()
    const question: Question = {
      environment: undefined,
      folder,
      now: clock.now(),
      running: policies.current.version,
      before: this.#running.sources,
      versions: versions.dir,
      ...what,
    }
    const candidate = (this.#candidate = new Candidate(question, clock, limits))
    try {
      const answer = await candidate.answer
      this.#open()
      return await use(answer, candidate)
    } finally {
      this.#candidate = undefined
      if (this.#comparing !== candidate) await candidate.end()
    }
  }

  /** What was read while the gateway ended is nobody's any more. */
  #open(): void {
    if (this.#closed) throw new Error('the gateway ends')
  }

  /** What is in force says whether what widens it has to wait: a change can't let itself through. */
  async #adoptOrHold(answer: Ready, candidate: Candidate): Promise<ReloadStatus> {
    const { policies, clock } = this.#parts.parts
    const { version } = answer.policy
    if (this.#running.wiring.onWiden !== 'hold') return this.#adopt(answer, candidate)
    const { current } = policies
    // It was compared before, and waits on.
    if (this.#held?.version === version && this.#held.change.from === current.version) {
      this.#status = { ...this.#status, time: clock.now(), diagnostics: answer.diagnostics }
      return this.status
    }
    const change = await candidate.compare()
    this.#open()
    if (!change.widens) return this.#adopt(answer, candidate, { change })
    return this.#hold({ version, sources: answer.sources, change }, answer.diagnostics)
  }

  #hold(held: Held, diagnostics: readonly Diagnostic[]): ReloadStatus {
    const { clock, audit, policies, log } = this.#parts.parts
    const time = clock.now()
    const { version } = policies.current
    log(`reload: version ${held.version.slice(0, 19)} is held (${changeInShort(held.change)}); ${version.slice(0, 19)} stays in force`)
    log(`reload: see it with \`ostiary policy status\`, release it with \`ostiary policy release ${held.version}\``)
    audit.note({ kind: 'policy-held', time, details: changeDetails(held.change) })
    this.#held = held
    this.#status = { time, accepted: false, version, diagnostics }
    return this.status
  }

  async #release(version: string, by: Principal): Promise<ReloadStatus> {
    const held = this.#held
    const no = (cause: string): OstiaryError => new OstiaryError('server/not-held', { version: version.slice(0, 80), cause })
    if (held === undefined) throw no('nothing is held')
    if (held.version !== version) throw no(`what is held is ${held.version}`)
    if (held.change.from !== this.#parts.parts.policies.current.version)
      throw no('what is in force is another version than it was compared with; reload, and look at what it changes again')
    return this.#reading({ sources: held.sources }, (answer, candidate) => {
      if (answer.kind !== 'ready' || answer.policy.version !== version)
        throw no('it is another by now; reload, and look at what it changes again')
      return this.#adopt(answer, candidate, { change: held.change, by })
    })
  }

  /** @param known What it changes, where that was looked at, and who released it */
  async #adopt(answer: Ready, candidate: Candidate, known?: { readonly change: Change; readonly by?: Principal }): Promise<ReloadStatus> {
    const { parts, envoys } = this.#parts
    const { clock, audit, policies, log } = parts
    const { wiring, diagnostics } = answer
    const waiting = FIXED.filter((key) => JSON.stringify(wiring[key]) !== JSON.stringify(this.#running.wiring[key]))
    const policy = await unpacked(answer.policy, policies.current)
    try {
      // Before it is in force it is kept: no record may cite a version that nobody can look up.
      await candidate.keep()
      await audit.noteDurably({
        kind: 'policy-changed',
        time: clock.now(),
        principal: known?.by,
        details: {
          ...(known === undefined ? {} : changeDetails(known.change)),
          ...(known?.by === undefined ? {} : { released: true }),
          from: policies.current.version,
          to: policy.version,
          needsRestart: waiting,
        },
      })
      this.#open()
      serve(this.#parts, wiring)
      envoys?.update(wiring)
    } catch (error) {
      if (this.#closed) return this.#status
      serveAgain(this.#parts, this.#running.wiring, log)
      log(`reload: refused, ${error instanceof Error ? error.message : String(error)}`)
      if (known?.by === undefined) this.#held = undefined
      this.#status = { time: clock.now(), accepted: false, version: policies.current.version, diagnostics }
      return this.status
    }
    this.#run(policy, answer)
    for (const key of waiting) log(`reload: a change of \`${key}\` takes effect only after a restart`)
    for (const line of withoutDoor(wiring)) log(line)
    log(`policy ${policy.version.slice(0, 19)} is in force`)
    this.#held = undefined
    this.#status = { time: clock.now(), accepted: true, version: policy.version, diagnostics, change: known?.change }
    if (known === undefined) this.#compare(candidate)
    return this.#status
  }

  /** What is in force need not wait for what is to be said of it. */
  #compare(candidate: Candidate): void {
    this.#comparing = candidate
    void candidate.compare().then(async (change) => {
      this.#noteChange(change)
      if (this.#comparing === candidate) this.#comparing = undefined
      await candidate.end()
    })
  }

  #noteChange(change: Change): void {
    const { clock, audit, log } = this.#parts.parts
    audit.note({ kind: 'policy-compared', time: clock.now(), details: changeDetails(change) })
    if (this.#status.version === change.to) this.#status = { ...this.#status, change }
    if (!this.#closed) log(`policy ${change.to.slice(0, 19)} next to ${change.from.slice(0, 19)}: ${changeInShort(change)}`)
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
    await this.#reading({ sources: this.#running.sources }, async (answer, candidate) => {
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
    this.#held = undefined
    audit.note({
      kind: 'policy-refused',
      time: clock.now(),
      details: { errors: errors.slice(0, 20).map(({ code, message }) => `${code}: ${message}`) },
    })
    return (this.#status = { time: clock.now(), accepted: false, version: policies.current.version, diagnostics })
  }
}
