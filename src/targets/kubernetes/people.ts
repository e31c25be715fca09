/** Who is asked about: everybody by one role, and whoever has none. */
import { roleGroup } from '../../kubernetes/users.ts'
import { AUTHENTICATED, EVERYONE, type Model, type Rule } from '../../policy/model.ts'
import type { ReadRbac } from './evaluate.ts'
import type { KubernetesTarget } from './schema.ts'
import { NOBODY, SIGNED_IN } from './subjects.ts'

/** Somebody, as the cluster sees them and as the policy does. */
export interface Somebody {
  readonly text: string
  readonly groups: readonly string[]
  readonly holds: ReadonlySet<string>
}

/** Whoever has one role, or none; and whoever has any other group that is bound. */
export function peopleOf(
  model: Model,
  rules: readonly Rule[],
  { subjects, resource }: KubernetesTarget,
  prefix: string,
  { bindings }: ReadRbac,
): readonly Somebody[] {
  const ANYBODY: readonly Somebody[] = [
    { text: 'nobody', groups: [NOBODY], holds: new Set([EVERYONE]) },
    { text: 'no role', groups: [SIGNED_IN], holds: new Set([EVERYONE]) },
  ]
  const roles = [...new Set(rules.flatMap((rule) => rule.roles))].filter((role) => role !== EVERYONE)
  const issuers = model.world.resources[resource]?.issuers
  const own: readonly Somebody[] =
    subjects === 'roles'
      ? roles.map((role) => ({ text: `role ${role}`, groups: [roleGroup(role, prefix), SIGNED_IN], holds: new Set([role, EVERYONE]) }))
      : idsOf(model, roles, issuers).map(([id, holds]) => ({
          text: `group ${id}`,
          groups: [id, SIGNED_IN],
          holds: new Set([...holds, EVERYONE]),
        }))
  const known = new Set([...ANYBODY, ...own].flatMap(({ groups }) => groups))
  const others = bindings.flatMap((one) => one.subjects).flatMap(({ kind, name }) => (kind === 'Group' && !known.has(name) ? [name] : []))
  const strangers = [...new Set(others)].map((name) => ({ text: `group ${name}`, groups: [name, SIGNED_IN], holds: new Set([EVERYONE]) }))
  return [...ANYBODY, ...own, ...strangers]
}

/** Object ids of groups with the roles that each of them gives. */
function idsOf(
  model: Model,
  roles: readonly string[],
  issuers: readonly string[] | undefined,
): readonly (readonly [string, ReadonlySet<string>])[] {
  const found = new Map<string, Set<string>>()
  for (const role of roles.filter((one) => one !== AUTHENTICATED))
    for (const { issuer, claim, values, eligible } of model.roles.get(role)?.bindings ?? [])
      if (claim === 'groups' && !eligible && issuers?.includes(issuer) !== false)
        for (const value of values) found.set(String(value), (found.get(String(value)) ?? new Set()).add(role))
  return [...found]
}
