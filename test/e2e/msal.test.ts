/** Microsoft's own client library against the Entra-shaped provider over TLS, and its tokens against a whole gateway. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ConfidentialClientApplication, CryptoProvider, PublicClientApplication, type INetworkModule } from '@azure/msal-node'
import { Agent, fetch as fetchWith } from 'undici'
import { stringify } from 'yaml'
import { systemClock, systemEntropy } from '../../src/core/clock.ts'
import { ensureDevCa } from '../../src/demo/ca.ts'
import { CI_CLIENT, HOME_TENANT } from '../../src/demo/idp/accounts.ts'
import { startIdp, type Idp } from '../../src/demo/idp/index.ts'
import { CI_SECRET, CLI, ORDERS_API } from '../../src/demo/idp/registrations.ts'
import { Browser } from '../../src/demo/idp/testing.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'

const REDIRECT = 'http://localhost:54321/'
const SCOPE = `${ORDERS_API.uri}/access_as_user`

let folder: string
let idp: Idp
let agent: Agent
let gateway: Gateway
let upstream: ReturnType<typeof createServer>

/** MSAL's network by undici, which trusts the provider's authority. */
const network: INetworkModule = {
  sendGetRequestAsync: (url, options) => send(url, { headers: options?.headers ?? {} }),
  sendPostRequestAsync: (url, options) => send(url, { method: 'POST', headers: options?.headers ?? {}, body: options?.body ?? '' }),
}

async function send<T>(url: string, init: { method?: string; headers: Record<string, string>; body?: string }) {
  const answer = await fetchWith(url, { ...init, dispatcher: agent })
  return { headers: Object.fromEntries(answer.headers), body: (await answer.json()) as T, status: answer.status }
}

describe('MSAL', () => {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-msal-'))
    const ca = await ensureDevCa({ dataDir: folder, clock: systemClock, entropy: systemEntropy })
    const read = (file: string): string => readFileSync(file, 'utf8')
    agent = new Agent({ connect: { ca: read(ca.caFile) } })
    idp = await startIdp({ port: 0, tls: { cert: read(ca.certFile), key: read(ca.keyFile) } })
    upstream = createServer((request, response) => response.end(request.headers['ostiary-kind']))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    mkdirSync(join(folder, 'policy'))
    const { port } = upstream.address() as AddressInfo
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      dataDir: 'data',
      outbound: { ca: ca.caFile },
      issuers: {
        entra: { kind: 'entra', authority: idp.authority, tenants: [HOME_TENANT], audiences: [ORDERS_API.clientId] },
      },
      resources: { orders: { protocol: 'http', hosts: ['127.0.0.1'], upstream: { url: `http://127.0.0.1:${port}` } } },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
    }
    const policy = {
      apiVersion: 'ostiary.dev/v1',
      roles: {
        reader: { bind: [{ issuer: 'entra', claim: 'roles', any: ['Orders.Read'] }] },
        builder: { bind: [{ issuer: 'entra', claim: 'azp', any: [CI_CLIENT], kind: 'workload' }] },
        admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
      },
      rules: [
        { id: 'read', role: ['reader', 'builder'], resource: 'orders', actions: ['GET /orders', 'GET /plans'] },
        { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
      ],
      guardrails: [{ id: 'strong', require: { authContext: 'c1' }, actions: ['GET /plans'], resource: 'orders', for: ['reader'] }],
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy))
    gateway = await startGateway({ folder, watch: false, log: () => undefined })
  })
  after(async () => {
    await gateway.stop(0)
    await idp.close()
    await agent.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })

  const options = (clientId: string, more: object = {}) => ({
    auth: {
      clientId,
      authority: `${idp.authority}/${HOME_TENANT}`,
      knownAuthorities: [new URL(idp.authority).host],
      clientCapabilities: ['cp1'],
      ...more,
    },
    system: { networkClient: network },
  })

  const ask = (token: string, path = '/orders') =>
    fetch(`http://127.0.0.1:${gateway.doors[0]!.port}${path}`, { headers: { authorization: `Bearer ${token}` } })

  /** Walks the provider's pages as a person would. */
  async function walk(url: string, account: string): Promise<string> {
    const browser = new Browser(idp.authority, agent)
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
    assert.equal(await (await ask(first.accessToken)).text(), 'human')
    const again = await app.acquireTokenSilent({ account: first.account!, scopes: [SCOPE], forceRefresh: true })
    assert.notEqual(again.accessToken, first.accessToken)
    assert.equal((await ask(again.accessToken)).status, 200)
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

  test('gets a token for an app by its secret', async () => {
    const app = new ConfidentialClientApplication(options(CI_CLIENT, { clientSecret: CI_SECRET }))
    const result = await app.acquireTokenByClientCredential({ scopes: [`${ORDERS_API.uri}/.default`] })
    assert.equal(await (await ask(result!.accessToken)).text(), 'workload')
  })
})
