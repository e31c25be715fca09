import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { checkPolicy, coverageOf, renderExplanation, runPolicyTests, type CompiledPolicy } from './index.ts'
import { act, load, NOW, someone } from './testdata/world.ts'

const folder = join(import.meta.dirname, 'testdata/orders')
const file = (name: string) => ({ path: `policy/${name}`, text: readFileSync(join(folder, name), 'utf8') })

function orders(): CompiledPolicy {
  const { policy, diagnostics } = load([file('roles.yaml'), file('rules.yaml')], { mustAdminister: true })
  assert.deepEqual(diagnostics, [])
  return policy!
}
const AT = { time: NOW, ip: '10.0.0.1' }

test('a denial tells the whole chain and what would help', () => {
  const policy = orders()
  const who = someone({ claims: { roles: ['Orders.Read'] }, unknownClaims: new Set(['groups']), display: 'a reader\u001b[31m' })
  const explanation = policy.explain(policy.bind(who), act('DELETE /orders/7'), 'orders', AT)
  assert.deepEqual(JSON.parse(JSON.stringify(explanation.parties[0]!.roles)), [
    { role: 'authenticated', state: 'held', wouldGive: [] },
    { role: 'contractor', state: 'unknown', claim: 'groups', wouldGive: ['claim `groups` of issuer `entra` containing `g-contractors`'] },
    { role: 'everyone', state: 'held', wouldGive: [] },
    {
      role: 'publisher',
      state: 'not-held',
      wouldGive: [
        'claim `roles` of issuer `entra` containing `Orders.Write`',
        'claim `repository` of issuer `ci` equal to `acme/orders`, for a principal of kind workload',
      ],
    },
    { role: 'reader', state: 'held', claim: 'roles', value: 'Orders.Read', wouldGive: [] },
  ])
  assert.deepEqual(explanation.wouldHelp, [
    'guardrail `contractors-delete-nothing`: it would have to be certain that `contractor` is not held',
    'hold role `publisher`: claim `roles` of issuer `entra` containing `Orders.Write`',
    'hold role `publisher`: claim `repository` of issuer `ci` equal to `acme/orders`, for a principal of kind workload',
  ])
  const text = renderExplanation(explanation)
  assert.match(text, /^deny {2}DELETE \/orders\/7 {2}on orders\n/)
  assert.match(text, /credential {2}bearer, issuer entra \(https:\/\/login\.example\/tenant\), audience api:\/\/orders/)
  assert.match(text, /\+ reader: held, by claim `roles` with `Orders\.Read`\n/)
  assert.match(text, /\? contractor: can not be told, because claim `groups` can not\n/)
  assert.match(text, /- write-orders: role `publisher` not held {2}\(policy\/rules\.yaml:5:9\)\n/)
  assert.match(text, /\* contractors-delete-nothing: denies: role `contractor` can not be told, which counts as applying/)
  assert.doesNotMatch(text, /\u001b/)
})

test('what the provider calls a value is told beside it, and why one can not be told', () => {
  const policy = orders()
  const told = (who: Parameters<typeof someone>[0]) => {
    const explanation = policy.explain(policy.bind(someone(who)), act('DELETE /orders/7'), 'orders', AT)
    return { text: renderExplanation(explanation), help: explanation.wouldHelp }
  }
  const named = told({ claims: { groups: ['g-contractors'] }, valueNames: new Map([['g-contractors', 'Contractors\u001b[31m']]) })
  assert.match(named.text, /\+ contractor: held, by claim `groups` with `g-contractors` \(Contractors.*\)\n/)
  assert.doesNotMatch(named.text, /\u001b/)
  const unknown = told({ unknownClaims: new Set(['groups']), unknownBecause: { groups: 'the directory is down' } })
  assert.match(unknown.text, /\? contractor: can not be told, because claim `groups` can not: the directory is down\n/)
})

test('what is told of a role is that of the binding that tells', () => {
  const roles = (among: number, match: string, from = 1) =>
    `{ issuer: entra, claim: groups, ${match}: [${Array.from({ length: among }, (_, i) => i + from)
      .map((i) => `g${i}`)
      .join(', ')}] }`
  const { policy, diagnostics } = load(`roles:
  eight: { bind: [${roles(8, 'any')}] }
  nine: { bind: [${roles(9, 'all')}] }
  lead: { includes: [helper], eligible: [${roles(1, 'any')}] }
  helper: { eligible: [${roles(1, 'any', 2)}] }
rules:
  - { id: read, role: [eight, nine, lead, helper], resource: orders, actions: ['GET /**'], when: "claims.department == 'a'" }
`)
  assert.deepEqual(diagnostics, [])
  const told = (who: Parameters<typeof someone>[0]) => {
    const { roles: all, rules } = policy!.explain(policy!.bind(someone(who)), act('GET /x'), 'orders', AT).parties[0]!
    return { role: (name: string) => all.find(({ role }) => role === name)!, rule: rules.find(({ id }) => id === 'read')! }
  }
  const nobody = told({ claims: { groups: [] } })
  const listed = (count: number) => Array.from({ length: count }, (_, i) => `\`g${i + 1}\``).join(', ')
  assert.deepEqual(nobody.role('eight').wouldGive, [`claim \`groups\` of issuer \`entra\` containing one of ${listed(8)}`])
  assert.deepEqual(nobody.role('nine').wouldGive, [`claim \`groups\` of issuer \`entra\` containing all of ${listed(8)} and 1 more`])
  // A condition is looked at where the role is held.
  assert.deepEqual([nobody.rule.role, nobody.rule.condition], ['not-held', 'none'])
  const held = told({ claims: { groups: ['g1'] }, unknownBecause: { groups: 'the directory is down' } })
  assert.deepEqual([held.role('eight').state, held.role('eight').because], ['held', undefined])
  assert.deepEqual([held.rule.role, held.rule.condition], ['held', 'error'])
  const could = (name: string, group: string) => told({ claims: { groups: [group] } }).role(name).eligible
  const by = (group: string) => `for which they are eligible: claim \`groups\` of issuer \`entra\` containing \`${group}\``
  assert.equal(could('helper', 'g2'), `activate role \`helper\`, ${by('g2')}`)
  assert.equal(could('helper', 'g1'), `activate role \`lead\`, ${by('g1')}, which gives role \`lead\` and so this one`)
})

test('what helps depends on what is missing', () => {
  const policy = orders()
  const help = (who: Parameters<typeof someone>[0] | undefined, does: string, on = 'orders', time = NOW) =>
    policy.explain(who === undefined ? policy.anonymous : policy.bind(someone(who)), act(does), on, { time, ip: '192.0.2.1' }).wouldHelp[0]
  assert.equal(help(undefined, 'GET /orders'), 'sign in with role `publisher`: claim `roles` of issuer `entra` containing `Orders.Write`')
  assert.equal(help({}, 'GET /nowhere'), 'a rule that grants `GET /nowhere` on `orders`; there is none')
  assert.equal(help({}, 'GET /a', 'billing'), 'a resource `billing` in `ostiary.yaml`')
  assert.equal(help({ issuer: 'ci' }, 'GET /a', 'wiki'), 'a credential of issuer `entra`, which is what `wiki` accepts')
  assert.equal(help({ scopes: [] }, 'GET /a', 'wiki'), 'a token with scope `Wiki.Read`')
  assert.equal(
    help({ claims: { sub: 'x' } }, 'GET /baskets/y'),
    "rule `own-basket`: its condition would have to be true: params.owner == claims.sub && inCidr(context.ip, '10.0.0.0/8')",
  )
  assert.equal(
    help({ claims: { roles: ['Orders.Write'], groups: ['g-contractors'] } }, 'DELETE /orders/7'),
    'guardrail `contractors-delete-nothing` denies this to `contractor`, whatever else is granted',
  )
  const night = Date.UTC(2026, 2, 2, 2)
  assert.match(
    help({ claims: { roles: ['Orders.Write'], groups: [] } }, 'POST /orders', 'orders', night)!,
    /^guardrail `writes-in-office-hours`: its condition would have to be false/,
  )
  assert.equal(help({ claims: { roles: ['Orders.Read'], groups: [] } }, 'GET /orders'), undefined)
})

test('each party of a chain is told for itself', () => {
  const policy = orders()
  const agent = someone({ subject: 'agent', kind: 'agent', claims: { roles: ['Orders.Read'], groups: [] } })
  const who = someone({ claims: { roles: ['Orders.Write'], groups: [] }, actor: agent })
  const explanation = policy.explain(policy.bind(who), act('PUT /orders/7'), 'orders', AT)
  assert.deepEqual(
    explanation.parties.map(({ party, effect }) => [party, effect]),
    [
      ['entra/tenant/subject', 'allow'],
      ['entra/agent', 'deny'],
    ],
  )
  assert.match(explanation.wouldHelp[0]!, /^entra\/agent, who acts for it: hold role `publisher`/)
  assert.match(renderExplanation(explanation), /acting for it {2}entra\/agent \(agent\): deny/)
})

test('the tests of the example pass, and tell what they expected when they do not', () => {
  const policy = orders()
  const run = runPolicyTests(policy, [file('orders.test.yaml')], NOW)
  assert.deepEqual(run.diagnostics, [])
  assert.deepEqual(
    run.results.filter(({ passed }) => !passed).map(({ message }) => message),
    [],
  )
  assert.equal(run.results.length, 10)

  const failing = `apiVersion: ostiary.dev/v1
tests:
  - { name: a, principal: anonymous, does: GET /orders, on: orders, expect: allow }
  - { name: b, principal: anonymous, does: GET /healthz, on: orders, expect: allow, because: haelth }
  - { name: c, principal: anonymous, does: GET /healthz, on: orders, expect: allow, because: read-orders }
`
  const failed = runPolicyTests(policy, [{ path: 'policy/x.test.yaml', text: failing }], NOW)
  assert.deepEqual(
    failed.results.map(({ span, message }) => [span.line, span.column, message]),
    [
      [3, 13, 'expected allow, but got deny because role-not-held `read-orders` (role `publisher`)'],
      [4, 13, 'expected allow because haelth, but got allow because granted `health` (role `everyone`); did you mean `health`?'],
      [5, 13, 'expected allow because read-orders, but got allow because granted `health` (role `everyone`)'],
    ],
  )
})

test('a test that asks for what is not there is a finding, not a pass', () => {
  const policy = orders()
  const one = (text: string) => {
    const rest = `apiVersion: ostiary.dev/v1\ntests:\n  - { name: a, expect: deny, ${text} }`
    const { results, diagnostics } = runPolicyTests(policy, [{ path: 'policy/x.test.yaml', text: rest }], NOW)
    assert.equal(results.length, 0)
    return diagnostics.map(({ code, help }) => `${code} ${help}`)
  }
  const asked = 'principal: anonymous, does: GET /a'
  assert.deepEqual(one(`${asked}, on: order`), ['policy/unknown-resource did you mean `orders`?'])
  assert.deepEqual(one('principal: anonymous, does: GET /a/**, on: orders'), ['policy/action write for example `GET /orders/7`'])
  assert.deepEqual(one('principal: anonymous, does: GET /a//b, on: orders'), ['policy/action write for example `GET /orders/7`'])
  assert.deepEqual(one(`${asked}, on: orders, at: noon`), ['policy/break-glass-time write RFC 3339, such as `2026-12-31T00:00:00Z`'])
  assert.deepEqual(one(`${asked}, on: orders, from: home`), ['policy/test-principal see docs/policy.md, Tests'])
  assert.deepEqual(one('principal: { issuer: entar }, does: GET /a, on: orders'), ['policy/unknown-issuer did you mean `entra`?'])
  assert.deepEqual(one('principal: { issuer: entra, claims: { role: [x] } }, does: GET /a, on: orders'), [
    'policy/unknown-claim did you mean `roles`?',
  ])
  assert.match(one('principal: { issuer: entra, claims: { roles: x } }, does: GET /a, on: orders')[0]!, /^policy\/binding-type/)
  assert.deepEqual(one('principal: { issuer: entra, unknown: [gruops] }, does: GET /a, on: orders'), [
    'policy/unknown-claim did you mean `groups`?',
  ])
  assert.deepEqual(one(`${asked}, on: orders, becuase: x`), ['config/unknown-key did you mean `because`?'])
})

test('check warns of what is allowed but probably not meant', () => {
  const { policy, diagnostics } = load(`roles:
  used: { bind: [{ issuer: entra, claim: roles, any: [R] }] }
  idle: { bind: [{ issuer: entra, claim: roles, any: [S] }] }
  gone: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-01-01T00:00:00Z } }] }
rules:
  - { id: shadowed, role: used, resource: orders, actions: ['DELETE /a/{x}', DELETE /b] }
  - { id: half-shadowed, role: used, resource: [orders, wiki], actions: ['DELETE /a/{x}'] }
  - { id: open, role: authenticated, resource: wiki, actions: ['* /**'] }
  - { id: slash, role: gone, resource: orders, actions: [GET /c/] }
  - { id: case, role: used, resource: orders, actions: [POST /C] }
  - { id: nowhere, role: used, resource: { labels: { zone: z } }, actions: [GET /c] }
guardrails:
  - { id: nothing-goes, deny: ['DELETE /**'], resource: orders, for: [authenticated] }
  - { id: sometimes, deny: ['POST /**'], resource: orders, for: [used], when: 'context.ip == "10.0.0.1"' }
  - { id: gap, deny: ['PUT /pages/{id}', 'PUT /both', PUT /both/], resource: wiki, allBut: [used] }
`)
  assert.deepEqual(diagnostics, [])
  const found = checkPolicy(policy!, NOW)
  assert.ok(found.every(({ severity }) => severity === 'warning'))
  assert.deepEqual(
    found.map(({ code, span, message }) => `${code} ${span!.line}: ${message}`),
    [
      'policy/break-glass-expired 5: the breakGlass binding of role `gone` expired at 2026-01-01T00:00:00.000Z',
      'policy/role-nobody 5: nobody can hold role `gone`',
      'policy/role-unused 4: role `idle` is used by no rule and no guardrail',
      'policy/selector-empty 12: rule `nowhere` selects no resource',
      'policy/rule-shadowed 7: no request can reach rule `shadowed`: guardrail `nothing-goes` always denies what it grants',
      'policy/slash-gap 16: guardrail `gap` denies `PUT /pages/{id}` but not `PUT /pages/{id}/`, which rule `open` grants',
      'policy/wildcard-grant 9: rule `open` grants everything on `wiki` to `authenticated`',
      'policy/look-alike 10: `GET /c/` and `POST /C` differ only by the slash at the end',
    ],
  )
  assert.deepEqual(checkPolicy(orders(), NOW), [])
})

describe('tables of cases', () => {
  const { policy } = load(`roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] }
rules:
  - { id: read, role: reader, resource: orders, actions: ['GET /**'] }
  - { id: write, role: reader, resource: orders, actions: [POST /a] }
guardrails:
  - { id: closed, deny: [GET /closed], resource: orders, for: [reader] }
  - { id: strong, require: { mfa: true }, actions: [GET /strong], resource: orders, for: [reader] }
`)
  const run = (text: string) =>
    runPolicyTests(policy!, [{ path: 'policy/x.test.yaml', text: `apiVersion: ostiary.dev/v1\ntests:\n${text}` }], NOW)
  const table = `  - name: readers
    principal: { issuer: entra, claims: { roles: [R] } }
    on: orders
    expect: allow
    cases:
      - { does: GET /a, because: read }
      - { does: GET /closed, expect: deny, because: closed }
      - { does: GET /a, principal: anonymous, expect: deny }
      - { does: GET /strong, expect: challenge, because: strong }
      - { does: PUT /a }
`
  test('each row is a test of its own, at its own place', () => {
    const { results, diagnostics } = run(table)
    assert.deepEqual(diagnostics, [])
    assert.deepEqual(
      results.map(({ name, passed, span }) => [name, passed, span.line]),
      [
        ['readers: GET /a', true, 8],
        ['readers: GET /closed', true, 9],
        ['readers: GET /a', true, 10],
        ['readers: GET /strong', true, 11],
        ['readers: PUT /a', false, 12],
      ],
    )
    assert.deepEqual(coverageOf(policy!, results), { rules: 2, guardrails: 2, uncovered: { rules: ['write'], guardrails: [] } })
  })
  test('what neither the test nor the row says is missing, and is said', () => {
    const { results, diagnostics } = run(
      '  - { name: half, does: GET /a, cases: [{ on: orders, expect: deny }, { principal: anonymous }] }\n  - { name: none }\n',
    )
    assert.deepEqual(results, [])
    assert.deepEqual(
      diagnostics.map(({ code, message }) => `${code} ${message}`),
      [
        'policy/test-incomplete test `half: GET /a` does not say `principal`',
        'policy/test-incomplete test `half: GET /a` does not say `on`, `expect`',
        'policy/test-incomplete test `none` does not say `principal`, `does`, `on`, `expect`',
      ],
    )
  })
  test('what is wrong in a row is told at the row', () => {
    const { diagnostics } = run(
      '  - name: x\n    principal: anonymous\n    on: orders\n    expect: deny\n    cases:\n      - { does: GET /a }\n      - { does: GETT }\n',
    )
    assert.deepEqual(
      diagnostics.map(({ code, span }) => [code, span?.line]),
      [['policy/action', 9]],
    )
  })
})
