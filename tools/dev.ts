/** The developer's commands behind `npm test`, `npm run check`, `npm run load`, `npm run format` and `npm pack`. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
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

/** Tests that start gateways or a server of their own beside them, and all others. Each group runs in one process, because starting one per file costs more than most files do. */
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
      '--test-timeout=120000',
      plain ? '--test-reporter=./tools/reporter.ts' : '--test-reporter=spec',
      ...options,
      'tools/entry.ts',
    ],
    env: { UV_THREADPOOL_SIZE: '16', OSTIARY_TEST_FILES: files.toSorted().join('\n') },
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

/** What one of several processes at a time says is shown when it has ended, so that each can be read in one piece. */
async function beside(
  label: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly good: boolean; readonly said: string }> {
  const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (said += chunk))
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  process.stdout.write(`\n— ${label}\n${said}`)
  if (status !== 0) process.stdout.write(`${label}: failed${signal === null ? '' : ` (${signal})`}\n`)
  return { good: status === 0, said }
}

/** Every test, and every check of the sources, two processes at a time. */
async function everything(): Promise<boolean> {
  if (!build()) return false
  const { servers, others } = testFiles()
  const withServers = testing(servers)
  const alone = testing(others)
  const [first, [checked, second]] = await Promise.all([
    beside('tests with servers', withServers.args, withServers.env),
    (async () => [
      await beside('types, lint and format', ['tools/dev.ts', 'check'], {}),
      await beside('tests without servers', alone.args, alone.env),
    ])(),
  ])
  const results = [first, second].map(
    ({ said }) => /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(said)?.slice(1).map(Number) ?? [0, 1, 0],
  )
  const [passed, failed, skipped] = [0, 1, 2].map((at) => results.reduce((sum, one) => sum + one[at]!, 0))
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`)
  return [first, checked, second].every(({ good }) => good)
}

const commands: Record<string, (args: readonly string[]) => boolean | Promise<boolean>> = {
  check: () => check(),
  test: (args) => (args.length > 0 ? tests(args) : everything()),
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
