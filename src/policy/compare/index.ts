/**
 * Compares two versions of a policy exactly: cell by cell, as formulas, never by sampling and never by going through sets of
 * roles. What hits a bound, or is not understood, is *not proven*; it never counts as equal.
 *
 * Each party of a chain is decided for itself and the strictest outcome is that of all. So where two versions decide equally
 * for every single party, they decide equally for every chain; differences are told per party.
 */
import { TooManyCells, type ActionCell, type Wanted } from '../actions/cells.ts'
import { someOf } from '../actions/celltext.ts'
import { vocabularyOf, type ActionPattern } from '../actions/index.ts'
import type { CompiledPolicy } from '../compiled.ts'
import type { Guardrail, Rule } from '../model.ts'
import { namedIn, requestFields } from './condition.ts'
import { compareCell, type Case, type CellDifference } from './difference.ts'
import type { Side } from './formula.ts'
import { roleDefinitions, Numbers, type RoleDefinition } from './roles.ts'
import { resourceText, statementText } from './statement.ts'

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

/** One version, with what is looked up again and again. */
interface Version {
  readonly policy: CompiledPolicy
  readonly roles: ReadonlyMap<string, RoleDefinition>
  readonly byResource: ReadonlyMap<string, readonly (Rule | Guardrail)[]>
}

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

function versionOf(policy: CompiledPolicy, now: number, numbers: Numbers): Version {
  const { model } = policy
  const byResource = new Map<string, (Rule | Guardrail)[]>()
  for (const statement of [...model.rules, ...model.guardrails])
    for (const resource of statement.resources) {
      const list = byResource.get(resource)
      if (list === undefined) byResource.set(resource, [statement])
      else list.push(statement)
    }
  return { policy, roles: roleDefinitions(model, now, numbers), byResource }
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

interface Group<T> {
  readonly value: T
  readonly cells: ActionCell[]
}

class ResourceComparison {
  readonly #name: string
  readonly #versions: readonly [Version, Version]
  readonly #numbers: Numbers
  readonly #options: CompareOptions
  readonly #coverings: Covering[] = []
  readonly #changes = new Map<string, Group<Case>>()
  readonly #notProven = new Map<string, Group<string>>()
  /** By pattern: how many cells it covers. */
  #cellsOf = new Uint32Array(0)
  #cells = 0

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
    this.#cover(0)
    this.#cover(1)
    const texts = this.#versions.map(({ policy }) => resourceText(policy.model.world, this.#name))
    const sameResource = texts[0] === texts[1]
    const changed = this.#changedPatterns(sameResource)
    if (sameResource && changed.size === 0) return { same: true, cells: 0, changes: [], notProven: [] }
    const nothing = { same: false, cells: 0, changes: [] }
    if (protocols.size > 1) return { ...nothing, notProven: [this.#all('its protocol is another')] }
    const partition = vocabularyOf(protocol!)?.cells
    if (partition === undefined) return { ...nothing, notProven: [this.#all(`actions of ${protocol!} are not compared yet`)] }
    const bounds: NotProven[] = []
    try {
      this.#compare(partition, sameResource, changed)
    } catch (error) {
      if (!(error instanceof TooManyCells) && !(error instanceof RangeError)) throw error
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
    const known = new Map<string, CellDifference>()
    const patterns = this.#coverings.map(({ pattern }) => pattern)
    const wanted = { named: this.#named(), wants: (pattern: number) => changed.has(pattern), most: this.#options.maxCells ?? 500_000 }
    for (const cell of partition(patterns, wanted)) {
      this.#cells++
      const meanings: [Set<number>, Set<number>] = [new Set(), new Set()]
      let looks = false
      for (const number of cell.covering) {
        const { side, meaning, looks: looksHere } = this.#coverings[number]!
        meanings[side].add(meaning)
        looks ||= looksHere
        // Of the others, not all cells come by.
        if (changed.has(number)) this.#cellsOf[number]!++
      }
      const [left, right] = meanings.map((set) => [...set].toSorted((a, b) => a - b).join(' '))
      if (sameResource && left === right) continue
      const key = `${left}|${right}`
      let difference = looks ? undefined : known.get(key)
      if (difference === undefined) {
        difference = this.#cell(cell)
        if (!looks) known.set(key, difference)
      }
      this.#options.looked?.(this.#name, cell, difference)
      this.#note(cell, difference)
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

  #cell(cell: ActionCell): CellDifference {
    const [from, to] = this.#versions
    const { now, maxNodes = 1_000_000, maxCases = 64 } = this.#options
    return compareCell({
      before: this.#side(0, cell),
      after: this.#side(1, cell),
      cell,
      resource: this.#name,
      from: from.policy,
      to: to.policy,
      now,
      maxNodes,
      maxCases,
    })
  }

  #side(side: 0 | 1, cell: ActionCell): Side {
    const { policy, roles } = this.#versions[side]
    const here = cell.covering.filter((number) => this.#coverings[number]!.side === side)
    // Of the same meaning, once is enough.
    const seen = new Set<number>()
    const statements = here.flatMap((number) => {
      const { statement, meaning } = this.#coverings[number]!
      if (statement === undefined || seen.has(meaning)) return []
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
      const { direction, before, after, who } = one
      add(this.#changes, JSON.stringify([direction, before, after, who]), one, cell)
    }
    if (difference.kind === 'not-proven') add(this.#notProven, difference.why, difference.why, cell)
  }

  /** Cells in as few words as can be: a pattern stands for all that it covers. */
  #told(cells: readonly ActionCell[]): readonly string[] {
    const byPattern = new Map<number, ActionCell[]>()
    for (const cell of cells)
      for (const number of cell.covering) {
        const list = byPattern.get(number)
        if (list === undefined) byPattern.set(number, [cell])
        else list.push(cell)
      }
    const whole = [...byPattern]
      .filter(([number, list]) => this.#cellsOf[number] === list.length)
      .toSorted(([a, m], [b, n]) => n.length - m.length || a - b)
    const left = new Set(cells)
    const told = new Set<string>()
    for (const [number, list] of whole) {
      if (!list.some((cell) => left.has(cell))) continue
      for (const cell of list) left.delete(cell)
      told.add(this.#coverings[number]!.pattern.text)
    }
    for (const text of together(left)) told.add(text)
    return [...told].toSorted()
  }
}

/** Cells of which only the list in front differs are told by one list. */
function together(cells: Iterable<ActionCell>): readonly string[] {
  const texts: string[] = []
  const lists = new Map<string, Set<string>>()
  for (const { text, listed } of cells) {
    if (listed === undefined) texts.push(text)
    else lists.set(listed.rest, new Set([...(lists.get(listed.rest) ?? []), ...listed.words]))
  }
  return [...texts, ...[...lists].map(([rest, words]) => `${someOf([...words])}${rest}`)]
}

function add<T>(groups: Map<string, Group<T>>, key: string, value: T, cell: ActionCell): void {
  const group = groups.get(key)
  if (group === undefined) groups.set(key, { value, cells: [cell] })
  else group.cells.push(cell)
}

/** A pattern without the names of its parameters. */
function plainPattern(pattern: ActionPattern): string {
  if (pattern.protocol !== 'http') return `${pattern.protocol} ${pattern.text}`
  const { method, segments, rest } = pattern
  return `${method} ${segments.map((one) => (one.kind === 'literal' ? `/${one.text}` : '{}')).join('')}${rest ? '**' : ''}`
}
