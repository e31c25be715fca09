import assert from 'node:assert/strict'
import { statSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { decisionOf, done, linesOf, openTestLog, recordsOf, temporary, testSigner } from './testdata/record.ts'

test('a decision, its outcome and an event are in the record, in order and owner-only', async () => {
  using folder = temporary()
  const log = await openTestLog(folder.path, testSigner())
  const waiting = log.decided(decisionOf('d1'), 'strict')
  assert.ok(waiting instanceof Promise)
  await waiting
  assert.ok(linesOf(folder.path).some((line) => line.includes('"id":"d1"')))
  assert.equal(log.decided(decisionOf('d2'), 'spool'), undefined)
  log.completed('d1', done, 'strict')
  log.note({ kind: 'policy.changed', time: 0, details: { version: 'sha256:2' } })
  await log.close()
  const records = recordsOf(folder.path)
  assert.deepEqual(
    records.map(({ kind, id, event }) => id ?? event ?? kind),
    ['segment', 'audit-opened', 'checkpoint', 'principal', 'd1', 'd2', 'd1', 'policy.changed', 'checkpoint'],
  )
  assert.deepEqual(
    records.map(({ seq }) => seq),
    records.map((_, i) => i + 1),
  )
  assert.equal(records[4]!['principalRecord'], 4)
  assert.equal(records.at(-1)!['final'], true)
  for (const name of readdirSync(folder.path)) assert.equal(statSync(join(folder.path, name)).mode & 0o777, 0o600, name)
  assert.equal(statSync(folder.path).mode & 0o777, 0o700)
})
