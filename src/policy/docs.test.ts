import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { SourceFile } from '../config/wiring.ts'
import { compile } from '../server/configuration.ts'
import { checkPolicy, runPolicyTests } from './index.ts'
import { NOW } from './testdata/world.ts'

const text = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8')
const blocks = [...text.matchAll(/^```yaml\n# (.+)\n([^]*?)^```$/gm)].map(([, title, body]) => ({
  title: title!,
  body: `# ${title!}\n${body!}`,
}))
const files = blocks
  .filter(({ title }) => !title.startsWith('refused: '))
  .map(({ title, body }): SourceFile => ({ path: title, text: body }))
const file = (path: string): SourceFile => files.find((one) => one.path === path)!
const isTest = ({ path }: SourceFile): boolean => path.endsWith('.test.yaml')
const sources = {
  wiring: file('ostiary.yaml'),
  environment: { name: 'production', ...file('environments/production.yaml') },
  policy: files.filter((one) => one.path.startsWith('policy/') && !isTest(one)),
  tests: files.filter(isTest),
  documents: files.filter(({ path }) => path.startsWith('api/')),
}

describe('docs/policy.md', () => {
  test('every block is run', () => assert.equal(blocks.length, text.split('```yaml').length - 1))

  test('the example loads, without a warning, and its tests pass', () => {
    const { policy, diagnostics } = compile('.', sources, NOW)
    assert.deepEqual(diagnostics, [])
    assert.deepEqual(checkPolicy(policy!, NOW), [])
    const { results, diagnostics: wrong } = runPolicyTests(policy!, sources.tests, NOW)
    assert.deepEqual(wrong, [])
    assert.deepEqual(
      results.filter(({ passed }) => !passed).map(({ name, message }) => `${name}: ${message}`),
      [],
    )
    assert.equal(results.length, 34)
  })

  for (const { title, body } of blocks.filter((one) => one.title.startsWith('refused: ')))
    test(title, () => {
      const { diagnostics } = compile('.', { ...sources, policy: [...sources.policy, { path: 'policy/refused.yaml', text: body }] }, NOW)
      const here = diagnostics.filter(({ span }) => span?.file === 'policy/refused.yaml').map(({ code }) => code)
      // A binding that is refused leaves its role without one; that is told once.
      assert.deepEqual(here, [title.slice('refused: '.length)])
    })

  test('every reason is explained', () => {
    const decision = readFileSync(join(import.meta.dirname, '../core/decision.ts'), 'utf8')
    const codes = [...decision.matchAll(/^ {4}\| '([a-z-]+)'$/gm)].map(([, code]) => code!)
    assert.ok(codes.length > 10)
    for (const code of codes) assert.ok(text.includes(`\`${code}\``), code)
  })
})
