import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ask, codeOf, recordingUpstream, testDoor, valueOf, type RecordingUpstream, type TestDoor } from '../../testing/httpdoor.ts'
import type { LogoutAnswer, ProviderLogout } from './logout.ts'
import type { BrowserSignIn } from './signin.ts'

const BACK = 'POST /.ostiary/backchannel-logout/idp'
const FORM = 'Content-Type: application/x-www-form-urlencoded'
let upstream: RecordingUpstream
let door: TestDoor
let answer: LogoutAnswer | Error = { kind: 'done' }
const calls: string[][] = []

const told = (...call: string[]): Promise<LogoutAnswer> => {
  calls.push(call)
  return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
}
const logout: ProviderLogout = {
  backChannel: (issuer, form) => told('back', issuer, form),
  frontChannel: (issuer, query) => told('front', issuer, query),
}
const signIn: BrowserSignIn = {
  sessionCookie: () => 'ostiary',
  ownsCookie: (name) => name === 'ostiary',
  forget: () => 'ostiary=',
  begin: () => Promise.resolve({ kind: 'unavailable' }),
  callback: () => Promise.resolve({ kind: 'unavailable' }),
  signOut: () => Promise.resolve({ kind: 'unavailable' }),
}

before(async () => {
  upstream = await recordingUpstream(() => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  door = await testDoor({ upstream: upstream.url, signIn, logout, resource: { signIn: 'idp' }, rule: () => true })
})
after(() => Promise.all([door.close(), upstream.close()]))

const send = (body: string, fields: readonly string[] = [FORM]) => ask(door, BACK, [...fields, `Content-Length: ${body.length}`], body)

test('a logout request of the provider is answered as the standard says, and never cached', async () => {
  const answers: readonly (readonly [LogoutAnswer | Error, number, string | undefined])[] = [
    [{ kind: 'done' }, 200, undefined],
    [{ kind: 'refused', reason: 'the logout token is not valid' }, 400, 'invalid_request'],
    [{ kind: 'failed' }, 400, 'temporarily_unavailable'],
    [new Error('a fault'), 400, 'temporarily_unavailable'],
  ]
  for (const [next, status, error] of answers) {
    answer = next
    calls.length = 0
    const got = await send('logout_token=x')
    assert.equal(got.status, status)
    assert.equal(valueOf(got, 'cache-control'), 'no-store')
    assert.equal(got.body === '' ? undefined : (JSON.parse(got.body) as { error: string }).error, error)
    assert.deepEqual(calls, [['back', 'idp', 'logout_token=x']])
  }
})

test('a back-channel request is a posted form', async () => {
  calls.length = 0
  for (const fields of [[], ['Content-Type: application/json'], ['Content-Type: text/plain']])
    assert.match((await send('logout_token=x', fields)).body, /application\/x-www-form-urlencoded/)
  const got = await ask(door, 'GET /.ostiary/backchannel-logout/idp', [])
  assert.deepEqual([got.status, codeOf(got), valueOf(got, 'allow')], [405, 'http/method-not-allowed', 'POST'])
  assert.equal((await send('x'.repeat(20_000))).status, 413)
  assert.deepEqual(calls, [])
})

test('a front-channel request is a GET that may be framed', async () => {
  answer = { kind: 'done' }
  calls.length = 0
  const got = await ask(door, 'GET /.ostiary/frontchannel-logout/idp?iss=a&sid=b', [])
  assert.deepEqual([got.status, got.body, valueOf(got, 'cache-control')], [200, '', 'no-store'])
  assert.equal(valueOf(got, 'x-frame-options'), undefined)
  assert.equal(valueOf(got, 'content-security-policy'), undefined)
  assert.deepEqual(calls, [['front', 'idp', 'iss=a&sid=b']])
  answer = { kind: 'refused', reason: 'one `iss` and one `sid` must be sent' }
  assert.equal((await ask(door, 'GET /.ostiary/frontchannel-logout/idp', [])).status, 400)
  assert.equal((await ask(door, 'POST /.ostiary/frontchannel-logout/idp', ['Content-Length: 0'])).status, 405)
})

test('without the name of an issuer there is nothing', async () => {
  calls.length = 0
  for (const path of [
    'backchannel-logout',
    'backchannel-logout/',
    'frontchannel-logout',
    'frontchannel-logout/Idp',
    'frontchannel-logout/idp/x',
  ])
    for (const method of ['GET', 'POST'])
      assert.equal((await ask(door, `${method} /.ostiary/${path}`, ['Content-Length: 0'])).status, 404, path)
  assert.deepEqual(calls, [])
})

test('none of it reaches the upstream', () => {
  assert.equal(upstream.seen.length, 0)
})
