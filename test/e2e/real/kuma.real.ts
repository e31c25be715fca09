/**
 * A real Envoy with the inbounds that Kuma makes of the emitted documents (`evaluate.ts` of the target translates, as no control plane
 * runs here), against the engine: the same tokens, the same requests. Not part of `npm test`: it needs the binary; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { RE2JS } from 're2js'
import type { Wiring } from '../../../src/config/schema.ts'
import type { Principal } from '../../../src/core/principal.ts'
import { holdsOf, type NativeIssuer } from '../../../src/core/token.ts'
import type { Json } from '../../../src/envoy/rbac.ts'
import { ask as authenticate, issuerConfig, testDeps, testIdentity, type TestDeps } from '../../../src/identity/testing.ts'
import { issuerKinds, type Identities } from '../../../src/identity/index.ts'
import { loadPolicy, type CompiledPolicy } from '../../../src/policy/index.ts'
import { path as anyPath } from '../../../src/policy/testdata/random.ts'
import { load, wiring as policyWiring } from '../../../src/policy/testdata/world.ts'
import { translateKuma } from '../../../src/targets/kuma/evaluate.ts'
import { plainInbound } from '../../../src/targets/kuma/testdata/inbound.ts'
import { compiled, kumaConfig, wiringOf } from '../../../src/targets/kuma/testdata/world.ts'
import { RealEnvoy } from '../../../src/testing/envoy.ts'
import { certifiedBy, testAuthority, type Pair } from '../../../src/testing/pki.ts'
import { keyFixture, type JsonObject, type KeyFixture } from '../../../src/testing/tokens.ts'
import { freePorts } from '../../../src/testing/ports.ts'
import { AUDIENCE, credential, credentialOf, DECLARED, es, policies, policyText, send, sign, SPELLINGS } from './envoyworld.ts'

const DATAPLANES = 12
const REQUESTS = 400
/** One of them in every other dataplane is only observed. */
const OBSERVE = { observe: { until: '2999-01-01T00:00:00Z' } }
const isObserved = (resource: string, index: number): boolean => resource === 'b' && index % 4 > 1
const DOMAIN = 'spiffe://default.zone1.mesh.local'
const CALLERS = ['/ns/shop/sa/web', '/ns/shop/sa/web-other', '/ns/jobs/sa/nightly', '/ns/jobs-other/sa/nightly'] as const
/** Two resources behind one inbound, and a third behind another of the same dataplane. */
const RESOURCES = ['a', 'b', 'c'] as const
type Resource = (typeof RESOURCES)[number]
/** Who may call them, where the mesh has TLS. */
const PEERS: Readonly<Record<Resource, readonly object[]>> = {
  a: [{ exact: `${DOMAIN}/ns/shop/sa/web` }],
  b: [{ exact: `${DOMAIN}/ns/shop/sa/web` }, { prefix: `${DOMAIN}/ns/jobs/` }],
  c: [{ prefix: `${DOMAIN}/ns/` }],
}
const MAY_CALL: Readonly<Record<Resource, readonly string[]>> = {
  a: ['/ns/shop/sa/web'],
  b: ['/ns/shop/sa/web', '/ns/jobs/sa/nightly'],
  c: CALLERS,
}

interface Dataplane {
  readonly policy: CompiledPolicy
  readonly isTls: boolean
  readonly ports: Readonly<Record<Resource, number>>
}

describe('a real Envoy in a mesh decides as the engine does', () => {
  let fixture: KeyFixture
  let deps: TestDeps
  let identities: Identities
  let upstream: Server
  let envoy: RealEnvoy | undefined
  let certificates: readonly Pair[]
  let authority: Pair
  const seen = new Map<string, { readonly url: string; readonly headers: Readonly<Record<string, unknown>> }>()
  const dataplanes: Dataplane[] = []
  const natives = new Map<string, readonly NativeIssuer[]>()

  before(async () => {
    fixture = await keyFixture([es])
    deps = testDeps()
    const base = { audiences: [AUDIENCE], clients: ['listed'], claims: DECLARED, stepUp: { mfa: { claim: 'groups', any: ['c'] } } }
    const issuers = {
      people: { kind: 'oidc', issuer: fixture.origin, ...base },
      services: { kind: 'jwt', issuer: 'services', ...base, keys: [{ file: `${deps.folder}/services.json` }] },
    }
    writeFileSync(`${deps.folder}/services.json`, JSON.stringify({ keys: [es.jwk] }))
    identities = testIdentity(issuers, deps, { cold: { rate: 1e6, burst: 1e6, sources: 10 } })
    for (const [name, config] of Object.entries(issuers))
      natives.set(name, issuerKinds[config.kind]!.native!(name, issuerConfig(config)) as readonly NativeIssuer[])
    const forms = [...natives.values()].flat().map(({ form }) => form)
    const keys = new Map(forms.map((form) => [form, JSON.stringify({ keys: [es.jwk] })]))
    upstream = createServer((request, response) => {
      seen.set(String(request.headers['x-test']), { url: request.url!, headers: request.headers })
      response.end('ok')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    authority = await testAuthority('CN=mesh')
    const named = (value: string): Promise<Pair> =>
      certifiedBy(authority, { names: [{ type: 'url', value }], usages: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'] })
    certificates = await Promise.all(CALLERS.map((caller) => named(`${DOMAIN}${caller}`)))
    const tls = tlsOf(await named(`${DOMAIN}/ns/shop/sa/shop`), authority)
    const kindClaims = Object.fromEntries(['oidc', 'jwt'].map((kind) => [kind, issuerKinds[kind]!.claims]))
    const resource = { protocol: 'http', description: undefined, issuers: undefined, labels: {}, record: 'spool' as const }
    const scopes = { 'orders.read': ['GET /a/**', 'GET /{x}'], 'orders.write': ['* /**'] }
    const seed = Number(process.env['OSTIARY_SEED'] ?? Date.now() % 1_000_000)
    process.stderr.write(`seed ${seed}\n`)
    const ports = await freePorts(DATAPLANES * 2)
    const listeners: Json[] = []
    for (const data of fc.sample(policies, { numRuns: DATAPLANES * 3, seed })) {
      if (dataplanes.length === DATAPLANES) break
      const index = dataplanes.length
      const sources = {
        wiring: { path: 'ostiary.yaml', text: '' },
        environment: undefined,
        policy: [{ path: 'policy/p.yaml', text: JSON.stringify(spread(policyText(data), index)) }],
        tests: [],
      }
      const wiring = {
        issuers: Object.fromEntries(Object.entries(issuers).map(([name, config]) => [name, issuerConfig(config)])),
        resources: Object.fromEntries(
          RESOURCES.map((name) => [
            name,
            { ...resource, scopes: data.scoped && name === 'a' ? scopes : undefined, ...(isObserved(name, index) ? OBSERVE : {}) },
          ]),
        ),
      }
      const { policy } = loadPolicy({ sources, wiring, kindClaims, mustAdminister: false, now: deps.clock.now() })
      if (policy === undefined) continue
      const [first, second] = [ports[index * 2]!, ports[index * 2 + 1]!]
      const portOf = { a: first, b: first, c: second }
      const isTls = index % 2 === 1
      const labels = { app: `app-${index}` }
      const config = kumaConfig({
        version: (['2.13', '2.14', '3.0'] as const)[index % 3],
        mode: index % 3 === 1 ? 'kubernetes' : 'universal',
        workloads: Object.fromEntries(
          RESOURCES.map((name) => [
            name,
            { labels, inbound: { port: portOf[name], protocol: 'http' }, ...(isTls ? { peers: PEERS[name], strictTls: true } : {}) },
          ]),
        ),
      })
      const { documents, diagnostics } = compiled({ policy, config, wiring: wiringFor(index), issuers: natives, keys })
      assert.deepEqual(diagnostics, [])
      const inbounds = [first, second].map((port) => ({
        port,
        listener: plainInbound({
          port,
          service: 'upstream',
          protocol: 'http',
          transports: isTls ? [undefined, tls].slice(1) : [undefined],
        }),
      }))
      listeners.push(...translateKuma(documents, { mesh: 'default', labels }, inbounds).listeners)
      dataplanes.push({ policy, isTls, ports: portOf })
    }
    assert.equal(dataplanes.length, DATAPLANES)
    envoy = await RealEnvoy.start(deps.folder, { staticResources: { listeners, clusters: [clusterOf(upstream)] } })
    for (const { name } of listeners) await envoy.port(name as string)
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
    const told = { allowed: 0, observed: 0, denied: 0, narrower: 0, refusedBoth: 0, spelled: 0, elsewhere: 0, byPeer: 0, twoPeers: 0 }
    const seed = Number(process.env['OSTIARY_SEED'] ?? Date.now() % 1_000_000)
    const requests = fc.sample(
      fc.tuple(
        credential,
        fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'get', 'PURGE'),
        anyPath.filter((path) => /^\/[A-Za-z0-9:/]*$/.test(path) && !path.includes('//')),
        fc.constantFrom(...SPELLINGS),
        fc.constantFrom<(host: string) => string>(
          ...Array.from({ length: 6 }, () => (host: string) => host),
          (host) => host.toUpperCase(),
          (host) => `${host}:1234`,
          (host) => `${host}.`,
          (host) => `${host}.other`,
          (host) => `x-${host}`,
        ),
        fc.record({
          resource: fc.constantFrom(...RESOURCES),
          at: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(...RESOURCES) }),
          caller: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(CALLERS.length - 1) }),
        }),
      ),
      { numRuns: DATAPLANES * REQUESTS, seed },
    )
    const now = Math.floor(deps.clock.now() / 1000)
    const one = async ([who, method, plain, [from, to], spell, place]: (typeof requests)[number], index: number): Promise<void> => {
      const number = index % DATAPLANES
      const { policy, isTls, ports } = dataplanes[number]!
      const { resource, caller } = place
      const id = `${index}`
      const real = Math.floor(Date.now() / 1000)
      const spelled = from === '' ? plain : plain.replace(from, to)
      const { lines, token } = credentialOf(who, real, fixture.origin)
      const { lines: ours } = credentialOf(who, now, fixture.origin)
      const target =
        who.kind === 'bad' && who.how === 'query'
          ? `${spelled}${spelled.includes('?') ? '&' : '?'}access_token=${sign(fixture.origin, real)}`
          : spelled
      const host = spell(hostOf(resource, number))
      const port = ports[place.at ?? resource]
      const bytes = [
        `${method} ${target} HTTP/1.1`,
        `Host: ${host}`,
        `x-test: ${id}`,
        'Ostiary-Subject: admin',
        'X-Forwarded-For: 10.0.0.1',
        'Content-Length: 0',
        'Connection: close',
        ...lines,
        '',
        '',
      ].join('\r\n')
      const shown = certificates[caller]!
      const tls = { cert: shown.cert, key: shown.key, ca: authority.cert, checkServerIdentity: () => undefined }
      const status = await send(port, bytes, isTls ? tls : undefined)
      const arrived = seen.get(id)
      const context = (): string => JSON.stringify({ who, method, target, host, place, status, arrived, number })
      assert.equal(status === 200, arrived !== undefined, context())
      const isHere = port === ports[resource] && !/\.other$|^x-/.test(host)
      const isPeer = !isTls || MAY_CALL[resource].includes(CALLERS[caller]!)
      // What the engine says of what was forwarded, or, where nothing was, of what was asked for in its plain form.
      const path = (arrived?.url ?? plain).replace(/[?#].*$/s, '')
      const asked = { time: deps.clock.now(), ip: '127.0.0.1' }
      let allowed = false
      let observed = false
      // Methods with small letters are refused whatever the policy says.
      let native = method === method.toUpperCase()
      const decided = (principal: Principal): void => {
        const decision = policy.decide(principal, { protocol: 'http', method, path }, resource, asked)
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
        assert.ok(allowed && isHere && isPeer, `wider than the policy: ${context()}`)
        assert.equal(arrived.headers['authorization'], undefined, context())
        assert.equal(arrived.headers['ostiary-subject'], token?.payload['sub'], context())
        assert.equal(arrived.headers['ostiary-issuer'], token?.payload['iss'], context())
        told.allowed++
        if (observed) told.observed++
        if (spelled !== plain) told.spelled++
        if (isTls) told.twoPeers++
        return
      }
      assert.ok([400, 401, 403].includes(status), context())
      if (!allowed) told.denied++
      else if (!isHere) told.elsewhere++
      else if (!isPeer) told.byPeer++
      else if (spelled !== plain) told.refusedBoth++
      else {
        assert.ok(!native, `narrower than the policy: ${context()}`)
        told.narrower++
      }
    }
    for (let at = 0; at < requests.length; at += 16) await Promise.all(requests.slice(at, at + 16).map((each, i) => one(each, at + i)))
    process.stderr.write(`${requests.length} requests of ${DATAPLANES} dataplanes with three resources each: ${JSON.stringify(told)}\n`)
    for (const [what, count] of Object.entries(told)) assert.ok(count > 0, `${what}: ${JSON.stringify(told)}`)
    assert.ok(told.allowed > 30 && told.denied > 500, JSON.stringify(told))
  })

  test('whoever shows no certificate of the mesh is not let in where it is strict, whatever the token', async () => {
    const { ports } = dataplanes[1]!
    const bytes = `GET /healthz HTTP/1.1\r\nHost: ${hostOf('a', 1)}\r\nConnection: close\r\n\r\n`
    const open = await send(ports.a, bytes).catch(() => 0)
    assert.equal(open, 0)
    const none = await send(ports.a, bytes, { rejectUnauthorized: false }).catch(() => 0)
    assert.equal(none, 0)
  })
})

describe('what dataplanes ask the gateway about', () => {
  test('is taken by a real Envoy, and nothing passes while nobody answers', async () => {
    const deps = testDeps()
    let reached = 0
    const upstream = createServer((_, response) => {
      reached++
      response.end('ok')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const [port, nobody] = await freePorts(2)
    const gateway = { host: '127.0.0.1', port: nobody }
    const config = kumaConfig({
      workloads: { a: { labels: { app: 'a' }, inbound: { port, protocol: 'http' } } },
      delegate: ['a'],
      gateway,
      logs: { gateway: true },
    })
    const { policy } = load("rules: [{ id: r, role: everyone, resource: orders, actions: ['GET /**'] }]\n")
    const { documents, diagnostics } = compiled({ policy: policy!, config, wiring: wiringFor(0) })
    assert.deepEqual(diagnostics, [])
    const plain = plainInbound({ port: port!, service: 'upstream', protocol: 'http', transports: [undefined] })
    const { listeners, clusters } = translateKuma(documents, { mesh: 'default', labels: { app: 'a' } }, [{ port: port!, listener: plain }])
    const envoy = await RealEnvoy.start(deps.folder, { staticResources: { listeners, clusters: [...clusters, clusterOf(upstream)] } })
    try {
      await envoy.port(listeners[0]!['name'] as string)
      const ask = (host: string, path = '/a'): Promise<number> =>
        send(port!, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      assert.equal(await ask(hostOf('a', 0)), 503)
      // Without a credential, a denial asks for one.
      assert.equal(await ask('other.example'), 401)
      assert.equal(await ask(hostOf('a', 0), '/%61%7f'), 401)
      assert.equal(reached, 0)
    } finally {
      await envoy.stop()
      upstream.close()
      upstream.closeAllConnections()
      deps.remove()
    }
  })
})

describe('documents without keys', () => {
  test('are taken by a real Envoy, which then believes no token', async () => {
    const deps = testDeps()
    const upstream = createServer((_, response) => void response.end('ok'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const [port] = await freePorts(1)
    const config = kumaConfig({ workloads: { a: { labels: { app: 'a' }, inbound: { port, protocol: 'http' } } } })
    const text = "rules: [{ id: r, role: everyone, resource: a, actions: ['GET /**'] }]\n"
    const resources = { ...policyWiring.resources, a: policyWiring.resources['orders']! }
    const { policy } = load(text, { wiring: { ...policyWiring, resources } })
    assert.ok(policy !== undefined)
    const { documents, diagnostics } = compiled({ policy, config, wiring: wiringFor(0), keys: undefined })
    assert.deepEqual(diagnostics, [])
    const plain = plainInbound({ port: port!, service: 'upstream', protocol: 'http', transports: [undefined] })
    const { listeners } = translateKuma(documents, { mesh: 'default', labels: { app: 'a' } }, [{ port: port!, listener: plain }])
    const envoy = await RealEnvoy.start(deps.folder, { staticResources: { listeners, clusters: [clusterOf(upstream)] } })
    try {
      await envoy.port(listeners[0]!['name'] as string)
      const ask = (line: string): Promise<number> =>
        send(port!, `GET /a HTTP/1.1\r\nHost: ${hostOf('a', 0)}\r\n${line}Connection: close\r\n\r\n`)
      assert.equal(await ask(''), 200)
      assert.equal(await ask(`Authorization: Bearer ${sign('https://entra.example', Math.floor(Date.now() / 1000))}\r\n`), 403)
    } finally {
      await envoy.stop()
      upstream.close()
      upstream.closeAllConnections()
      deps.remove()
    }
  })
})

function clusterOf(upstream: Server): Json {
  const { port } = upstream.address() as AddressInfo
  return {
    name: 'upstream',
    type: 'STATIC',
    connectTimeout: '2s',
    loadAssignment: {
      clusterName: 'upstream',
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: port } } } }] }],
    },
  }
}

function hostOf(resource: string, dataplane: number): string {
  return `${resource}-${dataplane}.example`
}

function wiringFor(dataplane: number): Wiring {
  return wiringOf(Object.fromEntries(RESOURCES.map((name) => [name, { hosts: [hostOf(name, dataplane)] }])))
}

/** The statements of a policy for one resource, some for each of three and some for all. */
function spread(text: JsonObject, by: number): JsonObject {
  const place = (index: number): readonly string[] | string => ((index + by) % 4 === 3 ? RESOURCES : RESOURCES[(index + by) % 4]!)
  const placed = (all: unknown): JsonObject[] => (all as JsonObject[]).map((one, index) => ({ ...one, resource: place(index) }))
  return { ...text, rules: placed(text['rules']), guardrails: placed(text['guardrails']) }
}

function tlsOf({ cert, key }: Pair, authority: Pair): Json {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      requireClientCertificate: true,
      commonTlsContext: {
        tlsCertificates: [{ certificateChain: { inlineString: cert }, privateKey: { inlineString: key } }],
        validationContext: { trustedCa: { inlineString: authority.cert } },
      },
    },
  }
}
