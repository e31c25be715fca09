import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import { BUILT_IN_ROLES, type Model, type Role } from '../model.ts'
import { canBeHeld } from '../shadow.ts'
import { WARNING } from './statements.ts'

/** Roles that nobody can hold, that nothing uses, that are given to people by name, and bindings that are over. */
export function roles(model: Model, now: number): readonly Diagnostic[] {
  const used = usedRoles(model)
  return [...model.roles.values()].flatMap((role) => [
    ...expired(role, now),
    ...persons(role, now),
    ...(used.has(role.name) ? [] : [diagnostic('policy/role-unused', { role: role.name }, role.span, WARNING)]),
  ])
}

/** Roles that something speaks of, and those that bring one of them. */
function usedRoles({ roles: declared, rules, guardrails }: Model): ReadonlySet<string> {
  const spoken = new Set([
    ...rules.flatMap(({ roles: granted, peer }) => [...granted, ...(peer ?? [])]),
    ...guardrails.flatMap(({ roles: met, approval }) => [...met, ...(approval?.from ?? [])]),
  ])
  const via = [...spoken].flatMap((name) => declared.get(name)?.bindings.map((binding) => binding.via) ?? [])
  return new Set([...spoken, ...via.filter((name) => name !== undefined), ...BUILT_IN_ROLES])
}

function expired(role: Role, now: number): readonly Diagnostic[] {
  return [
    ...role.bindings
      .filter(({ until, via }) => until !== undefined && until <= now && via === undefined)
      .map(({ until, span }) =>
        diagnostic('policy/break-glass-expired', { role: role.name, until: new Date(until!).toISOString() }, span, WARNING),
      ),
    ...(canBeHeld(role, now) ? [] : [diagnostic('policy/role-nobody', { role: role.name }, role.span, WARNING)]),
  ]
}

/** An address of somebody, under whatever claim. */
const ADDRESS = /^[^\s@/]+@[^\s@/]+\.[^\s@/]+$/

function persons(role: Role, now: number): readonly Diagnostic[] {
  const live = role.bindings.filter(({ until }) => until === undefined || now < until)
  const named = live.flatMap(({ via, until, values, claim, span }) => {
    const value = via !== undefined || until !== undefined ? undefined : [...values].find((one) => ADDRESS.test(String(one)))
    return value === undefined ? [] : [diagnostic('policy/person-value', { role: role.name, claim, value: String(value) }, span, WARNING)]
  })
  const onlyNamed = live.length > 0 && live.every(({ until }) => until !== undefined)
  return onlyNamed ? [...named, diagnostic('policy/role-persons', { role: role.name }, role.span, WARNING)] : named
}
