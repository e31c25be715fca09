import { follows, takeApart, type LineParts } from './chain.ts'
import { readLines, type Line, type Segment } from './segments.ts'
import type { Tampering } from './verdict.ts'

/** Lines read behind the first wrong one to tell what was done to it. */
const LOOK_AHEAD = 200_000

/** Where the chain broke: behind the line with hash `previous` the line `expected` should stand. */
export interface Break {
  readonly segments: readonly Segment[]
  /** Index of the file, and the line in it, that is wrong. */
  readonly segment: number
  readonly line: number
  readonly expected: number
  readonly previous: string
}

/**
 * What was probably done where the chain broke, by what stands behind: whether the line that belongs there comes later,
 * and whether the one that stands there comes again.
 */
export async function tamperingAt(broken: Break): Promise<Tampering> {
  const { expected, previous } = broken
  let wrong: LineParts | undefined
  let first = true
  let successor = false
  let expectedSeen = false
  let again = false
  for await (const line of linesFrom(broken)) {
    const parts = line.complete && !line.oversized ? takeApart(line.bytes) : undefined
    if (first) {
      first = false
      wrong = parts === undefined ? undefined : { ...parts, body: Buffer.alloc(0) }
      continue
    }
    if (parts === undefined) continue
    if (parts.seq === expected) {
      expectedSeen = true
      successor ||= follows(previous, parts)
    }
    again ||= wrong !== undefined && parts.seq === wrong.seq && parts.hash === wrong.hash
    if (parts.seq > Math.max(expected, wrong?.seq ?? 0)) break
  }
  if (wrong === undefined || wrong.seq === expected) return successor ? 'added' : 'altered'
  if (wrong.seq < expected) return 'added'
  if (successor) return again ? 'added' : 'reordered'
  return expectedSeen ? 'reordered' : 'removed'
}

async function* linesFrom({ segments, segment, line }: Break): AsyncGenerator<Line> {
  let left = LOOK_AHEAD
  for (const [index, { path }] of segments.entries()) {
    if (index < segment) continue
    for await (const lines of readLines(path)) {
      for (const one of lines) {
        if (index === segment && one.number < line) continue
        yield one
        if (--left <= 0) return
      }
    }
  }
}
