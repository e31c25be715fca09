import type { Wiring } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Meter } from '../core/meter.ts'
import type { AnchorStatus } from './anchors.ts'
import type { CheckpointSigner } from './checkpoints.ts'
import type { Disk } from './disk.ts'

export interface AuditLogOptions {
  /** Folder of the segments, made if it isn't there. Nothing but the record belongs there. */
  readonly dir: string
  readonly clock: Clock
  readonly signer: CheckpointSigner
  /** `audit:` of the wiring. Its anchors are overridden by `anchors`. */
  readonly options: Wiring['audit']
  /** Anchor files as absolute paths; default: those of `options`, relative to the working directory. */
  readonly anchors?: readonly string[]
  readonly newId?: () => string
  readonly meter?: Meter
  /** Called with a line for the operator whenever something begins to fail, and when it works again. */
  readonly onDegraded?: (line: string) => void
  /** Bytes held back for the time when the disk is full. Default: 1 MiB. */
  readonly reserve?: number
  readonly disk?: Disk
}

/** How the record is doing. */
export interface AuditStatus {
  /** Records are being taken. */
  readonly healthy: boolean
  /** What fails, such as `write: ENOSPC`; undefined while all is well. A failing anchor or signature doesn't stop records. */
  readonly reason: string | undefined
  /** Milliseconds since the epoch. */
  readonly since: number | undefined
  /** Bytes waiting for the disk, of `queueLimit`. */
  readonly queued: number
  readonly queueLimit: number
  /** Number of the last line that was written, and of the last that would survive a power cut. */
  readonly lastSeq: number
  readonly durableSeq: number
  readonly anchors: readonly AnchorStatus[]
}
