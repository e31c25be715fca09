/** All that a decision carries, field by field: what belongs to another effect is not there. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Decision } from '../core/decision.ts'
import type { Identity } from '../core/principal.ts'
import type { CompiledPolicy } from './index.ts'
import { act, load, NOW, someone, wiring } from './testdata/world.ts'

const AT = { time: NOW, ip: '10.0.0.1' }
const until = new Date(NOW + 1000).toISOString()
const POLICY = `roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] }
  writer: { bind: [{ issuer: entra, claim: roles, any: [W] }] }
rules:
  - { id: read, role: [reader, writer], resource: [orders, wiki], actions: ['GET /**'] }
  - { id: late, role: writer, resource: orders, actions: [POST /late], when: claims.level > 3.0 }
guardrails:
  - { id: masked, resource: orders, actions: [GET /masked], for: [reader], mask: { $.a: hash } }
  - { id: strong, resource: orders, actions: [GET /strong, GET /never], for: [reader], require: { mfa: true, authContext: c1 } }
  - { id: pairs, resource: orders, actions: [GET /pairs, GET /never], for: [reader], require: { approval: { from: [writer], count: 2 } } }
  - { id: more-pairs, resource: orders, actions: [GET /pairs], for: [reader], require: { approval: { from: [writer] } } }
  - { id: never, resource: orders, deny: [GET /never], for: [reader] }
  - { id: kept, resource: wiki, actions: ['GET /**'], for: [everyone], mask: { $.b: drop } }
`
const observe = { until }
const { policy } = load(POLICY)
const watching = load(POLICY, {
  wiring: {
    ...wiring,
    resources: { orders: { ...wiring.resources['orders']!, observe }, wiki: { ...wiring.resources['wiki']!, observe, scopes: undefined } },
  },
}).policy

const reader = someone({ claims: { roles: ['R'], groups: [] } })

function ask(does: string, who: Identity = reader, on = 'orders', by: CompiledPolicy = policy!): Omit<Decision, 'policyVersion'> {
  const { policyVersion, ...rest } = by.decide(by.bind(who), act(does), on, AT)
  assert.equal(policyVersion, by.version)
  return rest
}

const read = { rule: 'read', rules: ['read'] }
const granted = { code: 'granted', id: 'read', role: 'reader' }

describe('a decision', () => {
  test('allows by one rule', () => assert.deepEqual(ask('GET /a'), { ...read, effect: 'allow', reasons: [granted], obligations: [] }))
  test('allows by the other role of the rule', () =>
    assert.deepEqual(ask('GET /a', someone({ claims: { roles: ['W'], groups: [] } })), {
      ...read,
      effect: 'allow',
      reasons: [{ ...granted, role: 'writer' }],
      obligations: [],
    }))
  test('allows with an obligation', () =>
    assert.deepEqual(ask('GET /masked'), {
      ...read,
      effect: 'allow',
      reasons: [granted],
      obligations: [{ kind: 'mask', ids: ['masked'], fields: [{ path: '$.a', mask: { as: 'hash' } }] }],
    }))
  test('challenges for all that is not proven', () =>
    assert.deepEqual(ask('GET /strong'), {
      ...read,
      effect: 'challenge',
      reasons: [{ code: 'requirement', id: 'strong', role: 'reader' }],
      obligations: [],
      requirements: [
        { kind: 'auth-context', name: 'c1', proof: { claim: 'groups', values: ['c'] } },
        { kind: 'mfa', name: '', proof: { claim: 'department', values: ['a'] } },
      ],
    }))
  test('challenges for what is left', () =>
    assert.deepEqual(
      ask('GET /strong', { ...reader, claims: { ...reader.claims, department: 'a' } }).requirements?.map(({ kind }) => kind),
      ['auth-context'],
    ))
  test('waits for approvals', () =>
    assert.deepEqual(ask('GET /pairs'), {
      ...read,
      effect: 'needs-approval',
      reasons: [
        { code: 'approval', id: 'more-pairs', role: 'reader' },
        { code: 'approval', id: 'pairs', role: 'reader' },
      ],
      obligations: [],
      approvals: [
        { id: 'more-pairs', from: ['writer'], count: 1 },
        { id: 'pairs', from: ['writer'], count: 2 },
      ],
    }))
  test('denies, and asks for nothing that would not help', () =>
    assert.deepEqual(ask('GET /never'), {
      ...read,
      effect: 'deny',
      reasons: [{ code: 'guardrail', id: 'never', role: 'reader' }],
      obligations: [],
    }))
  test('denies an issuer that the resource does not accept', () =>
    assert.deepEqual(ask('GET /a', someone({ issuer: 'ci' }), 'wiki'), {
      effect: 'deny',
      rule: undefined,
      rules: [],
      reasons: [{ code: 'issuer', id: 'ci' }],
      obligations: [],
    }))
  test('denies what is out of scope, though a rule grants it', () =>
    assert.deepEqual(ask('GET /a', { ...reader, scopes: [] }, 'wiki'), {
      ...read,
      effect: 'deny',
      reasons: [{ code: 'scope' }],
      obligations: [],
    }))
  test('denies what nothing covers', () =>
    assert.deepEqual(ask('PUT /a'), { effect: 'deny', rule: undefined, rules: [], reasons: [{ code: 'no-rule' }], obligations: [] }))
  test('denies by a condition that can not be told, by a role that is not held', () => {
    const reasons = (who: Identity) => ask('POST /late', who).reasons
    assert.deepEqual(reasons(reader), [{ code: 'role-not-held', id: 'late', role: 'writer' }])
    assert.deepEqual(reasons(someone({ claims: { roles: ['W'] } })), [{ code: 'condition-error', id: 'late', role: 'writer' }])
    assert.deepEqual(reasons(someone({ claims: { roles: ['W'], level: 3 } })), [{ code: 'condition-false', id: 'late', role: 'writer' }])
  })
})

describe('on a resource that is only observed', () => {
  const observed = (does: string, who?: Identity, on?: string) => ask(does, who, on, watching)
  test('what is denied is let through with what it obliges to', () =>
    assert.deepEqual(observed('GET /a', someone({ issuer: 'ci' }), 'wiki'), {
      effect: 'allow',
      rule: undefined,
      rules: [],
      reasons: [{ code: 'observed', id: 'wiki' }],
      obligations: [{ kind: 'mask', ids: ['kept'], fields: [{ path: '$.b', mask: { as: 'drop' } }] }],
      observed: { effect: 'deny', reasons: [{ code: 'issuer', id: 'ci' }] },
    }))
  test('what needs an approval is let through', () => {
    const { effect, reasons, observed: would } = observed('GET /pairs')
    assert.deepEqual([effect, reasons], ['allow', [{ code: 'observed', id: 'orders' }]])
    assert.equal(would?.effect, 'needs-approval')
    assert.deepEqual(
      would.reasons.map(({ id }) => id),
      ['more-pairs', 'pairs'],
    )
  })
  test('what is allowed is allowed by its rule', () =>
    assert.deepEqual(observed('GET /masked'), {
      ...read,
      effect: 'allow',
      reasons: [granted],
      obligations: [{ kind: 'mask', ids: ['masked'], fields: [{ path: '$.a', mask: { as: 'hash' } }] }],
    }))
})

describe('why nothing grants', () => {
  const ids = Array.from({ length: 20 }, (_, i) => `rule-${String(i).padStart(2, '0')}`)
  const { policy: other } = load(`roles:
  front: { bind: [{ issuer: ci, claim: department, any: [f] }] }
  side: { bind: [{ issuer: ci, claim: department, any: [s] }] }
  member: { bind: [{ issuer: entra, claim: groups, any: [M] }] }
  guest: { bind: [{ issuer: entra, claim: groups, any: [G] }] }
rules:
  - { id: by-front, role: authenticated, peer: [side, front], resource: orders, actions: [GET /front] }
  - { id: unsure, role: [member, guest], resource: orders, actions: [GET /unsure] }
${ids.map((id) => `  - { id: ${id}, role: member, resource: orders, actions: [GET /many] }`).join('\n')}
`)
  const told = (does: string, who: Partial<Identity> = {}, peer?: string) => {
    const context = peer === undefined ? AT : { ...AT, peer: other!.bind(someone({ issuer: 'ci', claims: { department: peer } })) }
    return other!.decide(other!.bind(someone(who)), act(does), 'orders', context)
  }
  const unsure = { unknownClaims: new Set(['groups']) }
  test('a peer in neither role; the first is named', () =>
    assert.deepEqual(told('GET /front', {}, 'x').reasons, [{ code: 'peer-not-held', id: 'by-front', role: 'front' }]))
  test('a peer in either role will do', () => {
    assert.equal(told('GET /front', {}, 'f').effect, 'allow')
    assert.equal(told('GET /front', {}, 's').effect, 'allow')
  })
  test('of two roles that can not be told, the first by name', () =>
    assert.deepEqual(told('GET /unsure', unsure).reasons, [{ code: 'role-unknown', id: 'unsure', role: 'guest' }]))
  test('what nothing covers, whatever can not be told', () => assert.deepEqual(told('GET /nowhere', unsure).reasons, [{ code: 'no-rule' }]))
  test('sixteen rules of twenty whose role can not be told', () =>
    assert.deepEqual(
      told('GET /many', unsure).reasons,
      ids.slice(0, 16).map((id) => ({ code: 'role-unknown', id, role: 'member' })),
    ))
})

describe('a guardrail that is only observed', () => {
  const soon = `mode: observe, until: '${until}'`
  const many = Array.from({ length: 20 }, (_, i) => `soon-${String(19 - i).padStart(2, '0')}`)
  const { policy: other } = load(`rules: [{ id: all, role: everyone, resource: orders, actions: ['GET /**'] }]
guardrails:
  - { id: strong, resource: orders, actions: [GET /a], allBut: [authenticated], require: { mfa: true } }
  - { id: strong-soon, resource: orders, actions: [GET /a, GET /b], allBut: [authenticated], require: { mfa: true }, ${soon} }
  - { id: context-soon, resource: orders, actions: [GET /d], allBut: [authenticated], require: { network: [10.0.0.0/8] }, ${soon} }
${many.map((id) => `  - { id: ${id}, resource: orders, actions: [GET /many], for: [everyone], mask: { $.a: drop }, ${soon} }`).join('\n')}
  - { id: masked-soon, resource: orders, actions: [GET /b, GET /c], allBut: [authenticated], mask: { $.a: drop }, ${soon} }`)
  const observed = (does: string) => {
    const { effect, observed: would } = other!.decide(other!.anonymous, act(does), 'orders', AT)
    return { effect, would }
  }
  test('would have made nothing else of it', () => assert.deepEqual(observed('GET /a'), { effect: 'challenge', would: undefined }))
  test('would have made something stricter of it', () =>
    assert.deepEqual(observed('GET /b'), {
      effect: 'allow',
      would: { effect: 'challenge', reasons: [{ code: 'requirement', id: 'strong-soon' }] },
    }))
  test('would have obliged to something', () =>
    assert.deepEqual(observed('GET /c'), {
      effect: 'allow',
      would: { effect: 'allow', reasons: [{ code: 'obligation', id: 'masked-soon' }] },
    }))
  test('is met, and would have made nothing of it', () => assert.deepEqual(observed('GET /d'), { effect: 'allow', would: undefined }))
  test('would have obliged to a lot, of which the first sixteen are told', () =>
    assert.deepEqual(observed('GET /many').would, {
      effect: 'allow',
      reasons: many
        .toSorted()
        .slice(0, 16)
        .map((id) => ({ code: 'obligation', id })),
    }))
})

describe('a guardrail', () => {
  const { policy: other } = load(`roles:
  glass: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-06-01T00:00:00Z } }] }
  one: { bind: [{ issuer: entra, claim: groups, any: ['1'] }] }
  two: { bind: [{ issuer: entra, claim: groups, any: ['2'] }] }
rules: [{ id: all, role: authenticated, resource: orders, actions: ['GET /**'] }]
guardrails:
  - { id: broken, resource: orders, deny: [GET /broken], for: [glass] }
  - { id: both, resource: orders, deny: [GET /both], for: [two, one] }
  - { id: either, resource: orders, deny: [GET /either], for: [two, glass] }
  - { id: spared, resource: orders, deny: [GET /spared], allBut: [two, one] }`)
  const told = (does: string, who: Partial<Identity>, time = NOW) => {
    const { effect, reasons } = other!.decide(other!.bind(someone(who)), act(does), 'orders', { ...AT, time })
    return [effect, reasons[0]]
  }
  const allowed = ['allow', { code: 'granted', id: 'all', role: 'authenticated' }]
  test('for a role that can not be told applies until that role would end', () => {
    const unknown = { unknownClaims: new Set(['oid']) }
    const end = Date.UTC(2026, 5, 1)
    assert.deepEqual(told('GET /broken', unknown, end - 1), ['deny', { code: 'guardrail-unknown', id: 'broken', role: 'glass' }])
    assert.deepEqual(told('GET /broken', unknown, end), allowed)
  })
  test('for two roles that are held names the first', () =>
    assert.deepEqual(told('GET /both', { claims: { groups: ['2', '1'] } }), ['deny', { code: 'guardrail', id: 'both', role: 'one' }]))
  test('for a role that is held, and one that can not be told, names the one that is held', () =>
    assert.deepEqual(told('GET /either', { claims: { groups: ['2'] }, unknownClaims: new Set(['oid']) }), [
      'deny',
      { code: 'guardrail', id: 'either', role: 'two' },
    ]))
  test('for all but two roles spares whoever holds one', () => {
    assert.deepEqual(told('GET /spared', { claims: { groups: ['1'] } }), allowed)
    assert.deepEqual(told('GET /spared', { claims: { groups: ['2'] } }), allowed)
    assert.deepEqual(told('GET /spared', { claims: { groups: ['3'] } }), ['deny', { code: 'guardrail', id: 'spared' }])
  })
  test('for all but two roles that can not be told names the first', () =>
    assert.deepEqual(told('GET /spared', { unknownClaims: new Set(['groups']) }), [
      'deny',
      { code: 'guardrail-unknown', id: 'spared', role: 'one' },
    ]))
})
