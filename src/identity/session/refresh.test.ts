/** Sessions that are proven anew by a refresh token: when, how often, and what of it counts. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { after, before, beforeEach, test } from 'node:test'
import { Secret } from '../../core/secret.ts'
import { memoryKept } from '../../store/memory-kept.ts'
import { memoryStore } from '../../store/memory.ts'
import type { SessionStore } from '../../store/sessions.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import { Revocations } from '../revocations/revocations.ts'
import { testDeps, type TestDeps } from '../testing.ts'
import type { SignInEvent } from './signin.ts'
import { Jar, providerStandIn, type ProviderStandIn } from './testdata/standin.ts'
import { issuerOf, MINUTE, openGateway, type Gateway, type OpenOptions } from './testing.ts'

let deps: TestDeps
let provider: ProviderStandIn
let open: Gateway[] = []
let events: SignInEvent[] = []
let files = 0

before(async () => {
  deps = testDeps()
  provider = await providerStandIn(() => deps.clock.now())
})

beforeEach(() => {
  provider.down = false
  provider.override = undefined
  provider.claims = {}
  provider.refreshedClaims = {}
  provider.redemptions.length = 0
  events = []
  deps.lines.length = 0
})

after(async () => {
  for (const { identities } of open) await identities.close()
  await provider.close()
  deps.remove()
})

const sealing = () => [{ key: new Secret(new Uint8Array(32).fill(1)) }]
const OFFLINE = { scopes: ['openid', 'offline_access'] }

function start(options: OpenOptions['deps'] = {}, signIn: Readonly<Record<string, unknown>> = OFFLINE): Gateway {
  const idp = { ...issuerOf(provider.origin, signIn), claims: { team: 'string' } } as ReturnType<typeof issuerOf>
  const gateway = openGateway(deps, provider, {
    issuers: { idp },
    deps: { sealing, onSignIn: (event) => void events.push(event), ...options },
  })
  open.push(gateway)
  return gateway
}

/** The ID token lives for 65 minutes and the skew; 90 seconds ahead of that it is asked for anew. */
const nearEnd = (): void => {
  deps.clock.advance(33 * MINUTE)
}

/** In use until the proof is about to end: the clock stands a minute before that. */
async function ageing(gateway: Gateway, handle: string): Promise<void> {
  nearEnd()
  assert.equal(await gateway.present(handle), 'verified')
  deps.clock.advance(31.5 * MINUTE)
}

/** Waits for what goes on in the background, which has no clock. */
async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 20_000; i++) {
    if (await done()) return
    await turn()
  }
  assert.fail('it did not come')
}

const version = async (store: SessionStore): Promise<number | undefined> => (await store.list(1))[0]?.version

test('a session asks for no refresh token, and keeps none that it is given, unless that is configured', async () => {
  for (const signIn of [{}, { ...OFFLINE, refresh: false }]) {
    const gateway = start({}, signIn)
    const handle = await gateway.signIn()
    await ageing(gateway, handle)
    deps.clock.advance(10 * MINUTE)
    assert.equal(await gateway.present(handle), 'verified')
    assert.deepEqual(provider.redemptions, [])
  }
})

test('a request ahead of the end is answered at once and has it proven anew, each time with the token that was given last', async () => {
  const store = memoryStore()
  const gateway = start({ store })
  const handle = await gateway.signIn()
  for (let round = 1; round <= 3; round++) {
    await ageing(gateway, handle)
    const answers = Array.from({ length: 50 }, () => gateway.ask(handle))
    for (const answer of answers) assert.ok(!(answer instanceof Promise), 'nobody waits while the proof is good')
    await until(async () => (await version(store)) === round)
    assert.equal(provider.redemptions.length, round)
  }
  assert.equal(new Set(provider.redemptions).size, 3)
  const form = provider.tokenCalls.at(-1)!.form
  assert.deepEqual([form.get('grant_type'), form.get('scope')], ['refresh_token', 'openid offline_access'])
})

test('requests after the end wait for one redemption', async () => {
  const gateway = start()
  const handle = await gateway.signIn()
  await ageing(gateway, handle)
  deps.clock.advance(2 * MINUTE)
  const answers = await Promise.all(Array.from({ length: 50 }, () => gateway.present(handle)))
  assert.deepEqual(new Set(answers), new Set(['verified']))
  assert.equal(provider.redemptions.length, 1)
})

test('an open stream is a use', async () => {
  const store = memoryStore()
  const gateway = start({ store })
  const handle = await gateway.signIn()
  const verified = await gateway.verified(handle)
  await ageing(gateway, handle)
  for (let i = 0; i < 5; i++) verified.inUse?.()
  await until(async () => (await version(store)) === 1)
  assert.equal(provider.redemptions.length, 1)
})

test('`invalid_grant` ends it at once, and says so', async () => {
  const gateway = start()
  const handle = await gateway.signIn()
  const { identity } = await gateway.verified(handle)
  await ageing(gateway, handle)
  provider.endRefresh()
  const held = await gateway.verified(handle)
  await until(() => held.revoked)
  assert.equal(await gateway.present(handle), 'session-unknown')
  assert.deepEqual(events.slice(1), [{ kind: 'session-refused', identity, reason: 'invalid_grant' }])
  assert.equal(provider.redemptions.length, 1)
})

test('`invalid_grant` ends it in every process at once', async () => {
  const file = join(deps.dataDir, `refresh-${++files}.db`)
  const revocations = new Revocations({ ...deps, store: memoryKept() }, [])
  const [first, second] = [start({ store: openSqliteStore(file), revocations }), start({ store: openSqliteStore(file), revocations })]
  const [handle, other] = [await first.signIn(), await second.signIn()]
  const [elsewhere, untouched] = [await second.verified(handle), await second.verified(other)]
  nearEnd()
  for (const each of [first, second]) assert.equal(await each.present(handle), 'verified')
  deps.clock.advance(31.5 * MINUTE)
  assert.ok(!elsewhere.revoked && elsewhere.expiresAt > deps.clock.now())
  provider.endRefresh()
  assert.equal(await first.present(handle), 'verified', 'its proof is good')
  await until(() => elsewhere.revoked)
  assert.equal(untouched.revoked, false)
  await until(async () => (await second.present(handle)) === 'session-unknown')
  assert.equal(provider.redemptions.length, 1)
})

test('a request that had to wait for `invalid_grant` is told that the session has ended', async () => {
  const gateway = start()
  const handle = await gateway.signIn()
  await ageing(gateway, handle)
  deps.clock.advance(2 * MINUTE)
  provider.endRefresh()
  assert.equal(await gateway.present(handle), 'session-expired')
  assert.equal(await gateway.present(handle), 'session-unknown')
})

for (const [name, away] of [
  ['is down', () => void (provider.down = true)],
  [
    'says that the client is wrong',
    () => void (provider.override = (response) => response.writeHead(401).end('{"error":"invalid_client"}')),
  ],
  ['answers with nonsense', () => void (provider.override = (response) => response.writeHead(502).end('<html>'))],
] as const)
  test(`a provider that ${name} lets a session go on until its proof ends, and no longer, and ends none`, async () => {
    const gateway = start()
    const handle = await gateway.signIn()
    await ageing(gateway, handle)
    away()
    const held = await gateway.verified(handle)
    await until(() => deps.lines.length > 0)
    assert.equal(await gateway.present(handle), 'verified')
    deps.clock.advance(MINUTE)
    assert.equal(await gateway.present(handle), 'unavailable provider')
    assert.ok(held.expiresAt <= deps.clock.now(), 'what is open ends with the proof')
    assert.equal(held.revoked, false)
    provider.down = false
    provider.override = undefined
    assert.equal(await gateway.present(handle), 'unavailable provider', 'not asked again at once')
    deps.clock.advance(6_000)
    assert.equal(await gateway.present(handle), 'verified')
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['sign-in'],
    )
  })

test('other claims take effect: what is open of the session ends, and comes back with them', async () => {
  const gateway = start()
  provider.claims = { team: 'sales' }
  const handle = await gateway.signIn()
  const before = await gateway.verified(handle)
  await ageing(gateway, handle)
  provider.refreshedClaims = { team: 'support' }
  assert.equal(await gateway.verified(handle), before)
  await until(() => before.revoked)
  const later = await gateway.verified(handle)
  assert.notEqual(later, before)
  assert.deepEqual([before.identity.claims['team'], later.identity.claims['team']], ['sales', 'support'])
  assert.deepEqual(later.identity.evidence, before.identity.evidence, 'what was revoked by it stays revoked')
})

test('the same claims leave what is open alone', async () => {
  const store = memoryStore()
  const gateway = start({ store })
  provider.claims = { team: 'sales' }
  const handle = await gateway.signIn()
  const before = await gateway.verified(handle)
  const end = before.expiresAt
  await ageing(gateway, handle)
  await gateway.present(handle)
  await until(async () => (await version(store)) === 1)
  await until(() => before.expiresAt > end)
  assert.equal(before.revoked, false)
  assert.equal(await gateway.verified(handle), before)
})

for (const [name, claims, reason] of [
  ['of another subject', { sub: 'publisher' }, 'another-subject'],
  ['of another issuer', { iss: 'https://elsewhere.example' }, 'issuer'],
  ['for another client', { aud: 'billing-web' }, 'audience'],
  ['with another nonce', { nonce: 'from-elsewhere' }, 'claim'],
  ['that has ended', { exp: 1 }, 'expired'],
] as const)
  test(`an ID token ${name} ends the session`, async () => {
    const gateway = start()
    const handle = await gateway.signIn()
    await ageing(gateway, handle)
    deps.clock.advance(2 * MINUTE)
    provider.refreshedClaims = claims
    assert.equal(await gateway.present(handle), 'session-expired')
    assert.deepEqual(
      events.slice(1).map((event) => [event.kind, 'reason' in event && event.reason]),
      [['session-refused', reason]],
    )
    assert.equal(await gateway.present(handle), 'session-unknown')
  })

test('a provider that answers without an ID token proves nothing, and the operator is told what to write', async () => {
  const gateway = start()
  const handle = await gateway.signIn()
  await ageing(gateway, handle)
  provider.override = (response) => response.writeHead(200).end('{"access_token":"x","refresh_token":"y"}')
  deps.clock.advance(2 * MINUTE)
  assert.equal(await gateway.present(handle), 'session-expired')
  assert.match(deps.lines.join('\n'), /without an ID token; leave `offline_access` out/)
})

test('it is never proven beyond its own end', async () => {
  const gateway = start()
  const handle = await gateway.signIn()
  const began = deps.clock.now()
  while (deps.clock.now() < began + 11.9 * 60 * MINUTE) {
    deps.clock.advance(20 * MINUTE)
    if (deps.clock.now() < began + 12 * 60 * MINUTE) assert.equal(await gateway.present(handle), 'verified')
    await turn()
  }
  deps.clock.advance(20 * MINUTE)
  assert.equal(await gateway.present(handle), 'session-expired')
})

test('the store holds no refresh token in readable form, and none for another session', async () => {
  const file = join(deps.dataDir, `refresh-${++files}.db`)
  const gateway = start({ store: openSqliteStore(file) })
  const [one, other] = [await gateway.signIn(), await gateway.signIn(new Jar())]
  const database = new DatabaseSync(file)
  const rows = database.prepare('SELECT * FROM sessions').all()
  const text = rows
    .flatMap((row) => Object.values(row).map((v) => (v instanceof Uint8Array ? Buffer.from(v).toString('latin1') : String(v))))
    .join('\n')
  for (const hidden of ['family', 'eyJ', 'reader']) assert.ok(!text.includes(hidden), hidden)
  database.exec('UPDATE sessions SET tokens = (SELECT tokens FROM sessions ORDER BY key LIMIT 1)')
  database.close()
  nearEnd()
  for (const handle of [one, other]) assert.equal(await gateway.present(handle), 'verified')
  deps.clock.advance(31.5 * MINUTE)
  deps.clock.advance(2 * MINUTE)
  const answers = [await gateway.present(one), await gateway.present(other)]
  assert.deepEqual(answers.toSorted(), ['session-expired', 'verified'])
  assert.equal(provider.redemptions.length, 1)
})

test('another process goes on with what one has proven anew', async () => {
  const file = join(deps.dataDir, `refresh-${++files}.db`)
  const [first, second] = [start({ store: openSqliteStore(file) }), start({ store: openSqliteStore(file) })]
  const handle = await first.signIn()
  await ageing(first, handle)
  assert.equal(await second.present(handle), 'verified')
  deps.clock.advance(2 * MINUTE)
  assert.equal(await first.present(handle), 'verified')
  assert.equal(await second.present(handle), 'verified')
  assert.equal(provider.redemptions.length, 1)
  await ageing(second, handle)
  deps.clock.advance(2 * MINUTE)
  assert.equal(await second.present(handle), 'verified')
  assert.equal(await first.present(handle), 'verified')
  assert.equal(provider.redemptions.length, 2)
})

test('a process that dies while it proves a session anew holds the others up for half a minute at most', async () => {
  const store = memoryStore()
  const gateway = start({ store })
  const handle = await gateway.signIn()
  await ageing(gateway, handle)
  deps.clock.advance(2 * MINUTE)
  const [{ key } = { key: '' }] = await store.list(1)
  assert.equal(await store.lease(key, 0, 'dead', deps.clock.now() + 30_000, deps.clock.now()), 'given')
  let told: string | undefined
  void gateway.present(handle).then((answer) => (told = answer))
  await until(() => {
    deps.clock.advance(10)
    return told !== undefined
  })
  assert.equal(told, 'unavailable provider')
  deps.clock.advance(16_000)
  assert.equal(await gateway.present(handle), 'verified')
  assert.equal(provider.redemptions.length, 1)
})

test('a rotated refresh token is kept although its ID token can not be verified now', async () => {
  const store = memoryStore()
  const gateway = start({ store })
  const handle = await gateway.signIn()
  await ageing(gateway, handle)
  const held = await gateway.verified(handle)
  await until(async () => (await version(store)) === 1)
  const issuer = gateway.identities.issuers[0]!
  const verify = issuer.verifyIdToken.bind(issuer)
  issuer.verifyIdToken = () => Promise.resolve({ outcome: 'unavailable', cause: 'keys' })
  await ageing(gateway, handle)
  deps.clock.advance(2 * MINUTE)
  assert.equal(await gateway.present(handle), 'unavailable provider')
  assert.equal(held.revoked, false)
  issuer.verifyIdToken = verify
  deps.clock.advance(6_000)
  assert.equal(await gateway.present(handle), 'verified')
  assert.equal(new Set(provider.redemptions).size, 3)
})

test('a store that fails after the redemption is offered the result again', async () => {
  const memory = memoryStore()
  let failures = 2
  const store: SessionStore = {
    ...memory,
    reprove: (...asked) => (failures-- > 0 ? Promise.reject(new Error('locked')) : memory.reprove(...asked)),
  }
  const gateway = start({ store })
  const handle = await gateway.signIn()
  await ageing(gateway, handle)
  deps.clock.advance(2 * MINUTE)
  let told: string | undefined
  void gateway.present(handle).then((answer) => (told = answer))
  await until(() => {
    deps.clock.advance(1)
    return told !== undefined
  })
  assert.equal(told, 'verified')
  assert.equal(provider.redemptions.length, 1)
})
