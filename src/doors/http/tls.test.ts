import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import {
  connect as connectH2,
  constants,
  createServer as createH2cServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { WebSocketServer } from 'ws'
import { systemClock, systemEntropy } from '../../core/clock.ts'
import { ensureDevCa, type DevCa } from '../../demo/ca.ts'
import { ManualClock } from '../../testing/clock.ts'
import { fieldOf, OK, RawConnection, recordingUpstream, testDoor, TOKEN } from '../../testing/httpdoor.ts'
import type { DoorOptions, TestDoor } from '../../testing/httpdoor.ts'

let folder: string
let files: DevCa
let ca: string
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ostiary-http-'))
  files = await ensureDevCa({
    dataDir: folder,
    clock: systemClock,
    entropy: systemEntropy,
    names: ['orders.localhost', 'billing.localhost'],
  })
  ca = readFileSync(files.caFile, 'utf8')
})
after(() => rmSync(folder, { recursive: true }))

async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise((resolve) => setImmediate(resolve))
}

async function tlsDoor(
  t: TestContext,
  options: DoorOptions & { readonly limits?: Readonly<Record<string, unknown>> } = {},
): Promise<TestDoor> {
  const door = await testDoor({
    ...options,
    door: { listen: [{ address: '127.0.0.1:0', tls: { cert: files.certFile, key: files.keyFile } }], limits: options.limits ?? {} },
  })
  t.after(() => door.close())
  return door
}

function session(t: TestContext, door: TestDoor, servername = 'orders.localhost'): ClientHttp2Session {
  const client = connectH2(`https://127.0.0.1:${door.port}`, { ca, servername })
  client.on('error', () => undefined)
  t.after(() => client.destroy())
  return client
}

interface Got {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly trailers: Readonly<Record<string, unknown>>
  readonly body: string
  readonly code: number
}

function start(client: ClientHttp2Session, headers: OutgoingHttpHeaders, endStream = true): ClientHttp2Stream {
  const stream = client.request(
    { ':authority': 'orders.localhost', ':path': '/orders/1', authorization: `Bearer ${TOKEN}`, ...headers },
    { endStream },
  )
  stream.on('error', () => undefined)
  return stream
}

function whole(stream: ClientHttp2Stream): Promise<Got> {
  return new Promise((resolve) => {
    let head: Readonly<Record<string, unknown>> = {}
    let trailers: Readonly<Record<string, unknown>> = {}
    let body = ''
    stream.on('response', (headers) => (head = headers))
    stream.on('trailers', (fields) => (trailers = fields))
    stream.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
    stream.on('close', () =>
      resolve({ status: head[':status'] as number | undefined, headers: head, trailers, body, code: stream.rstCode }),
    )
  })
}

const outcomes = (door: TestDoor) => [...door.records.values()].flatMap(({ outcomes }) => outcomes.map(({ result }) => result))

describe('TLS', () => {
  test('HTTP/1.1 and HTTP/2 on one listener, by what is agreed', async (t) => {
    const upstream = await recordingUpstream()
    t.after(() => upstream.close())
    const door = await tlsDoor(t, { upstream: upstream.url })
    const socket = connectTls({ port: door.port, host: '127.0.0.1', ca, servername: 'orders.localhost', ALPNProtocols: ['http/1.1'] })
    const h1 = new RawConnection(socket).send(`GET /1 HTTP/1.1\r\nHost: orders.localhost\r\nConnection: close\r\n\r\n`)
    assert.match(await h1.whole(), /^HTTP\/1\.1 200 OK/)
    const got = await whole(start(session(t, door), { cookie: ['a=1', 'b=2'] }))
    assert.deepEqual([got.status, got.body], [200, 'ok'])
    assert.equal(fieldOf(upstream.seen[1], 'X-Forwarded-Proto'), 'https')
    assert.equal(fieldOf(upstream.seen[1], 'Host'), 'orders.localhost')
    assert.equal(fieldOf(upstream.seen[1], 'Cookie'), 'a=1; b=2')
    assert.equal(fieldOf(upstream.seen[1], 'Ostiary-Subject'), 'tenant/user')
    await until(() => outcomes(door).length === 2)
    assert.deepEqual(outcomes(door), ['completed', 'completed'])
  })

  test('another host than the one the connection was opened for: 421', async (t) => {
    const to = { upstream: { url: 'http://127.0.0.1:9' } }
    const door = await tlsDoor(t, { resources: { orders: to, billing: { ...to, hosts: ['billing.localhost'] } } })
    const got = await whole(start(session(t, door), { ':authority': 'billing.localhost' }))
    assert.equal(got.status, 421)
    assert.match(got.body, /http\/server-name/)
  })

  test('a certificate that changes is taken up, one that can not be used is not', async (t) => {
    const clock = new ManualClock(Date.now())
    const own = { cert: join(folder, 'own.pem'), key: join(folder, 'own-key.pem') }
    copyFileSync(files.certFile, own.cert)
    copyFileSync(files.keyFile, own.key)
    const door = await testDoor({
      clock,
      folder,
      door: { listen: [{ address: '127.0.0.1:0', tls: { cert: 'own.pem', key: 'own-key.pem' } }] },
    })
    t.after(() => door.close())
    const fingerprint = (): Promise<string> =>
      new Promise((resolve) => {
        const socket = connectTls({ port: door.port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'orders.localhost' }, () => {
          resolve(socket.getPeerCertificate().fingerprint256)
          socket.destroy()
        })
      })
    const first = await fingerprint()
    const other = mkdtempSync(join(folder, 'other-'))
    const fresh = await ensureDevCa({ dataDir: other, clock: systemClock, entropy: systemEntropy, names: ['orders.localhost'] })
    copyFileSync(fresh.certFile, own.cert)
    clock.advance(10_000)
    assert.equal(await fingerprint(), first, 'a certificate without its key stays outside')
    copyFileSync(fresh.keyFile, own.key)
    clock.advance(10_000)
    assert.notEqual(await fingerprint(), first)
  })

  test('a file that is none is an error that names it', async () => {
    await assert.rejects(
      testDoor({ folder, door: { listen: [{ address: '127.0.0.1:0', tls: { cert: 'nowhere.pem', key: files.keyFile } }] } }),
      (error: { code?: string; details?: { file?: string } }) => error.code === 'http/certificate' && error.details?.file === 'nowhere.pem',
    )
  })

  test('an upstream is believed by its own authority and name, and by no other', async (t) => {
    const seen: (string | false | undefined)[] = []
    const server = createHttpsServer({ cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) }, (request, response) => {
      seen.push((request.socket as { servername?: string | false }).servername)
      response.end('secure')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => (server.closeAllConnections(), server.close()))
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    const status = async (upstream: Readonly<Record<string, unknown>>): Promise<string> => {
      const door = await testDoor({ resource: { upstream: { url, ...upstream } } })
      const text = await door.connect().send('GET / HTTP/1.1\r\nHost: orders.localhost\r\nConnection: close\r\n\r\n').whole()
      await door.close()
      return text.split(' ')[1]!
    }
    assert.equal(await status({ ca: files.caFile }), '200', 'by its address')
    assert.equal(await status({ ca: files.caFile, serverName: 'billing.localhost' }), '200')
    assert.equal(await status({ ca: files.caFile, serverName: 'other.example' }), '502')
    assert.equal(await status({}), '502', 'not by the authorities of the system')
    assert.deepEqual(seen, [false, 'billing.localhost'])
  })
})

describe('HTTP/2', () => {
  test('bodies stream both ways, and the end of one is not the end of the other', async (t) => {
    const upstream = await recordingUpstream()
    t.after(() => upstream.close())
    const door = await tlsDoor(t, { upstream: upstream.url })
    const client = session(t, door)
    const stream = start(client, { ':method': 'POST', 'content-length': '10' }, false)
    stream.write('hello')
    stream.end('world')
    assert.equal((await whole(stream)).status, 200)
    assert.ok(upstream.seen[0]!.raw.endsWith('\r\n\r\nhelloworld'))
    const unknown = start(client, { ':method': 'PUT' }, false)
    unknown.end('hello')
    await whole(unknown)
    assert.equal(fieldOf(upstream.seen[1], 'Transfer-Encoding'), 'chunked')
    const head = await whole(start(client, { ':method': 'HEAD' }))
    assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '2', ''])
  })

  test('an early refusal does not wait for the body', async (t) => {
    const door = await tlsDoor(t, { rule: () => false })
    const client = session(t, door)
    const got = await whole(start(client, { ':method': 'POST', authorization: 'Bearer other' }, false))
    assert.equal(got.status, 401)
    assert.match(String(got.headers['www-authenticate']), /^Bearer realm="orders", error="invalid_token"/)
    assert.equal(got.code, constants.NGHTTP2_NO_ERROR)
    assert.equal((await whole(start(client, {}))).status, 403, 'the connection goes on')
  })

  test('what is cut is reset, and takes its upstream with it', async (t) => {
    const upstream = await recordingUpstream(() => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n')
    t.after(() => upstream.close())
    const door = await tlsDoor(t, { upstream: upstream.url })
    const client = session(t, door)
    const [revoked, left] = [start(client, {}), start(client, {})]
    const ends = [revoked, left].map(whole)
    await Promise.all([revoked, left].map((stream) => new Promise((resolve) => stream.once('data', resolve))))
    left.close(constants.NGHTTP2_CANCEL)
    await ends[1]
    await until(() => outcomes(door).length === 1)
    door.verified.revoked = true
    door.pipeline.open.sweep()
    assert.equal((await ends[0]!).code, constants.NGHTTP2_INTERNAL_ERROR)
    await until(() => upstream.sockets.size === 0 && outcomes(door).length === 2)
    assert.deepEqual(outcomes(door).toSorted(), ['client-aborted', 'revoked'])
  })

  test('resets without end close the connection', async (t) => {
    const upstream = await recordingUpstream(() => undefined)
    t.after(() => upstream.close())
    const door = await tlsDoor(t, { upstream: upstream.url, limits: { resets: 10 } })
    const client = session(t, door)
    await new Promise((resolve) => client.once('remoteSettings', resolve))
    const closed = new Promise((resolve) => client.once('close', resolve))
    // More than the limit, and then no more: what is to be seen is that the connection ends.
    for (let i = 0; i < 40 && !client.destroyed && !client.closed; i++) {
      const stream = start(client, {})
      await new Promise((resolve) => setTimeout(resolve, 1))
      stream.close(constants.NGHTTP2_CANCEL)
    }
    await closed
    await until(() => door.pipeline.open.size === 0)
  })

  test('a drain lets streams finish and says that no more are taken', async (t) => {
    let answer = (): void => undefined
    const upstream = await recordingUpstream((_seen, socket) => void (answer = () => socket.write(OK)))
    t.after(() => upstream.close())
    const door = await tlsDoor(t, { upstream: upstream.url })
    const client = session(t, door)
    const stream = start(client, {})
    const goaway = new Promise((resolve) => client.once('goaway', resolve))
    await until(() => upstream.seen.length === 1)
    const drained = door.door.drain(5000)
    await goaway
    answer()
    assert.equal((await whole(stream)).status, 200)
    await drained
    assert.deepEqual(outcomes(door), ['completed'])
  })

  test('a WebSocket over a stream', async (t) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    server.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(data)))
    await new Promise((resolve) => server.once('listening', resolve))
    t.after(() => server.close())
    const door = await tlsDoor(t, {
      upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      resource: { websocket: true },
    })
    const client = session(t, door)
    await new Promise((resolve) => client.once('remoteSettings', resolve))
    assert.equal(client.remoteSettings.enableConnectProtocol, true)
    const stream = start(
      client,
      { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', 'sec-websocket-version': '13' },
      false,
    )
    const head = await new Promise<Readonly<Record<string, unknown>>>((resolve) => stream.once('response', resolve))
    assert.equal(head[':status'], 200)
    stream.write(Buffer.from([0x82, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
    const [echoed] = await new Promise<[Buffer]>((resolve) => stream.once('data', (...data: [Buffer]) => resolve(data)))
    assert.deepEqual([...echoed], [0x82, 2, 0x68, 0x69])
    const [record] = door.records.values()
    assert.deepEqual(record!.event.action, { protocol: 'http', method: 'GET', path: '/orders/1' })
    const closing = new Promise<Buffer>((resolve) => stream.once('data', resolve))
    door.verified.revoked = true
    door.pipeline.open.sweep()
    assert.deepEqual([...(await closing)].slice(0, 4), [0x88, 14, 0x03, 0xf0])
    await new Promise((resolve) => (stream.destroyed ? resolve(undefined) : stream.once('close', resolve)))
    assert.deepEqual(outcomes(door), ['revoked'])
  })

  test('to an upstream that speaks it, with what gRPC needs', async (t) => {
    const server = createH2cServer()
    const seen: Readonly<Record<string, unknown>>[] = []
    server.on('stream', (stream, headers) => {
      seen.push(headers)
      if (headers[':path'] === '/trailers-only') {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true })
        return
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'ostiary-decision': 'x' }))
      stream.on('data', (chunk: Buffer) => stream.write(chunk.toString().toUpperCase()))
      stream.on('end', () => stream.end())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const door = await tlsDoor(t, {
      resource: { upstream: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, http2: true } },
    })
    t.after(() => server.close())
    const client = session(t, door)
    const stream = start(client, { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }, false)
    const got = whole(stream)
    stream.write('one')
    await new Promise((resolve) => stream.once('data', resolve))
    stream.end('two')
    const { status, body, trailers } = await got
    assert.deepEqual([status, body, trailers['grpc-status'], trailers['ostiary-decision']], [200, 'ONETWO', '0', undefined])
    assert.equal(seen[0]!['te'], 'trailers')
    assert.equal(seen[0]!['ostiary-subject'], 'tenant/user')
    const only = start(client, { ':method': 'POST', ':path': '/trailers-only', te: 'trailers', 'content-type': 'application/grpc' }, false)
    only.end('x')
    const flags = await new Promise<number>((resolve) => only.once('response', (_headers, bits) => resolve(bits)))
    assert.ok((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0, 'the head ends the stream')
    await until(() => outcomes(door).length === 2)
    assert.deepEqual(outcomes(door), ['completed', 'completed'])
  })
})
