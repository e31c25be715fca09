import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Mask, MaskedField } from '../core/decision.ts'
import { askedWhole, isMaskable, maskedFields, maskerOf } from './mask.ts'

const KEY = new Uint8Array(32).fill(7)

function masked(text: string | Buffer, ...fields: readonly (readonly [path: string, mask: Mask | Mask['as']])[]): string | undefined {
  const list = fields.map(([path, mask]): MaskedField => ({ path, mask: typeof mask === 'string' ? ({ as: mask } as Mask) : mask }))
  return maskerOf(list, KEY).apply(Buffer.from(text))?.toString()
}

describe('what becomes of a field', () => {
  const text =
    '{ "id": 1.50, "email" : "ada@example.com",\n "items":[ {"card":"4111111111111111"}, {"card":null} ], "n": 12345678901234567890 }'
  test('drop', () => assert.equal(masked(text, ['$.email', 'drop']), text.replace(' "email" : "ada@example.com",', '')))
  test('null', () => assert.equal(masked(text, ['$.email', 'null']), text.replace('"ada@example.com"', 'null')))
  test('constant', () =>
    assert.equal(masked(text, ['$.email', { as: 'constant', value: 'x"y' }]), text.replace('"ada@example.com"', '"x\\"y"')))
  test('partial', () => {
    const last = { as: 'partial', first: 0, last: 4 } as const
    assert.equal(
      masked(text, ['$.items[*].card', last]),
      text.replace('4111111111111111', '…1111').replace('null', '"null"').replace('"null"', '"…"'),
    )
    assert.equal(masked('{"a":"abcd"}', ['$.a', last]), '{"a":"…"}')
    assert.equal(masked('{"a":"😀b😀"}', ['$.a', { as: 'partial', first: 1, last: 0 }]), '{"a":"😀…"}')
    assert.equal(masked('{"a":123456}', ['$.a', { as: 'partial', first: 0, last: 2 }]), '{"a":"…56"}')
    assert.equal(masked('{"a":{"b":1}}', ['$.a', last]), '{"a":null}')
  })
  test('hash: equal values alike, in whatever way they are written, and only with the key', () => {
    const hash = (value: string, key = KEY): unknown =>
      (JSON.parse(String(maskerOf([{ path: '$.a', mask: { as: 'hash' } }], key).apply(Buffer.from(`{"a":${value}}`)))) as { a: unknown }).a
    assert.equal(hash('"ab"'), hash('"\\u0061b"'))
    assert.notEqual(hash('"ab"'), hash('"ac"'))
    assert.notEqual(hash('"1"'), hash('1'))
    assert.notEqual(hash('"ab"'), hash('"ab"', new Uint8Array(32)))
    assert.match(String(hash('"ab"')), /^[\w-]{22}$/)
  })
  test('everything else stays byte for byte, digits of large numbers too', () => {
    assert.equal(masked(text, ['$.nothing', 'drop']), text)
    assert.ok(masked(text, ['$.email', 'drop'])!.includes('12345678901234567890'))
  })
})

describe('which fields', () => {
  const cases: readonly (readonly [text: string, path: string, expected: string])[] = [
    ['{"a":{"b":1,"c":2}}', '$.a.b', '{"a":{"c":2}}'],
    ['{"a":[{"b":1},{"b":2}]}', '$.a[1].b', '{"a":[{"b":1},{}]}'],
    ['{"a":[1,2,3]}', '$.a[1]', '{"a":[1,3]}'],
    ['{"a":[1,2,3]}', '$.a[*]', '{"a":[]}'],
    ['{"b":1,"a":{"b":2,"c":[{"b":{"b":3}}]}}', '$..b', '{"a":{"c":[{}]}}'],
    ['{"x":{"b":1},"y":{"b":2,"z":{"b":3}}}', '$[*].b', '{"x":{},"y":{"z":{"b":3}}}'],
    ['{"a":1,"a":2}', '$.a', '{}'],
    ['{"\\u0061":1}', '$.a', '{}'],
    ['{"__proto__":1,"b":2}', "$['__proto__']", '{"b":2}'],
    ['{"0":1}', '$[0]', '{"0":1}'],
    ['[{"a":1}]', '$.a', '[{"a":1}]'],
    ['{"a":1}', '$.a.b', '{"a":1}'],
    ['"text"', '$.a', '"text"'],
    [' {"a" : 1 } ', '$.a', ' {} '],
    ['{"\\"":1,"b":2}', "$['\"']", '{"b":2}'],
    ['{"\\\\":1,"\\"":2}', "$['\"']", '{"\\\\":1}'],
  ]
  for (const [text, path, expected] of cases) test(`${path} of ${text}`, () => assert.equal(masked(text, [path, 'drop']), expected))

  test('of one field the strictest counts, and nothing inside a masked one is looked at', () => {
    assert.equal(masked('{"a":{"b":1}}', ['$.a', 'null'], ['$..b', 'drop']), '{"a":null}')
    assert.equal(masked('{"a":1}', ['$.a', 'hash'], ['$[*]', 'null']), '{"a":null}')
    assert.equal(masked('{"a":1}', ['$..a', 'drop'], ['$.a', { as: 'constant', value: 1 }]), '{}')
  })
})

describe('what can not be masked is kept back', () => {
  for (const text of [
    '',
    ' ',
    '{',
    '{"a":1',
    '{"a":1,}',
    '[1,]',
    '{a:1}',
    "{'a':1}",
    '{"a":01}',
    '{"a":+1}',
    '{"a":NaN}',
    '{"a":1}x',
    '{"a":1}{"a":2}',
    '\uFEFF{}',
    '"\u0001"',
    '"\\x"',
    '{"a"}',
    '1.',
    'tru',
    '['.repeat(200) + ']'.repeat(200),
  ])
    test(JSON.stringify(text.slice(0, 20)), () => assert.equal(masked(text, ['$.a', 'drop']), undefined))
  test('bytes that are no UTF-8', () => assert.equal(masked(Buffer.from([0x22, 0xff, 0x22]), ['$.a', 'drop']), undefined))

  test('by its fields', () => {
    const json = ['Content-Type', 'application/json']
    assert.ok(isMaskable(200, json))
    assert.ok(isMaskable(200, ['content-type', 'application/vnd.api+json; charset="UTF-8"']))
    assert.ok(!isMaskable(200, []))
    assert.ok(!isMaskable(206, json))
    assert.ok(!isMaskable(200, [...json, 'Content-Encoding', 'gzip']))
    assert.ok(!isMaskable(200, ['Content-Type', 'text/html']))
    assert.ok(!isMaskable(200, ['Content-Type', 'application/json; charset=utf-16']))
    assert.ok(!isMaskable(200, [...json, 'content-type', 'text/html']))
    assert.ok(!isMaskable(200, ['Content-Type', 'application/x-ndjson']))
    assert.deepEqual(maskedFields(['ETag', 'x', 'X-A', 'y', 'Content-Length', '9', ...json]), ['X-A', 'y', ...json])
    assert.deepEqual(maskedFields(['X-A', 'y', ...json, 'Content-Language', 'en'], true), ['X-A', 'y'])
    assert.deepEqual(askedWhole(['Accept-Encoding', 'gzip', 'Range', 'bytes=0-1', 'X-A', 'y']), ['X-A', 'y', 'Accept-Encoding', 'identity'])
  })
})

test('a masked text says what the plain one says, without the fields, whatever the text', () => {
  let dropped = 0
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.constantFrom(undefined, 1, 2), (plain, indent) => {
      const value: unknown = JSON.parse(`{"a":[{"secret":1,"b":${plain}}],"secret":${plain}}`)
      const text = JSON.stringify(value, undefined, indent)
      const result = masked(text, ['$..secret', 'drop'])
      const without = (one: unknown): unknown =>
        Array.isArray(one)
          ? one.map(without)
          : typeof one === 'object' && one !== null
            ? Object.fromEntries(Object.entries(one).flatMap(([name, inner]) => (name === 'secret' ? [] : [[name, without(inner)]])))
            : one
      assert.deepEqual(JSON.parse(result!), without(value))
      assert.equal(masked(text, ['$.nowhere', 'drop']), text)
      dropped++
    }),
    { numRuns: 500 },
  )
  assert.equal(dropped, 500)
})

test('hostile bytes: kept back or masked, never thrown, never let through', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"secret"',
    '"',
    '\\',
    '\\u0073ecret',
    '"x"',
    '1',
    'null',
    ' ',
    '"s\\u0065cret"',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
        fc.array(piece, { maxLength: 14 }).map((all) => Buffer.from(all.join(''))),
      ),
      (bytes) => {
        const result = maskerOf([{ path: '$..secret', mask: { as: 'drop' } }], KEY)
          .apply(bytes)
          ?.toString()
        if (result === undefined) return
        JSON.parse(result, (name, value: unknown) => {
          assert.notEqual(name, 'secret')
          return value
        })
      },
    ),
    { numRuns: 5000 },
  )
})
