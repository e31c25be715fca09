import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import { vocabularyOf, type ActionPattern } from '../actions/index.ts'
import { BUILT_IN_ROLES, type Binding, type Guardrail, type Model, type Rule } from '../model.ts'
import { WARNING, type ByResource } from './statements.ts'

/**
 * Guardrails `for:` one of the roles that are granted something, where others of them are not meant: somebody who holds
 * both is met by it. "Developers need approval, operators don't" is `allBut: [operator]`. A guardrail for a role that is granted
 * nothing here ("contractors delete nothing") can only mean those who hold another as well, and is not told.
 */
export function exemptions(model: Model, near: ByResource): readonly Diagnostic[] {
  return model.guardrails.flatMap((guardrail) => {
    if (guardrail.who !== 'for' || guardrail.roles.some((role) => BUILT_IN_ROLES.includes(role))) return []
    const granted = grantedRoles(guardrail, near)
    const met = guardrail.roles.filter((role) => granted.has(role))
    if (met.length === 0) return []
    for (const other of [...granted].filter((role) => !guardrail.roles.includes(role) && !BUILT_IN_ROLES.includes(role)).toSorted()) {
      const both = met.find((role) => canHoldBoth(role, other, model))
      if (both === undefined) continue
      return [diagnostic('policy/for-both', { guardrail: guardrail.id, role: both, other }, guardrail.span, WARNING)]
    }
    return []
  })
}

/** Roles that rules grant something to that the guardrail takes away or asks more for. */
function grantedRoles(guardrail: Guardrail, { near }: ByResource): ReadonlySet<string> {
  const granted = new Set<string>()
  for (const { pattern } of guardrail.actions)
    for (const name of guardrail.resources)
      for (const rule of near(name, pattern)) if (overlap(rule, pattern)) for (const role of rule.roles) granted.add(role)
  return granted
}

function overlap(rule: Rule, pattern: ActionPattern): boolean {
  return rule.actions.some((one) => vocabularyOf(pattern.protocol)?.overlaps(one.pattern, pattern) === true)
}

/** Whether one principal may hold both without the one bringing the other. */
function canHoldBoth(role: string, other: string, { roles }: Model): boolean {
  const own = roles.get(role)?.bindings ?? []
  const others = roles.get(other)?.bindings ?? []
  // Where the met role brings the other, whoever holds it holds both, and is what the guardrail means.
  if (own.length > 0 && own.every((binding) => others.some((one) => one.via === (binding.via ?? binding.role)))) return false
  return own.some((binding) => others.some((one) => canBeBoth(binding, one)))
}

/** Principals of one issuer, and not of two kinds; a claim with one value isn't two. */
function canBeBoth(a: Binding, b: Binding): boolean {
  if (a.issuer !== b.issuer || (a.kind !== undefined && b.kind !== undefined && a.kind !== b.kind)) return false
  const single = a.claim === b.claim && a.type !== 'list' && a.match === 'any' && b.match === 'any'
  return !single || [...a.values].some((value) => b.values.has(value))
}
