/**
 * Policies of any size that are alike but for their size, and requests to them. Whatever the size: 1,000 resources and 10,000 roles, two rules
 * at each place of a resource's paths, one rule in ten with a condition, a guardrail over all of a resource at one in ten,
 * callers with 20 roles, and requests of which half are allowed. So what a decision costs can differ by the size only.
 */
import type { Ask, CommonPolicy, Party, Statement } from '../../differential/policy/subset.ts'

const RESOURCES = 1_000
const ROLES = 10_000
const PER_PLACE = 2
export const HELD = 20
/** Of the roles that a caller holds, those that are taken from rules; the others may give something by chance. */
const USEFUL = 4
const CALLERS = 256

export interface Generated {
  readonly policy: CommonPolicy
  /** Half of them are of each kind, in an order that is as random as their resources. */
  readonly allowed: readonly Ask[]
  readonly denied: readonly Ask[]
}

/** The same numbers for the same seed: mulberry32. Answers whole numbers below `limit`. */
export function numbers(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

/** @param size Number of rules. @param asks Requests of each kind. */
export function generate(size: number, asks: number, seed = 1): Generated {
  const random = numbers(seed)
  const resources = Array.from({ length: RESOURCES }, (_, i) => `res-${i}`)
  const roles = Array.from({ length: ROLES }, (_, i) => `role-${i}`)
  const used = Math.max(1, Math.min(RESOURCES, Math.floor(size / PER_PLACE)))
  const rules = Array.from({ length: size }, (_, i) => ruleOf(i, used, resources))
  const guardrails = Array.from({ length: Math.ceil(used / 10) }, (_, i): Statement => ({
    id: `guard-${i}`,
    role: 'role-0',
    resource: resources[i * 10]!,
    method: '*',
    template: '/**',
  }))
  const policy = { resources, roles, claims: ['department'], rules, guardrails }
  const places = new Map<string, Statement[]>()
  for (const rule of rules) {
    const key = placeOf(rule)
    const list = places.get(key)
    if (list === undefined) places.set(key, [rule])
    else list.push(rule)
  }
  const callers = Array.from({ length: CALLERS }, (_, i) => callerOf(i, rules, random))
  const some = (of: (caller: (typeof callers)[number]) => Statement): readonly Ask[] =>
    Array.from({ length: asks }, () => {
      const caller = callers[random(CALLERS)]!
      const { resource, method, template } = of(caller)
      return { party: caller.party, resource, method, path: template.replaceAll(/\{\w+\}/g, () => `i${random(1_000_000)}`) }
    })
  const holds = (party: Party, rule: Statement): boolean => places.get(placeOf(rule))!.some(({ role }) => party.roles.includes(role))
  return {
    policy,
    allowed: some(({ useful }) => useful[random(useful.length)]!),
    denied: some(({ party }) => {
      for (;;) {
        const rule = rules[random(size)]!
        if (!holds(party, rule)) return rule
      }
    }),
  }
}

/**
 * Rules go round the resources; those at one place differ by their role only. The name of a resource is one text wherever it is asked about,
 * as it is in a gateway: with one for each rule, what a large policy costs more was in part the caller's own text.
 */
function ruleOf(i: number, used: number, resources: readonly string[]): Statement {
  const pair = Math.floor(i / PER_PLACE)
  const at = Math.floor(pair / used)
  const resource = pair % used
  const reads = (resource + at) % 2 === 0
  return {
    id: `rule-${i}`,
    // The first role is the guardrails' own: no caller holds it.
    role: `role-${1 + ((i * 7919) % (ROLES - 1))}`,
    resource: resources[resource]!,
    method: reads ? 'GET' : 'POST',
    template: reads ? `/area-${at}/{id}` : `/area-${at}/{id}/part-${at % 13}`,
    claim: i % 10 === 9 ? { name: 'department', value: 'sales' } : undefined,
  }
}

const placeOf = ({ resource, method, template }: Statement): string => `${resource} ${method} ${template}`

function callerOf(i: number, rules: readonly Statement[], random: (limit: number) => number) {
  const useful = Array.from({ length: Math.min(USEFUL, Math.ceil(rules.length / 4)) }, () => rules[random(rules.length)]!)
  const roles = new Set(useful.map(({ role }) => role))
  const named = new Set(rules.length < ROLES / 2 ? rules.map(({ role }) => role) : [])
  while (roles.size < HELD) {
    const role = `role-${1 + random(ROLES - 1)}`
    if (!named.has(role)) roles.add(role)
  }
  return { party: { name: `caller-${i}`, roles: [...roles], claims: { department: 'sales' } } satisfies Party, useful }
}
