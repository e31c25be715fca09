import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { ListFilter } from './listfilter.ts'

interface Thing {
  readonly name: string
}

function filtered(text: string, cuts: readonly number[], show: (thing: Record<string, unknown>) => boolean): string {
  const filter = new ListFilter(show)
  const bytes = Buffer.from(text)
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  const out = at.slice(1).map((end, i) => filter.feed(bytes.subarray(at[i], end)).toString('latin1'))
  filter.end()
  return Buffer.from(out.join(''), 'latin1').toString()
}

const even = (thing: Record<string, unknown>): boolean => (thing as unknown as Thing).name.length % 2 === 0

describe('a list of which some is shown', () => {
  test('has the same things as if it were read whole, wherever it is cut', () => {
    const thing = fc.record({ name: fc.string({ unit: 'grapheme' }), more: fc.jsonValue({ maxDepth: 3 }) })
    const list = fc.record({
      kind: fc.constantFrom('PodList', 'Table'),
      metadata: fc.record({ resourceVersion: fc.string(), remainingItemCount: fc.nat() }, { requiredKeys: [] }),
      items: fc.array(thing, { maxLength: 6 }),
      columnDefinitions: fc.jsonValue(),
    })
    fc.assert(
      fc.property(list, fc.array(fc.nat(), { maxLength: 8 }), fc.constantFrom(0, 1), (value, cuts, indent) => {
        const text = JSON.stringify(value, null, indent)
        const { remainingItemCount: _, ...metadata } = value.metadata
        const read = JSON.parse(filtered(text, cuts, even)) as unknown
        assert.deepEqual(read, JSON.parse(JSON.stringify({ ...value, metadata, items: value.items.filter((one) => even(one)) })))
      }),
      { numRuns: 1000 },
    )
  })

  test('passes every byte of what is shown as it came', () =>
    assert.equal(
      filtered('{ "items" : [ {"name":"ab", "n":1.50e+2,"s":"\\u00e9]}"} , {"name":"a"},{"name":"cd"} ], "kind": null }\n', [], even),
      '{ "items":[{"name":"ab", "n":1.50e+2,"s":"\\u00e9]}"},{"name":"cd"}], "kind":null }\n',
    ))

  for (const [name, text] of [
    ['half a document', '{"items":[{"name":"ab"}'],
    ['an array', '[]'],
    ['a thing that is no object', '{"items":["a"]}'],
    ['two documents', '{}{}'],
    ['no JSON in a thing', '{"items":[{"name":nonsense}]}'],
    ['no JSON in what is said of the list', '{"metadata":{x}}'],
    ['a page of more', '{"metadata":{"continue":"eyJzdGFydCI6ImhpZGRlbiJ9"},"items":[]}'],
    ['nothing', ''],
    ['things under names', '{"items":{"a":{"name":"ab"}}}'],
    ['more than a list has', '{"items":[],"Items":[{"name":"a"}]}'],
  ] as const)
    test(`is kept back where it is ${name}`, () => assert.throws(() => filtered(text, [], even)))

  test('lets nothing of a thing out that is not to be shown, whatever bytes it gets', () => {
    const piece = fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', '1', ' ', 'x', '{"a":"x"}', 'null')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(), (pieces, cut) => {
        const filter = new ListFilter(() => false)
        const bytes = Buffer.from(`{"items":[${pieces.join('')}`)
        const out: string[] = []
        try {
          const at = cut % bytes.length
          out.push(filter.feed(bytes.subarray(0, at)).toString(), filter.feed(bytes.subarray(at)).toString())
        } catch (error) {
          assert.ok(error instanceof SyntaxError || error instanceof RangeError)
        }
        // Behind the end of the list there may be other members.
        const told = out.join('').split(']')[0]!
        assert.ok(told === '' || '{"items":['.startsWith(told), told)
      }),
      { numRuns: 3000 },
    )
  })

  test('holds no more of a thing than etcd would keep', () => {
    const filter = new ListFilter(() => true)
    filter.feed(Buffer.from('{"items":[{"a":"'))
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    assert.throws(() => {
      for (let i = 0; i < 9; i++) filter.feed(chunk)
    }, RangeError)
  })
})
