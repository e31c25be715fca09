import type { Clock, Timer } from '../core/clock.ts'
import { lineOf, linkHash, type Link } from './chain.ts'
import { causeOf, writeAll, type Disk } from './disk.ts'
import type { PrincipalText } from './encode.ts'
import { segmentName } from './segments.ts'

/** Something to be written. */
export interface Entry {
  /** From `"time"` on; made as late as possible where it depends on what stands before it. Undefined: nothing after all. */
  readonly text: string | ((at: { readonly seq: number; readonly previous: string }) => string | undefined)
  readonly principal?: PrincipalText | undefined
  /** Policy version that it cites. */
  readonly policy?: string | undefined
  /** Waits for the disk. If the disk fails the entry is withdrawn and the waiter told so. */
  readonly waiter?: { resolve(): void; reject(error: unknown): void } | undefined
  /** Called once it is durable. */
  readonly durable?: (() => void) | undefined
  /** Made anew where needed, so not kept over a failure. */
  readonly transient?: boolean
}

/** Where a log stands on the disk. */
export interface Position extends Link {
  /** First number of the segment that is being written. */
  readonly segment: number
  /** Bytes in that segment. */
  readonly offset: number
}

export interface Failure {
  readonly operation: 'write' | 'sync' | 'open'
  readonly cause: string
  /** Milliseconds since the epoch. */
  readonly since: number
}

export interface JournalHooks {
  /** Text of the first line of a segment. */
  header(previous: string): string
  /** What closes a segment. */
  closing(): Entry
  /** Written first when the disk is tried again. */
  probe(): Entry
  failed(failure: Failure): void
  /** The disk is back; answers false if it is too early to say so. */
  recovered(): boolean
  /** A new segment has begun: the one before is closed. */
  rolled(): void
  /** What was durable is no longer in its file: somebody altered it while it was being written. */
  lost(segment: number): void
  wrote(records: number, bytes: number): void
}

export interface JournalOptions {
  readonly dir: string
  readonly disk: Disk
  readonly clock: Clock
  /** Bytes at which a segment is closed. */
  readonly segmentSize: number
  readonly hooks: JournalHooks
}

/** Written to the file within this time, in milliseconds. */
const WRITE_WITHIN = 15
/** Time until a sync is begun, so that it is over within 200 ms. */
const SYNC_AFTER = 120
/** More than this isn't left waiting, in characters. */
const WRITE_AT = 1024 * 1024
const RETRY_FIRST = 100
const RETRY_LAST = 5000
/** Added to the length of a text for seq, hash and bookkeeping. */
const OVERHEAD = 160

interface Written {
  readonly entry: Entry
  readonly size: number
}

/**
 * Appends entries to segments: chained as they are written, many per write, many per sync. What can't be made durable
 * is rolled back to the last durable line and tried again, but for entries that somebody waits for: those are withdrawn.
 */
export class Journal {
  readonly #options: JournalOptions
  #file: number | undefined
  #head: Position
  #durable: Position
  #pending: Written[] = []
  #unsynced: Written[] = []
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

  /** Characters that wait for the disk. */
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
    const size = (typeof entry.text === 'string' ? entry.text.length : 256) + OVERHEAD
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

  /** Ends writing. What is queued stays unwritten: flush first. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const timer of [this.#writeTimer, this.#syncTimer, this.#retryTimer]) timer?.cancel()
    this.#withdraw({ code: 'ECLOSED' })
    const file = this.#file
    this.#file = undefined
    if (file === undefined) return
    if (this.#syncing) this.#idle.push(() => this.#options.disk.close(file))
    else this.#options.disk.close(file)
  }

  #path(position: Position = this.#head): string {
    return `${this.#options.dir}/${segmentName(position.segment)}`
  }

  /** Starts a segment after the head. Its header is written at once and synced with what follows. */
  #begin(): void {
    const { disk, dir, hooks } = this.#options
    const seq = this.#head.seq + 1
    const body = `{"seq":${seq},${hooks.header(this.#head.hash)}`
    const hash = linkHash(this.#head.hash, body)
    const bytes = Buffer.from(lineOf(body, hash))
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
      const { disk, segmentSize, hooks } = this.#options
      let { seq, hash, offset } = this.#head
      let text = ''
      let size = 0
      let count = 0
      const chain = (content: string): void => {
        const body = `{"seq":${++seq},${content}`
        hash = linkHash(hash, body)
        text += lineOf(body, hash)
      }
      for (const { entry, size: entrySize } of this.#pending) {
        if (size > 0 && size + entrySize > WRITE_AT) break
        const { principal, policy } = entry
        if (policy !== undefined) this.cited.add(policy)
        if (principal !== undefined && principal.epoch !== this.#epoch) {
          const time = typeof entry.text === 'string' ? entry.text.slice(0, TIME_LENGTH) : undefined
          if (time !== undefined) chain(`${time},"kind":"principal",${principal.full}`)
          principal.epoch = this.#epoch
          principal.seq = seq
        }
        const content = typeof entry.text === 'string' ? entry.text : entry.text({ seq: seq + 1, previous: hash })
        if (content !== undefined) chain(principal === undefined ? content : `${content},"principalRecord":${principal.seq}`)
        size += entrySize
        count++
      }
      const batch = this.#pending.splice(0, count)
      const bytes = Buffer.from(text)
      const written = seq - this.#head.seq
      if (offset + bytes.length >= segmentSize) this.#rolling = true
      this.#unsynced.push(...batch)
      this.#unsyncedSize += size
      try {
        writeAll(disk, this.#file, bytes)
      } catch (error) {
        this.#fail('write', error)
        return false
      }
      this.#head = { seq, hash, segment: this.#head.segment, offset: offset + bytes.length }
      hooks.wrote(written, bytes.length)
      if (this.#rolling && !this.#closeSegment()) return false
    }
    if (this.#rolling || this.#unsyncedSize > WRITE_AT) this.#sync()
    else if (this.#unsynced.length > 0) this.#syncTimer ??= this.#options.clock.after(SYNC_AFTER, () => this.#onSyncTimer())
    return true
  }

  #closeSegment(): boolean {
    const { disk, hooks } = this.#options
    const entry = hooks.closing()
    const seq = this.#head.seq + 1
    const content = typeof entry.text === 'string' ? entry.text : entry.text({ seq, previous: this.#head.hash })
    if (content === undefined) return true
    const body = `{"seq":${seq},${content}`
    const hash = linkHash(this.#head.hash, body)
    const bytes = Buffer.from(lineOf(body, hash))
    try {
      writeAll(disk, this.#file!, bytes)
    } catch (error) {
      this.#fail('write', error)
      return false
    }
    this.#unsynced.push({ entry, size: 0 })
    this.#head = { ...this.#head, seq, hash, offset: this.#head.offset + bytes.length }
    hooks.wrote(1, bytes.length)
    return true
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
    // Even if a later write has failed meanwhile, this much is on the disk.
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
    if (this.#failure !== undefined && !this.#trying) return this.#rollBack()
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
    if (this.#closed) return
    // After a failed sync nobody knows which pages are on the disk: all since the last good one are written again.
    if (this.#failure === undefined || this.#trying) this.#fail('sync', error)
    else this.#rollBack()
  }

  #fail(operation: Failure['operation'], error: unknown): void {
    this.#trying = false
    const first = this.#failure === undefined
    this.#failure = { operation, cause: causeOf(error), since: this.#failure?.since ?? this.#options.clock.now() }
    this.#withdraw(error)
    if (first) this.#options.hooks.failed(this.#failure)
    if (!this.#syncing) this.#rollBack()
  }

  /** Takes out what somebody waits for, and tells them. What a running sync covers may still succeed. */
  #withdraw(error: unknown): void {
    const keep = (written: Written): boolean => {
      if (written.entry.waiter === undefined) return true
      this.#waiters--
      this.#queued -= written.size
      written.entry.waiter.reject(error)
      return false
    }
    this.#pending = this.#pending.filter(keep)
    if (!this.#syncing) {
      this.#unsynced = this.#unsynced.filter(keep)
      this.#unsyncedSize = this.#unsynced.reduce((sum, { size }) => sum + size, 0)
    }
  }

  #rollBack(): void {
    this.#withdraw({ code: this.#failure?.cause })
    const again = [...this.#unsynced, ...this.#pending].filter(({ entry }) => entry.transient !== true)
    this.#pending = again
    this.#unsynced = []
    this.#unsyncedSize = 0
    this.#queued = again.reduce((sum, { size }) => sum + size, 0)
    this.#head = this.#durable
    this.#rolling = false
    this.#epoch++
    this.#retryLater()
  }

  #retry(): void {
    if (this.#closed) return
    this.#trying = true
    try {
      this.#reopen()
    } catch (error) {
      return this.#fail('open', error)
    }
    this.push(this.#options.hooks.probe())
    this.#commit()
  }

  /** Opens the segment afresh and cuts off what wasn't durable. A file that others altered is left as it is. */
  #reopen(): void {
    const { disk, hooks } = this.#options
    if (this.#file !== undefined) {
      try {
        disk.close(this.#file)
      } catch {
        // A descriptor that can't be closed is of no more use either way.
      }
      this.#file = undefined
    }
    const file = this.#altered ? undefined : this.#openExisting()
    if (file !== undefined && disk.size(file) >= this.#durable.offset) {
      this.#file = file
      disk.truncate(file, this.#durable.offset)
      return
    }
    if (file !== undefined) disk.close(file)
    const { segment } = this.#durable
    this.#begin()
    this.#altered = false
    hooks.lost(segment)
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

/** `"time":"2026-01-01T00:00:00.000Z"` */
const TIME_LENGTH = 33
