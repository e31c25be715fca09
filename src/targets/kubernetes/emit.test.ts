import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allows, assertProven, compiled, documentsOf, granting, policyOf, proven, refusals, targetOf } from './testing.ts'

const RULES = `rules:
  - { id: look, role: [reader, developer], resource: prod, actions: ['get,list,watch pods,pods/log' ] }
`.replace('pods,pods/log', 'pods')

describe('what a policy comes to in a cluster', () => {
  it('writes a role and a binding for a rule, of groups alone', () => {
    const [role, binding, ...more] = documentsOf(policyOf(RULES))
    assert.deepEqual(more, [])
    assert.deepEqual(role, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: {
        name: (role!['metadata'] as { readonly name: string }).name,
        labels: { 'ostiary.dev/target': 'prod', 'ostiary.dev/resource': 'prod', 'ostiary.dev/revision': 'a'.repeat(40) },
        annotations: { 'ostiary.dev/rules': 'look' },
      },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] }],
    })
    const { name } = role['metadata'] as { readonly name: string }
    assert.match(name, /^ostiary-look-[0-9a-f]{16}$/)
    assert.equal(binding?.['kind'], 'ClusterRoleBinding')
    assert.deepEqual(binding?.['roleRef'], { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name })
    assert.deepEqual(binding?.['subjects'], [
      { kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'ostiary:developer' },
      { kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'ostiary:reader' },
    ])
    assertProven(policyOf(RULES))
  })

  it('keeps what is in a namespace to roles of it', () => {
    const policy = granting('get,list pods -n shop,bank', 'patch deployments.apps/scale web -n shop', 'get nodes')
    const documents = documentsOf(policy)
    assert.deepEqual(
      documents.map(({ kind, metadata }) => [kind, (metadata as { readonly namespace?: string }).namespace]),
      [
        ['ClusterRole', undefined],
        ['Role', 'bank'],
        ['Role', 'shop'],
        ['ClusterRoleBinding', undefined],
        ['RoleBinding', 'bank'],
        ['RoleBinding', 'shop'],
      ],
    )
    const may = (text: string) => allows(documents, text, 'ostiary:developer')
    assert.deepEqual(
      ['list pods -n shop', 'list pods -A', 'patch deployments.apps/scale web -n shop', 'patch deployments.apps/scale web -n bank'].map(
        may,
      ),
      [true, false, true, false],
    )
    assert.deepEqual(['get nodes n1', 'list nodes'].map(may), [true, false])
    assertProven(policy)
  })

  it('names what says something else otherwise, and what says the same alike', () => {
    const names = (...actions: readonly string[]) =>
      documentsOf(granting(...actions)).map(({ metadata }) => (metadata as { readonly name: string }).name)
    assert.deepEqual(names('get pods', 'get nodes'), names('get nodes', 'get pods'))
    assert.equal(
      names('get pods').some((one) => names('get pods', 'list pods').includes(one)),
      false,
    )
  })

  it('writes paths as the API server reads them', () => {
    const policy = granting('get /apis/**', 'get /version', '* /healthz/**')
    const documents = documentsOf(policy)
    const [role] = documents
    assert.deepEqual(role!['rules'], [
      { nonResourceURLs: ['/apis/*'], verbs: ['get', 'head'] },
      { nonResourceURLs: ['/healthz/*'], verbs: ['delete', 'get', 'head', 'options', 'patch', 'post', 'put'] },
      { nonResourceURLs: ['/version'], verbs: ['get', 'head'] },
    ])
    const may = (text: string) => allows(documents, text, 'ostiary:developer')
    assert.deepEqual(['get /apis', 'get /apis/', 'get /apis/apps/v1', 'post /apis/a', 'get /versions'].map(may), [
      false,
      true,
      true,
      false,
      false,
    ])
    assertProven(policy)
  })

  it('gives everybody to the groups of everybody, and who signed in to a group of their own', () => {
    const policy = policyOf(`rules:
  - { id: health, role: everyone, resource: prod, actions: [get /livez] }
  - { id: discover, role: authenticated, resource: prod, actions: [get /api] }
`)
    const documents = documentsOf(policy)
    const subjects = documents.flatMap(({ subjects: all = [] }) => (all as readonly { readonly name: string }[]).map(({ name }) => name))
    assert.deepEqual(subjects.toSorted(), ['ostiary:authenticated', 'system:authenticated', 'system:unauthenticated'])
    assert.equal(allows(documents, 'get /api', 'system:authenticated'), false, 'service accounts are no identities of an issuer')
    assertProven(policy)
  })

  it('takes `*` for what the wiring lists, and says what gets nothing by it', () => {
    const config = targetOf({
      apiResources: ['pods', 'pods/log', 'pods/exec', 'deployments.apps', 'deployments.apps/scale', 'widgets.example.com'],
    })
    const policy = granting('* *')
    const documents = documentsOf(policy, config)
    const texts = JSON.stringify(documents)
    assert.ok(!texts.includes('"*"') && !texts.includes('exec'), 'no `*`, and no way in')
    const may = (text: string) => allows(documents, text, 'ostiary:developer')
    assert.deepEqual(
      ['get pods/log a -n b', 'create pods/exec a -n b', 'delete widgets.example.com a -n b', 'get secrets a -n b'].map(may),
      [true, false, true, false],
    )
    assert.deepEqual(
      compiled(policy, config).residues.filter(({ effect }) => effect === 'narrower'),
      [{ effect: 'narrower', text: '`work`: resources that are not in `apiResources` (`* *`)' }],
    )
    assertProven(policy, config)
  })

  it('takes patterns of namespaces for those that the wiring lists', () => {
    const config = targetOf({ namespaces: ['team-a', 'team-b', 'shop'] })
    const policy = granting('get pods -n team-*', 'list pods -n team-z*,shop')
    const documents = documentsOf(policy, config)
    const may = (text: string) => allows(documents, text, 'ostiary:developer')
    assert.deepEqual(['get pods a -n team-a', 'get pods a -n shop', 'get pods a -n team-c', 'list pods -n shop'].map(may), [
      true,
      false,
      false,
      true,
    ])
    assert.equal(compiled(policy, config).residues.filter(({ effect }) => effect === 'narrower').length, 2)
    assertProven(policy, config)
  })

  it('leaves everything to the gateway where that is asked, and writes whom to ask', () => {
    const authorization = { webhook: { url: 'https://ostiary.example/reviews', credential: { tokenFile: '/etc/ostiary/token' } } }
    const config = targetOf({ authorization })
    const policy = policyOf(`${RULES}guardrails:\n  - { id: no-prod, deny: ['* secrets'], resource: prod, for: [reader] }\n`)
    assert.deepEqual(documentsOf(policy, config), [], 'no role gives anything')
    const [configuration, kubeconfig] = compiled(policy, config).needs!.map(({ document }) => document)
    const { apiVersion, authorizers } = configuration as {
      readonly apiVersion: string
      readonly authorizers: readonly [{ readonly webhook: object }]
    }
    assert.equal(apiVersion, 'apiserver.config.k8s.io/v1')
    assert.deepEqual(
      authorizers.map((one) => (one as { readonly type?: string }).type),
      ['Webhook', 'Node', 'RBAC'],
    )
    assert.deepEqual(authorizers[0].webhook, {
      subjectAccessReviewVersion: 'v1',
      matchConditionSubjectAccessReviewVersion: 'v1',
      failurePolicy: 'Deny',
      timeout: '3s',
      authorizedTTL: '10s',
      unauthorizedTTL: '10s',
      connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: '/etc/kubernetes/ostiary.kubeconfig' },
      matchConditions: [
        {
          expression: 'request.user.startsWith("ostiary:") || (has(request.groups) && request.groups.exists(g, g.startsWith("ostiary:")))',
        },
      ],
    })
    assert.match(JSON.stringify(kubeconfig), /"server":"https:\/\/ostiary\.example\/reviews".*"tokenFile":"\/etc\/ostiary\/token"/)
    const proof = proven(policy, undefined, config)
    assert.deepEqual([proof.delegated, proof.problems, proof.notProven], [true, [], []])
    const bound = proven(policy, documentsOf(granting('get pods')), config)
    assert.deepEqual(bound.problems, ['roles are bound, and the gateway is to be asked about everything'])
    assert.match(refusals(policy, targetOf({ authorization, prefix: 'other:' })).join(), /the gateway knows people by `ostiary:`/)
    const scoped = { scopes: { Look: ['get pods'] } }
    assert.match(refusals(policyOf(RULES, scoped), config, scoped).join(), /`scopes:` are of tokens, of which an API server hands on none/)
  })

  it('writes nothing of a resource that is no cluster', () => {
    assert.deepEqual(refusals(policyOf(RULES), targetOf({ resource: 'orders' })), [
      'Kubernetes `prod` is to carry `orders`, which is no resource that speaks Kubernetes',
    ])
  })

  it('is told what every cluster gives by itself, or that it does no harm', () => {
    const [given, ...more] = refusals(policyOf(RULES), targetOf({ assume: [] }))
    assert.deepEqual(more, [])
    assert.match(given!, /gives by itself what no rule of `prod` gives: `everyone`: `get \/healthz`.*; `authenticated`: `get \/api`/)
    const said = policyOf(`rules:
  - { id: health, role: everyone, resource: prod, actions: [get /healthz, get /livez, get /readyz, get /version, get /version/] }
  - { id: discover, role: authenticated, resource: prod, actions: [get /api, get /apis, get /openapi, get /api/**, get /apis/**, get /openapi/**] }
  - id: self
    role: authenticated
    resource: prod
    actions:
      - create selfsubjectreviews.authentication.k8s.io
      - create selfsubjectaccessreviews.authorization.k8s.io
      - create selfsubjectrulesreviews.authorization.k8s.io
`)
    assert.deepEqual(refusals(said, targetOf({ assume: ['canonical-paths'] })), [])
    assertProven(said)
  })
})
