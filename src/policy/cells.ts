import type { Decision } from '../core/decision.ts'
import { granted, notGranted, type Cell, type RuleSlot } from './cell.ts'
import { has, type QuickRoles } from './quick.ts'

/*
 * What most decisions look at of a cell, as whole numbers one after the other, because of a large policy each object on the way would have
 * to be fetched from memory by itself: the number of the cell, where its decisions are, how many roles guardrails are for (or that they are
 * for everybody but some), how many ways there are to be granted, those roles, and those ways. A way is twice the index of a role, and one
 * more where nothing but the role is asked for. What is decided is made when it first is: the denial, then a grant for each way.
 */
const CELL = 0
const DECISIONS = 1
const GUARDS = 2
const WAYS = 3
const LISTS = 4
const BUT_FOR = -1

/** So many ways to be granted per place of the table of roles, and looking at each is not quick. */
const MANY = 4

/** The numbers of cells that are each made when they are first needed. */
export interface Flat {
  readonly words: Int32Array<ArrayBuffer>
  readonly count: number
  /** Room for what is decided by them. */
  readonly decisions: number
  cell(number: number): Cell
}

/** The cells of one policy, by number. */
export class Cells {
  readonly #version: string
  /** Names of roles by their index. */
  readonly #roles: readonly string[]
  readonly #cells: (Cell | undefined)[]
  readonly #decisions: (Decision | undefined)[]
  readonly #flat: Flat | undefined
  #words: Int32Array<ArrayBuffer>
  #end: number

  /** @param flat Those that are there already */
  constructor(version: string, roles: readonly string[], flat?: Flat) {
    this.#version = version
    this.#roles = roles
    this.#flat = flat
    this.#cells = roomFor(flat?.count ?? 0)
    this.#decisions = roomFor(flat?.decisions ?? 0)
    this.#words = flat?.words ?? new Int32Array(1024)
    this.#end = flat?.words.length ?? 0
  }

  /** Of those that were added. */
  get flat(): Pick<Flat, 'words' | 'decisions'> {
    return { words: this.#words.subarray(0, this.#end), decisions: this.#decisions.length }
  }

  /** Answers its number. */
  add(cell: Cell): number {
    const number = this.#end
    const { roles, slots } = cell.rulesByRole
    const guards = cell.guardsButFor.length > 0 ? undefined : cell.guardsByRole.roles
    const decisions = this.#decisions.push(undefined) - 1
    for (const _ of roles) this.#decisions.push(undefined)
    const words = this.#room(LISTS + (guards?.length ?? 0) + roles.length)
    words[number + CELL] = this.#cells.push(cell) - 1
    words[number + DECISIONS] = decisions
    words[number + GUARDS] = guards === undefined ? BUT_FOR : guards.length
    words[number + WAYS] = roles.length
    let at = number + LISTS
    for (const index of guards ?? []) words[at++] = index
    for (let i = 0; i < roles.length; i++) words[at++] = wayOf(roles[i]!, slots[i]!)
    return number
  }

  at(number: number): Cell {
    const place = this.#words[number + CELL]!
    return (this.#cells[place] ??= this.#flat!.cell(place))
  }

  /**
   * The decision where it takes nothing but the roles of a party whose roles are all known and without end: one rule grants without a
   * condition, or none of those here is for a role that is held, and no guardrail meets the party. Undefined where it takes more. What
   * comes of it is what `decideParty` makes of it.
   */
  quickly(found: readonly number[], roles: QuickRoles): Decision | undefined {
    const words = this.#words
    let grant: Decision | undefined
    let only = -1
    for (let n = 0; n < found.length; n++) {
      const number = found[n]!
      const guards = words[number + GUARDS]!
      const ways = words[number + WAYS]!
      if (guards === BUT_FOR || ways > MANY * roles.length) return undefined
      const first = number + LISTS + guards
      for (let at = number + LISTS; at < first; at++) if (has(roles, words[at]!)) return undefined
      for (let i = 0; i < ways; i++) {
        const way = words[first + i]!
        if (!has(roles, way >> 1)) continue
        if ((way & 1) === 0) return undefined
        const one = this.#decisions[words[number + DECISIONS]! + 1 + i] ?? this.#grant(number, i)
        if (grant === undefined) grant = one
        else if (grant.rule !== one.rule) return undefined
      }
      if (ways === 0) continue
      // Of several that have rules, the reasons are put together.
      if (only !== -1 && grant === undefined) return undefined
      only = number
    }
    if (grant !== undefined || only === -1) return grant
    return this.#decisions[words[only + DECISIONS]!] ?? this.#deny(only)
  }

  #grant(number: number, way: number): Decision {
    const { roles, slots } = this.at(number).rulesByRole
    const decision = granted(slots[way]!.id, this.#roles[roles[way]!]!, this.#version)
    this.#decisions[this.#words[number + DECISIONS]! + 1 + way] = decision
    return decision
  }

  #deny(number: number): Decision {
    const decision = notGranted(this.at(number).uncovered, this.#version)
    this.#decisions[this.#words[number + DECISIONS]!] = decision
    return decision
  }

  /** Takes the next of the words. */
  #room(count: number): Int32Array {
    this.#end += count
    if (this.#end > this.#words.length) {
      const larger = new Int32Array(Math.max(this.#end, this.#words.length * 2))
      larger.set(this.#words)
      this.#words = larger
    }
    return this.#words
  }
}

function roomFor(count: number): undefined[] {
  // oxlint-disable-next-line no-new-array -- for the hundreds of thousands that there can be, `Array.from` stops decisions for 15 ms
  return new Array<undefined>(count).fill(undefined)
}

function wayOf(index: number, { when, peer }: RuleSlot): number {
  return index * 2 + (when === undefined && peer === undefined ? 1 : 0)
}
