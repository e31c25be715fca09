/** Every configuration under `examples/` is one that is taken as it stands, and does what its own tests say. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadConfiguration, testConfiguration } from '../src/server/configuration.ts'

const root = join(import.meta.dirname, '../examples')
const names = readdirSync(root)

describe('examples', () => {
  test('are there', () => assert.ok(names.length >= 6))

  for (const name of names)
    test(`${name} has nothing that is wrong, and its policy's tests pass`, () => {
      const folder = join(root, name)
      assert.deepEqual(
        loadConfiguration(folder).diagnostics.map(({ message }) => message),
        [],
      )
      const { results } = testConfiguration(folder)
      assert.deepEqual(
        results.filter(({ passed }) => !passed).map(({ message }) => message),
        [],
      )
      const hasTests = readdirSync(join(folder, 'policy')).some((file) => file.endsWith('.test.yaml'))
      assert.equal(results.length > 0, hasTests)
    })
})
