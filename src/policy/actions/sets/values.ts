import { ALL } from '../../../core/action.ts'
import { globCovers, globKey, globsOverlap, isLiteral, isStar, matchesGlob, type Glob } from './glob.ts'

/**
 * Which side a pattern is on. A rule and a scope *grant*, and cover what is wholly inside. A guardrail *takes* away, and
 * meets whatever may be inside: an action about all values at once, or about one that can't be told, is met by each.
 */
export type Side = 'grants' | 'takes'

/** The values of one field: any, none included, or those of some globs. */
export type Values = { readonly any: true } | { readonly any: false; readonly globs: readonly Glob[] }

export const ANY: Values = { any: true }

export function valuesOf(globs: readonly Glob[]): Values {
  return { any: false, globs }
}

/** Whether the pattern's field meets the action's. `*` is about all values, the empty text about none. */
export function meetsValue(values: Values, value: string, side: Side): boolean {
  if (values.any) return true
  if (value === ALL) return side === 'takes'
  return value !== '' && values.globs.some((one) => matchesGlob(one, value))
}

export interface Sided {
  readonly side: Side
}

/** Whether all that field `b` of a pattern meets is met by field `a` of another. */
export function valuesCover(a: Values, { side }: Sided, b: Values, other: Sided): boolean {
  if (a.any) return true
  if (b.any) return false
  if (side === 'grants' && other.side === 'takes') return false
  return b.globs.every((one) => a.globs.some((by) => globCovers(by, one)))
}

/** Whether something is met by both. */
export function valuesOverlap(a: Values, { side }: Sided, b: Values, other: Sided): boolean {
  if (a.any || b.any) return true
  if (side === 'takes' && other.side === 'takes') return true
  return a.globs.some((one) => b.globs.some((by) => globsOverlap(one, by)))
}

export function isAnyValue(values: Values): boolean {
  return values.any || values.globs.some(isStar)
}

/** The values one by one, where they are named so. */
export function literalsOf(values: Values): readonly string[] | undefined {
  return values.any || !values.globs.every(isLiteral) ? undefined : values.globs.map(({ pieces }) => pieces[0]!)
}

export function valuesKey(values: Values): string {
  return values.any ? '' : JSON.stringify(values.globs.map(globKey).toSorted())
}
