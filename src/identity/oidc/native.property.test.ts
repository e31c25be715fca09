import assert from 'node:assert/strict'
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { holdsOf, test as ask, type Formula, type NativeIssuer } from '../../core/token.ts'
import { regexes } from '../../testing/regexes.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import { keyFixture, signToken, testKey, type JsonObject, type KeyFixture } from '../../testing/tokens.ts'
import { issuerKinds, type Identities } from '../index.ts'
import { ask as authenticate, issuerConfig, testDeps, testIdentity, type TestDeps } from '../testing.ts'

const AUDIENCE = 'https://orders.example'
const es = testKey('es', 'ES256')
const DECLARED = { department: 'string', level: 'number', staff: 'boolean', teams: { type: 'list', path: ['realm', 'teams'] } }

/** Mostly what a provider writes, and everything else now and then. */
function mostly<T>(usual: readonly T[], unusual: readonly unknown[] = [null, 5, {}, [], '', 'x y']): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 40, arbitrary: fc.constantFrom<unknown>(...usual) }, { weight: 1, arbitrary: fc.constantFrom(...unusual) })
}

const ABSENT = Symbol('absent')
const rarely = (value: unknown): fc.Arbitrary<unknown> => fc.constantFrom(...Array.from({ length: 60 }, () => ABSENT), value)

const payloads = (now: number): fc.Arbitrary<JsonObject> =>
  fc
    .record({
      sub: mostly(['reader-1', 'orders-web', 'listed', 'helper'], [5, '', 'a'.repeat(255), 'a'.repeat(256), '\u{1f511}'.repeat(128)]),
      client_id: mostly(['orders-web', 'orders-web', 'listed', 'reader-1', 'helper', ABSENT]),
      azp: mostly([ABSENT, ABSENT, ABSENT, 'orders-web', 'listed', 'helper']),
      iat: mostly([now, now - 100], [now + 31, now + 29, 'x', -1, ABSENT, now - 40 * 3600]),
      exp: mostly([now + 300, now + 3600], [now - 29, now - 31, ABSENT, '5', now + 40 * 3600]),
      nbf: rarely(now + 100),
      typ: mostly([ABSENT, ABSENT, 'Bearer', 'JWT'], ['ID', 'Refresh', 5]),
      nonce: rarely('n'),
      at_hash: rarely('h'),
      act: rarely({ sub: 'helper' }),
      cnf: rarely({ jkt: 'x' }),
      _claim_names: rarely({ teams: 's' }),
      scope: mostly([ABSENT, 'openid orders.read', 'orders.read', '', ' orders.read  x', 'orders.reads'], [['orders.read'], 5]),
      scp: mostly([ABSENT, ABSENT, 'orders.read', 'other'], [['orders.read'], null]),
      department: mostly([ABSENT, 'sales', 'it']),
      level: mostly([ABSENT, 1, 2.5]),
      staff: mostly([ABSENT, true, false]),
      realm: mostly([ABSENT, { teams: ['a', 'b'] }, { teams: [] }, { teams: [5, 'a', {}] }, {}], [{ teams: 'a' }, ['a'], 'a', null]),
      roles: mostly([ABSENT, ['r'], [], [5]]),
    })
    .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ABSENT)) as JsonObject)

const headers = fc
  .record({
    typ: mostly(['at+jwt', 'JWT', 'application/AT+JWT', 'at+jwt'], ['ID', '', 'at+jwt ', 'xat+jwt', ABSENT]),
    crit: rarely(['exp']),
    jku: rarely('https://a.example'),
    b64: rarely(true),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ABSENT)) as JsonObject)

describe('what an enforcement point may accept by itself, Ostiary accepts, and as the same', () => {
  let fixture: KeyFixture
  let deps: TestDeps
  before(async () => {
    fixture = await keyFixture([es])
    deps = testDeps()
  })
  after(async () => {
    await fixture.close()
    deps.remove()
  })

  const pem = (): string => String(createPublicKey({ key: es.jwk as JsonWebKey, format: 'jwk' }).export({ type: 'spki', format: 'pem' }))
  const base = { audiences: [AUDIENCE], clients: ['listed'], claims: DECLARED }
  const kinds: readonly (readonly [string, () => { readonly kind: string } & Record<string, unknown>])[] = [
    ['RFC 9068', () => ({ kind: 'oidc', issuer: fixture.origin, ...base })],
    ['RFC 9068 with agents', () => ({ kind: 'oidc', issuer: fixture.origin, ...base, agents: ['helper'] })],
    ['plain tokens', () => ({ kind: 'oidc', issuer: fixture.origin, ...base, acceptPlainJwt: true })],
    ['a service', () => ({ kind: 'jwt', issuer: 'svc', ...base, keys: [{ pem: pem(), kid: 'es' }] })],
    ['a service of people', () => ({ kind: 'jwt', issuer: 'svc', ...base, keys: [{ pem: pem(), kid: 'es' }], principal: 'human' })],
    [
      'a service with a type',
      () => ({ kind: 'jwt', issuer: 'svc', ...base, keys: [{ pem: pem(), kid: 'es' }], type: 'application/at+jwt' }),
    ],
    [
      'a service with a client claim',
      () => ({ kind: 'jwt', issuer: 'svc', ...base, keys: [{ pem: pem(), kid: 'es' }], clientClaim: 'azp' }),
    ],
  ]
  for (const [title, config] of kinds)
    test(title, async () => {
      const wired = config()
      const identities: Identities = testIdentity({ one: wired }, deps, { cold: { rate: 1e6, burst: 1e6, sources: 10 } })
      const [native] = issuerKinds[wired.kind]!.native!('one', issuerConfig(wired)) as readonly [NativeIssuer]
      const now = deps.clock.now()
      let accepted = 0
      let narrower = 0
      try {
        await untilEnough(
          () =>
            fc.assert(
              fc.asyncProperty(payloads(Math.floor(now / 1000)), headers, async (random, header) => {
                const payload: JsonObject = { iss: native.iss, aud: AUDIENCE, ...random }
                const full = { alg: 'ES256', kid: 'es', typ: 'JWT', ...header }
                if (!('typ' in header)) delete (full as Record<string, unknown>)['typ']
                const token = { header: full, payload }
                const holds = (formula: Formula): boolean => holdsOf(formula, token, now, regexes.wholly)
                const result = await authenticate(identities, signToken(es, payload, JSON.stringify(full)))
                // Expiry and `nbf` are what every enforcement point checks by itself.
                const timely =
                  typeof payload['exp'] === 'number' && payload['exp'] + 30 > now / 1000 && Number(payload['nbf'] ?? 0) - 30 <= now / 1000
                if (!timely || !holds(native.credential)) {
                  if (result.outcome === 'verified') narrower++
                  return
                }
                accepted++
                assert.equal(result.outcome, 'verified', JSON.stringify([header, payload, result]))
                if (result.outcome !== 'verified') return
                const { identity } = result.verified
                assert.equal(identity.actor, undefined)
                assert.equal(identity.unknownClaims.size, 0)
                assert.equal(holds(native.appOnly), identity.appOnly)
                assert.equal(holds(native.listedClient), identity.listedClient)
                assert.equal(holds(native.capped), identity.scopes !== undefined)
                assert.equal(
                  holds(native.hasScope('orders.read')),
                  identity.scopes?.includes('orders.read') ?? payload['scope'] === 'orders.read',
                )
                assert.deepEqual(
                  Object.entries(native.kinds)
                    .filter(([, kind]) => holds(kind))
                    .map(([kind]) => kind),
                  [identity.kind],
                )
                for (const [claim, { path, type }] of Object.entries(native.claims)) {
                  assert.ok(path !== undefined)
                  const value = identity.claims[claim]
                  for (const one of ['sales', 'a', 'r', 'reader-1', 'orders-web', 'listed', 1, 2.5, true, false]) {
                    if (typeof one !== (type === 'list' ? 'string' : type)) continue
                    const has = value !== undefined && (typeof value === 'object' ? value.includes(one as string) : value === one)
                    assert.equal(holds(ask({ is: 'value', path, type, values: [one] })), has, `${claim} ${String(one)}`)
                  }
                  assert.equal(holds(ask({ is: 'present', path })), value !== undefined, claim)
                  if (type === 'list')
                    assert.equal(holds(ask({ is: 'texts', path })), value !== undefined && (value as readonly string[]).length > 0)
                }
              }),
              { numRuns: runs(250) },
            ),
          () => accepted > 100 && narrower > 0,
          () => ({ accepted, narrower }),
        )
      } finally {
        await identities.close()
      }
    })
})
