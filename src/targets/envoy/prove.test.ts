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

function world(): {
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
  ['tokens of any shape', (tree) => void delete policyOf(tree, FILTERS.callers, 'token@ci')['condition'], /`ci`: other tokens are let in/],
]

describe('a change is found', () => {
  const linesOf = (changed: EnvoyConfiguration): string => {
    const { counterexamples, problems, notProven } = prove(changed)
    return [
      ...counterexamples.map(({ direction, actions, who }) => `${direction} ${actions} ${who.join(', ')}`),
      ...problems,
      ...notProven.map((why) => `not proven: ${why}`),
    ].join('\n')
  }
  for (const [what, change, said] of surgeries)
    test(what, () => {
      const changed = JSON.parse(WRITTEN) as Tree
      change(changed)
      assert.match(linesOf(changed as unknown as EnvoyConfiguration), said)
    })
  for (const [what, from, to, said] of mutants)
    test(what, () => {
      assert.match(WRITTEN, from)
      const changed = JSON.parse(WRITTEN.replace(from, to)) as EnvoyConfiguration
      assert.match(linesOf(changed), said)
    })
})
