/** Roles of clusters on the command line, with a stand-in for kubectl that has nothing. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { run } from './testing.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/kubernetes')

describe('clusters on the command line', () => {
  const path = process.env['PATH'] ?? ''
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'cluster-roles-'))
    writeFileSync(join(folder, 'kubectl'), `#!/bin/sh\necho "$@" >> '${folder}/calls'\necho '{"items":[]}'\n`)
    chmodSync(join(folder, 'kubectl'), 0o755)
    process.env['PATH'] = `${folder}${delimiter}${path}`
  })
  after(() => {
    process.env['PATH'] = path
    rmSync(folder, { recursive: true, force: true })
  })

  test('their policy is compiled into a folder, proven, and read back', async () => {
    const out = join(folder, 'out')
    const compiled = await run('compile', 'kubernetes', EXAMPLE, '--out', out)
    assert.equal(compiled.exit, 0, compiled.err)
    assert.deepEqual(readdirSync(join(out, 'prod')).toSorted(), ['authenticationconfiguration.yaml', 'documents.yaml'])
    assert.match(compiled.err, /narrower: `look`: namespaces that are not in `namespaces`/)
    assert.match(readFileSync(join(out, 'staging/documents.yaml'), 'utf8'), /name: 0c3f1f0a-6a57-4a36-9d8b-9f3c6d0f0a01/)
    const again = await run('compile', 'kubernetes', EXAMPLE, '--out', out)
    assert.notEqual(again.exit, 0, 'what is there is not written over')
    const proven = await run('prove', 'kubernetes', EXAMPLE)
    assert.equal(proven.exit, 0, proven.out)
    assert.match(proven.out, /prod: \d+ cells for 5 classes of callers, no difference/)
    const imported = await run('import', 'kubernetes', join(out, 'prod/documents.yaml'), '--resource', 'prod')
    assert.equal(imported.exit, 0, imported.err)
    assert.match(
      imported.out,
      /- id: shell\n {4}role: operator\n {4}resource: prod\n {4}actions:\n {6}- get pods -n shop-web\n {6}- create pods\/exec -n shop-web/,
    )
    const nothing = await run('import', 'kubernetes', join(EXAMPLE, 'ostiary.yaml'))
    assert.equal(nothing.exit, 65)
    const odd = await run('import', 'kubernetes', join(out, 'prod/documents.yaml'), '--resource', 'No Name')
    assert.match(odd.err, /`No Name` is no name of a resource/)
  })

  test('what is missing in a cluster is told, and what is applied goes by roles first', async () => {
    const drift = await run('drift', 'kubernetes', EXAMPLE, '--target', 'staging')
    assert.equal(drift.exit, 1)
    assert.match(drift.out, /^staging: \d+ documents \d+ differences\n {2}ClusterRole ostiary-version-[0-9a-f]{16}: missing/)
    await run('apply', 'kubernetes', EXAMPLE, '--target', 'staging')
    const calls = readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')
    assert.ok(calls.every((one) => one.startsWith('--context staging ')))
    const applied = calls.filter((one) => one.includes(' apply '))
    assert.deepEqual(
      applied,
      Array.from({ length: 2 }, () => '--context staging apply --server-side --force-conflicts --field-manager ostiary -f -'),
    )
  })
})
