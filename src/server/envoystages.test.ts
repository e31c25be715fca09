/** New policy goes to Envoys stage by stage; what ends access goes to all of them at once. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { PolicyVersions } from '../audit/index.ts'
import { readSources } from '../config/load.ts'
import { OstiaryError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { GatewayEvent } from '../core/record.ts'
import type { NodeStatus } from '../envoy/xds/status.ts'
import type { RevocationTarget } from '../store/revocations.ts'
import type { NativeIssuers } from '../targets/target.ts'
import { ManualClock } from '../testing/clock.ts'
import { FakeEnvoy, until } from '../testing/fakeenvoy.ts'
import { testKey } from '../testing/tokens.ts'
import { compile } from './configuration.ts'
import { feedEnvoys, type EnvoyFeed } from './envoy.ts'
import { readGiven, writeGiven } from './envoykept.ts'
import { EnvoyRollout } from './envoyrollout.ts'
import { keysFor } from './envoyversions.ts'
import type { Parts } from './parts.ts'
import { PolicyHolder } from './policies.ts'

describe('Envoys in stages', () => {
  let folder: string
  let clock: ManualClock
  let versions: PolicyVersions
  let lines: string[]
  let events: GatewayEvent[]
  let revoked: RevocationTarget[]
  let open: (() => Promise<void> | void)[]

  const write = (rule: number, more = '', stages = true): void => {
    writeFileSync(
      join(folder, 'ostiary.yaml'),
      `apiVersion: ostiary.dev/v1
name: gate
issuers:
  svc: { kind: jwt, issuer: svc, audiences: [api], keys: [{ file: keys.json }] }
resources:
  api: { protocol: http, hosts: [api.example], upstream: { url: 'http://127.0.0.1:9' }, issuers: [svc] }
doors:
  envoy:
    listen: 127.0.0.1:0
    nodes: { canary: { listen: '127.0.0.1:1' }, one: { listen: '127.0.0.1:1' }, two: { listen: '127.0.0.1:1' } }
${
  stages
    ? `rollout:
  stages:
    - { name: canary, targets: [envoy/canary], settle: 60s }
    - { name: one, targets: [envoy/one], settle: 10m }
    - { name: rest }
`
    : ''
}`,
    )
    writeFileSync(
      join(folder, 'policy/p.yaml'),
      `apiVersion: ostiary.dev/v1
roles:
  reader: { bind: [{ issuer: svc, claim: roles, any: [reader] }, { issuer: ostiary, claim: via, any: [one-time-link] }] }
rules:
  - { id: administer, role: reader, resource: ostiary, actions: ['* /**'] }
  - { id: rule-${rule}, role: reader, resource: api, actions: [GET /items] }
${more}`,
    )
  }
  const compiled = () => {
    const sources = readSources(folder, undefined)
    const { policy, wiring, diagnostics } = compile(folder, sources, clock.now())
    assert.ok(policy !== undefined && wiring !== undefined, diagnostics.map(({ message }) => message).join('; '))
    return { policy, wiring, sources }
  }
  interface World {
    readonly feed: EnvoyFeed
    readonly envoys: Readonly<Record<'canary' | 'one' | 'two', FakeEnvoy>>
    /** Another policy comes into force. */
    change(rule: number, more?: string): void
    close(): Promise<void>
  }
  /** A gateway as far as it feeds Envoys, with what it has kept. */
  const start = async (connected: readonly string[] = ['canary', 'one', 'two']): Promise<World> => {
    const { policy, wiring, sources } = compiled()
    const policies = new PolicyHolder(policy)
    const unused = {} as unknown
    const parts = {
      ...(unused as Parts),
      folder,
      wiring,
      dataDir: join(folder, 'data'),
      clock,
      log: (line: string) => void lines.push(line),
      metrics: { count: () => undefined },
      audit: {
        note: (event: GatewayEvent) => void events.push(event),
        noteDurably: (event: GatewayEvent) => Promise.resolve(void events.push(event)),
      },
      versions,
      identities: {
        issuers: [],
        revocations: {
          get generation() {
            return revoked.length
          },
          list: () => revoked.map((target) => ({ target })),
        },
      },
      policies,
    } as unknown as Parts
    const feed = (await feedEnvoys(parts))!
    versions.keep(policy.version, sources, clock.now())
    const envoys = Object.fromEntries(connected.map((name) => [name, new FakeEnvoy(name, feed.address.port)])) as World['envoys']
    const close = async (): Promise<void> => {
      for (const one of Object.values(envoys)) one.close()
      await feed.close()
    }
    open.push(close)
    const change = (rule: number, more = ''): void => {
      write(rule, more)
      const next = compiled()
      versions.keep(next.policy.version, next.sources, clock.now())
      feed.update(next.wiring)
      policies.swap(next.policy)
    }
    return {
      feed,
      envoys,
      change,
      close: async () => {
        open = open.filter((one) => one !== close)
        await close()
      },
    }
  }
  const rulesOf = ({ envoys }: World): readonly string[] => Object.values(envoys).map((one) => one.rules())
  const have = (world: World, ...rules: readonly string[]): Promise<void> =>
    until(`${rules.join(', ')} (${lines.join(' | ')})`, () => JSON.stringify(rulesOf(world)) === JSON.stringify(rules))
  /** So that what was accepted is known, and everything that is to come has come. */
  const accepted = (world: World, ...nodes: readonly string[]): Promise<void> =>
    until(`accepted by ${nodes.join(', ')}`, () => {
      const all = world.feed.status()
      return nodes.every((node) => all.some((one) => one.node === node && one.desired !== undefined && one.acknowledged === one.desired))
    })
  const ticks = async (ms: number): Promise<void> => {
    for (let past = 0; past < ms; past += 500) {
      clock.advance(500)
      await new Promise((resume) => setImmediate(resume))
    }
  }
  const rolled = async (): Promise<World> => {
    write(1)
    const world = await start()
    await have(world, 'rule-1', 'rule-1', 'rule-1')
    await accepted(world, 'canary', 'one', 'two')
    return world
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'envoy-stages-'))
    mkdirSync(join(folder, 'policy'))
    mkdirSync(join(folder, 'data'))
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [testKey('es', 'ES256').jwk] }))
    clock = new ManualClock()
    versions = new PolicyVersions(join(folder, 'data/policies'))
    lines = []
    events = []
    revoked = []
    open = []
  })
  afterEach(async () => {
    for (const close of open) await close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('have the first policy at once, and the next one stage after stage', async () => {
    const world = await rolled()
    assert.equal(world.feed.rollout()?.state, 'done')
    world.change(2)
    await have(world, 'rule-2', 'rule-1', 'rule-1')
    await accepted(world, 'canary')
    await ticks(59_000)
    assert.deepEqual(rulesOf(world), ['rule-2', 'rule-1', 'rule-1'])
    assert.deepEqual(
      [world.feed.rollout()!.state, world.feed.rollout()!.stage, world.feed.rollout()!.heldBack],
      ['going', 'canary', ['one', 'two']],
    )
    await ticks(2_000)
    await have(world, 'rule-2', 'rule-2', 'rule-1')
    await accepted(world, 'one')
    await ticks(590_000)
    assert.deepEqual(rulesOf(world), ['rule-2', 'rule-2', 'rule-1'])
    await ticks(20_000)
    await have(world, 'rule-2', 'rule-2', 'rule-2')
    assert.deepEqual([world.feed.rollout()!.state, world.feed.rollout()!.heldBack], ['done', []])
  })

  test('stop at a rejection, until the policy changes', async () => {
    const world = await rolled()
    world.envoys.canary.rejects = (kind, text) => kind === 'route' && text.includes('rule-2')
    world.change(2)
    await until('it stops', () => world.feed.rollout()?.state === 'stopped')
    assert.match(world.feed.rollout()!.why!, /Envoy canary rejects it: I will not/)
    await ticks(3_600_000)
    assert.deepEqual(rulesOf(world), ['rule-1', 'rule-1', 'rule-1'])
    assert.deepEqual(
      events.map(({ kind, details }) => [kind, details['stage'], details['why']]),
      [['envoy-rollout-stopped', 'canary', 'Envoy canary rejects it: I will not']],
    )
    assert.match(lines.join('\n'), /goes no further than stage canary: Envoy canary rejects it/)
    world.change(3)
    await have(world, 'rule-3', 'rule-1', 'rule-1')
    await accepted(world, 'canary')
    await ticks(61_000)
    await have(world, 'rule-3', 'rule-3', 'rule-1')
  })

  test('go on by hand, which is recorded, and then look at all that is well', async () => {
    const world = await rolled()
    const by = { issuer: 'svc', subject: 'operator' } as Principal
    await assert.rejects(world.feed.proceed(false, by), (error) => error instanceof OstiaryError && error.code === 'server/no-rollout')
    world.envoys.canary.rejects = (kind, text) => kind === 'route' && text.includes('rule-2')
    world.change(2)
    await until('it stops', () => world.feed.rollout()?.state === 'stopped')
    await world.feed.proceed(false, by)
    await have(world, 'rule-1', 'rule-2', 'rule-1')
    await accepted(world, 'one')
    await ticks(540_000)
    assert.deepEqual(rulesOf(world), ['rule-1', 'rule-2', 'rule-1'])
    await ticks(70_000)
    await have(world, 'rule-1', 'rule-2', 'rule-2')
    const continued = events.find(({ kind }) => kind === 'envoy-rollout-continued')
    assert.deepEqual([continued?.principal, continued?.details['everywhere']], [by, false])

    world.change(3)
    await have(world, 'rule-3', 'rule-2', 'rule-2')
    await world.feed.proceed(true, by)
    await have(world, 'rule-3', 'rule-3', 'rule-3')
  })

  test('are told of revocations at once, with the policy that they have', async () => {
    const world = await rolled()
    world.change(2)
    await have(world, 'rule-2', 'rule-1', 'rule-1')
    revoked.push({ kind: 'subject', issuer: 'svc', subject: 'somebody-1' })
    clock.advance(500)
    await until('everybody knows', () => Object.values(world.envoys).every((one) => one.revoked().includes('somebody-1')))
    assert.deepEqual(rulesOf(world), ['rule-2', 'rule-1', 'rule-1'])
    revoked.length = 0
    clock.advance(500)
    await until('and that it was lifted', () => Object.values(world.envoys).every((one) => one.revoked() === ''))
    assert.deepEqual(rulesOf(world), ['rule-2', 'rule-1', 'rule-1'])
  })

  test('keep their order when the gateway begins again in the middle, and are told of revocations then, too', async () => {
    const world = await rolled()
    world.change(2)
    await have(world, 'rule-2', 'rule-1', 'rule-1')
    await world.close()
    revoked.push({ kind: 'subject', issuer: 'svc', subject: 'somebody-2' })
    const again = await start()
    await have(again, 'rule-2', 'rule-1', 'rule-1')
    await until('everybody knows', () => Object.values(again.envoys).every((one) => one.revoked().includes('somebody-2')))
    await accepted(again, 'canary', 'one', 'two')
    await ticks(55_000)
    assert.deepEqual(rulesOf(again), ['rule-2', 'rule-1', 'rule-1'])
    await ticks(10_000)
    await have(again, 'rule-2', 'rule-2', 'rule-1')
    // And with another policy than the one that was on its way.
    await again.close()
    write(3)
    const third = await start()
    await have(third, 'rule-3', 'rule-2', 'rule-1')
  })

  test('are all taken to have what was in force last where there were no stages before', async () => {
    write(1, '', false)
    const before = await start()
    await have(before, 'rule-1', 'rule-1', 'rule-1')
    await before.close()
    write(2)
    const world = await start()
    await have(world, 'rule-2', 'rule-1', 'rule-1')
  })

  test('never go back to what they had when there were stages before', async () => {
    await (await rolled()).close()
    write(2, '', false)
    const without = await start()
    await have(without, 'rule-2', 'rule-2', 'rule-2')
    await without.close()
    write(3)
    const world = await start()
    await have(world, 'rule-3', 'rule-2', 'rule-2')
  })

  test('get nothing new out of turn where it is not known what they have', async () => {
    await (await rolled()).close()
    const file = join(folder, 'data/envoy-versions.json')
    assert.match(readFileSync(file, 'utf8'), /^\{"format":1,"nodes":\{"canary":"sha256:[0-9a-f]{64}","one":/)
    writeFileSync(file, '{"format":1,"nodes":{"canary":7}}')
    write(2)
    const world = await start()
    await have(world, 'rule-2', '', '')
    assert.match(lines.join('\n'), /is not what was written there: Envoys of later stages get nothing new until it is their turn/)
    await accepted(world, 'canary')
    await ticks(50_000)
    assert.deepEqual(rulesOf(world), ['rule-2', '', ''])
    await ticks(11_000)
    await have(world, 'rule-2', 'rule-2', '')
  })

  test('get nothing new where what they have is not kept any more', async () => {
    await (await rolled()).close()
    rmSync(versions.dir, { recursive: true })
    write(2)
    const world = await start()
    await have(world, 'rule-2', '', '')
    await accepted(world, 'canary')
    await ticks(50_000)
    assert.deepEqual(rulesOf(world), ['rule-2', '', ''])
    assert.match(lines.join('\n'), /which Envoys of later stages have, can not be read again: nothing new goes to them/)
  })

  test('wait for an Envoy of the first stage that is not there', async () => {
    const world = await rolled()
    world.envoys.canary.close()
    await until('it is gone', () =>
      world.feed.status().some(({ node, connectedSince }) => node === 'canary' && connectedSince === undefined),
    )
    world.change(2)
    await until('it waits', () => world.feed.rollout()?.stage === 'canary')
    await ticks(3_600_000)
    assert.deepEqual(rulesOf(world).slice(1), ['rule-1', 'rule-1'])
    assert.match(world.feed.rollout()!.why!, /no Envoy of stage canary is connected/)
  })

  test('get nothing of a policy that one of them can not be told', async () => {
    const world = await rolled()
    world.change(2, 'guardrails:\n  - { id: slow, for: [reader], resource: api, actions: [GET /items], limit: { requests: 1, in: 1m } }\n')
    await until('it stops', () => world.feed.rollout()?.state === 'stopped')
    assert.match(world.feed.rollout()!.why!, /Envoy canary can not be handed it out: `slow` can not be enforced by Envoy `canary`/)
    revoked.push({ kind: 'subject', issuer: 'svc', subject: 'somebody-3' })
    clock.advance(500)
    await until('everybody knows', () => Object.values(world.envoys).every((one) => one.revoked().includes('somebody-3')))
    assert.deepEqual(rulesOf(world), ['rule-1', 'rule-1', 'rule-1'])
    world.change(4)
    await have(world, 'rule-4', 'rule-1', 'rule-1')
  })

  test('keep the versions that they have from being removed', async () => {
    const world = await rolled()
    world.change(2)
    await have(world, 'rule-2', 'rule-1', 'rule-1')
    assert.deepEqual(versions.prune(new Set()), [])
    assert.equal(versions.list().length, 2)
  })
})

describe('what Envoys were given', () => {
  test('is read as it was written, and nothing else is', () => {
    const folder = mkdtempSync(join(tmpdir(), 'envoy-given-'))
    try {
      const file = join(folder, 'data/given.json')
      assert.equal(readGiven(file), 'absent')
      const version = `sha256:${'0'.repeat(64)}`
      writeGiven(
        file,
        new Map([
          ['b', version],
          ['a', version],
        ]),
      )
      assert.deepEqual(
        readGiven(file),
        new Map([
          ['a', version],
          ['b', version],
        ]),
      )
      const good = readFileSync(file, 'utf8')
      fc.assert(
        fc.property(
          fc.oneof(
            fc.string(),
            fc.json(),
            fc.nat(good.length - 1).map((at) => good.slice(0, at)),
          ),
          (text) => {
            writeFileSync(file, text)
            assert.equal(readGiven(file), 'broken')
          },
        ),
      )
      writeFileSync(file, good.replace('{', `{${' '.repeat(1024 * 1024)}`))
      assert.equal(readGiven(file), 'broken')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('keys for an earlier version', () => {
  const form = (name: string, iss: string, algorithms: readonly string[] = ['ES256']) => ({ name, form: `${name}:1`, iss, algorithms })
  const issuers = (...all: readonly ReturnType<typeof form>[]) => new Map(all.map((one) => [one.name, [one]])) as unknown as NativeIssuers

  test('are those of issuers that are still the same, and none for all others', () => {
    const now = issuers(form('a', 'https://a'), form('b', 'https://b'), form('c', 'https://c'))
    const keys = new Map(['a', 'b', 'c'].map((name) => [`${name}:1`, `{"keys":[{"kid":"${name}"}]}`]))
    assert.equal(keysFor(now, now, keys), keys)
    const before = issuers(
      form('a', 'https://a'),
      form('b', 'https://other'),
      form('c', 'https://c', ['RS256']),
      form('gone', 'https://gone'),
    )
    const none = '{"keys":[]}'
    assert.deepEqual(
      [...keysFor(before, now, keys)],
      [
        ['a:1', '{"keys":[{"kid":"a"}]}'],
        ['b:1', none],
        ['c:1', none],
        ['gone:1', none],
      ],
    )
  })
})

describe('the order of stages', () => {
  const NODES = ['a', 'b', 'c', 'd']
  const STAGES = [
    { name: 'first', settle: 10, nodes: ['a', 'b'] },
    { name: 'second', settle: 0, nodes: ['c'] },
    { name: 'third', settle: 20, nodes: ['d'] },
  ]
  const statusOf = (node: string, snapshot: string | undefined, isConnected: boolean, rejectedAt: number | undefined): NodeStatus =>
    ({
      node,
      desired: snapshot,
      acknowledged: snapshot,
      connectedSince: isConnected ? 1 : undefined,
      kinds: { route: { rejection: rejectedAt === undefined ? undefined : { at: rejectedAt, version: '', message: 'no' } } },
    }) as unknown as NodeStatus

  /** Two stages with an Envoy each, of which the first settles for ten milliseconds. */
  const pair = () => {
    const clock = new ManualClock()
    const state = {
      isWritable: true,
      kept: new Map<string, string>() as ReadonlyMap<string, string>,
      isConnected: true,
      log: [] as string[],
    }
    const rollout = new EnvoyRollout({
      clock,
      stages: [
        { name: 'first', settle: 10, nodes: ['a'] },
        { name: 'second', settle: 0, nodes: ['b'] },
      ],
      given: new Map([
        ['a', 'v0'],
        ['b', 'v0'],
      ]),
      keep: (given) => {
        if (!state.isWritable) throw new Error('full')
        state.kept = new Map(given)
      },
      stopped: () => undefined,
      log: (line) => void state.log.push(line),
    })
    const look = (ms: number): string | undefined => {
      clock.advance(ms)
      for (const node of ['a', 'b']) rollout.handed(node, rollout.versionOf(node)!, rollout.versionOf(node)!)
      rollout.look(() => ['a', 'b'].map((node) => statusOf(node, rollout.versionOf(node), state.isConnected, undefined)))
      return rollout.versionOf('b')
    }
    return { rollout, state, look }
  }

  test('takes all of the time to settle, anew when an Envoy was away', () => {
    const { rollout, state, look } = pair()
    rollout.begin('v1', new Map())
    assert.deepEqual([look(1), look(9)], ['v0', 'v0'])
    state.isConnected = false
    assert.equal(look(0), 'v0')
    state.isConnected = true
    assert.deepEqual([look(1), look(9), look(1)], ['v0', 'v0', 'v1'])
  })

  test('is not left where what they are given can not be written down', () => {
    const { rollout, state, look } = pair()
    state.isWritable = false
    rollout.begin('v1', new Map())
    assert.deepEqual([rollout.versionOf('a'), look(100), look(100)], ['v0', 'v0', 'v0'])
    assert.deepEqual(state.log, ['which version each Envoy has can not be written down: full'])
    assert.match(rollout.status()!.why!, /can not be written down: full/)
    state.isWritable = true
    assert.equal(look(1), 'v0')
    assert.deepEqual(
      [...state.kept],
      [
        ['a', 'v1'],
        ['b', 'v0'],
      ],
    )
    assert.deepEqual([look(1), look(10)], ['v0', 'v1'])
    assert.deepEqual(
      [...state.kept],
      [
        ['a', 'v1'],
        ['b', 'v1'],
      ],
    )
  })

  test('is kept whatever Envoys do, and however often the gateway begins again', () => {
    const event = fc.oneof(
      { weight: 12, arbitrary: fc.record({ is: fc.constant('accepts' as const), node: fc.constantFrom(...NODES) }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant('rejects' as const), node: fc.constantFrom(...NODES) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          is: fc.constantFrom('leaves' as const, 'comes' as const, 'comes' as const),
          node: fc.constantFrom(...NODES),
        }),
      },
      { weight: 5, arbitrary: fc.record({ is: fc.constant('time' as const), ms: fc.nat(30) }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant('policy' as const), version: fc.constantFrom('v1', 'v2', 'v3') }) },
      {
        weight: 1,
        arbitrary: fc.record({ is: fc.constantFrom('restart' as const, 'unwritable' as const, 'writable' as const, 'writable' as const) }),
      },
    )
    const told = { third: 0 }
    fc.assert(
      fc.property(fc.array(event, { minLength: 10, maxLength: 60 }), (happening) => {
        const clock = new ManualClock()
        let kept: ReadonlyMap<string, string> = new Map(NODES.map((node) => [node, 'v0']))
        let isWritable = true
        const make = (): EnvoyRollout =>
          new EnvoyRollout({
            clock,
            stages: STAGES,
            given: kept,
            keep: (given) => {
              if (!isWritable) throw new Error('full')
              kept = new Map(given)
            },
            stopped: () => undefined,
            log: () => undefined,
          })
        let rollout = make()
        let target = 'v0'
        rollout.begin(target, new Map())
        const state = new Map(NODES.map((node) => [node, { connected: true, accepted: 'v0', rejectedAt: undefined as number | undefined }]))
        /** Envoys that have accepted what is on its way since it is. */
        const tried = new Set<string>()
        const hand = (): void => {
          for (const node of NODES) rollout.handed(node, rollout.versionOf(node)!, rollout.versionOf(node)!)
        }
        hand()
        for (const one of happening) {
          clock.advance(1)
          const before = new Map(NODES.map((node) => [node, rollout.versionOf(node)]))
          if (one.is === 'accepts') {
            const { connected } = state.get(one.node)!
            if (connected) state.set(one.node, { connected, accepted: rollout.versionOf(one.node)!, rejectedAt: undefined })
            if (connected && rollout.versionOf(one.node) === target) tried.add(one.node)
          } else if (one.is === 'rejects') state.set(one.node, { ...state.get(one.node)!, rejectedAt: clock.now() })
          else if (one.is === 'leaves' || one.is === 'comes')
            state.set(one.node, { ...state.get(one.node)!, connected: one.is === 'comes' })
          else if (one.is === 'time') clock.advance(one.ms)
          else if (one.is === 'policy' && one.version !== target) {
            target = one.version
            tried.clear()
            rollout.begin(target, new Map())
            for (const node of NODES) if (state.get(node)!.accepted === target) tried.add(node)
          } else if (one.is === 'restart') {
            rollout = make()
            rollout.begin(target, new Map())
          } else isWritable = one.is === 'writable' ? true : one.is === 'unwritable' ? false : isWritable
          rollout.look(() =>
            NODES.map((node) => statusOf(node, state.get(node)!.accepted, state.get(node)!.connected, state.get(node)!.rejectedAt)),
          )
          hand()
          for (const [index, { nodes }] of STAGES.entries())
            for (const node of nodes) {
              const isNew = rollout.versionOf(node) === target && before.get(node) !== target
              if (!isNew || index === 0) continue
              if (index === 2) told.third++
              for (const earlier of STAGES.slice(0, index)) {
                for (const other of earlier.nodes) assert.equal(rollout.versionOf(other), target, `${node} before ${other}`)
                assert.ok(
                  earlier.nodes.some((other) => tried.has(other)),
                  `${node} though nobody of ${earlier.name} has tried it`,
                )
                for (const other of earlier.nodes)
                  if (state.get(other)!.connected) assert.ok(tried.has(other), `${node} though ${other} has not accepted it`)
              }
            }
        }
      }),
      { numRuns: 2_000 },
    )
    assert.ok(told.third > 20, String(told.third))
  })
})
