import { formatAction } from '../../core/action.ts'
import type { DecisionRecord, FoundRecord, Who } from '../../audit/index.ts'
import type { DecisionSummary } from './shapes.ts'

/** A decision record in short; undefined for records of other kinds. */
export function summaryOf({ record, outcome }: FoundRecord): DecisionSummary | undefined {
  if (record.kind !== 'decision') return undefined
  return {
    id: record.id,
    time: record.time,
    door: record.door,
    resource: record.resource,
    action: formatAction(record.action),
    verdict: record.verdict,
    who: whoIs(record.principal),
    because: because(record),
    ip: record.ip,
    trace: record.trace,
    policyVersion: record.policy,
    outcome:
      outcome === undefined
        ? undefined
        : {
            result: outcome.result,
            status: outcome.status,
            bytesIn: outcome.bytesIn,
            bytesOut: outcome.bytesOut,
            duration: outcome.duration,
          },
  }
}

export function whoIs(who: Who): string {
  if (who.kind === 'anonymous') return 'anonymous'
  const name = who.display ?? who.client ?? who.subject
  return who.actor === undefined ? name : `${name} through ${whoIs(who.actor)}`
}

function because(record: DecisionRecord): string | undefined {
  if (record.rule !== undefined && record.verdict === 'allowed') return record.rule
  if (record.reason !== undefined) return record.claim === undefined ? record.reason : `${record.reason}: ${record.claim}`
  const [reason] = record.reasons?.filter(({ code }) => code !== 'granted') ?? []
  if (reason === undefined) return record.cause
  return [reason.code, reason.id, reason.role === undefined ? undefined : `(${reason.role})`].filter((part) => part !== undefined).join(' ')
}

/** One line for a terminal. */
export function lineOf(found: FoundRecord): string {
  const { record } = found
  const summary = summaryOf(found)
  if (summary !== undefined) {
    const { time, verdict, who, action, resource, because: why, id, outcome } = summary
    return `${time}  ${verdict.padEnd(15)} ${who.padEnd(12)} ${action} on ${resource}${why === undefined ? '' : `  [${why}]`}${outcome === undefined ? '' : `  ${outcome.status}, ${outcome.duration.toFixed(1)} ms`}  ${id}`
  }
  switch (record.kind) {
    case 'event':
      return `${record.time}  ${'event'.padEnd(15)} ${record.event}${record.principal === undefined ? '' : ` by ${whoIs(record.principal)}`}  ${JSON.stringify(record.details ?? {})}`
    default:
      return `${record.time}  ${record.kind.padEnd(15)} ${JSON.stringify(record)}`
  }
}
