/** What Envoys are answered is what the policy says, whatever they ask: hostile questions, and the corpus of decisions. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { readSources } from '../config/load.ts'
import type { AuthResult } from '../core/credential.ts'
import type { Decision, DecisionContext } from '../core/decision.ts'
import { Pipeline } from '../core/pipeline.ts'
import type { Policy } from '../core/policy.ts'
import type { Principal } from '../core/principal.ts'
import type { DecisionEvent } from '../core/record.ts'
import type { HttpAction } from '../core/action.ts'
import { answering } from '../doors/envoy/door.ts'
import { DEFAULT_CHECK_LIMITS } from '../doors/envoy/wire.ts'
import { doorSchema } from '../doors/http/schema.ts'
import { CheckRequestSchema, type CheckRequest, type CheckResponse } from '../envoy/messages/envoy/service/auth/v3/external_auth_pb.ts'
import { runPolicyTests, type CompiledPolicy } from '../policy/index.ts'
import { memoryLimiter } from '../store/memory-limits.ts'
import { ManualClock, seededEntropy } from '../testing/clock.ts'
import { identityOf, policyOf, resourceOf, swappable } from '../testing/httpdoor.ts'
import { runs } from '../testing/runs.ts'
import { character } from '../testing/text.ts'
import { judgeOf } from './checks.ts'
import { compile } from './configuration.ts'

const NOW = Date.UTC(2026, 2, 2, 12)
const HOST = 'orders.example.com'

interface Question {
  readonly method: string
  readonly path: string
  readonly fields?: readonly (readonly [name: string, value: string])[]
  readonly host?: string
  readonly ip?: string
  readonly resource?: string
}

function question({ method, path, fields = [], host = HOST, ip = '192.0.2.1', resource = 'orders' }: Question): CheckRequest {
  return create(CheckRequestSchema, {
    attributes: {
      source: { address: { address: { case: 'socketAddress', value: { address: ip } } } },
      request: {
        http: {
          method,
          path,
          host,
          scheme: 'http',
          headerMap: { headers: fields.map(([key, value]) => ({ key, rawValue: Buffer.from(value) })) },
        },
      },
      contextExtensions: { resource },
    },
  })
}

/** Judges by a policy, with the answers of an authenticator of our own. */
function world(policy: Policy, authenticate: (token: string) => AuthResult) {
  const clock = new ManualClock(NOW)
  const events: DecisionEvent[] = []
  let ids = 0
  const newId = (): string => `d${++ids}`
  const pipeline = new Pipeline({
    clock,
    newId,
    authenticator: {
      authenticate: (credential) => authenticate(credential.kind === 'bearer' ? credential.token.reveal() : credential.kind),
    },
    policies: swappable(policy),
    limiter: memoryLimiter(),
    recorder: {
      decided: (event) => void events.push(event),
      completed: () => undefined,
      note: () => undefined,
      noteDurably: () => Promise.resolve(),
    },
  })
  const never = (): never => assert.fail('nothing is signed')
  const judge = judgeOf(
    { pipeline, clock, entropy: seededEntropy(), newId, folder: '.', metrics: { count: () => undefined } },
    doorSchema.shape.limits.parse(undefined),
    { issuer: 'ostiary', kid: 'k', sign: never, jwks: () => ({ keys: [] }) },
    { orders: resourceOf({ hosts: [HOST], upstream: { url: 'http://127.0.0.1:9' } }) },
  )
  const answer = answering({ clock, judge, mayAsk: (_, resource) => resource === 'orders' }, DEFAULT_CHECK_LIMITS)
  // Over the wire and back: only what can be written counts.
  const ask = (request: CheckRequest): Promise<CheckResponse> =>
    answer({ request: fromBinary(CheckRequestSchema, toBinary(CheckRequestSchema, request)), node: undefined, isGone: () => false })
  return { ask, events, pipeline }
}

const verified = (token: string): AuthResult =>
  token === 'good'
    ? { outcome: 'verified', verified: { identity: identityOf('tenant/user'), expiresAt: NOW + 3_600_000, revoked: false } }
    : { outcome: 'rejected', reason: 'signature' }

const isAllowed = ({ status, httpResponse, dynamicMetadata }: CheckResponse): boolean => {
  const allowed = status?.code === 0
  assert.equal(httpResponse.case, allowed ? 'okResponse' : 'deniedResponse')
  assert.deepEqual(dynamicMetadata, allowed ? { ostiary: 'orders' } : undefined)
  return allowed
}

describe('what an Envoy is answered', () => {
  test('never allows without the policy, and never fails, whatever is asked', async () => {
    const policy = policyOf((principal, method, path) => principal.kind !== 'anonymous' && method === 'GET' && path === '/ok')
    const { ask, events } = world(policy, verified)
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: character }),
      fc.constantFrom('', '/ok', '/ok/', '//ok', '/%6fk', '/ok;a', '/ok?x=1', '/.ostiary/jwks'),
    )
    const name = fc.oneof(
      fc.constantFrom(
        'authorization',
        'Authorization',
        'cookie',
        'host',
        'dpop',
        'content-length',
        'transfer-encoding',
        'upgrade',
        ':path',
        'x_user',
        'expect',
      ),
      fc.string(),
    )
    const value = fc.oneof(
      fc.constantFrom('Bearer good', 'bearer good', 'Bearer good,Bearer good', 'Bearer bad', 'Basic Zzo=', 'chunked', '7'),
      fc.string(),
    )
    const questions = fc.record({
      method: fc.oneof({ weight: 3, arbitrary: fc.constant('GET') }, fc.constantFrom('get', 'HEAD', 'CONNECT', 'TRACE', ''), fc.string()),
      path: fc.oneof({ weight: 3, arbitrary: fc.constant('/ok') }, text),
      host: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(HOST, `${HOST}.`, `${HOST}:80`, HOST.toUpperCase()) }, text),
      ip: fc.oneof(fc.constant('192.0.2.1'), fc.string()),
      resource: fc.oneof({ weight: 5, arbitrary: fc.constant('orders') }, fc.constantFrom('ostiary', '', '__proto__')),
      fields: fc.array(
        fc.oneof({ weight: 3, arbitrary: fc.constant(['authorization', 'Bearer good'] as [string, string]) }, fc.tuple(name, value)),
        {
          maxLength: 3,
        },
      ),
    })
    const told = { allowed: 0, denied: 0 }
    await fc.assert(
      fc.asyncProperty(questions, async (one) => {
        events.length = 0
        const allowed = isAllowed(await ask(question(one)))
        told[allowed ? 'allowed' : 'denied']++
        if (!allowed) return
        const credentials = one.fields.filter(([field]) => field.toLowerCase() === 'authorization')
        assert.match(JSON.stringify(credentials), /^\[\["authorization","bearer good"\]\]$/i)
        assert.equal(one.method, 'GET')
        assert.equal(one.path.replace(/\?.*$/s, ''), '/ok')
        assert.equal(one.resource, 'orders')
        assert.equal(one.host.toLowerCase().replace(/\.?(:80)?$/, ''), HOST)
        assert.deepEqual(
          events.map(({ verdict, door }) => [verdict.kind, door]),
          [['allowed', 'envoy']],
        )
      }),
      { numRuns: runs(2_000) },
    )
    assert.ok(told.allowed > 50 && told.denied > 500, JSON.stringify(told))
  })

  test('never fails over bytes that are some message', async () => {
    const { ask } = world(
      policyOf(() => true),
      verified,
    )
    const bytes = toBinary(CheckRequestSchema, question({ method: 'GET', path: '/ok', fields: [['authorization', 'Bearer bad']] }))
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), async (at, byte) => {
        const changed = Uint8Array.from(bytes)
        changed[at] = byte
        let request: CheckRequest
        try {
          request = fromBinary(CheckRequestSchema, changed)
        } catch {
          return // gRPC refuses what can't be read.
        }
        const response = await ask(request)
        // The policy allows everybody everything; a bad credential is refused all the same, unless it isn't there any more.
        const names = request.attributes?.request?.http?.headerMap?.headers.map(({ key }) => key.toLowerCase()) ?? []
        if (isAllowed(response)) assert.equal(names.includes('authorization'), false)
      }),
      { numRuns: runs(1_000) },
    )
  })

  test('nothing is left open once it is answered', async () => {
    const { ask, pipeline } = world(
      policyOf(() => true),
      verified,
    )
    assert.ok(isAllowed(await ask(question({ method: 'GET', path: '/a', fields: [['authorization', 'Bearer good']] }))))
    assert.equal(pipeline.open.size, 0)
  })
})

describe('the corpus of decisions for http, by way of an Envoy', () => {
  const folder = join(import.meta.dirname, '../../test/corpus/decisions')
  const sources = readSources(folder)
  const { policy } = compile(folder, sources, NOW)
  const cases: { principal: Principal; action: HttpAction; context: DecisionContext; decision: Decision }[] = []
  const watching = new Proxy(policy!, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name !== 'decide') return typeof value === 'function' ? (value.bind(target) as unknown) : value
      return (...args: Parameters<CompiledPolicy['decide']>): Decision => {
        const decision = target.decide(...args)
        const [principal, action, resource, context] = args
        if (resource === 'orders') cases.push({ principal, action: action as HttpAction, context, decision })
        return decision
      }
    },
  })
  const { results } = runPolicyTests(
    watching,
    sources.tests.filter(({ path }) => path.endsWith('http.test.yaml')),
    NOW,
  )

  test('each case comes out as its policy decides it, for the same reasons', async () => {
    assert.ok(results.every(({ passed }) => passed))
    let asked = 0
    for (const { principal, action, context, decision } of cases) {
      if (context.peer !== undefined || context.approved!.size > 0 || (context.grants ?? []).length > 0 || context.time !== NOW) continue
      const { identity } = principal
      const { ask, events } = world(policy!, () => ({
        outcome: 'verified',
        verified: { identity: identity!, expiresAt: NOW + 3_600_000, revoked: false },
      }))
      const fields: [string, string][] = [
        ...(identity === undefined ? [] : [['authorization', 'Bearer x'] as [string, string]]),
        ...(context.justification === undefined
          ? []
          : [['ostiary-justification', encodeURIComponent(context.justification)] as [string, string]]),
      ]
      const response = await ask(question({ method: action.method, path: action.path, ip: context.ip, fields }))
      const masked = decision.obligations.some(({ kind }) => kind === 'mask')
      assert.equal(isAllowed(response), decision.effect === 'allow' && !masked, `${action.method} ${action.path}`)
      const [{ verdict } = assert.fail(`${action.method} ${action.path} is not recorded`)] = events
      // A path that has no canonical form never gets to the policy.
      if (verdict.kind === 'malformed') {
        assert.notEqual(decision.effect, 'allow')
        continue
      }
      assert.deepEqual('decision' in verdict ? verdict.decision.reasons : verdict, decision.reasons)
      asked++
    }
    assert.ok(asked >= 12, `${asked} cases`)
  })
})
