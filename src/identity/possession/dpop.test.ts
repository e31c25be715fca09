/** Proofs of possession, made here with node:crypto alone. */
import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { AuthResult, Credential, PresentedCertificate } from '../../core/credential.ts'
import { Secret } from '../../core/secret.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type JsonObject, type KeyFixture } from '../../testing/tokens.ts'
import type { Identities } from '../index.ts'
import { tell, testDeps, testIdentity, type TestDeps } from '../testing.ts'
import { NONCE_MS } from './nonces.ts'
import { Replays } from './replays.ts'

const AUDIENCE = 'https://orders.example'
const URL_ = 'https://orders.example/orders/7'
const issuing = testKey('rsa')
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })

let fixture: KeyFixture
let deps: TestDeps
let identities: Identities
let strict: Identities

before(async () => {
  fixture = await keyFixture([issuing])
  deps = testDeps()
  const config = { kind: 'oidc', issuer: fixture.origin, audiences: [AUDIENCE] }
  identities = testIdentity({ idp: config }, deps)
  strict = testIdentity({ idp: config }, deps, undefined, { dpop: { nonce: 'required' } })
})
after(async () => {
  await identities.close()
  await strict.close()
  await fixture.close()
  deps.remove()
})

const base64url = (value: string | Buffer): string => Buffer.from(value).toString('base64url')
const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')

function jwkOf(key: KeyObject): { crv: string; kty: string; x: string; y: string } {
  const { crv, kty, x, y } = key.export({ format: 'jwk' })
  return { crv: crv!, kty: kty!, x: x!, y: y! }
}

const thumbprint = sha256(JSON.stringify(jwkOf(pair.publicKey)))

function token(more: JsonObject = { cnf: { jkt: thumbprint } }): string {
  return signToken(issuing, rfc9068Claims(fixture.origin, AUDIENCE, deps.clock.now(), more), { typ: 'at+jwt' })
}

let made = 0
interface Make {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
  readonly key?: KeyObject
  readonly of?: string
}

function proof({ header = {}, claims = {}, key = pair.privateKey, of = token() }: Make = {}): string {
  const head = { typ: 'dpop+jwt', alg: 'ES256', jwk: jwkOf(pair.publicKey), ...header }
  const body = { jti: `proof-${made++}`, htm: 'GET', htu: URL_, iat: Math.floor(deps.clock.now() / 1000), ath: sha256(of), ...claims }
  const input = `${base64url(JSON.stringify(head))}.${base64url(JSON.stringify(body))}`
  return `${input}.${base64url(sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }))}`
}

async function ask(credential: Credential, by = identities, certificate?: PresentedCertificate): Promise<AuthResult> {
  return by.authenticator.authenticate(credential, { source: '192.0.2.1', time: 0, resource: 'orders', certificate })
}

function dpop(text: string, of = token(), by = identities, at: { method?: string; url?: string } = {}): Promise<AuthResult> {
  const { method = 'GET', url = URL_ } = at
  return ask({ kind: 'dpop', token: new Secret(of), proof: new Secret(text), method, url }, by)
}

const said = async (answer: Promise<AuthResult>): Promise<string> => tell(await answer)

describe('a token that is bound to a key', () => {
  test('is good with a proof, once each, and says how it was proven', async () => {
    const result = await dpop(proof())
    assert.equal(result.outcome, 'verified')
    const { evidence } = result.verified.identity
    assert.deepEqual([evidence.credential, evidence.confirmation], ['dpop', { method: 'dpop', thumbprint }])
    assert.equal(await said(dpop(proof())), 'verified')
  })

  test('is worth nothing by itself', async () => {
    assert.equal(await said(ask({ kind: 'bearer', token: new Secret(token()) })), 'unproven')
  })

  test('may have been known for long: each request is proven', async () => {
    const known = token()
    assert.equal(await said(dpop(proof({ of: known }), known)), 'verified')
    assert.equal(await said(dpop(proof({ of: known, key: other.privateKey }), known)), 'proof signature')
    assert.equal(await said(ask({ kind: 'bearer', token: new Secret(known) })), 'unproven')
  })

  test('a proof is good once', async () => {
    const one = proof()
    assert.equal(await said(dpop(one)), 'verified')
    assert.equal(await said(dpop(one)), 'proof-replayed')
    // The same id of another key is another proof.
    const jti = { claims: { jti: 'same' } }
    assert.equal(await said(dpop(proof(jti))), 'verified')
    assert.equal(await said(dpop(proof(jti))), 'proof-replayed')
  })

  test('a token that is bound to none is not made better by a proof', async () => {
    const free = token({})
    assert.equal(await said(dpop(proof({ of: free }), free)), 'proof cnf')
    assert.equal(await said(ask({ kind: 'bearer', token: new Secret(free) })), 'verified')
  })

  const wrong: readonly (readonly [string, Make, string])[] = [
    ['of another type', { header: { typ: 'JWT' } }, 'proof typ'],
    ['without type', { header: { typ: undefined } }, 'proof typ'],
    ['unsigned', { header: { alg: 'none' } }, 'proof unsigned'],
    ['with a shared secret', { header: { alg: 'HS256' } }, 'proof alg'],
    ['of another algorithm than its key', { header: { alg: 'ES384' } }, 'proof signature'],
    ['without a key', { header: { jwk: undefined } }, 'proof jwk'],
    ['with the key of somebody else', { header: { jwk: jwkOf(other.publicKey) }, key: other.privateKey }, 'proof jwk'],
    ['with a private key in it', { header: { jwk: pair.privateKey.export({ format: 'jwk' }) } }, 'proof jwk'],
    ['with a symmetric key in it', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }, 'proof jwk'],
    ['with a point off its curve', { header: { jwk: { ...jwkOf(pair.publicKey), y: jwkOf(pair.publicKey).x } } }, 'proof jwk'],
    ['with the address of a key', { header: { jku: 'https://evil.example' } }, 'proof unknown-key'],
    ['with an extension', { header: { crit: ['b64'], b64: false } }, 'proof critical-header'],
    ['signed by another key', { key: other.privateKey }, 'proof signature'],
    ['for another method', { claims: { htm: 'POST' } }, 'proof htm'],
    ['for the same method in other letters', { claims: { htm: 'get' } }, 'proof htm'],
    ['for another path', { claims: { htu: 'https://orders.example/orders/8' } }, 'proof htu'],
    ['for another host', { claims: { htu: 'https://evil.example/orders/7' } }, 'proof htu'],
    ['for another port', { claims: { htu: 'https://orders.example:8443/orders/7' } }, 'proof htu'],
    ['for the same without TLS', { claims: { htu: 'http://orders.example/orders/7' } }, 'proof htu'],
    ['for a path in other letters', { claims: { htu: 'https://orders.example/Orders/7' } }, 'proof htu'],
    ['for a URL with somebody in it', { claims: { htu: 'https://orders.example@evil.example/orders/7' } }, 'proof htu'],
    ['for no URL', { claims: { htu: '/orders/7' } }, 'proof htu'],
    ['for a list', { claims: { htu: [URL_] } }, 'proof htu'],
    ['without id', { claims: { jti: undefined } }, 'proof jti'],
    ['with an empty id', { claims: { jti: '' } }, 'proof jti'],
    ['with an id without end', { claims: { jti: 'x'.repeat(300) } }, 'proof jti'],
    ['for another token', { of: 'other' }, 'proof ath'],
    ['for no token', { claims: { ath: undefined } }, 'proof ath'],
    ['with a nonce of somebody else', { claims: { nonce: 'n-0S6_WzA2Mj' } }, 'proof-nonce'],
    ['with a nonce that is a number', { claims: { nonce: 1 } }, 'proof nonce'],
    ['without a time', { claims: { iat: undefined } }, 'proof iat'],
    ['with a time as text', { claims: { iat: '1' } }, 'proof iat'],
    ['without end in time', { claims: { iat: 1e300 } }, 'proof iat'],
  ]
  for (const [name, make, reason] of wrong)
    test(`a proof ${name} is refused: ${reason}`, async () => {
      assert.equal(await said(dpop(proof(make))), reason)
    })

  test('what does not count in a URL does not count', async () => {
    for (const htu of [`${URL_}?page=2`, `${URL_}#top`, 'HTTPS://ORDERS.example:443/orders/7'])
      assert.equal(await said(dpop(proof({ claims: { htu } }))), 'verified', htu)
  })

  test('a proof is good for a minute, and its clock may be half a minute ahead', async () => {
    const now = Math.floor(deps.clock.now() / 1000)
    for (const [iat, reason] of [
      [now - 60, 'verified'],
      [now - 61, 'proof iat'],
      [now + 30, 'verified'],
      [now + 31, 'proof iat'],
    ] as const)
      assert.equal(await said(dpop(proof({ claims: { iat } }))), reason, String(iat - now))
  })

  test('no bytes make it throw, and none but the right ones are good', async () => {
    const good = proof()
    const changed = fc
      .tuple(fc.nat(good.length - 1), fc.constantFrom('A', 'B', '.', '=', '-', '_', ' ', '\u00e9'))
      .map(([at, character]) => good.slice(0, at) + character + good.slice(at + 1))
    await fc.assert(
      fc.asyncProperty(fc.oneof(changed, fc.string(), fc.constant('a.b.c'), fc.constant('')), async (text) => {
        if (text === good) return
        assert.match(await said(dpop(text)), /^proof/)
      }),
      { numRuns: 300 },
    )
    assert.equal(await said(dpop(good)), 'verified', 'and none of them used it up')
  })
})

describe('a nonce', () => {
  test('is given to who has none, and good for five minutes', async () => {
    const first = await dpop(proof(), token(), strict)
    assert.equal(tell(first), 'proof-nonce')
    assert.ok(first.outcome === 'rejected' && first.nonce !== undefined)
    const { nonce } = first
    assert.equal(await said(dpop(proof({ claims: { nonce } }), token(), strict)), 'verified')
    // Every process with the same key knows it; these two have keys of their own.
    assert.equal(await said(dpop(proof({ claims: { nonce } }), token(), identities)), 'proof-nonce')
    deps.clock.advance(NONCE_MS)
    assert.equal(await said(dpop(proof({ claims: { nonce } }), token(), strict)), 'proof-nonce')
  })
})

describe('a token that is bound to a certificate', () => {
  const bound = { cnf: { 'x5t#S256': sha256('certificate') } }
  const shown = (of: string) => ({ thumbprint: sha256(of), trusted: false, chain: [] })
  test('is good on a connection with that certificate only', async () => {
    const of = token(bound)
    const bearer: Credential = { kind: 'bearer', token: new Secret(of) }
    const result = await ask(bearer, identities, shown('certificate'))
    assert.equal(result.outcome === 'verified' && result.verified.identity.evidence.credential, 'mtls')
    assert.equal(await said(ask(bearer, identities, shown('other'))), 'proof x5t#S256')
    assert.equal(await said(ask(bearer)), 'unproven x5t#S256')
    assert.equal(await said(dpop(proof({ of }), of)), 'proof cnf')
  })
})

describe('other bindings', () => {
  for (const cnf of [
    {},
    null,
    'x',
    [],
    { jkt: 'short' },
    { jkt: 7 },
    { kid: 'x' },
    { jwk: jwkOf(pair.publicKey) },
    { jkt: thumbprint, 'x5t#S256': thumbprint },
    { jkt: thumbprint, kid: 'x' },
    { jkt: `${thumbprint.slice(0, 42)}=` },
  ])
    test(`${JSON.stringify(cnf)} is none that could be proven`, async () => {
      const of = token({ cnf: cnf as JsonObject })
      assert.equal(await said(ask({ kind: 'bearer', token: new Secret(of) })), 'token-type')
      assert.equal(await said(dpop(proof({ of }), of)), 'token-type')
    })
})

describe('what was used', () => {
  test('is remembered for as long as it could be good, whatever else comes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 1_500 })), { maxLength: 30 }), (steps) => {
        const world = testDeps()
        const replays = new Replays(world.clock, 1_000, 100)
        const used = new Map<string, number>()
        for (const [id, later] of steps) {
          world.clock.advance(later)
          const now = world.clock.now()
          const answer = replays.use(id)
          const last = used.get(id)
          if (last !== undefined && now - last < 1_000) assert.equal(answer, 'again')
          if (last === undefined) assert.equal(answer, 'first')
          if (answer === 'first') used.set(id, now)
        }
        world.remove()
      }),
      { numRuns: 100 },
    )
  })

  test('a memory that is full lets nothing through, and is free again later', () => {
    const world = testDeps()
    const replays = new Replays(world.clock, 1_000, 2)
    assert.deepEqual(
      ['a', 'b', 'c', 'a'].map((id) => replays.use(id)),
      ['first', 'first', 'full', 'again'],
    )
    world.clock.advance(1_000)
    assert.equal(replays.use('c'), 'first')
    world.remove()
  })
})
