/** What Istio's documentation and source say of its policies, one by one, as the evaluator of the translation has it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { A, allows, ask, policy, tcp, token, tokens, translated } from './testing.ts'

describe('policies of Istio', () => {
  test('none allow, one that allows denies the rest, and one without rules denies all', () => {
    assert.equal(allows(''), true)
    assert.deepEqual(ask(translated(policy('a', '{rules: [{to: [{operation: {methods: [POST]}}]}]}'))), {
      allowed: false,
      status: 403,
      filter: 'rbac',
      policy: undefined,
    })
    assert.equal(allows(policy('a', '{}')), false)
    assert.equal(allows(policy('a', '{rules: [{}]}')), true)
  })

  test('of `DENY` come before those of `ALLOW`, and without rules deny nothing', () => {
    const all = policy('grant', '{rules: [{}]}')
    assert.deepEqual(ask(translated(all + policy('denial', '{action: DENY, rules: [{}]}'))), {
      allowed: false,
      status: 403,
      filter: 'rbac',
      policy: 'ns[shop]-policy[denial]-rule[0]',
    })
    assert.equal(allows(all + policy('denial', '{action: DENY}')), true)
    assert.equal(ask(translated(all)).policy, 'ns[shop]-policy[grant]-rule[0]')
  })

  test('of `AUDIT`, and such as are only tried, deny nothing', () => {
    assert.equal(allows(policy('a', '{action: AUDIT, rules: [{}]}')), true)
    assert.equal(allows(policy('a', '{action: DENY, rules: [{}]}', 'shop', '{istio.io/dry-run: "true"}')), true)
    assert.equal(allows(policy('a', '{action: DENY, rules: [{}]}', 'shop', '{istio.io/dry-run: "false"}')), false)
    // What is allowed only for a try doesn't turn the rest into what is denied.
    assert.equal(allows(policy('a', '{rules: []}', 'shop', '{istio.io/dry-run: "true"}')), true)
  })

  test('take all of `from`, `to` and `when`, one of each list, and none of what is not', () => {
    const text = policy(
      'a',
      '{rules: [{from: [{source: {ipBlocks: ["10.0.0.0/8"], notIpBlocks: ["10.0.0.2"]}}], to: [{operation: {methods: [GET, HEAD], notPaths: ["/x"]}}, {operation: {paths: ["/y"]}}], when: [{key: "request.headers[k]", values: [a, b], notValues: [c]}]}]}',
    )
    const good = { headers: { k: 'a' } }
    assert.equal(allows(text, good), true)
    assert.equal(allows(text, { ...good, source: '10.0.0.2' }), false)
    assert.equal(allows(text, { ...good, source: '11.0.0.1' }), false)
    assert.equal(allows(text, { ...good, path: '/x' }), false)
    assert.equal(allows(text, { ...good, path: '/y', method: 'PUT' }), true)
    assert.equal(allows(text, {}), false)
    assert.equal(allows(text, { headers: { k: ['a', 'c'] } }), false)
    assert.equal(allows(text, { headers: { k: 'c' } }), false)
  })

  test('want several conditions for all of several values', () => {
    const both = policy(
      'a',
      '{rules: [{when: [{key: "request.auth.claims[g]", values: [x]}, {key: "request.auth.claims[g]", values: [z]}]}]}',
    )
    assert.equal(allows(tokens(A) + both, token({ g: ['x', 'z'] })), true)
    assert.equal(allows(tokens(A) + both, token({ g: ['x'] })), false)
    const either = policy('a', '{rules: [{when: [{key: "request.auth.claims[g]", values: [x, z]}]}]}')
    assert.equal(allows(tokens(A) + either, token({ g: ['x'] })), true)
  })

  const TEXTS: readonly (readonly [string, string, boolean])[] = [
    ['/api', '/api', true], ['/api', '/API', false], ['/api', '/api/', false], ['/api*', '/apiary', true], ['/api/*', '/api', false], ['/api/*', '/api/', true],
    ['*/x', '/a/x', true], ['*/x', '/x', true], ['*', '/', true], ['/a*b', '/a*b', true], ['/a*b', '/axb', false], ['/api', '/api?x=/y', true], ['/x?y', '/x?y', false],
    ['/v1/{*}/x', '/v1/a/x', true], ['/v1/{*}/x', '/v1/a%2Fb/x', true], ['/v1/{*}/x', '/v1//x', false], ['/v1/{*}/x', '/v1/a/b/x', false], ['/v1/{*}/x', '/v1/a/x/', false], ['/v1/{*}/x', '/v1/a/X', false],
    ['/v1/{**}', '/v1/', true], ['/v1/{**}', '/v1', false], ['/v1/{**}', '/v1/a/b/', true], ['/{**}/x', '/a/b/x', true], ['/{**}.json', '/a/b.json', true], ['/{*}/{**}', '/a', false],
    ['/{*}', '/*', true],
    ['/{*}', '/[a]', false],
  ] // oxfmt-ignore
  for (const [pattern, path, is] of TEXTS)
    test(`a path \`${pattern}\` ${is ? 'is' : 'is not'} \`${path}\``, () =>
      assert.equal(allows(policy('a', `{rules: [{to: [{operation: {paths: ["${pattern}"]}}]}]}`), { path }), is))

  test('compare hosts without their letters’ size but with their port, and methods as they are', () => {
    const hosts = policy('a', '{rules: [{to: [{operation: {hosts: ["A.example", "*.b.example", "c.*"]}}]}]}')
    for (const [host, is] of [
      ['a.EXAMPLE', true],
      ['a.example:80', false],
      ['a.example.', false],
      ['x.B.example', true],
      ['b.example', false],
      ['C.example', true],
    ] as const)
      assert.equal(allows(hosts, { host }), is, host)
    const methods = policy('a', '{rules: [{to: [{operation: {methods: [GET, "P*"]}}]}]}')
    for (const [method, is] of [
      ['GET', true],
      ['get', false],
      ['PATCH', true],
      ['HEAD', false],
    ] as const)
      assert.equal(allows(methods, { method }), is, method)
  })

  test('tell ports of the workload and addresses of all three', () => {
    const text = policy('a', '{rules: [{to: [{operation: {ports: ["8080"], notPorts: ["9"]}}]}]}')
    assert.deepEqual([allows(text, { port: 8080 }), allows(text, { port: 80 })], [true, false])
    const remote = policy(
      'a',
      '{rules: [{from: [{source: {remoteIpBlocks: ["2001:db8::/32", "1.2.3.4"]}}], when: [{key: destination.ip, notValues: ["10.9.0.0/16"]}]}]}',
    )
    assert.equal(allows(remote, { remote: '2001:db8:1::1', destination: '10.8.0.1' }), true)
    assert.equal(allows(remote, { remote: '1.2.3.5', destination: '10.8.0.1' }), false)
    assert.equal(allows(remote, { remote: '1.2.3.4', destination: '10.9.0.1' }), false)
    assert.throws(() => allows(remote, { remote: '1.2.3.4' }), /an address is not known/)
  })

  const PEER = 'spiffe://td/ns/shop/sa/web'
  const PEERS: readonly (readonly [string, string | undefined, boolean])[] = [
    ['principals: ["td/ns/shop/sa/web"]', PEER, true], ['principals: ["shop/sa/web"]', PEER, false], ['principals: ["*/sa/web"]', PEER, true], ['principals: ["td/ns/sh*"]', PEER, true],
    ['principals: ["*"]', PEER, true], ['principals: ["*"]', undefined, false], ['notPrincipals: ["*"]', undefined, true], ['notPrincipals: ["x"]', undefined, true],
    ['namespaces: [shop]', PEER, true], ['namespaces: [sho]', PEER, false], ['namespaces: ["s*p"]', PEER, true], ['namespaces: ["s.op"]', PEER, false], ['notNamespaces: [x]', undefined, true],
    ['serviceAccounts: [web]', PEER, true], ['serviceAccounts: [shop/web]', 'spiffe://any/ns/shop/sa/web', true], ['serviceAccounts: [other/web]', PEER, false], ['serviceAccounts: [we.]', PEER, false], ['serviceAccounts: [web]', `${PEER}-2`, false],
    ['trustDomains: [td]', PEER, true], ['trustDomains: [t]', PEER, false], ['trustDomains: ["t*"]', PEER, true], ['trustDomains: ["*"]', PEER, true], ['notTrustDomains: [td]', PEER, false], ['trustDomains: [old]', PEER, false],
  ] // oxfmt-ignore
  for (const [source, peer, is] of PEERS)
    test(`a source \`${source}\` ${is ? 'is' : 'is not'} ${peer ?? 'a caller in plain text'}, at a sidecar and at a waypoint`, () => {
      const rules = `rules: [{from: [{source: {${source}}}]}]`
      assert.equal(allows(policy('a', `{${rules}}`), peer === undefined ? {} : { peer }), is)
      const gateway = { 'gateway.networking.k8s.io/gateway-name': 'w' }
      const target = 'targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: w}]'
      assert.equal(
        allows(policy('a', `{${target}, ${rules}}`), peer === undefined ? {} : { peer }, { kind: 'waypoint', labels: gateway }),
        is,
      )
    })

  test('say of one trust domain what they say of its aliases', () => {
    const mesh = { trustDomain: 'td', trustDomainAliases: ['old'] }
    const of = (source: string): string => policy('a', `{rules: [{from: [{source: {${source}}}]}]}`)
    for (const domain of ['td', 'old'])
      assert.equal(allows(of('principals: ["cluster.local/ns/a/sa/b"]'), { peer: `spiffe://${domain}/ns/a/sa/b` }, {}, mesh), true)
    assert.equal(allows(of('principals: ["cluster.local/ns/a/sa/b"]'), { peer: 'spiffe://cluster.local/ns/a/sa/b' }, {}, mesh), false)
    assert.equal(allows(of('principals: ["other/ns/a/sa/b"]'), { peer: 'spiffe://td/ns/a/sa/b' }, {}, mesh), false)
    assert.equal(allows(of('trustDomains: [old]'), { peer: 'spiffe://td/ns/a/sa/b' }, {}, mesh), true)
    assert.equal(allows(of('notTrustDomains: [old]'), { peer: 'spiffe://td/ns/a/sa/b' }, {}, mesh), false)
  })

  test('ask about what other filters left behind only where that is known', () => {
    const text = policy('a', '{rules: [{when: [{key: "experimental.envoy.filters.x.y[k]", values: [v, "[w]"]}]}]}')
    assert.throws(() => allows(text), /what `envoy.filters.x.y` left behind is not known/)
    for (const [k, is] of [
      ['v', true],
      [['w'], true],
      ['w', false],
      [['v'], false],
      [undefined, false],
    ] as const)
      assert.equal(allows(text, { metadata: { 'envoy.filters.x.y': { k } } }), is)
  })

  test('on a TCP chain: a grant that asks about a request is void, and a denial loses only what asks', () => {
    const grant = policy(
      'a',
      '{rules: [{from: [{source: {ipBlocks: ["10.0.0.0/8"], requestPrincipals: ["*"]}}]}, {to: [{operation: {ports: ["90"]}}]}]}',
    )
    assert.deepEqual([tcp(grant, { port: 80, source: '10.0.0.1' }), tcp(grant, { port: 90, source: '10.0.0.1' })], [false, true])
    const denial = policy('a', '{action: DENY, rules: [{to: [{operation: {methods: [DELETE]}}]}]}')
    assert.equal(tcp(denial, { port: 80 }), false)
    const narrow = policy('a', '{action: DENY, rules: [{to: [{operation: {methods: [DELETE], ports: ["90"]}}]}]}')
    assert.deepEqual([tcp(narrow, { port: 80 }), tcp(narrow, { port: 90 })], [true, false])
  })
})
