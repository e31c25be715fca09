/** Attacks 48, 49 and 66: tunnels. What goes through one is never decided again, so only a WebSocket gets one, where a route allows it. */
import assert from 'node:assert/strict'
import { valuesOf, type Seen } from './recorder.ts'
import { HOST, passesOrRefused, READER, request, type Row } from './row.ts'

const HANDSHAKE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
const CHAT = 'Host: chat.localhost'
const hidden = (host: string): string => request('GET /orders/hidden HTTP/1.1', [host, READER])
const NEVER = [400, 403, 426, 501]

function withoutHidden(seen: readonly Seen[]): void {
  assert.ok(!seen.some(({ raw }) => raw.includes('/orders/hidden')), 'what was behind the upgrade arrived')
}

const nowhere: readonly Row[] = [
  {
    id: 48,
    name: 'Upgrade: h2c',
    send: request('GET /orders/1 HTTP/1.1', [
      HOST,
      READER,
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
    ]),
    expect: passesOrRefused(
      (seen) => {
        assert.deepEqual(valuesOf(seen, 'upgrade'), [])
        assert.deepEqual(valuesOf(seen, 'http2-settings'), [])
        assert.ok(!/upgrade/i.test(valuesOf(seen, 'connection').join()))
      },
      ...NEVER,
    ),
    why: 'a tunnel to the upstream is past the policy',
  },
  ...['websocket', 'WebSocket, h2c', 'TLS/1.0', 'foo'].map((protocol): Row => ({
    id: 48,
    name: `Upgrade: ${protocol} on a resource without`,
    send: request('GET /orders/1 HTTP/1.1', [HOST, READER, 'Connection: Upgrade', `Upgrade: ${protocol}`]),
    expect: passesOrRefused((seen) => assert.deepEqual(valuesOf(seen, 'upgrade'), []), ...NEVER),
    why: 'a tunnel only where the resource allows one',
  })),
  {
    id: 49,
    name: 'a request behind an upgrade that is not allowed',
    send: request('GET /orders/1 HTTP/1.1', [HOST, READER, ...HANDSHAKE]) + hidden(HOST).replace(`${READER}\r\n`, ''),
    methods: ['GET', 'GET'],
    expect: { answers: [[200, ...NEVER]], upstream: withoutHidden },
    unfinished: true,
    why: 'what follows is decided, never passed on as bytes',
  },
]

const WITHOUT: readonly (readonly [name: string, fields: readonly string[], line: string, why: string])[] = [
  [
    'h2c on a resource with WebSockets',
    [READER, 'Connection: Upgrade', 'Upgrade: h2c'],
    'GET /orders/1 HTTP/1.1',
    'only `websocket`, exactly',
  ],
  [
    'websocket and h2c on a resource with WebSockets',
    [READER, ...HANDSHAKE.map((one) => one.replace('Upgrade: websocket', 'Upgrade: websocket, h2c'))],
    'GET /orders/1 HTTP/1.1',
    'only `websocket`, exactly',
  ],
  ['two Upgrade headers', [READER, ...HANDSHAKE, 'Upgrade: h2c'], 'GET /orders/1 HTTP/1.1', 'only `websocket`, exactly'],
  ['POST', [READER, ...HANDSHAKE], 'POST /orders/1 HTTP/1.1', 'RFC 6455 section 4.1: the method is GET'],
  ['no key', [READER, ...HANDSHAKE.slice(0, 3)], 'GET /orders/1 HTTP/1.1', 'RFC 6455 section 4.2.1'],
  ['an old version', [READER, ...HANDSHAKE.map((one) => one.replace('13', '8'))], 'GET /orders/1 HTTP/1.1', 'RFC 6455 section 4.2.1'],
  ['no Connection: Upgrade', [READER, ...HANDSHAKE.slice(1)], 'GET /orders/1 HTTP/1.1', 'RFC 6455 section 4.2.1'],
]

const halfHandshakes: readonly Row[] = WITHOUT.map(([name, fields, line, why]) => ({
  id: 48,
  name: `WebSocket handshake: ${name}`,
  send: request(line, [CHAT, ...fields]),
  // Either refused, or an ordinary request of which the upstream can make no tunnel.
  expect: {
    answers: [[200, ...NEVER]],
    upstream: (seen: readonly Seen[]) => {
      for (const one of seen) assert.ok(!valuesOf(one, 'upgrade').join().includes('h2c') && !/h2c/.test(one.raw), one.raw)
      if (!name.includes('h2c')) for (const one of seen) assert.deepEqual(valuesOf(one, 'upgrade'), [])
    },
  },
  unfinished: true,
  why,
}))

const bearers: readonly Row[] = [
  {
    id: 111,
    name: 'WebSocket handshake without a token',
    send: request('GET /orders/1 HTTP/1.1', [CHAT, ...HANDSHAKE]),
    expect: { answers: [[401]], upstream: 'none' },
    unfinished: true,
    why: 'a handshake is decided like any request',
  },
  ...['https://evil.test', 'null', 'https://chat.localhost.evil.test', 'http://evilchat.localhost', 'file://'].map((origin): Row => ({
    id: 66,
    name: `WebSocket handshake from ${origin}`,
    send: request('GET /orders/1 HTTP/1.1', [CHAT, READER, ...HANDSHAKE, `Origin: ${origin}`]),
    expect: { answers: [[403]], upstream: 'none' },
    unfinished: true,
    why: 'browsers let any page open a WebSocket: the origin is all there is to tell it by',
  })),
  {
    id: 49,
    name: 'the upstream answers a handshake with 200, and a request follows unasked',
    send: request('GET /orders/1 HTTP/1.1', [CHAT, READER, ...HANDSHAKE]) + hidden(CHAT),
    methods: ['GET', 'GET'],
    expect: { answers: [[200, 400, 502]], upstream: withoutHidden },
    unfinished: true,
    why: 'bytes sent before the 101 are held or the connection ends: until then there is no tunnel',
  },
  {
    id: 49,
    name: 'a handshake with a body',
    send: request('GET /orders/1 HTTP/1.1', [CHAT, READER, ...HANDSHAKE, `Content-Length: ${hidden(CHAT).length}`], hidden(CHAT)),
    methods: ['GET', 'GET'],
    expect: {
      answers: [[200, 400, 413, 502]],
      upstream: (seen) => assert.ok(!seen.some(({ target }) => target === '/orders/hidden')),
    },
    unfinished: true,
    why: 'a body stays a body',
  },
]

export const upgradeRows: readonly Row[] = [...nowhere, ...halfHandshakes, ...bearers]
