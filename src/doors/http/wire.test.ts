import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { fieldOf, OK, recordingUpstream, testDoor, TOKEN } from '../../testing/httpdoor.ts'
import type { DoorOptions, RecordingUpstream, TestDoor } from '../../testing/httpdoor.ts'

const HEAD = `Host: orders.localhost\r\nAuthorization: Bearer ${TOKEN}\r\n`

async function setUp(
  t: TestContext,
  answer: RecordingUpstream['answer'] = () => OK,
  options: DoorOptions = {},
): Promise<{ readonly upstream: RecordingUpstream; readonly door: TestDoor }> {
  const upstream = await recordingUpstream(answer)
  const door = await testDoor({ upstream: upstream.url, ...options })
  t.after(() => Promise.all([door.close(), upstream.close()]))
  return { upstream, door }
}

/** Resolves once `ready` holds; looked at whenever the event loop comes round. */
async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise((resolve) => setImmediate(resolve))
}

const outcomes = (door: TestDoor) => [...door.records.values()].flatMap(({ outcomes }) => outcomes.map(({ result }) => result))

describe('bodies', () => {
  test('go up as they come, and answers come down as they are made', async (t) => {
    let got = ''
    // A conversation: each piece is answered before the next is sent, and once, however it is cut on the way.
    const replies: [ready: () => boolean, bytes: string][] = [
      [() => got.includes('one'), 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nONE\r\n'],
      [() => got.includes('two') && got.endsWith('0\r\n\r\n'), '3\r\nTWO\r\n0\r\n\r\n'],
    ]
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined))
      socket.on('data', (chunk: Buffer) => {
        got += chunk.toString('latin1')
        if (replies[0]?.[0]() === true) socket.write(replies.shift()![1])
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const talking = await testDoor({ upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    t.after(async () => {
      await talking.close()
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    const client = talking.connect().send(`POST /chat HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n`)
    await client.until((text) => text.includes('ONE'))
    client.send('3\r\ntwo\r\n0\r\n\r\n')
    const text = await client.until((seen) => seen.includes('TWO') && seen.endsWith('0\r\n\r\n'))
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/)
    await until(() => outcomes(talking).length === 1)
    const [record] = talking.records.values()
    assert.deepEqual([record!.outcomes[0]!.bytesIn, record!.outcomes[0]!.bytesOut], [6, 6])
  })

  test('keep their framing: a length stays a length, chunks stay chunks, none stays none', async (t) => {
    const { upstream, door } = await setUp(t)
    const client = door.connect()
    const send = async (text: string): Promise<void> => {
      const before = client.text.split('ok').length
      client.send(text)
      await client.until((seen) => seen.split('ok').length > before)
    }
    await send(`POST /a HTTP/1.1\r\n${HEAD}Content-Length: 5\r\n\r\nhello`)
    await send(`POST /b HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`)
    await send(`POST /c HTTP/1.1\r\n${HEAD}Content-Length: 0\r\n\r\n`)
    await send(`GET /d HTTP/1.1\r\n${HEAD}\r\n`)
    await send(`DELETE /e HTTP/1.1\r\n${HEAD}Content-Length: 2\r\n\r\nhi`)
    await send(`GET /f HTTP/1.1\r\n${HEAD}Content-Length: 2\r\n\r\nhi`)
    const framing = upstream.seen.map((seen) => [
      fieldOf(seen, 'Content-Length'),
      fieldOf(seen, 'Transfer-Encoding'),
      seen.raw.split('\r\n\r\n')[1],
    ])
    assert.deepEqual(framing, [
      ['5', undefined, 'hello'],
      [undefined, 'chunked', '5\r\nhello\r\n0'],
      ['0', undefined, ''],
      [undefined, undefined, ''],
      ['2', undefined, 'hi'],
      ['2', undefined, 'hi'],
    ])
  })

  test('a caller that does not read holds the upstream back', async (t) => {
    const piece = Buffer.alloc(64 * 1024, 0x61)
    let accepted = 0
    let ended = false
    const { door } = await setUp(t, (_seen, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n')
      const more = (): void => {
        if (ended) return
        accepted += piece.length
        socket.write(piece, (error) => (error ? undefined : more()))
      }
      socket.on('close', () => (ended = true))
      more()
      return undefined
    })
    const client = door.connect()
    client.socket.pause()
    client.send(`GET /big HTTP/1.1\r\n${HEAD}\r\n`)
    // Settled: a long run of the event loop in which nothing more is taken from the upstream.
    let last = -1
    for (let still = 0; still < 200; still = accepted === last ? still + 1 : 0) {
      last = accepted
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    assert.ok(accepted > 0 && accepted < 32 * 1024 * 1024, `${accepted} bytes were taken for a caller that reads nothing`)
    client.socket.destroy()
    await until(() => ended && outcomes(door).length === 1)
    assert.deepEqual(outcomes(door), ['client-aborted'])
  })

  test('an upstream that does not read holds the caller back', async (t) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => void sockets.add(socket.pause().on('error', () => undefined)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const door = await testDoor({ upstream: `http://127.0.0.1:${port}` })
    t.after(async () => {
      await door.close()
      server.close()
    })
    const client = door.connect().send(`POST /big HTTP/1.1\r\n${HEAD}Content-Length: 1073741824\r\n\r\n`)
    const piece = Buffer.alloc(64 * 1024)
    let written = 0
    const more = (): void => void client.socket.write(piece, (error) => (error ? undefined : ((written += piece.length), more())))
    more()
    let last = -1
    for (let still = 0; still < 200; still = written === last ? still + 1 : 0) {
      last = written
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    assert.ok(written > 0 && written < 32 * 1024 * 1024, `${written} bytes were taken for an upstream that reads nothing`)
    for (const socket of sockets) socket.destroy()
    await until(() => outcomes(door).length === 1)
    assert.deepEqual(outcomes(door), ['upstream-failed'])
  })

  test('larger than the limit: 413, said or found', async (t) => {
    const { upstream, door } = await setUp(t, () => OK, { resource: { body: '10B' } })
    const said = await door.connect().send(`POST / HTTP/1.1\r\n${HEAD}Content-Length: 11\r\n\r\n`).whole()
    assert.match(said, /^HTTP\/1\.1 413 [\s\S]*http\/body-too-large/)
    const found = await door
      .connect()
      .send(`POST / HTTP/1.1\r\n${HEAD}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n6\r\nworld!\r\n0\r\n\r\n`)
      .whole()
    assert.match(found, /^HTTP\/1\.1 413 /)
    assert.equal(upstream.seen.length, 0, 'no whole request arrived')
    assert.deepEqual(outcomes(door), ['refused', 'refused'])
  })

  test('a refusal of a request without a body keeps the connection, and one that leaves a body unread ends it', async (t) => {
    const { door } = await setUp(t, () => OK, { rule: (principal) => principal.kind !== 'anonymous' })
    const client = door.connect()
    const anonymous = 'GET / HTTP/1.1\r\nHost: orders.localhost\r\n\r\n'
    for (let answers = 1; answers <= 3; answers++) {
      client.send(anonymous)
      await client.until((text) => (text.match(/HTTP\/1\.1 401 /g) ?? []).length === answers)
    }
    client.send('POST / HTTP/1.1\r\nHost: orders.localhost\r\nContent-Length: 0\r\n\r\n')
    await client.until((text) => (text.match(/HTTP\/1\.1 401 /g) ?? []).length === 4)
    client.send('POST / HTTP/1.1\r\nHost: orders.localhost\r\nContent-Length: 5\r\n\r\n')
    const text = await client.whole()
    assert.equal((text.match(/HTTP\/1\.1 401 /g) ?? []).length, 5)
    assert.equal((text.match(/Connection: close/g) ?? []).length, 1)
  })

  test('that break off or break the rules never arrive whole', async (t) => {
    const { upstream, door } = await setUp(t)
    const broken = await door
      .connect()
      .send(`POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5;a\nb\r\nworld\r\n0\r\n\r\n`)
      .whole()
    assert.match(broken, /^HTTP\/1\.1 400 /)
    const short = door.connect().send(`POST / HTTP/1.1\r\n${HEAD}Content-Length: 10\r\n\r\nhello`)
    await until(() => door.records.size === 2)
    short.socket.destroy()
    await until(() => outcomes(door).length === 2)
    assert.deepEqual(outcomes(door), ['client-aborted', 'client-aborted'])
    assert.equal(upstream.seen.length, 0)
    await until(() => upstream.sockets.size === 0)
  })
})

describe('Expect, trailers, HEAD', () => {
  test('100-continue is asked for only after the decision, and answered by the upstream', async (t) => {
    const { door } = await setUp(t, () => OK, { rule: (principal) => principal.kind !== 'anonymous' })
    const server = createHttpServer()
    let told = 0
    server.on('checkContinue', (_request, response) => {
      told++
      response.writeContinue()
      response.end('done')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const careful = await testDoor({ upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    t.after(async () => {
      await careful.close()
      server.close()
    })
    const client = careful.connect().send(`POST / HTTP/1.1\r\n${HEAD}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`)
    await client.until((text) => text.includes('100 Continue'))
    client.send('hello')
    assert.match(await client.until((text) => text.includes('done')), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
    assert.equal(told, 1)

    const denied = await door
      .connect()
      .send('POST / HTTP/1.1\r\nHost: orders.localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
      .whole()
    assert.match(denied, /^HTTP\/1\.1 401 /)
    assert.doesNotMatch(denied, /100 Continue/)
  })

  test('a final answer in place of 100 goes down as it is', async (t) => {
    const server = createHttpServer()
    server.on('checkContinue', (_request, response) => {
      response.writeHead(409)
      response.end('no')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const refusing = await testDoor({ upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    t.after(async () => {
      await refusing.close()
      server.close()
    })
    const text = await refusing.connect().send(`POST / HTTP/1.1\r\n${HEAD}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`).whole()
    assert.match(text, /^HTTP\/1\.1 409 /)
    assert.doesNotMatch(text, /100 Continue/)
  })

  test('trailers go both ways without the names that are not for them', async (t) => {
    const { upstream, door } = await setUp(
      t,
      () =>
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\nOstiary-Decision: x\r\nSet-Cookie: a=1\r\n\r\n',
    )
    const text = await door
      .connect()
      .send(
        `POST / HTTP/1.1\r\n${HEAD}Connection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nOstiary-Subject: root\r\nAuthorization: x\r\n\r\n`,
      )
      .whole()
    assert.ok(text.endsWith('0\r\nX-Sum: 2\r\n\r\n'), text)
    assert.ok(upstream.seen[0]!.raw.endsWith('\r\n0\r\nX-Sum: 1\r\n\r\n'), upstream.seen[0]!.raw)
  })

  test('HEAD has the length of what GET would bring, and no body', async (t) => {
    const { door } = await setUp(t, () => 'HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n')
    const text = await door.connect().send(`HEAD / HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`).whole()
    assert.match(text, /Content-Length: 12345\r\n/)
    assert.ok(text.endsWith('\r\n\r\n'))
    assert.deepEqual(outcomes(door), ['completed'])
  })

  test('OPTIONS * reaches the upstream as it is', async (t) => {
    const { upstream, door } = await setUp(t)
    await door.connect().send(`OPTIONS * HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`).whole()
    assert.equal(upstream.seen[0]?.line, 'OPTIONS * HTTP/1.1')
  })
})

describe('answers', () => {
  test('hop-by-hop fields and the gateway’s own names end here; interim answers too', async (t) => {
    const { door } = await setUp(
      t,
      () =>
        'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nOstiary-Decision: mine\r\nOSTIARY-X: 1\r\nAlt-Svc: h3=":443"\r\nClear-Site-Data: "*"\r\nProxy-Authenticate: x\r\nX-Kept: 1\r\nX-Kept: 2\r\nContent-Length: 2\r\n\r\nok',
    )
    const text = await door.connect().send(`GET / HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`).whole()
    assert.match(text, /^HTTP\/1\.1 200 OK\r\nX-Kept: 1\r\nX-Kept: 2\r\nContent-Length: 2\r\nOstiary-Decision: d1\r\n/)
    assert.doesNotMatch(text, /X-Early|X-Hop|timeout=9|mine|OSTIARY-X|Alt-Svc|Clear-Site|Proxy-Auth/)
  })

  test('an early refusal is heard by a caller that is still sending, and ends the connection', async (t) => {
    const { upstream, door } = await setUp(t, () => OK, { rule: () => false })
    const client = door.connect().send('POST / HTTP/1.1\r\nHost: orders.localhost\r\nContent-Length: 150000\r\n\r\n')
    client.send('GET /hidden HTTP/1.1\r\nHost: orders.localhost\r\n\r\n'.repeat(2000))
    const text = await client.whole()
    assert.match(text, /^HTTP\/1\.1 401 [\s\S]*Connection: close/)
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1)
    assert.equal(upstream.seen.length, 0)
  })

  test('an upstream that answers before it has the whole request: the answer goes down, and the connection ends', async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.write(OK))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const door = await testDoor({ upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    t.after(async () => {
      await door.close()
      server.close()
    })
    for (const rest of [Buffer.alloc(0), Buffer.alloc(199_999), Buffer.alloc(2_000_000)]) {
      const client = door.connect().send(`POST / HTTP/1.1\r\n${HEAD}Content-Length: 200000\r\n\r\nx`)
      await client.until((text) => text.endsWith('ok'))
      client.send(rest)
      const text = await client.whole()
      assert.match(text, /^HTTP\/1\.1 200 OK[\s\S]*Connection: close/)
      assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1)
    }
    assert.deepEqual(outcomes(door), ['completed', 'completed', 'completed'])
  })

  test('pipelined requests take turns and are answered in order', async (t) => {
    const waiting: (() => void)[] = []
    const { upstream, door } = await setUp(t, (seen, socket) => {
      waiting.push(() => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n${seen.line.split(' ')[1]!.padEnd(6)}`))
      return undefined
    })
    const client = door.connect().send(['/one', '/two', '/three'].map((path) => `GET ${path} HTTP/1.1\r\n${HEAD}\r\n`).join(''))
    for (let i = 1; i <= 3; i++) {
      await until(() => upstream.seen.length === i)
      waiting[i - 1]!()
    }
    const text = await client.until((seen) => seen.includes('/three'))
    assert.deepEqual(text.match(/\/(one|two|three)/g), ['/one', '/two', '/three'])
  })

  test('what is pipelined behind a connection that closes is never begun', async (t) => {
    const { upstream, door } = await setUp(t)
    await door.connect().send(`GET /one HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\nGET /two HTTP/1.1\r\n${HEAD}\r\n`).whole()
    assert.deepEqual(
      upstream.seen.map(({ line }) => line),
      ['GET /one HTTP/1.1'],
    )
  })
})

describe('limits', () => {
  test('each refuses with its own status', async (t) => {
    const { upstream, door } = await setUp(t, () => OK, { door: { limits: { url: '100B', fields: '1KiB', fieldCount: 10 } } })
    const status = async (text: string): Promise<string> => (await door.connect().send(text).whole()).split(' ')[1]!
    assert.equal(await status(`GET /${'a'.repeat(100)} HTTP/1.1\r\n${HEAD}\r\n`), '414')
    assert.equal(await status(`GET / HTTP/1.1\r\n${HEAD}X: ${'a'.repeat(1024)}\r\n\r\n`), '431')
    assert.equal(await status(`GET / HTTP/1.1\r\n${HEAD}${'X: 1\r\n'.repeat(9)}\r\n`), '431')
    assert.equal(await status(`GET / HTTP/1.1\r\n${HEAD}X: ${'a'.repeat(100_000)}\r\n\r\n`), '431')
    assert.equal(upstream.seen.length, 0)
  })

  test('half a head does not wait for ever: 408', async (t) => {
    const { door } = await setUp(t, () => OK, { door: { limits: { headTimeout: '200ms' } } })
    assert.match(await door.connect().send('GET / HTTP/1.1\r\nHost: ').whole(), /^HTTP\/1\.1 408 [\s\S]*http\/request-timeout/)
  })

  test('connections of one address are counted', async (t) => {
    const { door } = await setUp(t, () => OK, { door: { limits: { connectionsPerAddress: 2 } } })
    const open = [door.connect(), door.connect()]
    for (const client of open) await client.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`).until((text) => text.includes('ok'))
    assert.equal(await door.connect().whole(), '')
    assert.equal(door.counts.get('http_limit connectionsPerAddress'), 1)
    open[0]!.socket.destroy()
    await until(() => door.door.open.connections === 1)
    await door
      .connect()
      .send(`GET / HTTP/1.1\r\n${HEAD}\r\n`)
      .until((text) => text.includes('ok'))
  })

  test('so are requests that wait on one connection', async (t) => {
    const { door } = await setUp(t, () => undefined, { door: { limits: { pipelined: 3 } } })
    await door.connect().send(`GET / HTTP/1.1\r\n${HEAD}\r\n`.repeat(5)).whole()
    assert.equal(door.counts.get('http_limit pipelined'), 1)
    await until(() => door.pipeline.open.size === 0)
    assert.deepEqual(outcomes(door), ['client-aborted'], 'the others were never begun')
  })
})
