/** What the index of a policy holds: statements in the order of their ids, whatever the order in which they are written, and few reasons. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { act, load, NOW, someone, wiring } from './testdata/world.ts'

const AT = { time: NOW, ip: '10.0.0.1' }
const ROLES = `roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] }
  writer: { bind: [{ issuer: entra, claim: roles, any: [W] }] }
`
const IDS = Array.from({ length: 20 }, (_, i) => `rule-${String(i).padStart(2, '0')}`)
const LEAST = IDS.slice(0, 16)

for (const [name, ids] of [
  ['as sorted', IDS],
  ['from the last', IDS.toReversed()],
] as const) {
  const rules = ids.map((id) => `  - { id: ${id}, role: [writer, reader], resource: orders, actions: ['GET /{a}', 'GET /**'] }`).join('\n')
  const { policy } = load(`${ROLES}rules:\n${rules}\nguardrails:\n  - { id: g, allBut: [writer], resource: orders, deny: [GET /b] }`)
  test(`of twenty rules that nobody may use, written ${name}, the first sixteen are told`, () => {
    const reasons = LEAST.map((id) => ({ code: 'role-not-held', id, role: 'reader' }))
    assert.deepEqual(policy!.decide(policy!.bind(someone()), act('GET /a'), 'orders', AT).reasons, reasons)
  })
  test(`of twenty rules that grant, written ${name}, all are named and the first sixteen told`, () => {
    const decision = policy!.decide(policy!.bind(someone({ claims: { roles: ['R', 'W'] } })), act('GET /a'), 'orders', AT)
    assert.deepEqual([decision.effect, decision.rule, decision.rules], ['allow', 'rule-00', IDS])
    // Of several roles, the first by name.
    assert.deepEqual(
      decision.reasons,
      LEAST.map((id) => ({ code: 'granted', id, role: 'reader' })),
    )
  })
}

test('a resource that speaks what policy does not is unknown to it, and disturbs no other', () => {
  const resources = { ...wiring.resources, odd: { ...wiring.resources['orders']!, protocol: 'gopher' } }
  const { policy } = load('rules: [{ id: a, role: everyone, resource: orders, actions: [GET /a] }]', { wiring: { ...wiring, resources } })
  const on = (resource: string) => policy!.decide(policy!.anonymous, act('GET /a'), resource, AT)
  assert.deepEqual(on('odd').reasons, [{ code: 'unknown-resource' }])
  assert.equal(on('orders').effect, 'allow')
})

test('an action of another protocol than the resource speaks is covered by nothing', () => {
  const { policy } = load("rules: [{ id: a, role: everyone, resource: orders, actions: ['* /**'] }]")
  const { effect, reasons } = policy!.decide(policy!.anonymous, { protocol: 'llm', model: 'm', operation: 'chat' }, 'orders', AT)
  assert.deepEqual([effect, reasons], ['deny', [{ code: 'no-rule' }]])
})

test('a resource is made ready when it is first asked about, or before', () => {
  const { policy } = load('rules: [{ id: a, role: everyone, resource: [orders, wiki], actions: [GET /a] }]')
  assert.deepEqual(policy!.asked, [])
  policy!.decide(policy!.anonymous, act('GET /a'), 'wiki', AT)
  assert.deepEqual(policy!.asked, ['wiki'])
  policy!.prepare('orders')
  policy!.prepare('nowhere')
  assert.deepEqual(new Set(policy!.asked), new Set(['orders', 'wiki']))
})
