/** Cells in the words of patterns. */
import { ALL } from '../../core/action.ts'
import type { CellText } from './space.ts'

/** Words in a list, at most; of more, the first are shown. */
const MAX_WORDS = 6

/** `get,list`, or the first of very many. */
export function someOf(words: readonly string[]): string {
  return words.length <= MAX_WORDS ? words.join(',') : `${words.slice(0, MAX_WORDS - 1).join(',')} and ${words.length - MAX_WORDS + 1} more`
}

/**
 * A field as a pattern says it. `*` is for all, nothing for what isn't there.
 * @param as How what it leaves out is said
 */
export function fieldOf(cell: CellText, field: string, as?: (text: string) => string): string {
  const said = cell.said(field, as)
  if (said === ALL) return ALL
  const words = cell.values(field).filter((one) => one !== '' && one !== ALL)
  return someOf([...(said === undefined ? [] : [said]), ...words])
}
