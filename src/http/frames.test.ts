import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { closeFrame, FrameBoundary } from './frames.ts'

function frame(length: number, masked: boolean): Buffer {
  const mask = masked ? 0x80 : 0
  const head =
    length < 126
      ? Buffer.from([0x82, mask | length])
      : length < 65_536
        ? Buffer.from([0x82, mask | 126, length >> 8, length & 0xff])
        : Buffer.from([0x82, mask | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff])
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), Buffer.alloc(length, 0xff)])
}

test('stands between frames exactly where one ends, however the bytes are cut', () => {
  const lengths = fc.array(fc.tuple(fc.constantFrom(0, 1, 125, 126, 127, 4000, 65_536), fc.boolean()), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 5000 }), (shapes, piece) => {
      const frames = shapes.map(([length, masked]) => frame(length, masked))
      const ends = new Set<number>([0])
      let at = 0
      for (const one of frames) ends.add((at += one.length))
      const all = Buffer.concat(frames)
      const boundary = new FrameBoundary()
      for (let i = 0; i < all.length; i += piece) {
        boundary.feed(all.subarray(i, i + piece))
        assert.equal(boundary.clear, ends.has(Math.min(i + piece, all.length)))
      }
    }),
    { numRuns: 60 },
  )
})

test('a close frame is unmasked and says why', () => {
  assert.deepEqual([...closeFrame(1008, 'no')], [0x88, 4, 0x03, 0xf0, 0x6e, 0x6f])
  assert.equal(closeFrame(1012, 'x'.repeat(500)).length, 127)
})
