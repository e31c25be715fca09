import type { Action } from '../../core/action.ts'
import type { Decision, DecisionContext } from '../../core/decision.ts'
import type { GrantSource } from '../../core/policy.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import type { Seen, SeenPrincipal } from '../seen.ts'
import { withActive } from './active.ts'
import type { PeopleAnswer, PersonAnswer } from './shapes.ts'

/** What is asked of everybody whom the record knows. */
export interface AskedOfAll {
  readonly action: Action
  readonly resource: string
  readonly context: DecisionContext
}

export interface Judged extends SeenPrincipal {
  readonly decision: Decision
}

/** A look at everybody costs as much as so many questions. */
export const SEARCH_COSTS = 100

/** Decides for each whom the record knows, as they were proven last. `incomplete` says who can't be among them. */
export function judge(
  { principals, whole }: Seen,
  policy: CompiledPolicy,
  { action, resource, context }: AskedOfAll,
  active: GrantSource,
): { readonly judged: readonly Judged[]; readonly incomplete: string } {
  const judged = principals.map((seen) => {
    const { identity } = seen
    return { ...seen, decision: policy.decide(policy.bind(identity), action, resource, withActive(context, identity, active)) }
  })
  const known = whole
    ? 'only whoever came here in the last thirty days is known'
    : 'there was more in the last thirty days than could be looked at'
  return { judged, incomplete: `${known}; the providers know the others, by role` }
}

/** People and workloads of the record who may do something, or may once they prove more or somebody approves. */
export function peopleWho(
  seen: Seen,
  policy: CompiledPolicy,
  { action, resource, now }: { readonly action: Action; readonly resource: string; readonly now: number },
  active: GrantSource,
): PeopleAnswer {
  // Whence and by way of whom they would come is nobody's to say: what asks for it is not met.
  const { judged, incomplete } = judge(seen, policy, { action, resource, context: { time: now, ip: '' } }, active)
  const principals = judged.flatMap(({ identity, seenAt, decision: { effect } }): PersonAnswer[] => {
    if (effect === 'deny') return []
    const { issuer, subject, display, kind } = identity
    return [{ principal: `${issuer}/${subject}`, display, kind, seenAt, effect }]
  })
  return { principals, incomplete: `${incomplete}; each is judged without the address, the peer and the reason that they would come with` }
}

const SHOWN = 50

/** The same as text for a terminal, without colour. */
export function renderPeople({ principals, incomplete }: PeopleAnswer): string {
  const lines = ['', 'seen in the last thirty days']
  if (principals.length === 0) lines.push('  nobody who may')
  for (const { principal, display, kind, seenAt, effect } of principals.slice(0, SHOWN))
    lines.push(`  ${principal}${display === undefined ? '' : `  ${display}`}  (${kind}, ${seenAt})${AFTER[effect]}`)
  if (principals.length > SHOWN) lines.push(`  and ${principals.length - SHOWN} more`)
  lines.push(`incomplete: ${incomplete}`)
  return `${lines.map((line) => line.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\uFFFD')).join('\n')}\n`
}

const AFTER = { allow: '', challenge: '  once they prove more', 'needs-approval': '  once it is approved' } as const
