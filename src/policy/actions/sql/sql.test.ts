import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { SqlAction } from '../../../core/action.ts'
import {
  actionOf,
  coversAsSaid,
  holdsComparison,
  holdsIndex,
  holdsTotal,
  meetsNothing,
  refusesActions,
  refusesPatterns,
} from '../../../testing/actionlaws.ts'
import { sql } from './index.ts'

const act = (text: string): SqlAction => actionOf(sql, text)

coversAsSaid(sql, [
  ['select on public.orders', 'select on public.orders', true, true],
  ['select on public.orders', 'select on public.orders(id)', true, true],
  ['select on public.orders', 'select on public.users', false, false],
  ['select on public.orders', 'select on app.orders', false, false],
  ['select on public.orders', 'update on public.orders', false, false],
  ['select,update on public.orders', 'update on public.orders(status)', true, true],
  ['select on public.order_*', 'select on public.order_items', true, true],
  ['select on *.*', 'select on app.x', true, true],
  ['* on app.*', 'delete on app.x', true, true],
  ['* on app.*', 'delete on public.x', false, false],
  // All columns at once, or columns that can't be told: not inside some, and not outside them either.
  ['select on public.users(name)', 'select on public.users', false, true],
  ['select on public.users(name)', 'select on public.users(name)', true, true],
  ['select on public.users(name, email)', 'select on public.users(email)', true, true],
  ['select on public.users(name)', 'select on public.users(ssn)', false, false],
  ['select on public.users(pub_*)', 'select on public.users(pub_name)', true, true],
  // A table that can't be told.
  ['select on public.users', 'select on *.*', false, true],
  ['select on *.*', 'select on *.*', false, true],
  // In a rule `*` is the statements about rows.
  ['* on app.*', 'merge on app.x', true, true],
  ['* on app.*', 'ddl on app.x', false, true],
  ['* on app.*', 'grant on app.x', false, true],
  ['* on app.*', 'copy on app.x', false, true],
  ['* on app.*', 'call on app.f', false, true],
  ['ddl on app.*', 'ddl on app.x', true, true],
  ['* on app.*', 'transaction', false, false],
  ['transaction', 'transaction', true, true],
  ['transaction,session', 'session', true, true],
  // What isn't understood could be anything.
  ['* on *.*', 'other', false, true],
  ['select on public.orders', 'other', false, true],
  ['transaction', 'other', false, true],
  ['other', 'other', true, true],
  ['other', 'select on public.orders', false, false],
  // Names are exact.
  ['select on public."Orders"', 'select on public."Orders"', true, true],
  ['select on public."Orders"', 'select on public.orders', false, false],
  ['select on public.orders', 'select on public."Orders"', false, false],
  ['select on public."orders"', 'select on public.orders', true, true],
  ['select on public."a*"', 'select on public."ab"', false, false],
  ['select on public."a""b"', 'select on public."a""b"', true, true],
  ['select on public."a.b"', 'select on public."a.b"', true, true],
  ['select on public."Größe"', 'select on public."Größe"', true, true],
  ['select on public.*', 'select on public."Größe"', true, true],
])

refusesPatterns(sql, [
  ['select', /on something/, /`select on schema.table`/],
  ['*', /not on what/, /`\* on \*\.\*`/],
  ['SELECT on public.orders', /not one of classes/, /`select`/],
  ['selct on public.orders', /not one of classes/, /did you mean `select`/],
  ['select from public.orders', /comes ` on `/],
  ['select on orders', /no schema/, /`public.orders`/],
  ['select on db.public.orders', /three parts/],
  ['select on public.Orders', /upper-case/, /`orders`, or `"Orders"`/],
  ['select on public.or-ders', /not a name/, /double quotes/],
  ['select on public."orders', /does not end/],
  ['select on public.""', /1 to 128/],
  ['select on public."*"', /`\*` alone/],
  ['select on public.orders(', /name is missing/],
  ['select on public.orders()', /name is missing/],
  ['select on public.orders(a', /do not end/],
  ['select on public.orders(a) x', /does not end behind/],
  ['delete on public.orders(a)', /no columns/],
  ['select,delete on public.orders(a)', /`delete` has no columns/],
  ['transaction on public.orders', /on nothing/],
  ['select,other on public.orders', /on nothing/],
  ['select on public."\u043erders"', /several alphabets/],
  ['select on public."\uff4frders"', /another spelling/, /`orders`/],
  ['select on public."e\u0301"', /another spelling/],
  ['select on public."a\u200bb"', /can not be seen/],
  ['select on public.größe', /not a name/, /double quotes/],
])

refusesActions(sql, [
  ['select,update on public.orders', /concrete/],
  ['select on public.o*', /concrete/],
  ['select on public.orders(a, b)', /several columns/, /each of them/],
  ['delete on public.orders(a)', /no columns/],
  ['select', /on something/],
  ['slect on public.orders', /not one of/, /`select`/],
])

test('an action that has no canonical form is met by nothing', () =>
  meetsNothing(sql, ['* on *.*', 'other', 'transaction'], act('select on public.orders(id)'), [
    { class: 'SELECT' },
    { class: '*' },
    { class: 'transaction' },
    { class: 'other' },
    { schema: '' },
    { object: '' },
    { object: 'a\u0000' },
    { object: '\u043erders' },
    { object: 'x'.repeat(129) },
    { column: '' },
    { column: '\ud800' },
  ]))

test('what properties leave open can not be told', () => {
  assert.deepEqual(sql.readParts('select', { schema: 'public', object: 'orders' }), act('select on public.orders'))
  assert.deepEqual(
    sql.readParts('update', { schema: 'public', object: 'orders', column: 'status' }),
    act('update on public.orders(status)'),
  )
  assert.deepEqual(sql.readParts('delete', { object: 'orders' }), act('delete on *.orders'))
  assert.deepEqual(sql.readParts('select', {}), act('select on *.*'))
  assert.deepEqual(sql.readParts('other', {}), act('other'))
  assert.ok('problem' in sql.readParts('select', { table: 'orders' }))
  assert.ok('problem' in sql.readParts('transaction', { object: 'orders' }))
})

test('comparison is sound, and complete on a small alphabet', () => {
  const objects = ['a.x', 'a.*', '*.x', 'a*.*', '*.*']
  const texts = [
    ...['select', '*', 'select,delete', 'ddl'].flatMap((one) => objects.map((on) => `${one} on ${on}`)),
    ...['', ', d'].flatMap((more) => ['a.x', '*.*'].flatMap((on) => ['select', 'update,select'].map((one) => `${one} on ${on}(c${more})`))),
    'select on a.x(c*)',
    'transaction',
    'session,transaction',
    'other',
    'other,session',
  ]
  const actions = [
    ...['select', 'update', 'insert', 'copy', 'merge'].flatMap((one) =>
      ['a', 'ab', 'b', '*'].flatMap((schema) =>
        ['x', 'y', '*'].flatMap((object) =>
          ['c', 'cc', 'd', 'e', '*'].map((column) => ({ protocol: 'sql', class: one, schema, object, column }) as const),
        ),
      ),
    ),
    ...['delete', 'ddl', 'call', 'grant'].flatMap((one) =>
      ['a', 'ab', 'b', '*'].flatMap((schema) =>
        ['x', 'y', '*'].map((object) => ({ protocol: 'sql', class: one, schema, object, column: '' }) as const),
      ),
    ),
    ...['transaction', 'session', 'other'].map(act),
  ]
  holdsComparison(sql, texts, actions)
})

const words = (...all: string[]) => fc.constantFrom(...all)
const name = words('a', 'ab', 'x', '"X y"', '"a|b"', '"1"')
const patternText = fc.oneof(
  fc
    .tuple(
      words('select', '*', 'select,update', 'copy'),
      fc.oneof(name, words('*', 'a*')),
      fc.oneof(name, words('*', '*x')),
      words('', '', '(c)', '(c, d*)'),
    )
    .map(([one, schema, object, columns]) => `${one} on ${schema}.${object}${columns}`),
  words('transaction', 'other', 'other,session', 'delete on a.x'),
)
const anyAction: fc.Arbitrary<SqlAction> = fc.record({
  protocol: fc.constant('sql' as const),
  class: words('select', 'select', 'update', 'delete', 'copy', 'SELECT'),
  schema: words('a', 'ab', 'b', '*', ''),
  object: words('x', 'X y', 'a|b', '*'),
  column: words('c', 'dd', '*', ''),
})

test('the index agrees with the plain definition', () =>
  holdsIndex(sql, patternText, fc.oneof(anyAction, words('other', 'transaction', 'delete on a.x').map(act))))

test('any text is a pattern or a problem, and an action that is read can be written and read again', () =>
  holdsTotal(sql, fc.oneof(patternText, words('select on a.x', 'update on "A".x("c d")', 'select on *.x', 'delete on a."*x"'))))
