import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { recordedEvent, Recordings, type Recorded } from '../audit/recordings/index.ts'
import { openTestLog, temporary, testSigner } from '../audit/testdata/record.ts'
import { ManualClock } from '../testing/clock.ts'
import { run } from './testing.ts'

let folder: ReturnType<typeof temporary>
const recorded: Recorded[] = []

before(async () => {
  folder = temporary()
  const clock = new ManualClock(Date.UTC(2026, 10, 22, 10))
  const log = await openTestLog(join(folder.path, 'audit'), testSigner(), { clock })
  const announce = (): Promise<void> => Promise.resolve()
  const recordings = new Recordings({ dir: join(folder.path, 'recordings'), clock, keepFor: 1e12, keepAtMost: 1e12, announce })
  for (const id of ['first', 'second']) {
    clock.advance(60_000)
    const recording = recordings.open(
      {
        id,
        resource: 'prod',
        principal: 'entra/tid/oid',
        operation: 'exec',
        place: 'shop/web-1/app',
        command: ['ls', '\u001b[31m'],
        terminal: true,
        input: false,
      },
      1e6,
      () => undefined,
    )
    recording.take({ kind: 'output', bytes: Buffer.from('\u001b]52;c;eA==\u0007hello\r\n') })
    clock.advance(65_000)
    recording.take({ kind: 'exit', exit: { code: 3, message: undefined } })
    recorded.push(await recording.finish())
    log.note(recordedEvent(recorded.at(-1)!, clock.now()))
  }
  await log.close()
})

after(() => folder[Symbol.dispose]())

const on = (...args: string[]): ReturnType<typeof run> => run(...args, '--data', folder.path)

test('list tells whose they are, the newest first', async () => {
  const { exit, out } = await on('recordings', 'list')
  assert.equal(exit, 0)
  const lines = out.trimEnd().split('\n')
  assert.match(lines[0]!, /^second  2026-11-22 10:03:05 {4}1:05  entra\/tid\/oid  prod  shop\/web-1\/app  ls '\?\[31m'$/)
  assert.match(lines[1]!, /^first /)
  const [one] = (await on('--json', 'recordings', 'list', '-n', '1')).out.trimEnd().split('\n')
  assert.equal((JSON.parse(one!) as { exit: number }).exit, 3)
})

test('show tells what it is of, and that it is whole', async () => {
  const { exit, out } = await on('recordings', 'show', 'first')
  assert.equal(exit, 0)
  assert.match(out, /^who {7}entra\/tid\/oid$/m)
  assert.match(out, /^what {6}exec ls '\?\[31m'$/m)
  assert.match(out, /^ended {5}exit code 3$/m)
  assert.match(out, /^record {4}whole: /m)
})

test('play leaves out what could harm, unless asked', async () => {
  for (const group of ['recordings', 'sessions']) {
    const { exit, out, err } = await on(group, 'play', 'first', '--instant')
    assert.equal(exit, 0)
    assert.ok(out.startsWith('hello\r\n\u001b(B'), JSON.stringify(out))
    assert.match(err, /exit code 3, after 1:05/)
  }
  assert.equal((await on('recordings', 'play', 'first', '--instant', '--raw')).out, '\u001b]52;c;eA==\u0007hello\r\n')
  assert.equal((await on('recordings', 'play', 'first', '--instant', '--text')).out, '␛]52;c;eA==␇hello\n')
  assert.match((await on('--json', 'recordings', 'play', 'first')).out, /"kind":"event","at":0,"code":"o"/)
  const file = join(folder.path, 'recordings', recorded[0]!.file)
  assert.equal((await run('recordings', 'play', file, '--instant', '--text')).out, '␛]52;c;eA==␇hello\n')
})

test('verify finds what was altered', async () => {
  assert.deepEqual((await on('recordings', 'verify')).out, '2 whole, 0 altered, 0 missing, 0 removed, 0 unvouched\n')
  const file = join(folder.path, 'recordings', recorded[1]!.file)
  const before = readFileSync(file)
  writeFileSync(file, before.toString().replace('hello', 'holla'))
  const all = await on('recordings', 'verify')
  assert.equal(all.exit, 1)
  assert.match(all.out, /^second {2}ALTERED: /)
  assert.equal((await on('recordings', 'verify', 'first')).exit, 0)
  assert.equal((await on('recordings', 'show', 'second')).exit, 1)
  writeFileSync(file, before)
})

test('what there is not is said', async () => {
  const none = await on('recordings', 'play', 'third')
  assert.equal(none.exit, 66)
  assert.match(none.err, /there is no recording of the decision `third`/)
  assert.equal((await on('recordings', 'verify', 'third')).exit, 66)
  assert.equal((await run('recordings', 'list', '--data', join(folder.path, 'audit'))).exit, 1)
  assert.equal((await on('recordings', 'play', 'first', '--speed', '0')).exit, 2)
  assert.match((await run('recordings', 'play', join(folder.path, 'nothing.cast'))).err, /can not be read \(ENOENT\)/)
})
