/** The Azure SDK's own credentials against the Entra-shaped provider over TLS, and their token against a gateway's identity. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { ClientSecretCredential, type ClientSecretCredentialOptions } from '@azure/identity'
import { Agent, fetch as fetchWith } from 'undici'
import { systemClock, systemEntropy } from '../../src/core/clock.ts'
import { ensureDevCa, type DevCa } from '../../src/demo/ca.ts'
import { CI_CLIENT, HOME_TENANT } from '../../src/demo/idp/accounts.ts'
import { startIdp, type Idp } from '../../src/demo/idp/index.ts'
import { CI_SECRET, ORDERS_API } from '../../src/demo/idp/registrations.ts'
import type { Identities } from '../../src/identity/index.ts'
import { identified, said, testDeps, testIdentity, type TestDeps } from '../../src/identity/testing.ts'

let deps: TestDeps
let ca: DevCa
let agent: Agent
let idp: Idp
let identities: Identities

describe('the Azure SDK', () => {
  before(async () => {
    agent = new Agent()
    const trusting = ((input: string, init: object) => fetchWith(input, { ...init, dispatcher: agent })) as unknown as typeof fetch
    // As the SDK does, with the time that it is.
    deps = testDeps({ fetch: trusting })
    deps.clock.advance(systemClock.now() - deps.clock.now())
    ca = await ensureDevCa({ dataDir: deps.dataDir, clock: systemClock, entropy: systemEntropy })
    const read = (file: string): string => readFileSync(file, 'utf8')
    await agent.close()
    agent = new Agent({ connect: { ca: read(ca.caFile) } })
    idp = await startIdp({ port: 0, tls: { cert: read(ca.certFile), key: read(ca.keyFile) } })
    const config = { kind: 'entra', authority: idp.authority, tenants: [HOME_TENANT], audiences: [ORDERS_API.clientId] }
    identities = testIdentity({ entra: config }, deps)
  })
  after(async () => {
    await identities.close()
    await idp.close()
    await agent.close()
    deps.remove()
  })

  const credential = (secret: string): ClientSecretCredential => {
    const options: ClientSecretCredentialOptions & { tlsOptions: { ca: string } } = {
      authorityHost: idp.authority,
      disableInstanceDiscovery: true,
      tlsOptions: { ca: readFileSync(ca.caFile, 'utf8') },
      retryOptions: { maxRetries: 0 },
    }
    return new ClientSecretCredential(HOME_TENANT, CI_CLIENT, secret, options)
  }

  test('gets a token by a client secret, and the gateway knows the app by it', async () => {
    const { token } = await credential(CI_SECRET).getToken(`${ORDERS_API.uri}/.default`)
    const { kind, appOnly, evidence } = await identified(identities, token)
    assert.deepEqual([kind, appOnly, evidence.client], ['workload', true, CI_CLIENT])
    const middle = token.lastIndexOf('.') + 20
    const altered = token.slice(0, middle) + (token[middle] === 'A' ? 'B' : 'A') + token.slice(middle + 1)
    assert.equal(await said(identities, altered), 'signature')
  })

  test('gets none by another secret', async () => {
    await assert.rejects(credential('another').getToken(`${ORDERS_API.uri}/.default`), /invalid_client/)
  })
})
