/** What an Envoy is told of revocations, against the index that Ostiary's own doors ask. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { RE2JS } from 're2js'
import type { Identity } from '../../core/principal.ts'
import type { NativeIssuer } from '../../core/token.ts'
import { RevocationIndex } from '../../identity/revocations/match.ts'
import { issuers } from '../../policy/testdata/native.ts'
import { NOW, someone } from '../../policy/testdata/world.ts'
import type { RevocationTarget } from '../../store/revocations.ts'
import { evaluateEnvoy, type Evaluated } from '../../envoy/evaluate.ts'
import { FILTERS } from '../../envoy/filters.ts'
import { revokedOf } from './revoked.ts'

const [first] = issuers.get('ci') as readonly [NativeIssuer]
const ci: NativeIssuer = { ...first, clients: ['client_id', 'sub'] }
const entra: NativeIssuer = {
  ...first,
  name: 'entra',
  form: 'entra/t/v2',
  iss: 'https://entra.example',
  subject: ['tid', 'oid'],
  tokenId: 'uti',
  clients: ['azp', 'appid'],
}

const GUID = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const names = ['a', 'b.*', `${GUID.slice(0, -1)}8`, GUID, GUID.toUpperCase()]
const name = fc.constantFrom(...names)
const guid = fc.constantFrom(...names.slice(2))
const iat = fc.option(fc.constantFrom(NOW / 1000 - 60, NOW / 1000, NOW / 1000 + 0.5), { nil: undefined })
const before = fc.constantFrom(NOW - 60_000, NOW, NOW + 499, NOW + 500)

interface Facts {
  readonly issuer: NativeIssuer
  readonly human: boolean
  readonly subject: readonly string[]
  readonly token: string
  readonly client: string
  readonly iat: number | undefined
}
const facts: fc.Arbitrary<Facts> = fc.record({
  issuer: fc.constantFrom(ci, entra),
  human: fc.boolean(),
  subject: fc.tuple(guid, guid).map((all) => [...all]),
  token: name,
  client: name,
  iat,
})
const issuer = fc.constantFrom('ci', 'entra', 'other')
const subject = fc.oneof(
  name,
  fc.tuple(guid, guid).map((all) => all.join('/')),
)
const target: fc.Arbitrary<RevocationTarget> = fc.oneof(
  fc.record({ kind: fc.constant('session' as const), session: name }),
  fc.record({ kind: fc.constant('subject' as const), issuer, subject }),
  fc.record({ kind: fc.constant('token' as const), issuer, token: name }),
  fc.record({ kind: fc.constant('client' as const), issuer, client: subject }),
  fc.record({ kind: fc.constant('issued-before' as const), issuer, subject: fc.option(subject, { nil: undefined }), before }),
)

function identityOf(one: Facts): Identity {
  const base = someone()
  return {
    ...base,
    issuer: one.issuer.name,
    subject: subjectOf(one).join('/'),
    kind: one.human ? 'human' : 'workload',
    evidence: { ...base.evidence, tokenId: one.token, client: one.client, issuedAt: one.iat === undefined ? undefined : one.iat * 1000 },
  }
}

function subjectOf({ issuer: { subject: claims }, subject: values }: Facts): readonly string[] {
  return values.slice(0, claims.length)
}

function evaluated(one: Facts, revoked: readonly RevocationTarget[]): Evaluated {
  const said = revokedOf([ci, entra], revoked)['rules']
  const payload = {
    iss: one.issuer.iss,
    [one.issuer.tokenId]: one.token,
    [one.issuer.clients[0]!]: one.client,
    ...Object.fromEntries(subjectOf(one).map((value, index) => [one.issuer.subject[index]!, value])),
    ...(one.iat === undefined ? {} : { iat: one.iat }),
  }
  return evaluateEnvoy(
    {
      virtualHosts: [
        { domains: ['*'], routes: [{ match: { prefix: '/' } }], typedPerFilterConfig: { [FILTERS.revoked]: { rbac: { rules: said } } } },
      ],
    },
    [FILTERS.revoked],
    { host: 'a', method: 'GET', path: '/', authorization: 'Bearer a.b.c', token: { header: {}, payload }, time: NOW },
    { wholly: (pattern, text) => RE2JS.compile(pattern).matches(text), anywhere: () => assert.fail('nothing is searched for') },
  )
}

describe('revocations in an Envoy', () => {
  test('end what they end at Ostiary’s own doors', () => {
    const told = { hit: 0, missed: 0, more: 0 }
    fc.assert(
      fc.property(facts, fc.array(target, { maxLength: 4 }), (one, revoked) => {
        const hits = new RevocationIndex(revoked).hits(identityOf(one))
        const { allowed, policy } = evaluated(one, revoked)
        if (hits) told.hit++
        else told.missed++
        // A person whose subject is the name of a client that was shut out is shut out as well.
        if (!hits && !allowed && one.human && policy!.startsWith('(revoked:client)')) told.more++
        else assert.equal(allowed, !hits, policy)
      }),
      { numRuns: 3000 },
    )
    assert.ok(told.hit > 150 && told.missed > 300 && told.more < 1000, JSON.stringify(told))
  })

  test('each is a policy that says what it is about', () => {
    const one: Facts = { issuer: ci, human: true, subject: ['ann'], token: 't', client: 'app', iat: NOW / 1000 }
    const rows: readonly (readonly [RevocationTarget, string])[] = [
      [{ kind: 'token', issuer: 'ci', token: 't' }, '(revoked:token)@ci'],
      [{ kind: 'subject', issuer: 'ci', subject: 'ann' }, '(revoked:subject)@ci'],
      [{ kind: 'client', issuer: 'ci', client: 'app' }, '(revoked:client)@ci'],
      [{ kind: 'issued-before', issuer: 'ci', before: NOW }, '(revoked:issued-before:0)@ci'],
    ]
    for (const [revoked, policy] of rows) assert.deepEqual(evaluated(one, [revoked]), { allowed: false, filter: FILTERS.revoked, policy })
  })

  test('nothing revoked denies nothing', () => {
    assert.deepEqual(revokedOf([ci, entra], [])['rules'], { action: 'DENY', policies: {} })
  })
})
