import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { McpAction } from '../../../core/action.ts'
import {
  actionOf,
  coversAsSaid,
  holdsComparison,
  holdsIndex,
  holdsTotal,
  meetsNothing,
  refusesActions,
  refusesPatterns,
} from '../../../testing/actionlaws.ts'
import { mcp } from './index.ts'

const act = (text: string): McpAction => actionOf(mcp, text)

coversAsSaid(mcp, [
  ['tools/list', 'tools/list', true, true],
  ['tools/list', 'tools/call x', false, false],
  ['tools/list,prompts/list', 'prompts/list', true, true],
  ['tools/call search_*', 'tools/call search_orders', true, true],
  ['tools/call search_*', 'tools/call delete_orders', false, false],
  ['tools/call search', 'tools/call Search', false, false],
  ['tools/call *', 'tools/call anything', true, true],
  ['tools/call search_*', 'tools/call search_orders {"limit": 5}', true, true],
  ['prompts/get review-*', 'prompts/get review-code', true, true],
  ['prompts/get review-*', 'tools/call review-code', false, false],
  ['resources/read file:///srv/docs/**', 'resources/read file:///srv/docs/a/b.md', true, true],
  ['resources/read file:///srv/docs/**', 'resources/read file:///srv/docs', false, false],
  ['resources/read file:///srv/*.md', 'resources/read file:///srv/a.md', true, true],
  ['resources/read file:///srv/*.md', 'resources/read file:///srv/a/b.md', false, false],
  ['resources/read *', 'resources/read note:42', true, true],
  ['resources/read note:*', 'resources/read note:42', true, true],
  ['resources/read https://docs.example.com/**', 'resources/read https://docs.example.com/a', true, true],
  ['resources/read https://docs.example.com/**', 'resources/read https://docs.example.com.evil.test/a', false, false],
  ['resources/read,resources/subscribe file:///a', 'resources/subscribe file:///a', true, true],
  // Calls of tools, and what a server asks of its client, have to be named.
  ['*', 'resources/read file:///a', true, true],
  ['*', 'tools/list', true, true],
  ['*', 'tools/call x', false, true],
  ['*', 'sampling/createMessage', false, true],
  ['*', 'elicitation/create', false, true],
  ['*', 'roots/list', false, true],
  ['sampling/createMessage', 'sampling/createMessage', true, true],
])

refusesPatterns(mcp, [
  ['tools/call', /says not which/, /`tools\/call \*`/],
  ['tools/cal x', /not one of methods/, /`tools\/call`/],
  ['tools/* x', /not one of methods/],
  ['Tools/list', /not one of methods/],
  ['tools/list x', /has no name/, /`tools\/list` alone/],
  ['tools/list,tools/call x', /has no name/],
  ['tools/call,prompts/get x', /different kinds/],
  ['tools/list,tools/call', /write|needs a name/],
  ['tools/call x y', /a method and a name/],
  ['* x', /no name behind/],
  ['tools/call a?b', /not a name/],
  ['resources/read /srv', /not a URI/],
  ['resources/read FILE:///srv', /not a URI/, /lower case/],
  ['resources/read file:///a/../b', /not a URI/],
  ['resources/read file:///a%2fb', /not a URI/],
  ['resources/read file:///a/**/b', /only comes last/],
  ['resources/read https://Example.com/**', /not a URI/],
])

refusesActions(mcp, [
  ['tools/call', /says not which/],
  ['tools/call a*', /no name/],
  ['tools/list x', /has no name/],
  ['tools/call x {"a":', /no object in JSON/],
  ['tools/call x {1}', /no object in JSON/],
  ['tools/list {"a": 1}', /no arguments/],
  ['tools/call x y', /a method, a name/],
])

test('an action that has no canonical form is met by nothing', () => {
  meetsNothing(mcp, ['tools/call *', '*'], act('tools/call x'), [
    { method: 'Tools/call' },
    { method: 'tools/call ' },
    { method: '' },
    { method: '*' },
    { name: '' },
    { name: 'a b' },
    { name: 'a\u0000' },
    { name: 'x'.repeat(129) },
    { name: 's\u0435arch' },
  ])
  meetsNothing(mcp, ['resources/read *'], act('resources/read file:///a'), [
    { name: 'file:///a/../b' },
    { name: 'file:///a/%2e%2e/b' },
    { name: 'file:///a/%2E%2E/b' },
    { name: 'file:///a%2Fb' },
    { name: 'file:///%61' },
    { name: 'file:///a%' },
    { name: 'file:///a//b' },
    { name: 'FILE:///a' },
    { name: 'file:///a b' },
    { name: 'file:///a#b' },
    { name: 'https://EXAMPLE.com/a' },
    { name: '/a' },
  ])
})

test('a method that nobody knows is met by a guardrail for all, and by no rule', () => {
  const action: McpAction = { protocol: 'mcp', method: 'vendor/doAnything', name: '' }
  assert.equal(mcp.matches(mcp.parse('*', 'grants').pattern!, action), false)
  assert.equal(mcp.matches(mcp.parse('*', 'takes').pattern!, action), true)
})

test('arguments are read from text and from properties', () => {
  assert.deepEqual(act('tools/call x {"a": {"b": [1]}}').arguments, { a: { b: [1] } })
  assert.deepEqual(mcp.readParts('tools/call', { name: 'x', arguments: { a: 1 } }), act('tools/call x {"a": 1}'))
  assert.ok('problem' in mcp.readParts('tools/call', { name: 'x', arguments: 'a' }))
  assert.ok('problem' in mcp.readParts('tools/call', { name: 'x', argments: {} }))
  assert.deepEqual(Object.getPrototypeOf(act('tools/call x {"__proto__": {"a": 1}}').arguments), Object.prototype)
})

test('comparison is sound, and complete on a small alphabet', () => {
  const texts = [
    '*',
    'tools/list',
    'tools/list,ping',
    'tools/call *',
    'tools/call a',
    'tools/call a*',
    'tools/call *b',
    'prompts/get a*',
    'resources/read *',
    'resources/read file:///a/**',
    'resources/read file:///*',
    'resources/read file:///a',
    'resources/read,resources/subscribe file:///*/**',
    'sampling/createMessage',
  ]
  const actions: McpAction[] = [
    ...['tools/list', 'ping', 'sampling/createMessage', 'initialize', 'x/unknown'].map((method): McpAction => ({
      protocol: 'mcp',
      method,
      name: '',
    })),
    ...['tools/call', 'prompts/get'].flatMap((method) => ['a', 'ab', 'b', 'c', 'acb'].map((name) => act(`${method} ${name}`))),
    ...['resources/read', 'resources/subscribe'].flatMap((method) =>
      ['file:///a', 'file:///b', 'file:///a/b', 'file:///b/c', 'file:///a/b/c', 'note:a'].map((name) => act(`${method} ${name}`)),
    ),
  ]
  holdsComparison(mcp, texts, actions)
})

const words = (...all: string[]) => fc.constantFrom(...all)
const patternText = words(
  '*',
  'tools/list',
  'tools/call a',
  'tools/call a*',
  'tools/call *',
  'prompts/get a',
  'resources/read file:///a/**',
  'resources/read *',
  'tools/list,ping',
)
const anyAction: fc.Arbitrary<McpAction> = fc.record({
  protocol: fc.constant('mcp' as const),
  method: words('tools/call', 'tools/list', 'prompts/get', 'resources/read', 'x/y', 'X'),
  name: words('', 'a', 'ab', 'file:///a/b', 'a b'),
})

test('the index agrees with the plain definition', () => holdsIndex(mcp, patternText, anyAction))

test('any text is a pattern or a problem, and an action that is read can be written and read again', () => {
  const near = fc.oneof(patternText, words('tools/call x', 'ping', 'resources/read note:1'))
  holdsTotal(mcp, near)
})
