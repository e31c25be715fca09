/** Random policies over everything that a rule can ask about, of values that the random requests have. */
import * as fc from 'fast-check'
import { AUDIENCE, PEOPLE, SERVICES } from './istioworld.ts'

const NETWORKS = ['127.0.0.1', '127.0.0.0/8', '10.0.0.0/8', '::1', '::/0', '0.0.0.0/0']
const SOURCES = {
  principals: ['*', '*/sa/web', 'cluster.local/ns/shop/sa/web', 'old.local/*', 'td.new/ns/shop/sa/web', '*'],
  requestPrincipals: [
    '*',
    `${PEOPLE}/*`,
    `${SERVICES}/robot`,
    '*/reader-1',
    SERVICES,
    'https://people*',
    '*robot',
    `${PEOPLE}/reader-1`,
    '/*',
  ],
  namespaces: ['shop', '*', 'team-*', 'b*g', 'billing'],
  trustDomains: ['td.new', 'old.local', 'x.*', '*', '*.y'],
  ipBlocks: NETWORKS,
  remoteIpBlocks: NETWORKS,
}
const OPERATIONS = {
  hosts: ['orders.example', '*.orders.example', 'orders.*', '*', '*:443', 'internal.example'],
  methods: ['GET', 'P*', '*', 'HEAD', '*T'],
  paths: [
    '/orders',
    '/orders*',
    '/orders/*',
    '*/admin',
    '*',
    '/healthz',
    '/v1/{*}/items/{**}',
    '/{**}',
    '/{*}',
    '/{*}/{*}',
    '/orders/{*}',
    '/{**}/b',
  ],
  ports: ['PORT', '1', '65535'],
}
const CONDITIONS: Readonly<Record<string, readonly string[]>> = {
  'source.ip': NETWORKS,
  'remote.ip': NETWORKS,
  'source.namespace': SOURCES.namespaces,
  'source.principal': SOURCES.principals,
  'source.trustDomain': SOURCES.trustDomains,
  'source.serviceAccount': ['web', 'jobs/nightly', 'local.one', 'billing/web'],
  'destination.port': ['PORT', '1'],
  'destination.ip': NETWORKS,
  'connection.sni': ['orders.example', '*.special.example', '*', 'a.*'],
  'request.auth.principal': SOURCES.requestPrincipals,
  'request.auth.audiences': [AUDIENCE, 'other*', '*', 'x'],
  'request.auth.presenter': ['web', '*'],
  'request.auth.claims[groups]': ['readers', 'admins', '*', 'admin*', '*rs'],
  'request.auth.claims[realm][team]': ['blue', '*', 'b*'],
  'request.auth.claims[realm]': ['*', 'x'],
  'request.auth.claims[scope]': ['orders.read', '*', 'x'],
  'request.auth.claims[level]': ['2', '*'],
  'request.auth.claims[iss]': [PEOPLE, SERVICES, '*'],
  'request.headers[x-kind]': ['a', '*', 'a*', '*b', 'd'],
  'request.headers[User-Agent]': ['nice-bot', '*', '*bot'],
  'request.headers[authorization]': ['*', 'Basic*'],
  'request.headers[:authority]': ['orders.example', '*'],
  'request.headers[:method]': ['GET', 'P*'],
}

const some = (values: readonly string[]): fc.Arbitrary<string[]> =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 })

/** A few of the fields, each as it is or as what must not be. */
function fieldsOf(pools: Readonly<Record<string, readonly string[]>>): fc.Arbitrary<Record<string, string[]>> {
  const field = fc
    .constantFrom(...Object.keys(pools))
    .chain((name) => fc.tuple(fc.constantFrom(name, name, name, `not${name[0]!.toUpperCase()}${name.slice(1)}`), some(pools[name]!)))
  return fc.array(field, { minLength: 1, maxLength: 2 }).map(Object.fromEntries<string[]>)
}

const source = fc.oneof(
  { weight: 8, arbitrary: fieldsOf(SOURCES) },
  { weight: 1, arbitrary: fieldsOf({ serviceAccounts: CONDITIONS['source.serviceAccount']!, ipBlocks: NETWORKS }) },
)
const condition = fc
  .constantFrom(...Object.keys(CONDITIONS))
  .chain((key) =>
    fc.record({ key: fc.constant(key), values: some(CONDITIONS[key]!), notValues: some(CONDITIONS[key]!) }, { requiredKeys: ['key'] }),
  )
  .filter(({ values, notValues }) => values !== undefined || notValues !== undefined)
const rule = fc
  .record({
    from: fc.array(fc.record({ source }), { maxLength: 2 }),
    to: fc.array(fc.record({ operation: fieldsOf(OPERATIONS) }), { maxLength: 2 }),
    when: fc.array(condition, { maxLength: 2 }),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, { length }]) => length > 0)))
const spec = fc.record({
  action: fc.constantFrom('ALLOW', 'ALLOW', 'ALLOW', 'DENY', 'AUDIT'),
  rules: fc.array(rule, { maxLength: 3 }),
})

/** Documents of a workload: who issues its tokens, and its policies. */
export const randomDocuments: fc.Arbitrary<readonly object[]> = fc
  .tuple(fc.array(spec, { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 2 }), fc.array(fc.boolean(), { maxLength: 3 }))
  .map(([specs, issuers, isTried]) => [
    ...specs.map((each, index) => document('AuthorizationPolicy', `policy-${index}`, each, isTried[index] === true)),
    ...(issuers === 0
      ? []
      : [
          document('RequestAuthentication', 'tokens', {
            jwtRules: [
              { issuer: PEOPLE, jwksUri: 'https://people.example/keys' },
              { issuer: SERVICES, jwksUri: 'https://services.example/keys' },
            ].slice(0, issuers),
          }),
        ]),
  ])

/** @param isTried Whether it is only tried */
function document(kind: string, name: string, content: object, isTried = false): object {
  const annotations = isTried ? { annotations: { 'istio.io/dry-run': 'true' } } : {}
  return { apiVersion: 'security.istio.io/v1', kind, metadata: { name, namespace: 'shop', ...annotations }, spec: content }
}
