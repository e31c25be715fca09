import type { Gradual } from '../../core/gradual.ts'
import { Bindings, flatBindings, type FlatBindings } from '../bindings.ts'
import { CompiledPolicy, preparing } from '../compiled.ts'
import { roleIndexes } from '../compile.ts'
import { BUILT_IN_ROLES } from '../model.ts'
import { packIndexes, UnpackedIndexes, type PackedIndexes } from './indexes.ts'
import { packModel, unpackingModel, type PackedModel } from './model.ts'

/** One version of the policy in a form that is cheap to hand over to another process, and to keep. */
export interface PackedPolicy {
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly loadedAt: number
  readonly changesAt: number | undefined
  readonly model: PackedModel
  readonly indexes: PackedIndexes
  readonly bindings: FlatBindings
}

export function packPolicy({ version, loadedAt, changesAt, model }: CompiledPolicy): PackedPolicy {
  const roles = roleIndexes([...model.roles.keys(), ...BUILT_IN_ROLES])
  const bindings = flatBindings(model, roles, loadedAt)
  return { version, loadedAt, changesAt, model: packModel(model), indexes: packIndexes(model, roles), bindings }
}

/**
 * The policy that was packed, and decides the same. Its roles, rules, guardrails and conditions are made when they are first needed.
 * @param ready Resources of which they are needed at once
 */
export function* unpackingPolicy(
  { version, loadedAt, changesAt, model: packed, indexes: known, bindings }: PackedPolicy,
  ready: readonly string[],
): Gradual<CompiledPolicy> {
  const unpacked = yield* unpackingModel(packed)
  const { model } = unpacked
  yield
  const prepared = yield* preparing(model, version, loadedAt, changesAt, (indexes) => ({
    actions: new UnpackedIndexes(known, unpacked, indexes),
    bindings: new Bindings(bindings, [...indexes.keys()], unpacked.binding),
  }))
  const policy = new CompiledPolicy(model, version, loadedAt, prepared)
  for (const resource of ready) {
    yield
    policy.prepare(resource)
  }
  return policy
}
