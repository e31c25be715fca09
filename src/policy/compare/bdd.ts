/** A Boolean function: the number of its node. Two functions are equal exactly if their numbers are. */
export type Node = number

export const NEVER: Node = 0
export const ALWAYS: Node = 1

/** Numbers of nodes are kept below this, so that a pair of them is one exact number. */
const WIDE = 2 ** 26

/** Thrown when a bound on the size of functions is hit: what was asked is then not proven. */
export class TooLarge extends Error {
  constructor(what: string) {
    super(what)
    this.name = 'TooLarge'
  }
}

/**
 * Ordered binary decision diagrams with shared nodes. Variables are numbers, and the smaller ones are asked first. Every
 * operation costs at most the product of the sizes of what it is given, and throws `TooLarge` rather than go past the bound.
 */
export class Bdd {
  readonly #most: number
  readonly #variable: number[] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  readonly #low: Node[] = [NEVER, ALWAYS]
  readonly #high: Node[] = [NEVER, ALWAYS]
  /** By variable: the node of each pair of branches. */
  readonly #known: Map<number, Node>[] = []
  readonly #ands = new Map<number, Node>()
  readonly #xors = new Map<number, Node>()
  readonly #nots: (Node | undefined)[] = [ALWAYS, NEVER]
  #variables = 0

  /** @param most How many nodes there may be, at most 2²⁶. */
  constructor(most: number) {
    this.#most = Math.min(most, WIDE)
  }

  /** How many nodes there are. */
  get size(): number {
    return this.#variable.length
  }

  /** A variable that nothing uses yet, asked after all that are there. */
  variable(): number {
    return this.#variables++
  }

  /** `high` where the variable is true, else `low`. Both may only use later variables. */
  node(variable: number, low: Node, high: Node): Node {
    if (low === high) return low
    const known = (this.#known[variable] ??= new Map())
    const key = low * WIDE + high
    const found = known.get(key)
    if (found !== undefined) return found
    const made = this.#variable.length
    if (made >= this.#most) throw new TooLarge(`a formula has more than ${this.#most} nodes`)
    this.#variable.push(variable)
    this.#low.push(low)
    this.#high.push(high)
    known.set(key, made)
    return made
  }

  not(a: Node): Node {
    const known = this.#nots[a]
    if (known !== undefined) return known
    const made = this.node(this.#variable[a]!, this.not(this.#low[a]!), this.not(this.#high[a]!))
    this.#nots[a] = made
    this.#nots[made] = a
    return made
  }

  and(a: Node, b: Node): Node {
    if (a === b || b === ALWAYS) return a
    if (a === ALWAYS) return b
    if (a === NEVER || b === NEVER) return NEVER
    const key = a < b ? a * WIDE + b : b * WIDE + a
    const known = this.#ands.get(key)
    if (known !== undefined) return known
    const made = this.#apply(a, b, (x, y) => this.and(x, y))
    this.#ands.set(key, made)
    return made
  }

  xor(a: Node, b: Node): Node {
    if (a === b) return NEVER
    if (a === NEVER) return b
    if (b === NEVER) return a
    if (a === ALWAYS) return this.not(b)
    if (b === ALWAYS) return this.not(a)
    const key = a < b ? a * WIDE + b : b * WIDE + a
    const known = this.#xors.get(key)
    if (known !== undefined) return known
    const made = this.#apply(a, b, (x, y) => this.xor(x, y))
    this.#xors.set(key, made)
    return made
  }

  or(a: Node, b: Node): Node {
    return this.not(this.and(this.not(a), this.not(b)))
  }

  /** `a` without `b`. */
  minus(a: Node, b: Node): Node {
    return this.and(a, this.not(b))
  }

  // The last first: it is made of the latest variables, so that each of the others only comes on top.

  all(nodes: readonly Node[]): Node {
    return nodes.reduceRight<Node>((result, node) => this.and(node, result), ALWAYS)
  }

  any(nodes: readonly Node[]): Node {
    return nodes.reduceRight<Node>((result, node) => this.or(node, result), NEVER)
  }

  /** Whether the function can be true with the variables that `given` does not name being whatever suits. */
  exists(a: Node, hidden: (variable: number) => boolean): Node {
    const known = new Map<Node, Node>()
    const walk = (node: Node): Node => {
      if (node <= ALWAYS) return node
      const before = known.get(node)
      if (before !== undefined) return before
      const low = walk(this.#low[node]!)
      const high = walk(this.#high[node]!)
      const variable = this.#variable[node]!
      const made = hidden(variable) ? this.or(low, high) : this.node(variable, low, high)
      known.set(node, made)
      return made
    }
    return walk(a)
  }

  /** The function where some variables have the values that are given. */
  given(a: Node, values: ReadonlyMap<number, boolean>): Node {
    const known = new Map<Node, Node>()
    const walk = (node: Node): Node => {
      if (node <= ALWAYS) return node
      const before = known.get(node)
      if (before !== undefined) return before
      const variable = this.#variable[node]!
      const value = values.get(variable)
      const made =
        value === undefined
          ? this.node(variable, walk(this.#low[node]!), walk(this.#high[node]!))
          : walk(value ? this.#high[node]! : this.#low[node]!)
      known.set(node, made)
      return made
    }
    return walk(a)
  }

  /** Adds the variables that the function depends on. */
  support(a: Node, into: Set<number>, seen = new Set<Node>()): void {
    const waiting = [a]
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (node <= ALWAYS || seen.has(node)) continue
      seen.add(node)
      into.add(this.#variable[node]!)
      waiting.push(this.#low[node]!, this.#high[node]!)
    }
  }

  /** An assignment under which the function is true, with as many variables false as can be; undefined if there is none. */
  path(a: Node): ReadonlyMap<number, boolean> | undefined {
    if (a === NEVER) return undefined
    const values = new Map<number, boolean>()
    for (let node = a; node !== ALWAYS;) {
      const low = this.#low[node]!
      values.set(this.#variable[node]!, low === NEVER)
      node = low === NEVER ? this.#high[node]! : low
    }
    return values
  }

  /** Whether the function is true under an assignment; variables that it doesn't name are false. */
  holds(a: Node, values: ReadonlyMap<number, boolean>): boolean {
    let node = a
    while (node > ALWAYS) node = values.get(this.#variable[node]!) === true ? this.#high[node]! : this.#low[node]!
    return node === ALWAYS
  }

  #apply(a: Node, b: Node, combine: (x: Node, y: Node) => Node): Node {
    const [first, second] = [this.#variable[a]!, this.#variable[b]!]
    const variable = Math.min(first, second)
    const low = combine(first === variable ? this.#low[a]! : a, second === variable ? this.#low[b]! : b)
    const high = combine(first === variable ? this.#high[a]! : a, second === variable ? this.#high[b]! : b)
    return this.node(variable, low, high)
  }
}
