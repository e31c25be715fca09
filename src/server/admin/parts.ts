import type { Passage } from '../../core/passage.ts'
import type { Explanation } from '../../policy/index.ts'
import type { AuditQuery, AuditRecord } from '../../audit/index.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import type { Diagnostic } from '../../core/errors.ts'
import type { Metrics } from '../metrics.ts'

/** One record as the API answers it: for people and for programs. */
export interface ShownRecord {
  readonly text: string
  readonly record: AuditRecord
}

/** The last attempt to take on a changed configuration. */
export interface ReloadStatus {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly accepted: boolean
  readonly version: string | undefined
  readonly diagnostics: readonly Diagnostic[]
}

/** What the admin API shows and does; the composition fills it in. */
export interface AdminParts {
  readonly metrics: Metrics
  readonly consoleFolder: string
  /** The open exchange with this decision id. */
  passage(id: string): Passage | undefined
  /** Origins under which the console is reached. */
  origins(): readonly string[]
  policy(): CompiledPolicy
  lastReload(): ReloadStatus
  reload(): Promise<ReloadStatus>
  status(): Readonly<Record<string, unknown>>
  rotate(purpose: string): Promise<{ readonly kid: string; readonly previous: string }>
  search(query: AuditQuery): AsyncIterable<ShownRecord>
  tail(query: AuditQuery, follow: boolean, signal: AbortSignal): AsyncIterable<ShownRecord>
  verify(): Promise<{ readonly ok: boolean; readonly text: string }>
  /** `last` is the newest decision that isn't about the gateway itself. */
  explain(id: string): Promise<{ readonly explanation: Explanation; readonly text: string; readonly record: AuditRecord } | undefined>
  /** A fault of the program, for its log. */
  fault(error: unknown): void
}
