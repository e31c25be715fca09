import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { stringify } from 'yaml'
import { keyFixture, testKey, type KeyFixture } from '../testing/tokens.ts'
import { loadConfiguration } from './configuration.ts'
import { nativeIssuers } from './families.ts'
import { keysOf } from './targetkeys.ts'

const key = testKey('k', 'ES256')
const other = testKey('r', 'RS256')
let fixture: KeyFixture
let folder: string

beforeEach(async () => {
  fixture = await keyFixture([key])
  folder = mkdtempSync(join(tmpdir(), 'target-keys-'))
})
afterEach(async () => {
  await fixture.close()
  rmSync(folder, { recursive: true, force: true })
})

async function got(issuers: Readonly<Record<string, unknown>>) {
  writeFileSync(join(folder, 'services.json'), JSON.stringify({ keys: [other.jwk] }))
  writeFileSync(join(folder, 'ostiary.yaml'), stringify({ apiVersion: 'ostiary.dev/v1', issuers, resources: {}, doors: {} }))
  const { wiring } = loadConfiguration(folder)
  const { keys, failures } = await keysOf(wiring!, nativeIssuers(wiring!), { folder })
  return {
    keys: [...keys].map(([form, set]) => [
      form,
      (JSON.parse(set) as { keys: { kid: string; alg: string }[] }).keys.map(({ kid, alg }) => `${kid} ${alg}`),
    ]),
    failures: [...failures],
    text: JSON.stringify([...keys]),
  }
}

test('keys are those of each form of each issuer, public, and of the algorithms that are accepted', async () => {
  const { keys, failures, text } = await got({
    people: { kind: 'oidc', issuer: fixture.origin, audiences: ['a'] },
    services: { kind: 'jwt', issuer: 'services', audiences: ['a'], keys: [{ file: 'services.json' }] },
    repositories: { kind: 'github', owners: ['1'], audiences: ['a'] },
  })
  assert.deepEqual(keys, [
    ['people', ['k ES256']],
    ['services', ['r RS256']],
  ])
  assert.deepEqual(failures, [])
  assert.doesNotMatch(text, /\\"d\\"/)
  assert.equal(existsSync(join(folder, 'data')), false, 'nothing is written')
})

test('an issuer that does not answer has no keys, and why is said', async () => {
  fixture.override = () => ({ status: 500, body: '' })
  const { keys, failures } = await got({ people: { kind: 'oidc', issuer: fixture.origin, audiences: ['a'] } })
  assert.deepEqual(keys, [['people', []]])
  assert.match(failures.join(), /^people,.*answered 500/)
})
