/** Which changes of the wiring a comparison of policies doesn't cover. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wiringChanges } from './changes.ts'
import type { Wiring } from './schema.ts'

const orders = { protocol: 'http', hosts: ['orders.example.com'], upstream: { url: 'http://a' } }
const base = {
  name: 'gateway',
  dataDir: 'data',
  onWiden: 'apply',
  issuers: { idp: { kind: 'oidc', tenants: ['a'], claims: { a: { type: 'string', path: ['x', 'a'] }, b: 'list' } } },
  resources: { orders },
  audit: { queue: 1n },
}
const changes = (before: object, after: object) => {
  const { beyond, beside } = wiringChanges({ ...base, ...before } as unknown as Wiring, { ...base, ...after } as unknown as Wiring)
  return [...beyond.map((one) => `beyond ${one}`), ...beside.map((one) => `beside ${one}`)]
}
const issuer = (more: object) => ({ issuers: { idp: { ...base.issuers.idp, ...more } } })
const resources = (all: object) => ({ resources: all })

const cases: readonly (readonly [name: string, before: object, after: object, told: readonly string[]])[] = [
  ['nothing', {}, {}, []],
  ['the order of keys', resources({ orders }), resources({ orders: Object.fromEntries(Object.entries(orders).toReversed()) }), []],
  ['who is believed', {}, issuer({ tenants: ['a', 'b'] }), ['beyond issuers.idp.tenants']],
  ['whom the gateway itself trusts', {}, { outbound: { ca: 'x' } }, ['beyond outbound']],
  ['what the policy speaks of', {}, issuer({ stepUp: 'never' }), []],
  ['where a claim is read from', {}, issuer({ claims: { a: 'string', b: 'list' } }), ['beyond issuers.idp.claims']],
  ['a claim more', {}, issuer({ claims: { ...base.issuers.idp.claims, c: 'list' } }), []],
  ['where something is', {}, resources({ orders: { ...orders, upstream: { url: 'http://b' } } }), ['beside resources.orders.upstream']],
  ['which requests come to it', {}, resources({ orders: { ...orders, hosts: ['o.example.com'] } }), ['beyond resources.orders.hosts']],
  ['how it is recorded', {}, { audit: { queue: 2n } }, ['beside audit']],
  ['where data is', {}, { dataDir: 'elsewhere' }, ['beside dataDir']],
  ['where data is, which says what is held', { onWiden: 'hold' }, { onWiden: 'hold', dataDir: 'elsewhere' }, ['beyond dataDir']],
  ['to hold', {}, { onWiden: 'hold' }, ['beside onWiden']],
  ['not to hold', { onWiden: 'hold' }, {}, ['beyond onWiden']],
  ['an issuer more', {}, { issuers: { ...base.issuers, other: { kind: 'oidc' } } }, []],
  ['a resource more', {}, resources({ orders, wiki: { ...orders, hosts: ['wiki.example.com'] } }), []],
  [
    'a resource less, whose requests come to another',
    resources({ orders, all: { ...orders, hosts: ['*.example.com'] } }),
    resources({ all: { ...orders, hosts: ['*.example.com'] } }),
    ['beyond resources.orders.hosts'],
  ],
  [
    'a resource more, whose requests came to another',
    resources({ all: { ...orders, hosts: ['*.Example.com'] } }),
    resources({ orders, all: { ...orders, hosts: ['*.Example.com'] } }),
    ['beyond resources.orders.hosts'],
  ],
  [
    'one resource for another',
    resources({ orders }),
    resources({ renamed: orders }),
    ['beyond resources.orders.hosts', 'beyond resources.renamed.hosts'],
  ],
  [
    'a resource less at a port, whose requests come to another',
    resources({ orders: { ...orders, hosts: ['orders.example.com:8443'] }, all: { ...orders, hosts: ['*.example.com'] } }),
    resources({ all: { ...orders, hosts: ['*.example.com'] } }),
    ['beyond resources.orders.hosts'],
  ],
  [
    'of another domain',
    resources({ orders, all: { ...orders, hosts: ['*.example.org'] } }),
    resources({ all: { ...orders, hosts: ['*.example.org'] } }),
    [],
  ],
]
for (const [name, before, after, told] of cases) test(name, () => assert.deepEqual(changes(before, after), told))
