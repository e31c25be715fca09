import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { ManualClock } from '../../testing/clock.ts'
import { isWell, type Place, type Stand } from './place.ts'
import { rollOut, type RolloutParts, type RolloutReport, type RolloutStage } from './rollout.ts'
import { statusOf } from './status.ts'

const OLD = 'a'.repeat(64)
const NEW = 'b'.repeat(64)

const WELL: Stand = {
  revision: OLD.slice(0, 40),
  differences: [],
  leftOver: [],
  enforced: undefined,
  problems: [],
  rejections: [],
  rejected: {},
  warnings: [],
}

/** A place that is what a test makes it. */
class Fake {
  readonly name: string
  readonly kind: string = 'fake'
  readonly desired = NEW
  stand: Stand = WELL
  /** As it was when it was looked at last: what comes after that, nobody can know. */
  seen: Stand = WELL
  looks = 0
  closed = 0
  failing: string | undefined
  unfit: string | undefined
  applying: () => void = () => undefined
  /** Whether it is somebody else's to bring it here. */
  readonly foreign: boolean
  readonly #log: string[]

  constructor(name: string, log: string[], foreign = false) {
    this.name = name
    this.#log = log
    this.foreign = foreign
    if (foreign) this.kind = 'envoy'
  }

  is(more: Partial<Stand>): void {
    this.stand = { ...this.stand, ...more }
  }

  open = (): Place => {
    if (this.unfit !== undefined) throw new Error(this.unfit)
    return {
      look: () => {
        this.looks++
        this.seen = this.stand
        return this.failing === undefined ? Promise.resolve(this.stand) : Promise.reject(new Error(this.failing))
      },
      ...(this.foreign
        ? {}
        : {
            apply: (prunes: boolean) => {
              this.#log.push(`${this.name}${prunes ? ' pruned' : ''}`)
              this.applying()
              this.is({ revision: NEW.slice(0, 40), ...(prunes ? { leftOver: [] } : {}) })
              return Promise.resolve(prunes ? ['one'] : [])
            },
          }),
      close: () => Promise.resolve(void this.closed++),
    }
  }
}

/** Lets a clock go on for as long as something takes. */
async function ticking<T>(clock: ManualClock, work: Promise<T>, meanwhile: () => void = () => undefined, step = 500): Promise<T> {
  const state = { done: false }
  const over = work.finally(() => (state.done = true))
  for (let turns = 0; !state.done; turns++) {
    assert.ok(turns < 20_000, 'it does not end')
    await new Promise((resume) => setImmediate(resume))
    meanwhile()
    clock.advance(step)
  }
  return over
}

/** Three stages with one, one and two places. */
function world(settles: readonly number[] = [60_000, 300_000, 60_000]) {
  const applied: string[] = []
  const places = ['staging', 'eu-1', 'eu-2', 'us-1'].map((name) => new Fake(name, applied))
  const [staging, first, second, third] = places as [Fake, Fake, Fake, Fake]
  const stages: readonly RolloutStage[] = [
    { name: 'staging', settle: settles[0]!, members: [staging] },
    { name: 'one', settle: settles[1]!, members: [first] },
    { name: 'rest', settle: settles[2]!, members: [second, third] },
  ]
  const clock = new ManualClock()
  const aborted = new AbortController()
  const run = async (more: Partial<RolloutParts> = {}, meanwhile: (ms: number) => void = () => undefined, step = 500) => {
    const start = clock.now()
    const parts = { clock, signal: aborted.signal, prunes: false, applies: true, patience: 120_000, atOnce: 2, tell: () => undefined }
    const report = await ticking(clock, rollOut(stages, { ...parts, ...more }), () => meanwhile(clock.now() - start), step)
    return { report, took: clock.now() - start }
  }
  return { staging, first, second, third, places, stages, applied, clock, aborted, run }
}

const did = ({ stages }: RolloutReport): readonly string[] => stages.flatMap(({ places }) => places.map(({ did: one }) => one))

describe('a roll-out', () => {
  test('brings one stage after the other, each when all before it has been well for its time', async () => {
    const { places, applied, clock, run } = world()
    const times: number[] = []
    const start = clock.now()
    for (const place of places) place.applying = () => times.push(clock.now() - start)
    const { report } = await run()
    assert.equal(report.finished, true)
    assert.deepEqual(applied, ['staging', 'eu-1', 'eu-2', 'us-1'])
    assert.deepEqual(did(report), ['applied', 'applied', 'applied', 'applied'])
    assert.ok(times[1]! - times[0]! >= 60_000, String(times))
    assert.ok(times[2]! - times[1]! >= 300_000, String(times))
    assert.ok(places[0]!.looks > 20, 'it is looked at again and again')
    assert.deepEqual(
      places.map(({ closed }) => closed),
      [1, 1, 1, 1],
    )
  })

  test('stops where a stage before is not as it should be any more, changes nothing further, and says where', async () => {
    const { staging, applied, run } = world()
    const { report } = await run({}, (ms) => {
      if (ms > 200_000) staging.is({ differences: ['AuthorizationPolicy shop/a: not as it should be'] })
    })
    assert.deepEqual(applied, ['staging', 'eu-1'])
    assert.deepEqual(report.stopped, { stage: 'staging', place: 'staging', why: ['AuthorizationPolicy shop/a: not as it should be'] })
    assert.deepEqual(did(report), ['failed', 'applied', 'not-reached', 'not-reached'])
  })

  test('goes on where it stopped when it is run again, and waits for what is finished once more', async () => {
    const { first, applied, run, staging } = world()
    first.applying = () => {
      throw new Error('no room')
    }
    const stopped = await run()
    assert.deepEqual(stopped.report.stopped, { stage: 'one', place: 'eu-1', why: ['no room'] })
    first.applying = () => undefined
    applied.length = 0
    const looks = staging.looks
    const { report, took } = await run()
    assert.equal(report.finished, true)
    assert.deepEqual(applied, ['eu-1', 'eu-2', 'us-1'])
    assert.deepEqual(did(report), ['nothing', 'applied', 'applied', 'applied'])
    assert.ok(took >= 360_000)
    assert.ok(staging.looks > looks + 20)
    applied.length = 0
    const again = await run()
    assert.deepEqual([again.report.finished, applied, again.took < 2_000], [true, [], true])
  })

  test('takes the longest time of what is finished already, and no less', async () => {
    const { staging, first, second, applied, clock, run } = world([400_000, 1000, 0])
    staging.is({ revision: NEW.slice(0, 40) })
    first.is({ revision: NEW.slice(0, 40) })
    const start = clock.now()
    let at = 0
    second.applying = () => (at = clock.now() - start)
    const { report } = await run()
    assert.equal(report.finished, true)
    assert.deepEqual(applied, ['eu-2', 'us-1'])
    assert.ok(at >= 400_000, String(at))
  })

  test('waits for proxies, and not longer than its patience', async () => {
    const { staging, applied, run } = world()
    staging.is({ enforced: { count: 1, of: 2, what: 'dataplanes' }, problems: ['dataplane b: NOT ENFORCED: no filters'] })
    const { report, took } = await run({ patience: 30_000 })
    assert.deepEqual(applied, ['staging'])
    assert.deepEqual(report.stopped?.why, ['not within 30 s', 'dataplane b: NOT ENFORCED: no filters'])
    assert.ok(took >= 30_000 && took < 40_000, String(took))
    const second = await run({ patience: 30_000 }, (ms) => {
      if (ms > 10_000) staging.is({ enforced: { count: 2, of: 2, what: 'dataplanes' }, problems: [] })
    })
    assert.equal(second.report.finished, true)
  })

  test('stops at once where a proxy rejects it, and not for what it rejected before', async () => {
    const { staging, first, applied, run } = world()
    staging.is({ rejected: { a: 3 } })
    first.is({ rejected: { b: 1 } })
    first.applying = () => first.is({ rejected: { b: 2 } })
    const { report } = await run()
    assert.deepEqual(applied, ['staging', 'eu-1'])
    assert.deepEqual(report.stopped?.why, ['the Envoy of b has rejected a configuration, and keeps what it had: its log says why'])
  })

  test('stops where a proxy that came meanwhile rejects it', async () => {
    const { staging, applied, run } = world()
    staging.applying = () => staging.is({ rejected: { fresh: 1 } })
    const { report } = await run()
    assert.deepEqual(applied, ['staging'])
    assert.match(report.stopped!.why.join(), /^the Envoy of fresh has rejected/)
  })

  test('settles for all of the time, to the look', async () => {
    const { staging, first, applied, clock, run } = world([1000, 0, 0])
    const times: number[] = []
    for (const place of [staging, first]) place.applying = () => times.push(clock.now())
    await run({}, () => undefined, 5)
    assert.equal(applied.length, 4)
    assert.ok(times[1]! - times[0]! >= 1000, String(times))
  })

  test('looks at what is before also while proxies take it, and at everything in the end', async () => {
    const waiting = world([0, 0, 0])
    waiting.first.is({ problems: ['dataplane b: NOT ENFORCED'] })
    const stopped = await waiting.run({}, (ms) => {
      if (ms > 10_000) waiting.staging.is({ differences: ['changed'] })
    })
    assert.deepEqual(stopped.report.stopped, { stage: 'staging', place: 'staging', why: ['changed'] })

    const done = world([0, 0, 0])
    for (const place of [done.first, done.second, done.third]) place.is({ revision: NEW.slice(0, 40) })
    done.staging.applying = () => done.third.is({ differences: ['changed'] })
    const ended = await done.run()
    assert.deepEqual([done.applied, ended.report.finished, ended.report.stopped?.place], [['staging'], false, 'us-1'])
  })

  test('stops when a place does not answer any more', async () => {
    const { staging, applied, run } = world()
    const { report } = await run({}, (ms) => {
      if (ms > 30_000) staging.failing = 'no connection'
    })
    assert.deepEqual(applied, ['staging'])
    assert.deepEqual(report.stopped, { stage: 'staging', place: 'staging', why: ['no connection'] })
  })

  test('changes nothing where one place can not be brought anything, or holds what is left over', async () => {
    const unfit = world()
    unfit.third.unfit = 'names no cluster'
    const refused = await unfit.run()
    assert.deepEqual([unfit.applied, refused.report.stopped], [[], { stage: 'rest', place: 'us-1', why: ['names no cluster'] }])

    const left = world()
    left.third.is({ leftOver: ['AuthorizationPolicy shop/old: left'] })
    const kept = await left.run()
    assert.deepEqual(left.applied, [])
    assert.match(kept.report.stopped!.why.join('; '), /shop\/old: left; nothing was changed there: go on with `--prune`/)
    const pruned = await left.run({ prunes: true })
    assert.equal(pruned.report.finished, true)
    assert.deepEqual(left.applied, ['staging pruned', 'eu-1 pruned', 'eu-2 pruned', 'us-1 pruned'])
  })

  test('is not kept from its first stage by a place of a later one that does not answer now', async () => {
    const { third, applied, run } = world()
    third.failing = 'no connection'
    const { report } = await run()
    assert.deepEqual(applied, ['staging', 'eu-1', 'eu-2'])
    assert.deepEqual(report.stopped, { stage: 'rest', place: 'us-1', why: ['no connection'] })
  })

  test('ends between two places when it is interrupted', async () => {
    const { aborted, applied, run } = world()
    const { report } = await run({}, (ms) => {
      if (ms > 20_000) aborted.abort()
    })
    assert.deepEqual(applied, ['staging'])
    assert.deepEqual(report.stopped, { stage: 'one', place: undefined, why: ['it was stopped by hand'] })
  })

  test('only looks where nothing is to be changed', async () => {
    const { applied, run } = world()
    const { report } = await run({ applies: false })
    assert.deepEqual(applied, [])
    assert.deepEqual(report.stopped?.why, ['it keeps revision aaaaaaaaaaaa, and should keep bbbbbbbbbbbb'])
  })

  test('waits for what another brings there', async () => {
    const log: string[] = []
    const [envoy, mesh] = [new Fake('envoy/edge', log, true), new Fake('shop', log)]
    const stages = [
      { name: 'a', settle: 0, members: [envoy] },
      { name: 'b', settle: 0, members: [mesh] },
    ]
    const clock = new ManualClock()
    const parts = {
      clock,
      signal: new AbortController().signal,
      prunes: false,
      applies: true,
      patience: 60_000,
      atOnce: 2,
      tell: () => undefined,
    }
    const through = (meanwhile: () => void): Promise<RolloutReport> => ticking(clock, rollOut(stages, parts), meanwhile)
    const late = await through(() => undefined)
    assert.deepEqual([late.finished, log], [false, []])
    assert.match(late.stopped!.why.join('; '), /not within 60 s; it keeps revision a+, and should keep b+/)
    const start = clock.now()
    const done = await through(() => {
      if (clock.now() - start > 10_000) envoy.is({ revision: NEW.slice(0, 40) })
    })
    assert.deepEqual([done.finished, log, did(done)], [true, ['shop'], ['waited', 'applied']])
  })

  test('never applies anything in a stage while one before it is not well, whatever goes wrong and when', async () => {
    const trouble = fc.record({
      place: fc.nat(3),
      at: fc.nat(500_000),
      what: fc.constantFrom<Partial<Stand>>(
        { differences: ['d'] },
        { problems: ['p'] },
        { rejections: ['r'] },
        { revision: OLD },
        { leftOver: ['l'] },
      ),
      passes: fc.option(fc.nat(20_000)),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(trouble, { maxLength: 3 }), async (troubles) => {
        const { places, stages, run } = world([20_000, 40_000, 0])
        const isWellBefore = (place: Fake): boolean => {
          const index = stages.findIndex(({ members }) => members.includes(place))
          return stages.slice(0, index).every(({ members }) => members.every((one) => isWell((one as Fake).seen, NEW)))
        }
        for (const place of places) place.applying = () => assert.ok(isWellBefore(place), `${place.name} too early`)
        const { report } = await run({ patience: 10_000 }, (ms) => {
          for (const { place, at, what, passes } of troubles) {
            if (ms >= at && ms < at + 500) places[place]!.is(what)
            if (passes !== null && ms >= at + passes && ms < at + passes + 500)
              places[place]!.is({ differences: [], problems: [], rejections: [] })
          }
        })
        if (report.finished) for (const { seen } of places) assert.ok(isWell(seen, NEW))
        else assert.ok(report.stopped!.why.length > 0)
      }),
      { numRuns: 60 },
    )
  })
})

describe('the status of places', () => {
  test('has a row for each, whatever becomes of the others', async () => {
    const log: string[] = []
    const [good, old, unfit] = ['good', 'old', 'unfit'].map((name) => new Fake(name, log)) as [Fake, Fake, Fake]
    good.is({ revision: NEW.slice(0, 40), enforced: { count: 2, of: 2, what: 'dataplanes' } })
    unfit.unfit = 'names no cluster'
    const never = { name: 'silent', kind: 'fake', desired: NEW, open: () => new Promise<Place>(() => undefined) }
    const clock = new ManualClock()
    const asked = statusOf([good, old, never, unfit], { clock, timeout: 30_000, atOnce: 2 })
    for (let i = 0; i < 10; i++) await new Promise((resume) => setImmediate(resume))
    clock.advance(30_000)
    const rows = await asked
    assert.deepEqual(
      rows.map(({ name, accepted, enforced, ok, problems }) => [name, accepted?.slice(0, 3), enforced, ok, problems]),
      [
        ['good', 'bbb', { count: 2, of: 2, what: 'dataplanes' }, true, []],
        ['old', 'aaa', 'not known', false, []],
        ['silent', undefined, 'not known', false, ['no answer within 30 s']],
        ['unfit', undefined, 'not known', false, ['names no cluster']],
      ],
    )
  })
})
