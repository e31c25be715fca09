import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import { recordingUpstream, testDoor, TOKEN, type RecordingUpstream, type TestDoor } from '../../testing/httpdoor.ts'
import { fold } from '../../http/names.ts'

/**
 * Decided == forwarded: whatever bytes a caller sends, each request that reaches the upstream is, byte by byte, the action
 * that was decided and recorded under its decision id, framed without ambiguity, and carries no identity but the gateway's.
 */
let upstream: RecordingUpstream
let door: TestDoor
before(async () => {
  upstream = await recordingUpstream()
  // Everything under /open is allowed to everybody, everything under /orders to the reader, and nothing else.
  door = await testDoor({
    upstream: upstream.url,
    rule: (principal, method, path) =>
      path === '/open' ||
      path.startsWith('/open/') ||
      (principal.kind !== 'anonymous' && path.startsWith('/orders/') && method !== 'DELETE'),
  })
})
after(() => Promise.all([door.close(), upstream.close()]))

const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code))
const pieces = ['/', '.', '..', '%2e', '%2F', '%5c', ';', '\\', '?', '#', '%', '%00', '%61', 'a', 'admin', 'orders', 'open', '//', ' ', '%25', '%c3%a9', ':', '@', '*', '\t'] // prettier-ignore
const target = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.stringMatching(/^\/(?:orders|open)(?:\/(?:[a-zA-Z0-9~:@+-]|%(?:20|3F|23|C3%A9|25)){1,5}){1,3}(?:\?[!$-~]{0,8})?$/),
  },
  ...['/orders/', '/open', ''].map((prefix) => ({
    weight: 1,
    arbitrary: fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => prefix + parts.join('')),
  })),
  {
    weight: 1,
    arbitrary: fc.constantFrom('http://orders.localhost/orders/1', 'http://evil.test/open', '*', 'http://orders.localhost@evil.test/open'),
  },
)
const name = fc.oneof(
  fc.constantFrom(
    'Ostiary-Subject', 'ostiary.roles', 'X-Forwarded-User', 'X-Forwarded-For', 'Connection', 'Content-Length', 'Transfer-Encoding', 'Upgrade', 'Host', 'Expect',
    'Cookie', 'Authorization', 'X-A', 'Keep-Alive', 'TE', 'Trailer', 'X-Original-URL', 'Remote-User', 'Content-Type', 'HTTP2-Settings', 'Proxy',
  ),
  fc.string({ minLength: 1, maxLength: 10 }),
  fc.stringMatching(/^[A-Za-z.-]{1,12}$/),
  fc.stringMatching(/^[A-Za-z.-]{1,12}$/),
) // prettier-ignore
const value = fc.oneof(
  fc.constantFrom('', 'x', 'close', 'Ostiary-Subject', 'keep-alive, Ostiary-Assertion', 'upgrade', 'websocket', 'h2c', 'chunked', '0', '5', '+5', 'gzip, chunked', 'evil.test', '100-continue', 'a=1; b=2', 'Bearer x'),
  fc.string({ maxLength: 16 }),
  fc.string({ unit: byte, maxLength: 8 }),
  fc.stringMatching(/^[ -~]{0,16}$/),
  fc.stringMatching(/^[ -~]{0,16}$/),
) // prettier-ignore
const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND', 'CONNECT', 'TRACE')

test('decided == forwarded', async () => {
  let reached = 0
  await fc.assert(
    fc.asyncProperty(
      method,
      target,
      fc.array(fc.tuple(name, value), { maxLength: 3 }),
      fc.boolean(),
      fc.constantFrom('', 'hello', '5\r\nhello\r\n0\r\n\r\n', 'GET /orders/hidden HTTP/1.1\r\nHost: orders.localhost\r\n\r\n'),
      async (verb, path, fields, signedIn, body) => {
        const before = upstream.seen.length
        const lines = [
          `${verb} ${path} HTTP/1.1`,
          'Host: orders.localhost',
          ...(signedIn ? [`Authorization: Bearer ${TOKEN}`] : []),
          ...fields.map(([key, text]) => `${key}: ${text}`),
          'Connection: close',
        ]
        const client = door.connect().send(`${lines.join('\r\n')}\r\n\r\n${body}`)
        // A body that is shorter than it says would be waited for.
        await Promise.race([client.whole(), new Promise((resolve) => setTimeout(resolve, 30))])
        client.socket.destroy()
        for (const seen of upstream.seen.slice(before)) {
          reached++
          const one = (wanted: string): readonly string[] =>
            seen.fields.filter(([key]) => fold(key) === fold(wanted)).map(([, text]) => text)
          const record = door.records.get(one('Ostiary-Decision')[0] ?? '')
          assert.equal(one('Ostiary-Decision').length, 1)
          assert.equal(record?.event.verdict.kind, 'allowed')
          const [verbSeen, targetSeen, version, ...more] = seen.line.split(' ')
          assert.deepEqual([version, more], ['HTTP/1.1', []])
          assert.deepEqual(record.event.action, { protocol: 'http', method: verbSeen, path: targetSeen!.split('?')[0] })
          assert.doesNotMatch(targetSeen!.split('?')[0]!, /\/\/|\/\.\.?(?:\/|$)|[;\\#]|%2[ef]|%5c/i)
          assert.equal(one('Host').length, 1)
          assert.equal(one('Host')[0], 'orders.localhost')
          const signed = record.event.principal.kind !== 'anonymous'
          for (const own of ['Ostiary-Subject', 'Ostiary-Roles', 'Ostiary-Assertion', 'Ostiary-Issuer'])
            assert.equal(one(own).length, signed ? 1 : 0, own)
          if (signed) assert.equal(one('Ostiary-Subject')[0], 'tenant/user')
          assert.deepEqual(one('X-Forwarded-For'), ['127.0.0.1'])
          for (const never of [
            'Authorization',
            'X-Forwarded-User',
            'Remote-User',
            'X-Original-URL',
            'Upgrade',
            'HTTP2-Settings',
            'Keep-Alive',
            'Proxy',
          ])
            assert.deepEqual(one(never), [], never)
          assert.ok(one('Content-Length').length + one('Transfer-Encoding').length <= 1, 'one framing or none')
        }
      },
    ),
    { numRuns: 400 },
  )
  assert.ok(reached > 40, `only ${reached} requests got as far as the upstream`)
})
