/** A sign-in that has to prove more than who somebody is. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import type { Proof } from '../../core/stepup.ts'
import { testDeps, type TestDeps } from '../testing.ts'
import { Jar, providerStandIn, type ProviderStandIn } from './testdata/standin.ts'
import { issuerOf, openGateway, SESSION, type Gateway } from './testing.ts'

let deps: TestDeps
let provider: ProviderStandIn
let gateway: Gateway

before(async () => {
  deps = testDeps()
  provider = await providerStandIn(() => deps.clock.now())
  gateway = openGateway(deps, provider, { issuers: { idp: { ...issuerOf(provider.origin), claims: { acrs: 'list' } } as never } })
})
after(async () => {
  await gateway.identities.close()
  await provider.close()
  deps.remove()
})
beforeEach(() => {
  provider.claims = {}
})

async function begin(jar: Jar, prove: readonly Proof[]): Promise<string> {
  const answer = await gateway.identities.signIn.begin({ ...gateway.at(jar), returnTo: '/plans', prove })
  assert.equal(answer.kind, 'redirect')
  jar.take(answer.setCookies)
  return answer.location
}

const asked = (location: string, name: string) => new URL(location).searchParams.get(name)

test('what has to be proven is asked for: classes as acr_values, all else as essential claims', async () => {
  const level = await begin(new Jar(), [{ claim: 'acr', values: ['gold', 'silver'] }])
  assert.deepEqual([asked(level, 'acr_values'), asked(level, 'claims')], ['gold silver', null])
  const context = await begin(new Jar(), [{ claim: 'acrs', values: ['c1'] }])
  assert.equal(asked(context, 'acr_values'), null)
  assert.deepEqual(JSON.parse(asked(context, 'claims')!), { id_token: { acrs: { essential: true, value: 'c1' } } })
  const nothing = await gateway.begin(new Jar())
  assert.deepEqual([asked(nothing, 'acr_values'), asked(nothing, 'claims')], [null, null])
})

test('the sign-in counts if it is proven, and takes the place of the session before', async () => {
  const jar = new Jar()
  const before_ = await gateway.signIn(jar)
  const location = await begin(jar, [{ claim: 'acrs', values: ['c1'] }])
  provider.claims = { acrs: ['c1', 'c2'] }
  const answer = await gateway.callback(jar, provider.approve(location))
  assert.deepEqual([answer.kind, answer.kind === 'redirect' && answer.location], ['redirect', '/plans'])
  const { identity } = await gateway.verified(jar.cookies.get(SESSION)!)
  assert.deepEqual(identity.claims['acrs'], ['c1', 'c2'])
  assert.equal(await gateway.present(before_), 'session-unknown')
})

for (const [name, claims] of [
  ['nothing', {}],
  ['another context', { acrs: ['c2'] }],
  ['it as text', { acrs: 'c1' }],
  ['none', { acrs: [] }],
] as const)
  test(`a provider that confirms ${name} ends it with a page, not in a circle, and the session before stays`, async () => {
    const jar = new Jar()
    const before_ = await gateway.signIn(jar)
    const location = await begin(jar, [{ claim: 'acrs', values: ['c1'] }])
    provider.claims = claims as never
    const answer = await gateway.callback(jar, provider.approve(location))
    assert.equal(answer.kind, 'refused')
    assert.match(answer.reason, /did not confirm/)
    assert.equal(jar.cookies.get(SESSION), before_)
    assert.equal(await gateway.present(before_), 'verified')
  })

test('what has to be proven can not be taken out of an attempt by the browser', async () => {
  const jar = new Jar()
  const strong = await begin(jar, [{ claim: 'acrs', values: ['c1'] }])
  const weak = await gateway.begin(jar)
  const [strongCookie, weakCookie] = [...jar.cookies.keys()].filter((one) => one.includes('attempt'))
  jar.cookies.set(strongCookie!, jar.cookies.get(weakCookie!)!)
  const answer = await gateway.callback(jar, provider.approve(strong))
  assert.equal(answer.kind, 'refused')
  assert.match(answer.reason, /was not begun in this browser/)
  assert.ok(weak !== strong)
})
