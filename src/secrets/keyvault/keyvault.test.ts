import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { anySecretReference } from '../../config/fields.ts'
import { keyVault } from '../../config/keyvault.ts'
import { ManualClock, seededEntropy } from '../../testing/clock.ts'
import { openClientAuth } from '../clientauth/index.ts'
import { testCertificate } from '../clientauth/testdata/certificates.ts'
import {
  STANDIN_CLIENT,
  standInIdentity,
  standInTokenEndpoint,
  type StandInIdentity,
  type StandInTokenEndpoint,
} from '../clientauth/testdata/standin-azure.ts'
import { askToken } from '../clientauth/tokenendpoint.ts'
import { readChallenge } from './challenge.ts'
import { openVaults, type Vaults } from './index.ts'
import { CHALLENGE, standInVault, VAULT_TENANT, type StandInVault } from './testdata/standin-vault.ts'

const MINUTE = 60_000
const NAME = { vault: 'orders', name: 'client-secret' }
let clock: ManualClock
let vault: StandInVault
let platform: StandInIdentity
let endpoint: StandInTokenEndpoint
let vaults: Vaults
let lines: string[]

before(async () => {
  vault = await standInVault()
  platform = await standInIdentity(() => clock.now())
  endpoint = await standInTokenEndpoint(() => clock.now())
})

after(async () => {
  await vault.close()
  await platform.close()
  await endpoint.close()
})

beforeEach(() => {
  clock = new ManualClock()
  lines = []
  vault.secrets.clear()
  vault.secrets.set('orders/client-secret', { value: 's3cret-one' })
  vault.challenge = CHALLENGE
  vault.tokens = new Set([platform.token, 'token-1', 'token-2', 'token-3'])
  vault.requests.length = 0
  vault.misbehaviour.length = 0
  platform.calls.length = 0
  platform.misbehaviour.length = 0
  endpoint.calls.length = 0
  vaults = open()
})

afterEach(() => vaults.close())

/** Everything that may be asked, each at its stand-in. */
const everywhere: typeof fetch = (input, init) => {
  under.way++
  // Whole before it is handed on, so that nothing is under way unseen.
  const whole = async (answer: Response): Promise<Response> =>
    new Response(await answer.arrayBuffer(), { status: answer.status, headers: answer.headers })
  return asked(input as string, init)
    .then(whole)
    .finally(() => under.way--)
}
const under = { way: 0 }

const asked = (input: string, init: RequestInit | undefined): Promise<Response> => {
  const url = input
  if (url.startsWith('http://169.254.169.254/')) return platform.fetch(input, init)
  if (url === `https://login.microsoftonline.com/${VAULT_TENANT}/oauth2/v2.0/token`) return fetch(endpoint.url, init)
  return vault.fetch(input, init)
}

function deps() {
  return { fetch: everywhere, clock, entropy: seededEntropy(), log: (line: string) => void lines.push(line), folder: '/', env: {} }
}

function open(config: unknown = {}): Vaults {
  return openVaults(keyVault.parse(config), deps())
}

const read = async (name = NAME): Promise<string> => (await vaults.source(name).read()).reveal()

/** Lets what was begun in the background come to its end. */
async function settled(): Promise<void> {
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** In steps that are shorter than any wait for an answer, each of which lets requests come to their end. */
async function advance(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 4_000) {
    clock.advance(Math.min(4_000, left))
    while (under.way > 0) await settled()
  }
  await settled()
}

describe('a secret of a vault', () => {
  test('is the newest version, got by the challenge flow', async () => {
    assert.equal(await read(), 's3cret-one')
    assert.deepEqual(vault.requests, [
      { host: 'orders.vault.azure.net', url: '/secrets/client-secret?api-version=7.4', authorization: undefined },
      { host: 'orders.vault.azure.net', url: '/secrets/client-secret?api-version=7.4', authorization: `Bearer ${platform.token}` },
    ])
    assert.equal(platform.calls[0]!.url.searchParams.get('resource'), 'https://vault.azure.net')
  })

  test('is read once for all who refer to it, whatever the case', async () => {
    const all = await Promise.all([read(), read(), read({ vault: 'Orders', name: 'Client-Secret' })])
    assert.deepEqual(all, ['s3cret-one', 's3cret-one', 's3cret-one'])
    assert.equal(vault.requests.length, 2)
  })

  test('is read anew on a timer, and used without a restart', async () => {
    await read()
    vault.secrets.get('orders/client-secret')!.value = 's3cret-two'
    await advance(60 * MINUTE)
    assert.equal(await read(), 's3cret-two')
    assert.deepEqual(lines, ['keyvault://orders/client-secret: a newer one is in use'])
  })

  test('that ends is read anew ahead of its end', async () => {
    const exp = Math.floor(clock.now() / 1000) + 40 * 60
    vault.secrets.set('orders/client-secret', { value: 's3cret-one', attributes: { exp } })
    await read()
    vault.secrets.set('orders/client-secret', { value: 's3cret-two' })
    await advance(10 * MINUTE) // half an hour before
    assert.equal(await read(), 's3cret-two')
  })

  test('stays while the vault is down, and is told of once', async () => {
    await read()
    for (let i = 0; i < 200; i++) vault.misbehaviour.push('drop')
    for (let i = 0; i < 24; i++) await advance(60 * MINUTE)
    assert.equal(await read(), 's3cret-one')
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /can not be read \(no connection\); the last one stays in use$/)
    vault.misbehaviour.length = 0
    await advance(60 * MINUTE)
    assert.match(lines[1]!, /is here again$/)
  })

  test('is asked for again soon after a failure, ever more slowly, and by whoever needs it', async () => {
    vault.misbehaviour.push('drop')
    await assert.rejects(read(), { code: 'secrets/vault', message: /`client-secret` of key vault `orders`.*no connection/ })
    await assert.rejects(read(), /no connection/, 'not at once')
    assert.equal(vault.requests.length, 1)
    await advance(10_000)
    assert.equal(await read(), 's3cret-one')
  })

  test('is read on demand, at most every ten seconds', async () => {
    const source = vaults.source(NAME)
    await source.read()
    vault.secrets.get('orders/client-secret')!.value = 's3cret-two'
    await source.refresh()
    assert.equal((await source.read()).reveal(), 's3cret-one')
    clock.advance(10_000)
    await source.refresh()
    assert.equal((await source.read()).reveal(), 's3cret-two')
  })

  test('a token that is no longer good is got anew', async () => {
    await read()
    vault.tokens = new Set(['newer'])
    platform.token = 'newer'
    await advance(30 * MINUTE + 30 * MINUTE)
    assert.equal(vault.requests.at(-1)!.authorization, 'Bearer newer')
    assert.deepEqual(lines, [])
    platform.token = 'token-of-the-platform'
  })
})

describe('before a token is shown, the challenge is checked', () => {
  const bad: readonly (readonly [name: string, challenge: string, why: RegExp])[] = [
    ['of another service', CHALLENGE.replace('vault.azure.net', 'graph.microsoft.com'), /a token of another service/],
    ['of a service that looks like it', CHALLENGE.replace('vault.azure.net', 'evilvault.azure.net'), /a token of another service/],
    ['of a domain above', CHALLENGE.replace('vault.azure.net', 'azure.net'), /a token of another service/],
    ['of another cloud', CHALLENGE.replace('vault.azure.net', 'vault.azure.cn'), /a token of another service/],
    ['over plain http', CHALLENGE.replace('https://vault', 'http://vault'), /a token of another service/],
    ['with a path', CHALLENGE.replace('vault.azure.net', 'vault.azure.net/x'), /a token of another service/],
    ['without a resource', 'Bearer authorization="https://login.microsoftonline.com/x"', /challenge is not understood/],
    ['with two resources', `${CHALLENGE}, resource="https://attacker.example"`, /challenge is not understood/],
    ['of another scheme', CHALLENGE.replace('Bearer', 'Basic'), /challenge is not understood/],
    ['with something after it', `${CHALLENGE} , x`, /challenge is not understood/],
  ]
  for (const [name, challenge, why] of bad)
    test(`one ${name} gets none`, async () => {
      vault.challenge = challenge
      await assert.rejects(read(), { code: 'secrets/vault', message: why })
      assert.ok(vault.requests.every(({ authorization }) => authorization === undefined))
      assert.equal(platform.calls.length, 0)
    })

  test('the form with `scope` is as good', async () => {
    vault.challenge = `Bearer authorization="https://login.microsoftonline.com/${VAULT_TENANT}" ,scope="https://vault.azure.net/.default"`
    assert.equal(await read(), 's3cret-one')
  })

  test('hostile challenges are read or refused, and never more than that', () => {
    const part = fc.constantFrom('Bearer ', 'resource="', 'authorization="', '"', ',', ' ', '=', 'https://vault.azure.net', '\\', 'scope="')
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part, { maxLength: 30 }).map((parts) => parts.join('')),
        ),
        (text) => {
          const read = readChallenge(text)
          assert.ok(read === undefined || (/^Bearer/i.test(text) && text.includes(read.resource)))
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('what a vault answers is checked', () => {
  const first = { status: 401, headers: { 'www-authenticate': CHALLENGE } }
  const id = 'https://orders.vault.azure.net/secrets/client-secret/1'
  const bad: readonly (readonly [name: string, arrange: () => void, why: RegExp])[] = [
    ['no such secret', () => vault.secrets.clear(), /no such secret \(404\)/],
    ['no right', () => vault.misbehaviour.push(first, { status: 403 }), /Key Vault Secrets User/],
    ['a secret without being asked who it is', () => vault.misbehaviour.push(json({ value: 'x', id })), /answered 200 without asking/],
    ['a redirect', () => vault.misbehaviour.push({ status: 302, headers: { location: 'https://attacker.example/' } }), /answered 302/],
    ['another secret', () => (secret().id = id.replace('client-secret', 'another')), /another secret/],
    ['a secret of another vault', () => (secret().id = id.replace('orders', 'others')), /another secret/],
    ['a disabled secret', () => (secret().attributes = { enabled: false }), /it is disabled/],
    ['PKCS#12', () => (secret().contentType = 'application/x-pkcs12'), /x-pem-file/],
    ['an empty value', () => (secret().value = ''), /not understood/],
    ['a value that is too long', () => (secret().value = 'x'.repeat(65_537)), /not understood/],
    ['no end', () => vault.misbehaviour.push(first, json({ value: 'x'.repeat(300_000), id })), /larger than 262144/],
    ['HTML', () => vault.misbehaviour.push(first, { status: 200, body: '<html>' }), /not understood/],
    ['a number', () => vault.misbehaviour.push(first, json({ value: 7, id })), /not understood/],
    ['a token refused twice', () => (vault.tokens = new Set()), /refuses the token of the gateway \(401\)/],
    ['too many questions', () => vault.misbehaviour.push(first, { status: 429 }), /it answered 429/],
  ]
  for (const [name, arrange, why] of bad)
    test(`${name} is no secret`, async () => {
      arrange()
      await assert.rejects(read(), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'secrets/vault')
        assert.match(error.message, why)
        assert.doesNotMatch(error.message, /nobody should see|s3cret/)
        return true
      })
      assert.ok(lines.every((line) => !line.includes('s3cret')))
    })

  function secret() {
    return vault.secrets.get('orders/client-secret')!
  }
  function json(value: unknown) {
    return { status: 200, body: JSON.stringify(value) }
  }

  test('a vault that never answers is waited for in time of the clock', async () => {
    vault.misbehaviour.push('hang')
    const reading = read()
    while (vault.requests.length === 0) await settled()
    clock.advance(5_000)
    await assert.rejects(reading, /no answer within 5000 ms/)
  })

  test('without a managed identity there is nothing to read it with', async () => {
    platform.misbehaviour.push({ status: 400, body: '{"error":"invalid_request"}' })
    await assert.rejects(read(), { code: 'secrets/managed-identity', message: /it answered 400/ })
  })
})

describe('a client of Entra reads', () => {
  const client = (tenant: string) => ({ client: { tenant, clientId: STANDIN_CLIENT, clientAuth: { managedIdentity: {} } } })

  test('with the token that it gets for the resource, in the tenant of the vault', async () => {
    endpoint.federated = new Set([platform.token])
    vaults = open(client(VAULT_TENANT.toUpperCase()))
    vault.tokens = new Set(Array.from({ length: 50 }, (_, i) => `token-${i}`))
    assert.equal(await read(), 's3cret-one')
    assert.equal(endpoint.calls[0]!.form.get('scope'), 'https://vault.azure.net/.default')
  })

  test('and gives its token to no vault that says it is of another tenant', async () => {
    vaults = open(client('fa15d692-e9c7-4460-a743-29f29522229d'))
    await assert.rejects(read(), { code: 'secrets/vault', message: /another tenant/ })
    assert.equal(endpoint.calls.length, 0)
  })
})

describe('the client of an issuer', () => {
  const open2 = (config: Partial<Parameters<typeof openClientAuth>[0]>) =>
    openClientAuth({ clientId: STANDIN_CLIENT, owner: 'issuer entra', ...config }, { ...deps(), vaults })
  const ask = (auth: ReturnType<typeof open2>) =>
    askToken({ fetch, clock, endpoint: endpoint.url, secretIn: 'body', auth, grant: { grant_type: 'client_credentials' } })

  test('proves itself by a secret of a vault; one that was rotated is read on refusal, without waiting for the timer', async () => {
    endpoint.secret = 's3cret-one'
    const auth = open2({ clientSecret: { keyVault: NAME } })
    assert.equal((await ask(auth)).outcome, 'granted')
    vault.secrets.get('orders/client-secret')!.value = 's3cret-two'
    endpoint.secret = 's3cret-two'
    clock.advance(10_000)
    assert.equal((await ask(auth)).outcome, 'granted')
    assert.deepEqual(
      endpoint.calls.map(({ outcome }) => outcome),
      ['secret', '7000215', 'secret'],
    )
    endpoint.secret = undefined
  })

  test('proves itself by a certificate of a vault, whose key is read as the secret of its name', async () => {
    const made = await testCertificate(clock.now() - MINUTE, clock.now() + 90 * 86_400_000)
    vault.secrets.set('orders/gateway', { value: `${made.key}${made.cert}`, contentType: 'application/x-pem-file' })
    endpoint.certificates = [made.cert]
    const reference = { keyVault: { vault: 'orders', name: 'gateway' } }
    const auth = open2({ clientAuth: { certificate: { cert: reference, key: reference, algorithm: 'PS256' } } })
    assert.equal((await ask(auth)).outcome, 'granted')
    assert.equal(endpoint.calls.at(-1)!.outcome, 'certificate')
    assert.equal(vault.requests.length, 2)
    auth.close()
  })
})

test('references are written without a version, and never hold the secret', () => {
  const reference = anySecretReference()
  assert.deepEqual(reference.parse('keyvault://orders/client-secret'), { keyVault: NAME })
  assert.deepEqual(reference.parse({ env: 'SECRET' }), { env: 'SECRET' })
  for (const wrong of [
    'keyvault://orders/client-secret/3f8a2c',
    'keyvault://orders',
    'keyvault://orders/',
    'keyvault://orders.evil.example/x',
    'keyvault://-orders/x',
    'keyvault://orders/a?b',
    'keyvault://orders/a\n',
    'https://orders.vault.azure.net/secrets/x',
    's3cret',
  ])
    assert.throws(() => reference.parse(wrong), /keyvault:\/\/vault\/name/, wrong)
})
