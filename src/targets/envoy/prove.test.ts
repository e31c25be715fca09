/** Whatever is changed about what an Envoy is sent, the prover finds. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { declaredClaims } from '../../identity/claims.ts'
import { nativeOidc } from '../../identity/oidc/native.ts'
import { compileNative } from '../../policy/native/compile.ts'
import { load, NOW } from '../../policy/testdata/world.ts'
import { emitEnvoy, FILTERS, type EnvoyConfiguration, type EnvoyResource } from './emit.ts'
import { Pieces } from './pieces.ts'
import type { ResourceProof } from '../target.ts'
import { proveEnvoy } from './prove.ts'
import type { TreeLimits } from './tree.ts'

/** As the world of the policy has them. */
const CLAIMS = {
  entra: { roles: 'list', groups: 'list', department: 'string', oid: 'string', sub: 'string', level: 'number', rank: 'number' },
  ci: { groups: 'list', department: 'string', repository: 'string', sub: 'string', rank: 'string' },
} as const
const issuer = (name: 'entra' | 'ci') =>
  nativeOidc({
    name,
    iss: `https://${name}.example`,
    audiences: ['api'],
    algorithms: ['ES256'],
    clients: ['listed'],
    agents: [],
    declared: declaredClaims({}, CLAIMS[name]),
    maxLifetime: 3_600_000,
    type: { pattern: 'at\\+jwt', absent: false },
    client: { claim: 'client_id', when: 'always' },
    appOnly: 'by-subject',
  })
const issuers = new Map([
  ['entra', [issuer('entra')]],
  ['ci', [issuer('ci')]],
])

const POLICY = `roles:
  admin: { bind: [{ issuer: entra, claim: groups, any: [admins] }] }
  builder: { bind: [{ issuer: ci, claim: repository, any: [shop], kind: workload }] }
  staff: { bind: [{ issuer: entra, claim: groups, none: [guests] }] }
  contractor: { bind: [{ issuer: entra, claim: groups, all: [contractors, externals] }] }
rules:
  - { id: health, role: everyone, resource: orders, actions: [GET /healthz] }
  - { id: read, role: [admin, staff], resource: orders, actions: ["GET /orders/{id}", "GET /reports/**"] }
  - { id: write, role: admin, resource: orders, actions: ["POST /orders"], when: 'claims.level >= 3.0' }
  - { id: build, role: builder, resource: orders, actions: ["PUT /builds/{id}/state"] }
  - { id: own, role: authenticated, resource: orders, actions: [GET /me] }
guardrails:
  - { id: closed, for: [contractor], resource: orders, deny: ["GET /reports/**"] }
  - { id: inside, allBut: [admin], resource: orders, actions: ["PUT /builds/**"], require: { network: [10.0.0.0/8] } }
`

function world(tree?: TreeLimits): {
  readonly resource: EnvoyResource
  readonly made: EnvoyConfiguration
  readonly prove: (made: EnvoyConfiguration) => ResourceProof
} {
  const { policy, diagnostics } = load(POLICY)
  assert.ok(policy !== undefined, JSON.stringify(diagnostics))
  const { native, refused } = compileNative({ model: policy.model, resource: 'orders', issuers })
  assert.deepEqual(refused, [])
  const upstream = { host: '127.0.0.1', port: 9, tls: undefined, http2: false, connectTimeout: 1000 }
  const resource = { native, hosts: ['orders.example'], upstream, websocket: false, forwardAuthorization: false }
  const made = emitEnvoy({
    name: 'edge',
    address: { host: '127.0.0.1', port: 1 },
    resources: [resource],
    keys: new Map(),
    tls: undefined,
    logs: undefined,
    tree,
  })
  const prove = (one: EnvoyConfiguration): ResourceProof =>
    proveEnvoy({ snapshot: new Pieces().snapshot(one), resources: [resource], policy, now: NOW })[0]!
  return { resource, made, prove }
}

const { made, prove } = world()
const WRITTEN = JSON.stringify(made)

test('as it is emitted it is proven', () => {
  const { counterexamples, problems, notProven, cells, classes } = prove(made)
  assert.deepEqual({ counterexamples, problems, notProven, classes }, { counterexamples: [], problems: [], notProven: [], classes: 3 })
  assert.ok(cells > 15, String(cells))
})

/** What is changed: a text and what stands in its place; and what has to be said. */
const mutants: readonly (readonly [what: string, from: RegExp, to: string, said: RegExp])[] = [
  ['another value of a claim', /("read@entra".*?)"exact":"admins"/, '$1"exact":"anyone"', /wider .*groups/],
  ['a guardrail is missing', /"closed@entra":\{.*?\}\]\},?(?=")/, '', /wider GET \/reports/],
  ['a prefix without its slash', /"prefix":"\/reports\/"/, '"prefix":"/reports"', /not proven: .*without a slash/],
  ['a prefix of everything', /"prefix":"\/reports\/"/, '"prefix":"/"', /wider|narrower/],
  ['another method', /"exact":"POST"/, '"exact":"DELETE"', /wider DELETE \/orders/],
  ['a segment that takes slashes', /builds\/\[\^\/\]\+\/state/, 'builds/.*', /wider PUT \/builds/],
  ['the caller’s issuer', /("build@ci".*?)"exact":"https:\/\/ci\.example"/, '$1"exact":"https://entra.example"', /wider PUT/],
  ['another network', /("inside@ci".*?)"addressPrefix":"10\.0\.0\.0"/, '$1"addressPrefix":"11.0.0.0"', /wider PUT.*from 11/],
  ['a wider network', /("inside@ci".*?)"prefixLen":8/, '$1"prefixLen":7', /wider PUT/],
  ['rules deny', /("ostiary\.rules":\{"@type":"[^"]*","rbac":\{"rules":\{"action":)"ALLOW"/, '$1"DENY"', /another action/],
  ['guardrails allow', /("ostiary\.guardrails":\{"@type":"[^"]*","rbac":\{"rules":\{"action":)"DENY"/, '$1"ALLOW"', /another action/],
  [
    'a credential that nobody verified',
    /\{"notRule":\{"header":\{"name":"authorization","presentMatch":true\}\}\}/,
    '{"any":true}',
    /a credential that nobody verified/,
  ],
  ['requests of any form', /\{"urlPath":\{"path":\{"safeRegex":\{"regex":"\/\(\?:[^"]*"\}\}\}\}/, '{"any":true}', /not in the one form/],
  ['any audience', /"audiences":\["api"\]/, '"audiences":[]', /not verified as they must be/],
  ['tokens without an end', /"requireExpiration":true/, '"requireExpiration":false', /not verified as they must be/],
  ['tokens of the query', /("fromHeaders":\[[^\]]*\])/, '$1,"fromParams":["access_token"]', /not verified as they must be/],
  [
    'a symmetric key',
    /\{\\"keys\\":\[\]\}/,
    '{\\"keys\\":[{\\"kty\\":\\"oct\\",\\"alg\\":\\"HS256\\",\\"k\\":\\"AA\\"}]}',
    /not verified as they must be/,
  ],
  ['another requirement', /"requirementName":"orders"/, '"requirementName":"other"', /tokens are not verified/],
  ['another host', /"domains":\["orders\.example"\]/, '"domains":["*"]', /other hosts/],
  ['another scope', /"stringKey":"orders\.example"/, '"stringKey":"other.example"', /other hosts come to its routes/],
  ['paths as they come', /"normalizePath":true/, '"normalizePath":false', /normalizePath/],
  ['escaped slashes go through', /REJECT_REQUEST","stripAnyHostPort/, 'KEEP_UNCHANGED","stripAnyHostPort', /pathWithEscapedSlashesAction/],
  ['the order of filters', /ostiary\.guardrails","typedConfig/, 'ostiary.other","typedConfig', /filters are others/],
  ['the type of the token', /at\\\\\+jwt/, '.*', /other tokens are let in/],
]

type Tree = { [name: string]: unknown }

function policyOf(tree: Tree, filter: string, name: string): Tree {
  if (filter === FILTERS.callers) {
    const sent = (tree['extensions'] as readonly Tree[]).find((one) => one['name'] === filter)!['typedConfig']
    const { policies } = (sent as { readonly rules: { readonly policies: Record<string, Tree> } }).rules
    return Object.entries(policies).find(([key]) => key.startsWith(`${name} `))![1]
  }
  const [host] = (
    tree['routes'] as readonly { readonly virtualHosts: readonly { readonly typedPerFilterConfig: Record<string, unknown> }[] }[]
  )[0]!.virtualHosts
  const { rbac } = host!.typedPerFilterConfig[filter] as { readonly rbac: { readonly rules: { readonly policies: Record<string, Tree> } } }
  const found = rbac.rules.policies[name]
  assert.ok(found !== undefined, `${name} in ${Object.keys(rbac.rules.policies).join(', ')}`)
  return found
}

/** Takes the first negation away that is found below. */
function affirm(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  for (const [key, inner] of Object.entries(value)) {
    const negated = (inner as Tree | null)?.['notId']
    if (negated !== undefined) {
      ;(value as Tree)[key] = negated
      return true
    }
    if (affirm(inner)) return true
  }
  return false
}

/** Another text, wherever it stands. */
function swap(tree: Tree, from: string, to: string): void {
  const before = JSON.stringify(tree)
  assert.ok(before.includes(JSON.stringify(from)), from)
  Object.assign(tree, JSON.parse(before.replaceAll(JSON.stringify(from), JSON.stringify(to))))
}

const surgeries: readonly (readonly [what: string, change: (tree: Tree) => void, said: RegExp])[] = [
  ['a condition is gone', (tree) => void delete policyOf(tree, FILTERS.rules, 'write@entra')['condition'], /wider POST \/orders .*level/],
  [
    'another condition',
    (tree) => void (policyOf(tree, FILTERS.rules, 'write@entra')['condition'] = policyOf(tree, FILTERS.rules, 'build@ci')['condition']),
    /wider POST/,
  ],
  ['a negation is gone', (tree) => assert.ok(affirm(policyOf(tree, FILTERS.rules, 'read@entra'))), /wider GET/],
  ['a guardrail is for others', (tree) => assert.ok(affirm(policyOf(tree, FILTERS.guardrails, 'inside@ci'))), /wider PUT/],
  [
    'a demand has no negation',
    (tree) => void (policyOf(tree, FILTERS.guardrails, 'closed@entra')['principals'] = [{ notId: { any: true } }]),
    /wider GET \/reports/,
  ],
  ['a rule for anybody', (tree) => void (policyOf(tree, FILTERS.rules, 'build@ci')['principals'] = [{ any: true }]), /wider PUT/],
  [
    'usual tokens that last as long as they like',
    (tree) => void delete policyOf(tree, FILTERS.callers, 'plain@ci')['condition'],
    /`ci`: other tokens are let in/,
  ],
  [
    'what is short is long',
    (tree) => swap(policyOf(tree, FILTERS.callers, 'plain@ci'), '[ -~]{1,48}', '[ -~]{1,480}'),
    /`ci`: other tokens are let in/,
  ],
  [
    'what is short has any characters',
    (tree) => swap(policyOf(tree, FILTERS.callers, 'plain@ci'), '[ -~]{1,48}', '.{1,48}'),
    /`ci`: other tokens are let in/,
  ],
  [
    'no condition where the answer is an error',
    (tree) => {
      const policy = policyOf(tree, FILTERS.callers, 'plain@ci')
      policy['condition'] = { id: '1', callExpr: { function: '!_', args: [policy['condition']] } }
    },
    /not proven: .*a condition/,
  ],
  [
    'a range of numbers from elsewhere',
    (tree) => {
      const policy = policyOf(tree, FILTERS.callers, 'plain@ci')
      swap(policy, 'Infinity', '5')
    },
    /not proven: .*numbers up to another/,
  ],
  [
    'a route that lets in others',
    (tree) => void Object.assign(tree, JSON.parse(JSON.stringify(tree).replace(/"callers":\["(nobody:[^"]*)",/, '"callers":["$1x",'))),
    /callers without a credential are never let in/,
  ],
  [
    'a route that says nothing of callers',
    (tree) =>
      void Object.assign(tree, JSON.parse(JSON.stringify(tree).replace(/"filterMetadata":\{"ostiary":\{[^}]*\}\}/, '"filterMetadata":{}'))),
    /not proven: .*a route that says of nobody/,
  ],
  [
    'callers of whatever route',
    (tree) => {
      const policy = policyOf(tree, FILTERS.callers, 'token@ci')
      const [{ andRules }] = policy['permissions'] as readonly [{ readonly andRules: { readonly rules: readonly unknown[] } }]
      policy['permissions'] = [andRules.rules[1]]
    },
    /not proven: .*lets in callers of whatever route/,
  ],
  [
    'callers by something else than their policies',
    (tree) => {
      const sent = (tree['extensions'] as readonly Tree[]).find((one) => one['name'] === FILTERS.callers)!['typedConfig'] as Tree
      sent['matcher'] = {}
    },
    /not proven: .*`ostiary\.callers` with `matcher`/,
  ],
  [
    'callers in the place of those that are not there yet',
    (tree) => {
      const sent = (tree['extensions'] as readonly Tree[]).find((one) => one['name'] === FILTERS.callers)!['typedConfig']
      const before = JSON.stringify(tree['listeners'])
      const given = `"applyDefaultConfigWithoutWarming":true,"defaultConfig":${JSON.stringify(sent)},`
      const after = before.replace('"name":"ostiary.callers","configDiscovery":{', (found) => `${found}${given}`)
      assert.notEqual(after, before)
      tree['listeners'] = JSON.parse(after)
    },
    /the filter `ostiary\.callers` is not always/,
  ],
  [
    'a filter that is turned off',
    (tree) => {
      const before = JSON.stringify(tree['listeners'])
      const after = before.replace('"name":"ostiary.guardrails",', (found) => `${found}"disabled":true,`)
      assert.notEqual(after, before)
      tree['listeners'] = JSON.parse(after)
    },
    /the filter `ostiary\.guardrails` is not always/,
  ],
  [
    'callers by what a request brings',
    (tree) => swap(policyOf(tree, FILTERS.callers, 'token@ci'), 'ROUTE', 'DYNAMIC'),
    /not proven: .*lets in callers of whatever route/,
  ],
  [
    'callers of another route',
    (tree) => {
      const policy = policyOf(tree, FILTERS.callers, 'nobody')
      Object.assign(policy, JSON.parse(JSON.stringify(policy).replace(/"exact":"nobody:/, '"exact":"somebody:')))
    },
    /callers without a credential are never let in/,
  ],
  ['tokens of any shape', (tree) => void delete policyOf(tree, FILTERS.callers, 'token@ci')['condition'], /`ci`: other tokens are let in/],
]

function linesOf({ counterexamples, problems, notProven }: ResourceProof): string {
  return [
    ...counterexamples.map(({ direction, actions, who }) => `${direction} ${actions} ${who.join(', ')}`),
    ...problems,
    ...notProven.map((why) => `not proven: ${why}`),
  ].join('\n')
}

describe('a change is found', () => {
  for (const [what, change, said] of surgeries)
    test(what, () => {
      const changed = JSON.parse(WRITTEN) as Tree
      change(changed)
      assert.match(linesOf(prove(changed as unknown as EnvoyConfiguration)), said)
    })
  for (const [what, from, to, said] of mutants)
    test(what, () => {
      assert.match(WRITTEN, from)
      const changed = JSON.parse(WRITTEN.replace(from, to)) as EnvoyConfiguration
      assert.match(linesOf(prove(changed)), said)
    })
})

describe('a change of a tree of routes is found', () => {
  const told = world({ listUpTo: 1, leafUpTo: 1 })
  interface Leaf {
    readonly action: { readonly typedConfig: Record<string, unknown> & { readonly typedPerFilterConfig: Record<string, Tree> } }
    onNoMatch?: unknown
  }
  interface Host {
    routes?: unknown
    readonly matcher: {
      onNoMatch?: unknown
      readonly matcherTree: { input: { typedConfig: Tree }; readonly prefixMatchMap: { readonly map: Record<string, Leaf> } }
    }
  }
  const changed = (change: (host: Host, map: Record<string, Leaf>) => void): string => {
    const copy = JSON.parse(JSON.stringify(told.made)) as Tree
    const [{ virtualHosts }] = copy['routes'] as readonly [{ readonly virtualHosts: readonly [Host] }]
    const [host] = virtualHosts
    change(host, host.matcher.matcherTree.prefixMatchMap.map)
    return linesOf(told.prove(copy as unknown as EnvoyConfiguration))
  }
  const policiesOf = (leaf: Leaf | undefined, filter: string): Record<string, unknown> =>
    (
      leaf!.action.typedConfig.typedPerFilterConfig[filter] as {
        readonly rbac: { readonly rules: { readonly policies: Record<string, unknown> } }
      }
    ).rbac.rules.policies
  const holding = (map: Record<string, Leaf>, filter: string, name: string): readonly Leaf[] =>
    Object.values(map).filter((leaf) => name in policiesOf(leaf, filter))

  test('as it is emitted it is proven, and there are leaves', () => {
    assert.equal(linesOf(told.prove(told.made)), '')
    assert.deepEqual(
      changed((_, map) => assert.deepEqual(Object.keys(map), ['/', '/builds/', '/orders', '/orders/', '/reports/', '/healthz'])),
      '',
    )
  })

  const cases: readonly (readonly [what: string, change: (host: Host, map: Record<string, Leaf>) => void, said: RegExp])[] = [
    [
      'a guardrail is missing in one leaf, and there in another',
      (_, map) => {
        const [leaf] = holding(map, FILTERS.guardrails, 'inside@ci')
        const policy = policiesOf(leaf!, FILTERS.guardrails)['inside@ci']
        delete policiesOf(leaf!, FILTERS.guardrails)['inside@ci']
        policiesOf(map['/healthz'], FILTERS.guardrails)['inside@ci'] = policy
      },
      /not proven: what `inside@ci` says elsewhere is not said of paths that begin with `\/builds\/`/,
    ],
    [
      'a guardrail is missing everywhere',
      (_, map) => {
        for (const leaf of holding(map, FILTERS.guardrails, 'closed@entra')) delete policiesOf(leaf, FILTERS.guardrails)['closed@entra']
      },
      /wider GET \/reports/,
    ],
    [
      'a rule in another leaf',
      (_, map) => {
        const [leaf] = holding(map, FILTERS.rules, 'own@entra')
        policiesOf(map['/builds/'], FILTERS.rules)['own@entra'] = policiesOf(leaf, FILTERS.rules)['own@entra']
        delete policiesOf(leaf, FILTERS.rules)['own@entra']
      },
      /not proven: what `own@entra` says elsewhere is not said of paths that begin with `\/`/,
    ],
    [
      'a longer beginning',
      (_, map) => {
        map['/reports/a'] = map['/reports/']!
        delete map['/reports/']
      },
      /not proven: what `closed@entra` says elsewhere is not said of paths that begin with `\/`/,
    ],
    [
      'a shorter beginning',
      (_, map) => {
        map['/o'] = map['/healthz']!
        delete map['/orders']
      },
      /narrower|not proven/,
    ],
    [
      'a beginning that nothing else has',
      (_, map) => void (map['/reports/secret/'] = map['/healthz']!),
      /not proven: what `closed@entra` says elsewhere is not said of paths that begin with `\/reports\/secret\/`/,
    ],
    ['no route for what begins otherwise', (_, map) => void delete map['/orders'], /narrower .*\/orders|not proven: what `write@entra`/],
    ['a beginning with a query', (_, map) => void (map['/healthz?x'] = map['/healthz']!), /not proven: .*a route for `\/healthz\?x`/],
    ['a default', (host, map) => void (host.matcher.onNoMatch = map['/healthz']), /not proven: .*routes with `matcherTree`, `onNoMatch`/],
    [
      'routes beside the tree',
      (host) => void (host.routes = [{ match: { prefix: '/' }, route: { cluster: 'orders' } }]),
      /routes beside the tree/,
    ],
    [
      'a leaf without what grants',
      (_, map) => void delete map['/healthz']!.action.typedConfig.typedPerFilterConfig[FILTERS.rules],
      /not proven: .*routes with `ostiary\.guardrails`/,
    ],
    [
      'a leaf that verifies no token',
      (_, map) =>
        void (map['/healthz']!.action.typedConfig.typedPerFilterConfig[FILTERS.tokens] = {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig',
          disabled: true,
        }),
      /not proven: .*`ostiary\.jwt_authn`/,
    ],
    [
      'a leaf that leads elsewhere',
      (_, map) => void (map['/healthz']!.action.typedConfig['match'] = { path: '/healthz' }),
      /not proven: .*a route for `\/healthz` that does something else/,
    ],
    [
      'a path that is another upstream',
      (_, map) => void (map['/healthz']!.action.typedConfig['route'] = { cluster: 'orders', timeout: '0s', prefixRewrite: '/orders' }),
      /not proven: .*a route for `\/healthz` that does something else/,
    ],
    [
      'by another header',
      (host) => void (host.matcher.matcherTree.input.typedConfig['headerName'] = 'x-path'),
      /not proven: .*by something else than the path/,
    ],
    [
      'what grants denies',
      (_, map) => {
        const { rbac } = map['/healthz']!.action.typedConfig.typedPerFilterConfig[FILTERS.rules] as {
          readonly rbac: { readonly rules: Tree }
        }
        rbac.rules['action'] = 'DENY'
      },
      /not proven: .*leaves of different actions/,
    ],
  ]
  for (const [what, change, said] of cases) test(what, () => assert.match(changed(change), said))
})
