import { Environment } from '@marcbachmann/cel-js'
import * as fc from 'fast-check'
import { RE2JS } from 're2js'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ALWAYS, header, holdsOf, payload, test, type AskedToken, type Formula, type TokenTest } from '../../core/token.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import { NOW } from '../../policy/testdata/world.ts'
import { celOf, celText } from './cel.ts'

const matches = (pattern: string, text: string): boolean => RE2JS.compile(pattern).matches(text)

const environment = new Environment({ enableOptionalTypes: true, unlistedVariablesAreDyn: true }).registerVariable(
  'claims',
  'map<string, dyn>',
)
environment.registerFunction('string.isLike(string): bool', (text: string, pattern: string) => RE2JS.compile(pattern).matcher(text).find())

/** What an API server makes of it, as far as this engine has the same meaning: it has other regular expressions. */
function evaluated(expression: string, claims: Readonly<Record<string, unknown>>): unknown {
  return environment.evaluate(expression.replaceAll('.matches(', '.isLike('), { claims }) as unknown
}

const NAMES = ['a', 'b', 'https://x/y']
const TEXTS = ['x', 'y', 'x y', '', 'X', 'é', '😀']
const path = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 2 }).map((names) => payload(...names))
const type = fc.constantFrom('string' as const, 'number' as const, 'boolean' as const, 'list' as const)
const tests: fc.Arbitrary<TokenTest> = fc.oneof(
  fc.record({ is: fc.constant('present' as const), path }),
  fc.record({ is: fc.constant('type' as const), path, type: fc.oneof(type, fc.constant('object' as const)) }),
  fc.record({
    is: fc.constant('value' as const),
    path,
    type: fc.constantFrom('string' as const, 'list' as const),
    values: fc.subarray(TEXTS, { minLength: 1 }),
  }),
  fc.record({
    is: fc.constant('value' as const),
    path,
    type: fc.constant('number' as const),
    values: fc.subarray([0, 1, 1.5, -2], { minLength: 1 }),
  }),
  fc.record({
    is: fc.constant('value' as const),
    path,
    type: fc.constant('boolean' as const),
    values: fc.subarray([true, false], { minLength: 1 }),
  }),
  fc.record({ is: fc.constant('texts' as const), path }),
  fc.record({ is: fc.constant('same' as const), path, other: path }),
  fc.record({ is: fc.constant('matches' as const), path, pattern: fc.constantFrom('x|y', '(?i)(?:x)', 'x.*', '') }),
  fc.record({ is: fc.constant('word' as const), path, word: fc.constantFrom('x', 'y', '') }),
  fc.record({ is: fc.constant('length' as const), path, most: fc.constantFrom(1, 2) }),
  fc.record({ is: fc.constant('span' as const), path, since: path, most: fc.constantFrom(0, 1) }),
  fc.record({
    is: fc.constant('compare' as const),
    path,
    op: fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const),
    value: fc.constantFrom(0, 1),
  }),
)
const { formula } = fc.letrec<{ readonly formula: Formula }>((tie) => ({
  formula: fc.oneof(
    { depthSize: 'small' },
    tests.map(test),
    fc.record({ all: fc.array(tie('formula'), { maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('formula'), { maxLength: 3 }) }),
    fc.record({ not: tie('formula') }),
  ),
}))
const scalar = fc.oneof(fc.constantFrom(...TEXTS), fc.constantFrom(0, 1, 1.5, -2), fc.boolean())
const claim = fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }), fc.dictionary(fc.constantFrom(...NAMES), scalar, { maxKeys: 2 }))
const claims = fc.dictionary(fc.constantFrom(...NAMES), claim, { maxKeys: 3 })

describe('questions about a token, for an API server', () => {
  it('are answered alike, and never with an error', () => {
    fc.assert(
      fc.property(formula, claims, (asked, of) => {
        const token: AskedToken = { header: {}, payload: of }
        const isAstral = JSON.stringify(of).includes('😀')
        const [most, least] = (['most', 'least'] as const).map((as) => evaluated(celOf(asked, as), of))
        assert.equal(most, least, 'everything here can be asked')
        // A text with such characters is taken for none that has a length: what asks for one is refused.
        if (!isAstral) assert.equal(most, holdsOf(asked, token, NOW, matches))
      }),
      { numRuns: 2000 },
    )
  })

  it('that can not be asked are taken for true where that only lets in more, and for false where it would give more', () => {
    const untold: TokenTest[] = [
      { is: 'present', path: header('kid') },
      { is: 'before', instant: NOW },
      { is: 'address', networks: [] },
    ]
    for (const one of untold) {
      const seen: TokenTest[] = []
      assert.equal(
        celOf(test(one), 'most', (it) => seen.push(it)),
        'true',
      )
      assert.equal(celOf(test(one), 'least'), 'false')
      assert.equal(celOf({ not: test(one) }, 'least'), 'false')
      assert.equal(celOf({ not: test(one) }, 'most'), 'true')
      assert.deepEqual(seen, [one])
    }
    assert.match(celOf(test({ is: 'past', path: payload('iat'), skew: 30 }), 'most'), /type\(dyn\(claims\["iat"\]\)\) == double/)
    assert.equal(celOf(ALWAYS, 'least'), 'true')
  })

  it('have no text that another could become on the way', () => {
    for (const text of ['\uFFFD', 'a\uD800']) assert.throws(() => celText(text), NoNativeForm)
    assert.equal(celText('a"\\b\n'), String.raw`"a\"\\b\n"`)
  })
})
