import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { z } from 'zod'
import { readDocument } from '../config/document.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { formatSpan } from '../core/span.ts'
import { character } from '../testing/text.ts'
import { sha256 } from './digest.ts'
import { loadPolicy, policySchema, policyTestSchema } from './index.ts'
import { kindClaims, load, NOW, someone, wiring } from './testdata/world.ts'

/** Code, place and help in short, for comparison. */
function short({ code, span, help }: Diagnostic): string {
  return `${code} ${span === undefined ? '?' : `${span.line}:${span.column}`} ${help}`
}

const ROLES = 'roles: { reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] } }\n'
const RULE = 'rules: [{ id: a, role: reader, resource: orders, actions: [GET /a] }]\n'

describe('what is refused, where, and what to write instead', () => {
  // Line 1 is apiVersion; each text starts on line 2.
  const cases: readonly (readonly [name: string, text: string, expected: readonly string[]])[] = [
    ['an unknown key at the top', 'rulez: []', ['config/unknown-key 2:1 did you mean `rules`?']],
    [
      'an unknown key of a rule',
      `${ROLES}rules: [{ id: a, role: reader, resource: orders, action: [GET /a] }]`,
      ['config/missing', 'config/unknown-key 3:50 did you mean `actions`?'],
    ],
    ['a duplicate key', 'rules: []\nrules: []', ['config/yaml 3:1']],
    ['an alias', 'rules: &a []\nguardrails: *a', ['config/alias 2:11', 'config/alias 3:13']],
    [
      'an unknown role',
      `${ROLES}rules: [{ id: a, role: raeder, resource: orders, actions: [GET /a] }]`,
      ['policy/unknown-role 3:24 did you mean `reader`?'],
    ],
    [
      'one of several roles',
      `${ROLES}rules: [{ id: a, role: [reader, nobody], resource: orders, actions: [GET /a] }]`,
      ['policy/unknown-role 3:33 declare it under `roles:`'],
    ],
    [
      'an unknown role of a guardrail',
      `${ROLES}guardrails: [{ id: a, for: [reder], resource: orders, deny: [GET /a] }]`,
      ['policy/unknown-role 3:29 did you mean `reader`?'],
    ],
    [
      'an unknown resource',
      `${ROLES}rules: [{ id: a, role: reader, resource: order, actions: [GET /a] }]`,
      ['policy/unknown-resource 3:42 did you mean `orders`?'],
    ],
    [
      'a selector of nothing',
      `${ROLES}rules: [{ id: a, role: reader, resource: { labels: {} }, actions: [GET /a] }]`,
      ['policy/unknown-resource 3:42 name at least one label'],
    ],
    [
      'an unknown issuer',
      'roles: { r: { bind: [{ issuer: entar, claim: roles, any: [R] }] } }',
      ['policy/unknown-issuer 2:32 did you mean `entra`?'],
    ],
    [
      'an unknown claim',
      'roles: { r: { bind: [{ issuer: entra, claim: role, any: [R] }] } }',
      ['policy/unknown-claim 2:46 did you mean `roles`?'],
    ],
    ['a claim of another issuer', 'roles: { r: { bind: [{ issuer: ci, claim: roles, any: [R] }] } }', ['policy/unknown-claim 2:43 ']],
    [
      'a claim that is a word of JavaScript',
      'roles: { r: { bind: [{ issuer: entra, claim: constructor, any: [R] }] } }',
      ['policy/unknown-claim 2:46 '],
    ],
    ['a binding without values', 'roles: { r: { bind: [{ issuer: entra, claim: roles }] } }', ['policy/binding-values 2:22']],
    [
      'a binding with two kinds of values',
      'roles: { r: { bind: [{ issuer: entra, claim: roles, any: [R], none: [S] }] } }',
      ['policy/binding-values 2:22'],
    ],
    ['an empty list of values', 'roles: { r: { bind: [{ issuer: entra, claim: roles, any: [] }] } }', ['config/invalid 2:58']],
    ['`all` of what is no list', 'roles: { r: { bind: [{ issuer: entra, claim: department, all: [a] }] } }', ['policy/binding-all 2:58']],
    ['a value of another type', 'roles: { r: { bind: [{ issuer: entra, claim: level, any: [high] }] } }', ['policy/binding-type 2:59']],
    [
      'a number that should be text',
      'roles: { r: { bind: [{ issuer: entra, claim: roles, any: [42] }] } }',
      ['policy/binding-type 2:59 write a value of the type of the claim; text that looks like a number'],
    ],
    [
      'a guardrail that does nothing',
      `${ROLES}guardrails: [{ id: g, for: [reader], resource: orders, actions: [GET /a] }]`,
      ['policy/guardrail-effect 3:20'],
    ],
    [
      'a guardrail that denies and requires',
      `${ROLES}guardrails: [{ id: g, for: [reader], resource: orders, deny: [GET /a], require: { mfa: true }, actions: [GET /a] }]`,
      ['policy/guardrail-effect 3:20'],
    ],
    [
      'a guardrail that requires for nothing',
      `${ROLES}guardrails: [{ id: g, for: [reader], resource: orders, require: { mfa: true } }]`,
      ['policy/guardrail-effect 3:20'],
    ],
    [
      'a guardrail that requires nothing',
      `${ROLES}guardrails: [{ id: g, for: [reader], resource: orders, require: {}, actions: [GET /a] }]`,
      ['policy/guardrail-effect 3:20'],
    ],
    [
      'a requirement that is false',
      `${ROLES}guardrails: [{ id: g, for: [reader], resource: orders, require: { mfa: false }, actions: [GET /a] }]`,
      ['config/invalid 3:72'],
    ],
    [
      'a requirement that nobody knows',
      `${ROLES}guardrails: [{ id: g, for: [reader], resource: orders, require: { approvel: true }, actions: [GET /a] }]`,
      ['config/unknown-key 3:67 did you mean `approval`?'],
    ],
    [
      'a requirement that an issuer says nothing of',
      `${ROLES}guardrails: [{ id: g, allBut: [reader], resource: orders, require: { authContext: c2 }, actions: [GET /a] }]`,
      ['policy/step-up 3:83', 'policy/step-up 3:83'],
    ],
    [
      'a requirement over what everyone is granted',
      `${ROLES}rules: [{ id: a, role: everyone, resource: orders, actions: [GET /a] }]\nguardrails: [{ id: g, for: [reader], resource: orders, require: { mfa: true }, actions: [GET /a] }]`,
      ['policy/evasion 4:20'],
    ],
    [
      'a role that includes an unknown one',
      'roles: { r: { includes: [x], bind: [{ issuer: entra, claim: roles, any: [R] }] } }',
      ['policy/unknown-role 2:26 '],
    ],
    [
      'a role that includes everyone',
      'roles: { r: { includes: [everyone], bind: [{ issuer: entra, claim: roles, any: [R] }] } }',
      ['policy/reserved-role 2:26'],
    ],
    [
      'a role that includes itself',
      'roles: { r: { includes: [r], bind: [{ issuer: entra, claim: roles, any: [R] }] } }',
      ['policy/role-cycle 2:10'],
    ],
    [
      'roles that include each other, each circle once',
      'roles: { a: { includes: [b] }, b: { includes: [c] }, c: { includes: [a] }, d: { includes: [a, e] }, e: { includes: [e], bind: [] }, f: { bind: [{ issuer: entra, claim: roles, any: [R] }] } }',
      ['policy/role-cycle 2:10', 'policy/role-cycle 2:101'],
    ],
    ['a person by oid', 'roles: { r: { bind: [{ issuer: entra, claim: oid, any: [x] }] } }', ['policy/person-binding 2:46']],
    [
      'a breakGlass without a time',
      'roles: { r: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: tomorrow } }] } }',
      ['policy/break-glass-time 2:82'],
    ],
    [
      'a breakGlass on the 30th of February',
      'roles: { r: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2027-02-30T00:00:00Z } }] } }',
      ['policy/break-glass-time 2:82'],
    ],
    [
      'a built-in role declared',
      'roles: { everyone: { bind: [{ issuer: entra, claim: roles, any: [R] }] } }',
      ['policy/reserved-role 2:10'],
    ],
    ['a role whose name is none', 'roles: { Reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] } }', ['policy/bad-name 2:10']],
    ['a role that nothing gives', 'roles: { reader: {} }', ['policy/unbound-role 2:10']],
    [
      'an id twice',
      `${ROLES}${RULE}guardrails: [{ id: a, for: [reader], resource: orders, deny: [GET /b] }]`,
      ['policy/duplicate-id 4:20 it is also at policy/p.yaml:3:15'],
    ],
    [
      'a guardrail for nobody in particular',
      `${ROLES}guardrails: [{ id: a, resource: orders, deny: [GET /b] }]`,
      ['policy/guardrail-who 3:20'],
    ],
    [
      'a guardrail for some and for all but some',
      `${ROLES}guardrails: [{ id: a, for: [reader], allBut: [reader], resource: orders, deny: [GET /b] }]`,
      ['policy/guardrail-who 3:20'],
    ],
    [
      'a guardrail that can be evaded',
      `${ROLES}rules: [{ id: open, role: everyone, resource: orders, actions: ['GET /a/**'] }]\nguardrails: [{ id: g, for: [reader], resource: orders, deny: ['* /a/{x}'] }]`,
      ['policy/evasion 4:20'],
    ],
    [
      'also where it is for the authenticated',
      `rules: [{ id: open, role: everyone, resource: orders, actions: [GET /a] }]\nguardrails: [{ id: g, for: [authenticated], resource: orders, deny: [HEAD /a] }]`,
      ['policy/evasion 3:20'],
    ],
    [
      'not where they do not meet',
      `${ROLES}rules: [{ id: open, role: everyone, resource: orders, actions: [GET /a] }]\nguardrails: [{ id: g, for: [reader], resource: orders, deny: [GET /a/] }, { id: h, for: [reader], resource: wiki, deny: [GET /a] }]`,
      [],
    ],
    [
      'not where it is for everyone',
      `rules: [{ id: open, role: everyone, resource: orders, actions: [GET /a] }]\nguardrails: [{ id: g, for: [everyone], resource: orders, deny: [GET /a] }]`,
      [],
    ],
    [
      'an action that is none',
      `${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: [GET /a, get /b] }]`,
      ['policy/action 3:68 did you mean `GET`?'],
    ],
    [
      'a condition that does not parse',
      `${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: [GET /a], when: claims.department = "a" }]`,
      ['policy/condition 3:93 write `==`'],
    ],
    [
      'an unknown claim in a condition',
      `${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: [GET /a], when: '"x" in claims.grups' }]`,
      ['policy/unknown-claim 3:90 did you mean `groups`?'],
    ],
    [
      'the same inside a block',
      `${ROLES}rules:\n  - id: a\n    role: reader\n    resource: orders\n    actions: [GET /a]\n    when: |\n      true &&\n        "x" in claims.grups`,
      ['policy/unknown-claim 10:23 did you mean `groups`?'],
    ],
    [
      'the same in a folded block',
      `${ROLES}rules:\n  - id: a\n    role: reader\n    resource: orders\n    actions: [GET /a]\n    when: >-\n      true &&\n      "x" in claims.grups`,
      ['policy/unknown-claim 10:21 did you mean `groups`?'],
    ],
    [
      'the same after escapes',
      `${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: [GET /a], when: "\\"x\\" in claims.grups" }]`,
      ['policy/unknown-claim 3:92 did you mean `groups`?'],
    ],
    [
      'a parameter that not every action has',
      `${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: ['GET /a/{id}', GET /a], when: params.id == "1" }]`,
      ['policy/unknown-parameter 3:97 every action of the rule must have `{id}` in its template'],
    ],
    [
      'a condition that is no truth value',
      `${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: [GET /a], when: claims.department }]`,
      ['policy/condition-type 3:75'],
    ],
    [
      'a name of the context',
      `${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: [GET /a], when: context.ipp == "1" }]`,
      ['policy/unknown-field 3:83 did you mean `ip`?'],
    ],
    [
      'a peer that is no role',
      `${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: [GET /a], peer: [reader, raeder] }]`,
      ['policy/unknown-role 3:84 did you mean `reader`?'],
    ],
    ...(
      [
        ['a guardrail that denies and masks', "deny: [GET /a], mask: { '$.a': drop }", 'policy/guardrail-effect 3:20'],
        ['a mask of nothing', 'actions: [GET /a], mask: {}', 'policy/guardrail-effect 3:20'],
        ['a mask of no path', 'actions: [GET /a], mask: { a: drop }', 'policy/mask 3:83 write fields by JSONPath'],
        ['a mask of a filter', "actions: [GET /a], mask: { '$[?@.a]': drop }", 'policy/mask 3:83'],
        ['a mask that is none', "actions: [GET /a], mask: { '$.a': remove }", 'config/invalid 3:90'],
        ['a limit without a window', 'actions: [GET /a], limit: { requests: 5 }', 'config/missing 3:'],
        ['a window too short', 'actions: [GET /a], limit: { requests: 5, in: 10ms }', 'policy/limit-window 3:101 write a window'],
        ['a record that is none', 'actions: [GET /a], record: { x: 1 }', 'config/invalid 3:83'],
        ['an observation without an end', 'deny: [GET /a], mode: observe', 'policy/observe 3:20 write `mode: observe`'],
        ['an end without an observation', 'deny: [GET /a], until: 2027-01-01T00:00:00Z', 'policy/observe 3:20'],
        ['an end that is no instant', 'deny: [GET /a], mode: observe, until: soon', 'policy/observe 3:94'],
        ['no network', "actions: [GET /a], require: { network: ['10.0.0.1/8'] }", 'policy/requirement 3:96'],
        [
          'a pattern that is not linear',
          'actions: [GET /a], require: { justification: { matches: "(a)\\\\1" } }',
          'policy/requirement 3:112',
        ],
        ['an approver nobody knows', 'actions: [GET /a], require: { approval: { from: [leed] } }', 'policy/unknown-role 3:105'],
        ['an approval by anybody', 'actions: [GET /a], require: { approval: { from: [everyone] } }', 'policy/requirement 3:104'],
        ['a device that nobody can show', 'actions: [GET /a], require: { device: laptop }', 'policy/step-up 3:94'],
      ] as const
    ).map(
      ([name, text, finding]) => [name, `${ROLES}guardrails: [{ id: a, for: [reader], resource: orders, ${text} }]`, [finding]] as const,
    ),
  ]
  for (const [name, text, expected] of cases)
    test(name, () => {
      const { policy, diagnostics } = load(text)
      const found = diagnostics.map(short)
      assert.equal(found.length, expected.length, found.join('\n'))
      for (const [i, wanted] of expected.entries()) assert.ok(found[i]!.startsWith(wanted), `${found[i]}\nis not\n${wanted}`)
      assert.equal(policy === undefined, expected.length > 0)
    })

  test('an operation id where no OpenAPI document is', () => {
    const { diagnostics } = load(`${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: [listOrders] }]`)
    assert.deepEqual(
      diagnostics.map(({ code, help }) => [code, help]),
      [['policy/action', 'write `openapi:` with a file on the resource, or a method and a path such as `GET /orders`']],
    )
  })
})

test('a role declared in two files, whichever is read first', () => {
  const file = (name: string) => ({ path: `policy/${name}.yaml`, text: `apiVersion: ostiary.dev/v1\n${ROLES}` })
  for (const files of [
    [file('a'), file('b')],
    [file('b'), file('a')],
  ]) {
    const { policy, diagnostics } = load(files)
    assert.equal(policy, undefined)
    assert.deepEqual(
      diagnostics.map(({ code, span, help }) => [code, span!.file, help]),
      [['policy/duplicate-role', 'policy/b.yaml', 'it is also at policy/a.yaml:2:10; list all its bindings in one place']],
    )
  }
})

test('a person by an email is refused whatever the kind, a workload by its subject is not', () => {
  const one = (rest: string): readonly string[] =>
    load(`roles: { r: { bind: [{ issuer: entra, any: [x], ${rest} }] } }`).diagnostics.map(({ code }) => code)
  assert.deepEqual(one('claim: sub'), ['policy/person-binding'])
  assert.deepEqual(one('claim: sub, kind: human'), ['policy/person-binding'])
  assert.deepEqual(one('claim: sub, kind: workload'), [])
  assert.deepEqual(one('claim: oid, kind: managed-identity'), [])
  assert.deepEqual(one('claim: oid, kind: human-via-agent'), ['policy/person-binding'])
  assert.deepEqual(one('claim: oid, breakGlass: { until: 2026-12-31T00:00:00Z }'), [])
  const mail = { ...kindClaims, entra: { ...kindClaims['entra'], email: { type: 'string' as const, mayBeUnknown: false } } }
  const { diagnostics } = load('roles: { r: { bind: [{ issuer: entra, claim: email, any: [x], kind: workload }] } }', { kindClaims: mail })
  assert.deepEqual(
    diagnostics.map(({ code }) => code),
    ['policy/person-binding'],
  )
})

describe('an environment', () => {
  const withBindings = (policy: string, text: string) => load(policy, { bindings: readDocument('environments/prod.yaml', text).root })
  test('binds roles that the policy only declares', () => {
    const { policy, diagnostics } = withBindings(`roles: { reader: {} }\n${RULE}`, 'reader: [{ issuer: entra, claim: groups, any: [g-1] }]')
    assert.deepEqual(diagnostics, [])
    assert.deepEqual(policy!.bind(someone({ claims: { groups: ['g-1'] } })).roles, ['authenticated', 'everyone', 'reader'])
  })
  test('adds to the bindings of the policy', () => {
    const { policy } = withBindings(`${ROLES}${RULE}`, 'reader: [{ issuer: entra, claim: groups, any: [g-1] }]')
    for (const claims of [{ groups: ['g-1'] }, { roles: ['R'], groups: [] }])
      assert.ok(policy!.bind(someone({ claims })).roles.includes('reader'))
  })
  test('names no other role', () => {
    const { diagnostics } = withBindings(`${ROLES}${RULE}`, 'raeder: [{ issuer: entra, claim: groups, any: [g-1] }]')
    assert.deepEqual(
      diagnostics.map((one) => `${short(one)} ${formatSpan(one.span!)}`),
      ['policy/unknown-role 1:1 did you mean `reader`? environments/prod.yaml:1:1'],
    )
  })
  test('can not bind what is built in', () => {
    const { diagnostics } = withBindings(ROLES, 'everyone: [{ issuer: entra, claim: groups, any: [g-1] }]')
    assert.deepEqual(
      diagnostics.map(({ code }) => code),
      ['policy/reserved-role'],
    )
  })
  test('leaves no role unbound, and says whose fault it is', () => {
    const { diagnostics } = withBindings('roles: { reader: {}, writer: {} }', 'reader: [{ issuer: entra, claim: groups, any: [g-1] }]')
    assert.deepEqual(
      diagnostics.map(({ message }) => message),
      ['role `writer` is bound to nothing in this environment'],
    )
  })
  test('a binding that is wrong has its place there', () => {
    const { diagnostics } = withBindings(
      'roles: { reader: {} }',
      'reader:\n  - { issuer: entra, claim: gruops, any: [g-1] }\n  - { issuer: entra, claim: groups, anny: [g-1] }',
    )
    assert.deepEqual(
      diagnostics.map(({ code, span }) => [code, span!.file, span!.line]),
      [['config/unknown-key', 'environments/prod.yaml', 3]],
    )
  })
})

describe('a policy that locks everyone out', () => {
  const mustAdminister = true
  const admin = (rest: string, more = '') =>
    load(`${ROLES}rules: [{ id: a, ${rest}, actions: ['* /**'] }]\n${more}`, { mustAdminister }).diagnostics.map(({ code }) => code)
  test('grants nothing on `ostiary`', () => assert.deepEqual(admin('role: reader, resource: orders'), ['policy/lockout']))
  test('grants it by way of a peer only', () =>
    assert.deepEqual(admin('role: reader, peer: reader, resource: ostiary'), ['policy/lockout']))
  test('or does', () => assert.deepEqual(admin('role: reader, resource: ostiary'), []))
  test('or takes it back', () =>
    assert.deepEqual(
      admin('role: reader, resource: ostiary', "guardrails: [{ id: g, for: [authenticated], resource: ostiary, deny: ['* /**'] }]"),
      ['policy/lockout'],
    ))
  test('but not where some are exempt', () =>
    assert.deepEqual(
      admin('role: reader, resource: ostiary', "guardrails: [{ id: g, allBut: [reader], resource: ostiary, deny: ['* /**'] }]"),
      [],
    ))
  test('a role whose bindings have ended can not be held', () => {
    const text =
      "roles: { r: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-01-01T00:00:00Z } }] } }\nrules: [{ id: a, role: r, resource: ostiary, actions: ['* /**'] }]"
    assert.deepEqual(
      load(text, { mustAdminister }).diagnostics.map(({ code }) => code),
      ['policy/lockout'],
    )
    assert.deepEqual(load(text, { mustAdminister, now: Date.UTC(2025, 11, 31) }).diagnostics, [])
  })
})

describe('what the wiring says of resources', () => {
  const root = readDocument('ostiary.yaml', 'resources:\n  wiki:\n    issuers: [entar]\n    scopes: { Read: [get /a] }').root
  const one = { ...wiring.resources['wiki']!, issuers: ['entar'], scopes: { Read: ['get /a'] } }
  test('is checked with its place', () => {
    const { diagnostics } = load(RULE.replace('reader', 'everyone'), {
      wiring: { ...wiring, resources: { ...wiring.resources, wiki: one } },
      wiringRoot: root,
    })
    assert.deepEqual(diagnostics.map(short), ['policy/unknown-issuer 3:15 did you mean `entra`?', 'policy/action 4:22 did you mean `GET`?'])
  })
  test('a protocol that policy can not speak of is told', () => {
    const unknown = { ...one, protocol: 'gopher', issuers: undefined, scopes: undefined }
    const { diagnostics } = load(`${ROLES}rules: [{ id: a, role: reader, resource: db, actions: [select] }]`, {
      wiring: { ...wiring, resources: { ...wiring.resources, db: unknown } },
    })
    assert.match(diagnostics[0]!.message, /is not an action of gopher: there is no such protocol; there are http, /)
  })
})

describe('the version', () => {
  const files = [
    { path: 'policy/a.yaml', text: `apiVersion: ostiary.dev/v1\n${ROLES}` },
    { path: 'policy/b.yaml', text: `apiVersion: ostiary.dev/v1\n${RULE}` },
  ]
  const version = (more: object = {}, now = NOW, policy = files): string =>
    loadPolicy({
      sources: { wiring: { path: 'ostiary.yaml', text: 'w' }, environment: undefined, policy, tests: [], ...more },
      wiring,
      kindClaims,
      mustAdminister: false,
      now,
    }).policy!.version
  test('does not depend on the order in which files are read', () => assert.equal(version(), version({}, NOW, files.toReversed())))
  test('depends on policy, wiring, environment and paths, not on tests', () => {
    const all = [
      version(),
      version({ wiring: { path: 'ostiary.yaml', text: 'w2' } }),
      version({ environment: { name: 'prod', path: 'environments/prod.yaml', text: '' } }),
      version({}, NOW, [files[0]!, { ...files[1]!, text: `${files[1]!.text} ` }]),
      version({}, NOW, [files[0]!, { ...files[1]!, path: 'policy/c.yaml' }]),
    ]
    assert.equal(new Set(all).size, all.length)
    assert.equal(version({ tests: [{ path: 'policy/a.test.yaml', text: 'x' }] }), version())
  })
  test('is the same with another digest of the same kind', () => assert.match(version(), /^sha256:[0-9a-f]{64}$/))
  test('changes when a breakGlass binding ends, and says when that is', () => {
    const until = Date.UTC(2026, 5, 1)
    const text =
      'apiVersion: ostiary.dev/v1\nroles: { r: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2026-06-01T00:00:00Z } }] } }'
    const at = (now: number) => load([{ path: 'policy/a.yaml', text }], { now }).policy!
    assert.equal(at(until - 1).changesAt, until)
    assert.equal(at(until).changesAt, undefined)
    assert.equal(at(until - 1).version, at(NOW).version)
    assert.notEqual(at(until).version, at(NOW).version)
    const x = someone({ claims: { oid: 'x' } })
    assert.ok(
      at(until - 1)
        .bind(x)
        .roles.includes('r'),
    )
    assert.ok(!at(until).bind(x).roles.includes('r'))
  })
})

test('the digest is SHA-256', () => {
  fc.assert(
    fc.property(fc.string({ unit: character, maxLength: 300 }), (text) => {
      assert.equal(sha256(text), createHash('sha256').update(new TextEncoder().encode(text)).digest('hex'))
    }),
    { numRuns: 200 },
  )
  assert.equal(sha256('a'.repeat(100_000)), createHash('sha256').update('a'.repeat(100_000)).digest('hex'))
})

test('the schemas can be published for editors', () => {
  for (const schema of [policySchema, policyTestSchema]) {
    const published = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' })
    assert.equal(published.additionalProperties, false)
    assert.deepEqual(published.required?.includes('apiVersion'), true)
  }
})

test('a map that says how long it is isn’t taken for a list', () => {
  const { policy, diagnostics } = load('rules: [{ id: x, role: everyone, resource: { length: {} }, actions: [GET /a] }]\n')
  assert.equal(policy, undefined)
  assert.match(diagnostics[0]!.message, /a map has a key `length` where a text or a list belongs/)
})

test('no text makes loading throw, and what is refused has its place', () => {
  const word = fc.constantFrom(
    'apiVersion',
    'roles',
    'rules',
    'guardrails',
    'id',
    'role',
    'deny',
    'resource',
    'orders',
    'when',
    'bind',
    'a',
    '*',
    '&x',
    '*x',
    '!t',
    '|',
    '>',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    ':',
    '-',
    '\n',
    '\n  ',
    ' ',
    ',',
    '#',
    '\t',
    '%',
    '__proto__',
    '\uFEFF',
    '?',
  )
  const text = fc.oneof(
    fc.string({ unit: character }),
    fc.array(word, { maxLength: 40 }).map((words) => words.join('')),
  )
  const value = fc.anything({ withNullPrototype: false, values: [fc.constantFrom('everyone', 'orders', 'GET /a', 1, true, null)] })
  const near = fc
    .record(
      {
        roles: fc.dictionary(fc.constantFrom('r', 'everyone', '__proto__'), value),
        rules: fc.array(fc.record({ id: value, role: value, resource: value, actions: value, when: value })),
        guardrails: value,
      },
      { requiredKeys: [] },
    )
    .map((data) => JSON.stringify({ apiVersion: 'ostiary.dev/v1', ...data }) ?? '')
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        text.map((rest) => `apiVersion: ostiary.dev/v1\n${rest}`),
        near,
      ),
      (file) => {
        const { policy, diagnostics } = load([{ path: 'policy/x.yaml', text: file }])
        assert.equal(
          policy === undefined,
          diagnostics.some(({ severity }) => severity === 'error'),
        )
        for (const { span, message } of diagnostics) {
          assert.ok(span !== undefined && span.line >= 1 && span.column >= 1 && span.endLine >= span.line, message)
          assert.equal(span.file, 'policy/x.yaml')
          assert.ok(span.line <= file.split('\n').length)
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('a diagnostic of each code has its texts filled in', () => {
  const { diagnostics } = load(`${ROLES}rules: [{ id: a, role: x, resource: y, actions: [z] }]`)
  for (const { message, help } of [...diagnostics, diagnostic('policy/lockout', {}, undefined)])
    assert.doesNotMatch(`${message}${help}`, /\{\w+\}/)
})
