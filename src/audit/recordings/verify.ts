/** Whether recordings are as the record says that they were when they ended. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { OstiaryError } from '../../core/errors.ts'
import { causeOf } from '../disk.ts'
import { search } from '../search.ts'
import { listRecordings, type RecordingFile } from './files.ts'
import { RECORDED, REMOVED } from './recordings.ts'

/**
 * - `whole`: the file is what the record vouches for.
 * - `altered`: it is not.
 * - `missing`: the record knows of it, and retention has not removed it.
 * - `removed`: retention has removed it.
 * - `unvouched`: the record knows nothing of it: it is still being written, its gateway was killed, or somebody put it there.
 */
export type RecordingState = 'whole' | 'altered' | 'missing' | 'removed' | 'unvouched'

export interface RecordingVerdict {
  readonly id: string
  readonly file: string
  readonly state: RecordingState
}

interface Vouched {
  readonly file: string
  readonly bytes: number
  readonly sha256: string
}

/**
 * Compares recordings with the record of the same data directory, whose own wholeness is for `verifyDataDirectory` to tell.
 * Newest first.
 * @param id Only the recording of this decision; none where neither knows of it
 * @throws OstiaryError `audit/unreadable`, `recordings/unreadable`
 */
export async function* verifyRecordings(dataDir: string, id?: string): AsyncGenerator<RecordingVerdict> {
  const dir = join(dataDir, 'recordings')
  const { vouched, removedUpTo } = await whatTheRecordSays(join(dataDir, 'audit'))
  const files = new Map((await listRecordings(dir)).map((one) => [one.id, one]))
  const ids = [...new Set([...files.keys(), ...vouched.keys()])].toSorted().toReversed()
  for (const one of ids) {
    if (id !== undefined && one !== id) continue
    const said = vouched.get(one)
    const there = files.get(one)
    if (said === undefined) yield { id: one, file: there!.file, state: 'unvouched' }
    else if (there === undefined)
      yield { id: one, file: said.file, state: removedUpTo !== undefined && one <= removedUpTo ? 'removed' : 'missing' }
    else yield { id: one, file: there.file, state: (await isWhole(dir, there, said)) ? 'whole' : 'altered' }
  }
}

/** What was vouched for first counts: nobody vouches for another file later on. */
async function whatTheRecordSays(
  dir: string,
): Promise<{ readonly vouched: ReadonlyMap<string, Vouched>; readonly removedUpTo: string | undefined }> {
  const vouched = new Map<string, Vouched>()
  let removedUpTo: string | undefined
  for (const event of [RECORDED, REMOVED])
    for await (const { record } of search(dir, { event, order: 'oldest', limit: Number.POSITIVE_INFINITY })) {
      if (record.kind !== 'event') continue
      const { decision, file, bytes, sha256, last } = record.details
      if (event === REMOVED && typeof last === 'string' && (removedUpTo === undefined || last > removedUpTo)) removedUpTo = last
      if (event !== RECORDED || typeof decision !== 'string' || vouched.has(decision)) continue
      if (typeof file === 'string' && typeof bytes === 'number' && typeof sha256 === 'string')
        vouched.set(decision, { file, bytes, sha256 })
    }
  return { vouched, removedUpTo }
}

async function isWhole(dir: string, { file, bytes }: RecordingFile, said: Vouched): Promise<boolean> {
  if (bytes !== said.bytes) return false
  const hash = createHash('sha256')
  const path = join(dir, file)
  try {
    for await (const chunk of createReadStream(path, { end: Math.max(0, bytes - 1) })) hash.update(chunk as Buffer)
  } catch (error) {
    throw new OstiaryError('recordings/unreadable', { file: path, cause: causeOf(error) }, { cause: error })
  }
  return hash.digest('hex') === said.sha256
}
