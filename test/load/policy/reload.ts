/**
 * How long nothing is decided while a new version is loaded as the gateway loads it. As a program it measures one size and answers JSON:
 *
 *     reload.ts <rules> <reloads>
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { readSources } from '../../../src/config/load.ts'
import { systemClock } from '../../../src/core/clock.ts'
import type { Principal } from '../../../src/core/principal.ts'
import type { CompiledPolicy } from '../../../src/policy/index.ts'
import { Candidate, candidateLimits } from '../../../src/server/candidate/candidate.ts'
import { packSources, type PackedSources } from '../../../src/server/candidate/messages.ts'
import { readFirst } from '../../../src/server/candidate/first.ts'
import { unpacked } from '../../../src/server/candidate/unpacked.ts'
import { PolicyHolder } from '../../../src/server/policies.ts'
import type { Ask, CommonPolicy } from '../../differential/policy/subset.ts'
import { identityOf, sourcesOf } from '../../differential/policy/ostiary.ts'
import { gatewayOptions } from '../processes.ts'
import { generate } from './generate.ts'

const ASKS = 2_000
/** Decisions between two looks at what else there is to do. */
const AT_ONCE = 100

/**
 * The longest time in which nothing was decided by the clock, and by what the process itself did in it, with all its threads: without
 * the time in which others, or other machines of the same host, had the processors. In milliseconds.
 */
export interface Pause {
  readonly wall: number
  readonly own: number
}

export interface Reload {
  readonly size: number
  /** Milliseconds from the change until the new version decides: one per reload. */
  readonly totals: readonly number[]
  readonly pauses: readonly Pause[]
  /** The same in as much time without a reload: what the machine does by itself. */
  readonly idle: readonly Pause[]
  /** MiB before, at most meanwhile with the process that reads, and after the last. */
  readonly rss: { readonly before: number; readonly most: number; readonly after: number }
}

function wiringText({ resources }: CommonPolicy): string {
  return `${[
    'apiVersion: ostiary.dev/v1',
    'issuers:',
    '  idp: { kind: oidc, issuer: https://idp.example.com, audiences: [api], claims: { department: string, roles: list }, stepUp: never }',
    'resources:',
    ...resources.map((name) => `  ${name}: { protocol: http, hosts: [${name}.example.com], upstream: { url: http://127.0.0.1:9 } }`),
    'doors:',
    '  http: { listen: [{ address: 127.0.0.1:0 }] }',
  ].join('\n')}\n`
}

const OWN = `apiVersion: ostiary.dev/v1
roles:
  administrator: { bind: [{ issuer: idp, claim: roles, any: [Administrator] }] }
rules:
  - { id: administrators, role: administrator, resource: ostiary, actions: ['* /**'] }
`

function writeFolder(folder: string, common: CommonPolicy): void {
  for (const { path, text } of [
    ...sourcesOf(common).policy,
    { path: 'ostiary.yaml', text: wiringText(common) },
    { path: 'policy/own.yaml', text: OWN },
  ]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

async function load(folder: string): Promise<CompiledPolicy> {
  const { policy, diagnostics } = await readFirst(folder, readSources(folder), systemClock, candidateLimits(), 0)
  if (policy === undefined) throw new Error(`the policy that is measured is wrong: ${diagnostics[0]?.message}`)
  return policy
}

/** Decisions by whatever policy is in force, each principal bound once to each. */
function deciding(policies: PolicyHolder<CompiledPolicy>): (ask: Ask) => () => boolean {
  let version = policies.current
  let bound = new Map<Ask['party'], Principal>()
  return ({ party, resource, method, path }) => {
    const action = { protocol: 'http', method, path } as const
    const context = { time: Date.now(), ip: '192.0.2.1' }
    return () => {
      const policy = policies.current
      if (policy !== version) [version, bound] = [policy, new Map()]
      let principal = bound.get(party)
      if (principal === undefined) bound.set(party, (principal = policy.bind(identityOf(party))))
      return policy.decide(principal, action, resource, context).effect === 'allow'
    }
  }
}

/** Milliseconds of CPU that all threads of this process have used. */
function used(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Decides without end until `until` is there. */
async function longestPause(decides: readonly (() => boolean)[], until: Promise<unknown>): Promise<Pause> {
  const over = new AbortController()
  const done = until.finally(() => over.abort())
  let [wall, own] = [0, 0]
  let [last, before] = [performance.now(), used()]
  for (let i = 0; !over.signal.aborted;) {
    for (let n = 0; n < AT_ONCE; n++, i++) {
      decides[i % decides.length]!()
      const [now, after] = [performance.now(), used()]
      wall = Math.max(wall, now - last)
      own = Math.max(own, Math.min(now - last, after - before))
      ;[last, before] = [now, after]
    }
    await new Promise(setImmediate)
  }
  await done
  return { wall, own }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const mebibytes = (): number => process.memoryUsage.rss() / 2 ** 20

/** MiB of the processes that this one began, as it reads a configuration in one. */
function besides(): number {
  const task = `/proc/self/task/${process.pid}/children`
  const pids = readFileSync(task, 'utf8')
    .split(' ')
    .filter((pid) => pid !== '')
  const pages = pids.map((pid) => {
    try {
      return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
    } catch {
      return 0 // it has ended
    }
  })
  return (pages.reduce((sum, one) => sum + one, 0) * 4096) / 2 ** 20
}

/** Takes on what the folder holds, as the gateway does. */
async function takeOn(folder: string, before: PackedSources, policies: PolicyHolder<CompiledPolicy>): Promise<void> {
  const question = { folder, environment: undefined, sources: undefined, now: Date.now(), running: policies.current.version, before }
  const candidate = new Candidate({ ...question, versions: join(folder, 'versions') }, systemClock, candidateLimits())
  try {
    const answer = await candidate.answer
    if (answer.kind !== 'ready') throw new Error(`the version that is measured is ${answer.kind}: ${answer.diagnostics[0]?.message}`)
    const policy = await unpacked(answer.policy, policies.current)
    await candidate.keep()
    policies.swap(policy)
  } finally {
    await candidate.end()
  }
}

/** Measures one size. */
export async function measureReload(size: number, reloads: number): Promise<Reload> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-load-'))
  try {
    const { policy: common, allowed, denied } = generate(size, ASKS)
    writeFolder(folder, common)
    const policies = new PolicyHolder(await load(folder))
    const sources = packSources(readSources(folder))
    const decides = [...allowed, ...denied].map(deciding(policies))
    for (let i = 0; i < 5; i++) for (const decide of decides) decide()
    // What was needed to read the first version goes.
    await longestPause(decides, wait(3_000))
    const before = mebibytes()
    let most = before
    const watching = setInterval(() => (most = Math.max(most, mebibytes() + besides())), 50)
    const [totals, pauses, idle]: [number[], Pause[], Pause[]] = [[], [], []]
    for (let i = 0; i < reloads; i++) {
      writeFileSync(join(folder, 'policy/own.yaml'), OWN.replace('administrators', `administrators-${i}`))
      const started = performance.now()
      // A little longer, for what comes after it.
      const reload = takeOn(folder, sources, policies).then(() => totals.push(performance.now() - started))
      pauses.push(
        await longestPause(
          decides,
          reload.then(() => wait(200)),
        ),
      )
      idle.push(await longestPause(decides, wait(totals.at(-1)!)))
    }
    clearInterval(watching)
    return { size, totals, pauses, idle, rss: { before, most, after: mebibytes() } }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What it wrote itself stands above it. */
function whyEnded(status: number | null, signal: string | null): string {
  if (status !== null) return `its process ended with ${status}`
  return `its process was ended by ${signal}${signal === 'SIGKILL' ? ', as where the machine has no memory left' : ''}`
}

/** Measures one size in a process of its own, with the gateway's own settings of its memory. */
export function reloadApart(size: number, reloads: number): Reload {
  const { status, signal, stdout, error } = spawnSync(
    process.execPath,
    [...gatewayOptions(), import.meta.filename, String(size), String(reloads)],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  if (status !== 0) throw new Error(`the reload of ${size} rules could not be measured: ${error?.message ?? whyEnded(status, signal)}`)
  return JSON.parse(stdout) as Reload
}

if (import.meta.main) process.stdout.write(JSON.stringify(await measureReload(Number(process.argv[2]), Number(process.argv[3]))))
