/** Questions over HTTP: what is made of them, who may ask them, and what is answered. */
import assert from 'node:assert/strict'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Admitted } from '../../core/pipeline.ts'
import type { Outcome } from '../../core/record.ts'
import { ManualClock } from '../../testing/clock.ts'
import { certifiedBy, testAuthority } from '../../testing/pki.ts'
import type { CheckedHead } from './actions.ts'
import type { Judge, Judged } from './door.ts'
import { createHttpChecks, headOf, type HttpChecksParts } from './httpchecks.ts'
import { DEFAULT_CHECK_LIMITS } from './wire.ts'

const NOW = Date.UTC(2026, 2, 2, 12)

function read(url: string, rawHeaders: readonly string[] = [], forwardedFor = false): CheckedHead | undefined {
  const all = ['Host', 'orders.example', ...rawHeaders]
  const headers: IncomingHttpHeaders = {}
  for (let i = 0; i < all.length; i += 2) headers[all[i]!.toLowerCase()] = all[i + 1]!
  return headOf({ method: 'GET', url, rawHeaders: all, headers }, forwardedFor)
}

describe('a question over HTTP', () => {
  test('is about the request whose path comes after the resource, with its own fields', () => {
    assert.deepEqual(read('/check/orders/items/7?a=%2F', ['Authorization', 'Bearer x', 'X-User', 'root', 'Content-Length', '0']), {
      resource: 'orders',
      method: 'GET',
      target: '/items/7?a=%2F',
      host: 'orders.example',
      secure: false,
      fields: ['Authorization', 'Bearer x', 'X-User', 'root'],
      ip: 'unknown',
    })
    assert.equal(read('/check/orders//items')?.target, '//items', 'what is to be made of it is judged by whoever knows paths')
  })

  test('is none where it names no resource, or a credential that may have been two', () => {
    for (const url of ['/', '/check', '/check/', '/check/orders', '/check/Orders/a', '/check/../a', '/items', '*', 'orders.example:443'])
      assert.equal(read(url), undefined, url)
    assert.equal(read('/check/orders/a', ['authorization', 'Bearer x,Bearer y']), undefined)
    assert.equal(read('/check/orders/a', ['DPoP', 'x, y']), undefined)
    assert.equal(headOf({ method: 'GET', url: '/check/orders/a', rawHeaders: [], headers: {} }, false), undefined)
  })

  test('says where its caller is only where who asks was said to say so, and then by the last address', () => {
    const forwarded = ['X-Forwarded-For', '198.51.100.1, 192.0.2.7', 'X-Forwarded-Proto', 'https']
    const ip = (...args: Parameters<typeof read>): readonly unknown[] => [read(...args)?.ip, read(...args)?.secure, read(...args)?.fields]
    assert.deepEqual(ip('/check/orders/a', forwarded), ['unknown', false, forwarded])
    assert.deepEqual(ip('/check/orders/a', forwarded, true), ['192.0.2.7', true, forwarded])
    assert.deepEqual(ip('/check/orders/a', ['X-Forwarded-For', '192.0.2.7, nobody'], true).slice(0, 2), ['unknown', false])
    assert.deepEqual(ip('/check/orders/a', [], true), ['unknown', false, []])
  })

  test('never fails, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.array(fc.string(), { maxLength: 8 }), fc.boolean(), (path, fields, forwardedFor) => {
        const rawHeaders = fields.length % 2 === 0 ? fields : [...fields, '']
        const head = read(`/check/orders/${path}`, rawHeaders, forwardedFor)
        if (head === undefined) return
        assert.equal(head.target, `/${path}`)
        assert.equal(head.fields.length % 2, 0)
        assert.ok(head.fields.every((name, i) => i % 2 === 1 || !/^host$/i.test(name)))
      }),
      { numRuns: 1_000 },
    )
  })
})

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

function ask(port: number, path: string, options: object = {}, secure = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = (secure ? httpsRequest : httpRequest)({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }))
    })
    sent.on('error', reject).end()
  })
}

async function serving(
  more: Partial<HttpChecksParts>,
  judge: (head: CheckedHead) => Judged | Promise<Judged>,
  use: (port: number) => Promise<void>,
): Promise<void> {
  const made: Judge = {
    judge,
    problem: (code) => ({ status: code === 'http/denied' ? 403 : 503, fields: ['Content-Type', 'application/problem+json'], body: code }),
  }
  const checks = createHttpChecks({
    host: '127.0.0.1',
    port: 0,
    trust: { loopback: true },
    limits: DEFAULT_CHECK_LIMITS,
    clock: new ManualClock(NOW),
    judge: made,
    mayAsk: (_node, resource) => resource === 'orders',
    forwardedFor: false,
    where: 'a test',
    ...more,
  })
  const port = await checks.listen()
  try {
    await use(port)
  } finally {
    await checks.close()
  }
}

const outcomes: Outcome['result'][] = []
const allowed: Judged = {
  kind: 'allowed',
  remove: ['X-User', 'ostiary-subject'],
  passage: {
    id: 'd1',
    time: NOW,
    principal: { identity: { evidence: { issuerUrl: 'https://i' } }, subject: 's', claims: {} },
    completed: ({ result }: Outcome) => void outcomes.push(result),
  } as unknown as Admitted,
}

describe('an answer over HTTP', () => {
  test('lets through with 200, who it is, and what of the caller’s goes no further', async () => {
    outcomes.length = 0
    await serving(
      {},
      () => allowed,
      async (port) => {
        const { status, headers, body } = await ask(port, '/check/orders/a')
        assert.deepEqual([status, body], [200, ''])
        assert.deepEqual([headers['ostiary-issuer'], headers['ostiary-subject'], headers['ostiary-decision']], ['https://i', 's', 'd1'])
        // Not what is told of the caller itself: it would be taken away after it was set.
        assert.equal(headers['x-envoy-auth-headers-to-remove'], 'x-user,ostiary-tenant,ostiary-object')
      },
    )
    assert.deepEqual(outcomes, ['handed-over'])
  })

  test('is a denial for everything else: what is not understood, not asked about here, too slow, or a fault', async () => {
    const limited: Judged = { kind: 'denied', status: 429, fields: ['Retry-After', '7'], body: 'later' }
    await serving(
      {},
      (head) => {
        if (head.target === '/fault') throw new Error('a fault')
        return limited
      },
      async (port) => {
        const told = async (path: string): Promise<unknown> => {
          const { status, body } = await ask(port, path)
          return [status, body]
        }
        assert.deepEqual(await told('/check/orders/a'), [429, 'later'])
        assert.equal((await ask(port, '/check/orders/a')).headers['retry-after'], '7')
        assert.deepEqual(await told('/items'), [503, 'http/unavailable'])
        assert.deepEqual(await told('/check/wiki/a'), [403, 'http/denied'])
        assert.deepEqual(await told('/check/orders/fault'), [503, 'http/unavailable'])
      },
    )
    const clock = new ManualClock(NOW)
    const slow = (): Promise<Judged> => {
      setImmediate(() => clock.advance(DEFAULT_CHECK_LIMITS.answerMs))
      return new Promise(() => undefined)
    }
    await serving({ clock }, slow, async (port) => {
      assert.equal((await ask(port, '/check/orders/a')).status, 503)
    })
    const parts = { host: '0.0.0.0', trust: { loopback: true } } as HttpChecksParts
    assert.throws(() => createHttpChecks(parts), { code: 'xds/loopback' })
  })

  test('is for who proves to be one who may ask, and no other', async () => {
    const authority = await testAuthority('authority')
    const [server, edge, stranger] = await Promise.all([
      certifiedBy(authority, { names: [{ type: 'dns', value: 'gateway.example' }], usages: ['1.3.6.1.5.5.7.3.1'] }),
      certifiedBy(authority, { names: [{ type: 'url', value: 'spiffe://e.example/edge' }] }),
      certifiedBy(authority, { names: [{ type: 'url', value: 'spiffe://e.example/other' }] }),
    ])
    const asked: (string | undefined)[] = []
    const more: Partial<HttpChecksParts> = {
      trust: {
        tls: { cert: server.cert, key: server.key, ca: authority.cert },
        nodeOf: (identity) => (identity === 'spiffe://e.example/edge' ? 'edge' : undefined),
      },
      mayAsk: (node) => asked.push(node) > 0,
    }
    await serving(
      more,
      () => allowed,
      async (port) => {
        const by = (pair: object) => ({ ca: authority.cert, servername: 'gateway.example', ...pair })
        assert.equal((await ask(port, '/check/orders/a', by({ cert: edge.cert, key: edge.key }), true)).status, 200)
        assert.equal((await ask(port, '/check/orders/a', by({ cert: stranger.cert, key: stranger.key }), true)).status, 403)
        await assert.rejects(ask(port, '/check/orders/a', by({}), true))
        assert.deepEqual(asked, ['edge'])
      },
    )
  })
})
