/** How the gateway proves itself, at the Entra-shaped provider over TLS: when it redeems a code, and when it asks for a token of its own. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { decodeJwt } from 'jose'
import { Agent, fetch as fetchWith } from 'undici'
import { systemClock, systemEntropy } from '../../src/core/clock.ts'
import { ensureDevCa } from '../../src/demo/ca.ts'
import { CI_CLIENT, HOME_TENANT } from '../../src/demo/idp/accounts.ts'
import { startIdp, type Idp } from '../../src/demo/idp/index.ts'
import { CI_SECRET, GATEWAY, ORDERS_API } from '../../src/demo/idp/registrations.ts'
import { Browser } from '../../src/demo/idp/testing.ts'
import type { Identities, SignInContext } from '../../src/identity/index.ts'
import { Jar } from '../../src/identity/session/testdata/standin.ts'
import { testDeps, testIdentity, type TestDeps } from '../../src/identity/testing.ts'
import { openClientAuth } from '../../src/secrets/clientauth/index.ts'
import { testCertificate, type TestCertificate } from '../../src/secrets/clientauth/testdata/certificates.ts'
import { askToken } from '../../src/secrets/clientauth/tokenendpoint.ts'
import { clusterStandIn, type ClusterStandIn } from './clusterstandin.ts'

const DAY = 86_400_000
const SUBJECT = 'system:serviceaccount:gateway:ostiary'

type ClientSettings = Parameters<typeof openClientAuth>[0]
type ClientAuthConfig = NonNullable<ClientSettings['clientAuth']>

let folder: string
let idp: Idp
let agent: Agent
let cluster: ClusterStandIn
let registered: TestCertificate
let stranger: TestCertificate

describe('the gateway’s own proof', () => {
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-proof-'))
    const ca = await ensureDevCa({ dataDir: folder, clock: systemClock, entropy: systemEntropy })
    const read = (file: string): string => readFileSync(file, 'utf8')
    agent = new Agent({ connect: { ca: read(ca.caFile) } })
    idp = await startIdp({ port: 0, tls: { cert: read(ca.certFile), key: read(ca.keyFile) } })
    cluster = await clusterStandIn()
    registered = await testCertificate(Date.now() - DAY, Date.now() + DAY)
    stranger = await testCertificate(Date.now() - DAY, Date.now() + 2 * DAY)
    for (const client of [CI_CLIENT, GATEWAY.clientId]) {
      idp.credentials.addCertificate(client, registered.cert)
      idp.credentials.addFederated(client, { issuer: cluster.issuer, subject: SUBJECT, audience: 'api://AzureADTokenExchange' })
    }
  })
  after(async () => {
    await idp.close()
    await agent.close()
    await cluster.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Trusts the provider's authority. */
  const trusting = ((input: string, init: object) => fetchWith(input, { ...init, dispatcher: agent })) as unknown as typeof fetch

  const keep = (pair: TestCertificate): void => writeFileSync(join(folder, 'tls.pem'), pair.key + pair.cert)
  const certificate = (algorithm: 'PS256' | 'RS256' = 'PS256'): ClientAuthConfig =>
    ({ certificate: { cert: { file: 'tls.pem' }, key: { file: 'tls.pem' }, algorithm } }) as ClientAuthConfig
  const federated: ClientAuthConfig = { federated: { file: 'projected-token' } }
  const project = async (subject = SUBJECT): Promise<void> => writeFileSync(join(folder, 'projected-token'), await cluster.token(subject))

  function open(how: Pick<ClientSettings, 'clientAuth' | 'clientSecret'>) {
    const deps = { fetch: trusting, clock: systemClock, entropy: systemEntropy, log: () => undefined, folder }
    const auth = openClientAuth({ clientId: CI_CLIENT, owner: 'issuer entra', ...how }, deps)
    const grant = { grant_type: 'client_credentials', scope: `${ORDERS_API.uri}/.default` }
    const endpoint = `${idp.authority}/${HOME_TENANT}/oauth2/v2.0/token`
    const ask = () => askToken({ ...deps, endpoint, secretIn: 'body', auth, grant })
    return { ask, close: () => auth.close() }
  }

  async function proofOf(client: ReturnType<typeof open>): Promise<string> {
    const answer = await client.ask()
    if (answer.outcome !== 'granted') return answer.detail
    const { access_token: token } = JSON.parse(Buffer.from(answer.body).toString()) as { readonly access_token: string }
    return `azpacr ${String(decodeJwt(token)['azpacr'])}`
  }

  describe('for a token of its own', () => {
    for (const algorithm of ['PS256', 'RS256'] as const)
      test(`a certificate proves it, with ${algorithm}`, async () => {
        keep(registered)
        const client = open({ clientAuth: certificate(algorithm) })
        assert.equal(await proofOf(client), 'azpacr 2')
        client.close()
      })

    test('a renewed certificate is not used before it is registered, and then it is', async () => {
      keep(registered)
      const client = open({ clientAuth: certificate() })
      assert.equal(await proofOf(client), 'azpacr 2')
      keep(stranger)
      assert.equal(await proofOf(client), 'azpacr 2', 'by the one before')
      client.close()
      const anew = open({ clientAuth: certificate() })
      assert.equal(await proofOf(anew), 'invalid_client, AADSTS700027')
      const next = await testCertificate(Date.now() - DAY, Date.now() + DAY)
      idp.credentials.addCertificate(CI_CLIENT, next.cert)
      keep(next)
      assert.equal(await proofOf(anew), 'azpacr 2')
      anew.close()
    })

    test('the token that the platform projects proves it, and another subject’s does not', async () => {
      const client = open({ clientAuth: federated })
      await project()
      assert.equal(await proofOf(client), 'azpacr 2')
      await project(`${SUBJECT}-2`)
      assert.equal(await proofOf(client), 'invalid_client, AADSTS700213')
      client.close()
    })

    test('a secret proves it, and a wrong one does not', async () => {
      for (const [secret, expected] of [
        [CI_SECRET, 'azpacr 1'],
        ['another', 'invalid_client, AADSTS7000215'],
      ] as const) {
        writeFileSync(join(folder, 'secret'), secret)
        const client = open({ clientSecret: { file: 'secret' } })
        assert.equal(await proofOf(client), expected)
        client.close()
      }
    })
  })

  describe('when somebody signs in', () => {
    let deps: TestDeps
    let identities: Identities | undefined
    after(async () => {
      await identities?.close()
      deps.remove()
    })

    /** From the first redirect to the session, or why there is none. */
    async function signIn(clientAuth: ClientAuthConfig): Promise<string> {
      await identities?.close()
      deps = testDeps({ fetch: trusting, folder })
      deps.clock.advance(systemClock.now() - deps.clock.now())
      const signIn = { clientId: GATEWAY.clientId, clientAuth }
      const config = { kind: 'entra', authority: idp.authority, tenants: [HOME_TENANT], audiences: [ORDERS_API.clientId], signIn }
      identities = testIdentity({ entra: config }, deps)
      const jar = new Jar()
      const at = (): SignInContext => {
        const origin = 'http://orders.localhost:8080'
        return { issuer: 'entra', resource: 'orders', origin, secure: false, cookies: jar.list(), ip: '192.0.2.1' }
      }
      const begun = await identities.signIn.begin({ ...at(), returnTo: '/orders' })
      assert.ok(begun.kind === 'redirect', begun.kind)
      jar.take(begun.setCookies)
      const browser = new Browser(idp.authority, agent)
      const back = new URL((await browser.submit(await browser.open(begun.location), { account: 'reader' })).url)
      assert.equal(back.pathname, '/.ostiary/callback/entra')
      const answer = await identities.signIn.callback({ ...at(), callback: 'entra', query: back.search.slice(1) })
      return answer.kind === 'redirect' ? answer.location : answer.kind
    }

    test('the code is redeemed by a certificate, and by none that is not registered', async () => {
      for (const algorithm of ['PS256', 'RS256'] as const) {
        keep(registered)
        assert.equal(await signIn(certificate(algorithm)), '/orders')
      }
      keep(stranger)
      assert.equal(await signIn(certificate()), 'refused')
      assert.ok(
        deps.lines.some((line) => line.includes('AADSTS700027')),
        deps.lines.join('\n'),
      )
    })

    test('the code is redeemed by a projected token, and by none of another subject', async () => {
      await project()
      assert.equal(await signIn(federated), '/orders')
      await project(`${SUBJECT}-2`)
      assert.equal(await signIn(federated), 'refused')
      assert.ok(
        deps.lines.some((line) => line.includes('AADSTS700213')),
        deps.lines.join('\n'),
      )
    })
  })
})
