import assert from 'node:assert/strict'
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ManualClock } from '../testing/clock.ts'
import { OstiaryError } from '../core/errors.ts'
import type { AuditLog } from './log.ts'
import { FaultyDisk } from './testdata/disk.ts'
import { decisionOf, done, openTestLog, recordsOf, settings, temporary, testSigner } from './testdata/record.ts'
import { verify } from './verify.ts'

const signer = testSigner()

function isUnavailable(cause: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof OstiaryError && error.code === 'audit/unavailable' && error.status === 503 && cause.test(error.message)
}

async function setUp(dir: string, more: { reserve?: number; queue?: number } = {}) {
  const clock = new ManualClock()
  const disk = new FaultyDisk()
  const lines: string[] = []
  const counted = new Map<string, number>()
  const log = await openTestLog(dir, signer, {
    clock,
    disk,
    reserve: more.reserve ?? 0,
    options: { ...settings, queue: more.queue ?? settings.queue },
    onDegraded: (line) => void lines.push(line),
    meter: { count: (name, _labels, by = 1) => void counted.set(name, (counted.get(name) ?? 0) + by) },
  })
  return { clock, disk, log, lines, counted }
}

const ids = (dir: string, kind: string): unknown[] => recordsOf(dir).flatMap((record) => (record['kind'] === kind ? [record['id']] : []))

/** Moves time on until records are taken again; the disk works in real time in between. */
async function heal(log: AuditLog, clock: ManualClock, disk: FaultyDisk): Promise<void> {
  for (let tries = 0; tries < 20 && !log.status().healthy; tries++) {
    clock.advance(5000)
    await disk.idle()
  }
  assert.equal(log.status().healthy, true)
}

test('a full disk refuses, loses nothing that was let through, recovers by itself and says so', async () => {
  using folder = temporary()
  const { clock, disk, log, lines, counted } = await setUp(folder.path)
  await log.decided(decisionOf('before'), 'strict')
  log.decided(decisionOf('spooled'), 'spool')
  disk.room = 700 // a part of what is written fits, so a line is torn
  const refused = [1, 2, 3].map((n) => log.decided(decisionOf(`refused${n}`), 'strict') as Promise<void>)
  for (const waiting of refused) await assert.rejects(waiting, isUnavailable(/ENOSPC/))
  assert.throws(() => log.decided(decisionOf('later'), 'strict'), isUnavailable(/write: ENOSPC/))
  assert.throws(() => log.decided(decisionOf('later'), 'spool'), isUnavailable(/write: ENOSPC/))
  assert.equal(log.decided(decisionOf('dropped'), 'best-effort'), undefined)
  await assert.rejects(log.noteDurably({ kind: 'sign-in', time: 0, details: {} }), isUnavailable(/ENOSPC/))
  log.completed('before', done, 'strict')
  assert.equal(log.status().healthy, false)
  assert.match(lines[0]!, /nothing can be recorded \(write: ENOSPC\)/)
  clock.advance(20_000)
  assert.equal(log.status().healthy, false)

  disk.room = Number.POSITIVE_INFINITY
  await heal(log, clock, disk)
  assert.equal(lines.at(-1), 'records are taken again')
  await log.decided(decisionOf('after'), 'strict')
  await log.close()
  assert.deepEqual(ids(folder.path, 'decision'), ['before', 'spooled', 'after'])
  assert.deepEqual(ids(folder.path, 'outcome'), ['before'])
  const gaps = recordsOf(folder.path).filter(({ kind }) => kind === 'gap')
  const sum = (field: string) => gaps.reduce((total, gap) => total + (gap[field] as number), 0)
  assert.equal(sum('refused'), 6)
  assert.equal(sum('dropped'), 1)
  assert.match(String(gaps[0]!['cause']), /ENOSPC/)
  assert.ok(counted.get('audit.failures')! >= 1)
  const result = await verify(folder.path, { keys: [signer.jwk] })
  assert.ok(result.ok && result.closed, result.problem?.text)
})

test('the reserve takes in what was let through before the disk was full; nothing new passes until it is held again', async () => {
  using folder = temporary()
  const { clock, disk, log } = await setUp(folder.path, { reserve: 64 * 1024 })
  for (let i = 0; i < 20; i++) log.decided(decisionOf(`spooled${i}`), 'spool')
  disk.room = 100
  await assert.rejects(log.decided(decisionOf('refused'), 'strict') as Promise<void>, isUnavailable(/ENOSPC/))
  for (let i = 0; i < 4; i++) {
    clock.advance(5000)
    await disk.idle()
  }
  assert.equal(ids(folder.path, 'decision').length, 20)
  assert.equal(log.status().healthy, false)
  assert.throws(() => log.decided(decisionOf('refused too'), 'spool'), isUnavailable(/ENOSPC/))
  disk.room = Number.POSITIVE_INFINITY
  await heal(log, clock, disk)
  await log.close()
  assert.ok((await verify(folder.path, { keys: [signer.jwk] })).ok)
})

test('at the end a disk that was full is tried once more, and one that stays full holds nothing up', async () => {
  for (const back of [true, false]) {
    using folder = temporary()
    const { disk, log } = await setUp(folder.path, { reserve: 1024 })
    log.decided(decisionOf('spooled'), 'spool')
    disk.failWrite = 'ENOSPC'
    await assert.rejects(log.decided(decisionOf('refused'), 'strict') as Promise<void>, isUnavailable(/ENOSPC/))
    if (back) disk.failWrite = undefined
    await log.close()
    assert.deepEqual(ids(folder.path, 'decision'), back ? ['spooled'] : [])
    const result = await verify(folder.path, { keys: [signer.jwk] })
    assert.equal(result.problem, undefined)
    assert.equal(result.closed, back)
  }
})

test('a failed sync counts as not written: who waited is refused and leaves no record, what was spooled is written again', async () => {
  using folder = temporary()
  const { clock, disk, log } = await setUp(folder.path)
  disk.failSync = 'EIO'
  log.decided(decisionOf('spooled'), 'spool')
  await assert.rejects(log.decided(decisionOf('refused'), 'strict') as Promise<void>, isUnavailable(/EIO/))
  disk.failSync = undefined
  await heal(log, clock, disk)
  await log.close()
  assert.deepEqual(ids(folder.path, 'decision'), ['spooled'])
  const result = await verify(folder.path, { keys: [signer.jwk] })
  assert.ok(result.ok, result.problem?.text)
})

test('a record that became durable while a later write failed is kept', async () => {
  using folder = temporary()
  const { clock, disk, log } = await setUp(folder.path)
  const gate = Promise.withResolvers<void>()
  disk.hold = gate.promise
  const first = log.decided(decisionOf('first'), 'strict') as Promise<void>
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  disk.failWrite = 'EIO'
  const second = log.decided(decisionOf('second'), 'strict') as Promise<void>
  const refused = assert.rejects(second, isUnavailable(/EIO/))
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  gate.resolve()
  disk.hold = undefined
  await first
  await refused
  disk.failWrite = undefined
  await heal(log, clock, disk)
  await log.close()
  assert.deepEqual(ids(folder.path, 'decision'), ['first'])
  assert.ok((await verify(folder.path, { keys: [signer.jwk] })).ok)
})

test('a full queue refuses what must be recorded and drops what may be, outcomes still find room', async () => {
  using folder = temporary()
  const { clock, disk, log } = await setUp(folder.path, { queue: 4096 })
  const gate = Promise.withResolvers<void>()
  disk.hold = gate.promise
  let taken = 0
  const full = (): boolean => {
    try {
      log.decided(decisionOf(`d${taken}`), 'spool')
      taken++
      return false
    } catch (error) {
      assert.ok(isUnavailable(/the queue is full/)(error))
      return true
    }
  }
  while (!full()) assert.ok(taken < 100)
  log.decided(decisionOf('dropped'), 'best-effort')
  log.completed('d0', done, 'spool')
  gate.resolve()
  disk.hold = undefined
  await log.flush()
  clock.advance(1000)
  await log.close()
  assert.equal(ids(folder.path, 'decision').length, taken)
  assert.deepEqual(ids(folder.path, 'outcome'), ['d0'])
  const gap = recordsOf(folder.path).find(({ kind }) => kind === 'gap')!
  assert.deepEqual([gap['refused'], gap['dropped'], gap['lost']], [1, 1, 0])
})

test('a line that a crash cut off is moved aside and recorded, and the chain goes on', async () => {
  for (const torn of ['{"seq":9,"ti', '{"seq":9,"time":"2026-01-01T00:00:00.000Z","kind":"event"}\n', '\0\0\0\0\0\n\0\0', '\n']) {
    using folder = temporary()
    const first = await openTestLog(folder.path, signer)
    await first.decided(decisionOf('before'), 'strict')
    await first.close()
    const [segment] = readdirSync(folder.path).filter((name) => name.endsWith('.jsonl'))
    appendFileSync(join(folder.path, segment!), torn)
    const second = await openTestLog(folder.path, signer)
    await second.decided(decisionOf('after'), 'strict')
    await second.close()
    const recovered = recordsOf(folder.path).find(({ event }) => event === 'audit-recovered')!
    const { bytes, movedTo } = recovered['details'] as { bytes: number; movedTo: string }
    assert.equal(bytes, torn.length)
    assert.equal(readFileSync(join(folder.path, movedTo), 'latin1'), torn)
    assert.deepEqual(ids(folder.path, 'decision'), ['before', 'after'])
    const result = await verify(folder.path, { keys: [signer.jwk] })
    assert.ok(result.ok && result.notes.some((note) => note.startsWith('after a crash')), result.problem?.text)
  }
})

test('a file that was being made when the crash came is no obstacle', async () => {
  for (const begun of ['', '{"seq":7,"time":']) {
    using folder = temporary()
    const first = await openTestLog(folder.path, signer)
    await first.decided(decisionOf('before'), 'strict')
    await first.close()
    const next = String(recordsOf(folder.path).length + 1).padStart(10, '0')
    appendFileSync(join(folder.path, `${next}.jsonl`), begun)
    const second = await openTestLog(folder.path, signer)
    await second.close()
    assert.ok((await verify(folder.path, { keys: [signer.jwk] })).ok)
  }
})

test('a line altered in the middle stays as evidence: the gateway says what it found and goes on in a new file', async () => {
  using folder = temporary()
  const first = await openTestLog(folder.path, signer)
  for (let i = 0; i < 5; i++) await first.decided(decisionOf(`d${i}`), 'strict')
  await first.close()
  const path = join(folder.path, '0000000001.jsonl')
  const text = readFileSync(path, 'utf8').replace('"id":"d2"', '"id":"dX"')
  rmSync(path)
  appendFileSync(path, text)
  const second = await openTestLog(folder.path, signer)
  await second.close()
  assert.equal(readFileSync(path, 'utf8'), text)
  const damage = recordsOf(folder.path).find(({ event }) => event === 'audit-damaged')!
  const altered = recordsOf(folder.path).find(({ id }) => id === 'dX')!
  assert.equal((damage['details'] as { seq: number }).seq, altered['seq'])
  const { problem } = await verify(folder.path, { keys: [signer.jwk] })
  assert.equal(problem?.looksLike, 'altered')
  assert.equal(problem.seq, altered['seq'])
})

test('a file that is taken away, cut or added to while it is written is noticed; what is durable later is whole', async () => {
  const attacks: Record<string, (path: string) => void> = {
    removed: (path) => rmSync(path),
    replaced: (path) => {
      renameSync(path, `${path}.old`)
      appendFileSync(path, readFileSync(`${path}.old`))
    },
    cut: (path) => truncateSync(path, 400),
    'added to': (path) => appendFileSync(path, 'x\n'),
  }
  for (const [name, attack] of Object.entries(attacks)) {
    using folder = temporary()
    const { clock, disk, log, lines } = await setUp(folder.path)
    await log.decided(decisionOf('before'), 'strict')
    attack(join(folder.path, '0000000001.jsonl'))
    clock.advance(1000)
    await heal(log, clock, disk)
    await log.decided(decisionOf('after'), 'strict')
    await log.close()
    assert.match(lines[0]!, /EALTERED/, name)
    const records = recordsOf(folder.path)
    assert.ok(
      records.some(({ event }) => event === 'audit-segment-altered'),
      name,
    )
    assert.ok(
      records.some(({ id }) => id === 'after'),
      name,
    )
    if (name !== 'replaced') assert.equal((await verify(folder.path, { keys: [signer.jwk] })).ok, false, name)
  }
})
