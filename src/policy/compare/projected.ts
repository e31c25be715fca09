/** What some variables can be, of all that has to hold of them and of others. */
import type { Bdd, Node } from './bdd.ts'

interface Part {
  readonly node: Node
  readonly support: ReadonlySet<number>
}

/**
 * Whether the rest can be so that all of it holds, by the variables that are kept. Each other variable goes as soon as all that
 * speaks of it is together: most are spoken of once, and the whole of it at once would be far larger than what is left.
 */
export function projected(bdd: Bdd, nodes: readonly Node[], kept: ReadonlySet<number>): Node {
  const partOf = (node: Node): Part => {
    const support = new Set<number>()
    bdd.support(node, support)
    return { node, support }
  }
  const hides = (one: number): boolean => !kept.has(one)
  const all = [...new Set(nodes)].map(partOf)
  const counts = new Map<number, number>()
  for (const { support } of all) for (const one of support) counts.set(one, (counts.get(one) ?? 0) + 1)
  // Most are spoken of in one place only.
  let parts = all.map(({ node, support }) => {
    const alone = new Set([...support].filter((one) => hides(one) && counts.get(one) === 1))
    return alone.size === 0 ? { node, support } : partOf(bdd.exists(node, (one) => alone.has(one)))
  })
  const hidden = new Set(parts.flatMap(({ support }) => [...support].filter(hides)))
  while (hidden.size > 0) {
    const variable = cheapest(parts, hidden)
    const about = parts.filter(({ support }) => support.has(variable))
    hidden.delete(variable)
    const together = bdd.exists(bdd.all(about.map(({ node }) => node)), (one) => one === variable)
    parts = [...parts.filter((part) => !about.includes(part)), partOf(together)]
  }
  return bdd.all(parts.map(({ node }) => node))
}

/** The one that brings together the fewest variables. */
function cheapest(parts: readonly Part[], hidden: ReadonlySet<number>): number {
  const reach = new Map<number, number>()
  for (const { support } of parts) for (const one of support) if (hidden.has(one)) reach.set(one, (reach.get(one) ?? 0) + support.size)
  let best = -1
  let least = Number.POSITIVE_INFINITY
  for (const one of hidden) {
    const size = reach.get(one) ?? 0
    if (size < least) {
      best = one
      least = size
    }
  }
  return best
}
