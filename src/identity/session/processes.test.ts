/** One session in three processes at the time at which it has to be proven anew. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Secret } from '../../core/secret.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import { ManualClock } from '../../testing/clock.ts'
import { testDeps, type TestDeps } from '../testing.ts'
import { providerStandIn, type ProviderStandIn } from './testdata/standin.ts'
import { issuerOf, MINUTE, openGateway } from './testing.ts'

interface Other {
  readonly child: ChildProcess
  /** The next line that it says. */
  next(): Promise<string>
  /** Tells it something, and takes its next line. */
  tell(line: string): Promise<string>
}

const COUNT = 3
const PROGRAM = fileURLToPath(new URL('./testdata/process.ts', import.meta.url))
let deps: TestDeps
let provider: ProviderStandIn
let files = 0
const children: ChildProcess[] = []

before(async () => {
  deps = testDeps({ clock: new ManualClock(Date.now()) })
  provider = await providerStandIn(() => deps.clock.now())
})

after(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  await provider.close()
  deps.remove()
})

/** Signs in, for a proof of ten minutes and the skew, and starts processes that know the session. */
async function others(count: number): Promise<{ readonly handle: string; readonly all: readonly Other[] }> {
  const file = join(deps.dataDir, `${++files}.db`)
  const sealing = () => [{ key: new Secret(new Uint8Array(32).fill(1)) }]
  const idp = issuerOf(provider.origin, { scopes: ['openid', 'offline_access'] })
  const gateway = openGateway(deps, provider, { issuers: { idp }, deps: { store: openSqliteStore(file), sealing } })
  provider.claims = { exp: Math.floor(deps.clock.now() / 1000) + 600 }
  const handle = await gateway.signIn()
  await gateway.identities.close()
  provider.claims = {}
  provider.redemptions.length = 0
  const all = await Promise.all(Array.from({ length: count }, () => start(file)))
  for (const other of all) {
    assert.equal(await other.tell(`move ${deps.clock.now() - Date.now()}`), 'moved')
    assert.equal(await other.tell(`ask ${handle} 1`), 'asked')
    assert.equal(await other.next(), 'verified 1')
  }
  return { handle, all }
}

async function start(file: string): Promise<Other> {
  const child = spawn(process.execPath, [PROGRAM, file, provider.origin], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => String((await lines.next()).value)
  assert.equal(await next(), 'ready')
  return {
    child,
    next,
    tell(line) {
      child.stdin!.write(`${line}\n`)
      return next()
    },
  }
}

/** The provider answers refresh tokens once this is called. */
function held(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  provider.hold = promise
  return resolve
}

/** Sets every clock ahead. */
async function move(all: readonly Other[], ms: number): Promise<void> {
  deps.clock.advance(ms)
  for (const other of all) assert.equal(await other.tell(`move ${ms}`), 'moved')
}

async function redemption(): Promise<void> {
  for (let i = 0; provider.redemptions.length === 0; i++) {
    assert.ok(i < 1e6, 'nobody redeems')
    await turn()
  }
}

for (const [name, ms] of [
  ['ahead of the end', 9.8 * MINUTE],
  ['after the end', 11 * MINUTE],
] as const)
  test(`a thousand requests in three processes at once, ${name}, are one redemption`, async () => {
    const { handle, all } = await others(COUNT)
    await move(all, ms)
    const release = held()
    const asked = await Promise.all(all.map((other) => other.tell(`ask ${handle} 334`)))
    assert.deepEqual(asked, ['asked', 'asked', 'asked'])
    await redemption()
    release()
    for (const other of all) assert.equal(await other.next(), 'verified 334')
    assert.equal(provider.redemptions.length, 1)
    // Past the end of the proof before: all of them go on with the new one.
    await move(all, 2 * MINUTE)
    for (const other of all) {
      await other.tell(`ask ${handle} 10`)
      assert.equal(await other.next(), 'verified 10')
    }
    assert.equal(provider.redemptions.length, 1)
  })

test('a process that is killed while it redeems leaves the session to the others', async () => {
  const { handle, all } = await others(2)
  await move(all, 11 * MINUTE)
  const release = held()
  const [dying, other] = [all[0]!, all[1]!]
  await dying.tell(`ask ${handle} 10`)
  await redemption()
  const gone = once(dying.child, 'exit')
  dying.child.kill('SIGKILL')
  await gone
  assert.equal(await other.tell(`ask ${handle} 10`), 'asked')
  assert.equal(provider.redemptions.length, 1)
  release()
  await move([other], 31_000)
  assert.equal(await other.next(), 'verified 10')
  assert.equal(provider.redemptions.length, 2)
})
