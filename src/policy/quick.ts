import type { Held } from './roleset.ts'

/** Roles that are held whatever the time, as a table to look in: places that are free have -1. */
export type QuickRoles = readonly number[]

/** Undefined where any of them ends. */
export function quickRoles(held: readonly Held[]): QuickRoles | undefined {
  if (held.some(({ until }) => until !== Number.POSITIVE_INFINITY)) return undefined
  // At most half of it is taken, so that a role that isn't there is soon known not to be.
  const size = 2 ** Math.ceil(Math.log2(Math.max(1, held.length) * 2))
  const table = Array.from({ length: size }, () => -1)
  for (const { index } of held) {
    let i = index & (size - 1)
    while (table[i] !== -1) i = (i + 1) & (size - 1)
    table[i] = index
  }
  return table
}

export function has(table: QuickRoles, index: number): boolean {
  const mask = table.length - 1
  for (let i = index & mask; ; i = (i + 1) & mask) {
    const there = table[i]
    if (there === index) return true
    if (there === -1) return false
  }
}
