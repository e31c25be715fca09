/** A place where many roles meet: the few that a party holds are looked for there, and each counts until it ends. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Identity } from '../core/principal.ts'
import { act, load, NOW, someone } from './testdata/world.ts'

const NAMES = Array.from({ length: 40 }, (_, i) => `r${String(i).padStart(2, '0')}`)
const END = Date.UTC(2026, 5, 1)
const { policy, diagnostics } = load(`roles:
  glass: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-06-01T00:00:00Z } }] }
${NAMES.map((name) => `  ${name}: { bind: [{ issuer: entra, claim: groups, any: [${name}] }] }`).join('\n')}
rules:
  - { id: by-glass, role: glass, resource: orders, actions: [GET /many] }
  - { id: all, role: authenticated, resource: orders, actions: [GET /guarded, GET /barred] }
${NAMES.map((name) => `  - { id: by-${name}, role: ${name}, resource: orders, actions: [GET /many] }`).join('\n')}
${NAMES.map((name) => `  - { id: too-${name}, role: ${name}, resource: orders, actions: [GET /many] }`).join('\n')}
${NAMES.map((name, i) => `  - { id: last-${NAMES.at(-1 - i)}, role: ${name}, resource: orders, actions: [GET /turned] }`).join('\n')}
guardrails:
  - { id: not-glass, deny: [GET /guarded], resource: orders, for: [glass] }
${NAMES.map((name) => `  - { id: not-${name}, deny: [GET /guarded], resource: orders, for: [${name}] }`).join('\n')}
${NAMES.slice(0, 20)
  .map((name) => `  - { id: bar-${name}, deny: [GET /barred], resource: orders, allBut: [${name}] }`)
  .join('\n')}
`)

function ask(does: string, who: Partial<Identity>, time = NOW) {
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  )
  const { effect, rules, reasons } = policy!.decide(policy!.bind(someone(who)), act(does), 'orders', { time, ip: '10.0.0.1' })
  return { effect, rules, reasons: reasons.map(({ code, id, role }) => [code, id, role].join(' ')) }
}

const groups = (...names: string[]): Partial<Identity> => ({ claims: { groups: names } })

describe('among many roles', () => {
  test('every rule of the roles that are held grants, and no other', () =>
    assert.deepEqual(ask('GET /many', groups('r27', 'r00')), {
      effect: 'allow',
      rules: ['by-r00', 'by-r27', 'too-r00', 'too-r27'],
      reasons: ['granted by-r00 r00', 'granted by-r27 r27', 'granted too-r00 r00', 'granted too-r27 r27'],
    }))
  test('the last one is found', () => assert.deepEqual(ask('GET /many', groups('r39')).rules, ['by-r39', 'too-r39']))
  test('by ids in another order than that of the roles, as well', () => {
    assert.deepEqual(ask('GET /turned', groups('r27', 'r00')).rules, ['last-r12', 'last-r39'])
    for (const [i, name] of NAMES.entries()) assert.deepEqual(ask('GET /turned', groups(name)).rules, [`last-${NAMES.at(-1 - i)}`])
  })
  test('who holds none is told of the first sixteen', () =>
    assert.deepEqual(
      ask('GET /turned', groups()).reasons,
      NAMES.slice(0, 16).map((name, i) => `role-not-held last-${name} ${NAMES.at(-1 - i)}`),
    ))
  test('none grants to who holds none', () => assert.equal(ask('GET /many', groups('r40')).effect, 'deny'))
  test('one that ends grants until then', () => {
    const glass = { claims: { oid: 'x', groups: [] } }
    assert.deepEqual(ask('GET /many', glass, END - 1).rules, ['by-glass'])
    assert.equal(ask('GET /many', glass, END).effect, 'deny')
  })
  test('every guardrail for the roles that are held applies, and no other', () =>
    assert.deepEqual(ask('GET /guarded', groups('r27', 'r00')), {
      effect: 'deny',
      rules: ['all'],
      reasons: ['guardrail not-r00 r00', 'guardrail not-r27 r27'],
    }))
  test('one for a role that ends applies until then', () => {
    const glass = { claims: { oid: 'x', groups: [] } }
    assert.deepEqual(ask('GET /guarded', glass, END - 1).reasons, ['guardrail not-glass glass'])
    assert.deepEqual(ask('GET /guarded', glass, END).effect, 'allow')
  })
  test('of many that apply, the first sixteen are told', () =>
    assert.deepEqual(
      ask('GET /barred', groups('r03')).reasons,
      NAMES.slice(0, 17)
        .filter((name) => name !== 'r03')
        .map((name) => `guardrail bar-${name} `),
    ))
})
