/** Ostiary next to Cedar, OPA and Casbin: the same policies and the same requests, in slices that take turns in one process. */
import { casbin } from '../../differential/policy/casbin.ts'
import { cedarEngine } from '../../differential/policy/cedar.ts'
import type { Engine, Opened } from '../../differential/policy/subset.ts'
import { opa } from '../../differential/policy/opa.ts'
import { ostiary } from '../../differential/policy/ostiary.ts'
import { measure, work, type Plan, type Work } from '../identity/measure.ts'
import { median } from '../pairs.ts'
import { generate, type Generated } from './generate.ts'

export const RIVAL_SIZES = [10, 100, 1_000, 10_000]
const RIVALS: readonly Engine[] = [cedarEngine, opa, casbin]
const ASKS = 1_000
/** Whatever takes longer for one decision is not measured at larger sizes, in milliseconds. */
const TOO_LONG = 50
/** A slice lasts so long, in milliseconds: what is dear is done less often. */
const SLICE = 40
/** Decisions of Ostiary in a slice. */
const ENOUGH = 20_000

export interface Compared {
  readonly engine: Engine
  readonly size: number
  /** Microseconds of CPU of a decision, and how often Ostiary's around it. */
  readonly micros: number
  readonly ratios: readonly number[]
}

/** Why something was not measured. */
export interface NotMeasured {
  readonly engine: Engine
  readonly size: number
  readonly why: string
}

interface Options extends Plan {
  readonly say: (line: string) => void
}

function workOf(opened: Opened, { allowed, denied }: Generated): Work {
  const all = allowed.flatMap((ask, i) => [
    { decide: opened.prepare(ask), may: true },
    { decide: opened.prepare(denied[i]!), may: false },
  ])
  let next = 0
  return work(
    (count) => Array.from({ length: count }, () => all[next++ % all.length]!),
    ({ decide, may }) => decide() === may,
  )
}

/** Milliseconds of one decision, by a few. */
function once(candidate: Work): number {
  const run = candidate.prepare(4)
  const before = performance.now()
  const wrong = run()
  if (wrong > 0) throw new Error(`${wrong} of 4 answers are wrong`)
  return (performance.now() - before) / 4
}

/** Measures every engine at every size; a wrong answer fails it. */
export async function measureRivals({ say, ...plan }: Options): Promise<readonly (Compared | NotMeasured)[]> {
  const all: (Compared | NotMeasured)[] = []
  const slow = new Set<Engine>()
  for (const size of RIVAL_SIZES) {
    const generated = generate(size, ASKS)
    const reference = workOf(await ostiary.open(generated.policy), generated)
    for (const engine of RIVALS) {
      const missing = engine.missing?.()
      if (missing !== undefined || slow.has(engine)) {
        all.push({ engine, size, why: missing ?? `not measured: more than ${TOO_LONG} ms at a smaller size` })
        continue
      }
      const candidate = workOf(await engine.open(generated.policy), generated)
      once(candidate)
      const millis = once(candidate)
      if (millis > TOO_LONG) {
        slow.add(engine)
        all.push({ engine, size, why: `stopped: ${millis.toFixed(0)} ms for one decision` })
        continue
      }
      const times = Math.max(4, Math.min(20_000, Math.round(SLICE / millis)))
      const { micros, ratios } = measureBoth(engine.name, reference, candidate, times, plan)
      say(`${engine.name}, ${size} rules: ${median(micros).toFixed(1)} µs, × ${ratios.map((one) => one.toFixed(1)).join(' ')}`)
      all.push({ engine, size, micros: median(micros), ratios })
    }
  }
  return all
}

/** Ostiary's slices are of as many decisions as its clock needs, whatever the other's are. */
function measureBoth(name: string, reference: Work, candidate: Work, times: number, plan: Plan) {
  const often: Work = {
    prepare(count) {
      return reference.prepare(count * Math.ceil(ENOUGH / count))
    },
  }
  const { micros, ratios } = measure({ name, reference: often, candidate, times }, plan)
  const factor = Math.ceil(ENOUGH / times)
  return { micros, ratios: ratios.map((one) => one * factor) }
}

const count = (value: number): string => value.toLocaleString('en')

/** The table: engines by size. */
export function rivalsTable(all: readonly (Compared | NotMeasured)[]): string {
  const cell = (engine: Engine, size: number): string => {
    const one = all.find((other) => other.engine === engine && other.size === size)
    if (one === undefined) return ''
    if ('why' in one) return one.why
    const ratio = median(one.ratios)
    const span = [Math.min(...one.ratios), Math.max(...one.ratios)].map((end) => count(Math.round(end))).join('–')
    return `**${count(Math.round(ratio))} ×** (${span}); ${count(Math.round(one.micros))} µs`
  }
  return [
    `| a decision, in terms of Ostiary's | ${RIVAL_SIZES.map((size) => `${count(size)} rules`).join(' | ')} |`,
    `|---|${RIVAL_SIZES.map(() => '---|').join('')}`,
    ...RIVALS.map((engine) => `| ${engine.name} | ${RIVAL_SIZES.map((size) => cell(engine, size)).join(' | ')} |`),
    '',
    ...RIVALS.map((engine) => `- ${engine.name}: ${engine.setUp}.`),
  ].join('\n')
}
