import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Claims, Identity, Principal } from '../core/principal.ts'
import { AUTHENTICATED, EVERYONE } from './model.ts'
import { action, context, filesOf, identity, policyData } from './testdata/random.ts'
import { roleState } from './considered.ts'
import { act, load, NOW, someone } from './testdata/world.ts'

/** State of role `r` with this binding: held, unknown or neither. */
function state(binding: string, who: Partial<Identity>): string {
  const { policy, diagnostics } = load(`roles: { r: { bind: [{ issuer: entra, ${binding} }] } }`)
  assert.deepEqual(diagnostics, [])
  const principal = policy!.bind(someone(who))
  return principal.roles.includes('r') ? 'held' : principal.unknownRoles.includes('r') ? 'unknown' : 'not held'
}

describe('a binding', () => {
  const cases: readonly (readonly [binding: string, claims: Claims, expected: string])[] = [
    ['claim: groups, any: [a, b]', { groups: ['b', 'c'] }, 'held'],
    ['claim: groups, any: [a, b]', { groups: ['c'] }, 'not held'],
    ['claim: groups, any: [a, b]', { groups: [] }, 'not held'],
    ['claim: groups, any: [a, b]', {}, 'not held'],
    ['claim: groups, all: [a, b]', { groups: ['b', 'c', 'a'] }, 'held'],
    ['claim: groups, all: [a, b]', { groups: ['a'] }, 'not held'],
    ['claim: groups, all: [a, b]', { groups: ['b'] }, 'not held'],
    ['claim: groups, none: [a, b]', { groups: ['c'] }, 'held'],
    ['claim: groups, none: [a, b]', { groups: ['c', 'a'] }, 'not held'],
    ['claim: groups, none: [a, b]', {}, 'held'],
    ['claim: department, any: [a, b]', { department: 'a' }, 'held'],
    ['claim: department, any: [a, b]', { department: 'A' }, 'not held'],
    ['claim: department, any: [a, b]', { department: '' }, 'not held'],
    ['claim: department, none: [a, b]', { department: 'c' }, 'held'],
    ['claim: department, none: [a, b]', { department: 'a' }, 'not held'],
    ['claim: level, any: [1, 2]', { level: 2 }, 'held'],
    ['claim: vip, any: [true]', { vip: true }, 'held'],
    ['claim: vip, any: [true]', { vip: false }, 'not held'],
    // A value of another type than declared is no evidence of anything.
    ['claim: department, any: [a]', { department: ['a'] }, 'not held'],
    ['claim: groups, any: [a]', { groups: 'a' }, 'not held'],
    ['claim: level, any: [1]', { level: '1' }, 'not held'],
    ['claim: vip, any: [true]', { vip: 'true' }, 'not held'],
    ['claim: groups, none: [a]', { groups: 'b' }, 'unknown'],
    ['claim: groups, any: [a], kind: human', { groups: ['a'] }, 'held'],
    ['claim: groups, any: [a], kind: workload', { groups: ['a'] }, 'not held'],
  ]
  for (const [binding, claims, expected] of cases)
    test(`${binding} of ${JSON.stringify(claims)} is ${expected}`, () => assert.equal(state(binding, { claims }), expected))

  for (const match of ['any', 'all', 'none'])
    test(`${match} of what can not be told is unknown`, () =>
      assert.equal(state(`claim: groups, ${match}: [a]`, { unknownClaims: new Set(['groups']) }), 'unknown'))
  test('what can not be told of another kind of principal does not matter', () =>
    assert.equal(state('claim: groups, any: [a], kind: agent', { unknownClaims: new Set(['groups']) }), 'not held'))
  test('of another issuer gives nothing, whatever is in the token', () =>
    assert.equal(state('claim: groups, any: [a]', { issuer: 'ci', claims: { groups: ['a'] } }), 'not held'))
  test('claims of a prototype are none', () =>
    assert.equal(state('claim: department, any: [a]', { claims: Object.create({ department: 'a' }) as Claims }), 'not held'))
})

test('a role is held if any binding gives it, unknown if none does and one can not be told', () => {
  const text = `roles: { r: { bind: [{ issuer: entra, claim: groups, any: [g] }, { issuer: entra, claim: roles, any: [R] }] } }`
  const { policy } = load(text)
  const unknownClaims = new Set(['groups'])
  const held = policy!.bind(someone({ claims: { roles: ['R'] }, unknownClaims }))
  assert.deepEqual([held.roles, held.unknownRoles], [['authenticated', 'everyone', 'r'], []])
  assert.deepEqual(held.provenance.at(-1), { role: 'r', state: 'held', claim: 'roles', value: 'R' })
  const unknown = policy!.bind(someone({ claims: { roles: [] }, unknownClaims }))
  assert.deepEqual([unknown.roles, unknown.unknownRoles], [['authenticated', 'everyone'], ['r']])
  assert.deepEqual(unknown.provenance.at(-1), { role: 'r', state: 'unknown', claim: 'groups', value: undefined })
})

describe('who is authenticated', () => {
  const { policy } = load('roles: { r: { bind: [{ issuer: entra, claim: groups, any: [g] }] } }')
  const cases: readonly (readonly [name: string, who: Partial<Identity>, expected: string])[] = [
    ['a person', {}, 'held'],
    ['an app-only token without a role', { appOnly: true }, 'not held'],
    ['one with an empty list of roles', { appOnly: true, claims: { roles: [] } }, 'not held'],
    ['one with an app role', { appOnly: true, claims: { roles: ['x'] } }, 'held'],
    ['one of a listed client', { appOnly: true, listedClient: true }, 'held'],
    ['one with a bound role', { appOnly: true, claims: { groups: ['g'] } }, 'held'],
    ['one whose bound role can not be told', { appOnly: true, unknownClaims: new Set(['groups']) }, 'unknown'],
    ['one whose app roles can not be told', { appOnly: true, unknownClaims: new Set(['roles']) }, 'unknown'],
  ]
  for (const [name, who, expected] of cases)
    test(name, () => {
      const principal = policy!.bind(someone(who))
      assert.ok(principal.roles.includes(EVERYONE))
      const found = principal.roles.includes(AUTHENTICATED)
        ? 'held'
        : principal.unknownRoles.includes(AUTHENTICATED)
          ? 'unknown'
          : 'not held'
      assert.equal(found, expected)
    })
  test('nobody without a credential', () => assert.deepEqual(policy!.anonymous.roles, [EVERYONE]))
})

test('a breakGlass binding gives nothing from its end on, also to who was bound before', () => {
  const text = `roles: { r: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-06-01T00:00:00Z } }] } }
rules: [{ id: a, role: r, resource: orders, actions: [GET /a] }]
guardrails: [{ id: g, allBut: [r], resource: orders, deny: [GET /b] }]`
  const { policy } = load(text)
  const principal = policy!.bind(someone({ claims: { oid: 'x' } }))
  const at = (time: number) => policy!.decide(principal, act('GET /a'), 'orders', { time, ip: '10.0.0.1' })
  const until = Date.UTC(2026, 5, 1)
  assert.equal(at(until - 1).effect, 'allow')
  assert.deepEqual(at(until).reasons, [{ code: 'role-not-held', id: 'a', role: 'r' }])
  assert.equal(policy!.decide(principal, act('GET /b'), 'orders', { time: until, ip: '10.0.0.1' }).reasons[0]!.code, 'guardrail')
})

test('a principal says when a role of it, or of who acts for it, ends by itself', () => {
  const text = `roles:
  r: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-06-01T00:00:00Z } }] }
  s: { bind: [{ issuer: entra, claim: groups, any: [g] }] }
  e: { eligible: [{ issuer: entra, claim: groups, any: [g] }] }`
  const { policy } = load(text)
  const until = Date.UTC(2026, 5, 1)
  const lasting = someone({ claims: { groups: ['g'] } })
  const ending = someone({ subject: 'other', claims: { oid: 'x' } })
  const ends = (principal: Principal): number | undefined => principal.rolesUntil
  assert.deepEqual([ends(policy!.bind(lasting)), ends(policy!.bind(ending)), ends(policy!.anonymous)], [undefined, until, undefined])
  assert.equal(ends(policy!.bind({ ...lasting, actor: ending })), until)
  const grant = { issuer: lasting.issuer, subject: lasting.subject, role: 'e', from: NOW, until: NOW + 5 }
  const active = policy!.activate(policy!.bind(lasting), [grant], NOW)
  assert.deepEqual([ends(active), active.roles.includes('e')], [NOW + 5, true])
  assert.equal(policy!.activate(policy!.bind(lasting), [grant], NOW + 5).roles.includes('e'), false)
})

describe('somebody of whom another tells the roles', () => {
  const text = `roles:
  r: { bind: [{ issuer: entra, claim: groups, any: [g] }] }
  eligible: { eligible: [{ issuer: entra, claim: groups, any: [g] }] }
  elsewhere: { bind: [{ issuer: ci, claim: repository, any: [g] }] }
  ended: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2020-01-01T00:00:00Z } }] }
  ends: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-06-01T00:00:00Z } }] }`
  const { policy } = load(text)
  const told = (...roles: readonly string[]): readonly (readonly string[])[] => {
    const principal = policy!.holding('entra', 'tenant/subject', roles)
    return [principal.roles, principal.unknownRoles]
  }
  test('holds those that their issuer gives, and what everybody holds', () =>
    assert.deepEqual(told('r', 'ends', 'authenticated', 'r'), [['authenticated', 'ends', 'everyone', 'r'], ['ends']]))
  test('holds a role no longer than the first of its bindings that ends, for nobody tells by which', () => {
    const both = `roles: { r: { bind: [{ issuer: entra, claim: groups, any: [g] }, { issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-06-01T00:00:00Z } }] } }
rules: [{ id: a, role: r, resource: orders, actions: [GET /a] }, { id: b, role: authenticated, resource: orders, actions: [GET /b] }]
guardrails: [{ id: g, for: [r], resource: orders, deny: [GET /b] }]`
    const { policy: ending } = load(both)
    const who = ending!.holding('entra', 's', ['r', 'authenticated'])
    const end = Date.UTC(2026, 5, 1)
    const at = (time: number, text: string) => ending!.decide(who, act(text), 'orders', { time, ip: '10.0.0.1' }).effect
    assert.deepEqual([at(end - 1, 'GET /a'), at(end, 'GET /a')], ['allow', 'deny'])
    assert.deepEqual([at(end - 1, 'GET /b'), at(end, 'GET /b')], ['deny', 'deny'], 'and what is taken from its holders is taken')
  })
  test('may or may not hold what nothing gives them now', () =>
    assert.deepEqual(told('eligible', 'elsewhere', 'ended', 'authenticated'), [
      ['authenticated', 'everyone'],
      ['eligible', 'elsewhere', 'ended'],
    ]))
  test('holds nothing by a name that no role has', () =>
    assert.deepEqual(told('root', '', '__proto__', 'everyone', 'authenticated'), [['authenticated', 'everyone'], []]))
  test('may or may not be authenticated where nobody says so', () => assert.deepEqual(told(), [['everyone'], ['authenticated']]))
  test('nor is authenticated by an issuer that there is not', () => {
    const { roles, unknownRoles } = policy!.holding('nobodys', 's', ['authenticated'])
    assert.deepEqual([roles, unknownRoles], [['everyone'], ['authenticated']])
  })
  test('is known by nothing else', () => {
    const { identity: known } = policy!.holding('entra', 'tenant/subject', ['r'])
    assert.deepEqual([...known!.unknownClaims].toSorted(), ['department', 'groups', 'level', 'oid', 'rank', 'roles', 'sub', 'vip'])
    assert.deepEqual([known!.claims, known!.scopes], [Object.create(null), []])
    assert.ok(policy!.holding('nobodys', 's', []).identity!.unknownClaims.has('repository'), 'of an issuer that there is not, all claims')
  })

  test('may never more than who shows all of it', () => {
    let allowed = 0
    fc.assert(
      fc.property(policyData, fc.array(identity, { minLength: 5, maxLength: 5 }), action, context, (data, identities, does, at) => {
        const { policy: random } = load(filesOf(data))
        for (const one of identities) {
          // An application is `authenticated` for as long as it has a role, of which nobody tells the end.
          const who: Identity = { ...one, actor: undefined, appOnly: false }
          const principal = random!.bind(who)
          if (principal.unknownRoles.length > 0) continue
          const other = random!.holding(who.issuer, who.subject, principal.roles)
          for (const resource of ['orders', 'wiki']) {
            if (random!.decide(other, does, resource, at).effect !== 'allow') continue
            allowed++
            assert.equal(random!.decide(principal, does, resource, at).effect, 'allow')
          }
        }
      }),
      { numRuns: 150 },
    )
    assert.ok(allowed > 50, `${allowed}`)
  })
})

test('roles found by index are those that every binding, looked at one by one, gives', () => {
  let held = 0
  fc.assert(
    fc.property(policyData, fc.array(identity, { minLength: 5, maxLength: 5 }), (data, identities) => {
      const { policy } = load(filesOf(data))
      for (const who of identities) {
        const principal = policy!.bind(who)
        const question = {
          model: policy!.model,
          loadedAt: NOW,
          identity: who,
          action: act('GET /'),
          resource: 'orders',
          context: { time: NOW, ip: '' },
        }
        for (const role of [...policy!.model.roles.keys(), EVERYONE, AUTHENTICATED]) {
          const found = principal.roles.includes(role) ? 'held' : principal.unknownRoles.includes(role) ? 'unknown' : 'not-held'
          if (found === 'held') held++
          // A role held for a time may besides be unknown for good; held is what counts now.
          assert.equal(found, roleState(role, question), role)
        }
        assert.deepEqual(principal.roles, principal.roles.toSorted())
      }
    }),
    { numRuns: 80 },
  )
  assert.ok(held > 500)
})
