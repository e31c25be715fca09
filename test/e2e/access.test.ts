/** Questions of access to a whole gateway: who can, and whom the record knows of them; by the admin API and by the command line. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import type { DecisionSummary, PeopleAnswer, ResourceAnswer, StatementAnswer } from '../../src/server/admin/shapes.ts'
import { PROTOCOLS } from '../../src/policy/index.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type KeyFixture } from '../../src/testing/tokens.ts'

const AUDIENCE = 'https://gateway.example'
const key = testKey('tokens')
let tokens: KeyFixture
let gateway: Gateway
let folder: string

describe('who may, and what somebody may', () => {
  before(async () => {
    tokens = await keyFixture([key])
    folder = mkdtempSync(join(tmpdir(), 'ostiary-access-'))
    mkdirSync(join(folder, 'policy'))
    const resources = Object.fromEntries(PROTOCOLS.filter((protocol) => protocol !== 'http').map((protocol) => [protocol, { protocol }]))
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      dataDir: 'data',
      issuers: { idp: { kind: 'oidc', issuer: tokens.origin, audiences: [AUDIENCE], claims: { roles: 'list' } } },
      resources: { orders: { protocol: 'http', hosts: ['orders.localhost'], upstream: { url: 'http://127.0.0.1:9' } }, ...resources },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
    }
    const policy = {
      apiVersion: 'ostiary.dev/v1',
      roles: {
        reader: { bind: [{ issuer: 'idp', claim: 'roles', any: ['Reader'] }] },
        lead: { eligible: [{ issuer: 'idp', claim: 'roles', any: ['Lead'] }] },
        auditor: { bind: [{ issuer: 'idp', claim: 'roles', any: ['Auditor'] }] },
        admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
      },
      rules: [
        { id: 'read', role: 'reader', resource: 'orders', actions: ['GET /orders', 'DELETE /orders/{id}', 'POST /orders'] },
        { id: 'near', role: 'reader', resource: 'orders', actions: ['GET /near'], when: "inCidr(context.ip, '0.0.0.0/0')" },
        { id: 'meshed', role: 'reader', peer: 'auditor', resource: 'orders', actions: ['GET /meshed'] },
        { id: 'health', role: 'everyone', resource: 'ostiary', actions: ['GET /api/me'] },
        { id: 'lead', role: 'lead', resource: 'orders', actions: ['POST /halt'] },
        {
          id: 'ask',
          role: 'auditor',
          resource: 'ostiary',
          actions: ['GET /access', 'GET /api/who-can', 'GET /api/access', 'GET /api/policy', 'GET /api/decisions'],
        },
        { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
      ],
      guardrails: [
        { id: 'four-eyes', require: { approval: { from: ['admin'] } }, actions: ['DELETE /**'], resource: 'orders', allBut: ['admin'] },
        { id: 'say-why', require: { justification: true }, actions: ['POST /orders'], resource: 'orders', allBut: ['admin'] },
        { id: 'closed', deny: ['GET /orders'], resource: 'orders', allBut: ['reader'], mode: 'observe', until: '2999-01-01T00:00:00Z' },
      ],
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy))
    gateway = await startGateway({ folder, watch: false, log: () => undefined })
    // So that the record knows them.
    await ask('/api/me', tokenOf('ada', 'Reader', 'Lead'))
    await ask('/api/me', tokenOf('nil'))
  })
  after(async () => {
    await gateway.stop(0)
    await tokens.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const tokenOf = (sub: string, ...roles: readonly string[]): string =>
    signToken(key, rfc9068Claims(tokens.origin, AUDIENCE, Date.now(), { sub, client_id: 'web', name: `The ${sub}`, roles }), {
      typ: 'at+jwt',
    })

  async function ask<T>(path: string, token = tokenOf('aud', 'Auditor')): Promise<{ readonly status: number; readonly body: T }> {
    const answer = await fetch(gateway.admin.url + path, { headers: { authorization: `Bearer ${token}` } })
    return { status: answer.status, body: (await answer.json()) as T }
  }

  const whoCan = (action: string, resource = 'orders') =>
    ask<{ people: PeopleAnswer; text: string; title: string }>(`/api/who-can?${new URLSearchParams({ action, resource }).toString()}`)

  /** The command line in a process of its own, as whoever's token that is. */
  function ostiary(
    token: string,
    ...args: readonly string[]
  ): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
    return new Promise((resolve) => {
      const env = { ...process.env, OSTIARY_TOKEN: token, OSTIARY_ADMIN: gateway.admin.url }
      execFile(
        process.execPath,
        [join(import.meta.dirname, '../../bin/ostiary.js'), ...args],
        { env, timeout: 60_000 },
        (error, out, err) => resolve({ status: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err }),
      )
    })
  }

  test('whom the record knows of those who may, and how complete that is', async () => {
    const { status, body } = await whoCan('GET /orders')
    assert.equal(status, 200, body.title)
    assert.deepEqual(
      body.people.principals.map(({ seenAt, ...one }) => ({ ...one, seen: Date.parse(seenAt) <= Date.now() })),
      [{ principal: 'idp/ada', display: 'The ada', kind: 'human', effect: 'allow', seen: true }],
    )
    assert.match(body.people.incomplete, /^only whoever came here in the last thirty days is known; the providers know the others, by role/)
    assert.match(body.text, /\n\nseen in the last thirty days\n {2}idp\/ada .*\nincomplete: only whoever came here/)
  })

  test('who may only once more is proven or somebody approves is told apart', async () => {
    const effect = async (action: string) =>
      (await whoCan(action)).body.people.principals.map(({ principal, effect }) => [principal, effect])
    assert.deepEqual(await effect('DELETE /orders/7'), [['idp/ada', 'needs-approval']])
    assert.deepEqual(await effect('POST /orders'), [['idp/ada', 'challenge']])
    assert.deepEqual(await effect('POST /halt'), [], 'a role that is not activated gives nothing')
  })

  test('nobody is vouched for by an address or a peer that nobody knows', async () => {
    for (const action of ['GET /near', 'GET /meshed']) assert.deepEqual((await whoCan(action)).body.people.principals, [], action)
    assert.match((await whoCan('GET /near')).body.people.incomplete, /without the address, the peer/)
  })

  test('who may ask is for the policy to say', async () => {
    assert.equal((await ask('/api/who-can?action=GET+%2Forders&resource=orders', tokenOf('nil'))).status, 403)
    assert.equal((await ask('/api/access?principal=ada', tokenOf('nil'))).status, 403)
    assert.equal((await whoCan('nonsense')).status, 400)
    assert.equal((await whoCan('GET /orders', 'odrers')).status, 400)
    assert.match((await whoCan('GET /orders', 'odrers')).body.title, /did you mean `orders`/)
  })

  test('somebody who asks too often is told to wait, nobody else', async () => {
    const often = tokenOf('often', 'Auditor')
    const all = await Promise.all(Array.from({ length: 400 }, () => ask('/api/who-can?action=GET+%2Forders&resource=orders', often)))
    assert.ok(
      all.some(({ status }) => status === 429),
      'each look at everybody costs as much as a hundred questions',
    )
    assert.equal((await whoCan('GET /orders')).status, 200)
  })

  test('the policy names an action of each protocol, and what guardrails ask for', async () => {
    const { body } = await ask<{ resources: ResourceAnswer[]; rules: StatementAnswer[] }>('/api/policy')
    assert.deepEqual(
      body.resources.map(({ protocol }) => protocol).toSorted(),
      ['http', ...PROTOCOLS].toSorted(),
      'the gateway itself is one more of http',
    )
    for (const { name, exampleAction } of body.resources) assert.equal((await whoCan(exampleAction, name)).status, 200, exampleAction)
    const of = (id: string) => body.rules.find((rule) => rule.id === id)
    assert.deepEqual(of('four-eyes')?.asks, ['with the approval of a holder of `admin`'])
    assert.deepEqual([of('closed')?.asks, of('closed')?.observedUntil], [undefined, '2999-01-01T00:00:00.000Z'])
    assert.deepEqual(of('meshed')?.peer, ['auditor'])
  })

  test('decisions in short say whom to ask about, and what the policy said', async () => {
    const { body } = await ask<DecisionSummary[]>('/api/decisions?limit=50&principal=ada')
    assert.ok(body.length > 0)
    for (const { principal, effect, verdict } of body)
      assert.deepEqual([principal, effect], ['idp/ada', verdict === 'allowed' ? 'allow' : 'deny'])
  })

  test('the command line says the same, and so it does of one of them', async () => {
    const auditor = tokenOf('aud', 'Auditor')
    const who = await ostiary(auditor, 'who-can', 'DELETE /orders/7', '--on', 'orders')
    assert.equal(who.status, 0, who.err)
    assert.match(who.out, /by rule read .*\n {2}holders of `reader`:/)
    assert.match(
      who.out,
      /\nseen in the last thirty days\n {2}idp\/ada {2}The ada {2}\(human, .*\) {2}once it is approved\nincomplete: only whoever came/,
    )
    const access = await ostiary(auditor, 'access', 'idp/ada')
    assert.equal(access.status, 0, access.err)
    assert.match(access.out, /^idp\/ada {2}The ada\n\nroles\n/)
    assert.match(access.out, / {2}lead {2}not held; activate role `lead`/)
    assert.match(access.out, / {4}by rule meshed, role `reader`.*\n {4}by way of a peer that holds `auditor`/)
    assert.match(access.out, /but only with the approval of a holder of `admin`: DELETE \/\*\*\n {4}guardrail four-eyes/)
    const nobody = await ostiary(auditor, 'access', 'nobody-at-all')
    assert.notEqual(nobody.status, 0)
    assert.match(nobody.err, /nobody-at-all/)
  })
})
