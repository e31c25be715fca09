import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { KubernetesAction } from '../../core/action.ts'
import { eventOf, type ServerEvent } from './events.ts'
import { ingest, type JoinDecision, type JoinParts } from './join.ts'
import { eventsIn, eventsInLine } from './logs.ts'
import { joinSignIns, signInsIn, type TokenUse } from './signins.ts'

const RECEIVED = '2026-11-22T10:00:00.123456Z'
const TIME = Date.parse(RECEIVED)

/** A request of the gateway for a person, as an API server writes it. */
function written(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: 'd1',
    stage: 'ResponseComplete',
    requestURI: '/api/v1/namespaces/shop/pods/web-1',
    verb: 'get',
    user: { username: 'system:serviceaccount:ostiary:gateway', groups: ['system:authenticated'] },
    impersonatedUser: {
      username: 'ostiary:entra:tid/oid',
      groups: ['ostiary:reader', 'system:authenticated'],
      extra: { 'ostiary.dev/issuer': ['entra'], 'ostiary.dev/subject': ['tid/oid'] },
    },
    sourceIPs: ['203.0.113.9', '10.0.0.5'],
    userAgent: 'kubectl/v1.32.4',
    objectRef: { resource: 'pods', namespace: 'shop', name: 'web-1', apiVersion: 'v1' },
    responseStatus: { metadata: {}, code: 200 },
    requestReceivedTimestamp: RECEIVED,
    stageTimestamp: RECEIVED,
    annotations: { 'authorization.k8s.io/decision': 'allow' },
    ...more,
  }
}

const ACTION: KubernetesAction = {
  protocol: 'kubernetes',
  verb: 'get',
  group: '',
  resource: 'pods',
  subresource: '',
  namespace: 'shop',
  name: 'web-1',
  path: '',
}
const DECISION: JoinDecision = { id: 'd1', time: TIME - 20, allowed: true, action: ACTION, issuer: 'entra', subject: 'tid/oid' }

function found(event: Record<string, unknown>, decision: Partial<JoinDecision> | undefined = {}, parts: Partial<JoinParts> = {}): string {
  const read = eventOf(event)
  assert.ok(read !== undefined, 'it is an event')
  const known = decision === undefined ? undefined : { ...DECISION, ...decision }
  const [finding] = ingest([read], { lookup: (id) => (id === known?.id ? known : undefined), seen: new Map(), ...parts })
  assert.ok(finding !== undefined, 'something is said of it')
  return [finding.kind, finding.expected, finding.actual].filter((one) => one !== undefined).join(' | ')
}

describe('what is said of a request', () => {
  const person = { impersonatedUser: undefined, user: { username: 'admin@example.com', groups: ['system:authenticated'] } }
  const ref = (more: Record<string, string>): Record<string, unknown> => ({
    objectRef: { resource: 'pods', namespace: 'shop', name: 'web-1', ...more },
  })
  const cases: readonly (readonly [string, string, () => string])[] = [
    ['that the gateway let through', 'joined', () => found(written())],
    ['of somebody without any decision', 'bypassed', () => found(written({ ...person, auditID: 'other' }))],
    ['of somebody acted for, without any decision', 'bypassed', () => found(written({ auditID: 'other' }))],
    ['that the gateway refused', 'denied', () => found(written(), { allowed: false })],
    ['of another one under the id of a decision', 'someone-else | ostiary:entra:tid/oid | admin@example.com', () => found(written(person))],
    ['of somebody by the own token of the caller', 'joined', () => found(written(person), {}, { impersonates: false })],
    [
      'that acts as another',
      'someone-else | ostiary:entra:tid/oid | system:admin',
      () => found(written({ impersonatedUser: { username: 'system:admin', groups: [] } })),
    ],
    [
      'that acts as another by policy, whose own name goes along',
      'joined',
      () =>
        found(written({ impersonatedUser: { username: 'deployer', extra: { 'ostiary.dev/impersonated-by': ['ostiary:entra:tid/oid'] } } })),
    ],
    [
      'that acts as another for somebody else',
      'someone-else | ostiary:entra:tid/oid | deployer',
      () =>
        found(written({ impersonatedUser: { username: 'deployer', extra: { 'ostiary.dev/impersonated-by': ['ostiary:entra:tid/x'] } } })),
    ],
    [
      'whose extra fields name somebody else, whatever it is called',
      'someone-else | ostiary:entra:tid/oid | ostiary:entra:tid/oid',
      () =>
        found(
          written({
            impersonatedUser: {
              username: 'ostiary:entra:tid/oid',
              extra: { 'ostiary.dev/issuer': ['entra'], 'ostiary.dev/subject': ['x'] },
            },
          }),
        ),
    ],
    ['by the name alone', 'joined', () => found(written({ impersonatedUser: { username: 'ostiary:entra:tid/oid' } }))],
    [
      'by a name with another prefix',
      'joined',
      () => found(written({ impersonatedUser: { username: 'iap/entra:tid/oid' } }), {}, { prefix: 'iap/' }),
    ],
    ['with another verb', 'differs | get pods web-1 -n shop | delete pods web-1 -n shop', () => found(written({ verb: 'delete' }))],
    ['about another name', 'differs | get pods web-1 -n shop | get pods web-2 -n shop', () => found(written(ref({ name: 'web-2' })))],
    [
      'in another namespace',
      'differs | get pods web-1 -n shop | get pods web-1 -n kube-system',
      () => found(written(ref({ namespace: 'kube-system' }))),
    ],
    [
      'about a subresource',
      'differs | get pods web-1 -n shop | get pods/log web-1 -n shop',
      () => found(written(ref({ subresource: 'log' }))),
    ],
    [
      'about another group',
      'differs | get pods web-1 -n shop | get pods.x.io web-1 -n shop',
      () => found(written(ref({ apiGroup: 'x.io' }))),
    ],
    [
      'about a path',
      'differs | get pods web-1 -n shop | get /metrics',
      () => found(written({ objectRef: undefined, requestURI: '/metrics?x' })),
    ],
    [
      'of exec by WebSocket, which is decided as it is by SPDY',
      'joined',
      () =>
        found(written({ ...ref({ subresource: 'exec' }), stage: 'ResponseStarted' }), {
          action: { ...ACTION, verb: 'create', subresource: 'exec' },
        }),
    ],
    [
      'of a list across namespaces',
      'joined',
      () =>
        found(written({ verb: 'list', objectRef: { resource: 'pods' } }), {
          action: { ...ACTION, verb: 'list', namespace: '*', name: '*' },
        }),
    ],
    [
      'of a namespace, which is in itself',
      'joined',
      () =>
        found(written({ objectRef: { resource: 'namespaces', namespace: 'shop', name: 'shop' } }), {
          action: { ...ACTION, resource: 'namespaces', namespace: '', name: 'shop' },
        }),
    ],
    [
      'of a path',
      'joined',
      () =>
        found(written({ objectRef: undefined, requestURI: '/version?timeout=32s' }), {
          action: { ...ACTION, resource: '', namespace: '', name: '', path: '/version' },
        }),
    ],
    [
      'of the head of a path',
      'joined',
      () =>
        found(written({ verb: 'head', objectRef: undefined, requestURI: '/version' }), {
          action: { ...ACTION, resource: '', namespace: '', name: '', path: '/version' },
        }),
    ],
    ['under an id that is too long for any of ours', 'bypassed', () => found(written({ ...person, auditID: 'd1'.repeat(500) }))],
    ['by a method that is too long for any', 'bypassed', () => found(written({ ...person, auditID: 'o', verb: 'x'.repeat(5000) }))],
    ['long after its decision', 'reused', () => found(written(), { time: TIME - 121_000 })],
    ['before its decision', 'reused', () => found(written(), { time: TIME + 61_000 })],
    ['from the gateway', 'joined', () => found(written(), {}, { gateways: new Set(['10.0.0.5']) })],
    ['from elsewhere', 'bypassed | 10.0.0.5', () => found(written(), {}, { gateways: new Set(['203.0.113.9']) })],
    [
      'of a part of the cluster',
      'component',
      () => found(written({ auditID: 'o', impersonatedUser: null, user: { username: 'system:node:n1' } })),
    ],
    [
      'of a part that has another name',
      'component',
      () => found(written({ ...person, auditID: 'o', user: { username: 'aksService' } }), {}, { components: new Set(['aksService']) }),
    ],
    [
      'of a probe',
      'component',
      () =>
        found(
          written({ auditID: 'o', impersonatedUser: null, user: { username: 'system:anonymous' }, objectRef: null, requestURI: '/livez' }),
        ),
    ],
    [
      'of nobody, for something',
      'bypassed',
      () => found(written({ auditID: 'o', impersonatedUser: null, user: { username: 'system:anonymous' } })),
    ],
  ]
  for (const [name, expected, finding] of cases) test(name, () => assert.equal(finding(), expected))
})

test('each request is told once, and the id of a decision counts once', () => {
  const stage = (name: string, more: Record<string, unknown> = {}): ServerEvent => eventOf(written({ stage: name, ...more }))!
  const seen = new Map<string, string>()
  const parts: JoinParts = { lookup: () => DECISION, seen }
  const kinds = (...events: ServerEvent[]): readonly string[] => ingest(events, parts).map(({ kind }) => kind)
  assert.deepEqual(kinds(stage('RequestReceived'), stage('ResponseStarted')), ['joined'])
  assert.deepEqual(kinds(stage('ResponseComplete')), [], 'in another batch too')
  assert.deepEqual(kinds(stage('ResponseComplete', { requestReceivedTimestamp: '2026-11-22T10:00:01.000000Z' })), ['reused'])
})

describe('the forms that events come in', () => {
  const event = written()
  const aks = { category: 'kube-audit', operationName: 'x', properties: { log: JSON.stringify(event), stream: 'stdout' } }
  const cases: readonly (readonly [string, unknown, number, number])[] = [
    ['the list of a webhook', { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', items: [event, event] }, 2, 0],
    ['an event', event, 1, 0],
    ['a record of AKS', aks, 1, 0],
    ['of changes only', { ...aks, category: 'kube-audit-admin' }, 1, 0],
    ['records of AKS', { records: [aks, { ...aks, category: 'kube-apiserver' }] }, 1, 1],
    ['with properties as text', { ...aks, properties: JSON.stringify(aks.properties) }, 1, 0],
    ['another version', { ...event, apiVersion: 'audit.k8s.io/v2' }, 0, 1],
    ['an event without an id', { ...event, auditID: '' }, 0, 1],
    ['an event of no time', { ...event, requestReceivedTimestamp: 'now' }, 0, 1],
    ['a list in lists in lists', [[[[[[event]]]]]], 0, 1],
    ['nothing', null, 0, 1],
  ]
  for (const [name, value, events, others] of cases)
    test(name, () => {
      const read = eventsIn(value)
      assert.deepEqual([read.events.length, read.others], [events, others])
      assert.deepEqual(eventsInLine(JSON.stringify(value)), read)
    })

  test('a line that is no JSON', () => assert.deepEqual(eventsInLine('{"kind":'), { events: [], others: 1 }))

  test('names like those of objects in JavaScript are names', () => {
    const read = eventOf(
      JSON.parse(
        `{"auditID":"a","stage":"Panic","requestURI":"/","verb":"get","requestReceivedTimestamp":"${RECEIVED}","user":{"username":"x","extra":{"__proto__":["y"],"constructor":["z"]}}}`,
      ),
    )
    assert.equal(read?.user.name, 'x')
    assert.deepEqual(read?.user.extra.get('constructor'), ['z'])
  })
})

test('anything at all: events or none, of bounded size, and something to say of each', () => {
  const mangled = fc.dictionary(
    fc.constantFrom(...Object.keys(written()), 'items', 'records', 'properties', 'category', 'log'),
    fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom('kube-audit', 'Panic', RECEIVED, 'x'.repeat(5000))),
    { maxKeys: 6 },
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.jsonValue(),
        mangled.map((more) => written(more)),
        mangled,
      ),
      (value) => {
        const { events } = eventsIn(value)
        for (const event of events) assert.ok(event.uri.length <= 2048 && event.sourceIps.length <= 64)
        const findings = ingest(events, { lookup: (id) => (id === 'd1' ? DECISION : undefined), seen: new Map() })
        assert.ok(findings.length <= events.length)
        // Nothing but the decision's own request is joined to it.
        for (const { kind, event } of findings)
          if (kind === 'joined') assert.deepEqual([event.auditId, event.verb, event.object?.name], ['d1', 'get', 'web-1'])
      },
    ),
    { numRuns: 3000 },
  )
})

describe('sign-ins', () => {
  const signIn = {
    id: 's1',
    createdDateTime: '2026-11-22T09:59:00Z',
    userPrincipalName: 'user@example.com',
    appDisplayName: 'Ostiary',
    ipAddress: '203.0.113.9',
    conditionalAccessStatus: 'success',
    uniqueTokenIdentifier: 'AbC+/w==',
    status: { errorCode: 0 },
  }
  const use: TokenUse = {
    tokenId: 'AbC-_w',
    issuer: 'entra',
    subject: 'tid/oid',
    display: 'user',
    decisions: 3,
    ips: ['203.0.113.9'],
    first: TIME,
    last: TIME,
  }
  const kinds = (log: unknown, more: Partial<TokenUse> = {}): readonly string[] =>
    joinSignIns(signInsIn(log).signIns, [{ ...use, ...more }]).map(({ kind }) => kind)

  test('in each form that they are exported in', () => {
    for (const log of [
      signIn,
      [signIn],
      { value: [signIn] },
      { records: [{ category: 'SignInLogs', properties: signIn }] },
      { properties: JSON.stringify(signIn) },
    ])
      assert.deepEqual(kinds(log), ['joined'], JSON.stringify(log))
  })
  test('a token that is presented from elsewhere', () =>
    assert.deepEqual(kinds([signIn], { ips: ['203.0.113.9', '198.51.100.7'] }), ['moved']))
  test('a sign-in that failed', () => assert.deepEqual(kinds([{ ...signIn, status: { errorCode: 50_074 } }]), ['failed']))
  test('a token that the log does not know', () => assert.deepEqual(kinds([signIn], { tokenId: 'other' }), ['unknown']))
  test('the first of several counts', () => {
    const later = { ...signIn, id: 's2', createdDateTime: '2026-11-22T10:30:00Z', ipAddress: '198.51.100.7' }
    const [finding] = joinSignIns(signInsIn([later, signIn]).signIns, [use])
    assert.equal(finding?.signIn?.id, 's1')
  })
  test('anything at all', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const { signIns } = signInsIn(value)
        assert.equal(joinSignIns(signIns, [use]).length, 1)
      }),
    )
    assert.deepEqual(signInsIn([{ ...signIn, createdDateTime: 'yesterday' }, 3]), { signIns: [], others: 2 })
  })
})
