/** What is different in one cell, exactly. */
import type { Decision } from '../../core/decision.ts'
import type { ActionCell } from '../actions/cells.ts'
import type { CompiledPolicy } from '../compiled.ts'
import { Bdd, NEVER, TooLarge, type Node } from './bdd.ts'
import { projected } from './projected.ts'
import { namedIn } from './condition.ts'
import { cover } from './cubes.ts'
import { NotComparable, type Fact } from './fact.ts'
import { Facts } from './facts.ts'
import { Formulas, notUnderstood, peerRoles, usedRoles, type Side } from './formula.ts'
import { directionOf, outcomeOf, pairsOf, type Direction, type Outcome, type Pair } from './outcome.ts'
import { maskKey } from './restrictions.ts'
import type { RoleDefinition } from './roles.ts'
import { say, type Who } from './say.ts'
import { ask, findWitness, type Witness } from './witness.ts'

/**
 * Who gains or loses something in a cell: of those that are described, all who don't have the wider outcome in both versions
 * anyway.
 */
export interface Case {
  readonly direction: Direction
  readonly before: Outcome
  readonly after: Outcome
  readonly who: Who
  /** Somebody of whom it is true, as the engine itself decided by both versions. */
  readonly witness: Witness
}

export type CellDifference =
  | { readonly kind: 'equal' }
  | { readonly kind: 'different'; readonly cases: readonly Case[] }
  /** Some bound was hit, or something is not understood. `cases` are those that were found all the same. */
  | { readonly kind: 'not-proven'; readonly why: string; readonly cases: readonly Case[] }

export interface CellTask {
  readonly before: Side
  readonly after: Side
  readonly cell: ActionCell
  readonly resource: string
  readonly from: CompiledPolicy
  readonly to: CompiledPolicy
  /** Milliseconds since the epoch: nothing before it is looked at. */
  readonly now: number
  /** Nodes of formulas, at most. */
  readonly maxNodes: number
  /** Cases of one cell, at most. */
  readonly maxCases: number
}

/** A case but for who it is true of. */
export type Outline = Omit<Case, 'witness'>

/**
 * What would differ in a cell. Where its unchanged rules are left out, and all else is the same in both versions, nothing that
 * differs is missing: a rule that grants in both only takes away from what differs. Undefined where it isn't understood.
 */
export function outlineCell(task: CellTask): readonly Outline[] | undefined {
  try {
    return new Comparison(task).outline()
  } catch (error) {
    if (error instanceof NotComparable || error instanceof TooLarge || error instanceof RangeError) return undefined
    throw error
  }
}

/** Whether a case is true of a witness, as the engine decides by both versions. */
export function isTrueOf({ before, after }: Outline, witness: Witness, from: CompiledPolicy, to: CompiledPolicy): boolean {
  return agrees(ask(from, witness), before) && agrees(ask(to, witness), after)
}

export function compareCell(task: CellTask): CellDifference {
  const foreign = notUnderstood(task.before) ?? notUnderstood(task.after)
  if (foreign !== undefined) return { kind: 'not-proven', why: foreign, cases: [] }
  try {
    return new Comparison(task).result()
  } catch (error) {
    if (error instanceof NotComparable || error instanceof TooLarge) return { kind: 'not-proven', why: error.message, cases: [] }
    // Formulas over thousands of variables in a row exceed the stack before they exceed the bound.
    if (error instanceof RangeError) return { kind: 'not-proven', why: 'a formula is nested too deep', cases: [] }
    throw error
  }
}

class Comparison {
  readonly #task: CellTask
  readonly #bdd: Bdd
  readonly #facts: Facts
  readonly #peer: Facts
  readonly #pairs: readonly Pair[]
  readonly #links: readonly Node[]
  /** Variables of the outcomes. The others only matter in that there is a value for them. */
  readonly #spoken: ReadonlySet<number>
  /** What can be so, of everything that the outcomes depend on. */
  readonly #possible: Node
  readonly #different: Node

  constructor(task: CellTask) {
    const { before, after, cell, now, maxNodes } = task
    this.#task = task
    const bdd = (this.#bdd = new Bdd(maxNodes))
    const facts = (this.#facts = new Facts(bdd, [before.world, after.world], now))
    const peer = (this.#peer = new Facts(bdd, [before.world, after.world], now, facts))
    const told = sameDefinitions(before, after)
    const sides = [before, after].map((side) => new Formulas(side, facts, peer, cell, told))
    for (const side of sides) side.expect()
    const masks = sides.flatMap((side) => side.masks)
    const [left, right] = sides.map((side) => side.restrictions(masks))
    this.#pairs = pairsOf(bdd, left!, right!)
    const different = bdd.any(this.#pairs.map((pair) => bdd.xor(pair.before, pair.after)))
    if (different === NEVER) {
      this.#links = []
      this.#spoken = new Set()
      this.#possible = this.#different = NEVER
      return
    }
    this.#links = [...facts.links, ...peer.links]
    const spoken = new Set<number>()
    for (const { before: one, after: other } of this.#pairs) for (const node of [one, other]) bdd.support(node, spoken)
    this.#spoken = spoken
    this.#possible = projected(bdd, this.#links, spoken)
    this.#different = bdd.and(different, this.#possible)
  }

  result(): CellDifference {
    if (this.#different === NEVER) return { kind: 'equal' }
    const cases: Case[] = []
    let why: string | undefined
    const left = this.#each(({ region, ...about }) => {
      const witness = this.#witness(region, about.before, about.after)
      if (witness === undefined) why ??= `nobody was found of whom it is true: ${about.who.text}`
      else cases.push({ ...about, witness })
      return cases.length
    })
    if (left !== NEVER) why ??= `there are more than ${this.#task.maxCases} cases`
    return why === undefined ? { kind: 'different', cases } : { kind: 'not-proven', why, cases }
  }

  /** What differs, without anybody of whom it is true; undefined where there are too many cases. */
  outline(): readonly Outline[] | undefined {
    const outlines: Outline[] = []
    const left = this.#each(({ region: _region, ...about }) => outlines.push(about))
    return left === NEVER ? outlines : undefined
  }

  /** @param use Takes a case and says how many there are. @returns What is left */
  #each(use: (one: Outline & { readonly region: Node }) => number): Node {
    let left = this.#different
    let count = 0
    while (left !== NEVER) {
      const path = this.#bdd.path(left)!
      const region = this.#alike(path)
      const meant = this.#bdd.and(left, region)
      const outcome = (of: 'before' | 'after'): Outcome => outcomeOf(this.#pairs, (pair) => this.#bdd.holds(pair[of], path))
      const [before, after] = [outcome('before'), outcome('after')]
      const direction = directionOf(before, after)
      // Whoever has the wider outcome in both versions need not be told apart: who gains it is whoever has it now and had it not.
      const besides = direction === 'other' ? NEVER : this.#both(path, direction === 'wider' ? 'after' : 'before')
      const outside = this.#bdd.minus(this.#possible, region)
      const { cubes, left: untold } = cover(
        this.#bdd,
        [...this.#facts.all, ...this.#peer.all],
        { region: meant, outside, besides },
        this.#task.maxCases - count,
      )
      const peers = new Set(this.#peer.all)
      for (const cube of cubes)
        count = use({ direction, before, after, who: say(cube.limits, peers), region: this.#bdd.and(cube.node, meant) })
      if (untold !== NEVER) return left
      left = this.#bdd.minus(left, region)
    }
    return NEVER
  }

  /** Where both versions come to what they come to under an assignment. */
  #alike(path: ReadonlyMap<number, boolean>): Node {
    const bdd = this.#bdd
    return bdd.all(
      this.#pairs.flatMap(({ before, after }) => [before, after].map((node) => (bdd.holds(node, path) ? node : bdd.not(node)))),
    )
  }

  /** Where both versions come to what one of them comes to under an assignment. */
  #both(path: ReadonlyMap<number, boolean>, of: 'before' | 'after'): Node {
    const bdd = this.#bdd
    const alike = (node: Node, holds: boolean): Node => (holds ? node : bdd.not(node))
    return bdd.all(
      this.#pairs.flatMap((pair) => {
        const holds = bdd.holds(pair[of], path)
        return [alike(pair.before, holds), alike(pair.after, holds)]
      }),
    )
  }

  #witness(region: Node, before: Outcome, after: Outcome): Witness | undefined {
    const { cell, resource, now, from, to } = this.#task
    const hints = [...this.#task.before.statements, ...this.#task.after.statements].flatMap(({ statement }) =>
      statement.when === undefined ? [] : namedIn(statement.when.text),
    )
    const confirms = (witness: Witness): boolean => agrees(ask(from, witness), before) && agrees(ask(to, witness), after)
    for (const part of [this.#withoutErrors(region), region]) {
      const path = this.#whole(part)
      if (path === undefined) continue
      const found = findWitness(
        { facts: this.#facts.all, peer: this.#peer.all, approvals: this.#approvals() },
        path,
        cell,
        resource,
        now,
        [...new Set(hints)],
        confirms,
      )
      if (found !== undefined) return found
    }
    return undefined
  }

  /**
   * An assignment of all variables under which a region of what is possible holds. What outcomes depend on is settled first:
   * then each link says little, and all of them together are small.
   */
  #whole(region: Node): ReadonlyMap<number, boolean> | undefined {
    const found = this.#bdd.path(region)
    if (found === undefined) return undefined
    const settled = new Map([...this.#spoken].map((variable) => [variable, found.get(variable) === true]))
    const rest = this.#bdd.path(this.#bdd.all(this.#links.map((link) => this.#bdd.given(link, settled))))
    return rest === undefined ? undefined : new Map([...settled, ...rest])
  }

  /** Guardrails that ask for an approval, by what they ask for. */
  #approvals(): readonly { readonly id: string; readonly shows: string }[] {
    return [this.#task.before, this.#task.after].flatMap(({ statements }) =>
      statements.flatMap(({ statement }) =>
        statement.kind === 'guardrail' && statement.approval !== undefined
          ? [{ id: statement.id, shows: JSON.stringify([statement.approval.count, statement.approval.from]) }]
          : [],
      ),
    )
  }

  /** Parts of conditions that nothing is known of are true or false rather than an error: that is easier to find. */
  #withoutErrors(node: Node): Node {
    const opaque = this.#facts.all.filter((fact): fact is Extract<Fact, { about: 'opaque' }> => fact.about === 'opaque')
    return opaque.reduce(
      (sum, { domain }) =>
        this.#bdd.and(
          sum,
          domain.among((one) => one !== 'error'),
        ),
      node,
    )
  }
}

/** Whether a role may be told by its name: wherever it is spoken of in the cell, the same gives it. */
function sameDefinitions(before: Side, after: Side): (definition: RoleDefinition) => boolean {
  const ids = new Map<string, Set<number>>()
  for (const side of [before, after])
    for (const { name, id } of [...usedRoles(side), ...peerRoles(side)]) {
      const known = ids.get(name)
      if (known === undefined) ids.set(name, new Set([id]))
      else known.add(id)
    }
  return ({ name }) => (ids.get(name)?.size ?? 0) <= 1
}

/** Whether a decision is what the formulas say. */
function agrees(decision: Decision | undefined, expected: Outcome): boolean {
  if (decision === undefined) return expected.effect === 'deny'
  if (decision.effect !== expected.effect) return false
  const shown = new Set(shownBy(decision))
  return shown.size === new Set(expected.shows).size && expected.shows.every((one) => shown.has(one))
}

/** What a decision shows besides its effect, in a form that is the same in both versions. */
export function shownBy({ effect, requirements, approvals, obligations }: Decision): readonly string[] {
  switch (effect) {
    case 'deny':
      return []
    case 'challenge':
      return (requirements ?? []).map(({ kind, name }) => `${kind} ${name}`)
    case 'needs-approval':
      return (approvals ?? []).map(({ count, from }) => JSON.stringify([count, from]))
    case 'allow':
      return obligations.flatMap((one): readonly string[] => {
        switch (one.kind) {
          case 'mask':
            return one.fields.map(maskKey)
          case 'limit':
            return one.observed === true ? [] : [`limit ${one.requests} ${one.window}`]
          case 'record':
            return ['record']
        }
      })
  }
}
