/** A real API server that asks the gateway before its own roles: about whom, what it does with the answers, and that it is all of the policy. */
import assert from 'node:assert/strict'
import { Agent } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import type { KubernetesAction } from '../../../src/core/action.ts'
import { systemClock } from '../../../src/core/clock.ts'
import { noMeter } from '../../../src/core/meter.ts'
import { answerAuthorize } from '../../../src/doors/kubernetes/authorize.ts'
import { kubernetes } from '../../../src/policy/actions/kubernetes/index.ts'
import { isNamespaced } from '../../../src/policy/actions/kubernetes/known.ts'
import type { CompiledPolicy } from '../../../src/policy/index.ts'
import { compileKubernetes } from '../../../src/targets/kubernetes/emit.ts'
import { requestsOf } from '../../../src/targets/kubernetes/requests.ts'
import { inputOf, policyOf, targetOf } from '../../../src/targets/kubernetes/testing.ts'
import { haveCluster, startCluster, type Cluster } from '../../../src/testing/cluster.ts'
import { testAuthority } from '../../../src/testing/pki.ts'
import { kubectlOf, reviewed, serving } from './kubernetesoracle.ts'

const here = haveCluster()

/** What roles can't say is what is asked about. */
const RULES = `rules:
  - { id: look, role: [reader, developer], resource: prod, actions: ['get,list,watch * -n team-*', 'get,list nodes'] }
  - { id: work, role: developer, resource: prod, actions: ['create,patch deployments.apps web-* -n team-a', create pods/exec web-* -n team-a] }
  - { id: operate, role: operator, resource: prod, actions: ['* *', 'get /metrics'] }
  - { id: never, role: operator, resource: prod, actions: [create pods/exec], when: 'context.time < timestamp("2020-01-01T00:00:00Z")' }
guardrails:
  - { id: no-secrets, deny: ['* secrets'], resource: prod, allBut: [operator] }
  - { id: kept, deny: ['delete,deletecollection *'], resource: prod, for: [operator] }
`

describe('a real API server that asks the gateway', { skip: here === true ? false : here }, () => {
  test('about people of the issuers alone, and lets nobody of them in where nobody answers', { timeout: 300_000 }, async () => {
    const asked: string[] = []
    const authority = await testAuthority('reviews')
    const server = await serving(authority, (_path, body) => {
      const { spec } = body as { readonly spec: { readonly user: string; readonly groups?: readonly string[] } }
      asked.push(spec.user)
      const allowed = spec.groups?.includes('ostiary:reader') === true
      return {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        status: { allowed, denied: spec.user.includes('denied') },
      }
    })
    const cluster = await asking(policyOf(RULES), authority.cert, (server.address() as AddressInfo).port)
    const agent = new Agent({ keepAlive: true })
    try {
      const ask = (user: string, ...groups: readonly string[]) =>
        reviewed(cluster, agent, { user, groups, verb: 'get', apiGroup: '', resource: 'pods', subresource: '', namespace: 'x', name: 'a' })
      await kubectlOf(cluster).run(['create', 'clusterrolebinding', 'others', '--clusterrole', 'cluster-admin', '--group', 'others'])
      asked.length = 0
      assert.deepEqual(
        [
          await ask('ostiary:ci:ann', 'ostiary:reader'),
          await ask('ostiary:ci:bob'),
          await ask('somebody', 'ostiary:reader'),
          await ask('plain', 'others'),
        ],
        [true, false, true, true],
      )
      assert.deepEqual(asked, ['ostiary:ci:ann', 'ostiary:ci:bob', 'somebody'])
      assert.equal(await ask('ostiary:denied', 'others'), false, 'a denial holds, whatever roles there are')
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      assert.deepEqual([await ask('ostiary:ci:eve', 'others'), await ask('plain', 'others')], [false, true])
    } finally {
      agent.destroy()
      await cluster.stop()
      server.close()
    }
  })

  test('decides all of the policy, in every cell', { timeout: 600_000 }, async (t) => {
    const policy = policyOf(RULES)
    const authority = await testAuthority('reviews')
    const server = await serving(authority, async (_path, body) => {
      const answer = await answerAuthorize(ASKING, Buffer.from(JSON.stringify(body)), { ...PARTS, policies: { current: policy } })
      assert.ok(answer.kind === 'answer')
      return JSON.parse(answer.body) as object
    })
    const cluster = await asking(policy, authority.cert, (server.address() as AddressInfo).port)
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    try {
      await kubectlOf(cluster).run([
        'create',
        'clusterrolebinding',
        'too-much',
        '--clusterrole',
        'cluster-admin',
        '--group',
        'ostiary:reader',
      ])
      const actions = actionsOf(policy)
      const questions = actions.flatMap((action) =>
        [[], ['reader'], ['developer'], ['operator'], ['reader', 'operator']].flatMap((roles) => {
          const principal = policy.holding('entra', 't/s', roles)
          const context = { time: Date.now(), ip: 'unknown' } as Parameters<CompiledPolicy['decide']>[3]
          const may = policy.decide(principal, action, 'prod', context).effect === 'allow'
          const who = { user: 'ostiary:entra:t/s', groups: [...roles.map((one) => `ostiary:${one}`), 'system:authenticated'] }
          return requestsOf(action, who).map((request) => ({ action, roles, request, may }))
        }),
      )
      const answers = await Promise.all(questions.map(({ request }) => reviewed(cluster, agent, request)))
      const wrong = questions.flatMap(({ action, roles, may }, index) => (answers[index] === may ? [] : [{ action, roles, may }]))
      assert.deepEqual(wrong, [])
      assert.ok(answers.includes(true) && answers.includes(false))
      t.diagnostic(`${actions.length} cells, ${questions.length} questions, no difference`)
    } finally {
      agent.destroy()
      await cluster.stop()
      server.close()
    }
  })
})

const PARTS = {
  recorder: { decided: () => undefined, completed: () => undefined },
  newId: () => 'id',
  clock: systemClock,
  meter: noMeter,
  name: 'kubernetes',
}
const ASKING = {
  name: 'prod',
  config: { prefix: 'ostiary:', webhook: { deny: 'all' as const, components: [] }, help: undefined, record: 'spool' as const },
  find: () => undefined,
  namespaced: (group: string, _version: string, resource: string) => isNamespaced(group, resource),
}

/** One of each cell that a rule or a guardrail is about. */
function actionsOf({ rules, guardrails }: CompiledPolicy): readonly KubernetesAction[] {
  const patterns = [...rules, ...guardrails].flatMap(({ actions }) =>
    actions.flatMap(({ pattern }) => (pattern.protocol === 'kubernetes' ? [pattern] : [])),
  )
  return [...kubernetes.cells(patterns, { named: () => undefined, wants: () => true, most: 100_000 })].flatMap((cell) => {
    const action = cell.action(new Map())
    return action?.protocol === 'kubernetes' && !isNowhere(action) ? [action] : []
  })
}

/** One that asks there, as it is told to. */
function asking(policy: CompiledPolicy, certificateAuthority: string, port: number): Promise<Cluster> {
  const url = `https://127.0.0.1:${port}/`
  const credential = { tokenFile: '/dev/null' }
  const authorization = { webhook: { url, certificateAuthority, credential, kubeconfig: '/FOLDER/webhook.json', ttl: '1s' } }
  const { needs, diagnostics } = compileKubernetes(inputOf(policy, targetOf({ authorization })))
  assert.deepEqual(diagnostics, [])
  const [configuration, kubeconfig] = needs!.map(({ document }) => document)
  return startCluster({
    authorization: JSON.parse(JSON.stringify(configuration).replace('/FOLDER', '{folder}')) as object,
    files: { 'webhook.json': { ...kubeconfig, users: [{ name: 'api-server', user: { token: 't' } }] } },
  })
}

/** What is in no namespace is asked about in one: no request is. */
function isNowhere({ group, resource, namespace }: KubernetesAction): boolean {
  return resource !== 'namespaces' && isNamespaced(group, resource) === false && namespace !== ''
}
