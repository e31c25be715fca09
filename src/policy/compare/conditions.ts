/** Conditions as formulas: when each is true, when it is false, and otherwise an error. */
import type { ClaimType } from '../../config/schema.ts'
import type { ActionCell } from '../actions/cells.ts'
import type { Condition } from '../when/condition.ts'
import type { World } from '../world.ts'
import { ALWAYS, NEVER, type Bdd, type Node } from './bdd.ts'
import { takeApart, type Part, type Reads, type Tree } from './condition.ts'
import { NotComparable } from './fact.ts'
import type { Facts } from './facts.ts'
import { seenBy, type Seen } from './seen.ts'

interface Meaning {
  readonly yes: Node
  readonly no: Node
}

export class Conditions {
  readonly #world: World
  readonly #facts: Facts
  readonly #bdd: Bdd
  readonly #cell: ActionCell

  constructor(world: World, facts: Facts, cell: ActionCell) {
    this.#world = world
    this.#facts = facts
    this.#bdd = facts.bdd
    this.#cell = cell
  }

  /** Announces everything that the formulas will ask for. */
  expect(when: Condition, pattern: number): void {
    this.#parts(when, (part, claims) => this.#expectPart(part, claims, pattern))
  }

  #parts(when: Condition, use: (part: Part, claims: ReadonlyMap<string, ClaimType>) => void): void {
    const visit = (tree: Tree): void => {
      switch (tree.kind) {
        case 'and':
        case 'or':
          tree.parts.forEach(visit)
          break
        case 'not':
          visit(tree.part)
          break
        case 'if':
          ;[tree.condition, tree.yes, tree.no].forEach(visit)
          break
        case 'part':
          use(tree.part, when.claims)
          break
      }
    }
    visit(treeOf(when))
  }

  /** When a condition beside a pattern is true, and when it is false. */
  meaning(when: Condition, pattern: number): Meaning {
    const bdd = this.#bdd
    const tellable = bdd.all([...when.claims].map(([claim, type]) => this.#facts.claims.tellable(this.#world, claim, type)))
    const { yes, no } = this.#tree(treeOf(when), when, pattern)
    return { yes: bdd.and(tellable, yes), no: bdd.and(tellable, no) }
  }

  #tree(tree: Tree, when: Condition, pattern: number): Meaning {
    const bdd = this.#bdd
    const inner = (one: Tree): Meaning => this.#tree(one, when, pattern)
    switch (tree.kind) {
      case 'and': {
        const parts = tree.parts.map(inner)
        return { yes: bdd.all(parts.map(({ yes }) => yes)), no: bdd.any(parts.map(({ no }) => no)) }
      }
      case 'or': {
        const parts = tree.parts.map(inner)
        return { yes: bdd.any(parts.map(({ yes }) => yes)), no: bdd.all(parts.map(({ no }) => no)) }
      }
      case 'not': {
        const { yes, no } = inner(tree.part)
        return { yes: no, no: yes }
      }
      case 'if': {
        const [condition, yes, no] = [inner(tree.condition), inner(tree.yes), inner(tree.no)]
        const either = (of: 'yes' | 'no'): Node => bdd.or(bdd.and(condition.yes, yes[of]), bdd.and(condition.no, no[of]))
        return { yes: either('yes'), no: either('no') }
      }
      case 'part':
        return this.#part(tree.part, when.claims, pattern)
    }
  }

  #expectPart(part: Part, claims: ReadonlyMap<string, ClaimType>, pattern: number): void {
    const seen = this.#seen(part, claims, pattern)
    switch (seen.kind) {
      case 'claim':
        this.#facts.claims.expectLook(seen.claim, seen.type, seen.look)
        break
      case 'entry':
        this.#facts.claims.expectEntry(seen.claim, seen.value)
        break
      case 'time':
        for (const cut of seen.cuts) this.#facts.expectCut(cut)
        break
      case 'address':
        if (seen.network !== undefined) this.#facts.expectNetwork(seen.network)
        for (const text of seen.texts) this.#facts.expectAddress(text)
        break
      case 'input':
        this.#facts.expectInput(seen.input, seen.look)
        break
      case 'term':
        this.#facts.expectTerm(seen.key, seen.look, seen.range)
        break
      case 'opaque':
        if (seen.alone !== undefined) this.#facts.claims.expectLook(seen.alone.claim, seen.alone.type, seen.alone.look)
        break
      case 'readable':
        this.#facts.expectInput(seen.input, undefined)
        break
      case 'constant':
      case 'present':
        break
    }
  }

  #part(part: Part, claims: ReadonlyMap<string, ClaimType>, pattern: number): Meaning {
    const bdd = this.#bdd
    const facts = this.#facts
    const world = this.#world
    const seen = this.#seen(part, claims, pattern)
    const both = (node: Node, within: Node): Meaning => ({ yes: bdd.and(within, node), no: bdd.minus(within, node) })
    switch (seen.kind) {
      case 'constant':
        return { yes: seen.truth === true ? ALWAYS : NEVER, no: seen.truth === false ? ALWAYS : NEVER }
      case 'present': {
        const present = facts.claims.present(world, seen.claim)
        return { yes: present, no: bdd.not(present) }
      }
      case 'claim': {
        const { claim, type, look } = seen
        return {
          yes: facts.claims.claimValue(world, claim, type, (one) => look.at(one) === true),
          no: facts.claims.claimValue(world, claim, type, (one) => look.at(one) === false),
        }
      }
      case 'entry':
        return both(facts.claims.hasListEntry(world, seen.claim, seen.value), facts.claims.present(world, seen.claim))
      case 'time':
        return both(facts.timeIs(seen.at), ALWAYS)
      case 'address':
        return { yes: facts.address((text) => seen.at(text) === true), no: facts.address((text) => seen.at(text) === false) }
      case 'input': {
        const { input, look } = seen
        return { yes: facts.input(input.key, (one) => look.at(one) === true), no: facts.input(input.key, (one) => look.at(one) === false) }
      }
      case 'readable': {
        const fails = facts.inputFails(seen.input.key)
        return { yes: bdd.not(fails), no: fails }
      }
      case 'term': {
        const within = bdd.all(seen.claims.map((claim) => facts.claims.present(world, claim)))
        return both(
          facts.term(seen.key, seen.text, seen.inputs, (one) => seen.look.at(one) === true),
          within,
        )
      }
      case 'opaque': {
        const within = bdd.all(seen.needs.map((claim) => facts.claims.present(world, claim)))
        const { yes, no } = facts.opaque(seen.key, seen.text, seen.inputs, seen.mayFail)
        const { alone } = seen
        if (alone !== undefined)
          facts.claims.linkNamed(alone.claim, alone.type, (value) => {
            const truth = alone.look.at(value)
            return truth === true ? yes : truth === false ? no : bdd.not(bdd.or(yes, no))
          })
        return { yes: bdd.and(within, yes), no: bdd.and(within, no) }
      }
    }
  }

  /** What a part looks at in this cell. */
  #seen(part: Part, claims: ReadonlyMap<string, ClaimType>, pattern: number): Seen {
    return seenBy(part, claims, {
      input: ({ root, name }: Reads) => (root === 'request' || root === 'params' ? this.#cell.input(root, name, pattern) : undefined),
      action: (values) => this.#cell.action(values),
    })
  }
}

const trees = new WeakMap<Condition, Tree>()

function treeOf(when: Condition): Tree {
  const known = trees.get(when)
  if (known !== undefined) return known
  const tree = takeApart(when.text)
  if (tree === undefined) throw new NotComparable(`the condition \`${when.text}\` can not be taken apart`)
  trees.set(when, tree)
  return tree
}
