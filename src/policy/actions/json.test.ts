/** JSON that is made of what conditions say of places in it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { someOf } from './celltext.ts'
import { jsonOf, placePath, placeText } from './json.ts'

test('a place as a condition writes it, and read again', () => {
  const places: readonly (readonly [path: readonly string[], text: string])[] = [
    [[], 'arguments'],
    [['limit'], 'arguments.limit'],
    [['a', 'b'], 'arguments.a.b'],
    [['x y', 'z'], 'arguments["x y"].z'],
    [['1'], 'arguments["1"]'],
    [['"', '\\', ']'], 'arguments["\\""]["\\\\"]["]"]'],
  ]
  for (const [path, text] of places) {
    assert.equal(placeText('arguments', path), text)
    assert.deepEqual(placePath(text.slice('arguments'.length)), path)
  }
})

describe('made of places', () => {
  const cases: readonly (readonly [name: string, places: readonly (readonly [string, string])[], made: unknown])[] = [
    ['nothing', [], {}],
    ['one value', [['.limit', '7']], { limit: 7 }],
    ['one within another', [['.a.b', '"x"']], { a: { b: 'x' } }],
    [
      'several within one',
      [
        ['.a.b', '1'],
        ['.a.c', '2'],
      ],
      { a: { b: 1, c: 2 } },
    ],
    [
      'the wider first, whatever comes first',
      [
        ['.a.b', '1'],
        ['.a', '{"c":2}'],
      ],
      { a: { c: 2, b: 1 } },
    ],
    ['one that is absent', [['.a', '']], {}],
    [
      'one that is absent in what is there',
      [
        ['.a.b', ''],
        ['.a', '{"c":2}'],
      ],
      { a: { c: 2 } },
    ],
    [
      'one within what is no object',
      [
        ['.a', '7'],
        ['.a.b', '1'],
      ],
      { a: { b: 1 } },
    ],
    [
      'one within a list',
      [
        ['.a', '[7]'],
        ['.a.b', '1'],
      ],
      { a: { b: 1 } },
    ],
    [
      'one within null',
      [
        ['.a', 'null'],
        ['.a.b', '1'],
      ],
      { a: { b: 1 } },
    ],
    [
      'one that is absent within what is no object',
      [
        ['.a', '7'],
        ['.a.b', ''],
      ],
      { a: 7 },
    ],
    [
      'the whole',
      [
        ['', '{"a":1}'],
        ['.b', '2'],
      ],
      { a: 1, b: 2 },
    ],
    [
      'the whole that is absent',
      [
        ['', ''],
        ['.b', '2'],
      ],
      { b: 2 },
    ],
    ['a whole that is a list', [['', '[]']], undefined],
    ['a whole that is null', [['', 'null']], undefined],
    ['a whole that is a text', [['', '"a"']], undefined],
    ['a name that is not plain', [['["x y"]', '1']], { 'x y': 1 }],
  ]
  for (const [name, places, made] of cases) test(name, () => assert.deepEqual(jsonOf(places), made))
  test('a name of JavaScript is a name as any', () => {
    const made = jsonOf([['.__proto__.a', '1']])!
    assert.deepEqual(Object.keys(made), ['__proto__'])
    assert.equal(JSON.stringify(made), '{"__proto__":{"a":1}}')
    assert.equal(({} as { a?: number }).a, undefined)
  })
})

test('up to six words in full, of more the first five', () => {
  const words = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  assert.equal(someOf(words.slice(0, 1)), 'a')
  assert.equal(someOf(words.slice(0, 6)), 'a,b,c,d,e,f')
  assert.equal(someOf(words.slice(0, 7)), 'a,b,c,d,e and 2 more')
  assert.equal(someOf(words), 'a,b,c,d,e and 3 more')
})
