import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { asksForSwitch, canonical, type Canonical, type CanonicalRequest } from './canonical.ts'
import type { RawRequest } from './engine.ts'
import type { CanonicalLimits } from './fields.ts'

const LIMITS = { url: 8192, fields: 32_768, fieldCount: 100 }

function raw(more: Partial<RawRequest> = {}): RawRequest {
  return {
    version: '1.1',
    method: 'GET',
    target: '/orders/1',
    rawHeaders: ['Host', 'orders.localhost'],
    authority: undefined,
    scheme: undefined,
    protocol: undefined,
    endStream: false,
    secure: false,
    serverName: undefined,
    peer: '127.0.0.1',
    localPort: 8080,
    ...more,
  }
}

const withFields = (...fields: readonly string[]): RawRequest => raw({ rawHeaders: ['Host', 'orders.localhost', ...fields] })
const code = (result: Canonical): string => (result.ok ? 'accepted' : result.code)

function accepted(request: RawRequest, limits: CanonicalLimits = LIMITS): CanonicalRequest {
  const result = canonical(request, limits)
  assert.ok(result.ok, code(result))
  return result.request
}

describe('targets with more than one reading are refused, each with its reason', () => {
  const rows: readonly (readonly [target: string, code: string])[] = [
    ['/admin#/public', 'http/fragment'],
    ['/a?b#c', 'http/fragment'],
    ['#', 'http/fragment'],
    ['/public/../admin', 'http/path-dots'],
    ['/public/./admin', 'http/path-dots'],
    ['/..', 'http/path-dots'],
    ['/.', 'http/path-dots'],
    ['/a/..', 'http/path-dots'],
    ['/public/%2e%2e/admin', 'http/path-unreserved'],
    ['/public/.%2e/admin', 'http/path-unreserved'],
    ['/public/..%2fadmin', 'http/path-separator'],
    ['/public/%252e%252e', 'http/path-encoding'],
    ['/a%252f', 'http/path-encoding'],
    ['/public/..;/admin', 'http/path-character'],
    ['/admin;x=1', 'http/path-character'],
    ['/admin%3bx', 'http/path-separator'],
    ['/a%2fb', 'http/path-separator'],
    ['/a%5Cb', 'http/path-separator'],
    ['/public\\..\\admin', 'http/path-character'],
    ['//admin', 'http/path-empty-segment'],
    ['/a//b', 'http/path-empty-segment'],
    ['/a//', 'http/path-empty-segment'],
    ['/%61dmin', 'http/path-unreserved'],
    ['/a%00', 'http/path-encoding'],
    ['/a%0d%0a', 'http/path-encoding'],
    ['/a%7f', 'http/path-encoding'],
    ['/%c0%af', 'http/path-encoding'],
    ['/%ed%a0%80', 'http/path-encoding'],
    ['/%ff', 'http/path-encoding'],
    ['/%c3', 'http/path-encoding'],
    ['/%c3a%a9', 'http/path-encoding'],
    ['/%c3/%a9', 'http/path-encoding'],
    ['/%', 'http/path-encoding'],
    ['/%4', 'http/path-encoding'],
    ['/%zz', 'http/path-encoding'],
    ['/\xe9', 'http/path-character'],
    ['/a b', 'http/path-character'],
    ['/[1]', 'http/path-character'],
    ['/a?q=\xff', 'http/query'],
    ['/a?q=%zz', 'http/query'],
    ['/a?q= ', 'http/query'],
    ['orders', 'http/target-form'],
    ['', 'http/target-form'],
    ['?a', 'http/target-form'],
    ['*', 'http/target-form'],
    ['https://orders.localhost/', 'http/target-form'],
    ['ftp://orders.localhost/', 'http/target-form'],
    ['http://orders.localhost?x', 'http/target-form'],
    ['http://billing.localhost/', 'http/host-mismatch'],
    ['http://a@orders.localhost/', 'http/host-mismatch'],
    ['http://orders.localhost:1/', 'http/host-mismatch'],
    ['http://orders.localhost/a//b', 'http/path-empty-segment'],
    [`/${'a'.repeat(8192)}`, 'http/url-too-long'],
  ]
  for (const [target, expected] of rows)
    test(`${JSON.stringify(target.slice(0, 60))}: ${expected}`, () => assert.equal(code(canonical(raw({ target }), LIMITS)), expected))
})

describe('targets with one reading are taken as they came', () => {
  const rows = [
    '/',
    '/orders/1/',
    '/a?',
    '/a?next=/../x//y&z=%2e%2e%2f',
    '/caf%C3%A9/%e2%82%ac',
    '/a%20b%23c%3Fd',
    "/~a.b-c_d!$&'()*+,=:@",
    '/...',
    '/100%25',
    '/a%25zz',
    '/a?q="<>[]{}|^`\\;',
  ]
  for (const target of rows)
    test(target, () => {
      const request = accepted(raw({ target }))
      assert.equal(request.path + request.query, target)
    })

  test('absolute form becomes origin form', () => {
    const request = accepted(raw({ target: 'HTTP://Orders.Localhost:80/a?b' }))
    assert.deepEqual([request.path, request.query, request.host], ['/a', '?b', 'orders.localhost'])
    assert.equal(accepted(raw({ target: 'http://orders.localhost' })).path, '/')
  })
  test('* with OPTIONS', () => assert.equal(accepted(raw({ method: 'OPTIONS', target: '*' })).path, '*'))
})

describe('methods', () => {
  const rows: readonly (readonly [method: string, code: string])[] = [
    ['CONNECT', 'http/method'],
    ['TRACE', 'http/method'],
    ['G T', 'http/malformed'],
    ['', 'http/malformed'],
    ['A'.repeat(33), 'http/malformed'],
    ['get', 'accepted'],
    ['PROPFIND', 'accepted'],
  ]
  for (const [method, expected] of rows)
    test(`${JSON.stringify(method)}: ${expected}`, () => assert.equal(code(canonical(raw({ method }), LIMITS)), expected))
  test('another version', () => assert.equal(code(canonical(raw({ version: 'other' }), LIMITS)), 'http/version'))
})

describe('hosts', () => {
  const same: readonly (readonly [host: string, secure: boolean, canonical: string])[] = [
    ['APP.Example.COM', false, 'app.example.com'],
    ['app.example.com.', false, 'app.example.com'],
    ['app.example.com:80', false, 'app.example.com'],
    ['app.example.com:443', true, 'app.example.com'],
    ['app.example.com:443', false, 'app.example.com:443'],
    ['app.example.com.:8080', false, 'app.example.com:8080'],
    ['[::1]:8080', false, '[::1]:8080'],
    ['xn--bcher-kva.example', false, 'xn--bcher-kva.example'],
  ]
  for (const [host, secure, expected] of same)
    test(`${host} is ${expected}`, () => assert.equal(accepted(raw({ rawHeaders: ['Host', host], secure })).host, expected))

  const refusedHosts = ['', '.', 'a..b', 'a..', '.a', 'a@b', 'a:b', 'a:', 'a:0', 'a:99999', 'a:080', 'a b', 'a/b', 'a,b', '[::1', '[::1%25lo]', '[]', 'a%2eb', 'ö.example', '\xf6', 'a\tb', `${'a'.repeat(64)}.b`, '*'] // prettier-ignore
  for (const host of refusedHosts)
    test(`${JSON.stringify(host.slice(0, 20))} is refused`, () => {
      const result = canonical(raw({ rawHeaders: ['Host', host] }), LIMITS)
      assert.ok(['http/host-invalid', 'http/field-value'].includes(code(result)), code(result))
    })

  test('none, and two', () => {
    assert.equal(code(canonical(raw({ rawHeaders: [] }), LIMITS)), 'http/host-missing')
    assert.equal(code(canonical(raw({ rawHeaders: ['Host', 'a', 'hOST', 'a'] }), LIMITS)), 'http/host-duplicate')
    assert.equal(code(canonical(raw({ rawHeaders: ['H.ost', 'a'] }), LIMITS)), 'http/host-missing')
  })

  test('a refusal says which host it was for, if that could be told', () => {
    const result = canonical(raw({ target: '//' }), LIMITS)
    assert.ok(!result.ok)
    assert.deepEqual(result.authority, { host: 'orders.localhost', port: undefined })
  })
})

describe('fields', () => {
  test('end-to-end fields stay as they came, in order; names that only a gateway writes are dropped', () => {
    const request = accepted(
      withFields('X-A', '1', 'x-b', '2', 'X-A', '3', 'X-Forwarded-User', 'root', 'X.Forwarded.User', 'root', 'Remote-User', 'root')
    ) // prettier-ignore
    assert.deepEqual(request.fields, ['X-A', '1', 'x-b', '2', 'X-A', '3'])
  })

  for (const name of [
    'Ostiary-Subject',
    'OSTIARY.SUBJECT',
    'ostiary~roles',
    'Ostiary-Anything',
    'OstiarySubject',
    'X-Original-URL',
    'X-Rewrite-Url',
    'X-Middleware-Subrequest',
    'X-HTTP-Method-Override',
    'X-Envoy-Original-Path',
    'Forwarded',
    'X-Real-IP',
    'Proxy',
    'Impersonate-User',
    'X-Remote-Group',
    'X-Forwarded-Client-Cert',
    'SSL-Client-Verify',
    'Content.Length',
    'Transfer.Encoding',
    'Author.ization',
    'Co.okie',
    'H.ost',
    '-',
    '~',
    'Keep-Alive',
    'Proxy-Connection',
    'HTTP2-Settings',
  ])
    // prettier-ignore
    test(`${name} is dropped`, () => assert.deepEqual(accepted(withFields(name, 'x')).fields, []))

  const refusedFields: readonly (readonly [fields: readonly string[], code: string])[] = [
    [['X_User', 'a'], 'http/field-underscore'],
    [['Content_Length', '1'], 'http/field-underscore'],
    [['X User', 'a'], 'http/field-name'],
    [['', 'a'], 'http/field-name'],
    [['X:', 'a'], 'http/field-name'],
    [['X-\xe9', 'a'], 'http/field-name'],
    [['X', 'a\r\nY: b'], 'http/field-value'],
    [['X', 'a\0'], 'http/field-value'],
    [['X', '\x7f'], 'http/field-value'],
    [['X', 'caf\xe9'], 'http/field-value'],
    [['X', '\u20ac'], 'http/field-value'],
    [['Content-Type', 'a', 'content-type', 'a'], 'http/field-duplicate'],
    [['Cookie', 'a=1', 'Cookie', 'b=2'], 'http/field-duplicate'],
    [['Origin', 'https://a.example', 'Origin', 'https://b.example'], 'http/field-duplicate'],
    [['Expect', 'x'], 'http/expectation'],
    [['X', 'a'.repeat(32_768)], 'http/fields-too-large'],
    [Array.from({ length: 100 }, (_, i) => [`X-${i}`, '']).flat(), 'http/fields-too-large'],
  ]
  for (const [fields, expected] of refusedFields)
    test(`${JSON.stringify(fields).slice(0, 50)}: ${expected}`, () =>
      assert.equal(code(canonical(withFields(...fields), LIMITS)), expected))

  test('UTF-8 in a value passes byte by byte', () => {
    const bytes = Buffer.from('café').toString('latin1')
    assert.deepEqual(accepted(withFields('X', bytes)).fields, ['X', bytes])
  })

  test('what Connection lists ends here; what the gateway reads is read before', () => {
    const request = accepted(
      withFields('Connection', 'close, X-A , authorization,host', 'X-A', '1', 'X-B', '2', 'Authorization', 'Bearer t'),
    )
    assert.deepEqual(request.fields, ['X-B', '2'])
    assert.deepEqual(request.authorization, ['Bearer t'])
    assert.equal(request.host, 'orders.localhost')
  })

  test('two credentials stay two', () => {
    assert.deepEqual(accepted(withFields('Authorization', 'a', 'authorization', 'b')).authorization, ['a', 'b'])
  })

  test('__proto__ is a name like any other, and holds an underscore', () => {
    assert.equal(code(canonical(withFields('__proto__', 'x'), LIMITS)), 'http/field-underscore')
    assert.deepEqual(accepted(withFields('constructor', 'x')).fields, ['constructor', 'x'])
  })
})

describe('framing', () => {
  const rows: readonly (readonly [fields: readonly string[], version: RawRequest['version'], body: unknown])[] = [
    [[], '1.1', 'none'],
    [['Content-Length', '0'], '1.1', 0],
    [['Content-Length', '5'], '1.1', 5],
    [['Transfer-Encoding', 'Chunked'], '1.1', 'until-end'],
    [['Transfer-Encoding', 'chunked'], '1.0', 'http/framing'],
    [['Transfer-Encoding', 'chunked', 'Content-Length', '5'], '1.1', 'http/framing'],
    [['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'], '1.1', 'http/framing'],
    [['Transfer-Encoding', 'gzip, chunked'], '1.1', 'http/framing'],
    [['Transfer-Encoding', 'chunked, identity'], '1.1', 'http/framing'],
    [['Transfer-Encoding', 'xchunked'], '1.1', 'http/framing'],
    [['Transfer-Encoding', ''], '1.1', 'http/framing'],
    [['Content-Length', '5', 'Content-Length', '5'], '1.1', 'http/framing'],
    [['Content-Length', '+5'], '1.1', 'http/framing'],
    [['Content-Length', '5,5'], '1.1', 'http/framing'],
    [['Content-Length', '0x5'], '1.1', 'http/framing'],
    [['Content-Length', ''], '1.1', 'http/framing'],
    [['Content-Length', '9007199254740993'], '1.1', 'http/framing'],
  ]
  for (const [fields, version, expected] of rows)
    test(`${version} ${JSON.stringify(fields)}: ${String(expected)}`, () => {
      const result = canonical({ ...withFields(...fields), version }, LIMITS)
      assert.equal(result.ok ? result.request.body : result.code, expected)
    })
})

describe('upgrades', () => {
  const key = 'dGhlIHNhbXBsZSBub25jZQ=='
  const handshake = ['Connection', 'keep-alive, Upgrade', 'Upgrade', 'WebSocket', 'Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', key]
  test('exactly websocket', () => assert.equal(accepted(withFields(...handshake)).upgrade, 'websocket'))
  test('h2c is not answered', () => assert.equal(accepted(withFields('Connection', 'Upgrade', 'Upgrade', 'h2c')).upgrade, undefined))
  test('two protocols are not answered', () =>
    assert.equal(accepted(withFields('Connection', 'Upgrade', 'Upgrade', 'websocket, h2c')).upgrade, undefined))
  test('without Connection it is none', () => assert.equal(accepted(withFields('Upgrade', 'websocket')).upgrade, undefined))
  for (const [name, request] of Object.entries({
    'a bad key': withFields(...handshake.slice(0, -1), 'short'),
    'another version': withFields('Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '8', 'Sec-WebSocket-Key', key),
    POST: { ...withFields(...handshake), method: 'POST' },
    'a body': withFields(...handshake, 'Content-Length', '5'),
    'HTTP/1.0': { ...withFields(...handshake), version: '1.0' as const },
  }))
    test(`${name} is refused`, () => assert.equal(code(canonical(request, LIMITS)), 'http/upgrade'))
})

describe('HTTP/2', () => {
  const h2 = (more: Partial<RawRequest> = {}): RawRequest =>
    raw({ version: '2', secure: true, scheme: 'https', authority: 'orders.localhost', rawHeaders: [], endStream: true, ...more })
  test('authority is the host, crumbs are one cookie', () => {
    const request = accepted(h2({ rawHeaders: ['cookie', 'a=1', 'cookie', 'b=2'] }))
    assert.deepEqual([request.host, request.cookie, request.body], ['orders.localhost', 'a=1; b=2', 'none'])
  })
  const rows: readonly (readonly [name: string, more: Partial<RawRequest>, code: string])[] = [
    ['another host', { rawHeaders: ['host', 'billing.localhost'] }, 'http/host-mismatch'],
    ['the same host', { rawHeaders: ['host', 'ORDERS.localhost:443'] }, 'accepted'],
    ['no host at all', { authority: undefined }, 'http/host-missing'],
    ['another scheme', { scheme: 'http' }, 'http/target-form'],
    ['absolute form', { target: 'https://orders.localhost/' }, 'http/target-form'],
    ['a transfer coding', { rawHeaders: ['transfer-encoding', 'chunked'], endStream: false }, 'http/framing'],
    ['a length and no body', { rawHeaders: ['content-length', '5'] }, 'http/framing'],
    ['CONNECT', { method: 'CONNECT' }, 'http/method'],
    ['another protocol', { method: 'CONNECT', protocol: 'connect-udp' }, 'http/upgrade'],
    ['a protocol without CONNECT', { protocol: 'websocket' }, 'http/upgrade'],
  ]
  for (const [name, more, expected] of rows) test(`${name}: ${expected}`, () => assert.equal(code(canonical(h2(more), LIMITS)), expected))
  test('a websocket is a GET', () => {
    const request = accepted(
      h2({ method: 'CONNECT', protocol: 'websocket', endStream: false, rawHeaders: ['sec-websocket-version', '13'] }),
    )
    assert.deepEqual([request.method, request.upgrade, request.body], ['GET', 'websocket', 'none'])
  })
})

describe('a switch of protocols', () => {
  const KEY = ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version', '13']
  const WEBSOCKET = ['Upgrade', 'WebSocket', ...KEY]
  const rows: readonly (readonly [fields: readonly string[], asked: boolean])[] = [
    [['Connection', 'Upgrade', ...WEBSOCKET], true],
    [['Connection', 'close', 'connection', 'keep-alive, UPGRADE', ...WEBSOCKET], true],
    [['Connection', 'Upgrade', 'Upgrade', 'SPDY/3.1'], true],
    [WEBSOCKET, false],
    [['Proxy-Connection', 'Upgrade', ...WEBSOCKET], false],
    [['Connection', 'close', 'Proxy-Connection', 'Upgrade', 'Upgrade', 'SPDY/3.1'], false],
    [['Connection', 'Upgraded', ...WEBSOCKET], false],
    [['Connection', 'Upgrade', 'Upgrade', 'h2c', ...WEBSOCKET], false],
    [['Connection', 'Upgrade', 'Upgrade', 'websocket, SPDY/3.1', ...KEY], false],
  ]
  for (const [fields, asked] of rows)
    test(`${fields.slice(0, 6).join(' ')}: the parser and the decision agree`, () => {
      const request = accepted(raw({ rawHeaders: ['Host', 'a.b', ...fields] }), { ...LIMITS, spdy: true })
      assert.deepEqual([request.upgrade !== undefined, asksForSwitch(fields, new Set(['websocket', 'spdy/3.1']))], [asked, asked])
    })
})

describe('any bytes', () => {
  const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))
  const text = fc.oneof(
    fc.string({ unit: byte, maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(...Array.from('/.%2eEfF5cC;\\?#:@ab*')), maxLength: 24 }),
  )
  const name = fc.oneof(
    text,
    fc.constantFrom('Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Upgrade', 'Authorization', 'Cookie', 'X-A'),
  )

  test('have one canonical form or are refused', () => {
    fc.assert(
      fc.property(
        text,
        fc.constantFrom('GET', 'OPTIONS', 'POST', 'CONNECT'),
        fc.array(fc.tuple(name, text), { maxLength: 8 }),
        fc.boolean(),
        (target, method, fields, slash) => {
          const request = raw({ method, target: slash ? `/${target}` : target, rawHeaders: ['Host', 'a.b', ...fields.flat()] })
          const result = canonical(request, LIMITS)
          if (!result.ok) return
          const { path, query } = result.request
          assert.match(path, /^(\*|(?:\/[A-Za-z0-9\-._~!$&'()*+,=:@%]*)+)$/)
          assert.doesNotMatch(path, /\/\/|\/\.{1,2}(?:\/|$)|%2[ef]|%5c|%3b|%00/i)
          // Nothing is rewritten, so canonical again is the same.
          const again = canonical({ ...request, target: path + query }, LIMITS)
          assert.ok(again.ok && again.request.path === path && again.request.query === query)
          for (const part of result.request.fields) assert.doesNotMatch(part, /[\0\r\n]/)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
