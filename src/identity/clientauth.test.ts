/** A real provider, not ours: oidc-provider verifies the assertions by which the gateway proves itself. */
import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import type Provider from 'oidc-provider'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock, systemEntropy } from '../core/clock.ts'
import { memoryStore } from '../demo/idp/adapter.ts'
import { openClientAuth } from '../secrets/clientauth/index.ts'
import { testCertificate, type TestCertificate } from '../secrets/clientauth/testdata/certificates.ts'
import { askToken, type TokenAnswer } from '../secrets/clientauth/tokenendpoint.ts'
import { issuerConfig } from './testing.ts'

const DAY = 86_400_000
let folder: string
let server: Server
let issuer: string
let provider: Provider
let registered: TestCertificate
let stranger: TestCertificate

before(async () => {
  registered = await testCertificate(Date.now() - DAY, Date.now() + DAY)
  stranger = await testCertificate(Date.now() - DAY, Date.now() + DAY)
  folder = mkdtempSync(join(tmpdir(), 'clientauth-'))
  server = createServer((request, response) => void provider.callback()(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { default: ProviderClass } = await import('oidc-provider')
  const jwk = createPublicKey(registered.cert).export({ format: 'jwk' })
  const client = (id: string, algorithm: string) => ({
    client_id: id,
    token_endpoint_auth_method: 'private_key_jwt' as const,
    token_endpoint_auth_signing_alg: algorithm as 'PS256',
    grant_types: ['client_credentials' as const],
    response_types: [],
    redirect_uris: [],
    jwks: { keys: [{ ...jwk, use: 'sig', kid: 'gateway' }] },
  })
  provider = new ProviderClass(issuer, {
    adapter: memoryStore(),
    ttl: { ClientCredentials: 600 },
    clients: [client('by-ps256', 'PS256'), client('by-rs256', 'RS256')],
    clientAuthMethods: ['private_key_jwt'],
    enabledJWA: { clientAuthSigningAlgValues: ['PS256', 'RS256'] },
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    jwks: {
      keys: [
        {
          ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
          use: 'sig',
          kid: 'provider',
        } as never,
      ],
    },
    cookies: { keys: [createHash('sha256').update(folder).digest('hex')] },
  })
})

after(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(folder, { recursive: true, force: true })
})

function ask(clientId: string, algorithm: 'PS256' | 'RS256', pair: TestCertificate): Promise<TokenAnswer> {
  writeFileSync(join(folder, 'tls.pem'), `${pair.key}${pair.cert}`)
  const config = issuerConfig({
    kind: 'oidc',
    issuer,
    audiences: ['orders'],
    signIn: { clientId, clientAuth: { certificate: { cert: { file: 'tls.pem' }, key: { file: 'tls.pem' }, algorithm } } },
  }) as unknown as { signIn: { clientAuth: NonNullable<Parameters<typeof openClientAuth>[0]['clientAuth']> } }
  const deps = { fetch, clock: systemClock, entropy: systemEntropy, log: () => undefined, folder }
  const auth = openClientAuth({ clientId, owner: 'issuer idp', clientAuth: config.signIn.clientAuth }, deps)
  const grant = { grant_type: 'client_credentials' }
  return askToken({ ...deps, endpoint: `${issuer}/token`, secretIn: 'header', auth, grant }).finally(() => auth.close())
}

for (const [clientId, algorithm] of [
  ['by-ps256', 'PS256'],
  ['by-rs256', 'RS256'],
] as const)
  test(`oidc-provider takes the assertion that the gateway signs with ${algorithm}`, async () => {
    const answer = await ask(clientId, algorithm, registered)
    assert.ok(answer.outcome === 'granted', answer.outcome === 'refused' ? answer.detail : answer.outcome)
    assert.equal(typeof (JSON.parse(Buffer.from(answer.body).toString()) as Record<string, unknown>)['access_token'], 'string')
  })

test('oidc-provider refuses one of another key, and one of another algorithm', async () => {
  for (const answer of [await ask('by-ps256', 'PS256', stranger), await ask('by-ps256', 'RS256', registered)])
    assert.deepEqual(answer, { outcome: 'refused', error: 'invalid_client', codes: [], detail: 'invalid_client' })
})

test('a client proves itself in one way', () => {
  const secret = { clientSecret: { env: 'SECRET' } }
  const configure = (signIn: object) =>
    issuerConfig({ kind: 'oidc', issuer, audiences: ['orders'], signIn: { clientId: 'gateway', ...signIn } })
  assert.throws(() => configure({ ...secret, clientAuth: { managedIdentity: {} } }), /either `clientSecret` or `clientAuth`/)
  assert.throws(() => configure({ clientAuth: {} }), /one of `certificate`, `federated` and `managedIdentity`/)
  assert.throws(() => configure({ clientAuth: { managedIdentity: {}, federated: { file: 'token' } } }), /one of `certificate`/)
  assert.ok(configure(secret))
})
