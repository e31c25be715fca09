import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** What it took, and what came of it. */
export interface ProofFigures {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly mebibytes: number
  readonly resources: number
  readonly comparisons: number
  /** Resources that are not proven. */
  readonly open: number
}

const [RULES, RESOURCES] = [10_000, 200]
const MAX_SECONDS = 60
const MAX_MEBIBYTES = 1024

/** A proof of what an Envoy is sent of a large policy, in a process of its own. */
export function measureProof(): ProofFigures {
  const args = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'proof.ts'), String(RULES), String(RESOURCES)]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 600_000 })
  if (status !== 0) throw new Error(`proving failed: ${stderr.trim().split('\n').at(-1) ?? ''}`)
  return JSON.parse(stdout) as ProofFigures
}

/** Lines of the table, and whether the bars are met. */
export function proofRows({ seconds, cpuSeconds, mebibytes, resources, comparisons, open }: ProofFigures): {
  readonly rows: readonly string[]
  readonly good: boolean
} {
  const isGood = seconds <= MAX_SECONDS && mebibytes <= MAX_MEBIBYTES && open === 0
  const what = `${RULES.toLocaleString('en')} rules of ${resources} services, which overlap, emitted, read back and proven: ${comparisons.toLocaleString('en')} comparisons`
  const found = `${seconds.toFixed(1)} s (CPU ${cpuSeconds.toFixed(1)} s), ${Math.round(mebibytes)} MiB${open === 0 ? '' : `, **${open} not proven**`}`
  return { rows: [`| ${what} | ${found} | ${MAX_SECONDS} s, ${MAX_MEBIBYTES} MiB: ${isGood ? 'within' : 'missed'} |`], good: isGood }
}
