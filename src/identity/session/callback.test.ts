/** The callback as an attacker meets it: what isn't of this browser's own sign-in is refused before its code is redeemed. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { SignInAnswer } from '../index.ts'
import { testDeps, type TestDeps } from '../testing.ts'
import { Jar, providerStandIn, type ProviderStandIn } from './testdata/standin.ts'
import { issuerOf, MINUTE, openGateway, ORIGIN, SESSION, type Gateway } from './testing.ts'

/** Any octets, as a door hands them in: one character each. */
const octets = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })

let deps: TestDeps
let provider: ProviderStandIn
let gateway: Gateway

before(async () => {
  deps = testDeps()
  provider = await providerStandIn(() => deps.clock.now())
  gateway = openGateway(deps, provider, { issuers: { idp: issuerOf(provider.origin), other: issuerOf('http://127.0.0.1:9') } })
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

describe('a callback is refused, and its code is not redeemed', () => {
  const cases: readonly [string, (jar: Jar, query: string) => Promise<SignInAnswer>][] = [
    ['without the cookie', (_, query) => gateway.callback(new Jar(), query)],
    [
      "with another browser's cookie",
      async (_, query) => {
        const other = new Jar()
        await gateway.begin(other)
        return gateway.callback(other, query)
      },
    ],
    [
      "with another attempt's cookie under this one's name",
      async (jar, query) => {
        const other = new Jar()
        await gateway.begin(other)
        const planted = new Jar()
        planted.cookies.set([...jar.cookies.keys()][0]!, [...other.cookies.values()][0]!)
        return gateway.callback(planted, query)
      },
    ],
    [
      'with the cookie twice',
      (jar, query) => {
        const [cookie] = jar.list()
        return gateway.callback(jar, query, { cookies: [cookie!, cookie!] })
      },
    ],
    ['on another origin', (jar, query) => gateway.callback(jar, query, { origin: 'https://elsewhere.example' })],
    ['over http', (jar, query) => gateway.callback(jar, query, { origin: ORIGIN.replace('https', 'http'), secure: false })],
    ['for another issuer', (jar, query) => gateway.callback(jar, query, { issuer: 'other', callback: 'idp' })],
    ['at the callback of another issuer', (jar, query) => gateway.callback(jar, query, { callback: 'other' })],
    ['at the callback of nobody', (jar, query) => gateway.callback(jar, query, { callback: 'none' })],
    ['with another state', (jar, query) => gateway.callback(jar, query.replace('state=', 'state=x'))],
    ['with the state twice', (jar, query) => gateway.callback(jar, `${query}&state=${new URLSearchParams(query).get('state')}`)],
    ['with the code twice', (jar, query) => gateway.callback(jar, `${query}&code=other`)],
    ['without a code', (jar, query) => gateway.callback(jar, query.replace(/code=[^&]*&/, ''))],
    ['with an empty code', (jar, query) => gateway.callback(jar, query.replace(/code=[^&]*/, 'code='))],
    [
      'with an `iss` of somebody else',
      (jar, query) => gateway.callback(jar, `${query}&iss=${encodeURIComponent('https://other.example')}`),
    ],
    [
      'with `iss` twice',
      (jar, query) =>
        gateway.callback(jar, `${query}&iss=${encodeURIComponent(provider.origin)}&iss=${encodeURIComponent(provider.origin)}`),
    ],
    ['with an error beside the code', (jar, query) => gateway.callback(jar, `${query}&error=access_denied`)],
    ['without anything', (jar) => gateway.callback(jar, '')],
    [
      'after ten minutes',
      (jar, query) => {
        deps.clock.advance(10 * MINUTE)
        return gateway.callback(jar, query)
      },
    ],
  ]
  for (const [title, attack] of cases) {
    test(title, async () => {
      const jar = new Jar()
      const query = provider.approve(await gateway.begin(jar))
      const answer = await attack(jar, query)
      assertRefused(answer, jar)
      assert.equal(provider.tokenCalls.length, 0)
    })
  }

  test('the second time', async () => {
    const jar = new Jar()
    const query = provider.approve(await gateway.begin(jar))
    const before = new Jar()
    for (const { name, value } of jar.list()) before.cookies.set(name, value)
    assert.equal((await gateway.callback(jar, query)).kind, 'redirect')
    assertRefused(await gateway.callback(before, query), before)
    assert.equal(provider.tokenCalls.length, 1)
  })

  test('the second time, at the same time', async () => {
    const jar = new Jar()
    const query = provider.approve(await gateway.begin(jar))
    const context = gateway.at(jar)
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => gateway.identities.signIn.callback({ ...context, callback: 'idp', query })),
    )
    assert.deepEqual(answers.map(({ kind }) => kind).toSorted(), ['redirect', 'refused', 'refused', 'refused', 'refused'])
    assert.equal(provider.tokenCalls.length, 1)
  })

  test('the second time, after the first one failed', async () => {
    const jar = new Jar()
    const query = provider.approve(await gateway.begin(jar))
    const cookies = gateway.at(jar).cookies
    provider.override = (response) => response.writeHead(500).end()
    assert.notEqual((await gateway.callback(jar, query)).kind, 'redirect')
    provider.override = undefined
    assertRefused(await gateway.callback(jar, query, { cookies }), jar)
    assert.equal(provider.tokenCalls.length, 1)
  })

  test('whatever its query and its cookies are', async () => {
    const jar = new Jar()
    const location = await gateway.begin(jar)
    const [attempt] = jar.list()
    const { state } = provider.asked(location)
    const text = fc.oneof(fc.string(), octets, fc.constantFrom('%', '%ff', '%00', '&', '='))
    const value = fc.oneof(text, fc.constantFrom(state, attempt!.value, state.slice(0, 8), attempt!.value.slice(1), 'A'.repeat(43)))
    const name = fc.oneof(
      fc.constantFrom(SESSION, attempt!.name, attempt!.name.toUpperCase(), 'ostiary-session', '__Host-ostiary-attempt-', '__proto__'),
      text,
    )
    const pair = fc.tuple(
      fc.oneof(fc.constantFrom('state', 'code', 'iss', 'error', 'error_description', 'session_state', '__proto__'), text),
      value,
    )
    const query = fc.oneof(
      text,
      fc.array(pair, { maxLength: 5 }).map((pairs) => pairs.map(([key, one]) => `${key}=${one}`).join('&')),
      fc.array(pair, { maxLength: 5 }).map((pairs) => new URLSearchParams(pairs).toString()),
      value.map((code) => new URLSearchParams({ state, code }).toString()),
    )
    const cookies = fc.oneof(fc.constant([attempt!]), fc.array(fc.record({ name, value }), { maxLength: 6 }))
    await fc.assert(
      fc.asyncProperty(query, cookies, async (one, sent) => {
        const answer = await gateway.identities.signIn.callback({
          ...gateway.at(new Jar(), { cookies: sent }),
          callback: 'idp',
          query: one,
        })
        assert.equal(answer.kind, 'refused')
        if ('setCookies' in answer) for (const line of answer.setCookies) assert.doesNotMatch(line, /session=[^;]/)
        if (answer.kind === 'refused') assert.match(answer.reason, /^[\x20-\x7e]+$/)
      }),
      { numRuns: 300 },
    )
    assert.ok(provider.tokenCalls.length <= 1, 'only with its own cookie and state, and then once')
  })
})
