import { valuesCover, valuesOverlap } from '../sets/values.ts'
import { WITH_MODEL } from './known.ts'
import type { LlmPattern } from './template.ts'

/** Whether some request is met by both. */
export function overlaps(a: LlmPattern, b: LlmPattern): boolean {
  const shared = [...a.operations].filter((one) => b.operations.has(one))
  return shared.length > 0 && modelsOverlap(a, b)
}

/** A model is always known: that two guardrails meet what can't be told says nothing here. */
function modelsOverlap(a: LlmPattern, b: LlmPattern): boolean {
  return valuesOverlap(a.models, { side: 'grants' }, b.models, { side: 'grants' })
}

/** Whether every request that `b` meets is met by `a`. */
export function covers(a: LlmPattern, b: LlmPattern): boolean {
  if (![...b.operations].every((one) => a.operations.has(one))) return false
  const anyModel = b.models.any && [...b.operations].every((one) => !WITH_MODEL.includes(one))
  return anyModel || valuesCover(a.models, { side: 'grants' }, b.models, { side: 'grants' })
}
