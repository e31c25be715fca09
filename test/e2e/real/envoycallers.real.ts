/**
 * A real Envoy that is sent whom it lets in apart from its routes: each route finds the callers that it was made with, or lets in nobody.
 * Not part of `npm test`: it needs the binary, which `src/testing/envoybinary.ts` finds or downloads; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../../../src/core/clock.ts'
import type { Callers } from '../../../src/envoy/callers.ts'
import { XdsServer } from '../../../src/envoy/xds/server.ts'
import { compileNative } from '../../../src/policy/native/compile.ts'
import { load } from '../../../src/policy/testdata/world.ts'
import { bootstrapOf } from '../../../src/targets/envoy/bootstrap.ts'
import { callersIn, emitEnvoy, type EnvoyConfiguration, type EnvoyResource } from '../../../src/targets/envoy/emit.ts'
import { Pieces } from '../../../src/targets/envoy/pieces.ts'
import { eventually, RealEnvoy } from '../../../src/testing/envoy.ts'

describe('whom an Envoy lets in', () => {
  let folder: string
  let upstream: Server
  let server: XdsServer
  let envoy: RealEnvoy | undefined
  let port: number
  let resource: EnvoyResource
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-callers-'))
    upstream = createServer((_, response) => void response.end('ok'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const { policy, diagnostics } = load(`rules: [{ id: open, role: everyone, resource: orders, actions: ['GET /**'] }]`)
    assert.ok(policy !== undefined, JSON.stringify(diagnostics))
    const { native } = compileNative({ model: policy.model, resource: 'orders', issuers: new Map() })
    const to = { host: '127.0.0.1', port: (upstream.address() as AddressInfo).port, tls: undefined, http2: false, connectTimeout: 2000 }
    resource = { native, hosts: ['orders.example'], upstream: to, websocket: false, forwardAuthorization: false }
    const trust = { loopback: true } as const
    server = new XdsServer({
      host: '127.0.0.1',
      port: 0,
      trust,
      clock: systemClock,
      where: 'here',
      onFault: (error) => assert.fail(String(error)),
    })
    const address = { host: '127.0.0.1', port: await server.start() }
    publish(emitted())
    envoy = await RealEnvoy.start(folder, bootstrapOf({ node: 'edge', server: address, tls: undefined, admin: undefined }))
    await accepted()
    port = await envoy.port('edge')
  })
  after(async () => {
    agent.destroy()
    await envoy?.stop()
    await server.stop()
    upstream.close()
    upstream.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  })

  function emitted(formerCallers?: Callers): EnvoyConfiguration {
    const address = { host: '127.0.0.1', port: 0 }
    const former = formerCallers === undefined ? {} : { formerCallers }
    return emitEnvoy({ name: 'edge', address, resources: [resource], keys: new Map(), tls: undefined, logs: undefined, ...former })
  }

  /** What is sent with another text in its place, in the routes or in the extensions. */
  function changed(made: EnvoyConfiguration, where: 'routes' | 'extensions', from: string, to: string): EnvoyConfiguration {
    const before = JSON.stringify(made[where])
    assert.ok(before.includes(from), from)
    return { ...made, [where]: JSON.parse(before.replaceAll(from, to)) as EnvoyConfiguration[typeof where] }
  }

  function publish(made: EnvoyConfiguration): void {
    server.publish('edge', new Pieces().snapshot(made))
  }

  async function accepted(): Promise<void> {
    await eventually('it is accepted', () => {
      const [status] = server.status()
      return (status?.desired !== undefined && status.desired === status.acknowledged) || undefined
    })
  }

  async function asked(host = 'orders.example'): Promise<number> {
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path: '/a', headers: { host }, agent }, (response) =>
        response.resume().on('end', () => resolve(response.statusCode!)),
      )
        .on('error', reject)
        .end()
    })
  }

  async function comesTo(made: EnvoyConfiguration, status: number): Promise<void> {
    publish(made)
    await accepted()
    await eventually(`the answer is ${status}`, async () => (await asked()) === status || undefined)
  }

  test('is who the route names, on a connection that stays open', async () => {
    const made = emitted()
    const [nobody] = callersIn([resource]).keys()
    assert.equal(await asked(), 200)
    // No route, and with it no name: not a matter of callers alone, but never let through.
    assert.notEqual(await asked('other.example'), 200)
    await comesTo(changed(made, 'routes', nobody!, `${nobody}x`), 401)
    await comesTo(made, 200)
    // Of the other content, with the route of before: it is not let in by what it wasn't made with.
    await comesTo(changed(made, 'extensions', nobody!, `${nobody}x`), 401)
    await comesTo(emitted(), 200)
    await comesTo(changed(made, 'routes', `"callers":["${nobody}"]`, '"callers":[]'), 401)
    await comesTo(changed(made, 'routes', `"callers":["${nobody}"]`, `"others":["${nobody}"]`), 401)
    await comesTo(made, 200)
  })

  test('stays while routes of before are there', async () => {
    const made = emitted()
    const [nobody] = callersIn([resource]).keys()
    const other = `${nobody}x`
    const former: Callers = callersIn([resource])
    // Both are there: the route goes over from one to the other, and back.
    const both = (extensions: EnvoyConfiguration): EnvoyConfiguration => ({
      ...extensions,
      extensions: emitted(new Map([...former].map(([, policies]) => [other, policies]))).extensions,
    })
    await comesTo(both(made), 200)
    publish(both(changed(made, 'routes', nobody!, other)))
    for (let i = 0; i < 50; i++) assert.equal(await asked(), 200)
    await accepted()
    assert.equal(await asked(), 200)
  })
})
