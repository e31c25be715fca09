/** What an Envoy is told of a resource that it asks the gateway about: to ask, and to let nothing through that it hasn't asked about. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { envoySchema } from '../../doors/envoy/schema.ts'
import { CHECKS_CLUSTER } from '../../envoy/gateway.ts'
import { emitEnvoy, FILTERS, type EnvoyResource } from './emit.ts'
import { evaluateEnvoy, type EvaluatedRequest } from '../../envoy/evaluate.ts'
import { regexes } from '../../testing/regexes.ts'
import { Pieces } from './pieces.ts'

type Json = { readonly [name: string]: unknown }

const upstream = { host: '127.0.0.1', port: 9, tls: undefined, http2: false, connectTimeout: 1000 }
const resource = (name: string, delegated: boolean): EnvoyResource => ({
  native: { name, issuers: [], rules: [], guardrails: [], scopes: undefined },
  delegated,
  hosts: [`${name}.example`],
  upstream,
  websocket: false,
  forwardAuthorization: false,
})
const emitted = (checks: string | undefined, ...resources: readonly EnvoyResource[]) =>
  emitEnvoy({ name: 'edge', address: { host: '127.0.0.1', port: 1 }, resources, keys: new Map(), tls: undefined, logs: undefined, checks })
const hostsOf = (routes: readonly Json[]): readonly Json[] => routes.flatMap((one) => one['virtualHosts'] as readonly Json[])

describe('a delegated resource', () => {
  const made = emitted(CHECKS_CLUSTER, resource('asked', true), resource('native', false))
  const hosts = hostsOf(made.routes)
  const evaluated = (more: Partial<EvaluatedRequest>) =>
    evaluateEnvoy(
      { virtualHosts: hosts },
      [FILTERS.callers, FILTERS.guardrails, FILTERS.rules],
      { host: 'asked.example', method: 'GET', path: '/a', authorization: undefined, token: undefined, time: 0, ...more },
      regexes,
    )

  test('is let through with the mark of the answer for it, and with no other or none', () => {
    assert.deepEqual(evaluated({ checked: { ostiary: 'asked' } }), { allowed: true, filter: undefined, policy: undefined })
    for (const checked of [undefined, {}, { ostiary: 'native' }, { ostiary: true }, { ostiary: ['asked'] }, { other: 'asked' }])
      assert.deepEqual(evaluated({ checked }), { allowed: false, filter: FILTERS.rules, policy: undefined }, JSON.stringify(checked))
  })

  test('is asked about in the one spelling of a path', () => {
    for (const path of ['/a%2fb', '/%61', '/a%5Cb'])
      assert.deepEqual(
        evaluated({ path, checked: { ostiary: 'asked' } }),
        { allowed: false, filter: FILTERS.callers, policy: undefined },
        path,
      )
  })

  test('has its requests put to the gateway, and those of no other', () => {
    const settings = hosts.map(({ name, typedPerFilterConfig }) => [name, (typedPerFilterConfig as Json)[FILTERS.checks] as Json])
    const type = 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute'
    const checkSettings = { contextExtensions: { resource: 'asked' }, disableRequestBodyBuffering: true }
    assert.deepEqual(settings, [
      ['asked', { '@type': type, checkSettings }],
      ['native', { '@type': type, disabled: true }],
    ])
    const filter = JSON.stringify(made.listeners)
    assert.match(filter, /"failureModeAllow":false,"statusOnError":\{"code":503\},"encodeRawHeaders":true/)
    assert.ok(
      filter.indexOf(FILTERS.guardrails) < filter.indexOf(FILTERS.checks) && filter.indexOf(FILTERS.checks) < filter.indexOf(FILTERS.rules),
    )
  })

  test('is a message that Envoy can read', () => {
    assert.ok(new Pieces().snapshot(made).resources.listener.size === 1)
  })

  test('is not emitted where nobody could be asked, and nobody is where nothing is asked', () => {
    assert.throws(() => emitted(undefined, resource('asked', true)), /nobody could be asked about `asked`/)
    assert.doesNotMatch(JSON.stringify(emitted(undefined, resource('native', false))), /ext_authz/)
  })
})

describe('`delegate` and `checks`', () => {
  const problems = (more: object): readonly string[] => {
    const result = envoySchema.safeParse({ listen: '127.0.0.1:1', nodes: { edge: { listen: '127.0.0.1:2' } }, ...more })
    return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`)
  }
  const edge = (more: object) => ({ nodes: { edge: { listen: '127.0.0.1:2', ...more } } })
  const checks = { listen: '127.0.0.1:3' }
  const tls = { cert: 'a', key: 'b', clientCa: 'c' }
  const rows: readonly (readonly [what: string, config: object, said: readonly string[]])[] = [
    ['both', { checks, ...edge({ delegate: ['a'] }) }, []],
    ['a delegate without checks', edge({ delegate: ['a'] }), ['nodes.edge.delegate needs `doors.envoy.checks`, where to ask']],
    [
      'a delegate that the node does not carry',
      { checks, ...edge({ delegate: ['a'], resources: ['b'] }) },
      ['nodes.edge.delegate names `a`, which is not among its `resources`'],
    ],
    [
      'checks for others without certificates',
      { checks: { listen: '0.0.0.0:3' } },
      ['checks.tls is needed on an address that others reach: who asks finds out who may do what'],
    ],
    [
      'a node without a name',
      { checks: { ...checks, tls } },
      ['nodes.edge.identity is needed with `tls`: write the name in its certificate'],
    ],
  ]
  for (const [what, config, said] of rows)
    test(`${what}: ${said.length === 0 ? 'good' : 'refused'}`, () => assert.deepEqual(problems(config), said))
})
