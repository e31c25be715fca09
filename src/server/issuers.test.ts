import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from './configuration.ts'

/** Findings about these issuers, and where. */
function findings(issuers: string): readonly string[] {
  const text = `apiVersion: ostiary.dev/v1\nissuers:\n${issuers}\nresources: {}\ndoors: {}\n`
  const { diagnostics } = compile('.', { wiring: { path: 'ostiary.yaml', text }, environment: undefined, policy: [], tests: [] }, 0)
  // That nobody may administer is another matter.
  return diagnostics.flatMap(({ code, message, span }) => (code.startsWith('identity/') ? [`${span?.line} ${message}`] : []))
}

const oidc = (issuer: string): string => `{ kind: oidc, issuer: ${issuer}, audiences: [orders] }`
const jwt = (issuer: string): string => `{ kind: jwt, issuer: ${issuer}, audiences: [orders], keys: [{ file: keys.json }] }`

test('two issuers whose tokens have the same `iss` are refused, at the place of the second', () => {
  const same = 'https://id.example.com'
  const told = ['4 a token could be meant for the issuer `one` and for the issuer `two`']
  assert.deepEqual(findings(`  one: ${oidc(same)}\n  two: ${oidc(same)}`), told)
  assert.deepEqual(findings(`  one: ${oidc(same)}\n  two: ${jwt(same)}`), told)
  assert.deepEqual(
    findings(`  one: { kind: github, owners: ['1'], audiences: [a] }\n  two: { kind: github, owners: ['2'], audiences: [a] }`),
    told,
  )
})

test('issuers that differ, be it by a slash, are two', () => {
  assert.deepEqual(findings(`  one: ${oidc('https://id.example.com')}\n  two: ${oidc('https://id.example.com/')}`), [])
  assert.deepEqual(findings(`  one: ${oidc('https://id.example.com')}\n  two: ${jwt('batch')}`), [])
})
