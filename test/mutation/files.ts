/** The sources whose operators are changed, and the tests that have to notice. */
import { globSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../..')

/** What decides, and what a policy becomes before. */
const ENGINE = [
  'decide',
  'party',
  'guards',
  'bind',
  'bindings',
  'holds',
  'roleset',
  'told',
  'compile',
  'compiled',
  'cell',
  'cells',
  'slots',
  'quick',
  'statements',
  'considered',
  'packed/*',
  'require',
  'demands',
  'obligations',
  'effects',
  'teams',
  'resources',
  'conditions',
  'roles',
  'version',
  'digest',
  'actions/**/*',
  'when/*',
]
/** What compares two versions of a policy. */
const COMPARER = [
  'compare/*',
  'actions/cells',
  'actions/celltext',
  'actions/json',
  'actions/space',
  'actions/spacecell',
  'actions/*/cells',
  'actions/*/compare',
  'actions/sets/form',
  'actions/sets/machine',
  'actions/sets/needs',
  'actions/sets/partition',
  'actions/sets/sets',
]

/** What compares a policy with what is made of it elsewhere: the tests of the targets have to notice there. */
const OF_TARGETS = ['src/policy/compare/enforced.ts']

const TESTS = ['src/policy/**/*.test.ts', 'test/corpus/decisions/*.test.ts', 'test/corpus/language/*.test.ts']
/** Whether a page of the docs is current says nothing of a decision. */
const NO_TESTS = ['src/policy/**/docs.test.ts']

/** Nor do policies of a size that takes seconds to check. */
export const TOO_BIG = /ten thousand rules|fifty thousand keys|a hundred thousand deep|many anchors|lists that never end/

export type Part = 'engine' | 'comparer'

export interface Source {
  /** Below the root of the project. */
  readonly file: string
  readonly part: Part
}

function matching(patterns: readonly string[], exclude: readonly string[]): readonly string[] {
  return globSync(patterns, { cwd: ROOT, exclude }).toSorted()
}

export function sources(): readonly Source[] {
  const found = (names: readonly string[]): readonly string[] =>
    matching(
      names.map((name) => `src/policy/${name}.ts`),
      ['src/policy/**/*.test.ts', ...OF_TARGETS],
    )
  const comparer = found(COMPARER)
  return [
    ...found(ENGINE)
      .filter((file) => !comparer.includes(file))
      .map((file) => ({ file, part: 'engine' as const })),
    ...comparer.map((file) => ({ file, part: 'comparer' as const })),
  ]
}

export function testFiles(): readonly string[] {
  return matching(TESTS, NO_TESTS)
}
