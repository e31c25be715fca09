/** Sessions beyond one process: kept, sealed, tampered with, and in a store that fails. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, beforeEach, describe, test } from 'node:test'
import { Secret } from '../../core/secret.ts'
import { memoryStore } from '../../store/memory.ts'
import type { SessionStore } from '../../store/sessions.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import { testDeps, type TestDeps } from '../testing.ts'
import { CLIENT_ID, Jar, providerStandIn, type ProviderStandIn } from './testdata/standin.ts'
import { issuerOf, MINUTE, openGateway, type Gateway, type OpenOptions } from './testing.ts'

let deps: TestDeps
let provider: ProviderStandIn
let open: Gateway[] = []

before(async () => {
  deps = testDeps()
  provider = await providerStandIn(() => deps.clock.now())
})

beforeEach(async () => {
  await closeAll()
  provider.issInResponse = false
  provider.authMethods = undefined
  provider.down = false
})

after(async () => {
  await closeAll()
  await provider.close()
  deps.remove()
})

async function closeAll(): Promise<void> {
  for (const { identities } of open) await identities.close()
  open = []
}

function start(options: OpenOptions = {}): Gateway {
  const gateway = openGateway(deps, provider, options)
  open.push(gateway)
  return gateway
}

const keyOf = (fill: number) => ({ key: new Secret(new Uint8Array(32).fill(fill)) })
const sealing = () => [keyOf(1)]
let files = 0
const newFile = (): string => join(deps.dataDir, `${++files}.db`)

describe('sessions that are kept', () => {
  test('go on after a restart, with all that was proven', async () => {
    const file = newFile()
    const first = start({ deps: { store: openSqliteStore(file), sealing } })
    const handle = await first.signIn()
    const before = await first.verified(handle)
    await closeAll()
    provider.down = true
    const second = start({ deps: { store: openSqliteStore(file), sealing } })
    const after = await second.verified(handle)
    assert.deepEqual(after.identity, before.identity)
    assert.equal(Object.getPrototypeOf(after.identity.claims), null)
  })

  test('stay ended after a restart', async () => {
    const file = newFile()
    const first = start({ deps: { store: openSqliteStore(file), sealing } })
    const jar = new Jar()
    const handle = await first.signIn(jar)
    await first.identities.signIn.signOut(first.at(jar))
    await closeAll()
    assert.equal(await start({ deps: { store: openSqliteStore(file), sealing } }).present(handle), 'session-unknown')
  })

  test('open with a key that was replaced, not with one that is gone', async () => {
    const store = memoryStore()
    const handle = await start({ deps: { store, sealing } }).signIn()
    assert.equal(await start({ deps: { store, sealing: () => [keyOf(2), keyOf(1)] } }).present(handle), 'verified')
    assert.equal(await start({ deps: { store, sealing: () => [keyOf(2)] } }).present(handle), 'session-unknown')
  })

  test('hold neither handle nor token nor claim in readable form', async () => {
    const file = newFile()
    const handle = await start({ deps: { store: openSqliteStore(file), sealing } }).signIn()
    const database = new DatabaseSync(file, { readOnly: true })
    const rows = database.prepare('SELECT * FROM sessions').all()
    database.close()
    assert.equal(rows.length, 1)
    const text = Object.values(rows[0]!)
      .map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value)))
      .join('\n')
    for (const hidden of [handle, 'reader', 'example.com', 'eyJ', provider.origin]) assert.ok(!text.includes(hidden), hidden)
  })

  test('are refused when a single bit of what is sealed was changed', async () => {
    const file = newFile()
    const handle = await start({ deps: { store: openSqliteStore(file), sealing } }).signIn()
    await closeAll()
    const database = new DatabaseSync(file)
    const sealed = (database.prepare('SELECT sealed FROM sessions').get() as { sealed: Uint8Array }).sealed
    database.close()
    const memory = memoryStore()
    let now = sealed
    const store: SessionStore = {
      ...memory,
      find: async (key) => ({
        key,
        id: 'id',
        issuer: 'idp',
        sealed: now,
        tokens: undefined,
        providerSession: undefined,
        version: 0,
        createdAt: 0,
        seenAt: deps.clock.now(),
        endsAt: deps.clock.now() + MINUTE,
      }),
    }
    const opened = start({ deps: { store, sealing } })
    for (let at = 0; at < sealed.length; at++) {
      now = Uint8Array.from(sealed)
      now[at]! ^= 1 << (at % 8)
      assert.equal(await opened.present(handle), 'session-unknown', `octet ${at}`)
      if (at % 300 === 299) deps.clock.advance(2_000)
    }
    for (const length of [0, 1, 16, 33, sealed.length - 1]) {
      now = sealed.subarray(0, length)
      assert.equal(await opened.present(handle), 'session-unknown', `${length} octets`)
    }
    now = sealed
    assert.equal(await opened.present(handle), 'verified')
  })

  test('of one person do not open under the handle of another', async () => {
    const file = newFile()
    const first = start({ deps: { store: openSqliteStore(file), sealing } })
    const [one, other] = [await first.signIn(), await first.signIn()]
    await closeAll()
    const database = new DatabaseSync(file)
    database.exec('UPDATE sessions SET sealed = (SELECT sealed FROM sessions ORDER BY key LIMIT 1)')
    database.close()
    const second = start({ deps: { store: openSqliteStore(file), sealing } })
    assert.deepEqual([await second.present(one), await second.present(other)].toSorted(), ['session-unknown', 'verified'])
  })

  test('last no longer than was sealed, whatever the store says', async () => {
    const file = newFile()
    const handle = await start({ deps: { store: openSqliteStore(file), sealing } }).signIn()
    await closeAll()
    const database = new DatabaseSync(file)
    database.exec('UPDATE sessions SET ends_at = ends_at + 1000000000000, seen_at = seen_at + 12 * 3600000')
    database.close()
    deps.clock.advance(12 * 60 * MINUTE)
    assert.equal(await start({ deps: { store: openSqliteStore(file), sealing } }).present(handle), 'session-expired')
  })

  test('are nothing to a gateway whose issuer of that name is another provider now, or gone', async () => {
    const store = memoryStore()
    const handle = await start({ deps: { store, sealing } }).signIn()
    const elsewhere = { idp: issuerOf('http://127.0.0.1:9') }
    assert.equal(await start({ deps: { store, sealing }, issuers: elsewhere }).present(handle), 'session-unknown')
    assert.equal(await start({ deps: { store, sealing }, issuers: {} }).present(handle), 'session-unknown')
    assert.equal(await start({ deps: { store, sealing } }).present(handle), 'verified', 'and it was not ended by that')
  })
})

describe('a store that can not be reached', () => {
  const failing = (): { store: SessionStore; away: boolean } => {
    const memory = memoryStore()
    const state = { away: false, store: memory }
    const guard =
      <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> =>
        state.away ? Promise.reject(new Error('the store is away')) : work(...args)
    state.store = {
      add: guard((session, maximum, now) => memory.add(session, maximum, now)),
      find: guard((key) => memory.find(key)),
      named: guard((id) => memory.named(id)),
      ofProvider: guard((name, limit) => memory.ofProvider(name, limit)),
      lease: guard((key, version, holder, until, now) => memory.lease(key, version, holder, until, now)),
      rest: guard((key, holder, until) => memory.rest(key, holder, until)),
      reprove: guard((key, version, proven) => memory.reprove(key, version, proven)),
      list: guard((limit, after) => memory.list(limit, after)),
      lastEnd: guard(() => memory.lastEnd()),
      seen: guard((key, at) => memory.seen(key, at)),
      end: guard((key) => memory.end(key)),
      sweep: guard((now, since) => memory.sweep(now, since)),
      spend: guard((mark, until, now) => memory.spend(mark, until, now)),
      isSpent: guard((mark, now) => memory.isSpent(mark, now)),
      close: () => memory.close(),
    }
    return state
  }

  test('is no reason to lose a session: those in use go on, the others are told later', async () => {
    const state = failing()
    const first = start({ deps: { store: state.store, sealing } })
    const handle = await first.signIn()
    state.away = true
    assert.equal(await first.present(handle), 'verified')
    deps.clock.advance(5 * MINUTE)
    assert.equal(await first.present(handle), 'verified')
    const second = start({ deps: { store: state.store, sealing } })
    assert.equal(await second.present(handle), 'unavailable store')
    state.away = false
    assert.equal(await second.present(handle), 'verified')
  })

  test('lets nobody in: no sign-in is completed', async () => {
    const state = failing()
    const opened = start({ deps: { store: state.store, sealing } })
    state.away = true
    assert.match(await opened.signIn().catch(() => 'rejected'), /^(?:unavailable|rejected)$/)
    state.away = false
    assert.equal(await opened.present(await opened.signIn()), 'verified')
  })

  test('keeps nobody from signing out: it is over here, and told when the store is back', async () => {
    const state = failing()
    const opened = start({ deps: { store: state.store, sealing } })
    const jar = new Jar()
    const handle = await opened.signIn(jar)
    const verified = await opened.verified(handle)
    state.away = true
    assert.equal((await opened.identities.signIn.signOut(opened.at(jar))).kind, 'unavailable')
    assert.equal(verified.revoked, true)
    assert.notEqual(await opened.present(handle), 'verified')
    state.away = false
    assert.equal(await opened.present(handle), 'session-unknown')
    deps.clock.advance(MINUTE)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(await start({ deps: { store: state.store, sealing } }).present(handle), 'session-unknown')
  })

  test('ends no stream before its session is over, and keeps none open after it', async () => {
    const state = failing()
    const opened = start({ deps: { store: state.store, sealing } })
    const handle = await opened.signIn()
    const verified = await opened.verified(handle)
    state.away = true
    deps.clock.advance(59 * MINUTE)
    assert.ok(!verified.revoked && verified.expiresAt > deps.clock.now())
    deps.clock.advance(MINUTE)
    assert.ok(verified.revoked || verified.expiresAt <= deps.clock.now())
  })
})

test('a store that is full turns away new sessions, not those that are there, and says so', async () => {
  const opened = start({ deps: { sealing }, maximum: 2 })
  const handles = [await opened.signIn(), await opened.signIn()]
  deps.lines.length = 0
  assert.equal(await opened.signIn(), 'unavailable')
  assert.match(deps.lines.join('\n'), /sessions/)
  for (const handle of handles) assert.equal(await opened.present(handle), 'verified')
  deps.clock.advance(12 * 60 * MINUTE)
  assert.equal(await opened.present(await opened.signIn()), 'verified')
})

describe('the client at the provider', () => {
  const secret = 'a+b%c:d e~/\u00fc'
  const withSecret = () => ({ idp: issuerOf(provider.origin, { clientSecret: { env: 'SESSION_TEST_SECRET' } }) })
  const forms: readonly [string, readonly string[] | undefined, 'header' | 'body'][] = [
    ['in the header where nothing else is said', undefined, 'header'],
    ['in the header where only that is taken', ['client_secret_basic'], 'header'],
    ['in the body where only that is taken', ['private_key_jwt', 'client_secret_post'], 'body'],
  ]
  for (const [title, methods, place] of forms) {
    test(`shows its secret ${title}`, async () => {
      process.env['SESSION_TEST_SECRET'] = secret
      try {
        provider.authMethods = methods
        provider.tokenCalls.length = 0
        const opened = start({ issuers: withSecret(), deps: { dataDir: join(deps.dataDir, place + String(methods)), sealing } })
        assert.equal(await opened.present(await opened.signIn()), 'verified')
        const { form, authorization } = provider.tokenCalls[0]!
        if (place === 'body') {
          assert.equal(authorization, undefined)
          assert.equal(form.get('client_id'), CLIENT_ID)
          assert.equal(form.get('client_secret'), secret)
        } else {
          assert.equal(form.get('client_secret'), null)
          const [id = '', shown = ''] = Buffer.from(authorization!.replace(/^Basic /, ''), 'base64')
            .toString()
            .split(':')
          assert.equal(id, CLIENT_ID)
          assert.equal(decodeURIComponent(shown.replaceAll('+', ' ')), secret)
        }
      } finally {
        delete process.env['SESSION_TEST_SECRET']
      }
    })
  }

  test('signs nobody in while its secret can not be read', async () => {
    const opened = start({ issuers: withSecret(), deps: { sealing } })
    provider.tokenCalls.length = 0
    assert.equal(await opened.signIn(), 'unavailable')
    assert.equal(provider.tokenCalls.length, 0)
  })
})

describe('where a provider names itself in its answers (RFC 9207)', () => {
  const folder = () => join(deps.dataDir, 'iss')

  test('an answer with its name is taken', async () => {
    provider.issInResponse = true
    const opened = start({ deps: { dataDir: folder(), sealing } })
    assert.equal(await opened.present(await opened.signIn()), 'verified')
  })

  test('an answer without it, or with an empty one, is not, and its code is not redeemed', async () => {
    provider.issInResponse = true
    const opened = start({ deps: { dataDir: folder(), sealing } })
    for (const iss of ['', '&iss=']) {
      const jar = new Jar()
      const location = await opened.begin(jar)
      provider.tokenCalls.length = 0
      const answer = await opened.callback(jar, provider.approve(location) + iss)
      assert.equal(answer.kind, 'refused')
      assert.equal(provider.tokenCalls.length, 0)
    }
  })
})

describe('without https', () => {
  test('a browser signs in on this machine', async () => {
    const opened = start({ deps: { sealing }, origin: 'http://orders.localhost:8080' })
    const jar = new Jar()
    const handle = await opened.signIn(jar)
    assert.equal(await opened.present(handle), 'verified')
    assert.deepEqual([...jar.cookies.keys()], ['ostiary-session'])
    for (const { attributes } of jar.seen) {
      assert.ok(!attributes.includes('Secure'))
      for (const wanted of ['HttpOnly', 'SameSite=Lax', 'Path=/']) assert.ok(attributes.includes(wanted))
    }
  })

  test('nobody signs in over a network', async () => {
    for (const origin of ['http://orders.example', 'http://127.0.0.1.example', 'http://localhost.example', 'http://192.0.2.7:8080'])
      assert.equal(await start({ deps: { sealing }, origin }).signIn(), 'refused', origin)
  })
})

test('a provider that is down from the start is no reason not to start; sign-in works once it is back', async () => {
  provider.down = true
  const opened = start({ deps: { dataDir: join(deps.dataDir, 'down'), sealing } })
  assert.equal(await opened.signIn(), 'unavailable')
  provider.down = false
  deps.clock.advance(6_000) // less than it takes for the gateway to ask again by itself
  assert.equal(await opened.present(await opened.signIn()), 'verified')
})
