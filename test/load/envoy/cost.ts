/** What a request costs in an Envoy with compiled filters, in terms of one that was written by hand for the same rules. */
import { find } from '../tools.ts'
import { stage, type Stage } from '../bench.ts'
import { gate } from '../gate.ts'
import { pairs, type Pairs, type Subject } from '../pairs.ts'
import { seed } from '../seed.ts'
import { measure } from '../slice.ts'
import type { Candidate } from '../candidates/candidate.ts'
import type { Running } from '../processes.ts'
import { IDENTITY_HEADERS } from '../../../src/envoy/identity.ts'
import { RULES } from '../workload.ts'
import { compiledFrom } from './compiled.ts'
import { writtenByHand } from './written.ts'

export interface CostPlan {
  readonly repeats: number
  /** Seconds of one slice. */
  readonly seconds: number
  /** Seconds of load before the first. */
  readonly warm: number
  readonly say: (line: string) => void
}

const BY_HAND = writtenByHand({
  dropped: [...IDENTITY_HEADERS, 'authorization'],
  said: { 'ostiary-issuer': 'iss', 'ostiary-tenant': 'tid', 'ostiary-object': 'oid' },
})

export async function measureCost(plan: CostPlan): Promise<Pairs> {
  const here = await stage()
  try {
    return await between(here, BY_HAND, compiledFrom('envoy-compiled', RULES), plan)
  } finally {
    await here.close()
  }
}

type Launched = Subject & { readonly running: Running }

/** Slices of the one between those of the other, each after it has shown that it decides right. */
async function between(here: Stage, reference: Candidate, candidate: Candidate, { repeats, seconds, warm, say }: CostPlan): Promise<Pairs> {
  const wrk = find('wrk')
  if (wrk === undefined) throw new Error('wrk makes the load')
  const started: Launched[] = []
  try {
    for (const one of [reference, candidate]) {
      say(`${one.name} …`)
      const subject = await here.launch(one)
      started.push(subject)
      const problems = await gate(one, subject.port, here.workload)
      if (problems.length > 0) throw new Error(`${one.name}: ${problems.join('; ')}`)
    }
    const [first, second] = started as [Launched, Launched]
    const { folder, workload } = here
    await seed(first.port, workload.warm)
    await measure({ wrk: wrk.path, port: first.port, folder, seconds: warm }, first.pid, workload.warm)
    return await pairs({ wrk: wrk.path, folder, workload, repeats, seconds, warm }, first, second)
  } finally {
    for (const { running } of started) await running.stop()
  }
}
