/**
 * A real Envoy with a resource and a guardrail that are only observed, and nobody who would tell it that this has ended. Not part of
 * `npm test`: it needs the binary, which `src/testing/envoybinary.ts` finds or downloads; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { compileNative } from '../../../src/policy/native/compile.ts'
import { load, wiring } from '../../../src/policy/testdata/world.ts'
import { asStatic, emitEnvoy } from '../../../src/targets/envoy/emit.ts'
import { RealEnvoy } from '../../../src/testing/envoy.ts'
import { send } from './envoyworld.ts'

/** Until when both are observed, counted from the start of the Envoy. */
const OBSERVED_MS = 6_000

describe('what an Envoy only observes', () => {
  let folder: string
  let upstream: Server
  let envoy: RealEnvoy | undefined
  let port: number
  let end: number

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-observed-'))
    upstream = createServer((_, response) => void response.end('ok'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    end = Date.now() + OBSERVED_MS
    const until = new Date(end).toISOString()
    const resources = { ...wiring.resources, orders: { ...wiring.resources['orders']!, observe: { until } } }
    const { policy, diagnostics } = load(
      `rules: [{ id: open, role: everyone, resource: [orders, wiki], actions: [GET /open, GET /soon] }]
guardrails: [{ id: soon, for: [everyone], resource: wiki, deny: [GET /soon], mode: observe, until: '${until}' }]
`,
      { wiring: { ...wiring, resources }, now: Date.now() },
    )
    assert.ok(policy !== undefined, JSON.stringify(diagnostics))
    const to = { host: '127.0.0.1', port: (upstream.address() as AddressInfo).port, tls: undefined, http2: false, connectTimeout: 2000 }
    const carried = ['orders', 'wiki'].map((resource) => {
      const { native, refused } = compileNative({ model: policy.model, resource, issuers: new Map() })
      assert.deepEqual(refused, [])
      return { native, hosts: [`${resource}.example`], upstream: to, websocket: false, forwardAuthorization: false }
    })
    const address = { host: '127.0.0.1', port: 0 }
    const made = emitEnvoy({ name: 'edge', address, resources: carried, keys: new Map(), tls: undefined, logs: undefined })
    envoy = await RealEnvoy.start(folder, asStatic(made))
    port = await envoy.port('edge')
  })
  after(async () => {
    await envoy?.stop()
    upstream.close()
    upstream.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  })

  const ask = (resource: string, path: string): Promise<number> =>
    send(port, `GET ${path} HTTP/1.1\r\nHost: ${resource}.example\r\nConnection: close\r\n\r\n`)

  test('is let through until the instant at which it ends, and not from then on', async () => {
    const told = { before: 0, after: 0 }
    while (Date.now() < end + 1_500) {
      const sent = Date.now()
      const statuses = await Promise.all([ask('orders', '/any'), ask('wiki', '/soon'), ask('orders', '/open'), ask('wiki', '/any')])
      if (Date.now() < end) {
        told.before++
        assert.deepEqual(statuses, [200, 200, 200, 401], `${end - sent} ms before its end`)
      } else if (sent >= end) {
        told.after++
        assert.deepEqual(statuses, [401, 401, 200, 401], `${sent - end} ms after its end`)
      }
      await wait(50)
    }
    assert.ok(told.before > 5 && told.after > 5, JSON.stringify(told))
  })
})
