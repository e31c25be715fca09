import { lineOf, linkHash, type Link } from './chain.ts'
import type { PrincipalText } from './encode.ts'

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

/** An entry that waits, with the characters it counts for. */
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
  /** Entries that it took from the front of the queue, and the characters they count for. */
  readonly count: number
  readonly size: number
}

/** `"time":"2026-01-01T00:00:00.000Z"` */
const TIME_LENGTH = 33

/**
 * Chains what is queued to `head`, at most about `most` characters. Who made a request is written in full before the
 * first line that refers to it within an `epoch`: a segment, or what was written since a failure. `cited` takes in the
 * policy versions.
 */
export function formBatch(
  queue: readonly Queued[],
  { head, epoch, cited, most }: { readonly head: Link; readonly epoch: number; readonly cited: Set<string>; readonly most: number },
): Batch {
  let { seq, hash } = head
  let text = ''
  let size = 0
  let count = 0
  const chain = (content: string): void => {
    const body = `{"seq":${++seq},${content}`
    hash = linkHash(hash, body)
    text += lineOf(body, hash)
  }
  for (const { entry, size: entrySize } of queue) {
    if (size > 0 && size + entrySize > most) break
    const { principal, policy } = entry
    const content = typeof entry.text === 'string' ? entry.text : entry.text({ seq: seq + 1, previous: hash })
    if (policy !== undefined) cited.add(policy)
    if (content !== undefined && principal !== undefined) {
      if (principal.epoch !== epoch) {
        chain(`${content.slice(0, TIME_LENGTH)},"kind":"principal",${principal.full}`)
        principal.epoch = epoch
        principal.seq = seq
      }
      chain(`${content},"principalRecord":${principal.seq}`)
    } else if (content !== undefined) chain(content)
    size += entrySize
    count++
  }
  return { seq, hash, bytes: Buffer.from(text), count, size }
}

/** One line chained to `head`. */
export function chained(head: Link, content: string): Link & { readonly bytes: Buffer } {
  const seq = head.seq + 1
  const body = `{"seq":${seq},${content}`
  const hash = linkHash(head.hash, body)
  return { seq, hash, bytes: Buffer.from(lineOf(body, hash)) }
}
