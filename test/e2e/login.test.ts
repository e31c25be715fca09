/** Signing in from the command line, against the demo's provider and a whole gateway: with a browser, by a code, as a workload. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { forget, kept, keep } from '../../src/cli/credentials.ts'
import { personLogin } from '../../src/cli/login.ts'
import { currentLogin } from '../../src/cli/signin/lasting.ts'
import { workloadToken } from '../../src/cli/signin/workload.ts'
import { readSources } from '../../src/config/load.ts'
import { OstiaryError } from '../../src/core/errors.ts'
import { Browser } from '../../src/demo/idp/testing.ts'
import { startDemo, type Demo } from '../../src/demo/index.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'

let folder: string
let demo: Demo
let gateway: Gateway
let admin: string
const environment = { XDG_CONFIG_HOME: '', OSTIARY_KEYRING: 'none', BROWSER: 'true' }
const before_: Record<string, string | undefined> = {}

describe('signing in from the command line', () => {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-login-'))
    environment.XDG_CONFIG_HOME = join(folder, 'home')
    for (const [name, value] of Object.entries(environment)) {
      before_[name] = process.env[name]
      process.env[name] = value
    }
    demo = await startDemo({ dataDir: join(folder, 'data'), ports: { idp: 0, orders: 0, door: 0, doorTls: 0, admin: 0 } })
    const read = () => ({ ...readSources(demo.configFolder), environment: demo.environment })
    gateway = await startGateway({ folder: demo.configFolder, read, dataDir: join(folder, 'data'), watch: false, log: () => undefined })
    admin = gateway.admin.url
  })
  after(async () => {
    await gateway.stop(0)
    await demo.close()
    for (const [name, value] of Object.entries(before_)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(() => forget(admin))

  const file = (): string => join(folder, 'home/ostiary/credentials.json')

  /** Signs in as somebody at the URL that the command line printed. */
  async function walk(url: string, account: string): Promise<string> {
    const browser = new Browser(demo.idp.authority)
    const { url: callback } = await browser.submit(await browser.open(url), { account })
    return callback
  }

  /** A sign-in with a browser, whose end the test plays. */
  function login(options: Parameters<typeof personLogin>[1] = { browser: true }) {
    let told: (url: string) => void
    const url = new Promise<string>((resolve) => (told = resolve))
    const signedIn = personLogin(admin, options, (line) => told(/open (\S+)/.exec(line)![1]!))
    signedIn.catch(() => undefined)
    return { url, signedIn }
  }

  describe('with a browser', () => {
    test('a person signs in, and the token is in a file that nobody else can read', async () => {
      const { url, signedIn } = login()
      const asked = new URL(await url)
      assert.equal(asked.searchParams.get('code_challenge_method'), 'S256')
      assert.match(asked.searchParams.get('redirect_uri')!, /^http:\/\/localhost:\d+\/$/)
      const page = await fetch(await walk(asked.href, 'auditor'))
      assert.match(await page.text(), /You are signed in/)
      const { subject, kept: where } = await signedIn
      assert.match(subject, /^auditor/)
      assert.equal(where, file())
      assert.equal(statSync(file()).mode & 0o777, 0o600)
      assert.equal((await currentLogin(admin))!.token, (await kept(admin))!.token)
      assert.equal(await forget(admin), true)
      assert.equal(await currentLogin(admin), undefined)
    })

    test('whoever comes to the port without the state of this sign-in gets nothing', async () => {
      const { url, signedIn } = login()
      const asked = new URL(await url)
      const origin = new URL(asked.searchParams.get('redirect_uri')!).origin
      const state = asked.searchParams.get('state')!
      for (const path of [
        '/',
        '/?code=x',
        '/?code=x&state=other',
        '/favicon.ico',
        `/other?code=x&state=${state}`,
        `//evil/?state=${state}`,
      ])
        assert.equal((await fetch(origin + path)).status, 404, path)
      assert.equal((await fetch(`${origin}/?code=x&state=${state}`, { method: 'POST' })).status, 404)
      assert.equal((await fetch(await walk(asked.href, 'reader'))).status, 200)
      assert.match((await signedIn).subject, /^reader/)
    })

    test('a code that the provider did not give signs nobody in', async () => {
      const { url, signedIn } = login()
      const asked = new URL(await url)
      const page = await fetch(`${asked.searchParams.get('redirect_uri')}?code=made-up&state=${asked.searchParams.get('state')}`)
      assert.equal(page.status, 400)
      await assert.rejects(signedIn, (error) => error instanceof OstiaryError && error.code === 'cli/login-failed')
      assert.equal(await kept(admin), undefined)
    })

    test('an answer that says no is told', async () => {
      const { url, signedIn } = login()
      const asked = new URL(await url)
      const query = new URLSearchParams({
        error: 'access_denied',
        error_description: 'AADSTS65004: declined\u001b[2J',
        state: asked.searchParams.get('state')!,
      })
      await fetch(`${asked.searchParams.get('redirect_uri')}?${query.toString()}`)
      await assert.rejects(signedIn, (error) => error instanceof OstiaryError && /AADSTS65004: declined \[2J/.test(error.message))
    })
  })

  describe('a sign-in that has ended', () => {
    test('goes on by its refresh token, once however many commands ask', async () => {
      const { url, signedIn } = login()
      await fetch(await walk(await url, 'admin'))
      await signedIn
      const first = (await kept(admin))!
      assert.notEqual(first.refresh, undefined)
      await keep(admin, { ...first, expires: Date.now() - 1 })
      const again = await Promise.all([1, 2, 3, 4].map(() => currentLogin(admin)))
      const next = (await kept(admin))!
      assert.notEqual(next.token, first.token)
      assert.notEqual(next.refresh!.token, first.refresh!.token, 'it is good once')
      assert.deepEqual(new Set(again.map((one) => one!.token)), new Set([next.token]))
    })

    test('is over where it can not be refreshed, and what is still good is used where the provider is not there', async () => {
      await keep(admin, { token: 'x', expires: Date.now() - 1 })
      assert.equal(await currentLogin(admin), undefined)
      const refresh = { token: 'not-a-refresh-token', issuer: 'entra' }
      await keep(admin, { token: 'x', expires: Date.now() - 1, refresh })
      assert.equal(await currentLogin(admin), undefined)
      await keep(admin, { token: 'still', expires: Date.now() + 30_000, refresh })
      assert.equal((await currentLogin(admin))!.token, 'still')
    })

    test('a file that is broken is a sign-in that is not there', async () => {
      await keep(admin, { token: 'x', expires: Date.now() + 1e6 })
      writeFileSync(file(), '{"half')
      assert.equal(await kept(admin), undefined)
      await keep(admin, { token: 'y', expires: Date.now() + 1e6 })
      assert.equal((JSON.parse(readFileSync(file(), 'utf8')) as Record<string, { token: string }>)[admin]!.token, 'y')
    })
  })

  describe('as a workload', () => {
    let server: Server
    let origin: string
    let seen: { readonly url: string; readonly headers: IncomingMessage['headers']; readonly body: string }[] = []
    before(async () => {
      server = createServer((request, response) => {
        let body = ''
        request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
        request.on('end', () => {
          seen.push({ url: request.url!, headers: request.headers, body })
          const token = { value: 'github-token', access_token: 'azure-token', token_type: 'Bearer', expires_in: '3600' }
          response.writeHead(request.url!.includes('broken') ? 500 : 200).end(JSON.stringify(token))
        })
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    })
    after(() => new Promise((resolve) => server.close(resolve)))
    beforeEach(() => {
      seen = []
    })

    test('of GitHub Actions, a stand-in', async () => {
      const env = { ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/token?api-version=2.0`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'job' }
      assert.deepEqual(await workloadToken('https://orders.example', undefined, env), { token: 'github-token', from: 'GitHub Actions' })
      assert.equal(seen[0]!.url, '/token?api-version=2.0&audience=https%3A%2F%2Forders.example')
      assert.equal(seen[0]!.headers.authorization, 'Bearer job')
      await assert.rejects(workloadToken('a', undefined, { ...env, ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/broken` }), /it answered 500/)
      await assert.rejects(workloadToken(undefined, undefined, env), /needs the audience/)
    })

    test('of Azure workload identity, a stand-in', async () => {
      const projected = join(folder, 'projected')
      writeFileSync(projected, 'projected-token\n')
      const env = {
        AZURE_FEDERATED_TOKEN_FILE: projected,
        AZURE_CLIENT_ID: 'client',
        AZURE_TENANT_ID: 'tenant',
        AZURE_AUTHORITY_HOST: origin,
      }
      assert.equal((await workloadToken('api://orders', undefined, env)).token, 'azure-token')
      assert.equal(seen[0]!.url, '/tenant/oauth2/v2.0/token')
      const form = new URLSearchParams(seen[0]!.body)
      assert.deepEqual(
        [form.get('scope'), form.get('client_id'), form.get('client_assertion')],
        ['api://orders/.default', 'client', 'projected-token'],
      )
    })

    test('of a managed identity, a stand-in', async () => {
      const env = { IDENTITY_ENDPOINT: `${origin}/msi/token`, IDENTITY_HEADER: 'secret' }
      assert.equal((await workloadToken('api://orders', undefined, env)).token, 'azure-token')
      assert.equal(seen[0]!.headers['x-identity-header'], 'secret')
    })

    test('by a file that the platform keeps', async () => {
      const own = join(folder, 'own')
      writeFileSync(own, 'file-token\n')
      assert.deepEqual(await workloadToken(undefined, own, {}), { token: 'file-token', from: own })
      assert.equal((await workloadToken('a', undefined, { OSTIARY_TOKEN_FILE: own })).token, 'file-token')
      writeFileSync(own, 'two words\n')
      await assert.rejects(workloadToken(undefined, own, {}), /gave no token/)
      await assert.rejects(workloadToken(undefined, join(folder, 'none'), {}), /ENOENT/)
    })

    test('nowhere', async () => {
      await assert.rejects(workloadToken('a', undefined, {}), (error) => error instanceof OstiaryError && error.code === 'cli/no-workload')
    })
  })
})
