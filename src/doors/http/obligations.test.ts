import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { loadPolicy } from '../../policy/index.ts'
import { memoryLimiter } from '../../store/memory-limits.ts'
import { ask, codeOf, fieldOf, problemOf, recordingUpstream, testDoor, TOKEN, valueOf } from '../../testing/httpdoor.ts'
import type { ReadAnswer, RecordingUpstream, TestDoor } from '../../testing/httpdoor.ts'

const READER = `Authorization: Bearer ${TOKEN}`

const issuer = { kind: 'oidc', audiences: ['orders'], clients: [], agents: [], claims: {}, stepUp: undefined }
const resource = { protocol: 'http', description: undefined, labels: {}, issuers: undefined, scopes: undefined, record: 'spool' as const }
const policyText = `apiVersion: ostiary.dev/v1
rules:
  - { id: open, role: everyone, resource: orders, actions: ['* /**'] }
guardrails:
  - { id: fields, mask: { $.email: drop, '$..card': { partial: { last: 4 } } }, actions: ['* /masked/**', '* /socket'], resource: orders, for: [everyone] }
  - { id: twice, limit: { requests: 2, in: 1m, per: everyone }, actions: [GET /limited], resource: orders, for: [everyone] }
  - { id: counted, limit: { requests: 1, in: 1m, per: everyone }, actions: [GET /counted], resource: orders, for: [everyone], mode: observe, until: 2999-01-01T00:00:00Z }
  - { id: durable, record: strict, actions: [GET /durable], resource: orders, for: [everyone] }
  - { id: reasoned, require: { justification: { matches: 'OPS-[0-9]+: .+' } }, actions: [GET /reasoned], resource: orders, for: [everyone] }
  - { id: inside, require: { network: [10.0.0.0/8] }, actions: [GET /inside], resource: orders, for: [everyone] }
  - { id: asked, require: { approval: { from: [authenticated] } }, actions: [GET /asked], resource: orders, for: [everyone] }
  - { id: watched, deny: [GET /watched], resource: orders, for: [everyone], mode: observe, until: 2999-01-01T00:00:00Z }
`

function policy() {
  const { policy: loaded, diagnostics } = loadPolicy({
    sources: {
      wiring: { path: 'ostiary.yaml', text: '' },
      environment: undefined,
      policy: [{ path: 'policy/p.yaml', text: policyText }],
      tests: [],
    },
    wiring: { issuers: { entra: issuer }, resources: { orders: resource } },
    kindClaims: {},
    mustAdminister: false,
    now: Date.now(),
  })
  assert.deepEqual(diagnostics, [])
  return loaded!
}

describe('what a policy asks of the door', () => {
  let upstream: RecordingUpstream
  let door: TestDoor
  const json = (body: string, more = '', status = '200 OK'): string =>
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`
  before(async () => {
    upstream = await recordingUpstream()
    door = await testDoor({
      upstream: upstream.url,
      resource: { websocket: { origins: ['https://app.example.com'] } },
      door: { limits: { maskedBody: '1KiB' } },
      policy: policy(),
      limiter: memoryLimiter(),
    })
  })
  after(() => Promise.all([door.close(), upstream.close()]))
  const get = (path: string, ...fields: string[]): Promise<ReadAnswer> => ask(door, `GET ${path}`, [READER, ...fields])
  const recorded = (answer: ReadAnswer) => door.records.get(valueOf(answer, 'ostiary-decision')!)!

  test('fields are masked, and nothing tells of the body as it was', async () => {
    upstream.answer = () => json('{"id":1.0,"email":"ada@example.com","paid":[{"card":"4111111111111111"}]}', 'ETag: "x"\r\nX-Other: y\r\n')
    const answer = await get('/masked/1', 'Accept-Encoding: gzip', 'Range: bytes=0-9', 'If-None-Match: "x"')
    assert.equal(answer.status, 200)
    assert.equal(answer.body, '{"id":1.0,"paid":[{"card":"…1111"}]}'.replace('…', Buffer.from('…').toString('latin1')))
    assert.deepEqual([valueOf(answer, 'etag'), valueOf(answer, 'x-other')], [undefined, 'y'])
    const seen = upstream.seen.at(-1)
    assert.deepEqual(
      [fieldOf(seen, 'accept-encoding'), fieldOf(seen, 'range'), fieldOf(seen, 'if-none-match')],
      ['identity', undefined, undefined],
    )
    assert.equal(recorded(answer).outcomes[0]?.bytesOut, Buffer.byteLength('{"id":1.0,"paid":[{"card":"…1111"}]}'))
  })

  const kept: readonly (readonly [name: string, answer: string])[] = [
    ['another type', 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 15\r\n\r\nada@example.com'],
    ['no type', 'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nada@example.com'],
    ['a coding', json('{"email":1}', 'Content-Encoding: gzip\r\n')],
    ['a part', json('{"email":1}', 'Content-Range: bytes 0-9/99\r\n', '206 Partial Content')],
    ['no JSON', json('{"email":"ada@example.com"')],
    ['too long', json(`{"email":"${'x'.repeat(2000)}"}`)],
  ]
  for (const [name, text] of kept)
    test(`what can not be masked is kept back: ${name}`, async () => {
      upstream.answer = () => text
      const answer = await get('/masked/1')
      assert.equal(answer.status, 502)
      assert.equal(codeOf(answer), 'http/unmaskable')
      assert.ok(!answer.body.includes('ada@'))
      assert.deepEqual(
        recorded(answer).outcomes.map(({ result, status }) => [result, status]),
        [['refused', 502]],
      )
    })

  test('an error of the upstream stays one, without its text', async () => {
    upstream.answer = () => 'HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\nada@example.com'
    const answer = await get('/masked/1')
    assert.deepEqual(
      [answer.status, answer.body, valueOf(answer, 'content-type'), valueOf(answer, 'content-length')],
      [404, '', undefined, '0'],
    )
  })

  test('an answer without a body, and one in pieces', async () => {
    upstream.answer = () => 'HTTP/1.1 204 No Content\r\n\r\n'
    assert.equal((await get('/masked/1')).status, 204)
    upstream.answer = () =>
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"emai\r\n7\r\nl":"a"}\r\n0\r\nX-Digest: y\r\n\r\n'
    const answer = await get('/masked/1')
    assert.deepEqual([answer.body, valueOf(answer, 'content-length')], ['{}', '2'])
  })

  // Node's parser takes one for the other, and would leave the connection to what masks nothing.
  test('`Proxy-Connection` switches nothing: what is masked stays masked', async () => {
    upstream.answer = () => json('{"id":1,"email":"ada@example.com"}')
    const answer = await get(
      '/socket',
      'Proxy-Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    )
    assert.deepEqual([answer.status, answer.body], [200, '{"id":1}'])
    assert.equal(fieldOf(upstream.seen.at(-1), 'upgrade'), undefined)
  })

  test('a WebSocket is nothing that could be masked', async () => {
    const answer = await get(
      '/socket',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      'Connection: Upgrade',
    )
    assert.equal(codeOf(answer), 'http/unmaskable')
  })

  test('a limit: 429 with the time to wait, recorded, and nothing reaches the upstream', async () => {
    upstream.answer = () => json('{}')
    for (let i = 0; i < 2; i++) assert.equal((await get('/limited')).status, 200)
    const before = upstream.seen.length
    const answer = await get('/limited')
    assert.equal(answer.status, 429)
    assert.equal(codeOf(answer), 'http/limited')
    assert.match(valueOf(answer, 'retry-after')!, /^(?:[1-9]|[1-6][0-9])$/)
    assert.equal(upstream.seen.length, before)
    const { verdict } = recorded(answer).event
    assert.ok(verdict.kind === 'limited' && verdict.limit === 'twice')
  })

  test('a limit that is only observed lets through and says so', async () => {
    await get('/counted')
    const answer = await get('/counted')
    assert.equal(answer.status, 200)
    const { verdict } = recorded(answer).event
    assert.ok(verdict.kind === 'allowed')
    assert.deepEqual(verdict.decision.observed, { effect: 'deny', reasons: [{ code: 'limit', id: 'counted' }] })
  })

  test('the record is as strict as the policy wants it', async () => {
    assert.equal(recorded(await get('/durable')).mode, 'strict')
    assert.equal(recorded(await get('/other')).mode, 'spool')
  })

  test('a justification is asked for, checked, recorded and not passed on', async () => {
    const none = await get('/reasoned')
    assert.deepEqual([none.status, codeOf(none)], [403, 'http/justification'])
    assert.match(String(problemOf(none)['detail']), /OPS-\[0-9\]\+/)
    assert.equal((await get('/reasoned', 'Ostiary-Justification: because')).status, 403)
    assert.equal((await get('/reasoned', 'Ostiary-Justification: OPS-1: a%0Ab')).status, 403)
    const good = await get('/reasoned', 'Ostiary-Justification: OPS-1: caf%C3%A9 is down')
    assert.equal(good.status, 200)
    assert.equal(recorded(good).event.justification, 'OPS-1: café is down')
    assert.ok(upstream.seen.at(-1)!.fields.every(([name]) => name.toLowerCase() !== 'ostiary-justification'))
  })

  test('a network that it has to come from, and an approval that it needs', async () => {
    const outside = await get('/inside')
    assert.deepEqual([outside.status, codeOf(outside)], [403, 'http/challenge'])
    assert.ok(!outside.body.includes('10.0.0.0'))
    const unapproved = await get('/asked')
    assert.deepEqual([unapproved.status, codeOf(unapproved)], [403, 'http/needs-approval'])
  })

  test('a guardrail that is only observed is in the record', async () => {
    const answer = await get('/watched')
    assert.equal(answer.status, 200)
    const { verdict } = recorded(answer).event
    assert.ok(verdict.kind === 'allowed')
    assert.equal(verdict.decision.observed?.effect, 'deny')
  })

  test('without anything that counts, what is limited is refused', async () => {
    const uncounted = await testDoor({ upstream: upstream.url, policy: policy() })
    try {
      assert.equal((await ask(uncounted, 'GET /limited', [READER])).status, 503)
    } finally {
      await uncounted.close()
    }
  })
})
