/** The comparer against the engine itself, over random policies and every principal of a small world. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { runs, untilEnough } from '../../testing/runs.ts'
import type { CompiledPolicy } from '../compiled.ts'
import { action, context, filesOf, maybeIdentity, policyData, type PolicyData } from '../testdata/random.ts'
import { load, NOW } from '../testdata/world.ts'
import { shownBy } from './difference.ts'
import { ask, type Witness } from './witness.ts'
import { comparePolicies, type PolicyComparison } from './index.ts'

const ALL_GUARDRAILS = ['guardrail-0', 'guardrail-1', 'guardrail-2']

function policyOf(data: PolicyData): CompiledPolicy | undefined {
  return load(filesOf(data)).policy
}

/** The same policy with some statements or roles of another. */
const versions = fc
  .record({ one: policyData, other: policyData, keep: fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }), roles: fc.boolean() })
  .map(({ one, other, keep, roles }) => {
    const mixed = <T extends { readonly id: string }>(a: readonly T[], b: readonly T[]): T[] =>
      [...new Set([...a, ...b].map(({ id }) => id))].flatMap((id, i) => {
        const kept = keep[i % keep.length] === true ? a : b
        return kept.filter((statement) => statement.id === id)
      })
    const changed: PolicyData = {
      roles: roles ? { ...one.roles, r1: { ...other.roles['r1']!, includes: one.roles['r1']!.includes } } : one.roles,
      rules: mixed(one.rules, other.rules),
      guardrails: mixed(one.guardrails, other.guardrails),
    }
    return { from: one, to: changed }
  })

/** What a version makes of a question, as far as the comparison speaks of it. */
function madeOf(policy: CompiledPolicy, question: Witness): string {
  const decision = ask(policy, question)!
  return JSON.stringify([decision.effect, [...new Set(shownBy(decision))].toSorted()])
}

describe('comparing', () => {
  test('what is told differs, what differs is told, and nothing is left open', async () => {
    let differing = 0
    let agreeing = 0
    let open = 0
    await untilEnough(
      () =>
        fc.assert(
          fc.property(
            versions,
            fc.array(fc.tuple(maybeIdentity, action, context), { minLength: 40, maxLength: 40 }),
            ({ from, to }, questions) => {
              const [before, after] = [policyOf(from), policyOf(to)]
              fc.pre(before !== undefined && after !== undefined)
              const result: PolicyComparison = comparePolicies(before, after, { now: NOW, maxCases: 2000 })
              if (result.notProven.length > 0) open++
              for (const change of result.changes) {
                assert.equal(ask(before, change.witness)?.effect, change.before.effect)
                assert.equal(ask(after, change.witness)?.effect, change.after.effect)
              }
              for (const resource of ['orders', 'wiki', 'ostiary']) {
                const told =
                  result.changes.some((one) => one.resource === resource) || result.notProven.some((one) => one.resource === resource)
                for (const [identity, what, at] of questions) {
                  if (at.time < NOW) continue
                  // An approval is of a guardrail by its id; whether all or none are given is what both versions can be asked alike.
                  const approved = at.approved === undefined || at.approved.size === 0 ? undefined : new Set(ALL_GUARDRAILS)
                  const question = {
                    identity: identity && { ...identity, actor: undefined },
                    action: what,
                    resource,
                    context: { ...at, approved },
                  }
                  const same = madeOf(before, question) === madeOf(after, question)
                  if (!same)
                    assert.ok(told, `${resource} ${JSON.stringify(question, (_, value) => (value instanceof Set ? [...value] : value))}`)
                  // Each party is decided for itself: what is the same for every one of them is the same for all together.
                  if (!told && identity !== undefined) {
                    const chain = { ...question, identity }
                    assert.equal(madeOf(before, chain), madeOf(after, chain))
                  }
                }
                if (told) differing++
                else agreeing++
              }
            },
          ),
          { numRuns: runs(30) },
        ),
      () => differing > 20 && agreeing > 20,
      () => ({ differing, agreeing }),
    )
    assert.equal(open, 0)
  })
})
