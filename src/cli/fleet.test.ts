/** `ostiary targets status` and `ostiary rollout` as they are run, with stand-ins for kubectl and for a control plane. */
import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Row } from '../server/places/status.ts'
import type { StandInCluster } from '../testing/standin-kubectl.ts'
import { startStandInKuma, type StandInKuma } from '../testing/standin-kuma.ts'
import { testKey } from '../testing/tokens.ts'
import { run } from './testing.ts'

describe('a fleet on the command line', () => {
  const path = process.env['PATH'] ?? ''
  const contexts = ['staging', 'prod-eu-1', 'prod-us-1']
  let folder: string
  let plane: StandInKuma
  const fileOf = (context: string): string => join(folder, `cluster-${context}.json`)
  const cluster = (context: string): StandInCluster => JSON.parse(readFileSync(fileOf(context), 'utf8')) as StandInCluster
  const put = (context: string, more: Partial<StandInCluster>): void =>
    writeFileSync(fileOf(context), JSON.stringify({ ...cluster(context), ...more }))
  const changes = (context: string): number => cluster(context).calls.filter(([what]) => what !== 'get').length
  const edit = (file: string, from: string | RegExp, to: string): void => {
    const text = readFileSync(join(folder, file), 'utf8')
    assert.notEqual(text.replace(from, to), text)
    writeFileSync(join(folder, file), text.replace(from, to))
  }
  const rows = async (...more: readonly string[]): Promise<{ readonly exit: number; readonly rows: readonly Row[] }> => {
    const { exit, out } = await run('targets', 'status', folder, '--json', ...more)
    return { exit, rows: JSON.parse(out) as readonly Row[] }
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fleet-'))
    cpSync(join(import.meta.dirname, '../../examples/istio'), folder, { recursive: true })
    plane = await startStandInKuma({
      version: '2.14.3',
      dataplanes: [{ name: 'shop-1', labels: { app: 'shop' }, inbounds: [{ port: 8000, protocol: 'http' }] }],
    })
    // Whose keys are at hand, so that nobody has to be asked.
    edit(
      'ostiary.yaml',
      /kind: oidc\n {4}issuer: https:\/\/id\.example\.com/,
      'kind: jwt\n    issuer: https://id.example.com\n    keys: [{ file: keys.json }]',
    )
    edit(
      'ostiary.yaml',
      '    context: shop\n',
      '    places: { test: { context: staging }, eu-1: { context: prod-eu-1 }, us-1: { context: prod-us-1 } }\n',
    )
    edit(
      'ostiary.yaml',
      '\nadmin:',
      `  pay:
    kind: kuma
    version: '2.14'
    mode: universal
    workloads: { orders: { labels: { app: shop }, inbound: { port: 8000, protocol: http } } }
    controlPlane: { url: '${plane.origin}', token: { env: FLEET_KUMA_TOKEN } }
rollout:
  stages:
    - { name: staging, targets: [shop-mesh@test], settle: 0s }
    - { name: one-region, targets: [shop-mesh@eu-1], settle: 0s }
    - { name: everywhere }

admin:`,
    )
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [testKey('es', 'ES256').jwk] }))
    for (const context of contexts) writeFileSync(fileOf(context), JSON.stringify({ documents: {}, calls: [] } satisfies StandInCluster))
    const standin = join(import.meta.dirname, '../testing/standin-kubectl.ts')
    writeFileSync(join(folder, 'kubectl'), `#!/bin/sh\nexec '${process.execPath}' '${standin}' '${fileOf('{context}')}' "$@"\n`)
    chmodSync(join(folder, 'kubectl'), 0o755)
    process.env['PATH'] = `${folder}${delimiter}${path}`
    process.env['FLEET_KUMA_TOKEN'] = 'user-token'
  })
  after(async () => {
    process.env['PATH'] = path
    delete process.env['FLEET_KUMA_TOKEN']
    await plane.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('nothing is anywhere, and each place says so', async () => {
    const { exit, rows: found } = await rows()
    assert.equal(exit, 1)
    assert.deepEqual(
      found.map(({ kind, name, stage, accepted, ok }) => [kind, name, stage, accepted, ok]),
      [
        ['istio', 'shop-mesh@test', 'staging', undefined, false],
        ['istio', 'shop-mesh@eu-1', 'one-region', undefined, false],
        ['istio', 'shop-mesh@us-1', 'everywhere', undefined, false],
        ['kuma', 'pay', 'everywhere', undefined, false],
      ],
    )
    assert.equal(new Set(found.map(({ desired }) => desired)).size, 1)
    assert.match(found[0]!.problems.join('\n'), /^AuthorizationPolicy shop\/ostiary-allow-nothing-[0-9a-f]+: missing$/m)
    assert.match(found[3]!.problems.join('\n'), /^MeshProxyPatch ostiary-pay-orders: missing$/m)
    const { out } = await run('targets', 'status', folder, '--target', 'shop-mesh')
    assert.match(out, /^kind {3}name {12}stage {7}desired {7}accepted {2}enforced\n/)
    assert.doesNotMatch(out, /pay/)
    assert.match((await run('targets', 'status', folder, '--target', 'nothing')).err, /there is no target `nothing` in `targets`/)
  })

  test('a roll-out brings it to one stage after the other, and proves it first', async () => {
    const looked = await run('rollout', folder, '--diff')
    assert.equal(looked.exit, 1)
    assert.match(looked.out, /is not everywhere: stopped in stage staging, at shop-mesh@test/)
    assert.deepEqual(contexts.map(changes), [0, 0, 0])

    const { exit, out, err } = await run('rollout', folder)
    assert.equal(exit, 0, out + err)
    assert.match(err, /^shop-mesh@test: proven$/m)
    assert.match(err, /^staging: shop-mesh@test: applying\nstaging: as it should be\none-region: shop-mesh@eu-1: applying\n/m)
    assert.match(out, /revision [0-9a-f]{12} is everywhere/)
    // The same names and labels in each cluster.
    const names = contexts.map((context) => Object.keys(cluster(context).documents).toSorted())
    assert.ok(names[0]!.length > 10)
    assert.deepEqual(names[1], names[0])
    assert.match(JSON.stringify(cluster('prod-us-1').documents), /"ostiary\.dev\/target":"shop-mesh"/)
    const { exit: well, rows: found } = await rows()
    assert.equal(well, 0, JSON.stringify(found))
    assert.deepEqual(
      found.map(({ accepted, desired, enforced }) => [accepted === desired, enforced]),
      [
        [true, 'not known'],
        [true, 'not known'],
        [true, 'not known'],
        [true, { count: 1, of: 1, what: 'dataplane' }],
      ],
    )
    assert.match(
      (await run('apply', 'istio', folder, '--diff', '--target', 'shop-mesh@eu-1')).out,
      /^shop-mesh@eu-1: \d+ documents as they should be\n$/,
    )
  })

  test('a changed policy stops at the first cluster that refuses it, and goes on from there', async () => {
    edit('policy/shop.yaml', /actions: \[GET \/healthz\]/, 'actions: [GET /healthz, GET /readyz]')
    put('prod-eu-1', {
      refuses: [
        Object.values(cluster('prod-eu-1').documents).find(({ metadata }) => metadata.name.startsWith('ostiary-allow-health'))!.metadata
          .name,
      ],
    })
    const before = contexts.map(changes)
    const stopped = await run('rollout', folder, '--json')
    assert.equal(stopped.exit, 1)
    const report = JSON.parse(stopped.out) as {
      stopped: { stage: string; place: string; why: string[] }
      stages: { places: { did: string }[] }[]
    }
    assert.deepEqual([report.stopped.stage, report.stopped.place], ['one-region', 'shop-mesh@eu-1'])
    assert.match(report.stopped.why.join(), /admission webhook denied ostiary-allow-health/)
    assert.deepEqual(
      report.stages.map(({ places }) => places.map(({ did }) => did)),
      [['applied'], ['failed'], ['not-reached', 'not-reached']],
    )
    assert.equal(changes('prod-us-1'), before[2])
    assert.deepEqual(
      (await rows()).rows.map(({ ok }) => ok),
      [true, false, false, false],
    )

    put('prod-eu-1', { refuses: [] })
    const staging = changes('staging')
    const gone = await run('rollout', folder)
    assert.equal(gone.exit, 0, gone.out + gone.err)
    assert.match(gone.out, /^staging:\n {2}shop-mesh@test: as it should be already\none-region:\n {2}shop-mesh@eu-1: applied\n/)
    assert.equal(changes('staging'), staging)
  })

  test('what a cluster has that nobody applied stops it before anything is changed there', async () => {
    const { documents } = cluster('staging')
    const foreign = { kind: 'AuthorizationPolicy', metadata: { name: 'theirs', namespace: 'shop' }, spec: { action: 'ALLOW', rules: [{}] } }
    put('staging', { documents: { ...documents, 'AuthorizationPolicy shop/theirs': foreign } })
    edit('policy/shop.yaml', 'GET /readyz', 'GET /livez')
    const before = contexts.slice(1).map(changes)
    const { exit, out } = await run('rollout', folder, '--prune')
    assert.equal(exit, 1)
    assert.match(out, /shop\/theirs: allows something in the same namespace, and is not of this target/)
    assert.deepEqual(contexts.slice(1).map(changes), before)
    put('staging', {
      documents: Object.fromEntries(Object.entries(cluster('staging').documents).filter(([id]) => !id.endsWith('/theirs'))),
    })
    assert.equal((await run('rollout', folder)).exit, 0)
  })

  test('conditions that a cluster reports are told, and no more than that', async () => {
    const { documents } = cluster('staging')
    const [id, first] = Object.entries(documents)[0]!
    const of = (condition: object): void =>
      put('staging', {
        documents: {
          ...documents,
          [id]: { ...first, metadata: { ...first.metadata, generation: 2 }, status: { conditions: [condition, 7, null] } } as typeof first,
        },
      })
    of({ type: 'WaypointAccepted', status: 'True', observedGeneration: 2 })
    const well = await rows('--target', 'shop-mesh@test')
    assert.deepEqual([well.exit, well.rows[0]!.enforced, well.rows[0]!.reported], [0, 'not known', '1 of 1 conditions hold'])
    of({ type: 'WaypointAccepted', status: 'False', message: 'no such Gateway', observedGeneration: 2 })
    const refused = await rows('--target', 'shop-mesh@test')
    assert.equal(refused.exit, 1)
    assert.match(refused.rows[0]!.problems.join(), /its control plane says that `WaypointAccepted` is not so: no such Gateway/)
    of({ type: 'WaypointAccepted', status: 'False', observedGeneration: 1 })
    assert.equal((await rows('--target', 'shop-mesh@test')).exit, 0)
    put('staging', { documents })
  })

  test('one place that does not answer, and no gateway, leave the other rows as they are', async () => {
    edit(
      'ostiary.yaml',
      'doors: {}',
      'doors: { envoy: { listen: 127.0.0.1:18000, nodes: { edge: { listen: 127.0.0.1:1, resources: [orders] } } } }',
    )
    rmSync(fileOf('prod-us-1'))
    const { exit, rows: found } = await rows('--admin', 'http://127.0.0.1:9')
    assert.equal(exit, 1)
    assert.deepEqual(
      found.map(({ name, accepted }) => [name, accepted !== undefined]),
      [
        ['shop-mesh@test', true],
        ['shop-mesh@eu-1', true],
        ['shop-mesh@us-1', false],
        ['pay', true],
        ['envoy/edge', false],
      ],
    )
    assert.match(found[2]!.problems.join(), /context `prod-us-1` failed: Error: no context/)
    assert.match(found[4]!.problems.join(), /http:\/\/127\.0\.0\.1:9/)
    assert.equal((await rows('--target', 'envoy/edge', '--admin', 'http://127.0.0.1:9')).rows.length, 1)
    assert.match((await run('targets', 'status', folder, '--target', 'envoy/other')).err, /there is no Envoy `other`/)
  })

  test('nothing is applied where a target can not be compiled, or two places are one', async () => {
    edit('policy/shop.yaml', 'GET /livez', 'GET /status')
    const before = contexts.slice(0, 2).map(changes)
    edit('ostiary.yaml', '      - plain-headers\n', '')
    const refused = await run('rollout', folder)
    assert.equal(refused.exit, 65)
    assert.equal([...refused.err.matchAll(/error\[target\/can-not-tell\]/g)].length, 1, 'told once for all places')
    edit('ostiary.yaml', '{ context: prod-us-1 }', '{ context: prod-eu-1 }')
    const twice = await run('rollout', folder)
    assert.match(twice.err, /`targets\.shop-mesh@us-1` and `targets\.shop-mesh@eu-1` are both at `prod-eu-1`/)
    assert.deepEqual(contexts.slice(0, 2).map(changes), before)
    edit('ostiary.yaml', /rollout:\n(.*\n){4}/, '')
    edit('ostiary.yaml', '{ context: prod-eu-1 } }', '{ context: prod-us-1 } }')
    const unstaged = await run('rollout', folder)
    assert.match(unstaged.err, /there is no roll-out in the wiring/)
  })
})
