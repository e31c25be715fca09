/** Presets of providers, each with the tokens that its documentation prints: their members, with names and times made neutral. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { signToken, testKey, type JsonObject } from '../../testing/tokens.ts'
import type { Identities } from '../index.ts'
import { identified, issuerConfig, said, testDeps, testIdentity, without, type TestDeps } from '../testing.ts'
import type { ProviderName } from './providers.ts'

const key = testKey('k', 'RS256')
/** As these providers write it: Okta and Cognito without `typ`. */
const bare = '{"kid":"k","alg":"RS256"}'

let deps: TestDeps
let open: Identities[]

beforeEach(() => {
  deps = testDeps()
  open = []
})
afterEach(async () => {
  for (const identities of open) await identities.close()
  deps.remove()
})

/** The provider at its own URL: discovery and keys, answered without a network. */
function provider(name: ProviderName, issuer: string, audience: string, more: Record<string, unknown> = {}): Identities {
  const base = issuer.replace(/\/$/, '')
  const answers = new Map<string, JsonObject>([
    [`${base}/.well-known/openid-configuration`, { issuer, jwks_uri: `${base}/keys` }],
    [`${base}/keys`, { keys: [key.jwk] }],
  ])
  const fetch = (url: string): Promise<Response> =>
    Promise.resolve(answers.has(url) ? Response.json(answers.get(url)) : new Response('', { status: 404 }))
  const config = { kind: 'oidc', provider: name, issuer, audiences: [audience], ...more }
  const made = testIdentity({ [name]: config }, { ...deps, fetch: fetch as typeof globalThis.fetch })
  open.push(made)
  return made
}

const now = (): number => deps.clock.now() / 1000

/** Whom a session of a sign-in with this ID token would be of. */
async function signedIn(identities: Identities, token: string, clientId: string): Promise<string> {
  const result = await identities.issuers[0]!.verifyIdToken(token, { clientId, nonce: 'n-0S6_WzA2Mj' })
  return result.outcome === 'identity' ? `${result.identity.subject} ${result.identity.display}` : JSON.stringify(result)
}

describe('okta', () => {
  const ISSUER = 'https://example.okta.com/oauth2/default'
  const user = (more: JsonObject = {}): JsonObject => ({
    ver: 1,
    jti: 'AT.xtjhr8FeMkyMfgLiFzVYOYPbgqWdd6ONULT3ffeK7d4',
    iss: ISSUER,
    aud: 'api://default',
    iat: now(),
    exp: now() + 3600,
    cid: '0oaosna3ilNxgPTmk0h7',
    uid: '00uixa271s6x7qt8I0h7',
    scp: ['openid', 'orders.read'],
    sub: 'reader@example.com',
    groups: ['Everyone', 'readers'],
    ...more,
  })
  const client = (more: JsonObject = {}): JsonObject => without(user({ sub: '0oaosna3ilNxgPTmk0h7', ...more }), 'uid', 'groups')
  const idToken = (): JsonObject => ({
    ver: 1,
    sub: '00uixa271s6x7qt8I0h7',
    iss: ISSUER,
    aud: '0oaosna3ilNxgPTmk0h7',
    iat: now(),
    exp: now() + 3600,
    jti: 'ID.radCQMOQUmyvcTBmmIL0J6BaS60apUEiC7-vI7pOmkw',
    amr: ['mfa', 'pwd'],
    idp: '00oixa26ycdNcX0VT0h7',
    nonce: 'n-0S6_WzA2Mj',
    preferred_username: 'reader@example.com',
    at_hash: 'fPlsvVszI29LU2UhDyJ9vg',
  })
  const okta = (more: Record<string, unknown> = {}): Identities => provider('okta', ISSUER, 'api://default', more)
  const sign = (payload: JsonObject): string => signToken(key, payload, bare)

  test('a person is who `uid` says; the login is for people to read', async () => {
    const identity = await identified(okta(), sign(user()))
    assert.deepEqual([identity.subject, identity.kind, identity.display], ['00uixa271s6x7qt8I0h7', 'human', 'reader@example.com'])
    assert.deepEqual(identity.scopes, ['openid', 'orders.read'])
    assert.deepEqual([identity.claims['sub'], identity.claims['client_id']], ['00uixa271s6x7qt8I0h7', '0oaosna3ilNxgPTmk0h7'])
    assert.deepEqual(identity.claims['groups'], ['Everyone', 'readers'])
    assert.equal(identity.evidence.client, '0oaosna3ilNxgPTmk0h7')
  })
  test('who signs in is the same as in an access token', async () => {
    assert.equal(await signedIn(okta(), sign(idToken()), '0oaosna3ilNxgPTmk0h7'), '00uixa271s6x7qt8I0h7 reader@example.com')
  })
  test('a client that calls for itself is a workload', async () => {
    const identity = await identified(okta({ clients: ['0oaosna3ilNxgPTmk0h7'] }), sign(client()))
    assert.deepEqual([identity.subject, identity.kind, identity.appOnly], ['0oaosna3ilNxgPTmk0h7', 'workload', true])
    assert.equal(identity.listedClient, true)
  })
  test('what is not an access token of this server is refused', async () => {
    const identities = okta()
    assert.equal(await said(identities, sign(idToken())), 'id-token')
    assert.equal(await said(identities, sign(without(user(), 'uid'))), 'claim uid', 'a login alone is no key')
    assert.equal(await said(identities, sign(user({ uid: '' }))), 'claim uid')
    assert.equal(await said(identities, sign(without(user(), 'cid'))), 'claim cid')
    assert.equal(await said(identities, sign(user({ aud: 'https://example.okta.com' }))), 'audience')
    assert.equal(await said(identities, sign(user({ iss: 'https://example.okta.com' }))), 'issuer')
  })
})

describe('auth0', () => {
  const ISSUER = 'https://example.eu.auth0.com/'
  const API = 'https://orders.example/api'
  const user = (more: JsonObject = {}): JsonObject => ({
    iss: ISSUER,
    sub: 'auth0|123456',
    aud: [API, `${ISSUER}userinfo`],
    azp: 'my_client_id',
    exp: now() + 1000,
    iat: now(),
    scope: 'openid profile orders.read',
    permissions: ['orders.read'],
    ...more,
  })
  const machine = (more: JsonObject = {}): JsonObject => ({
    iss: ISSUER,
    sub: 'awZfdIir8YFdGZWkvCejDoUb7SjTDicx@clients',
    aud: API,
    iat: now(),
    exp: now() + 86_400,
    azp: 'awZfdIir8YFdGZWkvCejDoUb7SjTDicx',
    gty: 'client-credentials',
    ...more,
  })
  const auth0 = (more: Record<string, unknown> = {}): Identities => provider('auth0', ISSUER, API, more)
  const rfc = (payload: JsonObject): JsonObject => ({
    ...without(payload, 'azp', 'gty'),
    client_id: payload['azp']!,
    jti: '73WakrfVbNJBaAmhQtEeDv',
  })

  test('both token profiles are read, of people', async () => {
    for (const [payload, header] of [
      [user(), { typ: 'JWT' }],
      [rfc(user()), { typ: 'at+jwt' }],
    ] as const) {
      const identity = await identified(auth0({ claims: { permissions: 'list' } }), signToken(key, payload, header))
      assert.deepEqual([identity.subject, identity.kind, identity.evidence.client], ['auth0|123456', 'human', 'my_client_id'])
      assert.deepEqual(identity.claims['permissions'], ['orders.read'])
      assert.equal(identity.evidence.audience, API)
    }
  })
  test('and of clients that call for themselves, which are no people', async () => {
    const identities = auth0({ clients: ['awZfdIir8YFdGZWkvCejDoUb7SjTDicx'] })
    for (const [payload, header] of [
      [machine(), { typ: 'JWT' }],
      [rfc(machine()), { typ: 'at+jwt' }],
      [machine({ sub: 'renamed' }), { typ: 'JWT' }],
    ] as const) {
      const identity = await identified(identities, signToken(key, payload, header))
      assert.deepEqual([identity.kind, identity.appOnly, identity.listedClient], ['workload', true, true])
    }
  })
  test('a client is not another’s for its name', async () => {
    const identity = await identified(auth0(), signToken(key, user({ sub: 'other@clients' })))
    assert.equal(identity.appOnly, false)
  })
  test('ID tokens and tokens without a client are refused', async () => {
    const identities = auth0()
    assert.equal(await said(identities, signToken(key, { ...without(user(), 'azp', 'scope'), nonce: 'n' })), 'id-token')
    assert.equal(await said(identities, signToken(key, without(user(), 'azp'))), 'claim client_id')
    assert.equal(await said(identities, signToken(key, user({ aud: `${ISSUER}userinfo` }))), 'audience')
  })
})

describe('keycloak', () => {
  const ISSUER = 'https://id.example.com/realms/orders'
  const user = (more: JsonObject = {}): JsonObject => ({
    exp: now() + 300,
    iat: now(),
    jti: 'd58f5dc8-fd8f-462b-8a19-716f8f83985b',
    iss: ISSUER,
    aud: ['orders-api', 'account'],
    sub: '36fa0f91-f94d-4a0c-afed-6b7d952e47da',
    typ: 'Bearer',
    azp: 'orders-web',
    sid: '2a88c258-f73a-4103-b862-e1fbd8f4e04e',
    acr: '1',
    'allowed-origins': ['https://orders.example.com'],
    realm_access: { roles: ['offline_access', 'reader', 'uma_authorization'] },
    resource_access: { 'orders-api': { roles: ['clerk'] }, account: { roles: ['view-profile'] } },
    scope: 'email profile',
    email_verified: true,
    preferred_username: 'reader',
    ...more,
  })
  const service = (more: JsonObject = {}): JsonObject => ({
    ...without(user(), 'sid'),
    sub: 'b6cc7aa0-1af0-460e-9174-e05c881fb6d4',
    azp: 'Orders-Batch',
    clientHost: '10.89.0.2',
    clientAddress: '10.89.0.2',
    preferred_username: 'service-account-orders-batch',
    client_id: 'Orders-Batch',
    ...more,
  })
  const keycloak = (more: Record<string, unknown> = {}): Identities => provider('keycloak', ISSUER, 'orders-api', more)

  test('realm roles are roles; roles of a client can be declared', async () => {
    const claims = { clerkships: { type: 'list', path: ['resource_access', 'orders-api', 'roles'] } }
    const identity = await identified(keycloak({ claims }), signToken(key, user()))
    assert.deepEqual([identity.kind, identity.display, identity.evidence.client], ['human', 'reader', 'orders-web'])
    assert.deepEqual(identity.claims['roles'], ['offline_access', 'reader', 'uma_authorization'])
    assert.deepEqual(identity.claims['clerkships'], ['clerk'])
    assert.deepEqual((await identified(keycloak(), signToken(key, user({ roles: ['own'] })))).claims['roles'], ['own'])
    assert.equal('roles' in (await identified(keycloak(), signToken(key, user({ realm_access: {} })))).claims, false)
    const bent = await identified(keycloak(), signToken(key, user({ realm_access: { roles: 'reader' } })))
    assert.ok(bent.unknownClaims.has('roles'))
  })
  test('a service account is a workload, whether or not the token has its name', async () => {
    const identities = keycloak({ clients: ['Orders-Batch'] })
    for (const payload of [service(), without(service(), 'preferred_username'), without(service(), 'client_id')]) {
      const identity = await identified(identities, signToken(key, payload))
      assert.deepEqual([identity.kind, identity.appOnly, identity.listedClient], ['workload', true, true])
    }
    const person = await identified(identities, signToken(key, user({ preferred_username: 'service-account-other' })))
    assert.equal(person.appOnly, false)
  })
  test('its own word tells access tokens from others', async () => {
    const identities = keycloak()
    assert.equal(await said(identities, signToken(key, user({ nonce: 'as before version 25' }))), 'verified')
    assert.equal(await said(identities, signToken(key, user({ typ: 'ID' }))), 'id-token')
    for (const typ of ['Refresh', 'Offline', 'Logout', 'DPoP'])
      assert.equal(await said(identities, signToken(key, user({ typ }))), 'token-type', typ)
    assert.equal(await said(identities, signToken(key, without(user(), 'typ'))), 'token-type')
    assert.equal(
      await said(identities, signToken(key, user({ typ: 'DPoP', cnf: { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' } }))),
      'unproven',
    )
    assert.equal(await said(identities, signToken(key, user({ aud: 'account' }))), 'audience')
    assert.equal(await said(identities, signToken(key, without(user(), 'sub'))), 'claim sub')
  })
})

describe('cognito', () => {
  const ISSUER = 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_example'
  const CLIENT = '57cbishk4j24pabc1234567890'
  const user = (more: JsonObject = {}): JsonObject => ({
    sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
    'cognito:groups': ['readers'],
    iss: ISSUER,
    version: 2,
    client_id: CLIENT,
    origin_jti: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
    event_id: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
    token_use: 'access',
    scope: 'openid orders/read',
    auth_time: now(),
    exp: now() + 3600,
    iat: now(),
    jti: 'aaaaaaaa-bbbb-cccc-dddd-ffffffffffff',
    username: 'reader',
    ...more,
  })
  const idToken = (): JsonObject => ({
    sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
    'cognito:groups': ['readers'],
    'cognito:username': 'reader',
    email_verified: true,
    iss: ISSUER,
    nonce: 'n-0S6_WzA2Mj',
    aud: CLIENT,
    token_use: 'id',
    auth_time: now(),
    exp: now() + 3600,
    iat: now(),
    jti: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeef',
  })
  const sign = (payload: JsonObject): string => signToken(key, payload, bare)
  const cognito = (audience = CLIENT, more: Record<string, unknown> = {}): Identities => provider('cognito', ISSUER, audience, more)

  test('a token is for the client that got it, and its groups are groups', async () => {
    const identity = await identified(cognito(), sign(user()))
    assert.deepEqual([identity.kind, identity.display, identity.claims['groups']], ['human', 'reader', ['readers']])
    assert.deepEqual([identity.evidence.audience, identity.evidence.client], [CLIENT, CLIENT])
    assert.deepEqual(identity.scopes, ['openid', 'orders/read'])
    assert.equal(await signedIn(cognito(), sign(idToken()), CLIENT), 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee reader')
  })
  test('with a resource asked for, the token is for that', async () => {
    const bound = sign(user({ aud: 'https://orders.example' }))
    assert.equal((await identified(cognito('https://orders.example'), bound)).evidence.client, CLIENT)
    assert.equal(await said(cognito(), bound), 'audience', 'the client is no audience then')
  })
  test('a client that calls for itself is a workload', async () => {
    const identity = await identified(cognito(), sign(without(user({ sub: CLIENT }), 'username', 'cognito:groups')))
    assert.deepEqual([identity.kind, identity.appOnly, identity.display], ['workload', true, CLIENT])
  })
  test('ID tokens and tokens of other clients are refused', async () => {
    const identities = cognito()
    assert.equal(await said(identities, sign(idToken())), 'id-token')
    assert.equal(await said(identities, sign(without(user(), 'token_use'))), 'token-type')
    assert.equal(await said(identities, sign(user({ client_id: 'another' }))), 'audience')
    assert.equal(await said(identities, sign(without(user(), 'client_id'))), 'audience')
  })
})

describe('google', () => {
  const ISSUER = 'https://accounts.google.com'
  const CLIENT = '1234987819200.apps.googleusercontent.com'
  const person = (more: JsonObject = {}): JsonObject => ({
    iss: ISSUER,
    azp: CLIENT,
    aud: CLIENT,
    sub: '10769150350006150715113082367',
    at_hash: 'HK6E_P6Dh8Y93mRNtsDB1Q',
    hd: 'example.com',
    email: 'reader@example.com',
    email_verified: true,
    iat: now(),
    exp: now() + 3600,
    nonce: 'n-0S6_WzA2Mj',
    ...more,
  })
  const service = (): JsonObject => ({
    ...without(person(), 'at_hash', 'hd', 'nonce'),
    aud: 'https://orders.example',
    azp: '112233445566778899001',
    sub: '112233445566778899001',
    email: 'batch@orders.iam.gserviceaccount.com',
  })
  const google = (audience = CLIENT): Identities => provider('google', ISSUER, audience)

  test('people sign in', async () => {
    assert.equal(await signedIn(google(), signToken(key, person()), CLIENT), '10769150350006150715113082367 reader@example.com')
  })
  test('no JWT of it is access: neither a person’s ID token, nor the one that anybody’s service account gets for any audience', async () => {
    assert.equal(await said(google(), signToken(key, person())), 'id-token')
    assert.equal(await said(google('https://orders.example'), signToken(key, service())), 'id-token')
  })
})

test('an issuer that the provider would never write is refused when it is read', () => {
  const config = (provider: string, issuer: string, more: Record<string, unknown> = {}): object =>
    issuerConfig({ kind: 'oidc', provider, issuer, audiences: ['orders'], ...more })
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['auth0', 'https://example.eu.auth0.com', /with a slash at the end/],
    ['okta', 'https://example.okta.com/oauth2/default/', /without a slash at the end/],
    ['keycloak', 'https://id.example.com', /with the realm/],
    ['keycloak', 'https://id.example.com/realms/orders/', /with the realm/],
    ['cognito', 'https://cognito-idp.eu-central-1.amazonaws.com', /with the user pool/],
    ['google', 'https://accounts.google.com/', /write `https:\/\/accounts\.google\.com`/],
  ]
  for (const [provider, issuer, message] of rows) assert.throws(() => config(provider, issuer), message, `${provider} ${issuer}`)
  assert.throws(() => config('okta', 'https://example.okta.com/oauth2/default', { acceptPlainJwt: true }), /leave it out/)
  assert.throws(() => config('ping', 'https://id.example.com'), /okta/)
})
