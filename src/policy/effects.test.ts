/** What is refused of guardrails besides denials: observation without an end, and what nothing in front of the resource can carry out. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readDocument } from '../config/document.ts'
import type { PolicyWiring } from './world.ts'
import { load, NOW, wiring } from './testdata/world.ts'

const sql = { ...wiring.resources['orders']!, protocol: 'sql' }
const cluster = { ...sql, protocol: 'kubernetes' }
const world: PolicyWiring = { ...wiring, resources: { ...wiring.resources, base: sql, cluster } }

function told(guardrail: string, resource = 'orders', actions = 'GET /a'): readonly string[] {
  const text = `guardrails: [{ id: g, resource: ${resource}, actions: ['${actions}'], for: [everyone], ${guardrail} }]`
  return load(text, { wiring: world }).diagnostics.map(({ code, message }) => `${code} ${message}`)
}

describe('observation', () => {
  const cases: readonly (readonly [guardrail: string, problem: string | undefined])[] = [
    ["mode: observe, until: '2026-12-31T00:00:00Z'", undefined],
    ['mode: observe', 'without an end'],
    ["until: '2026-12-31T00:00:00Z'", 'by its `until` alone'],
    ["mode: observe, until: 'soon'", 'until `soon`, which is no instant'],
  ]
  for (const [guardrail, problem] of cases)
    test(guardrail, () =>
      assert.deepEqual(
        told(`mask: { $.a: drop }, ${guardrail}`),
        problem === undefined ? [] : [`policy/observe guardrail \`g\` is to be observed ${problem}`],
      ),
    )
  const observed = (until: string) => ({ resources: { ...world.resources, orders: { ...world.resources['orders']!, observe: { until } } } })
  test('of a resource until what is no instant, with its place where there is a file', () => {
    const text = 'resources:\n  orders:\n    observe: { until: soon }\n'
    const policy = [{ path: 'policy/p.yaml', text: 'apiVersion: ostiary.dev/v1\n' }]
    for (const [wiringRoot, line] of [
      [readDocument('ostiary.yaml', text).root, 3],
      [undefined, undefined],
    ] as const) {
      const { diagnostics } = load(policy, { wiring: { ...world, ...observed('soon') }, wiringRoot })
      assert.deepEqual(
        diagnostics.map(({ code, span }) => [code, span?.line]),
        [['policy/observe', line]],
      )
    }
  })
  test('of a resource until an instant', () =>
    assert.deepEqual(load('', { wiring: { ...world, ...observed(new Date(NOW).toISOString()) } }).diagnostics, []))
})

describe('what can be carried out', () => {
  test('masks and justifications of http', () => assert.deepEqual(told('mask: { $.a: drop }, require: { justification: true }'), []))
  test('masks of a cluster, and no justification', () => {
    assert.deepEqual(told('mask: { $.data: drop }', 'cluster', 'get secrets'), [])
    assert.match(
      told('mask: { $.data: drop }, require: { justification: true }', 'cluster', 'get secrets')[0]!,
      /^policy\/not-carried-out .*a justification/,
    )
  })
  test('a limit, proofs and a strict record of anything', () =>
    assert.deepEqual(told('limit: { requests: 1, in: 1m }, require: { mfa: true }, record: strict', 'base', 'select on public.people'), []))
  test('no mask of a database', () =>
    assert.deepEqual(told('mask: { $.a: drop }', 'base', 'select on public.people'), [
      'policy/not-carried-out guardrail `g` asks for masks on resource `base`, which nothing in front of it can carry out',
    ]))
  test('no justification there either; masks are told first', () => {
    assert.match(
      told('require: { justification: true }', 'base', 'select on public.people')[0]!,
      /^policy\/not-carried-out .*a justification/,
    )
    assert.match(
      told('require: { justification: true }, mask: { $.a: drop }', 'base', 'select on public.people')[0]!,
      /^policy\/not-carried-out .*masks/,
    )
  })
})
