/** Attacks 15 to 37 by header fields: names and values that an upstream might trust, or that the gateway must survive. */
import assert from 'node:assert/strict'
import { fold, valuesOf, type Seen } from './recorder.ts'
import { HOST, passes, passesOrRefused, READER, refusedForGood, request, type Expectation, type Row } from './row.ts'

const SPOOF = 'spoofed-by-the-caller'
const reader = (...fields: readonly string[]): string => request('GET /orders/1 HTTP/1.1', [HOST, READER, ...fields])
const anonymous = (...fields: readonly string[]): string => request('GET /public/1 HTTP/1.1', [HOST, ...fields])

/** Nothing of what the caller wrote is anywhere in what the upstream received. */
function nowhere(text: string): (seen: Seen) => void {
  return ({ raw }) => assert.ok(!raw.includes(text), `the upstream received ${JSON.stringify(text)}`)
}

/**
 * Names by which proxies and platforms tell an upstream who is there, or what was asked. An upstream that trusts one of
 * them must never get it from a caller.
 */
const RESERVED: readonly (readonly [id: number, name: string])[] = [
  [15, 'X-Original-URL'],
  [15, 'X-Original-URI'],
  [15, 'X-Original-Method'],
  [15, 'X-Rewrite-URL'],
  [15, 'X-Envoy-Original-Path'],
  [15, 'X-Middleware-Subrequest'],
  [3, 'X-Forwarded-Uri'],
  [3, 'X-Forwarded-Method'],
  [16, 'X-HTTP-Method-Override'],
  [16, 'X-HTTP-Method'],
  [16, 'X-Method-Override'],
  [19, 'X-Forwarded-User'],
  [19, 'X-Forwarded-Email'],
  [19, 'X-Forwarded-Groups'],
  [19, 'X-Forwarded-Preferred-Username'],
  [19, 'X-Forwarded-Access-Token'],
  [19, 'X-Auth-Request-User'],
  [19, 'X-Auth-Request-Email'],
  [19, 'X-Auth-Request-Groups'],
  [19, 'X-Remote-User'],
  [19, 'Remote-User'],
  [19, 'Remote-Groups'],
  [19, 'Remote-Email'],
  [19, 'X-Goog-Authenticated-User-Email'],
  [19, 'X-Goog-IAP-JWT-Assertion'],
  [19, 'Cf-Access-Jwt-Assertion'],
  [19, 'X-Pomerium-Jwt-Assertion'],
  [19, 'X-MS-Client-Principal'],
  [19, 'X-MS-Client-Principal-Id'],
  [19, 'X-Amzn-Oidc-Identity'],
  [19, 'X-Amzn-Oidc-Data'],
  [19, 'Impersonate-User'],
  [19, 'Impersonate-Group'],
  [26, 'X-Forwarded-Proto'],
  [26, 'X-Forwarded-Host'],
  [26, 'X-Forwarded-Port'],
  [26, 'X-Forwarded-Prefix'],
  [26, 'X-Forwarded-Server'],
  [25, 'X-Forwarded-For'],
  [25, 'X-Real-IP'],
  [25, 'True-Client-IP'],
  [25, 'Client-IP'],
  [27, 'Forwarded'],
  [30, 'Proxy'],
  [30, 'Proxy-Authorization'],
  [37, 'X-Forwarded-Client-Cert'],
  [37, 'X-Client-Cert'],
  [37, 'X-SSL-Client-Cert'],
  [37, 'SSL-Client-S-DN'],
]

/** Names with `_`, and reserved names with another character in place of `-`: one name to a CGI-like upstream. */
const ALIASES: readonly (readonly [id: number, name: string])[] = [
  [19, 'X_Forwarded_User'],
  [19, 'x_forwarded_email'],
  [19, 'X-Forwarded_User'],
  [19, 'X_Forwarded-For'],
  [19, 'Remote_User'],
  [19, 'X_Auth_Request_User'],
  [20, 'X.Forwarded.User'],
  [20, 'X-Forwarded.User'],
  [20, 'X~Forwarded~User'],
  [20, 'X^Forwarded^User'],
  [20, "X'Forwarded'User"],
  [20, 'X|Forwarded|User'],
  [20, 'XForwardedUser'],
  [20, 'X--Forwarded--User'],
  [20, 'X-Forwarded-User-'],
  [20, 'x.forwarded.for'],
  [19, 'Content_Length'],
  [19, 'Transfer_Encoding'],
  [19, 'Transfer.Encoding'],
]

const reserved: readonly Row[] = [...RESERVED, ...ALIASES].flatMap(([id, name]): readonly Row[] => [
  {
    id,
    name: `${name} with a token`,
    send: reader(`${name}: ${SPOOF}`),
    expect: passesOrRefused(nowhere(SPOOF)),
    why: 'an upstream that trusts this name would believe the caller',
  },
  {
    id: id === 19 || id === 20 ? 24 : id,
    name: `${name} on a public route`,
    send: anonymous(`${name}: ${SPOOF}`),
    expect: passesOrRefused(nowhere(SPOOF)),
    why: 'public routes lead to the same upstream',
  },
])

const forwarded: readonly Row[] = [
  '198.51.100.7',
  '127.0.0.1, 198.51.100.7',
  'a',
  ',',
  '::ffff:198.51.100.7',
  '198.51.100.7:80',
  '"[2001:db8::1]:4711"',
  Array.from({ length: 200 }, () => '198.51.100.7').join(','),
].map((value) => ({
  id: 25,
  name: `X-Forwarded-For: ${value.slice(0, 40)}`,
  send: reader(`X-Forwarded-For: ${value}`),
  expect: passesOrRefused((seen) => {
    for (const one of valuesOf(seen, 'x-forwarded-for')) assert.equal(one, '127.0.0.1')
    if (value.includes('198.51.100.7')) nowhere('198.51.100.7')(seen)
  }),
  why: 'nobody is listed whose forwarded headers are believed',
}))

/** The header that the caller asks to have removed. */
const listed = (name: string, check: (seen: Seen) => void): Expectation => passesOrRefused((seen) => (check(seen), assert.ok(name)))

const connection: readonly Row[] = [
  {
    id: 22,
    name: 'Connection lists a header: it ends here',
    send: reader('Connection: keep-alive, X-Secret', 'X-Secret: 1', 'X-Other: 2'),
    expect: passes((seen) => {
      assert.deepEqual(valuesOf(seen, 'x-secret'), [])
      assert.deepEqual(valuesOf(seen, 'x-other'), ['2'])
      assert.ok(!valuesOf(seen, 'connection').join().toLowerCase().includes('x-secret'))
    }),
    why: 'RFC 9110 section 7.6.1',
  },
  ...['host', 'Host, content-length', 'authorization', 'cookie', 'via', 'accept'].map((name): Row => ({
    id: 22,
    name: `Connection: ${name}`,
    send: reader(`Connection: ${name}`),
    expect: listed(name, (seen) => assert.equal(valuesOf(seen, 'host').length, 1)),
    why: 'what the gateway needs or writes is not for the caller to remove',
  })),
  ...['content-length', 'Content-Length, close'].map((name): Row => ({
    id: 22,
    name: `Connection: ${name} on a request with a body`,
    send: request('POST /orders/1 HTTP/1.1', [HOST, READER, `Connection: ${name}`, 'Content-Length: 5'], 'hello'),
    expect: passesOrRefused((seen) => assert.equal(seen.body, 'hello')),
    why: 'without its length the body would be the next request',
  })),
  {
    id: 22,
    name: 'Connection: transfer-encoding on a chunked request',
    send: request(
      'POST /orders/1 HTTP/1.1',
      [HOST, READER, 'Connection: transfer-encoding', 'Transfer-Encoding: chunked'],
      '5\r\nhello\r\n0\r\n\r\n',
    ),
    expect: passesOrRefused((seen) => assert.equal(seen.body, 'hello')),
    why: 'without its framing the body would be the next request',
  },
  ...['Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'TE: gzip', 'TE: trailers', 'Trailer: X-A', 'Proxy-Authenticate: x'].map(
    (line): Row => ({
      id: 22,
      name: `${line} ends here`,
      send: reader(line),
      expect: passesOrRefused((seen) => {
        const name = line.slice(0, line.indexOf(':'))
        if (line !== 'TE: trailers' && name !== 'Trailer') assert.deepEqual(valuesOf(seen, name), [])
      }),
      why: 'it speaks of this connection only',
    }),
  ),
  {
    id: 104,
    name: 'Connection with 1,000 names',
    send: reader(`Connection: ${Array.from({ length: 1000 }, (_, i) => `x${i}`).join(',')}`),
    expect: passesOrRefused((seen) => assert.ok(valuesOf(seen, 'connection').join().length < 50), 431),
    why: 'a list costs no more than the header that carries it',
  },
]

const names: readonly Row[] = [
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'].map((name): Row => ({
    id: 31,
    name: `a header named ${name}`,
    send: reader(`${name}: polluted`, 'X-Other: 1'),
    expect: passesOrRefused((seen) => assert.deepEqual(valuesOf(seen, 'x-other'), ['1'])),
    why: 'names are data, never keys of an object with a prototype',
  })),
  {
    id: 31,
    name: 'a query parameter named __proto__',
    send: request('GET /orders/1?__proto__[admin]=1&constructor=1 HTTP/1.1', [HOST, READER]),
    expect: passesOrRefused(({ target }) => assert.equal(target, '/orders/1?__proto__[admin]=1&constructor=1')),
    why: 'names are data, never keys of an object with a prototype',
  },
  {
    id: 20,
    name: 'many spellings of one name in one request',
    send: reader(...['x-forwarded-user', 'X-FORWARDED-USER', 'X-Forwarded_User', 'x.forwarded.user'].map((name) => `${name}: ${SPOOF}`)),
    expect: passesOrRefused((seen) => {
      nowhere(SPOOF)(seen)
      for (const [name, value] of seen.headers) if (fold(name) === 'xforwardeduser') assert.notEqual(value, SPOOF)
    }),
    why: 'each spelling is dropped for itself',
  },
  {
    id: 21,
    name: 'several values that may be several stay so',
    send: reader('Accept: text/html', 'Accept: application/json', 'X-Many: a', 'X-Many: b'),
    expect: passes((seen) => {
      assert.equal(valuesOf(seen, 'accept').join(), 'text/html,application/json')
      assert.equal(valuesOf(seen, 'x-many').join(), 'a,b')
    }),
    why: 'what is no singleton is forwarded as it came, in order',
  },
  {
    id: 17,
    name: 'bytes above ASCII in a value',
    send: reader('X-Other: caf\xe9 \xff'),
    expect: passesOrRefused((seen) => assert.deepEqual(valuesOf(seen, 'x-other'), ['caf\xe9 \xff'])),
    why: 'RFC 9110 section 5.5: opaque, so unchanged or refused',
  },
  {
    id: 106,
    name: '2,000 headers',
    send: reader(...Array.from({ length: 2000 }, (_, i) => `X-${i}: 1`)),
    expect: { answers: [[400, 431]], upstream: 'none' },
    why: 'the number of headers is bounded, and none is cut off silently',
  },
  {
    id: 106,
    name: 'a header of 128 KiB',
    send: reader(`X-Large: ${'a'.repeat(131_072)}`),
    expect: refusedForGood(400, 431),
    why: 'the size of a head is bounded',
  },
  {
    id: 78,
    name: 'a token of 20 KiB',
    send: request('GET /orders/1 HTTP/1.1', [HOST, `Authorization: Bearer ${'a'.repeat(20_000)}.b.c`]),
    expect: { answers: [[400, 401, 431]], upstream: 'none' },
    why: 'the size of a token is bounded',
  },
]

const trailers: readonly Row[] = [
  'X-Forwarded-User',
  'X_Forwarded_User',
  'Authorization',
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'Cookie',
].map((name) => ({
  id: 33,
  name: `${name} as a trailer`,
  send: request(
    'POST /orders/1 HTTP/1.1',
    [HOST, READER, 'Transfer-Encoding: chunked', `Trailer: ${name}`],
    `5\r\nhello\r\n0\r\n${name}: ${SPOOF}\r\n\r\n`,
  ),
  // Trailers come after the head was forwarded: a refusal then is a connection that ends.
  expect: { answers: [[200, 400, 502]], upstream: (seen) => seen.forEach(nowhere(SPOOF)) },
  why: 'a reserved name is reserved at the end of a body too',
}))

export const fieldRows: readonly Row[] = [...reserved, ...forwarded, ...connection, ...names, ...trailers]

/** Names that no caller may hand to the upstream, for other protocols to try as well. */
export const reservedNames: readonly string[] = RESERVED.map(([, name]) => name)
