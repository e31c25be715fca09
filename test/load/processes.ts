/** Processes under load: started on one CPU, measured as a tree, ended by their own id. Linux only. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/** Processor of the proxy that is measured; everything else shares the other. */
export const PROXY_CPU = 0
export const OTHER_CPU = 1

const TICKS_PER_SECOND = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100
const PAGE = Number(spawnSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }).stdout) || 4096

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Running {
  readonly pid: number
  /** What the process wrote, for a failure's report. */
  output(): string
  stop(): Promise<void>
}

/** Starts a command on one CPU, its output in `folder`. Root gives it precedence over whatever else the machine does. */
export function start(command: Command, cpu: number, folder: string, name: string): Running {
  const log = join(folder, `${name}.log`)
  const handle = openSync(log, 'w')
  const nice = process.getuid?.() === 0 ? ['nice', '-n', '-10'] : []
  const [file = '', ...args] = [...nice, 'taskset', '-c', String(cpu), command.file, ...command.args]
  const child: ChildProcess = spawn(file, args, { stdio: ['ignore', handle, handle], env: { ...process.env, ...command.env }, cwd: folder })
  closeSync(handle)
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  // However the bench ends, nothing of it keeps running.
  const end = (): void => {
    for (const pid of treeOf(child.pid ?? -1)) signal(pid, 'SIGKILL')
  }
  process.once('exit', end)
  return {
    pid: child.pid ?? -1,
    output: () => readFileSync(log, 'utf8').slice(-4000),
    async stop() {
      process.off('exit', end)
      const tree = treeOf(child.pid ?? -1)
      child.kill('SIGTERM')
      const patience = setTimeout(() => {
        for (const pid of tree) signal(pid, 'SIGKILL')
      }, 5000)
      await ended
      clearTimeout(patience)
    },
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself.
  }
}

/** Makes a signal end the process through its exit handlers, which stop what it has started. */
export function endOnSignals(): void {
  process.once('SIGTERM', () => process.exit(143))
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGHUP', () => process.exit(129))
}

/** Resolves once something listens on the port; throws when the process ends or 20 s have passed. */
export async function untilListening(port: number, running: Running, name: string): Promise<void> {
  const { connect } = await import('node:net')
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(50)) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' })
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    if (statOf(running.pid) === undefined) break
  }
  throw new Error(`${name} does not listen on port ${port}:\n${running.output()}`)
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Stat {
  readonly parent: number
  readonly ticks: number
  readonly pages: number
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold anything; fields are counted behind it, the first being number 3.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return undefined
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]), pages: Number(fields[21]) }
  } catch {
    return undefined
  }
}

/** The process and all below it. */
export function treeOf(root: number): readonly number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    const stat = Number.isNaN(pid) ? undefined : statOf(pid)
    if (stat !== undefined) parents.set(pid, stat.parent)
  }
  const tree = [root]
  for (let i = 0; i < tree.length; i++) for (const [pid, parent] of parents) if (parent === tree[i]) tree.push(pid)
  return tree
}

/** User and system time of a process tree so far, in microseconds. Resolution is one tick, 10 ms on most machines. */
export function cpuOf(root: number): number {
  const ticks = treeOf(root).reduce((sum, pid) => sum + (statOf(pid)?.ticks ?? 0), 0)
  return (ticks / TICKS_PER_SECOND) * 1e6
}

/** Resident memory of a process tree in MiB. Shared pages count once per process. */
export function memoryOf(root: number): number {
  return (treeOf(root).reduce((sum, pid) => sum + (statOf(pid)?.pages ?? 0), 0) * PAGE) / 1024 ** 2
}

/** Busy time of one CPU so far, in microseconds, whoever used it. */
export function busyOf(cpu: number): number {
  const line = readFileSync('/proc/stat', 'latin1')
    .split('\n')
    .find((one) => one.startsWith(`cpu${cpu} `))
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (line ?? '').split(' ').slice(1).map(Number)
  return ((user + nice + system + irq + softirq) / TICKS_PER_SECOND) * 1e6
}

/** Puts this very process, with all its threads, on the CPU that isn't measured. */
export function stepAside(): void {
  spawnSync('taskset', ['-a', '-c', '-p', String(OTHER_CPU), String(process.pid)])
}

/** What `bin/start.js` runs the gateway's engine with. */
export function gatewayOptions(): string[] {
  const start = readFileSync(join(import.meta.dirname, '../../bin/start.js'), 'utf8')
  const pool = Math.max(1, Math.min(4, availableParallelism() - 1))
  const options = ['--max-semi-space-size=16', '--no-parallel-scavenge', `--v8-pool-size=${pool}`]
  for (const option of [...options.slice(0, -1), '--v8-pool-size='])
    if (!start.includes(option)) throw new Error(`the gateway is not started with ${option} any more`)
  return options
}
