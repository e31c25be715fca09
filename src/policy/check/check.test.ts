/** What `check` warns of: of each kind one policy that is told, and one that is all right. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plain, readDocument } from '../../config/document.ts'
import type { Wiring } from '../../config/schema.ts'
import { checkPolicy, checkWiring } from '../check.ts'
import { load, NOW } from '../testdata/world.ts'
import { confusion, shownHost } from './confusable.ts'

const ROLES = `roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] }
  writer: { bind: [{ issuer: entra, claim: roles, any: [W] }] }
  builder: { bind: [{ issuer: ci, claim: repository, any: [acme/orders] }] }
  chief: { bind: [{ issuer: entra, claim: roles, any: [C] }], includes: [reader] }
`
const USED = `  - { id: uses, role: [reader, writer, builder, chief], resource: wiki, actions: [GET /used] }
`

function warnings(text: string, files: readonly { readonly path: string; readonly text: string }[] = []): readonly string[] {
  const sources = [{ path: 'policy/p.yaml', text: `apiVersion: ostiary.dev/v1\n${text}` }, ...files]
  const { policy, diagnostics } = load(sources)
  assert.ok(policy !== undefined, diagnostics.map(({ message }) => message).join('; '))
  const found = [...diagnostics, ...checkPolicy(policy, NOW)]
  for (const { severity, span, help, message } of found) {
    assert.equal(severity, 'warning')
    assert.ok(span !== undefined && help !== '' && !message.includes('{'), message)
  }
  return found.map(({ code, span }) => `${code} ${span!.line}`)
}

const cases: readonly (readonly [name: string, told: string, expected: string, right: string])[] = [
  [
    'an eligible role that nothing uses',
    `${ROLES}  lead: { eligible: [{ issuer: entra, claim: groups, any: [G] }] }\nrules:\n${USED}`,
    'policy/role-unused 7',
    `${ROLES}  lead: { eligible: [{ issuer: entra, claim: groups, any: [G] }] }\nrules:\n${USED}  - { id: b, role: lead, resource: orders, actions: [GET /b] }\n`,
  ],
  [
    'roles that are named for peers and approvals only are used',
    `${ROLES}  idle: { bind: [{ issuer: entra, claim: roles, any: [I] }] }\nrules:\n${USED}`,
    'policy/role-unused 7',
    `${ROLES}  idle: { bind: [{ issuer: entra, claim: roles, any: [I] }] }\n  other: { bind: [{ issuer: entra, claim: roles, any: [O] }] }\nrules:\n${USED}  - { id: b, role: reader, peer: idle, resource: orders, actions: [GET /b] }\nguardrails:\n  - { id: c, require: { approval: { from: [other] } }, actions: [GET /b], resource: orders, allBut: [writer] }\n`,
  ],
  [
    'a role that people hold by name only',
    `${ROLES}  root: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2030-01-01T00:00:00Z } }] }\nrules:\n${USED}  - { id: b, role: root, resource: orders, actions: [GET /b] }\n`,
    'policy/role-persons 7',
    `${ROLES}  root: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2030-01-01T00:00:00Z } }, { issuer: entra, claim: roles, any: [X] }] }\nrules:\n${USED}  - { id: b, role: root, resource: orders, actions: [GET /b] }\n`,
  ],
  [
    'a value that looks like one person',
    `${ROLES}  one: { bind: [{ issuer: entra, claim: department, any: [somebody@example.com] }] }\nrules:\n${USED}  - { id: b, role: one, resource: orders, actions: [GET /b] }\n`,
    'policy/person-value 7',
    `${ROLES}  one: { bind: [{ issuer: ci, claim: repository, any: [git@example, acme/orders@v1.2] }] }\nrules:\n${USED}  - { id: b, role: one, resource: orders, actions: [GET /b] }\n`,
  ],
  [
    'a rule that another makes needless',
    `${ROLES}rules:\n${USED}  - { id: all, role: [reader, writer], resource: [orders, wiki], actions: ['GET /a/**', POST /a] }\n  - { id: needless, role: reader, resource: orders, actions: ['GET /a/{id}', POST /a], when: "claims.department == 'x'" }\n`,
    'policy/rule-redundant 10',
    `${ROLES}rules:\n${USED}  - { id: all, role: [reader, writer], resource: [orders, wiki], actions: ['GET /a/**'], when: "claims.department == 'x'" }\n  - { id: needful, role: reader, resource: orders, actions: ['GET /a/{id}'] }\n  - { id: more, role: builder, resource: orders, actions: ['GET /a/{id}'] }\n`,
  ],
  [
    'of two rules that say the same, the second',
    `${ROLES}rules:\n${USED}  - { id: one, role: reader, resource: orders, actions: [GET /a] }\n  - { id: two, role: reader, resource: orders, actions: [GET /a] }\n`,
    'policy/rule-redundant 10',
    `${ROLES}rules:\n${USED}  - { id: one, role: reader, resource: orders, actions: [GET /a] }\n  - { id: two, role: reader, peer: builder, resource: wiki, actions: [GET /a] }\n`,
  ],
  [
    'a rule for roles that may not come',
    `${ROLES}rules:\n${USED}  - { id: b, role: builder, resource: wiki, actions: [GET /b] }\n`,
    'policy/rule-strangers 9',
    `${ROLES}rules:\n${USED}  - { id: b, role: builder, resource: [wiki, orders], actions: [GET /b] }\n`,
  ],
  [
    'everything on several resources',
    `${ROLES}rules:\n${USED}  - { id: b, role: chief, resource: { labels: { zone: a } }, actions: ['* /**'] }\n`,
    'policy/wildcard-several 9',
    `${ROLES}rules:\n${USED}  - { id: b, role: chief, resource: orders, actions: ['* /**'] }\n`,
  ],
  [
    'a guardrail for one of two roles that somebody may hold both of',
    `${ROLES}rules:\n${USED}  - { id: deploy, role: [reader, writer], resource: orders, actions: [POST /deploy] }\nguardrails:\n  - { id: ask, require: { mfa: true }, actions: [POST /deploy], resource: orders, for: [reader] }\n`,
    'policy/for-both 11',
    `${ROLES}rules:\n${USED}  - { id: deploy, role: [reader, writer, builder], resource: orders, actions: [POST /deploy] }\nguardrails:\n  - { id: ask, require: { mfa: true }, actions: [POST /deploy], resource: orders, for: [reader, writer] }\n  - { id: other, require: { mfa: true }, actions: [POST /deploy], resource: orders, allBut: [writer] }\n  - { id: none, deny: [POST /deploy], resource: orders, for: [chief] }\n`,
  ],
  [
    'a guardrail whose observation is over',
    `${ROLES}rules:\n${USED}guardrails:\n  - { id: a, deny: [GET /x], resource: wiki, allBut: [reader], mode: observe, until: 2026-01-01T00:00:00Z }\n`,
    'policy/observe-over 10',
    `${ROLES}rules:\n${USED}guardrails:\n  - { id: a, deny: [GET /x], resource: wiki, allBut: [reader], mode: observe, until: 2027-01-01T00:00:00Z }\n`,
  ],
  [
    'a value in letters of two alphabets',
    `${ROLES}  one: { bind: [{ issuer: entra, claim: roles, any: [Аdmin] }] }\nrules:\n${USED}  - { id: b, role: one, resource: orders, actions: [GET /b] }\n`,
    'policy/confusable 7',
    `${ROLES}  one: { bind: [{ issuer: entra, claim: roles, any: [Администратор, Vertrieb Süd, 管理者] }] }\nrules:\n${USED}  - { id: b, role: one, resource: orders, actions: [GET /café] }\n`,
  ],
]

describe('a finding of each kind', () => {
  for (const [name, told, expected, right] of cases)
    test(name, () => {
      assert.deepEqual(warnings(told), [expected])
      assert.deepEqual(warnings(right), [])
    })

  test('a team that owns nothing', () => {
    const teams = (owns: string): readonly string[] =>
      warnings(`${ROLES}teams: { payments: { owns: [{ labels: { tier: ${owns} } }] } }\nrules:\n${USED}`)
    assert.deepEqual(teams('nowhere'), ['policy/team-owns-nothing 7'])
    assert.deepEqual(teams('business'), [])
  })
})

describe('what the wiring says', () => {
  const document = (text: string): readonly string[] => {
    const { root } = readDocument('ostiary.yaml', text)
    return checkWiring(readPlain(text), root, NOW).map(({ code, span }) => `${code} ${span!.line}:${span!.column}`)
  }
  const issuers = (audiences: string): string => `issuers: { entra: { kind: entra, audiences: ${audiences} } }\nresources: {}`

  test('audiences that others have as well', () => {
    for (const audience of [
      '00000003-0000-0000-c000-000000000000',
      'https://graph.microsoft.com',
      'https://graph.microsoft.com/',
      'https://management.azure.com/',
      'api://AzureADTokenExchange',
      'sts.amazonaws.com',
    ])
      assert.deepEqual(document(issuers(`[api://orders, '${audience}']`)), ['policy/audience-shared 1:60'], audience)
    assert.deepEqual(document(issuers("['https://*.example.com']")), ['policy/audience-pattern 1:46'])
    assert.deepEqual(document(issuers('[api://orders, 0571a27e-0002-4000-8000-000000000001]')), [])
  })

  test('audiences of several resources in one issuer', () => {
    const text = (more: string): string =>
      `issuers: { entra: { kind: entra, audiences: ['https://a.example.com', 'https://b.example.com/api'] } }\nresources: { a: { hosts: [a.example.com] }, b: { hosts: [b.example.com]${more} } }`
    assert.deepEqual(document(text('')), ['policy/audience-several 1:71'])
    assert.deepEqual(document(text(", scopes: { B.Read: ['GET /**'] }")), [])
    assert.deepEqual(document(text(', issuers: [other]')), [])
  })

  test('hosts and labels that look like others, and an observation that is over', () => {
    const resource = (text: string): readonly string[] => document(`issuers: {}\nresources: { a: { ${text} } }`)
    assert.deepEqual(resource('hosts: [orders.example.com, xn--pple-43d.com]'), ['policy/confusable 2:47'])
    assert.deepEqual(resource('hosts: [xn--bcher-kva.example, "*.example.com"]'), [])
    assert.deepEqual(resource('labels: { tier: busіness }'), ['policy/confusable 2:35'])
    assert.deepEqual(resource('observe: { until: 2026-01-01T00:00:00Z }'), ['policy/observe-over 2:28'])
    assert.deepEqual(resource('observe: { until: 2027-01-01T00:00:00Z }'), [])
  })
})

test('what looks like something else, and why', () => {
  assert.match(confusion('pаypal') ?? '', /mixes Latin and Cyrillic/)
  assert.match(confusion('раура') ?? '', /looks like `paypa`, and is written in Cyrillic/)
  assert.match(confusion('ad\u200Bmin') ?? '', /can not be seen/)
  assert.match(confusion('ad\u202Emin') ?? '', /can not be seen/)
  assert.match(confusion('ａdmin') ?? '', /looks the same: `admin`/)
  assert.match(confusion('cafe\u0301') ?? '', /looks the same/)
  for (const text of ['admin', 'Москва', 'Straße', '東京', 'naïve café', '€ 5']) assert.equal(confusion(text), undefined, text)
  assert.match(confusion('Ωmega team') ?? '', /Latin and Greek/)
})

test('hosts are decoded as RFC 3492 has it, and what is none stays', () => {
  assert.equal(shownHost('xn--bcher-kva.example'), 'bücher.example')
  assert.equal(shownHost('xn--p1ai'), 'рф')
  assert.equal(shownHost('xn--80ak6aa92e.com'), 'аррӏе.com')
  assert.equal(shownHost('xn--fiqs8s'), '中国')
  for (const broken of ['xn--', 'xn--9', 'xn--a-', `xn--${'9'.repeat(60)}`, 'xn--é']) assert.equal(typeof shownHost(broken), 'string')
})

test('ten thousand rules are checked within seconds, also where they all say the same', () => {
  const rules = Array.from(
    { length: 10_000 },
    (_, i) =>
      `  - { id: r${i}, role: ${i % 2 === 0 ? 'reader' : 'writer'}, resource: orders, actions: ['GET /a${i}/{id}', 'POST /a${i}'] }\n`,
  )
  const guardrails = Array.from(
    { length: 500 },
    (_, i) => `  - { id: g${i}, deny: ['DELETE /a${i}/{id}'], resource: orders, for: [reader] }\n`,
  )
  const { policy } = load(`${ROLES}rules:\n${USED}${rules.join('')}guardrails:\n${guardrails.join('')}`)
  const same = load(`${ROLES}rules:\n${USED}${rules.map((line) => line.replaceAll(/a\d+/g, 'a')).join('')}`)
  for (const one of [policy, same.policy]) {
    const started = performance.now()
    checkPolicy(one!, NOW)
    const took = performance.now() - started
    assert.ok(took < 5000, `${Math.round(took)} ms`)
  }
})

function readPlain(text: string): Pick<Wiring, 'issuers' | 'resources'> {
  const { root } = readDocument('ostiary.yaml', text)
  assert.ok(root !== undefined)
  return plain(root) as Pick<Wiring, 'issuers' | 'resources'>
}
