/** Tokens for kubectl from a provider with the form of Entra ID: by our own plugin, and asked for as kubelogin asks. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { decodeJwt } from 'jose'
import { fetch as fetchWith } from 'undici'
import { forget, keep, kept } from '../../src/cli/credentials.ts'
import { credential } from '../../src/cli/kubernetes/credential.ts'
import { readSources } from '../../src/config/load.ts'
import { CI_CLIENT, HOME_TENANT } from '../../src/demo/idp/accounts.ts'
import { CI_SECRET, CLI, ORDERS_API } from '../../src/demo/idp/registrations.ts'
import { Browser } from '../../src/demo/idp/testing.ts'
import { startDemo, type Demo } from '../../src/demo/index.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { assertJudged, BUILDER, openEntraWorld, PERSON, type EntraWorld } from './entraworld.ts'

function set(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}

describe('our own plugin', () => {
  // Where tests run by themselves, or over SSH, nobody would see a browser: somebody sits here.
  const environment: Record<string, string | undefined> = {
    XDG_CONFIG_HOME: '',
    OSTIARY_KEYRING: 'none',
    BROWSER: 'true',
    CI: undefined,
    SSH_CONNECTION: undefined,
  }
  const had: Record<string, string | undefined> = {}
  let folder: string
  let demo: Demo
  let gateway: Gateway
  let url: string
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-kubectl-'))
    environment['XDG_CONFIG_HOME'] = join(folder, 'home')
    for (const [name, value] of Object.entries(environment)) {
      had[name] = process.env[name]
      set(name, value)
    }
    demo = await startDemo({ dataDir: join(folder, 'data'), ports: { idp: 0, orders: 0, door: 0, doorTls: 0, admin: 0 } })
    const read = () => ({ ...readSources(demo.configFolder), environment: demo.environment })
    gateway = await startGateway({ folder: demo.configFolder, read, dataDir: join(folder, 'data'), watch: false, log: () => undefined })
    url = gateway.admin.url
  })
  after(async () => {
    await gateway.stop(0)
    await demo.close()
    for (const [name, value] of Object.entries(had)) set(name, value)
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(() => forget(url))

  const info = JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1beta1', kind: 'ExecCredential', spec: { interactive: true } })
  const env = { KUBERNETES_EXEC_INFO: info }
  const tokenOf = (text: string): string => (JSON.parse(text) as { readonly status: { readonly token: string } }).status.token
  const asks = async (token: string): Promise<number> =>
    (await fetch(`${url}/api/me`, { headers: { authorization: `Bearer ${token}` } })).status

  test('signs somebody in once where kubectl permits it, however many ask, and goes on by itself', async () => {
    const told: string[] = []
    let begun: (url: string) => void
    const began = new Promise<string>((resolve) => (begun = resolve))
    const say = (line: string): void => {
      told.push(line)
      begun(/open (\S+)/.exec(line)![1]!)
    }
    const two = [1, 2].map(() => credential({ url, scope: undefined }, { env, terminal: true, say }))
    const browser = new Browser(demo.idp.authority)
    await fetch((await browser.submit(await browser.open(await began), { account: 'reader' })).url)
    const [first, second] = (await Promise.all(two)).map(tokenOf)
    assert.equal(first, second)
    assert.equal(told.length, 1, 'one of them asked')
    assert.equal(await asks(first!), 200)
    const login = (await kept(url))!
    await keep(url, { ...login, expires: Date.now() })
    const renewed = tokenOf(await credential({ url, scope: undefined }, { env, terminal: false, say: assert.fail }))
    assert.notEqual(renewed, first)
    assert.equal(await asks(renewed), 200)
  })

  test('asks for the clusters with the sign-in, which the policy has to permit', async () => {
    for (const [account, status] of [
      ['admin', 200],
      ['reader', 403],
    ] as const) {
      const { token } = demo.idp.mint(account)
      const answer = await fetch(`${url}/api/clusters`, { headers: { authorization: `Bearer ${token}` } })
      assert.equal(answer.status, status)
      if (status === 200) assert.deepEqual(await answer.json(), [])
    }
  })
})

/** Azure/kubelogin asks for `<server-id>/.default` with the client of `--client-id` at the tenant of `--tenant-id`. */
describe('kubelogin', () => {
  let world: EntraWorld
  const SCOPE = `${ORDERS_API.clientId}/.default`
  before(async () => {
    world = await openEntraWorld()
  })
  after(() => world.close())

  const post = async (path: string, form: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>> => {
    const at = `${world.idp.authority}/${HOME_TENANT}/oauth2/v2.0/${path}`
    const answer = await fetchWith(at, { method: 'POST', body: new URLSearchParams(form), dispatcher: world.agent })
    return (await answer.json()) as Record<string, string>
  }

  function assertForm(token: string, client: string): void {
    const { aud, tid, azp, ver, oid } = decodeJwt(token)
    assert.deepEqual({ aud, tid, azp, ver }, { aud: ORDERS_API.clientId, tid: HOME_TENANT, azp: client, ver: '2.0' })
    assert.equal(typeof oid, 'string')
  }

  test('by a device code gets a person’s token that the gateway takes', async () => {
    const begun = await post('devicecode', { client_id: CLI.clientId, scope: `${SCOPE} openid offline_access profile` })
    const browser = new Browser(world.idp.authority, world.agent)
    const confirm = await browser.submit(await browser.open(begun['verification_uri']!), { user_code: begun['user_code']! })
    await browser.submit(await browser.submit(confirm, { confirm: 'yes' }), { account: 'reader' })
    const form = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: CLI.clientId, device_code: begun['device_code']! }
    const { access_token: token = '', scope } = await post('token', { ...form, scope: SCOPE })
    assert.ok(scope!.split(' ').includes(SCOPE), 'it looks for what it asked for')
    assertForm(token, CLI.clientId)
    await assertJudged(world, token, PERSON)
  })

  test('of a service principal gets a workload’s token that the gateway takes', async () => {
    const form = { grant_type: 'client_credentials', client_id: CI_CLIENT, client_secret: CI_SECRET, scope: SCOPE }
    const { access_token: token = '', scope } = await post('token', form)
    assert.equal(scope, undefined, 'an app has none, and any other than it asked for would be a refusal to it')
    assertForm(token, CI_CLIENT)
    await assertJudged(world, token, BUILDER)
  })

  test('with the id of another server gets a token that the gateway refuses', async () => {
    const form = { grant_type: 'client_credentials', client_id: CI_CLIENT, client_secret: CI_SECRET }
    const { access_token: token = '' } = await post('token', { ...form, scope: '0571a27e-0002-4000-8000-000000000003/.default' })
    const answer = await world.ask(token)
    assert.equal(answer.status, 401)
    assert.match(answer.headers.get('www-authenticate')!, /audience|another API/)
  })
})
