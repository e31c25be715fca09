/** The language itself, case by case with its reasons, written by hand: roles, guardrails, parties and conditions. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readSources } from '../../../src/config/load.ts'
import { checkPolicy, coverageOf, runPolicyTests } from '../../../src/policy/index.ts'
import { compile } from '../../../src/server/configuration.ts'

const NOW = Date.UTC(2026, 2, 2, 12)
const folder = import.meta.dirname
const sources = readSources(folder)
const { policy, diagnostics } = compile(folder, sources, NOW)
const { results, diagnostics: wrong } = runPolicyTests(policy!, sources.tests, NOW)

describe('the corpus of the language', () => {
  test('its policy and its cases can be read', () => {
    assert.deepEqual(diagnostics, [])
    assert.deepEqual(wrong, [])
    assert.deepEqual(
      checkPolicy(policy!, NOW).filter(({ severity }) => severity === 'error'),
      [],
    )
  })
  for (const { name, span, passed, message } of results) test(`${span.file}:${span.line} ${name}`, () => assert.ok(passed, message))
  test('every rule and guardrail is shown', () =>
    assert.deepEqual(coverageOf(policy!, results).uncovered, { rules: ['administer'], guardrails: [] }))
  test('every case says why', () => {
    assert.ok(results.length >= 120, `${results.length} cases`)
    for (const { expected, name } of results) assert.match(expected, / because /, name)
  })
})
