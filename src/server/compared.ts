import { wiringChanges } from '../config/changes.ts'
import type { Wiring } from '../config/schema.ts'
import { comparePolicies, type CompareOptions, type NotProven, type PolicyComparison } from '../policy/compare/index.ts'
import { comparisonInShort } from '../policy/compare/render.ts'
import type { CompiledPolicy } from '../policy/index.ts'

/** One of two versions of a configuration in which nothing is wrong. */
export interface Compiled {
  readonly policy: CompiledPolicy
  readonly wiring: Wiring
}

export interface ConfigurationComparison {
  readonly comparison: PolicyComparison
  /** What else is different, without changing access. */
  readonly beside: readonly string[]
}

/** Compares two configurations exactly: policy, and what of the wiring a comparison of policies doesn't cover. */
export function compareConfigurations(
  before: Compiled,
  after: Compiled,
  now: number,
  looked?: CompareOptions['looked'],
): ConfigurationComparison {
  const comparison = comparePolicies(before.policy, after.policy, { now, looked })
  const { beyond, beside } = wiringChanges(before.wiring, after.wiring)
  if (beyond.length === 0) return { comparison, beside }
  const what = beyond.map((path) => `\`${path}\``).join(', ')
  const why = `${what} ${beyond.length === 1 ? 'is' : 'are'} different, which can change who is believed and what is asked`
  const notProven: readonly NotProven[] = [...comparison.notProven, { resource: 'ostiary.yaml', actions: undefined, why }]
  return { comparison: { ...comparison, notProven }, beside }
}

/** What a change of the running version does, as far as the record and an operator are told. */
export interface Change {
  /** Versions. */
  readonly from: string
  readonly to: string
  /** Whether anybody gains anything, or that is not proven. */
  readonly widens: boolean
  /** Cells in which somebody gains, loses, or meets something else; one may be several of them. */
  readonly gained: number
  readonly lost: number
  readonly different: number
  /** What is not proven: so many reasons. */
  readonly notProven: number
  /** Cells that were looked at. */
  readonly cells: number
  /** The same in words, a line each; no more than the record takes. */
  readonly lines: readonly string[]
}

/** Lines of a change. */
const MOST_LINES = 20

export function changeBetween(before: Compiled, after: Compiled, now: number): Change {
  const count = { wider: 0, narrower: 0, other: 0 }
  const { comparison } = compareConfigurations(before, after, now, (_resource, _cell, difference) => {
    if (difference.kind === 'equal') return
    for (const direction of new Set(difference.cases.map((one) => one.direction))) count[direction]++
  })
  const { from, to, changes, notProven, cells } = comparison
  return {
    from,
    to,
    widens: notProven.length > 0 || changes.some(({ direction }) => direction !== 'narrower'),
    gained: count.wider,
    lost: count.narrower,
    different: count.other,
    notProven: notProven.length,
    cells,
    lines: comparisonInShort(comparison, MOST_LINES),
  }
}

/** Where it could not be told what a change does: everything may be wider. */
export function unknownChange(from: string, to: string, why: string): Change {
  return { from, to, widens: true, gained: 0, lost: 0, different: 0, notProven: 1, cells: 0, lines: [`not proven: ${why}`] }
}
