/** Changes of the configuration of a gateway that runs: what is taken on, what is refused, and what becomes of a change that can't be read. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { readSources } from '../../src/config/load.ts'
import { compile } from '../../src/server/configuration.ts'
import { startGateway, type StartOptions } from '../../src/server/start.ts'
import { ManualClock } from '../../src/testing/clock.ts'

const wiring = {
  apiVersion: 'ostiary.dev/v1',
  name: 'reload',
  issuers: { idp: { kind: 'oidc', issuer: 'https://127.0.0.1:9', audiences: ['api'], claims: { roles: 'list' }, stepUp: 'never' } },
  resources: { orders: { protocol: 'http', hosts: ['orders.localhost'], upstream: { url: 'http://127.0.0.1:9' } } },
  doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
  admin: { listen: '127.0.0.1:0' },
}
const policy = (id: string, role = 'admin', more = {}) => ({
  apiVersion: 'ostiary.dev/v1',
  roles: { admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] }, ...more },
  rules: [
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
    { id, role, resource: 'orders', actions: ['GET /**'] },
  ],
})

async function running(options: Partial<StartOptions> = {}, first: object = policy('first'), wired: object = wiring) {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-reload-'))
  mkdirSync(join(folder, 'policy'))
  const write = (what: object): void => writeFileSync(join(folder, 'policy/policy.yaml'), stringify(what))
  const rewire = (what: object): void => writeFileSync(join(folder, 'ostiary.yaml'), stringify(what))
  rewire(wired)
  write(first)
  const lines: string[] = []
  const gateway = await startGateway({
    folder,
    watch: false,
    log: (line) => void (line.startsWith('issuer') || lines.push(line)),
    ...options,
  })
  let stopped = false
  const stop = async (): Promise<void> => {
    if (!stopped) await gateway.stop(0)
    stopped = true
  }
  return {
    gateway,
    lines,
    write,
    rewire,
    stop,
    data: join(folder, 'data/policies'),
    versionNow: (now = Date.now()) => compile(folder, readSources(folder), now).policy?.version,
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

test('of changes in quick succession, the last is what is in force; who asks while one waits gets what comes of that', async () => {
  await using one = await running()
  one.write(policy('second'))
  const second = one.gateway.reload()
  await new Promise(setImmediate)
  one.write(policy('third'))
  const third = one.gateway.reload()
  assert.equal(one.gateway.reload(), third)
  one.write(policy('fourth'))
  assert.deepEqual([(await second).accepted, (await third).accepted], [true, true])
  assert.equal(one.gateway.policyVersion, one.versionNow())
})

test('what needs too much memory is not taken on, which is said, and what runs goes on', async () => {
  await using one = await running({ reloadLimits: { time: 60_000, memory: 8 } })
  const before = one.gateway.policyVersion
  one.write(policy('second'))
  assert.equal((await one.gateway.reload()).accepted, false)
  assert.equal(one.gateway.policyVersion, before)
  assert.deepEqual(one.lines, ['reload: reading the configuration needs more than 8 MiB of memory; what runs goes on'])
})

test('a version that is wrong is refused with every finding, and the next right one is taken on', async () => {
  await using one = await running()
  const before = one.gateway.policyVersion
  one.write(policy('second', 'admim'))
  assert.equal((await one.gateway.reload()).accepted, false)
  assert.equal(one.gateway.policyVersion, before)
  assert.match(one.lines.join('\n'), /policy\/policy\.yaml:\d+:\d+ .*`admim`.*\n.*refused whole/)
  one.write(policy('third'))
  assert.equal((await one.gateway.reload()).accepted, true)
  assert.equal(one.gateway.policyVersion, one.versionNow())
  // In force is only what is kept.
  assert.ok(readdirSync(one.data).includes(`${one.gateway.policyVersion.slice(7)}.json`))
})

test('a change that one door can not take on is taken on by none', async () => {
  const clusters = { ...wiring, doors: { ...wiring.doors, kubernetes: { listen: [{ address: '127.0.0.1:0' }] } } }
  await using one = await running({}, policy('first'), clusters)
  const before = one.gateway.policyVersion
  const { orders } = wiring.resources
  const prod = { protocol: 'kubernetes', server: 'https://127.0.0.1:9', ca: 'absent.pem', credential: { token: { file: 'token' } } }
  one.rewire({ ...clusters, resources: { orders: { ...orders, hosts: ['elsewhere.localhost'] }, prod } })
  assert.equal((await one.gateway.reload()).accepted, false)
  assert.equal(one.gateway.policyVersion, before)
  assert.match(one.lines.join('\n'), /reload: refused, .*absent\.pem/)
  const statusOf = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port: one.gateway.doors[0]!.port, headers: { host }, agent: false }, (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode))
      }).on('error', reject)
    })
  assert.deepEqual([await statusOf('orders.localhost'), await statusOf('elsewhere.localhost')], [401, 421])
})

test('a gateway that ends while it reads leaves nothing behind', async () => {
  await using one = await running()
  const before = one.gateway.policyVersion
  const readers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length
  const open = readers()
  one.write(policy('second'))
  const reading = one.gateway.reload()
  const waiting = one.gateway.reload()
  await new Promise(setImmediate)
  assert.ok(readers() > open)
  await one.stop()
  await Promise.all([reading, waiting])
  assert.equal(one.gateway.policyVersion, before)
  assert.equal(readers(), open)
  assert.deepEqual(
    readdirSync(one.data).filter((name) => name.startsWith('.')),
    [],
  )
  assert.deepEqual(one.lines, [])
})

test('access that ends by itself makes a new version when it does, of what runs and not of what the folder holds', async () => {
  const until = Date.UTC(2026, 0, 1) + 60_000
  const helper = { bind: [{ issuer: 'idp', claim: 'sub', any: ['me'], breakGlass: { until: new Date(until).toISOString() } }] }
  const clock = new ManualClock()
  await using one = await running({ clock }, policy('first', 'helper', { helper }))
  const before = one.gateway.policyVersion
  const after = one.versionNow(until)
  one.write(policy('second'))
  clock.advance(59_999)
  assert.equal(one.gateway.policyVersion, before)
  clock.advance(1)
  while (one.gateway.policyVersion === before) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(one.gateway.policyVersion, after)
})
