import type { ActivationStore, StoredActivation } from './activations.ts'
import { openSqliteKept, type KeptTable } from './sqlite-kept.ts'

const ACTIVATIONS: KeptTable<StoredActivation> = {
  name: 'activations',
  migrations: [
    `CREATE TABLE activations (
       id TEXT PRIMARY KEY, issuer TEXT NOT NULL, subject TEXT NOT NULL, role TEXT NOT NULL, starts INTEGER NOT NULL, reason TEXT NOT NULL,
       display TEXT, created_at INTEGER NOT NULL, until INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX activations_by_end ON activations (until);`,
  ],
  errors: { open: 'store/activations', version: 'store/activations-version' },
  columns: ['issuer', 'subject', 'role', 'starts', 'reason', 'display'],
  write: ({ issuer, subject, role, from, reason, display }) => [issuer, subject, role, from, reason, display ?? null],
  read: (row) => ({
    issuer: row['issuer'] as string,
    subject: row['subject'] as string,
    role: row['role'] as string,
    from: row['starts'] as number,
    reason: row['reason'] as string,
    display: (row['display'] as string | null) ?? undefined,
  }),
}

/** @throws OstiaryError `store/activations`, `store/activations-version` */
export function openSqliteActivations(file: string): ActivationStore {
  return openSqliteKept(file, ACTIVATIONS)
}
