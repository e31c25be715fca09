/** A dry run of a mesh, against a stand-in for its control plane: what would become of dataplanes, and nothing of it enforced or left. */
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import { load } from '../../policy/testdata/world.ts'
import { startStandInKuma, type StandInDataplane, type StandInKuma, type StandInKumaOptions } from '../../testing/standin-kuma.ts'
import { KumaClient } from './client.ts'
import { isEnforced, look, prune, putAll, type PushInput } from './push.ts'
import { shadowsOf, tryOut, type TriedDataplane } from './shadow.ts'
import { compiled, kumaConfig, LABELS } from './testdata/world.ts'
import { documentProblems } from './validate.ts'

const SHOP: StandInDataplane = {
  name: 'shop-1',
  labels: LABELS,
  inbounds: [{ port: 8000, name: 'http', protocol: 'http' }],
  tls: 'strict',
}
const WEB = 'spiffe://default.zone1.mesh.local/ns/shop/sa/web'

const planes: StandInKuma[] = []
afterEach(async () => {
  await Promise.all(planes.splice(0).map((one) => one.close()))
})

const workload = (more: object = {}): object => ({ labels: LABELS, inbound: { port: 8000, name: 'http', protocol: 'http' }, ...more })

function inputOf(actions: string, more: object = {}): PushInput {
  const { policy } = load(`rules: [{ id: r, role: authenticated, resource: [orders, wiki], actions: ['${actions}'] }]\n`)
  const config = kumaConfig(more)
  const { documents, diagnostics } = compiled({ policy: policy!, config })
  assert.deepEqual(diagnostics, [])
  return { name: 'mesh', gateway: 'gate', config, documents }
}

async function begin(options: Partial<StandInKumaOptions> = {}): Promise<{ readonly client: KumaClient; readonly plane: StandInKuma }> {
  const plane = await startStandInKuma({ version: '2.14.3', dataplanes: [SHOP], ...options })
  planes.push(plane)
  const token = new Secret('user-token')
  return { client: new KumaClient({ url: plane.origin, mesh: 'default', token, fetch, clock: systemClock }), plane }
}

const once = (client: KumaClient, input: PushInput): Promise<readonly TriedDataplane[]> =>
  tryOut(client, input, () => Promise.resolve(true))
const stored = ({ stored: all }: StandInKuma): string => JSON.stringify([...all])

describe('a dry run', () => {
  for (const version of ['2.13', '2.14', '3.0'] as const)
    test(`writes what ${version} knows, with a label by which nothing is enforced, under names of its own`, () => {
      const peers = { peers: [{ exact: WEB }], strictTls: true }
      const { documents } = inputOf('GET /**', {
        version,
        workloads: { orders: workload(peers), wiki: workload(peers) },
        logs: { backend: 'otel' },
      })
      const shadows = shadowsOf(documents)
      assert.deepEqual(
        shadows.map(({ type, name, labels }) => [type, name, (labels as Readonly<Record<string, unknown>>)['kuma.io/effect']]),
        documents.map(({ type, name }) => [type, `dry-run-${String(name)}`, 'shadow']),
      )
      for (const one of shadows) assert.deepEqual(documentProblems(one, { version, mode: 'universal' }), [])
    })

  test('says what there would be where nothing is yet, and leaves nothing', async () => {
    const { client, plane } = await begin()
    const input = inputOf('GET /**')
    const [tried, ...others] = await once(client, input)
    assert.deepEqual([tried!.dataplane, tried!.problems, others], ['shop-1', [], []])
    assert.ok(
      tried!.changes.some((one) => one.includes('/httpFilters/')),
      tried!.changes.join(),
    )
    assert.equal(plane.stored.size, 0)
    assert.deepEqual((await look(client, input)).dataplanes, [
      { dataplane: 'shop-1', problems: ['`inbound:127.0.0.1:8000`: none of the filters is there'] },
    ])
  })

  test('stands in the place of what is in force, and is not added to it', async () => {
    const { client, plane } = await begin()
    const [before, after] = [inputOf('GET /**'), inputOf('GET /a/**')]
    await putAll(client, before)
    const there = stored(plane)
    assert.deepEqual(await once(client, before), [{ dataplane: 'shop-1', problems: [], changes: [] }])
    const [tried] = await once(client, after)
    assert.deepEqual(tried!.problems, [])
    // Nothing but what is granted is another.
    assert.ok(tried!.changes.length > 0)
    for (const one of tried!.changes) assert.match(one, /\/httpFilters\/\d+\/typedConfig\/rules\//)
    assert.equal(stored(plane), there)
    assert.equal(isEnforced(await look(client, before)), true)
  })

  test('enforces nothing while it is there', async () => {
    const { client, plane } = await begin()
    const [before, after] = [inputOf('GET /**'), inputOf('GET /a/**')]
    await putAll(client, before)
    const looked: unknown[] = []
    await tryOut(client, after, async () => {
      assert.equal(plane.stored.size, 2 * before.documents.length)
      const { documents, stale, dataplanes, warnings } = await look(client, before)
      looked.push([
        documents.flatMap(({ differences }) => differences),
        stale,
        dataplanes,
        warnings.filter((one) => one.includes('only tried')),
      ])
      return true
    })
    assert.deepEqual(looked, [
      [
        [],
        [],
        [{ dataplane: 'shop-1', problems: [] }],
        ['MeshProxyPatch `dry-run-ostiary-mesh-orders` is only tried, and enforces nothing (`--prune` removes it)'],
      ],
    ])
  })

  test('says of a dataplane that it would enforce nothing', async () => {
    const tcp: StandInDataplane = { name: 'shop-2', labels: LABELS, inbounds: [{ port: 8000, name: 'http' }] }
    const { client } = await begin({ dataplanes: [SHOP, tcp] })
    const tried = await once(client, inputOf('GET /**'))
    assert.deepEqual(
      tried.map(({ dataplane, problems }) => [dataplane, problems.length > 0]),
      [
        ['shop-1', false],
        ['shop-2', true],
      ],
    )
    const { client: alone } = await begin({ dataplanes: [] })
    assert.deepEqual(await once(alone, inputOf('GET /**')), [
      { dataplane: '{ app: shop }', problems: ['no dataplane has these labels'], changes: [] },
    ])
  })

  test('is ended where the label is not kept, for that would be enforced, and is removed at once', async () => {
    const { client, plane } = await begin({ loses: 'kuma.io/effect' })
    await assert.rejects(
      once(client, inputOf('GET /**')),
      (error) =>
        error instanceof OstiaryError && error.code === 'target/rejected' && /keeps no label `kuma\.io\/effect`/.test(error.message),
    )
    assert.equal(plane.stored.size, 0)
  })

  test('touches nothing of somebody else’s that has its name', async () => {
    const { client, plane } = await begin()
    const theirs = { type: 'MeshProxyPatch', mesh: 'default', name: 'dry-run-ostiary-mesh-orders', labels: {}, spec: {} }
    plane.stored.set('meshproxypatches/dry-run-ostiary-mesh-orders', theirs)
    await assert.rejects(once(client, inputOf('GET /**')), /there is one of that name that is in force/)
    assert.equal(stored(plane), JSON.stringify([['meshproxypatches/dry-run-ostiary-mesh-orders', theirs]]))
  })

  test('is removed, too, where what is asked fails', async () => {
    const { client, plane } = await begin()
    await assert.rejects(
      tryOut(client, inputOf('GET /**'), () => Promise.reject(new Error('ended'))),
      /ended/,
    )
    assert.equal(plane.stored.size, 0)
  })
})

test('what a dry run has left is told, and removed when that is asked for', async () => {
  const { client, plane } = await begin()
  const input = inputOf('GET /**')
  await putAll(client, input)
  for (const one of shadowsOf(input.documents)) await client.put(one)
  const { tried } = await look(client, input)
  assert.deepEqual(tried, [{ kind: 'MeshProxyPatch', name: 'dry-run-ostiary-mesh-orders' }])
  await prune(client, tried)
  assert.deepEqual([...plane.stored.keys()], ['meshproxypatches/ostiary-mesh-orders'])
})

test('a document that somebody has made a dry run of is not as it should be, and enforces nothing', async () => {
  const { client, plane } = await begin()
  const input = inputOf('GET /**')
  await putAll(client, input)
  const [key, kept] = [...plane.stored][0]!
  plane.stored.set(key, { ...kept, labels: { ...(kept['labels'] as object), 'kuma.io/effect': 'shadow' } })
  const looked = await look(client, input)
  assert.deepEqual(
    looked.documents.flatMap(({ differences }) => differences),
    ['`labels.kuma.io/effect` was added'],
  )
  assert.deepEqual(looked.dataplanes, [{ dataplane: 'shop-1', problems: ['`inbound:127.0.0.1:8000`: none of the filters is there'] }])
  assert.equal(isEnforced(looked), false)
})
