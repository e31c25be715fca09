/** The page about other engines says what they really answer. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { answersOf, CASES, ENGINES, lineOf } from './differences.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/policy-engines.md'), 'utf8')

for (const one of CASES)
  void test(`other engines: ${one.what}`, async () => {
    const answers = await answersOf(one)
    const line = page.split('\n').find((text) => text.startsWith(`| ${one.what} |`))
    assert.ok(line !== undefined, 'it is not in docs/policy-engines.md; write it with `npm run load -- engines --write`')
    const cells = line.split('|')
    // An engine that can't run here is not looked at.
    const found = lineOf(one, answers)
      .split('|')
      .map((cell, i) => (answers[i - 5] === undefined && i > 4 && i < 5 + ENGINES.length ? cells[i] : cell))
    assert.equal(found.join('|'), line)
  })
