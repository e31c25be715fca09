import type { Decision } from '../core/decision.ts'
import type { Places } from './actions/places.ts'
import { granted, notGranted, type Cell, type RuleSlot } from './cell.ts'
import { has, type QuickRoles } from './quick.ts'

/*
 * What most decisions look at of a cell is its record, whole numbers one after the other, because of a large policy each object on the way
 * would have to be fetched from memory by itself: the number of the cell, where its decisions are, how many roles guardrails are for (or
 * that they are for everybody but some), how many ways there are to be granted, those roles, and those ways. A way is twice the index of a
 * role, and one more where nothing but the role is asked for. What is decided is made when it first is: the denial, then a grant for each way.
 */
const CELL = 0
const DECISIONS = 1
const GUARDS = 2
const WAYS = 3
const LISTS = 4
const BUT_FOR = -1

/** So many ways to be granted per place of the table of roles, and looking at each is not quick. */
const MANY = 4

/** Cells that are each made when they are first needed. */
export interface KnownCells {
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
  readonly #known: KnownCells | undefined

  /** @param known Those that are there already */
  constructor(version: string, roles: readonly string[], known?: KnownCells) {
    this.#version = version
    this.#roles = roles
    this.#known = known
    this.#cells = roomFor(known?.count ?? 0)
    this.#decisions = roomFor(known?.decisions ?? 0)
  }

  /** How many can be remembered. */
  get decisions(): number {
    return this.#decisions.length
  }

  /** Answers its record. */
  add(cell: Cell): readonly number[] {
    const { roles, slots } = cell.rulesByRole
    const guards = cell.guardsButFor.length > 0 ? undefined : cell.guardsByRole.roles
    const number = this.#cells.push(cell) - 1
    const decisions = this.#decisions.push(undefined) - 1
    for (const _ of roles) this.#decisions.push(undefined)
    const ways = roles.map((index, i) => wayOf(index, slots[i]!))
    return [number, decisions, guards === undefined ? BUT_FOR : guards.length, ways.length, ...(guards ?? []), ...ways]
  }

  /** Those whose records were found. */
  of(words: Int32Array, found: Places): readonly Cell[] {
    const cells: Cell[] = []
    for (let i = 0; i < found.count; i++) cells.push(this.#at(words[found.at(i) + CELL]!))
    return cells
  }

  #at(number: number): Cell {
    return (this.#cells[number] ??= this.#known!.cell(number))
  }

  /**
   * The decision where it takes nothing but the roles of a party whose roles are all known and without end: one rule grants without a
   * condition, or none of those here is for a role that is held, and no guardrail meets the party. Undefined where it takes more. What
   * comes of it is what `decideParty` makes of it.
   */
  quickly(words: Int32Array, found: Places, roles: QuickRoles): Decision | undefined {
    let grant: Decision | undefined
    let only = -1
    for (let n = 0; n < found.count; n++) {
      const record = found.at(n)
      const guards = words[record + GUARDS]!
      const ways = words[record + WAYS]!
      if (guards === BUT_FOR || ways > MANY * roles.length) return undefined
      const first = record + LISTS + guards
      for (let at = record + LISTS; at < first; at++) if (has(roles, words[at]!)) return undefined
      for (let i = 0; i < ways; i++) {
        const way = words[first + i]!
        if (!has(roles, way >> 1)) continue
        if ((way & 1) === 0) return undefined
        const one = this.#decisions[words[record + DECISIONS]! + 1 + i] ?? this.#grant(words, record, i)
        if (grant === undefined) grant = one
        else if (grant.rule !== one.rule) return undefined
      }
      if (ways === 0) continue
      // Of several that have rules, the reasons are put together.
      if (only !== -1 && grant === undefined) return undefined
      only = record
    }
    if (grant !== undefined || only === -1) return grant
    return this.#decisions[words[only + DECISIONS]!] ?? this.#deny(words, only)
  }

  #grant(words: Int32Array, record: number, way: number): Decision {
    const { roles, slots } = this.#at(words[record + CELL]!).rulesByRole
    const decision = granted(slots[way]!.id, this.#roles[roles[way]!]!, this.#version)
    this.#decisions[words[record + DECISIONS]! + 1 + way] = decision
    return decision
  }

  #deny(words: Int32Array, record: number): Decision {
    const denial = notGranted(this.#at(words[record + CELL]!).uncovered, this.#version)
    this.#decisions[words[record + DECISIONS]!] = denial
    return denial
  }
}

function roomFor(count: number): undefined[] {
  // oxlint-disable-next-line no-new-array -- for the hundreds of thousands that there can be, `Array.from` stops decisions for 15 ms
  return new Array<undefined>(count).fill(undefined)
}

function wayOf(index: number, { when, peer }: RuleSlot): number {
  return index * 2 + (when === undefined && peer === undefined ? 1 : 0)
}
