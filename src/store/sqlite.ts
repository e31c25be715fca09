import { openDatabase, type Database, type Row } from './database.ts'
import { MAX_MARKS, type SessionPage, type SessionStore, type StoredSession } from './sessions.ts'

const MIGRATIONS = [
  `CREATE TABLE sessions (
     key TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, issuer TEXT NOT NULL, sealed BLOB NOT NULL,
     created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, ends_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX sessions_by_end ON sessions (ends_at);
   CREATE INDEX sessions_by_use ON sessions (seen_at);
   CREATE TABLE marks (mark TEXT PRIMARY KEY, lapses_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX marks_by_lapse ON marks (lapses_at);`,
  'CREATE INDEX sessions_by_beginning ON sessions (created_at, id);',
] as const

const COLUMNS = 'key, id, issuer, sealed, created_at, seen_at, ends_at'

const STATEMENTS = {
  add: `INSERT INTO sessions (${COLUMNS}) SELECT ?, ?, ?, ?, ?, ?, ?
        WHERE (SELECT count(*) FROM sessions) < ?8 OR (SELECT count(*) FROM sessions WHERE ends_at > ?9) < ?8`,
  find: `SELECT ${COLUMNS} FROM sessions WHERE key = ?`,
  named: `SELECT ${COLUMNS} FROM sessions WHERE id = ?`,
  list: `SELECT ${COLUMNS} FROM sessions WHERE (created_at, id) < (?1, ?2) ORDER BY created_at DESC, id DESC LIMIT ?3`,
  lastEnd: 'SELECT max(ends_at) AS last FROM sessions',
  seen: 'UPDATE sessions SET seen_at = ?1 WHERE key = ?2 AND seen_at < ?1',
  end: 'DELETE FROM sessions WHERE key = ?',
  sweep: 'DELETE FROM sessions WHERE ends_at <= ? OR seen_at <= ?',
  spend: `INSERT INTO marks (mark, lapses_at) VALUES (?1, ?2)
          ON CONFLICT (mark) DO UPDATE SET lapses_at = ?2 WHERE lapses_at <= ?3`,
  lapse: 'DELETE FROM marks WHERE lapses_at <= ?',
  forget: 'DELETE FROM marks WHERE mark IN (SELECT mark FROM marks ORDER BY lapses_at DESC LIMIT -1 OFFSET ?)',
} as const

/**
 * Sessions in one SQLite file, shared by the processes of a machine.
 * @throws OstiaryError `store/open`, `store/version`
 */
export function openSqliteStore(file: string): SessionStore {
  const errors = { open: 'store/open', version: 'store/version' } as const
  return new SqliteStore(openDatabase(file, { migrations: MIGRATIONS, statements: STATEMENTS, synchronous: 'normal', errors }))
}

class SqliteStore implements SessionStore {
  readonly #database: Database<keyof typeof STATEMENTS>

  constructor(database: Database<keyof typeof STATEMENTS>) {
    this.#database = database
  }

  get #run() {
    return this.#database.run
  }

  async add(session: StoredSession, maximum: number, now: number): Promise<'added' | 'full'> {
    const { key, id, issuer, sealed, createdAt, seenAt, endsAt } = session
    const { changes } = this.#run.add.run(key, id, issuer, sealed, createdAt, seenAt, endsAt, maximum, now)
    return Number(changes) > 0 ? 'added' : 'full'
  }

  async find(key: string): Promise<StoredSession | undefined> {
    return stored(this.#run.find.get(key))
  }

  async named(id: string): Promise<StoredSession | undefined> {
    return stored(this.#run.named.get(id))
  }

  async list(limit: number, after?: SessionPage): Promise<readonly StoredSession[]> {
    const rows = this.#run.list.all(after?.createdAt ?? Number.MAX_SAFE_INTEGER, after?.id ?? '', limit) as unknown as readonly Row[]
    return rows.map((row) => stored(row)!)
  }

  async lastEnd(): Promise<number | undefined> {
    return ((this.#run.lastEnd.get() as Row)['last'] as number | null) ?? undefined
  }

  async seen(key: string, seenAt: number): Promise<void> {
    this.#run.seen.run(seenAt, key)
  }

  async end(key: string): Promise<boolean> {
    return Number(this.#run.end.run(key).changes) > 0
  }

  async sweep(now: number, unusedSince: number): Promise<number> {
    return this.#database.whole(() => {
      this.#run.lapse.run(now)
      return Number(this.#run.sweep.run(now, unusedSince).changes)
    })
  }

  async spend(mark: string, until: number, now: number): Promise<boolean> {
    return this.#database.whole(() => {
      const fresh = Number(this.#run.spend.run(mark, until, now).changes) > 0
      if (fresh) this.#run.forget.run(MAX_MARKS)
      return fresh
    })
  }

  async close(): Promise<void> {
    this.#database.close()
  }
}

function stored(row: Row | undefined): StoredSession | undefined {
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
