/** Hostile presigned URLs: each meets its exact reason, and STS is asked about none of them. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { character } from '../../testing/text.ts'
import { said } from '../testing.ts'
import type { Identities } from '../index.ts'
import { refused } from '../jose/refusal.ts'
import { encode, MAX_URL, readPresigned } from './presigned.ts'
import { endpointOf } from './regions.ts'
import { bearer, HOST, openAwsWorld, presign, ROLE_KEY_ID, roleKey, type AwsWorld } from './testing.ts'

let world: AwsWorld
let gateway: Identities
/** A good URL of a role's session, and one of a user. */
let good: string
let plain: string

before(async () => {
  world = await openAwsWorld()
  gateway = world.gateway()
  const now = world.deps.clock.now()
  good = await presign({ now, keyId: ROLE_KEY_ID, key: roleKey })
  plain = await presign({ now })
})
after(() => world.close())

type Change = (url: string) => string
const swap =
  (from: string | RegExp, to: string): Change =>
  (url) =>
    url.replace(from, to)
const add =
  (text: string): Change =>
  (url) =>
    `${url}&${text}`
const set =
  (name: string, value: string): Change =>
  (url) =>
    url.replace(new RegExp(`([?&])${name}=[^&]*`), `$1${name}=${value}`)
const drop =
  (name: string): Change =>
  (url) =>
    url.replace(new RegExp(`([?&])${name}=[^&]*&?`), '$1').replace(/&$/, '')

const rows: readonly (readonly [what: string, change: Change, expected: string])[] = [
  // The URL itself.
  ['plain http', swap('https:', 'http:'), 'malformed'],
  ['scheme in capitals', swap('https:', 'HTTPS:'), 'malformed'],
  ['another scheme', swap('https:', 'file:'), 'malformed'],
  ['no scheme', swap('https:', ''), 'malformed'],
  ['user info before the host', swap('https://', 'https://sts.amazonaws.com@'), 'malformed'],
  ['user and password', swap('https://', 'https://a:b@'), 'malformed'],
  ['a host of somebody else', swap(HOST, 'sts.example.com'), 'issuer'],
  ['a host that ends like ours', swap(HOST, `evil-${HOST}`), 'issuer'],
  ['a host that begins like ours', swap(HOST, `${HOST}.example.com`), 'issuer'],
  ['the host of another service', swap(HOST, 'iam.amazonaws.com'), 'issuer'],
  ['the host of a region that is not listed', swap(HOST, 'sts.us-west-2.amazonaws.com'), 'issuer'],
  ['host in capitals', swap(HOST, HOST.toUpperCase()), 'issuer'],
  ['host with a trailing dot', swap(HOST, `${HOST}.`), 'issuer'],
  ['an address as host', swap(HOST, '169.254.169.254'), 'issuer'],
  ['an IPv6 address as host', swap(HOST, '[::1]'), 'malformed'],
  ['the usual port', swap(HOST, `${HOST}:443`), 'malformed'],
  ['another port', swap(HOST, `${HOST}:8443`), 'malformed'],
  ['an encoded host', swap('sts.', 'st%73.'), 'malformed'],
  ['a full-width dot in the host', swap('sts.', 'sts\u3002'), 'malformed'],
  ['a path', swap('/?', '/latest/meta-data/?'), 'malformed'],
  ['two slashes', swap('/?', '//?'), 'malformed'],
  ['a dot segment', swap('/?', '/./?'), 'malformed'],
  ['no path', swap('/?', '?'), 'malformed'],
  ['a backslash', swap('/?', '\\?'), 'malformed'],
  ['a fragment', (url) => `${url}#x`, 'malformed'],
  ['a fragment before the query', swap('/?', '/#?'), 'malformed'],
  ['a second question mark', swap('/?', '/??'), 'malformed'],
  ['no query', (url) => url.slice(0, url.indexOf('?')), 'malformed'],
  ['an empty query', (url) => url.slice(0, url.indexOf('?') + 1), 'malformed'],
  // Bytes.
  ['a line break after the URL', (url) => `${url}\n`, 'malformed'],
  ['CR LF and a header', (url) => `${url} HTTP/1.1\r\nx-amz-security-token: a\r\n\r\n`, 'malformed'],
  ['CR LF in a value', set('Action', 'GetCallerIdentity\r\nx: y'), 'malformed'],
  ['encoded CR LF in a value', set('Action', 'GetCallerIdentity%0D%0Ax%3A%20y'), 'token-type'],
  ['encoded CR LF in the signed headers', set('X-Amz-SignedHeaders', 'host%3Bx-ostiary-audience%0D%0Ax'), 'audience'],
  ['a NUL', set('Version', '2011-06-15\0'), 'malformed'],
  ['a space', set('Version', '2011-06-15 '), 'malformed'],
  ['a tab before the URL', (url) => `\t${url}`, 'malformed'],
  ['a byte order mark', (url) => `\ufeff${url}`, 'malformed'],
  ['unicode in a value', set('Action', 'GetCallerIdentıty'), 'malformed'],
  ['encoded unicode in a value', set('Action', 'GetCallerIdent%C4%B1ty'), 'token-type'],
  ['UTF-16 that is cut', set('Action', '%ED%A0%80'), 'malformed'],
  ['overlong UTF-8', set('Action', '%C0%AFGetCallerIdentity'), 'malformed'],
  ['more than the limit', add(`X-Amz-Security-Token=${'A'.repeat(MAX_URL)}`), 'too-large'],
  // Parameters: each known one, once, in the one encoding.
  ['Action twice, the second another', add('Action=AssumeRole'), 'claim Action'],
  ['Action twice, the first another', swap('?', '?Action=AssumeRole&'), 'claim Action'],
  ['Action twice, the same', add('Action=GetCallerIdentity'), 'claim Action'],
  ['Action with another, encoded', add('%41ction=AssumeRole'), 'malformed'],
  ['Action in another case', add('action=AssumeRole'), 'malformed'],
  ['Action with a bracket', add('Action[]=AssumeRole'), 'malformed'],
  ['Action with a space', add('Action%20=AssumeRole'), 'malformed'],
  ['a parameter after a semicolon', swap('Action=GetCallerIdentity', 'Action=GetCallerIdentity;Action=AssumeRole'), 'malformed'],
  ['an encoded ampersand', set('Action', 'GetCallerIdentity%26Action%3DAssumeRole'), 'token-type'],
  ['another action', set('Action', 'AssumeRole'), 'token-type'],
  ['an action in another case', set('Action', 'getcalleridentity'), 'token-type'],
  ['no action', drop('Action'), 'claim Action'],
  ['an empty action', set('Action', ''), 'token-type'],
  ['another version', set('Version', '2010-05-08'), 'claim Version'],
  ['no version', drop('Version'), 'claim Version'],
  ['a parameter that is not known', add('RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fadmin'), 'malformed'],
  ['a parameter of S3', add('X-Amz-Content-Sha256=UNSIGNED-PAYLOAD'), 'malformed'],
  ['x-id of other SDKs', add('x-id=GetCallerIdentity'), 'malformed'],
  ['an object’s own name', add('__proto__=x'), 'malformed'],
  ['a name without a value', add('Action'), 'malformed'],
  ['an empty part', swap('&', '&&'), 'malformed'],
  ['an ampersand at the end', (url) => `${url}&`, 'malformed'],
  ['two equals signs', swap('Action=', 'Action=='), 'malformed'],
  ['encoding in lower case', swap('%2F', '%2f'), 'malformed'],
  ['a slash that is not encoded', swap('%2F', '/'), 'malformed'],
  ['a letter that is encoded', set('Action', '%47etCallerIdentity'), 'malformed'],
  ['a plus for a space', set('Version', '2011+06+15'), 'malformed'],
  ['encoded twice', set('X-Amz-SignedHeaders', 'host%253Bx-ostiary-audience'), 'audience'],
  ['half of an encoding', set('Version', '2011-06-15%2'), 'malformed'],
  // What is signed, and how.
  ['another algorithm', set('X-Amz-Algorithm', 'AWS4-ECDSA-P256-SHA256'), 'algorithm'],
  ['an older algorithm', set('X-Amz-Algorithm', 'AWS3-HMAC-SHA256'), 'algorithm'],
  ['no algorithm', drop('X-Amz-Algorithm'), 'claim X-Amz-Algorithm'],
  ['the audience is not signed', set('X-Amz-SignedHeaders', 'host'), 'audience'],
  ['the audience in capitals', set('X-Amz-SignedHeaders', 'host%3BX-Ostiary-Audience'), 'audience'],
  ['the audience of other software', set('X-Amz-SignedHeaders', 'host%3Bx-k8s-aws-id'), 'audience'],
  ['the host is not signed', set('X-Amz-SignedHeaders', 'x-ostiary-audience'), 'claim X-Amz-SignedHeaders'],
  ['one more header signed', set('X-Amz-SignedHeaders', 'host%3Bx-amz-target%3Bx-ostiary-audience'), 'claim X-Amz-SignedHeaders'],
  ['the body’s hash signed', set('X-Amz-SignedHeaders', 'host%3Bx-amz-content-sha256%3Bx-ostiary-audience'), 'claim X-Amz-SignedHeaders'],
  ['headers out of order', set('X-Amz-SignedHeaders', 'x-ostiary-audience%3Bhost'), 'claim X-Amz-SignedHeaders'],
  ['the audience twice', set('X-Amz-SignedHeaders', 'host%3Bx-ostiary-audience%3Bx-ostiary-audience'), 'claim X-Amz-SignedHeaders'],
  ['signed headers twice', add('X-Amz-SignedHeaders=host'), 'claim X-Amz-SignedHeaders'],
  ['no signed headers', drop('X-Amz-SignedHeaders'), 'claim X-Amz-SignedHeaders'],
  ['no signature', drop('X-Amz-Signature'), 'claim X-Amz-Signature'],
  ['an empty signature', set('X-Amz-Signature', ''), 'claim X-Amz-Signature'],
  ['a short signature', set('X-Amz-Signature', 'ab'.repeat(31)), 'claim X-Amz-Signature'],
  ['a signature in capitals', set('X-Amz-Signature', 'AB'.repeat(32)), 'claim X-Amz-Signature'],
  ['two signatures', add(`X-Amz-Signature=${'0'.repeat(64)}`), 'claim X-Amz-Signature'],
  ['two session tokens', add('X-Amz-Security-Token=abc'), 'claim X-Amz-Security-Token'],
  ['an empty session token', set('X-Amz-Security-Token', ''), 'claim X-Amz-Security-Token'],
  ['a session token of other characters', set('X-Amz-Security-Token', 'a%0Ab'), 'claim X-Amz-Security-Token'],
  ['the region of another host', swap('eu-central-1%2Fsts', 'us-east-1%2Fsts'), 'claim X-Amz-Credential'],
  ['a scope of another service', swap('%2Fsts%2F', '%2Fiam%2F'), 'claim X-Amz-Credential'],
  ['a scope of another day', swap('%2F20260101%2F', '%2F20251231%2F'), 'claim X-Amz-Credential'],
  ['a scope with more parts', swap('aws4_request', 'aws4_request%2Fx'), 'claim X-Amz-Credential'],
  ['a scope that ends otherwise', swap('aws4_request', 'aws4_requesT'), 'claim X-Amz-Credential'],
  ['no key id', swap(ROLE_KEY_ID, ''), 'claim X-Amz-Credential'],
  ['a key id with other characters', swap(ROLE_KEY_ID, `${ROLE_KEY_ID}-`), 'claim X-Amz-Credential'],
  ['no credential', drop('X-Amz-Credential'), 'claim X-Amz-Credential'],
  ['two credentials', add('X-Amz-Credential=x'), 'claim X-Amz-Credential'],
  // Time.
  ['no date', drop('X-Amz-Date'), 'claim X-Amz-Date'],
  ['two dates', add('X-Amz-Date=20260101T000000Z'), 'claim X-Amz-Date'],
  ['a day that does not exist', set('X-Amz-Date', '20260230T000000Z'), 'claim X-Amz-Date'],
  ['an hour that does not exist', set('X-Amz-Date', '20260101T240000Z'), 'claim X-Amz-Date'],
  ['a date with dashes', set('X-Amz-Date', '2026-01-01T000000Z'), 'claim X-Amz-Date'],
  ['a date without a zone', set('X-Amz-Date', '20260101T000000'), 'claim X-Amz-Date'],
  ['no life', drop('X-Amz-Expires'), 'claim X-Amz-Expires'],
  ['two lives', add('X-Amz-Expires=1'), 'claim X-Amz-Expires'],
  ['a life of nothing', set('X-Amz-Expires', '0'), 'lifetime'],
  ['a life over the limit', set('X-Amz-Expires', '901'), 'lifetime'],
  ['a life of a week', set('X-Amz-Expires', '604800'), 'lifetime'],
  ['a life below nothing', set('X-Amz-Expires', '-1'), 'claim X-Amz-Expires'],
  ['a life with a point', set('X-Amz-Expires', '60.5'), 'claim X-Amz-Expires'],
  ['a life in powers', set('X-Amz-Expires', '1e2'), 'claim X-Amz-Expires'],
  ['a life with zeros before it', set('X-Amz-Expires', '060'), 'claim X-Amz-Expires'],
]

describe('presigned requests', () => {
  for (const [what, change, expected] of rows) {
    test(`${what}: ${expected}`, async () => {
      const changed = change(good)
      assert.notEqual(changed, good, 'the row changes something')
      assert.equal(await said(gateway, bearer(changed)), expected)
    })
  }

  test('the token around the URL has one form', async () => {
    const token = bearer(good)
    const encoded = token.slice('ostiary-aws-v1.'.length)
    assert.equal(await said(gateway, `ostiary-aws-v1.${encoded}=`), 'malformed')
    assert.equal(await said(gateway, `ostiary-aws-v1.${encoded}.`), 'malformed')
    assert.equal(await said(gateway, `ostiary-aws-v1. ${encoded}`), 'malformed')
    assert.equal(await said(gateway, `ostiary-aws-v1.${Buffer.from('https://a/?>>>???').toString('base64')}`), 'malformed')
    assert.equal(await said(gateway, 'ostiary-aws-v1.'), 'malformed')
    assert.equal(await said(gateway, 'ostiary-aws-v1'), 'malformed')
    assert.equal(await said(gateway, `ostiary-aws-v2.${encoded}`), 'malformed')
    assert.equal(await said(gateway, `k8s-aws-v1.${encoded}`), 'malformed')
    assert.equal(await said(gateway, `Ostiary-AWS-v1.${encoded}`), 'malformed')
  })

  test('times are held to the second, with skew only for what lies ahead', () => {
    const endpoints = new Map([[HOST, endpointOf('eu-central-1')]])
    const signed = world.deps.clock.now()
    const read = (now: number, url = good): unknown => refused(() => readPresigned(bearer(url), { endpoints, maxAge: 900_000, now }))
    const rejected = (reason: string): unknown => ({ outcome: 'rejected', reason })
    assert.deepEqual(read(signed - 30_001), rejected('issued-in-future'))
    assert.ok('query' in (read(signed - 30_000) as object))
    assert.ok('query' in (read(signed + 899_999) as object))
    assert.deepEqual(read(signed + 900_000), rejected('expired'))
  })

  test('nothing of these was ever sent to STS', () => {
    assert.deepEqual(world.sts.requests, [])
  })

  test('the order of parameters is the caller’s; what is sent is in ours', async () => {
    const [head = '', search = ''] = good.split('?')
    const parts = search.split('&')
    for (const order of [parts.toReversed(), parts.toSorted()])
      assert.equal(await said(gateway, bearer(`${head}?${order.join('&')}`)), 'verified')
    assert.equal(new Set(world.sts.requests.map(({ url }) => url)).size, 1)
    assert.equal(await said(gateway, bearer(plain)), 'verified')
    world.sts.requests.length = 0
  })

  test('any text after the prefix is refused, and sent nowhere', async () => {
    const text = fc.oneof(
      fc.string({ unit: character, maxLength: 100 }).map((any) => `ostiary-aws-v1.${any}`),
      fc.uint8Array({ maxLength: 300 }).map((any) => bearer(Buffer.from(any).toString('latin1'))),
      fc.webUrl({ withQueryParameters: true, withFragments: true }).map(bearer),
      fc
        .array(fc.tuple(fc.constantFrom('Action', 'X-Amz-Date', 'X-Amz-Expires', 'x'), fc.string()))
        .map((all) =>
          bearer(`https://${HOST}/?${all.map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`).join('&')}`),
        ),
    )
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        assert.match(await said(gateway, token), /^(malformed|issuer|too-large|claim [A-Za-z-]+)$/)
      }),
      { numRuns: 300 },
    )
    assert.deepEqual(world.sts.requests, [])
  })

  test('no change of one byte is sent on as another request than was signed', () => {
    const endpoints = new Map(['eu-central-1', 'global'].map((region) => endpointOf(region)).map((one) => [one.host, one]))
    const limits = { endpoints, maxAge: 900_000, now: world.deps.clock.now() }
    const values = (query: string): object => Object.fromEntries(new URLSearchParams(query))
    const before = values(good.slice(good.indexOf('?') + 1))
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const changed = good.slice(0, at) + String.fromCharCode(byte) + good.slice(at + 1)
        const read = refused(() => readPresigned(bearer(changed), limits))
        if ('outcome' in read) return
        // What passes can differ only where the signature decides: its own digits, the key, the session token, and the life and time.
        const differing = Object.entries(values(read.query)).filter(([name, value]) => (before as Record<string, string>)[name] !== value)
        const allowed = ['X-Amz-Signature', 'X-Amz-Credential', 'X-Amz-Security-Token', 'X-Amz-Date', 'X-Amz-Expires']
        for (const [name] of differing) assert.ok(allowed.includes(name), name)
        assert.equal(read.endpoint.host, HOST)
      }),
      { numRuns: 500 },
    )
  })

  test('encoding is RFC 3986 in capitals', () => {
    assert.equal(encode("a/b+c=d ~_-.!'()*é"), 'a%2Fb%2Bc%3Dd%20~_-.%21%27%28%29%2A%C3%A9')
  })
})
