import { watch, type FSWatcher } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Clock, Timer } from '../core/clock.ts'
import { takeApart } from './chain.ts'
import { matches, prefilter, SHOWN, type AuditQuery } from './query.ts'
import { parseRecord, type AuditRecord } from './schema.ts'
import { search } from './search.ts'
import { LINE_LIMIT, listSegments } from './segments.ts'

/** Looks by itself this often, where the system tells of no change, in milliseconds. */
const POLL = 500
const CHUNK = 256 * 1024

/**
 * The newest records that match (`limit`, default 20), oldest of them first; then, with `follow`, those to come as they
 * are written, until `signal` ends it. Outcomes come as records of their own when followed.
 * @throws OstiaryError `audit/unreadable`
 */
export async function* tail(
  dir: string,
  query: AuditQuery,
  options: { readonly follow: boolean; readonly clock: Clock; readonly signal?: AbortSignal },
): AsyncGenerator<AuditRecord> {
  const { follow, clock, signal } = options
  // The end is noted before the past is read: a record in between is shown, and not twice.
  const cursor = follow ? await endOf(dir) : undefined
  const newest: AuditRecord[] = []
  for await (const { record } of search(dir, { ...query, order: 'newest', limit: query.limit ?? 20 })) newest.push(record)
  let shown = 0
  for (const record of newest.toReversed()) {
    shown = record.seq
    yield record
  }
  if (cursor === undefined) return
  const kinds = new Set<string>(query.kinds ?? [...SHOWN, 'outcome'])
  const following: AuditQuery = { ...query, kinds: [...kinds] as AuditRecord['kind'][] }
  const mayMatch = prefilter(query)
  const waker = wake(dir, clock, signal)
  try {
    for (;;) {
      if (signal?.aborted === true) return
      for (const line of await cursor.read()) {
        const parts = takeApart(line)
        if (parts === undefined || parts.seq <= shown || !kinds.has(parts.kind) || !mayMatch(line)) continue
        const record = parseRecord(line)
        if (record !== undefined && matches(following, record)) yield record
      }
      if (!cursor.more) await waker.next()
    }
  } finally {
    waker.close()
  }
}

interface Cursor {
  /** True if there is more to read at once. */
  readonly more: boolean
  /** Whole lines that have come since. */
  read(): Promise<readonly Buffer[]>
}

async function endOf(dir: string): Promise<Cursor> {
  const last = (await listSegments(dir)).at(-1)
  let path = last?.path
  let first = last?.first ?? 0
  let offset = last?.bytes ?? 0
  let carry: Buffer = Buffer.alloc(0)
  let more = false
  // What stands behind the last newline when it begins is a line under way: it is read from its start.
  if (path !== undefined) offset -= await tornLength(path, offset)
  return {
    get more() {
      return more
    },
    async read() {
      const bytes = path === undefined ? Buffer.alloc(0) : await readFrom(path, offset)
      more = bytes.length === CHUNK
      if (bytes.length > 0) {
        offset += bytes.length
        const data = Buffer.concat([carry, bytes])
        const end = data.lastIndexOf(10) + 1
        carry = data.length - end > LINE_LIMIT ? Buffer.alloc(0) : Buffer.from(data.subarray(end))
        return split(data.subarray(0, end))
      }
      // Rolled back after a failure: what was written again comes again.
      const size = path === undefined ? 0 : await sizeOf(path)
      if (size < offset) {
        offset = size
        carry = Buffer.alloc(0)
      }
      const next = (await listSegments(dir)).find((segment) => segment.first > first)
      if (next === undefined) return []
      ;({ path, first } = next)
      offset = 0
      carry = Buffer.alloc(0)
      more = true
      return []
    },
  }
}

function split(data: Buffer): Buffer[] {
  const lines: Buffer[] = []
  let start = 0
  for (let end = data.indexOf(10); end !== -1; end = data.indexOf(10, start)) {
    lines.push(data.subarray(start, end))
    start = end + 1
  }
  return lines
}

async function tornLength(path: string, size: number): Promise<number> {
  const from = Math.max(0, size - LINE_LIMIT)
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
    return bytesRead - (buffer.subarray(0, bytesRead).lastIndexOf(10) + 1)
  } finally {
    await file.close()
  }
}

async function readFrom(path: string, offset: number): Promise<Buffer> {
  const file = await open(path, 'r').catch(() => undefined) // removed by retention
  if (file === undefined) return Buffer.alloc(0)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, offset)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}

/** Wakes on a change of the folder, on time, and on the signal. */
function wake(dir: string, clock: Clock, signal: AbortSignal | undefined): { next(): Promise<void>; close(): void } {
  let changed = false
  let go: (() => void) | undefined
  let timer: Timer | undefined
  const ring = (): void => {
    changed = true
    go?.()
  }
  let watcher: FSWatcher | undefined
  try {
    watcher = watch(dir, { persistent: false }, ring)
    watcher.on('error', () => watcher?.close())
  } catch {
    // Too many watches: looking now and then has to do.
  }
  signal?.addEventListener('abort', ring)
  return {
    async next() {
      if (!changed) {
        await new Promise<void>((resolve) => {
          go = resolve
          timer = clock.after(POLL, resolve)
        })
        timer?.cancel()
        go = undefined
      }
      changed = false
    },
    close() {
      watcher?.close()
      signal?.removeEventListener('abort', ring)
      timer?.cancel()
    },
  }
}
