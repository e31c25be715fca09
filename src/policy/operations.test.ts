import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatAction } from '../core/action.ts'
import { load, act, NOW, someone, wiring } from './testdata/world.ts'
import type { OperationInfo } from './world.ts'

const ROLES = 'roles: { reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] } }\n'
const operations = new Map<string, ReadonlyMap<string, OperationInfo>>([
  [
    'orders',
    new Map([
      ['listOrders', { method: 'GET', template: '/v1/orders' }],
      ['getOrder', { method: 'GET', template: '/v1/orders/{id}' }],
      ['exportOrders', { method: 'POST', template: '/v1/orders/{id}.csv' }],
      ['health', { method: 'GET', template: '/health' }],
    ]),
  ],
  [
    'wiki',
    new Map([
      ['health', { method: 'GET', template: '/health' }],
      ['getOrder', { method: 'GET', template: '/other/{id}' }],
    ]),
  ],
])

function rule(actions: string, resource = 'orders', more = '') {
  return load(`${ROLES}rules: [{ id: a, role: reader, resource: ${resource}, actions: [${actions}]${more} }]`, { operations, wiring })
}

describe('operation ids', () => {
  test('stand for their method and path', () => {
    const { policy, diagnostics } = rule("getOrder, 'POST /x'", 'orders', ', when: params.id == "7" || true')
    assert.match(diagnostics[0]?.message ?? '', /unknown parameter `id`/)
    assert.equal(policy, undefined)
    const loaded = rule('getOrder', 'orders', ', when: params.id == "7"').policy!
    const reader = loaded.bind(someone({ claims: { roles: ['R'] } }))
    const effect = (text: string) => loaded.decide(reader, act(text), 'orders', { time: NOW, ip: '192.0.2.1' }).effect
    assert.deepEqual(['GET /v1/orders/7', 'GET /v1/orders/8', 'HEAD /v1/orders/7', 'GET /v1/orders', 'POST /v1/orders/7'].map(effect), [
      'allow',
      'deny',
      'allow',
      'deny',
      'deny',
    ])
    assert.equal(loaded.rules[0]!.actions[0]!.pattern.text, 'getOrder')
    assert.equal(formatAction(act('GET /v1/orders/7')), 'GET /v1/orders/7')
  })
  test('mean the same on several resources, or are refused', () => {
    assert.deepEqual(rule('health', '[orders, wiki]').diagnostics, [])
    assert.match(
      rule('getOrder', '[orders, wiki]').diagnostics[0]!.message,
      /is `GET \/v1\/orders\/\{id\}` on `orders` and `GET \/other\/\{id\}` on `wiki`/,
    )
    assert.match(
      rule('listOrders', '[orders, wiki]').diagnostics[0]!.message,
      /no operation `listOrders` in the OpenAPI document of resource `wiki`/,
    )
  })
  test('that nobody knows are told, with the nearest', () => {
    const [unknown] = rule('listOrder').diagnostics
    assert.match(unknown!.message, /there is no operation `listOrder`/)
    assert.equal(unknown!.help, 'did you mean `listOrders`?')
    assert.match(rule('listOrders', 'ostiary').diagnostics[0]!.message, /has no OpenAPI document/)
    assert.match(
      rule('exportOrders').diagnostics[0]!.message,
      /operation `exportOrders` is `POST \/v1\/orders\/\{id\}\.csv`: .* is not a segment/,
    )
    assert.match(rule('listOrders', '{ labels: { tier: none } }').diagnostics[0]!.message, /no resource is selected/)
  })
  test('may be in guardrails and scopes', () => {
    const { policy, diagnostics } = load(
      `${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: ['* /**'] }]\nguardrails: [{ id: g, deny: [getOrder], resource: orders, allBut: [reader] }]`,
      {
        operations,
        wiring: { ...wiring, resources: { ...wiring.resources, wiki: { ...wiring.resources['wiki']!, scopes: { Read: ['health'] } } } },
      },
    )
    assert.deepEqual(diagnostics, [])
    assert.equal(policy!.model.scopes.get('wiki')!.get('Read')![0]!.text, 'health')
  })
})
