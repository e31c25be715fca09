import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { noMeter } from '../../core/meter.ts'
import type { Grant } from '../../core/decision.ts'
import type { DecisionEvent, Outcome, RecordMode } from '../../core/record.ts'
import type { JoinDecision } from '../../kubernetes/audit/join.ts'
import { isNamespaced } from '../../policy/actions/kubernetes/known.ts'
import { loadPolicy, type CompiledPolicy } from '../../policy/index.ts'
import { RevocationIndex } from '../../identity/index.ts'
import type { RevocationTarget } from '../../store/revocations.ts'
import { ManualClock } from '../../testing/clock.ts'
import { character } from '../../testing/text.ts'
import { answerAuthorize, type AskingCluster } from './authorize.ts'
import { resourceSchema, type KubernetesResource } from './schema.ts'

const NOW = Date.UTC(2026, 2, 2, 12)
const POLICY = `
apiVersion: ostiary.dev/v1
roles:
  reader: { bind: [{ issuer: people, claim: groups, any: [readers] }] }
  operator: { bind: [{ issuer: people, claim: groups, any: [operators] }] }
  contractor: { bind: [{ issuer: people, claim: groups, any: [contractors] }] }
  helper: { eligible: [{ issuer: people, claim: groups, any: [helpers] }] }
  rescuer:
    bind:
      - { issuer: people, claim: sub, any: [jo], breakGlass: { until: 2026-03-02T13:00:00Z } }
rules:
  - { id: discover, role: authenticated, resource: bed, actions: [get /api/**, get /version] }
  - { id: look, role: reader, resource: bed, actions: ['get,list pods -n team-*', 'get,list secrets -n team-a', 'list nodes'] }
  - { id: rare, role: reader, resource: bed, actions: ['list events -n team-a'] }
  - { id: counted, role: reader, resource: bed, actions: ['list services -n team-a'] }
  - { id: proven, role: reader, resource: bed, actions: ['delete pods -n team-a'] }
  - { id: signed-off, role: reader, resource: bed, actions: ['delete services -n team-a'] }
  - { id: kept, role: reader, resource: bed, actions: ['list configmaps -n team-a'] }
  - { id: near, role: reader, resource: bed, actions: ['patch pods -n team-a'], when: 'claims.department == "ops"' }
  - { id: inside, role: reader, resource: bed, actions: ['update pods -n team-a'], when: 'inCidr(context.ip, "10.0.0.0/8")' }
  - { id: operate, role: operator, resource: bed, actions: ['get,list,create,update,delete *'] }
  - { id: help, role: helper, resource: bed, actions: ['get pods/log'] }
  - { id: rescue, role: rescuer, resource: bed, actions: ['delete nodes'] }
  - { id: scoped, role: reader, resource: capped, actions: ['list pods'] }
  - { id: seen, role: reader, resource: watched, actions: ['list pods'] }
guardrails:
  - { id: no-bank, deny: ['* secrets -n team-bank'], resource: bed, allBut: [contractor] }
  - { id: no-outsiders, deny: ['* secrets'], resource: bed, for: [contractor] }
  - { id: office, deny: ['* deployments.apps'], resource: bed, for: [operator], when: 'claims.department != "ops"' }
  - { id: second-factor, require: { mfa: true }, actions: ['delete pods', 'delete daemonsets.apps'], resource: bed, allBut: [operator] }
  - { id: four-eyes, require: { approval: { from: [operator] } }, actions: ['delete services'], resource: bed, allBut: [operator] }
  - { id: often, limit: { requests: 5, in: 1m }, actions: ['list services'], resource: bed, for: [reader] }
  - { id: on-disk, record: strict, actions: ['list configmaps'], resource: bed, for: [reader] }
`
const issuer = { audiences: ['clusters'], clients: [], agents: [], kind: 'jwt' }
const resource = {
  protocol: 'kubernetes',
  description: undefined,
  labels: {},
  issuers: undefined,
  scopes: undefined,
  record: 'spool' as const,
}

function policyOf(text = POLICY): CompiledPolicy {
  const { policy, diagnostics } = loadPolicy({
    sources: { wiring: { path: 'ostiary.yaml', text: '' }, environment: undefined, policy: [{ path: 'p.yaml', text }], tests: [] },
    wiring: {
      issuers: {
        people: {
          ...issuer,
          claims: { groups: 'list', department: 'string' },
          stepUp: { mfa: { claim: 'department', any: ['never'] }, authContext: {}, device: {} },
        },
        others: { ...issuer, claims: {}, stepUp: 'never' },
      },
      resources: {
        bed: resource,
        capped: { ...resource, scopes: { 'Pods.List': ['list pods'] } },
        watched: { ...resource, observe: { until: '2026-03-03T00:00:00Z' } },
      },
    },
    kindClaims: { jwt: { sub: { type: 'string', mayBeUnknown: false } } },
    mustAdminister: false,
    now: NOW,
  })
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === 'error').map(({ message }) => message),
    [],
  )
  return policy!
}

interface Recorded {
  readonly event: DecisionEvent
  readonly mode: RecordMode
  outcome?: Outcome
}

interface World {
  readonly records: Recorded[]
  ask(body: unknown): Promise<{ readonly status: number; readonly body: Answered }>
}

interface Answered {
  readonly apiVersion: string
  readonly kind: string
  readonly message?: string
  readonly status: { readonly allowed: boolean; readonly denied?: boolean; readonly reason?: string }
}

interface WorldParts {
  readonly config?: object
  readonly cluster?: string
  readonly policy?: CompiledPolicy
  readonly decided?: () => void | Promise<void>
  readonly letThrough?: JoinDecision
  readonly find?: AskingCluster['find']
  readonly namespaced?: AskingCluster['namespaced']
  readonly policies?: { readonly current: CompiledPolicy }
  readonly grants?: readonly Grant[]
  readonly revoked?: readonly RevocationTarget[]
}

const POLICY_IN_FORCE = policyOf()

function world({
  config = {},
  cluster = 'bed',
  policy = POLICY_IN_FORCE,
  decided,
  letThrough,
  policies = { current: policy },
  grants = [],
  revoked = [],
  ...more
}: WorldParts = {}): World {
  const records: Recorded[] = []
  const clock = new ManualClock(NOW)
  const asking: AskingCluster = {
    name: cluster,
    config: resourceSchema.parse({ protocol: 'kubernetes', ...config }) as KubernetesResource,
    find: more.find ?? (() => undefined),
    namespaced: more.namespaced ?? ((group, _version, name) => isNamespaced(group, name)),
  }
  let ids = 0
  return {
    records,
    async ask(body) {
      const answer = await answerAuthorize(asking, Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)), {
        policies,
        grants: {
          ofSubject: (issuer, subject, time) => {
            const active = grants.filter((one) => one.issuer === issuer && one.subject === subject && one.from <= time && time < one.until)
            return active.length === 0 ? undefined : active
          },
        },
        revoked: (identity) => new RevocationIndex(revoked).hits(identity),
        recorder: {
          decided: (event, mode) => {
            records.push({ event, mode })
            return decided?.()
          },
          completed: (id, outcome) => {
            records.find(({ event }) => event.id === id)!.outcome = outcome
          },
        },
        letThrough: (name, id) => (name === 'bed' && id === letThrough?.id ? letThrough : undefined),
        newId: () => `d${++ids}`,
        clock,
        meter: noMeter,
        name: 'kubernetes',
      })
      return { status: answer.status, body: JSON.parse(answer.body) as Answered }
    },
  }
}

type Attributes = Readonly<Record<string, unknown>>

function review(groups: readonly string[], attributes: Attributes, more: Attributes = {}): object {
  const what = 'path' in attributes ? { nonResourceAttributes: attributes } : { resourceAttributes: { version: 'v1', ...attributes } }
  return {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    metadata: { creationTimestamp: null },
    spec: { user: 'ostiary:people:anna', groups: [...groups, 'ostiary:authenticated', 'system:authenticated'], ...what, ...more },
    status: { allowed: false },
  }
}

const pods = { verb: 'list', resource: 'pods', namespace: 'team-a' }
const reader = ['ostiary:reader']

describe('an API server is told', () => {
  const cases: readonly (readonly [what: string, review: object, expected: string | RegExp])[] = [
    ['what a rule allows', review(reader, pods), 'allowed: rule `look` allows it'],
    ['what everybody may who is signed in', review([], { verb: 'get', path: '/version' }), 'allowed: rule `discover` allows it'],
    [
      'of all namespaces only what a rule gives of all',
      review(reader, { verb: 'list', resource: 'pods' }),
      /^denied: rule `operate` allows/,
    ],
    ['who would have to hold what', review([], pods), /^denied: rules `look` and `operate` allow it to `reader` or `operator`, which you/],
    [
      'what a guardrail forbids',
      review(['ostiary:operator'], { ...pods, resource: 'secrets', namespace: 'team-bank' }),
      /^denied: guardrail `no-bank` forbids it/,
    ],
    [
      'what is forbidden to some',
      review([...reader, 'ostiary:contractor'], { ...pods, resource: 'secrets' }),
      /^denied: guardrail `no-outsiders` forbids it/,
    ],
    [
      'that a condition over claims is not met by whom nobody tells claims of',
      review(reader, { ...pods, verb: 'patch', name: 'x' }),
      /^denied: a condition of this access could not be evaluated/,
    ],
    ['that where it comes from is not known', review(reader, { ...pods, verb: 'update', name: 'x' }), /^denied: (?:a|the) condition/],
    [
      'that a guardrail over claims counts as applying',
      review(['ostiary:operator'], { ...pods, group: 'apps', resource: 'deployments' }),
      /^denied: a guardrail forbids this because/,
    ],
    [
      'that a second factor is asked for',
      review(reader, { ...pods, verb: 'delete', name: 'x' }),
      /^denied: guardrail `second-factor` asks for a sign-in/,
    ],
    [
      'that an approval is asked for',
      review(reader, { ...pods, resource: 'services', verb: 'delete', name: 'x' }),
      /^denied: it needs the approval of `operator`/,
    ],
    [
      'that nobody would count',
      review(reader, { ...pods, resource: 'services' }),
      /^denied: guardrail `often` asks for what an API server can not do/,
    ],
    [
      'what exec is, whatever verb it comes by',
      review(['ostiary:operator'], { ...pods, verb: 'get', subresource: 'exec', name: 'x' }),
      /^denied: no rule allows/,
    ],
    ['that a role of another issuer gives nothing', review(reader, pods, { user: 'ostiary:others:anna' }), /^denied: it can not be told/],
    [
      'that a role of an issuer that there is not gives nothing',
      review(reader, pods, { user: 'ostiary:nobodys:anna' }),
      /^denied: it can not be told/,
    ],
    [
      'that a role that is only eligible is not held',
      review(['ostiary:helper'], { ...pods, subresource: 'log', verb: 'get', name: 'x' }),
      /^denied: it can not be told/,
    ],
    [
      'that a role by breakGlass is held until then',
      review(['ostiary:rescuer'], { verb: 'delete', resource: 'nodes', name: 'n' }, { user: 'ostiary:people:jo' }),
      'allowed: rule `rescue` allows it',
    ],
    ['that a role that there is not gives nothing', review(['ostiary:root'], pods), /^denied: rules `look`/],
    ['that nobody is everybody of the cluster', review(['ostiary:system:masters'], pods), /^denied: rules `look`/],
    [
      'that a chain can not be decided',
      review(reader, pods, { extra: { 'ostiary.dev/actor': ['ci:bot'] } }),
      /^denied: somebody acts for the user/,
    ],
    ['that a name of ours has to be somebody’s', review(reader, pods, { user: 'ostiary:anna' }), /^denied: the user or group has a name/],
    ['that no name has groups of ours', review(reader, pods, { user: 'jane' }), /^denied: the user or group has a name/],
    ['that nobody has groups of ours', review(reader, pods, { user: undefined }), /^denied: the user or group has a name/],
    [
      'that a name has to say what its origin says',
      review(reader, pods, { extra: { 'ostiary.dev/subject': ['bert'] } }),
      /^denied: the user or group has a name/,
    ],
    ['that not everything is asked about', review(['ostiary:operator'], { ...pods, verb: '*' }), /^denied: no single request/],
    ['that all kinds are no request', review(['ostiary:operator'], { ...pods, resource: '*' }), /^denied: no single request/],
    ['that a path of dots has no meaning', review([], { verb: 'get', path: '/api/../metrics' }), /^denied: no single request/],
    ['that an empty segment has no meaning', review([], { verb: 'get', path: '/api//v1' }), /^denied: no single request/],
    ['that a path has to be there', review([], { verb: 'get', path: '' }), /^denied: no single request/],
  ]
  for (const [what, body, expected] of cases)
    test(what, async () => {
      const { ask } = world()
      const { status, body: answer } = await ask(body)
      assert.equal(status, 200)
      assert.deepEqual([answer.apiVersion, answer.kind], ['authorization.k8s.io/v1', 'SubjectAccessReview'])
      const { allowed, denied, reason = '' } = answer.status
      const said = `${allowed ? 'allowed' : denied === true ? 'denied' : 'no opinion'}: ${reason.replace(/ \(decision d1\)$/, '')}`
      if (typeof expected === 'string') assert.equal(said, expected)
      else assert.match(said, expected)
      assert.match(reason, / \(decision d1\)$/)
    })

  test('nothing of people who are not ours', async () => {
    const { ask, records } = world()
    const { body } = await ask({
      ...review([], pods),
      spec: { user: 'system:serviceaccount:a:b', groups: ['g'], resourceAttributes: pods },
    })
    assert.deepEqual(body.status, { allowed: false, reason: 'the user is none of those whom the gateway knows by `ostiary:`' })
    assert.deepEqual(records, [])
  })
  test('of scopes, which nobody told, that none is there', async () => {
    const { body } = await world({ cluster: 'capped' }).ask(review(reader, { verb: 'list', resource: 'pods' }))
    assert.match(body.status.reason!, /^the scopes of the token do not cover this/)
  })
  test('of what is only observed no more than rules give: roles of the cluster say the rest', async () => {
    const { ask, records } = world({ cluster: 'watched' })
    const { allowed, reason } = (await ask(review(reader, pods))).body.status
    assert.deepEqual([allowed, reason], [true, 'rule `seen` allows it (decision d1)'])
    const { status } = (
      await ask(review(reader, { verb: 'escalate', group: 'rbac.authorization.k8s.io', resource: 'clusterroles', name: 'x' }))
    ).body
    assert.deepEqual(status, { allowed: false, reason: 'no rule allows it, and the policy is only observed (decision d2)' })
    const [, { event, outcome }] = records as [Recorded, Recorded]
    assert.deepEqual([event.verdict.kind, outcome?.result], ['allowed', 'handed-over'])
  })
  test('of a kind of the cluster’s own what it is found to be, in the version that is meant', async () => {
    const asked: string[] = []
    const { ask, records } = world({
      find: (group, version, name) => {
        asked.push(`${group}/${version}/${name}`)
        return Promise.resolve()
      },
      namespaced: (_group, _version, name) => (name === 'clusterwidgets' ? false : undefined),
    })
    const widgets = { verb: 'get', group: 'example.com', resource: 'clusterwidgets', name: 'w' }
    for (const version of ['v2', '*', '']) await ask(review(reader, { ...widgets, version, namespace: 'team-a' }))
    await ask(review(reader, { ...widgets, resource: '*' }))
    assert.deepEqual(asked, ['example.com/v2/clusterwidgets', 'example.com/v1/clusterwidgets', 'example.com/v1/clusterwidgets'])
    const namespaces = records.map(({ event }) => (event.action as { namespace: string }).namespace)
    assert.deepEqual(namespaces, ['', '', '', ''])
  })
  test('what the policy says once it is known what is asked about', async () => {
    const policies = { current: policyOf() }
    const { ask } = world({
      policies,
      find: () => {
        policies.current = policyOf(POLICY.replace('- { id: look,', '- { id: gone,'))
        return Promise.resolve()
      },
    })
    assert.match((await ask(review(reader, pods))).body.status.reason!, /^rule `gone` allows it/)
  })
  test('that selectors narrow only', async () => {
    const { body } = await world().ask(
      review(reader, {
        ...pods,
        labelSelector: { requirements: [{ key: 'a', operator: 'In', values: ['b'] }] },
        fieldSelector: { rawSelector: 'a=b' },
      }),
    )
    assert.equal(body.status.allowed, true)
  })
  test('whom to ask', async () => {
    const { body } = await world({ config: { help: 'ask in #platform' } }).ask(review([], pods))
    assert.match(body.status.reason!, /; ask in #platform \(decision d1\)$/)
  })
  test('names with another prefix', async () => {
    const { ask } = world({ config: { prefix: 'corp/' } })
    const spec = { user: 'corp/people:anna', groups: ['corp/reader', 'corp/authenticated'] }
    assert.equal((await ask(review(reader, pods, spec))).body.status.allowed, true)
    assert.equal((await ask(review(reader, pods))).body.status.denied, undefined, 'ours are those with the prefix of the cluster')
  })
})

describe('where roles of the cluster may give more', () => {
  const cases: readonly (readonly [what: string, review: object, expected: 'denied' | 'no opinion'])[] = [
    ['what nothing gives is left to them', review([], pods), 'no opinion'],
    ['what a guardrail forbids is not', review(['ostiary:operator'], { ...pods, resource: 'secrets', namespace: 'team-bank' }), 'denied'],
    ['nor is what it forbids besides, which nothing gives', review([], { ...pods, resource: 'secrets', namespace: 'team-bank' }), 'denied'],
    [
      'nor what nothing gives and a second factor is asked for',
      review([], { ...pods, group: 'apps', resource: 'daemonsets', verb: 'delete', name: 'x' }),
      'denied',
    ],
    ['nor what an unmet condition would give', review(reader, { ...pods, verb: 'patch', name: 'x' }), 'denied'],
    [
      'nor what a role would give that can’t be told',
      review(['ostiary:helper'], { ...pods, subresource: 'log', verb: 'get', name: 'x' }),
      'denied',
    ],
    [
      'nor a name that no guardrail can name',
      review([], { ...pods, resource: 'secrets', verb: 'get', namespace: 'team-bank', name: 'a b' }),
      'denied',
    ],
    [
      'nor a verb that none can',
      review([], { ...pods, resource: 'secrets', verb: 'impersonate:user-info', namespace: 'team-bank' }),
      'denied',
    ],
    ['but of what none is about', review([], { ...pods, resource: 'endpoints', verb: 'impersonate:user-info', name: 'a b' }), 'no opinion'],
    ['nor a name that is nobody’s', review(reader, pods, { user: 'ostiary:anna' }), 'denied'],
  ]
  for (const [what, body, expected] of cases)
    test(what, async () => {
      const { body: answer } = await world({ config: { webhook: { deny: 'guardrails' } } }).ask(body)
      assert.equal(answer.status.allowed, false)
      assert.equal(answer.status.denied === true ? 'denied' : 'no opinion', expected, answer.status.reason)
    })
})

describe('what the door has let through', () => {
  const action = {
    protocol: 'kubernetes',
    verb: 'patch',
    group: '',
    resource: 'pods',
    subresource: '',
    namespace: 'team-a',
    name: 'x',
    path: '',
  } as const
  const letThrough: JoinDecision = { id: 'by-door', time: NOW, allowed: true, action, issuer: 'people', subject: 'anna' }
  const believed = { config: { webhook: { door: 'believed' } }, letThrough }
  const asked = (more: Attributes = {}, attributes: Attributes = {}): object =>
    review(reader, { ...pods, verb: 'patch', name: 'x', ...attributes }, { extra: { 'ostiary.dev/decision': ['by-door'] }, ...more })

  test('is allowed where its decision is believed, and recorded once', async () => {
    const { ask, records } = world(believed)
    assert.deepEqual((await ask(asked())).body.status, { allowed: true, reason: 'the gateway’s door let it through (decision by-door)' })
    assert.deepEqual(records, [])
  })
  test('also where somebody acts for the user, whom the door has decided about', async () => {
    const { body } = await world(believed).ask(asked({ extra: { 'ostiary.dev/decision': ['by-door'], 'ostiary.dev/actor': ['ci:bot'] } }))
    assert.equal(body.status.allowed, true)
  })
  const cases: readonly (readonly [what: string, body: object, parts?: WorldParts])[] = [
    ['where it is not to be believed', asked(), { letThrough }],
    ['of another cluster', asked(), { ...believed, cluster: 'capped' }],
    ['by another id', asked({ extra: { 'ostiary.dev/decision': ['other'] } })],
    ['by two ids', asked({ extra: { 'ostiary.dev/decision': ['by-door', 'by-door'] } })],
    ['without an id', asked({ extra: {} })],
    ['by an id of none', asked({ extra: { 'ostiary.dev/decision': [] } })],
    ['of another user', asked({ user: 'ostiary:people:bert' })],
    ['of another issuer', asked({ user: 'ostiary:others:anna' })],
    ['with another verb', asked({}, { verb: 'update' })],
    ['with another name', asked({}, { name: 'y' })],
    ['in another namespace', asked({}, { namespace: 'team-b' })],
    ['of another subresource', asked({}, { subresource: 'status' })],
    ['of another group', asked({}, { group: 'metrics.k8s.io' })],
  ]
  for (const [what, body, parts = believed] of cases)
    test(`is decided anew ${what}`, async () => {
      const { ask, records } = world(parts)
      const { status } = (await ask(body)).body
      assert.deepEqual([status.allowed, status.denied, records.length], [false, true, 1])
    })
})

describe('a review is recorded', () => {
  test('as a decision about whom it is about, on the cluster', async () => {
    const { ask, records } = world()
    await ask(review(reader, pods))
    const [{ event, mode, outcome }] = records as [Recorded]
    const { principal, action, verdict } = event
    assert.deepEqual(
      [event.door, event.resource, event.ip, principal.issuer, principal.subject, principal.roles, mode, verdict.kind],
      ['kubernetes', 'bed', 'unknown', 'people', 'anna', ['authenticated', 'everyone', 'reader'], 'spool', 'allowed'],
    )
    assert.deepEqual(action, {
      protocol: 'kubernetes',
      verb: 'list',
      group: '',
      resource: 'pods',
      subresource: '',
      namespace: 'team-a',
      name: '*',
      path: '',
    })
    assert.equal(outcome?.result, 'handed-over')
  })
  test('about one principal for each somebody of one policy', async () => {
    const { ask, records } = world({ policy: policyOf() })
    await ask(review(reader, pods))
    await ask(review(reader, { ...pods, verb: 'get', name: 'x' }))
    await ask(review([], pods))
    const [first, second, third] = records.map(({ event }) => event.principal)
    assert.equal(first, second)
    assert.deepEqual(third!.roles, ['authenticated', 'everyone'])
    const next = world({ policy: policyOf() })
    await next.ask(review(reader, pods))
    assert.notEqual(next.records[0]!.event.principal, first)
  })
  test('with what was denied, and nothing is completed', async () => {
    const { ask, records } = world()
    await ask(review([], pods))
    assert.deepEqual([records[0]!.event.verdict.kind, records[0]!.outcome], ['denied', undefined])
  })
  test('with what the policy allows and an API server can’t carry out', async () => {
    const { ask, records } = world()
    await ask(review(reader, { ...pods, resource: 'services' }))
    assert.deepEqual([records[0]!.event.verdict.kind, records[0]!.outcome?.result], ['allowed', 'refused'])
  })
  test('durably first where a guardrail says so', async () => {
    const { ask, records } = world()
    assert.equal((await ask(review(reader, { ...pods, resource: 'configmaps' }))).body.status.allowed, true)
    assert.equal(records[0]!.mode, 'strict')
  })
  test('or there is no answer', async () => {
    for (const decided of [
      () => Promise.reject(new Error('full')),
      () => {
        throw new Error('full')
      },
    ]) {
      const { status, body } = await world({ decided }).ask(review(reader, pods))
      assert.deepEqual([status, body.kind], [500, 'Status'])
      assert.match(body.message!, /^the gateway can not decide at the moment/)
    }
  })
})

describe('what is no review', () => {
  const whole = review(reader, pods) as { readonly spec: object }
  const cases: readonly (readonly [what: string, body: unknown, message: RegExp])[] = [
    [
      'of an older version',
      { ...whole, apiVersion: 'authorization.k8s.io/v1beta1' },
      /answered in `authorization\.k8s\.io\/v1`; write `subjectAccessReviewVersion: v1`/,
    ],
    ['of another kind', { ...whole, kind: 'SelfSubjectAccessReview' }, /can not be read/],
    ['without a spec', { ...whole, spec: undefined }, /can not be read/],
    ['about nothing', { ...whole, spec: { user: 'a' } }, /can not be read/],
    ['about both', { ...whole, spec: { ...whole.spec, nonResourceAttributes: { path: '/', verb: 'get' } } }, /can not be read/],
    ['with groups that are none', { ...whole, spec: { ...whole.spec, groups: 'ostiary:reader' } }, /can not be read/],
    ['with an extra that is no list', { ...whole, spec: { ...whole.spec, extra: { a: 'b' } } }, /can not be read/],
    ['with a number as a name', { ...whole, spec: { ...whole.spec, resourceAttributes: { ...pods, name: 5 } } }, /can not be read/],
    ['with bytes that are no text', Buffer.from([0xff, 0x7b]), /can not be read/],
    ['with a member twice', Buffer.from(JSON.stringify(whole).replace('"user"', '"user":"jane","user"')), /can not be read/],
  ]
  for (const [what, body, message] of cases)
    test(`${what} is refused`, async () => {
      const { status, body: answer } = await world().ask(body)
      assert.deepEqual([status, answer.kind], [400, 'Status'])
      assert.match(answer.message!, message)
    })

  test('is never allowed, and never fails', async () => {
    const policy = policyOf()
    const text = fc.oneof(
      fc.constantFrom('ostiary:people:anna', 'ostiary:', 'list', 'pods', '*', '', 'team-a', '/api', 'ostiary:reader'),
      fc.string({ unit: character }),
    )
    const part = fc.oneof(
      text,
      fc.constant(null),
      fc.integer(),
      fc.array(text, { maxLength: 3 }),
      fc.dictionary(text, text, { maxKeys: 2 }),
    )
    const attributes = fc.record(
      { verb: part, resource: part, namespace: part, name: part, subresource: part, group: part },
      { requiredKeys: [] },
    )
    const body = fc.record(
      {
        apiVersion: fc.constantFrom<unknown>('authorization.k8s.io/v1', 'authorization.k8s.io/v1', 3),
        kind: fc.constantFrom<unknown>('SubjectAccessReview', 'SubjectAccessReview', null),
        spec: fc.oneof(
          {
            weight: 5,
            arbitrary: fc.record(
              {
                user: part,
                groups: part,
                extra: part,
                resourceAttributes: attributes,
                nonResourceAttributes: fc.record({ path: part, verb: part }),
              },
              { requiredKeys: [] },
            ),
          },
          part,
        ),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(body, async (one) => {
        const { status, body: answer } = await world({ policy }).ask(one)
        const { spec } = one as { spec?: { groups?: unknown } }
        const mayHold = Array.isArray(spec?.groups) && spec.groups.includes('ostiary:reader')
        assert.ok(status === 400 || status === 200, JSON.stringify(answer))
        if (status === 200 && !mayHold) assert.equal(answer.status.allowed, false)
      }),
      { numRuns: 300 },
    )
  })
})

describe('somebody for whom an eligible role is active', () => {
  const logs = { verb: 'get', resource: 'pods', subresource: 'log', namespace: 'team-a', name: 'x' }
  const active = { issuer: 'people', subject: 'anna', role: 'helper', from: NOW - 1, until: NOW + 60_000 }
  const allowed = async (grants: readonly Grant[], groups: readonly string[] = []): Promise<boolean> =>
    (await world({ grants }).ask(review(groups, logs))).body.status.allowed

  test('may do what it gives, and the record says so', async () => {
    const asked = world({ grants: [active] })
    const { body } = await asked.ask(review([], logs))
    assert.deepEqual(body.status, { allowed: true, reason: body.status.reason })
    assert.match(body.status.reason!, /rule `help` allows it/)
    const { principal } = asked.records[0]!.event
    assert.deepEqual([principal.roles, principal.activated], [['authenticated', 'everyone', 'helper'], [active]])
  })

  test('may not before, after, in somebody else’s name or by a role that nobody is eligible for', async () => {
    assert.equal(await allowed([]), false)
    assert.equal(await allowed([], ['ostiary:helper']), false, 'nor where the API server alone says so')
    for (const other of [
      { from: NOW + 1 },
      { until: NOW },
      { subject: 'ben' },
      { issuer: 'others' },
      { role: 'reader' },
      { role: 'operator' },
    ])
      assert.equal(await allowed([{ ...active, ...other }]), false, JSON.stringify(other))
  })

  test('of one party at a time: what was known of them before it began counts no more', async () => {
    const grants: Grant[] = []
    const asked = world({ grants })
    const first = await asked.ask(review([], logs))
    grants.push(active)
    const second = await asked.ask(review([], logs))
    grants.pop()
    const third = await asked.ask(review([], logs))
    assert.deepEqual(
      [first, second, third].map(({ body }) => body.status.allowed),
      [false, true, false],
    )
  })
})

describe('somebody whose access was revoked', () => {
  const extra = { 'ostiary.dev/token-id': ['t-1'], 'ostiary.dev/client': ['cli'] }
  const asked = async (revoked: RevocationTarget, more: Attributes = { extra }) => {
    const asking = world({ revoked: [revoked] })
    const { status } = (await asking.ask(review(reader, pods, more))).body
    return [status.allowed, status.denied === true, asking.records[0]!.event.verdict.kind] as const
  }
  const rejected = [false, true, 'rejected']

  test('may do nothing any more, and the record says why', async () => {
    const answer = await world({ revoked: [{ kind: 'subject', issuer: 'people', subject: 'anna' }] }).ask(review(reader, pods))
    assert.match(answer.body.status.reason!, /^access was revoked \(decision d1\)$/)
    for (const target of [
      { kind: 'subject', issuer: 'people', subject: 'anna' },
      { kind: 'token', issuer: 'people', token: 't-1' },
      { kind: 'client', issuer: 'people', client: 'cli' },
    ] as const)
      assert.deepEqual(await asked(target), rejected, target.kind)
  })

  test('is nobody else, and nobody of whom an API server does not tell enough', async () => {
    for (const target of [
      { kind: 'subject', issuer: 'people', subject: 'ben' },
      { kind: 'subject', issuer: 'others', subject: 'anna' },
      { kind: 'token', issuer: 'people', token: 't-2' },
      { kind: 'issued-before', issuer: 'people', before: NOW },
    ] as const)
      assert.deepEqual(await asked(target), [true, false, 'allowed'], JSON.stringify(target))
    const token = { kind: 'token', issuer: 'people', token: 't-1' } as const
    assert.deepEqual(await asked(token, {}), [true, false, 'allowed'])
  })
})
