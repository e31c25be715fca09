import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import {
  API,
  base64url,
  CLIENT,
  entraClaims,
  hmacToken,
  OTHER_TENANT,
  SERVICE_PRINCIPAL,
  signToken,
  TENANT,
  times,
  unsignedToken,
  USER,
} from '../../testing/tokens.ts'
import { ask, identified, issuerConfig, said, testDeps, testIdentity, without } from '../testing.ts'
import { bound, ec, foreign, key, openEntraWorld, stranger, type EntraWorld } from './testing.ts'

let world: EntraWorld
let { deps, identities, now, authority, v1, user } = {} as EntraWorld

before(async () => {
  world = await openEntraWorld()
  ;({ deps, identities, now, authority, v1, user } = world)
})
after(() => world.close())

const cases: readonly (readonly [string, () => string, string])[] = [
  ['an ID token', () => signToken(key, entraClaims.idToken(authority, now)), 'id-token'],
  ['an ID token whose audience is ours', () => signToken(key, entraClaims.idToken(authority, now, { aud: API })), 'id-token'],
  ['an ID token without nonce', () => signToken(key, without(entraClaims.idToken(authority, now, { aud: API }), 'nonce')), 'id-token'],
  [
    'an ID token with roles and a client',
    () => signToken(key, without(entraClaims.idToken(authority, now, { aud: API, azp: API, roles: ['Orders.Read'] }), 'nonce')),
    'id-token',
  ],
  ['an ID token with a hash', () => signToken(key, user({ at_hash: 'x' })), 'id-token'],
  [
    'a token for Microsoft Graph',
    () => signToken(key, user({ aud: '00000003-0000-0000-c000-000000000000' }), { nonce: 'abc' }),
    'graph-token',
  ],
  ['a nonce in the header', () => signToken(key, user(), { nonce: 'abc' }), 'graph-token'],
  ['the audience of Graph', () => signToken(key, entraClaims.v1User(v1, now, { aud: 'https://graph.microsoft.com' })), 'graph-token'],
  ['another tenant', () => signToken(key, user({ iss: `${authority}/${OTHER_TENANT}/v2.0`, tid: OTHER_TENANT })), 'tenant'],
  [
    'another tenant, v1',
    () => signToken(key, entraClaims.v1User(`${authority}/sts/${OTHER_TENANT}/`, now, { tid: OTHER_TENANT })),
    'tenant',
  ],
  ['the tid of another tenant', () => signToken(key, user({ tid: OTHER_TENANT })), 'tenant'],
  ['no tid', () => signToken(key, without(user(), 'tid')), 'claim tid'],
  ['a tid that is a domain', () => signToken(key, user({ tid: 'example.com' })), 'claim tid'],
  ['a tid that is a list', () => signToken(key, user({ tid: [TENANT] })), 'claim tid'],
  ['tid in two spellings', () => signToken(key, user({ TID: OTHER_TENANT })), 'claim tid'],
  ['no oid', () => signToken(key, without(user(), 'oid')), 'claim oid'],
  ['an oid that is an address', () => signToken(key, user({ oid: 'admin@example.com' })), 'claim oid'],
  ['oid in two spellings', () => signToken(key, user({ Oid: SERVICE_PRINCIPAL })), 'claim oid'],
  ['a key of another tenant', () => signToken(bound, user()), 'key-issuer'],
  ['a key of another cloud', () => signToken(foreign, user()), 'cloud'],
  ['another key under a known id', () => signToken(stranger, user()), 'signature'],
  ['an unknown key id', () => signToken(key, user(), { kid: 'nobody' }), 'unknown-key'],
  ['an elliptic curve', () => signToken(ec, user()), 'algorithm'],
  ['no signature', () => unsignedToken(user()), 'unsigned'],
  ['a MAC keyed with the public key', () => hmacToken(JSON.stringify(key.jwk), user(), { kid: 'rsa-1' }), 'algorithm'],
  ['another issuer', () => signToken(key, user({ iss: 'https://issuer.example' })), 'issuer'],
  ['the issuer with a slash', () => signToken(key, user({ iss: `${authority}/${TENANT}/v2.0/` })), 'issuer'],
  ['the issuer in capitals', () => signToken(key, user({ iss: `${authority}/${TENANT.toUpperCase()}/v2.0` })), 'issuer'],
  ['the issuer of common', () => signToken(key, user({ iss: `${authority}/common/v2.0` })), 'issuer'],
  ['the template as issuer', () => signToken(key, user({ iss: `${authority}/{tenantid}/v2.0` })), 'issuer'],
  ['the v1 issuer without slash', () => signToken(key, entraClaims.v1User(v1.slice(0, -1), now)), 'issuer'],
  ['the issuer of the public cloud', () => signToken(key, entraClaims.v1User(`https://sts.windows.net/${TENANT}/`, now)), 'issuer'],
  ['no issuer', () => signToken(key, without(user(), 'iss')), 'issuer'],
  ['an issuer that is a list', () => signToken(key, user({ iss: [`${authority}/${TENANT}/v2.0`] })), 'issuer'],
  ['v1 claims under the v2 issuer', () => signToken(key, user({ ver: '1.0' })), 'claim ver'],
  ['v2 claims under the v1 issuer', () => signToken(key, entraClaims.v1User(v1, now, { ver: '2.0' })), 'claim ver'],
  ['no version', () => signToken(key, without(user(), 'ver')), 'claim ver'],
  ['a version that is a number', () => signToken(key, user({ ver: 2 })), 'claim ver'],
  ['another audience', () => signToken(key, user({ aud: CLIENT })), 'audience'],
  ['an audience with ours in front', () => signToken(key, user({ aud: `${API}0` })), 'audience'],
  ['our audience in capitals', () => signToken(key, user({ aud: API.toUpperCase() })), 'audience'],
  ['a list of audiences', () => signToken(key, user({ aud: [API] })), 'audience'],
  ['no audience', () => signToken(key, without(user(), 'aud')), 'audience'],
  ['the App ID URI in a v2 token', () => signToken(key, user({ aud: `api://${API}` })), 'audience'],
  ['a listed name in a v2 token', () => signToken(key, user({ aud: 'api://named' })), 'audience'],
  ['an unlisted name in a v1 token', () => signToken(key, entraClaims.v1User(v1, now, { aud: 'api://other' })), 'audience'],
  ['another scheme in a v1 token', () => signToken(key, entraClaims.v1User(v1, now, { aud: `https://${API}` })), 'audience'],
  ['scopes that are a list', () => signToken(key, user({ scp: ['access_as_user'] })), 'claim scp'],
  ['an app with scopes', () => signToken(key, entraClaims.v2App(authority, now, { scp: 'access_as_user' })), 'claim idtyp'],
  ['a device', () => signToken(key, user({ idtyp: 'device' })), 'token-type'],
  ['an unknown idtyp', () => signToken(key, user({ idtyp: 'App' })), 'claim idtyp'],
  ['two clients', () => signToken(key, user({ appid: USER })), 'claim azp'],
  ['a client that is a number', () => signToken(key, user({ azp: 1 })), 'claim azp'],
  ['scopes and no client', () => signToken(key, without(user(), 'azp')), 'claim azp'],
  ['facets that are words', () => signToken(key, user({ xms_act_fct: '11 agent' })), 'claim xms_act_fct'],
  ['facets that are a number', () => signToken(key, user({ xms_act_fct: 11 })), 'claim xms_act_fct'],
  ['facets with a sign', () => signToken(key, user({ xms_sub_fct: '-11' })), 'claim xms_sub_fct'],
  ['facets in hexadecimal', () => signToken(key, user({ xms_sub_fct: '0xb' })), 'claim xms_sub_fct'],
  ['a resource id that is a list', () => signToken(key, entraClaims.v1ManagedIdentity(v1, now, { xms_mirid: [] })), 'claim xms_mirid'],
  ['a bound token', () => signToken(key, user({ cnf: { jkt: 'x' } })), 'token-type'],
  ['typ pop', () => signToken(key, user(), { typ: 'pop' }), 'token-type'],
  ['no typ', () => signToken(key, user(), { typ: '' }), 'token-type'],
  ['an hour ago', () => signToken(key, user(times(now - 7_200_000))), 'expired'],
  ['an hour ahead', () => signToken(key, user(times(now + 3_600_000))), 'issued-in-future'],
  ['not yet', () => signToken(key, user({ nbf: now / 1000 + 60 })), 'not-yet-valid'],
  ['a life of a week', () => signToken(key, user(times(now, 7 * 86_400))), 'lifetime'],
  ['an end that is text', () => signToken(key, user({ exp: '99999999999' })), 'claim exp'],
  ['a claim twice', () => signToken(key, `${JSON.stringify(user()).slice(0, -1)},"oid":"${SERVICE_PRINCIPAL}"}`), 'malformed'],
  ['no token', () => '', 'malformed'],
  ['an opaque token', () => base64url('opaque'), 'malformed'],
]

for (const [name, make, reason] of cases)
  test(`a token with ${name} is refused: ${reason}`, async () => {
    const token = make()
    assert.equal(await said(identities, token), reason)
    assert.equal(await said(identities, token), reason, 'the second time as well')
  })

test('a v1 token names the API by client id, by its default URI, or by a listed name', async () => {
  for (const aud of [API, `api://${API}`, 'api://named'])
    assert.equal(await said(identities, signToken(key, entraClaims.v1User(v1, now, { aud }))), 'verified', aud)
})

test('claims of a wrong type are unknown and never made to fit', async () => {
  const identity = await identified(
    identities,
    signToken(key, user({ roles: 'Orders.Read', department: 7, name: ['x'], acrs: 'c1', wids: {} })),
  )
  for (const name of ['roles', 'department', 'name', 'acrs', 'wids']) {
    assert.ok(identity.unknownClaims.has(name), name)
    assert.equal(identity.claims[name], undefined, name)
  }
})

test('an address or a name never becomes the key of anybody', async () => {
  const spoof = { email: 'admin@example.com', upn: 'admin@example.com', preferred_username: 'admin@example.com' }
  assert.equal((await identified(identities, signToken(key, user(spoof)))).subject, `${TENANT}/${USER}`)
})

test('no change of one character of a good token is ever accepted', async () => {
  const good = signToken(key, user())
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.constantFrom('A', 'a', '0', '-', '_', '.'), async (at, character) => {
      if (good[at] === character) return
      assert.notEqual(await said(identities, good.slice(0, at) + character + good.slice(at + 1)), 'verified')
    }),
    { numRuns: 200 },
  )
})

test('whatever the claims are, a token ends in an answer, and only right ones are verified', async () => {
  const name = fc.constantFrom(
    'iss',
    'aud',
    'tid',
    'oid',
    'ver',
    'azp',
    'scp',
    'idtyp',
    'exp',
    'iat',
    'xms_act_fct',
    '_claim_names',
    'roles',
    'acct',
  )
  await fc.assert(
    fc.asyncProperty(name, fc.jsonValue({ maxDepth: 1 }), async (claim, value) => {
      const result = await ask(identities, signToken(key, user({ [claim]: value as never })))
      if (result.outcome !== 'verified') return assert.equal(result.outcome, 'rejected')
      assert.equal(result.verified.identity.subject, `${TENANT}/${USER}`)
      assert.ok(result.verified.expiresAt > now)
    }),
    { numRuns: 150 },
  )
})

test('the ID token of a sign-in proves who signed in, for that sign-in only', async () => {
  const [issuer] = identities.issuers
  const good = signToken(key, entraClaims.idToken(authority, now, { roles: ['Orders.Read'] }))
  const judge = async (token: string, clientId = CLIENT, nonce = 'n-0S6_WzA2Mj'): Promise<unknown> => {
    const result = await issuer!.verifyIdToken(token, { clientId, nonce })
    return result.outcome === 'rejected' ? [result.reason, result.claim] : result.outcome === 'identity' ? result.identity : result
  }
  const identity = (await judge(good)) as { subject: string; kind: string; scopes: unknown; claims: Record<string, unknown> }
  assert.equal(identity.subject, `${TENANT}/${USER}`)
  assert.equal(identity.kind, 'human')
  assert.equal(identity.scopes, undefined)
  assert.deepEqual(identity.claims['roles'], ['Orders.Read'])
  assert.deepEqual(await judge(good, API), ['audience', undefined])
  assert.deepEqual(await judge(good, CLIENT, 'another'), ['claim', 'nonce'])
  assert.deepEqual(await judge(good, CLIENT, ''), ['claim', 'nonce'])
  assert.deepEqual(await judge(signToken(key, user({ aud: CLIENT, nonce: 'n-0S6_WzA2Mj' }))), ['token-type', undefined])
  assert.deepEqual(await judge(signToken(key, entraClaims.idToken(authority, now, { aud: [CLIENT] }))), ['audience', undefined])
  assert.deepEqual(await judge(signToken(key, entraClaims.idToken(authority, now, { azp: API }))), ['client', undefined])
  assert.deepEqual(await judge(signToken(stranger, entraClaims.idToken(authority, now))), ['signature', undefined])
  assert.deepEqual(await judge(signToken(key, entraClaims.idToken(authority, now, times(now - 9_000_000)))), ['expired', undefined])
  assert.deepEqual(await judge('x'), ['malformed', undefined])
})

test('the issuer of the public cloud is known without its metadata', async () => {
  const offline = testDeps({ fetch: () => Promise.reject(new Error('offline')) })
  const identity = testIdentity({ entra: { kind: 'entra', tenants: [TENANT], audiences: [API] } }, offline)
  try {
    const [issuer] = identity.issuers
    assert.ok(issuer!.owns(`https://login.microsoftonline.com/${TENANT}/v2.0`))
    assert.ok(issuer!.owns(`https://sts.windows.net/${TENANT}/`))
    assert.ok(!issuer!.owns(`https://sts.windows.net/${TENANT}`))
    assert.ok(!issuer!.owns(`https://sts.windows.net/${OTHER_TENANT}/`))
    assert.ok(issuer!.resembles(`https://sts.windows.net/${OTHER_TENANT}/`))
    assert.ok(!issuer!.resembles('https://accounts.example'))
    assert.equal(issuer!.discoveryUrl, `https://login.microsoftonline.com/${TENANT}/v2.0/.well-known/openid-configuration`)
    const claims = entraClaims.v2User('https://login.microsoftonline.com', now)
    assert.equal(await said(identity, signToken(key, claims)), 'unavailable keys')
    assert.deepEqual(identity.status()['entra'], { ready: false, detail: 'no keys of 1 of 1 tenants' })
  } finally {
    await identity.close()
    offline.remove()
  }
})

test('two issuers of one authority each judge their own tenant', async () => {
  const base = { kind: 'entra', authority, audiences: [API] }
  const both = testIdentity({ home: { ...base, tenants: [TENANT] }, partner: { ...base, tenants: [OTHER_TENANT] } }, deps)
  try {
    assert.equal((await identified(both, signToken(key, user()))).issuer, 'home')
    const partner = user({ iss: `${authority}/${OTHER_TENANT}/v2.0`, tid: OTHER_TENANT })
    assert.equal((await identified(both, signToken(key, partner))).issuer, 'partner')
  } finally {
    await both.close()
  }
})

test('tenants are ids, never domains or common, and there is at least one', () => {
  const config = (tenants: readonly string[]) => issuerConfig({ kind: 'entra', tenants, audiences: [API] })
  for (const tenants of [[], ['common'], ['organizations'], ['example.com'], ['*'], ['']]) assert.throws(() => config(tenants))
  assert.deepEqual((config([TENANT.toUpperCase()]) as unknown as { tenants: string[] }).tenants, [TENANT])
})

test('the command line asks for a token for the gateway', () => {
  const { signIn } = identities.issuers[0]!
  assert.equal(signIn?.clientId, CLIENT)
  assert.equal(signIn.auth.kind, 'none')
  assert.deepEqual(signIn.scopes, ['openid', 'profile'])
  assert.deepEqual(signIn.cliScopes, [`${API}/.default`])
})
