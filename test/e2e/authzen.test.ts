/** Another enforcement point asks the policy by OpenID AuthZEN, through a whole gateway. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type KeyFixture } from '../../src/testing/tokens.ts'

const AUDIENCE = 'https://gateway.example'
const key = testKey('tokens')
let tokens: KeyFixture
let gateway: Gateway
let folder: string

describe('AuthZEN', () => {
  before(async () => {
    tokens = await keyFixture([key])
    folder = mkdtempSync(join(tmpdir(), 'ostiary-authzen-'))
    mkdirSync(join(folder, 'policy'))
    const issuer = (more: object) => ({ kind: 'oidc', audiences: [AUDIENCE], claims: { roles: 'list' }, ...more })
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      dataDir: 'data',
      issuers: { idp: issuer({ issuer: tokens.origin, clients: ['pep'] }), staff: issuer({ issuer: 'https://staff.example' }) },
      resources: { orders: { protocol: 'http', hosts: ['orders.localhost'], upstream: { url: 'http://127.0.0.1:9' } } },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
    }
    const policy = {
      apiVersion: 'ostiary.dev/v1',
      roles: {
        pep: { bind: [{ issuer: 'idp', claim: 'client_id', any: ['pep'], kind: 'workload' }] },
        reader: { bind: [{ issuer: 'staff', claim: 'roles', any: ['Reader'] }] },
        admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
      },
      rules: [
        {
          id: 'ask',
          role: 'pep',
          resource: 'ostiary',
          actions: [
            'POST /access/v1/evaluation',
            'POST /access/v1/evaluations',
            'POST /access/v1/search/{what}',
            'GET /api/access',
            'POST /vouch/staff',
          ],
        },
        { id: 'find', role: 'everyone', resource: 'ostiary', actions: ['GET /.well-known/authzen-configuration'] },
        { id: 'read', role: 'reader', resource: 'orders', actions: ['GET /orders/{id}'] },
        { id: 'secret', role: 'reader', resource: 'orders', actions: ['GET /secret'] },
        { id: 'own', role: 'reader', resource: 'orders', actions: ['GET /mine/{who}'], when: 'params.who == claims.sub' },
        { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
      ],
      guardrails: [
        { id: 'private', mask: { '$..email': 'drop' }, actions: ['GET /secret'], resource: 'orders', allBut: ['admin'] },
        { id: 'closed', deny: ['GET /orders/closed'], resource: 'orders', allBut: ['admin'] },
      ],
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy))
    gateway = await startGateway({ folder, watch: false, log: () => undefined })
  })
  after(async () => {
    await gateway.stop(0)
    await tokens.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const tokenOf = (client: string): string =>
    signToken(key, rfc9068Claims(tokens.origin, AUDIENCE, Date.now(), { sub: client, client_id: client }), { typ: 'at+jwt' })

  async function ask(body: unknown, { path = '/access/v1/evaluation', client = 'pep', headers = {} } = {}) {
    const answer = await fetch(gateway.admin.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${tokenOf(client)}`, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: answer.status, id: answer.headers.get('x-request-id'), body: (await answer.json()) as Record<string, unknown> }
  }

  const subject = (roles: readonly string[]) => ({ type: 'user', id: 'one', properties: { issuer: 'staff', claims: { roles } } })
  const question = {
    subject: subject(['Reader']),
    action: { name: 'GET', properties: { path: '/orders/7' } },
    resource: { type: 'http', id: 'orders' },
  }

  test('the metadata says where to ask', async () => {
    const answer = await fetch(`${gateway.admin.url}/.well-known/authzen-configuration`)
    assert.deepEqual(await answer.json(), {
      policy_decision_point: gateway.admin.url,
      access_evaluation_endpoint: `${gateway.admin.url}/access/v1/evaluation`,
      access_evaluations_endpoint: `${gateway.admin.url}/access/v1/evaluations`,
      search_subject_endpoint: `${gateway.admin.url}/access/v1/search/subject`,
      search_resource_endpoint: `${gateway.admin.url}/access/v1/search/resource`,
      search_action_endpoint: `${gateway.admin.url}/access/v1/search/action`,
    })
  })

  test('a question is answered as the door would decide, with the reasons', async () => {
    const yes = await ask(question, { headers: { 'x-request-id': 'r-1' } })
    assert.deepEqual([yes.status, yes.id, yes.body['decision']], [200, 'r-1', true])
    const no = await ask({ ...question, action: { name: 'DELETE', properties: { path: '/orders/7' } } })
    assert.deepEqual([no.status, no.body['decision']], [200, false])
    assert.deepEqual((no.body['context'] as { reasons: unknown }).reasons, [{ code: 'no-rule' }])
  })

  test('many are answered in order, up to the first that decides where that is asked for', async () => {
    const evaluations = [{}, { subject: subject([]) }, {}]
    const at = { path: '/access/v1/evaluations' }
    const decisions = async (semantic?: string) => {
      const { body } = await ask(
        { ...question, evaluations, ...(semantic === undefined ? {} : { options: { evaluations_semantic: semantic } }) },
        at,
      )
      return (body['evaluations'] as { decision: boolean }[]).map(({ decision }) => decision)
    }
    assert.deepEqual(await decisions(), [true, false, true])
    assert.deepEqual(await decisions('deny_on_first_deny'), [true, false])
    assert.deepEqual(await decisions('permit_on_first_permit'), [true])
  })

  test('who may ask is for the policy to say, and so is for whom they may speak', async () => {
    assert.equal((await ask(question, { client: 'other' })).status, 403)
    const foreign = await ask({ ...question, subject: { type: 'workload', id: 'pep', properties: { issuer: 'idp' } } })
    assert.equal(foreign.status, 400)
    assert.match(JSON.stringify(foreign.body), /may not vouch for subjects of issuer `idp`/)
    const gatewayItself = { type: 'user', id: 'x', properties: { issuer: 'ostiary', claims: { via: 'one-time-link' } } }
    assert.equal((await ask({ ...question, subject: gatewayItself })).status, 400)
  })

  test('what the policy obliges to has to be carried out by whoever asks, or the answer is no', async () => {
    const secret = { ...question, action: { name: 'GET', properties: { path: '/secret' } } }
    const without = await ask(secret)
    assert.equal(without.body['decision'], false)
    assert.equal((without.body['context'] as { effect: string }).effect, 'allow')
    const able = await ask({ ...secret, context: { obligations: ['mask'] } })
    assert.equal(able.body['decision'], true)
    assert.deepEqual((able.body['context'] as { obligations: unknown }).obligations, [
      { kind: 'mask', ids: ['private'], fields: [{ path: '$..email', mask: { as: 'drop' } }] },
    ])
  })

  test('a search for resources and for actions', async () => {
    const { subject: who, resource } = question
    const resources = await ask(
      { subject: who, action: { name: 'GET /orders/7' }, resource: { type: 'http' } },
      { path: '/access/v1/search/resource' },
    )
    assert.deepEqual([resources.status, resources.body['results']], [200, [{ type: 'http', id: 'orders' }]])
    const actions = await ask({ subject: who, resource }, { path: '/access/v1/search/action' })
    const names = (actions.body['results'] as { name: string }[]).map(({ name }) => name)
    assert.deepEqual(names, ['GET /orders/{id}, except `closed`'])
    assert.match((actions.body['context'] as { incomplete: string }).incomplete, /depends on a parameter/)
    const paged = await ask({ subject: who, resource, page: { limit: 1 } }, { path: '/access/v1/search/action' })
    assert.equal((paged.body['results'] as unknown[]).length, 1)
    assert.equal((await ask({ subject: who, resource, page: { token: 'x' } }, { path: '/access/v1/search/action' })).status, 400)
    assert.equal((await ask({ subject: who, resource, action: { name: 'GET' } }, { path: '/access/v1/search/action' })).status, 400)
    assert.equal((await ask({ subject: who, resource }, { path: '/access/v1/search/action', client: 'other' })).status, 403)
  })

  test('a search for subjects knows whom the record knows, and says so', async () => {
    const search = {
      subject: { type: 'workload' },
      action: { name: 'POST /access/v1/evaluation' },
      resource: { type: 'http', id: 'ostiary' },
    }
    const { status, body } = await ask(search, { path: '/access/v1/search/subject' })
    assert.equal(status, 200)
    const results = body['results'] as { type: string; id: string; properties: { issuer: string } }[]
    assert.deepEqual(
      results.map(({ type, id, properties }) => [type, id, properties.issuer]),
      [['workload', 'pep', 'idp']],
    )
    assert.match((body['context'] as { incomplete: string }).incomplete, /only whoever came here/)
  })

  test('what somebody has access to, with what gives it', async () => {
    const read = async (name: string) => {
      const answer = await fetch(`${gateway.admin.url}/api/access?principal=${encodeURIComponent(name)}`, {
        headers: { authorization: `Bearer ${tokenOf('pep')}` },
      })
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
    }
    const { status, body } = await read('idp/pep')
    assert.equal(status, 200)
    const text = String(body['text'])
    assert.match(text, /^idp\/pep {2}pep\n/)
    assert.match(text, / {2}pep {2}claim `client_id` has `pep`\n/)
    assert.match(text, /POST \/access\/v1\/evaluation, .*\n {4}by rule ask, role `pep` {2}\(policy\/policy\.yaml:/)
    assert.equal((await read('nobody')).status, 404)
  })

  test('what can not be read is not answered', async () => {
    for (const body of ['', '{', '[]', 'subject: {}', '{"subject":1}', JSON.stringify({ ...question, evaluations: [] })])
      assert.equal((await ask(body)).status, 400, body)
    assert.equal((await ask(question, { headers: { 'content-type': 'text/plain' } })).status, 400)
  })

  test('a caller that asks too much is told to ask less, and others are not held up', async () => {
    // Each counts for all that it asks, and is answered after the first: to answer all would take as long as it takes to be allowed more.
    const options = { evaluations_semantic: 'permit_on_first_permit' }
    const many = { ...question, options, evaluations: Array.from({ length: 1_000 }, () => ({})) }
    const asked = Array.from({ length: 12 }, () => ask(many, { path: '/access/v1/evaluations' }))
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    assert.ok(statuses.includes(200) && statuses.includes(429), statuses.join(' '))
  })

  test('each answer is in the record, with who asked about whom', () => {
    const audit = join(folder, 'data/audit')
    const lines = readdirSync(audit)
      .filter((name) => name.endsWith('.jsonl'))
      .flatMap((name) => readFileSync(join(audit, name), 'utf8').split('\n'))
      .filter((line) => line.includes('"evaluation"'))
    assert.ok(lines.length > 8)
    const first = lines[0]!
    for (const part of ['"subject":"one"', 'GET /orders/7', '"effect":"allow"', '"rule":"read"', '"pep"'])
      assert.ok(first.includes(part), part)
  })
})
