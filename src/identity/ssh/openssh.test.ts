/** What OpenSSH itself wrote (`testdata/make.sh`), so that a mistake that the stand-in shares is seen. */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { standinSshMessage, standinSshToken } from '../../testing/standin-ssh.ts'
import { readBlobLine } from './authorities.ts'
import { fingerprintOf } from './keys.ts'
import { readKrl } from './krl.ts'
import { identified, said, testDeps, testIdentity } from '../testing.ts'

const folder = join(import.meta.dirname, 'testdata')
const files = readdirSync(folder).filter((name) => name.endsWith('.txt'))
/** When the signatures were made; the tests' clock begins then. */
const AT = Date.UTC(2026, 0, 1)

const ALGORITHMS: Readonly<Record<string, string>> = {
  'ed25519.txt': 'ssh-ed25519',
  'ecdsa-256.txt': 'ecdsa-sha2-nistp256',
  'ecdsa-384.txt': 'ecdsa-sha2-nistp384',
  'ecdsa-521.txt': 'ecdsa-sha2-nistp521',
  'rsa-3072.txt': 'rsa-sha2-512',
}

describe('OpenSSH', () => {
  test('a revocation list is read whole', () => {
    const [ca = '', ...keys] = readFileSync(join(folder, 'revoked.keys'), 'latin1').trim().split('\n')
    const [authority, a, b, c] = [ca, ...keys].map((line) => fingerprintOf(readBlobLine(line, 1)))
    const all = readKrl(readFileSync(join(folder, 'revoked.krl'), 'latin1'))
    assert.deepEqual(
      all.map((one) => (one.by === 'key' ? undefined : one.authority)).filter((one) => one !== undefined),
      Array.from({ length: 5 }, () => authority),
    )
    const serials = all.filter((one) => one.by === 'serial')
    const candidates = [0n, 4n, 5n, 6n, 9n, 10n, 11n, 12n, 13n, 99n, 100n, 101n, 102n, 103n, 104n, 106n, 107n, 108n, 899n, 900n, 1_000_000n]
    const told = [...candidates, 1_000_001n, 2n ** 64n - 2n, 2n ** 64n - 1n].filter((serial) => serials.some((one) => one.includes(serial)))
    assert.deepEqual(told, [5n, 10n, 11n, 12n, 100n, 102n, 103n, 107n, 900n, 1_000_000n, 2n ** 64n - 1n])
    assert.deepEqual(
      all.filter((one) => one.by === 'id').map(({ value }) => value),
      ['left'],
    )
    const sha1 = hash('sha1', readBlobLine(keys[2]!, 1))
    assert.deepEqual(new Set(all.filter((one) => one.by === 'key').map(({ value }) => value)), new Set([a, b, sha1]))
    assert.ok(c !== undefined && !all.some((one) => one.name === c))
  })

  test('of every kind there is a file', () => assert.deepEqual(files.toSorted(), Object.keys(ALGORITHMS).toSorted()))

  for (const file of files)
    test(`${file} is believed, and not with another message`, async () => {
      const [ca = '', line = '', ...armoured] = readFileSync(join(folder, file), 'latin1').split('\n')
      const deps = testDeps()
      writeFileSync(join(deps.folder, 'cas'), ca)
      const config = { kind: 'ssh', audiences: ['orders.example.com'], authorities: 'cas', subject: 'keyId' }
      const identities = testIdentity({ people: config }, deps)
      try {
        assert.equal(deps.clock.now(), AT)
        const certificate = Buffer.from(line.split(' ')[1]!, 'base64')
        const signature = Buffer.from(armoured.slice(1, armoured.indexOf('-----END SSH SIGNATURE-----')).join(''), 'base64')
        const token = (message: string): string => standinSshToken(certificate, message, signature)
        const message = standinSshMessage('orders.example.com', AT)
        const { subject, claims, evidence } = await identified(identities, token(message))
        assert.deepEqual([subject, evidence.algorithm], ['reader-key', ALGORITHMS[file]])
        assert.deepEqual(
          [claims['principals'], claims['serial'], claims['extensions']],
          [['reader', 'publisher'], '42', ['login@example.com', 'permit-pty']],
        )
        assert.equal(await said(identities, token(message.replace('AAA', 'AAB'))), 'signature')
        deps.clock.advance(1000)
        assert.equal(await said(identities, token(standinSshMessage('orders.example.com', AT + 1000))), 'signature')
      } finally {
        await identities.close()
        deps.remove()
      }
    })
})
