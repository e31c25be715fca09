import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { joined } from './bounded.ts'
import { agreedProtocol, type StreamProtocol } from './protocol.ts'
import { dataFrame, goAway } from './spdy.ts'
import { bytesOf, clientFrame, control, HeaderWriter, tell, told, word, type Turn } from './testing.ts'
import { serverFrame } from './websocket.ts'

const V5: StreamProtocol = { carrier: 'websocket', form: 'channel', version: 5 }
const V1: StreamProtocol = { carrier: 'websocket', form: 'channel', version: 1 }
const BASE64: StreamProtocol = { carrier: 'websocket', form: 'base64', version: 4 }
const SPDY: StreamProtocol = { carrier: 'spdy', form: 'streams', version: 4 }
const PORTS: StreamProtocol = { carrier: 'spdy', form: 'streams', version: 1 }
const TUNNEL: StreamProtocol = { carrier: 'websocket', form: 'streams', version: 1 }

const client = (...pieces: Uint8Array[]): Turn => ({ from: 'client', bytes: joined(pieces) })
const server = (...pieces: Uint8Array[]): Turn => ({ from: 'server', bytes: joined(pieces) })
const channel = (number: number, text: string): Uint8Array => joined([Uint8Array.of(number), bytesOf(text)])
const STATUS = (status: object): string => JSON.stringify({ kind: 'Status', metadata: {}, ...status })
const FAILED = STATUS({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  message: 'command terminated with exit code 7',
  details: { causes: [{ reason: 'ExitCode', message: '7' }] },
})

const channels: readonly Turn[] = [
  client(clientFrame(2, channel(4, '{"Width":80,"Height":24}\n')), clientFrame(2, channel(0, 'ls\r')), clientFrame(9, bytesOf('ping'))),
  server(
    serverFrame(2, channel(1, '')),
    serverFrame(2, channel(1, 'a b\r\n')),
    serverFrame(10, bytesOf('ping')),
    serverFrame(2, channel(2, 'oh')),
  ),
  client(clientFrame(2, Uint8Array.of(255, 0)), clientFrame(2, channel(4, '{"Width":100,"Height":30}'))),
  server(serverFrame(2, channel(3, FAILED)), serverFrame(8, Uint8Array.of(3, 232))),
]
const CHANNELS_TOLD = [
  'resize 80 24',
  'input ls\r',
  'output a b\r\n',
  'error-output oh',
  'input-ended',
  'resize 100 30',
  'exit 7 command terminated with exit code 7',
]

function spdyTurns(): readonly Turn[] {
  const [out, back] = [new HeaderWriter(), new HeaderWriter()]
  const open = ['error', 'stdin', 'stdout', 'stderr', 'resize'].map((streamtype, at) => out.synStream(at * 2 + 1, { streamtype }))
  return [
    client(control(4, joined([word(1), word(7), word(9)])), ...open, dataFrame(1, new Uint8Array(0), true)),
    server(...[1, 3, 5, 7, 9].map((id) => back.synReply(id)), control(6, word(2))),
    client(dataFrame(9, bytesOf('{"Width":80,"Height":24}'), false), dataFrame(3, bytesOf('ls\r'), false), control(6, word(2))),
    server(dataFrame(5, bytesOf('a b\r\n'), false), control(9, joined([word(5), word(100)])), dataFrame(7, bytesOf('oh'), false)),
    client(dataFrame(3, new Uint8Array(0), true), dataFrame(9, bytesOf('{"Width":100,"Height":30}'), false)),
    server(dataFrame(1, bytesOf(FAILED), false), dataFrame(1, new Uint8Array(0), true), goAway(9)),
  ]
}

function portTurns(): readonly Turn[] {
  const [out, back] = [new HeaderWriter(), new HeaderWriter()]
  const fields = (streamtype: string, port: string, requestid: string): Record<string, string> => ({ streamtype, port, requestid })
  return [
    client(
      out.synStream(1, fields('error', '80', '0')),
      dataFrame(1, new Uint8Array(0), true),
      out.synStream(3, fields('data', '80', '0')),
    ),
    server(back.synReply(1), back.synReply(3)),
    client(dataFrame(3, bytesOf('GET /'), false), out.synStream(5, fields('error', '81', '1')), dataFrame(5, new Uint8Array(0), true)),
    client(out.synStream(7, fields('data', '81', '1'))),
    server(back.synReply(5), back.synReply(7), dataFrame(3, bytesOf('200'), true), dataFrame(1, new Uint8Array(0), true)),
    client(dataFrame(3, new Uint8Array(0), true)),
    server(dataFrame(5, bytesOf('connection refused'), true)),
    client(control(3, joined([word(7), word(5)]))),
  ]
}
const PORTS_TOLD = ['port-opened 80 0', 'port-opened 81 1', 'port-closed 80 0 5 3 ', 'port-closed 81 1 0 0 connection refused']

/** The same turns in messages of the tunnel, cut where `cuts` says. */
function tunnelled(turns: readonly Turn[], cut: number): readonly Turn[] {
  return turns.map(({ from, bytes }) => {
    const frames: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += cut) {
      const piece = bytes.slice(at, at + cut)
      frames.push(from === 'client' ? clientFrame(2, piece) : serverFrame(2, piece))
    }
    return { from, bytes: joined(frames) }
  })
}

describe('what a session carries', () => {
  const cases: readonly (readonly [string, StreamProtocol, 'exec' | 'portforward', () => readonly Turn[], readonly string[]])[] = [
    ['channels', V5, 'exec', () => channels, CHANNELS_TOLD],
    ['streams of SPDY', SPDY, 'exec', spdyTurns, CHANNELS_TOLD],
    ['port-forward over SPDY', PORTS, 'portforward', portTurns, PORTS_TOLD],
    ['port-forward tunnelled', TUNNEL, 'portforward', () => tunnelled(portTurns(), 7), PORTS_TOLD],
    [
      'base64',
      BASE64,
      'exec',
      () => [
        client(clientFrame(1, bytesOf(`0${btoa('ls\r')}`)), clientFrame(1, bytesOf(`0${btoa('abcd')}`))),
        server(
          serverFrame(1, bytesOf('1')),
          serverFrame(1, bytesOf(`1${btoa('a b\r\n')}`)),
          serverFrame(1, bytesOf(`3${btoa(STATUS({ status: 'Success' }))}`)),
        ),
      ],
      ['input ls\rabcd', 'output a b\r\n', 'exit 0 undefined'],
    ],
    [
      'text on the error channel of version 1',
      V1,
      'exec',
      () => [server(serverFrame(2, channel(3, 'no such file')))],
      ['exit undefined no such file'],
    ],
    [
      'a failure that is no exit code',
      V5,
      'exec',
      () => [server(serverFrame(2, channel(3, STATUS({ status: 'Failure', reason: 'InternalError', message: 'no runtime' }))))],
      ['exit undefined no runtime'],
    ],
    [
      'port-forward in channels',
      V1,
      'portforward',
      () => [
        client(clientFrame(2, channel(0, 'early'))),
        server(serverFrame(2, Uint8Array.of(0, 80)), serverFrame(2, Uint8Array.of(0, 0)), serverFrame(2, Uint8Array.of(1, 80, 0))),
        client(clientFrame(2, channel(0, 'GET'))),
        server(serverFrame(2, channel(0, '200')), serverFrame(2, channel(1, 'lost'))),
      ],
      ['port-opened 80 0', 'port-closed 80 0 8 3 lost'],
    ],
  ]
  for (const [name, protocol, kind, turns, expected] of cases)
    test(name, () => {
      for (const piece of [Number.POSITIVE_INFINITY, 1, 2, 3, 5, 16]) {
        const { session, events } = tell(protocol, kind, turns(), piece)
        session.ended()
        assert.deepEqual(told(events), expected, `in pieces of ${piece}`)
      }
    })

  test('a client that resets a stream is still shown to be sent what was on its way', () => {
    const out = new HeaderWriter()
    const turns = [
      client(out.synStream(1, { streamtype: 'stdout' }), control(3, joined([word(1), word(5)]))),
      server(dataFrame(1, bytesOf('secret'), false)),
    ]
    assert.deepEqual(told(tell(SPDY, 'exec', turns).events), ['output secret'])
  })
})

/** A header block with one name twice, which some readers take the first of and others the last. */
const TWICE = ((): Uint8Array => {
  const field = (text: string): Uint8Array => joined([word(text.length), bytesOf(text)])
  const pair = (value: string): Uint8Array => joined([field('streamtype'), field(value)])
  return new HeaderWriter().raw(joined([word(2), pair('stdout'), pair('stdin')]))
})()

function withFlags(frame: Uint8Array, flags: number): Uint8Array {
  return Uint8Array.from(frame, (byte, at) => (at === 4 ? flags : byte))
}

describe('what is not decoded', () => {
  const header = (fields: Record<string, string>): Uint8Array => new HeaderWriter().synStream(1, fields)
  const stdin = header({ streamtype: 'stdin' })
  const cases: readonly (readonly [string, StreamProtocol, Turn, RegExp])[] = [
    ['a message in two frames, which servers read as two', V5, client(clientFrame(2, channel(4, '{'), { final: false })), /several frames/],
    ['a frame without a mask', V5, client(serverFrame(2, channel(0, 'x'))), /masked/],
    ['a frame of the server under a mask', V5, server(clientFrame(2, channel(1, 'x'))), /masked/],
    ['compression', V5, client(Uint8Array.of(0xc2, 0x81, 0, 0, 0, 0, 0)), /extension/],
    ['an opcode of the future', V5, client(clientFrame(3, channel(0, 'x'))), /opcode/],
    ['a control frame of the future', V5, client(clientFrame(11, bytesOf(''))), /control frame/],
    ['a long control frame', V5, client(clientFrame(9, new Uint8Array(126))), /control frame/],
    ['a length past what can be counted', V5, server(Uint8Array.of(0x82, 127, 255, 0, 0, 0, 0, 0, 0, 0)), /longer/],
    ['a continuation of nothing', V5, client(clientFrame(0, channel(0, 'x'))), /overlap/],
    ['a channel that there is not', V5, client(clientFrame(2, channel(5, 'x'))), /channel that there is not/],
    ['the closing of two channels', V5, client(clientFrame(2, Uint8Array.of(255, 0, 1))), /more than one channel/],
    ['the closing of none', V5, client(clientFrame(2, Uint8Array.of(255))), /closes no channel/],
    ['a channel that is no digit', BASE64, client(clientFrame(1, bytesOf('xAAAA'))), /digit/],
    ['base64 that breaks off', BASE64, client(clientFrame(1, bytesOf('0AAA'))), /not base64/],
    ['base64 with line breaks', BASE64, client(clientFrame(1, bytesOf('0AA\nAA'))), /not base64/],
    ['text in the tunnel', TUNNEL, client(clientFrame(1, bytesOf('x'))), /text/],
    ['another version of SPDY', SPDY, client(Uint8Array.of(0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1)), /version/],
    [
      'a reset longer than resets are, which its reader would take for another frame',
      SPDY,
      client(control(3, new Uint8Array(16))),
      /another length/,
    ],
    ['a ping longer than pings are', SPDY, client(control(6, new Uint8Array(12))), /another length/],
    ['settings with another number than there are', SPDY, client(control(4, joined([word(0), word(1), word(2)]))), /another length/],
    ['a kind of frame that there is not', SPDY, client(control(5, new Uint8Array(4))), /another length/],
    ['a long control frame of SPDY', SPDY, client(Uint8Array.of(0x80, 3, 0, 1, 0, 0xff, 0, 0)), /too long/],
    ['data for no stream', SPDY, client(dataFrame(0, bytesOf('x'), false)), /no stream/],
    ['data for a stream to come', SPDY, client(dataFrame(1, bytesOf('x'), false)), /that there is not/],
    ['a stream of no known type', SPDY, client(header({ streamtype: 'stdinput' })), /no known type/],
    ['a stream of two types', SPDY, client(header({ streamtype: 'stdin\0stdout' })), /no known type/],
    ['a field whose name has capitals', SPDY, client(header({ streamType: 'stdin' })), /malformed/],
    ['a field twice', SPDY, client(control(1, joined([word(1), word(0), Uint8Array.of(0, 0), TWICE]))), /malformed/],
    ['data with flags of the future', SPDY, client(stdin, withFlags(dataFrame(1, bytesOf('x'), false), 2)), /unknown flags/],
    ['the same stream again', SPDY, client(stdin, stdin), /decompressed|out of order/],
    ['an even stream of the client', SPDY, client(new HeaderWriter().synStream(2, { streamtype: 'stdin' })), /out of order/],
    ['a stream of the server', SPDY, server(new HeaderWriter().synStream(2, { streamtype: 'stdin' })), /of its own/],
    [
      'more behind the last field of a block',
      SPDY,
      client(control(1, joined([new Uint8Array([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), new HeaderWriter().raw(joined([word(0), word(0)]))]))),
      /malformed/,
    ],
    ['a port that is none', PORTS, client(header({ streamtype: 'data', port: '0', requestid: '0' })), /no port/],
    ['a connection without a number', PORTS, client(header({ streamtype: 'data', port: '80' })), /number/],
  ]
  for (const [name, protocol, turn, why] of cases)
    test(name, () => {
      for (const piece of [Number.POSITIVE_INFINITY, 1]) {
        const { session, events } = tell(protocol, protocol === PORTS || protocol === TUNNEL ? 'portforward' : 'exec', [turn, turn], piece)
        assert.equal(events.filter(({ kind }) => kind === 'undecodable').length, 1, told(events).join('\n'))
        const last = events.at(-1)!
        assert.ok(last.kind === 'undecodable' && why.test(last.why), told(events).join('\n'))
        assert.ok(session.undecodable)
      }
    })

  test('more streams than a command has', () => {
    const out = new HeaderWriter()
    const { events } = tell(SPDY, 'exec', [
      client(...Array.from({ length: 17 }, (_, at) => out.synStream(at * 2 + 1, { streamtype: 'stdin' }))),
    ])
    assert.deepEqual(told(events), ['undecodable more streams are open than are followed'])
  })

  test('nothing is told behind it, and the session can still be ended properly', () => {
    const { session, events } = tell(V5, 'exec', [client(serverFrame(2, channel(0, 'x'))), server(serverFrame(2, channel(1, 'unseen')))])
    assert.deepEqual(told(events), ['undecodable a WebSocket frame is masked as the other side’s are'])
    assert.ok(session.closing(ENDED).bytes.length > 20)
  })
})

const ENDED = { reason: 'Forbidden', message: 'access has ended', code: 403 }
const SAID = bytesOf(
  '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"access has ended","reason":"Forbidden","code":403}',
)

describe('how a session is ended', () => {
  const open: Turn = server(serverFrame(2, channel(1, 'some output')))
  const words = (frame: (payload: Uint8Array) => Uint8Array): Uint8Array => joined([frame(SAID), serverFrame(8, Uint8Array.of(3, 232))])

  test('channels: a Status on the error channel, then the close that kubectl reads it with', () => {
    const expected = words((payload) => serverFrame(2, joined([Uint8Array.of(3), payload])))
    assert.deepEqual(tell(V5, 'exec', [open]).session.closing(ENDED), { bytes: expected, done: true })
  })

  test('base64: the same in text', () => {
    const { session } = tell(BASE64, 'exec', [])
    assert.deepEqual(
      session.closing(ENDED).bytes,
      words((payload) => serverFrame(1, bytesOf(`3${Buffer.from(payload).toString('base64')}`))),
    )
  })

  test('version 1: words', () => {
    const { session } = tell(V1, 'exec', [])
    assert.deepEqual(
      session.closing(ENDED).bytes,
      joined([serverFrame(2, channel(3, 'access has ended')), serverFrame(8, Uint8Array.of(3, 232))]),
    )
  })

  test('in the middle of a frame: what is left of it comes first', () => {
    const expected = tell(V5, 'exec', [open]).session.closing(ENDED).bytes
    for (let cut = 1; cut < open.bytes.length; cut++) {
      const { session, events } = tell(V5, 'exec', [{ from: 'server', bytes: open.bytes.slice(0, cut) }])
      assert.deepEqual(session.closing(ENDED), { bytes: new Uint8Array(0), done: false })
      const middle = open.bytes.slice(cut, -1)
      assert.deepEqual(session.closing(ENDED, middle), { bytes: middle, done: false })
      const rest = joined([open.bytes.slice(-1), serverFrame(2, channel(1, 'too late'))])
      assert.deepEqual(session.closing(ENDED, rest), { bytes: joined([open.bytes.slice(-1), expected]), done: true }, `cut at ${cut}`)
      assert.deepEqual(told(events), ['output some output'])
    }
  })

  test('in the middle of a message: a close frame that says why', () => {
    const { session } = tell(V5, 'exec', [server(Uint8Array.of(0x02, 2, 1, 65))])
    assert.deepEqual(session.closing(ENDED).bytes, serverFrame(8, joined([Uint8Array.of(3, 240), bytesOf('access has ended')])))
  })

  test('after the server said how it ended: no second Status', () => {
    const turns = [...channels.slice(0, 3), server(serverFrame(2, channel(3, FAILED)))]
    assert.deepEqual(tell(V5, 'exec', turns).session.closing(ENDED).bytes, serverFrame(8, Uint8Array.of(3, 232)))
  })

  test('after the end of the server’s own: nothing', () => {
    assert.deepEqual(tell(V5, 'exec', channels).session.closing(ENDED), { bytes: new Uint8Array(0), done: true })
    assert.deepEqual(tell(SPDY, 'exec', spdyTurns()).session.closing(ENDED), { bytes: new Uint8Array(0), done: true })
  })

  test('SPDY: a Status on the error stream, the end of the others, the end of all', () => {
    const { session } = tell(SPDY, 'exec', spdyTurns().slice(0, 4))
    const ends = [3, 5, 7, 9].map((id) => dataFrame(id, new Uint8Array(0), true))
    assert.deepEqual(session.closing(ENDED), { bytes: joined([dataFrame(1, SAID, true), ...ends, goAway(9)]), done: true })
  })

  test('SPDY: nothing on streams that the server has not agreed to', () => {
    const { session } = tell(SPDY, 'exec', spdyTurns().slice(0, 1))
    assert.deepEqual(session.closing(ENDED).bytes, goAway(9))
  })

  test('port-forward: words on the error stream of each connection', () => {
    const turns = portTurns().slice(0, 2)
    const inner = joined([dataFrame(1, bytesOf('access has ended'), true), dataFrame(3, new Uint8Array(0), true), goAway(3)])
    assert.deepEqual(tell(PORTS, 'portforward', turns).session.closing(ENDED).bytes, inner)
    const { session } = tell(TUNNEL, 'portforward', tunnelled(turns, 20))
    assert.deepEqual(session.closing(ENDED).bytes, joined([serverFrame(2, inner), serverFrame(8, Uint8Array.of(3, 232))]))
  })
})

test('any bytes at all: told or undecodable, never an error, never more than came', () => {
  const protocols = fc.constantFrom(V5, V1, BASE64, SPDY, PORTS, TUNNEL)
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array({ maxLength: 60 }).map((payload) => clientFrame(2, payload)),
    fc.uint8Array({ maxLength: 60 }).map((payload) => serverFrame(2, payload)),
    fc.tuple(fc.integer({ min: 0, max: 12 }), fc.uint8Array({ maxLength: 40 })).map(([type, body]) => control(type, body)),
    fc.constantFrom(...spdyTurns(), ...channels, ...portTurns()).map(({ bytes }) => bytes),
  )
  const turn = fc.record({ from: fc.constantFrom('client' as const, 'server' as const), bytes: hostile })
  fc.assert(
    fc.property(
      protocols,
      fc.constantFrom('exec' as const, 'portforward' as const),
      fc.array(turn, { maxLength: 12 }),
      (protocol, kind, turns) => {
        const { session, events } = tell(protocol, kind, turns)
        session.closing(ENDED)
        session.closing(ENDED, bytesOf('more'))
        session.ended()
        const length = events.reduce((sum, event) => sum + ('bytes' in event ? event.bytes.length : 0), 0)
        assert.ok(length <= turns.reduce((sum, { bytes }) => sum + bytes.length, 0))
        assert.ok(events.filter(({ kind: name }) => name === 'undecodable').length <= 1)
      },
    ),
    { numRuns: 2000 },
  )
})

test('the same is told however the bytes are cut, also where one of them is altered', () => {
  const turns = spdyTurns()
  fc.assert(
    fc.property(
      fc.nat(turns.length - 1),
      fc.nat(),
      fc.integer({ min: 0, max: 7 }),
      fc.integer({ min: 1, max: 30 }),
      (which, where, bit, piece) => {
        const altered = turns.map(({ from, bytes }) => ({ from, bytes: bytes.slice() }))
        const { bytes } = altered[which]!
        bytes[where % bytes.length]! ^= 1 << bit
        assert.deepEqual(told(tell(SPDY, 'exec', altered, piece).events), told(tell(SPDY, 'exec', altered).events))
      },
    ),
    { numRuns: 1000 },
  )
})

test('which protocol an answer agrees on', () => {
  const answer = (upgrade: string, subprotocol?: string, streamVersion?: string, extensions?: string): string => {
    const agreed = agreedProtocol({ upgrade, subprotocol, extensions, streamVersion })
    return agreed === undefined ? 'none' : `${agreed.carrier} ${agreed.form} ${agreed.version}`
  }
  assert.equal(answer('websocket', 'v5.channel.k8s.io'), 'websocket channel 5')
  assert.equal(answer('WebSocket', 'v4.base64.channel.k8s.io'), 'websocket base64 4')
  assert.equal(answer('websocket', 'base64.channel.k8s.io'), 'websocket base64 1')
  assert.equal(answer('websocket'), 'websocket channel 1')
  assert.equal(answer('websocket', 'SPDY/3.1+portforward.k8s.io'), 'websocket streams 1')
  assert.equal(answer('SPDY/3.1', undefined, 'v4.channel.k8s.io'), 'spdy streams 4')
  assert.equal(answer('SPDY/3.1', undefined, 'portforward.k8s.io'), 'spdy streams 1')
  assert.equal(answer('SPDY/3.1'), 'spdy streams 1')
  assert.equal(answer('websocket', 'v6.channel.k8s.io'), 'none')
  assert.equal(answer('websocket', 'v5.channel.k8s.io', undefined, 'permessage-deflate'), 'none')
  assert.equal(answer('h2c'), 'none')
  assert.equal(answer('SPDY/3.1', undefined, 'v9'), 'none')
})
