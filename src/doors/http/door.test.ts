import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { OstiaryError } from '../../core/errors.ts'
import { ManualClock } from '../../testing/clock.ts'
import {
  ask,
  codeOf,
  fieldOf,
  identityOf,
  problemOf,
  readAnswer,
  recordingUpstream,
  resourceOf,
  testDoor,
  TOKEN,
  valueOf,
} from '../../testing/httpdoor.ts'
import type { RecordingUpstream, TestDoor } from '../../testing/httpdoor.ts'

const READER = `Authorization: Bearer ${TOKEN}`
const NAVIGATION = ['Sec-Fetch-Mode: navigate', 'Accept: text/html']

describe('what a caller is told', () => {
  let upstream: RecordingUpstream
  let door: TestDoor
  before(async () => {
    upstream = await recordingUpstream()
    door = await testDoor({
      upstream: upstream.url,
      resource: { authorizationUri: 'https://login.example.com/authorize' },
      rule: (principal, method, path) => {
        if (path.startsWith('/public')) return true
        if (principal.kind === 'anonymous') return false
        if (path === '/guarded') return { code: 'guardrail', id: 'no-export' }
        if (path === '/scoped') return { code: 'scope' }
        return method !== 'DELETE'
      },
    })
  })
  after(() => Promise.all([door.close(), upstream.close()]))

  test('no credential: 401, a challenge without an error, a decision id that is recorded', async () => {
    const answer = await ask(door, 'GET /orders/1', [])
    assert.equal(answer.status, 401)
    assert.equal(valueOf(answer, 'www-authenticate'), 'Bearer realm="orders", authorization_uri="https://login.example.com/authorize"')
    assert.equal(valueOf(answer, 'content-type'), 'application/problem+json')
    assert.equal(codeOf(answer), 'http/no-credential')
    const id = valueOf(answer, 'ostiary-decision')!
    assert.equal(problemOf(answer)['decision'], id)
    assert.deepEqual(door.records.get(id)?.event.action, { protocol: 'http', method: 'GET', path: '/orders/1' })
    assert.equal(door.records.get(id)?.event.verdict.kind, 'unauthenticated')
  })

  test('a bad credential is refused also where none is needed, and says why', async () => {
    for (const path of ['/orders/1', '/public/1']) {
      const answer = await ask(door, `GET ${path}`, ['Authorization: Bearer nonsense'])
      assert.equal(answer.status, 401)
      assert.match(valueOf(answer, 'www-authenticate')!, /error="invalid_token", error_description="the signature of the token is wrong"$/)
      assert.equal(problemOf(answer)['detail'], 'the signature of the token is wrong')
    }
  })

  test('two credentials: 400, invalid_request', async () => {
    const answer = await ask(door, 'GET /orders/1', [READER, 'authorization: Bearer other'])
    assert.equal(answer.status, 400)
    assert.equal(codeOf(answer), 'http/ambiguous-credential')
    assert.match(valueOf(answer, 'www-authenticate')!, /error="invalid_request"/)
  })

  test('denied: 403 with a reason, but not with the role that would do', async () => {
    const answer = await ask(door, 'DELETE /orders/1', [READER])
    assert.equal(answer.status, 403)
    assert.equal(codeOf(answer), 'http/denied')
    assert.equal(problemOf(answer)['detail'], 'you hold no role that allows this')
    assert.ok(!answer.body.includes('reader'))
    assert.equal(valueOf(answer, 'www-authenticate'), undefined)
    assert.equal(problemOf(await ask(door, 'GET /guarded', [READER]))['detail'], 'a guardrail forbids this')
  })

  test('scopes that do not cover the action: insufficient_scope', async () => {
    const answer = await ask(door, 'GET /scoped', [READER])
    assert.equal(answer.status, 403)
    assert.match(valueOf(answer, 'www-authenticate')!, /error="insufficient_scope"/)
  })

  test('a person in a browser gets a page that can do nothing', async () => {
    const answer = await ask(door, 'GET /guarded', [READER, ...NAVIGATION])
    assert.equal(answer.status, 403)
    assert.equal(valueOf(answer, 'content-type'), 'text/html; charset=utf-8')
    assert.match(valueOf(answer, 'content-security-policy')!, /^default-src 'none'; .*frame-ancestors 'none'/)
    assert.ok(answer.body.includes(valueOf(answer, 'ostiary-decision')!))
  })

  test("a script's fetch gets no page", async () => {
    const answer = await ask(door, 'GET /guarded', [READER, 'Sec-Fetch-Mode: cors', 'Accept: text/html'])
    assert.equal(valueOf(answer, 'content-type'), 'application/problem+json')
  })

  test('a refusal of form names its reason and is recorded for the resource', async () => {
    const answer = await ask(door, 'GET /orders//1?secret=x', [READER])
    assert.equal(answer.status, 400)
    assert.equal(codeOf(answer), 'http/path-empty-segment')
    const { event } = door.records.get(valueOf(answer, 'ostiary-decision')!)!
    assert.deepEqual(event.action, { protocol: 'http', method: 'GET', path: '/orders//1' })
    assert.deepEqual(event.verdict, { kind: 'malformed', code: 'http/path-empty-segment' })
  })

  test('a host that is nobody’s: 421, counted', async () => {
    const answer = await ask(door, 'GET /', ['Host: unknown.test'])
    assert.equal(answer.status, 421)
    assert.equal(codeOf(answer), 'http/unknown-host')
    assert.equal(door.counts.get('http_refused http/unknown-host'), 1)
  })

  test('bytes that are no request: 400, counted', async () => {
    const answer = readAnswer(await door.connect().send('GET / HTTP/1.1\nHost: a\n\n').whole())
    assert.equal(answer.status, 400)
    assert.equal(codeOf(answer), 'http/malformed')
  })

  test('under /.ostiary/ nothing reaches the upstream', async () => {
    const seen = upstream.seen.length
    for (const path of [
      '/.ostiary',
      '/.ostiary/',
      '/.ostiary/x',
      '/.ostiary/callback',
      '/.ostiary/callback/entra',
      '/.ostiary/sign-out',
      '/.ostiary/jwks.json/',
    ])
      assert.equal((await ask(door, `GET ${path}`, [READER])).status, 404, path)
    assert.equal((await ask(door, 'POST /.ostiary/jwks.json', [READER])).status, 405)
    assert.equal((await ask(door, 'GET /.ostiary/jwks.json', [])).status, 200)
    assert.equal(upstream.seen.length, seen)
  })

  test('nothing of all that reached the upstream, and what did is complete', async () => {
    assert.deepEqual(upstream.seen, [])
    const answer = await ask(door, 'GET /public/1?x=1', [])
    assert.equal(answer.status, 200)
    assert.equal(upstream.seen.length, 1)
    const outcome = door.records.get(valueOf(answer, 'ostiary-decision')!)?.outcomes
    assert.deepEqual(
      outcome?.map(({ result, status, bytesOut }) => ({ result, status, bytesOut })),
      [{ result: 'completed', status: 200, bytesOut: 2 }],
    )
  })
})

describe('what the upstream is told', () => {
  let upstream: RecordingUpstream
  let door: TestDoor
  const clock = new ManualClock()
  before(async () => {
    upstream = await recordingUpstream()
    door = await testDoor({
      upstream: upstream.url,
      clock,
      rule: (principal, _method, path) => principal.kind !== 'anonymous' || path === '/public',
      authenticate: ({ kind }) => ({
        outcome: 'verified',
        verified: kind === 'bearer' ? door.verified : { identity: identityOf('x'), expiresAt: 0, revoked: false },
      }),
      resource: {
        routes: [
          { path: '/bound/{id}', assertion: { bindTo: 'request' } },
          { path: '/raw/**', forwardAuthorization: true },
        ],
      },
    })
  })
  after(() => Promise.all([door.close(), upstream.close()]))
  const last = () => upstream.seen.at(-1)
  const assertionOf = () => {
    const jwt = fieldOf(last(), 'Ostiary-Assertion')!
    const [head, body] = jwt
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>)
    return { jwt, head: head!, body: body! }
  }

  test('who calls, in fields that no caller can have sent', async () => {
    await ask(door, 'GET /orders/1?a=b', [READER, 'Ostiary-Subject: root', 'Ostiary.Roles: ["admin"]', 'X-Forwarded-For: 1.2.3.4', 'Forwarded: for=1.2.3.4']) // prettier-ignore
    const expected = {
      'Ostiary-Subject': 'tenant/user',
      'Ostiary-Issuer': 'entra',
      'Ostiary-Kind': 'human',
      'Ostiary-Roles': '["everyone","authenticated","reader"]',
      'X-Forwarded-For': '127.0.0.1',
      'X-Forwarded-Proto': 'http',
      'X-Forwarded-Host': 'orders.localhost',
      Host: 'orders.localhost',
      Via: '1.1 ostiary',
    }
    for (const [name, value] of Object.entries(expected)) {
      const values = last()!
        .fields.filter(([known]) => known.toLowerCase() === name.toLowerCase())
        .map(([, v]) => v)
      assert.deepEqual(values, [value], name)
    }
    assert.equal(fieldOf(last(), 'Authorization'), undefined)
    assert.equal(fieldOf(last(), 'Forwarded'), undefined)
    assert.equal(last()!.line, 'GET /orders/1?a=b HTTP/1.1')
    assert.ok(door.records.has(fieldOf(last(), 'Ostiary-Decision')!))
  })

  test('the assertion verifies with the published keys, and says what it should', async () => {
    await ask(door, 'GET /orders/1', [READER])
    const { jwt, head, body } = assertionOf()
    const jwks = problemOf(await ask(door, 'GET /.ostiary/jwks.json', [])) as { keys: { kid: string }[] }
    const key = createPublicKey({ key: jwks.keys.find(({ kid }) => kid === head['kid']) as never, format: 'jwk' })
    const [h, b, signature] = jwt.split('.')
    assert.ok(verify('sha256', Buffer.from(`${h}.${b}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature!, 'base64url')))
    assert.deepEqual(head, { typ: 'JWT', alg: 'ES256', kid: 'key-1' })
    const iat = Math.floor(clock.now() / 1000)
    assert.deepEqual(
      { ...body, jti: typeof body['jti'] },
      {
        iss: 'ostiary', aud: 'orders', iat, exp: iat + 300, jti: 'string', sub: 'tenant/user', ost_issuer: 'entra', ost_kind: 'human',
        roles: ['everyone', 'authenticated', 'reader'],
      },
    ) // prettier-ignore
  })

  test('it is kept for four minutes, and never outlives the credential', async () => {
    await ask(door, 'GET /orders/1', [READER])
    const first = assertionOf().jwt
    clock.advance(230_000)
    await ask(door, 'POST /orders/2', [READER, 'Content-Length: 0'])
    assert.equal(assertionOf().jwt, first)
    clock.advance(15_000)
    await ask(door, 'GET /orders/1', [READER])
    assert.notEqual(assertionOf().jwt, first)
    clock.advance(door.verified.expiresAt - clock.now() - 60_000)
    await ask(door, 'GET /orders/1', [READER])
    assert.equal(assertionOf().body['exp'], Math.floor(door.verified.expiresAt / 1000))
  })

  test('bound to the request where the route asks for it', async () => {
    await ask(door, 'POST /bound/7?x=1', [READER, 'Content-Length: 0'])
    const { body } = assertionOf()
    assert.equal(body['htm'], 'POST')
    assert.equal(body['htu'], 'http://orders.localhost/bound/7')
    await ask(door, 'GET /orders/1', [READER])
    assert.equal(assertionOf().body['htm'], undefined)
  })

  test("the caller's token goes on only where the route says so", async () => {
    await ask(door, 'GET /raw/1', [READER])
    assert.equal(fieldOf(last(), 'Authorization'), `Bearer ${TOKEN}`)
    await ask(door, 'GET /raw', [READER])
    assert.equal(fieldOf(last(), 'Authorization'), undefined)
  })

  test('nobody in particular on a public route', async () => {
    await ask(door, 'GET /public', ['Ostiary-Subject: root', 'Ostiary-Assertion: x'])
    assert.equal(fieldOf(last(), 'Ostiary-Kind'), 'anonymous')
    for (const name of ['Ostiary-Subject', 'Ostiary-Issuer', 'Ostiary-Roles', 'Ostiary-Assertion'])
      assert.equal(fieldOf(last(), name), undefined, name)
  })

  test('the trace goes on, or begins', async () => {
    const id = '0af7651916cd43dd8448eb211c80319c'
    await ask(door, 'GET /orders/1', [READER, `traceparent: 00-${id}-b7ad6b7169203331-01`, 'tracestate: a=1'])
    assert.match(fieldOf(last(), 'traceparent')!, new RegExp(`^00-${id}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`))
    assert.equal(fieldOf(last(), 'tracestate'), 'a=1')
    assert.equal(door.records.get(fieldOf(last(), 'Ostiary-Decision')!)?.event.trace, id)
    for (const bad of [
      `01-${id}-b7ad6b7169203331-01`,
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `00-${id.toUpperCase()}-b7ad6b7169203331-01`,
      'x',
    ]) {
      await ask(door, 'GET /orders/1', [READER, `traceparent: ${bad}`, 'tracestate: a=1'])
      assert.match(fieldOf(last(), 'traceparent')!, /^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-00$/)
      assert.equal(fieldOf(last(), 'tracestate'), undefined, 'a state without its parent says nothing')
    }
  })
})

describe('values that could end a line', () => {
  test('are encoded', async () => {
    const upstream = await recordingUpstream()
    const identity = identityOf('a\r\nX-Admin: 1,ü😀 100%')
    const door = await testDoor({
      upstream: upstream.url,
      authenticate: () => ({ outcome: 'verified', verified: { identity, expiresAt: Date.now() + 60_000, revoked: false } }),
    })
    await ask(door, 'GET /', [READER])
    const subject = fieldOf(upstream.seen[0], 'Ostiary-Subject')!
    assert.equal(subject, 'a%0D%0AX-Admin:%201,%C3%BC%F0%9F%98%80%20100%25')
    assert.equal(decodeURIComponent(subject), identity.subject)
    assert.equal(fieldOf(upstream.seen[0], 'X-Admin'), undefined)
    await Promise.all([door.close(), upstream.close()])
  })
})

describe('what cannot be told is not allowed', () => {
  const failures: readonly (readonly [name: string, options: Parameters<typeof testDoor>[0], cause: string])[] = [
    ['an authenticator that is down', { authenticate: () => ({ outcome: 'unavailable', cause: 'keys' }) }, 'keys'],
    ['an authenticator that throws', { authenticate: () => assert.fail('broken') }, 'provider'],
    ['an authenticator that rejects', { authenticate: () => Promise.reject(new Error('broken')) }, 'provider'],
    ['a policy that throws', { rule: () => assert.fail('broken') }, 'provider'],
    ['a recorder that throws', { decided: () => { throw new OstiaryError('http/unavailable') } }, 'record'],
    ['a recorder that rejects', { decided: () => Promise.reject(new Error('full')) }, 'record'],
  ] // prettier-ignore
  for (const [name, options] of failures)
    test(`${name}: 503, and nothing reaches the upstream`, async () => {
      const upstream = await recordingUpstream()
      const door = await testDoor({ upstream: upstream.url, ...options })
      const answer = await ask(door, 'GET /', [READER])
      assert.equal(answer.status, 503)
      assert.equal(codeOf(answer), 'http/unavailable')
      assert.equal(valueOf(answer, 'retry-after'), '2')
      assert.equal(upstream.seen.length, 0)
      await Promise.all([door.close(), upstream.close()])
    })
})

describe('resources', () => {
  test('a host in two of them is an error that names both', async () => {
    await assert.rejects(
      testDoor({ resources: { a: { hosts: ['x.test'], upstream: { url: 'http://127.0.0.1:9' } }, b: { hosts: ['x.test'], upstream: { url: 'http://127.0.0.1:9' } } } }), // prettier-ignore
      (error) => error instanceof OstiaryError && error.code === 'http/host-taken' && error.details['second'] === 'b',
    )
  })

  test('by host, label-wise wildcard and port; changed without a restart', async () => {
    const upstream = await recordingUpstream()
    const to = (hosts: string[]) => ({ hosts, upstream: { url: upstream.url } })
    const door = await testDoor({ resources: { exact: to(['a.test']), wild: to(['*.test']), bound: to(['a.test:8443']) } })
    const resourceFor = async (host: string): Promise<string | undefined> => {
      const answer = await ask(door, 'GET /', [`Host: ${host}`])
      return door.records.get(valueOf(answer, 'ostiary-decision') ?? '')?.event.resource
    }
    assert.equal(await resourceFor('a.test'), 'exact')
    assert.equal(await resourceFor(`a.test:${door.port}`), 'exact')
    assert.equal(await resourceFor('a.test:1'), undefined)
    assert.equal(await resourceFor('a.test:8443'), 'bound')
    assert.equal(await resourceFor('b.test'), 'wild')
    assert.equal(await resourceFor('b.a.test'), undefined)
    assert.equal(await resourceFor('test'), undefined)
    assert.equal(await resourceFor('a.test.evil.example'), undefined)
    door.door.update({ other: resourceOf(to(['c.test'])) })
    assert.equal(await resourceFor('c.test'), 'other')
    assert.equal(await resourceFor('a.test'), undefined)
    assert.throws(() => door.door.update({ a: resourceOf(to(['x.test'])), b: resourceOf(to(['x.test'])) }), { code: 'http/host-taken' })
    assert.equal(await resourceFor('c.test'), 'other')
    await Promise.all([door.close(), upstream.close()])
  })

  test('an upstream told its own host', async () => {
    const upstream = await recordingUpstream()
    const door = await testDoor({ resource: { upstream: { url: upstream.url, hostField: 'upstream' } } })
    await ask(door, 'GET /', [READER])
    assert.equal(fieldOf(upstream.seen[0], 'Host'), `127.0.0.1:${upstream.port}`)
    assert.equal(fieldOf(upstream.seen[0], 'X-Forwarded-Host'), 'orders.localhost')
    await Promise.all([door.close(), upstream.close()])
  })

  test('a listed proxy is believed about address and scheme', async () => {
    const upstream = await recordingUpstream()
    const door = await testDoor({ upstream: upstream.url, door: { trustedProxies: ['127.0.0.1'] } })
    const answer = await ask(door, 'GET /', [READER, 'X-Forwarded-For: 198.51.100.1, 203.0.113.9', 'X-Forwarded-Proto: https'])
    assert.equal(fieldOf(upstream.seen[0], 'X-Forwarded-For'), '203.0.113.9, 127.0.0.1')
    assert.equal(fieldOf(upstream.seen[0], 'X-Forwarded-Proto'), 'https')
    assert.equal(door.records.get(valueOf(answer, 'ostiary-decision')!)?.event.ip, '203.0.113.9')
    await Promise.all([door.close(), upstream.close()])
  })
})
