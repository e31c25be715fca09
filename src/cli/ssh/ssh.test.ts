/** `ostiary token --ssh`: which certificate it takes, and that the gateway takes what it makes. */
import assert from 'node:assert/strict'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { readToken } from '../../identity/ssh/token.ts'
import { identified, testDeps, testIdentity } from '../../identity/testing.ts'
import { ManualClock } from '../../testing/clock.ts'
import { openSshHome, type SshHome } from './testing.ts'

const AUDIENCE = 'orders.example.com'
let home: SshHome
beforeEach(() => (home = openSshHome()))
afterEach(() => home.remove())

const token = async (...args: string[]): Promise<string> => (await home.ostiary('token', '--ssh', '--audience', AUDIENCE, ...args)).trim()
const certificateOf = (said: string): string => readToken(said.replace(/^0 /, '')).certificate.toString('base64')

test('what it makes, the gateway takes; nothing is left behind', async () => {
  home.key('id_ed25519', { validBefore: 2n ** 64n - 1n })
  const said = await token()
  assert.match(said, /^0 ostiary-ssh\.[A-Za-z0-9_-]+$/)
  const deps = testDeps({ clock: new ManualClock(Date.now()) })
  writeFileSync(join(deps.folder, 'cas'), home.authority.line)
  const identities = testIdentity({ people: { kind: 'ssh', audiences: [AUDIENCE], authorities: 'cas', subject: 'principal' } }, deps)
  try {
    assert.equal((await identified(identities, said.slice(2))).subject, 'reader')
  } finally {
    await identities.close()
    deps.remove()
  }
  assert.deepEqual(readdirSync(join(home.folder, 'tmp')), [])
})

test('how long it lasts is told, not beyond the certificate', async () => {
  const end = BigInt(Math.floor(Date.now() / 1000) + 90)
  home.key('id_ed25519', { validBefore: end })
  const { expires_in: remaining } = JSON.parse((await token('--json')).slice(2)) as { expires_in: number }
  assert.ok(remaining > 30 && remaining <= 90, String(remaining))
})

test('the first good certificate of `.ssh`, in ssh’s order, then the agent’s; one that is named in any case', async () => {
  const [ecdsa, ed25519] = [home.key('id_ecdsa'), home.key('id_ed25519')]
  assert.equal(certificateOf(await token()), ecdsa.toString('base64'))
  const agents = home.agent()
  home.key('id_ecdsa', { kind: 2 }) // a host's
  assert.equal(certificateOf(await token()), ed25519.toString('base64'))
  home.key('id_ed25519', { validBefore: 1_700_000_001n })
  assert.equal(certificateOf(await token()), agents.toString('base64'))
  const named = home.key('work')
  for (const name of ['work', 'work.pub', 'work-cert.pub'])
    assert.equal(certificateOf(await token('--identity', join(home.folder, '.ssh', name))), named.toString('base64'))
  // Where only the agent has the private key, `ssh-keygen` is given the public one.
  rmSync(join(home.folder, '.ssh/work'))
  assert.equal(certificateOf(await token('--identity', join(home.folder, '.ssh/work'))), named.toString('base64'))
})

test('what is missing is said', async () => {
  assert.match(await token(), /^77 .*no user certificate of OpenSSH in .*\.ssh or in the agent that can be used/s)
  assert.match(await token('--identity', '/nowhere/id'), /^77 .*no user certificate of OpenSSH beside \/nowhere\/id/s)
  assert.match(await home.ostiary('token', '--ssh'), /^2 .*--audience VALUE/s)
  assert.match(await home.ostiary('token', '--ssh', '--audience', 'a\nissued 0'), /^2 .*--audience VALUE/s)
  home.key('id_ed25519', { validBefore: 1_700_000_001n })
  assert.match(await token(), /^77 .*id_ed25519-cert\.pub is good from 2023-11-14T22:13:20\.000Z until 2023-11-14T22:13:21\.000Z only/s)
  home.key('id_ed25519', { validAfter: 2n ** 63n })
  assert.match(await token(), /^77 .* from later than any calendar until /s)
  home.key('id_ed25519')
  writeFileSync(join(home.folder, '.ssh/id_ed25519'), 'not a key')
  writeFileSync(join(home.folder, 'bin/ssh-keygen'), '#!/bin/sh\nexit 255\n')
  assert.match(await token(), /^77 .*`ssh-keygen` did not sign with the key of .*id_ed25519/s)
  writeFileSync(join(home.folder, 'bin/ssh-keygen'), '#!/bin/sh\nfor last; do :; done\necho nonsense > "$last.sig"\n')
  assert.match(await token(), /^77 .*`ssh-keygen` did not sign/s)
  rmSync(join(home.folder, 'bin/ssh-keygen'))
  assert.match(await token(), /^69 .*`ssh-keygen` can not be run/s)
})
