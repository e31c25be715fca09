import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { character } from '../../testing/text.ts'
import { sessionQueryFrom, writePlace } from './query.ts'
import { readRevocation } from './revocation.ts'

const NOW = Date.UTC(2026, 0, 31, 12)
const kindOf = (name: string): string | undefined => ({ oidc: 'oidc', entra: 'entra' })[name]
const readBody = (body: unknown) => readRevocation(JSON.stringify(body), NOW, kindOf)
const GUID = '72f988bf-86f1-41af-91ab-2d7cd011db47'

describe('a revocation', () => {
  test('is read with its instant, an age, or now', () => {
    const at = (before: string) => {
      const read = readBody({ kind: 'issued-before', issuer: 'oidc', before, reason: 'x' })
      return 'request' in read && read.request.target.kind === 'issued-before' ? read.request.target.before : undefined
    }
    assert.equal(at('now'), NOW)
    assert.equal(at('15m'), NOW - 900_000)
    assert.equal(at('2026-01-31T11:00:00+01:00'), NOW - 7_200_000)
    assert.equal(at('2026-01-31T12:00:30Z'), NOW + 30_000)
    assert.equal(at('2026-01-31T12:00:31Z'), undefined)
  })

  test('shuts out for as long as it says', () => {
    const until = (lasting: string) => {
      const read = readBody({ kind: 'client', issuer: 'oidc', client: 'c', for: lasting, reason: 'x' })
      return 'request' in read ? read.request.until : undefined
    }
    assert.equal(until('8h'), NOW + 8 * 3_600_000)
    for (const wrong of ['0s', '3651d', '999999999d', '8', '-1h', '']) assert.equal(until(wrong), undefined, wrong)
  })

  test('of an Entra subject names tenant and object: anything else would end nothing', () => {
    const subject = (text: string) => 'request' in readBody({ kind: 'subject', issuer: 'entra', subject: text, reason: 'x' })
    assert.equal(subject(`${GUID}/${GUID}`), true)
    for (const wrong of [GUID, `${GUID}/`, 'reader@example.com', `${GUID}/${GUID} `]) assert.equal(subject(wrong), false, wrong)
  })

  test('that names somebody twice ends nobody: who reads the first and who reads the last would not agree', () => {
    for (const text of [
      '{"kind":"subject","issuer":"oidc","subject":"a","subject":"b","reason":"x"}',
      '{"kind":"subject","issuer":"oidc","subject":"a","\\u0073ubject":"b","reason":"x"}',
    ])
      assert.deepEqual(readRevocation(text, NOW, kindOf), { problem: 'the body is not JSON, or has a name twice' })
  })

  test('is never half read, whatever the bytes', () => {
    const word = fc.constantFrom('subject', 'session', 'issued-before', 'client', 'token', 'oidc', 'entra', 'now', '', '__proto__', 'x')
    const field = fc.constantFrom('kind', 'issuer', 'subject', 'session', 'token', 'client', 'before', 'reason', 'for', '__proto__', 'x')
    const body = fc.dictionary(field, fc.oneof(word, fc.jsonValue()), { noNullPrototype: true })
    const bytes = fc.oneof(
      fc.string({ unit: character, maxLength: 80 }),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      body.map((value) => JSON.stringify({ kind: 'subject', issuer: 'oidc', subject: 'a', reason: 'x', ...value })),
    )
    let accepted = 0
    fc.assert(
      fc.property(bytes, (text) => {
        const read = readRevocation(text, NOW, kindOf)
        if ('problem' in read) assert.match(read.problem, /^[^\n]{1,200}$/)
        else {
          accepted++
          const { target, reason } = read.request
          assert.ok(reason.length >= 1 && reason.length <= 256 && !/\p{C}/u.test(reason))
          const wanted = { session: 'session', subject: 'subject', token: 'token', client: 'client', 'issued-before': 'before' }[
            target.kind
          ]
          assert.ok(wanted in target && (target.kind === 'session' || kindOf(target.issuer) !== undefined))
          assert.ok(Object.keys(target).every((name) => ['kind', 'issuer', 'subject', wanted].includes(name)))
        }
      }),
      { numRuns: 500 },
    )
    assert.ok(accepted > 0)
  })
})

test('a page of sessions is asked for to the letter', () => {
  const after = { createdAt: NOW, id: 'a_-1' }
  assert.deepEqual(sessionQueryFrom({ issuer: 'oidc', limit: '5', after: writePlace(after) }), {
    query: { issuer: 'oidc', limit: 5, after },
  })
  const wrong: readonly Readonly<Record<string, string>>[] = [
    { limit: '0' },
    { after: '1' },
    { after: '1.' },
    { after: '-1.a' },
    { who: 'x' },
  ]
  for (const parameters of wrong) assert.ok('problem' in sessionQueryFrom(parameters), JSON.stringify(parameters))
})
