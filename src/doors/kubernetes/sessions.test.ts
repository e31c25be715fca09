/** Sessions through the door: what is kept of them, and what is not. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { Duplex } from 'node:stream'
import { createHash } from 'node:crypto'
import type { Disk } from '../../audit/disk.ts'
import { FaultyDisk } from '../../audit/testdata/disk.ts'
import { temporary } from '../../audit/testdata/record.ts'
import { Recordings } from '../../audit/recordings/index.ts'
import { systemClock } from '../../core/clock.ts'
import { bytesOf, clientFrame } from '../../kubernetes/streams/testing.ts'
import { BINARY, closing, serverFrame } from '../../kubernetes/streams/websocket.ts'
import { askCluster, clusterDoor, requestOf, until } from '../../testing/kubernetesdoor.ts'
import { linesOf, standInApiServer } from '../../testing/standin-apiserver.ts'
import { resourceSchema } from './schema.ts'

interface Options {
  readonly sessions?: object
  readonly disk?: Disk
}

async function setUp(t: TestContext, { sessions = {}, disk }: Options = {}) {
  const folder = temporary()
  const dir = join(folder.path, 'recordings')
  const announce = (): Promise<void> => Promise.resolve()
  const options = { dir, clock: systemClock, keepFor: 1e12, keepAtMost: 1e12, announce }
  const recordings = new Recordings(disk === undefined ? options : { ...options, disk })
  const api = await standInApiServer()
  const door = await clusterDoor(api, { recordings, clusters: { bed: { sessions: { record: 'all', ...sessions } } } })
  t.after(async () => {
    await door.close()
    await api.close()
    await recordings.close()
    folder[Symbol.dispose]()
  })
  return { api, door, dir }
}

test('a session that can not be recorded is refused, and nothing says that it began', async (t) => {
  const { api, door, dir } = await setUp(t)
  writeFileSync(dir, '')
  api.upgrade = (_request, socket) =>
    socket.end(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n',
    )
  const answer = await askCluster(door, 'POST /api/v1/namespaces/shop/pods/a/exec?command=true', [
    'Connection: Upgrade',
    'Upgrade: SPDY/3.1',
    'X-Stream-Protocol-Version: v4.channel.k8s.io',
  ])
  assert.equal(answer.status, 503)
  assert.deepEqual(door.notes, [])
})

describe('what is kept of a session', () => {
  const TOKEN = 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpIn0.c2lnbmF0dXJl'
  const COMMAND = ['sh', '-c', 'mysql -psecret; echo CORP-1234'].map((word) => `command=${encodeURIComponent(word)}`).join('&')
  const ACCEPT = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

  const server = (channel: number, text: string): Uint8Array => serverFrame(BINARY, Uint8Array.of(channel, ...bytesOf(text)))
  const client = (text: string): Buffer => Buffer.from(clientFrame(BINARY, Uint8Array.of(0, ...bytesOf(text))))

  /** A session in which somebody reads a token, and then types a password that isn't shown. */
  async function session(t: TestContext, options: Options) {
    const { api, door, dir } = await setUp(t, options)
    let input = ''
    api.upgrade = (request, socket: Duplex) => {
      const accept = createHash('sha1')
        .update(`${linesOf(request, 'sec-websocket-key')[0]!}${ACCEPT}`)
        .digest('base64')
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n`,
      )
      socket.write(server(1, `$ cat token\r\n${TOKEN.slice(0, 30)}`))
      socket.write(server(1, `${TOKEN.slice(30)}\r\n# CORP-1234\r\nPassword: `))
      socket.on('data', (chunk: Buffer) => {
        input += chunk.toString('latin1')
        socket.write(server(1, '\r\n'))
        socket.write(server(3, '{"status":"Success"}'))
        socket.end(closing(1000, ''))
      })
    }
    const connection = door.connect()
    connection.send(
      requestOf(`GET /api/v1/namespaces/shop/pods/a/exec?${COMMAND}&tty=true&stdin=true`, [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Protocol: v5.channel.k8s.io',
      ]),
    )
    let seen = ''
    connection.socket.on('data', (chunk: Buffer) => (seen += chunk.toString('latin1')))
    await until(() => seen.includes('Password: '))
    connection.socket.write(client('hunter2\r'))
    await until(() => door.notes.length === 2)
    const [begun, recorded] = door.notes
    if (recorded!.kind === 'session-ended') return undefined
    const file = readFileSync(join(dir, String(recorded!.details['file'])), 'utf8')
    const lines = file.trimEnd().split('\n')
    const [header, ...events] = lines.map((line) => JSON.parse(line) as unknown) as [{ command: string }, ...[number, string, string][]]
    const kept = (code: string): string => events.flatMap((event) => (event[1] === code ? [event[2]] : [])).join('')
    return { seen, input, begun: begun!.details, recorded: recorded!.details, file, header, kept }
  }

  /** The same, where it can be recorded. */
  async function recordedSession(t: TestContext, sessions: object) {
    const recorded = await session(t, { sessions })
    assert.ok(recorded !== undefined)
    return recorded
  }

  test('the record says that it is over, also where nobody vouches for what is kept of it', async (t) => {
    const disk = new FaultyDisk()
    disk.failSync = 'EIO'
    assert.equal(await session(t, { disk }), undefined)
  })

  test('neither tokens nor passwords, though all of it passed', async (t) => {
    const { seen, input, begun, recorded, file, header, kept } = await recordedSession(t, { redact: { patterns: ['CORP-[0-9]{4}'] } })
    assert.ok(seen.includes(TOKEN.slice(0, 30)) && seen.includes(`${TOKEN.slice(30)}\r\n# CORP-1234\r\nPassword: `))
    assert.equal(Buffer.from(input, 'latin1').compare(client('hunter2\r')), 0)
    assert.deepEqual(begun['command'], ['sh', '-c', 'mysql -p‹redacted›; echo ‹redacted›'])
    assert.equal(header.command, "sh -c 'mysql -p‹redacted›; echo ‹redacted›'")
    assert.equal(kept('o'), '$ cat token\r\n‹redacted›\r\n# ‹redacted›\r\nPassword: \r\n')
    assert.equal(kept('i'), '‹redacted›\r')
    assert.deepEqual([recorded['redacted'], recorded['complete'], recorded['exit']], [3, true, 0])
    assert.deepEqual([recorded['bytes'], recorded['sha256']], [Buffer.byteLength(file), createHash('sha256').update(file).digest('hex')])
  })

  test('what the configuration keeps', async (t) => {
    const { begun, recorded, kept } = await recordedSession(t, { redact: { keep: ['tokens', 'typed', 'arguments'] } })
    assert.ok(kept('o').includes(TOKEN))
    assert.equal(kept('i'), 'hunter2\r')
    assert.deepEqual([begun['command'], recorded['redacted']], [['sh', '-c', 'mysql -psecret; echo CORP-1234'], 0])
  })
})

test('patterns that are none, or match nothing, are refused, and so are forms that there are not', () => {
  const problem = (redact: object): string | undefined =>
    resourceSchema
      .safeParse({ protocol: 'kubernetes', sessions: { redact } })
      .error?.issues.map(({ message }) => message)
      .join()
  assert.equal(problem({ patterns: ['CORP-[0-9]+', '(?i)x{3}'], keep: ['tokens'] }), undefined)
  assert.match(problem({ patterns: ['('] }) ?? '', /is not an RE2 pattern/)
  assert.match(problem({ patterns: ['(a)(?=b)'] }) ?? '', /is not linear/)
  assert.match(problem({ patterns: ['x*'] }) ?? '', /matches where there is nothing/)
  assert.match(problem({ patterns: ['(a{100}){9}'] }) ?? '', /too large a pattern/)
  assert.match(problem({ keep: ['everything'] }) ?? '', /"typed"/)
})
