import type { CheckpointClaim } from './chain.ts'
import { causeOf, writeAll, type Disk } from './disk.ts'

/** A checkpoint with its signature. */
export interface SignedCheckpoint extends CheckpointClaim {
  readonly kid: string
  /** base64url */
  readonly signature: string
}

/** How an anchor file is doing. */
export interface AnchorStatus {
  readonly file: string
  readonly healthy: boolean
  /** Checkpoint that was written last by this process. */
  readonly lastSeq: number | undefined
  readonly cause: string | undefined
}

/**
 * A file outside the data directory to which checkpoints go: who alters the record would have to alter that as well.
 * Append-only and synced. It may fail without stopping anything: the next checkpoint covers what it missed.
 */
export class Anchor {
  readonly file: string
  readonly #disk: Disk
  readonly #changed: (status: AnchorStatus) => void
  #open: number | undefined
  #next: SignedCheckpoint | undefined
  #busy: Promise<void> | undefined
  #lastSeq: number | undefined
  #cause: string | undefined

  /** `changed` is called when it begins to fail and when it works again. */
  constructor(file: string, disk: Disk, changed: (status: AnchorStatus) => void) {
    this.file = file
    this.#disk = disk
    this.#changed = changed
  }

  get status(): AnchorStatus {
    return { file: this.file, healthy: this.#cause === undefined, lastSeq: this.#lastSeq, cause: this.#cause }
  }

  /** Takes a durable checkpoint. While one is being written only the newest waits: it covers those before. */
  offer(checkpoint: SignedCheckpoint): void {
    this.#next = checkpoint
    this.#busy ??= this.#run().finally(() => (this.#busy = undefined))
  }

  async close(): Promise<void> {
    await this.#busy
    if (this.#open !== undefined) this.#disk.close(this.#open)
    this.#open = undefined
  }

  async #run(): Promise<void> {
    for (let checkpoint = this.#next; checkpoint !== undefined; checkpoint = this.#next) {
      this.#next = undefined
      let cause: string | undefined
      try {
        await this.#append(checkpoint)
        this.#lastSeq = checkpoint.seq
      } catch (error) {
        cause = causeOf(error)
        this.#drop()
      }
      const turned = (cause === undefined) !== (this.#cause === undefined)
      this.#cause = cause
      if (turned) this.#changed(this.status)
    }
  }

  async #append(checkpoint: SignedCheckpoint): Promise<void> {
    // A file that was moved away (rotated) isn't written any longer.
    if (this.#open !== undefined && !this.#disk.names(this.file, this.#open)) this.#drop()
    const fresh = this.#open === undefined
    this.#open ??= this.#disk.open(this.file, 'either')
    // The line before may be torn: an empty line more does no harm.
    const lead = fresh && this.#disk.size(this.#open) > 0 ? '\n' : ''
    writeAll(this.#disk, this.#open, Buffer.from(`${lead}${anchorLine(checkpoint)}\n`))
    await this.#disk.sync(this.#open)
  }

  #drop(): void {
    if (this.#open === undefined) return
    try {
      this.#disk.close(this.#open)
    } catch {
      // It is opened anew next time.
    }
    this.#open = undefined
  }
}

function anchorLine({ log, seq, time, previous, final, kid, signature }: SignedCheckpoint): string {
  return JSON.stringify({ log, seq, time, previous, final, kid, signature })
}

/** Reads one line of an anchor file; undefined for what isn't one. */
export function parseAnchorLine(line: string): SignedCheckpoint | undefined {
  let value: Partial<Record<keyof SignedCheckpoint, unknown>> | null
  try {
    value = JSON.parse(line) as typeof value
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { log, seq, time, previous, final, kid, signature } = value
  if (typeof log !== 'string' || typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1) return undefined
  if (typeof time !== 'string' || typeof previous !== 'string' || typeof final !== 'boolean') return undefined
  if (typeof kid !== 'string' || typeof signature !== 'string') return undefined
  return { log, seq, time, previous, final, kid, signature }
}
