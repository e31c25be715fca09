import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { stringify } from 'yaml'
import { systemClock, type Clock } from '../../core/clock.ts'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import { startStandInIntrospection } from '../../testing/standin-introspection.ts'
import { keyFixture, testKey, type KeyFixture } from '../../testing/tokens.ts'
import type { Finding } from './finding.ts'
import { loadConfiguration } from '../configuration.ts'
import { examineIssuer } from './issuer.ts'
import { openSurroundings } from './opened.ts'

const key = testKey('k', 'ES256')
let fixture: KeyFixture
let folder: string

beforeEach(async () => {
  fixture = await keyFixture([key])
  folder = mkdtempSync(join(tmpdir(), 'doctor-'))
})
afterEach(async () => {
  await fixture.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A clock that is ahead of everybody's by so many milliseconds. */
const ahead = (ms: number): Clock => ({ ...systemClock, now: () => Date.now() + ms })

async function examine(
  issuer: Record<string, unknown>,
  clock: Clock = systemClock,
  resource: Record<string, unknown> = {},
): Promise<readonly string[]> {
  const wiring = {
    apiVersion: 'ostiary.dev/v1',
    issuers: { one: issuer },
    resources: { orders: { protocol: 'http', hosts: ['orders.example.com'], upstream: { url: 'http://127.0.0.1:1' }, ...resource } },
    doors: {},
  }
  writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
  return (await examineIssuer('one', { folder, clock })).map(told)
}

function told({ check, outcome, found, help }: Finding): string {
  return `${check} ${outcome}: ${found}${help === undefined ? '' : ` (${help})`}`
}

const oidc = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  kind: 'oidc',
  issuer: fixture.origin,
  audiences: ['https://orders.example'],
  ...more,
})

test('an issuer that is as it should be', async () => {
  writeFileSync(join(folder, 'secret'), 'x')
  const config = oidc({ signIn: { clientId: 'orders-web', clientSecret: { file: 'secret' } } })
  assert.deepEqual(await examine(config, systemClock, { signIn: 'one' }), [
    `provider ok: keys got 0 min ago, found by ${fixture.origin}/.well-known/openid-configuration`,
    'clock ok: this clock and the provider’s agree',
    'audience ok: tokens are for `https://orders.example`',
    'client ok: the client proves itself by secret',
    'redirect todo: people are sent back to `https://orders.example.com/.ostiary/callback/one` (resource `orders`) (register it at the provider exactly so, as a redirect URI of the kind "web")',
  ])
  assert.equal(existsSync(join(folder, 'data')), false, 'nothing is written')
})

test('redirect URIs are those of each host, or of the public URL', async () => {
  const config = oidc({ signIn: { clientId: 'orders-web' } })
  const of = async (resource: Record<string, unknown>): Promise<readonly string[]> =>
    (await examine(config, systemClock, { signIn: 'one', ...resource }))
      .filter((line) => line.startsWith('redirect'))
      .map((line) => /`([^`]+)`/.exec(line)![1]!)
  assert.deepEqual(await of({ hosts: ['a.example.com', '*.b.example.com'] }), [
    'https://a.example.com/.ostiary/callback/one',
    'https://*.b.example.com/.ostiary/callback/one',
  ])
  assert.deepEqual(await of({ publicUrl: 'https://public.example.com' }), ['https://public.example.com/.ostiary/callback/one'])
  assert.deepEqual(await of({ signIn: undefined }), [])
})

const troubles: readonly (readonly [string, () => void | Promise<void>, RegExp])[] = [
  [
    'calls itself otherwise',
    () => {
      const answer = { issuer: `${fixture.origin}/realms/orders`, jwks_uri: `${fixture.origin}/keys` }
      fixture.override = (path) => (path.startsWith('/.well-known') ? { status: 200, body: JSON.stringify(answer) } : undefined)
    },
    /^provider wrong: no keys from \S+: the metadata is of another issuer \(the provider calls itself `http:\/\/127\.0\.0\.1:\d+\/realms\/orders`: write that as `issuer`/,
  ],
  [
    'calls itself what could not be shown',
    () => {
      fixture.override = () => ({ status: 200, body: JSON.stringify({ issuer: 'https://x\u001b[31m', jwks_uri: 'https://x/keys' }) })
    },
    /^provider wrong: no keys from \S+: the metadata is of another issuer \(check that this machine can reach it/,
  ],
  [
    'has no metadata',
    () => void (fixture.override = () => ({ status: 404, body: '' })),
    /^provider wrong: .*it answered 404 \(there is nothing at that URL/,
  ],
  ['answers a page', () => void (fixture.override = () => ({ status: 200, body: '<html>' })), /^provider wrong: .*a document is not JSON/],
  [
    'has no keys',
    () => void (fixture.override = (path) => (path === '/keys' ? { status: 200, body: '{"keys":[]}' } : undefined)),
    /^provider wrong: .*the key set is refused: it holds no key that can be used/,
  ],
  ['is not there', () => fixture.close(), /^provider wrong: .*ECONNREFUSED \(check that this machine can reach it/],
]

for (const [name, trouble, expected] of troubles)
  test(`a provider that ${name}`, async () => {
    await trouble()
    assert.match((await examine(oidc()))[0]!, expected)
  })

test('a clock that is off is found, before tokens are refused for it', async () => {
  const clockOf = async (ms: number): Promise<string | undefined> =>
    (await examine(oidc(), ahead(ms))).find((line) => line.startsWith('clock'))
  assert.match(
    (await clockOf(60_000))!,
    /^clock wrong: this clock is (59|60|61) s ahead of the provider’s \(have it set by NTP: good tokens/,
  )
  assert.match((await clockOf(-60_000))!, /^clock wrong: this clock is (59|60|61) s behind/)
  assert.match((await clockOf(15_000))!, /^clock doubtful: this clock is 1[456] s ahead/)
  fixture.override = (path) =>
    path.startsWith('/.well-known')
      ? {
          status: 200,
          body: JSON.stringify({ issuer: fixture.origin, jwks_uri: `${fixture.origin}/keys` }),
          headers: { date: new Date(Date.now() - 3_600_000).toUTCString(), age: '3600' },
        }
      : undefined
  assert.match((await clockOf(0))!, /^clock ok/, 'what a cache kept is older than it says')
})

test('audiences that others have too, or that no token has', async () => {
  const audienceOf = async (config: Record<string, unknown>): Promise<string> =>
    (await examine(oidc(config))).find((line) => line.startsWith('audience'))!
  const signIn = { clientId: 'orders-web' }
  assert.match(
    await audienceOf({ audiences: ['orders-web'], signIn }),
    /^audience doubtful: `orders-web` is the client that people sign in with/,
  )
  assert.match(await audienceOf({ audiences: [fixture.origin] }), /^audience doubtful: .* is the issuer itself/)
  assert.match(await audienceOf({ audiences: ['orders '] }), /^audience doubtful: `orders ` begins or ends with a space/)
})

test('sign-in without its secret, or without what makes it one', async () => {
  const clientOf = async (signIn: Record<string, unknown>): Promise<readonly string[]> =>
    (await examine(oidc({ signIn: { clientId: 'orders-web', ...signIn } }))).filter((line) => line.startsWith('client'))
  assert.match((await clientOf({ clientSecret: { file: 'secret' } }))[0]!, /^client wrong: .*secret.*ENOENT/)
  assert.match((await clientOf({ clientSecret: { env: 'OSTIARY_NOT_SET_ANYWHERE' } }))[0]!, /^client wrong: .*OSTIARY_NOT_SET_ANYWHERE/)
  assert.deepEqual(await clientOf({ scopes: ['profile'] }), [
    'client wrong: `scopes` has no `openid`, so there will be no ID token (add `openid` to `signIn.scopes`)',
    'client ok: the client is public: it has no secret, and PKCE alone',
  ])
  fixture.override = (path) =>
    path.startsWith('/.well-known')
      ? { status: 200, body: JSON.stringify({ issuer: fixture.origin, jwks_uri: `${fixture.origin}/keys` }) }
      : undefined
  assert.match((await clientOf({}))[0]!, /^client wrong: its metadata names no endpoints to sign in at/)
})

test('an introspection endpoint is asked about a token that nobody has', async () => {
  const provider = await startStandInIntrospection()
  try {
    writeFileSync(join(folder, 'secret'), 'secret')
    provider.admitted.add(`Basic ${Buffer.from('ostiary:secret').toString('base64')}`)
    const auth = { clientId: 'ostiary', clientSecret: { file: 'secret' } }
    const config = {
      kind: 'oauth2-introspection',
      issuer: 'https://id.example.com',
      endpoint: provider.endpoint,
      auth,
      audiences: ['orders'],
    }
    assert.deepEqual((await examine(config)).slice(0, 2), [
      'provider ok: asked about each new token',
      'clock ok: this clock and the provider’s agree',
    ])
    assert.deepEqual(provider.asked, ['nobody-has-this-token'])
    const [wrong = ''] = await examine({ ...config, auth: { ...auth, clientId: 'other' } })
    assert.match(wrong, /^provider wrong: .*it refuses the gateway's own credential \(401\) \(check the client id/)
  } finally {
    await provider.close()
  }
})

test('keys from files', async () => {
  const config = { kind: 'jwt', issuer: 'batch', audiences: ['orders'], keys: [{ file: 'keys.json' }] }
  assert.match((await examine(config))[0]!, /^provider wrong: keys\.json is not used: ENOENT \(write public keys there/)
  writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [key.jwk] }))
  assert.deepEqual(await examine(config), ['provider ok: 1 key', 'audience ok: tokens are for `orders`'])
})

test('what another issuer says is not taken for what this one says', async () => {
  const { wiring } = loadConfiguration('examples/demo')
  const surroundings = openSurroundings(wiring!, { folder, clock: systemClock, fetch })
  try {
    surroundings.deps.log('issuer entra: no keys')
    surroundings.deps.log('issuer entra-2: other trouble')
    assert.deepEqual(surroundings.linesOf('entra'), ['no keys'])
    assert.deepEqual(surroundings.linesOf('entra-2'), ['other trouble'])
    assert.deepEqual(surroundings.linesOf('okta'), [])
  } finally {
    await surroundings.close()
  }
})

test('an issuer that is not there, and wiring that is wrong, are said as such', async () => {
  await examine(oidc())
  await assert.rejects(
    examineIssuer('on', { folder, clock: systemClock }),
    (error) => error instanceof OstiaryError && error.code === 'identity/no-issuer' && error.help === 'did you mean `one`?',
  )
  await assert.rejects(
    examineIssuer('constructor', { folder, clock: systemClock }),
    (error) => error instanceof OstiaryError && error.help === 'write one of: one',
  )
  await assert.rejects(examine({ kind: 'oidc' }), (error) => error instanceof DiagnosticsError)
})
