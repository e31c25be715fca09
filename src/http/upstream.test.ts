import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { OK, recordingUpstream, testDoor, TOKEN } from '../testing/httpdoor.ts'
import type { DoorOptions, RecordingUpstream, TestDoor } from '../testing/httpdoor.ts'

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

describe('upstreams in trouble', () => {
  const fails: readonly (readonly [name: string, answer: RecordingUpstream['answer'], status: number, code: string])[] = [
    ['closes without an answer', (_seen, socket) => void socket.destroy(), 502, 'http/upstream-failed'],
    ['answers nonsense', () => 'nonsense\r\n\r\n', 502, 'http/upstream-failed'],
    ['answers with two lengths', () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!', 502, 'http/upstream-failed'],
    ['switches protocols unasked', () => 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', 502, 'http/upstream-failed'], // prettier-ignore
    ['never answers', () => undefined, 504, 'http/upstream-timeout'],
  ]
  for (const [name, answer, status, code] of fails)
    test(`one that ${name}: ${status}`, async (t) => {
      const { upstream } = await setUp(t, answer)
      const quick = await testDoor({ resource: { upstream: { url: upstream.url, headersTimeout: '50ms' } } })
      t.after(() => quick.close())
      const text = await quick.connect().send(`POST / HTTP/1.1\r\n${HEAD}Connection: close\r\nContent-Length: 0\r\n\r\n`).whole()
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*${code}`))
      assert.deepEqual(outcomes(quick), [status === 504 ? 'timed-out' : 'upstream-failed'])
    })

  test('nobody there: 502', async (t) => {
    const { upstream, door } = await setUp(t)
    await upstream.close()
    assert.match(await door.connect().send(`GET / HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`).whole(), /^HTTP\/1\.1 502 /)
  })

  test('half an answer never looks whole', async (t) => {
    const { door } = await setUp(t, (_seen, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n', () => socket.destroy())
      return undefined
    })
    const text = await door.connect().send(`GET / HTTP/1.1\r\n${HEAD}\r\n`).whole()
    assert.match(text, /^HTTP\/1\.1 200 OK/)
    assert.ok(!text.endsWith('0\r\n\r\n'))
    await until(() => outcomes(door).length === 1)
    assert.deepEqual(outcomes(door), ['upstream-failed'])
  })

  test('what only reads is sent once more if a kept connection had died, and nothing else is', async (t) => {
    let die = false
    const { upstream, door } = await setUp(t, (_seen, socket) => {
      if (!die) return OK
      die = false
      socket.destroy()
      return undefined
    })
    const ask = (line: string) => door.connect().send(`${line} HTTP/1.1\r\n${HEAD}Connection: close\r\nContent-Length: 0\r\n\r\n`).whole()
    const get = () => door.connect().send(`GET /a HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`).whole()
    assert.match(await get(), / 200 /)
    die = true
    assert.match(await get(), / 200 /)
    assert.equal(upstream.seen.length, 3)
    die = true
    assert.match(await ask('POST /b'), / 502 /)
    assert.deepEqual(
      upstream.seen.map(({ line }) => line.split(' ')[0]),
      ['GET', 'GET', 'GET', 'POST'],
    )
  })

  test('a fresh connection that dies is not tried again', async (t) => {
    const { upstream, door } = await setUp(t, (_seen, socket) => void socket.destroy())
    assert.match(await door.connect().send(`GET /a HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`).whole(), / 502 /)
    assert.equal(upstream.seen.length, 1)
  })

  test('bytes after an answer belong to nobody', async (t) => {
    let first = true
    const { door } = await setUp(t, () => {
      const poison = first ? 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison' : ''
      first = false
      return OK + poison
    })
    const client = door.connect()
    client.send(`GET /a HTTP/1.1\r\n${HEAD}\r\n`)
    await client.until((text) => text.includes('ok'))
    client.send(`GET /b HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`)
    assert.doesNotMatch(await client.whole(), /poison/)
  })

  test('more waiting than allowed: 503 at once', async (t) => {
    const { upstream } = await setUp(t)
    upstream.answer = () => undefined
    const narrow = await testDoor({ resource: { upstream: { url: upstream.url, connections: 1, pending: 1 } } })
    t.after(() => narrow.close())
    const held = [1, 2].map((n) => narrow.connect().send(`GET /${n} HTTP/1.1\r\n${HEAD}\r\n`))
    await until(() => upstream.seen.length === 1 && narrow.door.open.exchanges === 2)
    const text = await narrow.connect().send(`GET /3 HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`).whole()
    assert.match(text, /^HTTP\/1\.1 503 [\s\S]*http\/upstream-busy/)
    for (const client of held) client.socket.destroy()
  })
})
