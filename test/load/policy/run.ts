/** `npm run load -- policy`: whether what a decision costs depends on how much is written in the policy. */
import { median } from '../pairs.ts'
import type { Plan } from '../identity/measure.ts'
import { reloadApart, type Reload } from './reload.ts'
import { measureRivals, rivalsTable, type Compared, type NotMeasured } from './rivals.ts'
import { scaleApart, SMALLEST, type Scale } from './scale.ts'

const SIZES = [SMALLEST, 100, 1_000, 10_000, 100_000]
/** Bars: how much dearer a decision may be at the largest size, its microseconds of CPU, and milliseconds to compile what is read. */
const GROWTH = 3
const DECIDE = 2
const COMPILE = 3_000
/** And milliseconds for which nothing is decided while a new version is loaded. */
const PAUSE = 20
const RELOADED = [1_000, 10_000, 100_000]

interface Options extends Plan {
  readonly say: (line: string) => void
}

export interface PolicyFigures {
  readonly scales: readonly Scale[]
  readonly reloads: readonly Reload[]
  readonly rivals: readonly (Compared | NotMeasured)[]
}

/** Measures every size, reloads, and the other engines. */
export async function measurePolicy({ say, ...plan }: Options): Promise<PolicyFigures> {
  const scales = SIZES.map((size) => {
    const scale = scaleApart(size, plan)
    say(
      `${size} rules: read ${scale.parse.toFixed(0)} ms, compile ${scale.compile.toFixed(0)} ms, decide ${scale.mixed.toFixed(2)} µs, ` +
        `× ${scale.ratios.map((one) => one.toFixed(2)).join(' ')}; spread ${scale.spread.toFixed(2)} µs, × ${scale.spreadRatios.map((one) => one.toFixed(2)).join(' ')}`,
    )
    return scale
  })
  const reloads = RELOADED.map((size) => {
    const reload = reloadApart(size)
    say(`${size} rules: loaded in ${reload.total.toFixed(0)} ms, nothing decided for ${reload.pause.toFixed(0)} ms`)
    return reload
  })
  return { scales, reloads, rivals: await measureRivals({ say, slices: Math.min(plan.slices, 5), warm: 2 }) }
}

const count = (value: number): string => value.toLocaleString('en')
const missed = (value: string, holds: boolean): string => (holds ? value : `${value}: **missed**`)

/** The table, and whether every bar holds. */
export function policyTable({ scales, reloads, rivals }: PolicyFigures, head: string): { readonly text: string; readonly good: boolean } {
  const growth = (scale: Scale): number => median(scale.ratios)
  const lines = scales.map((scale) => {
    const { size, parse, compile, index, bind, allowed, denied, mixed, ratios, spread, spreadRatios, first, worstFirst, rss } = scale
    const range = size === SMALLEST ? '' : ` (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`
    return (
      `| ${count(size)} | ${missed(mixed.toFixed(2), mixed < DECIDE)} | ${missed(`**${growth(scale).toFixed(2)}**${range}`, growth(scale) < GROWTH)} ` +
      `| ${spread.toFixed(2)}, × ${median(spreadRatios).toFixed(2)} | ${allowed.toFixed(2)} | ${denied.toFixed(2)} | ${bind.toFixed(1)} | ${count(Math.round(parse))} ` +
      `| ${missed(count(Math.round(compile)), compile < COMPILE)} | ${count(Math.round(index))} | ${first.toFixed(2)} / ${worstFirst.toFixed(1)} | ${count(Math.round(rss))} |`
    )
  })
  const text = [
    head,
    '',
    `| rules | a decision, µs (under ${DECIDE}) | × ${SMALLEST} rules (range; under ${GROWTH}) | of 40,000 requests, µs | allowed, µs | denied, µs | bind, µs | read, ms ` +
      `| compile, ms (under ${count(COMPILE)}) | index, ms | first decision on a resource, ms: median / worst | RSS, MiB |`,
    '|---|---|---|---|---|---|---|---|---|---|---|---|',
    ...lines,
    '',
    `| rules | a new version is loaded in, ms | nothing is decided for, ms (under ${PAUSE}) | without a reload, ms |`,
    '|---|---|---|---|',
    ...reloads.map(
      ({ size, total, pause, idle }) =>
        `| ${count(size)} | ${count(Math.round(total))} | ${missed(count(Math.round(pause)), pause < PAUSE)} | ${idle.toFixed(1)} |`,
    ),
    '',
    rivalsTable(rivals),
  ].join('\n')
  const good =
    scales.every((scale) => scale.mixed < DECIDE && growth(scale) < GROWTH && scale.compile < COMPILE) &&
    reloads.every(({ pause }) => pause < PAUSE)
  return { text, good }
}
