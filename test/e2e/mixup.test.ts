/** Two providers that people sign in with, neither of which names itself in its answers, in the whole gateway (RFC 9700 §4.4). */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { CLIENT_ID, Jar, providerStandIn, type ProviderStandIn } from '../../src/identity/session/testdata/standin.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'

const policy = {
  apiVersion: 'ostiary.dev/v1',
  roles: { admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] } },
  rules: [
    { id: 'read', role: 'authenticated', resource: ['orders', 'plans'], actions: ['GET /'] },
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
  ],
}

let honest: ProviderStandIn
let attacker: ProviderStandIn
let upstream: ReturnType<typeof createServer>
let folder: string
let gateway: Gateway

describe('a mix-up of issuers', () => {
  before(async () => {
    honest = await providerStandIn(() => Date.now())
    attacker = await providerStandIn(() => Date.now())
    upstream = createServer((_, response) => void response.end('ok'))
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    folder = mkdtempSync(join(tmpdir(), 'ostiary-mixup-'))
    mkdirSync(join(folder, 'policy'))
    const issuer = (at: ProviderStandIn) => ({ kind: 'oidc', issuer: at.origin, audiences: ['orders'], signIn: { clientId: CLIENT_ID } })
    const resource = (name: string, signIn: string) => ({
      protocol: 'http',
      hosts: [`${name}.localhost`],
      signIn,
      upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` },
    })
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      issuers: { honest: issuer(honest), attacker: issuer(attacker) },
      resources: { orders: resource('orders', 'honest'), plans: resource('plans', 'attacker') },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy))
    gateway = await startGateway({ folder, watch: false, log: () => undefined })
  })

  after(async () => {
    await gateway.stop(100)
    await honest.close()
    await attacker.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })

  async function visit(jar: Jar, name: string, path: string): Promise<IncomingMessage> {
    const cookie = jar.list().map((one) => `${one.name}=${one.value}`)
    const headers = { host: `${name}.localhost`, accept: 'text/html', 'sec-fetch-mode': 'navigate', cookie: cookie.join('; ') }
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ host: '127.0.0.1', port: gateway.doors[0]!.port, path, headers, agent: false }, resolve).on('error', reject).end()
    })
    answer.resume()
    jar.take(answer.headers['set-cookie'] ?? [])
    return answer
  }

  function recorded(within: string): string {
    return readdirSync(within)
      .map((name) => join(within, name))
      .map((path) => (statSync(path).isDirectory() ? recorded(path) : readFileSync(path, 'latin1')))
      .join('\n')
  }

  /** With whom it was begun, at whose callback it is answered, and where. */
  const MIXED = [
    ['honest', 'attacker', 'orders'],
    ['attacker', 'honest', 'plans'],
  ] as const

  for (const [one, other, at] of MIXED)
    test(`an answer at the callback of another issuer is refused, recorded and the end of the attempt: ${one}’s at ${other}’s`, async () => {
      const provider = one === 'honest' ? honest : attacker
      const jar = new Jar()
      const begun = await visit(jar, at, '/')
      const query = provider.approve(begun.headers.location!)
      const kept = new Map(jar.cookies)
      const elsewhere = at === 'orders' ? 'plans' : 'orders'
      for (const host of [at, elsewhere]) {
        for (const [name, value] of kept) jar.cookies.set(name, value) // a browser on localhost may show them to either
        assert.equal((await visit(jar, host, `/.ostiary/callback/${other}?${query}`)).statusCode, 403, host)
      }
      for (const [name, value] of kept) jar.cookies.set(name, value)
      assert.equal((await visit(jar, at, `/.ostiary/callback?${query}`)).statusCode, 404, 'the callback of nobody')
      assert.equal((await visit(jar, at, `/.ostiary/callback/${one}?${query}`)).statusCode, 403, 'where it belongs, but too late')
      assert.deepEqual([honest.tokenCalls.length, attacker.tokenCalls.length], [0, 0])
    })

  test('each signs people in at its own', async () => {
    for (const [name, provider, host] of [
      ['honest', honest, 'orders'],
      ['attacker', attacker, 'plans'],
    ] as const) {
      const jar = new Jar()
      const begun = await visit(jar, host, '/')
      const asked = provider.asked(begun.headers.location!)
      assert.equal(new URL(asked.redirectUri).pathname, `/.ostiary/callback/${name}`)
      const back = await visit(jar, host, `/.ostiary/callback/${name}?${provider.approve(begun.headers.location!)}`)
      assert.deepEqual([back.statusCode, back.headers.location], [302, '/'])
      assert.equal((await visit(jar, host, '/')).statusCode, 200)
    }
  })

  test('each mix-up is in the record once, with both names', async () => {
    await gateway.stop(100)
    const lines = recorded(join(folder, 'data', 'audit'))
      .split('\n')
      .filter((line) => line.includes('"sign-in-refused"'))
    assert.equal(lines.length, 2)
    for (const [one, other, at] of MIXED) {
      const line = lines.find((text) => text.includes(`"issuer":"${one}"`)) ?? ''
      for (const part of ['"reason":"mixed-up"', `"callback":"${other}"`, `"resource":"${at}"`]) assert.ok(line.includes(part), line)
    }
    gateway = await startGateway({ folder, watch: false, log: () => undefined })
  })
})
