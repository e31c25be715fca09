import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { MAX_DEPTH, readJson, readJsonText } from './json.ts'

const refused: readonly (readonly [string, string])[] = [
  ['a name twice', '{"iss":"a","iss":"b"}'],
  ['a name twice, once escaped', '{"iss":"a","\\u0069ss":"b"}'],
  ['a name twice further in', '{"a":[{"b":1,"b":2}]}'],
  ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
  ['nothing', ''],
  ['only space', '  '],
  ['two values', '{} {}'],
  ['a trailing comma', '{"a":1,}'],
  ['a trailing comma in a list', '[1,]'],
  ['a leading comma', '[,1]'],
  ['no colon', '{"a" 1}'],
  ['an unquoted name', '{a:1}'],
  ['single quotes', "{'a':1}"],
  ['a comment', '{/**/}'],
  ['a leading zero', '{"exp":01}'],
  ['a plus sign', '{"exp":+1}'],
  ['hexadecimal', '{"exp":0x10}'],
  ['no digit after the point', '[1.]'],
  ['no digit before the point', '[.5]'],
  ['no exponent', '[1e]'],
  ['a minus alone', '[-]'],
  ['NaN', '[NaN]'],
  ['Infinity', '[Infinity]'],
  ['a number beyond a double', '[1e999]'],
  ['an unfinished string', '"abc'],
  ['an unfinished escape', '"abc\\'],
  ['an unknown escape', '"\\x41"'],
  ['a line break in a string', '"a\nb"'],
  ['a lone surrogate', '"\\ud800"'],
  ['another space', '[\u00a01]'],
  ['a byte order mark', '\ufeff{}'],
  ['a word too many', 'truefalse'],
  ['half a word', 'tru'],
]

for (const [name, text] of refused)
  test(`JSON is refused with ${name}`, () => {
    assert.equal(readJson(Buffer.from(text)), undefined)
  })

test('JSON is refused where it is not UTF-8', () => {
  assert.equal(readJson(Uint8Array.of(0x22, 0xff, 0x22)), undefined)
  assert.equal(readJson(Uint8Array.of(0x22, 0xc0, 0x80, 0x22)), undefined, 'an overlong form')
})

test('JSON is read to a depth and no further', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  assert.notEqual(readJsonText(nested(MAX_DEPTH + 1)), undefined)
  assert.equal(readJsonText(nested(MAX_DEPTH + 2)), undefined)
  assert.equal(readJsonText(nested(100_000)), undefined)
})

test('objects have no prototype, whatever their members are called', () => {
  const value = readJsonText('{"__proto__":{"admin":true},"constructor":1}') as Record<string, unknown>
  assert.equal(Object.getPrototypeOf(value), null)
  assert.equal(value['admin'], undefined)
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor'])
})

test('what JSON.stringify writes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const text = JSON.stringify(value)
      const read = readJsonText(text)
      assert.notEqual(read, undefined)
      assert.equal(JSON.stringify(read), JSON.stringify(JSON.parse(text)))
    }),
    { numRuns: 300 },
  )
})

test('a name that is there twice is found wherever it is, and whatever is in the strings around it', () => {
  const odd = fc.constantFrom('', ':', '"', '\\', '\\"', '":"', '{"a":1}', '\u2028', 'x')
  const text = fc.array(odd, { maxLength: 4 }).map((all) => all.join(''))
  const members = fc.uniqueArray(fc.tuple(text, fc.jsonValue({ maxDepth: 2 })), { minLength: 1, maxLength: 5, selector: ([name]) => name })
  const written = (all: readonly (readonly [string, unknown])[]): string =>
    `{${all.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`
  fc.assert(
    fc.property(members, fc.nat(), fc.array(text, { maxLength: 3 }), fc.nat(3), (all, which, others, depth) => {
      const wrapped = (inner: string): string =>
        Array.from({ length: depth }).reduce<string>((sum) => `[${JSON.stringify(others)},{"in":${sum}}]`, inner)
      const twice = [...all, [all[which % all.length]![0], 1] as const]
      assert.notEqual(readJsonText(wrapped(written(all))), undefined)
      assert.equal(readJsonText(wrapped(written(twice))), undefined)
    }),
    { numRuns: 300 },
  )
})

test('it reads with an escape somewhere what it reads without', () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(1e300, -0, 'a:b', { __proto__: null, 'a:': 1 }))
  fc.assert(
    fc.property(value, (inner) => {
      const text = JSON.stringify(inner)
      fc.pre(!text.includes('\\'))
      assert.deepEqual(readJsonText(text), (readJsonText(`["\\n",${text}]`) as readonly unknown[])[1])
    }),
    { numRuns: 200 },
  )
})

test('a name with an escape is not taken for one that was there before', () => {
  for (const name of ['\\\\', '\\"', '\\u0069', '\\u0069ssuer', '\\u005cu0069'])
    assert.deepEqual(Object.keys(readJsonText(`{"before":0,"${name}":1}`) as object), ['before', JSON.parse(`"${name}"`)], name)
})

test('whatever the bytes, it reads what JSON.parse reads or refuses', () => {
  const piece = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '"a"', '\\', '\\u0061', '1', '-0.5e3', 'true', 'null', ' ', '\n', 'x')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.array(piece, { maxLength: 12 }).map((all) => Buffer.from(all.join(''))),
      ),
      (bytes) => {
        const read = readJson(bytes)
        if (read !== undefined) assert.equal(JSON.stringify(read), JSON.stringify(JSON.parse(Buffer.from(bytes).toString('utf8'))))
      },
    ),
    { numRuns: 500 },
  )
})
