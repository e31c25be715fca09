import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { fromJson, toJson } from './saved.ts'
import { difference, snapshotOf } from './snapshot.ts'
import { cluster, endpoints, extension, listener, route, secret, small } from './testing.ts'
import type { Kind } from './types.ts'

const whole = () =>
  snapshotOf({
    cluster: [cluster('orders', 'eds')],
    endpoints: [endpoints('orders', 80)],
    secret: [secret('s', 'x')],
    extension: [extension('pass', 'yes')],
    listener: [listener('in', { port: 1, route: 'ways', extensions: ['pass'], secret: 's', asks: 'orders' })],
    route: [route('ways', { '/': { cluster: 'orders' } })],
  })

test('the same content has the same version, whatever came first', () => {
  const [a, b] = [cluster('a', 1), cluster('b', 2)]
  assert.deepEqual(snapshotOf({ cluster: [a, b] }), snapshotOf({ cluster: [b, a] }))
  assert.equal(whole().version, whole().version)
  assert.notEqual(snapshotOf({ cluster: [a] }).version, snapshotOf({ cluster: [cluster('a', 2)] }).version)
})

test('a resource knows what it names, also from deep inside of what is packed', () => {
  const { resources } = whole()
  const needs = (kind: Kind, name: string): string[] =>
    resources[kind]
      .get(name)!
      .needs.map((need) => `${need.kind} ${need.name}`)
      .sort()
  assert.deepEqual(needs('listener', 'in'), ['cluster orders', 'extension pass', 'route ways', 'secret s'])
  assert.deepEqual(needs('route', 'ways'), ['cluster orders'])
  assert.deepEqual(needs('cluster', 'orders'), ['endpoints orders'])
})

test('names that lead nowhere are all told, and nothing is made of it', () => {
  const messages = {
    cluster: [cluster('orders', 'eds')],
    listener: [listener('in', { port: 1, route: 'ways', extensions: ['pass'], secret: 's' })],
    route: [route('other', { '/a': { cluster: 'gone' }, '/b': { cluster: 'static' } })],
  }
  assert.throws(() => snapshotOf(messages, { given: ['static'] }), {
    code: 'xds/missing',
    message:
      '5 names lead nowhere, so nothing of it was sent: cluster `gone` (named by route `other`), endpoints `orders` (named by cluster `orders`), ' +
      'extension `pass` (named by listener `in`), route `ways` (named by listener `in`), secret `s` (named by listener `in`)',
  })
})

test('two of one name, two on one address, nothing at all, too much, and what can’t be looked into are refused', () => {
  const throws = (work: () => unknown, code: string, message: RegExp): void => assert.throws(work, { code, message })
  throws(() => snapshotOf({ cluster: [cluster('a', 1), cluster('a', 2)] }), 'xds/duplicate', /two clusters are called `a`/)
  const two = ['x', 'y'].map((name) => listener(name, { port: 443, route: 'r' }))
  throws(() => snapshotOf({ listener: two, route: [route('r', {})] }), 'xds/address', /`x` and `y` are both on `127.0.0.1:443`/)
  throws(() => snapshotOf({}), 'xds/empty', /nothing at all/)
  assert.equal(snapshotOf({}, { empty: true }).resources.cluster.size, 0)
  throws(() => snapshotOf({ cluster: [cluster('a', 1)] }, { maxBytes: 10 }), 'xds/size', /more than 10/)
  const odd = listener('odd', { port: 1, route: 'r' })
  odd.filterChains[0]!.filters[0]!.configType = { case: 'typedConfig', value: create(AnySchema, { typeUrl: 'type.googleapis.com/a.B' }) }
  throws(() => snapshotOf({ listener: [odd] }), 'xds/message', /`a.B`/)
  throws(() => snapshotOf({ cluster: [cluster('', 1)] }), 'xds/message', /has no name/)
})

test('a difference tells what is new, other and gone', () => {
  const before = snapshotOf({ cluster: [cluster('a', 1), cluster('b', 1), cluster('c', 1)] })
  const after = snapshotOf({ cluster: [cluster('b', 2), cluster('c', 1), cluster('d', 1)] })
  assert.deepEqual(difference(before, after).cluster, { added: ['d'], changed: ['b'], removed: ['a'] })
  assert.deepEqual(difference(undefined, before).cluster, { added: ['a', 'b', 'c'], changed: [], removed: [] })
})

test('a saved snapshot comes back exactly; one that was touched is refused', () => {
  const snapshot = whole()
  const text = JSON.stringify(toJson(snapshot))
  assert.deepEqual(fromJson(JSON.parse(text)), snapshot)
  const spoilt = (change: (saved: { version: string; resources: { name: string; bytes: string; version: string }[] }) => void): unknown => {
    const saved = JSON.parse(text) as Parameters<typeof change>[0]
    change(saved)
    return saved
  }
  const refused = (saved: unknown, problem: RegExp): void => assert.throws(() => fromJson(saved), { code: 'xds/saved', message: problem })
  refused(
    spoilt((saved) => (saved.version = 'x')),
    /its version is not that of its content/,
  )
  refused(
    spoilt((saved) => (saved.resources[0]!.name = 'x')),
    /the cluster `x` is not what was saved/,
  )
  refused(
    spoilt((saved) => (saved.resources[0]!.bytes = '')),
    /the cluster `orders` can not be read|is not what was saved/,
  )
  refused(
    spoilt((saved) => (saved.resources[5]!.bytes = saved.resources[5]!.bytes.replace('A', 'B'))),
    /the route `ways`/,
  )
  for (const odd of [
    undefined,
    null,
    7,
    'x',
    [],
    {},
    { version: 'x', given: [], resources: [7] },
    { version: 'x', given: [7], resources: [] },
  ])
    refused(odd, /it is not one|a resource in it is not one/)
})

test('clusters that the node has from elsewhere are kept with it', () => {
  const snapshot = snapshotOf({ route: [route('r', { '/': { cluster: 'static' } })] }, { given: ['static'] })
  assert.deepEqual(fromJson(toJson(snapshot)), snapshot)
  assert.equal(small({ '/': { status: 200, body: 'x' } }).given.length, 0)
})
