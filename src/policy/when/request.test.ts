import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Action } from '../../core/action.ts'
import { readAction, vocabularies } from '../actions/index.ts'
import { checkCondition } from './check.ts'
import { Condition, type Truth } from './condition.ts'
import { parseCondition } from './parse.ts'

function check(text: string, protocol: Action['protocol']): Condition | string {
  const parsed = parseCondition(text)
  if ('problem' in parsed) return parsed.problem
  const scope = { claims: new Map(), parameters: new Set<string>(), request: new Map(Object.entries(vocabularies[protocol].fields)) }
  const [first] = checkCondition(parsed, text, scope).findings
  if (first !== undefined) return first.kind === 'type' ? `${first.problem}; ${first.help}` : `unknown ${first.name}; ${first.help}`
  return new Condition(text, parsed, new Map(), false)
}

function evaluate(text: string, action: Action): Truth {
  const condition = check(text, action.protocol)
  if (typeof condition === 'string') assert.fail(condition)
  return condition.evaluate({ claims: {}, unknownClaims: new Set(), time: 0, ip: '192.0.2.1', action, parameters: new Map() })
}

function act(text: string, protocol: Action['protocol']): Action {
  const action = readAction(text, protocol)
  if ('problem' in action) assert.fail(action.problem)
  return action
}

describe('what a condition may ask of a request', () => {
  const cases: readonly (readonly [protocol: Action['protocol'], action: string, condition: string, truth: boolean | 'error'])[] = [
    ['kubernetes', 'get pods web-1 -n shop', "request.namespace == 'shop' && request.name.startsWith('web-')", true],
    ['kubernetes', 'get deployments.apps/scale web -n shop', "request.group == 'apps' && request.subresource == 'scale'", true],
    // What is about all of them is about no one of them.
    ['kubernetes', 'list pods -A', "request.namespace != 'prod'", 'error'],
    ['kubernetes', 'list pods -A', 'has(request.namespace)', false],
    ['kubernetes', 'list pods -n shop', "request.name == 'x'", 'error'],
    ['sql', 'select on public.users(ssn)', "request.class == 'select' && request.column == 'ssn'", true],
    ['sql', 'select on public.users', "request.column == 'ssn'", 'error'],
    ['sql', 'other', "request.class == 'select'", 'error'],
    ['ssh', 'exec as deploy: systemctl restart web', "request.command[1] == 'restart' && size(request.command) == 3", true],
    ['ssh', 'exec as deploy: a | b', 'size(request.command) > 0', 'error'],
    ['ssh', 'forward as deploy: db:5432', "request.target.endsWith(':5432')", true],
    ['container', 'run acme/web:1 with privileged', "'privileged' in request.options && request.version == ':1'", true],
    ['container', 'stop named web', "request.repository == 'x'", 'error'],
    ['llm', 'chat gpt-4o tokens=100', 'request.tokens <= 100', true],
    ['llm', 'chat gpt-4o', 'request.tokens <= 100', 'error'],
    ['mcp', 'tools/call search {"limit": 5}', 'request.arguments.limit <= 10', true],
    ['mcp', 'tools/call search {"limit": 50}', 'request.arguments.limit <= 10', false],
    ['mcp', 'tools/call search {"limit": "5"}', 'request.arguments.limit <= 10', 'error'],
    ['mcp', 'tools/call search {"limit": "5"}', 'int(request.arguments.limit) <= 10', true],
    ['mcp', 'tools/call search', 'request.arguments.limit <= 10', 'error'],
    ['mcp', 'tools/call search {}', 'request.arguments.limit <= 10', 'error'],
    ['mcp', 'tools/call search', '!has(request.arguments.limit)', true],
    ['mcp', 'tools/list', '!has(request.arguments.limit)', 'error'],
    ['mcp', 'tools/call search {}', '!has(request.arguments.limit)', true],
    ['mcp', 'tools/call search {"a": {"b": ["x", "y"]}}', "request.arguments.a.b[1] == 'y'", true],
    ['mcp', 'tools/call search {"a": {"b": ["x", "y"]}}', "'x' in request.arguments.a.b", true],
    ['mcp', 'tools/call search {"a": ["x", "y"]}', "request.arguments.a.all(one, one.startsWith('x'))", false],
    ['mcp', 'tools/call search {"a": ["x", 1]}', "request.arguments.a.all(one, one.startsWith('x'))", 'error'],
    ['mcp', 'tools/call search {"a b": 1}', "request.arguments['a b'] == 1", true],
    ['mcp', 'tools/call search {"q": "x"}', "request.arguments.q.matches('^[a-z]+$')", true],
    ['mcp', 'tools/call search {"q": 1}', "request.arguments.q == 'x'", false],
    ['mcp', 'tools/call search {"q": null}', 'request.arguments.q == null', true],
    ['mcp', 'tools/call search {"constructor": 1}', "'toString' in request.arguments", false],
    ['mcp', 'tools/call search {}', 'has(request.arguments.__proto__)', false],
    ['mcp', `tools/call search {"a": ${'['.repeat(100)}${']'.repeat(100)}}`, 'has(request.arguments.a)', 'error'],
    ['mcp', 'tools/list', "request.method == 'tools/list'", true],
  ]
  for (const [protocol, action, condition, expected] of cases)
    test(`${protocol} ${action.slice(0, 60)}: ${condition}`, () => {
      const truth = evaluate(condition, act(action, protocol))
      assert.equal(typeof truth === 'object' ? 'error' : truth, expected, JSON.stringify(truth))
    })
})

describe('what it may not', () => {
  const cases: readonly (readonly [protocol: Action['protocol'], condition: string, problem: RegExp])[] = [
    ['sql', "request.table == 'x'", /unknown table/],
    ['sql', "request.schem == 'x'", /unknown schem; did you mean `schema`/],
    ['sql', 'request.class == 7', /can not be used with string and int/],
    ['kubernetes', "request.method == 'GET'", /unknown method/],
    ['mcp', 'request.arguments.a + 1 > 2', /can not be used with dyn and int; say what it is/],
    ['mcp', 'request.arguments.a && true', /can not be used with dyn and bool/],
    ['mcp', 'request.arguments.a', /of type dyn/],
    ['mcp', "request.arguments == 'x' || request.name.a == 1", /nothing called `a`/],
    ['llm', "request.tokens == '1'", /can not be used with int and string/],
  ]
  for (const [protocol, condition, problem] of cases)
    test(`${protocol}: ${condition}`, () => {
      const found = check(condition, protocol)
      assert.match(typeof found === 'string' ? found : '', problem)
    })
})
