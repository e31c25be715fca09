import { hash as digest } from 'node:crypto'
import { closeSync, existsSync, fdatasyncSync, ftruncateSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { follows, GENESIS, takeApart, type LineParts, type Link } from './chain.ts'
import { policyOf } from './cited.ts'
import type { Position } from './batch.ts'
import { listSegments, readLines, type Segment } from './segments.ts'

/** Bytes behind the last good line that were moved aside: a write that a crash cut off. */
export interface Torn {
  readonly segment: string
  readonly bytes: number
  readonly sha256: string
  /** File beside the segments that holds them now. */
  readonly movedTo: string
}

/** A line in the middle that isn't what was written. It stays where it is, as evidence. */
export interface Damage {
  readonly segment: string
  readonly line: number
  readonly seq: number
}

/** Where a record that was found on disk ends, and what was wrong with its end. */
export interface Found {
  readonly log: string | undefined
  readonly position: Position
  /** Go on in a new segment. */
  readonly fresh: boolean
  /** Policy versions that the last segment cites. */
  readonly cited: ReadonlySet<string>
  /** Lines behind the last checkpoint: nobody vouched for them before now. */
  readonly unsigned: number
  /** It ended with a closing checkpoint. */
  readonly clean: boolean
  readonly torn: readonly Torn[]
  readonly damage: Damage | undefined
}

const NOTHING: Position = { seq: 0, hash: GENESIS, segment: 0, offset: 0 }

/** Finds the end of the record in `dir`. What a crash left behind the last whole line is moved aside, never dropped. */
export async function findEnd(dir: string): Promise<Found> {
  const segments = [...(await listSegments(dir))]
  const torn: Torn[] = []
  for (let segment = segments.pop(); segment !== undefined; segment = segments.pop()) {
    const end = await scan(segment)
    if (end.last === undefined) {
      // Not even its first line is whole: it was being created.
      if (segment.bytes === 0) rmSync(segment.path)
      else torn.push(moveAside(segment, 0))
      continue
    }
    const { last, endOffset } = end
    if (endOffset < segment.bytes) torn.push(moveAside(segment, endOffset))
    return {
      log: end.log ?? (await firstLog(segments)),
      position: { ...last, segment: segment.first, offset: endOffset },
      fresh: end.damage !== undefined,
      cited: end.cited,
      unsigned: end.unsigned,
      clean: end.clean && torn.length === 0,
      torn,
      damage: end.damage,
    }
  }
  return { log: undefined, position: NOTHING, fresh: true, cited: new Set(), unsigned: 0, clean: true, torn, damage: undefined }
}

interface End {
  log: string | undefined
  /** Last line after which nothing but torn bytes stands. */
  last: Link | undefined
  endOffset: number
  unsigned: number
  clean: boolean
  cited: Set<string>
  damage: Damage | undefined
}

async function scan(segment: Segment): Promise<End> {
  const end: End = { log: undefined, last: undefined, endOffset: 0, unsigned: 0, clean: false, cited: new Set(), damage: undefined }
  let broken: Damage | undefined
  let before: { hash: string; seq: number } | undefined
  for await (const lines of readLines(segment.path)) {
    for (const line of lines) {
      const parts = line.complete && !line.oversized ? takeApart(line.bytes) : undefined
      const previous = before?.hash ?? (parts === undefined ? undefined : headerPrevious(parts))
      const good =
        parts !== undefined && previous !== undefined && follows(previous, parts) && (before === undefined || parts.seq === before.seq + 1)
      if (good) {
        // Lines that follow one another behind a broken one: that was no torn write, somebody altered it.
        end.damage ??= broken
        end.last = { seq: parts.seq, hash: parts.hash }
        end.endOffset = line.offset + line.bytes.length + 1
        notice(end, parts)
      } else broken ??= { segment: segment.name, line: line.number, seq: (end.last?.seq ?? segment.first - 1) + 1 }
      if (parts !== undefined) before = { hash: parts.hash, seq: parts.seq }
    }
  }
  return end
}

function notice(end: End, parts: LineParts): void {
  end.clean = false
  end.unsigned++
  switch (parts.kind) {
    case 'segment':
      end.log ??= field(parts, 'log')
      break
    case 'checkpoint':
      end.unsigned = 0
      end.clean = parts.body.includes('"final":true')
      break
    case 'decision': {
      const policy = policyOf(parts)
      if (policy !== undefined) end.cited.add(policy)
      break
    }
    default:
  }
}

/** A text field of a line by its name, unparsed. Inside another text the quotes would be escaped. */
function field({ body }: LineParts, name: string): string | undefined {
  const start = body.indexOf(`"${name}":"`)
  if (start === -1) return undefined
  const from = start + name.length + 4
  const stop = body.indexOf(34, from)
  return stop === -1 ? undefined : body.toString('utf8', from, stop)
}

function headerPrevious(parts: LineParts): string | undefined {
  return parts.kind === 'segment' ? field(parts, 'previous') : undefined
}

async function firstLog(segments: readonly Segment[]): Promise<string | undefined> {
  for (const segment of segments.toReversed()) {
    for await (const [line] of readLines(segment.path)) {
      const parts = line === undefined ? undefined : takeApart(line.bytes)
      const log = parts?.kind === 'segment' ? field(parts, 'log') : undefined
      if (log !== undefined) return log
      break
    }
  }
  return undefined
}

function moveAside(segment: Segment, offset: number): Torn {
  const bytes = Buffer.alloc(segment.bytes - offset)
  const file = openSync(segment.path, 'r+')
  try {
    for (let done = 0; done < bytes.length;) {
      const read = readSync(file, bytes, done, bytes.length - done, offset + done)
      if (read === 0) break
      done += read
    }
    const movedTo = freeName(segment, offset)
    const path = join(dirname(segment.path), movedTo)
    if (offset === 0) renameSync(segment.path, path)
    else {
      writeFileSync(path, bytes, { mode: 0o600, flag: 'wx', flush: true })
      ftruncateSync(file, offset)
      fdatasyncSync(file)
    }
    return { segment: segment.name, bytes: bytes.length, sha256: digest('sha256', bytes), movedTo }
  } finally {
    closeSync(file)
  }
}

/** Two crashes at the same place leave two files. */
function freeName(segment: Segment, offset: number): string {
  for (let number = 1; ; number++) {
    const name = `${segment.name}.${offset}.${number}.torn`
    if (!existsSync(join(dirname(segment.path), name))) return name
  }
}
