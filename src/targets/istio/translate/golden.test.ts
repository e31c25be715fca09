/** Istio's own pairs of policies and filters: what is made here of the one has to be the other. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { RE2JS } from 're2js'
import { parse } from 'yaml'
import { authorizationFilters, type Chain } from './authorization.ts'
import { customFilters, type ExtAuthzHttp } from './extauthz.ts'
import { DEFAULT_MESH, type Mesh, type Workload } from './mesh.ts'
import { parseIstio } from './read.ts'
import { policiesFor } from './selection.ts'
import type { Json } from './types.ts'

const FOLDER = new URL('../../../../test/corpus/istio-authz/', import.meta.url)
const WORKLOAD: Workload = { kind: 'sidecar', namespace: 'foo', labels: { app: 'httpbin', version: 'v1' } }
const SERVICE = { service: 'foo/my-custom-ext-authz.foo.svc.cluster.local', port: 9000, failOpen: true, statusOnError: '403' }
const FULL: ExtAuthzHttp = {
  ...SERVICE,
  timeout: '10s',
  pathPrefix: '/check',
  includeRequestHeadersInCheck: ['x-custom-id', 'x-prefix-*', '*-suffix'],
  includeHeadersInCheck: ['should-not-include-when-IncludeRequestHeadersInCheck-is-set'],
  includeAdditionalHeadersInCheck: { 'x-header-1': 'value-1', 'x-header-2': 'value-2' },
  includeRequestBodyInCheck: { maxRequestBytes: 2048, allowPartialMessage: true, packAsBytes: true },
  headersToUpstreamOnAllow: ['Authorization', 'x-prefix-*', '*-suffix'],
  headersToDownstreamOnDeny: ['Set-cookie', 'x-prefix-*', '*-suffix'],
  headersToDownstreamOnAllow: ['Set-cookie', 'x-prefix-*', '*-suffix'],
}

interface Pair {
  readonly chain: Chain
  readonly of: string
  readonly outs: readonly string[]
  readonly mesh: Partial<Mesh>
}

function pair(of: string, outs: readonly string[] = [`${of}-out`], mesh: Partial<Mesh> = {}, chain: Chain = 'http'): Pair {
  return { chain, of, outs, mesh }
}

const PAIRS: readonly Pair[] = [
  pair('allow-empty-rule'),
  pair('allow-full-rule'),
  pair('allow-nil-rule'),
  pair('allow-path'),
  pair('audit-full-rule'),
  pair('deny-and-allow', ['deny-and-allow-out1', 'deny-and-allow-out2']),
  pair('deny-empty-rule'),
  pair('multiple-policies'),
  pair('single-policy'),
  pair('trust-domains'),
  pair('simple-policy-td-aliases', undefined, { trustDomain: 'td1', trustDomainAliases: ['cluster.local'] }),
  pair('simple-policy-multiple-td-aliases', undefined, { trustDomain: 'td1', trustDomainAliases: ['cluster.local', 'some-td'] }),
  pair('simple-policy-principal-with-wildcard', undefined, { trustDomain: 'td1', trustDomainAliases: ['foobar'] }),
  pair('td-aliases-source-principal', undefined, { trustDomain: 'new-td', trustDomainAliases: ['old-td', 'some-trustdomain'] }),
  pair('dry-run-mix'),
  pair('dry-run-allow', ['extended-dry-run-allow-out']),
  pair('dry-run-allow-and-deny', ['extended-dry-run-allow-and-deny-out1', 'extended-dry-run-allow-and-deny-out2']),
  pair('custom-simple-http', ['custom-grpc-provider-out1', 'extended-custom-grpc-provider-clear-route-cache-default-out2'], {
    extensionProviders: [{ name: 'default', envoyExtAuthzGrpc: SERVICE }],
  }),
  pair('custom-simple-http', ['custom-grpc-provider-out1', 'extended-custom-http-provider-clear-route-cache-default-out2'], {
    extensionProviders: [{ name: 'default', envoyExtAuthzHttp: SERVICE }],
  }),
  pair('custom-simple-http', ['custom-grpc-provider-out1', 'extended-custom-bad-multiple-providers-out3'], {
    extensionProviders: [{ name: 'default', envoyExtAuthzHttp: FULL }],
  }),
  pair('custom-bad-multiple-providers', ['custom-bad-multiple-providers-out1', 'custom-bad-multiple-providers-out2'], {
    extensionProviders: [{ name: 'default', envoyExtAuthzHttp: FULL }],
  }),
  pair('allow-both-http-tcp', undefined, {}, 'tcp'),
  pair('allow-only-http', undefined, {}, 'tcp'),
  pair('deny-both-http-tcp', undefined, {}, 'tcp'),
  pair('dry-run-mix', undefined, {}, 'tcp'),
]
/** Whose outcome is compared and not its writing. */
const SUPERSEDED = 'allow-host-before-111'

function read(chain: Chain, name: string): string {
  return readFileSync(new URL(`${chain}/${name}.yaml`, FOLDER), 'utf8')
}

/** Without what says nothing: an engine that is the only one, and *one of* or *all of* a single thing. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => key !== 'googleRe2')
  const [only] = entries
  if (entries.length === 1 && /^(?:or|and)(?:Rules|Ids)$/.test(only![0])) {
    const [inner, ...more] = (Object.values(only![1] as Json)[0] ?? []) as readonly unknown[]
    if (inner !== undefined && more.length === 0) return normal(inner)
  }
  return Object.fromEntries(entries.map(([key, each]) => [key, normal(each)]))
}

describe("Istio's own pairs", () => {
  for (const { chain, of, outs, mesh } of PAIRS) {
    test(`${chain}: ${of} to ${outs.join(', ')}`, () => {
      const whole = { ...DEFAULT_MESH, ...mesh }
      const policies = policiesFor(parseIstio(of, read(chain, `${of}-in`)), WORKLOAD, whole)
      const made = [...customFilters(policies, WORKLOAD, whole, chain), ...authorizationFilters(policies, WORKLOAD, whole, chain)]
      const wanted = outs.map((out) => parse(read(chain, out)) as unknown)
      assert.equal(made.length, wanted.length)
      for (const [index, each] of wanted.entries()) assert.deepEqual(normal(made[index]), normal(each))
    })
  }

  test('are all there: every file is in a pair, but for the one of proxies that are gone', () => {
    const used = new Set(PAIRS.flatMap(({ chain, of, outs }) => [`${of}-in`, ...outs].map((name) => `${chain}/${name}.yaml`)))
    const there = (['http', 'tcp'] as const).flatMap((chain) => readdirSync(new URL(`${chain}/`, FOLDER)).map((name) => `${chain}/${name}`))
    assert.deepEqual(
      there.filter((name) => !used.has(name)),
      [`http/${SUPERSEDED}-in.yaml`, `http/${SUPERSEDED}-out.yaml`],
    )
    assert.deepEqual({ pairs: PAIRS.length, files: used.size }, { pairs: 25, files: 52 })
  })

  test('of hosts match what the regular expressions of old proxies matched', () => {
    interface Matcher {
      readonly safeRegexMatch?: { readonly regex: string }
      readonly stringMatch?: { readonly exact?: string; readonly prefix?: string; readonly suffix?: string; readonly ignoreCase: boolean }
      readonly presentMatch?: boolean
    }
    const matchersIn = (value: unknown): readonly Matcher[] =>
      typeof value !== 'object' || value === null
        ? []
        : 'header' in value
          ? [value.header as Matcher]
          : Object.values(value).flatMap(matchersIn)
    const policies = policiesFor(parseIstio(SUPERSEDED, read('http', `${SUPERSEDED}-in`)), WORKLOAD, DEFAULT_MESH)
    const made = matchersIn(authorizationFilters(policies, WORKLOAD, DEFAULT_MESH, 'http'))
    const old = matchersIn(parse(read('http', `${SUPERSEDED}-out`)))
    assert.deepEqual([made.length, old.length], [8, 8])
    let matched = 0
    for (const [index, { safeRegexMatch, presentMatch }] of old.entries()) {
      const { stringMatch } = made[index]!
      assert.equal(presentMatch, made[index]!.presentMatch)
      for (const host of [
        'example.com',
        'EXAMPLE.com',
        'a.example.com',
        'prefix.example.org',
        'not-example.com',
        'exampleXcom',
        'prefix.Not-example.a',
        'b.not-example.com',
        '',
      ]) {
        const text = host.toLowerCase()
        const { exact, prefix, suffix } = stringMatch ?? {}
        const is =
          stringMatch !== undefined &&
          (exact === undefined || text === exact) &&
          (prefix === undefined || text.startsWith(prefix)) &&
          (suffix === undefined || text.endsWith(suffix))
        assert.equal(is, safeRegexMatch !== undefined && RE2JS.compile(safeRegexMatch.regex).matches(host), `${host} of ${index}`)
        if (is) matched++
      }
    }
    assert.ok(matched > 6)
  })
})
