import { valuesCover, valuesOverlap } from '../sets/values.ts'
import { wordsCover, wordsOverlap } from '../sets/words.ts'
import { WITHOUT_OBJECT } from './known.ts'
import type { SqlPattern } from './template.ts'

/** Whether some access is met by both. */
export function overlaps(a: SqlPattern, b: SqlPattern): boolean {
  return (
    wordsOverlap(a.classes, b.classes) &&
    valuesOverlap(a.schemas, a, b.schemas, b) &&
    valuesOverlap(a.objects, a, b.objects, b) &&
    valuesOverlap(a.columns, a, b.columns, b)
  )
}

/** Whether every access that `b` meets is met by `a`. */
export function covers(a: SqlPattern, b: SqlPattern): boolean {
  if (!wordsCover(a.classes, b.classes)) return false
  // What is on nothing has only its class.
  if ([...b.classes.values].every((one) => WITHOUT_OBJECT.includes(one))) return true
  return valuesCover(a.schemas, a, b.schemas, b) && valuesCover(a.objects, a, b.objects, b) && valuesCover(a.columns, a, b.columns, b)
}
