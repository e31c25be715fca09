import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { JsonValue } from '../core/json.ts'
import { readDirectory } from './directory.ts'

const pem = `-----BEGIN CERTIFICATE-----\n${'A'.repeat(64)}\nQUE=\n-----END CERTIFICATE-----\n`
const shop = { name: 'shop', server: 'https://door.example:6443/clusters/shop', mode: 'impersonate' }
const full = {
  ...shop,
  name: 'aks',
  ca: pem + pem,
  tlsServerName: 'door.internal',
  namespace: 'team-a',
  mode: 'pass-through',
  audience: '6dae42f8-4368-4678-94ff-3960e28e3630',
}

describe('what a gateway says of its clusters', () => {
  test('is read, without what is not known', () => {
    assert.deepEqual(readDirectory([shop, { ...full, later: true }]), { clusters: [shop, full] })
    assert.deepEqual(readDirectory([]), { clusters: [] })
  })

  test('is read without what stands between certificates', () => {
    const ca = `subject=CN = one\n${pem}\n\nsubject=CN = two\n${pem}`
    assert.deepEqual(readDirectory([{ ...full, ca }]), { clusters: [full] })
  })

  const wrong: readonly [string, unknown, RegExp][] = [
    ['no list', { clusters: [] }, /^it is no list$/],
    ['nothing', undefined, /^it is no list$/],
    ['too many', Array.from({ length: 10_001 }, () => shop), /more than 10000/],
    ['two of a name', [shop, shop], /two clusters `shop`/],
    ['a text', ['shop'], /cluster 1 is no object/],
    ['no name', [{ ...shop, name: '' }], /no name of a resource/],
    ['a name with lines', [{ ...shop, name: 'a\nb' }], /no name of a resource/],
    ['a name that is an option', [{ ...shop, name: '--x' }], /no name of a resource/],
    ['a server without TLS', [{ ...shop, server: 'http://door.example' }], /reached by https/],
    ['a server with a password', [{ ...shop, server: 'https://a:b@door.example' }], /reached by https/],
    ['a server with a query', [{ ...shop, server: 'https://door.example/?x=1' }], /reached by https/],
    ['a server with an empty query', [{ ...shop, server: 'https://door.example/?' }], /reached by https/],
    ['a server that is no URL', [{ ...shop, server: 'https://[' }], /reached by https/],
    ['a server with a blank', [{ ...shop, server: 'https://door.example/ x' }], /reached by https/],
    ['a private key', [{ ...shop, ca: pem.replaceAll('CERTIFICATE', 'PRIVATE KEY') }], /no certificates in PEM/],
    ['a key behind the certificate', [{ ...shop, ca: pem + pem.replaceAll('CERTIFICATE', 'EC PRIVATE KEY') }], /no certificates in PEM/],
    ['a path in place of certificates', [{ ...shop, ca: '/etc/ca.pem' }], /no certificates in PEM/],
    ['a name of TLS that is none', [{ ...shop, tlsServerName: 'a b' }], /`tlsServerName`/],
    ['a namespace that is none', [{ ...shop, namespace: 'Team' }], /`namespace`/],
    ['another mode', [{ ...shop, mode: 'none' }], /no `mode`/],
    ['an audience that is an option', [{ ...shop, audience: '--admin' }], /`audience`/],
    ['an audience of two', [{ ...shop, audience: 'a b' }], /`audience`/],
    ['an audience that is null', [{ ...shop, audience: null }], /`audience`/],
  ]
  for (const [name, answer, problem] of wrong)
    test(`is refused: ${name}`, () => {
      const read = readDirectory(answer as JsonValue | undefined)
      assert.ok('problem' in read)
      assert.match(read.problem, problem)
    })

  test('is read or refused, whatever it is', () => {
    const keys = Object.keys(full) as (keyof typeof full)[]
    const near = fc
      .tuple(fc.constantFrom(...keys), fc.oneof(fc.string(), fc.jsonValue()))
      .map(([key, value]) => [{ ...full, [key]: value }] as unknown as JsonValue)
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue() as fc.Arbitrary<JsonValue>, near), (answer) => {
        const read = readDirectory(answer)
        if ('problem' in read) assert.match(read.problem, /^it/)
        else for (const { server } of read.clusters) assert.equal(new URL(server).protocol, 'https:')
      }),
      { numRuns: 1000 },
    )
  })
})
