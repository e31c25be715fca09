import assert from 'node:assert/strict'
import { constants, createPublicKey, sign } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { character } from '../../testing/text.ts'
import { base64url, hmacToken, signToken, testKey, unsignedToken } from '../../testing/tokens.ts'
import { checkSignature, keyIdOf, MAX_TOKEN, parseJwt, readJws, readJwt } from './compact.ts'
import { readKey, type VerificationKey } from './jwk.ts'
import { readJsonText, type JsonObject } from './json.ts'
import { Refusal, refused } from './refusal.ts'

const rsa = testKey('rsa')
const other = testKey('other')
const ec = testKey('ec', 'ES256')
const ed = testKey('ed', 'EdDSA')
const pss = testKey('pss', 'PS256')
const allowed = new Set(['RS256', 'PS256', 'ES256', 'EdDSA'])

function keyOf(jwk: unknown): VerificationKey {
  const key = readKey(readJsonText(JSON.stringify(jwk)) as JsonObject)
  assert.ok(key)
  return key
}

const keys = new Map([rsa, ec, ed, pss].map(({ kid, jwk }) => [kid, keyOf(jwk)]))

/** The reason for which a token is refused, or `accepted`. */
function judge(token: string): string {
  const result = refused(() => {
    const jwt = readJwt(token)
    const key = keys.get(keyIdOf(jwt, allowed))
    if (key === undefined) throw new Refusal('unknown-key')
    checkSignature(jwt, key)
    return 'accepted'
  })
  return typeof result === 'string' ? result : result.reason
}

const payload = { iss: 'https://issuer', sub: 'reader' }
const good = signToken(rsa, payload)
const [head = '', body = '', tail = ''] = good.split('.')
const withHeader = (header: string): string => `${base64url(header)}.${body}.${tail}`

test('a token of every algorithm is accepted, signed by other code', () => {
  for (const key of [rsa, ec, ed, pss]) assert.equal(judge(signToken(key, payload)), 'accepted', key.algorithm)
})

const hostile: readonly (readonly [string, string, string])[] = [
  ['alg none', unsignedToken(payload), 'unsigned'],
  ['alg None', unsignedToken(payload, 'None'), 'unsigned'],
  ['alg NONE', unsignedToken(payload, 'NONE'), 'unsigned'],
  ['alg none with a signature', `${base64url('{"alg":"none","kid":"rsa"}')}.${body}.${tail}`, 'unsigned'],
  ['no signature', `${head}.${body}.`, 'signature'],
  ['HS256 keyed with the JWK', hmacToken(JSON.stringify(rsa.jwk), payload, { kid: 'rsa' }), 'algorithm'],
  ['HS256 keyed with the modulus', hmacToken(Buffer.from(rsa.jwk['n'] as string, 'base64url'), payload, { kid: 'rsa' }), 'algorithm'],
  [
    'HS256 keyed with the PEM',
    hmacToken(createPublicKey(rsa.privateKey).export({ format: 'pem', type: 'spki' }), payload, { kid: 'rsa' }),
    'algorithm',
  ],
  ['an algorithm of another key type', signToken(ec, payload, { kid: 'rsa' }), 'algorithm'],
  ['an algorithm that the key does not state', signToken(rsa, payload, { kid: 'pss' }), 'algorithm'],
  ['an unknown algorithm', signToken(rsa, payload, { alg: 'RS257' }), 'algorithm'],
  ['an algorithm named as a member of every object', signToken(rsa, payload, { alg: 'constructor' }), 'algorithm'],
  ['an algorithm in lower case', signToken(rsa, payload, { alg: 'rs256' }), 'algorithm'],
  ['an algorithm that is a number', signToken(rsa, payload, { alg: 256 }), 'malformed'],
  ['an algorithm that is a list', signToken(rsa, payload, { alg: ['RS256'] }), 'malformed'],
  ['no algorithm', withHeader('{"kid":"rsa"}'), 'malformed'],
  ['a JWK of its own', signToken(other, payload, { jwk: other.jwk }), 'unknown-key'],
  ['jku', signToken(rsa, payload, { jku: 'https://evil.example/keys' }), 'unknown-key'],
  ['x5u', signToken(rsa, payload, { x5u: 'https://evil.example/cert' }), 'unknown-key'],
  ['x5c', signToken(rsa, payload, { x5c: ['MIIB'] }), 'unknown-key'],
  ['another key under the same kid', signToken(other, payload, { kid: 'rsa' }), 'signature'],
  ['no kid', withHeader('{"alg":"RS256"}'), 'unknown-key'],
  ['an empty kid', signToken(rsa, payload, { kid: '' }), 'unknown-key'],
  ['a kid that is a path', signToken(rsa, payload, { kid: '../../dev/null' }), 'unknown-key'],
  ['a kid that is SQL', signToken(rsa, payload, { kid: "' or '1'='1" }), 'unknown-key'],
  ['a kid named __proto__', signToken(rsa, payload, { kid: '__proto__' }), 'unknown-key'],
  ['a kid of 257 bytes', signToken(rsa, payload, { kid: 'k'.repeat(257) }), 'unknown-key'],
  ['a kid that is a number', signToken(rsa, payload, { kid: 1 }), 'unknown-key'],
  ['a kid that is null', signToken(rsa, payload, { kid: null }), 'unknown-key'],
  ['crit', signToken(rsa, payload, { crit: ['exp2'], exp2: 1 }), 'critical-header'],
  ['an empty crit', signToken(rsa, payload, { crit: [] }), 'critical-header'],
  ['b64', signToken(rsa, payload, { b64: false }), 'critical-header'],
  ['zip', signToken(rsa, payload, { zip: 'DEF' }), 'encrypted'],
  ['JWE', `${base64url('{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483648}')}.a.b.c.d`, 'encrypted'],
  ['JWE in three parts', `${base64url('{"alg":"dir","enc":"A128GCM"}')}.${body}.${tail}`, 'encrypted'],
  ['two parts', `${head}.${body}`, 'malformed'],
  ['four parts', `${good}.${tail}`, 'malformed'],
  ['six parts', 'a.b.c.d.e.f', 'malformed'],
  ['nothing', '', 'malformed'],
  ['dots', '..', 'malformed'],
  ['JSON serialisation', JSON.stringify({ payload: body, protected: head, signature: tail }), 'malformed'],
  ['padding', `${head}.${body}.${tail}==`, 'malformed'],
  ['a space', `${head}.${body}. ${tail}`, 'malformed'],
  ['a line break', `${head}.${body}.${tail}\n`, 'malformed'],
  ['plain base64', `${head}.${body}.${tail.slice(0, -4)}+/+/`, 'malformed'],
  ['bits that mean nothing', `${head}.${body}.${looseLastCharacter(tail)}`, 'malformed'],
  ['a letter of another script', `${head}.${body}.${tail.slice(0, -1)}а`, 'malformed'],
  ['a payload that is a list', signToken(rsa, '[]'), 'malformed'],
  ['a payload that is a string', signToken(rsa, '"iss"'), 'malformed'],
  ['a payload that is null', signToken(rsa, 'null'), 'malformed'],
  ['no payload', signToken(rsa, ''), 'malformed'],
  ['a claim twice', signToken(rsa, '{"iss":"a","iss":"b"}'), 'malformed'],
  ['a header member twice', signToken(rsa, payload, '{"alg":"RS256","kid":"rsa","alg":"RS256"}'), 'malformed'],
  ['a header that is a list', withHeader('["alg"]'), 'malformed'],
  ['a header that nests deeply', withHeader(`{"alg":"RS256","kid":"rsa","a":${'['.repeat(20)}${']'.repeat(20)}}`), 'malformed'],
  ['typ that is a number', signToken(rsa, payload, { typ: 1 }), 'malformed'],
  ['16 KiB and one', signToken(rsa, { ...payload, pad: 'x'.repeat(MAX_TOKEN) }), 'too-large'],
  ['a megabyte of nothing', 'a'.repeat(1024 * 1024), 'too-large'],
  ['a megabyte of dots', '.'.repeat(1024 * 1024), 'too-large'],
  ['a changed payload', `${head}.${base64url('{"iss":"https://issuer","sub":"admin"}')}.${tail}`, 'signature'],
  ['a changed header', `${base64url('{"alg":"RS256","kid":"rsa","typ":"JWT"}')}.${body}.${tail}`, 'signature'],
  ['a signature that is short', `${head}.${body}.${base64url('short')}`, 'signature'],
  ['an ECDSA signature of zeros', zeros(signToken(ec, payload)), 'signature'],
  ['an ECDSA signature in DER', derSigned(), 'signature'],
  ['PSS with another salt', pssSigned(20), 'signature'],
]

for (const [name, token, reason] of hostile)
  test(`a token with ${name} is refused as ${reason}`, () => {
    assert.equal(judge(token), reason)
    assert.equal(judge(token), reason, 'the second time as well')
  })

test('a token of just 16 KiB is still read', () => {
  const size = (pad: number): number => signToken(rsa, { pad: 'x'.repeat(pad) }).length
  const pad = Math.floor(((MAX_TOKEN - size(0)) * 3) / 4)
  assert.equal(judge(signToken(rsa, { pad: 'x'.repeat(pad) })), 'accepted')
})

test('no token is accepted with a single character changed', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...[rsa, ec, ed, pss].map((key) => signToken(key, payload))),
      fc.nat(),
      fc.constantFrom(...Array.from('ABCXYZabcxyz0189-_.=+/ \n\u0000é')),
      (token, position, character) => {
        const at = position % token.length
        if (token[at] === character) return
        assert.notEqual(judge(token.slice(0, at) + character + token.slice(at + 1)), 'accepted')
      },
    ),
    { numRuns: 500 },
  )
})

test('random text is refused and nothing but refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: character, maxLength: 200 }),
        fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }).map((parts) => parts.map(base64url).join('.')),
      ),
      (text) => {
        assert.ok('outcome' in parseJwt(text))
      },
    ),
    { numRuns: 500 },
  )
})

test('what was signed is what was received, byte for byte', () => {
  assert.equal(readJws(good).signed, `${head}.${body}`)
})

/** The same octets with the unused bits of the last character set. */
function looseLastCharacter(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const loose = text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)!) | 1]
  assert.deepEqual(Buffer.from(loose, 'base64url'), Buffer.from(text, 'base64url'))
  assert.notEqual(loose, text)
  return loose
}

function zeros(token: string): string {
  return `${token.slice(0, token.lastIndexOf('.'))}.${base64url(new Uint8Array(64))}`
}

function derSigned(): string {
  const input = signToken(ec, payload).split('.').slice(0, 2).join('.')
  return `${input}.${sign('sha256', Buffer.from(input), { key: ec.privateKey, dsaEncoding: 'der' }).toString('base64url')}`
}

function pssSigned(saltLength: number): string {
  const input = signToken(pss, payload).split('.').slice(0, 2).join('.')
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return `${input}.${sign('sha256', Buffer.from(input), { key: pss.privateKey, padding, saltLength }).toString('base64url')}`
}
