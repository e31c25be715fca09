import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { character } from '../../testing/text.ts'
import { Octets } from './octets.ts'

const LONGEST = 64
const octets = new Octets(LONGEST)

/** What is asked for, said by what it has to be: the text that its own octets have. */
function plainly(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/** A copy: the memory is used again. */
const read = (text: string): Buffer | undefined => {
  const found = octets.ofBase64url(text)
  return found === undefined ? undefined : Buffer.from(found)
}

test('base64url is read in the one form that its octets have, and nothing else is', () => {
  const unit = fc.constantFrom(...'AAQgwEBCx9-_'.split(''), '+', '/', '=', ' ', '\n', '\0', '.', 'é', 'Ł', '\ud841')
  const nearly = fc
    .tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(), unit)
    .map(([bytes, at, character]) => [Buffer.from(bytes).toString('base64url'), at, character] as const)
    .map(([text, at, character]) => text.slice(0, at % (text.length + 1)) + character + text.slice((at % (text.length + 1)) + 1))
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit, maxLength: 12 }), nearly, fc.string({ unit: character, maxLength: 16 })), (text) => {
      assert.deepEqual(read(text), plainly(text))
    }),
    { numRuns: 5_000 },
  )
})

test('every text of up to two characters of both alphabets', () => {
  const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= '.split('')
  const texts = ['', ...characters, ...characters.flatMap((one) => characters.map((other) => one + other))]
  for (const text of texts) assert.deepEqual(read(text), plainly(text), text)
  for (const last of characters) assert.deepEqual(read(`ab${last}`), plainly(`ab${last}`), last)
})

test('characters whose lower half is of the alphabet', () => {
  for (const text of ['ŁŁŁŁ', 'ABCŁ', '\u{63941}\u{25e2b}', 'Ł'.repeat(LONGEST)]) assert.equal(read(text), undefined)
})

test('any octets come back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 48 }), (bytes) => {
      assert.deepEqual(read(Buffer.from(bytes).toString('base64url')), Buffer.from(bytes))
    }),
  )
})

test('a text longer than what was said is none', () => {
  assert.deepEqual(read('A'.repeat(LONGEST)), Buffer.alloc(LONGEST * 0.75))
  assert.equal(read('A'.repeat(LONGEST + 4)), undefined)
  assert.equal(octets.ofLatin1('.'.repeat(LONGEST)).length, LONGEST)
  assert.throws(() => octets.ofLatin1('.'.repeat(LONGEST + 1)), RangeError)
})

test('octets of the memory before are gone', () => {
  assert.deepEqual(read('_____w'), Buffer.from('ffffffff', 'hex'))
  assert.deepEqual(read('AA'), Buffer.from('00', 'hex'))
  assert.deepEqual(Buffer.from(octets.ofLatin1('a.b')), Buffer.from('a.b'))
})
