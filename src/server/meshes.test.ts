import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Wiring } from '../config/schema.ts'
import { askingMeshes, meshOf, resourceInMesh, resourcesByHost } from './meshes.ts'

const wiring = {
  resources: {
    orders: { hosts: ['orders.example', 'api.example:8443'] },
    exports: { hosts: ['exports.example', 'api.example:9443'] },
    wiki: { hosts: ['wiki.example'] },
  },
  targets: {
    shop: { kind: 'istio', provider: { identities: ['spiffe://td/ns/shop/sa/orders'] }, delegate: ['orders', 'exports'] },
    office: { kind: 'istio', provider: { identities: ['spiffe://td/ns/office/sa/wiki'] }, delegate: ['wiki'] },
    silent: { kind: 'istio', provider: undefined, delegate: [] },
    telling: { kind: 'istio', provider: { identities: ['spiffe://td/ns/shop/sa/telling'] }, delegate: [], logs: true },
    other: { kind: 'kuma' },
  },
} as unknown as Wiring

test('a proxy of a mesh asks about the resources that are delegated there, by their hosts', () => {
  const meshes = askingMeshes(wiring)
  assert.equal(meshOf(meshes, 'spiffe://td/ns/shop/sa/orders'), 'targets.shop')
  assert.equal(meshOf(meshes, 'spiffe://td/ns/shop/sa/other'), undefined)
  assert.equal(meshOf(meshes, 'spiffe://td/ns/shop/sa/telling'), 'targets.telling')
  const of = (node: string | undefined, host: string) => resourceInMesh(meshes, node, host)
  assert.deepEqual(of('targets.telling', 'orders.example'), { resource: undefined }, 'who tells of requests may not ask about any')
  assert.deepEqual(of('targets.shop', 'Orders.example:8080'), { resource: 'orders' })
  assert.deepEqual(of('targets.shop', 'api.example:8443'), { resource: 'orders' })
  assert.deepEqual(of('targets.shop', 'api.example:9443'), { resource: 'exports' })
  assert.deepEqual(of('targets.shop', 'api.example'), { resource: undefined })
  assert.deepEqual(of('targets.shop', 'wiki.example'), { resource: undefined }, 'of another mesh')
  assert.deepEqual(of(undefined, 'wiki.example'), { resource: 'wiki' })
  assert.equal(of('edge', 'orders.example'), undefined, 'an Envoy says by itself which resource it is')
})

test('a host of two meshes is of neither, where nobody proves which one asks', () => {
  const targets = { ...wiring.targets, twice: { kind: 'istio', provider: { identities: [] }, delegate: ['copy'] } }
  const meshes = askingMeshes({
    ...wiring,
    resources: { ...wiring.resources, copy: { hosts: ['wiki.example'] } },
    targets,
  } as unknown as Wiring)
  assert.deepEqual(resourceInMesh(meshes, undefined, 'wiki.example'), { resource: undefined })
  assert.deepEqual(resourceInMesh(meshes, 'targets.office', 'wiki.example'), { resource: 'wiki' })
})

test('of what is told, the resource is the one that has the host', () => {
  const of = resourcesByHost({ resources: { ...wiring.resources, copy: { hosts: ['wiki.example'] } } } as unknown as Wiring)
  assert.equal(of('Orders.example:8080'), 'orders')
  assert.equal(of('api.example:9443'), 'exports')
  assert.equal(of('api.example'), undefined)
  assert.equal(of('wiki.example'), undefined, 'it could be of two')
})
