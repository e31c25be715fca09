/** What callers write of who they are, and what a cluster reads of it. */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import { TOKEN } from '../../testing/httpdoor.ts'
import { askCluster, clusterDoor, GATEWAY_TOKEN, recordsOf, statusIn, type ClusterDoorOptions } from '../../testing/kubernetesdoor.ts'
import { jsonOf, linesOf, standInApiServer, type ApiRequest } from '../../testing/standin-apiserver.ts'

async function setUp(t: TestContext, options: ClusterDoorOptions = {}) {
  const api = await standInApiServer(() => jsonOf({ kind: 'PodList', items: [] }))
  const door = await clusterDoor(api, options)
  t.after(async () => {
    await door.close()
    await api.close()
  })
  return { api, door }
}

const PODS = 'GET /api/v1/namespaces/shop/pods'

/** Names of fields by which somebody is told who calls, in the spellings that some server reads as the same. */
const STOLEN = (
  'X-Remote-User: admin|X-Remote-Group: system:masters|X-Remote-Uid: 0|X-Remote-Extra-Scopes: all|X-REMOTE-GROUP: a|X.Remote.User: admin|' +
  'x-remote.group: system:masters|Remote-User: admin|Remote.Group: system:masters|Audit-Id: mine|AUDIT-ID: mine|Cookie: session=1|' +
  'X-Forwarded-User: admin|X-Forwarded-Groups: system:masters|Proxy-Authorization: Basic YTpi|Ostiary-Subject: admin|' +
  'Forwarded: for=1.2.3.4|X-Real-Ip: 1.2.3.4'
).split('|')
const IMPERSONATE = /^impersonate/

function impersonated(request: ApiRequest): readonly string[] {
  return request.fields.filter(([name]) => IMPERSONATE.test(name.toLowerCase())).map(([name, value]) => `${name.toLowerCase()}: ${value}`)
}

const OWN = [
  'impersonate-user: ostiary:entra:tenant/user',
  'impersonate-group: ostiary:everyone',
  'impersonate-group: ostiary:authenticated',
  'impersonate-group: ostiary:reader',
  'impersonate-extra-ostiary.dev%2Fissuer: entra',
  'impersonate-extra-ostiary.dev%2Fsubject: tenant/user',
].map((line) => line.replace('%2F', '%2f'))

describe('who a caller is to a cluster', () => {
  test('the gateway says it, a line for each group, with its own token', async (t) => {
    const { api, door } = await setUp(t)
    assert.equal((await askCluster(door, PODS)).status, 200)
    const [request] = api.seen
    assert.equal(request!.version, '2')
    assert.deepEqual(impersonated(request!), OWN)
    assert.deepEqual(linesOf(request!, 'authorization'), [`Bearer ${GATEWAY_TOKEN}`])
    assert.deepEqual(linesOf(request!, 'audit-id'), ['d1'])
    assert.equal(request!.authority, `127.0.0.1:${api.port}`)
  })

  test('what the caller says of it in other fields arrives in no spelling', async (t) => {
    const { api, door } = await setUp(t)
    for (const field of STOLEN) {
      const before = api.seen.length
      const answer = await askCluster(door, PODS, [field])
      assert.equal(answer.status, 200, field)
      const request = api.seen[before]!
      const [name, value] = field.split(': ') as [string, string]
      const told = linesOf(request, name)
      assert.ok(!told.includes(value), `${field} arrived as ${told.join('|')}`)
      assert.deepEqual(linesOf(request, 'audit-id'), [[...door.records.keys()].at(-1)], field)
      assert.deepEqual(impersonated(request), OWN, field)
      assert.ok(!JSON.stringify(request.fields).includes(TOKEN), field)
    }
  })

  for (const [field, problem] of [
    ['Impersonate_User: admin', /underscore|`_`/],
    ['Impersonate-User : admin', /./],
    ['Impersonate.User: admin', /none of the fields/],
    ['ImpersonateUser: admin', /none of the fields/],
    ['Impersonate-Groups: admin', /none of the fields/],
    ['Impersonate-Group: system:masters', /as a group, and as no user/],
    ['Impersonate-Uid: 0', /as a group, and as no user/],
    ['Impersonate-User:', /is empty/],
    ['Impersonate-Extra-: x', /names no key/],
    ['Impersonate-Extra-ostiary.dev%2Fissuer: x\r\nImpersonate-User: a', /are the gateway’s/],
    ['Impersonate-User: a\r\nimpersonate-user: b', /more than one user/],
  ] as const)
    test(`\`${field.replace('\r\n', '` with `')}\` goes nowhere`, async (t) => {
      const { api, door } = await setUp(t)
      const answer = await askCluster(door, PODS, [field])
      assert.equal(answer.status, 400)
      assert.deepEqual(api.seen, [])
      // What the parser of HTTP refuses by itself was no request yet.
      if (answer.body.startsWith('{')) assert.match(statusIn(answer).message, problem)
    })

  test('no name that begins with `impersonate` gets there that the gateway did not write, whatever it is', async (t) => {
    const { api, door } = await setUp(t, { rule: ({ verb }) => verb !== 'impersonate' })
    const letter = fc.constantFrom('i', 'm', 'U', 'G', 'x', '-', '.', '_', '%', '~', '2f', 'extra')
    const first = fc.constantFrom('Impersonate', 'Impersonate-User', 'impersonate-extra-', 'I.mpersonate', 'IMPERSONATE-GROUP')
    const name = fc.tuple(first, fc.string({ unit: letter, maxLength: 8 }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { minLength: 1, maxLength: 3 }),
        fc.constantFrom('admin', 'system:masters', ''),
        async (names, value) => {
          const before = api.seen.length
          await askCluster(
            door,
            PODS,
            names.map((parts) => `${parts.join('')}: ${value}`),
          )
          for (const request of api.seen.slice(before)) {
            assert.deepEqual(impersonated(request), OWN)
            const folded = request.fields.map(([one]) => one.toLowerCase().replaceAll(/[^a-z]/g, ''))
            assert.equal(folded.filter((one) => one.startsWith('impersonate')).length, OWN.length)
          }
        },
      ),
      { numRuns: 80 },
    )
  })

  test('nobody in particular is nobody there either', async (t) => {
    const { api, door } = await setUp(t)
    assert.equal((await askCluster(door, 'GET /version', ['nobody'])).status, 200)
    assert.deepEqual(impersonated(api.seen[0]!), ['impersonate-user: system:anonymous', 'impersonate-group: system:unauthenticated'])
  })

  test('a name that no field can carry is refused, and recorded as allowed and not done', async (t) => {
    const { api, door } = await setUp(t, { identity: { subject: 'x\n' } })
    const answer = await askCluster(door, PODS)
    assert.equal(answer.status, 403)
    assert.match(statusIn(answer).message, /can not be told to the cluster/)
    assert.deepEqual(recordsOf(door), ['list pods shop/*: allowed refused 403'])
    assert.deepEqual(api.seen, [])
  })

  test('another prefix is before each name', async (t) => {
    const { api, door } = await setUp(t, { clusters: { bed: { prefix: 'corp/' } } })
    await askCluster(door, PODS)
    assert.deepEqual(impersonated(api.seen[0]!).slice(0, 2), [
      'impersonate-user: corp/entra:tenant/user',
      'impersonate-group: corp/everyone',
    ])
  })
})

describe('one who acts as another', () => {
  const AS = ['Impersonate-User: olga', 'Impersonate-Group: a, b', 'impersonate-group: c', 'Impersonate-Extra-Team: x']

  test('is the other there, and what each of it needs is decided, recorded and completed', async (t) => {
    const { api, door } = await setUp(t)
    assert.equal((await askCluster(door, PODS, AS)).status, 200)
    assert.deepEqual(impersonated(api.seen[0]!), [
      'impersonate-user: olga',
      'impersonate-group: a, b',
      'impersonate-group: c',
      'impersonate-extra-team: x',
      'impersonate-extra-ostiary.dev%2fimpersonated-by: ostiary:entra:tenant/user',
    ])
    assert.deepEqual(recordsOf(door), [
      'impersonate users /olga: allowed completed 200',
      'impersonate groups /a, b: allowed completed 200',
      'impersonate groups /c: allowed completed 200',
      'impersonate userextras /*: allowed completed 200',
      'list pods shop/*: allowed completed 200',
    ])
  })

  test('needs each of it: what was allowed before is completed as refused', async (t) => {
    const { api, door } = await setUp(t, { rule: ({ verb, name }) => verb !== 'impersonate' || name !== 'c' })
    const answer = await askCluster(door, PODS, AS)
    assert.equal(answer.status, 403)
    assert.match(
      statusIn(answer).message,
      /^groups "c" is forbidden: User "ostiary:entra:tenant\/user" cannot impersonate resource "groups"/,
    )
    assert.deepEqual(recordsOf(door), [
      'impersonate users /olga: allowed refused 403',
      'impersonate groups /a, b: allowed refused 403',
      'impersonate groups /c: denied',
    ])
    assert.deepEqual(api.seen, [])
    assert.equal(door.pipeline.open.size, 0)
  })

  test('may do no more than it may by itself', async (t) => {
    const { api, door } = await setUp(t, { rule: ({ verb }) => verb === 'impersonate' })
    const answer = await askCluster(door, PODS, ['Impersonate-User: olga'])
    assert.match(statusIn(answer).message, /cannot list resource "pods"/)
    assert.deepEqual(recordsOf(door), ['impersonate users /olga: allowed refused 403', 'list pods shop/*: denied'])
    assert.deepEqual(api.seen, [])
  })
})

describe('credentials', () => {
  const PROTOCOL = `base64url.bearer.authorization.k8s.io.${Buffer.from(TOKEN).toString('base64url')}`
  const WEBSOCKET = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]

  test('two of them are none', async (t) => {
    const { api, door } = await setUp(t)
    const answers = [
      await askCluster(door, PODS, [`Authorization: Bearer ${TOKEN}`, `Authorization: Bearer ${TOKEN}`]),
      await askCluster(door, 'GET /api/v1/namespaces/shop/pods/a/exec?command=x', [
        ...WEBSOCKET,
        `Authorization: Bearer ${TOKEN}`,
        `Sec-WebSocket-Protocol: ${PROTOCOL}, v5.channel.k8s.io`,
      ]),
      await askCluster(door, 'GET /api/v1/namespaces/shop/pods/a/exec?command=x', [
        ...WEBSOCKET,
        'nobody',
        `Sec-WebSocket-Protocol: ${PROTOCOL}, ${PROTOCOL}, v5.channel.k8s.io`,
      ]),
      // Where no page could have written it.
      await askCluster(door, PODS, ['nobody', `Sec-WebSocket-Protocol: ${PROTOCOL}`]),
    ]
    for (const answer of answers) {
      assert.equal(answer.status, 401)
      assert.match(statusIn(answer).message, /^the request carries more than one credential/)
      assert.equal(answer.fields.get('www-authenticate')?.[0], 'Bearer realm="kubernetes"')
    }
    assert.deepEqual(api.seen, [])
    assert.deepEqual(new Set(recordsOf(door).map((line) => line.split(': ')[1])), new Set(['rejected ambiguous']))
  })

  test('a token among the subprotocols is one, and goes no further', async (t) => {
    const { api, door } = await setUp(t)
    api.upgrade = (_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')
    const answer = await askCluster(door, 'GET /api/v1/namespaces/shop/pods/a/exec?command=x', [
      ...WEBSOCKET,
      'nobody',
      `Sec-WebSocket-Protocol: v5.channel.k8s.io, ${PROTOCOL}`,
    ])
    assert.equal(answer.status, 403)
    const [request] = api.seen
    assert.deepEqual(linesOf(request!, 'sec-websocket-protocol'), ['v5.channel.k8s.io'])
    assert.deepEqual(linesOf(request!, 'authorization'), [`Bearer ${GATEWAY_TOKEN}`])
    assert.deepEqual(
      impersonated(request!).filter((line) => !line.startsWith('impersonate-extra')),
      OWN.slice(0, 4),
    )
    assert.ok(!JSON.stringify(request!.fields).includes(PROTOCOL.slice(-12)))
  })

  test('a wrong one is told as what it is, in a Status', async (t) => {
    const { door } = await setUp(t, { clusters: { bed: { help: 'ask in #platform' } } })
    const answer = await askCluster(door, PODS, ['Authorization: Bearer other'])
    assert.equal(answer.status, 401)
    assert.deepEqual(statusIn(answer), {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'the signature of the token is wrong; ask in #platform (decision d1)',
      reason: 'Unauthorized',
      code: 401,
    })
  })

  test('none at all is told so', async (t) => {
    const { door } = await setUp(t, { rule: () => false })
    const answer = await askCluster(door, PODS, ['nobody'])
    assert.equal(answer.status, 401)
    assert.match(statusIn(answer).message, /^no credential came with the request; sign in with `ostiary login` \(decision d1\)$/)
  })
})
