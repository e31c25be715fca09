/** The engine over every protocol: what is told of a policy at load, and that `decide` by index and `explain` by plain meaning agree. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Action } from '../core/action.ts'
import { runs } from '../testing/runs.ts'
import { PROTOCOLS, readAction } from './actions/index.ts'
import { checkPolicy } from './check.ts'
import { load as loadTexts, NOW, someone, wiring as base } from './testdata/world.ts'

const resource = { ...base.resources['orders']!, labels: { zone: 'all' } }
const wiring = { ...base, resources: Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, { ...resource, protocol }])) }
const ROLES = `roles:
  one: { bind: [{ issuer: entra, claim: roles, any: [One] }] }
  two: { bind: [{ issuer: entra, claim: groups, any: [Two] }] }
`

function load(text: string) {
  return loadTexts(`${ROLES}${text}`, { wiring })
}

describe('what is told at load', () => {
  const cases: readonly (readonly [name: string, text: string, codes: readonly string[]])[] = [
    [
      'a guardrail that would be evaded without a credential',
      "rules: [{ id: a, role: everyone, resource: kubernetes, actions: [create pods/exec -n shop] }]\nguardrails: [{ id: g, deny: ['* *'], resource: kubernetes, for: [one] }]",
      ['policy/evasion'],
    ],
    [
      'also of a rule over several protocols',
      "rules: [{ id: a, role: everyone, resource: [http, llm], actions: ['GET /x'] }]",
      ['policy/action'],
    ],
    [
      'one that is about something else',
      "rules: [{ id: a, role: everyone, resource: sql, actions: [select on a.b] }]\nguardrails: [{ id: g, deny: ['* on a.c', update on a.b], resource: sql, for: [one] }]",
      ['policy/role-unused'],
    ],
    [
      'one over several protocols',
      "rules: [{ id: a, role: everyone, resource: mcp, actions: ['*'] }]\nguardrails: [{ id: g, deny: ['*'], resource: [llm, mcp], for: [one] }]",
      ['policy/evasion'],
    ],
    [
      'a rule that a guardrail takes away',
      "rules: [{ id: a, role: one, resource: ssh, actions: ['exec as deploy: ls *'] }]\nguardrails: [{ id: g, deny: ['exec as *'], resource: ssh, for: [authenticated] }]",
      ['policy/rule-shadowed', 'policy/role-unused'],
    ],
    [
      'a rule over two protocols, of which one is left',
      "rules: [{ id: a, role: one, resource: [mcp, llm], actions: ['*'] }]\nguardrails: [{ id: g, deny: ['*'], resource: mcp, for: [authenticated] }]",
      ['policy/role-unused'],
    ],
    ...(['* *', '* /**'] as const).map(
      (all) =>
        [
          `\`${all}\` for everybody`,
          `rules: [{ id: a, role: authenticated, resource: ${all === '* *' ? 'kubernetes' : 'http'}, actions: ['${all}'] }]`,
          ['policy/wildcard-grant', 'policy/role-unused', 'policy/role-unused'],
        ] as const,
    ),
    [
      'a selector over all protocols',
      'rules: [{ id: a, role: one, resource: { labels: { zone: all } }, actions: [GET /x] }]',
      Array.from({ length: 6 }, () => 'policy/action'),
    ],
  ]
  for (const [name, text, codes] of cases)
    test(name, () => {
      const { policy, diagnostics } = load(text)
      const told = [...diagnostics, ...(policy === undefined ? [] : checkPolicy(policy, NOW))].map(({ code }) => code)
      assert.deepEqual(told.toSorted(), codes.toSorted())
    })

  test('of several protocols, which resource speaks the one that is meant', () => {
    const { diagnostics } = load("rules: [{ id: a, role: one, resource: [http, llm], actions: ['GET /x'] }]")
    assert.match(diagnostics[0]!.message, /`GET \/x` is not an action of llm, which `llm` speaks: /)
  })
})

const PATTERNS: Readonly<Record<string, readonly string[]>> = {
  http: ['GET /a', 'GET /**', '* /{x}'],
  kubernetes: ['get,list pods -n a', '* *', 'create pods/exec', 'list pods x', 'get /a'],
  sql: ['select on a.b', 'select on a.b(c)', '* on *.*', 'transaction', 'other'],
  ssh: ['exec as u: a *', 'exec as u', '* as *', 'sftp read as u: /a/**', 'shell as root'],
  container: ['run a.io/x', 'run * with privileged', '* *', 'run a.io/*:1* named n*', 'exec *'],
  mcp: ['*', 'tools/call a*', 'tools/call *', 'resources/read file:///a/**'],
  llm: ['*', 'chat a*', 'chat,embed a,b', 'models'],
}
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  http: ['GET /a', 'POST /b', 'HEAD /a', 'GET /a/b'],
  kubernetes: ['get pods x -n a', 'list pods -n a', 'list pods -A', 'create pods/exec x -n a', 'get nodes x', 'get /a'],
  sql: ['select on a.b', 'select on a.b(c)', 'delete on a.b', 'select on *.b', 'transaction', 'other', 'ddl on a.b'],
  ssh: ['exec as u: a b', 'exec as u: a -b', 'exec as u: a | b', 'shell as u', 'shell as root', 'sftp read as u: /a/b', 'agent as u'],
  container: ['run a.io/x:1', 'run a.io/x:2 named n', 'run', 'run a.io/x:1 with privileged', 'exec named n', 'info'],
  mcp: ['tools/list', 'tools/call a {"x": 1}', 'tools/call b', 'resources/read file:///a/b', 'sampling/createMessage'],
  llm: ['chat a tokens=5', 'chat ab', 'embed b', 'models', 'tune a'],
}
const CONDITIONS: Readonly<Record<string, string>> = {
  http: 'request.method == "GET"',
  kubernetes: 'request.namespace == "a"',
  sql: 'request.column == "c"',
  ssh: 'size(request.command) == 2',
  container: 'request.version == ":1"',
  mcp: 'request.arguments.x == 1',
  llm: 'request.tokens <= 5',
}

const statements = fc.constantFrom(...PROTOCOLS).chain((protocol) => {
  const actions = fc.subarray([...PATTERNS[protocol]!], { minLength: 1, maxLength: 2 })
  const when = fc.option(fc.constant(CONDITIONS[protocol]), { nil: undefined, freq: 1 })
  const role = fc.constantFrom('one', 'two', 'authenticated')
  return fc.record({
    protocol: fc.constant(protocol),
    rules: fc.array(fc.record({ role, actions, when }, { requiredKeys: ['role', 'actions'] }), { minLength: 1, maxLength: 4 }),
    guardrails: fc.array(
      fc.record({ deny: actions, who: fc.constantFrom('for', 'allBut'), role, when }, { requiredKeys: ['deny', 'who', 'role'] }),
      { maxLength: 2 },
    ),
    asked: fc.constantFrom(...ACTIONS[protocol]!),
  })
})
const identities = fc
  .record({ roles: fc.subarray(['One']), groups: fc.subarray(['Two']), overage: fc.boolean() })
  .map(({ roles, groups, overage }) =>
    someone({ claims: overage ? { roles } : { roles, groups }, unknownClaims: new Set(overage ? ['groups'] : []) }),
  )

test('what is decided by index is what the plain meaning says, for every protocol', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(statements, identities, ({ protocol, rules, guardrails, asked }, identity) => {
      const text = JSON.stringify({
        apiVersion: 'ostiary.dev/v1',
        roles: {
          one: { bind: [{ issuer: 'entra', claim: 'roles', any: ['One'] }] },
          two: { bind: [{ issuer: 'entra', claim: 'groups', any: ['Two'] }] },
        },
        rules: rules.map((rule, i) => ({ id: `r${i}`, resource: protocol, ...rule })),
        guardrails: guardrails.map(({ who, role, ...rest }, i) => ({ id: `g${i}`, resource: protocol, [who]: [role], ...rest })),
      })
      const { policy, diagnostics } = loadTexts([{ path: 'policy/p.yaml', text }], { wiring })
      assert.deepEqual(diagnostics, [])
      const action = readAction(asked, protocol) as Action
      const principal = policy!.bind(identity)
      const context = { time: NOW, ip: '192.0.2.1' }
      const decision = policy!.decide(principal, action, protocol, context)
      const explanation = policy!.explain(principal, action, protocol, context)
      assert.equal(decision.effect, explanation.effect)
      if (decision.effect === 'allow') assert.deepEqual(decision.rules, explanation.rules)
      seen.add(`${protocol} ${decision.effect}`)
    }),
    { numRuns: runs(400) },
  )
  // It is worth nothing where one side never comes out.
  for (const protocol of PROTOCOLS)
    for (const effect of ['allow', 'deny']) assert.ok(seen.has(`${protocol} ${effect}`), `${protocol} ${effect}`)
})
