import { z } from 'zod'
import { openDatabase, type Database, type Row } from './database.ts'
import type { RevocationStore, RevocationTarget, StoredRevocation } from './revocations.ts'

const MIGRATIONS = [
  `CREATE TABLE revocations (
     id TEXT PRIMARY KEY, target TEXT NOT NULL, reason TEXT NOT NULL, by TEXT NOT NULL, created_at INTEGER NOT NULL, until INTEGER
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX revocations_by_end ON revocations (until);`,
] as const

const STATEMENTS = {
  add: `INSERT INTO revocations (id, target, reason, by, created_at, until) SELECT ?, ?, ?, ?, ?, ?
        WHERE (SELECT count(*) FROM revocations WHERE until IS NULL OR until > ?8) < ?7`,
  list: 'SELECT id, target, reason, by, created_at, until FROM revocations ORDER BY created_at, id',
  lift: 'DELETE FROM revocations WHERE id = ?',
  over: 'SELECT count(*) AS over FROM revocations WHERE until <= ?',
  sweep: 'DELETE FROM revocations WHERE until <= ?',
  version: 'PRAGMA data_version',
} as const

/** The form of a kept target. One that doesn't read is no reason to leave out what it ends: the whole list is unreadable then. */
const target: z.ZodType<RevocationTarget> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('session'), session: z.string() }),
  z.strictObject({ kind: z.literal('subject'), issuer: z.string(), subject: z.string() }),
  z.strictObject({ kind: z.literal('token'), issuer: z.string(), token: z.string() }),
  z.strictObject({ kind: z.literal('client'), issuer: z.string(), client: z.string() }),
  z.strictObject({ kind: z.literal('issued-before'), issuer: z.string(), subject: z.string().optional(), before: z.number() }),
])

/**
 * Revocations in one SQLite file of their own, shared by the processes of a machine. Nothing is lost when the machine loses power.
 * @throws OstiaryError `store/revocations`, `store/revocations-version`
 */
export function openSqliteRevocations(file: string): RevocationStore {
  const errors = { open: 'store/revocations', version: 'store/revocations-version' } as const
  return new SqliteRevocations(openDatabase(file, { migrations: MIGRATIONS, statements: STATEMENTS, synchronous: 'full', errors }))
}

class SqliteRevocations implements RevocationStore {
  readonly #database: Database<keyof typeof STATEMENTS>

  constructor(database: Database<keyof typeof STATEMENTS>) {
    this.#database = database
  }

  async add({ id, target, reason, by, createdAt, until }: StoredRevocation, maximum: number, now: number): Promise<'added' | 'full'> {
    const { changes } = this.#database.run.add.run(id, JSON.stringify(target), reason, by, createdAt, until ?? null, maximum, now)
    return Number(changes) > 0 ? 'added' : 'full'
  }

  async list(): Promise<readonly StoredRevocation[]> {
    return (this.#database.run.list.all() as unknown as readonly Row[]).map((row) => ({
      id: row['id'] as string,
      target: target.parse(JSON.parse(row['target'] as string)),
      reason: row['reason'] as string,
      by: row['by'] as string,
      createdAt: row['created_at'] as number,
      until: (row['until'] as number | null) ?? undefined,
    }))
  }

  async lift(id: string): Promise<boolean> {
    return Number(this.#database.run.lift.run(id).changes) > 0
  }

  async sweep(now: number): Promise<number> {
    // Looked at first: a transaction without a change would still wake every other process.
    if ((this.#database.run.over.get(now) as Row)['over'] === 0) return 0
    return Number(this.#database.run.sweep.run(now).changes)
  }

  async version(): Promise<number> {
    return (this.#database.run.version.get() as Row)['data_version'] as number
  }

  async close(): Promise<void> {
    this.#database.close()
  }
}
