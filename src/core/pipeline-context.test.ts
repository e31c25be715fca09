import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadPolicy, type CompiledPolicy } from '../policy/index.ts'
import { ManualClock, seededEntropy } from '../testing/clock.ts'
import { identityOf, swappable } from '../testing/httpdoor.ts'
import type { AuthResult, Credential, Verified } from './credential.ts'
import { idMaker } from './id.ts'
import type { EndCause, Exchange } from './passage.ts'
import { Pipeline } from './pipeline.ts'
import type { DecisionEvent } from './record.ts'
import { Secret } from './secret.ts'

/** A policy in force by its text, over one issuer of people and one of services. */
function policyOf(text: string): CompiledPolicy {
  const issuer = (claims: object) => ({ kind: 'oidc', audiences: ['orders'], clients: [], agents: [], claims, stepUp: undefined }) as never
  const resource = { protocol: 'http', description: undefined, labels: {}, issuers: undefined, scopes: undefined, record: 'spool' as const }
  const { policy, diagnostics } = loadPolicy({
    sources: {
      wiring: { path: 'ostiary.yaml', text: '' },
      environment: undefined,
      policy: [{ path: 'policy/p.yaml', text: `apiVersion: ostiary.dev/v1\n${text}` }],
      tests: [],
    },
    wiring: { issuers: { entra: issuer({}), mesh: issuer({ service: 'string' }) }, resources: { orders: resource } },
    kindClaims: {},
    mustAdminister: false,
    now: 0,
  })
  assert.deepEqual(diagnostics, [])
  return policy!
}

const OPEN = `rules: [{ id: open, role: everyone, resource: orders, actions: ['* /**'] }]\n`
const BY_MESH = `roles: { gateway: { bind: [{ issuer: mesh, claim: service, any: [front], kind: workload }] } }
rules: [{ id: by-front, role: authenticated, peer: gateway, resource: orders, actions: ['* /**'] }]\n`

function setUp(policy: CompiledPolicy, peers: Readonly<Record<string, AuthResult>> = {}) {
  const clock = new ManualClock()
  const verified: Verified = { identity: identityOf('tenant/user'), expiresAt: clock.now() + 60_000, revoked: false }
  const policies = swappable(policy)
  const events: DecisionEvent[] = []
  const pipeline = new Pipeline({
    clock,
    newId: idMaker(clock, seededEntropy()),
    authenticator: {
      authenticate: (credential: Credential): AuthResult =>
        credential.kind === 'certificate' ? peers[credential.certificate.thumbprint]! : { outcome: 'verified', verified },
    },
    policies,
    recorder: {
      decided: (event) => void events.push(event),
      completed: () => undefined,
      note: () => undefined,
      noteDurably: () => Promise.resolve(),
    },
  })
  return { clock, verified, policies, pipeline, events }
}

const exchange: Exchange = {
  door: 'http',
  resource: 'orders',
  action: { protocol: 'http', method: 'GET', path: '/orders' },
  credential: { kind: 'bearer', token: new Secret('t') },
  ip: '127.0.0.1',
  trace: undefined,
  recordMode: 'spool',
}
const certificate = (thumbprint: string): Credential => ({ kind: 'certificate', certificate: { thumbprint, trusted: true, chain: [] } })
const service = (name: string, more: Partial<Verified> = {}): Verified & { revoked: boolean } => ({
  identity: identityOf(name, { issuer: 'mesh', kind: 'workload', claims: { service: name } }),
  expiresAt: Number.MAX_SAFE_INTEGER,
  revoked: false,
  ...more,
})

test('a peer is who proves to be one; whatever is wrong with its credential, there is none', async () => {
  const { pipeline, events } = setUp(policyOf(BY_MESH), {
    front: { outcome: 'verified', verified: service('front') },
    back: { outcome: 'verified', verified: service('back') },
    ended: { outcome: 'verified', verified: service('front', { expiresAt: 0 }) },
    revoked: { outcome: 'verified', verified: service('front', { revoked: true }) },
    bad: { outcome: 'rejected', reason: 'certificate' },
    foreign: { outcome: 'absent' },
    down: { outcome: 'unavailable', cause: 'keys' },
  })
  for (const [name, kind] of Object.entries({
    front: 'allowed',
    back: 'denied',
    ended: 'denied',
    revoked: 'denied',
    bad: 'denied',
    foreign: 'denied',
    down: 'denied',
  }))
    assert.equal((await pipeline.admit({ ...exchange, peer: certificate(name) })).verdict.kind, kind, name)
  assert.equal((await pipeline.admit(exchange)).verdict.kind, 'denied')
  assert.equal(events[0]!.peer?.subject, 'front', 'the record has it')
  pipeline.open.close()
})

test('what is open ends when its peer is revoked', async () => {
  const front = service('front')
  const { pipeline, clock } = setUp(policyOf(BY_MESH), { front: { outcome: 'verified', verified: front } })
  const passage = await pipeline.admit({ ...exchange, peer: certificate('front') })
  const causes: EndCause[] = []
  passage.whenEnded((cause) => causes.push(cause))
  clock.advance(600)
  assert.deepEqual(causes, [])
  front.revoked = true
  clock.advance(600)
  assert.deepEqual(causes, ['revoked'])
  pipeline.open.close()
})

test('what is open ends when a mask comes that it was not begun with, or a justification is asked for that it had not', async () => {
  const masks = `${OPEN}guardrails: [{ id: m, mask: { $.a: drop }, actions: ['* /**'], resource: orders, for: [everyone] }]`
  const asks = `${OPEN}guardrails: [{ id: j, require: { justification: true }, actions: ['* /**'], resource: orders, for: [everyone] }]`
  for (const [later, justification, ended] of [
    [masks, undefined, true],
    [asks, undefined, true],
    [asks, 'OPS-1', false],
    [OPEN, undefined, false],
  ] as const) {
    const { pipeline, policies } = setUp(policyOf(OPEN))
    const passage = await pipeline.admit({ ...exchange, justification })
    const causes: EndCause[] = []
    passage.whenEnded((cause) => causes.push(cause))
    policies.swap(policyOf(`${later}\n# later`))
    assert.deepEqual(causes, ended ? ['policy-changed'] : [], later)
    pipeline.open.close()
  }
})
