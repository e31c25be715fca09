/** One slice of load: wrk for a fixed time, and what the proxy's processes spent meanwhile. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { busyOf, cpuOf, OTHER_CPU, PROXY_CPU } from './processes.ts'
import { HOST, type Request } from './workload.ts'

export const CONNECTIONS = 64
/** A slice in which others used more than this part of the proxy's CPU is run again, at most so often. */
const FOREIGN_LIMIT = 0.3
const REPEATS_FOR_NOISE = 3

export interface Slice {
  readonly requests: number
  /** Microseconds of CPU per request, user and system, all processes of the proxy. */
  readonly cpuPerRequest: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Part of the proxy's CPU that others used. */
  readonly foreign: number
}

/** Every request carries the headers that a browser or a client library sends along, about 300 bytes. */
const SCRIPT = `
local requests = {}
local n = 0
function init(args)
  for line in io.lines(args[1]) do
    local path, token = line:match("^(%S+) (%S+)$")
    requests[#requests + 1] = wrk.format("GET", path, {
      ["Host"] = "${HOST}",
      ["Authorization"] = "Bearer " .. token,
      ["User-Agent"] = "load/1.0 (X11; Linux x86_64)",
      ["Accept"] = "application/json, text/plain, */*",
      ["Accept-Language"] = "en-GB,en;q=0.9",
      ["Accept-Encoding"] = "gzip, deflate, br",
      ["X-Request-Id"] = "3f2b7c1e-6d5a-4b8f-9a0e-1c2d3e4f5a6b",
    })
  end
end
function request()
  n = n % #requests + 1
  return requests[n]
end
function done(summary, latency, all)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %.3f %.3f\\n", summary.requests, summary.duration,
    e.connect + e.read + e.write, e.timeout, e.status, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
`

interface Load {
  readonly wrk: string
  readonly port: number
  readonly folder: string
  /** Seconds. */
  readonly seconds: number
}

/** A slice under load. Throws when a single request fails: a proxy that refuses is not fast. */
export async function measure(load: Load, pid: number, requests: readonly Request[]): Promise<Slice> {
  for (let attempt = 1; ; attempt++) {
    const busy = busyOf(PROXY_CPU)
    const spent = cpuOf(pid)
    const result = await wrk(load, requests)
    const cpu = cpuOf(pid) - spent
    const foreign = Math.max(0, busyOf(PROXY_CPU) - busy - cpu) / result.duration
    if (result.failed > 0) throw new Error(`${result.failed} of ${result.requests} requests failed`)
    if (foreign > FOREIGN_LIMIT && attempt < REPEATS_FOR_NOISE) continue
    return {
      requests: result.requests,
      cpuPerRequest: cpu / result.requests,
      perSecond: (result.requests / result.duration) * 1e6,
      p50: result.p50,
      p99: result.p99,
      foreign,
    }
  }
}

export async function wrk(load: Load, requests: readonly Request[]) {
  const script = join(load.folder, 'wrk.lua')
  const data = join(load.folder, 'requests.txt')
  writeFileSync(script, SCRIPT)
  writeFileSync(data, requests.map(({ path, token }) => `${path} ${token}\n`).join(''))
  const url = `http://127.0.0.1:${load.port}/`
  const args = [
    String(load.seconds + 30),
    'taskset',
    '-c',
    String(OTHER_CPU),
    load.wrk,
    '-t1',
    '--timeout',
    '10s',
    `-c${CONNECTIONS}`,
    `-d${load.seconds}s`,
    '-s',
    script,
    url,
    '--',
    data,
  ]
  const output = await run('timeout', args)
  const line = /^RESULT (.*)$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`wrk said nothing of a result:\n${output}`)
  const [count = 0, duration = 0, socket = 0, timeout = 0, status = 0, p50 = 0, p99 = 0] = line.split(' ').map(Number)
  if (count === 0) throw new Error(`no request was answered:\n${output}`)
  return { requests: count, duration, failed: socket + timeout + status, p50, p99 }
}

/** Runs a command to its end and answers what it wrote; throws when it fails. */
export function run(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (text += bytes.toString()))
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`${file} ended with ${code}:\n${text.slice(-2000)}`))))
  })
}
