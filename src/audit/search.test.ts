import assert from 'node:assert/strict'
import { appendFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '../core/clock.ts'
import { idMaker } from '../core/id.ts'
import { ManualClock, seededEntropy } from '../testing/clock.ts'
import { decisionInputs } from './inputs.ts'
import type { AuditQuery } from './query.ts'
import type { AuditRecord } from './schema.ts'
import { findDecision, search, timeOfId } from './search.ts'
import { tail } from './tail.ts'
import { renderRecord } from './text.ts'
import { decisionOf, done, identityOf, openTestLog, principalOf, settings, temporary, testSigner } from './testdata/record.ts'

let folder: ReturnType<typeof temporary>
const clock = new ManualClock()
const start = clock.now()
const newId = idMaker(clock, seededEntropy())
const ids: string[] = []
const agent = identityOf({ subject: 'tid/agent', kind: 'agent', display: 'build agent' })
const people = [
  principalOf(),
  principalOf(identityOf({ subject: 'tid/publisher', display: 'publisher', claims: { roles: ['Orders.Write'] } }), {
    roles: ['authenticated', 'everyone', 'publisher'],
  }),
  principalOf(identityOf({ subject: 'tid/delegator', kind: 'human-via-agent', display: 'delegator', actor: agent })),
]

before(async () => {
  folder = temporary()
  const log = await openTestLog(folder.path, testSigner(), { clock, options: { ...settings, segmentSize: 8192 } })
  for (let i = 0; i < 60; i++) {
    clock.advance(1000)
    const id = newId()
    ids.push(id)
    await log.decided(
      decisionOf(id, {
        time: clock.now(),
        principal: people[i % 3]!,
        resource: i % 2 === 0 ? 'orders' : 'stock',
        action: { protocol: 'http', method: i % 5 === 0 ? 'DELETE' : 'GET', path: `/orders/${i}` },
        ip: `10.0.0.${i % 4}`,
        ...(i % 5 === 0
          ? {
              verdict: {
                kind: 'denied',
                decision: {
                  effect: 'deny',
                  rule: undefined,
                  rules: [],
                  reasons: [{ code: 'guardrail', id: 'no-delete' }],
                  obligations: [],
                  policyVersion: 'v',
                },
              },
            }
          : {}),
      }),
      'strict',
    )
    if (i % 5 !== 0) log.completed(id, { ...done, bytesOut: i }, 'strict')
    if (i === 30) await log.noteDurably({ kind: 'policy-changed', time: clock.now(), details: { to: 'sha256:2' } })
  }
  await log.close()
})

after(() => folder[Symbol.dispose]())

async function found(query: AuditQuery): Promise<string[]> {
  const list: string[] = []
  for await (const { record } of search(folder.path, { limit: 1000, ...query }))
    list.push(record.kind === 'decision' ? record.id : record.kind === 'event' ? record.event : record.kind)
  return list
}

const decisions = (want: (i: number) => boolean): string[] => ids.filter((_, i) => want(i)).toReversed()

test('each filter finds just what it says, newest first', async () => {
  assert.ok(readdirSync(folder.path).length > 3, 'several files')
  assert.deepEqual(
    await found({ resource: 'stock' }),
    decisions((i) => i % 2 === 1),
  )
  assert.deepEqual(
    await found({ verdict: 'denied' }),
    decisions((i) => i % 5 === 0),
  )
  assert.deepEqual(
    await found({ rule: 'no-delete' }),
    decisions((i) => i % 5 === 0),
  )
  assert.deepEqual(
    await found({ rule: 'read-orders' }),
    decisions((i) => i % 5 !== 0),
  )
  assert.deepEqual(
    await found({ action: 'DELETE /orders/1' }),
    decisions((i) => i % 5 === 0 && (i === 10 || i === 15)),
  )
  assert.deepEqual(
    await found({ ip: '10.0.0.3' }),
    decisions((i) => i % 4 === 3),
  )
  assert.deepEqual(
    await found({ role: 'publisher' }),
    decisions((i) => i % 3 === 1),
  )
  for (const principal of ['PUBLISHER', 'tid/publisher', 'entra/tid/publisher'])
    assert.deepEqual(
      await found({ principal }),
      decisions((i) => i % 3 === 1),
      principal,
    )
  assert.deepEqual(
    await found({ principal: 'build agent' }),
    decisions((i) => i % 3 === 2),
    'who acts counts, too',
  )
  assert.deepEqual(await found({ id: ids[7]! }), [ids[7]])
  assert.deepEqual(await found({ since: start + 10_000, until: start + 12_000, resource: 'stock' }), [ids[9]])
  assert.deepEqual(await found({ event: 'policy-changed' }), ['policy-changed'])
  assert.deepEqual(await found({ principal: 'nobody' }), [])
  assert.deepEqual(await found({ resource: '"},{' }), [])
})

test('oldest first is the same the other way round, and a limit is one', async () => {
  assert.deepEqual(await found({ order: 'oldest', resource: 'orders' }), decisions((i) => i % 2 === 0).toReversed())
  assert.deepEqual(await found({ limit: 3, kinds: ['decision'] }), ids.slice(-3).toReversed())
  assert.deepEqual(await found({ limit: 0 }), [])
  assert.equal((await found({})).length, 60 + 1 + 1)
})

test('a decision comes with its outcome, in either order', async () => {
  for (const order of ['newest', 'oldest'] as const) {
    for await (const { record, outcome } of search(folder.path, { order, kinds: ['decision'], limit: 1000 })) {
      assert.ok(record.kind === 'decision')
      const i = ids.indexOf(record.id)
      assert.equal(outcome?.bytesOut, i % 5 === 0 ? undefined : i)
    }
  }
})

test('a decision is found by its id, with all that it was made on', async () => {
  for (const i of [0, 1, 29, 59]) {
    const hit = await findDecision(folder.path, ids[i]!)
    assert.ok(hit !== undefined && hit.record.id === ids[i])
    assert.equal(hit.outcome?.bytesOut, i % 5 === 0 ? undefined : i)
    assert.deepEqual(hit.principal?.principal.claims, people[i % 3]!.claims)
    const { identity, exact, context } = decisionInputs(hit.record, hit.principal)
    assert.ok(exact)
    assert.equal(identity?.subject, people[i % 3]!.subject)
    assert.equal(identity.actor?.subject, people[i % 3]!.actor?.subject)
    assert.equal(context.time, start + (i + 1) * 1000)
    assert.equal(timeOfId(ids[i] ?? ''), context.time)
  }
  assert.equal(await findDecision(folder.path, newId()), undefined)
  assert.equal(await findDecision(folder.path, '"},{"\n'), undefined)
})

test('lines that are no records are passed over, also one that is being written', async () => {
  using other = temporary()
  const log = await openTestLog(other.path, testSigner())
  await log.decided(decisionOf('whole'), 'strict')
  const path = join(other.path, '0000000001.jsonl')
  appendFileSync(path, `garbage\n${'x'.repeat(5_000_000)}\n{"seq":5,"kind":"decision"}\n{"seq":99,"time":"2026`)
  for (const order of ['newest', 'oldest'] as const) {
    const list: AuditRecord[] = []
    for await (const { record } of search(other.path, { order, kinds: ['decision'] })) list.push(record)
    assert.equal(list.length, 1)
  }
  assert.equal((await findDecision(other.path, 'whole'))?.record.id, 'whole')
  await log.close()
})

test('tail shows the newest, then what comes, each once, over files', async () => {
  using other = temporary()
  const log = await openTestLog(other.path, testSigner(), { options: { ...settings, segmentSize: 4096 } })
  for (let i = 0; i < 5; i++) await log.decided(decisionOf(`old${i}`), 'strict')
  const stop = new AbortController()
  const seen: string[] = []
  const reading = (async () => {
    for await (const record of tail(
      other.path,
      { resource: 'orders', limit: 2 },
      { follow: true, clock: systemClock, signal: stop.signal },
    )) {
      if (record.kind !== 'decision') continue
      seen.push(record.id)
      if (record.id === 'old4')
        for (let i = 0; i < 30; i++) await log.decided(decisionOf(`new${i}`, { resource: i % 2 === 0 ? 'orders' : 'stock' }), 'strict')
      if (record.id === 'new28') stop.abort()
    }
  })()
  await reading
  await log.close()
  assert.deepEqual(seen, ['old3', 'old4', ...Array.from({ length: 15 }, (_, i) => `new${i * 2}`)])
})

test('tail without following ends', async () => {
  const list: AuditRecord[] = []
  for await (const record of tail(folder.path, { kinds: ['decision'], limit: 3 }, { follow: false, clock: systemClock })) list.push(record)
  assert.deepEqual(
    list.map((record) => record.kind === 'decision' && record.id),
    ids.slice(-3),
  )
})

test('a line for people tells who, what and why, and prints nothing that acts', async () => {
  const allowed = await findDecision(folder.path, ids[59]!)
  const line = renderRecord(allowed!.record, allowed!.outcome)
  for (const part of ['allowed', 'delegator via build agent', 'GET /orders/59 on stock', 'read-orders', '→ 200, 0 B in, 59 B out'])
    assert.ok(line.includes(part), line)
  const denied = await findDecision(folder.path, ids[5]!)
  assert.match(renderRecord(denied!.record), /guardrail no-delete/)
  const hostile = { ...denied!.record, resource: '\u001b[2J\n\u202e', ip: 'x'.repeat(5000) }
  assert.doesNotMatch(renderRecord(hostile), /[\u0000-\u001f\u202e]/)
  assert.ok(renderRecord(hostile).length < 700)
})
