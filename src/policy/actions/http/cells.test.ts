import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { HttpAction } from '../../../core/action.ts'
import { actionText } from '../../testdata/random.ts'
import { TooManyCells } from '../cells.ts'
import { httpCells } from './cells.ts'
import { matchesPattern, parsePattern, type HttpPattern } from './template.ts'

const pattern = (text: string): HttpPattern => {
  const { pattern: parsed } = parsePattern(text)
  assert.ok(parsed !== undefined, text)
  return parsed
}

function cellsOf(texts: readonly string[], more: { readonly methods?: ReadonlySet<string>; readonly most?: number } = {}) {
  const { methods, most = 10_000 } = more
  return [...httpCells(texts.map(pattern), { named: () => methods, wants: () => true, most })]
}

describe('cells of http', () => {
  const request = fc.record({
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PURGE'),
    path: fc
      .tuple(fc.array(fc.constantFrom('a', 'b', 'A', 'z', '%3A', ':'), { maxLength: 4 }), fc.constantFrom('', '/'))
      .map(([parts, end]) => `/${parts.join('/')}${parts.length === 0 ? '' : end}`),
  })

  test('every request that something covers is in exactly one cell, with just what covers it', () => {
    fc.assert(
      fc.property(
        fc.array(actionText, { minLength: 1, maxLength: 6 }),
        fc.array(request, { minLength: 20, maxLength: 20 }),
        (texts, requests) => {
          const patterns = texts.map(pattern)
          const cells = cellsOf(texts, { methods: new Set() })
          for (const { method, path } of requests) {
            const covering = patterns.flatMap((one, i) => (matchesPattern(one, method, path) ? [i] : []))
            const inside = cells.filter((cell) => cell.has({ protocol: 'http', method, path }))
            assert.equal(inside.length, covering.length === 0 ? 0 : 1, `${method} ${path}`)
            assert.deepEqual(inside[0]?.covering ?? [], covering, `${method} ${path}`)
          }
        },
      ),
    )
  })

  test('the action that stands for a cell is covered by just what the cell says', () => {
    fc.assert(
      fc.property(fc.array(actionText, { minLength: 1, maxLength: 6 }), (texts) => {
        const patterns = texts.map(pattern)
        for (const cell of cellsOf(texts)) {
          const action = cell.action(new Map()) as HttpAction
          const covering = patterns.flatMap((one, i) => (matchesPattern(one, action.method, action.path) ? [i] : []))
          assert.deepEqual(covering, cell.covering, `${cell.text}: ${action.method} ${action.path}`)
        }
      }),
    )
  })

  test('a cell tells what it leaves to others', () => {
    const texts = cellsOf(['GET /orders/{id}', 'GET /orders/plans', '* /orders/**']).map(({ text }) => text)
    assert.ok(texts.includes('GET /orders/plans'))
    assert.ok(texts.includes('GET /orders/{id}, except `plans`'))
  })

  test('a parameter is what stands in its place, whatever it is called', () => {
    const [cell] = cellsOf(['GET /a/{x}', 'GET /a/{y}']).filter(({ covering }) => covering.length === 2)
    assert.deepEqual(
      [0, 1].map((number) => {
        const input = cell!.input('params', number === 0 ? 'x' : 'y', number)
        return input.kind === 'open' ? input.key : ''
      }),
      ['segment 2', 'segment 2'],
    )
  })

  test('what is told apart is no value of the other cell', () => {
    const open = cellsOf(['GET /a/{x}', 'GET /a/b%3Ac']).find(({ covering }) => covering.length === 1)!
    const input = open.input('params', 'x', 0)
    assert.ok(input.kind === 'open')
    assert.deepEqual(['b:c', 'b', '', '..', 'b/c', '\ud800'].map(input.admits), [false, true, false, false, true, false])
  })

  test('there are as many as were asked for at most', () => {
    const texts = Array.from(
      { length: 12 },
      (_, i) => `GET /${Array.from({ length: 12 }, (_, j) => (i === j ? 'a' : `{p${j}}`)).join('/')}`,
    )
    assert.throws(() => cellsOf(texts, { most: 1000 }), TooManyCells)
  })
})
