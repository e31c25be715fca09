/**
 * A real Envoy, fed by the management server over incremental aggregated discovery and mutual TLS. Not part of `npm test`: it needs the
 * binary, which `src/testing/envoybinary.ts` finds or downloads; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../../../src/core/clock.ts'
import { toJson, fromJson } from '../../../src/envoy/xds/saved.ts'
import { XdsServer } from '../../../src/envoy/xds/server.ts'
import { snapshotOf, type Messages, type Snapshot } from '../../../src/envoy/xds/snapshot.ts'
import type { NodeStatus } from '../../../src/envoy/xds/status.ts'
import { cluster, endpoints, extension, listener, regexRoute, route, type To } from '../../../src/envoy/xds/testing.ts'
import { eventually, RealEnvoy } from '../../../src/testing/envoy.ts'
import { certifiedBy, testAuthority, type Pair } from '../../../src/testing/pki.ts'

const NODE = 'edge-1'
const IDENTITY = 'spiffe://example.com/envoy/edge-1'
const SERVER_AUTH = ['1.3.6.1.5.5.7.3.1']

let folder: string
let authority: Pair
let serverPair: Pair
let upstream: Server
let upstreamPort: number
let server: XdsServer
let port: number
let envoy: RealEnvoy
const faults: unknown[] = []

async function serve(on: number): Promise<XdsServer> {
  const tls = { key: serverPair.key, cert: serverPair.cert, ca: authority.cert }
  const made = new XdsServer({
    host: '127.0.0.1',
    port: on,
    trust: { tls, nodeOf: (identity) => (identity === IDENTITY ? NODE : undefined) },
    clock: systemClock,
    where: 'test',
    onFault: (error) => faults.push(error),
  })
  port = await made.start()
  return made
}

function bootstrap(apiType = 'DELTA_GRPC'): Record<string, unknown> {
  const file = (name: string, text: string): { filename: string } => {
    const filename = join(folder, name)
    writeFileSync(filename, text)
    return { filename }
  }
  const tls = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    sni: 'control.example.com',
    commonTlsContext: {
      tlsCertificates: [{ certificateChain: file('node.pem', nodePair.cert), privateKey: file('node.key', nodePair.key) }],
      validationContext: {
        trustedCa: file('ca.pem', authority.cert),
        matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact: 'control.example.com' } }],
      },
    },
  }
  const http2 = {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicitHttpConfig: { http2ProtocolOptions: {} },
  }
  const address = { socketAddress: { address: '127.0.0.1', portValue: port } }
  const ads = { resourceApiVersion: 'V3', ads: {} }
  return {
    node: { id: NODE, cluster: 'edge' },
    dynamicResources: {
      adsConfig: {
        apiType,
        transportApiVersion: 'V3',
        setNodeOnFirstMessageOnly: true,
        grpcServices: [{ envoyGrpc: { clusterName: 'xds' } }],
      },
      cdsConfig: ads,
      ldsConfig: ads,
    },
    staticResources: {
      clusters: [
        {
          name: 'xds',
          type: 'STATIC',
          connectTimeout: '1s',
          typedExtensionProtocolOptions: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': http2 },
          transportSocket: { name: 'tls', typedConfig: tls },
          loadAssignment: { clusterName: 'xds', endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] },
        },
      ],
    },
  }
}
let nodePair: Pair

/** What the node is to get: a listener, its filter by ECDS, its routes by RDS, an upstream with its endpoint by EDS. */
function whole(to: Readonly<Record<string, To>>, pass = 'yes', name = 'orders'): Snapshot {
  return snapshotOf({
    cluster: [cluster(name, 'eds')],
    endpoints: [endpoints(name, upstreamPort)],
    extension: [extension('pass', pass)],
    listener: [listener('in', { port: 0, route: 'ways', extensions: ['pass'] })],
    route: [route('ways', to)],
  })
}

/** The same door with one route, by a regular expression. */
function only(regex: string): Messages {
  return {
    extension: [extension('pass', 'yes')],
    listener: [listener('in', { port: 0, route: 'ways', extensions: ['pass'] })],
    route: [regexRoute('ways', regex)],
  }
}

function status(): NodeStatus {
  return server.status()[0]!
}
const accepted = (snapshot: Snapshot): Promise<true> =>
  eventually(`version ${snapshot.version} is accepted`, () => status()?.acknowledged === snapshot.version || undefined)

interface Answer {
  readonly status: number
  readonly body: string
  /** Local port of the connection, which tells connections apart. */
  readonly from: number
}
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
async function get(path: string, headers: Record<string, string> = { 'x-pass': 'yes' }): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: '127.0.0.1', port: doorPort, path, headers, agent }, resolve).once('error', reject).end()
  })
  const from = response.socket.localPort!
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk as string
  return { status: response.statusCode!, body, from }
}
let doorPort: number

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ostiary-xds-'))
  authority = await testAuthority('xds')
  serverPair = await certifiedBy(authority, { names: [{ type: 'dns', value: 'control.example.com' }], usages: SERVER_AUTH })
  nodePair = await certifiedBy(authority, { names: [{ type: 'url', value: IDENTITY }] })
  upstream = createServer((_request, response) => response.end('order 7'))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  upstreamPort = (upstream.address() as AddressInfo).port
  server = await serve(0)
  envoy = await RealEnvoy.start(folder, bootstrap())
})
after(async () => {
  agent.destroy()
  await envoy?.stop()
  await server?.stop()
  upstream?.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('a real Envoy', () => {
  test('gets its listener, filter, routes, cluster and endpoints', async () => {
    const first = whole({ '/orders': { cluster: 'orders' }, '/hello': { status: 200, body: 'hello' } })
    server.publish(NODE, first)
    doorPort = await envoy.port('in')
    await accepted(first)
    const [order, hello, refused, nowhere] = [await get('/orders/7'), await get('/hello'), await get('/hello', {}), await get('/other')]
    assert.deepEqual([order.status, order.body], [200, 'order 7'])
    assert.deepEqual([hello.status, hello.body], [200, 'hello'])
    assert.deepEqual([refused.status, refused.body], [403, 'RBAC: access denied'])
    assert.equal(nowhere.status, 404)
    assert.deepEqual(faults, [])
  })

  test('a changed route, and a changed filter, take effect on a connection that is open', async () => {
    const before = await get('/hello')
    const changed = whole({ '/orders': { cluster: 'orders' }, '/hello': { status: 403, body: 'not any more' } })
    server.publish(NODE, changed)
    await accepted(changed)
    const after = await get('/hello')
    assert.deepEqual([before.status, after.status, after.body], [200, 403, 'not any more'])
    const stricter = whole({ '/orders': { cluster: 'orders' }, '/hello': { status: 403, body: 'not any more' } }, 'another')
    server.publish(NODE, stricter)
    await accepted(stricter)
    const strict = await get('/orders')
    assert.deepEqual([strict.status, strict.body], [403, 'RBAC: access denied'])
    assert.deepEqual([after.from, strict.from], [before.from, before.from], 'all on one connection')
  })

  test('what it rejects is shown in its words, and what it had goes on', async () => {
    const good = whole({ '/hello': { status: 200, body: 'good' } })
    server.publish(NODE, good)
    await accepted(good)
    const bad = snapshotOf(only('(?=look)ahead'))
    server.publish(NODE, bad)
    const rejection = await eventually('it is rejected', () => status().kinds.route.rejection)
    assert.match(rejection.message, /invalid perl operator|no argument for repetition/)
    assert.equal(rejection.version, bad.version)
    assert.equal(status().acknowledged, good.version)
    assert.deepEqual([(await get('/hello')).body, (await get('/hello')).status], ['good', 200])
    const better = whole({ '/hello': { status: 200, body: 'better' } })
    server.publish(NODE, better)
    await accepted(better)
    assert.equal((await get('/hello')).body, 'better')
    assert.equal(status().kinds.route.rejection, undefined)
  })

  test('an upstream is replaced by another without a request that finds none', async () => {
    const first = whole({ '/orders': { cluster: 'orders' } })
    server.publish(NODE, first)
    await accepted(first)
    const outcomes = new Map<number, number>()
    const asked = (): number => outcomes.values().reduce((sum, count) => sum + count, 0)
    const ending = new AbortController()
    const load = (async () => {
      while (!ending.signal.aborted) {
        const { status } = await get('/orders')
        outcomes.set(status, (outcomes.get(status) ?? 0) + 1)
      }
    })()
    try {
      for (const name of ['orders-b', 'orders-c', 'orders']) {
        const next = whole({ '/orders': { cluster: name } }, 'yes', name)
        server.publish(NODE, next)
        await accepted(next)
        const before = asked()
        await eventually('some requests went by', () => asked() > before + 10 || undefined)
        await eventually('only the new one is left', async () => {
          const names = [...(await envoy.admin('/clusters')).matchAll(/^(orders[^:]*)::observability_name/gm)].map(([, found]) => found)
          return (names.length === 1 && names[0] === name) || undefined
        })
      }
    } finally {
      ending.abort()
      await load
    }
    assert.deepEqual([...outcomes.keys()], [200])
  })

  test('while the server is away all goes on; when it is back nothing is sent again, and a change arrives', async () => {
    const snapshot = whole({ '/orders': { cluster: 'orders' }, '/hello': { status: 200, body: 'as before' } })
    server.publish(NODE, snapshot)
    await accepted(snapshot)
    const updates = async (): Promise<readonly number[]> =>
      Promise.all(
        ['cluster_manager.cds', 'listener_manager.lds', 'http.in.rds.ways', 'cluster.orders'].map((name) =>
          envoy.stat(`${name}.update_success`),
        ),
      )
    const saved = JSON.stringify(toJson(snapshot))
    await server.stop()
    assert.equal((await get('/hello')).body, 'as before')
    const counted = await updates()
    server = await serve(port)
    server.publish(NODE, fromJson(JSON.parse(saved)))
    await eventually('it is connected again', () => status().connectedSince)
    await eventually('it has asked for everything again', () => status().acknowledged)
    assert.equal(status().acknowledged, snapshot.version)
    assert.equal(status().sentBytes, 0, 'not one byte of a response')
    assert.deepEqual(await updates(), counted)
    assert.equal((await get('/hello')).body, 'as before')
    const later = whole({ '/orders': { cluster: 'orders' }, '/hello': { status: 200, body: 'later' } })
    server.publish(NODE, later)
    await accepted(later)
    assert.equal((await get('/hello')).body, 'later')
    assert.deepEqual(faults, [])
  })

  test('in the state of the world it is fed as well', async () => {
    await envoy.stop()
    const first = whole({ '/orders': { cluster: 'orders' }, '/hello': { status: 200, body: 'first' } })
    server.publish(NODE, first)
    envoy = await RealEnvoy.start(folder, bootstrap('GRPC'))
    doorPort = await envoy.port('in')
    await accepted(first)
    assert.deepEqual([(await get('/orders')).body, (await get('/hello')).body, (await get('/hello', {})).status], ['order 7', 'first', 403])
    const second = whole({ '/orders': { cluster: 'other' }, '/hello': { status: 200, body: 'second' } }, 'yes', 'other')
    server.publish(NODE, second)
    await accepted(second)
    assert.deepEqual([(await get('/orders')).body, (await get('/hello')).body], ['order 7', 'second'])
    server.publish(NODE, snapshotOf(only('(?=look)ahead')))
    const rejection = await eventually('it is rejected', () => status().kinds.route.rejection)
    assert.match(rejection.message, /invalid perl operator|no argument for repetition/)
    assert.equal((await get('/hello')).body, 'second')
    assert.deepEqual(faults, [])
  })
})
