import type { ActionPattern } from '../actions/index.ts'
import type { Guardrail, Model, Rule } from '../model.ts'

/** Severity of everything that is allowed but probably not meant. */
export const WARNING = { severity: 'warning' } as const

/** Rules that one pattern is compared with at most; more are not looked at, so that time stays bounded. */
const MAX_COMPARED = 2000

/** Rules and guardrails by resource: what is compared with one another speaks of the same. */
export interface ByResource {
  readonly rules: ReadonlyMap<string, readonly Rule[]>
  readonly guardrails: ReadonlyMap<string, readonly Guardrail[]>
  /** Rules on a resource whose actions may overlap with a pattern, at most so many. */
  readonly near: (resource: string, pattern: ActionPattern) => readonly Rule[]
}

export function byResource({ rules, guardrails }: Model): ByResource {
  const grouped = {
    rules: groups(rules, ({ resources }) => resources),
    guardrails: groups(guardrails, ({ resources }) => resources),
  }
  const beginnings = new Map<string, ReadonlyMap<string, readonly Rule[]>>()
  return {
    ...grouped,
    near: (resource, pattern) => {
      const all = grouped.rules.get(resource) ?? []
      const known = beginnings.get(resource) ?? groups(all, ({ actions }) => new Set(actions.map((one) => beginningOf(one.pattern))))
      beginnings.set(resource, known)
      const beginning = beginningOf(pattern)
      if (beginning === ANY) return all.slice(0, MAX_COMPARED)
      return [...(known.get(beginning) ?? []), ...(known.get(ANY) ?? [])].slice(0, MAX_COMPARED)
    },
  }
}

const ANY = '*'

/** Two http patterns that begin with different literals have nothing in common. */
function beginningOf(pattern: ActionPattern): string {
  const first = pattern.protocol === 'http' ? pattern.segments[0] : undefined
  return first?.kind === 'literal' ? `/${first.text}` : ANY
}

function groups<T>(all: readonly T[], keysOf: (one: T) => Iterable<string>): ReadonlyMap<string, readonly T[]> {
  const found = new Map<string, T[]>()
  for (const one of all)
    for (const key of keysOf(one)) {
      const group = found.get(key)
      if (group === undefined) found.set(key, [one])
      else group.push(one)
    }
  return found
}
