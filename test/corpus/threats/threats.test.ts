/** Every row of the threat table about login, sessions and tokens, by name, and what holds it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cookieRows } from '../http/cookies.ts'
import { credentialRows } from '../http/credentials.ts'
import { entraRows } from '../tokens/entra.ts'
import { formRows } from '../tokens/form.ts'
import { oidcRows } from '../tokens/oidc.ts'
import { timeRows } from '../tokens/times.ts'
import { notYet, threats, type Holder } from './held.ts'

const root = join(import.meta.dirname, '../../..')
const corpora = {
  tokens: new Set([...formRows, ...timeRows, ...entraRows, ...oidcRows].map(({ attack }) => attack)),
  http: new Set([...cookieRows, ...credentialRows].map(({ id }) => id)),
}

/** Whether a test of this title is there, or rows with this number are. */
function isThere(holder: Holder, number: number): boolean {
  if (typeof holder === 'string') return corpora[holder].has(number)
  const [file, title] = holder
  const source = readFileSync(join(root, file), 'utf8')
  return ["'", '"', '`'].some((quote) => source.includes(`test(${quote}${title}`) || source.includes(`describe(${quote}${title}`))
}

for (const { row, attack, heldBy } of threats) {
  const number = Number(row.split('.')[2])
  const named = heldBy.map((holder) => (typeof holder === 'string' ? `rows #${number} of test/corpus/${holder}` : holder.join(': ')))
  test(`${row} ${attack}: held by ${named.join('; ')}`, () => {
    assert.notEqual(heldBy.length, 0)
    for (const holder of heldBy) assert.ok(isThere(holder, number), `${String(holder)} is not there`)
  })
}

test('no row of the table is left out', () => {
  const rows = [...threats.map(({ row }) => Number(row.split('.')[2])), ...notYet].toSorted((a, b) => a - b)
  assert.deepEqual(
    rows,
    Array.from({ length: 50 }, (_, i) => 53 + i),
  )
})
