/**
 * A real Envoy that somebody else configures, and that asks its gateway over plain HTTP, configured as docs/mesh.md has it. Not part of
 * `npm test`: it needs the binary; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { startGateway } from '../../../src/server/start.ts'
import { eventually, RealEnvoy } from '../../../src/testing/envoy.ts'
import { signToken, testKey } from '../../../src/testing/tokens.ts'
import { freePorts } from '../../../src/testing/ports.ts'

const TYPE = 'type.googleapis.com/'
const key = testKey('one', 'ES256')

/** The filter as the page has it. */
function documented(): Readonly<Record<string, unknown>> {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/mesh.md'), 'utf8')
  const [, text] = /```yaml\n(name: envoy\.filters\.http\.ext_authz\n[\s\S]*?)```/.exec(page) ?? []
  return parse(text!) as Readonly<Record<string, unknown>>
}

function bootstrap(checks: number, upstream: number): Readonly<Record<string, unknown>> {
  const socketAddress = (portValue: number) => ({ socketAddress: { address: '127.0.0.1', portValue } })
  const cluster = (name: string, port: number) => ({
    name,
    type: 'STATIC',
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint: { address: socketAddress(port) } }] }] },
  })
  const manager = {
    '@type': `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    statPrefix: 'in',
    useRemoteAddress: true,
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: 'REJECT_REQUEST',
    routeConfig: { virtualHosts: [{ name: 'in', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'upstream' } }] }] },
    httpFilters: [documented(), { name: 'router', typedConfig: { '@type': `${TYPE}envoy.extensions.filters.http.router.v3.Router` } }],
  }
  return {
    node: { id: 'theirs', cluster: 'theirs' },
    staticResources: {
      listeners: [
        {
          name: 'in',
          address: socketAddress(0),
          filterChains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typedConfig: manager }] }],
        },
      ],
      clusters: [cluster('ostiary', checks), cluster('upstream', upstream)],
    },
  }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

function ask(port: number, line: string, headers: Readonly<Record<string, string | string[]>> = {}): Promise<Answer> {
  const [method, path] = line.split(' ')
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, method, path, headers: { host: 'orders.example', ...headers }, agent: false },
      (response) => {
        let body = ''
        response
          .setEncoding('utf8')
          .on('data', (text: string) => (body += text))
          .on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }))
      },
    )
    sent.on('error', reject).end()
  })
}

describe('an Envoy that asks over HTTP', () => {
  test('lets through whom the policy lets through, says who it is, and denies in the gateway’s words', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ostiary-http-checks-'))
    const [xds, grpc, http] = await freePorts(3)
    let seen: IncomingHttpHeaders | undefined
    const upstream = createServer(({ headers }, response) => {
      seen = headers
      response.end('ok')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const { port: to } = upstream.address() as AddressInfo
    mkdirSync(join(folder, 'policy'))
    const jwk = createPublicKey({ key: key.jwk as JsonWebKey, format: 'jwk' }).export({ format: 'jwk' })
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [{ ...jwk, kid: key.kid, alg: 'ES256', use: 'sig' }] }))
    writeFileSync(
      join(folder, 'ostiary.yaml'),
      `apiVersion: ostiary.dev/v1
issuers: { svc: { kind: jwt, issuer: svc, audiences: [api], keys: [{ file: keys.json }] } }
resources:
  orders: { protocol: http, hosts: [orders.example], upstream: { url: 'http://127.0.0.1:${to}' } }
  wiki: { protocol: http, hosts: [wiki.example], upstream: { url: 'http://127.0.0.1:${to}' } }
doors:
  envoy:
    listen: 127.0.0.1:${xds}
    checks:
      listen: 127.0.0.1:${grpc}
      http: { listen: '127.0.0.1:${http}', forwardedFor: true }
      proxies: { theirs: { resources: [orders] } }
    nodes: {}
`,
    )
    writeFileSync(
      join(folder, 'policy/p.yaml'),
      `apiVersion: ostiary.dev/v1
roles: { reader: { bind: [{ issuer: svc, claim: roles, any: [reader] }] } }
rules:
  - { id: read, role: reader, resource: orders, actions: ['GET /items/{id}', GET /slow] }
  - { id: local, role: reader, resource: orders, actions: [GET /local], when: "!inCidr(context.ip, '198.51.100.0/24')" }
  - { id: remote, role: reader, resource: orders, actions: [GET /remote], when: "inCidr(context.ip, '198.51.100.0/24')" }
  - { id: wiki, role: reader, resource: wiki, actions: [GET /items] }
  - { id: administer, role: reader, resource: ostiary, actions: ['* /**'] }
guardrails: [{ id: slow, for: [everyone], resource: orders, actions: [GET /slow], limit: { requests: 1, in: 1h } }]
`,
    )
    const now = Math.floor(Date.now() / 1000)
    const token = signToken(key, { iss: 'svc', aud: 'api', sub: 'ada', iat: now, exp: now + 600, roles: ['reader'] })
    const bearer = { authorization: `Bearer ${token}` }
    const gateway = await startGateway({ folder, log: () => undefined })
    let stopped = false
    let envoy: RealEnvoy | undefined
    try {
      envoy = await RealEnvoy.start(mkdtempSync(join(folder, 'envoy-')), bootstrap(http!, to))
      const port = await envoy.port('in')
      const answer = await eventually('it takes connections', () =>
        ask(port, 'GET /items/7?page=2', { ...bearer, 'ostiary-subject': 'root', 'Ostiary-Tenant': 'x', 'x-forwarded-user': 'root' }).catch(
          () => undefined,
        ),
      )
      assert.equal(answer.status, 200, answer.body)
      assert.deepEqual([seen!['ostiary-issuer'], seen!['ostiary-subject']], ['svc', 'ada'])
      for (const name of ['ostiary-tenant', 'x-forwarded-user']) assert.equal(seen![name], undefined, name)
      assert.match(String(seen!['ostiary-decision']), /^[0-9A-Za-z]/)

      const type = ({ body }: Answer): unknown => (JSON.parse(body) as { type: string }).type.split('/errors/')[1]
      const nobody = await ask(port, 'GET /items/7')
      assert.deepEqual([nobody.status, type(nobody)], [401, 'http/no-credential'])
      assert.equal(nobody.headers['www-authenticate'], 'Bearer realm="orders"')
      const other = await ask(port, 'DELETE /items/7', bearer)
      assert.deepEqual([other.status, type(other)], [403, 'http/denied'])
      assert.equal(other.headers['content-type'], 'application/problem+json')
      const twice = await ask(port, 'GET /items/7', { authorization: [bearer.authorization, 'Bearer x'] })
      assert.equal(twice.status, 503, 'of two credentials Envoy makes one')
      assert.equal((await ask(port, 'GET /slow', bearer)).status, 200)
      const limited = await ask(port, 'GET /slow', bearer)
      assert.equal(limited.status, 429)
      assert.match(String(limited.headers['retry-after']), /^[0-9]+$/)
      // What the caller says of where it is comes before what Envoy appends (of loopback, an address of the machine's own).
      assert.equal((await ask(port, 'GET /local', { ...bearer, 'x-forwarded-for': '198.51.100.1' })).status, 200)
      assert.equal((await ask(port, 'GET /remote', { ...bearer, 'x-forwarded-for': '198.51.100.1' })).status, 403)
      // The route says which resource it is: a host of another is none of it.
      assert.equal((await ask(port, 'GET /items', { ...bearer, host: 'wiki.example' })).status, 421)
      for (const path of ['/items/%2e%2e/slow', '/items/7;x', '/items/%2F'])
        assert.notEqual((await ask(port, `GET ${path}`, bearer)).status, 200, path)

      await gateway.stop(0)
      stopped = true
      assert.equal((await ask(port, 'GET /items/7', bearer)).status, 503, 'while nobody answers, nothing passes')
    } finally {
      await envoy?.stop()
      if (!stopped) await gateway.stop(0)
      upstream.close()
      upstream.closeAllConnections()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
