import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Identity } from '../../core/principal.ts'
import type { RevocationTarget } from '../../store/revocations.ts'
import { keptUntil } from './kept.ts'
import { RevocationIndex } from './match.ts'

const T = Date.UTC(2026, 0, 1)
const GUID = '72f988bf-86f1-41af-91ab-2d7cd011db47'

type Facts = Partial<Omit<Identity, 'evidence' | 'actor'>> & {
  readonly evidence?: Partial<Identity['evidence']>
  readonly actor?: Identity | undefined
}

function party({ evidence, ...facts }: Facts = {}): Identity {
  return {
    issuer: 'entra',
    subject: 'reader',
    kind: 'human',
    claims: Object.create(null) as Identity['claims'],
    unknownClaims: new Set(),
    scopes: undefined,
    appOnly: false,
    listedClient: false,
    actor: undefined,
    display: undefined,
    ...facts,
    evidence: {
      credential: 'bearer',
      issuerUrl: 'https://idp.example',
      audience: 'orders',
      client: undefined,
      tokenId: undefined,
      keyId: undefined,
      algorithm: undefined,
      issuedAt: T,
      expiresAt: T + 3_600_000,
      sessionId: undefined,
      ...evidence,
    },
  }
}

const hits = (target: RevocationTarget, identity: Identity, began?: number): boolean => new RevocationIndex([target]).hits(identity, began)

test('what was issued at the instant has ended, what was issued a millisecond later has not', () => {
  const target = { kind: 'issued-before', issuer: 'entra', before: T } as const
  const at = (issuedAt: number): Identity => party({ evidence: { issuedAt } })
  assert.equal(hits(target, at(T - 1)), true)
  assert.equal(hits(target, at(T)), true)
  assert.equal(hits(target, at(T + 1)), false)
  assert.equal(hits({ ...target, subject: 'reader' }, at(T)), true)
  assert.equal(hits({ ...target, subject: 'another' }, at(T)), false)
  assert.equal(hits({ ...target, issuer: 'okta' }, at(T)), false)
})

test('a session counts from its beginning, wherever the issuer’s clock was; without any time it counts as issued before', () => {
  const target = { kind: 'issued-before', issuer: 'entra', before: T } as const
  assert.equal(hits(target, party({ evidence: { issuedAt: T + 20_000 } }), T - 1), true)
  assert.equal(hits(target, party({ evidence: { issuedAt: T + 20_000 } }), T + 1), false)
  assert.equal(hits(target, party({ evidence: { issuedAt: undefined } }), T + 1), false)
  assert.equal(hits(target, party({ evidence: { issuedAt: undefined } })), true)
})

test('an agent that is revoked can not act for anybody either, however it is named', () => {
  const agents: readonly Identity[] = [
    party({ kind: 'agent', subject: 'bot' }),
    party({ kind: 'agent', subject: 'x', claims: Object.assign(Object.create(null) as object, { azp: 'bot' }) }),
    party({ kind: 'agent', subject: 'x', claims: Object.assign(Object.create(null) as object, { client_id: 'bot' }) }),
    party({ kind: 'agent', subject: 'x', evidence: { client: 'bot' } }),
  ]
  const target = { kind: 'client', issuer: 'entra', client: 'bot' } as const
  for (const actor of agents) {
    assert.equal(hits(target, actor), true)
    assert.equal(hits(target, party({ actor: party({ kind: 'workload', subject: 'middle', actor }) })), true)
  }
  assert.equal(hits(target, party({ subject: 'bot' })), false, 'a person of that name is no client')
  assert.equal(hits({ kind: 'subject', issuer: 'entra', subject: 'bot' }, party({ actor: agents[0] })), true)
})

test('ids are the same in whatever case they were copied; other names are not', () => {
  const subject = `${GUID}/${GUID}`
  assert.equal(hits({ kind: 'subject', issuer: 'entra', subject: subject.toUpperCase() }, party({ subject })), true)
  assert.equal(hits({ kind: 'client', issuer: 'entra', client: GUID }, party({ evidence: { client: GUID.toUpperCase() } })), true)
  assert.equal(hits({ kind: 'subject', issuer: 'entra', subject: 'Reader' }, party()), false)
})

/** Small alphabets, so that targets and identities meet. */
const name = fc.constantFrom('a', 'b', GUID, GUID.toUpperCase(), '', '__proto__', 'a\nb')
const issuer = fc.constantFrom('entra', 'okta')
const instant = fc.integer({ min: T - 3, max: T + 3 })
const target: fc.Arbitrary<RevocationTarget> = fc.oneof(
  fc.record({ kind: fc.constant('session' as const), session: name }),
  fc.record({ kind: fc.constant('subject' as const), issuer, subject: name }),
  fc.record({ kind: fc.constant('token' as const), issuer, token: name }),
  fc.record({ kind: fc.constant('client' as const), issuer, client: name }),
  fc.record({ kind: fc.constant('issued-before' as const), issuer, subject: fc.option(name, { nil: undefined }), before: instant }),
)
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })
const identity = (depth: number): fc.Arbitrary<Identity> =>
  fc
    .record({
      issuer,
      subject: name,
      kind: fc.constantFrom<Identity['kind']>('human', 'agent', 'workload', 'human-via-agent'),
      azp: maybe(name),
      evidence: fc.record({ client: maybe(name), tokenId: maybe(name), sessionId: maybe(name), issuedAt: maybe(instant) }),
      actor: depth === 0 ? fc.constant(undefined) : maybe(identity(depth - 1)),
    })
    .map(({ azp, ...facts }) => party({ ...facts, claims: Object.assign(Object.create(null) as object, azp === undefined ? {} : { azp }) }))

/** The same, as plainly as it can be said: every target against every party. */
function scan(targets: readonly RevocationTarget[], subject: Identity, began: number | undefined): boolean {
  const same = (a: string | undefined, b: string): boolean => a === b || (a?.length === 36 && a.toLowerCase() === b.toLowerCase())
  const parties: Identity[] = []
  for (let at: Identity | undefined = subject; at !== undefined; at = at.actor) parties.push(at)
  return parties.some((one) =>
    targets.some((target) => {
      if (target.kind === 'session') return one.evidence.sessionId === target.session
      if (one.issuer !== target.issuer) return false
      switch (target.kind) {
        case 'subject':
          return same(one.subject, target.subject)
        case 'token':
          return same(one.evidence.tokenId, target.token)
        case 'client':
          return (
            same(one.evidence.client, target.client) ||
            same(one.claims['azp'] as string | undefined, target.client) ||
            (['agent', 'workload'].includes(one.kind) && same(one.subject, target.client))
          )
        case 'issued-before': {
          if (target.subject !== undefined && !same(one.subject, target.subject)) return false
          const times = [one.evidence.issuedAt, began].filter((time) => time !== undefined)
          return times.length === 0 || times.some((time) => time <= target.before)
        }
      }
    }),
  )
}

test('the index agrees with a scan of all targets', () => {
  let both = 0
  fc.assert(
    fc.property(fc.array(target, { maxLength: 4 }), identity(2), maybe(instant), (targets, who, began) => {
      const expected = scan(targets, who, began)
      if (expected) both |= 1
      else both |= 2
      assert.equal(new RevocationIndex(targets).hits(who, began), expected)
    }),
    { numRuns: 500 },
  )
  assert.equal(both, 3, 'some were hit and some were not')
})

test('a revocation is kept as long as anything that it ends could be valid', () => {
  const lifetimes = { now: T, maxLifetime: 3_600_000, lastSessionEnd: T + 50_000, sessionLifetime: 43_200_000 }
  const before = { kind: 'issued-before', issuer: 'entra', before: T - 1_000_000 } as const
  assert.equal(keptUntil({ kind: 'session', session: 's' }, lifetimes), T + 50_000)
  assert.equal(keptUntil(before, lifetimes), T + 43_230_000)
  assert.equal(keptUntil(before, { ...lifetimes, sessionLifetime: 0 }), T + 3_660_000)
  assert.equal(keptUntil({ ...before, before: T + 30_000 }, { ...lifetimes, sessionLifetime: 0 }), T + 3_690_000)
  assert.equal(keptUntil(before, { ...lifetimes, lastSessionEnd: T + 90_000_000 }), T + 90_000_000)
  assert.equal(keptUntil(before, { ...lifetimes, maxLifetime: undefined }), undefined, 'what has no end is held until it is lifted')
  assert.equal(keptUntil(before, { ...lifetimes, maxLifetime: 1e18 }), undefined)
  assert.equal(keptUntil({ kind: 'subject', issuer: 'entra', subject: 's' }, lifetimes), undefined)
})
