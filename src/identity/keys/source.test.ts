import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { keyFixture, testKey, type JsonObject, type KeyFixture } from '../../testing/tokens.ts'
import { testDeps, type TestDeps } from '../testing.ts'
import { keyLimits } from './limits.ts'
import { KeySource, type KeyAnswer } from './source.ts'

const one = testKey('one', 'ES256')
const two = testKey('two', 'ES256')
const rsa = testKey('rsa')
let fixture: KeyFixture
let deps: TestDeps
let left: string[]
let open: KeySource[]
const used: TestDeps[] = []

function fresh(more?: Parameters<typeof testDeps>[0]): TestDeps {
  const made = testDeps(more)
  used.push(made)
  return made
}

before(async () => {
  fixture = await keyFixture([one])
})
after(() => fixture.close())
beforeEach((t) => {
  fixture.override = undefined
  fixture.keys = [one.jwk]
  fixture.hits.clear()
  deps = fresh()
  left = []
  open = []
  ;(t as unknown as { after(run: () => void): void }).after(() => {
    for (const source of open) source.close()
    for (const one of used.splice(0)) one.remove()
  })
})

function source(more: Partial<ConstructorParameters<typeof KeySource>[0]> = {}): KeySource {
  const made = new KeySource(
    {
      issuer: 'oidc',
      file: 'oidc',
      discoveryUrl: `${fixture.origin}/.well-known/openid-configuration`,
      accepts: (issuer) => issuer === fixture.origin,
      onLeft: (kids) => void left.push(...kids),
      ...more,
    },
    deps,
  )
  open.push(made)
  return made
}

function tell(answer: KeyAnswer): string {
  return typeof answer === 'string' ? answer : `key ${answer.kid}`
}

const find = async (from: KeySource, kid: string): Promise<string> => tell(await from.find(kid))
const keyHits = (): number => fixture.hits.get('/keys') ?? 0
const json = (value: unknown) => ({ status: 200, body: JSON.stringify(value) })

test('keys are got at the first need, and answered at once from then on', async () => {
  const keys = source()
  assert.equal(await find(keys, 'one'), 'key one')
  assert.ok(!(keys.find('one') instanceof Promise))
  assert.equal(keyHits(), 1)
})

test('many who need the keys at once cause one request', async () => {
  const keys = source()
  const answers = await Promise.all(Array.from({ length: 100 }, () => find(keys, 'one')))
  assert.deepEqual(new Set(answers), new Set(['key one']))
  assert.equal(keyHits(), 1)
})

test('a provider that is down at start means unavailable, and is found again by itself', async () => {
  fixture.override = () => ({ status: 503, body: '' })
  const keys = source()
  keys.start()
  await keys.refresh()
  assert.equal(await find(keys, 'one'), 'unavailable')
  assert.equal(keys.failure, 'it answered 503')
  fixture.override = undefined
  deps.clock.advance(keyLimits.coolDown)
  await keys.refresh()
  assert.equal(await find(keys, 'one'), 'key one')
  assert.equal(deps.lines.length, 2)
  assert.match(deps.lines[0]!, /^issuer oidc: no keys from .*: it answered 503; its tokens are answered 503 until there are some$/)
  assert.match(deps.lines[1]!, /its keys are here again/)
})

test('while there are no keys, tokens cause one request in five seconds and no more', async () => {
  fixture.override = () => ({ status: 500, body: '' })
  const keys = source()
  for (let i = 0; i < 50; i++) assert.equal(await find(keys, `kid-${i}`), 'unavailable')
  assert.equal(
    [...fixture.hits.values()].reduce((a, b) => a + b),
    1,
  )
})

test('a key that is new is asked for at once, and old and new are good together', async () => {
  const keys = source()
  await find(keys, 'one')
  fixture.keys = [two.jwk, one.jwk]
  assert.equal(await find(keys, 'two'), 'key two')
  assert.equal(await find(keys, 'one'), 'key one')
  assert.deepEqual(left, [])
})

test('ten thousand unknown key ids cause one request in thirty seconds', async () => {
  const keys = source()
  await find(keys, 'one')
  fixture.hits.clear()
  for (let i = 0; i < 10_000; i++) {
    const answer = keys.find(`kid-${i}`)
    assert.equal(tell(answer instanceof Promise ? await answer : answer), 'unknown')
  }
  assert.equal(keyHits(), 1)
  deps.clock.advance(keyLimits.coolDown)
  assert.equal(await find(keys, 'another'), 'unknown')
  assert.equal(keyHits(), 2)
  assert.equal(await find(keys, 'one'), 'key one')
})

test('the cool-down holds after a failed request too, and what is unknown then is unavailable, not wrong', async () => {
  const keys = source()
  await find(keys, 'one')
  fixture.override = () => ({ status: 500, body: '' })
  fixture.hits.clear()
  for (let i = 0; i < 200; i++) assert.equal(await find(keys, `kid-${i}`), 'unavailable')
  assert.equal(
    [...fixture.hits.values()].reduce((a, b) => a + b),
    1,
  )
  assert.equal(await find(keys, 'one'), 'key one')
})

test('a key id that the provider does not have is not asked for again after the cool-down', async () => {
  const keys = source()
  assert.equal(await find(keys, 'none'), 'unknown')
  const hits = keyHits()
  deps.clock.advance(keyLimits.coolDown + 1)
  assert.equal(await find(keys, 'none'), 'unknown')
  assert.equal(keyHits(), hits)
  deps.clock.advance(keyLimits.absentFor)
  fixture.keys = [one.jwk, { ...two.jwk, kid: 'none' }]
  assert.equal(await find(keys, 'none'), 'key none')
})

test('keys that left are reported, also where another key took their id', async () => {
  fixture.keys = [one.jwk, two.jwk]
  const keys = source()
  await find(keys, 'one')
  fixture.keys = [two.jwk]
  await keys.refresh()
  assert.deepEqual(left, ['one'])
  assert.equal(await find(keys, 'one'), 'unknown')
  fixture.keys = [{ ...rsa.jwk, kid: 'two' }]
  await keys.refresh()
  assert.deepEqual(left, ['one', 'two'])
})

test('keys are refreshed in the background before they are needed', async () => {
  deps = fresh({
    fetch(input, init) {
      deps.counts.set('fetch', 1)
      return fetch(input, init)
    },
  })
  const keys = source()
  await find(keys, 'one')
  deps.counts.clear()
  fixture.keys = [one.jwk, two.jwk]
  // In small steps: the limit of time of a request is on the same clock.
  const asked = deps.counts
  for (let waited = 0; !asked.has('fetch'); waited += 1000) {
    assert.ok(waited <= keyLimits.refreshEvery)
    deps.clock.advance(1000)
  }
  await keys.refresh()
  const answer = keys.find('two')
  assert.ok(!(answer instanceof Promise))
  assert.equal(tell(answer), 'key two')
  assert.deepEqual(fixture.hits.get('/keys'), 2)
})

test('a provider that answers slowly keeps nobody waiting whose key is known', async () => {
  const keys = source()
  await find(keys, 'one')
  fixture.override = () => new Promise<never>(() => undefined)
  const refresh = keys.refresh()
  assert.equal(tell(keys.find('one') as KeyAnswer), 'key one')
  deps.clock.advance(keyLimits.timeout)
  await refresh
  assert.equal(keys.failure, 'no answer within 5000 ms')
  assert.equal(tell(keys.find('one') as KeyAnswer), 'key one')
})

test('a document that never ends is given up after the same time', async () => {
  const keys = source()
  deps = fresh({
    clock: deps.clock,
    fetch: () =>
      Promise.resolve(
        new Response(
          new ReadableStream({
            pull: (controller) => {
              controller.enqueue(Buffer.alloc(64 * 1024, ' '))
            },
          }),
        ),
      ),
  })
  const endless = source()
  await endless.refresh()
  assert.equal(endless.failure, `a document is larger than ${keyLimits.maxBytes} bytes`)
  keys.close()
})

const nonsense: readonly (readonly [string, string, { status: number; body: string; headers?: Record<string, string> }, RegExp])[] = [
  ['an empty object for keys', '/keys', json({}), /no list of keys/],
  ['an empty set', '/keys', json({ keys: [] }), /no key that can be used/],
  ['a page of HTML', '/keys', { status: 200, body: '<html>sign in</html>' }, /not JSON/],
  ['nothing', '/keys', { status: 200, body: '' }, /not JSON/],
  ['half a document', '/keys', { status: 200, body: '{"keys":[' }, /not JSON/],
  ['50 MB', '/keys', { status: 200, body: ' '.repeat(2 * keyLimits.maxBytes) }, /larger than 1048576 bytes/],
  ['a redirect', '/keys', { status: 302, body: '', headers: { location: 'http://169.254.169.254/metadata' } }, /redirect|no connection/],
  ['an error', '/keys', { status: 500, body: '' }, /answered 500/],
  ['no content', '/keys', { status: 204, body: '' }, /answered 204/],
  ['a symmetric key', '/keys', json({ keys: [one.jwk, { kty: 'oct', kid: 'x', k: 'AAAA' }] }), /symmetric/],
  ['a private key', '/keys', json({ keys: [{ ...one.jwk, d: 'AAAA' }] }), /private/],
  ['a kid twice', '/keys', json({ keys: [one.jwk, { ...two.jwk, kid: 'one' }] }), /same kid/],
  ['a member twice', '/keys', { status: 200, body: '{"keys":[],"keys":[]}' }, /not JSON/],
  [
    'metadata of another issuer',
    'discovery',
    json({ issuer: 'https://evil.example', jwks_uri: 'https://evil.example/keys' }),
    /another issuer/,
  ],
  ['metadata without issuer', 'discovery', json({ jwks_uri: 'https://evil.example/keys' }), /another issuer/],
  ['metadata that is a list', 'discovery', json([]), /another issuer/],
]

for (const [name, where, answer, reason] of nonsense)
  test(`good keys stay when the provider serves ${name}`, async () => {
    const keys = source()
    await find(keys, 'one')
    const path = where === 'discovery' ? '/.well-known/openid-configuration' : where
    fixture.override = (asked) => (asked === path ? answer : undefined)
    await keys.refresh()
    assert.match(keys.failure ?? '', reason)
    assert.equal(tell(keys.find('one') as KeyAnswer), 'key one')
    assert.deepEqual(left, [])
  })

test('keys are fetched from https, or from loopback where the metadata is from there too', async () => {
  for (const jwksUri of [
    'http://keys.example/keys',
    'http://169.254.169.254/keys',
    'file:///etc/passwd',
    'data:application/json,{}',
    '/keys',
    'https://user:pass@keys.example/keys',
    7,
  ]) {
    fixture.override = (path) => (path.startsWith('/.well') ? json({ issuer: fixture.origin, jwks_uri: jwksUri as string }) : undefined)
    const keys = source()
    await keys.refresh()
    assert.equal(keys.failure, '`jwks_uri` is not an https URL', String(jwksUri))
  }
  assert.equal(keyHits(), 0)
  deps = fresh({
    clock: deps.clock,
    fetch: () => Promise.resolve(Response.json({ issuer: 'https://issuer.example', jwks_uri: `${fixture.origin}/keys` })),
  })
  const mixed = source({ discoveryUrl: 'https://issuer.example/.well-known/openid-configuration', accepts: () => true })
  await mixed.refresh()
  assert.equal(mixed.failure, '`jwks_uri` is not an https URL')
})

test('the last good keys are known again after a restart with the provider down', async () => {
  await find(source(), 'one')
  fixture.override = () => ({ status: 503, body: '' })
  deps.clock.advance(86_400_000)
  const again = source()
  assert.equal(tell(again.find('one') as KeyAnswer), 'key one')
  assert.equal(again.age, 86_400_000)
  assert.equal((await again.metadata()).issuer, fixture.origin)
})

test('kept keys are readable by their owner only', async () => {
  await find(source(), 'one')
  const folder = join(deps.dataDir, 'issuers')
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  assert.deepEqual(readdirSync(folder), ['oidc.json'])
  assert.equal(statSync(join(folder, 'oidc.json')).mode & 0o777, 0o600)
})

test('kept keys that others could write, that are of another provider, or that are broken are not believed', async () => {
  await find(source(), 'one')
  fixture.override = () => ({ status: 503, body: '' })
  const file = join(deps.dataDir, 'issuers', 'oidc.json')
  const kept = JSON.parse(readFileSync(file, 'utf8')) as JsonObject
  const known = (): boolean => {
    const answer = source().find('one')
    return typeof answer === 'object' && 'kid' in answer
  }
  assert.ok(known())
  chmodSync(file, 0o622)
  assert.ok(!known())
  chmodSync(file, 0o600)
  const broken: readonly unknown[] = [
    { ...kept, discoveryUrl: 'https://other.example' },
    { ...kept, version: 2 },
    { ...kept, fetchedAt: 'now' },
    { ...kept, fetchedAt: deps.clock.now() + 60_000 },
    { ...kept, keys: { keys: [] } },
    { ...kept, metadata: { issuer: 'https://evil.example', jwks_uri: 'https://evil.example/keys' } },
    [],
    '{',
  ]
  for (const text of broken) {
    writeFileSync(file, typeof text === 'string' ? text : JSON.stringify(text))
    assert.ok(!known(), JSON.stringify(text))
  }
})

test('keys are believed for seven days without the provider and no longer', async () => {
  const keys = source()
  await find(keys, 'one')
  fixture.override = () => ({ status: 503, body: '' })
  await keys.refresh()
  deps.clock.advance(keyLimits.hardLimit)
  await keys.refresh()
  assert.equal(tell(keys.find('one') as KeyAnswer), 'key one')
  deps.clock.advance(1)
  assert.equal(await find(keys, 'one'), 'unavailable')
  assert.equal(keys.documents, undefined)
})

test('a folder that can not be written costs the restart, not the keys', async () => {
  deps = fresh({ clock: deps.clock, dataDir: '/dev/null' })
  used.pop() // nothing of it is ours to remove
  const keys = source()
  assert.equal(await find(keys, 'one'), 'key one')
  assert.ok(!existsSync('/dev/null/issuers'))
  assert.ok(deps.counts.has('identity_keys_not_kept oidc'))
})

test('metadata names the endpoints, and a provider that never answered is named in the error', async () => {
  const keys = source()
  const metadata = await keys.metadata()
  assert.equal(metadata.tokenEndpoint, `${fixture.origin}/token`)
  assert.equal(metadata.endSessionEndpoint, undefined)
  assert.equal(metadata.issInResponse, false)
  fixture.override = () => ({ status: 503, body: '' })
  const down = source({ file: 'down' })
  await assert.rejects(down.metadata(), {
    code: 'identity/provider-unavailable',
    message: /issuer `oidc` can not be reached \(it answered 503\)/,
  })
})

test('a closed source asks nobody', async () => {
  const keys = source()
  keys.close()
  await keys.refresh()
  deps.clock.advance(86_400_000)
  assert.equal(fixture.hits.size, 0)
})
