/** `npm run load -- plan`: what it takes to compare two versions of a large policy exactly. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { ChangeKind } from './policies.ts'

const RULES = 10_000
const MAX_SECONDS = 60
const MAX_MEBIBYTES = 1024

interface Measured {
  readonly loadSeconds: number
  readonly compareSeconds: number
  /** CPU time of comparing: what others do on the machine shows less in it. */
  readonly cpuSeconds: number
  readonly mebibytes: number
  readonly cells: number
  readonly changes: number
  readonly notProven: number
}

const CHANGES: readonly (readonly [change: ChangeKind, resources: number, said: string])[] = [
  ['nothing', 40, 'nothing'],
  ['rules', 40, 'one rule in a hundred'],
  ['binding', 40, 'what gives one of 200 roles'],
]

/** The table, and whether every row is within the bar and proven. */
export function planTable(head: string, say: (line: string) => void): { readonly text: string; readonly good: boolean } {
  const rows = CHANGES.map(([change, resources, said]) => {
    const measured = measure(change, resources)
    say(`${said}: ${JSON.stringify(measured)}`)
    return { said, ...measured }
  })
  const bad = (one: Measured): boolean =>
    one.loadSeconds + one.compareSeconds > MAX_SECONDS || one.mebibytes > MAX_MEBIBYTES || one.notProven > 0
  const lines = rows.map(
    (one) =>
      `| ${one.said} | ${one.loadSeconds.toFixed(1)} | ${one.compareSeconds.toFixed(1)} | ${one.cpuSeconds.toFixed(1)} | ${Math.round(one.mebibytes)} | ${one.cells.toLocaleString('en')} | ${one.changes} | ${bad(one) ? '**missed**' : 'within'} |`,
  )
  const text = [
    head,
    '',
    `| what changed of ${RULES.toLocaleString('en')} rules | reading both, s | comparing, s | its CPU, s | RSS, MiB | cells compared | changes told, each with a witness | ${MAX_SECONDS} s in all, ${MAX_MEBIBYTES} MiB |`,
    '|---|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
  return { text, good: !rows.some(bad) }
}

function measure(change: ChangeKind, resources: number): Measured {
  const script = join(import.meta.dirname, 'compare.ts')
  const args = ['--disable-warning=ExperimentalWarning', script, String(RULES), change, String(resources)]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 600_000 })
  if (status !== 0) throw new Error(`comparing failed: ${stderr.trim().split('\n').at(-1) ?? ''}`)
  return JSON.parse(stdout) as Measured
}
