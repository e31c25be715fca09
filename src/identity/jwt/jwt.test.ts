import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, before, beforeEach, test } from 'node:test'
import * as fc from 'fast-check'
import { character } from '../../testing/text.ts'
import { hmacToken, rfc9068Claims, signToken, testKey, unsignedToken, type JsonObject, type TestKey } from '../../testing/tokens.ts'
import type { Identities } from '../index.ts'
import { ask, identified, issuerConfig, said, testDeps, testIdentity, without, type TestDeps } from '../testing.ts'
import { MAX_KEY_FILE, REREAD_MS } from './filekeys.ts'
import { readKeys } from './keytext.ts'

const ISSUER = 'orders-batch'
const AUDIENCE = 'https://orders.example'
const one = testKey('one', 'ES256')
const two = testKey('two', 'ES256')
const three = testKey('three', 'RS256')
const set = (...keys: readonly TestKey[]): string => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })

function publicPem({ privateKey }: TestKey): string {
  // What an operator would do, with a program that isn't ours.
  const input = privateKey.export({ type: 'pkcs8', format: 'pem' })
  return execFileSync('openssl', ['pkey', '-pubout'], { input, encoding: 'utf8' })
}

let deps: TestDeps
let open: Identities[]
const pem: Record<string, string> = {}

before(() => {
  for (const key of [one, two, three]) pem[key.kid] = publicPem(key)
})
beforeEach(() => {
  deps = testDeps()
  open = []
})
afterEach(async () => {
  for (const identities of open) await identities.close()
  deps.remove()
})

function issuer(more: Record<string, unknown> = {}): Identities {
  const made = testIdentity(
    { batch: { kind: 'jwt', issuer: ISSUER, audiences: [AUDIENCE], keys: [{ file: 'keys.json' }], ...more } },
    deps,
    { cold: { rate: 1e6, burst: 1e6, sources: 10 } },
  )
  open.push(made)
  return made
}

function write(text: string, name = 'keys.json'): void {
  writeFileSync(join(deps.folder, name), text)
}

const claims = (more: JsonObject = {}): JsonObject => ({
  ...without(rfc9068Claims(ISSUER, AUDIENCE, deps.clock.now()), 'client_id', 'scope'),
  sub: 'batch',
  ...more,
})
const token = (key: TestKey, payload: JsonObject = claims(), header: JsonObject = {}): string => signToken(key, payload, header)
const nameless = (key: TestKey): string => signToken(key, claims(), JSON.stringify({ alg: key.algorithm }))

test('a service that signs its own tokens is a workload, known by its subject', async () => {
  write(set(one))
  const identity = await identified(issuer({ clients: ['batch'] }), token(one))
  const { issuer: name, subject, kind, appOnly, listedClient, scopes, display, evidence } = identity
  assert.deepEqual(
    [name, subject, kind, appOnly, listedClient, scopes, display],
    ['batch', 'batch', 'workload', true, true, undefined, 'batch'],
  )
  assert.deepEqual([evidence.issuerUrl, evidence.audience, evidence.client, evidence.keyId], [ISSUER, AUDIENCE, 'batch', 'one'])
})

test('scopes of a workload cap it where it names some', async () => {
  write(set(one))
  assert.deepEqual((await identified(issuer(), token(one, claims({ scope: 'orders.read' })))).scopes, ['orders.read'])
})

test('people, where the issuer says that its subjects are some', async () => {
  write(set(one))
  const identities = issuer({ principal: 'human', agents: ['helper'] })
  const reader = await identified(identities, token(one, claims({ sub: 'reader-1', name: 'reader' })))
  assert.deepEqual([reader.kind, reader.appOnly, reader.scopes, reader.display], ['human', false, [], 'reader'])
  const through = await identified(identities, token(one, claims({ sub: 'reader-1', act: { sub: 'helper' } })))
  assert.deepEqual([through.kind, through.actor?.subject], ['human-via-agent', 'helper'])
  assert.equal(await said(identities, token(one, claims({ sub: 'batch', client_id: 'batch' }))), 'verified')
})

test('the client is where the issuer says, and must be there then', async () => {
  write(set(one))
  const identities = issuer({ clientClaim: 'app', agents: ['helper'] })
  assert.equal((await identified(identities, token(one, claims({ app: 'orders-web' })))).evidence.client, 'orders-web')
  assert.equal((await identified(identities, token(one, claims({ app: 'helper' })))).kind, 'agent')
  assert.equal(await said(identities, token(one)), 'claim app')
  assert.equal(await said(identities, token(one, claims({ app: ['helper'] }))), 'claim app')
})

test('every way of writing a key down is read', async () => {
  const bare = without(one.jwk, 'kid', 'use', 'alg')
  const forms: readonly (readonly [string, unknown])[] = [
    ['a file of PEM', { file: 'a.pem', kid: 'one' }],
    ['PEM in the configuration', { pem: pem['one'], kid: 'one' }],
    ['a JWK', { file: 'jwk.json' }],
    ['a JWK Set', { file: 'set.json' }],
  ]
  write(pem['one']!, 'a.pem')
  write(JSON.stringify(one.jwk), 'jwk.json')
  write(set(one), 'set.json')
  for (const [name, place] of forms) assert.equal(await said(issuer({ keys: [place] }), token(one)), 'verified', name)
  write(JSON.stringify(bare), 'bare.json')
  write(`${pem['one']}\nthe second\n${pem['two']}`, 'two.pem')
  // RFC 7638, worked out here a second time.
  const input = JSON.stringify({ crv: one.jwk['crv'], kty: one.jwk['kty'], x: one.jwk['x'], y: one.jwk['y'] })
  const kid = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(input))).toString('base64url')
  for (const file of ['bare.json', 'two.pem', 'a.pem'])
    assert.equal(await said(issuer({ keys: [{ file }] }), token(one, claims(), { kid })), 'verified', file)
})

test('the thumbprint of a key is that of RFC 7638 §3.1', () => {
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
  const keys = readKeys(JSON.stringify({ kty: 'RSA', n, e: 'AQAB', alg: 'RS256' }))
  assert.ok(!('refused' in keys))
  assert.deepEqual([...keys.keys()], ['NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'])
})

test('a token without a key id means the one key that it can mean, or none', async () => {
  write(set(one, three))
  const identities = issuer()
  for (const key of [one, three]) assert.equal(await said(identities, nameless(key)), 'verified', key.kid)
  assert.equal(await said(identities, nameless(two)), 'signature')
  write(set(one, two, three))
  deps.clock.advance(REREAD_MS)
  const fresh = signToken(two, claims({ jti: '2' }), '{"alg":"ES256"}')
  assert.equal(await said(identities, fresh), 'unknown-key', 'two keys could be meant')
})

const plain = { typ: 'JWT' }
const refusals: readonly (readonly [string, () => string, string])[] = [
  ['of another issuer', () => token(one, claims({ iss: 'orders-batch/' })), 'issuer'],
  ['for somebody else', () => token(one, claims({ aud: 'https://other.example' })), 'audience'],
  ['without subject', () => token(one, without(claims(), 'sub')), 'claim sub'],
  ['without end', () => token(one, without(claims(), 'exp')), 'claim exp'],
  ['without beginning', () => token(one, without(claims(), 'iat')), 'claim iat'],
  ['that has ended', () => token(one, claims({ iat: 1, exp: 2 })), 'expired'],
  ['that lives too long', () => token(one, claims({ exp: deps.clock.now() / 1000 + 86_401 })), 'lifetime'],
  ['of another type', () => token(one, claims(), { typ: 'logout+jwt' }), 'token-type'],
  ['that is an ID token', () => token(one, claims({ nonce: 'n', at_hash: 'x' }), plain), 'id-token'],
  ['bound to a key', () => token(one, claims({ cnf: { jkt: 'x' } })), 'token-type'],
  ['in which somebody acts', () => token(one, claims({ act: { sub: 'helper' } })), 'claim act'],
  ['signed by nobody', () => unsignedToken(claims()), 'unsigned'],
  ['signed with the public key as a secret', () => hmacToken(pem['one']!, claims(), { kid: 'one' }), 'algorithm'],
  ['signed with the JWK as a secret', () => hmacToken(JSON.stringify(one.jwk), claims(), { kid: 'one' }), 'algorithm'],
  ['signed by a stranger', () => token({ ...two, kid: 'one' }), 'signature'],
  ['with an unknown key', () => token(two), 'unknown-key'],
  ['with its own key', () => token(two, claims(), { kid: 'one', jwk: two.jwk }), 'unknown-key'],
]

for (const [name, make, reason] of refusals)
  test(`a token ${name} is refused: ${reason}`, async () => {
    write(set(one))
    assert.equal(await said(issuer(), make()), reason)
  })

test('the type is the one that is asked for', async () => {
  write(set(one))
  const identities = issuer({ type: 'application/Orders+JWT' })
  for (const typ of ['orders+jwt', 'application/ORDERS+jwt'])
    assert.equal(await said(identities, token(one, claims(), { typ })), 'verified')
  for (const typ of ['JWT', 'at+jwt', 'orders']) assert.equal(await said(identities, token(one, claims(), { typ })), 'token-type')
  assert.equal(await said(identities, nameless(one)), 'token-type')
})

test('a new key is known with its first token, and one that left ends what it signed', async () => {
  write(set(one))
  const identities = issuer()
  const old = token(one)
  const result = await ask(identities, old)
  assert.ok(result.outcome === 'verified')
  deps.clock.advance(1_000)
  write(set(one, two))
  assert.equal(await said(identities, token(two)), 'verified', 'sooner than the files are read anew by themselves')
  write(set(two))
  assert.equal(result.verified.revoked, false)
  deps.clock.advance(REREAD_MS)
  assert.equal(result.verified.revoked, true)
  assert.equal(await said(identities, old), 'unknown-key')
  assert.equal(await said(identities, token(two)), 'verified')
})

test('the same key id with another key is another key', async () => {
  write(set(one))
  const identities = issuer()
  const old = token(one)
  assert.equal(await said(identities, old), 'verified')
  write(set({ ...two, jwk: { ...two.jwk, kid: 'one' } }))
  deps.clock.advance(REREAD_MS)
  assert.equal(await said(identities, old), 'signature')
})

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const bad: readonly (readonly [string, () => void, string])[] = [
  ['is gone', () => rmSync(join(deps.folder, 'keys.json')), 'ENOENT'],
  ['is a folder', () => (rmSync(join(deps.folder, 'keys.json')), mkdirSync(join(deps.folder, 'keys.json'))), 'it is not a file'],
  [
    'is a pipe',
    () => (rmSync(join(deps.folder, 'keys.json')), void execFileSync('mkfifo', [join(deps.folder, 'keys.json')])),
    'it is not a file',
  ],
  ['is empty', () => write(''), 'it is neither PEM nor a JWK Set'],
  ['is half written', () => write(set(one).slice(0, 100)), 'it has no list of keys'],
  ['has no keys', () => write('{"keys":[]}'), 'it holds no key that can be used'],
  ['has a name twice', () => write('{"keys":[],"keys":[]}'), 'it has no list of keys'],
  ['is too large', () => write(' '.repeat(MAX_KEY_FILE + 1)), `it is larger than ${MAX_KEY_FILE} bytes`],
  ['has a symmetric key', () => write('{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"one"}]}'), 'it holds a symmetric key'],
  ['has a private key', () => write(JSON.stringify({ keys: [privateKey.export({ format: 'jwk' })] })), 'it holds a private key'],
  ['has a private key in PEM', () => write(String(privateKey.export({ type: 'pkcs8', format: 'pem' }))), 'it holds a private key'],
  ['has a key id twice', () => write(set(one, { ...two, jwk: { ...two.jwk, kid: 'one' } })), 'two of its keys have the same kid'],
  [
    'has a certificate',
    () => write('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'),
    'it holds a `CERTIFICATE` instead of a public key',
  ],
  ['has a broken key', () => write('-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n'), 'one of its keys can not be read'],
]

for (const [name, spoil, reason] of bad) {
  test(`a file that ${name} never replaces a good one, and that is said once`, async () => {
    write(set(one))
    const identities = issuer()
    spoil()
    deps.clock.advance(5 * REREAD_MS)
    assert.deepEqual(deps.lines, [`issuer batch: keys.json is not used: ${reason}; the last good ones stay`])
    assert.deepEqual(identities.status()['batch'], { ready: true, detail: `1 key; keys.json is not used: ${reason}` })
    assert.equal(await said(identities, token(one)), 'verified')
    assert.equal(await said(identities, token(two)), 'unavailable keys', 'what is there now can not be told')
    rmSync(join(deps.folder, 'keys.json'), { recursive: true, force: true })
    write(set(one, two))
    deps.clock.advance(REREAD_MS)
    assert.equal(deps.lines.at(-1), 'issuer batch: keys.json is used again')
    assert.equal(await said(identities, token(two)), 'verified')
  })
  test(`with a file that ${name} from the start, no token is let in`, async () => {
    write(set(one))
    spoil()
    const identities = issuer()
    assert.equal(await said(identities, token(one)), 'unavailable keys')
    assert.deepEqual(identities.status()['batch'], { ready: false, detail: `no keys; keys.json is not used: ${reason}` })
    assert.deepEqual(deps.lines, [`issuer batch: keys.json is not used: ${reason}; none of its keys are known`])
  })
}

test('where two places have different keys of one id, what was there stays', async () => {
  write(set(one))
  write(set({ ...two, jwk: { ...two.jwk, kid: 'one' } }), 'other.json')
  const identities = issuer({ keys: [{ file: 'keys.json' }, { file: 'other.json' }] })
  assert.equal(await said(identities, token(one)), 'verified')
  assert.equal(await said(identities, token({ ...two, kid: 'one' })), 'signature')
  assert.match(deps.lines[0]!, /^issuer batch: other\.json is not used: another place has another key of the same id;/)
  // The same key in both is no contradiction.
  write(set(one), 'other.json')
  deps.clock.advance(REREAD_MS)
  assert.equal(deps.lines.at(-1), 'issuer batch: other.json is used again')
})

test('whatever is in the file, it is read as keys or refused with a reason', () => {
  const piece = fc.constantFrom(
    '{"keys":[',
    set(one),
    pem['one'] ?? '',
    '-----BEGIN PUBLIC KEY-----',
    '-----END PUBLIC KEY-----',
    ']}',
    '\n',
    '{',
  )
  const text = fc.oneof(
    fc.string({ unit: character, maxLength: 80 }),
    fc.array(fc.oneof(piece, fc.string({ maxLength: 10 })), { maxLength: 6 }).map((all) => all.join('')),
  )
  fc.assert(
    fc.property(text, fc.option(fc.string({ maxLength: 5 }), { nil: undefined }), (input, kid) => {
      const read = readKeys(input, kid)
      if ('refused' in read) assert.match(read.refused, /^[^\n]{8,80}$/)
      else assert.ok(read.size > 0)
    }),
    { numRuns: 300 },
  )
})

test('a bent JWK is left out or refused, and never another key', () => {
  const member = fc.constantFrom('kty', 'crv', 'x', 'y', 'kid', 'use', 'alg', 'd', 'n', 'e', 'key_ops')
  const value = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('RSA', 'EC', 'oct', 'P-384', 'sig', 'enc', 'HS256', 'ES256', null, 7, ['verify']),
  )
  fc.assert(
    fc.property(fc.dictionary(member, value, { maxKeys: 3 }), (bend) => {
      const read = readKeys(JSON.stringify({ ...one.jwk, ...bend }))
      if ('refused' in read) return
      const material = (key: TestKey) =>
        [...(readKeys(JSON.stringify(key.jwk)) as ReadonlyMap<string, { key: { equals: (other: never) => boolean } }>).values()][0]!.key
      for (const { key } of read.values()) assert.ok(material(one).equals(key as never))
    }),
    { numRuns: 200 },
  )
})

test('configuration that could not be good is refused when it is read', () => {
  const base = { kind: 'jwt', issuer: ISSUER, audiences: [AUDIENCE], keys: [{ file: 'keys.json' }] }
  assert.doesNotThrow(() => issuerConfig(base))
  const wrong: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ algorithms: ['HS256'] }, /`HS256` is symmetric: whoever verifies with it could sign/],
    [{ algorithms: ['RS256', 'hs512'] }, /`hs512` is symmetric/],
    [{ algorithms: ['none'] }, /RS256/],
    [{ algorithms: [] }, /algorithms/],
    [{ keys: [] }, /keys/],
    [{ keys: [{ pem: 'secret' }] }, /can not be used: it is neither PEM nor a JWK Set/],
    [{ keys: [{ pem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) }] }, /can not be used: it holds a private key/],
    [{ keys: [{ pem: `${pem['one']}${pem['two']}`, kid: 'one' }] }, /`kid` names one key, and there are several/],
    [{ keys: [{ secret: 'x' }] }, /keys/],
    [{ principal: 'agent' }, /principal/],
  ]
  for (const [more, message] of wrong) assert.throws(() => issuerConfig({ ...base, ...more }), message, JSON.stringify(more))
})
