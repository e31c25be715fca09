import { HASH_LENGTH, hashOf, type Link } from './chain.ts'
import type { PrincipalText } from './encode.ts'

/** Something to be written. */
export interface Entry {
  /** From `"time"` on; made as late as possible where it depends on what stands before it. Undefined: nothing after all. */
  readonly text: Buffer | ((at: { readonly seq: number; readonly previous: string }) => string | undefined)
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

/** An entry that waits, with the bytes it counts for. */
export interface Queued {
  readonly entry: Entry
  readonly size: number
}

/** Where a log stands on the disk. */
export interface Position extends Link {
  /** First number of the segment that is being written. */
  readonly segment: number
  /** Bytes in that segment. */
  readonly offset: number
}

/** Lines that are chained and ready to be written. */
export interface Batch extends Link {
  readonly bytes: Buffer
  /** Entries that it took from the front of the queue, and the bytes they count for. */
  readonly count: number
  readonly size: number
}

/** `"time":"2026-01-01T00:00:00.000Z"` */
const TIME_LENGTH = 33
/** More than seq, reference and hash of a line take up. */
const FRAME = 256
/** About what a text that is made late takes up. */
const LATE = 1024

/**
 * Chains what is queued to `head`, at most about `most` bytes. Who made a request is written in full before the first
 * line that refers to it within an `epoch`: a segment, or what was written since a failure. `cited` takes in the policy
 * versions.
 */
export function formBatch(
  queue: readonly Queued[],
  { head, epoch, cited, most }: { readonly head: Link; readonly epoch: number; readonly cited: Set<string>; readonly most: number },
): Batch {
  const { count, size, room, longest } = measure(queue, most)
  const lines = new Lines(head, room, longest)
  for (let i = 0; i < count; i++) {
    const { text, principal, policy } = queue[i]!.entry
    if (policy !== undefined) cited.add(policy)
    if (typeof text === 'function') {
      const late = text({ seq: lines.seq + 1, previous: lines.hash })
      if (late !== undefined) lines.add(Buffer.from(late), '')
    } else if (principal === undefined) lines.add(text, '')
    else {
      if (principal.epoch !== epoch) {
        lines.add(Buffer.concat([text.subarray(0, TIME_LENGTH), principal.full]), '')
        principal.epoch = epoch
        principal.seq = lines.seq
      }
      lines.add(text, `,"principalRecord":${principal.seq}`)
    }
  }
  return { seq: lines.seq, hash: lines.hash, bytes: lines.bytes, count, size }
}

/** How many entries make a batch, and about what they need. */
function measure(queue: readonly Queued[], most: number): { count: number; size: number; room: number; longest: number } {
  let count = 0
  let size = 0
  let room = 0
  let longest = 0
  for (const { entry, size: entrySize } of queue) {
    if (size > 0 && size + entrySize > most) break
    const own = (typeof entry.text === 'function' ? LATE : entry.text.length) + FRAME
    const full = entry.principal === undefined ? 0 : entry.principal.full.length + FRAME
    longest = Math.max(longest, own, full)
    room += own + full
    size += entrySize
    count++
  }
  return { count, size, room, longest }
}

/** Chained lines, written one behind the other into one buffer. */
class Lines {
  seq: number
  hash: string
  #out: Buffer
  /** The hash before, and behind it the line that is being made: what its own hash is taken over. */
  #line: Buffer
  #end = 0

  constructor(head: Link, room: number, longest: number) {
    this.seq = head.seq
    this.hash = head.hash
    this.#out = Buffer.allocUnsafe(room)
    this.#line = Buffer.allocUnsafe(HASH_LENGTH + longest)
  }

  get bytes(): Buffer {
    return this.#out.subarray(0, this.#end)
  }

  add(text: Buffer, more: string): void {
    const most = HASH_LENGTH + text.length + FRAME
    if (most > this.#line.length) this.#line = Buffer.allocUnsafe(most)
    if (this.#end + most > this.#out.length) this.#out = Buffer.concat([this.bytes], this.#out.length * 2 + most)
    const line = this.#line
    line.write(this.hash, 0, 'latin1')
    let end = HASH_LENGTH + line.write(`{"seq":${++this.seq},`, HASH_LENGTH, 'latin1')
    end += text.copy(line, end)
    if (more !== '') end += line.write(more, end, 'latin1')
    this.hash = hashOf(line.subarray(0, end))
    this.#end += line.copy(this.#out, this.#end, HASH_LENGTH, end)
    this.#end += this.#out.write(`,"hash":"${this.hash}"}\n`, this.#end, 'latin1')
  }
}

/** One line chained to `head`. */
export function chained(head: Link, text: string): Batch {
  return formBatch([{ entry: { text: Buffer.from(text) }, size: 0 }], { head, epoch: 0, cited: new Set(), most: 0 })
}

/**
 * Turns texts into bytes, many into one piece of memory: records wait for the disk for a while, and a tree of string
 * parts for each would keep the garbage collector busy.
 */
export function textArena(): (text: string) => Buffer {
  let slab = Buffer.allocUnsafe(SLAB)
  let used = 0
  return (text) => {
    // A character is at most three bytes in UTF-8.
    const most = text.length * 3
    if (most > SLAB / 4) return Buffer.from(text)
    if (used + most > SLAB) {
      slab = Buffer.allocUnsafe(SLAB)
      used = 0
    }
    const start = used
    used += slab.write(text, start)
    return slab.subarray(start, used)
  }
}

const SLAB = 256 * 1024
