/**
 * A policy as roles of a real API server, which is asked about one request of each cell, and as its configuration of who people are: what
 * it says is what the engine says.
 */
import assert from 'node:assert/strict'
import { Agent } from 'node:https'
import { after, before, describe, test } from 'node:test'
import { declaredClaims } from '../../../src/identity/claims.ts'
import { oidcClaims } from '../../../src/identity/oidc/claims.ts'
import { nativeOidc } from '../../../src/identity/oidc/native.ts'
import { clusterUser } from '../../../src/kubernetes/users.ts'
import type { CompiledPolicy } from '../../../src/policy/index.ts'
import { someone } from '../../../src/policy/testdata/world.ts'
import type { Kubectl } from '../../../src/server/kubectl.ts'
import { applyRoles, lookAtRoles } from '../../../src/server/rolecluster.ts'
import { assumptionNames } from '../../../src/targets/kubernetes/assume.ts'
import { compileKubernetes } from '../../../src/targets/kubernetes/emit.ts'
import { readRbac } from '../../../src/targets/kubernetes/evaluate.ts'
import { questionsOf } from '../../../src/targets/kubernetes/prove.ts'
import { inputOf, policyOf, targetOf } from '../../../src/targets/kubernetes/testing.ts'
import { timedBindings } from '../../../src/targets/kubernetes/timed.ts'
import type { TargetDocument } from '../../../src/targets/target.ts'
import { haveCluster, startCluster, type Cluster } from '../../../src/testing/cluster.ts'
import { signToken, testKey, type JsonObject } from '../../../src/testing/tokens.ts'
import { call, kubectlOf, reviewed, startIssuer, type Issuer } from './kubernetesoracle.ts'

const here = haveCluster()
const OWNER = { target: 'prod', prefix: 'ostiary:' }

/** What every cluster gives by itself, said by the policy as well: nothing is left to be assumed. */
const GIVEN = `
  - { id: health, role: everyone, resource: prod, actions: [get /healthz, get /livez, get /readyz, get /version, get /version/] }
  - id: discover
    role: authenticated
    resource: prod
    actions:
      - get /api
      - get /apis
      - get /openapi
      - get /api/**
      - get /apis/**
      - get /openapi/**
      - create selfsubjectreviews.authentication.k8s.io
      - create selfsubjectaccessreviews.authorization.k8s.io
      - create selfsubjectrulesreviews.authorization.k8s.io
`
const RULES = `rules:${GIVEN}
  - { id: look, role: [reader, developer], resource: prod, actions: ['get,list,watch * -n team-*', 'get,list nodes', 'get,list namespaces'] }
  - id: work
    role: developer
    resource: prod
    actions:
      - 'create,update,patch,delete deployments.apps -n team-a'
      - 'patch */scale web -n team-a'
      - 'list,get,deletecollection,create configmaps app -n team-b'
      - create pods/exec web -n team-a
      - '* namespaces -n team-b'
  - id: operate
    role: operator
    resource: prod
    actions: ['* *', create pods/exec, create nodes/proxy, create */attach, 'impersonate users ann', 'escalate,bind clusterroles.rbac.authorization.k8s.io edit', '* /logs/**']
`
const LISTED = {
  namespaces: ['team-a', 'team-b', 'shop'],
  apiResources: [
    'pods',
    'pods/log',
    'secrets',
    'configmaps',
    'namespaces',
    'nodes',
    'deployments.apps',
    'deployments.apps/scale',
    'widgets.example.com',
  ],
}

describe('roles in a real cluster', { skip: here === true ? false : here }, () => {
  let cluster: Cluster
  let kubectl: Kubectl
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })

  before(async () => {
    cluster = await startCluster()
    kubectl = kubectlOf(cluster)
    for (const name of LISTED.namespaces) await kubectl.run(['create', 'namespace', name])
  })
  after(async () => {
    agent.destroy()
    await cluster?.stop()
  })

  test('give what the policy gives, in every cell', { timeout: 600_000 }, async (t) => {
    const input = inputOf(policyOf(RULES), targetOf({ ...LISTED, assume: ['canonical-paths'] }))
    const { documents, diagnostics } = compileKubernetes(input)
    assert.deepEqual(diagnostics, [])
    assert.deepEqual(await applyRoles(OWNER, documents, true, kubectl, Date.now()), [])
    assert.deepEqual((await lookAtRoles(OWNER, documents, kubectl)).drift, [])
    const questions = [...questionsOf(input, readRbac(JSON.parse(JSON.stringify(documents)) as readonly unknown[]))]
    // Whoever comes by an issuer holds `authenticated`, and nobody else is asked about.
    const everybodys = new Set(questions.filter(({ who, may }) => who === 'role authenticated' && may).map(({ number }) => number))
    const asked = questions.flatMap(({ number, cell, who, requests, may, isUnlisted }) => {
      assert.ok(requests !== undefined, cell)
      const allowed = may || (who !== 'nobody' && everybodys.has(number))
      const also = who === 'nobody' ? [] : ['ostiary:authenticated']
      const asking = requests.map((one) => ({ cell, who, one: { ...one, groups: [...one.groups, ...also] }, may: allowed }))
      return isUnlisted && !everybodys.has(number) ? [] : asking
    })
    const answers = await Promise.all(asked.map(({ one }) => reviewed(cluster, agent, one)))
    const wrong = asked.flatMap(({ cell, who, one, may }, index) =>
      answers[index] === may ? [] : [`${who}: ${one.verb} (${cell}): ${may ? 'the policy allows it' : 'the cluster allows it'}`],
    )
    assert.deepEqual(wrong, [])
    assert.ok(answers.includes(true) && answers.includes(false))
    t.diagnostic(`${new Set(questions.map(({ number }) => number)).size} cells, ${asked.length} questions, no difference`)
  })

  test('are exchanged for those of another version, and nobody has more on the way', async () => {
    const compiledOf = (rules: string): readonly TargetDocument[] =>
      compileKubernetes(inputOf(policyOf(`rules:${GIVEN}${rules}`), targetOf())).documents
    const first = compiledOf(`  - { id: swap, role: reader, resource: prod, actions: ['get pods -n shop'] }\n`)
    const second = compiledOf(`  - { id: swap, role: operator, resource: prod, actions: ['delete pods -n shop'] }\n`)
    await applyRoles(OWNER, first, true, kubectl, Date.now())
    const ask = (group: string, verb: string) =>
      reviewed(cluster, agent, {
        user: 'x',
        groups: [group],
        verb,
        apiGroup: '',
        resource: 'pods',
        subresource: '',
        namespace: 'shop',
        name: 'a',
      })
    assert.deepEqual([await ask('ostiary:reader', 'get'), await ask('ostiary:operator', 'delete')], [true, false])
    // After each step.
    const steps: (readonly boolean[])[] = []
    const watched: Kubectl = {
      run: async (args, ...more) => {
        const done = await kubectl.run(args, ...more)
        if (args[0] !== 'get') steps.push([await ask('ostiary:reader', 'delete'), await ask('ostiary:operator', 'get')])
        return done
      },
    }
    const removed = await applyRoles(OWNER, second, true, watched, Date.now())
    assert.deepEqual(removed.length, 2, 'the role and its binding')
    assert.ok(steps.length >= 4)
    assert.ok(
      steps.flat().every((one) => !one),
      'readers never deleted, and operators never read',
    )
    assert.deepEqual([await ask('ostiary:reader', 'get'), await ask('ostiary:operator', 'delete')], [false, true])
    assert.deepEqual((await lookAtRoles(OWNER, second, kubectl)).drift, [])
  })

  test('that somebody changed are found, and mended', async () => {
    const { documents } = compileKubernetes(
      inputOf(policyOf(`rules:${GIVEN}  - { id: swap, role: reader, resource: prod, actions: ['get pods -n shop'] }\n`), targetOf()),
    )
    await applyRoles(OWNER, documents, true, kubectl, Date.now())
    const { metadata } = documents.find(({ kind }) => kind === 'Role') as { readonly metadata: { readonly name: string } } & TargetDocument
    await kubectl.run([
      'patch',
      'role',
      metadata.name,
      '-n',
      'shop',
      '--type',
      'json',
      '-p',
      '[{"op":"replace","path":"/rules/0/verbs","value":["*"]}]',
    ])
    await kubectl.run(['create', 'clusterrolebinding', 'theirs', '--clusterrole', 'view', '--group', 'ostiary:reader'])
    const found = await lookAtRoles(OWNER, documents, kubectl)
    assert.deepEqual(found.drift, [
      { document: `Role shop/${metadata.name}`, is: 'changed' },
      { document: 'ClusterRoleBinding theirs', is: 'foreign' },
    ])
    await applyRoles(OWNER, documents, true, kubectl, Date.now())
    await kubectl.run(['delete', 'clusterrolebinding', 'theirs'])
    assert.deepEqual((await lookAtRoles(OWNER, documents, kubectl)).drift, [])
  })
})

describe('a real API server that verifies the issuers’ tokens by itself', { skip: here === true ? false : here }, () => {
  const key = testKey('people', 'ES256')
  const roles = `roles:
  deployer: { bind: [{ issuer: ci, claim: repository, any: [infra] }] }
  reader: { bind: [{ issuer: ci, claim: groups, all: [a, b] }] }
  outsider: { bind: [{ issuer: ci, claim: department, none: [staff] }] }
  lead: { eligible: [{ issuer: ci, claim: repository, any: [infra] }], includes: [deployer] }
`
  const policy = policyOf(
    `${roles}rules:
  - { id: r, role: [deployer, reader, outsider], resource: prod, actions: [list pods -n default] }
  - { id: l, role: lead, resource: prod, actions: [list configmaps -n default] }
`,
    {},
    '',
  )
  let issuer: Issuer
  let cluster: Cluster

  before(async () => {
    issuer = await startIssuer(key.jwk)
    cluster = await startCluster({ authentication: configurationOf(policy, issuer) })
    const { documents } = compileKubernetes(inputOf(policy, targetOf()))
    await applyRoles(OWNER, documents, true, kubectlOf(cluster), Date.now())
  })
  after(async () => {
    await cluster?.stop()
    issuer?.server.close()
  })

  const SECONDS = Math.floor(Date.now() / 1000)
  const tokenOf = (more: JsonObject, header: JsonObject = { typ: 'at+jwt' }): string =>
    signToken(key, { iss: issuer.url, aud: 'kube', sub: 'ann', client_id: 'cli', iat: SECONDS, exp: SECONDS + 600, ...more }, header)
  const whoami = async (token: string) => {
    const { status, body } = await call(cluster, token, 'POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'SelfSubjectReview',
    })
    return status === 201 ? (body as { readonly status: { readonly userInfo: UserInfo } }).status.userInfo : status
  }

  test('makes of them whom the door makes of them', async () => {
    const people: readonly Readonly<Record<string, string | readonly string[]>>[] = [
      {},
      { repository: 'infra' },
      { groups: ['a', 'b', 'c'], department: 'staff' },
      { groups: ['a'], department: 'staff' },
      { repository: 'infra', groups: ['b', 'a'], department: 'x' },
    ]
    for (const claims of people) {
      const user = await whoami(tokenOf({ ...claims, jti: 't-1' } as JsonObject))
      assert.ok(typeof user === 'object', JSON.stringify([claims, user]))
      const door = clusterUser(policy.bind(someone({ issuer: 'ci', subject: 'ann', claims })))
      assert.equal(user.username, door.name)
      assert.deepEqual(
        user.groups.toSorted(),
        [...door.groups.filter((one) => one !== 'ostiary:everyone'), 'system:authenticated'].toSorted(),
      )
      assert.deepEqual(user.extra['ostiary.dev/token-id'], ['t-1'])
    }
  })

  test('lets them do what the policy says', async () => {
    const list = async (token: string) => (await call(cluster, token, 'GET', '/api/v1/namespaces/default/pods')).status
    assert.equal(await list(tokenOf({ repository: 'infra', department: 'staff' })), 200)
    assert.equal(await list(tokenOf({ repository: 'other', department: 'staff' })), 403)
    assert.equal(await list(tokenOf({ repository: 'infra', aud: 'other' })), 401)
  })

  test('gives what somebody has activated for as long as they are bound, and to nobody else', async () => {
    const list = async (sub: string) =>
      (await call(cluster, tokenOf({ sub, repository: 'x', department: 'staff' }), 'GET', '/api/v1/namespaces/default/configmaps')).status
    const config = targetOf({ authentication: {} })
    const input = inputOf(policy, config)
    const { documents } = compileKubernetes(inputOf(policy, targetOf()))
    const kubectl = kubectlOf(cluster)
    const now = Date.now()
    const active = { id: 'a1', issuer: 'ci', subject: 'ann', role: 'lead', until: now + 3_600_000 }
    const timed = timedBindings(documents, [active], { config, wiring: input.wiring, model: policy.model, now })
    assert.deepEqual([await list('ann'), await list('ben')], [403, 403])
    await applyRoles(OWNER, [...documents, ...timed], false, kubectl, now)
    assert.deepEqual([await list('ann'), await list('ben')], [200, 403])
    assert.deepEqual((await lookAtRoles(OWNER, [...documents, ...timed], kubectl)).drift, [])
    assert.deepEqual(
      (await lookAtRoles(OWNER, documents, kubectl)).drift.map(({ is }) => is),
      timed.map(() => 'left-over'),
    )
    const removed = await applyRoles(OWNER, documents, false, kubectl, active.until)
    assert.equal(removed.length, timed.length)
    assert.deepEqual([await list('ann'), await list('ben')], [403, 403])
  })

  test('refuses what Ostiary refuses', async () => {
    const refused: readonly JsonObject[] = [
      { sub: 'cli' },
      { sub: '' },
      { sub: '\uFFFD' },
      { sub: 'x'.repeat(256) },
      { act: { sub: 'robot' } },
      { cnf: { jkt: 'x' } },
      { nonce: 'n' },
      { typ: 'ID' },
      { groups: 'a' },
      { groups: { a: 1 } },
      { repository: 7 },
      { repository: null },
      { scope: ['a'] },
      { client_id: '' },
      { azp: 'other' },
      { exp: SECONDS + 10 * 24 * 3600 },
      { iat: 'now' },
      { nbf: SECONDS + 3600 },
    ]
    for (const more of refused) assert.equal(await whoami(tokenOf(more)), 401, JSON.stringify(more))
    assert.equal(typeof (await whoami(tokenOf({}))), 'object')
  })
})

interface UserInfo {
  readonly username: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

function configurationOf(policy: CompiledPolicy, { url, ca }: Issuer): object {
  const native = nativeOidc({
    name: 'ci',
    iss: url,
    audiences: ['kube'],
    algorithms: ['ES256'],
    clients: [],
    agents: [],
    declared: declaredClaims(oidcClaims, { repository: 'string', groups: 'list', department: 'string' }),
    maxLifetime: 3_600_000,
    type: { pattern: 'at\\+jwt', absent: false },
    client: { claim: 'client_id', when: 'always' },
    appOnly: 'by-subject',
  })
  const config = targetOf({ assume: assumptionNames, authentication: { issuers: { ci: { certificateAuthority: ca } } } })
  const { diagnostics, needs } = compileKubernetes(inputOf(policy, config, {}, new Map([['ci', [native]]])))
  assert.deepEqual(diagnostics, [])
  return needs![0]!.document
}
