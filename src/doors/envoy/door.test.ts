/** The door by itself, with a judge that says what it is told to: bounds, faults, and what becomes of the record. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js'
import type { Admitted } from '../../core/pipeline.ts'
import type { GatewayEvent, Outcome } from '../../core/record.ts'
import { definitionOf } from '../../envoy/grpc.ts'
import {
  Authorization,
  CheckRequestSchema,
  type CheckRequest,
  type CheckResponse,
} from '../../envoy/messages/envoy/service/auth/v3/external_auth_pb.ts'
import {
  ExportLogsServiceRequestSchema,
  LogsService,
  type ExportLogsServiceResponse,
} from '../../envoy/messages/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts'
import { ManualClock } from '../../testing/clock.ts'
import { certifiedBy, testAuthority } from '../../testing/pki.ts'
import type { CheckedHead } from './actions.ts'
import { answering, createEnvoyDoor, type Judge, type Judged } from './door.ts'
import { DEFAULT_CHECK_LIMITS, type ChecksTrust, type Wire } from './wire.ts'

const NOW = Date.UTC(2026, 2, 2, 12)

function question(resource = 'orders', fields: { key: string; value: string }[] = []): CheckRequest {
  return create(CheckRequestSchema, {
    attributes: {
      source: { address: { address: { case: 'socketAddress', value: { address: '192.0.2.7' } } } },
      request: { http: { method: 'GET', path: '/a', host: 'a.example', scheme: 'http', headerMap: { headers: fields } } },
      contextExtensions: { resource },
    },
  })
}

function world(judge: (head: CheckedHead) => Judged | Promise<Judged>, limits: object = {}) {
  const clock = new ManualClock(NOW)
  const outcomes: Outcome['result'][] = []
  const allowed: Judged = {
    kind: 'allowed',
    remove: ['X-User', 'ostiary-subject'],
    passage: {
      id: 'd1',
      time: NOW,
      principal: { identity: { evidence: { issuerUrl: 'https://i' } }, subject: 't/o é', claims: { tid: 't', oid: 'x' } },
      completed: ({ result }: Outcome) => void outcomes.push(result),
    } as unknown as Admitted,
  }
  const made: Judge = {
    judge,
    problem: (code) => ({ status: code === 'http/denied' ? 403 : 503, fields: ['Content-Type', 'application/problem+json'], body: code }),
  }
  const noted: GatewayEvent[] = []
  const note = (event: GatewayEvent): void => void noted.push(event)
  const parts = { clock, note, judge: made, mayAsk: (node: string | undefined, name: string) => name === 'orders' && node !== 'stranger' }
  const answer = answering(parts, { ...DEFAULT_CHECK_LIMITS, ...limits })
  return {
    clock,
    noted,
    outcomes,
    allowed,
    parts,
    ask: (request = question(), isGone = () => false) => answer({ request, node: undefined, isGone }),
  }
}

/** Status and body of a denial. */
function denial({ httpResponse: { case: kind, value }, status: said, dynamicMetadata }: CheckResponse): readonly unknown[] {
  assert.equal(kind, 'deniedResponse')
  assert.notEqual(said?.code, 0)
  assert.equal(dynamicMetadata, undefined)
  return [value.status?.code, value.body]
}

describe('an answer to an Envoy', () => {
  test('lets through with who it is, takes away what the caller said of that, and leaves the mark that the next filter asks for', async () => {
    const { ask, allowed, outcomes } = world(() => allowed)
    const { httpResponse: ok, dynamicMetadata, status: said } = await ask()
    assert.equal(said?.code, 0)
    assert.equal(ok.case, 'okResponse')
    assert.deepEqual(
      ok.value.headers.map(({ header }) => [header?.key, header?.value]),
      [
        ['ostiary-issuer', 'https://i'],
        ['ostiary-subject', 't/o%20%C3%A9'],
        ['ostiary-decision', 'd1'],
      ],
    )
    assert.deepEqual(ok.value.headersToRemove, ['x-user', 'ostiary-tenant', 'ostiary-object'])
    assert.deepEqual(dynamicMetadata, { ostiary: 'orders' })
    assert.deepEqual(outcomes, ['handed-over'])
  })

  test('is a denial where nothing can be made of the question, or of who asks', async () => {
    const { ask, allowed, outcomes } = world(() => allowed)
    assert.deepEqual(denial(await ask(create(CheckRequestSchema))), [503, 'http/unavailable'])
    assert.deepEqual(denial(await ask(question('other'))), [403, 'http/denied'])
    assert.deepEqual(outcomes, [])
  })

  test('is a denial where judging fails, at once or later', async () => {
    for (const judge of [
      () => {
        throw new Error('a fault')
      },
      () => Promise.reject(new Error('a fault')),
    ])
      assert.deepEqual(denial(await world(judge).ask()), [503, 'http/unavailable'])
  })

  test('has the status of the denial, and 503 for one that Envoy does not know', async () => {
    const of = (code: number) => world(() => ({ kind: 'denied', status: code, fields: [], body: 'no' })).ask()
    assert.deepEqual(denial(await of(429)), [429, 'no'])
    for (const code of [0, 299, 999, -1]) assert.deepEqual(denial(await of(code)), [503, 'no'])
  })

  test('comes in time or is a denial, and what is let through after that has no effect', async () => {
    let settle: (one: Judged) => void = () => undefined
    const { ask, clock, allowed, outcomes } = world(() => new Promise<Judged>((resolve) => (settle = resolve)), { answerMs: 500 })
    const late = ask()
    clock.advance(500)
    assert.deepEqual(denial(await late), [503, 'http/unavailable'])
    settle(allowed)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(outcomes, ['timed-out'])
  })

  test('that nobody waits for lets nothing through, says the record', async () => {
    const { ask, allowed, outcomes } = world(() => allowed)
    await ask(question(), () => true)
    assert.deepEqual(outcomes, ['client-aborted'])
  })

  test('more at a time than there may be are refused, until one of them is over', async () => {
    const waiting: ((one: Judged) => void)[] = []
    const { ask, allowed } = world(() => new Promise<Judged>((resolve) => waiting.push(resolve)), { concurrent: 2 })
    const [first] = [ask(), ask()]
    assert.deepEqual(denial(await ask()), [503, 'http/unavailable'])
    assert.equal(waiting.length, 2)
    waiting[0]!(allowed)
    await first
    void ask()
    assert.equal(waiting.length, 3)
  })
})

/** What is answered to logs over OTLP. */
async function tell(
  port: number,
  resourceLogs: MessageInitShape<typeof ExportLogsServiceRequestSchema>['resourceLogs'],
  secure = credentials.createInsecure(),
): Promise<ExportLogsServiceResponse | number> {
  const client = new Client(`127.0.0.1:${port}`, secure, { 'grpc.ssl_target_name_override': 'gateway.example' })
  const { path, requestSerialize, responseDeserialize } = definitionOf(LogsService).export
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(ExportLogsServiceRequestSchema, { resourceLogs: resourceLogs ?? [] }),
        { deadline: Date.now() + 10_000 },
        (error: ServiceError | null, response) => resolve(error === null ? (response as ExportLogsServiceResponse) : error.code),
      )
    })
  } finally {
    client.close()
  }
}

async function call(port: number, request: CheckRequest, secure = credentials.createInsecure()): Promise<CheckResponse | number> {
  const client = new Client(`127.0.0.1:${port}`, secure, { 'grpc.ssl_target_name_override': 'gateway.example' })
  const { path, requestSerialize, responseDeserialize } = definitionOf(Authorization).check
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        { deadline: Date.now() + 10_000 },
        (error: ServiceError | null, response) => resolve(error === null ? (response as CheckResponse) : error.code),
      )
    })
  } finally {
    client.close()
  }
}

describe('the server that Envoys ask', () => {
  const serving = async (
    trust: ChecksTrust,
    use: (port: number, nodes: (string | undefined)[], wire: Wire, noted: readonly GatewayEvent[]) => Promise<void>,
  ): Promise<void> => {
    const { parts, allowed, noted } = world(() => allowed)
    const nodes: (string | undefined)[] = []
    const wire = createEnvoyDoor({
      ...parts,
      host: '127.0.0.1',
      port: 0,
      trust,
      limits: { requestBytes: 4_096 },
      where: 'a test',
      mayAsk: (node) => nodes.push(node) > 0 && node !== 'stranger',
      resourceTold: (host) => (host === 'orders.example' ? 'orders' : undefined),
      statements: (policy) => `(${policy})`,
    })
    const port = await wire.listen()
    try {
      await use(port, nodes, wire, noted)
    } finally {
      wire.server.forceShutdown()
    }
  }

  test('answers over gRPC, and refuses questions that are too large', () =>
    serving({ loopback: true }, async (port) => {
      const answer = (await call(port, question())) as CheckResponse
      assert.deepEqual(answer.dynamicMetadata, { ostiary: 'orders' })
      const large = question('orders', [{ key: 'x', value: 'x'.repeat(5_000) }])
      assert.equal(await call(port, large), status.RESOURCE_EXHAUSTED)
    }))

  test('is not there for others without certificates', () => {
    const { parts } = world(() => Promise.reject(new Error()))
    assert.throws(() => createEnvoyDoor({ ...parts, host: '0.0.0.0', port: 0, trust: { loopback: true }, where: 'a test' }), {
      code: 'xds/loopback',
    })
  })

  test('knows an Envoy by its certificate, and answers no other', async () => {
    const authority = await testAuthority('authority')
    const [server, edge, stranger] = await Promise.all([
      certifiedBy(authority, { names: [{ type: 'dns', value: 'gateway.example' }], usages: ['1.3.6.1.5.5.7.3.1'] }),
      certifiedBy(authority, { names: [{ type: 'url', value: 'spiffe://e.example/edge' }] }),
      certifiedBy(authority, { names: [{ type: 'url', value: 'spiffe://e.example/other' }] }),
    ])
    const trust: ChecksTrust = {
      tls: { cert: server.cert, key: server.key, ca: authority.cert },
      nodeOf: (identity) => (identity === 'spiffe://e.example/edge' ? 'edge' : undefined),
    }
    const by = (pair: { cert: string; key: string }) =>
      credentials.createSsl(Buffer.from(authority.cert), Buffer.from(pair.key), Buffer.from(pair.cert))
    await serving(trust, async (port, nodes) => {
      assert.deepEqual(((await call(port, question(), by(edge))) as CheckResponse).dynamicMetadata, { ostiary: 'orders' })
      assert.deepEqual(nodes, ['edge'])
      assert.equal(await call(port, question(), by(stranger)), status.PERMISSION_DENIED)
      assert.equal(await call(port, question(), credentials.createSsl(Buffer.from(authority.cert))), status.UNAVAILABLE)
      assert.deepEqual(nodes, ['edge'])
      assert.equal(await tell(port, [], by(stranger)), status.PERMISSION_DENIED)
    })
  })

  test('takes what is told over OTLP, names what denied, and records it when it closes at the latest', () =>
    serving({ loopback: true }, async (port, _nodes, wire, noted) => {
      const attributes = Object.entries({
        'http.request.method': 'GET',
        'http.response.status_code': '403',
        'server.address': 'orders.example',
        'ostiary.details': 'rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]',
      }).map(([key, value]) => ({ key, value: { value: { case: 'stringValue' as const, value } } }))
      const answer = (await tell(port, [
        { scopeLogs: [{ logRecords: [{ attributes }, { attributes: [] }] }] },
      ])) as ExportLogsServiceResponse
      assert.equal(answer.partialSuccess, undefined)
      await wire.close()
      assert.deepEqual(
        noted.map(({ kind, details }) => [kind, details['resource'], details['status'], details['deniedBy']]),
        [['envoy-access', 'orders', 403, '(ns[a]-policy[b]-rule[0])']],
      )
    }))

  test('takes other authorities while it runs: from then on the old ones vouch for nobody', async () => {
    const [authority, next] = [await testAuthority('authority'), await testAuthority('next')]
    const leaf = { names: [{ type: 'url' as const, value: 'spiffe://e.example/edge' }] }
    const [server, edge, renewed] = await Promise.all([
      certifiedBy(authority, { names: [{ type: 'dns', value: 'gateway.example' }], usages: ['1.3.6.1.5.5.7.3.1'] }),
      certifiedBy(authority, leaf),
      certifiedBy(next, leaf),
    ])
    const { cert, key } = server
    const by = (pair: { cert: string; key: string }) =>
      credentials.createSsl(Buffer.from(authority.cert), Buffer.from(pair.key), Buffer.from(pair.cert))
    await serving({ tls: { cert, key, ca: authority.cert }, nodeOf: () => 'edge' }, async (port, nodes, wire) => {
      assert.deepEqual(((await call(port, question(), by(edge))) as CheckResponse).dynamicMetadata, { ostiary: 'orders' })
      wire.renew({ cert, key, ca: next.cert })
      assert.equal(await call(port, question(), by(edge)), status.UNAVAILABLE)
      assert.deepEqual(((await call(port, question(), by(renewed))) as CheckResponse).dynamicMetadata, { ostiary: 'orders' })
      assert.deepEqual(nodes, ['edge', 'edge'])
    })
  })
})
