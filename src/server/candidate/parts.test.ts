import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Coming, octetsOf, putTogether, takenApart } from './parts.ts'

const arrays = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 })

test('what was taken apart is put together as it was', () => {
  const large = new Uint32Array(400_000).map((_, i) => i)
  const value = { name: 'a', list: [{ large, small: new Uint8Array([1, 2]) }, null, 7], none: new Uint32Array(0) }
  const { shape, arrays: parts } = takenApart(value)
  const coming = new Coming(parts.map(({ length }) => length))
  const messages = [...octetsOf(parts)]
  assert.equal(messages.length, 5)
  for (const one of messages) {
    assert.equal(coming.whole, undefined)
    coming.take(one)
  }
  assert.deepEqual(putTogether(shape, coming.whole!), value)
})

test('nothing is whole of which a part is missing, came twice, out of order or is more than was said', () => {
  fc.assert(
    fc.property(arrays, fc.nat(), fc.constantFrom('lost', 'late', 'long'), (all, which, fault) => {
      const messages = all.flatMap((octets, of) =>
        [0, 1, 2].map((third) => {
          const [at, end] = [third, third + 1].map((n) => Math.floor((octets.length * n) / 3))
          return { kind: 'octets' as const, of, at: at!, octets: octets.subarray(at, end) }
        }),
      )
      const some = messages.filter(({ octets }) => octets.length > 0)
      const taken = (told: typeof messages): Coming => {
        const coming = new Coming(all.map(({ length }) => length))
        for (const one of told) coming.take(one)
        return coming
      }
      assert.deepEqual(
        taken(some.flatMap((one) => [one, one])).whole?.map((one) => [...one]),
        all.map((one) => [...one]),
      )
      if (some.length === 0) return
      const bad = some[which % some.length]!
      const others = some.filter((one) => one !== bad)
      const isLast = some.findLast(({ of }) => of === bad.of) === bad
      if (fault === 'lost') assert.equal(taken(others).whole, undefined)
      else if (fault === 'late') assert.equal(taken([...others, bad]).whole === undefined, !isLast)
      else assert.equal(taken([...others, { ...bad, octets: new Uint8Array(41) }]).whole, undefined)
    }),
  )
})
