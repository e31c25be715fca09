/** The holes that a naive compilation opens, each by its number: what becomes of the documents in a dataplane has to close it. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { FILTERS } from '../../envoy/filters.ts'
import type { Json } from '../../envoy/rbac.ts'
import type { JsonObject } from '../../identity/jose/json.ts'
import { load, NOW } from '../../policy/testdata/world.ts'
import { translateKuma } from './evaluate.ts'
import { HEADERS_FILTER, PEERS_FILTER } from './filters.ts'
import { MESH_TLS, plainInbound } from './testdata/inbound.ts'
import {
  allows,
  alone,
  ask,
  documentsOf,
  emitted,
  inboundOf,
  issuerOf,
  issuers,
  problemsOf,
  ROLES,
  rule,
  values,
  workload,
} from './testdata/mesh.ts'
import { compiled, kumaConfig, LABELS, wiringOf } from './testdata/world.ts'
import { documentProblems } from './validate.ts'

const WEB = 'spiffe://default.zone1.mesh.local/ns/shop/sa/web'

describe('holes', () => {
  test('1 tokens may be missing, and who has none is nobody', () => {
    const made = emitted(ROLES + rule('authenticated'))
    assert.equal(allows(made, { token: {} }), true)
    assert.equal(allows(made, {}), false)
  })

  test('2 without any rule everything is denied, and so is every host and port that is no resource’s', () => {
    const none = emitted(ROLES)
    assert.equal(allows(none, { token: { groups: ['admins'] } }), false)
    const made = emitted(ROLES + rule('everyone', "['GET /**']"))
    assert.equal(allows(made, {}), true)
    assert.equal(allows(made, { host: 'ORDERS.example' }), true)
    for (const host of ['other.example', 'orders.example.evil', 'xorders.example', ''])
      assert.deepEqual(ask(made, { host }), { allowed: false, filter: FILTERS.callers, policy: undefined }, host)
    const elsewhere = emitted(ROLES + rule('everyone', "['GET /**']"), alone(), { port: 8001 })
    assert.equal(allows(elsewhere, { port: 8001 }), false)
  })

  test('3 what is not matches neither nobody nor what can not be told', () => {
    const made = emitted(ROLES + rule('staff'))
    assert.equal(allows(made, { token: { groups: ['a'] } }), true)
    for (const call of [
      {},
      { token: { groups: ['guests'] } },
      { token: { groups: 'guests' } },
      { token: { groups: null } },
      { iss: 'https://ci.example', token: {} },
    ])
      assert.equal(allows(made, call), false, JSON.stringify(call))
  })

  test('4 no guardrail is evaded by another type of the claim', () => {
    const guard = "guardrails: [{ id: g, for: [contractor], resource: orders, deny: ['* /**'] }]\n"
    const made = emitted(`${ROLES}${rule('authenticated')}${guard}`)
    assert.equal(allows(made, { token: { groups: ['a'] } }), true)
    const denied = ask(made, { token: { groups: ['contractors'] } })
    assert.deepEqual(denied, { allowed: false, filter: FILTERS.guardrails, policy: 'g@entra#orders' })
    for (const groups of ['contractors', { a: 'contractors' }, null, 5])
      assert.equal(allows(made, { token: { groups } }), false, JSON.stringify(groups))
  })

  test('5 a condition that fails never lets through', () => {
    const made = emitted(`${ROLES}${rule('authenticated', "['* /**']", ', when: "claims.level > 2.0"')}`)
    assert.equal(allows(made, { token: { level: 3 } }), true)
    for (const token of [{}, { level: '3' }, { level: null }]) assert.equal(allows(made, { token }), false, JSON.stringify(token))
  })

  test('6 requests have one reading, which Kuma does not see to by itself', () => {
    const documents = documentsOf(ROLES + rule('everyone', "['GET /**']"))
    const { typedConfig } = values(documents, 'networkFilter')[0] as { readonly typedConfig: Json }
    const { normalizePath, mergeSlashes, pathWithEscapedSlashesAction, stripAnyHostPort, stripTrailingHostDot, commonHttpProtocolOptions } =
      typedConfig
    assert.deepEqual(
      [normalizePath, mergeSlashes, pathWithEscapedSlashesAction, stripAnyHostPort, stripTrailingHostDot],
      [true, true, 'REJECT_REQUEST', true, true],
    )
    assert.equal((commonHttpProtocolOptions as Json)['headersWithUnderscoresAction'], 'REJECT_REQUEST')
    // The caller's address is that of the connection: what it says of itself in a header is not believed.
    assert.equal(typedConfig['useRemoteAddress'], true)
    const made = inboundOf(documents)
    for (const path of ['/a%3Ab', '/%61', '/a|b']) assert.equal(allows(made, { path }), false, path)
    assert.equal(allows(made, { method: 'get' }), false)
  })

  test('7 a prefix ends at a slash, of paths and of names', () => {
    const made = emitted(ROLES + rule('everyone', "['GET /admin/**']"))
    assert.equal(allows(made, { path: '/admin/x' }), true)
    for (const path of ['/admin', '/administrator']) assert.equal(allows(made, { path }), false, path)
    const withPeers = (peers: readonly object[]): object => ({ workloads: { orders: workload({ peers }) } })
    assert.match(problemsOf(withPeers([{ prefix: 'spiffe://d/ns/shop' }])), /up to a `\/`, and that slash/)
    assert.match(problemsOf(withPeers([{ exact: 'spiffe://d/ns/shop/' }])), /write a SPIFFE id/)
    assert.match(problemsOf(withPeers([{ prefix: 'spiffe://' }])), /up to a `\/`/)
    const config = alone({ peers: [{ prefix: 'spiffe://d/ns/shop/' }] })
    const open = emitted(ROLES + rule('everyone', "['GET /**']"), config, { transports: [MESH_TLS] })
    assert.equal(allows(open, { peer: ['spiffe://d/ns/shop/sa/web'] }), true)
    assert.equal(allows(open, { peer: ['spiffe://d/ns/shop-evil/sa/web'] }), false)
  })

  test('8 what has a meaning in patterns or in YAML stands for itself', () => {
    const made = emitted(ROLES + rule('everyone', "['GET /a.b/{x}/c+d']"))
    assert.equal(allows(made, { path: '/a.b/1/c+d' }), true)
    for (const path of ['/aXb/1/c+d', '/a.b/1/ccd']) assert.equal(allows(made, { path }), false, path)
    for (const word of ['yes', 'off', '0123', '1:20', '~', '*', 'a: b', '\u0085\u2028\u{1F511}', "'", '"', '|']) {
      const odd = emitted(ROLES.replace('[admins]', JSON.stringify([word])) + rule('admin'))
      assert.equal(allows(odd, { token: { groups: [word] } }), true, word)
      for (const other of ['true', 'false', '83', '80', 'a']) assert.equal(allows(odd, { token: { groups: [other] } }), false, word)
    }
  })

  test('11 an inbound that does not speak http has no filters, which is an assumption and said', () => {
    const documents = documentsOf(ROLES + rule('admin'))
    const tcp = inboundOf(documents, { protocol: 'tcp' })
    assert.deepEqual(tcp, plainInbound({ port: 8000, service: 'localhost:8000', protocol: 'tcp', transports: [undefined] }))
    const { policy } = load(ROLES + rule('admin'))
    for (const [version, place] of [
      ['2.14', /the tag `kuma\.io\/protocol` http/],
      ['3.0', /`networking\.inbound\[\]\.protocol` http/],
    ] as const) {
      const { residues } = compiled({ policy: policy!, issuers, config: alone({}, { version }) })
      assert.ok(
        residues.some(({ effect, text }) => effect === 'assumed' && place.test(text)),
        version,
      )
    }
    assert.match(problemsOf({ workloads: { orders: { labels: LABELS, inbound: { port: 8000, protocol: 'tcp' } } } }), /protocol/)
    assert.match(problemsOf({ workloads: { orders: { labels: LABELS, inbound: { port: 8000 } } } }), /protocol/)
  })

  test('12 who may call is asked of the certificate also where the mesh lets plaintext in', () => {
    const config = alone({ peers: [{ exact: WEB }] })
    const permissive = emitted(ROLES + rule('everyone', "['GET /**']"), config, { transports: [undefined, MESH_TLS] })
    assert.equal(allows(permissive, { peer: [WEB] }), true)
    assert.equal(allows(permissive, { peer: [`${WEB}-other`] }), false)
    // A chain without the mesh's TLS has no permissions of the mesh.
    assert.deepEqual(ask(permissive, {}), { allowed: false, filter: PEERS_FILTER, policy: undefined })
    const strict = emitted(ROLES + rule('everyone', "['GET /**']"), alone({ strictTls: true }), { transports: [undefined, MESH_TLS] })
    assert.deepEqual(ask(strict, {}), { allowed: false, filter: 'filter chain', policy: undefined })
    // Another permission of the mesh lets in whom ours don't name, and no further.
    const anybody = {
      type: 'MeshTrafficPermission',
      mesh: 'default',
      name: 'allow-all',
      spec: { targetRef: { kind: 'Mesh' }, rules: [{ default: { allow: [{ spiffeID: { type: 'Prefix', value: 'spiffe://' } }] } }] },
    }
    const wide = inboundOf([...documentsOf(ROLES + rule('everyone', "['GET /**']"), config), anybody], { transports: [MESH_TLS] })
    assert.equal(ask(wide, { peer: ['spiffe://elsewhere/x'] }).filter, PEERS_FILTER)
    assert.equal(allows(wide, { peer: [WEB] }), true)
  })

  test('14 what can be reached past its dataplane is an assumption, and said', () => {
    const { policy } = load(ROLES + rule('admin'))
    const { residues } = compiled({ policy: policy!, issuers, config: alone() })
    assert.ok(residues.some(({ effect, text }) => effect === 'assumed' && text.includes('reached through its dataplane alone')))
  })

  test('15 a token is looked for in one place, and there is one of them', () => {
    const documents = documentsOf(ROLES + rule('everyone'))
    assert.match(JSON.stringify(values(documents, 'httpFilter')), /"fromHeaders":\[\{"name":"authorization","valuePrefix":"Bearer "\}\]/)
    const made = inboundOf(documents)
    assert.equal(allows(made, {}), true)
    for (const authorization of ['bearer a.b.c', 'Basic YTpi', 'DPoP a.b.c', ''])
      assert.equal(allows(made, { authorization }), false, authorization)
    assert.equal(allows(made, { token: {}, authorization: 'Bearer a.b.c,Bearer d.e.f' }), false)
  })

  test('16 an issuer without an audience is no issuer', () => {
    const { policy } = load(ROLES + rule('admin'))
    const { documents, diagnostics } = compiled({
      policy: policy!,
      config: alone(),
      issuers: new Map([['entra', [{ ...issuerOf('entra'), audiences: [] }]]]),
    })
    assert.deepEqual(documents, [])
    assert.match(diagnostics.map(({ code, message }) => `${code}: ${message}`).join('\n'), /target\/no-keys: .*`entra`: it has no audience/)
  })

  test('17 a group is one of its issuer, and an issuer one of its resource', () => {
    const made = emitted(ROLES + rule('admin'))
    assert.equal(allows(made, { token: { groups: ['admins'] } }), true)
    assert.equal(allows(made, { iss: 'https://ci.example', token: { groups: ['admins'] } }), false)
    assert.equal(allows(made, { iss: 'https://other.example', token: { groups: ['admins'] } }), false)
    // `wiki` takes no token of `ci`, though `orders` behind the same inbound does.
    const both = "rules: [{ id: r, role: authenticated, resource: [orders, wiki], actions: ['GET /**'] }]\n"
    const listener = emitted(both, kumaConfig({ workloads: { orders: workload(), wiki: workload() } }))
    const ci = { iss: 'https://ci.example', token: { scope: 'Wiki.Read' } }
    assert.equal(allows(listener, ci), true)
    assert.deepEqual(ask(listener, { ...ci, host: 'wiki.example' }), { allowed: false, filter: FILTERS.tokens, policy: undefined })
  })

  test('18 numbers and truth values are no texts', () => {
    const made = emitted(ROLES + rule('[senior, vip]'))
    assert.equal(allows(made, { token: { level: 5 } }), true)
    for (const token of [{ level: '5' }, { level: [5] }, { vip: 'true' }, { vip: 1 }])
      assert.equal(allows(made, { token }), false, JSON.stringify(token))
  })

  test('19 what is larger than a store takes is refused whole', () => {
    const many = Array.from(
      { length: 4000 },
      (_, index) => `  - { id: r${index}, role: admin, resource: orders, actions: ['GET /x${index}/**'] }`,
    )
    const { policy } = load(`${ROLES}rules:\n${many.join('\n')}\n`)
    const { documents, diagnostics } = compiled({ policy: policy!, issuers, config: alone() })
    assert.deepEqual(documents, [])
    assert.match(diagnostics[0]!.message, /its document would have \d+ bytes/)
    assert.equal(diagnostics[0]!.severity, 'error')
  })

  test('20 a token that leaves its groups out is not let in', () => {
    const guard = "guardrails: [{ id: g, for: [contractor], resource: orders, deny: ['* /**'] }]\n"
    const made = emitted(`${ROLES}${rule('authenticated')}${guard}`)
    assert.equal(allows(made, { token: { _claim_names: { groups: 'src1' } } }), false)
  })

  test('23 a field that a version does not know is refused before it is dropped, and a patch that matches nothing does nothing', () => {
    const [patch] = documentsOf(ROLES + rule('admin'))
    const at = { version: '3.0', mode: 'universal' } as const
    assert.deepEqual(documentProblems(patch!, at), [])
    const spec = patch!['spec'] as Json
    const wrong = (more: object): readonly string[] => documentProblems({ ...patch, spec: { ...spec, ...more } }, at)
    assert.match(wrong({ targetRef: { kind: 'MeshSubset', tags: {} } }).join(), /targetRef/)
    assert.match(wrong({ targetRef: { kind: 'Dataplane', name: 'x' } }).join(), /targetRef/)
    assert.match(wrong({ conf: {} }).join(), /conf/)
    assert.deepEqual(
      documentProblems({ ...patch, spec: { ...spec, targetRef: { kind: 'Dataplane', name: 'x' } } }, { ...at, version: '2.14' }),
      [],
    )
    assert.match(documentProblems({ ...patch, type: 'ProxyTemplate' }, at).join(), /`ProxyTemplate` is not known/)
    assert.match(documentProblems({ ...patch, type: 'constructor' }, at).join(), /is not known/)
    // Without its router, a chain keeps what it had: looking at what dataplanes run is what finds that out.
    const bare = plainInbound({ port: 8000, service: 's', protocol: 'http', transports: [undefined] })
    const renamed = JSON.parse(JSON.stringify(bare).replace('"envoy.filters.http.router"', '"other"')) as Json
    const [listener] = translateKuma([patch!], { mesh: 'default', labels: LABELS }, [{ port: 8000, listener: renamed }]).listeners
    assert.doesNotMatch(JSON.stringify(listener), /ostiary\.rules/)
    assert.equal(allows(listener!, {}), true)
  })

  test('25 what takes away is applied first, and one document holds what verifies, admits and grants', () => {
    const documents = documentsOf(ROLES + rule('admin'), alone({ peers: [{ exact: WEB }], strictTls: true }, { logs: { backend: 'otel' } }))
    assert.deepEqual(
      documents.map(({ type }) => type),
      ['MeshTLS', 'MeshProxyPatch', 'MeshTrafficPermission', 'MeshAccessLog'],
    )
    const names = values(documents, 'httpFilter').map(({ name }) => name)
    assert.deepEqual(names, [PEERS_FILTER, FILTERS.tokens, FILTERS.callers, FILTERS.guardrails, FILTERS.rules, HEADERS_FILTER])
    // They come and go together. Should one that verifies or admits be missing all the same, the others deny.
    const listener = inboundOf(documents, { transports: [MESH_TLS] })
    for (const lost of [FILTERS.tokens, FILTERS.callers]) {
      const text = JSON.stringify(values(documents, 'httpFilter').find(({ name }) => name === lost))
      const without = JSON.parse(JSON.stringify(listener).replace(text, '{"name":"gone","typedConfig":{"@type":"none"}}')) as Json
      assert.notDeepEqual(without, listener)
      for (const call of [{}, { token: { groups: ['admins'] } }])
        if (lost === FILTERS.tokens || !('token' in call)) assert.equal(allows(without, { ...call, peer: [WEB] }), false, lost)
    }
  })

  test('26 keys are public and asymmetric, and none is an error where issuers were asked', () => {
    const { policy } = load(ROLES + rule('admin'))
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const told = (keys: readonly unknown[] | undefined): string => {
      const text = JSON.stringify({ keys })
      const sets = keys === undefined ? undefined : new Map([...issuers.keys()].map((name) => [name, text]))
      const { diagnostics, documents } = compiled({ policy: policy!, config: alone(), issuers, keys: sets })
      assert.equal(documents.length === 0, diagnostics.length > 0)
      return diagnostics.map(({ message }) => message).join('\n')
    }
    assert.match(told([{ kty: 'oct', k: 'c2VjcmV0' }]), /not all that came are public/)
    assert.match(told([privateKey.export({ format: 'jwk' }) as JsonObject]), /not all that came are public/)
    assert.match(told([]), /none came when it was asked/)
    assert.equal(told(undefined), '')
    const { documents, residues } = compiled({ policy: policy!, config: alone(), issuers, keys: undefined })
    // Envoy would take no filter with an empty set of keys.
    assert.match(
      JSON.stringify(values(documents, 'httpFilter')),
      /"providers":\{\},"rules":\[\{"match":.*"requires":\{"allowMissing":\{\}\}/,
    )
    const listener = inboundOf(documents)
    for (const call of [{ token: { groups: ['admins'] } }, { authorization: 'Bearer a.b.c' }]) assert.equal(allows(listener, call), false)
    assert.ok(residues.some(({ effect, text }) => effect === 'narrower' && /every token: it was compiled without keys/.test(text)))
  })

  test('27 the skew is thirty seconds, a token has an end, and lives no longer than its issuer may make it', () => {
    const documents = documentsOf(ROLES + rule('authenticated'))
    assert.match(JSON.stringify(values(documents, 'httpFilter')), /"requireExpiration":true,"clockSkewSeconds":30/)
    const made = inboundOf(documents)
    const seconds = NOW / 1000
    assert.equal(allows(made, { token: { iat: seconds + 31, exp: seconds + 60 } }), false)
    assert.equal(allows(made, { token: { exp: seconds + 3601 } }), false)
    const wiring = wiringOf({ orders: { hosts: ['orders.example'], maxTokenLifetime: 600_000 } })
    const short = inboundOf(documentsOf(ROLES + rule('authenticated'), alone(), { wiring }))
    assert.equal(allows(short, { token: { exp: seconds + 600 } }), true)
    assert.equal(allows(short, { token: { exp: seconds + 601 } }), false)
  })

  test('28 a request’s headers and life are bounded', () => {
    const [manager] = values(documentsOf(ROLES + rule('admin'), alone({}, { maxDuration: '10m' })), 'networkFilter')
    const { commonHttpProtocolOptions: options, streamIdleTimeout } = manager!['typedConfig'] as {
      readonly commonHttpProtocolOptions: Json
      readonly streamIdleTimeout: string
    }
    assert.deepEqual([options['maxHeadersCount'], options['maxStreamDuration'], streamIdleTimeout], [100, '600s', '300s'])
  })
})
