/** Conditions that mean the same are no change, however they are written; those that don't are one, and a question shows it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatAction } from '../../core/action.ts'
import { load, NOW, wiring as base } from '../testdata/world.ts'
import type { PolicyWiring } from '../world.ts'
import { comparePolicies, type PolicyComparison } from './index.ts'
import { directionOf, showOutcome, type Outcome } from './outcome.ts'
import { foreignKeys } from './roles.ts'
import { ask } from './witness.ts'

function policy(text: string) {
  const { policy: loaded, diagnostics } = load(text)
  assert.ok(loaded !== undefined, JSON.stringify(diagnostics.map(({ message }) => message)))
  return loaded
}

/** What of a comparison is told, each with a question that both versions were asked. */
function compare(before: string, after: string): PolicyComparison {
  const [from, to] = [policy(before), policy(after)]
  const result = comparePolicies(from, to, { now: NOW })
  for (const { witness, before: was, after: is } of result.changes) {
    assert.equal(ask(from, witness)?.effect, was.effect)
    assert.equal(ask(to, witness)?.effect, is.effect)
  }
  return result
}

const directions = ({ changes, notProven }: PolicyComparison): readonly string[] => [
  ...new Set([...changes.map(({ direction }) => direction), ...notProven.map(({ why }) => `not proven: ${why}`)]),
]

const when = (condition: string): string =>
  `rules: [{ id: r, role: [authenticated], resource: wiki, actions: ['GET /a/{x}'], when: ${JSON.stringify(condition)} }]`

describe('conditions', () => {
  const same: readonly (readonly [string, string])[] = [
    [`claims.groups.exists(g, g == 'a')`, `'a' in claims.groups`],
    [`claims.groups.exists(g, 'a' == g)`, `'a' in claims.groups`],
    [`claims.groups.exists(every, every == 'a')`, `claims.groups.exists(one, one == 'a')`],
    [`!claims.groups.exists(g, g == 'a')`, `!('a' in claims.groups)`],
    [`claims.department == 'a' || claims.department == 'b'`, `claims.department in ['a', 'b']`],
    [`claims.department in ['b', 'a']`, `claims.department in ['a', 'b']`],
    [`claims.department == 'a' && claims.vip`, `claims.vip && claims.department == 'a'`],
    [`!(claims.level > 3.0)`, `claims.level <= 3.0`],
    [`claims.level >= 3.0 && claims.level <= 3.0`, `claims.level == 3.0`],
    [`inCidr(context.ip, '10.0.0.0/8')`, `inCidr(context.ip, '10.0.0.0/9') || inCidr(context.ip, '10.128.0.0/9')`],
    [`inCidr(context.ip, '10.0.0.0/8')`, `inCidr(context.ip, '10.0.0.0/8') || inCidr(context.ip, '10.1.0.0/16')`],
    [`context.time < timestamp('2026-06-01T00:00:00Z')`, `!(context.time >= timestamp('2026-06-01T02:00:00+02:00'))`],
    [`claims.vip ? claims.level > 3.0 : false`, `claims.vip && claims.level > 3.0`],
    [`!inCidr(context.ip, '10.0.0.0/8')`, `!(inCidr(context.ip, '10.0.0.0/9') || inCidr(context.ip, '10.128.0.0/9'))`],
    [`claims.department.matches('^ab') || claims.department == 'abc'`, `claims.department.matches('^ab')`],
    [`claims.department.matches('^ab') && claims.department == 'xyz'`, `claims.department == 'xyz' && claims.department != 'xyz'`],
    [`int(claims.sub) > 3 || claims.sub == '5'`, `int(claims.sub) > 3`],
    [`context.ip == '10.0.0.1' && !inCidr(context.ip, '10.0.0.0/8')`, `context.ip == '10.0.0.1' && context.ip == '10.0.0.2'`],
    [`context.time > timestamp('2026-06-01T00:00:00Z')`, `!(context.time <= timestamp('2026-06-01T00:00:00Z'))`],
    [`claims.groups.exists(g, g.matches('^ab'))`, `claims.groups.exists( one, one.matches('^ab') )`],
    [`(claims.vip ? claims.department : 'a').matches('^a')`, `(claims.vip  ?  claims.department : 'a').matches( '^a' )`],
  ]
  for (const [a, b] of same)
    test(`${a} is ${b}`, () => {
      assert.deepEqual(directions(compare(when(a), when(b))), [])
      assert.deepEqual(directions(compare(when(b), when(a))), [])
    })

  const wider: readonly (readonly [string, string])[] = [
    [`claims.groups.exists(g, g == 'a')`, `'a' in claims.groups || 'b' in claims.groups`],
    [`claims.department == 'a'`, `claims.department in ['a', 'b']`],
    [`claims.level > 3.0`, `claims.level >= 3.0`],
    [`claims.level < 3.0`, `claims.level != 3.0`],
    [`inCidr(context.ip, '10.0.0.0/9')`, `inCidr(context.ip, '10.0.0.0/8')`],
    [`inCidr(context.ip, '0.0.0.0/1')`, `inCidr(context.ip, '0.0.0.0/0')`],
    [`inCidr(context.ip, '10.0.0.0/8')`, `inCidr(context.ip, '10.0.0.0/8') || inCidr(context.ip, '192.0.2.7/32')`],
    [`inCidr(context.ip, '10.0.0.0/8') && claims.vip`, `claims.vip`],
    [`context.time < timestamp('2026-06-01T00:00:00Z')`, `context.time <= timestamp('2026-06-01T00:00:00Z')`],
    [`params.x == claims.sub && claims.vip`, `params.x == claims.sub`],
    [`!inCidr(context.ip, '10.0.0.0/8')`, `!inCidr(context.ip, '10.0.0.0/9')`],
    [`!inCidr(context.ip, '10.0.0.0/8') && claims.vip`, `!inCidr(context.ip, '10.1.0.0/16') && claims.vip`],
    [`claims.department.matches('^ab')`, `claims.department.matches('^ab') || claims.department == 'xyz'`],
    [`int(claims.sub) > 3`, `int(claims.sub) > 3 || claims.sub == '2'`],
    [`context.ip == '10.0.0.1'`, `context.ip in ['10.0.0.1', '10.0.0.2']`],
    [`context.time == timestamp('2026-06-01T00:00:00Z')`, `context.time >= timestamp('2026-06-01T00:00:00Z')`],
    [`context.time > timestamp('2026-06-01T00:00:00Z')`, `context.time >= timestamp('2026-06-01T00:00:00Z')`],
    [`(claims.vip ? claims.department : 'b').matches('^a')`, `(claims.vip ? claims.department : 'b').matches('^a') || claims.vip == false`],
    [`claims.department.startsWith('ab')`, `claims.department.startsWith('a') || claims.department.startsWith('ab')`],
  ]
  for (const [a, b] of wider)
    test(`${b} is wider than ${a}`, () => {
      assert.deepEqual(directions(compare(when(a), when(b))), ['wider'])
      assert.deepEqual(directions(compare(when(b), when(a))), ['narrower'])
    })
})

describe('what conditions read of the request', () => {
  const asking = (actions: readonly string[], condition: string): string =>
    `rules: [{ id: r, role: authenticated, resource: orders, actions: ${JSON.stringify(actions)}, when: ${JSON.stringify(condition)} }]`
  // In each cell a condition may mean another thing, whatever else is the same there.
  const cases: readonly (readonly [actions: readonly string[], before: string, after: string, told: readonly string[]])[] = [
    [['GET /a', 'GET /b', 'GET /c'], `request.path != '/b'`, `request.path != '/c'`, ['narrower GET /c', 'wider GET /b']],
    [['GET /x/{id}', 'GET /x/{id}/{at}'], `params.id != 'a'`, `params.id != 'a' || request.path == '/x/a'`, ['wider GET /x/a']],
    [['* /a'], `request.method == 'GET'`, `request.method in ['GET', 'POST']`, ['wider POST /a']],
    [['* /a'], `!(request.method == 'GET')`, `!(request.method in ['GET', 'POST'])`, ['narrower POST /a']],
    [['GET /{x}/{y}'], `params.x == 'a'`, `params.y == 'a'`, ['narrower GET /a/{y}', 'wider GET /{x}/a']],
  ]
  for (const [actions, before, after, told] of cases)
    test(`${before} to ${after} at ${actions.join(', ')}`, () => {
      const { changes, notProven } = compare(asking(actions, before), asking(actions, after))
      assert.deepEqual(notProven, [])
      const directed = changes.map(({ direction, witness: { action } }) => `${direction} ${formatAction(action)}`).toSorted()
      const where = (text: string): RegExp => new RegExp(`^${text.replaceAll(/\{\w+\}/g, '[^/]+')}$`)
      assert.equal(directed.length, told.length, directed.join())
      for (const [i, one] of told.entries()) assert.match(directed[i]!, where(one))
    })
})

test('a claim more is also one more that may not be told, of which nothing is true', () =>
  assert.deepEqual(directions(compare(when('claims.vip'), when('claims.vip || claims.level > 3.0'))), ['wider', 'narrower']))

test('what can not be seen to be the same is not proven, and no change', () => {
  const { changes, notProven } = compare(when('params.x == claims.sub'), when('claims.sub == params.x'))
  assert.deepEqual(changes, [])
  for (const { why } of notProven) assert.match(why, /^nobody was found of whom it is true: /)
})

describe('where it goes', () => {
  const outcome = (effect: Outcome['effect'], ...keys: string[]): Outcome => ({ effect, keys, with: keys, shows: keys })
  const cases: readonly (readonly [before: Outcome, after: Outcome, direction: string])[] = [
    [outcome('deny'), outcome('allow'), 'wider'],
    [outcome('deny'), outcome('challenge'), 'wider'],
    [outcome('deny'), outcome('needs-approval'), 'wider'],
    [outcome('challenge'), outcome('allow'), 'wider'],
    [outcome('needs-approval'), outcome('allow'), 'wider'],
    [outcome('allow'), outcome('deny'), 'narrower'],
    [outcome('allow'), outcome('challenge'), 'narrower'],
    [outcome('allow'), outcome('needs-approval'), 'narrower'],
    [outcome('challenge'), outcome('deny'), 'narrower'],
    [outcome('challenge'), outcome('needs-approval'), 'other'],
    [outcome('needs-approval'), outcome('challenge'), 'other'],
    // The effect goes before what comes with it.
    [outcome('deny', 'a'), outcome('allow', 'b'), 'wider'],
    [outcome('allow', 'b'), outcome('deny', 'a'), 'narrower'],
    [outcome('allow', 'a', 'b'), outcome('allow', 'a'), 'wider'],
    [outcome('allow', 'a'), outcome('allow', 'a', 'b'), 'narrower'],
    [outcome('allow', 'a', 'b'), outcome('allow', 'a', 'c'), 'other'],
    [outcome('challenge', 'a', 'b'), outcome('challenge', 'b'), 'wider'],
  ]
  for (const [before, after, direction] of cases)
    test(`${showOutcome(before)} to ${showOutcome(after)} is ${direction}`, () => assert.equal(directionOf(before, after), direction))
})

describe('guardrails', () => {
  const rules = 'rules: [{ id: r, role: authenticated, resource: wiki, actions: [GET /a] }]\n'
  const roles =
    'roles: { boss: { bind: [{ issuer: entra, claim: roles, any: [B] }] }, lead: { bind: [{ issuer: entra, claim: roles, any: [L] }] } }\n'
  const guardrails = (...all: string[]): string =>
    `${roles}${rules}guardrails:\n${all.map((one, i) => `  - { id: g${i}, resource: wiki, actions: [GET /a], for: [authenticated], ${one} }`).join('\n')}`
  const outcomes = (before: string, after: string) => [
    ...new Set(compare(before, after).changes.map((one) => `${one.direction}: ${showOutcome(one.before)} → ${showOutcome(one.after)}`)),
  ]

  test('an approval, and one more', () => {
    const approval = (count: number, ...from: string[]) =>
      guardrails(`require: { approval: { from: [${from.join(', ')}], count: ${count} } }`)
    const plain = `${roles}${rules}`
    assert.deepEqual(outcomes(plain, approval(1, 'boss')), ['narrower: allow → needs-approval with an approval by `boss`'])
    assert.deepEqual(outcomes(plain, approval(2, 'boss', 'lead')), [
      'narrower: allow → needs-approval with 2 approvals by `boss` or `lead`',
    ])
    assert.deepEqual(outcomes(approval(1, 'boss'), approval(1, 'boss')), [])
  })
  test('masks of one field, of which the strictest counts', () => {
    const masks = (...all: string[]) => guardrails(...all.map((one) => `mask: { $.a: ${one} }`))
    assert.deepEqual(directions(compare(masks('hash', 'drop'), masks('drop'))), [])
    assert.deepEqual(directions(compare(masks('drop', 'hash'), masks('drop', "'null'", 'hash'))), [])
    assert.deepEqual(directions(compare(masks('hash'), masks('hash', 'drop'))).length, 1)
  })
  test('a proof of possession, and another', () => {
    const proof = (how: string) => guardrails(`require: { proofOfPossession: ${how} }`)
    assert.deepEqual(outcomes(`${roles}${rules}`, proof('any')).length, 1)
    assert.deepEqual(directions(compare(`${roles}${rules}`, proof('any'))), ['narrower'])
    assert.deepEqual(directions(compare(proof('any'), `${roles}${rules}`)), ['wider'])
  })
  test('one for two roles as one for each', () => {
    const strong = (...all: string[]) =>
      `${roles}${rules}guardrails:\n${all.map((one, i) => `  - { id: g${i}, resource: wiki, actions: [GET /a], for: [${one}], require: { mfa: true }, record: strict }`).join('\n')}`
    assert.deepEqual(directions(compare(strong('boss, lead'), strong('boss', 'lead'))), [])
    assert.deepEqual(directions(compare(strong('lead', 'boss'), strong('lead, boss'))), [])
    assert.deepEqual(directions(compare(strong('boss, lead'), strong('boss'))), ['wider'])
    assert.deepEqual(directions(compare(strong('lead'), strong('lead', 'boss'))), ['narrower'])
  })
  test('a mask whose parts stand in another order', () => {
    const mask = (how: string) => guardrails(`mask: { $.a: { partial: { ${how} } } }`)
    assert.deepEqual(directions(compare(mask('first: 1, last: 2'), mask('last: 2, first: 1'))), [])
    assert.deepEqual(directions(compare(mask('first: 1, last: 2'), mask('first: 2, last: 1'))), ['other'])
  })
})

describe('roles', () => {
  const bound = (...bindings: string[]): string =>
    `roles: { r: { bind: [${bindings.map((one) => `{ issuer: entra, ${one} }`).join(', ')}] } }\nrules: [{ id: a, role: r, resource: wiki, actions: [GET /a] }]`
  const glass = (until: string) => `claim: oid, any: [x], breakGlass: { until: '${until}' }`
  test('bound by two values at once, or one by one', () =>
    assert.deepEqual(
      directions(compare(bound('claim: groups, any: [a, b]'), bound('claim: groups, any: [b]', 'claim: groups, any: [a]'))),
      [],
    ))
  test('bound by all values, or by any', () =>
    assert.deepEqual(directions(compare(bound('claim: groups, all: [a, b]'), bound('claim: groups, any: [a, b]'))), ['wider']))
  test('bound by none of two, or by neither', () =>
    assert.deepEqual(
      directions(compare(bound('claim: groups, none: [a, b]'), bound('claim: groups, none: [a]', 'claim: groups, none: [b]'))),
      ['wider'],
    ))
  test('bound until before now, or not at all', () =>
    assert.deepEqual(
      directions(compare(bound('claim: groups, any: [a]', glass('2026-03-01T00:00:00Z')), bound('claim: groups, any: [a]'))),
      [],
    ))
  test('bound until now, or not at all', () =>
    assert.deepEqual(
      directions(compare(bound('claim: groups, any: [a]', glass(new Date(NOW).toISOString())), bound('claim: groups, any: [a]'))),
      [],
    ))
  test('bound by all of fewer values', () =>
    assert.deepEqual(directions(compare(bound('claim: groups, all: [a, b]'), bound('claim: groups, all: [a]'))), ['wider']))
  test('bound by the same in another order, it is told by its name', () => {
    const [one, other] = ['claim: groups, any: [a]', 'claim: groups, any: [b], kind: workload']
    const { changes } = compare(bound(one, other), bound(other, one).replace('GET /a', 'GET /a, POST /a'))
    assert.deepEqual(
      changes.map(({ who }) => who.text),
      ['holders of `r` not by a delegated token'],
    )
  })
  test('an app is authenticated by any role that is bound by what a claim has', () => {
    const apps = (...roles: string[]): string =>
      `roles:\n${roles.map((one, i) => `  r${i}: { bind: [{ issuer: entra, claim: groups, ${one} }] }`).join('\n')}\nrules: [{ id: a, role: authenticated, resource: wiki, actions: [GET /a] }]`
    const asked = (before: string, after: string) => {
      const { changes, notProven } = compare(before, after)
      assert.deepEqual(notProven, [])
      for (const { witness } of changes) assert.equal(witness.identity?.appOnly, true)
      return [...new Set(changes.map(({ direction }) => direction))]
    }
    assert.deepEqual(asked(apps('all: [a]'), apps('all: [a]', 'all: [b]')), ['wider'])
    assert.deepEqual(asked(apps('all: [a]', 'all: [b]'), apps('all: [a, b]')), ['narrower'])
    assert.deepEqual(asked(apps('any: [a]'), apps('any: [a, b]')), ['wider'])
    assert.deepEqual(asked(apps('any: [a]', 'any: [b]'), apps('any: [b, a]')), [])
    assert.deepEqual(asked(apps('any: [a]', 'none: [b]'), apps('any: [a]')), [])
  })
  test('bound for longer', () =>
    assert.deepEqual(directions(compare(bound(glass('2026-06-01T00:00:00Z')), bound(glass('2026-07-01T00:00:00Z')))), ['wider']))
  test('of another kind of principal', () =>
    assert.deepEqual(directions(compare(bound('claim: groups, any: [a], kind: workload'), bound('claim: groups, any: [a]'))), ['wider']))
})

describe('resources', () => {
  const { orders, wiki } = base.resources
  const rules = 'rules: [{ id: a, role: authenticated, resource: orders, actions: [GET /a] }]'
  const worlds = (resources: PolicyWiring['resources'], text: string) => {
    const { policy: loaded, diagnostics } = load(text, { wiring: { ...base, resources } })
    assert.ok(loaded !== undefined, JSON.stringify(diagnostics.map(({ message }) => message)))
    return loaded
  }
  const both = (before: ReturnType<typeof worlds>, after: ReturnType<typeof worlds>) => [
    directions(comparePolicies(before, after, { now: NOW })),
    directions(comparePolicies(after, before, { now: NOW })),
  ]
  test('one more is wider, also where it is only observed', () => {
    const without = worlds({ wiki: wiki! }, 'rules: []')
    assert.deepEqual(both(without, worlds({ wiki: wiki!, orders: orders! }, rules)), [['wider'], ['narrower']])
    const observed = { ...orders!, observe: { until: new Date(NOW + 1000).toISOString() } }
    assert.deepEqual(both(without, worlds({ wiki: wiki!, orders: observed }, 'rules: []')), [['wider'], ['narrower']])
  })
  test('what is only observed lets through what nothing speaks of, whoever may come', () => {
    const soon = { until: new Date(NOW + 1000).toISOString() }
    const open = 'rules: [{ id: a, role: everyone, resource: orders, actions: [GET /a] }]'
    const enforced = worlds({ orders: orders! }, open)
    const observed = worlds({ orders: { ...orders!, observe: soon } }, open)
    assert.deepEqual(both(enforced, observed), [['wider'], ['narrower']])
    const { changes } = comparePolicies(enforced, observed, { now: NOW })
    assert.deepEqual(
      changes.flatMap(({ actions }) => actions),
      ['* /**, except `a`', '* /a, except `GET`', '* /a/**'],
    )
    const over = worlds({ orders: { ...orders!, observe: { until: new Date(NOW).toISOString() } } }, open)
    assert.deepEqual(both(enforced, over), [[], []])
    // An issuer more, whose principals are let through as well.
    const { entra } = base.issuers
    const fewer = load(open, { wiring: { issuers: { entra: entra! }, resources: { orders: { ...orders!, observe: soon } } } }).policy!
    assert.deepEqual(both(fewer, observed), [['wider'], ['narrower']])
  })
  test('of a protocol whose actions can not all be written, that is not proven', () => {
    const soon = { until: new Date(NOW + 1000).toISOString() }
    const hosts = { ...orders!, protocol: 'ssh' }
    const [why] = both(worlds({ orders: hosts }, 'rules: []'), worlds({ orders: { ...hosts, observe: soon } }, 'rules: []'))
    assert.deepEqual(why, ['not proven: it is only observed, and what no rule speaks of is not compared then'])
    // Enforced, nothing is let through that no rule speaks of, whoever is new.
    const { entra } = base.issuers
    const fewer = load('rules: []', { wiring: { issuers: { entra: entra! }, resources: { orders: hosts } } }).policy!
    assert.deepEqual(both(fewer, worlds({ orders: hosts }, 'rules: []')), [[], []])
    const models = { ...orders!, protocol: 'llm' }
    assert.deepEqual(both(worlds({ orders: models }, 'rules: []'), worlds({ orders: { ...models, observe: soon } }, 'rules: []')), [
      ['wider'],
      ['narrower'],
    ])
  })
  test('one that is observed for longer is wider', () => {
    const until = (ms: number) => worlds({ orders: { ...orders!, observe: { until: new Date(NOW + ms).toISOString() } } }, rules)
    assert.deepEqual(both(until(1000), until(2000)), [['wider'], ['narrower']])
    assert.deepEqual(both(until(0), worlds({ orders: orders! }, rules)), [[], []])
  })
  test('an issuer whose roles are one text', () => {
    const ci = { ...base.issuers['ci']!, claims: { ...base.issuers['ci']!.claims, roles: 'string' as const } }
    const made = (role: string) => {
      const { policy: loaded } = load(
        `roles: { r: { bind: [{ issuer: ci, claim: roles, any: [a] }] } }\nrules: [{ id: a, role: ${role}, resource: orders, actions: [GET /a] }]`,
        { wiring: { ...base, issuers: { ...base.issuers, ci } } },
      )
      return loaded!
    }
    const { changes, notProven } = comparePolicies(made('r'), made('authenticated'), { now: NOW })
    assert.deepEqual([[...new Set(changes.map(({ direction }) => direction))], notProven], [['wider'], []])
    for (const { witness, after } of changes) assert.equal(ask(made('authenticated'), witness)?.effect, after.effect)
  })
})

test('as many cells as may be are compared, and not one more', () => {
  const made = (...actions: string[]) =>
    policy(`rules: [{ id: a, role: authenticated, resource: orders, actions: [${actions.map((one) => JSON.stringify(one)).join(', ')}] }]`)
  assert.equal(comparePolicies(made('GET /a'), made('GET /a', 'DELETE /a'), { now: NOW }).cells, 1)
  for (const more of [['DELETE /a'], ['GET /b/{x}', 'POST /**']]) {
    const [before, after] = [made('GET /a'), made('GET /a', ...more)]
    const whole = comparePolicies(before, after, { now: NOW })
    assert.deepEqual(whole.notProven, [])
    assert.deepEqual(comparePolicies(before, after, { now: NOW, maxCells: whole.cells }), whole)
    assert.match(comparePolicies(before, after, { now: NOW, maxCells: whole.cells - 1 }).notProven[0]!.why, /overlap in too many ways/)
  }
})

test('what is unknown to the comparison is found', () => {
  assert.deepEqual(foreignKeys({ a: 1, b: undefined, c: 2 }, new Set(['a'])), ['c'])
})
