import { OstiaryError } from '../core/errors.ts'
import { AnchorFile } from './anchorfile.ts'
import { follows, GENESIS, takeApart, type LineParts } from './chain.ts'
import { causeOf } from './disk.ts'
import { KeyBook, type CheckpointKey } from './keybook.ts'
import { parseRecord, type RecordOf } from './schema.ts'
import { listSegments, readLines, type Line, type Segment } from './segments.ts'
import { tamperingAt } from './tampering.ts'
import type { Point, Problem, Tampering, VerifyResult } from './verdict.ts'

export interface VerifyOptions {
  /** Checkpoint keys that are believed; later ones are believed if one of these endorsed them. */
  readonly keys: readonly CheckpointKey[]
  /** Files of checkpoints that were kept elsewhere. */
  readonly anchors?: readonly string[]
}

/** Lines that stay without a signature for longer than this, in milliseconds, weren't written by a healthy gateway. */
const UNSIGNED_AT_MOST = 60_000

/**
 * Proves the record in `dir` whole, from its files alone, or names the first record that isn't as it was written. Streams:
 * memory doesn't grow with the record. May be run while the gateway writes.
 * @throws OstiaryError `audit/unreadable`, `audit/no-anchor`
 */
export async function verify(dir: string, options: VerifyOptions): Promise<VerifyResult> {
  for (let tries = 0; ; tries++) {
    try {
      return await verifyOnce(dir, options)
    } catch (error) {
      if (error instanceof OstiaryError) throw error
      // Retention may remove a file that is about to be read: what remains is another record then.
      if (causeOf(error) !== 'ENOENT' || tries >= 3) throw new OstiaryError('audit/unreadable', { dir, cause: causeOf(error) })
    }
  }
}

async function verifyOnce(dir: string, { keys, anchors = [] }: VerifyOptions): Promise<VerifyResult> {
  const book = new KeyBook(keys)
  // The anchors first: what they vouch for now is in the files that are read after.
  const files = anchors.map((file) => new AnchorFile(file, book))
  return new Verification(await listSegments(dir), book, files).result()
}

class Verification {
  readonly #segments: readonly Segment[]
  readonly #keys: KeyBook
  readonly #anchors: readonly AnchorFile[]
  #log: string | undefined
  #lines = 0
  #lastLine = 0
  #previous = GENESIS
  #expected: number
  #start: { seq: number; previous: string } | undefined
  #startExplained: number | undefined
  #first: Point | undefined
  #last: Point | undefined
  #signed: Point | undefined
  #checkpoints = 0
  #unsignedSince: Point | undefined
  #checkpointEvery = 0
  #final = false
  #problem: Problem | undefined
  readonly #notes: string[] = []

  constructor(segments: readonly Segment[], keys: KeyBook, anchors: readonly AnchorFile[]) {
    this.#segments = segments
    this.#expected = segments[0]?.first ?? 1
    this.#keys = keys
    this.#anchors = anchors
  }

  async result(): Promise<VerifyResult> {
    try {
      await this.#run()
    } finally {
      for (const anchor of this.#anchors) await anchor.close()
    }
    const anchors = this.#anchors.map((anchor) => anchor.result)
    for (const anchor of this.#anchors) this.#notes.push(...anchor.notes)
    const complete = anchors.flatMap(({ upTo }) => upTo ?? []).toSorted((a, b) => b.seq - a.seq)
    return {
      ok: this.#problem === undefined && anchors.every(({ problem }) => problem === undefined),
      problem: this.#problem,
      log: this.#log,
      lines: this.#lines,
      segments: this.#segments.length,
      first: this.#first,
      last: this.#last,
      checkpoints: this.#checkpoints,
      signed: this.#signed,
      unsigned: (this.#last?.seq ?? 0) - (this.#signed?.seq ?? (this.#start?.seq ?? 1) - 1),
      anchors,
      completeUpTo: complete[0],
      closed: this.#final,
      notes: this.#notes,
    }
  }

  async #run(): Promise<void> {
    for (const [index, segment] of this.#segments.entries()) {
      let number = 0
      for await (const lines of readLines(segment.path)) {
        for (const line of lines) {
          number = line.number
          await this.#line(index, segment, line)
          if (this.#problem !== undefined) return
        }
      }
      if (number === 0 && index < this.#segments.length - 1) return this.#report('removed', segment, 1, `all of ${segment.name} is missing`)
    }
    if (this.#lines === 0) this.#report('removed', { name: segmentless(this.#segments) }, 1, 'there is no record here')
    else await this.#end()
    await this.#beyondTheEnd()
  }

  /** One line; checks that can wait for a promise do so only where they must. */
  async #line(index: number, segment: Segment, line: Line): Promise<void> {
    const parts = line.complete && !line.oversized ? takeApart(line.bytes) : undefined
    if (!line.complete && index === this.#segments.length - 1) return this.#incomplete(segment, line)
    const isFirst = line.number === 1
    if (this.#lines === 0 && parts !== undefined) this.#begin(line, parts)
    if (parts === undefined || parts.seq !== this.#expected || !follows(this.#previous, parts)) {
      return this.#broken(index, segment, line, parts)
    }
    if (isFirst !== (parts.kind === 'segment')) {
      return this.#report(
        'added',
        segment,
        line.number,
        isFirst ? `${segment.name} does not begin as a file of the record does` : 'a file of the record begins in the middle of another',
      )
    }
    if (isFirst && segment.first !== parts.seq) return this.#report('altered', segment, 1, `the file of record ${parts.seq} was renamed`)
    for (const anchor of this.#anchors) if (anchor.due?.seq === parts.seq) await this.#compare(anchor, segment, line, parts)
    if (this.#problem !== undefined) return
    if (!this.#content(segment, line, parts)) return
    this.#lines++
    this.#lastLine = line.number
    this.#previous = parts.hash
    this.#expected = parts.seq + 1
    this.#last = { seq: parts.seq, time: parts.time }
    this.#first ??= this.#last
    if (parts.kind === 'segment')
      for (const anchor of this.#anchors) if (anchor.due === undefined && anchor.line === 0) await anchor.advance(this.#log!, parts.seq)
  }

  /** The record may begin later than at 1, if it says itself that the rest was removed. */
  #begin(line: Line, parts: LineParts): void {
    const header = parts.kind === 'segment' ? parseRecord(line.bytes) : undefined
    if (header?.kind !== 'segment' || parts.seq === 1) return
    this.#previous = header.previous
    this.#start = { seq: parts.seq, previous: header.previous }
  }

  /** What a line says that bears on the whole. False if that is a problem. */
  #content(segment: Segment, line: Line, parts: LineParts): boolean {
    if (this.#final && parts.kind !== 'segment' && !(parts.kind === 'event' && line.bytes.includes('"event":"audit-opened"'))) {
      this.#report('added', segment, line.number, `record ${parts.seq} stands behind the end of an orderly stop`)
      return false
    }
    // A header may stand between the stop and the next start.
    if (parts.kind !== 'segment') this.#final = false
    if (parts.kind !== 'checkpoint') this.#unsignedSince ??= { seq: parts.seq, time: parts.time }
    if (parts.kind !== 'segment' && parts.kind !== 'checkpoint' && parts.kind !== 'event') return true
    const record = parseRecord(line.bytes)
    switch (record?.kind) {
      case 'segment':
        return this.#header(segment, record)
      case 'checkpoint':
        return this.#checkpoint(segment, line, record)
      case 'event':
        this.#event(record)
        return true
      default:
        this.#report('altered', segment, line.number, `record ${parts.seq} is not what its kind says`)
        return false
    }
  }

  #header(segment: Segment, header: RecordOf<'segment'>): boolean {
    this.#checkpointEvery = header.checkpointEvery
    if (header.previous !== this.#previous || (this.#log !== undefined && header.log !== this.#log)) {
      this.#report('altered', segment, 1, `${segment.name} belongs to another record`)
      return false
    }
    this.#log = header.log
    return true
  }

  #checkpoint(segment: Segment, line: Line, record: RecordOf<'checkpoint'>): boolean {
    const checked = record.log === this.#log ? this.#keys.check({ ...record, previous: this.#previous }) : 'bad'
    if (checked !== 'good') {
      const since = (this.#signed?.seq ?? (this.#start?.seq ?? 1) - 1) + 1
      const why = checked === 'bad' ? 'is not signed by the gateway' : `is signed by a key that is not known (${record.kid.slice(0, 64)})`
      const range = since < record.seq ? `: one of the records ${since} to ${record.seq} was written by somebody else` : ''
      this.#report('altered', segment, line.number, `checkpoint ${record.seq} ${why}${range}`)
      return false
    }
    this.#signed = { seq: record.seq, time: record.time }
    this.#checkpoints++
    this.#unsignedSince = undefined
    this.#final = record.final
    return true
  }

  #event({ seq, event, details }: RecordOf<'event'>): void {
    switch (event) {
      case 'key-rotated':
        this.#keys.learn(details)
        return
      case 'audit-retention':
        if (details['remainingFrom'] === this.#start?.seq && details['remainingHash'] === this.#start?.previous) this.#startExplained = seq
        return
      case 'audit-opened':
        if (typeof details['unsignedFrom'] === 'number')
          this.#note(
            `records ${details['unsignedFrom']} to ${String(details['unsignedTo'])} were not signed when the gateway was killed, only once it ran again`,
          )
        return
      case 'audit-recovered':
        this.#note(
          `after a crash ${String(details['bytes'])} bytes were moved from ${String(details['segment'])} to ${String(details['movedTo'])}`,
        )
        return
      case 'audit-damaged':
        this.#note(`the gateway itself found ${String(details['segment'])} damaged at line ${String(details['line'])}`)
        return
      default:
    }
  }

  async #compare(anchor: AnchorFile, segment: Segment, line: Line, parts: LineParts): Promise<void> {
    const due = anchor.due!
    if (due.previous === this.#previous && parts.kind === 'checkpoint') anchor.agree()
    else if (anchor.isSigned()) {
      const since = (anchor.result.upTo?.seq ?? 0) + 1
      return this.#report(
        'altered',
        segment,
        line.number,
        `the gateway signed something else at record ${due.seq}, says anchor ${anchor.file}: one of the records ${since} to ${due.seq} was rewritten`,
      )
    }
    await anchor.advance(this.#log!, parts.seq + 1)
  }

  /** The last line without its newline: a write that is under way or was cut off, if it begins as one. */
  #incomplete(segment: Segment, line: Line): void {
    const begin = Buffer.from(`{"seq":${this.#expected},"time":"`)
    const length = Math.min(begin.length, line.bytes.length)
    if (line.bytes.subarray(0, length).equals(begin.subarray(0, length))) {
      this.#note(`the last line, ${segment.name}:${line.number}, is incomplete: its write is under way, or was cut off`)
    } else this.#report('added', segment, line.number, `behind record ${this.#expected - 1} stands something that is no record`)
  }

  async #broken(index: number, segment: Segment, line: Line, parts: LineParts | undefined): Promise<void> {
    const expected = this.#expected
    const looksLike = await tamperingAt({ segments: this.#segments, segment: index, line: line.number, expected, previous: this.#previous })
    const text = {
      altered: `record ${expected} was altered`,
      removed: `records ${expected} to ${(parts?.seq ?? 0) - 1} were removed`,
      added: `a line was added before record ${expected}`,
      reordered: `record ${expected} was moved`,
    }[looksLike]
    this.#report(looksLike, segment, line.number, text)
  }

  async #end(): Promise<void> {
    const segment = this.#segments.at(-1)!
    if (this.#start !== undefined && (this.#startExplained === undefined || (this.#signed?.seq ?? 0) < this.#startExplained)) {
      const { seq } = this.#start
      this.#problem = {
        looksLike: 'removed',
        segment: this.#segments[0]!.name,
        line: 1,
        seq: 1,
        text: `records 1 to ${seq - 1} are missing, and no signed record says that retention removed them`,
      }
      return
    }
    const since = this.#unsignedSince
    if (
      since !== undefined &&
      Date.parse(this.#last!.time) - Date.parse(since.time) > Math.max(UNSIGNED_AT_MOST, 10 * this.#checkpointEvery)
    ) {
      this.#problem = {
        looksLike: 'added',
        segment: segment.name,
        line: 1,
        seq: since.seq,
        text: `no signature vouches for the records from ${since.seq} on, for longer than a gateway leaves them unsigned`,
      }
      return
    }
    if (!this.#final) this.#note('it does not end with an orderly stop: the gateway is running or was killed, or the end was cut off')
  }

  /** Anchors that know more than the record holds: its end was cut off. */
  async #beyondTheEnd(): Promise<void> {
    for (const anchor of this.#anchors) {
      if (this.#log === undefined) await anchor.advance('', 0) // reads it, to say whether it holds anything
      while (anchor.due !== undefined && this.#problem === undefined) {
        const { seq, time } = anchor.due
        if (anchor.isSigned()) {
          this.#report(
            'removed',
            this.#segments.at(-1)!,
            this.#lastLine + 1,
            `the end was cut off: anchor ${anchor.file} vouches for record ${seq} of ${time}`,
          )
        }
        await anchor.advance(this.#log ?? '', 0)
      }
    }
  }

  #report(looksLike: Tampering, segment: { readonly name: string }, line: number, text: string): void {
    this.#problem ??= { looksLike, segment: segment.name, line, seq: this.#expected, text }
  }

  #note(text: string): void {
    if (this.#notes.length < 20) this.#notes.push(text)
  }
}

function segmentless(segments: readonly Segment[]): string {
  return segments[0]?.name ?? '0000000001.jsonl'
}
