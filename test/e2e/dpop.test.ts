/** Proof of possession between parts that are not ours: tokens of oidc-provider, proofs of openid-client, through a whole gateway. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Provider, type AdapterFactory, type AdapterPayload } from 'oidc-provider'
import * as client from 'openid-client'
import { stringify } from 'yaml'
import { PROOF_ALGORITHMS } from '../../src/doors/http/deny.ts'
import { algorithmNames } from '../../src/identity/jose/algorithms.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { testKey } from '../../src/testing/tokens.ts'

const AUDIENCE = 'https://orders.example'
const CLIENT = 'orders-cli'
const SECRET = 'a secret of this test only'

let provider: ReturnType<typeof createServer>
let upstream: ReturnType<typeof createServer>
let gateway: Gateway
let folder: string
let issuer: string
let seen: (string | undefined)[] = []

function listen(server: ReturnType<typeof createServer>): Promise<string> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
  )
}

describe('proof of possession', () => {
  before(async () => {
    provider = createServer()
    issuer = await listen(provider)
    const { kid, privateKey } = testKey('provider', 'ES256')
    const kept = new Map<string, AdapterPayload>()
    const adapter: AdapterFactory = (kind) => ({
      upsert: (id, payload) => Promise.resolve(void kept.set(`${kind} ${id}`, payload)),
      find: (id) => Promise.resolve(kept.get(`${kind} ${id}`)),
      findByUserCode: () => Promise.resolve(undefined),
      findByUid: () => Promise.resolve(undefined),
      consume: () => Promise.resolve(),
      destroy: (id) => Promise.resolve(void kept.delete(`${kind} ${id}`)),
      revokeByGrantId: () => Promise.resolve(),
    })
    const oidc = new Provider(issuer, {
      adapter,
      ttl: { ClientCredentials: 600 },
      clients: [
        {
          client_id: CLIENT,
          client_secret: SECRET,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          token_endpoint_auth_method: 'client_secret_post',
          id_token_signed_response_alg: 'ES256',
        },
      ],
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' } as never] },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        dPoP: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => AUDIENCE,
          getResourceServerInfo: () => ({ scope: '', audience: AUDIENCE, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
        },
      },
    })
    const answer = oidc.callback()
    provider.on('request', (request, response) => void answer(request, response))
    upstream = createServer((request, response) => {
      seen.push(request.headers['dpop'] as string | undefined)
      response.end('order')
    })
    const target = await listen(upstream)
    folder = mkdtempSync(join(tmpdir(), 'ostiary-dpop-'))
    mkdirSync(join(folder, 'policy'))
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      dataDir: 'data',
      issuers: { idp: { kind: 'oidc', issuer, audiences: [AUDIENCE], clients: [CLIENT] } },
      resources: { orders: { protocol: 'http', hosts: ['127.0.0.1'], upstream: { url: target } } },
      dpop: { nonce: 'required' },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
    }
    const policy = {
      apiVersion: 'ostiary.dev/v1',
      roles: { admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] } },
      rules: [
        { id: 'read', role: 'authenticated', resource: 'orders', actions: ['GET /orders', 'GET /plans'] },
        { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
      ],
      guardrails: [
        { id: 'bound', require: { proofOfPossession: 'dpop' }, actions: ['GET /plans'], resource: 'orders', for: ['authenticated'] },
      ],
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy))
    gateway = await startGateway({ folder, watch: false, log: () => undefined })
  })

  after(async () => {
    await gateway.stop(0)
    for (const server of [provider, upstream]) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
    rmSync(folder, { recursive: true, force: true })
  })

  const url = (path: string): URL => new URL(`http://127.0.0.1:${gateway.doors[0]!.port}${path}`)

  async function configuration(): Promise<client.Configuration> {
    const found = await client.discovery(new URL(issuer), CLIENT, SECRET, client.ClientSecretPost(SECRET), {
      execute: [client.allowInsecureRequests],
    })
    return found
  }

  test('a token that is bound by oidc-provider opens the door for openid-client, and for nobody without its key', async () => {
    const config = await configuration()
    const handle = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
    const tokens = await client.clientCredentialsGrant(config, { resource: AUDIENCE }, { DPoP: handle })
    assert.equal(tokens.token_type, 'dpop')
    const fetchOrders = (path: string, DPoP?: client.DPoPHandle) =>
      client.fetchProtectedResource(config, tokens.access_token, url(path), 'GET', undefined, undefined, DPoP === undefined ? {} : { DPoP })
    seen = []
    for (const path of ['/orders', '/plans', '/orders?page=2']) {
      const answer = await fetchOrders(path, handle)
      assert.equal(answer.status, 200, `${path}: the client took the nonce of our refusal by itself`)
      assert.equal(await answer.text(), 'order')
    }
    assert.deepEqual(seen, [undefined, undefined, undefined], 'no proof reaches the resource')

    const stolen = await fetch(url('/orders'), { headers: { authorization: `Bearer ${tokens.access_token}` } })
    assert.equal(stolen.status, 401)
    assert.match(stolen.headers.get('www-authenticate') ?? '', /^DPoP .*error="invalid_token"/)
    const strange = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
    await assert.rejects(fetchOrders('/orders', strange), /invalid_dpop_proof|WWW-Authenticate/)
  })

  test('the algorithms that the door announces are those that proofs are judged by', () => {
    assert.deepEqual(PROOF_ALGORITHMS.split(' '), [...algorithmNames])
  })

  test('a guardrail that requires possession tells a bearer token what would do', async () => {
    const config = await configuration()
    const { access_token: bearer } = await client.clientCredentialsGrant(config, { resource: AUDIENCE })
    const ask = (path: string) => fetch(url(path), { headers: { authorization: `Bearer ${bearer}` } })
    assert.equal((await ask('/orders')).status, 200)
    const refused = await ask('/plans')
    assert.equal(refused.status, 401)
    assert.match(refused.headers.get('www-authenticate') ?? '', /^DPoP realm="orders", algs="[^"]*ES256[^"]*", error="invalid_token"/)
    assert.equal(((await refused.json()) as { type: string }).type, 'https://ostiary.dev/errors/http/step-up')
  })
})
