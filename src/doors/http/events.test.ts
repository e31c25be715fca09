import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { ask, codeOf, recordingUpstream, testDoor, valueOf, type RecordingUpstream, type TestDoor } from '../../testing/httpdoor.ts'
import type { EventAnswer, SecurityEvents } from './events.ts'

const PATH = 'POST /.ostiary/events/idp'
const TYPE = 'Content-Type: application/secevent+jwt'
let upstream: RecordingUpstream
let door: TestDoor
let answer: EventAnswer | Error = { kind: 'taken' }
let calls: (string | undefined)[][] = []

const events: SecurityEvents = {
  push(issuer, bearer, set) {
    if (issuer !== 'idp') return undefined
    calls.push([issuer, bearer, set])
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
  },
}

before(async () => {
  upstream = await recordingUpstream(() => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  // Its caller is no caller of the resource: neither its token nor the policy of that counts here.
  door = await testDoor({ upstream: upstream.url, events, rule: () => false })
})
after(() => Promise.all([door.close(), upstream.close()]))
beforeEach(() => {
  calls = []
})

const send = (fields: readonly string[], body = 'set', line = PATH) => ask(door, line, [...fields, `Content-Length: ${body.length}`], body)

test('an event is answered as RFC 8935 says', async () => {
  const answers: readonly (readonly [EventAnswer | Error, number, string])[] = [
    [{ kind: 'taken' }, 202, ''],
    [{ kind: 'refused', err: 'invalid_audience', description: 'no' }, 400, '{"err":"invalid_audience","description":"no"}\n'],
    [{ kind: 'refused', err: 'authentication_failed', description: 'no' }, 401, '{"err":"authentication_failed","description":"no"}\n'],
  ]
  for (const [next, status, body] of answers) {
    answer = next
    const got = await send([TYPE, 'Authorization: Bearer secret'])
    assert.deepEqual([got.status, got.body, valueOf(got, 'cache-control')], [status, body, 'no-store'])
    assert.equal(valueOf(got, 'www-authenticate'), status === 401 ? 'Bearer realm="events"' : undefined)
  }
  assert.deepEqual(
    calls,
    answers.map(() => ['idp', 'secret', 'set']),
  )
  for (const next of [{ kind: 'unavailable' } as const, new Error('a fault')]) {
    answer = next
    const got = await send([TYPE])
    assert.deepEqual([got.status, valueOf(got, 'retry-after')], [503, '5'])
  }
})

test('what is no event is refused before anybody looks at it', async () => {
  answer = { kind: 'taken' }
  for (const fields of [[], ['Content-Type: application/json'], ['Content-Type: text/plain']])
    assert.match((await send(fields)).body, /"err":"invalid_request"/)
  assert.equal((await send([TYPE], 'x'.repeat(17_000))).status, 413)
  const got = await ask(door, 'GET /.ostiary/events/idp', [])
  assert.deepEqual([got.status, codeOf(got)], [405, 'http/method-not-allowed'])
  assert.deepEqual(calls, [])
})

test('a stream that is not configured is not there', async () => {
  for (const line of ['POST /.ostiary/events/other', 'POST /.ostiary/events/', 'POST /.ostiary/events'])
    assert.equal((await send([TYPE], 'set', line)).status, 404, line)
  assert.deepEqual(calls, [])
})

test('a token that is none, or comes twice, counts as none', async () => {
  for (const fields of [['Authorization: Basic abc'], ['Authorization: Bearer'], ['Authorization: Bearer a', 'Authorization: Bearer b']])
    await send([TYPE, ...fields])
  assert.ok(calls.every(([, bearer]) => bearer === undefined))
  assert.equal(upstream.seen.length, 0)
})
