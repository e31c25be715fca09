/** What a bench found, as a table for people and as JSON for the next program. */
import { readFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import type { Row } from './bench.ts'
import { RATE } from './latency.ts'
import { median } from './pairs.ts'
import { CONNECTIONS } from './slice.ts'
import { BODY_BYTES, COLD_SHARE, RULES, TOKENS } from './workload.ts'

export interface Circumstances {
  readonly command: string
  /** Days are enough: `2026-11-21`. */
  readonly date: string
  readonly machine: string
  readonly node: string
  readonly repeats: number
  readonly seconds: number
  readonly warm: number
}

export function circumstances(command: string, repeats: number, seconds: number, warm: number): Circumstances {
  const [cpu] = cpus()
  return {
    command,
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, Linux ${release()}, ${distribution()}`,
    node: process.version,
    repeats,
    seconds,
    warm,
  }
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? ''
  } catch {
    return ''
  }
}

const fixed = (value: number, digits: number): string => value.toFixed(digits)

function ratio(row: Row): number {
  return row.outcome === 'measured' ? median(row.pairs.ratios) : Number.POSITIVE_INFINITY
}

/** Where and by what a table was made. */
export function madeBy({ command, date, machine, node }: Circumstances): string {
  return `Made by \`${command}\` on ${date}: ${machine}; Node ${node}.`
}

/** The table, cheapest first; what could not be measured is at its end and says why. */
export function markdown(rows: readonly Row[], facts: Circumstances, tokenBytes: number): string {
  const lines = rows.toSorted((a, b) => ratio(a) - ratio(b)).map(line)
  return [
    madeBy(facts),
    '',
    '| proxy | what it does | CPU per request, × plain nginx (range) | µs | requests/s | p50 / p99 at saturation, ms | p50 / p99 at ' +
      `${RATE.toLocaleString('en')}/s, ms | RSS, MiB |`,
    '|---|---|---|---|---|---|---|---|',
    ...lines,
    '',
    `Each ratio is a candidate's slice of ${facts.seconds} s between two of the reference, median of ${facts.repeats}, after ${facts.warm} s of load to warm up; ${CONNECTIONS} connections, ` +
      `${TOKENS.toLocaleString('en')} tokens of about ${tokenBytes.toLocaleString('en')} bytes (RS256), ${COLD_SHARE * 100} % of them never seen before in each slice, ` +
      `${RULES.length} overlapping templates, ${BODY_BYTES.toLocaleString('en')} bytes of answer. Proxy on one CPU; load and upstream on the other. ` +
      'Microseconds and rates are this machine on this day; the ratios are what to compare.',
    ...foreign(rows),
    ...against(rows),
  ].join('\n')
}

function line(row: Row): string {
  const name = row.version === '' ? row.candidate.name : `${row.candidate.name} (${row.version})`
  const head = `| ${name} | ${row.candidate.does} |`
  switch (row.outcome) {
    case 'measured': {
      const { ratios, slices } = row.pairs
      const of = (pick: (slice: (typeof slices)[number]) => number): number => median(slices.map(pick))
      const range = `${fixed(Math.min(...ratios), 2)}–${fixed(Math.max(...ratios), 2)}`
      const rated =
        row.latency === undefined
          ? '–'
          : `${fixed(row.latency.p50, 1)} / ${fixed(row.latency.p99, 1)}${row.latency.reached < RATE * 0.98 ? ` (reached ${fixed(row.latency.reached, 0)}/s)` : ''}`
      return `${head} **${fixed(median(ratios), 2)}** (${range}) | ${fixed(
        of(({ cpuPerRequest }) => cpuPerRequest),
        1,
      )} | ${Math.round(of(({ perSecond }) => perSecond)).toLocaleString('en')} | ${fixed(
        of(({ p50 }) => p50),
        1,
      )} / ${fixed(
        of(({ p99 }) => p99),
        1,
      )} | ${rated} | ${fixed(row.memory, 0)} |`
    }
    case 'not installed':
      return `${head} not installed: \`${row.install}\` | | | | | |`
    case 'failed':
      return `${head} not measured: ${row.problems.map((one) => one.split('\n')[0]!.replaceAll('|', '\\|')).join('; ')} | | | | | |`
  }
}

/** Whether the machine had time for this: what others used of the proxy's CPU meanwhile. */
function foreign(rows: readonly Row[]): readonly string[] {
  const shares = rows.flatMap((row) => (row.outcome === 'measured' ? row.pairs.slices.map((slice) => slice.foreign) : []))
  if (shares.length === 0) return []
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`
  return [
    '',
    `Others used ${percent(median(shares))} of the proxy's CPU meanwhile (median of all slices; at most ${percent(Math.max(...shares))}).`,
  ]
}

/** One sentence for those who decide: how Ostiary stands to what does the same work. */
function against(rows: readonly Row[]): readonly string[] {
  const own = rows.find(({ candidate }) => candidate.id === 'ostiary-spool')
  const peer = rows.find(({ candidate }) => candidate.id === 'envoy-rbac')
  if (own?.outcome !== 'measured' || peer?.outcome !== 'measured') return []
  const factor = ratio(peer) / ratio(own)
  const said = factor >= 1 ? `${fixed(factor, 2)} times the CPU of Ostiary (spool)` : `${fixed(factor, 2)} of the CPU of Ostiary (spool)`
  return [
    '',
    `Envoy with \`jwt_authn\` (cached) and \`rbac\` of the same rules, which comes closest to the same work, spends ${said} for a request; ` +
      'it signs no assertion and chains no record.',
  ]
}

export function json(rows: readonly Row[], facts: Circumstances): unknown {
  return {
    ...facts,
    workload: { tokens: TOKENS, coldShare: COLD_SHARE, templates: RULES.length, connections: CONNECTIONS, bodyBytes: BODY_BYTES },
    rows: rows.map((row) => ({
      id: row.candidate.id,
      name: row.candidate.name,
      does: row.candidate.does,
      version: row.version,
      outcome: row.outcome,
      ...(row.outcome === 'measured'
        ? {
            ratio: median(row.pairs.ratios),
            ratios: row.pairs.ratios,
            slices: row.pairs.slices,
            latency: row.latency,
            memoryMiB: row.memory,
          }
        : row.outcome === 'failed'
          ? { problems: row.problems }
          : { install: row.install }),
    })),
  }
}
