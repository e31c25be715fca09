/** Ways in which a role grants more than was meant. Each is an error, or written as what it means; none goes by unseen. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allows, assertProven, documentsOf, granting, policyOf, proven, refusals, targetOf } from './testing.ts'

const DEVELOPER = 'ostiary:developer'

function refusedFor(statements: string, more: Readonly<Record<string, unknown>> = {}): readonly string[] {
  return refusals(policyOf(statements, more), targetOf(), more)
}

describe('holes of role-based access control', () => {
  it('`*` of resources is for ways in as well: it is listed, or refused', () => {
    for (const action of ['* *', 'get *', 'get *.apps', 'get pods/*', 'list * -n shop'])
      assert.deepEqual(refusals(granting(action)), [
        '`work` can not be enforced by Kubernetes `prod`: `*` of a role is also for `pods/exec` and all other ways in, and `apiResources` of the target lists no resources',
      ])
  })

  it('no verb is ever `*`: it would be impersonate, bind and escalate too', () => {
    const documents = documentsOf(granting('* pods', '* clusterroles.rbac.authorization.k8s.io', '* /metrics'))
    assert.ok(!JSON.stringify(documents).includes('"*"'))
    for (const verb of ['escalate', 'bind'])
      assert.equal(allows(documents, `${verb} clusterroles.rbac.authorization.k8s.io admin`, DEVELOPER), false)
  })

  it('`get` of pods/exec alone is a way in before 1.35, and `create` alone one over SPDY: both, or none', () => {
    const documents = documentsOf(granting('create pods/exec web -n shop', 'create services/proxy'))
    assert.equal(allows(documents, 'create pods/exec web -n shop', DEVELOPER), true, 'by both')
    assert.equal(allows(documents, 'create services/proxy web -n shop', DEVELOPER), true, 'by every method')
    assert.equal(allows(documents, 'create pods/exec api -n shop', DEVELOPER), false)
    assert.equal(allows(documents, 'create pods/attach web -n shop', DEVELOPER), false)
    assertProven(granting('create pods/exec web -n shop', 'create services/proxy', 'create */portforward'))
  })

  it('`get,list,watch` of pods is no way into them', () => {
    const documents = documentsOf(granting('get,list,watch pods', 'get pods/log'))
    for (const one of ['exec', 'attach', 'portforward', 'proxy'])
      assert.equal(allows(documents, `create pods/${one} web -n shop`, DEVELOPER), false)
  })

  it('`pods/*` is nothing to a role, and every subresource to a policy: it is listed, or refused', () => {
    const config = targetOf({ apiResources: ['pods', 'pods/log', 'pods/exec', 'pods/status'] })
    const documents = documentsOf(granting('get pods/*'), config)
    assert.ok(!JSON.stringify(documents).includes('pods/*'))
    assert.deepEqual(
      ['get pods/log a -n b', 'get pods/status a -n b', 'get pods a -n b'].map((one) => allows(documents, one, DEVELOPER)),
      [true, true, false],
    )
    assertProven(granting('get pods/*'), config)
  })

  it('names bind neither `create` nor a list of all', () => {
    const policy = granting('get,list,create,deletecollection configmaps app -n shop')
    const documents = documentsOf(policy)
    assert.deepEqual(
      [
        'get configmaps app -n shop',
        'list configmaps app -n shop',
        'list configmaps -n shop',
        'create configmaps -n shop',
        'deletecollection configmaps -n shop',
      ].map((one) => allows(documents, one, DEVELOPER)),
      [true, true, false, false, false],
    )
    assertProven(policy)
  })

  it('patterns of names are none to a role', () => {
    for (const action of ['get pods web-*', 'list pods * -n shop', 'create pods/exec web-* -n shop'])
      assert.match(refusals(granting(action)).join(), /its names are a pattern \(`.+`\), and roles have names alone/)
    assertProven(granting('get,delete pods * -n shop'))
  })

  it('patterns of namespaces are none to a binding', () => {
    for (const action of ['get pods -n team-*', 'get pods -n *', 'get pods -n shop,team-*'])
      assert.match(
        refusals(granting(action)).join(),
        /its namespaces are a pattern \(`.+`\), of which `namespaces` of the target lists none/,
      )
  })

  it('a `*` within a path is none to a role, where it would be all that begins so', () => {
    for (const action of ['get /healthz*', 'get /api/*', 'get /logs/*/x', 'get /a*/**'])
      assert.match(refusals(granting(action)).join(), /has a `\*` in its path: a role has `\/\*\*` alone, at the end/)
  })

  it('below a path any spelling is met: it is assumed, or refused', () => {
    assert.match(
      refusals(granting('get /logs/**'), targetOf({ assume: ['default-roles'] })).join(),
      /can not tell a path in another spelling \(`\/\/`, `\.\.`, escapes\) from what it ends with \(`\/logs\/`\)/,
    )
  })

  it('a namespace is in itself', () => {
    const policy = granting('get,delete,list namespaces -n shop', 'get namespaces bank', 'create namespaces')
    const documents = documentsOf(policy)
    assert.deepEqual(
      [
        'get namespaces shop',
        'delete namespaces shop',
        'get namespaces bank',
        'delete namespaces bank',
        'list namespaces',
        'create namespaces',
      ].map((one) => allows(documents, one, DEVELOPER)),
      [true, true, true, false, false, true],
    )
    assertProven(policy)
  })

  it('roles deny nothing and ask for nothing', () => {
    const rule = `rules:\n  - { id: look, role: reader, resource: prod, actions: [get pods] }\n`
    const [deny] = refusedFor(`${rule}guardrails:\n  - { id: no-prod, deny: ['* secrets'], resource: prod, for: [reader] }\n`)
    assert.match(deny!, /`no-prod` can not be enforced by Kubernetes `prod`: its roles can grant, and deny nothing/)
    const [mfa] = refusedFor(
      `${rule}guardrails:\n  - { id: mfa, require: { approval: { from: [developer] } }, actions: ['delete pods'], resource: prod, for: [reader] }\n`,
    )
    assert.match(mfa!, /its roles can grant, and ask for nothing more/)
  })

  it('roles have no condition and see no peer', () => {
    assert.match(
      refusedFor(`rules:\n  - { id: a, role: reader, resource: prod, actions: [get pods], when: 'claims.vip == true' }\n`).join(),
      /`when:` is a condition/,
    )
    assert.match(
      refusedFor(`rules:\n  - { id: a, role: reader, resource: prod, actions: [get pods], peer: operator }\n`).join(),
      /`peer:` asks who/,
    )
  })

  it('scopes, observation and a record before the effect are none of roles', () => {
    const rule = `rules:\n  - { id: look, role: reader, resource: prod, actions: [get pods] }\n`
    assert.match(refusedFor(rule, { scopes: { Look: ['get pods'] } }).join(), /`scopes:` are of tokens/)
    assert.match(
      refusedFor(rule, { observe: { until: '2030-01-01T00:00:00Z' } }).join(),
      /`observe:` of the resource lets through what is denied/,
    )
    assert.match(refusedFor(rule, { record: 'strict' }).join(), /`record: strict` wants a record before the effect/)
  })

  it('nobody becomes what the cluster knows under the same name', () => {
    for (const prefix of ['', 'system:', 'system:x:', 'plain'])
      assert.throws(() => targetOf({ prefix }), /write a short name that ends with/)
  })

  it('object ids are of groups, and nobody else is bound', () => {
    const config = targetOf({ subjects: 'object-ids', assume: ['default-roles', 'undelegated-tokens', 'unrevoked-tokens'] })
    const rule = (role: string) => `rules:\n  - { id: work, role: ${role}, resource: prod, actions: [get pods] }\n`
    const documents = documentsOf(policyOf(rule('developer')), config)
    const subjects = documents.flatMap(({ subjects: all = [] }) => (all as readonly { readonly name: string }[]).map(({ name }) => name))
    assert.deepEqual(subjects, ['22222222-2222-2222-2222-222222222222', '33333333-3333-3333-3333-333333333333'])
    assertProven(policyOf(rule('developer')), config)
    assert.match(
      refusals(policyOf(rule('operator')), config).join(),
      /role `operator` is bound by `repository` of `ci`: with `subjects: object-ids`/,
    )
    assert.match(refusals(policyOf(rule('authenticated')), config).join(), /there is no group for `authenticated`/)
    const lifetime = { maxTokenLifetime: 3_600_000 }
    assert.match(
      refusals(policyOf(rule('developer'), lifetime), config, lifetime).join(),
      /`maxTokenLifetime` is of tokens that are verified elsewhere/,
    )
    const workload = `roles:\n  bot: { bind: [{ issuer: entra, claim: oid, any: [44444444-4444-4444-4444-444444444444], kind: workload }] }\n`
    assert.match(
      refusals(policyOf(rule('bot'), {}, workload), config).join(),
      /role `bot` is bound to an object id without a group \(`oid`\), and nobody is bound here but groups: put it into a group/,
    )
  })

  it('a document that says anything else is found', () => {
    const policy = policyOf(`rules:
  - { id: look, role: reader, resource: prod, actions: ['get,list pods -n shop'] }
  - { id: shell, role: developer, resource: prod, actions: [create pods/exec web -n shop] }
  - { id: paths, role: everyone, resource: prod, actions: [get /livez] }
`)
    const documents = documentsOf(policy)
    assertProven(policy)
    const whole = JSON.stringify(documents)
    const changed: readonly (readonly [string, string | RegExp, string, 'wider' | 'narrower' | 'problem' | 'unread'])[] = [
      ['another verb', '"verbs":["get","list"]', '"verbs":["get","list","watch"]', 'wider'],
      ['a verb less', '"verbs":["get","list"]', '"verbs":["get"]', 'narrower'],
      ['every verb', '"verbs":["get","list"]', '"verbs":["*"]', 'wider'],
      ['half a way in', '"verbs":["create","get"]', '"verbs":["get"]', 'narrower'],
      ['a subresource', '"resources":["pods"]', '"resources":["pods","pods/log"]', 'wider'],
      ['every resource', '"resources":["pods"]', '"resources":["*"]', 'wider'],
      ['every group', '"apiGroups":[""],"resources":["pods"]', '"apiGroups":["*"],"resources":["pods"]', 'wider'],
      ['no name', ',"resourceNames":["web"]', '', 'wider'],
      ['another namespace', /"namespace":"shop"/g, '"namespace":"bank"', 'wider'],
      ['a path below', '"/livez"', '"/livez*"', 'unread'],
      ['paths', '"/livez"', '"/livez","/livez/*"', 'wider'],
      ['every path', '"/livez"', '"*"', 'wider'],
      ['another group', 'ostiary:reader', 'system:masters', 'wider'],
      ['everybody', 'ostiary:reader', 'system:authenticated', 'wider'],
      ['only some of everybody', '"name":"system:unauthenticated"', '"name":"system:authenticated"', 'narrower'],
      [
        'a user',
        '"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"ostiary:reader"',
        '"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"ann"',
        'problem',
      ],
      [
        'a role of somebody else',
        /"roleRef":\{[^}]*\}/,
        '"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"}',
        'problem',
      ],
      ['aggregation', '"rules":[', '"aggregationRule":{},"rules":[', 'unread'],
    ]
    for (const [what, from, to, found] of changed) {
      const text = whole.replace(from, to)
      assert.notEqual(text, whole, what)
      const proof = proven(policy, JSON.parse(text) as typeof documents)
      const directions = proof.counterexamples.map(({ direction }) => direction)
      if (found === 'problem') assert.notDeepEqual(proof.problems, [], what)
      else if (found === 'unread') assert.notDeepEqual(proof.notProven, [], what)
      else assert.ok(directions.includes(found), `${what}: ${JSON.stringify(proof.counterexamples)} ${proof.notProven.join()}`)
    }
  })
})
