/** The whole gateway, in process, from a configuration folder: what an operator does with it, and what must hold when things go wrong. */
import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { verifyDataDirectory } from '../../src/audit/index.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { entraClaims, keyFixture, signToken, testKey, TENANT, API, type JsonObject, type KeyFixture } from '../../src/testing/tokens.ts'

const key = testKey('e2e-1')
let keys: KeyFixture
let upstream: ReturnType<typeof createServer>
let folder: string
let gateway: Gateway
const lines: string[] = []

const policy = {
  apiVersion: 'ostiary.dev/v1',
  roles: {
    reader: { bind: [{ issuer: 'entra', claim: 'roles', any: ['Orders.Read'] }] },
    admin: {
      bind: [
        { issuer: 'entra', claim: 'roles', any: ['Gateway.Admin'] },
        { issuer: 'ostiary', claim: 'via', any: ['one-time-link'] },
      ],
    },
  },
  rules: [
    { id: 'read', role: 'reader', resource: 'orders', actions: ['GET /orders', 'GET /orders/{id}', 'GET /slow'] },
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
  ],
}

function write(rules: unknown = policy): void {
  const text = stringify(rules, { aliasDuplicateObjects: false })
  writeFileSync(join(folder, 'policy/policy.yaml'), text)
}

function tokenOf(roles: readonly string[], more: JsonObject = {}): string {
  return signToken(key, entraClaims.v2User(keys.origin, Date.now(), { roles, ...more }))
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}

function ask(
  port: number,
  host: string,
  path: string,
  options: { method?: string; token?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { host, ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }), ...options.headers }
    const outgoing = request({ host: '127.0.0.1', port, path, method: options.method ?? 'GET', headers, agent: false }, (incoming) => {
      let body = ''
      incoming.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }))
      incoming.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

const door = (path: string, options: Parameters<typeof ask>[3] = {}): Promise<Answer> =>
  ask(gateway.doors[0]!.port, 'orders.localhost', path, options)
const admin = (path: string, options: Parameters<typeof ask>[3] = {}): Promise<Answer> => {
  const { port, host } = new URL(gateway.admin.url)
  return ask(Number(port), options.headers?.['host'] ?? host, path, options)
}

function start(): Promise<Gateway> {
  return startGateway({ folder, watch: false, log: (line) => lines.push(line) })
}

describe('a gateway', () => {
  before(async () => {
    keys = await keyFixture([key])
    upstream = createServer((incoming, response) => {
      if (incoming.url === '/slow') {
        response.write('first\n')
        return
      }
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({
          path: incoming.url,
          subject: incoming.headers['ostiary-subject'],
          authorization: incoming.headers.authorization ?? null,
        }),
      )
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    folder = mkdtempSync(join(tmpdir(), 'ostiary-e2e-'))
    mkdirSync(join(folder, 'policy'))
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      name: 'e2e',
      issuers: { entra: { kind: 'entra', authority: keys.origin, tenants: [TENANT], audiences: [API], signIn: { clientId: 'gateway' } } },
      resources: {
        orders: {
          protocol: 'http',
          hosts: ['orders.localhost'],
          record: 'strict',
          upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` },
        },
      },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
      audit: { anchors: [{ file: 'anchor/checkpoints' }] },
    }
    mkdirSync(join(folder, 'anchor'))
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    write()
    gateway = await start()
  })

  after(async () => {
    await gateway.stop(100)
    await keys.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })

  test('a request is let through with the identity, and never with the caller’s token', async () => {
    const { status, body, headers } = await door('/orders/7', { token: tokenOf(['Orders.Read']) })
    assert.equal(status, 200, body)
    const { path, subject, authorization } = JSON.parse(body) as { path: string; subject: string; authorization: null }
    assert.deepEqual([path, authorization], ['/orders/7', null])
    assert.match(subject, /690222be/)
    assert.match(String(headers['ostiary-decision']), /^[0-9a-z]{22}$/)
  })

  test('a denial explains itself: to the caller in short, to the admin in full', async () => {
    const denied = await door('/orders/7', { method: 'DELETE', token: tokenOf(['Orders.Read']) })
    assert.equal(denied.status, 403)
    const { decision } = JSON.parse(denied.body) as { decision: string }
    assert.equal(decision, denied.headers['ostiary-decision'])
    const explained = await admin(`/api/decisions/${decision}`, { token: tokenOf(['Gateway.Admin']) })
    assert.equal(explained.status, 200, explained.body)
    const { text, explanation } = JSON.parse(explained.body) as {
      text: string
      explanation: { effect: string; parties: { roles: { role: string; claim?: string }[] }[] }
    }
    assert.equal(explanation.effect, 'deny')
    assert.match(text, /deny {2}DELETE \/orders\/7 {2}on orders/)
    assert.match(text, /reader: held, by claim `roles` with `Orders\.Read`/)
    assert.equal((await admin('/api/decisions/0000000000000000000000', { token: tokenOf(['Gateway.Admin']) })).status, 404)
  })

  test('the gateway guards itself by the same policy', async () => {
    assert.equal((await admin('/api/status')).status, 401)
    assert.equal((await admin('/api/status', { token: tokenOf(['Orders.Read']) })).status, 403)
    assert.equal((await admin('/api/status', { token: tokenOf(['Gateway.Admin']) })).status, 200)
    assert.equal((await admin('/metrics')).status, 401)
    const metrics = await admin('/metrics', { token: tokenOf(['Gateway.Admin']) })
    assert.match(metrics.body, /ostiary_http_requests_total\{verdict="allowed"\} \d+/)
    assert.equal((await admin('/api/status', { token: tokenOf(['Gateway.Admin']), headers: { host: 'rebound.example.com' } })).status, 421)
    const forged = await admin('/api/policy/reload', {
      method: 'POST',
      token: tokenOf(['Gateway.Admin']),
      headers: { origin: 'https://elsewhere.example' },
    })
    assert.equal(forged.status, 403)
    const read = await admin('/api/audit/search?resource=ostiary&limit=50', { token: tokenOf(['Gateway.Admin']) })
    assert.match(read.body, /"path":"\/api\/status"/)
  })

  test('health needs no sign-in and tells nothing', async () => {
    assert.equal((await admin('/livez')).status, 200)
    const ready = await admin('/readyz')
    assert.equal(ready.status, 200, ready.body)
    const stores = { revocations: { ready: true }, activations: { ready: true } }
    assert.deepEqual(JSON.parse(ready.body), { status: 'ready', issuers: [{ name: 'entra', ready: true }], ...stores })
  })

  test('the one-time link works once', async () => {
    const link = new URL(gateway.admin.link!)
    const entered = await admin(link.pathname + link.search)
    assert.equal(entered.status, 303, entered.body)
    const cookie = String(entered.headers['set-cookie']).split(';')[0]!
    const me = await admin('/api/me', { headers: { cookie } })
    assert.equal(me.status, 200, me.body)
    assert.equal((JSON.parse(me.body) as { kind: string; roles: string[] }).roles.includes('admin'), true)
    assert.equal((await admin(link.pathname + link.search)).status, 403)
    assert.equal(
      (await admin('/api/me', { headers: { cookie: 'ostiary-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' } })).status,
      401,
    )
  })

  test('a change of the policy takes effect without a restart, and ends what it no longer allows', async () => {
    const token = tokenOf(['Orders.Read'])
    const stream = new Promise<string>((resolve) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: gateway.doors[0]!.port,
          path: '/slow',
          headers: { host: 'orders.localhost', authorization: `Bearer ${token}` },
          agent: false,
        },
        (incoming) => {
          incoming.on('data', () => {
            write({ ...policy, rules: policy.rules.slice(1) })
            void gateway.reload()
          })
          incoming.on('error', () => resolve('ended'))
          incoming.on('end', () => resolve(incoming.complete ? 'complete' : 'ended'))
        },
      )
      outgoing.on('error', () => resolve('ended'))
      outgoing.end()
    })
    assert.equal(await stream, 'ended')
    assert.equal((await door('/orders', { token })).status, 403)
    write()
    assert.equal((await gateway.reload()).accepted, true)
    assert.equal((await door('/orders', { token })).status, 200)
  })

  test('a bad version is refused whole, the last good one stays, also across a restart', async () => {
    const token = tokenOf(['Orders.Read'])
    const version = gateway.policyVersion
    for (const broken of [
      'apiVersion: ostiary.dev/v1\nrules: [',
      'rules: []',
      stringify({ ...policy, rules: [{ ...policy.rules[0], role: 'raeder' }] }),
    ]) {
      writeFileSync(join(folder, 'policy/policy.yaml'), broken)
      assert.equal((await gateway.reload()).accepted, false)
      assert.equal(gateway.policyVersion, version)
      assert.equal((await door('/orders', { token })).status, 200)
    }
    const shown = await admin('/api/policy', { token: tokenOf(['Gateway.Admin']) })
    assert.match(shown.body, /did you mean `reader`/)
    await gateway.stop(100)
    gateway = await start()
    assert.equal(gateway.policyVersion, version)
    assert.equal((await door('/orders', { token })).status, 200)
    assert.ok(lines.some((line) => line.includes('last good version')))
    write()
    assert.equal((await gateway.reload()).accepted, true)
  })

  test('known keys keep working while the provider is down, a lying provider changes nothing', async () => {
    keys.override = () => ({ status: 500, body: '<html>' })
    assert.equal((await door('/orders', { token: tokenOf(['Orders.Read'], { uti: 'while-down' }) })).status, 200)
    const stranger = testKey('stranger')
    const answer = await door('/orders', { token: signToken(stranger, entraClaims.v2User(keys.origin, Date.now())) })
    assert.ok([401, 503].includes(answer.status), String(answer.status))
    keys.override = undefined
  })

  test('nothing that was kept or printed holds a token', async () => {
    const token = tokenOf(['Orders.Read'], { uti: 'canary' })
    await door('/orders', { token })
    await door('/orders', { token: `${token}x` })
    await gateway.stop(100)
    const signature = token.split('.')[2]!
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    for (const entry of files) assert.ok(!readFileSync(join(entry.parentPath, entry.name), 'latin1').includes(signature), entry.name)
    for (const entry of files.filter(({ parentPath }) => parentPath.includes('data')))
      assert.equal(statSync(join(entry.parentPath, entry.name)).mode & 0o077, 0, `${entry.name} is for its owner alone`)
    assert.ok(!lines.join('\n').includes(signature))
    gateway = await start()
  })

  test('the record proves itself whole, and names what was altered', async () => {
    await gateway.stop(100)
    const dir = join(folder, 'data')
    const whole = await verifyDataDirectory(dir, { anchors: [join(folder, 'anchor/checkpoints')] })
    assert.equal(whole.ok, true, whole.text)
    const [segment] = readdirSync(join(dir, 'audit')).filter((name) => name.endsWith('.jsonl'))
    const file = join(dir, 'audit', segment!)
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('"verdict":"denied"', '"verdict":"allowed"'))
    const altered = await verifyDataDirectory(dir, { anchors: [] })
    assert.equal(altered.ok, false)
    assert.match(altered.text, /altered/)
    writeFileSync(file, text.split('\n').slice(0, -4).join('\n'))
    appendFileSync(file, '\n')
    const cut = await verifyDataDirectory(dir, { anchors: [join(folder, 'anchor/checkpoints')] })
    assert.equal(cut.ok, false, cut.text)
    writeFileSync(file, text)
    gateway = await start()
  })
})
