/** Access tokens of any OpenID Connect provider: RFC 9068, RFC 8725 and chains of RFC 8693. */
import assert from 'node:assert/strict'
import { rfc9068Claims, TENANT, type Json } from '../../../src/testing/tokens.ts'
import { hmacToken, signToken, unsignedToken, type JsonObject, type Keys, type Kit, type TokenRow } from './row.ts'

const AUDIENCE = 'api://orders'
const claims = ({ origin, now }: Kit, more: JsonObject = {}): JsonObject => rfc9068Claims(origin, AUDIENCE, now, more)

interface Change {
  readonly more?: JsonObject | ((kit: Kit) => JsonObject)
  readonly without?: readonly string[]
  readonly header?: JsonObject
  readonly key?: keyof Keys
}

function row(attack: number, name: string, expect: TokenRow['expect'], change: Change = {}, holds?: TokenRow['holds']): TokenRow {
  const { more = {}, without = [], header = {}, key = 'rsa' } = change
  return {
    attack,
    name,
    to: 'oidc',
    expect,
    token(kit) {
      const payload = claims(kit, typeof more === 'function' ? more(kit) : more)
      const kept = Object.fromEntries(Object.entries(payload).filter(([claim]) => !without.includes(claim)))
      return signToken(kit.keys[key], kept, { typ: 'at+jwt', ...header })
    },
    ...(holds === undefined ? {} : { holds }),
  }
}

const algorithms: readonly TokenRow[] = [
  row(0, 'RS256', 'verified', {}, ({ subject, kind, scopes, appOnly, evidence }) => {
    assert.deepEqual(
      { subject, kind, scopes, appOnly },
      { subject: 'reader-1', kind: 'human', scopes: ['openid', 'orders.read'], appOnly: false },
    )
    assert.equal(evidence.client, 'orders-web')
    assert.equal(evidence.audience, AUDIENCE)
  }),
  row(0, 'PS256', 'verified', { key: 'pss' }),
  row(0, 'ES256', 'verified', { key: 'ec' }),
  row(0, 'EdDSA', 'verified', { key: 'ed' }),
  ...(['pss', 'ec', 'ed'] as const).map((key) =>
    row(72, `RS256 named, key ${key}`, ['algorithm', 'signature'], { key, header: { alg: 'RS256' } }),
  ),
  row(72, 'ES256 named, RSA key', ['algorithm', 'signature'], { header: { alg: 'ES256' } }),
  row(72, 'RS512 is not on the list', ['algorithm'], { key: 'plain', header: { alg: 'RS512' } }),
  row(72, 'ES384 is not on the list', ['algorithm'], { key: 'ec', header: { alg: 'ES384' } }),
  { ...row(71, 'alg none', ['unsigned']), token: (kit) => unsignedToken(claims(kit)) },
  {
    ...row(72, 'HS256 keyed with the point of an EC key', ['algorithm']),
    token: (kit) => hmacToken(kit.keys.ec.jwk['x'] as string, claims(kit), { typ: 'at+jwt', kid: 'ec-1' }),
  },
  {
    ...row(76, 'ES256 signature of zeros', ['signature']),
    token: (kit) => {
      const token = signToken(kit.keys.ec, claims(kit), { typ: 'at+jwt' })
      return `${token.slice(0, token.lastIndexOf('.'))}.${Buffer.alloc(64).toString('base64url')}`
    },
  },
  {
    ...row(76, 'ES256 signature in DER', ['signature']),
    token: (kit) => {
      const token = signToken(kit.keys.ec, claims(kit), { typ: 'at+jwt' })
      const cut = token.lastIndexOf('.')
      const raw = Buffer.from(token.slice(cut + 1), 'base64url')
      const integer = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([2, 33, 0]), bytes])
      const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
      return `${token.slice(0, cut)}.${Buffer.concat([Buffer.from([48, body.length]), body]).toString('base64url')}`
    },
  },
]

const types: readonly TokenRow[] = [
  row(89, 'typ application/at+jwt', 'verified', { header: { typ: 'application/at+jwt' } }),
  row(89, 'typ AT+JWT', 'verified', { header: { typ: 'AT+JWT' } }),
  ...['JWT', 'at+jwt ', 'xat+jwt', 'logout+jwt', 'dpop+jwt', 'secevent+jwt', '', 'application/application/at+jwt'].map((typ) =>
    row(89, `typ ${JSON.stringify(typ)}`, ['token-type', 'id-token'], { header: { typ } }),
  ),
  row(89, 'an ID token', ['id-token', 'audience'], {
    header: { typ: 'JWT' },
    more: { aud: 'orders-web', nonce: 'n', azp: 'orders-web' },
    without: ['client_id', 'scope'],
  }),
  row(89, 'an ID token for the API', ['id-token', 'token-type'], {
    header: { typ: 'JWT' },
    more: { nonce: 'n' },
    without: ['client_id', 'scope'],
  }),
  row(89, 'an ID token under the type of an access token', ['id-token'], { more: { nonce: 'n' }, without: ['client_id', 'scope'] }),
  row(89, 'a logout token', ['token-type', 'id-token'], {
    header: { typ: 'logout+jwt' },
    more: { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
  }),
  row(89, 'bound to a key that is not proven', ['token-type'], { more: { cnf: { 'x5t#S256': 'x' } } }),
]

const names: readonly TokenRow[] = [
  ...(
    [
      ['with a slash after it', (o) => `${o}/`],
      ['in capitals', (o) => o.toUpperCase()],
      ['with more after it', (o) => `${o}.evil.example`],
      ['of Entra', (o) => `${o}/${TENANT}/v2.0/x`],
      ['empty', () => ''],
    ] as const satisfies readonly (readonly [string, (origin: string) => string])[]
  ).map(([name, iss]) => row(88, `iss ${name}`, ['issuer'], { more: ({ origin }) => ({ iss: iss(origin) }) })),
  row(88, 'no iss', ['issuer'], { without: ['iss'] }),
  row(87, 'aud in a list', 'verified', { more: { aud: ['x', AUDIENCE] } }, ({ evidence }) => assert.equal(evidence.audience, AUDIENCE)),
  ...[[], ['x'], ['x', `${AUDIENCE}-evil`], [AUDIENCE, 1], [AUDIENCE, null], [[AUDIENCE]], '', `${AUDIENCE}/`, 'api', '*', null, 1, {}].map(
    (aud) => row(87, `aud ${JSON.stringify(aud)}`, ['audience'], { more: { aud: aud as Json } }),
  ),
  row(87, 'no aud', ['audience'], { without: ['aud'] }),
  row(0, 'no sub', ['claim'], { without: ['sub'] }),
  ...['', 'x'.repeat(256), 1, null, ['reader-1']].map((sub) =>
    row(0, `sub ${JSON.stringify(sub).slice(0, 20)}`, ['claim'], { more: { sub } }),
  ),
  row(0, 'no client', ['claim'], { without: ['client_id'] }),
  row(0, 'two clients', ['claim'], { more: { azp: 'another' } }),
  ...[1, null, { a: 1 }, ['a', 1]].map((scope) => row(0, `scope ${JSON.stringify(scope)}`, ['claim'], { more: { scope: scope as Json } })),
  row(0, 'a delegated token without scope has none', 'verified', { without: ['scope'] }, ({ scopes }) => assert.deepEqual(scopes, [])),
  row(99, 'a client for itself', 'verified', { more: { sub: 'orders-web' } }, ({ kind, appOnly, listedClient }) =>
    assert.deepEqual({ kind, appOnly, listedClient }, { kind: 'workload', appOnly: true, listedClient: false }),
  ),
  row(99, 'a listed client for itself', 'verified', { more: { sub: 'nightly', client_id: 'nightly' } }, ({ appOnly, listedClient }) =>
    assert.deepEqual({ appOnly, listedClient }, { appOnly: true, listedClient: true }),
  ),
]

const chain = (length: number): JsonObject =>
  Array.from({ length }, (_, i) => `actor-${i}`).reduceRight<JsonObject>((act, sub) => ({ act: { sub, ...act } }), {})

const chains: readonly TokenRow[] = [
  row(0, 'one acts for another', 'verified', { more: chain(1) }, ({ actor }) => {
    assert.equal(actor?.subject, 'actor-0')
    assert.equal(actor?.actor, undefined)
  }),
  row(0, 'four parties', 'verified', { more: chain(3) }, ({ actor }) => assert.equal(actor?.actor?.actor?.subject, 'actor-2')),
  row(0, 'five parties', ['too-many-parties'], { more: chain(4) }),
  row(0, 'a dozen parties', ['too-many-parties'], { more: chain(12) }),
  row(0, 'four parties and a listed agent in front', ['too-many-parties'], { more: { ...chain(3), client_id: 'helper-agent' } }),
  ...[
    null,
    'actor',
    [],
    {},
    { sub: '' },
    { sub: 1 },
    { sub: null },
    { client_id: 'x' },
    { sub: 'a', act: null },
    { sub: 'a', act: [] },
  ].map((act) => row(0, `act ${JSON.stringify(act)}`, ['claim'], { more: { act: act as Json } })),
  row(0, 'an actor of another issuer', ['claim'], { more: { act: { sub: 'x', iss: 'https://elsewhere.example' } } }),
  row(0, 'a listed agent shown by `client_id` alone', 'verified', { more: { client_id: 'helper-agent' } }, ({ kind, actor }) =>
    assert.deepEqual([kind, actor?.kind, actor?.subject], ['human-via-agent', 'agent', 'helper-agent']),
  ),
  row(0, 'a listed agent shown by `azp` alone', 'verified', { more: { azp: 'helper-agent' }, without: ['client_id'] }, ({ kind, actor }) =>
    assert.deepEqual([kind, actor?.subject], ['human-via-agent', 'helper-agent']),
  ),
  row(
    0,
    'a listed agent in `act` is one party, not two',
    'verified',
    { more: { client_id: 'helper-agent', act: { sub: 'helper-agent' } } },
    ({ actor }) => {
      assert.equal(actor?.kind, 'agent')
      assert.equal(actor?.actor, undefined)
    },
  ),
  row(0, 'a listed agent for itself', 'verified', { more: { sub: 'helper-agent', client_id: 'helper-agent' } }, ({ kind, appOnly }) =>
    assert.deepEqual([kind, appOnly], ['agent', true]),
  ),
]

export const oidcRows: readonly TokenRow[] = [...algorithms, ...types, ...names, ...chains]
