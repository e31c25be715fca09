import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { fieldOf, policyOf, recordingUpstream, testDoor, TOKEN } from '../../testing/httpdoor.ts'
import type { DoorOptions, TestDoor } from '../../testing/httpdoor.ts'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const HANDSHAKE = `Host: orders.localhost\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
const ACCEPTED = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`

async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise((resolve) => setImmediate(resolve))
}

const outcomes = (door: TestDoor) => [...door.records.values()].flatMap(({ outcomes }) => outcomes)

/** A door in front of a real WebSocket server that sends every message back. */
async function echo(t: TestContext, options: DoorOptions = {}) {
  const http = createServer()
  const server = new WebSocketServer({ server: http, handleProtocols: (protocols) => [...protocols][0] ?? false })
  const requests: string[][] = []
  server.on('connection', (socket, request) => {
    requests.push(request.rawHeaders)
    socket.on('error', () => undefined)
    socket.on('message', (data: Buffer, binary) => socket.send(data, { binary }))
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const door = await testDoor({
    upstream: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    ...options,
    resource: { websocket: { origins: ['https://app.example.com'] }, ...options.resource },
  })
  t.after(async () => {
    await door.close()
    for (const socket of server.clients) socket.terminate()
    http.close()
  })
  const open = (headers: Readonly<Record<string, string>> = {}, protocols: string[] = []): WebSocket => {
    const socket = new WebSocket(`ws://127.0.0.1:${door.port}/chat?x=1`, protocols, {
      headers: { Host: 'orders.localhost', Authorization: `Bearer ${TOKEN}`, ...headers },
    })
    socket.on('error', () => undefined)
    return socket
  }
  return { door, server, requests, open }
}

const once = <T>(emitter: { once(name: string, listener: (...values: never[]) => void): unknown }, name: string): Promise<T> =>
  new Promise((resolve) => emitter.once(name, (...values) => resolve(values as T)))

describe('a WebSocket', () => {
  test('passes messages both ways, however large, with what was agreed', async (t) => {
    const { door, requests, open } = await echo(t)
    const socket = open({ Origin: 'http://orders.localhost' }, ['chat'])
    await once(socket, 'open')
    assert.equal(socket.protocol, 'chat')
    for (const size of [0, 1, 125, 126, 70_000, 3_000_000]) {
      socket.send(Buffer.alloc(size, size))
      const [data] = await once<[Buffer]>(socket, 'message')
      assert.ok(data.equals(Buffer.alloc(size, size)), `${size} bytes`)
    }
    socket.close(1000, 'bye')
    const [code] = await once<[number]>(socket, 'close')
    assert.equal(code, 1000)
    await until(() => outcomes(door).length === 1)
    const [outcome] = outcomes(door)
    assert.deepEqual([outcome!.result, outcome!.status], ['completed', 101])
    assert.ok(outcome!.bytesIn > 3_070_000 && outcome!.bytesOut > 3_070_000)
    const [record] = door.records.values()
    assert.deepEqual(record!.event.action, { protocol: 'http', method: 'GET', path: '/chat' })
    const names = requests[0]!.filter((_, i) => i % 2 === 0)
    assert.ok(names.includes('Ostiary-Subject') && names.includes('Ostiary-Assertion') && !names.includes('Authorization'))
  })

  for (const [name, end, result] of [
    ['revoked', (door: TestDoor) => ((door.verified.revoked = true), door.pipeline.open.sweep()), 'revoked'],
    ['no longer allowed', (door: TestDoor) => door.policies.swap(policyOf(() => false, 'sha256:2')), 'policy-changed'],
  ] as const)
    test(`closes with 1008 when access is ${name}`, async (t) => {
      const { door, server, open } = await echo(t)
      const socket = open()
      await once(socket, 'open')
      socket.send('hello')
      await once(socket, 'message')
      end(door)
      const [code, reason] = await once<[number, Buffer]>(socket, 'close')
      assert.deepEqual([code, reason.toString()], [1008, 'access ended'])
      await until(() => server.clients.size === 0)
      assert.deepEqual(
        outcomes(door).map((outcome) => outcome.result),
        [result],
      )
    })

  test('closes with 1012 when the gateway drains', async (t) => {
    const { door, open } = await echo(t)
    const socket = open()
    await once(socket, 'open')
    const closed = once<[number]>(socket, 'close')
    await door.door.drain(5000)
    assert.equal((await closed)[0], 1012)
    assert.equal(outcomes(door)[0]?.result, 'shut-down')
  })

  test('is not opened by a page of another site, nor on a resource without', async (t) => {
    const { door, server, open } = await echo(t)
    for (const origin of ['https://evil.example', 'null', 'http://orders.localhost.evil.example', 'https://orders.localhost']) {
      const [, response] = await once<[unknown, { statusCode: number }]>(open({ Origin: origin }), 'unexpected-response')
      assert.equal(response.statusCode, 403, origin)
    }
    const allowed = open({ Origin: 'https://app.example.com' })
    await once(allowed, 'open')
    allowed.terminate()
    assert.deepEqual([...new Set(outcomes(door).map(({ result, status }) => `${result} ${status}`))], ['refused 403'])
    await until(() => server.clients.size === 0)
    const without = await echo(t, { resource: { websocket: false } })
    const [, response] = await once<[unknown, { statusCode: number }]>(without.open(), 'unexpected-response')
    assert.equal(response.statusCode, 400)
    assert.equal(without.requests.length, 0)
  })

  test('is decided like any other request', async (t) => {
    const { requests, open } = await echo(t, { rule: (principal) => principal.kind !== 'anonymous' })
    const [, response] = await once<[unknown, { statusCode: number }]>(open({ Authorization: 'Bearer other' }), 'unexpected-response')
    assert.equal(response.statusCode, 401)
    assert.equal(requests.length, 0)
  })
})

describe('a handshake', () => {
  async function raw(t: TestContext, answer: (socket: Socket) => string | undefined) {
    const upstream = await recordingUpstream((_seen, socket) => answer(socket))
    const door = await testDoor({ upstream: upstream.url, resource: { websocket: true } })
    t.after(() => Promise.all([door.close(), upstream.close()]))
    return { upstream, door }
  }

  test('bytes sent before the upstream agrees wait for it', async (t) => {
    let agree = (): void => undefined
    let early = ''
    const { upstream, door } = await raw(t, (socket) => {
      socket.removeAllListeners('data')
      socket.on('data', (chunk: Buffer) => (early += chunk.toString('latin1')))
      agree = () => socket.write(ACCEPTED)
      return undefined
    })
    const client = door.connect().send(`GET /chat HTTP/1.1\r\n${HANDSHAKE}\r\nGET /hidden HTTP/1.1\r\n\r\n`)
    await until(() => upstream.seen.length === 1)
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(early, '')
    agree()
    await client.until((text) => text.includes('101'))
    await until(() => early !== '')
    assert.equal(early, 'GET /hidden HTTP/1.1\r\n\r\n', 'once agreed they are frames, whatever they look like')
    assert.equal(fieldOf(upstream.seen[0], 'Sec-WebSocket-Key'), KEY)
    assert.deepEqual([fieldOf(upstream.seen[0], 'Connection'), fieldOf(upstream.seen[0], 'Upgrade')], ['Upgrade', 'websocket'])
  })

  test('refused by the upstream: its answer goes down, and what the caller sent goes nowhere', async (t) => {
    const { upstream, door } = await raw(t, () => 'HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nKeep-Alive: x\r\nContent-Length: 2\r\n\r\nno')
    const text = await door.connect().send(`GET /chat HTTP/1.1\r\n${HANDSHAKE}\r\nGET /hidden HTTP/1.1\r\n\r\n`).whole()
    assert.match(
      text,
      /^HTTP\/1\.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 2\r\nOstiary-Decision: d1\r\nConnection: close\r\n\r\nno$/,
    )
    assert.equal(upstream.seen.length, 1)
    await until(() => outcomes(door).length === 1)
    assert.deepEqual([outcomes(door)[0]!.result, outcomes(door)[0]!.status], ['completed', 403])
  })

  for (const [name, answer] of Object.entries({
    'to another protocol': ACCEPTED.replace('Upgrade: websocket', 'Upgrade: h2c'),
    'with a wrong proof': ACCEPTED.replace(ACCEPT, 'x'),
    'without a proof': ACCEPTED.replace(/Sec-WebSocket-Accept.*\r\n/, ''),
  }))
    test(`answered by an upstream that switches ${name}: 502`, async (t) => {
      const { upstream, door } = await raw(t, () => answer)
      const text = await door.connect().send(`GET /chat HTTP/1.1\r\n${HANDSHAKE}\r\n`).whole()
      assert.match(text, /^HTTP\/1\.1 502 [\s\S]*http\/upstream-failed/)
      await until(() => upstream.sockets.size === 0)
    })

  test('with nobody behind it: 502; given up by the caller: the upstream is let go', async (t) => {
    const { upstream, door } = await raw(t, () => undefined)
    const client = door.connect().send(`GET /chat HTTP/1.1\r\n${HANDSHAKE}\r\n`)
    await until(() => upstream.seen.length === 1)
    client.socket.destroy()
    await upstream.close()
    await until(() => outcomes(door).length === 1)
    const text = await door.connect().send(`GET /chat HTTP/1.1\r\n${HANDSHAKE}\r\n`).whole()
    assert.match(text, /^HTTP\/1\.1 502 /)
  })

  test('cut within a frame: no close frame is put into it', async (t) => {
    const { door } = await raw(t, () => `${ACCEPTED}\x82\x0ahalf`)
    const client = door.connect().send(`GET /chat HTTP/1.1\r\n${HANDSHAKE}\r\n`)
    await client.until((text) => text.endsWith('half'))
    door.verified.revoked = true
    door.pipeline.open.sweep()
    assert.ok((await client.whole()).endsWith('half'))
    assert.equal(outcomes(door)[0]?.result, 'revoked')
  })

  test('an upgrade to anything else is an ordinary request', async (t) => {
    const { upstream, door } = await raw(t, () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const fields = `Host: orders.localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n`
    const client = door.connect().send(`GET / HTTP/1.1\r\n${fields}\r\n`)
    assert.match(await client.until((text) => text.endsWith('ok')), /^HTTP\/1\.1 200 OK/)
    for (const name of ['Upgrade', 'HTTP2-Settings']) assert.equal(fieldOf(upstream.seen[0], name), undefined)
  })
})
