/**
 * What the test bed's API server can be told: structured authentication and authorization, and audit. Suites of doors and targets start it
 * with these, and have to know that it asks whom it should.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { haveCluster, kubeconfigOf, startCluster, type Cluster } from '../../../src/testing/cluster.ts'
import { eventually } from '../../../src/testing/envoy.ts'
import { certifiedBy, testAuthority, type Pair } from '../../../src/testing/pki.ts'
import { signToken, testKey, times, type JsonObject } from '../../../src/testing/tokens.ts'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const have = haveCluster()

interface Review {
  readonly spec: {
    readonly user: string
    readonly groups?: readonly string[]
    readonly resourceAttributes?: Readonly<Record<string, string>>
  }
}
interface Event {
  readonly auditID: string
  readonly stage: string
  readonly verb: string
  readonly user: { readonly username: string; readonly groups: readonly string[] }
  readonly objectRef?: Readonly<Record<string, string>>
  readonly responseStatus?: { readonly code: number }
}

describe("the test bed's cluster with other judges", { skip: have === true ? false : have }, () => {
  const key = testKey('people', 'ES256')
  const reviews: Review[] = []
  const events: Event[] = []
  let authority: Pair
  let judge: Server
  let cluster: Cluster
  let url = ''

  before(async () => {
    authority = await testAuthority('judges')
    const { cert, key: own } = await certifiedBy(authority, {
      subject: 'CN=judge',
      names: [{ type: 'ip', value: '127.0.0.1' }],
      usages: [SERVER_AUTH],
    })
    judge = createServer({ cert, key: own }, (request, answer) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        answer.setHeader('content-type', 'application/json')
        answer.end(JSON.stringify(judged(request.url ?? '', Buffer.concat(chunks).toString())))
      })
    })
    await new Promise<void>((resolve) => judge.listen(0, '127.0.0.1', resolve))
    url = `https://127.0.0.1:${(judge.address() as AddressInfo).port}`
    const webhook = (path: string): object => kubeconfigOf(`${url}${path}`, authority.cert, {})
    cluster = await startCluster({
      authentication: {
        apiVersion: 'apiserver.config.k8s.io/v1',
        kind: 'AuthenticationConfiguration',
        anonymous: { enabled: false },
        jwt: [
          {
            issuer: { url, audiences: ['bed'], certificateAuthority: authority.cert },
            claimMappings: {
              username: { expression: '"ostiary:" + claims.sub' },
              groups: { expression: 'dyn(claims.roles).map(role, "ostiary:" + role)' },
            },
          },
        ],
      },
      authorization: {
        apiVersion: 'apiserver.config.k8s.io/v1',
        kind: 'AuthorizationConfiguration',
        authorizers: [
          {
            type: 'Webhook',
            name: 'judge',
            webhook: {
              authorizedTTL: '1s',
              unauthorizedTTL: '1s',
              timeout: '3s',
              subjectAccessReviewVersion: 'v1',
              matchConditionSubjectAccessReviewVersion: 'v1',
              failurePolicy: 'Deny',
              connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: '{folder}/judge.json' },
            },
          },
          { type: 'RBAC', name: 'rbac' },
        ],
      },
      files: { 'judge.json': webhook('/review') },
      audit: {
        policy: { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules: [{ level: 'Metadata' }] },
        webhook: webhook('/audit'),
        log: true,
      },
    })
  })
  after(async () => {
    await cluster?.stop()
    judge.closeAllConnections()
    await new Promise((resolve) => judge.close(resolve))
  })

  /** Secrets are denied, configmaps allowed; of the rest this has no opinion. */
  function judged(path: string, body: string): JsonObject {
    if (path === '/.well-known/openid-configuration') return { issuer: url, jwks_uri: `${url}/keys` }
    if (path === '/keys') return { keys: [key.jwk] }
    if (path.startsWith('/audit')) {
      events.push(...(JSON.parse(body) as { items: readonly Event[] }).items)
      return {}
    }
    const review = JSON.parse(body) as Review
    reviews.push(review)
    const resource = review.spec.resourceAttributes?.['resource']
    const status =
      resource === 'secrets'
        ? { allowed: false, denied: true, reason: 'secrets are nobody’s business' }
        : { allowed: resource === 'configmaps' }
    return { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', status }
  }

  const as = (name: string, roles: readonly string[], more: JsonObject = {}): string =>
    cluster.kubeconfig(name, { token: signToken(key, { iss: url, aud: 'bed', sub: name, roles, ...times(Date.now()), ...more }) })

  test('takes people by the tokens of an issuer, under the names that were said', async () => {
    // The keys of the issuer are had in the background.
    const kubeconfig = as('ada', ['reader'])
    const found = await eventually('the issuer is known', async () => {
      const ran = await cluster.kubectl(['auth', 'whoami', '-o', 'json'], { kubeconfig })
      return ran.code === 0 ? ran.stdout : undefined
    })
    const { status } = JSON.parse(found) as { status: { userInfo: { username: string; groups: readonly string[] } } }
    assert.equal(status.userInfo.username, 'ostiary:ada')
    assert.deepEqual(status.userInfo.groups, ['ostiary:reader', 'system:authenticated'])
    const elsewhere = await cluster.kubectl(['get', 'configmaps'], { kubeconfig: as('eve', ['reader'], { aud: 'another' }) })
    assert.match(elsewhere.stderr, /You must be logged in to the server/u)
  })

  test('asks the webhook first, and goes by roles where that has no opinion', async () => {
    const kubeconfig = as('bob', ['reader'])
    const get = (resource: string): Promise<{ readonly code: number; readonly stderr: string }> =>
      cluster.kubectl(['get', resource, '--namespace', 'default'], { kubeconfig })
    assert.equal((await get('configmaps')).code, 0)
    const secrets = await get('secrets')
    assert.match(secrets.stderr, /secrets is forbidden: User "ostiary:bob" cannot list .*: secrets are nobody’s business/u)
    assert.match((await get('pods')).stderr, /pods is forbidden: User "ostiary:bob" cannot list resource "pods"/u)
    for (const args of [
      ['create', 'clusterrole', 'readers', '--verb=list', '--resource=pods'],
      ['create', 'clusterrolebinding', 'readers', '--clusterrole=readers', '--group=ostiary:reader'],
    ]) {
      const made = await cluster.kubectl(args)
      assert.equal(made.code, 0, made.stderr)
    }
    await eventually('the binding holds', async () => (await get('pods')).code === 0 || undefined)
    const asked = reviews.filter(({ spec }) => spec.user === 'ostiary:bob').map(({ spec }) => spec.resourceAttributes?.['resource'])
    assert.deepEqual([...new Set(asked)].filter((name) => name !== undefined).toSorted(), ['configmaps', 'pods', 'secrets'])
  })

  test('tells what was done to the webhook of audit, and to a file', async () => {
    const kubeconfig = as('cy', ['reader'])
    await cluster.kubectl(['get', 'secret', 'keys', '--namespace', 'default'], { kubeconfig })
    const isIt = ({ user, objectRef }: Event): boolean => user.username === 'ostiary:cy' && objectRef?.['resource'] === 'secrets'
    const event = await eventually('the webhook was told', () => events.find(isIt))
    assert.equal(event.responseStatus?.code, 403)
    assert.equal(event.objectRef?.['name'], 'keys')
    const lines = readFileSync(cluster.auditLog, 'utf8').trim().split('\n')
    const written = lines.map((line) => JSON.parse(line) as Event).find(isIt)
    assert.equal(written?.auditID, event.auditID)
  })
})
