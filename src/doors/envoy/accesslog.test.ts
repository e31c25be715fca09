/** What Envoys tell, as it is recorded: chosen parts of it alone, as many as there is room for, and how many there was none for. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import type { GatewayEvent } from '../../core/record.ts'
import {
  AccessLogType,
  HTTPAccessLogEntrySchema,
  type HTTPAccessLogEntry,
} from '../../envoy/messages/envoy/data/accesslog/v3/accesslog_pb.ts'
import { RequestMethod } from '../../envoy/messages/envoy/config/core/v3/base_pb.ts'
import { StreamAccessLogsMessageSchema } from '../../envoy/messages/envoy/service/accesslog/v3/als_pb.ts'
import { ManualClock } from '../../testing/clock.ts'
import { AccessLogs, recordOf, toldBy } from './accesslog.ts'

const NOW = Date.UTC(2026, 2, 2, 12)
const recorded = (node: string, told: HTTPAccessLogEntry, limit = 1000): GatewayEvent | undefined => {
  const one = toldBy(node, told)
  return one && recordOf(one, NOW, limit)
}
type Init = MessageInitShape<typeof HTTPAccessLogEntrySchema>

const entry = (details = 'via_upstream', more: Init['commonProperties'] = {}) =>
  create(HTTPAccessLogEntrySchema, {
    commonProperties: {
      startTime: { seconds: BigInt(NOW / 1000 - 5), nanos: 7_000_000 },
      routeName: 'orders',
      customTags: { iss: 'https://i', sub: 'ada', other: 'never' },
      metadata: { filterMetadata: { 'envoy.filters.http.jwt_authn': { payload: { email: 'never' } } } },
      ...more,
    },
    request: {
      requestMethod: RequestMethod.POST,
      path: '/orders/7?token=never#never',
      requestId: 'r-1',
      userAgent: 'never',
      requestHeaders: { authorization: 'never' },
    },
    response: { responseCode: 403, responseCodeDetails: details, responseHeaders: { 'set-cookie': 'never' } },
  } as Init)

describe('what an Envoy tells of a request', () => {
  test('is recorded in part: nothing of a token but who it names, no query, no field', () => {
    const event = recorded('edge', entry('rbac_access_denied_matched_policy[late@svc#2]'))
    assert.deepEqual(event, {
      kind: 'envoy-access',
      time: NOW - 4993,
      details: {
        bestEffort: true,
        status: 403,
        node: 'edge',
        resource: 'orders',
        method: 'POST',
        path: '/orders/7',
        why: 'rbac_access_denied_matched_policy[late@svc#2]',
        deniedBy: 'late',
        issuer: 'https://i',
        subject: 'ada',
        request: 'r-1',
      },
    })
    assert.doesNotMatch(JSON.stringify(event), /never/)
  })

  test('names a caller as the record of the gateway’s own decisions does', () => {
    const subject = (customTags: Record<string, string>): unknown =>
      recorded('edge', entry('via_upstream', { customTags }))?.details['subject']
    assert.equal(subject({ sub: 's', tid: 't', oid: 'o' }), 't/o')
    assert.equal(subject({ sub: 's', tid: 't' }), 's')
    assert.equal(subject({}), undefined)
  })

  for (const [details, by] of [
    ['rbac_access_denied_matched_policy[none]', undefined],
    ['via_upstream', undefined],
    ['rbac_access_denied_matched_policy[scope]', 'scope'],
  ] as const)
    test(`of \`${details}\` it is ${by ?? 'nobody'} who denied`, () =>
      assert.equal(recorded('edge', entry(details))?.details['deniedBy'], by))

  test('is recorded at its end alone, with a time that can be', () => {
    assert.equal(recorded('edge', entry('', { accessLogType: AccessLogType.DownstreamPeriodic })), undefined)
    for (const seconds of [-1n, 10n ** 17n, BigInt(NOW)])
      assert.equal(recorded('edge', entry('', { startTime: { seconds, nanos: 0 } } as never))?.time, NOW)
  })

  test('never fails, and no text of it is longer than it may be', () => {
    const bytes = toBinary(HTTPAccessLogEntrySchema, entry())
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.string({ maxLength: 40 }), (at, byte, node) => {
        const changed = Uint8Array.from(bytes)
        changed[at] = byte
        let read
        try {
          read = fromBinary(HTTPAccessLogEntrySchema, changed)
        } catch {
          return // gRPC refuses what can't be read.
        }
        const { details, time } = recorded(node, read, 8) ?? { details: {}, time: NOW }
        assert.ok(Number.isFinite(time))
        for (const text of Object.values(details)) assert.ok(typeof text !== 'string' || text.length <= 8, JSON.stringify(details))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('what Envoys tell', () => {
  const message = (count: number) =>
    create(StreamAccessLogsMessageSchema, {
      logEntries: { case: 'httpLogs', value: { logEntry: Array.from({ length: count }, () => entry()) } },
    } as MessageInitShape<typeof StreamAccessLogsMessageSchema>)
  const taking = () => {
    const clock = new ManualClock(NOW)
    const noted: GatewayEvent[] = []
    const logs = new AccessLogs({ clock, note: (event) => void noted.push(event), limits: { queued: 5, batch: 2, intervalMs: 100 } })
    return { clock, noted, logs, kinds: () => noted.map(({ kind }) => kind.replace('envoy-access', 'a')) }
  }

  test('is recorded some at a time, and what there was no room for is counted in the record', () => {
    const { clock, noted, logs, kinds } = taking()
    logs.take('edge', message(8))
    assert.equal(noted.length, 0)
    clock.advance(100)
    assert.deepEqual(kinds(), ['a', 'a', 'a-dropped'])
    assert.deepEqual(noted.at(2)?.details, { count: 3, why: 'more came than could be recorded' })
    clock.advance(200)
    assert.deepEqual(kinds(), ['a', 'a', 'a-dropped', 'a', 'a', 'a'])
    clock.advance(1_000)
    assert.equal(noted.length, 6)
  })

  test('is recorded whole when the door closes', () => {
    const { logs, kinds } = taking()
    logs.take('edge', message(6))
    logs.close()
    assert.deepEqual(kinds(), ['a', 'a', 'a', 'a', 'a', 'a-dropped'])
  })
})
