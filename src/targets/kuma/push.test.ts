/** Documents on their way to a control plane and back, against a stand-in for one. */
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import { load } from '../../policy/testdata/world.ts'
import { startStandInKuma, type StandInDataplane, type StandInKuma, type StandInKumaOptions } from '../../testing/standin-kuma.ts'
import type { TargetDocument } from '../target.ts'
import { KumaClient } from './client.ts'
import { differences } from './compare.ts'
import { checkVersion, isEnforced, look, prune, putAll, type PushInput } from './push.ts'
import { compiled, kumaConfig, LABELS } from './testdata/world.ts'

const WEB = 'spiffe://default.zone1.mesh.local/ns/shop/sa/web'
const SHOP: StandInDataplane = {
  name: 'shop-1',
  labels: { ...LABELS, zone: 'a' },
  inbounds: [{ port: 8000, name: 'http', protocol: 'http' }],
  tls: 'strict',
}
const POLICY = "rules: [{ id: r, role: authenticated, resource: [orders, wiki], actions: ['GET /**'] }]\n"

const planes: StandInKuma[] = []
afterEach(async () => {
  await Promise.all(planes.splice(0).map((one) => one.close()))
})

interface Begun {
  readonly client: KumaClient
  readonly input: PushInput
  readonly plane: StandInKuma
}

async function begin(
  options: Partial<StandInKumaOptions> = {},
  more: object = {},
  token: string | undefined = 'user-token',
): Promise<Begun> {
  const plane = await startStandInKuma({ version: '2.14.3', dataplanes: [SHOP], ...options })
  planes.push(plane)
  const client = new KumaClient({
    url: plane.origin,
    mesh: 'default',
    token: token === undefined ? undefined : new Secret(token),
    fetch,
    clock: systemClock,
  })
  const config = kumaConfig(more)
  const { policy } = load(POLICY)
  const { documents, diagnostics } = compiled({ policy: policy!, config })
  assert.deepEqual(diagnostics, [])
  return { client, input: { name: 'mesh', gateway: 'gate', config, documents }, plane }
}

const workload = (more: object = {}): object => ({ labels: LABELS, inbound: { port: 8000, name: 'http', protocol: 'http' }, ...more })
const withPeers = {
  workloads: { orders: workload({ peers: [{ exact: WEB }], strictTls: true }), wiki: workload({ peers: [{ exact: WEB }] }) },
}

function refusal(code: string, text: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof OstiaryError && error.code === code && text.test(error.message)
}

describe('a control plane', () => {
  for (const [version, told] of [
    ['2.13', '2.13.7'],
    ['2.14', '2.14.3'],
    ['3.0', '3.0.0-preview.v1'],
  ] as const)
    test(`keeps what ${version} knows, and its dataplanes enforce it`, async () => {
      const { client, input, plane: at } = await begin({ version: told }, { version, ...withPeers, logs: { backend: 'otel' } })
      assert.equal(await checkVersion(client, input), told)
      const before = await look(client, input)
      assert.deepEqual(
        before.documents.map(({ kind, missing }) => [kind, missing]),
        [
          ['MeshTLS', true],
          ['MeshProxyPatch', true],
          ['MeshTrafficPermission', true],
          ['MeshAccessLog', true],
        ],
      )
      assert.deepEqual(before.dataplanes, [{ dataplane: 'shop-1', problems: ['`inbound:127.0.0.1:8000`: none of the filters is there'] }])
      assert.equal(isEnforced(before), false)
      assert.deepEqual(await putAll(client, input), [])
      const order = at.asked.filter(({ method }) => method === 'PUT').map(({ path }) => path.split('/')[3])
      assert.deepEqual(order, ['meshtlses', 'meshproxypatches', 'meshtrafficpermissions', 'meshaccesslogs'])
      const after = await look(client, input)
      assert.deepEqual(
        after.documents.flatMap((one) => one.differences),
        [],
      )
      assert.deepEqual(after.dataplanes, [{ dataplane: 'shop-1', problems: [] }])
      assert.equal(isEnforced(after), true)
    })

  test('of another version is left alone', async () => {
    const { client, input } = await begin({ version: '2.14.3' }, { version: '3.0' })
    await assert.rejects(
      checkVersion(client, input),
      refusal('target/control-plane-version', /is version 2\.14\.3, and target `mesh` is compiled for 3\.0/),
    )
    const { client: second, input: like } = await begin({ version: '2.140.0' })
    await assert.rejects(checkVersion(second, like), refusal('target/control-plane-version', /2\.140\.0/))
  })

  test('warns, and its warnings are shown', async () => {
    const legacy = { workloads: { orders: workload({ peers: [{ service: 'web' }] }), wiki: workload({ peers: [{ service: 'web' }] }) } }
    const { client, input } = await begin({}, legacy)
    assert.deepEqual(await putAll(client, input), ['`ostiary-mesh-orders-8000`: `from` field is deprecated, use `rules`'])
  })

  test('that drops a field without a word is found out', async () => {
    const legacy = { workloads: { orders: workload({ peers: [{ service: 'web' }] }), wiki: workload({ peers: [{ service: 'web' }] }) } }
    const { client, input } = await begin({ version: '3.0.0' }, legacy)
    await putAll(client, input)
    const { documents } = await look(client, input)
    assert.deepEqual(
      documents.flatMap((one) => one.differences),
      ['`spec.from` is gone'],
    )
  })

  test('that rejects a document says which field, and nothing after it is applied', async () => {
    const { client, input, plane: at } = await begin({ version: '3.0.0' }, { version: '3.0', ...withPeers })
    const [tls, patch, ...others] = input.documents
    const wrong = { ...patch, spec: { ...(patch!['spec'] as object), targetRef: { kind: 'MeshSubset', tags: {} } } } as TargetDocument
    await assert.rejects(
      putAll(client, { ...input, documents: [tls!, wrong, ...others] }),
      refusal('target/rejected', /`ostiary-mesh-orders`: `spec\.targetRef\.kind` value is not supported/),
    )
    assert.deepEqual([...at.stored.keys()], ['meshtlses/ostiary-mesh-orders'])
  })

  test('on Kubernetes takes nothing, and says how', async () => {
    const { client, input } = await begin({ mode: 'kubernetes' })
    await assert.rejects(putAll(client, input), (error: OstiaryError) => {
      assert.equal(error.code, 'target/read-only')
      assert.match(error.help, /kubectl apply --server-side/)
      return true
    })
  })

  test('without a token takes policies from anybody, and tells nobody what dataplanes run', async () => {
    const { client, input, plane: at } = await begin({}, {}, undefined)
    const anonymous = new KumaClient({ url: at.origin, mesh: 'default', token: undefined, fetch, clock: systemClock })
    assert.equal(await anonymous.answersAnybody(), true)
    assert.deepEqual(await putAll(anonymous, input), [])
    await assert.rejects(look(anonymous, input), refusal('target/control-plane', /_config as it should: status 403: Access Denied/))
    assert.ok(client instanceof KumaClient)
  })

  test('that does not answer leaves everything as it is', async () => {
    const { client, input, plane: at } = await begin()
    await at.close()
    await assert.rejects(putAll(client, input), refusal('target/control-plane', /no connection/))
  })
})

describe('what somebody else changes', () => {
  test('in a document is told field by field', async () => {
    const { client, input, plane: at } = await begin({}, withPeers)
    await putAll(client, input)
    const key = 'meshtrafficpermissions/ostiary-mesh-orders-8000'
    const kept = at.stored.get(key)!
    const allow = [{ spiffeID: { type: 'Prefix', value: 'spiffe://' } }]
    const spec = kept['spec'] as { readonly rules: readonly object[] }
    at.stored.set(key, { ...kept, spec: { ...spec, rules: [...spec.rules, { default: { allow } }] } })
    const looked = await look(client, input)
    assert.deepEqual(
      looked.documents.flatMap((one) => one.differences),
      ['`spec.rules` has 2 entries, and not 1'],
    )
    assert.equal(isEnforced(looked), false)
  })

  test('is found by a dataplane without its filters, by whatever it lost them', async () => {
    const { client, input, plane: at } = await begin()
    await putAll(client, input)
    const remove = { httpFilter: { operation: 'Remove', match: { name: 'ostiary.callers', origin: 'inbound' } } }
    const patch = (name: string, labels: object) => ({
      type: 'MeshProxyPatch',
      mesh: 'default',
      name,
      labels: {},
      spec: { targetRef: { kind: 'Dataplane', labels }, default: { appendModifications: [remove] } },
    })
    // Of the same level, the one with the least name comes last.
    at.stored.set('meshproxypatches/aa', patch('aa', LABELS))
    at.stored.set('meshproxypatches/other', patch('other', { app: 'other' }))
    const looked = await look(client, input)
    assert.match(looked.dataplanes[0]!.problems[0]!, /filters are ostiary\.jwt_authn, ostiary\.guardrails/)
    assert.deepEqual(looked.warnings, ['MeshProxyPatch `aa` of somebody else changes the same dataplanes'])
    assert.equal(isEnforced(looked), false)
  })

  test('of a filter’s content is found, though its name is there', async () => {
    const { client, input, plane: at } = await begin()
    await putAll(client, input)
    const key = 'meshproxypatches/ostiary-mesh-orders'
    const text = JSON.stringify(at.stored.get(key))
    const cut = text.indexOf('ostiary.rules')
    const wider = text.slice(0, cut) + text.slice(cut).replace(String.raw`{\"prefix\":\"/\"}`, String.raw`{\"prefix\":\"/x\"}`)
    assert.notEqual(wider, text)
    at.stored.set(key, JSON.parse(wider) as Readonly<Record<string, unknown>>)
    const looked = await look(client, input)
    assert.deepEqual(looked.dataplanes[0]!.problems, ['`inbound:127.0.0.1:8000`: `ostiary.rules` says something else'])
  })

  test('of settings by which paths are read is found', async () => {
    const { client, input, plane: at } = await begin()
    await putAll(client, input)
    const key = 'meshproxypatches/ostiary-mesh-orders'
    at.stored.set(
      key,
      JSON.parse(
        JSON.stringify(at.stored.get(key)).replace(String.raw`\"mergeSlashes\":true`, String.raw`\"mergeSlashes\":false`),
      ) as Readonly<Record<string, unknown>>,
    )
    const looked = await look(client, input)
    assert.deepEqual(looked.dataplanes[0]!.problems, ['`inbound:127.0.0.1:8000`: `mergeSlashes` is not true'])
  })
})

describe('what is no part of the target any more', () => {
  test('is told, and removed when asked for: what lets in before what takes away', async () => {
    const { client, input, plane: at } = await begin({}, withPeers)
    await putAll(client, input)
    const other = { ...input, documents: [] }
    const { stale } = await look(client, other)
    assert.deepEqual(stale.map(({ kind }) => kind).toSorted(), ['MeshProxyPatch', 'MeshTLS', 'MeshTrafficPermission'])
    // Those of another target and of another gateway are theirs.
    assert.deepEqual((await look(client, { ...other, name: 'second' })).stale, [])
    assert.deepEqual((await look(client, { ...other, gateway: 'another' })).stale, [])
    await prune(client, stale)
    assert.deepEqual([...at.stored.keys()], [])
    const order = at.asked.filter(({ method }) => method === 'DELETE').map(({ path }) => path.split('/')[3])
    assert.deepEqual(order, ['meshtrafficpermissions', 'meshproxypatches', 'meshtlses'])
  })
})

describe('dataplanes', () => {
  test('that don’t speak http, or aren’t there, enforce nothing, and that is said', async () => {
    const tcp: StandInDataplane = { name: 'shop-2', labels: LABELS, inbounds: [{ port: 8000, name: 'http' }] }
    const elsewhere: StandInDataplane = { name: 'shop-3', labels: LABELS, inbounds: [{ port: 8001, protocol: 'http' }] }
    const { client, input } = await begin({ dataplanes: [tcp, elsewhere] })
    await putAll(client, input)
    assert.deepEqual((await look(client, input)).dataplanes, [
      {
        dataplane: 'shop-2',
        problems: [
          'its inbound on port 8000 says protocol `tcp`, and not `http`',
          '`inbound:127.0.0.1:8000`: it does not speak http: nothing is enforced',
        ],
      },
      { dataplane: 'shop-3', problems: ['it has no inbound on port 8000', 'no listener for port 8000'] },
    ])
    const { client: second, input: same } = await begin({ dataplanes: [] })
    await putAll(second, same)
    const looked = await look(second, same)
    assert.deepEqual(looked.dataplanes, [{ dataplane: '{ app: shop }', problems: ['no dataplane has these labels'] }])
    assert.equal(isEnforced(looked), false)
  })

  test('that have rejected what they were told are named', async () => {
    const { client, input } = await begin({
      dataplanes: [
        { ...SHOP, rejected: 2 },
        { ...SHOP, name: 'other', labels: { app: 'other' }, rejected: 1 },
      ],
    })
    await putAll(client, input)
    assert.deepEqual((await look(client, input)).warnings, [
      'the Envoy of dataplane shop-1 has rejected 2 configurations since it connected, and kept what it had: its log says why',
    ])
  })

  test('are looked at all, however many', async () => {
    const dataplanes = Array.from({ length: 230 }, (_, index) => ({
      ...SHOP,
      name: `shop-${index}`,
      labels: index % 23 === 0 ? LABELS : { app: 'x' },
    }))
    const { client, input } = await begin({ dataplanes })
    await putAll(client, input)
    assert.equal((await look(client, input)).dataplanes.length, 10)
  })
})

test('differences are told by their place, and what a control plane adds of its own is none', () => {
  const sent = { name: 'a', labels: { x: '1' }, spec: { rules: [{ a: 1, b: [1, 2] }] } }
  assert.deepEqual(differences(sent, { ...sent, labels: { x: '1', 'kuma.io/mesh': 'default' }, creationTime: 'now' }), [])
  assert.deepEqual(differences(sent, { ...sent, labels: { x: '2' }, other: 1, spec: { rules: [{ b: [1], c: 1 }] } }), [
    '`labels.x` says something else',
    '`spec.rules[0].a` is gone',
    '`spec.rules[0].b` has 1 entries, and not 2',
    '`spec.rules[0].c` was added',
    '`other` was added',
  ])
})
