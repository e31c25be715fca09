/** Descriptions against what they describe. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Bdd, NEVER, type Node } from './bdd.ts'
import { cover } from './cubes.ts'
import { Domain } from './domain.ts'
import type { Fact } from './fact.ts'

const CLASSES = ['a', 'b', 'c'] as const
const FACTS = 3
/** By fact: a class of each. */
const points = CLASSES.flatMap((one) => CLASSES.flatMap((two) => CLASSES.map((three) => [one, two, three] as const)))

function world() {
  const bdd = new Bdd(100_000)
  const domains = Array.from({ length: FACTS }, () => new Domain<string>(bdd, CLASSES))
  const facts = domains.map((domain, i) => ({ about: 'kind', domain, name: i }) as unknown as Fact)
  const at = (point: readonly string[]): Node => bdd.all(domains.map((domain, i) => domain.among((one) => one === point[i])))
  const of = (bits: readonly boolean[]): Node => bdd.any(points.flatMap((point, i) => (bits[i] === true ? [at(point)] : [])))
  return { bdd, domains, facts, at, of }
}

const bits = fc.array(fc.boolean(), { minLength: points.length, maxLength: points.length })

test('descriptions together are all of what is meant, and nothing of what is not', () => {
  fc.assert(
    fc.property(bits, bits, fc.integer({ min: 1, max: 30 }), (meant, others, most) => {
      const { bdd, facts, at, of } = world()
      const region = of(meant)
      const besides = bdd.minus(of(others), region)
      const outside = bdd.not(region)
      const { cubes, left } = cover(bdd, facts, { region, outside, besides }, most)
      assert.ok(cubes.length <= most)
      if (most === 30) assert.equal(left, NEVER)
      assert.equal(bdd.minus(region, bdd.any(cubes.map(({ node }) => node))), left)
      const far = bdd.minus(outside, besides)
      for (const { node, limits } of cubes) {
        assert.equal(bdd.and(node, far), NEVER)
        assert.notEqual(bdd.and(node, region), NEVER)
        // A description means just what its limits say.
        for (const point of points) {
          const said = limits.every(({ fact, classes }) => classes.has(point[(fact as unknown as { name: number }).name]))
          assert.equal(bdd.and(node, at(point)) !== NEVER, said)
        }
        for (const { classes } of limits) assert.ok(classes.size < CLASSES.length)
        // None of its limits could go, nor be wider, without meaning what is far from what is meant, or nothing more of it.
        for (const { fact } of limits) {
          const without = bdd.all(
            limits.filter((one) => one.fact !== fact).map((one) => (one.fact.domain as Domain<unknown>).among((c) => one.classes.has(c))),
          )
          assert.notEqual(bdd.and(without, outside), NEVER)
        }
      }
    }),
  )
})

test('a domain has one class at a time, and knows its variables', () => {
  const { bdd, domains, at } = world()
  for (const point of points) {
    const path = bdd.path(at(point))!
    for (const [i, domain] of domains.entries()) {
      assert.deepEqual([...domain.possible(path)], [point[i]])
      for (const [j, other] of domains.entries())
        if (i !== j)
          assert.ok(!Array.from({ length: CLASSES.length - 1 }, (_, k) => other.first + k).some((variable) => domain.uses(variable)))
    }
  }
  for (const domain of domains)
    assert.deepEqual(
      Array.from({ length: 8 }, (_, i) => domain.first - 1 + i).filter((variable) => domain.uses(variable)),
      [domain.first, domain.first + 1],
    )
  assert.equal(
    bdd.and(
      domains[0]!.among((one) => one === 'a'),
      domains[0]!.among((one) => one === 'b'),
    ),
    NEVER,
  )
})
