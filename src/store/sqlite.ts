import { openDatabase, type Database, type Row } from './database.ts'
import { MAX_MARKS, type LeaseAnswer, type Reproven, type SessionPage, type SessionStore, type StoredSession } from './sessions.ts'

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
  `ALTER TABLE sessions ADD COLUMN tokens BLOB;
   ALTER TABLE sessions ADD COLUMN provider_session TEXT;
   ALTER TABLE sessions ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE sessions ADD COLUMN lease_holder TEXT;
   ALTER TABLE sessions ADD COLUMN lease_until INTEGER;
   CREATE INDEX sessions_by_provider ON sessions (provider_session) WHERE provider_session IS NOT NULL;`,
] as const

const COLUMNS = 'key, id, issuer, sealed, tokens, provider_session, version, created_at, seen_at, ends_at'

const STATEMENTS = {
  add: `INSERT INTO sessions (${COLUMNS}) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
        WHERE (SELECT count(*) FROM sessions) < ?11 OR (SELECT count(*) FROM sessions WHERE ends_at > ?12) < ?11`,
  find: `SELECT ${COLUMNS} FROM sessions WHERE key = ?`,
  named: `SELECT ${COLUMNS} FROM sessions WHERE id = ?`,
  list: `SELECT ${COLUMNS} FROM sessions WHERE (created_at, id) < (?1, ?2) ORDER BY created_at DESC, id DESC LIMIT ?3`,
  ofProvider: `SELECT ${COLUMNS} FROM sessions WHERE provider_session = ? LIMIT ?`,
  lastEnd: 'SELECT max(ends_at) AS last FROM sessions',
  seen: 'UPDATE sessions SET seen_at = ?1 WHERE key = ?2 AND seen_at < ?1',
  lease: `UPDATE sessions SET lease_holder = ?1, lease_until = ?2
          WHERE key = ?3 AND version = ?4 AND (lease_until IS NULL OR lease_until <= ?5)`,
  leased: 'SELECT version, lease_holder FROM sessions WHERE key = ?',
  rest: 'UPDATE sessions SET lease_holder = NULL, lease_until = ? WHERE key = ? AND lease_holder = ?',
  reprove: `UPDATE sessions SET sealed = ?1, tokens = ?2, version = version + 1, lease_holder = NULL, lease_until = NULL
            WHERE key = ?3 AND version = ?4`,
  end: 'DELETE FROM sessions WHERE key = ?',
  sweep: 'DELETE FROM sessions WHERE ends_at <= ? OR seen_at <= ?',
  spend: `INSERT INTO marks (mark, lapses_at) VALUES (?1, ?2)
          ON CONFLICT (mark) DO UPDATE SET lapses_at = ?2 WHERE lapses_at <= ?3`,
  spent: 'SELECT 1 AS spent FROM marks WHERE mark = ? AND lapses_at > ?',
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
    const { key, id, issuer, sealed, tokens, providerSession, version, createdAt, seenAt, endsAt } = session
    const values = [key, id, issuer, sealed, tokens ?? null, providerSession ?? null, version, createdAt, seenAt, endsAt]
    const { changes } = this.#run.add.run(...values, maximum, now)
    return Number(changes) > 0 ? 'added' : 'full'
  }

  async find(key: string): Promise<StoredSession | undefined> {
    return stored(this.#run.find.get(key))
  }

  async named(id: string): Promise<StoredSession | undefined> {
    return stored(this.#run.named.get(id))
  }

  async ofProvider(providerSession: string, limit: number): Promise<readonly StoredSession[]> {
    return this.#run.ofProvider.all(providerSession, limit).map((row) => stored(row)!)
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

  async lease(key: string, version: number, holder: string, until: number, now: number): Promise<LeaseAnswer> {
    return this.#database.whole(() => {
      if (Number(this.#run.lease.run(holder, until, key, version, now).changes) > 0) return 'given'
      const row: Row | undefined = this.#run.leased.get(key)
      if (row?.['version'] !== version) return 'changed'
      return row['lease_holder'] === null ? 'resting' : 'held'
    })
  }

  async rest(key: string, holder: string, until: number): Promise<void> {
    this.#run.rest.run(until, key, holder)
  }

  async reprove(key: string, version: number, { sealed, tokens }: Reproven): Promise<boolean> {
    return Number(this.#run.reprove.run(sealed, tokens ?? null, key, version).changes) > 0
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

  async isSpent(mark: string, now: number): Promise<boolean> {
    return this.#run.spent.get(mark, now) !== undefined
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
    tokens: (row['tokens'] as Uint8Array | null) ?? undefined,
    providerSession: (row['provider_session'] as string | null) ?? undefined,
    version: row['version'] as number,
    createdAt: row['created_at'] as number,
    seenAt: row['seen_at'] as number,
    endsAt: row['ends_at'] as number,
  }
}
