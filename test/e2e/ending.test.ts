/** Ending access in the whole gateway: a stolen laptop, from the command line and the admin API to the doors, streams and the record. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { run } from '../../src/cli/testing.ts'
import { OstiaryError } from '../../src/core/errors.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type JsonObject, type KeyFixture } from '../../src/testing/tokens.ts'

const key = testKey('ending-1', 'ES256')
let keys: KeyFixture
let upstream: ReturnType<typeof createServer>
let folder: string
let gateway: Gateway

const policy = {
  apiVersion: 'ostiary.dev/v1',
  roles: {
    reader: { bind: [{ issuer: 'oidc', claim: 'roles', any: ['read'] }] },
    admin: {
      bind: [
        { issuer: 'oidc', claim: 'roles', any: ['admin'] },
        { issuer: 'ostiary', claim: 'via', any: ['one-time-link'] },
      ],
    },
    auditor: { bind: [{ issuer: 'oidc', claim: 'roles', any: ['audit'] }] },
  },
  rules: [
    { id: 'read', role: 'reader', resource: 'orders', actions: ['GET /**'] },
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
    { id: 'audit', role: 'auditor', resource: 'ostiary', actions: ['GET /**'] },
  ],
}

let serial = 0
function tokenOf(subject: string, roles: readonly string[], more: JsonObject = {}): string {
  const claims = { ...rfc9068Claims(keys.origin, 'orders', Date.now(), { sub: subject, roles, jti: `t-${++serial}` }), ...more }
  return signToken(key, claims, { typ: 'at+jwt' })
}

interface Answer {
  readonly status: number
  readonly body: string
}
interface Options {
  readonly method?: string
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

function send(port: number, host: string, path: string, { method = 'GET', token, headers = {}, body }: Options): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const all = { host, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers }
    request({ host: '127.0.0.1', port, path, method, headers: all, agent: false }, resolve).on('error', reject).end(body)
  })
}

async function read(incoming: IncomingMessage): Promise<Answer> {
  let body = ''
  for await (const chunk of incoming.setEncoding('utf8')) body += String(chunk)
  return { status: incoming.statusCode ?? 0, body }
}

const door = async (path: string, token: string): Promise<Answer> =>
  read(await send(gateway.doors[0]!.port, 'orders.localhost', path, { token }))
const admin = async (path: string, options: Options = {}): Promise<Answer> => {
  const { port, host } = new URL(gateway.admin.url)
  return read(await send(Number(port), host, path, options))
}
const json = { 'content-type': 'application/json' }
let operator: string
const revoke = (body: object, options: Options = {}): Promise<Answer> =>
  admin('/api/revocations', { method: 'POST', token: operator, headers: json, body: JSON.stringify(body), ...options })
const refusalOf = ({ body }: Answer): string => String((JSON.parse(body) as { title?: string; detail?: string }).detail)
const start = (): Promise<Gateway> => startGateway({ folder, watch: false })

describe('what ends access', () => {
  before(async () => {
    keys = await keyFixture([key])
    upstream = createServer((incoming, response) => {
      if (incoming.url === '/events') {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: first\n\n')
      } else response.end('ok')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    folder = mkdtempSync(join(tmpdir(), 'ostiary-ending-'))
    mkdirSync(join(folder, 'policy'))
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      name: 'ending',
      issuers: { oidc: { kind: 'oidc', issuer: keys.origin, audiences: ['orders'] } },
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
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy, { aliasDuplicateObjects: false }))
    gateway = await start()
    operator = tokenOf('operator', ['admin'], { client_id: 'operations' })
  })

  after(async () => {
    await gateway.stop(100)
    await keys.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })

  /** Runs the command line as the operator. */
  async function cli(...args: readonly string[]): ReturnType<typeof run> {
    process.env['OSTIARY_TOKEN'] = operator
    try {
      return await run(...args, '--admin', gateway.admin.url)
    } finally {
      delete process.env['OSTIARY_TOKEN']
    }
  }

  /** Events of the record, by kind. */
  async function events(
    kind: string,
  ): Promise<readonly { readonly details: Readonly<Record<string, string>>; readonly principal?: { readonly subject: string } }[]> {
    const { body } = await admin('/api/audit/search?limit=500', { token: operator })
    return body
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { record: { kind: string; event?: string; details: Record<string, string> } }).record)
      .filter((record) => record.kind === 'event' && record.event === kind)
  }

  async function stream(token: string): Promise<{ readonly incoming: IncomingMessage; readonly ended: Promise<void> }> {
    const incoming = await send(gateway.doors[0]!.port, 'orders.localhost', '/events', { token })
    assert.equal(incoming.statusCode, 200)
    await new Promise((resolve) => incoming.once('data', resolve))
    return { incoming, ended: new Promise((resolve) => incoming.once('close', () => resolve())) }
  }

  describe('a subject that is shut out', () => {
    test('loses its open stream, its token and every later one, also after a restart, until that is lifted', async () => {
      const token = tokenOf('laptop', ['read'])
      const other = await stream(tokenOf('colleague', ['read']))
      const open = await stream(token)
      const answer = await revoke({ kind: 'subject', issuer: 'oidc', subject: 'laptop', reason: 'stolen laptop' })
      assert.equal(answer.status, 201, answer.body)
      const { id, until, by } = JSON.parse(answer.body) as { id: string; until?: string; by: string }
      assert.deepEqual([until, by], [undefined, 'oidc/operator'])
      await open.ended
      assert.equal(other.incoming.closed, false, 'nobody else’s stream')
      for (const presented of [token, tokenOf('laptop', ['read'])]) {
        const refused = await door('/orders', presented)
        assert.equal(refused.status, 401)
        assert.equal(refusalOf(refused), 'access was revoked')
      }
      other.incoming.destroy()
      await gateway.stop(100)
      gateway = await start()
      assert.equal(refusalOf(await door('/orders', token)), 'access was revoked')
      assert.equal((await door('/orders', tokenOf('colleague', ['read']))).status, 200)

      const lifted = await admin(`/api/revocations/${id}`, { method: 'DELETE', token: operator })
      assert.equal(lifted.status, 200, lifted.body)
      assert.equal((await door('/orders', token)).status, 200)
      assert.equal((await admin(`/api/revocations/${id}`, { method: 'DELETE', token: operator })).status, 404)

      const [recorded] = await events('revoked')
      assert.deepEqual(
        [recorded?.details['target'], recorded?.details['subject'], recorded?.details['reason'], recorded?.principal?.subject],
        ['subject', 'laptop', 'stolen laptop', 'operator'],
      )
      assert.equal((await events('revocation-lifted'))[0]?.details['revocation'], id)
      const rejected = await admin('/api/audit/search?verdict=rejected&limit=10', { token: operator })
      assert.match(rejected.body, /"reason":"revoked"/)
    })
  })

  describe('what is asked for wrongly', () => {
    const wrong: readonly (readonly [string, object | string, number, RegExp])[] = [
      ['no reason', { kind: 'subject', issuer: 'oidc', subject: 'a' }, 400, /reason/],
      ['a reason of blanks', { kind: 'subject', issuer: 'oidc', subject: 'a', reason: '  ' }, 400, /reason/],
      ['a reason of 257 characters', { kind: 'subject', issuer: 'oidc', subject: 'a', reason: 'x'.repeat(257) }, 400, /reason/],
      ['a reason of two lines', { kind: 'subject', issuer: 'oidc', subject: 'a', reason: 'a\nb' }, 400, /reason/],
      ['an issuer that is not there', { kind: 'subject', issuer: 'okta', subject: 'a', reason: 'x' }, 400, /no issuer/],
      [
        'something unknown beside',
        { kind: 'subject', issuer: 'oidc', subject: 'a', reason: 'x', forever: true },
        400,
        /revocations of docs/,
      ],
      ['another kind', { kind: 'everything', reason: 'x' }, 400, /`kind`/],
      ['a session that is not there', { kind: 'session', session: 'nope', reason: 'x' }, 404, /no session/],
      ['an instant to come', { kind: 'issued-before', issuer: 'oidc', before: '2999-01-01T00:00:00Z', reason: 'x' }, 400, /future/],
      ['an instant that is none', { kind: 'issued-before', issuer: 'oidc', before: 'yesterday', reason: 'x' }, 400, /`before`/],
      ['shutting oneself out', { kind: 'subject', issuer: 'oidc', subject: 'operator', reason: 'x' }, 409, /shut out/],
      ['shutting out one’s own client', { kind: 'client', issuer: 'oidc', client: 'operations', reason: 'x' }, 409, /shut out/],
      ['no JSON', '{"kind":', 400, /not JSON/],
      ['too much', ' '.repeat(5_000), 400, /longer/],
    ]
    for (const [what, body, status, told] of wrong) {
      test(`${what} is refused, and nothing is revoked`, async () => {
        const before = (await admin('/api/revocations', { token: operator })).body
        const answer = await revoke({}, { body: typeof body === 'string' ? body : JSON.stringify(body) })
        assert.equal(answer.status, status, answer.body)
        assert.match((JSON.parse(answer.body) as { title: string }).title, told)
        assert.equal((await admin('/api/revocations', { token: operator })).body, before)
      })
    }

    test('another site, a form, and somebody without the right revoke nothing', async () => {
      const body = { kind: 'subject', issuer: 'oidc', subject: 'victim', reason: 'x' }
      assert.equal((await revoke(body, { headers: { ...json, origin: 'https://evil.example' } })).status, 403)
      assert.equal((await revoke(body, { headers: { 'content-type': 'text/plain' } })).status, 400)
      const auditor = tokenOf('auditor', ['audit'])
      assert.equal((await revoke(body, { token: auditor })).status, 403)
      assert.equal((await admin('/api/sessions/x', { method: 'DELETE', token: auditor })).status, 403)
      assert.equal((await admin('/api/sessions', { token: auditor })).status, 200)
      assert.equal((await admin('/api/revocations', { token: auditor })).body.includes('victim'), false)
      for (const query of ['who=x', 'limit=0', 'limit=1001', 'after=x', 'after=1.%27'])
        assert.equal((await admin(`/api/sessions?${query}`, { token: auditor })).status, 400, query)
    })
  })

  describe('the command line', () => {
    test('ends everything issued before now; what is issued later is good', async () => {
      const old = tokenOf('reader', ['read'], { iat: Math.floor(Date.now() / 1000) - 60 })
      assert.equal((await door('/orders', old)).status, 200)
      const before = new Date(Date.now() - 30_000).toISOString()
      const { exit, out } = await cli('revoke', 'issued-before', 'oidc', before, '--subject', 'reader', '--reason', 'phished')
      assert.equal(exit, 0, out)
      assert.match(out, /^revoked: issued-before oidc reader .*; kept until /)
      assert.equal(refusalOf(await door('/orders', old)), 'access was revoked')
      assert.equal((await door('/orders', tokenOf('reader', ['read']))).status, 200)
    })

    test('ends a token, a client, and lists and lifts', async () => {
      const one = tokenOf('reader', ['read'], { jti: 'leaked', client_id: 'cli' })
      const { out } = await cli('revoke', 'token', 'oidc', 'leaked', '--reason', 'in a log', '--json')
      const { id, target, until } = JSON.parse(out) as { id: string; target: object; until: string }
      assert.deepEqual(target, { kind: 'token', issuer: 'oidc', token: 'leaked' })
      assert.ok(Date.parse(until) > Date.now() + 12 * 3_600_000)
      assert.equal(refusalOf(await door('/orders', one)), 'access was revoked')
      assert.match((await cli('revocations', 'list')).out, new RegExp(`${id} +token oidc leaked +.* in a log`))
      assert.equal((await cli('revocations', 'lift', id)).exit, 0)
      assert.equal((await door('/orders', one)).status, 200)
      const again = await cli('revocations', 'lift', id)
      assert.equal(again.exit, 1)
      assert.match(again.err, /there is no revocation/)
      const client = await cli('revoke', 'client', 'oidc', 'cli', '--for', '8h', '--reason', 'compromised', '--json')
      assert.ok(Date.parse((JSON.parse(client.out) as { until: string }).until) > Date.now() + 7 * 3_600_000)
      assert.equal(refusalOf(await door('/orders', one)), 'access was revoked')
    })

    test('says what is wrong, with an exit code for it', async () => {
      assert.equal((await cli('revoke', 'subject', 'oidc', 'reader')).exit, 2, 'without a reason')
      const unknown = await cli('revoke', 'subject', 'okta', 'reader', '--reason', 'x')
      assert.equal(unknown.exit, 2)
      assert.match(unknown.err, /there is no issuer of that name/)
      const own = await cli('revoke', 'subject', 'oidc', 'operator', '--reason', 'x')
      assert.equal(own.exit, 65)
      assert.equal((await cli('sessions', 'end', 'nope')).exit, 1)
    })

    test('lists sessions and ends one, with what it has open', async () => {
      const link = new URL(gateway.admin.link!)
      const { port, host } = link
      const entered = await send(Number(port), host, link.pathname + link.search, {})
      const cookie = String(entered.headers['set-cookie']).split(';')[0]!
      await read(entered)
      const me = (): Promise<Answer> => admin('/api/me', { headers: { cookie } })
      assert.equal((await me()).status, 200)
      const tail = await send(Number(port), host, '/api/audit/tail?follow=true', { headers: { cookie } })
      assert.equal(tail.statusCode, 200)
      const ended = new Promise<void>((resolve) =>
        tail
          .once('close', () => resolve())
          .on('error', () => undefined)
          .resume(),
      )

      const listed = await cli('sessions', 'list', '--issuer', 'ostiary', '--json')
      const [session, ...more] = JSON.parse(listed.out) as { id: string; subject: string; own: boolean }[]
      assert.deepEqual([session?.subject, session?.own, more], ['terminal', false, []])
      assert.ok(!listed.out.includes(cookie.split('=')[1]!))
      assert.match((await cli('sessions', 'list')).out, new RegExp(`^id .*\\n${session!.id} .*one-time link`))
      const { exit, err } = await cli('sessions', 'end', session!.id)
      assert.equal(exit, 0, err)
      await ended
      assert.equal((await me()).status, 401)
      assert.match((await cli('sessions', 'list')).out, /no session/)
      const [recorded] = await events('session-ended')
      assert.deepEqual([recorded?.details['session'], recorded?.principal?.subject], [session!.id, 'operator'])
    })
  })

  test('readiness tells of the store; a gateway that can not read it does not start', async () => {
    const ready = await admin('/readyz')
    assert.deepEqual((JSON.parse(ready.body) as { revocations: object }).revocations, { ready: true })
    await gateway.stop(100)
    const file = join(folder, 'data/revocations.db')
    const kept = readFileSync(file)
    const database = new DatabaseSync(file)
    database.exec(`UPDATE revocations SET target = '{}'`)
    database.close()
    await assert.rejects(start(), (error) => error instanceof OstiaryError && error.code === 'store/revocations')
    rmSync(`${file}-wal`, { force: true })
    rmSync(`${file}-shm`, { force: true })
    writeFileSync(file, kept)
    gateway = await start()
  })
})
