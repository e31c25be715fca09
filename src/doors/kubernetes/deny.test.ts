import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KubernetesAction } from '../../core/action.ts'
import type { Decision, Reason, Requirement } from '../../core/decision.ts'
import { REJECTED } from '../../core/denial.ts'
import type { Verdict } from '../../core/record.ts'
import { deny, whyNot } from './deny.ts'
import { endedStatus } from './ended.ts'

const POD: KubernetesAction = {
  protocol: 'kubernetes',
  verb: 'list',
  group: '',
  resource: 'pods',
  subresource: '',
  namespace: 'shop',
  name: '*',
  path: '',
}

function denied(reasons: readonly Reason[], more: Partial<Decision> = {}): Decision {
  return { effect: 'deny', rule: undefined, rules: [], reasons, obligations: [], policyVersion: 'v', ...more }
}

const CONTEXT = { decision: 'd1', action: POD, user: 'ostiary:entra:u', help: undefined }

function told(verdict: Exclude<Verdict, { kind: 'allowed' }>, more: Partial<Parameters<typeof deny>[1]> = {}) {
  const answer = deny(verdict, { ...CONTEXT, ...more })
  const status = JSON.parse(answer.body) as {
    readonly code: number
    readonly reason: string
    readonly message: string
    readonly details?: unknown
  }
  assert.equal(status.code, answer.status)
  return { ...status, fields: answer.fields }
}

const held = (id: string, role: string): Reason => ({ code: 'role-not-held', id, role })

/** Each reason of a denial in the words that somebody reads. */
const WHY: readonly (readonly [reasons: readonly Reason[], says: string])[] = [
  [[{ code: 'no-rule' }], 'no rule allows this to anybody'],
  [[held('look', 'reader')], 'rule `look` allows it to `reader`, which you do not hold'],
  [[held('look', 'reader'), held('look', 'dev')], 'rule `look` allows it to `reader` or `dev`, which you do not hold'],
  [
    [held('a', 'r1'), held('b', 'r2'), held('c', 'r3'), held('d', 'r4')],
    'rules `a`, `b` and `c` allow it to `r1`, `r2` or `r3`, which you do not hold',
  ],
  [[{ code: 'guardrail', id: 'g' }, held('look', 'reader')], 'guardrail `g` forbids it'],
  [
    [
      { code: 'guardrail', id: 'g' },
      { code: 'guardrail', id: 'h' },
    ],
    'guardrails `g` and `h` forbid it',
  ],
  [[{ code: 'guardrail-unknown', id: 'g' }], 'a guardrail forbids this unless it is known that it does not apply to you'],
  [[{ code: 'guardrail-error', id: 'g' }, held('a', 'b')], 'a guardrail forbids this because its condition could not be evaluated'],
  [[{ code: 'condition-false', id: 'r' }], 'the condition of rule `r` is not met'],
  [
    [
      { code: 'condition-false', id: 'r' },
      { code: 'condition-false', id: 's' },
    ],
    'the conditions of rules `r` and `s` are not met',
  ],
  // What would do is not told to whom another rule was meant for.
  [[held('look', 'reader'), { code: 'condition-false', id: 'r' }], 'the condition of rule `r` is not met'],
  [[{ code: 'condition-error', id: 'r' }], 'a condition of this access could not be evaluated'],
  [[{ code: 'peer-not-held', id: 'r' }], 'this is allowed by way of other services only'],
  [[{ code: 'role-unknown', id: 'r', role: 'x' }], 'it can not be told at the moment whether you hold a role that allows this'],
  [[{ code: 'scope' }, held('a', 'b')], 'the scopes of the token do not cover this'],
  [
    [
      { code: 'party', id: 'i/s' },
      { code: 'condition-false', id: 'r' },
    ],
    'somebody who acts for you, or for whom you act, may not do this',
  ],
  [[{ code: 'unknown-resource' }], 'the policy does not know this resource'],
  [[{ code: 'issuer', id: 'entra' }], 'this is not for those of the issuer of your credential'],
  [[], 'nothing allows this'],
]

describe('why not', () => {
  for (const [reasons, says] of WHY)
    test(`${reasons.map(({ code }) => code).join(', ') || 'no reason at all'}: ${says}`, () => assert.equal(whyNot(denied(reasons)), says))

  const demand = (kind: Requirement['kind'], name = ''): Requirement => ({ kind, name, proof: undefined })
  for (const [requirement, says] of [
    [demand('mfa'), 'a sign-in with a second factor'],
    [demand('auth-context', 'c1'), 'a sign-in that satisfies `c1`'],
    [demand('proof-of-possession', 'any'), 'a token that is bound to a key of yours'],
    [demand('justification'), 'a reason, which `kubectl` can not send'],
    [demand('device', 'managed'), 'a device that is `managed`'],
    [demand('network', '10.0.0.0/8'), 'another network than the one that you come from'],
  ] as const)
    test(`what is left to prove: ${requirement.kind}`, () =>
      assert.equal(
        whyNot(denied([{ code: 'requirement', id: 'g' }], { effect: 'challenge', requirements: [requirement, demand('mfa')] })),
        `guardrail \`g\` asks for ${says} and a sign-in with a second factor`,
      ))

  test('whose approval is missing', () =>
    assert.equal(
      whyNot(
        denied([{ code: 'approval', id: 'g' }], { effect: 'needs-approval', approvals: [{ id: 'g', from: ['lead', 'owner'], count: 1 }] }),
      ),
      'it needs the approval of `lead` or `owner`, which can not be asked for yet',
    ))
})

describe('a refusal', () => {
  const what: readonly (readonly [action: Partial<KubernetesAction>, says: string, details?: object])[] = [
    [{}, 'pods is forbidden: User "ostiary:entra:u" cannot list resource "pods" in API group "" in the namespace "shop"', { kind: 'pods' }],
    [
      { verb: 'get', name: 'a' },
      'pods "a" is forbidden: User "ostiary:entra:u" cannot get resource "pods" in API group "" in the namespace "shop"',
      { name: 'a', kind: 'pods' },
    ],
    [
      { verb: 'create', subresource: 'exec', name: 'a' },
      'pods "a" is forbidden: User "ostiary:entra:u" cannot create resource "pods/exec" in API group "" in the namespace "shop"',
      { name: 'a', kind: 'pods' },
    ],
    [
      { group: 'apps', resource: 'deployments', namespace: '*' },
      'deployments.apps is forbidden: User "ostiary:entra:u" cannot list resource "deployments" in API group "apps" in all namespaces',
      { group: 'apps', kind: 'deployments' },
    ],
    [
      { resource: 'nodes', namespace: '' },
      'nodes is forbidden: User "ostiary:entra:u" cannot list resource "nodes" in API group "" at the cluster scope',
      { kind: 'nodes' },
    ],
    [
      { verb: 'delete', resource: 'namespaces', namespace: 'shop', name: 'shop' },
      'namespaces "shop" is forbidden: User "ostiary:entra:u" cannot delete resource "namespaces" in API group "" at the cluster scope',
      { name: 'shop', kind: 'namespaces' },
    ],
    [{ verb: 'get', path: '/metrics', resource: '' }, 'path "/metrics" is forbidden: User "ostiary:entra:u" cannot get path "/metrics"'],
  ]
  for (const [action, says, details] of what)
    test(`names ${JSON.stringify(action)}`, () => {
      const status = told({ kind: 'denied', decision: denied([{ code: 'no-rule' }]) }, { action: { ...POD, ...action } })
      assert.equal(status.message, `${says}: no rule allows this to anybody (decision d1)`)
      assert.deepEqual([status.code, status.reason], [403, 'Forbidden'])
      assert.deepEqual(status.details, details)
    })

  test('ends with whom to ask, and with the decision', () => {
    const status = told({ kind: 'denied', decision: denied([{ code: 'no-rule' }]) }, { help: 'ask in #platform', user: undefined })
    assert.match(
      status.message,
      /^pods is forbidden: somebody without a credential cannot .*: no rule .*; ask in #platform \(decision d1\)$/,
    )
    assert.deepEqual(
      status.fields.filter((_, i) => i >= 4),
      ['Ostiary-Decision', 'd1', 'Audit-Id', 'd1'],
    )
  })

  for (const [reason, says] of Object.entries(REJECTED))
    test(`of a credential: ${reason}`, () => {
      const status = told({ kind: 'rejected', reason: reason as keyof typeof REJECTED })
      assert.deepEqual([status.code, status.reason, status.message], [401, 'Unauthorized', `${says} (decision d1)`])
      assert.ok(status.fields.includes('Bearer realm="kubernetes"'))
    })
})

describe('the end of access', () => {
  for (const [cause, code, reason] of [
    ['expired', 401, 'Unauthorized'],
    ['revoked', 401, 'Unauthorized'],
    ['policy-changed', 403, 'Forbidden'],
    ['timed-out', 504, 'Timeout'],
    ['shut-down', 503, 'ServiceUnavailable'],
  ] as const)
    test(cause, () => {
      const status = endedStatus(cause)
      assert.deepEqual([status.code, status.reason], [code, reason])
    })
})
