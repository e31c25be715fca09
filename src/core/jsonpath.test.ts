import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { character } from '../testing/text.ts'
import { ANY, parseJsonPath } from './jsonpath.ts'

describe('JSONPath', () => {
  const cases: readonly (readonly [text: string, normal: string])[] = [
    ['$.a', '$.a'],
    ['$.a.b_1', '$.a.b_1'],
    ["$['a']", '$.a'],
    ['$["a"]', '$.a'],
    ["$['card-number']", "$['card-number']"],
    ['$.items[*].card', '$.items[*].card'],
    ['$.items.*', '$.items[*]'],
    ['$.items[0]', '$.items[0]'],
    ['$..iban', '$..iban'],
    ["$..['a b']", "$..['a b']"],
    ['$..[0]', '$..[0]'],
    ["$['it\\'s']", "$['it\\'s']"],
    ["$['\\u0061']", '$.a'],
    ['$.straße', '$.straße'],
  ]
  for (const [text, normal] of cases)
    test(text, () => {
      const parsed = parseJsonPath(text)
      assert.ok('segments' in parsed, JSON.stringify(parsed))
      assert.equal(parsed.text, normal)
      assert.deepEqual(parseJsonPath(normal), parsed, 'a normal form is its own')
    })

  test('what a segment selects', () => {
    const parsed = parseJsonPath('$..a[*][3]')
    assert.ok('segments' in parsed)
    assert.deepEqual(parsed.segments, [
      { axis: 'descendant', select: 'a' },
      { axis: 'child', select: ANY },
      { axis: 'child', select: 3 },
    ])
  })

  for (const text of [
    '',
    'a',
    '$',
    '$.',
    '$.a[',
    '$.1a',
    '$[-1]',
    '$[01]',
    '$[1:2]',
    "$['a','b']",
    '$[?@.a]',
    '$...a',
    "$['\\x']",
    '$.a b',
    '$.a\u0000',
    `$${'.a'.repeat(300)}`,
    `$${'.a'.repeat(40)}`,
    '$.\ud800',
  ])
    test(`no path: ${JSON.stringify(text.slice(0, 20))}`, () => assert.ok('problem' in parseJsonPath(text)))

  test('reading never throws, and what it reads it reads the same again', () => {
    const piece = fc.constantFrom('$', '.', '..', 'a', '*', '[', ']', "'", '"', '0', '\\', 'u0061', ' ')
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: character }),
          fc.array(piece, { maxLength: 12 }).map((parts) => `$${parts.join('')}`),
        ),
        (text) => {
          const parsed = parseJsonPath(text)
          if ('segments' in parsed) assert.deepEqual(parseJsonPath(parsed.text), parsed)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
