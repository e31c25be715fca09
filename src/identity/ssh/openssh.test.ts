/** What OpenSSH itself wrote (`testdata/make.sh`), so that a mistake that the stand-in shares is seen. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { standinSshMessage, standinSshToken } from '../../testing/standin-ssh.ts'
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
