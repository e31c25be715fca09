import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfiguration } from './configuration.ts'

const example = join(import.meta.dirname, '../../examples/clusters')

test('a cluster whose clients could not begin is doubted, and says what they ask first', (t) => {
  assert.deepEqual(loadConfiguration(example).diagnostics, [])
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-doubts-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(example, folder, { recursive: true })
  const file = join(folder, 'policy/clusters.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('      - get /apis\n', ''))
  const doubts = loadConfiguration(folder).diagnostics
  assert.deepEqual(
    doubts.map(({ code, message, severity, span }) => [code, message, severity, span?.file]),
    ['aks', 'prod']
      .map((name) => [
        'kubernetes/no-discovery',
        `no rule lets clients ask what there is in cluster \`${name}\`: \`get /apis\``,
        'warning',
        'policy/clusters.yaml',
      ])
      .toReversed(),
  )
})
