import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { runs, untilEnough } from '../testing/runs.ts'
import { joined, type SentLeaf } from './leaves.ts'
import { permissionOf, type Json, type PathPattern } from './rbac.ts'
import { NotRead } from './read.ts'

const ANYBODY = [{ any: true }]
const segment = fc.oneof(
  fc.constantFrom('a', 'b', 'ab', 'x').map((text) => ({ kind: 'literal' as const, text })),
  fc.constant({ kind: 'parameter' as const }),
)
const pattern: fc.Arbitrary<PathPattern> = fc.record({
  method: fc.constant('*'),
  segments: fc.array(segment, { minLength: 1, maxLength: 3 }),
  rest: fc.boolean(),
})
const path = fc.array(fc.constantFrom('a', 'b', 'ab', 'abc', 'x'), { minLength: 1, maxLength: 4 }).map((all) => `/${all.join('/')}`)
const prefix = fc.oneof(
  path,
  path.map((text) => `${text}/`),
  fc.constant('/'),
)

function filterOf(action: string, all: readonly PathPattern[]): Json {
  const policies = Object.fromEntries(all.map((one) => [nameOf(one), { permissions: [permissionOf([one])], principals: ANYBODY }]))
  return { action, policies }
}

function nameOf({ segments, rest }: PathPattern): string {
  return `/${[...segments.map((one) => (one.kind === 'literal' ? one.text : '{}')), ...(rest ? ['**'] : [])].join('/')}`
}

function covers({ segments, rest }: PathPattern, asked: string): boolean {
  const parts = segments.map((one) => (one.kind === 'literal' ? one.text : '[^/]+'))
  return new RegExp(`^/${[...parts, ...(rest ? ['.*'] : [])].join('/')}$`).test(asked)
}

describe('leaves of a tree of routes', () => {
  test('say together what they say one by one, or there are gaps', async () => {
    const seen = { whole: 0, gaps: 0, missing: 0 }
    await untilEnough(
      () =>
        fc.assert(
          fc.property(
            fc.uniqueArray(pattern, { minLength: 1, maxLength: 4, selector: nameOf }),
            fc.uniqueArray(prefix, { minLength: 1, maxLength: 4 }),
            fc.array(fc.nat(99), { minLength: 16, maxLength: 16 }),
            fc.array(path, { minLength: 30, maxLength: 30 }),
            (patterns, prefixes, choices, asked) => {
              const kept = prefixes.map((_, leaf) => patterns.filter((_, index) => choices[(leaf * 4 + index) % 16]! < 60))
              const leaves = prefixes.map((one, leaf): SentLeaf => ({
                prefix: one,
                guardrails: { action: 'DENY' },
                rules: filterOf('ALLOW', kept[leaf]!),
              }))
              const { gaps } = joined(leaves)
              if (gaps.length > 0) {
                seen.gaps++
                return
              }
              seen.whole++
              const all = patterns.filter((one) => kept.some((some) => some.includes(one)))
              for (const one of asked) {
                const [longest] = prefixes.filter((begin) => one.startsWith(begin)).toSorted((a, b) => b.length - a.length)
                const here = longest === undefined ? [] : kept[prefixes.indexOf(longest)]!
                if (here.length < all.length) seen.missing++
                assert.equal(
                  here.some((some) => covers(some, one)),
                  all.some((some) => covers(some, one)),
                  JSON.stringify([prefixes, kept.map((some) => some.map(nameOf)), one]),
                )
              }
            },
          ),
          { numRuns: runs(200) },
        ),
      () => seen.whole > 30 && seen.gaps > 100 && seen.missing > 100,
      () => seen,
    )
  })

  test('have a gap where what grants can meet a path that comes to none of them', () => {
    const one: PathPattern = { method: 'GET', segments: [{ kind: 'parameter' }], rest: false }
    const leaves = ['/a', '/b'].map((begin) => ({ prefix: begin, guardrails: { action: 'DENY' }, rules: filterOf('ALLOW', [one]) }))
    assert.deepEqual(joined(leaves).gaps, ['what `/{}` says elsewhere is not said of paths that begin with ``'])
  })

  for (const begin of ['', 'a', '/a?', '/a#b', '//x?y'])
    test(`are not read where a beginning is \`${begin}\``, () => {
      assert.throws(() => joined([{ prefix: begin, guardrails: {}, rules: {} }]), NotRead)
    })

  test('are not read where something else is said', () => {
    const rules = { action: 'ALLOW', policies: {}, auditLoggingOptions: {} }
    assert.throws(() => joined([{ prefix: '/', guardrails: { action: 'DENY' }, rules }]), /auditLoggingOptions/)
  })
})
