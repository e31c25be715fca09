/**
 * What Envoys tell of the requests that they answered by themselves. It is no ledger: an Envoy keeps a little of it while nobody takes it,
 * and drops the rest. So each record says that it was made as well as could be, and what is dropped here is counted and recorded.
 */
import type { Clock, Timer } from '../../core/clock.ts'
import { noMeter, type Meter } from '../../core/meter.ts'
import type { GatewayEvent } from '../../core/record.ts'
import { AccessLogType, type HTTPAccessLogEntry } from '../../envoy/messages/envoy/data/accesslog/v3/accesslog_pb.ts'
import { RequestMethod } from '../../envoy/messages/envoy/config/core/v3/base_pb.ts'
import type { StreamAccessLogsMessage } from '../../envoy/messages/envoy/service/accesslog/v3/als_pb.ts'
import { ACCESS, DROPPED, OBSERVED, UNGRANTED } from '../../envoy/metadata.ts'
import { statementOf } from '../../envoy/rbac.ts'

/** Bounds of what Envoys tell. */
export interface AccessLogLimits {
  /** Entries that wait to be recorded. */
  readonly queued: number
  /** Entries that are recorded at a time, and how long it is to the next time, in milliseconds. */
  readonly batch: number
  readonly intervalMs: number
  /** Characters of one text of an entry. */
  readonly text: number
}

export const DEFAULT_ACCESS_LOG_LIMITS: AccessLogLimits = { queued: 10_000, batch: 500, intervalMs: 100, text: 1_024 }

const METHODS: ReadonlyMap<number, string> = new Map(
  Object.entries(RequestMethod).flatMap(([name, number]) => (number === RequestMethod.METHOD_UNSPECIFIED ? [] : [[number, name]])),
)

/** What an Envoy told of a request, in whichever of its forms. A text that it left out is empty. */
export interface ToldRequest {
  readonly node: string
  /** Undefined where that isn't told. */
  readonly resource: string | undefined
  readonly status: number
  readonly method: string
  readonly path: string
  /** Envoy's response details. */
  readonly details: string
  /** Name of the policy that would have denied it. */
  readonly observed: string
  /** Whether nothing would have granted it. */
  readonly ungranted: boolean
  readonly issuer: string
  readonly subject: string
  readonly tenant: string
  readonly object: string
  readonly request: string
  /** Milliseconds since the epoch. */
  readonly time: number | undefined
}

/** The rule or guardrail that a policy of Envoy's stands for, by its name. */
export type Statements = (policy: string) => string

/** What one entry tells; undefined for what isn't the end of a request. */
export function toldBy(node: string, { commonProperties: common, request, response }: HTTPAccessLogEntry): ToldRequest | undefined {
  const type = common?.accessLogType ?? AccessLogType.NotSet
  if (type !== AccessLogType.NotSet && type !== AccessLogType.DownstreamEnd) return undefined
  const tag = (name: string): string => common?.customTags[name] ?? ''
  return {
    node,
    // Virtual hosts and routes have the names of their resources.
    resource: common?.routeName,
    status: response?.responseCode ?? 0,
    method: request === undefined ? '' : (METHODS.get(request.requestMethod) ?? 'other'),
    path: request?.path ?? '',
    details: response?.responseCodeDetails ?? '',
    observed: tag(OBSERVED.key),
    ungranted: tag(UNGRANTED.key) === UNGRANTED.value,
    issuer: tag('iss'),
    subject: tag('sub'),
    tenant: tag('tid'),
    object: tag('oid'),
    request: request?.requestId ?? '',
    time:
      common?.startTime === undefined
        ? undefined
        : Number(common.startTime.seconds) * 1000 + Math.floor(common.startTime.nanos / 1_000_000),
  }
}

/** The record of a request. Of tokens and fields it has who the caller is, and nothing else. @param limit Characters of one text */
export function recordOf(told: ToldRequest, now: number, limit: number, statements: Statements = statementOf): GatewayEvent {
  const cut = (text: string): string => text.toWellFormed().slice(0, limit)
  const [isDenied, policy = 'none'] = /^rbac_access_denied_matched_policy\[(.*)\]$/s.exec(told.details) ?? []
  // Once it is enforced, what nothing grants is denied.
  const ungranted = told.ungranted && isDenied === undefined ? UNGRANTED.name : ''
  const texts = {
    node: told.node,
    resource: told.resource ?? '',
    method: told.method,
    path: told.path.replace(/[?#].*$/s, ''),
    why: told.details,
    // What matched nothing is called `none`.
    deniedBy: policy === 'none' ? '' : statements(policy),
    // Until it is enforced.
    wouldBeDeniedBy: told.observed === '' ? ungranted : statements(told.observed),
    issuer: told.issuer,
    subject: subjectOf(told),
    request: told.request,
  }
  return {
    kind: ACCESS,
    time: timeOf(told.time, now),
    details: {
      bestEffort: true,
      status: told.status,
      ...Object.fromEntries(Object.entries(texts).flatMap(([name, text]) => (text === '' ? [] : [[name, cut(text)]]))),
    },
  }
}

/** As the record of this gateway's own decisions has it. */
function subjectOf({ subject, tenant, object }: ToldRequest): string {
  return tenant === '' || object === '' ? subject : `${tenant}/${object}`
}

/** Milliseconds since the epoch; `now` for what no date is. */
function timeOf(start: number | undefined, now: number): number {
  const time = start ?? now
  return time >= 0 && time <= now + DAY_MS ? time : now
}

const DAY_MS = 86_400_000

export interface AccessLogParts {
  readonly clock: Clock
  readonly meter?: Meter
  readonly note: (event: GatewayEvent) => void
  readonly limits?: Partial<AccessLogLimits>
  /** Default: what this gateway calls the policies that it hands out. */
  readonly statements?: Statements
}

/** Takes what Envoys tell, and records it at a pace that leaves room for decisions. */
export class AccessLogs {
  readonly #parts: AccessLogParts
  readonly #limits: AccessLogLimits
  readonly #queue: GatewayEvent[] = []
  #dropped = 0
  #timer: Timer | undefined

  constructor(parts: AccessLogParts) {
    this.#parts = parts
    this.#limits = { ...DEFAULT_ACCESS_LOG_LIMITS, ...parts.limits }
  }

  take(node: string, { logEntries }: StreamAccessLogsMessage): void {
    if (logEntries.case !== 'httpLogs') return
    this.tell(logEntries.value.logEntry.flatMap((entry) => toldBy(node, entry) ?? []))
  }

  /** @returns How many of them there was no room for */
  tell(requests: readonly ToldRequest[]): number {
    const { clock, meter = noMeter, statements } = this.#parts
    let dropped = 0
    for (const told of requests) {
      const hasRoom = this.#queue.length < this.#limits.queued
      meter.count('envoy_access', { entry: hasRoom ? 'taken' : 'dropped' })
      if (hasRoom) this.#queue.push(recordOf(told, clock.now(), this.#limits.text, statements))
      else dropped++
    }
    this.#dropped += dropped
    this.#wait()
    return dropped
  }

  /** Records all that waits. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#record(this.#queue.length)
  }

  #wait(): void {
    if (this.#timer !== undefined || (this.#queue.length === 0 && this.#dropped === 0)) return
    this.#timer = this.#parts.clock.after(this.#limits.intervalMs, () => {
      this.#timer = undefined
      this.#record(this.#limits.batch)
      this.#wait()
    })
  }

  #record(most: number): void {
    const { clock, note } = this.#parts
    for (const event of this.#queue.splice(0, most)) note(event)
    if (this.#dropped === 0) return
    const count = this.#dropped
    this.#dropped = 0
    note({ kind: DROPPED, time: clock.now(), details: { count, why: 'more came than could be recorded' } })
  }
}
