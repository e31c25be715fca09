import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CompiledPolicy } from '../compiled.ts'
import { load, NOW, wiring } from '../testdata/world.ts'
import type { PolicyWiring } from '../world.ts'
import { comparePolicies, type PolicyComparison } from './index.ts'
import { renderComparison } from './render.ts'

const ROLES = `roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [Reader] }] }
  writer: { bind: [{ issuer: entra, claim: roles, any: [Writer] }] }
  contractor: { bind: [{ issuer: entra, claim: groups, any: [contractors] }] }
  build: { bind: [{ issuer: ci, claim: repository, any: [acme/orders] }] }
`

function policy(text: string, more?: PolicyWiring): CompiledPolicy {
  const { policy: loaded, diagnostics } = load(text.includes('roles:') ? text : ROLES + text, more === undefined ? {} : { wiring: more })
  assert.ok(loaded !== undefined, JSON.stringify(diagnostics.map(({ message }) => message)))
  return loaded
}

function compare(before: string, after: string, more: Partial<Parameters<typeof comparePolicies>[2]> = {}): PolicyComparison {
  return comparePolicies(policy(before), policy(after), { now: NOW, ...more })
}

/** `gained: holders of `reader`: GET /a` */
function told({ changes, notProven }: PolicyComparison): readonly string[] {
  return [
    ...changes.map(
      ({ direction, who, actions, before, after }) =>
        `${direction}: ${who.text}: ${actions.join(', ')} (${before.effect} → ${after.effect})`,
    ),
    ...notProven.map(({ why }) => `not proven: ${why}`),
  ].toSorted()
}

const rule = (more: string): string => `rules: [{ id: r, resource: orders, ${more} }]\n`

describe('what is gained and lost', () => {
  const cases: readonly (readonly [name: string, before: string, after: string, told: readonly string[]])[] = [
    ['nothing', rule('role: reader, actions: [GET /a]'), rule('role: reader, actions: [GET /a]'), []],
    [
      'another id, another name of a parameter, another order',
      rule("role: [reader, writer], actions: ['GET /a/{x}', GET /b]"),
      "rules: [{ id: other, resource: orders, role: [writer, reader], actions: [GET /b, 'GET /a/{y}'] }]\n",
      [],
    ],
    [
      'one rule as two',
      rule('role: [reader, writer], actions: [GET /a]'),
      'rules: [{ id: a, role: reader, resource: orders, actions: [GET /a] }, { id: b, role: writer, resource: orders, actions: [GET /a] }]\n',
      [],
    ],
    ['a rule that another covers', rule("role: reader, actions: ['GET /**', GET /a]"), rule("role: reader, actions: ['GET /**']"), []],
    [
      'a role more',
      rule('role: reader, actions: [GET /a]'),
      rule('role: [reader, writer], actions: [GET /a]'),
      ['wider: holders of `writer`: GET /a (deny → allow)'],
    ],
    [
      'what they have already, in one of two cells',
      'rules: [{ id: r, resource: orders, role: reader, actions: [GET /b] }]\n',
      'rules: [{ id: r, resource: orders, role: reader, actions: [GET /b] }, { id: s, resource: orders, role: reader, actions: [GET /a, GET /b] }]\n',
      ['wider: holders of `reader`: GET /a (deny → allow)'],
    ],
    [
      'what others have already, in one of two cells',
      'rules: [{ id: r, resource: orders, role: writer, actions: [GET /b] }]\n',
      'rules: [{ id: r, resource: orders, role: writer, actions: [GET /b] }, { id: s, resource: orders, role: [reader, writer], actions: [GET /a, GET /b] }]\n',
      ['wider: holders of `reader`: GET /a, GET /b (deny → allow)', 'wider: holders of `writer`: GET /a (deny → allow)'],
    ],
    [
      'a role less',
      rule('role: [reader, writer], actions: [GET /a]'),
      rule('role: reader, actions: [GET /a]'),
      ['narrower: holders of `writer`: GET /a (allow → deny)'],
    ],
    [
      'everyone',
      rule('role: reader, actions: [GET /a]'),
      rule('role: everyone, actions: [GET /a]'),
      ['wider: everyone: GET /a (deny → allow)'],
    ],
    [
      'all but what there was',
      rule("role: reader, actions: ['GET /a/{x}']"),
      rule("role: reader, actions: ['* /a/**']"),
      ['wider: holders of `reader`: * /a/, * /a/{segment2}, except `GET`, * /a/{segment2}/** (deny → allow)'],
    ],
    [
      'a guardrail less',
      `${rule('role: reader, actions: [DELETE /a]')}guardrails: [{ id: g, for: [contractor], resource: orders, deny: [DELETE /a] }]\n`,
      rule('role: reader, actions: [DELETE /a]'),
      ['wider: holders of `reader` who hold or may hold `contractor`: DELETE /a (deny → allow)'],
    ],
    [
      'a guardrail more',
      rule('role: reader, actions: [DELETE /a]'),
      `${rule('role: reader, actions: [DELETE /a]')}guardrails: [{ id: g, allBut: [writer], resource: orders, deny: [DELETE /a] }]\n`,
      ['narrower: holders of `reader`: DELETE /a (allow → deny)'],
    ],
    [
      'a step-up less',
      `${rule('role: reader, actions: [GET /a]')}guardrails: [{ id: g, allBut: [build], resource: orders, require: { proofOfPossession: dpop }, actions: [GET /a] }]\n`,
      rule('role: reader, actions: [GET /a]'),
      ['wider: holders of `reader`: GET /a (challenge → allow)'],
    ],
    [
      'a network more',
      rule(`role: reader, actions: [GET /a], when: "inCidr(context.ip, '10.0.0.0/8')"`),
      rule(`role: reader, actions: [GET /a], when: "inCidr(context.ip, '10.0.0.0/8') || inCidr(context.ip, '192.0.2.0/24')"`),
      ['wider: holders of `reader` whose address is in 192.0.2.0/24: GET /a (deny → allow)'],
    ],
    [
      'a network within another',
      rule(`role: reader, actions: [GET /a], when: "inCidr(context.ip, '10.0.0.0/8') || inCidr(context.ip, '10.1.0.0/16')"`),
      rule(`role: reader, actions: [GET /a], when: "inCidr(context.ip, '10.0.0.0/8')"`),
      [],
    ],
    [
      'halves that are the whole',
      rule(`role: reader, actions: [GET /a], when: "inCidr(context.ip, '10.0.0.0/9') || inCidr(context.ip, '10.128.0.0/9')"`),
      rule(`role: reader, actions: [GET /a], when: "inCidr(context.ip, '10.0.0.0/8')"`),
      [],
    ],
    [
      'constants that exclude each other',
      rule(`role: reader, actions: [GET /a], when: "claims.department == 'a' && claims.department != 'b'"`),
      rule(`role: reader, actions: [GET /a], when: "claims.department == 'a'"`),
      [],
    ],
    [
      'the order of time',
      rule(
        `role: reader, actions: [GET /a], when: "context.time < timestamp('2030-01-01T00:00:00Z') && context.time < timestamp('2031-01-01T00:00:00Z')"`,
      ),
      rule(`role: reader, actions: [GET /a], when: "context.time < timestamp('2030-01-01T00:00:00Z')"`),
      [],
    ],
    [
      'a year more',
      rule(`role: reader, actions: [GET /a], when: "context.time < timestamp('2030-01-01T00:00:00Z')"`),
      rule(`role: reader, actions: [GET /a], when: "context.time < timestamp('2031-01-01T00:00:00Z')"`),
      ['wider: holders of `reader` from 2030-01-01T00:00:00Z until 2031-01-01T00:00:00Z: GET /a (deny → allow)'],
    ],
    [
      'an hour less',
      rule(`role: reader, actions: [GET /a], when: "context.time.getHours('Europe/Berlin') >= 8"`),
      rule(`role: reader, actions: [GET /a], when: "context.time.getHours('Europe/Berlin') >= 9"`),
      ["narrower: holders of `reader` where `context.time.getHours('Europe/Berlin')` is `8`: GET /a (allow → deny)"],
    ],
    [
      'numbers',
      rule(`role: reader, actions: [GET /a], when: "claims.level >= 3"`),
      rule(`role: reader, actions: [GET /a], when: "claims.level > 3"`),
      ['narrower: holders of `reader` whose `level` of `entra` is `3`: GET /a (allow → deny)'],
    ],
    [
      'conditions of which nothing is known are alike where they are the same',
      rule(`role: reader, actions: ['GET /a/{owner}'], when: "params.owner == claims.sub"`),
      rule(`role: reader, actions: ['GET /a/{x}'], when: "params.x  ==  claims.sub"`),
      [],
    ],
    [
      'and are looked into where they are not',
      rule(`role: reader, actions: ['GET /a/{owner}'], when: "params.owner == claims.sub"`),
      rule("role: reader, actions: ['GET /a/{owner}']"),
      ['wider: holders of `reader`: GET /a/{owner} (deny → allow)'],
    ],
    [
      'a value more of a binding',
      `roles: { a: { bind: [{ issuer: entra, claim: groups, any: [x] }] } }\n${rule('role: a, actions: [GET /a]')}`,
      `roles: { a: { bind: [{ issuer: entra, claim: groups, any: [x, y] }] } }\n${rule('role: a, actions: [GET /a]')}`,
      ['wider: callers whose `groups` of `entra` has `y`: GET /a (deny → allow)'],
    ],
    [
      'a role of another issuer',
      `roles: { a: { bind: [{ issuer: entra, claim: groups, any: [x] }] } }\n${rule('role: a, actions: [GET /a]')}`,
      `roles: { a: { bind: [{ issuer: ci, claim: groups, any: [x] }] } }\n${rule('role: a, actions: [GET /a]')}`,
      [
        'narrower: callers whose `groups` of `entra` has `x`: GET /a (allow → deny)',
        'wider: callers whose `groups` of `ci` has `x`: GET /a (deny → allow)',
      ],
    ],
    [
      'a role by way of another',
      `roles: { a: { bind: [{ issuer: entra, claim: groups, any: [x] }] }, b: { includes: [], bind: [{ issuer: entra, claim: groups, any: [y] }] } }\n${rule('role: [a, b], actions: [GET /a]')}`,
      `roles: { a: { bind: [{ issuer: entra, claim: groups, any: [x] }] }, b: { includes: [a], bind: [{ issuer: entra, claim: groups, any: [y] }] } }\n${rule('role: [a], actions: [GET /a]')}`,
      [],
    ],
    [
      'an end',
      `roles: { a: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2030-01-01T00:00:00Z } }] } }\n${rule('role: a, actions: [GET /a]')}`,
      `roles: { a: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2031-01-01T00:00:00Z } }] } }\n${rule('role: a, actions: [GET /a]')}`,
      ['wider: callers whose `oid` of `entra` is `x` and from 2030-01-01T00:00:00Z until 2031-01-01T00:00:00Z: GET /a (deny → allow)'],
    ],
    [
      'an end that has come',
      `roles: { a: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2020-01-01T00:00:00Z } }, { issuer: entra, claim: roles, any: [y] }] } }\n${rule('role: a, actions: [GET /a]')}`,
      `roles: { a: { bind: [{ issuer: entra, claim: roles, any: [y] }] } }\n${rule('role: a, actions: [GET /a]')}`,
      [],
    ],
    [
      'a mask less',
      `${rule('role: reader, actions: [GET /a]')}guardrails: [{ id: g, allBut: [writer], resource: orders, mask: { '$.iban': drop }, actions: [GET /a] }]\n`,
      `${rule('role: reader, actions: [GET /a]')}guardrails: [{ id: g, allBut: [writer], resource: orders, mask: { '$.iban': hash }, actions: [GET /a] }]\n`,
      ['wider: holders of `reader` without `writer`: GET /a (allow → allow)'],
    ],
  ]
  for (const [name, before, after, expected] of cases)
    test(name, () => {
      const result = compare(before, after)
      assert.deepEqual(told(result), expected)
    })

  test('a witness comes along that both versions were asked about', () => {
    const [from, to] = [policy(rule('role: reader, actions: [GET /a]')), policy(rule('role: [reader, build], actions: [GET /a]'))]
    const [change] = comparePolicies(from, to, { now: NOW }).changes
    const { identity, action, resource, context } = change!.witness
    assert.deepEqual(identity?.claims['repository'], 'acme/orders')
    assert.deepEqual(
      [from, to].map((one) => one.decide(one.bind(identity!), action, resource, context).effect),
      ['deny', 'allow'],
    )
  })
})

describe('wiring', () => {
  const text = `${ROLES}rules: [{ id: r, role: reader, resource: wiki, actions: ['GET /**'] }]\n`
  const other = (wiki: object, issuers: object = {}): PolicyWiring => ({
    issuers: { ...wiring.issuers, ...issuers },
    resources: { ...wiring.resources, wiki: { ...wiring.resources['wiki']!, ...wiki } },
  })
  const compared = (after: PolicyWiring): readonly string[] => told(comparePolicies(policy(text), policy(text, after), { now: NOW }))

  test('scopes', () =>
    assert.deepEqual(compared(other({ scopes: { 'Wiki.Read': ['GET /pages/**'], 'Wiki.Write': ['* /pages/**'] } })), [
      'narrower: holders of `reader` by a delegated token and with scope `Wiki.Read`: GET /**, except `pages`, GET /pages (allow → deny)',
    ]))
  test('accepted issuers', () => assert.deepEqual(compared(other({ issuers: ['entra', 'ci'] })), []))
  test('a claim of another type is not compared', () => {
    const entra = { ...wiring.issuers['entra']!, claims: { ...wiring.issuers['entra']!.claims, groups: 'string' as const } }
    const [first] = told(
      comparePolicies(
        policy(`${ROLES}${rule('role: contractor, actions: [GET /a]')}`),
        policy(`${ROLES}${rule('role: [contractor, reader], actions: [GET /a]')}`, other({}, { entra })),
        { now: NOW },
      ),
    )
    assert.equal(first, 'not proven: claim `groups` of issuer `entra` is of another type')
  })
})

describe('what is not proven never counts as equal', () => {
  const before = rule(`role: reader, actions: [GET /a], when: "claims.department.startsWith('a') && claims.level > 3"`)
  const after = rule(`role: [reader, writer], actions: [GET /a], when: "claims.department.startsWith('a')"`)

  test('a bound on formulas', () => {
    const { changes, notProven } = compare(before, after, { maxNodes: 40 })
    assert.deepEqual(changes, [])
    assert.match(notProven[0]!.why, /more than 40 nodes/)
  })
  test('a bound on cases', () => {
    const { notProven } = compare(before, after, { maxCases: 1 })
    assert.match(notProven[0]!.why, /more than 1 cases/)
  })
  test('a bound on cells', () => {
    const { notProven } = compare(
      rule("role: reader, actions: ['* /a/**', GET /a, 'PUT /a/{x}']"),
      rule('role: writer, actions: [GET /a]'),
      { maxCells: 2 },
    )
    assert.match(notProven[0]!.why, /overlap in too many ways/)
  })
  test('what this comparison does not know', () => {
    const [from, to] = [policy(rule('role: reader, actions: [GET /a]')), policy(rule('role: [reader, writer], actions: [GET /a]'))]
    for (const one of [from, to]) Object.assign(one.model.rules[0]!, { later: 'word' })
    const { notProven, changes } = comparePolicies(from, to, { now: NOW })
    assert.deepEqual([notProven[0]?.why, changes], ['`later` of `r` is not compared yet', []])
    assert.deepEqual(comparePolicies(from, from, { now: NOW }).notProven, [])
  })
  test('a condition that nobody was found for', () => {
    const { notProven } = compare(
      rule(`role: reader, actions: [GET /a], when: "claims.department.matches('^[a-z]{7}-[0-9]{9}$')"`),
      rule('role: writer, actions: [GET /a]'),
    )
    assert.match(notProven[0]?.why ?? '', /nobody was found/)
  })
})

test('nothing that a policy says steers a terminal', () => {
  const result = compare(
    rule('role: reader, actions: [GET /a]'),
    rule(`role: reader, actions: [GET /a], when: "claims.department == 'a\\\\u001b[31m'"`),
  )
  assert.doesNotMatch(renderComparison(result), /\u001b/)
})
