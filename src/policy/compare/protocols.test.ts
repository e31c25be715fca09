/** What is told of changes of policies of every protocol but http, which has tests of its own. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatAction, type Protocol } from '../../core/action.ts'
import { PROTOCOLS } from '../actions/index.ts'
import type { CompiledPolicy } from '../compiled.ts'
import { load, NOW, wiring as base } from '../testdata/world.ts'
import { comparePolicies, type PolicyComparison } from './index.ts'
import { comparisonInShort, markdownComparison, renderComparison } from './render.ts'
import { ask } from './witness.ts'

const resource = { ...base.resources['orders']!, labels: { zone: 'all' } }
const wiring = { ...base, resources: Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, { ...resource, protocol }])) }
const ROLES = `roles:
  dev: { bind: [{ issuer: entra, claim: roles, any: [Dev] }] }
  ops: { bind: [{ issuer: entra, claim: groups, any: [ops] }] }
`

function policy(text: string): CompiledPolicy {
  const { policy: loaded, diagnostics } = load(ROLES + text, { wiring })
  assert.ok(loaded !== undefined, JSON.stringify(diagnostics.map(({ message }) => message)))
  return loaded
}

interface Side {
  readonly rule: readonly string[]
  readonly when?: string
  readonly guardrail?: readonly string[]
}

function policyOf(protocol: Protocol, { rule, when, guardrail }: Side): CompiledPolicy {
  const rules = [{ id: 'r', role: 'dev', resource: protocol, actions: rule, when }]
  const guardrails = guardrail === undefined ? [] : [{ id: 'g', allBut: ['ops'], resource: protocol, deny: guardrail }]
  return policy(`rules: ${JSON.stringify(rules)}\nguardrails: ${JSON.stringify(guardrails)}\n`)
}

function compare(protocol: Protocol, before: Side, after: Side, more: { readonly maxCells?: number } = {}): PolicyComparison {
  const [from, to] = [before, after].map((side) => policyOf(protocol, side))
  const result = comparePolicies(from!, to!, { now: NOW, ...more })
  for (const { witness, ...change } of result.changes) {
    assert.equal(ask(from!, witness)?.effect, change.before.effect)
    assert.equal(ask(to!, witness)?.effect, change.after.effect)
  }
  return result
}

/** `wider: holders of `dev`: get pods` and an example, or why it is not proven. */
function told({ changes, notProven }: PolicyComparison): readonly string[] {
  return [
    ...changes.map(
      ({ direction, who, actions, witness }) => `${direction}: ${who.text}: ${actions.join(' | ')}, as ${formatAction(witness.action)}`,
    ),
    ...notProven.map(({ why }) => `not proven: ${why}`),
  ]
}

type Case = readonly [name: string, protocol: Protocol, before: Side, after: Side, told: readonly string[]]

const cases: readonly Case[] = [
  ['the same verbs in another order', 'kubernetes', { rule: ['get,list pods -n a'] }, { rule: ['list,get pods -n a'] }, []],
  ['what one pattern says as two', 'kubernetes', { rule: ['get pods -n a,b'] }, { rule: ['get pods -n a', 'get pods -n b'] }, []],
  ['a name within a glob', 'kubernetes', { rule: ['get pods -n team-*', 'get pods -n team-a'] }, { rule: ['get pods -n team-*'] }, []],
  [
    'a verb more',
    'kubernetes',
    { rule: ['get pods -n shop'] },
    { rule: ['get,list pods -n shop'] },
    ['wider: holders of `dev`: list pods -n shop, as list pods x -n shop'],
  ],
  [
    'a wider namespace',
    'kubernetes',
    { rule: ['get pods -n team-a'] },
    { rule: ['get pods -n team-*'] },
    ['wider: holders of `dev`: get pods -n team-*, except `-n team-a`, as get pods x -n team-x'],
  ],
  [
    'a way into containers',
    'kubernetes',
    { rule: ['* *', 'create pods/exec'] },
    { rule: ['* *', 'create pods/exec'], guardrail: ['create pods/exec -n prod'] },
    ['narrower: holders of `dev`: create pods/exec -n prod, as create pods/exec x -n prod'],
  ],
  ['a namespace, which is in itself', 'kubernetes', { rule: ['get namespaces a'] }, { rule: ['get namespaces -n a'] }, []],
  [
    'paths',
    'kubernetes',
    { rule: ['get /api/*'] },
    { rule: ['get /api/**'] },
    ['wider: holders of `dev`: get /api/**, except `/api/*`, as get /api/'],
  ],
  [
    'a table more',
    'sql',
    { rule: ['select on public.orders'] },
    { rule: ['select on public.*'] },
    ['wider: holders of `dev`: select on public.*, except `orders`, as select on public.x(x)'],
  ],
  [
    'a column more',
    'sql',
    { rule: ['update on public.orders(status)'] },
    { rule: ['update on public.orders(status, note)'] },
    ['wider: holders of `dev`: update on public.orders(note), as update on public.orders(note)'],
  ],
  [
    'all columns, which are also whole rows',
    'sql',
    { rule: ['select on public.orders(*)'] },
    { rule: ['select on public.orders'] },
    ['wider: holders of `dev`: select on public.orders (whole rows), as select on public.orders'],
  ],
  [
    'a guardrail on a column meets whole rows',
    'sql',
    { rule: ['select on *.*'] },
    { rule: ['select on *.*'], guardrail: ['select on public.cards(number)'] },
    ['narrower: holders of `dev`: select on public.cards(number) or whole rows, as select on public.cards(number)'],
  ],
  [
    'any arguments',
    'ssh',
    { rule: ['exec as deploy: systemctl restart *'] },
    { rule: ['exec as deploy: systemctl **'] },
    ['wider: holders of `dev`: exec as deploy: systemctl **, except `systemctl restart *`, as exec as deploy: systemctl'],
  ],
  [
    'another login, of which a star is never root',
    'ssh',
    { rule: ['shell as deploy'] },
    { rule: ['shell as *'] },
    ['wider: holders of `dev`: shell as *, except `as deploy`, `as root`, as shell as x'],
  ],
  [
    'a command that can not be told',
    'ssh',
    { rule: ['exec as deploy'] },
    { rule: ['exec as deploy'], guardrail: ['exec as *: rm **'] },
    ['narrower: holders of `dev`: exec as deploy: rm ** or what can not be told, as exec as deploy: rm'],
  ],
  [
    'a mount more, for reading',
    'container',
    { rule: ['run acme/web:1.*'] },
    { rule: ['run acme/web:1.* with mount /srv/data/**:ro'] },
    [
      'wider: holders of `dev`: run docker.io/acme/web:1.* with mount /srv/data/**:ro, as run docker.io/acme/web:1. named x with mount /srv/data/x:ro',
    ],
  ],
  [
    'what is mounted for reading may be what may be written',
    'container',
    { rule: ['run a with mount /a'] },
    { rule: ['run a with mount /a, mount /a:ro'] },
    [],
  ],
  [
    'an option that opens the host',
    'container',
    { rule: ['run a.io/x with *'] },
    { rule: ['run a.io/x with *'], guardrail: ['run * with privileged'] },
    ['narrower: holders of `dev`: run a.io/x with privileged, as run a.io/x:x named x with privileged'],
  ],
  [
    'tools more',
    'mcp',
    { rule: ['tools/call search_orders'] },
    { rule: ['tools/call search_*'] },
    ['wider: holders of `dev`: tools/call search_*, except `search_orders`, as tools/call search_'],
  ],
  [
    'an argument that may be larger',
    'mcp',
    { rule: ['tools/call search'], when: 'request.arguments.limit <= 100' },
    { rule: ['tools/call search'], when: 'request.arguments.limit <= 500' },
    ['wider: holders of `dev` where request.arguments.limit is above 100 and at most 500: tools/call search, as tools/call search'],
  ],
  [
    'an argument that need not be there',
    'mcp',
    { rule: ['tools/call a'], when: 'has(request.arguments.x) && request.arguments.x == "b"' },
    { rule: ['tools/call a'], when: 'request.arguments.x == "b"' },
    [],
  ],
  [
    'more tokens',
    'llm',
    { rule: ['chat gpt-4o*'], when: 'request.tokens <= 1000' },
    { rule: ['chat gpt-4o*'], when: 'request.tokens < 1001 || request.tokens == 2000' },
    ['wider: holders of `dev` where request.tokens is `2000`: chat gpt-4o*, as chat gpt-4o tokens=2000'],
  ],
  [
    'tokens that are said',
    'llm',
    { rule: ['chat a'], when: 'has(request.tokens)' },
    { rule: ['chat a'] },
    ['wider: holders of `dev` where request.tokens can not be decoded: chat a, as chat a'],
  ],
  ['models', 'llm', { rule: ['chat a*,b'] }, { rule: ['chat *'] }, ['wider: holders of `dev`: chat *, except `a*`, `b`, as chat x']],
]

describe('what is gained and lost of every protocol', () => {
  for (const [name, protocol, before, after, expected] of cases)
    test(`${protocol}: ${name}`, () => assert.deepEqual(told(compare(protocol, before, after)), expected))
})

describe('conditions over a request are held to what its cell has', () => {
  const wider: readonly Case[] = [
    [
      'a namespace by condition or by pattern',
      'kubernetes',
      { rule: ['get pods'], when: 'request.namespace == "a"' },
      { rule: ['get pods -n a'] },
      [],
    ],
    [
      'a verb by condition or by pattern',
      'kubernetes',
      { rule: ['get,list pods'], when: 'request.verb == "get"' },
      { rule: ['get pods'] },
      [],
    ],
    ['a column', 'sql', { rule: ['update on a.b'], when: 'request.column == "c"' }, { rule: ['update on a.b(c)'] }, []],
    ['words of one command', 'ssh', { rule: ['exec as a: ls -l'], when: 'request.command[1] == "-l"' }, { rule: ['exec as a: ls -l'] }, []],
    [
      'options',
      'container',
      { rule: ['run a with *'], when: '!("privileged" in request.options)' },
      { rule: ['run a with *'], guardrail: ['run * with privileged'] },
      ['wider: holders of `dev` and `ops`: run docker.io/library/a with privileged, as run docker.io/library/a:x named x with privileged'],
    ],
    ['a method', 'mcp', { rule: ['tools/list,ping'], when: 'request.method != "ping"' }, { rule: ['tools/list'] }, []],
    ['a model', 'llm', { rule: ['chat a,b'], when: 'request.model in ["a", "c"]' }, { rule: ['chat a'] }, []],
  ]
  for (const [name, protocol, before, after, expected] of wider)
    test(`${protocol}: ${name}`, () => assert.deepEqual(told(compare(protocol, before, after)), expected))
})

describe('what is tried', () => {
  const widens = (protocol: Protocol, rule: readonly string[], before: string, after: string): PolicyComparison => {
    const result = compare(protocol, { rule, when: before }, { rule, when: after })
    assert.deepEqual(result.notProven, [], `${before} ${after}`)
    assert.deepEqual([...new Set(result.changes.map(({ direction }) => direction))], ['wider'], `${before} ${after}`)
    return result
  }
  test('no number of tokens is below 0', () => {
    assert.deepEqual(
      told(compare('llm', { rule: ['chat m'], when: 'request.tokens >= 0' }, { rule: ['chat m'], when: 'request.tokens > -2' })),
      [],
    )
  })
  test('arguments of a call next to those that are named', () => {
    const rule = ['tools/call x']
    for (const more of ['(int(request.arguments.n) + 1) % 1000 == 0', '(int(request.arguments.n) - 1) % 1000 == 0'])
      widens('mcp', rule, 'request.arguments.m == 1', `request.arguments.m == 1 || ${more}`)
    // What is no number is not above 100, and not below either: an error is neither.
    const notAbove = '!(request.arguments.n > 100)'
    widens('mcp', rule, notAbove, `${notAbove} || !(request.arguments.n == 5)`)
    widens('mcp', rule, `${notAbove} && request.arguments.n != 7`, notAbove)
  })
  test('what is denied of a field', () => {
    const rule = ['get pods']
    const [change] = widens('kubernetes', rule, 'request.namespace == "dev"', '!(request.namespace == "prod")').changes
    assert.notEqual((change!.witness.action as { namespace: string }).namespace, 'prod')
    widens('kubernetes', rule, '!(request.namespace in ["prod", "test"])', '!(request.namespace == "prod")')
  })
  test('a command that can not be told is met by a guardrail on any', () => {
    const rule = ['exec as deploy: rm **']
    const [change, ...more] = compare('ssh', { rule, guardrail: ['exec as *: rm **'] }, { rule, guardrail: ['exec as *: rm'] }).changes
    assert.equal(change?.direction, 'wider')
    assert.deepEqual(more, [])
    assert.match(formatAction(change.witness.action), /rm .+/)
  })
})

describe('bounds', () => {
  test('patterns that overlap in too many ways are not proven, with the reason', () => {
    const letters = 'abcdefghijklmnop'.split('')
    const rule = letters.map((one) => `get pods -n *${one}*`)
    const [why, ...more] = told(compare('kubernetes', { rule }, { rule: [...rule, 'list pods'].slice(1) }))
    assert.deepEqual(more, [])
    assert.match(why!, /^not proven: its patterns overlap in too many ways/)
  })
  const growing: readonly (readonly [Protocol, string, ...string[]])[] = [
    ['kubernetes', 'get pods -n a', 'list pods', 'get /api/*'],
    ['sql', 'select on a.b', 'update on a.*'],
    ['ssh', 'exec as deploy: ls *', 'shell as deploy'],
    ['container', 'run acme/web:1.*', 'run acme/web:1.* with privileged', 'pull acme/*'],
    ['mcp', 'tools/call a', 'tools/call a*'],
    ['llm', 'chat a', 'chat a*'],
  ]
  for (const [protocol, first, ...more] of growing)
    test(`as many cells of ${protocol} as may be are compared, and not one more`, () => {
      const sides = [{ rule: [first] }, { rule: [first, ...more] }] as const
      const whole = compare(protocol, ...sides)
      assert.deepEqual(whole.notProven, [])
      assert.deepEqual(compare(protocol, ...sides, { maxCells: whole.cells }), whole)
      assert.match(
        told(compare(protocol, ...sides, { maxCells: whole.cells - 1 })).join(),
        /not proven: its patterns overlap in too many ways/,
      )
    })
  test('cells of a resource', () => {
    const { changes, notProven } = compare(
      'sql',
      { rule: ['select on a.b', 'select on a.*'] },
      { rule: ['select on *.*'] },
      { maxCells: 2 },
    )
    assert.match(notProven[0]?.why ?? '', /overlap in too many ways/)
    // What was found by then is told all the same.
    assert.ok(changes.every(({ direction }) => direction === 'wider'))
  })
  test('another protocol of the same resource', () => {
    const from = policy('')
    const { policy: to } = load(ROLES, { wiring: { ...wiring, resources: { ...wiring.resources, sql: { ...resource, protocol: 'ssh' } } } })
    assert.match(comparePolicies(from, to!, { now: NOW }).notProven[0]!.why, /its protocol is another/)
  })
})

test('what is said for a terminal and for a pull request is as a pattern says it', () => {
  const comparison = compare('kubernetes', { rule: ['get pods -n shop'] }, { rule: ['get pods -n shop', 'create pods/exec -n shop'] })
  assert.match(renderComparison(comparison), /\n {6}create pods\/exec -n shop\n {4}for example `create pods\/exec x -n shop` by a human/)
  const markdown = markdownComparison(comparison, { title: 'Plan', notes: [], replay: undefined, days: 30 })
  assert.match(markdown, /<code>create pods\/exec -n shop<\/code><br>on <code>kubernetes<\/code>/)
})

test('in short, what is gained comes first, and what there is no room for is counted', () => {
  const rule = ['get pods -n shop', 'list pods -n shop']
  const comparison = compare('kubernetes', { rule }, { rule: ['get pods -n shop', 'create pods/exec -n shop'] })
  const lines = [
    'gained: holders of `dev` on kubernetes: deny → allow: create pods/exec -n shop',
    'lost: holders of `dev` on kubernetes: allow → deny: list pods -n shop',
  ]
  assert.deepEqual(comparisonInShort(comparison, 2), lines)
  const notProven = [
    { resource: 'ostiary.yaml', actions: undefined, why: 'x'.repeat(600) },
    { resource: 'sql', actions: ['select on a.b', 'select on a.c'], why: 'too much' },
  ]
  const more = comparisonInShort({ ...comparison, notProven }, 4)
  assert.deepEqual(more.slice(0, 2), lines)
  assert.equal(more[2], `not proven: on ostiary.yaml: ${'x'.repeat(470)}…`)
  assert.equal(more[2].length, 500)
  assert.equal(more[3], 'not proven: on sql: too much: select on a.b, select on a.c')
  assert.deepEqual(comparisonInShort({ ...comparison, notProven }, 2), [lines[0], 'and 3 more'])
})
