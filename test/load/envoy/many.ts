/** Many rules of one resource, and requests that are spread over all of them. */
import { ROLES, RULES, type Request, type Rule, type Workload } from '../workload.ts'

/** Ten to a service, as the bench has them; but of templates that begin with a parameter there are ten in all, since each service has to be compared with every one. */
export function manyRules(count: number): readonly Rule[] {
  return Array.from({ length: Math.ceil(count / 10) }, (_, service) =>
    RULES.slice(0, 10).map(({ id, role, template, example }, index) => {
      const own = (text: string): string => text.replaceAll(/\bs0\b/g, `s${service}`)
      const isNarrow = index === 9 && service >= 10
      return {
        id: own(id),
        role,
        template: isNarrow ? `/v1/s${service}/audit/{part}` : own(template),
        example: own(example),
      }
    }),
  )
    .flat()
    .slice(0, count)
}

/** The load of the bench with paths that these rules cover, for the same callers. */
export function askedOf(rules: readonly Rule[], load: Workload): Workload {
  const byRole = Map.groupBy(rules, ({ role }) => role)
  const roles = new Map(RULES.map(({ example, role }) => [example, role]))
  let next = 0
  const over = ({ path, token }: Request): Request => {
    const own = byRole.get(roles.get(path)!)!
    return { path: own[(next++ * 7919) % own.length]!.example, token }
  }
  const { allowed, badSignature, expired, denied } = load.gate
  const path = byRole.get(ROLES[0]!)!.at(-1)!.example
  return {
    ...load,
    warm: load.warm.map(over),
    slice: () => load.slice().map(over),
    gate: {
      allowed: { ...allowed, path },
      badSignature: { ...badSignature, path },
      expired: { ...expired, path },
      denied: { ...denied, path: byRole.get(ROLES[8]!)!.at(-1)!.example },
    },
  }
}
