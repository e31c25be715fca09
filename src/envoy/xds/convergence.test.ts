import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ManualClock } from '../../testing/clock.ts'
import { readable } from '../any.ts'
import { delta } from './delta.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { snapshotOf, SCHEMAS, type Snapshot } from './snapshot.ts'
import { stateOfTheWorld } from './sotw.ts'
import { NodeStream, type DiscoveryMessage } from './stream.ts'
import { cluster, endpoints, extension, listener, route, secret } from './testing.ts'
import { POISON, TestNode } from './testdata/node.ts'
import { eachKind, KINDS, type Kind } from './types.ts'
import type { Variant } from './variant.ts'
import { fromBinary } from '@bufbuild/protobuf'
import { runs } from '../../testing/runs.ts'

/** One node with its stream, and the slow wire between them. */
class World {
  readonly clock = new ManualClock()
  readonly node: TestNode
  stream: NodeStream<DiscoveryMessage> | undefined
  snapshot: Snapshot | undefined
  ended: string | undefined
  readonly #slow: boolean
  readonly #writes: (() => void)[] = []
  #streams = 0

  constructor(variant: 'delta' | 'sotw', slow: boolean) {
    this.node = new TestNode(variant)
    this.#slow = slow
  }

  connect(): void {
    this.stream?.close()
    this.#writes.length = 0
    const { node } = this
    const variant = (node.variant === 'delta' ? delta(DEFAULT_LIMITS) : stateOfTheWorld()) as unknown as Variant<DiscoveryMessage>
    const stream = new NodeStream(`s${++this.#streams}`, variant, this.clock, DEFAULT_LIMITS, {
      send: (bytes, done) => {
        if (stream !== this.stream) return
        node.inbox.push(bytes)
        if (this.#slow) this.#writes.push(done)
        else done()
      },
      end: (refusal) => (this.ended = refusal.message),
      fault: (error) => {
        throw error
      },
      changed: () => undefined,
    })
    this.stream = stream
    if (this.snapshot !== undefined) stream.publish(this.snapshot)
    node.connect((request) => stream.receive(request))
  }

  publish(snapshot: Snapshot): void {
    this.snapshot = snapshot
    this.stream?.publish(snapshot)
  }

  /** The node looks at one response. */
  step(): boolean {
    const seen = this.node.read()
    this.#writes.shift()?.()
    return seen
  }

  settle(): void {
    for (let rounds = 0; this.step(); rounds++) assert.ok(rounds < 10_000, 'it never comes to rest')
  }
}

type Target = { readonly cluster: number } | 'poison' | 'fixed'
interface Plan {
  readonly clusters: readonly { readonly id: number; readonly how: 'static' | 'eds' | 'poison'; readonly seconds: number }[]
  readonly listeners: readonly {
    readonly id: number
    readonly at: 'own' | 'shared'
    readonly route: number
    readonly extensions: readonly number[]
    readonly secret: boolean
    readonly asks: boolean
    readonly bad: boolean
  }[]
  readonly routes: readonly (readonly Target[])[]
  readonly value: string
}

const id = fc.integer({ min: 0, max: 3 })
const plans = (poison: boolean): fc.Arbitrary<Plan> =>
  fc.record({
    clusters: fc.uniqueArray(
      fc.record({
        id,
        how: fc.constantFrom(...(poison ? (['static', 'eds', 'poison'] as const) : (['static', 'eds'] as const))),
        seconds: fc.constantFrom(1, 2),
      }),
      { selector: (one) => one.id, minLength: 1, maxLength: 4 },
    ),
    listeners: fc.uniqueArray(
      fc.record({
        id,
        at: fc.constantFrom('own', 'shared'),
        route: fc.constantFrom(0, 1),
        extensions: fc.uniqueArray(fc.constantFrom(0, 1), { maxLength: 2 }),
        secret: fc.boolean(),
        asks: fc.boolean(),
        bad: poison ? fc.boolean() : fc.constant(false),
      }),
      { selector: (one) => one.id, maxLength: 3 },
    ),
    routes: fc.array(
      fc.array(fc.oneof(fc.record({ cluster: id }), fc.constant('fixed' as const), ...(poison ? [fc.constant('poison' as const)] : [])), {
        minLength: 1,
        maxLength: 3,
      }),
      { minLength: 2, maxLength: 2 },
    ),
    value: fc.constantFrom('a', 'b', ...(poison ? [POISON] : [])),
  })

/** A consistent snapshot of a plan: what it names and isn't there becomes the first cluster. One listener at most has the shared port. */
function snapshotFor({ clusters, listeners, routes, value }: Plan): Snapshot {
  const there = (wanted: number): string => `c${(clusters.find(({ id }) => id === wanted) ?? clusters[0]!).id}`
  const shared = listeners.find(({ at }) => at === 'shared')
  const used = new Set(listeners.map((one) => one.route))
  const extensions = new Set(listeners.flatMap((one) => one.extensions))
  const edges = clusters.filter(({ how }) => how === 'eds')
  return snapshotOf({
    cluster: clusters.map(({ id, how, seconds }) => {
      const made = cluster(`c${id}`, how === 'eds' ? 'eds' : 9_000 + id, seconds)
      if (how === 'poison') made.altStatName = POISON
      return made
    }),
    endpoints: edges.map(({ id, seconds }) => endpoints(`c${id}`, 9_000 + seconds)),
    extension: [...extensions].map((id) => extension(`e${id}`, value)),
    secret: listeners.some((one) => one.secret) ? [secret('s', value === POISON ? 'fine' : value)] : [],
    listener: listeners.map((one) => {
      const made = listener(`l${one.id}`, {
        port: one === shared ? 10_009 : 10_000 + one.id,
        route: `w${one.route}`,
        extensions: one.extensions.map((id) => `e${id}`),
        ...(one.secret ? { secret: 's' } : {}),
        ...(one.asks ? { asks: there(one.id) } : {}),
      })
      if (one.bad) made.statPrefix = POISON
      return made
    }),
    route: [...used].map((at) => {
      const to = routes[at]!.map((target, index) => [
        `/${index}`,
        target === 'fixed'
          ? { status: 200, body: 'fixed' }
          : target === 'poison'
            ? { status: 200, body: POISON }
            : { cluster: there(target.cluster) },
      ])
      return route(`w${at}`, Object.fromEntries(to) as Parameters<typeof route>[1])
    }),
  })
}

type Step =
  | { readonly do: 'publish'; readonly plan: Plan }
  | { readonly do: 'read'; readonly count: number }
  | { readonly do: 'connect' }
  | { readonly do: 'wait'; readonly ms: number }

function steps(poison: boolean, reconnects: boolean, waits: readonly number[]): fc.Arbitrary<readonly Step[]> {
  const options: fc.Arbitrary<Step>[] = [
    fc.record({ do: fc.constant('publish' as const), plan: plans(poison) }),
    fc.record({ do: fc.constant('read' as const), count: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ do: fc.constant('read' as const), count: fc.constant(100) }),
  ]
  if (reconnects) options.push(fc.constant({ do: 'connect' as const }))
  if (waits.length > 0) options.push(fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(...waits) }))
  return fc.array(fc.oneof(...options), { minLength: 1, maxLength: 14 })
}

/** What a node that has everything would tell of itself. */
function wholeOf({ resources }: Snapshot): Record<Kind, Record<string, string>> {
  return eachKind((kind) => {
    const all = [...resources[kind].values()].map(({ name, bytes }) => [
      name,
      JSON.stringify(readable(SCHEMAS[kind], fromBinary(SCHEMAS[kind], bytes) as never)),
    ])
    return Object.fromEntries(all) as Record<string, string>
  })
}

function play(world: World, all: readonly Step[]): void {
  world.connect()
  for (const step of all) {
    if (step.do === 'publish') world.publish(snapshotFor(step.plan))
    else if (step.do === 'connect') world.connect()
    else if (step.do === 'wait') world.clock.advance(step.ms)
    else for (let at = 0; at < step.count; at++) if (!world.step()) break
  }
}

/** A good snapshot at the end, and time enough. */
function finish(world: World, last: Plan): void {
  world.publish(snapshotFor(last))
  world.settle()
  for (let at = 0; at < 3; at++) {
    world.clock.advance(DEFAULT_LIMITS.removalMs)
    world.settle()
  }
}

const RUNS = { numRuns: runs(30) }

for (const variant of ['delta', 'sotw'] as const) {
  test(`${variant}: whatever changes and in whatever order it is read, the node ends with the newest and never names what it has not`, () => {
    const reconnects = variant === 'delta'
    fc.assert(
      fc.property(steps(false, reconnects, [0, 100]), fc.boolean(), plans(false), (all, slow, last) => {
        const world = new World(variant, slow)
        play(world, all)
        world.settle()
        assert.deepEqual(world.node.dangling, [])
        // Envoy refuses a listener where another is that is moving away, until that has moved.
        assert.deepEqual(
          world.node.problems.filter((problem) => !problem.includes('has the address of')),
          [],
        )
        finish(world, last)
        assert.deepEqual(world.node.dangling, [])
        assert.deepEqual(world.node.state(), wholeOf(world.snapshot!))
        assert.ok(KINDS.every((kind) => !world.stream!.subscriptions.has(kind) || world.stream!.isSettled(kind)))
        assert.equal(world.ended, undefined)
      }),
      RUNS,
    )
  })

  test(`${variant}: with rejections too, taken in part or not at all`, () => {
    fc.assert(
      fc.property(steps(true, variant === 'delta', [0]), fc.boolean(), fc.boolean(), plans(false), (all, slow, takesGood, last) => {
        const world = new World(variant, slow)
        world.node.takesGood = takesGood
        play(world, all)
        world.settle()
        assert.deepEqual(world.node.dangling, [])
        finish(world, last)
        assert.deepEqual(world.node.state(), wholeOf(world.snapshot!))
      }),
      RUNS,
    )
  })

  test(`${variant}: with long waits too, and at last nothing is left out`, () => {
    fc.assert(
      fc.property(steps(true, variant === 'delta', [1_000, 6_000, 31_000]), fc.boolean(), plans(false), (all, slow, last) => {
        const world = new World(variant, slow)
        play(world, all)
        finish(world, last)
        assert.deepEqual(world.node.state(), wholeOf(world.snapshot!))
      }),
      RUNS,
    )
  })
}

test('delta: a node that reads late, but within the time that a removal waits, misses nothing', () => {
  const inTime = steps(false, false, [1_000, 6_000]).filter(
    (all) => all.reduce((sum, step) => sum + (step.do === 'wait' ? step.ms : 0), 0) < DEFAULT_LIMITS.removalMs,
  )
  fc.assert(
    fc.property(inTime, fc.boolean(), plans(false), (all, slow, last) => {
      const world = new World('delta', slow)
      play(world, all)
      finish(world, last)
      assert.deepEqual(world.node.dangling, [])
    }),
    RUNS,
  )
})

test('delta: nothing that a node has is sent to it again when it comes back', () => {
  fc.assert(
    fc.property(plans(false), (plan) => {
      const world = new World('delta', false)
      world.connect()
      finish(world, plan)
      const { seen } = world.node
      world.connect()
      world.settle()
      assert.equal(world.node.seen - seen, world.snapshot!.resources.listener.size === 0 ? 1 : 0)
      assert.deepEqual(world.node.repeated, [])
    }),
    RUNS,
  )
})
