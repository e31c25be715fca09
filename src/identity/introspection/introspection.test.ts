import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import * as fc from 'fast-check'
import type { Verified } from '../../core/credential.ts'
import { startStandInIntrospection, type StandInIntrospection } from '../../testing/standin-introspection.ts'
import { rfc9068Claims, signToken, testKey, type JsonObject } from '../../testing/tokens.ts'
import { TOKEN_PREFIX } from '../aws/presigned.ts'
import type { Identities } from '../index.ts'
import { ask, identified, issuerConfig, said, tell, testDeps, testIdentity, without, type TestDeps } from '../testing.ts'
import { endpointLimits } from './endpoint.ts'
import { GATEWAY_PREFIX, isOpaque } from './form.ts'

const ISSUER = 'https://id.example.com'
const AUDIENCE = 'https://orders.example'
const SECRET = 'a secret: 100 % of it'
/** By hand, as RFC 6749 §2.3.1 and its appendix B have it. */
const BASIC = `Basic ${Buffer.from('gate%3Away:a+secret%3A+100+%25+of+it').toString('base64')}`

let provider: StandInIntrospection
let deps: TestDeps
let open: Identities[]

beforeEach(async () => {
  provider = await startStandInIntrospection()
  provider.admitted.add(BASIC)
  deps = testDeps()
  writeFileSync(join(deps.folder, 'secret'), `${SECRET}\n`)
  open = []
})
afterEach(async () => {
  for (const identities of open) await identities.close()
  await provider.close()
  deps.remove()
})

const config = (more: Record<string, unknown> = {}): { readonly kind: string } & Record<string, unknown> => ({
  kind: 'oauth2-introspection',
  issuer: ISSUER,
  endpoint: provider.endpoint,
  auth: { clientId: 'gate:way', clientSecret: { file: 'secret' } },
  audiences: [AUDIENCE],
  ...more,
})

function issuer(more: Record<string, unknown> = {}, others: Parameters<typeof testIdentity>[0] = {}): Identities {
  const made = testIdentity({ opaque: config(more), ...others }, deps, { cold: { rate: 1e6, burst: 1e6, sources: 10 } })
  open.push(made)
  return made
}

/** RFC 7662 §2.2, the example's members. */
const claims = (more: JsonObject = {}): JsonObject => ({
  client_id: 'l238j323ds-23ij4',
  username: 'jdoe',
  scope: 'read write dolphin',
  sub: 'Z5O3upPC88QrAjx00dis',
  aud: AUDIENCE,
  iss: ISSUER,
  exp: deps.clock.now() / 1000 + 3600,
  iat: deps.clock.now() / 1000,
  extension_field: 'twenty-seven',
  ...more,
})

async function verified(identities: Identities, token: string): Promise<Verified> {
  const result = await ask(identities, token)
  assert.ok(result.outcome === 'verified', tell(result))
  return result.verified
}

/** Lets requests to loopback, and what follows from them, come to their end. */
async function settled(until: () => boolean): Promise<void> {
  for (let i = 0; i < 5_000; i++) {
    if (until()) return
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  assert.fail('it never came to that')
}

test('the example of RFC 7662 is who it says', async () => {
  provider.tokens.set('2YotnFZFEjr1zCsicMWpAA', claims())
  const identity = await identified(issuer({ claims: { extension_field: 'string' } }), '2YotnFZFEjr1zCsicMWpAA')
  const { issuer: name, subject, kind, appOnly, scopes, display, evidence } = identity
  assert.deepEqual([name, subject, kind, appOnly, display], ['opaque', 'Z5O3upPC88QrAjx00dis', 'human', false, 'jdoe'])
  assert.deepEqual(scopes, ['read', 'write', 'dolphin'])
  assert.deepEqual([identity.claims['username'], identity.claims['extension_field']], ['jdoe', 'twenty-seven'])
  assert.deepEqual([evidence.issuerUrl, evidence.audience, evidence.client], [ISSUER, AUDIENCE, 'l238j323ds-23ij4'])
  assert.deepEqual([evidence.keyId, evidence.algorithm, evidence.issuedAt], [undefined, undefined, deps.clock.now()])
})

test('a client that got a token for itself is a workload, with or without a subject', async () => {
  provider.tokens.set('a', without(claims(), 'sub', 'username'))
  provider.tokens.set('b', claims({ sub: 'l238j323ds-23ij4' }))
  const identities = issuer({ clients: ['l238j323ds-23ij4'] })
  for (const token of ['a', 'b']) {
    const { subject, kind, appOnly, listedClient } = await identified(identities, token)
    assert.deepEqual([subject, kind, appOnly, listedClient], ['l238j323ds-23ij4', 'workload', true, true], token)
  }
})

test('those who act are read', async () => {
  provider.tokens.set('a', claims({ act: { sub: 'helper' } }))
  const { kind, actor } = await identified(issuer({ agents: ['helper'] }), 'a')
  assert.deepEqual([kind, actor?.subject], ['human-via-agent', 'helper'])
})

test('Okta’s answers are of who `uid` says, and of nobody by a login alone', async () => {
  // As its API reference prints one.
  const okta = claims({ token_type: 'Bearer', username: 'reader@example.com', sub: 'reader@example.com', uid: '00uid4BxXw6I6TV4m0g3' })
  provider.tokens.set('a', okta)
  provider.tokens.set('b', without(okta, 'uid'))
  provider.tokens.set('c', without({ ...okta, sub: okta['client_id']! }, 'uid', 'username'))
  provider.tokens.set('d', without(okta, 'aud', 'iat', 'uid')) // a refresh token
  const identities = issuer({ provider: 'okta' })
  const reader = await identified(identities, 'a')
  assert.deepEqual([reader.subject, reader.display, reader.kind], ['00uid4BxXw6I6TV4m0g3', 'reader@example.com', 'human'])
  assert.equal(await said(identities, 'b'), 'claim uid')
  assert.equal((await identified(identities, 'c')).appOnly, true)
  assert.equal(await said(identities, 'd'), 'audience')
})

test('Keycloak’s service accounts are no people, and its people no service accounts', async () => {
  const person = claims({ typ: 'Bearer', azp: 'l238j323ds-23ij4', realm_access: { roles: ['reader'] } })
  provider.tokens.set('a', person)
  provider.tokens.set('b', { ...person, username: 'service-account-l238j323ds-23ij4', sub: '1d2d88f8-8b68-4b6b-883f-1af68b598612' })
  const identities = issuer({ provider: 'keycloak' })
  const reader = await identified(identities, 'a')
  assert.deepEqual([reader.kind, reader.appOnly, reader.claims['roles']], ['human', false, ['reader']])
  assert.deepEqual([(await identified(identities, 'b')).kind, (await identified(identities, 'b')).appOnly], ['workload', true])
})

const refusals: readonly (readonly [string, () => JsonObject, string])[] = [
  ['of another issuer', () => claims({ iss: 'https://other.example' }), 'issuer'],
  ['of its issuer with a slash', () => claims({ iss: `${ISSUER}/` }), 'issuer'],
  ['for somebody else', () => claims({ aud: 'https://other.example' }), 'audience'],
  ['for nobody', () => without(claims(), 'aud'), 'audience'],
  ['of a person without a stable key', () => without(claims(), 'sub'), 'claim sub'],
  ['of nobody', () => without(claims(), 'sub', 'username', 'client_id'), 'claim client_id'],
  ['whose subject is a number', () => claims({ sub: 7 }), 'claim sub'],
  ['without an end', () => without(claims(), 'exp'), 'claim exp'],
  ['whose end is text', () => claims({ exp: '9999999999' }), 'claim exp'],
  ['whose end is null', () => claims({ exp: null }), 'claim exp'],
  ['that has ended all the same', () => claims({ exp: deps.clock.now() / 1000 - 31 }), 'expired'],
  ['that is not good yet', () => claims({ nbf: deps.clock.now() / 1000 + 31 }), 'not-yet-valid'],
  ['from the future', () => claims({ iat: deps.clock.now() / 1000 + 31 }), 'issued-in-future'],
  ['that is a refresh token', () => claims({ token_type: 'refresh_token' }), 'token-type'],
  ['that Hydra calls a refresh token', () => claims({ token_use: 'refresh_token' }), 'token-type'],
  ['that Keycloak calls a refresh token', () => claims({ typ: 'Refresh' }), 'token-type'],
  ['that Keycloak calls an ID token', () => claims({ typ: 'ID' }), 'id-token'],
  ['of a type without its proof', () => claims({ token_type: 'DPoP' }), 'token-type'],
  ['whose scope is a number', () => claims({ scope: 7 }), 'claim scope'],
]

for (const [name, make, reason] of refusals)
  test(`an active token ${name} is refused: ${reason}`, async () => {
    provider.tokens.set('a', make())
    assert.equal(await said(issuer(), 'a'), reason)
  })

test('a token that is bound to a key is no bearer token', async () => {
  provider.tokens.set('a', claims({ cnf: { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' } }))
  assert.equal(await said(issuer(), 'a'), 'unproven')
})

test('a token that is not active is refused, and not asked about again for a while', async () => {
  const identities = issuer()
  assert.equal(await said(identities, 'a'), 'inactive')
  provider.tokens.set('a', claims())
  assert.equal(await said(identities, 'a'), 'inactive')
  assert.deepEqual(provider.asked, ['a'])
})

test('without an end, a token is believed where its longest life is configured', async () => {
  provider.tokens.set('a', without(claims(), 'exp'))
  provider.tokens.set('b', without(claims({ iat: deps.clock.now() / 1000 - 3_631 }), 'exp'))
  provider.tokens.set('c', without(claims(), 'exp', 'iat'))
  provider.tokens.set('d', claims({ exp: deps.clock.now() / 1000 + 3_601 }))
  const identities = issuer({ maxLifetime: '1h' })
  assert.equal((await verified(identities, 'a')).expiresAt, deps.clock.now() + 60_000)
  assert.equal(await said(identities, 'b'), 'expired')
  assert.equal((await identified(identities, 'c')).evidence.issuedAt, undefined)
  assert.equal(await said(identities, 'd'), 'lifetime')
})

test('one question for many requests, and the answer holds as long as configured, or until the token ends', async () => {
  provider.tokens.set('a', claims())
  provider.tokens.set('b', claims({ exp: deps.clock.now() / 1000 - 20 }))
  const identities = issuer({ cacheFor: '30s' })
  const all = await Promise.all(Array.from({ length: 50 }, () => said(identities, 'a')))
  assert.deepEqual([...new Set(all)], ['verified'])
  assert.equal((await verified(identities, 'b')).expiresAt, deps.clock.now() + 10_000, 'with the skew')
  assert.deepEqual(provider.asked, ['a', 'b'])
  provider.tokens.delete('a')
  deps.clock.advance(22_499)
  assert.equal(await said(identities, 'a'), 'verified')
  assert.deepEqual(provider.asked, ['a', 'b'], 'nothing is asked before its time')
  deps.clock.advance(7_501)
  assert.equal(await said(identities, 'a'), 'inactive')
})

test('a token in use is asked about again ahead of its end, and stays the same proof while it is active', async () => {
  provider.tokens.set('a', claims())
  const identities = issuer()
  const proof = await verified(identities, 'a')
  for (let round = 1; round <= 5; round++) {
    deps.clock.advance(50_000)
    proof.inUse?.()
    proof.inUse?.()
    const expected = deps.clock.now() + 60_000
    await settled(() => proof.expiresAt === expected)
    assert.equal(provider.asked.length, round + 1)
    assert.equal(await verified(identities, 'a'), proof)
  }
  assert.equal(proof.revoked, false)
})

test('a token in use that is no longer active ends at once, with all that holds on to it', async () => {
  provider.tokens.set('a', claims())
  const identities = issuer()
  const proof = await verified(identities, 'a')
  provider.tokens.delete('a')
  deps.clock.advance(50_000)
  assert.equal(await verified(identities, 'a'), proof, 'the request that finds out is not held up')
  await settled(() => proof.revoked)
  assert.equal(await said(identities, 'a'), 'inactive')
})

test('a token in use that proves somebody or something else ends what was begun with it', async () => {
  provider.tokens.set('a', claims({ roles: ['reader', 'admin'] }))
  const identities = issuer()
  const proof = await verified(identities, 'a')
  provider.tokens.set('a', claims({ roles: ['reader'] }))
  deps.clock.advance(50_000)
  proof.inUse?.()
  await settled(() => proof.revoked)
  const next = await verified(identities, 'a')
  assert.deepEqual([next.identity.claims['roles'], next.revoked], [['reader'], false])
})

test('a token in use ends with its answer where nobody can say more', async () => {
  provider.tokens.set('a', claims())
  const identities = issuer()
  const proof = await verified(identities, 'a')
  const end = proof.expiresAt
  provider.misbehave = { status: 500, body: '' }
  for (const wait of [50_000, 2_000, 2_000, 2_000]) {
    deps.clock.advance(wait)
    const before = provider.asked.length
    proof.inUse?.()
    await settled(() => provider.asked.length === before + 1)
    await settled(() => deps.counts.delete('identity_renewals unavailable'))
  }
  assert.deepEqual([proof.expiresAt, proof.revoked], [end, false])
  deps.clock.advance(4_000)
  assert.equal(await said(identities, 'a'), 'unavailable provider')
  provider.misbehave = undefined
  assert.equal(await said(identities, 'a'), 'verified')
})

test('a token that is about to end is not asked about time and again', async () => {
  provider.tokens.set('a', claims({ exp: deps.clock.now() / 1000 }))
  const identities = issuer()
  const proof = await verified(identities, 'a')
  deps.clock.advance(25_000)
  proof.inUse?.()
  await settled(() => deps.counts.has('identity_renewals identity'))
  for (let i = 0; i < 9; i++) {
    deps.clock.advance(500)
    proof.inUse?.()
  }
  assert.equal(provider.asked.length, 2)
  deps.clock.advance(500)
  assert.equal(await said(identities, 'a'), 'expired')
})

const json = (value: unknown): string => JSON.stringify(value)
const failures: readonly (readonly [string, () => StandInIntrospection['misbehave'], string])[] = [
  ['drops the connection', () => 'drop', 'no connection'],
  [
    'refuses the gateway',
    () => ({ status: 401, body: json({ error: 'invalid_client' }) }),
    "it refuses the gateway's own credential (401)",
  ],
  ['forbids it', () => ({ status: 403, body: '' }), "it refuses the gateway's own credential (403)"],
  ['has too much to do', () => ({ status: 429, body: '' }), 'it answered 429'],
  ['fails', () => ({ status: 500, body: json({ active: true, ...claims() }) }), 'it answered 500'],
  ['creates something', () => ({ status: 201, body: json({ active: true, ...claims() }) }), 'it answered 201'],
  ['redirects', () => ({ status: 302, body: '', headers: { location: provider.endpoint } }), 'it answered 302'],
  ['redirects and keeps the method', () => ({ status: 307, body: '', headers: { location: provider.endpoint } }), 'it answered 307'],
  ['answers a page', () => ({ status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }), 'an answer that is not understood'],
  ['answers nothing', () => ({ status: 200, body: '' }), 'an answer that is not understood'],
  ['answers a list', () => ({ status: 200, body: json([{ active: true, ...claims() }]) }), 'an answer that is not understood'],
  ['says neither', () => ({ status: 200, body: json(claims()) }), 'an answer that is not understood'],
  ['says active in text', () => ({ status: 200, body: json({ ...claims(), active: 'true' }) }), 'an answer that is not understood'],
  ['says active in a number', () => ({ status: 200, body: json({ ...claims(), active: 1 }) }), 'an answer that is not understood'],
  ['says both', () => ({ status: 200, body: '{"active":false,"active":true}' }), 'an answer that is not understood'],
  ['answers half', () => ({ status: 200, body: json({ active: true, ...claims() }).slice(0, -1) }), 'an answer that is not understood'],
  [
    'answers in another encoding',
    () => ({ status: 200, body: Buffer.from('{"active":true,"sub":"\xff"}', 'latin1') }),
    'an answer that is not understood',
  ],
  [
    'answers without end',
    () => ({ status: 200, body: json({ active: true, ...claims(), padding: 'x'.repeat(endpointLimits.maxBytes) }) }),
    `an answer larger than ${endpointLimits.maxBytes} bytes`,
  ],
]

for (const [name, misbehave, detail] of failures)
  test(`a provider that ${name} is unavailable: never an allow, never kept as a refusal, said once`, async () => {
    const identities = issuer()
    provider.tokens.set('a', claims())
    provider.misbehave = misbehave()
    for (let i = 0; i < 3; i++) {
      assert.equal(await said(identities, 'a'), 'unavailable provider')
      deps.clock.advance(endpointLimits.pause)
    }
    assert.deepEqual(deps.lines, [`issuer opaque: tokens can not be asked about: ${detail}`])
    assert.deepEqual(identities.status()['opaque'], { ready: true, detail: `can not be asked: ${detail}` })
    provider.misbehave = undefined
    assert.equal(await said(identities, 'a'), 'verified')
    assert.deepEqual(deps.lines.slice(1), ['issuer opaque: tokens can be asked about again'])
    assert.doesNotMatch(deps.lines.join(), /secret|Basic|jdoe/)
  })

test('a provider that does not answer is waited for as long as configured', async () => {
  provider.misbehave = 'hang'
  const identities = issuer({ timeout: '300ms' })
  const answer = said(identities, 'a')
  await settled(() => provider.asked.length === 1)
  deps.clock.advance(300)
  assert.equal(await answer, 'unavailable provider')
  assert.deepEqual(deps.lines, ['issuer opaque: tokens can not be asked about: no answer within 300 ms'])
})

test('no more than so many are asked about at once', async () => {
  provider.misbehave = 'hang'
  const identities = issuer()
  const answers = Array.from({ length: endpointLimits.concurrent + 1 }, (_, i) => said(identities, `t${i}`))
  assert.equal(await answers.at(-1), 'unavailable overloaded')
  await settled(() => provider.asked.length > 0)
  deps.clock.advance(5_000)
  assert.deepEqual([...new Set(await Promise.all(answers.slice(0, -1)))], ['unavailable provider'])
})

test('a provider that asks for a pause gets it, within bounds', async () => {
  const identities = issuer()
  for (const [wanted, pause] of [
    ['7', 7_000],
    ['0', 1_000],
    ['86400', endpointLimits.maxPause],
    ['Wed, 21 Oct 2026 07:28:00 GMT', 1_000],
  ] as const) {
    provider.misbehave = { status: 429, body: '', headers: { 'retry-after': wanted } }
    const before = provider.asked.length
    assert.equal(await said(identities, 'a'), 'unavailable provider')
    deps.clock.advance(pause - 1)
    assert.equal(await said(identities, 'b'), 'unavailable provider')
    assert.equal(provider.asked.length, before + 1, wanted)
    deps.clock.advance(1)
  }
})

test('its secret is read anew each time', async () => {
  const identities = issuer()
  writeFileSync(join(deps.folder, 'secret'), 'another')
  assert.equal(await said(identities, 'a'), 'unavailable provider')
  rmSync(join(deps.folder, 'secret'))
  deps.clock.advance(endpointLimits.pause)
  assert.equal(await said(identities, 'a'), 'unavailable provider')
  assert.equal(deps.lines.at(-1), 'issuer opaque: tokens can not be asked about: the secret for it can not be read')
  writeFileSync(join(deps.folder, 'secret'), SECRET)
  assert.equal(await said(identities, 'a'), 'inactive')
})

test('a bearer token proves the gateway where the provider wants one', async () => {
  writeFileSync(join(deps.folder, 'bearer'), '23410913-abewfq.123483\n')
  provider.admitted.clear()
  provider.admitted.add('Bearer 23410913-abewfq.123483')
  assert.equal(await said(issuer({ auth: { bearer: { file: 'bearer' } } }), 'a'), 'inactive')
})

test('only tokens of its own form are shown to it', async () => {
  const key = testKey('one', 'ES256')
  const jwt = signToken(key, rfc9068Claims(ISSUER, AUDIENCE, deps.clock.now()))
  const identities = issuer()
  for (const [token, reason] of [
    [jwt, 'issuer'],
    [jwt.slice(0, -2), 'issuer'],
    [`${jwt}!`, 'malformed'],
    [`${jwt}.${jwt}`, 'malformed'],
    [jwt.slice(0, jwt.lastIndexOf('.')), 'malformed'],
    ['a.b.c', 'malformed'],
    ['a.b.c.d.e', 'encrypted'],
    ['a b', 'malformed'],
    ['ä', 'malformed'],
    ['', 'malformed'],
    [`${TOKEN_PREFIX}aHR0cHM6Ly8`, 'malformed'],
  ] as const)
    assert.equal(await said(identities, token), reason, token)
  assert.deepEqual(provider.asked, [])
  const prefixed = issuer({ tokenPrefixes: ['gho_', 'ghu_'] })
  for (const token of ['gho_x', 'ghu_x']) assert.equal(await said(prefixed, token), 'inactive')
  for (const token of ['ghs_x', 'GHO_x', 'xgho_']) assert.equal(await said(prefixed, token), 'malformed')
  assert.deepEqual(provider.asked, ['gho_x', 'ghu_x'])
})

test('with `jwts`, it is asked about JWTs of its issuer, and of no other', async () => {
  const key = testKey('one', 'ES256')
  const own = signToken(key, rfc9068Claims(ISSUER, AUDIENCE, deps.clock.now()))
  const other = signToken(key, rfc9068Claims('https://other.example', AUDIENCE, deps.clock.now()))
  provider.tokens.set(own, claims())
  const identities = issuer({ jwts: true })
  assert.equal(await said(identities, own), 'verified')
  assert.equal(await said(identities, other), 'issuer')
  assert.deepEqual(provider.asked, [own])
})

test('two issuers to which a token could belong are shown none', async () => {
  const identities = issuer({}, { other: config({ tokenPrefixes: ['gho_'] }) })
  assert.equal(await said(identities, 'gho_x'), 'issuer')
  assert.deepEqual(provider.asked, [])
  assert.equal(await said(identities, 'ghs_x'), 'inactive')
})

test('nothing that looks like a JWT, or is of the gateway itself, is opaque', () => {
  const part = fc.string({ unit: fc.constantFrom(...Array.from('AZaz09-_~+/=')), maxLength: 8 })
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 7 }), fc.constantFrom('', GATEWAY_PREFIX, TOKEN_PREFIX), (parts, start) => {
      const opaque = isOpaque(`${start}${parts.join('.')}`, [''])
      if (start !== '' || parts.length === 3 || parts.length === 5) assert.equal(opaque, false)
      else assert.equal(opaque, /^[^=]+=*$/.test(parts.join('.')))
    }),
    { numRuns: 300 },
  )
})

test('whatever the endpoint answers, it is who it says, refused, or unavailable', async () => {
  const identities = issuer()
  const name = fc.constantFrom(
    'active',
    'sub',
    'aud',
    'exp',
    'iat',
    'nbf',
    'iss',
    'client_id',
    'token_type',
    'cnf',
    'act',
    'scope',
    'username',
  )
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(true, AUDIENCE, ISSUER, 'Bearer', 4_102_444_800))
  let count = 0
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, value, { maxKeys: 4 }), fc.boolean(), async (bend, whole) => {
      const answer = whole ? bend : { active: true, ...claims(), ...bend }
      provider.misbehave = { status: 200, body: json(answer) }
      const result = await ask(identities, `token${count++}`)
      if (result.outcome !== 'verified') return
      const { active, sub, client_id: client, aud, cnf } = answer as JsonObject
      assert.equal(active, true)
      assert.equal(result.verified.identity.subject, sub ?? client)
      assert.ok(aud === AUDIENCE || (Array.isArray(aud) && aud.includes(AUDIENCE)))
      assert.equal(cnf, undefined)
      assert.ok(result.verified.expiresAt <= deps.clock.now() + 60_000)
    }),
    { numRuns: 200 },
  )
})

test('configuration that could not be good is refused when it is read', () => {
  assert.doesNotThrow(() => issuerConfig(config()))
  for (const wrong of [
    { endpoint: 'http://id.example.com/introspect' },
    { endpoint: 'https://user@id.example.com/introspect' },
    { auth: { clientId: 'gate:way', clientSecret: SECRET } },
    { auth: { clientId: 'gate:way' } },
    { auth: undefined },
    { audiences: [] },
    { tokenPrefixes: [] },
    { tokenPrefixes: ['ostiary-aws-v1.'] },
    { tokenPrefixes: ['a b'] },
    { cacheFor: '0s' },
    { cacheFor: '2h' },
    { timeout: '1ms' },
  ])
    assert.throws(() => issuerConfig(config(wrong)), JSON.stringify(wrong))
})
