/** The table of what the door for clusters costs. */
import { median } from '../pairs.ts'
import { CONNECTIONS, IDLE, RATE, ROUNDS, WATCHES, type Figures, type Measured } from './measure.ts'

export { measureKubernetes } from './measure.ts'

export function kubernetesTable({ proxy, gateway, straight, bytes }: Measured, made: string): string {
  const row = (what: string, of: (figures: Figures) => number, digits: number): string =>
    `| ${what} | ${of(proxy).toFixed(digits)} | ${of(gateway).toFixed(digits)} | |`
  const paired = (what: string, of: (figures: Figures) => readonly number[]): string => {
    const ratios = of(gateway).map((cost, i) => cost / of(proxy)[i]!)
    const range = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
    return `| ${what} | ${median(of(proxy)).toFixed(0)} | ${median(of(gateway)).toFixed(0)} | **${median(ratios).toFixed(2)}** (${range}) |`
  }
  return [
    made,
    '',
    '| | `kubectl proxy` | the gateway | × (range) |',
    '|---|---|---|---|',
    paired(`CPU of a GET of ${bytes.toLocaleString('en')} bytes, ${CONNECTIONS} connections, µs`, ({ get }) => get),
    paired(`CPU of an event of a watch, ${WATCHES} watches, µs`, ({ event }) => event),
    row(
      `added to p50 of a GET at ${RATE}/s, median of ${ROUNDS} rounds (${straight.p50.toFixed(1)} ms straight at the API server), ms`,
      ({ p50 }) => p50,
      2,
    ),
    row(`added to p99 (${straight.p99.toFixed(1)} ms straight), ms`, ({ p99 }) => p99, 2),
    row('GETs per second at most', ({ perSecond }) => perSecond, 0),
    row('RSS at the start, MiB', ({ memory }) => memory, 0),
    row('RSS after all of it, MiB', ({ after }) => after, 0),
    row(`RSS of an idle watch on a connection of its own, of ${IDLE.toLocaleString('en')}, KiB`, ({ perWatch }) => perWatch, 1),
  ].join('\n')
}
