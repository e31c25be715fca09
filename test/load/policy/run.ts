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
const RELOADS = 5

interface Options extends Plan {
  readonly say: (line: string) => void
}

export interface PolicyFigures {
  readonly scales: readonly Scale[]
  readonly rivals: readonly (Compared | NotMeasured)[]
}

/** Measures every size, and the other engines. */
export async function measurePolicy({ say, ...plan }: Options): Promise<PolicyFigures> {
  const scales = SIZES.map((size) => {
    const scale = scaleApart(size, plan)
    say(
      `${size} rules: read ${scale.parse.toFixed(0)} ms, compile ${scale.compile.toFixed(0)} ms, decide ${scale.mixed.toFixed(2)} µs, ` +
        `× ${scale.ratios.map((one) => one.toFixed(2)).join(' ')}; spread ${scale.spread.toFixed(2)} µs, × ${scale.spreadRatios.map((one) => one.toFixed(2)).join(' ')}`,
    )
    return scale
  })
  return { scales, rivals: await measureRivals({ say, slices: Math.min(plan.slices, 5), warm: 2 }) }
}

const count = (value: number): string => value.toLocaleString('en')
const missed = (value: string, holds: boolean): string => (holds ? value : `${value}: **missed**`)

const ends = (all: readonly number[]): string => `${median(all).toFixed(1)} / ${Math.max(...all).toFixed(1)}`

/** The table, and whether every bar holds. */
export function policyTable({ scales, rivals }: PolicyFigures, head: string): { readonly text: string; readonly good: boolean } {
  const growth = (scale: Scale): number => median(scale.ratios)
  const lines = scales.map((scale) => {
    const { size, parse, compile, index, bind, allowed, denied, few, mixed, ratios, spread, spreadRatios, first, worstFirst, rss } = scale
    const range = size === SMALLEST ? '' : ` (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`
    return (
      `| ${count(size)} | ${missed(mixed.toFixed(2), mixed < DECIDE)} | ${missed(`**${growth(scale).toFixed(2)}**${range}`, growth(scale) < GROWTH)} ` +
      `| ${spread.toFixed(2)}, × ${median(spreadRatios).toFixed(2)} | ${allowed.toFixed(2)} | ${denied.toFixed(2)} | ${few.toFixed(2)} | ${bind.toFixed(1)} | ${count(Math.round(parse))} ` +
      `| ${missed(count(Math.round(compile)), compile < COMPILE)} | ${count(Math.round(index))} | ${first.toFixed(2)} / ${worstFirst.toFixed(1)} | ${count(Math.round(rss))} |`
    )
  })
  const text = [
    head,
    '',
    `| rules | a decision, µs (under ${DECIDE}) | × ${SMALLEST} rules (range; under ${GROWTH}) | of 40,000 requests, µs | allowed, µs | denied, µs | denied, of 20 requests, µs | bind, µs | read, ms ` +
      `| compile, ms (under ${count(COMPILE)}) | index, ms | first decision on a resource, ms: median / worst | RSS, MiB |`,
    '|---|---|---|---|---|---|---|---|---|---|---|---|---|',
    ...lines,
    '',
    rivalsTable(rivals),
  ].join('\n')
  const good = scales.every((scale) => scale.mixed < DECIDE && growth(scale) < GROWTH && scale.compile < COMPILE)
  return { text, good }
}

/** Measures reloads of every size. */
export function measureReloads(say: (line: string) => void): readonly Reload[] {
  return RELOADED.map((size) => {
    const reload = reloadApart(size, RELOADS)
    const pauses = reload.pauses.map(({ wall, own }) => `${wall.toFixed(0)} (${own.toFixed(0)})`)
    say(`${size} rules: loaded in ${median(reload.totals).toFixed(0)} ms, nothing decided for ${pauses.join(' ')} ms`)
    return reload
  })
}

/** The table, and whether the bar holds. */
export function reloadTable(reloads: readonly Reload[], head: string): { readonly text: string; readonly good: boolean } {
  const text = [
    head,
    '',
    `| rules | a new version is loaded in, ms | nothing is decided for, ms: median / worst | after it, ms | of its own doing, ms (under ${PAUSE}) | after it, ms | RSS before, at most, after, MiB |`,
    '|---|---|---|---|---|---|---|',
    ...reloads.map(({ size, totals, pauses, idle, rss }) => {
      const own = pauses.map((one) => one.own)
      const sizes = [rss.before, rss.most, rss.after].map((one) => count(Math.round(one))).join(', ')
      return (
        `| ${count(size)} | ${count(Math.round(median(totals)))} | ${ends(pauses.map(({ wall }) => wall))} | ${ends(idle.map(({ wall }) => wall))} ` +
        `| ${missed(ends(own), Math.max(...own) < PAUSE)} | ${ends(idle.map((one) => one.own))} | ${sizes} |`
      )
    }),
  ].join('\n')
  return { text, good: reloads.every(({ pauses }) => pauses.every(({ own }) => own < PAUSE)) }
}
