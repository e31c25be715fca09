import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCookies, setCookieName, splitCookies } from './cookies.ts'
import { presented } from './credential.ts'

const owns = (name: string): boolean => name === '__Host-ostiary'

test('our cookies are taken out, the others stay as they are', () => {
  assert.deepEqual(splitCookies('a=1; __Host-ostiary=secret; b="x y"', owns), {
    rest: 'a=1; b="x y"',
    own: [{ name: '__Host-ostiary', value: 'secret' }],
  })
  assert.deepEqual(splitCookies('__Host-ostiary=secret', owns).rest, undefined)
  assert.deepEqual(splitCookies('a=1;b; =c', owns), { rest: 'a=1;b; =c', own: [] })
  assert.deepEqual(splitCookies(undefined, owns), { rest: undefined, own: [] })
})

test('nothing is decoded, unquoted or trimmed beyond spaces and tabs', () => {
  assert.deepEqual(parseCookies(' a = 1 ;\t%5F%5FHost-ostiary=x; \u00a0__Host-ostiary=y; __host-ostiary=z;;'), [
    { name: 'a ', value: ' 1' },
    { name: '%5F%5FHost-ostiary', value: 'x' },
    { name: '\u00a0__Host-ostiary', value: 'y' },
    { name: '__host-ostiary', value: 'z' },
  ])
})

for (const [value, name] of [
  ['__Host-ostiary=x; Path=/', '__Host-ostiary'],
  [' __Host-ostiary =x', '__Host-ostiary'],
  ['\u00a0__Host-ostiary\u2003=x', '__Host-ostiary'],
  ['=__Host-ostiary=x', '__Host-ostiary'],
  ['__Host-ostiary', '__Host-ostiary'],
  ['a=__Host-ostiary', 'a'],
] as const)
  test(`Set-Cookie ${JSON.stringify(value)} sets ${name}`, () => assert.equal(setCookieName(value), name))

test('one credential, and what is none', () => {
  const cookie = { name: 's', value: 'handle' }
  const url = () => 'https://orders.example/orders'
  const kinds = (authorization: readonly string[], cookies = [] as (typeof cookie)[], dpop: readonly string[] = []): string => {
    const { credential, clearSession } = presented({ authorization, dpop, method: 'GET' }, url, cookies, 's')
    const kind = credential === undefined ? 'none' : credential.kind === 'unusable' ? credential.reason : credential.kind
    return clearSession ? `${kind}, cleared` : kind
  }
  assert.equal(kinds([]), 'none')
  assert.equal(kinds(['Bearer abc.def']), 'bearer')
  assert.equal(kinds(['bEARER   abc==']), 'bearer')
  assert.equal(kinds([], [cookie]), 'session')
  assert.equal(kinds([], [cookie, cookie]), 'none, cleared')
  assert.equal(kinds(['Bearer a'], [cookie]), 'ambiguous')
  assert.equal(kinds(['Bearer a', 'Bearer a']), 'ambiguous')
  for (const bad of [
    'Bearer',
    'Bearer ',
    'Bearer\ta',
    'Bearer a b',
    'Bearer a,b',
    'Bearer "a"',
    'Basic abc',
    'abc',
    '',
    'Bearer =a',
    ' Bearer a',
  ])
    assert.equal(kinds([bad]), 'malformed', bad)
  assert.equal(kinds(['DPoP abc.def'], [], ['proof']), 'dpop')
  assert.equal(kinds(['dpop abc.def'], [], ['proof']), 'dpop')
  assert.equal(kinds(['DPoP abc.def']), 'unproven')
  assert.equal(kinds(['DPoP abc.def'], [], ['proof', 'proof']), 'ambiguous')
  assert.equal(kinds(['DPoP a'], [cookie], ['proof']), 'ambiguous')
  assert.equal(kinds(['Bearer a'], [], ['proof']), 'bearer')
  const none = presented({ authorization: [], dpop: ['proof'], method: 'GET' }, url, [cookie], undefined)
  assert.equal(none.credential, undefined, 'without sign-in a cookie is none of ours')
})
