import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atOnce, inSlices, type Gradual } from './gradual.ts'

function* counting(steps: number, each: () => void): Gradual<string> {
  for (let i = 0; i < steps; i++) {
    each()
    yield
  }
  return `${steps} steps`
}

void test('work at once is all of it, with what comes of it', () => {
  let done = 0
  assert.equal(atOnce(counting(5, () => done++)), '5 steps')
  assert.equal(done, 5)
})

void test('work in slices lets others go first whenever a slice is over', async () => {
  let [time, pauses] = [0, 0]
  const pause = () => {
    pauses++
    // Others' time is not the slice's.
    time += 100
    return Promise.resolve()
  }
  const work = counting(10, () => (time += 2))
  assert.equal(await inSlices(work, pause, 5, () => time), '10 steps')
  // Three steps of 2 ms make a slice of at least 5 ms.
  assert.equal(pauses, 3)
})

void test('an error of the work is thrown to whoever waits for it', async () => {
  const work = counting(2, () => {
    throw new Error('no')
  })
  await assert.rejects(
    inSlices(
      work,
      () => Promise.resolve(),
      5,
      () => 0,
    ),
    /no/,
  )
})
