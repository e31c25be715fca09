/** What a provider says has ended, in the whole gateway: a browser's stream, its session, and the record. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { CLIENT_ID, Jar, providerStandIn, type ProviderStandIn } from '../../src/identity/session/testdata/standin.ts'
import { AUDIENCE, CAEP, transmitterStandIn, type TransmitterStandIn } from '../../src/identity/ssf/testdata/standin-transmitter.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'

const TOKEN = 'what-was-agreed-on'
const policy = {
  apiVersion: 'ostiary.dev/v1',
  roles: {
    reader: { bind: [{ issuer: 'idp', claim: 'roles', any: ['read'] }] },
    admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
  },
  rules: [
    { id: 'read', role: 'reader', resource: 'orders', actions: ['GET /**'] },
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
  ],
}

let provider: ProviderStandIn
let transmitter: TransmitterStandIn
let upstream: ReturnType<typeof createServer>
let folder: string
let gateway: Gateway

describe('what the provider ends', () => {
  before(async () => {
    provider = await providerStandIn(() => Date.now())
    transmitter = await transmitterStandIn(() => Date.now())
    upstream = createServer((incoming, response) => {
      if (incoming.url !== '/events') return void response.end('ok')
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: first\n\n')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    folder = mkdtempSync(join(tmpdir(), 'ostiary-ends-'))
    mkdirSync(join(folder, 'policy'))
    writeFileSync(join(folder, 'token'), TOKEN)
    const signIn = { clientId: CLIENT_ID }
    const events = { issuer: transmitter.origin, audience: AUDIENCE, delivery: { push: { token: { file: 'token' } } } }
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      issuers: { idp: { kind: 'oidc', issuer: provider.origin, audiences: ['orders'], claims: { roles: 'list' }, signIn, events } },
      resources: {
        orders: {
          protocol: 'http',
          hosts: ['orders.localhost'],
          signIn: 'idp',
          upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` },
        },
      },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy))
    gateway = await startGateway({ folder, watch: false })
  })

  after(async () => {
    await gateway.stop(100)
    await provider.close()
    await transmitter.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })

  interface Sent {
    readonly method?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  }

  function send(path: string, { method = 'GET', headers = {}, body = '' }: Sent = {}): Promise<IncomingMessage> {
    const all = { host: 'orders.localhost', ...headers, ...(method === 'POST' ? { 'content-length': String(body.length) } : {}) }
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port: gateway.doors[0]!.port, path, method, headers: all, agent: false }, resolve)
        .on('error', reject)
        .end(body)
    })
  }

  const cookies = (jar: Jar): string =>
    jar
      .list()
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')

  async function visit(jar: Jar, path: string): Promise<IncomingMessage> {
    const headers = { accept: 'text/html', 'sec-fetch-mode': 'navigate' }
    const answer = await send(path, { headers: jar.list().length === 0 ? headers : { ...headers, cookie: cookies(jar) } })
    jar.take(answer.headers['set-cookie'] ?? [])
    return answer
  }

  /** A browser that has signed in. */
  async function signedIn(sub: string, sid: string): Promise<Jar> {
    provider.claims = { sub, sid, roles: ['read'] }
    const jar = new Jar()
    const begun = await visit(jar, '/')
    begun.resume()
    assert.equal(begun.statusCode, 302)
    const back = await visit(jar, `/.ostiary/callback/idp?${provider.approve(begun.headers.location!)}`)
    back.resume()
    assert.equal(back.headers.location, '/')
    return jar
  }

  async function stream(jar: Jar): Promise<{ readonly ended: Promise<void>; readonly incoming: IncomingMessage }> {
    const incoming = await send('/events', { headers: { cookie: cookies(jar) } })
    assert.equal(incoming.statusCode, 200)
    await new Promise((resolve) => incoming.once('data', resolve))
    return { incoming, ended: new Promise((resolve) => incoming.on('error', () => undefined).once('close', () => resolve())) }
  }

  async function statusOf(answer: Promise<IncomingMessage>): Promise<number> {
    const incoming = await answer
    incoming.resume()
    return incoming.statusCode ?? 0
  }

  function recorded(folderOf: string): string {
    return readdirSync(folderOf)
      .map((name) => join(folderOf, name))
      .map((path) => (statSync(path).isDirectory() ? recorded(path) : readFileSync(path, 'latin1')))
      .join('\n')
  }

  test('a logout at the provider ends the stream and the session of that browser, and of no other', async () => {
    const [jar, other] = [await signedIn('reader', 'there-1'), await signedIn('reader', 'there-2')]
    const [open, kept] = [await stream(jar), await stream(other)]
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = `logout_token=${provider.logoutToken({ sid: 'there-1' })}`
    assert.equal(await statusOf(send('/.ostiary/backchannel-logout/idp', { method: 'POST', headers, body })), 200)
    await open.ended
    assert.equal(await statusOf(send('/', { headers: { cookie: cookies(jar) } })), 401)
    assert.equal(await statusOf(send('/', { headers: { cookie: cookies(other) } })), 200)
    assert.equal(kept.incoming.closed, false)
    kept.incoming.destroy()
    assert.equal(await statusOf(send('/.ostiary/backchannel-logout/idp', { method: 'POST', headers, body })), 400, 'the same token again')
  })

  test('a security event ends the streams and sessions of its subject', async () => {
    const [jar, other] = [await signedIn('publisher', 'there-3'), await signedIn('reader', 'there-4')]
    const [open, kept] = [await stream(jar), await stream(other)]
    const headers = { 'content-type': 'application/secevent+jwt', authorization: `Bearer ${TOKEN}` }
    const sub_id = { format: 'iss_sub', iss: provider.origin, sub: 'publisher' }
    const event_timestamp = Math.floor(Date.now() / 1000) + 1
    const body = transmitter.event(`${CAEP}session-revoked`, { event_timestamp }, { sub_id })
    assert.equal(
      await statusOf(send('/.ostiary/events/idp', { method: 'POST', headers: { ...headers, authorization: 'Bearer guess' }, body })),
      401,
    )
    assert.equal(await statusOf(send('/.ostiary/events/idp', { method: 'POST', headers, body })), 202)
    await open.ended
    assert.equal(await statusOf(send('/', { headers: { cookie: cookies(jar) } })), 401)
    assert.equal(await statusOf(send('/', { headers: { cookie: cookies(other) } })), 200)
    kept.incoming.destroy()
  })

  test('each is in the record, with who said so', async () => {
    await gateway.stop(100)
    const text = recorded(join(folder, 'data', 'audit'))
    for (const event of ['back-channel-logout', 'session-revoked'])
      assert.match(text, new RegExp(`"provider-ended"[^\\n]*"${event}"|"${event}"[^\\n]*"provider-ended"`), event)
    gateway = await startGateway({ folder, watch: false })
  })
})
