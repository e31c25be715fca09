/** Functions told as the fewest and widest descriptions of who is meant. */
import { NEVER, type Bdd, type Node } from './bdd.ts'
import type { Domain } from './domain.ts'
import type { Fact, RoleClass } from './facts.ts'

/** What a description says of one thing: that it is one of these classes. */
export interface Limit {
  readonly fact: Fact
  readonly classes: ReadonlySet<unknown>
}

/** A description: everything in it holds at once. */
export interface Cube {
  readonly limits: readonly Limit[]
  readonly node: Node
}

/** What is left out of a description first: what says least of who is meant. */
const ORDER: readonly Fact['about'][] = [
  'issuer',
  'said',
  'bare',
  'delegated',
  'scope',
  'kind',
  'possession',
  'time',
  'address',
  'input',
  'term',
  'opaque',
  'list',
  'claim',
  'entry',
  'active',
  'role',
]

function domainOf(fact: Fact): Domain<unknown> {
  return fact.domain
}

/** What is described. */
export interface Meant {
  /** All of it has to be described. */
  readonly region: Node
  /** Nothing of it may be described unless it is `besides`. */
  readonly outside: Node
  /** May be described along with the rest where that leaves out what somebody is not. */
  readonly besides: Node
}

/**
 * Descriptions that together mean all of a region, each as wide as can be.
 * @param most How many at most. `left` says what of the region they don't mean.
 */
export function cover(
  bdd: Bdd,
  facts: readonly Fact[],
  { region, outside, besides }: Meant,
  most: number,
): { readonly cubes: readonly Cube[]; readonly left: Node } {
  const cubes: Cube[] = []
  let left = region
  while (left !== NEVER && cubes.length < most) {
    const cube = widest(bdd, facts, bdd.path(left)!, outside, bdd.minus(outside, besides))
    cubes.push(cube)
    left = bdd.minus(left, cube.node)
  }
  return { cubes, left }
}

function widest(bdd: Bdd, facts: readonly Fact[], path: ReadonlyMap<number, boolean>, outside: Node, far: Node): Cube {
  const named = facts.filter(({ domain }) => [...path.keys()].some((variable) => domain.uses(variable)))
  const limits = named
    .map((fact) => ({ fact, classes: new Set<unknown>(domainOf(fact).possible(path)) }))
    .toSorted((a, b) => rank(a) - rank(b))
  const nodeOf = (): Node => bdd.all(limits.toReversed().map(({ fact, classes }) => domainOf(fact).among((one) => classes.has(one))))
  const drop = (limit: (typeof limits)[number], bad: Node): void => {
    const before = limit.classes
    limit.classes = new Set(domainOf(limit.fact).classes)
    if (bdd.and(nodeOf(), bad) !== NEVER) limit.classes = before
  }
  for (const limit of limits) drop(limit, outside)
  for (const limit of limits)
    for (const one of domainOf(limit.fact).classes) {
      if (limit.classes.has(one)) continue
      limit.classes.add(one)
      if (bdd.and(nodeOf(), outside) !== NEVER) limit.classes.delete(one)
    }
  // What somebody plainly is, or is not, tells least: that goes where it only keeps out who is meant no less.
  for (const limit of limits) if (limit.classes.has(domainOf(limit.fact).classes.at(-1))) drop(limit, far)
  return { limits: limits.filter(({ fact, classes }) => classes.size < fact.domain.classes.length), node: nodeOf() }
}

function rank({ fact, classes }: { readonly fact: Fact; readonly classes: ReadonlySet<unknown> }): number {
  // That somebody doesn't hold a role, or a list hasn't a value, goes before that it does.
  const negative =
    (fact.about === 'role' && !(classes as ReadonlySet<RoleClass>).has('held')) || (fact.about === 'entry' && !classes.has(true))
  return negative ? ORDER.indexOf('list') - 0.5 : ORDER.indexOf(fact.about)
}
