import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, toBinary } from '@bufbuild/protobuf'
import { AnySchema, DurationSchema } from '@bufbuild/protobuf/wkt'
import { bytesOf, fromReadable, pack, readable, unpack } from './any.ts'
import { ListenerSchema } from './messages/envoy/config/listener/v3/listener_pb.ts'
import { RBACSchema } from './messages/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { listener } from './xds/testing.ts'

const rbac = (names: readonly string[]): object => ({
  rules: { policies: Object.fromEntries(names.map((name) => [name, { permissions: [{ any: true }], principals: [{ any: true }] }])) },
})

test('equal content has equal bytes, in whatever order it was written', () => {
  const [one, other] = [fromReadable(RBACSchema, rbac(['b', 'a', 'c']) as never), fromReadable(RBACSchema, rbac(['c', 'b', 'a']) as never)]
  assert.deepEqual(bytesOf(RBACSchema, one), bytesOf(RBACSchema, other))
  // Written as a map is held, the order shows: the first one put in by hand.
  const policy = one.rules!.policies['a']!
  one.rules!.policies = { c: policy, a: policy, b: policy }
  assert.notDeepEqual(toBinary(RBACSchema, one), toBinary(RBACSchema, other))
  assert.deepEqual(pack(RBACSchema, one), pack(RBACSchema, other))
})

test('what is packed inside is readable, and comes back byte for byte', () => {
  const message = listener('in', { port: 1, route: 'ways', extensions: ['pass'], secret: 's' })
  const json = readable(ListenerSchema, message)
  const text = JSON.stringify(json)
  assert.match(text, /"@type":"type.googleapis.com\/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"/)
  assert.match(text, /"routeConfigName":"ways"/)
  assert.deepEqual(bytesOf(ListenerSchema, fromReadable(ListenerSchema, json)), bytesOf(ListenerSchema, message))
  assert.equal(JSON.stringify(readable(ListenerSchema, fromReadable(ListenerSchema, json))), text)
})

test('what isn’t listed, isn’t one, or has a field that there is not, is refused', () => {
  const refused = (work: () => unknown, problem: RegExp): void => assert.throws(work, { code: 'xds/message', message: problem })
  refused(() => pack(DurationSchema, create(DurationSchema, {})), /`google.protobuf.Duration`.*not among those/)
  refused(() => unpack(create(AnySchema, { typeUrl: 'type.googleapis.com/a.B' })), /`a.B`.*not among those/)
  refused(() => unpack({ ...pack(RBACSchema, create(RBACSchema, {})), value: new Uint8Array([255, 255]) }), /these bytes are not one/)
  refused(() => fromReadable(RBACSchema, { ruels: {} }), /ruels/)
  refused(() => fromReadable(ListenerSchema, { filterChains: [{ filters: [{ typedConfig: { '@type': 'a/b.C' } }] }] }), /b\.C/)
})

test('a packed message comes out as it went in', () => {
  const message = fromReadable(RBACSchema, rbac(['a']) as never)
  assert.deepEqual(unpack(pack(RBACSchema, message)), message)
})
