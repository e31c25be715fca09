import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { seededEntropy } from '../testing/clock.ts'
import { TokenCache } from './cache.ts'

const fresh = (size = 100): TokenCache<number> => new TokenCache<number>(size, seededEntropy())

test('tokens that share their end are told apart by the whole of them', () => {
  const cache = fresh()
  const end = 'x'.repeat(40)
  cache.set(`a.${end}`, 1, 10)
  cache.set(`b.${end}`, 2, 10)
  assert.equal(cache.get(`a.${end}`, 0), 1)
  assert.equal(cache.get(`b.${end}`, 0), 2)
  assert.equal(cache.get(`c.${end}`, 0), undefined)
  assert.equal(cache.get(end, 0), undefined)
})

test('more collisions than fit push out the oldest, never another', () => {
  const cache = fresh()
  const end = 'x'.repeat(40)
  for (let i = 0; i < 6; i++) cache.set(`ey${i}.${end}`, i, 10)
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((i) => cache.get(`ey${i}.${end}`, 0)),
    [undefined, undefined, 2, 3, 4, 5],
  )
  assert.equal(cache.size, 4)
})

test('tokens that are no JWT do not collide for ending the same', () => {
  const cache = fresh()
  const end = 'x'.repeat(40)
  for (let i = 0; i < 20; i++) cache.set(`opaque-${i}.${end}`, i, 10)
  assert.equal(cache.size, 20)
})

test('an entry ends when it is said to', () => {
  const cache = fresh()
  cache.set('token', 1, 10)
  assert.equal(cache.get('token', 9), 1)
  assert.equal(cache.get('token', 10), undefined)
  cache.set('token', 2, 20)
  assert.equal(cache.get('token', 10), 2)
})

test('what is used stays, what is not goes, and there are never more than the limit', () => {
  const cache = fresh(100)
  cache.set('kept', 1, 10)
  for (let i = 0; i < 1_000; i++) {
    cache.set(`token-${i}`, i, 10)
    assert.equal(cache.get('kept', 0), 1)
    assert.ok(cache.size <= 100)
  }
  assert.equal(cache.get('token-0', 0), undefined)
  assert.equal(cache.get('token-999', 0), 999)
})

test('what is removed is gone from both generations', () => {
  const cache = fresh(20)
  for (let i = 0; i < 18; i++) cache.set(`token-${i}`, i, 10)
  const before = cache.size
  cache.remove((value) => value % 2 === 0)
  assert.equal(cache.size, before / 2)
  for (let i = 0; i < 18; i++) assert.equal(cache.get(`token-${i}`, 0), i % 2 === 0 ? undefined : i)
})

test('it answers as a plain map would, or not at all', () => {
  const name = fc.stringMatching(/^[ab]{1,3}xxxxxxxxxxxx$/)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('set', 'get'), name, fc.nat(5)), { maxLength: 60 }), (steps) => {
      const cache = fresh(8)
      const model = new Map<string, { value: number; until: number }>()
      steps.forEach(([step, key, time], i) => {
        if (step === 'set') {
          cache.set(key, i, time)
          model.set(key, { value: i, until: time })
        } else {
          const got = cache.get(key, time)
          const known = model.get(key)
          if (got !== undefined) assert.ok(known !== undefined && known.value === got && known.until > time)
        }
        assert.ok(cache.size <= 8)
      })
    }),
    { numRuns: 300 },
  )
})
