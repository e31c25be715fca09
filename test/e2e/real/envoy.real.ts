/**
 * A real Envoy with the emitted filters, against the engine: the same tokens, the same requests. Not part of `npm test`: it needs the
 * binary, which `src/testing/envoybinary.ts` finds or downloads; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { RE2JS } from 're2js'
import type { Principal } from '../../../src/core/principal.ts'
import { holdsOf, type NativeIssuer } from '../../../src/core/token.ts'
import { ask as authenticate, issuerConfig, testDeps, testIdentity, type TestDeps } from '../../../src/identity/testing.ts'
import { issuerKinds, type Identities } from '../../../src/identity/index.ts'
import { loadPolicy, type CompiledPolicy } from '../../../src/policy/index.ts'
import { compileNative } from '../../../src/policy/native/compile.ts'
import { path as anyPath } from '../../../src/policy/testdata/random.ts'
import { asStatic, emitEnvoy, routeConfigurationOf, type EnvoyResource } from '../../../src/targets/envoy/emit.ts'
import { RealEnvoy } from '../../../src/testing/envoy.ts'
import { AUDIENCE, credential, credentialOf, DECLARED, es, policies, policyText, send, sign, SPELLINGS } from './envoyworld.ts'
import { keyFixture, type KeyFixture } from '../../../src/testing/tokens.ts'

const POLICIES = 40
const REQUESTS = 120
/** Of four resources, one is only observed, and one has been. */
const UNTIL = ['2999-01-01T00:00:00Z', '2001-01-01T00:00:00Z'] as const

describe('a real Envoy decides as the engine does', () => {
  let fixture: KeyFixture
  let deps: TestDeps
  let identities: Identities
  let upstream: Server
  const seen = new Map<string, { readonly url: string; readonly method: string; readonly headers: Readonly<Record<string, unknown>> }>()
  let envoy: RealEnvoy | undefined
  let port: number
  const resources: { readonly policy: CompiledPolicy; readonly resource: EnvoyResource }[] = []
  const natives = new Map<string, readonly NativeIssuer[]>()

  before(async () => {
    fixture = await keyFixture([es])
    deps = testDeps()
    const base = { audiences: [AUDIENCE], clients: ['listed'], claims: DECLARED, stepUp: { mfa: { claim: 'groups', any: ['c'] } } }
    const pem = es.jwk
    const issuers = {
      people: { kind: 'oidc', issuer: fixture.origin, ...base },
      services: { kind: 'jwt', issuer: 'services', ...base, keys: [{ file: `${deps.folder}/services.json` }] },
    }
    const { writeFileSync } = await import('node:fs')
    writeFileSync(`${deps.folder}/services.json`, JSON.stringify({ keys: [pem] }))
    identities = testIdentity(issuers, deps, { cold: { rate: 1e6, burst: 1e6, sources: 10 } })
    for (const [name, config] of Object.entries(issuers))
      natives.set(name, issuerKinds[config.kind]!.native!(name, issuerConfig(config)) as readonly NativeIssuer[])
    upstream = createServer((request, response) => {
      const id = String(request.headers['x-test'])
      seen.set(id, { url: request.url!, method: request.method!, headers: request.headers })
      response.end('ok')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const kindClaims = Object.fromEntries(['oidc', 'jwt'].map((kind) => [kind, issuerKinds[kind]!.claims]))
    const seed = Number(process.env['OSTIARY_SEED'] ?? Date.now() % 1_000_000)
    process.stderr.write(`seed ${seed}\n`)
    for (const data of fc.sample(policies, { numRuns: POLICIES * 3, seed })) {
      if (resources.length === POLICIES) break
      const index = resources.length
      const text = policyText(data)
      const wiring = {
        issuers: Object.fromEntries(Object.entries(issuers).map(([name, config]) => [name, issuerConfig(config)])),
        resources: {
          api: {
            protocol: 'http',
            description: undefined,
            issuers: undefined,
            labels: {},
            record: 'spool' as const,
            ...(UNTIL[index % 4] === undefined ? {} : { observe: { until: UNTIL[index % 4]! } }),
            scopes: data.scoped ? { 'orders.read': ['GET /a/**', 'GET /{x}'], 'orders.write': ['* /**'] } : undefined,
          },
        },
      }
      const sources = {
        wiring: { path: 'ostiary.yaml', text: '' },
        environment: undefined,
        policy: [{ path: 'policy/p.yaml', text: JSON.stringify(text) }],
        tests: [],
      }
      const { policy } = loadPolicy({ sources, wiring, kindClaims, mustAdminister: false, now: deps.clock.now() })
      if (policy === undefined) continue
      const { native, refused } = compileNative({ model: policy.model, resource: 'api', issuers: natives })
      assert.deepEqual(refused, [])
      const { port: to } = upstream.address() as AddressInfo
      resources.push({
        policy,
        resource: {
          native: { ...native, name: `api-${index}` },
          hosts: [`api-${index}.example`],
          upstream: { host: '127.0.0.1', port: to, tls: undefined, http2: false, connectTimeout: 2000 },
          websocket: false,
          forwardAuthorization: false,
        },
      })
    }
    assert.equal(resources.length, POLICIES)
    const keys = JSON.stringify({ keys: [es.jwk] })
    const input = {
      name: 'edge',
      address: { host: '127.0.0.1', port: 0 },
      resources: resources.map(({ resource }) => resource),
      keys: new Map([
        ['people', keys],
        ['services', keys],
      ]),
      tls: undefined,
      logs: undefined,
    }
    // One list of each other policy, and a tree of routes of the rest, however small they are.
    const isTree = new Set(input.resources.filter((_, index) => index % 2 === 1))
    const made = emitEnvoy(input, (resource, checks) =>
      routeConfigurationOf(resource, checks, isTree.has(resource) ? { listUpTo: 1, leafUpTo: 1 } : undefined),
    )
    const trees = made.routes.filter((route) => JSON.stringify(route).includes('"matcherTree"')).length
    assert.ok(trees > POLICIES / 4, `${trees} trees`)
    envoy = await RealEnvoy.start(deps.folder, asStatic(made))
    port = await envoy.port('edge')
  })
  after(async () => {
    await envoy?.stop()
    upstream.close()
    upstream.closeAllConnections()
    await identities.close()
    await fixture.close()
    deps.remove()
  })

  test('thousands of requests, with nothing let through that the engine denies', async () => {
    const told = { allowed: 0, observed: 0, denied: 0, narrower: 0, refusedBoth: 0, spelled: 0 }
    const seed = Number(process.env['OSTIARY_SEED'] ?? Date.now() % 1_000_000)
    const requests = fc.sample(
      fc.tuple(
        credential,
        fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'get', 'PURGE'),
        anyPath.filter((path) => /^\/[A-Za-z0-9:/]*$/.test(path) && !path.includes('//')),
        fc.constantFrom(...SPELLINGS),
      ),
      { numRuns: POLICIES * REQUESTS, seed },
    )
    const now = Math.floor(deps.clock.now() / 1000)
    let number = 0
    const one = async ([who, method, plain, [from, to]]: (typeof requests)[number], index: number): Promise<void> => {
      const { policy, resource } = resources[index % POLICIES]!
      const id = `${++number}`
      const real = Math.floor(Date.now() / 1000)
      const spelled = from === '' ? plain : plain.replace(from, to)
      const { lines, token } = credentialOf(who, real, fixture.origin)
      const { lines: ours } = credentialOf(who, now, fixture.origin)
      const target =
        who.kind === 'bad' && who.how === 'query'
          ? `${spelled}${spelled.includes('?') ? '&' : '?'}access_token=${sign(fixture.origin, real)}`
          : spelled
      const bytes = [
        `${method} ${target} HTTP/1.1`,
        `Host: ${resource.hosts[0]!}`,
        `x-test: ${id}`,
        'Ostiary-Subject: admin',
        'Content-Length: 0',
        'Connection: close',
        ...lines,
        '',
        '',
      ].join('\r\n')
      const status = await send(port, bytes)
      const arrived = seen.get(id)
      const context = (): string => JSON.stringify({ who, method, target, status, arrived, policy: resource.native.name })
      assert.equal(status === 200, arrived !== undefined, context())
      // What the engine says of what was forwarded, or, where nothing was, of what was asked for in its plain form.
      const path = (arrived?.url ?? plain).replace(/[?#].*$/s, '')
      let allowed = false
      let observed = false
      // Methods with small letters are refused whatever the policy says.
      let native = method === method.toUpperCase()
      const decided = (principal: Principal): void => {
        const decision = policy.decide(principal, { protocol: 'http', method, path }, 'api', { time: deps.clock.now(), ip: '127.0.0.1' })
        allowed = decision.effect === 'allow'
        observed = decision.observed?.effect === 'deny'
      }
      if (who.kind === 'none' || (who.kind === 'bad' && who.how === 'query')) decided(policy.anonymous)
      else if (ours.length === 1 && ours[0]!.startsWith('Authorization: Bearer ')) {
        const result = await authenticate(identities, ours[0]!.slice('Authorization: Bearer '.length))
        if (result.outcome === 'verified') decided(policy.bind(result.verified.identity))
        native &&=
          token !== undefined &&
          holdsOf(natives.get(token.issuer)![0]!.credential, token, Date.now(), (pattern, text) => RE2JS.compile(pattern).matches(text))
      }
      if (arrived !== undefined) {
        assert.ok(allowed, `wider than the policy: ${context()}`)
        assert.equal(arrived.headers['authorization'], undefined, context())
        assert.notEqual(arrived.headers['ostiary-subject'], 'admin', context())
        assert.equal(arrived.headers['ostiary-subject'], token?.payload['sub'], context())
        told.allowed++
        if (observed) told.observed++
        if (spelled !== plain) told.spelled++
        return
      }
      assert.ok([400, 401, 403].includes(status), context())
      if (!allowed) told.denied++
      else if (spelled !== plain) told.refusedBoth++
      else {
        assert.ok(!native, `narrower than the policy: ${context()}`)
        told.narrower++
      }
    }
    for (let at = 0; at < requests.length; at += 16) await Promise.all(requests.slice(at, at + 16).map((each, i) => one(each, at + i)))
    process.stderr.write(`${requests.length} requests of ${POLICIES} policies: ${JSON.stringify(told)}\n`)
    assert.ok(told.allowed > 60 && told.observed > 60 && told.denied > 500 && told.narrower > 0 && told.spelled > 0, JSON.stringify(told))
  })
})
