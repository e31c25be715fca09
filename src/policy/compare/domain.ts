import { ALWAYS, NEVER, type Bdd, type Node } from './bdd.ts'

/**
 * Something that has exactly one of several values: an issuer, the state of a claim, a stretch of time.
 *
 * Variable `k` says "it is class `k`" and is asked only where none before it was; the last class is "none of them". So every
 * assignment of the variables means exactly one class, and what excludes what needs no constraint. The last class should be
 * the plain one, since assignments are made with as many variables false as can be.
 */
export class Domain<C> {
  readonly classes: readonly C[]
  /** First of `classes.length - 1` variables in a row. */
  readonly first: number
  readonly #bdd: Bdd

  constructor(bdd: Bdd, classes: readonly C[]) {
    if (classes.length === 0) throw new Error('a domain needs a class')
    this.classes = classes
    this.#bdd = bdd
    this.first = bdd.variable()
    for (let i = 2; i < classes.length; i++) bdd.variable()
  }

  /** That its value is one of these. */
  among(includes: (value: C) => boolean): Node {
    let node: Node = includes(this.classes.at(-1)!) ? ALWAYS : NEVER
    for (let i = this.classes.length - 2; i >= 0; i--)
      node = this.#bdd.node(this.first + i, node, includes(this.classes[i]!) ? ALWAYS : NEVER)
    return node
  }

  uses(variable: number): boolean {
    return variable >= this.first && variable < this.first + this.classes.length - 1
  }

  /** Classes that an assignment of some variables leaves possible. */
  possible(values: ReadonlyMap<number, boolean>): ReadonlySet<C> {
    const left = new Set<C>()
    for (const [i, value] of this.classes.entries()) {
      const said = i === this.classes.length - 1 ? true : values.get(this.first + i)
      if (said !== false) left.add(value)
      if (said === true) break
    }
    return left
  }

  /** The class under an assignment; variables that it doesn't name are false. */
  valueAt(values: ReadonlyMap<number, boolean>): C {
    for (const [i, value] of this.classes.entries()) if (values.get(this.first + i) === true && i < this.classes.length - 1) return value
    return this.classes.at(-1)!
  }
}
