import { vocabularyOf, type ActionPattern } from '../actions/index.ts'
import type { ResourceInfo } from '../world.ts'

/**
 * Patterns of all that a resource lets through because it is only observed: also what no rule speaks of. None where it is enforced;
 * `undefined` where the actions of its protocol can't all be written.
 */
export function letThrough(resource: ResourceInfo | undefined, now: number): readonly ActionPattern[] | undefined {
  const { protocol, observedUntil } = resource ?? {}
  if (protocol === undefined || observedUntil === undefined || observedUntil <= now) return []
  const vocabulary = vocabularyOf(protocol)
  return vocabulary?.everything?.flatMap((text) => vocabulary.parse(text, 'takes').pattern ?? [])
}
