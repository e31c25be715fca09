import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Identity } from '../../core/principal.ts'
import type { CompiledPolicy } from '../compiled.ts'
import { act, load, NOW, someone } from '../testdata/world.ts'
import { renderReplay } from './render.ts'
import { Replayer, type Recorded } from './replay.ts'

const ROLES = `roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [Reader] }] }
  build: { bind: [{ issuer: ci, claim: repository, any: [a] }] }
  vip: { bind: [{ issuer: entra, claim: vip, any: [true] }] }
`
const policy = (rules: string): CompiledPolicy => load(`${ROLES}${rules}`).policy!

const before = policy('rules: [{ id: r, role: [reader, build], resource: orders, actions: [GET /a, GET /b] }]')
const after = policy(
  'rules: [{ id: r, role: [build, vip], resource: orders, actions: [GET /a] }, { id: s, role: reader, resource: orders, actions: [GET /b, GET /c] }]',
)

function recorded(more: Partial<Recorded> & { readonly who?: Identity | undefined } = {}): Recorded {
  const { who = someone({ claims: { roles: ['Reader'] } }), ...rest } = more
  return {
    id: 'd',
    identity: who,
    action: act('GET /a'),
    resource: 'orders',
    context: { time: NOW, ip: '192.0.2.1' },
    effect: 'allow',
    policyVersion: 'v',
    lacks: undefined,
    ...rest,
  }
}

const all = new Set(['roles', 'groups', 'vip', 'department', 'repository', 'level', 'rank', 'oid', 'sub'])

test('what would have come out otherwise is counted by what becomes of it and for whom', () => {
  const replayer = new Replayer(before, after, () => all)
  for (const subject of ['t/1', 't/2', 't/1']) replayer.add(recorded({ who: someone({ subject, claims: { roles: ['Reader'] } }) }))
  replayer.add(recorded({ who: someone({ issuer: 'ci', kind: 'workload', claims: { repository: 'a' } }) }))
  replayer.add(recorded({ action: act('GET /c'), effect: 'deny' }))
  replayer.add(recorded({ action: act('GET /c'), effect: 'allow' }))
  const { decisions, same, shifts, unknown, otherwise } = replayer.result()
  assert.deepEqual([decisions, same, unknown, otherwise], [6, 1, [], 1])
  assert.deepEqual(
    shifts.map(({ before: was, after: is, requests, principals, byKind }) => [was, is, requests, principals, byKind]),
    [
      ['allow', 'deny', 3, 2, { human: 3 }],
      ['deny', 'allow', 2, 1, { human: 2 }],
    ],
  )
  const text = renderReplay(replayer.result(), 30).join('\n')
  assert.match(text, /would have denied 3 requests of 2 principals \(3 by human, 0 by workload\)/)
  assert.match(text, /would newly allow 2 requests of 1 principal/)
  assert.match(text, /1 of them were decided otherwise at the time/)
})

test('a claim that nothing read then makes it unknown, not unchanged', () => {
  const replayer = new Replayer(before, after, () => new Set(['roles']))
  replayer.add(recorded())
  replayer.add(recorded({ action: act('GET /b') }))
  // It says that the claim can't be told: that is known.
  replayer.add(recorded({ who: someone({ claims: {}, unknownClaims: new Set(['vip']) }), effect: 'deny' }))
  const { same, shifts, unknown } = replayer.result()
  assert.deepEqual(unknown, [{ why: 'claim `vip` of `entra`, which was not read then', requests: 1 }])
  assert.deepEqual([same, shifts.length], [2, 0])
})

test('so does a version that is no longer kept', () => {
  const replayer = new Replayer(before, after, () => undefined)
  replayer.add(recorded())
  assert.match(replayer.result().unknown[0]!.why, /no longer kept/)
})

test('and what was cut or could not be recorded', () => {
  const replayer = new Replayer(before, after, () => all)
  replayer.add(recorded({ lacks: 'all of it: something was too long' }))
  replayer.unknown('what could not be recorded', 5)
  const { decisions, same, unknown } = replayer.result()
  assert.deepEqual([decisions, same, unknown.map(({ requests }) => requests)], [6, 0, [5, 1]])
  assert.match(renderReplay(replayer.result(), 1).join('\n'), /6 unknown/)
})

test('what is not in the record is unknown where something asks for it', () => {
  const asks = policy(
    'rules: [{ id: r, role: reader, peer: build, resource: orders, actions: [GET /a] }]\nguardrails: [{ id: g, allBut: [vip], resource: orders, require: { justification: true }, actions: [GET /b] }]',
  )
  const replayer = new Replayer(before, asks, () => all)
  replayer.add(recorded())
  replayer.add(recorded({ action: act('GET /b') }))
  replayer.add(recorded({ action: act('GET /c'), effect: 'deny' }))
  const { same, unknown } = replayer.result()
  assert.equal(same, 1)
  assert.deepEqual(unknown.map(({ why }) => why.split(',')[0]!).toSorted(), [
    'the other end of the connection',
    'whether a justification was given',
  ])
})

test('an issuer that is gone lets nobody in', () => {
  const { issuers: _, ...world } = after.model.world
  const gone = {
    model: { ...after.model, world: { ...world, issuers: { ci: after.model.world.issuers['ci']! } } },
    decide: after.decide.bind(after),
    bind: after.bind.bind(after),
    anonymous: after.anonymous,
    roles: after.roles,
  } as unknown as CompiledPolicy
  const replayer = new Replayer(before, gone, () => all)
  replayer.add(recorded({ action: act('GET /b') }))
  assert.equal(replayer.result().shifts[0]?.after, 'deny')
})
