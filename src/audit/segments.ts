import { open, readdir, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { OstiaryError } from '../core/errors.ts'
import { causeOf } from './disk.ts'

const NAME = /^(\d{10,15})\.jsonl$/
const CHUNK = 256 * 1024
/** Longer lines are no records; what is written stays far below. */
export const LINE_LIMIT = 4 * 1024 * 1024

/** One file of the record. */
export interface Segment {
  readonly name: string
  readonly path: string
  /** Number of its first line. */
  readonly first: number
  readonly bytes: number
}

export function segmentName(first: number): string {
  return `${String(first).padStart(10, '0')}.jsonl`
}

/**
 * The segments of the folder in order.
 * @throws OstiaryError `audit/unreadable`
 */
export async function listSegments(dir: string): Promise<readonly Segment[]> {
  try {
    const found: Segment[] = []
    for (const name of await readdir(dir)) {
      const match = NAME.exec(name)
      if (match === null) continue
      const info = await stat(join(dir, name)).catch(() => undefined) // retention may have removed it meanwhile
      if (info?.isFile() === true) found.push({ name, path: join(dir, name), first: Number(match[1]), bytes: info.size })
    }
    return found.toSorted((a, b) => a.first - b.first)
  } catch (error) {
    throw new OstiaryError('audit/unreadable', { dir, cause: causeOf(error) })
  }
}

/** A line as it stands in its file. */
export interface Line {
  /** Without its newline. */
  readonly bytes: Buffer
  /** Of its first byte in the file. */
  readonly offset: number
  /** From 1. */
  readonly number: number
  /** False for what stands behind the last newline. */
  readonly complete: boolean
  /** True if it is longer than a record can be; its bytes are then only its beginning. */
  readonly oversized: boolean
}

/** Reads a file's lines from the start up to `limit` bytes, in batches of a chunk, in memory that doesn't grow with the file. */
export async function* readLines(path: string, limit = Number.POSITIVE_INFINITY): AsyncGenerator<readonly Line[]> {
  const file = await open(path, 'r')
  try {
    // Pieces of a line that no newline has ended yet. Joined once, so that a long line costs no more than its length.
    let pieces: Buffer[] = []
    let held = 0
    let offset = 0
    let number = 0
    let skipping = false
    const line = (bytes: Buffer, complete: boolean, oversized: boolean): Line => ({ bytes, offset, number: ++number, complete, oversized })
    for (let position = 0; ;) {
      const chunk = Buffer.allocUnsafe(CHUNK)
      const { bytesRead } = await file.read(chunk, 0, Math.min(CHUNK, limit - position), position)
      if (bytesRead === 0) break
      position += bytesRead
      const lines: Line[] = []
      let start = 0
      for (let end = chunk.indexOf(10); end !== -1 && end < bytesRead; end = chunk.indexOf(10, start)) {
        const last = chunk.subarray(start, end)
        if (!skipping) lines.push(line(held === 0 ? last : Buffer.concat([...pieces, last]), true, false))
        offset += held + last.length + 1
        pieces = []
        held = 0
        skipping = false
        start = end + 1
      }
      pieces.push(chunk.subarray(start, bytesRead))
      held += bytesRead - start
      if (held > LINE_LIMIT) {
        if (!skipping) lines.push(line(Buffer.from(pieces[0]!.subarray(0, 1024)), true, true))
        skipping = true
        offset += held
        pieces = []
        held = 0
      }
      if (lines.length > 0) yield lines
    }
    if (held > 0 && !skipping) yield [line(Buffer.concat(pieces), false, false)]
  } finally {
    await file.close()
  }
}

/** Reads a file's complete lines from the end, in batches, each batch newest first. Lines too long to be records are left out. */
export async function* readLinesBackward(path: string): AsyncGenerator<readonly Buffer[]> {
  const file = await open(path, 'r')
  try {
    let end = (await file.stat()).size
    // Pieces of a line whose beginning hasn't been met yet, the last read first.
    let pieces: Buffer[] = []
    let held = 0
    let torn = true // what stands behind the last newline is no line yet
    while (end > 0) {
      const length = Math.min(CHUNK, end)
      const chunk = await readAt(file, end - length, length)
      end -= length
      const lines: Buffer[] = []
      let stop = chunk.length
      for (let at = chunk.lastIndexOf(10); at !== -1; at = at === 0 ? -1 : chunk.lastIndexOf(10, at - 1)) {
        const first = chunk.subarray(at + 1, stop)
        if (!torn && held <= LINE_LIMIT) lines.push(held === 0 ? first : Buffer.concat([first, ...pieces]))
        pieces = []
        held = 0
        torn = false
        stop = at
      }
      held += stop
      // Of a line too long to be a record only the length is kept.
      if (held > LINE_LIMIT) pieces = []
      else pieces.unshift(chunk.subarray(0, stop))
      if (end === 0 && !torn && held <= LINE_LIMIT) lines.push(Buffer.concat(pieces))
      if (lines.length > 0) yield lines
    }
  } finally {
    await file.close()
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return buffer.subarray(0, done)
}

/** Retention may remove a file when it is about to be read: then it has no lines any more. */
export async function* whileThere<T>(lines: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    yield* lines
  } catch (error) {
    if (causeOf(error) !== 'ENOENT') throw error
  }
}
