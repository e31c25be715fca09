import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { load, NOW } from '../testdata/world.ts'
import { comparePolicies } from './index.ts'
import { renderComparison } from './render.ts'

const text = readFileSync(join(import.meta.dirname, '../../../docs/plan.md'), 'utf8')

function version(title: string) {
  const block = new RegExp(`^\`\`\`yaml\\n# ${title}: (.+)\\n([^]*?)^\`\`\`$`, 'm').exec(text)
  assert.ok(block !== null, title)
  const { policy, diagnostics } = load([{ path: block[1]!, text: block[2]! }])
  assert.deepEqual(diagnostics, [])
  return policy!
}

test('docs/plan.md shows what comes out', () => {
  const shown = /^```text\n(gained[^]*?)^```$/m.exec(text)?.[1]
  assert.equal(renderComparison(comparePolicies(version('before'), version('after'), { now: NOW })), shown)
})
