/** `npm run load -- policy`: whether what a decision costs depends on how much is written in the policy. */
import { median } from '../pairs.ts'
import type { Plan } from '../identity/measure.ts'
import { scaleApart, SMALLEST, type Scale } from './scale.ts'

const SIZES = [SMALLEST, 100, 1_000, 10_000, 100_000]
/** Bars: how much dearer a decision may be at the largest size, its microseconds of CPU, and milliseconds to compile what is read. */
const GROWTH = 3
const DECIDE = 2
const COMPILE = 3_000

interface Options extends Plan {
  readonly say: (line: string) => void
}

/** Measures every size. */
export function measurePolicy({ say, ...plan }: Options): readonly Scale[] {
  return SIZES.map((size) => {
    const scale = scaleApart(size, plan)
    say(
      `${size} rules: read ${scale.parse.toFixed(0)} ms, compile ${scale.compile.toFixed(0)} ms, decide ${scale.mixed.toFixed(2)} µs, ` +
        `× ${scale.ratios.map((one) => one.toFixed(2)).join(' ')}`,
    )
    return scale
  })
}

const count = (value: number): string => value.toLocaleString('en')
const missed = (value: string, holds: boolean): string => (holds ? value : `${value}: **missed**`)

/** The table, and whether every bar holds. */
export function policyTable(scales: readonly Scale[], head: string): { readonly text: string; readonly good: boolean } {
  const growth = (scale: Scale): number => median(scale.ratios)
  const lines = scales.map((scale) => {
    const { size, parse, compile, index, bind, allowed, denied, mixed, ratios, first, worstFirst, rss } = scale
    const range = size === SMALLEST ? '' : ` (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`
    return (
      `| ${count(size)} | ${missed(mixed.toFixed(2), mixed < DECIDE)} | ${missed(`**${growth(scale).toFixed(2)}**${range}`, growth(scale) < GROWTH)} ` +
      `| ${allowed.toFixed(2)} | ${denied.toFixed(2)} | ${bind.toFixed(1)} | ${count(Math.round(parse))} ` +
      `| ${missed(count(Math.round(compile)), compile < COMPILE)} | ${count(Math.round(index))} | ${first.toFixed(2)} / ${worstFirst.toFixed(1)} | ${count(Math.round(rss))} |`
    )
  })
  const text = [
    head,
    '',
    `| rules | a decision, µs (under ${DECIDE}) | × ${SMALLEST} rules (range; under ${GROWTH}) | allowed, µs | denied, µs | bind, µs | read, ms ` +
      `| compile, ms (under ${count(COMPILE)}) | index, ms | first decision on a resource, ms: median / worst | RSS, MiB |`,
    '|---|---|---|---|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
  const good = scales.every((scale) => scale.mixed < DECIDE && growth(scale) < GROWTH && scale.compile < COMPILE)
  return { text, good }
}
