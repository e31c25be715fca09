/** Changes that widen access: what the record has of them, and what waits until somebody releases it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { stringify } from 'yaml'
import { search, type AuditRecord } from '../../src/audit/index.ts'
import { readSources } from '../../src/config/load.ts'
import { OstiaryError } from '../../src/core/errors.ts'
import type { ReloadStatus } from '../../src/server/admin/parts.ts'
import { compile } from '../../src/server/configuration.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type KeyFixture } from '../../src/testing/tokens.ts'

type EventRecord = Extract<AuditRecord, { kind: 'event' }>

const AUDIENCE = 'https://gateway.example'
const key = testKey('tokens')
let tokens: KeyFixture

before(async () => void (tokens = await keyFixture([key])))
after(() => tokens.close())

const wiring = (onWiden: 'apply' | 'hold', more: object = {}) => ({
  apiVersion: 'ostiary.dev/v1',
  onWiden,
  issuers: { idp: { kind: 'oidc', issuer: tokens.origin, audiences: [AUDIENCE], claims: { roles: 'list' }, stepUp: 'never' } },
  resources: { orders: { protocol: 'http', hosts: ['orders.localhost'], upstream: { url: 'http://127.0.0.1:9' } } },
  doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
  admin: { listen: '127.0.0.1:0' },
  ...more,
})
const policy = (...actions: readonly string[]) => ({
  apiVersion: 'ostiary.dev/v1',
  roles: {
    admin: { bind: [{ issuer: 'idp', claim: 'roles', any: ['Admin'] }] },
    reader: { bind: [{ issuer: 'idp', claim: 'roles', any: ['Reader'] }] },
  },
  rules: [
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
    { id: 'read', role: 'reader', resource: 'orders', actions },
  ],
})
const NARROW = policy('GET /orders')
const WIDE = policy('GET /orders', 'DELETE /orders')
const WIDER = policy('GET /orders', 'DELETE /orders', 'POST /orders')

async function running(onWiden: 'apply' | 'hold', first: object = NARROW) {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-hold-'))
  mkdirSync(join(folder, 'policy'))
  const write = (what: object): void => writeFileSync(join(folder, 'policy/policy.yaml'), stringify(what))
  const wire = (what: object): void => writeFileSync(join(folder, 'ostiary.yaml'), stringify(what))
  wire(wiring(onWiden))
  write(first)
  const lines: string[] = []
  const start = () => startGateway({ folder, watch: false, log: (line) => void (line.startsWith('issuer') || lines.push(line)) })
  let gateway: Gateway | undefined = await start()
  const stop = async (): Promise<void> => {
    await gateway?.stop(0)
    gateway = undefined
  }
  const token = signToken(key, rfc9068Claims(tokens.origin, AUDIENCE, Date.now(), { sub: 'ada', client_id: 'web', roles: ['Admin'] }), {
    typ: 'at+jwt',
  })
  async function ask<T>(method: string, path: string): Promise<{ readonly status: number; readonly body: T }> {
    const answer = await fetch(gateway!.admin.url + path, { method, headers: { authorization: `Bearer ${token}` } })
    return { status: answer.status, body: (await answer.json()) as T }
  }
  return {
    write,
    wire,
    lines,
    stop,
    ask,
    get gateway() {
      return gateway!
    },
    async restart(): Promise<void> {
      await stop()
      gateway = await start()
    },
    versionNow: () => compile(folder, readSources(folder), Date.now()).policy!.version,
    async status(): Promise<ReloadStatus> {
      return (await ask<{ lastReload: ReloadStatus }>('GET', '/api/status')).body.lastReload
    },
    /** Events of a kind, the oldest first, once there are as many: they are written beside what is done. */
    async recorded(event: string, least = 1): Promise<readonly EventRecord[]> {
      for (;;) {
        const all: EventRecord[] = []
        for await (const { record } of search(join(folder, 'data/audit'), { event })) all.unshift(record as EventRecord)
        if (all.length >= least) return all
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
    /** The command line in a process of its own. */
    ostiary: (...args: readonly string[]) =>
      new Promise<{ readonly exit: number; readonly out: string; readonly err: string }>((resolve) => {
        const all = [join(import.meta.dirname, '../../bin/ostiary.js'), ...args, '--admin', gateway!.admin.url]
        execFile(process.execPath, all, { env: { ...process.env, OSTIARY_TOKEN: token } }, (error, out, err) =>
          resolve({ exit: typeof error?.code === 'number' ? error.code : 0, out, err }),
        )
      }),
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const GAINED = ['gained: holders of `reader` on orders: deny → allow: DELETE /orders']

test('what a change does is in the record, told once it is in force', async () => {
  await using one = await running('apply')
  const from = one.gateway.policyVersion
  one.write(WIDE)
  assert.equal((await one.gateway.reload()).accepted, true)
  const to = one.versionNow()
  assert.equal(one.gateway.policyVersion, to)
  const told = { from, to, widens: true, gained: 1, lost: 0, different: 0, notProven: 0, cells: 1, changes: GAINED }
  assert.deepEqual(
    (await one.recorded('policy-compared')).map(({ details }) => details),
    [told],
  )
  const { changes: lines, ...counts } = told
  assert.deepEqual((await one.status()).change, { ...counts, lines })
  one.write(NARROW)
  await one.gateway.reload()
  const back = (await one.recorded('policy-compared', 2))[1]!.details
  assert.deepEqual([back['widens'], back['gained'], back['lost']], [false, 0, 1])
})

test('a change that comes while the gateway is down is compared when it starts', async () => {
  await using one = await running('apply')
  const from = one.gateway.policyVersion
  await one.stop()
  one.write(WIDE)
  await one.restart()
  assert.equal(one.gateway.policyVersion, one.versionNow())
  const [{ details }] = (await one.recorded('policy-compared')) as [EventRecord]
  assert.deepEqual([details['from'], details['to'], details['changes']], [from, one.versionNow(), GAINED])
})

test('what widens waits, and takes effect when somebody releases it', async () => {
  await using one = await running('hold')
  const from = one.gateway.policyVersion
  one.write(WIDE)
  const to = one.versionNow()
  const reloaded = await one.ask<ReloadStatus>('POST', '/api/policy/reload')
  assert.equal(reloaded.status, 409)
  assert.deepEqual([reloaded.body.accepted, reloaded.body.version, reloaded.body.held?.version], [false, from, to])
  assert.equal(one.gateway.policyVersion, from)
  assert.match(one.lines.join('\n'), /is held \(1 cell gained\); sha256:\w+ stays in force\n.*ostiary policy release sha256:[0-9a-f]{64}/)
  const told = { from, to, widens: true, gained: 1, lost: 0, different: 0, notProven: 0, cells: 1, changes: GAINED }
  assert.deepEqual(
    (await one.recorded('policy-held')).map(({ details }) => details),
    [told],
  )
  // Asked again, it waits on, and is neither compared nor recorded anew.
  assert.equal((await one.ask('POST', '/api/policy/reload')).status, 409)

  const other = `sha256:${'0'.repeat(64)}`
  const refused = await one.ask<{ type: string; title: string }>('POST', `/api/policy/release/${other}`)
  assert.equal(refused.status, 409)
  assert.equal(refused.body.type, 'urn:ostiary:server/not-held')
  assert.equal(refused.body.title, `version \`${other}\` is not to be released: what is held is ${to}`)
  assert.equal(one.gateway.policyVersion, from)

  assert.equal((await one.ask('POST', `/api/policy/release/${to}`)).status, 200)
  assert.equal(one.gateway.policyVersion, to)
  const [changed] = (await one.recorded('policy-changed')) as [EventRecord]
  assert.deepEqual(changed.details, { ...told, released: true, needsRestart: [] })
  assert.equal(changed.principal?.subject, 'ada')
  assert.equal((await one.recorded('policy-held')).length, 1)
  assert.equal((await one.status()).held, undefined)
  const again = await one.ask<{ title: string }>('POST', `/api/policy/release/${to}`)
  assert.deepEqual([again.status, again.body.title], [409, `version \`${to}\` is not to be released: nothing is held`])
  await one.restart()
  assert.equal(one.gateway.policyVersion, to)
})

test('what only takes away is in force at once, and says so in the record', async () => {
  await using one = await running('hold', WIDE)
  one.write(NARROW)
  assert.equal((await one.gateway.reload()).accepted, true)
  assert.equal(one.gateway.policyVersion, one.versionNow())
  const [{ details }] = (await one.recorded('policy-changed')) as [EventRecord]
  assert.deepEqual([details['widens'], details['lost'], details['released']], [false, 1, undefined])
})

test('a version can not let itself through', async () => {
  await using one = await running('hold')
  const before = one.gateway.policyVersion
  one.wire(wiring('apply'))
  assert.equal((await one.gateway.reload()).accepted, false)
  assert.deepEqual((await one.status()).held?.change.lines, [
    'not proven: on ostiary.yaml: `onWiden` is different, which can change who is believed and what is asked',
  ])
  one.write(WIDE)
  assert.equal((await one.gateway.reload()).accepted, false)
  one.wire(wiring('hold', { dataDir: 'elsewhere' }))
  one.write(NARROW)
  assert.equal((await one.gateway.reload()).accepted, false)
  assert.match((await one.status()).held!.change.lines.join('\n'), /`dataDir` is different/)
  one.wire(wiring('hold', { dpop: { nonce: 'required' } }))
  assert.equal((await one.gateway.reload()).accepted, false)
  assert.match((await one.status()).held!.change.lines.join('\n'), /not proven: on ostiary.yaml: `dpop` is different/)
  assert.equal(one.gateway.policyVersion, before)
})

test('to hold from now on is no widening', async () => {
  await using one = await running('apply')
  one.wire(wiring('hold'))
  assert.equal((await one.gateway.reload()).accepted, true)
  one.write(WIDE)
  assert.equal((await one.gateway.reload()).accepted, false)
})

test('a restart is no way around', async () => {
  await using one = await running('hold')
  const from = one.gateway.policyVersion
  await one.stop()
  one.wire(wiring('apply'))
  one.write(WIDE)
  await one.restart()
  const to = one.versionNow()
  assert.equal(one.gateway.policyVersion, from)
  assert.equal((await one.status()).held?.version, to)
  assert.equal((await one.recorded('policy-held')).length, 1)
  await one.restart()
  assert.equal(one.gateway.policyVersion, from)
  assert.equal((await one.ask('POST', `/api/policy/release/${to}`)).status, 200)
  assert.equal(one.gateway.policyVersion, to)
  // What narrows is taken on by a restart, too.
  await one.stop()
  one.wire(wiring('hold'))
  one.write(NARROW)
  await one.restart()
  assert.equal(one.gateway.policyVersion, one.versionNow())
})

test('what the folder holds now is what can be released', async () => {
  await using one = await running('hold')
  const first = one.gateway.policyVersion
  one.write(WIDE)
  await one.gateway.reload()
  const wide = one.versionNow()
  one.write(WIDER)
  await one.gateway.reload()
  assert.equal((await one.status()).held?.change.gained, 2)
  assert.equal((await one.ask('POST', `/api/policy/release/${wide}`)).status, 409)
  one.write({ rules: 1 })
  assert.equal((await one.ask('POST', '/api/policy/reload')).status, 422)
  assert.equal((await one.status()).held, undefined)
  one.write(WIDE)
  await one.gateway.reload()
  one.write(NARROW)
  assert.deepEqual([(await one.gateway.reload()).accepted, (await one.status()).held], [true, undefined])
  assert.equal(one.gateway.policyVersion, first)
})

test('what can not be compared with any more does not start', async () => {
  await using one = await running('hold')
  const { dataDir } = one.gateway
  await one.stop()
  writeFileSync(join(dataDir, 'policies/latest'), 'sha256:nothing\n')
  one.write(WIDE)
  await assert.rejects(
    one.restart(),
    (error) => error instanceof OstiaryError && error.code === 'server/hold-unreadable' && /not whole/.test(error.message),
  )
})

test('the command line shows what waits, and releases it', async () => {
  await using one = await running('hold')
  const calm = await one.ostiary('policy', 'status')
  assert.deepEqual([calm.exit, calm.err], [0, ''])
  assert.match(calm.out, new RegExp(`^in force {5}${one.gateway.policyVersion}\nlast change {2}\\S+, taken on\n$`))
  one.write(WIDE)
  const held = await one.ostiary('policy', 'reload')
  assert.equal(held.exit, 1)
  assert.match(
    held.out,
    /, held\nheld {9}sha256:\w+\n {2}next to sha256:\w+, by 1 cell:\n {4}gained: holders of `reader` on orders: deny → allow: DELETE \/orders\nrelease it with/,
  )
  assert.equal((await one.ostiary('policy', 'release', 'sha256:1')).exit, 2)
  const released = await one.ostiary('policy', 'release', one.versionNow())
  assert.deepEqual([released.exit, released.err], [0, ''])
  assert.equal(one.gateway.policyVersion, one.versionNow())
  one.write({ rules: 1 })
  const refused = await one.ostiary('policy', 'reload')
  assert.equal(refused.exit, 1)
  assert.match(refused.out, /, refused\n {2}error: policy\/policy\.yaml:\d+ /)
})
