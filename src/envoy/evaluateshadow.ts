/** What Envoy says of rules that it only observes: the metadata that its `rbac` filters leave behind, for the reference evaluator. */
import { evaluateFilters, matchedPolicy, type EvaluatedRequest, type Regexes } from './evaluate.ts'

type Json = { readonly [name: string]: unknown }

/**
 * Of `rbac` filters in their order: a filter observes before it decides, and those behind one that denies see nothing.
 * @throws Error for what it doesn't know
 */
export function shadowsOf(
  filters: readonly (readonly [string, Json])[],
  request: EvaluatedRequest,
  regexes: Regexes,
): Readonly<Record<string, string>> {
  const left: Record<string, string> = {}
  for (const [name, { rules, shadowRules, shadowRulesStatPrefix = '' }] of filters) {
    if (shadowRules !== undefined) {
      const { action = 'ALLOW' } = shadowRules as Json
      const matched = matchedPolicy(shadowRules as Json, request, regexes)
      const prefix = shadowRulesStatPrefix as string
      left[`${prefix}shadow_engine_result`] = (matched !== undefined) === (action === 'ALLOW') ? 'allowed' : 'denied'
      if (matched !== undefined) left[`${prefix}shadow_effective_policy_id`] = matched
    }
    if (rules !== undefined && !evaluateFilters([[name, rules as Json]], request, regexes).allowed) break
  }
  return left
}
