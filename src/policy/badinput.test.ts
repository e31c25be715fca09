/** Policies that nobody writes by accident: each is a finding with a place and with help, in bounded time and memory. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Diagnostic } from '../core/errors.ts'
import { load } from './testdata/world.ts'

const ROLES = 'roles: { reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] } }\n'
const when = (text: string): string =>
  `${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: [GET /a], when: ${JSON.stringify(text)} }]\n`
const nested = (depth: number, open: string, close: string, inside: string): string => open.repeat(depth) + inside + close.repeat(depth)

function refused(text: string): readonly Diagnostic[] {
  // What takes without bound is ended by the runner.
  const { policy, diagnostics } = load(text)
  assert.equal(policy, undefined)
  assert.ok(diagnostics.length > 0)
  for (const { span, help, message } of diagnostics) {
    assert.ok(span !== undefined && help !== '', message)
    assert.ok(message.length < 4000, 'a message is no copy of the text')
  }
  return diagnostics
}

const cases: readonly (readonly [name: string, text: string, code: string, line?: number])[] = [
  ['a bomb of aliases', `a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\nrules: *d\n`, 'config/alias', 2],
  ['an alias into itself', 'roles: &r { a: *r }\n', 'config/alias', 2],
  ['many anchors', Array.from({ length: 20_000 }, (_, i) => `k${i}: &k${i} x\n`).join(''), 'config/alias', 2],
  ['a merge key', 'roles: { a: {}, b: { <<: { bind: [] } } }\n', 'config/unknown-key', 2],
  ['the same key twice', 'rules: []\nroles: {}\nrules: []\n', 'config/yaml', 4],
  ['the same key twice, one in quotes', 'roles: { a: {}, "a": {} }\n', 'config/yaml', 2],
  ['a key of JavaScript', 'roles: { __proto__: { bind: [] } }\n', 'config/yaml', 2],
  ['a file of 50 MB', `# ${'x'.repeat(50 * 1024 * 1024)}\n`, 'config/too-large', 1],
  [
    'twenty thousand keys that are none',
    `roles:
${Array.from(
  { length: 20_000 },
  (_, i) => `  r${i}: { bidn: [] }
`,
).join('')}`,
    'config/unknown-key',
    3,
  ],
  ['lists a hundred thousand deep', `rules: ${nested(100_000, '[', ']', '')}\n`, 'config/yaml'],
  ['maps a hundred deep', `roles: ${nested(100, '{ a: ', ' }', 'x')}\n`, 'config/yaml', 2],
  ['lists that never end', `rules: ${'['.repeat(100_000)}\n`, 'config/yaml'],
  ['a tab for indentation', `rules:\n\t- { id: a }\n`, 'config/yaml', 3],
  ['a tab after the dash', `rules:\n  -\tid: a\n\trole: reader\n`, 'config/yaml', 3],
  ['a NUL', `rules: []\n\0\n`, 'config/yaml'],
  [
    'roles that include each other',
    'roles: { a: { includes: [b] }, b: { includes: [c] }, c: { includes: [a] } }\n',
    'policy/role-cycle',
    2,
  ],
  ['a role that includes itself', 'roles: { a: { includes: [a] } }\n', 'policy/role-cycle', 2],
  [
    'a circle of ten thousand roles',
    `roles:\n${Array.from({ length: 10_000 }, (_, i) => `  r${i}: { includes: [r${(i + 1) % 10_000}] }\n`).join('')}`,
    'policy/role-cycle',
  ],
  ['brackets a thousand deep', when(nested(1000, '(', ')', 'true')), 'policy/condition', 3],
  ['not a thousand times', when(`${'!'.repeat(1001)}true`), 'policy/condition', 3],
  ['lists a thousand deep', when(`${nested(1000, '[', ']', '1')} == 1`), 'policy/condition', 3],
  ['a condition as long as a book', when(`'${'x'.repeat(100_000)}' == ''`), 'policy/condition', 3],
  ['ten thousand alternatives', when(Array.from({ length: 10_000 }, () => 'true').join('||')), 'policy/condition', 3],
]

describe('what is refused', () => {
  for (const [name, text, code, line] of cases)
    test(name, () => {
      const [first] = refused(text)
      assert.equal(first?.code, code, first?.message)
      if (line !== undefined) assert.equal(first.span?.line, line)
    })

  test('a tab is told to be one', () => {
    const [first] = refused('rules:\n\t- { id: a }\n')
    assert.match(first!.message, /tab/i)
    assert.match(first!.help, /indentation is by spaces/)
  })

  test('patterns that no linear time can match, with what to write instead', () => {
    const patterns: readonly (readonly [string, RegExp])[] = [
      ['(?=a)b', /two conditions/],
      ['(?<!a)b', /two conditions/],
      ['(a)\\1', /back to a group/],
      ['(?>a+)b', /nothing to go back to/],
      ['a{5000}', /at most 1000/],
    ]
    for (const [pattern, help] of patterns) {
      const [first] = refused(when(`request.path.matches(r'${pattern}')`))
      assert.equal(first?.code, 'policy/condition-type', pattern)
      assert.match(first.help, help)
      const [said] = refused(
        `${ROLES}guardrails: [{ id: g, require: { justification: { matches: ${JSON.stringify(pattern)} } }, actions: [GET /a], resource: orders, for: [reader] }]\n`,
      )
      assert.equal(said?.code, 'policy/requirement', pattern)
      assert.match(said.help, help)
    }
  })

  test('a pattern that would take a backtracking matcher for ever is matched in linear time', () => {
    const { policy } = load(when("request.path.matches(r'^(a+)+$')"))
    const action = { protocol: 'http', method: 'GET', path: '/a' } as const
    // By going back, the longest would take longer than there is time.
    for (const length of [10, 1000, 8000]) {
      const rule = policy!.rules[0]!
      const path = `/${'a'.repeat(length)}!`
      const input = {
        claims: {},
        unknownClaims: new Set<string>(),
        time: 0,
        ip: '',
        action: { ...action, path },
        parameters: new Map<string, string>(),
      }
      assert.equal(rule.when!.evaluate(input), false)
    }
  })
})

describe('what is all right', () => {
  const good = `apiVersion: ostiary.dev/v1\n${ROLES}rules: [{ id: a, role: reader, resource: orders, actions: [GET /a] }]\n`
  const spellings: readonly (readonly [string, string])[] = [
    ['a byte order mark', `\uFEFF${good}`],
    ['lines that end with CRLF', good.replaceAll('\n', '\r\n')],
    ['both', `\uFEFF${good.replaceAll('\n', '\r\n')}`],
    ['no line end at the end', good.trimEnd()],
    ['tabs behind values', good.replaceAll('\n', '\t\n')],
  ]
  for (const [name, text] of spellings)
    test(name, () => {
      const { policy, diagnostics } = load([{ path: 'policy/p.yaml', text }])
      assert.deepEqual(diagnostics, [])
      assert.deepEqual(policy!.rules[0]!.span.line, 3)
    })
})
