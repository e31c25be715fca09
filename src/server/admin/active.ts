import type { DecisionContext } from '../../core/decision.ts'
import type { GrantSource } from '../../core/policy.ts'
import type { Identity } from '../../core/principal.ts'

/** What is asked about somebody, with the eligible roles that are active for them then. */
export function withActive(context: DecisionContext, identity: Identity | undefined, source: GrantSource): DecisionContext {
  const grants = identity === undefined ? undefined : source.of(identity, context.time)
  return grants === undefined ? context : { ...context, grants }
}
