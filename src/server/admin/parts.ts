import type { Passage } from '../../core/passage.ts'
import type { AuditQuery, AuditRecord, FoundDecision, OutcomeRecord } from '../../audit/index.ts'
import type { Principal } from '../../core/principal.ts'
import type { DecisionSummary } from './shapes.ts'
import type { Decision } from '../../core/decision.ts'
import type { ListedCluster } from '../../kubernetes/directory.ts'
import type { CompiledPolicy, Evaluation, Explanation, Search } from '../../policy/index.ts'
import type { Sources } from '../../config/wiring.ts'
import type { Diagnostic } from '../../core/errors.ts'
import type { SessionList, SessionQuery } from '../../identity/index.ts'
import type { ElsewhereExplained } from './elsewhere.ts'
import type { StoredRevocation } from '../../store/revocations.ts'
import type { Activations } from '../activations.ts'
import type { Change } from '../compared.ts'
import type { Ending } from '../ending.ts'
import type { EnvoyRolloutStatus } from '../envoyrollout.ts'
import type { Metrics } from '../metrics.ts'
import type { Seen } from '../seen.ts'

/** One record as the API answers it: for people and for programs. */
export interface ShownRecord {
  readonly text: string
  readonly record: AuditRecord
  /** Of an allowed decision that is over, where it was looked for. */
  readonly outcome: OutcomeRecord | undefined
}

/** A decision with its explanation; none where the credential was refused, or its policy is no longer kept. */
export interface Explained {
  readonly text: string
  readonly explanation: Explanation | undefined
  readonly found: FoundDecision
  readonly summary: DecisionSummary
}

/** The last attempt to take on a changed configuration. */
export interface ReloadStatus {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly accepted: boolean
  readonly version: string | undefined
  readonly diagnostics: readonly Diagnostic[]
  /** What it changes, once that is known. */
  readonly change?: Change | undefined
  /** What was read and waits until somebody releases it. */
  readonly held?: { readonly version: string; readonly change: Change } | undefined
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
  /** Clusters that are reached through this gateway, whoever asks. */
  clusters(): readonly ListedCluster[]
  /** What the policy in force was made of. Throws `audit/unknown-version`, `audit/version-mismatch` where it is not kept whole. */
  sources(): Sources
  lastReload(): ReloadStatus
  reload(): Promise<ReloadStatus>
  /** Takes on a version that is held. Rejects with OstiaryError `server/not-held` where it isn't that one. */
  release(version: string, by: Principal): Promise<ReloadStatus>
  /** Goes on with a roll-out to Envoys by hand. Rejects with OstiaryError `server/no-rollout` where none is under way. */
  proceed(everywhere: boolean, by: Principal): Promise<EnvoyRolloutStatus>
  status(): Readonly<Record<string, unknown>>
  rotate(purpose: 'assertion' | 'checkpoint', principal: Principal): { readonly kid: string; readonly previous: string }
  search(query: AuditQuery): AsyncIterable<ShownRecord>
  tail(query: AuditQuery, follow: boolean, signal: AbortSignal): AsyncIterable<ShownRecord>
  verify(): Promise<{ readonly ok: boolean; readonly text: string }>
  /** `last` is the newest decision that isn't about the gateway itself. */
  explain(id: string): Promise<Explained | undefined>
  /** By a request id of another enforcement point, or by what it said of a denial. */
  explainElsewhere(asked: string): Promise<ElsewhereExplained | undefined>
  /** Who came here in the last thirty days, as the record has it. */
  seen(): Promise<Seen>
  readonly ending: Pick<Ending, 'endSession' | 'revoke' | 'lift'>
  sessions(query: SessionQuery): Promise<SessionList>
  revocations(): readonly StoredRevocation[]
  readonly activations: Pick<Activations, 'activate' | 'atMost' | 'end' | 'list' | 'of' | 'ofSubject'>
  /** Undefined for a name that no issuer has. */
  kindOfIssuer(name: string): string | undefined
  /** Whether the caller may ask so many questions more now. */
  mayAsk(caller: Principal, questions: number): boolean
  /** Records what was answered to whom. Throws where it can’t be recorded: then nothing is answered. */
  evaluated(caller: Principal, question: Evaluation, decision: Decision, answered: boolean): void
  /** Records that something was searched for, and how much was found. */
  searched(caller: Principal, search: Search, found: number): void
  /** Milliseconds since the epoch. */
  now(): number
  /** A fault of the program, for its log. */
  fault(error: unknown): void
}
