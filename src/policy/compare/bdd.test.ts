/** Functions against their tables of truth: what the comparison rests on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ALWAYS, Bdd, NEVER, TooLarge, type Node } from './bdd.ts'

const VARIABLES = 4
const ROWS = 2 ** VARIABLES

type Expression =
  | { readonly of: 'variable'; readonly number: number }
  | { readonly of: 'not'; readonly one: Expression }
  | { readonly of: 'and' | 'or' | 'xor' | 'minus'; readonly left: Expression; readonly right: Expression }

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.record({ of: fc.constant('variable' as const), number: fc.nat({ max: VARIABLES - 1 }) }),
    fc.record({
      of: fc.constantFrom('and' as const, 'or' as const, 'xor' as const, 'minus' as const),
      left: tie('expression'),
      right: tie('expression'),
    }),
    fc.record({ of: fc.constant('not' as const), one: tie('expression') }),
  ),
}))

function made(bdd: Bdd, one: Expression): Node {
  if (one.of === 'variable') return bdd.node(one.number, NEVER, ALWAYS)
  if (one.of === 'not') return bdd.not(made(bdd, one.one))
  const [left, right] = [made(bdd, one.left), made(bdd, one.right)]
  return one.of === 'and'
    ? bdd.and(left, right)
    : one.of === 'or'
      ? bdd.or(left, right)
      : one.of === 'xor'
        ? bdd.xor(left, right)
        : bdd.minus(left, right)
}

function truth(one: Expression, row: number): boolean {
  if (one.of === 'variable') return ((row >> one.number) & 1) === 1
  if (one.of === 'not') return !truth(one.one, row)
  const [left, right] = [truth(one.left, row), truth(one.right, row)]
  return one.of === 'and' ? left && right : one.of === 'or' ? left || right : one.of === 'xor' ? left !== right : left && !right
}

const rows = Array.from({ length: ROWS }, (_, row) => row)
const table = (one: Expression): string => rows.map((row) => Number(truth(one, row))).join('')
const assignment = (row: number): ReadonlyMap<number, boolean> =>
  new Map(Array.from({ length: VARIABLES }, (_, i) => [i, ((row >> i) & 1) === 1]))

function diagrams(most = 10_000): Bdd {
  const bdd = new Bdd(most)
  for (let i = 0; i < VARIABLES; i++) bdd.variable()
  return bdd
}

/** The function that has this table, made in another way: variable by variable, the smaller ones first. */
function ofTable(bdd: Bdd, text: string, variable = 0, row = 0): Node {
  if (variable === VARIABLES) return text[row] === '1' ? ALWAYS : NEVER
  return bdd.node(variable, ofTable(bdd, text, variable + 1, row), ofTable(bdd, text, variable + 1, row | (1 << variable)))
}

test('functions are equal exactly if their tables are, however they were made', () => {
  fc.assert(
    fc.property(fc.array(expression, { minLength: 2, maxLength: 6 }), (all) => {
      const bdd = diagrams()
      const nodes = all.map((one) => made(bdd, one))
      for (const [i, one] of all.entries()) {
        const text = table(one)
        assert.equal(nodes[i], ofTable(bdd, text))
        assert.equal(bdd.and(ofTable(bdd, text), bdd.not(nodes[i]!)), NEVER)
        assert.equal(nodes[i] === NEVER, !text.includes('1'))
        assert.equal(nodes[i] === ALWAYS, !text.includes('0'))
        assert.deepEqual(
          rows.map((row) => bdd.holds(nodes[i]!, assignment(row))),
          rows.map((row) => truth(one, row)),
        )
        for (const [j, other] of all.entries()) assert.equal(nodes[i] === nodes[j], text === table(other))
      }
    }),
  )
})

test('a function depends on what changes it, and is true on its path', () => {
  fc.assert(
    fc.property(expression, (one) => {
      const bdd = diagrams()
      const node = made(bdd, one)
      const support = new Set<number>()
      bdd.support(node, support)
      const matters = Array.from({ length: VARIABLES }, (_, i) => i).filter((i) =>
        rows.some((row) => truth(one, row) !== truth(one, row ^ (1 << i))),
      )
      assert.deepEqual(
        [...support].toSorted((one, other) => one - other),
        matters,
      )
      const path = bdd.path(node)
      assert.equal(path === undefined, node === NEVER)
      if (path !== undefined) assert.ok(bdd.holds(node, path))
    }),
  )
})

test('what is hidden may be either, what is given is that', () => {
  fc.assert(
    fc.property(expression, fc.nat({ max: ROWS - 1 }), fc.nat({ max: ROWS - 1 }), (one, hidden, values) => {
      const bdd = diagrams()
      const node = made(bdd, one)
      const free = bdd.exists(node, (variable) => ((hidden >> variable) & 1) === 1)
      const given = bdd.given(node, new Map([...assignment(values)].filter(([i]) => ((hidden >> i) & 1) === 1)))
      for (const row of rows) {
        const others = rows.filter((other) => (other & ~hidden) === (row & ~hidden))
        assert.equal(
          bdd.holds(free, assignment(row)),
          others.some((other) => truth(one, other)),
        )
        assert.equal(bdd.holds(given, assignment(row)), truth(one, (row & ~hidden) | (values & hidden)))
      }
    }),
  )
})

test('past the bound nothing is made', () => {
  const bdd = diagrams(5)
  assert.equal(bdd.size, 2)
  const [a, b] = [bdd.node(0, NEVER, ALWAYS), bdd.node(1, NEVER, ALWAYS)]
  const both = bdd.and(a, b)
  assert.equal(bdd.size, 5)
  assert.equal(bdd.and(b, a), both)
  assert.throws(() => bdd.or(a, b), TooLarge)
})
