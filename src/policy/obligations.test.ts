/** What an allow obliges to: masks, counters and the record, each as the policy says it, and several of them as one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Mask, Obligation } from '../core/decision.ts'
import type { Identity } from '../core/principal.ts'
import { describeLimit, describeMask, stricter, unite } from './obligations.ts'
import { act, load, NOW, someone } from './testdata/world.ts'

function obligations(guardrails: string, who: Identity | 'nobody' = someone()): readonly Obligation[] {
  const { policy, diagnostics } = load(
    `rules: [{ id: all, role: everyone, resource: orders, actions: ['GET /**'] }]\nguardrails:\n${guardrails}`,
  )
  assert.deepEqual(diagnostics, [])
  const context = { time: NOW, ip: '10.0.0.1' }
  return policy!.decide(who === 'nobody' ? policy!.anonymous : policy!.bind(who), act('GET /a'), 'orders', context).obligations
}

const guardrail = (more: string, id = 'g'): string => `  - { id: ${id}, resource: orders, actions: [GET /a], for: [everyone], ${more} }`

describe('a mask', () => {
  test('says of each field what becomes of it, fields in the order of their names', () =>
    assert.deepEqual(
      obligations(
        guardrail("mask: { $.d: { partial: { first: 1, last: 2 } }, $.b: drop, $.e: hash, $.a: { constant: '***' }, $.c: 'null' }"),
      ),
      [
        {
          kind: 'mask',
          ids: ['g'],
          fields: [
            { path: '$.a', mask: { as: 'constant', value: '***' } },
            { path: '$.b', mask: { as: 'drop' } },
            { path: '$.c', mask: { as: 'null' } },
            { path: '$.d', mask: { as: 'partial', first: 1, last: 2 } },
            { path: '$.e', mask: { as: 'hash' } },
          ],
        },
      ],
    ))
  test('of several guardrails is one, of the strictest per field', () =>
    assert.deepEqual(
      obligations(
        [
          guardrail('mask: { $.c: hash, $.a: hash }', 'h'),
          guardrail('mask: { $.b: drop, $.a: drop }, record: strict', 'g'),
          guardrail('record: strict', 'f'),
        ].join('\n'),
      ),
      [
        {
          kind: 'mask',
          ids: ['g', 'h'],
          fields: [
            { path: '$.a', mask: { as: 'drop' } },
            { path: '$.b', mask: { as: 'drop' } },
            { path: '$.c', mask: { as: 'hash' } },
          ],
        },
        { kind: 'record', ids: ['f', 'g'], mode: 'strict' },
      ],
    ))
  test('is drop before null before constant before hash before partial', () => {
    const order: readonly Mask[] = [
      { as: 'drop' },
      { as: 'null' },
      { as: 'constant', value: 'x' },
      { as: 'hash' },
      { as: 'partial', first: 1, last: 1 },
    ]
    for (const [i, a] of order.entries())
      for (const [j, b] of order.entries()) assert.deepEqual(stricter(a, b), order[Math.min(i, j)], `${a.as} and ${b.as}`)
  })
  test('of two partial ones shows what both show', () => {
    const [a, b] = [
      { as: 'partial', first: 1, last: 4 },
      { as: 'partial', first: 3, last: 2 },
    ] as const
    for (const both of [stricter(a, b), stricter(b, a)]) assert.deepEqual(both, { as: 'partial', first: 1, last: 2 })
  })
  test('of two constants is the same whichever comes first', () => {
    const [a, b] = [
      { as: 'constant', value: 'a' },
      { as: 'constant', value: 'b' },
    ] as const
    for (const both of [stricter(a, b), stricter(b, a), stricter(a, a)]) assert.deepEqual(both, a)
  })
  test('is told in words', () =>
    assert.deepEqual(
      [{ as: 'drop' }, { as: 'null' }, { as: 'constant', value: 7 }, { as: 'hash' }, { as: 'partial', first: 1, last: 2 }].map((mask) =>
        describeMask({ path: '$.a', mask: mask as Mask }),
      ),
      ['without `$.a`', '`$.a` null', '`$.a` always 7', '`$.a` as a hash', '`$.a` but for its first 1 and last 2 characters'],
    ))
})

describe('a limit', () => {
  const client = someone({ evidence: { ...someone().evidence, client: 'app' } })
  const keys: readonly (readonly [per: string, who: Identity | 'nobody', key: string])[] = [
    ['', client, 'principal entra tenant/subject'],
    [', per: principal', client, 'principal entra tenant/subject'],
    [', per: client', client, 'client entra app'],
    [', per: client', someone(), 'principal entra tenant/subject'],
    [', per: issuer', client, 'issuer entra'],
    [', per: address', client, 'address 10.0.0.1'],
    [', per: everyone', client, 'everyone'],
    [', per: everyone', 'nobody', 'everyone'],
    [', per: issuer', 'nobody', 'address 10.0.0.1'],
    ['', 'nobody', 'address 10.0.0.1'],
  ]
  for (const [per, who, key] of keys)
    test(`${who === 'nobody' ? 'of nobody' : 'of somebody'}${per} is counted by ${key}`, () =>
      assert.deepEqual(obligations(guardrail(`limit: { requests: 10, in: 1m${per} }`), who), [
        { kind: 'limit', id: 'g', requests: 10, window: 60_000, key },
      ]))
  test('is a counter of its own for each guardrail, and comes between masks and the record', () =>
    assert.deepEqual(
      obligations(
        [
          guardrail('limit: { requests: 2, in: 1s }', 'z'),
          guardrail('limit: { requests: 1, in: 1s, per: everyone }, mask: { $.a: drop }, record: strict', 'y'),
        ].join('\n'),
      ).map((one) => [one.kind, 'id' in one ? one.id : one.ids]),
      [
        ['mask', ['y']],
        ['limit', 'y'],
        ['limit', 'z'],
        ['record', ['y']],
      ],
    ))
  test('that is only observed is counted, and says so', () => {
    const until = new Date(NOW + 1000).toISOString()
    assert.deepEqual(obligations(guardrail(`limit: { requests: 1, in: 1h }, mode: observe, until: '${until}'`)), [
      { kind: 'limit', id: 'g', requests: 1, window: 3_600_000, key: 'principal entra tenant/subject', observed: true },
    ])
  })
  const windows = [
    ['999ms', 'too short'],
    ['1s', undefined],
    ['31d', undefined],
    ['745h', 'too long'],
  ] as const
  for (const [window, problem] of windows)
    test(`in ${window} is ${problem ?? 'right'}`, () => {
      const { diagnostics } = load(`guardrails:\n${guardrail(`limit: { requests: 1, in: ${window} }`)}`)
      const told = diagnostics.filter(({ code }) => code === 'policy/limit-window').map(({ message }) => message)
      assert.equal(told.length, problem === undefined ? 0 : 1)
      if (problem !== undefined) assert.match(told[0]!, new RegExp(problem))
    })
  test('is told in words', () => {
    const told = (requests: number, window: number, per: 'principal' | 'everyone' = 'principal') => describeLimit({ requests, window, per })
    assert.deepEqual(
      [told(1, 86_400_000), told(2, 7_200_000), told(3, 90_000), told(4, 60_000), told(5, 5000), told(6, 1500), told(7, 1000, 'everyone')],
      [
        '1 request in 1d per principal',
        '2 requests in 2h per principal',
        '3 requests in 90s per principal',
        '4 requests in 1m per principal',
        '5 requests in 5s per principal',
        '6 requests in 1500ms per principal',
        '7 requests in 1s of everyone together',
      ],
    )
  })
})

test('several come in an order of their own', () => {
  const mask = (id: string, path: string): Obligation => ({ kind: 'mask', ids: [id], fields: [{ path, mask: { as: 'hash' } }] })
  const limit = (id: string, key: string): Obligation => ({ kind: 'limit', id, requests: 1, window: 1000, key })
  const all = unite([
    limit('c', 'x'),
    mask('b', '$.b'),
    limit('a', 'y'),
    limit('a', 'x'),
    limit('c', 'x'),
    mask('a', '$.c'),
    mask('c', '$.a'),
  ])
  assert.deepEqual(all, [
    { kind: 'mask', ids: ['a', 'b', 'c'], fields: ['$.a', '$.b', '$.c'].map((path) => ({ path, mask: { as: 'hash' } })) },
    limit('a', 'x'),
    limit('a', 'y'),
    limit('c', 'x'),
  ])
})

test('one alone stays as it is', () => {
  const one: Obligation = { kind: 'record', ids: ['b', 'a'], mode: 'strict' }
  assert.deepEqual(unite([one]), [one])
  assert.deepEqual(unite([]), [])
  assert.deepEqual(unite([one, one]), [{ ...one, ids: ['a', 'b'] }])
})
