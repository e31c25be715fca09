/** What the door for clusters costs, next to `kubectl proxy` in front of the same API server. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from '../pairs.ts'
import { cpuOf, memoryOf, pause, stepAside } from '../processes.ts'
import { agentOf, asFastAsPossible, atRate, once, Watches, type Agent } from './asking.ts'
import { startWorld, type Way, type World } from './world.ts'

export const CONNECTIONS = 8
export const RATE = 100
export const WATCHES = 50
export const IDLE = 1500
/** Watches that are open before those that count. */
const FIRST = 500
/** Writes of one slice, each of which is an event of every watch. */
const WRITES = 60
const RATE_SECONDS = 3
export const ROUNDS = 7
const SETTLE_MS = 3000

/** Milliseconds. */
interface Latency {
  readonly p50: number
  readonly p99: number
}

export interface Figures {
  /** Microseconds of CPU, one for each slice. */
  readonly get: readonly number[]
  readonly event: readonly number[]
  /** Milliseconds beyond what the API server alone takes. */
  readonly p50: number
  readonly p99: number
  /** MiB, before the idle watches, and after everything. */
  readonly memory: number
  readonly after: number
  /** KiB. */
  readonly perWatch: number
  /** Requests per second at saturation, the best slice. */
  readonly perSecond: number
}

export interface Measured {
  readonly proxy: Figures
  readonly gateway: Figures
  /** Of the API server alone. */
  readonly straight: Latency
  readonly bytes: number
}

export interface Plan {
  readonly slices: number
  readonly seconds: number
  readonly warm: number
  readonly say: (line: string) => void
}

const OBJECT = '/api/v1/namespaces/bench-idle/configmaps/one'
const within = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`

export async function measureKubernetes(plan: Plan): Promise<Measured> {
  // What this process starts without saying where is with it on the other processor: the API server, too.
  stepAside()
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-load-'))
  let world: World | undefined
  try {
    plan.say('starting an API server, the gateway and kubectl proxy')
    world = await startWorld(folder)
    return await measured(world, plan)
  } finally {
    await world?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measured({ straight, proxy, gateway }: World, { slices, seconds, warm, say }: Plan): Promise<Measured> {
  const writer = agentOf(straight, 1)
  const filled = { value: 'x'.repeat(800) }
  for (const namespace of ['bench-idle', 'bench-proxy', 'bench-gateway']) {
    const body = JSON.stringify({ metadata: { name: 'one' }, data: filled })
    await once(straight, within(namespace), writer, { method: 'POST', body, type: 'application/json' })
  }
  const bytes = (await once(straight, OBJECT, writer)).length
  for (const way of [proxy, gateway])
    if ((await once(way, OBJECT, agentOf(way, 1))).length !== bytes) throw new Error(`${way.name} answers otherwise than the API server`)

  say('idle watches')
  const idle = new Map<Way, { readonly memory: number; readonly perWatch: number }>()
  for (const way of [proxy, gateway]) idle.set(way, await idleWatches(way))

  say('warming up')
  for (const way of [proxy, gateway]) await asFastAsPossible(way, OBJECT, CONNECTIONS, warm)
  const gets = await inTurns('GET', slices, say, proxy, gateway, async (way) => {
    const before = cpuOf(way.process!.pid)
    const from = performance.now()
    const count = await asFastAsPossible(way, OBJECT, CONNECTIONS, seconds)
    return { cost: (cpuOf(way.process!.pid) - before) / count, perSecond: (count * 1000) / (performance.now() - from) }
  })

  say('latency')
  const rounds: { readonly [name in Way['name']]: Latency }[] = []
  for (let round = 0; round < ROUNDS; round++)
    rounds.push({ straight: await latency(straight), 'kubectl proxy': await latency(proxy), 'the gateway': await latency(gateway) })

  const open = new Map<Way, { readonly watches: Watches; readonly namespace: string }>()
  for (const [way, namespace] of [
    [proxy, 'bench-proxy'],
    [gateway, 'bench-gateway'],
  ] as const) {
    const watches = new Watches(way, WATCHES)
    await watches.open(`${within(namespace)}?watch=true&resourceVersion=0`, WATCHES)
    await watches.until(WATCHES)
    open.set(way, { watches, namespace })
  }
  const events = await inTurns('events', slices + 1, say, proxy, gateway, async (way) => {
    const { watches, namespace } = open.get(way)!
    const [before, had] = [cpuOf(way.process!.pid), watches.events]
    await write(straight, writer, namespace)
    await watches.until(had + WRITES * WATCHES)
    watches.check(had + WRITES * WATCHES)
    return { cost: (cpuOf(way.process!.pid) - before) / (WRITES * WATCHES), perSecond: 0 }
  })
  for (const { watches } of open.values()) watches.close()
  writer.destroy()

  // Of rounds in which all three took turns: whatever else the machine did in one of them was of that one alone.
  const added = (way: Way, of: keyof Latency): number => median(rounds.map((round) => round[way.name][of] - round.straight[of]))
  const alone = (of: keyof Latency): number => median(rounds.map((round) => round.straight[of]))
  const figures = (way: Way): Figures => ({
    get: gets.get(way)!.map(({ cost }) => cost),
    perSecond: Math.max(...gets.get(way)!.map(({ perSecond }) => perSecond)),
    // The first slice of each is warming up.
    event: events
      .get(way)!
      .slice(1)
      .map(({ cost }) => cost),
    p50: added(way, 'p50'),
    p99: added(way, 'p99'),
    ...idle.get(way)!,
    after: memoryOf(way.process!.pid),
  })
  return { proxy: figures(proxy), gateway: figures(gateway), straight: { p50: alone('p50'), p99: alone('p99') }, bytes }
}

async function latency(way: Way): Promise<Latency> {
  await atRate(way, OBJECT, RATE, 0.5)
  const times = (await atRate(way, OBJECT, RATE, RATE_SECONDS)).toSorted((a, b) => a - b)
  return { p50: times[Math.floor(times.length * 0.5)]!, p99: times[Math.floor(times.length * 0.99)]! }
}

/** What memory grows by from the first watches on, with which come what all of them share. */
async function idleWatches(way: Way): Promise<{ readonly memory: number; readonly perWatch: number }> {
  const { pid } = way.process!
  await asFastAsPossible(way, OBJECT, CONNECTIONS, 1)
  await pause(SETTLE_MS)
  const memory = memoryOf(pid)
  const watches = new Watches(way, FIRST + IDLE)
  const resident: number[] = []
  try {
    for (const count of [FIRST, IDLE]) {
      const before = watches.events
      await watches.open(`${within('bench-idle')}?watch=true&resourceVersion=0`, count)
      await watches.until(before + count)
      await pause(SETTLE_MS)
      watches.check(before + count)
      resident.push(memoryOf(pid))
    }
  } finally {
    watches.close()
  }
  return { memory, perWatch: ((resident[1]! - resident[0]!) * 1024) / IDLE }
}

async function write(straight: Way, agent: Agent, namespace: string): Promise<void> {
  for (let i = 0; i < WRITES; i++) {
    const body = JSON.stringify({ metadata: { annotations: { round: `${i}-${performance.now()}` } } })
    await once(straight, `${within(namespace)}/one`, agent, { method: 'PATCH', body, type: 'application/merge-patch+json' })
  }
}

interface Slice {
  readonly cost: number
  readonly perSecond: number
}

/** Slices of both, one after the other, so that a machine that drifts drifts for both. */
async function inTurns(
  what: string,
  slices: number,
  say: Plan['say'],
  proxy: Way,
  gateway: Way,
  measure: (way: Way) => Promise<Slice>,
): Promise<ReadonlyMap<Way, readonly Slice[]>> {
  const found = new Map<Way, Slice[]>([proxy, gateway].map((way) => [way, []]))
  for (let i = 0; i < slices; i++) for (const [way, all] of found) all.push(await measure(way))
  for (const [way, all] of found) say(`${what} by ${way.name}: ${median(all.map(({ cost }) => cost)).toFixed(0)} µs`)
  return found
}
