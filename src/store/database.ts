import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { OstiaryError, type Code } from '../core/errors.ts'

/** Longest wait for another process that writes, in milliseconds. It blocks the event loop. */
const BUSY_TIMEOUT_MS = 250

export interface DatabaseForm<Name extends string> {
  /** One entry per version of the file's form. A file of a later version belongs to a later gateway and is left alone. */
  readonly migrations: readonly string[]
  readonly statements: Readonly<Record<Name, string>>
  /** What can be lost when the machine loses power: with `normal` the last changes, with `full` nothing. */
  readonly synchronous: 'normal' | 'full'
  /** What a file that can't be opened, or is of a later version, is told as. */
  readonly errors: { readonly open: Code; readonly version: Code }
}

export type Row = Readonly<Record<string, unknown>>

/** One SQLite file with its statements made ready. */
export interface Database<Name extends string> {
  readonly run: Readonly<Record<Name, StatementSync>>
  /** One transaction: no other process sees half of it. */
  whole<T>(work: () => T): T
  close(): void
}

/**
 * Opens one SQLite file, in write-ahead mode, so that several processes of a machine may share it. Readable by this user alone.
 * @throws OstiaryError with the codes of the form
 */
export function openDatabase<Name extends string>(file: string, form: DatabaseForm<Name>): Database<Name> {
  let database: DatabaseSync
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, allowExtension: false })
  } catch (error) {
    throw notOpened(file, form, error)
  }
  try {
    // Before anything is in it; its log and index take over the mode.
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600)
    database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${form.synchronous}; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON`,
    )
    migrate(database, file, form)
    const run = Object.fromEntries(Object.entries<string>(form.statements).map(([name, sql]) => [name, database.prepare(sql)]))
    return {
      run: run as Record<Name, StatementSync>,
      whole: (work) => whole(database, work),
      close() {
        if (database.isOpen) database.close()
      },
    }
  } catch (error) {
    database.close()
    throw error instanceof OstiaryError ? error : notOpened(file, form, error)
  }
}

function migrate(database: DatabaseSync, file: string, { migrations, errors }: DatabaseForm<string>): void {
  whole(database, () => {
    const version = Number((database.prepare('PRAGMA user_version').get() as Row)['user_version'])
    if (version > migrations.length) throw new OstiaryError(errors.version, { file, version })
    for (const migration of migrations.slice(version)) database.exec(migration)
    // Writing what is there already would tell other processes of a change.
    if (version !== migrations.length) database.exec(`PRAGMA user_version = ${migrations.length}`)
  })
}

function whole<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

function notOpened(file: string, { errors }: DatabaseForm<string>, error: unknown): OstiaryError {
  const { code, errcode } = error as { readonly code?: string; readonly errcode?: number }
  return new OstiaryError(errors.open, { file, cause: errcode === undefined ? (code ?? 'unknown') : `SQLite error ${errcode}` })
}
