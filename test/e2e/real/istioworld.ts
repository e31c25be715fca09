/** Istio's resources, as people write them, and random requests to workloads that have them. */
import * as fc from 'fast-check'
import { BEARER, type Place } from '../../../src/targets/istio/translate/tokens.ts'
import type { PathNormalization, Workload } from '../../../src/targets/istio/translate/mesh.ts'
import type { JsonObject } from '../../../src/testing/tokens.ts'

export const AUDIENCE = 'orders-api'
export const PEOPLE = 'https://people.example/realm'
export const SERVICES = 'services'

export interface World {
  readonly name: string
  /** `PORT` stands for that of the listener. */
  readonly resources: string
  readonly normalization?: PathNormalization
  readonly workload?: Partial<Workload>
  readonly isTls?: true
  /** Whether what is asked is asked about requests; it says yes to those with the field `x-kind: a` alone. */
  readonly isAsking?: true
}

const META = (kind: string, name: string): string =>
  `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: shop}\nspec:\n`
const policy = (name: string, spec: string): string => `${META('AuthorizationPolicy', name)}${spec.replaceAll(/^/gm, '  ')}\n---\n`
const authentication = (name: string, rules: string): string =>
  `${META('RequestAuthentication', name)}  jwtRules:\n${rules.replaceAll(/^/gm, '  ')}\n---\n`

const people = authentication('people', `- {issuer: "${PEOPLE}", audiences: [${AUDIENCE}], jwksUri: "https://people.example/keys"}`)
const both = authentication(
  'both',
  `- {issuer: "${PEOPLE}", audiences: [${AUDIENCE}], jwksUri: "https://people.example/keys"}\n- {issuer: ${SERVICES}, audiences: [${AUDIENCE}, other-api], jwksUri: "https://services.example/keys"}`,
)
const readers = policy(
  'readers',
  `action: ALLOW
rules:
- from: [{source: {requestPrincipals: ["*"]}}]
  to: [{operation: {hosts: ["orders.example", "*.orders.example"], methods: [GET, HEAD], paths: ["/orders", "/orders/*", "*/public", "/v1/{*}/items/{**}"]}}]
  when:
  - {key: "request.auth.claims[iss]", values: ["${PEOPLE}"]}
  - {key: "request.auth.claims[groups]", values: [readers, "admin*"]}
- to: [{operation: {methods: [GET], paths: ["/healthz"]}}]`,
)
const noAdmin = policy(
  'no-admin',
  `action: DENY
rules:
- to: [{operation: {paths: ["/orders/admin", "/orders/admin/*"]}}]
  when: [{key: "request.auth.claims[groups]", notValues: [admins]}]`,
)

const PEER_RULES = `rules:
- from: [{source: {principals: ["cluster.local/ns/shop/sa/web", "*/sa/suffix", "old.local/ns/a*"]}}]
- from: [{source: {namespaces: ["billing", "team-*"], notPrincipals: ["*/sa/robot"]}}]
  to: [{operation: {methods: [GET]}}]
- from: [{source: {serviceAccounts: ["jobs/nightly", "local.one"]}}]
  to: [{operation: {methods: [POST]}}]
- from: [{source: {trustDomains: ["other.*", "cluster.local"], notNamespaces: ["*"]}}, {source: {ipBlocks: [10.0.0.0/8]}}]
- when: [{key: connection.sni, values: ["*.special.example"]}, {key: source.principal, values: ["*"]}]`

export const WORLDS: readonly World[] = [
  ...(['DEFAULT', 'NONE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'] as const).map((normalization) => ({
    name: `readers-${normalization}`,
    resources: people + readers + noAdmin,
    normalization,
  })),
  { name: 'edge', resources: people + readers + noAdmin, workload: { kind: 'gateway', isEdge: true } },
  { name: 'tokens-alone', resources: people },
  { name: 'two-tokens-alone', resources: both },
  { name: 'allow-nothing', resources: both + policy('nothing', '{}') },
  {
    name: 'no-anonymous',
    resources: both + policy('known', 'action: DENY\nrules: [{from: [{source: {notRequestPrincipals: ["*"]}}]}]'),
  },
  {
    name: 'two-issuers',
    resources:
      both +
      policy(
        'either',
        `rules:
- from: [{source: {requestPrincipals: ["${PEOPLE}/reader-1", "${SERVICES}/*", "*/robot"]}}]
- from: [{source: {requestPrincipals: ["https://people*"]}}]
  to: [{operation: {methods: ["P*"]}}]
- when: [{key: request.auth.presenter, values: [web]}, {key: request.auth.audiences, values: [other-api]}]`,
      ),
  },
  {
    name: 'places',
    resources:
      authentication(
        'places',
        `- {issuer: "${PEOPLE}", jwksUri: "https://people.example/keys", fromHeaders: [{name: x-token}, {name: Authorization, prefix: "Bearer "}], fromParams: [token], forwardOriginalToken: true, outputClaimToHeaders: [{header: x-department, claim: department}, {header: x-team, claim: realm.team}]}\n- {issuer: ${SERVICES}, jwksUri: "https://services.example/keys", fromCookies: [session], fromParams: [service], outputClaimToHeaders: [{header: x-level, claim: level}]}`,
      ) +
      policy(
        'by-header',
        `rules:
- when: [{key: "request.headers[x-department]", values: ["a*", b]}]
- when: [{key: "request.headers[X-Level]", values: ["2", "2.5"]}]
- when: [{key: "request.headers[x-team]", values: ["*"]}, {key: "request.headers[authorization]", values: ["*"]}]
- when: [{key: "request.headers[x-token]", notValues: ["*"]}, {key: request.auth.principal, values: ["*"]}]`,
      ),
  },
  {
    name: 'claims',
    resources:
      authentication('wide', `- {issuer: "${PEOPLE}", jwksUri: "https://people.example/keys", spaceDelimitedClaims: [roles]}`) +
      policy(
        'by-claim',
        `rules:
- to: [{operation: {methods: [GET]}}]
  when: [{key: "request.auth.claims[realm][team]", values: ["*", blue]}]
- to: [{operation: {methods: [POST]}}]
  when: [{key: "request.auth.claims[https://example.com/site.name]", values: ["*-suffix", a]}]
- to: [{operation: {methods: [PUT]}}]
  when: [{key: "request.auth.claims[scope]", values: [orders.read]}]
- to: [{operation: {methods: [DELETE]}}]
  when: [{key: "request.auth.claims[roles]", values: [x]}, {key: "request.auth.claims[scope]", notValues: [orders.write]}]
- to: [{operation: {methods: [PATCH]}}]
  when: [{key: "request.auth.claims[level]", values: ["2"]}]
- to: [{operation: {methods: [OPTIONS]}}]
  when: [{key: "request.auth.claims[staff]", values: ["true"]}]
- to: [{operation: {methods: [HEAD]}}]
  when: [{key: "request.auth.claims[groups]", notValues: ["*"]}]`,
      ),
  },
  {
    name: 'negations',
    resources:
      people +
      policy(
        'except',
        `rules:
- from: [{source: {notRequestPrincipals: ["*/robot"]}}]
  to: [{operation: {notMethods: [DELETE, "P*"], notPaths: ["/orders/admin*", "*.key", "/v1/{**}"], notHosts: ["internal.example", "*.internal.example"]}}]`,
      ) +
      policy(
        'deny-robots',
        'action: DENY\nrules: [{when: [{key: "request.headers[user-agent]", values: ["*bot", "*"], notValues: [nice-bot]}]}]',
      ),
  },
  {
    name: 'fields',
    resources:
      policy(
        'by-field',
        `rules:
- when: [{key: "request.headers[X-Kind]", values: [a, "*-b"]}]
- when: [{key: "request.headers[user-agent]", values: [nice-bot]}, {key: "request.headers[x-kind]", notValues: ["c*"]}]
- when: [{key: "request.headers[:path]", values: ["*?x=/public"]}, {key: "request.headers[Host]", values: ["orders.example"]}]
- when: [{key: "request.headers[x-empty]", values: ["*"]}]
- when: [{key: "request.headers[authorization]", values: ["Basic*", "*x"]}]`,
      ) + policy('no-kind', 'action: DENY\nrules: [{when: [{key: "request.headers[x-kind]", values: ["c*"]}]}]'),
  },
  {
    name: 'tried',
    resources:
      people +
      policy('audited', 'action: AUDIT\nrules: [{}]') +
      policy('tried', 'action: DENY\nrules: [{}]').replace(
        'namespace: shop}',
        'namespace: shop, annotations: {"istio.io/dry-run": "true"}}',
      ) +
      policy(
        'open',
        'rules: [{to: [{operation: {ports: ["PORT"], notPorts: ["1"]}}], from: [{source: {ipBlocks: [127.0.0.0/8], notIpBlocks: [127.0.0.2]}}]}]',
      ) +
      policy('far', 'action: DENY\nrules: [{from: [{source: {remoteIpBlocks: [10.0.0.0/8, "2001:db8::/32"]}}]}]'),
  },
  {
    name: 'peers',
    isTls: true,
    resources:
      both +
      policy('peers', PEER_RULES) +
      policy(
        'no-strangers',
        'action: DENY\nrules: [{from: [{source: {notTrustDomains: ["*"], notRequestPrincipals: ["*"]}}], to: [{operation: {paths: ["/orders*"]}}]}]',
      ),
  },
]

const GATEWAY = 'gateway.networking.k8s.io'
const TARGET = `targetRefs: [{group: ${GATEWAY}, kind: Gateway, name: shop}]`
/** Those whose resources have to be other for another kind of proxy. */
export const MORE: readonly World[] = [
  {
    name: 'waypoint',
    isTls: true,
    workload: { kind: 'waypoint', labels: { [`${GATEWAY}/gateway-name`]: 'shop' } },
    resources:
      both.replaceAll('spec:\n', `spec:\n  ${TARGET}\n`) +
      policy('not-for-it', 'rules: []') +
      policy('peers', `${TARGET}\n${PEER_RULES}`) +
      policy('no-strangers', `${TARGET}\naction: DENY\nrules: [{from: [{source: {notTrustDomains: ["*"], notRequestPrincipals: ["*"]}}]}]`),
  },
  {
    name: 'one-issuer-twice',
    resources:
      authentication(
        'twice',
        `- {issuer: "${PEOPLE}", audiences: [${AUDIENCE}], jwksUri: "https://people.example/keys"}\n- {issuer: "${PEOPLE}", audiences: [other-api], jwksUri: "https://people.example/keys"}`,
      ) + policy('known', 'rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]'),
  },
  {
    name: 'asking',
    isAsking: true,
    resources:
      people +
      policy(
        'asked',
        `action: CUSTOM
provider: {name: authz}
rules:
- to: [{operation: {paths: ["/orders*"], notMethods: [GET]}}]
- when: [{key: "request.headers[authorization]", notValues: ["*"]}, {key: "request.headers[user-agent]", values: ["*"]}]`,
      ) +
      policy(
        'tried',
        'action: CUSTOM\nprovider: {name: authz}\nrules: [{to: [{operation: {methods: [PURGE], paths: ["/v1/*"]}}]}]',
      ).replace('namespace: shop}', 'namespace: shop, annotations: {"istio.io/dry-run": "true"}}') +
      policy('bad', 'action: DENY\nrules: [{to: [{operation: {paths: ["*.key"]}}]}]'),
  },
  {
    name: 'asking-nobody',
    resources: people + policy('asked', 'action: CUSTOM\nprovider: {name: nobody}\nrules: [{to: [{operation: {paths: ["/orders*"]}}]}]'),
  },
]

const ABSENT = Symbol('absent')
const ODD = [null, 5, {}, [], '', true, [['a']], { a: 'a' }, 'a b', ' ', 'a  b']
function mostly(usual: readonly unknown[], unusual: readonly unknown[] = ODD): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: fc.constantFrom(...unusual) })
}

const claims = fc
  .record({
    iss: mostly([PEOPLE, PEOPLE, PEOPLE, SERVICES, SERVICES], [ABSENT, 'https://elsewhere.example', 5, '', `${PEOPLE}/`]),
    sub: mostly(['reader-1', 'reader-1', 'robot', 'a/robot', ABSENT], ['', 5]),
    aud: mostly(
      [AUDIENCE, [AUDIENCE], ['x', AUDIENCE], 'other-api', ['other-api', AUDIENCE]],
      [ABSENT, [], 5, 'x', `https://${AUDIENCE}/`, [5]],
    ),
    azp: mostly([ABSENT, 'web'], [['web'], 5]),
    groups: mostly([ABSENT, ['readers'], ['x', 'admins'], 'readers', 'admins', ['admins', 'readers']]),
    realm: mostly([ABSENT, { team: 'blue' }, { team: ['blue'] }, { team: '' }, {}], ['x', [{ team: 'blue' }], null]),
    'https://example.com/site.name': mostly([ABSENT, 'a', 'b-suffix', ['x', 'c-suffix']]),
    scope: mostly([ABSENT, 'orders.read', 'x orders.read', 'orders.read orders.write', ' orders.read '], [['orders.read'], '', ' ', 5]),
    roles: mostly([ABSENT, 'x', 'y x', ['x'], 'xy']),
    level: mostly([ABSENT, 2, '2', 2.5, [2]]),
    department: mostly([ABSENT, 'a', 'abc', 'b', 'c', ['a']]),
    staff: mostly([ABSENT, true, 'true']),
    exp: mostly(['+300', '+300', '+300', '+300', '-30'], [ABSENT, '-90', 'text']),
    nbf: mostly([ABSENT, ABSENT, ABSENT, '-5', '+30'], ['+90']),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ABSENT)) as JsonObject)

export interface ShownInWorld {
  readonly at: Place
  readonly claims: JsonObject
  readonly how: 'good' | 'stranger' | 'malformed' | 'alien'
}

const PLACES: readonly Place[] = [
  BEARER,
  { kind: 'param', name: 'access_token' },
  { kind: 'header', name: 'x-token', prefix: '' },
  { kind: 'param', name: 'token' },
  { kind: 'param', name: 'service' },
  { kind: 'cookie', name: 'session' },
]
const token: fc.Arbitrary<ShownInWorld> = fc.record({
  at: fc.oneof({ weight: 5, arbitrary: fc.constant(BEARER) }, { weight: 5, arbitrary: fc.constantFrom(...PLACES) }),
  claims,
  how: fc.oneof(
    { weight: 12, arbitrary: fc.constant('good' as const) },
    { weight: 1, arbitrary: fc.constantFrom('stranger' as const, 'malformed' as const, 'alien' as const) },
  ),
})

const PATHS = [
  '/orders', '/orders/7', '/orders/', '/ordersx', '/orders/admin', '/orders/admin/x', '/orders/administrator', '/x/public', '/public',
  '/v1/a/items/', '/v1/a/items', '/v1/a/items/b/c', '/v1//items/b', '/v1/a/b/items/c', '/v1/a%2Fb/items/c', '/healthz', '/', '/a.key', '/a.key?x=/public',
  '//orders', '/x/../orders', '/./orders', '/%6frders', '/%6Frders/7', '/orders%2F7', '/orders%2fadmin', '/orders/%2e%2e/orders/admin', '/orders/..%2forders/admin', '/ORDERS', '/orders;a=b', '/orders.', '/%256frders', '/orders%00', '/orders//admin', '/orders/x//../admin',
  '/orders\\admin', '/orders%5cadmin', '/orders#x', '/orders/admin#/public', '/orders?q=1', '/orders/a?b?c', '/orders/%zz', '/orders/%', "/orders/'", '/orders/|', '/orders/{x}', '/orders/[x]', '/orders/^', '/orders/`', '/orders/"', '/orders/<x>', '/orders/~', '/orders/%7E', '/orders/%41%2d', '/..', '/../orders', '/orders/.', '/orders/..', '/a/b/../../orders', '/%2e/orders', '/.%2e/orders', '/orders/*', '/orders/...', '/orders/é',
] as const // oxfmt-ignore
const HOSTS = [
  'orders.example',
  'orders.example',
  'orders.example',
  'ORDERS.example',
  'orders.example:443',
  'a.orders.example',
  'orders.example.',
  'xorders.example',
  'internal.example',
  'a.Internal.example',
  '[::1]:80',
]
const FIELDS: readonly (readonly [string, string])[] = [
  ['x-department', 'a'], ['x-level', '2'], ['x-team', 'spoofed'], ['user-agent', 'bad-bot'], ['user-agent', 'nice-bot'], ['user-agent', ''],
  ['x-forwarded-for', '10.1.2.3'], ['x_under', '1'], ['authorization', 'Basic YTpi'], ['authorization', 'bearer x'], ['origin', 'https://a.example'],
  ['x-kind', 'a'], ['x-kind', 'c'], ['x-kind', 'x-b'], ['x-kind', 'a,c'], ['x-empty', ''], ['x-kind', 'd'], ['authorization', 'x'],
] // oxfmt-ignore
export const PEERS = [
  undefined, 'spiffe://cluster.local/ns/shop/sa/web', 'spiffe://td.new/ns/shop/sa/web', 'spiffe://old.local/ns/shop/sa/web', 'spiffe://old.local/ns/a/sa/b',
  'spiffe://x.y/ns/q/sa/suffix', 'spiffe://x.y/ns/billing/sa/robot', 'spiffe://x.y/ns/billing/sa/web', 'spiffe://x.y/ns/team-1/sa/web', 'spiffe://x.y/ns/billing-x/sa/web',
  'spiffe://x.y/ns/jobs/sa/nightly', 'spiffe://x.y/ns/jobs/sa/nightly-2', 'spiffe://x.y/ns/shop/sa/local.one', 'spiffe://x.y/ns/shop/sa/localxone', 'spiffe://other.a/thing', 'spiffe://cluster.local/thing',
] as const // oxfmt-ignore

export const requests = fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'PURGE'),
  path: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('/orders', '/orders/7', '/healthz', '/v1/a/items/b') },
    { weight: 6, arbitrary: fc.constantFrom(...PATHS) },
  ),
  host: fc.constantFrom(...HOSTS),
  fields: fc.oneof(
    { weight: 6, arbitrary: fc.constant([]) },
    { weight: 4, arbitrary: fc.uniqueArray(fc.constantFrom(...FIELDS), { maxLength: 3 }) },
  ),
  isPreflight: fc.oneof({ weight: 19, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  tokens: fc.oneof(
    { weight: 2, arbitrary: fc.constant<ShownInWorld[]>([]) },
    { weight: 6, arbitrary: fc.tuple(token).map((all): ShownInWorld[] => all) },
    { weight: 3, arbitrary: fc.uniqueArray(token, { minLength: 2, maxLength: 2, selector: ({ at }) => `${at.kind} ${at.name}` }) },
  ),
  peer: fc.constantFrom(...PEERS),
  serverName: fc.constantFrom('orders.example', 'a.special.example'),
})
export type RandomRequest = typeof requests extends fc.Arbitrary<infer T> ? T : never
