/** `ostiary kube-token` and `ostiary kubeconfig` as kubectl and people run them, against a stand-in that counts what is redeemed. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { parse } from 'yaml'
import { forget, keep, keepToken, kept, keptToken } from '../../src/cli/credentials.ts'
import { credential } from '../../src/cli/kubernetes/credential.ts'
import { startStandIn, type StandIn } from '../../src/cli/kubernetes/testing.ts'
import { currentLogin, currentToken } from '../../src/cli/signin/lasting.ts'
import { OstiaryError } from '../../src/core/errors.ts'

const AKS = '6dae42f8-4368-4678-94ff-3960e28e3630'
const SCOPE = `${AKS}/.default`
const environment: Record<string, string> = { XDG_CONFIG_HOME: '', OSTIARY_KEYRING: 'none', BROWSER: 'true' }

interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

describe('a token for kubectl', () => {
  const had: Record<string, string | undefined> = {}
  let folder: string
  let standIn: StandIn
  let file: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-kubetoken-'))
    environment['XDG_CONFIG_HOME'] = folder
    file = join(folder, 'ostiary/credentials.json')
    for (const [name, value] of Object.entries(environment)) {
      had[name] = process.env[name]
      process.env[name] = value
    }
  })
  after(async () => {
    await standIn.close()
    for (const [name, value] of Object.entries(had)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(async () => {
    await standIn?.close()
    standIn = await startStandIn()
    rmSync(file, { force: true })
  })

  const HOUR = 3_600_000
  const signedIn = (life: number, more: object = {}): Promise<string> =>
    keep(standIn.url, { token: 'kept', expires: Date.now() + life, refresh: { token: standIn.refresh(), issuer: 'entra' }, ...more })
  const info = (interactive: boolean): string =>
    JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', spec: { interactive } })

  /** As kubectl runs it. */
  function ostiary(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [join(import.meta.dirname, '../../bin/ostiary.js'), ...args], {
        env: { ...process.env, KUBERNETES_EXEC_INFO: info(false), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 60_000,
      })
      let stdout = ''
      let stderr = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
      child.once('close', (status) => resolve({ status, stdout, stderr }))
    })
  }

  function tokenOf(text: string): string {
    const { status, ...rest } = JSON.parse(text) as { readonly status: { readonly token: string; readonly expirationTimestamp: string } }
    assert.deepEqual(rest, { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential' })
    const left = Date.parse(status.expirationTimestamp) - Date.now()
    assert.ok(left > 0 && left <= HOUR - 59_000, `kubectl asks again ${left} ms from now`)
    return status.token
  }

  const ask = (scope?: string, more: { readonly terminal?: boolean; readonly env?: NodeJS.ProcessEnv } = {}): Promise<string> =>
    credential({ url: standIn.url, scope }, { env: { KUBERNETES_EXEC_INFO: info(false) }, terminal: true, say: assert.fail, ...more })
  const failsBy = (code: string, reason: RegExp) => (error: unknown) =>
    error instanceof OstiaryError && error.code === code && reason.test(error.message)

  test('is renewed once, however many kubectl run at the same time, and is only on standard output', async () => {
    await signedIn(30_000)
    standIn.delay = 300
    const all = await Promise.all(Array.from({ length: 10 }, () => ostiary(['kube-token', '--admin', standIn.url])))
    for (const { status, stderr, stdout } of all) {
      assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
      assert.equal(tokenOf(stdout), 'gateway-1')
    }
    assert.deepEqual(standIn.redeemed, [null])
    assert.equal((await kept(standIn.url))!.refresh!.token, standIn.refresh())
    assert.equal(statSync(file).mode & 0o777, 0o600)
    // From now on it is answered by the short way, which says the same.
    const [short, long] = [await ostiary(['kube-token', '--admin', standIn.url]), await ask()]
    assert.deepEqual(JSON.parse(short.stdout), JSON.parse(long))
  })

  test('without a sign-in is one line that says what to run, and nothing on standard output', async () => {
    const { status, stdout, stderr } = await ostiary(['kube-token', '--admin', standIn.url])
    assert.deepEqual({ status, stdout }, { status: 77, stdout: '' })
    assert.equal(stderr, `ostiary: nobody is signed in to the gateway at ${standIn.url}: run \`ostiary login --admin ${standIn.url}\`\n`)
  })

  test('is not told from a refusal of what kubectl says', async () => {
    await signedIn(HOUR)
    const { status, stdout, stderr } = await ostiary(['kube-token', '--admin', standIn.url], { KUBERNETES_EXEC_INFO: '{"kept' })
    assert.deepEqual({ status, stdout }, { status: 65, stdout: '' })
    assert.match(stderr, /^ostiary: `KUBERNETES_EXEC_INFO` is not JSON: [^\n]+\n$/)
  })

  test('of a file that others can read is answered, and the file is theirs no longer', async () => {
    await signedIn(HOUR)
    chmodSync(file, 0o644)
    assert.equal(tokenOf((await ostiary(['kube-token', '--admin', standIn.url])).stdout), 'kept')
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  describe('for a cluster with an audience of its own', () => {
    test('is another one, got and kept beside the sign-in, and the sign-in goes on', async () => {
      await signedIn(HOUR)
      assert.equal(tokenOf(await ask(SCOPE)), `${SCOPE}-1`)
      assert.equal(tokenOf(await ask(SCOPE)), `${SCOPE}-1`)
      assert.equal(tokenOf((await ostiary(['kube-token', '--admin', standIn.url, '--scope', SCOPE])).stdout), `${SCOPE}-1`)
      assert.equal(tokenOf(await ask()), 'kept')
      assert.deepEqual(standIn.redeemed, [`${SCOPE} offline_access`])
      // From now on it has to be said what a token of the gateway is for: the last one was for something else.
      const login = (await kept(standIn.url))!
      await keep(standIn.url, { ...login, expires: Date.now() })
      assert.equal(tokenOf(await ask()), 'openid-2')
      assert.equal(standIn.redeemed[1], 'openid gateway offline_access')
    })

    test('is gone with the sign-in', async () => {
      await signedIn(HOUR)
      await ask(SCOPE)
      assert.equal(await forget(standIn.url), true)
      assert.equal(await keptToken(standIn.url, SCOPE), undefined)
      assert.doesNotMatch(readFileSync(file, 'utf8'), /default-1/)
      await assert.rejects(ask(SCOPE), failsBy('cli/kube-not-signed-in', /nobody is signed in/))
      // Nor is it used where only it was left.
      await keepToken(standIn.url, SCOPE, { token: 'left', expires: Date.now() + HOUR })
      await assert.rejects(ask(SCOPE), failsBy('cli/kube-not-signed-in', /nobody is signed in/))
      assert.equal((await ostiary(['kube-token', '--admin', standIn.url, '--scope', SCOPE])).status, 77)
    })

    test('that the provider does not give is told, and the sign-in stays', async () => {
      await signedIn(HOUR)
      standIn.refusing = { status: 400, error: 'invalid_grant', error_description: 'AADSTS65001: no consent\u001b[2J' }
      await assert.rejects(ask(SCOPE), failsBy('cli/kube-refused', /no token for `6dae42f8[^`]+` \(AADSTS65001: no consent \[2J\)/))
      assert.notEqual((await kept(standIn.url))!.refresh, undefined)
    })
  })

  describe('whose sign-in can not be renewed', () => {
    test('is over for good where the provider says so, and it is asked no more', async () => {
      await signedIn(-1)
      standIn.refusing = { status: 400, error: 'invalid_grant', error_description: 'AADSTS70043: the refresh token has expired' }
      await assert.rejects(ask(), failsBy('cli/kube-over', /is over \(AADSTS70043/))
      await assert.rejects(ask(), failsBy('cli/kube-over', /is over \(its token has ended\)/))
      assert.equal(standIn.redeemed.length, 1)
    })

    test('is tried again where the provider could not say', async () => {
      await signedIn(-1)
      for (const [status, error] of [
        [503, 'temporarily_unavailable'],
        [429, 'slow_down'],
      ] as const) {
        standIn.refusing = { status, error }
        await assert.rejects(ask(), failsBy('cli/kube-unavailable', /could not be renewed/))
      }
      standIn.refusing = { status: 400, error: 'unauthorized_client' }
      await assert.rejects(ask(), failsBy('cli/kube-refused', /unauthorized_client/))
      standIn.refusing = undefined
      assert.equal(tokenOf(await ask()), 'gateway-1')
    })

    test('is used while it is good', async () => {
      await signedIn(30_000)
      standIn.refusing = { status: 503, error: 'temporarily_unavailable' }
      assert.equal(tokenOf(await ask()), 'kept')
      assert.equal((await currentLogin(standIn.url))!.token, 'kept')
    })

    test('asks nobody where kubectl does not permit it, or nobody is there', async () => {
      await assert.rejects(ask(undefined, { terminal: true, env: { KUBERNETES_EXEC_INFO: info(false) } }), /nobody is signed in/)
      await assert.rejects(ask(undefined, { terminal: false, env: { KUBERNETES_EXEC_INFO: info(true) } }), /nobody is signed in/)
      await assert.rejects(ask(undefined, { terminal: false, env: {} }), /nobody is signed in/)
      // Where it may, it begins: this provider has neither pages nor codes.
      await assert.rejects(ask(undefined, { env: { KUBERNETES_EXEC_INFO: info(true) } }), failsBy('cli/login-failed', /sign-in failed/))
    })
  })

  test('can be given from outside', async () => {
    const exp = Math.floor(Date.now() / 1000) + 600
    const jwt = `e30.${Buffer.from(JSON.stringify({ exp })).toString('base64url')}.x`
    const env = { KUBERNETES_EXEC_INFO: info(false), OSTIARY_TOKEN: jwt }
    assert.equal(tokenOf(await ask(undefined, { env })), jwt)
    await assert.rejects(ask(SCOPE, { env }), failsBy('cli/kube-not-signed-in', /nobody is signed in/))
  })

  describe('of a workload', () => {
    let platform: Server
    let audiences: string[] = []
    before(async () => {
      platform = createServer((request, response) => {
        const audience = new URL(request.url!, 'http://x').searchParams.get('audience')!
        audiences.push(audience)
        const exp = Math.floor(Date.now() / 1000) + 300
        const value = `e30.${Buffer.from(JSON.stringify({ exp, aud: audience })).toString('base64url')}.x`
        response.writeHead(audience === 'broken' ? 500 : 200).end(JSON.stringify({ value }))
      })
      await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve))
      process.env['ACTIONS_ID_TOKEN_REQUEST_URL'] = `http://127.0.0.1:${(platform.address() as AddressInfo).port}/`
      process.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] = 'job'
    })
    after(() => {
      delete process.env['ACTIONS_ID_TOKEN_REQUEST_URL']
      delete process.env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']
      return new Promise((resolve) => platform.close(resolve))
    })
    beforeEach(() => {
      audiences = []
    })
    const claims = (token: string): { readonly aud: string } =>
      JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { readonly aud: string }

    test('is got anew from the platform, for each audience', async () => {
      await keep(standIn.url, { token: 'ended', expires: Date.now(), workload: { audience: 'gateway' } })
      assert.equal(claims(tokenOf(await ask())).aud, 'gateway')
      assert.equal(claims(tokenOf(await ask(SCOPE))).aud, AKS)
      await ask()
      await ask(SCOPE)
      assert.deepEqual(audiences, ['gateway', AKS])
    })

    test('is not there where the platform gives none', async () => {
      await keep(standIn.url, { token: 'ended', expires: Date.now(), workload: { audience: 'broken' } })
      const answer = await currentToken(standIn.url)
      assert.ok('none' in answer && answer.none === 'unavailable')
      assert.match(answer.reason, /answered 500/)
    })
  })

  describe('a kubeconfig', () => {
    const shop = { name: 'shop', server: 'https://door.example/clusters/shop', mode: 'impersonate' }
    const aks = { name: 'aks', server: 'https://door.example/clusters/aks', mode: 'pass-through', audience: AKS }

    test('is written by the command, and asks for tokens by this very program', async () => {
      await signedIn(HOUR)
      standIn.clusters = [shop, aks]
      const to = join(folder, 'written')
      const wrote = await ostiary(['kubeconfig', '--admin', standIn.url, '--kubeconfig', to, '--set-current'])
      assert.deepEqual({ status: wrote.status, stderr: wrote.stderr }, { status: 0, stderr: '' })
      assert.equal(wrote.stdout, `written to ${to}: shop, aks\nthe current context is shop\n`)
      const text = readFileSync(to, 'utf8')
      assert.doesNotMatch(text, /kept|refresh-0/)
      const { users } = parse(text) as { users: { user: { exec: { command: string; args: string[] } } }[] }
      const { command, args } = users[1]!.user.exec
      assert.equal(command, process.execPath)
      assert.deepEqual(args.slice(1), ['kube-token', '--admin', standIn.url, '--scope', SCOPE])
      assert.equal(
        (await ostiary(['kubeconfig', '--admin', standIn.url, '--kubeconfig', to])).stdout.split('\n')[0],
        `already in ${to}: shop, aks`,
      )
      const removed = await ostiary(['kubeconfig', 'shop', '--admin', standIn.url, '--kubeconfig', to, '--remove'])
      assert.equal(removed.stdout, `removed from ${to}: shop\n`)
    })

    test('is refused where the gateway refuses, or says what can not be believed', async () => {
      const told = async (): Promise<Ran> => ostiary(['kubeconfig', '--admin', standIn.url, '--print'])
      assert.match((await told()).stderr, /wants a sign-in/)
      await signedIn(HOUR)
      assert.match((await told()).stderr, /lists no cluster for you/)
      standIn.clusters = [{ ...shop, server: 'http://door.example' }]
      const { status, stdout, stderr } = await told()
      assert.deepEqual({ status, stdout }, { status: 76, stdout: '' })
      assert.match(stderr, /its cluster 1 has no server that is reached by https/)
    })
  })

  test('is not looked for in a file that is broken', async () => {
    await signedIn(HOUR)
    writeFileSync(file, '["kept"]', { mode: 0o600 })
    await assert.rejects(ask(), failsBy('cli/kube-not-signed-in', /nobody is signed in/))
  })
})
