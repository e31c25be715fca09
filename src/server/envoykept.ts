/** Which version of the policy each Envoy was handed out last, kept over a restart: only names of versions, whose files have digests of their own. */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'

const MAX_BYTES = 1024 * 1024
const fileSchema = z.strictObject({
  format: z.literal(1),
  nodes: z.record(z.string().max(64), z.string().regex(/^sha256:[0-9a-f]{64}$/)),
})

/** Version by node. */
export type Given = ReadonlyMap<string, string>

/** `absent`: there is no file. `broken`: there is one, and it is not what was written. */
export function readGiven(file: string): Given | 'absent' | 'broken' {
  try {
    const info = statSync(file, { throwIfNoEntry: false })
    if (info === undefined) return 'absent'
    if (!info.isFile() || info.size > MAX_BYTES) return 'broken'
    const read = fileSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')))
    return read.success ? new Map(Object.entries(read.data.nodes)) : 'broken'
  } catch {
    return 'broken'
  }
}

/** Whole or not at all. Throws where it can't be written. */
export function writeGiven(file: string, given: Given): void {
  const temporary = `${file}.${process.pid}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const text = JSON.stringify({ format: 1, nodes: Object.fromEntries([...given].toSorted(([a], [b]) => (a < b ? -1 : 1))) })
    writeFileSync(temporary, text, { mode: 0o600, flag: 'w', flush: true })
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true })
  }
}
