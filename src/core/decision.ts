import type { Principal } from './principal.ts'

export type Effect = 'allow' | 'challenge' | 'needs-approval' | 'deny'

/**
 * Why a decision came out as it did. Always kept, so cheap: a code and the ids that it speaks of.
 * - `granted`: a rule grants.
 * - `no-rule`: no rule covers this action on this resource for any role.
 * - `role-not-held`: rules cover it, for roles that the principal doesn't hold.
 * - `role-unknown`: a rule would grant if a role that can't be told now were held.
 * - `condition-false`, `condition-error`: the rule's `when` was not true, or could not be evaluated.
 * - `peer-not-held`: the rule asks for a peer with another role, or for any, and there is none.
 * - `requirement`: a guardrail asks for a proof, a justification, a device or a network that is missing.
 * - `approval`: a guardrail asks for an approval that hasn't been given.
 * - `obligation`: a guardrail masks, limits or records. Told of guardrails that are only observed.
 * - `guardrail`: a deny guardrail applies. `guardrail-unknown`, `guardrail-error`: it counts as applying because a role or its `when` can't be told.
 * - `limit`: the counter of a limit is used up.
 * - `observed`: the resource is only observed, and lets everything through; `id` is the resource.
 * - `in-part`: what is denied as a whole is allowed for some of what it is about, and the door leaves out the rest.
 * - `scope`: the delegated token's scopes don't cover the action.
 * - `issuer`: the resource doesn't accept principals of this issuer; `id` is the issuer.
 * - `party`: a party of the chain was denied; `id` is its `issuer/subject`.
 * - `unknown-resource`: the policy has no such resource.
 */
export interface Reason {
  readonly code:
    | 'granted'
    | 'no-rule'
    | 'role-not-held'
    | 'role-unknown'
    | 'condition-false'
    | 'condition-error'
    | 'guardrail'
    | 'guardrail-unknown'
    | 'guardrail-error'
    | 'peer-not-held'
    | 'requirement'
    | 'approval'
    | 'obligation'
    | 'limit'
    | 'observed'
    | 'in-part'
    | 'scope'
    | 'issuer'
    | 'party'
    | 'unknown-resource'
  /** Rule, guardrail, issuer or party; undefined for `no-rule`, `scope` and `unknown-resource`. */
  readonly id?: string
  /** Role, for the codes that speak of one. */
  readonly role?: string
}

/** What becomes of a masked value: it goes, it becomes null, one fixed value, a keyed hash, or keeps only its first and last characters. */
export type Mask =
  | { readonly as: 'drop' }
  | { readonly as: 'null' }
  | { readonly as: 'constant'; readonly value: string | number | boolean }
  | { readonly as: 'hash' }
  | { readonly as: 'partial'; readonly first: number; readonly last: number }

export interface MaskedField {
  /** JSONPath (RFC 9535) of singular, wildcard and descendant segments: `$.customer.email`, `$.items[*].card`, `$..iban`. */
  readonly path: string
  readonly mask: Mask
}

/** What has to be carried out along with an allow. `ids` and `id` name the guardrails that ask for it. */
export type Obligation =
  /** At most one, with the fields of all guardrails, sorted by path: of one field, the strictest. What can't be masked is not let out. */
  | { readonly kind: 'mask'; readonly ids: readonly string[]; readonly fields: readonly MaskedField[] }
  /** One per guardrail and party, each with a counter of its own. */
  | {
      readonly kind: 'limit'
      readonly id: string
      readonly requests: number
      /** Milliseconds. */
      readonly window: number
      /** Whose counter it is. */
      readonly key: string
      /** Only counted and told of, not enforced. */
      readonly observed?: true
    }
  /** At most one: the record has to be durable before the effect. */
  | { readonly kind: 'record'; readonly ids: readonly string[]; readonly mode: 'strict' }

/** What is left to prove for a decision of effect `challenge`. */
export interface Requirement {
  readonly kind: 'mfa' | 'auth-context' | 'proof-of-possession' | 'justification' | 'device' | 'network'
  /**
   * Of `auth-context` and `device`, its name in the policy; of `proof-of-possession`, `dpop`, `mtls` or `any`; of `justification`,
   * the pattern it has to match, if any; of `network`, the networks; else empty.
   */
  readonly name: string
  /** The claim of the subject’s issuer that would prove it with one of these values; undefined if nothing that it can bring would. */
  readonly proof: { readonly claim: string; readonly values: readonly string[] } | undefined
}

/** What an approver has to say to for a decision of effect `needs-approval`. */
export interface ApprovalRequest {
  /** The guardrail that asks for it. */
  readonly id: string
  /** Roles, holders of any of which may approve. Sorted. */
  readonly from: readonly string[]
  /** How many different people have to. */
  readonly count: number
}

/** What guardrails and resources under observation would have made of it. */
export interface Observed {
  readonly effect: Effect
  /** Why, or for an `allow` which obligations there would have been. */
  readonly reasons: readonly Reason[]
}

/** What the policy says of (principal, action, resource, context). OpenID AuthZEN's information model. */
export interface Decision {
  readonly effect: Effect
  /** The least granting rule id; undefined unless something grants. */
  readonly rule: string | undefined
  /** All granting rule ids, sorted. */
  readonly rules: readonly string[]
  readonly reasons: readonly Reason[]
  readonly obligations: readonly Obligation[]
  /** Of `challenge`: all that is unmet, sorted. */
  readonly requirements?: readonly Requirement[]
  /** Of `needs-approval`: all that are missing, sorted by guardrail. */
  readonly approvals?: readonly ApprovalRequest[]
  /** What is only observed and would have come out otherwise; absent if nothing would. */
  readonly observed?: Observed
  /** Of `allow`: only what is allowed by itself may be shown of what it is about. Absent for all of it. */
  readonly inPart?: true
  readonly policyVersion: string
}

/** An eligible role that somebody has activated for a time. */
export interface Grant {
  readonly issuer: string
  readonly subject: string
  readonly role: string
  /** Milliseconds since the epoch: from the first to before the second. */
  readonly from: number
  readonly until: number
}

/** In place of an address that isn't known: what a condition asks of it can't be told, which grants nothing. */
export const UNKNOWN_IP = 'unknown'

/** What enters a decision besides principal, action and resource. Conditions read it as `context.*`. */
export interface DecisionContext {
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Caller's address as text, after forwarded headers of listed peers; IPv4-mapped IPv6 is shown as IPv4. */
  readonly ip: string
  /** Verified second principal of the connection (SPIFFE ID or certificate). */
  readonly peer?: Principal | undefined
  /** What the caller says that it is for. */
  readonly justification?: string | undefined
  /** Guardrails whose approval was given for exactly this action of this principal. */
  readonly approved?: ReadonlySet<string> | undefined
  /** Eligible roles that were activated, of whoever. */
  readonly grants?: readonly Grant[] | undefined
}
