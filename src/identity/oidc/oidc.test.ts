import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { keyFixture, rfc9068Claims, signToken, testKey, times, type JsonObject, type KeyFixture } from '../../testing/tokens.ts'
import type { Identities } from '../index.ts'
import { identified, issuerConfig, said, testDeps, testIdentity, without, type TestDeps } from '../testing.ts'

const AUDIENCE = 'https://orders.example'
const at = { typ: 'at+jwt' }
const es = testKey('es', 'ES256')
const ed = testKey('ed', 'EdDSA')
const es2 = testKey('es2', 'ES256')

let fixture: KeyFixture
let deps: TestDeps
let strict: Identities
let plain: Identities
let now: number
let issuer: string

before(async () => {
  fixture = await keyFixture([es, ed])
  issuer = fixture.origin
  fixture.keys = [es.jwk, ed.jwk, { ...es2.jwk, issuer: 'https://issuer.example' }]
  deps = testDeps()
  now = deps.clock.now()
  const base = {
    kind: 'oidc',
    issuer,
    audiences: [AUDIENCE, 'orders-web'],
    clients: ['listed'],
    agents: ['helper', 'writer'],
    claims: { department: 'string', realm_roles: { type: 'list', path: ['realm_access', 'roles'] } },
  }
  const cold = { cold: { rate: 1e6, burst: 1e6, sources: 10 } }
  strict = testIdentity({ oidc: base }, deps, cold)
  plain = testIdentity({ oidc: { ...base, acceptPlainJwt: true } }, deps, cold)
})
after(async () => {
  await strict.close()
  await plain.close()
  await fixture.close()
  deps.remove()
})

const claims = (more: JsonObject = {}): JsonObject => rfc9068Claims(issuer, AUDIENCE, now, more)

test('an access token of RFC 9068 is verified', async () => {
  for (const key of [es, ed]) {
    const identity = await identified(strict, signToken(key, claims({ department: 'sales', realm_access: { roles: ['a'] } }), at))
    assert.equal(identity.subject, 'reader-1')
    assert.equal(identity.kind, 'human')
    assert.deepEqual(identity.scopes, ['openid', 'orders.read'])
    assert.equal(identity.claims['client_id'], 'orders-web')
    assert.equal(identity.claims['department'], 'sales')
    assert.deepEqual(identity.claims['realm_roles'], ['a'])
    assert.equal(identity.evidence.tokenId, 'dbe39bf3a3ba4238a513f51d6e1691c4')
    assert.equal(identity.evidence.client, 'orders-web')
    assert.equal(identity.evidence.algorithm, key.algorithm)
  }
})

test('the long form of the type, several audiences and scopes as a list are read', async () => {
  const token = signToken(es, claims({ aud: ['https://other.example', AUDIENCE], scope: ['a', 'b'] }), { typ: 'application/AT+JWT' })
  const identity = await identified(strict, token)
  assert.deepEqual(identity.scopes, ['a', 'b'])
  assert.equal(identity.evidence.audience, AUDIENCE)
})

test('a client that calls for itself is a workload; its scopes cap it only if it has some', async () => {
  const own = { sub: 'orders-web' }
  const identity = await identified(strict, signToken(es, claims(own), at))
  assert.equal(identity.kind, 'workload')
  assert.equal(identity.appOnly, true)
  assert.equal(identity.listedClient, false)
  assert.deepEqual(identity.scopes, ['openid', 'orders.read'])
  const scopeless = await identified(strict, signToken(es, without(claims({ sub: 'listed', client_id: 'listed' }), 'scope'), at))
  assert.equal(scopeless.scopes, undefined)
  assert.equal(scopeless.listedClient, true)
  assert.equal((await identified(strict, signToken(es, claims({ sub: 'helper', client_id: 'helper' }), at))).kind, 'agent')
})

test('a delegated token without scopes has none', async () => {
  assert.deepEqual((await identified(strict, signToken(es, without(claims(), 'scope'), at))).scopes, [])
})

test('the chain of those who act is read, the one that acts now first', async () => {
  const act = { sub: 'helper', act: { sub: 'batch', iss: issuer, act: { sub: 'writer', department: 'press' } } }
  const identity = await identified(strict, signToken(es, claims({ act }), at))
  assert.equal(identity.kind, 'human-via-agent')
  const [first, second, third] = [identity.actor, identity.actor?.actor, identity.actor?.actor?.actor]
  assert.deepEqual([first?.subject, first?.kind], ['helper', 'agent'])
  assert.deepEqual([second?.subject, second?.kind], ['batch', 'workload'])
  assert.deepEqual([third?.subject, third?.kind], ['writer', 'agent'])
  assert.equal(third?.claims['department'], 'press')
  assert.equal(first?.claims['department'], undefined, 'what is said of the subject is not said of the actor')
  assert.equal(third?.actor, undefined)
})

test('a client that is a listed agent is a party even if nothing else says so, and once only', async () => {
  const alone = await identified(strict, signToken(es, claims({ client_id: 'helper' }), at))
  assert.equal(alone.kind, 'human-via-agent')
  assert.equal(alone.actor?.subject, 'helper')
  const named = await identified(strict, signToken(es, claims({ client_id: 'helper', act: { sub: 'helper' } }), at))
  assert.equal(named.actor?.subject, 'helper')
  assert.equal(named.actor?.actor, undefined)
  const both = await identified(strict, signToken(es, claims({ client_id: 'helper', act: { sub: 'batch' } }), at))
  assert.deepEqual([both.actor?.subject, both.actor?.actor?.subject], ['helper', 'batch'])
})

test('a client with an actor is no client calling for itself', async () => {
  const identity = await identified(strict, signToken(es, claims({ sub: 'orders-web', act: { sub: 'helper' } }), at))
  assert.equal(identity.appOnly, false)
  assert.equal(identity.actor?.subject, 'helper')
})

const chain = (length: number): JsonObject => (length === 1 ? { sub: 'a' } : { sub: 'a', act: chain(length - 1) })

const cases: readonly (readonly [string, () => string, string])[] = [
  ['four who act', () => signToken(es, claims({ act: chain(4) }), at), 'too-many-parties'],
  ['three who act through an agent', () => signToken(es, claims({ client_id: 'helper', act: chain(3) }), at), 'too-many-parties'],
  ['an actor without subject', () => signToken(es, claims({ act: {} }), at), 'claim act'],
  ['an actor that is text', () => signToken(es, claims({ act: 'helper' }), at), 'claim act'],
  ['an actor that is null', () => signToken(es, claims({ act: null }), at), 'claim act'],
  ['an actor of another issuer', () => signToken(es, claims({ act: { sub: 'a', iss: 'https://evil.example' } }), at), 'claim act'],
  ['typ JWT', () => signToken(es, claims()), 'token-type'],
  ['no typ', () => signToken(es, claims(), `{"alg":"ES256","kid":"es"}`), 'token-type'],
  ['typ of a logout token', () => signToken(es, claims(), { typ: 'logout+jwt' }), 'token-type'],
  ['typ of an ID token', () => signToken(es, claims({ nonce: 'n', client_id: undefined as never })), 'id-token'],
  ['the hash of an ID token', () => signToken(es, claims({ at_hash: 'x' }), at), 'id-token'],
  ['a nonce and no client', () => signToken(es, without(claims({ nonce: 'n' }), 'client_id'), at), 'id-token'],
  ['the payload type of an ID token', () => signToken(es, claims({ typ: 'ID' }), at), 'id-token'],
  ['the payload type of a refresh token', () => signToken(es, claims({ typ: 'Refresh' }), at), 'token-type'],
  ['a key that it is bound to', () => signToken(es, claims({ cnf: { jkt: 'x' } }), at), 'token-type'],
  ['no client', () => signToken(es, without(claims(), 'client_id'), at), 'claim client_id'],
  ['two clients', () => signToken(es, claims({ azp: 'other' }), at), 'claim client_id'],
  ['another issuer', () => signToken(es, claims({ iss: 'https://evil.example' }), at), 'issuer'],
  ['its issuer with a slash', () => signToken(es, claims({ iss: `${issuer}/` }), at), 'issuer'],
  ['no audience', () => signToken(es, without(claims(), 'aud'), at), 'audience'],
  ['an audience with ours in front', () => signToken(es, claims({ aud: `${AUDIENCE}.evil.example` }), at), 'audience'],
  ['no audience of ours', () => signToken(es, claims({ aud: ['a', 'b'] }), at), 'audience'],
  ['an empty list of audiences', () => signToken(es, claims({ aud: [] }), at), 'audience'],
  ['a list of audiences that is not all text', () => signToken(es, claims({ aud: [AUDIENCE, 1] }), at), 'audience'],
  ['no subject', () => signToken(es, without(claims(), 'sub'), at), 'claim sub'],
  ['an empty subject', () => signToken(es, claims({ sub: '' }), at), 'claim sub'],
  ['a subject that is a number', () => signToken(es, claims({ sub: 7 }), at), 'claim sub'],
  ['a subject of 256 characters', () => signToken(es, claims({ sub: 'x'.repeat(256) }), at), 'claim sub'],
  ['scopes that are an object', () => signToken(es, claims({ scope: {} }), at), 'claim scope'],
  ['an algorithm that is not listed', () => signToken(es, claims(), { ...at, alg: 'ES384' }), 'algorithm'],
  ['an algorithm of another key', () => signToken(es, claims(), { ...at, kid: 'ed' }), 'algorithm'],
  ['a key for another issuer', () => signToken(es2, claims(), at), 'key-issuer'],
  ['an unknown key', () => signToken(es, claims(), { ...at, kid: 'nobody' }), 'unknown-key'],
  ['another key under a known id', () => signToken(es2, claims(), { ...at, kid: 'es' }), 'signature'],
  ['an end in the past', () => signToken(es, claims(times(now - 9_000_000)), at), 'expired'],
]

for (const [name, make, reason] of cases)
  test(`a token with ${name} is refused: ${reason}`, async () => {
    assert.equal(await said(strict, make()), reason)
  })

test('plain JWTs are accepted only where that is configured, and ID tokens not even then', async () => {
  assert.equal(await said(plain, signToken(es, claims())), 'verified')
  assert.equal(await said(plain, signToken(es, claims(), '{"alg":"ES256","kid":"es"}')), 'verified')
  assert.equal(await said(plain, signToken(es, claims({ typ: 'Bearer' }))), 'verified', 'as Keycloak marks them')
  assert.equal(await said(plain, signToken(es, without(claims({ azp: 'orders-web' }), 'client_id'))), 'verified')
  const idToken = { iss: issuer, sub: 'reader-1', aud: 'orders-web', azp: 'orders-web', ...times(now) }
  for (const more of [{}, { nonce: 'n' }, { at_hash: 'x' }, { typ: 'ID' }])
    assert.equal(await said(plain, signToken(es, { ...idToken, ...more })), 'id-token', JSON.stringify(more))
  for (const typ of ['dpop+jwt', 'secevent+jwt', 'logout+jwt'])
    assert.equal(await said(plain, signToken(es, claims(), { typ })), 'token-type')
})

test('the ID token of a sign-in proves who signed in', async () => {
  const [first] = strict.issuers
  const idToken = (more: JsonObject = {}): string =>
    signToken(es, { iss: issuer, sub: 'reader-1', aud: 'orders-web', nonce: 'n', name: 'reader', ...times(now), ...more })
  const judge = async (token: string, clientId = 'orders-web', nonce = 'n'): Promise<string> => {
    const result = await first!.verifyIdToken(token, { clientId, nonce })
    return result.outcome === 'identity'
      ? result.identity.subject
      : result.outcome === 'rejected'
        ? `${result.reason} ${result.claim ?? ''}`.trim()
        : result.cause
  }
  assert.equal(await judge(idToken()), 'reader-1')
  assert.equal(await judge(idToken({ aud: ['orders-web', 'x'], azp: 'orders-web' })), 'reader-1')
  assert.equal(await judge(idToken({ aud: ['orders-web', 'x'] })), 'client')
  assert.equal(await judge(idToken({ azp: 'x' })), 'client')
  assert.equal(await judge(idToken(), 'other'), 'audience')
  assert.equal(await judge(idToken(), 'orders-web', 'm'), 'claim nonce')
  assert.equal(await judge(idToken(), 'orders-web', ''), 'claim nonce')
  assert.equal(await judge(signToken(es, claims({ aud: 'orders-web', nonce: 'n' }), at)), 'token-type')
})

test('the issuer is an https URL, plain http on loopback only', () => {
  const config = (url: string) => issuerConfig({ kind: 'oidc', issuer: url, audiences: [AUDIENCE] })
  for (const url of ['http://issuer.example', 'https://issuer.example?x=1', 'https://u:p@issuer.example', 'issuer.example'])
    assert.throws(() => config(url))
  assert.doesNotThrow(() => config('https://issuer.example/realms/orders'))
})
