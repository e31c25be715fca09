/** The bench: every candidate against the same reference, one after another, with the same tokens and the same upstream. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { keyFixture } from '../../src/testing/tokens.ts'
import { candidates } from './candidates/index.ts'
import type { Candidate } from './candidates/candidate.ts'
import { nginx, upstream } from './candidates/nginx.ts'
import { gate } from './gate.ts'
import { latency, type Latency } from './latency.ts'
import { median, pairs, type Pairs, type Subject } from './pairs.ts'
import { freePort, memoryOf, OTHER_CPU, PROXY_CPU, start, stepAside, untilListening, type Running } from './processes.ts'
import { CACHE, find, installCommand } from './tools.ts'
import { signingKey, workload, type Workload } from './workload.ts'

export interface Options {
  /** Ids of candidates; undefined takes all. */
  readonly only: readonly string[] | undefined
  readonly repeats: number
  /** Seconds of one slice. */
  readonly seconds: number
  /** Seconds of load before the first slice. */
  readonly warm: number
  readonly latency: boolean
  /** Tells of progress, one line. */
  readonly say: (line: string) => void
}

export type Row = { readonly candidate: Candidate; readonly version: string } & (
  | { readonly outcome: 'measured'; readonly pairs: Pairs; readonly latency: Latency | undefined; readonly memory: number }
  | { readonly outcome: 'not installed'; readonly install: string }
  /** The gate's findings, or what went wrong under load. */
  | { readonly outcome: 'failed'; readonly problems: readonly string[] }
)

/** Something that runs with its port, and the folder it writes to. */
export interface Stage {
  readonly workload: Workload
  readonly folder: string
  readonly upstreamPort: number
  /** Starts a candidate and waits until it listens. */
  launch(candidate: Candidate): Promise<Subject & { readonly running: Running }>
  close(): Promise<void>
}

/** Starts what every run needs: the upstream and the publisher of keys, beside the proxies' CPU. */
export async function stage(): Promise<Stage> {
  const tool = find('nginx')
  if (tool === undefined) throw new Error(`nginx is the upstream and the reference: ${installCommand('nginx')}`)
  stepAside()
  mkdirSync(CACHE, { recursive: true })
  // Its own for each run, and gone with it: access logs grow by megabytes a second.
  const folder = mkdtempSync(join(CACHE, 'run-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const key = signingKey()
  const keys = await keyFixture([key])
  const upstreamPort = await freePort()
  const upstreamFolder = join(folder, 'upstream')
  mkdirSync(upstreamFolder)
  const running = start(upstream(tool.path, upstreamFolder, upstreamPort), OTHER_CPU, upstreamFolder, 'upstream')
  await untilListening(upstreamPort, running, 'the upstream')
  const load = workload(key, keys.origin)
  return {
    workload: load,
    folder,
    upstreamPort,
    async launch(candidate) {
      const port = await freePort()
      const own = join(folder, `${candidate.id}-${port}`)
      mkdirSync(own)
      const place = { folder: own, port, upstreamPort, workload: load }
      const command = await candidate.prepare(place, candidate.tool === undefined ? undefined : find(candidate.tool))
      const child = start(command, PROXY_CPU, own, candidate.id)
      try {
        await untilListening(port, child, candidate.name)
      } catch (error) {
        await child.stop()
        throw error
      }
      return { pid: child.pid, port, running: child }
    },
    async close() {
      await running.stop()
      await keys.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function bench(options: Options): Promise<{ readonly rows: readonly Row[]; readonly tokenBytes: number }> {
  const wrk = find('wrk')
  if (wrk === undefined) throw new Error(`wrk makes the load: ${installCommand('wrk')}`)
  const here = await stage()
  const reference = await here.launch(nginx)
  const rows: Row[] = []
  try {
    for (const candidate of candidates.filter(({ id }) => options.only?.includes(id) ?? true)) {
      options.say(`${candidate.name} …`)
      rows.push(await one(candidate, here, reference, wrk.path, options))
    }
  } finally {
    await reference.running.stop()
    await here.close()
  }
  return { rows, tokenBytes: Math.round(median(here.workload.warm.map(({ token }) => token.length))) }
}

async function one(candidate: Candidate, here: Stage, reference: Subject, wrk: string, options: Options): Promise<Row> {
  const tool = candidate.tool === undefined ? undefined : find(candidate.tool)
  const version = tool?.version ?? ''
  if (candidate.tool !== undefined && tool === undefined)
    return { candidate, version, outcome: 'not installed', install: installCommand(candidate.tool) }
  let running: Running | undefined
  try {
    const subject = await here.launch(candidate)
    running = subject.running
    const problems = await gate(candidate, subject.port, here.workload)
    if (problems.length > 0) return { candidate, version, outcome: 'failed', problems }
    const plan = {
      wrk,
      folder: here.folder,
      workload: here.workload,
      repeats: options.repeats,
      seconds: options.seconds,
      warm: options.warm,
    }
    const result = await pairs(plan, reference, subject)
    const h2load = find('h2load')
    const atRate =
      !options.latency || h2load === undefined
        ? undefined
        : await latency({ h2load: h2load.path, port: subject.port, folder: here.folder, seconds: 5 }, here.workload.gate.allowed)
    return { candidate, version, outcome: 'measured', pairs: result, latency: atRate, memory: memoryOf(subject.pid) }
  } catch (error) {
    return { candidate, version, outcome: 'failed', problems: [(error as Error).message] }
  } finally {
    await running?.stop()
  }
}
