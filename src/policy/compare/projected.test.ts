import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ALWAYS, Bdd, type Node } from './bdd.ts'
import { projected } from './projected.ts'

const VARIABLES = 7

/** Clauses of at most three variables, each of which may be denied. */
const clauses = fc.array(fc.array(fc.tuple(fc.nat({ max: VARIABLES - 1 }), fc.boolean()), { minLength: 1, maxLength: 3 }), { maxLength: 9 })

function nodesOf(bdd: Bdd, all: readonly (readonly (readonly [number, boolean])[])[]): readonly Node[] {
  for (let i = 0; i < VARIABLES; i++) bdd.variable()
  return all.map((clause) => bdd.any(clause.map(([variable, is]) => bdd.node(variable, is ? 0 : ALWAYS, is ? ALWAYS : 0))))
}

test('what is hidden step by step is what is hidden of the whole', () => {
  fc.assert(
    fc.property(clauses, fc.subarray(Array.from({ length: VARIABLES }, (_, i) => i)), (all, kept) => {
      const bdd = new Bdd(100_000)
      const nodes = nodesOf(bdd, all)
      const whole = bdd.exists(bdd.all(nodes), (variable) => !kept.includes(variable))
      assert.equal(projected(bdd, nodes, new Set(kept)), whole)
    }),
  )
})

test('what is given goes', () => {
  fc.assert(
    fc.property(clauses, fc.array(fc.tuple(fc.nat({ max: VARIABLES - 1 }), fc.boolean())), (all, values) => {
      const bdd = new Bdd(100_000)
      const node = bdd.all(nodesOf(bdd, all))
      const given = new Map(values)
      const literals = [...given].map(([variable, is]) => bdd.node(variable, is ? 0 : ALWAYS, is ? ALWAYS : 0))
      const support = new Set<number>()
      bdd.support(bdd.given(node, given), support)
      assert.ok([...given.keys()].every((variable) => !support.has(variable)))
      assert.equal(bdd.and(bdd.given(node, given), bdd.all(literals)), bdd.and(node, bdd.all(literals)))
    }),
  )
})
