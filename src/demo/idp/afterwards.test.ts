/** What becomes of tokens, sessions and keys after they were given out. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as oidc from 'openid-client'
import { systemClock } from '../../core/clock.ts'
import { startIdp, type Idp } from './index.ts'
import { ORDERS_API_SECRET } from './inspect.ts'
import { makeSigningKey } from './keys.ts'
import { CLI, GATEWAY, ORDERS_API } from './registrations.ts'
import { relyingParty, SCOPE } from './testing.ts'

let idp: Idp
before(async () => {
  idp = await startIdp({ port: 0, keys: [await makeSigningKey(systemClock)] })
})
after(() => idp.close())

const { newBrowser, discover, signIn, verified } = relyingParty(() => idp.authority)

describe('introspection and revocation', () => {
  const asApi = () => discover(ORDERS_API.clientId, oidc.ClientSecretBasic(ORDERS_API_SECRET))

  test('an access token is active until it is revoked', async () => {
    const { config, tokens } = await signIn(newBrowser(), 'reader')
    const api = await asApi()
    const before = await oidc.tokenIntrospection(api, tokens.access_token)
    assert.equal(before.active, true)
    assert.equal(before.scope, 'access_as_user')
    assert.equal(before.client_id, GATEWAY.clientId)
    assert.equal(before.jti, (await verified(tokens.access_token))['uti'])
    await oidc.tokenRevocation(config, tokens.access_token)
    assert.deepEqual({ ...(await oidc.tokenIntrospection(api, tokens.access_token)) }, { active: false })
  })

  test('a revoked refresh token gives nothing more', async () => {
    const { config, tokens } = await signIn(newBrowser(), 'reader')
    const api = await asApi()
    assert.equal((await oidc.tokenIntrospection(api, tokens.refresh_token!)).active, true)
    await oidc.tokenRevocation(config, tokens.refresh_token!)
    assert.equal((await oidc.tokenIntrospection(api, tokens.refresh_token!)).active, false)
    await assert.rejects(
      oidc.refreshTokenGrant(config, tokens.refresh_token!),
      (error) => (error as oidc.ResponseBodyError).error === 'invalid_grant',
    )
  })

  test('a token of another client stays', async () => {
    const { tokens } = await signIn(newBrowser(), 'reader')
    const cli = await discover(CLI.clientId)
    await assert.rejects(
      oidc.tokenRevocation(cli, tokens.access_token),
      (error) => (error as oidc.ResponseBodyError).error === 'invalid_grant',
    )
    assert.equal((await oidc.tokenIntrospection(await asApi(), tokens.access_token)).active, true)
  })

  test('what is expired, altered, of another tenant or no token is not active', async () => {
    const api = await asApi()
    const tokens = [
      idp.mint('reader', { shape: 'expired' }).token,
      idp.mint('reader', { shape: 'bad-signature' }).token,
      idp.mint('reader', { shape: 'unsigned' }).token,
      idp.mint('outsider').token,
      'gibberish',
    ]
    for (const token of tokens) assert.deepEqual({ ...(await oidc.tokenIntrospection(api, token)) }, { active: false })
  })

  test('only a client that proves itself may ask', async () => {
    const { token } = idp.mint('reader')
    for (const authentication of [oidc.None(), oidc.ClientSecretPost('a guess')])
      await assert.rejects(
        oidc.tokenIntrospection(await discover(ORDERS_API.clientId, authentication), token),
        (error) => (error as oidc.ResponseBodyError).status === 401,
      )
    const unknown = await discover('toString', oidc.ClientSecretPost('x'))
    await assert.rejects(oidc.tokenIntrospection(unknown, token), (error) => (error as oidc.ResponseBodyError).status === 401)
  })
})

describe('sign-out', () => {
  test('asks, ends the session and returns to the client', async () => {
    const browser = newBrowser()
    const { config } = await signIn(browser, 'reader')
    const home = 'http://orders.localhost:12345/'
    const url = oidc.buildEndSessionUrl(config, { client_id: GATEWAY.clientId, post_logout_redirect_uri: home, state: 'a-state' })
    const page = await browser.open(url.href)
    assert.match(page.html, /You are signed in as <b>reader<\/b>/)
    assert.equal((await browser.submit(page, { logout: 'yes' })).url, `${home}?state=a-state`)
    await assert.rejects(
      signIn(browser, 'unused', SCOPE, { prompt: 'none' }),
      (error) => (error as oidc.AuthorizationResponseError).error === 'login_required',
    )
  })

  test('returns nowhere else', async () => {
    const browser = newBrowser()
    const { config } = await signIn(browser, 'reader')
    const url = oidc.buildEndSessionUrl(config, { client_id: GATEWAY.clientId, post_logout_redirect_uri: 'https://elsewhere.example/' })
    const page = await browser.open(url.href)
    assert.equal(page.status, 400)
    assert.match(page.html, /post_logout_redirect_uri not registered/)
  })
})

describe('rotation of keys', () => {
  test('old tokens stay good, new ones have a new key, sessions and refresh tokens go on', async () => {
    const browser = newBrowser()
    const { config, tokens } = await signIn(browser, 'reader')
    const old = idp.mint('reader').token
    const response = await fetch(`${idp.authority}/demo/rotate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    const { kid } = (await response.json()) as { readonly kid: string }
    const kidOf = (token: string): unknown =>
      (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid?: unknown }).kid

    assert.notEqual(kidOf(old), kid)
    assert.equal((await verified(old))['name'], 'reader')
    assert.equal((await verified(tokens.access_token))['name'], 'reader')
    assert.equal(kidOf(idp.mint('reader').token), kid)
    const again = await oidc.refreshTokenGrant(config, tokens.refresh_token!)
    assert.equal(kidOf(again.access_token), kid)
    assert.equal(kidOf(again.id_token!), kid)
    const silent = await signIn(browser, 'unused', `openid profile ${ORDERS_API.uri}/access_as_user`, { prompt: 'none' })
    assert.equal((await verified(silent.tokens.access_token))['name'], 'reader')
    const keys = (await (await fetch(`${idp.authority}/common/discovery/v2.0/keys`)).json()) as { readonly keys: readonly unknown[] }
    assert.equal(keys.keys.length, 2)
  })

  test('the oldest key leaves in the end', async () => {
    const { token } = idp.mint('reader')
    for (let i = 0; i < 4; i++) await idp.rotate()
    await assert.rejects(verified(token), (error) => (error as { code?: string }).code === 'ERR_JWKS_NO_MATCHING_KEY')
  })
})
