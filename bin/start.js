// Plain JavaScript that any Node from 18 on can read: it finds the Node this program is pinned to, installs what is
// missing in a clone, and hands over. Nothing else belongs here.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, constants as os } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const OLDEST = [24, 11]
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const clone = existsSync(join(root, 'src/cli/main.ts')) && existsSync(join(root, 'package-lock.json'))

function fail(message, help, code = 78) {
  process.stderr.write(`ostiary: ${message}\n${help ? `  help: ${help}\n` : ''}`)
  process.exit(code)
}

function stampOf() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(`${process.platform} ${process.arch}`)
    .digest('hex')
}

function writable(folder) {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function install() {
  const modules = join(root, 'node_modules')
  const stampFile = join(modules, '.ostiary-stamp')
  const stamp = stampOf()
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  if (!writable(existsSync(modules) ? modules : root)) {
    fail('dependencies are missing and this directory is read-only', 'run it once where you may write, or make the directory writable', 73)
  }
  process.stderr.write('ostiary: installing dependencies (once) …\n')
  const npmScript = process.env.npm_execpath
  const throughNpm = npmScript !== undefined && /\.[cm]?js$/.test(npmScript)
  const [command, first] = throughNpm ? [process.execPath, [npmScript]] : ['npm', []]
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  // npx and npm hand their own settings down as npm_config_*: an inner install must not inherit, say, a global prefix.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(config_(prefix|global|omit|local_prefix|ignore_scripts)|lifecycle|package)/i.test(name),
    ),
  )
  const run = (verb) => spawnSync(command, [...first, ...verb, ...flags], { cwd: root, env, stdio: ['ignore', 2, 2] })
  let done = run(['ci'])
  if (done.error) fail(`npm could not be started (${done.error.code ?? done.error.message})`, 'install npm, or put it in PATH', 69)
  // A registry without some platform's optional package makes `npm ci` refuse a lock file that is right for this platform.
  if (done.status !== 0) done = run(['install', '--no-save'])
  if (done.status !== 0)
    fail('dependencies could not be installed', 'see the lines above; the network or the registry may be out of reach', 69)
  mkdirSync(modules, { recursive: true })
  writeFileSync(stampFile, stamp)
}

function newEnough(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

function pinnedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/package.json`)
    const binary = join(dirname(manifest), 'bin/node')
    if (existsSync(binary)) return binary
  } catch {
    // Not a platform with a pinned package: the machine's own Node may still do.
  }
  if (newEnough(process.version)) return process.execPath
  return fail(
    `Node ${process.version} is too old, and there is no pinned Node for ${process.platform} ${process.arch}`,
    `install Node ${OLDEST.join('.')} or newer`,
  )
}

const args = process.argv.slice(2)
if (clone) install()
const node = pinnedNode()
const entry = args[0] === 'dev' && clone ? 'tools/dev.ts' : clone ? 'src/cli/main.ts' : 'dist/cli/main.js'
if (!existsSync(join(root, entry))) fail(`this package is incomplete: \`${entry}\` is missing`, 'install it again')

// In a clone nobody has built the console's pages: at once where they are of these sources already.
if (clone && args[0] === 'up') {
  const { status } = spawnSync(node, ['--disable-warning=ExperimentalWarning', join(root, 'tools/console.ts')], { stdio: ['ignore', 2, 2] })
  if (status !== 0)
    process.stderr.write('ostiary: the console could not be built, so its pages are missing; the gateway runs all the same\n')
}

const child = spawn(
  node,
  // The young generation is bounded: V8 would let it grow to four times this, for 100 MB more and no CPU less. It is collected by the thread
  // that decides alone, in less than a millisecond: helpers that have to wait for a processor would make it wait for them. The rest is
  // collected with helpers, one fewer than there are processors.
  [
    '--disable-warning=ExperimentalWarning',
    '--max-semi-space-size=16',
    '--no-parallel-scavenge',
    `--v8-pool-size=${Math.max(1, Math.min(4, availableParallelism() - 1))}`,
    join(root, entry),
    ...(entry === 'tools/dev.ts' ? args.slice(1) : args),
  ],
  {
    stdio: 'inherit',
    // fdatasync of the audit log shares these threads with crypto and DNS; four are too few (see docs/performance.md).
    // Each of them would get a heap of its own from glibc: two are enough, and keep some 60 MB.
    env: { UV_THREADPOOL_SIZE: '16', MALLOC_ARENA_MAX: '2', ...process.env },
  },
)
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal))
child.on('error', (error) =>
  fail(`the pinned Node could not be started (${error.code ?? error.message})`, 'remove node_modules and try again', 69),
)
child.on('exit', (code, signal) => process.exit(code ?? 128 + (os.signals[signal] ?? 1)))
