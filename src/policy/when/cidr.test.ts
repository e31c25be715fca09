/** Addresses as texts say them, and what is in a network. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contains, parseAddress, parseNetwork } from './cidr.ts'

const inside = (network: string, address: string): boolean => contains(parseNetwork(network)!, parseAddress(address)!)

test('an IPv4 address written as IPv6 is one, and what only looks so is not', () => {
  assert.deepEqual(parseAddress('::ffff:10.0.0.1'), parseAddress('10.0.0.1'))
  assert.equal(inside('10.0.0.0/8', '::ffff:a00:1'), true)
  for (const other of ['::ff00:a00:1', '::ff:a00:1', '::a00:1', '::1:ffff:a00:1', '1::ffff:a00:1'])
    assert.equal(inside('10.0.0.0/8', other), false, other)
})

test('a network has what begins as it does', () => {
  assert.deepEqual(
    ['9.255.255.255', '10.0.0.0', '10.255.255.255', '11.0.0.0'].map((address) => inside('10.0.0.0/8', address)),
    [false, true, true, false],
  )
  assert.deepEqual(
    ['192.0.2.127', '192.0.2.128', '192.0.2.255'].map((address) => inside('192.0.2.128/25', address)),
    [false, true, true],
  )
  assert.deepEqual([inside('0.0.0.0/0', '203.0.113.7'), inside('::/0', '2001:db8::1')], [true, true])
  assert.deepEqual([inside('0.0.0.0/0', '2001:db8::1'), inside('::/0', '203.0.113.7')], [false, false])
  assert.deepEqual([inside('192.0.2.7/32', '192.0.2.7'), inside('192.0.2.7/32', '192.0.2.6')], [true, false])
})
