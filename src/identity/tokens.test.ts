import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import type { AuthResult, Verified } from '../core/credential.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type JsonObject, type KeyFixture } from '../testing/tokens.ts'
import { Secret } from '../core/secret.ts'
import type { Identities, Issuer } from './index.ts'
import type { Possession } from './possession/possession.ts'
import { keyLimits } from './keys/limits.ts'
import { ask, said, tell, testDeps, testIdentity, type TestDeps } from './testing.ts'
import { tokenLimits, Tokens, type TokenLimits } from './tokens.ts'

const one = testKey('one', 'ES256')
const two = testKey('two', 'ES256')
let fixture: KeyFixture
let deps: TestDeps
let open: Identities[]

before(async () => {
  fixture = await keyFixture([one])
})
after(() => fixture.close())
beforeEach((t) => {
  fixture.override = undefined
  fixture.keys = [one.jwk, two.jwk]
  fixture.hits.clear()
  deps = testDeps()
  open = []
  ;(t as unknown as { after(run: () => Promise<void>): void }).after(async () => {
    for (const identities of open) await identities.close()
    deps.remove()
  })
})

function identity(limits?: Partial<TokenLimits>): Identities {
  const made = testIdentity({ oidc: { kind: 'oidc', issuer: fixture.origin, audiences: ['orders'] } }, deps, limits)
  open.push(made)
  return made
}

function token(key = one, more: JsonObject = {}): string {
  return signToken(key, rfc9068Claims(fixture.origin, 'orders', deps.clock.now(), more), { typ: 'at+jwt' })
}

async function verified(identities: Identities, text: string): Promise<Verified> {
  const result = await ask(identities, text)
  assert.ok(result.outcome === 'verified', tell(result))
  return result.verified
}

test('a token is verified once, and is the same proof from then on, at once', async () => {
  const identities = identity()
  const text = token()
  const first = await verified(identities, text)
  const again = ask(identities, text)
  assert.ok(!(again instanceof Promise))
  assert.equal((again as Extract<AuthResult, { outcome: 'verified' }>).verified, first)
  assert.equal(first.revoked, false)
})

test('a known token ends with its exp and the skew, not later', async () => {
  const identities = identity()
  const text = token()
  const { expiresAt } = await verified(identities, text)
  assert.equal(expiresAt, deps.clock.now() + 3_930_000)
  fixture.override = () => ({ status: 503, body: '' })
  deps.clock.advance(3_929_999)
  assert.equal(await said(identities, text), 'verified')
  deps.clock.advance(1)
  assert.equal(await said(identities, text), 'expired')
})

test('a token that differs from a known one only before its last characters is judged for itself', async () => {
  const identities = identity()
  const text = token()
  await verified(identities, text)
  const [head = '', body = '', tail = ''] = text.split('.')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as JsonObject
  const forged = `${head}.${Buffer.from(JSON.stringify({ ...claims, sub: 'admin' })).toString('base64url')}.${tail}`
  assert.equal(await said(identities, forged), 'signature')
  assert.equal(await said(identities, text), 'verified')
})

test('what a key signed ends when the key leaves, known or only held on to', async () => {
  const identities = identity({ entries: 2 })
  const ofOne = token(one)
  const forgotten = await verified(identities, ofOne)
  const ofTwo = await verified(identities, token(two))
  for (let i = 0; i < 10; i++) await verified(identities, token(two, { jti: `t${i}` }))
  fixture.keys = [two.jwk]
  deps.clock.advance(keyLimits.coolDown)
  assert.equal(
    await said(
      identities,
      token(one, { jti: 'x' }).replace(/^[^.]+/, Buffer.from('{"alg":"ES256","kid":"new","typ":"at+jwt"}').toString('base64url')),
    ),
    'unknown-key',
  )
  assert.equal(forgotten.revoked, true)
  assert.equal(ofTwo.revoked, false)
  assert.equal(await said(identities, ofOne), 'unknown-key')
  fixture.keys = [one.jwk, two.jwk]
  deps.clock.advance(keyLimits.coolDown + keyLimits.absentFor)
  assert.equal((await verified(identities, ofOne)).revoked, false, 'the key came back, and was asked for')
  assert.equal(forgotten.revoked, true)
})

test('a proof that was revoked stays the answer, so that nobody proves it anew', async () => {
  const identities = identity()
  const text = token()
  const proof = await verified(identities, text)
  proof.revoked = true
  assert.equal((await verified(identities, text)).revoked, true)
})

test('a key that leaves one issuer ends nothing of another', async () => {
  const second = await keyFixture([one])
  const issuers = Object.fromEntries(
    [fixture, second].map(({ origin }, i) => [`oidc-${i}`, { kind: 'oidc', issuer: origin, audiences: ['orders'] }]),
  )
  const identities = testIdentity(issuers, deps)
  open.push(identities)
  try {
    const here = await verified(identities, token())
    const there = await verified(identities, signToken(one, rfc9068Claims(second.origin, 'orders', deps.clock.now()), { typ: 'at+jwt' }))
    assert.equal(there.identity.issuer, 'oidc-1')
    fixture.keys = [two.jwk]
    await said(identities, signToken(two, rfc9068Claims(fixture.origin, 'orders', deps.clock.now()), { typ: 'at+jwt', kid: 'new' }))
    assert.equal(here.revoked, true)
    assert.equal(there.revoked, false)
  } finally {
    await second.close()
  }
})

test('good tokens use up nothing, however many are new', async () => {
  const identities = identity({ cold: { rate: 0.001, burst: 1, sources: 10 } })
  for (let i = 0; i < 20; i++) assert.equal(await said(identities, token(one, { jti: `${i}` })), 'verified')
})

test('a source that brings more bad tokens than its budget is put off, others are not, known tokens neither', async () => {
  const identities = identity({ cold: { rate: 1, burst: 3, sources: 10 } })
  const known = token()
  await verified(identities, known)
  assert.equal(await said(identities, 'bad.1'), 'malformed')
  assert.equal(await said(identities, 'bad.2'), 'malformed')
  assert.equal(await said(identities, 'bad.3'), 'malformed')
  assert.equal(await said(identities, 'bad.4'), 'unavailable overloaded')
  assert.equal(await said(identities, token(one, { jti: 'new' })), 'unavailable overloaded')
  assert.equal(await said(identities, 'bad.4', '192.0.2.2'), 'malformed')
  assert.equal(await said(identities, known), 'verified')
  assert.equal(await said(identities, 'bad.1'), 'malformed', 'what is known to be bad costs nothing')
  deps.clock.advance(1_000)
  assert.equal(await said(identities, 'bad.5'), 'malformed')
})

test('what is bad is not judged again for a moment, unless time or the provider may change it', async () => {
  const identities = identity({ cold: { rate: 0.001, burst: 2, sources: 10 } })
  const early = token(one, { nbf: deps.clock.now() / 1000 + 31 })
  assert.equal(await said(identities, early), 'not-yet-valid')
  deps.clock.advance(1_001)
  assert.equal(await said(identities, early), 'verified')
  const bad = identity({ cold: { rate: 0.001, burst: 2, sources: 10 } })
  for (let i = 0; i < 10; i++) assert.equal(await said(bad, 'x.y'), 'malformed')
  deps.clock.advance(tokenLimits.refusedFor)
  assert.equal(await said(bad, 'x.y'), 'malformed')
  deps.clock.advance(tokenLimits.refusedFor)
  assert.equal(await said(bad, 'x.y'), 'unavailable overloaded')
})

test('many who bring the same new token at once wait for one verification', async () => {
  const identities = identity({ cold: { rate: 1, burst: 1, sources: 10 } })
  const text = token()
  const answers = await Promise.all(Array.from({ length: 50 }, async () => ask(identities, text)))
  const proofs = new Set(answers.map((answer) => (answer.outcome === 'verified' ? answer.verified : tell(answer))))
  assert.equal(proofs.size, 1)
  assert.equal(typeof [...proofs][0], 'object')
})

test('only so many wait for a provider that does not answer', async () => {
  fixture.override = () => new Promise<never>(() => undefined)
  const identities = identity({ waiting: 2 })
  const waiting = ['1', '2'].map(async (jti) => ask(identities, token(one, { jti })))
  assert.equal(await said(identities, token(one, { jti: '3' })), 'unavailable overloaded')
  deps.clock.advance(keyLimits.timeout)
  for (const answer of await Promise.all(waiting)) assert.equal(tell(answer), 'unavailable keys')
})

test('tokens are verified with the provider down once its keys were known, also after a restart', async () => {
  await verified(identity(), token())
  fixture.override = () => ({ status: 503, body: '' })
  const again = identity()
  assert.equal(await said(again, token(one, { jti: 'x' })), 'verified')
  assert.equal(again.status()['oidc']!.ready, true)
})

test('with a provider that was never there, tokens are unavailable and the issuer is not ready', async () => {
  fixture.override = () => ({ status: 503, body: '' })
  const identities = identity()
  assert.equal(await said(identities, token()), 'unavailable keys')
  assert.deepEqual(identities.status()['oidc'], { ready: false, detail: 'no keys' })
})

test('a token of no configured issuer, and one without issuer, are refused for that', async () => {
  const identities = identity()
  assert.equal(await said(identities, token(one, { iss: 'https://other.example' })), 'issuer')
  assert.equal(await said(identities, token(one, { iss: 7 })), 'issuer')
})

test('what can not be used is refused for the reason that the door gave', async () => {
  const { authenticator } = identity()
  const at = { source: '192.0.2.1', time: 0, resource: 'orders' }
  assert.equal(tell(await authenticator.authenticate({ kind: 'unusable', reason: 'ambiguous' }, at)), 'ambiguous')
})

test('a token that is no JWT goes to the issuer that knows its form, to no one if two do', async () => {
  const identities = identity()
  const [oidc] = identities.issuers
  const asked: string[] = []
  const knows = (name: string): Issuer => ({
    ...oidc!,
    name,
    owns: () => false,
    claimsToken: (token) => token.startsWith('opaque-'),
    verifyAccessToken: () => (asked.push(name), { outcome: 'rejected', reason: 'revoked' }),
  })
  const passing = { of: (_: unknown, answer: AuthResult) => answer } as unknown as Possession
  const present = async (issuers: readonly Issuer[], token: string): Promise<string> => {
    const tokens = new Tokens({
      issuers,
      clock: deps.clock,
      entropy: deps.entropy,
      meter: deps.meter,
      revocations: identities.revocations,
      possession: passing,
    })
    return tell(
      await tokens.authenticate({ kind: 'bearer', token: new Secret(token) }, { source: '192.0.2.1', time: 0, resource: 'orders' }),
    )
  }
  assert.equal(await present([oidc!, knows('one')], 'opaque-1'), 'revoked')
  assert.equal(await present([oidc!, knows('one')], 'other-1'), 'malformed')
  assert.equal(await present([knows('one'), oidc!], token()), 'verified')
  assert.deepEqual(asked, ['one'])
  assert.equal(await present([knows('one'), knows('two')], 'opaque-1'), 'issuer')
  assert.deepEqual(asked, ['one'])
})
