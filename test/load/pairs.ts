/** Paired ratios: a slice of the candidate between two of the reference, so that a machine that drifts drifts for both. */
import { measure, type Slice } from './slice.ts'
import { seed } from './seed.ts'
import type { Workload } from './workload.ts'

export interface Subject {
  readonly pid: number
  readonly port: number
}

export interface Pairs {
  /** CPU per request of the candidate in terms of the reference's, one per repeat. */
  readonly ratios: readonly number[]
  readonly slices: readonly Slice[]
}

interface Plan {
  readonly wrk: string
  readonly folder: string
  readonly workload: Workload
  readonly repeats: number
  /** Seconds. */
  readonly seconds: number
  /** Seconds of load before the first slice. */
  readonly warm: number
}

export async function pairs(plan: Plan, reference: Subject, candidate: Subject): Promise<Pairs> {
  const slice = ({ pid, port }: Subject, seconds = plan.seconds): Promise<Slice> =>
    measure({ wrk: plan.wrk, port, folder: plan.folder, seconds }, pid, plan.workload.slice())
  // Every token that isn't cold has been seen, and hot code is compiled: what has run for a quarter of a minute costs what it will cost for weeks.
  await seed(candidate.port, plan.workload.warm)
  await measure({ wrk: plan.wrk, port: candidate.port, folder: plan.folder, seconds: plan.warm }, candidate.pid, plan.workload.warm)
  await slice(candidate, 1)
  const ratios: number[] = []
  const slices: Slice[] = []
  for (let i = 0; i < plan.repeats; i++) {
    const before = await slice(reference)
    const between = await slice(candidate)
    const after = await slice(reference)
    ratios.push(between.cpuPerRequest / ((before.cpuPerRequest + after.cpuPerRequest) / 2))
    slices.push(between)
  }
  return { ratios, slices }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
