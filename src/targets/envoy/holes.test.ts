/** The holes that a naive compilation opens, each by its number: what is emitted has to close it. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { declaredClaims } from '../../identity/claims.ts'
import { readKey, type VerificationKey } from '../../identity/jose/jwk.ts'
import { jwksOf, signingFor } from '../../identity/nativekeys.ts'
import { oidcClaims } from '../../identity/oidc/claims.ts'
import { nativeOidc } from '../../identity/oidc/native.ts'
import { all } from '../../core/token.ts'
import type { NativeScopes } from '../../policy/native/native.ts'
import { compileNative } from '../../policy/native/compile.ts'
import { load, NOW } from '../../policy/testdata/world.ts'
import type { JsonObject } from '../../identity/jose/json.ts'
import { CANONICAL_PATH } from '../../envoy/policies.ts'
import { asStatic, emitEnvoy, FILTERS, type EnvoyConfiguration } from './emit.ts'
import { evaluateEnvoy, type Evaluated } from '../../envoy/evaluate.ts'
import { regexes } from '../../testing/regexes.ts'

const CLAIMS = {
  level: 'number',
  rank: 'number',
  vip: 'boolean',
  department: 'string',
  repository: 'string',
  groups: 'list',
  roles: 'list',
} as const
function issuer(name: string) {
  return nativeOidc({
    name,
    iss: `https://${name}.example`,
    audiences: ['api'],
    algorithms: ['ES256', 'RS256'],
    clients: [],
    agents: [],
    declared: declaredClaims(oidcClaims, CLAIMS),
    maxLifetime: 3_600_000,
    type: { pattern: 'at\\+jwt', absent: false },
    client: { claim: 'client_id', when: 'always' },
    appOnly: 'by-subject',
  })
}
const issuers = new Map([
  ['entra', [issuer('entra')]],
  ['ci', [issuer('ci')]],
])

function emitted(
  policyText: string,
  known = issuers,
  scope?: NativeScopes['scopes'][number],
  keys: ReadonlyMap<string, string> = new Map(),
): EnvoyConfiguration {
  const { policy, diagnostics } = load(policyText)
  assert.ok(policy !== undefined, JSON.stringify(diagnostics))
  const { native, refused } = compileNative({ model: policy.model, resource: 'orders', issuers: known })
  assert.deepEqual(refused, [])
  const upstream = { host: '127.0.0.1', port: 9, tls: undefined, http2: false, connectTimeout: 1000 }
  const capped = new Map([...known].flatMap(([, forms]) => forms.map((one) => [one.form, one.capped] as const)))
  const scopes = scope === undefined ? native.scopes : { capped, scopes: [scope] }
  const resource = { native: { ...native, scopes }, hosts: ['orders.example'], upstream, websocket: false, forwardAuthorization: false }
  return emitEnvoy({
    name: 'edge',
    address: { host: '127.0.0.1', port: 1 },
    resources: [resource],
    keys,
    tls: undefined,
    logs: undefined,
  })
}

interface Call {
  readonly method?: string
  readonly path?: string
  readonly token?: Readonly<Record<string, unknown>>
  readonly iss?: string
  readonly header?: Readonly<Record<string, unknown>>
  readonly authorization?: string | undefined
}

function ask(
  { routes, extensions }: EnvoyConfiguration,
  { method = 'GET', path = '/a', token, iss = 'https://entra.example', header = {}, ...more }: Call,
): Evaluated {
  const seconds = NOW / 1000
  const verified = token && {
    header: { alg: 'ES256', kid: 'k', typ: 'at+jwt', ...header },
    payload: { iss, aud: 'api', sub: 's', client_id: 'c', iat: seconds, exp: seconds + 300, ...token },
  }
  const authorization = 'authorization' in more ? more.authorization : token && 'Bearer a.b.c'
  return evaluateEnvoy(
    routes[0]!,
    [FILTERS.callers, FILTERS.guardrails, FILTERS.rules],
    { host: 'orders.example', method, path, authorization, token: verified, time: NOW },
    regexes,
    extensions,
  )
}

const allows = (made: EnvoyConfiguration, call: Call): boolean => ask(made, call).allowed

const OPEN = "rules: [{ id: open, role: everyone, resource: orders, actions: ['GET /**'] }]"
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

describe('holes', () => {
  test('1 tokens may be missing, and who has none is nobody', () => {
    const made = emitted(ROLES + rule('authenticated'))
    assert.equal(allows(made, { token: {} }), true)
    assert.equal(allows(made, {}), false)
  })

  test('2 without any rule, and wherever no route says anything, everything is denied', () => {
    const made = emitted(ROLES)
    assert.equal(allows(made, { token: { groups: ['admins'] } }), false)
    assert.equal(allows(made, {}), false)
    const filters = JSON.stringify(made.listeners)
    // Whom the first filter lets in comes apart, and is for routes alone that name it.
    assert.match(
      filters,
      /"name":"ostiary\.callers","configDiscovery":\{"configSource":\{"ads":\{\},"resourceApiVersion":"V3","initialFetchTimeout":"0s"\}/,
    )
    const nowhere: EnvoyConfiguration = JSON.parse(
      JSON.stringify(emitted(OPEN)).replaceAll(/"metadata":\{[^}]*\}{3},?/g, ''),
    ) as EnvoyConfiguration
    assert.equal(allows(emitted(OPEN), {}), true)
    assert.deepEqual(ask(nowhere, {}), { allowed: false, filter: FILTERS.callers, policy: undefined })
    assert.match(filters, /"name":"ostiary\.rules","typedConfig":\{"@type":"[^"]+","rules":\{\}\}/)
    assert.match(filters, /"name":"ostiary\.guardrails","typedConfig":\{"@type":"[^"]+","rules":\{"action":"DENY","policies":\{"no-policy"/)
  })

  test('3 what is not matches neither nobody nor what can not be told', () => {
    const made = emitted(ROLES + rule('staff'))
    assert.equal(allows(made, { token: { groups: ['a'] } }), true)
    assert.equal(allows(made, { token: {} }), true)
    for (const call of [
      {},
      { token: { groups: ['guests'] } },
      { token: { groups: 'guests' } },
      { token: { groups: 'a' } },
      { token: { groups: { guests: 1 } } },
      { token: { groups: null } },
      { iss: 'https://ci.example', token: {} },
    ])
      assert.equal(allows(made, call), false, JSON.stringify(call))
  })

  test('4 no guardrail is evaded by another type of the claim, or by another issuer’s token', () => {
    const guard = "guardrails: [{ id: g, for: [contractor], resource: orders, deny: ['* /**'] }]\n"
    const made = emitted(`${ROLES}${rule('[authenticated]')}${guard}`)
    assert.equal(allows(made, { token: { groups: ['a'] } }), true)
    assert.deepEqual(ask(made, { token: { groups: ['contractors'] } }), { allowed: false, filter: FILTERS.guardrails, policy: 'g@entra' })
    for (const groups of ['contractors', { a: 'contractors' }, null, 5])
      assert.equal(allows(made, { token: { groups } }), false, JSON.stringify(groups))
    assert.equal(allows(made, { token: { groups: ['contractors', 5, {}] } }), false)
  })

  test('5 a condition that fails never lets through', () => {
    const made = emitted(`${ROLES}${rule('authenticated', "['* /**']", ', when: "claims.level > 2.0 || claims.department != \'x\'"')}`)
    assert.equal(allows(made, { token: { level: 3 } }), true)
    assert.equal(allows(made, { token: { department: 'y' } }), true)
    for (const token of [{}, { level: '3' }, { level: null }, { department: 5 }, { department: 'x' }])
      assert.equal(allows(made, { token }), false, JSON.stringify(token))
    assert.equal(allows(made, {}), false)
  })

  test('6 a path has one spelling, and every other is refused', () => {
    for (const path of ['/a', '/a/b', '/a%20b', '/%E4', '/a;b=c', '/a:b', '/']) assert.ok(regexes.wholly(CANONICAL_PATH, path), path)
    for (const path of [
      '/%61',
      '/a%2Fb',
      '/a%2fb',
      '/a%5Cb',
      '/a%00',
      '/a%3a',
      '/a%3A',
      '/a%e4',
      '/a%7F',
      '/a|b',
      '/a b',
      '/ä',
      '/a"',
      '/a%',
      '/a%zz',
      'a',
    ])
      assert.ok(!regexes.wholly(CANONICAL_PATH, path), path)
    const made = emitted(ROLES + rule('everyone', "['GET /**']"))
    assert.equal(allows(made, { path: '/a' }), true)
    assert.equal(allows(made, { path: '/a%3Ab' }), false)
    assert.equal(allows(made, { method: 'get' }), false)
    const manager = JSON.stringify(made.listeners)
    for (const setting of [
      '"normalizePath":true',
      '"mergeSlashes":true',
      '"pathWithEscapedSlashesAction":"REJECT_REQUEST"',
      '"stripAnyHostPort":true',
      '"stripTrailingHostDot":true',
      '"headersWithUnderscoresAction":"REJECT_REQUEST"',
    ])
      assert.ok(manager.includes(setting), setting)
  })

  test('7 a prefix ends at a slash', () => {
    const made = emitted(ROLES + rule('everyone', "['GET /admin/**']"))
    assert.equal(allows(made, { path: '/admin/x' }), true)
    assert.equal(allows(made, { path: '/admin/' }), true)
    for (const path of ['/admin', '/administrator', '/admin.x', '/admin;/x']) assert.equal(allows(made, { path }), false, path)
  })

  test('8 what has a meaning in patterns stands for itself', () => {
    const made = emitted(ROLES + rule('everyone', "['GET /a.b/{x}/c+d', 'GET /e.f']"))
    assert.equal(allows(made, { path: '/a.b/1/c+d' }), true)
    for (const path of ['/aXb/1/c+d', '/a.b/1/ccd', '/a.b/1/2/c+d', '/a.b//c+d', '/eXf']) assert.equal(allows(made, { path }), false, path)
    const values = emitted(ROLES.replace('[admins]', "['a.*']") + rule('admin'))
    assert.equal(allows(values, { token: { groups: ['a.*'] } }), true)
    assert.equal(allows(values, { token: { groups: ['abc'] } }), false)
  })

  test('15 a token is looked for in one place, and there is one of them', () => {
    const made = emitted(ROLES + rule('everyone'))
    assert.match(JSON.stringify(made.extensions), /"fromHeaders":\[\{"name":"authorization","valuePrefix":"Bearer "\}\]/)
    assert.equal(allows(made, {}), true)
    for (const authorization of ['bearer a.b.c', 'Basic YTpi', 'DPoP a.b.c', ''])
      assert.equal(allows(made, { authorization }), false, authorization)
    assert.equal(allows(made, { token: {}, authorization: 'Bearer a.b.c,Bearer d.e.f' }), false)
  })

  test('16 an issuer without an audience is no issuer', () => {
    const { policy } = load(ROLES + rule('admin'))
    const { native } = compileNative({
      model: policy!.model,
      resource: 'orders',
      issuers: new Map([['entra', [{ ...issuer('entra'), audiences: [] }]]]),
    })
    const upstream = { host: '127.0.0.1', port: 9, tls: undefined, http2: false, connectTimeout: 1000 }
    const resource = { native, hosts: ['orders.example'], upstream, websocket: false, forwardAuthorization: false }
    assert.throws(
      () =>
        emitEnvoy({ name: 'e', address: { host: '::', port: 1 }, resources: [resource], keys: new Map(), tls: undefined, logs: undefined }),
      /no audience/,
    )
    assert.match(JSON.stringify(emitted(ROLES + rule('admin')).extensions), /"audiences":\["api"\]/)
  })

  test('17 a group is one of its issuer', () => {
    const made = emitted(ROLES + rule('admin'))
    assert.equal(allows(made, { token: { groups: ['admins'] } }), true)
    assert.equal(allows(made, { iss: 'https://ci.example', token: { groups: ['admins'] } }), false)
    assert.equal(allows(made, { iss: 'https://other.example', token: { groups: ['admins'] } }), false)
  })

  test('18 numbers and truth values are no texts', () => {
    const made = emitted(ROLES + rule('[senior, vip]'))
    assert.equal(allows(made, { token: { level: 5 } }), true)
    assert.equal(allows(made, { token: { vip: true } }), true)
    for (const token of [{ level: '5' }, { level: 5.5 }, { level: [5] }, { vip: 'true' }, { vip: 1 }, { vip: false }])
      assert.equal(allows(made, { token }), false, JSON.stringify(token))
  })

  test('20 a token that leaves its groups out is not let in', () => {
    const guard = "guardrails: [{ id: g, for: [contractor], resource: orders, deny: ['* /**'] }]\n"
    const made = emitted(`${ROLES}${rule('authenticated')}${guard}`)
    assert.equal(allows(made, { token: { _claim_names: { groups: 'src1' } } }), false)
  })

  test('25 what verifies, what admits and what grants each deny while they have not been told what to do', () => {
    const made = emitted(ROLES + rule('everyone'))
    const text = JSON.stringify(made.listeners)
    assert.match(
      text,
      /"name":"ostiary\.jwt_authn","configDiscovery":\{"configSource":\{"ads":\{\},"resourceApiVersion":"V3","initialFetchTimeout":"0s"\}/,
    )
    assert.doesNotMatch(text, /defaultConfig|applyDefaultConfigWithoutWarming/)
    // The policies come with the routes: without them nothing is routed either.
    assert.match(text, /"scopedRds":/)
    assert.doesNotMatch(JSON.stringify(asStatic(made)), /"ads"/)
  })

  test('26 keys are public, asymmetric, and of the algorithms that are accepted', () => {
    const rsa = key(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }) as JsonObject, 'r')
    const ec = key(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) as JsonObject, 'e')
    const foreign = { ...rsa, kid: 'f', issuer: 'https://other.example' }
    const set = JSON.parse(jwksOf(signingFor('https://entra.example', [rsa, ec, foreign]), ['ES256', 'RS256', 'HS256'])) as {
      readonly keys: readonly Readonly<Record<string, unknown>>[]
    }
    assert.deepEqual(
      set.keys.map(({ kid, alg, kty }) => [kid, alg, kty]),
      [
        ['e', 'ES256', 'EC'],
        ['r', 'RS256', 'RSA'],
      ],
    )
    for (const one of set.keys) for (const secret of ['d', 'k', 'p', 'q']) assert.equal(secret in one, false)
    assert.match(JSON.stringify(emitted(ROLES).extensions), /"inlineString":"\{\\"keys\\":\[\]\}"/)
  })

  test('27 the skew is thirty seconds, a token has an end, and lives no longer than its issuer may make it', () => {
    const made = emitted(ROLES + rule('authenticated'))
    assert.match(JSON.stringify(made.extensions), /"requireExpiration":true,"clockSkewSeconds":30/)
    const seconds = NOW / 1000
    assert.equal(allows(made, { token: { iat: seconds + 30, exp: seconds + 60 } }), true)
    assert.equal(allows(made, { token: { iat: seconds + 31, exp: seconds + 60 } }), false)
    assert.equal(allows(made, { token: { exp: seconds + 3600 } }), true)
    assert.equal(allows(made, { token: { exp: seconds + 3601 } }), false)
    assert.equal(allows(made, { token: { exp: undefined } }), false)
  })
})

test('an issuer that has no key any more is left out, because Envoy would go on with those that it had', () => {
  const none = '{"keys":[]}'
  const [extension] = emitted(
    ROLES,
    issuers,
    undefined,
    new Map([
      ['entra', none],
      ['ci', '{"keys":[{"kid":"a"}]}'],
    ]),
  ).extensions
  const { providers, requirementMap } = extension!['typedConfig'] as Record<string, unknown>
  assert.deepEqual(Object.keys(providers as object), ['ci'])
  assert.deepEqual(requirementMap, { orders: { requiresAny: { requirements: [{ providerName: 'ci' }, { allowMissing: {} }] } } })
})

test('no guardrail can take the name of what caps by scopes, and none is lost by its name', () => {
  const capped = { ...issuer('entra'), capped: all() }
  const made = emitted(
    `${ROLES}${rule('authenticated')}guardrails: [{ id: scope, for: [everyone], resource: orders, deny: [GET /b] }]\n`,
    new Map([...issuers, ['entra', [capped]]]),
    { scope: 's', patterns: [], has: new Map() },
  )
  const names = [...JSON.stringify(made.routes).matchAll(/"(\(?scope\)?@entra)":/g)].map(([, name]) => name)
  assert.deepEqual(names, ['scope@entra', '(scope)@entra'])
  assert.equal(ask(made, { token: {} }).policy, '(scope)@entra')
})

function key(jwk: JsonObject, kid: string): VerificationKey {
  return readKey({ ...jwk, kid, use: 'sig' })!
}
