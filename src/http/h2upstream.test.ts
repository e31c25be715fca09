import assert from 'node:assert/strict'
import { constants, type ServerHttp2Stream } from 'node:http2'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import { describe, test, type TestContext } from 'node:test'
import { systemClock, type Clock } from '../core/clock.ts'
import { ManualClock } from '../testing/clock.ts'
import { certifiedBy, testAuthority } from '../testing/pki.ts'
import { linesOf, standInApiServer, type StandInApiServer, type StandInOptions } from '../testing/standin-apiserver.ts'
import { RequestBody } from './body.ts'
import type { Fields, UpstreamRequest, UpstreamTarget } from './engine.ts'
import { Upstreams, type UpstreamCall, type UpstreamFailure, type UpstreamHandler } from './upstream.ts'

const { NGHTTP2_REFUSED_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_ENHANCE_YOUR_CALM } = constants

/** What was told of a call. */
class Told implements UpstreamHandler {
  status = 0
  fields: Fields = []
  bytes = 0
  body = ''
  trailers: Fields | undefined
  failure: UpstreamFailure | undefined
  /** Whether bytes came before the head, which says what is done to them. */
  early = false
  onOver: () => void = () => undefined
  /** Whether it takes more at once. */
  open = true

  continued(): void {
    // Nothing here asks for it.
  }

  head(status: number, fields: Fields): void {
    assert.equal(this.status, 0, 'two heads')
    this.status = status
    this.fields = fields
  }

  data(chunk: Buffer): boolean {
    assert.ok(!this.over, 'told of after its end')
    this.early ||= this.status === 0
    this.bytes += chunk.length
    if (this.body.length < 1000) this.body += chunk.toString()
    return this.open
  }

  ended(trailers: Fields): void {
    assert.ok(!this.over, 'ended twice')
    this.trailers = trailers
    this.onOver()
  }

  failed(failure: UpstreamFailure): void {
    assert.ok(!this.over, 'failed after its end')
    this.failure = failure
    this.onOver()
  }

  get over(): boolean {
    return this.trailers !== undefined || this.failure !== undefined
  }
}

interface Asked {
  readonly told: Told
  readonly call: UpstreamCall
}

interface Setting {
  readonly api: StandInApiServer
  readonly upstreams: Upstreams
  readonly target: UpstreamTarget
  ask(path?: string, more?: Partial<UpstreamRequest>, body?: RequestBody): Asked
}

async function setUp(
  t: TestContext,
  answer?: StandInApiServer['answer'],
  {
    clock = systemClock,
    target: over = {},
    ...options
  }: StandInOptions & { readonly clock?: Clock; readonly target?: Partial<UpstreamTarget> } = {},
): Promise<Setting> {
  const api = await standInApiServer(answer, options)
  const upstreams = new Upstreams(clock)
  const target: UpstreamTarget = {
    resource: 'bed',
    secure: true,
    hostname: '127.0.0.1',
    port: api.port,
    socketPath: undefined,
    ca: api.ca,
    serverName: 'localhost',
    http2: true,
    separateFields: true,
    connections: 8,
    pending: 8,
    connectTimeout: 5000,
    headersTimeout: 5000,
    idleTimeout: 60_000,
    ...over,
  }
  t.after(async () => {
    await upstreams.close()
    await api.close()
  })
  return {
    api,
    upstreams,
    target,
    ask(path = '/', more = {}, body?: RequestBody) {
      const told = new Told()
      const request: UpstreamRequest = {
        method: 'GET',
        target: path,
        host: 'bed.example.com',
        fields: [],
        body: 'none',
        expectsContinue: false,
        announcesTrailers: false,
        acceptsTrailers: false,
        ...more,
      }
      return { told, call: upstreams.call(target, request, body, told) }
    },
  }
}

/** Resolves once `ready` holds; looked at whenever the event loop comes round. */
async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise((resolve) => setImmediate(resolve))
}

/** A way to a port that can be cut without either end being told. */
async function severable(to: number) {
  const sockets = new Set<Socket>()
  const server = createServer((from) => {
    const there = connect(to, '127.0.0.1')
    for (const socket of [from, there]) sockets.add(socket.on('error', () => undefined))
    from.pipe(there).pipe(from)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    sever(): void {
      for (const socket of sockets) socket.unpipe().pause()
    },
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

/** A server that answers each request with head, body and end in one piece, as servers do that write frame by frame into a buffer. */
async function framedServer() {
  const authority = await testAuthority('frames')
  const names = [{ type: 'dns', value: 'localhost' }] as const
  const { cert, key } = await certifiedBy(authority, { names, usages: ['1.3.6.1.5.5.7.3.1'] })
  const sockets = new Set<Socket>()
  const frame = (type: number, flags: number, stream: number, payload: string): Buffer => {
    const head = Buffer.alloc(9)
    head.writeUIntBE(payload.length, 0, 3)
    head.writeUInt8(type, 3)
    head.writeUInt8(flags, 4)
    head.writeUInt32BE(stream, 5)
    return Buffer.concat([head, Buffer.from(payload, 'latin1')])
  }
  const server = createTlsServer({ cert, key, ALPNProtocols: ['h2'] }, (socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.write(frame(4, 0, 0, ''))
    let read: Buffer = Buffer.alloc(0)
    let at = 24
    socket.on('data', (chunk: Buffer) => {
      read = Buffer.concat([read, chunk])
      for (; at + 9 <= read.length; at += 9 + read.readUIntBE(at, 3)) {
        // HEADERS, answered by `:status: 200` (RFC 7541 appendix A, no. 8) and DATA; SETTINGS are acknowledged.
        if (read[at + 3] === 1) {
          const stream = read.readUInt32BE(at + 5)
          socket.write(Buffer.concat([frame(1, 4, stream, '\x88'), frame(0, 1, stream, 'hello')]))
        } else if (read[at + 3] === 4 && read[at + 4] === 0) socket.write(frame(4, 1, 0, ''))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    ca: authority.cert,
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

const over = (all: readonly Asked[]): Promise<void> => until(() => all.every(({ told }) => told.over))
/** Begins to answer and goes on for ever. */
const watching = ({ stream }: { readonly stream: ServerHttp2Stream | undefined }): undefined => {
  stream!.respond({ ':status': 200 })
  stream!.write('event')
}

const resetting =
  (code: number) =>
  ({ stream }: { readonly stream: ServerHttp2Stream | undefined }): undefined => {
    stream!.close(code)
  }
const refusing = resetting(NGHTTP2_REFUSED_STREAM)
const failing = resetting(NGHTTP2_INTERNAL_ERROR)

describe('requests over HTTP/2', () => {
  test('have a line for each field, in order, and the host that they are for', async (t) => {
    const { api, ask } = await setUp(t)
    const fields = ['Impersonate-Group', 'a', 'impersonate-group', 'b', 'Impersonate-Group', 'c, d', 'Accept', 'x', 'Accept', 'y']
    await over([ask('/api?x=1', { fields })])
    const [request] = api.seen
    assert.deepEqual([request!.version, request!.path, request!.authority], ['2', '/api?x=1', 'bed.example.com'])
    assert.deepEqual(linesOf(request!, 'impersonate-group'), ['a', 'b', 'c, d'])
    assert.deepEqual(linesOf(request!, 'accept'), ['x', 'y'])
  })

  test('keep bytes of names that are not ASCII', async (t) => {
    const { api, ask } = await setUp(t)
    await over([ask('/', { fields: ['Impersonate-User', Buffer.from('zoë').toString('latin1')] })])
    assert.deepEqual(linesOf(api.seen[0]!, 'impersonate-user'), [Buffer.from('zoë').toString('latin1')])
  })

  test('bring back status, fields as lines, body and trailers', async (t) => {
    const { ask } = await setUp(t, ({ stream }) => {
      stream!.respond([':status', '203', 'warning', 'a', 'warning', 'b'], { waitForTrailers: true })
      stream!.once('wantTrailers', () => stream!.sendTrailers({ digest: 'x' }))
      stream!.end('hello')
      return undefined
    })
    const asked = ask()
    await over([asked])
    const { told } = asked
    assert.deepEqual([told.status, told.body, told.failure], [203, 'hello', undefined])
    assert.deepEqual(told.fields.slice(0, 4), ['warning', 'a', 'warning', 'b'])
    assert.deepEqual(told.trailers, ['digest', 'x'])
  })

  test('take a body along, of known length and of unknown', async (t) => {
    const { api, ask } = await setUp(t)
    for (const body of [5, 'until-end'] as const) {
      const source = new PassThrough()
      const asked = ask('/', { method: 'POST', body }, new RequestBody(source, 0, () => undefined))
      source.end('hello')
      await over([asked])
      const request = api.seen.at(-1)!
      assert.deepEqual([request.body, linesOf(request, 'content-length')], ['hello', body === 5 ? ['5'] : []])
    }
  })

  test('end where their body breaks off', async (t) => {
    let answered = false
    const { api, ask } = await setUp(t, () => {
      answered = true
      return {}
    })
    const source = new PassThrough()
    const asked = ask('/', { method: 'POST', body: 'until-end' }, new RequestBody(source, 0, () => undefined))
    source.write('half')
    await until(() => api.seen[0]?.body === 'half')
    source.destroy()
    await over([asked])
    assert.equal(asked.told.failure, 'upstream-failed')
    await until(() => api.seen[0]!.stream!.closed)
    // Not as if it were whole.
    assert.notEqual(api.seen[0]!.stream!.rstCode, NGHTTP2_NO_ERROR)
    assert.equal(answered, false)
  })

  test('tell the head before any byte, also where both come at once', async (t) => {
    const server = await framedServer()
    t.after(() => server.close())
    const { ask } = await setUp(t, undefined, { target: { port: server.port, ca: server.ca } })
    // Each asks again as soon as it has its answer: some answers arrive while requests are being written.
    const again = async (): Promise<void> => {
      for (let round = 0; round < 100; round++) {
        const { told } = await new Promise<Asked>((resolve) => {
          const asked = ask()
          asked.told.onOver = () => resolve(asked)
        })
        assert.deepEqual([told.early, told.status, told.body], [false, 200, 'hello'])
      }
    }
    await Promise.all(Array.from({ length: 20 }, again))
  })

  test('share one connection', async (t) => {
    const { api, ask } = await setUp(t)
    await over([ask()])
    await over(Array.from({ length: 20 }, () => ask()))
    assert.equal(api.sessions.size, 1)
  })

  test('go over HTTP/1.1 where that is all that the server speaks, line by line as well', async (t) => {
    const { api, ask } = await setUp(t, undefined, { http2: false })
    const asked = [ask('/a', { fields: ['Impersonate-Group', 'a', 'Impersonate-Group', 'b'] }), ask('/b')]
    await over(asked)
    assert.deepEqual(
      asked.map(({ told }) => told.status),
      [200, 200],
    )
    assert.deepEqual(api.seen.map(({ version, path }) => `${version} ${path}`).toSorted(), ['1.1 /a', '1.1 /b'])
    assert.deepEqual(
      linesOf(
        api.seen.find(({ path }) => path === '/a')!,
        'impersonate-group',
      ),
      ['a', 'b'],
    )
  })
})

describe('many streams', () => {
  test('are opened on as many connections as the server’s number of streams asks for, the first ones too', async (t) => {
    const { api, ask } = await setUp(t, watching, { streams: 5 })
    const asked = Array.from({ length: 23 }, (_, i) => ask(`/${i}`))
    await until(() => asked.every(({ told }) => told.body === 'event'))
    assert.equal(api.sessions.size, 5)
    for (const { call } of asked) call.abort()
    await until(() => api.seen.every(({ stream }) => stream!.closed))
    // Their places are free again.
    const next = ask()
    await until(() => next.told.body === 'event')
    assert.equal(api.sessions.size, 5)
  })

  test('more than all connections may have are refused as too many, and only those', async (t) => {
    const { api, ask } = await setUp(t, watching, { streams: 2, target: { connections: 2, pending: 0 } })
    const asked = Array.from({ length: 6 }, () => ask())
    await until(() => asked.filter(({ told }) => told.body === 'event' || told.over).length === 6)
    assert.deepEqual(
      asked.map(({ told }) => told.failure),
      [undefined, undefined, undefined, undefined, 'upstream-busy', 'upstream-busy'],
    )
    asked[0]!.call.abort()
    await until(() => api.seen.some(({ stream }) => stream!.closed))
    const next = ask()
    await until(() => next.told.body === 'event' || next.told.over)
    assert.equal(next.told.failure, undefined)
  })

  test('one that nobody reads does not stop the others', async (t) => {
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const { api, ask } = await setUp(t, ({ stream, path }) => {
      stream!.respond({ ':status': 200 })
      if (path === '/stuck') {
        const more = (): void => {
          while (!stream!.destroyed && stream!.write(chunk));
          stream!.once('drain', more)
        }
        more()
      } else stream!.end(Buffer.alloc(1024 * 1024, 'y'))
      return undefined
    })
    const stuck = Array.from({ length: 20 }, () => ask('/stuck'))
    for (const { told } of stuck) told.open = false
    await until(() => stuck.every(({ told }) => told.bytes > 0))
    const others = Array.from({ length: 5 }, () => ask('/'))
    await over(others)
    assert.deepEqual(
      others.map(({ told }) => told.bytes),
      Array.from({ length: 5 }, () => 1024 * 1024),
    )
    assert.equal(api.sessions.size, 1)
    // Bounded: what was sent and not read is no more than the window.
    assert.ok(stuck.every(({ told }) => told.bytes <= 512 * 1024))
    // It goes on where it stopped.
    const before = stuck[0]!.told.bytes
    stuck[0]!.told.open = true
    stuck[0]!.call.resume()
    await until(() => stuck[0]!.told.bytes > before + 1024 * 1024)
  })

  test('one that is given up is cancelled there, and tells nothing more', async (t) => {
    const { api, ask } = await setUp(t, watching)
    const asked = ask()
    await until(() => asked.told.body === 'event')
    asked.call.abort()
    asked.call.abort()
    await until(() => api.seen[0]!.stream!.closed)
    assert.equal(api.seen[0]!.stream!.rstCode, NGHTTP2_CANCEL)
    assert.equal(asked.told.over, false)
    assert.equal(api.sessions.size, 1)
  })

  test('one that is given up before there is a connection is never sent', async (t) => {
    const { api, ask } = await setUp(t)
    const given = ask('/given-up')
    given.call.abort()
    await over([ask('/other')])
    assert.deepEqual(
      api.seen.map(({ path }) => path),
      ['/other'],
    )
    assert.equal(given.told.over, false)
  })
})

describe('a server that ends connections', () => {
  test('is asked again for what it says that it did not look at, whatever it is', async (t) => {
    let refused = 0
    const { api, ask } = await setUp(t, ({ stream }) => {
      if (refused++ === 0) {
        stream!.close(NGHTTP2_REFUSED_STREAM)
        return undefined
      }
      return { body: 'done' }
    })
    const asked = ask('/', { method: 'POST', body: 0 })
    await over([asked])
    assert.deepEqual([asked.told.body, asked.told.failure, api.seen.length], ['done', undefined, 2])
  })

  test('is asked once more and no oftener', async (t) => {
    const { api, ask } = await setUp(t, refusing)
    const asked = ask()
    await over([asked])
    assert.deepEqual([asked.told.failure, api.seen.length], ['upstream-failed', 2])
  })

  test('is not asked again where it may have done something', async (t) => {
    const { api, ask } = await setUp(t, failing)
    const asked = [ask(), ask('/', { method: 'POST', body: 0 }), ask('/', { method: 'DELETE' })]
    await over(asked)
    assert.deepEqual(
      asked.map(({ told }) => told.failure),
      ['upstream-failed', 'upstream-failed', 'upstream-failed'],
    )
    assert.equal(api.seen.length, 3)
  })

  test('nor for a body that is gone', async (t) => {
    const { api, ask } = await setUp(t, refusing)
    const source = new PassThrough()
    const asked = ask('/', { method: 'POST', body: 'until-end' }, new RequestBody(source, 0, () => undefined))
    source.end('once')
    await over([asked])
    assert.deepEqual([asked.told.failure, api.seen.length], ['upstream-failed', 1])
  })

  test('with GOAWAY finishes what it has begun, and new requests go elsewhere', async (t) => {
    const { api, ask } = await setUp(t, watching)
    const asked = ask('/watch')
    await until(() => asked.told.body === 'event')
    const [session] = api.sessions
    session!.goaway(NGHTTP2_NO_ERROR)
    await until(() => api.sessions.size === 1)
    const next = ask('/next')
    await until(() => next.told.body === 'event')
    assert.equal(api.sessions.size, 2)
    api.seen[0]!.stream!.end('last')
    await over([asked])
    assert.deepEqual([asked.told.body, asked.told.failure], ['eventlast', undefined])
  })

  test('with GOAWAY for a reason ends what is under way, never as if it were whole', async (t) => {
    const { api, ask } = await setUp(t, watching)
    const asked = ask('/watch')
    await until(() => asked.told.body === 'event')
    const [session] = api.sessions
    session!.goaway(NGHTTP2_ENHANCE_YOUR_CALM)
    session!.destroy()
    await over([asked])
    assert.equal(asked.told.failure, 'upstream-failed')
  })

  for (const [method, path, expected] of [
    ['GET', '/again', undefined],
    ['POST', '/once', 'upstream-failed'],
  ] as const)
    test(`whose connection breaks under an unanswered ${method}`, async (t) => {
      const { api, ask } = await setUp(t, (request) => {
        if (api.seen.filter((one) => one.path === request.path).length > 1 || request.path === '/') return { body: 'done' }
        request.stream!.session!.destroy()
        return undefined
      })
      await over([ask('/')])
      const asked = ask(path, { method, body: method === 'POST' ? 0 : 'none' })
      await over([asked])
      assert.equal(asked.told.failure, expected)
      assert.equal(api.seen.filter((one) => one.path === path).length, expected === undefined ? 2 : 1)
    })

  test('half an answer is never whole', async (t) => {
    const { api, ask } = await setUp(t, watching)
    const asked = [ask(), ask()]
    await until(() => asked.every(({ told }) => told.body === 'event'))
    api.seen[0]!.stream!.destroy(new Error('broken off'))
    await until(() => asked.some(({ told }) => told.over))
    api.seen[1]!.stream!.session!.destroy()
    await over(asked)
    assert.deepEqual(
      asked.map(({ told }) => [told.failure, told.trailers]),
      [
        ['upstream-failed', undefined],
        ['upstream-failed', undefined],
      ],
    )
  })
})

describe('a server in trouble', () => {
  test('that isn’t there, or isn’t who it should be', async (t) => {
    const { api, ask } = await setUp(t, undefined, { target: { serverName: 'other.example.com' } })
    const stranger = ask()
    await over([stranger])
    assert.deepEqual([stranger.told.failure, api.seen.length], ['upstream-failed', 0])
    await api.close()
    const gone = ask()
    await over([gone])
    assert.equal(gone.told.failure, 'upstream-failed')
  })

  test('that does not answer in time', async (t) => {
    const clock = new ManualClock()
    const { api, ask } = await setUp(t, () => undefined, { clock })
    const asked = ask()
    await until(() => api.seen.length === 1)
    clock.advance(5001)
    await over([asked])
    assert.equal(asked.told.failure, 'upstream-timeout')
    await until(() => api.seen[0]!.stream!.closed)
  })

  test('that falls silent on a connection is left, and what waits there is told', async (t) => {
    const clock = new ManualClock()
    const api = await standInApiServer(watching)
    const wire = await severable(api.port)
    t.after(() => Promise.all([wire.close(), api.close()]))
    const { ask } = await setUp(t, undefined, { clock, target: { port: wire.port, ca: api.ca } })
    const asked = ask()
    await until(() => asked.told.body === 'event')
    wire.sever()
    clock.advance(30_001)
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(15_001)
    await over([asked])
    assert.equal(asked.told.failure, 'upstream-failed')
  })

  test('that doesn’t let go of a connection which is over is not asked whether it lives', async (t) => {
    const clock = new ManualClock()
    const api = await standInApiServer(watching)
    const wire = await severable(api.port)
    t.after(() => Promise.all([wire.close(), api.close()]))
    const { ask, upstreams } = await setUp(t, undefined, { clock, target: { port: wire.port, ca: api.ca } })
    const asked = ask()
    await until(() => asked.told.body === 'event')
    wire.sever()
    upstreams.keep(new Set())
    asked.call.abort()
    await new Promise((resolve) => setImmediate(resolve))
    // What a timer throws ends the process.
    assert.doesNotThrow(() => clock.advance(30_001))
  })

  test('a quiet one that lives is kept', async (t) => {
    const clock = new ManualClock()
    const { api, ask } = await setUp(t, watching, { clock })
    const asked = ask()
    await until(() => asked.told.body === 'event')
    clock.advance(20_000)
    let pings = 0
    const [session] = api.sessions
    session!.on('ping', () => void pings++)
    for (let round = 1; round <= 3; round++) {
      clock.advance(10_001)
      await until(() => pings === round)
      // What it answers was read before what comes behind it.
      const next = ask()
      await until(() => next.told.body === 'event')
      next.call.abort()
      clock.advance(20_000)
    }
    assert.equal(asked.told.over, false)
  })

  test('what is under way finishes where the target is served no more', async (t) => {
    const { api, upstreams, ask } = await setUp(t, watching)
    const asked = ask()
    await until(() => asked.told.body === 'event')
    upstreams.keep(new Set())
    api.seen[0]!.stream!.end('last')
    await over([asked])
    assert.deepEqual([asked.told.body, asked.told.failure], ['eventlast', undefined])
    await until(() => api.sessions.size === 0)
  })
})
