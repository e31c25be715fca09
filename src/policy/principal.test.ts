/** What an identity becomes by a policy: its roles, why it holds them, and for whom it acts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Claims, Identity, Principal } from '../core/principal.ts'
import { act, load, NOW, someone } from './testdata/world.ts'

const AT = { time: NOW, ip: '10.0.0.1' }

describe('a principal', () => {
  const { policy } = load('roles: { r: { bind: [{ issuer: entra, claim: groups, any: [g] }] } }')
  test('is who its identity says', () => {
    const who = someone({ kind: 'agent', claims: { groups: ['g'], level: 1 } })
    const { issuer, subject, kind, claims, identity, actor, policyVersion } = policy!.bind(who)
    assert.deepEqual([issuer, subject, kind, claims], ['entra', 'tenant/subject', 'agent', { groups: ['g'], level: 1 }])
    assert.equal(identity, who)
    assert.equal(actor, undefined)
    assert.equal(policyVersion, policy!.version)
  })
  test('without a credential is nobody, in the role of everyone', () => {
    const { issuer, subject, kind, claims, identity, policyVersion, provenance } = policy!.anonymous
    assert.deepEqual([issuer, subject, kind, Object.entries(claims), identity], ['', '', 'anonymous', [], undefined])
    assert.equal(policyVersion, policy!.version)
    assert.deepEqual(provenance, [{ role: 'everyone', state: 'held', claim: undefined, value: undefined }])
  })
  test('keeps those who act for it, one more than may', () => {
    let who: Identity = someone({ subject: 'last' })
    for (let i = 0; i < 9; i++) who = someone({ subject: `${i}`, actor: who })
    const parties: string[] = []
    for (let one: Principal | undefined = policy!.bind(who); one !== undefined; one = one.actor) parties.push(one.subject)
    assert.deepEqual(parties, ['8', '7', '6', '5', '4'])
  })
  test('of another version is bound anew', () => {
    const rules =
      'rules: [{ id: a, role: r, resource: orders, actions: [GET /a] }, { id: b, role: everyone, resource: orders, actions: [GET /b] }]'
    const strict = load(`roles: { r: { bind: [{ issuer: entra, claim: groups, any: [h] }] } }\n${rules}`).policy!
    const decided = (principal: Principal, does: string) => strict.decide(principal, act(does), 'orders', AT).effect
    assert.equal(decided(policy!.bind(someone({ claims: { groups: ['g'] } })), 'GET /a'), 'deny')
    assert.equal(decided(policy!.bind(someone({ claims: { groups: ['h'] } })), 'GET /a'), 'allow')
    assert.equal(decided(policy!.anonymous, 'GET /b'), 'allow')
    assert.equal(decided(policy!.anonymous, 'GET /a'), 'deny')
  })
})

describe('why a role is held', () => {
  /** Claim and value that are told for role `r`. */
  const why = (bind: string, who: Partial<Identity>): readonly unknown[] => {
    const { policy, diagnostics } = load(`roles: { r: { bind: [${bind}] } }`)
    assert.deepEqual(diagnostics, [])
    const { state, claim, value } = policy!.bind(someone(who)).provenance.find(({ role }) => role === 'r')!
    return [state, claim, value]
  }
  const groups = (match: string): string => `{ issuer: entra, claim: groups, ${match} }`
  const glass = (until: string): string => `{ issuer: entra, claim: sub, any: [x], breakGlass: { until: ${until} } }`
  const cases: readonly (readonly [name: string, bind: string, who: Partial<Identity>, told: readonly unknown[]])[] = [
    ['the value', '{ issuer: entra, claim: department, any: [a, b] }', { claims: { department: 'b' } }, ['held', 'department', 'b']],
    ['a number', '{ issuer: entra, claim: level, any: [7] }', { claims: { level: 7 } }, ['held', 'level', '7']],
    ['the first of those wanted', groups('any: [c, b]'), { claims: { groups: ['c', 'b', 'a'] } }, ['held', 'groups', 'b']],
    ['all that are wanted', groups('all: [c, b]'), { claims: { groups: ['c', 'a', 'b'] } }, ['held', 'groups', 'b, c']],
    ['nothing that is lacking', groups('none: [b]'), { claims: { groups: ['a'] } }, ['held', 'groups', undefined]],
    ['no claim that is lacking', groups('none: [b]'), { claims: {} }, ['held', 'groups', undefined]],
    [
      'what a prototype has is lacking',
      '{ issuer: entra, claim: department, none: [a] }',
      { claims: Object.create({ department: 'a' }) as Claims },
      ['held', 'department', undefined],
    ],
    [
      'the first of the claims that could not be told',
      `${groups('any: [b]')}, { issuer: entra, claim: department, any: [a] }`,
      { unknownClaims: new Set(['level', 'groups', 'department']) },
      ['unknown', 'department', undefined],
    ],
    [
      'the binding that ends last',
      `${glass('2026-06-01T00:00:00Z')}, ${groups('any: [b]')}`,
      { claims: { sub: 'x', groups: ['b'] } },
      ['held', 'groups', 'b'],
    ],
    [
      'also where it is looked at first',
      `{ issuer: entra, claim: department, any: [a] }, ${glass('2026-06-01T00:00:00Z')}`,
      { claims: { sub: 'x', department: 'a' } },
      ['held', 'department', 'a'],
    ],
    [
      'of two that never end, the first by name',
      `${groups('any: [b]')}, { issuer: entra, claim: department, any: [a] }`,
      { claims: { groups: ['b'], department: 'a' } },
      ['held', 'department', 'a'],
    ],
  ]
  for (const [name, bind, who, told] of cases) test(name, () => assert.deepEqual(why(bind, who), told))

  test('a claim of another role says nothing of this one', () => {
    const { policy } = load(`roles:
  q: { bind: [{ issuer: entra, claim: department, any: [a] }] }
  r: { bind: [{ issuer: entra, claim: groups, any: [b] }, { issuer: entra, claim: groups, any: [c], kind: agent }] }
  s: { bind: [{ issuer: entra, claim: groups, any: [d] }] }`)
    const { provenance } = policy!.bind(someone({ unknownClaims: new Set(['groups', 'department']) }))
    const told = provenance.map(({ role, state, claim }) => `${role} ${state} ${claim}`)
    assert.deepEqual(told, [
      'authenticated held undefined',
      'everyone held undefined',
      'q unknown department',
      'r unknown groups',
      's unknown groups',
    ])
  })
  test('a claim of another type than declared is told apart from one that can not be known', () => {
    const { policy } = load('roles: { r: { bind: [{ issuer: entra, claim: groups, none: [g] }] } }')
    const { provenance } = policy!.bind(someone({ claims: { groups: 'g' } }))
    assert.deepEqual(provenance.at(-1), { role: 'r', state: 'unknown', claim: undefined, value: undefined })
  })
  test('an app whose roles can not be told, of an issuer that no role is bound to', () => {
    const { policy } = load('roles: { r: { bind: [{ issuer: entra, claim: groups, any: [g] }] } }')
    const { provenance } = policy!.bind(someone({ issuer: 'ci', appOnly: true, unknownClaims: new Set(['roles']) }))
    assert.deepEqual(provenance.at(-1), { role: 'authenticated', state: 'unknown', claim: undefined, value: undefined })
  })
})

test('a role is unknown for as long as any of its bindings leaves it so', () => {
  const { policy } = load(`roles:
  r:
    bind:
      - { issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-04-01T00:00:00Z } }
      - { issuer: entra, claim: sub, any: [x], breakGlass: { until: 2026-06-01T00:00:00Z } }
      - { issuer: entra, claim: groups, any: [y], kind: agent }
rules: [{ id: a, role: r, resource: orders, actions: [GET /a] }]`)
  const principal = policy!.bind(someone({ unknownClaims: new Set(['oid', 'sub']) }))
  const why = (time: number) => policy!.decide(principal, act('GET /a'), 'orders', { ...AT, time }).reasons
  const last = Date.UTC(2026, 5, 1)
  assert.deepEqual(why(last - 1), [{ code: 'role-unknown', id: 'a', role: 'r' }])
  assert.deepEqual(why(last), [{ code: 'role-not-held', id: 'a', role: 'r' }])
})

describe('a role that is activated', () => {
  const { policy } = load(`roles:
  r: { eligible: [{ issuer: entra, claim: groups, any: [g] }] }
rules: [{ id: a, role: r, resource: orders, actions: [GET /a] }]`)
  const who = policy!.bind(someone({ claims: { groups: ['g'] } }))
  const grant = { issuer: 'entra', subject: 'tenant/subject', role: 'r', from: NOW, until: NOW + 1000 }
  const cases: readonly (readonly [name: string, grants: readonly Partial<typeof grant>[], time: number, held: boolean])[] = [
    ['is held from the beginning', [{}], NOW, true],
    ['not before', [{}], NOW - 1, false],
    ['until the end', [{}], NOW + 999, true],
    ['not at the end', [{}], NOW + 1000, false],
    ['not by the grant of another subject', [{ subject: 'tenant/other' }], NOW, false],
    ['not by that of another issuer', [{ issuer: 'ci' }], NOW, false],
    ['not by that of another role', [{ role: 's' }], NOW, false],
    ['by the later of two grants', [{ until: NOW + 2000 }, {}], NOW + 1500, true],
    ['in whatever order', [{}, { until: NOW + 2000 }], NOW + 1500, true],
    ['not by one that is over', [{ until: NOW + 2000, from: NOW + 1600 }, {}], NOW + 1500, false],
    ['not without a grant', [], NOW, false],
  ]
  for (const [name, grants, time, held] of cases)
    test(name, () => {
      const context = { ...AT, time, grants: grants.map((one) => ({ ...grant, ...one })) }
      const { effect, reasons } = policy!.decide(who, act('GET /a'), 'orders', context)
      assert.equal(effect, held ? 'allow' : 'deny')
      assert.deepEqual(reasons, [{ code: held ? 'granted' : 'role-not-held', id: 'a', role: 'r' }])
    })
})

describe('roles that include each other', () => {
  const told = (roles: string) =>
    load(`roles:\n${roles}`)
      .diagnostics.filter(({ code }) => code === 'policy/role-cycle')
      .map(({ message }) => message)
  const bound = 'bind: [{ issuer: entra, claim: roles, any: [X] }]'
  test('in one circle, told from its first by name', () =>
    assert.deepEqual(told(`  c: { includes: [a] }\n  b: { includes: [c] }\n  a: { includes: [b], ${bound} }`), [
      'role `a` includes itself, by way of `b`, `c`, `a`',
    ]))
  test('each circle once, also where a further role leads there', () =>
    assert.deepEqual(
      told(`  x: { includes: [m], ${bound} }
  m: { includes: [n] }
  n: { includes: [m] }
  a: { includes: [b] }
  b: { includes: [a, z] }
  z: { includes: [] }`),
      ['role `a` includes itself, by way of `b`, `a`', 'role `m` includes itself, by way of `n`, `m`'],
    ))
  test('of two circles through one role, the one by the first name', () =>
    assert.deepEqual(told(`  a: { includes: [b, c], ${bound} }\n  b: { includes: [a] }\n  c: { includes: [a] }`), [
      'role `a` includes itself, by way of `b`, `a`',
    ]))
  test('in a circle of eight, shown in full, and of nine, cut short', () => {
    const names = 'abcdefghi'
    const circle = (count: number) =>
      Array.from(names.slice(0, count), (name, i) => `  ${name}: { includes: [${names[(i + 1) % count]}], ${bound} }`).join('\n')
    assert.deepEqual(told(circle(8)), ['role `a` includes itself, by way of `b`, `c`, `d`, `e`, `f`, `g`, `h`, `a`'])
    assert.deepEqual(told(circle(9)), ['role `a` includes itself, by way of `b`, `c`, `d`, `e`, `f`, `g`, `h`, `i`, …'])
  })
  test('with more bindings all together than may be', () => {
    const chain = (count: number) =>
      Array.from({ length: count }, (_, i) => `  r${i}: { ${bound}${i === 0 ? '' : `, includes: [r${i - 1}]`} }`).join('\n')
    const limits = (count: number) => load(`roles:\n${chain(count)}`).diagnostics.filter(({ code }) => code === 'policy/limit').length
    assert.deepEqual([limits(20), limits(720)], [0, 1])
  })
  test('in no circle, where two lead to one', () =>
    assert.deepEqual(told(`  a: { includes: [b, c], ${bound} }\n  b: { includes: [d] }\n  c: { includes: [d] }\n  d: {}`), []))
})

test('labels choose the resources that have all of them', () => {
  const on = (labels: string) => {
    const { policy, diagnostics } = load(`rules: [{ id: a, role: everyone, resource: { labels: ${labels} }, actions: [GET /a] }]`)
    return policy === undefined
      ? diagnostics.map(({ code }) => code)
      : ['orders', 'wiki'].filter((name) => policy.decide(policy.anonymous, act('GET /a'), name, AT).effect === 'allow')
  }
  assert.deepEqual(on('{ zone: a }'), ['orders', 'wiki'])
  assert.deepEqual(on('{ zone: a, tier: business }'), ['orders'])
  assert.deepEqual(on('{ tier: office }'), ['wiki'])
  assert.deepEqual(on('{}'), ['policy/unknown-resource'])
})
