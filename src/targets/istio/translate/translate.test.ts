/** Which resources hold for a workload, in which order it runs through what is made of them, and how it reads a path. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { IstioVerdict } from './evaluate.ts'
import type { Mesh, Workload } from './mesh.ts'
import { A, allows, ask, policy, tokens, translated } from './testing.ts'

describe('a workload', () => {
  const none = (selection: string, namespace = 'shop'): string => policy('none', `{${selection}}`, namespace)
  const label = { 'gateway.networking.k8s.io/gateway-name': 'edge', app: 'orders' }
  const ref = (kind: string, name: string, group = ''): string => `targetRefs: [{group: "${group}", kind: ${kind}, name: ${name}}]`
  const GATEWAY = 'gateway.networking.k8s.io'
  const service = { kind: 'Service', namespace: 'shop', name: 'orders' } as const
  const HOLDS: readonly (readonly [string, string, Partial<Workload>, boolean])[] = [
    ['its own namespace', none(''), {}, true],
    ['another namespace', none('', 'other'), {}, false],
    ['the root namespace', none('', 'istio-system'), {}, true],
    ['the root namespace and other labels', none('selector: {matchLabels: {app: x}}', 'istio-system'), {}, false],
    ['its labels', none('selector: {matchLabels: {app: orders}}'), {}, true],
    ['no labels', none('selector: {}'), {}, true],
    ['other labels', none('selector: {matchLabels: {app: orders, v: "1"}}'), {}, false],
    ['a label of an object', none('selector: {matchLabels: {constructor: x}}'), {}, false],
    ['a target, at a sidecar', none(ref('Gateway', 'edge', GATEWAY)), {}, false],
    ['its Gateway', none(ref('Gateway', 'edge', GATEWAY)), { kind: 'gateway', labels: label }, true],
    ['another Gateway', none(ref('Gateway', 'other', GATEWAY)), { kind: 'gateway', labels: label }, false],
    ['a Gateway of another group', none(ref('Gateway', 'edge', 'networking.istio.io')), { kind: 'gateway', labels: label }, false],
    ['a Gateway in another namespace', none(ref('Gateway', 'edge', GATEWAY), 'istio-system'), { kind: 'gateway', labels: label }, false],
    ['a selector, at a gateway', none('selector: {matchLabels: {app: orders}}'), { kind: 'gateway', labels: label }, true],
    ['a selector, at a waypoint', none('selector: {matchLabels: {app: orders}}'), { kind: 'waypoint', labels: label }, false],
    ['nothing, at a waypoint', none(''), { kind: 'waypoint', labels: label }, false],
    ['its Service, at a waypoint', none(ref('Service', 'orders')), { kind: 'waypoint', labels: label, service }, true],
    ['its Service, at a gateway', none(ref('Service', 'orders')), { kind: 'gateway', labels: label, service }, false],
    ['another Service', none(ref('Service', 'x')), { kind: 'waypoint', labels: label, service }, false],
    ['a Service of another namespace', none(ref('Service', 'orders'), 'istio-system'), { kind: 'waypoint', labels: label, service }, false],
    [
      'a ServiceEntry of that name',
      none(ref('ServiceEntry', 'orders', 'networking.istio.io')),
      { kind: 'waypoint', labels: label, service },
      false,
    ],
    [
      'the class of waypoints in the root namespace',
      none(ref('GatewayClass', 'istio-waypoint', GATEWAY), 'istio-system'),
      { kind: 'waypoint', labels: label },
      true,
    ],
    ['the class of waypoints elsewhere', none(ref('GatewayClass', 'istio-waypoint', GATEWAY)), { kind: 'waypoint', labels: label }, false],
  ]
  for (const [name, text, workload, holds] of HOLDS)
    test(`${holds ? 'is' : 'is not'} under a policy for ${name}`, () => assert.equal(allows(text, {}, workload), !holds))

  test('runs what is asked elsewhere before tokens, and those before its own policies: audit, denials, grants', () => {
    const text =
      policy('c', '{action: CUSTOM, provider: {name: x}, rules: [{}]}') +
      policy('g', '{rules: [{}]}') +
      policy('d', '{action: DENY}') +
      policy('u', '{action: AUDIT}') +
      tokens(A)
    const mesh = { extensionProviders: [{ name: 'x', envoyExtAuthzGrpc: { service: 'ns/authz.ns.svc', port: 9 } }] }
    for (const kind of ['sidecar', 'gateway'] as const) {
      const { http, tcp: plain } = translated(text, { kind }, mesh)
      const actions = http.map(({ name, typedConfig }) => [name, (typedConfig['rules'] as { action?: string } | undefined)?.action ?? ''])
      assert.deepEqual(actions, [
        ['envoy.filters.http.rbac', ''],
        ['envoy.filters.http.ext_authz', ''],
        ['envoy.filters.http.jwt_authn', ''],
        ['envoy.filters.http.rbac', 'LOG'],
        ['envoy.filters.http.rbac', 'DENY'],
        ['envoy.filters.http.rbac', ''],
      ])
      assert.deepEqual(
        plain.map(({ name }) => name.split('.').at(-1)),
        ['rbac', 'ext_authz', 'rbac', 'rbac', 'rbac'],
      )
    }
  })

  test('asks elsewhere about what a rule marks, and denies that where it can not', () => {
    const text = policy('c', '{action: CUSTOM, provider: {name: x}, rules: [{to: [{operation: {paths: ["/c"]}}]}]}')
    const mesh = { extensionProviders: [{ name: 'x', envoyExtAuthzHttp: { service: 'authz.ns.svc', port: 9 } }] }
    const at = (asks: boolean | undefined, path = '/c', more: Partial<Mesh> = mesh): IstioVerdict =>
      ask(translated(text, {}, more), {
        path,
        ...(asks === undefined ? {} : { asks: (cluster: string) => asks && cluster === 'outbound|9||authz.ns.svc' }),
      })
    assert.deepEqual(at(false), {
      allowed: false,
      status: 403,
      filter: 'ext_authz',
      policy: 'istio-ext-authz-x-ns[shop]-policy[c]-rule[0]',
    })
    assert.deepEqual([at(undefined).allowed, at(true).allowed, at(false, '/d').allowed], [false, true, true])
    assert.deepEqual(at(true, '/c', {}), {
      allowed: false,
      status: 403,
      filter: 'rbac',
      policy: 'istio-ext-authz-x-ns[shop]-policy[c]-rule[0]-deny-due-to-bad-CUSTOM-action',
    })
    assert.equal(at(true, '/d', {}).allowed, true)
    const several = text + policy('d', '{action: CUSTOM, provider: {name: z}, rules: [{to: [{operation: {paths: ["/d"]}}]}]}')
    const two = { extensionProviders: [...mesh.extensionProviders, { name: 'z', envoyExtAuthzGrpc: { service: 'b', port: 1 } }] }
    assert.equal(allows(several, { path: '/d', asks: () => true }, {}, two), false)
    assert.equal(
      allows(several, { path: '/d', asks: (cluster) => cluster === 'outbound|1||b' }, {}, { ...two, severalProviders: true }),
      true,
    )
  })

  const PATHS: readonly (readonly [string, Mesh['pathNormalization'] | 'edge', string | number])[] = [
    ['//a', 'NONE', '//a'], ['//a', 'DEFAULT', '//a'], ['//a', 'MERGE_SLASHES', '/a'], ['/x/../a', 'NONE', '/x/../a'], ['/x/../a', 'BASE', '/a'], ['/%61', 'NONE', '/%61'], ['/%61', 'BASE', '/a'],
    ['/x%2f..%2fa', 'MERGE_SLASHES', '/x%2f..%2fa'], ['/x%2F..%2fa', 'DECODE_AND_MERGE_SLASHES', '/a'], ['/x%5Ca', 'DECODE_AND_MERGE_SLASHES', '/x/a'], ['/x\\a', 'BASE', '/x/a'], ['/a%00', 'BASE', 400], ['/a%00', 'NONE', '/a%00'],
    ['/a#b', 'BASE', '/a'], ['a', 'BASE', 400], ['/%2e%2E/a', 'BASE', '/a'], ['/a/.', 'BASE', '/a/'], ['/%zz', 'BASE', '/%zz'], ['/%2f', 'edge', 307], ['//a', 'edge', '/a'], ['/a?b=//c', 'edge', '/a'],
  ] // oxfmt-ignore
  for (const [sent, normalization, read] of PATHS)
    test(`reads \`${sent}\` with ${normalization} as ${read}`, () => {
      const workload = normalization === 'edge' ? ({ kind: 'gateway', isEdge: true } as const) : {}
      const mesh = normalization === 'edge' ? {} : { pathNormalization: normalization }
      const only = JSON.stringify({ rules: [{ to: [{ operation: { paths: [String(read)] } }] }] })
      const verdict = ask(translated(policy('a', only), workload, mesh), { path: sent })
      assert.equal(verdict.status, typeof read === 'number' ? read : 200)
    })

  test('takes names of headers with underscores, but at the edge', () => {
    const headers = { a_b: 'c' }
    assert.equal(ask(translated('', { kind: 'gateway' }), { headers }).status, 200)
    assert.equal(ask(translated('', { kind: 'gateway', isEdge: true }), { headers }).status, 400)
  })
})
