/** The demo as a new user has it: `ostiary up --demo` in a process of its own, on its own ports, with a folder to itself. */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../../..')
const BIN = join(ROOT, 'bin/ostiary.js')

export interface RealDemo {
  /** A copy of `examples/demo` that a test may edit. */
  readonly config: string
  readonly data: string
  /** Authority that signed the certificate of the TLS listener, a PEM file. */
  readonly ca: string
  /** Everything it has printed so far. */
  output(): string
  /** Runs `ostiary …` and answers what it printed. */
  ostiary(...args: readonly string[]): Ran
  /** The same while the test goes on. `said` answers what its standard error says, once it matches. */
  begin(...args: readonly string[]): Begun
  /** Ends it as a terminal would, and answers its exit code. */
  stop(): Promise<number | null>
}

export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Begun {
  said(pattern: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<Ran>
}

export function run(file: string, args: readonly string[], more: { readonly input?: string; readonly timeout?: number } = {}): Ran {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    encoding: 'utf8',
    input: more.input ?? '',
    timeout: more.timeout ?? 20_000,
    maxBuffer: 64 * 1024 ** 2,
  })
  if (error !== undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error(`${file} is not installed`)
  return { status, stdout, stderr }
}

/** Starts the demo and waits until its screen is there. */
export async function startRealDemo(): Promise<RealDemo> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-real-'))
  const config = join(folder, 'config')
  const data = join(folder, 'data')
  cpSync(join(ROOT, 'examples/demo'), config, { recursive: true })
  // The machine's own Node, as a user has it: the launcher finds the pinned one.
  const child = spawn('node', [BIN, 'up', '--demo', '--config', config, '--data', data], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const ready = new Promise<void>((resolve, reject) => {
    const take = (bytes: Buffer): void => {
      text += bytes.toString()
      if (text.includes('Ctrl-C ends it.')) resolve()
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('error', reject)
    void ended.then((code) => reject(new Error(`it ended with ${code}:\n${text}`)))
    setTimeout(() => reject(new Error(`it is not ready after 60 s:\n${text}`)), 60_000).unref()
  })
  const stop = async (): Promise<number | null> => {
    child.kill('SIGTERM')
    const code = await ended
    rmSync(folder, { recursive: true, force: true })
    return code
  }
  try {
    await ready
  } catch (error) {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  return {
    config,
    data,
    ca: join(data, 'dev-ca/ca.pem'),
    output: () => text,
    ostiary: (...args) => run('node', [BIN, ...args]),
    begin: (...args) =>
      begin([BIN, ...args], { ...process.env, XDG_CONFIG_HOME: join(folder, 'home'), OSTIARY_KEYRING: 'none', BROWSER: 'true' }),
    stop,
  }
}

function begin(args: readonly string[], env: NodeJS.ProcessEnv): Begun {
  const child = spawn('node', args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
  let [stdout, stderr] = ['', '']
  const listeners = new Set<() => void>()
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString()
    for (const look of listeners) look()
  })
  const ended = new Promise<Ran>((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })))
  return {
    ended,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(stderr)
          if (found !== null) resolve(found)
        }
        listeners.add(look)
        look()
        void ended.then(() => reject(new Error(`it ended without saying ${pattern}:\n${stderr}`)))
      }),
  }
}
