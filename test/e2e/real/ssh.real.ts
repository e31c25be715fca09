/**
 * OpenSSH itself against a whole gateway: its authority, its keys, its agent, its signatures. Not part of `npm test`, which must run on a
 * machine without it; `.ci/run` installs it and runs this.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { AUDIENCE, openSshWorld, type SshWorld } from '../sshworld.ts'
import { ROOT, run, type Ran } from './demo.ts'

let folder: string
let world: SshWorld
let agent: ReturnType<typeof spawn>

const keys = (): string => join(folder, '.ssh')
const keygen = (...args: string[]): void => {
  const { status, stderr } = run('ssh-keygen', ['-q', ...args])
  assert.equal(status, 0, stderr)
}
/** Makes a key in `.ssh`. */
function key(name: string, type: string, ...more: string[]): string {
  const file = join(keys(), name)
  keygen('-t', type, '-N', '', '-C', name, '-f', file, ...more)
  return `${file}.pub`
}
/** Certifies it for an hour. */
const certify = (pub: string, principals: string, ...more: string[]): void =>
  keygen('-s', join(folder, 'ca'), '-I', 'reader-key', '-n', principals, '-V', '-5m:+1h', ...more, pub)

/** Runs `ostiary …` as whoever lives in the folder. The gateway is in this process, so it isn't waited for. */
function ostiary(...args: string[]): Promise<Ran> {
  const { SSH_AUTH_SOCK: _, ...rest } = process.env
  const env = { ...rest, ...environment, HOME: folder, XDG_CONFIG_HOME: join(folder, 'config'), OSTIARY_KEYRING: 'none' }
  const child = spawn('node', [join(ROOT, 'bin/ostiary.js'), ...args], { env, timeout: 20_000, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })))
}
let environment: Record<string, string> = {}
const token = (...args: string[]): Promise<Ran> => ostiary('token', '--ssh', '--audience', AUDIENCE, ...args)

async function reads(...args: string[]): Promise<number> {
  const { status, stdout, stderr } = await token(...args)
  assert.equal(status, 0, stderr)
  return (await world.ask(stdout.trim())).status
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ostiary-openssh-'))
  mkdirSync(keys(), { mode: 0o700 })
  for (const [name, type] of [
    ['ca', 'ed25519'],
    ['ca-rsa', 'rsa'],
    ['stranger', 'ed25519'],
  ] as const)
    keygen('-t', type, '-N', '', '-C', name, '-f', join(folder, name))
  const lines = ['ca.pub', 'ca-rsa.pub'].map((name) => readFileSync(join(folder, name), 'utf8')).join('')
  world = await openSshWorld(lines)
  const socket = join(folder, 'agent')
  agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    agent.once('error', reject)
    agent.stdout!.once('data', () => resolve())
  })
})
after(async () => {
  agent?.kill()
  await world?.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('OpenSSH', () => {
  const kinds: readonly (readonly [string, ...string[]])[] = [
    ['ed25519'],
    ['ecdsa', '-b', '256'],
    ['ecdsa', '-b', '521'],
    ['rsa', '-b', '3072'],
  ]
  for (const [type, ...bits] of kinds)
    test(`a key of ${[type, ...bits].join(' ')} reads an order`, async () => {
      const name = `work-${[type, ...bits.slice(1)].join('-')}`
      certify(key(name, type, ...bits), 'reader')
      assert.equal(await reads('--identity', join(keys(), name)), 200)
    })

  for (const algorithm of ['rsa-sha2-256', 'rsa-sha2-512'])
    test(`an RSA authority that signs with ${algorithm}`, async () => {
      const pub = key(`by-${algorithm}`, 'ed25519')
      keygen('-s', join(folder, 'ca-rsa'), '-t', algorithm, '-I', 'reader-key', '-n', 'reader', '-V', '+1h', pub)
      assert.equal(await reads('--identity', pub), 200)
    })

  test('what a certificate does not allow is 403, what it is not good for 401', async () => {
    const outcomes: Record<string, number> = {}
    for (const [what, ...args] of [
      ['another principal', '-n', 'shell'],
      ['no principal'],
      ['a command', '-n', 'reader', '-O', 'force-command=/bin/true'],
      ['an address', '-n', 'reader', '-O', 'source-address=127.0.0.1/32'],
      ['an unknown option', '-n', 'reader', '-O', 'critical:x@example.com=1'],
      ['an unknown extension', '-n', 'reader', '-O', 'extension:x@example.com=1'],
    ] as const) {
      const pub = key(what.replaceAll(' ', '-'), 'ed25519')
      keygen('-s', join(folder, 'ca'), '-I', 'reader-key', '-V', '+1h', ...args, pub)
      outcomes[what] = await reads('--identity', pub)
    }
    const stranger = key('of-a-stranger', 'ed25519')
    keygen('-s', join(folder, 'stranger'), '-I', 'reader-key', '-n', 'reader', '-V', '+1h', stranger)
    outcomes['a stranger'] = await reads('--identity', stranger)
    assert.deepEqual(outcomes, {
      'another principal': 403,
      'no principal': 401,
      'a command': 401,
      'an address': 401,
      'an unknown option': 401,
      'an unknown extension': 200,
      'a stranger': 401,
    })
  })

  test('what `ssh-keygen -k` put on a list is 401, and the rest is not', async () => {
    const [kept, left, lost] = ['kept', 'left', 'lost'].map((name) => key(name, 'ed25519')) as [string, string, string]
    certify(kept, 'reader', '-z', '41')
    certify(left, 'reader', '-z', '42')
    certify(lost, 'reader', '-z', '43')
    const specification = join(folder, 'specification')
    writeFileSync(specification, `serial: 42\nsha256: ${readFileSync(lost, 'latin1')}`)
    const list = join(folder, 'revoked')
    keygen('-k', '-f', list, '-s', join(folder, 'ca.pub'), specification)
    const again = await openSshWorld(readFileSync(join(folder, 'ca.pub'), 'utf8'), { revoked: list })
    try {
      const outcomes: number[] = []
      for (const pub of [kept, left, lost]) outcomes.push((await again.ask((await token('--identity', pub)).stdout.trim())).status)
      assert.deepEqual(outcomes, [200, 401, 401])
    } finally {
      await again.close()
    }
  })

  test('a certificate that has ended, and one of a host, are not even tried', async () => {
    const pub = key('ended', 'ed25519')
    certify(pub, 'reader', '-V', '-2h:-1h')
    assert.match((await token('--identity', pub)).stderr, /ended-cert\.pub is good from .* only/)
    const host = key('host', 'ed25519')
    certify(host, 'orders.example.com', '-h')
    assert.match((await token('--identity', host)).stderr, /there is no user certificate/)
  })

  test('without a certificate: said, and how to get one', async () => {
    const { status, stderr } = await token()
    assert.equal(status, 77)
    assert.match(stderr, /no user certificate of OpenSSH in .*\.ssh or in the agent/)
  })

  test('the key is found in `.ssh`, then in the agent, which alone has it', async () => {
    certify(key('id_ed25519', 'ed25519'), 'reader')
    assert.equal(await reads(), 200)
    environment = { SSH_AUTH_SOCK: join(folder, 'agent') }
    const env = { ...process.env, ...environment }
    assert.equal(spawnSync('ssh-add', ['-q', join(keys(), 'id_ed25519')], { env }).status, 0)
    renameSync(join(keys(), 'id_ed25519'), join(folder, 'gone'))
    assert.equal(await reads(), 200, 'public files are there')
    for (const name of ['id_ed25519.pub', 'id_ed25519-cert.pub']) rmSync(join(keys(), name))
    assert.equal(await reads(), 200, 'nothing is there')
    assert.equal(spawnSync('ssh-add', ['-q', '-D'], { env }).status, 0)
    assert.equal((await token()).status, 77)
    environment = {}
  })

  test('a passphrase is asked for by `ssh-keygen`', async () => {
    const file = join(keys(), 'locked')
    keygen('-t', 'ed25519', '-N', 'correct horse', '-f', file)
    certify(`${file}.pub`, 'reader')
    for (const [answer, good] of [
      ['correct horse', true],
      ['wrong', false],
    ] as const) {
      const askpass = join(folder, 'askpass')
      writeFileSync(askpass, `#!/bin/sh\necho '${answer}'\n`, { mode: 0o700 })
      environment = { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' }
      if (good) assert.equal(await reads('--identity', file), 200)
      else assert.match((await token('--identity', file)).stderr, /`ssh-keygen` did not sign with the key of .*locked/)
    }
    environment = {}
  })

  test('`ostiary login --ssh` and `whoami`', async () => {
    certify(key('admin', 'ed25519'), 'admin')
    const signedIn = await ostiary('login', '--ssh', '--audience', AUDIENCE, '--identity', join(keys(), 'admin'), '--admin', world.admin)
    assert.match(signedIn.stdout, /^signed in as reader-key until /, signedIn.stderr)
    assert.match((await ostiary('whoami', '--admin', world.admin)).stdout, /admin +claim principals contains admin/)
  })
})
