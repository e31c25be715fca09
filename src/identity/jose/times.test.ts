import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readJsonText, type JsonObject } from './json.ts'
import { refused } from './refusal.ts'
import { checkTimes } from './times.ts'

const now = Date.UTC(2026, 0, 1)
const s = now / 1000
const HOUR = 3600

function judge(claims: Readonly<Record<string, unknown>>, maxLifetime = 29 * HOUR * 1000): string | number {
  const payload = readJsonText(JSON.stringify(claims)) as JsonObject
  const result = refused(() => checkTimes(payload, now, maxLifetime))
  if (!('outcome' in result)) return result.expiresAt
  return result.claim === undefined ? result.reason : `${result.reason} ${result.claim}`
}

const table: readonly (readonly [string, Record<string, unknown>, string | number])[] = [
  ['good', { iat: s, nbf: s, exp: s + HOUR }, (s + HOUR + 30) * 1000],
  ['good without nbf', { iat: s, exp: s + HOUR }, (s + HOUR + 30) * 1000],
  ['with fractions', { iat: s - 0.5, exp: s + HOUR + 0.5 }, (s + HOUR + 30.5) * 1000],
  ['expired within the skew', { iat: s - HOUR, exp: s - 29 }, (s + 1) * 1000],
  ['expired', { iat: s - HOUR, exp: s - 30 }, 'expired'],
  ['long expired', { iat: 1, exp: 2 }, 'expired'],
  ['at zero', { iat: 0, exp: 0 }, 'expired'],
  ['no exp', { iat: s }, 'claim exp'],
  ['no iat', { exp: s + HOUR }, 'claim iat'],
  ['exp as text', { iat: s, exp: String(s + HOUR) }, 'claim exp'],
  ['exp as a list', { iat: s, exp: [s + HOUR] }, 'claim exp'],
  ['exp null', { iat: s, exp: null }, 'claim exp'],
  ['exp true', { iat: s, exp: true }, 'claim exp'],
  ['exp negative', { iat: s, exp: -1 }, 'claim exp'],
  ['exp in milliseconds', { iat: s, exp: (s + HOUR) * 1000 }, 'lifetime'],
  ['exp huge', { iat: s, exp: 1e18 }, 'lifetime'],
  ['exp as large as a double', { iat: s, exp: Number.MAX_VALUE }, 'lifetime'],
  ['iat as text', { iat: String(s), exp: s + HOUR }, 'claim iat'],
  ['iat negative', { iat: -s, exp: s + HOUR }, 'claim iat'],
  ['iat ahead within the skew', { iat: s + 30, exp: s + HOUR }, (s + HOUR + 30) * 1000],
  ['iat ahead', { iat: s + 31, exp: s + HOUR }, 'issued-in-future'],
  ['nbf as text', { iat: s, nbf: String(s), exp: s + HOUR }, 'claim nbf'],
  ['nbf null', { iat: s, nbf: null, exp: s + HOUR }, 'claim nbf'],
  ['nbf ahead within the skew', { iat: s, nbf: s + 30, exp: s + HOUR }, (s + HOUR + 30) * 1000],
  ['nbf ahead', { iat: s, nbf: s + 31, exp: s + HOUR }, 'not-yet-valid'],
  ['nbf huge', { iat: s, nbf: 1e300, exp: s + HOUR }, 'not-yet-valid'],
  ['28 hours', { iat: s, exp: s + 28 * HOUR }, (s + 28 * HOUR + 30) * 1000],
  ['a managed identity', { iat: s, exp: s + 86_700 }, (s + 86_730) * 1000],
  ['29 hours and a second', { iat: s, exp: s + 29 * HOUR + 1 }, 'lifetime'],
]

for (const [name, claims, expected] of table)
  test(`times of a token: ${name}`, () => {
    assert.equal(judge(claims), expected)
  })
