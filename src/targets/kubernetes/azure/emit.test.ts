import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { assertProven, compiled, documentsOf as written, granting, policyOf, proven, refusals, targetOf } from '../testing.ts'
import { answers, ASSUMED, azureTarget, CLUSTER, DEVELOPERS, givenBy, GROUP, OTHERS, READERS } from './testing.ts'

const documentsOf = (...[policy, config = azureTarget()]: Parameters<typeof written>) => written(policy, config)
const refused = (...actions: readonly string[]) => refusals(granting(...actions), azureTarget()).join('\n')
const RULES = `rules:
  - { id: look, role: reader, resource: prod, actions: ['get,list,watch configmaps -n shop'] }
`
const SENT_ON = { assume: [...ASSUMED, 'proxied-requests'] }
/** All that Azure takes for reading pods, from 1.35 on. */
const PODS = ['get,list,watch pods', 'get pods/log', 'get pods/status', 'get pods/ephemeralcontainers', 'get pods/resize']

describe('what a policy comes to in Azure', () => {
  it('writes a definition and an assignment for a group at a scope, as Azure has them', () => {
    const [definition, assignment, ...more] = documentsOf(policyOf(RULES))
    assert.deepEqual(more, [])
    // As `uuid5` of Python makes them.
    const [name, other] = ['395e2286-eb5b-5ba3-8697-988856adeeb0', '63adf654-b815-5a26-8dc2-240444c366bb']
    assert.deepEqual(definition, {
      id: `${GROUP}/providers/Microsoft.Authorization/roleDefinitions/${name}`,
      type: 'Microsoft.Authorization/roleDefinitions',
      name,
      properties: {
        roleName: `ostiary prod ${name}`,
        description: `What group ${READERS} may do in \`shop\` of \`prod\`, by the policy of target \`prod\``,
        type: 'CustomRole',
        permissions: [
          {
            actions: [],
            notActions: [],
            dataActions: ['Microsoft.ContainerService/managedClusters/configmaps/read'],
            notDataActions: [],
          },
        ],
        assignableScopes: [GROUP],
      },
    })
    assert.deepEqual(assignment, {
      id: `${CLUSTER}/namespaces/shop/providers/Microsoft.Authorization/roleAssignments/${other}`,
      type: 'Microsoft.Authorization/roleAssignments',
      name: other,
      properties: {
        roleDefinitionId: `/subscriptions/6f1c2a34-7b58-4c1d-9e0f-2a3b4c5d6e7f/providers/Microsoft.Authorization/roleDefinitions/${name}`,
        principalId: READERS,
        principalType: 'Group',
      },
    })
    assertProven(policyOf(RULES), azureTarget())
  })

  it('names them by cluster, target, group and scope alone: what a group may do there is changed in place', () => {
    const names = (...actions: readonly string[]) => documentsOf(granting(...actions)).map(({ id }) => id)
    assert.deepEqual(names('get,list,watch secrets'), names('create,update,patch configmaps', 'get,list,watch secrets'))
    const [one] = names('get,list,watch secrets')
    assert.ok(!names('get,list,watch secrets -n shop').includes(one))
    const elsewhere = azureTarget({ azure: { cluster: CLUSTER.replace('/prod', '/other') } })
    assert.ok(!documentsOf(granting('get,list,watch secrets'), elsewhere).some(({ id }) => id === one))
    assert.equal(new Set(names('get,list,watch secrets')).size, 4, 'one of each for each group')
    const odd = CLUSTER.replace('/shop/', '/providers/')
    const [definition] = documentsOf(granting('get,list,watch secrets'), azureTarget({ azure: { cluster: odd } }))
    assert.deepEqual((definition!['properties'] as { readonly assignableScopes: unknown }).assignableScopes, [
      GROUP.replace('/shop', '/providers'),
    ])
  })

  it('gives every group what its roles grant, in the namespaces that they are for', () => {
    const policy = policyOf(`rules:
  - { id: a, role: [reader, developer], resource: prod, actions: ['get,list,watch secrets'] }
  - { id: b, role: developer, resource: prod, actions: ['create,update,patch secrets -n shop', 'get,list,watch secrets -n shop', 'create pods/exec -n bank'] }
`)
    const documents = documentsOf(policy)
    assert.deepEqual(givenBy(documents), {
      [READERS.slice(0, 8)]: ['secrets/read'],
      [DEVELOPERS.slice(0, 8)]: ['secrets/read'],
      [`${DEVELOPERS.slice(0, 8)}/namespaces/bank`]: ['pods/exec/action'],
      [`${DEVELOPERS.slice(0, 8)}/namespaces/shop`]: ['secrets/write'],
      [OTHERS.slice(0, 8)]: ['secrets/read'],
      [`${OTHERS.slice(0, 8)}/namespaces/bank`]: ['pods/exec/action'],
      [`${OTHERS.slice(0, 8)}/namespaces/shop`]: ['secrets/write'],
    })
    assert.deepEqual(answers(documents, 'create pods/exec web -n bank', DEVELOPERS), [true, true])
    assert.deepEqual(answers(documents, 'create pods/exec web -n shop', DEVELOPERS), [false, false])
    assert.deepEqual(answers(documents, 'list secrets -A', READERS), [true])
    assertProven(policy, azureTarget())
  })

  it('takes together what several rules grant to one group, and nothing of what another has', () => {
    const parts = `  - { id: a, role: developer, resource: prod, actions: ['get,list secrets'] }\n`
    const rest = (role: string) => `  - { id: b, role: ${role}, resource: prod, actions: ['watch secrets'] }\n`
    assertProven(policyOf(`rules:\n${parts}${rest('developer')}`), azureTarget())
    assert.match(
      refusals(policyOf(`rules:\n${parts}${rest('reader')}`), azureTarget()).join('\n'),
      /`a` can not be enforced .* Azure’s `secrets\/read` is also `watch secrets`, which nothing grants to the same people everywhere/,
    )
  })

  it('reads nothing where reading would be more, and says what', () => {
    assert.match(
      refused('get deployments.apps -n shop'),
      /`apps\/deployments\/read` is also `list deployments\.apps`, `watch deployments\.apps`, `get deployments\.apps\/status`, `get deployments\.apps\/scale`, which nothing grants to the same people in `shop`/,
    )
    assert.match(refused('patch deployments.apps/scale -n shop'), /`apps\/deployments\/write` is also `create deployments\.apps`/)
    assert.match(refused('create,update,patch serviceaccounts'), /`serviceaccounts\/write` is also `create serviceaccounts\/token`/)
    assert.match(refused('get,list,watch nodes', 'get nodes/status'), /`nodes\/read` is also `create nodes\/proxy`/)
    assertProven(granting('get,list,watch deployments.apps', 'get deployments.apps/status', 'get deployments.apps/scale'), azureTarget())
    assertProven(
      granting('delete,deletecollection secrets', 'impersonate users', 'escalate,bind roles.rbac.authorization.k8s.io'),
      azureTarget(),
    )
  })

  it('needs it said that reading pods is reading from them', () => {
    assert.match(refused(...PODS), /can not tell what is done to pods and services from what is sent on to them.*\(`pods\/proxy`\)/)
    const documents = documentsOf(granting(...PODS), azureTarget(SENT_ON))
    assert.deepEqual(answers(documents, 'create pods/proxy web -n shop', DEVELOPERS), [true, false, false, false, false])
    const { residues } = compiled(granting(...PODS), azureTarget(SENT_ON))
    assert.ok(residues.some(({ effect, text }) => effect === 'assumed' && text.startsWith('proxied-requests: ')))
    assertProven(granting(...PODS), azureTarget(SENT_ON))
    assert.match(
      proven(granting(...PODS), documents, azureTarget())
        .counterexamples.map(({ actions }) => actions)
        .join(),
      /create pods\/proxy/,
    )
  })

  it('knows that before 1.35 reading pods was a way into them', () => {
    const older = azureTarget({ ...SENT_ON, version: '1.34' })
    assert.match(
      refusals(granting(...PODS), older).join(),
      /`pods\/read` is also `create pods\/attach`, `create pods\/portforward`, which nothing grants/,
    )
    const documents = documentsOf(granting(...PODS), azureTarget(SENT_ON))
    const found = proven(granting(...PODS), documents, older).counterexamples
    assert.deepEqual(
      [...new Set(found.map(({ direction, actions }) => `${direction} ${actions.replace(/ -n.*| \*.*/, '')}`))].filter((one) =>
        /attach|portforward/.test(one),
      ).length > 0,
      true,
    )
  })

  it('gives all of pods where all of them is granted', () => {
    const all = [
      '* pods -n shop',
      ...['attach', 'exec', 'portforward', 'proxy', 'binding', 'eviction'].map((one) => `create pods/${one} -n shop`),
      ...['ephemeralcontainers', 'status', 'resize'].map((one) => `get,update,patch pods/${one} -n shop`),
      'get pods/log -n shop',
    ]
    for (const version of ['1.30', '1.36']) assertProven(granting(...all), azureTarget({ version }))
    assert.deepEqual(Object.values(givenBy(documentsOf(granting(...all))))[0], [
      'pods/delete',
      'pods/exec/action',
      'pods/read',
      'pods/write',
    ])
  })

  it('leaves to the cluster what it gives everybody, and assigns nothing else to everybody', () => {
    const policy = policyOf(`rules:
  - { id: health, role: everyone, resource: prod, actions: [get /livez] }
  - { id: discover, role: [authenticated, reader], resource: prod, actions: [get /apis/**, create selfsubjectaccessreviews.authorization.k8s.io] }
`)
    assert.deepEqual(documentsOf(policy), [])
    assert.match(
      JSON.stringify(compiled(policy, azureTarget()).residues),
      /`health`: `get \/livez` is left to the roles that each cluster has/,
    )
    assertProven(policy, azureTarget())
    for (const role of ['everyone', 'authenticated'])
      assert.match(
        refusals(
          policyOf(`rules:\n  - { id: all, role: ${role}, resource: prod, actions: ['get,list,watch secrets'] }\n`),
          azureTarget(),
        ).join(),
        new RegExp(`there is no group for \`${role}\``),
      )
  })

  it('takes `*` and patterns of namespaces for what the wiring lists', () => {
    const config = azureTarget({ namespaces: ['team-a', 'shop'], apiResources: ['configmaps', 'secrets', 'events'] })
    const policy = granting('get,list,watch * -n team-*')
    assert.deepEqual(Object.keys(givenBy(documentsOf(policy, config))), [
      `${DEVELOPERS.slice(0, 8)}/namespaces/team-a`,
      `${OTHERS.slice(0, 8)}/namespaces/team-a`,
    ])
    assert.equal(compiled(policy, config).residues.filter(({ effect }) => effect === 'narrower').length, 2)
    assertProven(policy, config)
  })

  it('is told on what it relies', () => {
    assert.deepEqual(
      refusals(policyOf(RULES), azureTarget({ assume: [] })).map((one) =>
        /can not tell (.{20})|(gives by itself)/
          .exec(one)
          ?.slice(1)
          .find((text) => text !== undefined),
      ),
      ['gives by itself', 'whether somebody act', 'whether a token, a s', 'whether what is aske'],
    )
  })

  it('is wired for groups of Entra, and for nothing that kubectl applies', () => {
    const azure = { cluster: CLUSTER }
    assert.throws(() => targetOf({ azure }), /write `subjects: object-ids`/)
    assert.throws(() => azureTarget({ context: 'prod' }), /leave out `context`/)
    for (const cluster of ['prod', GROUP, `${CLUSTER}/namespaces/shop`, CLUSTER.replace('managedClusters', 'fleets'), `${CLUSTER}?x`])
      assert.throws(() => azureTarget({ azure: { cluster } }), /write what `az aks show --query id` prints/, cluster)
  })
})
