import { atOnce, inSlices } from '../../core/gradual.ts'
import { packPolicy, unpackingPolicy, type CompiledPolicy, type PackedPolicy } from '../../policy/index.ts'

/** Milliseconds for which nothing is decided while a policy is taken in. */
const SLICE = 2

/** The policy, taken in beside the decisions. What `running` has been asked about is ready in it, so that nobody waits for that. */
export function unpacked(packed: PackedPolicy, running: CompiledPolicy): Promise<CompiledPolicy> {
  return inSlices(
    unpackingPolicy(packed, running.asked),
    () => new Promise((resolve) => setImmediate(resolve)),
    SLICE,
    () => performance.now(),
  )
}

/** The same policy without what was needed to read it, which is many times as large. */
export function slimmed(policy: CompiledPolicy): CompiledPolicy {
  return atOnce(unpackingPolicy(packPolicy(policy), []))
}
