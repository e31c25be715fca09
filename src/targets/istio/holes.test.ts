/** The holes that a naive compilation opens, each by its number: what is applied has to close it, or it is not compiled at all. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { kindClaims, load, wiring as policyWiring } from '../../policy/testdata/world.ts'
import { regexes } from '../../testing/regexes.ts'
import type { TargetDocument, TargetInput, TargetResult } from '../target.ts'
import type { IstioTarget } from './schema.ts'
import { istioSchema } from './schema.ts'
import { ask, BOTH, compiled, issuerOf, issuers, payloadOf, proxyOf, SECONDS, targetOf, wiringOf, without, type Call } from './testing.ts'
import type { IstioVerdict } from './translate/evaluate.ts'
import { evaluateIstioTcp } from './translate/evaluate.ts'
import type { Translated } from './translate/translate.ts'

const ROLES = `roles:
  admin: { bind: [{ issuer: entra, claim: groups, any: [admins] }] }
  builder: { bind: [{ issuer: ci, claim: repository, any: [shop] }] }
  staff: { bind: [{ issuer: entra, claim: groups, none: [guests] }] }
  contractor: { bind: [{ issuer: entra, claim: groups, any: [contractors] }] }
  senior: { bind: [{ issuer: entra, claim: level, any: [5] }] }
  vip: { bind: [{ issuer: entra, claim: vip, any: [true] }] }
`
const rule = (role: string, actions = "['* /**']", more = ''): string =>
  `rules: [{ id: r, role: ${role}, resource: orders, actions: ${actions}${more} }]\n`
const GUARD = "guardrails: [{ id: g, for: [contractor], resource: orders, deny: ['* /**'] }]\n"

function tried(
  policyText: string,
  config: Readonly<Record<string, unknown>> = {},
  more: Partial<TargetInput<IstioTarget>> = {},
): TargetResult {
  const { policy, diagnostics } = load(policyText)
  assert.ok(policy !== undefined, JSON.stringify(diagnostics))
  return compiled(policy, targetOf(config), more)
}

function documentsOf(...parts: Parameters<typeof tried>): readonly TargetDocument[] {
  const { documents, diagnostics } = tried(...parts)
  assert.deepEqual(diagnostics, [])
  return documents
}

function refusedOf(...parts: Parameters<typeof tried>): readonly string[] {
  const { documents, diagnostics } = tried(...parts)
  assert.deepEqual(documents, [], 'nothing is applied of what is refused')
  return diagnostics.map(({ code, message }) => `${code}: ${message}`)
}

const emitted = (...parts: Parameters<typeof tried>): Translated => proxyOf(documentsOf(...parts))
const allows = (proxy: Translated, call: Call): boolean => ask(proxy, call).allowed
const kindOf = ({ kind, spec }: TargetDocument): string => `${String(kind)} ${(spec as { readonly action?: string }).action ?? ''}`.trim()
const isAction = (action: string) => (document: TargetDocument) => kindOf(document) === `AuthorizationPolicy ${action}`
const onlyAllows = (documents: readonly TargetDocument[]): readonly TargetDocument[] => documents.filter((one) => !isAction('DENY')(one))

interface Operations {
  readonly rules?: readonly { readonly to?: readonly { readonly operation: Readonly<Record<string, readonly string[]>> }[] }[]
}
const operations = (documents: readonly TargetDocument[]) =>
  documents.flatMap(({ spec }) => ((spec as Operations).rules ?? []).flatMap(({ to }) => (to ?? []).map(({ operation }) => operation)))

describe('holes', () => {
  test('1 tokens may be missing, and who has none is nobody', () => {
    const proxy = emitted(ROLES + rule('authenticated'))
    assert.equal(allows(proxy, { token: {} }), true)
    assert.deepEqual(ask(proxy, {}), { allowed: false, status: 403, filter: 'rbac', policy: undefined } satisfies IstioVerdict)
  })

  test('2 what denies everything stands by itself, comes first, and needs no rule', () => {
    for (const text of [ROLES, ROLES + rule('admin')]) {
      const [first, ...more] = documentsOf(text)
      assert.equal(first!['kind'], 'AuthorizationPolicy')
      assert.deepEqual(first!['spec'], { selector: { matchLabels: { app: 'web' } } })
      const proxy = proxyOf([first!])
      assert.equal(allows(proxy, { token: { groups: ['admins'] } }), false)
      assert.equal(allows(proxy, {}), false)
      assert.ok(!more.some(({ spec }) => JSON.stringify(spec) === JSON.stringify(first!['spec'])))
    }
    assert.equal(JSON.stringify(documentsOf(ROLES)[0]), JSON.stringify(documentsOf(ROLES + rule('admin'))[0]), 'it stays the same')
  })

  test('3 what is not matches neither nobody nor another issuer’s token', () => {
    const proxy = emitted(ROLES + rule('staff'))
    assert.equal(allows(proxy, { token: { groups: ['a'] } }), true)
    assert.equal(allows(proxy, { token: {} }), true)
    for (const call of [{}, { token: { groups: ['guests'] } }, { token: { groups: 'guests' } }, { iss: 'https://ci.example', token: {} }])
      assert.equal(allows(proxy, call), false, JSON.stringify(call))
    assert.deepEqual(refusedOf(ROLES + rule('staff'), without('declared-claim-types')), [
      'target/can-not-tell: Istio `mesh` can not tell of what type a claim is',
    ])
  })

  test('4 a guardrail is cut out of what is allowed, and denies once more', () => {
    const documents = documentsOf(`${ROLES}${rule('[authenticated]')}${GUARD}`)
    const proxy = proxyOf(documents)
    assert.equal(allows(proxy, { token: { groups: ['a'] } }), true)
    assert.equal(allows(proxy, { token: {} }), true)
    for (const groups of [['contractors'], 'contractors', ['a', 5, 'contractors']]) {
      const { allowed, policy } = ask(proxy, { token: { groups } })
      assert.equal(allowed, false)
      assert.match(policy ?? '', /ostiary-deny-g-/, 'its denial says who')
      // Should it ever be missing, what allows has it cut out.
      assert.equal(allows(proxyOf(onlyAllows(documents)), { token: { groups } }), false, JSON.stringify(groups))
    }
    assert.equal(allows(proxy, {}), false)
    assert.equal(allows(proxy, { iss: 'https://other.example', token: { groups: ['a'] } }), false)
  })

  test('5 a condition that can fail is told as what lets in, and what Istio has no words for is refused', () => {
    const proxy = emitted(ROLES + rule('authenticated', "['* /**']", ', when: "claims.department != \'x\'"'))
    assert.equal(allows(proxy, { token: { department: 'y' } }), true)
    for (const token of [{}, { department: 'x' }, { department: 5 }, { department: null }, { department: {} }])
      assert.equal(allows(proxy, { token }), false, JSON.stringify(token))
    for (const [when, why] of [
      ['claims.level > 2.0', /does not compare numbers \(claim `level`\)/],
      ['claims.vip', /neither numbers nor truth values/],
      ["request.method == 'GET'", /request/],
      ["context.time < timestamp('2027-01-01T00:00:00Z')", /no clock/],
    ] as const)
      assert.match(refusedOf(ROLES + rule('authenticated', "['* /**']", `, when: "${when}"`)).join('\n'), why)
  })

  test('6 paths need a mesh that normalises them, and what can be spelled otherwise is refused or assumed', () => {
    for (const pathNormalization of ['NONE', 'BASE'])
      assert.match(refusedOf(ROLES + rule('everyone', '[GET /a]'), { pathNormalization }).join('\n'), /has many spellings/)
    const carved = `${ROLES}${rule('admin', "['* /**']")}guardrails: [{ id: g, for: [admin], resource: orders, deny: ['* /admin/**', '* /x'] }]\n`
    const proxy = emitted(carved)
    const token = { groups: ['admins'] }
    for (const path of ['/a', '/administrator', '/admin', '/ADMIN/x', '/x/']) assert.equal(allows(proxy, { path, token }), true, path)
    for (const path of [
      '/admin/',
      '/admin/x',
      '//admin/x',
      '/a/../admin/x',
      '/%61dmin/x',
      '/admin%2Fx',
      '/a%2f..%2fadmin/x',
      '/x?a',
      '/%78',
    ])
      assert.equal(allows(proxy, { path, token }), false, path)
    // What a segment of a denial may be spelled like has no end.
    const spelled = `${ROLES}${rule('admin', "['* /**']")}guardrails: [{ id: g, for: [admin], resource: orders, deny: ['* /a:b'] }]\n`
    assert.match(refusedOf(spelled).join('\n'), /^target\/not-native: `r` .*`a:b` would have to be cut out/)
    const merging = { ...without('escaped-slashes'), pathNormalization: 'MERGE_SLASHES' }
    assert.deepEqual(refusedOf(ROLES + rule('admin', "['GET /a/{x}']"), merging).length, 1)
    assert.deepEqual(tried(ROLES + rule('admin', '[GET /a/b]'), merging).diagnostics, [], 'a path without wildcards has one spelling')
    assert.deepEqual(tried(ROLES + rule('admin', "['GET /a/{x}']"), without('escaped-slashes')).diagnostics, [], 'the mesh decodes them')
    assert.match(refusedOf(ROLES + rule('admin', "['GET /a/{x}']"), without('escaped-characters')).join('\n'), /can-not-tell/)
  })

  test('6 a host is told from others in any case, and refused with what does not belong there', () => {
    const proxy = emitted(ROLES + rule('everyone', '[GET /a]'))
    for (const host of ['orders.example', 'Orders.Example', 'orders.example:443', 'orders.example:8080'])
      assert.equal(allows(proxy, { host }), true, host)
    for (const host of ['orders.example.', 'orders.example:9', 'orders.example:80@x', 'wiki.example', 'xorders.example', ''])
      assert.equal(allows(proxy, { host }), false, host)
    assert.match(
      refusedOf(ROLES + rule('everyone', '[GET /a]'), {}, { wiring: wiringOf({ hosts: ['*.example'] }) }).join('\n'),
      /stands for one label here, and for any number to Istio/,
    )
  })

  test('7 a prefix ends at a slash', () => {
    const proxy = emitted(ROLES + rule('everyone', "['GET /admin/**']"))
    for (const path of ['/admin/x', '/admin/', '/admin/x/y']) assert.equal(allows(proxy, { path }), true, path)
    for (const path of ['/admin', '/administrator', '/admin.x', '/admin;/x']) assert.equal(allows(proxy, { path }), false, path)
  })

  test('8 what stands for anything to Istio stands for itself, or is refused', () => {
    for (const value of ['*', 'a*', '*a', '']) {
      const text = ROLES.replace('[admins]', `['${value}']`) + rule('admin')
      assert.match(refusedOf(text).join('\n'), value === '' ? /empty text/ : /stands for anything/, value)
    }
    const inside = emitted(ROLES.replace('[admins]', "['a*b']") + rule('admin'))
    assert.equal(allows(inside, { token: { groups: ['a*b'] } }), true)
    assert.equal(allows(inside, { token: { groups: ['axb'] } }), false)
    assert.match(refusedOf(ROLES + rule('everyone', "['GET /a%2A']")).join('\n'), /ends with `\*`/)
    assert.match(refusedOf(ROLES + rule('everyone', "['GET /a%2Ab/{x}']")).join('\n'), /which no template of Istio has/)
    assert.match(refusedOf(ROLES + rule('everyone', "['GET /{x}/']")).join('\n'), /no template that ends with/)
    const dotted = emitted(ROLES + rule('everyone', "['GET /a.b/{x}/c+d']"))
    assert.equal(allows(dotted, { path: '/a.b/1/c+d' }), true)
    for (const path of ['/aXb/1/c+d', '/a.b/1/ccd', '/a.b/1/2/c+d', '/a.b//c+d']) assert.equal(allows(dotted, { path }), false, path)
  })

  test('8 the name of a claim stands between brackets, and has none', () => {
    const odd = issuerOf('entra', { declared: [{ name: 'groups', type: 'list', path: ['a[b]'] }] })
    const why = refusedOf(ROLES + rule('admin'), {}, { issuers: new Map([...issuers, ['entra', [odd]]]) }).join('\n')
    assert.match(why, /`a\[b\]` of a claim can not be written between brackets/)
    const url = issuerOf('entra', { declared: [{ name: 'groups', type: 'list', path: ['https://example.com/groups', 'x.y'] }] })
    const proxy = emitted(ROLES + rule('admin'), {}, { issuers: new Map([...issuers, ['entra', [url]]]) })
    assert.equal(allows(proxy, { token: { 'https://example.com/groups': { 'x.y': ['admins'] } } }), true)
    assert.equal(allows(proxy, { token: { groups: ['admins'] } }), false)
  })

  test('9 who calls is told by `iss`, never by a principal that is cut at a slash', () => {
    const documents = documentsOf(ROLES + rule('admin'))
    assert.doesNotMatch(JSON.stringify(documents), /requestPrincipals|request\.auth\.principal/i)
    assert.equal(allows(proxyOf(documents), { token: { sub: 'a/b', groups: ['admins'] } }), true)
  })

  test('10 whatever denies or allows names its ports, so that nothing else is meant', () => {
    const documents = documentsOf(`${ROLES}${rule('[authenticated]')}${GUARD}`)
    const all = operations(documents)
    assert.ok(all.length > 0)
    for (const { ports } of all) assert.deepEqual(ports, ['8080'])
    const proxy = proxyOf(documents)
    assert.equal(allows(proxy, { token: {}, port: 9090 }), false)
    // Of a port that isn't http, only what allows nothing is left.
    assert.deepEqual(evaluateIstioTcp(proxy, { port: 5432, source: '192.0.2.1' }, regexes).policy, undefined)
    const { documents: none, diagnostics } = tried(ROLES + rule('everyone'), {
      workloads: { orders: { mode: 'ztunnel', namespace: 'shop', selector: { app: 'web' }, ports: [8080] } },
    })
    assert.deepEqual(none, [])
    assert.match(diagnostics[0]!.message, /`r` can not be enforced by Istio `mesh`: a ztunnel sees neither token nor host, method or path/)
    const closed = documentsOf(ROLES, {
      workloads: { orders: { mode: 'ztunnel', namespace: 'shop', selector: { app: 'web' }, ports: [8080] } },
    })
    assert.deepEqual(
      closed.map(({ spec }) => spec),
      [{ selector: { matchLabels: { app: 'web' } } }],
    )
  })

  test('11 a port whose protocol nobody knows is closed', () => {
    const proxy = emitted(ROLES + rule('everyone'))
    for (const port of [8080, 9090]) assert.equal(evaluateIstioTcp(proxy, { port, source: '192.0.2.1' }, regexes).allowed, false)
  })

  test('12 who is at the other end is asked where there is no plaintext, and never by what he is not', () => {
    const world = {
      wiring: {
        ...policyWiring,
        issuers: { ...policyWiring.issuers, mesh: { ...policyWiring.issuers['ci']!, kind: 'spiffe', claims: {}, stepUp: 'never' } },
      },
      kindClaims: {
        ...kindClaims,
        spiffe: { sub: { type: 'string', mayBeUnknown: false }, path: { type: 'string', mayBeUnknown: false } },
      },
    } as const
    const made = (binding: string, role: string, config: object = { mtls: 'strict' }): TargetResult => {
      const text = `${ROLES}  web: { bind: [{ issuer: mesh, ${binding} }] }\n${rule(role, '[GET /a]', ', peer: [web]')}`
      const { policy, diagnostics } = load(text, world)
      assert.ok(policy !== undefined, JSON.stringify(diagnostics))
      const wiring = {
        ...wiringOf(),
        issuers: { mesh: { kind: 'spiffe', trustDomain: 'cluster.local' }, entra: { kind: 'entra' }, ci: { kind: 'oidc' } },
      }
      return compiled(policy, targetOf({ ...config }), { wiring: wiring as never })
    }
    const web = 'claim: path, any: [/ns/shop/sa/web]'
    assert.match(made(web, 'admin', {}).diagnostics[0]!.message, /`peer:` needs a mesh without plaintext/)
    assert.match(
      made(web, 'admin', { mtls: 'strict', ...without('one-trust-domain') }).diagnostics[0]!.message,
      /can not tell whether the other end of a connection is of the mesh’s trust domain/,
    )
    const peer = 'spiffe://cluster.local/ns/shop/sa/web'
    for (const binding of [web, `${web}, kind: workload`]) {
      const { documents, diagnostics } = made(binding, 'admin')
      assert.deepEqual(diagnostics, [])
      const proxy = proxyOf(documents)
      const token = { groups: ['admins'] }
      assert.equal(allows(proxy, { token, peer }), true)
      assert.equal(allows(proxy, { peer }), false, 'a workload is not its user')
      for (const other of [
        undefined,
        `${peer}x`,
        'spiffe://cluster.local/ns/shop/sa/we',
        'spiffe://other/ns/shop/sa/web',
        'spiffe://cluster.local/ns/x/ns/shop/sa/web',
      ])
        assert.equal(allows(proxy, { token, ...(other === undefined ? {} : { peer: other }) }), false, other)
    }
    const alone = proxyOf(made(web, 'everyone').documents)
    assert.deepEqual([allows(alone, { peer }), allows(alone, {})], [true, false])
    for (const [binding, why] of [
      ['claim: path, none: [/ns/shop/sa/web]', /other than any of `sub` or `path`/],
      ['claim: path, any: ["/ns/shop/*"]', /at an end of/],
    ] as const)
      assert.match(made(binding, 'admin').diagnostics[0]!.message, why)
    assert.match(
      made(web, 'admin', { mtls: 'strict', trustDomain: 'other' }).diagnostics[0]!.message,
      /not the trust domain `other` of the mesh/,
    )
    assert.deepEqual(made('claim: path, any: [ns/shop/sa/web]', 'admin').documents.filter(isAction('ALLOW')), [], 'nobody can hold it')
  })

  test('14 what stands behind a waypoint lets in nobody else', () => {
    const documents = documentsOf(ROLES + rule('admin'), {
      workloads: {
        orders: {
          mode: 'waypoint',
          namespace: 'shop',
          selector: { app: 'web' },
          targetRef: { kind: 'Service', name: 'web' },
          waypoint: { serviceAccount: 'way' },
          ports: [80],
        },
      },
    })
    const bySelector = documents.filter(({ spec }) => 'selector' in (spec as object))
    assert.deepEqual(
      bySelector.map(({ spec }) => spec),
      [
        { selector: { matchLabels: { app: 'web' } } },
        {
          selector: { matchLabels: { app: 'web' } },
          action: 'ALLOW',
          rules: [{ from: [{ source: { principals: ['cluster.local/ns/shop/sa/way'] } }] }],
        },
      ],
    )
    for (const { spec } of documents.filter((one) => !bySelector.includes(one)))
      assert.deepEqual((spec as { readonly targetRefs: unknown }).targetRefs, [{ group: '', kind: 'Service', name: 'web' }])
    assert.equal(
      documents.findIndex(({ spec }) => 'targetRefs' in (spec as object)),
      0,
      'the waypoint is closed first',
    )
    const wrong = istioSchema.safeParse({ ...targetOf(), workloads: { orders: { mode: 'waypoint', namespace: 'shop', ports: [80] } } })
    assert.deepEqual(
      wrong.error?.issues.map(({ path }) => path.at(-1)),
      ['targetRef', 'selector', 'waypoint'],
    )
  })

  test('15 a token is looked for in one place, and a bad credential is refused also where none is needed', () => {
    const documents = documentsOf(ROLES + rule('everyone', '[GET /a]'))
    assert.match(JSON.stringify(documents), /"fromHeaders":\[\{"name":"Authorization","prefix":"Bearer "\}\]/)
    const proxy = proxyOf(documents)
    assert.equal(allows(proxy, {}), true)
    for (const authorization of ['Basic YTpi', 'bearer a.b.c', 'DPoP a.b.c', ''])
      assert.equal(allows(proxy, { headers: { authorization } }), false, authorization)
    const elsewhere = { at: { kind: 'param', name: 'access_token' } as const, payload: payloadOf({ groups: ['admins'] }) }
    assert.equal(allows(emitted(ROLES + rule('admin')), { tokens: [elsewhere] }), false)
    assert.match(refusedOf(ROLES + rule('admin'), without('first-credential-counts')).join('\n'), /whether anything comes after the token/)
  })

  test('16 an issuer without an audience is no issuer', () => {
    const more = { issuers: new Map([['entra', [{ ...issuerOf('entra'), audiences: [] }]]]) }
    assert.match(refusedOf(ROLES + rule('admin'), {}, more).join('\n'), /target\/no-keys: .*no audience/)
    const proxy = emitted(ROLES + rule('admin'))
    assert.deepEqual(
      [{ aud: 'other' }, { aud: ['other'] }, { aud: undefined }].map((token) => allows(proxy, { token: { groups: ['admins'], ...token } })),
      [false, false, false],
    )
    // Somebody else's RequestAuthentication may believe other audiences: what allows asks for itself.
    const lax = JSON.parse(
      JSON.stringify(documentsOf(ROLES + rule('admin'))).replaceAll('"audiences":["api"]', '"audiences":["other"]'),
    ) as TargetDocument[]
    assert.equal(allows(proxyOf(lax), { token: { groups: ['admins'], aud: 'other' } }), false)
  })

  test('17 a group is one of its issuer', () => {
    const proxy = emitted(ROLES + rule('admin'))
    assert.equal(allows(proxy, { token: { groups: ['admins'] } }), true)
    for (const iss of ['https://ci.example', 'https://other.example'])
      assert.equal(allows(proxy, { iss, token: { groups: ['admins'] } }), false)
  })

  test('18 numbers and truth values are no texts, and are refused', () => {
    for (const role of ['senior', 'vip']) assert.match(refusedOf(ROLES + rule(role)).join('\n'), /neither numbers nor truth values/)
    const guard = "guardrails: [{ id: g, for: [senior], resource: orders, deny: ['* /**'] }]\n"
    assert.match(refusedOf(`${ROLES}${rule('[authenticated]')}${guard}`).join('\n'), /`r` .*neither numbers nor truth values/)
  })

  test('19 what is too large for one policy is split, and what is too large for all of them is refused', () => {
    const values = (n: number, prefix: string): string => `[${Array.from({ length: n }, (_, i) => `${prefix}${i}`).join(', ')}]`
    const pairs = (n: number): string =>
      Array.from({ length: n }, (_, i) => `{ issuer: entra, claim: groups, all: [a${i}, b${i}] }`).join(', ')
    const documents = documentsOf(`${ROLES}  many: { bind: [${pairs(600)}] }\n${rule('many')}`)
    // Who is none of those lacks one group of each pair, and which one may be any.
    const guard = "guardrails: [{ id: g, for: [many], resource: orders, deny: ['* /**'] }]\n"
    const guarded = (n: number): string => `${ROLES}  many: { bind: [${pairs(n)}] }\n${rule('admin')}${guard}`
    assert.match(refusedOf(guarded(10)).join('\n'), /`r` .*it takes more than 512 rules/)
    assert.equal(operations(documentsOf(guarded(9)).filter(isAction('ALLOW'))).length, 512)
    const allowing = documents.filter(isAction('ALLOW'))
    assert.ok(allowing.length > 1)
    for (const { spec } of allowing) {
      assert.ok((spec as { readonly rules: readonly unknown[] }).rules.length <= 512)
      assert.ok(JSON.stringify(spec).length < 500 * 1024)
    }
    assert.equal(new Set(allowing.map(({ metadata }) => (metadata as { readonly name: string }).name)).size, allowing.length)
    assert.equal(
      allowing.reduce((sum, { spec }) => sum + (spec as { readonly rules: readonly unknown[] }).rules.length, 0),
      600,
    )
    const wide = emitted(ROLES.replace('[admins]', values(1000, 'g')) + rule('admin'))
    assert.equal(allows(wide, { token: { groups: ['g999'] } }), true)
  })

  test('20 a token that leaves its groups out is denied where it shows, and assumed away where it does not', () => {
    const proxy = emitted(`${ROLES}${rule('authenticated')}${GUARD}`)
    const { allowed, policy } = ask(proxy, { token: { _claim_names: { groups: 'src1' } } })
    assert.equal(allowed, false)
    assert.match(policy!, /unfit-tokens/)
    assert.match(refusedOf(ROLES + rule('authenticated'), without('complete-claims')).join('\n'), /`_claim_names`/)
  })

  test('25 in the order in which it is applied, nothing in between lets in more than the whole', () => {
    const text = `${ROLES}rules:
  - { id: r, role: admin, resource: orders, actions: ['* /**'] }
  - { id: e, role: everyone, resource: orders, actions: [GET /a] }
  - { id: w, role: admin, resource: wiki, actions: [GET /a] }
guardrails: [{ id: g, allBut: [contractor], resource: orders, deny: [POST /a] }]
`
    const documents = documentsOf(text, BOTH)
    assert.deepEqual(
      [...new Set(documents.map(kindOf))],
      ['AuthorizationPolicy', 'AuthorizationPolicy DENY', 'AuthorizationPolicy ALLOW', 'RequestAuthentication'],
    )
    const calls: readonly Call[] = [
      undefined,
      {},
      { groups: ['admins'] },
      { groups: ['admins', 'contractors'] },
      { groups: ['admins'], cnf: { jkt: 'x' } },
    ].flatMap((token) => ['GET', 'POST'].flatMap((method) => ['orders.example', 'wiki.example'].map((host) => ({ token, method, host }))))
    const inTheEnd = proxyOf(documents)
    let [allowed, early] = [0, 0]
    for (let applied = 1; applied <= documents.length; applied++) {
      const proxy = proxyOf(documents.slice(0, applied))
      for (const call of calls) {
        const now = allows(proxy, call)
        if (now) assert.ok(allows(inTheEnd, call), `${applied}: ${JSON.stringify(call)}`)
        if (now && applied < documents.length) early++
        if (now && applied === documents.length) allowed++
      }
    }
    assert.ok(allowed > 2 && early > 0)
  })

  test('26 keys are those of the issuer, or none, and where they are taken as published that is assumed', () => {
    const keys = new Map([
      ['entra', '{"keys":[{"kid":"e"}]}'],
      ['ci', '{"keys":[{"kid":"c"}]}'],
    ])
    const [authentication] = documentsOf(ROLES + rule('admin'), {}, { keys }).filter(({ kind }) => kind === 'RequestAuthentication')
    assert.deepEqual(
      (authentication!['spec'] as { readonly jwtRules: readonly Record<string, unknown>[] }).jwtRules.map(({ issuer, jwks }) => [
        issuer,
        jwks,
      ]),
      [
        ['https://ci.example', '{"keys":[{"kid":"c"}]}'],
        ['https://entra.example', '{"keys":[{"kid":"e"}]}'],
      ],
    )
    assert.match(
      refusedOf(ROLES + rule('admin'), {}, { keys: new Map([['entra', '{"keys":[]}']]) }).join('\n'),
      /no keys of issuer `entra`: none came/,
    )
    const looked = tried(ROLES + rule('admin'), {}, { keys: undefined })
    assert.match(JSON.stringify(looked.documents), /"jwks":"\{\\"keys\\":\[\]\}"/)
    assert.ok(looked.residues.some(({ effect, text }) => effect === 'narrower' && text.includes('compiled without keys')))
    const byUri = { keys: 'uri', jwksUris: { ci: 'https://keys.example/ci' }, serviceEntries: true }
    const documents = documentsOf(ROLES + rule('admin'), byUri)
    assert.match(JSON.stringify(documents), /"jwksUri":"https:\/\/keys\.example\/ci"/)
    assert.deepEqual(
      documents.filter(({ kind }) => kind === 'ServiceEntry').map(({ spec }) => (spec as { readonly hosts: unknown }).hosts),
      [['keys.example']],
    )
    assert.match(refusedOf(ROLES + rule('admin'), { ...byUri, ...without('published-keys') }).join('\n'), /which of the keys/)
    const named = new Map([...issuers, ['entra', [issuerOf('entra', { iss: 'services' })]]])
    assert.match(refusedOf(ROLES + rule('admin'), { keys: 'uri' }, { issuers: named }).join('\n'), /`jwksUris` does not say where they are/)
  })

  test('27 the longer skew and a token without an end are assumed by name', () => {
    const text = ROLES + rule('authenticated')
    assert.match(refusedOf(text, without('longer-clock-skew')).join('\n'), /it gives 60/)
    assert.match(refusedOf(text, without('limited-lifetime')).join('\n'), /how long a token lives, and whether it ends/)
    assert.equal(allows(emitted(text), { token: { exp: SECONDS - 59 } }), true, 'as assumed')
    assert.equal(allows(emitted(text), { token: { exp: SECONDS - 61 } }), false)
    assert.match(
      refusedOf(text, without('limited-lifetime'), { wiring: wiringOf({ maxTokenLifetime: 60_000 }) }).join('\n'),
      /how long a token lives/,
    )
  })
})
