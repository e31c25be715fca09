import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryFrom } from './query.ts'

const NOW = Date.UTC(2026, 0, 31, 12)

test('filters become a query', () => {
  assert.deepEqual(
    queryFrom({ principal: 'reader', verdict: 'denied', since: '15m', until: '2026-01-31T12:00:00Z', limit: '5', follow: 'true' }, NOW),
    {
      query: { principal: 'reader', verdict: 'denied', since: NOW - 900_000, until: NOW, limit: 5 },
    },
  )
})

test('a filter that is not understood is refused: it would show too much', () => {
  const wrong: readonly Readonly<Record<string, string>>[] = [
    { verdict: 'allow' },
    { since: 'yesterday' },
    { since: '2026-13-01' },
    { until: '' },
    { limit: '0' },
    { limit: '1e3' },
    { limit: '10001' },
    { who: 'reader' },
    { constructor: 'x' },
    { __proto__: 'x', prototype: 'y' },
  ]
  for (const parameters of wrong) assert.ok('problem' in queryFrom(parameters, NOW), JSON.stringify(parameters))
})
