import { holdsOf, type AskedToken } from '../../core/token.ts'
import { matchesPattern, type HttpPattern } from '../actions/http/template.ts'
import { NOBODY, type ByClass, type NativeResource } from './native.ts'

/** A request as an enforcement point sees it once it has verified the token. */
export interface NativeRequest {
  readonly method: string
  readonly path: string
  /** Undefined for none. `form` is which of an issuer's forms it has. */
  readonly token: (AskedToken & { readonly form: string }) | undefined
  /** Whether the caller's address is in one of these networks. */
  readonly isIn: NonNullable<AskedToken['isIn']>
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Who is at the other end of the connection, in the words of `NativeRule.peers`; undefined for nobody known. */
  readonly peer?: string
}

/** What the native form of a policy makes of a request: the meaning that every translation of it has to keep. */
export interface NativeDecision {
  readonly allowed: boolean
  /** Whether it would be allowed if nothing were only observed. */
  readonly wouldBeAllowed: boolean
  /** Ids of the rules that grant and of the guardrails that deny, sorted. */
  readonly rules: readonly string[]
  readonly guardrails: readonly string[]
}

/** @param matches Whether a text matches an RE2 pattern wholly */
export function decideNative(
  { rules, guardrails, scopes, observed }: NativeResource,
  { method, path, token, isIn, time, peer }: NativeRequest,
  matches: (pattern: string, text: string) => boolean,
): NativeDecision {
  const caller = token?.form ?? NOBODY
  const asked = { header: {}, payload: {}, ...token, isIn }
  const applies = (when: ByClass | undefined): boolean => {
    const formula = when?.get(caller)
    return formula !== undefined && holdsOf(formula, asked, time, matches)
  }
  const covers = (patterns: readonly HttpPattern[]): boolean => patterns.some((pattern) => matchesPattern(pattern, method, path))
  const granting = rules.filter(
    (rule) =>
      covers(rule.patterns) && applies(rule.applies) && (rule.peers === undefined || (peer !== undefined && rule.peers.includes(peer))),
  )
  const denying = guardrails.filter((one) => covers(one.patterns) && applies(one.applies))
  const covered = scopes === undefined || scopes.scopes.some(({ patterns, has }) => covers(patterns) && applies(has))
  const inScope = covered || !applies(scopes.capped)
  const isObserved = applies(observed?.lets)
  const wouldBeDenied =
    granting.length === 0 ||
    guardrails.some((one) => covers(one.patterns) && applies(one.observed)) ||
    (!covered && applies(scopes.observed))
  const ids = (all: readonly { readonly id: string }[]): readonly string[] => all.map(({ id }) => id).toSorted()
  const allowed = inScope && (granting.length > 0 || isObserved) && denying.length === 0
  return { allowed, wouldBeAllowed: allowed && !wouldBeDenied, rules: ids(granting), guardrails: ids(denying) }
}
