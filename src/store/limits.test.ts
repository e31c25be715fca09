import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Exceeded, Limit } from '../core/limiter.ts'
import { memoryLimiter } from './memory-limits.ts'

const limit = (more: Partial<Limit> = {}): Limit => ({ kind: 'limit', id: 'g', requests: 3, window: 60_000, key: 'principal a b', ...more })
const charge = (limiter: ReturnType<typeof memoryLimiter>, limits: readonly Limit[], now: number) =>
  limiter.charge(limits, now) as Exceeded | undefined

test('within a window no more than its requests, and then again', () => {
  const limiter = memoryLimiter()
  for (let i = 0; i < 3; i++) assert.equal(charge(limiter, [limit()], i), undefined)
  const exceeded = charge(limiter, [limit()], 3)
  assert.equal(exceeded?.limits[0]?.id, 'g')
  assert.equal(charge(limiter, [limit()], 3 + exceeded!.retryAfter), undefined)
  assert.equal(charge(limiter, [limit({ key: 'principal a c' })], 4), undefined, 'another counter')
  assert.equal(charge(limiter, [limit({ id: 'h' })], 4), undefined, 'another guardrail')
})

test('all have to pass, or none is charged', () => {
  const limiter = memoryLimiter()
  const [wide, narrow] = [limit({ id: 'wide', requests: 2 }), limit({ id: 'narrow', requests: 1 })]
  assert.equal(charge(limiter, [narrow], 0), undefined)
  for (let i = 0; i < 5; i++) assert.deepEqual(charge(limiter, [wide, narrow], i)?.limits, [narrow])
  assert.equal(charge(limiter, [wide], 9), undefined)
  assert.equal(charge(limiter, [wide], 9), undefined)
  assert.notEqual(charge(limiter, [wide], 9), undefined)
})

test('one that is only observed is counted and told of', () => {
  const limiter = memoryLimiter()
  const watched = limit({ requests: 1, observed: true })
  assert.equal(charge(limiter, [watched], 0), undefined)
  const enforced = limit({ id: 'h', requests: 2 })
  assert.deepEqual(charge(limiter, [watched, enforced], 1)?.limits, [watched])
  assert.deepEqual(charge(limiter, [watched, enforced], 1)?.limits, [watched])
  assert.deepEqual(charge(limiter, [watched, enforced], 1)?.limits, [watched, enforced])
})

test('counters are bounded, and strangers push out no principal’s', () => {
  const limiter = memoryLimiter(10)
  const mine = limit({ requests: 1 })
  assert.equal(charge(limiter, [mine], 0), undefined)
  for (let i = 0; i < 1000; i++) charge(limiter, [limit({ key: `address 2001:db8::${i}` })], 1)
  assert.ok(limiter.size <= 20)
  assert.notEqual(charge(limiter, [mine], 2), undefined)
})

test('no window of any length of time holds more than it may', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1000, max: 20_000 }),
      fc.array(
        fc.oneof(
          { weight: 5, arbitrary: fc.integer({ min: 0, max: 3000 }) },
          { weight: 1, arbitrary: fc.integer({ min: -500, max: 60_000 }) },
        ),
        {
          minLength: 30,
          maxLength: 80,
        },
      ),
      (requests, window, steps) => {
        const limiter = memoryLimiter()
        const taken: number[] = []
        let now = 1_000_000
        for (const step of steps) {
          now += step
          const exceeded = charge(limiter, [limit({ requests, window })], now)
          if (exceeded === undefined) taken.push(now)
          else assert.ok(exceeded.retryAfter > 0 && exceeded.retryAfter <= window + window / 16 + 1)
          // Of a clock that went backwards nothing is promised but that it gives no more.
          const high = Math.max(...taken, now)
          assert.ok(taken.filter((at) => at > high - window).length <= requests)
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('after what it says, one more fits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1000, max: 20_000 }),
      fc.array(fc.nat({ max: 2000 }), { maxLength: 30 }),
      (requests, window, steps) => {
        const limiter = memoryLimiter()
        let now = 5_000_000
        for (const step of steps) {
          now += step
          const exceeded = charge(limiter, [limit({ requests, window })], now)
          if (exceeded !== undefined) {
            now += exceeded.retryAfter
            assert.equal(charge(limiter, [limit({ requests, window })], now), undefined)
          }
        }
      },
    ),
    { numRuns: 300 },
  )
})
