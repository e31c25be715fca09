import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { readable } from '../../envoy/any.ts'
import { RouteConfigurationSchema } from '../../envoy/messages/envoy/config/route/v3/route_pb.ts'
import type { NativeResource } from '../../policy/native/native.ts'
import { emitEnvoy, type EnvoyConfiguration } from './emit.ts'
import { Pieces } from './pieces.ts'

function emitted(names: readonly string[], rule: string): EnvoyConfiguration {
  const span = { file: 'p.yaml', line: 1, column: 1, endLine: 1, endColumn: 2 }
  const resources = names.map((name) => {
    const patterns = [
      {
        protocol: 'http' as const,
        text: 'GET /a',
        method: 'GET',
        segments: [{ kind: 'literal' as const, text: 'a' }],
        rest: false,
        parameters: [],
      },
    ]
    const rules = Array.from({ length: 20 }, (_, i) => ({ id: `${rule}-${i}`, span, patterns, applies: new Map([['', { all: [] }]]) }))
    const native: NativeResource = { name, issuers: [], rules, guardrails: [], scopes: undefined }
    const upstream = { host: '127.0.0.1', port: 9, tls: undefined, http2: false, connectTimeout: 1000 }
    return { native, hosts: [`${name}.example`], upstream, websocket: false, forwardAuthorization: false }
  })
  return emitEnvoy({ name: 'edge', address: { host: '127.0.0.1', port: 1 }, resources, keys: new Map(), tls: undefined, logs: undefined })
}

test('each resource has messages of its own, the same whatever was made before', () => {
  const pieces = new Pieces()
  for (const [names, rule] of [
    [['a', 'b', 'c'], 'r'],
    [['a', 'b', 'c'], 's'],
    [['c', 'a'], 's'],
    [['a', 'b', 'c'], 'r'],
  ] as const) {
    const sorted = [...names].toSorted((one, other) => (one < other ? -1 : 1))
    const made = emitted(names, rule)
    const snapshot = pieces.snapshot(made)
    const fresh = new Pieces().snapshot(made)
    assert.equal(snapshot.version, fresh.version)
    assert.deepEqual([...snapshot.resources.route.keys()], sorted)
    assert.deepEqual(
      [...snapshot.resources.scope.values()].map(({ name, needs }) => [name, needs]),
      sorted.map((name) => [`${name}.example`, [{ kind: 'route', name }]]),
    )
    for (const name of names) {
      const { bytes, needs } = snapshot.resources.route.get(name)!
      const message = readable(RouteConfigurationSchema, fromBinary(RouteConfigurationSchema, bytes))
      assert.ok(JSON.stringify(message).includes(`${rule}-19`))
      assert.deepEqual(needs, [{ kind: 'cluster', name }])
    }
  }
})

test('a name that leads nowhere is refused, and what was made before stays good', () => {
  const pieces = new Pieces()
  const made = emitted(['a'], 'r')
  assert.throws(() => pieces.snapshot({ ...made, clusters: [] }), /cluster `a`/)
  assert.equal(pieces.snapshot(made).version, new Pieces().snapshot(made).version)
})
