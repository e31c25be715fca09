import type { Clock } from '../core/clock.ts'
import type { Entry } from './batch.ts'
import type { Disk } from './disk.ts'

/** Why records can't be taken. */
export interface Failure {
  readonly operation: 'write' | 'sync' | 'open'
  readonly cause: string
  /** Milliseconds since the epoch. */
  readonly since: number
}

/** What a journal asks of, and tells, the log that it writes for. */
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
