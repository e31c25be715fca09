/** What doors ask of a policy besides a decision. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Action } from '../core/action.ts'
import type { Principal } from '../core/principal.ts'
import { accessOf } from './access.ts'
import { actionOf } from './index.ts'
import { act, load as loadTexts, NOW, someone, wiring as base } from './testdata/world.ts'

const resource = { ...base.resources['orders']!, labels: { zone: 'all' } }
const wiring = { ...base, resources: { web: resource, shop: { ...resource, protocol: 'kubernetes' } } }
const ROLES = `roles:
  one: { bind: [{ issuer: entra, claim: roles, any: [One] }] }
  two: { bind: [{ issuer: entra, claim: groups, any: [Two] }] }
  lead: { eligible: [{ issuer: entra, claim: roles, any: [One] }], includes: [two] }
  late: { eligible: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-06-01T00:00:00Z } }] }
`

function load(text: string) {
  const { policy, diagnostics } = loadTexts(`${ROLES}${text}`, { wiring })
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === 'error').map(({ message }) => message),
    [],
  )
  return policy!
}
const kube = (text: string): Action => actionOf(text, 'kubernetes') as Action
const one = someone({ claims: { roles: ['One'], groups: [] } })
const two = someone({ subject: 'two', claims: { roles: [], groups: ['Two'] } })

describe('whether some of a list may be granted', () => {
  const RULE =
    "rules: [{ id: r, role: one, resource: shop, actions: ['list pods -n team-a'] }, { id: w, role: one, resource: web, actions: [GET /a] }]\n"
  const may = (text: string, who = one, what = 'list pods -A') => {
    const policy = load(text)
    return policy.mayInPart(policy.bind(who), kube(what), 'shop')
  }
  test('is said of what a rule names some of', () => {
    assert.equal(may(RULE), true)
    assert.equal(may(RULE, two), false)
    assert.equal(may(RULE, one, 'list secrets -A'), false)
  })
  test('is not, where all of it is denied whatever else is known', () => {
    const denied = (more: string): boolean => may(`${RULE}guardrails: [{ id: g, resource: shop, deny: ['* pods'], ${more} }]`)
    assert.deepEqual([denied('for: [one]'), denied('for: [two]')], [false, true])
    assert.deepEqual([denied('allBut: [two]'), denied('allBut: [one]')], [false, true])
    assert.equal(denied('for: [one], when: \'claims.department == "x"\''), true)
    assert.equal(denied('for: [one], mode: observe, until: 2999-01-01T00:00:00Z'), true)
    assert.equal(may(`${RULE}guardrails: [{ id: g, resource: shop, deny: ['* pods -n team-b'], for: [one] }]`), true)
    assert.equal(may(`${RULE}guardrails: [{ id: g, resource: shop, record: strict, actions: ['* pods'], for: [one] }]`), true)
  })
  test('one role, rule, pattern or guardrail of several is enough', () => {
    const both = someone({ claims: { roles: ['One'], groups: ['Two'] } })
    assert.equal(
      may(`rules:
  - { id: r, role: [one, two], resource: shop, actions: ['get secrets -n x', 'list pods -n team-a'] }
  - { id: s, role: one, resource: shop, actions: ['get nodes'] }
`),
      true,
    )
    assert.equal(
      may(`${RULE}guardrails:
  - { id: g, for: [one, two], resource: shop, deny: ['* secrets', '* pods'] }
  - { id: h, for: [two], resource: shop, deny: ['* nodes'] }
`),
      false,
    )
    assert.equal(may(`${RULE}guardrails: [{ id: g, for: [two], resource: shop, deny: ['* pods'] }]`, both), false)
  })
  test('is never of a protocol that has no parts, and of none at all', () => {
    const policy = load(RULE)
    assert.equal(policy.mayInPart(policy.bind(one), act('GET /a'), 'web'), false)
    assert.equal(policy.mayInPart(policy.bind(one), { protocol: 'telnet' } as unknown as Action, 'web'), false)
    assert.equal(policy.mayInPart(policy.bind(one), kube('list pods -A'), 'shop'), true, 'asked again')
  })
})

describe('whether a guardrail may be about it', () => {
  const guarded = (text: string, who = one, what = 'get pods web -n shop', now = NOW): boolean => {
    const policy = load(`rules: []\nguardrails: [{ id: g, resource: shop, deny: ['* pods -n shop'], ${text} }]`)
    return policy.isGuarded(policy.bind(who), kube(what), 'shop', now)
  }
  test('whom it meets, for sure or perhaps', () => {
    assert.deepEqual([guarded('for: [one]'), guarded('for: [one]', two)], [true, false])
    assert.deepEqual([guarded('allBut: [one]'), guarded('allBut: [one]', two)], [false, true])
    assert.equal(guarded('for: [two]', { ...two, unknownClaims: new Set(['groups']) }), true)
    assert.equal(guarded('allBut: [two]', { ...two, unknownClaims: new Set(['groups']) }), true)
  })
  test('what it is about, whatever its condition, and from when', () => {
    assert.equal(guarded('for: [one]', one, 'get pods web -n other'), false)
    assert.equal(guarded('for: [one], when: \'claims.department == "x"\''), true)
    const until = 'for: [one], mode: observe, until: 2026-06-01T00:00:00Z'
    assert.deepEqual([guarded(until), guarded(until, one, 'get pods web -n shop', Date.UTC(2026, 5, 1))], [false, true])
  })
  test('one role, pattern or guardrail of several is enough', () => {
    const policy = load(`rules: []
guardrails:
  - { id: g, for: [one, two], resource: shop, deny: ['* secrets', '* pods -n shop'] }
  - { id: h, for: [two], resource: shop, deny: ['* nodes'] }
  - { id: i, allBut: [one, two], resource: shop, deny: ['* services'] }
`)
    const about = (what: string, who = one) => policy.isGuarded(policy.bind(who), kube(what), 'shop', NOW)
    assert.deepEqual([about('get pods web -n shop'), about('get nodes a'), about('get nodes a', two)], [true, false, true])
    assert.deepEqual(
      [about('get services web -n shop'), about('get services web -n shop', someone({ claims: { roles: [], groups: [] } }))],
      [false, true],
    )
  })
  test('of a protocol whose patterns are what they are written as, too', () => {
    const policy = load(`rules: []\nguardrails: [{ id: g, for: [one], resource: web, deny: [GET /a] }]`)
    const about = (what: string) => policy.isGuarded(policy.bind(one), act(what), 'web', NOW)
    assert.deepEqual([about('GET /a'), about('GET /b')], [true, false])
  })
  test('always of what no policy speaks of', () => {
    const policy = load('rules: []')
    assert.equal(policy.isGuarded(policy.bind(one), { protocol: 'telnet' } as unknown as Action, 'shop', NOW), true)
  })
})

test('what no type allows is denied, whatever it throws', () => {
  const policy = load("rules: [{ id: r, role: everyone, resource: web, actions: ['* /**'] }]")
  const decide = (action: unknown) => policy.decide(policy.anonymous, action as Action, 'web', { time: NOW, ip: '' })
  assert.equal(decide(act('GET /a')).effect, 'allow')
  for (const action of [undefined, null, { protocol: 'http' }, { protocol: 'http', method: 'GET', path: Symbol('x') }])
    assert.deepEqual(decide(action), {
      effect: 'deny',
      rule: undefined,
      rules: [],
      reasons: [{ code: 'condition-error' }],
      obligations: [],
      policyVersion: policy.version,
    })
})

test('access is what `accessOf` says', () => {
  const policy = load("rules: [{ id: r, role: one, resource: web, actions: ['GET /a'] }]")
  const context = { time: NOW, ip: '' }
  assert.deepEqual(policy.access(one, context), accessOf(policy.model, policy.loadedAt, one, context))
})

test('of an issuer that nobody knows, nobody is told to be authenticated', () => {
  const policy = load('rules: []')
  const roles = (issuer: string) => policy.holding(issuer, 'x', ['authenticated', 'one']).roles
  assert.deepEqual([roles('entra').includes('authenticated'), roles('gone').includes('authenticated')], [true, false])
})

describe('eligible roles', () => {
  const policy = load('rules: []')
  const late = someone({ claims: { oid: 'x', roles: [], groups: [] } })
  const until = Date.UTC(2026, 5, 1)
  test('are those that the policy names for somebody, by the name by which they are activated, until they end', () => {
    assert.deepEqual(policy.eligibleRoles(one, NOW), ['lead'])
    assert.deepEqual(policy.eligibleRoles(two, NOW), [])
    const both = someone({ claims: { oid: 'x', roles: ['One'], groups: [] } })
    assert.deepEqual(policy.eligibleRoles(both, NOW), ['late', 'lead'])
    assert.deepEqual([policy.eligibleRoles(late, until - 1), policy.eligibleRoles(late, until)], [['late'], []])
    assert.deepEqual(policy.eligibleRoles({ ...one, unknownClaims: new Set(['roles']) }, NOW), [], 'nor what can not be told')
    assert.deepEqual(policy.eligibleRoles({ ...two, actor: one }, NOW), [], 'nor those of who acts for them')
  })

  const grant = { issuer: one.issuer, subject: one.subject, role: 'lead', from: NOW, until: NOW + 10 }
  const told = ({ roles, unknownRoles, provenance, activated }: Principal) => ({ roles, unknownRoles, provenance, activated })
  test('that are active are among the roles, with their end, and what has made them active', () => {
    const before = policy.bind(one)
    const ended = { ...grant, from: NOW - 10, until: NOW }
    const active = policy.activate(before, [grant, ended, { ...grant, subject: 'other' }, { ...grant, role: 'one' }], NOW)
    assert.deepEqual(told(active), {
      roles: ['authenticated', 'everyone', 'lead', 'one', 'two'],
      unknownRoles: [],
      provenance: [
        { role: 'authenticated', state: 'held', claim: undefined, value: undefined },
        { role: 'everyone', state: 'held', claim: undefined, value: undefined },
        { role: 'lead', state: 'held', claim: undefined, value: undefined, until: NOW + 10 },
        { role: 'one', state: 'held', claim: 'roles', value: 'One' },
        { role: 'two', state: 'held', claim: undefined, value: undefined, until: NOW + 10 },
      ],
      activated: [grant],
    })
    for (const [grants, time] of [
      [[], NOW],
      [[grant], NOW - 1],
      [[grant], NOW + 10],
      [[{ ...grant, role: 'late' }], NOW],
    ] as const)
      assert.equal(policy.activate(before, grants, time), before, 'the same, where none is active')
  })

  test('that are active for who acts for somebody are theirs alone', () => {
    const actor = { ...one, subject: 'bot' }
    const active = policy.activate(policy.bind({ ...two, actor }), [{ ...grant, subject: 'bot' }], NOW)
    assert.deepEqual([active.roles.includes('lead'), active.actor?.roles.includes('lead'), active.activated], [false, true, undefined])
    assert.deepEqual([active.rolesUntil, active.actor?.rolesUntil], [NOW + 10, NOW + 10])
  })

  test('of somebody of whom another tells are what is active, and what they are told to hold', () => {
    const active = policy.holding(one.issuer, one.subject, ['one', 'authenticated'], [grant], NOW)
    assert.deepEqual(told(active), {
      roles: ['authenticated', 'everyone', 'lead', 'one', 'two'],
      unknownRoles: [],
      provenance: [
        { role: 'authenticated', state: 'held', claim: undefined, value: undefined },
        { role: 'everyone', state: 'held', claim: undefined, value: undefined },
        { role: 'lead', state: 'held', claim: undefined, value: undefined, until: NOW + 10 },
        { role: 'one', state: 'held', claim: undefined, value: undefined },
        { role: 'two', state: 'held', claim: undefined, value: undefined, until: NOW + 10 },
      ],
      activated: [grant],
    })
    const bound = policy.holding(one.issuer, one.subject, ['authenticated'], [{ ...grant, role: 'one' }], NOW)
    assert.deepEqual([bound.roles, bound.activated], [['authenticated', 'everyone'], undefined], 'nothing activates a role that is bound')
    const ended = policy.holding(one.issuer, one.subject, ['one', 'lead'], [grant], NOW + 10)
    assert.deepEqual(told(ended), {
      roles: ['everyone', 'one'],
      unknownRoles: ['authenticated', 'lead'],
      provenance: [
        { role: 'everyone', state: 'held', claim: undefined, value: undefined },
        { role: 'one', state: 'held', claim: undefined, value: undefined },
        { role: 'authenticated', state: 'unknown', claim: undefined, value: undefined },
        { role: 'lead', state: 'unknown', claim: undefined, value: undefined },
      ],
      activated: undefined,
    })
  })
})
