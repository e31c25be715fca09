/** Random policies of Istio, request by request: what was imported never lets in what they did not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { stringify } from 'yaml'
import { NOW } from '../../../policy/testdata/world.ts'
import { regexes } from '../../../testing/regexes.ts'
import { runs, untilEnough } from '../../../testing/runs.ts'
import { evaluateIstio, type IstioRequest } from '../translate/evaluate.ts'
import { DEFAULT_MESH } from '../translate/mesh.ts'
import { istioOf } from '../translate/read.ts'
import { translateIstio } from '../translate/translate.ts'
import { engineOf } from './testing.ts'
import { importIstio } from './index.ts'

const SECONDS = NOW / 1000
const A = 'https://a.example'
const B = 'services@b.example'
const some = (values: readonly string[], maxLength = 2) =>
  fc.subarray([...values], { minLength: 1, maxLength: Math.min(maxLength, values.length) })
const now = <T>(arbitrary: fc.Arbitrary<T>, freq = 2) =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: freq, arbitrary })

const rarely = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
const PATHS = [
  '/a',
  '/a/b',
  '/a/*',
  '/a*',
  '*',
  '/*',
  '/a/{*}',
  '/{*}/b',
  '/a/{**}',
  '/{**}/b',
  '*b',
  '/a:b',
  '/a%3Ab',
  '/%61',
  '/b/',
  '/a:*',
  '*:b',
  '/x%20y',
  '/a/../b',
  'b',
  '/A',
]
const METHODS = ['GET', 'HEAD', 'POST', 'P*', '*', 'get', 'PROPFIND', '*T']
const HOSTS = [
  'orders.example',
  '*.example',
  'orders.example:*',
  'orders.*',
  '*',
  'ORDERS.example',
  'orders.shop.svc.cluster.local',
  'web.example',
  'web.example:8080',
]
const PRINCIPALS = [
  '*',
  `${A}/*`,
  `${A}/me`,
  `${B}/me`,
  '*/me',
  `${A}/you`,
  `${B}/*`,
  `${A}*`,
  'https://a*',
  A,
  '*example/me',
  `${A}/m*`,
  'services@*',
]
const PEERS = ['cluster.local/ns/shop/sa/web', 'cluster.local/ns/shop/sa/other', '*', 'cluster.local/ns/*']
const NETWORKS = ['10.0.0.0/8', '10.0.0.1', '192.0.2.0/24', '2001:db8::/32']

const source = fc
  .record({
    requestPrincipals: now(some(PRINCIPALS), 1),
    notRequestPrincipals: rarely(some(PRINCIPALS, 1)),
    principals: rarely(some(PEERS)),
    notPrincipals: rarely(some(PEERS, 1)),
    namespaces: rarely(some(['shop', 'other'])),
    ipBlocks: rarely(some(NETWORKS)),
    notIpBlocks: rarely(some(NETWORKS, 1)),
    remoteIpBlocks: rarely(some(NETWORKS, 1)),
  })
  .filter(isFilled)
const operation = fc
  .record({
    paths: now(some(PATHS, 3), 3),
    notPaths: rarely(some(PATHS, 2)),
    methods: now(some(METHODS, 3), 2),
    notMethods: rarely(some(METHODS, 1)),
    hosts: rarely(some(HOSTS)),
    notHosts: rarely(some(HOSTS, 1)),
    ports: rarely(some(['8080', '9090'])),
    notPorts: rarely(some(['8080', '9090'], 1)),
  })
  .filter(isFilled)
const TEXTS = ['a', 'b', 'a*', '*b', '*']
const KEYS: Readonly<Record<string, readonly string[]>> = {
  'request.auth.claims[groups]': TEXTS,
  'request.auth.claims[department]': TEXTS,
  'request.auth.claims[realm_access][roles]': TEXTS,
  'request.auth.claims[scope]': TEXTS,
  'request.auth.claims[email]': TEXTS,
  'request.auth.claims[client_id]': TEXTS,
  'request.auth.claims[iss]': [A, B, 'https*', '*'],
  'request.auth.claims[sub]': ['me', 'm*', '*'],
  'request.auth.claims[odd name]': TEXTS,
  'request.auth.audiences': ['api', 'other', '*'],
  'request.auth.presenter': TEXTS,
  'request.auth.principal': PRINCIPALS,
  'request.headers[x-a]': TEXTS,
  'source.ip': NETWORKS,
  'remote.ip': NETWORKS,
  'destination.port': ['8080', '9090'],
  'source.namespace': ['shop'],
  'source.principal': PEERS,
}
const condition = fc.constantFrom(...Object.keys(KEYS), ...Object.keys(KEYS).slice(0, 4)).chain((key) =>
  fc.record({ values: now(some(KEYS[key]!), 3), notValues: rarely(some(KEYS[key]!, 1)) }).map((rest) => ({
    key,
    ...(rest.values === undefined && rest.notValues === undefined ? { values: [KEYS[key]![0]!] } : rest),
  })),
)
const rule = fc.record({
  from: now(fc.array(fc.record({ source }), { minLength: 1, maxLength: 2 }), 2),
  to: now(fc.array(fc.record({ operation }), { minLength: 1, maxLength: 2 }), 3),
  when: now(fc.array(condition, { minLength: 1, maxLength: 2 }), 1),
})
/** As most policies are. */
const plainRule = fc.record({
  from: now(
    some(['*', `${A}/*`, `${B}/*`], 1).map((requestPrincipals) => [{ source: { requestPrincipals } }]),
    2,
  ),
  to: fc
    .tuple(some(['/a', '/a/*', '/b/', '/*', '/a/{*}', '/b'], 2), now(some(['GET', 'HEAD', 'POST'], 3), 2))
    .map(([paths, methods]) => [{ operation: { paths, methods } }]),
  when: now(
    fc
      .constantFrom('groups', 'department')
      .chain((claim) => some(['a', 'b', 'z']).map((values) => [{ key: `request.auth.claims[${claim}]`, values }])),
    2,
  ),
})
const attachment = fc.constantFrom(
  { namespace: 'shop', selector: { matchLabels: { app: 'orders' } } },
  { namespace: 'shop', selector: { matchLabels: { app: 'orders' } } },
  { namespace: 'shop', selector: { matchLabels: { app: 'orders' } } },
  { namespace: 'shop', selector: undefined },
  { namespace: 'istio-system', selector: undefined },
  { namespace: 'shop', selector: { matchLabels: { version: 'v1' } } },
  { namespace: 'shop', selector: { matchLabels: { app: 'orders', version: 'v1' } } },
)
const policy = fc
  .record({
    at: attachment,
    action: fc.constantFrom('ALLOW', 'ALLOW', 'ALLOW', 'ALLOW', 'DENY', 'DENY', 'AUDIT'),
    rules: fc.array(fc.oneof({ weight: 1, arbitrary: rule }, { weight: 2, arbitrary: plainRule }), { maxLength: 2 }),
    isDryRun: rarely(fc.constant(true)),
  })
  .map(({ at: { namespace, selector }, action, rules, isDryRun }) => ({
    kind: 'AuthorizationPolicy',
    metadata: { namespace, ...(isDryRun === true ? { annotations: { 'istio.io/dry-run': 'true' } } : {}) },
    spec: { selector, action, rules },
  }))
/** What turns away whoever has no token, which is read in a way of its own. */
const tokenless = fc
  .record({ notPaths: now(some(PATHS, 2), 2), namespace: fc.constantFrom('shop', 'istio-system') })
  .map(({ notPaths, namespace }) => ({
    kind: 'AuthorizationPolicy',
    metadata: { namespace },
    spec: {
      action: 'DENY',
      rules: [
        { from: [{ source: { notRequestPrincipals: ['*'] } }], ...(notPaths === undefined ? {} : { to: [{ operation: { notPaths } }] }) },
      ],
    },
  }))
const audiences = fc.constantFrom(['api'], ['api'], ['api', 'other'], ['other'], undefined)
const authentication = fc
  .record({ at: attachment, a: now(audiences, 4), b: now(audiences, 1), forwardOriginalToken: now(fc.constant(true), 1) })
  .map(({ at: { namespace, selector }, a, b, forwardOriginalToken }) => ({
    kind: 'RequestAuthentication',
    metadata: { namespace },
    spec: {
      selector,
      jwtRules: [
        ...(a === undefined ? [] : [{ issuer: A, audiences: a, forwardOriginalToken }]),
        ...(b === undefined ? [] : [{ issuer: B, audiences: b, jwksUri: 'https://b.example/keys' }]),
      ],
    },
  }))
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'orders', namespace: 'shop' },
  spec: { selector: { app: 'orders' }, ports: [{ port: 80, targetPort: 8080 }] },
}
const world = fc
  .record({
    policies: fc.array(policy, { minLength: 1, maxLength: 3 }),
    tokenless: rarely(tokenless),
    authentications: fc.array(authentication, { minLength: 0, maxLength: 2 }),
    hasService: fc.boolean(),
  })
  .map(({ policies, tokenless: one, authentications, hasService }) => ({
    resources: [...policies, ...(one === undefined ? [] : [one]), ...authentications].map((each, index) => ({
      apiVersion: 'security.istio.io/v1',
      ...(JSON.parse(JSON.stringify(each)) as typeof each),
      metadata: { ...each.metadata, name: `p${index}` },
    })),
    others: hasService ? [service] : [],
  }))

const claimValue = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom<unknown>('a', 'b', 'ab', 'z', 'a b', 'x a') },
  { weight: 4, arbitrary: fc.constantFrom<unknown>(['a'], ['b', 'a'], ['z'], ['ab', 'z']) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>('', [], [''], null, 5, true, { a: 'a' }, 'a\nb', ['a', 5], '\n') },
)
const payload = fc
  .record(
    {
      iss: fc.constantFrom(A, A, A, B, 'https://nobody.example'),
      aud: fc.constantFrom<unknown>('api', 'api', 'other', ['api', 'other'], ['api']),
      sub: fc.constantFrom<unknown>('me', 'me', 'you', 'a/b', ''),
      groups: claimValue,
      department: claimValue,
      realm_access: claimValue.map((roles) => ({ roles })),
      scope: claimValue,
      email: claimValue,
      client_id: fc.constantFrom<unknown>('a', 'b'),
      azp: fc.constantFrom<unknown>('a', 'b', 'ab'),
      'odd name': claimValue,
    },
    { requiredKeys: ['iss', 'aud', 'sub'] },
  )
  .map((all) => ({ exp: SECONDS + 300, iat: SECONDS, ...all }))
const request = fc.record({
  method: fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'PUT', 'get', 'PROPFIND'),
  path: fc.constantFrom(
    '/',
    '/a',
    '/a/b',
    '/a/c',
    '/ab',
    '/a/',
    '/b/',
    '/a:b',
    '/a%3Ab',
    '/a%3ab',
    '/%61',
    '/a//b',
    '/a/../b',
    '/b',
    '/x/b',
    '/c/x/b',
    '/a/*',
    '/x%20y',
    '/a/b?x=1',
    '/A',
    '/a%2Fb',
    '/a:bc',
  ),
  source: fc.constantFrom('10.0.0.1', '192.0.2.1'),
  remote: fc.constantFrom('10.0.0.1', '198.51.100.1'),
  peer: fc.constantFrom(undefined, 'spiffe://cluster.local/ns/shop/sa/web', 'spiffe://cluster.local/ns/shop/sa/x'),
  header: fc.constantFrom(undefined, 'a'),
  payload: now(payload, 3),
})

function isFilled(value: object): boolean {
  return Object.values(value).some((one) => one !== undefined)
}

const PODS = [{ app: 'orders' }, { app: 'orders', version: 'v1' }, { app: 'orders', version: 'v2' }, { app: 'web', version: 'v1' }]

describe('policies of Istio, imported', () => {
  for (const acceptWider of [false, true])
    test(acceptWider ? 'load, with what is wider' : 'never let in more, and say what they let in less', async () => {
      const told = { worlds: 0, asked: 0, allowed: 0, denied: 0, narrower: 0, exact: 0 }
      await untilEnough(
        () =>
          fc.assert(
            fc.property(
              world,
              fc.array(request, { minLength: 60, maxLength: 60 }),
              fc.boolean(),
              ({ resources, others }, requests, hasBundle) => {
                const text = [...resources, ...others].map((one) => stringify(one)).join('---\n')
                const imported = importIstio([{ file: 'in.yaml', text }], { acceptWider, meshCa: hasBundle ? 'ca.pem' : undefined })
                assert.deepEqual(imported.diagnostics, [], text)
                const engine = engineOf(imported)
                told.worlds++
                if (acceptWider) return
                // What is said of hosts and of where keys are explains nothing of these.
                const said = imported.losses.some(
                  ({ document, field, what }) =>
                    !field.endsWith('.jwksUri') && !/any host|`targets\.mesh/.test(what) && document !== 'Service',
                )
                const originals = istioOf(resources)
                for (const pod of PODS) {
                  const proxy = translateIstio({
                    resources: originals,
                    mesh: DEFAULT_MESH,
                    workload: { kind: 'sidecar', namespace: 'shop', labels: pod },
                    keys: new Map(),
                  })
                  const held = imported.places.filter(({ selector }) =>
                    Object.entries(selector ?? {}).every(([key, value]) => (pod as Record<string, string>)[key] === value),
                  )
                  for (const [index, { method, path, source: from, remote, peer, header, payload: shown }] of requests.entries()) {
                    const place = held[index % held.length]
                    if (place === undefined) break
                    const [host, port] = [place.hosts[index % place.hosts.length]!, place.ports[index % place.ports.length]!]
                    const ip = imported.addresses === 'remote' ? remote : from
                    const ours = engine.allows(place.resource, { method, path, ip, payload: shown, peer })
                    const asked: IstioRequest = {
                      method,
                      path,
                      host,
                      port,
                      source: from,
                      remote,
                      time: NOW,
                      ...(peer === undefined ? {} : { peer }),
                      headers: header === undefined ? {} : { 'x-a': header },
                      tokens: shown === undefined ? [] : [{ payload: shown }],
                    }
                    let theirs: boolean
                    try {
                      theirs = evaluateIstio(proxy, asked, regexes).allowed
                    } catch {
                      // Which of two providers Envoy takes nobody knows: it may deny.
                      theirs = false
                    }
                    told.asked++
                    if (theirs) told.allowed++
                    else told.denied++
                    const context = (): string =>
                      `${text}\n${imported.files.map((one) => one.text).join('---\n')}\n${JSON.stringify([pod, asked, place])}`
                    assert.ok(!ours || theirs, `wider: ${ours && !theirs ? context() : ''}`)
                    if (ours && theirs) told.exact++
                    if (theirs && !ours) {
                      told.narrower++
                      const isOdd = said || isOddPath(path) || method === 'get' || (shown !== undefined && hasOddClaims(shown))
                      assert.ok(isOdd, `narrower, and nothing says so: ${isOdd ? '' : context()}`)
                    }
                  }
                }
              },
            ),
            { numRuns: runs(20), endOnFailure: true },
          ),
        () => acceptWider || (told.exact > 300 && told.narrower > 300 && told.denied > 1000),
        () => told,
      )
    })
})

/** Doors of Ostiary refuse these whatever the policy says. */
function isOddPath(path: string): boolean {
  return /%|\/\/|\.\./.test(path)
}

/** Of another type than their names say, or those of no access token. */
function hasOddClaims({
  aud,
  groups,
  department,
  realm_access: realm,
  scope,
  email,
  client_id: client,
  azp,
  sub,
  iss,
  ...rest
}: Readonly<Record<string, unknown>>): boolean {
  const isText = (one: unknown): boolean => one === undefined || typeof one === 'string'
  const isList = (one: unknown): boolean => one === undefined || Array.isArray(one)
  return (
    ![department, scope, email, rest['odd name']].every(isText) ||
    !isList(groups) ||
    !isList((realm as { readonly roles?: unknown } | undefined)?.roles) ||
    Array.isArray(aud) ||
    sub === '' ||
    (azp !== undefined && client !== azp) ||
    typeof iss !== 'string'
  )
}
