/** What is decided at the edges of how a policy is kept: many roles at one place, names of one thing that are those of another. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { act, load, NOW, someone, wiring } from './testdata/world.ts'

const AT = { time: NOW, ip: '10.0.0.1' }

/** Decides about who has these roles of its provider. */
function decider(text: string) {
  const { policy, diagnostics } = load(text)
  assert.deepEqual(diagnostics, [])
  return (roles: readonly string[], action = 'GET /x', scopes?: readonly string[], resource = 'orders') => {
    const { effect, rule, rules, reasons } = policy!.decide(policy!.bind(someone({ claims: { roles }, scopes })), act(action), resource, AT)
    return {
      effect,
      rule,
      rules,
      reasons: reasons.map(({ code, id, role }) => [code, id, role].filter((one) => one !== undefined).join(' ')),
    }
  }
}

test('two rules at one place grant whoever holds the role of either, whatever the order of their names', () => {
  const decide = decider(`roles:
  a: { bind: [{ issuer: entra, claim: roles, any: [A] }] }
  m: { bind: [{ issuer: entra, claim: roles, any: [M] }] }
  z: { bind: [{ issuer: entra, claim: roles, any: [Z] }] }
rules:
  - { id: first, role: z, resource: orders, actions: ['GET /x'] }
  - { id: second, role: a, resource: orders, actions: ['GET /x'] }
guardrails:
  - { id: strict, for: [m], resource: orders, actions: ['GET /x'], record: strict }
`)
  for (const more of [[], ['M']]) {
    assert.deepEqual(decide(['A', ...more]).rules, ['second'])
    assert.deepEqual(decide(['Z', ...more]).rules, ['first'])
    assert.deepEqual(decide(['A', 'Z', ...more]), {
      effect: 'allow',
      rule: 'first',
      rules: ['first', 'second'],
      reasons: ['granted first z', 'granted second a'],
    })
    assert.equal(decide(['B', ...more]).effect, 'deny')
  }
})

test('two guardrails at one place meet whoever holds the role of either, whatever the order of their names', () => {
  const decide = decider(`roles:
  a: { bind: [{ issuer: entra, claim: roles, any: [A] }] }
  z: { bind: [{ issuer: entra, claim: roles, any: [Z] }] }
rules:
  - { id: all, role: authenticated, resource: orders, actions: ['GET /x'] }
guardrails:
  - { id: first, for: [z], resource: orders, deny: ['GET /x'] }
  - { id: second, for: [a], resource: orders, deny: ['GET /x'] }
`)
  assert.deepEqual(decide(['A']).reasons, ['guardrail second a'])
  assert.deepEqual(decide(['Z']).reasons, ['guardrail first z'])
  assert.deepEqual(decide(['A', 'Z']).reasons, ['guardrail first z', 'guardrail second a'])
  assert.equal(decide([]).effect, 'allow')
})

test('two guardrails at one place count for whoever may hold the role of either, whatever the order of their names', () => {
  const { policy, diagnostics } = load(`roles:
  a: { bind: [{ issuer: entra, claim: groups, any: [A] }] }
  m: { bind: [{ issuer: entra, claim: roles, any: [M] }] }
  z: { bind: [{ issuer: entra, claim: roles, any: [Z] }] }
rules:
  - { id: all, role: authenticated, resource: orders, actions: ['GET /x'] }
  - { id: above, role: z, resource: orders, actions: ['GET /y'] }
  - { id: below, role: a, resource: orders, actions: ['GET /y'] }
guardrails:
  - { id: first, for: [z], resource: orders, deny: ['GET /x'] }
  - { id: second, for: [a], resource: orders, deny: ['GET /x'] }
`)
  assert.deepEqual(diagnostics, [])
  const whose = (claims: Record<string, string[]>, unknown: readonly string[], action: string) => {
    const { effect, reasons } = policy!.decide(
      policy!.bind(someone({ claims, unknownClaims: new Set(unknown) })),
      act(action),
      'orders',
      AT,
    )
    return [effect, ...reasons.map(({ code, id }) => `${code} ${id}`)]
  }
  assert.equal(whose({ roles: ['M'] }, ['groups'], 'GET /x')[0], 'deny')
  assert.match(whose({ roles: ['M'] }, ['groups'], 'GET /x').join(), / second/)
  assert.match(whose({ groups: [] }, ['roles'], 'GET /x').join(), /^deny.* first/)
  assert.deepEqual(whose({ roles: ['M'], groups: [] }, [], 'GET /x'), ['allow', 'granted all'])
  assert.match(whose({ roles: ['M'] }, ['groups'], 'GET /y').join(), /role-unknown below/)
  assert.match(whose({ groups: [] }, ['roles'], 'GET /y').join(), /role-unknown above/)
})

test('a scope that is called as a rule is none', () => {
  const decide = decider(`roles:
  a: { bind: [{ issuer: entra, claim: roles, any: [A] }] }
rules:
  - { id: pages-read, role: a, resource: wiki, actions: ['GET /x', 'POST /x'] }
`)
  assert.equal(decide(['A'], 'POST /x', ['Wiki.Write'], 'wiki').effect, 'deny')
  assert.deepEqual(decide(['A'], 'POST /x', ['pages-read'], 'wiki').reasons, decide(['A'], 'POST /x', [], 'wiki').reasons)
  assert.equal(decide(['A'], 'POST /x', ['pages-read'], 'wiki').effect, 'deny')
  assert.equal(decide(['A'], 'GET /x', ['Wiki.Read'], 'wiki').effect, 'allow')
})

test('a place may have thousands of roles, and others beside it', () => {
  const count = 3000
  const names = Array.from({ length: count }, (_, i) => `r${String(i).padStart(4, '0')}`)
  const decide = decider(`roles:
${names.map((name) => `  ${name}: { bind: [{ issuer: entra, claim: roles, any: [${name}] }] }`).join('\n')}
rules:
  - { id: before, role: r0001, resource: orders, actions: ['GET /before'] }
${[0, 1, 2].map((n) => `  - { id: many-${n}, role: [${names.slice(n * 1000, n * 1000 + 1000).join(', ')}], resource: orders, actions: ['GET /x'] }`).join('\n')}
  - { id: after, role: r0002, resource: orders, actions: ['GET /y'] }
`)
  for (const _ of [1, 2]) {
    assert.equal(decide(['r0001'], 'GET /before').rule, 'before')
    for (const [name, rule] of Object.entries({ r0000: 'many-0', r1500: 'many-1', r2999: 'many-2' }))
      assert.deepEqual(decide([name]), { effect: 'allow', rule, rules: [rule], reasons: [`granted ${rule} ${name}`] })
    assert.equal(decide(['r3000']).effect, 'deny')
    assert.equal(decide(['r0002'], 'GET /y').rule, 'after')
    assert.equal(decide(['r0001'], 'GET /y').effect, 'deny')
  }
})

test('resources are told in the order of their names, each with an action to begin with', () => {
  const { orders, wiki } = wiring.resources
  const unsorted = { ...wiring, resources: { wiki: wiki!, orders: orders!, alpha: { ...orders!, protocol: 'sql' } } }
  const { policy } = load('roles: { a: { bind: [{ issuer: entra, claim: roles, any: [A] }] } }\n', { wiring: unsorted })
  assert.deepEqual(
    policy!.resources.map(({ name }) => name),
    ['alpha', 'orders', 'ostiary', 'wiki'],
  )
  for (const { exampleAction } of policy!.resources) assert.match(exampleAction, /^\w+ \S+/)
})

test('what a claim can not prove is found, also where nobody knows where it was written', () => {
  const { ci, entra } = wiring.issuers
  const mfa = { mfa: { claim: 'nothing', any: ['a'] }, authContext: {}, device: {} }
  const { policy, diagnostics } = load('rules: []\n', { wiring: { ...wiring, issuers: { ci: ci!, entra: { ...entra!, stepUp: mfa } } } })
  assert.deepEqual([policy, diagnostics.map(({ code, span }) => [code, span])], [undefined, [['policy/step-up-claim', undefined]]])
})
