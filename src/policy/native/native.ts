/**
 * A policy for one resource as an enforcement point can enforce it by itself: for each class of caller (a form of an issuer's tokens, or nobody), which
 * statements apply to which actions, as questions about the token. Exact: nothing in it is wider or narrower than `decide`, for the
 * tokens that `NativeIssuer.credential` lets in.
 */
import type { Formula, NativeIssuer } from '../../core/token.ts'
import type { Span } from '../../core/span.ts'
import type { HttpPattern } from '../actions/http/template.ts'

/** Stands for callers without a credential. */
export const NOBODY = ''

/** By class of caller: when it applies. A class that isn't there, it never applies to. */
export type ByClass = ReadonlyMap<string, Formula>

export interface NativeStatement {
  readonly id: string
  readonly span: Span
  readonly patterns: readonly HttpPattern[]
  readonly applies: ByClass
}

export interface NativeRule extends NativeStatement {
  /** Who may be at the other end of the connection, in the words of whoever enforces it; undefined for anybody, and nobody known. */
  readonly peers?: readonly string[]
}

export interface NativeGuardrail extends NativeStatement {
  /** What it comes to where it applies: a plain denial, or one that Ostiary's own door would answer with a challenge or an approval. */
  readonly effect: 'deny' | 'challenge' | 'needs-approval'
  /** When it would apply, were it not only observed until then; undefined for one that never was. */
  readonly observed?: ByClass
}

/** Delegated tokens are limited to the actions of their scopes. */
export interface NativeScopes {
  /** Whether it is limited at all. */
  readonly capped: ByClass
  readonly scopes: readonly { readonly scope: string; readonly patterns: readonly HttpPattern[]; readonly has: ByClass }[]
  /** When it would be limited, were the resource not only observed until then. */
  readonly observed?: ByClass
}

/**
 * Of a resource that is only observed: every request of these callers is let in until an instant, also of those whose issuer it does not
 * accept. What stands against them in `guardrails` and `scopes` begins at that instant. Who does not look at this lets less in.
 */
export interface NativeObservation {
  /** Milliseconds since the epoch. */
  readonly until: number
  /** Until then. */
  readonly lets: ByClass
}

export interface NativeResource {
  readonly name: string
  /** Those whose tokens are let in. */
  readonly issuers: readonly NativeIssuer[]
  /** Each grants: one that applies is enough. */
  readonly rules: readonly NativeRule[]
  /** Each denies. */
  readonly guardrails: readonly NativeGuardrail[]
  readonly scopes: NativeScopes | undefined
  /** Undefined where it is enforced. */
  readonly observed?: NativeObservation
}

/** What an enforcement point can't be told, and why. */
export interface NotNative {
  /** Id of the rule or guardrail; undefined for the resource or an issuer. */
  readonly id: string | undefined
  readonly why: string
  readonly span: Span | undefined
}

/** Thrown within the compiler by what has no native form. */
export class NoNativeForm extends Error {}
