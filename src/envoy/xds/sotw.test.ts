import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { fromBinary, type DescMessage } from '@bufbuild/protobuf'
import { ManualClock } from '../../testing/clock.ts'
import type { DiscoveryResponse } from '../messages/envoy/service/discovery/v3/discovery_pb.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { SCHEMAS, snapshotOf, type Snapshot } from './snapshot.ts'
import { cluster, listener, route, secret } from './testing.ts'
import { testServer, type SotwClient, type TestServer } from './testdata/client.ts'
import type { KindStatus } from './status.ts'
import { kindOf, type Kind } from './types.ts'

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

function told({ typeUrl, resources }: DiscoveryResponse): string {
  const kind = kindOf(typeUrl)!
  const names = resources.map(({ value }) => (fromBinary(SCHEMAS[kind] as DescMessage, value) as unknown as { name: string }).name)
  return [kind, ...names].join(' ')
}
const next = (client: SotwClient): Promise<DiscoveryResponse> => client.arrivals.next()
const status = (kind: Kind): KindStatus => served.server.status()[0]!.kinds[kind]

let pings = 0
/** All that has come until now: who asks for one more secret that there is gets it in turn. */
async function rest(client: SotwClient): Promise<readonly string[]> {
  const name = `ping-${pings++}`
  const resourceNames = [...asked, name]
  client.say('secret', { resourceNames, ...(last === undefined ? {} : { responseNonce: last.nonce, versionInfo: last.versionInfo }) })
  const found: string[] = []
  for (;;) {
    const response = await next(client)
    if (kindOf(response.typeUrl) !== 'secret') {
      found.push(told(response))
      continue
    }
    assert.equal(told(response), `secret ${name}`)
    asked = resourceNames
    last = response
    client.accept(response, asked)
    return found
  }
}
let asked: readonly string[] = []
let last: DiscoveryResponse | undefined
beforeEach(() => {
  asked = []
  last = undefined
  pings = 0
})
const PINGS = Array.from({ length: 9 }, (_, at) => secret(`ping-${at}`, 'x'))

function snapshot(clusters: readonly string[], to: string, more: Parameters<typeof snapshotOf>[0] = {}): Snapshot {
  return snapshotOf({
    cluster: clusters.map((name) => cluster(name, 1)),
    listener: [listener('in', { port: 1, route: 'ways' })],
    route: [route('ways', { '/': { cluster: to } }), route('other', {})],
    secret: PINGS,
    ...more,
  })
}

test('clusters and listeners come whole each time, so that what is missing is gone; it goes when nothing names it any more', async () => {
  served.server.publish('edge', snapshot(['a', 'b'], 'a'))
  const client = served.sotw()
  client.say('cluster')
  const first = await next(client)
  assert.equal(told(first), 'cluster a b')
  client.accept(first)
  client.say('route', { resourceNames: ['ways'] })
  const ways = await next(client)
  assert.equal(told(ways), 'route ways')
  client.accept(ways, ['ways'])
  assert.deepEqual(await rest(client), [])
  served.server.publish('edge', snapshot(['b', 'c'], 'c'))
  const both = await next(client)
  assert.equal(told(both), 'cluster a b c', 'the old one as well, until the route is another')
  assert.deepEqual(await rest(client), [])
  client.accept(both)
  const changed = await next(client)
  assert.equal(told(changed), 'route ways')
  client.accept(changed, ['ways'])
  const without = await next(client)
  assert.equal(told(without), 'cluster b c')
  client.accept(without)
  assert.deepEqual(await rest(client), [])
  assert.equal(status('cluster').acknowledged, status('cluster').desired)
  assert.equal(status('route').acknowledged, status('route').desired)
})

test('a request with an older nonce is ignored, whatever it says', async () => {
  served.server.publish('edge', snapshot(['a'], 'a'))
  const client = served.sotw()
  client.say('cluster')
  const first = await next(client)
  client.say('route', { resourceNames: ['ways'] })
  served.server.publish('edge', snapshot(['a', 'b'], 'a'))
  const second = await next(client)
  assert.equal(told(second), 'cluster a b')
  client.say('cluster', { responseNonce: first.nonce, errorDetail: { code: 13, message: 'late' }, resourceNames: ['a'] })
  client.accept(first)
  assert.deepEqual(await rest(client), [])
  assert.deepEqual([status('cluster').rejection, status('cluster').acknowledged], [undefined, undefined])
  client.accept(second)
  assert.equal(told(await next(client)), 'route ways', 'it waited for its cluster')
})

test('a rejection is told by its error; the same is not sent again, the next is', async () => {
  served.server.publish('edge', snapshot(['a'], 'a'))
  const client = served.sotw()
  client.say('cluster')
  const first = await next(client)
  client.say('cluster', { responseNonce: first.nonce, versionInfo: '', errorDetail: { code: 13, message: 'no such thing' } })
  assert.deepEqual(await rest(client), [])
  assert.equal(status('cluster').rejection?.message, 'no such thing')
  served.server.publish('edge', snapshot(['b'], 'b'))
  const second = await next(client)
  assert.equal(told(second), 'cluster b')
  client.accept(second)
  assert.deepEqual(await rest(client), [])
  assert.equal(status('cluster').rejection, undefined)
})

test('of the other kinds only what is new or was asked for anew comes, and what is not there is passed over', async () => {
  served.server.publish('edge', snapshot(['a'], 'a'))
  const client = served.sotw()
  client.say('route', { resourceNames: ['ways', 'gone'] })
  const ways = await next(client)
  assert.equal(told(ways), 'route ways')
  client.accept(ways, ['ways', 'gone'])
  assert.deepEqual(await rest(client), [])
  client.accept(ways, ['ways', 'gone', 'other'])
  const other = await next(client)
  assert.equal(told(other), 'route other')
  client.accept(other, ['ways', 'other'])
  assert.deepEqual(await rest(client), [])
  served.server.publish('edge', snapshot(['a'], 'a', { route: [route('ways', { '/x': { cluster: 'a' } }), route('other', {})] }))
  assert.equal(told(await next(client)), 'route ways')
  served.server.publish(
    'edge',
    snapshot(['a'], 'a', { route: [route('ways', { '/x': { cluster: 'a' } }), route('other', { '/': { cluster: 'a' } })] }),
  )
  assert.equal(told(await next(client)), 'route other ways', 'what was not accepted yet comes along, for its own answer counts no more')
})

test('one that comes back with the version of all that it has is sent nothing again', async () => {
  const same = snapshot(['a', 'b'], 'a')
  served.server.publish('edge', same)
  const client = served.sotw()
  client.say('cluster')
  const clusters = await next(client)
  client.accept(clusters)
  client.say('route', { resourceNames: ['other', 'ways'] })
  const routes = await next(client)
  client.accept(routes, ['other', 'ways'])
  assert.deepEqual(await rest(client), [])
  client.cancel()
  asked = []
  last = undefined
  const again = served.sotw()
  again.say('cluster', { versionInfo: clusters.versionInfo })
  again.say('route', { versionInfo: routes.versionInfo, resourceNames: ['ways', 'other'] })
  assert.deepEqual(await rest(again), [])
  assert.equal(status('cluster').acknowledged, same.versions.cluster)
  const third = served.sotw()
  third.say('route', { versionInfo: routes.versionInfo, resourceNames: ['ways'] })
  assert.equal(told(await next(third)), 'route ways', 'a version that is of more than is asked for proves nothing')
})

test('one that comes back with listeners is not sent none of them, only because one waits for its cluster', async () => {
  const waits = snapshot(['a'], 'a', { listener: [listener('in', { port: 1, route: 'ways', asks: 'a' })] })
  served.server.publish('edge', waits)
  const client = served.sotw()
  client.say('cluster', { versionInfo: 'older' })
  const clusters = await next(client)
  client.say('listener', { versionInfo: 'older' })
  assert.deepEqual(await rest(client), [])
  client.accept(clusters)
  assert.equal(told(await next(client)), 'listener in')
})

test('clusters by name: only those, and none at all when none are named any more', async () => {
  served.server.publish('edge', snapshot(['a', 'b'], 'a'))
  const client = served.sotw()
  client.say('cluster', { resourceNames: ['b', 'gone'] })
  const first = await next(client)
  assert.equal(told(first), 'cluster b')
  served.server.publish('edge', snapshot(['a', 'b'], 'a', { route: [route('ways', {})] }))
  assert.deepEqual(await rest(client), [])
  client.accept(first, [])
  assert.deepEqual(await rest(client), [])
  served.server.publish('edge', snapshot(['a', 'b', 'c'], 'a'))
  assert.deepEqual(await rest(client), [])
})

test('the listeners that go, go in time', async () => {
  served.server.publish('edge', snapshot(['a'], 'a'))
  const client = served.sotw()
  client.say('listener')
  client.accept(await next(client))
  assert.deepEqual(await rest(client), [])
  const other = snapshot(['a'], 'a', { listener: [listener('new', { port: 2, route: 'ways' })] })
  served.server.publish('edge', other)
  assert.equal(told(await next(client)), 'listener in new')
  clock.advance(DEFAULT_LIMITS.removalMs)
  assert.equal(told(await next(client)), 'listener new')
})

test('what a rejected response would have taken away may be gone, so it is sent again', async () => {
  served.server.publish('edge', snapshot(['a'], 'a'))
  const client = served.sotw()
  client.say('cluster')
  client.accept(await next(client))
  assert.deepEqual(await rest(client), [])
  served.server.publish('edge', snapshot(['b'], 'b'))
  const bad = await next(client)
  assert.equal(told(bad), 'cluster b')
  client.say('cluster', { responseNonce: bad.nonce, errorDetail: { code: 13, message: 'b is bad' } })
  assert.deepEqual(await rest(client), [])
  served.server.publish('edge', snapshot(['a'], 'a'))
  const again = await next(client)
  assert.equal(told(again), 'cluster a')
  client.say('route', { resourceNames: ['ways'] })
  assert.deepEqual(await rest(client), [])
  client.accept(again)
  assert.equal(told(await next(client)), 'route ways')
})
