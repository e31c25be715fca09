/** Bodies, tunnels and spoofs over HTTP/2 (16, 19, 33, 47, 48), and floods of frames (103, 104). */
import assert from 'node:assert/strict'
import { reservedNames } from './fields.ts'
import { block, FLAG, frame, FRAME, type Field } from './h2.ts'
import { base, get, NAME, once, post, RESET, TOKEN, type H2Row } from './h2row.ts'
import { fold, valuesOf, type Seen } from './recorder.ts'

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

export const h2ExchangeRows: readonly H2Row[] = [...bodies, ...tunnels, ...spoofs, ...floods]
