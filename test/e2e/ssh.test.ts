/** Certificates of OpenSSH through a whole gateway, from the command line to the upstream and the record. `real/ssh.real.ts` does it with OpenSSH. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { openSshHome, type SshHome } from '../../src/cli/ssh/testing.ts'
import { loadConfiguration } from '../../src/server/configuration.ts'
import {
  standinCertificate,
  standinKey,
  standinSshMessage,
  standinSshSig,
  standinSshToken,
  type StandinCertificate,
} from '../../src/testing/standin-ssh.ts'
import { AUDIENCE, openSshWorld, type SshWorld } from './sshworld.ts'

const caller = standinKey('ed25519')
let home: SshHome
let world: SshWorld
describe('SSH certificates', () => {
  before(async () => {
    home = openSshHome()
    world = await openSshWorld(home.authority.line)
  })
  after(async () => {
    await world.close()
    home.remove()
  })

  function tokenOf(certificate: Partial<StandinCertificate> = {}, audience = AUDIENCE): string {
    const message = standinSshMessage(audience, Date.now())
    return standinSshToken(
      standinCertificate({ by: home.authority, key: caller, ...certificate }),
      message,
      standinSshSig({ key: caller, message }),
    )
  }

  test('a certified person does what the policy role of a principal may, and no more', async () => {
    const token = tokenOf({ principals: ['reader', 'shell'] })
    const { status, body } = await world.ask(token)
    assert.equal(status, 200, body)
    const [subject, roles, authorization] = JSON.parse(body) as string[]
    assert.deepEqual([subject, authorization], ['reader-key', null], 'the upstream never sees the token')
    assert.match(String(roles), /reader/)
    assert.equal((await world.ask(token, '/orders/7', 'DELETE')).status, 403)
    assert.equal((await world.ask(tokenOf({ principals: ['shell'] }))).status, 403)
  })

  test('strangers, hosts, addresses, what has ended and what is for others are 401', async () => {
    for (const token of [
      tokenOf({ by: standinKey('ed25519') }),
      tokenOf({ kind: 2 }),
      tokenOf({ principals: [] }),
      tokenOf({ validBefore: 1_700_000_001n }),
      tokenOf({ criticalOptions: [['source-address', '127.0.0.1/32']] }),
      tokenOf({}, 'payments.example.com'),
      `${tokenOf()}AAAA`,
    ])
      assert.equal((await world.ask(token)).status, 401)
  })

  test('`ostiary login --ssh` signs in to the gateway, and `whoami` says why one is who one is', async () => {
    home.key('id_ed25519', { principals: ['admin', 'reader'], keyId: 'admin-key' })
    assert.match(await home.ostiary('login', '--ssh', '--audience', AUDIENCE, '--admin', world.admin), /^0 signed in as admin-key until/)
    const who = await home.ostiary('whoami', '--admin', world.admin)
    assert.match(who, /^0 admin-key \(human\)\nissuer {3}people\nsubject {2}admin-key\n/)
    assert.match(who, /admin +claim principals contains admin/)
    // The key is shut out by what `ssh-keygen -l` calls it, also for tokens that it signs from now on.
    assert.equal((await world.ask(tokenOf())).status, 200)
    const revoked = await home.ostiary('revoke', 'token', 'people', caller.fingerprint, '--reason', 'lost', '--admin', world.admin)
    assert.match(revoked, /^0 revoked: token people SHA256:.*; until it is lifted/)
    assert.equal((await world.ask(tokenOf())).status, 401)
    assert.match(
      await home.ostiary('login', '--ssh', '--audience', 'payments.example.com', '--admin', world.admin),
      /^77 .*sign-in failed/s,
    )
  })

  test('two issuers of this kind are refused, at their place', () => {
    const issuers = world.wiring['issuers'] as Record<string, unknown>
    const twice = { ...world.wiring, issuers: { ...issuers, other: issuers['people'] } }
    writeFileSync(join(world.folder, 'ostiary.yaml'), stringify(twice, { aliasDuplicateObjects: false }))
    const { policy, diagnostics } = loadConfiguration(world.folder)
    assert.equal(policy, undefined)
    assert.deepEqual(
      diagnostics.map(({ code, span }) => [code, span?.file]),
      [['identity/single-kind', 'ostiary.yaml']],
    )
  })

  test('nothing that was kept or logged holds a token', async () => {
    const kept = await world.stopped()
    assert.ok(
      kept.includes('reader-key') && kept.includes(home.authority.fingerprint),
      'the record says who it was, and by which authority',
    )
    for (const secret of ['ostiary-ssh.', 'SSHSIG', tokenOf().slice(-60)]) assert.ok(!kept.includes(secret), secret)
  })
})
