import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KubernetesAction } from '../../../core/action.ts'
import { load, NOW, someone } from '../../../policy/testdata/world.ts'
import type { CompiledPolicy } from '../../../policy/index.ts'
import { isAuthorized, readRbac } from '../evaluate.ts'
import { requestsOf } from '../requests.ts'
import { actionOf, documentsOf, granting, targetOf, wiringOf } from '../testing.ts'
import { importKubernetes, type ImportedRoles } from './index.ts'

const RBAC = { apiVersion: 'rbac.authorization.k8s.io/v1' }
const roleOf = (name: string, rules: readonly object[], namespace?: string) => ({
  ...RBAC,
  kind: namespace === undefined ? 'ClusterRole' : 'Role',
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  rules,
})
const group = (name: string) => ({ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name })
const bindingOf = (name: string, role: string, subjects: readonly object[], namespace?: string, kind = 'ClusterRole') => ({
  ...RBAC,
  kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: role },
  subjects,
})
const imported = (documents: readonly object[], prefix?: string): ImportedRoles =>
  importKubernetes([{ file: 'all.json', text: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: documents }) }], { prefix })

/** What was written, as the engine reads it, in a world with the cluster. */
function policyIn({ files, diagnostics }: ImportedRoles): CompiledPolicy {
  assert.deepEqual(diagnostics, [])
  const texts = files.filter(({ path }) => path.startsWith('policy/')).map(({ path, text }) => ({ path, text }))
  const wiring = wiringOf()
  const { policy, diagnostics: found } = load(
    texts.map((one) => ({ ...one, text: one.text.replaceAll('issuer: people', 'issuer: entra') })),
    { wiring: { ...wiring, resources: { ...wiring.resources, cluster: wiring.resources['prod']! } } },
  )
  assert.deepEqual(
    found.filter(({ severity }) => severity === 'error').map(({ message }) => message),
    [],
    files.map(({ text }) => text).join('\n'),
  )
  return policy!
}
const may = (policy: CompiledPolicy, action: KubernetesAction, groups: readonly string[]): boolean =>
  policy.decide(policy.bind(someone({ claims: { groups: [...groups] } })), action, 'cluster', { time: NOW } as Parameters<
    CompiledPolicy['decide']
  >[3]).effect === 'allow'

describe('roles of a cluster as a policy', () => {
  it('read as if somebody had written them', () => {
    const { files, findings, counts } = imported([
      roleOf('pod-reader', [{ apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list', 'watch'] }]),
      roleOf('deployer', [{ apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['web'], verbs: ['patch', 'get'] }], 'shop'),
      bindingOf('read', 'pod-reader', [group('Dev Team')], 'shop'),
      bindingOf('read', 'pod-reader', [group('Dev Team')], 'bank'),
      bindingOf('deploy', 'deployer', [group('ci')], 'shop', 'Role'),
    ])
    assert.deepEqual(findings, [])
    assert.deepEqual(counts, { documents: 5, roles: 2, rules: 2 })
    assert.equal(
      files[1]!.text,
      `apiVersion: ostiary.dev/v1
roles:
  dev-team: { bind: [{ issuer: people, claim: groups, any: [Dev Team] }] }
  ci: { bind: [{ issuer: people, claim: groups, any: [ci] }] }
  # Whoever administers the gateway: write a group of yours.
  gateway-admin: { bind: [{ issuer: people, claim: groups, any: [gateway-admins] }] }

rules:
  # ClusterRole pod-reader
  - id: pod-reader
    role: dev-team
    resource: cluster
    actions:
      - 'get,list,watch pods -n bank,shop'
      - 'get,list,watch pods/log -n bank,shop'
  # Role shop/deployer
  - id: deployer
    role: ci
    resource: cluster
    actions:
      - 'get,patch deployments.apps web -n shop'
  - { id: administer, role: gateway-admin, resource: ostiary, actions: ['* /**'] }
`,
    )
  })

  it('say what is over-broad, what is for one person, and what was left out', () => {
    const { findings } = imported([
      roleOf('all', [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]),
      roleOf('way-in', [{ apiGroups: [''], resources: ['pods/exec', 'pods/*'], verbs: ['get'] }]),
      roleOf('grow', [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], verbs: ['bind', 'frobnicate'] }]),
      roleOf('look', [{ apiGroups: [''], resources: ['secrets', 'nodes/proxy'], verbs: ['get'] }]),
      { ...roleOf('sum', []), aggregationRule: { clusterRoleSelectors: [] } },
      ...['all', 'way-in', 'grow', 'look', 'sum', 'gone'].map((one) => bindingOf(`b-${one}`, one, [group('g')])),
      bindingOf('people', 'look', [
        { kind: 'User', name: 'ann@example.com' },
        { kind: 'ServiceAccount', name: 'bot', namespace: 'ci' },
        group('system:masters'),
        group('system:authenticated'),
      ]),
    ])
    const said = findings.map(({ kind, document, field, what }) => `${kind}: ${document} ${field}: ${what}`)
    const has = (pattern: RegExp): void =>
      assert.ok(
        said.some((one) => pattern.test(one)),
        `${String(pattern)} in\n${said.join('\n')}`,
      )
    has(/^over-broad: ClusterRole all rules\[0\]\.verbs: `\*` is also `escalate`/)
    has(/^over-broad: ClusterRole all rules\[0\]\.resources: `\*` is also `secrets`/)
    has(/^narrower: ClusterRole all rules\[0\]\.verbs: `\*` without `impersonate`/)
    has(/^over-broad: ClusterRole way-in rules\[0\]\.verbs: `get` of `pods\/exec`: before 1\.35/)
    has(/^narrower: ClusterRole way-in rules\[0\]\.verbs: `pods\/exec` without `create`/)
    has(/^narrower: ClusterRole way-in rules\[0\]\.resources: `pods\/\*` gives nothing/)
    has(/^over-broad: ClusterRole grow rules\[0\]\.verbs: `bind`/)
    has(/^narrower: ClusterRole grow rules\[0\]\.verbs: `frobnicate`/)
    has(/^over-broad: ClusterRole look rules\[0\]\.resources: all `secrets`/)
    has(/^over-broad: ClusterRole look rules\[0\]\.resources: `nodes\/proxy`/)
    has(/^narrower: ClusterRole sum aggregationRule/)
    has(/^narrower: ClusterRoleBinding b-gone roleRef: ClusterRole gone was not handed in/)
    has(/^per-user: ClusterRoleBinding people subjects\[0\]: user `ann@example\.com`/)
    has(/^per-user: ClusterRoleBinding people subjects\[1\]: service account `ci\/bot`/)
    has(/^over-broad: ClusterRoleBinding people subjects\[2\]: `system:masters`/)
    has(/^narrower: ClusterRoleBinding people subjects\[3\]: `system:authenticated` without service accounts/)
  })

  it('are taken for nothing where a text means something else to a policy', () => {
    const odd: readonly object[] = [
      { apiGroups: [''], resources: ['deployments.apps'], verbs: ['get'] },
      { apiGroups: ['core'], resources: ['pods'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods web'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods'], resourceNames: ['*'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods'], resourceNames: ['a,b'], verbs: ['get'] },
      { nonResourceURLs: ['pods', '/a*b', '*x', '/a b', '/..'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['Get', 'get,list'] },
    ]
    const all = imported([roleOf('odd', odd), bindingOf('b', 'odd', [group('g')])])
    assert.equal(all.counts.rules, 0, all.files[1]!.text)
    assert.ok(all.findings.length >= odd.length)
  })

  it('are those of groups that a token can have', () => {
    const { files, findings } = imported(
      [roleOf('r', [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }]), bindingOf('b', 'r', [group('oidc:dev'), group('other')])],
      'oidc:',
    )
    assert.match(files[1]!.text, /any: \[dev\]/)
    assert.deepEqual(
      findings.map(({ what }) => what),
      ['`other` does not begin with `oidc:`: it is of no token'],
    )
  })

  it('come back as they were compiled', () => {
    const actions = ['get,list pods -n shop', 'create pods/exec web -n shop', 'get nodes', 'get /healthz', 'patch */scale']
    const policy = policyIn(imported(documentsOf(granting(...actions), targetOf())))
    for (const text of [
      'get pods a -n shop',
      'create pods/exec web -n shop',
      'get nodes n',
      'get /healthz',
      'patch deployments.apps/scale a -n b',
    ])
      assert.ok(may(policy, actionOf(text), ['ostiary:developer']), text)
    for (const text of [
      'get pods a -n bank',
      'create pods/exec api -n shop',
      'list nodes',
      'get /healthz/',
      'patch deployments.apps a -n b',
    ])
      assert.ok(!may(policy, actionOf(text), ['ostiary:developer']), text)
  })

  it('are refused where they can not be read, whatever they are', () => {
    const texts = [
      '{',
      '[1',
      'a: &a [*a]',
      'kind: Role',
      '- kind: ClusterRole',
      JSON.stringify({ ...roleOf('x', []), metadata: {} }),
      JSON.stringify(roleOf('x', [{ verbs: [1] }])),
    ]
    for (const text of texts) assert.notDeepEqual(importKubernetes([{ file: 'f', text }]).diagnostics, [], text)
    fc.assert(
      fc.property(fc.anything({ maxDepth: 4 }), fc.string(), (value, text) => {
        for (const one of [
          text,
          JSON.stringify(value) ?? '',
          JSON.stringify({ ...RBAC, kind: 'ClusterRole', metadata: { name: 'x' }, rules: value }) ?? '',
        ])
          importKubernetes([{ file: 'f', text: one }])
      }),
      { numRuns: 300 },
    )
  })

  it('are never wider than they were', () => {
    const pick = (...all: readonly string[]) => fc.uniqueArray(fc.constantFrom(...all), { minLength: 1, maxLength: 3 })
    const rule = fc.oneof(
      fc.record({
        apiGroups: pick('', 'apps', '*', 'core', 'example.com'),
        resources: pick(
          'pods',
          '*',
          'pods/exec',
          'pods/*',
          '*/scale',
          'deployments',
          'deployments.apps',
          'namespaces',
          'pods/proxy',
          '*/attach',
          'serviceaccounts/token',
          'pods a',
        ),
        verbs: pick('*', 'get', 'create', 'list', 'delete', 'impersonate', 'patch', 'update', 'x'),
        resourceNames: fc.oneof(fc.constant([]), fc.constant([]), pick('web', '*', 'a,b', 'shop')),
      }),
      fc.record({ nonResourceURLs: pick('*', '/apis', '/apis/*', '/heal*', '/version/', 'pods', '/a*b'), verbs: pick('*', 'get', 'post') }),
    )
    const subjects = fc.uniqueArray(fc.constantFrom('g1', 'g2', 'system:authenticated', 'system:unauthenticated'), {
      minLength: 1,
      maxLength: 2,
    })
    const binding = fc.record({ role: fc.constantFrom('a', 'b'), subjects, namespace: fc.constantFrom(undefined, 'shop', 'team-a') })
    const action: fc.Arbitrary<KubernetesAction> = fc.oneof(
      fc
        .record({
          verb: fc.constantFrom('get', 'list', 'create', 'delete', 'impersonate', 'use', 'update'),
          group: fc.constantFrom('', 'apps', 'example.com'),
          resource: fc.constantFrom('pods', 'deployments', 'namespaces', 'serviceaccounts'),
          subresource: fc.constantFrom('', '', 'exec', 'scale', 'proxy', 'attach', 'token', 'log'),
          namespace: fc.constantFrom('', '*', 'shop', 'team-a', 'other'),
          name: fc.constantFrom('*', 'web', 'shop', 'a'),
        })
        .map((all) => ({ protocol: 'kubernetes' as const, ...all, path: '' })),
      fc
        .constantFrom('/apis', '/apis/', '/apis/x', '/health', '/heal', '/heal/x', '/version/', '/a')
        .map((path) => actionOf(`get ${path}`)),
    )
    const allowed = { count: 0 }
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 1, maxLength: 3 }),
        fc.array(rule, { minLength: 1, maxLength: 2 }),
        fc.array(binding, { minLength: 1, maxLength: 4 }),
        fc.array(action, { minLength: 20, maxLength: 30 }),
        (a, b, bindings, asked) => {
          const documents = [
            roleOf('a', a),
            roleOf('b', b),
            ...bindings.map((one, index) => bindingOf(`b${index}`, one.role, one.subjects.map(group), one.namespace)),
          ]
          const policy = policyIn(imported(documents))
          const rbac = readRbac(JSON.parse(JSON.stringify(documents)) as readonly unknown[])
          for (const one of asked)
            for (const groups of [[], ['g1'], ['g2'], ['g1', 'g2']]) {
              if (!may(policy, one, groups)) continue
              allowed.count++
              const who = { user: 'x', groups: [...groups, 'system:authenticated'] }
              // Who may read a path may also ask whether it is there.
              for (const request of requestsOf(one, who).filter(({ verb }) => verb !== 'head'))
                assert.ok(isAuthorized(rbac, request), JSON.stringify([one, groups, request]))
            }
        },
      ),
      { numRuns: 200 },
    )
    assert.ok(allowed.count > 100, `only ${allowed.count} were allowed`)
  })
})
