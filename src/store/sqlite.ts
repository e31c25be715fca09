import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { OstiaryError } from '../core/errors.ts'
import { MAX_MARKS, type SessionStore, type StoredSession } from './sessions.ts'

/** One entry per version of the file's form. A file of a later version belongs to a later gateway and is left alone. */
const MIGRATIONS = [
  `CREATE TABLE sessions (
     key TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, issuer TEXT NOT NULL, sealed BLOB NOT NULL,
     created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, ends_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX sessions_by_end ON sessions (ends_at);
   CREATE INDEX sessions_by_use ON sessions (seen_at);
   CREATE TABLE marks (mark TEXT PRIMARY KEY, lapses_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX marks_by_lapse ON marks (lapses_at);`,
] as const

/** Longest wait for another process that writes, in milliseconds. It blocks the event loop. */
const BUSY_TIMEOUT_MS = 250

const STATEMENTS = {
  add: `INSERT INTO sessions (key, id, issuer, sealed, created_at, seen_at, ends_at) SELECT ?, ?, ?, ?, ?, ?, ?
        WHERE (SELECT count(*) FROM sessions) < ?8 OR (SELECT count(*) FROM sessions WHERE ends_at > ?9) < ?8`,
  find: 'SELECT key, id, issuer, sealed, created_at, seen_at, ends_at FROM sessions WHERE key = ?',
  seen: 'UPDATE sessions SET seen_at = ?1 WHERE key = ?2 AND seen_at < ?1',
  end: 'DELETE FROM sessions WHERE key = ?',
  sweep: 'DELETE FROM sessions WHERE ends_at <= ? OR seen_at <= ?',
  spend: `INSERT INTO marks (mark, lapses_at) VALUES (?1, ?2)
          ON CONFLICT (mark) DO UPDATE SET lapses_at = ?2 WHERE lapses_at <= ?3`,
  lapse: 'DELETE FROM marks WHERE lapses_at <= ?',
  forget: 'DELETE FROM marks WHERE mark IN (SELECT mark FROM marks ORDER BY lapses_at DESC LIMIT -1 OFFSET ?)',
} as const

type Statements = Readonly<Record<keyof typeof STATEMENTS, StatementSync>>
type Row = Readonly<Record<string, unknown>>

/**
 * Sessions in one SQLite file, in write-ahead mode, so that several processes of a machine may share it. Readable by this user alone.
 * @throws OstiaryError `store/open`, `store/version`
 */
export function openSqliteStore(file: string): SessionStore {
  let database: DatabaseSync
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, allowExtension: false })
  } catch (error) {
    throw notOpened(file, error)
  }
  try {
    // Before anything is in it; its log and index take over the mode.
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600)
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON')
    migrate(database, file)
    const prepared = Object.fromEntries(Object.entries(STATEMENTS).map(([name, sql]) => [name, database.prepare(sql)]))
    return new SqliteStore(database, prepared as Statements)
  } catch (error) {
    database.close()
    throw error instanceof OstiaryError ? error : notOpened(file, error)
  }
}

function migrate(database: DatabaseSync, file: string): void {
  whole(database, () => {
    const version = Number((database.prepare('PRAGMA user_version').get() as Row)['user_version'])
    if (version > MIGRATIONS.length) throw new OstiaryError('store/version', { file, version })
    for (const migration of MIGRATIONS.slice(version)) database.exec(migration)
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
  })
}

class SqliteStore implements SessionStore {
  readonly #database: DatabaseSync
  readonly #run: Statements

  constructor(database: DatabaseSync, statements: Statements) {
    this.#database = database
    this.#run = statements
  }

  async add(session: StoredSession, maximum: number, now: number): Promise<'added' | 'full'> {
    const { key, id, issuer, sealed, createdAt, seenAt, endsAt } = session
    const { changes } = this.#run.add.run(key, id, issuer, sealed, createdAt, seenAt, endsAt, maximum, now)
    return Number(changes) > 0 ? 'added' : 'full'
  }

  async find(key: string): Promise<StoredSession | undefined> {
    const row = this.#run.find.get(key) as Row | undefined
    if (row === undefined) return undefined
    return {
      key: row['key'] as string,
      id: row['id'] as string,
      issuer: row['issuer'] as string,
      sealed: row['sealed'] as Uint8Array,
      createdAt: row['created_at'] as number,
      seenAt: row['seen_at'] as number,
      endsAt: row['ends_at'] as number,
    }
  }

  async seen(key: string, seenAt: number): Promise<void> {
    this.#run.seen.run(seenAt, key)
  }

  async end(key: string): Promise<boolean> {
    return Number(this.#run.end.run(key).changes) > 0
  }

  async sweep(now: number, unusedSince: number): Promise<number> {
    return whole(this.#database, () => {
      this.#run.lapse.run(now)
      return Number(this.#run.sweep.run(now, unusedSince).changes)
    })
  }

  async spend(mark: string, until: number, now: number): Promise<boolean> {
    return whole(this.#database, () => {
      const fresh = Number(this.#run.spend.run(mark, until, now).changes) > 0
      if (fresh) this.#run.forget.run(MAX_MARKS)
      return fresh
    })
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close()
  }
}

/** One transaction: no other process sees half of it. */
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

function notOpened(file: string, error: unknown): OstiaryError {
  const { code, errcode } = error as { readonly code?: string; readonly errcode?: number }
  return new OstiaryError('store/open', { file, cause: errcode === undefined ? (code ?? 'unknown') : `SQLite error ${errcode}` })
}
