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
import { ACCESS, DROPPED, OBSERVED } from '../../envoy/metadata.ts'
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

/** The record of a request; undefined for what isn't the end of one. Of tokens and fields it has two claims and nothing else. */
export function recordOf(node: string, entry: HTTPAccessLogEntry, now: number, limit: number): GatewayEvent | undefined {
  const { commonProperties: common, request, response } = entry
  const type = common?.accessLogType ?? AccessLogType.NotSet
  if (type !== AccessLogType.NotSet && type !== AccessLogType.DownstreamEnd) return undefined
  const cut = (text: string | undefined): string => (text ?? '').toWellFormed().slice(0, limit)
  const details = response?.responseCodeDetails ?? ''
  const [, policy = 'none'] = /^rbac_access_denied_matched_policy\[([^\]]*)\]/.exec(details) ?? []
  const texts = {
    node: cut(node),
    // Virtual hosts and routes have the names of their resources.
    resource: cut(common?.routeName),
    method: request === undefined ? '' : (METHODS.get(request.requestMethod) ?? 'other'),
    path: cut(request?.path.replace(/[?#].*$/s, '')),
    why: cut(details),
    // What matched nothing is called `none`.
    deniedBy: policy === 'none' ? '' : cut(statementOf(policy)),
    // Until it is enforced.
    wouldBeDeniedBy: cut(statementOf(common?.customTags[OBSERVED.key] ?? '')),
    issuer: cut(common?.customTags['iss']),
    subject: cut(subjectOf(common?.customTags ?? {})),
    request: cut(request?.requestId),
  }
  return {
    kind: ACCESS,
    time: timeOf(common?.startTime, now),
    details: {
      bestEffort: true,
      status: response?.responseCode ?? 0,
      ...Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== '')),
    },
  }
}

/** As the record of this gateway's own decisions has it. */
function subjectOf({ sub = '', tid = '', oid = '' }: Readonly<Record<string, string>>): string {
  return tid === '' || oid === '' ? sub : `${tid}/${oid}`
}

/** Milliseconds since the epoch; `now` for what no date is. */
function timeOf(start: { readonly seconds: bigint; readonly nanos: number } | undefined, now: number): number {
  const time = start === undefined ? now : Number(start.seconds) * 1000 + Math.floor(start.nanos / 1_000_000)
  return time >= 0 && time <= now + DAY_MS ? time : now
}

const DAY_MS = 86_400_000

export interface AccessLogParts {
  readonly clock: Clock
  readonly meter?: Meter
  readonly note: (event: GatewayEvent) => void
  readonly limits?: Partial<AccessLogLimits>
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
    const { clock, meter = noMeter } = this.#parts
    for (const entry of logEntries.value.logEntry) {
      const event = recordOf(node, entry, clock.now(), this.#limits.text)
      if (event === undefined) continue
      const hasRoom = this.#queue.length < this.#limits.queued
      meter.count('envoy_access', { entry: hasRoom ? 'taken' : 'dropped' })
      if (hasRoom) this.#queue.push(event)
      else this.#dropped++
    }
    this.#wait()
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
