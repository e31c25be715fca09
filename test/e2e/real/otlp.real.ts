/**
 * A real Envoy that a mesh configures, as far as its access log goes: what it tells over OpenTelemetry's protocol is in the gateway's record, and
 * `explain` says who denied. Not part of `npm test`: it needs the binary; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ATTRIBUTES_FOR_GATEWAY } from '../../../src/envoy/attributes.ts'
import { startGateway } from '../../../src/server/start.ts'
import { eventually, RealEnvoy } from '../../../src/testing/envoy.ts'

const TYPE = 'type.googleapis.com/'
const HTTP = `${TYPE}envoy.extensions.filters.http`
/** As Istio calls the policies of what is compiled for it. */
const SOON = 'ns[shop]-policy[ostiary-deny-soon-0123456789]-rule[0]'
const GUESTS = 'ns[shop]-policy[ostiary-deny-no-guests-0123456789]-rule[0]'

/** An Envoy whose policy denies `DELETE` by that name, and which tells the gateway. */
function bootstrap(gateway: number): Readonly<Record<string, unknown>> {
  const denied = { permissions: [{ header: { name: ':method', stringMatch: { exact: 'DELETE' } } }], principals: [{ any: true }] }
  const soon = { permissions: [{ header: { name: ':method', stringMatch: { exact: 'GET' } } }], principals: [{ any: true }] }
  const tried = { shadowRules: { action: 'DENY', policies: { [SOON]: soon } }, shadowRulesStatPrefix: 'istio_dry_run_deny_' }
  const values = Object.entries(ATTRIBUTES_FOR_GATEWAY).map(([key, stringValue]) => ({ key, value: { stringValue } }))
  const manager = {
    '@type': `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    statPrefix: 'orders',
    routeConfig: {
      virtualHosts: [{ name: 'orders', domains: ['*'], routes: [{ match: { prefix: '/' }, directResponse: { status: 204 } }] }],
    },
    accessLog: [
      {
        name: 'envoy.access_loggers.open_telemetry',
        typedConfig: {
          '@type': `${TYPE}envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
          commonConfig: {
            logName: 'otel',
            transportApiVersion: 'V3',
            bufferFlushInterval: '0.1s',
            grpcService: { envoyGrpc: { clusterName: 'gateway' } },
          },
          attributes: { values },
        },
      },
    ],
    httpFilters: [
      {
        name: 'envoy.filters.http.rbac',
        typedConfig: { '@type': `${HTTP}.rbac.v3.RBAC`, rules: { action: 'DENY', policies: { [GUESTS]: denied } }, ...tried },
      },
      { name: 'envoy.filters.http.router', typedConfig: { '@type': `${HTTP}.router.v3.Router` } },
    ],
  }
  const socketAddress = (portValue: number) => ({ socketAddress: { address: '127.0.0.1', portValue } })
  return {
    node: { id: 'sidecar~orders', cluster: 'orders' },
    staticResources: {
      listeners: [
        {
          name: 'in',
          address: socketAddress(0),
          filterChains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typedConfig: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'gateway',
          type: 'STATIC',
          loadAssignment: { clusterName: 'gateway', endpoints: [{ lbEndpoints: [{ endpoint: { address: socketAddress(gateway) } }] }] },
          typedExtensionProtocolOptions: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': `${TYPE}envoy.extensions.upstreams.http.v3.HttpProtocolOptions`,
              explicitHttpConfig: { http2ProtocolOptions: {} },
            },
          },
        },
      ],
    },
  }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

describe('an Envoy that tells over OpenTelemetry’s protocol', () => {
  test('is in the record, with the guardrail that denied by its own id, and nothing of the query', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ostiary-otlp-'))
    const checks = await freePort()
    mkdirSync(join(folder, 'policy'))
    writeFileSync(
      join(folder, 'ostiary.yaml'),
      `apiVersion: ostiary.dev/v1
issuers: { idp: { kind: oidc, issuer: 'https://idp.example', audiences: [api], claims: { groups: list } } }
resources: { orders: { protocol: http, hosts: [orders.example], upstream: { url: 'http://127.0.0.1:9' } } }
doors: { envoy: { listen: '127.0.0.1:0', checks: { listen: '127.0.0.1:${checks}' }, nodes: {} } }
`,
    )
    writeFileSync(
      join(folder, 'policy/p.yaml'),
      `apiVersion: ostiary.dev/v1
roles: { reader: { bind: [{ issuer: idp, claim: groups, any: [readers] }] } }
rules:
  - { id: read, role: reader, resource: orders, actions: [GET /items] }
  - { id: administer, role: reader, resource: ostiary, actions: ['* /**'] }
guardrails:
  - { id: no-guests, for: [everyone], resource: orders, deny: ['DELETE /**'] }
  - { id: soon, for: [everyone], resource: orders, deny: ['GET /**'], mode: observe, until: '2999-01-01T00:00:00Z' }
`,
    )
    const gateway = await startGateway({ folder, log: () => undefined })
    let envoy: RealEnvoy | undefined
    try {
      envoy = await RealEnvoy.start(mkdtempSync(join(folder, 'envoy-')), bootstrap(checks))
      const url = `http://127.0.0.1:${await envoy.port('in')}`
      const headers = { 'x-request-id': '0c1d3b0e-0000-4000-8000-000000000001' }
      const answer = await eventually('it takes connections', () =>
        fetch(`${url}/items/7?key=never`, { method: 'DELETE', headers }).catch(() => undefined),
      )
      assert.equal(answer.status, 403)
      assert.equal((await fetch(`${url}/items?key=never`)).status, 204)
      const told = await eventually('both are recorded', () => {
        const texts = readdirSync(join(folder, 'data/audit'))
          .filter((name) => name.endsWith('.jsonl'))
          .map((name) => readFileSync(join(folder, 'data/audit', name), 'utf8'))
        assert.doesNotMatch(texts.join(), /never/)
        const records = texts
          .flatMap((text) => text.split('\n'))
          .filter((line) => line.includes('"envoy-access"'))
          .map((line) => (JSON.parse(line) as { readonly details: Readonly<Record<string, unknown>> }).details)
        return records.length < 2 ? undefined : records
      })
      const denied = told.find(({ status }) => status === 403)!
      // Not by us is its resource known: the host that it was asked for is that of its own address.
      assert.deepEqual(
        [denied['node'], denied['method'], denied['path'], denied['deniedBy'], denied['bestEffort']],
        ['sidecar~orders', 'DELETE', '/items/7', 'no-guests', true],
      )
      assert.match(String(denied['why']), /^rbac_access_denied_matched_policy\[ns\[shop\]/)
      const passed = told.find(({ status }) => status === 204)!
      assert.deepEqual(
        [passed['method'], passed['path'], passed['deniedBy'], passed['wouldBeDeniedBy']],
        ['GET', '/items', undefined, 'soon'],
      )
      assert.equal(denied['wouldBeDeniedBy'], undefined)
    } finally {
      await envoy?.stop()
      await gateway.stop(0)
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
