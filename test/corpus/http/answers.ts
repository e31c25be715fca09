/** Attacks 32 and 51 from the other side: an upstream whose answers are ambiguous, or more than were asked for. */
import assert from 'node:assert/strict'
import { headerOf, type Response } from './client.ts'
import { CLOSED, HOST, READER, request, type Expectation, type Row } from './row.ts'
import { ok } from './recorder.ts'

const get = request('GET /orders/1 HTTP/1.1', [HOST, READER])
const reached = (): void => undefined

/** The answer is not to be had: a gateway's own, or a connection that visibly ends. */
const failed: Expectation = { answers: [[502, CLOSED]], upstream: reached }

/** The client sees this body, whole, and nothing else. */
function body(expected: string, ...statuses: readonly number[]): Expectation {
  return {
    answers: [statuses.length === 0 ? [200] : statuses],
    upstream: reached,
    response: ([first]) => void (first?.status === 200 && assert.equal(first.body, expected)),
  }
}

/** The client can tell that the answer is not whole. */
const cut: Expectation = {
  answers: [[200, 502, CLOSED]],
  upstream: reached,
  response: ([first]) => void (first?.status === 200 && assert.equal(first.complete, false, 'a cut answer looks whole')),
}

function without(...names: readonly string[]): Expectation {
  return {
    answers: [[200]],
    upstream: reached,
    response: ([first]) => {
      for (const name of names) assert.equal(headerOf(first!, name), undefined, name)
    },
  }
}

const HEAD = 'HTTP/1.1 200 OK\r\n'

const FAILING: readonly (readonly [bytes: string, why: string])[] = [
  [`${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!`, 'two lengths'],
  [`${HEAD}Content-Length: 2,3\r\n\r\nok!`, 'a list of lengths'],
  [`${HEAD}Content-Length: +2\r\n\r\nok`, 'a signed length'],
  [`${HEAD}Content-Length: -1\r\n\r\nok`, 'a negative length'],
  [`${HEAD}Content-Length: 2x\r\n\r\nok`, 'no number as length'],
  [`${HEAD}Content-Length: 2\r\nX : 1\r\n\r\nok`, 'a space in front of the colon'],
  [`${HEAD}X: a\0b\r\nContent-Length: 2\r\n\r\nok`, 'NUL in a value'],
  [`${HEAD}X: a\rY: b\r\nContent-Length: 2\r\n\r\nok`, 'a bare carriage return'],
  [`${HEAD}: 1\r\nContent-Length: 2\r\n\r\nok`, 'an empty name'],
  ['HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok', 'no status'],
  ['HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok', 'no status'],
  ['ICY 200 OK\r\nContent-Length: 2\r\n\r\nok', 'no HTTP'],
  ['<html>hello</html>\r\n\r\n', 'no HTTP'],
  ['HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw bytes', 'an upgrade nobody asked for'],
  [`${HEAD}X: ${'a'.repeat(262_144)}\r\nContent-Length: 2\r\n\r\nok`, 'a header of 256 KiB'],
]

const failing: readonly Row[] = FAILING.map(([bytes, why]) => ({
  id: 51,
  name: `upstream answers with ${why}`,
  send: get,
  upstreamAnswers: bytes,
  upstreamCloses: true,
  expect: failed,
  unfinished: true,
  why: 'an answer that can be read in two ways is not passed on',
}))

const CUT: readonly (readonly [bytes: string, why: string])[] = [
  [`${HEAD}Content-Length: 10\r\n\r\nhello`, 'less than its length'],
  [`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`, 'no last chunk'],
  [`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`, 'half a chunk'],
  [`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n0\r\n\r\n`, 'a broken chunk'],
  [`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n`, 'a chunk longer than said'],
]

const truncated: readonly Row[] = CUT.map(([bytes, why]) => ({
  id: 51,
  name: `upstream sends ${why}`,
  send: get,
  upstreamAnswers: bytes,
  upstreamCloses: true,
  expect: cut,
  unfinished: true,
  why: 'half an answer must not look like a whole one',
}))

const POISON = ok('poison')

const queue: readonly Row[] = [
  {
    id: 51,
    name: 'upstream answers with another version',
    send: get,
    upstreamAnswers: 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    upstreamCloses: true,
    expect: body('ok', 200, 502),
    unfinished: true,
    why: 'its framing is the same: refused, or one answer',
  },
  {
    id: 51,
    name: 'two answers at once',
    send: get,
    upstreamAnswers: ok('first') + POISON,
    expect: body('first', 200, 502),
    why: 'the second belongs to nobody',
  },
  {
    id: 51,
    name: 'more bytes than the length',
    send: get,
    upstreamAnswers: `${HEAD}Content-Length: 5\r\n\r\nfirstrest`,
    expect: body('first', 200, 502),
    why: 'the rest would begin the next answer',
  },
  {
    id: 51,
    name: 'bytes behind the last chunk',
    send: get,
    upstreamAnswers: `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n${POISON}`,
    expect: body('first', 200, 502),
    why: 'the rest would begin the next answer',
  },
  {
    id: 51,
    name: 'a body to HEAD',
    send: request('HEAD /orders/1 HTTP/1.1', [HOST, READER]),
    upstreamAnswers: POISON,
    expect: { answers: [[200, 502]], upstream: reached },
    why: 'its body would begin the next answer',
  },
  {
    id: 51,
    name: 'a body to 204',
    send: get,
    upstreamAnswers: `HTTP/1.1 204 No Content\r\n\r\n${POISON}`,
    expect: { answers: [[204, 502]], upstream: reached },
    why: 'there is none',
  },
  {
    id: 51,
    name: '204 with a length and a body',
    send: get,
    upstreamAnswers: 'HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison',
    expect: { answers: [[204, 502]], upstream: reached },
    why: 'there is none',
  },
  {
    id: 51,
    name: 'a body to 304',
    send: request('GET /orders/1 HTTP/1.1', [HOST, READER, 'If-None-Match: "a"']),
    upstreamAnswers: `HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison`,
    expect: { answers: [[304, 502]], upstream: reached },
    why: 'there is none',
  },
  {
    id: 51,
    name: 'length and chunked',
    send: get,
    upstreamAnswers: `${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst!\r\n0\r\n\r\n`,
    expect: body('first!', 200, 502),
    why: 'RFC 9112 section 6.3: chunked it is, or an error',
  },
  {
    id: 51,
    name: 'an answer without an end',
    send: get,
    upstreamAnswers: `HTTP/1.1 200 OK\r\n\r\nfirst`,
    upstreamCloses: true,
    expect: body('first'),
    unfinished: true,
    why: 'the end of the connection is the end of the body',
  },
  {
    id: 51,
    name: 'an interim answer that lists headers',
    send: get,
    upstreamAnswers: `HTTP/1.1 103 Early Hints\r\nConnection: X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=1\r\nLink: </a.css>; rel=preload\r\n\r\n${ok('first')}`,
    expect: {
      ...body('first'),
      response: ([first]) => {
        assert.equal(first!.body, 'first')
        for (const interim of first!.interim)
          for (const name of ['connection', 'x-secret', 'keep-alive']) assert.equal(headerOf(interim, name), undefined, name)
      },
    },
    why: 'hop-by-hop headers end here in every answer',
  },
  {
    id: 51,
    name: 'a hundred interim answers',
    send: get,
    upstreamAnswers: 'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n'.repeat(100) + ok('first'),
    expect: body('first', 200, 502),
    why: 'their number is none of the caller’s trouble',
  },
]

const hop = ok(
  'first',
  'Connection: X-Secret, close',
  'X-Secret: 1',
  'Keep-Alive: timeout=600',
  'Proxy-Connection: keep-alive',
  'Proxy-Authenticate: Basic realm="x"',
  'Upgrade: h2c',
)

const fields: readonly Row[] = [
  {
    id: 108,
    name: 'an answer that says to be compressed arrives as it is',
    send: request('GET /orders/1 HTTP/1.1', [HOST, READER, 'Accept-Encoding: br, gzip']),
    upstreamAnswers: ok('first', 'Content-Encoding: br', 'Vary: Accept-Encoding'),
    expect: {
      ...body('first'),
      response: ([first]) => {
        assert.equal(first!.body, 'first')
        assert.equal(headerOf(first!, 'content-encoding'), 'br')
      },
    },
    why: 'what is not unpacked can not explode',
  },
  {
    id: 32,
    name: 'hop-by-hop headers of an answer end here',
    send: get,
    upstreamAnswers: hop,
    upstreamCloses: true,
    expect: without('x-secret', 'proxy-connection', 'proxy-authenticate', 'upgrade'),
    why: 'RFC 9110 section 7.6.1',
  },
  {
    id: 32,
    name: 'Alt-Svc of an upstream',
    send: get,
    upstreamAnswers: ok('first', 'Alt-Svc: h3="evil.test:443"'),
    expect: without('alt-svc'),
    why: 'it speaks for the origin that the caller sees, and would lead past the gateway',
  },
  {
    id: 32,
    name: 'several cookies stay several',
    send: get,
    upstreamAnswers: ok('first', 'Set-Cookie: a=1', 'Set-Cookie: b=2; Expires=Wed, 09 Jun 2027 10:18:14 GMT'),
    expect: {
      ...body('first'),
      response: ([first]) => assert.equal(first!.headers.filter(([name]) => name.toLowerCase() === 'set-cookie').length, 2),
    },
    why: 'cookies can not be joined by commas',
  },
]

export const answerRows: readonly Row[] = [...failing, ...truncated, ...queue, ...fields]

/** Spoofs of what the gateway itself says: for each header of its own, an upstream that says it too. */
export function ownHeaderRows(names: readonly string[]): readonly Row[] {
  return names.map((name) => ({
    id: 32,
    name: `upstream answers with ${name}`,
    send: get,
    upstreamAnswers: ok('first', `${name}: spoofed-by-the-upstream`),
    expect: {
      ...body('first'),
      response: ([first]: readonly Response[]) => {
        const values = first!.headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
        assert.equal(values.length, 1)
        assert.ok(!values[0]!.includes('spoofed'), `${name} is the gateway's to say`)
      },
    },
    why: 'what the gateway says of itself, nobody else says',
  }))
}
