/** Each flow end to end over HTTP, with openid-client as a client that knows nothing of this provider. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as oidc from 'openid-client'
import { systemClock } from '../../core/clock.ts'
import { HOME_TENANT, PARTNER_TENANT } from './accounts.ts'
import { startIdp, type Idp } from './index.ts'
import { makeSigningKey } from './keys.ts'
import { CI, CI_SECRET, CLI, GATEWAY, ORDERS_API, ORDERS_V1_API } from './registrations.ts'
import { REDIRECT, relyingParty, SCOPE, type Browser } from './testing.ts'

let idp: Idp
before(async () => {
  idp = await startIdp({ port: 0, keys: [await makeSigningKey(systemClock)] })
})
after(() => idp.close())

const { newBrowser, discover, signIn, verified } = relyingParty(() => idp.authority)

describe('authorization code with PKCE', () => {
  test('one click gives an access token, an ID token and a refresh token', async () => {
    const { tokens } = await signIn(newBrowser(), 'publisher')
    const access = await verified(tokens.access_token)
    assert.equal(access['aud'], ORDERS_API.clientId)
    assert.equal(access['azp'], GATEWAY.clientId)
    assert.equal(access['scp'], 'access_as_user')
    assert.deepEqual(access['roles'], ['Orders.Read', 'Orders.Write'])
    assert.equal(access['ver'], '2.0')
    const id = tokens.claims()!
    assert.equal(id['oid'], access['oid'])
    assert.equal(id['tid'], HOME_TENANT)
    assert.equal(id['preferred_username'], 'publisher@home.example')
    assert.deepEqual(id['roles'], ['Orders.Read', 'Orders.Write'])
    assert.equal(id['ver'], '2.0')
    assert.equal(typeof tokens.refresh_token, 'string')
  })

  test('the ID token has the names of the documentation, and what the protocol adds', async () => {
    const { tokens } = await signIn(newBrowser(), 'nobody')
    const expected = 'aio aud exp iat iss name nbf nonce oid preferred_username rh sub tid uti ver'.split(' ')
    assert.deepEqual(Object.keys(tokens.claims()!).toSorted(), expected)
  })

  test('an overage is in the ID token too', async () => {
    const { tokens } = await signIn(newBrowser(), 'overage')
    assert.deepEqual(tokens.claims()!['_claim_names'], { groups: 'src1' })
    assert.equal(tokens.claims()!['groups'], undefined)
  })

  test('the API decides the version: a v1 token from the v2 endpoint', async () => {
    const { tokens } = await signIn(newBrowser(), 'reader', `openid ${ORDERS_V1_API.uri}/user_impersonation`)
    const access = await verified(tokens.access_token)
    assert.equal(access['ver'], '1.0')
    assert.equal(access.iss, `${idp.authority}/sts/${HOME_TENANT}/`)
    assert.equal(access['appid'], GATEWAY.clientId)
    assert.equal(tokens.refresh_token, undefined)
  })

  test('the picker names what each account may do, and runs nothing', async () => {
    const page = await openPicker(newBrowser())
    assert.match(page.html, /<button class="account" name="account" value="reader"><b>reader<\/b> <span>reads orders<\/span>/)
    assert.match(page.html, /demo and tests only/)
    assert.doesNotMatch(page.html, /<script|value="outsider"|value="ci"/)
    const { headers } = await fetch(idp.authority)
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/)
  })

  test('another account is one click, and `prompt=none` keeps the last', async () => {
    const browser = newBrowser()
    const first = await signIn(browser, 'reader')
    const second = await signIn(browser, 'admin')
    assert.notEqual(first.tokens.claims()!['oid'], second.tokens.claims()!['oid'])
    const third = await signIn(browser, 'unused', `openid profile ${ORDERS_API.uri}/access_as_user`, { prompt: 'none' })
    assert.equal(third.tokens.claims()!['oid'], second.tokens.claims()!['oid'])
  })

  test('`prompt=none` without a session is told to the client', async () => {
    await assert.rejects(
      signIn(newBrowser(), 'unused', SCOPE, { prompt: 'none' }),
      (error) => (error as oidc.AuthorizationResponseError).error === 'login_required',
    )
  })

  test('a code is good once', async () => {
    const config = await discover(GATEWAY.clientId)
    const verifier = oidc.randomPKCECodeVerifier()
    const page = await openPicker(newBrowser(), { code_challenge: await oidc.calculatePKCECodeChallenge(verifier) })
    const back = await page.browser.submit(page, { account: 'reader' })
    const redeem = () => oidc.authorizationCodeGrant(config, new URL(back.url), { pkceCodeVerifier: verifier, expectedState: 'a-state' })
    await redeem()
    await assert.rejects(redeem(), (error) => (error as oidc.ResponseBodyError).error === 'invalid_grant')
  })

  test('nobody signs in without PKCE, with a redirect away from this machine, or as somebody of another tenant', async () => {
    const none = await openPicker(newBrowser(), { code_challenge: '', code_challenge_method: '' })
    assert.match(none.url, /error=invalid_request/)
    const away = await openPicker(newBrowser(), { redirect_uri: 'https://elsewhere.example/callback' })
    assert.equal(away.status, 400)
    assert.match(away.html, /invalid_redirect_uri/)
    const page = await openPicker(newBrowser())
    const stranger = await page.browser.submit(page, { account: 'outsider' })
    assert.equal(stranger.status, 400)
    assert.match(stranger.html, /AADSTS50020/)
  })

  test('an API that there is not is named as Entra names it', async () => {
    const page = await openPicker(newBrowser(), { resource: 'api://nowhere' })
    assert.match(decodeURIComponent(page.url), /AADSTS500011/)
  })

  async function openPicker(browser: Browser, more: Readonly<Record<string, string>> = {}) {
    const url = new URL(`${idp.authority}/${HOME_TENANT}/oauth2/v2.0/authorize`)
    const parameters = {
      client_id: GATEWAY.clientId,
      response_type: 'code',
      redirect_uri: REDIRECT,
      scope: SCOPE,
      state: 'a-state',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      ...more,
    }
    for (const [name, value] of Object.entries(parameters)) if (value !== '') url.searchParams.set(name, value)
    return { browser, ...(await browser.open(url.href)) }
  }
})

describe('refresh', () => {
  test('gives new tokens, and a new refresh token in place of the old', async () => {
    const { config, tokens } = await signIn(newBrowser(), 'reader')
    const again = await oidc.refreshTokenGrant(config, tokens.refresh_token!)
    assert.notEqual((await verified(again.access_token))['uti'], (await verified(tokens.access_token))['uti'])
    await assert.rejects(
      oidc.refreshTokenGrant(config, tokens.refresh_token!),
      (error) => (error as oidc.ResponseBodyError).error === 'invalid_grant',
    )
  })
})

describe('device code', () => {
  test('answers as Entra does, waits, and gives a token once somebody agreed', async () => {
    const config = await discover(CLI.clientId)
    const device = await oidc.initiateDeviceAuthorization(config, { scope: SCOPE })
    const { status, body } = await poll(device.device_code)
    assert.equal(status, 400)
    assert.equal(body['error'], 'authorization_pending')
    assert.equal(device.verification_uri, `${idp.authority}/${HOME_TENANT}/oauth2/deviceauth`)
    assert.equal(device.verification_uri_complete, undefined)
    assert.equal(device.expires_in, 900)
    assert.equal(device.interval, 5)
    assert.match(device['message'] as string, new RegExp(`${device.user_code} to authenticate\\.$`))

    const browser = newBrowser()
    const codePage = await browser.open(device.verification_uri)
    assert.match(codePage.html, /<label for="user_code">/)
    const confirmPage = await browser.submit(codePage, { user_code: device.user_code.toLowerCase() })
    assert.match(confirmPage.html, /Is this your device\?/)
    const picker = await browser.submit(confirmPage, { confirm: 'yes' })
    const done = await browser.submit(picker, { account: 'auditor' })
    assert.match(done.html, /the device has its token/)

    const granted = await poll(device.device_code)
    assert.equal(granted.status, 200)
    const access = await verified(String(granted.body['access_token']))
    assert.equal(access['azp'], CLI.clientId)
    assert.deepEqual(access['roles'], ['Gateway.Audit'])
    assert.equal(typeof granted.body['refresh_token'], 'string')
  })

  test('`{guid}/.default` alone gives an access token for that API, and nothing else', async () => {
    const config = await discover(GATEWAY.clientId)
    const device = await oidc.initiateDeviceAuthorization(config, { scope: `${ORDERS_API.clientId}/.default` })
    const browser = newBrowser()
    const confirmPage = await browser.submit(await browser.open(device.verification_uri), { user_code: device.user_code })
    await browser.submit(await browser.submit(confirmPage, { confirm: 'yes' }), { account: 'admin' })
    const { body } = await poll(device.device_code, GATEWAY.clientId)
    const access = await verified(String(body['access_token']))
    assert.equal(access['aud'], ORDERS_API.clientId)
    assert.equal(access['scp'], 'access_as_user')
    assert.equal(body['id_token'], undefined)
    assert.equal(body['refresh_token'], undefined)
  })

  test('somebody who says no ends it', async () => {
    const config = await discover(CLI.clientId)
    const device = await oidc.initiateDeviceAuthorization(config, { scope: SCOPE })
    const browser = newBrowser()
    const confirmPage = await browser.submit(await browser.open(device.verification_uri), { user_code: device.user_code })
    await browser.submit(confirmPage, { abort: 'yes' })
    assert.equal((await poll(device.device_code)).body['error'], 'authorization_declined')
  })

  test('a wrong code is told, with the form again', async () => {
    const browser = newBrowser()
    const page = await browser.submit(await browser.open(`${idp.authority}/${HOME_TENANT}/oauth2/deviceauth`), { user_code: 'BBBB-BBBB' })
    assert.match(page.html, /role="alert">This code is unknown/)
    assert.match(page.html, /name="user_code"/)
  })

  async function poll(
    code: string,
    client = CLI.clientId,
  ): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> {
    const form = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: code, client_id: client }
    const response = await fetch(`${idp.authority}/${HOME_TENANT}/oauth2/v2.0/token`, { method: 'POST', body: new URLSearchParams(form) })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
})

describe('client credentials', () => {
  for (const scope of [`${ORDERS_API.uri}/.default`, `${ORDERS_API.clientId}/.default`]) {
    test(`an app-only token for ${scope}`, async () => {
      const config = await discover(CI.clientId, oidc.ClientSecretPost(CI_SECRET))
      const tokens = await oidc.clientCredentialsGrant(config, { scope })
      const access = await verified(tokens.access_token)
      assert.equal(access['idtyp'], 'app')
      assert.equal(access['azp'], CI.clientId)
      assert.equal(access['azpacr'], '1')
      assert.equal(access.sub, access['oid'])
      assert.equal(access['scp'], undefined)
      assert.deepEqual(access['roles'], ['Orders.Read.All', 'Orders.Write.All'])
      assert.equal(tokens.refresh_token, undefined)
      assert.equal(tokens.expires_in, Number(access.exp) - Number(access.iat))
    })
  }

  test('a wrong secret, and a tenant where the client is not', async () => {
    const wrong = await discover(CI.clientId, oidc.ClientSecretPost('a guess'))
    const scope = `${ORDERS_API.uri}/.default`
    await assert.rejects(
      oidc.clientCredentialsGrant(wrong, { scope }),
      (error) => (error as oidc.ResponseBodyError).error === 'invalid_client',
    )
    const elsewhere = await discover(CI.clientId, oidc.ClientSecretPost(CI_SECRET), PARTNER_TENANT)
    await assert.rejects(
      oidc.clientCredentialsGrant(elsewhere, { scope }),
      (error) => (error as oidc.ResponseBodyError).error === 'invalid_client',
    )
  })
})
