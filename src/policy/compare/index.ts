/**
 * Compares two versions of a policy exactly: cell by cell, as formulas, never by sampling and never by going through sets of
 * roles. What hits a bound, or is not understood, is *not proven*; it never counts as equal.
 *
 * Each party of a chain is decided for itself and the strictest outcome is that of all. So where two versions decide equally
 * for every single party, they decide equally for every chain; differences are told per party.
 */
import { TooManyCells, type ActionCell, type Wanted } from '../actions/cells.ts'
import { vocabularyOf, type ActionPattern } from '../actions/index.ts'
import type { CompiledPolicy } from '../compiled.ts'
import type { Guardrail, Rule } from '../model.ts'
import { namedIn, requestFields } from './condition.ts'
import { compareCell, isTrueOf, outlineCell, type Case, type CellDifference, type CellTask, type Outline } from './difference.ts'
import { notUnderstood, type Side } from './formula.ts'
import { addTo, type Group } from './groups.ts'
import { letThrough } from './observed.ts'
import { Numbers } from './roles.ts'
import { plainPattern, resourceText, statementText } from './statement.ts'
import { toldBy } from './told.ts'
import { versionOf, type Version } from './version.ts'
import type { Witness } from './witness.ts'

export type { Case } from './difference.ts'
export type { Direction, Outcome } from './outcome.ts'
export type { Witness } from './witness.ts'

/** Cases that are the same in several cells. */
export interface Change extends Case {
  readonly resource: string
  /** For people: patterns of the policy where they cover just what is meant, else cells. */
  readonly actions: readonly string[]
  /** In how many cells. */
  readonly cells: number
}

export interface NotProven {
  readonly resource: string
  /** Undefined where it is all of the resource. */
  readonly actions: readonly string[] | undefined
  readonly why: string
}

export interface PolicyComparison {
  /** Versions. */
  readonly from: string
  readonly to: string
  readonly changes: readonly Change[]
  readonly notProven: readonly NotProven[]
  /** Resources that are in both versions with the same words. */
  readonly unchanged: number
  /** How many cells there are where they are not. */
  readonly cells: number
}

export interface CompareOptions {
  /** Milliseconds since the epoch: what both versions decide from then on is compared. */
  readonly now: number
  /** Cells of one resource, at most. Default: 500,000. */
  readonly maxCells?: number | undefined
  /** Nodes of the formulas of one cell, at most. Default: 1,000,000. */
  readonly maxNodes?: number | undefined
  /** Cases of one cell, at most. Default: 64. */
  readonly maxCases?: number | undefined
  /** What each cell comes to, as it is looked at. */
  readonly looked?: ((resource: string, cell: ActionCell, difference: CellDifference) => void) | undefined
}

/** Cuts the actions of a resource into cells, by protocol. */
type Partition = (patterns: readonly ActionPattern[], wanted: Wanted) => Iterable<ActionCell>

export function comparePolicies(from: CompiledPolicy, to: CompiledPolicy, options: CompareOptions): PolicyComparison {
  const numbers = new Numbers()
  const [before, after] = [from, to].map((policy) => versionOf(policy, options.now, numbers))
  const names = [...new Set([from, to].flatMap(({ model }) => Object.keys(model.world.resources)))].toSorted()
  const changes: Change[] = []
  const notProven: NotProven[] = []
  let unchanged = 0
  let cells = 0
  for (const name of names) {
    const found = new ResourceComparison(name, before!, after!, numbers, options).result()
    if (found.same) unchanged++
    cells += found.cells
    changes.push(...found.changes)
    notProven.push(...found.notProven)
  }
  return { from: from.version, to: to.version, changes, notProven, unchanged, cells }
}

/** A pattern of either version: what it covers, and what that means. */
interface Covering {
  readonly side: 0 | 1
  readonly pattern: ActionPattern
  readonly statement: Rule | Guardrail | undefined
  readonly scope: string | undefined
  /** The same number for the same meaning, whatever it covers. */
  readonly meaning: number
  /** It looks at the request, so that the same words may mean another thing in another cell. */
  readonly looks: boolean
}

interface ResourceResult {
  readonly same: boolean
  readonly cells: number
  readonly changes: readonly Change[]
  readonly notProven: readonly NotProven[]
}

/** What covers a cell means, by version. */
type Meanings = readonly [ReadonlySet<number>, ReadonlySet<number>]

function sizeOf([before, after]: Meanings): number {
  return before.size + after.size
}

function listed(numbers: ReadonlySet<number>): string {
  return [...numbers].toSorted((a, b) => a - b).join(' ')
}

class ResourceComparison {
  readonly #name: string
  readonly #versions: readonly [Version, Version]
  readonly #numbers: Numbers
  readonly #options: CompareOptions
  readonly #coverings: Covering[] = []
  readonly #changes = new Map<string, Group<Case>>()
  readonly #notProven = new Map<string, Group<string>>()
  /** Those of whom a case is true, by the case. */
  readonly #witnesses = new Map<string, Witness[]>()
  /** What changed rules alone come to, by what they and all that is no rule mean. */
  readonly #outlines = new Map<string, readonly Outline[] | undefined>()
  /** By pattern: how many cells it covers. */
  #cellsOf = new Uint32Array(0)
  #cells = 0
  /** There are more cells than are looked at. */
  #tooMany = false

  constructor(name: string, before: Version, after: Version, numbers: Numbers, options: CompareOptions) {
    this.#name = name
    this.#versions = [before, after]
    this.#numbers = numbers
    this.#options = options
  }

  result(): ResourceResult {
    const [before, after] = this.#versions.map(({ policy }) => policy.model.world.resources[this.#name])
    const protocols = new Set([before, after].flatMap((one) => one?.protocol ?? []))
    const [protocol] = protocols
    const texts = this.#versions.map(({ policy }) => resourceText(policy.model.world, this.#name))
    const sameResource = texts[0] === texts[1]
    this.#cover(0)
    this.#cover(1)
    const beyond = sameResource ? [] : [before, after].map((one) => letThrough(one, this.#options.now))
    for (const side of [0, 1] as const) for (const pattern of beyond[side] ?? []) this.#coverings.push(this.#observed(side, pattern))
    const changed = this.#changedPatterns(sameResource)
    if (sameResource && changed.size === 0) return { same: true, cells: 0, changes: [], notProven: [] }
    const nothing = { same: false, cells: 0, changes: [] }
    if (protocols.size > 1) return { ...nothing, notProven: [this.#all('its protocol is another')] }
    const partition = vocabularyOf(protocol!)?.cells
    if (partition === undefined) return { ...nothing, notProven: [this.#all(`actions of ${protocol!} are not compared yet`)] }
    const bounds: NotProven[] = []
    if (beyond.includes(undefined)) bounds.push(this.#all('it is only observed, and what no rule speaks of is not compared then'))
    try {
      this.#compare(partition, sameResource, changed)
    } catch (error) {
      // Whether an input can be anything else may be too much to tell.
      if (!(error instanceof TooManyCells)) throw error
      this.#tooMany = true
    }
    if (this.#tooMany) {
      bounds.push(this.#all('its patterns overlap in too many ways: not all of them were looked at'))
      // How many cells a pattern has isn't known then.
      this.#cellsOf.fill(0)
    }
    return {
      same: false,
      cells: this.#cells,
      changes: [...this.#changes.values()].map(({ value, cells }) => ({
        ...value,
        resource: this.#name,
        actions: this.#told(cells),
        cells: cells.length,
      })),
      notProven: [
        ...bounds,
        ...[...this.#notProven.values()].map(({ value, cells }) => ({ resource: this.#name, actions: this.#told(cells), why: value })),
      ],
    }
  }

  #all(why: string): NotProven {
    return { resource: this.#name, actions: undefined, why }
  }

  #observed(side: 0 | 1, pattern: ActionPattern): Covering {
    return { side, pattern, statement: undefined, scope: undefined, meaning: this.#numbers.of('everything'), looks: false }
  }

  #cover(side: 0 | 1): void {
    const { policy, roles, byResource } = this.#versions[side]
    const protocol = policy.model.world.resources[this.#name]?.protocol
    for (const statement of byResource.get(this.#name) ?? [])
      for (const { pattern } of statement.actions) {
        if (pattern.protocol !== protocol) continue
        const { text, looks } = statementText(statement, pattern, roles, policy.model.world)
        this.#coverings.push({ side, pattern, statement, scope: undefined, meaning: this.#numbers.of(text), looks })
      }
    for (const [scope, patterns] of policy.model.scopes.get(this.#name) ?? [])
      for (const pattern of patterns)
        this.#coverings.push({ side, pattern, statement: undefined, scope, meaning: this.#numbers.of(`scope ${scope}`), looks: false })
  }

  /** Numbers of the patterns that are in one version only, or mean something else in the other. Where they are alike, so are decisions. */
  #changedPatterns(sameResource: boolean): ReadonlySet<number> {
    const words = this.#coverings.map(({ pattern, meaning }) => `${meaning} ${plainPattern(pattern)}`)
    const sides = ([0, 1] as const).map((side) => new Set(words.filter((_, number) => this.#coverings[number]!.side === side)))
    const changed = words.flatMap((word, number) => (sameResource && sides.every((side) => side.has(word)) ? [] : [number]))
    return new Set(changed)
  }

  #compare(partition: Partition, sameResource: boolean, changed: ReadonlySet<number>): void {
    this.#cellsOf = new Uint32Array(this.#coverings.length)
    const patterns = this.#coverings.map(({ pattern }) => pattern)
    const wanted = { named: this.#named(), wants: (pattern: number) => changed.has(pattern), most: this.#options.maxCells ?? 500_000 }
    const alike = new Map<string, { readonly cells: ActionCell[]; readonly meanings: Meanings }>()
    for (const cell of this.#cellsWithin(partition(patterns, wanted))) {
      const meanings: [Set<number>, Set<number>] = [new Set(), new Set()]
      let looks = false
      for (const number of cell.covering) {
        const { side, meaning, looks: looksHere } = this.#coverings[number]!
        meanings[side].add(meaning)
        looks ||= looksHere
        // Of the others, not all cells come by.
        if (changed.has(number)) this.#cellsOf[number]!++
      }
      const [left, right] = meanings.map(listed)
      if (sameResource && left === right) continue
      // What looks at the request may mean another thing in each cell.
      const key = looks ? `cell ${this.#cells}` : `${left}|${right}`
      const same = alike.get(key)
      if (same === undefined) alike.set(key, { cells: [cell], meanings })
      else same.cells.push(cell)
    }
    // Those that little covers first: whoever is found there is often somebody in the others, too.
    for (const { cells, meanings } of [...alike.values()].toSorted((a, b) => sizeOf(a.meanings) - sizeOf(b.meanings))) {
      const difference = this.#cell(cells[0]!, meanings, sameResource)
      for (const cell of cells) {
        this.#options.looked?.(this.#name, cell, difference)
        this.#note(cell, difference)
      }
    }
  }

  /** Counts them. Where there are too many, those that came by are compared all the same. */
  *#cellsWithin(cells: Iterable<ActionCell>): Generator<ActionCell> {
    try {
      for (const cell of cells) {
        this.#cells++
        yield cell
      }
    } catch (error) {
      if (!(error instanceof TooManyCells) && !(error instanceof RangeError)) throw error
      this.#tooMany = true
    }
  }

  /** Texts in conditions by the field of `request` that they look at. */
  #named(): Wanted['named'] {
    const named = new Map<string, Set<string>>()
    const conditions = new Set(this.#coverings.flatMap(({ statement }) => statement?.when ?? []))
    for (const { text } of conditions)
      for (const field of requestFields(text)) {
        let texts = named.get(field)
        if (texts === undefined) named.set(field, (texts = new Set()))
        for (const one of namedIn(text)) if (typeof one === 'string') texts.add(one)
      }
    return (field) => named.get(field)
  }

  #cell(cell: ActionCell, meanings: Meanings, sameResource: boolean): CellDifference {
    const [from, to] = this.#versions
    const { now, maxNodes = 1_000_000, maxCases = 64 } = this.#options
    const task = {
      before: this.#side(0, cell),
      after: this.#side(1, cell),
      cell,
      resource: this.#name,
      from: from.policy,
      to: to.policy,
      now,
      maxNodes,
      maxCases,
    }
    const quick = sameResource ? this.#byOutline(task, meanings) : undefined
    if (quick !== undefined) return quick
    const difference = compareCell(task)
    if (difference.kind !== 'equal')
      for (const one of difference.cases) {
        const key = caseKey(one)
        const found = this.#witnesses.get(key)
        if (found === undefined) this.#witnesses.set(key, [one.witness])
        else if (found.length < MAX_WITNESSES) found.push(one.witness)
      }
    return difference
  }

  /**
   * The difference where only rules are other ones, by way of what they come to without those that are in both versions: the
   * same in many cells. Those in both may leave nobody of a case; so of each, somebody has to be found of whom it is true here.
   * Undefined where that doesn't tell.
   */
  #byOutline(task: CellTask, meanings: Meanings): CellDifference | undefined {
    const { cell, before, after } = task
    const rest: [Set<number>, Set<number>] = [new Set(), new Set()]
    const others: [Set<number>, Set<number>] = [new Set(), new Set()]
    for (const number of cell.covering) {
      const { side, meaning, statement, looks } = this.#coverings[number]!
      if (statement?.kind !== 'rule') others[side].add(meaning)
      else if (meanings[0].has(meaning) && meanings[1].has(meaning)) continue
      else rest[side].add(meaning)
      if (looks) return undefined
    }
    const [left, right, one, other] = [...rest, ...others].map(listed)
    if (one !== other || notUnderstood(before) !== undefined || notUnderstood(after) !== undefined) return undefined
    const key = `${left}|${right}|${one}`
    if (!this.#outlines.has(key))
      this.#outlines.set(key, outlineCell({ ...task, before: this.#side(0, cell, rest[0]), after: this.#side(1, cell, rest[1]) }))
    const outlines = this.#outlines.get(key)
    if (outlines === undefined) return undefined
    if (outlines.length === 0) return { kind: 'equal' }
    const action = cell.action(new Map())
    if (action === undefined) return undefined
    const cases: Case[] = []
    for (const outline of outlines) {
      const witness = this.#found(outline)
        .map((known) => ({ ...known, action }))
        .find((known) => isTrueOf(outline, known, task.from, task.to))
      if (witness === undefined) return undefined
      cases.push({ ...outline, witness })
    }
    return { kind: 'different', cases }
  }

  /** Those of whom a case was true in other cells, as far as they are tried again. */
  #found(outline: Outline): readonly Witness[] {
    return this.#witnesses.get(caseKey(outline)) ?? []
  }

  /** @param rules Meanings of the rules that are looked at; all of them where it is left out */
  #side(side: 0 | 1, cell: ActionCell, rules?: ReadonlySet<number>): Side {
    const { policy, roles } = this.#versions[side]
    const here = cell.covering.filter((number) => this.#coverings[number]!.side === side)
    // Of the same meaning, once is enough.
    const seen = new Set<number>()
    const statements = here.flatMap((number) => {
      const { statement, meaning } = this.#coverings[number]!
      if (statement === undefined || seen.has(meaning) || (statement.kind === 'rule' && rules?.has(meaning) === false)) return []
      seen.add(meaning)
      return [{ statement, pattern: number }]
    })
    const scopes = new Set(here.flatMap((number) => this.#coverings[number]!.scope ?? []))
    return {
      world: policy.model.world,
      roles,
      resource: policy.model.world.resources[this.#name],
      statements,
      scopes: [...scopes].toSorted(),
    }
  }

  #note(cell: ActionCell, difference: CellDifference): void {
    if (difference.kind === 'equal') return
    for (const one of difference.cases) {
      const key = caseKey(one)
      addTo(this.#changes, key, one, cell)
    }
    if (difference.kind === 'not-proven') addTo(this.#notProven, difference.why, difference.why, cell)
  }

  #told(cells: readonly ActionCell[]): readonly string[] {
    return toldBy(
      cells,
      (number) => this.#coverings[number]!.pattern.text,
      (number) => this.#cellsOf[number]!,
    )
  }
}

/** Somebody of whom a case is true, that are tried in other cells, at most. */
const MAX_WITNESSES = 16

function caseKey({ direction, before, after, who }: Outline): string {
  return JSON.stringify([direction, before, after, who])
}
