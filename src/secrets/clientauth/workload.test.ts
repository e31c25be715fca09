/** Clients that prove themselves by what their platform gives them, and by a secret where nothing else is to be had. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { Secret } from '../../core/secret.ts'
import { ManualClock, seededEntropy } from '../../testing/clock.ts'
import { clientTokens } from './apptoken.ts'
import type { ClientAuth } from './auth.ts'
import { openClientAuth } from './index.ts'
import { managedIdentity } from './managedidentity.ts'
import { secretAuth } from './secret.ts'
import {
  STANDIN_CLIENT,
  standInIdentity,
  standInTokenEndpoint,
  type StandInIdentity,
  type StandInTokenEndpoint,
} from './testdata/standin-azure.ts'
import { askToken, type TokenAnswer } from './tokenendpoint.ts'

let clock: ManualClock
let folder: string
let endpoint: StandInTokenEndpoint
let platform: StandInIdentity

before(async () => {
  endpoint = await standInTokenEndpoint(() => clock.now())
  platform = await standInIdentity(() => clock.now())
})

after(async () => {
  await endpoint.close()
  await platform.close()
})

beforeEach(() => {
  clock = new ManualClock()
  folder = mkdtempSync(join(tmpdir(), 'clientauth-'))
  endpoint.calls.length = 0
  endpoint.federated = new Set()
  endpoint.secret = undefined
  endpoint.expiresIn = 3599
  platform.calls.length = 0
  platform.misbehaviour.length = 0
  platform.token = 'token-of-the-platform'
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

type Config = NonNullable<Parameters<typeof openClientAuth>[0]['clientAuth']>

function open(clientAuth: Config, env: NodeJS.ProcessEnv = {}): ClientAuth {
  const deps = { fetch: platform.fetch, clock, entropy: seededEntropy(), log: () => undefined, folder, env }
  return openClientAuth({ clientId: STANDIN_CLIENT, owner: 'issuer entra', clientAuth }, deps)
}

function ask(auth: ClientAuth, secretIn: 'header' | 'body' = 'body'): Promise<TokenAnswer> {
  return askToken({ fetch, clock, endpoint: endpoint.url, secretIn, auth, grant: { grant_type: 'client_credentials' } })
}

const outcomes = (): readonly string[] => endpoint.calls.map(({ outcome }) => outcome)

/** Moves the clock while `work` goes on, so that every pause of it passes. */
async function through<T>(work: Promise<T>): Promise<T> {
  const going = { on: true }
  const ended = work.finally(() => (going.on = false)).catch(() => undefined)
  while (going.on) {
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    clock.advance(250)
  }
  await ended
  return work
}

describe('a projected token proves the client', () => {
  const federated = { federated: { file: 'token' } }

  test('as it stands in its file at that moment', async () => {
    const auth = open(federated)
    for (const token of ['projected.one.x', 'projected.two.x']) {
      writeFileSync(join(folder, 'token'), `${token}\n`)
      endpoint.federated = new Set([token])
      assert.equal((await ask(auth)).outcome, 'granted')
      const { form } = endpoint.calls.at(-1)!
      assert.equal(form.get('client_assertion'), token)
      assert.equal(form.get('client_assertion_type'), 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    }
  })

  test('is not sent twice where nothing has replaced it', async () => {
    writeFileSync(join(folder, 'token'), 'projected.old.x')
    assert.equal((await ask(open(federated))).outcome, 'refused')
    assert.equal(endpoint.calls.length, 1)
  })

  test('without its file nothing is sent', async () => {
    await assert.rejects(ask(open(federated)), { code: 'secrets/unreadable' })
    assert.equal(endpoint.calls.length, 0)
  })
})

describe('a managed identity', () => {
  test('proves the client, by the instance metadata service', async () => {
    endpoint.federated = new Set([platform.token])
    const auth = open({ managedIdentity: { clientId: 'user-assigned' } })
    assert.equal((await ask(auth)).outcome, 'granted')
    assert.equal((await ask(auth)).outcome, 'granted')
    assert.equal(platform.calls.length, 1, 'its token is kept')
    const { url, headers } = platform.calls[0]!
    assert.equal(url.pathname, '/metadata/identity/oauth2/token')
    assert.deepEqual(Object.fromEntries(url.searchParams), {
      'api-version': '2018-02-01',
      resource: 'api://AzureADTokenExchange',
      client_id: 'user-assigned',
    })
    assert.equal(headers['metadata'], 'true')
  })

  test('proves the client, by the identity endpoint of App Service', async () => {
    endpoint.federated = new Set([platform.token])
    const env = { IDENTITY_ENDPOINT: `${platform.origin}/msi/token`, IDENTITY_HEADER: 'identity-header' }
    assert.equal((await ask(open({ managedIdentity: {} }, env))).outcome, 'granted')
    const { url, headers } = platform.calls[0]!
    assert.deepEqual(Object.fromEntries(url.searchParams), { 'api-version': '2019-08-01', resource: 'api://AzureADTokenExchange' })
    assert.equal(headers['x-identity-header'], 'identity-header')
    assert.equal(headers['metadata'], undefined)
  })

  test('whose token is refused is asked for another, once', async () => {
    const auth = open({ managedIdentity: {} })
    await ask(auth)
    assert.deepEqual(outcomes(), ['700027'])
    platform.token = 'a-newer-token'
    endpoint.federated = new Set(['a-newer-token'])
    assert.equal((await ask(auth)).outcome, 'granted')
  })

  const source = () => managedIdentity({ clientId: undefined }, { fetch: platform.fetch, clock, env: {} })
  const RESOURCE = 'https://vault.azure.net'

  test('gives one token to all who ask at once, and another five minutes before its end', async () => {
    const tokens = source()
    const all = await Promise.all(Array.from({ length: 50 }, () => tokens.token(RESOURCE)))
    assert.equal(new Set(all).size, 1)
    clock.advance(3_298_000)
    await tokens.token(RESOURCE)
    assert.equal(platform.calls.length, 1)
    clock.advance(2_000)
    platform.token = 'the next'.replace(' ', '-')
    assert.equal((await tokens.token(RESOURCE)).reveal(), 'the-next')
    assert.equal(platform.calls.length, 2)
  })

  for (const [status, tries] of [
    [429, 2],
    [404, 2],
    [410, 2],
    [500, 2],
    [503, 2],
    [400, 1],
    [403, 1],
    [302, 1],
  ] as const)
    test(`that answers ${status} is ${tries === 1 ? 'not ' : ''}asked again`, async () => {
      platform.misbehaviour.push({ status, body: '{"error":"secret text"}', headers: { location: 'http://127.0.0.1:1/' } })
      const got = through(source().token(RESOURCE))
      if (tries === 2) assert.equal((await got).reveal(), 'token-of-the-platform')
      else await assert.rejects(got, { code: 'secrets/managed-identity', message: new RegExp(`\\(it answered ${status}\\)`) })
      assert.equal(platform.calls.length, tries)
    })

  test('that stays away is given up after four tries, and asked anew by the next', async () => {
    const tokens = source()
    platform.misbehaviour.push('drop', 'drop', 'drop', 'drop')
    await assert.rejects(through(tokens.token(RESOURCE)), { message: /no connection/ })
    assert.equal(platform.calls.length, 4)
    assert.equal((await tokens.token(RESOURCE)).reveal(), 'token-of-the-platform')
  })

  for (const [name, body] of [
    ['no JSON', '<html>'],
    ['no token', '{"expires_in":"3599"}'],
    ['no end', '{"access_token":"x"}'],
    ['an end that is no number', '{"access_token":"x","expires_in":"soon"}'],
    ['a token that would break a header', '{"access_token":"x\\r\\ny: z","expires_in":1}'],
    ['a token of another type', '{"access_token":"x","expires_in":1,"token_type":"pop"}'],
  ] as const)
    test(`that answers with ${name} gave nothing`, async () => {
      platform.misbehaviour.push({ status: 200, body })
      await assert.rejects(source().token(RESOURCE), { code: 'secrets/managed-identity', message: /not understood/ })
    })
})

describe('a token that a client gets for itself', () => {
  test('is for the resource, kept until shortly before its end, and not kept once it was refused', async () => {
    endpoint.secret = 's3cret'
    const value = { read: () => Promise.resolve(new Secret('s3cret')), refresh: () => Promise.resolve() }
    const tokens = clientTokens(endpoint.url, secretAuth(STANDIN_CLIENT, value), { fetch, clock })
    const all = await Promise.all([1, 2, 3].map(() => tokens.token('https://graph.microsoft.com')))
    assert.equal(new Set(all).size, 1)
    const { form } = endpoint.calls[0]!
    assert.equal(form.get('grant_type'), 'client_credentials')
    assert.equal(form.get('scope'), 'https://graph.microsoft.com/.default')
    assert.notEqual(await tokens.token('https://vault.azure.net'), all[0], 'another resource, another token')
    clock.advance(3_299_000)
    assert.notEqual(await tokens.token('https://graph.microsoft.com'), all[0])
    tokens.forget('https://graph.microsoft.com')
    await tokens.token('https://graph.microsoft.com')
    assert.equal(endpoint.calls.length, 4)
  })

  test('that is refused is an error without the provider’s text', async () => {
    const value = { read: () => Promise.resolve(new Secret('wrong')), refresh: () => Promise.resolve() }
    const tokens = clientTokens(endpoint.url, secretAuth(STANDIN_CLIENT, value), { fetch, clock })
    await assert.rejects(tokens.token('https://graph.microsoft.com'), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'secrets/app-token')
      assert.match(error.message, /\(invalid_client, AADSTS7000215\)/)
      assert.doesNotMatch(error.message, /wrong|nobody should see/)
      return true
    })
  })
})

describe('a client secret, the last resort', () => {
  test('that was replaced before the provider knows the new one: the old one is tried', async () => {
    let now = 'old'
    endpoint.secret = 'old'
    const auth = secretAuth(STANDIN_CLIENT, { read: () => Promise.resolve(new Secret(now)), refresh: () => Promise.resolve() })
    await ask(auth)
    now = 'new'
    assert.equal((await ask(auth)).outcome, 'granted')
    assert.deepEqual(outcomes(), ['secret', '7000215', 'secret'])
    endpoint.secret = 'new'
    assert.equal((await ask(auth)).outcome, 'granted')
  })

  test('that is newer than was known is asked for once', async () => {
    let value = 'old'
    endpoint.secret = 'new'
    const source = { read: () => Promise.resolve(new Secret(value)), refresh: () => Promise.resolve(void (value = 'new')) }
    assert.equal((await ask(secretAuth(STANDIN_CLIENT, source))).outcome, 'granted')
    assert.deepEqual(outcomes(), ['7000215', 'secret'])
  })

  test('in the header is form-encoded before it is base64', async () => {
    const source = { read: () => Promise.resolve(new Secret('a:b%c ü')), refresh: () => Promise.resolve() }
    await ask(secretAuth(STANDIN_CLIENT, source), 'header')
    const [scheme, pair = ''] = endpoint.calls[0]!.authorization!.split(' ')
    assert.equal(scheme, 'Basic')
    assert.equal(Buffer.from(pair, 'base64').toString(), `${STANDIN_CLIENT}:a%3Ab%25c+%C3%BC`)
    assert.equal(endpoint.calls[0]!.form.has('client_secret'), false)
  })
})
