/** Latency at a fixed rate, by h2load over HTTP/1.1: what a caller feels where nothing is at its limit. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { OTHER_CPU } from './processes.ts'
import { run } from './slice.ts'
import { HOST, type Request } from './workload.ts'

export const RATE = 2000
const CLIENTS = 32
/** Seconds before answers count: connections open, schedules settle. */
const SETTLE = 1

export interface Latency {
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Requests per second that were answered in time; less than `RATE` where the proxy could not follow. */
  readonly reached: number
}

interface Load {
  readonly h2load: string
  readonly port: number
  readonly folder: string
  readonly seconds: number
}

/** Throws when an answer isn't 200. */
export async function latency({ h2load, port, folder, seconds }: Load, { path, token }: Request): Promise<Latency> {
  const log = join(folder, `h2load-${port}.log`)
  const duration = seconds + SETTLE
  const args = ['--h1', '-t1', `-c${CLIENTS}`, `--rps=${RATE / CLIENTS}`, `-n${RATE * duration}`, `--log-file=${log}`]
  // A `Host` of its own would be the second one: the name has to stand in the address.
  const target = ['-H', `Authorization: Bearer ${token}`, `--connect-to=127.0.0.1:${port}`, `http://${HOST}:${port}${path}`]
  await run('timeout', [String(duration * 4), 'taskset', '-c', String(OTHER_CPU), h2load, ...args, ...target])
  const rows = readFileSync(log, 'latin1')
    .trim()
    .split('\n')
    .map((line) => line.split('\t').map(Number))
  const begin = Math.min(...rows.map(([start = 0]) => start)) + SETTLE * 1e6
  const counted = rows.filter(([start = 0]) => start >= begin && start < begin + seconds * 1e6)
  const bad = counted.filter(([, status]) => status !== 200).length
  if (bad > 0 || counted.length === 0)
    throw new Error(`${bad || 'all'} of ${counted.length} answers at ${RATE} requests per second were not 200`)
  const times = counted.map(([, , micros = 0]) => micros / 1000).toSorted((a, b) => a - b)
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))]!
  return { p50: at(0.5), p99: at(0.99), reached: counted.length / seconds }
}
