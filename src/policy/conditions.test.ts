/** Of whom and what a `when` may speak: the claims of those who can come, the fields of what they can do. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UNKNOWN_IP } from '../core/decision.ts'
import { act, load, NOW, someone, wiring } from './testdata/world.ts'

const ROLES = `roles:
  staff: { bind: [{ issuer: entra, claim: roles, any: [S] }] }
  pipeline: { bind: [{ issuer: ci, claim: groups, any: [p] }] }
  mixed: { bind: [{ issuer: entra, claim: roles, any: [M] }, { issuer: ci, claim: groups, any: [m] }] }
`

/** Codes and messages of what is wrong with a rule's condition. */
function wrong(role: string, resource: string, when: string, actions = 'GET /a'): readonly string[] {
  const { diagnostics } = load(`${ROLES}rules: [{ id: a, role: ${role}, resource: ${resource}, actions: ['${actions}'], when: '${when}' }]`)
  return diagnostics.map(({ code, message }) => `${code} ${message}`)
}

const UNKNOWN = (name: string) => [`policy/unknown-claim unknown claim \`${name}\` in \`when\` of rule \`a\``]
const CONFLICT = ['policy/condition-type `when` of rule `a`: claim `rank` is of different types for the issuers that this can meet']

describe('claims', () => {
  const cases: readonly (readonly [name: string, role: string, resource: string, when: string, told: readonly string[]])[] = [
    ['of an issuer of the role', 'pipeline', 'orders', 'claims.repository == "a"', []],
    ['not of one that no binding of the role names', 'staff', 'orders', 'claims.repository == "a"', UNKNOWN('repository')],
    ['of any issuer, where everyone may', 'authenticated', 'orders', 'claims.repository == "a"', []],
    ['of one of several issuers of a role', 'mixed', 'orders', 'claims.repository == "a"', []],
    ['of one of several roles', '[staff, pipeline]', 'orders', 'claims.repository == "a"', []],
    ['not of an issuer that the resource does not accept', 'authenticated', 'wiki', 'claims.repository == "a"', UNKNOWN('repository')],
    ['of one that one of several resources accepts', 'authenticated', '[orders, wiki]', 'claims.repository == "a"', []],
    ['of one type', 'staff', 'orders', 'claims.rank > 3.0', []],
    ['of the type of the issuer that can come', 'authenticated', 'wiki', 'claims.rank > 3.0', []],
    ['of types that differ where both can come', 'mixed', 'orders', 'claims.rank > 3.0', CONFLICT],
    ['of one type at both', 'mixed', 'orders', 'claims.department == "a"', []],
    // Nobody in the role can come: the name is checked all the same.
    ['of a role whose issuer the resource does not accept', 'pipeline', 'wiki', 'claims.repository == "a"', []],
    ['that nobody brings, of such a role', 'pipeline', 'wiki', 'claims.repo == "a"', UNKNOWN('repo')],
  ]
  for (const [name, role, resource, when, told] of cases)
    test(name, () =>
      assert.deepEqual(
        wrong(role, resource, when).filter((one) => !one.startsWith('policy/unreachable')),
        told,
      ),
    )
  test('of a role that is not there: that alone is told', () =>
    assert.deepEqual(
      wrong('nobody', 'orders', 'claims.repository == "a"').map((one) => one.split(' ', 1)[0]),
      ['policy/unknown-role', 'policy/unknown-claim'],
    ))
})

test('a name that is not there is told with those that are', () => {
  const told = (when: string) =>
    load(`${ROLES}rules: [{ id: a, role: staff, resource: orders, actions: [GET /a], when: '${when}' }]`).diagnostics.map((one) => [
      one.code,
      one.help,
    ])
  assert.deepEqual(told('context.place == "a"'), [['policy/unknown-field', 'there are `context.time`, `context.ip`']])
  assert.deepEqual(told('request.place == "a"'), [['policy/unknown-field', 'there are `request.method`, `request.path`']])
})

describe('parameters', () => {
  test('of every action that the condition meets', () =>
    assert.deepEqual(wrong('staff', 'orders', 'params.id == "a"', "GET /x/{id}', 'PUT /y/{id}/{more}"), []))
  test('not of one only', () =>
    assert.deepEqual(
      wrong('staff', 'orders', 'params.more == "a"', "GET /x/{id}', 'PUT /y/{id}/{more}").map((one) => one.split(' ', 1)[0]),
      ['policy/unknown-parameter'],
    ))
})

test('an action that is none is told, whatever its condition names', () =>
  assert.deepEqual(
    wrong('staff', 'orders', 'params.id == "a"', 'nonsense').map((one) => one.split(' ', 1)[0]),
    ['policy/action', 'policy/unknown-parameter'],
  ))

test('fields of a request are those that every protocol has which it can meet', () => {
  const base = { ...wiring.resources['orders']!, protocol: 'sql' }
  const told = (resource: string, actions: string, when: string) =>
    load(`${ROLES}rules: [{ id: a, role: staff, resource: ${resource}, actions: [${actions}], when: '${when}' }]`, {
      wiring: { ...wiring, resources: { ...wiring.resources, base } },
    }).diagnostics.map(({ code }) => code)
  assert.deepEqual(told('orders', 'GET /a', 'request.path == "/a"'), [])
  assert.deepEqual(told('base', 'select on public.people', 'request.schema == "public"'), [])
  assert.deepEqual(told('base', 'select on public.people', 'request.path == "/a"'), ['policy/unknown-field'])
  for (const when of ['request.path == "/a"', 'request.schema == "public"'])
    assert.ok(told('[orders, base]', 'GET /a, select on public.people', when).includes('policy/unknown-field'), when)
})

describe('of who has no credential', () => {
  const { policy } = load(`rules:
  - { id: near, role: everyone, resource: orders, actions: [GET /near], when: "inCidr(context.ip, '10.0.0.0/8')" }
  - { id: own, role: everyone, resource: orders, actions: [GET /own], when: claims.department == 'a' }`)
  const ask = (does: string, ip: string, who = policy!.anonymous) => {
    const { effect, reasons } = policy!.decide(who, act(does), 'orders', { time: NOW, ip })
    return [effect, reasons[0]?.code]
  }
  test('a condition that names no claim can be told', () => {
    assert.deepEqual(ask('GET /near', '10.0.0.1'), ['allow', 'granted'])
    assert.deepEqual(ask('GET /near', '11.0.0.1'), ['deny', 'condition-false'])
  })
  test('one over a claim can not', () => {
    assert.deepEqual(ask('GET /own', '10.0.0.1'), ['deny', 'condition-error'])
    assert.deepEqual(ask('GET /own', '10.0.0.1', policy!.bind(someone({ claims: { department: 'a' } }))), ['allow', 'granted'])
  })
})

test('arguments nested deeper than may be can not be told, and so grant nothing', () => {
  const tools = { ...wiring.resources['orders']!, protocol: 'mcp' }
  const text = `rules: [{ id: a, role: everyone, resource: tools, actions: [tools/call find], when: 'has(request.arguments.deep)' }]`
  const { policy } = load(text, { wiring: { ...wiring, resources: { ...wiring.resources, tools } } })
  const nested = (depth: number): unknown => (depth === 0 ? 1 : { deep: nested(depth - 1) })
  const listed = (depth: number): unknown => (depth === 0 ? 1 : [listed(depth - 1)])
  const ask = (given: unknown) => {
    const action = { protocol: 'mcp', method: 'tools/call', name: 'find', arguments: given as Record<string, unknown> } as const
    const { effect, reasons } = policy!.decide(policy!.anonymous, action, 'tools', { time: NOW, ip: '' })
    return [effect, reasons[0]?.code]
  }
  assert.deepEqual(ask(nested(32)), ['allow', 'granted'])
  assert.deepEqual(ask(nested(33)), ['deny', 'condition-error'])
  assert.deepEqual(ask({ deep: listed(31) }), ['allow', 'granted'])
  assert.deepEqual(ask({ deep: listed(32) }), ['deny', 'condition-error'])
})

test('an address that is not known answers nothing: no rule grants by it, and guardrails apply', () => {
  const { policy } = load(`${ROLES}rules:
  - { id: elsewhere, role: staff, resource: orders, actions: [GET /a], when: "context.ip != '10.0.0.9'" }
  - { id: anywhere, role: staff, resource: orders, actions: [GET /b] }
guardrails:
  - { id: not-from-there, resource: orders, deny: [GET /b], allBut: [mixed], when: "context.ip == '10.0.0.9'" }
`)
  const who = policy!.bind(someone({ claims: { roles: ['S'], groups: [] } }))
  const decide = (does: string, ip: string) => {
    const { effect, reasons } = policy!.decide(who, act(does), 'orders', { time: NOW, ip })
    return [effect, reasons[0]?.code]
  }
  assert.deepEqual(decide('GET /a', '10.0.0.1'), ['allow', 'granted'])
  assert.deepEqual(decide('GET /a', UNKNOWN_IP), ['deny', 'condition-error'])
  assert.deepEqual(decide('GET /b', '10.0.0.1'), ['allow', 'granted'])
  assert.deepEqual(decide('GET /b', UNKNOWN_IP), ['deny', 'guardrail-error'])
})
