import type { ActionCell } from '../actions/cells.ts'

/** Cells of which the same is told. */
export interface Group<T> {
  readonly value: T
  readonly cells: ActionCell[]
}

export function addTo<T>(groups: Map<string, Group<T>>, key: string, value: T, cell: ActionCell): void {
  const group = groups.get(key)
  if (group === undefined) groups.set(key, { value, cells: [cell] })
  else group.cells.push(cell)
}
