/** Random policies of what all engines can say, and requests to them, over a small alphabet so that they meet often. */
import * as fc from 'fast-check'
import type { Ask, CommonPolicy, Statement } from './subset.ts'

const ROLES = ['r0', 'r1', 'r2']
const RESOURCES = ['orders', 'wiki']
const VALUES = ['a', 'b']

const template = fc
  .tuple(fc.array(fc.constantFrom('a', 'a', 'b', '{x}', '{x}'), { maxLength: 3 }), fc.constantFrom('', '', '', '/**'))
  .map(([segments, end]) => {
    const path = segments.map((one, i) => (one === '{x}' ? `/{x${i}}` : `/${one}`)).join('')
    return `${path}${end}` || '/'
  })

const statement = (methods: readonly string[]): fc.Arbitrary<Omit<Statement, 'id'>> =>
  fc.record({
    role: fc.constantFrom(...ROLES),
    resource: fc.constantFrom(...RESOURCES),
    method: fc.constantFrom(...methods),
    template,
    claim: fc.option(fc.record({ name: fc.constant('department'), value: fc.constantFrom(...VALUES) }), { nil: undefined, freq: 2 }),
  })

const named = (prefix: string, all: readonly Omit<Statement, 'id'>[]): readonly Statement[] =>
  all.map((one, i) => ({ id: `${prefix}-${i}`, ...one }))

export const commonPolicy: fc.Arbitrary<CommonPolicy> = fc
  .record({
    rules: fc.array(statement(['GET', 'GET', 'POST']), { minLength: 6, maxLength: 16 }),
    guardrails: fc.array(statement(['GET', 'POST', '*']), { maxLength: 2 }),
  })
  .map(({ rules, guardrails }) => ({
    resources: RESOURCES,
    roles: ROLES,
    claims: ['department'],
    rules: named('rule', rules),
    guardrails: named('guardrail', guardrails),
  }))

/** Every party has the claim: without it a condition is an error, of which engines make different things. */
const party = fc
  .record({ roles: fc.subarray(ROLES, { minLength: 1 }), department: fc.constantFrom(...VALUES) })
  .map(({ roles, department }) => ({ name: `${roles.join('+')}/${department}`, roles, claims: { department } }))

export const ask: fc.Arbitrary<Ask> = fc.record({
  party,
  resource: fc.constantFrom(...RESOURCES),
  method: fc.constantFrom('GET', 'GET', 'HEAD', 'POST'),
  path: fc.array(fc.constantFrom('a', 'a', 'b', 'z'), { maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
})
