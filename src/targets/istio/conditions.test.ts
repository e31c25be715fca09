import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { all, any, not, payload, test as question, type Formula } from '../../core/token.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import { alternativesOf, type Asking } from './conditions.ts'

const asking: Asking = {
  settled: () => undefined,
  split: new Set(['scp']),
  addresses: 'source',
  needs: () => undefined,
  narrower: () => undefined,
}
const has = (name: string, ...values: readonly string[]): Formula => question({ is: 'value', path: payload(name), type: 'list', values })
const word = (name: string): Formula => question({ is: 'word', path: payload(name), word: 'w' })

describe('a formula as conditions', () => {
  test('one of several values is one condition, and all of them are several', () => {
    const key = 'request.auth.claims[g]'
    assert.deepEqual(alternativesOf(any(has('g', 'a'), has('g', 'b', 'a')), asking), [[{ key, values: ['a', 'b'] }]])
    assert.deepEqual(alternativesOf(all(has('g', 'a'), has('g', 'b')), asking), [
      [
        { key, values: ['a'] },
        { key, values: ['b'] },
      ],
    ])
    assert.deepEqual(alternativesOf(not(any(has('g', 'a'), has('g', 'b'))), asking), [
      [
        { key, notValues: ['a'] },
        { key, notValues: ['b'] },
      ],
    ])
  })

  test('what can not be is left out, and what always is needs no condition', () => {
    assert.deepEqual(alternativesOf(all(has('g', 'a'), not(has('g', 'a', 'b'))), asking), [])
    assert.deepEqual(alternativesOf(all(), asking), [[]])
    assert.deepEqual(alternativesOf(any(), asking), [])
    assert.deepEqual(alternativesOf(has('g'), asking), [])
    assert.deepEqual(alternativesOf(not(has('g')), asking), [[]])
  })

  test('that a word is not there is told where every version takes the text apart, and nowhere else', () => {
    assert.deepEqual(alternativesOf(not(word('scope')), asking), [[{ key: 'request.auth.claims[scope]', notValues: ['w'] }]])
    assert.deepEqual(alternativesOf(word('scp'), asking), [[{ key: 'request.auth.claims[scp]', values: ['w'] }]])
    for (const split of [new Set(['scp']), new Set<string>()])
      assert.throws(() => alternativesOf(not(word('scp')), { ...asking, split }), NoNativeForm)
  })
})
