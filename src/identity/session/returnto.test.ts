import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { safePath } from './attempt.ts'

/** Any octets, as a door hands them in: one character each. */
const octets = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })

const ORIGIN = 'https://orders.example'

/** What open redirects were made of elsewhere: slashes and backslashes, white space, encodings, user info, schemes, look-alikes. */
const HOSTILE = [
  '',
  ' ',
  '//evil.example',
  '///evil.example',
  '////evil.example',
  '/\\evil.example',
  '/\\/evil.example',
  '\\evil.example',
  '\\\\evil.example',
  '\\/evil.example',
  '/\\\\evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  '/\r/evil.example',
  '/\r\n/evil.example',
  '\t//evil.example',
  '\n//evil.example',
  ' //evil.example',
  '/ /evil.example',
  '/\u0000/evil.example',
  '/\u000b/evil.example',
  '/\u00a0/evil.example',
  '/\u2003/evil.example',
  '/\u3000/evil.example',
  '/\ufeff/evil.example',
  '/\u2215/evil.example',
  '/\uff0fevil.example',
  '/\uff0f\uff0fevil.example',
  '/\uff3cevil.example',
  '/.//evil.example',
  '/..//evil.example',
  '/./\\evil.example',
  '/../\\evil.example',
  '/a/..//evil.example',
  '/%2e%2e//evil.example',
  '/%2e//evil.example',
  'evil.example',
  'evil.example/',
  'https://evil.example',
  'https:evil.example',
  'https:/evil.example',
  'https:\\\\evil.example',
  'http://orders.example/',
  'https://orders.example.evil.example/',
  'https://orders.example@evil.example/',
  'https://evil.example#orders.example',
  'HTTPS://EVIL.EXAMPLE',
  'javascript:alert(1)',
  'java\tscript:alert(1)',
  'JaVaScRiPt:alert(1)//',
  'data:text/html,x',
  'vbscript:x',
  '@evil.example',
  '.evil.example',
  ':443@evil.example',
  '?//evil.example',
  '#//evil.example',
  '/path#//evil.example',
  '/path\r\nLocation: https://evil.example',
  '/path\r\nSet-Cookie: a=b',
  '/.ostiary/callback/idp?code=x&state=y',
  '/.ostiary/sign-out',
  '/.ostiary',
  `/${'a'.repeat(10_000)}`,
] as const

/** Where these lead is our own origin in every browser, so they may stay. */
const HARMLESS = [
  '/',
  '/list',
  '/list?page=2&sort=-date',
  '/a/b.c/~d/-_!$&()*+,;=:@',
  '/%09//evil.example',
  '/%5cevil.example',
  '/%2f%2fevil.example',
  '/a//evil.example',
  '/@evil.example',
  '/https://evil.example',
  '/?next=//evil.example',
  '/?next=https://evil.example/%5c',
  '/.ostiaryx',
] as const

/** What a browser makes of it, as WHATWG's URL does. */
const leadsTo = (path: string): string => new URL(path, `${ORIGIN}/.ostiary/callback/idp`).origin

describe('the path to return to', () => {
  test('is the front page in place of anything hostile', () => {
    for (const text of HOSTILE) assert.equal(safePath(text, ORIGIN), '/', JSON.stringify(text))
  })

  test('is kept as it is where it leads to our own origin', () => {
    for (const text of HARMLESS) {
      assert.equal(safePath(text, ORIGIN), text)
      assert.equal(leadsTo(text), ORIGIN)
    }
  })

  test('leads nowhere else, whatever it is made of', () => {
    const piece = fc.constantFrom(
      '/',
      '\\',
      '.',
      '..',
      '\t',
      '\n',
      ' ',
      '%2f',
      '%5c',
      '%09',
      '@',
      ':',
      '?',
      '#',
      'https:',
      'evil.example',
      '\u3000',
      'a',
    )
    const text = fc.oneof(
      fc.array(piece).map((pieces) => pieces.join('')),
      fc.string(),
      octets,
    )
    fc.assert(
      fc.property(text, (one) => {
        const path = safePath(one, ORIGIN)
        assert.match(path, /^\/(?![/\\])[\x21-\x7e]*$/)
        assert.ok(!path.includes('\\'))
        assert.equal(leadsTo(path), ORIGIN)
        assert.equal(new URL(ORIGIN + path).origin, ORIGIN)
        assert.ok(path === one || path === '/')
      }),
      { numRuns: 500 },
    )
  })
})
