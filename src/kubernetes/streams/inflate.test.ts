import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, createDeflate, type ZlibOptions } from 'node:zlib'
import * as fc from 'fast-check'
import { Base64Pieces } from './base64.ts'
import { Undecodable } from './events.ts'
import { Inflater } from './inflate.ts'
import { SPDY_DICTIONARY } from './spdydictionary.ts'

/** The blocks as zlib compresses them over one context, flushed after each. */
async function deflated(
  blocks: readonly Uint8Array[],
  options: ZlibOptions = {},
  flush: number = constants.Z_SYNC_FLUSH,
): Promise<Uint8Array[]> {
  const stream = createDeflate({ dictionary: SPDY_DICTIONARY, ...options })
  const out: Uint8Array[] = []
  let pieces: Buffer[] = []
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  for (const block of blocks) {
    stream.write(block)
    await new Promise<void>((resolve) => stream.flush(flush, resolve))
    out.push(Uint8Array.from(Buffer.concat(pieces)))
    pieces = []
  }
  stream.destroy()
  return out
}

test('the dictionary is the one that SPDY names', () => {
  assert.equal(SPDY_DICTIONARY.length, 1423)
  assert.doesNotThrow(() => new Inflater(SPDY_DICTIONARY, 10).inflate(Uint8Array.of(0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2)))
})

test('what zlib compresses comes out as it was, block after block', async () => {
  const text = fc
    .array(fc.constantFrom('streamtype', 'stdin', 'error', '\0\0\0\n', 'a', 'zz', 'max-age=gzip'), { maxLength: 300 })
    .map((words) => Buffer.from(words.join('')))
  const block = fc.oneof(text, fc.uint8Array({ maxLength: 600 }))
  const level = fc.integer({ min: 0, max: 9 })
  const strategy = fc.constantFrom(constants.Z_DEFAULT_STRATEGY, constants.Z_HUFFMAN_ONLY, constants.Z_FIXED, constants.Z_RLE)
  await fc.assert(
    fc.asyncProperty(fc.array(block, { minLength: 1, maxLength: 8 }), level, strategy, async (blocks, one, other) => {
      const inflater = new Inflater(SPDY_DICTIONARY, 16_384)
      for (const [at, packed] of (await deflated(blocks, { level: one, strategy: other })).entries())
        assert.deepEqual(inflater.inflate(packed), Uint8Array.from(blocks[at]!))
    }),
    { numRuns: 150 },
  )
})

test('over more than a window', async () => {
  const blocks = Array.from({ length: 12 }, (_, at) => Buffer.from(`${at} of many `.repeat(900)))
  const inflater = new Inflater(SPDY_DICTIONARY, 16_384)
  for (const [at, packed] of (await deflated(blocks)).entries()) assert.deepEqual(Buffer.from(inflater.inflate(packed)), blocks[at])
})

test('a little that becomes a lot is refused before it does', async () => {
  const [bomb] = await deflated([Buffer.alloc(8 * 1024 * 1024)])
  assert.ok(bomb!.length < 16_384)
  assert.throws(() => new Inflater(SPDY_DICTIONARY, 16_384).inflate(bomb!), { message: 'a header block is too long' })
})

test('a block that is not flushed is refused, since the next one would begin within it', async () => {
  const [whole, next] = await deflated([Buffer.from('stdin'), Buffer.from('stdout')])
  const cut = new Inflater(SPDY_DICTIONARY, 100)
  assert.throws(() => cut.inflate(whole!.subarray(0, -1)), Undecodable)
  const partial = await deflated([Buffer.from('stdin'), Buffer.from('stdout')], {}, constants.Z_PARTIAL_FLUSH)
  assert.throws(() => {
    const inflater = new Inflater(SPDY_DICTIONARY, 100)
    for (const one of partial) inflater.inflate(one)
  }, Undecodable)
  assert.throws(() => new Inflater(SPDY_DICTIONARY, 100).inflate(next!), Undecodable, 'no block is the first but the first')
})

test('another dictionary, a last block, and what lies before all that there was are refused', async () => {
  const begun = Uint8Array.of(0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2)
  const stored = (first: number): Uint8Array => Uint8Array.from([...begun, first, 1, 0, 254, 255, 65])
  const refused = (block: Uint8Array): void =>
    assert.throws(() => new Inflater(SPDY_DICTIONARY, 1000).inflate(block), { message: 'a header block can not be decompressed' })
  assert.deepEqual(new Inflater(SPDY_DICTIONARY, 1000).inflate(stored(0)), Uint8Array.of(65))
  refused(stored(1))
  refused(stored(0).with(5, 0xc3))
  // It begins with words that only the longer dictionary has, at a distance that this one doesn't reach.
  const words = 'words that stand nowhere else at all'
  const [far] = await deflated([Buffer.from(words)], { dictionary: Buffer.concat([Buffer.from(words), SPDY_DICTIONARY]) })
  refused(Uint8Array.from([...begun, ...far!.subarray(6)]))
})

test('any bytes: something or a refusal', () => {
  const start = Uint8Array.of(0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, begun) => {
      const inflater = new Inflater(SPDY_DICTIONARY, 1000)
      try {
        if (begun) inflater.inflate(start)
        assert.ok(inflater.inflate(bytes).length <= 1000)
      } catch (error) {
        assert.ok(error instanceof Undecodable, String(error))
      }
    }),
    { numRuns: 5000 },
  )
})

test('base64 in pieces is what it is whole, and nothing else is read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(60), (bytes, cut) => {
      const text = new TextEncoder().encode(Buffer.from(bytes).toString('base64'))
      const pieces = new Base64Pieces()
      const read = [pieces.decode(text.subarray(0, cut)), pieces.decode(text.subarray(cut))]
      pieces.end()
      assert.deepEqual(Buffer.concat(read), Buffer.from(bytes))
    }),
  )
  const character = fc.constantFrom('A', 'Q', 'E', 'I', 'g', 'w', '/', '+', '-', '=', '\n')
  fc.assert(
    fc.property(fc.array(character, { maxLength: 9 }), (characters) => {
      const text = characters.join('')
      const canonical = Buffer.from(text, 'base64').toString('base64') === text
      let read: boolean
      try {
        const pieces = new Base64Pieces()
        pieces.decode(new TextEncoder().encode(text))
        pieces.end()
        read = true
      } catch (error) {
        assert.ok(error instanceof Undecodable)
        read = false
      }
      assert.equal(read, canonical, text)
    }),
    { numRuns: 3000 },
  )
})
