/**
 * What is decided is what is forwarded: random targets go over HTTP/1.1 and over HTTP/2, and every one that reaches the
 * upstream must be, byte for byte, one that a reader of the policy with pencil and paper would grant.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import { runs } from '../../src/testing/runs.ts'
import { Client } from '../corpus/http/client.ts'
import { startUnderTest, type Role, type UnderTest } from '../corpus/http/gateway.ts'
import { H2Client } from '../corpus/http/h2.ts'
import { startRecorder, type Recorder, type Seen } from '../corpus/http/recorder.ts'
import { HOST, request } from '../corpus/http/row.ts'

let recorder: Recorder
let gateway: UnderTest

before(async () => {
  recorder = await startRecorder()
  gateway = await startUnderTest(recorder)
})

after(async () => {
  await gateway?.close()
  await recorder?.close()
})

interface Attempt {
  readonly method: string
  readonly target: string
  readonly role: Role | undefined
}

/** Parts of which readers of URLs disagree, with harmless ones between them. */
const PIECES = [
  'orders',
  'admin',
  'public',
  'ORDERS',
  '1',
  'a',
  '',
  '.',
  '..',
  '..;',
  ';',
  ';a=b',
  '\\',
  '*',
  '{id}',
  '~',
  '@',
  ':',
  '&',
  '=',
  '+',
  'caf\u00e9',
  '%',
  '%zz',
  '%00',
  '%20',
  '%25',
  '%252e',
  '%2B',
  '%2E.',
  '%2e',
  '%2e%2e',
  '%2f',
  '%5c',
  '%61dmin',
  '%7e',
  '%C3%A9',
  '%c3%a9',
  '%c0%af',
] as const
const piece = fc.constantFrom(...PIECES)
const path = fc.array(
  fc.array(piece, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('')),
  { minLength: 1, maxLength: 4 },
)
const query = fc.constantFrom('', '?', '?a=b', '?/../admin', '?a=%2e%2e', '?#x', '#x', '??', '?a=\u00e9')
const attempt: fc.Arbitrary<Attempt> = fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'DELETE', 'PUT'),
  target: fc
    .tuple(fc.constantFrom('/', '/orders/', '/public/', '/admin/'), path, query)
    .map(([head, segments, tail]) => `${head}${segments.join('/')}${tail}`),
  role: fc.constantFrom<(Role | undefined)[]>('reader', 'admin', undefined),
})

interface Came {
  /** Undefined where the stream was reset or the connection closed. */
  readonly status: number | undefined
  readonly seen: readonly Seen[]
}

async function overH1({ method, target, role }: Attempt): Promise<Came> {
  const client = new Client({ port: gateway.port }, [method])
  try {
    const fields = role === undefined ? [] : [`Authorization: Bearer ${gateway.tokenFor(role)}`]
    await client.send(request(`${method} ${target} HTTP/1.1`, [HOST, ...fields]))
    const [answer] = await client.responses(1)
    return { status: answer?.status, seen: recorder.take() }
  } finally {
    client.close()
  }
}

async function overH2({ method, target, role }: Attempt): Promise<Came> {
  const client = new H2Client({ port: gateway.tlsPort, tls: { ca: gateway.ca, servername: 'orders.localhost' } })
  try {
    client.request(1, [
      [':method', method],
      [':scheme', 'https'],
      [':authority', 'orders.localhost'],
      [':path', target],
      ...(role === undefined ? [] : [['authorization', `Bearer ${gateway.tokenFor(role)}`] as const]),
    ])
    const { status } = await client.done(1)
    return { status, seen: recorder.take() }
  } finally {
    client.close()
  }
}

/** The corpus's policy, read by a person: no parser, no normaliser, nothing but the path as it stands. */
function granted({ method, target, role }: Attempt): boolean {
  const [route = ''] = target.split('?')
  const below = (prefix: string): boolean => route.startsWith(prefix)
  const reads = method === 'GET' || method === 'HEAD'
  if (below('/public/') && (reads || method === 'POST')) return true
  if (role === undefined) return false
  if (reads && (route === '/' || route === '/orders')) return true
  if (below('/orders/') && (reads || method === 'POST' || method === 'PUT')) return true
  return role === 'admin' && (below('/admin/') || below('/orders/'))
}

/** Everything that some reader of a path takes for something else. What has none of it means one thing only. */
function ambiguous(target: string): boolean {
  const [route = ''] = target.split('?')
  const segments = route.slice(1).split('/')
  const decoded = segments.map((segment) => segment.replaceAll(/%2e/gi, '.').replaceAll(/;.*/g, ''))
  return (
    /[^\x21-\x7e]|#|\\|%(?![0-9a-fA-F]{2})|%(2f|5c|00|3b|25[0-9a-f]{2})/i.test(route) ||
    segments.some((segment, i) => segment === '' && i < segments.length - 1) ||
    decoded.some((segment) => segment === '.' || segment === '..')
  )
}

/** A refusal is the same refusal, whether as an answer or as a reset. */
function same(one: number | undefined, other: number | undefined): boolean {
  return (one ?? 400) === (other ?? 400)
}

test('decided is forwarded, and both versions of HTTP agree', async () => {
  await fc.assert(
    fc.asyncProperty(attempt, async (one) => {
      recorder.take()
      const first = await overH1(one)
      const second = await overH2(one)
      for (const { status, seen } of [first, second]) {
        assert.equal(seen.length, status === 200 ? 1 : 0, `status ${status} with ${seen.length} requests upstream`)
        for (const { method, target } of seen) {
          assert.equal(method, one.method)
          assert.equal(target, one.target, 'what arrived is not what was sent')
          assert.ok(granted(one), 'the policy does not grant what arrived')
          assert.ok(!ambiguous(one.target), 'what arrived can be read in two ways')
        }
      }
      assert.ok(same(first.status, second.status), `HTTP/1.1 says ${first.status}, HTTP/2 ${second.status}`)
      assert.deepEqual(recorder.takeDefects(), [])
    }),
    { numRuns: runs(150) },
  )
})

test('what means one thing and is granted is let through', async () => {
  const segment = fc.constantFrom('orders', '1', 'a-b', 'caf%C3%A9', '~x', '...', 'a%20b', '+', ':', '@')
  const lawful = fc
    .array(segment, { minLength: 1, maxLength: 5 })
    .map((parts): Attempt => ({ method: 'GET', target: `/orders/${parts.join('/')}`, role: 'reader' }))
  await fc.assert(
    fc.asyncProperty(lawful, async (one) => {
      recorder.take()
      for (const { status, seen } of [await overH1(one), await overH2(one)]) {
        assert.equal(status, 200)
        assert.equal(seen[0]?.target, one.target)
      }
    }),
    { numRuns: 40 },
  )
})
