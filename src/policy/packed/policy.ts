import type { Gradual } from '../../core/gradual.ts'
import { CompiledPolicy, preparing } from '../compiled.ts'
import { packModel, unpackingModel, type PackedModel } from './model.ts'

/** One version of the policy in a form that is cheap to hand over to another process, and to keep. */
export interface PackedPolicy {
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly loadedAt: number
  readonly changesAt: number | undefined
  readonly model: PackedModel
}

export function packPolicy({ version, loadedAt, changesAt, model }: CompiledPolicy): PackedPolicy {
  return { version, loadedAt, changesAt, model: packModel(model) }
}

/**
 * The policy that was packed, and decides the same. Its rules, guardrails and conditions are made when they are first needed.
 * @param ready Resources of which they are needed at once
 */
export function* unpackingPolicy(
  { version, loadedAt, changesAt, model: packed }: PackedPolicy,
  ready: readonly string[],
): Gradual<CompiledPolicy> {
  const model = yield* unpackingModel(packed)
  yield
  const policy = new CompiledPolicy(model, version, loadedAt, yield* preparing(model, version, loadedAt, changesAt))
  for (const resource of ready) {
    yield
    policy.prepare(resource)
  }
  return policy
}
