import type { Decision } from '../core/decision.ts'
import type { Held } from './bind.ts'
import type { Cell } from './cell.ts'

/** Roles that are held whatever the time, as a table to look in: places that are free have -1. */
export type QuickRoles = readonly number[]

/** So many ways to be granted per role that is held, and looking at each is not quick. */
const MANY = 4

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

function has(table: QuickRoles, index: number): boolean {
  const mask = table.length - 1
  for (let i = index & mask; ; i = (i + 1) & mask) {
    const there = table[i]
    if (there === index) return true
    if (there === -1) return false
  }
}

/**
 * The decision where it takes nothing but the roles of a party whose roles are all known and without end: one rule grants without a
 * condition, or none of those here is for a role that is held, and no guardrail meets the party. Undefined where it takes more. What comes
 * of it was made before, as `decideParty` makes it.
 */
export function quickly(found: readonly Cell[], roles: QuickRoles): Decision | undefined {
  let grant: Decision | undefined
  let only: Cell | undefined
  for (let n = 0; n < found.length; n++) {
    const cell = found[n]!
    if (cell.guardsButFor.length > 0 || cell.otherWays.length > MANY * roles.length) return undefined
    const guards = cell.guardsByRole.roles
    for (let i = 0; i < guards.length; i++) if (has(roles, guards[i]!)) return undefined
    const count = cell.firstWay === -1 ? 0 : cell.secondWay === -1 ? 1 : 2 + cell.otherWays.length
    for (let i = 0; i < count; i++) {
      const way = i === 0 ? cell.firstWay : i === 1 ? cell.secondWay : cell.otherWays[i - 2]!
      if (!has(roles, way >> 1)) continue
      if ((way & 1) === 0) return undefined
      const one = cell.grantOf(i)
      if (grant === undefined) grant = one
      else if (grant.rule !== one.rule) return undefined
    }
    if (count === 0) continue
    // Of several that have rules, the reasons are put together.
    if (only !== undefined && grant === undefined) return undefined
    only = cell
  }
  return grant ?? only?.denied
}
