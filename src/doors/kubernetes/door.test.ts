/** The door for clusters without one: what is refused, in which words, and what the record has of it. */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { AuthResult, Credential } from '../../core/credential.ts'
import { Secret } from '../../core/secret.ts'
import { ExchangeRefused } from '../../identity/index.ts'
import { identityOf, TOKEN } from '../../testing/httpdoor.ts'
import {
  askCluster,
  clusterDoor,
  GATEWAY_TOKEN,
  recordsOf,
  requestOf,
  statusIn,
  until,
  type ClusterDoorOptions,
} from '../../testing/kubernetesdoor.ts'
import { jsonOf, linesOf, standInApiServer, type StandInApiServer } from '../../testing/standin-apiserver.ts'

async function setUp(t: TestContext, options: ClusterDoorOptions = {}, answer?: StandInApiServer['answer']) {
  const api = await standInApiServer(answer)
  const door = await clusterDoor(api, options)
  t.after(async () => {
    await door.close()
    await api.close()
  })
  return { api, door }
}

const PODS = 'GET /api/v1/namespaces/shop/pods'

describe('which cluster', () => {
  test('one that there is not: a Status, and no record of what has no resource', async (t) => {
    const { api, door } = await setUp(t)
    for (const line of ['GET !/clusters/other/api', 'GET !/api/v1/pods', 'GET !/clusters/', 'GET !/']) {
      const answer = await askCluster(door, line)
      assert.equal(answer.status, 404)
      assert.equal(answer.fields.get('content-type')?.[0], 'application/json')
      assert.match(statusIn(answer).message, /^there is no such cluster here; write `https:\/\/<gateway>\/clusters\/<name>`/)
    }
    assert.deepEqual([door.records.size, api.seen.length], [0, 0])
  })

  test('by name under every host, by host without it, and what leads there is not passed on', async (t) => {
    const { api, door } = await setUp(t, { clusters: { bed: { hosts: ['bed.kube.localhost'] }, other: { hosts: ['*.other.localhost'] } } })
    const at = (host: string, path: string) => askCluster(door, `GET !${path}`, [`Host: ${host}`])
    await at('kube.localhost', '/clusters/bed/version')
    await at('bed.kube.localhost', '/version')
    await at('x.other.localhost', '/version')
    await at('kube.localhost', '/clusters/bed')
    await at('kube.localhost', '/clusters/other/api/v1/nodes?limit=1')
    assert.deepEqual(
      api.seen.map(({ path }) => path),
      ['/version', '/version', '/version', '/', '/api/v1/nodes?limit=1'],
    )
    assert.deepEqual(
      [...door.records.values()].map(({ event: { resource } }) => resource),
      ['bed', 'bed', 'other', 'bed', 'other'],
    )
  })
})

describe('requests that have no single meaning', () => {
  const cases: readonly (readonly [line: string, status: number, says: RegExp, fields?: readonly string[]])[] = [
    ['GET /api/v1/namespaces/shop/../secret/pods', 400, /./],
    ['GET /api/v1//pods', 400, /./],
    ['GET /api/v1/namespaces/a%2Fb/pods', 400, /./],
    ['GET /api/v1/namespaces/shop/pods/', 400, /ends with a `\/`/],
    ['GET /api/v1/namespaces/shop/pods?watch=true&watch=false', 400, /`watch` twice/],
    ['GET /api/v1/namespaces/shop/pods?watch=TRUE', 400, /`watch` and `follow` are `true` or `false`/],
    ['GET /api/v1/namespaces/shop/pods?a=1;watch=true', 400, /`;`/],
    ['GET /api/v1/proxy/namespaces/shop/pods/a', 400, /gone from Kubernetes/],
    ['PATCH /api/v1/namespaces/shop/pods', 405, /names none/],
    ['PROPFIND /api/v1/namespaces/shop/pods', 405, /no such method/],
    [PODS, 400, /is no stream/, ['Connection: Upgrade', 'Upgrade: SPDY/3.1']],
    ['POST /api/v1/namespaces/shop/services/a', 400, /is no stream/, ['Connection: Upgrade', 'Upgrade: SPDY/3.1']],
  ]
  for (const [line, status, says, fields = []] of cases)
    test(`${line}${fields.length === 0 ? '' : ` with ${fields[1]!}`}: ${status}, and a record of it`, async (t) => {
      const { api, door } = await setUp(t)
      const answer = await askCluster(door, line, fields)
      assert.equal(answer.status, status, answer.body)
      assert.match(statusIn(answer).message, says)
      assert.equal(statusIn(answer).code, status)
      const [record] = recordsOf(door)
      assert.match(record ?? '', /: malformed (?:http|kubernetes)\//)
      assert.deepEqual([door.records.size, api.seen.length], [1, 0])
    })

  test('SPDY is let through to a stream, and the same path without it is a request', async (t) => {
    const { api, door } = await setUp(t)
    api.upgrade = (_request, socket) =>
      socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n',
      )
    const answer = await askCluster(door, 'POST /api/v1/namespaces/shop/pods/a/exec?command=true', [
      'Connection: Upgrade',
      'Upgrade: SPDY/3.1',
      'X-Stream-Protocol-Version: v4.channel.k8s.io',
    ])
    assert.equal(answer.status, 101)
    assert.equal(answer.fields.get('upgrade')?.[0], 'SPDY/3.1')
    const [request] = api.seen
    assert.deepEqual([request!.version, request!.method, linesOf(request!, 'upgrade')], ['1.1', 'POST', ['SPDY/3.1']])
    await until(() => recordsOf(door)[0]?.endsWith('101') === true)
    assert.deepEqual(recordsOf(door), ['create pods/exec shop/a: allowed completed 101'])
    assert.deepEqual(
      door.notes.map(({ kind }) => kind),
      ['session-begun', 'session-ended'],
    )
  })
})

for (const [query, terminal, input] of [
  ['command=sh', false, false],
  ['command=sh&tty=true&stdin=1', true, true],
  ['command=sh&tty=True&stdin=', true, true],
  ['command=sh&tty=yes&tty=false&stdin=0', true, false],
  ['command=sh&tty=FALSE&stdin=false', false, false],
] as const)
  test(`the record says of a session with ${query} what the API server makes of it`, async (t) => {
    const { api, door } = await setUp(t)
    api.upgrade = (_request, socket) =>
      socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n',
      )
    const fields = ['Connection: Upgrade', 'Upgrade: SPDY/3.1', 'X-Stream-Protocol-Version: v4.channel.k8s.io']
    await askCluster(door, `POST /api/v1/namespaces/shop/pods/a/exec?${query}`, fields)
    const { details } = door.notes.find(({ kind }) => kind === 'session-begun')!
    assert.deepEqual([details['terminal'], details['input']], [terminal, input])
  })

describe('what else a request may do', () => {
  test('what is applied needs to be created, too', async (t) => {
    const { api, door } = await setUp(t, { rule: ({ verb }) => verb !== 'create' })
    const line = 'PATCH /apis/apps/v1/namespaces/shop/deployments/web?fieldManager=x'
    const applied = await askCluster(door, line, ['Content-Type: application/apply-patch+yaml'], '{}')
    assert.match(statusIn(applied).message, /cannot create resource "deployments" in API group "apps" in the namespace "shop"/)
    assert.deepEqual(recordsOf(door), ['create deployments shop/web: denied'])
    assert.equal(api.seen.length, 0)
    const merged = await askCluster(door, line, ['Content-Type: application/merge-patch+json'], '{}')
    assert.equal(merged.status, 200)
    assert.deepEqual(api.seen[0]!.body, '{}')
  })

  test('both are recorded and completed', async (t) => {
    const { door } = await setUp(t)
    await askCluster(door, 'PATCH /api/v1/namespaces/shop/configmaps/a', ['Content-Type: application/apply-patch+cbor'], '{}')
    assert.deepEqual(recordsOf(door), ['create configmaps shop/a: allowed completed 200', 'patch configmaps shop/a: allowed completed 200'])
  })
})

describe('a caller’s own token', () => {
  const AKS = 'aks-server'
  const PASS = { bed: { mode: 'pass-through', audience: AKS } } as const
  const forAudience = (audience: string) => ({ evidence: { ...identityOf('x').evidence, audience } })

  test('for this cluster, is passed on as it is, and nothing of the gateway with it', async (t) => {
    const { api, door } = await setUp(t, { clusters: PASS, identity: forAudience(AKS) })
    assert.equal((await askCluster(door, PODS)).status, 200)
    const [request] = api.seen
    assert.deepEqual(linesOf(request!, 'authorization'), [`Bearer ${TOKEN}`])
    assert.ok(!JSON.stringify(request!.fields).includes(GATEWAY_TOKEN))
    assert.deepEqual(linesOf(request!, 'impersonate-user'), [])
  })

  test('for another, is refused with the names of both', async (t) => {
    const { api, door } = await setUp(t, { clusters: PASS, identity: forAudience('orders') })
    const answer = await askCluster(door, PODS)
    assert.equal(answer.status, 401)
    assert.match(statusIn(answer).message, /^the token is for `orders`, and cluster `bed` takes tokens for `aks-server`; sign in/)
    assert.deepEqual(recordsOf(door), ['list pods shop/*: allowed refused 401'])
    assert.equal(api.seen.length, 0)
  })

  test('its refusal by the cluster is the caller’s to see', async (t) => {
    const { door } = await setUp(t, { clusters: PASS, identity: forAudience(AKS) }, () =>
      jsonOf({ kind: 'Status', code: 401, reason: 'Unauthorized', message: 'theirs' }, 401),
    )
    const answer = await askCluster(door, PODS)
    assert.deepEqual([answer.status, statusIn(answer).message], [401, 'theirs'])
  })

  const DPOP = { method: 'dpop', thumbprint: 'x' } as const
  const others: readonly (readonly [string, ClusterDoorOptions, readonly string[]])[] = [
    [
      'a certificate alone',
      { authenticate: (): AuthResult => ({ outcome: 'rejected', reason: 'certificate' }) },
      ['nobody', 'Authorization: Basic YTpi'],
    ],
    [
      'a token that is bound to a key',
      { identity: { evidence: { ...identityOf('x').evidence, audience: AKS, confirmation: DPOP } } },
      ['nobody', `Authorization: DPoP ${TOKEN}`, 'DPoP: proof'],
    ],
  ]
  for (const [name, options, fields] of others)
    for (const mode of ['pass-through', 'on-behalf-of'] as const)
      test(`${name} is none that could be passed on (${mode})`, async (t) => {
        const { api, door } = await setUp(t, { clusters: { bed: { mode, audience: AKS } }, ...options })
        const answer = await askCluster(door, PODS, fields)
        assert.equal(answer.status, 401)
        assert.match(statusIn(answer).message, /none that could be passed on|malformed/)
        assert.equal(api.seen.length, 0)
      })

  test('nobody’s is passed on as nobody’s', async (t) => {
    const { api, door } = await setUp(t, { clusters: PASS })
    await askCluster(door, 'GET /version', ['nobody'])
    assert.deepEqual(linesOf(api.seen[0]!, 'authorization'), [])
  })

  test('is exchanged for one of the cluster, for that caller and that audience', async (t) => {
    const asked: string[] = []
    const exchanger = {
      exchange: (token: Secret, { subject }: { readonly subject: string }, audience: string) => {
        asked.push(`${token.reveal()} ${subject} ${audience}`)
        return Promise.resolve(new Secret('exchanged'))
      },
    }
    const { api, door } = await setUp(t, { clusters: { bed: { mode: 'on-behalf-of', audience: AKS } }, exchanger })
    assert.equal((await askCluster(door, PODS)).status, 200)
    assert.deepEqual(asked, [`${TOKEN} tenant/user ${AKS}`])
    assert.deepEqual(linesOf(api.seen[0]!, 'authorization'), ['Bearer exchanged'])
  })

  for (const [name, exchanger, status, says] of [
    [
      'refuses',
      { exchange: () => Promise.reject(new ExchangeRefused('it is of a workload')) },
      403,
      /could not be exchanged .*: it is of a workload/,
    ],
    ['can’t be reached', { exchange: () => Promise.reject(new Error('secret detail')) }, 503, /^this can not be decided now/],
    ['isn’t there', undefined, 403, /nobody here exchanges tokens/],
  ] as const)
    test(`where the provider ${name}, nothing is sent`, async (t) => {
      const { api, door } = await setUp(t, { clusters: { bed: { mode: 'on-behalf-of', audience: AKS } }, exchanger })
      const answer = await askCluster(door, PODS)
      assert.equal(answer.status, status)
      assert.match(statusIn(answer).message, says)
      assert.ok(!answer.body.includes('secret detail'))
      assert.deepEqual(recordsOf(door), [`list pods shop/*: allowed refused ${status}`])
      assert.equal(api.seen.length, 0)
    })

  test('one that was rejected is asked of nobody', async (t) => {
    const exchanger = { exchange: () => Promise.reject(new Error('asked')) }
    const authenticate = (_credential: Credential): AuthResult => ({ outcome: 'unavailable', cause: 'keys' })
    const { api, door } = await setUp(t, { clusters: { bed: { mode: 'on-behalf-of', audience: AKS } }, exchanger, authenticate })
    const answer = await askCluster(door, PODS)
    assert.deepEqual([answer.status, answer.fields.get('retry-after')?.[0]], [503, '2'])
    assert.equal(api.seen.length, 0)
  })
})

describe('clusters in trouble', () => {
  test('its refusal of the gateway is never shown as the caller’s', async (t) => {
    const { door } = await setUp(t, {}, () => jsonOf({ kind: 'Status', code: 401, message: 'Unauthorized' }, 401))
    const answer = await askCluster(door, PODS)
    assert.equal(answer.status, 502)
    assert.match(statusIn(answer).message, /^the cluster does not accept the gateway’s own credential; see `credential`/)
    assert.equal(answer.fields.get('www-authenticate'), undefined)
    assert.deepEqual(recordsOf(door), ['list pods shop/*: allowed upstream-failed 502'])
  })

  test('nor for a question about one’s own access', async (t) => {
    const { door } = await setUp(t, {}, () => jsonOf({ kind: 'Status', code: 401 }, 401))
    const body = JSON.stringify({ spec: { resourceAttributes: { verb: 'list', resource: 'pods', namespace: 'shop' } } })
    const line = 'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
    const answer = await askCluster(door, line, ['Content-Type: application/json'], body)
    assert.deepEqual([answer.status, statusIn(answer).reason], [502, 'ServiceUnavailable'])
  })

  test('nobody there: 502 as a Status', async (t) => {
    const { api, door } = await setUp(t)
    await api.close()
    const answer = await askCluster(door, PODS)
    assert.deepEqual([answer.status, statusIn(answer).code], [502, 502])
    assert.deepEqual(recordsOf(door), ['list pods shop/*: allowed upstream-failed 502'])
  })

  test('no answer in time: 504 as a Status', async (t) => {
    const { door } = await setUp(t, { clusters: { bed: { headersTimeout: '50ms' } } }, () => undefined)
    const answer = await askCluster(door, PODS)
    assert.deepEqual([answer.status, statusIn(answer).reason], [504, 'Timeout'])
    assert.deepEqual(recordsOf(door), ['list pods shop/*: allowed timed-out 504'])
  })

  test('a stranger in its place gets nothing', async (t) => {
    const { api, door } = await setUp(t, { clusters: { bed: { serverName: 'other.example.com' } } })
    assert.equal((await askCluster(door, PODS)).status, 502)
    assert.equal(api.seen.length, 0)
  })
})

describe('limits', () => {
  test('a body that is too large goes nowhere, whether it says so or not', async (t) => {
    const { api, door } = await setUp(t, { door: { limits: { body: '1KiB' } } })
    const line = 'POST /api/v1/namespaces/shop/pods'
    const said = await askCluster(door, line, ['Content-Type: application/json'], 'x'.repeat(2000))
    assert.equal(said.status, 413)
    assert.equal(api.seen.length, 0)
    const head = requestOf(line, ['Connection: close', 'Transfer-Encoding: chunked', 'Content-Type: application/json'])
    const text = await door
      .connect()
      .send(`${head}7d0\r\n${'x'.repeat(2000)}\r\n0\r\n\r\n`)
      .whole()
    assert.match(text, /^HTTP\/1\.1 413 [\s\S]*"reason":"RequestEntityTooLarge"/)
    await until(() => recordsOf(door).every((one) => one.endsWith('413')))
    assert.equal(api.seen.filter(({ body }) => body.length >= 2000).length, 0)
  })

  test('a guardrail’s counter: 429 with the seconds to wait, in the Status too', async (t) => {
    const { api, door } = await setUp(t, {
      rule: () => ({ effect: 'allow', obligations: [{ kind: 'limit', id: 'slowly', requests: 1, window: 1000, key: 'x' }] }),
      limiter: { charge: (limits) => ({ limits, retryAfter: 2100 }) },
    })
    const answer = await askCluster(door, PODS)
    assert.deepEqual([answer.status, answer.fields.get('retry-after')], [429, ['3']])
    assert.match(answer.body, /"retryAfterSeconds":3/)
    assert.match(statusIn(answer).message, /^guardrail `slowly` limits how often this may be done \(decision d1\)/)
    assert.equal(api.seen.length, 0)
  })
})
