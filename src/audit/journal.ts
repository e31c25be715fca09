import type { Timer } from '../core/clock.ts'
import { chained, formBatch, type Batch, type Entry, type Position, type Queued } from './batch.ts'
import { causeOf, writeAll } from './disk.ts'
import type { Failure, JournalOptions } from './hooks.ts'
import { segmentName } from './segments.ts'

export type { Failure, JournalHooks } from './hooks.ts'

/** Written to the file within this time, in milliseconds. */
const WRITE_WITHIN = 15
/** Time until a sync is begun, so that it is over within 200 ms. */
const SYNC_AFTER = 120
/** More than this isn't left waiting, in bytes. */
const WRITE_AT = 1024 * 1024
const RETRY_FIRST = 100
const RETRY_LAST = 5000
/** Added to the length of a text for seq, hash and bookkeeping. */
const OVERHEAD = 160

/**
 * Appends entries to segments: chained as they are written, many per write, many per sync. What can't be made durable
 * is rolled back to the last durable line and tried again, but for entries that somebody waits for: those are withdrawn.
 */
export class Journal {
  readonly #options: JournalOptions
  #file: number | undefined
  #head: Position
  #durable: Position
  #pending: Queued[] = []
  #unsynced: Queued[] = []
  #queued = 0
  #unsyncedSize = 0
  #epoch = 0
  #syncing = false
  #rolling = false
  #soon = false
  #waiters = 0
  #writeTimer: Timer | undefined
  #syncTimer: Timer | undefined
  #retryTimer: Timer | undefined
  #retryDelay = RETRY_FIRST
  #failure: Failure | undefined
  #trying = false
  #closed = false
  #idle: (() => void)[] = []
  #altered = false
  /** Policy versions that records of the segment cite. */
  readonly cited: Set<string>

  /** Goes on at `position`; with a `seq` of 0, or with `fresh`, in a segment of its own. @throws the disk's own error */
  constructor(options: JournalOptions, position: Position, fresh: boolean, cited: Iterable<string>) {
    this.#options = options
    this.cited = new Set(cited)
    this.#head = position
    this.#durable = position
    if (fresh) this.#begin()
    else this.#file = options.disk.open(this.#path(), 'existing')
  }

  get failure(): Failure | undefined {
    return this.#failure
  }

  /** Bytes that wait for the disk. */
  get queued(): number {
    return this.#queued
  }

  get head(): Position {
    return this.#head
  }

  get durable(): Position {
    return this.#durable
  }

  get closed(): boolean {
    return this.#closed
  }

  push(entry: Entry): void {
    const size = (typeof entry.text === 'function' ? 256 : entry.text.length) + OVERHEAD
    this.#pending.push({ entry, size })
    this.#queued += size
    if (entry.waiter !== undefined) {
      this.#waiters++
      this.#commitSoon()
    } else if (this.#queued - this.#unsyncedSize > WRITE_AT) this.#commitSoon()
    else this.#writeTimer ??= this.#options.clock.after(WRITE_WITHIN, () => this.#onWriteTimer())
  }

  /** Writes and syncs all that is queued now. Rejects with the disk's own error. */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => this.push({ text: () => undefined, waiter: { resolve, reject }, transient: true }))
  }

  /** Tells of a file that was taken away or cut while it was being written, and goes on in a new one. */
  inspect(): void {
    if (this.#failure !== undefined || this.#file === undefined || this.#rolling) return
    const { disk } = this.#options
    try {
      if (disk.names(this.#path(), this.#file) && disk.size(this.#file) === this.#head.offset) return
    } catch {
      return // the next write will tell
    }
    this.#altered = true
    this.#fail('open', { code: 'EALTERED' })
  }

  /** Tries the disk again now, if it failed. */
  tryAgain(): void {
    if (this.#failure !== undefined) this.#retry()
  }

  /** Ends writing. What is queued stays unwritten: flush first. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const timer of [this.#writeTimer, this.#syncTimer, this.#retryTimer]) timer?.cancel()
    this.#pending = this.#keep(this.#pending, { code: 'ECLOSED' })
    // A sync that is under way still resolves those who wait for it.
    if (this.#syncing) return void this.#idle.push(() => this.#closeFile())
    this.#rollBack({ code: 'ECLOSED' })
    this.#closeFile()
  }

  #path(position: Position = this.#head): string {
    return `${this.#options.dir}/${segmentName(position.segment)}`
  }

  /** Starts a segment after the head. Its header is written at once and synced with what follows. */
  #begin(): void {
    const { disk, dir, hooks } = this.#options
    const { seq, hash, bytes } = chained(this.#head, hooks.header(this.#head.hash))
    const path = `${dir}/${segmentName(seq)}`
    const file = disk.open(path, 'create')
    try {
      writeAll(disk, file, bytes)
      disk.syncNow(file)
      disk.syncFolder(dir)
    } catch (error) {
      disk.close(file)
      disk.remove(path) // nothing but our own header can be in it
      throw error
    }
    if (this.#file !== undefined) disk.close(this.#file)
    this.#file = file
    this.#head = { seq, hash, segment: seq, offset: bytes.length }
    this.#durable = this.#head
    this.#epoch++
    this.cited.clear()
    hooks.rolled()
  }

  #onWriteTimer(): void {
    this.#writeTimer = undefined
    if (this.#failure === undefined) this.#write()
  }

  #commitSoon(): void {
    if (this.#soon) return
    this.#soon = true
    // At the end of this turn of the event loop: what arrived together is committed together.
    setImmediate(() => {
      this.#soon = false
      if (this.#failure === undefined && !this.#closed) this.#commit()
    })
  }

  #commit(): void {
    if (this.#write()) this.#sync()
  }

  /** Chains and writes what is pending. False if that failed. */
  #write(): boolean {
    while (this.#pending.length > 0 && !this.#rolling && this.#file !== undefined) {
      const { disk, segmentSize } = this.#options
      const batch = formBatch(this.#pending, { head: this.#head, epoch: this.#epoch, cited: this.cited, most: WRITE_AT })
      try {
        writeAll(disk, this.#file, batch.bytes)
      } catch (error) {
        this.#fail('write', error)
        return false
      }
      this.#unsynced.push(...this.#pending.splice(0, batch.count))
      this.#unsyncedSize += batch.size
      this.#advance(batch)
      if (this.#head.offset < segmentSize) continue
      this.#rolling = true
      if (!this.#closeSegment()) return false
    }
    if (this.#rolling || this.#unsyncedSize > WRITE_AT) this.#sync()
    else if (this.#unsynced.length > 0) this.#syncTimer ??= this.#options.clock.after(SYNC_AFTER, () => this.#onSyncTimer())
    return true
  }

  #closeSegment(): boolean {
    const { disk, hooks } = this.#options
    const entry = hooks.closing()
    const batch = formBatch([{ entry, size: 0 }], { head: this.#head, epoch: this.#epoch, cited: this.cited, most: WRITE_AT })
    try {
      writeAll(disk, this.#file!, batch.bytes)
    } catch (error) {
      this.#fail('write', error)
      return false
    }
    this.#unsynced.push({ entry, size: 0 })
    this.#advance(batch)
    return true
  }

  #advance({ seq, hash, bytes }: Batch): void {
    this.#options.hooks.wrote(seq - this.#head.seq, bytes.length)
    this.#head = { seq, hash, segment: this.#head.segment, offset: this.#head.offset + bytes.length }
  }

  #onSyncTimer(): void {
    this.#syncTimer = undefined
    if (this.#failure === undefined) this.#sync()
  }

  #sync(): void {
    if (this.#syncing || this.#unsynced.length === 0 || this.#file === undefined) return
    this.#syncing = true
    this.#syncTimer?.cancel()
    this.#syncTimer = undefined
    const count = this.#unsynced.length
    const upTo = this.#head
    this.#options.disk.sync(this.#file).then(
      () => this.#synced(count, upTo),
      (error: unknown) => this.#syncFailed(error),
    )
  }

  #synced(count: number, upTo: Position): void {
    this.#syncing = false
    for (const act of this.#idle.splice(0)) act()
    this.#durable = upTo
    for (const { entry, size } of this.#unsynced.splice(0, count)) {
      this.#queued -= size
      this.#unsyncedSize -= size
      if (entry.waiter !== undefined) {
        this.#waiters--
        entry.waiter.resolve()
      }
      entry.durable?.()
    }
    if (this.#closed) return
    // A write that failed takes nothing from those before it.
    if (this.#failure !== undefined && !this.#trying) return this.#sync()
    if (this.#rolling) {
      if (this.#unsynced.length > 0) return this.#sync()
      if (!this.#roll()) return
    }
    if (this.#trying && !this.#healed()) return
    if (this.#waiters > 0) this.#commit()
    else if (this.#unsynced.length > 0) this.#syncTimer ??= this.#options.clock.after(SYNC_AFTER, () => this.#onSyncTimer())
    else if (this.#pending.length > 0) this.#write()
  }

  #roll(): boolean {
    try {
      this.#begin()
    } catch (error) {
      this.#fail('open', error)
      return false
    }
    this.#rolling = false
    return true
  }

  #syncFailed(error: unknown): void {
    this.#syncing = false
    for (const act of this.#idle.splice(0)) act()
    if (this.#closed) this.#rollBack(error)
    else this.#fail('sync', error)
  }

  /**
   * From now on nothing is taken, until a try succeeds. What waits is refused; what is only queued stays. After a failed
   * sync nobody knows which pages are on the disk, so all since the last good one are written again.
   */
  #fail(operation: Failure['operation'], error: unknown): void {
    const first = this.#failure === undefined
    this.#failure = { operation, cause: causeOf(error), since: this.#failure?.since ?? this.#options.clock.now() }
    this.#trying = false
    this.#rolling = false
    this.#epoch++
    if (operation === 'sync') this.#rollBack(error)
    else this.#pending = this.#keep(this.#pending, error)
    if (first) this.#options.hooks.failed(this.#failure)
    this.#sync()
    this.#retryLater()
  }

  /** Takes out what somebody waits for, and tells them; and what is made anew anyway. */
  #keep(queue: readonly Queued[], error: unknown): Queued[] {
    return queue.filter(({ entry: { waiter, transient }, size }) => {
      if (waiter === undefined && transient !== true) return true
      this.#queued -= size
      if (waiter !== undefined) this.#waiters--
      waiter?.reject(error)
      return false
    })
  }

  /** Back to the last durable line. */
  #rollBack(error: unknown): void {
    this.#pending = this.#keep([...this.#unsynced, ...this.#pending], error)
    this.#unsynced = []
    this.#unsyncedSize = 0
    this.#head = this.#durable
    this.#epoch++
  }

  #retry(): void {
    if (this.#closed) return
    if (this.#syncing) return this.#retryLater()
    this.#trying = true
    try {
      if (this.#altered || !this.#reopen()) this.#leave()
    } catch (error) {
      return this.#fail('open', error)
    }
    this.push(this.#options.hooks.probe())
    this.#commit()
  }

  /** Opens the segment afresh and cuts off what a failed write left. False if it is gone or lacks what was written. */
  #reopen(): boolean {
    const { disk } = this.#options
    this.#closeFile()
    const file = this.#openExisting()
    if (file === undefined) return false
    if (disk.size(file) < this.#head.offset) {
      disk.close(file)
      return false
    }
    this.#file = file
    disk.truncate(file, this.#head.offset)
    return true
  }

  /** Goes on in a new segment. The one that somebody altered stays as it is, as evidence. */
  #leave(): void {
    const { segment } = this.#durable
    this.#altered = true
    this.#closeFile()
    this.#rollBack({ code: 'EALTERED' })
    this.#begin()
    this.#altered = false
    this.#options.hooks.lost(segment)
  }

  #closeFile(): void {
    const file = this.#file
    this.#file = undefined
    if (file === undefined) return
    try {
      this.#options.disk.close(file)
    } catch {
      // A descriptor that can't be closed is of no more use either way.
    }
  }

  #openExisting(): number | undefined {
    try {
      return this.#options.disk.open(this.#path(), 'existing')
    } catch (error) {
      if (causeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** False if it is too early: then it is tried again. */
  #healed(): boolean {
    this.#trying = false
    if (!this.#options.hooks.recovered()) {
      this.#retryLater()
      return false
    }
    this.#failure = undefined
    this.#retryDelay = RETRY_FIRST
    return true
  }

  #retryLater(): void {
    this.#retryTimer?.cancel()
    this.#retryTimer = this.#options.clock.after(this.#retryDelay, () => this.#retry())
    this.#retryDelay = Math.min(this.#retryDelay * 2, RETRY_LAST)
  }
}
