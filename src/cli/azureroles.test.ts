/** A cluster that Azure authorizes, on the command line: what is written, and that nothing is brought anywhere. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { run, standInKubectl } from './testing.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/kubernetes-azure')

describe('roles of Azure on the command line', () => {
  let folder: string
  let remove: () => void
  before(() => {
    ;({ folder, remove } = standInKubectl())
  })
  after(() => remove())

  test('they are written as JSON, and proven', async () => {
    const out = join(folder, 'out')
    const compiled = await run('compile', 'kubernetes', EXAMPLE, '--out', out)
    assert.equal(compiled.exit, 0, compiled.err)
    assert.deepEqual(readdirSync(join(out, 'staging')), ['documents.json'])
    const text = readFileSync(join(out, 'staging/documents.json'), 'utf8')
    const documents = JSON.parse(text) as readonly { readonly id: string; readonly type: string; readonly properties: object }[]
    assert.deepEqual(
      documents.map(({ type }) => type.replace('Microsoft.Authorization/', '')),
      [...Array.from({ length: 3 }, () => 'roleDefinitions'), ...Array.from({ length: 3 }, () => 'roleAssignments')],
      'what is assigned is there before',
    )
    const shown = await run('compile', 'kubernetes', EXAMPLE)
    assert.equal(shown.out, text)
    const proven = await run('prove', 'kubernetes', EXAMPLE)
    assert.equal(proven.exit, 0, proven.out)
    assert.match(proven.out, /staging: \d+ cells for 4 classes of callers, no difference/)
  })

  test('what is to be brought to Azure is refused, before anything is brought elsewhere', async () => {
    const both = join(folder, 'both')
    cpSync(EXAMPLE, both, { recursive: true })
    const wiring = readFileSync(join(both, 'ostiary.yaml'), 'utf8')
    const other = `targets:\n  a: { kind: kubernetes, resource: staging, version: '1.35', subjects: object-ids, context: a, assume: [default-roles, undelegated-tokens, unrevoked-tokens] }\n`
    writeFileSync(join(both, 'ostiary.yaml'), wiring.replace('targets:\n', other))
    for (const command of ['apply', 'drift']) {
      const refused = await run(command, 'kubernetes', both)
      assert.equal(refused.exit, 64)
      assert.match(refused.err, /target `staging` is kept in Azure.*\n.*`az rest --method put`.*`az role assignment list`/)
    }
    assert.equal(existsSync(join(folder, 'calls')), false, 'nothing was asked')
    await run('apply', 'kubernetes', both, '--target', 'a')
    assert.ok(existsSync(join(folder, 'calls')))
  })
})
