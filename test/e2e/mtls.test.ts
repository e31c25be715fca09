/** Client certificates through a whole gateway, over real TLS: as who somebody is, and as what a token is bound to. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect as connectH2 } from 'node:http2'
import { Agent, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { stringify } from 'yaml'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { certifiedBy, testAuthority, type Pair } from '../../src/testing/pki.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type KeyFixture } from '../../src/testing/tokens.ts'

const AUDIENCE = 'https://orders.example'
const HOST = 'orders.localhost'
const key = testKey('tokens')

let tokens: KeyFixture
let upstream: ReturnType<typeof createServer>
let gateway: Gateway
let folder: string
let ca: Pair
let web: Pair
let stranger: Pair

describe('client certificates', () => {
  before(async () => {
    tokens = await keyFixture([key])
    upstream = createServer((incoming, response) => response.end(incoming.headers['ostiary-subject'] ?? 'nobody'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    folder = mkdtempSync(join(tmpdir(), 'ostiary-mtls-'))
    mkdirSync(join(folder, 'policy'))
    ca = await testAuthority('mesh')
    web = await certifiedBy(ca, { names: [{ type: 'url', value: 'spiffe://example.org/ns/shop/sa/web' }] })
    stranger = await certifiedBy(await testAuthority('stranger'), {
      names: [{ type: 'url', value: 'spiffe://example.org/ns/shop/sa/web' }],
    })
    const server = await certifiedBy(ca, { names: [{ type: 'dns', value: HOST }], usages: ['1.3.6.1.5.5.7.3.1'] })
    for (const [name, text] of [
      ['ca.pem', ca.cert],
      ['server.pem', server.cert],
      ['server-key.pem', server.key],
    ] as const)
      writeFileSync(join(folder, name), text)
    const tls = (required: boolean) => ({ cert: 'server.pem', key: 'server-key.pem', clientCertificates: { ca: 'ca.pem', required } })
    const { port } = upstream.address() as AddressInfo
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      dataDir: 'data',
      issuers: {
        mesh: { kind: 'spiffe', ca: 'ca.pem', trustDomain: 'example.org' },
        idp: { kind: 'oidc', issuer: tokens.origin, audiences: [AUDIENCE] },
      },
      resources: { orders: { protocol: 'http', hosts: [HOST], upstream: { url: `http://127.0.0.1:${port}` } } },
      doors: {
        http: {
          listen: [
            { address: '127.0.0.1:0', tls: tls(false) },
            { address: '127.0.0.1:0', tls: tls(true) },
          ],
        },
      },
      admin: { listen: '127.0.0.1:0' },
    }
    const policy = {
      apiVersion: 'ostiary.dev/v1',
      roles: {
        web: { bind: [{ issuer: 'mesh', claim: 'segments', all: ['shop', 'web'], kind: 'workload' }] },
        person: { bind: [{ issuer: 'idp', claim: 'client_id', any: ['orders-web'] }] },
        admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
      },
      rules: [
        { id: 'read', role: ['web', 'person'], resource: 'orders', actions: ['GET /orders', 'GET /plans'] },
        { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
      ],
      guardrails: [
        { id: 'bound', require: { proofOfPossession: 'mtls' }, actions: ['GET /plans'], resource: 'orders', for: ['person', 'web'] },
      ],
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy, { aliasDuplicateObjects: false }))
    gateway = await startGateway({ folder, watch: false, log: () => undefined })
  })

  after(async () => {
    await gateway.stop(0)
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    await tokens.close()
    rmSync(folder, { recursive: true, force: true })
  })

  interface Answer {
    readonly status: number
    readonly body: string
    readonly challenge: string | undefined
  }

  function ask(options: { path?: string; with?: Pair; token?: string; door?: number } = {}): Promise<Answer> {
    const { path = '/orders', with: pair, token, door = 0 } = options
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: gateway.doors[door]!.port,
          path,
          servername: HOST,
          ca: ca.cert,
          agent: new Agent({ keepAlive: false }),
          headers: { host: HOST, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
          ...(pair === undefined ? {} : { cert: pair.cert, key: pair.key }),
        },
        (incoming) => {
          let body = ''
          incoming.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body, challenge: incoming.headers['www-authenticate'] }))
        },
      )
      outgoing.on('error', reject)
      outgoing.end()
    })
  }

  const tokenOf = (more: object = {}): string =>
    signToken(key, { ...rfc9068Claims(tokens.origin, AUDIENCE, Date.now(), {}), ...more }, { typ: 'at+jwt' })

  test('a certificate by itself is who somebody is', async () => {
    const { status, body } = await ask({ with: web })
    assert.deepEqual([status, body], [200, 'spiffe://example.org/ns/shop/sa/web'])
    assert.equal((await ask({ with: web, path: '/plans' })).status, 200, 'and it is a proof of possession')
    assert.equal((await ask()).status, 401)
  })

  test('the same over HTTP/2', async () => {
    const client = connectH2(`https://127.0.0.1:${gateway.doors[0]!.port}`, { ca: ca.cert, servername: HOST, cert: web.cert, key: web.key })
    const status = await new Promise<number>((resolve, reject) => {
      const stream = client.request({ ':path': '/orders', ':authority': HOST })
      stream.on('response', (fields) => resolve(Number(fields[':status'])))
      stream.on('error', reject)
      stream.end()
    })
    client.close()
    assert.equal(status, 200)
  })

  test('one that nobody here vouches for is refused, even where none is needed', async () => {
    const { status, body } = await ask({ with: stranger })
    assert.equal(status, 401)
    assert.match(body, /the client certificate is not accepted here/)
  })

  test('a token that is bound to a certificate is good with it, whoever vouches for that, and with no other', async () => {
    for (const one of [web, stranger]) {
      const token = tokenOf({ cnf: { 'x5t#S256': one.thumbprint } })
      assert.equal((await ask({ token, with: one, path: '/plans' })).status, 200)
      assert.equal((await ask({ token, with: one === web ? stranger : web })).status, 401)
      const alone = await ask({ token })
      assert.equal(alone.status, 401)
      assert.match(alone.challenge ?? '', /^Bearer .*error="invalid_token"/)
    }
  })

  test('a bearer token beside a certificate stays one: it is not bound to what came with it', async () => {
    const token = tokenOf()
    assert.equal((await ask({ token, with: web })).status, 200)
    assert.equal((await ask({ token, with: web, path: '/plans' })).status, 403)
  })

  test('where one is required, there is no connection without', async () => {
    assert.equal((await ask({ with: web, door: 1 })).status, 200)
    await assert.rejects(ask({ door: 1 }), /certificate required|ECONNRESET|socket hang up/)
    await assert.rejects(ask({ with: stranger, door: 1 }), /unknown ca|bad certificate|ECONNRESET|socket hang up/)
  })

  test('a connection is never resumed, so that a certificate is looked at each time', async () => {
    const { port } = gateway.doors[0]!
    const open = (maxVersion: 'TLSv1.2' | 'TLSv1.3', session?: Buffer): Promise<TLSSocket> =>
      new Promise((resolve, reject) => {
        const socket = connect({
          host: '127.0.0.1',
          port,
          ca: ca.cert,
          servername: HOST,
          cert: web.cert,
          key: web.key,
          maxVersion,
          ...(session === undefined ? {} : { session }),
        })
        socket.once('error', reject)
        socket.once('secureConnect', () => resolve(socket))
      })
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = await open(maxVersion)
      const session = await new Promise<Buffer | undefined>((resolve) => {
        first.once('session', resolve)
        first.write('GET /orders HTTP/1.1\r\nHost: orders.localhost\r\n\r\n')
        first.once('data', () => setImmediate(() => resolve(first.getSession())))
      })
      first.destroy()
      const second = await open(maxVersion, session)
      assert.equal(second.isSessionReused(), false, maxVersion)
      second.destroy()
    }
  })
})
