import type { Clock } from '../../core/clock.ts'
import type { Sources } from '../../config/wiring.ts'
import { atOnce } from '../../core/gradual.ts'
import { unpackingPolicy } from '../../policy/index.ts'
import { compile, type Configuration } from '../configuration.ts'
import { Candidate, type CandidateLimits } from './candidate.ts'
import { packSources } from './messages.ts'
import { slimmed } from './unpacked.ts'

/** Octets of sources from which on they are read in a process of their own: starting it takes half a second. */
const LARGE = 1024 * 1024

/**
 * Compiles a configuration for a gateway that has nothing to decide yet. What is needed to read a large one is many times as large as what
 * is kept, and whoever read it would have that memory for good: so another process does, and where that can't, this one.
 * @param large Default: 1 MiB
 */
export async function readFirst(
  folder: string,
  sources: Sources,
  clock: Clock,
  limits: CandidateLimits,
  large = LARGE,
): Promise<Configuration> {
  const packed = packSources(sources)
  if (packed.length >= large) {
    const question = { folder, environment: undefined, sources: packed, now: clock.now(), running: '', before: packed, versions: '' }
    const candidate = new Candidate(question, clock, limits)
    try {
      const answer = await candidate.answer
      const { diagnostics } = answer
      if (answer.kind === 'ready') {
        const policy = atOnce(unpackingPolicy(answer.policy, []))
        return { folder, sources, wiring: answer.wiring, root: undefined, policy, diagnostics }
      }
    } catch {
      // It is read here, with all the time and memory that there is.
    } finally {
      await candidate.end()
    }
  }
  const { policy, ...configuration } = compile(folder, sources, clock.now())
  return { ...configuration, policy: policy === undefined ? undefined : slimmed(policy) }
}
