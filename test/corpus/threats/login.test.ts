/** Rows of the threat table about login that no other test is named for. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import type { SessionStore } from '../../../src/store/sessions.ts'
import { memoryStore } from '../../../src/store/memory.ts'
import { issuerOf, openGateway, ORIGIN, SESSION, type Gateway } from '../../../src/identity/session/testing.ts'
import { Jar, providerStandIn, type ProviderStandIn } from '../../../src/identity/session/testdata/standin.ts'
import { issuerKinds, type SignInEvent } from '../../../src/identity/index.ts'
import type { IssuerBase } from '../../../src/config/schema.ts'
import { tell, testDeps, type TestDeps } from '../../../src/identity/testing.ts'
import {
  API,
  CLIENT,
  entraClaims,
  keyFixture,
  OTHER_TENANT,
  rfc9068Claims,
  signToken,
  TENANT,
  testKey,
} from '../../../src/testing/tokens.ts'

let deps: TestDeps
let provider: ProviderStandIn
/** The attacker's, registered here under the name `other`. */
let elsewhere: ProviderStandIn
let gateway: Gateway
/** Sign-ins that were refused for the record. */
const events: SignInEvent[] = []
/** Calls that keep something. */
let kept: number

function counting(store: SessionStore): SessionStore {
  const count = <A extends readonly unknown[], R>(work: (...all: A) => R) => {
    return (...all: A): R => {
      kept++
      return work(...all)
    }
  }
  return { ...store, add: count(store.add), spend: count(store.spend), lease: count(store.lease), seen: count(store.seen) }
}

before(async () => {
  deps = testDeps()
  provider = await providerStandIn(() => deps.clock.now())
  elsewhere = await providerStandIn(() => deps.clock.now())
  gateway = openGateway(deps, provider, {
    issuers: { idp: issuerOf(provider.origin), other: issuerOf(elsewhere.origin) },
    deps: { store: counting(memoryStore()), onSignIn: (event) => void (event.kind === 'sign-in-refused' && events.push(event)) },
  })
})
after(async () => {
  await gateway.identities.close()
  await provider.close()
  await elsewhere.close()
  deps.remove()
})
beforeEach(() => {
  kept = 0
  provider.claims = {}
  provider.tokenCalls.length = 0
  elsewhere.tokenCalls.length = 0
  events.length = 0
})

/** The code of one answer of a provider in the place of another's. */
function swapped(query: string, by: string): string {
  const mixed = new URLSearchParams(query)
  mixed.set('code', new URLSearchParams(by).get('code')!)
  return mixed.toString()
}

test('c.4.55 a code of another sign-in is redeemed with the verifier of this one, and so by nobody', async () => {
  const [victim, attacker] = [new Jar(), new Jar()]
  const stolen = provider.approve(await gateway.begin(victim))
  const own = provider.approve(await gateway.begin(attacker))
  const answer = await gateway.callback(attacker, swapped(own, stolen))
  assert.notEqual(answer.kind, 'redirect')
  assert.equal(attacker.cookies.has(SESSION), false)
  assert.equal(provider.tokenCalls.length, 1)
  assert.match(provider.tokenCalls[0]!.form.get('code_verifier')!, /^[A-Za-z0-9_-]{43,128}$/)
})

test('c.4.55 there is no sign-in without S256, whatever the provider would take', async () => {
  const { url, challenge } = provider.asked(await gateway.begin(new Jar()))
  assert.equal(url.searchParams.get('code_challenge_method'), 'S256')
  assert.match(challenge, /^[A-Za-z0-9_-]{43}$/)
})

/** The attacker's provider never says who it is, and the honest one doesn't either: there is no `iss` in any answer. */
for (const [one, other] of [
  ['idp', 'other'],
  ['other', 'idp'],
] as const)
  test(`c.4.56 the answer of ${one} at the callback of ${other} is shown to neither, is recorded, and is the end of the attempt`, async () => {
    const [mine, at] = one === 'idp' ? [provider, elsewhere] : [elsewhere, provider]
    const jar = new Jar()
    const location = await gateway.begin(jar, '/', { issuer: one })
    const kept = gateway.at(jar).cookies
    const query = mine.approve(location)
    assert.equal(new URLSearchParams(query).has('iss'), false)
    for (const issuer of [one, other]) {
      const answer = await gateway.callback(jar, query, { issuer, callback: other, cookies: kept })
      assert.ok(answer.kind === 'refused', answer.kind)
      assert.equal(answer.reason, 'the answer came from another identity provider than was asked')
    }
    assert.deepEqual(events, [
      { kind: 'sign-in-refused', reason: 'mixed-up', issuer: one, callback: other, resource: 'orders', ip: '192.0.2.1' },
    ])
    assert.equal(jar.list().length, 0, 'the browser has forgotten the attempt')
    const late = await gateway.callback(jar, query, { issuer: one, cookies: kept })
    assert.ok(late.kind === 'refused', 'and where it belongs, it comes too late')
    assert.deepEqual([mine.tokenCalls.length, at.tokenCalls.length], [0, 0])
  })

test('c.4.56 a code of the honest provider is never shown to the one that the attacker runs', async () => {
  // RFC 9700 §4.4.1: who was asked sends the browser on to the honest provider, as the client that the gateway is there.
  const jar = new Jar()
  const begun = new URL(await gateway.begin(jar, '/', { issuer: 'other' }))
  const honest = new URL(await gateway.begin(new Jar()))
  assert.notEqual(begun.searchParams.get('redirect_uri'), honest.searchParams.get('redirect_uri'))
  for (const parameter of ['state', 'nonce', 'code_challenge']) honest.searchParams.set(parameter, begun.searchParams.get(parameter)!)
  // It answers to what is registered there: its own callback.
  assert.equal(provider.asked(honest.href).redirectUri, `${ORIGIN}/.ostiary/callback/idp`)
  const answer = await gateway.callback(jar, provider.approve(honest.href), { issuer: 'other', callback: 'idp' })
  assert.equal(answer.kind, 'refused')
  assert.deepEqual([provider.tokenCalls.length, elsewhere.tokenCalls.length, events.length], [0, 0, 1])
})

test('c.4.56 each code is redeemed for the callback that it came to', async () => {
  for (const [name, one] of [
    ['idp', provider],
    ['other', elsewhere],
  ] as const) {
    const jar = new Jar()
    const answer = await gateway.callback(jar, one.approve(await gateway.begin(jar, '/', { issuer: name })), { issuer: name })
    assert.equal(answer.kind, 'redirect')
    assert.equal(one.tokenCalls.at(-1)!.form.get('redirect_uri'), `${ORIGIN}/.ostiary/callback/${name}`)
  }
})

test('c.4.57 the nonce of another sign-in, or none, gives no session', async () => {
  const before = provider.asked(await gateway.begin(new Jar())).nonce
  for (const nonce of [before, null]) {
    const jar = new Jar()
    provider.claims = { nonce }
    const answer = await gateway.callback(jar, provider.approve(await gateway.begin(jar)))
    assert.ok(answer.kind === 'refused', answer.kind)
    assert.equal(jar.cookies.has(SESSION), false)
  }
  assert.equal(provider.tokenCalls.length, 2)
})

test('c.4.61 a token in the place of a session is nobody, be it good, of another audience or unsigned', async () => {
  const key = testKey('k', 'ES256')
  for (const audience of ['orders', 'elsewhere'])
    for (const text of [
      signToken(key, rfc9068Claims(provider.origin, audience, deps.clock.now()), { typ: 'at+jwt' }),
      provider.logoutToken(),
      `${signToken(key, { sub: 'reader' }).split('.').slice(0, 2).join('.')}.`,
    ])
      assert.equal(await gateway.present(text), 'session-unknown')
})

test('c.4.69 a thousand sign-ins that begin and never end keep nothing', async () => {
  for (let i = 0; i < 1_000; i++) await gateway.begin(new Jar())
  for (let i = 0; i < 100; i++) await gateway.callback(new Jar(), `state=s${i}&code=c${i}`)
  assert.equal(kept, 0)
  assert.equal(provider.tokenCalls.length, 0)
})

test('c.6.95 a token of another tenant is refused at the API and at sign-in, by one judgement', async () => {
  const signing = testKey('rsa')
  const fixture = await keyFixture([signing])
  const config = issuerKinds['entra']!.schema.parse({ kind: 'entra', authority: fixture.origin, tenants: [TENANT], audiences: [API] })
  const issuer = issuerKinds['entra']!.create('entra', config as IssuerBase, deps)
  try {
    const now = deps.clock.now()
    const elsewhere = { iss: `${fixture.origin}/${OTHER_TENANT}/v2.0`, tid: OTHER_TENANT }
    const expected = { clientId: CLIENT, nonce: 'n-0S6_WzA2Mj' }
    const access = (more: object): string => signToken(signing, entraClaims.v2User(fixture.origin, now, { ...more }))
    const id = (more: object): string => signToken(signing, entraClaims.idToken(fixture.origin, now, { ...more }))
    const outcomes = async (more: object): Promise<readonly string[]> => {
      const results = [await issuer.verifyAccessToken(access(more)), await issuer.verifyIdToken(id(more), expected)]
      return results.map((result) => (result.outcome === 'identity' ? 'identity' : tell(result)))
    }
    assert.deepEqual(await outcomes({}), ['identity', 'identity'])
    assert.deepEqual(await outcomes(elsewhere), ['tenant', 'tenant'])
    assert.deepEqual(await outcomes({ tid: OTHER_TENANT }), ['tenant', 'tenant'])
  } finally {
    issuer.close()
    await fixture.close()
  }
})
