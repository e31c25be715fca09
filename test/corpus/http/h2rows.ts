/** Attacks over HTTP/2 on the head of a request (11 to 13, 21, 42, 47): what the downgrade to HTTP/1.1 would turn into another one. */
import assert from 'node:assert/strict'
import type { Field } from './h2.ts'
import { base, get, NAME, once, post, RESET, TOKEN, type H2Row } from './h2row.ts'
import type { Seen } from './recorder.ts'
import { ambiguousTargets, plainTargets } from './targets.ts'

const malformed = { answers: [RESET, 400], upstream: 'none' } as const

const MALFORMED: readonly (readonly [id: number, name: string, fields: readonly Field[], why: string])[] = [
  [47, 'transfer-encoding', post(['transfer-encoding', 'chunked']), 'the body would be framed twice after the downgrade'],
  [47, 'connection', get(['connection', 'keep-alive']), 'RFC 9113 section 8.2.2'],
  [47, 'proxy-connection', get(['proxy-connection', 'keep-alive']), 'RFC 9113 section 8.2.2'],
  [47, 'keep-alive', get(['keep-alive', 'timeout=5']), 'RFC 9113 section 8.2.2'],
  [47, 'upgrade', get(['upgrade', 'h2c']), 'RFC 9113 section 8.2.2'],
  [47, 'te: gzip', get(['te', 'gzip']), 'RFC 9113 section 8.2.2: nothing but trailers'],
  [47, 'an upper-case name', get(['X-A', 'c']), 'RFC 9113 section 8.2.1'],
  [47, 'a space in :path', [...base('/orders/1 HTTP/1.1\r\nX: y'), TOKEN], 'another start line after the downgrade'],
  [47, 'a space and a second target in :path', [...base('/orders/1 /admin/x'), TOKEN], 'another start line after the downgrade'],
  [47, 'CRLF in :path', [...base('/orders/1\r\nx-forwarded-user: admin'), TOKEN], 'a new header after the downgrade'],
  [47, 'a tab in :path', [...base('/orders/\t1'), TOKEN], 'no target'],
  [47, 'an empty :path', [...base(''), TOKEN], 'RFC 9113 section 8.3.1'],
  [47, ':path without a slash', [...base('orders/1'), TOKEN], 'RFC 9113 section 8.3.1'],
  [47, ':path in absolute form', [...base('http://billing.localhost/orders/1'), TOKEN], 'RFC 9113 section 8.3.1'],
  [47, ':path * for GET', [...base('*'), TOKEN], 'RFC 9113 section 8.3.1'],
  [47, 'a space in :method', [...base('/orders/1', 'GET /admin/x HTTP/1.1\r\nX:'), TOKEN], 'another start line after the downgrade'],
  [47, 'CRLF in :method', [...base('/orders/1', 'GET\r\n'), TOKEN], 'another start line after the downgrade'],
  [47, 'an empty :method', [...base('/orders/1', ''), TOKEN], 'no token'],
  [47, 'two :path', [...base('/orders/1'), [':path', '/admin/x'], TOKEN], 'RFC 9113 section 8.3'],
  [47, 'two :method', [...base('/orders/1'), [':method', 'POST'], TOKEN], 'RFC 9113 section 8.3'],
  [47, 'two :authority', [...base('/orders/1'), [':authority', 'billing.localhost'], TOKEN], 'RFC 9113 section 8.3'],
  [
    47,
    ':path behind a header',
    [[':method', 'GET'], [':scheme', 'https'], [':authority', NAME], TOKEN, [':path', '/orders/1']],
    'RFC 9113 section 8.3',
  ],
  [47, 'an unknown pseudo-header', [...base('/orders/1'), [':foo', 'x'], TOKEN], 'RFC 9113 section 8.3'],
  [47, ':status in a request', [...base('/orders/1'), [':status', '200'], TOKEN], 'RFC 9113 section 8.3'],
  [47, 'no :method', [[':scheme', 'https'], [':authority', NAME], [':path', '/orders/1'], TOKEN], 'RFC 9113 section 8.3.1'],
  [47, 'no :path', [[':method', 'GET'], [':scheme', 'https'], [':authority', NAME], TOKEN], 'RFC 9113 section 8.3.1'],
  [47, 'no :scheme', [[':method', 'GET'], [':authority', NAME], [':path', '/orders/1'], TOKEN], 'RFC 9113 section 8.3.1'],
  [
    13,
    'no authority and no host',
    [[':method', 'GET'], [':scheme', 'https'], [':path', '/orders/1'], TOKEN],
    'without a host there is no resource',
  ],
  [
    13,
    'another host than :authority',
    get(['host', 'billing.localhost']),
    'RFC 9113 section 8.3.1: they say the same or the request is malformed',
  ],
  [13, 'an empty host beside :authority', get(['host', '']), 'they say the same or the request is malformed'],
  [13, 'two hosts', get(['host', NAME], ['host', 'billing.localhost']), 'a host is one'],
  [21, 'two authorizations', get(['authorization', 'Bearer {admin}']), 'two credentials'],
  [21, 'two content-types', get(['content-type', 'text/plain'], ['content-type', 'text/html']), 'one reads the first, the other the last'],
  [42, 'two content-lengths', post(['content-length', '5'], ['content-length', '6']), 'RFC 9113 section 8.1.1'],
  [42, 'content-length: +5', post(['content-length', '+5']), 'a sign'],
  [42, 'content-length: 5,5', post(['content-length', '5,5']), 'a list'],
]

/**
 * Fields that no library may hand on. nghttp2 drops them before anybody can see that they were there, in place of the
 * stream error of RFC 9113 section 8.2.1: then nothing of them may arrive.
 */
const UNPRINTABLE: readonly (readonly [name: string, field: Field, why: string])[] = [
  ['CRLF in a value', ['x-a', 'spoofed\r\nx-forwarded-user: admin'], 'a new header after the downgrade'],
  ['CRLF CRLF in a value', ['x-a', `spoofed\r\n\r\nGET /admin/x HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`], 'a new request after the downgrade'],
  ['a line feed in a value', ['x-a', 'spoofed\nx-forwarded-user: admin'], 'a new header after the downgrade'],
  ['a carriage return in a value', ['x-a', 'spoofed\rc'], 'a new header after the downgrade, to some'],
  ['NUL in a value', ['x-a', 'spoofed\0c'], 'RFC 9113 section 8.2.1'],
  ['CRLF in a name', ['x-a: spoofed\r\nx-b', 'spoofed'], 'a new header after the downgrade'],
  ['a colon in a name', ['x-a: spoofed', 'spoofed'], 'another header after the downgrade'],
  ['a space in a name', ['x spoofed', 'spoofed'], 'no token'],
  ['an empty name', ['', 'spoofed'], 'no token'],
  ['a byte above ASCII in a name', ['x-spoofed-\xe9', 'spoofed'], 'no token'],
]

const unprintable: readonly H2Row[] = UNPRINTABLE.map(([name, field, why]) => ({
  id: 47,
  name,
  fields: get(field),
  answers: [RESET, 200, 400],
  upstream: (seen: readonly Seen[]) => {
    assert.ok(seen.length <= 1)
    for (const { raw } of seen) assert.ok(!raw.includes('spoofed') && !raw.includes('admin'), raw)
  },
  why,
}))

const malformedRows: readonly H2Row[] = MALFORMED.map(([id, name, fields, why]) => ({
  id,
  name,
  fields,
  body: fields.some(([key, value]) => key === ':method' && value === 'POST') ? 'hello' : undefined,
  ...malformed,
  ...(name.startsWith('two authorizations') ? { answers: [RESET, 400, 401] } : {}),
  why,
})) as readonly H2Row[]

const withPath = (path: string): readonly Field[] => [...base(path), TOKEN]

const targetRows: readonly H2Row[] = [
  ...ambiguousTargets.map(([id, target, why]): H2Row => ({
    id,
    name: `:path ${JSON.stringify(target)}`,
    fields: withPath(target),
    ...malformed,
    why,
  })),
  ...plainTargets.map(([id, target]): H2Row => ({
    id,
    name: `:path ${target} arrives as it was sent`,
    fields: withPath(target),
    answers: [200],
    upstream: once((seen) => assert.equal(seen.target, target)),
    why: 'what is decided is what is forwarded, byte for byte',
  })),
]

const authorities: readonly H2Row[] = [
  ...['unknown.test', 'orders.localhost.evil.test', 'evilorders.localhost'].map((authority): H2Row => ({
    id: 12,
    name: `:authority ${authority}`,
    fields: [[':method', 'GET'], [':scheme', 'https'], [':authority', authority], [':path', '/orders/1'], TOKEN],
    answers: [421],
    upstream: 'none',
    why: 'no resource is there',
  })),
  ...['a@orders.localhost', 'orders.localhost/x', 'orders.localhost:x', '', 'orders.localhost orders'].map((authority): H2Row => ({
    id: 11,
    name: `:authority ${JSON.stringify(authority)}`,
    fields: [[':method', 'GET'], [':scheme', 'https'], [':authority', authority], [':path', '/orders/1'], TOKEN],
    answers: [RESET, 400, 421],
    upstream: 'none',
    why: 'no authority',
  })),
  {
    id: 13,
    name: 'the host of another resource than the one the certificate was asked for',
    fields: [[':method', 'GET'], [':scheme', 'https'], [':authority', 'billing.localhost'], [':path', '/orders/1'], TOKEN],
    answers: [403, 421],
    upstream: 'none',
    why: 'each request is decided by its own authority, or sent to a connection of its own',
  },
  {
    id: 13,
    name: 'host alone',
    fields: [[':method', 'GET'], [':scheme', 'https'], [':path', '/orders/1'], ['host', NAME], TOKEN],
    answers: [RESET, 200, 400],
    upstream: (seen) => assert.ok(seen.length <= 1),
    why: 'RFC 9113 section 8.3.1 lets it stand in for :authority',
  },
  ...['http', 'ftp', ''].map((scheme): H2Row => ({
    id: 13,
    name: `:scheme ${JSON.stringify(scheme)} over TLS`,
    fields: [[':method', 'GET'], [':scheme', scheme], [':authority', NAME], [':path', '/orders/1'], TOKEN],
    answers: [RESET, 400, 421],
    upstream: 'none',
    why: 'the request came by https',
  })),
]

export const h2Rows: readonly H2Row[] = [...malformedRows, ...unprintable, ...targetRows, ...authorities]
