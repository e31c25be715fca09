/** Functions told as the fewest and widest descriptions of who is meant. */
import { NEVER, type Bdd, type Node } from './bdd.ts'
import type { Domain } from './domain.ts'
import type { Fact, RoleClass } from './fact.ts'

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
    const cube = widest(bdd, facts, bdd.path(left)!, { region, outside, far: bdd.minus(outside, besides) })
    cubes.push(cube)
    left = bdd.minus(left, cube.node)
  }
  return { cubes, left }
}

interface Draft {
  readonly fact: Fact
  classes: Set<unknown>
}

function widest(
  bdd: Bdd,
  facts: readonly Fact[],
  path: ReadonlyMap<number, boolean>,
  { region, outside, far }: { readonly region: Node; readonly outside: Node; readonly far: Node },
): Cube {
  const named = facts.filter(({ domain }) => uses(domain, path))
  const limits = named.map((fact): Draft => ({ fact, classes: new Set<unknown>(domainOf(fact).possible(path)) }))
  const draft = new Drafting(bdd, limits)
  const told = limits.toSorted((a, b) => rank(a) - rank(b))
  // What somebody plainly is, or is not, tells least. Where it only keeps out who has it anyway, it goes; but only after the
  // rest was found, which would otherwise seem to be about them, too.
  const plain = (limit: Draft): boolean => limit.classes.has(domainOf(limit.fact).classes.at(-1))
  for (const limit of told.filter((one) => !plain(one))) draft.drop([limit], outside)
  draft.drop(told.filter(plain), far)
  for (const limit of told) draft.widen(limit, far, region)
  return { limits: limits.filter(({ fact, classes }) => classes.size < fact.domain.classes.length), node: draft.node() }
}

class Drafting {
  readonly #bdd: Bdd
  /** By their variables. */
  readonly #limits: readonly Draft[]

  constructor(bdd: Bdd, limits: readonly Draft[]) {
    this.#bdd = bdd
    this.#limits = limits.toSorted((a, b) => a.fact.domain.first - b.fact.domain.first)
  }

  node(): Node {
    const limiting = this.#limits.filter(({ fact, classes }) => classes.size < fact.domain.classes.length)
    return this.#bdd.all(limiting.map(({ fact, classes }) => domainOf(fact).among((one) => classes.has(one))))
  }

  /** Leaves out all of them if that means nothing bad, else as many as can be. */
  drop(limits: readonly Draft[], bad: Node): void {
    if (limits.length === 0) return
    const before = limits.map(({ classes }) => classes)
    for (const limit of limits) limit.classes = new Set(domainOf(limit.fact).classes)
    if (this.#bdd.and(this.node(), bad) === NEVER) return
    for (const [i, limit] of limits.entries()) limit.classes = before[i]!
    if (limits.length === 1) return
    const middle = Math.ceil(limits.length / 2)
    this.drop(limits.slice(0, middle), bad)
    this.drop(limits.slice(middle), bad)
  }

  /** Adds what can be added, and what says something of the region. */
  widen(limit: Draft, bad: Node, region: Node): void {
    for (const one of domainOf(limit.fact).classes) {
      const before = limit.classes
      if (before.has(one)) continue
      limit.classes = new Set([one])
      const added = this.node()
      const fits = this.#bdd.and(added, bad) === NEVER && this.#bdd.and(added, region) !== NEVER
      limit.classes = fits ? new Set([...before, one]) : before
    }
  }
}

function uses(domain: Fact['domain'], path: ReadonlyMap<number, boolean>): boolean {
  for (let i = 0; i < domain.classes.length - 1; i++) if (path.has(domain.first + i)) return true
  return false
}

function rank({ fact, classes }: { readonly fact: Fact; readonly classes: ReadonlySet<unknown> }): number {
  // That somebody doesn't hold a role, or a list hasn't a value, goes before that it does.
  const negative =
    (fact.about === 'role' && !(classes as ReadonlySet<RoleClass>).has('held')) || (fact.about === 'entry' && !classes.has(true))
  return negative ? ORDER.indexOf('list') - 0.5 : ORDER.indexOf(fact.about)
}
