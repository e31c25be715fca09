/** Eligible roles in the whole gateway: activated on the command line, held at the doors until their end, and in the record. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import { stringify } from 'yaml'
import { run } from '../../src/cli/testing.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { openSqliteActivations } from '../../src/store/sqlite-activations.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type JsonObject, type KeyFixture } from '../../src/testing/tokens.ts'

const key = testKey('activation-1', 'ES256')
const policy = {
  apiVersion: 'ostiary.dev/v1',
  roles: {
    admin: { bind: [{ issuer: 'oidc', claim: 'roles', any: ['admin'] }] },
    lead: { eligible: [{ issuer: 'oidc', claim: 'roles', any: ['on-call'] }], includes: ['reader'] },
    reader: { bind: [{ issuer: 'oidc', claim: 'roles', any: ['read'] }] },
  },
  rules: [
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
    {
      id: 'own',
      role: 'authenticated',
      resource: 'ostiary',
      actions: ['* /api/activations/own/**', 'GET /api/activations/own', 'GET /api/me'],
    },
    { id: 'ask', role: 'authenticated', resource: 'ostiary', actions: ['GET /api/can-i'] },
    { id: 'read', role: 'reader', resource: 'orders', actions: ['GET /orders', 'GET /events'] },
    { id: 'halt', role: 'lead', resource: 'orders', actions: ['POST /halt'] },
  ],
}

/** Of what the admin API answers, what is looked at. */
interface Body {
  readonly type: string
  readonly id: string
  readonly until: string
  readonly allowed: boolean
  readonly text: string
  readonly roles: readonly string[]
  readonly provenance: readonly { readonly role: string; readonly until?: number }[]
}

describe('an eligible role', () => {
  let keys: KeyFixture
  let upstream: ReturnType<typeof createServer>
  let folder: string
  let gateway: Gateway
  let lead: string
  let serial = 0
  const tokenOf = (sub: string, roles: readonly string[], more: JsonObject = {}): string =>
    signToken(
      key,
      { ...rfc9068Claims(keys.origin, 'orders', Date.now(), { sub, roles, jti: `t-${++serial}` }), ...more },
      { typ: 'at+jwt' },
    )

  before(async () => {
    keys = await keyFixture([key])
    upstream = createServer((incoming, response) => {
      response.setHeader('x-roles', String(incoming.headers['ostiary-roles'] ?? ''))
      if (incoming.url !== '/events') response.end(JSON.stringify(incoming.headers))
      else response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    folder = mkdtempSync(join(tmpdir(), 'ostiary-activation-'))
    mkdirSync(join(folder, 'policy'))
    const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      issuers: { oidc: { kind: 'oidc', issuer: keys.origin, audiences: ['orders'], agents: ['bot'] } },
      resources: { orders: { protocol: 'http', hosts: ['orders.localhost'], upstream: { url } } },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
      activations: { atMost: '2h' },
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy, { aliasDuplicateObjects: false }))
    gateway = await startGateway({ folder, watch: false })
    lead = tokenOf('lea', ['on-call'])
  })
  after(async () => {
    await gateway.stop(100)
    await keys.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })

  const open = (method: string, path: string, token: string): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const headers = { host: 'orders.localhost', authorization: `Bearer ${token}` }
      request({ host: '127.0.0.1', port: gateway.doors[0]!.port, path, method, headers, agent: false }, resolve).on('error', reject).end()
    })
  const statusOf = async (method: string, path: string, token: string): Promise<number> => {
    const answer = await open(method, path, token)
    answer.resume()
    return answer.statusCode!
  }
  /** The limit of the test ends what never comes. */
  const until = async (wanted: number, token: string): Promise<void> => {
    while ((await statusOf('POST', '/halt', token)) !== wanted) await wait(20)
  }
  const api = async (
    method: string,
    path: string,
    token: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: Body }> => {
    const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
    const answer = await fetch(`${gateway.admin.url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: (await answer.json()) as Body }
  }
  const activate = (token: string, role = 'lead', body: object = { for: '1h', reason: 'incident 7' }) =>
    api('POST', `/api/activations/own/${role}`, token, body)

  async function cli(token: string, ...args: readonly string[]): ReturnType<typeof run> {
    process.env['OSTIARY_TOKEN'] = token
    try {
      return await run(...args, '--admin', gateway.admin.url)
    } finally {
      delete process.env['OSTIARY_TOKEN']
    }
  }

  test('gives nothing until it is activated, and then what the policy says, on the command line', async () => {
    assert.equal(await statusOf('POST', '/halt', lead), 403)
    assert.match((await cli(lead, 'activations', 'list')).out, /^you may activate: lead\nnone is active$/m)
    const { exit, out } = await cli(lead, 'activate', 'lead', '--for', '30m', '--reason', 'incident 7')
    assert.equal(exit, 0)
    assert.match(out, /^role lead is active until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\nto end it before: ostiary activations end \S+\n$/)
    assert.match((await cli(lead, 'whoami')).out, /^ {2}lead +active until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/m)
    assert.equal(await statusOf('POST', '/halt', lead), 200)
    assert.equal(await statusOf('GET', '/orders', lead), 200, 'and what it includes')
    assert.equal(await statusOf('POST', '/halt', tokenOf('lea', [])), 403, 'with a token that does not make them eligible')
    assert.equal(await statusOf('POST', '/halt', tokenOf('another', ['on-call'])), 403, 'nor for anybody else')
    const { out: all } = await cli(tokenOf('operator', ['admin']), 'activations', 'list', '--all')
    assert.match(all, /lead +oidc +lea .* incident 7$/m)
    const id = /activations end (\S+)/.exec(out)![1]!
    assert.deepEqual(await cli(tokenOf('another', ['on-call']), 'activations', 'end', id).then(({ exit: code }) => code), 1)
    assert.equal(await statusOf('POST', '/halt', lead), 200, 'it is not theirs to end')
    assert.equal((await cli(lead, 'activations', 'end', id)).exit, 0)
    assert.equal(await statusOf('POST', '/halt', lead), 403)
    assert.equal((await cli(lead, 'activations', 'end', id)).exit, 1)
  })

  test('is what the upstream, the gateway and the record are told', async () => {
    const { body: activation } = await activate(lead)
    const answer = await open('POST', '/halt', lead)
    const decision = String(answer.headers['ostiary-decision'])
    const seen = JSON.parse(await text(answer)) as Record<string, string>
    assert.deepEqual(JSON.parse(seen['ostiary-roles']!), ['authenticated', 'everyone', 'lead', 'reader'])
    const me = await api('GET', '/api/me', lead)
    assert.deepEqual(me.body.roles, ['authenticated', 'everyone', 'lead', 'reader'])
    assert.equal(me.body.provenance.find(({ role }) => role === 'lead')?.until, Date.parse(activation.until))
    const can = await api('GET', '/api/can-i?action=POST%20/halt&resource=orders', lead)
    assert.equal(can.body.allowed, true)
    assert.match(can.body.text, /lead/)
    const admin = tokenOf('operator', ['admin'])
    const before = await api('GET', `/api/decisions/${decision}`, admin)
    assert.match(before.body.text, /halt/)
    await api('DELETE', `/api/activations/own/${activation.id}`, lead)
    const told = await api('GET', `/api/decisions/${decision}`, admin)
    assert.equal(told.status, 200)
    assert.equal(told.body.text, before.body.text, 'also once it is over')
    assert.match(told.body.text, /allow/)
    const found = await fetch(`${gateway.admin.url}/api/audit/search?limit=200`, { headers: { authorization: `Bearer ${admin}` } })
    const lines = (await found.text()).split('\n').filter((line) => line.includes(activation.id))
    assert.ok(lines.some((line) => line.includes('role-activated') && line.includes('incident 7')))
    assert.ok(lines.some((line) => line.includes('activation-ended')))
  })

  test('is for who may have it, for as long as is allowed, with a reason', async () => {
    const refused = async (...all: Parameters<typeof activate>): Promise<readonly [number, string]> => {
      const { status, body } = await activate(...all)
      return [status, body.type.replace('urn:ostiary:', '')]
    }
    assert.deepEqual(await refused(tokenOf('reader', ['read'])), [403, 'identity/not-eligible'])
    assert.deepEqual(await refused(lead, 'admin'), [403, 'identity/not-eligible'])
    assert.deepEqual(await refused(lead, 'reader'), [403, 'identity/not-eligible'], 'nor by its parts')
    assert.deepEqual(await refused(lead, 'nothing'), [403, 'identity/not-eligible'])
    assert.deepEqual(
      await refused(tokenOf('lea', ['on-call'], { azp: 'bot', client_id: 'bot' })),
      [403, 'identity/not-eligible'],
      'nor by an agent',
    )
    assert.deepEqual(await refused(lead, 'lead', { for: '121m', reason: 'x' }), [400, 'identity/activation-too-long'])
    for (const body of [
      { for: '1h' },
      { reason: 'x' },
      { for: '0s', reason: 'x' },
      { for: '1h', reason: ' ' },
      { for: '1h', reason: 'x', role: 'admin' },
    ])
      assert.deepEqual(await refused(lead, 'lead', body), [400, 'server/bad-request'], JSON.stringify(body))
    assert.equal((await api('GET', '/api/activations', lead)).status, 403, 'whose are active is for whoever may know')
    assert.equal(await statusOf('POST', '/halt', lead), 403)
  })

  test('ends by itself, and what is open by it with it', async () => {
    const admin = tokenOf('operator', ['admin'])
    const { body } = await activate(lead, 'lead', { for: '2s', reason: 'a moment' })
    const told = JSON.parse(await text(await open('POST', '/halt', lead))) as Record<string, string>
    const { exp, roles } = decodeJwt(told['ostiary-assertion']!)
    assert.ok((roles as readonly string[]).includes('lead'))
    assert.ok(exp! * 1000 <= Date.parse(body.until), 'what upstreams are told of it ends with it')
    const stream = await open('GET', '/events', lead)
    assert.equal(stream.statusCode, 200)
    await assert.rejects(text(stream), 'it is cut')
    assert.ok(Date.now() >= Date.parse(body.until))
    assert.equal(await statusOf('POST', '/halt', lead), 403)
    const next = await activate(lead)
    const open2 = await open('GET', '/events', lead)
    await api('DELETE', `/api/activations/${next.body.id}`, admin)
    await assert.rejects(text(open2), 'also where somebody else ends it')
  })

  test('is active where another process activated it, and in none that can not read whether it is', async () => {
    const file = join(folder, 'data/activations.db')
    const other = openSqliteActivations(file)
    const database = new DatabaseSync(file)
    try {
      const now = Date.now()
      const activation = {
        issuer: 'oidc',
        subject: 'lea',
        role: 'lead',
        from: now,
        until: now + 3_600_000,
        reason: 'x',
        display: undefined,
      }
      await other.add({ id: 'elsewhere', createdAt: now, ...activation }, 10, now)
      await until(200, lead)
      database.exec('ALTER TABLE activations RENAME TO elsewhere')
      await until(403, lead)
      assert.equal((await activate(lead)).status, 503)
      assert.match(await (await fetch(`${gateway.admin.url}/readyz`)).text(), /"activations":\{"ready":false\}/)
      database.exec('ALTER TABLE elsewhere RENAME TO activations')
      await until(200, lead)
      await other.remove('elsewhere')
      await until(403, lead)
    } finally {
      database.close()
      await other.close()
    }
  })

  test('outlasts a restart', async () => {
    const { body } = await activate(lead)
    await gateway.stop(0)
    gateway = await startGateway({ folder, watch: false })
    assert.equal(await statusOf('POST', '/halt', lead), 200)
    await api('DELETE', `/api/activations/own/${body.id}`, lead)
  })
})
