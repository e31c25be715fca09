/** Rows of the threat table about keys that no other test is named for. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { keyLimits } from '../../../src/identity/keys/limits.ts'
import { issuerConfig, said, testDeps, testIdentity, type TestDeps } from '../../../src/identity/testing.ts'
import type { Identities } from '../../../src/identity/index.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type KeyFixture } from '../../../src/testing/tokens.ts'

const AUDIENCE = 'orders'
const SECOND = 1_000
const key = testKey('known', 'ES256')
const stranger = testKey('stranger', 'ES256')

let fixture: KeyFixture
let deps: TestDeps
let identities: Identities
let asked: number[]

before(async () => {
  fixture = await keyFixture([key])
  asked = []
  deps = testDeps({
    fetch: (input, init) => {
      asked.push(deps.clock.now())
      return fetch(input, init)
    },
  })
  // What a single source may cost is another limit; here many come.
  identities = testIdentity({ idp: { kind: 'oidc', issuer: fixture.origin, audiences: [AUDIENCE] } }, deps, {
    cold: { rate: 1e6, burst: 1e6, sources: 10 },
  })
})
afterEach(() => {
  fixture.override = undefined
})
after(async () => {
  await identities.close()
  await fixture.close()
  deps.remove()
})

let made = 0
const token = (kid = 'known', by = key): string =>
  signToken(by, rfc9068Claims(fixture.origin, AUDIENCE, deps.clock.now(), { jti: `t-${made++}` }), { typ: 'at+jwt', kid })

test('c.5.85 two hours without the key endpoint, under load: known keys never fail, unknown ones ask once per cool-down', async () => {
  assert.equal(await said(identities, token()), 'verified')
  fixture.override = () => ({ status: 503, body: 'down' })
  asked.length = 0
  const answers = new Map<string, number>()
  const until = deps.clock.now() + 2 * 3_600 * SECOND
  while (deps.clock.now() < until) {
    deps.clock.advance(2 * SECOND)
    // A new token of the known key, and four of keys that nobody has.
    assert.equal(await said(identities, token()), 'verified')
    for (const answer of await Promise.all(Array.from({ length: 4 }, () => said(identities, token(`unknown-${made}`, stranger)))))
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
  }
  // Nobody can say whether there is such a key by now: that is neither yes nor no.
  assert.deepEqual([...answers.keys()], ['unavailable keys'])
  assert.equal(answers.get('unavailable keys'), 14_400)
  const gaps = asked.slice(1).map((at, i) => at - asked[i]!)
  // What is asked for in the background is spread by a fifth.
  assert.ok(Math.min(...gaps) >= keyLimits.coolDown * 0.8, `${Math.min(...gaps)} ms between two requests`)
  assert.ok(asked.length > 100 && asked.length <= (2 * 3_600 * SECOND) / keyLimits.coolDown + 1, `${asked.length} requests`)

  fixture.override = undefined
  fixture.keys = [key.jwk, testKey('new', 'ES256').jwk]
  deps.clock.advance(keyLimits.coolDown)
  assert.equal(await said(identities, token('unknown', stranger)), 'unknown-key')
  assert.equal(await said(identities, token()), 'verified')
})

test('c.5.80 nothing is configured to verify without a key', () => {
  const jwt = { kind: 'jwt', issuer: 'https://issuer.example', audiences: [AUDIENCE] }
  for (const keys of [undefined, [], [{ pem: '' }], [{ secret: '' }], [{ pem: 'secret' }]])
    assert.throws(() => issuerConfig({ ...jwt, keys }), { name: 'ZodError' }, JSON.stringify(keys))
})

test('c.5.82 no regular expression of identity remembers where it was', () => {
  const root = join(import.meta.dirname, '../../../src/identity')
  const files = globSync('**/*.ts', { cwd: root }).filter((file) => !/\.test\.ts$|testing\.ts$|testdata/.test(file))
  assert.ok(files.length > 100)
  for (const file of files) {
    const source = readFileSync(join(root, file), 'utf8')
    // With `test` and `exec`, a regular expression with one of these flags begins where it ended the last time.
    assert.doesNotMatch(source, /\/[dgimsuv]*[gy][dgimsuvy]*\.(?:test|exec)\(/, file)
    for (const [, name] of source.matchAll(/const (\w+) = \/.+\/[dgimsuv]*[gy][dgimsuvy]*$/gm))
      assert.doesNotMatch(source, new RegExp(`\\b${name}\\.(?:test|exec)\\(`), `${file}: ${name}`)
  }
})
