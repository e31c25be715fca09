import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { Lines, type Encoding } from './lines.ts'
import { BrokenStream, frame, FrameReader } from './wire.ts'

function read(chunks: readonly (string | Buffer)[], most?: number): readonly (string | number)[] {
  const got: (string | number)[] = []
  const reader = new FrameReader({ message: (bytes) => got.push(bytes.toString()), skipped: (bytes) => got.push(bytes) }, most)
  for (const chunk of chunks) reader.push(Buffer.from(chunk))
  return got
}

test('messages come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.array(fc.nat(200)), (texts, cuts) => {
      const stream = Buffer.concat(texts.map((text) => frame(text)))
      const at = [0, ...cuts.map((cut) => Math.min(cut, stream.length)).toSorted((a, b) => a - b), stream.length]
      const chunks = at.slice(1).map((end, i) => stream.subarray(at[i], end))
      assert.deepEqual(
        read(chunks),
        texts.map((text) => JSON.stringify(text)),
      )
    }),
  )
})

test('other header fields and any case of letters are all right; what is too large is passed over', () => {
  assert.deepEqual(read(['content-length:2\r\nContent-Type: x; charset=utf-8\r\n\r\n{}']), ['{}'])
  assert.deepEqual(read(['Content-Length: 11\r\n\r\n0123', '4567890Content-Length: 2\r\n\r\n{}'], 10), [11, '{}'])
  assert.deepEqual(read(['Content-Length: 999999999999999\r\n\r\n{}']), [])
})

describe('what is no header ends it', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['without length', 'Content-Type: x\r\n\r\n', /`Content-Length` is missing/],
    ['a length that is none', 'Content-Length: 1e9\r\n\r\n', /is not one number/],
    ['a negative length', 'Content-Length: -1\r\n\r\n', /is not one number/],
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 2\r\n\r\n', /is not one number/],
    ['no header at all', 'GET / HTTP/1.1\r\n\r\n', /has no name/],
    ['without end', 'x'.repeat(100_000), /longer than/],
  ]
  for (const [name, bytes, reason] of cases)
    test(name, () =>
      assert.throws(
        () => read([bytes]),
        (error) => error instanceof BrokenStream && reason.test(error.message),
      ),
    )
})

test('every offset between characters has one position and comes back from it, in each encoding', () => {
  const text = fc.array(fc.constantFrom('a', 'é', '€', '😀', '\n', '\r\n', '\r', ' '), { maxLength: 40 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(text, fc.constantFrom<Encoding>('utf-8', 'utf-16', 'utf-32'), (written, encoding) => {
      const lines = new Lines(written, encoding)
      let offset = 0
      for (const char of `${written}\0`) {
        // Between CR and LF there is no place.
        if (!(written[offset] === '\n' && written[offset - 1] === '\r')) assert.equal(lines.offsetAt(lines.positionAt(offset)), offset)
        offset += char.length
      }
      assert.equal(lines.offsetAt({ line: 1e6, character: 1e6 }), written.length)
    }),
  )
})
