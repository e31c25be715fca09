/**
 * Two real Envoys in two stages: a new policy reaches the first alone, a revocation both at once, also when the gateway began again in
 * between. Not part of `npm test`: it needs the binary, which `src/testing/envoybinary.ts` finds or downloads; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { run } from '../../../src/cli/testing.ts'
import { startGateway, type Gateway } from '../../../src/server/start.ts'
import { bootstrapOf } from '../../../src/targets/envoy/bootstrap.ts'
import { eventually, RealEnvoy } from '../../../src/testing/envoy.ts'
import { signToken, testKey } from '../../../src/testing/tokens.ts'

describe('two Envoys in stages', () => {
  const key = testKey('es', 'ES256')
  const NODES = ['canary', 'edge'] as const
  let folder: string
  let upstream: Server
  let gateway: Gateway
  let xds: number
  const envoys: RealEnvoy[] = []
  const ports: number[] = []

  const token = (subject: string): string => {
    const now = Math.floor(Date.now() / 1000)
    return signToken(key, { iss: 'svc', aud: 'api', sub: subject, iat: now, exp: now + 600, roles: ['reader'] })
  }
  const policy = (actions: string): void =>
    writeFileSync(
      join(folder, 'policy/p.yaml'),
      `apiVersion: ostiary.dev/v1
roles:
  reader: { bind: [{ issuer: svc, claim: roles, any: [reader] }] }
rules:
  - { id: administer, role: reader, resource: ostiary, actions: ['* /**'] }
  - { id: read, role: reader, resource: api, actions: [${actions}] }
`,
    )
  const wiring = (): string => `apiVersion: ostiary.dev/v1
issuers:
  svc: { kind: jwt, issuer: svc, audiences: [api], keys: [{ file: keys.json }] }
resources:
  api: { protocol: http, hosts: [api.example], upstream: { url: 'http://127.0.0.1:${(upstream.address() as AddressInfo).port}' } }
doors:
  envoy:
    listen: 127.0.0.1:${xds}
    nodes: { canary: { listen: '127.0.0.1:0' }, edge: { listen: '127.0.0.1:0' } }
rollout:
  stages:
    - { name: canary, targets: [envoy/canary], settle: 1h }
    - { name: everywhere }
admin: { listen: 127.0.0.1:0 }
`
  const start = (): Promise<Gateway> => startGateway({ folder, watch: false })
  const ask = (port: number, path: string, bearer: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { host: 'api.example', authorization: `Bearer ${bearer}` }
      const sent = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!))
      })
      sent.on('error', reject).end()
    })
  const answers = (path: string, bearer: string): Promise<readonly number[]> =>
    Promise.all(ports.map((port) => ask(port, path, bearer).catch(() => 0)))
  const become = (what: string, path: string, bearer: string, ...statuses: readonly number[]): Promise<unknown> =>
    eventually(what, async () => JSON.stringify(await answers(path, bearer)) === JSON.stringify(statuses) || undefined)
  const command = (...args: readonly string[]) => run(...args, '--admin', gateway.admin.url)

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-stages-'))
    mkdirSync(join(folder, 'policy'))
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [key.jwk] }))
    upstream = createServer((_, response) => response.end('ok'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    // The same port again after a restart, so that the Envoys find their way back.
    const probe = createServer()
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
    xds = (probe.address() as AddressInfo).port
    await new Promise((resolve) => probe.close(resolve))
    writeFileSync(join(folder, 'ostiary.yaml'), wiring())
    policy('GET /items')
    gateway = await start()
    process.env['OSTIARY_TOKEN'] = token('operator')
    for (const node of NODES) {
      const bootstrap = bootstrapOf({ node, server: { host: '127.0.0.1', port: xds }, tls: undefined, admin: undefined })
      const envoy = await RealEnvoy.start(mkdtempSync(join(folder, 'envoy-')), bootstrap)
      envoys.push(envoy)
      ports.push(await envoy.port(node))
    }
    await become('both enforce it', '/items', token('somebody'), 200, 200)
  })
  after(async () => {
    delete process.env['OSTIARY_TOKEN']
    for (const envoy of envoys) await envoy.stop()
    await gateway.stop(0)
    upstream.close()
    upstream.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  })

  test('a new policy is enforced by the first alone, and revocations by both', async () => {
    policy('GET /other')
    await gateway.reload()
    await become('the first has it', '/other', token('somebody'), 200, 403)
    assert.deepEqual(await answers('/items', token('somebody')), [403, 200])
    const revoked = await command('revoke', 'subject', 'svc', 'leaver', '--reason', 'left')
    assert.equal(revoked.exit, 0, revoked.err)
    await become('the first refuses it', '/other', token('leaver'), 403, 403)
    await become('and so does the second, with the policy that it has', '/items', token('leaver'), 403, 403)
    assert.deepEqual(await answers('/items', token('somebody')), [403, 200])
  })

  test('a gateway that begins again in the middle keeps the order', async () => {
    await gateway.stop(0)
    gateway = await start()
    await eventually(
      'both are connected, and have what they should',
      () =>
        gateway
          .envoys!.status()
          .every(({ connectedSince, acknowledged, desired }) => connectedSince !== undefined && acknowledged === desired) || undefined,
    )
    assert.deepEqual(await answers('/items', token('somebody')), [403, 200])
    assert.deepEqual(await answers('/other', token('somebody')), [200, 403])
    const again = await command('revoke', 'subject', 'svc', 'second', '--reason', 'left')
    assert.equal(again.exit, 0, again.err)
    await become('a revocation reaches the second', '/items', token('second'), 403, 403)
    const status = await command('envoy', 'status')
    assert.equal(status.exit, 1)
    assert.match(status.out, /^edge: enforces [0-9a-f]{12}, of policy [0-9a-f]{12}: waits for its stage$/m)
    const table = await command('targets', 'status', folder)
    if (process.env['SHOW'] !== undefined) process.stderr.write(`${status.out}\n${table.out}\n`)
    const handed = await command('envoy', 'rollout', 'continue')
    assert.equal(handed.exit, 0, handed.err)
    await become('the second has it', '/other', token('somebody'), 200, 200)
    assert.deepEqual(await answers('/items', token('somebody')), [403, 403])
  })
})
