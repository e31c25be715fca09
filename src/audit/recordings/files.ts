/** Recordings as they stand on the disk: finding them and reading them, in memory that doesn't grow with them. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { OstiaryError } from '../../core/errors.ts'
import { causeOf } from '../disk.ts'
import { parseJson } from '../schema.ts'
import { readLines } from '../segments.ts'
import { z } from 'zod'

/** A file of a recording. */
export interface RecordingFile {
  readonly id: string
  /** Below the folder of recordings. */
  readonly file: string
  readonly bytes: number
  /** The day on which it began, milliseconds since the epoch. */
  readonly day: number
}

const NAME = /^([0-9a-z]{1,64})\.cast$/

/**
 * All recordings below `dir`, the newest first; none where there is no such folder.
 * @throws OstiaryError `recordings/unreadable`
 */
export async function listRecordings(dir: string): Promise<readonly RecordingFile[]> {
  const found: RecordingFile[] = []
  for (const year of await folders(dir, /^\d{4}$/))
    for (const month of await folders(join(dir, year), /^\d{2}$/))
      for (const date of await folders(join(dir, year, month), /^\d{2}$/)) {
        const day = Date.parse(`${year}-${month}-${date}`)
        if (Number.isNaN(day)) continue
        for (const name of await folders(join(dir, year, month, date), NAME)) {
          const file = join(year, month, date, name)
          const info = await stat(join(dir, file)).catch(() => undefined) // it may have been removed meanwhile
          if (info?.isFile() === true) found.push({ id: NAME.exec(name)![1]!, file, bytes: info.size, day })
        }
      }
  return found.toSorted((a, b) => b.day - a.day || (a.id < b.id ? 1 : -1))
}

async function folders(dir: string, names: RegExp): Promise<readonly string[]> {
  try {
    return (await readdir(dir)).filter((name) => names.test(name)).toSorted()
  } catch (error) {
    const cause = causeOf(error)
    if (cause === 'ENOENT' || cause === 'ENOTDIR') return []
    throw new OstiaryError('recordings/unreadable', { file: dir, cause }, { cause: error })
  }
}

/** The recording of a decision. @throws OstiaryError `recordings/unknown`, `recordings/unreadable` */
export async function findRecording(dir: string, id: string): Promise<RecordingFile> {
  const found = (await listRecordings(dir)).find((one) => one.id === id)
  if (found === undefined) throw new OstiaryError('recordings/unknown', { id })
  return found
}

const size = z.int().min(0).max(65_535)
const header = z.looseObject({
  version: z.literal(2),
  width: size,
  height: size,
  timestamp: z.number().min(0).max(8_640_000_000_000).optional(),
  title: z.string().optional(),
  command: z.string().optional(),
  ostiary: z
    .looseObject({
      resource: z.string(),
      principal: z.string(),
      operation: z.string(),
      place: z.string(),
      terminal: z.boolean(),
      input: z.boolean(),
    })
    .optional(),
})

export type ReadHeader = z.output<typeof header>

export interface ReadEvent {
  /** Seconds since the beginning. */
  readonly at: number
  readonly code: string
  readonly text: string
}

/** A line of a recording: its header first, then events. `torn` for what a crash left, or somebody else wrote. */
export type ReadLine =
  | { readonly kind: 'header'; readonly header: ReadHeader }
  | ({ readonly kind: 'event' } & ReadEvent)
  | { readonly kind: 'torn' }

const event = z.tuple([z.number().min(0).max(1e9), z.string().max(16), z.string()]).rest(z.unknown())

/**
 * The lines of an asciicast in their order.
 * @throws OstiaryError `recordings/unreadable`, also for a file that is no recording
 */
export async function* readRecording(path: string): AsyncGenerator<ReadLine> {
  let first = true
  try {
    for await (const lines of readLines(path)) {
      for (const { bytes, complete, oversized } of lines) {
        const value = complete && !oversized ? parseJson(bytes) : undefined
        if (first) {
          const read = header.safeParse(value)
          if (!read.success) throw new OstiaryError('recordings/unreadable', { file: path, cause: 'it is no asciicast v2' })
          first = false
          yield { kind: 'header', header: read.data }
          continue
        }
        const read = event.safeParse(value)
        yield read.success ? { kind: 'event', at: read.data[0], code: read.data[1], text: read.data[2] } : { kind: 'torn' }
      }
    }
  } catch (error) {
    if (error instanceof OstiaryError) throw error
    throw new OstiaryError('recordings/unreadable', { file: path, cause: causeOf(error) }, { cause: error })
  }
  if (first) throw new OstiaryError('recordings/unreadable', { file: path, cause: 'it is empty' })
}
