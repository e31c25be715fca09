import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Admitted } from '../../core/pipeline.ts'
import type { GatewayEvent } from '../../core/record.ts'
import { ManualClock } from '../../testing/clock.ts'
import { character } from '../../testing/text.ts'
import { Auditing } from './auditing.ts'
import { resourceSchema } from './schema.ts'

const START = Date.UTC(2026, 10, 22, 10)

type Event = Readonly<Record<string, unknown>>

class World {
  readonly clock = new ManualClock(START)
  readonly notes: GatewayEvent[] = []
  readonly counts = new Map<string, number>()
  fails = false
  readonly #config = resourceSchema.parse({
    protocol: 'kubernetes',
    server: 'https://10.0.0.1',
    credential: { token: { file: 't' } },
    webhook: { components: ['gateway'] },
  })
  readonly auditing = new Auditing({
    clock: this.clock,
    meter: {
      count: (_name, labels = {}, by = 1) => {
        const { finding } = labels as { finding: string }
        this.counts.set(finding, (this.counts.get(finding) ?? 0) + by)
      },
    },
    note: (event) => {
      if (this.fails) return Promise.reject(new Error('full'))
      this.notes.push(event)
      return Promise.resolve()
    },
  })

  /** A decision of the door about a request for a pod. */
  decided(
    id: string,
    kind: 'allowed' | 'denied' = 'allowed',
    principal = { issuer: 'people', subject: 'anna' },
    decision: object = { rule: 'look' },
  ): void {
    const base = {
      protocol: 'kubernetes',
      verb: 'get',
      group: '',
      resource: 'pods',
      subresource: '',
      namespace: 'shop',
      name: 'web',
      path: '',
    }
    this.auditing.decided({
      id,
      time: this.clock.now(),
      verdict: { kind, decision },
      principal,
      exchange: { resource: 'bed', action: base },
    } as unknown as Admitted)
  }

  /** One that the API server got by way of the gateway; `more` for any other. */
  event(auditID: string, more: Event = {}): Event {
    return {
      level: 'Metadata',
      auditID,
      stage: 'ResponseComplete',
      requestURI: '/api/v1/namespaces/shop/pods/web?secret=1',
      verb: 'get',
      user: { username: 'gateway', groups: ['system:authenticated'] },
      impersonatedUser: { username: 'ostiary:people:anna', groups: ['ostiary:reader'] },
      sourceIPs: ['203.0.113.9', '10.0.0.5'],
      objectRef: { resource: 'pods', namespace: 'shop', name: 'web', apiVersion: 'v1' },
      responseStatus: { code: 200 },
      requestReceivedTimestamp: new Date(this.clock.now() + 5).toISOString(),
      responseObject: { kind: 'Secret', data: { password: 'aHVudGVyMg==' } },
      ...more,
    }
  }

  direct(auditID: string, more: Event = {}): Event {
    return this.event(auditID, { user: { username: 'ostiary:people:anna' }, impersonatedUser: undefined, ...more })
  }

  async tell(...items: readonly unknown[]): Promise<number> {
    const list = { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items }
    return (await this.auditing.answer(Buffer.from(JSON.stringify(list)), 'bed', this.#config)).status
  }

  get told(): readonly unknown[] {
    return this.notes.map(({ details }) => [details['finding'], details['user'], details['verbs'], details['source'], details['count']])
  }
}

describe('what an API server tells of requests', () => {
  test('is nothing to note where the door let them through', async () => {
    const world = new World()
    world.decided('d1')
    assert.equal(await world.tell(world.event('d1')), 200)
    assert.deepEqual([world.notes, [...world.counts]], [[], [['joined', 1]]])
  })
  test('is nothing to note of who came without a credential and goes on as nobody', async () => {
    const world = new World()
    world.decided('d1', 'allowed', { issuer: '', subject: '' })
    world.decided('d2', 'allowed', { issuer: '', subject: '' })
    const as = (username: string): Event => ({ impersonatedUser: { username, groups: ['system:unauthenticated'] } })
    await world.tell(world.event('d1', as('system:anonymous')), world.event('d2', as('system:admin')))
    assert.deepEqual(
      [...world.counts],
      [
        ['joined', 1],
        ['someone-else', 1],
      ],
    )
  })
  test('is noted where they came by another way, without their data and queries', async () => {
    const world = new World()
    assert.equal(await world.tell(world.direct('x')), 200)
    assert.deepEqual(world.notes, [
      {
        kind: 'cluster-audit',
        time: START,
        details: {
          cluster: 'bed',
          finding: 'bypassed',
          user: 'ostiary:people:anna',
          verbs: 'read',
          source: '10.0.0.5',
          auditId: 'x',
          first: 'get pods web -n shop',
          at: '2026-11-22T10:00:00.005Z',
          count: 1,
        },
      },
    ])
  })
  test('is noted with the decision whose id it came with', async () => {
    const world = new World()
    world.decided('d1')
    world.decided('d2', 'denied')
    await world.tell(world.event('d1', { objectRef: { resource: 'secrets', namespace: 'shop', name: 'web' } }), world.event('d2'))
    const details = world.notes.map((one) => one.details)
    assert.deepEqual(
      details.map(({ finding, decision, expected, actual, as }) => [finding, decision, expected, actual, as]),
      [
        ['differs', 'd1', 'get pods web -n shop', 'get secrets web -n shop', 'ostiary:people:anna'],
        ['denied', 'd2', undefined, undefined, 'ostiary:people:anna'],
      ],
    )
  })
  test('is noted of who is alike once a minute, with how many there were', async () => {
    const world = new World()
    await world.tell(world.direct('a'), world.direct('b'), world.direct('c', { verb: 'delete' }))
    assert.deepEqual(world.told, [
      ['bypassed', 'ostiary:people:anna', 'read', '10.0.0.5', 2],
      ['bypassed', 'ostiary:people:anna', 'write', '10.0.0.5', 1],
    ])
    for (let i = 0; i < 10; i++) await world.tell(world.direct(`more-${i}`))
    assert.equal(world.notes.length, 2)
    world.clock.advance(60_000)
    await world.tell(world.direct('last'))
    assert.deepEqual(world.told.slice(2), [['bypassed', 'ostiary:people:anna', 'read', '10.0.0.5', 11]])
    await world.tell(world.direct('anew'))
    assert.deepEqual(world.told.slice(3), [['bypassed', 'ostiary:people:anna', 'read', '10.0.0.5', 1]], 'the next minute has begun')
    assert.equal(world.counts.get('bypassed'), 15)
  })
  test('is counted alone where parts of the cluster do what they do', async () => {
    const world = new World()
    const of = (username: string): Event => world.direct(username, { user: { username } })
    await world.tell(of('system:node:n1'), of('system:serviceaccount:a:b'), of('gateway'))
    assert.deepEqual([world.notes, [...world.counts]], [[], [['component', 3]]])
  })
  test('is said to be untold of where it was before the gateway remembers', async () => {
    const world = new World()
    await world.tell(world.direct('x', { requestReceivedTimestamp: '2026-11-22T09:59:59.000Z' }))
    assert.deepEqual(world.told, [['untold', 'ostiary:people:anna', 'read', '10.0.0.5', 1]])
  })
  test('is told once of one request, whatever comes of it later', async () => {
    const world = new World()
    await world.tell(world.direct('x', { stage: 'ResponseStarted' }), world.direct('x'))
    await world.tell(world.direct('x', { stage: 'Panic' }))
    assert.equal(world.counts.get('bypassed'), 1)
  })
  test('is not acknowledged before it is noted, and noted when it comes again', async () => {
    const world = new World()
    world.fails = true
    const event = world.direct('x')
    assert.equal(await world.tell(event), 500)
    world.fails = false
    assert.equal(await world.tell(event), 200)
    assert.deepEqual(world.told, [['bypassed', 'ostiary:people:anna', 'read', '10.0.0.5', 1]])
  })
  test('is noted once where batches come side by side', async () => {
    const world = new World()
    assert.deepEqual(
      await Promise.all([world.tell(world.direct('a')), world.tell(world.direct('b')), world.tell(world.direct('c'))]),
      [200, 200, 200],
    )
    assert.equal(world.notes.length, 1)
    world.clock.advance(60_000)
    await world.tell()
    const counts = world.notes.map(({ details }) => Number(details['count']))
    assert.equal(
      counts.reduce((sum, one) => sum + one, 0),
      3,
      'each request counts once',
    )
    await world.tell(world.direct('d'))
    assert.equal(world.notes.at(-1)!.details['count'], 1)
  })
  test('is bounded by how many are told apart', async () => {
    const world = new World()
    const many = Array.from({ length: 700 }, (_, i) => world.direct(`id-${i}`, { user: { username: `u${i}` } }))
    await world.tell(...many)
    assert.equal(world.notes.length, 501)
    const { user, count } = world.notes.at(-1)!.details
    assert.deepEqual([user, count, world.counts.get('bypassed')], ['others', 200, 700])
  })
  test('shows what was let through and never reached it', async () => {
    const world = new World()
    world.decided('d1')
    world.decided('d2')
    world.decided('d3', 'denied')
    await world.tell(world.event('d1'))
    world.clock.advance(5 * 60_000)
    await world.tell()
    world.clock.advance(6 * 60_000)
    await world.tell()
    assert.equal(world.counts.get('ours-unseen'), 1)
  })
  test('is believed of what was let through while it is served, and no longer', () => {
    const world = new World()
    world.decided('d1')
    world.decided('d2', 'denied')
    world.decided('in-part', 'allowed', undefined, { inPart: true })
    world.decided('observed', 'allowed', undefined, {})
    const found = (cluster: string, id: string): string | undefined => world.auditing.letThrough(cluster, id)?.id
    assert.deepEqual(
      [found('bed', 'd1'), found('bed', 'd2'), found('bed', 'd3'), found('other', 'd1')],
      ['d1', undefined, undefined, undefined],
    )
    assert.deepEqual([found('bed', 'in-part'), found('bed', 'observed')], ['in-part', undefined])
    world.clock.advance(60_001)
    assert.equal(found('bed', 'd1'), undefined)
  })
  test('is refused where it is no list of events', async () => {
    const { auditing } = new World()
    const config = resourceSchema.parse({ protocol: 'kubernetes' })
    for (const text of [
      '',
      '[]',
      '{"kind":"EventList","items":[]}',
      '{"kind":"EventList","apiVersion":"audit.k8s.io/v1beta1","items":[]}',
      '{"kind":"Event","apiVersion":"audit.k8s.io/v1"}',
    ]) {
      const { status, body } = await auditing.answer(Buffer.from(text), 'bed', config)
      assert.equal(status, 400, text)
      assert.match(body, /what is told of requests is no list of events/)
    }
  })
  test('is read whatever it holds', async () => {
    const part = fc.oneof(
      fc.string({ unit: character }),
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom('ResponseComplete', '2026-11-22T10:00:00Z', 'd1'),
    )
    const event = fc.dictionary(
      fc.constantFrom(
        'auditID',
        'stage',
        'requestURI',
        'verb',
        'user',
        'impersonatedUser',
        'sourceIPs',
        'objectRef',
        'requestReceivedTimestamp',
        '__proto__',
      ),
      part,
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(event, part), { maxLength: 5 }), async (items) => {
        const world = new World()
        world.decided('d1')
        assert.equal(await world.tell(...items), 200)
      }),
      { numRuns: 200 },
    )
  })
})
