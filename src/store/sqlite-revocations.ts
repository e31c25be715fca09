import { z } from 'zod'
import type { KeptTable } from './sqlite-kept.ts'
import { openSqliteKept } from './sqlite-kept.ts'
import type { RevocationStore, RevocationTarget, StoredRevocation } from './revocations.ts'

/** The form of a kept target. */
const target: z.ZodType<RevocationTarget> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('session'), session: z.string() }),
  z.strictObject({ kind: z.literal('subject'), issuer: z.string(), subject: z.string() }),
  z.strictObject({ kind: z.literal('token'), issuer: z.string(), token: z.string() }),
  z.strictObject({ kind: z.literal('client'), issuer: z.string(), client: z.string() }),
  z.strictObject({ kind: z.literal('issued-before'), issuer: z.string(), subject: z.string().optional(), before: z.number() }),
])

const REVOCATIONS: KeptTable<StoredRevocation> = {
  name: 'revocations',
  migrations: [
    `CREATE TABLE revocations (
       id TEXT PRIMARY KEY, target TEXT NOT NULL, reason TEXT NOT NULL, by TEXT NOT NULL, created_at INTEGER NOT NULL, until INTEGER
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX revocations_by_end ON revocations (until);`,
  ],
  errors: { open: 'store/revocations', version: 'store/revocations-version' },
  columns: ['target', 'reason', 'by'],
  write: (one) => [JSON.stringify(one.target), one.reason, one.by],
  read: (row) => ({
    target: target.parse(JSON.parse(row['target'] as string)),
    reason: row['reason'] as string,
    by: row['by'] as string,
  }),
}

/** @throws OstiaryError `store/revocations`, `store/revocations-version` */
export function openSqliteRevocations(file: string): RevocationStore {
  return openSqliteKept(file, REVOCATIONS)
}
