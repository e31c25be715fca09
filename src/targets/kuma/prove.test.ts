/** What a mesh is compiled to is proven, and whatever is changed about it is found. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { FILTERS } from '../../envoy/filters.ts'
import { filesOf, policyData } from '../../policy/testdata/random.ts'
import { load, NOW, OBSERVING } from '../../policy/testdata/world.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import type { ResourceProof, TargetDocument } from '../target.ts'
import { proveKuma } from './prove.ts'
import { compiled, inputOf, kumaConfig, LABELS } from './testdata/world.ts'

type Tree = Record<string, unknown>

const workload = (port: number): object => ({ labels: LABELS, inbound: { port, protocol: 'http' } })
const config = kumaConfig({ version: '2.14', workloads: { orders: workload(8000), wiki: workload(8000) } })

function linesOf(proofs: readonly ResourceProof[]): readonly string[] {
  return proofs.flatMap(({ resource, counterexamples, problems, notProven }) => [
    ...counterexamples.map(({ direction, actions }) => `${resource}: ${direction} ${actions}`),
    ...problems.map((one) => `${resource}: ${one}`),
    ...notProven.map((why) => `${resource}: not proven: ${why}`),
  ])
}

test('it is proven, whatever the policy', async () => {
  let proven = 0
  let observed = 0
  await untilEnough(
    () =>
      fc.assert(
        fc.property(policyData, fc.boolean(), (data, isObserved) => {
          const { policy } = load(filesOf(data), isObserved ? { wiring: OBSERVING } : {})
          fc.pre(policy !== undefined)
          const { documents } = compiled({ policy, config })
          if (documents.length === 0) return
          const proofs = proveKuma(inputOf({ policy, config }), documents, NOW)
          proven += proofs.length
          if (isObserved) observed += proofs.length
          assert.deepEqual(linesOf(proofs), [], JSON.stringify(filesOf(data)))
        }),
        { numRuns: runs(6) },
      ),
    () => proven > 4 && observed > 2,
    () => ({ proven, observed }),
  )
})

describe('a change is found', () => {
  const { policy, diagnostics } = load(`roles:
  admin: { bind: [{ issuer: entra, claim: groups, any: [admins] }] }
rules:
  - { id: read, role: admin, resource: [orders, wiki], actions: ["GET /a/{id}"] }
  - { id: pages, role: authenticated, resource: wiki, actions: ["GET /pages/**"] }
guardrails:
  - { id: closed, for: [admin], resource: wiki, deny: ["GET /pages/private/**"] }
`)
  assert.ok(policy !== undefined, JSON.stringify(diagnostics))
  const { documents } = compiled({ policy, config })
  const changed = (change: (filters: ReadonlyMap<string, Tree>, modifications: Tree[]) => void): readonly string[] => {
    const copy = JSON.parse(JSON.stringify(documents)) as Tree[]
    const patch = copy.find(({ type }) => type === 'MeshProxyPatch')!
    const { default: given } = patch['spec'] as { readonly default: { readonly appendModifications: Tree[] } }
    const opened = given.appendModifications.map((one) => {
      const inner = Object.values(one)[0] as { value: string }
      return { inner, value: JSON.parse(inner.value) as Tree }
    })
    change(new Map(opened.map(({ value }) => [String(value['name']), value['typedConfig'] as Tree])), given.appendModifications)
    for (const { inner, value } of opened) inner.value = JSON.stringify(value)
    return linesOf(proveKuma(inputOf({ policy, config }), copy as readonly TargetDocument[], NOW))
  }
  const policies = (filters: ReadonlyMap<string, Tree>, filter: string): Record<string, Tree> =>
    (filters.get(filter)!['rules'] as { readonly policies: Record<string, Tree> }).policies
  /** Replaces text in what is below. */
  const rewrite = (tree: Record<string, unknown>, key: string, from: string, to: string): void => {
    const before = JSON.stringify(tree[key])
    assert.ok(before.includes(from), before)
    tree[key] = JSON.parse(before.replaceAll(from, to)) as unknown
  }

  test('nothing is, where nothing is changed', () =>
    assert.deepEqual(
      changed(() => undefined),
      [],
    ))

  const mutants: readonly (readonly [string, Parameters<typeof changed>[0], RegExp])[] = [
    [
      'a guardrail is gone',
      (filters) => void delete policies(filters, FILTERS.guardrails)[Object.keys(policies(filters, FILTERS.guardrails))[0]!],
      /wiki: wider GET \/pages\/private/,
    ],
    [
      'a rule of one host holds for the other',
      (filters) =>
        rewrite(
          policies(filters, FILTERS.rules),
          Object.keys(policies(filters, FILTERS.rules)).find((one) => one.startsWith('pages'))!,
          '"wiki.example"',
          '"orders.example"',
        ),
      /orders: wider GET \/pages/,
    ],
    [
      'on any port',
      (filters) => {
        for (const name of Object.keys(policies(filters, FILTERS.callers))) {
          rewrite(policies(filters, FILTERS.callers), name, '{"destinationPort":8000}', '{"any":true}')
        }
      },
      /somebody is let in where nothing is wired/,
    ],
    [
      'another port',
      (filters) => {
        for (const name of Object.keys(policies(filters, FILTERS.rules))) rewrite(policies(filters, FILTERS.rules), name, '8000', '8001')
      },
      /narrower/,
    ],
    [
      'the manager reads paths as they come',
      (filters) => void (filters.get('envoy.filters.network.http_connection_manager')!['normalizePath'] = false),
      /normalizePath/,
    ],
    [
      'a filter comes too late',
      (_, modifications) =>
        void modifications.push(
          modifications.splice(
            modifications.findIndex((one) => JSON.stringify(one).includes(FILTERS.guardrails)),
            1,
          )[0]!,
        ),
      /in another order/,
    ],
    [
      'a filter is missing',
      (_, modifications) =>
        void modifications.splice(
          modifications.findIndex((one) => JSON.stringify(one).includes(FILTERS.guardrails)),
          1,
        ),
      /not proven: .*without rules/,
    ],
  ]
  for (const [what, change, said] of mutants) test(what, () => assert.match(changed(change).join('\n'), said))

  test('tokens for another audience', () => {
    const found = changed((filters) => {
      const { providers } = filters.get(FILTERS.tokens) as { readonly providers: Record<string, Tree> }
      for (const one of Object.values(providers)) one['audiences'] = []
    })
    assert.match(found.join('\n'), /are not verified as they must be/)
  })
})
