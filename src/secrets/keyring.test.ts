import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { OstiaryError, type Code } from '../core/errors.ts'
import { ManualClock } from '../testing/clock.ts'
import { ed25519Key, isEndorsed, openKeyring, readPublicKeys, type PublicKey } from './keyring.ts'

function folder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'ostiary-keys-'))
  return { path: join(path, 'keys'), [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

function verifies(key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  const object = createPublicKey({ key: { ...key } as never, format: 'jwk' })
  return key.alg === 'ES256'
    ? verify('sha256', bytes, { key: object, dsaEncoding: 'ieee-p1363' }, signature)
    : verify(null, bytes, object, signature)
}

const message = Buffer.from('what is signed')

function code(expected: Code): (error: unknown) => boolean {
  return (error) => error instanceof OstiaryError && error.code === expected
}

test('keys are made on the first run, owner-only, and stay the same afterwards', () => {
  using dir = folder()
  const clock = new ManualClock()
  const keyring = openKeyring({ dir: dir.path, clock })
  assert.equal(statSync(dir.path).mode & 0o777, 0o700)
  for (const purpose of ['assertion', 'checkpoint', 'session'])
    assert.equal(statSync(join(dir.path, `${purpose}.json`)).mode & 0o777, 0o600)
  const again = openKeyring({ dir: dir.path, clock })
  for (const purpose of ['assertion', 'checkpoint'] as const) {
    const signature = again[purpose].sign(message)
    assert.equal(again[purpose].kid, keyring[purpose].kid)
    assert.equal(keyring.jwks(purpose).keys.length, 1)
    assert.ok(verifies(keyring.jwks(purpose).keys[0]!, message, signature))
    assert.ok(!verifies(keyring.jwks(purpose).keys[0]!, Buffer.from('else'), signature))
  }
  assert.deepEqual(again.sealing()[0].key.reveal(), keyring.sealing()[0].key.reveal())
  assert.equal(keyring.sealing()[0].key.reveal().length, 32)
  assert.deepEqual(keyring.sessionKey.reveal(), keyring.sealing()[0].key.reveal())
  assert.ok(keyring.origins().every(({ why, createdAt }) => why === 'first run' && createdAt === clock.now()))
})

test('what is published holds nothing private', () => {
  using dir = folder()
  const keyring = openKeyring({ dir: dir.path, clock: new ManualClock() })
  for (const purpose of ['assertion', 'checkpoint'] as const) {
    for (const jwks of [keyring.jwks(purpose), readPublicKeys(dir.path, purpose)])
      for (const key of jwks.keys)
        assert.deepEqual(
          Object.keys(key).filter((name) => !['kty', 'crv', 'x', 'y', 'kid', 'alg', 'use'].includes(name)),
          [],
        )
  }
})

test('after a rotation the new key signs, and the old one is published for the overlap only', () => {
  using dir = folder()
  const clock = new ManualClock()
  const keyring = openKeyring({ dir: dir.path, clock })
  const signer = keyring.assertion
  const old = signer.sign(message)
  const { kid, previous, previousUntil } = keyring.rotate('assertion')
  assert.equal(signer.kid, kid)
  assert.notEqual(kid, previous)
  assert.equal(previousUntil, clock.now() + 3_600_000)
  assert.deepEqual(
    keyring.jwks('assertion').keys.map((key) => key.kid),
    [kid, previous],
  )
  assert.ok(verifies(keyring.jwks('assertion').keys[1]!, message, old))
  assert.ok(verifies(keyring.jwks('assertion').keys[0]!, message, signer.sign(message)))
  const reopened = openKeyring({ dir: dir.path, clock })
  assert.deepEqual(reopened.jwks('assertion'), keyring.jwks('assertion'))
  clock.advance(3_600_000)
  assert.deepEqual(
    keyring.jwks('assertion').keys.map((key) => key.kid),
    [kid],
  )
})

test('a retired signing key can no longer sign: its private part is gone from the file', () => {
  using dir = folder()
  const keyring = openKeyring({ dir: dir.path, clock: new ManualClock() })
  const before = JSON.parse(readFileSync(join(dir.path, 'checkpoint.json'), 'utf8')) as { keys: { secret: string }[] }
  keyring.rotate('checkpoint')
  const after = readFileSync(join(dir.path, 'checkpoint.json'), 'utf8')
  assert.ok(!after.includes(before.keys[0]!.secret))
})

test('checkpoint keys are published for ever, each endorsed by the one before', () => {
  using dir = folder()
  const clock = new ManualClock()
  const keyring = openKeyring({ dir: dir.path, clock })
  const first = keyring.jwks('checkpoint').keys[0]!
  const { kid, endorsement, previousUntil } = keyring.rotate('checkpoint')
  assert.equal(previousUntil, undefined)
  assert.ok(isEndorsed(ed25519Key(first.x)!, kid, endorsement!.x, endorsement!.signature))
  assert.ok(!isEndorsed(ed25519Key(first.x)!, `${kid}x`, endorsement!.x, endorsement!.signature))
  assert.ok(!isEndorsed(ed25519Key(endorsement!.x)!, kid, endorsement!.x, endorsement!.signature))
  clock.advance(10 * 365 * 86_400_000)
  keyring.rotate('checkpoint')
  assert.equal(keyring.jwks('checkpoint').keys.length, 3)
  assert.equal(readPublicKeys(dir.path, 'checkpoint').keys.length, 3)
})

test('a rotated session key still opens for the overlap', () => {
  using dir = folder()
  const clock = new ManualClock()
  const keyring = openKeyring({ dir: dir.path, clock, overlap: { session: 1000 } })
  const old = keyring.sealing()[0]
  keyring.rotate('session')
  assert.equal(keyring.sealing().length, 2)
  assert.deepEqual(keyring.sealing()[1]!.key.reveal(), old.key.reveal())
  clock.advance(1000)
  assert.equal(keyring.sealing().length, 1)
  assert.notEqual(keyring.sealing()[0].kid, old.kid)
})

test('keys that others can read are refused', () => {
  using dir = folder()
  const clock = new ManualClock()
  openKeyring({ dir: dir.path, clock })
  for (const mode of [0o640, 0o604, 0o660]) {
    chmodSync(join(dir.path, 'assertion.json'), mode)
    assert.throws(() => openKeyring({ dir: dir.path, clock }), code('secrets/key-file-open'))
  }
  chmodSync(join(dir.path, 'assertion.json'), 0o600)
  chmodSync(dir.path, 0o750)
  assert.throws(() => openKeyring({ dir: dir.path, clock }), code('secrets/key-folder-open'))
})

test('a key file that is not what was written is refused, and its content is never shown', () => {
  using dir = folder()
  const clock = new ManualClock()
  openKeyring({ dir: dir.path, clock })
  const file = join(dir.path, 'assertion.json')
  const good = readFileSync(file, 'utf8')
  const secret = (JSON.parse(good) as { keys: { secret: string }[] }).keys[0]!.secret
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, mask, cut) => {
      const bytes = Buffer.from(good)
      if (cut) writeFileSync(file, bytes.subarray(0, at))
      else {
        bytes[at]! ^= mask
        writeFileSync(file, bytes)
      }
      try {
        openKeyring({ dir: dir.path, clock })
      } catch (error) {
        assert.ok(error instanceof OstiaryError && error.code === 'secrets/key-file', String(error))
        assert.ok(!`${error.message}${error.help}${String(error.cause)}`.includes(secret.slice(0, 12)))
      }
    }),
    { numRuns: 150 },
  )
  // A private part of another key: the signature would never verify.
  const other = JSON.parse(good) as { keys: { kid: string }[] }
  other.keys[0]!.kid = 'another'
  writeFileSync(file, JSON.stringify(other))
  assert.throws(() => openKeyring({ dir: dir.path, clock }), code('secrets/key-file'))
})

test('a folder that is none is a clear error', () => {
  using dir = folder()
  writeFileSync(join(dir.path, '..', 'file'), '')
  assert.throws(() => openKeyring({ dir: join(dir.path, '..', 'file'), clock: new ManualClock() }), code('secrets/key-folder'))
})
