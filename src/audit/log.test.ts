import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { OstiaryError } from '../core/errors.ts'
import { openKeyring } from '../secrets/keyring.ts'
import { ManualClock } from '../testing/clock.ts'
import { verifyDataDirectory } from './datadir.ts'
import { STALE_AFTER } from './lock.ts'
import type { AuditLog } from './log.ts'
import { decisionOf, done, linesOf, openTestLog, recordsOf, settings, temporary, testSigner } from './testdata/record.ts'
import { verify } from './verify.ts'

const signer = testSigner()

const code = (expected: string) => (error: unknown) => error instanceof OstiaryError && error.code === expected

/** Lets anchors and retention finish what they have begun: files work in real time. */
async function until(done: () => boolean): Promise<void> {
  for (let turns = 0; turns < 5000 && !done(); turns++) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.ok(done())
}

test('a decision, its outcome and an event are in the record, in order and owner-only', async () => {
  using folder = temporary()
  const log = await openTestLog(folder.path, testSigner())
  const waiting = log.decided(decisionOf('d1'), 'strict')
  assert.ok(waiting instanceof Promise)
  await waiting
  assert.ok(linesOf(folder.path).some((line) => line.includes('"id":"d1"')))
  assert.equal(log.decided(decisionOf('d2'), 'spool'), undefined)
  log.completed('d1', done, 'strict')
  log.note({ kind: 'policy-changed', time: 0, details: { version: 'sha256:2' } })
  await log.close()
  const records = recordsOf(folder.path)
  assert.deepEqual(
    records.map(({ kind, id, event }) => id ?? event ?? kind),
    ['segment', 'audit-opened', 'checkpoint', 'principal', 'd1', 'd2', 'd1', 'policy-changed', 'checkpoint'],
  )
  assert.deepEqual(
    records.map(({ seq }) => seq),
    records.map((_, i) => i + 1),
  )
  assert.equal(records[4]!['principalRecord'], 4)
  assert.equal(records.at(-1)!['final'], true)
  for (const name of readdirSync(folder.path)) assert.equal(statSync(join(folder.path, name)).mode & 0o777, 0o600, name)
  assert.equal(statSync(folder.path).mode & 0o777, 0o700)
})

test('who is written in full once per file, not per record', async () => {
  using folder = temporary()
  const log = await openTestLog(folder.path, signer, { options: { ...settings, segmentSize: 4096 } })
  for (let i = 0; i < 20; i++) await log.decided(decisionOf(`d${i}`), 'strict')
  await log.close()
  const records = recordsOf(folder.path)
  const segments = records.filter(({ kind }) => kind === 'segment').length
  assert.ok(segments > 2)
  assert.ok(records.filter(({ kind }) => kind === 'principal').length <= segments)
  for (const record of records.filter(({ kind }) => kind === 'decision'))
    assert.equal(records[(record['principalRecord'] as number) - 1]!['kind'], 'principal')
})

test('what is spooled is written within 20 ms and durable within 200 ms; a checkpoint follows within its time, none when nothing is new', async () => {
  using folder = temporary()
  const clock = new ManualClock()
  const log = await openTestLog(folder.path, signer, { clock })
  const settled = log.status().lastSeq
  clock.advance(60_000)
  await log.flush()
  const opened = log.status().lastSeq
  assert.ok(opened - settled <= 1, 'the opening is signed, then it is quiet')
  log.decided(decisionOf('d1'), 'spool')
  assert.ok(!linesOf(folder.path).some((line) => line.includes('"d1"')))
  clock.advance(20)
  assert.ok(linesOf(folder.path).some((line) => line.includes('"d1"')))
  assert.ok(log.status().durableSeq < log.status().lastSeq)
  clock.advance(180)
  await until(() => log.status().durableSeq === log.status().lastSeq)
  clock.advance(800)
  await log.flush()
  assert.equal(recordsOf(folder.path).at(-1)!['kind'], 'checkpoint')
  const last = log.status().lastSeq
  clock.advance(3_000_000)
  await log.flush()
  assert.equal(log.status().lastSeq, last)
  await log.close()
})

test('the chain goes on over a restart, and the log stays the same', async () => {
  using folder = temporary()
  for (let run = 0; run < 3; run++) {
    const log = await openTestLog(folder.path, signer)
    await log.decided(decisionOf(`d${run}`), 'strict')
    await log.close()
  }
  const result = await verify(folder.path, { keys: [signer.jwk] })
  assert.ok(result.ok && result.closed)
  assert.equal(result.lines, recordsOf(folder.path).length)
})

test('after close nothing is taken any more', async () => {
  using folder = temporary()
  const log = await openTestLog(folder.path, signer)
  await log.close()
  await log.close()
  assert.throws(() => log.decided(decisionOf('d'), 'spool'), code('audit/unavailable'))
  await assert.rejects(log.noteDurably({ kind: 'x', time: 0, details: {} }), code('audit/unavailable'))
  await assert.rejects(log.flush(), code('audit/unavailable'))
  log.completed('d', done, 'strict')
  log.note({ kind: 'x', time: 0, details: {} })
  assert.equal(log.status().healthy, false)
})

test('two processes never write the same record; the lock of one that is gone is taken over', async () => {
  using folder = temporary()
  const clock = new ManualClock()
  const log = await openTestLog(folder.path, signer, { clock })
  await assert.rejects(
    openTestLog(folder.path, signer, { clock }),
    (error) => code('audit/locked')(error) && String(error).includes(`pid ${process.pid}`),
  )
  const lock = join(folder.path, 'lock')
  const held = readFileSync(lock, 'utf8')
  await log.close()
  assert.ok(!existsSync(lock))

  const { pid } = spawnSync(process.execPath, ['-e', ''])
  const cases: [string, string, boolean][] = [
    ['a process that ended', JSON.stringify({ ...(JSON.parse(held) as object), pid }), true],
    ['a pid that was given anew', JSON.stringify({ ...(JSON.parse(held) as object), start: '1' }), true],
    ['garbage, fresh', 'garbage', false],
    ['another container, fresh', JSON.stringify({ pid: 1, start: '1', where: 'elsewhere' }), false],
  ]
  for (const [name, text, free] of cases) {
    writeFileSync(lock, text)
    utimesSync(lock, clock.now() / 1000, clock.now() / 1000)
    if (!free) {
      await assert.rejects(openTestLog(folder.path, signer, { clock }), code('audit/locked'), name)
      clock.advance(STALE_AFTER)
    }
    const next = await openTestLog(folder.path, signer, { clock })
    await next.close()
  }
})

test('who lost the lock stops writing', async () => {
  using folder = temporary()
  const clock = new ManualClock()
  const lines: string[] = []
  const log = await openTestLog(folder.path, signer, { clock, onDegraded: (line) => void lines.push(line) })
  writeFileSync(join(folder.path, 'lock'), '{}')
  clock.advance(10_000)
  assert.throws(() => log.decided(decisionOf('d'), 'spool'), code('audit/unavailable'))
  assert.match(lines[0]!, /lock of the record was taken away/)
  await log.close()
  assert.equal(readFileSync(join(folder.path, 'lock'), 'utf8'), '{}', 'the lock of the other stays')
})

test('a folder that can not be written is a clear error', async () => {
  using folder = temporary()
  writeFileSync(join(folder.path, 'file'), '')
  await assert.rejects(openTestLog(join(folder.path, 'file'), signer), code('audit/unavailable'))
})

/** Decisions enough for some files, a day of time apart. */
async function fill(log: AuditLog, clock: ManualClock, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await log.decided(decisionOf(`d${i}`, { policyVersion: `sha256:${Math.floor(i / 10)}` }), 'strict')
    clock.advance(3_600_000)
    await log.flush()
  }
}

test('retention removes old files by age and size, records that, and what remains verifies', async () => {
  for (const limits of [{ keepFor: 24 * 3_600_000 }, { keepAtMost: 12_000 }]) {
    using folder = temporary()
    const clock = new ManualClock()
    const anchor = join(folder.path, 'anchor')
    const dir = join(folder.path, 'audit')
    const log = await openTestLog(dir, signer, { clock, anchors: [anchor], options: { ...settings, segmentSize: 4096, ...limits } })
    await fill(log, clock, 60)
    for (let hours = 0; hours < 24 && (await log.cited()).has('sha256:0'); hours++) {
      clock.advance(3_600_000)
      await log.flush()
      // Retention works beside the log: it gets its turns before more time passes, or it would remove more than is meant here.
      for (let turn = 0; turn < 200 && (await log.cited()).has('sha256:0'); turn++)
        await new Promise((resolve) => void setImmediate(resolve))
    }
    const cited = await log.cited()
    await log.close()
    assert.ok(!cited.has('sha256:0') && cited.has('sha256:5'), [...cited].join())
    const events = recordsOf(dir).filter(({ event }) => event === 'audit-retention')
    assert.ok(events.length > 0)
    const result = await verify(dir, { keys: [signer.jwk], anchors: [anchor] })
    assert.ok(result.ok, result.problem?.text)
    assert.ok(result.first!.seq > 1)
    const files = readdirSync(dir)
      .filter((name) => name.endsWith('.jsonl'))
      .toSorted()
    assert.ok(files.length > 1)
    rmSync(join(dir, files[0]!))
    const cut = await verify(dir, { keys: [signer.jwk] })
    assert.equal(cut.problem?.looksLike, 'removed')
    assert.match(cut.problem.text, /no signed record says that retention removed them/)
  }
})

test('an anchor that fails is told, recorded and made up for; records go on', async () => {
  using folder = temporary()
  const clock = new ManualClock()
  const anchor = join(folder.path, 'elsewhere', 'anchor')
  const dir = join(folder.path, 'audit')
  const lines: string[] = []
  const log = await openTestLog(dir, signer, { clock, anchors: [anchor], onDegraded: (line) => void lines.push(line) })
  await until(() => lines.length > 0)
  assert.match(lines[0]!, /anchor .* fails \(ENOENT\)/)
  assert.equal(log.status().healthy, true)
  assert.match(log.status().reason!, /anchor/)
  await log.decided(decisionOf('d1'), 'strict')
  mkdirSync(join(folder.path, 'elsewhere'))
  appendFileSync(anchor, '{"torn')
  clock.advance(1000)
  await log.flush()
  await until(() => lines.length > 1)
  assert.match(lines[1]!, /works again/)
  await log.close()
  const events = recordsOf(dir).map(({ event }) => event)
  assert.ok(events.includes('audit-anchor-fails') && events.includes('audit-anchor-works'))
  const result = await verify(dir, { keys: [signer.jwk], anchors: [anchor] })
  assert.ok(result.ok, result.problem?.text)
  assert.equal(result.completeUpTo?.seq, result.last?.seq)
})

test('a signer that fails is told and does not stop records', async () => {
  using folder = temporary()
  const clock = new ManualClock()
  const lines: string[] = []
  let broken = true
  const failing = {
    kid: signer.kid,
    sign(bytes: Uint8Array) {
      if (broken) throw new Error('no key')
      return signer.sign(bytes)
    },
  }
  const log = await openTestLog(folder.path, failing, { clock, onDegraded: (line) => void lines.push(line) })
  await log.decided(decisionOf('d1'), 'strict')
  assert.match(lines[0]!, /can not be signed/)
  broken = false
  clock.advance(1000)
  await log.flush()
  await log.close()
  const result = await verify(folder.path, { keys: [signer.jwk] })
  assert.ok(result.ok && result.unsigned === 0)
})

test('a data directory verifies from its files alone, over a rotation of the key, with the anchors that it names', async () => {
  using folder = temporary()
  const clock = new ManualClock()
  const keyring = openKeyring({ dir: join(folder.path, 'keys'), clock })
  const first = keyring.jwks('checkpoint').keys
  const anchor = join(folder.path, 'anchor')
  const log = await openTestLog(join(folder.path, 'audit'), keyring.checkpoint, { clock, anchors: [anchor] })
  await log.decided(decisionOf('d1'), 'strict')
  log.rotated(keyring.rotate('checkpoint'))
  await log.decided(decisionOf('d2'), 'strict')
  clock.advance(1000)
  await log.flush()
  await log.close()
  for (const keys of [undefined, first]) {
    const result = await verifyDataDirectory(folder.path, { keys })
    assert.ok(result.ok, result.text)
    assert.equal(result.completeUpTo?.seq, result.last?.seq)
    assert.match(result.text, /^the record is whole: \d+ lines in 1 file/)
    assert.match(result.text, /complete up to record \d+ of .*, says the anchor/)
  }
  const without = await verifyDataDirectory(folder.path, { anchors: [] })
  assert.match(without.text, /without an anchor: complete up to record \d+ of .*, and a later cut can't be excluded/)
  await assert.rejects(verifyDataDirectory(join(folder.path, 'nowhere')), code('audit/unreadable'))
  rmSync(anchor)
  await assert.rejects(verifyDataDirectory(folder.path), code('audit/no-anchor'))
  const path = join(folder.path, 'audit', '0000000001.jsonl')
  writeFileSync(path, readFileSync(path, 'utf8').replace('"verdict":"allowed"', '"verdict":"denied"'))
  const altered = await verifyDataDirectory(folder.path, { anchors: [] })
  assert.match(altered.text, /^the record is NOT whole: record 5 was altered\n {2}first at 0000000001.jsonl:5, record 5; it looks altered/)
})

test('a key that says of itself that it follows is not believed', async () => {
  using folder = temporary()
  const log = await openTestLog(folder.path, testSigner('k2'))
  log.note({
    kind: 'key-rotated',
    time: 0,
    details: { purpose: 'checkpoint', kid: 'k2', previous: 'k1', x: testSigner().jwk.x, signature: 'AAAA' },
  })
  await log.close()
  const result = await verify(folder.path, { keys: [signer.jwk] })
  assert.match(result.problem!.text, /signed by a key that is not known/)
})

test('verification may run while records are written', async () => {
  using folder = temporary()
  const dir = join(folder.path, 'audit')
  const anchor = join(folder.path, 'anchor')
  const log = await openTestLog(dir, signer, { anchors: [anchor], options: { ...settings, segmentSize: 64 * 1024, checkpointEvery: 5 } })
  const stop = new AbortController()
  const writer = async (name: string): Promise<void> => {
    for (let number = 0; !stop.signal.aborted; number++) await log.decided(decisionOf(`${name}-${number}`), 'strict')
  }
  const writing = Promise.all(Array.from({ length: 5 }, (_, i) => writer(`w${i}`)))
  await until(() => existsSync(anchor))
  for (let i = 0; i < 10; i++) {
    const result = await verify(dir, { keys: [signer.jwk], anchors: [anchor] })
    assert.ok(result.ok, result.problem?.text ?? result.anchors[0]?.problem)
  }
  stop.abort()
  await writing
  await log.close()
  assert.ok((await verify(dir, { keys: [signer.jwk], anchors: [anchor] })).closed)
})

test('an open folder is closed to others', async () => {
  using folder = temporary()
  chmodSync(folder.path, 0o755)
  const log = await openTestLog(folder.path, signer)
  assert.equal(statSync(folder.path).mode & 0o777, 0o700)
  await log.close()
})

test('lines of any size are whole, also when they come together', async () => {
  using folder = temporary()
  const log = await openTestLog(folder.path, signer)
  const sizes = [1, 100, 70_000, 5, 300_000, 2000]
  for (const [i, size] of sizes.entries()) {
    log.note({
      kind: `e${i}`,
      time: 0,
      details: Object.fromEntries(Array.from({ length: Math.ceil(size / 4000) }, (_, n) => [`f${n}`, '€'.repeat(Math.min(size, 4000))])),
    })
    log.decided(decisionOf(`d${i}`, { policyVersion: `sha256:${'x'.repeat(Math.min(size, 4000))}${i}` }), 'spool')
  }
  await log.close()
  assert.ok((await verify(folder.path, { keys: [signer.jwk] })).closed)
  assert.deepEqual(
    recordsOf(folder.path).flatMap(({ event, id }) =>
      typeof event === 'string' && event !== 'audit-opened' ? [event] : id === undefined ? [] : [id],
    ),
    sizes.flatMap((_, i) => [`e${i}`, `d${i}`]),
  )
})
