/** Sign-out against look-ups, in whatever order a store answers: what has ended is over for everybody, at once and for good. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { AuthResult } from '../../core/credential.ts'
import { noMeter } from '../../core/meter.ts'
import type { Identity } from '../../core/principal.ts'
import { Secret } from '../../core/secret.ts'
import { memoryStore } from '../../store/memory.ts'
import type { SessionStore } from '../../store/sessions.ts'
import { ManualClock, seededEntropy } from '../../testing/clock.ts'
import { memoryKept } from '../../store/memory-kept.ts'
import { runs } from '../../testing/runs.ts'
import { Revocations } from '../revocations/revocations.ts'
import { Seal } from './seal.ts'
import { Sessions } from './sessions.ts'

const identity: Identity = {
  issuer: 'entra',
  subject: 't/reader',
  kind: 'human',
  claims: Object.create(null) as Identity['claims'],
  unknownClaims: new Set(),
  scopes: undefined,
  appOnly: false,
  listedClient: false,
  actor: undefined,
  display: 'reader',
  evidence: {
    credential: 'session',
    issuerUrl: 'https://idp.example',
    audience: 'a',
    client: undefined,
    tokenId: undefined,
    keyId: undefined,
    algorithm: undefined,
    issuedAt: undefined,
    expiresAt: 0,
    sessionId: undefined,
  },
}

const at = { source: '192.0.2.1', time: 0, resource: 'orders' }
const limits = { idle: 3_600_000, absolute: 43_200_000, maximum: 100 }

/** A store whose every answer takes as long as the scheduler likes, on the way there and on the way back, and may get lost on either. */
function slowStore(inner: SessionStore, scheduler: fc.Scheduler, fails: () => boolean): SessionStore {
  const slow = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    await scheduler.schedule(Promise.resolve(), `${name} asked`)
    if (fails()) throw new Error('the request got lost')
    const result = await work()
    await scheduler.schedule(Promise.resolve(), `${name} answered`)
    if (fails()) throw new Error('the answer got lost')
    return result
  }
  return {
    add: (session, maximum, now) => slow('add', () => inner.add(session, maximum, now)),
    find: (key) => slow('find', () => inner.find(key)),
    named: (id) => slow('named', () => inner.named(id)),
    ofProvider: (name, limit) => slow('ofProvider', () => inner.ofProvider(name, limit)),
    lease: (...asked) => slow('lease', () => inner.lease(...asked)),
    rest: (...asked) => slow('rest', () => inner.rest(...asked)),
    reprove: (...asked) => slow('reprove', () => inner.reprove(...asked)),
    list: (limit, after) => slow('list', () => inner.list(limit, after)),
    lastEnd: () => slow('lastEnd', () => inner.lastEnd()),
    seen: (key, seenAt) => slow('seen', () => inner.seen(key, seenAt)),
    end: (key) => slow('end', () => inner.end(key)),
    sweep: (now, unusedSince) => slow('sweep', () => inner.sweep(now, unusedSince)),
    spend: (mark, until, now) => slow('spend', () => inner.spend(mark, until, now)),
    isSpent: (...asked) => slow('isSpent', () => inner.isSpent(...asked)),
    close: () => inner.close(),
  }
}

type Step = 'ask' | 'end' | 'minute'
const steps = fc
  .array(fc.constantFrom<Step>('ask', 'ask', 'ask', 'end', 'minute'), { minLength: 2, maxLength: 8 })
  .filter((all) => all.includes('end'))

/** Runs the steps, each when the scheduler says so, on a process that has just started. */
async function run(scheduler: fc.Scheduler, order: readonly Step[], losses: readonly boolean[]): Promise<void> {
  const clock = new ManualClock()
  const inner = memoryStore()
  const key = { key: new Secret(new Uint8Array(32).fill(7)) }
  const parts = {
    clock,
    entropy: seededEntropy(),
    meter: noMeter,
    limits,
    accepts: () => true,
    refresh: () => Promise.resolve({ outcome: 'unavailable' } as const),
    onRefused: () => Promise.resolve(),
    revocations: new Revocations({ store: memoryKept(), clock, meter: noMeter, log: () => undefined }, []),
    seal: new Seal(() => [key], seededEntropy(2)),
  }
  const before = new Sessions({ ...parts, store: inner })
  const { handle } = await before.create(identity)

  let lost = 0
  let lossy = true
  const sessions = new Sessions({ ...parts, store: slowStore(inner, scheduler, () => lossy && losses[lost++] === true) })
  const results: AuthResult[] = []
  let over = false
  const pending = order.map(async (step, i) => {
    await scheduler.schedule(Promise.resolve(), `${step} ${i}`)
    if (step === 'minute') return clock.advance(60_000)
    if (step === 'ask') return void results.push(await sessions.authenticate(handle, at))
    await sessions.end(handle).catch(() => undefined)
    over = true
    assertOver(results)
  })
  await scheduler.waitFor(Promise.all(pending))
  assert.ok(over)
  assertOver(results)

  // Whatever got lost on the way: here it stays over, also while the store still has it.
  const asked = sessions.authenticate(handle, at)
  const after = asked instanceof Promise ? await scheduler.waitFor(asked) : asked
  assert.notEqual(after.outcome, 'verified')

  // And as soon as the store can be told, it is.
  lossy = false
  await settle(scheduler)
  clock.advance(60_000)
  await settle(scheduler)
  assert.equal(await inner.sweep(clock.now() + 10 * limits.absolute, clock.now()), 0, 'nothing is left of it')
  await sessions.close()
  await before.close()
}

/** Lets everything come to rest, also what is asked for only once something else was answered. */
async function settle(scheduler: fc.Scheduler): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    await scheduler.waitIdle()
  }
}

function assertOver(results: readonly AuthResult[]): void {
  for (const result of results) if (result.outcome === 'verified') assert.equal(result.verified.revoked, true)
}

test('in whatever order the store answers, nothing outlives a sign-out', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), steps, (scheduler, order) => run(scheduler, order, [])),
    { numRuns: runs(60) },
  )
})

test('nor if requests to the store and its answers get lost', async () => {
  await fc.assert(fc.asyncProperty(fc.scheduler(), steps, fc.array(fc.boolean(), { maxLength: 16 }), run), { numRuns: runs(60) })
})
