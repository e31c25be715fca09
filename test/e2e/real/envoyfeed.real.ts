/**
 * A whole gateway that feeds a real Envoy: what an operator does, and what callers see of it. Not part of `npm test`: it needs the binary,
 * which `src/testing/envoybinary.ts` finds or downloads; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startGateway, type Gateway } from '../../../src/server/start.ts'
import { bootstrapOf } from '../../../src/targets/envoy/bootstrap.ts'
import { eventually, RealEnvoy } from '../../../src/testing/envoy.ts'
import { signToken, testKey, type JsonObject } from '../../../src/testing/tokens.ts'

const first = testKey('one', 'ES256')
const second = testKey('two', 'ES256')
/** For how long the gateway stays away: `OSTIARY_AWAY=600` for ten minutes. */
const AWAY_MS = Number(process.env['OSTIARY_AWAY'] ?? 0) * 1000
const PATIENT_MS = 120_000 + AWAY_MS

describe('a gateway and its Envoy', () => {
  let folder: string
  let upstream: Server
  let gateway: Gateway | undefined
  let envoy: RealEnvoy | undefined
  let port: number
  let xds: number
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const lines: string[] = []

  const rules = (write: string): string => `apiVersion: ostiary.dev/v1
roles:
  reader: { bind: [{ issuer: svc, claim: roles, any: [reader] }] }
  writer: { bind: [{ issuer: svc, claim: roles, any: [writer] }] }
rules:
  - { id: health, role: everyone, resource: api, actions: [GET /healthz] }
  - { id: read, role: [reader, writer], resource: api, actions: ['GET /items/{id}'] }
  - { id: write, role: ${write}, resource: api, actions: [POST /items] }
  - { id: administer, role: writer, resource: ostiary, actions: ['* /**'] }
`
  const wiring = (): string => `apiVersion: ostiary.dev/v1
issuers:
  svc:
    kind: jwt
    issuer: svc
    audiences: [api]
    keys: [{ file: keys.json }]
resources:
  api:
    protocol: http
    hosts: [api.example]
    upstream: { url: 'http://127.0.0.1:${(upstream.address() as AddressInfo).port}' }
doors:
  envoy:
    listen: 127.0.0.1:${xds}
    nodes:
      edge: { listen: 127.0.0.1:0 }
admin: { listen: 127.0.0.1:0 }
`
  const keys = (...all: readonly (typeof first)[]): void => {
    const pems = all.map(({ jwk }) => createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }).export({ format: 'jwk' }))
    writeFileSync(
      join(folder, 'keys.json'),
      JSON.stringify({ keys: pems.map((jwk, i) => ({ ...jwk, kid: all[i]!.kid, alg: 'ES256', use: 'sig' })) }),
    )
  }
  const token = (roles: readonly string[], key = first, more: JsonObject = {}): string => {
    const now = Math.floor(Date.now() / 1000)
    return signToken(key, { iss: 'svc', aud: 'api', sub: 'batch', iat: now, exp: now + 600, roles, ...more })
  }
  const start = async (): Promise<Gateway> => startGateway({ folder, log: (line) => void lines.push(line) })

  /** On the one connection that is kept open. */
  const ask = (method: string, path: string, bearer?: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { host: 'api.example', ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) }
      const sent = request({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!))
      })
      sent.on('error', reject).end()
    })

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-feed-'))
    mkdirSync(join(folder, 'policy'))
    upstream = createServer((_, response) => response.end('ok'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    // The same port again after a restart, so that the Envoy finds its way back.
    const probe = createServer()
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
    xds = (probe.address() as AddressInfo).port
    await new Promise((resolve) => probe.close(resolve))
    keys(first)
    writeFileSync(join(folder, 'ostiary.yaml'), wiring())
    writeFileSync(join(folder, 'policy/p.yaml'), rules('writer'))
    gateway = await start()
    const bootstrap = bootstrapOf({ node: 'edge', server: { host: '127.0.0.1', port: xds }, tls: undefined, admin: undefined })
    envoy = await RealEnvoy.start(mkdtempSync(join(folder, 'envoy-')), bootstrap)
    port = await envoy.port('edge')
    await eventually('it takes requests', async () => (await ask('GET', '/healthz').catch(() => 0)) === 200 || undefined)
  })
  after(async () => {
    agent.destroy()
    await envoy?.stop()
    await gateway?.stop(0)
    upstream.close()
    upstream.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  })

  test('enforces the policy: who may, who may not, and who has to show who they are', async () => {
    assert.equal(await ask('GET', '/healthz'), 200)
    assert.equal(await ask('GET', '/items/7'), 401)
    assert.equal(await ask('GET', '/items/7', token(['reader'])), 200)
    assert.equal(await ask('POST', '/items', token(['reader'])), 403)
    assert.equal(await ask('POST', '/items', token(['writer'])), 200)
    assert.equal(await ask('GET', '/items/7', token(['reader'], second)), 401)
    assert.equal(await ask('GET', '/items/7', token(['reader'], first, { aud: 'other' })), 403)
    await eventually(
      'the gateway knows that it is enforced',
      () => lines.some((line) => line.startsWith('envoy edge: enforces')) || undefined,
    )
  })

  test('a change of the policy is enforced on a connection that is open', async () => {
    const reader = token(['reader'])
    assert.equal(await ask('POST', '/items', reader), 403)
    writeFileSync(join(folder, 'policy/p.yaml'), rules('[reader, writer]'))
    await eventually('the rule grants', async () => (await ask('POST', '/items', reader)) === 200 || undefined)
    writeFileSync(join(folder, 'policy/p.yaml'), rules('writer'))
    await eventually('the rule is gone', async () => (await ask('POST', '/items', reader)) === 403 || undefined)
  })

  test('a key that comes is known, and what a key that left has signed is refused', async () => {
    keys(first, second)
    await eventually('the new key is known', async () => (await ask('GET', '/items/7', token(['reader'], second))) === 200 || undefined)
    assert.equal(await ask('GET', '/items/7', token(['reader'])), 200)
    keys(second)
    await eventually('the old key is not', async () => (await ask('GET', '/items/7', token(['reader']))) === 401 || undefined)
  })

  test('what is revoked is refused on an open connection, within a second or two, and let in when that is taken back', async () => {
    const admin = token(['writer'], second)
    const api = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
      const address = gateway!.admin.url
      const response = await fetch(`${address}${path}`, {
        method,
        headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      assert.ok(response.ok, `${response.status} ${await response.clone().text()}`)
      return (response.status === 204 ? {} : await response.json()) as Record<string, unknown>
    }
    const revoked = token(['reader'], second, { jti: 'stolen' })
    assert.equal(await ask('GET', '/items/7', revoked), 200)
    const { id } = await api('POST', '/api/revocations', { kind: 'token', issuer: 'svc', token: 'stolen', reason: 'lost' })
    await eventually('it is refused', async () => (await ask('GET', '/items/7', revoked)) === 403 || undefined)
    assert.equal(await ask('GET', '/items/7', token(['reader'], second)), 200)
    await api('DELETE', `/api/revocations/${String(id)}`)
    await eventually('it is good again', async () => (await ask('GET', '/items/7', revoked)) === 200 || undefined)
  })

  test('what can not be enforced there is not handed out, and what was stays', async () => {
    const said = lines.length
    writeFileSync(
      join(folder, 'policy/p.yaml'),
      `${rules('[reader, writer]')}guardrails: [{ id: slow, for: [reader], resource: api, actions: [POST /items], limit: { requests: 1, in: 1m } }]\n`,
    )
    await eventually('it is said', () =>
      lines.slice(said).find((line) => /`slow` can not be enforced by Envoy `edge`: `limit:`/.test(line)),
    )
    assert.equal(await ask('POST', '/items', token(['reader'], second)), 403)
    writeFileSync(join(folder, 'policy/p.yaml'), rules('writer'))
  })

  test('while the gateway is away everything goes on, and nothing is sent again when it is back', { timeout: PATIENT_MS }, async () => {
    const settled = (): Promise<string | undefined> =>
      eventually(
        'it is connected',
        () =>
          gateway!.envoys!.status().find(({ acknowledged, desired }) => desired !== undefined && acknowledged === desired)?.acknowledged,
      )
    const version = await settled()
    const drained = await envoy!.stat('listener_manager.listener_modified')
    await gateway!.stop(0)
    gateway = undefined
    const until = performance.now() + AWAY_MS
    let asked = 0
    do {
      assert.equal(await ask('GET', '/items/7', token(['reader'], second)), 200)
      assert.equal(await ask('POST', '/items', token(['reader'], second)), 403)
      asked += 1
      if (asked >= 20) await new Promise((resolve) => setTimeout(resolve, 100))
    } while (asked < 20 || performance.now() < until)
    gateway = await start()
    assert.equal(await settled(), version)
    assert.equal(await ask('GET', '/items/7', token(['reader'], second)), 200)
    assert.equal(await envoy!.stat('listener_manager.listener_modified'), drained)
    writeFileSync(join(folder, 'policy/p.yaml'), rules('[reader, writer]'))
    await eventually('a change arrives', async () => (await ask('POST', '/items', token(['reader'], second))) === 200 || undefined)
  })
})
