import type { Obligation } from '../core/decision.ts'
import type { ActionPattern } from './actions/index.ts'
import type { GuardrailSlot, RuleSlot } from './cell.ts'
import type { Guardrail, Rule } from './model.ts'

/** What a statement brings to a place of the index, by which of its patterns it stands there. */
export type Bringing = (pattern: ActionPattern) => RuleSlot | GuardrailSlot

/** @param indexes Of every role, the built-in ones too */
export function bringing(statement: Rule | Guardrail, indexes: ReadonlyMap<string, number>): Bringing {
  const { id, when, roles } = statement
  const shared = { id, when, indexes: roles.map((role) => indexes.get(role)!) }
  const indexed = (names: readonly string[]) => names.map((role) => ({ index: indexes.get(role)!, role }))
  if (statement.kind === 'rule') {
    const own = { kind: 'rule', ...shared, role: roles[0] ?? '', peer: statement.peer && indexed(statement.peer) } as const
    return (pattern) => ({ ...own, pattern })
  }
  const exempt = statement.who === 'allBut' ? indexed(roles) : []
  const own = { kind: 'guardrail', ...shared, exempt, guardrail: statement, obligations: obligationsOf(statement) } as const
  return (pattern) => ({ ...own, pattern })
}

function obligationsOf({ id, masks, strict }: Guardrail): readonly Obligation[] {
  return [
    ...(masks.length === 0 ? [] : [{ kind: 'mask', ids: [id], fields: masks } as const]),
    ...(strict ? [{ kind: 'record', ids: [id], mode: 'strict' } as const] : []),
  ]
}
