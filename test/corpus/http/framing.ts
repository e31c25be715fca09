/** Attacks 40 to 46 on framing: two readings of where one request ends and the next begins. */
import { CLOSED, HOST, READER, refusedForGood, request, type Expectation, type Row } from './row.ts'

/** What an attacker hides: another request, with rights of its own if ever it is taken for one. */
const HIDDEN = `GET /orders/hidden HTTP/1.1\r\n${HOST}\r\n${READER}\r\n\r\n`
const post = (fields: readonly string[], body: string, line = 'POST /orders/1 HTTP/1.1'): string =>
  request(line, [HOST, READER, ...fields], body)

const CHUNKED = 'Transfer-Encoding: chunked'
const HELLO = '5\r\nhello\r\n0\r\n\r\n'
const bad = refusedForGood(400, 501)

const both: readonly Row[] = [
  {
    id: 40,
    name: 'Content-Length and chunked',
    send: post(['Content-Length: 5', CHUNKED], HELLO),
    expect: bad,
    why: 'RFC 9112 section 6.3',
  },
  {
    id: 40,
    name: 'chunked and Content-Length',
    send: post([CHUNKED, 'Content-Length: 5'], HELLO),
    expect: bad,
    why: 'RFC 9112 section 6.3',
  },
  {
    id: 40,
    name: 'CL.TE with a hidden request',
    send: post([`Content-Length: ${HIDDEN.length + 5}`, CHUNKED], `0\r\n\r\n${HIDDEN}`),
    expect: bad,
    why: 'one hop reads the length, the other the chunks',
  },
  {
    id: 40,
    name: 'TE.CL with a hidden request',
    send: post(['Content-Length: 4', CHUNKED], `${(HIDDEN.length + 7).toString(16)}\r\n${HIDDEN}x=1\r\n0\r\n\r\n`),
    expect: bad,
    why: 'one hop reads the chunks, the other the length',
  },
  {
    id: 40,
    name: 'Content-Length: 0 and chunked',
    send: post(['Content-Length: 0', CHUNKED], HELLO),
    expect: bad,
    why: 'the request that ends early leaves its body as the next',
  },
  {
    id: 40,
    name: 'the same on GET',
    send: post(['Content-Length: 5', CHUNKED], HELLO, 'GET /orders/1 HTTP/1.1'),
    expect: bad,
    why: 'methods without a body are framed alike',
  },
]

const ENCODINGS: readonly (readonly [line: string, why: string])[] = [
  ['Transfer-Encoding: xchunked', 'not chunked'],
  ['Transfer-Encoding: chunkedx', 'not chunked'],
  ['Transfer-Encoding: chunked, identity', 'chunked is not last'],
  ['Transfer-Encoding: identity, chunked', 'a coding that no longer exists'],
  ['Transfer-Encoding: identity', 'no framing at all'],
  ['Transfer-Encoding: gzip', 'no framing at all'],
  ['Transfer-Encoding: gzip, chunked', 'a coding that can not be looked into'],
  ['Transfer-Encoding: chunked, chunked', 'chunked twice'],
  ['Transfer-Encoding: chunked,', 'an empty member'],
  ['Transfer-Encoding: ,chunked', 'an empty member'],
  ['Transfer-Encoding:', 'empty'],
  ['Transfer-Encoding: "chunked"', 'quoted'],
  ['Transfer-Encoding: chunked;q=1', 'with a parameter'],
  ['Transfer-Encoding: chunk', 'cut'],
  ['Transfer-Encoding: \x0bchunked', 'a vertical tab'],
  ['Transfer-Encoding: chunked\x00', 'NUL'],
  ['Transfer-Encoding: \xa0chunked', 'a space that is none'],
  ['Transfer-Encoding : chunked', 'a space in front of the colon'],
  ['Transfer-Encoding\t: chunked', 'a tab in front of the colon'],
  [' Transfer-Encoding: chunked', 'a continuation of the header before'],
  ['X: 1\nTransfer-Encoding: chunked', 'a bare line feed in front'],
  ['X: 1\rTransfer-Encoding: chunked', 'a bare carriage return in front'],
  ['Transfer-Encoding:\r\n chunked', 'a folded line'],
  ['Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', 'twice, different'],
  ['Transfer-Encoding: identity\r\nTransfer-Encoding: chunked', 'twice, different'],
  ['Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', 'twice, equal'],
  ['Transfer-Encoding: chunked\r\ntransfer-encoding: x', 'twice, in other case'],
]

const encodings: readonly Row[] = ENCODINGS.flatMap(([line, why]): readonly Row[] => [
  { id: 41, name: JSON.stringify(line), send: post([line], HELLO), expect: bad, why },
  {
    id: 41,
    name: `${JSON.stringify(line)} and a length`,
    send: post([line, 'Content-Length: 15'], HELLO),
    expect: bad,
    why: `${why}; whoever overlooks it reads the length`,
  },
])

const LENGTHS: readonly (readonly [line: string, why: string])[] = [
  ['Content-Length: +5', 'a sign'],
  ['Content-Length: -5', 'a sign'],
  ['Content-Length: -0', 'a sign'],
  ['Content-Length: 5,5', 'a list'],
  ['Content-Length: 5, 5', 'a list'],
  ['Content-Length: 5,6', 'a list, different'],
  ['Content-Length: 0x5', 'hexadecimal'],
  ['Content-Length: 5e0', 'an exponent'],
  ['Content-Length: 5.0', 'a fraction'],
  ['Content-Length: 5 5', 'two numbers'],
  ['Content-Length: 5;', 'something behind'],
  ['Content-Length: "5"', 'quoted'],
  ['Content-Length: five', 'no number'],
  ['Content-Length:', 'empty'],
  ['Content-Length: \x0b5', 'a vertical tab'],
  ['Content-Length: 5\x00', 'NUL'],
  ['Content-Length: \xb2', 'a digit that is none'],
  ['Content-Length : 5', 'a space in front of the colon'],
  ['Content-Length: 99999999999999999999', 'more than 64 bits'],
  ['Content-Length: 18446744073709551621', '5 once it has overflowed 64 bits'],
  ['Content-Length: 9007199254740993', 'more than a double can tell apart'],
  ['Content-Length: 5\r\nContent-Length: 6', 'twice, different'],
  ['Content-Length: 6\r\nContent-Length: 5', 'twice, different'],
  ['Content-Length: 5\r\nContent-Length: 5', 'twice, equal'],
  ['Content-Length: 5\r\ncontent-LENGTH: 0', 'twice, in other case'],
  ['Content-Length:\r\n 5', 'a folded line'],
]

const lengths: readonly Row[] = LENGTHS.map(([line, why]) => ({
  id: 42,
  name: JSON.stringify(line),
  send: post([line], 'hello'),
  expect: { ...refusedForGood(400, 413), closes: true },
  unfinished: true,
  why,
}))

/** Line ends that one reader takes for one and another for none. All are followed by two proper ones. */
const LINE_ENDS: readonly (readonly [id: number, bytes: string, why: string])[] = [
  [43, `GET /orders/1 HTTP/1.1\n${HOST}\n${READER}\n\n`, 'line feeds alone'],
  [43, `GET /orders/1 HTTP/1.1\n${HOST}\r\n${READER}\r\n\r\n`, 'a line feed behind the start line'],
  [43, `GET /orders/1 HTTP/1.1\r\n${HOST}\n${READER}\r\n\r\n`, 'a line feed between headers'],
  [43, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\n\r\n`, 'a line feed behind the last header'],
  [43, `GET /orders/1 HTTP/1.1\r${HOST}\r${READER}\r\r`, 'carriage returns alone'],
  [43, `GET /orders/1 HTTP/1.1\r\n${HOST}\r${READER}\r\n\r\n`, 'a carriage return between headers'],
  [43, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\n\rX: 1\r\n\r\n`, 'a carriage return in front of a header'],
  [43, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX: a\rb\r\n\r\n`, 'a carriage return in a value'],
  [43, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX: a\nX-Forwarded-User: admin\r\n\r\n`, 'a line feed in a value'],
  [43, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX: a\0b\r\n\r\n`, 'NUL in a value'],
  [43, `GET /orders/1 HTTP/1.1\r\r\n${HOST}\r\n${READER}\r\n\r\n`, 'two carriage returns'],
  [44, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX: a\r\n b\r\n\r\n`, 'a folded value'],
  [44, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX: a\r\n\tb\r\n\r\n`, 'a folded value, by a tab'],
  [44, `GET /orders/1 HTTP/1.1\r\nHost: orders\r\n .localhost\r\n${READER}\r\n\r\n`, 'a folded host'],
  [44, `GET /orders/1 HTTP/1.1\r\n ${HOST}\r\n${HOST}\r\n${READER}\r\n\r\n`, 'a space in front of the first header'],
  [46, `GET /orders/1 HTTP/1.1\r\nHost : orders.localhost\r\n${READER}\r\n\r\n`, 'a space in front of the colon'],
  [46, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX-A : 1\r\n\r\n`, 'a space in front of the colon'],
  [46, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\n: 1\r\n\r\n`, 'an empty name'],
  [46, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX A: 1\r\n\r\n`, 'a space in a name'],
  [46, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX-A\x00: 1\r\n\r\n`, 'NUL in a name'],
  [46, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX-\xe9: 1\r\n\r\n`, 'a byte above ASCII in a name'],
  [46, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX(A): 1\r\n\r\n`, 'parentheses in a name'],
  [46, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX-A\r\n\r\n`, 'a header without a colon'],
  [46, `GET /orders/1 HTTP/1.1\r\n${HOST}\r\n${READER}\r\nX-A: \x01\r\n\r\n`, 'a control character in a value'],
]

const lineEnds: readonly Row[] = LINE_ENDS.map(([id, bytes, why]) => ({
  id,
  name: `${why}: ${JSON.stringify(bytes.slice(0, 60))}`,
  send: `${bytes}\r\n\r\n`,
  expect: refusedForGood(400),
  methods: ['GET'],
  why,
}))

/** A head that is fine and a body that is not: an answer may have begun before it shows. */
const badBody: Expectation = {
  answers: [[400, 413, 502, CLOSED]],
  closes: true,
  // What had already been forwarded is never a whole request.
  upstream: 'none',
}

const CHUNKS: readonly (readonly [id: number, body: string, why: string])[] = [
  [45, '5\nhello\r\n0\r\n\r\n', 'a line feed behind the size'],
  [45, '5\r\nhello\n0\r\n\r\n', 'a line feed behind the data'],
  [45, '5\r\nhelloX\r\n0\r\n\r\n', 'more data than said'],
  [45, '5\r\nhell\r\n0\r\n\r\n', 'less data than said'],
  [45, '5;a\nb\r\nhello\r\n0\r\n\r\n', 'a line feed in an extension'],
  [45, '5;a\rb\r\nhello\r\n0\r\n\r\n', 'a carriage return in an extension'],
  [45, `5;${'a'.repeat(40_000)}\r\nhello\r\n0\r\n\r\n`, 'an extension of 40 KB'],
  [45, '0x5\r\nhello\r\n0\r\n\r\n', 'hexadecimal with a prefix'],
  [45, '+5\r\nhello\r\n0\r\n\r\n', 'a sign'],
  [45, '-5\r\nhello\r\n0\r\n\r\n', 'a sign'],
  [45, ' 5\r\nhello\r\n0\r\n\r\n', 'a space in front'],
  [45, '5 5\r\nhello\r\n0\r\n\r\n', 'two numbers'],
  [45, 'g\r\nhello\r\n0\r\n\r\n', 'no digit'],
  [45, '\r\nhello\r\n0\r\n\r\n', 'no size'],
  [45, '5,5\r\nhello\r\n0\r\n\r\n', 'a list'],
  [45, 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n', 'more than 64 bits'],
  [45, '10000000000000005\r\nhello\r\n0\r\n\r\n', '5 once it has overflowed 64 bits'],
  [45, `5\r\nhello\r\n0\r\nX: 1\n\r\n\r\n`, 'a line feed in the trailers'],
  [45, `5\r\nhello\r\n0\r\nX : 1\r\n\r\n`, 'a space in front of the colon in the trailers'],
  [45, `5\r\nhello\r\n0\r\n X: 1\r\n\r\n`, 'a folded trailer'],
  [45, `5\r\nhello\r\n0\r\nX\r\n\r\n`, 'a trailer without a colon'],
  [106, `5\r\nhello\r\n0\r\nX: ${'a'.repeat(131_072)}\r\n\r\n`, 'a trailer of 128 KiB'],
]

const chunks: readonly Row[] = CHUNKS.map(([id, body, why]) => ({
  id,
  name: `chunked: ${why}`,
  send: post([CHUNKED], body),
  expect: badBody,
  unfinished: true,
  why,
}))

export const framingRows: readonly Row[] = [...both, ...encodings, ...lengths, ...lineEnds, ...chunks]
