/** What a ztunnel makes of policies, which knows connections and no requests. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { evaluateZtunnel, readByZtunnel, type ZtunnelConnection, type ZtunnelNote, type ZtunnelReading } from './ambient.ts'
import { DEFAULT_MESH } from './mesh.ts'
import { parseIstio } from './read.ts'
import { policy } from './testing.ts'

const WEB = 'spiffe://cluster.local/ns/shop/sa/web'
const CALL: ZtunnelConnection = { peer: WEB, source: '10.0.0.1', destination: '10.1.0.1', port: 80 }

function read(text: string): ZtunnelReading {
  return readByZtunnel(parseIstio('a', text), { namespace: 'shop', labels: { app: 'orders' } }, DEFAULT_MESH)
}
function allows(text: string, call: Partial<ZtunnelConnection> = {}): boolean {
  return evaluateZtunnel(read(text), { ...CALL, ...call }).allowed
}
const why = (text: string): readonly ZtunnelNote[] => read(text).notes.map((note) => note.why)

describe('a ztunnel', () => {
  test('denies first, then wants one that allows if there is any', () => {
    assert.equal(allows(''), true)
    assert.equal(allows(policy('a', '{}')), false)
    assert.equal(allows(policy('a', '{rules: [{}]}')), true)
    assert.deepEqual(evaluateZtunnel(read(policy('a', '{rules: [{}]}') + policy('d', '{action: DENY, rules: [{}]}')), CALL), {
      allowed: false,
      policy: 'shop/d',
    })
    assert.equal(allows(policy('d', '{action: DENY}')), true)
  })

  const MATCHES: readonly (readonly [string, Partial<ZtunnelConnection>, boolean])[] = [
    ['from: [{source: {principals: ["cluster.local/ns/shop/sa/web"]}}]', {}, true],
    ['from: [{source: {principals: ["spiffe://cluster.local/ns/shop/sa/web"]}}]', {}, false],
    ['from: [{source: {principals: ["*/sa/web"]}}]', {}, true],
    ['from: [{source: {principals: ["*"]}}]', { peer: undefined }, false],
    ['from: [{source: {notPrincipals: ["*"]}}]', { peer: undefined }, true],
    ['from: [{source: {namespaces: [shop, x]}}]', {}, true],
    ['from: [{source: {namespaces: ["s*"]}}]', { peer: 'spiffe://a/ns/xshop/sa/web' }, false],
    ['from: [{source: {serviceAccounts: [web]}}]', {}, true],
    ['from: [{source: {serviceAccounts: [other/web]}}]', {}, false],
    ['from: [{source: {ipBlocks: ["10.0.0.0/8"], notIpBlocks: ["10.0.0.1"]}}]', {}, false],
    ['from: [{source: {ipBlocks: ["10.0.0.0/8"]}}]', { source: '::1' }, false],
    ['to: [{operation: {ports: ["80", "81"]}}]', {}, true],
    ['to: [{operation: {notPorts: ["80"]}}]', {}, false],
    ['to: [{operation: {ports: ["80"]}}], from: [{source: {namespaces: [x]}}]', {}, false],
    ['when: [{key: destination.ip, values: ["10.1.0.0/16"]}, {key: destination.port, notValues: ["81"]}]', {}, true],
    ['when: [{key: source.principal, values: ["*/sa/web"]}, {key: source.namespace, notValues: [shop]}]', {}, false],
  ]
  for (const [rule, call, is] of MATCHES)
    test(`${is ? 'matches' : 'does not match'} \`${rule}\` with ${JSON.stringify(call)}`, () => {
      assert.equal(allows(policy('a', `{rules: [{${rule}}]}`), call), is)
      assert.equal(allows(policy('a', `{action: DENY, rules: [{${rule}}]}`), call), !is)
    })

  const HTTP = [
    'to: [{operation: {methods: [GET]}}]',
    'to: [{operation: {notHosts: [a], ports: ["80"]}}]',
    'from: [{source: {requestPrincipals: ["*"]}}]',
    'from: [{source: {notRemoteIpBlocks: ["::/0"]}}]',
    'when: [{key: "request.auth.claims[a]", values: [a]}]',
    'when: [{key: connection.sni, values: [a]}]',
    'when: [{key: source.trustDomain, values: [cluster.local]}]',
    'when: [{key: source.serviceAccount, values: [shop/web]}]',
  ]
  for (const rule of HTTP)
    test(`drops a grant by \`${rule}\`, and goes on denying`, () => {
      assert.deepEqual(why(policy('a', `{rules: [{${rule}}]}`)), ['dropped'])
      assert.equal(allows(policy('a', `{rules: [{${rule}}]}`)), false)
      assert.equal(allows(policy('a', `{rules: [{${rule}}, {to: [{operation: {ports: ["80"]}}]}]}`)), true)
    })

  test('gives a denial no effect of which a part is left empty', () => {
    for (const rule of HTTP.filter((each) => !each.includes('ports'))) {
      const text = policy('a', `{action: DENY, rules: [{${rule}}]}`)
      assert.deepEqual(why(text), ['no-effect'], rule)
      assert.equal(allows(text), true, rule)
    }
    const half = policy('a', '{action: DENY, rules: [{from: [{source: {namespaces: [shop]}}], to: [{operation: {methods: [DELETE]}}]}]}')
    assert.deepEqual([why(half), allows(half)], [['no-effect'], true])
  })

  test('denies more where something is left of each part', () => {
    const text = policy('a', '{action: DENY, rules: [{to: [{operation: {methods: [DELETE], ports: ["80"]}}]}]}')
    assert.deepEqual([why(text), allows(text), allows(text, { port: 81 })], [['wider'], false, true])
    // The one that is left empty of two operations is passed over, and the other still denies.
    const two = policy('a', '{action: DENY, rules: [{to: [{operation: {methods: [DELETE]}}, {operation: {ports: ["80"]}}]}]}')
    assert.deepEqual([allows(two), allows(two, { port: 81 })], [false, true])
  })

  test('reads over trust domains of a source', () => {
    const text = policy('a', '{rules: [{from: [{source: {namespaces: [shop], trustDomains: [other]}}]}]}')
    assert.deepEqual([why(text), allows(text)], [['trust-domains-ignored'], true])
    assert.equal(allows(policy('a', '{rules: [{from: [{source: {trustDomains: [cluster.local]}}]}]}')), false)
  })

  test('has no other action, no dry run and nothing with a target', () => {
    const custom = policy('c', '{action: CUSTOM, provider: {name: x}, rules: [{}]}') + policy('u', '{action: AUDIT, rules: [{}]}')
    assert.deepEqual([why(custom), allows(custom)], [['unsupported-action', 'unsupported-action'], true])
    assert.equal(allows(policy('a', '{}', 'shop', '{istio.io/dry-run: "true"}')), true)
    assert.equal(allows(policy('a', '{targetRefs: [{kind: Service, name: a}]}')), true)
    assert.equal(allows(policy('a', '{selector: {matchLabels: {app: other}}}')), true)
    assert.equal(allows(policy('a', '{selector: {matchLabels: {app: orders}}}', 'istio-system')), false)
  })

  test('says nothing of a peer that the mesh would not name so', () => {
    assert.throws(() => allows(policy('a', '{rules: [{}]}'), { peer: 'spiffe://a/b' }), /not named by namespace and service account/)
  })
})
