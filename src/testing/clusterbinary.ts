/**
 * The binary of the test bed's cluster, `kubebed`: a Kubernetes API server and what is needed around it. It is built once from
 * tools/testbed/kubernetes and kept outside of the repository; what it was built from is in the name of where it is kept.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const KUBERNETES_VERSION = '1.36.3'

const SOURCES = fileURLToPath(new URL('../../tools/testbed/kubernetes/', import.meta.url))
const BUILD_MS = 25 * 60_000
const LOOK_MS = 500

type Environment = Readonly<Record<string, string | undefined>>

/** Folder of what is downloaded or built for tests of clusters. */
export function clusterCache(environment: Environment = process.env): string {
  const { XDG_CACHE_HOME: cache } = environment
  // An address that isn't absolute is to be ignored (XDG Base Directory Specification).
  const base = cache !== undefined && isAbsolute(cache) ? cache : join(homedir(), '.cache')
  return join(base, 'ostiary')
}

/** Where the binary is kept that these sources make. */
export function builtKubebed(environment: Environment = process.env): string {
  const sum = createHash('sha256')
  for (const name of readdirSync(SOURCES).sort())
    sum
      .update(name)
      .update('\0')
      .update(readFileSync(join(SOURCES, name)))
  return join(clusterCache(environment), `kubernetes-${KUBERNETES_VERSION}-${sum.digest('hex').slice(0, 12)}`, 'kubebed')
}

/**
 * `true`, or why no cluster can be had on this machine. Where `CI` is set that is an error, for a suite that never runs proves nothing;
 * `OSTIARY_WITHOUT_CLUSTER=1` says that it is meant.
 */
export function haveCluster(
  environment: Environment = process.env,
  say = (text: string): unknown => process.stderr.write(text),
): true | string {
  const { CI: ci = '', OSTIARY_KUBEBED: given = '', OSTIARY_WITHOUT_CLUSTER: without = '' } = environment
  const skipped = (why: string): string => {
    say(`skipped: ${why}\n`)
    return why
  }
  if (without === '1') return skipped('OSTIARY_WITHOUT_CLUSTER=1 says to do without a cluster')
  if (given !== '' || existsSync(builtKubebed(environment)) || hasGo(environment)) return true
  const why =
    'no cluster: there is no Go to build it with; install Go 1.26 or later (https://go.dev/dl/, that of Debian is older), or set OSTIARY_KUBEBED to a kubebed that was built'
  if (ci !== '' && ci !== 'false') throw new Error(`${why}, or OSTIARY_WITHOUT_CLUSTER=1 to do without`)
  return skipped(why)
}

function hasGo(env: Environment): boolean {
  return spawnSync('go', ['version'], { env, stdio: 'ignore' }).status === 0
}

/**
 * Path of a `kubebed` that can be run: `OSTIARY_KUBEBED`, or the cached one; builds it the first time, which takes minutes.
 * @throws Error that says what to do
 */
export async function kubebed(environment: Environment = process.env): Promise<string> {
  const { OSTIARY_KUBEBED: given = '' } = environment
  if (given !== '') {
    if (!existsSync(given)) throw new Error(`OSTIARY_KUBEBED names ${given}, which is not there`)
    return given
  }
  const file = builtKubebed(environment)
  await onceIn(file, (unfinished) => build(unfinished, environment))
  return file
}

/** Makes a file or folder of the cache where it isn't there yet; of several processes one makes it, and the others wait for that. */
export async function onceIn(target: string, make: (unfinished: string) => Promise<void>, lookAfter = LOOK_MS): Promise<void> {
  mkdirSync(dirname(target), { recursive: true })
  const lock = `${target}.lock`
  while (!existsSync(target)) {
    if (!locked(lock)) {
      await pause(lookAfter)
      continue
    }
    const unfinished = `${target}.${process.pid}`
    try {
      if (existsSync(target)) return
      await make(unfinished)
      // So that it appears there whole or not at all.
      if (!existsSync(target)) renameSync(unfinished, target)
    } finally {
      rmSync(unfinished, { recursive: true, force: true })
      rmSync(lock, { force: true })
    }
  }
}

/** Whether the lock is ours now. One whose holder is gone is removed. */
function locked(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    const holder = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0
    // Nothing in it: it was made a moment ago.
    if (holder > 0 && !existsSync(`/proc/${holder}`)) rmSync(lock, { force: true })
    return false
  }
}

async function build(file: string, environment: Environment): Promise<void> {
  const version = 'k8s.io/component-base/version'
  const [major, minor] = KUBERNETES_VERSION.split('.')
  const flags = `-s -w -X ${version}.gitVersion=v${KUBERNETES_VERSION} -X ${version}.gitMajor=${major} -X ${version}.gitMinor=${minor}`
  process.stderr.write(`building the cluster of the test bed (Kubernetes ${KUBERNETES_VERSION}); this takes minutes, once\n`)
  const { code, output } = await said('nice', ['go', 'build', '-trimpath', '-ldflags', flags, '-o', file, '.'], {
    cwd: SOURCES,
    env: { ...environment, GOFLAGS: '-buildvcs=false -mod=readonly', CGO_ENABLED: '0' },
    timeout: BUILD_MS,
  })
  if (code !== 0)
    throw new Error(`the cluster of the test bed could not be built: ${output.slice(-2_000)}; set OSTIARY_KUBEBED to one that was built`)
}

/** Runs a program to its end. */
export async function said(
  program: string,
  args: readonly string[],
  { cwd, env, timeout }: { readonly cwd: string; readonly env: Environment; readonly timeout: number },
): Promise<{ readonly code: number | string; readonly output: string }> {
  const child = spawn(program, args, { cwd, env, timeout, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: error.message, output: error.message }))
    child.on('close', (code, signal) => resolve({ code: code ?? signal ?? 'ended', output }))
  })
}
