import type { PolicyTestCoverage, PolicyTestResult } from '../policy/index.ts'
import { counted, paint } from './output.ts'

export const testFormats = ['text', 'tap', 'junit'] as const
export type TestFormat = (typeof testFormats)[number]

export interface TestRun {
  readonly results: readonly PolicyTestResult[]
  readonly coverage: PolicyTestCoverage
}

/** For people: one line for each case, and what no case has shown. @param folder Before the names of files. */
export function asText({ results, coverage }: TestRun, folder: string): string {
  const lines = results.map((result) => {
    if (result.passed) return `${paint('green', 'ok')}    ${result.name}`
    const message = result.message.split('\n').map((line) => `      ${line}`)
    return [`${paint('red', 'FAIL')}  ${result.name}`, `      ${placeOf(result, folder)}`, ...message].join('\n')
  })
  const failed = results.filter(({ passed }) => !passed).length
  return [...lines, `${results.length - failed} passed, ${failed} failed`, ...coverageLines(coverage)].join('\n')
}

function coverageLines({ rules, guardrails, uncovered }: PolicyTestCoverage): readonly string[] {
  const part = (all: number, left: readonly string[], noun: string): string => `${all - left.length} of ${counted(all, noun)}`
  const left = [...uncovered.rules, ...uncovered.guardrails]
  return [
    `shown: ${part(rules, uncovered.rules, 'rule')}, ${part(guardrails, uncovered.guardrails, 'guardrail')}${left.length === 0 ? '' : '; by no test:'}`,
    ...left.map((id) => `  ${id}`),
  ]
}

function placeOf({ span }: PolicyTestResult, folder: string): string {
  return `${folder === '.' ? '' : `${folder}/`}${span.file}:${span.line}`
}

/** Test Anything Protocol, version 14, with a YAML block for what failed. */
export function asTap({ results }: TestRun, folder: string): string {
  const lines = results.flatMap((result, i) => {
    const { passed, name, expected, actual } = result
    const line = `${passed ? 'ok' : 'not ok'} ${i + 1} - ${name.replaceAll(/[\\#]/g, String.raw`\$&`).replaceAll(/\s+/g, ' ')}`
    if (passed) return [line]
    const block = { at: placeOf(result, folder), expected, actual }
    return [line, '  ---', ...Object.entries(block).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`), '  ...']
  })
  return ['TAP version 14', `1..${results.length}`, ...lines].join('\n')
}

/** JUnit's XML as CI systems read it: one suite for each file. */
export function asJunit({ results }: TestRun, folder: string): string {
  const files = [...new Set(results.map(({ span }) => span.file))]
  const suites = files.map((file) => {
    const own = results.filter(({ span }) => span.file === file)
    const cases = own.map((result) => {
      const head = `    <testcase classname="${escape(file)}" name="${escape(result.name)}"`
      if (result.passed) return `${head}/>`
      const at = `${placeOf(result, folder)}\n${result.message}`
      return `${head}>\n      <failure message="${escape(`expected ${result.expected}, but got ${result.actual}`)}">${escape(at)}</failure>\n    </testcase>`
    })
    return [`  <testsuite name="${escape(file)}" tests="${own.length}" failures="${failures(own)}">`, ...cases, '  </testsuite>'].join('\n')
  })
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="ostiary" tests="${results.length}" failures="${failures(results)}">`,
    ...suites,
    '</testsuites>',
  ].join('\n')
}

function failures(results: readonly PolicyTestResult[]): number {
  return results.filter(({ passed }) => !passed).length
}

/** XML 1.0 has no place for most control characters, not even as references. */
function escape(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
