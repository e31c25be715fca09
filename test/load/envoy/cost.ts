/** What a request costs in an Envoy with compiled filters: next to one that was written by hand for the same rules, and by how many rules there are. */
import { IDENTITY_HEADERS } from '../../../src/envoy/identity.ts'
import { Pieces } from '../../../src/targets/envoy/pieces.ts'
import type { TreeLimits } from '../../../src/targets/envoy/tree.ts'
import { stage, type Stage } from '../bench.ts'
import type { Candidate } from '../candidates/candidate.ts'
import { gate } from '../gate.ts'
import { median, pairs, type Pairs, type Subject } from '../pairs.ts'
import { memoryOf, type Running } from '../processes.ts'
import { seed } from '../seed.ts'
import { measure } from '../slice.ts'
import { find, installCommand } from '../tools.ts'
import { RULES, type Workload } from '../workload.ts'
import { compiledFrom, emitted, resourceOf } from './compiled.ts'
import { askedOf, manyRules } from './many.ts'
import { refusals } from './refusals.ts'
import { writtenByHand } from './written.ts'

export interface CostPlan {
  readonly repeats: number
  /** Seconds of one slice. */
  readonly seconds: number
  /** Seconds of load before the first. */
  readonly warm: number
  readonly say: (line: string) => void
}

/** One size of a policy, as a list and as a tree of routes. */
export interface TreeFigures {
  readonly rules: number
  readonly leaves: number
  readonly pairs: Compared
  /** Octets of what is sent of the resource. */
  readonly bytes: readonly [list: number, tree: number]
}

export interface CostFigures {
  readonly byHand: Compared
  /** Next to one that lets in any token of the issuer. */
  readonly minimal: Compared
  readonly trees: readonly TreeFigures[]
}

export interface Compared extends Pairs {
  /** Microseconds of CPU per request of the reference. */
  readonly reference: number
  /** MiB of reference and candidate. */
  readonly memory: readonly [number, number]
}

const SIZES = [10, 100, 1000, 10_000]
const LIST: TreeLimits = { listUpTo: Number.MAX_SAFE_INTEGER, leafUpTo: 16 }
const TREE: TreeLimits = { listUpTo: 1, leafUpTo: 16 }

const IDENTITY = {
  dropped: [...IDENTITY_HEADERS, 'authorization'],
  said: { 'ostiary-issuer': 'iss', 'ostiary-tenant': 'tid', 'ostiary-object': 'oid' },
}

export async function measureCost(plan: CostPlan): Promise<CostFigures> {
  const here = await stage()
  try {
    const beside = (asMeant: boolean): Promise<Compared> =>
      compared(here, here.workload, writtenByHand(IDENTITY, asMeant), compiledFrom('envoy-compiled', RULES), plan, asMeant)
    const byHand = await beside(true)
    const minimal = await beside(false)
    const trees: TreeFigures[] = []
    for (const size of SIZES) trees.push(await treeOf(here, size, plan))
    return { byHand, minimal, trees }
  } finally {
    await here.close()
  }
}

async function treeOf(here: Stage, size: number, plan: CostPlan): Promise<TreeFigures> {
  const rules = manyRules(size)
  const resource = resourceOf(rules, here.workload.origin, here.upstreamPort)
  const sent = (tree: TreeLimits) => [...new Pieces().snapshot(emitted(resource, here.workload, 1, tree)).resources.route.values()][0]!
  const routes = JSON.stringify(emitted(resource, here.workload, 1, TREE).routes)
  plan.say(`${size.toLocaleString('en')} rules of one resource …`)
  const list = compiledFrom(`list-${size}`, rules, LIST)
  // So that a list of thousands answers all connections within a slice.
  const seconds = size > 1000 ? 5 * plan.seconds : plan.seconds
  const longer = { ...plan, repeats: Math.ceil(plan.repeats / 3), seconds, warm: seconds }
  return {
    rules: size,
    leaves: routes.split('"action":{"name":"route"').length - 1,
    pairs: await compared(here, askedOf(rules, here.workload), list, compiledFrom(`tree-${size}`, rules, TREE), longer),
    bytes: [sent(LIST).bytes.length, sent(TREE).bytes.length],
  }
}

type Launched = Subject & { readonly running: Running }

/** Slices of the one between those of the other, each after it has shown that it decides right. */
async function compared(
  here: Stage,
  workload: Workload,
  reference: Candidate,
  candidate: Candidate,
  { repeats, seconds, warm, say }: CostPlan,
  asMeant = false,
): Promise<Compared> {
  const wrk = find('wrk')
  if (wrk === undefined) throw new Error(`wrk makes the load: ${installCommand('wrk')}`)
  const started: Launched[] = []
  try {
    for (const one of [reference, candidate]) {
      say(`${one.name}, ${one.id} …`)
      const subject = await here.launch(one)
      started.push(subject)
      const problems = [...(await gate(one, subject.port, workload)), ...(asMeant ? await refusals(subject.port, workload) : [])]
      if (problems.length > 0) throw new Error(`${one.name}: ${problems.join('; ')}`)
    }
    const [first, second] = started as [Launched, Launched]
    const { folder } = here
    await seed(first.port, workload.warm)
    await measure({ wrk: wrk.path, port: first.port, folder, seconds: warm }, first.pid, workload.warm)
    const found = await pairs({ wrk: wrk.path, folder, workload, repeats, seconds, warm }, first, second)
    say(`  ${found.ratios.map((ratio) => ratio.toFixed(2)).join(', ')}`)
    const each = found.slices.map(({ cpuPerRequest }, i) => cpuPerRequest / found.ratios[i]!)
    return { ...found, reference: median(each), memory: [memoryOf(first.pid), memoryOf(second.pid)] }
  } finally {
    for (const { running } of started) await running.stop()
  }
}

const BAR = 1.05

/** A line of the table, and the table of sizes; and whether the bar is met. */
export function costTable({ byHand, minimal, trees }: CostFigures): {
  readonly row: string
  readonly table: string
  readonly good: boolean
} {
  const ratio = median(byHand.ratios)
  const range = ({ ratios }: Pairs): string => `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
  const micro = ({ slices }: Pairs): string => median(slices.map(({ cpuPerRequest }) => cpuPerRequest)).toFixed(0)
  const kib = (bytes: number): string => (bytes / 1024).toFixed(0)
  const table = [
    '| rules of one resource | leaves | CPU per request as a tree, × as one list (range) | list, µs | tree, µs | sent: list, tree, KiB | RSS: list, tree, MiB |',
    '|---|---|---|---|---|---|---|',
    ...trees.map(
      ({ rules, leaves, pairs: found, bytes }) =>
        `| ${rules.toLocaleString('en')} | ${leaves === 0 ? 'none' : leaves.toLocaleString('en')} | **${median(found.ratios).toFixed(2)}** (${range(found)}) | ${found.reference.toFixed(0)} | ${micro(found)} | ${bytes.map(kib).join(', ')} | ${found.memory.map((one) => one.toFixed(0)).join(', ')} |`,
    ),
  ].join('\n')
  const found = (one: Compared): string =>
    `**${median(one.ratios).toFixed(2)} ×** (${range(one)}); ${micro(one)} µs and ${one.reference.toFixed(0)} µs`
  return {
    row: [
      `| CPU of a request by 100 rules, compiled, in terms of a configuration by hand that refuses the same tokens | ${found(byHand)} | ${BAR} ×: ${ratio <= BAR ? 'within' : '**missed**'} |`,
      `| the same in terms of one that lets in whatever the issuer signed | ${found(minimal)} | |`,
    ].join('\n'),
    table,
    good: ratio <= BAR,
  }
}
