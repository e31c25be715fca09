import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OstiaryError } from '../core/errors.ts'

/** A folder of the data directory that only its owner may enter. @throws OstiaryError `demo/data-dir` */
export function privateFolder(dataDir: string, name: string): string {
  const folder = join(dataDir, name)
  guarded(dataDir, () => mkdirSync(folder, { recursive: true, mode: 0o700 }))
  return folder
}

/** Puts `text` into a file whole or not at all, readable by its owner alone. @throws OstiaryError `demo/data-dir` */
export function writePrivate(folder: string, name: string, text: string): void {
  const temporary = join(folder, `.${name}.${randomUUID()}`)
  guarded(folder, () => {
    try {
      writeFileSync(temporary, text, { mode: 0o600, flag: 'wx', flush: true })
      renameSync(temporary, join(folder, name))
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
  })
}

/** The text of a file, or undefined where there is none that can be read. */
export function readIfThere(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    return undefined
  }
}

function guarded(dir: string, task: () => void): void {
  try {
    task()
  } catch (error) {
    throw new OstiaryError('demo/data-dir', { dir, cause: (error as NodeJS.ErrnoException).code ?? 'unknown' }, { cause: error })
  }
}
