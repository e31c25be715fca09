import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonOf } from './request.ts'

const read = (text: string): unknown => jsonOf(Buffer.from(text))

test('an answer is a JSON object, or it is not understood', () => {
  assert.deepEqual(
    { ...jsonOf(Buffer.from('\ufeff{"error":"invalid_client","error_codes":[700027]}')) },
    { error: 'invalid_client', error_codes: [700_027] },
  )
  for (const text of [
    '',
    '[]',
    '"text"',
    'null',
    '{"a":1}x',
    '<html>',
    '{"access_token":"a","access_token":"b"}',
    `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`,
  ])
    assert.equal(read(text), undefined, text)
  assert.equal(jsonOf(Uint8Array.of(0x7b, 0xff, 0x7d)), undefined)
})

test('a name in an answer is not taken for one of an answer before', () => {
  for (const name of ['\\\\', '\\"', '\\u005c']) {
    const value = read(`{"before":0,"${name}":1}`) as object
    assert.deepEqual(Object.keys(value), ['before', JSON.parse(`"${name}"`)])
    assert.equal(Object.getPrototypeOf(value), null)
  }
})
