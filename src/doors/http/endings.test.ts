import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { OK, policyOf, recordingUpstream, testDoor, TOKEN } from '../../testing/httpdoor.ts'
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

describe('long exchanges', () => {
  const EVENTS = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n'

  test('end when the credential is revoked', async (t) => {
    const { upstream, door } = await setUp(t, () => EVENTS)
    const client = door.connect().send(`GET /events HTTP/1.1\r\n${HEAD}\r\n`)
    await client.until((text) => text.includes('data: 1'))
    door.verified.revoked = true
    door.pipeline.open.sweep()
    assert.ok(!(await client.whole()).endsWith('0\r\n\r\n'), 'the end of a stream that was cut must not look like its own')
    await until(() => upstream.sockets.size === 0)
    assert.deepEqual(outcomes(door), ['revoked'])
  })

  test('end when a new policy no longer allows them, and go on when it does', async (t) => {
    const { upstream, door } = await setUp(t, () => EVENTS)
    const [kept, cut] = ['/kept', '/cut'].map((path) => door.connect().send(`GET ${path} HTTP/1.1\r\n${HEAD}\r\n`))
    await Promise.all([kept!, cut!].map((client) => client.until((text) => text.includes('data: 1'))))
    door.policies.swap(policyOf((_principal, _method, path) => path === '/kept', 'sha256:2'))
    await cut!.whole()
    await until(() => outcomes(door).length === 1)
    assert.deepEqual(outcomes(door), ['policy-changed'])
    for (const socket of upstream.sockets) socket.write('9\r\ndata: 2\n\n\r\n')
    await kept!.until((text) => text.includes('data: 2'))
  })

  test('that have no answer yet get one that says access has ended', async (t) => {
    const { upstream, door } = await setUp(t, () => undefined)
    const client = door.connect().send(`GET /slow HTTP/1.1\r\n${HEAD}\r\n`)
    await until(() => upstream.seen.length === 1)
    door.policies.swap(policyOf(() => false, 'sha256:2'))
    assert.match(await client.until((text) => text.includes('\r\n\r\n{')), /^HTTP\/1\.1 403 [\s\S]*http\/access-ended/)
    assert.deepEqual(outcomes(door), ['policy-changed'])
    await until(() => upstream.sockets.size === 0)
  })

  test('end at the longest duration allowed', async (t) => {
    const { door } = await setUp(t, () => EVENTS, { door: { limits: { maxDuration: '1ms' } } })
    await door.connect().send(`GET /events HTTP/1.1\r\n${HEAD}\r\n`).whole()
    await until(() => outcomes(door).length === 1)
    assert.deepEqual(outcomes(door), ['timed-out'])
    assert.equal(door.counts.get('http_limit maxDuration'), 1)
  })

  test('a caller that leaves takes its upstream request with it', async (t) => {
    const { upstream, door } = await setUp(t, () => EVENTS)
    const client = door.connect().send(`GET /events HTTP/1.1\r\n${HEAD}\r\n`)
    await client.until((text) => text.includes('data: 1'))
    client.socket.destroy()
    await until(() => upstream.sockets.size === 0 && outcomes(door).length === 1)
    assert.deepEqual(outcomes(door), ['client-aborted'])
    assert.equal(door.pipeline.open.size, 0)
  })
})

describe('drain', () => {
  test('what is under way finishes, what is new is not accepted, what does not end is ended', async (t) => {
    const { upstream, door } = await setUp(t, (seen, socket) => {
      if (seen.line.includes('/slow')) setImmediate(() => socket.write(OK))
      return seen.line.includes('/slow') ? undefined : 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n'
    })
    const idle = door.connect().send(`GET /slow HTTP/1.1\r\n${HEAD}\r\n`)
    await idle.until((text) => text.includes('ok'))
    const slow = door.connect().send(`GET /slow HTTP/1.1\r\n${HEAD}\r\n`)
    const endless = door.connect().send(`GET /endless HTTP/1.1\r\n${HEAD}\r\n`)
    await endless.until((text) => text.includes('ok'))
    await until(() => upstream.seen.length === 3)
    await door.door.drain(200)
    assert.match(await slow.whole(), /^HTTP\/1\.1 200 OK/)
    await Promise.all([idle.whole(), endless.whole()])
    assert.match(await door.connect().send(`GET / HTTP/1.1\r\n${HEAD}\r\n`).whole(), /^$/)
    assert.deepEqual(outcomes(door).toSorted(), ['completed', 'completed', 'shut-down'])
    assert.deepEqual(door.door.open, { connections: 0, exchanges: 0 })
  })
})
