/** Rules and guardrails before they have names: their actions, joined where they are of the same callers, and what is in two of them. */
import { parsePattern } from '../../../policy/actions/http/template.ts'
import { intersection } from '../paths.ts'
import type { AuthorizationPolicy } from '../translate/types.ts'
import type { Grant } from './operations.ts'
import { documentOf } from './workloads.ts'

export interface Draft {
  readonly is: 'rule' | 'guardrail'
  /** What it is called after. */
  readonly wish: string
  /** Where it is from, for whoever reads it. */
  readonly origin: string
  readonly actions: readonly string[]
  readonly roles: readonly string[]
  /** Of a guardrail: whom `roles` are for. */
  readonly who: 'for' | 'allBut'
  readonly peer: string | undefined
  readonly when: string | undefined
}

export interface Granting extends Draft {
  /** Paths of `GET` whose `HEAD` was not let in. */
  readonly headless: readonly string[]
}

export const BLANK = { who: 'for' as const, peer: undefined, when: undefined }
export interface Part {
  readonly roles: readonly string[]
  readonly when: string | undefined
  readonly peer: string | undefined
  readonly actions: readonly string[]
  readonly headless: readonly string[]
}

export function actionsOf(
  { methods, paths }: Grant,
  isGrant = true,
): { readonly actions: readonly string[]; readonly headless: readonly string[] } {
  const hasGet = methods.includes('GET')
  const written = isGrant && hasGet ? methods.filter((one) => one !== 'HEAD') : methods
  return {
    actions: paths.flatMap((path) => written.map((method) => `${method} ${path}`)),
    headless: hasGet && !methods.includes('HEAD') ? paths : [],
  }
}

/** One for all parts of the same callers, and then for all callers of the same. */
export function merged(parts: readonly Part[]): readonly Part[] {
  const byCallers = Map.groupBy(parts, ({ roles, when, peer }) => JSON.stringify([roles, when, peer]))
  const joined = [...byCallers.values()].map((same) => ({
    ...same[0]!,
    actions: unique(same.flatMap(({ actions }) => actions)),
    headless: unique(same.flatMap(({ headless }) => headless)),
  }))
  const byActions = Map.groupBy(joined, ({ actions, when, peer }) => JSON.stringify([actions, when, peer]))
  return [...byActions.values()].map((same) => ({ ...same[0]!, roles: unique(same.flatMap(({ roles }) => roles)) }))
}

export function unique(all: readonly string[]): readonly string[] {
  return [...new Set(all)]
}

export function conjunction(parts: readonly string[]): string {
  const all = unique(parts)
  return all.length === 1 ? all[0]! : all.map((one) => (one.includes(' || ') && !one.startsWith('(') ? `(${one})` : one)).join(' && ')
}

export function named(policy: AuthorizationPolicy, index: number): Pick<Draft, 'wish' | 'origin'> {
  const { name } = policy.metadata
  return { wish: policy.rules.length === 1 ? name : `${name}-${index + 1}`, origin: originOf(policy, index) }
}

export function originOf(policy: AuthorizationPolicy, index: number): string {
  return `${documentOf(policy)}${policy.rules.length === 1 ? '' : `, rule ${index + 1}`}`
}

export function methodOf(action: string): string {
  return action.slice(0, action.indexOf(' '))
}

export function pathOf(action: string): string {
  return action.slice(action.indexOf(' ') + 1)
}

export function meet(a: string, b: string): boolean {
  const [one, other] = [methodOf(a), methodOf(b)]
  const isSame = one === other || one === '*' || other === '*' || (one === 'GET' && other === 'HEAD') || (one === 'HEAD' && other === 'GET')
  return isSame && within(pathOf(a), pathOf(b)).length > 0
}

/** With the names that `within` gives. */
export function sameShape(path: string): string {
  return within(path, path)[0] ?? path
}

/** What of a path is in another, too. */
export function within(path: string, other: string): readonly string[] {
  const [a, b] = [path, other].map((one) => parsePattern(`* ${one}`).pattern)
  const met = a === undefined || b === undefined ? undefined : intersection(a, b)
  if (met === undefined) return []
  const segments = met.segments.map((one, index) => (one.kind === 'literal' ? one.text : `{p${index + 1}}`))
  return [`/${[...segments, ...(met.rest ? ['**'] : [])].join('/')}`]
}

/** More than a condition may be, or nearly. */
export function isTooLarge(when: readonly string[]): boolean {
  const text = when.join(' && ')
  const loops = text.split('.exists(').length - 1
  return text.length > 4000 || loops > 8 || (text.match(/"(?:[^"\\]|\\.)*"|[A-Za-z_]+|&&|\|\||[!=]+|[([]/g) ?? []).length > 900
}
