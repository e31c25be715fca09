import assert from 'node:assert/strict'
import { connect } from 'node:tls'
import { after, before, describe, test } from 'node:test'
import { credentials } from '@grpc/grpc-js'
import { ManualClock } from '../../testing/clock.ts'
import { certifiedBy, testAuthority, type Leaf, type Pair } from '../../testing/pki.ts'
import type { TlsMaterial } from './credentials.ts'
import { fromJson, toJson } from './saved.ts'
import { XdsServer } from './server.ts'
import { snapshotOf } from './snapshot.ts'
import type { NodeStatus } from './status.ts'
import { cluster, secret, small } from './testing.ts'
import { DeltaClient, testServer, type TestServer } from './testdata/client.ts'

const SERVER: Leaf = { names: [{ type: 'dns', value: 'control.example.com' }], usages: ['1.3.6.1.5.5.7.3.1'] }
const one = snapshotOf({ cluster: [cluster('a', 1)] })

describe('who a node is', () => {
  let [authority, other, server]: Pair[] = []
  let clock: ManualClock
  let served: TestServer
  const material = (): TlsMaterial => ({ key: server!.key, cert: server!.cert, ca: authority!.cert })
  const NODES: Readonly<Record<string, string>> = { 'spiffe://example.com/edge': 'edge', 'edge.example.com': 'edge-by-name' }

  before(async () => {
    authority = await testAuthority('nodes')
    other = await testAuthority('others')
    server = await certifiedBy(authority, SERVER)
    clock = new ManualClock()
    served = await testServer(clock, {}, { tls: material(), nodeOf: (identity) => NODES[identity] })
    served.server.publish('edge', one)
    served.server.publish('edge-by-name', one)
  })
  after(() => served.stop())

  const as = (pair: Pair): ReturnType<typeof credentials.createSsl> =>
    credentials.createSsl(Buffer.from(authority!.cert), Buffer.from(pair.key), Buffer.from(pair.cert))
  const uri = (value: string): { type: 'url'; value: string } => ({ type: 'url', value })
  const dns = (value: string): { type: 'dns'; value: string } => ({ type: 'dns', value })
  const asNode = (pair: Pair, id: string): DeltaClient => {
    const client = new DeltaClient(served.client(as(pair)), id)
    client.ask('cluster')
    return client
  }

  test('its certificate says: the URI, else the DNS name', async () => {
    const byUri = await certifiedBy(authority!, { names: [uri('spiffe://example.com/edge'), dns('edge.example.com')] })
    assert.equal(await asNode(byUri, 'edge').take(), 'cluster +a')
    const byName = await certifiedBy(authority!, { names: [dns('edge.example.com')] })
    assert.equal(await asNode(byName, 'edge-by-name').take(), 'cluster +a')
  })

  test('another id than that of the certificate ends the stream, also later on', async () => {
    const pair = await certifiedBy(authority!, { names: [uri('spiffe://example.com/edge')] })
    const refused = { code: 'PERMISSION_DENIED', details: 'the node id `edge-by-name` is not that of the certificate, which is `edge`' }
    assert.deepEqual(await asNode(pair, 'edge-by-name').end, refused)
    const client = asNode(pair, 'edge')
    assert.equal(await client.take(), 'cluster +a')
    client.say('cluster', { node: { id: 'edge-by-name' } })
    assert.deepEqual(await client.end, refused)
  })

  for (const [what, leaf, code, details] of [
    [
      'an unknown identity',
      { names: [uri('spiffe://example.com/stranger')] },
      'PERMISSION_DENIED',
      /`spiffe:\/\/example.com\/stranger` is no node/,
    ],
    ['no name at all', {}, 'UNAUTHENTICATED', /neither a URI nor a DNS name/],
    ['two URIs', { names: [uri('spiffe://example.com/edge'), uri('spiffe://example.com/x')] }, 'UNAUTHENTICATED', /more than one URI/],
    ['a name that quotes', { names: [uri('spiffe://example.com/a, URI:spiffe://example.com/edge')] }, 'UNAUTHENTICATED', /can not be read/],
  ] as const)
    test(`${what} is refused`, async () => {
      const end = await asNode(await certifiedBy(authority!, leaf as Leaf), 'edge').end
      assert.equal(end.code, code)
      assert.match(end.details, details)
    })

  test('without a certificate, or with one of another authority, there is no connection', async () => {
    const stranger = await certifiedBy(other!, { names: [uri('spiffe://example.com/edge')] })
    assert.equal((await asNode(stranger, 'edge').end).code, 'UNAVAILABLE')
    const none = new DeltaClient(served.client(credentials.createSsl(Buffer.from(authority!.cert))), 'edge')
    none.ask('cluster')
    assert.equal((await none.end).code, 'UNAVAILABLE')
    const plain = new DeltaClient(served.client(), 'edge')
    plain.ask('cluster')
    assert.equal((await plain.end).code, 'UNAVAILABLE')
  })

  test('a stream ends with its certificate, and none begins after', async () => {
    const short = await certifiedBy(authority!, { names: [uri('spiffe://example.com/edge')], until: Date.UTC(2048, 0, 1) })
    const client = asNode(short, 'edge')
    assert.equal(await client.take(), 'cluster +a')
    clock.advance(Date.UTC(2048, 0, 1) - clock.now())
    const ended = { code: 'UNAUTHENTICATED', details: 'the client certificate has ended' }
    assert.deepEqual(await client.end, ended)
    assert.deepEqual(await asNode(short, 'edge').end, ended)
  })

  test('renewed authorities count at once: all connect anew, and who isn’t believed any more is out', async () => {
    const mine = await testServer(clock, {}, { tls: material(), nodeOf: () => 'edge' })
    try {
      mine.server.publish('edge', one)
      const pair = await certifiedBy(authority!, { names: [uri('spiffe://example.com/edge')] })
      const client = new DeltaClient(mine.client(as(pair)), 'edge')
      client.ask('cluster')
      assert.equal(await client.take(), 'cluster +a')
      const renewed = await certifiedBy(authority!, SERVER)
      mine.server.renew({ key: renewed.key, cert: renewed.cert, ca: other!.cert })
      assert.equal((await client.end).code, 'UNAVAILABLE')
      const again = new DeltaClient(mine.client(as(pair)), 'edge')
      again.ask('cluster')
      assert.equal((await again.end).code, 'UNAVAILABLE')
      const believed = await certifiedBy(other!, { names: [uri('spiffe://example.com/edge')] })
      const welcome = new DeltaClient(mine.client(as(believed)), 'edge')
      welcome.ask('cluster')
      assert.equal(await welcome.take(), 'cluster +a')
    } finally {
      await mine.stop()
    }
  })

  test('TLS before 1.2 is not spoken', async () => {
    const socket = connect({
      port: served.port,
      host: '127.0.0.1',
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ca: authority!.cert,
      servername: 'control.example.com',
    })
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve))
    assert.match(error.message, /version|protocol/i)
  })

  test('without certificates it is for loopback only', () => {
    const options = { port: 0, trust: { loopback: true }, clock, where: 'test', onFault: () => undefined } as const
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'localhost', '127.0.0.1.example.com'])
      assert.throws(() => new XdsServer({ ...options, host }), { code: 'xds/loopback' })
    void new XdsServer({ ...options, host: '127.0.0.1' })
  })
})

describe('the server', () => {
  test('tells of every change of a node, and keeps account of it', async () => {
    const clock = new ManualClock()
    const served = await testServer(clock)
    try {
      const told: NodeStatus[] = []
      const stop = served.server.onStatus((status) => told.push(status))
      served.server.publish('edge', one)
      assert.deepEqual(
        told.map(({ node, desired, acknowledged, streams }) => [node, desired, acknowledged, streams]),
        [['edge', one.version, undefined, 0]],
      )
      const client = served.delta()
      client.ask('cluster')
      assert.equal(await client.take(), 'cluster +a')
      client.ask('listener')
      assert.equal(await client.take(), 'listener')
      client.ask('secret', { subscribe: ['none'] })
      assert.equal(await client.take(), 'secret -none')
      assert.deepEqual(await client.rest(), [])
      const [status] = served.server.status()
      assert.equal(status!.acknowledged, one.version)
      assert.equal(status!.connectedSince, clock.now())
      assert.deepEqual(
        [status!.kinds.cluster.subscribed, status!.kinds.secret.subscribed, status!.kinds.route.subscribed],
        ['all', 2, undefined],
      )
      assert.ok(status!.sentBytes > one.resources.cluster.get('a')!.bytes.length)
      assert.deepEqual(told.at(-1), status)
      stop()
      const { length } = told
      clock.advance(1_000)
      client.cancel()
      await new Promise<void>((resolve) => served.server.onStatus(({ streams }) => streams === 0 && resolve()))
      const [gone] = served.server.status()
      assert.deepEqual([gone!.connectedSince, gone!.disconnectedAt, gone!.acknowledged], [undefined, clock.now(), one.version])
      assert.equal(told.length, length)
    } finally {
      await served.stop()
    }
  })

  test('a listener of it that throws disturbs nobody', async () => {
    const served = await testServer(new ManualClock())
    served.server.onStatus(() => {
      throw new Error('mine')
    })
    served.server.publish('edge', one)
    const client = served.delta()
    client.ask('cluster')
    assert.equal(await client.take(), 'cluster +a')
    await served.stop()
    assert.ok(served.faults.length > 0 && served.faults.every((fault) => (fault as Error).message === 'mine'))
  })

  test('stopped it ends its streams; started again it goes on where it was', async () => {
    const clock = new ManualClock()
    const first = await testServer(clock)
    const snapshot = small({ '/': { status: 200, body: 'x' } })
    first.server.publish('edge', snapshot)
    const client = first.delta()
    client.ask('listener')
    const news = await client.next()
    client.accept(news)
    await first.server.stop()
    assert.deepEqual(await client.end, { code: 'UNAVAILABLE', details: 'the server is stopping' })
    await first.stop()
    const second = await testServer(clock)
    try {
      second.server.publish('edge', fromJson(JSON.parse(JSON.stringify(toJson(snapshot)))))
      const again = second.delta()
      again.ask('listener', { has: news.has })
      assert.deepEqual(await again.rest(), [])
      assert.equal(second.server.status()[0]!.kinds.listener.acknowledged, snapshot.versions.listener)
    } finally {
      await second.stop()
    }
  })

  test('a node that is forgotten is told, and gone once it has left', async () => {
    const served = await testServer(new ManualClock())
    try {
      served.server.publish('edge', one)
      const client = served.delta()
      client.ask('cluster')
      await client.take()
      const left = new Promise<void>((resolve) => served.server.onStatus(({ streams }) => streams === 0 && resolve()))
      served.server.forget('edge')
      assert.deepEqual(await client.end, { code: 'UNAVAILABLE', details: 'this node is not served any more' })
      await left
      served.server.forget('edge')
      served.server.publish('other', one)
      assert.deepEqual(
        served.server.status().map(({ node }) => node),
        ['other'],
      )
    } finally {
      await served.stop()
    }
  })

  test('of two streams of one node both have to have it', async () => {
    const served = await testServer(new ManualClock())
    try {
      served.server.publish('edge', one)
      const [a, b] = [served.delta(), served.delta()]
      for (const client of [a, b]) client.ask('cluster')
      const late = await b.next()
      assert.equal(await a.take(), 'cluster +a')
      assert.deepEqual(await a.rest(), [])
      assert.equal(served.server.status()[0]!.kinds.cluster.acknowledged, undefined)
      b.accept(late)
      assert.deepEqual(await b.rest(), [])
      assert.equal(served.server.status()[0]!.kinds.cluster.acknowledged, one.versions.cluster)
    } finally {
      await served.stop()
    }
  })

  test('an address that is taken is told', async () => {
    const served = await testServer(new ManualClock())
    const options = {
      host: '127.0.0.1',
      trust: { loopback: true },
      clock: new ManualClock(),
      where: 'control.listen',
      onFault: () => undefined,
    } as const
    const server = new XdsServer({ ...options, port: served.port })
    await assert.rejects(server.start(), { code: 'server/listen', help: 'change `control.listen`' })
    await served.stop()
  })
})

describe('hostile and broken nodes', () => {
  const MAX = { nodes: 3, streamsPerNode: 2, strangers: 4, names: 10_000, nameLength: 64, requestBytes: 1024 * 1024 }
  let clock: ManualClock
  let served: TestServer
  before(async () => {
    clock = new ManualClock()
    served = await testServer(clock, MAX)
    served.server.publish('edge', snapshotOf({ secret: [secret('s', 'x')] }))
  })
  after(async () => {
    await served.stop()
    assert.deepEqual(served.faults, [])
  })

  const ended = async (client: DeltaClient, code: string, details: RegExp): Promise<void> => {
    const end = await client.end
    assert.equal(end.code, code, end.details)
    assert.match(end.details, details)
  }

  test('one that says nothing is sent away in time, and those that say nothing are not many', async () => {
    const silent = Array.from({ length: 5 }, () => served.delta())
    // Opened by their headers alone, in whatever order these come.
    const first = await Promise.race(silent.map((client) => client.end))
    assert.equal(first.code, 'RESOURCE_EXHAUSTED')
    clock.advance(10_000)
    const codes = (await Promise.all(silent.map(({ end }) => end))).map(({ code }) => code)
    assert.deepEqual(codes.sort(), [
      'DEADLINE_EXCEEDED',
      'DEADLINE_EXCEEDED',
      'DEADLINE_EXCEEDED',
      'DEADLINE_EXCEEDED',
      'RESOURCE_EXHAUSTED',
    ])
  })

  test('one without a name, or with too long a one, or another one later', async () => {
    const nameless = new DeltaClient(served.client(), undefined)
    nameless.ask('cluster')
    await ended(nameless, 'INVALID_ARGUMENT', /no node id/)
    const long = served.delta('x'.repeat(65))
    long.ask('cluster')
    await ended(long, 'INVALID_ARGUMENT', /longer than 64/)
    const two = served.delta()
    two.ask('secret', { subscribe: ['s'] })
    await two.take()
    two.say('secret', { node: { id: 'other' } })
    await ended(two, 'PERMISSION_DENIED', /changed from `edge` to `other`/)
  })

  test('garbage, a type that is not served, a locator, and too long a name', async () => {
    const type = served.delta()
    type.say('secret', { typeUrl: 'type.googleapis.com/envoy.service.runtime.v3.Runtime\u001b[2J' })
    await ended(
      type,
      'INVALID_ARGUMENT',
      /`type.googleapis.com\/envoy.service.runtime.v3.Runtime\ufffd\[2J` is not served; served are .*Cluster/,
    )
    const locator = served.delta()
    locator.say('secret', { resourceLocatorsSubscribe: [{ name: 'xdstp://x' }] })
    await ended(locator, 'INVALID_ARGUMENT', /by name here/)
    const name = served.delta()
    name.ask('secret', { subscribe: ['x'.repeat(65)] })
    await ended(name, 'INVALID_ARGUMENT', /longer than 64/)
    const version = served.delta()
    version.ask('cluster', { has: { a: 'x'.repeat(65) } })
    await ended(version, 'INVALID_ARGUMENT', /longer than 64/)
    const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'
    const call = served.client().makeBidiStreamRequest(
      path,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
    )
    const end = new Promise<string>((resolve) => call.on('error', (error) => resolve(error.message)))
    call.write(Buffer.from([0xff, 0xfe, 0xfd]))
    assert.match(await end, /INTERNAL/)
  })

  test('too large a request, too many names', async () => {
    const large = served.delta()
    large.ask('secret', { subscribe: Array.from({ length: 30_000 }, (_, at) => `${at}-${'x'.repeat(50)}`) })
    await ended(large, 'RESOURCE_EXHAUSTED', /larger than max/)
    const many = served.delta()
    many.ask('secret', { subscribe: Array.from({ length: 10_001 }, (_, at) => `${at}`) })
    await ended(many, 'RESOURCE_EXHAUSTED', /more than 10000 names/)
    const has = served.delta()
    has.ask('cluster', { has: Object.fromEntries(Array.from({ length: 10_001 }, (_, at) => [`${at}`, 'x'])) })
    await ended(has, 'RESOURCE_EXHAUSTED', /more than 10000 resources/)
  })

  test('10,000 names are answered, one request at a time too', async () => {
    const client = served.delta()
    const names = Array.from({ length: 9_000 }, (_, at) => `n${at}`)
    client.ask('secret', { subscribe: names })
    const news = await client.next()
    assert.equal(news.removed.length, 9_000)
    client.accept(news)
    for (let at = 0; at < 900; at++) client.ask('secret', { subscribe: [`single-${at}`] })
    let answered = 0
    while (answered < 900) {
      const one = await client.next()
      client.accept(one)
      answered += one.removed.length
    }
    assert.deepEqual(await client.rest(), [])
    client.cancel()
  })

  test('names like those of every object are names like others', async () => {
    const client = served.delta('proto')
    client.ask('secret', { subscribe: ['__proto__', 'constructor'] })
    served.server.publish('proto', snapshotOf({ secret: [secret('__proto__', 'x')] }))
    assert.equal(await client.take(), 'secret +__proto__ -constructor')
    client.cancel()
    served.server.forget('proto')
  })

  test('too many streams of a node, and too many nodes', async () => {
    const open = ['a', 'b'].map((id) => served.delta(id))
    for (const client of open) client.ask('secret', { subscribe: ['s'] })
    await new Promise<void>((resolve) => {
      const look = (): void => void (served.server.status().filter(({ streams }) => streams > 0).length >= 2 && resolve())
      served.server.onStatus(look)
      look()
    })
    const another = served.delta('c')
    another.ask('secret', { subscribe: ['s'] })
    await ended(another, 'RESOURCE_EXHAUSTED', /there are 3 nodes already/)
    assert.throws(() => served.server.publish('c', one), { code: 'xds/too-many-nodes' })
    const second = served.delta('a')
    second.ask('secret', { subscribe: ['s'] })
    const third = served.delta('a')
    third.ask('secret', { subscribe: ['s'] })
    const end = await Promise.race([second.end, third.end])
    assert.deepEqual(end, { code: 'RESOURCE_EXHAUSTED', details: 'the node `a` has 2 streams already' })
    for (const client of [...open, another, second, third]) client.cancel()
  })
})
