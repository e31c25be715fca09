import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { runs, untilEnough } from '../../../testing/runs.ts'
import { character } from '../../../testing/text.ts'
import { action, actionText, path } from '../../testdata/random.ts'
import { covers, overlaps } from './compare.ts'
import { matchesPattern, normalPath, normalSegment, parametersOf, parsePattern, segmentsOf, type HttpPattern } from './template.ts'
import { HttpIndex, HttpTrie } from './trie.ts'
import { writeTrie } from './write.ts'

const RUNS = { numRuns: runs(100) }

function pattern(text: string): HttpPattern {
  const parsed = parsePattern(text)
  assert.ok(parsed.pattern !== undefined, parsed.problem)
  return parsed.pattern
}

/** The index's answer for a single pattern. */
function found(text: string, method: string, at: string): boolean {
  return HttpIndex.build([[pattern(text), text]], (values) => values).find({ protocol: 'http', method, path: at }).length > 0
}

describe('what a pattern covers', () => {
  const cases: readonly (readonly [pattern: string, request: string, covered: boolean])[] = [
    ['GET /', 'GET /', true],
    ['GET /a', 'GET /a', true],
    ['GET /a', 'GET /a/', false],
    ['GET /a/', 'GET /a', false],
    ['GET /a', 'GET /A', false],
    ['GET /a', 'HEAD /a', true],
    ['HEAD /a', 'GET /a', false],
    ['GET /a', 'get /a', false],
    ['GET /a', 'POST /a', false],
    ['* /a', 'PROPFIND /a', true],
    ['* /a', 'delete /a', false],
    ['* /a', 'Purge /a', false],
    ['PURGE /a', 'purge /a', false],
    ['M-SEARCH /a', 'M-SEARCH /a', true],
    ['GET /a/{x}', 'GET /a/b', true],
    ['GET /a/{x}', 'GET /a/', false],
    ['GET /a/{x}', 'GET /a', false],
    ['GET /a/{x}', 'GET /a/b/', false],
    ['GET /a/{x}', 'GET /a/b/c', false],
    ['GET /a/{x}/c', 'GET /a/b/c', true],
    ['GET /a/**', 'GET /a', false],
    ['GET /a/**', 'GET /a/', true],
    ['GET /a/**', 'GET /a/b', true],
    ['GET /a/**', 'GET /a/b/c/', true],
    ['GET /**', 'GET /', true],
    ['GET /**', 'GET /a/b', true],
    ['GET /a/{x}/**', 'GET /a//b', false],
    ['GET /a:b', 'GET /a%3Ab', true],
    ['GET /a:b', 'GET /a%3ab', true],
    ['GET /a%3Ab', 'GET /a:b', true],
    ['GET /café', 'GET /caf%c3%a9', true],
    ['GET /caf%C3%A9', 'GET /caf%c3%a9', true],
    ['GET /a%20b', 'GET /a%20b', true],
    ['GET /%61', 'GET /a', true],
    ['GET /a', 'GET /%61', true],
    ['GET /{x}', 'GET /a%2Fb', true],
    ['GET /**', 'GET /a//b', false],
    ['GET /**', 'GET //', false],
    ['GET /**', 'GET /./a', false],
    ['GET /**', 'GET /a/..', false],
    ['GET /**', 'GET /a/%2e%2E/b', false],
    ['GET /**', 'GET /.well-known/x', true],
    ['GET /**', 'GET /...', true],
    ['GET /**', 'GET a', false],
    ['* /**', 'OPTIONS *', false],
    ['* /**', 'CONNECT host:443', false],
    ['* /**', 'GET ', false],
    ['GET /a%2525', 'GET /a%25', false],
  ]
  for (const [text, request, covered] of cases)
    test(`${text} ${covered ? 'covers' : 'does not cover'} ${request}`, () => {
      const [method, at] = [request.slice(0, request.indexOf(' ')), request.slice(request.indexOf(' ') + 1)]
      assert.equal(matchesPattern(pattern(text), method, at), covered)
      assert.equal(found(text, method, at), covered)
    })
})

describe('what is no pattern', () => {
  const cases: readonly (readonly [text: string, problem: RegExp, help?: RegExp])[] = [
    ['', /method and a path/],
    ['/orders', /method and a path/, /`GET \/orders`/],
    ['GET', /method and a path/],
    ['GET orders', /does not start with `\/`/, /`GET \/orders`/],
    ['GET  /orders', /does not start/, /`GET \/orders`/],
    ['get /orders', /upper case/, /did you mean `GET`/],
    ['delete /orders', /upper case/, /`DELETE`/],
    ['purge /x', /upper case/, /`PURGE`/],
    ['GET,POST /x', /not a method/, /one action per method/],
    ['GET /a//b', /empty segment/],
    ['GET /a/**/b', /only comes last/],
    ['GET /a/*', /not a segment/, /\{name\}/],
    ['GET /a/x**', /not a segment/],
    ['GET /a/{x}.json', /not a segment/, /whole segment/],
    ['GET /a/{}', /not a segment/],
    ['GET /a/{x}/{x}', /twice/],
    ['GET /a?x=1', /query/],
    ['GET /a#b', /fragment/],
    ['GET /a b', /space/],
    ['GET /a\\b', /backslash/],
    ['GET /a\u0000', /control/],
    ['GET /a\u00a0b', /space/],
    ['GET /a%2', /hexadecimal/],
    ['GET /a%2Fb', /separator/],
    ['GET /a%5cb', /separator/],
    ['GET /a%00', /separator or control/],
    ['GET /a/..', /dot segment/],
    ['GET /./a', /dot segment/],
    ['GET /%2e%2e/a', /dot segment/],
    ['GET /\ud800', /Unicode/],
    [`GET /${'a/'.repeat(80)}`, /64 segments/],
    [`GET /${'a'.repeat(3000)}`, /longer than/],
  ]
  for (const [text, problem, help] of cases)
    test(JSON.stringify(text.slice(0, 40)), () => {
      const parsed = parsePattern(text)
      assert.match(parsed.problem ?? '', problem)
      if (help !== undefined) assert.match(parsed.help ?? '', help)
    })
  test('an operation id is a later part of the language', () => assert.equal(parsePattern('listOrders').operation, 'listOrders'))
})

test('parameters are decoded; one that is no UTF-8 has no value', () => {
  const one = pattern('GET /a/{x}/{y_1}/**')
  assert.deepEqual(
    [...parametersOf(one, '/a/b%20c/%E4/z')],
    [
      ['x', 'b c'],
      ['y_1', undefined],
    ],
  )
  assert.deepEqual(
    [...parametersOf(one, '/a/%C3%A9/a%2Fb/z')],
    [
      ['x', 'é'],
      ['y_1', 'a/b'],
    ],
  )
})

test('the normal form is total, stable and keeps the number of segments', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: character }), fc.string(), path), (text) => {
      const normal = normalSegment(text)
      assert.equal(normalSegment(normal), normal)
      const segments = segmentsOf(text)
      if (segments !== undefined) assert.equal(segments.length, text.split('/').length - 1)
      assert.equal(normalPath(text) === undefined, segments === undefined)
    }),
    RUNS,
  )
})

test('reading a pattern never throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: character }),
        fc.string().map((text) => `GET /${text}`),
      ),
      (text) => {
        const parsed = parsePattern(text)
        assert.equal(parsed.pattern === undefined, parsed.problem !== undefined)
      },
    ),
    RUNS,
  )
})

test('a method that no pattern names is none of those that some do', () => {
  const texts = ['GET /a', 'QUERY /a', 'PURGE /a', 'REPORT /a', '* /a', 'PURGE /b', 'REPORT /b']
  const index = HttpIndex.build(
    texts.map((text, i) => [pattern(text), i]),
    (values) => values,
  )
  const found = (method: string) => index.find({ protocol: 'http', method, path: '/a' })
  assert.deepEqual(found('GET'), [[0, 4]])
  assert.deepEqual(found('QUERY'), [[1, 4]])
  assert.deepEqual(found('PURGE'), [[2, 4]])
  assert.deepEqual(found('REPORT'), [[3, 4]])
  assert.deepEqual(found('LINK'), [[4]])
  // The same method at another place is the same.
  assert.deepEqual(index.find({ protocol: 'http', method: 'PURGE', path: '/b' }), [[5]])
  assert.deepEqual(index.find({ protocol: 'http', method: 'REPORT', path: '/b' }), [[6]])
  assert.deepEqual(found('query'), [])
  assert.deepEqual(
    HttpIndex.build([[pattern('QUERY /a'), 7]], ([number]) => number!).find({ protocol: 'http', method: 'LINK', path: '/a' }),
    [],
  )
  assert.deepEqual(
    HttpIndex.build([[pattern('QUERY /a'), 0]], ([number]) => number!).find({ protocol: 'http', method: 'QUERY', path: '/a' }),
    [0],
  )
})

test('more literals than one stand in a table, and those of one number beside one another', () => {
  // Of each pair the texts have the same number, as of `Aa` and `BB`.
  const names = ['Aa', 'BB', 'AaAa', 'BBBB', 'AaBB', 'BBAa', 'a', 'b', '', 'a-longer-one', 'a-longer-two']
  const index = HttpIndex.build(
    names.map((name, i) => [pattern(`GET /x/${name}`), i]),
    ([value]) => value!,
  )
  for (const [i, name] of names.entries()) assert.deepEqual(index.find({ protocol: 'http', method: 'GET', path: `/x/${name}` }), [i], name)
  for (const name of ['C#', 'AaC#', 'BBC#', 'a-longer', 'c'])
    assert.deepEqual(index.find({ protocol: 'http', method: 'GET', path: `/x/${name}` }), [], name)
})

test('what stands for GET stands there once for HEAD, and apart where HEAD has more; small tries share an array', () => {
  const records = (texts: readonly string[]) => {
    const all: (readonly number[])[] = []
    const { words, base } = writeTrie(
      texts.map((text, i) => [pattern(text), i]),
      (values) => {
        all.push(values)
        return [all.length]
      },
    )
    const trie = new HttpTrie({ words, base, end: words.length, methods: [] })
    const at = (method: string) => {
      const places = trie.look({ protocol: 'http', method, path: '/a' })
      assert.equal(places.count, 1)
      return all[words[places.at(0)]! - 1]
    }
    return { words, all, get: at('GET'), head: at('HEAD') }
  }
  const shared = records(['GET /a', 'GET /a'])
  assert.deepEqual(shared.all, [[0, 1]])
  assert.equal(shared.get, shared.head)
  const apart = records(['GET /a', 'HEAD /a'])
  assert.deepEqual(apart.all, [[0], [0, 1]])
  assert.deepEqual([apart.get, apart.head], [[0], [0, 1]])
  assert.deepEqual(records(['* /a', 'GET /a']).all, [[1, 0], [0]])
  assert.equal(apart.words, shared.words)
  // Two methods that have one in common aren't the same.
  const some: (readonly number[])[] = []
  const entries = [
    ['POST /a', 7],
    ['POST /a', 8],
    ['PUT /a', 7],
    ['PUT /a', 9],
  ] as const
  writeTrie(
    entries.map(([text, value]) => [pattern(text), value]),
    (values) => [some.push(values)],
  )
  assert.deepEqual(some, [
    [7, 8],
    [7, 9],
  ])
})

test('of templates that all cover one path, each is found, however many there are', () => {
  const texts = Array.from(
    { length: 2 ** 6 },
    (_, i) => `GET /${Array.from({ length: 6 }, (_, bit) => ((i >> bit) & 1 ? `{p${bit}}` : 'x')).join('/')}`,
  )
  const index = HttpIndex.build(
    texts.map((text, i) => [pattern(text), i]),
    ([value]) => value!,
  )
  const found = (path: string) => index.find({ protocol: 'http', method: 'GET', path }).toSorted((a, b) => a - b)
  const all = texts.map((_, i) => i)
  assert.deepEqual(found('/x/x/x/x/x/x'), all)
  // What was found before is nothing of what is found then.
  assert.deepEqual(found('/y/y/y/y/y/y'), [63])
  assert.deepEqual(found('/x/x/x'), [])
  assert.deepEqual(found('/x/x/x/x/x/x'), all)
})

test('the index finds exactly what a scan finds', async () => {
  let hits = 0
  await untilEnough(
    () =>
      fc.assert(
        fc.property(fc.array(actionText, { maxLength: 30 }), fc.array(action, { minLength: 10, maxLength: 10 }), (texts, requests) => {
          const patterns = texts.map(pattern)
          const index = HttpIndex.build(
            patterns.map((one, i) => [one, i]),
            (values) => values,
          )
          for (const { method, path: at } of requests) {
            const scan = patterns.flatMap((one, i) => (matchesPattern(one, method, at) ? [i] : []))
            hits += scan.length
            assert.deepEqual(
              [...new Set(index.find({ protocol: 'http', method, path: at }).flat())].toSorted((a, b) => a - b),
              scan,
            )
          }
        }),
        RUNS,
      ),
    () => hits > 500,
    () => hits,
  )
})

test('what one pattern covers and where two overlap agrees with what they match', async () => {
  const seen = { covers: 0, overlaps: 0 }
  await untilEnough(
    () =>
      fc.assert(
        fc.property(actionText, actionText, fc.array(action, { minLength: 20, maxLength: 20 }), (left, right, requests) => {
          const [a, b] = [pattern(left), pattern(right)]
          const [covered, overlapping] = [covers(a, b), overlaps(a, b)]
          assert.equal(overlapping, overlaps(b, a))
          if (covered) seen.covers++
          if (overlapping) seen.overlaps++
          // A request made of the second pattern is a witness; random ones are more.
          const witness = {
            method: b.method === '*' ? 'BREW' : b.method,
            path: `/${[...b.segments.map((one) => (one.kind === 'literal' ? one.text : 'q')), ...(b.rest ? ['q'] : [])].join('/')}`,
          }
          assert.ok(matchesPattern(b, witness.method, witness.path))
          if (covered) assert.ok(matchesPattern(a, witness.method, witness.path))
          for (const { method, path: at } of requests) {
            const [inA, inB] = [matchesPattern(a, method, at), matchesPattern(b, method, at)]
            if (covered && inB) assert.ok(inA, `${left} covers ${right}, but not ${method} ${at}`)
            if (inA && inB) assert.ok(overlapping, `${left} and ${right} both match ${method} ${at}`)
          }
        }),
        RUNS,
      ),
    () => seen.covers > 20 && seen.overlaps > 50,
    () => seen,
  )
})

test('comparing is not only sound but complete on a small alphabet', () => {
  const segments = ['a', 'b', '{x}']
  const templates = [
    '/',
    '/**',
    ...segments.flatMap((one) => [`/${one}`, `/${one}/`, `/${one}/**`, ...segments.map((two) => `/${one}/${two === '{x}' ? '{y}' : two}`)]),
  ]
  const paths = [
    '/',
    ...['a', 'b', 'q'].flatMap((one) => [
      `/${one}`,
      `/${one}/`,
      ...['a', 'b', 'q'].flatMap((two) => [`/${one}/${two}`, `/${one}/${two}/`, `/${one}/${two}/q`]),
    ]),
  ]
  const patterns = templates.map((text) => pattern(`GET ${text}`))
  for (const a of patterns)
    for (const b of patterns) {
      const inB = paths.filter((at) => matchesPattern(b, 'GET', at))
      assert.equal(
        covers(a, b),
        inB.every((at) => matchesPattern(a, 'GET', at)),
        `${a.text} covers ${b.text}`,
      )
      assert.equal(
        overlaps(a, b),
        inB.some((at) => matchesPattern(a, 'GET', at)),
        `${a.text} overlaps ${b.text}`,
      )
    }
})
