import { pathCovers, pathsOverlap } from '../sets/path.ts'
import { valuesCover, valuesOverlap } from '../sets/values.ts'
import { wordsCover, wordsOverlap } from '../sets/words.ts'
import type { KubernetesPattern } from './template.ts'

/** Whether some request is met by both. */
export function overlaps(a: KubernetesPattern, b: KubernetesPattern): boolean {
  if (!wordsOverlap(a.verbs, b.verbs)) return false
  if (a.paths !== undefined || b.paths !== undefined)
    return a.paths !== undefined && b.paths !== undefined && pathsOverlap(a.paths, b.paths)
  return (
    wordsOverlap(a.resources, b.resources) &&
    wordsOverlap(a.groups, b.groups) &&
    wordsOverlap(a.subresources, b.subresources) &&
    valuesOverlap(a.namespaces, a, b.namespaces, b) &&
    valuesOverlap(a.names, a, b.names, b)
  )
}

/** Whether every request that `b` meets is met by `a`. */
export function covers(a: KubernetesPattern, b: KubernetesPattern): boolean {
  if (!wordsCover(a.verbs, b.verbs)) return false
  if (a.paths !== undefined || b.paths !== undefined) return a.paths !== undefined && b.paths !== undefined && pathCovers(a.paths, b.paths)
  return (
    wordsCover(a.resources, b.resources) &&
    wordsCover(a.groups, b.groups) &&
    wordsCover(a.subresources, b.subresources) &&
    valuesCover(a.namespaces, a, b.namespaces, b) &&
    valuesCover(a.names, a, b.names, b)
  )
}
