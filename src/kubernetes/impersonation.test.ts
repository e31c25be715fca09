import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { formatAction } from '../core/action.ts'
import { actionsOf, carries, impersonationFields, impersonationIn, type Impersonated } from './impersonation.ts'

describe('whom a caller asks to act as', () => {
  test('is nobody where no field says so', () => assert.equal(impersonationIn(['Accept', '*/*', 'X-Impersonate-User', 'root']), undefined))

  test('is one user, with a field for each group', () => {
    const as = impersonationIn([
      'impersonate-user',
      'bob',
      'Impersonate-Group',
      'a,b',
      'IMPERSONATE-GROUP',
      'c',
      'Impersonate-Uid',
      'u1',
      'Impersonate-Extra-Example.com%2fSid',
      's1',
    ])
    assert.deepEqual(as, {
      user: 'bob',
      groups: ['a,b', 'c'],
      uid: 'u1',
      extra: Object.assign(Object.create(null), { 'example.com/sid': ['s1'] }),
    })
    assert.deepEqual(actionsOf(as as Impersonated).map(formatAction), [
      'impersonate users bob',
      'impersonate groups a,b',
      'impersonate groups c',
      'impersonate uids.authentication.k8s.io u1',
      'impersonate userextras.authentication.k8s.io',
    ])
  })

  test('is a service account where the name is one', () =>
    assert.deepEqual(
      actionsOf(impersonationIn(['Impersonate-User', 'system:serviceaccount:ci:builder']) as Impersonated).map(formatAction),
      ['impersonate serviceaccounts builder -n ci'],
    ))

  for (const [name, fields] of [
    ['two users', ['Impersonate-User', 'a', 'Impersonate-User', 'b']],
    ['a group of nobody', ['Impersonate-Group', 'system:masters']],
    ['an empty user', ['Impersonate-User', '']],
    ['a user that loses a blank', ['Impersonate-User', 'root ']],
    ['bytes that are no text', ['Impersonate-User', '\xff\xfe']],
    ['a field that is none of them', ['Impersonate-User', 'a', 'Impersonate-Userx', 'b']],
    ['a key that is no text', ['Impersonate-User', 'a', 'Impersonate-Extra-%ff', 'b']],
  ] as const)
    test(`can not be decided where it is ${name}`, () => assert.equal(typeof impersonationIn(fields), 'string'))

  test('is read back as it is written, whatever it holds', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(carries)
    const key = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .map((one) => one.toLowerCase())
      .filter((one) => carries(one) && one.toLowerCase() === one)
    const as = fc.record({
      user: text,
      groups: fc.array(text, { maxLength: 4 }),
      extra: fc.dictionary(key, fc.array(text, { minLength: 1, maxLength: 2 }), { maxKeys: 3 }),
    })
    fc.assert(
      fc.property(as, ({ user, groups, extra }) => {
        const fields = impersonationFields({ user, groups, uid: undefined, extra })
        for (const field of fields) assert.match(field, /^[\x20-\x7e\x80-\xff]+$/)
        assert.deepEqual(
          { ...(impersonationIn(fields) as Impersonated), extra: undefined },
          { user, groups, uid: undefined, extra: undefined },
        )
        assert.deepEqual({ ...(impersonationIn(fields) as Impersonated).extra }, { ...extra })
      }),
    )
  })

  test('never throws', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string(), fc.string())),
        (pairs) => void impersonationIn(pairs.flatMap(([a, b]) => [`Impersonate-${a}`, b])),
      ),
    ))
})
