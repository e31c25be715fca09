import { chmodSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { systemEntropy, type Clock, type Timer } from '../core/clock.ts'
import { OstiaryError } from '../core/errors.ts'
import { idMaker } from '../core/id.ts'
import { noMeter, type Meter } from '../core/meter.ts'
import type { Principal } from '../core/principal.ts'
import type { DecisionEvent, GatewayEvent, Outcome, Recorder, RecordMode } from '../core/record.ts'
import type { Rotation } from '../secrets/keyring.ts'
import { textArena, type Entry } from './batch.ts'
import { Checkpoints, type Turn } from './checkpoints.ts'
import { citedVersions } from './cited.ts'
import { causeOf, realDisk } from './disk.ts'
import { decisionText, eventText, iso, outcomeText, principalTexts } from './encode.ts'
import { Gaps } from './gaps.ts'
import { Journal, type Failure, type JournalHooks } from './journal.ts'
import { lock, type Lock } from './lock.ts'
import { findEnd, type Found } from './recover.ts'
import { isFull, Reserve } from './reserve.ts'
import type { AuditLogOptions, AuditStatus } from './options.ts'
import { removeOld } from './retention.ts'

/** Added to the queue's limit for what belongs to effects that have happened: outcomes and events. */
const HEADROOM = 0.25
const BEAT_EVERY = 10_000
const RETENTION_EVERY = 3_600_000
/** Bytes held back by default. */
const DEFAULT_RESERVE = 1024 * 1024

/**
 * Opens the record in `dir` for writing, as the only process that does. What a crash left is moved aside and recorded;
 * the chain goes on. Resolves once the opening itself is durable.
 * @throws OstiaryError `audit/locked`, `audit/unavailable`, `audit/unreadable`
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  let held: Lock | undefined
  try {
    mkdirSync(options.dir, { recursive: true, mode: 0o700 })
    chmodSync(options.dir, 0o700)
    held = lock(options.dir, options.clock)
    const log = new AuditLog(options, held, await findEnd(options.dir))
    await log.ready()
    return log
  } catch (error) {
    held?.release()
    throw error instanceof OstiaryError ? error : unavailable(causeOf(error), error)
  }
}

function unavailable(cause: string, error?: unknown): OstiaryError {
  return new OstiaryError('audit/unavailable', { cause }, { cause: error })
}

/** The record as the gateway writes it. Made by `openAuditLog`. */
export class AuditLog implements Recorder {
  readonly #options: AuditLogOptions
  readonly #clock: Clock
  readonly #meter: Meter
  readonly #lock: Lock
  readonly #id: string
  readonly #journal: Journal
  readonly #checkpoints: Checkpoints
  readonly #reserve: Reserve
  readonly #gaps = new Gaps()
  readonly #principalText = principalTexts()
  readonly #bytes = textArena()
  readonly #limit: number
  readonly #found: Found
  #checkpointTimer: Timer | undefined
  #beatTimer: Timer | undefined
  #retentionAt: number
  #retaining: Promise<void> | undefined
  #gapTold = false
  #stopped: string | undefined

  constructor(options: AuditLogOptions, held: Lock, found: Found) {
    this.#options = options
    this.#clock = options.clock
    this.#meter = options.meter ?? noMeter
    this.#lock = held
    this.#found = found
    const newId = options.newId ?? idMaker(options.clock, systemEntropy)
    this.#id = found.log ?? newId()
    this.#limit = options.options.queue
    const disk = options.disk ?? realDisk
    const files = options.anchors ?? options.options.anchors.map(({ file }) => resolve(file))
    this.#checkpoints = new Checkpoints({
      log: this.#id,
      clock: this.#clock,
      signer: options.signer,
      anchors: files,
      disk,
      cited: () => this.#journal.cited,
      turned: (turn) => this.#turned(turn),
    })
    this.#reserve = new Reserve(join(options.dir, 'reserve'), options.reserve ?? DEFAULT_RESERVE, disk)
    this.#retentionAt = this.#clock.monotonic()
    this.#journal = new Journal(
      { dir: options.dir, disk, clock: this.#clock, segmentSize: options.options.segmentSize, hooks: this.#hooks() },
      found.position,
      found.fresh,
      found.cited,
    )
  }

  /** Records the opening and what was found; called once by `openAuditLog`. */
  async ready(): Promise<void> {
    const { clean, unsigned, torn, damage, position } = this.#found
    const anchors = this.#checkpoints.anchors.map(({ file }) => file)
    const from = position.seq - unsigned + 1
    this.#event('audit-opened', {
      pid: process.pid,
      clean,
      anchors,
      ...(unsigned > 0 ? { unsignedFrom: from, unsignedTo: position.seq } : {}),
    })
    for (const { segment, bytes, sha256, movedTo } of torn) this.#event('audit-recovered', { segment, bytes, sha256, movedTo })
    if (damage !== undefined) this.#event('audit-damaged', { ...damage })
    try {
      if (!this.#reserve.hold()) throw unavailable('ENOSPC')
      this.#journal.push(this.#checkpoints.entry(false))
      await this.#journal.flush()
    } catch (error) {
      this.#journal.close()
      throw error instanceof OstiaryError ? error : unavailable(causeOf(error), error)
    }
    this.#beatTimer = this.#clock.after(BEAT_EVERY, () => this.#beat())
    this.#retain()
  }

  decided(event: DecisionEvent, mode: RecordMode): void | Promise<void> {
    const cause = this.#refusal(this.#limit)
    if (cause !== undefined) {
      const best = mode === 'best-effort'
      this.#meter.count('audit.unrecorded', { mode })
      this.#gaps.count(best ? 'dropped' : 'refused', cause, event.time)
      this.#dirty()
      if (best) return
      throw unavailable(cause)
    }
    const principal = this.#principalText(event.principal)
    const text = this.#bytes(decisionText(event, mode, principal))
    const policy = event.policyVersion
    this.#dirty()
    if (mode !== 'strict') return this.#journal.push({ text, principal, policy })
    return this.#waitFor({ text, principal, policy })
  }

  completed(id: string, outcome: Outcome, mode: RecordMode): void {
    const best = mode === 'best-effort'
    const cause = this.#refusal(best ? this.#limit : this.#limit * (1 + HEADROOM), best)
    const now = this.#clock.now()
    this.#dirty()
    if (cause === undefined) return this.#journal.push({ text: this.#bytes(outcomeText(id, now, outcome)) })
    this.#meter.count('audit.unrecorded', { mode })
    this.#gaps.count(best ? 'dropped' : 'lost', cause, now)
  }

  /** Spooled, even while the disk fails; what finds no room in the queue any more is counted and told later. */
  note(event: GatewayEvent): void {
    const cause = this.#refusal(this.#limit * (1 + HEADROOM), false)
    this.#dirty()
    if (cause === undefined) this.#journal.push(this.#eventEntry(event))
    else {
      this.#meter.count('audit.unrecorded', { mode: 'event' })
      this.#gaps.count('lost', cause, event.time)
    }
  }

  noteDurably(event: GatewayEvent): Promise<void> {
    const cause = this.#refusal(this.#limit)
    if (cause !== undefined) {
      this.#gaps.count('refused', cause, event.time)
      return Promise.reject(unavailable(cause))
    }
    this.#dirty()
    return this.#waitFor(this.#eventEntry(event))
  }

  /**
   * Records the rotation of a key. After that of a checkpoint key this comes before anything that the new key signs:
   * call it in the same turn of the event loop as the rotation.
   */
  rotated({ purpose, kid, previous, endorsement }: Rotation, principal?: Principal): void {
    const details = { purpose, kid, previous, ...endorsement }
    this.note({ kind: 'key-rotated', time: this.#clock.now(), principal, details })
  }

  /** Resolves when all that was recorded so far is durable. @throws OstiaryError `audit/unavailable` */
  async flush(): Promise<void> {
    const { failure } = this.#journal
    const cause = this.#stopped ?? (failure === undefined ? undefined : describe(failure))
    if (cause !== undefined) throw unavailable(cause)
    await this.#journal.flush().catch((error: unknown) => {
      throw unavailable(causeOf(error), error)
    })
  }

  status(): AuditStatus {
    const { failure, queued, head, durable } = this.#journal
    const stopped = this.#stopped ?? (failure === undefined ? undefined : describe(failure))
    return {
      healthy: stopped === undefined,
      reason: stopped ?? this.#checkpoints.failing,
      since: failure?.since,
      queued,
      queueLimit: this.#limit,
      lastSeq: head.seq,
      durableSeq: durable.seq,
      anchors: this.#checkpoints.anchors,
    }
  }

  /** Policy versions that records here cite: what else is kept may go. @throws OstiaryError `audit/unreadable` */
  async cited(): Promise<ReadonlySet<string>> {
    // What is queued cites, too.
    if (this.#stopped === undefined && this.#journal.failure === undefined) await this.#journal.flush().catch(() => undefined)
    return citedVersions(this.#options.dir, this.#journal.cited)
  }

  /** Writes all that is queued, a closing checkpoint, its anchors, and gives the folder free. Never throws. */
  async close(): Promise<void> {
    if (this.#stopped !== undefined) return
    for (const timer of [this.#checkpointTimer, this.#beatTimer]) timer?.cancel()
    if (!this.#gaps.empty && this.#journal.failure === undefined) this.#journal.push(this.#gapEntry())
    this.#stopped = 'closed'
    // A disk that failed gets one more try: what was let through is still queued.
    const flushed = this.#journal.flush()
    this.#journal.tryAgain()
    await flushed.catch(() => undefined)
    if (this.#journal.failure === undefined) {
      this.#journal.push(this.#checkpoints.entry(true))
      await this.#journal.flush().catch(() => undefined)
    }
    this.#checkpointTimer?.cancel()
    this.#journal.close()
    await this.#retaining
    await this.#checkpoints.close()
    this.#reserve.release()
    this.#lock.release()
  }

  /** Why nothing more can be taken now; undefined if it can. `failing` says whether a failing disk counts. */
  #refusal(limit: number, failing = true): string | undefined {
    if (this.#stopped !== undefined) return this.#stopped
    const { failure, queued } = this.#journal
    if (failing && failure !== undefined) return describe(failure)
    return queued >= limit ? 'the queue is full' : undefined
  }

  #waitFor(entry: Omit<Entry, 'waiter'>): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (error: unknown): void => {
        this.#gaps.count('refused', causeOf(error), this.#clock.now())
        reject(unavailable(causeOf(error), error))
      }
      this.#journal.push({ ...entry, waiter: { resolve, reject: refuse } })
    })
  }

  #eventEntry(event: GatewayEvent): Entry {
    const principal = event.principal === undefined ? undefined : this.#principalText(event.principal)
    return { text: this.#bytes(eventText(event, principal)), principal }
  }

  #event(kind: string, details: GatewayEvent['details']): void {
    this.note({ kind, time: this.#clock.now(), details })
  }

  /** Something was recorded that no checkpoint covers yet. */
  #dirty(): void {
    this.#checkpointTimer ??= this.#clock.after(this.#options.options.checkpointEvery, () => this.#onCheckpoint())
  }

  #onCheckpoint(): void {
    this.#checkpointTimer = undefined
    if (this.#stopped !== undefined) return
    this.#journal.inspect()
    if (this.#journal.failure !== undefined) return this.#dirty()
    if (!this.#gaps.empty) this.#journal.push(this.#gapEntry())
    this.#journal.push(this.#checkpoints.entry(false))
  }

  #gapEntry(): Entry {
    const { failure } = this.#journal
    const gap = this.#gaps.take(this.#clock.now(), failure?.since, failure === undefined ? undefined : describe(failure))
    return { text: Buffer.from(gap.text), durable: gap.told, transient: true }
  }

  #hooks(): JournalHooks {
    return {
      header: (previous) =>
        `"time":"${iso(this.#clock.now())}","kind":"segment","version":1,"log":"${this.#id}","previous":"${previous}","checkpointEvery":${this.#options.options.checkpointEvery}`,
      closing: () => this.#checkpoints.entry(false),
      probe: () => this.#probe(),
      failed: (failure) => this.#failed(failure),
      recovered: () => this.#recovered(),
      rolled: () => this.#retainSoon(),
      lost: (segment) => this.#event('audit-segment-altered', { segment }),
      wrote: (records, bytes) => {
        this.#meter.count('audit.records', {}, records)
        this.#meter.count('audit.bytes', {}, bytes)
      },
    }
  }

  #failed(failure: Failure): void {
    this.#gapTold = false
    this.#meter.count('audit.failures', { operation: failure.operation })
    if (isFull(failure.cause)) this.#release()
    this.#tell(`nothing can be recorded (${describe(failure)}): what needs a record is refused`)
  }

  #release(): void {
    try {
      this.#reserve.release()
    } catch {
      this.#meter.count('audit.failures', { operation: 'reserve' })
    }
  }

  /** The record of the failure itself shows whether the disk works again. It is said once. */
  #probe(): Entry {
    if (this.#gapTold && this.#gaps.empty) return { text: () => undefined, transient: true }
    const entry = this.#gapEntry()
    return {
      ...entry,
      durable: () => {
        this.#gapTold = true
        entry.durable?.()
      },
    }
  }

  #recovered(): boolean {
    try {
      // At the end nothing new will come: no room has to be held back for it.
      if (this.#stopped === undefined && !this.#reserve.hold()) return false
    } catch {
      return false
    }
    this.#dirty()
    this.#tell('records are taken again')
    return true
  }

  /** A signature or an anchor began to fail, or works again. Neither stops records. */
  #turned({ what, line, event }: Turn): void {
    if (what === 'sign' || what === 'anchor') this.#meter.count('audit.failures', { operation: what })
    if (event !== undefined && this.#stopped === undefined) this.#event(event.kind, event.details)
    this.#dirty()
    this.#tell(line)
  }

  #tell(line: string): void {
    this.#options.onDegraded?.(line)
  }

  #beat(): void {
    if (this.#stopped !== undefined) return
    if (!this.#lock.beat()) return this.#lockLost()
    this.#beatTimer = this.#clock.after(BEAT_EVERY, () => this.#beat())
    if (this.#clock.monotonic() - this.#retentionAt >= RETENTION_EVERY) this.#retain()
  }

  /** Somebody took the lock away: writing on could break the chain. */
  #lockLost(): void {
    this.#stopped = 'its lock was taken away'
    this.#checkpointTimer?.cancel()
    this.#journal.close()
    this.#meter.count('audit.failures', { operation: 'lock' })
    this.#tell('the lock of the record was taken away: nothing is recorded any more, and what needs a record is refused')
  }

  /** The removal is durable and signed before anything is removed. */
  async #announceRemoval(details: GatewayEvent['details']): Promise<boolean> {
    if (this.#stopped !== undefined || this.#journal.failure !== undefined) return false
    this.#event('audit-retention', details)
    this.#journal.push(this.#checkpoints.entry(false))
    await this.#journal.flush()
    return this.#stopped === undefined
  }

  #retainSoon(): void {
    this.#clock.after(1, () => this.#retain())
  }

  #retain(): void {
    this.#retentionAt = this.#clock.monotonic()
    const { dir, options } = this.#options
    this.#retaining ??= removeOld(dir, this.#clock.now(), options, (details) => this.#announceRemoval(details))
      .catch(() => this.#meter.count('audit.failures', { operation: 'retention' }))
      .finally(() => (this.#retaining = undefined))
  }
}

function describe({ operation, cause }: Failure): string {
  return `${operation}: ${cause}`
}
