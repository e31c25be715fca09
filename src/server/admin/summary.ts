import { nameOf, reasonOf, type DecisionRecord, type OutcomeRecord } from '../../audit/index.ts'
import { formatAction } from '../../core/action.ts'
import type { DecisionSummary } from './shapes.ts'

/** A decision record in short. */
export function summaryOf(record: DecisionRecord, outcome: OutcomeRecord | undefined): DecisionSummary {
  return {
    id: record.id,
    time: record.time,
    door: record.door,
    resource: record.resource,
    action: formatAction(record.action),
    verdict: record.verdict,
    who: nameOf(record.principal),
    principal: record.principal.kind === 'anonymous' ? undefined : `${record.principal.issuer}/${record.principal.subject}`,
    effect: record.effect,
    observed: record.observed === undefined || record.observed.effect === record.effect ? undefined : record.observed.effect,
    because: record.verdict === 'allowed' ? record.rule : reasonOf(record),
    ip: record.ip,
    trace: record.trace,
    policyVersion: record.policy,
    outcome:
      outcome === undefined
        ? undefined
        : {
            result: outcome.result,
            status: outcome.status ?? 0,
            bytesIn: outcome.bytesIn ?? 0,
            bytesOut: outcome.bytesOut ?? 0,
            duration: outcome.duration ?? 0,
          },
  }
}
