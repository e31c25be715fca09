/** A resource and a guardrail that are only observed: what an Envoy lets through and says of it, and whatever is changed about that, the prover finds. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { evaluateEnvoy, type EvaluatedRequest } from '../../envoy/evaluate.ts'
import { shadowsOf } from '../../envoy/evaluateshadow.ts'
import { FILTERS } from '../../envoy/filters.ts'
import { OBSERVED, UNGRANTED } from '../../envoy/metadata.ts'
import type { Json } from '../../envoy/rbac.ts'
import { compileNative } from '../../policy/native/compile.ts'
import { issuers } from '../../policy/testdata/native.ts'
import { load, NOW, wiring } from '../../policy/testdata/world.ts'
import { regexes } from '../../testing/regexes.ts'
import { emitEnvoy, type EnvoyConfiguration, type EnvoyResource } from './emit.ts'
import { Pieces } from './pieces.ts'
import { proveEnvoy } from './prove.ts'
import type { TreeLimits } from './tree.ts'

const END = NOW + 60_000
const POLICY = `roles:
  admin: { bind: [{ issuer: entra, claim: groups, any: [admins] }] }
rules:
  - { id: read, role: admin, resource: [orders, wiki], actions: [GET /orders, GET /pages/a, GET /later] }
guardrails:
  - { id: closed, for: [admin], resource: orders, deny: [GET /orders] }
  - { id: later, for: [admin], resource: orders, deny: [GET /later], mode: observe, until: '${new Date(END + 60_000).toISOString()}' }
`
const observe = { until: new Date(END).toISOString() }

/** @param names Of the resources that are only observed */
function world(resource: string, names: readonly string[], tree?: TreeLimits) {
  const resources = Object.fromEntries(
    Object.entries(wiring.resources).map(([name, one]) => [name, names.includes(name) ? { ...one, observe } : one]),
  )
  const { policy, diagnostics } = load(POLICY, { wiring: { ...wiring, resources } })
  assert.ok(policy !== undefined, JSON.stringify(diagnostics))
  const { native, refused } = compileNative({ model: policy.model, resource, issuers })
  assert.deepEqual(refused, [])
  const upstream = { host: '127.0.0.1', port: 9, tls: undefined, http2: false, connectTimeout: 1000 }
  const carried: EnvoyResource = { native, hosts: ['a.example'], upstream, websocket: false, forwardAuthorization: false }
  const address = { host: '127.0.0.1', port: 1 }
  const made = emitEnvoy({ name: 'edge', address, resources: [carried], keys: new Map(), tls: undefined, logs: undefined, tree })
  const prove = (one: EnvoyConfiguration): string => {
    const [proof] = proveEnvoy({ snapshot: new Pieces().snapshot(one), resources: [carried], policy, now: NOW })
    const { counterexamples, problems, notProven } = proof!
    return [...counterexamples.map(({ direction, actions }) => `${direction} ${actions}`), ...problems, ...notProven].join('\n')
  }
  return { made, prove }
}

const ORDER = [FILTERS.callers, FILTERS.guardrails, FILTERS.rules]

type Payload = Readonly<Record<string, unknown>> | undefined
const admin: Payload = { iss: 'https://entra.example', claims: { groups: ['admins'] } }
const guest: Payload = { iss: 'https://entra.example', claims: {} }
const builder: Payload = { iss: 'https://ci.example', claims: {} }

function ask({ routes, extensions }: EnvoyConfiguration, path: string, token: Payload, time = NOW, more: Partial<EvaluatedRequest> = {}) {
  const request: EvaluatedRequest = {
    host: 'a.example',
    method: 'GET',
    path,
    authorization: token && 'Bearer a.b.c',
    token: token && { header: {}, payload: token },
    time,
    ...more,
  }
  const { allowed, filter } = evaluateEnvoy(routes[0]!, ORDER, request, regexes, extensions)
  const { typedPerFilterConfig } = (routes[0]!['virtualHosts'] as readonly [{ readonly typedPerFilterConfig: Json }])[0]
  const seenBy = filter === FILTERS.callers ? [] : ORDER.filter((name) => name !== FILTERS.callers)
  const left = shadowsOf(
    seenBy.map((name) => [name, (typedPerFilterConfig[name] as Json)['rbac'] as Json]),
    request,
    regexes,
  )
  const would = left[OBSERVED.key] ?? (left[UNGRANTED.key] === UNGRANTED.value ? UNGRANTED.name : undefined)
  return [allowed ? 'allowed' : filter, would]
}

describe('a resource that is only observed', () => {
  const { made } = world('orders', ['orders'])
  test('lets through what is denied, says what would have denied it, and denies it from its end on', () => {
    assert.deepEqual(ask(made, '/nothing', guest), ['allowed', '(no-rule)'])
    assert.deepEqual(ask(made, '/nothing', undefined), ['allowed', '(no-rule)'])
    assert.deepEqual(ask(made, '/orders', admin), ['allowed', 'closed@entra'])
    assert.deepEqual(ask(made, '/nothing', guest, END - 1), ['allowed', '(no-rule)'])
    assert.deepEqual(ask(made, '/nothing', guest, END)[0], FILTERS.rules)
    assert.deepEqual(ask(made, '/nothing', undefined, END)[0], FILTERS.rules)
    assert.deepEqual(ask(made, '/orders', admin, END), [FILTERS.guardrails, undefined])
  })

  test('says nothing of what is granted, and of a guardrail as long as that is observed itself', () => {
    assert.deepEqual(ask(made, '/pages/a', admin), ['allowed', undefined])
    for (const time of [NOW, END, END + 59_999]) assert.deepEqual(ask(made, '/later', admin, time), ['allowed', 'later@entra'])
    assert.deepEqual(ask(made, '/later', admin, END + 60_000), [FILTERS.guardrails, undefined])
  })

  test('lets in no credential that is not good, and no request in another spelling', () => {
    const refused = [FILTERS.callers, undefined]
    assert.deepEqual(ask(made, '/a', undefined, NOW, { authorization: 'Bearer a.b.c' }), refused)
    assert.deepEqual(ask(made, '/a', undefined, NOW, { authorization: 'Basic YTpi' }), refused)
    assert.deepEqual(ask(made, '/a', guest, NOW, { authorization: 'Bearer a.b.c, Bearer d.e.f' }), refused)
    assert.deepEqual(ask(made, '/%61', guest), refused)
    assert.deepEqual(ask(made, '/a', guest, NOW, { method: 'get' }), refused)
    assert.deepEqual(ask(made, '/a', { iss: 'https://other.example' }), refused)
  })

  test('lets in whose issuer it does not accept, as our own door does, and nobody of them afterwards', () => {
    const wiki = world('wiki', ['wiki']).made
    assert.deepEqual(ask(wiki, '/pages/a', builder), ['allowed', '(no-rule)'])
    assert.deepEqual(ask(wiki, '/pages/a', builder, END)[0], FILTERS.rules)
    assert.deepEqual(ask(world('wiki', []).made, '/pages/a', builder), [FILTERS.callers, undefined])
  })

  test('has its scopes observed, too', () => {
    const wiki = world('wiki', ['wiki']).made
    const capped = { ...admin, capped: true, scope: 'Wiki.Write' }
    assert.deepEqual(ask(wiki, '/pages/a', capped), ['allowed', undefined])
    assert.deepEqual(ask(wiki, '/orders', capped), ['allowed', '(scope)@entra'])
    assert.deepEqual(ask(wiki, '/orders', capped, END), [FILTERS.guardrails, undefined])
  })
})

describe('what is only observed is proven', () => {
  for (const names of [['orders'], []])
    for (const tree of [undefined, { listUpTo: 1, leafUpTo: 1 }]) {
      const { made, prove } = world('orders', names, tree)
      const what = `${names.length > 0 ? 'a resource' : 'a guardrail'}${tree === undefined ? '' : ', in a tree of routes'}`
      test(what, () => {
        assert.equal(JSON.stringify(made.routes).includes('"matcherTree"'), tree !== undefined)
        assert.equal(prove(made), '')
      })
    }
})

type Tree = { [name: string]: unknown }

describe('a change of what is only observed is found', () => {
  const rbac = (tree: Tree, filter: string): Record<string, Tree> => {
    const [{ virtualHosts }] = tree['routes'] as readonly [
      { readonly virtualHosts: readonly [{ readonly typedPerFilterConfig: Record<string, { readonly rbac: Record<string, Tree> }> }] },
    ]
    return virtualHosts[0].typedPerFilterConfig[filter]!.rbac
  }
  const policies = (tree: Tree, filter: string, which: 'rules' | 'shadowRules'): Record<string, Tree> =>
    rbac(tree, filter)[which]!['policies'] as Record<string, Tree>
  const { made, prove } = world('orders', ['orders'])
  const changes: readonly (readonly [what: string, change: (tree: Tree) => void, said: RegExp])[] = [
    ['it never ends', (tree) => void delete policies(tree, FILTERS.rules, 'rules')['(observed)@entra']!['condition'], /wider/],
    [
      'it ends later',
      (tree) => {
        const policy = policies(tree, FILTERS.rules, 'rules')['(observed)']!
        const changed = JSON.stringify(policy).replace(observe.until, new Date(END + 1).toISOString())
        assert.notEqual(changed, JSON.stringify(policy))
        policies(tree, FILTERS.rules, 'rules')['(observed)'] = JSON.parse(changed) as Tree
      },
      /can not be read back: a condition/,
    ],
    ['it has ended', (tree) => void delete policies(tree, FILTERS.rules, 'rules')['(observed)'], /narrower/],
    [
      'a guardrail that has no end of observation is not enforced afterwards',
      (tree) => void delete policies(tree, FILTERS.guardrails, 'rules')['closed@entra'],
      /wider GET \/orders/,
    ],
    [
      'a guardrail is observed for good',
      (tree) => {
        const enforced = policies(tree, FILTERS.guardrails, 'rules')
        policies(tree, FILTERS.guardrails, 'shadowRules')['later@entra'] = { ...enforced['later@entra'] }
        delete enforced['later@entra']
      },
      /wider GET \/later/,
    ],
    [
      'nothing is said of a guardrail',
      (tree) => void delete policies(tree, FILTERS.guardrails, 'shadowRules')['later@entra'],
      /GET \/later of `entra` is not said to be denied once it is enforced/,
    ],
    [
      'nothing is said where no rule grants',
      (tree) => void (policies(tree, FILTERS.rules, 'shadowRules')['read@entra']!['principals'] = [{ any: true }]),
      /of `?[a-z ]+`? is not said to be denied once it is enforced/,
    ],
    [
      'something is said of what a rule grants',
      (tree) => void delete policies(tree, FILTERS.rules, 'shadowRules')['read@entra'],
      /is said to be denied once it is enforced, and will not be/,
    ],
    [
      'it is said under another name',
      (tree) => void ((rbac(tree, FILTERS.rules) as Tree)['shadowRulesStatPrefix'] = 'other_'),
      /tells under another name/,
    ],
    [
      'a matcher, which would decide instead of the rules',
      (tree) => void ((rbac(tree, FILTERS.rules) as Tree)['matcher'] = {}),
      /`ostiary\.rules` with `matcher`/,
    ],
  ]
  for (const [what, change, said] of changes)
    test(what, () => {
      const changed = structuredClone(made) as unknown as Tree
      change(changed)
      assert.match(prove(changed as unknown as EnvoyConfiguration), said)
    })
})
