/** Sign-in and sessions as a browser meets them. */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { testDeps, type TestDeps } from '../testing.ts'
import { Jar, CLIENT_ID, providerStandIn, type ProviderStandIn } from './testdata/standin.ts'
import { MINUTE, openGateway, ORIGIN, SESSION, type Gateway } from './testing.ts'

/** Any octets, as a door hands them in: one character each. */
const octets = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })

let deps: TestDeps
let provider: ProviderStandIn
let gateway: Gateway

before(async () => {
  deps = testDeps()
  provider = await providerStandIn(() => deps.clock.now())
  gateway = openGateway(deps, provider)
})

after(async () => {
  await gateway.identities.close()
  await provider.close()
  deps.remove()
})

beforeEach(() => {
  provider.tokenCalls.length = 0
  provider.claims = {}
  provider.override = undefined
  provider.down = false
})

describe('signing in', () => {
  test('asks for a code with PKCE, state and nonce, and keeps what the provider proves', async () => {
    const jar = new Jar()
    const location = await gateway.begin(jar)
    const { url, state, nonce, challenge, redirectUri } = provider.asked(location)
    assert.equal(url.origin + url.pathname, `${provider.origin}/authorize`)
    const { searchParams: asked } = url
    assert.equal(asked.get('tenant'), 'one', "the endpoint's own query stays")
    assert.equal(asked.get('response_type'), 'code')
    assert.equal(asked.get('client_id'), CLIENT_ID)
    assert.equal(asked.get('scope'), 'openid profile')
    assert.equal(asked.get('code_challenge_method'), 'S256')
    assert.equal(redirectUri, `${ORIGIN}/.ostiary/callback/idp`)
    assert.match(challenge, /^[A-Za-z0-9_-]{43}$/)
    for (const value of [state, nonce]) assert.match(value, /^[A-Za-z0-9_-]{22,}$/)

    const answer = await gateway.callback(jar, provider.approve(location))
    assert.equal(answer.kind, 'redirect')
    assert.equal(new URL(answer.location, ORIGIN).href, `${ORIGIN}/list?page=2`)
    const { form, contentType } = provider.tokenCalls[0]!
    assert.equal(provider.tokenCalls.length, 1)
    assert.match(contentType ?? '', /^application\/x-www-form-urlencoded/)
    assert.equal(hash('sha256', form.get('code_verifier')!, 'base64url'), challenge)
    assert.equal(form.get('redirect_uri'), redirectUri)
    assert.equal(form.get('client_secret'), null)

    assert.deepEqual([...jar.cookies.keys()], [SESSION], 'the attempt is forgotten')
    const handle = jar.cookies.get(SESSION)!
    const { identity } = await gateway.verified(handle)
    assert.equal(identity.issuer, 'idp')
    assert.equal(identity.subject, 'reader')
    assert.equal(identity.evidence.credential, 'session')
    assert.equal(identity.evidence.issuerUrl, provider.origin)
    assert.ok(identity.evidence.sessionId !== undefined && !handle.includes(identity.evidence.sessionId))
  })

  test('sets no cookie that script, another site or another host could use', async () => {
    const jar = new Jar()
    await gateway.signIn(jar)
    assert.ok(jar.seen.length >= 3)
    for (const { name, attributes } of jar.seen) {
      assert.match(name, /^__Host-ostiary-(?:session|attempt-[A-Za-z0-9_-]{8})$/)
      for (const wanted of ['Secure', 'HttpOnly', 'SameSite=Lax', 'Path=/']) assert.ok(attributes.includes(wanted), `${name}: ${wanted}`)
      assert.ok(!attributes.some((attribute) => /^domain/i.test(attribute)))
    }
  })

  test('is done side by side in several tabs, in any order', async () => {
    const jar = new Jar()
    const paths = ['/a', '/b', '/c', '/d']
    const locations: string[] = []
    for (const path of paths) locations.push(await gateway.begin(jar, path))
    for (const index of [2, 0, 3, 1]) {
      const answer = await gateway.callback(jar, provider.approve(locations[index]!))
      assert.equal(answer.kind === 'redirect' && new URL(answer.location, ORIGIN).pathname, paths[index])
    }
    assert.equal(provider.tokenCalls.length, 4)
  })

  test('many tabs do not fill the cookie header', async () => {
    const jar = new Jar()
    for (let i = 0; i < 50; i++) await gateway.begin(jar)
    const header = jar.list().map(({ name, value }) => `${name}=${value}`)
    assert.ok(header.join('; ').length < 8_192, `${header.length} cookies`)
    assert.equal((await gateway.callback(jar, provider.approve(await gateway.begin(jar)))).kind, 'redirect')
  })

  test('begins whatever cookies came along, and repeats none of them', async () => {
    const name = fc.oneof(
      fc.constantFrom(
        '__Host-ostiary-attempt-',
        '__Host-ostiary-attempt-abcdefgh',
        '__Host-ostiary-attempt-=',
        '__Host-ostiary-attempt-a b',
        SESSION,
      ),
      octets.map((text) => `__Host-ostiary-attempt-${text}`),
    )
    const cookies = fc.array(fc.record({ name, value: octets }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(cookies, octets, async (sent, returnTo) => {
        const answer = await gateway.identities.signIn.begin({ ...gateway.at(new Jar(), { cookies: sent }), returnTo })
        assert.ok(answer.kind === 'redirect')
        for (const line of answer.setCookies) assert.match(line, /^__Host-ostiary-attempt-[A-Za-z0-9_-]{8}=[A-Za-z0-9_-]*; Path=\/[ -~]*$/)
      }),
      { numRuns: 200 },
    )
  })

  test('gives a new session, and ends the one that the browser came with', async () => {
    const jar = new Jar()
    const first = await gateway.signIn(jar)
    assert.equal(await gateway.present(first), 'verified')
    const second = await gateway.signIn(jar)
    assert.notEqual(second, first)
    assert.equal(await gateway.present(first), 'session-unknown')
    assert.equal(await gateway.present(second), 'verified')
  })

  test('takes over no handle that somebody planted', async () => {
    const planted = 'A'.repeat(43)
    const jar = new Jar()
    const location = await gateway.begin(jar)
    jar.cookies.set(SESSION, planted)
    assert.equal((await gateway.callback(jar, provider.approve(location))).kind, 'redirect')
    assert.notEqual(jar.cookies.get(SESSION), planted)
    assert.equal(await gateway.present(planted), 'session-unknown')
  })
})

describe('a session', () => {
  test('ends when it is signed out, at once and for whatever has it open', async () => {
    const jar = new Jar()
    const handle = await gateway.signIn(jar)
    const verified = await gateway.verified(handle)
    const answer = await gateway.identities.signIn.signOut(gateway.at(jar))
    assert.equal(verified.revoked, true)
    assert.equal(await gateway.present(handle), 'session-unknown')
    assert.ok(answer.kind === 'redirect', answer.kind)
    jar.take(answer.setCookies)
    assert.equal(jar.cookies.size, 0)
    const url = new URL(answer.location)
    assert.equal(url.origin + url.pathname, `${provider.origin}/end`)
    assert.equal(url.searchParams.get('client_id'), CLIENT_ID)
    assert.equal(url.searchParams.get('post_logout_redirect_uri'), `${ORIGIN}/`)
    assert.ok(!answer.location.includes(handle))
    const hint = JSON.parse(Buffer.from(url.searchParams.get('id_token_hint')!.split('.')[1]!, 'base64url').toString()) as { sub: string }
    assert.equal(hint.sub, 'reader', 'the ID token of the sign-in says which session there is meant')
  })

  test('that an ID token too long for a URL began is signed out by the client alone', async () => {
    provider.claims = { groups: Array.from({ length: 400 }, (_, i) => `group-${i}`) }
    const jar = new Jar()
    await gateway.signIn(jar)
    provider.claims = {}
    const answer = await gateway.identities.signIn.signOut(gateway.at(jar))
    assert.ok(answer.kind === 'redirect', answer.kind)
    const asked = new URL(answer.location).searchParams
    assert.deepEqual([asked.has('id_token_hint'), asked.get('client_id')], [false, CLIENT_ID])
  })

  test('is over for the browser even if the provider is not there to be told', async () => {
    deps.clock.advance(8 * 24 * 60 * MINUTE) // what is known of the provider is too old now
    const jar = new Jar()
    const handle = await gateway.signIn(jar)
    deps.clock.advance(10 * MINUTE)
    provider.down = true
    const answer = await gateway.identities.signIn.signOut(gateway.at(jar))
    assert.ok(answer.kind === 'signed-out' || answer.kind === 'redirect', answer.kind)
    jar.take(answer.setCookies)
    assert.equal(jar.cookies.size, 0)
    assert.equal(await gateway.present(handle), 'session-unknown')
  })

  test('signing out without one says nothing else', async () => {
    for (const value of [undefined, 'not a handle', 'A'.repeat(43)]) {
      const jar = new Jar()
      if (value !== undefined) jar.cookies.set(SESSION, value)
      const answer = await gateway.identities.signIn.signOut(gateway.at(jar))
      assert.ok(answer.kind === 'signed-out', answer.kind)
      jar.take(answer.setCookies)
      assert.equal(jar.cookies.size, 0)
    }
  })

  test('is one object for all who use it, found at once', async () => {
    const handle = await gateway.signIn()
    const [one, two] = [gateway.ask(handle), gateway.ask(handle)]
    assert.ok(!(one instanceof Promise) && !(two instanceof Promise))
    assert.equal(one.outcome === 'verified' && two.outcome === 'verified' && one.verified === two.verified, true)
  })

  test('ends an hour after its last use, and its open streams with it', async () => {
    const handle = await gateway.signIn()
    deps.clock.advance(59 * MINUTE)
    const verified = await gateway.verified(handle)
    deps.clock.advance(59 * MINUTE)
    assert.ok(verified.expiresAt > deps.clock.now())
    deps.clock.advance(MINUTE)
    assert.ok(verified.revoked || verified.expiresAt <= deps.clock.now(), 'a stream that is open now ends')
    assert.match(await gateway.present(handle), /^session-(?:expired|unknown)$/)
  })

  test('ends twelve hours after it began, however much it is used', async () => {
    const handle = await gateway.signIn()
    for (let i = 0; i < 12 * 2 - 1; i++) {
      deps.clock.advance(30 * MINUTE)
      assert.equal(await gateway.present(handle), 'verified', `${i}`)
    }
    deps.clock.advance(30 * MINUTE)
    assert.match(await gateway.present(handle), /^session-(?:expired|unknown)$/)
  })

  test('is nothing that could be guessed at: another shape, a neighbour, another case', async () => {
    const handle = await gateway.signIn()
    const flipped = (handle.startsWith('A') ? 'B' : 'A') + handle.slice(1)
    const others = ['', ' ', `${handle} `, ` ${handle}`, `"${handle}"`, `${handle}=`, handle.slice(1), flipped, `${handle}\0`, '__proto__']
    for (const other of others) assert.equal(await gateway.present(other), 'session-unknown', JSON.stringify(other))
    assert.equal(await gateway.present(handle), 'verified')
  })
})

test("the gateway's cookies are its own in whatever case", () => {
  const { signIn: door } = gateway.identities
  for (const secure of [true, false]) {
    const name = door.sessionCookie(secure)
    for (const one of [name, name.toUpperCase(), name.toLowerCase()]) assert.equal(door.ownsCookie(one), true, one)
    const forgotten = new Jar()
    forgotten.cookies.set(name, 'x')
    forgotten.take([door.forget(secure)])
    assert.equal(forgotten.cookies.size, 0)
  }
  for (const one of ['__HOST-OSTIARY-ATTEMPT-abcdefgh', 'ostiary-attempt-abcdefgh', 'Ostiary-Session'])
    assert.equal(door.ownsCookie(one), true, one)
  for (const one of ['', 'session', 'ostiary', 'my-ostiary-session', 'ostiary-sessions', '__proto__', 'constructor'])
    assert.equal(door.ownsCookie(one), false, one)
})
