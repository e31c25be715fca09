import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { parseDocument } from 'yaml'
import type { PolicyTestResult } from '../policy/index.ts'
import { character } from '../testing/text.ts'
import { asJunit, asTap, asText } from './testreport.ts'

function result(more: Partial<PolicyTestResult> = {}): PolicyTestResult {
  const decision = { effect: 'deny', rule: undefined, rules: [], reasons: [], obligations: [], policyVersion: '' } as const
  const span = { file: 'policy/orders.test.yaml', line: 3, column: 5, endLine: 3, endColumn: 9 }
  return { name: 'a reader reads', span, passed: true, expected: 'allow', actual: 'allow because granted', message: '', decision, ...more }
}

const failed = result({ name: 'a # of <them>', passed: false, actual: 'deny because no-rule', message: 'expected allow, but got deny' })
const coverage = { rules: 2, guardrails: 1, uncovered: { rules: ['health'], guardrails: ['no-deletes'] } }
const run = { results: [result(), failed], coverage }

test('people read a line for each case, and what no case has shown', () => {
  assert.deepEqual(asText(run, 'demo').split('\n'), [
    'ok    a reader reads',
    'FAIL  a # of <them>',
    '      demo/policy/orders.test.yaml:3',
    '      expected allow, but got deny',
    '1 passed, 1 failed',
    'shown: 1 of 2 rules, 0 of 1 guardrail; by no test:',
    '  health',
    '  no-deletes',
  ])
  const all = { ...coverage, uncovered: { rules: [], guardrails: [] } }
  assert.match(asText({ results: [result()], coverage: all }, '.'), /shown: 2 of 2 rules, 1 of 1 guardrail$/)
})

test('TAP 14', () => {
  assert.deepEqual(asTap(run, '.').split('\n'), [
    'TAP version 14',
    '1..2',
    'ok 1 - a reader reads',
    String.raw`not ok 2 - a \# of <them>`,
    '  ---',
    '  at: "policy/orders.test.yaml:3"',
    '  expected: "allow"',
    '  actual: "deny because no-rule"',
    '  ...',
  ])
})

test('JUnit', () => {
  const xml = asJunit(run, '.')
  assert.match(xml, /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites name="ostiary" tests="2" failures="1">/)
  assert.match(
    xml,
    /<testcase classname="policy\/orders\.test\.yaml" name="a # of &#60;them&#62;">\n {6}<failure message="expected allow, but got deny because no-rule">/,
  )
})

test('whatever a test is called, it stays one line, and one element', () => {
  fc.assert(
    fc.property(fc.string({ unit: character, minLength: 1 }), (name) => {
      const one = { results: [result({ name }), result({ name, passed: false, message: name })], coverage }
      const tap = asTap(one, '.').split('\n')
      assert.equal(tap.length, 9)
      assert.deepEqual(Object.keys(parseDocument(tap.slice(5, 8).join('\n')).toJS() as object), ['at', 'expected', 'actual'])
      const xml = asJunit(one, '.')
      assert.equal(xml.match(/<[a-z/?]/g)?.length, 10)
      assert.doesNotMatch(xml, /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/)
    }),
  )
})
