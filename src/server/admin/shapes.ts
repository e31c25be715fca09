/** Shapes of the admin API that the console reads, too: nothing of Node is imported here. */

import type { Verdict } from '../../core/record.ts'

/** A decision in short, as lists and tables show it. */
export interface DecisionSummary {
  readonly id: string
  /** RFC 3339. */
  readonly time: string
  readonly door: string
  readonly resource: string
  /** `GET /orders/7` */
  readonly action: string
  readonly verdict: Verdict['kind']
  /** Display name, or subject, or `anonymous`; with who acts for it. */
  readonly who: string
  /** Rule, guardrail or reason that decided. */
  readonly because: string | undefined
  readonly ip: string
  readonly trace: string | undefined
  readonly policyVersion: string
  readonly outcome:
    | { readonly result: string; readonly status: number; readonly bytesIn: number; readonly bytesOut: number; readonly duration: number }
    | undefined
}

/** A browser session as the API answers it. Times are RFC 3339. */
export interface SessionAnswer {
  /** Names it; gives no right. */
  readonly id: string
  readonly issuer: string
  readonly subject: string
  readonly display?: string | undefined
  readonly kind: string
  readonly createdAt: string
  /** Last use. */
  readonly seenAt: string
  /** It ends then at the latest. */
  readonly endsAt: string
  /** Whether it is the one that asks. */
  readonly own: boolean
}

export interface SessionsAnswer {
  readonly sessions: readonly SessionAnswer[]
  /** `after` of the next page; absent on the last. */
  readonly next?: string | undefined
}

/** A revocation as the API answers it. */
export interface RevocationAnswer {
  readonly id: string
  readonly target: Readonly<Record<string, string>> & { readonly kind: string }
  readonly reason: string
  /** Who revoked, as `issuer/subject`. */
  readonly by: string
  readonly createdAt: string
  /** Absent where it holds until it is lifted. */
  readonly until?: string | undefined
}
