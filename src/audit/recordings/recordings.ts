/** The folder of recordings: `<yyyy>/<mm>/<dd>/<decision id>.cast`, and what is kept of them. */
import { mkdirSync } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock, Timer } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { noMeter, type Meter } from '../../core/meter.ts'
import type { GatewayEvent } from '../../core/record.ts'
import { causeOf, realDisk, type Disk } from '../disk.ts'
import { DEFAULT_REDACTION } from '../redaction/index.ts'
import type { CastHeader } from './cast.ts'
import { listRecordings } from './files.ts'
import { Recording, type Recorded } from './recording.ts'

/** Events of the record that are about recordings. */
export const RECORDED = 'session-recorded'
export const REMOVED = 'recordings-removed'

/** How often it is looked whether something is too old; first a while after the beginning, when there is more to do. */
const RETENTION_EVERY = 3_600_000
const RETENTION_FIRST = 60_000

export interface RecordingsOptions {
  /** `<dataDir>/recordings`, made when it is needed. */
  readonly dir: string
  readonly clock: Clock
  /** Milliseconds: older recordings are removed. */
  readonly keepFor: number
  /** Bytes: the oldest are removed when all together are larger. */
  readonly keepAtMost: number
  /** Records a removal durably before it happens; where that fails nothing is removed. `AuditLog.noteDurably` */
  readonly announce: (event: GatewayEvent) => Promise<void>
  readonly meter?: Meter
  readonly disk?: Disk
}

/** What the record says of a recording that is over, so that altering it is found out. */
export function recordedEvent(
  { id, file, bytes, sha256, duration, exit, complete, output, input, redacted }: Recorded,
  time: number,
): GatewayEvent {
  const details = {
    decision: id,
    file,
    bytes,
    sha256,
    duration,
    output,
    input,
    redacted,
    complete,
    ...(exit === undefined ? {} : { exit }),
  }
  return { kind: RECORDED, time, details }
}

/** Where recordings are written. One per data directory. */
export class Recordings {
  readonly #options: RecordingsOptions
  readonly #disk: Disk
  readonly #meter: Meter
  readonly #open = new Set<string>()
  readonly #finishing = new Set<Promise<unknown>>()
  /** Bytes of all when they were last counted, and since. */
  #total = 0
  #grown = 0
  #timer: Timer
  #retaining: Promise<void> | undefined

  constructor(options: RecordingsOptions) {
    this.#options = options
    this.#disk = options.disk ?? realDisk
    this.#meter = options.meter ?? noMeter
    this.#timer = options.clock.after(RETENTION_FIRST, () => this.#look())
  }

  /**
   * Begins a recording.
   * @param limit Bytes of the file; a session that makes more of it is told to `failed`
   * @param failed Called once, as soon as something can't be recorded any more
   * @param redaction What is left out of it
   * @throws OstiaryError `recordings/unwritable`
   */
  open(header: CastHeader, limit: number, failed: (error: OstiaryError) => void, redaction = DEFAULT_REDACTION): Recording {
    const { clock, dir } = this.#options
    const file = recordingFile(header.id, clock.now())
    const path = join(dir, file)
    let descriptor: number
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      descriptor = this.#disk.open(path, 'create')
    } catch (error) {
      this.#meter.count('recordings.failures', { operation: 'open' })
      throw new OstiaryError('recordings/unwritable', { cause: causeOf(error) }, { cause: error })
    }
    this.#open.add(file)
    this.#meter.count('recordings.begun')
    const recording = new Recording(header, file, descriptor, {
      clock,
      disk: this.#disk,
      limit,
      redaction,
      failed: (error) => {
        this.#meter.count('recordings.failures', { operation: error.code === 'recordings/too-long' ? 'limit' : 'write' })
        failed(error)
      },
      wrote: (bytes) => {
        this.#grown += bytes
        this.#meter.count('recordings.bytes', {}, bytes)
        this.#retainSoon()
      },
      over: () => this.#open.delete(file),
      finishing: (work) => {
        this.#finishing.add(work)
        void work.catch(() => undefined).finally(() => this.#finishing.delete(work))
      },
    })
    return recording
  }

  /** Removes what is too old or too much, always the oldest that are over. Never throws. */
  async retain(): Promise<void> {
    this.#retaining ??= this.#remove()
      .catch(() => this.#meter.count('recordings.failures', { operation: 'retention' }))
      .finally(() => (this.#retaining = undefined))
    await this.#retaining
  }

  /** Resolves when recordings that were being ended are, and whoever waited for one knows of it; and when nothing is being removed. */
  async close(): Promise<void> {
    this.#timer.cancel()
    await Promise.allSettled(this.#finishing)
    await this.#retaining
  }

  #look(): void {
    this.#timer = this.#options.clock.after(RETENTION_EVERY, () => this.#look())
    void this.retain()
  }

  #retainSoon(): void {
    const { keepAtMost } = this.#options
    // A total that stays too large, since all of it is still open, isn't counted again for each line.
    if (this.#total + this.#grown > keepAtMost && this.#grown > keepAtMost / 100) void this.retain()
  }

  async #remove(): Promise<void> {
    const { clock, dir, keepFor, keepAtMost, announce } = this.#options
    this.#grown = 0
    const all = (await listRecordings(dir)).toReversed()
    let total = all.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#total = total
    const removed: { readonly id: string; readonly file: string; readonly bytes: number }[] = []
    for (const one of all) {
      if (total <= keepAtMost && one.day >= clock.now() - keepFor - 86_400_000) break
      if (this.#open.has(one.file)) continue
      removed.push(one)
      total -= one.bytes
    }
    if (removed.length === 0) return
    const bytes = removed.reduce((sum, one) => sum + one.bytes, 0)
    const details = { recordings: removed.length, bytes, first: removed[0]!.id, last: removed.at(-1)!.id }
    await announce({ kind: REMOVED, time: clock.now(), details })
    for (const { file } of removed) this.#disk.remove(join(dir, file))
    for (const folder of new Set(removed.map(({ file }) => dirname(join(dir, file))))) await rmdir(folder).catch(() => undefined) // others are in it
    this.#total = total
    this.#meter.count('recordings.removed', {}, removed.length)
  }
}

/** Where a recording stands. @param time Milliseconds since the epoch */
export function recordingFile(id: string, time: number): string {
  // Ids are made by the gateway; one that could name another file is no id.
  if (!/^[0-9a-z]{1,64}$/.test(id)) throw new OstiaryError('recordings/unwritable', { cause: 'no decision id' })
  return join(...new Date(time).toISOString().slice(0, 10).split('-'), `${id}.cast`)
}
