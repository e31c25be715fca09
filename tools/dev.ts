/** The developer's commands behind `npm test`, `npm run check`, `npm run load`, `npm run format` and `npm pack`. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '..')
process.chdir(root)

function packageFolder(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
}

function run(label: string, file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): boolean {
  process.stdout.write(`\n— ${label}\n`)
  const { status, signal, error } = spawnSync(file, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  if (error !== undefined) process.stdout.write(`${label}: ${error.message}\n`)
  if (status !== 0) process.stdout.write(`${label}: failed${signal === null ? '' : ` (${signal})`}\n`)
  return status === 0
}

const node = process.execPath
const FOLDERS = ['src', 'test', 'tools', 'console']

function check(): boolean {
  const linter = join(packageFolder('oxlint'), 'bin/oxlint')
  const formatter = join(packageFolder('oxfmt'), 'bin/oxfmt')
  const compiler = join(packageFolder('typescript'), 'bin/tsc')
  const results = [
    run('types', node, [compiler, '-p', '.']),
    run('types of the console', node, [compiler, '-p', 'console']),
    run('lint', node, [linter, '--type-aware', ...FOLDERS]),
    run('format', node, [formatter, '--check', ...FOLDERS, 'bin']),
  ]
  return results.every(Boolean)
}

/** Tests that start gateways or a server of their own beside them, and all others. Many run in one process, because starting one per file costs more than most files do. */
const SERVERS = ['test/e2e/*.test.ts', 'test/corpus/{http,tokens,threats}/**/*.test.ts']
const ALL = ['src/**/*.test.ts', 'tools/**/*.test.ts', 'test/{corpus,property,differential,e2e}/**/*.test.ts']

function testFiles(): { readonly servers: readonly string[]; readonly others: readonly string[] } {
  const servers = globSync(SERVERS)
  return { servers, others: globSync(ALL).filter((file) => !servers.includes(file)) }
}

const COVERAGE = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**/*.ts',
  '--test-coverage-exclude=src/**/*.test.ts',
  '--test-coverage-exclude=src/testing/**',
  '--test-coverage-exclude=src/envoy/messages/**',
  '--test-coverage-lines=80',
]

function testing(
  files: readonly string[],
  options: readonly string[] = [],
): { readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv } {
  const plain = process.env['CI'] === 'true' || !process.stdout.isTTY || files.length > 20
  return {
    args: [
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-isolation=none',
      '--test-force-exit',
      `--test-timeout=${120_000 * Math.max(1, Number(process.env['OSTIARY_RUNS'] ?? 1))}`,
      // Tests make much that is soon gone.
      '--max-semi-space-size=64',
      plain ? '--test-reporter=./tools/reporter.ts' : '--test-reporter=spec',
      ...options,
      'tools/entry.ts',
    ],
    env: {
      UV_THREADPOOL_SIZE: '16',
      OSTIARY_TEST_FILES: files.toSorted().join('\n'),
      // Whatever is started, by tests too, is compiled once; but what is counted for coverage has to be compiled anew.
      ...(options.includes(COVERAGE[0]!) ? {} : { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compiled') }),
    },
  }
}

function tests(patterns: readonly string[]): boolean {
  const { args, env } = testing(patterns.flatMap((pattern) => (pattern.includes('*') ? globSync(pattern) : [pattern])))
  return run('tests', node, args, env)
}

function coverage(): boolean {
  const { servers, others } = testFiles()
  const { args, env } = testing([...servers, ...others], COVERAGE)
  return run('tests with coverage', node, args, env)
}

interface Job {
  readonly label: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Whether it is of tests, of which some have to run. */
  readonly tests: boolean
}

interface Outcome {
  readonly good: boolean
  readonly counts: readonly [passed: number, failed: number, skipped: number]
}

/** What one of several processes at a time says is shown when it has ended, so that each can be read in one piece. */
async function beside({ label, args, env, tests }: Job): Promise<Outcome> {
  const began = performance.now()
  const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (said += chunk))
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  process.stdout.write(`\n— ${label} (${((performance.now() - began) / 1000).toFixed(0)} s)\n${said}`)
  const told = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(said)?.slice(1).map(Number) ?? []
  const [passed = 0, failed = 0, skipped = 0] = told
  const good = status === 0 && (!tests || passed + skipped > 0)
  if (!good) process.stdout.write(`${label}: failed${signal === null ? '' : ` (${signal})`}${status === 0 ? ': it ran no test' : ''}\n`)
  return { good, counts: [passed, !good && tests ? Math.max(failed, 1) : failed, skipped] }
}

/** Files in `count` parts of about the same size, so that they take about as long. */
function parts(files: readonly string[], count: number): readonly (readonly string[])[] {
  const all = Array.from({ length: count }, () => ({ bytes: 0, files: [] as string[] }))
  const sized = files.map((file) => ({ file, bytes: statSync(file).size }))
  for (const { file, bytes } of sized.toSorted((a, b) => b.bytes - a.bytes || (a.file < b.file ? -1 : 1))) {
    const least = all.reduce((one, other) => (other.bytes < one.bytes ? other : one))
    least.bytes += bytes
    least.files.push(file)
  }
  return all.map((part) => part.files).filter((part) => part.length > 0)
}

function testJobs(label: string, files: readonly string[], count: number): readonly Job[] {
  return parts(files, count).map((part, i, { length }) => ({
    label: `${label}, part ${i + 1} of ${length}`,
    ...testing(part),
    tests: true,
  }))
}

/** A folder in memory for what tests write, where there is room for it and programs in it can run: tests would wait for a disk more than for anything else. */
function memoryFolder(): string | undefined {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    if (bavail * bsize < 2 ** 30) return undefined
    const folder = mkdtempSync('/dev/shm/ostiary-tests-')
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
    const program = join(folder, 'program')
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o700 })
    return spawnSync(program).status === 0 ? folder : undefined
  } catch {
    return undefined
  }
}

/** Runs what there is to do, as many at a time as there are processors, but four at most, for each has threads of its own; and says at last how many tests there were. */
async function queue(jobs: readonly Job[]): Promise<boolean> {
  const folder = memoryFolder()
  const outcomes: Outcome[] = []
  const left = [...jobs]
  const worker = async (): Promise<void> => {
    for (let job = left.shift(); job !== undefined; job = left.shift())
      outcomes.push(await beside({ ...job, env: { ...job.env, ...(folder === undefined ? {} : { TMPDIR: folder }) } }))
  }
  await Promise.all(Array.from({ length: Math.min(4, Math.max(2, availableParallelism())) }, worker))
  const [passed, failed, skipped] = [0, 1, 2].map((at) => outcomes.reduce((sum, { counts }) => sum + counts[at]!, 0))
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`)
  return outcomes.every(({ good }) => good)
}

/** Every test, and every check of the sources. What takes longest begins first, and parts are small enough that no processor is long without work at the end. */
async function everything(): Promise<boolean> {
  if (!build()) return false
  const { servers, others } = testFiles()
  return queue([
    ...testJobs('tests with servers', servers, 2),
    { label: 'types, lint and format', args: ['tools/dev.ts', 'check'], env: {}, tests: false },
    ...testJobs('tests without servers', others, 5),
  ])
}

/** The files whose properties are tried more often with `OSTIARY_RUNS`: here four times as often, unless that says otherwise. */
async function properties(): Promise<boolean> {
  process.env['OSTIARY_RUNS'] ??= '4'
  const files = globSync(ALL).filter((file) => /\/testing\/(?:runs|actionlaws)\.ts'$/m.test(readFileSync(file, 'utf8')))
  return queue(testJobs('properties', files, 4))
}

const commands: Record<string, (args: readonly string[]) => boolean | Promise<boolean>> = {
  check: () => check(),
  test: (args) => (args.length > 0 ? tests(args) : everything()),
  properties: () => properties(),
  coverage: () => coverage(),
  format: () => run('format', node, [join(packageFolder('oxfmt'), 'bin/oxfmt'), ...FOLDERS, 'bin']),
  docs: () => run('generate docs', node, ['tools/generate.ts']),
  load: (args) => run('load', node, ['test/load/main.ts', ...args]),
  build: () => build(),
  'demo:envoy': () => run('the demo with Envoy', node, ['tools/demo-envoy.ts']),
  messages: () => run('messages of Envoy', node, ['tools/messages.ts']),
  lock: () => run('lock file', node, ['tools/lockfile.ts']),
}

/** What an installed package runs: compiled sources and the console's pages. */
function build(): boolean {
  rmSync('dist', { recursive: true, force: true })
  return (
    run('build', node, [join(packageFolder('typescript'), 'bin/tsc'), '-p', 'tsconfig.build.json']) &&
    run('build the console', node, ['tools/console.ts'])
  )
}

const [name = '', ...args] = process.argv.slice(2)
const command = commands[name]
if (command === undefined) {
  process.stderr.write(`dev: unknown command \`${name}\`; there are ${Object.keys(commands).join(', ')}\n`)
  process.exit(2)
}
process.exit((await command(args)) ? 0 : 1)
