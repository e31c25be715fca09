import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock, type Clock } from '../../core/clock.ts'
import { OstiaryError, type Code } from '../../core/errors.ts'
import { atOnce } from '../../core/gradual.ts'
import { PolicyVersions } from '../../audit/index.ts'
import { readSources } from '../../config/load.ts'
import { unpackingPolicy } from '../../policy/index.ts'
import { ManualClock } from '../../testing/clock.ts'
import { compile } from '../configuration.ts'
import { Candidate, candidateLimits, type CandidateLimits } from './candidate.ts'
import { readFirst } from './first.ts'
import { packSources, unpackSources, type Question } from './messages.ts'

const NOW = Date.UTC(2026, 2, 2, 12)
const demo = join(import.meta.dirname, '../../../examples/demo')
const LIMITS = { time: 60_000, memory: 1024 }

function temporary(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'ostiary-candidate-'))
  cpSync(demo, join(path, 'demo'), { recursive: true })
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

function candidate(
  path: string,
  more: Partial<Question> = {},
  limits: CandidateLimits = LIMITS,
  clock: Clock = systemClock,
  reader?: string,
) {
  const before = packSources(readSources(demo))
  const question = { folder: join(path, 'demo'), environment: undefined, sources: undefined, now: NOW, running: 'sha256:none', before }
  const made = new Candidate({ ...question, versions: join(path, 'versions'), ...more }, clock, limits, reader)
  return Object.assign(made, { [Symbol.asyncDispose]: () => made.end() })
}

/** A program in place of the one that reads. */
function program(folder: string, text: string): string {
  const file = join(folder, `program-${readdirSync(folder).length}.mjs`)
  writeFileSync(file, text)
  return file
}

const failsWith = (code: Code, says: RegExp) => (error: unknown) =>
  error instanceof OstiaryError && error.code === code && says.test(error.message)

test('what was compiled in another process is the same version with the same findings, and is kept when it is to be', async () => {
  using dir = temporary()
  await using one = candidate(dir.path)
  const answer = await one.answer
  const here = compile(join(dir.path, 'demo'), readSources(join(dir.path, 'demo')), NOW)
  assert.ok(answer.kind === 'ready')
  const policy = atOnce(unpackingPolicy(answer.policy, []))
  assert.equal(policy.version, here.policy?.version)
  assert.deepEqual(answer.diagnostics, here.diagnostics)
  assert.deepEqual(answer.wiring, structuredClone(here.wiring))
  assert.deepEqual(policy.rules, here.policy?.rules)
  assert.deepEqual(unpackSources(answer.sources), JSON.parse(JSON.stringify(here.sources)))
  const versions = new PolicyVersions(join(dir.path, 'versions'))
  assert.deepEqual(versions.list(), [])
  await one.keep()
  assert.equal(versions.last()?.version, policy.version)
  assert.deepEqual(versions.last()?.sources.policy, here.sources.policy)
})

test('sources that were read before are read again without the folder; what runs already is not handed over', async () => {
  using dir = temporary()
  const sources = readSources(demo)
  const { policy } = compile(demo, sources, NOW)
  await using one = candidate(dir.path, { folder: '/nowhere', sources: packSources(sources), running: policy!.version })
  assert.deepEqual(await one.answer, { kind: 'same', version: policy!.version, documents: [], diagnostics: [] })
})

test('all of many findings are told, as they are here', async () => {
  using dir = temporary()
  const rules = Array.from({ length: 300 }, (_, i) => `  - { id: more-${i}, role: nobody-${i}, resource: orders, actions: ['GET /more'] }`)
  writeFileSync(join(dir.path, 'demo/policy/more.yaml'), `apiVersion: ostiary.dev/v1\nrules:\n${rules.join('\n')}\n`)
  await using one = candidate(dir.path)
  const answer = await one.answer
  assert.equal(answer.kind, 'refused')
  assert.equal(answer.diagnostics.length, 300)
  const { diagnostics } = compile(join(dir.path, 'demo'), readSources(join(dir.path, 'demo')), NOW)
  assert.deepEqual(answer.diagnostics, structuredClone(diagnostics))
})

test('a folder that can not be read says why', async () => {
  using dir = temporary()
  await using one = candidate(dir.path, { folder: join(dir.path, 'away') })
  const answer = await one.answer
  assert.ok(answer.kind === 'unreadable')
  assert.match(answer.message, /away\/ostiary\.yaml/)
})

test('whoever reads has a lower priority than decisions, with all its threads', { skip: process.platform !== 'linux' }, async () => {
  using dir = temporary()
  await using one = candidate(dir.path)
  assert.equal((await one.answer).kind, 'ready')
  const readers = childrenOf(process.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('candidate/reader'))
  const priorities = readers.flatMap((pid) => readdirSync(`/proc/${pid}/task`).map((thread) => getPriority(Number(thread))))
  assert.ok(priorities.length > 1)
  assert.ok(
    priorities.every((priority) => priority >= 5),
    priorities.join(),
  )
})

function childrenOf(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
      .split(' ')
      .filter((child) => child !== ''),
  )
}

test('what can not be kept says why', async () => {
  using dir = temporary()
  writeFileSync(join(dir.path, 'versions'), 'a file in its place')
  await using one = candidate(dir.path)
  assert.equal((await one.answer).kind, 'ready')
  await assert.rejects(one.keep(), /EEXIST|ENOTDIR/)
})

test('what a version changes is told of it and of the one in force, also after it was handed over and kept', async () => {
  using dir = temporary()
  const file = join(dir.path, 'demo/policy/orders.yaml')
  const text = readFileSync(file, 'utf8')
  writeFileSync(
    file,
    text.replace(
      'role: [publisher, admin], resource: orders, actions: [POST /orders]',
      'role: [publisher, admin, reader], resource: orders, actions: [POST /orders]',
    ),
  )
  await using one = candidate(dir.path)
  const answer = await one.answer
  assert.ok(answer.kind === 'ready')
  await one.keep()
  const counts = { widens: true, gained: 1, lost: 0, different: 0, notProven: 0, cells: 1 }
  const lines = ['gained: holders of `reader` on orders: deny → allow: POST /orders']
  assert.deepEqual(await one.compare(), { from: 'sha256:none', to: answer.policy.version, ...counts, lines })
})

test('what can not be told of a change is not proven, and counts as widening', async () => {
  using dir = temporary()
  writeFileSync(
    join(dir.path, 'demo/policy/orders.yaml'),
    `${readFileSync(join(dir.path, 'demo/policy/orders.yaml'), 'utf8')}\n# another\n`,
  )
  const open = (to: string, why: string) => {
    const counts = { gained: 0, lost: 0, different: 0, notProven: 1, cells: 0 }
    return { from: 'sha256:none', to, widens: true, ...counts, lines: [`not proven: ${why}`] }
  }
  const clock = new ManualClock()
  await using slow = candidate(dir.path, {}, LIMITS, clock)
  const answer = await slow.answer
  assert.ok(answer.kind === 'ready')
  const { version } = answer.policy
  const late = slow.compare()
  clock.advance(LIMITS.time)
  assert.deepEqual(await late, open(version, 'comparing it took longer than 60 s'))

  const sources = readSources(demo)
  await using other = candidate(dir.path, { before: packSources({ ...sources, policy: [{ path: 'policy/x.yaml', text: 'rules: 1' }] }) })
  await other.answer
  assert.deepEqual(await other.compare(), open(version, 'the version in force can not be read again'))
  await using broken = candidate(dir.path, { before: new Uint8Array(1) })
  await broken.answer
  assert.match((await broken.compare()).lines.join('\n'), /^not proven: .*JSON/)
  const falling = `process.on('message', ({ kind }) => kind === 'compare' && process.exit(3))
    process.send({ kind: 'ready', version: '${version}', documents: [] })`
  await using fallen = candidate(dir.path, {}, LIMITS, clock, program(dir.path, falling))
  await fallen.answer
  assert.deepEqual(await fallen.compare(), open(version, 'comparing it ended before its time (exit code 3)'))
  const ending = candidate(dir.path)
  await ending.answer
  const never = ending.compare()
  await ending.end('another change came')
  assert.deepEqual(await never, open(version, 'another change came'))
  assert.deepEqual(await ending.compare(), open(version, 'the gateway ends'))
})

test('whatever reading costs is bounded, and whatever happens to the process is told', async () => {
  using dir = temporary()
  await using large = candidate(dir.path, {}, { ...LIMITS, memory: 8 })
  await assert.rejects(large.answer, failsWith('server/reload-memory', /more than 8 MiB/))

  const clock = new ManualClock()
  await using slow = candidate(dir.path, {}, LIMITS, clock, program(dir.path, 'for (;;);'))
  clock.advance(LIMITS.time - 1)
  clock.advance(1)
  await assert.rejects(slow.answer, failsWith('server/reload-time', /longer than 60 s/))

  await using broken = candidate(dir.path, {}, LIMITS, clock, program(dir.path, 'throw new Error("a fault")'))
  await assert.rejects(broken.answer, failsWith('server/reload-ended', /a fault/))
  await using gone = candidate(dir.path, {}, LIMITS, clock, program(dir.path, 'process.exit(3)'))
  await assert.rejects(gone.answer, failsWith('server/reload-ended', /exit code 3/))
})

test('one that is ended answers nothing, and leaves nothing half-written', async () => {
  using dir = temporary()
  const reading = candidate(dir.path)
  await reading.end()
  await assert.rejects(reading.answer, failsWith('server/reload-ended', /the gateway ends/))
  await assert.rejects(reading.keep(), failsWith('server/reload-ended', /the gateway ends/))
  const keeping = candidate(dir.path)
  await keeping.answer
  const kept = keeping.keep()
  await keeping.end()
  await kept
  assert.deepEqual(
    readdirSync(join(dir.path, 'versions')).filter((name) => name.startsWith('.')),
    [],
  )
  assert.notEqual(new PolicyVersions(join(dir.path, 'versions')).last(), undefined)
})

test('half of the memory is what may be used', () => {
  const { memory, time } = candidateLimits()
  assert.ok(memory >= 256 && memory <= 4096)
  assert.equal(time, 300_000)
})

test('a gateway begins with the same policy wherever it was read', async () => {
  using dir = temporary()
  const folder = join(dir.path, 'demo')
  const sources = readSources(folder)
  const clock = new ManualClock(NOW)
  const [here, apart] = await Promise.all([readFirst(folder, sources, clock, LIMITS), readFirst(folder, sources, clock, LIMITS, 0)])
  assert.equal(apart.policy?.version, here.policy?.version)
  assert.deepEqual(apart.policy?.rules, here.policy?.rules)
  assert.deepEqual(apart.wiring, structuredClone(here.wiring))
  // What another process has no memory for is read here; what is wrong is refused with the same findings.
  const fallen = await readFirst(folder, sources, clock, { ...LIMITS, memory: 8 }, 0)
  assert.equal(fallen.policy?.version, here.policy?.version)
  const wrong = { ...sources, policy: [...sources.policy, { path: 'policy/x.yaml', text: 'rules: 1' }] }
  const [refused, refusedApart] = await Promise.all([readFirst(folder, wrong, clock, LIMITS), readFirst(folder, wrong, clock, LIMITS, 0)])
  assert.equal(refusedApart.policy, undefined)
  assert.ok(refused.diagnostics.length > 0)
  assert.deepEqual(refusedApart.diagnostics, refused.diagnostics)
})
