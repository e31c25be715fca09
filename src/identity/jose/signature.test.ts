import assert from 'node:assert/strict'
import { constants, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { runs } from '../../testing/runs.ts'
import { algorithms, type AlgorithmName } from './algorithms.ts'
import { ecdsaSignature, isSigned, pssKey } from './signature.ts'

const MESSAGE = Buffer.from('what was signed')
const OTHER = Buffer.from('what was not')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const
const salts = { PS256: 32, PS384: 48, PS512: 64 } as const

const judge = (name: AlgorithmName, key: KeyObject, signature: Uint8Array, message = MESSAGE): boolean =>
  isSigned(algorithms.get(name)!, key, message, signature)

for (const [name, namedCurve] of Object.entries(curves) as [keyof typeof curves, string][]) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
  const { hash, length } = algorithms.get(name)!
  const made = (message: Buffer): Buffer => sign(hash, message, { key: privateKey, dsaEncoding: 'ieee-p1363' })

  test(`${name}: what is signed is good, whatever its numbers begin with, and of nothing else`, () => {
    // Enough that some begin with octets of zero: of ES512, whose first octet has one bit, every other one.
    for (let i = 0; i < runs({ ES256: 600, ES384: 200, ES512: 60 }[name]); i++) assert.equal(judge(name, publicKey, made(MESSAGE)), true)
    assert.equal(judge(name, publicKey, made(MESSAGE), OTHER), false)
  })

  test(`${name}: any two numbers are judged as node:crypto judges them side by side`, () => {
    const good = made(MESSAGE)
    const number = fc.oneof(
      fc.constantFrom(
        Buffer.alloc(length! / 2),
        Buffer.alloc(length! / 2, 0xff),
        good.subarray(0, length! / 2),
        good.subarray(length! / 2),
      ),
      fc.uint8Array({ minLength: length! / 2, maxLength: length! / 2 }).map((bytes) => Buffer.from(bytes)),
      fc.nat({ max: 255 }).map((last) => Buffer.concat([Buffer.alloc(length! / 2 - 1), Buffer.from([last])])),
    )
    fc.assert(
      fc.property(number, number, (r, s) => {
        const signature = Buffer.concat([r, s])
        const expected = verify(hash, MESSAGE, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
        assert.equal(judge(name, publicKey, signature), expected)
      }),
      { numRuns: runs(60) },
    )
    assert.equal(judge(name, publicKey, good), true)
  })
}

test('numbers are written as DER has them', () => {
  const hex = (text: string): string => ecdsaSignature(Buffer.from(text, 'hex')).toString('hex')
  assert.equal(hex('0000'), '3006020100020100')
  assert.equal(hex('000100ff'), '3007020101020200ff')
  assert.equal(hex('80008000'), '300a02030080000203008000')
  const long = ecdsaSignature(Buffer.alloc(132, 0xff))
  assert.equal(long.subarray(0, 7).toString('hex'), '30818a024300ff')
})

for (const [name, salt] of Object.entries(salts) as [keyof typeof salts, number][]) {
  const { hash } = algorithms.get(name)!
  const made = (saltLength: number, key = rsa.privateKey): Buffer =>
    sign(hash, MESSAGE, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

  test(`${name}: a salt of ${salt} octets, and of no other length`, () => {
    assert.equal(judge(name, rsa.publicKey, made(salt)), true)
    assert.equal(judge(name, rsa.publicKey, made(salt), OTHER), false)
    for (const other of [0, 1, 20, salt - 1, salt + 1, 2 * salt]) assert.equal(judge(name, rsa.publicKey, made(other)), false, `${other}`)
  })

  test(`${name}: neither PKCS #1 v1.5 nor another hash`, () => {
    assert.equal(judge(name, rsa.publicKey, sign(hash, MESSAGE, rsa.privateKey)), false)
    for (const other of Object.keys(salts) as (keyof typeof salts)[])
      assert.equal(judge(other, rsa.publicKey, made(salt)), other === name, other)
  })

  test(`${name}: the hash of the mask is the message's`, () => {
    const masked = (mgf1HashAlgorithm: string): boolean => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa-pss', {
        modulusLength: 2048,
        hashAlgorithm: hash!,
        mgf1HashAlgorithm,
        saltLength: salt as unknown as string, // a number, whatever its type says
      })
      return judge(name, withoutParameters(publicKey), made(salt, privateKey))
    }
    assert.equal(masked(hash!), true)
    assert.equal(masked('sha1'), false)
  })

  test(`${name}: the key that verifies says what it is for`, () => {
    const { asymmetricKeyType, asymmetricKeyDetails } = pssKey(rsa.publicKey, hash!, salt)
    assert.equal(asymmetricKeyType, 'rsa-pss')
    const { hashAlgorithm, mgf1HashAlgorithm, saltLength, modulusLength } = asymmetricKeyDetails!
    assert.deepEqual([hashAlgorithm, mgf1HashAlgorithm, saltLength, modulusLength], [hash, hash, salt, 2048])
  })
}

test('keys as long as are accepted verify RSASSA-PSS', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072 })
  const signature = sign('sha256', MESSAGE, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
  assert.equal(judge('PS256', publicKey, signature), true)
  assert.equal(judge('PS256', rsa.publicKey, signature), false)
})

test('RS256 isn’t good as PS256, nor with another key', () => {
  const signature = sign('sha256', MESSAGE, rsa.privateKey)
  assert.equal(judge('RS256', rsa.publicKey, signature), true)
  assert.equal(judge('RS384', rsa.publicKey, signature), false)
  assert.equal(judge('RS256', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey, signature), false)
})

test('a signature of nonsense is not good, and nothing throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom<AlgorithmName>('RS256', 'PS256', 'PS512'), (signature, name) => {
      assert.equal(judge(name, rsa.publicKey, signature), false)
    }),
    { numRuns: runs(60) },
  )
})

/** An RSA-PSS key as the plain RSA key that it is made of: the last member of its SPKI. */
function withoutParameters(key: KeyObject): KeyObject {
  const spki = key.export({ type: 'spki', format: 'der' })
  const at = spki.indexOf(Buffer.from('0382', 'hex'))
  return createPublicKey({ key: spki.subarray(at + 5), type: 'pkcs1', format: 'der' })
}
