import { vocabularyOf } from './actions/index.ts'
import { AUTHENTICATED, EVERYONE, type Guardrail, type Model, type PlacedPattern, type Role, type Rule } from './model.ts'
import { statementsOn } from './statements.ts'
import type { World } from './world.ts'

/** Whether somebody can hold a role now: a binding of it has not expired. */
export function canBeHeld(role: Role | undefined, now: number): boolean {
  // A built-in role is none of the declared.
  return role === undefined || role.bindings.some(({ until }) => until === undefined || now < until)
}

/**
 * A guardrail that takes away all that the rule grants on the resource, whoever asks. One pattern of the guardrail has to
 * cover each of the rule: several that cover it only together are not recognised.
 */
export function shadowOf(rule: Rule, resource: string, model: Model): Guardrail | undefined {
  return shadowAmong(statementsOn(model, resource).guardrails, rule, resource, model.world)
}

/** The same, among guardrails of that resource. */
export function shadowAmong(guardrails: readonly Guardrail[], rule: Rule, resource: string, world: World): Guardrail | undefined {
  const protocol = world.resources[resource]?.protocol ?? ''
  const vocabulary = vocabularyOf(protocol)
  // Of a rule over several protocols, what it says of this one.
  const actions = rule.actions.filter(({ pattern }) => pattern.protocol === protocol)
  const covered = (one: PlacedPattern, by: Guardrail): boolean =>
    by.actions.some(({ pattern }) => vocabulary?.covers(pattern, one.pattern) === true)
  return guardrails.find(
    (one) =>
      one.who === 'for' &&
      one.when === undefined &&
      one.denies &&
      one.observedUntil === undefined &&
      meetsAll(one, rule) &&
      actions.length > 0 &&
      actions.every((action) => covered(action, one)),
  )
}

/** Whoever holds a role of the rule holds one of the guardrail's. Every role but `everyone` implies `authenticated`. */
function meetsAll(guardrail: Guardrail, rule: Rule): boolean {
  if (guardrail.roles.includes(EVERYONE)) return true
  return rule.roles.every((role) => guardrail.roles.includes(role) || (role !== EVERYONE && guardrail.roles.includes(AUTHENTICATED)))
}
