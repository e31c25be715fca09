import { open, readdir, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { OstiaryError } from '../core/errors.ts'
import { causeOf } from './disk.ts'

const NAME = /^(\d{10,15})\.jsonl$/
const CHUNK = 256 * 1024
/** Longer lines are no records; what is written stays far below. */
export const LINE_LIMIT = 8 * 1024 * 1024

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
  /** Without its newline. Valid only until the next batch is asked for. */
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
    let rest: Buffer = Buffer.alloc(0)
    let restOffset = 0
    let number = 0
    let skipping = false
    const chunk = Buffer.allocUnsafe(CHUNK)
    for (let position = 0; ;) {
      const { bytesRead } = await file.read(chunk, 0, Math.min(CHUNK, limit - position), position)
      if (bytesRead === 0) break
      position += bytesRead
      const read = chunk.subarray(0, bytesRead)
      const data = rest.length === 0 ? read : Buffer.concat([rest, read])
      const lines: Line[] = []
      let start = 0
      for (let end = data.indexOf(10, start); end !== -1; end = data.indexOf(10, start)) {
        if (!skipping)
          lines.push({ bytes: data.subarray(start, end), offset: restOffset + start, number: ++number, complete: true, oversized: false })
        skipping = false
        start = end + 1
      }
      restOffset += start
      rest = Buffer.from(data.subarray(start))
      if (skipping) {
        restOffset += rest.length
        rest = Buffer.alloc(0)
      } else if (rest.length > LINE_LIMIT) {
        lines.push({ bytes: rest.subarray(0, 1024), offset: restOffset, number: ++number, complete: true, oversized: true })
        restOffset += rest.length
        rest = Buffer.alloc(0)
        skipping = true
      }
      if (lines.length > 0) yield lines
    }
    if (rest.length > 0) yield [{ bytes: rest, offset: restOffset, number: number + 1, complete: false, oversized: false }]
  } finally {
    await file.close()
  }
}

/** Reads a file's complete lines from the end, in batches, each batch newest first. Lines too long to be records are left out. */
export async function* readLinesBackward(path: string): AsyncGenerator<readonly Buffer[]> {
  const file = await open(path, 'r')
  try {
    let end = (await file.stat()).size
    let carry: Buffer = Buffer.alloc(0)
    let torn = true // what stands behind the last newline is no line yet
    while (end > 0) {
      const length = Math.min(CHUNK, end)
      const data = Buffer.concat([await readAt(file, end - length, length), carry])
      end -= length
      const lines: Buffer[] = []
      let stop = data.length
      for (let at = data.lastIndexOf(10); at !== -1; at = at === 0 ? -1 : data.lastIndexOf(10, at - 1)) {
        if (!torn) lines.push(data.subarray(at + 1, stop))
        torn = false
        stop = at
      }
      carry = Buffer.from(data.subarray(0, stop))
      if (carry.length > LINE_LIMIT) carry = carry.subarray(0, 1) // still a line, and surely no record
      if (end === 0 && !torn) lines.push(carry)
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
