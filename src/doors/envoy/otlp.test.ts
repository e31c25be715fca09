/** What is told over OpenTelemetry's protocol, as requests: our attributes alone, whatever else a collector sends. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import {
  ExportLogsServiceRequestSchema,
  type KeyValueSchema,
} from '../../envoy/messages/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts'
import { recordOf } from './accesslog.ts'
import { requestsIn } from './otlp.ts'

const NOW = Date.UTC(2026, 2, 2, 12)
type Attributes = Readonly<Record<string, string | number | undefined>>

const pairs = (all: Attributes): MessageInitShape<typeof KeyValueSchema>[] =>
  Object.entries(all).map(([key, value]) => ({
    key,
    value: {
      value: typeof value === 'number' ? { case: 'intValue', value: BigInt(value) } : { case: 'stringValue', value: value ?? '' },
    },
  }))

const exported = (...records: readonly Attributes[]) =>
  create(ExportLogsServiceRequestSchema, {
    resourceLogs: [
      {
        resource: { attributes: pairs({ node_name: 'sidecar~orders' }) },
        scopeLogs: [{ logRecords: records.map((one) => ({ timeUnixNano: BigInt(NOW - 5) * 1_000_000n, attributes: pairs(one) })) }],
      },
    ],
  })

const DENIED: Attributes = {
  'http.request.method': 'POST',
  'server.address': 'orders.example:8080',
  'http.response.status_code': '403',
  'url.path': '/orders/7?token=never#never',
  'ostiary.details': 'rbac_access_denied_matched_policy[ns[shop]-policy[ostiary-deny-no-guests-0123456789]-rule[0]]',
  'ostiary.issuer': 'https://i',
  'ostiary.subject': 's',
  'ostiary.tenant': 't',
  'ostiary.object': 'o',
  'ostiary.observed': '-',
  'ostiary.request': 'r-1',
  'http.request.header.authorization': 'never',
}
const hosts = (host: string): string | undefined => (host.startsWith('orders.example') ? 'orders' : undefined)
const told = (node: string | undefined, ...records: readonly Attributes[]) =>
  requestsIn(node, exported(...records).resourceLogs, hosts, () => true)

describe('what is told over OTLP', () => {
  test('is recorded in part: who called, what became of it, and nothing else of the request', () => {
    const [one] = told('targets.shop', DENIED)
    const event = recordOf(one!, NOW, 1000, (policy) => (policy.includes('no-guests') ? 'no-guests' : policy))
    assert.deepEqual(event, {
      kind: 'envoy-access',
      time: NOW - 5,
      details: {
        bestEffort: true,
        status: 403,
        node: 'targets.shop',
        resource: 'orders',
        method: 'POST',
        path: '/orders/7',
        why: DENIED['ostiary.details'],
        deniedBy: 'no-guests',
        issuer: 'https://i',
        subject: 't/o',
        request: 'r-1',
      },
    })
    assert.doesNotMatch(JSON.stringify(event), /never/)
  })

  test('says what would have denied, until it denies', () => {
    const wouldBe = (more: Attributes): unknown => recordOf(told('n', { ...DENIED, ...more })[0]!, NOW, 1000).details['wouldBeDeniedBy']
    const granted: Attributes = { 'http.response.status_code': '200', 'ostiary.details': 'via_upstream' }
    assert.equal(wouldBe({ ...granted, 'ostiary.observed': 'soon@people', 'ostiary.ungranted': 'allowed' }), 'soon')
    assert.equal(wouldBe({ ...granted, 'ostiary.observed': 'soon@people', 'ostiary.ungranted': 'denied' }), 'soon')
    assert.equal(wouldBe({ ...granted, 'ostiary.ungranted': 'denied' }), '(no-rule)')
    assert.equal(wouldBe({ ...granted, 'ostiary.ungranted': 'allowed' }), undefined)
    assert.equal(wouldBe({ ...granted, 'ostiary.ungranted': '-' }), undefined)
    assert.equal(wouldBe({ 'ostiary.ungranted': 'denied' }), undefined)
    const { resourceLogs } = exported({ ...DENIED, ...granted, 'ostiary.ungranted': 'denied' })
    assert.equal(requestsIn('n', resourceLogs, hosts, () => false)[0]!.ungranted, false)
  })

  test('is of who proved that it tells, and of what it calls itself where nobody has to prove anything', () => {
    assert.equal(told('targets.shop', DENIED)[0]?.node, 'targets.shop')
    assert.equal(told(undefined, DENIED)[0]?.node, 'sidecar~orders')
  })

  test('is passed over where it is no request of ours', () => {
    assert.deepEqual(told('n', {}, { 'http.request.method': 'GET' }, { 'log.level': 'info' }), [])
    assert.equal(told('n', { ...DENIED, 'http.response.status_code': 200 })[0]?.status, 200)
    for (const status of ['-', 'x', '-1', '1e9', '4.5'])
      assert.equal(told('n', { ...DENIED, 'http.response.status_code': status })[0]?.status, 0)
    assert.equal(told('n', { ...DENIED, 'server.address': 'wiki.example' })[0]?.resource, undefined)
  })

  test('never fails, whatever the octets are, and no text of it is longer than it may be', () => {
    const bytes = toBinary(ExportLogsServiceRequestSchema, exported(DENIED, DENIED))
    let read = 0
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const changed = Uint8Array.from(bytes)
        changed[at] = byte
        let message
        try {
          message = fromBinary(ExportLogsServiceRequestSchema, changed)
        } catch {
          return // gRPC refuses what can't be read.
        }
        for (const one of requestsIn(undefined, message.resourceLogs, hosts, () => true)) {
          read++
          const { time, details } = recordOf(one, NOW, 8)
          assert.ok(Number.isFinite(time))
          for (const text of Object.values(details)) assert.ok(typeof text !== 'string' || text.length <= 8)
        }
      }),
      { numRuns: 2_000 },
    )
    assert.ok(read > 500)
  })
})
