/** A resource that is only observed until an instant. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { act, load, NOW, someone, wiring } from './testdata/world.ts'

const POLICY = `
roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [a] }] }
rules:
  - { id: read, role: reader, resource: orders, actions: [GET /a] }
`
const orders = { ...wiring.resources['orders']!, observe: { until: new Date(NOW + 1000).toISOString() } }
const { policy, diagnostics } = load(POLICY, { wiring: { ...wiring, resources: { ...wiring.resources, orders } } })
const reader = someone({ claims: { roles: ['a'] } })

function decide(text: string, time: number) {
  assert.ok(policy !== undefined, diagnostics.map(({ message }) => message).join())
  const { effect, reasons, observed } = policy.decide(policy.bind(reader), act(text), 'orders', { time, ip: '192.0.2.1' })
  return { effect, code: reasons[0]?.code, observed: observed?.effect }
}

void test('what is denied is let through until then, and told', () => {
  assert.deepEqual(decide('GET /b', NOW), { effect: 'allow', code: 'observed', observed: 'deny' })
  assert.deepEqual(decide('GET /b', NOW + 999), { effect: 'allow', code: 'observed', observed: 'deny' })
})

void test('from then on it is denied', () => {
  assert.deepEqual(decide('GET /b', NOW + 1000), { effect: 'deny', code: 'no-rule', observed: undefined })
})

void test('what is allowed is so by its rule, before and after', () => {
  for (const time of [NOW, NOW + 1000]) assert.deepEqual(decide('GET /a', time), { effect: 'allow', code: 'granted', observed: undefined })
})

void test('a chain of parties of which nothing is only observed tells of nothing observed', () => {
  assert.ok(policy !== undefined)
  const chain = policy.bind({ ...reader, actor: { ...reader, subject: 'tenant/agent' } })
  const context = { time: NOW + 1000, ip: '192.0.2.1' }
  const [allowed, denied] = ['GET /a', 'GET /b'].map((text) => policy.decide(chain, act(text), 'orders', context))
  assert.deepEqual([allowed?.effect, allowed?.observed], ['allow', undefined])
  assert.deepEqual([denied?.effect, denied?.observed], ['deny', undefined])
})

void test('whoever is let through all the same gets what is masked masked, of an issuer that is not accepted as well', () => {
  const masks = `${POLICY}guardrails: [{ id: private, mask: { $.a: drop }, actions: ['* /**'], resource: orders, for: [everyone] }]\n`
  const resources = { ...wiring.resources, orders: { ...orders, issuers: ['entra'] } }
  const loaded = load(masks, { wiring: { ...wiring, resources } })
  assert.deepEqual(loaded.diagnostics, [])
  const ask = (issuer: string, time: number) =>
    loaded.policy!.decide(loaded.policy!.bind(someone({ issuer })), act('GET /b'), 'orders', { time, ip: '192.0.2.1' })
  for (const issuer of ['entra', 'ci']) {
    const watched = ask(issuer, NOW)
    assert.deepEqual(
      [watched.effect, watched.observed?.effect, watched.obligations.map(({ kind }) => kind)],
      ['allow', 'deny', ['mask']],
      issuer,
    )
    assert.deepEqual([ask(issuer, NOW + 1000).effect, ask(issuer, NOW + 1000).obligations], ['deny', []], issuer)
  }
  assert.deepEqual(ask('ci', NOW).observed?.reasons, [{ code: 'issuer', id: 'ci' }])
})
