import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { character } from '../testing/text.ts'
import { overlay, plain, readDocument, spanOf, type Located } from './document.ts'

function read(text: string): Located {
  const { root, diagnostics } = readDocument('f.yaml', text)
  assert.deepEqual(diagnostics, [])
  return root!
}

describe('what is no document of ours', () => {
  const cases: readonly (readonly [name: string, text: string, code: string, line: number, column: number, problem: RegExp])[] = [
    ['nothing', '', 'config/empty', 1, 1, /empty/],
    ['only a comment', '# later\n', 'config/empty', 1, 1, /empty/],
    ['a second document', 'a: 1\n---\nb: 2', 'config/yaml', 2, 1, /holds one document/],
    ['an empty second document', 'a: 1\n---\n', 'config/yaml', 2, 1, /holds one document/],
    ['text after the end', 'a: 1\n...\nb: 2', 'config/yaml', 3, 1, /holds one document/],
    ['a key twice', 'a: 1\nb: 2\na: 3', 'config/yaml', 3, 1, /`a` is there twice/],
    ['a key twice in a flow', '{ a: 1, "a": 2 }', 'config/yaml', 1, 9, /`a` is there twice/],
    ['an older version of YAML', '%YAML 1.1\n---\na: yes', 'config/yaml', 1, 1, /directives/],
    ['a tag directive', '%TAG ! tag:x,2000:\n---\na: 1', 'config/yaml', 1, 1, /directives/],
    ['a tag', 'a: !!str 1', 'config/yaml', 1, 10, /tags/],
    ['a tag on a map', '!!map\na: 1', 'config/yaml', 2, 1, /tags/],
    ['a tag on a key', '!!str a: 1', 'config/yaml', 1, 7, /tags/],
    ['an unknown tag', 'a: !x 1', 'config/yaml', 1, 4, /tag/],
    ['an anchor', 'a: &x 1', 'config/alias', 1, 7, /`x`/],
    ['an alias', 'a: *x', 'config/alias', 1, 4, /`x`/],
    ['a tab', 'a:\n\t- b', 'config/yaml', 2, 1, /tabs/],
    ['a list as a key', '? [a]\n: b', 'config/yaml', 1, 3, /keys/],
    ['a key that JavaScript takes for something else', '__proto__: { admin: true }', 'config/yaml', 1, 1, /__proto__/],
    ['a number too large to hold', 'a: 12345678901234567890', 'config/yaml', 1, 4, /exactly/],
    ['infinity', 'a: .inf', 'config/yaml', 1, 4, /exactly/],
    ['an unclosed quote', 'a: "b', 'config/yaml', 1, 6, /quote/],
    ['half a map', 'a: { b: 1', 'config/yaml', 1, 10, /flow map/],
    ['a list nested in lists', `a: ${'['.repeat(100)}${']'.repeat(100)}`, 'config/yaml', 1, 68, /nested deeper/],
    ['too many characters', 'a'.repeat(16 * 1024 * 1024 + 1), 'config/too-large', 1, 1, /larger/],
  ]
  for (const [name, text, code, line, column, problem] of cases)
    test(name, () => {
      const { root, diagnostics } = readDocument('f.yaml', text)
      assert.equal(root, undefined)
      const [first] = diagnostics
      assert.ok(first !== undefined)
      assert.deepEqual([first.code, first.span!.file, first.span!.line, first.span!.column], [code, 'f.yaml', line, column], first.message)
      assert.match(first.message, problem)
      assert.ok(diagnostics.length <= 20)
    })
})

test('`no`, `on`, times and octal-looking numbers are what they look like', () => {
  assert.deepEqual(
    { ...(plain(read('a: no\nb: on\nc: 2026-01-01\nd: 0o17\ne: 017\nf: 1_000\ng: ~\nh: "1"\ni: 1.5')) as object) },
    { a: 'no', b: 'on', c: '2026-01-01', d: 15, e: 17, f: '1_000', g: null, h: '1', i: 1.5 },
  )
})

test('a byte order mark and carriage returns change nothing', () => {
  assert.deepEqual({ ...(plain(read('\uFEFFa: 1\r\nb: x\r\n')) as object) }, { a: 1, b: 'x' })
  assert.deepEqual(spanOf(read('a: 1\r\nb: x\r\n'), ['b']), { file: 'f.yaml', line: 2, column: 4, endLine: 2, endColumn: 5 })
})

test('places are those of values and of keys; of what is not there, its nearest part', () => {
  const root = read('a:\n  b: [x, "y z"]\n')
  const at = (path: readonly PropertyKey[], want?: 'key'): readonly number[] => {
    const span = spanOf(root, path, want)
    return [span.line, span.column, span.endLine, span.endColumn]
  }
  assert.deepEqual(at(['a', 'b', 1]), [2, 10, 2, 15])
  assert.deepEqual(at(['a', 'b'], 'key'), [2, 3, 2, 4])
  assert.deepEqual(at(['a', 'b', 7]), at(['a', 'b']))
  assert.deepEqual(at(['a', 'nothing', 'below']), at(['a']))
})

test('fifty thousand keys are read in time that grows with them', () => {
  // Comparing each key with every other takes minutes here.
  const { root } = readDocument('f.yaml', Array.from({ length: 50_000 }, (_, i) => `k${i}: v`).join('\n'))
  assert.equal(root?.kind === 'map' ? root.entries.size : 0, 50_000)
})

/** Data as configuration can hold it. */
const data = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('any'), { maxKeys: 4 }),
  ),
})).any

function keysOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  return [...(Array.isArray(value) ? [] : Object.keys(value)), ...Object.values(value).flatMap(keysOf)]
}

test('what JSON says is read as it is, or refused for its keys', () => {
  fc.assert(
    fc.property(data, (value) => {
      const { root, diagnostics } = readDocument('f.yaml', JSON.stringify(value))
      if (root === undefined) assert.ok(keysOf(value).includes('__proto__'), diagnostics[0]?.message)
      else assert.equal(JSON.stringify(plain(root)), JSON.stringify(value))
    }),
    { numRuns: 300 },
  )
})

test('no text makes the reader throw, and every place lies in the file', () => {
  const piece = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '\n',
    '\n  ',
    '{',
    '}',
    '[',
    ']',
    ',',
    '"',
    "'",
    '|',
    '>',
    '&x ',
    '*x',
    '!!str ',
    '!t ',
    '#',
    '? ',
    '%',
    '---\n',
    '...\n',
    '\t',
    '<<',
    '\\',
    '\r\n',
    '\u0085',
    '\u2028',
    '\uFEFF',
    '\uD800',
    '\u0000',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: character }),
        fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
      ),
      (text) => {
        const { root, diagnostics } = readDocument('f.yaml', text)
        assert.equal(root === undefined, diagnostics.length > 0)
        const lines = text.split('\n')
        const inside = (span: Located['span']): void => {
          assert.ok(span.line >= 1 && span.line <= lines.length && span.column >= 1 && span.column <= lines[span.line - 1]!.length + 1)
          assert.ok(span.endLine > span.line || (span.endLine === span.line && span.endColumn >= span.column))
        }
        const all = (node: Located): void => {
          inside(node.span)
          if (node.kind === 'list') for (const item of node.items) all(item)
          if (node.kind !== 'map') return
          for (const entry of node.entries.values()) {
            inside(entry.keySpan)
            all(entry.node)
          }
        }
        if (root !== undefined) all(root)
        for (const { span } of diagnostics) inside(span!)
      },
    ),
    { numRuns: 400, examples: [['- \r\naa\r\na: ']] },
  )
})

test('an overlay merges maps by key and replaces everything else; each value keeps its own place', () => {
  const merge = (base: unknown, over: unknown): unknown => {
    const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
    if (!isMap(base) || !isMap(over)) return over
    const merged = { ...base }
    for (const [key, value] of Object.entries(over)) merged[key] = Object.hasOwn(base, key) ? merge(base[key], value) : value
    return merged
  }
  const key = fc.constantFrom('a', 'b', 'constructor', 'toString')
  const tree = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 3 }, fc.integer(), fc.array(fc.integer(), { maxLength: 2 }), fc.dictionary(key, tie('any'))),
  })).any
  fc.assert(
    fc.property(tree, tree, (base, over) => {
      const left = readDocument('base.yaml', JSON.stringify(base)).root!
      const right = readDocument('over.yaml', JSON.stringify(over)).root!
      const before = JSON.stringify(plain(left))
      const sorted = (value: unknown): string =>
        JSON.stringify(value, (_, one: unknown) =>
          typeof one === 'object' && one !== null && !Array.isArray(one)
            ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
            : one,
        )
      assert.equal(sorted(plain(overlay(left, right))), sorted(merge(base, over)))
      assert.equal(JSON.stringify(plain(left)), before)
    }),
    { numRuns: 300 },
  )
  const merged = overlay(readDocument('base.yaml', 'a: { b: 1, c: 2 }').root!, readDocument('over.yaml', '\n\na: { c: 3 }').root!)
  assert.deepEqual(
    ['b', 'c'].map((name) => spanOf(merged, ['a', name])).map(({ file, line }) => [file, line]),
    [
      ['base.yaml', 1],
      ['over.yaml', 3],
    ],
  )
})
