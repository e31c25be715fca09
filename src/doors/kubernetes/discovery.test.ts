import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../testing/clock.ts'
import { Discovery } from './discovery.ts'

test('nothing is asked of a cluster by a text that is no group and version', () => {
  const target = { host: '127.0.0.1', port: 1, secure: false } as never
  const discovery = new Discovery({ target, host: 'c', token: undefined, clock: new ManualClock(0) })
  for (const [group, version] of [
    ['apps/v1/namespaces/shop', 'secrets'],
    ['example.com', 'v1/widgets'],
    ['example.com', '..'],
    ['example.com?', 'v1'],
  ] as const) {
    assert.equal(discovery.knows(group, version, 'widgets'), true, 'there is nothing to wait for')
    assert.equal(discovery.namespaced(group, version, 'widgets'), undefined)
    assert.equal(discovery.asking, 0)
  }
  assert.equal(discovery.knows('example.com', 'v1', 'widgets'), false)
  assert.equal(discovery.namespaced('example.com', 'v1', 'widgets'), undefined)
  assert.equal(discovery.asking, 1)
})
