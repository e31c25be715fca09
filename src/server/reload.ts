import type { Timer } from '../core/clock.ts'
import { DiagnosticsError } from '../core/errors.ts'
import type { HttpDoor } from '../doors/http/door.ts'
import type { Sources } from '../config/wiring.ts'
import { compileBeside, type Configuration } from './configuration.ts'
import type { ReloadStatus } from './admin/parts.ts'
import { httpResources, withoutDoor, type Parts } from './parts.ts'
import { watchFolder } from './watch.ts'

export interface ReloaderParts {
  readonly parts: Parts
  readonly read: () => Sources
  readonly running: Configuration
  /** What the folder held at start, whether that is what runs or was refused. */
  readonly known: Sources
  readonly door: HttpDoor | undefined
  readonly watch: boolean
}

const TIDY_MS = 3_600_000

/** Wiring that is read once: a change of it is reported, and waits for a restart. */
const FIXED = ['name', 'dataDir', 'issuers', 'doors', 'admin', 'audit', 'sessions', 'outbound'] as const

/** Takes on changed configurations, whole or not at all, one after the other. */
export class Reloader {
  readonly #parts: ReloaderParts
  readonly #watcher: { close(): void } | undefined
  #running: Configuration
  #status: ReloadStatus
  #queue: Promise<unknown> = Promise.resolve()
  #expiry: Timer | undefined
  #tidying: Timer | undefined
  #closed = false

  constructor(parts: ReloaderParts) {
    this.#parts = parts
    this.#running = parts.running
    this.#status = {
      time: parts.parts.clock.now(),
      accepted: true,
      version: parts.running.policy?.version,
      diagnostics: parts.running.diagnostics,
    }
    const { folder, clock } = parts.parts
    this.#watcher = parts.watch ? watchFolder(folder, parts.known, parts.read, clock, () => void this.reload()) : undefined
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
    const next = this.#queue.then(() => this.#reload())
    this.#queue = next
    return next
  }

  /** A configuration that was found wrong elsewhere, at start. */
  refused(configuration: Configuration): void {
    this.#refuse(configuration.diagnostics)
  }

  close(): void {
    this.#closed = true
    this.#watcher?.close()
    this.#expiry?.cancel()
    this.#tidying?.cancel()
  }

  async #reload(): Promise<ReloadStatus> {
    const { parts, read, door } = this.#parts
    const { clock, audit, versions, policies, log } = parts
    let configuration: Configuration
    try {
      configuration = await compileBeside(parts.folder, read(), clock.now())
    } catch (error) {
      // The folder can't be read now, as in the middle of a deployment: what runs goes on.
      log(`reload: ${error instanceof Error ? error.message : String(error)}`)
      return (this.#status = {
        time: clock.now(),
        accepted: false,
        version: policies.current.version,
        diagnostics: error instanceof DiagnosticsError ? error.diagnostics : [],
      })
    }
    // What was read while it ended is nobody's any more.
    if (this.#closed) return this.#status
    const { policy, wiring, diagnostics } = configuration
    if (policy === undefined || wiring === undefined) return this.#refuse(diagnostics)
    if (policy.version === policies.current.version)
      return (this.#status = { time: clock.now(), accepted: true, version: policy.version, diagnostics })
    const held = FIXED.filter((key) => JSON.stringify(wiring[key]) !== JSON.stringify(this.#running.wiring?.[key]))
    try {
      // Before it is in force it is kept: no record may cite a version that nobody can look up.
      versions.keep(policy.version, configuration.sources, clock.now())
      await audit.noteDurably({
        kind: 'policy-changed',
        time: clock.now(),
        details: { from: policies.current.version, to: policy.version, needsRestart: held },
      })
      door?.update(httpResources(wiring))
    } catch (error) {
      log(`reload: refused, ${error instanceof Error ? error.message : String(error)}`)
      return (this.#status = { time: clock.now(), accepted: false, version: policies.current.version, diagnostics })
    }
    policies.swap(policy)
    this.#running = configuration
    this.#awaitExpiry()
    for (const key of held) log(`reload: a change of \`${key}\` takes effect only after a restart`)
    for (const line of withoutDoor(wiring)) log(line)
    log(`policy ${policy.version.slice(0, 19)} is in force`)
    return (this.#status = { time: clock.now(), accepted: true, version: policy.version, diagnostics })
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
    log(`policy: what has ended could not be taken on: ${error instanceof Error ? error.message : String(error)}`)
    if (!this.#closed) this.#expiry = clock.after(1000, () => this.#awaitExpiry())
  }

  async #expire(): Promise<void> {
    const { parts } = this.#parts
    const now = parts.clock.now()
    const configuration = await compileBeside(parts.folder, this.#running.sources, now)
    if (this.#closed) return
    // The same sources compiled before; should they not now, waiting a second is better than spinning.
    if (configuration.policy === undefined || configuration.policy.version === parts.policies.current.version) {
      this.#expiry = parts.clock.after(1000, () => this.#awaitExpiry())
      return
    }
    try {
      parts.versions.keep(configuration.policy.version, configuration.sources, now)
    } catch (error) {
      // Access ends on time even where the version that ends it can't be kept.
      parts.log(`policy versions: ${error instanceof Error ? error.message : String(error)}`)
    }
    parts.audit.note({
      kind: 'policy-changed',
      time: now,
      details: { from: parts.policies.current.version, to: configuration.policy.version, why: 'a binding or an observation has ended' },
    })
    parts.policies.swap(configuration.policy)
    this.#running = configuration
    this.#awaitExpiry()
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

  #refuse(diagnostics: Configuration['diagnostics']): ReloadStatus {
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
