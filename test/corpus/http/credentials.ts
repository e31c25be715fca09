/** What must be there once (21), and credentials that are no good, or in the wrong place (14, 34, 91, 92). */
import assert from 'node:assert/strict'
import { valuesOf } from './recorder.ts'
import { ADMIN, HOST, passes, passesOrRefused, READER, refused, request, type Row } from './row.ts'

const reader = (...fields: readonly string[]): string => request('GET /orders/1 HTTP/1.1', [HOST, READER, ...fields])

/** What must be there once. Each is tried with both values equal, and in both orders. */
const SINGLETONS: readonly (readonly [id: number, first: string, second: string, statuses: readonly number[], why: string])[] = [
  [21, READER, ADMIN, [400, 401], 'two credentials: which one was decided?'],
  [21, READER, READER, [400, 401], 'two credentials, equal'],
  [21, READER, 'Authorization: Basic cmVhZGVyOng=', [400, 401], 'two credentials of two schemes'],
  [21, READER, 'authorization: Bearer x', [400, 401], 'a second one in lower case'],
  [21, 'Content-Type: application/json', 'Content-Type: text/plain', [400], 'one reads the first, the other the last'],
  [21, 'Content-Type: text/plain', 'content-type: text/plain', [400], 'one reads the first, the other the last'],
  [21, 'Content-Length: 0', 'Content-Length: 0', [400], 'RFC 9112 section 6.3'],
]

const singletons: readonly Row[] = SINGLETONS.flatMap(([id, first, second, statuses, why]) =>
  [
    [first, second],
    [second, first],
  ].map((pair): Row => {
    const fields = pair.some((line) => /^authorization/i.test(line)) ? pair : [READER, ...pair]
    return {
      id,
      name: pair.map((line) => line.replace(/\{.*/, '')).join(' and '),
      send: request('GET /orders/1 HTTP/1.1', [HOST, ...fields]),
      expect: refused(...statuses),
      why,
    }
  }),
)

/** Credentials that are there and no good: refused also where none is needed. */
const UNUSABLE: readonly (readonly [id: number, line: string, why: string])[] = [
  [92, 'Authorization: Bearer', 'no token'],
  [92, 'Authorization: Bearer ', 'no token'],
  [92, 'Authorization: Bearer x', 'no JWT'],
  [92, 'Authorization: Bearer {reader}x', 'a broken signature'],
  [92, 'Authorization: Bearer {reader} {admin}', 'two tokens'],
  [92, 'Authorization: Bearer {reader},Bearer {admin}', 'two tokens'],
  [92, 'Authorization: Bearer {reader}, Bearer {admin}', 'two tokens'],
  [92, 'Authorization: Basic cmVhZGVyOng=', 'a scheme that is not accepted'],
  [92, 'Authorization: Negotiate YII=', 'a scheme that is not accepted'],
  [92, 'Authorization: ', 'an empty credential'],
  [92, 'Authorization: {reader}', 'no scheme'],
  [92, 'Authorization: Token {reader}', 'a scheme that is not accepted'],
  [92, 'Authorization: Bearer\t{reader}', 'a tab in place of the space'],
  [92, 'Authorization: Bearer "{reader}"', 'quoted'],
]

const unusable: readonly Row[] = UNUSABLE.flatMap(([id, line, why]): readonly Row[] =>
  ['/orders/1', '/public/1'].map((path) => ({
    id,
    name: `${line.replaceAll(/\{(\w+)\}/g, '<$1>')} at ${path}`,
    send: request(`GET ${path} HTTP/1.1`, [HOST, line]),
    expect: refused(400, 401),
    why,
  })),
)

const credentials: readonly Row[] = [
  {
    id: 92,
    name: 'the scheme in other case',
    send: request('GET /orders/1 HTTP/1.1', [HOST, 'Authorization: bEARER {reader}']),
    expect: passes(),
    why: 'RFC 9110 section 11.1: the scheme is compared without case',
  },
  {
    id: 91,
    name: 'a token in the query',
    send: request('GET /orders/1?access_token={reader} HTTP/1.1', [HOST]),
    expect: refused(401),
    why: 'addresses end up in logs',
  },
  {
    id: 91,
    name: 'a token in a cookie',
    send: request('GET /orders/1 HTTP/1.1', [HOST, 'Cookie: access_token={reader}; Authorization=Bearer%20{reader}']),
    expect: refused(401),
    why: 'a cookie is sent by whichever page asks',
  },
  {
    id: 91,
    name: 'a token in a form',
    send: request(
      'POST /orders/1 HTTP/1.1',
      [HOST, 'Content-Type: application/x-www-form-urlencoded', 'Content-Length: 14'],
      'access_token=x',
    ),
    expect: refused(401),
    why: 'the body belongs to the upstream',
  },
  {
    id: 34,
    name: "the caller's token is not forwarded",
    send: reader('X-Other: 1'),
    expect: passes((seen) => {
      assert.deepEqual(valuesOf(seen, 'authorization'), [])
      assert.deepEqual(valuesOf(seen, 'x-other'), ['1'])
    }),
    why: 'an upstream could use it elsewhere',
  },
  {
    id: 14,
    name: 'a cookie header that no parser likes',
    send: request('GET /orders/1 HTTP/1.1', [HOST, 'Cookie: =; ;;a; =b; "; \\; %zz=%zz; __Host-=x']),
    expect: refused(400, 401),
    why: 'every way out of a parser ends in a refusal',
  },
  {
    id: 14,
    name: 'a cookie header that no parser likes, with a token',
    send: reader('Cookie: =; ;;a; =b; "; \\; %zz=%zz'),
    expect: passesOrRefused(() => undefined),
    why: 'foreign cookies are none of our business',
  },
]

export const credentialRows: readonly Row[] = [...singletons, ...unusable, ...credentials]
