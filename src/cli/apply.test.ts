/** `ostiary apply kuma` as it is run, against a stand-in for a control plane. */
import assert from 'node:assert/strict'
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { run } from './testing.ts'
import { startStandInKuma, type StandInKuma } from '../testing/standin-kuma.ts'
import { testKey } from '../testing/tokens.ts'

describe('apply kuma', () => {
  const key = testKey('es', 'ES256')
  let folder: string
  let plane: StandInKuma
  const write = (url: string, keys = 'keys.json', tier = 'a'): void =>
    writeFileSync(
      join(folder, 'ostiary.yaml'),
      `apiVersion: ostiary.dev/v1
name: gate
issuers:
  services: { kind: jwt, issuer: services, audiences: [orders], keys: [{ file: ${keys} }] }
resources:
  orders: { protocol: http, hosts: [orders.mesh], upstream: { url: http://127.0.0.1:9001 } , issuers: [services] }
doors:
  http: { listen: [{ address: 127.0.0.1:8080 }] }
targets:
  shop:
    kind: kuma
    version: '2.14'
    mode: universal
    workloads: { orders: { labels: { app: shop, tier: '${tier}' }, inbound: { port: 8000, protocol: http } } }
    controlPlane: { url: '${url}', token: { env: KUMA_TOKEN } }
`,
    )

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'apply-kuma-'))
    mkdirSync(join(folder, 'policy'))
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [key.jwk] }))
    writeFileSync(
      join(folder, 'policy/p.yaml'),
      `apiVersion: ostiary.dev/v1
roles:
  admin: { bind: [{ issuer: ostiary, claim: via, any: [one-time-link] }] }
rules:
  - { id: administer, role: admin, resource: ostiary, actions: ['* /**'] }
  - { id: read, role: everyone, resource: orders, actions: ['GET /**'] }
`,
    )
    plane = await startStandInKuma({
      version: '2.14.3',
      dataplanes: [{ name: 'shop-1', labels: { app: 'shop', tier: 'a' }, inbounds: [{ port: 8000, protocol: 'http' }] }],
    })
    write(plane.origin)
    process.env['KUMA_TOKEN'] = 'user-token'
  })
  after(async () => {
    await plane.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('looks, applies, looks again, and tells what somebody else has changed', async () => {
    const first = await run('apply', 'kuma', folder, '--diff')
    assert.equal(first.exit, 1, first.err)
    assert.match(
      first.out,
      /^shop: control plane 2\.14\.3; 1 document 1 not as they should be\n {2}MeshProxyPatch ostiary-shop-orders: missing$/m,
    )
    assert.match(first.out, /dataplane shop-1: NOT ENFORCED: `inbound:127\.0\.0\.1:8000`: none of the filters is there/)
    assert.equal(plane.stored.size, 0)

    const applied = await run('apply', 'kuma', folder)
    assert.equal(applied.exit, 0, applied.out + applied.err)
    assert.match(applied.out, /1 document applied, kept as they are\n {2}dataplane shop-1: enforces it\n/)
    assert.match(applied.out, /warning: whoever reaches the control plane may change policies, without any token/)
    assert.match(JSON.stringify(plane.stored.get('meshproxypatches/ostiary-shop-orders')), /\\"kid\\":\\"es\\"|\\\\\\"kid\\\\\\":/)
    assert.equal((await run('apply', 'kuma', folder, '--diff')).exit, 0)

    plane.stored.set('meshproxypatches/ostiary-shop-orders', {
      ...plane.stored.get('meshproxypatches/ostiary-shop-orders'),
      spec: { targetRef: { kind: 'Dataplane', labels: { app: 'nobody' } }, default: { appendModifications: [] } },
    })
    const drifted = await run('drift', 'kuma', folder, '--json')
    assert.equal(drifted.exit, 1)
    const [told] = JSON.parse(drifted.out) as { enforced: boolean; documents: { differences: string[] }[] }[]
    assert.equal(told!.enforced, false)
    assert.deepEqual(told!.documents[0]!.differences, [
      '`spec.targetRef.labels.app` says something else',
      '`spec.targetRef.labels.tier` is gone',
      '`spec.default.appendModifications` has 0 entries, and not 6',
    ])
  })

  test('only tries where that is asked for: nothing is enforced, and nothing stays', async () => {
    const policy = join(folder, 'policy/p.yaml')
    const written = readFileSync(policy, 'utf8')
    assert.equal((await run('apply', 'kuma', folder)).exit, 0)
    const same = await run('apply', 'kuma', folder, '--shadow')
    assert.equal(same.exit, 0, same.out + same.err)
    assert.match(
      same.out,
      /^shop: control plane 2\.14\.3; 1 document tried and removed again, nothing was enforced\n {2}dataplane shop-1: would enforce it, as it does now$/m,
    )
    writeFileSync(policy, written.replace('GET /**', 'GET /a/**'))
    const before = JSON.stringify([...plane.stored])
    const tried = await run('apply', 'kuma', folder, '--shadow')
    assert.equal(tried.exit, 0, tried.out + tried.err)
    assert.match(tried.out, /dataplane shop-1: would enforce it, \d+ places? of its configuration would change\n {4}\/.*httpFilters/)
    assert.equal(JSON.stringify([...plane.stored]), before)
    assert.equal((await run('drift', 'kuma', folder)).exit, 1)
    writeFileSync(policy, written)
    assert.equal((await run('drift', 'kuma', folder)).exit, 0)
    const both = await run('apply', 'kuma', folder, '--shadow', '--prune')
    assert.equal(both.exit, 2)
    assert.match(both.err, /`--shadow` changes nothing that stays/)
  })

  test('removes what is no part of the target any more, where that is asked for', async () => {
    const named = (name: string): object => ({
      type: 'MeshTLS',
      mesh: 'default',
      name,
      labels: { 'ostiary.dev/gateway': 'gate', 'ostiary.dev/target': 'shop' },
      spec: { targetRef: { kind: 'Mesh' }, rules: [] },
    })
    plane.stored.set('meshtlses/before', named('before') as Readonly<Record<string, unknown>>)
    const ran = await run('apply', 'kuma', folder, '--prune')
    assert.equal(ran.exit, 0, ran.out + ran.err)
    assert.deepEqual([...plane.stored.keys()], ['meshproxypatches/ostiary-shop-orders'])
  })

  test('applies nothing without keys, and nothing without its token', async () => {
    writeFileSync(join(folder, 'none.json'), '{"keys":[]}')
    write(plane.origin, 'none.json')
    const before = plane.asked.length
    const keyless = await run('apply', 'kuma', folder)
    assert.notEqual(keyless.exit, 0)
    assert.match(keyless.err, /none came when it was asked|no key/)
    write(plane.origin)
    delete process.env['KUMA_TOKEN']
    const tokenless = await run('apply', 'kuma', folder)
    assert.match(tokenless.err, /`KUMA_TOKEN`, which a secret is read from, is not set/)
    assert.equal(plane.asked.length, before)
  })

  test('is handed what `compile` writes, which older readers of YAML take as it is meant', async () => {
    write(plane.origin, 'keys.json', 'yes')
    const { out, exit } = await run('compile', 'kuma', folder, '--keys')
    assert.equal(exit, 0)
    const [document] = JSON.parse((await run('compile', 'kuma', folder, '--keys', '--json')).out)[0].documents as readonly object[]
    assert.match(out, /tier: "yes"/)
    for (const version of ['1.1', '1.2'] as const) assert.deepEqual(parse(out, { version }), document)
  })
})
