/**
 * A real Envoy with what Istio's control plane would make of a policy of which something is only observed: dry runs that enforce nothing, and
 * say what they would do. Not part of `npm test`: it needs the binary, which `src/testing/envoybinary.ts` finds or downloads.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { load, NOW, wiring } from '../../../src/policy/testdata/world.ts'
import { compiled, targetOf, without } from '../../../src/targets/istio/testing.ts'
import { DEFAULT_MESH } from '../../../src/targets/istio/translate/mesh.ts'
import { istioOf } from '../../../src/targets/istio/translate/read.ts'
import { DETAILS, staticEnvoy, TRIED, type StaticWorld } from '../../../src/targets/istio/translate/static.ts'
import { RealEnvoy } from '../../../src/testing/envoy.ts'
import { freePorts } from '../../../src/testing/ports.ts'

const END = new Date(NOW + 1000).toISOString()
const POLICY = `rules: [{ id: open, role: everyone, resource: orders, actions: [GET /open, GET /soon, GET /kept] }]
guardrails:
  - { id: kept, for: [everyone], resource: orders, deny: [GET /kept] }
  - { id: soon, for: [everyone], resource: orders, deny: [GET /soon], mode: observe, until: '${END}' }
`
/** What is observed, when it is compiled, and what comes of each path: the status, and who would have denied it. */
const CASES = {
  guardrail: { open: false, now: NOW, answers: { '/open': [200], '/soon': [200, 'soon'], '/kept': [403], '/other': [403] } },
  resource: {
    open: true,
    now: NOW,
    answers: { '/open': [200], '/soon': [200, 'soon'], '/kept': [200, 'kept'], '/other': [200, 'no rule'] },
  },
  ended: { open: true, now: NOW + 1000, answers: { '/open': [200], '/soon': [403], '/kept': [403], '/other': [403] } },
} as const

describe('dry runs of Istio in a real Envoy', () => {
  let folder: string
  let upstream: Server
  let envoy: RealEnvoy | undefined
  const ports = new Map<string, number>()

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-dryrun-'))
    upstream = createServer((_, response) => void response.end('ok'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const free = [...(await freePorts(Object.keys(CASES).length))]
    const worlds = Object.entries(CASES).map(([name, { open, now }]): StaticWorld => {
      const port = free.pop()!
      ports.set(name, port)
      const orders = { ...wiring.resources['orders']!, ...(open ? { observe: { until: END } } : {}) }
      const { policy, diagnostics } = load(POLICY, { now, wiring: { ...wiring, resources: { ...wiring.resources, orders } } })
      assert.ok(policy !== undefined, JSON.stringify(diagnostics))
      const workload = { namespace: 'shop', selector: { app: 'web' }, ports: [port] }
      const target = targetOf({ ...without('no-app-only-tokens'), workloads: { orders: workload } })
      const result = compiled(policy, target, { issuers: new Map() })
      assert.deepEqual(result.diagnostics, [])
      return {
        name,
        chain: 'http',
        port,
        upstream: (upstream.address() as AddressInfo).port,
        resources: istioOf(JSON.parse(JSON.stringify(result.documents)) as readonly unknown[]),
        mesh: { ...DEFAULT_MESH, pathNormalization: 'DECODE_AND_MERGE_SLASHES' },
        workload: { kind: 'sidecar', namespace: 'shop', labels: { app: 'web' } },
        keys: new Map(),
      }
    })
    envoy = await RealEnvoy.start(folder, staticEnvoy(worlds))
    for (const { name } of worlds) await envoy.port(name)
  })
  after(async () => {
    await envoy?.stop()
    upstream.close()
    upstream.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  })

  const ask = (port: number, path: string) =>
    new Promise<readonly [number, string?]>((resolve, reject) => {
      request({ host: '127.0.0.1', port, path, headers: { host: 'orders.example' }, agent: false }, (response) => {
        response.resume()
        const { headers, statusCode = 0 } = response
        const left = Object.fromEntries(Object.entries(TRIED).map(([name, key]) => [key, headers[name]]))
        const policy = /policy\[ostiary-deny-([a-z]+)-/.exec(String(left['istio_dry_run_deny_shadow_effective_policy_id']))?.[1]
        const would = policy ?? (left['istio_dry_run_allow_shadow_engine_result'] === 'denied' ? 'no rule' : undefined)
        if (statusCode !== 200) assert.match(String(headers[DETAILS]), /^rbac_access_denied/)
        resolve(would === undefined ? [statusCode] : [statusCode, would])
      })
        .on('error', reject)
        .end()
    })

  for (const [name, { answers }] of Object.entries(CASES))
    test(`of a ${name}`, async () => {
      for (const [path, answer] of Object.entries(answers)) assert.deepEqual(await ask(ports.get(name)!, path), answer, path)
    })
})
