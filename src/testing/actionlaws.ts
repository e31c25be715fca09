/** What the tests of every vocabulary share: the laws that comparison and index have to keep. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { formatAction, type Action } from '../core/action.ts'
import type { Side } from '../policy/actions/sets/values.ts'
import type { PatternBase, Vocabulary } from '../policy/actions/vocabulary.ts'
import { runs } from './runs.ts'
import { character } from './text.ts'

/** Texts that no vocabulary may take, for patterns and for actions. */
export const HOSTILE: readonly string[] = [
  '',
  ' ',
  '\n',
  '*\n',
  '\u0000',
  'get pods\u0000',
  'get pоds', // a Cyrillic letter
  'select on public.оrders',
  'chat gpt\u200b-4o',
  'get  pods',
  ' get pods',
  'get pods ',
  'get\tpods',
  'get pods\u2028',
  'get pods -n \u202eshop',
  '\ud800',
  'x'.repeat(3000),
  `get ${'a,'.repeat(900)}b`,
]

/** A pattern, an action, whether a rule covers it, and whether a guardrail meets it. */
export type CoverRow = readonly [pattern: string, action: string, rule: boolean, guardrail: boolean]
/** A text, what is wrong with it, and what to write. */
export type WrongRow = readonly [text: string, problem: RegExp, help?: RegExp]

export function actionOf<A extends Action, P extends PatternBase>({ read }: Vocabulary<A, P>, text: string): A {
  const action = read(text)
  if ('problem' in action) assert.fail(`${text}: ${action.problem}; ${action.help}`)
  return action
}

export function coversAsSaid<A extends Action, P extends PatternBase>(vocabulary: Vocabulary<A, P>, rows: readonly CoverRow[]): void {
  void describe('what a pattern covers', () => {
    for (const [text, asked, rule, guardrail] of rows)
      void test(`${text}: ${asked}`, () => {
        const action = actionOf(vocabulary, asked)
        assert.equal(vocabulary.matches(patternOf(vocabulary, text), action), rule, 'rule')
        assert.equal(vocabulary.matches(patternOf(vocabulary, text, 'takes'), action), guardrail, 'guardrail')
      })
  })
}

export function refusesPatterns<A extends Action, P extends PatternBase>(vocabulary: Vocabulary<A, P>, rows: readonly WrongRow[]): void {
  void describe('what is no pattern', () => {
    for (const [text, problem, help] of rows)
      void test(text, () => {
        const parsed = vocabulary.parse(text, 'grants')
        assert.match(parsed.problem ?? '', problem)
        if (help !== undefined) assert.match(parsed.help ?? '', help)
      })
    for (const text of HOSTILE)
      void test(`hostile ${JSON.stringify(text.slice(0, 30))}`, () => {
        assert.equal(typeof vocabulary.parse(text, 'takes').problem, 'string')
        assert.ok('problem' in vocabulary.read(text))
      })
  })
}

export function refusesActions<A extends Action, P extends PatternBase>(vocabulary: Vocabulary<A, P>, rows: readonly WrongRow[]): void {
  void describe('what is no action', () => {
    for (const [text, problem, help] of rows)
      void test(text, () => {
        const read = vocabulary.read(text)
        assert.ok('problem' in read)
        assert.match(read.problem, problem)
        if (help !== undefined) assert.match(read.help ?? '', help)
      })
  })
}

/** What has no canonical form is met by nothing, by no guardrail for everything either. */
export function meetsNothing<A extends Action, P extends PatternBase>(
  vocabulary: Vocabulary<A, P>,
  patterns: readonly string[],
  good: A,
  bad: readonly Partial<A>[],
): void {
  for (const pattern of patterns)
    for (const part of bad)
      for (const side of ['grants', 'takes'] as const) {
        const parsed = patternOf(vocabulary, pattern, side)
        assert.ok(side === 'grants' || vocabulary.matches(parsed, good) || patterns.length > 1)
        assert.equal(vocabulary.matches(parsed, { ...good, ...part }), false, `${pattern}: ${JSON.stringify(part)}`)
      }
}

export function patternOf<A extends Action, P extends PatternBase>({ parse }: Vocabulary<A, P>, text: string, side: Side = 'grants'): P {
  const parsed = parse(text, side)
  assert.ok(parsed.pattern !== undefined, `${text}: ${parsed.problem}; ${parsed.help}`)
  return parsed.pattern
}

/** Holds comparison against enumeration: sound for every pair, and complete where `exact` says so of both sides. */
export function holdsComparison<A extends Action, P extends PatternBase>(
  vocabulary: Vocabulary<A, P>,
  texts: readonly string[],
  actions: readonly A[],
  sides: readonly (readonly [Side, Side])[] = [
    ['grants', 'grants'],
    ['takes', 'grants'],
    ['grants', 'takes'],
    ['takes', 'takes'],
  ],
): void {
  const of = (side: Side) =>
    texts.map((text) => {
      const pattern = patternOf(vocabulary, text, side)
      return { pattern, met: new Set(actions.flatMap((action, i) => (vocabulary.matches(pattern, action) ? [i] : []))) }
    })
  const bySide = { grants: of('grants'), takes: of('takes') }
  for (const [left, right] of sides)
    for (const a of bySide[left])
      for (const b of bySide[right]) {
        const about = `${left} \`${a.pattern.text}\` and ${right} \`${b.pattern.text}\``
        const both = [...b.met].filter((i) => a.met.has(i))
        assert.equal(vocabulary.covers(a.pattern, b.pattern), both.length === b.met.size, `${about}: covers`)
        assert.equal(vocabulary.overlaps(a.pattern, b.pattern), both.length > 0, `${about}: overlaps`)
      }
}

/** Holds the index against a scan by the plain definition, and guardrails against rules: what a rule covers, a guardrail of the same text meets. */
export function holdsIndex<A extends Action, P extends PatternBase>(
  vocabulary: Vocabulary<A, P>,
  texts: fc.Arbitrary<string>,
  actions: fc.Arbitrary<A>,
  numRuns = runs(100),
): void {
  const side = fc.constantFrom<Side>('grants', 'takes')
  fc.assert(
    fc.property(fc.array(fc.tuple(texts, side), { maxLength: 12 }), fc.array(actions, { minLength: 1, maxLength: 8 }), (written, asked) => {
      const patterns = written.flatMap(([text, on]) => vocabulary.parse(text, on).pattern ?? [])
      const index = vocabulary.index(
        patterns.map((pattern, i) => [pattern, i] as const),
        (values) => values,
      )
      for (const action of asked) {
        const found = index
          .find(action)
          .flat()
          .toSorted((a, b) => a - b)
        const scanned = patterns.flatMap((pattern, i) => (vocabulary.matches(pattern, action) ? [i] : []))
        assert.deepEqual(found, scanned, formatAction(action))
        for (const [text] of written) {
          // What a guardrail says behind `with` has to be there.
          if (text.includes(' with ')) continue
          const [grants, takes] = (['grants', 'takes'] as const).map((on) => vocabulary.parse(text, on).pattern)
          if (grants !== undefined && takes !== undefined && vocabulary.matches(grants, action))
            assert.ok(vocabulary.matches(takes, action), text)
        }
      }
    }),
    { numRuns },
  )
}

/** Any text at all is a pattern or a problem, and an action or a problem, never an exception; an action read is one that can be written and read again. */
export function holdsTotal<A extends Action, P extends PatternBase>(vocabulary: Vocabulary<A, P>, near: fc.Arbitrary<string>): void {
  const text = fc.oneof(
    fc.string({ unit: character }),
    near,
    fc.tuple(near, fc.string({ unit: 'grapheme' })).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(text, (one) => {
      for (const side of ['grants', 'takes'] as const) {
        const { pattern, problem } = vocabulary.parse(one, side)
        assert.equal(pattern === undefined, typeof problem === 'string')
      }
      const action = vocabulary.read(one)
      if ('problem' in action) return
      assert.deepEqual(vocabulary.read(formatAction(action)), action, one)
    }),
    { numRuns: runs(300) },
  )
}
