/** Shapes of the admin API that the console reads, too: nothing of Node is imported here. */

import type { Effect } from '../../core/decision.ts'
import type { PrincipalKind } from '../../core/principal.ts'
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
  /** `issuer/subject`; absent for whoever was not proven. */
  readonly principal?: string | undefined
  /** What the policy said, where it was asked. */
  readonly effect?: Effect | undefined
  /** What it would have said if nothing were only observed, where that is stricter. */
  readonly observed?: Effect | undefined
  /** Rule, guardrail or reason that decided. */
  readonly because: string | undefined
  readonly ip: string
  readonly trace: string | undefined
  readonly policyVersion: string
  readonly outcome:
    | { readonly result: string; readonly status: number; readonly bytesIn: number; readonly bytesOut: number; readonly duration: number }
    | undefined
}

/** Somebody whom the record knows, and who may do what was asked. */
export interface PersonAnswer {
  /** `issuer/subject` */
  readonly principal: string
  readonly display?: string | undefined
  readonly kind: PrincipalKind
  /** RFC 3339. */
  readonly seenAt: string
  /** Other than `allow`: they may once they prove more, or somebody approves. */
  readonly effect: Exclude<Effect, 'deny'>
}

export interface PeopleAnswer {
  /** Sorted by issuer and subject. */
  readonly principals: readonly PersonAnswer[]
  /** Who can't be among them, and why. */
  readonly incomplete: string
}

/** A resource as the API answers it. */
export interface ResourceAnswer {
  readonly name: string
  readonly protocol: string
  /** An action of its protocol, to show to whoever is to write one. */
  readonly exampleAction: string
  readonly labels: Readonly<Record<string, string>>
  /** Actions by scope; absent where scopes cap nothing. */
  readonly scopes?: Readonly<Record<string, readonly string[]>> | undefined
  /** Absent for all. */
  readonly issuers?: readonly string[] | undefined
  /** Only observed until then, in RFC 3339. */
  readonly observedUntil?: string | undefined
}

/** A rule or a guardrail as the API answers it. */
export interface StatementAnswer {
  readonly id: string
  readonly kind: 'rule' | 'guardrail'
  readonly description?: string | undefined
  readonly place: string
  readonly resources: readonly string[]
  readonly who: 'for' | 'allBut'
  /** Sorted. */
  readonly roles: readonly string[]
  /** Roles, one of which the other end of the connection has to hold. */
  readonly peer?: readonly string[] | undefined
  readonly actions: readonly string[]
  /** What a guardrail asks for or obliges to; absent where it denies. */
  readonly asks?: readonly string[] | undefined
  readonly when?: string | undefined
  /** Only observed until then, in RFC 3339. */
  readonly observedUntil?: string | undefined
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

/** An eligible role that is active, as the API answers it. Times are RFC 3339. */
export interface ActivationAnswer {
  readonly id: string
  readonly role: string
  readonly issuer: string
  readonly subject: string
  readonly display?: string | undefined
  readonly from: string
  readonly until: string
  readonly reason: string
}

/** What somebody may activate, and what is active for them. */
export interface OwnActivationsAnswer {
  readonly eligible: readonly string[]
  readonly active: readonly ActivationAnswer[]
  /** Longest time for which a role may be activated, in milliseconds. */
  readonly atMost: number
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
