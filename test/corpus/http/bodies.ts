/** Framing as it should be (40 to 45), requests on one connection (51), and bodies that are refused or not waited for (50). */
import assert from 'node:assert/strict'
import { valuesOf } from './recorder.ts'
import { CLOSED, HOST, passes, passesOrRefused, READER, refusedForGood, request, type Row } from './row.ts'

/** What an attacker hides: another request, with rights of its own if ever it is taken for one. */
const HIDDEN = `GET /orders/hidden HTTP/1.1\r\n${HOST}\r\n${READER}\r\n\r\n`
const post = (fields: readonly string[], body: string, line = 'POST /orders/1 HTTP/1.1'): string =>
  request(line, [HOST, READER, ...fields], body)

const CHUNKED = 'Transfer-Encoding: chunked'
const HELLO = '5\r\nhello\r\n0\r\n\r\n'
const echoed = passes((seen) => assert.equal(seen.body, 'hello'))

const proper: readonly Row[] = [
  { id: 40, name: 'a body with its length', send: post(['Content-Length: 5'], 'hello'), expect: echoed, why: 'the way it should be' },
  { id: 40, name: 'a chunked body', send: post([CHUNKED], HELLO), expect: echoed, why: 'the way it should be' },
  {
    id: 41,
    name: 'Chunked in upper case',
    send: post(['Transfer-Encoding: CHUNKED'], HELLO),
    expect: echoed,
    why: 'RFC 9112 section 7: compared without case',
  },
  {
    id: 42,
    name: 'a length with leading zeros',
    send: post(['Content-Length: 0005'], 'hello'),
    expect: passesOrRefused((seen) => assert.equal(seen.body, 'hello')),
    why: 'digits it is',
  },
  {
    id: 45,
    name: 'a chunk extension is ignored',
    send: post([CHUNKED], '5;a="b"\r\nhello\r\n0\r\n\r\n'),
    expect: passesOrRefused((seen) => assert.equal(seen.body, 'hello')),
    why: 'RFC 9112 section 7.1.1',
  },
  {
    id: 45,
    name: 'trailers of no consequence',
    send: post([CHUNKED, 'Trailer: X-Checksum'], '5\r\nhello\r\n0\r\nX-Checksum: 1\r\n\r\n'),
    expect: passesOrRefused((seen) => assert.equal(seen.body, 'hello')),
    why: 'they are forwarded or dropped',
  },
  {
    id: 43,
    name: 'in pieces of 7 bytes',
    send: post(['Content-Length: 5'], 'hello'),
    pieces: 7,
    expect: echoed,
    why: 'TCP knows no messages',
  },
  { id: 43, name: 'byte by byte, chunked', send: post([CHUNKED], HELLO), pieces: 1, expect: echoed, why: 'TCP knows no messages' },
  {
    id: 43,
    name: 'an empty line in front',
    send: `\r\n${request('GET /orders/1 HTTP/1.1', [HOST, READER])}`,
    expect: passesOrRefused(() => undefined),
    methods: ['GET'],
    why: 'RFC 9112 section 2.2: a server should ignore it',
  },
  {
    id: 51,
    name: 'three requests at once are answered in order',
    send: [1, 2, 3].map((n) => request(`GET /orders/${n} HTTP/1.1`, [HOST, READER])).join(''),
    methods: ['GET', 'GET', 'GET'],
    expect: {
      answers: [[200], [200], [200]],
      upstream: (seen) => assert.equal(seen.map(({ target }) => target).join(), '/orders/1,/orders/2,/orders/3'),
      response: (responses) => assert.equal(responses.map(({ body }) => body).join(), 'GET /orders/1,GET /orders/2,GET /orders/3'),
    },
    why: 'RFC 9112 section 9.3.2',
  },
  {
    id: 51,
    name: 'a refused request between two others',
    send: ['/orders/1', '/admin/x', '/orders/2'].map((path) => request(`GET ${path} HTTP/1.1`, [HOST, READER])).join(''),
    methods: ['GET', 'GET', 'GET'],
    expect: {
      answers: [[200], [403], [200]],
      upstream: (seen) => assert.equal(seen.map(({ target }) => target).join(), '/orders/1,/orders/2'),
    },
    why: 'each request of a connection is decided for itself',
  },
  {
    id: 51,
    name: 'an anonymous request behind one with a token',
    send: request('GET /orders/1 HTTP/1.1', [HOST, READER]) + request('GET /orders/2 HTTP/1.1', [HOST]),
    methods: ['GET', 'GET'],
    expect: { answers: [[200], [401]], upstream: (seen) => assert.equal(seen.length, 1) },
    why: 'a connection has no identity',
  },
  {
    id: 43,
    name: 'HTTP/1.0 with keep-alive',
    send: request('GET /orders/1 HTTP/1.0', [HOST, READER, 'Connection: keep-alive']),
    expect: { answers: [[200, 400, 426, 505]], upstream: (seen) => assert.ok(seen.length < 2) },
    unfinished: true,
    why: 'old clients are served or refused, and never desynchronise',
  },
  {
    id: 41,
    name: 'HTTP/1.0 and chunked',
    send: post([CHUNKED], HELLO, 'POST /orders/1 HTTP/1.0'),
    expect: refusedForGood(400, 505),
    why: 'RFC 9112 section 6.1: HTTP/1.0 knows no chunks',
  },
  ...['HTTP/0.9', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/3.0', 'HTTP/9.9'].map((version): Row => ({
    id: 43,
    name: version,
    send: request(`GET /orders/1 ${version}`, [HOST, READER]),
    expect: {
      answers: version === 'HTTP/1.2' ? [[200, 400, 505]] : [[400, 505]],
      upstream: (seen) => assert.ok(version === 'HTTP/1.2' || seen.length === 0),
    },
    unfinished: true,
    why: 'a version that this connection does not speak',
  })),
  {
    id: 43,
    name: 'the preface of HTTP/2 on a plain connection',
    send: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
    expect: { answers: [[400, 505, CLOSED]], upstream: 'none', closes: true },
    methods: ['GET'],
    why: 'HTTP/2 is spoken over TLS only',
  },
  {
    id: 43,
    name: 'TLS on a plain port',
    send: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
    expect: { answers: [[400, CLOSED]], upstream: 'none', closes: true },
    methods: ['GET'],
    why: 'no HTTP',
  },
]

const bodies: readonly Row[] = [
  {
    id: 108,
    name: 'a body that says to be compressed arrives as it is',
    send: post(['Content-Encoding: gzip', 'Content-Length: 5'], 'hello'),
    expect: passes((seen) => {
      assert.equal(seen.body, 'hello')
      assert.equal(valuesOf(seen, 'content-encoding').join(), 'gzip')
    }),
    why: 'what is not unpacked can not explode',
  },
  {
    id: 50,
    name: 'GET with a length and a request in its body',
    send: request('GET /orders/1 HTTP/1.1', [HOST, READER, `Content-Length: ${HIDDEN.length}`], HIDDEN),
    expect: passesOrRefused((seen) => assert.equal(seen.body.includes('/orders/hidden'), true)),
    why: 'a body stays a body, whatever the method',
  },
  {
    id: 50,
    name: 'HEAD with a length and a request in its body',
    send: request('HEAD /orders/1 HTTP/1.1', [HOST, READER, `Content-Length: ${HIDDEN.length}`], HIDDEN),
    expect: passesOrRefused((seen) => assert.equal(seen.body.includes('/orders/hidden'), true)),
    why: 'a body stays a body, whatever the method',
  },
  {
    id: 50,
    name: 'refused early, with a request in the body',
    send: request('POST /orders/1 HTTP/1.1', [HOST, `Content-Length: ${HIDDEN.length}`], HIDDEN),
    expect: { answers: [[401]], upstream: 'none' },
    why: 'what was not read is not the next request',
  },
  {
    id: 50,
    name: 'denied early, with a request in a chunked body',
    send: request('POST /admin/x HTTP/1.1', [HOST, READER, CHUNKED], `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`),
    expect: { answers: [[403]], upstream: 'none' },
    why: 'what was not read is not the next request',
  },
  {
    id: 50,
    name: 'refused early, and the body never comes to its end',
    send: request('POST /orders/1 HTTP/1.1', [HOST, 'Content-Length: 1000000'], 'x'),
    expect: { answers: [[401]], upstream: 'none', closes: true },
    unfinished: true,
    why: 'the connection is closed rather than waited for',
  },
  {
    id: 50,
    name: 'Expect: 100-continue, then the body',
    send: [post(['Content-Length: 5', 'Expect: 100-continue'], ''), { until: 100 }, 'hello'],
    expect: echoed,
    why: 'RFC 9110 section 10.1.1',
  },
  {
    id: 50,
    name: 'Expect: 100-continue without waiting',
    send: post(['Content-Length: 5', 'Expect: 100-continue'], 'hello'),
    expect: echoed,
    why: 'a client need not wait',
  },
  {
    id: 50,
    name: 'Expect: 100-continue without a token',
    send: request('POST /orders/1 HTTP/1.1', [HOST, 'Content-Length: 5', 'Expect: 100-continue']),
    expect: {
      answers: [[401]],
      upstream: 'none',
      response: ([first]) => assert.deepEqual(first?.interim, [], 'asked for a body that is not wanted'),
    },
    unfinished: true,
    why: 'the refusal comes instead of the invitation',
  },
  {
    id: 50,
    name: 'Expect: something else',
    send: post(['Content-Length: 5', 'Expect: 200-ok'], 'hello'),
    expect: { answers: [[417, 400]], upstream: 'none' },
    unfinished: true,
    why: 'RFC 9110 section 10.1.1',
  },
]

export const bodyRows: readonly Row[] = [...proper, ...bodies]
