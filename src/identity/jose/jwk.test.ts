import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { testKey } from '../../testing/tokens.ts'
import { readJsonText } from './json.ts'
import { MAX_KEYS, readKeySet } from './jwk.ts'

const rsa = testKey('rsa').jwk
const ec = testKey('ec', 'ES256').jwk
const ed = testKey('ed', 'EdDSA').jwk

/** Ids of the keys that a set gives, or why it is refused. */
function read(set: unknown): readonly string[] | string {
  const keys = readKeySet(readJsonText(JSON.stringify(set)))
  return 'refused' in keys ? keys.refused : [...keys.keys()]
}

test('public keys of every accepted kind are read', () => {
  assert.deepEqual(read({ keys: [rsa, ec, ed] }), ['rsa', 'ec', 'ed'])
})

const refusedSets: readonly (readonly [string, unknown, RegExp])[] = [
  ['an empty object', {}, /no list/],
  ['a list', [], /no list/],
  ['no keys', { keys: [] }, /no key that can be used/],
  ['keys that are a map', { keys: { rsa } }, /no list/],
  ['a key that is text', { keys: ['rsa'] }, /not an object/],
  ['a symmetric key', { keys: [rsa, { kty: 'oct', kid: 's', k: 'AAAA' }] }, /symmetric/],
  ['a symmetric key without octets', { keys: [{ kty: 'oct', kid: 's', k: '' }] }, /symmetric/],
  ['a private key', { keys: [rsa, { ...ec, kid: 'p', d: 'AAAA' }] }, /private/],
  ['two keys of one kid', { keys: [rsa, { ...ec, kid: 'rsa' }] }, /same kid/],
  ['the same key twice', { keys: [rsa, rsa] }, /same kid/],
  ['too many keys', { keys: Array.from({ length: MAX_KEYS + 1 }, (_, i) => ({ ...ec, kid: `k${i}` })) }, /more than/],
]

for (const [name, set, reason] of refusedSets)
  test(`a key set with ${name} is refused whole`, () => {
    assert.match(String(read(set)), reason)
  })

const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
const curve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' })
const x25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })

const leftOut: readonly (readonly [string, Record<string, unknown>])[] = [
  ['for encryption', { ...rsa, kid: 'x', use: 'enc' }],
  ['whose use is not text', { ...rsa, kid: 'x', use: ['sig'] }],
  ['whose operations are others', { ...rsa, kid: 'x', key_ops: ['encrypt'] }],
  ['whose operations are not a list', { ...rsa, kid: 'x', key_ops: 'verify' }],
  ['of 1024 bits', { ...weak, kid: 'x', alg: 'RS256' }],
  ['with an exponent of 1', { ...rsa, kid: 'x', e: 'AQ' }],
  ['with an even exponent', { ...rsa, kid: 'x', e: 'AQAA' }],
  ['without kid', { ...rsa, kid: undefined }],
  ['with a kid that is a number', { ...rsa, kid: 7 }],
  ['with a kid of 257 bytes', { ...rsa, kid: 'x'.repeat(257) }],
  ['of an unknown kind', { kty: 'AKP', kid: 'x', alg: 'ML-DSA-44', pub: 'AAAA' }],
  ['of a curve that no algorithm has', { ...curve, kid: 'x' }],
  ['of a curve for key agreement', { ...x25519, kid: 'x' }],
  ['whose alg is for another kind', { ...ec, kid: 'x', alg: 'RS256' }],
  ['whose alg is for another curve', { ...ec, kid: 'x', alg: 'ES384' }],
  ['whose alg encrypts', { ...rsa, kid: 'x', alg: 'RSA-OAEP' }],
  ['whose alg is symmetric', { ...rsa, kid: 'x', alg: 'HS256' }],
  ['whose point is not on its curve', { ...ec, kid: 'x', x: ec['y']! }],
  ['whose issuer is not text', { ...rsa, kid: 'x', issuer: 1 }],
  ['whose modulus is padded base64', { ...rsa, kid: 'x', n: `${rsa['n'] as string}==` }],
]

for (const [name, jwk] of leftOut)
  test(`a key ${name} is left out, the others stay`, () => {
    assert.deepEqual(read({ keys: [jwk, ec] }), ['ec'])
  })

test('whatever the set, reading it ends in keys or a reason', () => {
  const member = fc.constantFrom('kty', 'kid', 'n', 'e', 'crv', 'x', 'y', 'use', 'alg', 'key_ops', 'issuer')
  const value = fc.oneof(fc.constantFrom('RSA', 'EC', 'OKP', 'P-256', 'Ed25519', 'AQAB', 'sig', 'RS256'), fc.jsonValue({ maxDepth: 1 }))
  fc.assert(
    fc.property(fc.array(fc.dictionary(member, value), { maxLength: 4 }), (list) => {
      const result = read({ keys: list })
      assert.ok(typeof result === 'string' || result.length > 0)
    }),
    { numRuns: 300 },
  )
})
