import type { LlmAction } from '../../../core/action.ts'
import { MODEL, WITH_MODEL, WITHOUT_MODEL } from './known.ts'

/** Whether an action has the form that a door gives it. What hasn't is covered by nothing. */
export function isCanonical({ operation, model, tokens }: LlmAction): boolean {
  if (tokens !== undefined && !(Number.isSafeInteger(tokens) && tokens >= 0)) return false
  return WITH_MODEL.includes(operation) ? MODEL.test(model) : WITHOUT_MODEL.includes(operation) && model === ''
}
