import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock, seededEntropy } from '../testing/clock.ts'
import type { AuthResult, Authenticator, Verified } from './credential.ts'
import type { Decision } from './decision.ts'
import { OstiaryError } from './errors.ts'
import { idMaker } from './id.ts'
import type { EndCause, Exchange } from './passage.ts'
import { Pipeline } from './pipeline.ts'
import type { Policy } from './policy.ts'
import type { Identity, Principal } from './principal.ts'
import type { DecisionEvent, Outcome, Recorder } from './record.ts'
import { Secret } from './secret.ts'

const identity: Identity = {
  issuer: 'entra',
  subject: 'tid/oid',
  kind: 'human',
  claims: {},
  unknownClaims: new Set(),
  scopes: undefined,
  appOnly: false,
  listedClient: false,
  actor: undefined,
  display: 'reader',
  evidence: {
    credential: 'bearer',
    issuerUrl: 'https://issuer',
    audience: 'api',
    client: undefined,
    tokenId: undefined,
    keyId: 'k',
    algorithm: 'RS256',
    issuedAt: undefined,
    expiresAt: 0,
    sessionId: undefined,
  },
}

function policyOf(version: string, allow: (principal: Principal) => boolean): Policy {
  const principal = (of: Identity | undefined): Principal => ({
    issuer: of?.issuer ?? '',
    subject: of?.subject ?? '',
    kind: of?.kind ?? 'anonymous',
    claims: {},
    roles: of === undefined ? ['everyone'] : ['authenticated', 'everyone'],
    unknownRoles: [],
    provenance: [],
    actor: undefined,
    identity: of,
    policyVersion: version,
  })
  return {
    version,
    anonymous: principal(undefined),
    bind: principal,
    decide: (who): Decision => ({
      effect: allow(who) ? 'allow' : 'deny',
      rule: allow(who) ? 'r' : undefined,
      rules: [],
      reasons: [],
      obligations: [],
      policyVersion: version,
    }),
  }
}

function setUp(
  options: { answer?: AuthResult | Promise<AuthResult>; allow?: (principal: Principal) => boolean; decided?: Recorder['decided'] } = {},
) {
  const clock = new ManualClock()
  const verified: Verified = { identity, expiresAt: clock.now() + 60_000, revoked: false }
  const events: DecisionEvent[] = []
  const outcomes: [string, Outcome][] = []
  const listeners = new Set<(policy: Policy) => void>()
  const policies = {
    current: policyOf('one', options.allow ?? (() => true)),
    subscribe(listener: (policy: Policy) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    swap(next: Policy) {
      this.current = next
      for (const listener of listeners) listener(next)
    },
  }
  const authenticator: Authenticator = { authenticate: () => options.answer ?? { outcome: 'verified', verified } }
  const recorder: Recorder = {
    decided(event, mode) {
      events.push(event)
      return options.decided?.(event, mode)
    },
    completed: (id, outcome) => void outcomes.push([id, outcome]),
    note: () => {},
    noteDurably: () => Promise.resolve(),
  }
  const pipeline = new Pipeline({ clock, newId: idMaker(clock, seededEntropy()), authenticator, policies, recorder })
  return { clock, verified, events, outcomes, policies, pipeline }
}

const bearer: Exchange = {
  door: 'http',
  resource: 'orders',
  action: { protocol: 'http', method: 'GET', path: '/orders' },
  credential: { kind: 'bearer', token: new Secret('t') },
  ip: '127.0.0.1',
  trace: undefined,
  recordMode: 'spool',
}
const done: Outcome = { result: 'completed', status: 200, bytesIn: 0, bytesOut: 2, duration: 1 }

test('a known token passes without a promise and is recorded before the door acts', () => {
  const { pipeline, events, outcomes } = setUp()
  const passage = pipeline.admit(bearer)
  assert.ok(!(passage instanceof Promise))
  assert.equal(passage.verdict.kind, 'allowed')
  assert.equal(events.length, 1)
  assert.equal(pipeline.open.size, 1)
  passage.completed(done)
  passage.completed(done)
  assert.deepEqual(outcomes, [[passage.id, done]])
  assert.equal(pipeline.open.size, 0)
})

test('what is denied without a credential is unauthenticated, with one it is denied', async () => {
  const { pipeline } = setUp({ allow: () => false })
  assert.equal((await pipeline.admit({ ...bearer, credential: undefined })).verdict.kind, 'unauthenticated')
  assert.equal((await pipeline.admit(bearer)).verdict.kind, 'denied')
  assert.equal(pipeline.open.size, 0)
})

test('a bad credential is refused even where none is needed', async () => {
  const { pipeline } = setUp({ answer: { outcome: 'rejected', reason: 'signature' } })
  const { verdict } = await pipeline.admit(bearer)
  assert.deepEqual(verdict, { kind: 'rejected', reason: 'signature', claim: undefined })
})

test('a credential that nobody is responsible for is a bad one', async () => {
  const { pipeline } = setUp({ answer: { outcome: 'absent' } })
  assert.deepEqual((await pipeline.admit(bearer)).verdict, { kind: 'rejected', reason: 'issuer' })
})

test('two credentials are none that can be used', async () => {
  const { pipeline } = setUp()
  assert.deepEqual((await pipeline.admit({ ...bearer, credential: { kind: 'unusable', reason: 'ambiguous' } })).verdict, {
    kind: 'rejected',
    reason: 'ambiguous',
  })
})

test('a step that throws or rejects ends as unavailable, never as an allow', async () => {
  for (const answer of [Promise.reject(new Error('boom')), Promise.resolve(undefined as unknown as AuthResult)]) {
    answer.catch(() => {})
    const { pipeline, events } = setUp({ answer })
    assert.equal((await pipeline.admit(bearer)).verdict.kind, 'unavailable')
    assert.equal(events.length, 1)
  }
  const { pipeline } = setUp({
    allow: () => {
      throw new Error('boom')
    },
  })
  assert.equal((await pipeline.admit(bearer)).verdict.kind, 'unavailable')
})

test('no record, no effect', async () => {
  const refuse = () => {
    throw new OstiaryError('audit/unavailable' as never)
  }
  const { pipeline } = setUp({ decided: refuse })
  assert.deepEqual((await pipeline.admit(bearer)).verdict, { kind: 'unavailable', cause: 'record' })
  const later = setUp({ decided: () => Promise.reject(new Error('disk')) })
  assert.deepEqual((await later.pipeline.admit(bearer)).verdict, { kind: 'unavailable', cause: 'record' })
  assert.equal(later.pipeline.open.size, 0)
  const denied = setUp({ decided: refuse, allow: () => false })
  assert.equal((await denied.pipeline.admit(bearer)).verdict.kind, 'denied')
})

test('an expired or revoked entry is refused although the authenticator still knows it', async () => {
  const { pipeline, clock, verified } = setUp()
  clock.advance(60_000)
  assert.deepEqual((await pipeline.admit(bearer)).verdict, { kind: 'rejected', reason: 'expired' })
  verified.revoked = true
  assert.deepEqual((await pipeline.admit(bearer)).verdict, { kind: 'rejected', reason: 'revoked' })
})

test('an open exchange ends within a second of expiry and of revocation', async () => {
  for (const how of ['expired', 'revoked'] as const) {
    const { pipeline, clock, verified } = setUp()
    const passage = await pipeline.admit(bearer)
    const ends: EndCause[] = []
    passage.whenEnded((cause) => ends.push(cause))
    clock.advance(how === 'expired' ? 59_000 : 1_000)
    assert.deepEqual(ends, [])
    if (how === 'revoked') verified.revoked = true
    clock.advance(how === 'expired' ? 2_000 : 1_000)
    assert.deepEqual(ends, [how])
  }
})

test('an open exchange ends with the policy that allowed it', async () => {
  const { pipeline, policies } = setUp()
  const passage = await pipeline.admit(bearer)
  const ends: EndCause[] = []
  passage.whenEnded((cause) => ends.push(cause))
  policies.swap(policyOf('two', () => true))
  assert.deepEqual(ends, [])
  policies.swap(policyOf('three', () => false))
  assert.deepEqual(ends, ['policy-changed'])
  assert.equal(pipeline.open.size, 0)
})

test('of many open exchanges, others have their turn between those that a policy ends, and the latest policy counts', async () => {
  const { pipeline, policies, clock } = setUp()
  const many = 120
  for (let i = 0; i < many; i++) await pipeline.admit(bearer)
  policies.swap(policyOf('two', () => false))
  const once = many - pipeline.open.size
  assert.ok(once > 0 && once < many)
  clock.advance(0)
  assert.equal(pipeline.open.size, 0)

  policies.swap(policyOf('three', () => true))
  for (let i = 0; i < many; i++) await pipeline.admit(bearer)
  policies.swap(policyOf('four', () => false))
  policies.swap(policyOf('five', () => true))
  clock.advance(0)
  assert.equal(pipeline.open.size, many - once)
})

test('a policy that changes while the record is waited for ends the exchange before it begins', async () => {
  const written = Promise.withResolvers<void>()
  const { pipeline, policies } = setUp({ decided: () => written.promise })
  const admitted = pipeline.admit({ ...bearer, recordMode: 'strict' })
  policies.swap(policyOf('two', () => false))
  written.resolve()
  const passage = await admitted
  const ends: EndCause[] = []
  passage.whenEnded((cause) => ends.push(cause))
  assert.deepEqual(ends, ['policy-changed'])
})

test('a slow verification is decided by the policy in force when it ends', async () => {
  const answer = Promise.withResolvers<AuthResult>()
  const { pipeline, policies, verified } = setUp({ answer: answer.promise })
  const admitted = pipeline.admit(bearer)
  policies.swap(policyOf('two', () => false))
  answer.resolve({ outcome: 'verified', verified })
  const passage = await admitted
  assert.equal(passage.verdict.kind, 'denied')
  assert.equal(passage.policy.version, 'two')
})

test('what an open exchange was let through by is told that it is in use, twice a second and as long as it is good', async () => {
  const { clock, verified, pipeline } = setUp()
  let told = 0
  verified.inUse = () => void told++
  const passage = await pipeline.admit(bearer)
  clock.advance(2_000)
  assert.equal(told, 4)
  const causes: EndCause[] = []
  passage.whenEnded((cause) => void causes.push(cause))
  clock.advance(58_000)
  assert.deepEqual(causes, ['expired'])
  assert.equal(told, 119)
})

test('an open exchange lasts as long as it is proven anew', async () => {
  const { clock, verified, pipeline } = setUp()
  const proof = verified as { -readonly [key in keyof Verified]: Verified[key] }
  proof.inUse = () => {
    if (clock.now() < Date.UTC(2026, 0, 1) + 300_000) proof.expiresAt = clock.now() + 60_000
  }
  const passage = await pipeline.admit(bearer)
  const causes: EndCause[] = []
  passage.whenEnded((cause) => void causes.push(cause))
  clock.advance(359_000)
  assert.deepEqual(causes, [])
  clock.advance(1_000)
  assert.deepEqual(causes, ['expired'])
})
