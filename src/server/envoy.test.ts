import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { EnvoyDoor } from '../doors/envoy/schema.ts'
import { asStatic, emitEnvoy, FILTERS } from '../targets/envoy/emit.ts'
import { bootstrapOf } from '../targets/envoy/bootstrap.ts'
import { Pieces } from '../targets/envoy/pieces.ts'
import { planNode, type NodePlan } from '../targets/envoy/nodes.ts'
import { loadConfiguration } from './configuration.ts'
import { nativeIssuers } from './families.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/envoy')

/** The example with one text in place of another. */
function changed(
  from: string,
  to: string,
  file = 'ostiary.yaml',
): { readonly messages: readonly string[]; readonly plan: NodePlan | undefined } {
  const folder = mkdtempSync(join(tmpdir(), 'envoy-wiring-'))
  try {
    cpSync(EXAMPLE, folder, { recursive: true })
    const text = readFileSync(join(folder, file), 'utf8')
    assert.ok(text.includes(from), from)
    writeFileSync(join(folder, file), text.replace(from, to))
    const { wiring, policy, diagnostics } = loadConfiguration(folder, undefined, Date.UTC(2026, 10, 1))
    const errors = diagnostics.filter(({ severity }) => severity === 'error').map(({ message }) => message)
    if (wiring === undefined || policy === undefined) return { messages: errors, plan: undefined }
    const node = (wiring.doors['envoy'] as EnvoyDoor).nodes['edge']!
    return { messages: errors, plan: planNode({ name: 'edge', node, wiring, policy, issuers: nativeIssuers(wiring), folder }) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('an Envoy of the wiring', () => {
  test('the example has a native form, whole, and Envoy’s messages take it', () => {
    const { messages, plan } = changed('name: envoy-demo', 'name: envoy-demo')
    assert.deepEqual(messages, [])
    assert.deepEqual(
      plan!.resources.map(({ native, hosts }) => [native.name, hosts, native.rules.length, native.guardrails.length]),
      [['catalogue', ['catalogue.localhost'], 5, 1]],
    )
    const input = {
      name: 'edge',
      address: { host: '127.0.0.1', port: 8090 },
      resources: plan!.resources,
      keys: new Map<string, string>(),
      logs: undefined,
    }
    const snapshot = new Pieces().snapshot(emitEnvoy({ ...input, tls: { cert: 'PEM', key: 'PEM' } }))
    assert.deepEqual(
      Object.entries(snapshot.resources).map(([kind, all]) => [kind, [...all.keys()]]),
      [
        ['cluster', ['catalogue']],
        ['endpoints', []],
        ['secret', ['ostiary.server']],
        ['extension', [FILTERS.callers, FILTERS.tokens, FILTERS.revoked]],
        ['listener', ['edge']],
        ['scope', ['catalogue.localhost']],
        ['route', ['catalogue']],
      ],
    )
    // Neither policy nor keys are in what keeps open connections as they were.
    const [listener] = emitEnvoy({ ...input, tls: undefined }).listeners
    assert.doesNotMatch(JSON.stringify(listener), /read-items|localJwks|Orders\.Read/)
    assert.match(JSON.stringify(asStatic(emitEnvoy({ ...input, tls: undefined }))), /read-items/)
  })

  const problems: readonly (readonly [string, string, string, RegExp, string?])[] = [
    ['a wildcard host', 'hosts: [catalogue.localhost]', "hosts: ['*.localhost']", /`\*\.localhost` stands for one label here/],
    ['a host with a port', 'hosts: [catalogue.localhost]', "hosts: ['catalogue.localhost:8090']", /binds a host to a port/],
    ['a strict record', 'protocol: http', 'protocol: http\n    record: strict', /`record: strict`/],
    ['a strict route', 'protocol: http', 'protocol: http\n    routes: [{ path: /items, record: strict }]', /`record: strict`/],
    ['a body limit', 'protocol: http', 'protocol: http\n    body: 1KiB', /`body` limits/],
    ['preflights', 'protocol: http', 'protocol: http\n    cors: { origins: [https://app.example.com] }', /`cors` preflights/],
    [
      'a socket',
      'upstream: { url: http://127.0.0.1:8091 }',
      'upstream: { url: http://127.0.0.1:8091, socketPath: /run/api.sock }',
      /`upstream.socketPath`/,
    ],
    [
      'another resource',
      '        listen: 127.0.0.1:8090',
      '        listen: 127.0.0.1:8090\n        resources: [nothing]',
      /is to carry `nothing`/,
    ],
    [
      'a limit',
      'guardrails:',
      'guardrails:\n  - { id: slow, for: [ci], resource: catalogue, actions: [POST /items], limit: { requests: 1, in: 1m } }',
      /`slow` can not be enforced by Envoy `edge`: `limit:`/,
      'policy/catalogue.yaml',
    ],
  ]
  for (const [what, from, to, expected, file] of problems)
    test(`${what} is an error of the configuration, and nothing is planned of the resource`, () => {
      const { messages, plan } = changed(from, to, file)
      assert.equal(messages.length, 1, messages.join('; '))
      assert.match(messages[0]!, expected)
      assert.deepEqual(plan?.resources, [])
    })

  test('an address that others reach needs TLS, and TLS a name for each Envoy', () => {
    assert.match(changed('listen: 127.0.0.1:18000', 'listen: 0.0.0.0:18000').messages.join(), /`doors\.envoy\.tls`/)
    const tls = 'listen: 127.0.0.1:18000\n    tls: { cert: a.pem, key: b.pem, clientCa: c.pem }'
    assert.match(changed('listen: 127.0.0.1:18000', tls).messages.join(), /`doors\.envoy\.nodes\.edge\.identity`/)
  })

  test('a token lives no longer there than the resource lets it', () => {
    const { plan } = changed('protocol: http', 'protocol: http\n    maxTokenLifetime: 10m')
    assert.match(JSON.stringify(plan!.resources[0]!.native.issuers[0]!.credential), /"most":600\}/)
  })

  test('what is only observed is planned with its end', () => {
    const { messages, plan } = changed('protocol: http', "protocol: http\n    observe: { until: '2999-01-01T00:00:00Z' }")
    assert.deepEqual(messages, [])
    assert.equal(plan!.resources[0]!.native.observed?.until, Date.UTC(2999, 0, 1))
  })

  test('a bootstrap names the node, whom it asks, and how it is known', () => {
    const made = bootstrapOf({
      node: 'edge',
      server: { host: 'gateway.example', port: 18000 },
      tls: { cert: 'c', key: 'k', ca: 'a', serverName: 'gateway.example' },
      admin: undefined,
    })
    const text = JSON.stringify(made)
    assert.match(text, /"id":"edge"/)
    assert.match(text, /"type":"STRICT_DNS"/)
    assert.match(text, /"matchTypedSubjectAltNames":\[\{"sanType":"DNS","matcher":\{"exact":"gateway\.example"\}\}\]/)
    assert.equal('admin' in made, false)
  })
})
