import { openDatabase, type Database, type DatabaseForm, type Row } from './database.ts'
import type { Kept, KeptStore } from './kept.ts'

type Value = string | number | null

/** A table of what is kept. Besides its own columns it has `id`, `created_at` and `until`. */
export interface KeptTable<T extends Kept> {
  readonly name: string
  readonly migrations: readonly string[]
  readonly errors: DatabaseForm<string>['errors']
  /** Its own columns, and what is in them. */
  readonly columns: readonly string[]
  write(one: T): readonly Value[]
  /** One that doesn't read is no reason to leave it out: it throws, and the whole list is unreadable then. */
  read(row: Row): Omit<T, keyof Kept>
}

type Statement = 'add' | 'list' | 'remove' | 'over' | 'sweep' | 'version'

function statements({
  name,
  columns,
}: {
  readonly name: string
  readonly columns: readonly string[]
}): Readonly<Record<Statement, string>> {
  const all = ['id', ...columns, 'created_at', 'until']
  const [maximum, now] = [all.length + 1, all.length + 2]
  return {
    add: `INSERT INTO ${name} (${all.join(', ')}) SELECT ${all.map((_, at) => `?${at + 1}`).join(', ')}
          WHERE (SELECT count(*) FROM ${name} WHERE until IS NULL OR until > ?${now}) < ?${maximum}`,
    list: `SELECT ${all.join(', ')} FROM ${name} ORDER BY created_at, id`,
    remove: `DELETE FROM ${name} WHERE id = ?`,
    over: `SELECT count(*) AS over FROM ${name} WHERE until <= ?`,
    sweep: `DELETE FROM ${name} WHERE until <= ?`,
    version: 'PRAGMA data_version',
  }
}

/**
 * What is kept, in one SQLite file of its own, shared by the processes of a machine. Nothing is lost when the machine loses power.
 * @throws OstiaryError with the codes of the table
 */
export function openSqliteKept<T extends Kept>(file: string, table: KeptTable<T>): KeptStore<T> {
  const { migrations, errors } = table
  return new SqliteKept(openDatabase(file, { migrations, statements: statements(table), synchronous: 'full', errors }), table)
}

class SqliteKept<T extends Kept> implements KeptStore<T> {
  readonly #database: Database<Statement>
  readonly #table: KeptTable<T>

  constructor(database: Database<Statement>, table: KeptTable<T>) {
    this.#database = database
    this.#table = table
  }

  async add(one: T, maximum: number, now: number): Promise<'added' | 'full'> {
    const { id, createdAt, until } = one
    const { changes } = this.#database.run.add.run(id, ...this.#table.write(one), createdAt, until ?? null, maximum, now)
    return Number(changes) > 0 ? 'added' : 'full'
  }

  async list(): Promise<readonly T[]> {
    return (this.#database.run.list.all() as unknown as readonly Row[]).map((row) => {
      const kept: Kept = {
        id: row['id'] as string,
        createdAt: row['created_at'] as number,
        until: (row['until'] as number | null) ?? undefined,
      }
      return { ...kept, ...this.#table.read(row) } as T
    })
  }

  async remove(id: string): Promise<boolean> {
    return Number(this.#database.run.remove.run(id).changes) > 0
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
