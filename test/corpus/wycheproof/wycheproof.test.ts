import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { algorithmNames } from '../../../src/identity/jose/algorithms.ts'
import { checkSignature, keyIdOf, readJws } from '../../../src/identity/jose/compact.ts'
import { readJsonText, type JsonObject } from '../../../src/identity/jose/json.ts'
import { readKeySet } from '../../../src/identity/jose/jwk.ts'
import { Refusal } from '../../../src/identity/jose/refusal.ts'

interface Group {
  readonly comment: string
  readonly public?: JsonObject
  readonly private: JsonObject
  readonly tests: readonly { readonly tcId: number; readonly comment: string; readonly jws: unknown; readonly result: string }[]
}

/** Vectors of RFC 7520 whose JWK states another algorithm than the token has (`PS256` and `ES521`): a key's `alg` is honoured here. */
const OTHER_ALG = new Set([346, 347, 350, 351])

const allowed = new Set<string>(algorithmNames)

/** What the verifier says to one vector: `accepted`, or the reason. Vectors without kid get the one key of their set. */
function judge(group: Group, jws: unknown): string {
  if (typeof jws !== 'string') return 'not compact'
  const given = group.public ?? group.private
  const list = (Array.isArray(given['keys']) ? given['keys'] : [given]) as readonly JsonObject[]
  const named = list.map((jwk) => (jwk['kid'] === undefined && list.length === 1 ? { ...jwk, kid: 'k' } : jwk))
  const keys = readKeySet(readJsonText(JSON.stringify({ keys: named })))
  if (!(keys instanceof Map)) return `set: ${(keys as { refused: string }).refused}`
  try {
    const parsed = readJws(jws)
    const kid = parsed.header.kid ?? [...keys.keys()][0]!
    keyIdOf({ ...parsed, header: { ...parsed.header, kid } }, allowed)
    const key = keys.get(kid)
    if (key === undefined) return 'unknown-key'
    checkSignature(parsed, key)
    return 'accepted'
  } catch (error) {
    if (error instanceof Refusal) return error.reason
    throw error
  }
}

for (const file of ['json_web_signature_test.json', 'json_web_key_test.json']) {
  const { testGroups } = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as { testGroups: readonly Group[] }

  test(`${file}: nothing invalid is accepted`, () => {
    let seen = 0
    for (const group of testGroups)
      for (const { tcId, comment, jws, result } of group.tests) {
        seen++
        if (result === 'invalid') assert.notEqual(judge(group, jws), 'accepted', `${tcId} ${comment}`)
      }
    assert.ok(seen > 20)
  })

  test(`${file}: what is made with a shared secret is refused, good or not`, () => {
    const symmetric = testGroups.filter((group) => group.public === undefined)
    assert.notEqual(symmetric.length, 0)
    for (const group of symmetric)
      for (const { tcId, comment, jws } of group.tests) assert.notEqual(judge(group, jws), 'accepted', `${tcId} ${comment}`)
  })

  test(`${file}: what is valid and signed with a public key of an accepted kind is accepted`, () => {
    let accepted = 0
    for (const group of testGroups) {
      if (group.public === undefined) continue // symmetric keys: never accepted
      for (const { tcId, comment, jws, result } of group.tests) {
        if (result !== 'valid') continue
        const said = judge(group, jws)
        if (OTHER_ALG.has(tcId)) assert.match(said, /^algorithm$|no key that can be used/)
        else if (said === 'accepted') accepted++
        else assert.fail(`${tcId} ${comment}: ${said}`)
      }
    }
    assert.ok(accepted > 0)
  })
}
