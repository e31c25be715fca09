/** A provider that lies, fails or is slow when a code is redeemed. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { SignInAnswer } from '../index.ts'
import { testDeps, type TestDeps } from '../testing.ts'
import { CLIENT_ID, Jar, providerStandIn, type ProviderStandIn } from './testdata/standin.ts'
import { MINUTE, openGateway, SESSION, type Gateway } from './testing.ts'

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

/** Refused without a session, in words of our own. */
function assertRefused(answer: SignInAnswer, jar: Jar): void {
  assert.ok(answer.kind === 'refused', answer.kind)
  assert.match(answer.reason, /^[a-z][ -~]*[^.]$/)
  assert.equal(jar.cookies.has(SESSION), false)
}

describe("the provider's answer", () => {
  const hour = 3_600
  const bad: readonly [string, () => void][] = [
    ['has another nonce', () => (provider.claims = { nonce: 'n-0S6_WzA2Mj' })],
    ['has an empty nonce', () => (provider.claims = { nonce: '' })],
    ['has a nonce that is a list', () => (provider.claims = { nonce: [] })],
    ['is for another client', () => (provider.claims = { aud: 'billing-web' })],
    ['is for another client too', () => (provider.claims = { aud: [CLIENT_ID, 'billing-web'] })],
    ['was made for another client', () => (provider.claims = { azp: 'billing-web' })],
    ['is of another issuer', () => (provider.claims = { iss: 'https://other.example' })],
    [
      'has expired',
      () => (provider.claims = { exp: Math.floor(deps.clock.now() / 1000) - hour, iat: Math.floor(deps.clock.now() / 1000) - 2 * hour }),
    ],
    ['has no subject', () => (provider.claims = { sub: '' })],
    ['is no ID token', () => (provider.override = (response) => json(response, { access_token: 'x', token_type: 'Bearer' }))],
    [
      'is an unsigned token',
      () => (provider.override = (response) => json(response, { id_token: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.' })),
    ],
    ['is a number', () => (provider.override = (response) => json(response, { id_token: 7 }))],
    ['holds the token twice', () => (provider.override = (response) => response.writeHead(200).end('{"id_token":"a","id_token":"b"}'))],
    ['is not JSON', () => (provider.override = (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'))],
    ['refuses the code', () => (provider.override = (response) => response.writeHead(400).end('{"error":"invalid_grant"}'))],
    ['refuses the client', () => (provider.override = (response) => response.writeHead(401).end('{"error":"invalid_client"}'))],
    [
      'says nothing a person should see',
      () => (provider.override = (response) => response.writeHead(400).end('{"error":"<b>","error_description":"secret"}')),
    ],
  ]
  for (const [title, arrange] of bad) {
    test(`gives no session if it ${title}`, async () => {
      const jar = new Jar()
      const location = await gateway.begin(jar)
      arrange()
      assertRefused(await gateway.callback(jar, provider.approve(location)), jar)
      assert.equal(provider.tokenCalls.length, 1)
    })
  }

  const away: readonly [string, () => void][] = [
    ['fails', () => (provider.override = (response) => response.writeHead(500).end())],
    ['is overloaded', () => (provider.override = (response) => response.writeHead(429).end())],
    ['breaks off', () => (provider.override = (response) => response.socket?.destroy())],
    ['leads elsewhere', () => (provider.override = (response) => response.writeHead(307, { location: '/token' }).end())],
  ]
  for (const [title, arrange] of away) {
    test(`is no refusal if it ${title}`, async () => {
      const jar = new Jar()
      const location = await gateway.begin(jar)
      arrange()
      assert.equal((await gateway.callback(jar, provider.approve(location))).kind, 'unavailable')
      assert.equal(jar.cookies.has(SESSION), false)
      assert.equal(provider.tokenCalls.length, 1)
    })
  }

  test('is not waited for longer than the limit', async () => {
    const jar = new Jar()
    const location = await gateway.begin(jar)
    const asked = Promise.withResolvers<void>()
    provider.override = () => asked.resolve()
    const answer = gateway.callback(jar, provider.approve(location))
    await asked.promise
    deps.clock.advance(MINUTE)
    assert.equal((await answer).kind, 'unavailable')
  })

  test('is not read beyond the limit', async () => {
    const jar = new Jar()
    const location = await gateway.begin(jar)
    const closed = Promise.withResolvers<boolean>()
    provider.override = (response) => {
      response.on('close', () => closed.resolve(!response.writableFinished))
      const more = (): void => {
        while (!response.destroyed && response.write(' '.repeat(65_536)));
        response.once('drain', more)
      }
      more()
    }
    const answer = await gateway.callback(jar, provider.approve(location))
    assert.notEqual(answer.kind, 'redirect')
    assert.equal(jar.cookies.has(SESSION), false)
    assert.equal(await closed.promise, true, 'the connection is closed')
  })

  test('an error of the provider is told in our words', async () => {
    const jar = new Jar()
    const state = provider.asked(await gateway.begin(jar)).state
    const answer = await gateway.callback(jar, `error=access_denied&error_description=${encodeURIComponent('<script>hi')}&state=${state}`)
    assertRefused(answer, jar)
    assert.doesNotMatch((answer as { reason: string }).reason, /script/)
    assert.equal(jar.cookies.size, 0, 'the attempt is forgotten')
    assert.equal(provider.tokenCalls.length, 0)
  })

  test('while the provider is down, sessions go on', async () => {
    const handle = await gateway.signIn()
    provider.down = true
    const jar = new Jar()
    const query = provider.approve(await gateway.begin(jar))
    assert.equal((await gateway.callback(jar, query)).kind, 'unavailable')
    assert.equal(await gateway.present(handle), 'verified')
  })
})

function json(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
