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
  /** Of the record that says it. */
  readonly seq: number
  readonly file: string
  readonly bytes: number
  readonly sha256: string
}

interface Removal {
  readonly seq: number
  /** Id of the youngest. */
  readonly last: string
}

/**
 * Compares recordings with the record of the same data directory, whose own wholeness is for `verifyDataDirectory` to tell.
 * Newest first.
 * @param id Only the recording of this decision; none where neither knows of it
 * @throws OstiaryError `audit/unreadable`, `recordings/unreadable`
 */
export async function* verifyRecordings(dataDir: string, id?: string): AsyncGenerator<RecordingVerdict> {
  const dir = join(dataDir, 'recordings')
  const { vouched, removals } = await whatTheRecordSays(join(dataDir, 'audit'))
  const files = Map.groupBy(await listRecordings(dir), (one) => one.id)
  const ids = [...new Set([...files.keys(), ...vouched.keys()])].toSorted().toReversed()
  for (const one of ids) {
    if (id !== undefined && one !== id) continue
    const said = vouched.get(one)
    let isThere = false
    for (const there of files.get(one) ?? []) {
      // Another file of that name beside the one that is vouched for is somebody else's.
      const isSaid = there.file === said?.file
      isThere ||= isSaid
      yield { id: one, file: there.file, state: !isSaid ? 'unvouched' : (await isWhole(dir, there, said)) ? 'whole' : 'altered' }
    }
    if (said !== undefined && !isThere) yield { id: one, file: said.file, state: isRemoved(one, said, removals) ? 'removed' : 'missing' }
  }
}

/** A removal says nothing of recordings that ended after it: those were open then, and passed over. */
function isRemoved(id: string, { seq }: Vouched, removals: readonly Removal[]): boolean {
  return removals.some((removal) => removal.seq > seq && id <= removal.last)
}

/** What was vouched for first counts: nobody vouches for another file later on. */
async function whatTheRecordSays(
  dir: string,
): Promise<{ readonly vouched: ReadonlyMap<string, Vouched>; readonly removals: readonly Removal[] }> {
  const vouched = new Map<string, Vouched>()
  let removals: readonly Removal[] = []
  for (const event of [RECORDED, REMOVED])
    for await (const { record } of search(dir, { event, order: 'oldest', limit: Number.POSITIVE_INFINITY })) {
      if (record.kind !== 'event') continue
      const { seq } = record
      const { decision, file, bytes, sha256, last } = record.details
      // A removal of older ones than a later removal says nothing more.
      if (event === REMOVED && typeof last === 'string') removals = [...removals.filter((one) => one.last > last), { seq, last }]
      if (event !== RECORDED || typeof decision !== 'string' || vouched.has(decision)) continue
      if (typeof file === 'string' && typeof bytes === 'number' && typeof sha256 === 'string')
        vouched.set(decision, { seq, file, bytes, sha256 })
    }
  return { vouched, removals }
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
