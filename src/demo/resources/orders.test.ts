import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { exportJWK, SignJWT, type JWK, type JWTPayload } from 'jose'
import { WebSocket } from 'ws'
import { ManualClock } from '../../testing/clock.ts'
import { MAX_ORDERS, OrderBook } from './book.ts'
import { startOrders, type OrdersApi } from './orders.ts'

/** A door as far as the API knows one: it publishes keys. Another author's implementation signs. */
let door: Server
let published: { keys: readonly JWK[] } | undefined
let fetches: (string | undefined)[] = []
let api: OrdersApi
const clock = new ManualClock(Date.UTC(2026, 5, 1))
const key = newKey()

function newKey(): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

async function publish(): Promise<void> {
  published = { keys: [{ ...(await exportJWK(key.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }] }
}

before(async () => {
  door = createServer(({ headers, url }, response) => {
    fetches.push(`${headers.host} ${url}`)
    response.statusCode = published === undefined ? 503 : 200
    response.end(JSON.stringify(published ?? {}))
  })
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
  const { port } = door.address() as AddressInfo
  await publish()
  api = await startOrders({ port: 0, clock, doorOrigin: () => `http://orders.localhost:${port}` })
})
beforeEach(async () => {
  await publish()
  fetches = []
  clock.advance(60_000)
})
after(async () => {
  await api.close()
  await new Promise((resolve) => door.close(resolve))
})

function assertion(more: JWTPayload = {}, by: KeyObject = key.privateKey, kid = 'one'): Promise<string> {
  const now = Math.floor(clock.now() / 1000)
  const claims = {
    iss: 'demo',
    aud: 'orders',
    iat: now,
    exp: now + 300,
    jti: 'x',
    sub: 'tenant/reader',
    ost_issuer: 'entra',
    ost_kind: 'human',
    roles: ['reader'],
    ...more,
  }
  return new SignJWT(claims).setProtectedHeader({ typ: 'JWT', alg: 'ES256', kid }).sign(by)
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

async function call(
  method: string,
  path: string,
  token?: string,
  body?: unknown,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(api.url + path, {
    method,
    headers: { ...(token === undefined ? {} : { 'ostiary-assertion': token }), ...more },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

describe('without the gateway', () => {
  test('nothing but its health is told', async () => {
    assert.equal((await call('GET', '/healthz')).status, 200)
    for (const path of ['/', '/orders', '/orders/1', '/orders/stream', '/whoami', '/export/orders.csv', '/nowhere']) {
      const { status, text, headers } = await call('GET', path)
      assert.equal(status, 401, path)
      assert.match(text, /answers only what comes through its gateway/)
      assert.equal(headers.get('content-type'), 'application/problem+json')
    }
  })

  test('identity fields alone impress nobody', async () => {
    const { status } = await call('DELETE', '/orders/1', undefined, undefined, {
      'ostiary-subject': 'tenant/admin',
      'ostiary-roles': '["admin"]',
    })
    assert.equal(status, 401)
    assert.notEqual(api.book.get('1'), undefined)
  })

  const bad: readonly (readonly [name: string, token: () => Promise<string>, reason: RegExp])[] = [
    ['another audience', () => assertion({ aud: 'payments' }), /ERR_JWT_CLAIM_VALIDATION_FAILED/],
    ['no audience', () => assertion({ aud: undefined } as never), /ERR_JWT_CLAIM_VALIDATION_FAILED/],
    ['an end that has come', () => assertion({ exp: clock.now() / 1000 - 10 }), /ERR_JWT_EXPIRED/],
    ['no end', () => assertion({ exp: undefined } as never), /ERR_JWT_CLAIM_VALIDATION_FAILED/],
    ['no subject', () => assertion({ sub: undefined } as never), /ERR_JWT_CLAIM_VALIDATION_FAILED/],
    ['a key of somebody else', () => assertion({}, newKey().privateKey), /ERR_JWS_SIGNATURE_VERIFICATION_FAILED/],
    ['a key that is not published', () => assertion({}, newKey().privateKey, 'two'), /ERR_JWKS_NO_MATCHING_KEY/],
    ['no form', () => Promise.resolve('a.b.c'), /ERR_JWS_INVALID|ERR_JWT_INVALID|malformed/],
    [
      'no signature',
      () =>
        Promise.resolve(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"aud":"orders"}').toString('base64url')}.`),
      /ERR_JOSE_ALG_NOT_ALLOWED/,
    ],
  ]
  for (const [name, token, reason] of bad) {
    test(`an assertion with ${name} is refused`, async () => {
      const { status, text } = await call('GET', '/orders', await token())
      assert.equal(status, 401)
      assert.match(text, reason)
    })
  }

  test('two assertions are none', async () => {
    const token = await assertion()
    const status = await new Promise((resolve, reject) => {
      const asked = request(
        `${api.url}/orders`,
        { headers: ['Host', 'orders', 'Ostiary-Assertion', token, 'Ostiary-Assertion', token] },
        (response) => {
          response.resume()
          resolve(response.statusCode)
        },
      )
      asked.on('error', reject)
      asked.end()
    })
    assert.equal(status, 401)
  })

  test('any bytes for an assertion are refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ maxLength: 80 }).map((text) => text.replaceAll(/[^\x21-\x7e]/g, '.') || '.'),
        async (text) => {
          assert.equal((await call('GET', '/orders', text)).status, 401)
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('keys of the gateway', () => {
  test('are fetched from the door by its name, and not again soon', async () => {
    await call('GET', '/orders', await assertion({}, newKey().privateKey, 'two'))
    await call('GET', '/orders', await assertion({}, newKey().privateKey, 'three'))
    assert.deepEqual(fetches, [`orders.localhost:${(door.address() as AddressInfo).port} /.ostiary/jwks.json`])
  })

  test('a new key is taken on when it is first met', async () => {
    const next = newKey()
    published = { keys: [...published!.keys, { ...(await exportJWK(next.publicKey)), kid: 'next', alg: 'ES256', use: 'sig' }] }
    assert.equal((await call('GET', '/orders', await assertion({}, next.privateKey, 'next'))).status, 200)
  })

  test('a door that is down refuses strangers and keeps friends', async () => {
    assert.equal((await call('GET', '/orders', await assertion())).status, 200)
    published = undefined
    assert.equal((await call('GET', '/orders', await assertion({}, newKey().privateKey, 'four'))).status, 503)
    assert.equal((await call('GET', '/orders', await assertion())).status, 200)
  })

  test('no keys at all replace none that work', async () => {
    assert.equal((await call('GET', '/orders', await assertion())).status, 200)
    published = { keys: [] }
    assert.equal((await call('GET', '/orders', await assertion({}, newKey().privateKey, 'five'))).status, 401)
    assert.equal((await call('GET', '/orders', await assertion())).status, 200)
  })
})

describe('an assertion bound to a request', () => {
  test('is good for that request', async () => {
    const token = await assertion({ htm: 'GET', htu: 'http://orders.localhost:8080/orders/2' })
    assert.equal((await call('GET', '/orders/2?with=query', token)).status, 200)
  })

  test('and for no other', async () => {
    const token = await assertion({ htm: 'GET', htu: 'http://orders.localhost:8080/orders/2' })
    for (const [method, path] of [
      ['DELETE', '/orders/2'],
      ['GET', '/orders/3'],
      ['GET', '/orders'],
    ] as const) {
      const { status, text } = await call(method, path, token)
      assert.equal(status, 401)
      assert.match(text, /bound to another request/)
    }
    assert.equal((await call('GET', '/orders', await assertion({ htm: 'GET' }))).status, 401)
  })
})

describe('orders', () => {
  test('are listed, read, created by whom the gateway says, and deleted', async () => {
    const token = await assertion()
    const list = JSON.parse((await call('GET', '/orders', token)).text) as { readonly orders: readonly { readonly id: string }[] }
    assert.equal(list.orders[0]!.id, '1')
    const made = await call('POST', '/orders', token, { item: 'knocker', quantity: 2 })
    assert.equal(made.status, 201)
    const order = JSON.parse(made.text) as { readonly id: string; readonly createdBy: string }
    assert.equal(order.createdBy, 'tenant/reader')
    assert.equal(made.headers.get('location'), `/orders/${order.id}`)
    assert.equal((await call('GET', `/orders/${order.id}`, token)).status, 200)
    assert.equal((await call('DELETE', `/orders/${order.id}`, token)).status, 204)
    assert.equal((await call('DELETE', `/orders/${order.id}`, token)).status, 404)
    for (const id of ['0', '-1', '1e0', '01', '%31', '99999999999'])
      assert.equal((await call('GET', `/orders/${id}`, token)).status, 404, id)
  })

  const wrong: readonly (readonly [body: unknown, status: number, reason: RegExp])[] = [
    ['nothing', 422, /send a JSON object/],
    [{ item: '' }, 422, /`item`/],
    [{ item: 'x'.repeat(101) }, 422, /`item`/],
    [{ item: 'bolt', quantity: 0.5 }, 422, /`quantity`/],
    [{ item: 'bolt', quantity: 10_001 }, 422, /`quantity`/],
    ['x'.repeat(70_000), 413, /at most/],
  ]
  for (const [body, status, reason] of wrong) {
    test(`an order is refused: ${JSON.stringify(body).slice(0, 40)}`, async () => {
      const answer = await call('POST', '/orders', await assertion(), body)
      assert.equal(answer.status, status)
      assert.match(answer.text, reason)
    })
  }

  test('are bounded', () => {
    const book = new OrderBook()
    while (book.list().length < MAX_ORDERS) assert.equal(typeof book.create({ item: 'bolt' }, 'x'), 'object')
    assert.equal(book.create({ item: 'bolt' }, 'x'), 'there are 1000 orders already: delete one first')
  })

  test('have a page that loads nothing and escapes what people wrote', async () => {
    const token = await assertion({ sub: '<script>alert(1)</script>' })
    await call('POST', '/orders', token, { item: '<img src=x onerror=alert(1)>' })
    const { status, text, headers } = await call('GET', '/', token)
    assert.equal(status, 200)
    assert.match(text, /&#60;img src=x/)
    assert.doesNotMatch(text, /<img|<script/)
    assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'/)
  })
})

test('/whoami shows what came, and whether a credential did', async () => {
  const fields = { 'ostiary-subject': 'tenant/reader', 'x-forwarded-for': '127.0.0.1', 'x-other': 'not shown', cookie: 'a=1; b=2' }
  const shown = JSON.parse((await call('GET', '/whoami', await assertion(), undefined, fields)).text) as Record<string, unknown>
  assert.deepEqual(shown['headers'], { 'ostiary-subject': 'tenant/reader', 'x-forwarded-for': '127.0.0.1' })
  assert.equal((shown['assertion'] as JWTPayload).sub, 'tenant/reader')
  assert.deepEqual(shown['credentials'], { authorization: false, cookies: 2 })
})

describe('streams', () => {
  test('events tick by the clock', async () => {
    const stop = new AbortController()
    const response = await fetch(`${api.url}/orders/stream`, { headers: { 'ostiary-assertion': await assertion() }, signal: stop.signal })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    assert.match((await reader.read()).value ?? '', /^id: 1\nevent: tick\n/)
    clock.advance(1000)
    assert.match((await reader.read()).value ?? '', /^id: 2\nevent: tick\n/)
    stop.abort()
    await assert.rejects(reader.read())
  })

  test('a download has as many rows as asked for', async () => {
    const { text, headers } = await call('GET', '/export/orders.csv?rows=12345', await assertion())
    assert.equal(text.trimEnd().split('\n').length, 12_346)
    assert.match(headers.get('content-disposition') ?? '', /orders\.csv/)
    for (const rows of ['-1', 'x', '1e99'])
      assert.equal((await call('GET', `/export/orders.csv?rows=${rows}`, await assertion())).status, 400)
    assert.equal((await call('HEAD', '/export/orders.csv', await assertion())).status, 200)
  })

  test('a WebSocket echoes, and opens for the gateway only', async () => {
    const url = `${api.url.replace('http', 'ws')}/orders/socket`
    const socket = new WebSocket(url, { headers: { 'ostiary-assertion': await assertion() } })
    const echoed = new Promise((resolve, reject) => {
      socket.on('error', reject)
      socket.on('open', () => socket.send('knock'))
      socket.on('message', (data: Buffer) => resolve(data.toString()))
    })
    assert.equal(await echoed, 'knock')
    socket.terminate()
    const refused = new WebSocket(url)
    const status = await new Promise((resolve) => {
      refused.on('error', () => {})
      refused.on('unexpected-response', (asked, response) => {
        resolve(response.statusCode)
        asked.destroy()
      })
    })
    assert.equal(status, 401)
  })
})
