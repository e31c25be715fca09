/** The developer's commands behind `npm test`, `npm run check`, `npm run load`, `npm run format` and `npm pack`. */
import { spawnSync } from 'node:child_process'
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

function unitTests(patterns: readonly string[]): boolean {
  const files =
    patterns.length > 0
      ? patterns.flatMap((pattern) => (pattern.includes('*') ? globSync(pattern) : [pattern]))
      : globSync(['src/**/*.test.ts', 'tools/**/*.test.ts', 'test/{corpus,property,differential,e2e}/**/*.test.ts'])
  const coverage =
    patterns.length > 0
      ? []
      : [
          '--experimental-test-coverage',
          '--test-coverage-include=src/**/*.ts',
          '--test-coverage-exclude=src/**/*.test.ts',
          '--test-coverage-exclude=src/testing/**',
          '--test-coverage-lines=80',
        ]
  const reporter =
    process.env['CI'] === 'true' || !process.stdout.isTTY ? ['--test-reporter=./tools/reporter.ts'] : ['--test-reporter=spec']
  return run(
    'tests',
    node,
    [
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-isolation=none',
      '--test-force-exit',
      '--test-timeout=120000',
      ...reporter,
      ...coverage,
      'tools/entry.ts',
    ],
    {
      UV_THREADPOOL_SIZE: '16',
      OSTIARY_TEST_FILES: files.toSorted().join('\n'),
    },
  )
}

const commands: Record<string, (args: readonly string[]) => boolean> = {
  check: () => check(),
  test: (args) => (args.length > 0 ? unitTests(args) : [build(), check(), unitTests([])].every(Boolean)),
  format: () => run('format', node, [join(packageFolder('oxfmt'), 'bin/oxfmt'), ...FOLDERS, 'bin']),
  docs: () => run('generate docs', node, ['tools/generate.ts']),
  load: (args) => run('load', node, ['test/load/main.ts', ...args]),
  build: () => build(),
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
process.exit(command(args) ? 0 : 1)
