import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { callerOf, parseCidr, plainAddress, trustedProxies } from './forwarded.ts'

const none = trustedProxies([])
const proxies = trustedProxies(['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'])
const caller = (peer: string, forwardedFor: readonly string[], forwardedProto: readonly string[] = []) =>
  callerOf(peer, false, { forwardedFor, forwardedProto }, proxies)

test('nobody is believed unless listed', () => {
  const request = { forwardedFor: ['203.0.113.9'], forwardedProto: ['https'] }
  assert.deepEqual(callerOf('127.0.0.1', false, request, none), { ip: '127.0.0.1', secure: false, forwardedFor: '127.0.0.1' })
  assert.deepEqual(callerOf('203.0.113.1', false, request, proxies).ip, '203.0.113.1')
})

const rows: readonly (readonly [peer: string, fields: readonly string[], ip: string, chain: string])[] = [
  ['10.0.0.1', ['203.0.113.9'], '203.0.113.9', '203.0.113.9, 10.0.0.1'],
  ['10.0.0.1', ['198.51.100.1, 203.0.113.9'], '203.0.113.9', '203.0.113.9, 10.0.0.1'],
  ['10.0.0.1', ['203.0.113.9, 10.0.0.2'], '203.0.113.9', '203.0.113.9, 10.0.0.2, 10.0.0.1'],
  ['10.0.0.1', ['203.0.113.9', '10.0.0.2'], '203.0.113.9', '203.0.113.9, 10.0.0.2, 10.0.0.1'],
  ['::ffff:10.0.0.1', ['203.0.113.9'], '203.0.113.9', '203.0.113.9, 10.0.0.1'],
  ['10.0.0.1', ['::ffff:203.0.113.9'], '203.0.113.9', '203.0.113.9, 10.0.0.1'],
  ['2001:db8::1', ['2001:DB9::5'], '2001:db9::5', '2001:db9::5, 2001:db8::1'],
  ['10.0.0.1', [], '10.0.0.1', '10.0.0.1'],
  ['10.0.0.1', ['10.0.0.2'], '10.0.0.2', '10.0.0.2, 10.0.0.1'],
  // What can't be parsed leaves it at the peer, and nothing of it is written.
  ['10.0.0.1', ['a'], '10.0.0.1', '10.0.0.1'],
  ['10.0.0.1', [','], '10.0.0.1', '10.0.0.1'],
  ['10.0.0.1', [''], '10.0.0.1', '10.0.0.1'],
  ['10.0.0.1', ['203.0.113.9, unknown, 10.0.0.2'], '10.0.0.1', '10.0.0.1'],
  ['10.0.0.1', ['203.0.113.9:4711'], '10.0.0.1', '10.0.0.1'],
  ['10.0.0.1', [Array.from({ length: 1000 }, () => '10.0.0.3').join(',')], '10.0.0.1', '10.0.0.1'],
]
for (const [peer, fields, ip, chain] of rows)
  test(`${peer} with ${JSON.stringify(fields).slice(0, 60)} is ${ip}`, () => {
    assert.deepEqual(caller(peer, fields), { ip, secure: false, forwardedFor: chain })
  })

test('the scheme is believed from a listed peer, if there is one of it', () => {
  assert.equal(caller('10.0.0.1', ['203.0.113.9'], ['https']).secure, true)
  for (const proto of [['https', 'http'], ['HTTPS'], ['https,http'], ['x'], []])
    assert.equal(caller('10.0.0.1', ['203.0.113.9'], proto).secure, false, proto.join())
})

test('addresses and blocks', () => {
  assert.equal(plainAddress('::FFFF:1.2.3.4'), '1.2.3.4')
  assert.equal(plainAddress('fe80::1%eth0'), 'fe80::1')
  assert.equal(plainAddress('1.2.3'), undefined)
  assert.deepEqual(parseCidr('10.0.0.0/8'), { address: '10.0.0.0', prefix: 8 })
  assert.deepEqual(parseCidr('::1'), { address: '::1', prefix: 128 })
  for (const text of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'a/8', '10.0.0.0/-1', '']) assert.equal(parseCidr(text), undefined, text)
})

test('whatever is in the field, the address is one, and everything right of it is listed', () => {
  const entry = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 12 }), fc.constantFrom('10.1.2.3', ' 10.1.2.3 '))
  fc.assert(
    fc.property(
      fc.array(
        fc.array(entry, { maxLength: 5 }).map((list) => list.join(', ')),
        { maxLength: 3 },
      ),
      (fields) => {
        const { ip, forwardedFor } = caller('10.0.0.1', fields)
        const chain = forwardedFor.split(', ')
        assert.equal(chain[0], ip)
        assert.equal(chain.at(-1), '10.0.0.1')
        for (const hop of chain.slice(1)) assert.ok(proxies.includes(hop), hop)
        assert.notEqual(plainAddress(ip), undefined)
      },
    ),
    { numRuns: 300 },
  )
})
