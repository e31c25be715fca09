/** What a provider tells of people who signed out there, as a relying party has to judge it. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { OstiaryError } from '../../core/errors.ts'
import { base64url, testKey, signToken, unsignedToken } from '../../testing/tokens.ts'
import { testDeps, type TestDeps } from '../testing.ts'
import { Jar, providerStandIn, type ProviderStandIn } from '../session/testdata/standin.ts'
import { MINUTE, openGateway, type Gateway } from '../session/testing.ts'
import type { ProviderEnd } from '../ended.ts'
import type { LogoutAnswer } from './logout.ts'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
let deps: TestDeps
let provider: ProviderStandIn
let gateway: Gateway
let ends: ProviderEnd[] = []
let fails = false
let sources = 0

before(async () => {
  deps = testDeps()
  provider = await providerStandIn(() => deps.clock.now())
  gateway = openGateway(deps, provider, {
    deps: {
      onProviderEnd: async (end) => {
        if (fails) throw new OstiaryError('identity/revocations-unavailable')
        ends.push(end)
        const { revocations } = gateway.identities
        const id = `${ends.length} ${deps.clock.now()}`
        await revocations.add({ id, target: end.target, reason: end.event, by: end.issuer, createdAt: deps.clock.now(), until: undefined })
      },
    },
  })
})
after(async () => {
  await gateway.identities.close()
  await provider.close()
  deps.remove()
})
beforeEach(() => {
  deps.clock.advance(2_000)
  ends = []
  fails = false
  provider.claims = {}
})

async function signIn(sid: string | undefined, sub = 'reader'): Promise<string> {
  provider.claims = { sub, ...(sid === undefined ? {} : { sid }) }
  return gateway.signIn(new Jar())
}

/** Each request from another address: what they cost is another test's. */
const source = (): string => `198.51.100.${++sources % 250}`

const back = (token: string, more = ''): Promise<LogoutAnswer> =>
  gateway.identities.logout.backChannel('idp', `logout_token=${token}${more}`, source())
const front = (query: string): Promise<LogoutAnswer> => gateway.identities.logout.frontChannel('idp', query, source())
const reason = (answer: LogoutAnswer): string => ('reason' in answer ? answer.reason : answer.kind)

describe('back-channel logout', () => {
  test('ends all sessions that began with the one at the provider, and no other', async () => {
    const [one, two, other] = [await signIn('there-1'), await signIn('there-1'), await signIn('there-2')]
    const held = await gateway.verified(one)
    assert.deepEqual(await back(provider.logoutToken()), { kind: 'done' })
    assert.equal(held.revoked, true, 'what is open ends with it')
    for (const handle of [one, two]) assert.notEqual(await gateway.present(handle), 'verified')
    assert.equal(await gateway.present(other), 'verified')
    assert.deepEqual(
      ends.map(({ issuer, event, target }) => [issuer, event, target.kind]),
      [
        ['idp', 'back-channel-logout', 'session'],
        ['idp', 'back-channel-logout', 'session'],
      ],
    )
  })

  test('of a subject ends all it has, and nothing that begins later', async () => {
    const [one, other] = [await signIn(undefined), await signIn('there-2', 'publisher')]
    assert.deepEqual(await back(provider.logoutToken({ sid: undefined, sub: 'reader' })), { kind: 'done' })
    assert.equal(await gateway.present(one), 'revoked')
    assert.equal(await gateway.present(other), 'verified')
    deps.clock.advance(2_000)
    assert.equal(await gateway.present(await signIn(undefined)), 'verified')
  })

  test('of a session that nothing here began with ends all of its subject, where it names one', async () => {
    const handle = await signIn(undefined)
    assert.deepEqual(await back(provider.logoutToken({ sid: 'there-9', sub: 'reader' })), { kind: 'done' })
    assert.equal(await gateway.present(handle), 'revoked')
    const later = await signIn('there-8', 'publisher')
    assert.deepEqual(await back(provider.logoutToken({ sid: 'there-9' })), { kind: 'done' })
    assert.equal(await gateway.present(later), 'verified')
  })

  test('is taken once', async () => {
    await signIn('there-1')
    const token = provider.logoutToken()
    assert.deepEqual(await back(token), { kind: 'done' })
    const handle = await signIn('there-1')
    assert.equal(reason(await back(token)), 'the logout token was used before')
    assert.equal(await gateway.present(handle), 'verified')
  })

  const now = (): number => Math.floor(deps.clock.now() / 1000)
  const wrong: readonly (readonly [string, () => string, string])[] = [
    ['no type', () => provider.logoutToken({}, { typ: 'JWT' }), 'token-type'],
    ['the type of an access token', () => provider.logoutToken({}, { typ: 'at+jwt' }), 'token-type'],
    ['another issuer', () => provider.logoutToken({ iss: 'https://elsewhere.example' }), 'issuer'],
    ['another client', () => provider.logoutToken({ aud: 'billing-web' }), 'audience'],
    ['no audience', () => provider.logoutToken({ aud: undefined }), 'audience'],
    ['an audience that is no text', () => provider.logoutToken({ aud: ['orders-web', 7] }), 'audience'],
    ['no events', () => provider.logoutToken({ events: undefined }), 'claim events'],
    ['other events', () => provider.logoutToken({ events: { 'urn:other': {} } }), 'claim events'],
    ['events that are a list', () => provider.logoutToken({ events: [EVENT] }), 'claim events'],
    ['an event that is no object', () => provider.logoutToken({ events: { [EVENT]: true } }), 'claim events'],
    ['a nonce', () => provider.logoutToken({ nonce: 'n' }), 'claim nonce'],
    ['an empty nonce', () => provider.logoutToken({ nonce: null }), 'claim nonce'],
    ['neither sid nor sub', () => provider.logoutToken({ sid: undefined }), 'claim sub'],
    ['a sid that is no text', () => provider.logoutToken({ sid: 7 }), 'claim sid'],
    ['a sub that is no text', () => provider.logoutToken({ sub: ['reader'] }), 'claim sub'],
    ['no jti', () => provider.logoutToken({ jti: undefined }), 'claim jti'],
    ['no iat', () => provider.logoutToken({ iat: undefined }), 'claim iat'],
    ['no exp', () => provider.logoutToken({ exp: undefined }), 'claim exp'],
    ['an end that has come', () => provider.logoutToken({ iat: now() - 600, exp: now() - 60 }), 'expired'],
    ['a beginning in the future', () => provider.logoutToken({ iat: now() + 600, nbf: undefined, exp: now() + 700 }), 'issued-in-future'],
    ['a life of a day', () => provider.logoutToken({ exp: now() + 86_400 }), 'lifetime'],
    ['no signature', () => unsignedToken({ iss: provider.origin }), 'unsigned'],
    ['another key', () => signToken(testKey('standin', 'ES256'), { iss: provider.origin }, { typ: 'logout+jwt' }), 'signature'],
    [
      'a key that is not published',
      () => signToken(testKey('other', 'ES256'), { iss: provider.origin }, { typ: 'logout+jwt' }),
      'unknown-key',
    ],
  ]
  for (const [name, make, why] of wrong)
    test(`with ${name} is refused, and ends nothing`, async () => {
      const handle = await signIn('there-1')
      deps.lines.length = 0
      assert.equal(reason(await back(make())), 'the logout token is not valid')
      assert.deepEqual(deps.lines, [`issuer idp: a logout token was refused: ${why}`])
      assert.equal(await gateway.present(handle), 'verified')
      assert.deepEqual(ends, [])
    })

  test('an ID token of a sign-in is none', async () => {
    const handle = await signIn('there-1')
    const jar = new Jar()
    const begun = await gateway.begin(jar)
    const nonce = new URL(begun).searchParams.get('nonce')!
    assert.equal(reason(await back(provider.logoutToken({ nonce, events: undefined }, { typ: 'JWT' }))), 'the logout token is not valid')
    assert.equal(await gateway.present(handle), 'verified')
  })

  test('that comes twice, or not at all, is refused', async () => {
    const token = provider.logoutToken()
    assert.equal(reason(await back(token, `&logout_token=${token}`)), 'one `logout_token` must be sent')
    for (const form of ['', 'token=x', token])
      assert.equal(reason(await gateway.identities.logout.backChannel('idp', form, source())), 'one `logout_token` must be sent')
  })

  test('that can not be carried out says so', async () => {
    const handle = await signIn('there-1')
    fails = true
    assert.deepEqual(await back(provider.logoutToken()), { kind: 'failed' })
    assert.equal(await gateway.present(handle), 'verified')
  })

  test('of whatever bytes is refused and ends nothing', async () => {
    const handle = await signIn('there-1')
    const good = provider.logoutToken()
    const cut = fc.tuple(fc.nat(good.length - 1), fc.string({ minLength: 1, maxLength: 3 })).map(([at, text]) => {
      const changed = good.slice(0, at) + encodeURIComponent(text) + good.slice(at + 1)
      return changed === good ? `${changed}x` : changed
    })
    const header = fc.json().map((text) => `${base64url(text)}.${base64url('{}')}.AA`)
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), cut, header), async (token) => {
        assert.equal((await gateway.identities.logout.backChannel('idp', `logout_token=${token}`, source())).kind, 'refused')
        deps.clock.advance(100)
      }),
      { numRuns: 200 },
    )
    assert.deepEqual(ends, [])
    assert.equal(await gateway.present(handle), 'verified')
  })

  test('that is bad costs its source what it may cost, and no key is fetched for it time and again', async () => {
    const bad = signToken(testKey('guessed', 'ES256'), { iss: provider.origin }, { typ: 'logout+jwt' })
    const answers = []
    for (let i = 0; i < 150; i++)
      answers.push((await gateway.identities.logout.backChannel('idp', `logout_token=${bad}`, '203.0.113.9')).kind)
    assert.ok(answers.includes('overloaded'))
    assert.deepEqual(await back(provider.logoutToken()), { kind: 'done' }, 'others are heard')
  })
})

describe('front-channel logout', () => {
  const query = (sid: string, iss = provider.origin): string => new URLSearchParams({ iss, sid }).toString()

  test('ends the sessions that began with the one at the provider', async () => {
    const [one, other] = [await signIn('there-3'), await signIn('there-2')]
    assert.deepEqual(await front(query('there-3')), { kind: 'done' })
    assert.notEqual(await gateway.present(one), 'verified')
    assert.equal(await gateway.present(other), 'verified')
    assert.deepEqual([ends[0]!.event, ends.length], ['front-channel-logout', 1])
  })

  test('does not tell whether there was one', async () => {
    assert.deepEqual(await front(query('nobody-has-this')), { kind: 'done' })
    assert.deepEqual(ends, [])
  })

  for (const [name, text, why] of [
    ['neither', () => '', 'one `iss` and one `sid` must be sent'],
    ['no iss', () => 'sid=there-1', 'one `iss` and one `sid` must be sent'],
    ['no sid', () => `iss=${provider.origin}`, 'one `iss` and one `sid` must be sent'],
    ['an empty sid', () => query(''), 'one `iss` and one `sid` must be sent'],
    ['two', () => `${query('there-1')}&sid=there-2`, 'one `iss` and one `sid` must be sent'],
    ['one that is too long', () => query('x'.repeat(2_000)), 'one `iss` and one `sid` must be sent'],
    ['another provider', () => query('there-1', 'https://elsewhere.example'), 'this is not the provider that people sign in with here'],
  ] as const)
    test(`with ${name} is refused`, async () => {
      const handle = await signIn('there-1')
      assert.equal(reason(await front(text())), why)
      assert.equal(await gateway.present(handle), 'verified')
      assert.deepEqual(ends, [])
    })
})

test('a session that was proven anew is still found by its name at the provider', async () => {
  const handle = await signIn('there-7')
  deps.clock.advance(30 * MINUTE)
  assert.equal(await gateway.present(handle), 'verified')
  assert.deepEqual(await back(provider.logoutToken({ sid: 'there-7' })), { kind: 'done' })
  assert.notEqual(await gateway.present(handle), 'verified')
})
