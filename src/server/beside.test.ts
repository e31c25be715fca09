import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSources } from '../config/load.ts'
import { compile, compileBeside } from './configuration.ts'

const folder = join(import.meta.dirname, '../../examples/demo')
const NOW = Date.UTC(2026, 2, 2, 12)

void test('what is compiled beside the work is the same version, with the same findings', async () => {
  const sources = readSources(folder)
  const rules = (count: number): string =>
    Array.from({ length: count }, (_, i) => `  - { id: more-${i}, role: nobody-${i}, resource: orders, actions: ['GET /more/${i}'] }`).join(
      '\n',
    )
  const more = { path: 'policy/more.yaml', text: `apiVersion: ostiary.dev/v1\nrules:\n${rules(200)}\n` }
  for (const one of [sources, { ...sources, policy: [...sources.policy, more] }]) {
    const now = compile(folder, one, NOW)
    const beside = await compileBeside(folder, one, NOW)
    assert.equal(beside.policy?.version, now.policy?.version)
    assert.deepEqual(beside.diagnostics, now.diagnostics)
  }
  assert.notEqual(compile(folder, sources, NOW).policy, undefined)
})

void test('while it is compiled, others have their turn', async () => {
  let [turns, going] = [0, true]
  const other = (): void => {
    turns++
    if (going) setImmediate(other)
  }
  setImmediate(other)
  await compileBeside(folder, readSources(folder), NOW)
  going = false
  assert.ok(turns > 0)
})
