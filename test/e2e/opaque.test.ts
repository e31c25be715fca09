/** Opaque tokens in the whole gateway: a stream lives as long as the provider calls its token active, and not a second longer. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { ManualClock } from '../../src/testing/clock.ts'
import { startStandInIntrospection, type StandInIntrospection } from '../../src/testing/standin-introspection.ts'
import type { JsonObject } from '../../src/testing/tokens.ts'

const policy = {
  apiVersion: 'ostiary.dev/v1',
  roles: {
    reader: { bind: [{ issuer: 'opaque', claim: 'roles', any: ['read'] }] },
    admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
  },
  rules: [
    { id: 'read', role: 'reader', resource: 'orders', actions: ['GET /**'] },
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
  ],
}

const clock = new ManualClock(Date.now())
let provider: StandInIntrospection
let upstream: ReturnType<typeof createServer>
let folder: string
let gateway: Gateway

describe('opaque tokens', () => {
  before(async () => {
    provider = await startStandInIntrospection()
    provider.admitted.add(`Basic ${Buffer.from('ostiary:secret').toString('base64')}`)
    upstream = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: first\n\n')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    folder = mkdtempSync(join(tmpdir(), 'ostiary-opaque-'))
    mkdirSync(join(folder, 'policy'))
    const auth = { clientId: 'ostiary', clientSecret: { file: 'secret' } }
    const opaque = {
      kind: 'oauth2-introspection',
      issuer: 'https://id.example.com',
      endpoint: provider.endpoint,
      auth,
      audiences: ['orders'],
    }
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      issuers: { opaque: { ...opaque, claims: { roles: 'list' } } },
      resources: {
        orders: {
          protocol: 'http',
          hosts: ['orders.localhost'],
          upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` },
        },
      },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
    }
    writeFileSync(join(folder, 'secret'), 'secret')
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy))
    gateway = await startGateway({ folder, watch: false, clock })
  })

  after(async () => {
    let stopped = false
    void gateway.stop(100).then(() => (stopped = true))
    await until(() => (clock.advance(10), stopped))
    await provider.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })

  const claims = (more: JsonObject = {}): JsonObject => ({
    sub: 'reader-1',
    client_id: 'orders-web',
    aud: 'orders',
    roles: ['read'],
    exp: clock.now() / 1000 + 36_000,
    ...more,
  })

  function open(token: string): Promise<IncomingMessage> {
    const headers = { host: 'orders.localhost', authorization: `Bearer ${token}` }
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port: gateway.doors[0]!.port, path: '/events', headers, agent: false }, resolve)
        .on('error', reject)
        .end()
    })
  }

  /** A stream with its first event read, and whether it has ended. */
  async function stream(token: string): Promise<{ readonly ended: () => boolean }> {
    const incoming = await open(token)
    assert.equal(incoming.statusCode, 200)
    let ended = false
    await new Promise<void>((resolve) => incoming.once('data', () => resolve()))
    incoming.on('close', () => (ended = true)).on('error', () => undefined)
    return { ended: () => ended }
  }

  async function until(what: () => boolean): Promise<void> {
    for (let i = 0; i < 5_000; i++) {
      if (what()) return
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    assert.fail('it never came to that')
  }

  /** Moves on to just after the next time that the provider is asked about a token in use. */
  async function nextAnswer(): Promise<void> {
    const before = provider.asked.length
    clock.advance(50_500)
    await until(() => provider.asked.length === before + 1)
    // The answer has to come back before the clock goes on.
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1))
  }

  test('a stream outlives many answers while its token is active, and ends with the one that says it is not', async () => {
    provider.tokens.set('one', claims())
    const { ended } = await stream('one')
    for (let i = 0; i < 5; i++) await nextAnswer()
    assert.equal(ended(), false, 'four minutes, at a minute per answer')
    provider.tokens.delete('one')
    await nextAnswer()
    clock.advance(500)
    await until(ended)
    assert.equal((await open('one')).statusCode, 401)
  })

  test('a stream ends when the token has lost the role that it was let through by', async () => {
    provider.tokens.set('two', claims())
    const { ended } = await stream('two')
    provider.tokens.set('two', claims({ roles: [] }))
    await nextAnswer()
    clock.advance(500)
    await until(ended)
    assert.equal((await open('two')).statusCode, 403)
  })

  test('a stream ends with its answer while the provider is down, and new requests are 503', async () => {
    provider.tokens.set('three', claims())
    const { ended } = await stream('three')
    provider.misbehave = { status: 500, body: '' }
    await nextAnswer()
    assert.equal(ended(), false)
    clock.advance(10_500)
    await until(ended)
    assert.equal((await open('three')).statusCode, 503)
    provider.misbehave = undefined
    const again = await open('three')
    assert.equal(again.statusCode, 200)
    again.destroy()
  })
})
