/** Documents as they are written: their forms, what the gateway is asked about, and what can't be carried. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fromReadable } from '../../envoy/any.ts'
import { FILTERS } from '../../envoy/filters.ts'
import { ClusterSchema } from '../../envoy/messages/envoy/config/cluster/v3/cluster_pb.ts'
import { FilterSchema } from '../../envoy/messages/envoy/config/listener/v3/listener_components_pb.ts'
import { VirtualHostSchema } from '../../envoy/messages/envoy/config/route/v3/route_components_pb.ts'
import { HttpFilterSchema } from '../../envoy/messages/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { Json } from '../../envoy/rbac.ts'
import { load } from '../../policy/testdata/world.ts'
import { loadConfiguration } from '../../server/configuration.ts'
import { nativeIssuers } from '../../server/families.ts'
import type { TargetDocument, TargetResult } from '../target.ts'
import { compileKuma } from './emit.ts'
import { evaluateKuma, translateKuma } from './evaluate.ts'
import { kumaSchema, type KumaTarget } from './schema.ts'
import { plainInbound } from './testdata/inbound.ts'
import { compiled, kumaConfig, LABELS, wiringOf } from './testdata/world.ts'

const workload = (more: object = {}): object => ({ labels: LABELS, inbound: { port: 8000, name: 'main', protocol: 'http' }, ...more })
const WEB = 'spiffe://default.zone1.mesh.local/ns/shop/sa/web'
const READ = "rules: [{ id: r, role: authenticated, resource: [orders, wiki], actions: ['GET /**'] }]\n"
const LIMITED = `${READ}guardrails: [{ id: slow, for: [authenticated], resource: orders, actions: ['GET /**'], limit: { requests: 5, in: 1m } }]\n`
const GATEWAY = {
  gateway: { host: 'gate.example', port: 9443, tls: { cert: '/c.pem', key: '/k.pem', ca: '/ca.pem', serverName: 'gate.example' } },
}

function compile(text: string, config: KumaTarget, wiring = wiringOf()): TargetResult {
  const { policy, diagnostics } = load(text)
  assert.ok(policy !== undefined, JSON.stringify(diagnostics))
  return compiled({ policy, config, wiring })
}

function messages({ diagnostics }: TargetResult): readonly string[] {
  return diagnostics.map(({ code, message, help }) => `${code}: ${message} (${help})`)
}

function modifications(document: TargetDocument): readonly Json[] {
  return ((document['spec'] as Json)['default'] as Json)['appendModifications'] as readonly Json[]
}

function problemsOf(config: object): string {
  const result = kumaSchema.safeParse({ kind: 'kuma', version: '2.14', mode: 'universal', workloads: { orders: workload() }, ...config })
  return result.success ? '' : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n')
}

describe('documents', () => {
  test('are the same for the same input, and say what they are of', () => {
    const half = { wiki: workload(), orders: workload({ peers: [{ exact: WEB }] }) }
    assert.match(problemsOf({ workloads: half }), /share an inbound, and only one of them names `peers`/)
    const fine = kumaConfig({
      workloads: {
        wiki: workload({ peers: [{ exact: WEB }] }),
        orders: workload({ peers: [{ exact: WEB }, { prefix: 'spiffe://d/ns/' }] }),
      },
    })
    const other = kumaConfig({
      workloads: {
        orders: workload({ peers: [{ exact: WEB }, { prefix: 'spiffe://d/ns/' }] }),
        wiki: workload({ peers: [{ exact: WEB }] }),
      },
    })
    const { documents } = compile(READ, fine)
    assert.equal(JSON.stringify(documents), JSON.stringify(compile(READ, other).documents))
    const [, permission] = documents
    assert.deepEqual(permission, {
      type: 'MeshTrafficPermission',
      mesh: 'default',
      name: 'ostiary-mesh-orders-8000',
      labels: {
        'ostiary.dev/gateway': 'gate',
        'ostiary.dev/target': 'mesh',
        'ostiary.dev/workload': 'orders',
        'ostiary.dev/revision': 'a1'.repeat(20),
      },
      spec: {
        targetRef: { kind: 'Dataplane', labels: LABELS, sectionName: 'main' },
        rules: [
          {
            default: {
              allow: [{ spiffeID: { type: 'Exact', value: WEB } }, { spiffeID: { type: 'Prefix', value: 'spiffe://d/ns/' } }],
            },
          },
        ],
      },
    })
  })

  test('have the form of Kubernetes there', () => {
    const { documents } = compile(
      READ,
      kumaConfig({ mode: 'kubernetes', mesh: 'shop', workloads: { orders: workload({ strictTls: true }) } }),
    )
    assert.deepEqual(documents[0], {
      apiVersion: 'kuma.io/v1alpha1',
      kind: 'MeshTLS',
      metadata: {
        name: 'ostiary-mesh-orders',
        namespace: 'kuma-system',
        labels: {
          'kuma.io/mesh': 'shop',
          'ostiary.dev/gateway': 'gate',
          'ostiary.dev/target': 'mesh',
          'ostiary.dev/workload': 'orders',
          'ostiary.dev/revision': 'a1'.repeat(20),
        },
      },
      spec: { targetRef: { kind: 'Dataplane', labels: LABELS }, rules: [{ default: { mode: 'Strict' } }] },
    })
  })

  test('name services where there is no workload identity, up to 2.14', () => {
    const workloads = { orders: workload({ peers: [{ service: 'web' }] }) }
    const { documents } = compile(READ, kumaConfig({ workloads }))
    const { from } = documents[1]!['spec'] as Json
    assert.deepEqual(from, [{ targetRef: { kind: 'MeshSubset', tags: { 'kuma.io/service': 'web' } }, default: { action: 'Allow' } }])
    assert.match(JSON.stringify(documents[0]), /spiffe:\/\/default\/web/)
    assert.match(problemsOf({ version: '3.0', workloads }), /gone in 3\.0/)
    assert.match(
      problemsOf({ workloads: { orders: workload({ peers: [{ service: 'web' }, { exact: WEB }] }) } }),
      /of both, Kuma drops the former/,
    )
  })

  test('tell of requests where they are told to', () => {
    const logsOf = (more: object): Json =>
      compile(READ, kumaConfig({ workloads: { orders: workload() }, ...more })).documents[1]!['spec'] as Json
    assert.match(
      JSON.stringify(logsOf({ logs: { endpoint: 'otel.example:4317' } })),
      /"openTelemetry":\{"endpoint":"otel\.example:4317","attributes":\[/,
    )
    assert.match(
      JSON.stringify(logsOf({ version: '3.0', logs: { backend: 'otel' } })),
      /"backendRef":\{"kind":"MeshOpenTelemetryBackend","name":"otel"\}/,
    )
    assert.match(problemsOf({ version: '3.0', logs: { endpoint: 'x:1' } }), /gone in 3\.0/)
    assert.match(problemsOf({ logs: { gateway: true } }), /needs `gateway`/)
    const [patch, ...others] = compile(
      READ,
      kumaConfig({ workloads: { orders: workload() }, logs: { gateway: true }, ...GATEWAY }),
    ).documents
    assert.deepEqual(others, [])
    assert.match(JSON.stringify(patch), /HttpGrpcAccessLogConfig/)
    assert.match(JSON.stringify(patch), /default\/orders/)
  })

  test('hold nothing that Envoy’s messages don’t know', () => {
    const config = kumaConfig({
      workloads: { orders: workload({ peers: [{ exact: WEB }] }) },
      delegate: ['orders'],
      logs: { gateway: true },
      ...GATEWAY,
    })
    for (const [one, kinds] of [
      [compile(READ, kumaConfig({ workloads: { orders: workload(), wiki: workload() } })), 6],
      [compile(LIMITED, config), 10],
    ] as const) {
      const all = modifications(one.documents[0]!)
      assert.equal(all.length, kinds)
      for (const modification of all) {
        const [kind, inner] = Object.entries(modification)[0]!
        const value = JSON.parse((inner as Json)['value'] as string)
        if (kind === 'cluster') fromReadable(ClusterSchema, value)
        else if (kind === 'networkFilter') fromReadable(FilterSchema, value)
        else if (kind === 'httpFilter') fromReadable(HttpFilterSchema, value)
        else fromReadable(VirtualHostSchema, value)
      }
    }
  })
})

describe('what the gateway is asked about', () => {
  const config = kumaConfig({ workloads: { orders: workload() }, delegate: ['orders'], ...GATEWAY })
  const { documents, resources, diagnostics } = compile(LIMITED, config)
  const listener = plainInbound({ port: 8000, service: 's', protocol: 'http', transports: [undefined] })
  const { listeners, clusters } = translateKuma(documents, { mesh: 'default', labels: LABELS }, [{ port: 8000, listener }])
  const ask = (more: object): boolean =>
    evaluateKuma(
      listeners[0]!,
      { host: 'orders.example', port: 8000, method: 'GET', path: '/a', authorization: 'Basic YTpi', token: undefined, time: 0, ...more },
      { wholly: (pattern, text) => new RegExp(`^(?:${pattern})$`).test(text), anywhere: () => false },
    ).allowed

  test('has none of its policy told, and passes only what was answered for it', () => {
    assert.deepEqual(diagnostics, [])
    assert.deepEqual(resources, [{ name: 'orders', delegated: true, rules: 0, guardrails: 0 }])
    assert.deepEqual(
      clusters.map(({ name }) => name),
      ['ostiary.checks'],
    )
    assert.equal(ask({ checked: { ostiary: 'orders' } }), true)
    assert.equal(ask({ checked: { ostiary: 'wiki' } }), false)
    assert.equal(ask({}), false)
    assert.equal(ask({ checked: { ostiary: 'orders' }, host: 'wiki.example' }), false)
    assert.equal(ask({ checked: { ostiary: 'orders' }, path: '/%61' }), false)
  })

  test('is put to it with the name of the resource, and nothing passes while it does not answer', () => {
    const text = JSON.stringify(listeners)
    assert.match(text, /"failureModeAllow":false,"statusOnError":\{"code":503\}/)
    assert.match(text, /"checkSettings":\{"contextExtensions":\{"resource":"orders"\},"disableRequestBodyBuffering":true\}/)
    const names = modifications(documents[0]!).flatMap((one) =>
      one['httpFilter'] === undefined ? [] : [(JSON.parse((one['httpFilter'] as Json)['value'] as string) as Json)['name']],
    )
    assert.ok(
      names.indexOf(FILTERS.callers) < names.indexOf(FILTERS.checks) && names.indexOf(FILTERS.checks) < names.indexOf(FILTERS.rules),
    )
    // Whatever the gateway wrote over the caller's fields stays.
    assert.doesNotMatch(text, /"remove":"ostiary-subject"/)
    assert.match(text, /"remove":"x-forwarded-user"/)
  })

  test('has its dataplanes for itself', () => {
    const both = kumaConfig({ workloads: { orders: workload(), wiki: workload() }, delegate: ['orders'], ...GATEWAY })
    assert.match(messages(compile(READ, both)).join(), /the gateway can be asked about one resource of a dataplane alone/)
    assert.match(problemsOf({ delegate: ['orders'] }), /needs `gateway`/)
    assert.match(problemsOf({ delegate: ['wiki'], ...GATEWAY }), /names `wiki`/)
    assert.match(problemsOf({ gateway: { host: 'gate.example', port: 1 } }), /is needed on an address that is not loopback/)
  })
})

describe('what a mesh can not be told', () => {
  test('is an error with its place, and with ways out', () => {
    const result = compile(LIMITED, kumaConfig({ workloads: { orders: workload() } }))
    assert.deepEqual(result.documents, [])
    assert.deepEqual(messages(result), [
      'target/not-native: `slow` can not be enforced by mesh `mesh`: `limit:` counts requests (change it; or let the gateway’s own door serve `orders`: leave it out of `targets.mesh.workloads`; or have the gateway asked about each request: add it to `targets.mesh.delegate`, which needs `targets.mesh.gateway`)',
    ])
    assert.equal(result.diagnostics[0]!.span?.line, 3)
  })

  test('is refused of the wiring as well', () => {
    const wildcard = wiringOf({ orders: { hosts: ['*.example'] } })
    assert.match(
      messages(compile(READ, kumaConfig({ workloads: { orders: workload() } }), wildcard)).join(),
      /target\/not-carried.*stands for one label here/,
    )
    const differ = wiringOf({ wiki: { hosts: ['wiki.example'], forwardAuthorization: true } })
    assert.match(messages(compile(READ, kumaConfig(), differ)).join(), /not the same `forwardAuthorization`/)
    const missing = compile(READ, kumaConfig({ workloads: { nothing: workload() } }))
    assert.match(messages(missing).join(), /target\/no-resource/)
    assert.match(messages(compile(READ, kumaConfig({ workloads: { constructor: workload() } }))).join(), /target\/no-resource/)
  })

  test('dataplanes belong to one set of labels', () => {
    const other = (labels: object, more: object = {}): object => ({
      workloads: { orders: workload(), wiki: { ...workload(), labels, ...more } },
    })
    assert.match(problemsOf(other({ app: 'shop', tier: 'a' })), /may select the same dataplanes by different labels/)
    assert.match(problemsOf(other({ tier: 'a' })), /may select the same dataplanes/)
    assert.equal(problemsOf(other({ app: 'wiki' })), '')
    assert.match(problemsOf(other(LABELS, { inbound: { port: 8000, protocol: 'http' } })), /describe the same inbound in two ways/)
    assert.equal(problemsOf(other(LABELS, { inbound: { port: 8001, protocol: 'http' } })), '')
    assert.match(problemsOf({ workloads: {} }), /name at least one resource/)
  })

  test('a websocket where the resource has none is denied', () => {
    const listener = (websocket: unknown) => {
      const wiring = wiringOf({ orders: { hosts: ['orders.example'], websocket } })
      const text = "rules: [{ id: r, role: everyone, resource: orders, actions: ['GET /**'] }]\n"
      const { documents } = compile(text, kumaConfig({ workloads: { orders: workload() } }), wiring)
      const plain = plainInbound({ port: 8000, service: 's', protocol: 'http', transports: [undefined] })
      return translateKuma(documents, { mesh: 'default', labels: LABELS }, [{ port: 8000, listener: plain }]).listeners[0]!
    }
    const ask = (websocket: unknown, upgrade: string | undefined): boolean =>
      evaluateKuma(
        listener(websocket),
        { host: 'orders.example', port: 8000, method: 'GET', path: '/a', authorization: undefined, token: undefined, upgrade, time: 0 },
        { wholly: (pattern, text) => new RegExp(`^(?:${pattern})$`).test(text), anywhere: () => false },
      ).allowed
    assert.deepEqual([ask({}, 'websocket'), ask({}, undefined), ask(false, 'websocket'), ask(false, undefined)], [true, true, false, true])
  })
})

test('the example is carried whole', () => {
  const folder = join(import.meta.dirname, '../../../examples/kuma')
  const { wiring, policy, diagnostics } = loadConfiguration(folder, undefined, Date.UTC(2026, 10, 1))
  assert.deepEqual(diagnostics, [])
  const config = wiring!.targets['shop'] as KumaTarget
  for (const version of ['2.13', '2.14', '3.0'] as const)
    for (const mode of ['universal', 'kubernetes'] as const) {
      const input = {
        name: 'shop',
        config: { ...config, version, mode },
        wiring: wiring!,
        policy: policy!,
        keys: undefined,
        revision: 'ab',
      }
      const result = compileKuma({ ...input, issuers: nativeIssuers(wiring!) })
      assert.deepEqual(result.diagnostics, [])
      assert.deepEqual(result.resources, [
        { name: 'catalogue', delegated: false, rules: 2, guardrails: 0 },
        { name: 'orders', delegated: false, rules: 3, guardrails: 1 },
      ])
      assert.deepEqual(
        result.documents.map((one) => one['type'] ?? one['kind']),
        ['MeshTLS', 'MeshProxyPatch', 'MeshTrafficPermission'],
      )
    }
})
