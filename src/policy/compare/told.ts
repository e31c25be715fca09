import type { ActionCell } from '../actions/cells.ts'
import { someOf } from '../actions/celltext.ts'

/**
 * Cells in as few words as can be: a pattern stands for all that it covers.
 * @param textOf A pattern as written, by its number
 * @param sizeOf In how many cells it is
 */
export function toldBy(
  cells: readonly ActionCell[],
  textOf: (pattern: number) => string,
  sizeOf: (pattern: number) => number,
): readonly string[] {
  const byPattern = new Map<number, ActionCell[]>()
  for (const cell of cells)
    for (const number of cell.covering) {
      const list = byPattern.get(number)
      if (list === undefined) byPattern.set(number, [cell])
      else list.push(cell)
    }
  const whole = [...byPattern]
    .filter(([number, list]) => sizeOf(number) === list.length)
    .toSorted(([a, m], [b, n]) => n.length - m.length || a - b)
  const left = new Set(cells)
  const told = new Set<string>()
  for (const [number, list] of whole) {
    if (!list.some((cell) => left.has(cell))) continue
    for (const cell of list) left.delete(cell)
    told.add(textOf(number))
  }
  for (const text of together(left)) told.add(text)
  return [...told].toSorted()
}

/** Cells of which only the list in front differs are told by one list. */
function together(cells: Iterable<ActionCell>): readonly string[] {
  const texts: string[] = []
  const lists = new Map<string, Set<string>>()
  for (const { text, listed } of cells) {
    if (listed === undefined) texts.push(text)
    else lists.set(listed.rest, new Set([...(lists.get(listed.rest) ?? []), ...listed.words]))
  }
  return [...texts, ...[...lists].map(([rest, words]) => `${someOf([...words])}${rest}`)]
}
