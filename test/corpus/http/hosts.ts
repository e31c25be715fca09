/** Attacks 11 to 13 on the host: which resource a request is for must have one answer only. */
import assert from 'node:assert/strict'
import { valuesOf } from './recorder.ts'
import { HOST, passes, passesOrRefused, READER, refused, request, type Row } from './row.ts'

const to = (...hosts: readonly string[]): string => request('GET /orders/1 HTTP/1.1', [...hosts.map((host) => `Host: ${host}`), READER])
const absolute = (target: string, ...hosts: readonly string[]): string =>
  request(`GET ${target} HTTP/1.1`, [...hosts.map((host) => `Host: ${host}`), READER])

const KNOWN: readonly (readonly [host: string, why: string])[] = [
  ['orders.localhost', 'the host itself'],
  ['ORDERS.LocalHost', 'hosts are compared without case'],
  ['orders.localhost.', 'one trailing dot is the same name'],
  ['orders.localhost:{port}', 'with the port of the listener, as every client on another port than 80 sends it'],
]

const UNKNOWN: readonly (readonly [host: string, why: string])[] = [
  ['unknown.test', 'no resource is there'],
  ['orders.localhost.evil.test', 'the host is only the beginning'],
  ['evilorders.localhost', 'the host is only the end'],
  ['x.orders.localhost', 'a name below the host'],
  ['localhost', 'a name above the host'],
  ['orders', 'the first label only'],
  ['127.0.0.1', 'the address'],
  ['[::1]', 'the address, IPv6'],
  ['xn--orders-.localhost', 'an A-label of another name'],
]

const MALFORMED: readonly (readonly [host: string, why: string])[] = [
  ['', 'an empty host'],
  ['orders.localhost..', 'two trailing dots'],
  ['.orders.localhost', 'an empty first label'],
  ['orders..localhost', 'an empty label'],
  ['a@orders.localhost', 'user information'],
  ['orders.localhost@evil.test', 'user information'],
  ['orders.localhost:80:80', 'two ports'],
  ['orders.localhost:80@evil.test', 'a port or user information'],
  ['orders.localhost:x', 'no number as port'],
  ['orders.localhost:99999', 'a port out of range'],
  ['orders.localhost:-1', 'a signed port'],
  ['orders.localhost: 80', 'a space'],
  ['orders.localhost/admin', 'a path'],
  ['orders.localhost?x', 'a query'],
  ['orders.localhost#x', 'a fragment'],
  ['orders.localhost\\evil', 'a backslash'],
  ['http://orders.localhost', 'a URL'],
  ['orders.localhost,billing.localhost', 'a list'],
  ['orders.localhost billing.localhost', 'two names'],
  ['orders.localhost\tx', 'a tab inside'],
  ['orders%2elocalhost', 'an encoded dot'],
  ['orders.localhost%00.evil.test', 'an encoded NUL'],
  ['orders_localhost', 'no host name'],
  ['\xf6rders.localhost', 'bytes above ASCII: only the A-label form of a name is accepted'],
  ['orders\xe3\x80\x82localhost', 'an ideographic full stop, which normalisation turns into a dot'],
  ['[::1', 'a broken IPv6 literal'],
  ['*', 'a pattern'],
]

const knownRows: readonly Row[] = KNOWN.map(([host, why]) => ({
  id: 11,
  name: `Host ${host}`,
  send: to(host),
  expect: passes((seen) => assert.equal(valuesOf(seen, 'host').length, 1)),
  why,
}))

const unknownRows: readonly Row[] = UNKNOWN.map(([host, why]) => ({
  id: 12,
  name: `Host ${host}`,
  send: to(host),
  expect: refused(421),
  why,
}))

const malformedRows: readonly Row[] = MALFORMED.map(([host, why]) => ({
  id: 11,
  name: `Host ${JSON.stringify(host)}`,
  send: to(host),
  expect: refused(400, 421),
  why,
}))

export const hostRows: readonly Row[] = [
  ...knownRows,
  ...unknownRows,
  ...malformedRows,
  {
    id: 11,
    name: 'Host orders.localhost:1',
    send: to('orders.localhost:1'),
    expect: refused(421),
    why: 'another port is another authority',
  },
  {
    id: 11,
    name: 'Host orders.localhost: (empty port)',
    send: to('orders.localhost:'),
    expect: passesOrRefused(() => undefined),
    why: 'an empty port is the default port in RFC 3986; refusing it is as good',
  },
  {
    id: 11,
    name: 'Host orders.localhost:80',
    send: to('orders.localhost:80'),
    expect: passesOrRefused(() => undefined, 421),
    why: 'the default port of the scheme, though not of this listener: either reading names no other resource',
  },
  {
    id: 12,
    name: 'the host of another resource',
    send: to('billing.localhost'),
    expect: { answers: [[403]], upstream: 'none' },
    why: 'each resource is decided for itself',
  },
  { id: 13, name: 'no Host', send: to(), expect: refused(), why: 'RFC 9112 section 3.2' },
  { id: 13, name: 'two Hosts', send: to('orders.localhost', 'billing.localhost'), expect: refused(), why: 'RFC 9112 section 3.2' },
  {
    id: 13,
    name: 'two Hosts, the other first',
    send: to('billing.localhost', 'orders.localhost'),
    expect: refused(),
    why: 'RFC 9112 section 3.2',
  },
  { id: 13, name: 'the same Host twice', send: to('orders.localhost', 'orders.localhost'), expect: refused(), why: 'RFC 9112 section 3.2' },
  {
    id: 13,
    name: 'a second Host in other case',
    send: request('GET /orders/1 HTTP/1.1', [HOST, 'hOST: billing.localhost', READER]),
    expect: refused(),
    why: 'names are compared without case',
  },
  {
    id: 13,
    name: 'no Host in HTTP/1.0',
    send: request('GET /orders/1 HTTP/1.0', [READER]),
    expect: { answers: [[400, 421, 426, 505]], upstream: 'none', closes: true },
    why: 'without a host there is no resource',
  },
  {
    id: 13,
    name: 'absolute form with the same host',
    send: absolute('http://orders.localhost/orders/1?a=b', 'orders.localhost'),
    expect: passes((seen) => assert.equal(seen.target, '/orders/1?a=b')),
    why: 'RFC 9112 section 3.2.2: a server accepts it, and forwards the origin form',
  },
  {
    id: 13,
    name: 'absolute form in upper case',
    send: absolute('HTTP://ORDERS.LOCALHOST/orders/1', 'orders.localhost'),
    expect: passes((seen) => assert.equal(seen.target, '/orders/1')),
    why: 'scheme and host are compared without case',
  },
  ...(
    [
      ['http://billing.localhost/orders/1', 'orders.localhost', 'another host than Host'],
      ['http://orders.localhost/orders/1', 'billing.localhost', 'another host than Host'],
      ['http://orders.localhost:1/orders/1', 'orders.localhost', 'another port than Host'],
      ['http://orders.localhost@billing.localhost/orders/1', 'billing.localhost', 'user information'],
      ['http://a:b@orders.localhost/orders/1', 'orders.localhost', 'user information'],
      ['http:///orders/1', 'orders.localhost', 'no host'],
      ['http:/orders/1', 'orders.localhost', 'no authority'],
      ['http:orders/1', 'orders.localhost', 'no authority'],
      ['http://orders.localhost/../admin', 'orders.localhost', 'dot segments'],
      ['http://orders.localhost//orders/1', 'orders.localhost', 'an empty segment'],
      ['http://orders.localhost/orders/1#x', 'orders.localhost', 'a fragment'],
      ['http://orders.localhost\\@evil.test/orders/1', 'orders.localhost', 'a backslash'],
      ['ftp://orders.localhost/orders/1', 'orders.localhost', 'another scheme'],
      ['javascript:alert(1)', 'orders.localhost', 'another scheme'],
    ] as const
  ).map(([target, host, why]): Row => ({
    id: 13,
    name: `absolute form ${target} with Host ${host}`,
    send: absolute(target, host),
    expect: refused(400, 421),
    why,
  })),
  {
    id: 13,
    name: 'absolute form with another scheme than the connection',
    send: absolute('https://orders.localhost/orders/1', 'orders.localhost'),
    expect: refused(400, 421),
    why: 'the request did not come over TLS',
  },
  {
    id: 13,
    name: 'absolute form without a path',
    send: absolute('http://orders.localhost', 'orders.localhost'),
    expect: passesOrRefused((seen) => assert.equal(seen.target, '/')),
    why: 'an empty path is `/`',
  },
  {
    id: 13,
    name: 'absolute form and no Host',
    send: absolute('http://orders.localhost/orders/1'),
    expect: refused(),
    why: 'RFC 9112 section 3.2: Host is there in every request',
  },
  {
    id: 13,
    name: 'authority form for GET',
    send: absolute('orders.localhost:80', 'orders.localhost'),
    expect: refused(),
    why: 'it is for CONNECT alone',
  },
]
