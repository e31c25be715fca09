import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { ClaimType } from '../../config/schema.ts'
import { character } from '../../testing/text.ts'
import { contains, parseAddress, parseNetwork } from './cidr.ts'
import { checkCondition, type Finding, type Scope } from './check.ts'
import { Condition, type Input, type Truth } from './condition.ts'
import { parseCondition } from './parse.ts'
import type { Type } from './types.ts'

const scope: Scope = {
  claims: new Map<string, ClaimType | 'conflict'>([
    ['groups', 'list'],
    ['department', 'string'],
    ['level', 'number'],
    ['vip', 'boolean'],
    ['mixed', 'conflict'],
    ['constructor', 'string'],
    ['https://example.com/role', 'string'],
  ]),
  parameters: new Set(['id']),
  request: new Map<string, Type>([
    ['method', 'string'],
    ['path', 'string'],
    ['arguments', 'dyn'],
  ]),
}

function compile(text: string): Condition | { readonly problem: string; readonly at: string; readonly help: string | undefined } {
  const parsed = parseCondition(text)
  if ('problem' in parsed) return { problem: parsed.problem, at: text.slice(parsed.from, parsed.to), help: parsed.help }
  const { findings, claims, usesParameters } = checkCondition(parsed, text, scope)
  const [first] = findings
  if (first !== undefined) return { problem: said(first), at: text.slice(first.from, first.to), help: first.help }
  return new Condition(text, parsed, new Map(claims.map((name) => [name, scope.claims.get(name) as ClaimType])), usesParameters)
}

function said(finding: Finding): string {
  return finding.kind === 'type' ? finding.problem : `unknown ${finding.kind} ${finding.name}`
}

const input: Input = {
  claims: { groups: ['a', 'b'], department: 'sales', level: 3, vip: true },
  unknownClaims: new Set(),
  time: Date.UTC(2026, 2, 29, 1, 30, 5, 250), // half an hour into summer time in Berlin
  ip: '10.1.2.3',
  action: { protocol: 'http', method: 'GET', path: '/orders/7' },
  parameters: new Map([['id', '7']]),
}

function evaluate(text: string, more: Partial<Input> = {}): Truth {
  const condition = compile(text)
  assert.ok(condition instanceof Condition, JSON.stringify(condition))
  return condition.evaluate({ ...input, ...more })
}

describe('conditions', () => {
  const cases: readonly (readonly [text: string, truth: boolean])[] = [
    ['true', true],
    ['claims.department == "sales"', true],
    ["claims['department'] == 'sales'", true],
    ['has(claims.department)', true],
    ['has(claims.constructor)', false],
    ['"a" in claims.groups', true],
    ['"c" in claims.groups', false],
    ['claims.groups.exists(g, g.startsWith("b"))', true],
    ['claims.groups.all(g, g != "c")', true],
    ['claims.groups.exists_one(g, g == "a")', true],
    ['claims.groups[0] == "a"', true],
    ['size(claims.groups) == 2', true],
    ['claims.level >= 3', true],
    ['claims.level == 3', true],
    ['claims.level + 0.5 > 3', true],
    ['claims.level in [1, 2, 3]', true],
    ['claims.vip', true],
    ['!claims.vip || claims.level < 2.0', false],
    ['claims.vip ? claims.level > 1 : false', true],
    ['request.method == "GET" && request.path.startsWith("/orders/")', true],
    ['params.id == "7"', true],
    ['int(params.id) % 2 == 1', true],
    ['claims.department.matches("^s.*s$")', true],
    ['claims.department.matches("ale")', true],
    ['claims.department.contains("ale") && claims.department.endsWith("s")', true],
    ['inCidr(context.ip, "10.0.0.0/8")', true],
    ['inCidr(context.ip, "2001:db8::/32")', false],
    ['context.time > timestamp("2026-01-01T00:00:00Z")', true],
    ['context.time - timestamp("2026-03-29T00:00:00Z") < duration("2h")', true],
    ['context.time + duration("1h") > context.time', true],
    ['context.time.getHours() == 1', true],
    ["context.time.getHours('Europe/Berlin') == 3", true],
    ["context.time.getHours('+05:30') == 7 && context.time.getMinutes('-00:15') == 15", true],
    ['context.time.getFullYear() == 2026 && context.time.getMonth() == 2 && context.time.getDate() == 29', true],
    ['context.time.getDayOfMonth() == 28 && context.time.getDayOfWeek() == 0 && context.time.getDayOfYear() == 87', true],
    ["context.time.getMilliseconds('Asia/Tokyo') == 250 && context.time.getSeconds() == 5", true],
    ['claims.groups + ["c"] == ["a", "b", "c"]', true],
    ['claims.groups in [["a"], claims.groups, []]', true],
    [Array.from({ length: 8 }, () => 'claims.groups.exists(g, g == "b")').join(' && '), true],
    [`true${' '.repeat(4092)}`, true],
    [`claims.department.matches("${'a'.repeat(398)}")`, false],
    ['claims.missing_is_absorbed == "x"'.replace('missing_is_absorbed', 'constructor') + ' || true', true],
  ]
  for (const [text, truth] of cases) test(text.slice(0, 90).trim(), () => assert.equal(evaluate(text), truth))
})

describe('what can not be told is an error, not false', () => {
  const cases: readonly (readonly [text: string, more: Partial<Input>, error: RegExp])[] = [
    ['claims.department == "sales"', { claims: {} }, /there is no `department`/],
    ['claims.department == "sales"', { claims: { department: ['sales'] } }, /not of its declared type/],
    ['claims.level > 3', { claims: { level: '4' } }, /not of its declared type/],
    ['"a" in claims.groups', { unknownClaims: new Set(['groups']) }, /`groups` can not be told/],
    ['"a" in claims.groups || true', { unknownClaims: new Set(['groups']) }, /`groups` can not be told/],
    ['has(claims.groups)', { unknownClaims: new Set(['groups']) }, /`groups` can not be told/],
    ['claims.groups[9] == "a"', {}, /out of bounds/],
    ['1 / int(claims.level - 3.0) == 1', {}, /zero/],
    ['inCidr(context.ip, "10.0.0.0/8")', { ip: 'somewhere' }, /can not be used/],
    ['params.id == "7"', { parameters: new Map([['id', undefined]]) }, /there is no `id`/],
    ['int(params.id) == 7', { parameters: new Map([['id', 'x']]) }, /can not be used/],
  ]
  for (const [text, more, error] of cases)
    test(text, () => {
      const truth = evaluate(text, more)
      assert.ok(typeof truth === 'object')
      assert.match(truth.error, error)
    })
  test('an error tells no value of a claim', () => {
    const truth = evaluate('int(claims.department) == 1', { claims: { department: 'very private' } })
    assert.doesNotMatch(JSON.stringify(truth), /private/)
  })
})

describe('what is no condition', () => {
  const cases: readonly (readonly [text: string, problem: RegExp, at: string, help?: RegExp])[] = [
    ['', /empty/, ''],
    ['claims.department ==', /ends too early/, ''],
    ['claims.department = "a"', /unexpected/i, '=', /`==`/],
    ['claims.vip and true', /unexpected/i, 'and', /`&&`/],
    ['claims.vip & true', /unexpected/i, '&', /`&&`/],
    ['claims.department == "a', /unterminated/, '"a'],
    ['claims.grups == ["a"]', /unknown claim grups/, 'grups', /`groups`/],
    ["claims['grups'] == ['a']", /unknown claim grups/, "'grups'", /`groups`/],
    ['claims.mixed == "a"', /different types/, 'claims.mixed'],
    ['context.tine == context.time', /unknown field tine/, 'tine', /`time`/],
    ['request.headers.x == "1"', /unknown field headers/, 'headers'],
    ['claim.department == "a"', /unknown field claim/, 'claim', /`claims`/],
    ['params.ip == "1"', /unknown parameter ip/, 'ip', /`id`/],
    ['claims', /not a value/, 'claims'],
    ['size(claims) > 1', /not a value/, 'claims'],
    ['"a" in claims', /not a value/, 'claims'],
    ['claims.exists(c, true)', /not a value/, 'claims'],
    ['claims[claims.department] == "a"', /literal name/, 'claims.department'],
    ['claims.department', /of type string, not true or false/, 'claims.department'],
    ['1', /of type int/, '1'],
    ['claims.department == 1', /`==` can not be used with string and int/, 'claims.department == 1'],
    ['claims.groups == "a"', /list of string and string/, 'claims.groups == "a"'],
    ['claims.department in "sales"', /`in`/, 'claims.department in "sales"'],
    ['1 in claims.groups', /`in`/, '1 in claims.groups'],
    ['claims.level + 1 > 2', /`\+` can not be used with double and int/, 'claims.level + 1', /1\.0/],
    ['claims.vip && 1', /`&&`/, 'claims.vip && 1'],
    ['[1, "a"] == [1]', /one type/, '"a"'],
    ['[["a"], [1]] == [["a"]]', /one type/, '[1'],
    ['claims.groups - ["a"] == ["b"]', /`-` can not be used with list of string and list of string/, 'claims.groups - ["a"'],
    ['claims.department.foo == 1', /nothing called `foo`/, 'claims.department.foo'],
    ['claims.department.startWith("a")', /no function `startWith`/, 'claims.department.startWith("a"', /`startsWith`/],
    ['claims.department.startsWith(1)', /no `string.startsWith\(int\)`/, 'claims.department.startsWith(1'],
    ['claims.department.matches(claims.department)', /needs a literal/, 'claims.department'],
    ['claims.department.matches("(a")', /not an RE2 pattern/, '"(a"'],
    ['claims.department.matches("(?=a)")', /not an RE2 pattern/, '"(?=a)"'],
    ['inCidr(context.ip, "10.0.0.0/33")', /not a network/, '"10.0.0.0/33"'],
    ['inCidr(context.ip, "10.0.0.1/8")', /not a network/, '"10.0.0.1/8"'],
    ['context.time > timestamp("yesterday")', /not a timestamp/, '"yesterday"', /2026/],
    ['context.time > timestamp(claims.department)', /needs a literal/, 'claims.department'],
    ['context.time.getHours("Europe/Berlyn") > 1', /not a time zone/, '"Europe/Berlyn"'],
    ['claims.groups.exists(g, claims.groups.exists(h, g == h))', /inside another/, '.'],
    ['claims.groups.filter(g, g == "a").size() == 1', /`filter` can not/, '.', /`exists`/],
    ['claims.groups.map(g, g + "!") == ["a!"]', /`map` and/, '.', /`exists`/],
    [Array.from({ length: 9 }, () => 'claims.groups.exists(g, g == "a")').join(' || '), /more than 8 loops/, '.'],
    ['claims.department.matches("(a?){200}a{200}")', /too large a pattern/, '"(a?){200}a{200}"'],
    [`claims.department.matches("${'a'.repeat(399)}")`, /too large a pattern: 401 steps, at most 400/, '"a'],
    ['claims.department.matches("(a{1000}){1000}")', /not an RE2 pattern/, '"(a{1000}){1000}"'],
    ['claims.groups.exists(claims, claims == "a")', /name of an element/, '.'],
    ['claims.groups.exists(g, 1)', /`\|\|`/, '.exists(g, 1'],
    ['claims.department.exists(g, true)', /not a list/, 'claims.department'],
    ['{"a": 1}.a == 1', /maps and messages/, '{'],
    ['Thing{a: 1} == 1', /unexpected/, '{'],
    ['dyn(1) == 1', /no function `dyn`/, ''],
    ['type(1) == int', /no function `type`|unknown/, ''],
    ['has(claims.grups)', /unknown claim/, 'grups', /`groups`/],
    [`${'('.repeat(60)}true${')'.repeat(60)}`, /nested deeper/, ''],
    [`${'!'.repeat(1000)}true`, /nested|large/, ''],
    [Array.from({ length: 510 }, () => 'true').join(' && '), /large|nested/, ''],
    ['a'.repeat(5000), /longer than/, 'a'],
  ]
  for (const [text, problem, at, help] of cases)
    test(text.slice(0, 60) || 'nothing', () => {
      const result = compile(text)
      assert.ok(!(result instanceof Condition), 'refused')
      assert.match(result.problem, problem)
      if (at !== '') assert.ok(result.at.startsWith(at), `points at ${JSON.stringify(result.at)}`)
      if (help !== undefined) assert.match(result.help ?? '', help)
    })
})

test('no text makes the reader throw, nor run long', () => {
  const piece = fc.constantFrom(
    'claims',
    '.groups',
    '.',
    '(',
    ')',
    '[',
    ']',
    '"a"',
    ' in ',
    ' && ',
    '!',
    '?',
    ':',
    '1',
    ' == ',
    '.exists(g, ',
    '{',
    '}',
    'has(',
    '-',
    '\\',
    '\n',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: character }),
        fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
      ),
      (text) => {
        const result = compile(text)
        if (result instanceof Condition) assert.ok(['boolean', 'object'].includes(typeof result.evaluate(input)))
        else assert.notEqual(result.problem, '')
      },
    ),
    { numRuns: 200 },
  )
})

test('a pattern that backtracks elsewhere costs linear time here', () => {
  // With a backtracking engine this would not end within the life of the machine.
  assert.equal(evaluate('claims.department.matches("^(a+)+$")', { claims: { department: `${'a'.repeat(5000)}!` } }), false)
})

describe('addresses', () => {
  const cases: readonly (readonly [text: string, bytes: number | undefined])[] = [
    ['10.0.0.1', 4],
    ['::', 16],
    ['::1', 16],
    ['2001:db8::1', 16],
    ['1:2:3:4:5:6:7:8', 16],
    ['1:2:3:4:5:6:7::', 16],
    ['::ffff:10.0.0.1', 4],
    ['64:ff9b::10.0.0.1', 16],
    ['010.0.0.1', undefined],
    ['10.0.0', undefined],
    ['10.0.0.256', undefined],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['1::2::3', undefined],
    [':1', undefined],
    ['1:2:3:4:5:6:7:8::', undefined],
    ['10.0.0.1::', undefined],
    ['fe80::1%eth0', undefined],
    ['', undefined],
    ['12345::', undefined],
  ]
  for (const [text, bytes] of cases) test(text || 'nothing', () => assert.equal(parseAddress(text)?.length, bytes))
  test('networks', () => {
    const inside = (ip: string, cidr: string): boolean => contains(parseNetwork(cidr)!, parseAddress(ip)!)
    assert.equal(inside('10.255.0.1', '10.0.0.0/8'), true)
    assert.equal(inside('11.0.0.1', '10.0.0.0/8'), false)
    assert.equal(inside('192.168.1.127', '192.168.1.0/25'), true)
    assert.equal(inside('192.168.1.128', '192.168.1.0/25'), false)
    assert.equal(inside('1.2.3.4', '0.0.0.0/0'), true)
    assert.equal(inside('::1', '0.0.0.0/0'), false)
    assert.equal(inside('1.2.3.4', '1.2.3.4/32'), true)
    assert.equal(inside('2001:db8:1::', '2001:db8::/32'), true)
    assert.equal(inside('10.1.1.1', '::ffff:10.0.0.0/104'), true)
    for (const bad of ['10.0.0.0', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/33', '10.0.0.1/8', '::/129', '::ffff:10.0.0.0/95', 'x/8'])
      assert.equal(parseNetwork(bad), undefined, bad)
  })
  test('nothing makes them throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789abcdef:./'.split('')), maxLength: 50 }), (text) => {
        const bytes = parseAddress(text)?.length
        assert.ok(bytes === undefined || bytes === 4 || bytes === 16)
        parseNetwork(text)
      }),
    )
    fc.assert(fc.property(fc.ipV6(), (text) => assert.notEqual(parseAddress(text), undefined)))
    fc.assert(fc.property(fc.ipV4(), (text) => assert.equal(parseAddress(text)?.join('.'), text)))
  })
})
