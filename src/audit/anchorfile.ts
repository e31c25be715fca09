import { statSync } from 'node:fs'
import { OstiaryError } from '../core/errors.ts'
import { parseAnchorLine, type SignedCheckpoint } from './anchors.ts'
import { causeOf } from './disk.ts'
import type { KeyBook } from './keybook.ts'
import { readLines, type Line } from './segments.ts'
import type { AnchorResult, Point } from './verdict.ts'

/** Reads one anchor file beside the record: the checkpoint that is due next, and what was found so far. */
export class AnchorFile {
  readonly file: string
  readonly #keys: KeyBook
  readonly #lines: AsyncIterator<readonly Line[]>
  #batch: readonly Line[] = []
  #at = 0
  #current: SignedCheckpoint | undefined
  #last: SignedCheckpoint | undefined
  #number = 0
  #checkpoints = 0
  #others = 0
  #unreadable = 0
  #upTo: Point | undefined
  #problem: string | undefined

  /**
   * Only what stands in the file now is read: what is added while the record is being read may vouch for what was
   * written since.
   * @throws OstiaryError `audit/no-anchor`
   */
  constructor(file: string, keys: KeyBook) {
    this.file = file
    this.#keys = keys
    try {
      this.#lines = readLines(file, statSync(file).size)
    } catch (error) {
      throw new OstiaryError('audit/no-anchor', { file, cause: causeOf(error) })
    }
  }

  /** The checkpoint that the record has to agree with next. */
  get due(): SignedCheckpoint | undefined {
    return this.#current
  }

  get line(): number {
    return this.#number
  }

  get result(): AnchorResult {
    const none = this.#checkpoints === 0
    const foreign = none && this.#others > 0 ? 'all its checkpoints are of another record' : undefined
    return { file: this.file, checkpoints: this.#checkpoints, upTo: this.#upTo, problem: this.#problem ?? foreign }
  }

  get notes(): readonly string[] {
    const notes: string[] = []
    if (this.#unreadable > 0) notes.push(`${this.#unreadable} lines of anchor ${this.file} are no checkpoints`)
    if (this.#others > 0 && this.#checkpoints > 0) notes.push(`anchor ${this.file} holds checkpoints of other records, too`)
    if (this.#checkpoints + this.#others + this.#unreadable === 0) notes.push(`anchor ${this.file} is empty`)
    return notes
  }

  /**
   * Goes to the next checkpoint of record `log` from number `from` on.
   * @throws OstiaryError `audit/no-anchor`
   */
  async advance(log: string, from: number): Promise<void> {
    for (;;) {
      const line = await this.#nextLine()
      this.#current = undefined
      if (line === undefined) return
      const text = line.bytes.toString('utf8')
      if (text === '') continue
      const checkpoint = line.oversized ? undefined : parseAnchorLine(text)
      if (checkpoint === undefined) {
        if (line.complete) this.#unreadable++
        continue
      }
      if (checkpoint.log !== log) {
        this.#others++
        continue
      }
      if (checkpoint.seq < from) continue
      if (checkpoint.seq === this.#last?.seq && checkpoint.previous === this.#last.previous) continue
      this.#checkpoints++
      if (this.#last !== undefined && checkpoint.seq <= this.#last.seq) {
        this.#problem ??= `line ${this.#number} says of record ${checkpoint.seq} something else than was said before`
        continue
      }
      this.#last = checkpoint
      this.#current = checkpoint
      return
    }
  }

  /** The record agrees with what was due, if the gateway signed it. */
  agree(): void {
    const checkpoint = this.#current!
    if (this.isSigned()) this.#upTo = { seq: checkpoint.seq, time: checkpoint.time }
  }

  /** True if what is due was signed by the gateway; else that is the anchor's problem. */
  isSigned(): boolean {
    const checked = this.#keys.check(this.#current!)
    if (checked !== 'good') {
      const why = checked === 'bad' ? 'its signature is wrong' : `its key ${this.#current!.kid} is not known`
      this.#problem ??= `line ${this.#number} can not be believed: ${why}`
    }
    return checked === 'good'
  }

  async close(): Promise<void> {
    await this.#lines.return?.()
  }

  async #nextLine(): Promise<Line | undefined> {
    try {
      while (this.#at >= this.#batch.length) {
        const next = await this.#lines.next()
        if (next.done === true) return undefined
        this.#batch = next.value
        this.#at = 0
      }
    } catch (error) {
      throw new OstiaryError('audit/no-anchor', { file: this.file, cause: causeOf(error) })
    }
    const line = this.#batch[this.#at++]!
    this.#number = line.number
    return line
  }
}
