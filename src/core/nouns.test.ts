import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { ManualClock, seededEntropy } from '../testing/clock.ts'
import { catalogue } from './catalogue/index.ts'
import { diagnostic, OstiaryError } from './errors.ts'
import { idMaker } from './id.ts'
import { Secret } from './secret.ts'

test('a secret shows itself to nobody who does not ask', () => {
  const secret = new Secret('hunter2')
  const shown = [
    String(secret),
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ a: [secret] }, { showHidden: true, depth: 9 }),
    Object.prototype.toString.call(secret),
  ]
  for (const text of shown) assert.ok(!text.includes('hunter2'), text)
  assert.equal(secret.reveal(), 'hunter2')
})

test('ids sort by time, never repeat, and hold when the clock steps back', () => {
  const clock = new ManualClock()
  const next = idMaker(clock, seededEntropy())
  const ids = Array.from({ length: 2000 }, (_, i) => {
    if (i % 7 === 0) clock.advance(1)
    return next()
  })
  assert.deepEqual(ids.toSorted(), ids)
  assert.equal(new Set(ids).size, ids.length)
  assert.match(ids[0]!, /^[0-9a-hjkmnp-tv-z]{22}$/)
})

test('texts of the catalogue are in one voice', () => {
  for (const [code, entry] of Object.entries(catalogue)) {
    assert.match(code, /^[a-z]+\/[a-z0-9-]+$/)
    assert.ok(!entry.message.endsWith('.') && !entry.message.includes('\n'), code)
    assert.match(
      entry.message,
      /^[^A-Z]|^(PKCE|HTTP|JSON|TLS|YAML|CEL|JWT|ID|URL|JWKS|AWS|STS|GitHub|GitLab|SQLite|RSA|HEAD|OPTIONS|Node|Envoy)/,
      `${code}: ${entry.message}`,
    )
    assert.ok(entry.help.length > 0, code)
  }
})

test('an error carries its details in the text and nothing it was not given', () => {
  const error = new OstiaryError('config/unknown-key', { key: 'grups', where: '`issuers`' })
  assert.equal(error.message, 'unknown key `grups` in `issuers`')
  assert.equal(error.exit, 65)
  assert.equal(diagnostic('config/missing', { key: 'a' }, undefined).message, '`a` is missing in {where}')
})
