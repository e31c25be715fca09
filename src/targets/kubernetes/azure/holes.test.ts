/** Ways in which Azure grants more than was meant. Each is an error; and what says anything else than what was compiled is found. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { assertProven, documentsOf, granting, policyOf, proven, refusals } from '../testing.ts'
import { ASSUMED, azureTarget, CLUSTER, GROUP, READERS } from './testing.ts'

const refused = (...actions: readonly string[]) => refusals(granting(...actions), azureTarget()).join('\n')
const rule = (role: string) => `rules:\n  - { id: work, role: ${role}, resource: prod, actions: ['get,list,watch secrets'] }\n`

describe('holes of Azure’s roles', () => {
  it('names are none to it', () => {
    for (const action of ['get,list,watch secrets app', 'get namespaces shop', 'create pods/exec web -n shop'])
      assert.match(refused(action), /is for some names, and Azure’s data actions are for every name/)
    assert.match(refused('get pods web-*'), /its names are a pattern/)
    assertProven(
      granting('get,list,watch secrets', 'update,patch,create secrets', 'delete secrets *', 'deletecollection secrets'),
      azureTarget(),
    )
  })

  it('paths are none to it', () => {
    assert.match(refused('get /metrics'), /`get \/metrics` is a path, of which Azure knows GET alone and no HEAD/)
    assert.match(refused('* /logs/**'), /is a path/)
  })

  it('a `*` of it is for everything, and never written', () => {
    for (const action of ['get,list,watch *', 'get,list,watch * -n shop', 'get,list,watch pods/*', 'get,list,watch *.apps'])
      assert.match(refused(action), /`apiResources` of the target lists no resources/)
    assert.match(refused('get,update,patch */scale'), /has a `\*`: name resource and group/)
    assert.match(refused('get,list,watch deployments.*'), /has a `\*`: name resource and group/)
    const text = JSON.stringify(documentsOf(granting('* secrets', '* configmaps'), azureTarget()))
    assert.ok(!text.includes('*'))
  })

  it('custom resources, and what Kubernetes has besides, are no data actions', () => {
    for (const what of [
      'widgets.example.com',
      'resourceclaims.resource.k8s.io',
      'signers.certificates.k8s.io',
      'userextras.authentication.k8s.io',
    ])
      assert.match(
        refused(`${what.startsWith('signers') ? 'approve' : what.startsWith('user') ? 'impersonate' : 'get,list,watch'} ${what}`),
        /Azure has no data action for/,
      )
    assert.match(refused('get secrets/status'), /no API server serves `get secrets\/status`/)
    assert.match(refused('use secrets'), /no API server serves `use secrets`/)
  })

  it('it denies nothing, asks for nothing and has no conditions here', () => {
    const look = rule('reader')
    const said = (more: string, wiring = {}) => refusals(policyOf(`${look}${more}`, wiring), azureTarget(), wiring).join()
    assert.match(
      said(`guardrails:\n  - { id: no-prod, deny: ['* secrets'], resource: prod, for: [reader] }\n`),
      /`no-prod` can not be enforced by Azure roles for Kubernetes `prod`: its roles can grant, and deny nothing/,
    )
    const when = `  - { id: vip, role: reader, resource: prod, actions: ['get,list,watch events'], when: 'claims.vip == true' }\n`
    assert.match(said(when), /`vip` .*`when:` is a condition/)
    assert.match(said(when.replace(/when: .*\}/, 'peer: operator }')), /`peer:` asks who/)
    assert.match(said('', { scopes: { Look: ['get secrets'] } }), /`scopes:` are of tokens/)
    assert.match(said('', { observe: { until: '2030-01-01T00:00:00Z' } }), /`observe:` of the resource/)
    assert.match(said('', { record: 'strict' }), /`record: strict` wants a record before the effect/)
    assert.match(said('', { maxTokenLifetime: 3_600_000 }), /`maxTokenLifetime` is of tokens/)
  })

  it('nobody is assigned to but groups, by their object ids', () => {
    assert.match(refusals(policyOf(rule('operator')), azureTarget()).join(), /role `operator` is bound by `repository` of `ci`/)
    const bound = (claim: string) =>
      policyOf(
        rule('bot'),
        {},
        `roles:\n  bot: { bind: [{ issuer: entra, claim: ${claim}, any: [44444444-4444-4444-4444-444444444444], kind: workload }] }\n`,
      )
    assert.match(refusals(bound('oid'), azureTarget()).join(), /role `bot` is bound to an object id without a group \(`oid`\)/)
    assert.match(refusals(bound('groups'), azureTarget()).join(), /bound with `kind: workload`, which no group tells/)
  })

  it('a document that says anything else is found', () => {
    const policy = policyOf(`rules:
  - { id: look, role: reader, resource: prod, actions: ['get,list,watch configmaps -n shop'] }
  - { id: shell, role: developer, resource: prod, actions: [create pods/exec -n shop] }
  - { id: pods, role: reader, resource: prod, actions: ['get,list,watch pods -n shop', 'get pods/log -n shop', 'get pods/status -n shop', 'get pods/ephemeralcontainers -n shop', 'get pods/resize -n shop'] }
`)
    const config = azureTarget({ assume: [...ASSUMED, 'proxied-requests'] })
    const documents = documentsOf(policy, config)
    assertProven(policy, config)
    const whole = JSON.stringify(documents)
    const PROVIDER = 'Microsoft.ContainerService/managedClusters'
    const dataActions = (...all: readonly string[]) => `"dataActions":${JSON.stringify(all.map((one) => `${PROVIDER}/${one}`))}`
    const own = dataActions('configmaps/read', 'pods/read')
    const changed: readonly (readonly [string, string | RegExp, string, 'wider' | 'narrower' | 'problem' | 'unread'])[] = [
      ['another action', own, dataActions('configmaps/read', 'pods/read', 'configmaps/write'), 'wider'],
      ['another resource', own, dataActions('configmaps/read', 'pods/read', 'secrets/read'), 'wider'],
      ['a resource of another group', own, dataActions('configmaps/read', 'pods/read', 'apps/deployments/read'), 'wider'],
      ['custom resources', own, dataActions('configmaps/read', 'pods/read', 'customresources/read'), 'wider'],
      ['a custom resource', own, dataActions('configmaps/read', 'pods/read', 'example.com/widgets/read'), 'wider'],
      ['a way in', own, dataActions('configmaps/read', 'pods/exec/action', 'pods/read'), 'wider'],
      ['an action less', own, dataActions('pods/read'), 'narrower'],
      ['reading of all', own, dataActions('*/read'), 'wider'],
      ['writing of another resource', own, dataActions('configmaps/read', 'pods/read', 'secrets/write'), 'wider'],
      ['removal of another resource', own, dataActions('configmaps/read', 'pods/read', 'apps/deployments/delete'), 'wider'],
      ['writing of custom resources', own, dataActions('configmaps/read', 'pods/read', 'customresources/write'), 'wider'],
      ['another’s name', own, dataActions('configmaps/read', 'pods/read', 'serviceaccounts/impersonate/action'), 'wider'],
      ['all of pods', own, dataActions('configmaps/read', 'pods/*'), 'wider'],
      ['everything', own, dataActions('*'), 'wider'],
      ['a `*` within a name', own, dataActions('configmaps/read', 'pods/read', '*ecre*/read'), 'wider'],
      ['in capitals', own, dataActions('configmaps/read', 'pods/read', 'SECRETS/READ'), 'wider'],
      ['what is taken away', '"notDataActions":[]', `"notDataActions":["${PROVIDER}/*"]`, 'narrower'],
      ['the whole cluster', /\/namespaces\/shop\/providers/g, '/providers', 'wider'],
      ['another namespace', /\/namespaces\/shop\/providers/g, '/namespaces/bank/providers', 'wider'],
      ['a namespace of Azure', /\/namespaces\/shop\/providers/, '/managedNamespaces/bank/providers', 'wider'],
      ['the resource group', /"id":"[^"]*\/namespaces\/shop(\/providers[^"]*)"/, `"id":"${GROUP}$1"`, 'problem'],
      ['the resource group', /"id":"[^"]*\/namespaces\/shop(\/providers[^"]*)"/, `"id":"${GROUP}$1"`, 'wider'],
      ['another cluster', /"id":"[^"]*\/namespaces\/shop(\/providers[^"]*)"/, `"id":"${CLUSTER}2/namespaces/shop$1"`, 'problem'],
      ['another group', `"principalId":"${READERS}"`, '"principalId":"99999999-9999-9999-9999-999999999999"', 'wider'],
      ['a user', '"principalType":"Group"', '"principalType":"User"', 'problem'],
      ['an application', '"principalType":"Group"', '"principalType":"ServicePrincipal"', 'problem'],
      [
        'a role of Azure itself',
        /roleDefinitions\/[0-9a-f-]{36}","principalId/,
        'roleDefinitions/b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b","principalId',
        'problem',
      ],
      [
        'rights over Azure',
        '"actions":[]',
        '"actions":["Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action"]',
        'problem',
      ],
      ['a definition for elsewhere', `"assignableScopes":["${GROUP}"]`, `"assignableScopes":["${GROUP}2"]`, 'problem'],
      ['a condition', '"principalType":"Group"', '"principalType":"Group","condition":"true"', 'unread'],
      ['another field', '"actions":[]', '"Actions":[]', 'unread'],
      ['a built-in role', '"type":"CustomRole"', '"type":"BuiltInRole"', 'unread'],
      ['another name', /"name":"[0-9a-f-]{36}"/, '"name":"99999999-9999-9999-9999-999999999999"', 'unread'],
    ]
    for (const [what, from, to, found] of changed) {
      const text = whole.replace(from, to)
      assert.notEqual(text, whole, what)
      const proof = proven(policy, JSON.parse(text) as typeof documents, config)
      const directions = proof.counterexamples.map(({ direction }) => direction)
      if (found === 'problem') assert.notDeepEqual(proof.problems, [], what)
      else if (found === 'unread') assert.notDeepEqual(proof.notProven, [], what)
      else assert.ok(directions.includes(found), `${what}: ${JSON.stringify(proof.counterexamples)} ${proof.notProven.join()}`)
    }
    const everywhere = granting('get,list,watch secrets')
    const path = JSON.stringify(documentsOf(everywhere, config)).replace(
      dataActions('secrets/read'),
      dataActions('metrics/read', 'secrets/read'),
    )
    assert.match(
      JSON.stringify(proven(everywhere, JSON.parse(path) as typeof documents, config).counterexamples),
      /"actions":"get \/metrics"/,
    )
    const more = (one: (typeof documents)[number]) => proven(policy, [...documents, one], config)
    assert.match(more(documents[0]!).notProven.join(), /two of/)
    assert.deepEqual(
      proven(
        policy,
        documents.filter(({ type }) => type === 'Microsoft.Authorization/roleDefinitions'),
        config,
      ).counterexamples.every(({ direction }) => direction === 'narrower'),
      true,
    )
  })
})
