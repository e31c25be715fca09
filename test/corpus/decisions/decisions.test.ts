/** Decisions of every protocol with their reasons, written by hand. Any engine, door or target can be held to them. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readSources } from '../../../src/config/load.ts'
import { checkPolicy, coverageOf, PROTOCOLS, runPolicyTests } from '../../../src/policy/index.ts'
import { compile } from '../../../src/server/configuration.ts'

const NOW = Date.UTC(2026, 2, 2, 12)
const folder = import.meta.dirname
const sources = readSources(folder)
const { policy, diagnostics } = compile(folder, sources, NOW)
const { results, diagnostics: wrong } = runPolicyTests(policy!, sources.tests, NOW)

describe('the corpus of decisions', () => {
  test('its policy and its cases can be read, without a doubt', () => {
    assert.deepEqual(diagnostics, [])
    // Several rules and guardrails meet on purpose: that is what is shown.
    const meant = new Set(['policy/rule-redundant', 'policy/for-both'])
    assert.deepEqual(
      checkPolicy(policy!, NOW).filter(({ code }) => !meant.has(code)),
      [],
    )
    assert.deepEqual(wrong, [])
  })

  for (const protocol of PROTOCOLS)
    test(`${protocol}: every case comes out as said`, () => {
      const cases = results.filter(({ span }) => span.file === `policy/${protocol}.test.yaml`)
      assert.deepEqual(
        cases.filter(({ passed }) => !passed).map(({ name, message }) => `${name}: ${message}`),
        [],
      )
      assert.ok(cases.length >= (protocol === 'http' ? 12 : 25), `${cases.length} cases`)
    })

  test('every rule and guardrail is shown', () => {
    const { uncovered } = coverageOf(policy!, results)
    assert.deepEqual(uncovered, { rules: ['administer'], guardrails: [] })
  })

  test('every case says why', () => {
    for (const { path, text } of sources.tests) assert.equal(text.includes('because: '), true, path)
    for (const { expected, name } of results) assert.match(expected, / because /, name)
  })

  test('the document is part of the version', () => {
    const changed = sources.documents!.map(({ path, text }) => ({ path, text: `${text}\n` }))
    assert.notEqual(compile(folder, { ...sources, documents: changed }, NOW).policy!.version, policy!.version)
  })

  test('a document that is not there is told where it is named', () => {
    const { diagnostics: missing } = compile(folder, { ...sources, documents: [] }, NOW)
    assert.deepEqual(
      missing.map(({ code, span }) => [
        code,
        span?.file,
        readFileSync(join(folder, span!.file), 'utf8').split('\n')[span!.line - 1]?.trim(),
      ]),
      [['config/openapi', 'ostiary.yaml', 'openapi: api/orders.yaml']],
    )
  })
})
