import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { OstiaryError } from '../../core/errors.ts'
import type { Diagnosis } from '../../server/doctor/token/diagnosis.ts'
import { readGivenText } from './given.ts'
import { renderReport } from './report.ts'

const TOKEN = `eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.${'s'.repeat(300)}`

test('from standard input, or from a file', async () => {
  assert.equal(await readGivenText(undefined, 100, Readable.from(['a', Buffer.from('b')])), 'ab')
  assert.equal(await readGivenText('-', 100, Readable.from(['c'])), 'c')
  const folder = mkdtempSync(join(tmpdir(), 'given-'))
  try {
    writeFileSync(join(folder, 'token'), 'from a file')
    assert.equal(await readGivenText(join(folder, 'token'), 100), 'from a file')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a token that is given as an argument is refused with the reason, and not repeated', async () => {
  for (const given of [TOKEN, 'short', TOKEN.slice(0, 100)])
    await assert.rejects(readGivenText(given, 100), (error) => {
      assert.ok(error instanceof OstiaryError)
      assert.equal(error.code, 'cli/token-file')
      assert.match(error.help, /others on this machine see arguments, and the shell keeps them/)
      assert.doesNotMatch(`${error.message} ${error.help} ${JSON.stringify(error.details)}`, /eyJ|short/)
      return true
    })
})

test('no more is read than could be a token', async () => {
  await assert.rejects(
    readGivenText(undefined, 10, Readable.from(['x'.repeat(11)])),
    (error) => (error as OstiaryError).code === 'cli/token-large',
  )
  assert.equal((await readGivenText(undefined, 10, Readable.from(['x'.repeat(10)]))).length, 10)
})

test('a diagnosis says where the change is to be made', () => {
  const diagnosis: Diagnosis = { cause: 'it has ended', found: 'exp then', wanted: 'later', where: 'client', change: 'get a new one' }
  const token = { header: { alg: 'RS256' }, claims: { aud: 'orders' }, times: { exp: 'then' }, others: ['sub'] }
  assert.equal(
    renderReport({ outcome: 'refused', issuer: 'entra', reason: 'expired', token, diagnosis }),
    `refused  expired
  issuer    entra
  alg       RS256
  aud       orders
  exp       then
  others    sub
  cause     it has ended
  found     exp then
  wanted    later
  change    in the client: get a new one`,
  )
  assert.match(
    renderReport({ outcome: 'error', codes: [], diagnosis: { ...diagnosis, where: 'registration' } }),
    /change    in the registration at the provider: /,
  )
})
