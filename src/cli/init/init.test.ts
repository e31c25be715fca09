import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { systemClock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { HOME_TENANT } from '../../demo/idp/accounts.ts'
import { startIdp } from '../../demo/idp/index.ts'
import { GATEWAY } from '../../demo/idp/registrations.ts'
import { Browser } from '../../demo/idp/testing.ts'
import { loadConfiguration, testConfiguration } from '../../server/configuration.ts'
import type { Finding } from '../../server/doctor/finding.ts'
import { startGateway } from '../../server/start.ts'
import { character } from '../../testing/text.ts'
import type { Given } from './answers.ts'
import { personAt, type Person } from './ask.ts'
import { init } from './init.ts'
import { initProviders, type InitProvider } from './flags.ts'
import type { Way } from './registration/text.ts'
import { asked, keepCookies, realProvider, standinApi, type Answered } from './testing.ts'

const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const CLIENT = '6e74172b-be56-4843-9ff4-e66a39bb12e3'

let folder: string

/** For the tests of a suite: hooks outside of one would be every file's. */
function inFolder(): void {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'init-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
}

interface Outcome {
  readonly wrong: boolean
  readonly ways: readonly Way[]
  readonly findings: readonly (readonly Finding[])[]
}

async function run(given: Given, more: { readonly person?: Person; readonly doctor?: boolean } = {}): Promise<Outcome> {
  let ways: readonly Way[] = []
  const findings: (readonly Finding[])[] = []
  const { wrong } = await init({
    folder,
    given,
    person: more.person,
    clock: systemClock,
    doctor: more.doctor ?? false,
    onWays: (told) => (ways = told),
    onWritten: () => undefined,
    onFindings: (told) => findings.push(told),
  })
  return { wrong, ways, findings }
}

const api = 'http://127.0.0.1:3000'
const GIVEN: Readonly<Record<InitProvider, Given>> = {
  entra: { provider: 'entra', tenant: TENANT, api, clientId: CLIENT },
  okta: { provider: 'okta', issuer: 'https://example.okta.com/oauth2/default', api, clientId: '0oa1' },
  keycloak: { provider: 'keycloak', issuer: 'https://id.example.com/realms/orders', api, clientId: 'ostiary-api' },
  auth0: { provider: 'auth0', issuer: 'https://example.eu.auth0.com/', api, clientId: 'x1' },
  google: { provider: 'google', domain: 'example.com', api, clientId: '1-x.apps.googleusercontent.com' },
  oidc: { provider: 'oidc', issuer: 'https://id.example.com', api, clientId: 'ostiary-api' },
}

describe('what is written', () => {
  inFolder()

  for (const provider of initProviders)
    for (const url of ['http://localhost:8080', 'https://orders.example.com'])
      test(`for ${provider} at ${url}: accepted by check and by its own tests, without a warning`, async () => {
        const { ways } = await run({ ...GIVEN[provider], url, name: 'orders' })
        assert.deepEqual(loadConfiguration(folder).diagnostics, [])
        const { results, coverage } = testConfiguration(folder)
        assert.ok(results.length >= 3 && results.every(({ passed }) => passed))
        assert.ok(!coverage.uncovered.rules.includes('read'))
        const text = ways.map((way) => way.text).join('\n')
        assert.ok(ways.length > 0 && ways.every((way) => way.text.includes(`${url}/.ostiary/callback/${provider}`)), text)
        assert.doesNotMatch(text, /undefined|00000000-0000-4000-8000/)
        assert.ok(readFileSync(join(folder, 'ostiary.yaml'), 'utf8').split('\n').length < 32)
      })

  test('says of Entra ID the page, the commands and the Terraform', async () => {
    const { ways } = await run({ ...GIVEN.entra, url: 'https://orders.example.com' })
    assert.deepEqual(
      ways.map(({ title }) => title.split(' ').slice(0, 3).join(' ')),
      ['On the page', 'With the Azure', 'With Terraform (provider'],
    )
    const [portal, az, terraform] = ways.map(({ text }) => text) as [string, string, string]
    assert.match(portal, /front-channel logout URL `https:\/\/orders\.example\.com\/\.ostiary\/frontchannel-logout\/entra`/)
    const body = /<<JSON\n([^]*)\nJSON\n/.exec(az)?.[1] ?? ''
    assert.deepEqual((JSON.parse(body) as { web: object }).web, {
      redirectUris: ['https://orders.example.com/.ostiary/callback/entra'],
      logoutUrl: 'https://orders.example.com/.ostiary/frontchannel-logout/entra',
    })
    assert.match(az, new RegExp(`^az login --tenant ${TENANT}\n`))
    assert.match(terraform, /redirect_uris = \["https:\/\/orders\.example\.com\/\.ostiary\/callback\/entra"\]/)
    assert.equal(terraform.match(/\{/g)?.length, terraform.match(/\}/g)?.length)
  })

  test('is never written over what is there', async () => {
    for (const path of ['ostiary.yaml', 'policy/access.yaml', 'policy/access.test.yaml']) {
      mkdirSync(join(folder, 'policy'), { recursive: true })
      writeFileSync(join(folder, path), 'mine')
      await assert.rejects(run(GIVEN.entra), (error) => {
        assert.ok(error instanceof OstiaryError)
        assert.equal(error.code, 'cli/init-exists')
        assert.ok(error.message.includes(join(folder, path)))
        return true
      })
      assert.equal(readFileSync(join(folder, path), 'utf8'), 'mine')
      assert.equal(
        ['ostiary.yaml', 'policy/access.yaml', 'policy/access.test.yaml'].filter((one) => existsSync(join(folder, one))).length,
        1,
      )
      rmSync(join(folder, path))
    }
  })
})

describe('answers', () => {
  inFolder()

  const usage = async (given: Given, says: RegExp): Promise<void> => {
    await assert.rejects(run(given), (error) => {
      assert.ok(error instanceof OstiaryError, String(error))
      assert.equal(error.code, 'cli/usage')
      assert.match(error.message, says)
      return true
    })
    assert.equal(existsSync(join(folder, 'ostiary.yaml')), false, 'nothing is written')
  }

  test('that are missing are named, all at once', async () => {
    await usage({}, /^missing: `--provider <name>`, `--api <url>`, `--client-id <id>`$/)
    await usage({ provider: 'entra' }, /^missing: `--tenant <id>`, `--api <url>`, `--client-id <id>`$/)
    await usage({ provider: 'oidc' }, /^missing: `--issuer <url>`, `--api <url>`, `--client-id <id>`$/)
  })

  test('that will not do are refused with what to write', async () => {
    await usage({ ...GIVEN.entra, provider: 'okto' }, /`--provider`: write one of entra, okta/)
    await usage({ ...GIVEN.entra, tenant: 'example.com' }, /`--tenant`: write the tenant id, a GUID/)
    await usage({ ...GIVEN.entra, issuer: 'https://x.example' }, /`--issuer <url>` is not for entra/)
    await usage({ ...GIVEN.auth0, issuer: 'https://x.example' }, /`--issuer`: write it with a slash at the end/)
    await usage({ ...GIVEN.keycloak, issuer: 'https://x.example' }, /`--issuer`: write it with the realm/)
    await usage({ ...GIVEN.entra, api: 'http://127.0.0.1:3000/path' }, /`--api`: write a URL without path/)
    await usage({ ...GIVEN.entra, url: 'http://orders.example.com' }, /`--url`: write https/)
    await usage({ ...GIVEN.entra, url: 'http://orders.localhost:8080' }, /`--url`: Entra ID takes no http for `orders\.localhost`/)
    await usage({ ...GIVEN.entra, name: 'ostiary' }, /`--name`: /)
    await usage({ ...GIVEN.entra, secret: 'hunter2' }, /`--secret`: write `env:NAME`/)
    await usage({ ...GIVEN.oidc, clientId: 'a b' }, /`--client-id`: write it without spaces/)
  })

  test('can not become anything but what they are', async () => {
    const text = fc.oneof(
      fc.string({ unit: character, maxLength: 40 }),
      fc.constantFrom('x: y', '[a]', '{a}', '#x', '*x', '1e3', 'true', "'", '"', '$(x)', '`x`', '- x'),
    )
    await fc.assert(
      fc.asyncProperty(text, text, async (clientId, audience) => {
        rmSync(folder, { recursive: true, force: true })
        mkdirSync(folder)
        try {
          const { ways } = await run({ ...GIVEN.keycloak, clientId, audience })
          assert.doesNotMatch(ways.map((way) => way.text.split('included_custom')[0]).join(''), /\$\(|\n- x/)
        } catch (error) {
          assert.ok(error instanceof OstiaryError && error.code === 'cli/usage', String(error))
          return
        }
        const { wiring } = loadConfiguration(folder)
        const { signIn, audiences } = wiring!.issuers['keycloak'] as unknown as { signIn: { clientId: string }; audiences: string[] }
        assert.deepEqual([signIn.clientId, audiences], [clientId.trim(), [audience.trim()]])
      }),
      { numRuns: 150 },
    )
  })

  test('are asked for one after the other, again where one will not do', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()]
    const person = personAt(input, output)
    input.end(`okto\nentra\n${TENANT}\n${api}\n\n${CLIENT}\n\n\n`)
    const { ways } = await run({}, { person })
    person.close()
    const told = String(output.read())
    assert.match(told, /Who signs people in .*: {3}write one of entra/)
    assert.match(told, /URL under which people reach it through the gateway \[http:\/\/localhost:8080\]: /)
    assert.match(told, new RegExp(`Audience that access tokens for the API have \\[${CLIENT}\\]: `))
    assert.ok(ways.length === 3)
    assert.deepEqual(loadConfiguration(folder).diagnostics, [])
  })

  test('that end too early leave nothing behind', async () => {
    const input = new PassThrough()
    const person = personAt(input, new PassThrough())
    input.end('entra\n')
    await assert.rejects(run({}, { person }), (error) => error instanceof OstiaryError && error.code === 'cli/init-ended')
    person.close()
    assert.equal(existsSync(join(folder, 'ostiary.yaml')), false)
  })
})

/** Starts what was written, and signs in with a browser: `enter` does at the provider what a person would. */
async function signedIn(
  host: string,
  issuer: string,
  enter: (location: string) => Promise<string>,
): Promise<{ readonly get: (path: string, method?: string) => Promise<Answered>; close(): Promise<void> }> {
  const gateway = await startGateway({ folder, watch: false })
  const { port } = gateway.doors[0]!
  const jar = new Map<string, string>()
  const get = async (path: string, method?: string): Promise<Answered> => {
    const answer = await asked(port, host, path, jar, method)
    keepCookies(jar, answer)
    return answer
  }
  try {
    const away = await get('/hello')
    assert.equal(away.status, 302, away.body)
    const back = new URL(await enter(away.headers.location!))
    assert.equal(back.origin + back.pathname, `http://${host}/.ostiary/callback/${issuer}`)
    const home = await get(back.pathname + back.search)
    assert.equal(home.status, 302, home.body)
    assert.equal(home.headers.location, '/hello')
  } catch (error) {
    await gateway.stop(0)
    throw error
  }
  return { get, close: () => gateway.stop(0) }
}

describe('from an empty folder to a sign-in', () => {
  inFolder()

  test('with a provider that has the form of Entra ID', async () => {
    const [idp, orders] = [await startIdp({ port: 0 }), await standinApi()]
    try {
      const given = {
        provider: 'entra',
        tenant: HOME_TENANT,
        authority: idp.authority,
        api: orders.origin,
        listen: '127.0.0.1:0',
        clientId: GATEWAY.clientId,
        secret: 'none',
      }
      const { wrong, findings } = await run(given, { doctor: true })
      assert.deepEqual(
        findings[0]!.map(({ check, outcome }) => `${check} ${outcome}`),
        ['provider ok', 'clock ok', 'audience ok', 'client ok', 'redirect todo'],
      )
      assert.equal(wrong, false)
      adminAnywhere()
      const browser = new Browser(idp.authority)
      const session = await signedIn('localhost:8080', 'entra', async (location) => {
        const picker = await browser.open(location)
        return (await browser.submit(picker, { account: 'reader' })).url
      })
      try {
        const answer = await session.get('/hello')
        assert.deepEqual([answer.status, answer.body], [200, 'the api'])
        assert.equal((await session.get('/hello', 'POST')).status, 403, 'a reader does not write')
      } finally {
        await session.close()
      }
    } finally {
      await orders.close()
      await idp.close()
    }
  })

  test('with oidc-provider as it comes', async () => {
    const orders = await standinApi()
    const provider = await realProvider('http://localhost:8080/.ostiary/callback/oidc')
    try {
      writeFileSync(join(folder, 'client-secret'), 'secret-of-the-client')
      const given = {
        provider: 'oidc',
        issuer: provider.origin,
        api: orders.origin,
        listen: '127.0.0.1:0',
        clientId: 'ostiary-api',
        secret: 'file:client-secret',
      }
      const { wrong, findings } = await run(given, { doctor: true })
      assert.equal(wrong, false, JSON.stringify(findings))
      adminAnywhere()
      for (const [account, status] of [
        ['reader', 403],
        ['writer', 200],
      ] as const) {
        const browser = new Browser(provider.origin)
        provider.account = account
        const session = await signedIn('localhost:8080', 'oidc', async (location) => (await browser.open(location)).url)
        try {
          assert.equal((await session.get('/hello')).body, 'the api')
          assert.equal((await session.get('/hello', 'DELETE')).status, status, account)
        } finally {
          await session.close()
        }
      }
    } finally {
      await provider.close()
      await orders.close()
    }
  })

  test('with a provider that is not there: it is written, and said what is wrong, as often as asked', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()]
    const person = personAt(input, output)
    input.end('yes\nno\n')
    const gone = await standinApi()
    await gone.close()
    const given = { ...GIVEN.oidc, issuer: gone.origin, audience: 'orders', secret: 'none' }
    const { wrong, findings } = await run(given, {
      doctor: true,
      person: {
        ...person,
        ask: (text, otherwise, problem) =>
          text.startsWith('Look') ? person.ask(text, otherwise, problem) : Promise.resolve(otherwise ?? ''),
      },
    })
    person.close()
    assert.equal(wrong, true)
    assert.equal(findings.length, 2)
    assert.match(findings[0]![0]!.found, /ECONNREFUSED/)
    assert.ok(existsSync(join(folder, 'ostiary.yaml')))
  })
})

/** The admin listener’s port is the default one in what is written: tests take any. */
function adminAnywhere(): void {
  const file = join(folder, 'ostiary.yaml')
  writeFileSync(file, `${readFileSync(file, 'utf8')}\nadmin: { listen: 127.0.0.1:0 }\n`)
}
