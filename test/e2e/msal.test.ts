/** Microsoft's own client library against the Entra-shaped provider over TLS, and its tokens at the door of a whole gateway. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  ConfidentialClientApplication,
  CryptoProvider,
  PublicClientApplication,
  type DeviceCodeRequest,
  type INetworkModule,
} from '@azure/msal-node'
import { decodeJwt } from 'jose'
import { fetch as fetchWith } from 'undici'
import { CI_CLIENT, HOME_TENANT } from '../../src/demo/idp/accounts.ts'
import { CI_SECRET, CLI, ORDERS_API } from '../../src/demo/idp/registrations.ts'
import { Browser } from '../../src/demo/idp/testing.ts'
import { testCertificate, type TestCertificate } from '../../src/secrets/clientauth/testdata/certificates.ts'
import { clusterStandIn, type ClusterStandIn } from './clusterstandin.ts'
import { assertJudged, BUILDER, openEntraWorld, PERSON, type EntraWorld } from './entraworld.ts'

const DAY = 86_400_000
const REDIRECT = 'http://localhost:54321/'
const SCOPE = `${ORDERS_API.uri}/access_as_user`
const SUBJECT = 'repo:orders/builds:ref:refs/heads/main'

let world: EntraWorld
let cluster: ClusterStandIn
let registered: TestCertificate
let stranger: TestCertificate

/** MSAL's network by undici, which trusts the provider's authority. */
const network: INetworkModule = {
  sendGetRequestAsync: (url, options) => send(url, { headers: options?.headers ?? {} }),
  sendPostRequestAsync: (url, options) => send(url, { method: 'POST', headers: options?.headers ?? {}, body: options?.body ?? '' }),
}

async function send<T>(url: string, init: { method?: string; headers: Record<string, string>; body?: string }) {
  const answer = await fetchWith(url, { ...init, dispatcher: world.agent })
  return { headers: Object.fromEntries(answer.headers), body: (await answer.json()) as T, status: answer.status }
}

describe('MSAL', () => {
  before(async () => {
    world = await openEntraWorld()
    cluster = await clusterStandIn()
    registered = await testCertificate(Date.now() - DAY, Date.now() + DAY)
    stranger = await testCertificate(Date.now() - DAY, Date.now() + DAY)
    world.idp.credentials.addCertificate(CI_CLIENT, registered.cert)
    world.idp.credentials.addFederated(CI_CLIENT, { issuer: cluster.issuer, subject: SUBJECT, audience: 'api://AzureADTokenExchange' })
  })
  after(async () => {
    await world.close()
    await cluster.close()
  })

  const options = (clientId: string, more: object = {}) => ({
    auth: {
      clientId,
      authority: `${world.idp.authority}/${HOME_TENANT}`,
      knownAuthorities: [new URL(world.idp.authority).host],
      clientCapabilities: ['cp1'],
      ...more,
    },
    system: { networkClient: network },
  })

  const ask = (token: string, path: string) => world.ask(token, 'GET', path)

  /** Walks the provider's pages as a person would. */
  async function walk(url: string, account: string): Promise<string> {
    const browser = new Browser(world.idp.authority, world.agent)
    let page = await browser.submit(await browser.open(url), { account })
    if (page.html.includes('Confirm that it is you')) page = await browser.submit(page, {})
    return new URL(page.url).searchParams.get('code')!
  }

  async function signIn(app: PublicClientApplication, claims?: string) {
    const { verifier, challenge } = await new CryptoProvider().generatePkceCodes()
    const scopes = [SCOPE]
    const more = claims === undefined ? {} : { claims }
    const url = await app.getAuthCodeUrl({ scopes, redirectUri: REDIRECT, codeChallenge: challenge, codeChallengeMethod: 'S256', ...more })
    const code = await walk(url, 'reader')
    return app.acquireTokenByCode({ scopes, redirectUri: REDIRECT, code, codeVerifier: verifier, ...more })
  }

  test('signs a person in by code and PKCE, and again in silence by its refresh token', async () => {
    const app = new PublicClientApplication(options(CLI.clientId))
    const first = await signIn(app)
    await assertJudged(world, first.accessToken, PERSON)
    const again = await app.acquireTokenSilent({ account: first.account!, scopes: [SCOPE], forceRefresh: true })
    assert.notEqual(again.accessToken, first.accessToken)
    await assertJudged(world, again.accessToken, PERSON)
  })

  test('takes the claims of a step-up challenge to the provider, and its next token is let through', async () => {
    const app = new PublicClientApplication(options(CLI.clientId))
    const { accessToken } = await signIn(app)
    const refused = await ask(accessToken, '/plans')
    assert.equal(refused.status, 401)
    const claims = /error="insufficient_claims", claims="([^"]+)"/.exec(refused.headers.get('www-authenticate')!)![1]!
    const stronger = await signIn(app, Buffer.from(claims, 'base64').toString())
    assert.equal((await ask(stronger.accessToken, '/plans')).status, 200)
  })

  describe('by a device code', () => {
    type Shown = Parameters<DeviceCodeRequest['deviceCodeCallback']>[0]

    /** Types the code on the provider's page, and says yes, or no. */
    async function approve({ verificationUri, userCode }: Shown, account: string | undefined): Promise<string> {
      const browser = new Browser(world.idp.authority, world.agent)
      const confirm = await browser.submit(await browser.open(verificationUri), { user_code: userCode })
      if (account === undefined) return (await browser.submit(confirm, { abort: 'yes' })).html
      return (await browser.submit(await browser.submit(confirm, { confirm: 'yes' }), { account })).html
    }

    async function signInWith(account: string | undefined) {
      let approval: Promise<string> | undefined
      const app = new PublicClientApplication(options(CLI.clientId))
      const deviceCodeCallback = (shown: Shown): void => {
        assert.match(
          shown.message,
          new RegExp(`^To sign in, use a web browser to open the page ${shown.verificationUri} .* ${shown.userCode} `),
        )
        approval = approve(shown, account)
      }
      try {
        return { app, result: (await app.acquireTokenByDeviceCode({ scopes: [SCOPE], deviceCodeCallback }))! }
      } finally {
        await approval
      }
    }

    test('signs in whoever approves it, and again in silence', async () => {
      const { app, result } = await signInWith('reader')
      await assertJudged(world, result.accessToken, PERSON)
      const again = await app.acquireTokenSilent({ account: result.account!, scopes: [SCOPE], forceRefresh: true })
      await assertJudged(world, again.accessToken, PERSON)
    })

    test('gets nothing where somebody says no', async () => {
      await assert.rejects(signInWith(undefined), /authorization_declined/)
    })
  })

  describe('for an app', () => {
    const byCertificate = ({ key, cert, x5t, x5tS256 }: TestCertificate, form: 'sha256' | 'sha1' | 'chain'): object => {
      const hex = (thumbprint: string): string => Buffer.from(thumbprint, 'base64url').toString('hex')
      const thumbprint = form === 'sha1' ? { thumbprint: hex(x5t) } : { thumbprintSha256: hex(x5tS256) }
      return { clientCertificate: { privateKey: key, ...thumbprint, ...(form === 'chain' ? { x5c: cert } : {}) } }
    }
    const byAssertion = (subject: string): object => ({ clientAssertion: () => cluster.token(subject) })
    const tokenOf = async (proof: object): Promise<string> => {
      const app = new ConfidentialClientApplication(options(CI_CLIENT, proof))
      return (await app.acquireTokenByClientCredential({ scopes: [`${ORDERS_API.uri}/.default`] }))!.accessToken
    }

    const proofs: readonly (readonly [string, string, () => object])[] = [
      ['its secret', '1', () => ({ clientSecret: CI_SECRET })],
      ['its certificate (PS256, SHA-256)', '2', () => byCertificate(registered, 'sha256')],
      ['its certificate (RS256, SHA-1)', '2', () => byCertificate(registered, 'sha1')],
      ['its certificate, with the chain', '2', () => byCertificate(registered, 'chain')],
      ['a token of an issuer that a federated credential trusts', '2', () => byAssertion(SUBJECT)],
    ]
    for (const [proof, azpacr, made] of proofs)
      test(`gets a token by ${proof}`, async () => {
        const token = await tokenOf(made())
        assert.equal(decodeJwt(token)['azpacr'], azpacr)
        await assertJudged(world, token, BUILDER)
      })

    const refused: readonly (readonly [string, () => object, RegExp])[] = [
      ['a certificate that is not registered', () => byCertificate(stranger, 'sha256'), /AADSTS700027/],
      [
        'a token of another subject',
        () => byAssertion(`${SUBJECT}/x`),
        /AADSTS700213: No matching federated identity record found for presented/,
      ],
    ]
    for (const [proof, made, says] of refused)
      test(`gets none by ${proof}`, async () => {
        await assert.rejects(tokenOf(made()), says)
      })
  })
})
