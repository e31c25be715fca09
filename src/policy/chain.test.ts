/** What the parties of a chain come to together: the strictest effect, and all that stands against any, or that any is obliged to. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Decision } from '../core/decision.ts'
import type { Identity } from '../core/principal.ts'
import { act, load, NOW, someone } from './testdata/world.ts'

const END = NOW + 1000
const OBSERVED = `mode: observe, until: '${new Date(END).toISOString()}'`
const { policy } = load(`roles:
  one: { bind: [{ issuer: entra, claim: roles, any: ['1'] }] }
  two: { bind: [{ issuer: entra, claim: roles, any: ['2'] }] }
rules:
  - { id: b, role: one, resource: orders, actions: ['GET /**'] }
  - { id: a, role: two, resource: orders, actions: ['GET /**'] }
guardrails:
  - { id: pair-1, resource: orders, actions: [GET /pairs], for: [one], require: { approval: { from: [one] } } }
  - { id: pair-2, resource: orders, actions: [GET /pairs], for: [two], require: { approval: { from: [one], count: 2 } } }
  - { id: mfa, resource: orders, actions: [GET /strong], for: [one], require: { mfa: true } }
  - { id: context, resource: orders, actions: [GET /strong], for: [two], require: { authContext: c1 } }
  - { id: mixed-1, resource: orders, actions: [GET /mixed], for: [one], require: { approval: { from: [one] } } }
  - { id: mixed-2, resource: orders, actions: [GET /mixed], for: [two], require: { mfa: true } }
  - { id: soon, resource: orders, deny: [GET /soon, GET /later], for: [two], ${OBSERVED} }
  - { id: late, resource: orders, actions: [GET /later], for: [one], require: { mfa: true }, ${OBSERVED} }
  - { id: masked, resource: orders, actions: [GET /masked], for: [one], mask: { $.a: hash } }
  - { id: blank, resource: orders, actions: [GET /masked], for: [two], mask: { $.a: drop, $.b: hash }, record: strict }
  - { id: mind, resource: orders, actions: [GET /minded], for: [two], mask: { $.a: drop }, ${OBSERVED} }
  - { id: unseen, resource: orders, deny: [GET /unseen], for: [two] }
`)

const party = (role: string, more: Partial<Identity> = {}): Identity =>
  someone({ subject: role, claims: { roles: [role], groups: [] }, ...more })
const acting = (first: string, ...others: string[]): Identity => ({
  ...party(first),
  actor: others.length === 0 ? undefined : acting(others[0]!, ...others.slice(1)),
})

function ask(who: Identity, does: string): Decision {
  return policy!.decide(policy!.bind(who), act(does), 'orders', { time: NOW, ip: '10.0.0.1' })
}

describe('together they are', () => {
  test('allowed by the rules of all, of which the least is told', () => {
    const { effect, rule, rules, reasons } = ask(acting('1', '2'), 'GET /x')
    assert.deepEqual([effect, rule, rules], ['allow', 'a', ['a', 'b']])
    assert.deepEqual(reasons, [{ code: 'granted', id: 'b', role: 'one' }])
  })
  test('the rules of one who acts alone are not those of another', () =>
    assert.deepEqual([ask(party('1'), 'GET /x').rules, ask(party('2'), 'GET /x').rules], [['b'], ['a']]))
  test('waiting for every approval that any needs', () => {
    const { effect, approvals, reasons } = ask(acting('2', '1'), 'GET /pairs')
    assert.equal(effect, 'needs-approval')
    assert.deepEqual(approvals, [
      { id: 'pair-1', from: ['one'], count: 1 },
      { id: 'pair-2', from: ['one'], count: 2 },
    ])
    assert.deepEqual(reasons, [
      { code: 'approval', id: 'pair-2', role: 'two' },
      { code: 'party', id: 'entra/1' },
      { code: 'approval', id: 'pair-1', role: 'one' },
    ])
  })
  test('waiting for one approval once, whoever needs it', () =>
    assert.deepEqual(ask(acting('1', '1'), 'GET /pairs').approvals, [{ id: 'pair-1', from: ['one'], count: 1 }]))
  test('challenged for all that is not proven; only what the first proves is asked of its claims', () => {
    const { effect, requirements } = ask(acting('2', '1'), 'GET /strong')
    assert.equal(effect, 'challenge')
    assert.deepEqual(requirements, [
      { kind: 'auth-context', name: 'c1', proof: { claim: 'groups', values: ['c'] } },
      { kind: 'mfa', name: '', proof: undefined },
    ])
  })
  test('challenged once for what both lack, and for what only the first can prove', () => {
    const proof = { claim: 'department', values: ['a'] }
    assert.deepEqual(ask(acting('1', '1', '1'), 'GET /strong').requirements, [
      { kind: 'mfa', name: '', proof },
      { kind: 'mfa', name: '', proof: undefined },
    ])
  })
  test('obliged to the strictest of what any is', () =>
    assert.deepEqual(ask(acting('1', '2'), 'GET /masked').obligations, [
      {
        kind: 'mask',
        ids: ['blank', 'masked'],
        fields: [
          { path: '$.a', mask: { as: 'drop' } },
          { path: '$.b', mask: { as: 'hash' } },
        ],
      },
      { kind: 'record', ids: ['blank'], mode: 'strict' },
    ]))
  test('what the strictest says, whoever comes first', () => {
    const effects = (...roles: [string, string]) => [
      ask(acting(...roles), 'GET /mixed').effect,
      ask(acting(roles[1], roles[0]), 'GET /mixed').effect,
    ]
    assert.deepEqual(effects('1', '1'), ['needs-approval', 'needs-approval'])
    assert.deepEqual(effects('1', '2'), ['challenge', 'challenge'])
    assert.deepEqual(effects('1', '3'), ['deny', 'deny'])
    assert.deepEqual(effects('2', '3'), ['deny', 'deny'])
  })
  test('obliged to nothing, where one is denied', () => {
    const { effect, obligations, rules } = ask(acting('1', '3'), 'GET /masked')
    assert.deepEqual([effect, obligations, rules], ['deny', [], ['b']])
  })
  test('denied, and what grants to one is no reason', () => {
    const { effect, reasons } = ask(acting('1', '2'), 'GET /unseen')
    assert.equal(effect, 'deny')
    assert.deepEqual(reasons, [
      { code: 'party', id: 'entra/2' },
      { code: 'guardrail', id: 'unseen', role: 'two' },
    ])
  })
})

describe('what is only observed of them', () => {
  test('of the first', () => {
    const { effect, observed } = ask(acting('2', '1'), 'GET /soon')
    assert.deepEqual([effect, observed], ['allow', { effect: 'deny', reasons: [{ code: 'guardrail', id: 'soon', role: 'two' }] }])
  })
  test('of one who acts', () => {
    const { effect, observed } = ask(acting('1', '2'), 'GET /soon')
    const reasons = [
      { code: 'party', id: 'entra/2' },
      { code: 'guardrail', id: 'soon', role: 'two' },
    ]
    assert.deepEqual([effect, observed], ['allow', { effect: 'deny', reasons }])
  })
  test('of both, and the strictest of it', () => {
    const { effect, observed } = ask(acting('1', '2'), 'GET /later')
    const reasons = [
      { code: 'requirement', id: 'late', role: 'one' },
      { code: 'party', id: 'entra/2' },
      { code: 'guardrail', id: 'soon', role: 'two' },
    ]
    assert.deepEqual([effect, observed], ['allow', { effect: 'deny', reasons }])
    assert.equal(ask(acting('2', '1'), 'GET /later').observed?.effect, 'deny')
  })
  test('what one would be obliged to, where all are allowed', () => {
    const { effect, observed } = ask(acting('1', '2'), 'GET /minded')
    const reasons = [
      { code: 'party', id: 'entra/2' },
      { code: 'obligation', id: 'mind' },
    ]
    assert.deepEqual([effect, observed], ['allow', { effect: 'allow', reasons }])
  })
  test('nothing, where one is denied anyway', () => {
    assert.deepEqual([ask(acting('2', '3'), 'GET /minded').effect, ask(acting('2', '3'), 'GET /minded').observed], ['deny', undefined])
    assert.deepEqual([ask(acting('2', '3'), 'GET /soon').effect, ask(acting('2', '3'), 'GET /soon').observed], ['deny', undefined])
  })
  test('nothing, where nothing is', () => assert.equal(ask(acting('1', '1'), 'GET /soon').observed, undefined))
})

test('of more parties than may be, the first too many is told, and only that', () => {
  const { effect, reasons } = ask(acting('1', '1', '1', '1', '2', '3'), 'GET /x')
  assert.deepEqual([effect, reasons], ['deny', [{ code: 'party', id: 'entra/2' }]])
})

test('a role that one of them has activated is not the other’s', () => {
  const { policy: other } = load(`roles:
  lead: { eligible: [{ issuer: entra, claim: roles, any: ['1', '2'] }] }
rules: [{ id: a, role: lead, resource: orders, actions: ['GET /**'] }]`)
  const effect = (who: Identity, subjects: readonly string[]) => {
    const grants = subjects.map((subject) => ({ issuer: 'entra', subject, role: 'lead', from: NOW, until: END }))
    return other!.decide(other!.activate(other!.bind(who), grants, NOW), act('GET /x'), 'orders', { time: NOW, ip: '10.0.0.1' }).effect
  }
  assert.equal(effect(party('1'), ['1']), 'allow')
  assert.equal(effect(acting('1', '2'), ['1']), 'deny')
  assert.equal(effect(acting('1', '2'), ['2']), 'deny')
  assert.equal(effect(acting('1', '2'), ['1', '2']), 'allow')
})
