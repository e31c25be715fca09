import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { ManualClock } from '../../testing/clock.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { snapshotOf, type Snapshot } from './snapshot.ts'
import { cluster, endpoints, extension, listener, route, secret, type To } from './testing.ts'
import { testServer, told, type DeltaClient, type TestServer } from './testdata/client.ts'
import type { KindStatus } from './status.ts'
import type { Kind } from './types.ts'

let clock: ManualClock
let served: TestServer

beforeEach(async () => {
  clock = new ManualClock()
  served = await testServer(clock)
})
afterEach(async () => {
  await served.stop()
  assert.deepEqual(served.faults, [])
})

interface Parts {
  readonly to?: Readonly<Record<string, To>>
  readonly clusters?: readonly string[]
  readonly value?: string
  readonly seconds?: number
}
/** One of each kind. */
function whole({ to = { '/': { cluster: 'orders' } }, clusters = ['orders'], value = 'yes', seconds = 1 }: Parts = {}): Snapshot {
  return snapshotOf({
    cluster: clusters.map((name) => cluster(name, 'eds', seconds)),
    endpoints: clusters.map((name) => endpoints(name, 8_000 + seconds)),
    secret: [secret('s', value)],
    extension: [extension('pass', value)],
    listener: [listener('in', { port: 1, route: 'ways', extensions: ['pass'], secret: 's' })],
    route: [route('ways', to)],
  })
}

function status(kind: Kind): KindStatus {
  return served.server.status()[0]!.kinds[kind]
}

/** A client that has asked for one of each and accepted all. */
async function settled(snapshot: Snapshot, clusters = ['orders']): Promise<DeltaClient> {
  const client = served.delta()
  served.server.publish('edge', snapshot)
  client.ask('cluster')
  assert.equal(await client.take(), ['cluster', ...clusters.map((name) => `+${name}`)].join(' '))
  client.ask('endpoints', { subscribe: clusters })
  assert.equal(await client.take(), ['endpoints', ...clusters.map((name) => `+${name}`)].join(' '))
  client.ask('listener')
  assert.equal(await client.take(), 'listener +in')
  for (const [kind, name] of [
    ['secret', 's'],
    ['extension', 'pass'],
    ['route', 'ways'],
  ] as const) {
    client.ask(kind, { subscribe: [name] })
    assert.equal(await client.take(), `${kind} +${name}`)
  }
  assert.deepEqual(await client.rest(), [])
  return client
}

describe('what a node asks for', () => {
  test('clusters and listeners it gets all, the rest by name; who has nothing to get is told so once', async () => {
    served.server.publish('edge', snapshotOf({ secret: [secret('a', 'x'), secret('b', 'x')] }))
    const client = served.delta()
    client.ask('cluster')
    assert.equal(await client.take(), 'cluster')
    client.ask('secret', { subscribe: ['b'] })
    assert.equal(await client.take(), 'secret +b')
    client.ask('secret')
    assert.deepEqual(await client.rest(), [])
  })

  test('before there is a snapshot it waits', async () => {
    const client = served.delta()
    client.ask('cluster')
    client.ask('route', { subscribe: ['ways', 'gone'] })
    served.server.publish('edge', whole())
    assert.equal(await client.take(), 'cluster +orders')
    assert.equal(await client.take(), 'route -gone')
    assert.equal(await client.take(), 'route +ways')
    assert.deepEqual(await client.rest(), [])
  })

  test('every name it subscribes to is answered: again if it asks again, and also if there is no such thing', async () => {
    const client = await settled(whole())
    client.ask('route', { subscribe: ['ways'] })
    assert.equal(await client.take(), 'route +ways')
    client.ask('route', { subscribe: ['gone', 'ways'] })
    assert.equal(await client.take(), 'route +ways -gone')
    client.ask('route', { unsubscribe: ['ways'] })
    assert.deepEqual(await client.rest(), [])
    served.server.publish('edge', whole({ to: {} }))
    assert.deepEqual(await client.rest(), [])
    client.ask('route', { subscribe: ['ways'] })
    assert.equal(await client.take(), 'route +ways')
  })

  test('one that was told that there is none gets it when there is', async () => {
    served.server.publish('edge', snapshotOf({ secret: [secret('a', 'x')] }))
    const client = served.delta()
    client.ask('secret', { subscribe: ['late'] })
    assert.equal(await client.take(), 'secret -late')
    served.server.publish('edge', snapshotOf({ secret: [secret('a', 'x'), secret('late', 'x')] }))
    assert.equal(await client.take(), 'secret +late')
  })

  test('by `*` it gets all as well, and without it only what it names', async () => {
    served.server.publish('edge', snapshotOf({ cluster: [cluster('a', 1), cluster('b', 1)] }))
    const client = served.delta()
    client.ask('cluster', { subscribe: ['a'] })
    assert.equal(await client.take(), 'cluster +a')
    client.ask('cluster', { subscribe: ['*'] })
    assert.equal(await client.take(), 'cluster +b')
    client.ask('cluster', { unsubscribe: ['*'] })
    assert.deepEqual(await client.rest(), [])
    served.server.publish('edge', snapshotOf({ cluster: [cluster('a', 2), cluster('b', 2)] }))
    assert.equal(await client.take(), 'cluster +a')
    assert.deepEqual(await client.rest(), [])
  })
})

describe('accepted and rejected', () => {
  test('an acceptance counts by its nonce alone, one with another nonce not at all', async () => {
    const first = whole()
    served.server.publish('edge', first)
    const client = served.delta()
    client.ask('cluster')
    const news = await client.next()
    client.say('cluster', { responseNonce: 'another' })
    assert.deepEqual(await client.rest(), [])
    assert.equal(status('cluster').acknowledged, undefined)
    client.accept(news)
    assert.deepEqual(await client.rest(), [])
    assert.equal(status('cluster').acknowledged, first.versions.cluster)
    assert.equal(status('cluster').desired, first.versions.cluster)
  })

  test('a rejection is told by its error, in its words, and isn’t sent again; what comes next is', async () => {
    const client = await settled(whole())
    const good = status('route').acknowledged
    const bad = whole({ to: { '/bad': { status: 200, body: 'x' } } })
    served.server.publish('edge', bad)
    assert.equal(await client.take('bad \u001b[31mregex'), 'route +ways')
    assert.deepEqual(await client.rest(), [])
    assert.deepEqual(status('route').rejection, { at: clock.now(), version: bad.version, message: 'bad \ufffd[31mregex' })
    assert.equal(status('route').acknowledged, good)
    const better = whole({ to: { '/better': { status: 200, body: 'x' } } })
    served.server.publish('edge', better)
    assert.equal(await client.take(), 'route +ways')
    assert.deepEqual(await client.rest(), [])
    assert.deepEqual([status('route').acknowledged, status('route').rejection], [better.versions.route, undefined])
  })

  test('with another snapshot what was rejected is tried again, and stays visible until it is accepted', async () => {
    const client = await settled(whole())
    const to = { '/bad': { status: 200, body: 'x' } }
    served.server.publish('edge', whole({ to }))
    assert.equal(await client.take('no'), 'route +ways')
    assert.deepEqual(await client.rest(), [])
    served.server.publish('edge', whole({ to, value: 'other' }))
    assert.equal(await client.take(), 'secret +s')
    assert.equal(await client.take(), 'extension +pass')
    const again = await client.next()
    assert.equal(told(again), 'route +ways')
    assert.equal(status('route').rejection?.message, 'no')
    client.accept(again)
    assert.deepEqual(await client.rest(), [])
    assert.equal(status('route').rejection, undefined)
  })

  test('of a rejected response with several, each is sent by itself: one bad one keeps no good one back', async () => {
    const secrets = (text: string): Snapshot => snapshotOf({ secret: ['a', 'b', 'c'].map((name) => secret(name, text)) })
    served.server.publish('edge', secrets('1'))
    const client = served.delta()
    client.ask('secret', { subscribe: ['a', 'b', 'c'] })
    assert.equal(await client.take(), 'secret +a +b +c')
    served.server.publish('edge', secrets('2'))
    assert.equal(await client.take('b is bad'), 'secret +a +b +c')
    for (const [name, problem] of [['a'], ['b', 'b is bad'], ['c']] as const) assert.equal(await client.take(problem), `secret +${name}`)
    assert.deepEqual(await client.rest(), [])
    assert.equal(status('secret').rejection?.message, 'b is bad')
  })
})

describe('one that comes back', () => {
  test('is sent nothing that it has, only what has changed', async () => {
    const first = whole()
    served.server.publish('edge', first)
    const has = (kind: Kind): Record<string, string> =>
      Object.fromEntries([...first.resources[kind].values()].map(({ name, version }) => [name, version]))
    const client = served.delta()
    client.ask('cluster', { has: has('cluster') })
    client.ask('listener', { has: has('listener') })
    client.ask('route', { subscribe: ['ways'], has: has('route') })
    client.ask('extension', { subscribe: ['pass'], has: { pass: 'older' } })
    assert.equal(await client.take(), 'extension +pass')
    assert.deepEqual(await client.rest(), [])
    assert.equal(status('cluster').acknowledged, first.versions.cluster)
  })

  test('is told what is gone, once it has had time to say what it works with', async () => {
    served.server.publish('edge', whole())
    const client = served.delta()
    client.ask('cluster', { has: { orders: 'x', old: 'y' } })
    assert.equal(await client.take(), 'cluster +orders')
    client.ask('listener', { has: { old: 'y' } })
    assert.equal(await client.take(), 'listener +in')
    assert.equal(await client.take(), 'listener -old')
    assert.deepEqual(await client.rest(), [])
    clock.advance(DEFAULT_LIMITS.additionMs)
    assert.equal(await client.take(), 'cluster -old')
  })
})

describe('the order', () => {
  test('of a change: clusters, endpoints, secrets, extensions, listeners, routes; what is new is in force before what is old goes', async () => {
    const client = await settled(whole())
    const after = snapshotOf({
      cluster: [cluster('billing', 'eds')],
      endpoints: [endpoints('billing', 1)],
      secret: [secret('s', 'new')],
      extension: [extension('pass', 'new')],
      listener: [listener('in', { port: 2, route: 'ways', extensions: ['pass'], secret: 's' })],
      route: [route('ways', { '/': { cluster: 'billing' } })],
    })
    client.ask('endpoints', { subscribe: ['billing'] })
    assert.equal(await client.take(), 'endpoints -billing')
    served.server.publish('edge', after)
    const found: string[] = []
    for (let at = 0; at < 7; at++) found.push(await client.take())
    assert.deepEqual(found, [
      'cluster +billing',
      'endpoints +billing',
      'secret +s',
      'extension +pass',
      'listener +in',
      'route +ways',
      'cluster -orders',
    ])
    client.ask('endpoints', { unsubscribe: ['orders'] })
    assert.deepEqual(await client.rest(), [])
    assert.equal(served.server.status()[0]!.acknowledged, after.version)
  })

  test('a route waits for the cluster that it newly names and for nothing else; a filter and other routes for nothing at all', async () => {
    const client = await settled(whole())
    served.server.publish('edge', whole({ clusters: ['orders', 'billing'], to: { '/': { cluster: 'billing' } }, value: 'stricter' }))
    const clusters = await client.next()
    assert.equal(told(clusters), 'cluster +billing')
    assert.deepEqual([await client.take(), await client.take()], ['secret +s', 'extension +pass'])
    assert.deepEqual(await client.rest(), [])
    served.server.publish(
      'edge',
      whole({ clusters: ['orders', 'billing'], to: { '/': { status: 403, body: 'closed' } }, value: 'stricter' }),
    )
    assert.equal(await client.take(), 'route +ways', 'though the cluster was not accepted')
    client.accept(clusters)
    assert.deepEqual(await client.rest(), [])
  })

  test('after a while it waits no longer: a route to a cluster that is not there refuses, and the one before may not', async () => {
    const client = await settled(whole())
    served.server.publish('edge', whole({ clusters: ['orders', 'billing'], to: { '/': { cluster: 'billing' } } }))
    assert.equal(await client.take('no such cluster type'), 'cluster +billing')
    assert.deepEqual(await client.rest(), [])
    clock.advance(DEFAULT_LIMITS.additionMs - 1)
    served.server.publish('edge', whole({ clusters: ['orders', 'billing'], to: { '/x': { cluster: 'billing' } } }))
    assert.equal(await client.take('still none'), 'cluster +billing')
    assert.deepEqual(await client.rest(), [])
    clock.advance(1)
    assert.equal(await client.take(), 'route +ways', 'the time runs on through another snapshot')
  })

  test('a cluster goes when the route that named it has been replaced; while that is rejected it stays, and if it is not answered it goes in time', async () => {
    const client = await settled(whole({ clusters: ['a', 'b'], to: { '/': { cluster: 'a' } } }), ['a', 'b'])
    served.server.publish('edge', whole({ clusters: ['b'], to: { '/': { cluster: 'b' } } }))
    assert.equal(await client.take('no'), 'route +ways')
    assert.deepEqual(await client.rest(), [])
    clock.advance(10 * DEFAULT_LIMITS.removalMs)
    // What is left by name goes with it.
    client.ask('endpoints', { unsubscribe: ['a'] })
    assert.deepEqual(await client.rest(), [], 'the last good routes lead to it')
    served.server.publish('edge', whole({ clusters: ['b'], to: { '/x': { cluster: 'b' } } }))
    assert.equal(told(await client.next()), 'route +ways')
    assert.deepEqual(await client.rest(), [])
    served.server.publish('edge', whole({ clusters: ['b'], to: { '/y': { cluster: 'b' } } }))
    assert.equal(await client.take(), 'route +ways')
    assert.equal(await client.take(), 'cluster -a')
  })

  test('a removal does not wait for ever for a node that never answers', async () => {
    const client = await settled(whole({ clusters: ['a', 'b'], to: { '/': { cluster: 'a' } } }), ['a', 'b'])
    served.server.publish('edge', whole({ clusters: ['b'], to: { '/': { cluster: 'b' } } }))
    assert.equal(told(await client.next()), 'route +ways')
    clock.advance(DEFAULT_LIMITS.removalMs - 1)
    assert.deepEqual(await client.rest(), [])
    clock.advance(1)
    assert.equal(told(await client.next()), 'cluster -a')
  })

  test('a listener goes at once, or after those that come, or along with the one that takes its address', async () => {
    const at = (all: Record<string, number>): Snapshot =>
      snapshotOf({
        listener: Object.entries(all).map(([name, port]) => listener(name, { port, route: 'r' })),
        route: [route('r', {})],
        secret: [],
      })
    served.server.publish('edge', at({ a: 1, b: 2 }))
    const client = served.delta()
    client.ask('listener')
    assert.equal(await client.take(), 'listener +a +b')
    served.server.publish('edge', at({ b: 2 }))
    assert.equal(await client.take(), 'listener -a')
    served.server.publish('edge', at({ c: 3 }))
    const come = await client.next()
    assert.equal(told(come), 'listener +c')
    assert.deepEqual(await client.rest(), [])
    client.accept(come)
    assert.equal(await client.take(), 'listener -b')
    served.server.publish('edge', at({ d: 3 }))
    assert.equal(await client.take(), 'listener +d -c')
    served.server.publish('edge', at({ e: 5 }))
    assert.equal(await client.take('no'), 'listener +e')
    assert.deepEqual(await client.rest(), [])
    clock.advance(DEFAULT_LIMITS.removalMs)
    assert.equal(await client.take(), 'listener -d', 'a door that is to be closed is not kept open by one that can’t be opened')
  })
})

describe('what is not certain', () => {
  test('a route waits for a cluster that was being taken away and is to come back', async () => {
    const client = await settled(whole({ clusters: ['a', 'b'], to: { '/': { cluster: 'b' } } }), ['a', 'b'])
    served.server.publish('edge', whole({ clusters: ['b'], to: { '/': { cluster: 'b' } } }))
    const without = await client.next()
    assert.equal(told(without), 'cluster -a')
    served.server.publish('edge', whole({ clusters: ['a', 'b'], to: { '/': { cluster: 'a' } } }))
    const again = await client.next()
    assert.equal(told(again), 'cluster +a')
    client.accept(without)
    assert.deepEqual(await client.rest(), [])
    client.accept(again)
    assert.equal(await client.take(), 'route +ways')
  })

  test('of one that came back, what its routes name is not known: its clusters stay until it has others', async () => {
    served.server.publish('edge', whole())
    const client = served.delta()
    client.ask('cluster', { has: { orders: 'x', old: 'y' } })
    assert.equal(await client.take(), 'cluster +orders')
    client.ask('route', { subscribe: ['ways'], has: { ways: 'x' } })
    const ways = await client.next()
    assert.equal(told(ways), 'route +ways')
    clock.advance(DEFAULT_LIMITS.additionMs)
    assert.deepEqual(await client.rest(), [])
    client.accept(ways)
    assert.equal(await client.take(), 'cluster -old')
  })

  test('endpoints of a cluster that is about to go are not denied before it is gone, but not for ever', async () => {
    served.server.publish('edge', snapshotOf({ cluster: [cluster('a', 'eds'), cluster('b', 1)], endpoints: [endpoints('a', 1)] }))
    const client = served.delta()
    client.ask('cluster')
    assert.equal(await client.take(), 'cluster +a +b')
    assert.deepEqual(await client.rest(), [])
    served.server.publish('edge', snapshotOf({ cluster: [cluster('b', 1)] }))
    assert.equal(told(await client.next()), 'cluster -a')
    client.ask('endpoints', { subscribe: ['a'] })
    assert.deepEqual(await client.rest(), [])
    clock.advance(2 * DEFAULT_LIMITS.additionMs)
    assert.equal(await client.take(), 'endpoints -a')
  })

  test('what was rejected after another snapshot had come is tried once more', async () => {
    const client = await settled(whole())
    const to = { '/x': { status: 200, body: 'x' } }
    served.server.publish('edge', whole({ to }))
    const first = await client.next()
    served.server.publish('edge', whole({ to, value: 'other' }))
    assert.deepEqual([await client.take(), await client.take()], ['secret +s', 'extension +pass'])
    client.reject(first, 'not yet')
    assert.equal(await client.take('no'), 'route +ways')
    assert.deepEqual(await client.rest(), [])
  })

  test('of rejected listeners the one that was in the way goes before the one that takes its place', async () => {
    const at = (all: Record<string, number>): Snapshot =>
      snapshotOf({ listener: Object.entries(all).map(([name, port]) => listener(name, { port, route: 'r' })), route: [route('r', {})] })
    served.server.publish('edge', at({ old: 1 }))
    const client = served.delta()
    client.ask('listener')
    assert.equal(await client.take(), 'listener +old')
    served.server.publish('edge', at({ bad: 2, new: 1 }))
    assert.equal(await client.take('bad is bad'), 'listener +bad +new -old')
    const found = [await client.take(), await client.take('bad is bad'), await client.take()]
    assert.deepEqual(found, ['listener -old', 'listener +bad', 'listener +new'])
  })
})

describe('one that reads or answers slowly', () => {
  test('has a bounded number of responses to answer, then gets the newest, and in the end has to connect anew', async () => {
    const client = await settled(whole())
    const version = (at: number): Snapshot => whole({ to: { [`/${at}`]: { status: 200, body: 'x' } } })
    const unanswered = []
    for (let at = 0; at < DEFAULT_LIMITS.unanswered; at++) {
      served.server.publish('edge', version(at))
      unanswered.push(await client.next())
    }
    for (let at = DEFAULT_LIMITS.unanswered; at < 40; at++) served.server.publish('edge', version(at))
    assert.deepEqual(await client.rest(), [])
    client.accept(unanswered.shift()!)
    const newest = await client.next()
    assert.deepEqual(newest.has, { ways: version(39).resources.route.get('ways')!.version })
    served.server.publish('edge', version(40))
    assert.deepEqual(await client.rest(), [])
    clock.advance(DEFAULT_LIMITS.answerMs)
    assert.deepEqual(await client.end, {
      code: 'DEADLINE_EXCEEDED',
      details: `16 responses of type \`type.googleapis.com/envoy.config.route.v3.RouteConfiguration\` have not been answered within 30000 ms`,
    })
  })

  test('has no queue: what was made while it did not read is passed over', async () => {
    const client = await settled(whole())
    const body = 'x'.repeat(300_000)
    const version = (at: number): Snapshot => whole({ to: { [`/${at}`]: { status: 200, body } } })
    client.pause()
    for (let at = 0; at < 60; at++) {
      served.server.publish('edge', version(at))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const sent = served.server.status()[0]!.sentBytes
    assert.ok(sent < 20 * body.length, `${sent} bytes were sent`)
    client.resume()
    let [count, last] = [0, '']
    while (last !== version(59).resources.route.get('ways')!.version) {
      const news = await client.next()
      client.accept(news)
      last = news.has['ways']!
      count++
    }
    assert.ok(count < 20, `${count} came`)
    assert.deepEqual(await client.rest(), [])
  })
})
