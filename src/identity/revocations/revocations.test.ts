import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { OstiaryError, type Code } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import type { Verified } from '../../core/credential.ts'
import { memoryKept } from '../../store/memory-kept.ts'
import { memoryStore } from '../../store/memory.ts'
import type { RevocationStore, RevocationTarget, StoredRevocation } from '../../store/revocations.ts'
import { openSqliteRevocations } from '../../store/sqlite-revocations.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type JsonObject, type KeyFixture } from '../../testing/tokens.ts'
import type { Identities, IdentityOptions } from '../index.ts'
import { createIdentity } from '../index.ts'
import { Jar, providerStandIn, type ProviderStandIn } from '../session/testdata/standin.ts'
import { openGateway } from '../session/testing.ts'
import { ask, issuerConfig, tell, testDeps, type TestDeps } from '../testing.ts'
import { openRevocations, Revocations } from './revocations.ts'

const key = testKey('one', 'ES256')
let fixture: KeyFixture
let provider: ProviderStandIn
let deps: TestDeps
const closing: (() => Promise<void>)[] = []

before(async () => {
  fixture = await keyFixture([key])
  deps = testDeps()
  provider = await providerStandIn(() => deps.clock.now())
})
after(async () => {
  for (const close of closing.toReversed()) await close()
  await fixture.close()
  await provider.close()
  deps.remove()
})

const code = (wanted: Code) => (error: unknown) => error instanceof OstiaryError && error.code === wanted
let files = 0
const newFile = (): string => join(deps.dataDir, `${++files}`, 'revocations.db')
let ids = 0
function entry(target: RevocationTarget, more: Partial<StoredRevocation> = {}): StoredRevocation {
  return { id: `r-${++ids}`, target, reason: 'stolen laptop', by: 'oidc/admin', createdAt: deps.clock.now(), until: undefined, ...more }
}

async function open(store: RevocationStore, file = 'memory'): Promise<Revocations> {
  const revocations = await openRevocations({ store, clock: deps.clock, meter: deps.meter, log: deps.log }, file)
  closing.push(() => revocations.close())
  return revocations
}

function identity(revocations: Revocations, more: Partial<IdentityOptions> = {}): Identities {
  const identities = createIdentity({
    wiring: {
      issuers: { oidc: issuerConfig({ kind: 'oidc', issuer: fixture.origin, audiences: ['orders'], agents: ['bot'] }) },
      outbound: {},
      sessions: { idle: 3_600_000, absolute: 43_200_000, maximum: 10 },
    },
    deps: { ...deps, store: memoryStore(), revocations },
    ...more,
  })
  closing.push(() => identities.close())
  return identities
}

function token(more: JsonObject = {}): string {
  return signToken(key, rfc9068Claims(fixture.origin, 'orders', deps.clock.now(), { sub: 'reader', ...more }), { typ: 'at+jwt' })
}

async function verified(identities: Identities, text: string): Promise<Verified> {
  const result = await ask(identities, text)
  assert.ok(result.outcome === 'verified', tell(result))
  return result.verified
}

const reader = { kind: 'subject', issuer: 'oidc', subject: 'reader' } as const

describe('a revocation', () => {
  test('ends what is known at once, also what fell out of the cache; lifted, the token is good again', async () => {
    const revocations = await open(memoryKept())
    const identities = identity(revocations, { limits: { entries: 2 } })
    const text = token()
    const proof = await verified(identities, text)
    for (let at = 0; at < 5; at++) await verified(identities, token({ sub: `other-${at}` }))
    const held = await verified(identities, token({ sub: 'other-4' }))
    const one = entry(reader)
    await revocations.add(one)
    assert.equal(proof.revoked, true, 'a stream that holds on to it')
    assert.equal((await verified(identities, text)).revoked, true, 'presented again')
    assert.equal(held.revoked, false)
    assert.equal(await revocations.lift(one.id), true)
    assert.equal(proof.revoked, false)
    assert.equal(await revocations.lift(one.id), false)
  })

  test('costs a known token one look-up, and none after that', async () => {
    const revocations = await open(memoryKept())
    let asked = 0
    const { hits } = revocations
    revocations.hits = (...all) => (asked++, hits.apply(revocations, all))
    const proof = await verified(identity(revocations), token())
    for (let at = 0; at < 10; at++) assert.equal(proof.revoked, false)
    assert.equal(asked, 1)
    await revocations.add(entry({ ...reader, subject: 'another' }))
    for (let at = 0; at < 10; at++) assert.equal(proof.revoked, false)
    assert.equal(asked, 2)
  })

  test('of each kind ends what it names and nothing else', async () => {
    const revocations = await open(memoryKept())
    const identities = identity(revocations)
    const others = await verified(identities, token({ sub: 'publisher', jti: 'p', client_id: 'portal' }))
    const cases: readonly (readonly [RevocationTarget, JsonObject])[] = [
      [reader, {}],
      [{ kind: 'token', issuer: 'oidc', token: 'j-1' }, { jti: 'j-1' }],
      [{ kind: 'client', issuer: 'oidc', client: 'laptop-app' }, { client_id: 'laptop-app' }],
      [{ kind: 'client', issuer: 'oidc', client: 'bot' }, { client_id: 'bot' }],
      [{ kind: 'client', issuer: 'oidc', client: 'inner' }, { act: { sub: 'outer', act: { sub: 'x', client_id: 'inner' } } }],
      [{ kind: 'issued-before', issuer: 'oidc', subject: 'reader', before: deps.clock.now() }, {}],
    ]
    for (const [target, claims] of cases) {
      const proof = await verified(identities, token(claims))
      assert.equal(proof.revoked, false, JSON.stringify(target))
      const one = entry(target)
      await revocations.add(one)
      assert.equal(proof.revoked, true, JSON.stringify(target))
      assert.equal(others.revoked, false, JSON.stringify(target))
      await revocations.lift(one.id)
    }
    deps.clock.advance(1_000)
    await revocations.add(entry({ kind: 'issued-before', issuer: 'oidc', before: deps.clock.now() - 1_000 }))
    assert.equal(others.revoked, true)
    assert.equal((await verified(identities, token())).revoked, false, 'issued since')
  })

  test('holds after a restart for a token that was never seen', async () => {
    const file = newFile()
    const first = await open(openSqliteRevocations(file))
    await first.add(entry(reader))
    await first.close()
    const second = identity(await open(openSqliteRevocations(file), file))
    assert.equal((await verified(second, token())).revoked, true)
    assert.equal((await verified(second, token({ sub: 'publisher' }))).revoked, false)
  })

  test('is forgotten when nothing that it ends can be valid any more, not earlier', async () => {
    const store = memoryKept<StoredRevocation>()
    const revocations = await open(store)
    await revocations.add(entry(reader, { until: deps.clock.now() + 90_000 }))
    const minute = async (): Promise<number> => {
      for (let at = 0; at < 121; at++) {
        deps.clock.advance(500)
        await revocations.settled()
        await new Promise(setImmediate)
      }
      return (await store.list()).length
    }
    assert.equal(await minute(), 1)
    assert.equal(await minute(), 0)
    assert.deepEqual(revocations.list(), [])
  })

  test('beyond the maximum is refused', async () => {
    const revocations = new Revocations({ store: memoryKept(), clock: deps.clock, meter: deps.meter, log: deps.log, maximum: 1 }, [])
    await revocations.add(entry(reader))
    await assert.rejects(revocations.add(entry(reader)), code('identity/too-many-revocations'))
    assert.equal(revocations.list().length, 1)
    await revocations.close()
  })
})

describe('a store of revocations that fails', () => {
  test('at start lets nobody in', async () => {
    const file = newFile()
    const store = openSqliteRevocations(file)
    await store.add(entry(reader), 10, 0)
    const database = new DatabaseSync(file)
    database.exec(`UPDATE revocations SET target = '{}'`)
    database.close()
    await assert.rejects(open(store, file), code('store/revocations'))
  })

  test('later is told, keeps what is known, and takes nothing half', async () => {
    const inner = memoryKept<StoredRevocation>()
    let away = false
    const guard = async <T>(work: () => Promise<T>): Promise<T> => {
      if (away) throw Object.assign(new Error('disk I/O error'), { errcode: 10 })
      return work()
    }
    const revocations = await open({
      add: (one, maximum, now) => guard(() => inner.add(one, maximum, now)),
      list: () => guard(() => inner.list()),
      remove: (id) => guard(() => inner.remove(id)),
      sweep: (now) => guard(() => inner.sweep(now)),
      version: () => guard(() => inner.version()),
      close: () => inner.close(),
    })
    const one = entry(reader)
    await revocations.add(one)
    const identities = identity(revocations)
    const proof = await verified(identities, token())
    const other = await verified(identities, token({ sub: 'publisher' }))
    away = true
    const tick = async (): Promise<void> => {
      deps.clock.advance(500)
      await revocations.settled()
      await new Promise(setImmediate)
    }
    deps.lines.length = 0
    await tick()
    await tick()
    assert.equal(revocations.status().healthy, false)
    assert.equal(deps.lines.filter((line) => line.includes('SQLite error 10')).length, 1, 'said once')
    await assert.rejects(revocations.add(entry({ ...reader, subject: 'publisher' })), code('identity/revocations-unavailable'))
    await assert.rejects(revocations.lift(one.id), code('identity/revocations-unavailable'))
    assert.deepEqual([proof.revoked, other.revoked], [true, false])
    away = false
    await inner.add(entry({ ...reader, subject: 'publisher' }), 10, 0)
    await tick()
    assert.equal(revocations.status().healthy, true)
    assert.equal(other.revoked, true, 'what came meanwhile is known')
  })
})

describe('two processes on one store', () => {
  const script = join(import.meta.dirname, 'testdata/process.ts')

  test('what another process revokes is known at the next look, and tells whoever holds streams', async () => {
    const file = newFile()
    const revocations = await open(openSqliteRevocations(file), file)
    const proof = await verified(identity(revocations), token())
    let told = 0
    revocations.onChange(() => told++)
    deps.clock.advance(500)
    await revocations.settled()
    await new Promise(setImmediate)
    told = 0
    const other = spawnSync(process.execPath, [script, 'revoke', file], { encoding: 'utf8' })
    assert.equal(other.status, 0, other.stderr)
    assert.equal(proof.revoked, false)
    deps.clock.advance(500)
    await revocations.settled()
    assert.equal(proof.revoked, true)
    assert.equal(told, 1)
  })

  test('a process that runs learns what is revoked here', async () => {
    const file = newFile()
    const revocations = await open(openSqliteRevocations(file), file)
    const child = spawn(process.execPath, [script, 'watch', file], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    assert.equal((await lines.next()).value, 'watching')
    const ended = lines.next()
    await revocations.add(entry(reader, { id: 'from-the-test' }))
    assert.equal((await ended).value, 'ended')
    const [status] = (await once(child, 'exit')) as [number]
    assert.equal(status, 0)
  })
})

describe('sessions', () => {
  const rows = (subject: string): RevocationTarget => ({ kind: 'subject', issuer: 'idp', subject })

  test('of a subject that is revoked end, in use and at rest, and no new one begins', async () => {
    const file = join(deps.dataDir, 'sessions-1.db')
    const sealing = () => [{ key: new Secret(new Uint8Array(32).fill(1)) }]
    const revocations = await open(memoryKept())
    const first = openGateway(deps, provider, { deps: { store: openSqliteStore(file), sealing, revocations } })
    const handle = await first.signIn()
    const live = await first.verified(handle)
    const { issuer, subject } = live.identity
    const second = openGateway(deps, provider, { deps: { store: openSqliteStore(file), sealing, revocations } })
    await revocations.add(entry(rows(subject)))
    assert.equal(live.revoked, true)
    assert.equal(await second.present(handle), 'revoked', 'it was not in use there')
    assert.equal(await first.present(handle), 'session-unknown')
    assert.equal(issuer, 'idp')
    assert.equal(await first.signIn(), 'refused')
    assert.deepEqual((await first.identities.sessions.list({ limit: 10 })).sessions, [])
    await first.identities.close()
    await second.identities.close()
  })

  test('that began before an instant end; who signs in anew is let in', async () => {
    const revocations = await open(memoryKept())
    const gateway = openGateway(deps, provider, { deps: { revocations } })
    const old = await gateway.verified(await gateway.signIn())
    const { subject } = old.identity
    await revocations.add(entry({ kind: 'issued-before', issuer: 'idp', subject, before: deps.clock.now() }))
    assert.equal(old.revoked, true)
    deps.clock.advance(1_000)
    const anew = await gateway.signIn()
    assert.equal(await gateway.present(anew), 'verified')
    await gateway.identities.close()
  })

  test('count from their beginning also when they are read from the store, whatever proved them', async () => {
    const store = join(deps.dataDir, 'sessions-2.db')
    const sealing = () => [{ key: new Secret(new Uint8Array(32).fill(1)) }]
    const first = openGateway(deps, provider, { deps: { store: openSqliteStore(store), sealing } })
    const { identity: proven } = await first.verified(await first.signIn())
    const timeless = { ...proven, evidence: { ...proven.evidence, issuedAt: undefined } }
    const began = deps.clock.now()
    const { setCookie } = await first.identities.sessions.create(timeless, began + 3_600_000)
    const handle = /=([^;]+)/.exec(setCookie(true))![1]!
    await first.identities.close()
    for (const [before, said] of [
      [began - 1, 'verified'],
      [began, 'revoked'],
    ] as const) {
      const revocations = await open(memoryKept())
      await revocations.add(entry({ kind: 'issued-before', issuer: 'idp', before }))
      const second = openGateway(deps, provider, { deps: { store: openSqliteStore(store), sealing, revocations } })
      assert.equal(await second.present(handle), said)
      await second.identities.close()
    }
  })

  test('are listed without a secret, page by page, and end by their public id', async () => {
    const gateway = openGateway(deps, provider, {})
    const { identities } = gateway
    const handles: string[] = []
    for (let at = 0; at < 3; at++) {
      handles.push(await gateway.signIn(new Jar()))
      deps.clock.advance(1_000)
    }
    const { sessions, next } = await identities.sessions.list({ limit: 2 })
    assert.equal(sessions.length, 2)
    const rest = await identities.sessions.list({ limit: 2, after: next })
    assert.deepEqual([rest.sessions.length, rest.next], [1, undefined])
    const all = [...sessions, ...rest.sessions]
    assert.deepEqual(
      all.map(({ createdAt }) => createdAt),
      all.map(({ createdAt }) => createdAt).toSorted((a, b) => b - a),
    )
    const text = JSON.stringify(all)
    for (const handle of handles) assert.ok(!text.includes(handle))
    assert.deepEqual(Object.keys(all[0]!).toSorted(), ['createdAt', 'display', 'endsAt', 'id', 'issuer', 'kind', 'seenAt', 'subject'])
    assert.equal((await identities.sessions.list({ limit: 10, subject: all[0]!.subject, issuer: 'idp' })).sessions.length, 3)
    assert.equal((await identities.sessions.list({ limit: 10, subject: 'nobody' })).sessions.length, 0)
    assert.equal((await identities.sessions.list({ limit: 10, issuer: 'oidc' })).sessions.length, 0)

    const last = all.at(-1)!
    const held = await gateway.verified(handles[0]!)
    assert.equal(held.identity.evidence.sessionId, last.id)
    assert.equal(await identities.sessions.end(last.id), true)
    assert.equal(held.revoked, true)
    assert.equal(await identities.sessions.end(last.id), false)
    assert.equal(await gateway.present(handles[0]!), 'session-unknown')
    assert.equal(await gateway.present(handles[1]!), 'verified')
    await assert.rejects(identities.keptUntil({ kind: 'session', session: last.id }), code('identity/no-session'))
    assert.equal(await identities.keptUntil({ kind: 'session', session: all[0]!.id }), all[0]!.endsAt)
    await identities.close()
  })
})
