import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { test as question } from '../../core/token.ts'
import { nativeEntra } from '../../identity/entra/native.ts'
import type { EntraConfig } from '../../identity/entra/schema.ts'
import { load } from '../../policy/testdata/world.ts'
import type { TargetInput } from '../target.ts'
import { ASSUMPTIONS, assumptionNames, type Assumption } from './assume.ts'
import { guardrailOf } from './documents.ts'
import { CHECKED } from '../../envoy/metadata.ts'
import type { Mesh } from './translate/mesh.ts'
import type { Translated } from './translate/translate.ts'
import { istioSchema, type IstioTarget } from './schema.ts'
import { ask, BOTH, compiled, issuerOf, issuers, proxyOf, targetOf, wiringOf, without } from './testing.ts'

const ROLES = `roles:
  admin: { bind: [{ issuer: entra, claim: groups, any: [admins] }] }
  both: { bind: [{ issuer: entra, claim: groups, all: [a, b] }] }
  human: { bind: [{ issuer: entra, claim: groups, any: [a], kind: human }] }
  outsider: { bind: [{ issuer: entra, claim: department, none: [inside] }] }
`
function policyOf(text: string) {
  const { policy, diagnostics } = load(ROLES + text)
  assert.ok(policy !== undefined, JSON.stringify(diagnostics))
  return policy
}
const rule = (role: string, actions: string, more = ''): string =>
  `rules: [{ id: r, role: ${role}, resource: orders, actions: ${actions}${more} }]\n`

function refused(
  text: string,
  config: Readonly<Record<string, unknown>> = {},
  more: Partial<TargetInput<IstioTarget>> = {},
): readonly string[] {
  return compiled(policyOf(text), targetOf(config), more).diagnostics.map(({ message }) => message)
}

function proxy(text: string, config: Readonly<Record<string, unknown>> = {}, more: Partial<TargetInput<IstioTarget>> = {}) {
  const { documents, diagnostics } = compiled(policyOf(text), targetOf(config), more)
  assert.deepEqual(diagnostics, [])
  return proxyOf(documents)
}

type Case = readonly [string, Readonly<Record<string, unknown>>, Partial<TargetInput<IstioTarget>>]

describe('what Istio can not tell', () => {
  const text = rule('[admin]', "['GET /a/{x}']", ", when: '!has(claims.department)'")
  const idtyp: EntraConfig & { readonly audiences: readonly string[] } = {
    kind: 'entra',
    authority: 'https://login.microsoftonline.com',
    tenants: ['0571a27e-0000-4000-8000-00000000000a'],
    audiences: ['0571a27e-0002-4000-8000-000000000001'],
    claims: {},
    clients: [],
    agents: [],
    policies: undefined,
    organizations: false,
    maxLifetime: 3_600_000,
  } as unknown as EntraConfig & { readonly audiences: readonly string[] }
  const entra = new Map([['entra', nativeEntra('entra', idtyp)]])
  const keys = new Map((entra.get('entra') as readonly { readonly form: string }[]).map(({ form }) => [form, '{"keys":[{}]}']))
  const cases: Readonly<Record<Assumption, Case>> = {
    ...(Object.fromEntries(assumptionNames.map((one) => [one, [text, {}, {}]])) as unknown as Record<Assumption, Case>),
    'escaped-slashes': [text, { pathNormalization: 'MERGE_SLASHES' }, {}],
    'published-keys': [text, { keys: 'uri' }, {}],
    'reapplied-when-observation-ends': [
      `${text}guardrails: [{ id: g, for: [admin], resource: orders, deny: [GET /b], mode: observe, until: '2026-12-31T00:00:00Z' }]\n`,
      {},
      {},
    ],
    'no-app-only-tokens': [rule('human', '[GET /a]'), {}, {}],
    'idtyp-always': [rule('human', '[GET /a]'), {}, { issuers: entra, keys }],
  }
  for (const [name, [policy, config, more]] of Object.entries(cases).filter(([one]) => one !== 'one-trust-domain'))
    test(`${name} has to be assumed by name, and is told`, () => {
      const all = compiled(policyOf(policy), targetOf(config), more)
      assert.deepEqual(all.diagnostics, [])
      const { ensure, what } = ASSUMPTIONS[name as Assumption]
      assert.ok(all.residues.some(({ effect, text: told }) => effect === 'assumed' && told.startsWith(`${name}: ${ensure}`)))
      const settled = {
        'no-app-only-tokens': /can not compare two claims \(`sub`, `client_id`\).*no-app-only-tokens/,
        'idtyp-always': /no patterns \(claim `scp`\).*idtyp-always/,
      }
      const { documents, diagnostics } = compiled(policyOf(policy), targetOf({ ...config, ...without(name as Assumption) }), more)
      assert.deepEqual(documents, [])
      if (name in settled) assert.match(diagnostics[0]!.message, settled[name as keyof typeof settled])
      else {
        assert.deepEqual(
          diagnostics.map(({ message }) => message),
          [`Istio \`mesh\` can not tell ${what}`],
        )
        assert.match(diagnostics[0]!.help, new RegExp(`\`${name}\` under \`targets\\.mesh\\.assume\``))
      }
    })

  test('nothing is relied on that is not needed', () => {
    const { residues } = compiled(policyOf(rule('everyone', '[GET /a]')), targetOf(), { issuers: new Map() })
    assert.deepEqual(
      residues.filter(({ effect }) => effect === 'assumed').map(({ text: told }) => told.split(':')[0]),
      ['no-identity-headers', 'one-way-in'],
    )
  })
})

describe('a policy in Istio', () => {
  test('all of several groups', () => {
    const made = proxy(rule('both', '[GET /a]'))
    assert.equal(ask(made, { token: { groups: ['a', 'b', 'c'] } }).allowed, true)
    for (const groups of [['a'], ['b'], 'a', 'a b']) assert.equal(ask(made, { token: { groups } }).allowed, false)
  })

  test('a kind of principal, where no client has tokens of its own', () => {
    const made = proxy(rule('human', '[GET /a]'))
    assert.equal(ask(made, { token: { groups: ['a'] } }).allowed, true)
    assert.equal(ask(made, { token: { groups: ['b'] } }).allowed, false)
  })

  test('methods: `GET` covers `HEAD`, and `*` those that are known', () => {
    const made = proxy(rule('everyone', "['GET /a', '* /b', 'PURGE /c']"))
    const may = (method: string, path: string): boolean => ask(made, { method, path }).allowed
    assert.deepEqual(
      ['GET', 'HEAD', 'POST', 'get'].map((method) => may(method, '/a')),
      [true, true, false, false],
    )
    assert.deepEqual(
      ['GET', 'HEAD', 'POST', 'PURGE', 'QUERY', 'PROPFIND', 'post'].map((method) => may(method, '/b')),
      [true, true, true, true, true, false, false],
    )
    assert.equal(may('PURGE', '/c'), true)
  })

  test('what a method or a question would be taken for is refused', () => {
    assert.match(refused(rule('everyone', "['FOO* /a']")).join('\n'), /at an end of `FOO\*`/)
    const asking = issuerOf('entra')
    for (const [formula, why] of [
      [
        question({ is: 'value', path: { part: 'payload', names: ['verified'] }, type: 'boolean', values: [true] }),
        /what the issuer asks of `verified`/,
      ],
      [{ any: [question({ is: 'matches', path: { part: 'payload', names: ['site'] }, pattern: 'a+' }), asking.appOnly] }, /asks of `site`/],
      [{ not: question({ is: 'matches', path: { part: 'payload', names: ['site'] }, pattern: 'a+' }) }, /no patterns \(claim `site`\)/],
    ] as const) {
      const more = { issuers: new Map([...issuers, ['entra', [{ ...asking, credential: formula }]]]) }
      assert.match(refused(rule('admin', '[GET /a]'), {}, more).join('\n'), why)
    }
  })

  test('templates, with others cut out of them', () => {
    const made = proxy(
      `${rule('admin', "['* /{x}/{y}', 'GET /a/**']")}guardrails: [{ id: g, allBut: [both], resource: orders, deny: ['* /{x}/secret', 'POST /a/**'] }]\n`,
    )
    const may = (method: string, path: string, groups: readonly string[] = ['admins']): boolean =>
      ask(made, { method, path, token: { groups } }).allowed
    assert.deepEqual([may('GET', '/a/b'), may('GET', '/b/c'), may('POST', '/b/c'), may('GET', '/a/b/c')], [true, true, true, true])
    assert.deepEqual([may('GET', '/a/secret'), may('POST', '/b/secret'), may('POST', '/a/b')], [false, false, false])
    assert.equal(may('POST', '/a/secret', ['admins', 'a', 'b']), true)
    // What a template does not take for a segment can't evade what is cut out: it isn't let in at all.
    assert.deepEqual([may('GET', '/a*b/secret'), may('GET', '/a"b/secret'), may('GET', '/a|b/secret')], [false, false, false])
  })

  test('what is cut out of everything below leaves no segment that evades it', () => {
    const made = proxy(
      `${rule('admin', "['GET /a/**']")}guardrails: [{ id: g, for: [admin], resource: orders, deny: ['* /a/{x}/secret'] }]\n`,
    )
    const may = (path: string): boolean => ask(made, { path, token: { groups: ['admins'] } }).allowed
    assert.deepEqual(['/a/', '/a/b', '/a/b/c', '/a/b/secret/d', '/a/b/secrets'].map(may), [true, true, true, true, true])
    assert.deepEqual(['/a/b/secret', '/a/b*c/secret', '/a/*/secret', '/a/b|c/secret', '/a/b"c/secret'].map(may), [
      false,
      false,
      false,
      false,
      false,
    ])
  })

  test('what is cut out of one path is not cut out of another, nor left in it', () => {
    const text = `${rule('admin', "['GET /a/{x}', 'GET /b/{x}', 'GET /c']")}guardrails: [{ id: g, for: [admin], resource: orders, deny: [GET /a/x, GET /b/y] }]\n`
    const made = proxy(text)
    const may = (path: string): boolean => ask(made, { path, token: { groups: ['admins'] } }).allowed
    assert.deepEqual(['/a/y', '/b/x', '/a/z', '/c'].map(may), [true, true, true, true])
    assert.deepEqual(['/a/x', '/b/y'].map(may), [false, false])
    // The denial would hide what is left in.
    const { documents } = compiled(policyOf(text))
    const allowing = proxyOf(documents.filter(({ spec }) => (spec as { readonly action?: string }).action !== 'DENY'))
    assert.deepEqual(
      ['/a/x', '/b/y', '/a/y', '/b/x'].map((path) => ask(allowing, { path, token: { groups: ['admins'] } }).allowed),
      [false, false, true, true],
    )
  })

  test('addresses, by the one that the wiring names', () => {
    const text = rule('everyone', '[GET /a]', ', when: \'inCidr(context.ip, "10.0.0.0/8")\'')
    assert.match(refused(text).join('\n'), /`addresses` does not say/)
    const bySource = proxy(text, { addresses: 'source' })
    assert.equal(ask(bySource, { source: '10.1.2.3', remote: '192.0.2.1' }).allowed, true)
    assert.equal(ask(bySource, { source: '192.0.2.1', remote: '10.1.2.3' }).allowed, false)
    const byRemote = proxy(text, { addresses: 'remote' })
    assert.equal(ask(byRemote, { source: '192.0.2.1', remote: '10.1.2.3' }).allowed, true)
    assert.equal(ask(byRemote, { source: '10.1.2.3', remote: '192.0.2.1' }).allowed, false)
  })

  const scoped = `rules: [{ id: r, role: admin, resource: wiki, actions: ['* /**'] }]\n`
  const wiki = { workloads: { wiki: BOTH.workloads.wiki } }
  test('scopes as caps, in `scope` and in `scp`', () => {
    const made = proxy(scoped, wiki)
    const may = (method: string, path: string, token: object): boolean =>
      ask(made, { host: 'wiki.example', method, path, token: { groups: ['admins'], ...token } }).allowed
    assert.deepEqual([may('GET', '/a', { scope: 'x Wiki.Read y' }), may('GET', '/a', { scp: 'x Wiki.Read y' })], [true, true])
    assert.deepEqual(
      [may('GET', '/a', {}), may('GET', '/a', { scope: 'Wiki' }), may('GET', '/a', { scope: 'x', scp: 'Wiki.Read' })],
      [false, false, false],
    )
    assert.deepEqual(
      [may('POST', '/a', { scope: 'Wiki.Read Wiki.Write' }), may('POST', '/pages/a', { scope: 'Wiki.Read Wiki.Write' })],
      [false, true],
    )
  })

  test('before 1.28, a scope between others in `scp` is passed over', () => {
    const made = proxy(scoped, { ...wiki, version: '1.27' })
    const may = (token: object): boolean => ask(made, { host: 'wiki.example', token: { groups: ['admins'], ...token } }).allowed
    assert.deepEqual([{ scp: 'Wiki.Read' }, { scp: 'Wiki.Read x' }, { scp: 'x Wiki.Read' }, { scope: 'x Wiki.Read y' }].map(may), [
      true,
      true,
      true,
      true,
    ])
    assert.deepEqual([{ scp: 'x Wiki.Read y' }, { scp: 'Wiki.Reader' }, { scp: 'xWiki.Read' }].map(may), [false, false, false])
    const { residues, documents } = compiled(policyOf(scoped), targetOf({ ...wiki, version: '1.27' }))
    assert.ok(residues.some(({ effect, text }) => effect === 'narrower' && text.includes('a scope between others in `scp`')))
    assert.doesNotMatch(JSON.stringify(documents), /spaceDelimitedClaims/)
  })

  test('a text that Istio takes apart into words is not compared as one', () => {
    const declared = issuerOf('entra', {
      declared: [
        { name: 'department', type: 'string', path: ['scope'] },
        { name: 'groups', type: 'list', path: ['groups'] },
      ],
    })
    assert.match(
      refused(rule('outsider', '[GET /a]'), {}, { issuers: new Map([...issuers, ['entra', [declared]]]) }).join('\n'),
      /`scope` for a list of words/,
    )
  })

  test('several resources on one workload are told apart by their hosts', () => {
    const made = proxy(
      `rules: [{ id: r, role: everyone, resource: orders, actions: [GET /a] }, { id: s, role: everyone, resource: wiki, actions: [GET /b] }]\n`,
      BOTH,
    )
    const may = (host: string, path: string): boolean => ask(made, { host, path }).allowed
    assert.deepEqual([may('orders.example', '/a'), may('wiki.example', '/b')], [true, true])
    assert.deepEqual([may('orders.example', '/b'), may('wiki.example', '/a'), may('x.example', '/a')], [false, false, false])
    const { diagnostics } = compiled(policyOf(rule('everyone', '[GET /a]')), targetOf(BOTH), {
      wiring: {
        ...wiringOf(),
        resources: { ...wiringOf().resources, wiki: wiringOf({ forwardAuthorization: true }).resources['wiki']! },
      } as never,
    })
    assert.match(diagnostics[0]!.message, /`forwardAuthorization` is another than of `orders`/)
  })

  test('selectors that may be of the same pods are refused, unless they are one', () => {
    const text = `rules: [{ id: r, role: admin, resource: [orders, wiki], actions: [GET /a] }]\n`
    const refusals = (selector: object): readonly string[] =>
      refused(text, { workloads: { ...BOTH.workloads, wiki: { ...BOTH.workloads.wiki, selector } } })
    assert.deepEqual(refusals({ app: 'web' }), [])
    assert.deepEqual(refusals({ app: 'wiki' }), [])
    for (const selector of [{ app: 'web', version: 'v1' }, { version: 'v1' }])
      assert.match(refusals(selector).join('\n'), /`wiki` can not be carried .* may be of the same pods as that of `orders`/)
  })

  test('a caller can not say who calls, and without `websocket` nothing is upgraded', () => {
    const made = proxy(rule('everyone', '[GET /a]'), {}, { wiring: wiringOf({ websocket: false }) })
    assert.equal(ask(made, { headers: { accept: '*/*' } }).allowed, true)
    for (const name of ['ostiary-subject', 'ostiary_subject', 'x-forwarded-user', 'x-http-method-override', 'upgrade'])
      assert.equal(ask(made, { headers: { [name]: 'x' } }).allowed, false, name)
  })

  test('agents are refused by the name of their client', () => {
    const more = { issuers: new Map([...issuers, ['entra', [issuerOf('entra', { agents: ['bot'] })]]]) }
    const made = proxy(rule('admin', '[GET /a]'), {}, more)
    assert.equal(ask(made, { token: { groups: ['admins'] } }).allowed, true)
    for (const token of [{ client_id: 'bot' }, { azp: 'bot' }, { sub: 'bot' }])
      assert.equal(ask(made, { token: { groups: ['admins'], ...token } }).allowed, false, JSON.stringify(token))
  })

  test('Entra ID: tenant, version and clients by the letters that it writes', () => {
    const tenant = '0571a27e-0000-4000-8000-00000000000a'
    const config = {
      kind: 'entra',
      authority: 'https://login.microsoftonline.com',
      tenants: [tenant],
      audiences: ['0571a27e-0002-4000-8000-000000000001'],
    }
    const agents = ['0571a27e-0002-4000-8000-0000000000a1', '0571a27e-0002-4000-8000-0000000000a2']
    const forms = nativeEntra('entra', {
      ...config,
      claims: { department: 'string' },
      clients: [],
      agents,
      maxLifetime: 3_600_000,
    } as never)
    const more = {
      issuers: new Map([['entra', forms]]),
      keys: new Map((forms as readonly { readonly form: string }[]).map(({ form }) => [form, '{"keys":[{}]}'])),
    }
    const made = proxy(rule('admin', '[GET /a]'), {}, more)
    const good = {
      ver: '2.0',
      idtyp: 'user',
      tid: tenant,
      oid: tenant,
      azp: 'client',
      scp: 'x',
      aud: config.audiences[0],
      groups: ['admins'],
    }
    const iss = `https://login.microsoftonline.com/${tenant}/v2.0`
    assert.equal(ask(made, { iss, token: good }).allowed, true)
    for (const token of [
      { ver: '1.0' },
      { idtyp: 'device' },
      { idtyp: undefined },
      { tid: 'other' },
      { azp: agents[0] },
      { azp: agents[1] },
      { azp: undefined },
      { aud: 'other' },
      { xms_act_fct: '9' },
      { nonce: 'x' },
    ])
      assert.equal(ask(made, { iss, token: { ...good, ...token } }).allowed, false, JSON.stringify(token))
  })

  test('a resource is delegated whole: everything is asked about, and nothing passes that was not', () => {
    const provider = { name: 'ostiary', service: 'ostiary.example', port: 18001 }
    const config = { ...BOTH, provider, delegate: ['wiki'] }
    const text = `rules: [{ id: r, role: everyone, resource: [orders, wiki], actions: [GET /a] }]\nguardrails: [{ id: g, allBut: [admin], resource: wiki, actions: ['* /**'], limit: { requests: 1, in: 1m } }]\n`
    assert.match(refused(text, BOTH).join('\n'), /`limit:` counts requests/)
    const { documents, diagnostics, needs, resources, residues } = compiled(policyOf(text), targetOf(config))
    assert.deepEqual(diagnostics, [])
    assert.deepEqual(
      resources.map(({ name, delegated }) => [name, delegated]),
      [
        ['orders', false],
        ['wiki', true],
      ],
    )
    const specs = documents
      .filter(({ metadata }) => (metadata as { readonly labels: Record<string, string> }).labels['ostiary.dev/resource'] === 'wiki')
      .map(({ spec }) => spec)
    const hosts = ['wiki.example', 'wiki.example:443', 'wiki.example:80', 'wiki.example:8080']
    const to = [{ operation: { hosts, ports: ['8080'] } }]
    const selector = { matchLabels: { app: 'web' } }
    assert.deepEqual(specs, [
      { selector, action: 'CUSTOM', provider: { name: 'ostiary' }, rules: [{ to }] },
      {
        selector,
        action: 'ALLOW',
        rules: [{ to, when: [{ key: 'experimental.envoy.filters.http.ext_authz[ostiary]', values: ['wiki'] }] }],
      },
    ])
    assert.deepEqual(
      needs?.map(({ document }) => document),
      [
        {
          extensionProviders: [
            {
              name: 'ostiary',
              envoyExtAuthzGrpc: { service: 'ostiary.example', port: 18001, timeout: '1s', failOpen: false, statusOnError: '503' },
            },
          ],
        },
      ],
    )
    assert.ok(residues.some(({ text: told }) => told.startsWith('one-way-in')))
    const { extensionProviders } = needs![0]!.document as unknown as Pick<Mesh, 'extensionProviders'>
    const wiki = (made: Translated, answered: object, asks = true): boolean =>
      ask(made, { host: 'wiki.example', asks: () => asks, metadata: { [CHECKED.filter]: answered }, headers: { 'ostiary-subject': 's' } })
        .allowed
    const whole = proxyOf(documents, undefined, extensionProviders)
    assert.equal(wiki(whole, { ostiary: 'wiki' }), true)
    assert.equal(ask(whole, { host: 'orders.example' }).allowed, true)
    assert.equal(ask(whole, { host: 'orders.example', headers: { 'ostiary-subject': 's' } }).allowed, false)
    // It says no, speaks of another resource, isn't known to the mesh, or isn't asked at all.
    assert.equal(wiki(whole, { ostiary: 'wiki' }, false), false)
    assert.equal(wiki(whole, { ostiary: 'orders' }), false)
    assert.equal(wiki(proxyOf(documents), { ostiary: 'wiki' }), false)
    const unasked = documents.filter(({ spec }) => (spec as { readonly action?: string }).action !== 'CUSTOM')
    assert.equal(wiki(proxyOf(unasked, undefined, extensionProviders), {}), false)
  })

  test('proxies tell the gateway of requests, with what names who denied', () => {
    const provider = { name: 'ostiary', service: 'ostiary.example', port: 18001 }
    const text = `${rule('admin', '[GET /a]')}guardrails: [{ id: no-guests, for: [both], resource: orders, deny: ['* /a'] }]\n`
    const { documents, diagnostics, needs } = compiled(policyOf(text), targetOf({ provider, logs: true }))
    assert.deepEqual(diagnostics, [])
    const telling = documents.filter(({ kind }) => kind === 'Telemetry')
    assert.equal(documents.at(-1), telling[0], 'last, for it neither allows nor denies')
    assert.deepEqual(
      telling.map(({ apiVersion, spec }) => [apiVersion, spec]),
      [
        [
          'telemetry.istio.io/v1',
          { selector: { matchLabels: { app: 'web' } }, accessLogging: [{ providers: [{ name: 'ostiary-logs' }] }] },
        ],
      ],
    )
    const [{ extensionProviders }] = needs!.map(({ document }) => document) as unknown as [
      { readonly extensionProviders: readonly { readonly name: string; readonly envoyOtelAls: Record<string, unknown> }[] },
    ]
    assert.equal(extensionProviders[0]!.name, 'ostiary-logs')
    const { service, port, logFormat } = extensionProviders[0]!.envoyOtelAls
    assert.deepEqual([service, port], ['ostiary.example', 18001])
    assert.equal((logFormat as { readonly labels: Record<string, string> }).labels['ostiary.details'], '%RESPONSE_CODE_DETAILS%')
    const denying = documents.find(
      ({ spec }) =>
        (spec as { readonly action?: string; readonly rules?: readonly { readonly when?: unknown }[] }).action === 'DENY' &&
        JSON.stringify(spec).includes('"/a"'),
    )
    const { name } = denying!['metadata'] as { readonly name: string }
    assert.equal(guardrailOf(`ns[shop]-policy[${name}]-rule[0]`, ['other', 'no-guests']), 'no-guests')
    assert.equal(guardrailOf(`ns[shop]-policy[${name}]-rule[0]`, ['other']), name, 'it is gone by now')
    const [a, b] = ['a', 'b'].map((last) => `${'x'.repeat(60)}${last}`)
    assert.equal(
      guardrailOf(`ostiary-deny-${'x'.repeat(39)}-0123456789`, [a!, b!]),
      `ostiary-deny-${'x'.repeat(39)}-0123456789`,
      'it could be either',
    )
    assert.equal(guardrailOf(`ostiary-deny-${'x'.repeat(39)}-0123456789`, [a!]), a)
    assert.match(refusedWiring({ logs: true }), /logs: needs `provider`/)
  })

  test('what is enforced from an instant on is refused, for nobody would begin, unless somebody says that it is applied again', () => {
    const text = `${rule('authenticated', '[GET /a]')}guardrails: [{ id: g, for: [admin], resource: orders, deny: [GET /a], mode: observe, until: '2026-12-31T00:00:00Z' }]\n`
    assert.deepEqual(refused(text, without('reapplied-when-observation-ends')), [
      'Istio `mesh` can not tell when something is no longer only observed: it has no clock',
    ])
    assert.deepEqual(refused(text), [])
  })

  test('the same policy is the same documents, with who they are from', () => {
    const text = `${rule('admin', "['GET /a/{x}']")}guardrails: [{ id: g, for: [both], resource: orders, deny: ['* /a/b'] }]\n`
    const [one, two] = [compiled(policyOf(text)), compiled(policyOf(text))]
    assert.deepEqual(one, two)
    const names = one.documents.map(({ kind, metadata }) => `${String(kind)} ${(metadata as { readonly name: string }).name}`)
    assert.equal(new Set(names).size, names.length)
    for (const { metadata } of one.documents) {
      const { name, labels } = metadata as { readonly name: string; readonly labels: Readonly<Record<string, string>> }
      assert.match(name, /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
      assert.equal(labels['ostiary.dev/target'], 'mesh')
      assert.equal(labels['ostiary.dev/revision'], 'a'.repeat(40))
    }
    const [allowing] = one.documents.filter(({ metadata }) => (metadata as { readonly name: string }).name.startsWith('ostiary-allow-r-'))
    assert.deepEqual((allowing!['metadata'] as { readonly annotations: unknown }).annotations, { 'ostiary.dev/rules': 'r' })
    assert.equal((allowing!['metadata'] as { readonly labels: Readonly<Record<string, string>> }).labels['ostiary.dev/resource'], 'orders')
  })

  test('ids that read alike have names of their own', () => {
    const id = 'x'.repeat(60)
    const text = `rules: [{ id: ${id}-1, role: admin, resource: orders, actions: [GET /a] }, { id: ${id}-2, role: admin, resource: orders, actions: [GET /b] }]\n`
    const names = compiled(policyOf(text)).documents.map(({ metadata }) => (metadata as { readonly name: string }).name)
    assert.equal(new Set(names).size, names.length)
    assert.ok(names.every((name) => name.length <= 63))
  })
})

function refusedWiring(more: object): string {
  const workloads = { orders: { namespace: 'shop', ports: [80], selector: { app: 'web' } } }
  const { error } = istioSchema.safeParse({ kind: 'istio', version: '1.28', pathNormalization: 'BASE', workloads, ...more })
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n') ?? ''
}

test('the wiring of a target says what would be passed over', () => {
  const issues = (workload: object, more: object = {}): readonly string[] =>
    istioSchema
      .safeParse({
        kind: 'istio',
        version: '1.28',
        pathNormalization: 'BASE',
        workloads: { orders: { namespace: 'shop', ports: [80], ...workload } },
        ...more,
      })
      .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
  const selector = { app: 'web' }
  assert.deepEqual(issues({ selector }), [])
  assert.match(issues({}).join(), /selector: is needed for a sidecar/)
  assert.match(issues({ selector, targetRef: { kind: 'Service', name: 'x' } }).join(), /targetRef: is passed over by a sidecar/)
  assert.match(issues({ selector: {} }).join(), /every workload of the namespace/)
  assert.match(issues({ selector, namespace: 'istio-system' }).join(), /is the root namespace/)
  assert.match(issues({ mode: 'gateway', targetRef: { kind: 'Service', name: 'x' } }).join(), /has to be a Gateway/)
  assert.match(issues({ selector }, { version: '1.23' }).join(), /from `1\.24` on/)
  assert.match(issues({ selector }, { assume: ['anything'] }).join(), /assume\.0/)
})
