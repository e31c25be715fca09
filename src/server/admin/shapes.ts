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
