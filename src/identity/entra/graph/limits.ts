/** What bounds the questions to Microsoft Graph. Times are in milliseconds. */
export interface GraphLimits {
  /** Longest wait for one page, and for all of them together. */
  readonly timeout: number
  readonly deadline: number
  /** Largest page, in bytes, and how many of them, 999 groups each. */
  readonly maxBytes: number
  readonly maxPages: number
  /** How often one page is asked for, and the longest `Retry-After` that is waited for. */
  readonly attempts: number
  readonly waitAtMost: number
  /** Longest time for which Graph is left alone because it asked for that. */
  readonly holdOffAtMost: number
  /** How long a failure is remembered for the account that met it. */
  readonly failedFor: number
  /** An answer is asked for anew when it ends this soon. */
  readonly ahead: number
  /** Accounts kept at most, and groups of all of them together. */
  readonly accounts: number
  readonly groups: number
  /** Accounts that are asked about at once. */
  readonly concurrent: number
}

export const graphLimits: GraphLimits = {
  timeout: 5_000,
  deadline: 10_000,
  maxBytes: 1024 * 1024,
  maxPages: 10,
  attempts: 3,
  waitAtMost: 5_000,
  holdOffAtMost: 300_000,
  failedFor: 30_000,
  ahead: 15_000,
  accounts: 10_000,
  groups: 500_000,
  concurrent: 50,
}
