import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { declaredClaims, readClaims } from './claims.ts'
import { readJsonText, type JsonObject } from './jose/json.ts'

const declared = declaredClaims(
  { sub: { type: 'string', mayBeUnknown: false }, groups: { type: 'list', mayBeUnknown: true } },
  {
    level: 'number',
    staff: 'boolean',
    groups: { type: 'list', path: ['realm', 'groups'] },
    team: { type: 'string' },
    ...Object.fromEntries([['constructor', 'string' as const]]),
  },
)

function read(payload: unknown): Record<string, unknown> {
  const { claims, unknownClaims } = readClaims(readJsonText(JSON.stringify(payload)) as JsonObject, declared)
  return { ...claims, ...Object.fromEntries([...unknownClaims].map((name) => [name, '?'])) }
}

const table: readonly (readonly [string, unknown, Record<string, unknown>])[] = [
  ['nothing', {}, {}],
  [
    'every type',
    { sub: 'a', level: 1, staff: true, team: 't', realm: { groups: ['g'] } },
    { sub: 'a', level: 1, staff: true, team: 't', groups: ['g'] },
  ],
  ['undeclared claims', { other: 1, admin: true }, {}],
  ['wrong types', { sub: 1, level: '1', staff: 'true', realm: { groups: 'g' } }, { sub: '?', level: '?', staff: '?', groups: '?' }],
  ['null', { sub: null, level: null, staff: null, realm: null }, { sub: '?', level: '?', staff: '?', groups: '?' }],
  ['a list that is not all text', { realm: { groups: ['g', 1, ['h'], null, { i: 'j' }] } }, { groups: ['g'] }],
  ['a list without text', { realm: { groups: [1, true] } }, { groups: [] }],
  ['an empty list', { realm: { groups: [] } }, { groups: [] }],
  ['a path that is not there', { realm: {} }, {}],
  ['a path through a list', { realm: [] }, { groups: '?' }],
  ['a path through text', { realm: 'x' }, { groups: '?' }],
  ['a name under its old place', { groups: ['g'] }, {}],
  ['claims that are elsewhere', { sub: 'a', _claim_names: { sub: 's', realm: 's' } }, { sub: '?', groups: '?' }],
  [
    'names that are no map',
    { sub: 'a', _claim_names: true },
    { sub: '?', level: '?', staff: '?', groups: '?', constructor: '?', team: '?' },
  ],
]

for (const [name, payload, expected] of table)
  test(`claims of ${name}`, () => {
    assert.deepEqual(read(payload), expected)
  })

test('claims have no prototype, and what every object has is no claim', () => {
  const { claims } = readClaims(readJsonText('{}') as JsonObject, declared)
  assert.equal(Object.getPrototypeOf(claims), null)
  assert.equal('constructor' in claims, false)
})

test('a claim is of its declared type, unknown or absent, whatever the token says', () => {
  const types = new Map([
    ['sub', 'string'],
    ['level', 'number'],
    ['staff', 'boolean'],
    ['team', 'string'],
    ['constructor', 'string'],
  ])
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('sub', 'level', 'staff', 'team', 'realm', 'constructor', '__proto__'), fc.jsonValue({ maxDepth: 2 })),
      (payload) => {
        const { claims, unknownClaims } = readClaims(readJsonText(JSON.stringify(payload)) as JsonObject, declared)
        for (const [name, value] of Object.entries(claims)) {
          assert.equal(unknownClaims.has(name), false)
          if (name === 'groups') assert.ok(Array.isArray(value) && value.every((item) => typeof item === 'string'))
          else assert.equal(typeof value, types.get(name))
        }
      },
    ),
    { numRuns: 300 },
  )
})
