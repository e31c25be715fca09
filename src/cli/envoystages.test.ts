/** Stages of Envoys as an operator sees them: a whole gateway, its admin API, and the command line. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Row } from '../server/places/status.ts'
import { startGateway, type Gateway } from '../server/start.ts'
import { FakeEnvoy, until } from '../testing/fakeenvoy.ts'
import { signToken, testKey } from '../testing/tokens.ts'
import { run } from './testing.ts'

describe('stages of Envoys on the command line', () => {
  const key = testKey('es', 'ES256')
  let folder: string
  let gateway: Gateway
  let canary: FakeEnvoy
  let edge: FakeEnvoy
  const rules = (rule: number): void =>
    writeFileSync(
      join(folder, 'policy/p.yaml'),
      `apiVersion: ostiary.dev/v1
roles:
  operator: { bind: [{ issuer: svc, claim: roles, any: [operator] }] }
rules:
  - { id: administer, role: operator, resource: ostiary, actions: ['* /**'] }
  - { id: rule-${rule}, role: operator, resource: api, actions: [GET /items] }
`,
    )
  const asked = (...args: readonly string[]) => run(...args, '--admin', gateway.admin.url)

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cli-stages-'))
    mkdirSync(join(folder, 'policy'))
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [key.jwk] }))
    writeFileSync(
      join(folder, 'ostiary.yaml'),
      `apiVersion: ostiary.dev/v1
issuers:
  svc: { kind: jwt, issuer: svc, audiences: [ostiary], keys: [{ file: keys.json }] }
resources:
  api: { protocol: http, hosts: [api.example], upstream: { url: 'http://127.0.0.1:9' } }
doors:
  envoy:
    listen: 127.0.0.1:0
    nodes: { canary: { listen: '127.0.0.1:1' }, edge: { listen: '127.0.0.1:1' } }
rollout:
  stages:
    - { name: canary, targets: [envoy/canary], settle: 1h }
    - { name: rest }
admin: { listen: 127.0.0.1:0 }
`,
    )
    rules(1)
    gateway = await startGateway({ folder, watch: false })
    const { port } = gateway.envoys!.address
    canary = new FakeEnvoy('canary', port)
    edge = new FakeEnvoy('edge', port)
    const now = Math.floor(Date.now() / 1000)
    process.env['OSTIARY_TOKEN'] = signToken(key, { iss: 'svc', aud: 'ostiary', sub: 'op', iat: now, exp: now + 600, roles: ['operator'] })
    await until('both have it', () => canary.rules() === 'rule-1' && edge.rules() === 'rule-1')
  })
  after(async () => {
    delete process.env['OSTIARY_TOKEN']
    canary.close()
    edge.close()
    await gateway.stop(0)
    rmSync(folder, { recursive: true, force: true })
  })

  test('both enforce the first policy, and there is nothing to go on with', async () => {
    await until('both have accepted it', () => gateway.envoys!.status().every(({ acknowledged, desired }) => acknowledged === desired))
    const { exit, out } = await asked('envoy', 'status')
    assert.equal(exit, 0, out)
    assert.match(out, /^canary: enforces [0-9a-f]{12}\nedge: enforces [0-9a-f]{12}\n$/)
    const none = await asked('envoy', 'rollout', 'continue')
    assert.equal(none.exit, 1)
    assert.match(none.err, /no roll-out to Envoys is under way/)
  })

  test('a new policy waits for its stage, which every command tells, until somebody hands it on', async () => {
    rules(2)
    await gateway.reload()
    await until('the first stage has it', () => canary.rules() === 'rule-2')
    await until('and has accepted it', () => gateway.envoys!.status().every(({ acknowledged, desired }) => acknowledged === desired))
    const status = await asked('envoy', 'status')
    assert.equal(status.exit, 1)
    assert.match(status.out, /^edge: enforces [0-9a-f]{12}, of policy [0-9a-f]{12}: waits for its stage$/m)
    assert.match(status.out, /^policy [0-9a-f]{12} has come to stage canary and goes on by itself/m)
    assert.match(status.out, /^ {2}not yet: edge \(`ostiary envoy rollout continue` hands it on by hand\)$/m)

    const rowsOf = async (): Promise<readonly Row[]> =>
      JSON.parse((await asked('targets', 'status', folder, '--json')).out) as readonly Row[]
    const [first, second] = await rowsOf()
    assert.deepEqual([first!.name, first!.stage, first!.ok, first!.accepted], ['envoy/canary', 'canary', true, first!.desired])
    assert.deepEqual([second!.name, second!.stage, second!.ok], ['envoy/edge', 'rest', false])
    assert.notEqual(second!.accepted, second!.desired)
    assert.equal(edge.rules(), 'rule-1')

    const handed = await asked('envoy', 'rollout', 'continue', '--now')
    assert.equal(handed.exit, 0, handed.err)
    assert.match(handed.out, /^policy [0-9a-f]{12} goes to every Envoy\n$/)
    await until('the second has it', () => edge.rules() === 'rule-2')
    await until('and has accepted it', () => gateway.envoys!.status().every(({ acknowledged, desired }) => acknowledged === desired))
    assert.deepEqual(
      (await rowsOf()).map(({ ok, enforced }) => [ok, enforced]),
      [
        [true, { count: 1, of: 1, what: 'Envoy' }],
        [true, { count: 1, of: 1, what: 'Envoy' }],
      ],
    )
    const metrics = await fetch(`${gateway.admin.url}/metrics`, { headers: { authorization: `Bearer ${process.env['OSTIARY_TOKEN']!}` } })
    assert.match(await metrics.text(), /^ostiary_envoys_held_back 0$/m)
    const { out } = await asked('audit', 'search', '--limit', '50', '--json')
    assert.match(out, /envoy-rollout-continued/)
  })

  test('what stopped it is told, and what is wrong in asking', async () => {
    canary.rejects = (kind, text) => kind === 'route' && text.includes('rule-3')
    rules(3)
    await gateway.reload()
    await until('it stops', () => gateway.envoys!.rollout()?.state === 'stopped')
    const { exit, out } = await asked('envoy', 'status')
    assert.equal(exit, 1)
    assert.match(out, /rejects its route configuration: I will not/)
    assert.match(out, /has come to stage canary and goes no further: Envoy canary rejects it: I will not/)
    const row = await asked('targets', 'status', folder, '--target', 'envoy/canary')
    assert.match(row.out, /it rejects its route configuration, and keeps what it had: I will not/)
    const headers = { authorization: `Bearer ${process.env['OSTIARY_TOKEN']!}` }
    for (const query of ['?now=yes', '?later=true']) {
      const answer = await fetch(`${gateway.admin.url}/api/envoy/rollout/continue${query}`, { method: 'POST', headers })
      assert.equal(answer.status, 400, query)
      await answer.body?.cancel()
    }
    assert.equal(edge.rules(), 'rule-2')
  })
})
