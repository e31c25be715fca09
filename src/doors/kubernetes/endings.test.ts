/** How answers end whose access ends while they are under way. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { KubernetesAction } from '../../core/action.ts'
import { ManualClock } from '../../testing/clock.ts'
import { TOKEN, type RawConnection } from '../../testing/httpdoor.ts'
import {
  clusterDoor,
  clusterPolicy,
  recordsOf,
  requestOf,
  until,
  type ClusterDoor,
  type ClusterDoorOptions,
} from '../../testing/kubernetesdoor.ts'
import { certifiedBy, testAuthority } from '../../testing/pki.ts'
import { standInApiServer, type ApiRequest } from '../../testing/standin-apiserver.ts'

const EVENT = `${JSON.stringify({ type: 'ADDED', object: { kind: 'Pod', metadata: { name: 'a', namespace: 'shop' } } })}\n`
/** As a watch in protobuf has it: how long it is, and what it is. */
const FRAME = '\0\0\0\u0009k8s-frame'
const PROTOBUF = 'application/vnd.kubernetes.protobuf;stream=watch'
const WATCH = 'GET /api/v1/namespaces/shop/pods?watch=true'

interface Watching {
  readonly client: RawConnection
  readonly door: ClusterDoor
  readonly upstream: ApiRequest
}

/** Something that has begun: its head and its first bytes are with the caller. */
async function begun(t: TestContext, line: string, type: string, first: string, options: ClusterDoorOptions = {}): Promise<Watching> {
  const api = await standInApiServer()
  api.answer = ({ stream }) => {
    stream!.respond({ ':status': 200, 'content-type': type })
    stream!.write(first)
    return undefined
  }
  const door = await clusterDoor(api, options)
  t.after(async () => {
    await door.close()
    await api.close()
  })
  const client = door.connect().send(requestOf(line))
  await client.until((text) => text.includes(first.trimEnd()))
  return { client, door, upstream: api.seen[0]! }
}

const ENDINGS = {
  'policy-changed': ({ door }: Watching) => door.policies.swap(clusterPolicy(() => false, { version: 'sha256:2' })),
  revoked: ({ door }: Watching) => {
    door.verified.revoked = true
    door.pipeline.open.sweep()
  },
} as const

/** JSON documents of the events of an answer in chunks. */
function eventsIn(
  text: string,
): readonly { readonly type: string; readonly object: { readonly code?: number; readonly reason?: string } }[] {
  return text
    .slice(text.indexOf('\r\n\r\n') + 4)
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as ReturnType<typeof eventsIn>[number])
}

describe('a watch in JSON', () => {
  for (const [result, code] of [
    ['policy-changed', 403],
    ['revoked', 401],
  ] as const)
    test(`says that it ended: ${result}`, async (t) => {
      const watching = await begun(t, WATCH, 'application/json', EVENT)
      ENDINGS[result](watching)
      const text = await watching.client.until((seen) => seen.endsWith('0\r\n\r\n'))
      assert.deepEqual(
        eventsIn(text).map(({ type, object }) => [type, object.code]),
        [
          ['ADDED', undefined],
          ['ERROR', code],
        ],
      )
      // An end in good order: the connection serves the next request.
      assert.ok(text.endsWith('0\r\n\r\n'))
      await until(() => watching.upstream.stream!.closed)
      await until(() => recordsOf(watching.door)[0]!.includes(result))
      assert.deepEqual(recordsOf(watching.door), [`watch pods shop/*: allowed ${result} 200`])
    })

  test('says so when the credential has expired, and when it lasted as long as it may', async (t) => {
    for (const [limits, advance, code, result] of [
      [{}, 3_700_000, 401, 'expired'],
      [{ maxDuration: '10s' }, 12_000, 504, 'timed-out'],
    ] as const) {
      const clock = new ManualClock()
      const watching = await begun(t, WATCH, 'application/json', EVENT, { clock, door: { limits } })
      clock.advance(advance)
      const text = await watching.client.until((seen) => seen.endsWith('0\r\n\r\n'))
      assert.equal(eventsIn(text).at(-1)!.object.code, code)
      await until(() => recordsOf(watching.door)[0]!.includes(result))
    }
  })

  test('in the middle of an event is broken off: an end there would look like one', async (t) => {
    const watching = await begun(t, WATCH, 'application/json', EVENT.slice(0, -10))
    ENDINGS.revoked(watching)
    const text = await watching.client.whole()
    assert.ok(!text.endsWith('0\r\n\r\n'))
    assert.ok(!text.includes('ERROR'))
  })

  test('is over as soon for whoever doesn’t read', async (t) => {
    const clock = new ManualClock()
    // Of a watch that is shown in part, events are passed on whole, so that there are always last words.
    const filtered = { rule: ({ name }: KubernetesAction) => name === 'a', clusters: { bed: { lists: 'filter' } } }
    const { client, door, upstream } = await begun(t, WATCH, 'application/json', EVENT, { clock, ...filtered })
    client.socket.pause()
    const events = EVENT.repeat(1000)
    // More than sockets hold on the way: only what is read by the caller would make room.
    const { stream } = upstream
    for (let waited = 0; waited < 2000; waited++) {
      if (!stream!.writableNeedDrain) {
        stream!.write(events)
        waited = 0
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    door.verified.revoked = true
    door.pipeline.open.sweep()
    clock.advance(401)
    for (let round = 0; round < 1000 && !recordsOf(door)[0]!.includes('revoked'); round++)
      await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(recordsOf(door), ['watch pods shop/*: allowed revoked 200'])
    assert.equal(door.door.open.exchanges, 0)
  })

  test('goes on where the new policy allows it still', async (t) => {
    const watching = await begun(t, WATCH, 'application/json', EVENT)
    watching.door.policies.swap(clusterPolicy(() => true, { version: 'sha256:2' }))
    watching.upstream.stream!.write(EVENT.replace('ADDED', 'MODIFIED'))
    const text = await watching.client.until((seen) => seen.includes('MODIFIED'))
    assert.deepEqual(
      eventsIn(text).map(({ type }) => type),
      ['ADDED', 'MODIFIED'],
    )
    watching.upstream.stream!.end()
    await watching.client.until((seen) => seen.endsWith('0\r\n\r\n'))
    await until(() => recordsOf(watching.door)[0]!.includes('completed'))
    assert.deepEqual(recordsOf(watching.door), ['watch pods shop/*: allowed completed 200'])
  })

  test('ends with the ground of another that it stands on: whom one acts as', async (t) => {
    const api = await standInApiServer(({ stream }) => {
      stream!.respond({ ':status': 200, 'content-type': 'application/json' })
      stream!.write(EVENT)
      return undefined
    })
    const door = await clusterDoor(api)
    t.after(() => Promise.all([door.close(), api.close()]))
    const client = door.connect().send(requestOf(WATCH, ['Impersonate-User: olga']))
    await client.until((text) => text.includes('ADDED'))
    door.policies.swap(clusterPolicy(({ verb }) => verb !== 'impersonate', { version: 'sha256:2' }))
    const text = await client.until((seen) => seen.endsWith('0\r\n\r\n'))
    assert.equal(eventsIn(text).at(-1)!.object.code, 403)
    await until(() => recordsOf(door).every((line) => line.includes('policy-changed')))
    assert.deepEqual(recordsOf(door), [
      'impersonate users /olga: allowed policy-changed 200',
      'watch pods shop/*: allowed policy-changed 200',
    ])
  })
})

describe('a watch in protobuf', () => {
  for (const [result, code] of [
    ['policy-changed', 403],
    ['revoked', 401],
  ] as const)
    test(`says that it ended: ${result}`, async (t) => {
      const watching = await begun(t, WATCH, PROTOBUF, FRAME)
      ENDINGS[result](watching)
      const text = await watching.client.until((seen) => seen.endsWith('0\r\n\r\n'))
      assert.ok(text.includes('ERROR') && text.includes(code === 403 ? 'allows this no more' : 'access was revoked'))
      await until(() => recordsOf(watching.door)[0]!.includes(result))
      assert.deepEqual(recordsOf(watching.door), [`watch pods shop/*: allowed ${result} 200`])
    })
})

describe('what has no words for it', () => {
  for (const [name, line, type, first] of [
    ['a watch in protobuf, within an event', WATCH, PROTOBUF, FRAME.slice(0, -1)],
    ['one within a length', WATCH, PROTOBUF, `${FRAME}\0\0`],
    ['one in a form that nobody knows', WATCH, 'application/cbor-seq', 'frame'],
    ['a list', 'GET /api/v1/namespaces/shop/pods', 'application/json', '{"kind":"PodList","items":[{"metadata":{"name":"a"}}'],
    ['a log that is followed', 'GET /api/v1/namespaces/shop/pods/a/log?follow=true', 'text/plain', 'a line\n'],
  ] as const)
    for (const result of ['policy-changed', 'revoked'] as const)
      test(`${name} is broken off: ${result}`, async (t) => {
        const watching = await begun(t, line, type, first)
        ENDINGS[result](watching)
        const text = await watching.client.whole()
        assert.ok(!text.endsWith('0\r\n\r\n'), 'it looks whole')
        await until(() => watching.upstream.stream!.closed)
        await until(() => recordsOf(watching.door)[0]!.includes(result))
        assert.match(recordsOf(watching.door)[0]!, new RegExp(`: allowed ${result} 200$`))
      })

  test('what has not begun to answer is refused with a Status', async (t) => {
    const api = await standInApiServer(() => undefined)
    const door = await clusterDoor(api)
    t.after(() => Promise.all([door.close(), api.close()]))
    const client = door.connect().send(requestOf(WATCH, ['Connection: close']))
    await until(() => api.seen.length === 1)
    door.verified.revoked = true
    door.pipeline.open.sweep()
    assert.match(await client.whole(), /^HTTP\/1\.1 403 [\s\S]*"kind":"Status"[\s\S]*access ended while the request was under way/)
    assert.deepEqual(recordsOf(door), ['watch pods shop/*: allowed revoked 403'])
    await until(() => api.seen[0]!.stream!.closed)
  })
})

describe('over HTTP/2, as kubectl speaks', () => {
  /** A watch over TLS that has begun, and what came of it once it ended. */
  async function watched(t: TestContext, type: string, first: string) {
    const folder = mkdtempSync(join(tmpdir(), 'ostiary-endings-'))
    const authority = await testAuthority('the gateway')
    const names = [{ type: 'dns', value: 'localhost' }] as const
    const { cert, key } = await certifiedBy(authority, { names, usages: ['1.3.6.1.5.5.7.3.1'] })
    const tls = { cert: join(folder, 'door.crt'), key: join(folder, 'door.key') }
    writeFileSync(tls.cert, cert)
    writeFileSync(tls.key, key)
    const api = await standInApiServer(({ stream }) => {
      stream!.respond({ ':status': 200, 'content-type': type })
      stream!.write(first)
      return undefined
    })
    const door = await clusterDoor(api, { door: { listen: [{ address: '127.0.0.1:0', tls }] } })
    const session = connect(`https://localhost:${door.port}`, { ca: authority.cert })
    t.after(async () => {
      session.destroy()
      await door.close()
      await api.close()
      rmSync(folder, { recursive: true })
    })
    const path = '/clusters/bed/api/v1/namespaces/shop/pods?watch=true'
    const stream = session.request({ ':path': path, authorization: `Bearer ${TOKEN}` })
    let text = ''
    let isBroken = false
    stream.on('error', () => (isBroken = true))
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await until(() => text === first)
    door.verified.revoked = true
    door.pipeline.open.sweep()
    await until(() => stream.closed && stream.destroyed)
    await until(() => recordsOf(door)[0]!.includes('revoked'))
    assert.equal(session.closed, false)
    return { text, isBroken, code: stream.rstCode }
  }

  test('a watch in JSON ends in good order behind its last event', async (t) => {
    const { text, isBroken, code } = await watched(t, 'application/json', EVENT)
    assert.deepEqual([isBroken, code], [false, 0])
    assert.deepEqual(
      eventsIn(`\r\n\r\n${text}`).map(({ type }) => type),
      ['ADDED', 'ERROR'],
    )
  })

  test('one in protobuf does so too', async (t) => {
    const { text, isBroken, code } = await watched(t, PROTOBUF, FRAME)
    assert.deepEqual([isBroken, code], [false, 0])
    assert.ok(text.startsWith(FRAME))
    assert.match(text.slice(FRAME.length), /ERROR[\s\S]*k8s\0[\s\S]*Status[\s\S]*Failure/)
  })

  test('one in another form is reset, and its connection goes on', async (t) => {
    const { text, isBroken, code } = await watched(t, 'application/cbor-seq', 'frame')
    assert.deepEqual([text, isBroken], ['frame', true])
    assert.notEqual(code, 0)
  })
})
