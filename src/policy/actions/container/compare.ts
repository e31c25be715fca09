import { globCovers, globsOverlap } from '../sets/glob.ts'
import { pathCovers, pathsOverlap } from '../sets/path.ts'
import { valuesCover, valuesOverlap } from '../sets/values.ts'
import { optionsCover, optionsOverlap } from './options.ts'
import { WITH_OPTIONS } from './known.ts'
import type { ContainerPattern } from './template.ts'

/** Whether some action is met by both. */
export function overlaps(a: ContainerPattern, b: ContainerPattern): boolean {
  const shared = [...a.operations].filter((one) => b.operations.has(one))
  if (shared.length === 0) return false
  const optional = shared.some((one) => WITH_OPTIONS.has(one)) ? optionsOverlap(a, b) : canBeBare(a) && canBeBare(b)
  return optional && imagesOverlap(a, b) && valuesOverlap(a.names, a, b.names, b)
}

/** Whether it is also for what has no option. */
function canBeBare({ side, options }: ContainerPattern): boolean {
  return side === 'grants' || options === 'unsaid'
}

function imagesOverlap(a: ContainerPattern, b: ContainerPattern): boolean {
  // What can't be told is met by every guardrail.
  if (a.side === 'takes' && b.side === 'takes') return true
  const [one, other] = [a.images, b.images]
  if (one.repositories !== undefined && other.repositories !== undefined && !pathsOverlap(one.repositories, other.repositories))
    return false
  return one.versions === undefined || other.versions === undefined || globsOverlap(one.versions, other.versions)
}

/** Whether every action that `b` meets is met by `a`. */
export function covers(a: ContainerPattern, b: ContainerPattern): boolean {
  const all = [...b.operations]
  if (!all.every((one) => a.operations.has(one))) return false
  const optional = all.some((one) => WITH_OPTIONS.has(one)) ? optionsCover(a, b) : canBeBare(a) || !canBeBare(b)
  return optional && imagesCover(a, b) && valuesCover(a.names, a, b.names, b)
}

function imagesCover(a: ContainerPattern, b: ContainerPattern): boolean {
  const [one, other] = [a.images, b.images]
  const narrow = one.repositories !== undefined || one.versions !== undefined
  if (narrow && a.side === 'grants' && b.side === 'takes') return false
  if (one.repositories !== undefined && (other.repositories === undefined || !pathCovers(one.repositories, other.repositories)))
    return false
  return one.versions === undefined || (other.versions !== undefined && globCovers(one.versions, other.versions))
}
