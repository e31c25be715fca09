/** The comparer against the engine itself for every protocol: cell by cell, over random policies. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Protocol } from '../../core/action.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import type { ActionCell } from '../actions/cells.ts'
import { vocabularies } from '../actions/index.ts'
import type { CompiledPolicy } from '../compiled.ts'
import { samples } from '../testdata/actions.ts'
import { load, NOW, someone, wiring as base } from '../testdata/world.ts'
import { shownBy, type CellDifference } from './difference.ts'
import { comparePolicies } from './index.ts'
import { describeWitness } from './render.ts'
import { ask, type Witness } from './witness.ts'

const PROTOCOLS = Object.keys(vocabularies) as Protocol[]
const resource = { ...base.resources['orders']!, labels: { zone: 'all' } }
const wiring = { ...base, resources: Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, { ...resource, protocol }])) }
const ROLES = {
  one: { bind: [{ issuer: 'entra', claim: 'roles', any: ['One'] }] },
  two: { bind: [{ issuer: 'entra', claim: 'groups', any: ['Two'] }] },
}

interface Statement {
  readonly kind: 'rule' | 'guardrail'
  readonly role: string
  readonly actions: readonly string[]
  readonly when: string | undefined
  readonly does: number
}

const statement = (protocol: Protocol): fc.Arbitrary<Statement> =>
  fc.record({
    kind: fc.constantFrom('rule' as const, 'rule' as const, 'guardrail' as const),
    role: fc.constantFrom('one', 'two', 'authenticated'),
    actions: fc.array(samples[protocol].pattern, { minLength: 1, maxLength: 2 }),
    when: fc.option(fc.constantFrom(...samples[protocol].conditions), { nil: undefined, freq: 1 }),
    does: fc.nat({ max: 5 }),
  })

function policyOf(protocol: Protocol, statements: readonly Statement[]): CompiledPolicy | undefined {
  const fitting = statements.map(({ actions, kind, ...rest }) => ({
    ...rest,
    kind,
    actions: actions.filter((text) => vocabularies[protocol].parse(text, kind === 'rule' ? 'grants' : 'takes').pattern !== undefined),
  }))
  const usable = fitting.filter(({ actions }) => actions.length > 0)
  const common = ({ when, actions }: Statement) => ({ resource: protocol, when, actions })
  const text = JSON.stringify({
    apiVersion: 'ostiary.dev/v1',
    roles: ROLES,
    rules: usable.filter(({ kind }) => kind === 'rule').map((one, i) => ({ id: `r${i}`, role: one.role, ...common(one) })),
    guardrails: usable
      .filter(({ kind }) => kind === 'guardrail')
      .map(({ does, role, ...one }, i) => {
        const { actions, ...rest } = common({ does, role, ...one })
        return {
          id: `g${i}`,
          [does % 2 === 0 ? 'for' : 'allBut']: [role],
          ...rest,
          ...(does < 4 ? { deny: actions } : { require: { mfa: true }, actions }),
        }
      }),
  })
  return load([{ path: 'policy/p.yaml', text }], { wiring }).policy
}

const identities = fc
  .record({ roles: fc.subarray(['One']), groups: fc.subarray(['Two']), overage: fc.boolean(), department: fc.constantFrom('a', 'b') })
  .map(({ roles, groups, overage, department }) =>
    someone({ claims: overage ? { roles, department } : { roles, groups, department }, unknownClaims: new Set(overage ? ['groups'] : []) }),
  )

function madeOf(policy: CompiledPolicy, question: Witness): string {
  const decision = ask(policy, question)!
  return JSON.stringify([decision.effect, [...new Set(shownBy(decision))].toSorted()])
}

for (const protocol of PROTOCOLS)
  describe(`comparing policies of ${protocol}`, () => {
    test('what a cell comes to is what the engine decides of its actions, in both directions', async () => {
      const versions = fc.record({
        kept: fc.array(statement(protocol), { maxLength: 3 }),
        before: fc.array(statement(protocol), { maxLength: 2 }),
        after: fc.array(statement(protocol), { maxLength: 2 }),
      })
      const questions = fc.array(fc.tuple(identities, samples[protocol].action), { minLength: 40, maxLength: 40 })
      let differing = 0
      let agreeing = 0
      let told = 0
      const open: string[] = []
      await untilEnough(
        () =>
          fc.assert(
            fc.property(versions, questions, ({ kept, before, after }, asked) => {
              const [from, to] = [policyOf(protocol, [...kept, ...before]), policyOf(protocol, [...kept, ...after])]
              fc.pre(from !== undefined && to !== undefined)
              const cells: { readonly cell: ActionCell; readonly difference: CellDifference }[] = []
              const result = comparePolicies(from, to, {
                now: NOW,
                maxCases: 2000,
                looked: (_, cell, difference) => void cells.push({ cell, difference }),
              })
              for (const one of result.notProven) open.push(one.why)
              for (const { before: was, after: is, witness } of result.changes) {
                told++
                assert.equal(ask(from, witness)?.effect, was.effect)
                assert.equal(ask(to, witness)?.effect, is.effect)
                assert.notDeepEqual(madeOf(from, witness), madeOf(to, witness))
              }
              for (const { cell, difference } of cells)
                if (difference.kind !== 'equal')
                  for (const { witness } of difference.cases) {
                    // Cells of the same meaning share their witness; then any action of theirs tells the same.
                    const question = cell.has(witness.action) ? witness : { ...witness, action: cell.action(new Map())! }
                    assert.notEqual(madeOf(from, question), madeOf(to, question), `${cell.text}: ${describeWitness(question)}`)
                  }
              for (const [identity, action] of asked) {
                const question = { identity, action, resource: protocol, context: { time: NOW, ip: '192.0.2.1' } }
                const same = madeOf(from, question) === madeOf(to, question)
                if (same) agreeing++
                else differing++
                const inside = cells.filter(({ cell }) => cell.has(action))
                if (!same)
                  assert.ok(
                    inside.some(({ difference }) => difference.kind !== 'equal'),
                    JSON.stringify(action),
                  )
              }
            }),
            { numRuns: runs(20) },
          ),
        () => differing > 20 && agreeing > 20 && told > 20,
        () => ({ differing, agreeing, told }),
      )
      assert.deepEqual(open, [])
    })
  })
