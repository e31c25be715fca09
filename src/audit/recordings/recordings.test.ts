import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { OstiaryError } from '../../core/errors.ts'
import { idMaker } from '../../core/id.ts'
import type { GatewayEvent } from '../../core/record.ts'
import { ManualClock, seededEntropy } from '../../testing/clock.ts'
import { runs } from '../../testing/runs.ts'
import { character } from '../../testing/text.ts'
import { FaultyDisk } from '../testdata/disk.ts'
import { openTestLog, temporary, testSigner } from '../testdata/record.ts'
import { readRecording, recordedEvent, Recordings, verifyRecordings, type CastHeader, type Recorded, type Recording } from './index.ts'

const MINE: Omit<CastHeader, 'id'> = {
  resource: 'prod',
  principal: 'entra/tid/oid',
  operation: 'exec',
  place: 'shop/web-1/app',
  command: ['sh', '-c', "echo 'hi'"],
  terminal: true,
  input: true,
}

interface Keeping {
  readonly keepFor?: number
  readonly keepAtMost?: number
  readonly announce?: (event: GatewayEvent) => Promise<void>
}

function setUp(dir: string, { keepFor = 90 * 86_400_000, keepAtMost = 1e9, announce = () => Promise.resolve() }: Keeping = {}) {
  const clock = new ManualClock(Date.UTC(2026, 10, 22, 23, 59, 59))
  const disk = new FaultyDisk()
  const newId = idMaker(clock, seededEntropy())
  const failed: string[] = []
  const recordings = new Recordings({ dir, clock, keepFor, keepAtMost, disk, announce })
  const open = (more: Partial<CastHeader> = {}, limit = 1e6): Recording =>
    recordings.open({ ...MINE, id: newId(), ...more }, limit, (error) => void failed.push(error.code))
  return { clock, disk, newId, failed, recordings, open }
}

const bytes = (text: string): Uint8Array => Buffer.from(text)
const lines = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)

test('a session as asciicast v2', async () => {
  using folder = temporary()
  const { clock, open } = setUp(folder.path)
  const recording = open({ id: 'abc' })
  recording.take({ kind: 'resize', columns: 0, rows: 0 })
  recording.take({ kind: 'resize', columns: 120, rows: 40 })
  clock.advance(100)
  recording.take({ kind: 'output', bytes: bytes('$ ') })
  recording.take({ kind: 'input', bytes: bytes('ls\r') })
  clock.advance(500)
  recording.take({ kind: 'output', bytes: bytes('ls\r\n') })
  clock.advance(1000)
  recording.take({ kind: 'error-output', bytes: bytes('no\u0000 such \u2028"file"\r\n') })
  recording.take({ kind: 'resize', columns: 100, rows: 30 })
  recording.take({ kind: 'input-ended' })
  recording.mark('access has ended')
  recording.take({ kind: 'exit', exit: { code: 7, message: 'command terminated with exit code 7' } })
  const recorded = await recording.finish()
  assert.equal(recorded.file, join('2026', '11', '22', 'abc.cast'))
  const path = join(folder.path, recorded.file)
  assert.deepEqual(lines(path), [
    {
      version: 2,
      width: 120,
      height: 40,
      timestamp: Date.UTC(2026, 10, 22, 23, 59, 59) / 1000,
      title: 'abc',
      command: String.raw`sh -c 'echo '\''hi'\'''`,
      env: { TERM: 'xterm' },
      ostiary: { resource: 'prod', principal: 'entra/tid/oid', operation: 'exec', place: 'shop/web-1/app', terminal: true, input: true },
    },
    [0.1, 'o', '$ '],
    [0.6, 'o', 'ls\r\n'],
    [0.6, 'i', 'ls\r'],
    [1.6, 'e', ''],
    [1.6, 'o', 'no\u0000 such \u2028"file"\r\n'],
    [1.6, 'r', '100x30'],
    [1.6, 'm', 'access has ended'],
    [1.6, 'x', '7'],
    [1.6, 'm', 'command terminated with exit code 7'],
  ])
  const info = statSync(path)
  assert.equal(info.mode & 0o777, 0o600)
  assert.deepEqual([recorded.bytes, recorded.exit, recorded.duration, recorded.output, recorded.input], [info.size, 7, 1600, 26, 3])
  assert.equal(statSync(join(folder.path, '2026')).mode & 0o777, 0o700)
})

test('input only where it is asked for, though it is counted', async () => {
  using folder = temporary()
  const { open } = setUp(folder.path)
  const recording = open({ input: false, terminal: false })
  recording.take({ kind: 'input', bytes: bytes('a secret') })
  const recorded = await recording.finish()
  assert.equal(recorded.input, 8)
  assert.equal(recorded.exit, undefined)
  assert.equal(lines(join(folder.path, recorded.file)).length, 1)
})

test('any bytes in any pieces: lines of JSON that hold the text that they are', async () => {
  using folder = temporary()
  const { open } = setUp(folder.path)
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.string({ unit: character, maxLength: 8 }).map((text) => new Uint8Array(Buffer.from(text))),
    fc.constantFrom(
      Uint8Array.of(0xe2),
      Uint8Array.of(0x82),
      Uint8Array.of(0xac),
      Uint8Array.of(0xed, 0xa0, 0x80),
      bytes('\ufeff'),
      bytes('\n'),
      bytes('\u2028"'),
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const recording = open()
      for (const one of pieces) {
        const view = Uint8Array.from(one)
        recording.take({ kind: 'output', bytes: view })
        view.fill(0)
      }
      const { file, sha256 } = await recording.finish()
      const [, ...events] = lines(join(folder.path, file)) as [unknown, ...[number, string, string][]]
      const expected = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(pieces))
      assert.equal(events.map(([, , text]) => text).join(''), expected)
      assert.match(sha256, /^[0-9a-f]{64}$/)
    }),
    { numRuns: runs(100) },
  )
})

test('a gateway that is killed leaves what happened up to half a second before', () => {
  using folder = temporary()
  const { clock, open } = setUp(folder.path)
  const recording = open({ id: 'killed' })
  const path = join(folder.path, '2026', '11', '22', 'killed.cast')
  clock.advance(500)
  assert.equal(lines(path).length, 1, 'what it is about is there though nothing has happened')
  recording.take({ kind: 'output', bytes: bytes('one\n') })
  clock.advance(499)
  assert.equal(lines(path).length, 1)
  clock.advance(1)
  recording.take({ kind: 'output', bytes: bytes('two') })
  assert.deepEqual(lines(path).slice(1), [[0.5, 'o', 'one\n']])
})

test('what looks like a secret is left out, and everything else is told when it came', async () => {
  using folder = temporary()
  const { clock, open } = setUp(folder.path)
  const recording = open({ id: 'redacted', command: ['mysql', '-psecret'] })
  const token = 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpIn0.c2lnbmF0dXJl'
  const step = (kind: 'input' | 'output', text: string): void => {
    clock.advance(1000)
    recording.take({ kind, bytes: bytes(text) })
  }
  step('output', 'wor')
  step('output', 'd ')
  step('output', token.slice(0, 20))
  step('output', `${token.slice(20)}\r\nPassword: `)
  step('input', 'hunt')
  step('input', 'er2\r')
  step('output', '\r\nend')
  clock.advance(1000)
  recording.take({ kind: 'exit', exit: { code: 1, message: `no such thing as ${token}` } })
  const { file, redacted, bytes: size, sha256, output } = await recording.finish()
  const path = join(folder.path, file)
  assert.deepEqual(lines(path).slice(1), [
    [1, 'o', 'wor'],
    [2, 'o', 'd '],
    [3, 'o', '‹redacted›'],
    [4, 'o', '\r\nPassword: '],
    [7, 'o', '\r\n'],
    [7, 'i', '‹redacted›'],
    [7, 'i', '\r'],
    [7, 'o', 'end'],
    [8, 'x', '1'],
    [8, 'm', 'no such thing as ‹redacted›'],
  ])
  assert.equal((lines(path)[0] as { command: string }).command, "mysql '-p‹redacted›'")
  assert.equal(redacted, 2)
  // What is counted is what passed.
  assert.equal(output, 'word \r\nPassword: \r\nend'.length + token.length)
  // The record vouches for the file as it is.
  assert.deepEqual([statSync(path).size, createHash('sha256').update(readFileSync(path)).digest('hex')], [size, sha256])
})

test('input of no terminal is kept, but for what looks like a secret', async () => {
  using folder = temporary()
  const { open } = setUp(folder.path)
  const recording = open({ id: 'piped', terminal: false })
  recording.take({ kind: 'input', bytes: bytes('echo a; export DB_PASSWORD=x\n') })
  const { file } = await recording.finish()
  assert.deepEqual(lines(join(folder.path, file)).slice(1), [[0, 'i', 'echo a; export DB_PASSWORD=‹redacted›\n']])
})

test('much at once is written at once', () => {
  using folder = temporary()
  const { open } = setUp(folder.path)
  const recording = open({ id: 'much' })
  recording.take({ kind: 'output', bytes: new Uint8Array(70_000).fill(65) })
  assert.equal(lines(join(folder.path, '2026', '11', '22', 'much.cast')).length, 2)
})

test('a disk that is full is told once, and nothing is recorded from then on', async () => {
  using folder = temporary()
  const { clock, disk, failed, open } = setUp(folder.path)
  const recording = open({ id: 'full' })
  clock.advance(500)
  disk.room = 10
  recording.take({ kind: 'output', bytes: bytes('one\n') })
  assert.deepEqual(failed, [])
  clock.advance(500)
  assert.deepEqual(failed, ['recordings/unwritable'])
  assert.equal(recording.failure?.message, 'this session can not be recorded (ENOSPC)')
  disk.room = Number.POSITIVE_INFINITY
  recording.take({ kind: 'output', bytes: bytes('two') })
  clock.advance(500)
  await assert.rejects(recording.finish(), { code: 'recordings/unwritable' })
  assert.deepEqual(failed, ['recordings/unwritable'])
  // The beginning that is there can be read.
  const read = []
  for await (const line of readRecording(join(folder.path, '2026', '11', '22', 'full.cast'))) read.push(line.kind)
  assert.deepEqual(read, ['header', 'torn'])
})

test('a folder that can not be written begins no recording', () => {
  using folder = temporary()
  writeFileSync(join(folder.path, '2026'), '')
  const { open } = setUp(folder.path)
  assert.throws(() => open(), { code: 'recordings/unwritable', message: 'this session can not be recorded (ENOTDIR)' })
})

test('the same decision is never recorded over another, nor outside of the folder', () => {
  using folder = temporary()
  const { open } = setUp(folder.path)
  open({ id: 'twice' })
  assert.throws(() => open({ id: 'twice' }), { message: /EEXIST/ })
  for (const id of ['../../x', '', 'a/b', 'A', 'a.b']) assert.throws(() => open({ id }), { message: /no decision id/ }, id)
})

test('one that becomes too long is told, ends with a mark, and never exceeds its limit', async () => {
  using folder = temporary()
  const { failed, open } = setUp(folder.path)
  const recording = open({ id: 'long' }, 100_000)
  for (let i = 0; i < 50; i++) recording.take({ kind: 'output', bytes: new Uint8Array(4000).fill(27) })
  assert.deepEqual(failed, ['recordings/too-long'])
  const recorded = await recording.finish()
  assert.equal(recorded.complete, false)
  assert.equal(
    recorded.sha256,
    createHash('sha256')
      .update(readFileSync(join(folder.path, recorded.file)))
      .digest('hex'),
  )
  const path = join(folder.path, '2026', '11', '22', 'long.cast')
  assert.ok(statSync(path).size <= 100_000)
  assert.deepEqual((lines(path).at(-1) as unknown[]).slice(1), ['m', 'the recording has become too long'])
})

test('what is not known to be on the disk is not vouched for', async () => {
  using folder = temporary()
  const { disk, failed, open } = setUp(folder.path)
  const recording = open()
  disk.failSync = 'EIO'
  await assert.rejects(recording.finish(), { message: 'this session can not be recorded (EIO)' })
  assert.deepEqual(failed, ['recordings/unwritable'])
})

test('who closes waits for what is being ended, so that the record can still vouch for it', async () => {
  using folder = temporary()
  const { disk, open, recordings } = setUp(folder.path)
  let release = (): void => undefined
  disk.hold = new Promise((resolve) => (release = resolve))
  const said: string[] = []
  void open()
    .finish()
    .then(() => said.push('vouched'))
  const closed = recordings.close().then(() => said.push('closed'))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(said, [])
  release()
  await closed
  assert.deepEqual(said, ['vouched', 'closed'])
})

test('whatever it is made of, none exceeds its limit', async () => {
  using folder = temporary()
  const { clock, open } = setUp(folder.path)
  for (let size = 3200; size < 3300; size += 5) {
    const recording = open({}, 20_000)
    for (let i = 0; i < 10; i++) {
      recording.take({ kind: 'output', bytes: new Uint8Array(size).fill(65) })
      clock.advance(500)
    }
    const { file, complete } = await recording.finish()
    assert.equal(complete, false)
    assert.ok(statSync(join(folder.path, file)).size <= 20_000, `in pieces of ${size}`)
  }
})

async function recorded(recording: Recording, text: string): Promise<Recorded> {
  recording.take({ kind: 'output', bytes: bytes(text) })
  return recording.finish()
}

test('what is too old goes, the oldest first, once that is in the record', async () => {
  using folder = temporary()
  const announced: GatewayEvent[] = []
  let works = false
  const announce = (event: GatewayEvent): Promise<void> => {
    announced.push(event)
    return works ? Promise.resolve() : Promise.reject(new Error('not now'))
  }
  const { clock, open, recordings } = setUp(folder.path, { keepFor: 2 * 86_400_000, announce })
  const first = await recorded(open(), 'one')
  const running = open()
  clock.advance(86_400_000)
  const second = await recorded(open(), 'two')
  await recordings.close()
  assert.equal(announced.length, 0)
  clock.advance(2 * 86_400_000)
  await recordings.retain()
  assert.ok(existsSync(join(folder.path, first.file)), 'what can not be announced stays')
  works = true
  await recordings.retain()
  assert.deepEqual(announced.at(-1)!.details, { recordings: 1, bytes: first.bytes, first: first.id, last: first.id })
  assert.ok(!existsSync(join(folder.path, first.file)))
  assert.ok(existsSync(join(folder.path, second.file)))
  await running.finish()
  await recordings.retain()
  assert.deepEqual(readdirSync(join(folder.path, '2026', '11')), ['23'], 'no empty folder stays')
})

test('what is too old goes by itself, also where nothing new is recorded', async () => {
  using folder = temporary()
  const { clock, open, recordings } = setUp(folder.path, { keepFor: 86_400_000 })
  const { file } = await recorded(open(), 'one')
  clock.advance(60_000)
  await recordings.close()
  assert.ok(existsSync(join(folder.path, file)))
  const later = setUp(folder.path, { keepFor: 86_400_000 })
  later.clock.advance(3 * 86_400_000)
  await later.recordings.close()
  assert.ok(!existsSync(join(folder.path, file)))
})

test('what is too much goes, the oldest first', async () => {
  using folder = temporary()
  const { open, recordings } = setUp(folder.path, { keepAtMost: 200_000 })
  const all: Recorded[] = []
  for (let i = 0; i < 6; i++) {
    all.push(await recorded(open(), 'x'.repeat(60_000)))
    await recordings.retain()
  }
  const left = all.map(({ file }) => existsSync(join(folder.path, file)))
  assert.deepEqual(left, [false, false, false, true, true, true])
})

test('the record vouches for recordings: altered, missing and foreign ones are told apart', async () => {
  using folder = temporary()
  const log = await openTestLog(join(folder.path, 'audit'), testSigner(), { clock: new ManualClock() })
  const dir = join(folder.path, 'recordings')
  const { clock, open, newId, recordings } = setUp(dir, { keepFor: 86_400_000, announce: (event) => log.noteDurably(event) })
  const old = await recorded(open(), 'old')
  log.note(recordedEvent(old, clock.now()))
  clock.advance(4 * 86_400_000)
  const all: Recorded[] = []
  for (const text of ['whole', 'altered', 'longer', 'missing']) {
    clock.advance(1)
    all.push(await recorded(open(), text))
    log.note(recordedEvent(all.at(-1)!, clock.now()))
  }
  clock.advance(1)
  const running = newId()
  open({ id: running })
  clock.advance(500)
  await recordings.retain()
  const at = (index: number): string => join(dir, all[index]!.file)
  writeFileSync(at(1), readFileSync(at(1), 'utf8').replace('altered', 'beautyf'))
  // Nobody vouches for another file later on.
  const forged = createHash('sha256')
    .update(readFileSync(at(1)))
    .digest('hex')
  log.note(recordedEvent({ ...all[1]!, sha256: forged }, clock.now()))
  appendFileSync(at(2), '[9.0,"o","more"]\n')
  rmSync(at(3))
  mkdirSync(join(dir, '2026', '11', '01'), { recursive: true })
  writeFileSync(join(dir, '2026', '11', '01', 'foreign.cast'), '')
  await log.flush()
  const states = new Map<string, string>()
  for await (const { id, state } of verifyRecordings(folder.path)) states.set(id, state)
  assert.deepEqual(
    states,
    new Map([
      ['foreign', 'unvouched'],
      [running, 'unvouched'],
      [all[3]!.id, 'missing'],
      [all[2]!.id, 'altered'],
      [all[1]!.id, 'altered'],
      [all[0]!.id, 'whole'],
      [old.id, 'removed'],
    ]),
  )
  const one = []
  for await (const verdict of verifyRecordings(folder.path, all[1]!.id)) one.push(verdict.state)
  assert.deepEqual(one, ['altered'])
  await log.close()
})

test('a file of the same name beside the one that is vouched for is nobody’s, and hides nothing', async () => {
  using folder = temporary()
  const log = await openTestLog(join(folder.path, 'audit'), testSigner(), { clock: new ManualClock() })
  const dir = join(folder.path, 'recordings')
  const { clock, open } = setUp(dir)
  const one = await recorded(open(), 'one')
  log.note(recordedEvent(one, clock.now()))
  await log.flush()
  const name = `${one.id}.cast`
  for (const day of ['21', '23']) {
    mkdirSync(join(dir, '2026', '11', day), { recursive: true })
    writeFileSync(join(dir, '2026', '11', day, name), '{"version":2,"width":80,"height":24}\n')
  }
  const states = async (): Promise<readonly string[]> => {
    const all = []
    for await (const { file, state } of verifyRecordings(folder.path)) all.push(`${file.slice(8, 10)} ${state}`)
    return all
  }
  assert.deepEqual(await states(), ['23 unvouched', '22 whole', '21 unvouched'])
  rmSync(join(dir, one.file))
  assert.deepEqual(await states(), ['23 unvouched', '21 unvouched', '22 missing'])
  await log.close()
})

test('one that was open when others were removed is missing when it goes later', async () => {
  using folder = temporary()
  const log = await openTestLog(join(folder.path, 'audit'), testSigner(), { clock: new ManualClock() })
  const dir = join(folder.path, 'recordings')
  const { clock, open, recordings } = setUp(dir, { keepFor: 86_400_000, announce: (event) => log.noteDurably(event) })
  const long = open()
  clock.advance(1)
  const short = await recorded(open(), 'short')
  log.note(recordedEvent(short, clock.now()))
  clock.advance(4 * 86_400_000)
  await recordings.retain()
  const ended = await recorded(long, 'long')
  log.note(recordedEvent(ended, clock.now()))
  await log.flush()
  rmSync(join(dir, ended.file))
  const states = []
  for await (const { id, state } of verifyRecordings(folder.path)) states.push([id, state])
  assert.deepEqual(states, [
    [short.id, 'removed'],
    [ended.id, 'missing'],
  ])
  await log.close()
})

test('any file: read as far as it is a recording, or refused in words', async () => {
  using folder = temporary()
  const path = join(folder.path, 'any.cast')
  const head = '{"version":2,"width":80,"height":24}\n'
  const line = fc.oneof(
    fc.constantFrom(
      '[1,"o","x"]',
      '[1e999,"o","x"]',
      '[-1,"o","x"]',
      '[1,"o"]',
      '[1,2,3]',
      '{}',
      'null',
      '[1,"o","x",4]',
      '['.repeat(2000),
    ),
    fc.json(),
    fc.string(),
  )
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(line, { maxLength: 6 }), async (headed, content) => {
      writeFileSync(path, `${headed ? head : ''}${content.join('\n')}`)
      try {
        for await (const read of readRecording(path)) if (read.kind === 'event') assert.ok(read.at >= 0 && Number.isFinite(read.at))
      } catch (error) {
        assert.equal((error as OstiaryError).code, 'recordings/unreadable')
        assert.ok(!headed)
      }
    }),
    { numRuns: runs(150) },
  )
})
