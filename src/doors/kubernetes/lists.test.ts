/** Lists and watches of which the policy allows some, by way of the door. */
import { unpaged } from './lists.ts'
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { KubernetesAction } from '../../core/action.ts'
import type { Obligation } from '../../core/decision.ts'
import {
  askCluster,
  clusterDoor,
  clusterPolicy,
  recordsOf,
  requestOf,
  statusIn,
  until,
  type ClusterRule,
} from '../../testing/kubernetesdoor.ts'
import { JSON_TYPE, jsonOf, linesOf, standInApiServer, type StandInApiServer } from '../../testing/standin-apiserver.ts'

/** Everything in `shop` but what is called `hidden`, and no whole that is larger. */
const SHOP: ClusterRule = ({ namespace, name }) => namespace === 'shop' && name !== 'hidden' && name !== '*'
const LIST = 'GET /api/v1/pods'
const WATCH = 'GET /api/v1/pods?watch=true'

async function setUp(t: TestContext, answer?: StandInApiServer['answer'], rule: ClusterRule = SHOP, inPart = true) {
  const api = await standInApiServer(answer)
  const door = await clusterDoor(api, { policy: clusterPolicy(rule, { inPart }), clusters: { bed: { lists: 'filter' } } })
  t.after(async () => {
    await door.close()
    await api.close()
  })
  return { api, door }
}

const pod = (namespace: string, name: string, more: object = {}) => ({ metadata: { name, namespace }, ...more })
const ALL = [pod('shop', 'a'), pod('other', 'b'), pod('shop', 'hidden'), pod('shop', 'c')]
const namesIn = (items: readonly unknown[]): readonly string[] =>
  items.map((one) => (one as { readonly metadata: { readonly name: string } }).metadata.name)

describe('a list', () => {
  test('has what is allowed in it, and doesn’t say how many more there are', async (t) => {
    const whole = {
      kind: 'PodList',
      apiVersion: 'v1',
      metadata: { resourceVersion: '7', continue: '', remainingItemCount: 40 },
      items: ALL,
    }
    const { api, door } = await setUp(t, () => ({
      ...jsonOf(whole),
      fields: { ...JSON_TYPE, etag: '"4"', 'content-length': String(JSON.stringify(whole).length) },
    }))
    const answer = await askCluster(door, LIST, ['Accept: application/vnd.kubernetes.protobuf, application/json', 'Accept-Encoding: gzip'])
    assert.equal(answer.status, 200)
    const shown = JSON.parse(answer.body) as { readonly items: readonly unknown[]; readonly metadata: object }
    assert.deepEqual(namesIn(shown.items), ['a', 'c'])
    assert.deepEqual(shown.metadata, { resourceVersion: '7', continue: '' })
    assert.deepEqual([answer.fields.get('content-length'), answer.fields.get('etag')], [undefined, undefined])
    // It was asked for in a form that can be looked into.
    assert.deepEqual([linesOf(api.seen[0]!, 'accept'), linesOf(api.seen[0]!, 'accept-encoding')], [['application/json'], []])
    assert.deepEqual(recordsOf(door), ['list pods */*: allowed completed 200'])
    assert.deepEqual([...door.records.values()][0]!.mode, 'strict')
  })

  test('as a table has the rows that are allowed', async (t) => {
    const row = (object: object) => ({ cells: ['x'], object: { kind: 'PartialObjectMetadata', ...object } })
    const { api, door } = await setUp(t, () =>
      jsonOf({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', columnDefinitions: [{ name: 'Name' }], rows: ALL.map((one) => row(one)) }),
    )
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
    const answer = await askCluster(door, LIST, [`Accept: ${accept},application/vnd.kubernetes.protobuf`])
    const { rows, columnDefinitions } = JSON.parse(answer.body) as {
      readonly rows: readonly { readonly object: unknown }[]
      readonly columnDefinitions: unknown
    }
    assert.deepEqual(namesIn(rows.map(({ object }) => object)), ['a', 'c'])
    assert.deepEqual(columnDefinitions, [{ name: 'Name' }])
    assert.deepEqual(linesOf(api.seen[0]!, 'accept'), [accept])
  })

  test('of things that look like rows is decided by what they are', async (t) => {
    const disguised = { cells: [], object: pod('shop', 'a'), ...pod('other', 'b', { secret: 'x' }) }
    const { door } = await setUp(t, () => jsonOf({ kind: 'ThingList', metadata: {}, items: [disguised, pod('shop', 'c')] }))
    const { items } = JSON.parse((await askCluster(door, LIST)).body) as { readonly items: readonly unknown[] }
    assert.deepEqual(namesIn(items), ['c'])
  })

  const kept: readonly (readonly [name: string, answer: ReturnType<StandInApiServer['answer']>])[] = [
    ['compressed', { fields: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync(JSON.stringify({ items: ALL })) }],
    ['in protobuf', { fields: { 'content-type': 'application/vnd.kubernetes.protobuf' }, body: 'k8s\0' }],
    ['of no type', { fields: {}, body: JSON.stringify({ items: ALL }) }],
    ['in part', { status: 206, fields: { ...JSON_TYPE, 'content-range': 'bytes 0-9/99' }, body: JSON.stringify({ items: ALL }) }],
  ]
  for (const [name, answer] of kept)
    test(`that comes ${name} is kept back`, async (t) => {
      const { door } = await setUp(t, () => answer)
      const told = await askCluster(door, LIST)
      assert.equal(told.status, 502)
      assert.match(
        statusIn(told).message,
        /^the cluster’s answer can not be filtered, and is kept back; ask for what the policy allows whole/,
      )
      assert.deepEqual(recordsOf(door), ['list pods */*: allowed refused 502'])
    })

  for (const [name, body] of [
    ['a thing without a name', { items: [pod('shop', 'a'), { metadata: { namespace: 'shop' } }] }],
    ['a thing that is none', { items: [pod('shop', 'a'), 'b'] }],
    ['things under names', { items: { first: pod('other', 'b') } }],
    ['a text in place of things', { items: 'other/b' }],
    ['rows that are no list', { kind: 'Table', rows: { first: pod('other', 'b') } }],
    ['a namespace that is no text', { items: [{ metadata: { name: 'b', namespace: ['other'] } }] }],
  ] as const)
    test(`with ${name} never looks whole`, async (t) => {
      const { door } = await setUp(t, () => jsonOf({ kind: 'PodList', ...body, after: 'the end' }))
      const text = await door
        .connect()
        .send(requestOf(LIST, ['Connection: close']))
        .whole()
      assert.ok(!text.endsWith('0\r\n\r\n'))
      assert.ok(!text.includes('other') && !text.includes('the end'), text)
      await until(() => recordsOf(door)[0]!.includes('refused'))
      assert.deepEqual(recordsOf(door), ['list pods */*: allowed refused 200'])
    })

  test('of which nothing may be allowed is refused as a whole', async (t) => {
    const { api, door } = await setUp(t, undefined, SHOP, false)
    const answer = await askCluster(door, LIST)
    assert.deepEqual([answer.status, api.seen.length], [403, 0])
    assert.match(statusIn(answer).message, /cannot list resource "pods" in API group "" in all namespaces/)
  })

  test('that no table could be told of by is not filtered: rows without their objects say nothing', async (t) => {
    const { api, door } = await setUp(t)
    assert.equal((await askCluster(door, `${LIST}?includeObject=None`)).status, 403)
    assert.equal(api.seen.length, 0)
  })

  test('an error of the cluster is told as it is', async (t) => {
    const { door } = await setUp(t, () => jsonOf({ kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }, 410))
    const answer = await askCluster(door, LIST)
    assert.deepEqual([answer.status, statusIn(answer).message], [410, 'too old'])
  })

  test('leaves out what would have to be masked or counted', async (t) => {
    const limit: Obligation = { kind: 'limit', id: 'l', requests: 1, window: 1000, key: 'x' }
    const mask: Obligation = { kind: 'mask', ids: ['m'], fields: [{ path: '$.data', mask: { as: 'drop' } }] }
    const strict: Obligation = { kind: 'record', ids: ['s'], mode: 'strict' }
    const by: Readonly<Record<string, readonly Obligation[]>> = { a: [], b: [limit], c: [mask], d: [strict] }
    const { door } = await setUp(
      t,
      () => jsonOf({ kind: 'PodList', items: ['a', 'b', 'c', 'd'].map((name) => pod('shop', name)) }),
      ({ name }) => (name === '*' ? false : { effect: 'allow', obligations: by[name]! }),
    )
    const { items } = JSON.parse((await askCluster(door, LIST)).body) as { readonly items: readonly unknown[] }
    assert.deepEqual(namesIn(items), ['a', 'd'])
  })

  test('decides each thing by the policy that is in force when it passes', async (t) => {
    const { api, door } = await setUp(t)
    api.answer = ({ stream }) => {
      stream!.respond({ ':status': 200, ...JSON_TYPE })
      stream!.write(`{"items":[${JSON.stringify(ALL[0])},`)
      return undefined
    }
    const client = door.connect().send(requestOf(LIST))
    await client.until((text) => text.includes('"a"'))
    door.policies.swap(clusterPolicy(SHOP, { version: 'sha256:2' }))
    // It is denied as a whole, so that a new version ends it.
    const text = await client.whole()
    assert.ok(!text.endsWith('0\r\n\r\n'))
    await until(() => recordsOf(door)[0]!.includes('policy-changed'))
  })
})

describe('a watch', () => {
  const event = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`

  async function watched(
    t: TestContext,
    text: string,
    cut = text.length,
  ): Promise<readonly { readonly type: string; readonly object: Record<string, unknown> }[]> {
    const { door } = await setUp(t, ({ stream }) => {
      stream!.respond({ ':status': 200, ...JSON_TYPE })
      stream!.write(text.slice(0, cut))
      setImmediate(() => stream!.end(text.slice(cut)))
      return undefined
    })
    const answer = await askCluster(door, WATCH)
    return answer.body
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Awaited<ReturnType<typeof watched>>[number])
  }

  test('has the events that are allowed, wherever they are cut', async (t) => {
    const text = [
      event('ADDED', pod('shop', 'a')),
      event('MODIFIED', pod('other', 'b')),
      event('DELETED', pod('shop', 'hidden')),
      event('BOOKMARK', { metadata: { resourceVersion: '9' } }),
      event('MODIFIED', pod('shop', 'c')),
    ].join('')
    for (const cut of [1, 40, 130, text.length - 1])
      assert.deepEqual(
        (await watched(t, text, cut)).map(({ type }) => type),
        ['ADDED', 'BOOKMARK', 'MODIFIED'],
      )
  })

  const table = (rows: readonly object[], columns: unknown) => ({
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    columnDefinitions: columns,
    rows: rows.map((object) => ({ cells: ['x'], object })),
  })

  test('of tables says what their columns are with the first event that is shown', async (t) => {
    const events = await watched(
      t,
      [
        event('ADDED', table([pod('other', 'b')], [{ name: 'Name' }])),
        event('ADDED', table([pod('shop', 'hidden')], null)),
        event('ADDED', table([pod('shop', 'a')], null)),
        event('ADDED', table([pod('shop', 'c')], null)),
      ].join(''),
    )
    assert.deepEqual(
      events.map(({ object }) => object['columnDefinitions']),
      [[{ name: 'Name' }], null],
    )
  })

  test('of things that call themselves tables is decided by what they are', async (t) => {
    const disguised = { kind: 'Table', apiVersion: 'example.com/v1', rows: [{ cells: [], object: pod('shop', 'a') }], ...pod('other', 'b') }
    assert.deepEqual(await watched(t, event('ADDED', disguised)), [])
  })

  test('over WebSocket is let through whole or not at all', async (t) => {
    const { api, door } = await setUp(t)
    const answer = await askCluster(door, WATCH, [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ])
    assert.deepEqual([answer.status, api.seen.length], [403, 0])
  })
})

const HALF_SWITCH = [
  'Proxy-Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

for (const line of [LIST, WATCH])
  test(`is filtered whatever else seems to ask for a switch of protocols: ${line}`, async (t) => {
    const text = JSON.stringify(line === LIST ? { items: ALL } : { type: 'ADDED', object: ALL[1] })
    const { api, door } = await setUp(t, () => ({ fields: JSON_TYPE, body: text }))
    api.upgrade = (_request, socket) =>
      socket.end(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
    const answer = await askCluster(door, line, HALF_SWITCH)
    assert.deepEqual([answer.status, answer.body.includes('other')], [200, false])
    assert.deepEqual(linesOf(api.seen[0]!, 'upgrade'), [])
  })

describe('one object', () => {
  const mask: Obligation = { kind: 'mask', ids: ['m'], fields: [{ path: '$.data', mask: { as: 'drop' } }] }
  const masking = ({ resource }: KubernetesAction) =>
    resource === 'configmaps' || resource === 'pods' ? { effect: 'allow' as const, obligations: [mask] } : false

  test('is masked, and asked for in JSON', async (t) => {
    const { api, door } = await setUp(t, () => jsonOf({ kind: 'ConfigMap', data: { a: 'secret' }, metadata: { name: 'a' } }), masking)
    const answer = await askCluster(door, 'GET /api/v1/namespaces/shop/configmaps/a', ['Accept: application/vnd.kubernetes.protobuf'])
    assert.deepEqual(JSON.parse(answer.body), { kind: 'ConfigMap', metadata: { name: 'a' } })
    assert.deepEqual(linesOf(api.seen[0]!, 'accept'), ['application/json'])
  })

  // A table has what its columns show in cells, and with `includeObject=Object` the whole object in its rows.
  test('is no table where it is masked: that has its fields elsewhere', async (t) => {
    const { api, door } = await setUp(t, () => jsonOf({ kind: 'ConfigMap', data: { a: 'secret' } }), masking)
    const partial = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
    for (const accept of [
      'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
      'application/json; as = Table;v=v1;g=meta.k8s.io',
      'application/json;as=PartialObjectMetadata;as=Table;v=v1;g=meta.k8s.io',
      partial,
    ])
      await askCluster(door, 'GET /api/v1/namespaces/shop/configmaps/a?includeObject=Object', [`Accept: ${accept}`])
    assert.deepEqual(
      api.seen.map((request) => linesOf(request, 'accept')),
      [['application/json'], ['application/json'], ['application/json'], [partial]],
    )
  })

  for (const line of ['GET /api/v1/namespaces/shop/pods/a/log?follow=true', 'GET /api/v1/namespaces/shop/pods?watch=1'])
    test(`what has no end can’t be masked: ${line}`, async (t) => {
      const { api, door } = await setUp(t, undefined, masking)
      const answer = await askCluster(door, line)
      assert.deepEqual([answer.status, api.seen.length], [502, 0])
      assert.match(recordsOf(door)[0]!, /: allowed refused 502$/)
    })
})

test('a list that is shown in part is asked for without pages', () => {
  for (const [query, asked] of [
    ['', ''],
    ['?limit=500', ''],
    ['?%6Cimit=1&labelSelector=a%3Db', '?labelSelector=a%3Db'],
    ['?resourceVersion=0&limit=1&limit=2', '?resourceVersion=0'],
    ['?labelSelector=limit', '?labelSelector=limit'],
  ] as const)
    assert.equal(unpaged(query), asked)
})
