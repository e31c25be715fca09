/** Attacks 1 to 18 on the request target: what a policy might match and an upstream might read differently. */
import assert from 'node:assert/strict'
import { ADMIN, HOST, passes, passesOrRefused, READER, refused, refusedForGood, request, type Row } from './row.ts'

const reader = (target: string): string => request(`GET ${target} HTTP/1.1`, [HOST, READER])
const anonymous = (target: string): string => request(`GET ${target} HTTP/1.1`, [HOST])
const unchanged = (target: string) => passes((seen) => assert.equal(seen.target, target))

/**
 * Targets that are refused whoever asks. Each lies under `/orders/**` or `/public/**` for whoever matches it raw, so a
 * gateway that forgets one of them forwards it.
 */
const AMBIGUOUS: readonly (readonly [id: number, target: string, why: string])[] = [
  [5, '/public#/admin', 'a fragment never belongs into a request target'],
  [5, '/admin#/public', 'a matcher that cuts at `#` and one that does not disagree'],
  [5, '/orders/1?a=b#c', 'the same within the query'],
  [7, '/public/../admin', 'dot segments'],
  [7, '/orders/../admin/x', 'dot segments'],
  [7, '/orders/./1', 'dot segments'],
  [7, '/orders/..', 'a dot segment at the end'],
  [7, '/orders/.', 'a dot segment at the end'],
  [7, '/../orders/1', 'above the root'],
  [7, '/..', 'above the root'],
  [7, '/orders/%2e%2e/admin', 'encoded dots'],
  [7, '/orders/%2E%2E/admin', 'encoded dots, upper case'],
  [7, '/orders/.%2e/admin', 'half encoded dots'],
  [7, '/orders/%2e./admin', 'half encoded dots'],
  [7, '/orders/%2e/1', 'one encoded dot'],
  [7, '/orders/..%2fadmin', 'encoded separator behind dots'],
  [7, '/orders/%252e%252e/admin', 'dots encoded twice'],
  [7, '/orders/%252e%252e%252fadmin', 'dots and separator encoded twice'],
  [8, '/orders/..;/admin', 'path parameter behind dots: removed by servlet containers'],
  [8, '/orders/..;a=b/admin', 'the same with a value'],
  [8, '/orders/1;a=b', 'path parameters are read by some upstreams and not by others'],
  [8, '/orders/;/1', 'an empty segment once the parameter is removed'],
  [8, '/public;/admin', 'path parameter'],
  [8, '/orders/%3b/1', 'encoded path parameter'],
  [9, '/orders%2f1', 'encoded separator'],
  [9, '/orders%2F1', 'encoded separator, upper case'],
  [9, '/orders/1%2f..%2f..%2fadmin', 'encoded separators and dots'],
  [9, '/orders%5c1', 'encoded backslash'],
  [9, '/orders%5C..%5Cadmin', 'encoded backslashes and dots'],
  [9, '/orders\\..\\admin', 'backslash, which URL parsers of browsers turn into a slash'],
  [9, '/orders/\\admin', 'backslash'],
  [9, '\\orders\\1', 'backslash in place of the leading slash'],
  [9, '/orders%252f1', 'separator encoded twice'],
  [10, '//orders/1', 'empty first segment: a host to some URL parsers'],
  [10, '///orders/1', 'empty segments'],
  [10, '//evil.test/orders/1', 'a network-path reference'],
  [10, '/orders//1', 'empty segment inside'],
  [10, '/orders/1//', 'empty segment at the end'],
  [10, '/public//admin', 'empty segment inside'],
  [17, '/orders/%00', 'encoded NUL ends the string for some'],
  [17, '/orders/1%00.html', 'encoded NUL ends the string for some'],
  [17, '/orders/%0a', 'encoded line feed'],
  [17, '/orders/%0d%0aX-Admin:%201', 'encoded CRLF'],
  [17, '/orders/%7f', 'encoded DEL'],
  [17, '/orders/%c0%af', 'overlong UTF-8 of a slash'],
  [17, '/orders/%e0%80%af', 'overlong UTF-8 of a slash, three bytes'],
  [17, '/orders/%c0%ae%c0%ae/admin', 'overlong UTF-8 of dots'],
  [17, '/orders/%ff', 'no UTF-8'],
  [17, '/orders/%ed%a0%80', 'a surrogate in UTF-8'],
  [17, '/orders/%c3', 'a cut UTF-8 sequence'],
  [17, '/orders/\xe9', 'a raw byte above ASCII'],
  [17, '/orders/\xc3\xa9', 'raw UTF-8'],
  [17, '/orders/1?q=\xff', 'a raw byte above ASCII in the query'],
  [17, '/orders/%', 'a percent sign with nothing behind it'],
  [17, '/orders/%4', 'a percent sign with one digit'],
  [17, '/orders/%zz', 'a percent sign with no hexadecimal'],
  [17, '/orders/%u0061', 'the non-standard %u form'],
  [17, '/orders/1?a=%zz', 'a broken escape in the query'],
  [7, '/%6frders/1', 'an encoded unreserved character: another name of the same path'],
  [7, '/orders/%61', 'an encoded unreserved character'],
  [7, '/orders/a%2Db', 'an encoded unreserved character'],
  [7, '/orders/%7Euser', 'an encoded unreserved character'],
  [7, '/public/%2561dmin', 'an unreserved character encoded twice'],
  [13, 'orders/1', 'no leading slash'],
  [13, '?a=b', 'no path'],
  [13, '@evil.test/orders/1', 'turns a naively joined upstream address into another host'],
  [13, ':1@evil.test/orders', 'turns a naively joined upstream address into another host'],
  [13, '.evil.test/orders', 'turns a naively joined upstream address into another host'],
]

const ambiguous: readonly Row[] = AMBIGUOUS.flatMap(([id, target, why]): readonly Row[] => [
  { id, name: `${JSON.stringify(target)} with a token`, send: reader(target), expect: refused(), why },
  { id, name: `${JSON.stringify(target)} without a token`, send: anonymous(target), expect: refused(), why },
])

/** Bytes that can't stand in a start line at all: the message is no HTTP. */
const BROKEN: readonly (readonly [id: number, line: string, why: string])[] = [
  [17, 'GET /orders/\x001 HTTP/1.1', 'NUL in the target'],
  [17, 'GET /orders/\x011 HTTP/1.1', 'a control character in the target'],
  [17, 'GET /orders/\x7f HTTP/1.1', 'DEL in the target'],
  [17, 'GET /orders/\t1 HTTP/1.1', 'a tab in the target'],
  [17, 'GET /orders/1 /admin HTTP/1.1', 'two targets: first or last one wins'],
  [17, ' GET /orders/1 HTTP/1.1', 'a space in front'],
  [17, 'GET\t/orders/1\tHTTP/1.1', 'tabs in place of spaces'],
  [17, 'GET HTTP/1.1', 'no target'],
  [17, 'GET /orders/1', 'no version: HTTP/0.9'],
  [17, 'GET /orders/1 http/1.1', 'the version is case-sensitive'],
  [17, 'GET /orders/1 HTTP/1.1 ', 'a space behind the version'],
  [17, 'GET /orders/1 HTTP/1.12', 'one digit each'],
  [17, 'GET /orders/1 HTTP/01.1', 'one digit each'],
  [17, 'GE\x00T /orders/1 HTTP/1.1', 'NUL in the method'],
  [17, 'G(T /orders/1 HTTP/1.1', 'no token as method'],
  [17, 'GET: /orders/1 HTTP/1.1', 'no token as method'],
]

const broken: readonly Row[] = BROKEN.map(([id, line, why]) => ({
  id,
  name: JSON.stringify(line),
  send: request(line, [HOST, READER]),
  expect: refusedForGood(400, 405, 501, 505),
  methods: ['GET'],
  why,
}))

/** RFC 9112 section 3 lets a recipient split at runs of whitespace. Whoever does forwards one space. */
const spaced: readonly Row[] = ['GET  /orders/1 HTTP/1.1', 'GET /orders/1  HTTP/1.1'].map((line) => ({
  id: 17,
  name: JSON.stringify(line),
  send: request(line, [HOST, READER]),
  expect: passesOrRefused(({ raw }) => assert.ok(raw.startsWith('GET /orders/1 HTTP/1.1\r\n'))),
  why: 'refused, or forwarded as it was decided',
}))

/** Targets that mean one thing only: the upstream receives exactly these bytes. */
const PLAIN: readonly (readonly [id: number, target: string])[] = [
  [6, '/orders/1'],
  [6, '/orders/1/'],
  [6, '/orders/1?'],
  [6, '/orders/1?a=b&c=d'],
  [6, '/orders/1?next=/../admin'],
  [6, '/orders/1?next=%2e%2e%2fadmin&x=%61'],
  [6, '/orders/1?q=//'],
  [6, '/orders/caf%C3%A9'],
  [6, '/orders/a%20b'],
  [6, "/orders/~user.name-1_2!$&'()*+,=:@"],
  [5, '/orders/a%23b'],
  [6, '/orders/a%3Fb'],
  [6, '/orders/...'],
  [6, '/orders/.hidden'],
  [6, '/orders/a..b'],
]

const plain: readonly Row[] = PLAIN.map(([id, target]) => ({
  id,
  name: `${target} arrives as it was sent`,
  send: reader(target),
  expect: unchanged(target),
  why: 'what is decided is what is forwarded, byte for byte',
}))

/** Unusual, and either refused or forwarded unchanged: both are one meaning. */
const UNUSUAL: readonly (readonly [id: number, target: string])[] = [
  [6, '/orders/caf%c3%a9'],
  [6, '/orders/100%25'],
  [6, '/orders/1?q="<>{}|^`'],
  [6, '/orders/1?a[]=1'],
  [6, '/orders/[1]'],
  [6, '/orders/{id}'],
  [6, '/orders/**'],
  [8, '/orders/1?a=1;b=2'],
]

const unusual: readonly Row[] = UNUSUAL.map(([id, target]) => ({
  id,
  name: `${target} is refused, or arrives as it was sent`,
  send: reader(target),
  expect: passesOrRefused((seen) => assert.equal(seen.target, target)),
  why: 'a rewrite would forward what was not decided',
}))

const none = { upstream: 'none' } as const

/** Rules see the path only, anchored at both ends, and nothing but the path. */
const bypass: readonly Row[] = [
  ...['/admin?x=/public', '/admin?/public/x', '/admin?/health', '/admin/x?/../public', '/publicx', '/public.json', '/orders?/public/1'].map(
    (target): Row => ({
      id: 1,
      name: `${target} is not public`,
      send: anonymous(target),
      expect: { answers: [[401]], ...none },
      why: 'a rule that matches somewhere in the target makes everything public',
    }),
  ),
  {
    id: 5,
    name: '/admin%23/public is not public',
    send: anonymous('/admin%23/public'),
    expect: { answers: [[401]], ...none },
    why: 'an encoded `#` is data',
  },
  ...['/PUBLIC/x', '/Orders/1', '/ADMIN/x'].map((target): Row => ({
    id: 6,
    name: `${target} without a token`,
    send: anonymous(target),
    expect: { answers: [[401]], ...none },
    why: 'paths are compared by case',
  })),
  {
    id: 6,
    name: '/Orders/1 with a token',
    send: reader('/Orders/1'),
    expect: { answers: [[403]], ...none },
    why: 'paths are compared by case',
  },
  ...['/admin/x', '/admin', '/admin/', '/orders1'].map((target): Row => ({
    id: 6,
    name: `${target} is not for readers`,
    send: reader(target),
    expect: { answers: [[403]], ...none },
    why: 'nothing grants it',
  })),
  ...['GoogleHC/1.0', 'kube-probe/1.30', 'ELB-HealthChecker/2.0'].map((agent): Row => ({
    id: 2,
    name: `User-Agent ${agent}`,
    send: request('GET /orders/1 HTTP/1.1', [HOST, `User-Agent: ${agent}`]),
    expect: { answers: [[401]], ...none },
    why: 'who says to be a health check is not let through for it',
  })),
  ...['get', 'Get', 'GETX', 'TRACE', 'TRACK', 'DEBUG', 'PROPFIND', 'DELETE'].map((method): Row => ({
    id: 16,
    name: `${method} is not GET`,
    send: request(`${method} /orders/1 HTTP/1.1`, [HOST, READER]),
    // Node's parser knows a closed list of methods; others end with its 400.
    expect: { answers: [[403, 400, 405, 501]], ...none },
    why: 'methods are compared by case, and what no rule names is denied',
  })),
  {
    id: 16,
    name: 'CONNECT',
    send: request('CONNECT orders.localhost:443 HTTP/1.1', [HOST, ADMIN]),
    expect: { answers: [[400, 403, 405, 501]], ...none, closes: true },
    methods: ['GET'],
    unfinished: true,
    why: 'a tunnel would be past the policy',
  },
  {
    id: 16,
    name: 'OPTIONS *',
    send: request('OPTIONS * HTTP/1.1', [HOST, ADMIN]),
    expect: { answers: [[400, 403, 405, 501]], ...none },
    why: 'the asterisk is no path and no rule covers it',
  },
  {
    id: 16,
    name: 'GET *',
    send: request('GET * HTTP/1.1', [HOST, ADMIN]),
    expect: refused(),
    why: 'the asterisk is for OPTIONS alone',
  },
  {
    id: 106,
    name: 'a target of 64 KiB',
    send: reader(`/orders/${'a'.repeat(65_536)}`),
    expect: refusedForGood(400, 414, 431),
    why: 'every length is bounded',
  },
]

export const targetRows: readonly Row[] = [...ambiguous, ...broken, ...spaced, ...plain, ...unusual, ...bypass]

/** Targets that are refused whoever asks, for other protocols to try as well. */
export const ambiguousTargets = AMBIGUOUS
/** Targets that arrive unchanged, for other protocols to try as well. */
export const plainTargets = PLAIN
