import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { parsePattern, type HttpPattern } from '../../policy/actions/http/template.ts'
import type { NativeResource } from '../../policy/native/native.ts'
import { actionText } from '../../policy/testdata/random.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import { leavesOf, TREE_LIMITS, type Leaf, type TreeLimits } from './tree.ts'

const span = { file: 'p.yaml', line: 1, column: 1, endLine: 1, endColumn: 2 }

function patternOf(text: string): HttpPattern {
  const { pattern } = parsePattern(text)
  assert.ok(pattern !== undefined, text)
  return pattern
}

function resource(actions: readonly (readonly string[])[], guarded: readonly string[] = []): NativeResource {
  const statement = (id: string, texts: readonly string[]) => ({ id, span, patterns: texts.map(patternOf), applies: new Map() })
  return {
    name: 'orders',
    issuers: [],
    rules: actions.map((texts, i) => statement(`rule-${i}`, texts)),
    guardrails: guarded.map((text, i) => ({ ...statement(`guard-${i}`, [text]), effect: 'deny' })),
    scopes: undefined,
  }
}

/** By how paths begin, what is said there. */
function told(leaves: readonly Leaf[] | undefined): Readonly<Record<string, readonly string[]>> | undefined {
  return (
    leaves &&
    Object.fromEntries(
      leaves.map(({ prefix, native: { rules, guardrails } }) => [
        prefix,
        [...rules, ...guardrails].map(({ id, patterns }) => `${id}: ${patterns.map(({ text }) => text).join(', ')}`),
      ]),
    )
  )
}

const SMALL: TreeLimits = { listUpTo: 1, leafUpTo: 1 }

describe('statements by how paths begin', () => {
  test('are one list where there are few', () => {
    const few = resource(Array.from({ length: TREE_LIMITS.listUpTo }, (_, i) => [`GET /a${i}`]))
    assert.equal(leavesOf(few), undefined)
    const more = resource([...few.rules.map(({ patterns }) => patterns.map(({ text }) => text)), ['GET /b']])
    assert.ok(leavesOf(more)!.length > 1)
  })

  test('are one list where paths can not be told apart by that', () => {
    assert.equal(leavesOf(resource(Array.from({ length: 100 }, (_, i) => [`GET /{tenant}/a${i}`]))), undefined)
    assert.equal(leavesOf(resource(Array.from({ length: 100 }, () => ['* /**']))), undefined)
  })

  test('are in each leaf that they can meet, with the patterns that do', () => {
    const made = leavesOf(resource([['GET /a/b', 'POST /c/{x}'], ['GET /a/b/c'], ['* /{tenant}/b'], ['GET /c/**']], ['DELETE /**']), SMALL)
    assert.deepEqual(told(made), {
      '/': ['rule-2: * /{tenant}/b', 'guard-0: DELETE /**'],
      '/a/b': ['rule-0: GET /a/b', 'rule-2: * /{tenant}/b', 'guard-0: DELETE /**'],
      '/a/b/c': ['rule-1: GET /a/b/c', 'guard-0: DELETE /**'],
      '/c/': ['rule-0: POST /c/{x}', 'rule-3: GET /c/**', 'guard-0: DELETE /**'],
      '/c/b': ['rule-0: POST /c/{x}', 'rule-2: * /{tenant}/b', 'rule-3: GET /c/**', 'guard-0: DELETE /**'],
    })
  })

  test('have no beginning with a character that has another spelling', () => {
    const made = leavesOf(resource([['GET /a%20b'], ["GET /a'c"], ['GET /é'], ['GET /x']]), SMALL)
    assert.deepEqual(Object.keys(told(made)!), ['/', '/a', '/x'])
  })

  test('do not multiply without end', () => {
    const wide = Array.from({ length: 500 }, (_, i) => [`GET /v1/{service}/audit/${i}`])
    const deep = Array.from({ length: 500 }, (_, i) => [`GET /v1/s${i}/items/{id}`])
    const made = leavesOf(resource([...wide, ...deep]))
    assert.ok((made ?? []).reduce((sum, { native }) => sum + native.rules.length, 0) <= 8000)
    // Thousands of paths, each of which begins as another one does.
    const nested = Array.from({ length: 1000 }, (_, i) => [`GET /${'a'.repeat(i)}`])
    assert.ok((leavesOf(resource(nested))?.length ?? 1) <= 100)
  })

  test('cover the same paths in the leaf of a path as all of them do', async () => {
    const path = fc
      .array(fc.constantFrom('a', 'b', 'ab', 'orders', 'x', '1', '%20', ''), { maxLength: 5 })
      .map((segments) => `/${segments.join('/')}`.replaceAll(/\/+/g, '/'))
    const seen = { leaves: 0, covered: 0, left: 0 }
    await untilEnough(
      () =>
        fc.assert(
          fc.property(
            fc.array(
              fc.oneof(
                actionText,
                path.map((text) => `GET ${text}`),
                path.map((text) => `GET ${text.replace('a', '{x}')}`),
              ),
              {
                minLength: 2,
                maxLength: 30,
              },
            ),
            fc.array(path, { minLength: 20, maxLength: 20 }),
            fc.nat(4),
            (texts, paths, leafUpTo) => {
              const one = resource(texts.filter((text) => parsePattern(text).pattern !== undefined).map((text) => [text]))
              const leaves = leavesOf(one, { listUpTo: 1, leafUpTo: leafUpTo + 1 })
              if (leaves === undefined) return
              seen.leaves += leaves.length
              for (const asked of [
                ...paths,
                ...one.rules.map(({ patterns: [pattern] }) => pattern!.text.replace(/^\S+ /, '').replaceAll(/\{\w+\}|\*\*/g, 'y')),
              ]) {
                const leaf = leaves
                  .filter(({ prefix }) => asked.startsWith(prefix))
                  .toSorted((a, b) => b.prefix.length - a.prefix.length)[0]!
                const ids = new Set(leaf.native.rules.map(({ id }) => id))
                for (const { id, patterns } of one.rules) {
                  if (!patterns.some((pattern) => covers(pattern, asked))) continue
                  seen.covered++
                  assert.ok(ids.has(id), JSON.stringify([texts, asked, leaf.prefix, id]))
                }
                seen.left += one.rules.length - ids.size
              }
            },
          ),
          { numRuns: runs(80) },
        ),
      () => seen.leaves > 300 && seen.covered > 500 && seen.left > 5000,
      () => seen,
    )
  })
})

/** By a regular expression of its own. */
function covers({ segments, rest }: HttpPattern, path: string): boolean {
  const parts = segments.map((one) => (one.kind === 'literal' ? one.text.replaceAll(/[^A-Za-z0-9]/g, String.raw`\$&`) : '[^/]+'))
  return new RegExp(`^/${[...parts, ...(rest ? ['.*'] : [])].join('/')}$`).test(path)
}
