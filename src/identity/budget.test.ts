import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../testing/clock.ts'
import { Budget, sourceOf } from './budget.ts'

function taken(budget: Budget, source: string, tries: number): number {
  let count = 0
  for (let i = 0; i < tries; i++) if (budget.take(source)) count++
  return count
}

test('a source has its burst at once and its rate from then on', () => {
  const clock = new ManualClock()
  const budget = new Budget(clock, { rate: 10, burst: 20, sources: 100 })
  assert.equal(taken(budget, '192.0.2.1', 50), 20)
  clock.advance(1_000)
  assert.equal(taken(budget, '192.0.2.1', 50), 10)
  clock.advance(3_600_000)
  assert.equal(taken(budget, '192.0.2.1', 50), 20)
})

test('one source does not spend what another has', () => {
  const budget = new Budget(new ManualClock(), { rate: 1, burst: 5, sources: 100 })
  assert.equal(taken(budget, '192.0.2.1', 10), 5)
  assert.equal(taken(budget, '192.0.2.2', 10), 5)
  assert.equal(taken(budget, '2001:db8::1', 10), 5)
  assert.equal(taken(budget, '2001:db8::2', 10), 0, 'the same network')
  assert.equal(taken(budget, '2001:db8:0:1::1', 10), 5)
})

test('a source that stays busy keeps its bucket however many others come', () => {
  const budget = new Budget(new ManualClock(), { rate: 1, burst: 3, sources: 10 })
  taken(budget, '192.0.2.1', 3)
  for (let i = 0; i < 100; i++) {
    budget.take(`198.51.100.${i}`)
    assert.equal(budget.take('192.0.2.1'), false)
  }
})

test('addresses are told apart as far as a caller does not choose them', () => {
  const table: readonly (readonly [string, string])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:DB8:1:2::', '2001:db8:1:2'],
    ['2001:db8::9', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1', 'fe80:0:0:0'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['unknown', 'unknown'],
  ]
  for (const [address, source] of table) assert.equal(sourceOf(address), source)
})
