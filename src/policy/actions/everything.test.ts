/** Where a protocol says that patterns meet every action, they do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { formatAction, type Protocol } from '../../core/action.ts'
import { samples } from '../testdata/actions.ts'
import { isCanonicalMethod } from './http/template.ts'
import { vocabularies } from './index.ts'

for (const protocol of Object.keys(vocabularies) as Protocol[]) {
  const { everything, parse, read, matches, isAll } = vocabularies[protocol]
  if (everything === undefined) continue
  test(`everything of ${protocol}`, () => {
    const patterns = everything.map((text) => parse(text, 'takes').pattern!)
    assert.ok(patterns.some(isAll))
    let some = 0
    fc.assert(
      fc.property(samples[protocol].action, (action) => {
        // What has no canonical form is no action, and refused before.
        if ('problem' in read(formatAction(action)) || (action.protocol === 'http' && !isCanonicalMethod(action.method))) return
        some++
        assert.ok(
          patterns.some((pattern) => matches(pattern, action)),
          formatAction(action),
        )
      }),
    )
    assert.ok(some > 10)
  })
}
