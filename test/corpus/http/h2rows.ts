/** Attacks over HTTP/2: what the downgrade to HTTP/1.1 would turn into another request (47), and floods (103, 104). */
import assert from 'node:assert/strict'
import { ambiguousTargets, plainTargets } from './targets.ts'
import { reservedNames } from './fields.ts'
import { block, FLAG, frame, FRAME, type Field } from './h2.ts'
import { fold, valuesOf, type Seen } from './recorder.ts'
import type { Upstream } from './row.ts'

/** In place of a status: the stream was reset, or the connection ended. */
export const RESET = 0

export interface H2Row {
  readonly id: number
  readonly name: string
  /** Frames, or the fields of a request on stream 1. `{reader}` and `{admin}` are replaced in fields. */
  readonly fields?: readonly Field[]
  readonly body?: string
  /** Trailers after the body. */
  readonly trailers?: readonly Field[]
  readonly frames?: readonly Buffer[]
  /** What stream 1 may be answered with. */
  readonly answers: readonly number[]
  readonly upstream: Upstream
  readonly why: string
}

const NAME = 'orders.localhost'
const base = (path: string, method = 'GET'): readonly Field[] => [
  [':method', method],
  [':scheme', 'https'],
  [':authority', NAME],
  [':path', path],
]
const TOKEN: Field = ['authorization', 'Bearer {reader}']
const get = (...more: readonly Field[]): readonly Field[] => [...base('/orders/1'), TOKEN, ...more]
const post = (...more: readonly Field[]): readonly Field[] => [...base('/orders/1', 'POST'), TOKEN, ...more]
const malformed = { answers: [RESET, 400], upstream: 'none' } as const

const once = (check: (seen: Seen) => void) => (seen: readonly Seen[]) => {
  assert.equal(seen.length, 1)
  check(seen[0]!)
}

const MALFORMED: readonly (readonly [id: number, name: string, fields: readonly Field[], why: string])[] = [
  [47, 'transfer-encoding', post(['transfer-encoding', 'chunked']), 'the body would be framed twice after the downgrade'],
  [47, 'connection', get(['connection', 'keep-alive']), 'RFC 9113 section 8.2.2'],
  [47, 'proxy-connection', get(['proxy-connection', 'keep-alive']), 'RFC 9113 section 8.2.2'],
  [47, 'keep-alive', get(['keep-alive', 'timeout=5']), 'RFC 9113 section 8.2.2'],
  [47, 'upgrade', get(['upgrade', 'h2c']), 'RFC 9113 section 8.2.2'],
  [47, 'te: gzip', get(['te', 'gzip']), 'RFC 9113 section 8.2.2: nothing but trailers'],
  [47, 'CRLF in a value', get(['x-a', 'b\r\nx-forwarded-user: admin']), 'a new header after the downgrade'],
  [
    47,
    'CRLF CRLF in a value',
    get(['x-a', 'b\r\n\r\nGET /admin/x HTTP/1.1\r\nHost: orders.localhost\r\n\r\n']),
    'a new request after the downgrade',
  ],
  [47, 'a line feed in a value', get(['x-a', 'b\nx-forwarded-user: admin']), 'a new header after the downgrade'],
  [47, 'a carriage return in a value', get(['x-a', 'b\rc']), 'a new header after the downgrade, to some'],
  [47, 'NUL in a value', get(['x-a', 'b\0c']), 'RFC 9113 section 8.2.1'],
  [47, 'CRLF in a name', get(['x-a: b\r\nx-b', 'c']), 'a new header after the downgrade'],
  [47, 'a colon in a name', get(['x-a: b', 'c']), 'another header after the downgrade'],
  [47, 'a space in a name', get(['x a', 'c']), 'no token'],
  [47, 'an empty name', get(['', 'c']), 'no token'],
  [47, 'an upper-case name', get(['X-A', 'c']), 'RFC 9113 section 8.2.1'],
  [47, 'a byte above ASCII in a name', get(['x-\xe9', 'c']), 'no token'],
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

const bodies: readonly H2Row[] = [
  {
    id: 47,
    name: 'a body with its length',
    fields: post(['content-length', '5']),
    body: 'hello',
    answers: [200],
    upstream: once((seen) => assert.equal(seen.body, 'hello')),
    why: 'the way it should be',
  },
  {
    id: 47,
    name: 'a body without a length',
    fields: post(),
    body: 'hello',
    answers: [200],
    upstream: once((seen) => assert.equal(seen.body, 'hello')),
    why: 'the way it should be',
  },
  {
    id: 47,
    name: 'less than content-length',
    fields: post(['content-length', '50']),
    body: 'hello',
    answers: [RESET, 400, 502],
    upstream: 'none',
    why: 'the next request would be its body',
  },
  {
    id: 47,
    name: 'more than content-length',
    fields: post(['content-length', '1']),
    body: `hGET /admin/x HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`,
    answers: [RESET, 400, 502],
    upstream: (seen) => assert.ok(!seen.some(({ target }) => target.startsWith('/admin'))),
    why: 'the rest would be the next request',
  },
  {
    id: 47,
    name: 'content-length: 0 and a body',
    fields: post(['content-length', '0']),
    body: 'hello',
    answers: [RESET, 400, 502, 200],
    upstream: (seen) => seen.forEach(({ body }) => assert.equal(body, '')),
    why: 'the body would be the next request',
  },
  {
    id: 47,
    name: 'content-length: 5 and no body',
    fields: post(['content-length', '5']),
    answers: [RESET, 400, 502],
    upstream: 'none',
    why: 'the next request would be its body',
  },
  {
    id: 47,
    name: 'a request hidden in the body of GET',
    fields: get(),
    body: `GET /admin/x HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`,
    answers: [200, 400, RESET],
    upstream: (seen) => assert.ok(!seen.some(({ target }) => target.startsWith('/admin'))),
    why: 'a body stays a body',
  },
  {
    id: 47,
    name: 'te: trailers',
    fields: get(['te', 'trailers']),
    answers: [200],
    upstream: once(() => undefined),
    why: 'RFC 9113 section 8.2.2 allows it',
  },
  {
    id: 47,
    name: 'cookies in crumbs',
    fields: get(['cookie', 'a=1'], ['cookie', 'b=2']),
    answers: [200],
    upstream: once((seen) => assert.equal(valuesOf(seen, 'cookie').join('|'), 'a=1; b=2')),
    why: 'RFC 9113 section 8.2.3: joined before they are handed on',
  },
  ...['x-forwarded-user', 'x_forwarded_user', 'authorization', 'host', 'content-length', 'transfer-encoding'].map((name): H2Row => ({
    id: 33,
    name: `${name} as a trailer`,
    fields: post(),
    body: 'hello',
    trailers: [[name, 'spoofed-by-the-caller']],
    answers: [RESET, 200, 400, 502],
    upstream: (seen) => seen.forEach(({ raw }) => assert.ok(!raw.includes('spoofed-by-the-caller'))),
    why: 'a reserved name is reserved at the end of a body too',
  })),
  {
    id: 33,
    name: ':path as a trailer',
    fields: post(),
    body: 'hello',
    trailers: [[':path', '/admin/x']],
    answers: [RESET, 400, 502],
    upstream: (seen) => assert.ok(!seen.some(({ target }) => target.startsWith('/admin'))),
    why: 'RFC 9113 section 8.1',
  },
]

const tunnels: readonly H2Row[] = [
  {
    id: 16,
    name: 'CONNECT',
    fields: [[':method', 'CONNECT'], [':authority', `${NAME}:443`], TOKEN],
    answers: [RESET, 400, 403, 405, 501],
    upstream: 'none',
    why: 'a tunnel would be past the policy',
  },
  {
    id: 48,
    name: 'extended CONNECT for a websocket on a route without',
    fields: [...base('/orders/1', 'CONNECT'), [':protocol', 'websocket'], TOKEN],
    answers: [RESET, 400, 403, 426, 501],
    upstream: 'none',
    why: 'a tunnel only where the route allows one',
  },
  {
    id: 48,
    name: 'extended CONNECT for something else',
    fields: [...base('/orders/1', 'CONNECT'), [':protocol', 'connect-tcp'], TOKEN],
    answers: [RESET, 400, 403, 405, 426, 501],
    upstream: 'none',
    why: 'a tunnel would be past the policy',
  },
  {
    id: 48,
    name: ':protocol on GET',
    fields: [...base('/orders/1'), [':protocol', 'websocket'], TOKEN],
    answers: [RESET, 400],
    upstream: 'none',
    why: 'RFC 8441 section 4',
  },
]

const spoofs: readonly H2Row[] = [
  ...reservedNames.filter((name) => !/^(te|proxy-)/i.test(name)),
  'x_forwarded_user',
  'x.forwarded.user',
  'transfer_encoding',
].map((name) => ({
  id: 19,
  name: `${name.toLowerCase()} spoofed`,
  fields: get([name.toLowerCase(), 'spoofed-by-the-caller']),
  answers: [RESET, 200, 400],
  upstream: (seen: readonly Seen[]) => seen.forEach((one) => assert.ok(!one.raw.includes('spoofed-by-the-caller'), fold(name))),
  why: 'an upstream that trusts this name would believe the caller',
}))

const SETTINGS_UNACKED = frame(FRAME.SETTINGS, 0, 0)
const floods: readonly H2Row[] = [
  {
    id: 104,
    name: 'CONTINUATION without an end',
    frames: [
      frame(FRAME.HEADERS, FLAG.END_STREAM, 1, block(base('/orders/1'))),
      ...Array.from({ length: 100 }, (_, i) => frame(FRAME.CONTINUATION, 0, 1, block([[`x-${i}`, 'a'.repeat(8000)]]))),
    ],
    answers: [RESET, 400, 431],
    upstream: 'none',
    why: 'a list of headers is bounded while it is read, not only once it is whole',
  },
  {
    id: 104,
    name: '1,000 crumbs of a cookie',
    frames: [
      frame(
        FRAME.HEADERS,
        FLAG.END_STREAM | FLAG.END_HEADERS,
        1,
        Buffer.concat([block(base('/public/1')), block(Array.from({ length: 1000 }, (): Field => ['cookie', 'a=1']))]),
      ),
    ],
    answers: [RESET, 400, 431],
    upstream: 'none',
    why: 'crumbs count like any header',
  },
  {
    id: 104,
    name: 'HEADERS on stream 0',
    frames: [frame(FRAME.HEADERS, FLAG.END_STREAM | FLAG.END_HEADERS, 0, block(base('/public/1')))],
    answers: [RESET],
    upstream: 'none',
    why: 'RFC 9113 section 6.2',
  },
  {
    id: 104,
    name: 'HEADERS on an even stream',
    frames: [frame(FRAME.HEADERS, FLAG.END_STREAM | FLAG.END_HEADERS, 2, block(base('/public/1')))],
    answers: [RESET],
    upstream: 'none',
    why: 'RFC 9113 section 5.1.1',
  },
  {
    id: 104,
    name: 'DATA on an idle stream',
    frames: [frame(FRAME.DATA, FLAG.END_STREAM, 1, Buffer.from('x'))],
    answers: [RESET],
    upstream: 'none',
    why: 'RFC 9113 section 5.1',
  },
  {
    id: 104,
    name: 'a frame of 64 KiB',
    frames: [
      frame(
        FRAME.HEADERS,
        FLAG.END_STREAM | FLAG.END_HEADERS,
        1,
        Buffer.concat([block(base('/public/1')), block([['x-a', 'a'.repeat(65_000)]])]),
      ),
    ],
    answers: [RESET],
    upstream: 'none',
    why: 'RFC 9113 section 4.2',
  },
  {
    id: 104,
    name: 'broken header compression',
    frames: [frame(FRAME.HEADERS, FLAG.END_STREAM | FLAG.END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))],
    answers: [RESET],
    upstream: 'none',
    why: 'RFC 7541 section 5.1',
  },
  {
    id: 103,
    name: 'a thousand SETTINGS are survived',
    frames: [
      ...Array.from({ length: 1000 }, () => SETTINGS_UNACKED),
      frame(FRAME.HEADERS, FLAG.END_STREAM | FLAG.END_HEADERS, 1, block(base('/public/1'))),
    ],
    answers: [RESET, 200],
    upstream: () => undefined,
    why: 'they end the connection or are answered, and nothing else',
  },
]

export const h2Rows: readonly H2Row[] = [...malformedRows, ...targetRows, ...authorities, ...bodies, ...tunnels, ...spoofs, ...floods]
