/** A plan of what would replace the policy of a running gateway, over the record that it has written. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import type { Plan } from '../../src/cli/plan/plan.ts'
import { makePlan } from '../../src/cli/plan/plan.ts'
import { readVersion } from '../../src/cli/plan/refs.ts'
import { adminOptions } from '../../src/cli/admin.ts'
import { Command } from 'commander'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type KeyFixture } from '../../src/testing/tokens.ts'

const AUDIENCE = 'https://gateway.example'
const key = testKey('tokens')
let tokens: KeyFixture
let gateway: Gateway
let folder: string

describe('a plan', () => {
  before(async () => {
    tokens = await keyFixture([key])
    folder = mkdtempSync(join(tmpdir(), 'ostiary-e2e-plan-'))
    mkdirSync(join(folder, 'policy'))
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      dataDir: 'data',
      issuers: { idp: { kind: 'oidc', issuer: tokens.origin, audiences: [AUDIENCE], clients: ['ops', 'job'], claims: { team: 'string' } } },
      resources: { orders: { protocol: 'http', hosts: ['orders.localhost'], upstream: { url: 'http://127.0.0.1:9' } } },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(
      join(folder, 'policy/policy.yaml'),
      stringify({
        apiVersion: 'ostiary.dev/v1',
        roles: {
          ops: { bind: [{ issuer: 'idp', claim: 'client_id', any: ['ops'], kind: 'workload' }] },
          job: { bind: [{ issuer: 'idp', claim: 'client_id', any: ['job'], kind: 'workload' }] },
        },
        rules: [
          { id: 'administer', role: 'ops', resource: 'ostiary', actions: ['* /**'] },
          { id: 'read', role: 'job', resource: 'orders', actions: ['GET /orders/{id}'] },
        ],
      }),
    )
    gateway = await startGateway({ folder, watch: false, log: () => undefined })
  })
  after(async () => {
    await gateway.stop(0)
    await tokens.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const tokenOf = (client: string): string =>
    signToken(key, rfc9068Claims(tokens.origin, AUDIENCE, Date.now(), { sub: client, client_id: client }), { typ: 'at+jwt' })

  function send(method: string, path: string, client: string): Promise<number> {
    const { host, port } = gateway.doors[0]!
    return new Promise((resolve, reject) => {
      const asked = request(
        { host, port, method, path, headers: { host: 'orders.localhost', authorization: `Bearer ${tokenOf(client)}` } },
        (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode!))
        },
      )
      asked.on('error', reject).end()
    })
  }

  async function planned(): Promise<Plan> {
    const command = adminOptions(new Command('plan')).parse(['--admin', gateway.admin.url], { from: 'user' })
    process.env['OSTIARY_TOKEN'] = tokenOf('ops')
    try {
      return await makePlan({
        from: await readVersion('running', folder, undefined, command),
        to: await readVersion(folder, folder, undefined, command),
        folder,
        record: undefined,
        skip: false,
        days: 1,
        now: Date.now() + 1000,
      })
    } finally {
      delete process.env['OSTIARY_TOKEN']
    }
  }

  test('what runs is compared with the folder, and the record is replayed over both', async () => {
    for (const id of [1, 2, 3]) assert.equal(await send('GET', `/orders/${id}`, 'job'), 502)
    assert.equal(await send('DELETE', '/orders/1', 'job'), 403)
    const file = join(folder, 'policy/policy.yaml')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('GET /orders/{id}', 'DELETE /orders/{id}'))
    const { comparison, replay, from } = await planned()
    assert.equal(from, 'what is running')
    assert.deepEqual(
      comparison.changes.map(({ direction, who, actions }) => [direction, who.text, actions]),
      [
        ['wider', 'holders of `job`', ['DELETE /orders/{id}']],
        ['narrower', 'holders of `job`', ['GET /orders/{id}']],
      ],
    )
    assert.deepEqual(comparison.notProven, [])
    assert.deepEqual(
      replay!.shifts.map(({ before: was, after: is, requests, principals, byKind }) => [was, is, requests, principals, byKind]),
      [
        ['allow', 'deny', 3, 1, { workload: 3 }],
        ['deny', 'allow', 1, 1, { workload: 1 }],
      ],
    )
    assert.deepEqual(replay!.unknown, [])
    writeFileSync(file, text)
  })

  test('a claim that was not declared when the decision was made is not known of it', async () => {
    const wiring = join(folder, 'ostiary.yaml')
    const file = join(folder, 'policy/policy.yaml')
    const kept = [wiring, file].map((one) => readFileSync(one, 'utf8'))
    writeFileSync(wiring, kept[0]!.replace('team: string', 'team: string\n      unit: string'))
    writeFileSync(file, kept[1]!.replace('- GET /orders/{id}', '- GET /orders/{id}\n    when: claims.unit == "sales"'))
    const { replay } = await planned()
    assert.equal(replay!.unknown[0]?.requests, 3)
    assert.match(replay!.unknown[0].why, /claim `unit` of `idp`, which was not read then/)
    ;[wiring, file].forEach((one, i) => writeFileSync(one, kept[i]!))
  })

  test('who may not read the policy may not compare with it', async () => {
    const answer = await fetch(`${gateway.admin.url}/api/policy/sources`, { headers: { authorization: `Bearer ${tokenOf('job')}` } })
    assert.equal(answer.status, 403)
  })
})
