import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { takeApart } from './chain.ts'
import { listSegments, readLines, type Segment } from './segments.ts'

/** Which closed segments are to go, and where the record then begins. */
interface Removal {
  readonly segments: readonly Segment[]
  /** Number and chained hash at which the remaining record begins. */
  readonly remainingFrom: number
  readonly remainingHash: string
  readonly bytes: number
}

/**
 * What `keepFor` (milliseconds) and `keepAtMost` (bytes) say is too much. Never the segment that is being written, and
 * always from the oldest on, so that what remains is one piece.
 */
async function planRemoval(dir: string, now: number, keepFor: number, keepAtMost: number): Promise<Removal | undefined> {
  const segments = await listSegments(dir)
  let total = segments.reduce((sum, { bytes }) => sum + bytes, 0)
  let remaining: { from: number; hash: string } | undefined
  let count = 0
  for (; count < segments.length - 1; count++) {
    const next = await header(segments[count + 1]!)
    if (next === undefined) break // can't say where the rest begins: so it stays
    const closedAt = Date.parse(next.time)
    if (total <= keepAtMost && !(closedAt < now - keepFor)) break
    total -= segments[count]!.bytes
    remaining = { from: segments[count + 1]!.first, hash: next.previous }
  }
  if (remaining === undefined) return undefined
  const removed = segments.slice(0, count)
  return {
    segments: removed,
    remainingFrom: remaining.from,
    remainingHash: remaining.hash,
    bytes: removed.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/**
 * Removes what is too old or too much, once `announce` has recorded that durably.
 * @throws OstiaryError `audit/unreadable`, and what `announce` throws
 */
export async function removeOld(
  dir: string,
  now: number,
  { keepFor, keepAtMost }: { readonly keepFor: number; readonly keepAtMost: number },
  announce: (details: Readonly<Record<string, string | number>>) => Promise<boolean>,
): Promise<void> {
  const removal = await planRemoval(dir, now, keepFor, keepAtMost)
  if (removal === undefined) return
  const { segments, remainingFrom, remainingHash, bytes } = removal
  if (await announce({ segments: segments.length, from: segments[0]!.first, bytes, remainingFrom, remainingHash })) remove(dir, removal)
}

/** Removes the files, with what was moved aside from them. */
function remove(dir: string, { segments }: Removal): void {
  const names = new Set(segments.map(({ name }) => name))
  for (const name of readdirSync(dir)) if (names.has(name.replace(/(?<=\.jsonl)\..*\.torn$/, ''))) rmSync(join(dir, name), { force: true })
}

async function header(segment: Segment): Promise<{ time: string; previous: string } | undefined> {
  for await (const [line] of readLines(segment.path)) {
    const parts = line === undefined ? undefined : takeApart(line.bytes)
    const previous = parts?.kind === 'segment' ? /"previous":"([0-9a-f]{64})"/.exec(parts.body.toString('latin1'))?.[1] : undefined
    return parts === undefined || previous === undefined ? undefined : { time: parts.time, previous }
  }
  return undefined
}
