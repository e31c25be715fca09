/** Attacks 26, 32, 34, 53, 54, 59 and 67: the gateway's own cookies, and what a browser is sent away with. */
import assert from 'node:assert/strict'
import { headerOf, type Response } from './client.ts'
import { ok, valuesOf, type Seen } from './recorder.ts'
import { HOST, passes, READER, request, type Row } from './row.ts'

const reader = (...fields: readonly string[]): string => request('GET /orders/1 HTTP/1.1', [HOST, READER, ...fields])
const NAVIGATION = ['Accept: text/html,application/xhtml+xml', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document']

/** Ways of an upstream to set a cookie that comes back under the gateway's name, at least in some browser. */
const SET: readonly (readonly [field: string, why: string])[] = [
  ['ostiary-session=x', 'the session cookie on http'],
  ['__Host-ostiary-session=x; Secure; Path=/', 'the session cookie on https'],
  ['__Secure-ostiary-session=x; Secure', 'the same with the other prefix'],
  ['OSTIARY-SESSION=x', 'in upper case, which some store as the same'],
  ['ostiary-session =x', 'a space behind the name, which is cut off'],
  ['\tostiary-session=x', 'a tab in front of the name, which is cut off'],
  ['=ostiary-session=x', 'no name: it comes back as it is'],
  ['ostiary-session=; Max-Age=0', 'the session is to be forgotten'],
  ['ostiary-attempt-abcdefgh=x', 'the cookie of a sign-in under way'],
  ['__Host-ostiary-attempt-abcdefgh=x; Secure; Path=/', 'the same on https'],
]

const set: readonly Row[] = SET.map(([field, why]) => ({
  id: 32,
  name: `upstream sets ${JSON.stringify(field)}`,
  send: reader(),
  upstreamAnswers: ok('first', `Set-Cookie: ${field}`, 'Set-Cookie: own=1'),
  expect: {
    answers: [[200, 502]],
    upstream: () => undefined,
    response: ([first]: readonly Response[]) => {
      const values = first!.headers.filter(([name]) => name.toLowerCase() === 'set-cookie').map(([, value]) => value)
      assert.ok(!values.some((value) => /ostiary-/i.test(value)), values.join())
      if (first!.status === 200) assert.deepEqual(values, ['own=1'])
    },
  },
  why,
}))

const withoutOurs = (seen: Seen): void => assert.ok(!/ostiary-(session|attempt)/i.test(seen.raw), 'our cookie arrived')

/** Session cookies that mean nothing: a handle that nobody knows, two of them, one with what isn't in a handle. */
const DEAD: readonly (readonly [cookie: string, why: string])[] = [
  ['ostiary-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'nobody knows it'],
  ['ostiary-session=', 'empty'],
  ['ostiary-session="AAAA"', 'quoted'],
  ['ostiary-session=../../etc/passwd', 'a path'],
  ['ostiary-session=__proto__', 'a name that objects have'],
  [`ostiary-session=${'A'.repeat(5000)}`, 'long'],
  ['ostiary-session=AAAA; ostiary-session=BBBB', 'two of them'],
  ['__Host-ostiary-session=AAAA; ostiary-session=BBBB', 'two of them, one for https'],
]

const dead: readonly Row[] = DEAD.flatMap(([cookie, why]): readonly Row[] => [
  {
    id: 59,
    name: `Cookie: ${cookie.slice(0, 60)}`,
    send: request('GET /orders/1 HTTP/1.1', [HOST, `Cookie: a=1; ${cookie}`]),
    expect: { answers: [[400, 401]], upstream: 'none' },
    why,
  },
  {
    id: 34,
    name: `Cookie: ${cookie.slice(0, 60)} on a public route`,
    send: request('GET /public/1 HTTP/1.1', [HOST, `Cookie: a=1; ${cookie}; b=2`]),
    expect: { answers: [[200, 400, 401]], upstream: (seen) => seen.forEach(withoutOurs) },
    why: 'refused, or dropped: it never arrives',
  },
  {
    id: 92,
    name: `Cookie: ${cookie.slice(0, 60)} beside a token`,
    send: reader(`Cookie: ${cookie}`),
    expect: { answers: [[200, 400, 401]], upstream: (seen) => seen.forEach(withoutOurs) },
    why: 'two credentials are refused, or the dead one counts for nothing; it never arrives',
  },
])

const others: readonly Row[] = [
  {
    id: 34,
    name: 'the cookie of a sign-in under way stays here, others arrive in order',
    send: reader('Cookie: a=1; ostiary-attempt-abcdefgh=x; b="2"; c'),
    expect: passes((seen) => assert.deepEqual(valuesOf(seen, 'cookie'), ['a=1; b="2"; c'])),
    why: 'an upstream could finish the sign-in of somebody',
  },
  {
    id: 34,
    name: 'a cookie whose name only resembles ours arrives',
    send: reader('Cookie: my-ostiary-session-theme=dark'),
    expect: passes((seen) => assert.deepEqual(valuesOf(seen, 'cookie'), ['my-ostiary-session-theme=dark'])),
    why: 'it is the application’s',
  },
]

/** Where the browser is sent, and with which return address. */
function leadsHome([first]: readonly Response[]): void {
  assert.ok([302, 303].includes(first!.status))
  const location = headerOf(first!, 'location') ?? ''
  assert.ok(location.startsWith('http://127.0.0.1:'), `to the provider, not to ${location}`)
  assert.ok(!location.includes('evil'), location)
  const callback = new URL(location).searchParams.get('redirect_uri') ?? ''
  assert.ok(callback.startsWith('http://orders.localhost'), callback)
}

const POISON = [
  'X-Forwarded-Host: evil.test',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Prefix: //evil.test',
  'Forwarded: host=evil.test;proto=https',
]

const browsers: readonly Row[] = [
  ...[[], ...POISON.map((field) => [field])].map((fields): Row => ({
    id: 26,
    name: `a browser is sent to sign in${fields.length === 0 ? '' : `, with ${fields.join()}`}`,
    send: request('GET /orders/1 HTTP/1.1', [HOST, ...NAVIGATION, ...fields]),
    expect: { answers: [[302, 303]], upstream: 'none', response: leadsHome },
    why: 'where people sign in is configuration, never a header',
  })),
  ...['Sec-Fetch-Mode: cors', 'X-Requested-With: XMLHttpRequest', 'Accept: application/json', 'Accept: */*'].map((field): Row => ({
    id: 67,
    name: `a script (${field}) is not sent to sign in`,
    send: request('GET /orders/1 HTTP/1.1', [HOST, field]),
    expect: {
      answers: [[401]],
      upstream: 'none',
      response: ([first]: readonly Response[]) => {
        assert.equal(headerOf(first!, 'location'), undefined)
        assert.match(headerOf(first!, 'www-authenticate') ?? '', /^Bearer/)
      },
    },
    why: 'it could do nothing with a page',
  })),
  {
    id: 67,
    name: 'a browser that posts is not sent to sign in',
    send: request('POST /orders/1 HTTP/1.1', [HOST, ...NAVIGATION, 'Content-Length: 5'], 'hello'),
    expect: { answers: [[401]], upstream: 'none' },
    why: 'its form would be lost on the way',
  },
  ...[
    '?code=x&state=y',
    '?code=x',
    '?state=y',
    '',
    '?code=x&state=y&state=z',
    '?error=access_denied&state=y',
    `?code=${'x'.repeat(5000)}&state=y`,
  ].map((query): Row => ({
    id: 54,
    name: `a return from sign-in that nobody began: ${query.slice(0, 40)}`,
    send: request(`GET /.ostiary/callback/company${query} HTTP/1.1`, [HOST, ...NAVIGATION]),
    expect: { answers: [[400, 401, 403, 404]], upstream: 'none' },
    why: 'a sign-in belongs to the browser that began it',
  })),
  {
    id: 54,
    name: 'a return from sign-in with a cookie of one’s own making',
    send: request('GET /.ostiary/callback/company?code=x&state=abcdefghabcdefghabcdef HTTP/1.1', [
      HOST,
      ...NAVIGATION,
      'Cookie: ostiary-attempt-abcdefgh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    ]),
    expect: { answers: [[400, 401, 403]], upstream: 'none' },
    why: 'the cookie is sealed',
  },
  ...['', '/', '/elsewhere', '/company/', '/Company'].map((callback): Row => ({
    id: 56,
    name: `a return from sign-in to the callback of nobody: ${callback}`,
    send: request(`GET /.ostiary/callback${callback}?code=x&state=abcdefghabcdefghabcdef HTTP/1.1`, [HOST, ...NAVIGATION]),
    expect: { answers: [[403, 404]], upstream: 'none' },
    why: 'each issuer has a callback of its own',
  })),
  {
    id: 119,
    name: 'what is under /.ostiary/ never goes to the upstream',
    send: request('GET /.ostiary/whatever HTTP/1.1', [HOST, READER]),
    expect: { answers: [[401, 403, 404]], upstream: 'none' },
    why: 'an upstream that answers there could speak for the gateway',
  },
]

export const cookieRows: readonly Row[] = [...set, ...dead, ...others, ...browsers]
