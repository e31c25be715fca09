import type { Principal } from './principal.ts'

export type Effect = 'allow' | 'challenge' | 'needs-approval' | 'deny'

/**
 * Why a decision came out as it did. Always kept, so cheap: a code and the ids that it speaks of.
 * - `granted`: a rule grants.
 * - `no-rule`: no rule covers this action on this resource for any role.
 * - `role-not-held`: rules cover it, for roles that the principal doesn't hold.
 * - `role-unknown`: a rule would grant if a role that can't be told now were held.
 * - `condition-false`, `condition-error`: the rule's `when` was not true, or could not be evaluated.
 * - `requirement`: a guardrail asks for a proof that is missing.
 * - `guardrail`: a deny guardrail applies. `guardrail-unknown`, `guardrail-error`: it counts as applying because a role or its `when` can't be told.
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
    | 'requirement'
    | 'scope'
    | 'issuer'
    | 'party'
    | 'unknown-resource'
  /** Rule, guardrail, issuer or party; undefined for `no-rule`, `scope` and `unknown-resource`. */
  readonly id?: string
  /** Role, for the codes that speak of one. */
  readonly role?: string
}

/** What the door has to carry out along with an allow. None exist yet in this version of the policy. */
export type Obligation = never

/** What is left to prove for a decision of effect `challenge`. */
export interface Requirement {
  readonly kind: 'mfa' | 'auth-context' | 'proof-of-possession'
  /** Of `auth-context`, its name in the policy; of `proof-of-possession`, `dpop`, `mtls` or `any`; else empty. */
  readonly name: string
  /** The claim of the subject’s issuer that would prove it with one of these values; undefined if nothing that it can bring would. */
  readonly proof: { readonly claim: string; readonly values: readonly string[] } | undefined
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
  readonly policyVersion: string
}

/** What enters a decision besides principal, action and resource. Conditions read it as `context.*`. */
export interface DecisionContext {
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Caller's address as text, after forwarded headers of listed peers; IPv4-mapped IPv6 is shown as IPv4. */
  readonly ip: string
  /** Verified second principal of the connection (SPIFFE ID or certificate). */
  readonly peer?: Principal | undefined
}
