import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Credential } from '../../core/credential.ts'
import { ask, codeOf, fieldOf, recordingUpstream, testDoor, TOKEN, valueOf } from '../../testing/httpdoor.ts'
import type { RecordingUpstream, TestDoor } from '../../testing/httpdoor.ts'
import type { BrowserSignIn, SignInContext } from './signin.ts'

const READER = `Authorization: Bearer ${TOKEN}`
const NAVIGATION = ['Sec-Fetch-Mode: navigate', 'Accept: text/html']

class FakeSignIn implements BrowserSignIn {
  readonly calls: [string, SignInContext & { readonly returnTo?: string; readonly callback?: string; readonly query?: string }][] = []
  sessionCookie = (secure: boolean): string => (secure ? '__Host-ostiary' : 'ostiary')
  ownsCookie = (name: string): boolean => /^(__Host-)?ostiary/.test(name)
  forget = (secure: boolean): string => `${this.sessionCookie(secure)}=; Max-Age=0; Path=/`
  begin = (at: SignInContext & { readonly returnTo: string }) => {
    this.calls.push(['begin', at])
    return Promise.resolve({ kind: 'redirect' as const, location: 'https://login.example.com/?state=1', setCookies: ['ostiary-1=a'] })
  }
  callback = (at: SignInContext & { readonly callback: string; readonly query: string }) => {
    this.calls.push(['callback', at])
    return at.query === 'bad'
      ? Promise.resolve({ kind: 'refused' as const, reason: 'the state is not known', setCookies: [] })
      : Promise.resolve({ kind: 'redirect' as const, location: '/orders/1', setCookies: ['ostiary=handle', 'ostiary-1='] })
  }
  signOut = (at: SignInContext) => {
    this.calls.push(['signOut', at])
    return Promise.resolve({ kind: 'signed-out' as const, setCookies: [this.forget(at.secure)] })
  }
}

describe('browser sign-in', () => {
  let upstream: RecordingUpstream
  let door: TestDoor
  let signIn: FakeSignIn
  let sessions: 'good' | 'expired' | 'unavailable' = 'good'
  before(async () => {
    upstream = await recordingUpstream(
      () => 'HTTP/1.1 200 OK\r\nSet-Cookie: ostiary=stolen\r\nSet-Cookie: a=1\r\nSet-Cookie: =ostiary=x\r\nContent-Length: 2\r\n\r\nok',
    )
    signIn = new FakeSignIn()
    door = await testDoor({
      upstream: upstream.url,
      signIn,
      resource: { signIn: 'entra', cors: { origins: ['https://app.example.com'], credentials: true } },
      rule: (principal) => principal.kind !== 'anonymous',
      authenticate: (credential: Credential) => {
        if (credential.kind !== 'session' || sessions === 'good') return { outcome: 'verified', verified: door.verified }
        return sessions === 'expired' ? { outcome: 'rejected', reason: 'session-expired' } : { outcome: 'unavailable', cause: 'store' }
      },
    })
  })
  after(() => Promise.all([door.close(), upstream.close()]))

  test('a navigation without a session goes to the issuer and knows the way back', async () => {
    const answer = await ask(door, 'GET /orders/1?a=b', NAVIGATION)
    assert.equal(answer.status, 302)
    assert.equal(valueOf(answer, 'location'), 'https://login.example.com/?state=1')
    assert.equal(valueOf(answer, 'set-cookie'), 'ostiary-1=a')
    assert.ok(door.records.has(valueOf(answer, 'ostiary-decision')!))
    const [what, at] = signIn.calls.at(-1)!
    assert.equal(what, 'begin')
    assert.deepEqual([at.returnTo, at.origin, at.issuer, at.resource], ['/orders/1?a=b', 'http://orders.localhost', 'entra', 'orders'])
  })

  test('a script, a POST and a HEAD get 401 and start nothing', async () => {
    const calls = signIn.calls.length
    for (const [line, fields] of [
      ['GET /orders/1', ['Sec-Fetch-Mode: cors', 'Accept: text/html']],
      ['GET /orders/1', ['Accept: application/json']],
      ['GET /orders/1', ['Accept: text/html', 'X-Requested-With: XMLHttpRequest']],
      ['POST /orders/1', [...NAVIGATION, 'Content-Length: 0']],
      ['HEAD /orders/1', NAVIGATION],
    ] as const)
      assert.equal((await ask(door, line, fields)).status, 401, line + fields.join())
    assert.equal(signIn.calls.length, calls)
  })

  test('a session speaks for the caller; its cookie stays here, both ways', async () => {
    sessions = 'good'
    const answer = await ask(door, 'GET /orders/1', ['Cookie: a=1; ostiary=handle; ostiary-2=state'])
    assert.equal(answer.status, 200)
    assert.equal(fieldOf(upstream.seen.at(-1), 'Cookie'), 'a=1')
    assert.deepEqual(answer.fields.get('set-cookie'), ['a=1'])
  })

  test('an expired session is forgotten, and a navigation starts again', async () => {
    sessions = 'expired'
    const script = await ask(door, 'GET /orders/1', ['Cookie: ostiary=handle'])
    assert.equal(script.status, 401)
    assert.equal(valueOf(script, 'set-cookie'), 'ostiary=; Max-Age=0; Path=/')
    const navigation = await ask(door, 'GET /orders/1', ['Cookie: ostiary=handle', ...NAVIGATION])
    assert.equal(navigation.status, 302)
    assert.equal(valueOf(navigation, 'set-cookie'), 'ostiary-1=a|ostiary=; Max-Age=0; Path=/')
  })

  test('a store that is down clears no session', async () => {
    sessions = 'unavailable'
    const answer = await ask(door, 'GET /orders/1', ['Cookie: ostiary=handle', ...NAVIGATION])
    assert.equal(answer.status, 503)
    assert.equal(valueOf(answer, 'set-cookie'), undefined)
    sessions = 'good'
  })

  test('the cookie twice counts for nothing and is forgotten', async () => {
    for (const cookie of ['ostiary=a; ostiary=handle', 'ostiary=handle; ostiary=handle']) {
      const answer = await ask(door, 'GET /orders/1', [`Cookie: ${cookie}`])
      assert.equal(answer.status, 401)
      assert.equal(valueOf(answer, 'set-cookie'), 'ostiary=; Max-Age=0; Path=/')
    }
  })

  test('a session and a token are two credentials', async () => {
    assert.equal((await ask(door, 'GET /orders/1', [READER, 'Cookie: ostiary=handle'])).status, 400)
  })

  test('another site cannot use the session to change something', async () => {
    const post = (...fields: string[]) => ask(door, 'POST /orders', ['Cookie: ostiary=handle', 'Content-Length: 0', ...fields])
    for (const fields of [
      ['Origin: https://evil.example'],
      ['Origin: null'],
      ['Sec-Fetch-Site: cross-site'],
      ['Sec-Fetch-Site: same-site'],
    ]) {
      const answer = await post(...fields)
      assert.equal(answer.status, 403, fields.join())
      assert.equal(codeOf(answer), 'http/cross-site')
      assert.equal(door.records.get(valueOf(answer, 'ostiary-decision')!)?.outcomes[0]?.result, 'refused')
    }
    for (const fields of [[], ['Origin: http://orders.localhost'], ['Origin: https://app.example.com'], ['Sec-Fetch-Site: same-origin']])
      assert.equal((await post(...fields)).status, 200, fields.join())
  })

  test('the callback takes the answer of the issuer', async () => {
    const answer = await ask(door, 'GET /.ostiary/callback/entra?code=1&state=2', ['Cookie: ostiary-1=a; b=c'])
    assert.equal(answer.status, 302)
    assert.deepEqual(answer.fields.get('set-cookie'), ['ostiary=handle', 'ostiary-1='])
    const [, at] = signIn.calls.at(-1)!
    assert.deepEqual([at.query, at.callback, at.issuer], ['code=1&state=2', 'entra', 'entra'])
    assert.deepEqual(at.cookies, [{ name: 'ostiary-1', value: 'a' }])
    const refused = await ask(door, 'GET /.ostiary/callback/entra?bad', [])
    assert.equal(refused.status, 403)
    assert.match(refused.body, /The state is not known/)
    assert.equal((await ask(door, 'POST /.ostiary/callback/entra', ['Content-Length: 0'])).status, 405)
  })

  test('whose callback an answer came to is told, and one of nobody is refused here', async () => {
    await ask(door, 'GET /.ostiary/callback/other?code=1&state=2', [])
    const [, at] = signIn.calls.at(-1)!
    assert.deepEqual([at.callback, at.issuer], ['other', 'entra'])
    const calls = signIn.calls.length
    for (const path of ['', '/', '/Entra', '/entra/', '/entra/x', '/%c3%a9ntra', `/${'e'.repeat(64)}`, '/_proto_']) {
      const answer = await ask(door, `GET /.ostiary/callback${path}?code=1&state=2`, [])
      assert.equal(answer.status, 404, path)
      assert.match(answer.body, /`\/\.ostiary\/callback\/&#60;name of the issuer&#62;`/, path)
    }
    assert.equal(signIn.calls.length, calls)
  })

  test('signing out needs a click on a page of this origin', async () => {
    const calls = signIn.calls.length
    assert.match((await ask(door, 'GET /.ostiary/sign-out', [])).body, /<form method="post"/)
    for (const fields of [[], ['Origin: https://evil.example'], ['Origin: null']])
      assert.equal((await ask(door, 'POST /.ostiary/sign-out', ['Content-Length: 0', ...fields])).status, 403)
    assert.equal(signIn.calls.length, calls)
    const answer = await ask(door, 'POST /.ostiary/sign-out', [
      'Content-Length: 0',
      'Origin: http://orders.localhost',
      'Cookie: ostiary=handle',
    ])
    assert.equal(answer.status, 200)
    assert.equal(valueOf(answer, 'set-cookie'), 'ostiary=; Max-Age=0; Path=/')
    assert.equal(signIn.calls.at(-1)![0], 'signOut')
  })

  test('a preflight is answered from configuration and decided by nobody', async () => {
    const records = door.records.size
    const answer = await ask(door, 'OPTIONS /orders/1', ['Origin: https://app.example.com', 'Access-Control-Request-Method: POST'])
    assert.equal(answer.status, 204)
    assert.equal(valueOf(answer, 'access-control-allow-origin'), 'https://app.example.com')
    assert.equal(valueOf(answer, 'access-control-allow-credentials'), 'true')
    assert.equal(valueOf(answer, 'access-control-allow-methods'), 'GET, HEAD, POST')
    const foreign = await ask(door, 'OPTIONS /orders/1', ['Origin: https://evil.example', 'Access-Control-Request-Method: POST'])
    assert.equal(valueOf(foreign, 'access-control-allow-origin'), undefined)
    assert.equal(door.records.size, records)
    const denied = await ask(door, 'GET /orders/1', ['Origin: https://app.example.com'])
    assert.equal(valueOf(denied, 'access-control-allow-origin'), 'https://app.example.com', 'a script may read why it was refused')
  })
})
