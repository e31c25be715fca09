/**
 * What a policy of a size costs Ostiary: to read, to compile, to bind a caller to, to decide by; and to be asked about a resource for the
 * first time. As a program it measures one size and answers JSON, since memory and compiled code are a process's:
 *
 *     scale.ts <rules> <slices> <slices to warm up>
 */
import { spawnSync } from 'node:child_process'
import { readPolicy } from '../../../src/policy/read.ts'
import { resolve } from '../../../src/policy/resolve.ts'
import { CompiledPolicy } from '../../../src/policy/index.ts'
import { worldOf } from '../../../src/policy/world.ts'
import type { Ask } from '../../differential/policy/subset.ts'
import { identityOf, loadOf, preparing } from '../../differential/policy/ostiary.ts'
import { measure, work, type Plan, type Work } from '../identity/measure.ts'
import { median } from '../pairs.ts'
import { generate, type Generated } from './generate.ts'

/** The smallest size, which all others are measured next to. */
export const SMALLEST = 10
/** Different requests of each kind: as many as callers in a minute may make, and so many that neither they nor what they meet stay in a cache. */
const ASKS = 2_000
const SPREAD = 20_000
/** So few that all of what they meet stays in the caches nearest to the processor: what a decision costs without waiting for memory. */
const FEW = 20
/** Decisions in a slice: enough for the clock of a thread's CPU. */
const DECISIONS = 40_000
const BINDS = 4_000

export interface Scale {
  readonly size: number
  /** Milliseconds of CPU. `compile` is resolving every name, checking, and compiling; `index` what the first decision at each place then takes, all together. */
  readonly parse: number
  readonly compile: number
  readonly index: number
  /** Microseconds of CPU, medians. */
  readonly bind: number
  readonly allowed: number
  readonly denied: number
  /** Those of a few requests that are denied. */
  readonly few: number
  readonly mixed: number
  /** Mixed, in terms of the smallest size around it: one per slice. */
  readonly ratios: readonly number[]
  /** The same of many more different requests. */
  readonly spread: number
  readonly spreadRatios: readonly number[]
  /** Milliseconds that the first decision on a resource took: median, and the worst of all resources. */
  readonly first: number
  readonly worstFirst: number
  /** MiB of the process once all of the policy was used. */
  readonly rss: number
}

/** Milliseconds of CPU of this thread. */
function spent<T>(run: () => T): { readonly value: T; readonly millis: number } {
  const before = process.threadCpuUsage()
  const value = run()
  const { user, system } = process.threadCpuUsage(before)
  return { value, millis: (user + system) / 1000 }
}

function compiled({ policy: common }: Generated) {
  const load = loadOf(common)
  const read = spent(() => readPolicy(load.sources.policy))
  const made = spent(() => {
    const resolved = resolve(read.value.files, worldOf(load.wiring, load.kindClaims), { wiring: undefined, bindings: undefined })
    const problems = [...read.value.diagnostics, ...resolved.diagnostics]
    if (problems.length > 0) throw new Error(`the policy that is measured is wrong: ${problems[0]!.message}`)
    return new CompiledPolicy(resolved.model, 'sha256:load', load.now)
  })
  return { policy: made.value, parse: read.millis, compile: made.millis }
}

/** What takes the next `count` of all, which come round again. */
function inTurn<T>(all: readonly T[]): (count: number) => readonly T[] {
  let next = 0
  return (count) => Array.from({ length: count }, () => all[next++ % all.length]!)
}

/** Decisions by a policy of those that it allows, denies, or both in turn. */
function decisions(
  policy: CompiledPolicy,
  { allowed, denied }: Generated,
  asks: number,
): Readonly<Record<'allowed' | 'denied' | 'mixed', Work>> {
  const prepare = preparing(policy)
  const yes = allowed.slice(0, asks).map((ask) => ({ decide: prepare(ask), may: true }))
  const no = denied.slice(0, asks).map((ask) => ({ decide: prepare(ask), may: false }))
  const of = (all: readonly { readonly decide: () => boolean; readonly may: boolean }[]): Work =>
    work(inTurn(all), ({ decide, may }) => decide() === may)
  return { allowed: of(yes), denied: of(no), mixed: of(yes.flatMap((one, i) => [one, no[i]!])) }
}

/** Milliseconds of the first decision on each resource, ascending. */
function firstTouches(policy: CompiledPolicy, { allowed, denied }: Generated): readonly number[] {
  const prepare = preparing(policy)
  const asks = new Map<string, Ask>([...denied, ...allowed].map((ask) => [ask.resource, ask]))
  return [...asks.values()]
    .map((ask) => {
      const decide = prepare(ask)
      const before = performance.now()
      decide()
      return performance.now() - before
    })
    .toSorted((a, b) => a - b)
}

/** Decides something at every place of every resource. */
function touchAll(policy: CompiledPolicy): void {
  for (const { resources, actions } of policy.rules)
    for (const { pattern } of actions) {
      const [method = '', template = ''] = pattern.text.split(' ')
      const action = { protocol: 'http', method, path: template.replaceAll(/\{\w+\}/g, 'x') } as const
      for (const resource of resources) policy.decide(policy.anonymous, action, resource, { time: 0, ip: '' })
    }
}

/** Measures one size. A wrong answer fails it. */
export function measureScale(size: number, plan: Plan): Scale {
  const small = generate(SMALLEST, SPREAD)
  const { policy: smallest } = compiled(small)
  const generated = generate(size, SPREAD)
  const { policy, parse, compile } = compiled(generated)
  const firsts = firstTouches(policy, generated)
  const { millis: index } = spent(() => touchAll(policy))
  const { allowed, denied, mixed } = decisions(policy, generated, ASKS)
  const identities = generated.allowed.map(({ party }) => identityOf(party))
  const bind = work(inTurn(identities), (identity) => policy.bind(identity).roles.length > 1)
  const micros = (name: string, candidate: Work, times: number): number =>
    median(measure({ name, candidate, times, settled: true }, plan).micros)
  const reference = decisions(smallest, small, ASKS).mixed
  const both = measure({ name: 'mixed', reference, candidate: mixed, times: DECISIONS, settled: true }, plan)
  const wide = measure(
    {
      name: 'spread',
      reference: decisions(smallest, small, SPREAD).mixed,
      candidate: decisions(policy, generated, SPREAD).mixed,
      times: DECISIONS,
      settled: true,
    },
    plan,
  )
  return {
    size,
    parse,
    compile,
    index,
    bind: micros('bind', bind, BINDS),
    allowed: micros('allowed', allowed, DECISIONS),
    denied: micros('denied', denied, DECISIONS),
    few: micros('few', decisions(policy, generated, FEW).denied, DECISIONS),
    mixed: median(both.micros),
    ratios: both.ratios,
    spread: median(wide.micros),
    spreadRatios: wide.ratios,
    first: firsts[firsts.length >> 1]!,
    worstFirst: firsts.at(-1)!,
    rss: process.memoryUsage.rss() / 2 ** 20,
  }
}

/** Measures one size in a process of its own. */
export function scaleApart(size: number, { slices, warm }: Plan): Scale {
  const { status, stdout, error } = spawnSync(process.execPath, [import.meta.filename, ...[size, slices, warm].map(String)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`a policy of ${size} rules could not be measured${error === undefined ? '' : `: ${error.message}`}`)
  return JSON.parse(stdout) as Scale
}

if (import.meta.main) {
  const [size, slices, warm] = process.argv.slice(2).map(Number) as [number, number, number]
  process.stdout.write(JSON.stringify(measureScale(size, { slices, warm })))
}
